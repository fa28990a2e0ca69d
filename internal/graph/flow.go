// What is known where a program is: which variables have a value, and which are not null.

package graph

import (
	"maps"
	"slices"
)

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

// gets notes that a variable has a new value.
func (c *checker) gets(i int, value *Node) {
	c.now.assigned[i] = true
	if c.p.Vars[i].Type.Opt && !value.Type.Nullable() {
		c.now.there[i] = true
	} else {
		delete(c.now.there, i)
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
