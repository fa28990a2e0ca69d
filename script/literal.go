package script

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/redbud-go/redbud/internal/graph"
)

// maxLiteral is how deep a literal is nested.
const maxLiteral = graph.MaxDepth / 2

// literal is the expression of a value of Go. One that has none becomes an expression that Compile complains of.
func literal(v any, depth int, at string) Expr {
	switch v := v.(type) {
	case operand:
		return used(v.expr(), at)
	case nil:
		return Expr{n: &graph.Node{Op: graph.OpNull, Place: at}}
	case []byte:
		return Expr{n: &graph.Node{Op: graph.OpString, Text: string(v), Place: at}}
	case time.Duration:
		return Expr{n: &graph.Node{Op: graph.OpInt, Int: milliseconds(v), Place: at}}
	}
	n := &graph.Node{Place: at}
	var b *Builder
	kid := func(x any) {
		e := literal(x, depth+1, at)
		b = owner(b, e)
		n.Kids = append(n.Kids, e.n)
	}
	switch r := reflect.ValueOf(v); {
	case depth > maxLiteral:
		return wrong(at, "a literal is nested deeper than %d, or contains itself", maxLiteral)
	case r.Kind() == reflect.Bool:
		n.Op = graph.OpBool
		if r.Bool() {
			n.N = 1
		}
	case r.CanInt():
		n.Op, n.Int = graph.OpInt, r.Int()
	case r.CanUint():
		if r.Uint() > math.MaxInt64 {
			return wrong(at, "the literal %d is beyond 64 bits with a sign", r.Uint())
		}
		n.Op, n.Int = graph.OpInt, int64(r.Uint())
	case r.CanFloat():
		if math.IsNaN(r.Float()) {
			return wrong(at, "a literal is not a number")
		}
		n.Op, n.F = graph.OpFloat, r.Float()
	case r.Kind() == reflect.String:
		n.Op, n.Text = graph.OpString, r.String()
	case r.Kind() == reflect.Slice || r.Kind() == reflect.Array:
		n.Op = graph.OpList
		if elem, ok := typeOf(r.Type().Elem(), 0); ok {
			n.Type = graph.ListOf(elem)
		}
		for i := range r.Len() {
			kid(r.Index(i).Interface())
		}
	case r.Kind() == reflect.Map && r.Type().Key().Kind() == reflect.String:
		n.Op = graph.OpMap
		if elem, ok := typeOf(r.Type().Elem(), 0); ok {
			n.Type = graph.MapOf(elem)
		}
		keys := map[string]reflect.Value{}
		for _, key := range r.MapKeys() {
			keys[key.String()] = r.MapIndex(key)
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			kid(key)
			kid(keys[key].Interface())
		}
	default:
		return wrong(at, "a value of Go type %T can't be a literal", v)
	}
	return Expr{b, n}
}

// used is an expression where it is used: what has a name is not where it was declared.
func used(x Expr, at string) Expr {
	switch {
	case x.n == nil:
		return wrong(at, "an expression that nothing has built")
	case x.n.Op == graph.OpVar || x.n.Op == graph.OpArg || x.n.Op == graph.OpKey:
		n := *x.n
		n.Place = at
		return Expr{x.b, &n}
	}
	return x
}

// wrong is an expression that is a mistake.
func wrong(at, format string, args ...any) Expr {
	return Expr{n: &graph.Node{Op: graph.OpInvalid, Text: fmt.Sprintf(format, args...), Place: at}}
}

// milliseconds is a duration in the unit of all times of a program. One that is not zero stays so.
func milliseconds(d time.Duration) int64 {
	if d%time.Millisecond != 0 && d > 0 {
		return d.Milliseconds() + 1
	}
	return d.Milliseconds()
}

// typeOf is the type of the elements of a literal; ok is false where they tell it themselves.
func typeOf(t reflect.Type, depth int) (_ graph.Type, ok bool) {
	switch k := t.Kind(); {
	case depth > maxLiteral || t.Implements(reflect.TypeFor[operand]()):
	case t == reflect.TypeFor[[]byte](), k == reflect.String:
		return graph.Of(graph.String), true
	case k == reflect.Bool:
		return graph.Of(graph.Bool), true
	case k >= reflect.Int && k <= reflect.Uintptr:
		return graph.Of(graph.Int), true
	case k == reflect.Float32 || k == reflect.Float64:
		return graph.Of(graph.Float), true
	case k == reflect.Slice || k == reflect.Array:
		if elem, ok := typeOf(t.Elem(), depth+1); ok {
			return graph.ListOf(elem), true
		}
	case k == reflect.Map && t.Key().Kind() == reflect.String:
		if elem, ok := typeOf(t.Elem(), depth+1); ok {
			return graph.MapOf(elem), true
		}
	}
	return graph.Type{}, false
}
