package command_test

import (
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/memstore"
)

func newEngine(t *testing.T) *command.Engine {
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
	t.Cleanup(func() { _ = e.Close() })
	return e
}

const (
	wrongType   = "-WRONGTYPE Operation against a key holding the wrong kind of value"
	digestHello = "9555e8555c62dcfd" // of the string hello, as Redis 8.4 has it
)

func TestSetComparesFirst(t *testing.T) {
	converse(t, newEngine(t), 2, []exchange{
		{"SET k v1 IFEQ x", "$-1"},
		{"EXISTS k", ":0"},
		{"SET k v1 IFNE x", "+OK"},
		{"SET k v2 IFNE v1", "$-1"},
		{"GET k", "$2 v1"},
		{"SET k v2 ifeq v1 EX 1000", "+OK"},
		{"TTL k", ":1000"},
		{"SET k v3 IFEQ v1 GET", "$2 v2"},
		{"GET k", "$2 v2"},
		{"SET k v3 GET IFEQ v2 KEEPTTL", "$2 v2"},
		{"GET k", "$2 v3"},
		{"TTL k", ":1000"},
		{"SET new v IFNE x GET", "$-1"},
		{"GET new", "$1 v"},
		{"SET none v IFDEQ " + digestHello, "$-1"},
		{"SET k hello", "+OK"},
		{"SET k v4 IFDNE " + digestHello, "$-1"},
		{"SET k v4 IFDEQ " + strings.ToUpper(digestHello), "+OK"},
		{"SET k v5 IFDEQ " + digestHello, "$-1"},
		{"SET k v5 IFDNE " + digestHello, "+OK"},
		{"GET k", "$2 v5"},
		{"SET k v6 IFDEQ 123", "-ERR must be exactly 16 hexadecimal characters"},
		{"SET k v6 IFDNE zzzzzzzzzzzzzzzz", "+OK"},
		{"SET n 11", "+OK"},
		{"SET n 12 IFEQ 011", "$-1"},
		{"SET n 12 IFEQ 11", "+OK"},
		{"SET k v IFEQ", "-ERR syntax error"},
		{"SET k v IFEQ v6 NX", "-ERR syntax error"},
		{"SET k v XX IFEQ v6", "-ERR syntax error"},
		{"SET k v IFEQ v6 IFNE v6", "-ERR syntax error"},
		{"GETEX k IFEQ v6", "-ERR syntax error"},
		{"RPUSH l a", ":1"},
		{"SET l x IFEQ a", wrongType},
		{"SET l x IFNE a", wrongType},
		{"SET l x IFNE a GET", wrongType},
		{"TYPE l", "+list"},
	})
}

func TestDelExDeletesWhatItExpects(t *testing.T) {
	converse(t, newEngine(t), 2, []exchange{
		{"DELEX k", ":0"},
		{"DELEX k IFEQ x", ":0"},
		{"DELEX k IFNE x", ":0"},
		{"DELEX k IFDNE x", ":0"},
		{"SET k hello", "+OK"},
		{"DELEX k IFEQ other", ":0"},
		{"DELEX k IFNE hello", ":0"},
		{"DELEX k IFDEQ 0000000000000000", ":0"},
		{"DELEX k IFDNE " + digestHello, ":0"},
		{"DELEX k IFDEQ 123", "-ERR must be exactly 16 hexadecimal characters"},
		{"DELEX k IFLE 123", "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"},
		{"DELEX k IFEQ", "-ERR wrong number of arguments for 'delex' command"},
		{"DELEX missing IFEQ hello x", "-ERR wrong number of arguments for 'delex' command"},
		{"GET k", "$5 hello"},
		{"DELEX k ifeq hello", ":1"},
		{"EXISTS k", ":0"},
		{"SET k hello", "+OK"},
		{"DELEX k IFNE other", ":1"},
		{"SET k hello", "+OK"},
		{"DELEX k IFDEQ " + digestHello, ":1"},
		{"SET k hello", "+OK"},
		{"DELEX k IFDNE 0000000000000000", ":1"},
		{"RPUSH l a", ":1"},
		{"DELEX l IFEQ a", "-ERR Key should be of string type if conditions are specified"},
		{"DELEX l", ":1"},
		{"EXISTS l", ":0"},
	})
}

