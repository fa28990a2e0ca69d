// Going through tables in the order of Lua's next, without a number made into a value for each element of a list.

package lua

import lua "github.com/yuin/gopher-lua"

// nextAfterList is the first pair of a table behind its list, whose last index is n (MaxN), and with its key
// LTable.Next goes on. The key is nil if there is none.
func nextAfterList(t *lua.LTable, n int) (key, value lua.LValue) {
	if n == 0 {
		return t.Next(lua.LNil)
	}
	return t.Next(lua.LNumber(n))
}

// eachPair calls f for the pairs of a table.
func eachPair(t *lua.LTable, f func(key, value lua.LValue)) {
	n := t.MaxN()
	for i := 1; i <= n; i++ {
		if v := t.RawGetInt(i); v != lua.LNil {
			f(lua.LNumber(i), v)
		}
	}
	for k, v := nextAfterList(t, n); k != lua.LNil; k, v = t.Next(k) {
		f(k, v)
	}
}

// bytesPerValue and bytesPerField are what an element of a list and a field take, bytesPerTable what a table takes itself.
const (
	bytesPerValue = 24
	bytesPerField = 120
	bytesPerTable = 128
)

// countTable counts a new table with so many elements and fields.
func countTable(m workMeter, elements, fields int) {
	m.allocate(bytesPerTable + elements*bytesPerValue + fields*bytesPerField)
	m.spend(1 + elements + fields)
}

// holes counts the elements that a table gets between its list and what is put far behind it: gopher-lua fills them in.
// Data from elsewhere must not make it allocate more than so many.
type holes struct{ left int }

// maxHoles take 256 MiB.
const maxHoles = 16 << 20

// set sets a value in a table whose list reaches to end, and returns how far it reaches then. It raises an error when
// there are too many holes.
func (h *holes) set(L *lua.LState, t *lua.LTable, end int, key, value lua.LValue) int {
	if f, ok := key.(lua.LNumber); ok && f >= 1 && int(f) < lua.MaxArrayIndex && f == lua.LNumber(int(f)) && int(f) > end {
		n := int(f) - end - 1
		if h.left -= n; h.left < 0 {
			raiseMemory(L)
		}
		meterOf(L).allocate(n * bytesPerValue)
		end = int(f)
	}
	t.RawSet(key, value)
	return end
}
