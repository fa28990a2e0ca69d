// Random expressions.
package script

import (
	"github.com/redbud-go/redbud/internal/graph"
)

var (
	boolean    = graph.Of(graph.Bool)
	integer    = graph.Of(graph.Int)
	float      = graph.Of(graph.Float)
	number     = graph.Of(graph.Number)
	str        = graph.Of(graph.String)
	strs       = graph.ListOf(str)
	anything   = graph.Type{}
	maybeStr   = str.Optional()
	maybeStrs  = strs.Optional()
	maybeFloat = float.Optional()
	scored     = graph.ReplyScored.Type()
	entries    = graph.ReplyEntries.Type()
)

// expr is an expression of a type, or one that may turn out not to be of it.
func (g *gen) expr(t graph.Type, depth int) Expr {
	g.budget--
	if depth <= 0 || g.budget < 0 {
		return g.leaf(t)
	}
	if g.odds(12) {
		return g.loose(t, depth-1)
	}
	switch kind := g.n(10); {
	case kind < 3:
		return g.leaf(t)
	case kind < 7 || g.flat:
		if m := givers(g.functions, func(m *function) bool { return m.can(t) }); len(m) > 0 {
			return pick(g, m...).make(g, t, depth-1)
		}
	default:
		if c := givers(g.commands, func(c *call) bool { return t.Covers(c.t) }); len(c) > 0 {
			return g.call(pick(g, c...))
		}
	}
	return g.leaf(t)
}

func givers[T any](all []T, can func(T) bool) (some []T) {
	for _, x := range all {
		if can(x) {
			some = append(some, x)
		}
	}
	return some
}

// loose is an expression of which Check does not know that it is of the type.
func (g *gen) loose(t graph.Type, depth int) Expr {
	if g.wild && g.odds(3) {
		return g.opaque(anything, depth)
	}
	if g.odds(2) {
		return Value([]any{g.expr(t, depth), nil}).At(0)
	}
	return g.opaque(t, depth)
}

// opaque is an expression of which Check knows nothing.
func (g *gen) opaque(t graph.Type, depth int) Expr {
	x := g.expr(t, depth)
	switch g.n(3) {
	case 0:
		return g.list(anything, []any{x}).At(0)
	case 1:
		return x.ToJSON().FromJSON()
	}
	return g.b.expr(&graph.Node{Op: graph.OpMap, Type: graph.MapOf(anything), Kids: []*graph.Node{Value("x").n, x.n}}).Get("x")
}

// function makes expressions of the types that it can.
type function struct {
	can  func(t graph.Type) bool
	make func(g *gen, t graph.Type, depth int) Expr
}

// gives are the types that cover a type.
func gives(r graph.Type) func(graph.Type) bool {
	return func(t graph.Type) bool { return t.Covers(r) }
}

// always makes expressions of one type, of operands of others.
func always(name string, result graph.Type, operands ...graph.Type) *function {
	return &function{gives(result), func(g *gen, _ graph.Type, depth int) Expr {
		args := make([]any, len(operands))
		for i, t := range operands {
			args[i] = g.expr(t, depth)
		}
		return g.b.apply(name, args...)
	}}
}

// arithmetic makes the kinds of numbers, of operands of such.
func arithmetic(name string, operands int) *function {
	return &function{
		func(t graph.Type) bool { return t.Covers(integer) || t.Covers(float) },
		func(g *gen, t graph.Type, depth int) Expr {
			kinds := givers([]graph.Type{integer, float, number}, func(r graph.Type) bool { return t.Covers(r) })
			t = pick(g, kinds...)
			args := []any{g.expr(t, depth)}
			if operands == 2 {
				if t.Kind == graph.Float && g.odds(2) {
					t = number
				}
				args = append(args, g.expr(t, depth))
			}
			return g.b.apply(name, args...)
		},
	}
}

// division is mostly by what is not zero.
func division(name string, t graph.Type) *function {
	result := integer
	if name == "div" {
		result = float
	}
	return &function{gives(result), func(g *gen, _ graph.Type, depth int) Expr {
		by := Value(pick(g, 1, 3, -2, 7, -1))
		if g.odds(8) {
			by = g.expr(t, depth)
		}
		return g.b.apply(name, g.expr(t, depth), by)
	}}
}

func order(name string) *function {
	return &function{gives(boolean), func(g *gen, _ graph.Type, depth int) Expr {
		t := pick(g, number, str, integer, float)
		return g.b.apply(name, g.expr(t, depth), g.expr(t, depth))
	}}
}

// equality is of anything, the same twice at times.
func equality(name string) *function {
	return &function{gives(boolean), func(g *gen, _ graph.Type, depth int) Expr {
		t := g.typ(2)
		switch g.n(4) {
		case 0:
			return g.b.apply(name, g.expr(t, depth), g.expr(t, depth))
		case 1:
			return g.b.apply(name, g.expr(t, depth), nil)
		case 2:
			return g.b.apply(name, g.expr(t, depth), g.expr(g.typ(2), depth))
		}
		x := g.leaf(t)
		return g.b.apply(name, x, x.ToJSON().FromJSON())
	}}
}

