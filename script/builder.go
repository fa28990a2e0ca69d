// Package script builds portable scripts: programs that run on any engine as one command does, on a Redis as Lua by EVALSHA and on an
// embedded engine as closures of Go.
//
//	b := script.New("take")
//	stock, n := b.Var("stock"), b.Arg("n", script.Int)
//	left := b.Local("left", stock.Get().Or("0").Int())
//	b.If(left.Lt(n), func() { b.Return(nil) })
//	b.Return(stock.IncrBy(n.Neg()))
//	take, err := b.Compile()
//
//	left, err := take.On(client).Do(ctx, script.KeyNames{"stock": "tickets"}, script.ArgValues{"n": 3}).Int()
//
// What a program means is written in docs/scripts.md. Nothing runs while a program is built: an If builds both of its branches, a
// While its body once.
package script

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/redbud-go/redbud/internal/graph"
)

// Type is what values an argument, a variable or an expression may have.
type Type struct{ t graph.Type }

// The types without elements. Any is anything, null included; Number is an Int or a Float.
var (
	Any    = Type{}
	Bool   = Type{graph.Of(graph.Bool)}
	Int    = Type{graph.Of(graph.Int)}
	Float  = Type{graph.Of(graph.Float)}
	Number = Type{graph.Of(graph.Number)}
	String = Type{graph.Of(graph.String)}
)

// ListOf is the type of lists of such elements.
func ListOf(elem Type) Type { return Type{graph.ListOf(elem.t)} }

// MapOf is the type of maps from strings to such elements.
func MapOf(elem Type) Type { return Type{graph.MapOf(elem.t)} }

// OrNull is the type, or null.
func (t Type) OrNull() Type { return Type{t.t.Optional()} }

// String is how the errors of Compile spell the type.
func (t Type) String() string { return t.t.String() }

// Builder builds a program. What is called on it and on what it returns is checked by Compile, which names the line that a mistake
// was built in. It is for one goroutine at a time.
type Builder struct {
	p        graph.Program
	block    *graph.Node
	calls    []*graph.Node // commands, each of which has to stand somewhere
	problems []graph.Problem
	noRetry  bool
}

// New returns a Builder of a program without keys, arguments and statements. The name is for people: it stands in errors and in the
// generated code.
func New(name string) *Builder {
	block := &graph.Node{Op: graph.OpBlock, Place: caller()}
	return &Builder{p: graph.Program{Name: name, Body: block}, block: block}
}

// ReadOnly promises that the program writes nothing: Compile refuses what may write, and servers that can, hold it to that. Replicas
// run such programs.
func (b *Builder) ReadOnly() { b.p.ReadOnly = true }

// NoRetry says that to run the program twice is not the same as to run it once. A client of go-redis that has MaxRetries sends what it got no answer to
// again, and it may have run: with NoRetry it returns the error instead.
func (b *Builder) NoRetry() { b.noRetry = true }

// Limit sets after how many turns of loops an embedded engine ends a run; the default is 100 million. A Redis has its
// own limit: from busy-reply-threshold on, SCRIPT KILL ends a script that has not written.
func (b *Builder) Limit(turns uint64) { b.p.Steps = turns }

// Arg declares an argument, which Do gets by its name.
func (b *Builder) Arg(name string, t Type) Expr {
	b.p.Args = append(b.p.Args, graph.Arg{Name: name, Type: t.t})
	return b.expr(&graph.Node{Op: graph.OpArg, N: len(b.p.Args) - 1, Place: caller()})
}

// Key declares a key, which Do gets by its name. Var, List, Hash, Set, SortedSet and Stream declare one that has a type.
func (b *Builder) Key(name string) Key {
	b.p.Keys = append(b.p.Keys, graph.Key{Name: name})
	return Key{b, &graph.Node{Op: graph.OpKey, N: len(b.p.Keys) - 1, Place: caller()}}
}

