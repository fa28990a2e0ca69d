package native

import (
	"fmt"

	"github.com/redbud-go/redbud/internal/graph"
)

// signal says what follows a statement.
type signal uint8

const (
	onward   signal = iota // the next one
	leave                  // what is behind the innermost loop
	returned               // nothing: the script has its result
)

// step is a compiled statement.
type step func(*frame) signal

func (c *compiler) block(n *graph.Node) step {
	var steps []step
	for _, kid := range n.Kids {
		steps = append(steps, c.statement(kid))
	}
	switch len(steps) {
	case 0:
		return func(*frame) signal { return onward }
	case 1:
		return steps[0]
	case 2:
		first, second := steps[0], steps[1]
		return func(f *frame) signal {
			if s := first(f); s != onward {
				return s
			}
			return second(f)
		}
	}
	return func(f *frame) signal {
		for _, do := range steps {
			if s := do(f); s != onward {
				return s
			}
		}
		return onward
	}
}

func (c *compiler) statement(n *graph.Node) step {
	switch n.Op {
	case graph.OpVarDef:
		if len(n.Kids) == 0 { // nobody reads it before it has a value
			return func(*frame) signal { return onward }
		}
		return c.assign(n)
	case graph.OpAssign:
		return c.assign(n)
	case graph.OpSetAt:
		return c.setAt(n)
	case graph.OpAppend:
		l, v := c.own(n), c.expr(n.Kids[0]).boxed()
		return func(f *frame) signal {
			e := v(f)
			f.use(sizeOfValue)
			b := l(f)
			b.list = append(b.list, e)
			return onward
		}
	case graph.OpSetKey:
		m, k, v := c.own(n), c.expr(n.Kids[0]).str(), c.expr(n.Kids[1]).boxed()
		return func(f *frame) signal {
			key := k(f)
			e := v(f)
			f.use(sizeOfEntry + len(key))
			m(f).dict[string(key)] = e
			return onward
		}
	case graph.OpRemove:
		m, k := c.own(n), c.expr(n.Kids[0]).str()
		return func(f *frame) signal {
			key := k(f)
			delete(m(f).dict, string(key))
			return onward
		}
	case graph.OpDo:
		return c.do(n.Kids[0])
	case graph.OpIf:
		return c.branch(n)
	case graph.OpWhile:
		return c.while(n)
	case graph.OpEach:
		return c.each(n)
	case graph.OpPairs:
		return c.pairs(n)
	case graph.OpBreak:
		return func(*frame) signal { return leave }
	case graph.OpReturn:
		v := c.expr(n.Kids[0]).boxed()
		return func(f *frame) signal {
			f.result = v(f)
			return returned
		}
	case graph.OpLog:
		return c.log(n)
	}
	panic(fmt.Sprintf("native: %s is no statement", n.Op)) // Check has let it pass
}

// own is the list or map of a variable that is changed in place. Nobody else has it: Check has seen to that.
func (c *compiler) own(n *graph.Node) func(*frame) *box {
	i := c.vars[n.N].i
	return func(f *frame) *box { return f.values[i].box }
}

func (c *compiler) assign(n *graph.Node) step { return c.store(c.vars[n.N], c.expr(n.Kids[0])) }

// store compiles that a variable becomes what an expression gives.
func (c *compiler) store(p place, e expr) step {
	i := p.i
	switch e = e.want(p.typ); p.rep {
	case asInt:
		x := e.int
		return func(f *frame) signal { f.ints[i] = x(f); return onward }
	case asBool:
		x := e.bool
		return func(f *frame) signal {
			n := int64(0)
			if x(f) { // which may read the variable
				n = 1
			}
			f.ints[i] = n
			return onward
		}
	case asFloat:
		x := e.float
		return func(f *frame) signal { f.floats[i] = x(f); return onward }
	case asText:
		x := e.text
		return func(f *frame) signal { f.texts[i] = x(f); return onward }
	}
	x := e.value
	return func(f *frame) signal { f.values[i] = x(f); return onward }
}

