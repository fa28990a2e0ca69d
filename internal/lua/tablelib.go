// The table table.

package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func (s *state) tableFunctions() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"concat":   s.tableConcat,
		"foreach":  s.tableForeach,
		"foreachi": s.tableForeachi,
		"getn":     s.tableGetn,
		"insert":   s.tableInsert,
		"maxn":     s.tableMaxn,
		"remove":   s.tableRemove,
		"setn":     tableSetn,
		"sort":     s.tableSort,
	}
}

func (s *state) tableConcat(L *lua.LState) int {
	t := s.real(checkTable(L, 1))
	separator := ""
	if L.Get(2) != lua.LNil {
		separator = stringArg(L, 2)
	}
	from := optInt(L, 3, 1)
	to := t.Len()
	if L.Get(4) != lua.LNil {
		to = checkInt(L, 4)
	}
	var b strings.Builder
	for i := from; i <= to; i++ {
		v := t.RawGet(lua.LNumber(i))
		if !isStringOrNumber(v) {
			raise(L, "invalid value ("+v.Type().String()+") at index "+numberString(float64(i))+" in table for 'concat'")
		}
		text := s.toString(v)
		s.meter.spend(1)
		s.grow(L, b.Len()+len(text)+len(separator), len(text)+len(separator))
		b.WriteString(text)
		if i < to {
			b.WriteString(separator)
		}
	}
	L.Push(lua.LString(b.String()))
	return 1
}

func (s *state) tableForeach(L *lua.LState) int {
	t := s.real(checkTable(L, 1))
	fn := checkFunction(L, 2)
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		L.Push(fn)
		L.Push(k)
		L.Push(v)
		L.Call(2, 1)
		if L.Get(-1) != lua.LNil {
			return 1
		}
		L.Pop(1)
	}
	return 0
}

func (s *state) tableForeachi(L *lua.LState) int {
	t := s.real(checkTable(L, 1))
	fn := checkFunction(L, 2)
	n := t.Len()
	for i := 1; i <= n; i++ {
		L.Push(fn)
		L.Push(lua.LNumber(i))
		L.Push(t.RawGet(lua.LNumber(i)))
		L.Call(2, 1)
		if L.Get(-1) != lua.LNil {
			return 1
		}
		L.Pop(1)
	}
	return 0
}

func (s *state) tableGetn(L *lua.LState) int {
	L.Push(lua.LNumber(s.real(checkTable(L, 1)).Len()))
	return 1
}

func (s *state) tableMaxn(L *lua.LState) int {
	most := 0.0
	s.real(checkTable(L, 1)).ForEach(func(k, _ lua.LValue) {
		if n, ok := k.(lua.LNumber); ok && float64(n) > most {
			most = float64(n)
		}
	})
	L.Push(lua.LNumber(most))
	return 1
}

func tableSetn(L *lua.LState) int {
	checkTable(L, 1)
	raise(L, "'setn' is obsolete")
	return 0
}

func (s *state) tableInsert(L *lua.LState) int {
	t := checkTable(L, 1)
	end := t.Len() + 1
	var at int
	switch L.GetTop() {
	case 2:
		s.writable(L, t)
		t.RawSet(lua.LNumber(end), L.Get(2))
		return 0
	case 3:
		at = checkInt(L, 2)
	default:
		raise(L, "wrong number of arguments to 'insert'")
	}
	s.writable(L, t)
	s.meter.spend(max(0, end-at) / 16)
	s.meter.fill(t, float64(at))
	for i := end; i > at; i-- {
		t.RawSet(lua.LNumber(i), t.RawGet(lua.LNumber(i-1)))
	}
	t.RawSet(lua.LNumber(at), L.Get(3))
	return 0
}

func (s *state) tableRemove(L *lua.LState) int {
	t := checkTable(L, 1)
	end := t.Len()
	at := optInt(L, 2, end)
	if at < 1 || at > end {
		return 0
	}
	s.writable(L, t)
	v := t.RawGet(lua.LNumber(at))
	s.meter.spend((end - at) / 16)
	for i := at; i < end; i++ {
		t.RawSet(lua.LNumber(i), t.RawGet(lua.LNumber(i+1)))
	}
	t.RawSet(lua.LNumber(end), lua.LNil)
	L.Push(v)
	return 1
}

// tableSort sorts in place. An order that contradicts itself is noticed where Lua notices it: when the partition runs out of bounds.
func (s *state) tableSort(L *lua.LState) int {
	t := checkTable(L, 1)
	n := t.Len()
	var less *lua.LFunction
	if L.Get(2) != lua.LNil {
		less = checkFunction(L, 2)
	}
	if n > 1 {
		s.writable(L, t)
	}
	o := &order{state: s, L: L, t: t, less: less}
	o.sort(1, n)
	return 0
}

// order sorts a table by quicksort with the median of three, as Lua does: a comparison function sees the same pairs.
type order struct {
	state *state
	L     *lua.LState
	t     *lua.LTable
	less  *lua.LFunction
}

func (o *order) at(i int) lua.LValue     { return o.t.RawGet(lua.LNumber(i)) }
func (o *order) set(i int, v lua.LValue) { o.t.RawSet(lua.LNumber(i), v) }

// before reports whether a comes before b.
func (o *order) before(a, b lua.LValue) bool {
	o.state.meter.spend(1)
	if o.less == nil {
		return o.natural(a, b)
	}
	o.L.Push(o.less)
	o.L.Push(a)
	o.L.Push(b)
	o.L.Call(2, 1)
	v := lua.LVAsBool(o.L.Get(-1))
	o.L.Pop(1)
	return v
}

// natural is a < b.
func (o *order) natural(a, b lua.LValue) bool {
	switch x := a.(type) {
	case lua.LNumber:
		if y, ok := b.(lua.LNumber); ok {
			return x < y
		}
	case lua.LString:
		if y, ok := b.(lua.LString); ok {
			return x < y
		}
	case *lua.LTable, *lua.LUserData:
		if a.Type() == b.Type() && metaField(o.L, a, "__lt") != lua.LNil {
			return o.L.LessThan(a, b)
		}
	}
	one, other := a.Type().String(), b.Type().String()
	if one == other {
		raisePlain(o.L, "attempt to compare two "+one+" values")
	}
	raisePlain(o.L, "attempt to compare "+one+" with "+other)
	return false
}

func (o *order) swap(i, j int) {
	a, b := o.at(i), o.at(j)
	o.set(i, b)
	o.set(j, a)
}

func (o *order) sort(l, u int) {
	for l < u {
		if o.before(o.at(u), o.at(l)) {
			o.swap(l, u)
		}
		if u-l == 1 {
			return
		}
		mid := (l + u) / 2
		if o.before(o.at(mid), o.at(l)) {
			o.swap(mid, l)
		} else if o.before(o.at(u), o.at(mid)) {
			o.swap(mid, u)
		}
		if u-l == 2 {
			return
		}
		pivot := o.at(mid)
		o.swap(mid, u-1)
		i, j := l, u-1
		for {
			for i++; o.before(o.at(i), pivot); i++ {
				if i > u {
					raise(o.L, "invalid order function for sorting")
				}
			}
			for j--; o.before(pivot, o.at(j)); j-- {
				if j < l {
					raise(o.L, "invalid order function for sorting")
				}
			}
			if j < i {
				break
			}
			o.swap(i, j)
		}
		o.swap(u-1, i)
		if i-l < u-i {
			o.sort(l, i-1)
			l = i + 1
		} else {
			o.sort(i+1, u)
			u = i - 1
		}
	}
}
