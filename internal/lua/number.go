// Numbers as Lua 5.1 reads and writes them, which is how C's strtod and printf do on Linux.

package lua

import (
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// numberDigits are the significant digits that tostring gives a number.
const numberDigits = 14

// numberString is Lua 5.1's tostring of a number: C's %.14g, with inf, -inf, nan and -nan.
func numberString(f float64) string {
	if n := int64(f); float64(n) == f && -100 < n && n < 100 && !(n == 0 && math.Signbit(f)) {
		return strconv.Itoa(int(n))
	}
	var b [32]byte
	return string(appendNumber(b[:0], f, numberDigits))
}

// appendNumber appends what C's %.<digits>g makes of f. The digits are 1 or more.
func appendNumber(dst []byte, f float64, digits int) []byte {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		if math.Signbit(f) {
			dst = append(dst, '-')
		}
		return append(dst, nonFinite(f)...)
	case digits == numberDigits && math.Abs(f) < 1e14 && f == math.Trunc(f) && (f != 0 || !math.Signbit(f)):
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return strconv.AppendFloat(dst, f, 'g', digits, 64)
}

// nonFinite is how C writes what is no finite number, without its sign.
func nonFinite(f float64) string {
	if math.IsNaN(f) {
		return "nan"
	}
	return "inf"
}

// readNumber turns a string into a number where Lua 5.1 does so by itself, as in "0x10" + 1: what strtod takes,
// with white space around it. Like C it looks no further than a zero byte.
func readNumber(s string) (float64, bool) {
	s = cString(s)
	space := spaceLen(s)
	f, n := scanNumber(s[space:])
	if n == 0 {
		return 0, false
	}
	rest := s[space+n:]
	return f, spaceLen(rest) == len(rest)
}

// scanNumber reads the number that s begins with as C's strtod does, but for leading white space, and says how many
// bytes it took, 0 if there is none: decimal and hexadecimal numbers, inf, infinity, nan and nan(…), in either case.
func scanNumber(s string) (f float64, n int) {
	i := 0
	negative := false
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		negative = s[i] == '-'
		i++
	}
	if i == len(s) {
		return 0, 0
	}
	if c := s[i]; c != '.' && (c < '0' || c > '9') {
		f, n = scanWord(s[i:])
		if n == 0 {
			return 0, 0
		}
		if negative {
			f = math.Copysign(f, -1)
		}
		return f, i + n
	}
	if n = hexLen(s[i:]); n > 0 {
		return parseFloat(hexFloat(s[:i+n])), i + n
	}
	digits := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i-digits <= 15 && (i == len(s) || (s[i] != '.' && s[i]|0x20 != 'e')) {
		var u int64
		for _, c := range []byte(s[digits:i]) {
			u = u*10 + int64(c-'0')
		}
		f = float64(u)
		if negative {
			f = -f
		}
		return f, i
	}
	n = decimalLen(s[digits:])
	if n == 0 {
		return 0, 0
	}
	return parseFloat(s[:digits+n]), digits + n
}

