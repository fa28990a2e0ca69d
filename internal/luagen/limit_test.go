package luagen

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/graph"
)

// Whatever Check lets pass, Lua's compiler has to take, too.
func TestLuaTakesProgramsAtTheLimits(t *testing.T) {
	c := server(t)
	for name, test := range map[string]struct {
		p    *graph.Program
		keys int
		args []any
		want any
	}{
		"variables":                          {p: manyVariables(graph.MaxNames), want: int64(graph.MaxNames * (graph.MaxNames - 1) / 2)},
		"variables, traced":                  {p: tracing(manyVariables(graph.MaxNames))},
		"keys":                               {p: manyKeys(), keys: graph.MaxNames, want: strings.Repeat("k", graph.MaxNames)},
		"keys, traced":                       {p: tracing(manyKeys()), keys: graph.MaxNames},
		"arguments":                          {p: manyArguments(), args: repeated("7", graph.MaxNames), want: int64(7 * graph.MaxNames)},
		"arguments, traced":                  {p: tracing(manyArguments()), args: repeated("7", graph.MaxNames)},
		"every helper":                       {p: everyFunction(), want: "null"},
		"every helper, traced":               {p: tracing(everyFunction())},
		"loops":                              {p: nestedLoops(false), want: int64(30)},
		"loops with names":                   {p: nestedLoops(true), want: int64(30)},
		"loops, traced":                      {p: tracing(nestedLoops(true))},
		"branches":                           {p: nestedBranches(), want: int64(31)},
		"chains of else":                     {p: elseChain(), want: "last"},
		"texts of many":                      {p: value(fn("concat", many(6000)...)), want: strings.Repeat("1", 6000)},
		"a long list":                        {p: value(fn("len", list(many(9900)...))), want: int64(9900)},
		"a long map":                         {p: value(fn("len", dict(manyPairs(4900)...))), want: int64(4900)},
		"many statements":                    {p: manyStatements(false), want: int64(2490)},
		"many statements in a loop":          {p: manyStatements(true), want: int64(2490)},
		"many commands in a loop":            {p: manyCommands(num(1)), want: int64(9801)},
		"many commands that are taken apart": {p: manyCommands(deep()), want: int64(9801)},
		"a heavy condition":                  {p: heavyCondition(), want: int64(3)},
		"many words of the log":              {p: program(graph.Program{}, logged(0, many(5000)...), ret(num(1))), want: int64(1)},
		"a long string":                      {p: value(fn("len", str(strings.Repeat("x\x00", 1<<20)))), want: int64(2 << 20)},
		"a name that is long":                {p: program(graph.Program{Name: strings.Repeat("n", 100), Vars: vars(strings.Repeat("v", 5000))}, let(0, num(1)), ret(ref(0))), want: int64(1)},
	} {
		t.Run(name, func(t *testing.T) {
			if test.p.Name == "" {
				test.p.Name = name
			}
			var keys []string
			for range test.keys {
				keys = append(keys, "k")
			}
			c.FlushAll(t.Context())
			got := eval(t, c, test.p, keys, test.args...)
			if text, ok := got.(problem); ok {
				t.Fatalf("%s", text)
			}
			if traced, ok := got.([]any); ok && test.p.Traced && traced[1] != int64(1) {
				t.Fatalf("%s", traced[2])
			}
			if test.want != nil && !reflect.DeepEqual(got, test.want) {
				t.Errorf("%.200v, want %.200v", got, test.want)
			}
		})
	}
}

