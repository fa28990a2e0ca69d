package native

import (
	"bytes"
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/redbud-go/redbud/internal/graph"
)

// kind says what a value is.
type kind uint8

// The kinds. A number without a fraction is an integer up to 2^53-1 whatever type it has.
const (
	null kind = iota
	boolean
	integer
	real
	text
	list
	dict
)

// names are those that the function type gives.
var names = [...]string{null: "null", boolean: "bool", integer: "number", real: "number", text: "string", list: "list", dict: "map"}

// value is what a script works with. The zero value is null.
type value struct {
	kind kind
	n    int64  // 1 or 0 of a boolean, an integer, the bits of another number
	s    []byte // of a string; never changed, and not nil
	box  *box   // of a list or map
}

// box is a list or a map. It is changed only by the statements that change a variable in place, whose own it is then.
type box struct {
	list []value
	dict map[string]value
}

// ofText is the value of a text, which nil makes null.
func ofText(s []byte) value {
	if s == nil {
		return value{}
	}
	return value{kind: text, s: s}
}

func ofInt(n int64) value { return value{kind: integer, n: n} }

func ofBool(b bool) value {
	if b {
		return value{kind: boolean, n: 1}
	}
	return value{kind: boolean}
}

func ofFloat(f float64) value {
	if f == math.Trunc(f) && math.Abs(f) <= graph.MaxExact {
		return ofInt(int64(f))
	}
	return value{kind: real, n: int64(math.Float64bits(f))}
}

func ofList(l []value) value           { return value{kind: list, box: &box{list: l}} }
func ofDict(m map[string]value) value  { return value{kind: dict, box: &box{dict: m}} }
func (v value) int() int64             { return v.n }
func (v value) bool() bool             { return v.n != 0 }
func (v value) text() []byte           { return v.s }
func (v value) truth() bool            { return v.kind > boolean || v.n != 0 }
func (v value) number() bool           { return v.kind == integer || v.kind == real }
func (v value) dict() map[string]value { return v.box.dict }

func (v value) float() float64 {
	if v.kind == integer {
		return float64(v.n)
	}
	return math.Float64frombits(uint64(v.n))
}

func (v value) list() []value {
	if v.box == nil {
		return nil
	}
	return v.box.list
}

// keys are the keys of a map in their order.
func (v value) keys() []string { return slices.Sorted(maps.Keys(v.dict())) }

// fromGo is a value that graph.ParseJSON has made.
func fromGo(x any) value {
	switch x := x.(type) {
	case bool:
		return ofBool(x)
	case int64:
		return ofInt(x)
	case float64:
		return ofFloat(x)
	case string:
		return value{kind: text, s: []byte(x)}
	case []any:
		l := make([]value, len(x))
		for i, e := range x {
			l[i] = fromGo(e)
		}
		return ofList(l)
	case map[string]any:
		m := make(map[string]value, len(x))
		for key, e := range x {
			m[key] = fromGo(e)
		}
		return ofDict(m)
	}
	return value{}
}

