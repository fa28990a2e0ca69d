package graph

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
)

// everything is a program with every op that travels.
func everything() *Program {
	expr := func(op Op, kids ...*Node) *Node { return &Node{Op: op, Kids: kids} }
	block := func(kids ...*Node) *Node { return expr(OpBlock, kids...) }
	integer := func(n int64) *Node { return &Node{Op: OpInt, Int: n} }
	text := func(s string) *Node { return &Node{Op: OpString, Text: s} }
	at := func(n int, op Op, kids ...*Node) *Node { return &Node{Op: op, N: n, Kids: kids} }
	typed := func(t Type, op Op, kids ...*Node) *Node { return &Node{Op: op, Type: t, Kids: kids} }
	loop := func(op Op, n, m int, kids ...*Node) *Node { return &Node{Op: op, N: n, M: m, Kids: kids} }
	return &Program{
		Name: "everything \x00 \"", Steps: 1 << 40, Traced: true,
		Keys: []Key{{Name: "k"}, {Name: "many", Many: true}},
		Args: []Arg{{"a", MapOf(ListOf(Of(String).Optional())).Optional()}, {"b", Type{}}},
		Vars: []Var{{Name: "l", Type: ListOf(Type{}), Typed: true}, {Name: "m"}, {Name: "i"}, {Name: "x"}, {Name: "key"}},
		Body: block(
			at(0, OpVarDef, typed(ListOf(Type{}), OpList, integer(math.MinInt64), &Node{Op: OpFloat, F: math.Inf(-1)}, expr(OpNull))),
			at(1, OpVarDef, expr(OpMap, text("\xff\x00"), &Node{Op: OpBool, N: 1})),
			at(0, OpAssign, expr(OpList)),
			at(0, OpAppend, at(0, OpArg)),
			at(0, OpSetAt, integer(0), text("")),
			at(1, OpSetKey, text("k"), &Node{Op: OpBool}),
			at(1, OpRemove, text("k")),
			loop(OpEach, 2, 3, at(0, OpVar), block(expr(OpIf, at(3, OpVar), block(expr(OpBreak)), block()))),
			loop(OpPairs, 4, -1, at(1, OpVar), block()),
			expr(OpWhile, &Node{Op: OpFunc, Text: "lt", Kids: []*Node{integer(1), at(1, OpKeyCount)}}, block()),
			at(3, OpLog, text("warning")),
			expr(OpDo, &Node{Op: OpCall, Text: "MSET", Shape: ReplyBool, Write: true, Kids: []*Node{at(0, OpKey), at(1, OpKeyAt, integer(0)), expr(OpSpread, expr(OpList, text("v")))}}),
			expr(OpReturn, at(1, OpArg)),
		),
	}
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	p := everything()
	if _, problems := Check(p); len(problems) > 0 {
		t.Fatal(problems[0].Text)
	}
	wire := Encode(p)
	q, err := Decode(wire)
	if err != nil {
		t.Fatal(err)
	}
	if again := Encode(q); !bytes.Equal(again, wire) {
		t.Errorf("%q becomes %q", wire, again)
	}
	checked, problems := Check(q)
	if len(problems) > 0 || !checked.Traced || checked.Steps != p.Steps || checked.Name != p.Name {
		t.Errorf("%+v, with %v", checked, problems)
	}
	seen := map[Op]bool{}
	var visit func(n *Node)
	visit = func(n *Node) {
		seen[n.Op] = true
		for _, kid := range n.Kids {
			visit(kid)
		}
	}
	visit(q.Body)
	for op := opNone + 1; op < ops; op++ {
		if !forms[op].inner && !seen[op] {
			t.Errorf("%s is not tried", op)
		}
	}
}

func TestWhatIsNoProgramIsRefused(t *testing.T) {
	wire := Encode(everything())
	for n := range wire {
		if _, err := Decode(wire[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	if _, err := Decode(append(bytes.Clone(wire), 0)); !errors.Is(err, ErrMalformed) {
		t.Errorf("one byte more: %v", err)
	}
	newer := bytes.Clone(wire)
	newer[3]++
	if _, err := Decode(newer); err == nil || !strings.Contains(err.Error(), "wire form 2") {
		t.Errorf("a newer form: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	wire := Encode(everything())
	f.Add(wire)
	for i := 4; i < len(wire); i += 3 {
		changed := bytes.Clone(wire)
		changed[i] ^= 0x15
		f.Add(changed)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		p, err := Decode(wire)
		if err != nil {
			return
		}
		checked, problems := Check(p)
		if (checked == nil) != (len(problems) > 0) {
			t.Errorf("Check returns %v and %v", checked, problems)
		}
		if checked != nil {
			Dot(checked)
		}
		again, err := Decode(Encode(p))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(Encode(again), Encode(p)) {
			t.Error("it is encoded differently the second time")
		}
	})
}

func TestJoinCoversBoth(t *testing.T) {
	var all []Type
	for k := Any; k < List; k++ {
		all = append(all, Of(k), Of(k).Optional())
	}
	for _, t := range all[:len(all):len(all)] {
		all = append(all, ListOf(t), MapOf(t), ListOf(t).Optional())
	}
	for _, a := range all {
		for _, b := range all {
			j := Join(a, b)
			if !j.Covers(a) || !j.Covers(b) || !j.Equal(Join(b, a)) {
				t.Errorf("%s and %s join to %s, and the other way to %s", a, b, j, Join(b, a))
			}
			if a.Covers(b) && !a.Meets(b) {
				t.Errorf("%s covers %s and does not meet it", a, b)
			}
			if a.Covers(b) && !j.Equal(a) {
				t.Errorf("%s covers %s and they join to %s", a, b, j)
			}
		}
	}
}
