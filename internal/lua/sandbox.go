// The sandbox: the global variables that there are, and the tables that no script can change.

package lua

import (
	lua "github.com/yuin/gopher-lua"
)

// openGlobals fills a new state.
func (s *state) openGlobals() {
	L := s.L
	s.globals = L.CreateTable(0, 64)
	L.Env = s.globals
	s.openHandlers()
	s.concat = L.NewFunction(s.concatenate)
	s.numeric = L.NewFunction(numericBound)
	s.openBase()
	s.cjson = openCjson(L)

	str := s.functionTable(s.stringFunctions())
	for _, lib := range []struct {
		name  string
		table *lua.LTable
	}{
		{"string", str},
		{"table", s.functionTable(s.tableFunctions())},
		{"math", s.mathTable()},
		{"coroutine", s.functionTable(s.coroutineFunctions())},
		{"cjson", s.cjson},
		{"cmsgpack", openCmsgpack(L)},
		{"struct", openStruct(L)},
		{"bit", openBit(L)},
	} {
		s.globals.RawSetString(lib.name, s.protect(lib.table))
	}
	os := L.CreateTable(0, 1)
	os.RawSetString("clock", L.NewFunction(s.clock))
	s.globals.RawSetString("os", s.protect(os))
	if !s.library {
		s.globals.RawSetString("__redis__err__handler", s.onError)
	}
	redis := s.redisTable()
	s.globals.RawSetString("redis", s.protect(redis))

	// Strings have their functions as methods.
	meta := L.CreateTable(0, 1)
	meta.RawSetString("__index", s.globals.RawGetString("string"))
	L.SetMetatable(lua.LString(""), meta)
	s.stringMeta = s.protect(meta)

	s.missing = L.CreateTable(0, 1)
	s.missing.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		if !isStringOrNumber(L.Get(2)) {
			raise(L, "Second argument to luaProtectedTableError must be a string or number")
		}
		raise(L, "Script attempted to access nonexistent global variable '"+s.keyText(L.Get(2))+"'")
		return 0
	}))
	s.globals.Metatable = s.missing
	s.env = s.protect(s.globals)
	s.envMeta = s.env.Metatable.(*lua.LTable)
	s.globals.RawSetString("_G", s.env)
	L.Env = s.env
	if s.library {
		s.openLoading()
	}
}

// keyText is a key as an error names it.
func (s *state) keyText(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		return cString(string(v))
	case lua.LNumber:
		return numberString(float64(v))
	}
	return v.Type().String()
}

// functionTable makes a table of Go functions.
func (s *state) functionTable(functions map[string]lua.LGFunction) *lua.LTable {
	t := s.L.CreateTable(0, len(functions))
	for name, fn := range functions {
		t.RawSetString(name, s.L.NewFunction(fn))
	}
	return t
}

// protect returns what scripts see of a table: an empty table that has the other's fields and takes none. Functions that would look past
// the metatable ask s.real first.
func (s *state) protect(t *lua.LTable) *lua.LTable {
	seen := s.L.CreateTable(0, 0)
	meta := s.L.CreateTable(0, 2)
	meta.RawSetString("__index", t)
	meta.RawSetString("__newindex", s.L.NewFunction(func(L *lua.LState) int {
		raise(L, readonlyWords)
		return 0
	}))
	seen.Metatable = meta
	s.readonly[seen] = t
	return seen
}

const readonlyWords = "Attempt to modify a readonly table"

// real returns the table behind one that scripts cannot change, or the table itself.
func (s *state) real(t *lua.LTable) *lua.LTable {
	if t.Metatable == lua.LNil {
		return t
	}
	if behind, ok := s.readonly[t]; ok {
		return behind
	}
	return t
}

// writable raises if scripts cannot change a table.
func (s *state) writable(L *lua.LState, t *lua.LTable) {
	if t.Metatable == lua.LNil {
		return
	}
	if _, ok := s.readonly[t]; ok {
		L.Error(lua.LString(readonlyWords), 0)
	}
}
