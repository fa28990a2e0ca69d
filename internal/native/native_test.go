package native

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/graph"
	"github.com/redbud-go/redbud/internal/resp"
)

// fake is a Host that answers each command with its last word, or as replies says.
type fake struct {
	p       *Program
	replies map[string]string
	calls   []string
	logged  []string
	checks  int
	ends    int // the check that ends the run; 0: none
}

func (h *fake) Call(i int, words [][]byte) []byte {
	var call []string
	for _, w := range words {
		call = append(call, string(w))
	}
	h.calls = append(h.calls, strings.Join(call, " "))
	if h.p.Commands[i] != call[0] {
		panic("the command has another number")
	}
	reply, ok := h.replies[call[0]]
	if !ok {
		reply = call[len(call)-1]
	}
	return []byte(reply)
}

func (h *fake) Check() error {
	if h.checks++; h.checks == h.ends {
		return errors.New("that is enough")
	}
	return nil
}

func (h *fake) Log(level int, text string) { h.logged = append(h.logged, fmt.Sprint(level, " ", text)) }
func (h *fake) Now() int64                 { return 1234 }

type node = graph.Node

func nodeOf(op graph.Op, kids ...*node) *node { return &node{Op: op, Kids: kids} }
func block(kids ...*node) *node               { return nodeOf(graph.OpBlock, kids...) }
func integers(n int64) *node                  { return &node{Op: graph.OpInt, Int: n} }
func floats(f float64) *node                  { return &node{Op: graph.OpFloat, F: f} }
func str(s string) *node                      { return &node{Op: graph.OpString, Text: s} }
func truth(b bool) *node {
	n := &node{Op: graph.OpBool}
	if b {
		n.N = 1
	}
	return n
}
func none() *node                         { return nodeOf(graph.OpNull) }
func listing(kids ...*node) *node         { return nodeOf(graph.OpList, kids...) }
func mapping(kids ...*node) *node         { return nodeOf(graph.OpMap, kids...) }
func arg(i int) *node                     { return &node{Op: graph.OpArg, N: i} }
func variable(i int) *node                { return &node{Op: graph.OpVar, N: i} }
func key(i int) *node                     { return &node{Op: graph.OpKey, N: i} }
func fn(name string, kids ...*node) *node { return &node{Op: graph.OpFunc, Text: name, Kids: kids} }
func json(s string) *node                 { return fn("from_json", str(s)) }
func returns(n *node) *node               { return nodeOf(graph.OpReturn, n) }
func does(n *node) *node                  { return nodeOf(graph.OpDo, n) }
func on(op graph.Op, i int, kids ...*node) *node {
	return &node{Op: op, N: i, Kids: kids}
}
func each(i, e int, walked, body *node) *node {
	return &node{Op: graph.OpEach, N: i, M: e, Kids: []*node{walked, body}}
}
func pairs(k, e int, walked, body *node) *node {
	return &node{Op: graph.OpPairs, N: k, M: e, Kids: []*node{walked, body}}
}
func call(name string, shape graph.Shape, kids ...*node) *node {
	return &node{Op: graph.OpCall, Text: name, Shape: shape, Kids: kids}
}

// compiled is a program that Check takes.
func compiled(t testing.TB, p *graph.Program) *Program {
	t.Helper()
	checked, problems := graph.Check(p)
	for _, problem := range problems {
		t.Fatalf("%s", problem.Text)
	}
	return Compile(checked)
}

// running is what a program replies, without line ends.
func running(t testing.TB, p *graph.Program, h *fake, keys, args []string) string {
	t.Helper()
	h.p = compiled(t, p)
	w := &resp.Writer{}
	var words [2][][]byte
	for i, list := range [][]string{keys, args} {
		for _, s := range list {
			words[i] = append(words[i], []byte(s))
		}
	}
	h.p.Run(h, words[0], words[1], w)
	return strings.TrimSuffix(strings.ReplaceAll(string(w.Buf), "\r\n", " "), " ")
}

// result is what an expression replies to, which may use the variables.
func result(t testing.TB, e *node, before ...*node) string {
	t.Helper()
	vars := []graph.Var{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}}
	return running(t, &graph.Program{Vars: vars, Body: block(append(before, returns(e))...)}, &fake{}, nil, nil)
}

// bulk is a reply of a string.
func bulk(s string) string { return fmt.Sprintf("$%d %s", len(s), s) }

const big = 1<<53 + 1

