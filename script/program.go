package script

import (
	"crypto/sha1"
	"encoding/hex"
	"sync"

	"github.com/redbud-go/redbud/internal/graph"
	"github.com/redbud-go/redbud/internal/luagen"
)

// Program is a program that Compile has checked. It is immutable and safe for concurrent use.
type Program struct {
	source  *graph.Program // as it was built
	checked *graph.Program
	lua     code
	graph   code
	noRetry bool

	once   sync.Once
	traced *Program // the same, whose runs tell what they do
}

// code is one of the forms that an engine runs, and its digest.
type code struct{ text, sha string }

func newCode(text string) code {
	sum := sha1.Sum([]byte(text))
	return code{text, hex.EncodeToString(sum[:])}
}

func newProgram(source, checked *graph.Program, noRetry bool) *Program {
	p := *source
	p.Body = copied(p.Body, map[*graph.Node]*graph.Node{}) // the Builder may go on
	return &Program{source: &p, checked: checked, lua: newCode(luagen.Source(checked)), graph: newCode(string(graph.Encode(source))), noRetry: noRetry}
}

// copied is a copy of a node and of all below it, which share what they share.
func copied(n *graph.Node, done map[*graph.Node]*graph.Node) *graph.Node {
	if c := done[n]; c != nil {
		return c
	}
	c := *n
	done[n] = &c
	c.Kids = make([]*graph.Node, len(n.Kids))
	for i, kid := range n.Kids {
		c.Kids[i] = copied(kid, done)
	}
	return &c
}

// tracing returns the program whose runs tell what they do.
func (p *Program) tracing() *Program {
	p.once.Do(func() {
		source := *p.source
		source.Traced = true
		checked, problems := graph.Check(&source)
		if len(problems) > 0 { // it was checked without the trace
			panic("script: " + problems[0].Text)
		}
		p.traced = newProgram(&source, checked, p.noRetry)
	})
	return p.traced
}

// Name is the name that New got.
func (p *Program) Name() string { return p.checked.Name }

// ReadOnly tells whether the program promises to write nothing.
func (p *Program) ReadOnly() bool { return p.checked.ReadOnly }

// Result is the type of what the program returns.
func (p *Program) Result() Type { return Type{p.checked.Result} }

// Lua is the program as a Redis runs it.
func (p *Program) Lua() string { return p.lua.text }

// Dot is the program as a graph for Graphviz.
func (p *Program) Dot() string { return graph.Dot(p.checked) }
