package memstore

import (
	"context"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// Options of a Store.
type Options struct {
	// Now is the clock by which keys are swept that nobody asks for, in milliseconds since 1970. nil: such
	// keys stay until they are asked for.
	Now func() int64
	// Seed makes the random choices repeatable; default 0: they are not.
	Seed uint64
}

// Store is a keyspace in memory. It is safe for concurrent use: one transaction runs at a time.
type Store struct {
	mu gate // guards everything below; held from Begin to Commit or Rollback

	closed  bool
	arena   arena
	heap    int // the scale: bytes of collections besides their blocks
	seed    maphash.Seed
	rng     *rand.Rand
	dbs     [keyspace.Databases]database
	objects []object // collections by handle
	free    []uint32 // handles without a collection
	watched map[watchKey]*watchState
	seq     uint64 // counts changes of watched keys
	waiting map[watchKey]*line
	ready   []*line // lines whose key was written and whose turn has not come yet
	expired int64   // keys that expired, in all,
	evicted int64   // and those that gave way
	hits    int64   // lookups that count, of keys that were there
	misses  int64   // and that were not

	candidates []candidate // to give way, the best last
	turnDB     int         // the database whose turn it is to lose a key, where any goes

	tx      tx
	scratch []byte
	watcher keyspace.Observer // of transactions that have none

	looks keyspace.Lookup // of transactions that say nothing of it

	limits  atomic.Pointer[keyspace.Limits] // set without the lock: a transaction may be where that comes from
	memory  atomic.Pointer[keyspace.Memory] // as limits
	unswept atomic.Bool                     // nobody sweeps
	kept    atomic.Bool                     // as limits: nothing is removed between transactions
	now     func() int64
	cut     func() <-chan struct{} // as keyspace.Cuttable has it; nil: nothing cuts a wait short
	stop    chan struct{}          // closed by Close
	sweeper sync.WaitGroup
}

// database is a numbered database.
type database struct {
	keys     table
	volatile table // those of them that expire
	fields   table // those of them with fields that expire

	swept, sweptFields uint64 // how far the sweeper is in volatile and in fields
}

// object is a collection that a key's block names by its handle.
type object interface {
	// release gives the blocks of the collection back.
	release(s *Store)
	// copy returns a collection of its own with the same contents.
	copy(s *Store) object
	// encoding is Redis's name of the representation.
	encoding() string
	// heap is how many bytes it takes besides blocks.
	heap() int
}

// How the sweeper looks for expired keys: some 160,000 a second of each database, at a few percent of a processor.
const (
	sweepEvery = 100 * time.Millisecond
	sweepBatch = 64  // keys looked at while the lock is held, which others wait for
	sweepMost  = 256 // batches in a row
)

// New returns an empty store.
func New(o Options) *Store {
	s := &Store{mu: newGate(), seed: maphash.MakeSeed(), now: o.Now, stop: make(chan struct{}),
		watched: map[watchKey]*watchState{}, waiting: map[watchKey]*line{}}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	s.rng = rand.New(rand.NewPCG(o.Seed, o.Seed))
	s.tx.s = s
	s.limits.Store(keyspace.DefaultLimits())
	s.SetMemory(defaultMemory())
	if s.now != nil {
		s.sweeper.Go(s.sweep)
	}
	return s
}

// Close implements keyspace.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.stop)
	for _, l := range s.waiting {
		for _, w := range l.waiters {
			w.end(keyspace.ErrClosed)
		}
	}
	s.arena, s.objects, s.free, s.watched, s.waiting, s.ready = arena{}, nil, nil, nil, nil, nil
	s.dbs, s.heap = [keyspace.Databases]database{}, 0
	s.mu.Unlock()
	s.sweeper.Wait()
	return nil
}