// functionCases are calls and their replies, by function.
var functionCases = map[string][]struct {
	e    *node
	want string
}{
	"not": {{fn("not", integers(0)), ":0"}, {fn("not", none()), ":1"}, {fn("not", truth(false)), ":1"}, {fn("not", str("")), ":0"}},
	"and": {
		{fn("and", str("a"), integers(2)), ":2"}, {fn("and", truth(false), truth(true)), ":0"}, {fn("and", json("null"), str("b")), bulk("null")},
		{fn("and", truth(true), truth(true)), ":1"}, {fn("and", truth(false), fn("eq", fn("div", integers(1), integers(0)), none())), ":0"},
	},
	"or": {
		{fn("or", str("a"), integers(2)), bulk(`"a"`)}, {fn("or", truth(false), truth(true)), ":1"}, {fn("or", none(), str("b")), bulk("b")},
		{fn("or", fn("get", mapping(str("k"), str("v")), str("x")), str("none")), bulk("none")}, {fn("or", integers(0), integers(1)), ":0"},
	},
	"eq": {
		{fn("eq", integers(2), floats(2)), ":1"}, {fn("eq", str("2"), integers(2)), ":0"}, {fn("eq", none(), none()), ":1"},
		{fn("eq", listing(integers(1), str("a")), json(`[1,"a"]`)), ":1"}, {fn("eq", listing(), mapping()), ":0"},
		{fn("eq", mapping(str("a"), integers(1)), json(`{"a":1.0}`)), ":1"}, {fn("eq", mapping(str("a"), integers(1)), mapping(str("b"), integers(1))), ":0"},
		{fn("eq", integers(big), floats(1<<53)), ":0"}, {fn("eq", integers(1<<53), floats(1<<53)), ":1"}, {fn("eq", integers(math.MaxInt64), floats(1<<63)), ":0"},
		{fn("eq", fn("get", mapping(str("k"), str("")), str("k")), none()), ":0"}, {fn("eq", fn("get", mapping(str("k"), str("")), str("x")), str("")), ":0"},
		{fn("eq", fn("get", mapping(str("k"), str("")), str("x")), none()), ":1"},
	},
	"ne": {{fn("ne", integers(1), integers(2)), ":1"}, {fn("ne", str("a"), str("a")), ":0"}, {fn("ne", none(), json("[]")), ":1"}},
	"lt": {
		{fn("lt", integers(1), floats(1.5)), ":1"}, {fn("lt", str("a"), str("B")), ":0"}, {fn("lt", json("1"), json(`"a"`)), "-ERR script: type: a number compared with a string"},
		{fn("lt", json("null"), json("1")), "-ERR script: type: a null compared with a number"}, {fn("lt", json("1.5"), integers(2)), ":1"},
		{fn("lt", integers(math.MaxInt64-1), integers(math.MaxInt64)), ":1"}, {fn("lt", integers(big), floats(1<<53)), ":0"},
		{fn("lt", floats(math.Inf(-1)), integers(math.MinInt64)), ":1"}, {fn("lt", integers(math.MinInt64), floats(math.Inf(1))), ":1"},
	},
	"le": {{fn("le", integers(1), integers(1)), ":1"}, {fn("le", floats(2.5), floats(2)), ":0"}},
	"gt": {{fn("gt", str("b"), str("a\xff")), ":1"}, {fn("gt", integers(1), integers(1)), ":0"}},
	"ge": {{fn("ge", str(""), str("")), ":1"}, {fn("ge", json("[1]"), integers(1)), "-ERR script: type: a list where Number is wanted"}},
	"add": {
		{fn("add", integers(1), integers(2)), ":3"}, {fn("add", integers(1), floats(2.5)), bulk("3.5")}, {fn("add", json("1"), json("2.0")), bulk("3")},
		{fn("add", integers(1<<53-1), integers(1)), "-ERR script: exact: an integer beyond 2^53-1"}, {fn("add", integers(big), floats(1)), "-ERR script: exact: an integer beyond 2^53-1"},
		{fn("add", floats(math.Inf(1)), floats(math.Inf(-1))), "-ERR script: nan: the result is not a number"}, {fn("add", floats(math.Inf(1)), integers(1)), bulk("inf")},
		{fn("add", json(`"1"`), integers(2)), "-ERR script: type: a string where Number is wanted"}, {fn("add", json("null"), integers(2)), "-ERR script: null: null where Number is wanted"},
		{fn("add", json("9007199254740991"), json("1")), "-ERR script: exact: an integer beyond 2^53-1"},
	},
	"sub":    {{fn("sub", integers(1), integers(2)), ":-1"}, {fn("sub", integers(-1<<53+1), integers(1)), "-ERR script: exact: an integer beyond 2^53-1"}},
	"mul":    {{fn("mul", integers(-3), integers(4)), ":-12"}, {fn("mul", integers(1<<30), integers(1<<30)), "-ERR script: exact: an integer beyond 2^53-1"}, {fn("mul", floats(math.Inf(1)), integers(0)), "-ERR script: nan: the result is not a number"}, {fn("mul", floats(-1), integers(0)), bulk("0")}, {fn("mul", integers(1<<53-1), integers(-1)), ":-9007199254740991"}},
	"div":    {{fn("div", integers(1), integers(4)), bulk("0.25")}, {fn("div", integers(4), integers(2)), bulk("2")}, {fn("div", floats(1), floats(0)), "-ERR script: zero: division by zero"}, {fn("div", floats(math.Inf(1)), floats(math.Inf(1))), "-ERR script: nan: the result is not a number"}},
	"intdiv": {{fn("intdiv", integers(-7), integers(2)), ":-4"}, {fn("intdiv", integers(7), integers(-2)), ":-4"}, {fn("intdiv", integers(6), integers(2)), ":3"}, {fn("intdiv", integers(1), integers(0)), "-ERR script: zero: division by zero"}, {fn("intdiv", integers(big), integers(1)), "-ERR script: exact: an integer beyond 2^53-1"}},
	"mod":    {{fn("mod", integers(-7), integers(2)), ":1"}, {fn("mod", integers(7), integers(-2)), ":-1"}, {fn("mod", integers(-6), integers(2)), ":0"}, {fn("mod", integers(1), integers(0)), "-ERR script: zero: division by zero"}},
	"neg":    {{fn("neg", integers(5)), ":-5"}, {fn("neg", floats(0)), bulk("0")}, {fn("neg", json("2.5")), bulk("-2.5")}, {fn("neg", integers(big)), "-ERR script: exact: an integer beyond 2^53-1"}},
	"abs":    {{fn("abs", integers(-5)), ":5"}, {fn("abs", floats(-2.5)), bulk("2.5")}, {fn("abs", json("-7")), bulk("7")}, {fn("abs", integers(math.MinInt64)), "-ERR script: exact: an integer beyond 2^53-1"}},
	"min":    {{fn("min", integers(1), integers(2)), ":1"}, {fn("min", json("1.5"), integers(1)), bulk("1")}},
	"max":    {{fn("max", integers(1), floats(1.5)), bulk("1.5")}, {fn("max", integers(big), integers(1)), "-ERR script: exact: an integer beyond 2^53-1"}},
	"floor":  {{fn("floor", floats(-1.5)), ":-2"}, {fn("floor", integers(3)), ":3"}, {fn("floor", floats(math.Inf(1))), "-ERR script: exact: an integer beyond 2^53-1"}},
	"ceil":   {{fn("ceil", floats(-1.5)), ":-1"}, {fn("ceil", floats(1<<53)), "-ERR script: exact: an integer beyond 2^53-1"}},

	"text":        {{fn("text", floats(0.1)), bulk("0.1")}, {fn("text", truth(true)), bulk("true")}, {fn("text", integers(math.MinInt64)), bulk("-9223372036854775808")}, {fn("text", json("null")), "-ERR script: null: null where a text is wanted"}, {fn("text", json("{}")), "-ERR script: type: a map where a text is wanted"}, {fn("text", str("x")), bulk("x")}, {fn("text", floats(0.30000000000000004)), bulk("0.30000000000000004")}, {fn("text", floats(1e300)), bulk("1e+300")}},
	"int":         {{fn("int", str("-12")), ":-12"}, {fn("int", json("2.0")), ":2"}, {fn("int", json("2.5")), "-ERR script: number: not an integer"}, {fn("int", str("1.0")), "-ERR script: number: not an integer"}, {fn("int", str("+1")), "-ERR script: number: not an integer"}, {fn("int", str("9223372036854775807")), bulk("9223372036854775807")}, {fn("int", str("9223372036854775808")), "-ERR script: number: not an integer"}, {fn("int", json("null")), "-ERR script: null: null where a number or a string is wanted"}, {fn("int", json("[]")), "-ERR script: type: a list where a number or a string is wanted"}, {fn("int", integers(7)), ":7"}},
	"float":       {{fn("float", str("1e2")), bulk("100")}, {fn("float", str("-inf")), bulk("-inf")}, {fn("float", str("0x10")), "-ERR script: number: not a number"}, {fn("float", str("nan")), "-ERR script: number: not a number"}, {fn("float", str("")), "-ERR script: number: not a number"}, {fn("float", str(" 1")), "-ERR script: number: not a number"}, {fn("float", integers(big)), "-ERR script: exact: an integer beyond 2^53-1"}, {fn("float", json("true")), "-ERR script: type: a bool where a number or a string is wanted"}, {fn("float", str("-0")), bulk("0")}, {fn("float", str("+12")), bulk("12")}},
	"parse_int":   {{fn("parse_int", str("12")), ":12"}, {fn("parse_int", str("x")), "$-1"}},
	"parse_float": {{fn("parse_float", str("1.5")), bulk("1.5")}, {fn("parse_float", str("1_0")), "$-1"}},
	"type":        {{fn("type", none()), bulk("null")}, {fn("type", truth(true)), bulk("bool")}, {fn("type", integers(1)), bulk("number")}, {fn("type", floats(1.5)), bulk("number")}, {fn("type", str("")), bulk("string")}, {fn("type", listing()), bulk("list")}, {fn("type", mapping()), bulk("map")}},
	"len":         {{fn("len", str("aé")), ":3"}, {fn("len", listing(none())), ":1"}, {fn("len", mapping(str("a"), none())), ":1"}, {fn("len", json("5")), "-ERR script: type: a number where a string, a list or a map is wanted"}, {fn("len", json("null")), "-ERR script: null: null where a string, a list or a map is wanted"}},
	"at":          {{fn("at", listing(str("a"), str("b")), integers(1)), bulk("b")}, {fn("at", listing(str("a")), integers(-1)), "$-1"}, {fn("at", listing(integers(4)), integers(0)), ":4"}, {fn("at", listing(str("a")), integers(math.MaxInt64)), "$-1"}},
	"get":         {{fn("get", mapping(str("a"), integers(1)), str("a")), ":1"}, {fn("get", mapping(str("a"), integers(1)), str("b")), "$-1"}},
	"has":         {{fn("has", mapping(str("a"), none()), str("a")), ":1"}, {fn("has", mapping(), str("a")), ":0"}},
	"keys":        {{fn("keys", mapping(str("b"), none(), str("a"), none(), str("\xff"), none())), "*3 $1 a $1 b $1 \xff"}},
	"sorted":      {{fn("sorted", listing(str("b"), str("a"), str(""))), "*3 $0  $1 a $1 b"}},
	"sublist":     {{fn("sublist", listing(str("a"), str("b"), str("c")), integers(1)), "*2 $1 b $1 c"}, {fn("sublist", listing(str("a"), str("b")), integers(-5), integers(1)), "*1 $1 a"}, {fn("sublist", listing(str("a")), integers(3), integers(2)), "*0"}},
	"zip":         {{fn("zip", listing(str("a"), str("b")), listing(integers(1), none())), bulk(`{"a":1,"b":null}`)}, {fn("zip", listing(str("a")), json("[]")), "-ERR script: type: a null"}},

	"concat":  {{fn("concat", str("a"), integers(-1), floats(1.5), truth(false)), bulk("a-11.5false")}, {fn("concat", str("a"), str("b")), bulk("ab")}, {fn("concat", str("a"), json("null")), "-ERR script: null: null where a text is wanted"}, {fn("concat", str("a"), fn("concat", str("b"), integers(1))), bulk("ab1")}},
	"slice":   {{fn("slice", str("hello"), integers(1), integers(3)), bulk("el")}, {fn("slice", str("hello"), integers(-2)), bulk("hello")}, {fn("slice", str("hello"), integers(4), integers(99)), bulk("o")}, {fn("slice", str("hello"), integers(9)), bulk("")}},
	"find":    {{fn("find", str("a.b"), str(".")), ":1"}, {fn("find", str("abc"), str("x")), "$-1"}, {fn("find", str("abab"), str("ab"), integers(1)), ":2"}, {fn("find", str("abc"), str(""), integers(3)), ":3"}, {fn("find", str("abc"), str(""), integers(4)), "$-1"}, {fn("find", str("abc"), str("a"), integers(-4)), ":0"}},
	"prefix":  {{fn("prefix", str("abc"), str("ab")), ":1"}, {fn("prefix", str("a"), str("ab")), ":0"}},
	"suffix":  {{fn("suffix", str("abc"), str("bc")), ":1"}, {fn("suffix", str("abc"), str("b")), ":0"}},
	"upper":   {{fn("upper", str("aZ\xe9{`")), bulk("AZ\xe9{`")}},
	"lower":   {{fn("lower", str("aZ[@")), bulk("az[@")}},
	"split":   {{fn("split", str("a,,b"), str(",")), "*3 $1 a $0  $1 b"}, {fn("split", str(""), str(",")), "*1 $0 "}, {fn("split", str("a"), str("")), "-ERR script: size: an empty separator"}},
	"join":    {{fn("join", listing(str("a"), integers(1), truth(true)), str("-")), bulk("a-1-true")}, {fn("join", listing(), str("-")), bulk("")}, {fn("join", listing(none()), str("-")), "-ERR script: null: null where a text is wanted"}},
	"replace": {{fn("replace", str("a.b.c"), str("."), str("--")), bulk("a--b--c")}, {fn("replace", str("aaa"), str("aa"), str("")), bulk("a")}, {fn("replace", str("a"), str(""), str("b")), "-ERR script: size: an empty separator"}},
	"repeat":  {{fn("repeat", str("ab"), integers(3)), bulk("ababab")}, {fn("repeat", str("ab"), integers(-1)), bulk("")}, {fn("repeat", str("ab"), integers(1<<29)), "-ERR script: size: longer than 512 MiB"}, {fn("repeat", str(""), integers(math.MaxInt64)), bulk("")}},

	"to_json": {{fn("to_json", mapping(str("b"), listing(none(), truth(true), floats(1.5), integers(big)), str("a"), str("\"\\\n\x01\xff/é"))), bulk(`{"a":"\"\\\n\u0001` + "\xff/é" + `","b":[null,true,1.5,9007199254740993]}`)}, {fn("to_json", floats(math.Inf(1))), "-ERR script: nan: JSON has no infinities"}, {fn("to_json", listing()), bulk("[]")}, {fn("to_json", mapping()), bulk("{}")}},
	"from_json": {
		{json(` {"a":[1,2.50,-0,1e2,"x\u00e9\ud83d\ude00\ud800"],"a2":{},"n":null} `), bulk(`{"a":[1,2.5,0,100,"xé😀` + "\uFFFD" + `"],"a2":{},"n":null}`)},
		{json("9223372036854775807"), bulk("9223372036854775807")}, {json("1e400"), "-ERR script: nan: JSON has no infinities"}, {json(`{"a":1,"a":2}`), bulk(`{"a":2}`)},
		{json("[1,]"), "-ERR script: json: not JSON at byte 3"}, {json(""), "-ERR script: json: not JSON at byte 0"}, {json("nul"), "-ERR script: json: not JSON at byte 3"}, {json("01"), "-ERR script: json: not JSON at byte 1"},
		{json(strings.Repeat("[", 100) + strings.Repeat("]", 100)), bulk(strings.Repeat("[", 100) + strings.Repeat("]", 100))}, {json(strings.Repeat("[", 101)), "-ERR script: depth: nested deeper than 100"},
	},
	"now": {{fn("now"), ":1234"}},
}

