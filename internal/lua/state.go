// A state: one sandbox, used by one script at a time.

package lua

import (
	"strconv"

	lua "github.com/yuin/gopher-lua"
)

const (
	// maxFrames is how deep calls may nest, as in Redis's Lua.
	maxFrames = 16000
	// maxRegisters bounds the values that all calls together hold.
	maxRegisters = 1 << 20
	// maxFunctions is how many scripts a state keeps instantiated.
	maxFunctions = 256
)

// state is a Lua state in which scripts run, with what the run at hand needs.
type state struct {
	machine *Machine
	library bool // the functions of libraries live here, not scripts
	L       *lua.LState
	meter   meter

	globals    *lua.LTable                 // where the global variables are
	env        *lua.LTable                 // what scripts see of them
	envMeta    *lua.LTable                 // the metatable of env
	loadEnv    *lua.LTable                 // what a library's code sees instead, while it is loaded
	missing    *lua.LTable                 // a metatable that raises for a field that is not there
	readonly   map[*lua.LTable]*lua.LTable // from what scripts see of a table to the table
	stringMeta *lua.LTable                 // what scripts see of the metatable of strings
	cjson      *lua.LTable
	concat     *lua.LFunction
	numeric    *lua.LFunction
	onError    *lua.LFunction // the handler of a run

	functions map[*chunk]*lua.LFunction // at most maxFunctions
	sources   map[string]string         // what loadstring was told to call source, by what messages call it

	run   *Run   // nil between runs
	name  string // of the script or function that runs
	proto int    // which RESP the script speaks
	rand  rand48
	words [][]byte // of the call at hand
	bytes []byte   // that words point into
	load  *loading // while a library's code runs
}

// newState makes a sandbox, of EVAL or of libraries.
func newState(m *Machine, library bool) *state {
	s := &state{machine: m, library: library, functions: make(map[*chunk]*lua.LFunction), readonly: make(map[*lua.LTable]*lua.LTable), sources: make(map[string]string)}
	s.L = lua.NewState(lua.Options{
		SkipOpenLibs:        true,
		MinimizeStackMemory: true,
		CallStackSize:       maxFrames,
		RegistrySize:        1024,
		RegistryMaxSize:     maxRegisters,
		RegistryGrowStep:    4096,
	})
	s.meter.state = s
	s.L.SetContext(&s.meter)
	s.openGlobals()
	return s
}

// begin prepares for a run. name is what error messages call the script.
func (s *state) begin(r *Run, name string) {
	s.run, s.name, s.proto = r, name, 2
	s.rand = rand48(s.machine.rand.Load())
	if len(s.sources) > 0 {
		clear(s.sources)
	}
	s.meter.reset()
	resetCjson(s.cjson)
}

// setKeysAndArgs sets the two variables of EVAL.
func (s *state) setKeysAndArgs(r *Run) {
	s.globals.RawSetString("KEYS", s.list(r.Keys))
	s.globals.RawSetString("ARGV", s.list(r.Args))
}

// list makes a table of words.
func (s *state) list(words [][]byte) *lua.LTable {
	t := s.L.CreateTable(len(words), 0)
	for _, w := range words {
		t.Append(lua.LString(w))
	}
	return t
}

// function returns a script as a function of this state.
func (s *state) function(script *Script) *lua.LFunction {
	if fn, ok := s.functions[script.code]; ok {
		return fn
	}
	if len(s.functions) >= maxFunctions {
		clear(s.functions)
	}
	fn := s.instantiate(s.L, script.code)
	s.functions[script.code] = fn
	return fn
}

// instantiate makes a function of a chunk. It cannot fail: all that the chunk's own code does is to return a closure.
func (s *state) instantiate(L *lua.LState, c *chunk) *lua.LFunction {
	outer := L.NewFunctionFromProto(c.proto)
	outer.Env = s.env
	L.Push(outer)
	L.Push(s.concat)
	L.Push(s.numeric)
	L.Call(2, 1)
	fn, _ := L.Get(-1).(*lua.LFunction)
	L.Pop(1)
	return fn
}

// call runs a function with the nargs values that lie on the stack, and writes the reply. It reports whether the state can be used again.
// It panics if the host did.
func (s *state) call(fn *lua.LFunction, nargs int) bool {
	L := s.L
	L.Insert(fn, L.GetTop()-nargs+1)
	setHasErrorFunc(L, true)
	err := L.PCall(nargs, 1, s.onError)
	r := s.run
	if err == nil {
		reply(r.W, L.Get(-1), s.proto)
		L.Pop(1)
	} else {
		closeUpvalues(L, 0)
		s.replyError(err)
	}
	s.run = nil
	s.machine.rand.Store(uint64(s.rand))
	if cap(s.bytes) > 1<<16 {
		s.bytes = nil
	}
	if s.meter.panic != nil {
		panic(s.meter.panic)
	}
	return s.meter.ended == nil
}

// replyError writes what a script failed with.
func (s *state) replyError(err error) {
	var value lua.LValue = lua.LNil
	if e, ok := err.(*lua.ApiError); ok {
		value = e.Object
	}
	w := s.run.W
	t, ok := value.(*lua.LTable)
	if !ok {
		text := "execution failure"
		if v := value; v != nil && (v.Type() == lua.LTString || v.Type() == lua.LTNumber) {
			text = cString(s.toString(v))
		}
		w.Error("ERR Error running script " + s.name + ", " + text)
		return
	}
	text := "ERR unknown error"
	if v, ok := s.stringField(t, "err"); ok {
		text = cString(v)
	}
	line, hasLine := s.stringField(t, "line")
	source, hasSource := s.stringField(t, "source")
	if hasLine && hasSource {
		text += " script: " + s.name + ", on " + cString(source) + ":" + cString(line) + "."
	}
	w.Error(text)
}

// stringField returns a field that is a string or a number.
func (s *state) stringField(t *lua.LTable, name string) (string, bool) {
	switch v := t.RawGetString(name).(type) {
	case lua.LString:
		return string(v), true
	case lua.LNumber:
		return numberString(float64(v)), true
	}
	return "", false
}

// toString is what Lua makes of a string or number where it wants a string.
func (s *state) toString(v lua.LValue) string {
	if n, ok := v.(lua.LNumber); ok {
		return numberString(float64(n))
	}
	return string(v.(lua.LString))
}

// arguments puts what lies on the stack from index from into words. ok is false if one of them is no string and no number.
func (s *state) arguments(L *lua.LState, from int) (words [][]byte, ok bool) {
	s.words, s.bytes = s.words[:0], s.bytes[:0]
	n := L.GetTop()
	size := 0
	for i := from; i <= n; i++ {
		switch v := L.Get(i).(type) {
		case lua.LString:
			size += len(v)
		case lua.LNumber:
			size += 32
		default:
			return nil, false
		}
	}
	// The bytes must not move any more once words point into them.
	if cap(s.bytes) < size {
		s.bytes = make([]byte, 0, max(2*size, 256))
	}
	for i := from; i <= n; i++ {
		start := len(s.bytes)
		switch v := L.Get(i).(type) {
		case lua.LString:
			s.bytes = append(s.bytes, v...)
		case lua.LNumber:
			s.bytes = appendArgument(s.bytes, float64(v))
		}
		s.words = append(s.words, s.bytes[start:len(s.bytes):len(s.bytes)])
	}
	return s.words, true
}

// appendArgument appends a number as a command gets it: an integer in plain digits, anything else so that no bit is lost.
func appendArgument(dst []byte, f float64) []byte {
	if f > -4503599627370496 && f < 4503599627370496 && f == float64(int64(f)) {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return appendNumber(dst, f, 17)
}