var functions = []*function{
	equality("eq"), equality("ne"), order("lt"), order("le"), order("gt"), order("ge"),
	arithmetic("add", 2), arithmetic("sub", 2), arithmetic("mul", 2), arithmetic("min", 2), arithmetic("max", 2), arithmetic("neg", 1), arithmetic("abs", 1),
	division("div", number), division("intdiv", integer), division("mod", integer),
	always("floor", integer, number), always("ceil", integer, number),

	{gives(boolean), func(g *gen, _ graph.Type, depth int) Expr { return g.condition(depth).Not() }},
	{gives(boolean), func(g *gen, _ graph.Type, depth int) Expr { return g.condition(depth).IsNull() }},
	{gives(boolean), func(g *gen, _ graph.Type, depth int) Expr { return g.b.Now().Gt(1_600_000_000_000) }},
	{gives(anything), func(g *gen, t graph.Type, depth int) Expr {
		return g.expr(g.typ(1), depth).And(g.expr(g.typ(1), depth))
	}},
	{gives(boolean), func(g *gen, _ graph.Type, depth int) Expr { return g.expr(boolean, depth).And(g.expr(boolean, depth)) }},
	{func(t graph.Type) bool { return t.Opt && t.Kind != graph.Bool }, func(g *gen, t graph.Type, depth int) Expr {
		return g.expr(t, depth).And(g.expr(t, depth))
	}},
	{func(graph.Type) bool { return true }, func(g *gen, t graph.Type, depth int) Expr {
		return g.expr(t.Optional(), depth).Or(g.expr(t, depth))
	}},
	{func(graph.Type) bool { return true }, func(g *gen, t graph.Type, depth int) Expr {
		return g.expr(t.Optional(), depth).Or(g.expr(t, depth))
	}},

	{gives(str), func(g *gen, _ graph.Type, depth int) Expr { return g.texty(depth).Text() }},
	{gives(str), func(g *gen, _ graph.Type, depth int) Expr {
		parts := []any{g.texty(depth)}
		for range g.few() {
			parts = append(parts, g.texty(depth))
		}
		return Concat(parts...)
	}},
	{gives(integer), func(g *gen, _ graph.Type, depth int) Expr { return g.spelled(depth, integer).Int() }},
	{gives(float), func(g *gen, _ graph.Type, depth int) Expr { return g.spelled(depth, number).Float() }},
	{gives(integer), func(g *gen, _ graph.Type, depth int) Expr { return g.texty(depth).Text().ParseInt().Or(1) }},
	{gives(float), func(g *gen, _ graph.Type, depth int) Expr { return g.texty(depth).Text().ParseFloat().Or(0.5) }},
	{gives(integer), func(g *gen, _ graph.Type, depth int) Expr { return g.expr(str, depth).Find(g.part()).Or(-1) }},
	always("parse_int", integer.Optional(), str), always("parse_float", float.Optional(), str),
	always("type", str, anything),
	{gives(integer), func(g *gen, _ graph.Type, depth int) Expr {
		return g.expr(pick(g, str, graph.ListOf(g.typ(1)), graph.MapOf(g.typ(1))), depth).Len()
	}},
	{graph.Type.Nullable, func(g *gen, t graph.Type, depth int) Expr {
		return g.expr(graph.ListOf(g.elem(t)), depth).At(g.expr(integer, depth))
	}},
	{graph.Type.Nullable, func(g *gen, t graph.Type, depth int) Expr {
		m := g.expr(graph.MapOf(g.elem(t)), depth)
		return m.Get(g.mapKey(m, depth))
	}},
	{gives(boolean), func(g *gen, _ graph.Type, depth int) Expr {
		m := g.leaf(graph.MapOf(g.typ(1)))
		return m.Has(g.mapKey(m, depth))
	}},
	{gives(strs), func(g *gen, _ graph.Type, depth int) Expr { return g.expr(graph.MapOf(g.typ(1)), depth).Keys() }},
	always("sorted", strs, strs),
	{func(t graph.Type) bool { return t.Is(graph.List, graph.Any) }, func(g *gen, t graph.Type, depth int) Expr {
		if t.Kind == graph.Any {
			t = graph.ListOf(g.typ(1))
		}
		x := g.expr(t.Required(), depth)
		if g.odds(2) {
			return x.Sublist(g.expr(integer, depth))
		}
		return x.SublistTo(g.expr(integer, depth), g.expr(integer, depth))
	}},
	{func(t graph.Type) bool { return t.Is(graph.Map, graph.Any) }, func(g *gen, t graph.Type, depth int) Expr {
		if t.Kind == graph.Any {
			t = graph.MapOf(g.typ(1))
		}
		var keys, values []any
		for range g.n(4) {
			keys, values = append(keys, g.expr(str, depth)), append(values, g.expr(*t.Elem, depth))
		}
		if g.odds(12) {
			keys = append(keys, "more")
		}
		return Zip(g.list(str, keys), g.list(*t.Elem, values))
	}},

	{gives(str), func(g *gen, _ graph.Type, depth int) Expr {
		x := g.expr(str, depth)
		if g.odds(2) {
			return x.Slice(g.expr(integer, depth))
		}
		return x.SliceTo(g.expr(integer, depth), g.expr(integer, depth))
	}},
	{gives(integer.Optional()), func(g *gen, _ graph.Type, depth int) Expr {
		x := g.expr(str, depth)
		if g.odds(2) {
			return x.Find(g.part())
		}
		return x.FindFrom(g.part(), g.expr(integer, depth))
	}},
	{gives(boolean), func(g *gen, _ graph.Type, depth int) Expr { return g.expr(str, depth).HasPrefix(g.part()) }},
	{gives(boolean), func(g *gen, _ graph.Type, depth int) Expr { return g.expr(str, depth).HasSuffix(g.part()) }},
	always("upper", str, str), always("lower", str, str),
	{gives(strs), func(g *gen, _ graph.Type, depth int) Expr { return g.expr(str, depth).Split(g.part()) }},
	{gives(str), func(g *gen, _ graph.Type, depth int) Expr {
		t := pick(g, str, integer, float, boolean, number)
		if g.wild {
			t = g.typ(1)
		}
		return g.expr(graph.ListOf(t), depth).Join(g.part())
	}},
	{gives(str), func(g *gen, _ graph.Type, depth int) Expr { return g.expr(str, depth).Replace(g.part(), g.part()) }},
	{gives(str), func(g *gen, _ graph.Type, depth int) Expr {
		if g.wild && g.odds(8) {
			return g.expr(str, depth).Repeat(pick(g, int64(1)<<40, graph.MaxExact, 600<<20))
		}
		return g.expr(str, depth).Repeat(Min(g.expr(integer, depth), 4))
	}},

	{gives(str), func(g *gen, _ graph.Type, depth int) Expr { return g.expr(g.typ(2), depth).ToJSON() }},
	{gives(anything), func(g *gen, _ graph.Type, depth int) Expr {
		if g.odds(3) {
			return g.expr(str, depth).FromJSON()
		}
		return Value(pick(g, jsons...)).FromJSON()
	}},
	{gives(str), func(g *gen, _ graph.Type, depth int) Expr { return g.keyed(pick(g, kinds...)).Name() }},
	{gives(integer), func(g *gen, _ graph.Type, depth int) Expr {
		if g.many == nil {
			return g.leaf(integer)
		}
		return g.many.Len()
	}},
}

