package memstore

import (
	"context"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// line is all who wait for one key, in the order in which they came.
type line struct {
	key     watchKey
	waiters []*waiter
	gone    int  // how many of them want their turn also when the key was removed
	ready   bool // it is in Store.ready
}

// waiter is one call of Wait.
type waiter struct {
	ctx   context.Context
	db    int
	lines []watchKey
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

// Wait implements keyspace.Store. Whoever writes a key serves those who wait for it before its transaction ends, so that
// nobody comes between.
func (s *Store) Wait(ctx context.Context, a keyspace.Access, try func(keyspace.Tx) (bool, error)) error {
	t, err := s.Begin(ctx, a)
	if err != nil {
		return err
	}
	done, err := try(t)
	if done || err != nil {
		return endWith(t, err)
	}
	w := &waiter{ctx: ctx, db: a.DB, gone: a.Gone, try: try, done: make(chan struct{})}
	for _, k := range a.Keys {
		s.join(watchKey{a.DB, string(k)}, w)
	}
	if err := t.Commit(); err != nil {
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.ended {
		s.leave(w)
		w.end(err)
	}
	return w.err
}

// endWith ends a transaction, by Rollback if there was an error.
func endWith(t keyspace.Tx, err error) error {
	if err != nil {
		t.Rollback()
		return err
	}
	return t.Commit()
}

// join puts a waiter at the end of a line, once if it names the key again.
func (s *Store) join(key watchKey, w *waiter) {
	l := s.waiting[key]
	if l == nil {
		l = &line{key: key}
		s.waiting[key] = l
	} else if l.waiters[len(l.waiters)-1] == w {
		return
	}
	l.waiters = append(l.waiters, w)
	if w.gone {
		l.gone++
	}
	w.lines = append(w.lines, key)
}

// leave takes a waiter out of all its lines.
func (s *Store) leave(w *waiter) {
	for _, key := range w.lines {
		l := s.waiting[key]
		if l == nil {
			continue
		}
		if w.gone {
			l.gone--
		}
		if l.waiters[0] == w {
			l.waiters[0] = nil
			l.waiters = l.waiters[1:]
		} else if i := slices.Index(l.waiters, w); i >= 0 {
			l.waiters = slices.Delete(l.waiters, i, i+1)
		}
		if len(l.waiters) == 0 {
			delete(s.waiting, key)
		}
	}
}

// turn notes that a line's key was written.
func (s *Store) turn(l *line) {
	if !l.ready {
		l.ready = true
		s.ready = append(s.ready, l)
	}
}

// serve gives those who wait for written keys their turn, and those who wait for what these write, until nobody is left
// whose turn it is.
func (s *Store) serve() {
	t := &s.tx
	selected := t.number
	for len(s.ready) > 0 {
		l := s.ready[0]
		s.ready = s.ready[1:]
		l.ready = false
		name := []byte(l.key.key)
		for i := 0; i < len(l.waiters); {
			t.begin(l.key.db, t.now)
			missing := t.lookup(name) == 0
			if missing && l.gone == 0 {
				break // others have taken all there was
			}
			w := l.waiters[i]
			if w.ctx.Err() != nil || missing && !w.gone {
				i++
				continue
			}
			t.begin(w.db, t.now)
			if done, err := w.try(t); done || err != nil {
				s.leave(w) // the next one has its place
				w.end(err)
			} else {
				i++
			}
		}
	}
	s.ready = nil
	t.begin(selected, t.now)
}
