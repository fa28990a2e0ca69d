package luagen

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/graph"
)

func TestRepliesBecomeWhatTheirShapeSays(t *testing.T) {
	c := server(t)
	ctx := context.Background()
	for _, command := range []string{
		"SET s text", "SET f 2.5", "SET n 12", "SET big 9007199254740992", "RPUSH l a b", "HSET h f v g w", "HSET counts big 9007199254740992", "ZADD z 1 a 2.5 b inf c",
		"SADD set x", "XADD x 1-1 f v g w", "XADD x 2-1 f v", "XGROUP CREATE x group 0", "XREADGROUP GROUP group me COUNT 1 STREAMS x >", "XDEL x 1-1",
	} {
		var words []any
		for _, word := range strings.Fields(command) {
			words = append(words, word)
		}
		if err := c.Do(ctx, words...).Err(); err != nil {
			t.Fatal(command, err)
		}
	}
	wrong := problem(graph.ErrReply)
	for _, test := range []struct {
		shape   graph.Shape
		command string
		want    any
	}{
		{graph.ReplyAny, "GET s", `"text"`}, {graph.ReplyAny, "GET nosuch", `null`}, {graph.ReplyAny, "LLEN l", `2`}, {graph.ReplyAny, "PING", `"PONG"`}, {graph.ReplyAny, "MGET s nosuch", `["text",null]`}, {graph.ReplyAny, "INCRBY big 5", problem(graph.ErrExact)},
		{graph.ReplyAny, "XRANGE x - +", `[["2-1",["f","v"]]]`}, {graph.ReplyAny, "LRANGE nosuch 0 1", `[]`},
		{graph.ReplyInt, "LLEN l", int64(2)}, {graph.ReplyInt, "INCR n", int64(13)}, {graph.ReplyInt, "GET s", wrong}, {graph.ReplyInt, "PING", wrong}, {graph.ReplyInt, "GET nosuch", wrong}, {graph.ReplyInt, "LPOS l b", int64(1)},
		{graph.ReplyCounter, "INCR n", int64(14)}, {graph.ReplyCounter, "DECR n", int64(13)}, {graph.ReplyCounter, "INCRBY big 9", "9007199254741006"}, {graph.ReplyCounter, "incr big", "9007199254741007"}, {graph.ReplyCounter, "DECRBY big 2", "9007199254741005"}, {graph.ReplyCounter, "HINCRBY counts big 3", "9007199254740995"},
		{graph.ReplyCounter, "HINCRBY counts small -3", int64(-3)}, {graph.ReplyCounter, "DECRBY negative 9007199254740993", "-9007199254740993"}, {graph.ReplyCounter, "DECR big", "9007199254741004"},
		{graph.ReplyBool, "EXISTS s", int64(1)}, {graph.ReplyBool, "EXISTS nosuch", int64(0)}, {graph.ReplyBool, "SET s text NX", int64(0)}, {graph.ReplyBool, "SET s text", int64(1)}, {graph.ReplyBool, "GET nosuch", int64(0)}, {graph.ReplyBool, "GET s", int64(1)}, {graph.ReplyBool, "LRANGE nosuch 0 1", int64(1)}, {graph.ReplyBool, "PING", int64(1)}, {graph.ReplyBool, "LPOS l x", int64(0)},
		{graph.ReplyString, "GET s", "text"}, {graph.ReplyString, "PING", "PONG"}, {graph.ReplyString, "GET nosuch", wrong}, {graph.ReplyString, "LLEN l", wrong}, {graph.ReplyString, "LRANGE l 0 1", wrong},
		{graph.ReplyMaybeString, "GET s", "text"}, {graph.ReplyMaybeString, "GET nosuch", nil}, {graph.ReplyMaybeString, "LPOP nosuch", nil}, {graph.ReplyMaybeString, "LPOP nosuch 2", nil}, {graph.ReplyMaybeString, "PING", "PONG"}, {graph.ReplyMaybeString, "LLEN l", wrong}, {graph.ReplyMaybeString, "SET s text GET", "text"},
		{graph.ReplyFloat, "GET f", "2.5"}, {graph.ReplyFloat, "ZSCORE z c", "inf"}, {graph.ReplyFloat, "GET nosuch", wrong}, {graph.ReplyFloat, "GET s", wrong}, {graph.ReplyFloat, "LLEN l", wrong},
		{graph.ReplyMaybeFloat, "ZSCORE z b", "2.5"}, {graph.ReplyMaybeFloat, "ZSCORE z nosuch", nil}, {graph.ReplyMaybeFloat, "GET s", wrong}, {graph.ReplyMaybeFloat, "PING", wrong},
		{graph.ReplyStrings, "LRANGE l 0 -1", []any{"a", "b"}}, {graph.ReplyStrings, "MGET s n", []any{"text", "13"}}, {graph.ReplyStrings, "MGET s nosuch", wrong}, {graph.ReplyStrings, "GET s", wrong}, {graph.ReplyStrings, "GET nosuch", wrong}, {graph.ReplyStrings, "LRANGE nosuch 0 1", []any{}}, {graph.ReplyStrings, "PING", wrong}, {graph.ReplyStrings, "XRANGE x - +", wrong},
		{graph.ReplyMaybeStrings, "LPOP nosuch 2", nil}, {graph.ReplyMaybeStrings, "HMGET h f g", []any{"v", "w"}}, {graph.ReplyMaybeStrings, "LLEN l", wrong},
		{graph.ReplyEachMaybe, "HMGET h f nosuch", []any{"v", nil}}, {graph.ReplyEachMaybe, "XRANGE x - +", wrong}, {graph.ReplyEachMaybe, "GET nosuch", wrong},
		{graph.ReplyBools, "SMISMEMBER set x y", `[true,false]`}, {graph.ReplyBools, "LRANGE l 0 1", wrong},
		{graph.ReplyMap, "HGETALL h", `{"f":"v","g":"w"}`}, {graph.ReplyMap, "HGETALL nosuch", `{}`}, {graph.ReplyMap, "MGET s", wrong}, {graph.ReplyMap, "GET s", wrong},
		{graph.ReplyScored, "ZRANGE z 0 1 WITHSCORES", `[["a",1],["b",2.5]]`}, {graph.ReplyScored, "ZRANGE z 0 0", wrong}, {graph.ReplyScored, "LRANGE l 0 1", wrong}, {graph.ReplyScored, "ZRANGE nosuch 0 1 WITHSCORES", `[]`},
		{graph.ReplyEntries, "XRANGE x - +", `[{"fields":{"f":"v"},"id":"2-1"}]`}, {graph.ReplyEntries, "LRANGE l 0 1", wrong}, {graph.ReplyEntries, "XRANGE nosuch - +", `[]`}, {graph.ReplyEntries, "GET nosuch", wrong},
		{graph.ReplyStream, "XREAD STREAMS x 0", `[{"fields":{"f":"v"},"id":"2-1"}]`}, {graph.ReplyStream, "XREAD STREAMS nosuch 0", `[]`}, {graph.ReplyStream, "XREADGROUP GROUP group me STREAMS x 0", `[{"fields":null,"id":"1-1"}]`}, {graph.ReplyStream, "LRANGE l 0 0", wrong}, {graph.ReplyStream, "LRANGE l 0 1", wrong},
		{graph.ReplyType, "TYPE l", "list"}, {graph.ReplyType, "TYPE nosuch", nil}, {graph.ReplyType, "LLEN l", wrong},
		{graph.ReplyAny, "LPUSH s x", problem("WRONGTYPE Operation against a key holding the wrong kind of value")},
	} {
		words := strings.Fields(test.command)
		var kids []*node
		for _, word := range words[1:] {
			kids = append(kids, str(word))
		}
		p := program(graph.Program{Name: test.command}, ret(cmd(test.shape, words[0], kids...)))
		if got := eval(t, c, p, nil); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s as %d: %#v, want %#v, by\n%s", test.command, test.shape, got, test.want, Source(checked(t, p)))
		}
	}
}

