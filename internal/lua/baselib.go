// The functions without a table: pcall, pairs, tostring and so on, as in Lua 5.1.

package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/redbud-go/redbud/internal/heap"
)

func (s *state) openBase() {
	for name, fn := range map[string]lua.LGFunction{
		"assert":         s.baseAssert,
		"collectgarbage": s.collectGarbage,
		"error":          s.baseError,
		"gcinfo":         func(L *lua.LState) int { L.Push(lua.LNumber(heap.Size() / 1024)); return 1 },
		"getmetatable":   s.getmetatable,
		"load":           s.load51,
		"loadstring":     s.loadstring,
		"next":           s.next,
		"pcall":          s.pcall,
		"rawequal":       s.rawequal,
		"rawget":         s.rawget,
		"rawset":         s.rawset,
		"select":         s.baseSelect,
		"setmetatable":   s.setmetatable,
		"tonumber":       baseTonumber,
		"tostring":       baseTostring,
		"type":           s.baseType,
		"unpack":         s.unpack,
		"xpcall":         s.xpcall,
	} {
		s.globals.RawSetString(name, s.L.NewFunction(fn))
	}
	nextPair := s.L.NewFunction(s.next)
	s.globals.RawSetString("next", nextPair)
	s.globals.RawSetString("pairs", s.L.NewFunction(func(L *lua.LState) int {
		t := checkTable(L, 1)
		L.Push(nextPair)
		L.Push(t)
		L.Push(lua.LNil)
		return 3
	}))
	step := s.L.NewFunction(ipairsStep)
	s.globals.RawSetString("ipairs", s.L.NewFunction(func(L *lua.LState) int {
		t := checkTable(L, 1)
		L.Push(step)
		L.Push(t)
		L.Push(lua.LNumber(0))
		return 3
	}))
	s.globals.RawSetString("_VERSION", lua.LString("Lua 5.1"))
}

