package lua

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"github.com/redbud-go/redbud/internal/resp"
)

// ending is a Host that wants scripts to end after some checks.
type ending struct {
	fake
	after int
}

func (e *ending) Check() error {
	if e.after--; e.after < 0 {
		return errors.New("Script killed by user with SCRIPT KILL...")
	}
	return nil
}

func TestScriptIsKilledWhateverItDoes(t *testing.T) {
	m := New(Options{})
	for _, source := range []string{
		"while true do end",
		"local function f() return f() end return f()",
		"while true do pcall(function() while true do end end) end",
		"while true do xpcall(function() while true do end end, function() while true do end end) end",
		"local function f() pcall(f) return f() end f()",
		"while true do pcall(string.rep) end",
		"while true do local co = coroutine.create(function() while true do end end) coroutine.resume(co) end",
		"while true do pcall(coroutine.wrap(function() while true do end end)) end",
		"while true do local f = coroutine.wrap(function() while true do coroutine.yield() end end) while true do f() end end",
		"string.gsub(string.rep('x', 1000), '.', function() while true do end end)",
		"table.sort({3,2,1}, function() while true do end end)",
		"return setmetatable({}, {__index = function() while true do end end}).x",
		"return tostring(setmetatable({}, {__tostring = function() while true do end end}))",
		"return setmetatable({}, {__concat = function() while true do end end}) .. 'x'",
		"for k in function() return 1 end do end",
		"return string.find(string.rep('a', 50000), string.rep('a*', 50000) .. 'b')",
		"return string.find(string.rep('a', 300000), '.-.-.-b')",
		"return string.match(string.rep('(', 200000), '%b()')",
		"return string.gsub(string.rep('a', 100000), '(a*)*b', '')",
		"repeat until false",
		"while true do loadstring('return 1')() end",
		"while true do local t = {} for i = 1, 100 do t[i] = {} end end",
		"while true do cjson.decode('[]') end",
	} {
		got := eval(t, m, &ending{after: 20}, source)
		if !strings.HasPrefix(got, "-ERR Script killed by user with SCRIPT KILL... script: SHA, on @user_script:1.") {
			t.Errorf("%s\n got %.200q", source, got)
		}
	}
}

func TestLongStringsAreRefused(t *testing.T) {
	m := New(Options{})
	for _, c := range []struct{ source, want string }{
		{"return #string.rep('x', 2^31 - 1)", "resulting string too large"},
		{"return #string.rep(string.rep('x', 1000), 2^30)", "resulting string too large"},
		{"local s = string.rep('x', 300 * 2^20) return #(s .. s)", "string length overflow"},
	} {
		if got := eval(t, m, &fake{}, c.source); !strings.Contains(got, c.want) {
			t.Errorf("%s\n got %.200q, want %q", c.source, got, c.want)
		}
	}
}

func TestRecursionWithoutEndIsAnError(t *testing.T) {
	m := New(Options{})
	for _, source := range []string{
		"local function f() return 1 + f() end return f()",
		"local function f(...) return f(1, ...) + 1 end return f()",
		"local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k + 1] end return t[1]",
		"local t = setmetatable({}, {}) getmetatable(t).__add = function(a, b) return a + b end return t + 1",
		"local t = setmetatable({}, {}) getmetatable(t).__concat = function(a, b) return a .. b end return t .. 1",
		"local t = setmetatable({}, {}) getmetatable(t).__call = function(self) return self() + 1 end return t()",
		"local t = setmetatable({}, {}) getmetatable(t).__tostring = function(t) return tostring(t) .. 'x' end return tostring(t)",
		"local function f() return (string.gsub('x', 'x', f)) end return f()",
		"local function f(a, b) table.sort({1, 2, 3}, f) return false end table.sort({1, 2, 3}, f)",
		"local function f() local a, b = pcall(f) if not a then error(b, 0) end return b end f()",
		"local function f() return coroutine.wrap(f)() end return f()",
		"local function g(n) if n > 1000 then return coroutine.wrap(function() return g(0) end)() end return 1 + g(n + 1) end return g(0)",
		"local t t = setmetatable({}, {__index = function(_, k) return coroutine.wrap(function() return t[k] end)() end}) return t.x",
		"local function f() return load(f)() end return f()",
		"local function f() local t = {} table.foreach({1}, f) end f()",
	} {
		got := eval(t, m, &fake{}, source)
		if !strings.Contains(got, "stack overflow") {
			t.Errorf("%s\n got %.300q", source, got)
		}
		if got := eval(t, m, &fake{}, "return 'well'"); got != "$4\r\nwell" {
			t.Errorf("after it: %q", got)
		}
	}
}

