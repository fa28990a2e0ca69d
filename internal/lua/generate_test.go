package lua

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// generated are the expressions that chance makes, the same each time, by the file they go into. There is at most one
// name in each object: Redis's order of several is that of Lua's hash table, which ours is not.
func generated() map[string][]string {
	return map[string][]string{
		"bit":      generate(1, 300, (*dice).bitExpression),
		"cjson":    generate(2, 500, (*dice).jsonExpression),
		"cmsgpack": generate(3, 500, (*dice).msgExpression),
		"format":   generate(4, 700, (*dice).formatExpression),
		"number":   generate(5, 700, (*dice).numberExpression),
		"struct":   generate(6, 500, (*dice).structExpression),
	}
}

func generate(seed uint64, n int, expression func(*dice) string) []string {
	d := &dice{rand.New(rand.NewPCG(seed, seed))}
	lines := make([]string, n)
	for i := range lines {
		lines[i] = expression(d)
	}
	return lines
}

type dice struct{ *rand.Rand }

func one[T any](d *dice, of ...T) T { return of[d.IntN(len(of))] }

// literal is how a script writes a number.
func literal(f float64) string {
	switch {
	case math.IsNaN(f):
		return "(0/0)"
	case math.IsInf(f, 1):
		return "(1/0)"
	case math.IsInf(f, -1):
		return "(-1/0)"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// stringLiteral is how a script writes a string.
func stringLiteral(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\%03d`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (d *dice) number() float64 {
	f := 0.0
	switch d.IntN(9) {
	case 0:
		f = float64(d.IntN(300))
	case 1:
		f = float64(d.Int32())
	case 2:
		f = float64(d.Int64())
	case 3:
		f = math.Float64frombits(d.Uint64())
	case 4:
		f = d.Float64()
	case 5:
		f = math.Ldexp(1, d.IntN(70)) + float64(d.IntN(3)-1)
	case 6:
		f = math.Pow10(d.IntN(40)-20) * float64(d.IntN(2000))
	case 7:
		f = float64(d.IntN(1_000_000)) / 1000
	case 8:
		f = one(d, 0, 0.5, 1.5, 2.5, 1e14, 1e15, 1e16, 123456789012345, 99999999999999.5, math.Inf(1), math.MaxFloat64, 5e-324)
	}
	// A NaN has a sign that depends on how it came to be.
	if math.IsNaN(f) {
		f = 1
	}
	if d.IntN(3) == 0 && f != 0 {
		f = -f
	}
	return f
}

func (d *dice) text() string {
	n := one(d, 0, 1, 3, 7, 12, 31, 32, 33)
	b := make([]byte, n)
	for i := range b {
		switch d.IntN(4) {
		case 0:
			b[i] = byte(d.IntN(256))
		case 1:
			b[i] = one(d, byte('"'), '\\', '/', '\n', '\r', '\t', 0, 0x7f, 0xff, '%')
		default:
			b[i] = byte('a' + d.IntN(26))
		}
	}
	return string(b)
}

// value is a literal of any value that can be packed.
func (d *dice) value(depth int) string {
	kinds := 7
	if depth > 3 {
		kinds = 4
	}
	switch d.IntN(kinds) {
	case 0:
		return stringLiteral(d.text())
	case 1:
		return one(d, "true", "false", "cjson.null")
	case 2, 3:
		return literal(d.number())
	case 4, 5:
		elements := make([]string, d.IntN(5))
		for i := range elements {
			elements[i] = d.value(depth + 1)
		}
		return "{" + strings.Join(elements, ",") + "}"
	}
	key := one(d, stringLiteral(d.text()), literal(d.number()), strconv.Itoa(d.IntN(15)))
	return "{[" + key + "]=" + d.value(depth+1) + "}"
}

func (d *dice) numberExpression() string {
	switch d.IntN(6) {
	case 0, 1, 2:
		return "tostring(" + literal(d.number()) + ")"
	case 3:
		return "tonumber(" + stringLiteral(d.numeral()) + ")"
	case 4:
		base := 2 + d.IntN(35)
		s := strconv.FormatUint(d.Uint64()>>d.IntN(64), base)
		if d.IntN(2) == 0 {
			s = strings.ToUpper(s)
		}
		s = one(d, "", " ", "-", "+", "0x", "0", "\t-") + s + one(d, "", "", " ", "z", "\n", ".")
		return fmt.Sprintf("tonumber(%s,%d)", stringLiteral(s), base)
	}
	return "tonumber(tostring(" + literal(d.number()) + "))"
}

// numeral is what a number may look like, or what almost does.
func (d *dice) numeral() string {
	var b strings.Builder
	b.WriteString(one(d, "", "", "", " ", "-", "+", "\t\v-", "--", "+ "))
	b.WriteString(one(d, "", "", "", "0x", "0X", "inf", "nan", "Infinity", "NAN(1)", "."))
	for range d.IntN(4) {
		b.WriteString(one(d, "0", "1", "9", "12", "345", "00", "f", "e", "1e", "E", "p", ".", "5.", ".25", "e5", "E-3", "p2", "P-1", "x", "_", "999999999999999999999"))
	}
	b.WriteString(one(d, "", "", "", " ", "\n", "\x00", "\x00x", "a", " 1"))
	return b.String()
}

func (d *dice) formatExpression() string {
	flags := ""
	for range d.IntN(4) {
		flags += one(d, "-", "+", " ", "#", "0")
	}
	format := "%" + flags + one(d, "", "", "1", "5", "9", "20", "99") + one(d, "", "", "", ".", ".0", ".1", ".3", ".10", ".20", ".99")
	verb := one(d, "d", "i", "u", "c", "x", "X", "o", "e", "E", "f", "g", "G", "s", "q", "a", "F")
	arg := literal(d.number())
	switch {
	case verb == "c":
		arg = strconv.Itoa(d.IntN(300))
	case verb == "q" || verb == "s" && d.IntN(2) == 0:
		arg = stringLiteral(d.text())
	case d.IntN(20) == 0:
		arg = one(d, `"0x10"`, `" 12 "`, `"x"`, "nil", "{}", "true", "-0")
	}
	return fmt.Sprintf("string.format(%s,%s)", stringLiteral("<"+format+verb+">"), arg)
}

func (d *dice) bitExpression() string {
	arg := func() string {
		return one(d, literal(d.number()), strconv.Itoa(d.IntN(70)-5), literal(float64(d.Uint32())+float64(d.IntN(3))/2), literal(float64(d.Int64N(1<<52))))
	}
	args := []string{arg()}
	for range d.IntN(3) {
		args = append(args, arg())
	}
	if len(args) == 1 && d.IntN(4) > 0 {
		args = append(args, strconv.Itoa(d.IntN(40)-3))
	}
	name := one(d, "tobit", "bnot", "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror", "bswap", "tohex")
	return "bit." + name + "(" + strings.Join(args, ",") + ")"
}

func (d *dice) msgExpression() string {
	switch d.IntN(5) {
	case 0, 1:
		return "cmsgpack.pack(" + d.value(0) + ")"
	case 2:
		return "cmsgpack.unpack(cmsgpack.pack(" + d.value(0) + "," + d.value(0) + "))"
	case 3:
		b := make([]byte, 1+d.IntN(12))
		for i := range b {
			b[i] = one(d, byte(d.IntN(256)), byte(0xc0+d.IntN(32)), byte(d.IntN(4)), byte(0x80+d.IntN(32)), 0xa1)
		}
		return "cmsgpack.unpack(" + stringLiteral(string(b)) + ")"
	}
	return fmt.Sprintf("cmsgpack.unpack_limit(cmsgpack.pack(%s,%s,%s),%d,%d)", d.value(2), d.value(2), d.value(2), d.IntN(4), d.IntN(12)-1)
}

func (d *dice) jsonExpression() string {
	switch d.IntN(4) {
	case 0:
		return "cjson.encode(" + d.value(0) + ")"
	case 1:
		return "cjson.decode(cjson.encode(" + d.value(0) + "))"
	}
	text := d.json(0)
	for range d.IntN(3) {
		if len(text) > 0 {
			i := d.IntN(len(text))
			text = text[:i] + one(d, "", "x", ",", "\"", "\\", "]", "}", "0", "-", "\x00", " ", "e", ":", "\\u12", "tru", "nan", "0x") + text[i+d.IntN(2):]
		}
	}
	return "cjson.decode(" + stringLiteral(text) + ")"
}

// json is a text that is JSON, or what lua-cjson takes for it.
func (d *dice) json(depth int) string {
	kinds := 6
	if depth > 3 {
		kinds = 4
	}
	switch d.IntN(kinds) {
	case 0:
		return `"` + one(d, "", "a", `\n\t\r\b\f\/\\\"`, `é€`, `\ud83d\ude00`, `\ud83d`, `\ude00`, `\u00`, `\x`, "\x01\xff", `�￿`) + `"`
	case 1:
		return one(d, "true", "false", "null", "nan", "inf", "-inf", "NaN", "Infinity", "-nan", "nul", "True")
	case 2, 3:
		if d.IntN(3) > 0 {
			return literal(d.number())
		}
		return d.numeral()
	case 4:
		elements := make([]string, d.IntN(4))
		for i := range elements {
			elements[i] = d.json(depth + 1)
		}
		return "[" + strings.Join(elements, one(d, ",", ", ", " ,\n")) + "]"
	}
	return one(d, `{"a":`, `{ "b" : `, `{"":`) + d.json(depth+1) + one(d, "}", " }")
}

func (d *dice) structExpression() string {
	format := ""
	var args []string
	for range 1 + d.IntN(5) {
		option := one(d, "b", "B", "h", "H", "l", "L", "T", "i", "I", "i3", "I5", "i8", "i9", "i16", "I16", "i0", "i33", "f", "d", "x", "s", "c0", "c3", "c", ">", "<", "!", "!4", "!16", "!3", " ", "z", "%")
		format += option
		switch option[0] {
		case 's', 'c':
			args = append(args, stringLiteral(d.text()))
		case 'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I', 'f', 'd':
			args = append(args, literal(d.number()))
		}
	}
	f := stringLiteral(format)
	call := "struct.pack(" + strings.Join(append([]string{f}, args...), ",") + ")"
	switch d.IntN(5) {
	case 0:
		return "struct.size(" + f + ")"
	case 1:
		return "struct.unpack(" + f + "," + call + ")"
	case 2:
		b := make([]byte, d.IntN(40))
		for i := range b {
			b[i] = one(d, byte(d.IntN(256)), 0, 1, 0xff)
		}
		return fmt.Sprintf("struct.unpack(%s,%s,%d)", f, stringLiteral(string(b)), one(d, 1, 1, 1, 2, 5, 0, -1, 100))
	}
	return call
}
