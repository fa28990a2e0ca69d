// The table string, but for patterns and format.

package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func (s *state) stringFunctions() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"byte":    stringByte,
		"char":    stringChar,
		"dump":    stringDump,
		"find":    func(L *lua.LState) int { return s.find(L, true) },
		"format":  stringFormat,
		"gfind":   s.gmatch,
		"gmatch":  s.gmatch,
		"gsub":    s.gsub,
		"len":     stringLen,
		"lower":   func(L *lua.LState) int { return s.mapBytes(L, 'A', 'Z') },
		"match":   func(L *lua.LState) int { return s.find(L, false) },
		"rep":     s.stringRep,
		"reverse": s.stringReverse,
		"sub":     stringSub,
		"upper":   func(L *lua.LState) int { return s.mapBytes(L, 'a', 'z') },
	}
}

// bound turns a position counted from the end, if it is negative, into one from the start.
func bound(i, length int) int {
	if i < 0 {
		i += length + 1
	}
	return max(i, 0)
}

func stringByte(L *lua.LState) int {
	text := stringArg(L, 1)
	from := bound(optInteger(L, 2, 1), len(text))
	to := bound(optInteger(L, 3, from), len(text))
	from, to = max(from, 1), min(to, len(text))
	if from > to {
		return 0
	}
	if to-from+1+L.GetTop() > maxStack {
		raise(L, "stack overflow (string slice too long)")
	}
	for i := from; i <= to; i++ {
		L.Push(lua.LNumber(text[i-1]))
	}
	return to - from + 1
}

func stringChar(L *lua.LState) int {
	b := make([]byte, L.GetTop())
	for i := range b {
		c := checkInt(L, i+1)
		if c < 0 || c > 255 {
			argError(L, i+1, "invalid value")
		}
		b[i] = byte(c)
	}
	L.Push(lua.LString(b))
	return 1
}

// stringDump gives what looks like compiled code and, as in Redis, cannot be loaded.
func stringDump(L *lua.LState) int {
	if checkFunction(L, 1).IsG {
		raise(L, "unable to dump given function")
	}
	L.Push(lua.LString("\x1bLuaQ"))
	return 1
}

func stringLen(L *lua.LState) int {
	L.Push(lua.LNumber(len(stringArg(L, 1))))
	return 1
}

// mapBytes changes the case of the letters in a range, in ASCII only.
func (s *state) mapBytes(L *lua.LState, from, to byte) int {
	text := stringArg(L, 1)
	s.grow(L, len(text), len(text))
	b := []byte(text)
	for i, c := range b {
		if from <= c && c <= to {
			b[i] = c ^ 0x20
		}
	}
	L.Push(lua.LString(b))
	return 1
}

func (s *state) stringRep(L *lua.LState) int {
	text := stringArg(L, 1)
	n := checkInt(L, 2)
	if n <= 0 || text == "" {
		L.Push(lua.LString(""))
		return 1
	}
	if n > maxString/len(text) {
		raise(L, "resulting string too large")
	}
	s.grow(L, n*len(text), n*len(text))
	s.meter.spend(n * len(text) / 1024)
	L.Push(lua.LString(strings.Repeat(text, n)))
	return 1
}

func (s *state) stringReverse(L *lua.LState) int {
	text := stringArg(L, 1)
	s.grow(L, len(text), len(text))
	b := make([]byte, len(text))
	for i := range len(text) {
		b[len(text)-1-i] = text[i]
	}
	L.Push(lua.LString(b))
	return 1
}

func stringSub(L *lua.LState) int {
	text := stringArg(L, 1)
	from := bound(checkInteger(L, 2), len(text))
	to := bound(optInteger(L, 3, -1), len(text))
	from, to = max(from, 1), min(to, len(text))
	if from > to {
		L.Push(lua.LString(""))
		return 1
	}
	L.Push(lua.LString(text[from-1 : to]))
	return 1
}
