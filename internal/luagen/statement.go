// Statements.

package luagen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redbud-go/redbud/internal/graph"
)

// block writes the statements of one, further in.
func (g *generator) block(n *graph.Node) {
	g.depth++
	g.statements(n)
	g.depth--
}

func (g *generator) statements(n *graph.Node) {
	for _, kid := range n.Kids {
		g.statement(kid)
	}
}

func (g *generator) statement(n *graph.Node) {
	switch n.Op {
	case graph.OpVarDef:
		g.define(n)
	case graph.OpAssign:
		g.line("%s = %s", g.vars[n.N], g.root(n.Kids[0]))
	case graph.OpSetAt:
		g.prepare(n.Kids...)
		g.line("%s", g.call("set_at", g.vars[n.N], g.text(n.Kids[0]), g.stored(n.Kids[1])))
	case graph.OpAppend:
		g.prepare(n.Kids...)
		g.line("%s[#%s + 1] = %s", g.vars[n.N], g.vars[n.N], g.stored(n.Kids[0]))
	case graph.OpSetKey:
		g.prepare(n.Kids...)
		g.line("%s[%s] = %s", g.vars[n.N], g.text(n.Kids[0]), g.stored(n.Kids[1]))
	case graph.OpRemove:
		g.line("%s[%s] = nil", g.vars[n.N], g.root(n.Kids[0]))
	case graph.OpDo:
		g.do(n.Kids[0])
	case graph.OpIf:
		g.branch(n)
	case graph.OpWhile:
		g.while(n)
	case graph.OpEach, graph.OpPairs:
		g.loop(n)
	case graph.OpBreak:
		g.line("break")
	case graph.OpReturn:
		g.prepare(n.Kids...)
		g.line("return %s", g.result(n.Kids[0]))
	case graph.OpLog:
		g.log(n)
	default:
		panic(fmt.Sprintf("luagen: %s is no statement", n.Op)) // Check has let it pass
	}
}

func (g *generator) define(n *graph.Node) {
	switch {
	case len(n.Kids) > 0:
		g.local(g.vars[n.N], g.root(n.Kids[0]))
	case !g.big:
		g.line("local %s", g.vars[n.N])
	}
}

// do evaluates an expression for what it does.
func (g *generator) do(n *graph.Node) {
	g.prepare(n)
	switch {
	case leaf(n) || g.apart[n] != "":
	case n.Op == graph.OpCall && unread(n):
		g.line("%s", g.command(n))
	default:
		g.line("do local _ = %s end", g.text(n))
	}
}

func (g *generator) branch(n *graph.Node) {
	g.line("if %s then", g.root(n.Kids[0]))
	for {
		g.block(n.Kids[1])
		if len(n.Kids) < 3 || len(n.Kids[2].Kids) == 0 {
			break
		}
		rest := n.Kids[2]
		if len(rest.Kids) > 1 || rest.Kids[0].Op != graph.OpIf || g.heavy(rest.Kids[0].Kids[0]) {
			g.line("else")
			g.block(rest)
			break
		}
		n = rest.Kids[0]
		g.line("elseif %s then", g.text(n.Kids[0]))
	}
	g.line("end")
}

func (g *generator) while(n *graph.Node) {
	cond, body := n.Kids[0], n.Kids[1]
	if !g.heavy(cond) {
		g.line("while %s do", g.text(cond))
		g.block(body)
		g.line("end")
		return
	}
	g.line("while true do")
	g.depth++
	g.prepare(cond)
	g.line("if not %s then break end", g.tight(cond, unary))
	g.statements(body)
	g.depth--
	g.line("end")
}

// loop walks a list or a map. Its variables are Lua's own, which may be changed.
func (g *generator) loop(n *graph.Node) {
	walk := "ipairs"
	if n.Op == graph.OpPairs {
		walk = g.use("walk")
	}
	walked := g.root(n.Kids[0])
	key, value := "_", ""
	if n.N >= 0 {
		key = g.vars[n.N]
	}
	if n.M >= 0 {
		value = ", " + g.vars[n.M]
	}
	g.line("for %s%s in %s(%s) do", key, value, walk, walked)
	g.depth++
	if n.N >= 0 && n.Op == graph.OpEach {
		g.line("%s = %s - 1", key, key)
	}
	if n.M >= 0 {
		v, name := g.p.Vars[n.M], g.vars[n.M]
		if elem := n.Kids[0].Type.Elem; elem.Nullable() {
			g.line("if %s == %s then %s = nil end", name, g.use("null"), name)
		}
		if v.Changed {
			g.line("%s = %s", name, g.call("copy", name))
		}
	}
	g.statements(n.Kids[1])
	g.depth--
	g.line("end")
}

// levels are the names that Redis has for those of its log.
var levels = [...]string{"DEBUG", "VERBOSE", "NOTICE", "WARNING"}

func (g *generator) log(n *graph.Node) {
	if slices.ContainsFunc(n.Kids, g.heavy) {
		for _, kid := range n.Kids {
			g.take(kid)
			g.spell(n, kid)
		}
	}
	var words []string
	for _, kid := range n.Kids {
		words = append(words, g.asText(kid, g.expr(kid)).text)
	}
	text := strings.Join(words, ", ")
	if len(words) > maxArguments { // Redis puts spaces between them
		text = g.use("concat") + "({" + text + `}, " ")`
	}
	g.line("redis.log(redis.LOG_%s, %s)", levels[n.N], text)
}

// result is what a program replies with, as package graph says that results travel.
func (g *generator) result(n *graph.Node) string {
	t := g.p.Result
	switch {
	case n.Op == graph.OpNull && t.Kind == graph.Any:
		return `"null"`
	case t.Is(graph.Null), t.Is(graph.String), t.Is(graph.List) && t.Elem.Is(graph.String):
		return g.text(n)
	case t.Is(graph.Int) && g.size(n) <= exactBits:
		return g.text(n)
	case t.Is(graph.Bool) && !n.Type.Nullable():
		return g.tight(n, and+1) + " and 1 or 0"
	case t.Is(graph.Bool):
		return g.call("result_bool", g.text(n))
	case t.Is(graph.Int):
		return g.call("result_int", g.text(n))
	case t.Numeric():
		return g.call("result_number", g.text(n))
	}
	return g.call("to_json", g.text(n))
}
