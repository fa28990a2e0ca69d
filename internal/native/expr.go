package native

import (
	"fmt"

	"github.com/redbud-go/redbud/internal/graph"
)

// rep says how what an expression gives is held: as itself where its type leaves no choice, as a value elsewhere.
type rep uint8

const (
	asValue rep = iota
	asInt
	asFloat
	asBool
	asText // nil: null
)

func repOf(t graph.Type) rep {
	switch {
	case t.Kind == graph.String:
		return asText
	case t.Opt:
	case t.Kind == graph.Int:
		return asInt
	case t.Kind == graph.Float:
		return asFloat
	case t.Kind == graph.Bool:
		return asBool
	}
	return asValue
}

// of computes something in a run.
type of[T any] func(*frame) T

// expr is a compiled expression. One of the functions is there, as rep says.
type expr struct {
	rep   rep
	value of[value]
	int   of[int64]
	float of[float64]
	bool  of[bool]
	text  of[[]byte]
	cond  of[bool] // whether it is true; nil: the others tell
}

// boxed is the expression's value.
func (e expr) boxed() of[value] {
	switch e.rep {
	case asInt:
		return lift(e.int, ofInt)
	case asFloat:
		return lift(e.float, ofFloat)
	case asBool:
		return lift(e.bool, ofBool)
	case asText:
		return lift(e.text, ofText)
	}
	return e.value
}

// lift is what f makes of what e computes.
func lift[T, R any](e of[T], f func(T) R) of[R] { return func(fr *frame) R { return f(e(fr)) } }

// unboxed is an expression of a type, by a value that is of it.
func unboxed(v of[value], t graph.Type) expr {
	e := expr{rep: repOf(t)}
	switch e.rep {
	case asInt:
		e.int = lift(v, value.int)
	case asFloat:
		e.float = lift(v, value.float)
	case asBool:
		e.bool = lift(v, value.bool)
	case asText:
		e.text = lift(v, value.text)
	default:
		e.value = v
	}
	return e
}

func intExpr(f of[int64]) expr     { return expr{rep: asInt, int: f} }
func floatExpr(f of[float64]) expr { return expr{rep: asFloat, float: f} }
func boolExpr(f of[bool]) expr     { return expr{rep: asBool, bool: f} }
func textExpr(f of[[]byte]) expr   { return expr{rep: asText, text: f} }

// want is the expression as one of a type that covers its own.
func (e expr) want(t graph.Type) expr {
	if e.rep == repOf(t) {
		return e
	}
	return unboxed(e.boxed(), t)
}

// integer is the expression as an integer, which it is.
func (e expr) integer() of[int64] { return e.want(graph.Of(graph.Int)).int }

// str is the expression as a string, which it is.
func (e expr) str() of[[]byte] { return e.want(graph.Of(graph.String)).text }

// truth is the expression as a condition.
func (e expr) truth() of[bool] {
	switch {
	case e.cond != nil:
		return e.cond
	case e.rep == asBool:
		return e.bool
	case e.rep == asText:
		return lift(e.text, func(s []byte) bool { return s != nil })
	}
	return lift(e.boxed(), value.truth)
}

// constant is an expression that is always the same.
func constant(v value, t graph.Type) expr {
	e := expr{rep: repOf(t)}
	e.value = func(*frame) value { return v }
	switch e.rep {
	case asInt:
		n := v.int()
		e.int = func(*frame) int64 { return n }
	case asFloat:
		x := v.float()
		e.float = func(*frame) float64 { return x }
	case asBool:
		b := v.bool()
		e.bool = func(*frame) bool { return b }
	case asText:
		s := v.text()
		e.text = func(*frame) []byte { return s }
	}
	return e
}

// place is where a variable is kept.
type place struct {
	rep rep
	i   int
	typ graph.Type
}

type compiler struct {
	graph    *graph.Program
	out      *Program
	vars     []place
	commands map[string]int
}

// Compile compiles a program that graph.Check returned.
func Compile(p *graph.Program) *Program {
	c := &compiler{graph: p, out: &Program{ReadOnly: p.ReadOnly, graph: p}, commands: map[string]int{}}
	for _, v := range p.Vars {
		c.vars = append(c.vars, c.place(v.Type))
	}
	c.out.body = c.block(p.Body)
	return c.out
}

// place finds a place for a variable.
func (c *compiler) place(t graph.Type) place {
	p := place{rep: repOf(t), typ: t}
	n := &c.out.slots.values
	switch p.rep {
	case asInt, asBool:
		n = &c.out.slots.ints
	case asFloat:
		n = &c.out.slots.floats
	case asText:
		n = &c.out.slots.texts
	}
	p.i = *n
	*n++
	return p
}

// variable is the expression of one.
func (c *compiler) variable(p place) expr {
	e, i := expr{rep: p.rep}, p.i
	switch p.rep {
	case asInt:
		e.int = func(f *frame) int64 { return f.ints[i] }
	case asBool:
		e.bool = func(f *frame) bool { return f.ints[i] != 0 }
	case asFloat:
		e.float = func(f *frame) float64 { return f.floats[i] }
	case asText:
		e.text = func(f *frame) []byte { return f.texts[i] }
	default:
		e.value = func(f *frame) value { return f.values[i] }
	}
	return e
}

