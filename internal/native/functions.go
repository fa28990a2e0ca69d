// The functions of the language.
package native

import (
	"bytes"
	"math"
	"slices"

	"github.com/redbud-go/redbud/internal/graph"
)

// compileFunc compiles a call of a function whose arguments are compiled.
type compileFunc func(n *graph.Node, kids []expr) expr

var functions = map[string]compileFunc{
	"not": not, "and": and, "or": or,
	"eq": equality(true), "ne": equality(false),
	"lt": comparison(func(c int) bool { return c < 0 }, func(a, b int64) bool { return a < b }, func(a, b float64) bool { return a < b }),
	"le": comparison(func(c int) bool { return c <= 0 }, func(a, b int64) bool { return a <= b }, func(a, b float64) bool { return a <= b }),
	"gt": comparison(func(c int) bool { return c > 0 }, func(a, b int64) bool { return a > b }, func(a, b float64) bool { return a > b }),
	"ge": comparison(func(c int) bool { return c >= 0 }, func(a, b int64) bool { return a >= b }, func(a, b float64) bool { return a >= b }),

	"add": arithmetic{func(a, b int64) int64 { return a + b }, func(a, b float64) float64 { return a + b }}.compile,
	"sub": arithmetic{func(a, b int64) int64 { return a - b }, func(a, b float64) float64 { return a - b }}.compile,
	"mul": arithmetic{multiplied, func(a, b float64) float64 { return a * b }}.compile,
	"min": arithmetic{func(a, b int64) int64 { return min(a, b) }, math.Min}.compile,
	"max": arithmetic{func(a, b int64) int64 { return max(a, b) }, math.Max}.compile,
	"neg": sign{func(a int64) int64 { return -a }, func(a float64) float64 { return -a }}.compile,
	"abs": sign{func(a int64) int64 { return max(a, -a) }, math.Abs}.compile,
	"div": func(_ *graph.Node, kids []expr) expr {
		return floatExpr(bothFloats(kids, quotient))
	},
	"intdiv": whole(divided),
	"mod":    whole(rest),
	"floor":  rounded(math.Floor),
	"ceil":   rounded(math.Ceil),

	"text": func(n *graph.Node, kids []expr) expr {
		if kids[0].rep == asText && !n.Kids[0].Type.Opt {
			return kids[0]
		}
		return concat(n, kids)
	},
	"int": func(_ *graph.Node, kids []expr) expr {
		if kids[0].rep == asInt {
			return kids[0]
		}
		return intExpr(lift(kids[0].boxed(), toInt))
	},
	"float": func(n *graph.Node, kids []expr) expr {
		if kids[0].rep == asText && !n.Kids[0].Type.Opt {
			return floatExpr(lift(kids[0].text, floatOf))
		}
		return floatExpr(lift(kids[0].boxed(), toFloat))
	},
	"parse_int": func(n *graph.Node, kids []expr) expr {
		return unboxed(lift(kids[0].str(), func(s []byte) value {
			if i, ok := graph.ParseInteger(s); ok {
				return ofInt(i)
			}
			return value{}
		}), n.Type)
	},
	"parse_float": func(n *graph.Node, kids []expr) expr {
		return unboxed(lift(kids[0].str(), func(s []byte) value {
			if x, ok := graph.ParseNumber(s); ok {
				return ofFloat(x)
			}
			return value{}
		}), n.Type)
	},
	"type": func(_ *graph.Node, kids []expr) expr {
		return textExpr(lift(kids[0].boxed(), func(v value) []byte { return []byte(names[v.kind]) }))
	},
	"len": func(_ *graph.Node, kids []expr) expr { return intExpr(lift(kids[0].boxed(), length)) },
	"at": func(n *graph.Node, kids []expr) expr {
		return unboxed(both(kids[0].boxed(), kids[1].integer(), at), n.Type)
	},
	"get": func(n *graph.Node, kids []expr) expr {
		return unboxed(both(kids[0].boxed(), kids[1].str(), get), n.Type)
	},
	"has":     func(_ *graph.Node, kids []expr) expr { return boolExpr(both(kids[0].boxed(), kids[1].str(), has)) },
	"keys":    made1((*frame).keysOf),
	"sorted":  made1((*frame).sorted),
	"sublist": sublist,
	"zip":     made2(expr.boxed, expr.boxed, (*frame).zip),

	"concat": concat,
	"slice":  slice,
	"find":   find,
	"prefix": func(_ *graph.Node, kids []expr) expr {
		return boolExpr(both(kids[0].str(), kids[1].str(), bytes.HasPrefix))
	},
	"suffix": func(_ *graph.Node, kids []expr) expr {
		return boolExpr(both(kids[0].str(), kids[1].str(), bytes.HasSuffix))
	},
	"upper": mapped('a', 'z'),
	"lower": mapped('A', 'Z'),
	"split": made2(expr.str, expr.str, (*frame).split),
	"join":  made2(expr.boxed, expr.str, (*frame).join),
	"replace": func(_ *graph.Node, kids []expr) expr {
		s, old, with := kids[0].str(), kids[1].str(), kids[2].str()
		return textExpr(func(f *frame) []byte {
			a := s(f)
			b := old(f)
			return f.replaced(a, b, with(f))
		})
	},
	"repeat": made2(expr.str, expr.integer, (*frame).repeated),

	"to_json": func(_ *graph.Node, kids []expr) expr {
		v := kids[0].boxed()
		return textExpr(func(f *frame) []byte { return f.json(v(f)) })
	},
	"from_json": func(n *graph.Node, kids []expr) expr {
		s := kids[0].str()
		return unboxed(func(f *frame) value { return f.parsed(s(f)) }, n.Type)
	},
	"now": func(*graph.Node, []expr) expr { return intExpr(func(f *frame) int64 { return f.host.Now() }) },
}

