package luagen

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/graph"
)

func TestStatementsDoWhatTheLanguageSays(t *testing.T) {
	c := server(t)
	listOf, mapOf := graph.ListOf, graph.MapOf
	count := func(v int) *node { return set(v, fn("add", ref(v), num(1))) }
	for _, test := range []struct {
		name string
		p    *graph.Program
		want any
	}{
		{"assignment", program(graph.Program{Vars: vars("a")}, let(0, num(1)), set(0, fn("add", ref(0), num(1))), ret(ref(0))), int64(2)},
		{"a variable without a value", program(graph.Program{Vars: []graph.Var{typed("a", strType)}}, let(0), when(truth(true), block(set(0, str("x"))), block(set(0, str("y")))), ret(ref(0))), "x"},
		{"scopes", program(graph.Program{Vars: vars("a", "a", "a")}, let(0, num(1)), when(truth(true), block(let(1, num(2)), set(0, fn("add", ref(0), ref(1))))), when(truth(true), block(let(2, num(5)), set(0, fn("add", ref(0), ref(2))))), ret(ref(0))), int64(8)},
		{"branches", program(graph.Program{}, when(fn("lt", num(2), num(1)), block(ret(str("a"))), block(when(fn("eq", num(1), num(2)), block(ret(str("b"))), block(ret(str("c"))))))), "c"},
		{"an empty branch", program(graph.Program{}, when(truth(true), block(), block()), ret(num(1))), int64(1)},
		{"while", program(graph.Program{Vars: vars("n", "s")}, let(0, num(0)), let(1, num(0)), while(fn("lt", ref(0), num(10)), count(0), set(1, fn("add", ref(1), ref(0)))), ret(ref(1))), int64(55)},
		{"break out of a loop that has no end", program(graph.Program{Vars: vars("n")}, let(0, num(0)), while(truth(true), count(0), when(fn("ge", ref(0), num(5)), block(stop()))), ret(ref(0))), int64(5)},
		{"return out of loops", program(graph.Program{Vars: vars("n")}, let(0, num(0)), while(truth(true), while(truth(true), count(0), when(fn("ge", ref(0), num(5)), block(ret(ref(0))))))), int64(5)},
		{"each", program(graph.Program{Vars: vars("s", "i", "e")}, let(0, str("")), each(1, 2, list(str("a"), str("b")), set(0, fn("concat", ref(0), ref(1), ref(2)))), ret(ref(0))), "0a1b"},
		{"each without an index", program(graph.Program{Vars: vars("s", "e")}, let(0, str("")), each(-1, 1, list(str("a"), null(), str("b")), set(0, fn("concat", ref(0), fn("or", ref(1), str("-"))))), ret(ref(0))), "a-b"},
		{"each without an element", program(graph.Program{Vars: vars("s", "i")}, let(0, num(0)), each(1, -1, list(null(), null(), null()), set(0, fn("add", ref(0), ref(1)))), ret(ref(0))), int64(3)},
		{"each without either", program(graph.Program{Vars: vars("s")}, let(0, num(0)), each(-1, -1, list(null(), null()), count(0)), ret(ref(0))), int64(2)},
		{"a changed element", program(graph.Program{Vars: vars("l", "e")}, let(0, list(list(num(1)))), each(-1, 1, ref(0), stmt(graph.OpAppend, 1, num(2)), run(ref(1))), ret(ref(0))), `[[1]]`},
		{"a changed index", program(graph.Program{Vars: vars("s", "i")}, let(0, num(0)), each(1, -1, list(null(), null()), set(1, fn("mul", ref(1), num(10))), set(0, fn("add", ref(0), ref(1)))), ret(ref(0))), int64(10)},
		{"a list that grows while it is walked", program(graph.Program{Vars: vars("l", "e")}, let(0, list(num(1), num(2))), each(-1, 1, ref(0), stmt(graph.OpAppend, 0, ref(1))), ret(ref(0))), `[1,2,1,2]`},
		{"pairs", program(graph.Program{Vars: vars("s", "k", "e")}, let(0, str("")), pairs(1, 2, dict(str("b"), num(2), str("a"), num(1), str("ä"), null()), set(0, fn("concat", ref(0), ref(1), fn("type", ref(2))))), ret(ref(0))), "anumberbnumberänull"},
		{"pairs without a value", program(graph.Program{Vars: vars("s", "k")}, let(0, str("")), pairs(1, -1, dict(str("b"), num(2), str("B"), num(1)), set(0, fn("concat", ref(0), ref(1)))), ret(ref(0))), "Bb"},
		{"pairs without a key", program(graph.Program{Vars: vars("s", "e")}, let(0, num(0)), pairs(-1, 1, dict(str("b"), num(2), str("B"), num(1)), set(0, fn("add", fn("mul", ref(0), num(10)), ref(1)))), ret(ref(0))), int64(12)},
		{"a map that loses keys while it is walked", program(graph.Program{Vars: vars("m", "k", "s")}, let(0, dict(str("a"), num(1), str("b"), num(2))), let(2, str("")), pairs(1, -1, ref(0), stmt(graph.OpRemove, 0, str("b")), set(2, fn("concat", ref(2), ref(1)))), ret(list(ref(0), ref(2)))), `[{"a":1},"ab"]`},
		{"set at", program(graph.Program{Vars: vars("l")}, let(0, list(num(1))), stmt(graph.OpSetAt, 0, num(0), num(5)), stmt(graph.OpSetAt, 0, num(1), num(6)), ret(ref(0))), `[5,6]`},
		{"set at outside", program(graph.Program{Vars: vars("l")}, let(0, list(num(1))), stmt(graph.OpSetAt, 0, num(2), num(5)), ret(ref(0))), problem(graph.ErrIndex)},
		{"set at before the first", program(graph.Program{Vars: vars("l")}, let(0, list(num(1))), stmt(graph.OpSetAt, 0, num(-1), num(5)), ret(ref(0))), problem(graph.ErrIndex)},
		{"set at a large index", program(graph.Program{Vars: vars("l")}, let(0, list(num(1))), stmt(graph.OpSetAt, 0, big(), num(5)), ret(ref(0))), problem(graph.ErrIndex)},
		{"append", program(graph.Program{Vars: []graph.Var{typed("l", listOf(strType.Optional()))}}, let(0, list()), stmt(graph.OpAppend, 0, null()), stmt(graph.OpAppend, 0, str("x")), ret(ref(0))), []any{nil, "x"}},
		{"append what may be null", program(graph.Program{Vars: []graph.Var{typed("l", listOf(anyType))}}, let(0, list()), stmt(graph.OpAppend, 0, parsed("null")), stmt(graph.OpAppend, 0, parsed("1")), ret(ref(0))), `[null,1]`},
		{"set and remove keys", program(graph.Program{Vars: []graph.Var{typed("m", mapOf(anyType))}}, let(0, dict()), stmt(graph.OpSetKey, 0, str("a"), num(1)), stmt(graph.OpSetKey, 0, str("b"), null()), stmt(graph.OpSetKey, 0, str("c"), parsed("null")), stmt(graph.OpRemove, 0, str("a")), stmt(graph.OpRemove, 0, str("x")), ret(ref(0))), `{"b":null,"c":null}`},
		{"values are copied", program(graph.Program{Vars: vars("a", "b", "c")}, let(0, list(num(1))), let(1, ref(0)), let(2, list(ref(0))), stmt(graph.OpAppend, 0, num(2)), stmt(graph.OpAppend, 1, num(3)), ret(list(ref(0), ref(1), ref(2)))), `[[1,2],[1,3],[[1]]]`},
		{"maps are copied", program(graph.Program{Vars: vars("a", "b")}, let(0, dict(str("x"), num(1))), let(1, ref(0)), stmt(graph.OpSetKey, 0, str("x"), num(2)), ret(list(ref(0), ref(1), fn("eq", ref(1), dict(str("x"), num(1)))))), `[{"x":2},{"x":1},true]`},
		{"large integers are copied with what they are in", program(graph.Program{Vars: vars("a", "b")}, let(0, list(parsed("9007199254740993"))), let(1, ref(0)), stmt(graph.OpAppend, 1, ref(0)), ret(ref(1))), `[9007199254740993,[9007199254740993]]`},
		{"0 is 0 beside a product", program(graph.Program{}, run(fn("mul", num(0), num(-4))), ret(list(cmd(graph.ReplyString, "ECHO", num(0)), fn("concat", num(0), str(""))))), []any{"0", "0"}},
		{"0 is 0 beside a product of floats", program(graph.Program{}, run(fn("mul", real(0), fn("sub", num(1), num(5)))), ret(list(cmd(graph.ReplyString, "ECHO", num(0)), fn("concat", num(0), str(""))))), []any{"0", "0"}},
		{"0 is 0 beside a product of a quotient", program(graph.Program{}, run(fn("mul", fn("div", num(0), num(4)), num(-4))), ret(list(cmd(graph.ReplyString, "ECHO", num(0)), fn("concat", num(0), str(""))))), []any{"0", "0"}},
		{"do", program(graph.Program{}, run(num(1)), run(fn("add", num(1), num(2))), run(fn("and", truth(true), null())), run(cmd(graph.ReplyAny, "SET", key(0), str("x"))), ret(cmd(graph.ReplyMaybeString, "GET", key(0)))), "x"},
		{"what is done may fail", program(graph.Program{}, run(asInt("x")), ret(null())), problem(graph.ErrInteger)},
		{"log", program(graph.Program{}, logged(0, str("a")), logged(1, num(1), parsed("1")), logged(2, big(), real(.5)), logged(3, truth(true)), ret(num(1))), int64(1)},
		{"log of null", program(graph.Program{}, logged(3, parsed("null")), ret(num(1))), problem(graph.Text(graph.ErrNull, wantText))},
		{"what is there", program(graph.Program{Vars: vars("s")}, let(0, cmd(graph.ReplyMaybeString, "GET", key(0))), when(ref(0), block(ret(fn("concat", ref(0), str("!"))))), ret(str("none"))), "x!"},
		{"null where a value is wanted", program(graph.Program{Vars: vars("s")}, let(0, cmd(graph.ReplyMaybeString, "GET", str("nosuch"))), ret(fn("len", fn("slice", ref(0), num(0))))), problem(graph.Text(graph.ErrNull, "String"))},
		{"elements of another type", program(graph.Program{Vars: []graph.Var{typed("l", listOf(intType))}}, let(0, parsed(`[1,"x"]`)), ret(ref(0))), problem(graph.Text(graph.ErrType, "string", "Int"))},
		{"elements that are null", program(graph.Program{Vars: []graph.Var{typed("l", mapOf(listOf(strType)))}}, let(0, parsed(`{"a":["x"],"b":[null]}`)), ret(ref(0))), problem(graph.Text(graph.ErrNull, "String"))},
		{"elements that may be null", program(graph.Program{Vars: []graph.Var{typed("l", listOf(listOf(strType).Optional()).Optional())}}, let(0, parsed(`[null,["x"]]`)), ret(ref(0))), `[null,["x"]]`},
		{"an Int as Float", program(graph.Program{Vars: []graph.Var{typed("f", realType)}}, let(0, num(3)), set(0, asInt("4")), ret(ref(0))), "4"},
		{"a large Int as Float", program(graph.Program{Vars: []graph.Var{typed("f", realType)}}, let(0, big()), ret(ref(0))), problem(graph.ErrExact)},
		{"a fraction as Int", program(graph.Program{Vars: []graph.Var{typed("i", intType)}}, let(0, parsed("1.5")), ret(ref(0))), problem(graph.Text(graph.ErrType, "number", "Int"))},
		{"an infinity as Int", program(graph.Program{Vars: []graph.Var{typed("i", intType)}}, let(0, parsed("1e999")), ret(ref(0))), problem(graph.Text(graph.ErrType, "number", "Int"))},
		{"a large Int of no type", program(graph.Program{Vars: []graph.Var{typed("i", intType)}}, let(0, parsed("9007199254740993")), ret(ref(0))), "9007199254740993"},
		{"now", program(graph.Program{}, ret(fn("gt", fn("now"), num(1_700_000_000_000)))), int64(1)},
		{"a counter that gets large", program(graph.Program{Vars: vars("n")}, let(0, num(edge-1)), while(truth(true), count(0), when(fn("lt", ref(0), num(0)), block(stop()))), ret(ref(0))), problem(graph.ErrExact)},
		{"a counter that begins large", program(graph.Program{Vars: vars("n", "a", "b", "c")}, let(0, num(1<<50-1)), set(0, fn("add", ref(0), num(1000))), let(1, fn("add", ref(0), ref(0))), let(2, fn("add", ref(1), ref(1))), let(3, fn("add", ref(2), ref(2))), ret(ref(3))), problem(graph.ErrExact)},
		{"a variable that doubles", program(graph.Program{Vars: vars("n")}, let(0, num(1)), while(truth(true), set(0, fn("mul", ref(0), num(2))), when(fn("lt", ref(0), num(0)), block(stop()))), ret(ref(0))), problem(graph.ErrExact)},
		{"variables that grow by one another", program(graph.Program{Vars: vars("n", "m")}, let(0, num(1)), let(1, num(1)), while(truth(true), set(0, fn("add", ref(0), ref(1))), set(1, fn("add", ref(0), ref(1))), when(fn("lt", ref(0), num(0)), block(stop()))), ret(ref(0))), problem(graph.ErrExact)},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.p.Name = test.name
			test.p.Keys = []graph.Key{{Name: "key"}}
			if got := eval(t, c, test.p, []string{"key"}); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%#v, want %#v, by\n%s", got, test.want, Source(checked(t, test.p)))
			}
		})
	}
}