func ipairsStep(L *lua.LState) int {
	t := checkTable(L, 1)
	i := checkInt(L, 2) + 1
	v := t.RawGet(lua.LNumber(i))
	if v == lua.LNil {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(lua.LNumber(i))
	L.Push(v)
	return 2
}

func (s *state) baseAssert(L *lua.LState) int {
	if lua.LVIsFalse(checkAny(L, 1)) {
		text := "assertion failed!"
		if L.Get(2) != lua.LNil {
			text = stringArg(L, 2)
		}
		raise(L, text)
	}
	return L.GetTop()
}

func (s *state) baseError(L *lua.LState) int {
	level := optInt(L, 2, 1)
	v := L.Get(1)
	if isStringOrNumber(v) && level > 0 {
		v = lua.LString(position(L, level) + s.toString(v))
	}
	L.Error(v, 0)
	return 0
}

func isStringOrNumber(v lua.LValue) bool {
	return v.Type() == lua.LTString || v.Type() == lua.LTNumber
}

// try calls the function that lies on the stack below nargs arguments, and leaves its results there, or returns the error's value. With
// rethrow, what ends a script is not caught.
func (s *state) try(L *lua.LState, nargs int, handler lua.LValue, rethrow bool) (value lua.LValue, ok bool) {
	base := registerTop(L) - nargs - 1
	if fn := L.Get(-nargs - 1); fn.Type() != lua.LTFunction && metaField(L, fn, "__call").Type() != lua.LTFunction {
		return lua.LString("attempt to call a " + fn.Type().String() + " value"), false
	}
	before := hasErrorFunc(L)
	failed := false
	onError := L.NewFunction(func(L *lua.LState) int {
		s.meter.suspect(L.Get(1))
		value := translate(L, 1, L.Get(1))
		if handler != nil && s.meter.ended == nil {
			failed = true
			L.Push(handler)
			L.Push(value)
			L.Call(1, 1)
			value = L.Get(-1)
			failed = false
		}
		closeUpvalues(L, base)
		L.Push(value)
		return 1
	})
	err := L.PCall(nargs, lua.MultRet, onError)
	setHasErrorFunc(L, before)
	if rethrow {
		s.meter.again()
	}
	if err == nil {
		return nil, true
	}
	if failed {
		closeUpvalues(L, base)
		return lua.LString("error in error handling"), false
	}
	value = lua.LNil
	if e, is := err.(*lua.ApiError); is {
		value = e.Object
	}
	return value, false
}

func (s *state) pcall(L *lua.LState) int {
	if L.GetTop() == 0 {
		return 0
	}
	L.Insert(lua.LTrue, 1)
	value, ok := s.try(L, L.GetTop()-2, nil, true)
	if ok {
		return L.GetTop()
	}
	// A table with an error in it comes out as the error's text, as in the days when errors of commands were texts.
	if t, is := value.(*lua.LTable); is {
		if text := L.GetField(t, "err"); isStringOrNumber(text) {
			value = text
		}
	}
	L.SetTop(0)
	L.Push(lua.LFalse)
	L.Push(value)
	return 2
}

func (s *state) xpcall(L *lua.LState) int {
	checkAny(L, 2)
	handler := L.Get(2)
	L.SetTop(1)
	L.Insert(lua.LTrue, 1)
	value, ok := s.try(L, 0, handler, true)
	if ok {
		return L.GetTop()
	}
	L.SetTop(0)
	L.Push(lua.LFalse)
	L.Push(value)
	return 2
}

func (s *state) collectGarbage(L *lua.LState) int {
	option := "collect"
	if L.Get(1) != lua.LNil {
		option = stringArg(L, 1)
	}
	optInt(L, 2, 0)
	switch option {
	case "count":
		L.Push(lua.LNumber(float64(heap.Size()) / 1024))
	case "step":
		L.Push(lua.LTrue)
	case "stop", "restart", "collect":
		L.Push(lua.LNumber(0))
	case "setpause", "setstepmul":
		L.Push(lua.LNumber(200))
	default:
		argError(L, 1, "invalid option '"+option+"'")
	}
	return 1
}

func (s *state) getmetatable(L *lua.LState) int {
	v := checkAny(L, 1)
	if v.Type() == lua.LTString {
		L.Push(s.stringMeta)
		return 1
	}
	if t, ok := v.(*lua.LTable); ok {
		if _, ok := s.readonly[t]; ok {
			L.Push(s.metatableOf(t))
			return 1
		}
	}
	L.Push(L.GetMetatable(v))
	return 1
}

// metatableOf is the metatable that a protected table has for scripts: that of the global variables, or none.
func (s *state) metatableOf(t *lua.LTable) lua.LValue {
	if t != s.env {
		return lua.LNil
	}
	meta, ok := s.globals.Metatable.(*lua.LTable)
	if !ok {
		return lua.LNil
	}
	return s.protect(meta)
}

func (s *state) setmetatable(L *lua.LState) int {
	t := checkTable(L, 1)
	meta := L.Get(2)
	if L.GetTop() < 2 || meta != lua.LNil && meta.Type() != lua.LTTable {
		argError(L, 2, "nil or table expected")
	}
	if old, ok := t.Metatable.(*lua.LTable); ok && old.RawGetString("__metatable") != lua.LNil {
		raise(L, "cannot change a protected metatable")
	}
	s.writable(L, t)
	t.Metatable = meta
	L.SetTop(1)
	return 1
}

func (s *state) load51(L *lua.LState) int {
	fn := checkFunction(L, 1)
	name := "=(load)"
	if L.Get(2) != lua.LNil {
		name = stringArg(L, 2)
	}
	var b strings.Builder
	for {
		L.Push(fn)
		L.Call(0, 1)
		piece := L.Get(-1)
		L.Pop(1)
		if piece == lua.LNil {
			break
		}
		if !isStringOrNumber(piece) {
			L.Push(lua.LNil)
			L.Push(lua.LString(position(L, 1) + "reader function must return a string"))
			return 2
		}
		text := s.toString(piece)
		if text == "" {
			break
		}
		s.grow(L, b.Len()+len(text), len(text))
		b.WriteString(text)
	}
	return s.loaded(L, b.String(), name)
}

func (s *state) loadstring(L *lua.LState) int {
	source := stringArg(L, 1)
	name := source
	if L.Get(2) != lua.LNil {
		name = stringArg(L, 2)
	}
	return s.loaded(L, source, name)
}

// loaded compiles source and pushes the function, or nil and the error.
func (s *state) loaded(L *lua.LState, source, name string) int {
	s.meter.spend(len(source) / 8)
	c, err := compile(source, chunkName(name))
	if err != nil {
		L.Push(lua.LNil)
		L.Push(lua.LString(err.Error()))
		return 2
	}
	if len(s.sources) < maxFunctions {
		s.sources[chunkName(name)] = name
	}
	L.Push(s.instantiate(L, c))
	return 1
}

// chunkName is how messages name source: after = or @ literally, else by its first line.
func chunkName(name string) string {
	const size = 60
	name = cString(name)
	if name == "" {
		return `[string ""]`
	}
	switch name[0] {
	case '=':
		return name[1:min(len(name), size)]
	case '@':
		if rest := name[1:]; len(rest) > size-8 {
			return "..." + rest[len(rest)-(size-8):]
		}
		return name[1:]
	}
	line := name
	if i := strings.IndexAny(name, "\r\n"); i >= 0 {
		line = name[:i]
	}
	const room = size - len(`[string "..."]`) - 1
	if len(line) > room {
		line = line[:room]
	}
	if len(line) < len(name) {
		return `[string "` + line + `..."]`
	}
	return `[string "` + line + `"]`
}

func (s *state) next(L *lua.LState) int {
	t := s.real(checkTable(L, 1))
	k, v := t.Next(L.Get(2))
	L.Push(k)
	if k == lua.LNil {
		return 1
	}
	L.Push(v)
	return 2
}

func (s *state) rawequal(L *lua.LState) int {
	L.Push(lua.LBool(L.RawEqual(checkAny(L, 1), checkAny(L, 2))))
	return 1
}

func (s *state) rawget(L *lua.LState) int {
	t := s.real(checkTable(L, 1))
	L.Push(t.RawGet(checkAny(L, 2)))
	return 1
}

func (s *state) rawset(L *lua.LState) int {
	t := checkTable(L, 1)
	k := checkAny(L, 2)
	v := checkAny(L, 3)
	s.writable(L, t)
	checkKey(L, k)
	if n, ok := k.(lua.LNumber); ok {
		s.meter.fill(t, float64(n))
	}
	t.RawSet(k, v)
	L.SetTop(1)
	return 1
}

// checkKey fails for what cannot be a key.
func checkKey(L *lua.LState, k lua.LValue) {
	if k == lua.LNil {
		L.Error(lua.LString("table index is nil"), 0)
	}
	if n, ok := k.(lua.LNumber); ok && n != n {
		L.Error(lua.LString("table index is NaN"), 0)
	}
}

func (s *state) baseSelect(L *lua.LState) int {
	n := L.GetTop()
	if text, ok := L.Get(1).(lua.LString); ok && strings.HasPrefix(string(text), "#") {
		L.Push(lua.LNumber(n - 1))
		return 1
	}
	i := checkInt(L, 1)
	if i < 0 {
		i = n + i
	} else if i > n {
		i = n
	}
	if i < 1 {
		argError(L, 1, "index out of range")
	}
	return n - i
}

// metaField is a field of a value's metatable, or nil.
func metaField(L *lua.LState, v lua.LValue, name string) lua.LValue {
	var meta lua.LValue
	switch v := v.(type) {
	case *lua.LTable:
		meta = v.Metatable
	case *lua.LUserData:
		meta = v.Metatable
	}
	if t, ok := meta.(*lua.LTable); ok {
		return t.RawGetString(name)
	}
	return lua.LNil
}

func (s *state) baseType(L *lua.LState) int {
	L.Push(lua.LString(checkAny(L, 1).Type().String()))
	return 1
}

func (s *state) unpack(L *lua.LState) int {
	t := s.real(checkTable(L, 1))
	i := optInt(L, 2, 1)
	j := t.Len()
	if L.Get(3) != lua.LNil {
		j = checkInt(L, 3)
	}
	if i > j {
		return 0
	}
	if n := j - i + 1; n <= 0 || n+L.GetTop() > maxStack {
		raise(L, "too many results to unpack")
	}
	for k := i; k <= j; k++ {
		L.Push(t.RawGet(lua.LNumber(k)))
	}
	return j - i + 1
}

// concatenate is `..`.
func (s *state) concatenate(L *lua.LState) int {
	n := L.GetTop()
	size, simple := 0, true
	for i := 1; i <= n; i++ {
		switch v := L.Get(i).(type) {
		case lua.LString:
			size += len(v)
		case lua.LNumber:
			size += 24
		default:
			simple = false
		}
	}
	if simple {
		s.grow(L, size, size)
		var b strings.Builder
		b.Grow(size)
		for i := 1; i <= n; i++ {
			b.WriteString(s.toString(L.Get(i)))
		}
		L.Push(lua.LString(b.String()))
		return 1
	}
	right := L.Get(n)
	for i := n - 1; i >= 1; i-- {
		left := L.Get(i)
		if isStringOrNumber(left) && isStringOrNumber(right) {
			a, b := s.toString(left), s.toString(right)
			s.grow(L, len(a)+len(b), len(a)+len(b))
			right = lua.LString(a + b)
			continue
		}
		fn := metaField(L, left, "__concat")
		if fn == lua.LNil {
			fn = metaField(L, right, "__concat")
		}
		if fn == lua.LNil {
			s.cannotConcatenate(L, i, left, right)
		}
		L.Push(fn)
		L.Push(left)
		L.Push(right)
		L.Call(2, 1)
		right = L.Get(-1)
		L.Pop(1)
	}
	L.Push(right)
	return 1
}

// numericBound makes a number of a bound of a loop that is a string of one.
func numericBound(L *lua.LState) int {
	if f, ok := asNumber(L.Get(1)); ok {
		L.Push(lua.LNumber(f))
	}
	return 1
}

// cannotConcatenate blames operand i, or else the one behind it.
func (s *state) cannotConcatenate(L *lua.LState, i int, left, right lua.LValue) {
	bad := left
	if isStringOrNumber(left) {
		bad, i = right, i+1
	}
	f, ok := frameAt(L, 1)
	words := "attempt to concatenate a " + bad.Type().String() + " value"
	if ok && !f.fn.IsG {
		_, a, _, _ := decode(f.fn.Proto.Code[f.pc])
		if kind, name := objectName(f.fn, a+i, f.pc); kind != "" {
			words = "attempt to concatenate " + kind + " '" + name + "' (a " + bad.Type().String() + " value)"
		}
	}
	raise(L, words)
}

// grow announces that a string of n bytes is made, of which made are new, and fails if it gets too long.
func (s *state) grow(L *lua.LState, n, made int) {
	if n > maxString || n < 0 {
		raise(L, "string length overflow")
	}
	s.meter.allocate(made)
}