// made1 is a function that makes a value of a value.
func made1(do func(*frame, value) value) compileFunc {
	return func(n *graph.Node, kids []expr) expr {
		v := kids[0].boxed()
		return unboxed(func(f *frame) value { return do(f, v(f)) }, n.Type)
	}
}

// made2 is a function that makes a value of two others.
func made2[T, U any](first func(expr) of[T], second func(expr) of[U], do func(*frame, T, U) value) compileFunc {
	return func(n *graph.Node, kids []expr) expr {
		a, b := first(kids[0]), second(kids[1])
		return unboxed(func(f *frame) value {
			x := a(f)
			return do(f, x, b(f))
		}, n.Type)
	}
}

// whole is a function of two integers.
func whole(do func(a, b int64) int64) compileFunc {
	return func(_ *graph.Node, kids []expr) expr {
		return intExpr(both(kids[0].integer(), kids[1].integer(), func(a, b int64) int64 { return do(within(a), within(b)) }))
	}
}

func not(_ *graph.Node, kids []expr) expr {
	return boolExpr(lift(kids[0].truth(), func(b bool) bool { return !b }))
}

func and(n *graph.Node, kids []expr) expr {
	x, y := kids[0].truth(), kids[1].truth()
	cond := func(f *frame) bool { return x(f) && y(f) }
	if repOf(n.Type) == asBool && kids[0].rep == asBool {
		return boolExpr(cond)
	}
	a, b := kids[0].boxed(), kids[1].boxed()
	e := unboxed(func(f *frame) value {
		if v := a(f); !v.truth() {
			return v
		}
		return b(f)
	}, n.Type)
	e.cond = cond
	return e
}

func or(n *graph.Node, kids []expr) expr {
	x, y := kids[0].truth(), kids[1].truth()
	cond := func(f *frame) bool { return x(f) || y(f) }
	switch {
	case repOf(n.Type) == asBool && kids[0].rep == asBool:
		return boolExpr(cond)
	case repOf(n.Type) == asText && kids[0].rep == asText && kids[1].rep == asText: // what a key holds, or a default
		s, t := kids[0].text, kids[1].text
		e := textExpr(func(f *frame) []byte {
			if a := s(f); a != nil {
				return a
			}
			return t(f)
		})
		e.cond = cond
		return e
	}
	a, b := kids[0].boxed(), kids[1].boxed()
	e := unboxed(func(f *frame) value {
		if v := a(f); v.truth() {
			return v
		}
		return b(f)
	}, n.Type)
	e.cond = cond
	return e
}

