// The wire form: numbers as varints (unsigned; signed ones in zigzag), text as its length and its bytes, a node as its op, what its form has, and its kids.
package graph

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// magic begins the wire form; its last byte is the version.
const magic = "RBG\x01"

// The flags of a program.
const (
	flagReadOnly = 1 << iota
	flagTraced
)

// Encode returns the wire form of a program that Check has not changed. Programs that mean the same and have the same names have the same form.
func Encode(p *Program) []byte {
	e := encoder{[]byte(magic)}
	flags := uint64(0)
	if p.ReadOnly {
		flags |= flagReadOnly
	}
	if p.Traced {
		flags |= flagTraced
	}
	e.number(flags)
	e.number(p.Steps)
	e.text(p.Name)
	e.number(uint64(len(p.Keys)))
	for _, k := range p.Keys {
		e.text(k.Name)
		e.bool(k.Many)
	}
	e.number(uint64(len(p.Args)))
	for _, a := range p.Args {
		e.text(a.Name)
		e.typ(a.Type)
	}
	e.number(uint64(len(p.Vars)))
	for _, v := range p.Vars {
		e.text(v.Name)
		e.bool(v.Typed)
		if v.Typed {
			e.typ(v.Type)
		}
	}
	e.node(p.Body)
	return e.buf
}

type encoder struct{ buf []byte }

func (e *encoder) number(n uint64) { e.buf = binary.AppendUvarint(e.buf, n) }
func (e *encoder) signed(n int64)  { e.buf = binary.AppendVarint(e.buf, n) }

func (e *encoder) bool(b bool) {
	if b {
		e.buf = append(e.buf, 1)
	} else {
		e.buf = append(e.buf, 0)
	}
}

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	e.buf = append(e.buf, s...)
}

func (e *encoder) typ(t Type) {
	e.buf = append(e.buf, byte(t.Kind))
	e.bool(t.Opt)
	if t.Elem != nil {
		e.typ(*t.Elem)
	}
}

func (e *encoder) node(n *Node) {
	f := &forms[n.Op]
	e.buf = append(e.buf, byte(n.Op))
	if f.n {
		e.signed(int64(n.N))
	}
	if f.m {
		e.signed(int64(n.M))
	}
	if f.integer {
		e.signed(n.Int)
	}
	if f.float {
		e.buf = binary.LittleEndian.AppendUint64(e.buf, math.Float64bits(n.F))
	}
	if f.text {
		e.text(n.Text)
	}
	if f.typed {
		given := n.Type.Elem != nil
		e.bool(given)
		if given {
			e.typ(n.Type)
		}
	}
	if f.call {
		e.buf = append(e.buf, byte(n.Shape))
		e.bool(n.Write)
	}
	if f.max != 0 {
		e.number(uint64(len(n.Kids)))
		for _, kid := range n.Kids {
			e.node(kid)
		}
	}
}

// IsWire reports whether bytes begin as the wire form of a program does, which no script in Lua does.
func IsWire(b []byte) bool { return len(b) >= len(magic) && string(b[:3]) == magic[:3] }

// ErrMalformed is the error of bytes that are no program.
var ErrMalformed = errors.New("not the wire form of a program")

// Decode returns the program that a wire form describes, which it shares no bytes with. Only its form is right: Check says whether it works.
func Decode(wire []byte) (p *Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != any(ErrMalformed) {
				panic(r)
			}
			p, err = nil, ErrMalformed
		}
	}()
	if !IsWire(wire) {
		return nil, ErrMalformed
	}
	if wire[3] != magic[3] {
		return nil, fmt.Errorf("the program has the wire form %d, and only %d is known", wire[3], magic[3])
	}
	d := decoder{rest: wire[len(magic):]}
	flags := d.number()
	d.must(flags < flagTraced<<1)
	p = &Program{ReadOnly: flags&flagReadOnly != 0, Traced: flags&flagTraced != 0, Steps: d.number(), Name: d.text()}
	p.Keys = make([]Key, d.count(MaxNames))
	for i := range p.Keys {
		p.Keys[i] = Key{Name: d.text(), Many: d.bool()}
	}
	p.Args = make([]Arg, d.count(MaxNames))
	for i := range p.Args {
		p.Args[i] = Arg{Name: d.text(), Type: d.typ(0)}
	}
	p.Vars = make([]Var, d.count(MaxNames))
	for i := range p.Vars {
		p.Vars[i] = Var{Name: d.text(), Typed: d.bool()}
		if p.Vars[i].Typed {
			p.Vars[i].Type = d.typ(0)
		}
	}
	p.Body = d.node(0)
	d.must(len(d.rest) == 0 && p.Body.Op == OpBlock)
	return p, nil
}

type decoder struct {
	rest  []byte
	nodes int
}

func (d *decoder) must(ok bool) {
	if !ok {
		panic(ErrMalformed)
	}
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	d.must(size > 0)
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) signed() int64 {
	n, size := binary.Varint(d.rest)
	d.must(size > 0)
	d.rest = d.rest[size:]
	return n
}

// small is a signed number of which there are few.
func (d *decoder) small() int {
	n := d.signed()
	d.must(n >= -1 && n < 1<<16)
	return int(n)
}

func (d *decoder) count(most int) int {
	n := d.number()
	d.must(n <= uint64(most) && n <= uint64(len(d.rest)))
	return int(n)
}

func (d *decoder) bytes(n int) []byte {
	d.must(n <= len(d.rest))
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte { return d.bytes(1)[0] }

func (d *decoder) bool() bool {
	b := d.byte()
	d.must(b <= 1)
	return b == 1
}

func (d *decoder) text() string { return string(d.bytes(d.count(math.MaxInt32))) }

func (d *decoder) typ(depth int) Type {
	t := Type{Kind: Kind(d.byte()), Opt: d.bool()}
	d.must(t.Kind < Never && depth < MaxDepth && (!t.Opt || t.Kind != Any && t.Kind != Null))
	if t.Kind == List || t.Kind == Map {
		elem := d.typ(depth + 1)
		t.Elem = &elem
	}
	return t
}

func (d *decoder) node(depth int) *Node {
	d.nodes++
	n := &Node{Op: Op(d.byte())}
	d.must(depth <= MaxDepth && d.nodes <= MaxNodes && n.Op > opNone && n.Op < ops && !forms[n.Op].inner)
	f := &forms[n.Op]
	if f.n {
		n.N = d.small()
	}
	if f.m {
		n.M = d.small()
	}
	if f.integer {
		n.Int = d.signed()
	}
	if f.float {
		n.F = math.Float64frombits(binary.LittleEndian.Uint64(d.bytes(8)))
		d.must(n.F == n.F)
	}
	if f.text {
		n.Text = d.text()
	}
	if f.typed && d.bool() {
		n.Type = d.typ(0)
		d.must(n.Type.Kind == List && n.Op == OpList || n.Type.Kind == Map && n.Op == OpMap)
	}
	if f.call {
		n.Shape, n.Write = Shape(d.byte()), d.bool()
	}
	if f.max != 0 {
		n.Kids = make([]*Node, d.count(MaxNodes))
		for i := range n.Kids {
			n.Kids[i] = d.node(depth + 1)
		}
	}
	return n
}