func TestArgumentsAndResultsTravel(t *testing.T) {
	c := server(t)
	opt := graph.Type.Optional
	number := func(want string) problem { return problem(want) }
	for _, test := range []struct {
		t    graph.Type
		arg  any
		want any
	}{
		{strType, "a\x00\xff", "a\x00\xff"}, {strType, "", ""},
		{intType, "5", int64(5)}, {intType, "-9007199254740991", int64(-edge)}, {intType, "9223372036854775807", "9223372036854775807"}, {intType, "x", number(graph.ErrInteger)}, {intType, "", number(graph.ErrInteger)},
		{realType, "2.5", "2.5"}, {realType, "3", "3"}, {realType, "-inf", "-inf"}, {realType, "x", number(graph.ErrNumber)},
		{graph.Of(graph.Number), "7", "7"}, {graph.Of(graph.Number), "7.5", "7.5"}, {graph.Of(graph.Number), "9007199254740993", "9007199254740993"}, {graph.Of(graph.Number), "-", number(graph.ErrNumber)},
		{graph.Of(graph.Bool), "1", int64(1)}, {graph.Of(graph.Bool), "0", int64(0)},
		{opt(strType), `"a"`, "a"}, {opt(strType), "null", nil}, {opt(intType), "5", int64(5)}, {opt(intType), "9007199254740993", "9007199254740993"}, {opt(intType), "null", nil},
		{opt(realType), "0.5", "0.5"}, {opt(realType), "null", nil}, {opt(graph.Of(graph.Bool)), "false", int64(0)}, {opt(graph.Of(graph.Bool)), "true", int64(1)}, {opt(graph.Of(graph.Bool)), "null", nil}, {opt(strType), "5", number(graph.Text(graph.ErrType, "number", "String"))},
		{opt(graph.Of(graph.Number)), "null", nil}, {opt(graph.Of(graph.Number)), "1.5", "1.5"},
		{graph.ListOf(strType), "a", []any{"a"}}, {graph.ListOf(strType), "", []any{""}}, {graph.ListOf(opt(strType)), `[null,"a",null]`, []any{nil, "a", nil}}, {opt(graph.ListOf(strType)), `null`, nil}, {opt(graph.ListOf(strType)), `["x"]`, []any{"x"}},
		{graph.ListOf(opt(strType)), `[1]`, number(graph.Text(graph.ErrType, "number", "String"))}, {graph.ListOf(intType), `[1,9007199254740993]`, `[1,9007199254740993]`}, {graph.MapOf(strType), `{}`, `{}`}, {graph.MapOf(anyType), `{"b":[],"a":{}}`, `{"a":{},"b":[]}`},
		{opt(graph.MapOf(intType)), "null", "null"}, {anyType, "null", "null"}, {anyType, `"x"`, `"x"`}, {anyType, "x", number(graph.Text(graph.ErrJSON, 0))},
	} {
		p := program(graph.Program{Name: "echo", Args: []graph.Arg{{Name: "arg", Type: test.t}}}, ret(arg(0)))
		if got := eval(t, c, p, nil, test.arg); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s %v: %#v, want %#v, by\n%s", test.t, test.arg, got, test.want, Source(checked(t, p)))
		}
	}
}

