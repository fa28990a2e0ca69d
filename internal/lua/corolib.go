// Coroutines. gopher-lua's own are used by their Go interface, so that their instructions are counted and how deep they resume one another
// is bounded.

package lua

import (
	"context"
	"runtime"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// maxResumes is how deep coroutines may resume one another: as deep as C calls nest in Lua.
const maxResumes = 198

// maxThreadFrames is how deep calls nest in a coroutine. Together with maxResumes it bounds the Go stack.
const maxThreadFrames = 1500

func (s *state) coroutineFunctions() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"create":  s.coCreate,
		"resume":  s.coResume,
		"running": s.coRunning,
		"status":  s.coStatus,
		"wrap":    s.coWrap,
		"yield":   s.coYield,
	}
}

// thread is the context of a coroutine: the meter, and on the way a chance to have errors put into Lua's words.
type thread struct {
	*meter
	L      *lua.LState
	hooked bool
	body   *lua.LFunction // nil once it has started
}

// Done counts an instruction.
func (t *thread) Done() <-chan struct{} {
	if !t.hooked {
		t.hooked = true
		t.L.Panic = func(L *lua.LState) {
			panic(&lua.ApiError{Type: lua.ApiErrorRun, Object: translate(L, 0, L.Get(-1))})
		}
	}
	t.meter.count(t.L)
	return nil
}

func (t *thread) Deadline() (time.Time, bool) { return time.Time{}, false }

var _ context.Context = (*thread)(nil)

// newThread makes a coroutine of a function, which its first resumption is given.
func (s *state) newThread(L *lua.LState, fn *lua.LFunction) *lua.LState {
	if fn.IsG {
		argError(L, 1, "Lua function expected")
	}
	options := L.Options
	L.Options = lua.Options{SkipOpenLibs: true, MinimizeStackMemory: true, CallStackSize: maxThreadFrames, RegistrySize: 128, RegistryMaxSize: maxRegisters / 4, RegistryGrowStep: 256}
	ctx := L.RemoveContext() // which would be asked as if an instruction ran
	th, _ := L.NewThread()
	L.SetContext(ctx)
	L.Options = options
	th.SetContext(&thread{meter: &s.meter, L: th, body: fn})
	s.meter.allocate(4096)
	return th
}

// fresh returns what a coroutine is of that has not started; nil: it has, or is none.
func fresh(th *lua.LState) *thread {
	if t, ok := th.Context().(*thread); ok && t.body != nil {
		return t
	}
	return nil
}

func (s *state) coCreate(L *lua.LState) int {
	fn, ok := L.Get(1).(*lua.LFunction)
	if !ok || fn.IsG {
		argError(L, 1, "Lua function expected")
	}
	L.Push(s.newThread(L, fn))
	return 1
}

// checkThread returns argument 1, a coroutine.
func checkThread(L *lua.LState) *lua.LState {
	th, ok := L.Get(1).(*lua.LState)
	if !ok {
		argError(L, 1, "coroutine expected")
	}
	return th
}

// resume runs a coroutine on and pushes what it yields or returns, or returns the error's value.
func (s *state) resume(L, th *lua.LState, args []lua.LValue) (n int, failure lua.LValue) {
	var fn *lua.LFunction
	first := fresh(th)
	switch status := s.statusOf(L, th); {
	case status != "suspended":
		return 0, lua.LString("cannot resume " + status + " coroutine")
	case s.meter.depth >= maxResumes:
		return 0, lua.LString("C stack overflow")
	}
	if first != nil {
		fn, first.body = first.body, nil
	}
	s.meter.depth++
	state, err, values := L.Resume(th, fn, args...)
	s.meter.depth--
	s.meter.again()
	if state == lua.ResumeError {
		failure = lua.LNil
		if e, ok := err.(*lua.ApiError); ok {
			failure = e.Object
			s.meter.suspect(failure)
			s.meter.again()
		}
		return 0, failure
	}
	for _, v := range values {
		L.Push(v)
	}
	return len(values), nil
}

func (s *state) coResume(L *lua.LState) int {
	th := checkThread(L)
	args := make([]lua.LValue, 0, L.GetTop())
	for i := 2; i <= L.GetTop(); i++ {
		args = append(args, L.Get(i))
	}
	L.SetTop(1)
	L.Push(lua.LTrue)
	n, failure := s.resume(L, th, args)
	if failure != nil {
		L.Push(lua.LFalse)
		L.Push(failure)
		return 2
	}
	return n + 1
}

func (s *state) coWrap(L *lua.LState) int {
	fn, ok := L.Get(1).(*lua.LFunction)
	if !ok || fn.IsG {
		argError(L, 1, "Lua function expected")
	}
	th := s.newThread(L, fn)
	L.Push(L.NewFunction(func(L *lua.LState) int {
		args := make([]lua.LValue, 0, L.GetTop())
		for i := 1; i <= L.GetTop(); i++ {
			args = append(args, L.Get(i))
		}
		L.SetTop(0)
		n, failure := s.resume(L, th, args)
		if failure != nil {
			if isStringOrNumber(failure) {
				failure = lua.LString(position(L, 1) + s.toString(failure))
			}
			L.Error(failure, 0)
		}
		return n
	}))
	return 1
}

func (s *state) coRunning(L *lua.LState) int {
	if L == s.L {
		L.Push(lua.LNil)
	} else {
		L.Push(L)
	}
	return 1
}

// statusOf is the status of a coroutine as L sees it.
func (s *state) statusOf(L, th *lua.LState) string {
	switch {
	case th == L:
		return "running"
	case th.Dead:
		return "dead"
	}
	if fresh(th) != nil {
		return "suspended"
	}
	for p := L; p != nil; p = p.Parent {
		if p == th {
			return "normal"
		}
	}
	if _, ok := th.GetStack(0); !ok {
		return "dead"
	}
	return "suspended"
}

func (s *state) coStatus(L *lua.LState) int {
	L.Push(lua.LString(s.statusOf(L, checkThread(L))))
	return 1
}

func (s *state) coYield(L *lua.LState) int {
	if L.Parent == nil || crossesGo() {
		L.Error(lua.LString("attempt to yield across metamethod/C-call boundary"), 0)
	}
	return -1
}

// crossesGo reports whether a Go function stands between the coroutine's start and the yield: pcall, a metamethod, a comparison of sort.
// Its place on the Go stack cannot be left and come back to.
func crossesGo() bool {
	var pcs [64]uintptr
	loops := 0
	for skip := 0; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		frames := runtime.CallersFrames(pcs[:n])
		for {
			f, more := frames.Next()
			switch {
			case strings.HasSuffix(f.Function, ".mainLoopWithContext"):
				loops++
			case strings.HasSuffix(f.Function, ".threadRun"):
				return loops > 1
			}
			if !more {
				break
			}
		}
		if n < len(pcs) {
			return loops > 1
		}
	}
}
