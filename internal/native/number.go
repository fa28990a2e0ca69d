// Numbers: arithmetic is exact up to 2^53-1, and an error beyond.
package native

import (
	"math"
	"strconv"

	"github.com/redbud-go/redbud/internal/graph"
)

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

func beyond(n int64) bool { return n > graph.MaxExact || n < -graph.MaxExact }

// exact is an integer as a Float.
func exact(n int64) float64 {
	if beyond(n) {
		panic(fail(graph.ErrExact))
	}
	return float64(n)
}

// within is an integer that arithmetic takes or gives.
func within(n int64) int64 {
	if beyond(n) {
		panic(fail(graph.ErrExact))
	}
	return n
}

// some is a float that is a number.
func some(x float64) float64 {
	if x != x {
		panic(fail(graph.ErrNaN))
	}
	return x
}

// exactFloat is a number as a Float.
func exactFloat(v value) float64 {
	if v.kind == integer {
		return exact(v.n)
	}
	return v.float()
}

// multiplied is a product of integers that are exact.
func multiplied(a, b int64) int64 {
	if math.Abs(float64(a)*float64(b)) > graph.MaxExact { // the product would be rounded up to this at most
		panic(fail(graph.ErrExact))
	}
	return a * b
}

// divided rounds down.
func divided(a, b int64) int64 {
	if b == 0 {
		panic(fail(graph.ErrZero))
	}
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// rest has the sign of the divisor.
func rest(a, b int64) int64 {
	if b == 0 {
		panic(fail(graph.ErrZero))
	}
	m := a % b
	if m != 0 && (m < 0) != (b < 0) {
		m += b
	}
	return m
}

func quotient(a, b float64) float64 {
	if b == 0 {
		panic(fail(graph.ErrZero))
	}
	return some(a / b)
}

// arithmetic is what a function does with two numbers.
type arithmetic struct {
	ints   func(a, b int64) int64 // of exact ones; what it gives is looked at
	floats func(a, b float64) float64
}

func (o arithmetic) onInts(a, b int64) int64 { return within(o.ints(within(a), within(b))) }

func (o arithmetic) onFloats(a, b float64) float64 { return some(o.floats(a, b)) }

// onValues is for numbers of which only a run tells what they are.
func (o arithmetic) onValues(a, b value) value {
	if a.kind == integer && b.kind == integer {
		return ofInt(o.onInts(a.n, b.n))
	}
	x, y := exactFloat(a), exactFloat(b)
	return ofFloat(o.onFloats(x, y))
}

// compile compiles it for the types that the arguments have.
func (o arithmetic) compile(n *graph.Node, kids []expr) expr {
	switch repOf(n.Type) {
	case asInt:
		return intExpr(both(kids[0].int, kids[1].int, o.onInts))
	case asFloat:
		return floatExpr(bothFloats(kids, o.onFloats))
	}
	return unboxed(both(kids[0].boxed(), kids[1].boxed(), o.onValues), n.Type)
}

// exactFloat is a number as a Float.
func (e expr) exactFloat() of[float64] {
	switch e.rep {
	case asFloat:
		return e.float
	case asInt:
		return lift(e.int, exact)
	}
	return lift(e.boxed(), exactFloat)
}

// both is what f makes of two values, of which the first is computed first.
func both[T, U, R any](a of[T], b of[U], f func(T, U) R) of[R] {
	return func(fr *frame) R {
		x := a(fr)
		return f(x, b(fr))
	}
}

// bothFloats is both of Floats. Numbers become such when both are there.
func bothFloats[R any](kids []expr, f func(a, b float64) R) of[R] {
	b := kids[1].exactFloat()
	switch kids[0].rep {
	case asFloat:
		return both(kids[0].float, b, f)
	case asInt:
		return both(kids[0].int, b, func(n int64, b float64) R { return f(exact(n), b) })
	}
	return both(kids[0].boxed(), b, func(v value, b float64) R { return f(exactFloat(v), b) })
}

// sign is what a function does with one number.
type sign struct {
	int   func(int64) int64
	float func(float64) float64
}

func (o sign) compile(n *graph.Node, kids []expr) expr {
	switch kids[0].rep {
	case asInt:
		return intExpr(lift(kids[0].int, func(a int64) int64 { return o.int(within(a)) }))
	case asFloat:
		return floatExpr(lift(kids[0].float, o.float))
	}
	return unboxed(lift(kids[0].boxed(), func(v value) value {
		if v.kind == integer {
			return ofInt(o.int(within(v.n)))
		}
		return ofFloat(o.float(v.float()))
	}), n.Type)
}

// rounded makes an integer of a number.
func rounded(round func(float64) float64) compileFunc {
	return func(n *graph.Node, kids []expr) expr {
		return intExpr(lift(kids[0].exactFloat(), func(x float64) int64 {
			if x = round(x); math.Abs(x) > graph.MaxExact {
				panic(fail(graph.ErrExact))
			}
			return int64(x)
		}))
	}
}

// toInt is the function int.
func toInt(v value) int64 {
	switch v.kind {
	case integer:
		return v.n
	case text:
		if n, ok := graph.ParseInteger(v.s); ok {
			return n
		}
		fallthrough
	case real:
		panic(fail(graph.ErrInteger))
	}
	panic(unlike(v, numberOrString))
}

// toFloat is the function float.
func toFloat(v value) float64 {
	if v.kind == text {
		return floatOf(v.s)
	}
	if !v.number() {
		panic(unlike(v, numberOrString))
	}
	return exactFloat(v)
}

func floatOf(s []byte) float64 {
	x, ok := graph.ParseNumber(s)
	if !ok {
		panic(fail(graph.ErrNumber))
	}
	return x
}

// numberOrString is what int and float want.
const numberOrString = "a number or a string"