func TestAListOfStringsAtTheEndIsTheWordsThatAreLeft(t *testing.T) {
	c := server(t)
	p := program(graph.Program{Name: "echo", Args: []graph.Arg{{Name: "n", Type: intType}, {Name: "list", Type: graph.ListOf(strType)}}}, ret(arg(1)))
	long := []any{1}
	for range 20_000 { // more than Lua unpacks
		long = append(long, "x")
	}
	for _, args := range [][]any{{1}, {1, ""}, {1, "a", "b\x00"}, long} {
		if got := eval(t, c, p, nil, args...); !reflect.DeepEqual(got, any(append([]any{}, args[1:]...))) {
			t.Errorf("%d words: %#v, by\n%s", len(args), got, Source(checked(t, p)))
		}
	}
}

func TestKeysAreWhatTheRunNames(t *testing.T) {
	c := server(t)
	p := program(graph.Program{Name: "keys", Keys: []graph.Key{{Name: "one"}, {Name: "rest", Many: true}}, Args: []graph.Arg{{Name: "i", Type: intType}}},
		ret(list(key(0), fn("text", keyCount(1)), keyAt(1, arg(0)))))
	for _, test := range []struct {
		i    string
		want any
	}{
		{"0", []any{"a", "2", "b"}}, {"1", []any{"a", "2", "c"}}, {"2", problem(graph.ErrKeyIndex)}, {"-1", problem(graph.ErrKeyIndex)}, {"9007199254740993", problem(graph.ErrKeyIndex)},
	} {
		if got := eval(t, c, p, []string{"a", "b", "c"}, test.i); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %#v, want %#v", test.i, got, test.want)
		}
	}
	only := program(graph.Program{Name: "only", Keys: []graph.Key{{Name: "all", Many: true}}, Vars: vars("i", "s")}, let(1, str("")), let(0, num(0)),
		while(fn("lt", ref(0), keyCount(0)), set(1, fn("concat", ref(1), keyAt(0, ref(0)))), set(0, fn("add", ref(0), num(1)))), ret(ref(1)))
	if got := eval(t, c, only, []string{"x", "y", "z"}); got != "xyz" {
		t.Errorf("all keys: %#v", got)
	}
}

