// Values between RESP and Lua: what redis.call returns, and what a script's result becomes.

package lua

import (
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/redbud-go/redbud/internal/resp"
)

// maxDepth is how deep a reply may nest tables: as deep as Redis's Lua stack takes.
const maxDepth = 7995

// toLua turns the first reply of b into a value and returns what follows it. The reply comes from a Host, so it is whole.
func toLua(L *lua.LState, b []byte) (lua.LValue, []byte) {
	end := 1
	for end < len(b) && b[end] != '\r' {
		end++
	}
	if end+2 > len(b) {
		return lua.LNil, nil
	}
	line, rest := b[1:end], b[end+2:]
	switch b[0] {
	case ':':
		n, _ := strconv.ParseInt(string(line), 10, 64)
		return lua.LNumber(n), rest
	case '$':
		n := length(line)
		if n < 0 {
			return lua.LFalse, rest
		}
		return lua.LString(rest[:n]), rest[n+2:]
	case '+':
		return single(L, "ok", lua.LString(line)), rest
	case '-', '!':
		text := string(line)
		if b[0] == '!' {
			n := length(line)
			text, rest = string(rest[:n]), rest[n+2:]
		}
		return commandError(L, "-"+text), rest
	case '*', '>':
		n := length(line)
		if n < 0 {
			return lua.LFalse, rest
		}
		t := L.CreateTable(n, 0)
		var v lua.LValue
		for i := range n {
			v, rest = toLua(L, rest)
			t.RawSetInt(i+1, v)
		}
		return t, rest
	case '%':
		inner := L.CreateTable(0, length(line))
		var k, v lua.LValue
		for range length(line) {
			k, rest = toLua(L, rest)
			v, rest = toLua(L, rest)
			if k != lua.LNil {
				inner.RawSet(k, v)
			}
		}
		return single(L, "map", inner), rest
	case '~':
		inner := L.CreateTable(0, length(line))
		var k lua.LValue
		for range length(line) {
			k, rest = toLua(L, rest)
			if k != lua.LNil {
				inner.RawSet(k, lua.LTrue)
			}
		}
		return single(L, "set", inner), rest
	case '|':
		for range 2 * length(line) {
			_, rest = toLua(L, rest)
		}
		return toLua(L, rest)
	case '_':
		return lua.LNil, rest
	case '#':
		return lua.LBool(string(line) == "t"), rest
	case ',':
		f, err := strconv.ParseFloat(string(line), 64)
		if err != nil {
			f = math.NaN()
		}
		return single(L, "double", lua.LNumber(f)), rest
	case '(':
		return single(L, "big_number", lua.LString(line)), rest
	case '=':
		n := length(line)
		inner := L.CreateTable(0, 2)
		inner.RawSetString("format", lua.LString(rest[:3]))
		inner.RawSetString("string", lua.LString(rest[4:n]))
		return single(L, "verbatim_string", inner), rest[n+2:]
	}
	return lua.LNil, rest
}

// length reads the count in a header.
func length(line []byte) int {
	if len(line) == 1 {
		return int(line[0] - '0')
	}
	n, err := strconv.Atoi(string(line))
	if err != nil {
		return -1
	}
	return n
}

// single returns a table of one field.
func single(L *lua.LState, name string, v lua.LValue) *lua.LTable {
	t := L.CreateTable(0, 1)
	t.RawSetString(name, v)
	return t
}

// errorTable is what redis.pcall returns of an error and redis.call raises. A text that starts with a dash has its code already
// ("-WRONGTYPE …"), another gets ERR.
func errorTable(L *lua.LState, text string) *lua.LTable {
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		code, message, found := strings.Cut(rest, " ")
		if !found {
			code, message = "ERR", rest
		}
		text = code + " " + strings.Trim(message, "\r\n")
	} else {
		text = "ERR " + strings.Trim(text, "\r\n")
	}
	return single(L, "err", lua.LString(text))
}

// commandError is errorTable for an error that a command has replied and counted.
func commandError(L *lua.LState, text string) *lua.LTable {
	t := errorTable(L, text)
	t.RawSetString("ignore_error_stats_update", lua.LTrue)
	return t
}

