// The layouts of small collections: bytes that Redis keeps in memory as they are, and writes so. Each has its length and
// the number of its elements in front.
package rdb

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/redbud-go/redbud/internal/resp"
)

// element is what stands in a listpack or ziplist: bytes, or an integer where they are nil.
type element struct {
	bytes []byte
	n     int64
}

// integer is the number that an element is or spells.
func (e *element) integer() (n int64, ok bool) {
	if e.bytes != nil {
		return resp.ParseInt(e.bytes)
	}
	return e.n, true
}

// text is the bytes of an element.
func (d *decoder) text(e element) []byte {
	if e.bytes != nil {
		return e.bytes
	}
	if cap(d.digits)-len(d.digits) < 20 {
		d.digits = make([]byte, 0, max(64, min(2*cap(d.digits), 16<<10)))
	}
	from := len(d.digits)
	d.digits = strconv.AppendInt(d.digits, e.n, 10)
	return d.digits[from:len(d.digits):len(d.digits)]
}

// signed reads a little-endian integer of any number of bytes.
func signed(b []byte) int64 {
	var u uint64
	for i, c := range b {
		u |= uint64(c) << (8 * i)
	}
	shift := 64 - 8*len(b)
	return int64(u<<shift) >> shift
}

// manyElements, in place of the number of elements, says that they are to be counted.
const manyElements = 1<<16 - 1

// listpack is elements yet to come: each is a byte that tells what it is, its bytes, and its length for who comes from behind.
type listpack struct {
	rest  []byte
	count int // how many elements there should be
	taken int
}

// openListpack checks the frame of a listpack.
func (d *decoder) openListpack(b []byte) (l listpack) {
	const head, end = 6, 0xff
	if len(b) <= head || uint64(binary.LittleEndian.Uint32(b)) != uint64(len(b)) || b[len(b)-1] != end {
		d.fail("a listpack has a wrong length or end")
		return l
	}
	return listpack{rest: b[head : len(b)-1], count: int(binary.LittleEndian.Uint16(b[4:]))}
}

// more reports whether there is another element. At the end the number of them must be right.
func (d *decoder) more(l *listpack) bool {
	if d.err != nil {
		return false
	}
	if len(l.rest) > 0 {
		return true
	}
	if l.count != l.taken && l.count != manyElements {
		d.fail("a listpack of %d elements has %d", l.count, l.taken)
	}
	return false
}

// next takes an element.
func (d *decoder) next(l *listpack) (e element) {
	b := l.rest
	if len(b) == 0 {
		d.fail("a listpack is too short")
		return e
	}
	c := b[0]
	head := listpackHead(c)
	if head == 0 || head > len(b) {
		d.fail("an element of a listpack begins with %#x", c)
		return e
	}
	size := uint64(head)
	switch {
	case c < 0x80:
		e.n = int64(c)
	case c < 0xc0:
		size += uint64(c & 0x3f)
	case c < 0xe0:
		const bits = 13
		e.n = int64(c&0x1f)<<8 | int64(b[1])
		e.n = e.n << (64 - bits) >> (64 - bits)
	case c < 0xf0:
		size += uint64(c&0x0f)<<8 | uint64(b[1])
	case c == 0xf0:
		size += uint64(binary.LittleEndian.Uint32(b[1:]))
	default:
		e.n = signed(b[1:head])
	}
	var back [5]byte
	tail := appendBackLength(back[:0], size)
	end := size + uint64(len(tail))
	if end > uint64(len(b)) || !bytes.Equal(b[size:end], tail) {
		d.fail("an element of a listpack has a wrong length")
		return e
	}
	if 0x80 <= c && c < 0xc0 || 0xe0 <= c && c <= 0xf0 {
		e.bytes = b[head:size:size]
	}
	l.rest = b[end:]
	l.taken++
	return e
}

// listpackHead is how many bytes stand before the string of an element, or are all of an integer; 0 if no element begins so.
func listpackHead(c byte) int {
	switch {
	case c < 0xc0:
		return 1
	case c < 0xf0:
		return 2
	case c == 0xf0:
		return 5
	case c <= 0xf4:
		return [...]int{3, 4, 5, 9}[c-0xf1]
	}
	return 0
}

// appendBackLength appends the length of an element in groups of seven bits, the highest first. All but the first have the
// eighth bit.
func appendBackLength(dst []byte, n uint64) []byte {
	groups := 1
	for _, limit := range []uint64{127, 1<<14 - 2, 1<<21 - 2, 1<<28 - 2} { // of which only the first is the last that would do
		if n > limit {
			groups++
		}
	}
	for i := groups - 1; i >= 0; i-- {
		c := byte(n>>(7*i)) & 0x7f
		if i < groups-1 {
			c |= 0x80
		}
		dst = append(dst, c)
	}
	return dst
}

// listpack appends the elements of a listpack.
func (d *decoder) listpack(b []byte, dst [][]byte) [][]byte {
	l := d.openListpack(b)
	for d.more(&l) {
		dst = append(dst, d.text(d.next(&l)))
	}
	return dst
}

