package lua

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// expect runs a script's expression and compares the lines it gives.
func expect(t *testing.T, L *lua.LState, ask string, want ...string) {
	t.Helper()
	got := askState(t, L, script(ask))
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\n got: %q\nwant: %q", ask, got, want)
	}
}

func TestCjsonForgetsSettingsWhenReset(t *testing.T) {
	L := newLibraries(t)
	settings := `return cjson.encode_sparse_array(), cjson.encode_max_depth(), cjson.decode_max_depth(), cjson.encode_number_precision(),
		cjson.encode_keep_buffer(), cjson.encode_invalid_numbers(), cjson.decode_invalid_numbers()`
	settings = strings.Join(strings.Fields(settings), " ")
	fresh := askState(t, L, script(settings))
	expect(t, L, `cjson.encode_sparse_array(true, 5, 7), cjson.encode_max_depth(3), cjson.decode_max_depth(4), cjson.encode_number_precision(5),
		cjson.encode_keep_buffer(false), cjson.encode_invalid_numbers("null"), cjson.decode_invalid_numbers(false)`,
		"true", "3", "4", "5", "false", `"null"`, "false")
	expect(t, L, "cjson.encode({[1000] = 1/3})", `"{\x221000\x22:0.33333}"`)
	library, ok := L.GetGlobal("cjson").(*lua.LTable)
	if !ok {
		t.Fatal("there is no cjson")
	}
	resetCjson(library)
	expect(t, L, settings, fresh...)
	expect(t, L, "cjson.encode({1/3})", `"[0.33333333333333]"`)
	expect(t, L, `cjson.decode("[null]")[1] == cjson.null`, "true")
}

func TestResetOfAnotherTableIsHarmless(t *testing.T) {
	L := newLibraries(t)
	resetCjson(L.NewTable())
	library := L.NewTable()
	library.RawSetString("encode", L.NewFunction(baseTostring))
	resetCjson(library)
	library.RawSetString("encode", L.NewClosure(baseTostring, lua.LTrue))
	resetCjson(library)
	if library.RawGetString("encode") == lua.LNil {
		t.Error("encode is gone")
	}
}

func TestKeysOfAMapFarApartDoNotFillMemory(t *testing.T) {
	L := newLibraries(t)
	expect(t, L, `cmsgpack.unpack("\129\206\3\255\255\254\1")`, `error "not enough memory"`)
	expect(t, L, `cmsgpack.unpack("\129\206\0\15\255\255\1")`, "{[1048575]=1}")
	// Two such maps are too much where one is not.
	expect(t, L, `cmsgpack.unpack(string.rep("\129\206\0\143\255\255\1", 2))`, `error "not enough memory"`)
	// What is no index costs nothing.
	expect(t, L, `cmsgpack.unpack("\129\207\0\255\0\0\0\0\0\0\1")`, "{[71776119061217280]=1}")
}

func TestNumbersAreTruncatedAsOnX86(t *testing.T) {
	for _, c := range []struct {
		f   float64
		i64 int64
		u64 uint64
		i32 int32
	}{
		{0, 0, 0, 0},
		{-1.9, -1, math.MaxUint64, -1},
		{2147483647.5, 2147483647, 2147483647, 2147483647},
		{2147483648, 2147483648, 2147483648, math.MinInt32},
		{-2147483648.9, -2147483648, 1<<64 - 2147483648, math.MinInt32},
		{1 << 62, 1 << 62, 1 << 62, math.MinInt32},
		{1 << 63, math.MinInt64, 1 << 63, math.MinInt32},
		{1<<64 - 2048, math.MinInt64, 1<<64 - 2048, math.MinInt32},
		{1 << 64, math.MinInt64, 0, math.MinInt32},
		{-1 << 63, math.MinInt64, 1 << 63, math.MinInt32},
		{-1e300, math.MinInt64, 1 << 63, math.MinInt32},
		{math.Inf(1), math.MinInt64, 0, math.MinInt32},
		{math.Inf(-1), math.MinInt64, 1 << 63, math.MinInt32},
		{math.NaN(), math.MinInt64, 1 << 63, math.MinInt32},
	} {
		if i, u, s := truncate(c.f), truncUint64(c.f), truncInt32(c.f); i != c.i64 || u != c.u64 || s != c.i32 {
			t.Errorf("%v: %d, %d and %d instead of %d, %d and %d", c.f, i, u, s, c.i64, c.u64, c.i32)
		}
	}
}

