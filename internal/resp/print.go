// How redis-cli shows replies to people and to programs.
package resp

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"
)

const digits = "0123456789abcdef"

// AppendCLI appends a reply as redis-cli 7.2 shows it on a terminal: quoted, typed, numbered. It is one line or more,
// the last ended too. A big number, on which redis-cli gives up, is "(big number) …".
func AppendCLI(dst []byte, v *Value) []byte { return appendCLI(dst, v, nil) }

// appendCLI puts the indent before each line but the first, whose place its parent has chosen.
func appendCLI(dst []byte, v *Value, indent []byte) []byte {
	switch {
	case v.Null:
		return append(dst, "(nil)\n"...)
	case v.IsAggregate():
		return appendCLIElems(dst, v, indent)
	}
	switch v.Kind {
	case '-', '!':
		dst = append(dst, "(error) "...)
		dst = append(dst, v.Str...)
	case ':':
		dst = append(dst, "(integer) "...)
		dst = strconv.AppendInt(dst, v.Int, 10)
	case ',':
		dst = append(dst, "(double) "...)
		dst = append(dst, v.Str...)
	case '(':
		dst = append(dst, "(big number) "...)
		dst = append(dst, v.Str...)
	case '#':
		dst = append(dst, '(')
		dst = strconv.AppendBool(dst, v.Bool)
		dst = append(dst, ')')
	case '$':
		dst = AppendQuoted(dst, v.Str)
	default:
		dst = append(dst, v.Str...)
	}
	return append(dst, '\n')
}

func appendCLIElems(dst []byte, v *Value, indent []byte) []byte {
	sign, step, name := byte(')'), 1, "array"
	switch v.Kind {
	case '~':
		sign, name = '~', "set"
	case '%':
		sign, step, name = '#', 2, "hash"
	case '>':
		name = "push"
	}
	if len(v.Elems) == 0 {
		dst = append(dst, "(empty "...)
		dst = append(dst, name...)
		return append(dst, ")\n"...)
	}
	width := len(strconv.Itoa(len(v.Elems) / step))
	inner := append(bytes.Clone(indent), bytes.Repeat([]byte{' '}, width+2)...)
	for i := 0; i < len(v.Elems); i += step {
		if i > 0 {
			dst = append(dst, indent...)
		}
		number := strconv.Itoa(i/step + 1)
		for range width - len(number) {
			dst = append(dst, ' ')
		}
		dst = append(dst, number...)
		dst = append(dst, sign, ' ')
		dst = appendCLI(dst, &v.Elems[i], inner)
		if step == 2 {
			dst = append(dst[:len(dst)-1], " => "...)
			if value := &v.Elems[i+1]; value.IsAggregate() && len(value.Elems) > 0 {
				dst = append(dst, '\n')
				dst = append(dst, inner...)
			}
			dst = appendCLI(dst, &v.Elems[i+1], inner)
		}
	}
	return dst
}

// AppendQuoted appends b between double quotes, with what is not printable ASCII escaped: \n \r \t \a \b \" \\ and \xHH.
// SplitWords reads it back.
func AppendQuoted(dst, b []byte) []byte {
	dst = append(dst, '"')
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\a':
			dst = append(dst, '\\', 'a')
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c < ' ' || c > '~':
			dst = append(dst, '\\', 'x', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// AppendRaw appends a reply as redis-cli --raw writes it: the bytes alone, an element a line, a map's key and value on
// one line with a space between. It ends with a line end, an error with two.
func AppendRaw(dst []byte, v *Value) []byte { return append(appendRaw(dst, v), '\n') }

func appendRaw(dst []byte, v *Value) []byte {
	switch {
	case v.Null:
		return dst
	case v.IsError():
		return append(append(dst, v.Str...), '\n')
	case v.Kind == ':':
		return strconv.AppendInt(dst, v.Int, 10)
	case v.Kind == '#':
		return append(strconv.AppendBool(append(dst, '('), v.Bool), ')')
	case !v.IsAggregate():
		return append(dst, v.Str...)
	}
	for i := range v.Elems {
		switch {
		case i == 0:
		case v.Kind == '%' && i%2 == 1:
			dst = append(dst, ' ')
		default:
			dst = append(dst, '\n')
		}
		dst = appendRaw(dst, &v.Elems[i])
	}
	return dst
}

// AppendJSON appends a reply as one line of JSON, as redis-cli --json does, a line end included, but valid in every
// case: an error is {"error": text}, an infinite or undefined double is a string, and a byte that is not UTF-8
// becomes the four characters \xHH. A map's keys are strings; a key of another type is the text of its JSON.
func AppendJSON(dst []byte, v *Value) []byte { return append(appendJSON(dst, v), '\n') }

func appendJSON(dst []byte, v *Value) []byte {
	if v.Null {
		return append(dst, "null"...)
	}
	switch v.Kind {
	case '-', '!':
		dst = append(dst, `{"error":`...)
		dst = appendJSONString(dst, v.Str)
		return append(dst, '}')
	case ':':
		return strconv.AppendInt(dst, v.Int, 10)
	case '#':
		return strconv.AppendBool(dst, v.Bool)
	case ',':
		switch {
		case math.IsInf(v.Float, 0) || math.IsNaN(v.Float):
			return appendJSONString(dst, v.Str)
		case json.Valid(v.Str):
			return append(dst, v.Str...)
		}
		return strconv.AppendFloat(dst, v.Float, 'g', -1, 64)
	case '(':
		if json.Valid(v.Str) {
			return append(dst, v.Str...)
		}
		return appendJSONString(dst, v.Str) // a plus sign or a leading zero
	case '%':
		dst = append(dst, '{')
		for i := 0; i < len(v.Elems); i += 2 {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSONKey(dst, &v.Elems[i])
			dst = append(dst, ':')
			dst = appendJSON(dst, &v.Elems[i+1])
		}
		return append(dst, '}')
	case '*', '~', '>':
		dst = append(dst, '[')
		for i := range v.Elems {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, &v.Elems[i])
		}
		return append(dst, ']')
	}
	return appendJSONString(dst, v.Str)
}

func appendJSONKey(dst []byte, v *Value) []byte {
	switch v.Kind {
	case '+', '$', '=':
		if !v.Null {
			return appendJSONString(dst, v.Str)
		}
	}
	return appendJSONString(dst, appendJSON(nil, v))
}

func appendJSONString(dst, s []byte) []byte {
	dst = append(dst, '"')
	for len(s) > 0 {
		c := s[0]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(s)
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, '\\', '\\', 'x', digits[c>>4], digits[c&15])
			} else {
				dst = append(dst, s[:n]...)
			}
			s = s[n:]
			continue
		}
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
		s = s[1:]
	}
	return append(dst, '"')
}