func TestEveryFunctionDoesWhatItSays(t *testing.T) {
	for name := range graph.Functions {
		if len(functionCases[name]) == 0 || functions[name] == nil {
			t.Errorf("%s has no case or is not there", name)
		}
	}
	for name, cases := range functionCases {
		for i, c := range cases {
			if name == "zip" && i == 1 { // not as many values
				c.want = "-ERR script: index: not as many values as keys"
			}
			if got := result(t, c.e); got != c.want {
				t.Errorf("%s, case %d: %q, not %q", name, i, got, c.want)
			}
		}
	}
	if extra := len(functions) - len(graph.Functions); extra != 0 {
		t.Errorf("%d functions more than there are", extra)
	}
}

// shapeCases are replies and what becomes of them.
var shapeCases = map[graph.Shape][][2]string{
	graph.ReplyAny:          {{"$-1\r\n", bulk("null")}, {":5\r\n", bulk("5")}, {"+OK\r\n", bulk(`"OK"`)}, {"*2\r\n:1\r\n*1\r\n$1\r\na\r\n", bulk(`[1,["a"]]`)}, {":9007199254740992\r\n", exactError}, {"*-1\r\n", bulk("null")}, {"*3\r\n:1\r\n", replyError}},
	graph.ReplyInt:          {{":-5\r\n", ":-5"}, {"$1\r\n5\r\n", replyError}, {":x\r\n", replyError}, {":9007199254740992\r\n", exactError}},
	graph.ReplyCounter:      {{":9223372036854775807\r\n", bulk("9223372036854775807")}, {":1\r\n", ":1"}},
	graph.ReplyBool:         {{"$-1\r\n", ":0"}, {":0\r\n", ":0"}, {":2\r\n", ":1"}, {"+OK\r\n", ":1"}, {"*-1\r\n", ":0"}, {"$0\r\n\r\n", ":1"}},
	graph.ReplyString:       {{"$1\r\na\r\n", bulk("a")}, {"+OK\r\n", bulk("OK")}, {"$-1\r\n", replyError}, {":1\r\n", replyError}},
	graph.ReplyMaybeString:  {{"$-1\r\n", "$-1"}, {"$0\r\n\r\n", bulk("")}, {"*-1\r\n", "$-1"}, {"$5\r\na\r\n", replyError}, {"*0\r\n", replyError}},
	graph.ReplyFloat:        {{"$3\r\n1.5\r\n", bulk("1.5")}, {"$1\r\nx\r\n", replyError}, {":1\r\n", replyError}},
	graph.ReplyMaybeFloat:   {{"$3\r\ninf\r\n", bulk("inf")}, {"$-1\r\n", "$-1"}, {"$1\r\nx\r\n", replyError}},
	graph.ReplyStrings:      {{"*2\r\n$1\r\na\r\n$0\r\n\r\n", "*2 $1 a $0 "}, {"*0\r\n", "*0"}, {"*-1\r\n", replyError}, {"*1\r\n$-1\r\n", replyError}, {"*1\r\n:1\r\n", replyError}},
	graph.ReplyMaybeStrings: {{"*-1\r\n", "$-1"}, {"*1\r\n$1\r\na\r\n", "*1 $1 a"}},
	graph.ReplyEachMaybe:    {{"*2\r\n$1\r\na\r\n$-1\r\n", "*2 $1 a $-1"}},
	graph.ReplyBools:        {{"*2\r\n:1\r\n:0\r\n", bulk("[true,false]")}, {"*1\r\n$1\r\na\r\n", replyError}},
	graph.ReplyMap:          {{"*4\r\n$1\r\nb\r\n$1\r\n1\r\n$1\r\na\r\n$1\r\n2\r\n", bulk(`{"a":"2","b":"1"}`)}, {"*1\r\n$1\r\nb\r\n", replyError}},
	graph.ReplyScored:       {{"*2\r\n$1\r\nb\r\n$3\r\n1.5\r\n", bulk(`[["b",1.5]]`)}, {"*2\r\n$1\r\nb\r\n$1\r\nx\r\n", replyError}},
	graph.ReplyEntries:      {{"*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$3\r\n1-2\r\n*-1\r\n", bulk(`[{"fields":{"f":"v"},"id":"1-1"},{"fields":null,"id":"1-2"}]`)}, {"*1\r\n$1\r\na\r\n", replyError}},
	graph.ReplyStream:       {{"*-1\r\n", bulk("[]")}, {"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*0\r\n", bulk(`[{"fields":{},"id":"1-1"}]`)}, {"*2\r\n*0\r\n*0\r\n", replyError}},
	graph.ReplyType:         {{"+none\r\n", "$-1"}, {"+list\r\n", bulk("list")}},
}

