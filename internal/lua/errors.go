// Errors in Lua 5.1's words. gopher-lua raises with words of its own and does not say which variable was nil; what it was is read off the
// code of the function that failed, as Lua does it.

package lua

import (
	"reflect"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// frame is a function on the stack.
type frame struct {
	debug *lua.Debug
	fn    *lua.LFunction
	pc    int // of the instruction it is at; meaningless for Go functions
}

// frameAt returns a function on the stack: 0 is the one that runs, 1 its caller.
func frameAt(L *lua.LState, level int) (frame, bool) {
	debug, ok := L.GetStack(level)
	if !ok {
		return frame{}, false
	}
	v, err := L.GetInfo("f", debug, nil)
	if err != nil {
		return frame{}, false
	}
	fn, ok := v.(*lua.LFunction)
	if !ok {
		return frame{}, false
	}
	pc := reflect.ValueOf(debug).Elem().FieldByName("frame").Elem().FieldByName("Pc").Int()
	return frame{debug, fn, int(pc) - 1}, true
}

// line is where a Lua function is.
func (f frame) line() int {
	if f.fn.IsG || f.pc < 0 || f.pc >= len(f.fn.Proto.DbgSourcePositions) {
		return -1
	}
	return f.fn.Proto.DbgSourcePositions[f.pc]
}

// position is what Lua puts before a message: where the function at a level is, or nothing if it is not a Lua function.
func position(L *lua.LState, level int) string {
	f, ok := frameAt(L, level)
	if !ok || f.fn.IsG {
		return ""
	}
	return f.fn.Proto.SourceName + ":" + strconv.Itoa(f.line()) + ": "
}

// raise fails with a message, after the position of the caller of the Go function that runs.
func raise(L *lua.LState, text string) {
	L.Error(lua.LString(position(L, 1)+text), 0)
}

// onVMError is the words that gopher-lua's own errors start with after the position.
const (
	callWords    = "attempt to call a non-function object"
	indexWords   = "attempt to index a non-table object("
	arithWords   = "cannot perform "
	minusWords   = "__unm undefined"
	lengthWords  = "__len undefined"
	compareWords = "attempt to compare "
	forWords     = "for statement "
)

// translate puts an error that the function at a level raised into Lua's words, if it is one of gopher-lua's.
func translate(L *lua.LState, level int, value lua.LValue) lua.LValue {
	text, ok := value.(lua.LString)
	if !ok {
		return value
	}
	if text == "lua callstack overflow" {
		return lua.LString(position(L, level) + "stack overflow")
	}
	f, ok := frameAt(L, level)
	if !ok || f.fn.IsG {
		if strings.HasSuffix(string(text), "registry overflow") {
			return lua.LString("stack overflow")
		}
		return value
	}
	where := position(L, level)
	words, ok := strings.CutPrefix(string(text), where)
	if !ok {
		return value
	}
	return lua.LString(where + f.explain(L, words))
}

// explain says what gopher-lua says with words in Lua's words.
func (f frame) explain(L *lua.LState, words string) string {
	if f.pc < 0 || f.pc >= len(f.fn.Proto.Code) {
		return words
	}
	inst := f.fn.Proto.Code[f.pc]
	op, a, b, c := decode(inst)
	switch {
	case words == callWords:
		if op == lua.OP_TFORLOOP {
			return "attempt to call a " + f.typeName(L, a) + " value"
		}
		return f.blame(L, "call", a)
	case strings.HasPrefix(words, indexWords):
		kind, _, _ := strings.Cut(words[len(indexWords):], ")")
		reg := b
		if op == lua.OP_SETTABLE || op == lua.OP_SETTABLEKS {
			reg = a
		}
		if op == lua.OP_GETGLOBAL || op == lua.OP_SETGLOBAL || f.typeName(L, reg) != kind {
			return "attempt to index a " + kind + " value"
		}
		return f.blame(L, "index", reg)
	case strings.HasPrefix(words, arithWords):
		if isNumber(f.value(L, b)) {
			b = c
		}
		return f.blame(L, "perform arithmetic on", b)
	case words == minusWords:
		return f.blame(L, "perform arithmetic on", b)
	case words == lengthWords:
		return f.blame(L, "get length of", b)
	case strings.HasPrefix(words, compareWords):
		one, other, ok := strings.Cut(words[len(compareWords):], " with ")
		if ok && one == other {
			return "attempt to compare two " + one + " values"
		}
	case strings.HasPrefix(words, forWords):
		what := strings.TrimSuffix(words[len(forWords):], " must be a number")
		if what == "init" {
			what = "initial value"
		}
		return "'for' " + what + " must be a number"
	case words == "registry overflow":
		return "stack overflow"
	case words == "too many recursions in gettable":
		return "loop in gettable"
	case words == "too many recursions in settable":
		return "loop in settable"
	}
	return words
}

// constantBit marks an operand that is a constant, not a register.
const constantBit = 1 << 8

// blame says that something cannot be done with what is in a register.
func (f frame) blame(L *lua.LState, deed string, reg int) string {
	kind, name := "", ""
	if reg&constantBit == 0 {
		kind, name = objectName(f.fn, reg, f.pc)
	}
	value := "a " + f.typeName(L, reg) + " value"
	if kind == "" {
		return "attempt to " + deed + " " + value
	}
	return "attempt to " + deed + " " + kind + " '" + name + "' (" + value + ")"
}

// value is what is in a register or constant.
func (f frame) value(L *lua.LState, operand int) lua.LValue {
	if operand&constantBit != 0 {
		return f.fn.Proto.Constants[operand&^constantBit]
	}
	_, v := L.GetLocal(f.debug, operand+1)
	if v == nil {
		return lua.LNil
	}
	return v
}

func (f frame) typeName(L *lua.LState, operand int) string {
	return f.value(L, operand).Type().String()
}

// decode takes an instruction apart.
func decode(inst uint32) (op, a, b, c int) {
	return int(inst >> 26), int(inst>>18) & 0xff, int(inst & 0x1ff), int(inst>>9) & 0x1ff
}

// calledName tells as what a function calls what it calls.
func calledName(f frame) (kind, name string) {
	if f.pc < 0 || f.pc >= len(f.fn.Proto.Code) {
		return "", ""
	}
	switch op, a, _, _ := decode(f.fn.Proto.Code[f.pc]); op {
	case lua.OP_CALL, lua.OP_TAILCALL, lua.OP_TFORLOOP:
		return objectName(f.fn, a, f.pc)
	}
	return "", ""
}

// objectName tells what a register holds just before an instruction: a local, global, field, method or upvalue.
func objectName(fn *lua.LFunction, reg, pc int) (kind, name string) {
	if name := localName(fn.Proto, reg, pc); name != "" {
		if !strings.HasPrefix(name, "(") {
			return "local", name
		}
	}
	p := fn.Proto
	at := setter(p, reg, pc)
	if at < 0 {
		return "", ""
	}
	inst := p.Code[at]
	op, a, b, c := decode(inst)
	switch op {
	case lua.OP_GETGLOBAL:
		return "global", constantName(p, int(inst&0x3ffff))
	case lua.OP_MOVE, lua.OP_MOVEN:
		if b < a {
			return objectName(fn, b, at)
		}
	case lua.OP_GETTABLE, lua.OP_GETTABLEKS:
		return "field", operandName(p, c)
	case lua.OP_GETUPVAL:
		if b < len(p.DbgUpvalues) {
			if strings.HasPrefix(p.DbgUpvalues[b], "(") {
				return "", ""
			}
			return "upvalue", p.DbgUpvalues[b]
		}
		return "upvalue", "?"
	case lua.OP_SELF:
		return "method", operandName(p, c)
	}
	return "", ""
}

// localName is the local variable that a register holds at an instruction, or nothing.
func localName(p *lua.FunctionProto, reg, pc int) string {
	for _, l := range p.DbgLocals {
		if l.StartPc > pc {
			break
		}
		if pc < l.EndPc {
			if reg == 0 {
				return l.Name
			}
			reg--
		}
	}
	return ""
}

// operandName is the string that an operand is, if it is a constant one.
func operandName(p *lua.FunctionProto, operand int) string {
	if operand&constantBit == 0 {
		return "?"
	}
	return constantName(p, operand&^constantBit)
}

func constantName(p *lua.FunctionProto, i int) string {
	if i < len(p.Constants) {
		if s, ok := p.Constants[i].(lua.LString); ok {
			return string(s)
		}
	}
	return "?"
}

// setter finds the last instruction before an instruction that sets a register, or -1.
func setter(p *lua.FunctionProto, reg, before int) int {
	last := -1
	for pc := 0; pc < before; pc++ {
		inst := p.Code[pc]
		op, a, b, _ := decode(inst)
		sets := false
		switch op {
		case lua.OP_LOADNIL:
			sets = a <= reg && reg <= b
		case lua.OP_TFORLOOP:
			sets = reg >= a+2
		case lua.OP_CALL, lua.OP_TAILCALL, lua.OP_VARARG:
			sets = reg >= a
		case lua.OP_SELF:
			sets = reg == a || reg == a+1
		case lua.OP_FORLOOP, lua.OP_FORPREP:
			sets = a <= reg && reg <= a+3
		case lua.OP_JMP:
			to := pc + 1 + int(inst&0x3ffff) - (1<<17 - 1)
			if pc < to && to <= before {
				pc = to - 1
			}
		case lua.OP_CLOSURE:
			sets = reg == a
			if sets {
				last = pc
			}
			if i := int(inst & 0x3ffff); i < len(p.FunctionPrototypes) {
				pc += int(p.FunctionPrototypes[i].NumUpvalues)
			}
			continue
		case lua.OP_SETGLOBAL, lua.OP_SETUPVAL, lua.OP_SETTABLE, lua.OP_SETTABLEKS, lua.OP_EQ, lua.OP_LT, lua.OP_LE, lua.OP_TEST,
			lua.OP_RETURN, lua.OP_SETLIST, lua.OP_CLOSE, lua.OP_NOP:
		default:
			sets = reg == a
		}
		if sets {
			last = pc
		}
	}
	return last
}

// openHandlers makes the functions that see an error while the stack of the functions that failed is still there.
func (s *state) openHandlers() {
	s.onError = s.L.NewFunction(func(L *lua.LState) int {
		s.meter.suspect(L.Get(1))
		value := translate(L, 1, L.Get(1))
		t, ok := value.(*lua.LTable)
		if !ok {
			t = single(L, "err", lua.LString("ERR "+s.display(L, value)))
		}
		if f, ok := frameAt(L, 1); ok {
			if f.fn.IsG {
				f, ok = frameAt(L, 2)
			}
			if ok {
				source := "=[C]"
				if !f.fn.IsG {
					source = s.source(f.fn.Proto.SourceName)
				}
				t.RawSetString("source", lua.LString(source))
				t.RawSetString("line", lua.LNumber(f.line()))
			}
		}
		L.Push(t)
		return 1
	})
}

// source is what the debugger calls a chunk.
func (s *state) source(name string) string {
	if source, ok := s.sources[name]; ok {
		return source
	}
	return "@" + name
}

// display is tostring for a value that is raised.
func (s *state) display(L *lua.LState, v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return numberString(float64(v))
	}
	return v.String()
}
