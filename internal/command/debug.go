// DEBUG: what helps to compare keyspaces and to test clients. What makes others wait, or changes what they see, wants
// enable-debug-command.
package command

import (
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var debugCommands = []*Command{
	{Name: "debug", Arity: -2, Flags: Admin | NoScript | Loading | Stale | AllKeys, Group: "server", Since: "1.0.0",
		Usage: "subcommand [argument [argument ...]]", Doc: "A container for debugging commands.",
		Run: debugCall},
}

// debugWord is a subcommand of DEBUG. It has no row of its own: Redis's has none.
type debugWord struct {
	name     string
	min, max int  // words of the call; max negative: any number
	harmless bool // it runs without enable-debug-command
	run      func(*Ctx) error
}

// debugWords has all but HELP.
var debugWords = []debugWord{
	{"change-repl-id", 2, 2, false, debugChangeID},
	{"dict-resizing", 3, 3, false, debugSwitch(nil)},
	{"digest", 2, 2, true, debugDigest},
	{"digest-value", 2, -1, true, debugDigestValue},
	{"error", 3, 3, true, debugError},
	{"loadaof", 2, 2, false, debugReload},
	{"log", 3, 3, false, debugLog},
	{"object", 3, 4, true, debugObject},
	{"pause-cron", 3, 3, false, debugSwitch(func(c *Ctx, on bool) error { return c.sweeping(!on) })},
	{"populate", 3, 5, false, debugPopulate},
	{"protocol", 3, 3, true, debugProtocol},
	{"quicklist-packed-threshold", 3, 3, false, debugPackedThreshold},
	{"reload", 2, -1, false, debugReload},
	{"replicate", 3, 3, false, debugOK},
	{"replybuffer", 4, 4, false, debugReplyBuffer},
	{"sdslen", 3, 3, true, debugStringLength},
	{"set-active-expire", 3, 3, false, debugSwitch((*Ctx).sweeping)},
	{"set-disable-deny-scripts", 3, 3, false, debugSwitch(func(c *Ctx, on bool) error { c.Engine.allScripts.Store(on); return nil })},
	{"sleep", 3, 3, false, debugSleep},
	{"stringmatch-len", 4, 4, true, debugMatch},
}

const errNoDebug = Refusal("ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, " +
	"otherwise you need to set this option in the configuration file, and then restart the server.")

// harmful are the words of Redis that end the process, or harm it.
var harmful = wordSet("assert crash-and-recover leak oom panic restart segfault")

func debugCall(c *Ctx) error {
	n, word := len(c.Args), strings.ToLower(string(c.Args[1]))
	if word == "help" && n == 2 {
		return debugHelp(c)
	}
	if harmful[word] {
		return Refusal("ERR DEBUG " + strings.ToUpper(word) + " is not supported: it would end the process")
	}
	for i := range debugWords {
		w := &debugWords[i]
		if w.name != word || n < w.min || w.max >= 0 && n > w.max {
			continue
		}
		if !w.harmless && !c.allowed("enable-debug-command") {
			return errNoDebug
		}
		return w.run(c)
	}
	return c.wrongWords()
}

// Operated is a Session that can say where it is, and tell the operator something.
type Operated interface {
	// Local reports whether the client is on the machine of the engine.
	Local() bool
	// Log notes a text for the operator.
	Log(text string)
}

// allowed reports whether a setting that is "no", "yes" or "local" allows something to the caller.
func (c *Ctx) allowed(setting string) bool {
	switch c.Engine.Settings.String(setting) {
	case "yes":
		return true
	case "local":
		o, ok := c.Session.(Operated)
		return !ok || o.Local() // who has no session is in the same process
	}
	return false
}

func debugHelp(c *Ctx) error {
	c.help("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"CHANGE-REPL-ID",
		"    Change the replication ID of the instance.",
		"DIGEST",
		"    Output a hex signature representing the current DB content.",
		"DIGEST-VALUE <key> [<key> ...]",
		"    Output a hex signature of the values of all the specified keys.",
		"ERROR <string>",
		"    Return a Redis protocol error with <string> as message.",
		"LOADAOF",
		"    The same as RELOAD: there is no AOF.",
		"LOG <message>",
		"    Write <message> to the server log.",
		"OBJECT <key>",
		"    Show low level info about `key` and associated value.",
		"POPULATE <count> [<prefix>] [<size>]",
		"    Create <count> string keys named key:<num>. If <prefix> is specified then",
		"    it is used instead of the 'key' prefix.",
		"PROTOCOL <type>",
		"    Reply with a test value of the specified type. <type> can be: string,",
		"    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
		"    true, false.",
		"RELOAD [option ...]",
		"    Write all keys as an RDB file, in memory, and load them from it. Valid",
		"    <option> values:",
		"    * MERGE: conflicting keys will be loaded from RDB.",
		"    * NOFLUSH: the existing database will not be removed before load, but",
		"      conflicting keys are an error.",
		"    * NOSAVE: what the last RELOAD wrote, or else SAVE, is loaded.",
		"SDSLEN <key>",
		"    Show how long `key` and its string value are.",
		"SET-ACTIVE-EXPIRE <0|1>",
		"    Setting it to 0 disables expiring keys in background when they are not",
		"    accessed. Setting it to 1 reenables back the default.",
		"SLEEP <seconds>",
		"    Stop the server for <seconds>. Decimals allowed.",
		"STRINGMATCH-LEN <pattern> <string>",
		"    Tell whether a glob pattern matches a string.",
		"DICT-RESIZING, PAUSE-CRON, QUICKLIST-PACKED-THRESHOLD, REPLICATE, REPLYBUFFER, SET-DISABLE-DENY-SCRIPTS",
		"    Taken as in Redis, for tests.")
	return nil
}

// fingerprint is what DEBUG DIGEST tells: it tells keyspaces apart, as that of Redis does: equal ones have the same, on any engine.
type fingerprint [sha1.Size]byte

// with adds words whose order does not matter.
func (d *fingerprint) with(word []byte) {
	for i, b := range sha1.Sum(word) {
		d[i] ^= b
	}
}

// then adds a word that follows the words before.
func (d *fingerprint) then(word []byte) {
	d.with(word)
	*d = sha1.Sum(d[:])
}

func (d *fingerprint) thenNumber(n int) { d.then(binary.BigEndian.AppendUint32(nil, uint32(n))) }

// withPair adds two words that belong together, whatever else there is.
func (d *fingerprint) withPair(first, second []byte) {
	var pair fingerprint
	pair.then(first)
	pair.then(second)
	d.with(pair[:])
}

func (d *fingerprint) status(c *Ctx) { c.W.Status(hex.EncodeToString(d[:])) }

// typeNumber is what Redis numbers a type by.
func typeNumber(t keyspace.Type) int {
	switch t {
	case keyspace.List:
		return 1
	case keyspace.Set:
		return 2
	case keyspace.SortedSet:
		return 3
	case keyspace.Hash:
		return 4
	case keyspace.Stream:
		return 6
	}
	return 0
}

// scoreDigits is how many digits of a score count.
const scoreDigits = 17

// digestScore is a score as C prints it with all digits.
func digestScore(dst []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	}
	return strconv.AppendFloat(dst, f, 'g', scoreDigits, 64)
}