// elem is a type whose elements are of type t, or null.
func (g *gen) elem(t graph.Type) graph.Type {
	if g.odds(2) {
		return t.Required()
	}
	return t
}

// mapKey is a key that may be in a map.
func (g *gen) mapKey(m Expr, depth int) Expr {
	if g.odds(2) || m.n.Op != graph.OpVar && m.n.Op != graph.OpArg {
		return g.expr(str, depth)
	}
	return m.Keys().At(g.n(3)).Or("a")
}

// list is a list of expressions.
func (g *gen) list(elem graph.Type, kids []any) Expr {
	n := &graph.Node{Op: graph.OpList, Type: graph.ListOf(elem)}
	for _, kid := range kids {
		n.Kids = append(n.Kids, g.b.lift(kid))
	}
	return g.b.expr(n)
}

// texty is what has a text.
func (g *gen) texty(depth int) Expr {
	t := pick(g, str, integer, float, number, boolean)
	if g.wild && g.odds(4) {
		return g.opaque(pick(g, anything, t.Optional()), depth)
	}
	return g.expr(t, depth)
}

// spelled is what function int or float takes, mostly.
func (g *gen) spelled(depth int, t graph.Type) Expr {
	switch g.n(4) {
	case 0:
		return Value(pick(g, "0", "-7", "12", "007", "9007199254740993", "-9223372036854775808"))
	case 1:
		return g.expr(t, depth).Text()
	case 2:
		return g.expr(pick(g, str, anything), depth).ToJSON().Len()
	}
	if g.wild {
		return g.opaque(pick(g, str, anything), depth)
	}
	return g.expr(t, depth)
}

// part is a short string that may be in another, and is rarely empty.
func (g *gen) part() Expr {
	if g.odds(8) {
		return g.leaf(str).SliceTo(0, 3)
	}
	return Value(pick(g, "a", "X", "b", "\x00", ".", "%", "1", "]]", "é", "aa", " "))
}