// appendText appends the text of a value that has one; otherwise the run fails, since what was wanted.
func (v value) appendText(dst []byte, what string) []byte {
	switch v.kind {
	case text:
		return append(dst, v.s...)
	case integer:
		return appendInt(dst, v.n)
	case real:
		return graph.AppendNumber(dst, v.float())
	case boolean:
		if v.n != 0 {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	}
	panic(unlike(v, what))
}

// unlike is the failure of a value of another kind than is wanted.
func unlike(v value, what string) *failure {
	if v.kind == null {
		return failf(graph.ErrNull, what)
	}
	return failf(graph.ErrType, names[v.kind], what)
}

// appendJSON appends the JSON of a value.
func (f *frame) appendJSON(dst []byte, v value, depth int) []byte {
	if v.kind >= list && depth == graph.MaxNested {
		panic(fail(graph.ErrDepth))
	}
	if len(dst) > graph.MaxString {
		panic(fail(graph.ErrLong))
	}
	switch v.kind {
	case null:
		return append(dst, "null"...)
	case real:
		if math.IsInf(v.float(), 0) {
			panic(fail(graph.ErrInfinite))
		}
	case text:
		return graph.AppendJSONString(dst, v.s)
	case list:
		dst = append(dst, '[')
		for i, e := range v.list() {
			f.work(1)
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = f.appendJSON(dst, e, depth+1)
		}
		return append(dst, ']')
	case dict:
		dst = append(dst, '{')
		for i, key := range v.keys() {
			f.work(1)
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(graph.AppendJSONString(dst, key), ':')
			dst = f.appendJSON(dst, v.dict()[key], depth+1)
		}
		return append(dst, '}')
	}
	return v.appendText(dst, "")
}

// maxDeep is how deep what is compared or checked may be nested: the stack has an end.
const maxDeep = 10_000

// equal reports whether two values are the same.
func (f *frame) equal(v, w value, depth int) bool {
	if v.kind != w.kind {
		return v.number() && w.number() && compareNumbers(v, w) == 0
	}
	switch v.kind {
	case null:
		return true
	case boolean, integer:
		return v.n == w.n
	case real:
		return v.float() == w.float()
	case text:
		return bytes.Equal(v.s, w.s)
	}
	if v.box == w.box {
		return true
	}
	if depth == maxDeep {
		panic(fail(graph.ErrDepth))
	}
	if v.kind == list {
		return slices.EqualFunc(v.list(), w.list(), func(a, b value) bool {
			f.work(1)
			return f.equal(a, b, depth+1)
		})
	}
	return maps.EqualFunc(v.dict(), w.dict(), func(a, b value) bool {
		f.work(1)
		return f.equal(a, b, depth+1)
	})
}

// compare orders two numbers or two strings; the run fails for all else.
func compare(v, w value) int {
	switch {
	case v.number() && w.number():
		return compareNumbers(v, w)
	case v.kind == text && w.kind == text:
		return bytes.Compare(v.s, w.s)
	}
	panic(failf(graph.ErrCompared, names[v.kind], names[w.kind]))
}

// compareNumbers is exact, whatever their kinds.
func compareNumbers(v, w value) int {
	switch {
	case v.kind == w.kind && v.kind == integer:
		return cmp.Compare(v.n, w.n)
	case v.kind == w.kind:
		return cmp.Compare(v.float(), w.float())
	case v.kind == real:
		return -compareNumbers(w, v)
	}
	switch f := w.float(); { // where an integer of 64 bits is rounded, f has no fraction
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	case float64(v.n) != f:
		return cmp.Compare(float64(v.n), f)
	default:
		return cmp.Compare(v.n, int64(f))
	}
}

// must fails unless a value is of the type; its elements are looked at, too.
func (f *frame) must(v value, t graph.Type, depth int) {
	if v.kind == null && t.Nullable() {
		return
	}
	ok := true
	switch t.Kind {
	case graph.Any:
		return
	case graph.Null:
		ok = v.kind == null
	case graph.Bool:
		ok = v.kind == boolean
	case graph.Int:
		ok = v.kind == integer
	case graph.Number:
		ok = v.number()
	case graph.Float:
		if ok = v.number(); ok && v.kind == integer {
			exact(v.n)
		}
	case graph.String:
		ok = v.kind == text
	case graph.List:
		ok = v.kind == list
	case graph.Map:
		ok = v.kind == dict
	case graph.Never:
		ok = false
	}
	if !ok {
		panic(unlike(v, t.Required().String()))
	}
	if t.Elem == nil || t.Elem.Kind == graph.Any {
		return
	}
	if depth == maxDeep {
		panic(fail(graph.ErrDepth))
	}
	if v.kind == list {
		for _, e := range v.list() {
			f.work(1)
			f.must(e, *t.Elem, depth+1)
		}
		return
	}
	for _, key := range v.keys() { // in their order: which of two fails first must not be left to chance
		f.work(1)
		f.must(v.dict()[key], *t.Elem, depth+1)
	}
}
