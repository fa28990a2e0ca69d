package memstore

import (
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// fieldTimes is what a hash keeps once a field of it is to expire. From then on, a value that is packed begins with the time, in
// timeBytes. In a table the blocks of such fields have it, and a tree has them in order. Fields that have expired are removed when
// the key is looked up, so that nobody else needs to know.
type fieldTimes struct {
	next  int64    // no field expires before; endless: none does
	order rankTree // of the blocks in a table that expire; their score is the time, which a float holds exactly up to 2^53
}

const (
	timeBytes = 8
	endless   = math.MaxInt64
)

func timeOf(packed []byte) int64 { return int64(le.Uint64(packed)) }

// stamped is a value as it is packed with a time. The next call reuses it.
func (s *Store) stamped(value []byte, at int64) []byte {
	s.scratch = append(le.AppendUint64(s.scratch[:0], uint64(at)), value...)
	return s.scratch
}

// timed makes room for times, as Redis does at the first call that may bring one.
func (h *hash) timed(s *Store) {
	if h.times != nil {
		return
	}
	h.times = &fieldTimes{next: endless}
	bare := h.packed
	h.packed = packed{buf: make([]byte, 0, len(bare.buf)+bare.n*(timeBytes+1))}
	bare.each(func(name, value []byte) { h.packed.insert(len(h.packed.buf), name, s.stamped(value, keyspace.Never)) })
}

// bare is a visitor of what is kept that gives f values without their times.
func (h *hash) bare(f func(name, value []byte)) func(name, value []byte) {
	if h.times == nil || h.dict != nil {
		return f
	}
	return func(name, value []byte) { f(name, value[timeBytes:]) }
}

// value is get without the time.
func (h *hash) value(s *Store, name []byte) (value []byte, ok bool) {
	value, ok = h.get(s, name)
	if ok && h.times != nil && h.dict == nil {
		value = value[timeBytes:]
	}
	return value, ok
}

// put stores a field that expires at a time, never, or when it did.
func (h *hash) put(s *Store, name, value []byte, at int64, limits *keyspace.Limits) (added bool) {
	if h.times == nil {
		if at == keyspace.Never || at == keyspace.KeepTTL {
			return h.set(s, name, value, limits.HashEntries, limits.HashValue)
		}
		h.timed(s)
	}
	if at > 0 {
		h.times.next = min(h.times.next, at)
	}
	if h.dict == nil {
		off, next, old := h.packed.find(name)
		if h.packed.n-btoi(off >= 0) < limits.HashEntries && len(name) <= limits.HashValue && len(value) <= limits.HashValue {
			switch {
			case at != keyspace.KeepTTL:
			case off >= 0:
				at = timeOf(old)
			default:
				at = keyspace.Never
			}
			h.packed.put(off, next, name, old, s.stamped(value, at))
			return off < 0
		}
		h.unpack(s)
	}
	sum := s.hash(name)
	old := h.dict.find(&s.arena, sum, name)
	switch {
	case at != keyspace.KeepTTL:
	case old != 0:
		at = expireOf(s.arena.block(old))
	default:
		at = keyspace.Never
	}
	h.file(s, name, sum, old, value, at)
	return old == 0
}

// file stores a field in the table, in place of the block old, which is 0 for a new one.
func (h *hash) file(s *Store, name []byte, sum uint64, old ref, value []byte, at int64) {
	if old != 0 {
		h.forget(s, old)
	}
	r := h.store(s, name, sum, old, value, at)
	if at != keyspace.Never {
		h.times.order.insert(&s.arena, ranked{float64(at), r})
	}
}

// forget takes a block out of the order.
func (h *hash) forget(s *Store, r ref) {
	if at := expireOf(s.arena.block(r)); at != keyspace.Never {
		h.times.order.remove(&s.arena, ranked{float64(at), r})
	}
}

// unpack is that of fields, with times.
func (h *hash) unpack(s *Store) {
	if h.dict != nil || h.times == nil {
		h.fields.unpack(s)
		return
	}
	h.dict = &table{}
	h.packed.each(func(name, v []byte) { h.file(s, name, s.hash(name), 0, v[timeBytes:], timeOf(v)) })
	h.packed = packed{}
}

func (h *hash) delete(s *Store, name []byte) bool {
	if h.times != nil && h.dict != nil {
		if r := h.dict.find(&s.arena, s.hash(name), name); r != 0 {
			h.forget(s, r)
		}
	}
	return h.fields.delete(s, name)
}

// expiry returns when a field expires, never or keyspace.NoField.
func (h *hash) expiry(s *Store, name []byte) int64 {
	if h.dict != nil {
		r := h.dict.find(&s.arena, s.hash(name), name)
		if r == 0 {
			return keyspace.NoField
		}
		return expireOf(s.arena.block(r))
	}
	off, _, v := h.packed.find(name)
	switch {
	case off < 0:
		return keyspace.NoField
	case h.times == nil:
		return keyspace.Never
	}
	return timeOf(v)
}

// expire is HashKey.Expire for one field.
func (h *hash) expire(s *Store, name []byte, at, now int64, only keyspace.Condition) keyspace.FieldChange {
	if at != keyspace.Never {
		h.timed(s)
	}
	old := h.expiry(s, name)
	switch {
	case old == keyspace.NoField:
		return keyspace.FieldMissing
	case at == keyspace.Never && old == keyspace.Never, !only.Holds(old, at):
		return keyspace.FieldKept
	case at != keyspace.Never && at <= now:
		h.delete(s, name)
		return keyspace.FieldRemoved
	}
	if at != keyspace.Never {
		h.times.next = min(h.times.next, at)
	}
	if h.dict == nil {
		_, _, v := h.packed.find(name)
		le.PutUint64(v, uint64(at))
		return keyspace.FieldChanged
	}
	sum := s.hash(name)
	r := h.dict.find(&s.arena, sum, name)
	h.file(s, name, sum, r, valueOf(s.arena.block(r)), at)
	return keyspace.FieldChanged
}

func (h *hash) eachExpiry(s *Store, f func(name, value []byte, at int64)) {
	switch {
	case h.dict != nil:
		h.dict.each(func(r ref) {
			b := s.arena.block(r)
			f(nameOf(b), valueOf(b), expireOf(b))
		})
	case h.times != nil:
		h.packed.each(func(name, v []byte) { f(name, v[timeBytes:], timeOf(v)) })
	default:
		h.packed.each(func(name, v []byte) { f(name, v, keyspace.Never) })
	}
}

// purge removes fields that have expired, about so many at most, and returns how many.
func (h *hash) purge(s *Store, now int64, most int) (n int) {
	h.times.next, n = endless, 0
	if h.dict == nil {
		buf, kept := h.packed.buf, 0
		for off := 0; off < len(buf); {
			_, v, next := h.packed.at(off)
			switch at := timeOf(v); {
			case at != keyspace.Never && at <= now:
				n++
			case at != keyspace.Never:
				h.times.next = min(h.times.next, at)
				fallthrough
			default:
				kept += copy(buf[kept:], buf[off:next])
			}
			off = next
		}
		h.packed.buf, h.packed.n = buf[:kept], h.packed.n-n
		return n
	}
	for order := &h.times.order; order.n > 0; n++ {
		first := order.root.first()
		if first.score > float64(now) || n >= most {
			h.times.next = int64(first.score)
			break
		}
		h.delete(s, nameOf(s.arena.block(first.ref)))
	}
	return n
}

// spent reports whether all fields have expired.
func (h *hash) spent(now int64) bool {
	if h.times.next > now {
		return false
	}
	spent := true
	if h.dict == nil {
		h.packed.each(func(_, v []byte) { spent = spent && timeOf(v) != keyspace.Never && timeOf(v) <= now })
		return spent
	}
	last := h.times.order.n - 1
	if last != h.dict.n-1 {
		return false
	}
	h.times.order.visit(last, last, func(it ranked) bool {
		spent = it.score <= float64(now)
		return false
	})
	return spent
}

func (h *hash) copy(s *Store) object {
	c := &hash{fields: h.fields.copy(s)}
	if h.times == nil {
		return c
	}
	c.times = &fieldTimes{next: h.times.next}
	if c.dict != nil {
		c.dict.each(func(r ref) {
			if at := expireOf(s.arena.block(r)); at != keyspace.Never {
				c.times.order.insert(&s.arena, ranked{float64(at), r})
			}
		})
	}
	return c
}

func (h *hash) release(s *Store) {
	h.fields.release(s)
	h.times = nil
}

// mark notes whether fields of the hash at a key expire.
func (t *tx) mark(key []byte, sum uint64, h *hash) {
	r := t.db.keys.find(&t.s.arena, sum, key)
	b := t.block(r)
	was := b[1]
	b[1] &^= flagFields
	if h.times.next != endless {
		b[1] |= flagFields
	}
	t.index(key, sum, r, was, b[1])
}

// purge removes fields that have expired, about so many at most, of the hash at a key, and the key with the last of them. It
// returns how many.
func (t *tx) purge(key []byte, sum uint64, h *hash, most int) (n int) {
	n = h.purge(t.s, t.now, most)
	t.mark(key, sum, h)
	if n == 0 {
		return 0
	}
	gone := t.wrote(key, h.len())
	if t.observer != nil {
		t.observer.Note(t.number, key, "hexpired")
		if gone {
			t.observer.Note(t.number, key, "del")
		}
	}
	return n
}
