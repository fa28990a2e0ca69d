package graph

import (
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// Problem is a mistake that Check found.
type Problem struct {
	Node *Node // where; nil: in the program as a whole
	Text string
}

// Check returns the program with types, conversions and copies, or its problems, of which there is then at least one. The program
// that it is given stays as it is; the other shares nothing that can change with it.
func Check(p *Program) (*Program, []Problem) {
	c := &checker{p: &Program{
		Name: p.Name, Keys: slices.Clone(p.Keys), Args: slices.Clone(p.Args), Vars: slices.Clone(p.Vars),
		ReadOnly: p.ReadOnly, Traced: p.Traced, Steps: p.Steps, Result: Of(Never),
	}, calls: map[*Node]bool{}}
	if !c.names() || !c.measures(p.Body, 0) {
		return nil, c.problems
	}
	c.declared = make([]bool, len(p.Vars))
	c.scope = map[int]bool{}
	c.now = facts{assigned: map[int]bool{}, there: map[int]bool{}}
	for i := range c.p.Vars {
		c.p.Vars[i].Changed = false
	}
	c.findChanged(p.Body)
	c.p.Body = c.block(p.Body)
	if !c.now.over && len(c.problems) == 0 {
		c.complain(lastOf(p.Body), "the program may end without Return")
	}
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	if c.p.Result.Kind != Null {
		c.p.Result = widen(c.p.Result)
	}
	return c.p, nil
}

// lastOf is the statement behind which one is missing.
func lastOf(block *Node) *Node {
	if len(block.Kids) == 0 {
		return block
	}
	return block.Kids[len(block.Kids)-1]
}

type checker struct {
	p        *Program
	problems []Problem
	nodes    int
	calls    map[*Node]bool // what must not be evaluated twice, and was seen
	declared []bool         // variables
	scope    map[int]bool   // variables that can be seen
	loops    []*facts       // what holds at each break out of the loops that enclose this place, of the innermost last; over: nothing breaks
	now      facts
}

func (c *checker) complain(n *Node, format string, args ...any) {
	c.problems = append(c.problems, Problem{n, fmt.Sprintf(format, args...)})
}

// names checks what is declared.
func (c *checker) names() bool {
	if n := len(c.p.Keys) + len(c.p.Args) + len(c.p.Vars); n > MaxNames {
		c.complain(nil, "%d keys, arguments and variables, of which there may be %d", n, MaxNames)
	}
	seen := map[string]bool{}
	name := func(what, s string) {
		switch {
		case s == "" || len(s) > 100 || !utf8.ValidString(s):
			c.complain(nil, "%q is no name of %s", s, what)
		case seen[what+s]:
			c.complain(nil, "two %ss are named %q", what, s)
		}
		seen[what+s] = true
	}
	for i, k := range c.p.Keys {
		name("key", k.Name)
		if k.Many && i < len(c.p.Keys)-1 {
			c.complain(nil, "%q is any number of keys, which only the last one declared may be", k.Name)
		}
	}
	for _, a := range c.p.Args {
		name("argument", a.Name)
	}
	if len(c.p.Name) > 100 || !utf8.ValidString(c.p.Name) {
		c.complain(nil, "%q is no name of a program", c.p.Name)
	}
	return len(c.problems) == 0
}

// measures checks the form of a tree, on which all else relies.
func (c *checker) measures(n *Node, depth int) bool {
	if n == nil {
		c.complain(nil, "a part of the program is missing")
		return false
	}
	c.nodes++
	if n.Op == OpInvalid {
		c.complain(n, "%s", n.Text)
		return false
	}
	if n.Op <= opNone || n.Op >= ops || forms[n.Op].inner {
		c.complain(n, "an unknown part, %d", n.Op)
		return false
	}
	f := &forms[n.Op]
	switch {
	case c.nodes > MaxNodes:
		c.complain(n, "the program has more than %d parts", MaxNodes)
	case depth > MaxDepth:
		c.complain(n, "the parts of the program are nested deeper than %d", MaxDepth)
	case len(n.Kids) < f.min || f.max >= 0 && len(n.Kids) > f.max:
		c.complain(n, "%s has %d parts", n.Op, len(n.Kids))
	case n.Op == OpMap && len(n.Kids)%2 != 0:
		c.complain(n, "a key of a map has no value")
	case n.Op == OpCall && n.Shape >= shapes:
		c.complain(n, "an unknown shape, %d", n.Shape)
	case n.Op == OpCall && n.Text == "":
		c.complain(n, "a command has no name")
	case n.Op == OpFloat && n.F != n.F:
		c.complain(n, "a literal is not a number")
	case n.Op == OpLog && (n.N < 0 || n.N > 3):
		c.complain(n, "%d is no level of the log", n.N)
	default:
		for i, kid := range n.Kids {
			if !c.measures(kid, depth+1) {
				return false
			}
			block := n.Op == OpIf && i > 0 || (n.Op == OpWhile || n.Op == OpEach || n.Op == OpPairs) && i == 1
			switch {
			case block != (kid.Op == OpBlock), n.Op == OpBlock != forms[kid.Op].statement && !block:
				c.complain(kid, "%s stands where it can't in %s", kid.Op, n.Op)
				return false
			case kid.Op == OpSpread && n.Op != OpCall:
				c.complain(kid, "only the words of a command can be spread")
				return false
			}
		}
		return true
	}
	return false
}

func (c *checker) isVar(i int) bool { return i >= 0 && i < len(c.p.Vars) }

// block checks the statements of a block, in a scope of its own.
func (c *checker) block(n *Node) *Node {
	outer := maps.Clone(c.scope)
	b := *n
	b.Kids = make([]*Node, 0, len(n.Kids))
	for _, kid := range n.Kids {
		if c.now.over {
			c.complain(kid, "nothing gets here: what stands before ends the block")
			c.now.over = false
		}
		b.Kids = append(b.Kids, c.statement(kid))
	}
	c.scope = outer
	return &b
}

func (c *checker) statement(n *Node) *Node {
	s := *n
	s.Kids = slices.Clone(n.Kids)
	switch n.Op {
	case OpVarDef:
		c.define(&s)
	case OpAssign:
		v := c.target(n)
		s.Kids[0] = c.value(n.Kids[0])
		if v != nil {
			s.Kids[0] = c.store(c.fit(v.Type, s.Kids[0], n.Kids[0], "variable "+v.Name), v)
			c.gets(n.N, s.Kids[0])
		}
	case OpSetAt, OpAppend, OpSetKey, OpRemove:
		c.change(n, &s)
	case OpDo:
		s.Kids[0] = c.value(n.Kids[0])
	case OpIf:
		c.branch(n, &s)
	case OpWhile, OpEach, OpPairs:
		c.loop(n, &s)
	case OpBreak:
		if len(c.loops) == 0 {
			c.complain(n, "Break stands in no loop")
			break
		}
		out := c.loops[len(c.loops)-1]
		*out = merge(*out, c.now.clone())
		c.now.over = true
	case OpReturn:
		s.Kids[0] = c.value(n.Kids[0])
		c.p.Result = Join(c.p.Result, s.Kids[0].Type)
		c.now.over = true
	case OpLog:
		for i, kid := range n.Kids {
			s.Kids[i] = c.texty(c.value(kid), kid)
		}
	}
	if i, ok := traced[n.Op]; ok && c.p.Traced && len(s.Kids) > i {
		s.Kids[i] = &Node{Op: OpTrace, Type: s.Kids[i].Type, N: len(c.p.Traces), Kids: []*Node{s.Kids[i]}, Place: n.Place}
		c.p.Traces = append(c.p.Traces, n)
	}
	return &s
}

// traced are the statements that a trace tells of, by the kid whose value it tells.
var traced = map[Op]int{OpVarDef: 0, OpAssign: 0, OpSetAt: 1, OpAppend: 0, OpSetKey: 1, OpRemove: 0, OpDo: 0, OpIf: 0, OpWhile: 0, OpReturn: 0}

// bind makes a variable known from here on.
func (c *checker) bind(n *Node, i int) *Var {
	switch {
	case !c.isVar(i):
		c.complain(n, "an unknown variable, %d", i)
		return nil
	case c.declared[i]:
		c.complain(n, "variable %s is declared twice", c.p.Vars[i].Name)
		return nil
	}
	c.declared[i], c.scope[i] = true, true
	return &c.p.Vars[i]
}

func (c *checker) define(s *Node) {
	var value *Node
	if len(s.Kids) > 0 {
		value = c.value(s.Kids[0])
	}
	v := c.bind(s, s.N)
	switch {
	case v == nil:
	case value == nil && !v.Typed:
		c.complain(s, "variable %s has neither a type nor a value", v.Name)
	case value == nil:
		delete(c.now.assigned, s.N) // of an earlier turn of a loop
	default:
		if !v.Typed {
			v.Type = widen(value.Type)
		}
		s.Kids[0] = c.store(c.fit(v.Type, value, s.Kids[0], "variable "+v.Name), v)
		c.gets(s.N, s.Kids[0])
	}
}

// widen is the type of a variable that is declared with a value of type t.
func widen(t Type) Type {
	switch {
	case t.Kind == Null || t.Kind == Never:
		return Type{}
	case t.Elem != nil:
		elem := widen(*t.Elem)
		t.Elem = &elem
	}
	return t
}

// target is the variable of a statement that changes it; nil: there is none.
func (c *checker) target(n *Node) *Var {
	switch {
	case !c.isVar(n.N):
		c.complain(n, "an unknown variable, %d", n.N)
		return nil
	case !c.scope[n.N]:
		c.complain(n, "variable %s is not declared here", c.p.Vars[n.N].Name)
		return nil
	}
	return &c.p.Vars[n.N]
}

// change checks a statement that changes a list or map in place.
func (c *checker) change(n, s *Node) {
	for i, kid := range n.Kids {
		s.Kids[i] = c.value(kid)
	}
	v := c.target(n)
	if v == nil {
		return
	}
	want := Map
	if n.Op == OpSetAt || n.Op == OpAppend {
		want = List
	}
	switch {
	case v.Type.Kind != want:
		c.complain(n, "variable %s is %s: %s wants a %s (declare the variable with that type)", v.Name, v.Type, n.Op, kindNames[want])
		return
	case !c.now.assigned[n.N]:
		c.complain(n, "variable %s may have no value yet", v.Name)
	case v.Type.Opt && !c.now.there[n.N]:
		c.complain(n, "variable %s may be null here", v.Name)
	}
	key, what := integer, "the index"
	if want == Map {
		key, what = str, "the key"
	}
	last := len(n.Kids) - 1
	if n.Op != OpAppend {
		s.Kids[0] = c.fit(key, s.Kids[0], n.Kids[0], what)
	}
	if n.Op != OpRemove {
		s.Kids[last] = c.store(c.fit(*v.Type.Elem, s.Kids[last], n.Kids[last], "an element of "+v.Name), nil)
	}
}

// bindWalked declares the variables of a loop. One that is changed in place has a copy, which the back ends make.
func (c *checker) bindWalked(n, s *Node) {
	key := integer
	if n.Op == OpPairs {
		key = str
	}
	elem := Type{}
	if t := s.Kids[0].Type; t.Elem != nil {
		elem = widen(*t.Elem)
	}
	c.bindTurn(n, n.N, key)
	c.bindTurn(n, n.M, elem)
}

// bindTurn declares a variable that each turn of a loop gives a value; i is -1: there is none.
func (c *checker) bindTurn(n *Node, i int, t Type) {
	if i < 0 {
		return
	}
	if v := c.bind(n, i); v != nil {
		v.Type = t
		c.now.assigned[i] = true
		delete(c.now.there, i)
	}
}