// replier writes what a script returned. A table may hold itself, even twice, so that depth and size have an end.
type replier struct {
	w     *resp.Writer
	proto int // that the script speaks (redis.setresp), which decides how booleans go
	most  int // the length at which it is enough
	over  bool
}

// reply writes a script's result.
func reply(w *resp.Writer, v lua.LValue, proto int) {
	start := w.Len()
	r := replier{w: w, proto: proto, most: start + maxString}
	r.value(v, 0)
	if r.over {
		w.Truncate(start)
		w.Error("ERR " + errMemory.Error())
	}
}

func (r *replier) value(v lua.LValue, depth int) {
	w := r.w
	switch v := v.(type) {
	case lua.LString:
		w.BulkString(string(v))
	case lua.LNumber:
		w.Int(truncate(float64(v)))
	case lua.LBool:
		switch {
		case r.proto == 3:
			w.Bool(bool(v))
		case bool(v):
			w.Int(1)
		default:
			w.Null()
		}
	case *lua.LTable:
		if depth >= maxDepth {
			w.Error("ERR reached lua stack limit")
			return
		}
		if w.Len() > r.most {
			r.over = true
			return
		}
		r.table(v, depth)
	default:
		w.Null()
	}
}

// truncate is C's conversion to long long, on a machine where what does not fit becomes the smallest.
func truncate(f float64) int64 {
	if f > -9223372036854775808 && f < 9223372036854775808 {
		return int64(f)
	}
	return math.MinInt64
}

// spaced makes spaces of line ends, which a status must not hold.
func spaced(s string) string {
	if strings.ContainsAny(s, "\r\n") {
		return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
	}
	return s
}

// cString is what C sees of a string: all up to the first zero byte.
func cString(s string) string {
	if i := strings.IndexByte(s, 0); i >= 0 {
		return s[:i]
	}
	return s
}

// table writes a table: as what its one field says that it is, or else as an array that ends at the first nil.
func (r *replier) table(t *lua.LTable, depth int) {
	w := r.w
	if s, ok := t.RawGetString("err").(lua.LString); ok {
		w.Error(cString(string(s)))
		return
	}
	if s, ok := t.RawGetString("ok").(lua.LString); ok {
		w.Status(spaced(cString(string(s))))
		return
	}
	if f, ok := t.RawGetString("double").(lua.LNumber); ok {
		w.Double(float64(f))
		return
	}
	if s, ok := t.RawGetString("big_number").(lua.LString); ok {
		bigNumber(w, spaced(string(s)))
		return
	}
	if inner, ok := t.RawGetString("verbatim_string").(*lua.LTable); ok {
		format, ok := inner.RawGetString("format").(lua.LString)
		text, isText := inner.RawGetString("string").(lua.LString)
		if ok && isText {
			w.Verbatim((cString(string(format)) + "   ")[:3], string(text))
			return
		}
	}
	if inner, ok := t.RawGetString("map").(*lua.LTable); ok {
		mark, n := w.Len(), 0
		inner.ForEach(func(k, v lua.LValue) {
			if !r.over {
				r.value(k, depth+3)
				r.value(v, depth+3)
				n++
			}
		})
		w.Insert(mark, n, (*resp.Writer).Map)
		return
	}
	if inner, ok := t.RawGetString("set").(*lua.LTable); ok {
		mark, n := w.Len(), 0
		inner.ForEach(func(k, _ lua.LValue) {
			if !r.over {
				r.value(k, depth+3)
				n++
			}
		})
		w.Insert(mark, n, (*resp.Writer).Set)
		return
	}
	n := 0
	for t.RawGetInt(n+1) != lua.LNil {
		n++
	}
	w.Array(n)
	for i := 0; i < n && !r.over; i++ {
		r.value(t.RawGetInt(i+1), depth+1)
	}
}

// bigNumber writes an integer of any size; in RESP2 it is a bulk string.
func bigNumber(w *resp.Writer, digits string) {
	if !w.RESP3() {
		w.BulkString(digits)
		return
	}
	w.Buf = append(w.Buf, '(')
	w.Buf = append(w.Buf, digits...)
	w.Buf = append(w.Buf, '\r', '\n')
}
