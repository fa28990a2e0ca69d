// The types of expressions.

package graph

import (
	"fmt"
	"strings"
)

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