// Whatever is known of the reply to a command must be so.
func TestShapesOfWhatIsDoneAreLookedAt(t *testing.T) {
	c := server(t)
	c.Set(context.Background(), "s", "text", 0)
	for _, test := range []struct {
		call *node
		want any
	}{
		{cmd(graph.ReplyInt, "GET", str("s")), problem(graph.ErrReply)}, {cmd(graph.ReplyStrings, "GET", str("s")), problem(graph.ErrReply)}, {cmd(graph.ReplyMaybeString, "STRLEN", str("s")), problem(graph.ErrReply)},
		{cmd(graph.ReplyBool, "GET", str("s")), int64(1)}, {cmd(graph.ReplyInt, "STRLEN", str("s")), int64(1)}, {cmd(graph.ReplyAny, "STRLEN", str("s")), int64(1)}, {cmd(graph.ReplyMaybeString, "SET", str("s"), str("t")), int64(1)},
		{cmd(graph.ReplyStrings, "LRANGE", str("l"), num(0), num(1)), int64(1)}, {cmd(graph.ReplyAny, "INCRBY", str("n"), num(edge+1)), problem(graph.ErrExact)},
	} {
		p := program(graph.Program{Name: "do"}, run(test.call), ret(num(1)))
		if got := eval(t, c, p, nil); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s as %d: %#v, want %#v", test.call.Text, test.call.Shape, got, test.want)
		}
	}
}

