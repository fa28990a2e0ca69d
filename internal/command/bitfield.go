// BITFIELD: integers of 1 to 64 bits, signed or not, anywhere in a string.
package command

import (
	"encoding/binary"
	"math"
)

// overflow says what becomes of a number that its field cannot hold.
type overflow uint8

const (
	overflowWrap overflow = iota
	overflowSaturate
	overflowFail
)

// fieldVerb is what an operation does with its field.
type fieldVerb uint8

const (
	fieldGet fieldVerb = iota
	fieldSet
	fieldAdd
)

// field is a place in a string that holds an integer.
type field struct {
	offset int64 // of its first bit
	bits   int
	signed bool
}

// fieldOp is one operation of a BITFIELD.
type fieldOp struct {
	field
	verb     fieldVerb
	overflow overflow
	value    int64 // what is set or added
}

// end is the length of a string that just holds the field.
func (f *field) end() int { return int((f.offset + int64(f.bits) + 7) >> 3) }

// fieldOps reads the operations of the call and appends them to ops.
func (c *Ctx) fieldOps(ops []fieldOp) ([]fieldOp, error) {
	over := overflowWrap
	for i := 2; i < len(c.Args); {
		op, words := fieldOp{overflow: over}, 3
		left := len(c.Args) - i - 1
		switch {
		case left >= 2 && c.is(i, "get"):
		case left >= 3 && c.is(i, "set"):
			op.verb, words = fieldSet, 4
		case left >= 3 && c.is(i, "incrby"):
			op.verb, words = fieldAdd, 4
		case left >= 1 && c.is(i, "overflow"):
			switch {
			case c.is(i+1, "wrap"):
				over = overflowWrap
			case c.is(i+1, "sat"):
				over = overflowSaturate
			case c.is(i+1, "fail"):
				over = overflowFail
			default:
				return nil, Refusal("ERR Invalid OVERFLOW type specified")
			}
			i += 2
			continue
		default:
			return nil, ErrSyntax
		}
		var err error
		if op.signed, op.bits, err = c.fieldType(i + 1); err != nil {
			return nil, err
		}
		if op.offset, err = c.bitOffset(i+2, op.bits); err != nil {
			return nil, err
		}
		if op.verb != fieldGet {
			if op.value, err = c.integer(i + 3); err != nil {
				return nil, err
			}
		}
		ops = append(ops, op)
		i += words
	}
	return ops, nil
}

