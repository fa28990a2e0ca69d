package memstore

import (
	"unsafe"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// What keys take is their blocks, which the arena counts, and what their collections have besides, which is on the scale: a
// collection is lifted off it before it is written and put back after. Weighing takes no walk: what has many pieces keeps their
// sum.

func (s *Store) lift(o object)    { s.heap -= o.heap() }
func (s *Store) putBack(o object) { s.heap += o.heap() }

const (
	slotBytes   = int(unsafe.Sizeof(uint64(0)))
	handleBytes = int(unsafe.Sizeof(object(nil)))
	rankBytes   = int(unsafe.Sizeof(ranked{})) * 4 / 3 // leaves are three quarters full

	// An entry that is pending stands in two lists, three quarters full.
	pendingBytes = int(unsafe.Sizeof(idItem[delivery]{})+unsafe.Sizeof(idItem[struct{}]{})) * 4 / 3
)

func (t *table) heap() int { return t.slots*slotBytes + len(t.dir)*slotBytes }

func (f *fields) heap() int {
	n := cap(f.packed.buf)
	if f.dict != nil {
		n += int(unsafe.Sizeof(table{})) + f.dict.heap()
	}
	return n
}

func (h *hash) heap() int {
	n := handleBytes + int(unsafe.Sizeof(*h)) + h.fields.heap()
	if h.times != nil {
		n += int(unsafe.Sizeof(*h.times)) + h.times.order.n*rankBytes
	}
	return n
}

func (x *set) heap() int {
	return handleBytes + int(unsafe.Sizeof(*x)) + cap(x.numbers)*slotBytes + x.fields.heap()
}

func (z *zset) heap() int {
	return handleBytes + int(unsafe.Sizeof(*z)) + z.fields.heap() + z.order.n*rankBytes
}

func (l *list) heap() int {
	return handleBytes + int(unsafe.Sizeof(*l)) + cap(l.chunks)*slotBytes + l.room
}

func (st *stream) heap() int {
	n := handleBytes + int(unsafe.Sizeof(*st)) + cap(st.runs)*slotBytes + len(st.runs)*int(unsafe.Sizeof(streamRun{}))
	n += st.room + st.pending*pendingBytes
	return n + len(st.groups)*int(unsafe.Sizeof(streamGroup{}))
}

// Used implements keyspace.Meter.
func (t *tx) Used() int64 { return t.s.used() }

// Tables implements keyspace.Meter.
func (t *tx) Tables() (keys, expiring int64) {
	return int64(t.db.keys.heap()), int64(t.db.volatile.heap() + t.db.fields.heap())
}

// used is how many bytes all keys take, and the tables that find them.
func (s *Store) used() int64 {
	n := s.arena.bytes + s.heap + int(unsafe.Sizeof(*s))
	for i := range s.dbs {
		if d := &s.dbs[i]; d.keys.n > 0 {
			n += d.keys.heap() + d.volatile.heap() + d.fields.heap()
		}
	}
	return int64(n)
}

// Size implements keyspace.Meter.
func (t *tx) Size(key []byte, samples int) (bytes int64, ok bool, err error) {
	r := t.lookup(key)
	if r == 0 {
		return 0, false, nil
	}
	a := &t.s.arena
	n := a.size(r) + t.db.keys.heap()/t.db.keys.n
	b := t.block(r)
	if keyspace.Type(b[0]) == keyspace.String {
		return int64(n), true, nil
	}
	o := t.s.object(b)
	n += o.heap()
	var blocks *table
	switch x := o.(type) {
	case *hash:
		blocks = x.dict
	case *set:
		blocks = x.dict
	case *zset:
		blocks = x.dict
	}
	if blocks != nil {
		n += blocks.measure(a, samples)
	}
	return int64(n), true, nil
}

// measure is how many bytes the blocks of a table take, by the first so many of them; 0 is for all.
func (t *table) measure(a *arena, samples int) int {
	if samples == 0 || samples > t.n {
		samples = t.n
	}
	seen, bytes := 0, 0
	for cursor, more := uint64(0), true; more; more = cursor != 0 && seen < samples {
		cursor = t.scan(cursor, samples-seen, func(r ref) {
			seen++
			bytes += a.size(r)
		})
	}
	return int(float64(bytes) / float64(max(seen, 1)) * float64(t.n))
}
