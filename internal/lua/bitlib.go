// bit: operations on 32 bits, as Lua BitOp 1.0.2 has them.

package lua

import (
	"math"
	"math/bits"

	lua "github.com/yuin/gopher-lua"
)

// openBit makes the table that is bit in scripts.
func openBit(L *lua.LState) *lua.LTable {
	t := L.NewTable()
	shift := func(name string, op func(b uint32, n int) uint32) {
		t.RawSetString(name, L.NewFunction(func(L *lua.LState) int {
			b := bitArg(L, 1)
			return pushBits(L, op(b, int(bitArg(L, 2)&31)))
		}))
	}
	fold := func(name string, op func(a, b uint32) uint32) {
		t.RawSetString(name, L.NewFunction(func(L *lua.LState) int {
			b := bitArg(L, 1)
			for i := L.GetTop(); i > 1; i-- {
				b = op(b, bitArg(L, i))
			}
			return pushBits(L, b)
		}))
	}
	single := func(name string, op func(b uint32) uint32) {
		t.RawSetString(name, L.NewFunction(func(L *lua.LState) int { return pushBits(L, op(bitArg(L, 1))) }))
	}
	single("tobit", func(b uint32) uint32 { return b })
	single("bnot", func(b uint32) uint32 { return ^b })
	single("bswap", bits.ReverseBytes32)
	fold("band", func(a, b uint32) uint32 { return a & b })
	fold("bor", func(a, b uint32) uint32 { return a | b })
	fold("bxor", func(a, b uint32) uint32 { return a ^ b })
	shift("lshift", func(b uint32, n int) uint32 { return b << n })
	shift("rshift", func(b uint32, n int) uint32 { return b >> n })
	shift("arshift", func(b uint32, n int) uint32 { return uint32(int32(b) >> n) })
	shift("rol", bits.RotateLeft32)
	shift("ror", func(b uint32, n int) uint32 { return bits.RotateLeft32(b, -n) })
	t.RawSetString("tohex", L.NewFunction(bitToHex))
	return t
}

// bitArg is the n-th argument, rounded to an integer and reduced to 32 bits: adding 2^52+2^51 leaves the integer, rounded
// to even, in the low bits of a double.
func bitArg(L *lua.LState, n int) uint32 {
	f, ok := asNumber(L.Get(n))
	if !ok {
		wrongType(L, n, "number")
	}
	return uint32(math.Float64bits(f + (1<<52 + 1<<51)))
}

// pushBits returns bits as the signed number they are.
func pushBits(L *lua.LState, b uint32) int {
	L.Push(lua.LNumber(int32(b)))
	return 1
}

// bitToHex gives the last digits of a number, in capital letters if their count is negative.
func bitToHex(L *lua.LState) int {
	b := bitArg(L, 1)
	n := 8
	if L.GetTop() >= 2 {
		n = int(int32(bitArg(L, 2)))
	}
	digits := "0123456789abcdef"
	if n < 0 {
		n, digits = -n, "0123456789ABCDEF"
	}
	n = min(n, 8)
	var text [8]byte
	for i := n - 1; i >= 0; i-- {
		text[i] = digits[b&15]
		b >>= 4
	}
	L.Push(lua.LString(text[:n]))
	return 1
}