// fieldType reads argument i as the type of a field: i1 to i64, u1 to u63.
func (c *Ctx) fieldType(i int) (signed bool, bits int, err error) {
	arg, most := c.Args[i], int64(63)
	if len(arg) > 0 && arg[0] == 'i' {
		signed, most = true, 64
	}
	if len(arg) > 0 && (signed || arg[0] == 'u') {
		if n, ok := parseInt(arg[1:]); ok && n >= 1 && n <= most {
			return signed, int(n), nil
		}
	}
	return false, 0, Refusal("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
}

func (c *Ctx) bitField(readOnly bool) error {
	key := c.Args[1]
	var few [8]fieldOp
	ops, err := c.fieldOps(few[:0])
	if err != nil {
		return err
	}
	need := 0 // bytes that the fields which are written take
	for i := range ops {
		if ops[i].verb != fieldGet {
			need = max(need, ops[i].end())
		}
	}
	if readOnly && need > 0 {
		return Refusal("ERR BITFIELD_RO only supports the GET subcommand")
	}
	read := c.get
	if c.looks.Counts = need == 0; need > 0 {
		read = c.peek
	}
	v, err := read(key)
	if err != nil {
		return err
	}
	// The string grows even if all operations fail.
	grown := len(v) < need
	if grown {
		c.num = append(c.num[:0], 0)
		if _, err := c.Tx.SetRange(key, need-1, c.num); err != nil {
			return err
		}
		if v, err = c.peek(key); err != nil {
			return err
		}
	}
	changed := false
	c.W.Array(len(ops))
	for i := range ops {
		op := &ops[i]
		old := op.read(v)
		next, ok := op.result(old)
		switch {
		case !ok:
			c.W.Null()
			continue
		case op.verb == fieldAdd:
			c.W.Int(next)
		default:
			c.W.Int(old)
		}
		if op.verb == fieldGet {
			continue
		}
		changed = changed || grown || next != old
		if next == old {
			continue
		}
		c.num = op.appendBytes(c.num[:0], v, next)
		if _, err := c.Tx.SetRange(key, int(op.offset>>3), c.num); err != nil {
			return err
		}
		if v, err = c.peek(key); err != nil {
			return err
		}
	}
	if changed {
		c.Event(EventString, "setbit", key)
	}
	return nil
}

// window is the bytes of v that a field touches, from the first, zeros where v ends.
func (f *field) window(v []byte) (w [9]byte) {
	if at := f.offset >> 3; at < int64(len(v)) {
		copy(w[:], v[at:])
	}
	return w
}

// read returns the integer in a field.
func (f *field) read(v []byte) int64 {
	w, shift := f.window(v), f.offset&7
	x := binary.BigEndian.Uint64(w[:])<<shift | uint64(w[8])>>(8-shift)
	if f.signed {
		return int64(x) >> (64 - f.bits)
	}
	return int64(x >> (64 - f.bits))
}

// appendBytes appends the bytes of v that a field touches, with n in the field.
func (f *field) appendBytes(dst, v []byte, n int64) []byte {
	w, shift := f.window(v), f.offset&7
	mask, x := ^uint64(0)<<(64-f.bits), uint64(n)<<(64-f.bits)
	binary.BigEndian.PutUint64(w[:], binary.BigEndian.Uint64(w[:])&^(mask>>shift)|x>>shift)
	// What does not fit the eight bytes is at the top of the ninth.
	w[8] = w[8]&^byte(mask<<(64-shift)>>56) | byte(x<<(64-shift)>>56)
	return append(dst, w[:(int(shift)+f.bits+7)>>3]...)
}

// result is what an operation makes of the integer in its field; ok is false if it does not fit and may not be changed.
func (op *fieldOp) result(old int64) (next int64, ok bool) {
	base, add := old, op.value
	switch op.verb {
	case fieldGet:
		return old, true
	case fieldSet:
		base, add = op.value, 0
	}
	side := op.outside(base, add)
	switch {
	case side == 0:
		return base + add, true
	case op.overflow == overflowFail:
		return 0, false
	case op.overflow == overflowSaturate:
		low, high := op.limits()
		if side > 0 {
			return high, true
		}
		return low, true
	}
	x := uint64(base+add) << (64 - op.bits)
	if op.signed {
		return int64(x) >> (64 - op.bits), true
	}
	return int64(x >> (64 - op.bits)), true
}

// limits are the lowest and highest integer that a field holds.
func (f *field) limits() (low, high int64) {
	if !f.signed {
		return 0, math.MaxInt64 >> (63 - f.bits)
	}
	high = math.MaxInt64 >> (64 - f.bits)
	return -high - 1, high
}

// outside reports on which side the sum of base and add leaves the range of a field: 1 above, -1 below, 0 not at all. The
// differences may wrap, and what they then say is what Redis says.
func (f *field) outside(base, add int64) int {
	low, high := f.limits()
	up, down := high-base, low-base
	if !f.signed {
		switch {
		case uint64(base) > uint64(high) || add > 0 && add > up:
			return 1
		case add < 0 && add < down:
			return -1
		}
		return 0
	}
	narrow := f.bits != 64
	switch {
	case base > high || narrow && add > up || base >= 0 && add > 0 && add > up:
		return 1
	case base < low || narrow && add < down || base < 0 && add < 0 && add < down:
		return -1
	}
	return 0
}
