package luagen

import (
	"context"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/graph"
	"github.com/redbud-go/redbud/internal/testenv"
)

// server is a Redis and a client of it.
func server(t testing.TB, args ...string) *redis.Client {
	t.Helper()
	s := testenv.Redis(t, args...)
	c := redis.NewClient(&redis.Options{Addr: s.Addr, Protocol: 2, MaxRetries: -1})
	t.Cleanup(func() { c.Close() })
	return c
}

// problem is an error that a run is to end with.
type problem string

// eval runs a program on a Redis. Its reply is as go-redis has it, or a problem, without what Redis adds to it.
func eval(t testing.TB, c *redis.Client, p *graph.Program, keys []string, args ...any) any {
	t.Helper()
	return evalSource(c, Source(checked(t, p)), keys, args...)
}

func evalSource(c *redis.Client, source string, keys []string, args ...any) any {
	reply, err := c.Eval(context.Background(), source, keys, args...).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return nil
	case err != nil:
		text := err.Error()
		if at := strings.LastIndex(text, " script: "); at >= 0 {
			text = text[:at]
		}
		return problem(strings.TrimPrefix(text, "ERR "))
	}
	return reply
}

var (
	anyType  = graph.Type{}
	strType  = graph.Of(graph.String)
	intType  = graph.Of(graph.Int)
	realType = graph.Of(graph.Float)
)

// parsed is a value of no static type.
func parsed(text string) *node { return fn("from_json", str(text)) }

// asInt is an integer of which nothing is known.
func asInt(text string) *node { return fn("int", str(text)) }

const edge = graph.MaxExact // 2^53-1

// big is an integer beyond it.
func big() *node { return asInt("9007199254740993") }

