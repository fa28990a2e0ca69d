// struct: values packed into strings and read from them, in the formats of Roberto Ierusalimschy's struct library.
//
//	> < !n   big endian, little endian, alignment (the native one without a number)
//	b h l    a byte, short or long with a sign; B H L without; T is a size_t
//	i8 I3    an integer of so many bytes, 4 if none are named
//	x        a byte that is skipped
//	c5 c0    so many bytes of a string, all of it; what c0 reads has the length read before it
//	s        a string that ends at a zero byte
//	f d      a float, a double

package lua

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

const (
	// maxInteger are the bytes that an integer may have, most of them beyond its value.
	maxInteger = 32
	// nativeAlignment is what "!" means on a machine of 64 bits.
	nativeAlignment = 8
)

// openStruct makes the table that is struct in scripts.
func openStruct(L *lua.LState) *lua.LTable {
	t := L.NewTable()
	t.RawSetString("pack", L.NewFunction(structPack))
	t.RawSetString("unpack", L.NewFunction(structUnpack))
	t.RawSetString("size", L.NewFunction(structSize))
	return t
}

// layout reads a format, an option after the other.
type layout struct {
	L         *lua.LState
	rest      string // what is not read yet
	big       bool
	alignment uint64
}

func newLayout(L *lua.LState) *layout {
	return &layout{L: L, rest: cString(stringArg(L, 1)), alignment: 1}
}

// next is the option that comes, the bytes it has, and how many lie before it if it comes after so many.
func (l *layout) next(at uint64) (option byte, size, padding uint64) {
	option, l.rest = l.rest[0], l.rest[1:]
	size = l.size(option)
	if size == 0 || option == 'c' {
		return option, size, 0
	}
	unit := min(size, l.alignment)
	return option, size, (unit - at&(unit-1)) & (unit - 1)
}

func (l *layout) size(option byte) uint64 {
	switch option {
	case 'b', 'B', 'x':
		return 1
	case 'h', 'H':
		return 2
	case 'f':
		return 4
	case 'l', 'L', 'T', 'd':
		return 8
	case 'c':
		return uint64(l.number(1))
	case 'i', 'I':
		n := l.number(4)
		if n > maxInteger {
			raisef(l.L, "integral size %d is larger than limit of %d", n, maxInteger)
		}
		return uint64(n)
	}
	return 0
}

// number reads the digits that follow, if any.
func (l *layout) number(otherwise int) int {
	n := digitsLen(l.rest)
	if n == 0 {
		return otherwise
	}
	v := 0
	for _, c := range []byte(l.rest[:n]) {
		v = v*10 + int(c-'0')
		if v > math.MaxInt32 {
			raisef(l.L, "integral size overflow")
		}
	}
	l.rest = l.rest[n:]
	return v
}

// control obeys an option that is no value.
func (l *layout) control(option byte) {
	switch option {
	case ' ':
	case '>':
		l.big = true
	case '<':
		l.big = false
	case '!':
		n := l.number(nativeAlignment)
		if n <= 0 || n&(n-1) != 0 {
			raisef(l.L, "alignment %d is not a power of 2", n)
		}
		l.alignment = uint64(n)
	default:
		argError(l.L, 1, "invalid format option '"+string([]byte{option})+"'")
	}
}

// order turns bytes in little endian into those of the format, and back.
func (l *layout) order(b []byte) {
	if l.big {
		slices.Reverse(b)
	}
}

func structPack(L *lua.LState) int {
	l := newLayout(L)
	// The library in C marks the end of the arguments with a nil, so that one that is missing is said to be nil.
	L.Push(lua.LNil)
	var out []byte
	arg := 2
	// Alignment counts what s and c0 appended as well.
	for l.rest != "" {
		option, size, padding := l.next(uint64(len(out)))
		out = appendRepeated(out, 0, int(padding))
		start := len(out)
		switch option {
		case 'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I':
			out = appendInteger(out, numberArg(L, arg), int(size))
			l.order(out[start:])
			arg++
		case 'x':
			out = append(out, 0)
		case 'f':
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(numberArg(L, arg))))
			l.order(out[start:])
			arg++
		case 'd':
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(numberArg(L, arg)))
			l.order(out[start:])
			arg++
		case 'c', 's':
			s := stringArg(L, arg)
			arg++
			if size == 0 {
				size = uint64(len(s))
			}
			if uint64(len(s)) < size {
				// The library counts on before it looks, so the number is one too many.
				argError(L, arg, "string too short")
			}
			checkMade(L, out, int(size))
			out = append(out, s[:size]...)
			if option == 's' {
				out = append(out, 0)
			}
		default:
			l.control(option)
		}
	}
	return pushMade(L, out)
}

