// Bitmaps: strings whose bits are counted from the highest of the first byte on.
package command

import (
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var bitmapCommands = []*Command{
	{Name: "bitcount", Arity: -2, Flags: ReadOnly, Keys: oneKey, Group: "bitmap", Since: "2.6.0",
		Usage: "key [start end [BYTE | BIT]]", Doc: "Counts the bits of a string that are set.", Run: bitCount},
	{Name: "bitfield", Arity: -2, Flags: Write | DenyOOM, Keys: oneKey, Group: "bitmap", Since: "3.2.0",
		Usage: "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment> ...]",
		Doc:   "Reads and changes integers of any width at any bit of a string.", Run: func(c *Ctx) error { return c.bitField(false) }},
	{Name: "bitfield_ro", Arity: -2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "bitmap", Since: "6.0.0",
		Usage: "key [GET encoding offset [GET encoding offset ...]]", Doc: "Reads integers of any width at any bit of a string.",
		Run: func(c *Ctx) error { return c.bitField(true) }},
	{Name: "bitop", Arity: -4, Flags: Write | DenyOOM, Keys: Keys{First: 2, Last: -1, Step: 1}, Group: "bitmap", Since: "2.6.0",
		Usage: "<AND | OR | XOR | NOT> destkey key [key ...]", Doc: "Combines strings bit by bit and stores the result.", Run: bitOp},
	{Name: "bitpos", Arity: -3, Flags: ReadOnly, Keys: oneKey, Group: "bitmap", Since: "2.8.7",
		Usage: "key bit [start [end [BYTE | BIT]]]", Doc: "Finds the first bit of a string that is set, or clear.", Run: bitPos},
	{Name: "getbit", Arity: 3, Flags: ReadOnly | Fast, Keys: oneKey, Group: "bitmap", Since: "2.2.0",
		Usage: "key offset", Doc: "Returns a bit of a string.", Run: getBit},
	{Name: "setbit", Arity: 4, Flags: Write | DenyOOM, Keys: oneKey, Group: "bitmap", Since: "2.2.0",
		Usage: "key offset value", Doc: "Sets or clears a bit of a string and returns what it was. Creates the key if it doesn't exist.", Run: setBit},
}

const (
	errBitOffset = Refusal("ERR bit offset is not an integer or out of range")
	errBit       = Refusal("ERR bit is not an integer or out of range")
)

// bitOffset reads argument i as the place of a bit in a string. With a width, "#3" is the fourth field of so many bits.
func (c *Ctx) bitOffset(i, width int) (int64, error) {
	arg := c.Args[i]
	scale := int64(1)
	if width > 0 && len(arg) > 0 && arg[0] == '#' {
		arg, scale = arg[1:], int64(width)
	}
	n, ok := parseInt(arg)
	n *= scale
	if !ok || n < 0 || n>>3 >= maxString {
		return 0, errBitOffset
	}
	return n, nil
}

func setBit(c *Ctx) error {
	key := c.Args[1]
	offset, err := c.bitOffset(2, 0)
	if err != nil {
		return err
	}
	bit, ok := parseInt(c.Args[3])
	if !ok || bit&^1 != 0 {
		return errBit
	}
	v, err := c.peek(key)
	if err != nil {
		return err
	}
	at, mask, old := int(offset>>3), byte(0x80)>>(offset&7), byte(0)
	if at < len(v) {
		old = v[at]
	}
	next := old &^ mask
	if bit == 1 {
		next |= mask
	}
	if next != old || at >= len(v) {
		c.num = append(c.num[:0], next)
		if _, err := c.Tx.SetRange(key, at, c.num); err != nil {
			return err
		}
		c.Event(EventString, "setbit", key)
	}
	c.bool1(old&mask != 0)
	return nil
}

func getBit(c *Ctx) error {
	offset, err := c.bitOffset(2, 0)
	if err != nil {
		return err
	}
	v, err := c.get(c.Args[1])
	if err != nil {
		return err
	}
	at := int(offset >> 3)
	c.bool1(at < len(v) && v[at]&(0x80>>(offset&7)) != 0)
	return nil
}

// inBits reads argument i, which says whether a range counts bits or bytes.
func (c *Ctx) inBits(i int) (bool, error) {
	switch {
	case c.is(i, "bit"):
		return true, nil
	case c.is(i, "byte"):
		return false, nil
	}
	return false, ErrSyntax
}

// bitRange clips a range to a string of n bytes and turns it into the first bit and the one behind the last. Nothing is
// left of it if they are equal.
func bitRange(start, end int64, inBits bool, n int) (from, to int64) {
	unit := int64(8)
	if inBits {
		unit = 1
	}
	total := int64(n) * 8 / unit
	if start < 0 {
		start = max(start+total, 0)
	}
	if end < 0 {
		end = max(end+total, 0)
	}
	end = min(end, total-1)
	if start > end {
		return 0, 0
	}
	return start * unit, (end + 1) * unit
}

func bitCount(c *Ctx) error {
	v, err := c.get(c.Args[1])
	if err != nil {
		return err
	}
	if v == nil { // not even the arguments are looked at
		c.W.Int(0)
		return nil
	}
	from, to := int64(0), int64(len(v))*8
	switch len(c.Args) {
	case 2:
	case 4, 5:
		start, err := c.integer(2)
		if err != nil {
			return err
		}
		end, err := c.integer(3)
		if err != nil {
			return err
		}
		if start < 0 && end < 0 && start > end { // not even the unit is looked at
			c.W.Int(0)
			return nil
		}
		inBits := false
		if len(c.Args) == 5 {
			if inBits, err = c.inBits(4); err != nil {
				return err
			}
		}
		from, to = bitRange(start, end, inBits, len(v))
	default:
		return ErrSyntax
	}
	c.W.Int(int64(countBits(v, from, to)))
	return nil
}

func bitPos(c *Ctx) error {
	bit, err := c.integer(2)
	if err != nil {
		return err
	}
	if bit&^1 != 0 {
		return Refusal("ERR The bit argument must be 1 or 0.")
	}
	v, err := c.get(c.Args[1])
	if err != nil {
		return err
	}
	if v == nil { // zeros without end; not even the other arguments are looked at
		c.W.Int(-bit)
		return nil
	}
	if len(c.Args) > 6 {
		return ErrSyntax
	}
	start, end, inBits := int64(0), int64(-1), false
	if len(c.Args) > 3 {
		if start, err = c.integer(3); err != nil {
			return err
		}
	}
	if len(c.Args) > 5 {
		if inBits, err = c.inBits(5); err != nil {
			return err
		}
	}
	if len(c.Args) > 4 {
		if end, err = c.integer(4); err != nil {
			return err
		}
	}
	from, to := bitRange(start, end, inBits, len(v))
	pos := int64(-1)
	if from < to {
		pos = findBit(v, bit == 1, from, to)
		if pos < 0 && bit == 0 && len(c.Args) < 5 { // a string without an end is followed by zeros
			pos = to
		}
	}
	c.W.Int(pos)
	return nil
}

// countBits counts the bits of v that are set from one on up to before another.
func countBits(v []byte, from, to int64) int {
	if from >= to {
		return 0
	}
	// Count whole bytes, then take away what is too much at both ends.
	first, last := v[from>>3], v[(to-1)>>3]
	n := -bits.OnesCount8(first&^(0xff>>(from&7))) - bits.OnesCount8(last&(0x7f>>((to-1)&7)))
	v = v[from>>3 : (to+7)>>3]
	for ; len(v) >= 32; v = v[32:] {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(v)) +
			bits.OnesCount64(binary.LittleEndian.Uint64(v[8:])) +
			bits.OnesCount64(binary.LittleEndian.Uint64(v[16:])) +
			bits.OnesCount64(binary.LittleEndian.Uint64(v[24:]))
	}
	for _, b := range v {
		n += bits.OnesCount8(b)
	}
	return n
}