// Begin implements keyspace.Store.
func (s *Store) Begin(ctx context.Context, a keyspace.Access) (keyspace.Tx, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if !s.mu.TryLock() {
		if a.Lookup != nil {
			a.Lookup.Waited = true
		}
		if err := s.mu.enter(ctx, s.cut); err != nil {
			return nil, err
		}
	}
	if s.closed {
		s.mu.Unlock()
		return nil, keyspace.ErrClosed
	}
	if a.Observer == nil {
		a.Observer = s.watcher
	}
	s.tx.start(a.DB, a.Now, a.Observer)
	if a.Lookup != nil {
		s.tx.looks = a.Lookup
	}
	return &s.tx, nil
}

// CutBy implements keyspace.Cuttable.
func (s *Store) CutBy(cut func() <-chan struct{}) { s.cut = cut }

// Observe implements keyspace.Observed.
func (s *Store) Observe(o keyspace.Observer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watcher = o
}

// Keep implements keyspace.Keeper.
func (s *Store) Keep(on bool) { s.kept.Store(on) }

// Expired is how many keys have expired since the store was made.
func (s *Store) Expired() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expired
}

// Bytes is how much memory the blocks of all keys take.
func (s *Store) Bytes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arena.bytes
}

// sweep removes expired keys, and fields of hashes, until the store is closed: a few at a time, more while many of those that it
// looks at are expired.
func (s *Store) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		if s.unswept.Load() {
			continue
		}
		for db := range keyspace.Databases {
			for batch := 0; batch < sweepMost && s.sweepSome(db); batch++ {
			}
			for batch := 0; batch < sweepMost && s.sweepFields(db); batch++ {
			}
		}
		for batch := 0; batch < sweepMost && s.relieve(); batch++ {
		}
	}
}

// sweepSome looks at a few of the keys of a database that expire, and reports whether more are worth a look.
func (s *Store) sweepSome(db int) (more bool) {
	s.mu.Lock()
	d := &s.dbs[db]
	if s.closed || s.kept.Load() || d.volatile.n == 0 {
		s.mu.Unlock()
		return false
	}
	s.tx.start(db, s.now(), s.watcher)
	defer s.tx.Commit()
	var due [][]byte
	seen := 0
	d.swept = d.volatile.scan(d.swept, sweepBatch, func(r ref) {
		seen++
		if b := s.arena.block(r); expireOf(b) <= s.tx.now {
			due = append(due, append([]byte(nil), nameOf(b)...))
		}
	})
	for _, key := range due {
		s.tx.lookup(key) // which removes what is expired
	}
	s.took("expire-cycle", s.tx.now)
	return len(due)*10 > seen
}

// clock is the time in milliseconds; 0 if nobody said what it is.
func (s *Store) clock() int64 {
	if s.now == nil {
		return 0
	}
	return s.now()
}

// took tells of what the store has done of its own accord since a time.
func (s *Store) took(event string, since int64) {
	if ms := s.clock() - since; ms > 0 {
		if o, ok := s.watcher.(keyspace.Timed); ok {
			o.Took(event, ms)
		}
	}
}

// sweepFields looks at a few of the hashes of a database that have fields that expire, and reports whether more are worth a look.
func (s *Store) sweepFields(db int) (more bool) {
	s.mu.Lock()
	d := &s.dbs[db]
	if s.closed || s.kept.Load() || d.fields.n == 0 {
		s.mu.Unlock()
		return false
	}
	s.tx.start(db, s.now(), s.watcher)
	defer s.tx.Commit()
	var due [][]byte
	seen := 0
	next := d.fields.scan(d.sweptFields, sweepBatch, func(r ref) {
		seen++
		b := s.arena.block(r)
		if at := expireOf(b); at != 0 && at <= s.tx.now {
			return // all of it, and not for us
		}
		if s.object(b).(*hash).times.next <= s.tx.now {
			due = append(due, append([]byte(nil), nameOf(b)...))
		}
	})
	quota := purgeMost
	for _, key := range due {
		sum := s.hash(key)
		b := s.arena.block(d.keys.find(&s.arena, sum, key))
		quota -= s.tx.purge(key, sum, s.object(b).(*hash), quota)
		if quota <= 0 {
			return true // from here on
		}
	}
	d.sweptFields = next
	return len(due)*10 > seen
}