// digestValue adds the value of a key, with when it expires.
func (c *Ctx) digestValue(d *fingerprint, key []byte, e keyspace.Entry) (err error) {
	d.thenNumber(typeNumber(e.Type))
	switch e.Type {
	case keyspace.String:
		var v []byte
		if v, err = c.get(key); err == nil {
			d.then(v)
		}
	case keyspace.List:
		var l keyspace.ListKey
		if l, err = c.Tx.List(key); err == nil {
			err = l.Range(0, -1, false, func(v []byte) bool { d.then(v); return true })
		}
	case keyspace.Set:
		var s keyspace.SetKey
		if s, err = c.Tx.Set(key); err == nil {
			err = s.Each(d.with)
		}
	case keyspace.SortedSet:
		var z keyspace.SortedSetKey
		if z, err = c.Tx.SortedSet(key); err == nil {
			var score []byte
			err = z.Range(&keyspace.Range{By: keyspace.ByRank, Stop: -1}, func(member []byte, f float64) bool {
				score = digestScore(score[:0], f)
				d.withPair(member, score)
				return true
			})
		}
	case keyspace.Hash:
		var h keyspace.HashKey
		if h, err = c.Tx.Hash(key); err == nil {
			err = h.Each(d.withPair)
		}
	case keyspace.Stream:
		var s keyspace.StreamKey
		if s, err = c.Tx.Stream(key); err == nil {
			var id []byte
			err = s.Range(streamID{}, keyspace.LastStreamID, false, func(at streamID, fields [][]byte) bool {
				id = strconv.AppendUint(id[:0], at.Ms, 10)
				id = strconv.AppendUint(append(id, '.'), at.Seq, 10)
				d.then(id)
				for _, word := range fields {
					d.then(word)
				}
				return true
			})
		}
	}
	if e.ExpireAt != keyspace.Never {
		d.with([]byte("!!expire!!"))
	}
	return err
}

