// cjson.decode.

package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func (s *jsonSettings) decode(L *lua.LState) int {
	if L.GetTop() != 1 {
		argError(L, 1, "expected 1 argument")
	}
	data := stringArg(L, 1)
	if len(data) >= 2 && (data[0] == 0 || data[1] == 0) {
		raisef(L, "JSON parser does not support UTF-16 or UTF-32")
	}
	d := jsonDecoder{jsonSettings: s, L: L, meter: meterOf(L), data: data, members: s.members[:0]}
	// After an error nobody clears them.
	s.members = nil
	v := d.value(d.next(), 1)
	if t := d.next(); t.kind != jsonEnd {
		d.unexpected("the end", t)
	}
	L.Push(v)
	if cap(d.members) <= keptMembers {
		s.members = d.members
	}
	return 1
}

// jsonMember is an element of an array or, with a name, of an object.
type jsonMember struct {
	name  string
	value lua.LValue
}

// jsonDecoder reads a value from untrusted text. What it has read of an array or object it holds in members, so that
// a table is made when its size is known.
type jsonDecoder struct {
	*jsonSettings
	L       *lua.LState
	meter   workMeter
	data    string
	at      int
	depth   int32
	members []jsonMember
}

type jsonKind uint8

const (
	jsonObjectBegin jsonKind = iota
	jsonObjectEnd
	jsonArrayBegin
	jsonArrayEnd
	jsonString
	jsonNumber
	jsonBoolean
	jsonNull
	jsonColon
	jsonComma
	jsonEnd
	jsonError
)

// jsonNames are the words that errors have for them.
var jsonNames = [...]string{
	jsonObjectBegin: "T_OBJ_BEGIN",
	jsonObjectEnd:   "T_OBJ_END",
	jsonArrayBegin:  "T_ARR_BEGIN",
	jsonArrayEnd:    "T_ARR_END",
	jsonString:      "T_STRING",
	jsonNumber:      "T_NUMBER",
	jsonBoolean:     "T_BOOLEAN",
	jsonNull:        "T_NULL",
	jsonColon:       "T_COLON",
	jsonComma:       "T_COMMA",
	jsonEnd:         "T_END",
}

type jsonToken struct {
	kind   jsonKind
	at     int     // where it begins, or the error is
	text   string  // of a string, and of an error
	number float64 // of a number; 1 of true
}

func (d *jsonDecoder) unexpected(want string, t jsonToken) {
	found := t.text
	if t.kind != jsonError {
		found = jsonNames[t.kind]
	}
	raisef(d.L, "Expected %s but found %s at character %d", want, found, t.at+1)
}

// peek is the byte so far ahead, and 0, which ends the text, behind it.
func (d *jsonDecoder) peek(ahead int) byte {
	if i := d.at + ahead; i < len(d.data) {
		return d.data[i]
	}
	return 0
}

func (d *jsonDecoder) fail(text string) jsonToken {
	return jsonToken{kind: jsonError, at: d.at, text: text}
}

// next reads a token. An error leaves the place at it.
func (d *jsonDecoder) next() jsonToken {
	c := d.peek(0)
	for c == ' ' || c == '\t' || c == '\n' || c == '\r' {
		d.at++
		c = d.peek(0)
	}
	t := jsonToken{at: d.at}
	switch c {
	case '{':
		t.kind = jsonObjectBegin
	case '}':
		t.kind = jsonObjectEnd
	case '[':
		t.kind = jsonArrayBegin
	case ']':
		t.kind = jsonArrayEnd
	case ',':
		t.kind = jsonComma
	case ':':
		t.kind = jsonColon
	case 0:
		t.kind = jsonEnd
		return t
	case '"':
		return d.text()
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if d.decodeInvalid == 0 && isInvalidNumber(d.data[d.at:]) {
			return d.fail("invalid number")
		}
		return d.number()
	default:
		return d.word()
	}
	d.at++
	return t
}

// word reads what is none of the signs, strings and plain numbers.
func (d *jsonDecoder) word() jsonToken {
	t := jsonToken{at: d.at}
	rest := d.data[d.at:]
	switch {
	case strings.HasPrefix(rest, "true"):
		t.kind, t.number = jsonBoolean, 1
		d.at += len("true")
	case strings.HasPrefix(rest, "false"):
		t.kind = jsonBoolean
		d.at += len("false")
	case strings.HasPrefix(rest, "null"):
		t.kind = jsonNull
		d.at += len("null")
	case d.decodeInvalid == 1 && isInvalidNumber(rest):
		return d.number()
	default:
		return d.fail("invalid token")
	}
	return t
}

// isInvalidNumber knows numbers that strtod takes and JSON does not.
func isInvalidNumber(s string) bool {
	if strings.HasPrefix(s, "+") {
		return true
	}
	s = strings.TrimPrefix(s, "-")
	if strings.HasPrefix(s, "0") {
		return len(s) > 1 && (s[1]|0x20 == 'x' || isDigit(s[1]))
	}
	return hasPrefixFold(s, "inf") || hasPrefixFold(s, "nan")
}

func (d *jsonDecoder) number() jsonToken {
	f, n := scanNumber(d.data[d.at:])
	if n == 0 {
		return d.fail("invalid number")
	}
	t := jsonToken{kind: jsonNumber, at: d.at, number: f}
	d.at += n
	return t
}

