// cmsgpack: values in MessagePack, as lua-cmsgpack 0.4.0 reads and writes them.

package lua

import (
	"encoding/binary"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// packNesting are the tables that may be in one another. A table deeper than that, and so one that is in itself, is
// packed as nil.
const packNesting = 16

// openCmsgpack makes the table that is cmsgpack in scripts.
func openCmsgpack(L *lua.LState) *lua.LTable {
	t := L.NewTable()
	t.RawSetString("pack", L.NewFunction(msgPack))
	t.RawSetString("unpack", L.NewFunction(msgUnpack))
	t.RawSetString("unpack_one", L.NewFunction(msgUnpackOne))
	t.RawSetString("unpack_limit", L.NewFunction(msgUnpackLimit))
	t.RawSetString("_NAME", lua.LString("cmsgpack"))
	t.RawSetString("_VERSION", lua.LString("lua-cmsgpack 0.4.0"))
	t.RawSetString("_COPYRIGHT", lua.LString("Copyright (C) 2012, Salvatore Sanfilippo"))
	t.RawSetString("_DESCRIPTION", lua.LString("MessagePack C implementation for Lua"))
	return t
}

func msgPack(L *lua.LState) int {
	n := L.GetTop()
	switch {
	case n == 0:
		argError(L, 0, "MessagePack pack needs input.")
	case 2*n > maxStack:
		argError(L, 0, "Too many arguments for MessagePack pack.")
	}
	p := packer{L: L, meter: meterOf(L)}
	for i := 1; i <= n; i++ {
		p.value(L.Get(i), 0)
	}
	return pushMade(L, p.out)
}

type packer struct {
	L     *lua.LState
	meter workMeter
	out   []byte
}

func (p *packer) value(v lua.LValue, depth int) {
	switch v := v.(type) {
	case lua.LString:
		p.text(string(v))
	case lua.LNumber:
		p.number(float64(v))
	case lua.LBool:
		if v {
			p.out = append(p.out, 0xc3)
		} else {
			p.out = append(p.out, 0xc2)
		}
	case *lua.LTable:
		if depth == packNesting {
			p.out = append(p.out, 0xc0)
		} else {
			p.table(v, depth)
		}
	default:
		p.out = append(p.out, 0xc0)
	}
}

func (p *packer) text(s string) {
	checkMade(p.L, p.out, len(s))
	switch n := len(s); {
	case n < 32:
		p.out = append(p.out, 0xa0|byte(n))
	case n <= math.MaxUint8:
		p.out = append(p.out, 0xd9, byte(n))
	case n <= math.MaxUint16:
		p.short(0xda, uint16(n))
	default:
		p.word(0xdb, uint32(n))
	}
	p.out = append(p.out, s...)
}

// number packs an integer as one, in as few bytes as it needs, and everything else as a float if none of it is lost.
func (p *packer) number(f float64) {
	n := truncate(f)
	switch {
	case float64(n) != f && float64(float32(f)) == f:
		p.word(0xca, math.Float32bits(float32(f)))
	case float64(n) != f:
		p.long(0xcb, math.Float64bits(f))
	case n >= 0 && n <= math.MaxInt8, n < 0 && n >= -32:
		p.out = append(p.out, byte(n))
	case n > 0 && n <= math.MaxUint8:
		p.out = append(p.out, 0xcc, byte(n))
	case n > 0 && n <= math.MaxUint16:
		p.short(0xcd, uint16(n))
	case n > 0 && n <= math.MaxUint32:
		p.word(0xce, uint32(n))
	case n > 0:
		p.long(0xcf, uint64(n))
	case n >= math.MinInt8:
		p.out = append(p.out, 0xd0, byte(n))
	case n >= math.MinInt16:
		p.short(0xd1, uint16(n))
	case n >= math.MinInt32:
		p.word(0xd2, uint32(n))
	default:
		p.long(0xd3, uint64(n))
	}
}

func (p *packer) short(kind byte, n uint16) {
	p.out = binary.BigEndian.AppendUint16(append(p.out, kind), n)
}

func (p *packer) word(kind byte, n uint32) {
	p.out = binary.BigEndian.AppendUint32(append(p.out, kind), n)
}

func (p *packer) long(kind byte, n uint64) {
	p.out = binary.BigEndian.AppendUint64(append(p.out, kind), n)
}

// table packs a table whose keys are 1 to n as an array, every other one as a map.
func (p *packer) table(t *lua.LTable, depth int) {
	n := t.MaxN()
	count := 0
	for i := 1; i <= n; i++ {
		if t.RawGetInt(i) != lua.LNil {
			count++
		}
	}
	p.meter.spend(n + 1)
	checkMade(p.L, p.out, 0)
	key, _ := nextAfterList(t, n)
	if count == n && key == lua.LNil {
		p.head(0x90, 0xdc, n)
		for i := 1; i <= n; i++ {
			p.value(t.RawGetInt(i), depth+1)
		}
		return
	}
	for ; key != lua.LNil; key, _ = t.Next(key) {
		count++
	}
	p.head(0x80, 0xde, count)
	eachPair(t, func(k, v lua.LValue) {
		p.value(k, depth+1)
		p.value(v, depth+1)
	})
}

// head starts an array or a map: kinds with the count in themselves, in 16 bits and, the next one, in 32.
func (p *packer) head(fixed, counted byte, n int) {
	switch {
	case n < 16:
		p.out = append(p.out, fixed|byte(n))
	case n <= math.MaxUint16:
		p.short(counted, uint16(n))
	default:
		p.word(counted+1, uint32(n))
	}
}

func msgUnpack(L *lua.LState) int { return unpackFrom(L, stringArg(L, 1), 0, 0) }

func msgUnpackOne(L *lua.LState) int {
	offset := optInteger(L, 2, 0)
	return unpackFrom(L, stringArg(L, 1), 1, offset)
}

func msgUnpackLimit(L *lua.LState) int {
	limit := checkInteger(L, 2)
	offset := optInteger(L, 3, 0)
	return unpackFrom(L, stringArg(L, 1), limit, offset)
}

// unpackFrom returns up to limit values behind an offset, and before them the offset of what follows, -1 at the end.
// With neither limit nor offset it returns all values, and no offset.
func unpackFrom(L *lua.LState, s string, limit, offset int) int {
	all := limit == 0 && offset == 0
	switch {
	case offset < 0 || limit < 0:
		raisef(L, "Invalid request to unpack with offset of %d and limit of %d.", int32(offset), int32(len(s)))
	case offset > len(s):
		raisef(L, "Start offset %d greater than input length %d.", int32(offset), int32(len(s)))
	case all:
		limit = math.MaxInt32
	}
	u := unpacker{L: L, meter: meterOf(L), data: s[offset:], holes: holes{maxHoles}}
	// On the stack are the string and the values so far.
	for len(u.values) < limit && u.data != "" {
		v := u.value(1 + len(u.values))
		u.values = append(u.values, v)
	}
	n := 0
	if !all {
		next := lua.LNumber(-1)
		if u.data != "" {
			next = lua.LNumber(len(s) - len(u.data))
		}
		L.Push(next)
		n++
	}
	for _, v := range u.values {
		L.Push(v)
		n++
	}
	return n
}

// unpacker reads values from untrusted bytes. It holds what it has read of arrays in values, and so allocates for
// elements that are there, not for those that are announced.
type unpacker struct {
	L      *lua.LState
	meter  workMeter
	data   string
	values []lua.LValue
	holes  holes
}

// take takes n bytes from the data.
func (u *unpacker) take(n uint64) string {
	if uint64(len(u.data)) < n {
		raisef(u.L, "Missing bytes in input.")
	}
	b := u.data[:n]
	u.data = u.data[n:]
	return b
}

// uint takes an unsigned number of n bytes.
func (u *unpacker) uint(n uint64) uint64 {
	var v uint64
	for _, c := range []byte(u.take(n)) {
		v = v<<8 | uint64(c)
	}
	return v
}

// value reads a value. The stack is as deep as it would be in C, whose limit is ours: it bounds the nesting.
func (u *unpacker) value(stack int) lua.LValue {
	kind := byte(u.uint(1))
	if stack+1 > maxStack {
		raisef(u.L, "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)")
	}
	switch {
	case kind < 0x80 || kind >= 0xe0:
		return lua.LNumber(int8(kind))
	case kind < 0x90:
		return u.table(uint64(kind&0xf), stack)
	case kind < 0xa0:
		return u.array(uint64(kind&0xf), stack)
	case kind < 0xc0:
		return lua.LString(u.take(uint64(kind & 0x1f)))
	}
	switch kind {
	case 0xc0:
		return lua.LNil
	case 0xc2:
		return lua.LFalse
	case 0xc3:
		return lua.LTrue
	case 0xca:
		return lua.LNumber(math.Float32frombits(uint32(u.uint(4))))
	case 0xcb:
		return lua.LNumber(math.Float64frombits(u.uint(8)))
	case 0xcc, 0xcd, 0xce, 0xcf:
		// One of 64 bits goes through a signed integer, and may come out negative.
		return lua.LNumber(int64(u.uint(1 << (kind - 0xcc))))
	case 0xd0:
		return lua.LNumber(int8(u.uint(1)))
	case 0xd1:
		return lua.LNumber(int16(u.uint(2)))
	case 0xd2:
		return lua.LNumber(int32(u.uint(4)))
	case 0xd3:
		return lua.LNumber(int64(u.uint(8)))
	case 0xd9, 0xda, 0xdb:
		return lua.LString(u.take(u.uint(1 << (kind - 0xd9))))
	case 0xdc, 0xdd:
		return u.array(u.uint(2<<(kind-0xdc)), stack)
	case 0xde, 0xdf:
		return u.table(u.uint(2<<(kind-0xde)), stack)
	}
	raisef(u.L, "Bad data format in input.")
	return nil
}

// array reads n elements.
func (u *unpacker) array(n uint64, stack int) lua.LValue {
	if stack+2 > maxStack {
		raisef(u.L, "stack overflow (in function mp_decode_to_lua_array)")
	}
	start := len(u.values)
	for range n {
		u.values = append(u.values, u.value(stack+2))
	}
	elements := u.values[start:]
	countTable(u.meter, len(elements), 0)
	t := u.L.CreateTable(len(elements), 0)
	for i, v := range elements {
		if v != lua.LNil {
			t.RawSetInt(i+1, v)
		}
	}
	clear(elements)
	u.values = u.values[:start]
	return t
}

// table reads n pairs.
func (u *unpacker) table(n uint64, stack int) lua.LValue {
	t := u.L.CreateTable(0, 0)
	end := 0
	for range n {
		k := u.value(stack + 1)
		v := u.value(stack + 2)
		if k == lua.LNil {
			raisePlain(u.L, "table index is nil")
		}
		if f, ok := k.(lua.LNumber); ok && f != f {
			raisePlain(u.L, "table index is NaN")
		}
		end = u.holes.set(u.L, t, end, k, v)
		countTable(u.meter, 0, 1)
	}
	return t
}