type watchKey struct {
	db  int
	key string
}

// watchState is what the watches of one key share.
type watchState struct {
	watches int
	seq     uint64 // of the last change
}

// watch implements keyspace.Watch.
type watch struct {
	s    *Store
	keys []watchKey
	at   uint64 // changes after it count
}

// Watch implements keyspace.Store.
func (s *Store) Watch(ctx context.Context, db int, keys [][]byte, now int64) (keyspace.Watch, error) {
	t, err := s.Begin(ctx, keyspace.Access{DB: db, Now: now})
	if err != nil {
		return nil, err
	}
	defer t.Rollback()
	for _, k := range keys {
		s.tx.lookup(k) // what has expired already is no change later
	}
	w := &watch{s: s, at: s.seq}
	for _, k := range keys {
		wk := watchKey{db, string(k)}
		state := s.watched[wk]
		if state == nil {
			state = &watchState{}
			s.watched[wk] = state
		}
		state.watches++
		w.keys = append(w.keys, wk)
	}
	return w, nil
}

// Changed implements keyspace.Watch.
func (w *watch) Changed(keyspace.Tx) (bool, error) {
	t := &w.s.tx
	selected := t.number
	defer func() { t.begin(selected, t.now) }()
	for _, k := range w.keys {
		t.begin(k.db, t.now)
		t.lookup([]byte(k.key)) // an expiry is a change
		if w.s.watched[k].seq > w.at {
			return true, nil
		}
	}
	return false, nil
}

// Release implements keyspace.Watch.
func (w *watch) Release() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, k := range w.keys {
		if state := w.s.watched[k]; state != nil {
			if state.watches--; state.watches == 0 {
				delete(w.s.watched, k)
			}
		}
	}
	w.keys = nil
}

// changed notes that a key was written, for those who observe, watch it or wait for it.
func (s *Store) changed(db int, key []byte) {
	if s.tx.observer != nil {
		s.tx.observer.Note(db, key, "")
	}
	if len(s.watched)+len(s.waiting) == 0 {
		return
	}
	if state := s.watched[watchKey{db, string(key)}]; state != nil {
		s.seq++
		state.seq = s.seq
	}
	if l := s.waiting[watchKey{db, string(key)}]; l != nil {
		s.turn(l)
	}
}

// changedAll notes that whole databases were written: the watched keys that are there count as changed, and the turn of all
// who wait has come.
func (s *Store) changedAll(dbs ...int) {
	if s.tx.observer != nil {
		for _, db := range dbs {
			s.tx.observer.Note(db, nil, "")
		}
	}
	for k, l := range s.waiting {
		if slices.Contains(dbs, k.db) {
			s.turn(l)
		}
	}
	selected := s.tx.number
	for k, state := range s.watched {
		if !slices.Contains(dbs, k.db) {
			continue
		}
		name := []byte(k.key)
		for _, db := range dbs {
			s.tx.begin(db, s.tx.now)
			if s.tx.lookup(name) != 0 { // what has expired is no change
				s.seq++
				state.seq = s.seq
			}
		}
	}
	s.tx.begin(selected, s.tx.now)
}

func (s *Store) hash(name []byte) uint64 { return maphash.Bytes(s.seed, name) }

// keep stores a collection and returns its handle.
func (s *Store) keep(o object) uint32 {
	s.putBack(o)
	if n := len(s.free); n > 0 {
		h := s.free[n-1]
		s.free = s.free[:n-1]
		s.objects[h] = o
		return h
	}
	s.objects = append(s.objects, o)
	return uint32(len(s.objects) - 1)
}