func TestValuesAreWhatTheLanguageSays(t *testing.T) {
	c := server(t)
	inf := real(math.Inf(1))
	exact, nan, zero := problem(graph.ErrExact), problem(graph.ErrNaN), problem(graph.ErrZero)
	null_ := func(want string) problem { return problem(graph.Text(graph.ErrNull, want)) }
	type_ := func(kind, want string) problem { return problem(graph.Text(graph.ErrType, kind, want)) }
	compared := func(a, b string) problem { return problem(graph.Text(graph.ErrCompared, a, b)) }
	badJSON := func(at int) problem { return problem(graph.Text(graph.ErrJSON, at)) }
	yes, no := int64(1), int64(0)
	covered := map[string]bool{}
	var cover func(*node)
	cover = func(n *node) {
		if n.Op == graph.OpFunc {
			covered[n.Text] = true
		}
		for _, kid := range n.Kids {
			cover(kid)
		}
	}
	for i, test := range []struct {
		x    *node
		want any
	}{
		// Literals.
		{null(), "null"}, {truth(true), yes}, {truth(false), no}, {num(0), int64(0)}, {num(-7), int64(-7)}, {num(edge), int64(edge)}, {num(-edge), int64(-edge)},
		{num(edge + 1), "9007199254740992"}, {num(math.MaxInt64), "9223372036854775807"}, {num(math.MinInt64), "-9223372036854775808"},
		{real(2), "2"}, {real(0.1), "0.1"}, {real(-2.5e-9), "-2.5e-09"}, {real(1e300), "1e+300"}, {real(1 << 53), "9007199254740992"}, {real(math.Copysign(0, -1)), "0"},
		{inf, "inf"}, {real(math.Inf(-1)), "-inf"}, {real(math.SmallestNonzeroFloat64), "4.94065645841247e-324"}, {real(math.MaxFloat64), "1.7976931348623157e+308"},
		{real(1.0 / 3), "0.3333333333333333"}, {real(123456789.125), "123456789.125"},
		{str(""), ""}, {str("a\x00\"\\\r\n\xff]]ü"), "a\x00\"\\\r\n\xff]]ü"},
		{list(), "[]"}, {dict(), "{}"}, {list(num(1), null(), str("x")), `[1,null,"x"]`}, {list(null()), "[null]"},
		{list(str("a"), str("")), []any{"a", ""}}, {list(str("a"), null(), str("b"), null()), []any{"a", nil, "b", nil}}, {typedList(strType), []any{}},
		{list(list(), dict(), list(truth(false))), `[[],{},[false]]`},
		{dict(str("b"), num(1), str("a"), null(), str("b"), num(2)), `{"a":null,"b":2}`}, {typedDict(intType, fn("concat", str("k"), num(1)), num(5)), `{"k1":5}`},
		// Truth.
		{fn("not", null()), yes}, {fn("not", truth(false)), yes}, {fn("not", num(0)), no}, {fn("not", str("")), no}, {fn("not", list()), no},
		{fn("not", parsed("null")), yes}, {fn("and", truth(true), num(1)), `1`}, {fn("and", truth(false), num(1)), `false`}, {fn("and", parsed("null"), str("x")), `null`},
		{fn("or", parsed("null"), str("x")), `"x"`}, {fn("or", parsed("0"), str("x")), `0`}, {fn("or", null(), str("x")), "x"},
		{fn("or", truth(true), cmd(graph.ReplyInt, "NOSUCH")), `true`}, {fn("and", num(1), fn("and", num(2), num(3))), int64(3)},
		{fn("and", fn("or", truth(false), truth(true)), fn("not", fn("and", truth(true), truth(false)))), yes},
		// Equality.
		{fn("eq", num(1), real(1)), yes}, {fn("eq", num(1), str("1")), no}, {fn("eq", null(), truth(false)), no}, {fn("eq", parsed("null"), null()), yes},
		{fn("eq", big(), big()), yes}, {fn("eq", big(), asInt("9007199254740994")), no}, {fn("ne", big(), num(1)), yes}, {fn("eq", big(), parsed("9007199254740993")), yes},
		{fn("eq", asInt("9007199254740992"), real(1<<53)), yes}, {fn("eq", asInt("9007199254740993"), real(1<<53)), no}, {fn("ne", asInt("-9007199254740992"), real(-1<<53)), no},
		{fn("eq", list(num(1), list(num(2))), parsed("[1,[2]]")), yes}, {fn("eq", list(num(1)), parsed("[1,2]")), no}, {fn("eq", parsed("[1,2]"), list(num(1))), no},
		{fn("eq", list(), dict()), no}, {fn("eq", dict(), parsed("{}")), yes}, {fn("eq", parsed(`{"a":1,"b":null}`), parsed(`{"b":null,"a":1}`)), yes},
		{fn("eq", parsed(`{"a":1}`), parsed(`{"a":1,"b":null}`)), no}, {fn("eq", parsed(`{"a":1,"b":null}`), parsed(`{"a":1,"c":null}`)), no},
		{fn("ne", list(num(1)), list(num(2))), yes}, {fn("eq", parsed("9007199254740993"), list()), no}, {fn("eq", truth(true), truth(true)), yes}, {fn("ne", str("a"), str("b")), yes},
		{fn("eq", fn("eq", num(1), num(1)), fn("eq", num(2), num(2))), yes}, {fn("eq", inf, parsed("9007199254740993")), no}, {fn("eq", parsed("true"), parsed("1")), no},
		// Order.
		{fn("lt", num(1), num(2)), yes}, {fn("le", num(2), num(2)), yes}, {fn("gt", num(1), real(0.5)), yes}, {fn("ge", num(1), num(2)), no},
		{fn("lt", asInt("1"), asInt("2")), yes}, {fn("lt", asInt("2"), asInt("1")), no}, {fn("le", asInt("2"), asInt("2")), yes},
		{fn("lt", big(), asInt("9007199254740994")), yes}, {fn("lt", big(), big()), no}, {fn("gt", big(), num(5)), yes}, {fn("lt", asInt("-9007199254740993"), num(-5)), yes},
		{fn("gt", asInt("-9007199254740993"), asInt("-9007199254740994")), yes}, {fn("lt", asInt("9007199254740994"), asInt("10000000000000000")), yes},
		{fn("lt", big(), real(1<<53)), no}, {fn("gt", big(), real(1<<53)), yes}, {fn("lt", big(), inf), yes}, {fn("gt", big(), real(math.Inf(-1))), yes}, {fn("lt", big(), real(1e300)), yes},
		{fn("lt", asInt("-9007199254740993"), real(-1e300)), no}, {fn("lt", big(), real(-0.5)), no}, {fn("gt", real(0.5), asInt("-9007199254740993")), yes}, {fn("lt", real(math.Inf(-1)), asInt("-9223372036854775808")), yes},
		{fn("le", asInt("9223372036854775807"), real(1<<63)), yes}, {fn("ge", asInt("-9223372036854775808"), real(-1<<63)), yes},
		{fn("lt", str("a"), str("b")), yes}, {fn("lt", str("B"), str("a")), yes}, {fn("lt", str("Z"), str("ä")), yes}, {fn("gt", str("ab"), str("a")), yes}, {fn("lt", str("a"), str("a\x00")), yes},
		{fn("lt", str("\x7f"), str("\x80")), yes}, {fn("le", str("a"), str("a")), yes}, {fn("lt", str(""), str("a")), yes}, {fn("ge", str(""), str("")), yes},
		{fn("lt", parsed("1"), parsed("2.5")), yes}, {fn("lt", parsed(`"a"`), parsed(`"b"`)), yes}, {fn("lt", parsed("1"), parsed(`"b"`)), compared("number", "string")},
		{fn("lt", parsed("null"), parsed("1")), compared("null", "number")}, {fn("lt", parsed("[]"), parsed("{}")), compared("list", "map")}, {fn("lt", parsed("true"), parsed("false")), compared("bool", "bool")},
		{fn("lt", parsed("2.5"), num(3)), yes}, {fn("lt", parsed("null"), num(3)), null_("Number")}, {fn("lt", parsed("[]"), str("")), type_("list", "String")},
		// Arithmetic.
		{fn("sub", num(1), fn("sub", num(2), num(3))), int64(2)}, {fn("mul", fn("add", num(1), num(2)), num(3)), int64(9)}, {fn("sub", num(1), num(-2)), int64(3)},
		{fn("add", num(edge), num(1)), exact}, {fn("add", num(edge), num(0)), int64(edge)}, {fn("sub", num(-edge), num(1)), exact}, {fn("mul", num(1<<27), num(1<<26)), exact},
		{fn("mul", num(94906265), num(94906265)), int64(94906265 * 94906265)}, {fn("mul", num(94906266), num(94906266)), exact},
		{fn("add", big(), num(1)), exact}, {fn("sub", num(1), big()), exact}, {fn("mul", big(), num(0)), exact}, {fn("neg", big()), exact}, {fn("abs", big()), exact}, {fn("add", big(), real(0.5)), exact},
		{fn("add", real(0.5), num(1)), "1.5"}, {fn("add", real(1e300), num(1)), "1e+300"}, {fn("sub", inf, inf), nan}, {fn("mul", inf, num(0)), nan}, {fn("add", inf, num(1)), "inf"},
		{fn("text", fn("mul", num(0), num(-1))), "0"}, {fn("text", fn("neg", num(0))), "0"}, {fn("neg", num(5)), int64(-5)}, {fn("neg", fn("neg", num(5))), int64(5)}, {fn("neg", fn("add", num(1), num(2))), int64(-3)},
		{fn("text", fn("mul", real(0), num(-1))), "0"}, {fn("neg", real(2.5)), "-2.5"}, {fn("abs", num(-5)), int64(5)}, {fn("abs", real(-2.5)), "2.5"},
		{fn("div", num(7), num(2)), "3.5"}, {fn("div", num(1), num(0)), zero}, {fn("div", num(4), num(2)), "2"}, {fn("div", big(), num(2)), exact}, {fn("div", inf, inf), nan}, {fn("div", real(0), num(-3)), "0"},
		{fn("intdiv", num(7), num(2)), int64(3)}, {fn("intdiv", num(-7), num(2)), int64(-4)}, {fn("intdiv", num(7), num(-2)), int64(-4)}, {fn("intdiv", num(1), num(0)), zero}, {fn("intdiv", num(edge), num(2)), int64(edge / 2)},
		{fn("intdiv", num(edge), num(-1)), int64(-edge)}, {fn("intdiv", big(), num(2)), exact}, {fn("text", fn("intdiv", num(0), num(-3))), "0"}, {fn("intdiv", num(-edge), num(3)), int64(-edge/3 - 1)},
		{fn("mod", num(7), num(3)), int64(1)}, {fn("mod", num(-7), num(3)), int64(2)}, {fn("mod", num(7), num(-3)), int64(-2)}, {fn("mod", num(-6), num(3)), int64(0)}, {fn("mod", num(7), num(0)), zero}, {fn("mod", big(), num(2)), exact},
		{fn("mod", num(-edge), num(3)), int64(2)}, {fn("mod", num(edge), num(-edge+1)), int64(-edge + 2)}, {fn("text", fn("mod", num(-6), num(3))), "0"},
		{fn("min", num(1), num(2)), int64(1)}, {fn("max", num(1), real(2.5)), "2.5"}, {fn("min", num(1), big()), exact}, {fn("max", big(), real(1)), exact},
		{fn("floor", real(-2.5)), int64(-3)}, {fn("ceil", real(-2.5)), int64(-2)}, {fn("floor", real(1e300)), exact}, {fn("ceil", inf), exact}, {fn("floor", num(3)), int64(3)}, {fn("ceil", big()), exact}, {fn("text", fn("ceil", real(-0.5))), "0"},
		// Numbers of no static type are what they turn out to be.
		{fn("add", fn("at", list(num(1), real(0.5)), num(0)), fn("at", list(num(1), real(0.5)), num(1))), "1.5"},
		{fn("add", fn("at", list(num(edge), real(0.5)), num(0)), fn("at", list(num(1), real(0.5)), num(0))), exact},
		{fn("sub", fn("at", list(real(1e300), num(1)), num(0)), num(1)), "1e+300"}, {fn("mul", fn("at", list(inf, num(1)), num(0)), num(0)), nan}, {fn("neg", fn("at", list(real(.5), num(1)), num(0))), "-0.5"},
		// Conversions.
		{fn("text", str("x")), "x"}, {fn("text", num(5)), "5"}, {fn("text", real(0.1)), "0.1"}, {fn("text", truth(true)), "true"}, {fn("text", big()), "9007199254740993"}, {fn("text", parsed("null")), null_(wantText)},
		{fn("text", parsed("[]")), type_("list", wantText)}, {fn("text", parsed("{}")), type_("map", wantText)}, {fn("text", real(1e15)), "1000000000000000"}, {fn("text", real(1e16)), "1e+16"},
		{asInt("12"), int64(12)}, {asInt("-0"), int64(0)}, {asInt("007"), int64(7)}, {asInt("+5"), problem(graph.ErrInteger)}, {asInt(""), problem(graph.ErrInteger)}, {asInt(" 5"), problem(graph.ErrInteger)}, {asInt("0x10"), problem(graph.ErrInteger)},
		{asInt("5.0"), problem(graph.ErrInteger)}, {asInt("1e3"), problem(graph.ErrInteger)}, {asInt("5\x00"), problem(graph.ErrInteger)}, {asInt("9223372036854775808"), problem(graph.ErrInteger)}, {asInt("-9223372036854775808"), "-9223372036854775808"},
		{asInt("-9223372036854775809"), problem(graph.ErrInteger)}, {asInt("00000000000000000000000000001"), int64(1)}, {asInt("00000009223372036854775807"), "9223372036854775807"}, {asInt("10000000000000000000"), problem(graph.ErrInteger)},
		{asInt("9007199254740991"), int64(edge)}, {asInt("9007199254740992"), "9007199254740992"}, {asInt("-"), problem(graph.ErrInteger)},
		{fn("int", parsed("5")), int64(5)}, {fn("int", parsed("5.5")), problem(graph.ErrInteger)}, {fn("int", parsed("1e300")), problem(graph.ErrInteger)}, {fn("int", parsed("null")), null_(wantNumeral)}, {fn("int", parsed("true")), type_("bool", wantNumeral)},
		{fn("int", parsed("9007199254740993")), "9007199254740993"}, {fn("int", parsed(`"8"`)), int64(8)}, {fn("int", num(3)), int64(3)}, {fn("int", parsed("[]")), type_("list", wantNumeral)},
		{fn("float", str("2.50")), "2.5"}, {fn("float", str("-1e3")), "-1000"}, {fn("float", str("inf")), "inf"}, {fn("float", str("+inf")), "inf"}, {fn("float", str("-inf")), "-inf"}, {fn("float", str("+5")), "5"}, {fn("float", str(".5")), "0.5"}, {fn("float", str("5.")), "5"},
		{fn("float", str("nan")), problem(graph.ErrNumber)}, {fn("float", str("0x10")), problem(graph.ErrNumber)}, {fn("float", str("infinity")), problem(graph.ErrNumber)}, {fn("float", str("")), problem(graph.ErrNumber)}, {fn("float", str(" 1")), problem(graph.ErrNumber)},
		{fn("float", str("1\x00")), problem(graph.ErrNumber)}, {fn("float", str("1e")), problem(graph.ErrNumber)}, {fn("float", str(".")), problem(graph.ErrNumber)}, {fn("float", str("--1")), problem(graph.ErrNumber)}, {fn("float", str("1e999")), "inf"},
		{fn("float", num(3)), "3"}, {fn("float", big()), exact}, {fn("float", parsed("2.5")), "2.5"}, {fn("float", parsed("null")), null_(wantNumeral)}, {fn("float", parsed("{}")), type_("map", wantNumeral)},
		{fn("parse_int", str("5")), int64(5)}, {fn("parse_int", str("x")), nil}, {fn("parse_int", str("9007199254740993")), "9007199254740993"}, {fn("parse_float", str("5.5")), "5.5"}, {fn("parse_float", str("x")), nil},
		{fn("type", null()), "null"}, {fn("type", truth(true)), "bool"}, {fn("type", num(1)), "number"}, {fn("type", big()), "number"}, {fn("type", str("")), "string"}, {fn("type", list()), "list"}, {fn("type", dict()), "map"},
		// Lists and maps.
		{fn("len", str("aü")), int64(3)}, {fn("len", list(null(), null())), int64(2)}, {fn("len", dict(str("a"), null())), int64(1)}, {fn("len", parsed("[1]")), int64(1)}, {fn("len", parsed("{}")), int64(0)}, {fn("len", parsed(`"ab"`)), int64(2)},
		{fn("len", parsed("null")), null_(wantLength)}, {fn("len", parsed("1")), type_("number", wantLength)}, {fn("len", fn("concat", str("a"), str("b"))), int64(2)},
		{fn("at", list(str("a"), str("b")), num(1)), "b"}, {fn("at", list(str("a")), num(1)), nil}, {fn("at", list(str("a")), num(-1)), nil}, {fn("at", list(str("a")), big()), nil}, {fn("at", list(null()), num(0)), "null"},
		{fn("at", list(str("a")), fn("len", str(""))), "a"}, {fn("at", list(str("a")), asInt("0")), "a"}, {fn("at", list(), num(0)), "null"}, {fn("at", parsed("[[7]]"), num(0)), `[7]`}, {fn("at", parsed("5"), num(0)), type_("number", "List(Any)")},
		{fn("at", list(str("a")), fn("sub", fn("len", str("")), num(1))), nil},
		{fn("get", dict(str("a"), num(1)), str("a")), int64(1)}, {fn("get", dict(str("a"), num(1)), str("b")), nil}, {fn("get", dict(str("a"), null()), str("a")), "null"}, {fn("get", parsed(`{"a":[]}`), str("a")), `[]`},
		{fn("has", dict(str("a"), null()), str("a")), yes}, {fn("has", dict(str("a"), null()), str("b")), no}, {fn("get", parsed("null"), str("a")), null_("Map(Any)")},
		{fn("keys", dict(str("b"), num(1), str("a\x00"), num(2), str("a"), num(3), str("Z"), num(1))), []any{"Z", "a", "a\x00", "b"}}, {fn("sorted", list(str("b"), str("ä"), str("B"), str(""))), []any{"", "B", "b", "ä"}},
		{fn("sublist", list(num(1), num(2), num(3)), num(1)), `[2,3]`}, {fn("sublist", list(num(1), num(2), num(3)), num(-5), num(2)), `[1,2]`}, {fn("sublist", list(num(1)), num(2), num(1)), `[]`}, {fn("sublist", list(num(1), null()), num(0), big()), `[1,null]`},
		{fn("sublist", list(num(1)), asInt("-9007199254740993"), num(9)), `[1]`}, {fn("sublist", list(num(1)), big()), `[]`},
		{fn("zip", list(str("a"), str("b")), list(num(1), null())), `{"a":1,"b":null}`}, {fn("zip", list(str("a")), list()), problem(graph.ErrZip)}, {fn("zip", list(str("a"), str("a")), list(num(1), num(2))), `{"a":2}`},
		// Strings.
		{fn("concat", str("a"), num(1), real(0.5), truth(true), big()), "a10.5true9007199254740993"}, {fn("concat", num(-5), num(-6)), "-5-6"}, {fn("concat", fn("add", num(edge-5), num(1))), "9007199254740987"}, {fn("concat", parsed("null"), str("")), null_(wantText)},
		{fn("concat", num(100000000000000), str("")), "100000000000000"}, {fn("concat", fn("concat", str("a"), str("b")), fn("concat", str("c"), str("d"))), "abcd"}, {fn("concat", str("a")), "a"},
		{fn("slice", str("hello"), num(1)), "ello"}, {fn("slice", str("hello"), num(1), num(3)), "el"}, {fn("slice", str("hello"), num(-3), num(99)), "hello"}, {fn("slice", str("hello"), num(3), num(1)), ""}, {fn("slice", str("hello"), num(0), num(-1)), ""},
		{fn("slice", str("hello"), big()), ""}, {fn("slice", str("hello"), num(0), big()), "hello"},
		{fn("find", str("a.b.c"), str(".")), int64(1)}, {fn("find", str("a.b.c"), str("."), num(2)), int64(3)}, {fn("find", str("abc"), str("x")), nil}, {fn("find", str("abc"), str("")), int64(0)}, {fn("find", str("abc"), str(""), num(3)), int64(3)},
		{fn("find", str("abc"), str(""), num(4)), nil}, {fn("find", str("abc"), str("a"), num(-4)), int64(0)}, {fn("find", str("a\x00b"), str("\x00b")), int64(1)}, {fn("find", str("a%d"), str("%d")), int64(1)}, {fn("find", str("abc"), str(""), big()), nil},
		{fn("prefix", str("abc"), str("ab")), yes}, {fn("prefix", str("abc"), str("b")), no}, {fn("prefix", str("a"), str("ab")), no}, {fn("suffix", str("abc"), str("bc")), yes}, {fn("suffix", str("abc"), str("")), yes}, {fn("suffix", str("c"), str("bc")), no},
		{fn("upper", str("aäÄz\xe4")), "AäÄZ\xe4"}, {fn("lower", str("AÄ\xc4Z")), "aÄ\xc4z"},
		{fn("split", str("a,b,,c"), str(",")), []any{"a", "b", "", "c"}}, {fn("split", str(""), str(",")), []any{""}}, {fn("split", str("a.b"), str(".")), []any{"a", "b"}}, {fn("split", str("a"), str("")), problem(graph.ErrSeparator)}, {fn("split", str("aaa"), str("aa")), []any{"", "a"}},
		{fn("join", list(str("a"), num(1), truth(false)), str(", ")), "a, 1, false"}, {fn("join", list(), str(",")), ""}, {fn("join", list(null()), str(",")), null_(wantText)}, {fn("join", parsed(`["a",[]]`), str("")), type_("list", wantText)},
		{fn("replace", str("a.b.c"), str("."), str("%1")), "a%1b%1c"}, {fn("replace", str("aaa"), str("aa"), str("b")), "ba"}, {fn("replace", str("a"), str(""), str("b")), problem(graph.ErrSeparator)}, {fn("replace", str("abc"), str("x"), str("y")), "abc"},
		{fn("repeat", str("ab"), num(3)), "ababab"}, {fn("repeat", str("ab"), num(-1)), ""}, {fn("repeat", str("ab"), num(1<<29)), problem(graph.ErrLong)}, {fn("repeat", str(""), big()), ""}, {fn("repeat", str("a"), big()), problem(graph.ErrLong)}, {fn("repeat", str(""), num(1<<40)), ""},
		// JSON.
		{fn("to_json", null()), "null"}, {fn("to_json", str("\"\\\n\r\t\b\f\x01\x1f\x7f/ü\xff\x00")), "\"\\\"\\\\\\n\\r\\t\\b\\f\\u0001\\u001f\x7f/ü\xff\\u0000\""}, {fn("to_json", real(1e300)), "1e+300"}, {fn("to_json", inf), problem(graph.ErrInfinite)},
		{fn("to_json", dict(str("b"), list(), str("a"), dict(), str("ä"), big())), `{"a":{},"b":[],"ä":9007199254740993}`}, {fn("to_json", truth(false)), "false"}, {fn("to_json", real(math.Copysign(0, -1))), "0"},
		{parsed(" [ 1 , -0 , -0.0, 1.0 , 1e2, 2.5E-1 , true , false , null ] "), `[1,0,0,1,100,0.25,true,false,null]`}, {parsed(`{"a":1,"a":{"b":[{}]}}`), `{"a":{"b":[{}]}}`}, {parsed(`"\u00e4\ud83d\ude00\ud800\ud800\udc00\udc00x\ud800A\/\b"`), `"ä😀` + "\uFFFD𐀀\uFFFDx\uFFFDA" + `/\b"`},
		{parsed("\"a\nb\x00\xff\""), "\"a\\nb\\u0000\xff\""}, {parsed("9223372036854775808"), "9.223372036854776e+18"}, {parsed("-9223372036854775808"), "-9223372036854775808"}, {parsed("123456789012345678901234567890"), "1.2345678901234568e+29"},
		{parsed(""), badJSON(0)}, {parsed("tru"), badJSON(3)}, {parsed("trux"), badJSON(3)}, {parsed("01"), badJSON(1)}, {parsed("1."), badJSON(2)}, {parsed("-x"), badJSON(1)}, {parsed("1e+"), badJSON(3)}, {parsed("[1,]"), badJSON(3)}, {parsed("[1 2]"), badJSON(3)},
		{parsed(`{"a" 1}`), badJSON(5)}, {parsed(`{a:1}`), badJSON(1)}, {parsed(`{"a":1,}`), badJSON(7)}, {parsed(`"abc`), badJSON(4)}, {parsed(`"\x"`), badJSON(2)}, {parsed(`"\u12G4"`), badJSON(5)}, {parsed("1 x"), badJSON(2)}, {parsed("[\x00]"), badJSON(1)}, {parsed("\x0b1"), badJSON(0)}, {parsed(`"\ud800\u12x"`), badJSON(11)},
		{parsed(strings.Repeat("[", 100) + strings.Repeat("]", 100)), strings.Repeat("[", 100) + strings.Repeat("]", 100)}, {parsed(strings.Repeat("[", 101)), problem(graph.ErrDepth)}, {parsed(`"` + strings.Repeat("\\\\", 3000) + `"`), `"` + strings.Repeat("\\\\", 3000) + `"`},
		{fn("to_json", list(parsed(strings.Repeat("[", 100)+strings.Repeat("]", 100)))), problem(graph.ErrDepth)},
	} {
		cover(test.x)
		want := test.want
		if want == "null" && checked(t, value(test.x)).Result.Kind == graph.Null { // which needs no JSON
			want = nil
		}
		if got := eval(t, c, value(test.x), nil); !reflect.DeepEqual(got, want) {
			t.Errorf("%d: %#v, want %#v, by\n%s", i, got, want, Source(checked(t, value(test.x))))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(graph.Functions)) {
		if !covered[name] && name != "now" {
			t.Errorf("%s is not tried", name)
		}
	}
}
