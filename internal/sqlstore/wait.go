package sqlstore

import (
	"context"
	"errors"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// line is all who wait for one key, in the order in which they came.
type line struct {
	key     watchKey
	waiters []*waiter
	ready   bool // it is in Store.ready
}

// waiter is one call of Wait.
type waiter struct {
	ctx   context.Context
	db    int
	keys  []watchKey
	gone  bool // it wants its turn also when a key was removed
	try   func(keyspace.Tx) (bool, error)
	ended bool
	err   error
	done  chan struct{} // closed when it has ended; err is set before
}

func (w *waiter) end(err error) {
	if !w.ended {
		w.ended, w.err = true, err
		close(w.done)
	}
}

// Wait implements keyspace.Store. Whoever writes a key serves those who wait for it before its transaction ends.
func (s *Store) Wait(ctx context.Context, a keyspace.Access, try func(keyspace.Tx) (bool, error)) error {
	a.Write, a.Alone = true, true // whoever waits holds up nobody
	for tries := 1; ; tries++ {
		switch err := s.wait(ctx, a, try); {
		case err == errUndone:
		case errors.Is(err, keyspace.ErrConflict) && tries < mostTries:
		case errors.Is(err, keyspace.ErrLost) && tries == 1: // while nobody used it
		default:
			return err
		}
	}
}

// mostTries is how often a call that waits begins again after a conflict.
const mostTries = 100

func (s *Store) wait(ctx context.Context, a keyspace.Access, try func(keyspace.Tx) (bool, error)) error {
	t, err := s.Begin(ctx, a)
	if err != nil {
		return err
	}
	done, err := try(t)
	if err != nil {
		t.Rollback()
		return err
	}
	if done {
		return t.Commit()
	}
	w := &waiter{ctx: ctx, db: a.DB, gone: a.Gone, try: try, done: make(chan struct{})}
	for _, k := range a.Keys {
		if key := (watchKey{a.DB, string(k)}); !slices.Contains(w.keys, key) {
			w.keys = append(w.keys, key)
		}
	}
	s.join(w)
	if err := t.Commit(); err != nil {
		s.leave(w)
		return err
	}
	select {
	case <-w.done:
		return w.err
	case <-s.stop: // who waits for no key is in no line
		err = keyspace.ErrClosed
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	<-s.turn // a try may run
	defer s.giveTurn()
	if !w.ended {
		s.leave(w)
		w.end(err)
	}
	return w.err
}

// join puts a waiter at the end of its lines.
func (s *Store) join(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range w.keys {
		l := s.waiting[key]
		if l == nil {
			l = &line{key: key}
			s.waiting[key] = l
			s.lively.Add(1)
		}
		l.waiters = append(l.waiters, w)
	}
	s.attend()
}

// leave takes a waiter out of all its lines.
func (s *Store) leave(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range w.keys {
		l := s.waiting[key]
		if l == nil {
			continue
		}
		if i := slices.Index(l.waiters, w); i >= 0 {
			l.waiters = slices.Delete(l.waiters, i, i+1)
		}
		if len(l.waiters) == 0 {
			delete(s.waiting, key)
			s.lively.Add(-1)
		}
	}
}

// serve gives those who wait for written keys their turn, and those who wait for what these write, until nobody is left whose turn
// it is.
func (s *Store) serve() error {
	t := s.tx
	selected := t.db
	defer func() { t.db = selected }()
	for len(s.ready) > 0 {
		l := s.ready[0]
		s.ready = s.ready[1:]
		l.ready = false
		for i := 0; i < len(l.waiters); {
			m, err := t.at(l.key.db, []byte(l.key.key))
			if err != nil {
				return err
			}
			w := l.waiters[i]
			if w.ctx.Err() != nil || m.id == 0 && !w.gone {
				i++
				continue
			}
			t.db = w.db
			if done, err := w.try(t); done || err != nil {
				s.leave(w) // the next one has its place
				s.served = append(s.served, served{w, err})
			} else {
				i++
			}
		}
	}
	s.ready = nil
	return nil
}

// served is a waiter who is done, as soon as what it did is committed.
type served struct {
	*waiter
	err error
}

// release lets those go on who were served; if err is not nil, what they did came to nothing.
func (s *Store) release(err error) {
	for _, w := range s.served {
		if err == nil {
			w.end(w.err)
		} else {
			w.end(errUndone)
		}
	}
	clear(s.served)
	s.served = s.served[:0]
}
