package memstore

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sort"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// stream is entries in the order of their ids, in runs, and groups by name.
type stream struct {
	runs       []*streamRun // none is empty
	n          int
	last       keyspace.StreamID
	maxDeleted keyspace.StreamID
	added      uint64
	groups     []*streamGroup
	room       int // bytes of the runs
	pending    int // entries, of all groups
}

func (st *stream) release(*Store) { *st = stream{} }

func (st *stream) encoding() string { return "stream" }

func (st *stream) copy(*Store) object {
	c := *st
	c.runs, c.room = make([]*streamRun, len(st.runs)), 0
	for i, r := range st.runs {
		own := *r
		own.buf = bytes.Clone(r.buf)
		c.runs[i] = &own
		c.room += cap(own.buf)
	}
	c.groups = make([]*streamGroup, len(st.groups))
	for i, g := range st.groups {
		c.groups[i] = g.copy()
	}
	return &c
}

func (st *stream) first() keyspace.StreamID {
	if st.n == 0 {
		return keyspace.StreamID{}
	}
	r := st.runs[0]
	return r.at(r.live).id
}

// append adds an entry behind all others.
func (st *stream) append(id keyspace.StreamID, fields [][]byte, limit keyspace.RunLimit) {
	var r *streamRun
	if k := len(st.runs); k > 0 {
		added := 0
		for _, f := range fields {
			added += len(f)
		}
		r = st.runs[k-1]
		st.room -= cap(r.buf)
		if r.full(added, limit) {
			sealed := r
			r = r.seal()
			st.room += cap(sealed.buf)
			r.begin(id, fields)
			st.runs = append(st.runs, r)
		}
	} else {
		r = &streamRun{}
		r.begin(id, fields)
		st.runs = append(st.runs, r)
	}
	r.append(id, fields)
	st.room += cap(r.buf)
	st.n++
	st.last = id
	st.added++
}

// seal takes the room to grow from a run that is full and gives it to the next one, which it returns.
func (r *streamRun) seal() *streamRun {
	next := &streamRun{}
	if spare := cap(r.buf) - len(r.buf); spare > len(r.buf)/16 && len(r.buf) <= 64<<10 {
		next.buf = r.buf[:0]
		r.buf = append(make([]byte, 0, len(r.buf)), r.buf...)
	}
	return next
}

// run is the index of the run that an id belongs to, or of the first; there is at least one.
func (st *stream) run(id keyspace.StreamID) int {
	k := len(st.runs)
	if !id.Less(st.runs[k-1].first) {
		return k - 1
	}
	return max(sort.Search(k, func(i int) bool { return id.Less(st.runs[i].first) })-1, 0)
}

// find returns the entry with an id and its run, which is nil if it is missing.
func (st *stream) find(id keyspace.StreamID) (i int, r *streamRun, e runEntry) {
	if st.n == 0 {
		return 0, nil, e
	}
	i = st.run(id)
	e, ok := st.runs[i].find(id)
	if !ok {
		return i, nil, e
	}
	return i, st.runs[i], e
}

func (st *stream) delete(id keyspace.StreamID) bool {
	i, r, e := st.find(id)
	if r == nil {
		return false
	}
	st.n--
	if st.maxDeleted.Less(id) {
		st.maxDeleted = id
	}
	if r.n == 1 {
		st.dropRun(i)
		return true
	}
	r.delete(&e)
	st.tidy(r)
	return true
}

// tidy is that of a run of the stream.
func (st *stream) tidy(r *streamRun) {
	st.room -= cap(r.buf)
	r.tidy()
	st.room += cap(r.buf)
}

// dropRun removes a run.
func (st *stream) dropRun(i int) {
	st.room -= cap(st.runs[i].buf)
	if i == 0 { // moving the rest each time would be quadratic
		st.runs[0] = nil
		st.runs = st.runs[1:]
		return
	}
	st.runs = slices.Delete(st.runs, i, i+1)
}

// trim is StreamKey.Trim.
func (st *stream) trim(t *keyspace.StreamTrim) (removed int) {
	for len(st.runs) > 0 {
		r := st.runs[0]
		if !t.ByID && int64(st.n) <= t.MaxLen || t.Limit > 0 && int64(removed+r.n) > t.Limit {
			break
		}
		whole := t.ByID && r.last.Less(t.MinID) || !t.ByID && int64(st.n-r.n) >= t.MaxLen
		if !whole {
			if !t.Approximate {
				removed += st.trimRun(r, t)
			}
			break
		}
		removed += r.n
		st.n -= r.n
		st.dropRun(0)
	}
	return removed
}

// trimRun removes the first entries of a run of which some stay.
func (st *stream) trimRun(r *streamRun, t *keyspace.StreamTrim) (removed int) {
	for off := r.live; off < len(r.buf); {
		e := r.at(off)
		if t.ByID && !e.id.Less(t.MinID) || !t.ByID && int64(st.n) <= t.MaxLen {
			break
		}
		off = e.next
		if e.flags&entryDeleted != 0 {
			continue
		}
		st.n--
		removed++
		if r.n == 1 { // those behind it are deleted
			st.dropRun(0)
			return removed
		}
		r.delete(&e)
	}
	st.tidy(r)
	return removed
}

// visit visits the entries of a range.
func (st *stream) visit(t *tx, from, to keyspace.StreamID, reverse bool, f func(id keyspace.StreamID, fields [][]byte) bool) {
	if st.n == 0 || to.Less(from) {
		return
	}
	if reverse {
		st.visitBack(t, from, to, f)
		return
	}
	for _, r := range st.runs[st.run(from):] {
		for off := r.live; off < len(r.buf); {
			e := r.at(off)
			if to.Less(e.id) {
				return
			}
			off = e.next
			if e.flags&entryDeleted != 0 || e.id.Less(from) {
				continue
			}
			t.fields = r.fields(&e, t.fields[:0])
			if !f(e.id, t.fields) {
				return
			}
		}
	}
}