func (c *compiler) setAt(n *graph.Node) step {
	l, index, v := c.own(n), c.expr(n.Kids[0]).integer(), c.expr(n.Kids[1]).boxed()
	return func(f *frame) signal {
		i := index(f)
		e := v(f)
		switch b := l(f); {
		case i < 0 || i > int64(len(b.list)):
			panic(fail(graph.ErrIndex))
		case i == int64(len(b.list)):
			f.use(sizeOfValue)
			b.list = append(b.list, e)
		default:
			b.list[i] = e
		}
		return onward
	}
}

// do compiles what is evaluated for what it does.
func (c *compiler) do(n *graph.Node) step {
	switch e := c.expr(n); e.rep {
	case asInt:
		return func(f *frame) signal { e.int(f); return onward }
	case asFloat:
		return func(f *frame) signal { e.float(f); return onward }
	case asBool:
		return func(f *frame) signal { e.bool(f); return onward }
	case asText:
		return func(f *frame) signal { e.text(f); return onward }
	default:
		return func(f *frame) signal { e.value(f); return onward }
	}
}

func (c *compiler) branch(n *graph.Node) step {
	is, yes := c.expr(n.Kids[0]).truth(), c.block(n.Kids[1])
	if len(n.Kids) < 3 {
		return func(f *frame) signal {
			if is(f) {
				return yes(f)
			}
			return onward
		}
	}
	no := c.block(n.Kids[2])
	return func(f *frame) signal {
		if is(f) {
			return yes(f)
		}
		return no(f)
	}
}

func (c *compiler) while(n *graph.Node) step {
	is, body := c.expr(n.Kids[0]).truth(), c.block(n.Kids[1])
	return func(f *frame) signal {
		for is(f) {
			f.turn()
			if s := body(f); s != onward {
				return behind(s)
			}
		}
		return onward
	}
}

// behind is what follows a loop that a statement in it has ended.
func behind(s signal) signal {
	if s == leave {
		return onward
	}
	return s
}

// turnVar gives the variable of a loop its value for a turn. There is none if i is -1.
func (c *compiler) turnVar(i int) func(*frame, value) {
	if i < 0 {
		return func(*frame, value) {}
	}
	p := c.vars[i]
	if c.graph.Vars[i].Changed {
		return func(f *frame, v value) { f.put(p, f.copied(v)) }
	}
	return func(f *frame, v value) { f.put(p, v) }
}

// put stores a value that a variable can have.
func (f *frame) put(p place, v value) {
	switch p.rep {
	case asInt, asBool:
		f.ints[p.i] = v.n
	case asFloat:
		f.floats[p.i] = v.float()
	case asText:
		f.texts[p.i] = v.s
	default:
		f.values[p.i] = v
	}
}

func (c *compiler) each(n *graph.Node) step {
	v, index, elem, body := c.expr(n.Kids[0]).boxed(), c.turnVar(n.N), c.turnVar(n.M), c.block(n.Kids[1])
	return func(f *frame) signal {
		for i, e := range v(f).list() {
			f.turn()
			index(f, ofInt(int64(i)))
			elem(f, e)
			if s := body(f); s != onward {
				return behind(s)
			}
		}
		return onward
	}
}

func (c *compiler) pairs(n *graph.Node) step {
	v, key, elem, body := c.expr(n.Kids[0]).boxed(), c.turnVar(n.N), c.turnVar(n.M), c.block(n.Kids[1])
	return func(f *frame) signal {
		m := v(f)
		for _, k := range m.keys() {
			f.turn()
			key(f, ofText([]byte(k)))
			elem(f, m.dict()[k])
			if s := body(f); s != onward {
				return behind(s)
			}
		}
		return onward
	}
}

func (c *compiler) log(n *graph.Node) step {
	words, level := c.values(n.Kids), n.N
	return func(f *frame) signal {
		mark := len(f.spelled)
		for i, word := range words {
			if v := word(f); i > 0 {
				f.spelled = v.appendText(append(f.spelled, ' '), "a text")
			} else {
				f.spelled = v.appendText(f.spelled, "a text")
			}
		}
		f.host.Log(level, string(f.spelled[mark:]))
		f.spelled = f.spelled[:mark]
		return onward
	}
}
