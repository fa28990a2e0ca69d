package sqlstore

import (
	"context"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// watchState is what the watches of one key share.
type watchState struct {
	watches int
	seq     uint64 // of the last change by this process
}

// watch implements keyspace.Watch: a key has changed if its version is another one, whoever wrote it, or if this process wrote it.
// The second tells of keys that were missing, came and went.
type watch struct {
	s    *Store
	keys []watchKey
	was  []stamp
	at   uint64 // changes after it count
}

// stamp is another one once a key was written, or a field of it has expired; that of a missing key is zero.
type stamp struct{ version, hidden int64 }

func (m *meta) stamp() stamp { return stamp{m.version, m.hidden} }

// Watch implements keyspace.Store.
func (s *Store) Watch(ctx context.Context, db int, keys [][]byte, now int64) (keyspace.Watch, error) {
	w := &watch{s: s}
	s.mu.Lock()
	w.at = s.changes
	for _, k := range keys {
		key := watchKey{db, string(k)}
		state := s.watched[key]
		if state == nil {
			state = &watchState{}
			s.watched[key] = state
			s.lively.Add(1)
		}
		state.watches++
		w.keys = append(w.keys, key)
	}
	s.mu.Unlock()
	b, err := s.Begin(ctx, keyspace.Access{DB: db, Now: now})
	if err != nil {
		w.Release()
		return nil, err
	}
	t := b.(*tx)
	for _, k := range keys {
		m, err := t.find(k)
		if err != nil {
			t.Rollback()
			w.Release()
			return nil, err
		}
		w.was = append(w.was, m.stamp())
	}
	if err := t.Commit(); err != nil {
		w.Release()
		return nil, err
	}
	return w, nil
}

// Changed implements keyspace.Watch.
func (w *watch) Changed(k keyspace.Tx) (bool, error) {
	w.s.mu.Lock()
	for i, key := range w.keys {
		if state := w.s.watched[key]; w.was[i].version == 0 && state.seq > w.at {
			w.s.mu.Unlock()
			return true, nil
		}
	}
	w.s.mu.Unlock()
	t := k.(*tx)
	for i, key := range w.keys {
		m, err := t.at(key.db, []byte(key.key))
		if err != nil {
			return false, err
		}
		if m.stamp() != w.was[i] {
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
		state := w.s.watched[k]
		if state.watches--; state.watches == 0 {
			delete(w.s.watched, k)
			w.s.lively.Add(-1)
		}
	}
	w.keys = nil
}

// changedKey is changed for a key that is there.
func (s *Store) changedKey(db int, key []byte) {
	if s.lively.Load() > 0 {
		s.changed(watchKey{db, string(key)}, true)
	}
}

// changed notes that a key was written, for those who watch it, unless it is gone, or wait for it.
func (s *Store) changed(key watchKey, there bool) {
	if s.lively.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if state := s.watched[key]; state != nil && there {
		s.changes++
		state.seq = s.changes
	}
	if l := s.waiting[key]; l != nil {
		s.enlist(l)
	}
}

// enlist notes that the turn of a line has come. mu is held.
func (s *Store) enlist(l *line) {
	if !l.ready {
		l.ready = true
		s.ready = append(s.ready, l)
	}
}

// changedAll notes that a whole database was written: the turn of all who wait has come. Whoever watches sees it by the versions.
func (s *Store) changedAll(db int) {
	if s.lively.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, l := range s.waiting {
		if k.db == db {
			s.enlist(l)
		}
	}
}

// forsake drops the turns that the transaction has brought about, which was rolled back.
func (s *Store) forsake() {
	for _, l := range s.ready {
		l.ready = false
	}
	s.ready = nil
}
