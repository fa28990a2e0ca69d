package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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

// facts are what holds where the program is being looked at.
type facts struct {
	assigned map[int]bool // variables that have a value
	there    map[int]bool // optional variables that are not null
	over     bool         // nothing gets here
}

func (f facts) clone() facts {
	return facts{maps.Clone(f.assigned), maps.Clone(f.there), f.over}
}

// merge is what holds where two ways meet.
func merge(f, g facts) facts {
	switch {
	case f.over:
		return g
	case g.over:
		return f
	}
	both := func(a, b map[int]bool) map[int]bool {
		m := map[int]bool{}
		for v := range a {
			if b[v] {
				m[v] = true
			}
		}
		return m
	}
	return facts{both(f.assigned, g.assigned), both(f.there, g.there), false}
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

// findChanged notes which variables are changed in place.
func (c *checker) findChanged(n *Node) {
	switch n.Op {
	case OpSetAt, OpAppend, OpSetKey, OpRemove:
		if c.isVar(n.N) {
			c.p.Vars[n.N].Changed = true
		}
	}
	for _, kid := range n.Kids {
		c.findChanged(kid)
	}
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

// gets notes that a variable has a new value.
func (c *checker) gets(i int, value *Node) {
	c.now.assigned[i] = true
	if c.p.Vars[i].Type.Opt && !value.Type.Nullable() {
		c.now.there[i] = true
	} else {
		delete(c.now.there, i)
	}
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

func (c *checker) branch(n, s *Node) {
	var yes, no []int
	s.Kids[0], yes, no = c.condition(n.Kids[0])
	before := c.now.clone()
	c.holds(yes)
	s.Kids[1] = c.block(n.Kids[1])
	after := c.now
	c.now = before
	c.holds(no)
	if len(n.Kids) > 2 {
		s.Kids[2] = c.block(n.Kids[2])
	}
	c.now = merge(after, c.now)
}

func (c *checker) holds(vars []int) {
	for _, v := range vars {
		c.now.there[v] = true
	}
}

func (c *checker) loop(n, s *Node) {
	outer := maps.Clone(c.scope)
	if n.Op != OpWhile { // what is walked is evaluated once, before the loop
		s.Kids[0] = c.walked(n)
	}
	c.forget(n)
	var yes, no []int
	if n.Op == OpWhile {
		s.Kids[0], yes, no = c.condition(n.Kids[0])
	} else {
		c.bindWalked(n, s)
	}
	before := c.now.clone() // what holds whenever the loop begins another turn
	c.holds(yes)
	broken := facts{over: true}
	c.loops = append(c.loops, &broken)
	s.Kids[1] = c.block(n.Kids[1])
	c.loops = c.loops[:len(c.loops)-1]
	c.now = before
	if n.Op == OpWhile && n.Kids[0].Op == OpBool && n.Kids[0].N == 1 {
		c.now.over = true // only Break gets out
	} else {
		c.holds(no)
	}
	c.now = merge(c.now, broken)
	c.scope = outer
}

// forget drops what an earlier turn of a loop may have made untrue.
func (c *checker) forget(n *Node) {
	if n.Op == OpAssign {
		delete(c.now.there, n.N)
	}
	for _, kid := range n.Kids {
		c.forget(kid)
	}
}

// walked checks what Each or Pairs walks.
func (c *checker) walked(n *Node) *Node {
	want, what := list, "a list to walk"
	if n.Op == OpPairs {
		want, what = mapping, "a map to walk"
	}
	x := c.fit(want, c.value(n.Kids[0]), n.Kids[0], what)
	for _, v := range c.roots(x, nil) {
		if changes(n.Kids[1], v) {
			return copied(x)
		}
	}
	return x
}

// changes reports whether a variable is changed in place within n.
func changes(n *Node, v int) bool {
	switch n.Op {
	case OpSetAt, OpAppend, OpSetKey, OpRemove:
		if n.N == v {
			return true
		}
	}
	return slices.ContainsFunc(n.Kids, func(kid *Node) bool { return changes(kid, v) })
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

// value checks an expression and finds its type.
func (c *checker) value(n *Node) *Node {
	v := *n
	v.Kids = make([]*Node, len(n.Kids))
	if n.Op == OpFunc && (n.Text == "and" || n.Text == "or") && len(n.Kids) == 2 {
		x, _, _ := c.condition(n)
		return x
	}
	for i, kid := range n.Kids {
		v.Kids[i] = c.value(kid)
	}
	if n.Op == OpCall || n.Op == OpFunc && !Pure(n.Text) {
		if c.calls[n] {
			c.complain(n, "%s stands in two places and would run twice: keep its value in a variable", n.Text)
		}
		c.calls[n] = true
	}
	v.Type = c.typeOf(n, &v)
	return &v
}

func (c *checker) typeOf(n, v *Node) Type {
	switch n.Op {
	case OpNull:
		return Of(Null)
	case OpBool:
		return boolean
	case OpInt, OpKeyCount:
		if n.Op == OpKeyCount {
			c.key(n, true)
		}
		return integer
	case OpFloat:
		return float
	case OpString:
		return str
	case OpList, OpMap:
		return c.literal(n, v)
	case OpArg:
		if n.N < 0 || n.N >= len(c.p.Args) {
			c.complain(n, "an unknown argument, %d", n.N)
			return Type{}
		}
		return c.p.Args[n.N].Type
	case OpVar:
		return c.variable(n)
	case OpKey:
		c.key(n, false)
		return str
	case OpKeyAt:
		c.key(n, true)
		v.Kids[0] = c.fit(integer, v.Kids[0], n.Kids[0], "the index of a key")
		return str
	case OpFunc:
		return c.function(n, v)
	case OpCall:
		return c.call(n, v)
	case OpSpread:
		v.Kids[0] = c.fit(list, v.Kids[0], n.Kids[0], "what is spread")
		if elem := elemOf(v.Kids[0]); !wordy(elem) {
			c.complain(n, "%s can't be a word of a command", elem)
		}
		return Type{}
	}
	c.complain(n, "%s is no value", n.Op)
	return Type{}
}

func (c *checker) variable(n *Node) Type {
	v := c.target(n)
	switch {
	case v == nil:
		return Type{}
	case !c.now.assigned[n.N]:
		c.complain(n, "variable %s may have no value yet", v.Name)
	case c.now.there[n.N]:
		return v.Type.Required()
	}
	return v.Type
}

func (c *checker) key(n *Node, many bool) {
	switch {
	case n.N < 0 || n.N >= len(c.p.Keys):
		c.complain(n, "an undeclared key, %d", n.N)
	case c.p.Keys[n.N].Many != many:
		c.complain(n, "key %s is used as if it were declared differently", c.p.Keys[n.N].Name)
	}
}

// literal checks a list or map that is written down. Its element's type is the one that was given, or the smallest that fits all.
func (c *checker) literal(n, v *Node) Type {
	kind, first, step := List, 0, 1
	if n.Op == OpMap {
		kind, first, step = Map, 1, 2
	}
	elem := Of(Never)
	given := n.Type.Kind == kind && n.Type.Elem != nil
	if given {
		elem = *n.Type.Elem
	}
	for i := first; i < len(v.Kids); i += step {
		if kind == Map {
			v.Kids[i-1] = c.fit(str, v.Kids[i-1], n.Kids[i-1], "a key of a map")
		}
		if given {
			v.Kids[i] = c.fit(elem, v.Kids[i], n.Kids[i], "an element")
		} else {
			elem = Join(elem, v.Kids[i].Type)
		}
		v.Kids[i] = c.store(v.Kids[i], nil)
	}
	return Type{Kind: kind, Elem: &elem}
}

func (c *checker) function(n, v *Node) Type {
	f, ok := Functions[n.Text]
	least, most := len(f.Params)-f.Optional, len(f.Params)
	if f.Variadic {
		most = MaxWords
	}
	switch {
	case !ok:
		c.complain(n, "an unknown function, %s", n.Text)
		return Type{}
	case len(v.Kids) < least || len(v.Kids) > most:
		c.complain(n, "%s of %d arguments", n.Text, len(v.Kids))
		return Type{}
	}
	for i := range v.Kids {
		v.Kids[i] = c.fit(f.Params[min(i, len(f.Params)-1)], v.Kids[i], n.Kids[i], "of "+n.Text+", argument "+fmt.Sprint(i+1))
	}
	if f.typed != nil {
		return f.typed(c, v)
	}
	return f.Result
}

func (c *checker) call(n, v *Node) Type {
	for i, kid := range v.Kids {
		if kid.Op != OpSpread && !wordy(kid.Type) {
			c.complain(n.Kids[i], "%s can't be a word of %s", kid.Type, n.Text)
		}
	}
	if strings.EqualFold(n.Text, "SELECT") {
		c.complain(n, "a program stays in its database")
	}
	if n.Write && c.p.ReadOnly {
		c.complain(n, "%s may write, and the program is read-only", n.Text)
	}
	if n.Shape == ReplyCounter {
		name := strings.ToUpper(n.Text)
		words := 1
		if name == "INCRBY" || name == "DECRBY" {
			words = 2
		} else if name == "HINCRBY" {
			words = 3
		}
		if Counters[name] == "" || len(v.Kids) != words {
			c.complain(n, "%s of %d words does not count", n.Text, len(v.Kids))
		}
	}
	return n.Shape.Type()
}

// wordy reports whether a value of the type may be a word of a command.
func wordy(t Type) bool { return !t.Is(Null, Bool, List, Map) }

// fit makes a value one of the type, by a check when the program runs if need be. n is where it came from.
func (c *checker) fit(t Type, v, n *Node, what string) *Node {
	switch {
	case t.Covers(v.Type):
		return v
	case !t.Meets(v.Type):
		c.complain(n, "%s is %s, where %s is wanted", what, v.Type, t)
		return v
	}
	if r := v.Type.Required(); t.Covers(r) { // only null is in the way
		t = r
	}
	return &Node{Op: OpConv, Type: t, Kids: []*Node{v}, Place: n.Place}
}

// texty makes a value one that has a text.
func (c *checker) texty(v, n *Node) *Node {
	if v.Type.Is(Null, List, Map) {
		c.complain(n, "%s has no text (ToJSON makes one)", v.Type)
	}
	return v
}

// store makes a value one that stays as it is where it is kept: in variable v, or in a list or map, nil.
func (c *checker) store(x *Node, v *Var) *Node {
	if !x.Type.Container() {
		return x
	}
	inside := false // it may be an element of a list or map, which nobody changes in place but which may become v's
	vars := c.roots(x, &inside)
	own := v != nil && v.Changed
	if own && (inside || len(vars) > 0) || slices.ContainsFunc(vars, func(i int) bool { return c.p.Vars[i].Changed }) {
		return copied(x)
	}
	return x
}

func copied(x *Node) *Node { return &Node{Op: OpCopy, Type: x.Type, Kids: []*Node{x}, Place: x.Place} }

// roots are the variables whose list or map a value may be; inside is set if it may be an element of one, or an argument.
func (c *checker) roots(x *Node, inside *bool) (vars []int) {
	switch {
	case x.Op == OpVar && c.isVar(x.N):
		return []int{x.N}
	case x.Op == OpConv:
		return c.roots(x.Kids[0], inside)
	case x.Op == OpFunc && (x.Text == "and" || x.Text == "or") && len(x.Kids) == 2:
		return append(c.roots(x.Kids[0], inside), c.roots(x.Kids[1], inside)...)
	case x.Op == OpArg, x.Op == OpFunc && (x.Text == "at" || x.Text == "get"):
		if inside != nil {
			*inside = true
		}
	}
	return nil
}

// condition checks an expression and tells which variables are not null if it is true, and if it is false.
func (c *checker) condition(n *Node) (v *Node, yes, no []int) {
	if n.Op == OpVar {
		return c.value(n), []int{n.N}, nil
	}
	if n.Op != OpFunc {
		return c.value(n), nil, nil
	}
	switch {
	case n.Text == "not" && len(n.Kids) == 1:
		x, yes, no := c.condition(n.Kids[0])
		return &Node{Op: OpFunc, Text: n.Text, Type: boolean, Kids: []*Node{x}, Place: n.Place}, no, yes
	case (n.Text == "and" || n.Text == "or") && len(n.Kids) == 2:
		before := c.now.clone()
		x, yesX, noX := c.condition(n.Kids[0])
		first := yesX
		if n.Text == "or" {
			first = noX
		}
		c.holds(first)
		y, yesY, noY := c.condition(n.Kids[1])
		c.now = before
		v := &Node{Op: OpFunc, Text: n.Text, Kids: []*Node{x, y}, Place: n.Place}
		v.Type = Functions[n.Text].typed(c, v)
		if n.Text == "and" {
			return v, append(slices.Clone(yesX), yesY...), nil
		}
		return v, nil, append(slices.Clone(noX), noY...)
	case (n.Text == "eq" || n.Text == "ne") && len(n.Kids) == 2:
		for i, kid := range n.Kids {
			if other := n.Kids[1-i]; kid.Op == OpVar && other.Op == OpNull {
				if n.Text == "ne" {
					return c.value(n), []int{kid.N}, nil
				}
				return c.value(n), nil, []int{kid.N}
			}
		}
	}
	return c.value(n), nil, nil
}