const (
	replyError = "-ERR script: reply: not what the command is for"
	exactError = "-ERR script: exact: an integer beyond 2^53-1"
)

func TestEveryShapeIsRead(t *testing.T) {
	for shape := range graph.Shape(len(shapeCases)) {
		name := "X"
		if shape == graph.ReplyCounter {
			name = "INCR"
		}
		if len(shapeCases[shape]) == 0 {
			t.Errorf("shape %d has no case", shape)
		}
		for _, c := range append([][2]string{{"-WRONGTYPE no\r\n", "-WRONGTYPE no"}, {"", replyError}}, shapeCases[shape]...) {
			p := &graph.Program{Body: block(returns(call(name, shape, str("k"))))}
			if got := running(t, p, &fake{replies: map[string]string{name: c[0]}}, nil, nil); got != c[1] {
				t.Errorf("shape %d makes %q of %q, not %q", shape, got, c[0], c[1])
			}
		}
	}
	checked, problems := graph.Check(&graph.Program{Body: block(returns(call("X", graph.Shape(len(shapeCases)))))})
	if checked != nil || len(problems) == 0 {
		t.Error("there is a shape without cases")
	}
}

func TestStatements(t *testing.T) {
	ints := graph.ListOf(graph.Of(graph.Int))
	for i, c := range []struct {
		want string
		vars []graph.Var
		body []*node
	}{
		{":3", []graph.Var{{Name: "n"}}, []*node{on(graph.OpVarDef, 0, integers(1)), on(graph.OpAssign, 0, fn("add", variable(0), integers(2))), returns(variable(0))}},
		{"*2 $1 a $1 b", []graph.Var{{Name: "l"}, {Name: "m"}}, []*node{ // a list is a value
			on(graph.OpVarDef, 0, listing(str("a"))), on(graph.OpVarDef, 1, variable(0)), on(graph.OpAppend, 0, str("b")), on(graph.OpAppend, 1, str("x")), returns(variable(0))}},
		{bulk("[5,6]"), []graph.Var{{Name: "l", Typed: true, Type: ints}}, []*node{
			on(graph.OpVarDef, 0, listing(integers(4))), on(graph.OpSetAt, 0, integers(0), integers(5)), on(graph.OpSetAt, 0, integers(1), integers(6)), returns(variable(0))}},
		{"-ERR script: index: outside of the list", []graph.Var{{Name: "l"}}, []*node{on(graph.OpVarDef, 0, listing(integers(4))), on(graph.OpSetAt, 0, integers(2), integers(5)), returns(none())}},
		{"-ERR script: index: outside of the list", []graph.Var{{Name: "l"}}, []*node{on(graph.OpVarDef, 0, listing(integers(4))), on(graph.OpSetAt, 0, integers(-1), integers(5)), returns(none())}},
		{bulk(`{"b":2}`), []graph.Var{{Name: "m"}}, []*node{on(graph.OpVarDef, 0, mapping(str("a"), integers(1))), on(graph.OpSetKey, 0, str("b"), integers(2)), on(graph.OpRemove, 0, str("a")), on(graph.OpRemove, 0, str("c")), returns(variable(0))}},
		{bulk("0:a1:b"), []graph.Var{{Name: "s"}, {Name: "i"}, {Name: "e"}}, []*node{on(graph.OpVarDef, 0, str("")),
			each(1, 2, listing(str("a"), str("b")), block(on(graph.OpAssign, 0, fn("concat", variable(0), variable(1), str(":"), variable(2))))), returns(variable(0))}},
		{bulk("a1b2"), []graph.Var{{Name: "s"}, {Name: "k"}, {Name: "e"}}, []*node{on(graph.OpVarDef, 0, str("")),
			pairs(1, 2, mapping(str("b"), integers(2), str("a"), integers(1)), block(on(graph.OpAssign, 0, fn("concat", variable(0), variable(1), variable(2))))), returns(variable(0))}},
		{bulk("[1,2,1,2]"), []graph.Var{{Name: "l"}, {Name: "e"}}, []*node{on(graph.OpVarDef, 0, listing(integers(1), integers(2))), // the list as it was
			each(-1, 1, variable(0), block(on(graph.OpAppend, 0, variable(1)))), returns(variable(0))}},
		{bulk("[[1],[2]]"), []graph.Var{{Name: "l"}, {Name: "e", Typed: false}}, []*node{on(graph.OpVarDef, 0, listing(listing(integers(1)), listing(integers(2)))), // a variable of a loop is changed
			each(-1, 1, variable(0), block(on(graph.OpAppend, 1, integers(9)))), returns(variable(0))}},
		{":3", []graph.Var{{Name: "n"}}, []*node{on(graph.OpVarDef, 0, integers(0)),
			nodeOf(graph.OpWhile, truth(true), block(on(graph.OpAssign, 0, fn("add", variable(0), integers(1))), nodeOf(graph.OpIf, fn("eq", variable(0), integers(3)), block(nodeOf(graph.OpBreak))))), returns(variable(0))}},
		{":1", []graph.Var{{Name: "b"}}, []*node{on(graph.OpVarDef, 0, truth(true)), on(graph.OpAssign, 0, variable(0)), returns(variable(0))}},
		{":7", []graph.Var{{Name: "n"}}, []*node{nodeOf(graph.OpWhile, truth(true), block(nodeOf(graph.OpIf, truth(false), block(), block(returns(integers(7))))))}},
		{":1", []graph.Var{{Name: "b"}, {Name: "f"}, {Name: "later", Typed: true, Type: graph.Of(graph.Bool)}}, []*node{on(graph.OpVarDef, 0, truth(false)), on(graph.OpVarDef, 1, floats(1.5)), on(graph.OpVarDef, 2),
			on(graph.OpAssign, 2, fn("not", variable(0))), does(variable(1)), does(variable(0)), does(str("x")), does(none()), does(integers(1)), returns(variable(2))}},
	} {
		p := &graph.Program{Vars: c.vars, Body: block(c.body...)}
		for _, traced := range []bool{false, true} {
			p.Traced = traced
			got, want := running(t, p, &fake{}, nil, nil), c.want
			if traced { // the reply is the last part
				_, got, _ = strings.Cut(got[4:], "] ")
				want = ":1 " + want
				if c.want[0] == '-' {
					want = ":0 " + bulk(c.want[len("-ERR "):])
				}
			}
			if got != want {
				t.Errorf("program %d, traced %v: %q, not %q", i, traced, got, want)
			}
		}
	}
}