func TestDigestsAreThoseOfRedis(t *testing.T) {
	e := newEngine(t)
	if _, err := reply(t, e, append(words("SET empty"), []byte{}), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := reply(t, e, append(words("SET long"), []byte("Hello world")), nil); err != nil {
		t.Fatal(err)
	}
	converse(t, e, 3, []exchange{
		{"DIGEST empty", "$16 2d06800538d394c2"},
		{"DIGEST long", "$16 b6acb9d84a38ff74"},
		{"SET k hello", "+OK"},
		{"DIGEST k", "$16 " + digestHello},
		{"SET k v8", "+OK"},
		{"DIGEST k", "$16 0cc76dbb41381419"},
		{"SET n 123", "+OK"},
		{"DIGEST n", "$16 404a763b3f4c8c9a"},
		{"DIGEST missing", "_"},
		{"RPUSH l a", ":1"},
		{"DIGEST l", wrongType},
	})
}

func TestMSetExSetsAllOrNone(t *testing.T) {
	converse(t, newEngine(t), 2, []exchange{
		{"MSETEX 2 a 1 b 2", ":1"},
		{"MGET a b", "*2 $1 1 $1 2"},
		{"MSETEX 2 a 3 c 4 NX", ":0"},
		{"MSETEX 2 a 3 c 4 XX", ":0"},
		{"MGET a b c", "*3 $1 1 $1 2 $-1"},
		{"MSETEX 2 c 3 d 4 NX EX 1000", ":1"},
		{"TTL c", ":1000"},
		{"TTL d", ":1000"},
		{"MSETEX 2 a 5 c 6 XX KEEPTTL", ":1"},
		{"MGET a c", "*2 $1 5 $1 6"},
		{"TTL a", ":-1"},
		{"TTL c", ":1000"},
		{"MSETEX 1 c 7 PX 500000", ":1"},
		{"TTL c", ":500"},
		{"MSETEX 1 c 7", ":1"},
		{"TTL c", ":-1"},
		{"RPUSH l a", ":1"},
		{"MSETEX 1 l 1 XX", ":1"},
		{"TYPE l", "+string"},
		{"MSETEX 1 gone 1 PXAT 1", ":1"},
		{"EXISTS gone", ":0"},
		{"MSETEX 0 a 1", "-ERR invalid numkeys value"},
		{"MSETEX a b 1", "-ERR invalid numkeys value"},
		{"MSETEX 2147483648 a 1", "-ERR invalid numkeys value"},
		{"MSETEX 2147483647 a 1", "-ERR wrong number of key-value pairs"},
		{"MSETEX 2 a 1 b", "-ERR wrong number of key-value pairs"},
		{"MSETEX 1 a 1 NX XX", "-ERR syntax error"},
		{"MSETEX 1 a 1 EX 1 KEEPTTL", "-ERR syntax error"},
		{"MSETEX 1 a 1 GET", "-ERR syntax error"},
		{"MSETEX 1 a 1 IFEQ 1", "-ERR syntax error"},
		{"MSETEX 1 a 1 EX", "-ERR syntax error"},
		{"MSETEX 1 a 1 EX 0", "-ERR invalid expire time in 'msetex' command"},
		{"MSETEX 1 a 1 EX x", "-ERR value is not an integer or out of range"},
		{"COMMAND GETKEYS MSETEX 2 a 1 b 2 EX 10", "*2 $1 a $1 b"},
		{"COMMAND GETKEYS MSETEX 3 a 1 b 2 EX", "-ERR Invalid arguments specified for command"},
	})
}

func TestAccessOfSetAndBitfieldDependsOnTheirOptions(t *testing.T) {
	converse(t, newEngine(t), 2, []exchange{
		{"COMMAND GETKEYSANDFLAGS SET k v", "*1 *2 $1 k *2 +OW +update"},
		{"COMMAND GETKEYSANDFLAGS SET k v IFEQ x", "*1 *2 $1 k *3 +RW +access +update"},
		{"COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0", "*1 *2 $1 k *2 +RO +access"},
		{"COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 INCRBY u8 0 1", "*1 *2 $1 k *3 +RW +access +update"},
	})
}
