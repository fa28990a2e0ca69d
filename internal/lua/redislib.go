// The table redis (also named server): what scripts reach the server by.

package lua

import (
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// redisTable makes the table that scripts see.
func (s *state) redisTable() *lua.LTable {
	t := s.L.CreateTable(0, 32)
	for name, fn := range map[string]lua.LGFunction{
		"call":          func(L *lua.LState) int { return s.command(L, true) },
		"pcall":         func(L *lua.LState) int { return s.command(L, false) },
		"sha1hex":       s.sha1hex,
		"error_reply":   s.errorReply,
		"status_reply":  s.statusReply,
		"setresp":       s.setResp,
		"set_repl":      s.setRepl,
		"acl_check_cmd": s.aclCheck,
	} {
		t.RawSetString(name, s.L.NewFunction(fn))
	}
	for name, n := range map[string]int{"REPL_NONE": 0, "REPL_AOF": 1, "REPL_SLAVE": 2, "REPL_REPLICA": 2, "REPL_ALL": 3} {
		t.RawSetString(name, lua.LNumber(n))
	}
	if !s.library {
		t.RawSetString("breakpoint", s.L.NewFunction(func(L *lua.LState) int { L.Push(lua.LFalse); return 1 }))
		t.RawSetString("debug", s.L.NewFunction(func(*lua.LState) int { return 0 }))
		t.RawSetString("replicate_commands", s.L.NewFunction(func(L *lua.LState) int { L.Push(lua.LTrue); return 1 }))
	}
	s.addLog(t)
	return t
}

// addLog adds what is there while a library is loaded, too: redis.log, its levels, and the version.
func (s *state) addLog(t *lua.LTable) {
	t.RawSetString("log", s.L.NewFunction(s.log))
	for name, n := range map[string]int{"LOG_DEBUG": 0, "LOG_VERBOSE": 1, "LOG_NOTICE": 2, "LOG_WARNING": 3} {
		t.RawSetString(name, lua.LNumber(n))
	}
	version := s.machine.options.Version
	t.RawSetString("REDIS_VERSION", lua.LString(version))
	t.RawSetString("REDIS_VERSION_NUM", lua.LNumber(versionNumber(version)))
}

// versionNumber is 0x00MMmmpp of a version.
func versionNumber(version string) (n int) {
	parts := strings.SplitN(version, ".", 3)
	for i := range 3 {
		part := 0
		if i < len(parts) {
			part, _ = strconv.Atoi(parts[i])
		}
		n = n<<8 | part&0xff
	}
	return n
}

// fail raises a table with an error.
func fail(L *lua.LState, text string) int {
	L.Error(errorTable(L, text), 0)
	return 0
}

// command is redis.call and redis.pcall.
func (s *state) command(L *lua.LState, raises bool) int {
	if s.run == nil || s.load != nil {
		return fail(L, "redis.call/pcall can only be called inside a script invocation")
	}
	if L.GetTop() == 0 {
		return s.refuse(L, "Please specify at least one argument for this redis lib call", raises)
	}
	words, ok := s.arguments(L, 1)
	if !ok {
		return s.refuse(L, "Lua redis lib command arguments must be strings or integers", raises)
	}
	answer := s.callHost(words)
	if len(answer) > 0 && answer[0] != '-' && !resultWanted(L) {
		return 0
	}
	v, _ := toLua(L, answer)
	if raises && len(answer) > 0 && answer[0] == '-' {
		L.Error(v, 0)
	}
	L.Push(v)
	return 1
}

// refuse raises or returns an error.
func (s *state) refuse(L *lua.LState, text string, raises bool) int {
	t := errorTable(L, text)
	if raises {
		L.Error(t, 0)
	}
	L.Push(t)
	return 1
}

func (s *state) sha1hex(L *lua.LState) int {
	if L.GetTop() != 1 {
		return fail(L, "wrong number of arguments")
	}
	text := ""
	if v := L.Get(1); v.Type() == lua.LTString || v.Type() == lua.LTNumber {
		text = s.toString(v)
	}
	L.Push(lua.LString(SHA([]byte(text))))
	return 1
}

func (s *state) errorReply(L *lua.LState) int {
	text, ok := L.Get(1).(lua.LString)
	if L.GetTop() != 1 || !ok {
		L.Push(errorTable(L, "wrong number or type of arguments"))
		return 1
	}
	line := cString(string(text))
	if !strings.HasPrefix(line, "-") {
		line = "-" + line
	}
	L.Push(errorTable(L, line))
	return 1
}

func (s *state) statusReply(L *lua.LState) int {
	text, ok := L.Get(1).(lua.LString)
	if L.GetTop() != 1 || !ok {
		L.Push(errorTable(L, "wrong number or type of arguments"))
		return 1
	}
	L.Push(single(L, "ok", text))
	return 1
}

// outside refuses what makes sense within a run only.
func (s *state) outside(L *lua.LState, name string) {
	if s.run == nil || s.load != nil {
		fail(L, name+" can only be called inside a script invocation")
	}
}

// number is what C makes of an argument that should be a number: 0 if it is none.
func (s *state) number(v lua.LValue) int64 {
	switch v := v.(type) {
	case lua.LNumber:
		return truncate(float64(v))
	case lua.LString:
		f, _ := readNumber(string(v))
		return truncate(f)
	}
	return 0
}

func (s *state) setResp(L *lua.LState) int {
	s.outside(L, "redis.setresp")
	if L.GetTop() != 1 {
		return fail(L, "redis.setresp() requires one argument.")
	}
	n := s.number(L.Get(1))
	if n != 2 && n != 3 {
		return fail(L, "RESP version must be 2 or 3.")
	}
	s.proto = int(n)
	return 0
}

func (s *state) setRepl(L *lua.LState) int {
	s.outside(L, "redis.set_repl")
	if L.GetTop() != 1 {
		return fail(L, "redis.set_repl() requires two arguments.")
	}
	if s.number(L.Get(1))&^3 != 0 {
		return fail(L, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
	}
	return 0
}

func (s *state) aclCheck(L *lua.LState) int {
	s.outside(L, "redis.acl_check_cmd")
	if L.GetTop() == 0 {
		return fail(L, "Please specify at least one argument for this redis lib call")
	}
	words, ok := s.arguments(L, 1)
	if !ok {
		return fail(L, "Lua redis lib command arguments must be strings or integers")
	}
	may, err := s.askHost(words)
	if err != nil {
		return fail(L, "Invalid command passed to redis.acl_check_cmd()")
	}
	L.Push(lua.LBool(may))
	return 1
}

func (s *state) log(L *lua.LState) int {
	n := L.GetTop()
	if n < 2 {
		return fail(L, "redis.log() requires two arguments or more.")
	}
	if !isNumber(L.Get(1)) {
		return fail(L, "First argument must be a number (log level).")
	}
	level := s.number(L.Get(1))
	if level < 0 || level > 3 {
		return fail(L, "Invalid debug level.")
	}
	var b strings.Builder
	for i := 2; i <= n; i++ {
		if v := L.Get(i); v.Type() == lua.LTString || v.Type() == lua.LTNumber {
			if i > 2 {
				b.WriteByte(' ')
			}
			b.WriteString(s.toString(v))
		}
	}
	if s.run != nil {
		s.logToHost(int(level), b.String())
	}
	return 0
}

// isNumber reports whether Lua takes a value for a number.
func isNumber(v lua.LValue) bool {
	switch v := v.(type) {
	case lua.LNumber:
		return true
	case lua.LString:
		_, ok := readNumber(string(v))
		return ok
	}
	return false
}
