// cjson.encode.

package lua

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

func (s *jsonSettings) encode(L *lua.LState) int {
	if L.GetTop() != 1 {
		argError(L, 1, "expected 1 argument")
	}
	e := jsonEncoder{jsonSettings: s, L: L, out: s.out[:0]}
	e.value(L.Get(1), 0, 1)
	if cap(e.out) <= keptBuffer {
		s.out = e.out
	}
	return pushMade(L, e.out)
}

type jsonEncoder struct {
	*jsonSettings
	L   *lua.LState
	out []byte
}

func (e *jsonEncoder) refuse(v lua.LValue, reason string) {
	raisef(e.L, "Cannot serialise %s: %s", v.Type().String(), reason)
}

// value appends a value that is in so many tables. The stack is as deep as it would be in C, whose limit is ours.
func (e *jsonEncoder) value(v lua.LValue, depth int32, stack int) {
	switch v := v.(type) {
	case lua.LString:
		e.text(string(v))
	case lua.LNumber:
		e.number(v)
	case lua.LBool:
		if v {
			e.out = append(e.out, "true"...)
		} else {
			e.out = append(e.out, "false"...)
		}
	case *lua.LTable:
		checkMade(e.L, e.out, 0)
		depth++
		if depth > e.encodeDepth || stack+3 > maxStack {
			raisef(e.L, "Cannot serialise, excessive nesting (%d)", depth)
		}
		if n := e.arrayLength(v); n > 0 {
			e.array(v, n, depth, stack)
		} else {
			e.object(v, depth, stack)
		}
	default:
		if v != lua.LNil && !isNull(v) {
			e.refuse(v, "type not supported")
		}
		e.out = append(e.out, "null"...)
	}
}

// arrayLength is the highest index of a table that has nothing but indexes, and for all others 0 or less. The count is
// an int in C, and what does not fit is the lowest of them.
func (e *jsonEncoder) arrayLength(t *lua.LTable) int32 {
	n := t.MaxN()
	var items, highest int32
	for i := 1; i <= n; i++ {
		if t.RawGetInt(i) != lua.LNil {
			items++
		}
	}
	highest = int32(n)
	for k, _ := nextAfterList(t, n); k != lua.LNil; k, _ = t.Next(k) {
		f, ok := k.(lua.LNumber)
		if !ok || f < 1 || math.Floor(float64(f)) != float64(f) {
			return -1
		}
		if float64(f) > float64(highest) {
			highest = truncInt32(float64(f))
		}
		items++
	}
	if e.sparseRatio > 0 && highest > items*e.sparseRatio && highest > e.sparseSafe {
		if !e.sparseConvert {
			e.refuse(t, "excessively sparse array")
		}
		return -1
	}
	return highest
}

func (e *jsonEncoder) array(t *lua.LTable, n, depth int32, stack int) {
	// An element takes two bytes or more.
	if n > maxString/2 {
		raiseMemory(e.L)
	}
	e.out = append(e.out, '[')
	for i := int32(1); ; i++ {
		v := t.RawGetInt(int(i))
		if int(i) >= lua.MaxArrayIndex {
			v = t.RawGet(lua.LNumber(i))
		}
		e.value(v, depth, stack+1)
		checkMade(e.L, e.out, 0)
		if i == n {
			break
		}
		e.out = append(e.out, ',')
	}
	e.out = append(e.out, ']')
}

func (e *jsonEncoder) object(t *lua.LTable, depth int32, stack int) {
	e.out = append(e.out, '{')
	start := len(e.out)
	eachPair(t, func(k, v lua.LValue) {
		if len(e.out) > start {
			e.out = append(e.out, ',')
		}
		switch k := k.(type) {
		case lua.LNumber:
			e.out = append(e.out, '"')
			e.number(k)
			e.out = append(e.out, '"')
		case lua.LString:
			e.text(string(k))
		default:
			e.refuse(k, "table key must be a number or string")
		}
		e.out = append(e.out, ':')
		e.value(v, depth, stack+2)
	})
	e.out = append(e.out, '}')
}

func (e *jsonEncoder) number(v lua.LNumber) {
	f := float64(v)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		switch {
		case e.encodeInvalid == 0:
			e.refuse(v, "must not be NaN or Inf")
		case e.encodeInvalid == 2:
			e.out = append(e.out, "null"...)
			return
		case math.IsNaN(f):
			e.out = append(e.out, "nan"...)
			return
		}
	}
	checkMade(e.L, e.out, 0)
	e.out = appendNumber(e.out, f, int(e.precision))
}

// text appends a string. Nothing is made of bytes that are not ASCII; / and DEL are escaped though JSON does not ask it.
func (e *jsonEncoder) text(s string) {
	checkMade(e.L, e.out, len(s))
	out := append(e.out, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c != '/' && c != 0x7f {
			continue
		}
		out = append(out, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\', '/':
			out = append(out, '\\', c)
		case '\b':
			out = append(out, `\b`...)
		case '\t':
			out = append(out, `\t`...)
		case '\n':
			out = append(out, `\n`...)
		case '\f':
			out = append(out, `\f`...)
		case '\r':
			out = append(out, `\r`...)
		default:
			const hex = "0123456789abcdef"
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	out = append(out, s[start:]...)
	e.out = append(out, '"')
}