// debugDigest tells the digest of all databases.
func debugDigest(c *Ctx) error {
	var all fingerprint
	for db := range keyspace.Databases {
		if err := c.Tx.Select(db); err != nil {
			return err
		}
		if err := c.digestDatabase(&all, db); err != nil {
			return err
		}
	}
	all.status(c)
	return c.Tx.Select(c.DB)
}

func (c *Ctx) digestDatabase(all *fingerprint, db int) error {
	keys, _, err := c.Tx.Len()
	if err != nil || keys == 0 {
		return err
	}
	all.thenNumber(db)
	// A scan may visit a key twice only where the keyspace changes meanwhile, and in a transaction it does not.
	var some [][]byte
	for cursor := uint64(0); ; {
		some = some[:0]
		cursor, err = c.Tx.Scan(cursor, 1000, func(key []byte, _ keyspace.Entry) { some = append(some, append([]byte{}, key...)) })
		if err != nil {
			return err
		}
		for _, key := range some {
			e, err := c.entry(key)
			if err != nil {
				return err
			}
			if e.Type == keyspace.None {
				continue
			}
			var d fingerprint
			d.then(key)
			if err := c.digestValue(&d, key, e); err != nil {
				return err
			}
			all.with(d[:])
		}
		if cursor == 0 {
			return nil
		}
	}
}

// debugDigestValue tells the digest of the value of each key, without its name; zeros for a missing one.
func debugDigestValue(c *Ctx) error {
	keys := c.Args[2:]
	c.W.Array(len(keys))
	for _, key := range keys {
		e, err := c.entry(key)
		if err != nil {
			return err
		}
		var d fingerprint
		if e.Type != keyspace.None {
			if err := c.digestValue(&d, key, e); err != nil {
				return err
			}
		}
		d.status(c)
	}
	return nil
}

// debugProtocol replies with a value of each type of the protocol, for tests of clients.
func debugProtocol(c *Ctx) error {
	switch w := c.W; {
	case c.is(2, "string"):
		w.BulkString("Hello World")
	case c.is(2, "integer"):
		w.Int(12345)
	case c.is(2, "double"):
		w.Double(3.141)
	case c.is(2, "null"):
		w.Null()
	case c.is(2, "array"):
		w.Array(3)
		for i := range 3 {
			w.Int(int64(i))
		}
	case c.is(2, "set"):
		w.Set(3)
		for i := range 3 {
			w.Int(int64(i))
		}
	case c.is(2, "map"):
		w.Map(3)
		for i := range 3 {
			w.Int(int64(i))
			w.Bool(i == 1)
		}
	case c.is(2, "attrib"):
		if w.RESP3() {
			w.Raw([]byte("|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"))
		}
		w.BulkString("Some real reply following the attribute")
	case c.is(2, "push"):
		if !w.RESP3() {
			return Refusal("ERR RESP2 is not supported by this command")
		}
		w.Push(2)
		w.BulkString("server-cpu-usage")
		w.Int(42)
		w.BulkString("Some real reply following the push reply")
	case c.is(2, "true"), c.is(2, "false"):
		w.Bool(c.is(2, "true"))
	case c.is(2, "verbatim"):
		w.Verbatim("txt", "This is a verbatim\nstring")
	case c.is(2, "bignum"):
		const number = "1234567999999999999999999999999999999"
		if !w.RESP3() {
			w.BulkString(number)
			break
		}
		w.Raw([]byte("(" + number + "\r\n"))
	default:
		return Refusal("ERR Wrong protocol type name. Please use one of the following: " +
			"string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false")
	}
	return nil
}
