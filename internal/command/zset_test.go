package command_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
)

// exchange is a call and the reply it must have.
type exchange struct{ call, want string }

// converse runs calls one after the other and compares their replies, spaces for line ends.
func converse(t *testing.T, e *command.Engine, proto int, script []exchange) {
	t.Helper()
	for _, x := range script {
		w := &resp.Writer{Proto: proto}
		if err := e.Do(context.Background(), &engine.Batch{Calls: []engine.Call{words(x.call)}}, w); err != nil {
			t.Fatalf("%s: %v", x.call, err)
		}
		if got := strings.TrimSuffix(strings.ReplaceAll(string(w.Buf), "\r\n", " "), " "); got != x.want {
			t.Errorf("%s answers %q in RESP%d, want %q", x.call, got, proto, x.want)
		}
	}
}

func TestRankComesWithItsScore(t *testing.T) {
	e, _ := listening(t)
	converse(t, e, 2, []exchange{
		{"ZADD z 1 a 2.5 b", ":2"},
		{"ZRANK z b WITHSCORE", "*2 :1 $3 2.5"},
		{"ZREVRANK z b withscore", "*2 :0 $3 2.5"},
		{"ZRANK z missing WITHSCORE", "*-1"},
		{"ZRANK missing a WITHSCORE", "*-1"},
		{"ZRANK missing a", "$-1"},
		{"ZRANK z b FOO", "-ERR syntax error"},
		{"ZRANK z b WITHSCORE x", "-ERR wrong number of arguments for 'zrank' command"},
	})
	converse(t, e, 3, []exchange{
		{"ZRANK z b WITHSCORE", "*2 :1 ,2.5"},
		{"ZREVRANK z missing WITHSCORE", "_"},
	})
}

func TestScoresStandInPairsInRESP3(t *testing.T) {
	e, _ := listening(t)
	converse(t, e, 3, []exchange{
		{"ZADD z 1 a 2.5 b", ":2"},
		{"ZADD other 1 b", ":1"},
		{"ZRANGE z 0 -1 WITHSCORES", "*2 *2 $1 a ,1 *2 $1 b ,2.5"},
		{"ZREVRANGEBYSCORE z inf -inf WITHSCORES LIMIT 0 1", "*1 *2 $1 b ,2.5"},
		{"ZUNION 2 z other WITHSCORES", "*2 *2 $1 a ,1 *2 $1 b ,3.5"},
		{"ZRANDMEMBER other -1 WITHSCORES", "*1 *2 $1 b ,1"},
		{"ZSCORE z b", ",2.5"},
		{"ZMSCORE z b c", "*2 ,2.5 _"},
		{"ZADD z INCR 1 b", ",3.5"},
		{"ZSCAN other 0", "*2 $1 0 *2 $1 b $1 1"},
		{"ZPOPMIN z", "*2 $1 a ,1"},
		{"ZPOPMAX z 1", "*1 *2 $1 b ,3.5"},
		{"ZPOPMAX z", "*0"},
		{"ZMPOP 1 other MIN", "*2 $5 other *1 *2 $1 b ,1"},
		{"ZMPOP 1 other MIN", "_"},
	})
}

func TestMembersOfPlainSetsOfNumbersKeepApart(t *testing.T) {
	e, _ := listening(t)
	converse(t, e, 2, []exchange{
		{"SADD a 1 2 3", ":3"},
		{"SADD b 3 4", ":2"},
		{"ZUNION 2 a b WITHSCORES", "*8 $1 1 $1 1 $1 2 $1 1 $1 4 $1 1 $1 3 $1 2"},
		{"ZINTER 2 a b", "*1 $1 3"},
		{"ZDIFF 2 a b", "*2 $1 1 $1 2"},
		{"ZUNIONSTORE a 2 a b", ":4"},
		{"ZRANGE a 0 -1", "*4 $1 1 $1 2 $1 4 $1 3"},
	})
}

func TestEventsOfSortedSetsComeInRedisOrder(t *testing.T) {
	e, events := listening(t)
	for _, c := range []exchange{
		{"ZADD z 1 a 2 b 3 c 4 d 5 e 6 f", "zadd z"},
		{"ZADD z 1 a", ""},
		{"ZADD z NX 2 a", ""},
		{"ZADD z XX 3 missing", ""},
		{"ZADD z 1.5 a", "zadd z"},
		{"ZADD z INCR 1 a", "zincr z"},
		{"ZADD z INCR 0 a", ""},
		{"ZINCRBY z 1 new", "zincr z"},
		{"ZREM z missing", ""},
		{"ZREM z new", "zrem z"},
		{"ZREMRANGEBYRANK z 0 0", "zremrangebyrank z"},
		{"ZREMRANGEBYSCORE z 2.5 3", "zremrangebyscore z"},
		{"ZPOPMIN z", "zpopmin z"},
		{"ZPOPMAX z 0", ""},
		{"ZMPOP 2 missing z MAX", "zpopmax z"},
		{"ZRANGESTORE r z 0 -1", "zrangestore r"},
		{"ZUNIONSTORE u 2 z r", "zunionstore u"},
		{"ZINTERSTORE u 2 z r", "zinterstore u"},
		{"ZDIFFSTORE u 2 z r", "del u"},
		{"ZDIFFSTORE u 1 z", "zdiffstore u"},
		{"ZRANGESTORE u z 10 20", "del u"},
		{"ZRANGESTORE u z 10 20", ""},
		{"ZREMRANGEBYLEX z - +", "zremrangebylex z, del z"},
		{"ZPOPMAX r 10", "zpopmax r, del r"},
	} {
		*events = nil
		if _, err := reply(t, e, words(c.call), nil); err != nil {
			t.Fatalf("%s: %v", c.call, err)
		}
		if got := strings.Join(*events, ", "); got != c.want {
			t.Errorf("%s told %q, want %q", c.call, got, c.want)
		}
	}
}