// equality is eq or ne.
func equality(same bool) compileFunc {
	return func(n *graph.Node, kids []expr) expr {
		a, b := kids[0], kids[1]
		switch {
		case a.rep == asText && b.rep == asText:
			return boolExpr(both(a.text, b.text, func(s, t []byte) bool {
				return (bytes.Equal(s, t) && (s == nil) == (t == nil)) == same
			}))
		case a.rep == asText && n.Kids[1].Op == graph.OpNull:
			return boolExpr(lift(a.text, func(s []byte) bool { return (s == nil) == same }))
		case a.rep == asInt && b.rep == asInt:
			return boolExpr(both(a.int, b.int, func(x, y int64) bool { return (x == y) == same }))
		}
		x, y := a.boxed(), b.boxed()
		return boolExpr(func(f *frame) bool {
			v := x(f)
			return f.equal(v, y(f), 0) == same
		})
	}
}

// comparison is a function that orders its arguments.
func comparison(is func(int) bool, ints func(a, b int64) bool, floats func(a, b float64) bool) compileFunc {
	return func(_ *graph.Node, kids []expr) expr {
		a, b := kids[0], kids[1]
		switch {
		case a.rep == asInt && b.rep == asInt:
			return boolExpr(both(a.int, b.int, ints))
		case a.rep == asFloat && b.rep == asFloat:
			return boolExpr(both(a.float, b.float, floats))
		case a.rep == asText && b.rep == asText:
			return boolExpr(both(a.text, b.text, func(s, t []byte) bool { return is(bytes.Compare(s, t)) }))
		}
		return boolExpr(both(a.boxed(), b.boxed(), func(v, w value) bool { return is(compare(v, w)) }))
	}
}

func length(v value) int64 {
	switch v.kind {
	case text:
		return int64(len(v.s))
	case list:
		return int64(len(v.list()))
	case dict:
		return int64(len(v.dict()))
	}
	panic(unlike(v, "a string, a list or a map"))
}

func at(v value, i int64) value {
	if l := v.list(); i >= 0 && i < int64(len(l)) {
		return l[i]
	}
	return value{}
}

func get(v value, key []byte) value { return v.dict()[string(key)] }

func has(v value, key []byte) bool {
	_, ok := v.dict()[string(key)]
	return ok
}

func (f *frame) keysOf(v value) value {
	keys := v.keys()
	l := f.newList(len(keys))
	for i, key := range keys {
		l[i] = ofText([]byte(key))
	}
	return ofList(l)
}

func (f *frame) sorted(v value) value {
	w := f.copied(v)
	slices.SortFunc(w.list(), func(a, b value) int { return bytes.Compare(a.s, b.s) })
	return w
}

// clamp is the part of n elements that lies between two places.
func clamp(from, to int64, n int) (int, int) {
	end := max(0, min(to, int64(n)))
	return int(max(0, min(from, end))), int(end)
}

// span compiles the second and third argument of a function, of which the last is the end where it is missing.
func span(kids []expr) func(f *frame, n int) (from, to int) {
	start := kids[1].integer()
	if len(kids) < 3 {
		return func(f *frame, n int) (int, int) { return clamp(start(f), int64(n), n) }
	}
	end := kids[2].integer()
	return func(f *frame, n int) (int, int) {
		from := start(f)
		return clamp(from, end(f), n)
	}
}

func sublist(n *graph.Node, kids []expr) expr {
	v, part := kids[0].boxed(), span(kids)
	return unboxed(func(f *frame) value {
		l := v(f).list()
		from, to := part(f, len(l))
		return f.copied(ofList(l[from:to]))
	}, n.Type)
}

func slice(_ *graph.Node, kids []expr) expr {
	s, part := kids[0].str(), span(kids)
	return textExpr(func(f *frame) []byte {
		t := s(f)
		from, to := part(f, len(t))
		return t[from:to:to]
	})
}

