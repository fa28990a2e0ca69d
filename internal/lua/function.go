// Libraries of functions: what FUNCTION LOAD makes of code and FCALL runs. All of a Machine's libraries share a state, as in Redis; what
// their code keeps in local variables lasts as long as the library.

package lua

import (
	"bytes"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/redbud-go/redbud/internal/resp"
)

// Library is what FUNCTION LOAD makes of its code. Its functions share a state of their own, in which one runs at a time; the Machine sees to that.
type Library struct {
	Name      string
	Source    []byte
	Functions []Function // in the order of registration
}

// Function is one that a library has registered.
type Function struct {
	Name, Description string
	Flags             Flags

	body *lua.LFunction
}

// loading is a library whose code runs.
type loading struct {
	library *Library
	host    Host
}

const nameWords = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"

// LibraryName reads the name off the first line of a library's source. An error's text is the whole error reply.
func LibraryName(source []byte) (string, error) {
	name, _, err := readMetadata(source)
	return name, err
}

// readMetadata reads a library's first line and returns its length, too.
func readMetadata(source []byte) (name string, n int, err error) {
	if !bytes.HasPrefix(source, []byte("#!")) {
		return "", 0, replyError("ERR Missing library metadata")
	}
	n = bytes.IndexByte(source, '\n')
	if n < 0 {
		return "", 0, replyError("ERR Invalid library metadata")
	}
	words, ok := resp.SplitWords(source[:n])
	if !ok || len(words) == 0 {
		return "", 0, replyError("ERR Invalid library metadata")
	}
	named := false
	for _, word := range words[1:] {
		if len(word) < 5 || !strings.EqualFold(string(word[:5]), "name=") {
			return "", 0, replyError("ERR Invalid metadata value given: " + string(word))
		}
		if named {
			return "", 0, replyError("ERR Invalid metadata value, name argument was given multiple times")
		}
		name, named = string(word[5:]), true
	}
	switch {
	case !named:
		return "", 0, replyError("ERR Library name was not given")
	case !validName(name):
		return "", 0, replyError("ERR " + nameWords)
	case !strings.EqualFold(string(words[0][2:]), "lua"):
		return "", 0, replyError("ERR Engine '" + string(words[0][2:]) + "' not found")
	}
	return name, n, nil
}

// validName reports whether a library or function can be called so.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return name != ""
}

// Load runs a library's code once (host gets Log and Check only; redis.call is refused there with Redis's words). An error's text is the
// whole error reply. It keeps a copy of source.
func (m *Machine) Load(source []byte, host Host) (*Library, error) {
	name, n, err := readMetadata(source)
	if err != nil {
		return nil, err
	}
	library := &Library{Name: name, Source: bytes.Clone(source)}
	code, err := compile(string(source[n:]), "user_function")
	if err != nil {
		return nil, replyError("ERR Error compiling function: " + err.Error())
	}
	m.functionsMu.Lock()
	defer m.functionsMu.Unlock()
	if m.functions == nil {
		m.functions = newState(m, true)
	}
	if err := m.functions.loadLibrary(library, code, host); err != nil {
		return nil, err
	}
	if len(library.Functions) == 0 {
		return nil, replyError("ERR No functions registered")
	}
	return library, nil
}

// Call runs a function and writes its one reply.
func (m *Machine) Call(f *Function, r *Run) {
	m.functionsMu.Lock()
	defer m.functionsMu.Unlock()
	s := m.functions
	s.begin(r, f.Name)
	s.L.Push(s.list(r.Keys))
	s.L.Push(s.list(r.Args))
	s.call(f.body, 2)
}

// loadLibrary runs the code of a library, which registers functions.
func (s *state) loadLibrary(library *Library, code *chunk, host Host) error {
	L := s.L
	s.begin(&Run{Host: host}, library.Name)
	s.load = &loading{library: library, host: host}
	s.envMeta.RawSetString("__index", s.loadEnv)
	defer func() {
		s.envMeta.RawSetString("__index", s.globals)
		s.load, s.run = nil, nil
	}()
	L.Push(s.instantiate(L, code))
	value, ok := s.try(L, 0, nil, false)
	L.SetTop(0)
	if s.meter.panic != nil {
		panic(s.meter.panic)
	}
	if ok {
		return nil
	}
	text := "(null)"
	switch v := value.(type) {
	case lua.LString, lua.LNumber:
		text = "ERR " + s.toString(v)
	case *lua.LTable:
		if e, ok := s.stringField(v, "err"); ok {
			text = e
		}
	}
	return replyError("ERR Error registering functions: " + cString(text))
}