// The same for expressions, as deep as Check lets them pass: each is put into itself n times around a 0.
func TestLuaTakesDeepExpressions(t *testing.T) {
	c := server(t)
	for name, test := range map[string]struct {
		wrap func(x *node) *node
		want func(n int) any
	}{
		"sums to the left":  {func(x *node) *node { return fn("add", x, num(1)) }, func(n int) any { return int64(n) }},
		"sums to the right": {func(x *node) *node { return fn("add", num(1), x) }, func(n int) any { return int64(n) }},
		"unknown sums":      {func(x *node) *node { return fn("sub", fn("int", str("1")), x) }, func(n int) any { return int64(n % 2) }},
		"comparisons":       {func(x *node) *node { return fn("eq", num(1), fn("or", truth(false), x)) }, func(n int) any { return int64(0) }},
		"negations":         {func(x *node) *node { return fn("neg", x) }, func(n int) any { return int64(0) }},
		"nots":              {func(x *node) *node { return fn("not", x) }, func(n int) any { return int64(1 - n%2) }},
		"or of calls":       {func(x *node) *node { return fn("or", fn("get", dict(), str("x")), x) }, func(n int) any { return int64(0) }},
		"and of or":         {func(x *node) *node { return fn("and", fn("or", truth(false), num(1)), x) }, func(n int) any { return "0" }},
		"lists":             {func(x *node) *node { return list(x) }, func(n int) any { return strings.Repeat("[", n) + "0" + strings.Repeat("]", n) }},
		"lists of many":     {func(x *node) *node { return list(append(many(49), x)...) }, func(n int) any { return strings.Repeat("["+strings.Repeat("1,", 49), n) + "0" + strings.Repeat("]", n) }},
		"lists that are checked": {func(x *node) *node {
			return list(fn("len", fn("at", fn("from_json", fn("to_json", list(list(x)))), num(0))))
		}, func(int) any { return "[1]" }},
		"commands of many words": {func(x *node) *node {
			return cmd(graph.ReplyInt, "RPUSH", append([]*node{str("l")}, append(many(30), x)...)...)
		}, func(n int) any { return int64(31 * n) }},
		"maps":                      {func(x *node) *node { return dict(str("a"), num(1), str("b"), x) }, func(n int) any { return strings.Repeat(`{"a":1,"b":`, n) + "0" + strings.Repeat("}", n) }},
		"elements":                  {func(x *node) *node { return fn("at", fn("from_json", fn("to_json", list(x))), num(0)) }, func(n int) any { return "0" }},
		"texts":                     {func(x *node) *node { return fn("concat", str("a"), x) }, func(n int) any { return strings.Repeat("a", n) + "0" }},
		"texts to the left":         {func(x *node) *node { return fn("concat", x, str("a")) }, func(n int) any { return "0" + strings.Repeat("a", n) }},
		"replacements":              {func(x *node) *node { return fn("replace", str("a"), str("a"), fn("text", x)) }, func(n int) any { return "0" }},
		"commands":                  {func(x *node) *node { return cmd(graph.ReplyAny, "ECHO", fn("text", x)) }, func(n int) any { return `"0"` }},
		"commands that are counted": {func(x *node) *node { return cmd(graph.ReplyInt, "RPUSH", str("l"), str("a"), x) }, func(n int) any { return int64(2 * n) }},
	} {
		t.Run(name, func(t *testing.T) {
			p, n := nested(test.wrap)
			for _, p := range []*graph.Program{p, tracing(program(*p, p.Body.Kids...))} {
				c.FlushAll(t.Context())
				got := eval(t, c, p, nil)
				if traced, ok := got.([]any); ok && p.Traced {
					got = traced[2]
				}
				if want := test.want(n); !reflect.DeepEqual(got, want) {
					t.Errorf("%d times: %.300v, want %.300v", n, got, want)
				}
			}
		})
	}
}

// nested is a program that returns a 0 which is wrapped n times, as often as Check allows.
func nested(wrap func(*node) *node) (deepest *graph.Program, n int) {
	for x := num(0); ; n++ {
		p := value(x)
		if _, problems := graph.Check(p); len(problems) > 0 {
			return deepest, n - 1
		}
		deepest, x = p, wrap(x)
	}
}

func tracing(p *graph.Program) *graph.Program {
	p.Traced = true
	return p
}

func repeated(s string, n int) (all []any) {
	for range n {
		all = append(all, s)
	}
	return all
}

func many(n int) (all []*node) {
	for range n {
		all = append(all, num(1))
	}
	return all
}

func manyPairs(n int) (all []*node) {
	for i := range n {
		all = append(all, str(fmt.Sprint(i)), num(1))
	}
	return all
}

func manyVariables(n int) *graph.Program {
	p := &graph.Program{}
	var body []*node
	total := num(0)
	for i := range n {
		p.Vars = append(p.Vars, graph.Var{Name: fmt.Sprint("v", i)})
		body = append(body, let(i, num(int64(i))))
		if i%10 == 0 {
			body = append(body, run(fn("now")))
		}
	}
	for i := range n {
		body = append(body, when(fn("gt", num(0), ref(i)), block(set(i, num(1)))))
	}
	sums := make([]*node, 0, 10)
	for i := 0; i < n; i += 10 {
		s := num(0)
		for j := i; j < i+10; j++ {
			s = fn("add", s, ref(j))
		}
		sums = append(sums, s)
	}
	for _, s := range sums {
		total = fn("add", total, s)
	}
	return program(*p, append(body, ret(total))...)
}