func TestNumberStringReadsBack(t *testing.T) {
	for _, f := range []float64{0, 1, -1, 0.5, 1e15, 1e-7, 123456.75, math.Inf(1), math.Inf(-1), 1e300} {
		s := numberString(f)
		if got, ok := readNumber(s); !ok || got != f {
			t.Errorf("%v became %q and that %v", f, s, got)
		}
	}
}

func TestDecodingMoreThanMemoryAllowsEndsTheScript(t *testing.T) {
	m := New(Options{Memory: 32 << 20})
	for _, call := range []string{
		`cjson.decode("[" .. string.rep('{"a":[]},', 2^19) .. "0]")`,
		`cmsgpack.unpack("\221\0\8\0\0" .. string.rep("\129\161a\144", 2^19))`,
		`cmsgpack.unpack(string.rep("\129\206\0\63\255\255\1", 4))`,
		`coroutine.wrap(function() return cjson.decode("[" .. string.rep('{"a":[]},', 2^19) .. "0]") end)()`,
	} {
		// What an earlier script left would count as there from the start.
		runtime.GC()
		got := eval(t, m, &fake{}, "local ok, err = pcall(function() return "+call+" end) return 'caught'")
		if !strings.HasPrefix(got, "-ERR not enough memory") {
			t.Errorf("%s: %.200q", call, got)
		}
	}
	if got, want := eval(t, m, &fake{}, `return #cjson.decode("[" .. string.rep('{"a":[]},', 2^9) .. "0]")`), ":513"; got != want {
		t.Errorf("afterwards: %.200q", got)
	}
}

func TestNumbersInSourceMayBeLarge(t *testing.T) {
	m := New(Options{})
	for source, want := range map[string]string{
		"1e400":                "inf",
		"-1e400":               "-inf",
		"0xffffffffffffffff":   "1.844674407371e+19",
		"0x123456789abcdef01":  "2.0988295479421e+19",
		"12345678901234567890": "1.2345678901235e+19",
		"0x10":                 "16",
		"010":                  "10",
		"5e-324":               "4.9406564584125e-324",
		"0.1":                  "0.1",
	} {
		if got := eval(t, m, &fake{}, "return tostring("+source+")"); got != fmt.Sprintf("$%d\r\n%s", len(want), want) {
			t.Errorf("%s is %q instead of %s", source, got, want)
		}
	}
}

// object has ten fields of the kinds that are usual.
const object = `{"id":12345,"name":"A name of some length","email":"someone@example.com","active":true,"score":98.75,` +
	`"tags":["one","two","three"],"address":{"city":"Zürich","zip":8001},"created":1699999999,"note":null,"text":"a \"quoted\" word"}`

func benchmark(b *testing.B, name, argument string) {
	L := lua.NewState()
	defer L.Close()
	library := openCjson(L)
	L.SetGlobal("cjson", library)
	L.SetGlobal("object", lua.LString(object))
	if err := L.DoString(fmt.Sprintf("argument = %s", argument)); err != nil {
		b.Fatal(err)
	}
	f, v := library.RawGetString(name), L.GetGlobal("argument")
	b.ReportAllocs()
	b.SetBytes(int64(len(object)))
	for b.Loop() {
		L.Push(f)
		L.Push(v)
		L.Call(1, 1)
		L.Pop(1)
	}
}

func BenchmarkCjsonEncode(b *testing.B) { benchmark(b, "encode", "cjson.decode(object)") }

func BenchmarkCjsonDecode(b *testing.B) { benchmark(b, "decode", "object") }