// Keys declares any number of keys. It is the last that is declared.
func (b *Builder) Keys(name string) Keys {
	b.p.Keys = append(b.p.Keys, graph.Key{Name: name, Many: true})
	return Keys{b, len(b.p.Keys) - 1}
}

// Var declares the key of a string.
func (b *Builder) Var(name string) Var { return b.Key(name).Var() }

// List declares the key of a list.
func (b *Builder) List(name string) List { return b.Key(name).List() }

// Hash declares the key of a hash.
func (b *Builder) Hash(name string) Hash { return b.Key(name).Hash() }

// Set declares the key of a set.
func (b *Builder) Set(name string) Set { return b.Key(name).Set() }

// SortedSet declares the key of a sorted set.
func (b *Builder) SortedSet(name string) SortedSet { return b.Key(name).SortedSet() }

// Stream declares the key of a stream.
func (b *Builder) Stream(name string) Stream { return b.Key(name).Stream() }

// Local declares a variable with a value, whose type it has from then on. It is there until the block ends in which it is declared.
// What begins as null is Any.
func (b *Builder) Local(name string, value any) *Local { return b.local(name, nil, value) }

// LocalOf declares a variable of a type with a value.
func (b *Builder) LocalOf(name string, t Type, value any) *Local { return b.local(name, &t, value) }

// Declare declares a variable of a type without a value. It must be assigned before it is used.
func (b *Builder) Declare(name string, t Type) *Local { return b.local(name, &t) }

func (b *Builder) local(name string, t *Type, value ...any) *Local {
	def := b.statement(graph.OpVarDef, value...)
	l := b.variable(name)
	def.N = l.n.N
	if t != nil {
		b.p.Vars[def.N].Type, b.p.Vars[def.N].Typed = t.t, true
	}
	return l
}

// variable adds a variable that some statement declares.
func (b *Builder) variable(name string) *Local {
	b.p.Vars = append(b.p.Vars, graph.Var{Name: name})
	return &Local{b.expr(&graph.Node{Op: graph.OpVar, N: len(b.p.Vars) - 1, Place: caller()})}
}

// Do evaluates an expression for what it does, a command as a rule, and drops its value.
func (b *Builder) Do(x any) { b.statement(graph.OpDo, x) }

// Branch is an If, which Else and ElseIf go on with.
type Branch struct {
	b *Builder
	n *graph.Node
}

// If runs what then builds if the condition is true.
func (b *Builder) If(condition any, then func()) Branch {
	n := b.statement(graph.OpIf, condition)
	n.Kids = append(n.Kids, b.inside(then))
	return Branch{b, n}
}

// Else runs what otherwise builds if the condition is false.
func (br Branch) Else(otherwise func()) {
	if len(br.n.Kids) > 2 {
		br.b.complain(br.n, "the If has an Else already")
		return
	}
	br.n.Kids = append(br.n.Kids, br.b.inside(otherwise))
}

// ElseIf runs what then builds if the condition so far is false and this one true.
func (br Branch) ElseIf(condition any, then func()) Branch {
	next := br
	br.Else(func() { next = br.b.If(condition, then) })
	return next
}

// While runs what body builds again and again, as long as the condition is true.
func (b *Builder) While(condition any, body func()) {
	n := b.statement(graph.OpWhile, condition)
	n.Kids = append(n.Kids, b.inside(body))
}

// Each runs what body builds for each element of a list, with its index from 0.
func (b *Builder) Each(list any, body func(index, item *Local)) {
	b.walk(graph.OpEach, list, "index", "item", body)
}

// Pairs runs what body builds for each key of a map, in the order of the keys.
func (b *Builder) Pairs(mapping any, body func(key, value *Local)) {
	b.walk(graph.OpPairs, mapping, "key", "value", body)
}

func (b *Builder) walk(op graph.Op, x any, first, second string, body func(_, _ *Local)) {
	n := b.statement(op, x)
	f, s := b.variable(first), b.variable(second)
	n.N, n.M = f.n.N, s.n.N
	n.Kids = append(n.Kids, b.inside(func() { body(f, s) }))
}

