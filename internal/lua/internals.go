// What gopher-lua does not show: on an error it closes the variables of all functions on the stack, so that a closure and the function
// that it was made in no longer share them even though the error was caught in between. It does not where an error handler is set; then
// nobody closes those of the functions that failed. So a handler is always said to be set, and this closes the right ones.

package lua

import (
	"reflect"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// offsets are where fields lie. A test fails when a version of gopher-lua has them elsewhere or of other types.
var offsets = struct{ hasErrorFunc, uvcache, reg, regTop, regArray, uvNext, uvIndex, currentFrame uintptr }{
	hasErrorFunc: field(reflect.TypeFor[lua.LState](), "hasErrorFunc"),
	uvcache:      field(reflect.TypeFor[lua.LState](), "uvcache"),
	reg:          field(reflect.TypeFor[lua.LState](), "reg"),
	regTop:       field(fieldType(reflect.TypeFor[lua.LState](), "reg").Elem(), "top"),
	regArray:     field(fieldType(reflect.TypeFor[lua.LState](), "reg").Elem(), "array"),
	currentFrame: field(reflect.TypeFor[lua.LState](), "currentFrame"),
	uvNext:       field(reflect.TypeFor[lua.Upvalue](), "next"),
	uvIndex:      field(reflect.TypeFor[lua.Upvalue](), "index"),
}

func field(t reflect.Type, name string) uintptr {
	f, ok := t.FieldByName(name)
	if !ok {
		panic("lua: gopher-lua has no field " + name)
	}
	return f.Offset
}

func fieldType(t reflect.Type, name string) reflect.Type {
	f, _ := t.FieldByName(name)
	return f.Type
}

func hasErrorFunc(L *lua.LState) bool {
	return *(*bool)(unsafe.Add(unsafe.Pointer(L), offsets.hasErrorFunc))
}

func setHasErrorFunc(L *lua.LState, v bool) {
	*(*bool)(unsafe.Add(unsafe.Pointer(L), offsets.hasErrorFunc)) = v
}

// registerTop is how many registers are in use.
func registerTop(L *lua.LState) int {
	reg := *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(L), offsets.reg))
	return *(*int)(unsafe.Add(reg, offsets.regTop))
}

// registers is how many there are, used or not.
func registers(L *lua.LState) int {
	reg := *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(L), offsets.reg))
	return len(*(*[]lua.LValue)(unsafe.Add(reg, offsets.regArray)))
}

// closeUpvalues closes the variables in registers from base upwards.
func closeUpvalues(L *lua.LState, base int) {
	at := (**lua.Upvalue)(unsafe.Add(unsafe.Pointer(L), offsets.uvcache))
	for *at != nil && *(*int)(unsafe.Add(unsafe.Pointer(*at), offsets.uvIndex)) < base {
		at = (**lua.Upvalue)(unsafe.Add(unsafe.Pointer(*at), offsets.uvNext))
	}
	for uv := *at; uv != nil; uv = *(**lua.Upvalue)(unsafe.Add(unsafe.Pointer(uv), offsets.uvNext)) {
		uv.Close()
	}
	*at = nil
}

// callFrame is the start of gopher-lua's own.
type callFrame struct {
	Idx        int
	Fn         *lua.LFunction
	Parent     unsafe.Pointer
	Pc         int
	Base       int
	LocalBase  int
	ReturnBase int
	NArgs      int
	NRet       int
}

// nextInstruction is what a thread runs next. The function at hand must be a Lua function.
func nextInstruction(L *lua.LState) uint32 {
	f := *(**callFrame)(unsafe.Add(unsafe.Pointer(L), offsets.currentFrame))
	return f.Fn.Proto.Code[f.Pc-1]
}

// operandValue is a register or constant of the function at hand.
func operandValue(L *lua.LState, operand int) lua.LValue {
	f := *(**callFrame)(unsafe.Add(unsafe.Pointer(L), offsets.currentFrame))
	if operand&constantBit != 0 {
		return f.Fn.Proto.Constants[operand&^constantBit]
	}
	reg := *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(L), offsets.reg))
	return (*(*[]lua.LValue)(unsafe.Add(reg, offsets.regArray)))[f.LocalBase+operand]
}

// resultWanted reports whether anything comes of what the Go function at hand returns. A call that is a statement wants nothing.
func resultWanted(L *lua.LState) bool {
	f := *(**callFrame)(unsafe.Add(unsafe.Pointer(L), offsets.currentFrame))
	return f.NRet != 0
}
