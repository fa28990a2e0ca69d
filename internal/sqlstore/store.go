// Package sqlstore keeps keys in the tables of an SQL database. Here is what all databases have in common; a Driver speaks to one.
//
// Whoever writes is alone: transactions that write come one after the other. Those that read have connections of their own.
package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// Options of a Store.
type Options struct {
	// Now is the clock by which keys are swept that nobody asks for, in milliseconds since 1970. nil: such keys stay until they
	// are asked for.
	Now func() int64
	// Readers is how many connections read at a time; default 4.
	Readers int
	// Seed makes the random choices repeatable; default 0: they are not.
	Seed uint64
	// ReadOnly refuses transactions that write, and makes no tables; default false.
	ReadOnly bool
}

// Store is a keyspace in a database. It is safe for concurrent use.
type Store struct {
	turn    chan struct{} // holds a token while nobody writes
	readers chan Conn     // those that are free; nil where who reads takes the writer's turn
	all     []Conn        // all connections, to be closed
	dialect *Dialect

	// Guarded by the writer's turn.
	writer Conn
	tx     *tx
	serial serial
	rng    *rand.Rand
	closed bool
	group  *group   // transactions that wait to be committed with the next one; nil: none do
	ready  []*line  // lines whose key was written and whose turn has not come yet
	served []served // who got what was written

	queue    queue    // those who wait for the writer's turn
	exchange exchange // with other processes

	mu      sync.Mutex // guards watched and waiting; taken last
	watched map[watchKey]*watchState
	changes uint64 // of watched keys
	waiting map[watchKey]*line
	lively  atomic.Int32 // how many keys are watched or waited for

	hits, misses, expired atomic.Int64
	observer              atomic.Pointer[keyspace.Observer]
	limits                atomic.Pointer[keyspace.Limits]
	unswept, kept         atomic.Bool
	due                   atomic.Int64 // no key that this process has written expires before
	free                  sync.Pool    // of *tx that read
	cut                   func() <-chan struct{}
	now                   func() int64
	readOnly              bool
	inner                 bool  // its transactions are savepoints in one of the program's own
	block                 int64 // how many numbers are taken at once
	stop                  chan struct{}
	waits                 chan struct{} // holds a token when somebody has begun to wait, or to listen
	chores                sync.WaitGroup
}

// Open opens the keyspace of a database, whose tables it makes if they are not there.
func Open(ctx context.Context, d Driver, o Options) (*Store, error) {
	s := newStore(d.Dialect(), o)
	var err error
	if s.writer, err = d.Open(ctx, true); err != nil {
		return nil, err
	}
	s.all = append(s.all, s.writer)
	if err := migrate(s.writer, s.dialect, o.ReadOnly); err != nil {
		return nil, errors.Join(fmt.Errorf("make the tables: %w", err), s.closeAll())
	}
	if d.Shares() {
		if err := s.openReaders(ctx, d, o.Readers); err != nil {
			return nil, errors.Join(err, s.closeAll())
		}
	}
	s.turn <- struct{}{}
	if s.now != nil && !s.readOnly {
		s.chores.Go(s.sweep)
		if d.Shares() {
			s.exchange.process = newProcess()
			s.chores.Go(func() { s.listen(d) })
		}
	}
	return s, nil
}

// newStore is one without connections.
func newStore(d *Dialect, o Options) *Store {
	s := &Store{dialect: d, block: serialBlock, turn: make(chan struct{}, 1), stop: make(chan struct{}), waits: make(chan struct{}, 1), now: o.Now, readOnly: o.ReadOnly, watched: map[watchKey]*watchState{}, waiting: map[watchKey]*line{}}
	seed := o.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	s.rng = rand.New(rand.NewPCG(seed, seed))
	s.limits.Store(keyspace.DefaultLimits())
	s.due.Store(math.MaxInt64)
	s.tx = &tx{s: s, write: true}
	return s
}

// openReaders opens the connections that read.
func (s *Store) openReaders(ctx context.Context, d Driver, n int) error {
	if n == 0 {
		n = 4
	}
	s.readers = make(chan Conn, n)
	for range n {
		c, err := d.Open(ctx, false)
		if err != nil {
			return err
		}
		s.all = append(s.all, c)
		s.readers <- c
	}
	return nil
}

// Close implements keyspace.Store.
func (s *Store) Close() error {
	s.depart()
	<-s.turn
	if s.closed {
		s.turn <- struct{}{}
		return nil
	}
	err := s.end()
	s.closed = true
	close(s.stop)
	s.mu.Lock()
	for _, l := range s.waiting {
		for _, w := range l.waiters {
			w.end(keyspace.ErrClosed)
		}
	}
	clear(s.waiting)
	s.mu.Unlock()
	s.turn <- struct{}{}
	for range cap(s.readers) {
		<-s.readers // those that read are finished first
	}
	s.chores.Wait()
	return errors.Join(err, s.closeAll())
}