// text reads a string. Without escapes in it, it is a part of the data.
func (d *jsonDecoder) text() jsonToken {
	t := jsonToken{kind: jsonString, at: d.at}
	d.at++
	var b []byte
	start := d.at
	for {
		switch d.peek(0) {
		case 0:
			return d.fail("unexpected end of string")
		case '"':
			if b == nil {
				t.text = d.data[start:d.at]
			} else {
				t.text = string(append(b, d.data[start:d.at]...))
			}
			d.at++
			return t
		case '\\':
			b = append(b, d.data[start:d.at]...)
			var problem string
			if b, problem = d.escape(b); problem != "" {
				return d.fail(problem)
			}
			start = d.at
		default:
			d.at++
		}
	}
}

// escape reads an escape, or says what is wrong with it.
func (d *jsonDecoder) escape(b []byte) ([]byte, string) {
	c := d.peek(1)
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 't':
		c = '\t'
	case 'n':
		c = '\n'
	case 'f':
		c = '\f'
	case 'r':
		c = '\r'
	case 'u':
		code, n := d.codepoint()
		if n == 0 {
			return b, "invalid unicode escape code"
		}
		d.at += n
		return appendCodepoint(b, code), ""
	default:
		return b, "invalid escape code"
	}
	d.at += 2
	return append(b, c), ""
}

// codepoint reads \uXXXX, or two of them that are a surrogate pair, and says how long that was, 0 if it is wrong.
func (d *jsonDecoder) codepoint() (code, n int) {
	code = d.hex4(2)
	if code&0xf800 != 0xd800 {
		if code < 0 {
			return 0, 0
		}
		return code, 6
	}
	if code&0x400 != 0 || d.peek(6) != '\\' || d.peek(7) != 'u' {
		return 0, 0
	}
	low := d.hex4(8)
	if low < 0 || low&0xfc00 != 0xdc00 {
		return 0, 0
	}
	return (code&0x3ff)<<10 + low&0x3ff + 0x10000, 12
}

// hex4 reads four hexadecimal digits so far ahead, and is -1 if there are none.
func (d *jsonDecoder) hex4(ahead int) int {
	code := 0
	for i := range 4 {
		v := digitValue(d.peek(ahead + i))
		if v >= 16 {
			return -1
		}
		code = code<<4 | int(v)
	}
	return code
}

// appendCodepoint appends UTF-8.
func appendCodepoint(b []byte, code int) []byte {
	switch {
	case code < 0x80:
		return append(b, byte(code))
	case code < 0x800:
		return append(b, 0xc0|byte(code>>6), 0x80|byte(code&0x3f))
	case code < 0x10000:
		return append(b, 0xe0|byte(code>>12), 0x80|byte(code>>6&0x3f), 0x80|byte(code&0x3f))
	}
	return append(b, 0xf0|byte(code>>18), 0x80|byte(code>>12&0x3f), 0x80|byte(code>>6&0x3f), 0x80|byte(code&0x3f))
}

// value reads the value that begins with a token. The stack is as deep as it would be in C, whose limit is ours.
func (d *jsonDecoder) value(t jsonToken, stack int) lua.LValue {
	switch t.kind {
	case jsonString:
		return lua.LString(t.text)
	case jsonNumber:
		return lua.LNumber(t.number)
	case jsonBoolean:
		return lua.LBool(t.number == 1)
	case jsonNull:
		return d.null
	case jsonObjectBegin:
		return d.object(stack)
	case jsonArrayBegin:
		return d.array(stack)
	}
	d.unexpected("value", t)
	return nil
}

// descend enters an array or object, for which there must be so much room on the stack.
func (d *jsonDecoder) descend(stack int) {
	d.depth++
	if d.depth > d.decodeDepth || stack > maxStack {
		raisef(d.L, "Found too many nested data structures (%d) at character %d", d.depth, d.at)
	}
}

// ascend takes the members of an array or object that ends.
func (d *jsonDecoder) ascend(start int) {
	d.depth--
	clear(d.members[start:])
	d.members = d.members[:start]
}

func (d *jsonDecoder) object(stack int) lua.LValue {
	d.descend(stack + 3)
	start := len(d.members)
	t := d.next()
	for first := true; t.kind != jsonObjectEnd || !first; first = false {
		if t.kind != jsonString {
			d.unexpected("object key string", t)
		}
		name := t.text
		if t = d.next(); t.kind != jsonColon {
			d.unexpected("colon", t)
		}
		v := d.value(d.next(), stack+2)
		d.members = append(d.members, jsonMember{name, v})
		if t = d.next(); t.kind == jsonObjectEnd {
			break
		}
		if t.kind != jsonComma {
			d.unexpected("comma or object end", t)
		}
		t = d.next()
	}
	members := d.members[start:]
	countTable(d.meter, 0, len(members))
	object := d.L.CreateTable(0, len(members))
	for _, m := range members {
		object.RawSetString(m.name, m.value)
	}
	d.ascend(start)
	return object
}

func (d *jsonDecoder) array(stack int) lua.LValue {
	d.descend(stack + 2)
	start := len(d.members)
	t := d.next()
	for first := true; t.kind != jsonArrayEnd || !first; first = false {
		v := d.value(t, stack+1)
		d.members = append(d.members, jsonMember{value: v})
		if t = d.next(); t.kind == jsonArrayEnd {
			break
		}
		if t.kind != jsonComma {
			d.unexpected("comma or array end", t)
		}
		t = d.next()
	}
	members := d.members[start:]
	countTable(d.meter, len(members), 0)
	array := d.L.CreateTable(len(members), 0)
	for _, m := range members {
		array.Append(m.value)
	}
	d.ascend(start)
	return array
}
