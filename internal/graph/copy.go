// Lists and maps are values: where one has to be copied, since a variable is changed in place.

package graph

import (
	"slices"
)

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
