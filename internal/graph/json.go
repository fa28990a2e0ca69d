// JSON as the language has it, of values of Go: nil, bool, int64, float64, string, []any and map[string]any.
package graph

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// AppendNumber appends the text of a number, which is not NaN: the digits of an integer up to 2^53-1, else the fewest of 15 to 17
// digits in C's %g that read back as the same, and inf and -inf.
func AppendNumber(dst []byte, f float64) []byte {
	switch {
	case f == math.Trunc(f) && math.Abs(f) <= MaxExact:
		return strconv.AppendInt(dst, int64(f), 10)
	case math.IsInf(f, 0):
		if f < 0 {
			dst = append(dst, '-')
		}
		return append(dst, "inf"...)
	}
	for digits := 15; ; digits++ {
		text := strconv.AppendFloat(dst, f, 'g', digits, 64)
		if back, err := strconv.ParseFloat(string(text[len(dst):]), 64); digits == 17 || err == nil && back == f {
			return text
		}
	}
}

// Normal is a number as the language has it: an int64 if it has no fraction and is at most 2^53-1 either way.
func Normal(f float64) any {
	if f == math.Trunc(f) && math.Abs(f) <= MaxExact {
		return int64(f)
	}
	return f
}

// AppendJSON appends the JSON of a value. The text of an error is one of the language's.
func AppendJSON(dst []byte, v any) ([]byte, error) { return appendJSON(dst, v, 0) }