func (c *compiler) expr(n *graph.Node) expr {
	switch i := n.N; n.Op {
	case graph.OpNull:
		return constant(value{}, n.Type)
	case graph.OpBool:
		return constant(ofBool(i != 0), n.Type)
	case graph.OpInt:
		return constant(ofInt(n.Int), n.Type)
	case graph.OpFloat:
		return constant(ofFloat(n.F), n.Type)
	case graph.OpString:
		return constant(ofText([]byte(n.Text)), n.Type)
	case graph.OpList:
		return c.listOf(n)
	case graph.OpMap:
		return c.dictOf(n)
	case graph.OpArg:
		return c.arg(n)
	case graph.OpVar:
		return c.variable(c.vars[i]).want(n.Type)
	case graph.OpKey:
		return textExpr(func(f *frame) []byte { return there(f.keys[i]) })
	case graph.OpKeyAt:
		return c.keyAt(n)
	case graph.OpKeyCount:
		return intExpr(func(f *frame) int64 { return int64(len(f.keys) - i) })
	case graph.OpFunc:
		return functions[n.Text](n, c.exprs(n.Kids))
	case graph.OpCall:
		return c.call(n)
	case graph.OpConv:
		return c.convert(n)
	case graph.OpCopy:
		v := c.expr(n.Kids[0]).boxed()
		return unboxed(func(f *frame) value { return f.copied(v(f)) }, n.Type)
	case graph.OpTrace:
		v := c.expr(n.Kids[0]).boxed()
		return unboxed(func(f *frame) value {
			x := v(f)
			f.tell(i, x)
			return x
		}, n.Type)
	}
	panic(fmt.Sprintf("native: %s is no expression", n.Op)) // Check has let it pass
}

// there is a word that may be nil, which is empty and not null.
func there(word []byte) []byte {
	if word == nil {
		return []byte{}
	}
	return word
}

func (c *compiler) exprs(kids []*graph.Node) (es []expr) {
	for _, kid := range kids {
		es = append(es, c.expr(kid))
	}
	return es
}

func (c *compiler) values(kids []*graph.Node) (vs []of[value]) {
	for _, kid := range kids {
		vs = append(vs, c.expr(kid).boxed())
	}
	return vs
}

func (c *compiler) listOf(n *graph.Node) expr {
	kids := c.values(n.Kids)
	return unboxed(func(f *frame) value {
		l := f.newList(len(kids))
		for i, kid := range kids {
			l[i] = kid(f)
		}
		return ofList(l)
	}, n.Type)
}

func (c *compiler) dictOf(n *graph.Node) expr {
	kids := c.values(n.Kids)
	return unboxed(func(f *frame) value {
		m := f.newDict(len(kids) / 2)
		for i := 0; i < len(kids); i += 2 {
			key := kids[i](f)
			m[string(key.s)] = kids[i+1](f)
		}
		return ofDict(m)
	}, n.Type)
}

func (c *compiler) arg(n *graph.Node) expr {
	i := n.N
	switch repOf(n.Type) {
	case asInt:
		return intExpr(func(f *frame) int64 { return f.args[i].n })
	case asFloat:
		return floatExpr(func(f *frame) float64 { return f.args[i].float() })
	case asBool:
		return boolExpr(func(f *frame) bool { return f.args[i].n != 0 })
	case asText:
		return textExpr(func(f *frame) []byte { return f.args[i].s })
	}
	return expr{value: func(f *frame) value { return f.args[i] }}
}

func (c *compiler) keyAt(n *graph.Node) expr {
	first, index := n.N, c.expr(n.Kids[0]).integer()
	return textExpr(func(f *frame) []byte {
		many := f.keys[first:]
		i := index(f)
		if i < 0 || i >= int64(len(many)) {
			panic(fail(graph.ErrKeyIndex))
		}
		return many[i]
	})
}

// convert compiles what may fail: the value is of another type, or null.
func (c *compiler) convert(n *graph.Node) expr {
	e, t := c.expr(n.Kids[0]), n.Type
	switch {
	case e.rep == asText && t.Kind == graph.String: // null is all that is wrong with it
		what := t.String()
		return textExpr(func(f *frame) []byte {
			s := e.text(f)
			if s == nil {
				panic(failf(graph.ErrNull, what))
			}
			return s
		})
	case e.rep == asInt && repOf(t) == asFloat:
		return floatExpr(func(f *frame) float64 { return exact(e.int(f)) })
	}
	v := e.boxed()
	if t.Covers(n.Kids[0].Type.Required()) { // its elements are right
		return unboxed(func(f *frame) value {
			x := v(f)
			if x.kind == null {
				panic(failf(graph.ErrNull, t))
			}
			return x
		}, t)
	}
	return unboxed(func(f *frame) value {
		x := v(f)
		f.must(x, t, 0)
		return x
	}, t)
}
