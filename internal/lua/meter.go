// The limits of a run: gopher-lua asks its context before every instruction whether it is done, and the context counts.

package lua

import (
	"context"
	"errors"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/redbud-go/redbud/internal/heap"
)

const (
	// checkEvery is after how many instructions the host is asked whether to go on.
	checkEvery = 4096
	// weighEvery is after how many checks the memory is looked at; weighBytes, after how many bytes announced.
	weighEvery = 16
	weighBytes = 32 << 20
	// largeIndex is from where on a key of a table is looked at before it is set: gopher-lua fills the list up to it.
	largeIndex = 1 << 16
	// maxString is the longest string there can be.
	maxString = 512 << 20
)

var errMemory = errors.New("not enough memory")

// meter is the context of a state's threads. It is never done in the sense of a context: it counts, and ends a script by raising an error
// that nothing catches for long.
type meter struct {
	state *state
	steps int // until the next check
	turns int // until the memory is looked at
	made  int // bytes of strings since then
	gauge heap.Gauge
	ended error      // why the script must end
	panic *hostPanic // raised again when it has
	depth int        // of coroutines that resume one another
}

func (m *meter) reset() {
	m.steps, m.turns, m.made, m.gauge, m.ended, m.panic, m.depth = checkEvery, weighEvery, 0, heap.Gauge{}, nil, nil, 0
}

// Done counts an instruction. The channel is never anything but nil, on which nothing is ready.
func (m *meter) Done() <-chan struct{} {
	m.count(m.state.L)
	return nil
}

// count counts an instruction that a thread is about to run.
func (m *meter) count(L *lua.LState) {
	if m.steps--; m.steps <= 0 {
		m.check()
	}
	if inst := nextInstruction(L); int(inst>>26) == lua.OP_SETTABLE {
		m.beforeSet(L, inst)
	}
}

// beforeSet announces what a list takes that is about to be filled up to a key far behind its end.
func (m *meter) beforeSet(L *lua.LState, inst uint32) {
	_, a, b, _ := decode(inst)
	if key, ok := operandValue(L, b).(lua.LNumber); ok && key >= largeIndex {
		if t, ok := operandValue(L, a).(*lua.LTable); ok {
			m.fill(t, float64(key))
		}
	}
}

// fill announces that a table gets a number as key.
func (m *meter) fill(t *lua.LTable, key float64) {
	if key < largeIndex || key >= float64(lua.MaxArrayIndex) {
		return
	}
	if n := int(key) - t.MaxN(); n > largeIndex {
		m.spend(n / 4)
		m.allocate(32 * n)
	}
}

func (m *meter) Err() error                  { return m.ended }
func (m *meter) Deadline() (time.Time, bool) { return time.Time{}, false }
func (m *meter) Value(any) any               { return nil }

var _ context.Context = (*meter)(nil)

// check asks the host, and looks at the memory now and then.
func (m *meter) check() {
	m.again()
	m.steps = checkEvery
	if m.state.run != nil {
		if err := m.state.checkHost(); err != nil {
			m.end(err)
		}
	}
	if m.turns--; m.turns <= 0 {
		m.weigh(0)
	}
}

// spend counts steps of work that is not instructions.
func (m *meter) spend(n int) {
	if m.steps -= n; m.steps <= 0 {
		m.check()
	}
}

// allocate announces n bytes.
func (m *meter) allocate(n int) {
	if m.made += n; m.made >= weighBytes {
		m.weigh(n)
	}
}

// weigh looks at the heap, to which some bytes are about to be added.
func (m *meter) weigh(added int) {
	m.turns, m.made = weighEvery, 0
	if m.gauge.Exceeds(m.state.machine.options.Memory, int64(added)) {
		m.end(errMemory)
	}
}

// suspect ends the script if a text is that of a panic: the state may be in any condition.
func (m *meter) suspect(value lua.LValue) {
	if text, ok := value.(lua.LString); ok && strings.HasPrefix(string(text), "runtime error: ") {
		m.ended = errors.New(string(text))
	}
}

// end ends the script: from here on, every instruction raises.
func (m *meter) end(err error) {
	m.ended = err
	m.again()
}

// again raises what has ended the script, if anything has.
func (m *meter) again() {
	if m.ended == nil {
		return
	}
	m.steps = 0
	panic(&lua.ApiError{Type: lua.ApiErrorRun, Object: errorTable(m.state.L, codeless(m.ended.Error()))})
}

// codeless gives a text the dash that says that it has a code, if it has one.
func codeless(text string) string {
	for i := range len(text) {
		switch c := text[i]; {
		case c == ' ' && i > 1:
			return "-" + text
		case c < 'A' || c > 'Z':
			return text
		}
	}
	return text
}