// findBit returns the place of the first bit that is set, or clear, from one on up to before another; -1 if there is
// none.
func findBit(v []byte, set bool, from, to int64) int64 {
	flip := ^uint64(0) // what makes ones of the bits that are looked for
	if set {
		flip = 0
	}
	i, end := int(from>>3), int(to+7)>>3
	mask := uint64(0xff >> (from & 7)) // the first byte may count in part
	for i < end {
		w, width := uint64(0), 8
		if mask == 0xff && i+8 <= end {
			w, width = binary.BigEndian.Uint64(v[i:])^flip, 64
		} else {
			w = (uint64(v[i]) ^ flip) & mask
			mask = 0xff
		}
		if w != 0 {
			// It may lie behind the end in the last byte.
			if pos := int64(i)*8 + int64(bits.LeadingZeros64(w)-(64-width)); pos < to {
				return pos
			}
			return -1
		}
		i += width / 8
	}
	return -1
}

func bitOp(c *Ctx) error {
	op := slices.IndexFunc(bitOps, func(op bitOperator) bool { return c.is(1, op.name) })
	isNot := c.is(1, "not")
	switch {
	case op < 0 && !isNot:
		return ErrSyntax
	case isNot && len(c.Args) != 4:
		return Refusal("ERR BITOP NOT must be called with a single source key.")
	}
	var err error
	if c.values, err = c.Tx.Get(c.Args[3:], c.values[:0]); err != nil {
		return err
	}
	n := 0
	for _, v := range c.values {
		n = max(n, len(v))
	}
	dst := c.Args[2]
	if n == 0 {
		deleted, err := c.Tx.Delete(c.keys1(dst))
		if deleted > 0 {
			c.Event(EventGeneric, "del", dst)
		}
		return c.count(0, err)
	}
	result := c.buffer(n)
	clear(result[copy(result, c.values[0]):])
	if isNot {
		complement(result)
	}
	for _, v := range c.values[1:] {
		bitOps[op].combine(result, v)
	}
	if err := c.put(dst, result, keyspace.Never); err != nil {
		return err
	}
	c.Event(EventString, "set", dst)
	c.W.Int(int64(n))
	return nil
}

