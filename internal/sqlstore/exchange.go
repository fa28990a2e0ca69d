package sqlstore

import (
	"context"
	"math"
	"sync"
	"sync/atomic"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// How long what processes tell each other is good, in milliseconds.
const (
	listenerLife  = 20_000 // of a process that does not renew its row
	listenerRenew = 5_000
	newsKept      = 60_000 // more than a listener's life: whoever comes too late for something knows that it does
)

// newsBatch is how many news are read, or swept, at a time.
const newsBatch = 256

// exchange is what this process tells the others on its database, and what it hears of them: rows of redbud_news, of transactions of
// those that write, for those that have a row in redbud_listener. Without listeners nothing is written.
type exchange struct {
	peer    keyspace.Peer // nil: there is nobody to tell or to hear
	process int64         // the number of this one; 0: no other has the database

	// Guarded by the writer's turn.
	version int64  // of the database when wanted was read
	wanted  uint64 // what others want to hear of
	until   int64  // when wanted has to be read again in any case: a row runs out

	joining sync.Mutex    // held while the row is written; taken before the writer's turn
	known   atomic.Uint64 // what the row says; 0: there is none
	renewed int64         // when the row was written; guarded by joining
	left    bool          // there will be no row any more; guarded by joining
	last    int64         // the news up to here were heard; while there is a row it belongs to Store.listen
}

var (
	listeners      = query(`SELECT interest, until FROM redbud_listener WHERE process <> ? AND until > ?`)
	listenerKeep   = query(`UPDATE redbud_listener SET until = ?, interest = ? WHERE process = ? AND until > ?`)
	listenerNew    = query(`INSERT INTO redbud_listener (process, until, interest) VALUES (?, ?, ?)`)
	listenerDelete = query(`DELETE FROM redbud_listener WHERE process = ?`)
	listenersSweep = query(`DELETE FROM redbud_listener WHERE until <= ?`)

	newsAdd   = query(`INSERT INTO redbud_news (process, at, body) VALUES (?, ?, ?)`)
	newsLast  = query(`SELECT coalesce(max(id), 0) FROM redbud_news`)
	newsSince = query(`SELECT id, process, body FROM redbud_news WHERE id > ? ORDER BY id LIMIT ?`)
	newsSweep = query(`DELETE FROM redbud_news WHERE at <= ? AND id IN (SELECT id FROM (SELECT id FROM redbud_news ORDER BY id LIMIT ?) AS oldest)`)
)

// Share implements keyspace.Shared.
func (s *Store) Share(p keyspace.Peer) {
	<-s.turn
	defer s.giveTurn()
	if s.exchange.process != 0 {
		s.exchange.peer = p
	}
}

// heed reads what others want to hear of, if that may be something else than before, and then calls read: in one round trip, where
// there is one.
func (t *tx) heed(read func() error) error {
	x := &t.s.exchange
	if x.peer == nil {
		return read()
	}
	version, err := t.conn.Version()
	if err != nil {
		return err
	}
	if version == x.version && t.now < x.until {
		return read()
	}
	wanted, until := uint64(0), int64(math.MaxInt64)
	if err := t.conn.Later(listeners, []Value{integer(x.process), integer(t.now)}, func(_ int, r Row) error {
		wanted |= uint64(r.Int(0))
		until = min(until, r.Int(1))
		return nil
	}); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	if err := t.conn.Settle(); err != nil {
		return err
	}
	if wanted != x.wanted {
		x.peer.Wanted(wanted)
	}
	x.version, x.wanted, x.until = version, wanted, until
	return nil
}

// record leaves others what they want to hear of the transaction.
func (t *tx) record() error {
	if t.s.exchange.wanted == 0 {
		return nil
	}
	r, ok := t.observer.(keyspace.Recorder)
	if !ok {
		return nil
	}
	body := r.Record()
	if len(body) == 0 {
		return nil
	}
	return t.later(newsAdd, integer(t.s.exchange.process), integer(t.now), blob(body))
}

// Join implements keyspace.Shared. What is not wanted any more goes from the row when it is renewed.
func (s *Store) Join(ctx context.Context) error {
	x := &s.exchange
	switch {
	case x.peer == nil || x.peer.Wants()&^x.known.Load() == 0:
		return nil
	case s.inner:
		return keyspace.ErrDeaf
	}
	x.joining.Lock()
	defer x.joining.Unlock()
	known := x.known.Load()
	wants := x.peer.Wants() | known
	switch {
	case wants == known:
		return nil
	case x.left:
		return keyspace.ErrClosed
	}
	if _, err := s.announce(ctx, wants); err != nil {
		return err
	}
	s.attend()
	return nil
}

// renew writes the row again from time to time, without what is not wanted any more. A failure is left to the next time.
func (s *Store) renew() {
	x := &s.exchange
	if x.known.Load() == 0 {
		return
	}
	if lost := func() bool {
		x.joining.Lock()
		defer x.joining.Unlock()
		wants := x.peer.Wants()
		if x.left || wants == x.known.Load() && s.now() < x.renewed+listenerRenew {
			return false
		}
		lost, err := s.announce(context.Background(), wants)
		return err == nil && lost
	}(); lost {
		x.peer.Hear(nil)
	}
}

// depart ends the listening for good.
func (s *Store) depart() {
	x := &s.exchange
	x.joining.Lock()
	defer x.joining.Unlock()
	x.left = true
	if x.known.Load() != 0 {
		_, _ = s.announce(context.Background(), 0) // else the row runs out by itself
	}
}

// announce writes the row, or removes it if nothing is wanted. lost says that others may have taken this process for gone meanwhile,
// and told it nothing. joining is held.
func (s *Store) announce(ctx context.Context, wants uint64) (lost bool, err error) {
	x := &s.exchange
	now := s.now()
	k, err := s.Begin(ctx, keyspace.Access{Now: now, Write: true})
	if err != nil {
		return false, err
	}
	t := k.(*tx)
	kept, err := t.announce(wants)
	last, begins := int64(0), x.known.Load() == 0
	if err == nil && begins {
		last, err = t.one(newsLast)
	}
	if err != nil {
		t.Rollback()
		return false, err
	}
	if err := t.Commit(); err != nil {
		return false, err
	}
	if begins {
		x.last = last
	}
	x.renewed = now
	x.known.Store(wants)
	return !kept && !begins && wants != 0, nil
}

// announce reports whether there was a row that others heeded up to now.
func (t *tx) announce(wants uint64) (kept bool, err error) {
	me := integer(t.s.exchange.process)
	if wants != 0 {
		n, err := t.exec(listenerKeep, integer(t.now+listenerLife), integer(int64(wants)), me, integer(t.now))
		if n > 0 || err != nil {
			return n > 0, err
		}
	}
	if _, err := t.exec(listenerDelete, me); err != nil || wants == 0 {
		return false, err
	}
	_, err = t.exec(listenerNew, me, integer(t.now+listenerLife), integer(int64(wants)))
	return false, err
}

// hear tells the peer what others have left for it.
func (s *Store) hear() {
	x := &s.exchange
	for x.known.Load() != 0 {
		bodies, last, more := s.readNews(x.last)
		for _, body := range bodies {
			x.peer.Hear(body)
		}
		if x.last = last; !more {
			return
		}
	}
}

// readNews reads some of the news behind one: what others have left, and which is the last. A failure is left to the next time.
func (s *Store) readNews(since int64) (bodies [][]byte, last int64, more bool) {
	k, err := s.Begin(context.Background(), keyspace.Access{Now: s.now()})
	if err != nil {
		return nil, since, false
	}
	t := k.(*tx)
	defer t.Rollback()
	last, n := since, 0
	t.args = append(t.args[:0], integer(since), integer(newsBatch))
	_, err = t.run(newsSince, t.args, func(_ int, r Row) error {
		n++
		last = r.Int(0)
		if r.Int(1) != s.exchange.process {
			bodies = append(bodies, append([]byte{}, r.Bytes(2)...))
		}
		return nil
	})
	return bodies, last, err == nil && n == newsBatch
}

// sweepNews removes some of what nobody is going to hear any more, and listeners that have run out.
func (t *tx) sweepNews() (more bool, err error) {
	if _, err := t.exec(listenersSweep, integer(t.now)); err != nil {
		return false, err
	}
	n, err := t.exec(newsSweep, integer(t.now-newsKept), integer(newsBatch))
	return n == newsBatch, err
}