func (s *Store) closeAll() error {
	var err error
	for i := len(s.all) - 1; i >= 0; i-- { // the writer last: it may have to put things in order
		err = errors.Join(err, s.all[i].Close())
	}
	return err
}

// Begin implements keyspace.Store.
func (s *Store) Begin(ctx context.Context, a keyspace.Access) (keyspace.Tx, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if a.Observer == nil && (a.Write || s.readers == nil) { // of what is only read there is nothing to tell
		if o := s.observer.Load(); o != nil {
			a.Observer, a.Alone = *o, true // it waits for all who were before it, so none of them may wait for this
		}
	}
	if !a.Write && s.readers != nil {
		return s.beginRead(ctx, a)
	}
	if a.Write && s.readOnly {
		return nil, keyspace.ErrReadOnly
	}
	keys := s.keysOf(a)
	select {
	case <-s.turn:
	default:
		if a.Lookup != nil {
			a.Lookup.Waited = true
		}
		q := s.queue.join(keys)
		err := s.await(ctx)
		s.queue.leave(q)
		if err != nil {
			s.commitForOthers()
			return nil, err
		}
		keys = q.keys
	}
	if s.closed {
		s.turn <- struct{}{}
		return nil, keyspace.ErrClosed
	}
	return s.beginWrite(a, keys)
}

// beginWrite begins a transaction that writes, or adds to one. The turn is taken, and given back if it fails.
func (s *Store) beginWrite(a keyspace.Access, keys []watchKey) (keyspace.Tx, error) {
	if s.group != nil && a.Alone {
		_ = s.end() // those who are in it are told
	}
	t := s.tx
	t.alone = a.Alone || s.inner
	t.start(a)
	keys = s.queue.take(keys)
	if s.group != nil {
		if err := t.fetch(keys); err != nil {
			t.wrote = true // in vain, for the others too
			t.Rollback()
			return nil, err
		}
		return t, nil
	}
	err := s.writer.Begin(true)
	if err == nil { // nobody else writes from here on
		t.conn = s.writer
		err = t.heed(func() error { return t.fetch(keys) })
	}
	if err != nil {
		s.serial = serial{} // the database may be another one than that which has given the numbers away
		t.Rollback()
		return nil, err
	}
	return t, nil
}

// NeedKeys implements keyspace.KeyNeeder.
func (s *Store) NeedKeys() bool { return s.dialect.remote }

// keysOf are the keys that a transaction is going to touch, if that is of use.
func (s *Store) keysOf(a keyspace.Access) (keys []watchKey) {
	if s.dialect.remote {
		for _, k := range a.Keys {
			keys = append(keys, watchKey{a.DB, string(k)})
		}
	}
	return keys
}

// await waits for the writer's turn.
func (s *Store) await(ctx context.Context) error {
	var cut <-chan struct{}
	if s.cut != nil {
		cut = s.cut()
	}
	select {
	case <-s.turn:
		return nil
	case <-cut:
		return keyspace.ErrCut
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Store) beginRead(ctx context.Context, a keyspace.Access) (keyspace.Tx, error) {
	t, _ := s.free.Get().(*tx)
	if t == nil {
		t = &tx{s: s}
	}
	select {
	case t.conn = <-s.readers:
	case <-s.stop:
		return nil, keyspace.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case <-s.stop:
		s.readers <- t.conn
		return nil, keyspace.ErrClosed
	default:
	}
	if err := t.conn.Begin(false); err != nil {
		s.readers <- t.conn
		return nil, err
	}
	t.start(a)
	if err := t.fetch(s.keysOf(a)); err != nil {
		t.Rollback()
		return nil, err
	}
	return t, nil
}

// CutBy implements keyspace.Cuttable.
func (s *Store) CutBy(cut func() <-chan struct{}) { s.cut = cut }

// Observe implements keyspace.Observed.
func (s *Store) Observe(o keyspace.Observer) { s.observer.Store(&o) }

// Keep implements keyspace.Keeper.
func (s *Store) Keep(on bool) { s.kept.Store(on) }

// serial hands out numbers that no other key, of any process, has had: in blocks, which the database knows of.
type serial struct{ next, end int64 }

// serialBlock is how many numbers are taken at once by a store that has its own transactions.
const serialBlock = 1 << 12

// number returns the next one.
func (t *tx) number() (int64, error) {
	n := &t.s.serial
	if n.next == n.end {
		if _, err := t.exec(takeSerial, integer(t.s.block)); err != nil {
			return 0, err
		}
		end, err := t.one(getSerial)
		if err != nil {
			return 0, err
		}
		n.end = end
		n.next = n.end - t.s.block
	}
	n.next++
	return n.next, nil
}

// How expired keys, and what is left of collections, are swept.
const (
	sweepEvery = 100 * time.Millisecond // if there may be something
	sweepIdle  = 10                     // times that; what other processes leave is not known of
	sweepBatch = 64                     // keys, a thousand fields and a thousand elements of collections, while others wait
	sweepMost  = 64                     // batches in a row
)

// sweep removes what has expired and what nobody names any more, in small steps, until the store is closed.
func (s *Store) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for idle := 0; ; idle++ {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		if due := s.due.Load(); due <= s.now() {
			s.due.CompareAndSwap(due, math.MaxInt64)
		} else if idle < sweepIdle {
			continue
		}
		idle = 0
		if !s.littered() {
			continue
		}
		for batch := 0; batch < sweepMost && s.sweepSome(); batch++ {
		}
		s.expects(s.now()) // what was not swept now
	}
}

