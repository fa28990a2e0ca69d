//go:build !race

// The race detector keeps several bytes for each that is allocated, so that these take minutes with it.

package lua

import (
	"runtime"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

func TestAllocatedMemoryIsBounded(t *testing.T) {
	m := New(Options{Memory: 48 << 20})
	for _, source := range []string{
		"local s = 'x' while true do s = s .. s end",
		"local s = 'x' while true do pcall(function() s = s .. s end) end",
		"local t = {} while true do t[#t + 1] = string.rep('x', 1000) end",
		"local t = {} for i = 1, 1e9 do t[i] = i end",
		"local t = {} for i = 1, 1e9 do t['k' .. i] = i end",
		"local t = {} for i = 1, 1e9 do t = {t} end",
		"local t = {} t[60000000] = 1",
		"local t = {} for i = 1, 1e9 do t[i] = {} t[i][4000000] = 1 end",
		"local t = {} rawset(t, 60000000, 1)",
		"local t = {} table.insert(t, 60000000, 1)",
		"local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) end",
		"local t = {} for i = 1, 1e9 do t[i] = function() return i end end",
		"local t = {} for i = 1, 1e9 do t[i] = string.rep('x', 10000000) .. i end",
		"return string.rep('x', 400000000)",
		"return string.rep(string.rep('x', 10000), 30000)",
		"return string.gsub(string.rep('x', 1000000), 'x', string.rep('y', 1000))",
		"local t = {} for i = 1, 1000000 do t[i] = 'xxxxxxxxxx' end return #table.concat(t, string.rep('y', 500))",
		"local t = {} while true do t[#t + 1] = cjson.decode('[[[[[[[1]]]]]]]') end",
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		got := eval(t, m, &fake{}, source)
		runtime.ReadMemStats(&after)
		if !strings.HasPrefix(got, "-ERR not enough memory script: SHA, on @user_script:1.") {
			t.Errorf("%s\n got %.200q", source, got)
		}
		if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 600<<20 {
			t.Errorf("%s: the heap has grown by %d MB", source, grown>>20)
		}
	}
}

func TestReplyOfATableInItselfAllocatesNoMoreThanItMay(t *testing.T) {
	m := New(Options{})
	if got := eval(t, m, &fake{}, "local t = {} t[1] = t return t"); strings.Count(got, "*1\r\n") != 7995 || !strings.HasSuffix(got, "-ERR reached lua stack limit") {
		t.Errorf("%d levels, end %.100q", strings.Count(got, "*1\r\n"), got[max(0, len(got)-100):])
	}
	if got := eval(t, m, &fake{}, "local t = {} t[1], t[2] = t, t return t"); got != "-ERR not enough memory" {
		t.Errorf("%.100q", got)
	}
}

func TestStringsThatAreTooLongAreNotAllocated(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some hundred megabytes")
	}
	L := newLibraries(t)
	L.SetGlobal("s", lua.LString(strings.Repeat("x", maxString/2)))
	for _, ask := range []string{
		"cjson.encode({s, s})",
		"cmsgpack.pack(s, s)",
		`struct.pack("ss", s, s)`,
		`string.format("%s%s%d", s, s, 1)`,
		"cjson.encode_sparse_array(true, 0) return cjson.encode({[2^31 - 1] = 1})",
	} {
		expect(t, L, ask, `error "not enough memory"`)
	}
}