// maxScratch is the largest buffer that a context keeps from call to call.
const maxScratch = 64 << 10

// buffer returns n bytes of scratch, which hold rubbish. The next user of c.num has them too.
func (c *Ctx) buffer(n int) []byte {
	if n > maxScratch {
		return make([]byte, n)
	}
	c.num = slices.Grow(c.num[:0], n)[:n]
	return c.num
}

// bitOperator combines two strings, of which the second is no longer than the first and counts as if zeros followed.
type bitOperator struct {
	name    string
	combine func(dst, src []byte)
}

var bitOps = []bitOperator{{"and", andBits}, {"or", orBits}, {"xor", func(dst, src []byte) { subtle.XORBytes(dst, dst, src) }}}

func andBits(dst, src []byte) {
	clear(dst[len(src):])
	for ; len(src) >= 8; dst, src = dst[8:], src[8:] {
		binary.NativeEndian.PutUint64(dst, binary.NativeEndian.Uint64(dst)&binary.NativeEndian.Uint64(src))
	}
	for i, b := range src {
		dst[i] &= b
	}
}

func orBits(dst, src []byte) {
	for ; len(src) >= 8; dst, src = dst[8:], src[8:] {
		binary.NativeEndian.PutUint64(dst, binary.NativeEndian.Uint64(dst)|binary.NativeEndian.Uint64(src))
	}
	for i, b := range src {
		dst[i] |= b
	}
}

// complement turns every bit over.
func complement(v []byte) {
	for ; len(v) >= 8; v = v[8:] {
		binary.NativeEndian.PutUint64(v, ^binary.NativeEndian.Uint64(v))
	}
	for i := range v {
		v[i] = ^v[i]
	}
}