// expects notes that something is to be swept at a time, in milliseconds since 1970.
func (s *Store) expects(at int64) {
	for due := s.due.Load(); at < due && !s.due.CompareAndSwap(due, at); due = s.due.Load() {
	}
}

// littered reports whether there is something to be swept. It only reads: to write would keep other processes from it.
func (s *Store) littered() bool {
	k, err := s.Begin(context.Background(), keyspace.Access{Now: s.now()})
	if err != nil {
		return false
	}
	t := k.(*tx)
	defer t.Rollback()
	if n, err := t.one(litter, integer(t.now), integer(t.now), integer(t.now), integer(t.now-newsKept)); err == nil {
		return n != 0
	}
	return false
}

var (
	dueKeys = query(`SELECT db, name FROM redbud_key WHERE expire_at <= ? LIMIT 64`)
	litter  = query(`SELECT EXISTS (SELECT 1 FROM redbud_key WHERE expire_at <= ?) OR EXISTS (SELECT 1 FROM redbud_key WHERE next_at <= ?) OR EXISTS (SELECT 1 FROM redbud_orphan)
		OR EXISTS (SELECT 1 FROM redbud_listener WHERE until <= ?) OR EXISTS (SELECT 1 FROM (SELECT at FROM redbud_news ORDER BY id LIMIT 1) AS oldest WHERE at <= ?)`)
	orphans = query(`SELECT collection, type FROM redbud_orphan LIMIT 1`)
	found   = query(`DELETE FROM redbud_orphan WHERE collection = ?`)
)

// sweepSome removes a few keys that have expired, or a few elements of a collection that no key names. It reports whether there may
// be more. A failure is left to whoever uses the database next.
func (s *Store) sweepSome() (more bool) {
	k, err := s.Begin(context.Background(), keyspace.Access{Now: s.now(), Write: true})
	if err != nil {
		return false
	}
	t := k.(*tx)
	if more, err = t.sweepSome(); err != nil {
		t.Rollback()
		return false
	}
	return t.Commit() == nil && more
}

func (t *tx) sweepSome() (more bool, err error) {
	if !t.s.unswept.Load() && !t.s.kept.Load() {
		due, err := t.due(dueKeys)
		if err != nil {
			return false, err
		}
		for _, k := range due {
			t.db = k.db
			if _, err := t.find([]byte(k.key)); err != nil { // which removes what is expired
				return false, err
			}
		}
		fields, err := t.sweepFields()
		if err != nil {
			return false, err
		}
		more = fields || len(due) == sweepBatch
	}
	old, err := t.sweepNews()
	if err != nil {
		return false, err
	}
	more = more || old
	left, typ := int64(0), keyspace.None
	if _, err := t.run(orphans, nil, func(_ int, r Row) error {
		left, typ = r.Int(0), keyspace.Type(r.Int(1))
		return nil
	}); err != nil || left == 0 {
		return more, err
	}
	room := int64(1000)
	for _, q := range tables[typ].clearSome {
		n, err := t.exec(q, integer(left), integer(room))
		if err != nil {
			return true, err
		}
		if room -= n; room == 0 {
			return true, nil
		}
	}
	_, err = t.exec(found, integer(left))
	return true, err
}

// due are keys that a statement names, as long as they are few: those that something of has expired.
func (t *tx) due(q *Query) (keys []watchKey, err error) {
	_, err = t.run(q, []Value{integer(t.now)}, func(_ int, r Row) error {
		keys = append(keys, watchKey{int(r.Int(0)), string(r.Bytes(1))})
		return nil
	})
	return keys, err
}