// parseFloat is for what was scanned already, so that the only error there can be is one of range, whose value is right.
func parseFloat(s string) float64 {
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

// decimalLen is how many bytes of s are a decimal number without sign.
func decimalLen(s string) int {
	i := digitsLen(s)
	digits := i
	if i < len(s) && s[i] == '.' {
		n := digitsLen(s[i+1:])
		digits += n
		i += 1 + n
	}
	if digits == 0 {
		return 0
	}
	return i + exponentLen(s[i:], 'e')
}

// exponentLen is how many bytes of s are an exponent that begins with the letter, in either case.
func exponentLen(s string, letter byte) int {
	if s == "" || s[0]|0x20 != letter {
		return 0
	}
	i := 1
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	n := digitsLen(s[i:])
	if n == 0 {
		return 0
	}
	return i + n
}

// hexLen is how many bytes of s are a hexadecimal number without sign, "0x" and at least a digit.
func hexLen(s string) int {
	if len(s) < 3 || s[0] != '0' || s[1]|0x20 != 'x' {
		return 0
	}
	i := 2
	digits := 0
	for i < len(s) && digitValue(s[i]) < 16 {
		i++
		digits++
	}
	if i < len(s) && s[i] == '.' {
		i++
		for i < len(s) && digitValue(s[i]) < 16 {
			i++
			digits++
		}
	}
	if digits == 0 {
		return 0
	}
	return i + exponentLen(s[i:], 'p')
}

// hexFloat gives a hexadecimal number the exponent that Go wants and C does not.
func hexFloat(s string) string {
	if strings.ContainsAny(s, "pP") {
		return s
	}
	return s + "p0"
}

// scanWord reads inf, infinity, nan and nan(…).
func scanWord(s string) (float64, int) {
	switch {
	case hasPrefixFold(s, "infinity"):
		return math.Inf(1), len("infinity")
	case hasPrefixFold(s, "inf"):
		return math.Inf(1), len("inf")
	case hasPrefixFold(s, "nan"):
		n := len("nan")
		if n < len(s) && s[n] == '(' {
			i := n + 1
			for i < len(s) && (s[i] == '_' || digitValue(s[i]) < 36) {
				i++
			}
			if i < len(s) && s[i] == ')' {
				n = i + 1
			}
		}
		return math.NaN(), n
	}
	return 0, 0
}

func hasPrefixFold(s, lower string) bool {
	if len(s) < len(lower) {
		return false
	}
	for i := range len(lower) {
		if s[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}

func digitsLen(s string) int {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// digitValue is what a digit is worth in bases up to 36, more than any base if it is none.
func digitValue(c byte) uint64 {
	switch {
	case isDigit(c):
		return uint64(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'z':
		return uint64(c|0x20-'a') + 10
	}
	return 255
}

// spaceLen is how many bytes at the start of s are white space to C.
func spaceLen(s string) int {
	i := 0
	for i < len(s) && (s[i] == ' ' || '\t' <= s[i] && s[i] <= '\r') {
		i++
	}
	return i
}

// truncInt32 is C's (int)f on x86-64.
func truncInt32(f float64) int32 {
	if f > math.MinInt32-1 && f < 1<<31 {
		return int32(f)
	}
	return math.MinInt32
}

// truncUint64 is C's (unsigned long long)f on x86-64: negative numbers wrap, what is beyond 64 bits is 0.
func truncUint64(f float64) uint64 {
	if f >= 1<<63 {
		return uint64(truncate(f-1<<63)) ^ 1<<63
	}
	return uint64(truncate(f))
}

// baseTonumber is Lua 5.1's tonumber.
func baseTonumber(L *lua.LState) int {
	base := int32(optInt(L, 2, 10))
	if base == 10 {
		if L.GetTop() == 0 {
			argError(L, 1, "value expected")
		}
		switch v := L.Get(1).(type) {
		case lua.LNumber:
			L.Push(v)
			return 1
		case lua.LString:
			if f, ok := readNumber(string(v)); ok {
				L.Push(lua.LNumber(f))
				return 1
			}
		}
		L.Push(lua.LNil)
		return 1
	}
	s := stringArg(L, 1)
	if base < 2 || base > 36 {
		argError(L, 2, "base out of range")
	}
	if u, ok := parseUnsigned(s, uint64(base)); ok {
		L.Push(lua.LNumber(float64(u)))
	} else {
		L.Push(lua.LNil)
	}
	return 1
}

// parseUnsigned reads an integer as C's strtoul does, with white space around it: a minus wraps, and what is too large
// is the largest number.
func parseUnsigned(s string, base uint64) (uint64, bool) {
	s = cString(s)
	s = s[spaceLen(s):]
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if base == 16 && len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' && digitValue(s[2]) < 16 {
		s = s[2:]
	}
	var u uint64
	i := 0
	overflow := false
	for ; i < len(s); i++ {
		d := digitValue(s[i])
		if d >= base {
			break
		}
		if u > (math.MaxUint64-d)/base {
			overflow = true
		}
		u = u*base + d
	}
	switch {
	case i == 0 || i+spaceLen(s[i:]) < len(s):
		return 0, false
	case overflow:
		return math.MaxUint64, true
	case negative:
		return -u, true
	}
	return u, true
}

// baseTostring is Lua 5.1's tostring.
func baseTostring(L *lua.LState) int {
	if L.GetTop() == 0 {
		argError(L, 1, "value expected")
	}
	v := L.Get(1)
	if r, ok := callToString(L, v); ok {
		L.Push(r)
		return 1
	}
	switch v := v.(type) {
	case lua.LString:
		L.Push(v)
	case lua.LNumber:
		L.Push(lua.LString(numberString(float64(v))))
	default:
		if isNull(v) {
			L.Push(lua.LString("userdata: (nil)"))
		} else {
			L.Push(lua.LString(v.String()))
		}
	}
	return 1
}

// callToString asks the value's metatable for its text.
func callToString(L *lua.LState, v lua.LValue) (lua.LValue, bool) {
	f := L.GetMetaField(v, "__tostring")
	if f == lua.LNil {
		return nil, false
	}
	L.Push(f)
	L.Push(v)
	L.Call(1, 1)
	r := L.Get(-1)
	L.Pop(1)
	return r, true
}
