package lua

import (
	"errors"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// callLibrary calls a function of a library. An error of Lua's gives no results; a panic of Go's fails the test.
func callLibrary(t *testing.T, L *lua.LState, library, function string, args ...lua.LValue) ([]lua.LValue, bool) {
	table, ok := L.GetGlobal(library).(*lua.LTable)
	if !ok {
		t.Fatalf("there is no %s", library)
	}
	top := L.GetTop()
	L.Push(table.RawGetString(function))
	for _, a := range args {
		L.Push(a)
	}
	if err := L.PCall(len(args), lua.MultRet, nil); err != nil {
		var e *lua.ApiError
		if !errors.As(err, &e) || e.Type != lua.ApiErrorRun {
			t.Fatalf("%s.%s%q: %v", library, function, args, err)
		}
		return nil, false
	}
	var results []lua.LValue
	for i := top + 1; i <= L.GetTop(); i++ {
		results = append(results, L.Get(i))
	}
	L.SetTop(top)
	return results, true
}

// goldenStrings are the strings in the questions of a file that contain a word: what they ask is a start for chance.
func goldenStrings(f *testing.F, path, word string) []string {
	L := newLibraries(f)
	all, _ := readGolden(f, path)
	var found []string
	for _, g := range all {
		_, rest, ok := strings.Cut(g.ask, word+"(")
		if !ok || rest == "" || rest[0] != '"' && rest[0] != '\'' {
			continue
		}
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 || strings.HasSuffix(rest[:end+1], `\`) {
			continue
		}
		if err := L.DoString("text = " + rest[:end+2]); err != nil {
			f.Fatal(err)
		}
		found = append(found, L.GetGlobal("text").String())
	}
	if len(found) == 0 {
		f.Fatalf("%s has no %s", path, word)
	}
	return found
}

// FuzzCjson decodes what comes; what is encoded again must come back the same.
func FuzzCjson(f *testing.F) {
	for _, s := range goldenStrings(f, "testdata/libraries/cjson.txt", "cjson.decode") {
		f.Add(s)
	}
	L := newLibraries(f)
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := callLibrary(t, L, "cjson", "decode", lua.LString(s))
		if !ok {
			return
		}
		once, ok := callLibrary(t, L, "cjson", "encode", v...)
		if !ok {
			return
		}
		v, ok = callLibrary(t, L, "cjson", "decode", once...)
		if !ok {
			t.Fatalf("%q was encoded as %q and that is not decoded", s, once)
		}
		if twice, _ := callLibrary(t, L, "cjson", "encode", v...); len(twice) != 1 || twice[0] != once[0] {
			t.Fatalf("%q was encoded as %q and then as %q", s, once, twice)
		}
	})
}

// FuzzCmsgpack unpacks what comes; what is packed again must come back the same.
func FuzzCmsgpack(f *testing.F) {
	for _, s := range goldenStrings(f, "testdata/libraries/cmsgpack.txt", "cmsgpack.unpack") {
		f.Add(s)
	}
	L := newLibraries(f)
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := callLibrary(t, L, "cmsgpack", "unpack", lua.LString(s))
		if !ok || len(v) == 0 {
			return
		}
		once, ok := callLibrary(t, L, "cmsgpack", "pack", v...)
		if !ok {
			t.Fatalf("%q is unpacked and not packed again", s)
		}
		v, ok = callLibrary(t, L, "cmsgpack", "unpack", once...)
		if !ok {
			t.Fatalf("%q was packed as %q and that is not unpacked", s, once)
		}
		if twice, _ := callLibrary(t, L, "cmsgpack", "pack", v...); len(twice) != 1 || twice[0] != once[0] {
			t.Fatalf("%q was packed as %q and then as %q", s, once, twice)
		}
		callLibrary(t, L, "cmsgpack", "unpack_limit", lua.LString(s), lua.LNumber(len(s)%3), lua.LNumber(len(s)/2))
	})
}

// FuzzStruct reads by any format: what it gives may be anything but more than there was.
func FuzzStruct(f *testing.F) {
	for _, s := range goldenStrings(f, "testdata/libraries/struct.txt", "struct.unpack") {
		f.Add(s, "\x03hello\x00world, a string of some length")
	}
	L := newLibraries(f)
	f.Fuzz(func(t *testing.T, format, data string) {
		callLibrary(t, L, "struct", "size", lua.LString(format))
		callLibrary(t, L, "struct", "pack", lua.LString(format), lua.LString(data), lua.LNumber(len(data)), lua.LNumber(-1), lua.LString(data))
		values, ok := callLibrary(t, L, "struct", "unpack", lua.LString(format), lua.LString(data))
		if !ok {
			return
		}
		if next, ok := values[len(values)-1].(lua.LNumber); !ok || int(next) < 1 || int(next) > len(data)+1 {
			t.Fatalf("%q on %q goes on at %v", format, data, values[len(values)-1])
		}
	})
}

// FuzzFormat formats by any format.
func FuzzFormat(f *testing.F) {
	for _, s := range goldenStrings(f, "testdata/libraries/format.txt", "string.format") {
		f.Add(s, 1.5, "text")
	}
	L := newLibraries(f)
	f.Fuzz(func(t *testing.T, format string, number float64, text string) {
		callLibrary(t, L, "string", "format", lua.LString(format), lua.LNumber(number), lua.LString(text), lua.LString(numberString(number)))
	})
}

// FuzzReadNumber reads numbers; what is written of one reads as that again.
func FuzzReadNumber(f *testing.F) {
	for _, s := range goldenStrings(f, "testdata/libraries/number.txt", "tonumber") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := readNumber(s)
		if !ok {
			return
		}
		once := numberString(n)
		again, ok := readNumber(" " + once + "\n")
		if !ok || numberString(again) != once {
			t.Fatalf("%q is %s, and that is %s", s, once, numberString(again))
		}
		if scanned, n := scanNumber(s); n > len(s) {
			t.Fatalf("%q has %v in its first %d bytes", s, scanned, n)
		}
	})
}
