package memstore

import (
	"bytes"
	"encoding/binary"
)

// packed is a small collection in one run of bytes: names with values, each behind its length, in the order of insertion or in
// one that the caller keeps. Finding a name is a walk, which for so few is faster than anything clever.
type packed struct {
	buf []byte
	n   int
}

// offsetsAtHand is for how many names offsets needs no memory.
const offsetsAtHand = 128

// at returns the name and value at an offset and the offset behind them.
func (p *packed) at(off int) (name, value []byte, next int) {
	name, off = p.text(off)
	value, off = p.text(off)
	return name, value, off
}

func (p *packed) text(off int) ([]byte, int) {
	n := int(p.buf[off])
	off++
	if n >= 0x80 {
		u, size := binary.Uvarint(p.buf[off-1:])
		n, off = int(u), off-1+size
	}
	return p.buf[off : off+n : off+n], off + n
}

// find returns where the name stands, or -1.
func (p *packed) find(name []byte) (off, next int, value []byte) {
	for off < len(p.buf) {
		n, v, next := p.at(off)
		if bytes.Equal(n, name) {
			return off, next, v
		}
		off = next
	}
	return -1, 0, nil
}

// insert puts a name with a value at an offset. Neither may lie in the buffer.
func (p *packed) insert(off int, name, value []byte) {
	var lens [2 * binary.MaxVarintLen64]byte
	a := binary.PutUvarint(lens[:], uint64(len(name)))
	b := binary.PutUvarint(lens[a:], uint64(len(value)))
	size := a + len(name) + b + len(value)
	end := len(p.buf)
	if cap(p.buf)-end < size {
		// Exact while tiny, a quarter to spare later: most small collections are written once.
		grown := make([]byte, end, end+size+end/4)
		copy(grown, p.buf)
		p.buf = grown
	}
	p.buf = p.buf[:end+size]
	copy(p.buf[off+size:], p.buf[off:end])
	off += copy(p.buf[off:], lens[:a])
	off += copy(p.buf[off:], name)
	off += copy(p.buf[off:], lens[a:a+b])
	copy(p.buf[off:], value)
	p.n++
}

// put stores a name with a value where find has found it, or at the end where it has not. Neither may lie in the buffer.
func (p *packed) put(off, next int, name, old, value []byte) {
	switch {
	case off < 0:
		p.insert(len(p.buf), name, value)
	case len(old) == len(value):
		copy(old, value)
	default:
		p.remove(off, next)
		p.insert(off, name, value)
	}
}

// remove removes what stands from off to next.
func (p *packed) remove(off, next int) {
	p.buf = append(p.buf[:off], p.buf[next:]...)
	p.n--
}

// each visits all names with their values.
func (p *packed) each(f func(name, value []byte)) {
	for off := 0; off < len(p.buf); {
		name, value, next := p.at(off)
		f(name, value)
		off = next
	}
}

// offsets appends where each name starts.
func (p *packed) offsets(dst []int) []int {
	for off := 0; off < len(p.buf); {
		dst = append(dst, off)
		_, _, off = p.at(off)
	}
	return dst
}

// nth returns the name and value at index i.
func (p *packed) nth(i int) (name, value []byte) {
	off := 0
	for ; i > 0; i-- {
		_, _, off = p.at(off)
	}
	name, value, _ = p.at(off)
	return name, value
}

func (p *packed) copy() packed { return packed{buf: bytes.Clone(p.buf), n: p.n} }
