// cjson: JSON as lua-cjson 2.1.0 reads and writes it, in the form that Redis ships.

package lua

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// null is what the userdata that stands for JSON's null holds. In C it is a pointer to nothing.
type null struct{}

// isNull tells whether v is cjson.null.
func isNull(v lua.LValue) bool {
	u, ok := v.(*lua.LUserData)
	return ok && u.Value == null{}
}

// jsonSettings are what a script may set of cjson, and buffers that serve call after call.
type jsonSettings struct {
	sparseConvert bool
	sparseRatio   int32 // 0 allows any
	sparseSafe    int32
	encodeDepth   int32
	decodeDepth   int32
	encodeInvalid int // of off, on and null
	decodeInvalid int // of off and on
	keepBuffer    int // of off and on; the buffer is ours to keep
	precision     int32

	null    *lua.LUserData
	out     []byte
	members []jsonMember
}

// keptBuffer and keptMembers are how much room stays from one call to the next.
const (
	keptBuffer  = 64 << 10
	keptMembers = 1 << 10
)

func (s *jsonSettings) reset() {
	out, members := s.out, s.members
	if cap(out) > keptBuffer {
		out = nil
	}
	if cap(members) > keptMembers {
		members = nil
	}
	*s = jsonSettings{
		sparseRatio:   2,
		sparseSafe:    10,
		encodeDepth:   1000,
		decodeDepth:   1000,
		decodeInvalid: 1,
		keepBuffer:    1,
		precision:     numberDigits,
		null:          s.null,
		out:           out,
		members:       members,
	}
}

// openCjson makes the table that is cjson in scripts. The members of an object are written in the order in which they
// came into the table; in Redis they come in that of Lua's hash table.
//
// In Redis the settings (encode_max_depth and so on) are kept for ever, for all scripts. Here resetCjson forgets them
// before a state goes from one script to the next: which state a script gets is chance, and so would be its results.
func openCjson(L *lua.LState) *lua.LTable {
	return newCjson(L, &lua.LUserData{Value: null{}, Env: L.Env, Metatable: lua.LNil})
}

// resetCjson sets what openCjson made back to how it was.
func resetCjson(t *lua.LTable) {
	f, ok := t.RawGetString("encode").(*lua.LFunction)
	if !ok || len(f.Upvalues) != 1 {
		return
	}
	if u, ok := f.Upvalues[0].Value().(*lua.LUserData); ok {
		if s, ok := u.Value.(*jsonSettings); ok {
			s.reset()
		}
	}
}

// newCjson makes a table with settings of its own. The null is the same for all that there are in a state.
func newCjson(L *lua.LState, nothing *lua.LUserData) *lua.LTable {
	s := &jsonSettings{null: nothing}
	s.reset()
	t := L.NewTable()
	t.RawSetString("encode", L.NewClosure(s.encode, &lua.LUserData{Value: s, Env: L.Env, Metatable: lua.LNil}))
	for name, f := range map[string]lua.LGFunction{
		"decode":                  s.decode,
		"encode_sparse_array":     s.setSparseArray,
		"encode_max_depth":        s.setting(func(L *lua.LState) { integerSetting(L, 1, &s.encodeDepth, 1, math.MaxInt32) }),
		"decode_max_depth":        s.setting(func(L *lua.LState) { integerSetting(L, 1, &s.decodeDepth, 1, math.MaxInt32) }),
		"encode_number_precision": s.setting(func(L *lua.LState) { integerSetting(L, 1, &s.precision, 1, numberDigits) }),
		"encode_keep_buffer":      s.setting(func(L *lua.LState) { choiceSetting(L, 1, &s.keepBuffer, "off", "on") }),
		"encode_invalid_numbers":  s.setting(func(L *lua.LState) { choiceSetting(L, 1, &s.encodeInvalid, "off", "on", "null") }),
		"decode_invalid_numbers":  s.setting(func(L *lua.LState) { choiceSetting(L, 1, &s.decodeInvalid, "off", "on") }),
		"new": func(L *lua.LState) int {
			L.Push(newCjson(L, nothing))
			return 1
		},
	} {
		t.RawSetString(name, L.NewFunction(f))
	}
	t.RawSetString("null", nothing)
	t.RawSetString("_NAME", lua.LString("cjson"))
	t.RawSetString("_VERSION", lua.LString("2.1.0"))
	return t
}

// setting makes a function of one that takes an argument and pushes a result.
func (s *jsonSettings) setting(set func(L *lua.LState)) lua.LGFunction {
	return func(L *lua.LState) int {
		atMost(L, 1)
		set(L)
		return 1
	}
}

func (s *jsonSettings) setSparseArray(L *lua.LState) int {
	atMost(L, 3)
	convert := 0
	if s.sparseConvert {
		convert = 1
	}
	choiceSetting(L, 1, &convert, "off", "on")
	s.sparseConvert = convert == 1
	integerSetting(L, 2, &s.sparseRatio, 0, math.MaxInt32)
	integerSetting(L, 3, &s.sparseSafe, 0, math.MaxInt32)
	return 3
}

// atMost raises an error if there are more than n arguments, and fills them up with nil.
func atMost(L *lua.LState, n int) {
	if L.GetTop() > n {
		argError(L, n+1, "found too many arguments")
	}
	L.SetTop(n)
}

// integerSetting sets what the n-th argument says, if it says something, and pushes what holds.
func integerSetting(L *lua.LState, n int, setting *int32, low, high int32) {
	if L.Get(n) != lua.LNil {
		v := int32(checkInt(L, n))
		if v < low || v > high {
			// The library names the first argument whichever it is.
			argErrorf(L, 1, "expected integer between %d and %d", low, high)
		}
		*setting = v
	}
	L.Push(lua.LNumber(*setting))
}

// choiceSetting is integerSetting for one of several words, of which the first two are false and true as well.
func choiceSetting(L *lua.LState, n int, setting *int, words ...string) {
	switch v := L.Get(n).(type) {
	case *lua.LNilType:
	case lua.LBool:
		*setting = 0
		if v {
			*setting = 1
		}
	default:
		word := cString(stringArg(L, n))
		i := 0
		for i < len(words) && words[i] != word {
			i++
		}
		if i == len(words) {
			argErrorf(L, n, "invalid option '%s'", word)
		}
		*setting = i
	}
	switch *setting {
	case 0, 1:
		L.Push(lua.LBool(*setting == 1))
	default:
		L.Push(lua.LString(words[*setting]))
	}
}