func TestNumbersAreLookedAtWhenBothAreThere(t *testing.T) {
	for _, name := range []string{"add", "sub", "mul", "div", "min", "max"} {
		for _, large := range []*node{json("9007199254740993"), integers(9007199254740993)} {
			h := &fake{replies: map[string]string{"INCRBYFLOAT": "$3\r\n0.5\r\n"}}
			p := &graph.Program{Body: block(returns(fn(name, large, call("INCRBYFLOAT", graph.ReplyFloat))))}
			got := running(t, p, h, nil, nil)
			if got != "-ERR "+graph.ErrExact || len(h.calls) != 1 {
				t.Errorf("%s: %q after %q", name, got, h.calls)
			}
		}
	}
}

func TestWordsOfCommands(t *testing.T) {
	p := &graph.Program{
		Keys: []graph.Key{{Name: "k"}, {Name: "more", Many: true}},
		Body: block(
			does(call("A", graph.ReplyBool, key(0), integers(-1), floats(1.5), json("9007199254740993"), str("\x00\r\n"), on(graph.OpKeyCount, 1))),
			does(call("B", graph.ReplyBool, nodeOf(graph.OpSpread, listing(str("a"), integers(2))), on(graph.OpKeyAt, 1, integers(1)), fn("text", call("C", graph.ReplyAny, integers(7))))),
			nodeOf(graph.OpLog, str("x"), integers(1)),
			returns(call("B", graph.ReplyAny, on(graph.OpKeyAt, 1, integers(2))))),
	}
	h := &fake{replies: map[string]string{"A": ":1\r\n", "B": ":1\r\n", "C": ":2\r\n"}}
	if got := running(t, p, h, []string{"one", "two", "three"}, nil); got != "-ERR script: index: there is no such key" {
		t.Errorf("the reply is %q", got)
	}
	want := []string{"A one -1 1.5 9007199254740993 \x00\r\n 2", "C 7", "B a 2 three 2"}
	if !slices.Equal(h.calls, want) || !slices.Equal(h.logged, []string{"0 x 1"}) {
		t.Errorf("it calls %q, not %q, and logs %q", h.calls, want, h.logged)
	}
	for _, c := range []struct{ json, want string }{
		{"[null]", "-ERR script: null: null where a word of a command is wanted"}, {"[true]", "-ERR script: type: a bool where a word of a command is wanted"},
		{"[" + strings.Repeat("1,", graph.MaxWords-1) + "1]", "-ERR script: size: more than 7000 words"}, {"[" + strings.Repeat("1,", graph.MaxWords-2) + "1]", ":1"},
	} {
		p := &graph.Program{Body: block(returns(call("A", graph.ReplyInt, nodeOf(graph.OpSpread, fn("sublist", json(c.json), integers(0))))))}
		if got := running(t, p, h, nil, nil); got != c.want {
			t.Errorf("%.20s: %q, not %q", c.json, got, c.want)
		}
	}
}

