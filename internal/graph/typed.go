package graph

// The types of functions whose arguments decide. The arguments fit what the functions want already, one by one.

// and gives the first of its arguments if that is false, and the second otherwise.
func (c *checker) and(n *Node) Type {
	x, y := n.Kids[0].Type, n.Kids[1].Type
	switch {
	case x.Kind == Any || x.Kind == Bool:
		return Join(x, y)
	case x.Nullable(): // null is all that is false in it
		return Join(Of(Null), y)
	}
	return y
}

// or gives the first of its arguments if that is true, and the second otherwise.
func (c *checker) or(n *Node) Type {
	x, y := n.Kids[0].Type, n.Kids[1].Type
	switch {
	case x.Kind == Null:
		return y
	case x.Kind == Any:
		return x
	}
	return Join(x.Required(), y)
}

// order compares two numbers or two strings.
func (c *checker) order(n *Node) Type {
	for i, kid := range n.Kids {
		t, other := kid.Type, n.Kids[1-i].Type
		switch {
		case !t.Numeric() && !t.Is(String, Any):
			c.complain(n, "%s has no order", t)
		case t.Numeric() && other.Is(String):
			c.complain(n, "%s is compared with %s", t, other)
		default:
			want := t.Required()
			if t.Kind == Any {
				want = other.Required()
			}
			if want.Numeric() { // an Int is compared with 2.5 as well
				want = number
			}
			if t.Nullable() && want.Kind != Any {
				n.Kids[i] = &Node{Op: OpConv, Type: want, Kids: []*Node{kid}, Place: kid.Place}
			}
			continue
		}
		break
	}
	return boolean
}

// arithmetic on Ints gives an Int, with a Float a Float.
func (c *checker) arithmetic(n *Node) Type {
	t := n.Kids[0].Type
	for _, kid := range n.Kids {
		switch k := kid.Type.Kind; {
		case k == Float || t.Kind == Float:
			t = float
		case k != Int:
			t = number
		}
	}
	return t
}

// text is of a string, a number or a boolean.
func (c *checker) text(n *Node) Type {
	for _, kid := range n.Kids {
		c.texty(kid, n)
	}
	return str
}

func (c *checker) toInt(n *Node) Type {
	if t := n.Kids[0].Type; !t.Is(Int, Number, String, Any) {
		c.complain(n, "%s can't become an Int (Floor and Ceil make one of a Float)", t)
	}
	return integer
}

func (c *checker) toFloat(n *Node) Type {
	if t := n.Kids[0].Type; !t.Numeric() && !t.Is(String, Any) {
		c.complain(n, "%s can't become a Float", t)
	}
	return float
}

func (c *checker) length(n *Node) Type {
	if t := n.Kids[0].Type; !t.Is(String, List, Map, Any) {
		c.complain(n, "%s has no length", t)
	}
	return integer
}

// elem is of a list at an index, or of a map at a key.
func (c *checker) elem(n *Node) Type {
	t := elemOf(n.Kids[0])
	if t.Kind == Never {
		return Of(Null)
	}
	return t.Optional()
}

// elemOf is the type of the elements of a list or map; Any if it is neither, of which the checker has complained then.
func elemOf(n *Node) Type {
	if n.Type.Elem == nil {
		return Type{}
	}
	return *n.Type.Elem
}

// same is the type of the first argument.
func (c *checker) same(n *Node) Type { return n.Kids[0].Type }

// zip is a map with the elements of the second argument.
func (c *checker) zip(n *Node) Type { return MapOf(elemOf(n.Kids[1])) }
