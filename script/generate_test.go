// Random programs: what the two back ends are compared by. An expression is drawn for a type, from the functions and commands that
// give one, so that nearly all programs pass Check; the wild ones put any value where another is wanted, and fail when they run.
package script

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/redbud-go/redbud/internal/graph"
)

// sample is a program with what a run of it gets.
type sample struct {
	program *Program
	fill    [][]any // the commands that fill its keys
	keys    KeyNames
	args    ArgValues
	traced  bool            // run so that it tells what it does
	calls   map[string]bool // the commands that were drawn, by the methods that build them
}

// GoString is how a failure shows it.
func (s *sample) GoString() string {
	var b strings.Builder
	for _, words := range s.fill {
		fmt.Fprintf(&b, "> %q\n", words)
	}
	fmt.Fprintf(&b, "keys %q\nargs %#v\n%s\n%s", s.keys, s.args, s.program.Lua(), s.program.Dot())
	return b.String()
}

// samples draws samples.
var samples = rapid.Custom(func(t *rapid.T) *sample {
	g := &gen{
		t: t, b: New("random"), out: &sample{keys: KeyNames{}, args: ArgValues{}, calls: map[string]bool{}}, budget: 150,
		functions: functions, commands: commands, nested: nested,
	}
	g.wild = g.odds(3)
	if g.odds(5) { // the keys of which there are any number come last
		for _, kind := range append(kinds, "one", "lex") {
			for i := range keysOfKind {
				g.keyOf(fmt.Sprint(kind, i), kind)
			}
		}
		g.declareMany()
	}
	if !g.block(2, 8) {
		g.b.Return(g.result())
	}
	if g.odds(2) && !writes(g.b.p.Body) {
		g.b.ReadOnly()
	}
	g.out.traced = g.odds(10)
	p, err := g.b.Compile()
	if err != nil {
		t.Fatalf("what should be well typed is not: %v", err)
	}
	g.out.program = p
	return g.out
})

func writes(n *graph.Node) bool { return n.Write || slices.ContainsFunc(n.Kids, writes) }

type gen struct {
	t      *rapid.T
	b      *Builder
	out    *sample
	keys   map[string]Key
	many   *Keys
	vars   []*variable // those that can be seen, each of which has a value
	count  int         // of variables
	loops  int         // that enclose this place
	budget int         // of expressions: a program that has used it up gets small ones
	wild   bool
	flat   bool // no variables with lists and maps, which would double with each turn of a loop

	functions []*function
	commands  []*call
	nested    []func(g *gen, depth int) (over bool)
}

type variable struct {
	l     *Local
	t     graph.Type
	fixed bool // not to be assigned or changed
}

// n is a number below k. Smaller ones are simpler.
func (g *gen) n(k int) int { return int(below[k].Draw(g.t, "")) }

// below are the generators of numbers below their index.
var below = func() (all [128]*rapid.Generator[uint64]) {
	for i := range all {
		all[i] = rapid.Uint64Max(uint64(max(i, 1) - 1))
	}
	return all
}()

// odds is true once in about k times.
func (g *gen) odds(k int) bool { return g.n(k) == k-1 }

// few is how many there are of something; rarely more than Lua puts into one expression.
func (g *gen) few() int {
	if g.odds(60) && g.loops == 0 {
		return 30 + g.n(40)
	}
	return g.n(4)
}

func pick[T any](g *gen, from ...T) T { return from[g.n(len(from))] }

// Types.

func (g *gen) typ(depth int) graph.Type {
	basic := []graph.Kind{graph.Int, graph.String, graph.Any, graph.Float, graph.Bool, graph.Number, graph.List, graph.Map}
	if depth == 0 {
		basic = basic[:6]
	}
	t := graph.Of(pick(g, basic...))
	if t.Is(graph.List, graph.Map) {
		elem := g.typ(depth - 1)
		t.Elem = &elem
	}
	if g.odds(6) {
		t = t.Optional()
	}
	return t
}

// Values.