func TestTraceTellsWhatARunDid(t *testing.T) {
	c := server(t)
	traced := graph.Program{Name: "traced", Traced: true, Vars: vars("n", "f"), Keys: []graph.Key{{Name: "k"}}}
	for _, test := range []struct {
		name string
		body []*node
		want []any
	}{
		{"a result", []*node{let(0, num(1)), let(1, list(str("a"), big())), when(fn("lt", ref(0), num(2)), block(ret(ref(0)))), ret(num(2))}, []any{`[[0,1],[1,["a",9007199254740993]],[3,true],[2,1]]`, int64(1), int64(1)}},
		{"no JSON", []*node{let(0, fn("float", str("inf"))), let(1, null()), ret(ref(1))}, []any{`[[0,"script: nan: JSON has no infinities"],[1,null],[2,null]]`, int64(1), "null"}},
		{"null", []*node{let(0, cmd(graph.ReplyMaybeString, "GET", key(0))), ret(ref(0))}, []any{`[[0,null],[1,null]]`, int64(1), nil}},
		{"an error of ours", []*node{let(0, num(1)), let(1, asInt("x")), ret(ref(1))}, []any{`[[0,1]]`, int64(0), graph.ErrInteger}},
		{"an error of Redis", []*node{run(cmd(graph.ReplyInt, "LPUSH", key(0), str("a"))), run(cmd(graph.ReplyMaybeString, "GET", key(0))), ret(num(1))}, []any{`[[0,1]]`, int64(0), "WRONGTYPE Operation against a key holding the wrong kind of value"}},
	} {
		p := traced
		if got := eval(t, c, program(p, test.body...), []string{"k"}); !reflect.DeepEqual(got, any(test.want)) {
			t.Errorf("%s: %#v, want %#v, by\n%s", test.name, got, test.want, Source(checked(t, program(p, test.body...))))
		}
		c.Del(context.Background(), "k")
	}
	long := program(traced, let(0, num(0)), while(fn("lt", ref(0), num(20000)), set(0, fn("add", ref(0), num(1)))), ret(ref(0)))
	got, ok := eval(t, c, long, []string{"k"}).([]any)
	if !ok || got[2] != int64(20000) || strings.Count(got[0].(string), "],[") != maxTrace-1 {
		t.Errorf("a long trace: %v", ok)
	}
}
