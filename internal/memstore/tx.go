package memstore

import (
	"math"
	"strconv"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

// tx is the transaction that runs, of which there is one.
type tx struct {
	s      *Store
	db     *database
	number int
	now    int64
	second uint32 // now in seconds, as far as a block keeps them
	memory *keyspace.Memory

	observer keyspace.Observer // nil: nobody
	looks    *keyspace.Lookup

	hashes  pool[hashKey]
	lists   pool[listKey]
	sets    pool[setKey]
	zsets   pool[zsetKey]
	streams pool[streamKey]

	released bool // some of them, before the end

	// What visitors of streams are given, and scratch for walking backwards.
	fields  [][]byte
	pending keyspace.Pending
	offsets []int
}

// pool hands out structs that live until the transaction ends or releases them, and keeps them for the next one.
type pool[T any] struct {
	all  []*T
	used int
	once int // how many were in use before they were released, at most
}

func (p *pool[T]) next() *T {
	if p.used == len(p.all) {
		p.all = append(p.all, new(T))
	}
	p.used++
	return p.all[p.used-1]
}

// release takes all structs back.
func (p *pool[T]) release() {
	p.once = max(p.once, p.used)
	p.used = 0
}

// reset takes all structs back, emptied: they name memory of the caller.
func (p *pool[T]) reset() {
	const most = 256 // what a full batch needs
	p.used, p.once = max(p.once, p.used), 0
	clear(p.all[min(most, p.used):p.used])
	if p.used > most {
		p.all = p.all[:most:most]
	}
	var zero T
	for _, x := range p.all[:min(most, p.used)] {
		*x = zero
	}
	p.used = 0
}

// start is the beginning of a transaction, begin that of its use of a database.
func (t *tx) start(db int, now int64, o keyspace.Observer) {
	t.begin(db, now)
	t.observer, t.looks, t.memory = o, &t.s.looks, t.s.memory.Load()
}

func (t *tx) begin(db int, now int64) {
	t.db, t.number, t.now, t.second = &t.s.dbs[db], db, now, uint32(now/1000)&secondsMask
}

// Release implements keyspace.Releaser.
func (t *tx) Release() {
	if t.handles() == 0 {
		return
	}
	t.released = true
	t.hashes.release()
	t.lists.release()
	t.sets.release()
	t.zsets.release()
	t.streams.release()
}

// handles is how many keys of collections are in use.
func (t *tx) handles() int {
	return t.hashes.used + t.lists.used + t.sets.used + t.zsets.used + t.streams.used
}

func (t *tx) end() {
	if t.released || t.handles() > 0 {
		t.released = false
		t.hashes.reset()
		t.lists.reset()
		t.sets.reset()
		t.zsets.reset()
		t.streams.reset()
		clear(t.fields)
		t.pending = keyspace.Pending{}
	}
}

// Settle implements keyspace.Tx.
func (t *tx) Settle() error {
	if len(t.s.ready) > 0 {
		t.s.serve()
	}
	return nil
}

// Commit implements keyspace.Tx.
func (t *tx) Commit() error {
	if len(t.s.ready) > 0 {
		t.s.serve()
	}
	t.end()
	if t.observer != nil {
		t.observer.Done(true)
		t.observer = nil
	}
	t.s.mu.Unlock()
	return nil
}

// Rollback implements keyspace.Tx. What was written stays, so those who wait for it have their turn.
func (t *tx) Rollback() { _ = t.Commit() } // which does not fail

// Observer implements keyspace.Guest.
func (t *tx) Observer() keyspace.Observer { return t.observer }

// Select implements keyspace.Tx.
func (t *tx) Select(db int) error {
	t.begin(db, t.now)
	return nil
}

// block is the memory of a block.
func (t *tx) block(r ref) []byte { return t.s.arena.block(r) }

// lookup returns the block of a key, or 0. A key that has expired is removed.
func (t *tx) lookup(key []byte) ref {
	r, _ := t.lookupHash(key)
	return r
}

// lookupHash is lookup that returns the hash of the key too.
func (t *tx) lookupHash(key []byte) (ref, uint64) {
	h := t.s.hash(key)
	r := t.db.keys.find(&t.s.arena, h, key)
	if r != 0 && t.block(r)[1]&(flagExpire|flagFields) != 0 && !t.live(key, h, r) {
		return 0, h
	}
	return r, h
}

// live removes what has expired of a key, and reports whether it is still there.
func (t *tx) live(key []byte, h uint64, r ref) bool {
	b := t.block(r)
	if b[1]&flagExpire != 0 && expireOf(b) <= t.now {
		if t.looks.Kept {
			return false
		}
		t.s.expired++
		t.remove(key, h)
		if t.observer != nil {
			t.observer.Note(t.number, key, "expired")
		}
		return false
	}
	if b[1]&flagFields == 0 {
		return true
	}
	x := t.s.object(b).(*hash)
	if x.times.next <= t.now {
		t.purge(key, h, x, purgeMost)
	}
	return x.len() > 0
}

// use is lookup that counts, as a use too.
func (t *tx) use(key []byte) ref {
	r := t.seen(key)
	if r != 0 && !t.looks.Unused {
		t.touch(t.block(r))
	}
	return r
}

// seen is lookup that counts.
func (t *tx) seen(key []byte) ref {
	r := t.lookup(key)
	switch {
	case !t.looks.Counts:
	case r != 0:
		t.s.hits++
	default:
		t.s.misses++
		if t.observer != nil {
			t.observer.Note(t.number, key, "keymiss")
		}
	}
	return r
}

// remove removes a key, which may have expired; false if it is missing.
func (t *tx) remove(key []byte, h uint64) bool {
	r := t.db.keys.remove(&t.s.arena, h, key)
	if r == 0 {
		return false
	}
	b := t.block(r)
	t.index(key, h, r, b[1], 0)
	t.s.changed(t.number, key)
	t.s.drop(b)
	t.s.arena.release(r)
	return true
}

// drop gives back what a key's block names besides itself.
func (s *Store) drop(b []byte) {
	if keyspace.Type(b[0]) == keyspace.String {
		return
	}
	handle := le.Uint32(valueOf(b))
	o := s.objects[handle]
	s.objects[handle] = nil
	s.lift(o)
	s.free = append(s.free, handle)
	if len(s.free) == len(s.objects) && len(s.free) > 1024 {
		s.objects, s.free = nil, nil
	}
	o.release(s)
}

// object is the collection that a key's block names.
func (s *Store) object(b []byte) object { return s.objects[le.Uint32(valueOf(b))] }

// store writes a key with a value, in place of the block old, which is 0 for a new key. spare is how much the value is
// expected to grow.
func (t *tx) store(key []byte, h uint64, old ref, hd head, value []byte, spare int) {
	a := &t.s.arena
	hd.flags |= flagAccess
	if old == 0 {
		hd.use = t.second<<countBits | newCount
	} else {
		hd.use = t.used(le.Uint32(t.block(old)[headBytes:]))
	}
	need := hd.layout(len(key), len(value))
	_, size := sizeClass(need)
	was := uint8(0)
	if old != 0 {
		was = t.block(old)[1]
	}
	if old != 0 && spare == 0 && a.size(old) == size {
		hd.write(t.block(old), key, value)
		t.index(key, h, old, was, hd.flags)
		t.s.changed(t.number, key)
		return
	}
	r := a.alloc(need + spare)
	hd.write(t.block(r), key, value)
	if old == 0 {
		t.db.keys.insert(a, t.s.seed, h, r)
		if t.observer != nil {
			t.observer.Note(t.number, key, "new")
		}
	} else {
		t.db.keys.replace(a, h, key, r)
		t.index(key, h, old, was, 0)
		was = 0
		a.release(old)
	}
	t.index(key, h, r, was, hd.flags)
	t.s.changed(t.number, key)
}

// index notes whether the key whose block is r expires, or fields of it, by what its flags were and are.
func (t *tx) index(key []byte, h uint64, r ref, was, is uint8) {
	if changed := was ^ is; changed&(flagExpire|flagFields) != 0 {
		t.enlist(&t.db.volatile, changed&flagExpire, key, h, r, is)
		t.enlist(&t.db.fields, changed&flagFields, key, h, r, is)
	}
}

// enlist puts a key into a table if it has a flag now, else takes it out; the flag is 0 where nothing has changed.
func (t *tx) enlist(list *table, flag uint8, key []byte, h uint64, r ref, is uint8) {
	switch {
	case flag == 0:
	case is&flag != 0:
		list.insert(&t.s.arena, t.s.seed, h, r)
	default:
		list.remove(&t.s.arena, h, key)
	}
}

// Entries implements keyspace.Tx.
func (t *tx) Entries(keys [][]byte, dst []keyspace.Entry) ([]keyspace.Entry, error) {
	for _, k := range keys {
		e := keyspace.Entry{}
		if r := t.seen(k); r != 0 {
			e = entryOf(t.block(r))
		}
		dst = append(dst, e)
	}
	return dst, nil
}

func entryOf(b []byte) keyspace.Entry {
	return keyspace.Entry{Type: keyspace.Type(b[0]), ExpireAt: expireOf(b)}
}

// embedded is the longest string that Redis keeps in one block with its object.
const embedded = 44

// Details implements keyspace.Tx.
func (t *tx) Details(key []byte) (d keyspace.Details, ok bool, err error) {
	r := t.lookup(key)
	if t.looks.Counts {
		t.s.hits += int64(btoi(r != 0))
		t.s.misses += int64(btoi(r == 0))
	}
	if r == 0 {
		return d, false, nil
	}
	b := t.block(r)
	use := le.Uint32(b[headBytes:])
	d.Idle, d.Freq = t.idle(use)*1000, t.count(use)
	if keyspace.Type(b[0]) != keyspace.String {
		d.Encoding = t.s.object(b).encoding()
		return d, true, nil
	}
	v := valueOf(b)
	_, number := resp.ParseInt(v)
	switch {
	case b[1]&flagRaw != 0:
		d.Encoding = "raw"
	case number:
		d.Encoding = "int"
	case len(v) <= embedded:
		d.Encoding = "embstr"
	default:
		d.Encoding = "raw"
	}
	return d, true, nil
}

// Touch implements keyspace.Tx.
func (t *tx) Touch(keys [][]byte) (n int, err error) {
	for _, k := range keys {
		if r := t.seen(k); r != 0 {
			t.touch(t.block(r))
			n++
		}
	}
	return n, nil
}

// Delete implements keyspace.Tx.
func (t *tx) Delete(keys [][]byte) (n int, err error) {
	for _, k := range keys {
		if r, h := t.lookupHash(k); r != 0 && t.remove(k, h) {
			n++
		}
	}
	return n, nil
}

// Expire implements keyspace.Tx.
func (t *tx) Expire(key []byte, at int64) (bool, error) {
	r, h := t.lookupHash(key)
	if r == 0 {
		return false, nil
	}
	hd := headOf(t.block(r))
	if hd.expire != 0 && at != 0 { // the block keeps its shape
		t.touch(t.block(r))
		le.PutUint64(t.block(r)[headBytes+4:], uint64(at))
		t.s.changed(t.number, key)
		return true, nil
	}
	if hd.expire != at {
		hd.expire = at
		t.store(key, h, r, hd, valueOf(t.block(r)), 0)
	}
	return true, nil
}

// Move implements keyspace.Tx.
func (t *tx) Move(src []byte, db int, dst []byte) (bool, error) {
	r, h := t.lookupHash(src)
	if r == 0 {
		return false, nil
	}
	if db == t.number && string(src) == string(dst) {
		return true, nil
	}
	// The collection changes hands: the old block goes without it.
	hd, value := headOf(t.block(r)), append([]byte(nil), valueOf(t.block(r))...)
	t.db.keys.remove(&t.s.arena, h, src)
	t.index(src, h, r, hd.flags, 0)
	t.s.changed(t.number, src)
	t.s.arena.release(r)
	t.place(db, dst, hd, value, true)
	return true, nil
}

// Copy implements keyspace.Tx.
func (t *tx) Copy(src []byte, db int, dst []byte) (bool, error) {
	r := t.lookup(src)
	if r == 0 {
		return false, nil
	}
	hd, value := headOf(t.block(r)), append([]byte(nil), valueOf(t.block(r))...)
	if keyspace.Type(hd.kind) != keyspace.String {
		le.PutUint32(value, t.s.keep(t.s.object(t.block(r)).copy(t.s)))
	}
	t.place(db, dst, hd, value, false)
	return true, nil
}

// place stores what was another key's under a name in a database, in place of what is there. What is moved and not copied
// was used as it was.
func (t *tx) place(db int, key []byte, hd head, value []byte, moved bool) {
	number := t.number
	t.begin(db, t.now)
	h := t.s.hash(key)
	t.remove(key, h)
	use := hd.use
	t.store(key, h, 0, hd, value, 0)
	if moved {
		le.PutUint32(t.block(t.db.keys.find(&t.s.arena, h, key))[headBytes:], t.used(use))
	}
	t.begin(number, t.now)
}

// Scan implements keyspace.Tx. What it meets that has expired is removed.
func (t *tx) Scan(cursor uint64, count int, f func(key []byte, e keyspace.Entry)) (uint64, error) {
	var due [][]byte
	next := t.db.keys.scan(cursor, count, func(r ref) {
		b := t.block(r)
		e := entryOf(b)
		if e.ExpireAt != 0 && e.ExpireAt <= t.now || b[1]&flagFields != 0 && t.s.object(b).(*hash).spent(t.now) {
			due = append(due, append([]byte(nil), nameOf(b)...))
			return
		}
		f(nameOf(b), e)
	})
	for _, key := range due {
		t.lookup(key)
	}
	return next, nil
}

// Random implements keyspace.Tx.
func (t *tx) Random() ([]byte, error) {
	for tries := 0; t.db.keys.n > 0; tries++ {
		if tries == 100 && t.looks.Kept {
			return t.anyLive(), nil
		}
		name := nameOf(t.block(t.db.keys.random(t.s.rng)))
		// A copy: a lookup that finds the key expired gives its block back.
		if key := append([]byte(nil), name...); t.lookup(key) != 0 {
			return key, nil
		}
	}
	return nil, nil
}

// anyLive is a key that has not expired; nil if there is none.
func (t *tx) anyLive() (key []byte) {
	t.db.keys.each(func(r ref) {
		if b := t.block(r); key == nil && !(b[1]&flagExpire != 0 && expireOf(b) <= t.now) {
			key = append([]byte(nil), nameOf(b)...)
		}
	})
	return key
}

// Len implements keyspace.Tx.
func (t *tx) Len() (keys, expiring int, err error) {
	return t.db.keys.n, t.db.volatile.n, nil
}

// Counts implements keyspace.Counter.
func (t *tx) Sweep(on bool) { t.s.unswept.Store(!on) }

func (t *tx) Counts() keyspace.Counts {
	return keyspace.Counts{Hits: t.s.hits, Misses: t.s.misses, Expired: t.s.expired, Evicted: t.s.evicted}
}

// Clear implements keyspace.Tx.
func (t *tx) Clear() error {
	t.s.changedAll(t.number)
	others := 0
	for i := range t.s.dbs {
		others += t.s.dbs[i].keys.n
	}
	if others == t.db.keys.n { // nothing else lives in the pages
		t.s.arena, t.s.heap, t.s.objects, t.s.free = arena{}, 0, nil, nil
	} else {
		t.db.keys.each(func(r ref) {
			t.s.drop(t.block(r))
			t.s.arena.release(r)
		})
	}
	*t.db = database{}
	return nil
}

// Swap implements keyspace.Tx.
func (t *tx) Swap(a, b int) error {
	t.s.changedAll(a, b)
	t.s.dbs[a], t.s.dbs[b] = t.s.dbs[b], t.s.dbs[a]
	return nil
}

// Get implements keyspace.Tx.
func (t *tx) Get(keys, dst [][]byte) (_ [][]byte, err error) {
	for _, k := range keys {
		r := t.use(k)
		if r == 0 {
			dst = append(dst, nil)
			continue
		}
		b := t.block(r)
		if keyspace.Type(b[0]) != keyspace.String {
			err = keyspace.ErrWrongType
			dst = append(dst, nil)
			continue
		}
		dst = append(dst, valueOf(b))
	}
	return dst, err
}

// Put implements keyspace.Tx.
func (t *tx) Put(pairs [][]byte, at int64) error {
	for i := 0; i < len(pairs); i += 2 {
		key, value := pairs[i], pairs[i+1]
		hd := head{kind: uint8(keyspace.String), expire: at}
		r, h := t.lookupHash(key)
		if at == keyspace.KeepTTL {
			hd.expire = 0
			if r != 0 {
				hd.expire = expireOf(t.block(r))
			}
		}
		if r != 0 && keyspace.Type(t.block(r)[0]) != keyspace.String {
			t.s.drop(t.block(r))
		}
		t.store(key, h, r, hd, value, 0)
	}
	return nil
}

// str returns the block of a string and its value: 0 and nil if it is missing.
func (t *tx) str(key []byte) (r ref, h uint64, value []byte, err error) {
	r, h = t.lookupHash(key)
	if r == 0 {
		return 0, h, nil, nil
	}
	b := t.block(r)
	if keyspace.Type(b[0]) != keyspace.String {
		return r, h, nil, keyspace.ErrWrongType
	}
	return r, h, valueOf(b), nil
}

// Add implements keyspace.Tx.
func (t *tx) Add(key []byte, delta int64) (int64, error) {
	r, h, old, err := t.str(key)
	if err != nil {
		return 0, err
	}
	n := int64(0)
	hd := head{kind: uint8(keyspace.String)}
	if r != 0 {
		var ok bool
		if n, ok = resp.ParseInt(old); !ok {
			return 0, keyspace.ErrNotInteger
		}
		hd.expire = expireOf(t.block(r))
	}
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
		return 0, keyspace.ErrOverflow
	}
	n += delta
	var digits [20]byte
	t.store(key, h, r, hd, strconv.AppendInt(digits[:0], n, 10), 0)
	return n, nil
}

