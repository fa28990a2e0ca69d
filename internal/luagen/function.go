// The functions of the language.

package luagen

import (
	"slices"
	"strconv"
	"strings"

	"github.com/redbud-go/redbud/internal/graph"
)

// writer writes a call of a function whose arguments have been written.
type writer func(g *generator, n *graph.Node, kids []code) code

// helping are the functions that a helper is, under another name or its own.
var helping = map[string]string{
	"abs": "abs", "min": "min", "max": "max", "floor": "round_down", "ceil": "round_up",
	"parse_int": "parse_int", "parse_float": "parse_float", "type": "kind",
	"keys": "keys", "sorted": "sorted", "sublist": "sublist", "zip": "zip",
	"slice": "slice", "prefix": "prefix", "suffix": "suffix", "split": "split", "join": "join", "replace": "replace", "repeat": "repeated",
	"to_json": "to_json", "from_json": "from_json", "now": "now",
}

// functions are those that Lua has itself, always or sometimes.
var functions = map[string]writer{
	"not":    func(_ *generator, _ *graph.Node, kids []code) code { return code{"not " + kids[0].in(unary), unary} },
	"and":    operator("and", and),
	"or":     operator("or", or),
	"eq":     func(g *generator, n *graph.Node, kids []code) code { return equality(g, n, kids, "==") },
	"ne":     func(g *generator, n *graph.Node, kids []code) code { return equality(g, n, kids, "~=") },
	"lt":     ordering("<"),
	"le":     ordering("<="),
	"gt":     ordering(">"),
	"ge":     ordering(">="),
	"add":    arithmetic("+", sum, "add"),
	"sub":    arithmetic("-", sum, "subtract"),
	"mul":    arithmetic("*", product, "multiply"),
	"div":    dividing("divide", exactBits, func(a, b string) code { return code{a + " / " + b, product} }),
	"intdiv": dividing("int_divide", exactBits-1, func(a, b string) code { return code{"math.floor(" + a + " / " + b + ")", prefix} }),
	"mod":    dividing("modulo", exactBits-1, func(a, b string) code { return code{a + " % " + b, product} }),
	"neg":    func(_ *generator, _ *graph.Node, kids []code) code { return code{"0 - " + kids[0].in(product), sum} },
	"text":   func(g *generator, n *graph.Node, kids []code) code { return textOf(g, n.Kids[0], kids[0]) },
	"int":    number("int", exactBits),
	"float":  number("float", plain),
	"len":    length,
	"at":     at,
	"get":    get,
	"has": func(_ *generator, _ *graph.Node, kids []code) code {
		return code{index(kids[0], kids[1].text) + " ~= nil", comparison}
	},
	"concat": concat,
	"find":   find,
	"upper": func(_ *generator, _ *graph.Node, kids []code) code {
		return code{"string.upper(" + kids[0].text + ")", prefix}
	},
	"lower": func(_ *generator, _ *graph.Node, kids []code) code {
		return code{"string.lower(" + kids[0].text + ")", prefix}
	},
}

func (g *generator) function(n *graph.Node) code {
	var kids []code
	var texts []string
	for _, kid := range n.Kids {
		c := g.expr(kid)
		kids, texts = append(kids, c), append(texts, c.text)
	}
	if write := functions[n.Text]; write != nil {
		return write(g, n, kids)
	}
	if whole := n.Text == "floor" || n.Text == "ceil"; whole && g.size(n.Kids[0]) <= exactBits {
		return kids[0]
	}
	return g.helped(helping[n.Text], texts...)
}

func operator(op string, prec int) writer {
	return func(_ *generator, _ *graph.Node, kids []code) code {
		return code{kids[0].in(prec) + " " + op + " " + kids[1].in(prec+1), prec}
	}
}

// arithmetic is an operator of Lua where what comes out of it is not too large, and is checked where it may be. Large operands check themselves.
func arithmetic(op string, prec int, helper string) writer {
	operation := operator(op, prec)
	return func(g *generator, n *graph.Node, kids []code) code {
		plainly := operation
		if op == "*" && constant(n.Kids[0]) && constant(n.Kids[1]) {
			plainly = func(g *generator, n *graph.Node, kids []code) code {
				return code{"0 + " + operation(g, n, kids).text, sum}
			}
		}
		a, b := g.size(n.Kids[0]), g.size(n.Kids[1])
		switch {
		case n.Type.Kind == graph.Float:
			return g.helped("real", plainly(g, n, kids).text)
		case n.Type.Kind != graph.Int:
			return g.helped(helper, kids[0].text, kids[1].text)
		case op != "*" && a < exactBits && b < exactBits: // a product may be -0
			return plainly(g, n, kids)
		}
		return g.helped("exact", plainly(g, n, kids).text)
	}
}

// dividing is an operator of Lua where the divisor is an integer above 0 that is spelled out, and neither is larger than Lua can take exactly.
func dividing(helper string, most size, plainly func(a, b string) code) writer {
	return func(g *generator, n *graph.Node, kids []code) code {
		if b := n.Kids[1]; b.Op == graph.OpInt && b.Int > 0 && g.size(b) <= most && g.size(n.Kids[0]) <= most {
			return plainly(kids[0].in(product), kids[1].in(product+1))
		}
		return g.helped(helper, kids[0].text, kids[1].text)
	}
}