func TestArgumentsAndResultsTravelAsTheirTypesSay(t *testing.T) {
	strings := graph.ListOf(graph.Of(graph.String))
	for _, c := range []struct {
		typ     graph.Type
		in, out string
	}{
		{graph.Of(graph.String), "a\x00\r\n", "$4 a\x00 "}, {graph.Of(graph.String), "", "$0 "},
		{graph.Of(graph.Int), "-5", ":-5"}, {graph.Of(graph.Int), "9223372036854775807", bulk("9223372036854775807")}, {graph.Of(graph.Int), "1.5", "-ERR script: number: not an integer"},
		{graph.Of(graph.Int), "9007199254740991", ":9007199254740991"}, {graph.Of(graph.Int), "-9007199254740992", bulk("-9007199254740992")},
		{graph.Of(graph.Float), "2", bulk("2")}, {graph.Of(graph.Float), "x", "-ERR script: number: not a number"}, {graph.Of(graph.Float), "-inf", bulk("-inf")},
		{graph.Of(graph.Number), "9007199254740993", bulk("9007199254740993")}, {graph.Of(graph.Number), "2.50", bulk("2.5")}, {graph.Of(graph.Number), "", "-ERR script: number: not a number"},
		{graph.Of(graph.Bool), "1", ":1"}, {graph.Of(graph.Bool), "0", ":0"}, {graph.Of(graph.Bool), "true", "-ERR script: type: a string where Bool is wanted"},
		{graph.Of(graph.String).Optional(), `"a"`, bulk("a")}, {graph.Of(graph.String).Optional(), "null", "$-1"}, {graph.Of(graph.String).Optional(), "1", "-ERR script: type: a number where String is wanted"},
		{graph.Of(graph.Int).Optional(), "7", ":7"}, {graph.Of(graph.Int).Optional(), "1.5", "-ERR script: type: a number where Int is wanted"}, {graph.Of(graph.Bool).Optional(), "true", ":1"}, {graph.Of(graph.Float).Optional(), "null", "$-1"},
		{strings, "a", "*1 $1 a"}, {strings, "", "*1 $0 "}, {graph.ListOf(graph.Of(graph.Int)), "[1,null]", "-ERR script: null: null where Int is wanted"}, {graph.MapOf(strings), "[", "-ERR script: json: not JSON at byte 1"},
		{strings.Optional(), "null", "$-1"}, {strings.Optional(), "[]", "*0"}, {graph.ListOf(graph.Of(graph.String).Optional()), `["a",null]`, "*2 $1 a $-1"},
		{graph.MapOf(graph.Of(graph.Float)), `{"a":9007199254740992}`, exactError}, {graph.MapOf(graph.Of(graph.Float)), `{"b":1, "a":2.5}`, bulk(`{"a":2.5,"b":1}`)},
		{graph.Type{}, `{"b":[1,{}]}`, bulk(`{"b":[1,{}]}`)}, {graph.Type{}, "null", bulk("null")}, {graph.Of(graph.Null), "null", bulk("null")},
	} {
		p := &graph.Program{Args: []graph.Arg{{Name: "a", Type: c.typ}}, Body: block(returns(arg(0)))}
		if got := running(t, p, &fake{}, nil, []string{c.in}); got != c.out && !(c.typ.Kind == graph.Null && got == "$-1") {
			t.Errorf("%s: %q comes back as %q, not %q", c.typ, c.in, got, c.out)
		}
	}
}

