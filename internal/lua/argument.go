// The arguments of library functions, checked as Lua's C library does, with its words: gopher-lua's own checks know
// other numbers, other names of functions and other places.

package lua

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// maxStack are the values that a C function of Lua 5.1 may have on its stack.
const maxStack = 8000

// raisef is raise with a format.
func raisef(L *lua.LState, format string, args ...any) {
	raise(L, fmt.Sprintf(format, args...))
}

// raisePlain raises an error that names no place.
func raisePlain(L *lua.LState, text string) { L.Error(lua.LString(text), 0) }

// argError raises that the n-th argument is wrong. In s:format(…) the arguments are counted without s.
func argError(L *lua.LState, n int, text string) {
	name := "?"
	if f, ok := frameAt(L, 1); ok && !f.fn.IsG {
		kind, called := calledName(f)
		if called != "" {
			name = called
		}
		if kind == "method" {
			if n--; n == 0 {
				raisef(L, "calling '%s' on bad self (%s)", name, text)
			}
		}
	}
	raisef(L, "bad argument #%d to '%s' (%s)", n, name, text)
}

func argErrorf(L *lua.LState, n int, format string, args ...any) {
	argError(L, n, fmt.Sprintf(format, args...))
}

// wrongType raises that the n-th argument is of another type than it should be.
func wrongType(L *lua.LState, n int, want string) {
	got := "no value"
	if n <= L.GetTop() {
		got = L.Get(n).Type().String()
	}
	argError(L, n, want+" expected, got "+got)
}

// asNumber is the number that a value is or, being a string, can be turned into.
func asNumber(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		return readNumber(string(v))
	}
	return 0, false
}

// numberArg returns argument n as a number; a string of one is one.
func numberArg(L *lua.LState, n int) float64 {
	f, ok := asNumber(L.Get(n))
	if !ok {
		wrongType(L, n, "number")
	}
	return f
}

// stringArg returns argument n as a string; a number is one.
func stringArg(L *lua.LState, n int) string {
	switch v := L.Get(n).(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return numberString(float64(v))
	}
	wrongType(L, n, "string")
	return ""
}

// checkInt returns argument n as a C int: cut to an integer, and to its lower 32 bits.
func checkInt(L *lua.LState, n int) int {
	return int(int32(truncate(numberArg(L, n))))
}

// checkInteger is checkInt for 64 bits.
func checkInteger(L *lua.LState, n int) int {
	return int(truncate(numberArg(L, n)))
}

// optInteger is checkInteger with a default for nil and nothing.
func optInteger(L *lua.LState, n, otherwise int) int {
	if L.Get(n) == lua.LNil {
		return otherwise
	}
	return checkInteger(L, n)
}

// optInt is checkInt with a default for nil and nothing.
func optInt(L *lua.LState, n, otherwise int) int {
	if L.Get(n) == lua.LNil {
		return otherwise
	}
	return checkInt(L, n)
}

// checkTable returns argument n, a table.
func checkTable(L *lua.LState, n int) *lua.LTable {
	t, ok := L.Get(n).(*lua.LTable)
	if !ok {
		wrongType(L, n, "table")
	}
	return t
}

// checkFunction returns argument n, a function.
func checkFunction(L *lua.LState, n int) *lua.LFunction {
	fn, ok := L.Get(n).(*lua.LFunction)
	if !ok {
		wrongType(L, n, "function")
	}
	return fn
}

// checkAny fails if there is no argument n.
func checkAny(L *lua.LState, n int) lua.LValue {
	if n > L.GetTop() {
		argError(L, n, "value expected")
	}
	return L.Get(n)
}
