// Which numbers are surely plain numbers of Lua, so that its own operators do. All others may be integers beyond 2^53-1.

package luagen

import (
	"math/bits"

	"github.com/redbud-go/redbud/internal/graph"
)

// size is what is known about a number: up to exactBits, that it is an integer below 2^size either way, and not -0.
type size int

const (
	tiny      size = 32 // of lengths and indexes
	turns     size = 50 // of what only counts turns of loops
	exactBits size = 53
	plain     size = 60 // any number of Lua
	unknown   size = 64
)

// step is the most that a variable may grow by at once to be one that counts turns: none lives to see it grow beyond 2^turns.
const step = 1000

// measure finds the sizes of variables: what they begin with, which grows until it covers all that they get.
func (g *generator) measure() {
	g.sizes = make([]size, len(g.p.Vars))
	g.counters = make([]bool, len(g.p.Vars))
	g.findCounters(g.p.Body)
	for round := 0; ; round++ {
		before := append([]size(nil), g.sizes...)
		g.gather(g.p.Body)
		grew := false
		for i := range g.sizes {
			if g.sizes[i] == before[i] {
				continue
			}
			grew = true
			if round > 3 && g.sizes[i] < exactBits { // arithmetic checks that it is no more
				g.sizes[i] = exactBits
			}
		}
		if !grew {
			return
		}
	}
}

// gather lets variables cover what statements give them.
func (g *generator) gather(n *graph.Node) {
	switch {
	case (n.Op == graph.OpVarDef || n.Op == graph.OpAssign) && len(n.Kids) > 0:
		s := turns
		if !g.counts(n) {
			s = g.size(n.Kids[0])
			if g.counters[n.N] && s >= turns { // it would count on from there
				s = max(s, exactBits)
			}
		}
		g.cover(n.N, s)
	case n.Op == graph.OpEach || n.Op == graph.OpPairs:
		if n.Op == graph.OpEach && n.N >= 0 {
			g.cover(n.N, tiny)
		}
		if n.M >= 0 {
			g.cover(n.M, g.other(g.p.Vars[n.M].Type))
		}
	}
	for _, kid := range n.Kids {
		g.gather(kid)
	}
}

func (g *generator) cover(v int, s size) { g.sizes[v] = max(g.sizes[v], s) }

// findCounters notes the variables that count.
func (g *generator) findCounters(n *graph.Node) {
	if n.Op == graph.OpAssign && g.counts(n) {
		g.counters[n.N] = true
	}
	for _, kid := range n.Kids {
		g.findCounters(kid)
	}
}

// counts reports whether a statement adds a little to a variable, or takes it away.
func (g *generator) counts(n *graph.Node) bool {
	x := inner(n.Kids[0])
	if n.Op != graph.OpAssign || x.Op != graph.OpFunc || x.Text != "add" && x.Text != "sub" {
		return false
	}
	little := func(k *graph.Node) bool { return k.Op == graph.OpInt && -step <= k.Int && k.Int <= step }
	is := func(k *graph.Node) bool {
		return k.Op == graph.OpVar && k.N == n.N && g.p.Vars[n.N].Type.Kind == graph.Int
	}
	return is(x.Kids[0]) && little(x.Kids[1]) || x.Text == "add" && little(x.Kids[0]) && is(x.Kids[1])
}

// inner is an expression without what tells the trace of it.
func inner(n *graph.Node) *graph.Node {
	for n.Op == graph.OpTrace {
		n = n.Kids[0]
	}
	return n
}

// other is the size of a number of which its type alone is known.
func (g *generator) other(t graph.Type) size {
	if t.Kind == graph.Float {
		return plain
	}
	return unknown
}

// size of an expression, if it is a number.
func (g *generator) size(n *graph.Node) size {
	kid := func(i int) size { return g.size(n.Kids[i]) }
	switch n.Op {
	case graph.OpInt:
		if n.Int >= -graph.MaxExact && n.Int <= graph.MaxExact {
			return size(bits.Len64(uint64(max(n.Int, -n.Int))))
		}
	case graph.OpKeyCount:
		return tiny
	case graph.OpVar:
		if n.Type.Numeric() {
			return g.sizes[n.N]
		}
	case graph.OpCopy, graph.OpTrace:
		return kid(0)
	case graph.OpConv:
		switch s := kid(0); {
		case n.Type.Kind == graph.Int && s == plain:
			return exactBits
		case n.Type.Is(graph.Int, graph.Number):
			return s
		}
	case graph.OpCall:
		if n.Shape == graph.ReplyInt {
			return exactBits
		}
	case graph.OpFunc:
		return g.sizeOfFunction(n)
	}
	return g.other(n.Type)
}

// fixed are the sizes of what functions give, whatever they get.
var fixed = map[string]size{"len": tiny, "find": tiny, "now": 45, "floor": exactBits, "ceil": exactBits, "div": plain}

// made are the sizes of what arithmetic makes of integers of two sizes. It never gives a large one.
var made = map[string]func(a, b size) size{
	"add": func(a, b size) size { return max(a, b) + 1 }, "sub": func(a, b size) size { return max(a, b) + 1 },
	"mul": func(a, b size) size { return a + b }, "intdiv": func(a, _ size) size { return a }, "mod": func(_, b size) size { return b },
	"neg": larger, "abs": larger, "min": larger, "max": larger,
}

func larger(a, b size) size { return max(a, b) }

func (g *generator) sizeOfFunction(n *graph.Node) size {
	if s, ok := fixed[n.Text]; ok {
		return s
	}
	if of, ok := made[n.Text]; ok {
		if n.Type.Kind != graph.Int {
			return plain
		}
		a := g.size(n.Kids[0])
		b := a
		if len(n.Kids) > 1 {
			b = g.size(n.Kids[1])
		}
		return min(of(a, b), exactBits)
	}
	switch {
	case n.Text == "int" && n.Kids[0].Type.Kind == graph.Int:
		return g.size(n.Kids[0])
	case (n.Text == "and" || n.Text == "or") && n.Type.Numeric():
		return max(g.size(n.Kids[0]), g.size(n.Kids[1]))
	}
	return g.other(n.Type)
}
