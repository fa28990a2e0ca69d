// The arguments of library functions, checked as Lua's C library does, with its words: gopher-lua's own checks know
// other numbers, other names of functions and other places.

package lua

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

const (
	// maxMade is the longest string that a library makes: no longer can be stored.
	maxMade = 512 << 20
	// maxStack are the values that a C function of Lua 5.1 may have on its stack.
	maxStack = 8000
	// bytesPerStep are the bytes that are as much work as an instruction.
	bytesPerStep = 16
)

// raisef ends the function that runs with an error, which names the place in the script that called it.
func raisef(L *lua.LState, format string, args ...any) {
	raisePlain(L, place(L)+fmt.Sprintf(format, args...))
}

// raisePlain raises an error that names no place.
func raisePlain(L *lua.LState, text string) { L.Error(lua.LString(text), 0) }

func raiseMemory(L *lua.LState) { raisePlain(L, "not enough memory") }

// checkMade raises an error if a string that has been made so far becomes too long by n bytes more.
func checkMade(L *lua.LState, b []byte, n int) {
	if len(b)+n > maxMade {
		raiseMemory(L)
	}
}

// caller is the Lua function that called the one that runs, and the line it did so in. There is none where a library's
// function called it, pcall for one.
func caller(L *lua.LState) (*lua.FunctionProto, int) {
	d, ok := L.GetStack(1)
	if !ok {
		return nil, 0
	}
	f, err := L.GetInfo("fl", d, nil)
	if err != nil {
		return nil, 0
	}
	fn, ok := f.(*lua.LFunction)
	if !ok || fn.IsG {
		return nil, 0
	}
	return fn.Proto, d.CurrentLine
}

// place is the start of an error's text: where in the script it happened.
func place(L *lua.LState) string {
	p, line := caller(L)
	if p == nil || line <= 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", p.SourceName, line)
}

// argError raises that the n-th argument is wrong. In s:format(…) the arguments are counted without s.
func argError(L *lua.LState, n int, text string) {
	name := "?"
	if f, ok := frameAt(L, 1); ok && !f.fn.IsG {
		kind, called := calledName(f)
		if called != "" {
			name = called
		}
		if kind == "method" {
			if n--; n == 0 {
				raisef(L, "calling '%s' on bad self (%s)", name, text)
			}
		}
	}
	raisef(L, "bad argument #%d to '%s' (%s)", n, name, text)
}

func argErrorf(L *lua.LState, n int, format string, args ...any) {
	argError(L, n, fmt.Sprintf(format, args...))
}

// wrongType raises that the n-th argument is of another type than it should be.
func wrongType(L *lua.LState, n int, want string) {
	got := "no value"
	if n <= L.GetTop() {
		got = L.Get(n).Type().String()
	}
	argError(L, n, want+" expected, got "+got)
}

// asNumber is the number that a value is or, being a string, can be turned into.
func asNumber(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		return readNumber(string(v))
	}
	return 0, false
}

// meterOf is what counts the work of a script, to end one that takes too much of it: the context of its state.
func meterOf(L *lua.LState) workMeter {
	if m, ok := L.Context().(workMeter); ok {
		return m
	}
	return noMeter{}
}

type workMeter interface {
	allocate(n int) // announces n bytes
	spend(n int)    // counts as n instructions
}

type noMeter struct{}

func (noMeter) allocate(int) {}
func (noMeter) spend(int)    {}

// pushMade returns a string that a library has made.
func pushMade(L *lua.LState, b []byte) int {
	checkMade(L, b, 0)
	m := meterOf(L)
	m.allocate(len(b))
	m.spend(len(b) / bytesPerStep)
	L.Push(lua.LString(b))
	return 1
}

func numberArg(L *lua.LState, n int) float64 {
	f, ok := asNumber(L.Get(n))
	if !ok {
		wrongType(L, n, "number")
	}
	return f
}

func integerArg(L *lua.LState, n int) int64 { return truncInt64(numberArg(L, n)) }

func optIntegerArg(L *lua.LState, n int, otherwise int64) int64 {
	if L.Get(n) == lua.LNil {
		return otherwise
	}
	return integerArg(L, n)
}

func stringArg(L *lua.LState, n int) string {
	switch v := L.Get(n).(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return numberString(float64(v))
	}
	wrongType(L, n, "string")
	return ""
}
