// Package luagen makes Lua of checked programs, for EVALSHA on a Redis of 6.0 or later. The Lua reads as if it was written by hand: names
// are kept, and what is safe in Lua is said in Lua; functions of helpers.lua stand before it where they are used.
//
// null is nil in variables and cjson.null in lists and maps. Integers beyond 2^53-1 are tables with their digits, lists are tables,
// maps are tables with the metatable Map.
package luagen

import (
	"fmt"
	"strings"

	"github.com/redbud-go/redbud/internal/graph"
)

// Source is the Lua of a program that graph.Check returned.
func Source(p *graph.Program) string {
	// What a program uses is known when it has been written, and its names must be others.
	first := newGenerator(p, &generator{})
	first.program()
	g := newGenerator(p, first)
	g.program()
	return g.head() + g.out.String()
}

type generator struct {
	p     *graph.Program
	out   strings.Builder
	depth int // of blocks

	used  map[string]bool // helpers
	vars  []string        // names, and so on
	keys  []string
	args  []string
	sizes []size // of variables

	counters []bool // variables that statements add a little to

	big   bool                   // Lua would run out of local variables: ours are fields of v, and helpers those of h
	apart map[*graph.Node]string // expressions that were taken apart: where their values are
	parts int                    // how many of these there are

	spelled map[*graph.Node]bool // those of them that are texts there
}

// The limits of Lua that programs could hit: a function has 200 local variables and 250 registers, 60 variables of others, and 200 levels of
// what stands in what.
const (
	maxLocals    = 140
	maxRegisters = 70
	maxUpvalues  = 50
	maxLevels    = 80
)

// newGenerator takes one that has written the program, from which it knows what the program uses.
func newGenerator(p *graph.Program, first *generator) *generator {
	g := &generator{p: p, used: map[string]bool{}, apart: map[*graph.Node]string{}, spelled: map[*graph.Node]bool{}}
	taken := names{}
	for _, word := range reserved {
		taken[word] = true
	}
	locals := len(p.Keys) + len(p.Args) + len(p.Vars) + 4*loops(p.Body)
	for _, i := range withNeeds(first.used) {
		for _, name := range helpers[i].names {
			taken[name] = true
			locals++
		}
	}
	g.big = locals > maxLocals || p.Traced && len(first.used) > maxUpvalues
	taken["h"], taken["v"], taken["part"] = g.big, g.big, first.parts > 0
	name := func(want string) string {
		if g.big {
			return "v." + taken.take(want)
		}
		return taken.take(want)
	}
	for _, k := range p.Keys {
		g.keys = append(g.keys, name(k.Name))
	}
	for _, a := range p.Args {
		g.args = append(g.args, name(a.Name))
	}
	turning := map[int]bool{}
	findTurning(p.Body, turning)
	for i, v := range p.Vars {
		if turning[i] {
			g.vars = append(g.vars, taken.take(v.Name))
		} else {
			g.vars = append(g.vars, name(v.Name))
		}
	}
	g.measure()
	return g
}

// loops is how many loops stand in one another.
func loops(n *graph.Node) int {
	most := 0
	for _, kid := range n.Kids {
		most = max(most, loops(kid))
	}
	if n.Op == graph.OpEach || n.Op == graph.OpPairs {
		most++
	}
	return most
}

// findTurning finds the variables that loops over lists and maps declare: these are local ones always.
func findTurning(n *graph.Node, turning map[int]bool) {
	if n.Op == graph.OpEach || n.Op == graph.OpPairs {
		turning[n.N], turning[n.M] = true, true
	}
	for _, kid := range n.Kids {
		findTurning(kid, turning)
	}
}

// use is the name of a helper.
func (g *generator) use(name string) string {
	if _, ok := helperOf[name]; !ok {
		panic("luagen: there is no helper " + name)
	}
	g.used[name] = true
	if g.big {
		return "h." + name
	}
	return name
}

// head is what stands before a program: its helpers.
func (g *generator) head() string {
	var b strings.Builder
	if needed := withNeeds(g.used); len(needed) > 0 {
		b.WriteString("-- helpers\n")
		if g.big {
			b.WriteString("local h = {}\ndo\n")
		}
		for _, i := range needed {
			b.WriteString(helpers[i].text + "\n")
			if strings.Contains(helpers[i].text, "\n") {
				b.WriteByte('\n')
			}
		}
		if g.big {
			for _, i := range needed {
				for _, name := range helpers[i].names {
					if g.used[name] {
						fmt.Fprintf(&b, "h.%s = %s\n", name, name)
					}
				}
			}
			b.WriteString("end\n\n")
		} else if !strings.HasSuffix(b.String(), "\n\n") {
			b.WriteByte('\n')
		}
	}
	return b.String() + strings.TrimRight("-- program "+comment(g.p.Name), " ") + "\n"
}

// line writes one.
func (g *generator) line(format string, args ...any) {
	g.out.WriteString(strings.Repeat("\t", g.depth))
	fmt.Fprintf(&g.out, format, args...)
	g.out.WriteByte('\n')
}

// program writes all but the helpers.
func (g *generator) program() {
	if g.p.Traced {
		g.line("return %s(function()", g.use("run_traced"))
		g.depth++
	}
	at := g.out.Len()
	if g.big {
		g.line("local v = {}")
	}
	for i, k := range g.p.Keys {
		if !k.Many {
			g.local(g.keys[i], fmt.Sprintf("KEYS[%d]", i+1))
		}
	}
	for i, a := range g.p.Args {
		g.local(g.args[i], g.argument(i, a.Type))
	}
	g.statements(g.p.Body)
	if g.parts > 0 {
		text := g.out.String()
		g.out.Reset()
		g.out.WriteString(text[:at])
		g.line("local part = {}")
		g.out.WriteString(text[at:])
	}
	if g.p.Traced {
		g.depth--
		g.line("end)")
	}
}

// local declares a variable of ours.
func (g *generator) local(name, value string) {
	if !g.big {
		name = "local " + name
	}
	g.line("%s = %s", name, value)
}

// decoders are the helpers that read arguments.
var decoders = map[graph.Kind]string{graph.Int: "int_of", graph.Float: "float_of", graph.Number: "number"}

// argument reads one. They travel as package graph says.
func (g *generator) argument(i int, t graph.Type) string {
	raw := fmt.Sprintf("ARGV[%d]", i+1)
	switch {
	case g.p.Rest(i) && i == 0:
		return "ARGV"
	case g.p.Rest(i):
		return g.call("words_from", "ARGV", fmt.Sprint(i+1))
	case t.Opt:
	case t.Kind == graph.String:
		return raw
	case t.Kind == graph.Bool:
		return raw + ` == "1"`
	case t.Numeric():
		return g.call(decoders[t.Kind], raw)
	}
	value := g.call("from_json", raw)
	if t.Kind == graph.Any {
		return value
	}
	return g.call("as", value, quote(t.String()))
}

// call is a call of a helper.
func (g *generator) call(helper string, args ...string) string {
	return g.use(helper) + "(" + strings.Join(args, ", ") + ")"
}