// appendInteger appends a number of so many bytes in little endian. Beyond the eighth they are 0.
func appendInteger(out []byte, f float64, size int) []byte {
	u := truncUint64(f)
	for range size {
		out = append(out, byte(u))
		u >>= 8
	}
	return out
}

func structUnpack(L *lua.LState) int {
	l := newLayout(L)
	data := stringArg(L, 2)
	have := uint64(len(data))
	at := uint64(optInteger(L, 3, 1))
	if at == 0 {
		argError(L, 3, "offset must be 1 or greater")
	}
	at--
	need := func(size uint64) {
		if size > have || at > have-size {
			argError(L, 2, "data string too short")
		}
	}
	top := L.GetTop()
	n := 0
	push := func(v lua.LValue) {
		L.Push(v)
		n++
	}
	for l.rest != "" {
		option, size, padding := l.next(at)
		at += padding
		need(size)
		if top+n+2 > maxStack {
			raisef(L, "stack overflow (too many results)")
		}
		switch option {
		case 'b', 'h', 'l', 'i':
			push(lua.LNumber(signed(l.integer(data[at:at+size]), size)))
		case 'B', 'H', 'L', 'T', 'I':
			push(lua.LNumber(l.integer(data[at : at+size])))
		case 'x':
		case 'f':
			push(lua.LNumber(math.Float32frombits(uint32(l.integer(data[at : at+size])))))
		case 'd':
			push(lua.LNumber(math.Float64frombits(l.integer(data[at : at+size]))))
		case 'c':
			if size == 0 {
				size = l.previous(n)
				n--
				need(size)
			}
			push(lua.LString(data[at : at+size]))
		case 's':
			end := strings.IndexByte(data[at:], 0)
			if end < 0 {
				raisef(L, "unfinished string in data")
			}
			push(lua.LString(data[at : at+uint64(end)]))
			size = uint64(end) + 1
		default:
			l.control(option)
		}
		at += size
	}
	L.Push(lua.LNumber(int64(at + 1)))
	return n + 1
}

// previous takes the size of c0 from the results, of which there are n.
func (l *layout) previous(n int) uint64 {
	if n > 0 {
		if f, ok := asNumber(l.L.Get(-1)); ok {
			l.L.Pop(1)
			return truncUint64(f)
		}
	}
	raisef(l.L, "format 'c0' needs a previous size")
	return 0
}

// integer is the number that all of the bytes are. Of more than eight only the lowest are left.
func (l *layout) integer(b string) uint64 {
	var u uint64
	for i := range len(b) {
		if l.big {
			u = u<<8 | uint64(b[i])
		} else {
			u = u<<8 | uint64(b[len(b)-1-i])
		}
	}
	return u
}

// signed extends the sign of a number of so many bytes. The shift is taken modulo 64, as x86-64 does: with it a number
// of more than eight bytes, or of none, comes out as it does from the library in C.
func signed(u, size uint64) int64 {
	mask := ^uint64(0) << ((size*8 - 1) & 63)
	if u&mask != 0 {
		u |= mask
	}
	return int64(u)
}

func structSize(L *lua.LState) int {
	l := newLayout(L)
	var at uint64
	for l.rest != "" {
		option, size, padding := l.next(at)
		at += padding
		switch {
		case option == 's':
			argError(L, 1, "option 's' has no fixed size")
		case option == 'c' && size == 0:
			argError(L, 1, "option 'c0' has no fixed size")
		// A letter that is no option has the size 0.
		case !isDigit(option) && digitValue(option) > 36:
			l.control(option)
		}
		at += size
	}
	L.Push(lua.LNumber(int64(at)))
	return 1
}
