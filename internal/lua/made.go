// What libraries make is bounded, and counted as work of the script.

package lua

import lua "github.com/yuin/gopher-lua"

// bytesPerStep are the bytes that are as much work as an instruction.
const bytesPerStep = 16

func raiseMemory(L *lua.LState) { raisePlain(L, "not enough memory") }

// checkMade raises an error if a string that has been made so far becomes too long by n bytes more.
func checkMade(L *lua.LState, b []byte, n int) {
	if len(b)+n > maxString {
		raiseMemory(L)
	}
}

// meterOf is what counts the work of a script, to end one that takes too much of it: the context of its state.
func meterOf(L *lua.LState) workMeter {
	switch c := L.Context().(type) {
	case *meter:
		return c
	case *thread:
		return c.meter
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
