// Expressions that Lua's compiler cannot take at once are taken apart: what is in them is computed by statements of its own, in the same order.

package luagen

import (
	"fmt"

	"github.com/redbud-go/redbud/internal/graph"
)

// root is the text of an expression of a statement.
func (g *generator) root(n *graph.Node) string {
	g.prepare(n)
	return g.text(n)
}

// prepare takes the expressions of a statement apart if one of them is too much.
func (g *generator) prepare(kids ...*graph.Node) {
	for _, kid := range kids {
		if g.heavy(kid) {
			for _, kid := range kids {
				g.take(kid)
			}
			return
		}
	}
}

// heavy reports whether an expression is too much for Lua's compiler.
func (g *generator) heavy(n *graph.Node) bool {
	levels, registers := weigh(n)
	return levels > maxLevels || registers > maxRegisters
}

// flush is how many elements of a table Lua holds before it puts them there.
const flush = 50

// weigh is at least how many levels and registers an expression takes.
func weigh(n *graph.Node) (levels, registers int) {
	for i, kid := range n.Kids {
		l, r := weigh(kid)
		levels, registers = max(levels, l), max(registers, r+i%flush)
	}
	return levels + 3, registers + 2
}

// leaf reports whether an expression is as good as its value.
func leaf(n *graph.Node) bool {
	return len(n.Kids) == 0 && n.Op != graph.OpFunc && n.Op != graph.OpCall && n.Op != graph.OpList && n.Op != graph.OpMap
}

// take makes a part of the values that an expression needs, and of its own.
func (g *generator) take(n *graph.Node) {
	switch {
	case leaf(n) || g.apart[n] != "":
	case n.Op == graph.OpSpread:
		g.take(n.Kids[0])
	case n.Op == graph.OpFunc && (n.Text == "and" || n.Text == "or"):
		g.take(n.Kids[0])
		part := g.part(n.Kids[0])
		if n.Text == "and" {
			g.line("if %s then", part)
		} else {
			g.line("if not %s then", part)
		}
		g.depth++
		g.take(n.Kids[1])
		g.line("%s = %s", part, g.text(n.Kids[1]))
		g.depth--
		g.line("end")
		g.apart[n] = part
	default:
		for _, kid := range n.Kids {
			g.take(kid)
			g.spell(n, kid)
		}
		g.apart[n] = g.part(n)
	}
}

// part computes an expression into a place of its own.
func (g *generator) part(n *graph.Node) string {
	return g.partOf(g.text(n))
}

func (g *generator) partOf(text string) string {
	g.parts++
	part := fmt.Sprintf("part[%d]", g.parts)
	g.line("%s = %s", part, text)
	return part
}

// spell makes a part of the text of what n joins to others, or gives to a command: where there is none, that is an error before what
// follows is computed.
func (g *generator) spell(n, kid *graph.Node) {
	switch {
	case kid.Op == graph.OpSpread:
		if kid = kid.Kids[0]; !kid.Type.Elem.Nullable() {
			return
		}
		g.apart[kid] = g.partOf("{" + g.call("words", g.text(kid)) + "}")
	case !kid.Type.Nullable():
		return
	case n.Op == graph.OpCall:
		g.apart[kid] = g.partOf(g.word(kid))
	case n.Op == graph.OpLog || n.Op == graph.OpFunc && n.Text == "concat":
		g.apart[kid] = g.partOf(g.asText(kid, g.expr(kid)).text)
	default:
		return
	}
	g.spelled[kid] = true
}