func appendJSON(dst []byte, v any, depth int) (_ []byte, err error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		if math.IsInf(v, 0) {
			return dst, errors.New(ErrInfinite)
		}
		return AppendNumber(dst, v), nil
	case string:
		return AppendJSONString(dst, v), nil
	case []any:
		if depth == MaxNested {
			return dst, errors.New(ErrDepth)
		}
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendJSON(dst, e, depth+1); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case map[string]any:
		if depth == MaxNested {
			return dst, errors.New(ErrDepth)
		}
		dst = append(dst, '{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendJSONString(dst, key), ':')
			if dst, err = appendJSON(dst, v[key], depth+1); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
	return dst, fmt.Errorf("a %T is no value of a script", v)
}

// escapes are the bytes that have an escape of their own.
var escapes = [256]byte{'"': '"', '\\': '\\', '\n': 'n', '\r': 'r', '\t': 't', '\b': 'b', '\f': 'f'}

// AppendJSONString appends the JSON of a string.
func AppendJSONString[S string | []byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		if e := escapes[c]; e != 0 {
			dst = append(dst, '\\', e)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// ParseJSON returns the value that a JSON text stands for. The text of an error is one of the language's: the place that it tells of what
// is not JSON is that of the first byte which no JSON could go on with, or the length of the text.
func ParseJSON(text []byte) (any, error) { return parseJSON(text, 0) }

// ParseTrace is ParseJSON of a trace, a list of pairs: the values in it may be nested as deep as all others.
func ParseTrace(text []byte) (any, error) { return parseJSON(text, -2) }

func parseJSON(text []byte, depth int) (any, error) {
	d := jsonReader{text: text}
	v, err := d.value(depth)
	if err == nil {
		if d.space(); d.at < len(text) {
			err = d.wrong()
		}
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

type jsonReader struct {
	text []byte
	at   int
}

// wrong is the error of a text that cannot go on as it does here.
func (d *jsonReader) wrong() error { return errors.New(Text(ErrJSON, d.at)) }

// next is the next byte; 0 at the end, where it is wrong as any NUL is outside of strings.
func (d *jsonReader) next() byte {
	if d.at < len(d.text) {
		return d.text[d.at]
	}
	return 0
}

func (d *jsonReader) space() {
	for c := d.next(); c == ' ' || '\t' <= c && c <= '\n' || c == '\r'; c = d.next() {
		d.at++
	}
}

// word reads the rest of a word that the text must go on with.
func (d *jsonReader) word(w string) error {
	for i := range len(w) {
		if d.next() != w[i] {
			return d.wrong()
		}
		d.at++
	}
	return nil
}

func (d *jsonReader) value(depth int) (any, error) {
	d.space()
	switch c := d.next(); c {
	case 'n':
		return nil, d.word("null")
	case 't':
		return true, d.word("true")
	case 'f':
		return false, d.word("false")
	case '"':
		return d.str()
	case '[', '{':
		if depth == MaxNested {
			return nil, errors.New(ErrDepth)
		}
		d.at++
		if c == '[' {
			return d.list(depth + 1)
		}
		return d.object(depth + 1)
	}
	return d.number()
}

// more reads what follows an element: a comma, or the end.
func (d *jsonReader) more(end byte) (more bool, err error) {
	d.space()
	switch d.next() {
	case ',':
		d.at++
		return true, nil
	case end:
		d.at++
		return false, nil
	}
	return false, d.wrong()
}

func (d *jsonReader) list(depth int) (any, error) {
	list := []any{}
	if d.space(); d.next() == ']' {
		d.at++
		return list, nil
	}
	for more := true; more; {
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if more, err = d.more(']'); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (d *jsonReader) object(depth int) (any, error) {
	object := map[string]any{}
	if d.space(); d.next() == '}' {
		d.at++
		return object, nil
	}
	for more := true; more; {
		d.space()
		if d.next() != '"' {
			return nil, d.wrong()
		}
		key, err := d.str()
		if err != nil {
			return nil, err
		}
		d.space()
		if err = d.word(":"); err != nil {
			return nil, err
		}
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		object[key] = v
		if more, err = d.more('}'); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// digits reads at least one digit.
func (d *jsonReader) digits() error {
	from := d.at
	for c := d.next(); '0' <= c && c <= '9'; c = d.next() {
		d.at++
	}
	if d.at == from {
		return d.wrong()
	}
	return nil
}

func (d *jsonReader) number() (any, error) {
	from := d.at
	if d.next() == '-' {
		d.at++
	}
	if d.next() == '0' {
		d.at++
	} else if err := d.digits(); err != nil {
		return nil, err
	}
	whole := true
	if d.next() == '.' {
		d.at++
		whole = false
		if err := d.digits(); err != nil {
			return nil, err
		}
	}
	if c := d.next(); c == 'e' || c == 'E' {
		d.at++
		whole = false
		if c := d.next(); c == '+' || c == '-' {
			d.at++
		}
		if err := d.digits(); err != nil {
			return nil, err
		}
	}
	text := string(d.text[from:d.at])
	if n, err := strconv.ParseInt(text, 10, 64); whole && err == nil {
		return n, nil
	}
	f, _ := strconv.ParseFloat(text, 64) // what is out of range is infinite
	return Normal(f), nil
}

// plain are what the escapes of one letter stand for.
var plain = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'f': '\f'}

func (d *jsonReader) str() (string, error) {
	d.at++
	var s []byte
	for from := d.at; ; from = d.at {
		for d.at < len(d.text) && d.text[d.at] != '"' && d.text[d.at] != '\\' {
			d.at++
		}
		s = append(s, d.text[from:d.at]...)
		if d.at == len(d.text) {
			return "", d.wrong()
		}
		d.at++
		if d.text[d.at-1] == '"' {
			return string(s), nil
		}
		c := d.next()
		if p, ok := plain[c]; ok {
			d.at++
			s = append(s, p)
			continue
		}
		if c != 'u' {
			return "", d.wrong()
		}
		d.at++
		r, err := d.unit()
		if err != nil {
			return "", err
		}
		if 0xd800 <= r && r < 0xdc00 && d.next() == '\\' && d.at+1 < len(d.text) && d.text[d.at+1] == 'u' {
			back := d.at
			d.at += 2
			low, err := d.unit()
			switch {
			case err != nil:
				return "", err
			case 0xdc00 <= low && low < 0xe000:
				r = (r-0xd800)<<10 + (low - 0xdc00) + 0x10000
			default: // it stands for itself
				d.at = back
			}
		}
		s = utf8.AppendRune(s, r) // of half a pair, U+FFFD
	}
}

// unit reads the four digits of \u.
func (d *jsonReader) unit() (r rune, err error) {
	for range 4 {
		c := d.next()
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 + rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 + rune(c|0x20-'a') + 10
		default:
			return 0, d.wrong()
		}
		d.at++
	}
	return r, nil
}

// ParseNumber reads the text of a number as the function float does: decimal, inf, +inf or -inf.
func ParseNumber(text []byte) (f float64, ok bool) {
	rest := text
	if len(rest) > 0 && (rest[0] == '-' || rest[0] == '+') {
		rest = rest[1:]
	}
	if string(rest) == "inf" {
		f = math.Inf(1)
		if text[0] == '-' {
			f = -f
		}
		return f, true
	}
	if n := len(rest); n > 0 && n <= 15 { // short and whole, as most are
		var u int64
		for i, c := range rest {
			if c < '0' || c > '9' {
				break
			}
			if u = u*10 + int64(c-'0'); i == n-1 {
				if text[0] == '-' {
					u = -u
				}
				return float64(u), true
			}
		}
	}
	for _, c := range rest { // strconv takes more: other words, other bases, underscores
		if (c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange)
}

// ParseInteger reads the text of an integer as the function int does: digits, with a minus or not, within 64 bits.
func ParseInteger(text []byte) (n int64, ok bool) {
	if len(text) > 0 && text[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil
}