var (
	texts = []string{
		"a", "b", "c", "", "10", "-7", "2.5", "field", "aXbXc", "x y", "\x00", "a\"b'", `\`, "]]", "]==]", "a\nb\r\n", "\xff\xfe", "é", "[1,2]", `{"a":1}`, " 5", "+5", "0x10",
		"nan", "inf", "-inf", "1e300", "1e400", "007", "-0", "--", "%d", "%s%", "9007199254740991", "9007199254740993", "-9007199254740993", "9223372036854775807", "-9223372036854775808",
		"9223372036854775808", "true", "null", "ÀÉ", "AbC", "\t", "..", "(1", "[a", "+", "-", "$", "5-1", "0",
	}
	jsons = []string{
		"1", "[]", "{}", "null", `"a"`, "[1,2.5,\"x\",null,true]", `{"b":[],"a":{"c":{}}}`, " [ 1 , 2 ] ", "9007199254740993", "-9223372036854775808", "18446744073709551616", "1e2", "-0", "1e400",
		"-0.0", "0.1", `"\ud83d\ude00\ud800\u0000\/"`, "\"\xff\"", `{"a":1,"a":2}`, `{"":[[]]}`, "[1", "01", "1 2", "{\"a\"}", "tru", "", "\"\n\"", "[1,]", "nan", strings.Repeat("[", 100) + strings.Repeat("]", 100), strings.Repeat("[", 101) + strings.Repeat("]", 101),
	}
	edges = []int64{
		graph.MaxExact, -graph.MaxExact, graph.MaxExact + 1, -graph.MaxExact - 1, graph.MaxExact + 2, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, 1 << 31, -1 << 31, 1 << 32, 1 << 62, 1e15, 1e17,
	}
	fractions = []float64{
		0.5, 2, -2.5, 0, math.Copysign(0, -1), 0.1 + 0.2, 1e300, -1e300, 5e-324, math.Inf(1), math.Inf(-1), 1e15, 1e16, 1e17, 1 << 53, -1 << 53, 1<<53 - 1, 1 << 63, 123456789012345.6, 1e21, 1e-7, 1.0 / 3,
	}
)

func (g *gen) text() string {
	if g.odds(20) {
		return string(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(g.t, ""))
	}
	return pick(g, texts...)
}

func (g *gen) integer() int64 {
	if g.odds(40) || g.wild && g.odds(6) {
		return pick(g, edges...)
	}
	return int64(g.n(16)) - 4
}

func (g *gen) float() float64 {
	if g.wild {
		return pick(g, fractions...)
	}
	return pick(g, fractions[:6]...)
}

// value is a value of Go of a type.
func (g *gen) value(t graph.Type, depth int) any {
	if t.Nullable() && g.odds(4) {
		return nil
	}
	switch t.Kind {
	case graph.Bool:
		return g.odds(2)
	case graph.Int:
		return g.integer()
	case graph.Float:
		return g.float()
	case graph.Number:
		return pick(g, any(g.integer()), any(g.float()))
	case graph.String:
		return g.text()
	case graph.List:
		list := []any{}
		for range g.n(4) {
			list = append(list, g.value(*t.Elem, depth-1))
		}
		return list
	case graph.Map:
		m := map[string]any{}
		for range g.n(4) {
			m[g.text()] = g.value(*t.Elem, depth-1)
		}
		return m
	}
	return g.value(g.typ(max(0, depth)), depth-1)
}

// Leaves.

// literal writes a value of a type down.
func (g *gen) literal(t graph.Type) Expr {
	if t.Nullable() && g.odds(4) {
		return Value(nil)
	}
	switch t.Kind {
	case graph.List, graph.Map:
		n := &graph.Node{Op: graph.OpList, Type: t.Required()}
		size := g.few()
		if size == 0 && g.odds(2) {
			n.Type = graph.Type{} // nothing tells what its elements would be
		}
		if t.Kind == graph.Map {
			n.Op = graph.OpMap
		}
		for range size {
			if t.Kind == graph.Map {
				n.Kids = append(n.Kids, Value(g.text()).n)
			}
			n.Kids = append(n.Kids, g.leaf(*t.Elem).n)
		}
		return g.b.expr(n)
	case graph.Any:
		return g.literal(g.typ(1))
	}
	return Value(g.value(t, 0))
}

// leaf is a literal, a variable or an argument.
func (g *gen) leaf(t graph.Type) Expr {
	switch g.n(4) {
	case 1, 2:
		if v := g.variable(func(v *variable) bool { return t.Covers(v.t) && !(g.flat && v.t.Container()) }); v != nil {
			return v.l.Expr
		}
	case 3:
		if x, ok := g.arg(t); ok {
			return x
		}
	}
	return g.literal(t)
}

// variable is one of those that can be seen; nil: none will do.
func (g *gen) variable(may func(*variable) bool) *variable {
	var some []*variable
	for _, v := range g.vars {
		if may(v) {
			some = append(some, v)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some[len(some)-1-g.n(len(some))]
}

// arg is an argument.
func (g *gen) arg(t graph.Type) (_ Expr, ok bool) {
	args := g.b.p.Args
	if i := slices.IndexFunc(args, func(a graph.Arg) bool { return t.Covers(a.Type) }); i >= 0 && g.odds(2) {
		return g.b.expr(&graph.Node{Op: graph.OpArg, N: i}), true
	}
	if len(args) == 6 {
		return Expr{}, false
	}
	name := fmt.Sprint("arg ", len(args))
	v := g.value(t, 2)
	if _, err := encode(v, t, false); err != nil { // an infinity in a list
		return Expr{}, false
	}
	if v != nil || g.odds(2) {
		g.out.args[name] = v
	}
	return g.b.Arg(name, Type{t}), true
}

// Statements.

// block draws statements, up to so many, and reports whether nothing gets to its end.
func (g *gen) block(depth, most int) (over bool) {
	outer := len(g.vars)
	defer func() { g.vars = g.vars[:outer] }()
	t := g.t
	defer func() { g.t = t }()
	// Each statement is drawn by a generator of its own, so that a failure can do without it.
	next := rapid.Custom(func(inner *rapid.T) bool {
		g.t = inner
		if g.n(8) == 0 {
			return false
		}
		over = g.statement(depth)
		return true
	})
	for i := 0; i < most && !over && next.Draw(t, ""); i++ {
	}
	return over
}

// inside draws the block of a statement.
func (g *gen) inside(depth int, over *bool, before ...func()) func() {
	return func() {
		for _, f := range before {
			f()
		}
		end := g.block(depth-1, 4)
		if over != nil {
			*over = *over && end
		}
	}
}

func (g *gen) statement(depth int) (over bool) {
	most := len(simple) + len(g.nested)
	if depth == 0 {
		most = len(simple)
	}
	i := g.n(most)
	if i < len(simple) {
		simple[i](g)
		return false
	}
	return g.nested[i-len(simple)](g, depth)
}

// simple are the statements without blocks. Those that are drawn more often come again.
var simple = []func(g *gen){
	(*gen).local, (*gen).do, (*gen).local, (*gen).assign, (*gen).change, (*gen).do, (*gen).change, (*gen).local, (*gen).copied, (*gen).log, (*gen).drop,
}

func (g *gen) name() string {
	g.count++
	if g.odds(10) {
		return pick(g, "end", "local", "redis", "a b", "é", "x\ny", "]]", "--", "1", "", "KEYS", "v\x00", "nil", "v1")
	}
	return fmt.Sprint("v", g.count)
}

func (g *gen) full() bool { return g.count >= 40 }

// see makes a variable known, until the block ends.
func (g *gen) see(l *Local, t graph.Type) *variable {
	v := &variable{l: l, t: t}
	g.vars = append(g.vars, v)
	return v
}

func (g *gen) local() {
	if g.full() {
		g.do()
		return
	}
	t := g.typ(2)
	switch g.n(4) {
	case 0:
		x := g.kept(t)
		g.see(g.b.LocalOf(g.name(), Type{t}, x), t)
	case 1: // its type is that of what it is declared with
		c := pick(g, g.commands...)
		g.see(g.b.Local(g.name(), g.call(c)), c.t)
	case 2: // it gets its value by another statement
		name := g.name()
		l := g.b.Declare(name, Type{t})
		if g.odds(2) {
			l.Assign(g.kept(t))
		} else {
			g.b.If(g.condition(2), func() { l.Assign(g.kept(t)) }).Else(func() { l.Assign(g.kept(t)) })
		}
		g.see(l, t)
	case 3:
		t = graph.Of(pick(g, graph.Int, graph.String, graph.Bool, graph.Float))
		g.see(g.b.Local(g.name(), g.value(t, 0)), t)
	}
}

// kept is an expression whose value a variable, list or map keeps. In loops it does not grow.
func (g *gen) kept(t graph.Type) Expr {
	if g.loops == 0 {
		return g.expr(t, 4)
	}
	if t.Container() {
		g.flat = true
		defer func() { g.flat = false }()
	}
	if t.Kind == graph.String && !t.Opt {
		return g.expr(t, 3).SliceTo(0, 60)
	}
	if t.Container() || t.Kind == graph.String {
		return g.leaf(t)
	}
	return g.expr(t, 3)
}

func (g *gen) assign() {
	v := g.variable(func(v *variable) bool { return !v.fixed })
	if v == nil {
		g.local()
		return
	}
	v.l.Assign(g.kept(v.t))
}

// change changes a list or map in place.
func (g *gen) change() {
	v := g.variable(func(v *variable) bool { return v.t.Is(graph.List, graph.Map) && !v.t.Opt && !v.fixed })
	if v == nil {
		t := pick(g, graph.ListOf, graph.MapOf)(g.typ(1))
		v = g.see(g.b.LocalOf(g.name(), Type{t}, g.kept(t)), t)
	}
	if g.loops > 1 { // a list may be walked that grows, and again
		g.b.If(v.l.Len().Lt(20), func() { g.changed(v) })
	} else {
		g.changed(v)
	}
}

func (g *gen) changed(v *variable) {
	elem := *v.t.Elem
	switch {
	case v.t.Kind == graph.List && g.odds(2):
		v.l.Append(g.kept(elem))
	case v.t.Kind == graph.List && g.odds(12):
		v.l.SetAt(g.expr(integer, 2), g.kept(elem))
	case v.t.Kind == graph.List:
		i := v.l.Len()
		if g.odds(2) {
			i = Max(i.Sub(1), 0)
		}
		v.l.SetAt(i, g.kept(elem))
	case g.odds(3):
		v.l.Remove(g.key(v.l.Expr))
	default:
		v.l.SetKey(g.expr(str, 2), g.kept(elem))
	}
}

// key is a key that may be in a map.
func (g *gen) key(m Expr) Expr {
	if g.odds(2) {
		return g.expr(str, 1)
	}
	return m.Keys().At(g.n(3)).Or(g.text())
}

// copied copies a list or map and changes one of the two.
func (g *gen) copied() {
	v := g.variable(func(v *variable) bool { return v.t.Is(graph.List, graph.Map) && !v.t.Opt && !v.fixed })
	if v == nil || g.full() || g.loops > 0 {
		g.change()
		return
	}
	g.see(g.b.Local(g.name(), v.l), v.t)
	g.change()
}

// drop evaluates an expression for nothing.
func (g *gen) drop() { g.b.Do(g.expr(g.typ(1), 3)) }

func (g *gen) log() {
	words := []any{g.expr(str, 2)}
	for range g.n(3) {
		words = append(words, g.texty(1))
	}
	g.b.Log(Level(g.n(4)), words...)
}

// do runs a command.
func (g *gen) do() { g.b.Do(g.call(pick(g, g.commands...))) }

// nested are the statements with blocks, and those that end one.
var nested = []func(g *gen, depth int) (over bool){
	(*gen).branch, (*gen).while, (*gen).each, (*gen).pairs, (*gen).branch, (*gen).whileThere, (*gen).each, (*gen).leave,
}

// branch may know of a variable that it is there.
func (g *gen) branch(depth int) (over bool) {
	yes, no := true, true
	v := g.variable(func(v *variable) bool { return v.t.Opt && !v.fixed })
	if v == nil || g.odds(2) {
		br := g.b.If(g.condition(3), g.inside(depth, &yes))
		switch g.n(3) {
		case 0:
			return false
		case 1:
			br.Else(g.inside(depth, &no))
		case 2:
			second := true
			br.ElseIf(g.condition(2), g.inside(depth, &second)).Else(g.inside(depth, &no))
			no = no && second
		}
		return yes && no
	}
	there := func() {
		g.vars = append(g.vars, &variable{v.l, v.t.Required(), true})
	}
	lost := func() {}
	var condition Expr
	switch g.n(5) {
	case 0:
		condition = v.l.Expr
	case 1:
		condition = v.l.NotNull()
	case 2:
		condition = v.l.And(g.condition(2))
	case 3:
		condition = g.condition(2).And(v.l.NotNull())
	case 4:
		condition, there, lost = v.l.IsNull().Or(g.condition(2)), lost, there
	}
	outer := len(g.vars)
	br := g.b.If(condition, g.inside(depth, &yes, there))
	g.vars = g.vars[:outer]
	br.Else(g.inside(depth, &no, lost))
	g.vars = g.vars[:outer]
	return yes && no
}

// turns draws the body of a loop.
func (g *gen) turns(depth int, before ...func()) (over bool) {
	outer := len(g.vars)
	over = true
	g.loops++
	g.inside(depth, &over, before...)()
	g.loops--
	g.vars = g.vars[:outer]
	return over
}

// counter declares a variable that a loop counts its turns with.
func (g *gen) counter() *variable {
	v := g.see(g.b.Local(g.name(), 0), integer)
	v.fixed = true
	return v
}

func (g *gen) while(depth int) bool {
	if g.full() {
		return g.branch(depth)
	}
	i, n := g.counter(), g.n(5)
	more := i.l.Lt(n)
	if g.odds(3) {
		more = more.And(g.condition(2))
	}
	if g.odds(3) {
		g.b.While(true, func() {
			i.l.Assign(i.l.Add(1))
			g.b.If(Not(more), g.b.Break)
			g.turns(depth)
		})
		return false
	}
	g.b.While(more, func() {
		i.l.Assign(i.l.Add(1))
		g.turns(depth)
	})
	return false
}

// whileThere empties a list, as far as its turns go.
func (g *gen) whileThere(depth int) bool {
	if g.full() {
		return g.branch(depth)
	}
	i := g.counter()
	l := g.keyed("list").List()
	v := g.see(g.b.Local(g.name(), l.LPop()), str.Optional())
	v.fixed = true
	g.b.While(v.l.And(i.l.Lt(3)), func() {
		i.l.Assign(i.l.Add(1))
		if !g.turns(depth, func() { g.vars = append(g.vars, &variable{v.l, str, true}) }) {
			v.l.Assign(l.LPop())
		}
	})
	return false
}

func (g *gen) each(depth int) bool {
	x, elem, fixed := g.walked(graph.ListOf(g.typ(1)))
	g.b.Each(x, func(index, item *Local) {
		g.turns(depth, func() { g.vars = append(g.vars, &variable{index, integer, false}, &variable{item, elem, fixed}) })
	})
	return false
}

func (g *gen) pairs(depth int) bool {
	x, elem, fixed := g.walked(graph.MapOf(g.typ(1)))
	g.b.Pairs(x, func(key, value *Local) {
		g.turns(depth, func() { g.vars = append(g.vars, &variable{key, str, false}, &variable{value, elem, fixed}) })
	})
	return false
}

// walked is a list or map to walk: a variable that the loop may change, if there is one. Of another expression it is not known
// which type exactly its elements have.
func (g *gen) walked(t graph.Type) (_ Expr, elem graph.Type, fixed bool) {
	if v := g.variable(func(v *variable) bool { return v.t.Kind == t.Kind && !v.t.Opt && !v.fixed }); v != nil {
		return v.l.Expr, *v.t.Elem, false
	}
	return g.expr(t, 3), *t.Elem, true
}

// leave ends the block.
func (g *gen) leave(int) bool {
	if g.loops > 0 && !g.odds(4) {
		g.b.Break()
	} else {
		g.b.Return(g.result())
	}
	return true
}

// result is what the program returns: all variables, mostly, so that nothing remains unseen.
func (g *gen) result() Expr {
	if len(g.vars) == 0 || g.odds(3) {
		return g.expr(g.typ(2), 4)
	}
	var all []any
	for _, v := range g.vars {
		all = append(all, v.l)
	}
	return Value(all)
}

// condition is an expression that an If may have.
func (g *gen) condition(depth int) Expr {
	if g.odds(4) {
		return g.expr(graph.Type{}, depth)
	}
	return g.expr(graph.Of(graph.Bool), depth)
}
