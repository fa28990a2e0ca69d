package memstore

import (
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// fieldTimes is what a hash keeps once a field of it is to expire. From then on, a value that is packed begins with the time, in
// timeBytes. In a table the blocks of such fields have it, and a tree has them in order.
//
// Fields that have expired are missing from the time on at which the key is looked up, or the sweeper looks at it. Those of a packed
// hash are removed then, and a hash that has no others; those of a table a few at a time, since they may be millions.
type fieldTimes struct {
	next  int64    // no field expires before; endless: none does
	past  int64    // what is to expire by then is missing, though it may still be there
	order rankTree // of the blocks in a table that expire; their score is the time, which a float holds exactly up to 2^53
}

const (
	timeBytes = 8
	endless   = math.MaxInt64
	purgeMost = 256 // fields that are removed at once
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
	if h.times == nil {
		return h.get(s, name)
	}
	if h.dict == nil {
		if value, ok = h.get(s, name); ok {
			value = value[timeBytes:]
		}
		return value, ok
	}
	r := h.dict.find(&s.arena, s.hash(name), name)
	if r == 0 || h.missing(s, r) {
		return nil, false
	}
	return valueOf(s.arena.block(r)), true
}

// missing reports whether a block of the table is of a field that has expired.
func (h *hash) missing(s *Store, r ref) bool {
	at := expireOf(s.arena.block(r))
	return at != keyspace.Never && at <= h.times.past
}

// overdue reports whether fields are there that are missing.
func (h *hash) overdue() bool {
	return h.times != nil && h.times.order.n > 0 && h.times.order.root.first().score <= float64(h.times.past)
}

// count is how many fields there are that are not missing.
func (h *hash) count() int {
	n := h.len()
	if h.overdue() {
		n -= h.expired(h.times.past)
	}
	return n
}

// expired is how many of the fields that are there are to expire by a time.
func (h *hash) expired(until int64) (n int) {
	if h.dict != nil {
		return h.times.order.rank(func(it ranked) bool { return it.score <= float64(until) })
	}
	h.packed.each(func(_, v []byte) { n += btoi(timeOf(v) != keyspace.Never && timeOf(v) <= until) })
	return n
}

// soon notes that a field is to expire, at a time yet to come.
func (h *hash) soon(at int64) {
	h.times.next = min(h.times.next, at)
	h.times.past = min(h.times.past, at-1) // should the clock have been set back
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
		h.soon(at)
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
	added = old == 0 || h.missing(s, old)
	switch {
	case at != keyspace.KeepTTL:
	case added:
		at = keyspace.Never
	default:
		at = expireOf(s.arena.block(old))
	}
	h.file(s, name, sum, old, value, at)
	return added
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
			missing := h.missing(s, r)
			h.forget(s, r)
			return h.fields.delete(s, name) && !missing
		}
	}
	return h.fields.delete(s, name)
}

// expiry returns when a field expires, never or keyspace.NoField.
func (h *hash) expiry(s *Store, name []byte) int64 {
	if h.dict != nil {
		r := h.dict.find(&s.arena, s.hash(name), name)
		if r == 0 || h.times != nil && h.missing(s, r) {
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
		h.soon(at)
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
			if h.times == nil || !h.missing(s, r) {
				f(nameOf(b), valueOf(b), expireOf(b))
			}
		})
	case h.times != nil:
		h.packed.each(func(name, v []byte) { f(name, v[timeBytes:], timeOf(v)) })
	default:
		h.packed.each(func(name, v []byte) { f(name, v, keyspace.Never) })
	}
}

// each visits all fields.
func (h *hash) each(s *Store, f func(name, value []byte)) {
	if h.overdue() {
		h.eachExpiry(s, func(name, value []byte, _ int64) { f(name, value) })
		return
	}
	h.fields.each(s, h.bare(f))
}

// scan is that of fields.
func (h *hash) scan(s *Store, cursor uint64, count int, f func(name, value []byte)) uint64 {
	if !h.overdue() {
		return h.fields.scan(s, cursor, count, h.bare(f))
	}
	return h.dict.scan(cursor, count, func(r ref) {
		if b := s.arena.block(r); !h.missing(s, r) {
			f(nameOf(b), valueOf(b))
		}
	})
}

// hide makes fields that have expired missing, and reports whether there are any that were not.
func (h *hash) hide(now int64) bool {
	old := h.expired(h.times.past)
	h.times.past = max(h.times.past, now)
	return h.expired(h.times.past) > old
}

// expiredSince are the fields that have been missing since a time.
func (h *hash) expiredSince(s *Store, past int64) (names [][]byte) {
	if h.dict == nil {
		buf := h.packed.buf
		for off := 0; off < len(buf); {
			name, v, next := h.packed.at(off)
			if at := timeOf(v); at != keyspace.Never && at > past && at <= h.times.past {
				names = append(names, append([]byte{}, name...))
			}
			off = next
		}
		return names
	}
	h.times.order.visit(0, h.times.order.n-1, func(it ranked) bool {
		at := int64(it.score)
		if at > past && at <= h.times.past {
			names = append(names, append([]byte{}, nameOf(s.arena.block(it.ref))...))
		}
		return at <= h.times.past
	})
	return names
}

// purge removes fields that are missing, in a table so many at most, and returns how many.
func (h *hash) purge(s *Store, most int) (n int) {
	past := h.times.past
	h.times.next = endless
	if h.dict == nil {
		buf, kept := h.packed.buf, 0
		for off := 0; off < len(buf); {
			_, v, next := h.packed.at(off)
			switch at := timeOf(v); {
			case at != keyspace.Never && at <= past:
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
		if first.score > float64(past) || n >= most {
			h.times.next = int64(first.score)
			break
		}
		h.delete(s, nameOf(s.arena.block(first.ref)))
	}
	return n
}

// spent reports whether all fields have expired.
func (h *hash) spent(now int64) bool { return h.times.next <= now && h.expired(now) == h.len() }

func (h *hash) copy(s *Store) object {
	c := &hash{fields: h.fields.copy(s)}
	if h.times == nil {
		return c
	}
	c.times = &fieldTimes{next: h.times.next, past: h.times.past}
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

// purge makes fields of the hash at a key that have expired missing, and removes so many at most of a table, or the key if it has no
// others. It returns how many are removed.
func (t *tx) purge(key []byte, sum uint64, h *hash, most int) (n int) {
	past := h.times.past
	fresh, gone := h.hide(t.now), h.spent(t.now)
	if o, ok := t.observer.(keyspace.FieldObserver); ok && fresh && !gone {
		o.Fields(t.number, key, func() [][]byte { return h.expiredSince(t.s, past) })
	}
	if gone {
		n = h.len()
		t.remove(key, sum)
	} else {
		t.s.lift(h)
		n = h.purge(t.s, most)
		t.s.putBack(h)
		t.mark(key, sum, h)
	}
	if !fresh {
		return n // it was told when they became missing
	}
	if !gone {
		t.s.changed(t.number, key)
	}
	if t.observer != nil {
		t.observer.Note(t.number, key, "hexpired")
		if gone {
			t.observer.Note(t.number, key, "del")
		}
	}
	return n
}
