// The table math, and os.clock.

package lua

import (
	"math"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// mathTable makes the table math.
func (s *state) mathTable() *lua.LTable {
	t := s.L.CreateTable(0, 40)
	for name, fn := range map[string]func(float64) float64{
		"abs": math.Abs, "acos": math.Acos, "asin": math.Asin, "atan": math.Atan, "ceil": math.Ceil, "cos": math.Cos, "cosh": math.Cosh,
		"exp": math.Exp, "floor": math.Floor, "log": math.Log, "log10": math.Log10, "sin": math.Sin, "sinh": math.Sinh, "sqrt": math.Sqrt,
		"tan": math.Tan, "tanh": math.Tanh,
		"deg": func(x float64) float64 { return x / (math.Pi / 180) },
		"rad": func(x float64) float64 { return x * (math.Pi / 180) },
	} {
		t.RawSetString(name, s.L.NewFunction(func(L *lua.LState) int {
			L.Push(lua.LNumber(fn(numberArg(L, 1))))
			return 1
		}))
	}
	for name, fn := range map[string]func(x, y float64) float64{"atan2": math.Atan2, "fmod": fmod, "mod": fmod, "pow": math.Pow} {
		t.RawSetString(name, s.L.NewFunction(func(L *lua.LState) int {
			x := numberArg(L, 1)
			L.Push(lua.LNumber(fn(x, numberArg(L, 2))))
			return 1
		}))
	}
	for name, fn := range map[string]lua.LGFunction{
		"frexp": mathFrexp, "ldexp": mathLdexp, "modf": mathModf, "max": mathMax, "min": mathMin, "random": s.random, "randomseed": s.randomSeed,
	} {
		t.RawSetString(name, s.L.NewFunction(fn))
	}
	t.RawSetString("pi", lua.LNumber(math.Pi))
	t.RawSetString("huge", lua.LNumber(math.Inf(1)))
	return t
}

// fmod is C's, whose results that are not a number have the sign that processors give them.
func fmod(x, y float64) float64 {
	f := math.Mod(x, y)
	if math.IsNaN(f) && !math.IsNaN(x) && !math.IsNaN(y) {
		return math.Copysign(f, -1)
	}
	return f
}

func mathFrexp(L *lua.LState) int {
	f, e := math.Frexp(numberArg(L, 1))
	L.Push(lua.LNumber(f))
	L.Push(lua.LNumber(e))
	return 2
}

func mathLdexp(L *lua.LState) int {
	f := numberArg(L, 1)
	L.Push(lua.LNumber(math.Ldexp(f, checkInt(L, 2))))
	return 1
}

func mathModf(L *lua.LState) int {
	x := numberArg(L, 1)
	whole, part := math.Trunc(x), 0.0
	if !math.IsInf(x, 0) {
		part = math.Copysign(x-whole, x)
	}
	L.Push(lua.LNumber(whole))
	L.Push(lua.LNumber(part))
	return 2
}

func mathMax(L *lua.LState) int {
	f := numberArg(L, 1)
	for i := 2; i <= L.GetTop(); i++ {
		if x := numberArg(L, i); x > f {
			f = x
		}
	}
	L.Push(lua.LNumber(f))
	return 1
}

func mathMin(L *lua.LState) int {
	f := numberArg(L, 1)
	for i := 2; i <= L.GetTop(); i++ {
		if x := numberArg(L, i); x < f {
			f = x
		}
	}
	L.Push(lua.LNumber(f))
	return 1
}

// random gives the numbers that every Redis gives.
func (s *state) random(L *lua.LState) int {
	if s.run == nil || s.load != nil {
		raise(L, "math.random can only be called inside a script invocation")
	}
	const most = math.MaxInt32
	r := float64(s.rand.next()%most) / most
	switch L.GetTop() {
	case 0:
		L.Push(lua.LNumber(r))
	case 1:
		u := checkInt(L, 1)
		if u < 1 {
			argError(L, 1, "interval is empty")
		}
		L.Push(lua.LNumber(math.Floor(r*float64(u)) + 1))
	case 2:
		l, u := checkInt(L, 1), checkInt(L, 2)
		if l > u {
			argError(L, 2, "interval is empty")
		}
		L.Push(lua.LNumber(math.Floor(r*float64(u-l+1)) + float64(l)))
	default:
		raise(L, "wrong number of arguments")
	}
	return 1
}

func (s *state) randomSeed(L *lua.LState) int {
	if s.run == nil || s.load != nil {
		raise(L, "math.randomseed can only be called inside a script invocation")
	}
	s.rand.seed(int32(checkInt(L, 1)))
	return 0
}

// clock counts seconds from some point on.
func (s *state) clock(L *lua.LState) int {
	L.Push(lua.LNumber(time.Since(s.machine.started).Seconds()))
	return 1
}
