// Programs for tests, put together by hand.

package luagen

import (
	"testing"

	"github.com/redbud-go/redbud/internal/graph"
)

type node = graph.Node

func do(op graph.Op, kids ...*node) *node { return &node{Op: op, Kids: kids} }

func null() *node                { return do(graph.OpNull) }
func truth(b bool) *node         { return &node{Op: graph.OpBool, N: map[bool]int{true: 1}[b]} }
func num(i int64) *node          { return &node{Op: graph.OpInt, Int: i} }
func real(f float64) *node       { return &node{Op: graph.OpFloat, F: f} }
func str(s string) *node         { return &node{Op: graph.OpString, Text: s} }
func list(kids ...*node) *node   { return do(graph.OpList, kids...) }
func dict(kids ...*node) *node   { return do(graph.OpMap, kids...) }
func arg(i int) *node            { return &node{Op: graph.OpArg, N: i} }
func ref(i int) *node            { return &node{Op: graph.OpVar, N: i} }
func key(i int) *node            { return &node{Op: graph.OpKey, N: i} }
func keyAt(k int, i *node) *node { return &node{Op: graph.OpKeyAt, N: k, Kids: []*node{i}} }
func keyCount(k int) *node       { return &node{Op: graph.OpKeyCount, N: k} }
func spread(l *node) *node       { return do(graph.OpSpread, l) }
func fn(name string, kids ...*node) *node {
	return &node{Op: graph.OpFunc, Text: name, Kids: kids}
}
func cmd(shape graph.Shape, name string, words ...*node) *node {
	return &node{Op: graph.OpCall, Shape: shape, Text: name, Kids: words, Write: true}
}

func typedList(t graph.Type, kids ...*node) *node {
	return &node{Op: graph.OpList, Type: graph.ListOf(t), Kids: kids}
}

func typedDict(t graph.Type, kids ...*node) *node {
	return &node{Op: graph.OpMap, Type: graph.MapOf(t), Kids: kids}
}

func block(kids ...*node) *node { return do(graph.OpBlock, kids...) }
func stmt(op graph.Op, v int, kids ...*node) *node {
	return &node{Op: op, N: v, Kids: kids}
}
func let(v int, x ...*node) *node         { return stmt(graph.OpVarDef, v, x...) }
func set(v int, x *node) *node            { return stmt(graph.OpAssign, v, x) }
func ret(x *node) *node                   { return do(graph.OpReturn, x) }
func run(x *node) *node                   { return do(graph.OpDo, x) }
func when(c *node, blocks ...*node) *node { return do(graph.OpIf, append([]*node{c}, blocks...)...) }
func while(c *node, body ...*node) *node  { return do(graph.OpWhile, c, block(body...)) }
func stop() *node                         { return do(graph.OpBreak) }
func each(i, e int, l *node, body ...*node) *node {
	return &node{Op: graph.OpEach, N: i, M: e, Kids: []*node{l, block(body...)}}
}
func pairs(k, e int, m *node, body ...*node) *node {
	return &node{Op: graph.OpPairs, N: k, M: e, Kids: []*node{m, block(body...)}}
}
func logged(level int, words ...*node) *node { return stmt(graph.OpLog, level, words...) }

// program is a Program with its body.
func program(p graph.Program, body ...*node) *graph.Program {
	p.Body = block(body...)
	return &p
}

// value is a program that returns an expression. Its variables are a … d, of the types that are given.
func value(x *node) *graph.Program { return program(graph.Program{Name: "value"}, ret(x)) }

func vars(names ...string) (all []graph.Var) {
	for _, name := range names {
		all = append(all, graph.Var{Name: name})
	}
	return all
}

func typed(name string, t graph.Type) graph.Var { return graph.Var{Name: name, Type: t, Typed: true} }

// checked is what Check makes of a program.
func checked(t testing.TB, p *graph.Program) *graph.Program {
	t.Helper()
	c, problems := graph.Check(p)
	for _, problem := range problems {
		t.Errorf("%s: %s", p.Name, problem.Text)
	}
	if len(problems) > 0 {
		t.FailNow()
	}
	return c
}