// constant reports whether Lua may evaluate n when it compiles the program. -0 must not come out of that: each 0 that is written down
// would be -0 then, since Lua keeps one constant of both.
func constant(n *graph.Node) bool {
	switch n.Op {
	case graph.OpInt, graph.OpFloat:
		return true
	case graph.OpFunc:
		return folded[n.Text] && !slices.ContainsFunc(n.Kids, func(kid *graph.Node) bool { return !constant(kid) })
	}
	return false
}

// folded are the functions that may be operators of Lua.
var folded = map[string]bool{"add": true, "sub": true, "neg": true, "div": true, "mod": true}

func equality(g *generator, n *graph.Node, kids []code, op string) code {
	a, b := n.Kids[0], n.Kids[1]
	safe := func(n *graph.Node) bool { // what Lua compares rightly with whatever it is
		return n.Type.Is(graph.Null, graph.Bool, graph.String) || n.Type.Numeric() && g.size(n) <= exactBits
	}
	integers := a.Type.Is(graph.Int) && b.Type.Is(graph.Int)
	numbers := a.Type.Numeric() && b.Type.Numeric() && g.size(a) <= plain && g.size(b) <= plain
	if safe(a) || safe(b) || integers || numbers {
		return code{kids[0].in(comparison+1) + " " + op + " " + kids[1].in(comparison+1), comparison}
	}
	same := g.helped("equal", kids[0].text, kids[1].text)
	if op == "~=" {
		return code{"not " + same.text, unary}
	}
	return same
}

func ordering(op string) writer {
	return func(g *generator, n *graph.Node, kids []code) code {
		a, b := n.Kids[0], n.Kids[1]
		helper := "order"
		switch {
		case a.Type.Numeric() && b.Type.Numeric():
			if g.size(a) <= plain && g.size(b) <= plain {
				return code{kids[0].in(comparison+1) + " " + op + " " + kids[1].in(comparison+1), comparison}
			}
			helper = "compare"
		case a.Type.Is(graph.String) && b.Type.Is(graph.String):
			helper = "compare_bytes"
		}
		return code{g.call(helper, kids[0].text, kids[1].text) + " " + op + " 0", comparison}
	}
}

// textOf is the text of an expression, which is a string then.
func textOf(g *generator, n *graph.Node, c code) code {
	if g.spelled[n] || n.Type.Equal(graph.Of(graph.String)) {
		return c
	}
	return g.helped("text", c.text)
}

// number is a conversion to a number, of what may be one already.
func number(helper string, to size) writer {
	return func(g *generator, n *graph.Node, kids []code) code {
		from := n.Kids[0].Type
		if !from.Nullable() && (from.Equal(n.Type) || from.Numeric() && g.size(n.Kids[0]) <= to) {
			return kids[0]
		}
		if from.Equal(graph.Of(graph.String)) {
			return g.helped(helper+"_of", kids[0].text)
		}
		return g.helped(helper, kids[0].text)
	}
}

func length(g *generator, n *graph.Node, kids []code) code {
	t := n.Kids[0].Type
	switch {
	case t.Nullable():
		return g.helped("length", kids[0].text)
	case t.Kind == graph.Map:
		return g.helped("count", kids[0].text)
	}
	return code{"#" + kids[0].in(unary), unary}
}

// index is an element of a table.
func index(table code, key string) string { return table.in(prefix) + "[" + key + "]" }

func at(g *generator, n *graph.Node, kids []code) code {
	i := n.Kids[1]
	switch {
	case n.Kids[0].Type.Elem.Nullable() || g.size(i) > exactBits:
		return g.helped("at", kids[0].text, kids[1].text)
	case i.Op == graph.OpInt:
		return code{index(kids[0], strconv.FormatInt(i.Int+1, 10)), prefix}
	}
	return code{index(kids[0], kids[1].in(sum)+" + 1"), prefix}
}

func get(g *generator, n *graph.Node, kids []code) code {
	if n.Kids[0].Type.Elem.Nullable() {
		return g.helped("get", kids[0].text, kids[1].text)
	}
	return code{index(kids[0], kids[1].text), prefix}
}

// maxJoined is how many texts one expression joins: Lua holds all of them at once.
const maxJoined = 20

func concat(g *generator, n *graph.Node, kids []code) code {
	if len(kids) == 1 {
		return textOf(g, n.Kids[0], kids[0])
	}
	grows := false
	var texts []string
	for i, kid := range n.Kids {
		texts = append(texts, g.asText(kid, kids[i]).in(joining))
		grows = grows || kid.Op == graph.OpVar && kid.Type.Kind == graph.String
	}
	c := code{strings.Join(texts, " .. "), joining}
	if len(texts) > maxJoined {
		c = code{g.use("concat") + "({" + strings.Join(texts, ", ") + "})", prefix}
	}
	if grows { // may have been joined of itself before
		return g.helped("short", c.text)
	}
	return c
}

func find(g *generator, _ *graph.Node, kids []code) code {
	from := "0"
	if len(kids) > 2 {
		from = kids[2].text
	}
	return g.helped("find_from", kids[0].text, kids[1].text, from)
}
