// string.format, as Lua 5.1 has it and C's printf fills it in.

package lua

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// longText is the length from which %s without a precision takes a string as it is, whatever its width and its zero bytes.
const longText = 100

// spec is one item of a format: %, flags, width, precision.
type spec struct {
	minus, plus, space, sharp, zero bool
	width                           int
	precision                       int // -1 if there is none
}

// stringFormat is string.format.
func stringFormat(L *lua.LState) int {
	format := stringArg(L, 1)
	top := L.GetTop()
	out := make([]byte, 0, len(format)+16)
	arg := 1
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			break
		}
		out = append(out, format[:i]...)
		format = format[i+1:]
		if strings.HasPrefix(format, "%") {
			out = append(out, '%')
			format = format[1:]
			continue
		}
		arg++
		if arg > top {
			argError(L, arg, "no value")
		}
		var s spec
		s, format = scanSpec(L, format)
		verb := byte(0)
		if format != "" {
			verb, format = format[0], format[1:]
		}
		out = s.append(L, out, verb, arg)
	}
	return pushMade(L, append(out, format...))
}

// scanSpec reads what stands between the % and the letter, and returns what follows.
func scanSpec(L *lua.LState, format string) (spec, string) {
	s := spec{precision: -1}
	i := 0
flags:
	for ; i < len(format); i++ {
		switch format[i] {
		case '-':
			s.minus = true
		case '+':
			s.plus = true
		case ' ':
			s.space = true
		case '#':
			s.sharp = true
		case '0':
			s.zero = true
		default:
			break flags
		}
	}
	if i > len("-+ #0") {
		raisef(L, "invalid format (repeated flags)")
	}
	two := func() (n int) {
		for k := 0; k < 2 && i < len(format) && isDigit(format[i]); k++ {
			n = n*10 + int(format[i]-'0')
			i++
		}
		return n
	}
	s.width = two()
	if i < len(format) && format[i] == '.' {
		i++
		s.precision = two()
	}
	if i < len(format) && isDigit(format[i]) {
		raisef(L, "invalid format (width or precision too long)")
	}
	return s, format[i:]
}

// append appends the argument in the way that the letter asks for.
func (s spec) append(L *lua.LState, out []byte, verb byte, arg int) []byte {
	switch verb {
	case 'c':
		// The item is a C string to Lua, so that a zero byte ends it.
		return append(out, cString(string(s.pad(nil, "", string([]byte{byte(truncInt32(numberArg(L, arg)))}))))...)
	case 'd', 'i':
		n := truncate(numberArg(L, arg))
		digits := strings.TrimPrefix(strconv.FormatInt(n, 10), "-")
		return s.appendInt(out, s.sign(n < 0), s.digits(digits))
	case 'u':
		return s.appendInt(out, "", s.digits(strconv.FormatUint(truncUint64(numberArg(L, arg)), 10)))
	case 'o':
		digits := s.digits(strconv.FormatUint(truncUint64(numberArg(L, arg)), 8))
		if s.sharp && !strings.HasPrefix(digits, "0") {
			digits = "0" + digits
		}
		return s.appendInt(out, "", digits)
	case 'x', 'X':
		digits := strconv.FormatUint(truncUint64(numberArg(L, arg)), 16)
		prefix := ""
		if s.sharp && digits != "0" {
			prefix = "0x"
		}
		if verb == 'X' {
			prefix, digits = strings.ToUpper(prefix), strings.ToUpper(digits)
		}
		return s.appendInt(out, prefix, s.digits(digits))
	case 'e', 'E', 'f', 'g', 'G':
		return s.appendFloat(out, numberArg(L, arg), verb)
	case 'q':
		text := stringArg(L, arg)
		checkMade(L, out, len(text))
		return appendQuoted(out, text)
	case 's':
		text := stringArg(L, arg)
		checkMade(L, out, len(text))
		if s.precision < 0 && len(text) >= longText {
			return append(out, text...)
		}
		text = cString(text)
		if s.precision >= 0 && len(text) > s.precision {
			text = text[:s.precision]
		}
		return s.pad(out, "", text)
	}
	shown := string([]byte{verb})
	if verb == 0 {
		shown = ""
	}
	raisef(L, "invalid option '%%%s' to 'format'", shown)
	return nil
}