func (f *frame) zip(keys, values value) value {
	names, l := keys.list(), values.list()
	if len(names) != len(l) {
		panic(fail(graph.ErrZip))
	}
	m := f.newDict(len(l))
	for i, name := range names {
		m[string(name.s)] = l[i]
	}
	return ofDict(m)
}

// concat joins texts. Each is computed before the next, and may make texts of its own.
func concat(n *graph.Node, kids []expr) expr {
	if len(kids) == 2 && n.Kids[0].Type.Equal(graph.Of(graph.String)) && n.Kids[1].Type.Equal(graph.Of(graph.String)) {
		a, b := kids[0].text, kids[1].text
		return textExpr(func(f *frame) []byte {
			s := a(f)
			return f.concat(s, b(f))
		})
	}
	var parts []of[value]
	for _, kid := range kids {
		parts = append(parts, kid.boxed())
	}
	return textExpr(func(f *frame) []byte {
		mark := len(f.spelled)
		for _, part := range parts {
			v := part(f)
			f.spelled = v.appendText(f.spelled, "a text")
			if len(f.spelled)-mark > graph.MaxString {
				panic(fail(graph.ErrLong))
			}
		}
		s := f.keep(f.spelled[mark:])
		f.spelled = f.spelled[:mark]
		return s
	})
}

func find(n *graph.Node, kids []expr) expr {
	s, sub := kids[0].str(), kids[1].str()
	from := func(*frame) int64 { return 0 }
	if len(kids) > 2 {
		from = kids[2].integer()
	}
	return unboxed(func(f *frame) value {
		a := s(f)
		b := sub(f)
		start := max(0, from(f))
		if start > int64(len(a)) {
			return value{}
		}
		if i := bytes.Index(a[start:], b); i >= 0 {
			return ofInt(int64(i) + start)
		}
		return value{}
	}, n.Type)
}

// mapped changes the case of the letters from one to another.
func mapped(from, to byte) compileFunc {
	return func(_ *graph.Node, kids []expr) expr {
		s := kids[0].str()
		return textExpr(func(f *frame) []byte {
			a := s(f)
			t := f.alloc(len(a))
			for i, c := range a {
				if from <= c && c <= to {
					c ^= 0x20
				}
				t[i] = c
			}
			return t
		})
	}
}

func (f *frame) split(s, separator []byte) value {
	if len(separator) == 0 {
		panic(fail(graph.ErrSeparator))
	}
	l := f.newList(bytes.Count(s, separator) + 1)
	for i := range l {
		part, after, _ := bytes.Cut(s, separator)
		l[i], s = ofText(part[:len(part):len(part)]), after
	}
	return ofList(l)
}

func (f *frame) join(v value, separator []byte) value {
	f.scratch = f.scratch[:0]
	for i, e := range v.list() {
		f.work(1)
		if i > 0 {
			f.scratch = append(f.scratch, separator...)
		}
		f.scratch = e.appendText(f.scratch, "a text")
		if len(f.scratch) > graph.MaxString {
			panic(fail(graph.ErrLong))
		}
	}
	return ofText(f.keep(f.scratch))
}

func (f *frame) replaced(s, old, with []byte) []byte {
	if len(old) == 0 {
		panic(fail(graph.ErrSeparator))
	}
	n := bytes.Count(s, old)
	size := int64(len(s)) + int64(n)*(int64(len(with))-int64(len(old)))
	if size > graph.MaxString {
		panic(fail(graph.ErrLong))
	}
	t := f.alloc(int(size))[:0]
	for range n {
		before, after, _ := bytes.Cut(s, old)
		t = append(append(t, before...), with...)
		s = after
	}
	return append(t, s...)
}

func (f *frame) repeated(s []byte, n int64) value {
	n = max(0, n)
	if len(s) == 0 {
		n = 0
	}
	if n > 0 && int64(len(s)) > graph.MaxString/n {
		panic(fail(graph.ErrLong))
	}
	t := f.alloc(len(s) * int(n))
	for done := copy(t, s); done > 0 && done < len(t); done *= 2 {
		copy(t[done:], t[:done])
	}
	return ofText(t)
}