// Break ends the innermost loop.
func (b *Builder) Break() { b.statement(graph.OpBreak) }

// Return ends the program with a result; nil is null. Every way through a program ends with one.
func (b *Builder) Return(x any) { b.statement(graph.OpReturn, x) }

// Level is one of the levels of the log.
type Level int

// The levels, those of Redis.
const (
	Debug Level = iota
	Verbose
	Notice
	Warning
)

// Log writes the texts of the words, with spaces in between, to the log of the engine.
func (b *Builder) Log(level Level, words ...any) {
	n := b.statement(graph.OpLog, words...)
	n.N = int(level)
}

// inside builds a block.
func (b *Builder) inside(build func()) *graph.Node {
	outer := b.block
	block := &graph.Node{Op: graph.OpBlock, Place: caller()}
	b.block = block
	defer func() { b.block = outer }()
	if build != nil {
		build()
	}
	return block
}

// statement adds a statement to the block.
func (b *Builder) statement(op graph.Op, kids ...any) *graph.Node {
	n := &graph.Node{Op: op, Place: caller()}
	for _, kid := range kids {
		n.Kids = append(n.Kids, b.lift(kid))
	}
	b.block.Kids = append(b.block.Kids, n)
	return n
}

func (b *Builder) complain(n *graph.Node, format string, args ...any) {
	b.problems = append(b.problems, graph.Problem{Node: n, Text: fmt.Sprintf(format, args...)})
}

// Problem is one mistake in a program.
type Problem struct {
	Place string // in the Go code, "file.go:12"; "" if it is about the program as a whole
	Text  string
}

// BuildError is the error of Compile: all mistakes that it found.
type BuildError struct {
	Program  string
	Problems []Problem // never empty
}

// Error has a line for each mistake.
func (e *BuildError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = "script " + e.Program + ": "
		if p.Place != "" {
			lines[i] += p.Place + ": "
		}
		lines[i] += p.Text
	}
	return strings.Join(lines, "\n")
}

// Compile checks what was built and returns the program, or a *BuildError.
func (b *Builder) Compile() (*Program, error) {
	if b.block != b.p.Body {
		return nil, errors.New("script " + b.p.Name + ": Compile is called inside of a block")
	}
	checked, problems := graph.Check(&b.p)
	problems = append(slices.Clone(b.problems), problems...)
	if len(problems) == 0 {
		problems = b.neverRun()
	}
	if len(problems) > 0 {
		e := &BuildError{Program: b.p.Name}
		for _, p := range problems {
			place := ""
			if p.Node != nil {
				place = p.Node.Place
			}
			if q := (Problem{place, p.Text}); !slices.Contains(e.Problems, q) {
				e.Problems = append(e.Problems, q)
			}
		}
		return nil, e
	}
	return newProgram(&b.p, checked, b.noRetry), nil
}

// MustCompile is Compile for programs that are built when the process starts. It panics with the error.
func (b *Builder) MustCompile() *Program {
	p, err := b.Compile()
	if err != nil {
		panic(err)
	}
	return p
}

// neverRun finds commands that stand nowhere.
func (b *Builder) neverRun() (problems []graph.Problem) {
	seen := map[*graph.Node]bool{}
	var visit func(*graph.Node)
	visit = func(n *graph.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, kid := range n.Kids {
			visit(kid)
		}
	}
	visit(b.p.Body)
	for _, n := range b.calls {
		if !seen[n] {
			problems = append(problems, graph.Problem{Node: n, Text: n.Text + " is built and never runs: Do runs it"})
		}
	}
	return problems
}

// caller is the place in the Go code that called into this package.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, pkg+".") || strings.HasSuffix(f.File, "_test.go") {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if !more {
			return ""
		}
	}
}

const pkg = "github.com/redbud-go/redbud/script"