func manyKeys() *graph.Program {
	p := graph.Program{}
	var all []*node
	for i := range graph.MaxNames {
		p.Keys = append(p.Keys, graph.Key{Name: fmt.Sprint("key", i)})
		all = append(all, key(i))
	}
	return program(p, ret(fn("concat", all...)))
}

func manyArguments() *graph.Program {
	p := graph.Program{}
	x := num(0)
	y := num(0)
	for i := range graph.MaxNames {
		p.Args = append(p.Args, graph.Arg{Name: fmt.Sprint("arg", i), Type: intType})
		if i%2 == 0 {
			x = fn("add", x, arg(i))
		} else {
			y = fn("add", y, arg(i))
		}
	}
	return program(p, ret(fn("add", x, y)))
}

// everyFunction uses all of the helpers that functions and shapes have, and as many variables as there may be.
func everyFunction() *graph.Program {
	p := graph.Program{}
	var body []*node
	for i := range graph.MaxNames {
		p.Vars = append(p.Vars, typed(fmt.Sprint("v", i), anyType))
		body = append(body, let(i, parsed("null")))
	}
	for i, x := range []*node{
		fn("add", parsed("1"), parsed("1")), fn("sub", parsed("1"), parsed("1")), fn("mul", parsed("1"), parsed("1")), fn("div", num(1), num(1)), fn("intdiv", num(1), num(1)), fn("mod", num(1), num(1)),
		fn("abs", num(1)), fn("min", num(1), num(1)), fn("max", num(1), num(1)), fn("floor", real(.5)), fn("ceil", real(.5)), fn("text", parsed("1")), asInt("1"), fn("float", str("1")), fn("parse_int", str("1")), fn("parse_float", str("1")),
		fn("type", num(1)), fn("len", parsed("[]")), fn("len", dict()), fn("at", parsed("[]"), num(0)), fn("get", parsed("{}"), str("")), fn("keys", dict()), fn("sorted", typedList(strType)), fn("sublist", list(), num(0)), fn("zip", typedList(strType), list()),
		fn("slice", str(""), num(0)), fn("find", str(""), str("")), fn("prefix", str(""), str("")), fn("suffix", str(""), str("")), fn("split", str(""), str("x")), fn("join", list(), str("")), fn("replace", str(""), str("x"), str("")), fn("repeat", str(""), num(1)),
		fn("to_json", null()), fn("now"), fn("lt", asInt("1"), asInt("2")), fn("lt", str(""), str("")), fn("lt", parsed("1"), parsed("2")), fn("eq", list(), list()), num(1 << 60), fn("add", real(.5), num(1)), list(null(), parsed("null")),
		cmd(graph.ReplyAny, "PING"), cmd(graph.ReplyInt, "INCR", str("n")), cmd(graph.ReplyCounter, "INCR", str("n")), cmd(graph.ReplyBool, "PING"), cmd(graph.ReplyString, "PING"), cmd(graph.ReplyMaybeString, "PING"), cmd(graph.ReplyFloat, "GET", str("n")),
		cmd(graph.ReplyMaybeFloat, "GET", str("n")), cmd(graph.ReplyStrings, "MGET", str("n")), cmd(graph.ReplyMaybeStrings, "MGET", str("n")), cmd(graph.ReplyEachMaybe, "MGET", str("n")), cmd(graph.ReplyBools, "SMISMEMBER", str("s"), str("m")),
		cmd(graph.ReplyMap, "HGETALL", str("h")), cmd(graph.ReplyScored, "ZRANGE", str("z"), num(0), num(1), str("WITHSCORES")), cmd(graph.ReplyEntries, "XRANGE", str("x"), str("-"), str("+")), cmd(graph.ReplyStream, "XREAD", str("STREAMS"), str("x"), num(0)), cmd(graph.ReplyType, "TYPE", str("x")),
		cmd(graph.ReplyInt, "DEL", spread(list(str("n"))), parsed("1")), fn("mod", asInt("1"), asInt("1")),
	} {
		body = append(body, set(i, x))
	}
	return program(p, append(body, ret(parsed("null")))...)
}

// nestedLoops is of as many loops in one another as there may be. All of their variables have names, or none.
func nestedLoops(named bool) *graph.Program {
	p := graph.Program{Vars: vars("n")}
	body := []*node{set(0, fn("add", ref(0), num(1)))}
	for range 30 {
		i, e := -1, -1
		if named {
			i = len(p.Vars)
			e = i + 1
			p.Vars = append(p.Vars, graph.Var{Name: fmt.Sprint("i", i)}, graph.Var{Name: fmt.Sprint("e", i)})
		}
		body = []*node{set(0, fn("add", ref(0), num(1))), each(i, e, list(num(1)), body...)}
	}
	for len(p.Vars) < graph.MaxNames {
		body = append([]*node{let(len(p.Vars), num(1))}, body...)
		p.Vars = append(p.Vars, graph.Var{Name: fmt.Sprint("v", len(p.Vars))})
	}
	return program(p, append([]*node{let(0, num(-1))}, append(body, ret(ref(0)))...)...)
}