// TestManyPairsAreAddedAsIfOneByOne holds for members that are named more than once, under every option.
func TestManyPairsAreAddedAsIfOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
		defer func() { _ = e.Close() }()
		ask := func(call engine.Call) string {
			w := &resp.Writer{}
			if err := e.Do(context.Background(), &engine.Batch{Calls: []engine.Call{call}}, w); err != nil {
				t.Fatal(err)
			}
			return string(w.Buf)
		}
		pair := rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("%d %c", rapid.IntRange(-2, 2).Draw(t, "score"), 'a'+rapid.IntRange(0, 3).Draw(t, "member"))
		})
		for range 3 {
			options := rapid.SampledFrom([]string{"", "NX", "XX", "GT", "LT", "XX GT", "LT XX"}).Draw(t, "options")
			pairs := rapid.SliceOfN(pair, 1, 8).Draw(t, "pairs")
			sum := 0
			for _, p := range pairs {
				got := ask(words("ZADD single CH " + options + " " + p))
				n, err := strconv.Atoi(strings.Trim(got, ":\r\n"))
				if err != nil {
					t.Fatalf("ZADD answers %q", got)
				}
				sum += n
			}
			want := fmt.Sprintf(":%d\r\n", sum)
			if got := ask(words("ZADD many CH " + options + " " + strings.Join(pairs, " "))); got != want {
				t.Errorf("%d pairs at once change %q, one by one %q", len(pairs), got, want)
			}
			one, many := ask(words("ZRANGE single 0 -1 WITHSCORES")), ask(words("ZRANGE many 0 -1 WITHSCORES"))
			if one != many {
				t.Errorf("one by one gives %q, at once %q", one, many)
			}
		}
	})
}

func TestLargeSortedSetsCombineExactly(t *testing.T) {
	e, _ := listening(t)
	two, three := words("ZADD two"), words("ZADD three")
	for i := range 30000 {
		two = append(two, []byte("1"), fmt.Appendf(nil, "m%d", 2*i))
		three = append(three, []byte("2"), fmt.Appendf(nil, "m%d", 3*i))
	}
	for _, call := range []engine.Call{two, three} {
		if got, err := reply(t, e, call, nil); err != nil || got != ":30000\r\n" {
			t.Fatalf("ZADD answers %q, %v", got, err)
		}
	}
	converse(t, e, 2, []exchange{
		{"ZINTERCARD 2 two three", ":10000"}, // the multiples of 6 below 60000
		{"ZINTERCARD 2 two three LIMIT 7", ":7"},
		{"ZUNIONSTORE all 2 two three", ":50000"},
		{"ZCOUNT all 3 3", ":10000"},
		{"ZINTERSTORE six 2 two three WEIGHTS 2 3", ":10000"},
		{"ZCOUNT six 8 8", ":10000"},
		{"ZDIFFSTORE rest 2 all six", ":40000"},
		{"ZMSCORE rest m2 m3 m6", "*3 $1 1 $1 2 $-1"},
	})
}

func TestHotCommandsOnKeysAndSortedSetsDoNotAllocatePerCall(t *testing.T) {
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
	defer func() { _ = e.Close() }()
	const calls = 16 // a batch this small finds all that it needs kept by the store
	for i := range 50 {
		if _, err := reply(t, e, words(fmt.Sprintf("ZADD z %d.5 m%d", i, i)), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, lines := range [][]string{
		{"ZADD z 1.5 m1", "ZADD z 2.5 m1"}, {"ZINCRBY z 1 m1"}, {"ZSCORE z m1"}, {"ZMSCORE z m1 m2"}, {"ZRANK z m30"},
		{"ZRANGE z 0 9 WITHSCORES"}, {"ZRANGE z 5 20 BYSCORE LIMIT 1 3"}, {"ZCOUNT z 5 (20"}, {"ZCARD z"},
		{"EXISTS z missing"}, {"TYPE z"}, {"EXPIRE z 1000"}, {"EXPIRE z 1000 GT"}, {"TTL z"}, {"PERSIST z"}, {"TOUCH z"},
		{"SET k v", "DEL k missing"}, {"SET k v", "UNLINK k"},
	} {
		b := &engine.Batch{}
		for i := range calls {
			b.Calls = append(b.Calls, words(lines[i%len(lines)]))
		}
		w := &resp.Writer{Buf: make([]byte, 0, 1<<16)}
		allocs := testing.AllocsPerRun(20, func() {
			w.Truncate(0)
			if err := e.Do(context.Background(), b, w); err != nil {
				t.Fatal(err)
			}
		})
		// As for the collections: a batch may, a call may not.
		if allocs*float64(len(lines)) >= calls {
			t.Errorf("%d of %s allocate %v times", calls, strings.Join(lines, ", "), allocs)
		}
		if strings.Contains(string(w.Buf), "-ERR") {
			t.Errorf("%s is refused: %s", lines, w.Buf)
		}
	}
}
