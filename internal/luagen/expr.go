// Expressions.

package luagen

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/redbud-go/redbud/internal/graph"
)

// code is an expression in Lua, with how tight it holds together.
type code struct {
	text string
	prec int
}

// How tight expressions hold together, the loosest first.
const (
	or = 1 + iota
	and
	comparison
	joining // ..
	sum
	product
	unary
	literal // of strings, tables and numbers: what can be neither indexed nor called
	prefix
)

// in is the expression as it stands where another has to hold at least so tight.
func (c code) in(prec int) string {
	if c.prec < prec {
		return "(" + c.text + ")"
	}
	return c.text
}

func (g *generator) text(n *graph.Node) string            { return g.expr(n).text }
func (g *generator) tight(n *graph.Node, prec int) string { return g.expr(n).in(prec) }

func (g *generator) expr(n *graph.Node) code {
	if where := g.apart[n]; where != "" {
		return code{where, prefix}
	}
	switch n.Op {
	case graph.OpNull:
		return code{"nil", literal}
	case graph.OpBool:
		return code{strconv.FormatBool(n.N == 1), literal}
	case graph.OpInt:
		return g.integer(n.Int)
	case graph.OpFloat:
		return g.float(n.F)
	case graph.OpString:
		return code{quote(n.Text), literal}
	case graph.OpList:
		return code{"{" + strings.Join(g.storedAll(n.Kids), ", ") + "}", literal}
	case graph.OpMap:
		return g.mapping(n)
	case graph.OpArg:
		return code{g.args[n.N], prefix}
	case graph.OpVar:
		return code{g.vars[n.N], prefix}
	case graph.OpKey:
		return code{g.keys[n.N], prefix}
	case graph.OpKeyAt:
		return g.helped("key_at", g.text(n.Kids[0]), strconv.Itoa(n.N))
	case graph.OpKeyCount:
		if n.N == 0 {
			return code{"#KEYS", unary}
		}
		return code{fmt.Sprintf("#KEYS - %d", n.N), sum}
	case graph.OpFunc:
		return g.function(n)
	case graph.OpCall:
		return g.reply(n)
	case graph.OpConv:
		return g.convert(n)
	case graph.OpCopy:
		return g.helped("copy", g.text(n.Kids[0]))
	case graph.OpTrace:
		return g.helped("traced", strconv.Itoa(n.N), g.text(n.Kids[0]))
	}
	panic(fmt.Sprintf("luagen: %s is no expression", n.Op)) // Check has let it pass
}

// helped is a call of a helper as an expression.
func (g *generator) helped(helper string, args ...string) code {
	return code{g.call(helper, args...), prefix}
}

func (g *generator) integer(i int64) code {
	spelled := strconv.FormatInt(i, 10)
	switch {
	case i > graph.MaxExact || i < -graph.MaxExact:
		return g.helped("large", quote(spelled))
	case i < 0:
		return code{spelled, unary}
	}
	return code{spelled, literal}
}

func (g *generator) float(f float64) code {
	c := code{prec: literal}
	if f < 0 {
		c = code{"-", unary}
	}
	switch a := math.Abs(f); {
	case math.IsInf(f, 0):
		c.text += "math.huge"
	case a == math.Trunc(a) && a <= graph.MaxExact:
		c.text += strconv.FormatInt(int64(a), 10)
	default:
		c.text += strconv.FormatFloat(a, 'g', -1, 64)
	}
	return c
}

// stored is an expression as lists and maps hold it.
func (g *generator) stored(n *graph.Node) string {
	switch {
	case n.Type.Kind == graph.Null && n.Op == graph.OpNull:
		return g.use("null")
	case n.Type.Nullable():
		return g.call("or_null", g.text(n))
	}
	return g.text(n)
}

func (g *generator) storedAll(kids []*graph.Node) (all []string) {
	for _, kid := range kids {
		all = append(all, g.stored(kid))
	}
	return all
}

func (g *generator) mapping(n *graph.Node) code {
	var entries []string
	for i := 0; i < len(n.Kids); i += 2 {
		entries = append(entries, "["+g.text(n.Kids[i])+"] = "+g.stored(n.Kids[i+1]))
	}
	return code{"setmetatable({" + strings.Join(entries, ", ") + "}, " + g.use("Map") + ")", prefix}
}

// convert is a value that is of another type, or an error.
func (g *generator) convert(n *graph.Node) code {
	kid := n.Kids[0]
	want := quote(n.Type.String())
	switch {
	case n.Type.Covers(kid.Type.Required()) && kid.Type.Kind != graph.Any:
		return g.helped("need", g.text(kid), want)
	case n.Type.Kind == graph.Float && n.Type.Nullable() == kid.Type.Nullable() && g.size(kid) <= plain:
		return g.expr(kid)
	}
	return g.helped("as", g.text(kid), want)
}

// asText is an expression as a string, or as a number that Lua makes the right string of.
func (g *generator) asText(n *graph.Node, c code) code {
	if g.spelled[n] || !n.Type.Nullable() && (n.Type.Kind == graph.String || g.size(n) <= maxSpelled) {
		return c
	}
	return g.helped("text", c.text)
}

// maxSpelled is the size of integers that Lua spells with all of their digits: it has 14.
const maxSpelled size = 46
