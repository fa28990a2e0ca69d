// Arguments of the functions that scripts call, checked in Lua's words.

package lua

import (

	lua "github.com/yuin/gopher-lua"
)

// checkInt is numberArg, cut to an integer as C does it.
func checkInt(L *lua.LState, n int) int {
	return int(truncate(numberArg(L, n)))
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