func nestedBranches() *graph.Program {
	body := []*node{}
	for range 31 {
		body = []*node{set(0, fn("add", ref(0), num(1))), when(fn("gt", ref(0), num(0)), block(body...))}
	}
	return program(graph.Program{Vars: vars("n")}, append([]*node{let(0, num(0))}, append(body, ret(ref(0)))...)...)
}

func elseChain() *graph.Program {
	last := block(ret(str("last")))
	for i := range 30 {
		last = block(when(fn("eq", arg(0), num(int64(i))), block(ret(str("no"))), last))
	}
	p := program(graph.Program{Args: []graph.Arg{{Name: "a", Type: graph.Of(graph.Int)}}})
	p.Body = last
	p.Args = nil
	replace(p.Body, func(n *node) *node {
		if n.Op == graph.OpArg {
			return num(-1)
		}
		return n
	})
	return p
}

func replace(n *node, by func(*node) *node) {
	for i, kid := range n.Kids {
		n.Kids[i] = by(kid)
		replace(n.Kids[i], by)
	}
}

// manyStatements are nearly as many as there may be.
func manyStatements(loop bool) *graph.Program {
	var body []*node
	for range 2490 {
		body = append(body, set(0, fn("add", ref(0), num(1))))
	}
	if loop {
		body = []*node{while(truth(true), append(body, stop())...)}
	}
	return program(graph.Program{Vars: vars("n")}, append([]*node{let(0, num(0))}, append(body, ret(ref(0)))...)...)
}

// manyCommands is of as many commands as there may be, in a loop.
func manyCommands(last *node) *graph.Program {
	var pings []*node
	for range 9800 {
		pings = append(pings, cmd(graph.ReplyAny, "PING"))
	}
	return program(graph.Program{Vars: vars("n")}, let(0, num(0)), while(fn("eq", ref(0), num(0)), set(0, fn("len", list(append(pings, last)...)))), ret(ref(0)))
}

// deep is more than Lua's compiler takes at once.
func deep() *node {
	x := num(0)
	for range 50 {
		x = fn("add", num(0), x)
	}
	return x
}

// heavyCondition is of a loop whose condition Lua's compiler could not take at once.
func heavyCondition() *graph.Program {
	x := fn("sub", num(3), ref(0))
	for range 50 {
		x = fn("add", num(0), x)
	}
	return program(graph.Program{Vars: vars("n")}, let(0, num(0)), while(fn("gt", x, num(0)), set(0, fn("add", ref(0), num(1)))),
		when(fn("lt", num(5), ref(0)), block(ret(num(0))), block(when(fn("gt", fn("add", x, num(1)), num(0)), block(ret(ref(0)))))), ret(num(-1)))
}

// A text that is missing ends a program before what stands behind it is computed, whether Lua can take all of it at once or not.
func TestTextsAreMadeInOrder(t *testing.T) {
	c := server(t)
	heavy := fn("concat", str("a"))
	for range graph.MaxDepth - 10 {
		heavy = fn("concat", str("a"), heavy)
	}
	for name, statement := range map[string]func(parts ...*node) *node{
		"concat": func(parts ...*node) *node { return run(fn("concat", parts...)) },
		"command": func(parts ...*node) *node {
			return run(cmd(graph.ReplyInt, "RPUSH", append([]*node{str("l")}, parts...)...))
		},
		"log": func(parts ...*node) *node { return stmt(graph.OpLog, 0, parts...) },
	} {
		for _, more := range []*node{str("a"), heavy} {
			c.FlushAll(t.Context())
			p := program(graph.Program{Keys: []graph.Key{{Name: "k"}}}, statement(parsed("null"), cmd(graph.ReplyAny, "INCR", key(0)), more), ret(null()))
			got := eval(t, c, p, []string{"k"})
			if text, _ := got.(problem); !strings.HasPrefix(string(text), "script: null: ") || c.Exists(t.Context(), "k").Val() != 0 {
				t.Errorf("%s: %v, and the command has run %s times", name, got, c.Get(t.Context(), "k").Val())
			}
		}
	}
}