func TestScriptsLeaveNothingBehind(t *testing.T) {
	m := New(Options{})
	for _, c := range []struct{ source, want string }{
		{"KEYS.x = 1 ARGV[9] = 1 return #ARGV", ":9"},
		{"return {KEYS.x or 0, ARGV[9] or 0}", "*2\r\n:0\r\n:0"},
		{"redis.setresp(3) return redis.error_reply('x y')", "-x y"},
		{"return true", ":1"},
		{"return false", "$-1"},
		{"local mt = getmetatable('') return pcall(function() mt.__index = {} end) and 1 or 0", ":0"},
		{"return ('x'):upper()", "$1\r\nX"},
		{"return pcall(rawset, getmetatable(''), '__index', {}) and 1 or 0", ":0"},
		{"return pcall(setmetatable, string, {}) and 1 or 0", ":0"},
		{"return pcall(table.insert, table, 1) and 1 or 0", ":0"},
	} {
		if got := eval(t, m, &fake{}, c.source); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.source, got, c.want)
		}
	}
}

func TestStatesForgetScripts(t *testing.T) {
	m := New(Options{})
	w := &resp.Writer{}
	for i := range 3 * maxFunctions {
		s, err := m.Compile([]byte("return " + strings.Repeat("1 + ", i%50) + "1 -- " + strings.Repeat("x", i)))
		if err != nil {
			t.Fatal(err)
		}
		w.Truncate(0)
		m.Eval(s, &Run{Host: &fake{}, W: w})
	}
	if n := len(m.idle); n != 1 {
		t.Fatalf("%d states", n)
	}
	if n := len(m.idle[0].functions); n > maxFunctions {
		t.Errorf("a state keeps %d scripts", n)
	}
}

// The fields that are read behind gopher-lua's back are where and what they are taken for.
func TestFieldsOfGopherLua(t *testing.T) {
	state := reflect.TypeFor[lua.LState]()
	reg := fieldType(state, "reg")
	for _, c := range []struct {
		of   reflect.Type
		name string
		want string
	}{
		{state, "hasErrorFunc", "bool"},
		{state, "uvcache", "*lua.Upvalue"},
		{state, "reg", "*lua.registry"},
		{state, "currentFrame", "*lua.callFrame"},
		{reg.Elem(), "top", "int"},
		{reg.Elem(), "array", "[]lua.LValue"},
		{reflect.TypeFor[lua.Upvalue](), "next", "*lua.Upvalue"},
		{reflect.TypeFor[lua.Upvalue](), "index", "int"},
	} {
		if got := fieldType(c.of, c.name); got == nil || got.String() != c.want {
			t.Errorf("%v.%s is %v, want %s", c.of, c.name, got, c.want)
		}
	}
	theirs, ours := fieldType(state, "currentFrame").Elem(), reflect.TypeFor[callFrame]()
	for i := range ours.NumField() {
		a, b := theirs.Field(i), ours.Field(i)
		if a.Name != b.Name || a.Offset != b.Offset || a.Type.Kind() != b.Type.Kind() && b.Type.Kind() != reflect.UnsafePointer {
			t.Errorf("field %d is %v at %d, not %v at %d", i, a.Name, a.Offset, b.Name, b.Offset)
		}
	}
}