// Append implements keyspace.Tx.
func (t *tx) Append(key, value []byte) (int, error) {
	r, _, old, err := t.str(key)
	if err != nil {
		return 0, err
	}
	if r == 0 {
		return len(value), t.Put([][]byte{key, value}, keyspace.Never)
	}
	return t.SetRange(key, len(old), value)
}

// SetRange implements keyspace.Tx.
func (t *tx) SetRange(key []byte, offset int, value []byte) (int, error) {
	r, h, old, err := t.str(key)
	if err != nil {
		return 0, err
	}
	n := max(len(old), offset+len(value))
	if r == 0 && n == 0 {
		return 0, nil
	}
	hd := head{kind: uint8(keyspace.String)}
	if r != 0 {
		hd = headOf(t.block(r))
	}
	hd.flags |= flagRaw
	if n > len(old) {
		// Room to grow, so that appending byte by byte does not copy the string each time.
		spare := 0
		if r != 0 && t.s.arena.size(r) < hd.layout(len(key), n) {
			spare = min(n, 1<<20)
		}
		was := r
		if r = t.grow(key, h, r, hd, old, n, spare); r == was {
			t.touch(t.block(r))
		}
	} else {
		t.touch(t.block(r))
	}
	b := t.block(r)
	b[1] |= flagRaw
	v := valueOf(b)
	if offset > len(old) {
		clear(v[len(old):offset])
	}
	copy(v[offset:], value)
	t.s.changed(t.number, key)
	return n, nil
}

// grow makes the string at a key n bytes long and returns its block; the new ones hold rubbish.
func (t *tx) grow(key []byte, h uint64, r ref, hd head, old []byte, n, spare int) ref {
	if r == 0 || t.s.arena.size(r) < hd.layout(len(key), n) {
		t.store(key, h, r, hd, old, n-len(old)+spare)
		r = t.db.keys.find(&t.s.arena, h, key)
	}
	le.PutUint32(t.block(r)[4:], uint32(n))
	return r
}