func TestAListOfStringsAtTheEndIsTheWordsThatAreLeft(t *testing.T) {
	p := &graph.Program{Args: []graph.Arg{{Name: "n", Type: graph.Of(graph.Int)}, {Name: "l", Type: graph.ListOf(graph.Of(graph.String))}}, Body: block(returns(arg(1)))}
	for _, args := range [][]string{{"1"}, {"1", ""}, {"1", "a", "b\x00", "c"}} {
		want := fmt.Sprintf("*%d", len(args)-1)
		for _, word := range args[1:] {
			want += " " + bulk(word)
		}
		if got := running(t, p, &fake{}, nil, args); got != want {
			t.Errorf("%q comes back as %q, not %q", args, got, want)
		}
	}
	if got := running(t, p, &fake{}, nil, nil); got != "-ERR script: call: 0 arguments instead of 1" {
		t.Errorf("without the first, the reply is %q", got)
	}
}

func TestKeysAndArgumentsAreCounted(t *testing.T) {
	one := &graph.Program{Keys: []graph.Key{{Name: "k"}}, Args: []graph.Arg{{Name: "a"}}, Body: block(returns(none()))}
	many := &graph.Program{Keys: []graph.Key{{Name: "k"}, {Name: "more", Many: true}}, Body: block(returns(on(graph.OpKeyCount, 1)))}
	for _, c := range []struct {
		p          *graph.Program
		keys, args []string
		want       string
	}{
		{one, nil, []string{"1"}, "-ERR script: call: 0 keys instead of 1"},
		{one, []string{"a", "b"}, []string{"1"}, "-ERR script: call: 2 keys instead of 1"},
		{one, []string{"a"}, nil, "-ERR script: call: 0 arguments instead of 1"},
		{many, nil, nil, "-ERR script: call: 0 keys instead of 1 or more"},
		{many, []string{"a"}, nil, ":0"},
		{many, []string{"a", "b", "c"}, nil, ":2"},
	} {
		if got := running(t, c.p, &fake{}, c.keys, c.args); got != c.want {
			t.Errorf("%d keys, %d arguments: %q, not %q", len(c.keys), len(c.args), got, c.want)
		}
	}
}