func (st *stream) visitBack(t *tx, from, to keyspace.StreamID, f func(id keyspace.StreamID, fields [][]byte) bool) {
	for i := st.run(to); i >= 0; i-- {
		r := st.runs[i]
		offsets := t.offsets[:0]
		for off := r.live; off < len(r.buf); {
			e := r.at(off)
			if to.Less(e.id) {
				break
			}
			if e.flags&entryDeleted == 0 {
				offsets = append(offsets, off)
			}
			off = e.next
		}
		t.offsets = offsets
		for _, off := range slices.Backward(offsets) {
			e := r.at(off)
			if e.id.Less(from) {
				return
			}
			t.fields = r.fields(&e, t.fields[:0])
			if !f(e.id, t.fields) {
				return
			}
		}
	}
}

// radixNodes counts the nodes of the radix tree that Redis would keep the runs in, by the bytes of their first ids: a node
// for each place where ids part, one for each stretch that they share, and one at the end of each.
func radixNodes(runs []*streamRun, depth int) int {
	const size = 16
	byteAt := func(r *streamRun, i int) byte {
		var key [size]byte
		binary.BigEndian.PutUint64(key[:], r.first.Ms)
		binary.BigEndian.PutUint64(key[8:], r.first.Seq)
		return key[i]
	}
	switch {
	case len(runs) == 0:
		return 1
	case len(runs) == 1 && depth == size:
		return 1
	case len(runs) == 1:
		return 2
	}
	nodes := 1
	shared := depth
	for byteAt(runs[0], shared) == byteAt(runs[len(runs)-1], shared) {
		shared++
	}
	if shared > depth {
		nodes++
	}
	for len(runs) > 0 {
		c := byteAt(runs[0], shared)
		k := sort.Search(len(runs), func(i int) bool { return byteAt(runs[i], shared) > c })
		nodes += radixNodes(runs[:k], shared+1)
		runs = runs[k:]
	}
	return nodes
}

// streamKey is the stream at a key in a transaction. It implements keyspace.StreamKey.
type streamKey struct {
	t      *tx
	key    []byte
	stream *stream // nil while the key is missing
}

// Stream implements keyspace.Tx.
func (t *tx) Stream(key []byte) (keyspace.StreamKey, error) {
	o, err := t.collection(key, keyspace.Stream)
	if err != nil {
		return nil, err
	}
	k := t.streams.next()
	*k = streamKey{t: t, key: key}
	k.stream, _ = o.(*stream)
	return k, nil
}

// create makes the stream if it is missing.
func (k *streamKey) create() {
	if k.stream == nil {
		k.stream = &stream{}
		k.t.create(k.key, keyspace.Stream, k.stream)
	}
}

// wrote ends a write of entries.
func (k *streamKey) wrote() {
	k.t.s.changed(k.t.number, k.key)
}

func (k *streamKey) Info() (i keyspace.StreamInfo, ok bool, err error) {
	st := k.stream
	if st == nil {
		return i, false, nil
	}
	return keyspace.StreamInfo{
		Len: st.n, First: st.first(), Last: st.last, MaxDeleted: st.maxDeleted, Added: st.added, Groups: len(st.groups),
	}, true, nil
}

func (k *streamKey) Layout() (runs, nodes int, err error) {
	if k.stream == nil {
		return 0, 0, nil
	}
	return len(k.stream.runs), radixNodes(k.stream.runs, 0), nil
}

func (k *streamKey) SetInfo(last, maxDeleted keyspace.StreamID, added uint64) error {
	k.create()
	k.stream.last, k.stream.maxDeleted, k.stream.added = last, maxDeleted, added
	return nil
}

func (k *streamKey) Append(id keyspace.StreamID, fields [][]byte, run keyspace.RunLimit) error {
	if k.stream == nil {
		k.create() // which tells that the key was written
	} else {
		k.wrote()
	}
	k.t.s.lift(k.stream)
	k.stream.append(id, fields, run)
	k.t.s.putBack(k.stream)
	return nil
}

func (k *streamKey) Range(from, to keyspace.StreamID, reverse bool, f func(id keyspace.StreamID, fields [][]byte) bool) error {
	if k.stream != nil {
		k.stream.visit(k.t, from, to, reverse, f)
	}
	return nil
}

func (k *streamKey) Get(ids []keyspace.StreamID, f func(i int, fields [][]byte)) error {
	for i, id := range ids {
		if k.stream != nil {
			if _, r, e := k.stream.find(id); r != nil {
				k.t.fields = r.fields(&e, k.t.fields[:0])
				f(i, k.t.fields)
				continue
			}
		}
		f(i, nil)
	}
	return nil
}

func (k *streamKey) Delete(ids []keyspace.StreamID, dst []bool) ([]bool, error) {
	deleted := false
	for _, id := range ids {
		ok := k.stream != nil && k.delete(id)
		deleted = deleted || ok
		dst = append(dst, ok)
	}
	if deleted {
		k.wrote()
	}
	return dst, nil
}

func (k *streamKey) delete(id keyspace.StreamID) bool {
	k.t.s.lift(k.stream)
	defer k.t.s.putBack(k.stream)
	return k.stream.delete(id)
}

func (k *streamKey) Trim(t *keyspace.StreamTrim) (removed int, err error) {
	if k.stream != nil {
		k.t.s.lift(k.stream)
		removed = k.stream.trim(t)
		k.t.s.putBack(k.stream)
	}
	if removed > 0 {
		k.wrote()
	}
	return removed, nil
}