func TestWordsOfCommands(t *testing.T) {
	c := server(t)
	ctx := context.Background()
	bad := func(format, what string) problem {
		if what == "null" {
			return problem(graph.Text(graph.ErrNull, wantWord))
		}
		return problem(graph.Text(format, what, wantWord))
	}
	words := func(n int) (kids []*node) {
		for i := range n {
			kids = append(kids, str(fmt.Sprint("w", i)))
		}
		return kids
	}
	filled := parsed("[" + strings.TrimSuffix(strings.Repeat("1,", graph.MaxWords-2), ",") + "]")
	for _, test := range []struct {
		words []*node
		want  any // the last words of the list, or how many there are
	}{
		{[]*node{str("a\x00"), num(-5), num(edge), num(math.MaxInt64), real(0.1), fn("mul", num(0), num(-1)), real(1e300), real(math.Copysign(0, -1))}, []string{"a\x00", "-5", "9007199254740991", "9223372036854775807", "0.1", "0", "1e+300", "0"}},
		{[]*node{big(), fn("add", fn("len", str("abc")), num(1)), parsed(`"x"`), parsed("2.5"), fn("mul", real(0), num(-1)), fn("float", str("-inf"))}, []string{"9007199254740993", "4", "x", "2.5", "0", "-inf"}},
		{[]*node{parsed("null")}, bad("", "null")}, {[]*node{parsed("true")}, bad(graph.ErrType, "bool")}, {[]*node{parsed("[]")}, bad(graph.ErrType, "list")}, {[]*node{parsed("{}")}, bad(graph.ErrType, "map")},
		{[]*node{spread(parsed(`["a",1,9007199254740993]`))}, []string{"a", "1", "9007199254740993"}}, {[]*node{str("x"), spread(list(str("a"), num(1))), big(), spread(list(real(.5)))}, []string{"x", "a", "1", "9007199254740993", "0.5"}},
		{[]*node{spread(parsed("[null]"))}, bad("", "null")}, {[]*node{spread(parsed("[[]]"))}, bad(graph.ErrType, "list")}, {[]*node{spread(parsed("5"))}, problem(graph.Text(graph.ErrType, "number", "List(Any)"))},
		{words(300), 300}, {words(3000), 3000}, {words(graph.MaxWords - 2), graph.MaxWords - 2}, {words(graph.MaxWords - 1), problem(graph.ErrWords)}, {words(9000), problem(graph.ErrWords)},
		{[]*node{spread(filled)}, graph.MaxWords - 2}, {[]*node{spread(filled), str("x")}, problem(graph.ErrWords)}, {[]*node{str("x"), spread(filled)}, problem(graph.ErrWords)},
	} {
		c.Del(ctx, "l")
		p := program(graph.Program{Name: "words", Keys: []graph.Key{{Name: "l"}}}, ret(cmd(graph.ReplyInt, "RPUSH", append([]*node{key(0)}, test.words...)...)))
		got := eval(t, c, p, []string{"l"})
		switch want := test.want.(type) {
		case int:
			if got != int64(want) {
				t.Errorf("%d words: %v", want, got)
			}
		case []string:
			if list := c.LRange(ctx, "l", 0, -1).Val(); !reflect.DeepEqual(list, want) {
				t.Errorf("%q (%v), want %q, by\n%s", list, got, want, Source(checked(t, p)))
			}
		default:
			if got != want {
				t.Errorf("%#v, want %#v", got, want)
			}
		}
	}
}