// openLoading makes what a library's code sees while it is loaded: redis, with little in it.
func (s *state) openLoading() {
	L := s.L
	redis := L.CreateTable(0, 16)
	redis.RawSetString("register_function", L.NewFunction(s.register))
	s.addLog(redis)
	redis.Metatable = s.missing
	s.loadEnv = L.CreateTable(0, 1)
	s.loadEnv.RawSetString("redis", s.protect(redis))
	s.loadEnv.Metatable = s.missing
}

// register is redis.register_function.
func (s *state) register(L *lua.LState) int {
	if s.load == nil {
		return fail(L, "redis.register_function can only be called on FUNCTION LOAD command")
	}
	var f Function
	var refusal string
	switch L.GetTop() {
	case 1:
		refusal = s.namedArguments(L, &f)
	case 2:
		refusal = s.positionalArguments(L, &f)
	default:
		refusal = "wrong number of arguments to redis.register_function"
	}
	if refusal != "" {
		return fail(L, refusal)
	}
	if !validName(f.Name) {
		return fail(L, nameWords)
	}
	for _, other := range s.load.library.Functions {
		if other.Name == f.Name {
			return fail(L, "Function already exists in the library")
		}
	}
	s.load.library.Functions = append(s.load.library.Functions, f)
	return 0
}

// positionalArguments reads a name and a function; the result says what is wrong.
func (s *state) positionalArguments(L *lua.LState, f *Function) string {
	if !isStringOrNumber(L.Get(1)) {
		return "first argument to redis.register_function must be a string"
	}
	f.Name = s.toString(L.Get(1))
	body, ok := L.Get(2).(*lua.LFunction)
	if !ok {
		return "second argument to redis.register_function must be a function"
	}
	f.body = body
	return ""
}

// namedArguments reads a table; the result says what is wrong.
func (s *state) namedArguments(L *lua.LState, f *Function) (refusal string) {
	t, ok := L.Get(1).(*lua.LTable)
	if !ok {
		return "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments)."
	}
	named := false
	t.ForEach(func(k, v lua.LValue) {
		if refusal != "" {
			return
		}
		if !isStringOrNumber(k) {
			refusal = "named argument key given to redis.register_function is not a string"
			return
		}
		switch key := strings.ToLower(s.toString(k)); key {
		case "function_name", "description":
			if !isStringOrNumber(v) {
				refusal = key + " argument given to redis.register_function must be a string"
				return
			}
			if key == "description" {
				f.Description = s.toString(v)
				return
			}
			f.Name, named = s.toString(v), true
		case "callback":
			if f.body, ok = v.(*lua.LFunction); !ok {
				refusal = "callback argument given to redis.register_function must be a function"
			}
		case "flags":
			refusal = s.readFlags(v, f)
		default:
			refusal = "unknown argument given to redis.register_function"
		}
	})
	switch {
	case refusal != "":
	case !named:
		refusal = "redis.register_function must get a function name argument"
	case f.body == nil:
		refusal = "redis.register_function must get a callback argument"
	}
	return refusal
}

// readFlags reads a list of flags; the result says what is wrong.
func (s *state) readFlags(v lua.LValue, f *Function) string {
	list, ok := v.(*lua.LTable)
	if !ok {
		return "flags argument to redis.register_function must be a table representing function flags"
	}
	for i := 1; ; i++ {
		item := list.RawGetInt(i)
		if item == lua.LNil {
			return ""
		}
		if !isStringOrNumber(item) {
			return "unknown flag given"
		}
		flag, ok := flagNamed(strings.ToLower(s.toString(item)))
		if !ok {
			return "unknown flag given"
		}
		f.Flags |= flag
	}
}
