package native

import (
	"bytes"

	"github.com/redbud-go/redbud/internal/graph"
	"github.com/redbud-go/redbud/internal/heap"
)

const (
	// checkEvery is after how many turns of loops the host is asked whether to go on.
	checkEvery = 1024
	// weighBytes is after how many bytes announced the memory is looked at.
	weighBytes = 32 << 20
	// maxMemory is by how much a run may make the heap grow.
	maxMemory = 1 << 30
	// chunkSize is that of what short strings are cut from.
	chunkSize = 4 << 10
	// longString is from where on a string has memory of its own.
	longString = chunkSize / 8
	// keptScratch is how much of it a frame keeps for the next run.
	keptScratch = 64 << 10
)

// slots counts variables by how they are kept.
type slots struct{ ints, floats, texts, values int }

// frame is what a run works with. It is used again.
type frame struct {
	p    *Program
	host Host
	keys [][]byte
	args []value

	ints   []int64 // of variables; booleans too
	floats []float64
	texts  [][]byte // nil: null
	values []value

	result value
	trace  []record

	words   [][]byte // of the commands that are being put together, the innermost last
	spelled []byte   // the numbers among them
	scratch []byte
	chunk   []byte // the rest of what short strings are cut from
	whole   []byte // all of it

	turns uint64 // that the script may still make, but for those in left
	left  int    // turns until the host is asked
	idle  int    // work that is no turns, since then
	made  int    // bytes since the memory was looked at
	gauge heap.Gauge
}

func newFrame(p *Program) *frame {
	return &frame{
		p: p, args: make([]value, len(p.graph.Args)),
		ints: make([]int64, p.slots.ints), floats: make([]float64, p.slots.floats), texts: make([][]byte, p.slots.texts), values: make([]value, p.slots.values),
	}
}

func (f *frame) begin(host Host, keys [][]byte) {
	f.host, f.keys = host, keys
	f.turns = f.p.graph.Steps
	if f.turns == 0 {
		f.turns = graph.DefaultSteps
	}
	f.left, f.idle, f.made, f.gauge = 0, 0, 0, heap.Gauge{}
	f.chunk = f.whole // nobody keeps what was cut from it
	f.refill()
}

// end drops what must not outlive the run. It reports whether the frame is fit for another.
func (f *frame) end() bool {
	f.host, f.keys, f.result, f.trace = nil, nil, value{}, nil
	clear(f.args)
	clear(f.texts)
	clear(f.values)
	clear(f.words[:cap(f.words)])
	f.words, f.spelled = f.words[:0], f.spelled[:0]
	return cap(f.words)*24+cap(f.spelled)+cap(f.scratch) <= keptScratch
}

// turn counts a turn of a loop.
func (f *frame) turn() {
	if f.left--; f.left < 0 {
		f.look()
	}
}

// look is called when a script has made the turns that it had until then.
func (f *frame) look() {
	if f.turns == 0 {
		limit := f.p.graph.Steps
		if limit == 0 {
			limit = graph.DefaultSteps
		}
		panic(failf(graph.ErrSteps, limit))
	}
	f.check()
	f.refill()
	f.left--
}

func (f *frame) refill() {
	n := min(f.turns, checkEvery)
	f.turns -= n
	f.left = int(n)
}

// work counts what takes time besides turns of loops.
func (f *frame) work(n int) {
	if f.idle += n; f.idle >= 16*checkEvery {
		f.idle = 0
		f.check()
	}
}

func (f *frame) check() {
	if err := f.host.Check(); err != nil {
		panic(fail(err.Error()))
	}
}

// use announces bytes that are about to be allocated.
func (f *frame) use(n int) {
	if f.made += n; f.made >= weighBytes {
		f.weigh(int64(n))
	}
}

// weigh looks at the heap, to which some bytes are about to be added.
func (f *frame) weigh(added int64) {
	f.made = 0
	if f.gauge.Exceeds(maxMemory, added) {
		panic(fail(graph.ErrMemory))
	}
}

// alloc returns n bytes for a string, which is not nil.
func (f *frame) alloc(n int) []byte {
	if n >= len(f.chunk) { // nor is it nil at the end of one
		return f.allocMore(n)
	}
	s := f.chunk[:n:n]
	f.chunk = f.chunk[n:]
	return s
}

func (f *frame) allocMore(n int) []byte {
	switch {
	case n > graph.MaxString:
		panic(fail(graph.ErrLong))
	case n > longString:
		f.use(n)
		return make([]byte, n)
	}
	f.use(chunkSize)
	f.whole = make([]byte, chunkSize)
	f.chunk = f.whole[n:]
	return f.whole[:n:n]
}

// keep returns a copy of a text that is about to be overwritten.
func (f *frame) keep(s []byte) []byte {
	t := f.alloc(len(s))
	copy(t, s)
	return t
}

// concat returns two texts joined.
func (f *frame) concat(a, b []byte) []byte {
	t := f.alloc(len(a) + len(b))
	copy(t[copy(t, a):], b)
	return t
}

// newList returns a list of n nulls.
func (f *frame) newList(n int) []value {
	f.use(n * sizeOfValue)
	f.work(n / 16)
	return make([]value, n)
}

// What elements take, about.
const (
	sizeOfValue = 48
	sizeOfEntry = 96
)

func (f *frame) newDict(n int) map[string]value {
	f.use(n * sizeOfEntry)
	f.work(n / 4)
	return make(map[string]value, n)
}

// copied is a copy of a value's outermost list or map.
func (f *frame) copied(v value) value {
	switch v.kind {
	case list:
		l := f.newList(len(v.list()))
		copy(l, v.list())
		return ofList(l)
	case dict:
		m := f.newDict(len(v.dict()))
		for key, e := range v.dict() {
			m[key] = e
		}
		return ofDict(m)
	}
	return v
}

// parsed is the value of a JSON text.
func (f *frame) parsed(s []byte) value {
	f.use(4 * len(s))
	x, err := graph.ParseJSON(s)
	if err != nil {
		panic(fail(err.Error()))
	}
	return fromGo(x)
}

// json is the JSON of a value.
func (f *frame) json(v value) []byte {
	f.scratch = f.appendJSON(f.scratch[:0], v, 0)
	return f.keep(f.scratch)
}

// record is one of a trace.
type record struct {
	n    int
	json []byte
}

// maxRecords is how many a trace has at most.
const maxRecords = 10_000

// tell adds a value to the trace.
func (f *frame) tell(n int, v value) {
	if len(f.trace) == maxRecords {
		return
	}
	f.trace = append(f.trace, record{n, bytes.Clone(f.told(v))})
}

// told is the JSON of a value, or of the text of why it has none.
func (f *frame) told(v value) (json []byte) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *failure:
			json = graph.AppendJSONString(nil, r.text())
		default:
			panic(r)
		}
	}()
	return f.json(v)
}