func TestConversionsFailWithoutWhatIsWanted(t *testing.T) {
	for i, c := range []struct {
		e    *node
		want string
	}{
		{fn("upper", fn("at", listing(str("a")), integers(1))), "-ERR script: null: null where String is wanted"},
		{fn("upper", json("1")), "-ERR script: type: a number where String is wanted"},
		{fn("mod", json("1.5"), integers(1)), "-ERR script: type: a number where Int is wanted"},
		{fn("mod", json("null"), integers(1)), "-ERR script: null: null where Int is wanted"},
		{fn("at", json("{}"), integers(0)), "-ERR script: type: a map where List(Any) is wanted"},
		{fn("sorted", json(`["a",1]`)), "-ERR script: type: a number where String is wanted"},
		{fn("sorted", listing(str("a"), none())), "-ERR script: null: null where String is wanted"},
		{fn("keys", json(`{"a":1}`)), "*1 $1 a"},
	} {
		if got := result(t, c.e); got != c.want {
			t.Errorf("case %d: %q, not %q", i, got, c.want)
		}
	}
}

func TestATraceTellsWhatHappened(t *testing.T) {
	p := &graph.Program{Traced: true, Vars: []graph.Var{{Name: "a"}}, Body: block(
		on(graph.OpVarDef, 0, floats(math.Inf(1))),
		nodeOf(graph.OpIf, truth(true), block(on(graph.OpAssign, 0, floats(2)))),
		does(call("X", graph.ReplyInt)), returns(variable(0)))}
	got := running(t, p, &fake{replies: map[string]string{"X": "-ERR no\r\n"}}, nil, nil)
	want := "*3 " + bulk(`[[0,"script: nan: JSON has no infinities"],[2,true],[1,2]]`) + " :0 " + bulk("ERR no")
	if got != want {
		t.Errorf("%q, not %q", got, want)
	}
	p = &graph.Program{Traced: true, Vars: []graph.Var{{Name: "a"}}, Body: block(on(graph.OpVarDef, 0, integers(0)),
		nodeOf(graph.OpWhile, fn("lt", variable(0), integers(20_000)), block(on(graph.OpAssign, 0, fn("add", variable(0), integers(1))))), returns(none()))}
	if got := strings.Count(running(t, p, &fake{}, nil, nil), ",") - 1; got != 2*maxRecords-2 {
		t.Errorf("the trace of many steps has %d commas", got)
	}
}

func TestARunHasLimits(t *testing.T) {
	turning := nodeOf(graph.OpWhile, truth(true), block())
	for _, steps := range []uint64{1, 1023, 1024, 1025, 5000} {
		h := &fake{}
		want := fmt.Sprintf("-ERR script: steps: more than %d turns of loops", steps)
		if got := running(t, &graph.Program{Steps: steps, Body: block(turning)}, h, nil, nil); got != want {
			t.Errorf("%q, not %q", got, want)
		}
		if h.checks != int((steps-1)/checkEvery) {
			t.Errorf("of %d turns the host is asked %d times", steps, h.checks)
		}
	}
	n := &graph.Program{Steps: 3, Vars: []graph.Var{{Name: "e"}}, Body: block(each(-1, 0, json("[1,2,3]"), block()), returns(integers(1)))}
	if got := running(t, n, &fake{}, nil, nil); got != ":1" {
		t.Errorf("as many turns as there may be: %q", got)
	}
	if got := running(t, &graph.Program{Body: block(turning)}, &fake{ends: 3}, nil, nil); got != "-ERR that is enough" {
		t.Errorf("a host that ends it: %q", got)
	}
}

func TestNothingMakesTheStackOverflow(t *testing.T) {
	nest := func(i int) []*node {
		return []*node{on(graph.OpVarDef, i, json("[]")), on(graph.OpVarDef, i+1, integers(0)),
			nodeOf(graph.OpWhile, fn("lt", variable(i+1), integers(100_000)), block(on(graph.OpAssign, i, listing(variable(i))), on(graph.OpAssign, i+1, fn("add", variable(i+1), integers(1)))))}
	}
	if got := result(t, fn("eq", variable(0), variable(2)), append(nest(0), nest(2)...)...); got != "-ERR script: depth: nested deeper than 100" {
		t.Errorf("comparing: %q", got)
	}
	if got := result(t, fn("to_json", variable(0)), nest(0)...); got != "-ERR script: depth: nested deeper than 100" {
		t.Errorf("JSON: %q", got)
	}
}

func TestTooMuchMemoryEndsARun(t *testing.T) {
	p := &graph.Program{Vars: []graph.Var{{Name: "l"}, {Name: "s"}}, Body: block(
		on(graph.OpVarDef, 0, listing()), on(graph.OpVarDef, 1, str("x")),
		nodeOf(graph.OpWhile, truth(true), block(on(graph.OpAssign, 0, listing(variable(0), fn("repeat", variable(1), integers(64<<20)))))))}
	p.Vars[0] = graph.Var{Name: "l", Typed: true, Type: graph.ListOf(graph.Type{})}
	if got := running(t, p, &fake{}, nil, nil); got != "-ERR script: memory: more than a script may have" {
		t.Errorf("%q", got)
	}
}

func TestAPanicOfTheHostGoesThrough(t *testing.T) {
	p := compiled(t, &graph.Program{Body: block(does(call("X", graph.ReplyBool)), returns(none()))})
	defer func() {
		if r := recover(); r == nil {
			t.Error("it is gone")
		}
	}()
	p.Run(nil, nil, nil, &resp.Writer{})
}

func TestFramesAreUsedAgainWithoutWhatWasInThem(t *testing.T) {
	p := compiled(t, &graph.Program{Args: []graph.Arg{{Name: "a", Type: graph.Of(graph.String)}}, Body: block(
		returns(fn("concat", arg(0), fn("upper", arg(0)))))})
	for i := range 3000 {
		w := &resp.Writer{}
		s := strings.Repeat("a", i%700)
		p.Run(&fake{p: p}, nil, [][]byte{[]byte(s)}, w)
		if want := fmt.Sprintf("$%d\r\n%s\r\n", 2*len(s), s+strings.ToUpper(s)); string(w.Buf) != want {
			t.Fatalf("run %d: %q", i, w.Buf)
		}
	}
}