// ziplist appends the elements of a ziplist: each is the length of the one before it, a byte or more that tell what it is,
// and its bytes.
func (d *decoder) ziplist(b []byte, dst [][]byte) [][]byte {
	const head, end = 10, 0xff
	if len(b) <= head || uint64(binary.LittleEndian.Uint32(b)) != uint64(len(b)) || b[len(b)-1] != end {
		d.fail("a ziplist has a wrong length or end")
		return dst
	}
	last, count := binary.LittleEndian.Uint32(b[4:]), int(binary.LittleEndian.Uint16(b[8:]))
	at, before, taken := head, 0, 0
	for at < len(b)-1 && d.err == nil {
		e, size := d.ziplistElement(b[at:len(b)-1], before)
		dst = append(dst, d.text(e))
		at, before = at+size, size
		taken++
	}
	if d.err == nil && (int64(at-before) != int64(last) || count != taken && count != manyElements) {
		d.fail("a ziplist of %d elements has %d, the last at %d and not %d", count, taken, at-before, last)
	}
	return dst
}

// ziplistElement reads an element that follows one of so many bytes, and returns its own size.
func (d *decoder) ziplistElement(b []byte, before int) (e element, size int) {
	told, head := int(b[0]), 1
	if b[0] >= 0xfe {
		head = 5
		if b[0] == 0xff || len(b) < head {
			d.fail("an element of a ziplist begins wrong")
			return e, 0
		}
		told = int(binary.LittleEndian.Uint32(b[1:]))
	}
	if told != before || head == len(b) {
		d.fail("an element of a ziplist follows one of %d bytes, not of %d", before, told)
		return e, 0
	}
	c := b[head]
	extra, n := 0, uint64(0) // bytes of the length, then those of the element
	switch {
	case c < 0x40:
		n = uint64(c)
	case c < 0x80:
		extra = 1
	case c < 0xc0:
		extra = 4
	case 0xf1 <= c && c <= 0xfd:
	default:
		n = uint64(integerSizes[c])
		if n == 0 {
			d.fail("an element of a ziplist is a %#x", c)
			return e, 0
		}
	}
	head++
	if head+extra > len(b) {
		d.fail("an element of a ziplist is too short")
		return e, 0
	}
	switch extra {
	case 1:
		n = uint64(c&0x3f)<<8 | uint64(b[head])
	case 4:
		n = uint64(binary.BigEndian.Uint32(b[head:]))
	}
	head += extra
	if n > uint64(len(b)-head) {
		d.fail("an element of a ziplist is too short")
		return e, 0
	}
	size = head + int(n)
	switch {
	case c < 0xc0:
		e.bytes = b[head:size:size]
	case n == 0:
		e.n = int64(c - 0xf1)
	default:
		e.n = signed(b[head:size])
	}
	return e, size
}

// integerSizes are how many bytes the integers in a ziplist have, by what stands before them.
var integerSizes = [256]uint8{0xc0: 2, 0xd0: 4, 0xe0: 8, 0xf0: 3, 0xfe: 1}

// integers appends the members of a set of integers, which are in order.
func (d *decoder) integers(b []byte, dst [][]byte) [][]byte {
	const head = 8
	if len(b) < head {
		d.fail("a set of integers is too short")
		return dst
	}
	size, count := binary.LittleEndian.Uint32(b), uint64(binary.LittleEndian.Uint32(b[4:]))
	if size != 2 && size != 4 && size != 8 || uint64(len(b)-head) != count*uint64(size) {
		d.fail("a set of %d integers of %d bytes has %d bytes", count, size, len(b))
		return dst
	}
	var before int64
	for i, at := 0, head; at < len(b); i, at = i+1, at+int(size) {
		n := signed(b[at : at+int(size)])
		if i > 0 && n <= before {
			d.fail("a set of integers is out of order")
			return dst
		}
		before = n
		dst = append(dst, d.text(element{n: n}))
	}
	return dst
}

// zipmap appends the fields and values of a hash as Redis before 2.6 kept it: each with its length in front, values with the
// length of what is unused behind them too.
func (d *decoder) zipmap(b []byte, dst [][]byte) [][]byte {
	const many, end = 254, 255
	if len(b) < 2 || b[len(b)-1] != end {
		d.fail("a zipmap has no end")
		return dst
	}
	count, rest := int(b[0]), b[1:len(b)-1]
	taken := 0
	for len(rest) > 0 {
		for part := range 2 {
			n, head := uint64(rest[0]), 1
			if n == many && len(rest) >= 5 {
				n, head = uint64(binary.LittleEndian.Uint32(rest[1:])), 5
			}
			unused := part // the byte that tells it
			if rest[0] == end || n > uint64(len(rest)) || head+int(n)+unused > len(rest) {
				d.fail("an element of a zipmap is too short")
				return dst
			}
			until := head + unused + int(n)
			dst = append(dst, rest[head+unused:until:until])
			if part == 1 {
				until += int(rest[head])
			}
			// A value follows each field.
			if until > len(rest) || part == 0 && until == len(rest) {
				d.fail("an element of a zipmap is too short")
				return dst
			}
			rest = rest[until:]
		}
		taken++
	}
	if count < many && count != taken {
		d.fail("a zipmap of %d fields has %d", count, taken)
	}
	return dst
}