func (s spec) sign(negative bool) string {
	switch {
	case negative:
		return "-"
	case s.plus:
		return "+"
	case s.space:
		return " "
	}
	return ""
}

// pad appends prefix and text, filled up with spaces.
func (s spec) pad(out []byte, prefix, text string) []byte {
	fill := s.width - len(prefix) - len(text)
	if !s.minus {
		out = appendRepeated(out, ' ', fill)
	}
	out = append(out, prefix...)
	out = append(out, text...)
	if s.minus {
		out = appendRepeated(out, ' ', fill)
	}
	return out
}

// padZero appends prefix and text, filled up with zeros between them if the flags say so.
func (s spec) padZero(out []byte, prefix, text string) []byte {
	if s.zero && !s.minus {
		out = append(out, prefix...)
		out = appendRepeated(out, '0', s.width-len(prefix)-len(text))
		return append(out, text...)
	}
	return s.pad(out, prefix, text)
}

func appendRepeated(out []byte, c byte, n int) []byte {
	for ; n > 0; n-- {
		out = append(out, c)
	}
	return out
}

// digits gives an integer as many digits as the precision wants. Of 0 nothing is left if it wants none.
func (s spec) digits(text string) string {
	if s.precision == 0 && text == "0" {
		return ""
	}
	if n := s.precision - len(text); n > 0 {
		return strings.Repeat("0", n) + text
	}
	return text
}

// appendInt appends an integer. A precision puts the flag 0 out of force.
func (s spec) appendInt(out []byte, prefix, digits string) []byte {
	s.zero = s.zero && s.precision < 0
	return s.padZero(out, prefix, digits)
}

// appendFloat appends what %e, %f and %g make of f, in capital letters if the verb is one.
func (s spec) appendFloat(out []byte, f float64, verb byte) []byte {
	sign := s.sign(math.Signbit(f))
	f = math.Abs(f)
	upper := verb < 'a'
	verb |= 0x20
	if math.IsNaN(f) || math.IsInf(f, 0) {
		text := nonFinite(f)
		if upper {
			text = strings.ToUpper(text)
		}
		return s.pad(out, sign, text)
	}
	precision := s.precision
	if precision < 0 {
		precision = 6
	}
	var buf [64]byte
	var b []byte
	switch {
	case verb == 'g' && s.sharp:
		b = appendSharpG(buf[:0], f, max(precision, 1))
	case verb == 'g':
		b = strconv.AppendFloat(buf[:0], f, 'g', max(precision, 1), 64)
	default:
		b = strconv.AppendFloat(buf[:0], f, verb, precision, 64)
		if s.sharp && precision == 0 {
			b = withPoint(b)
		}
	}
	if upper {
		b = bytes.ToUpper(b)
	}
	return s.padZero(out, sign, string(b))
}

// appendSharpG is %#g, which keeps the zeros at the end and always has a point.
func appendSharpG(b []byte, f float64, precision int) []byte {
	b = strconv.AppendFloat(b, f, 'e', precision-1, 64)
	exponent, _ := strconv.Atoi(string(b[bytes.IndexByte(b, 'e')+1:]))
	if exponent >= -4 && exponent < precision {
		b = strconv.AppendFloat(b[:0], f, 'f', precision-1-exponent, 64)
	}
	return withPoint(b)
}

// withPoint puts a point behind the integer of a number that has none.
func withPoint(b []byte) []byte {
	if bytes.IndexByte(b, '.') >= 0 {
		return b
	}
	i := bytes.IndexByte(b, 'e')
	if i < 0 {
		return append(b, '.')
	}
	return bytes.Join([][]byte{b[:i], b[i:]}, []byte{'.'})
}

// appendQuoted is %q: a string that Lua reads back.
func appendQuoted(out []byte, s string) []byte {
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			out = append(out, '\\', c)
		case '\r':
			out = append(out, `\r`...)
		case 0:
			out = append(out, `\000`...)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
