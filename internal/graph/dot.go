package graph

import (
	"fmt"
	"strconv"
	"strings"
)

// Dot draws a program that Check returned, in the language of Graphviz: a statement is a box, which points at what it consists of in its
// order; an expression shows its type.
func Dot(p *Program) string {
	d := &drawing{p: p}
	fmt.Fprintf(d, "digraph %s {\n", quoted(p.Name))
	d.WriteString("\tnode [fontname=\"monospace\"];\n")
	d.node(p.Body)
	d.WriteString("}\n")
	return d.String()
}

type drawing struct {
	strings.Builder
	p    *Program
	next int
}

// node draws a node and what is below it, and returns its number.
func (d *drawing) node(n *Node) int {
	id := d.next
	d.next++
	shape := "ellipse"
	label := d.label(n)
	if forms[n.Op].statement {
		shape = "box"
	} else {
		label += "\n" + n.Type.String()
	}
	fmt.Fprintf(d, "\tn%d [shape=%s, label=%s];\n", id, shape, quoted(label))
	for i, kid := range n.Kids {
		fmt.Fprintf(d, "\tn%d -> n%d [label=\"%d\"];\n", id, d.node(kid), i)
	}
	return id
}

// label is what a node is.
func (d *drawing) label(n *Node) string {
	switch n.Op {
	case OpBool:
		return strconv.FormatBool(n.N == 1)
	case OpInt:
		return strconv.FormatInt(n.Int, 10)
	case OpFloat:
		return strconv.FormatFloat(n.F, 'g', -1, 64)
	case OpString:
		return strconv.Quote(n.Text)
	case OpFunc, OpCall:
		return n.Text
	case OpArg:
		return "argument " + d.p.Args[n.N].Name
	case OpKey, OpKeyAt, OpKeyCount:
		return n.Op.String() + " " + d.p.Keys[n.N].Name
	case OpVar, OpVarDef, OpAssign, OpSetAt, OpAppend, OpSetKey, OpRemove:
		return n.Op.String() + " " + d.p.Vars[n.N].Name
	case OpEach, OpPairs:
		return n.Op.String() + " " + d.name(n.N) + ", " + d.name(n.M)
	}
	return n.Op.String()
}

func (d *drawing) name(i int) string {
	if i < 0 {
		return "_"
	}
	return d.p.Vars[i].Name
}

// quoted is a string as Graphviz reads it.
func quoted(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\x00", "").Replace(s)
	return `"` + s + `"`
}
