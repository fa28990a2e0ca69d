package memstore

import (
	"cmp"
	"math"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// Eviction: where keys take more memory than they may, some give way. To look at all of them for the best one would take too
// long. A few are drawn at random, and the best of those that were ever drawn are kept as candidates from one time to the next,
// which comes close (http://antirez.com/news/109).

// candidate is a key that may be the next to give way.
type candidate struct {
	db   int
	name []byte
	due  int64 // the larger, the sooner it gives way
}

const (
	maxCandidates = 16
	evictMost     = 64 // keys that give way in one call, before others have their turn
)

// Fit implements keyspace.Meter.
func (t *tx) Fit() (bool, error) {
	m := t.memory
	if m.Most == 0 || t.s.used() <= m.Most {
		return true, nil
	}
	if m.Victims == keyspace.NoVictims {
		return false, nil
	}
	number, began := t.number, t.s.clock()
	defer func() {
		t.begin(number, t.now)
		t.s.took("eviction-cycle", began)
	}()
	for range evictMost {
		if !t.evict() {
			return false, nil
		}
		if t.s.used() <= m.Most {
			break
		}
	}
	return true, nil
}

// evict removes a key; false if there is none that may go. It leaves another database selected.
func (t *tx) evict() bool {
	if v := t.memory.Victims; v == keyspace.AnyVictims {
		return t.evictAny()
	}
	for t.nominate() {
		for n := len(t.s.candidates); n > 0; n = len(t.s.candidates) {
			c := t.s.candidates[n-1]
			t.s.candidates = t.s.candidates[:n-1]
			t.begin(c.db, t.now)
			h := t.s.hash(c.name)
			if r := t.victims().find(&t.s.arena, h, c.name); r != 0 {
				t.giveWay(c.name, h)
				return true
			} // else it has gone by itself meanwhile
		}
	}
	return false
}

// evictAny removes a key drawn at random, of each database in turn.
func (t *tx) evictAny() bool {
	for range keyspace.Databases {
		t.begin(t.s.turnDB, t.now)
		t.s.turnDB = (t.s.turnDB + 1) % keyspace.Databases
		if from := t.victims(); from.n > 0 {
			name := append([]byte(nil), nameOf(t.block(from.random(t.s.rng)))...)
			t.giveWay(name, t.s.hash(name))
			return true
		}
	}
	return false
}

// giveWay removes a key that is there.
func (t *tx) giveWay(key []byte, h uint64) {
	t.s.evicted++
	t.remove(key, h)
	if t.observer != nil {
		t.observer.Note(t.number, key, "evicted")
	}
}

// victims are the keys of the selected database that may give way.
func (t *tx) victims() *table {
	if t.memory.Volatile {
		return &t.db.volatile
	}
	return &t.db.keys
}

// nominate draws keys of all databases and keeps the best; false if there are none.
func (t *tx) nominate() (any bool) {
	for db := range t.s.dbs {
		t.begin(db, t.now)
		from := t.victims()
		if from.n == 0 {
			continue
		}
		any = true
		if from.n <= t.memory.Samples {
			from.each(func(r ref) { t.nominee(t.block(r)) })
			continue
		}
		for range t.memory.Samples {
			t.nominee(t.block(from.random(t.s.rng)))
		}
	}
	return any
}

// nominee makes a key a candidate, if it is better than one or there is room.
func (t *tx) nominee(b []byte) {
	due, name := t.due(b), nameOf(b)
	list := t.s.candidates
	if len(list) == maxCandidates && due <= list[0].due {
		return
	}
	for _, c := range list {
		if c.db == t.number && string(c.name) == string(name) {
			return
		}
	}
	if len(list) == maxCandidates {
		list = slices.Delete(list, 0, 1)
	}
	at, _ := slices.BinarySearchFunc(list, due, func(c candidate, due int64) int { return cmp.Compare(c.due, due) })
	t.s.candidates = slices.Insert(list, at, candidate{t.number, append([]byte(nil), name...), due})
}

// due is the larger the sooner the key of a block gives way.
func (t *tx) due(b []byte) int64 {
	use := le.Uint32(b[headBytes:])
	switch t.memory.Victims {
	case keyspace.LeastFrequent:
		return int64(countMask - t.count(use))
	case keyspace.NextToExpire:
		return math.MaxInt64 - expireOf(b)
	}
	return t.idle(use)
}

// relieve goes on where Fit has left off, and reports whether there is more to do.
func (s *Store) relieve() (more bool) {
	m := s.memory.Load()
	if m.Most == 0 || m.Victims == keyspace.NoVictims {
		return false
	}
	s.mu.Lock()
	if s.closed || s.kept.Load() {
		s.mu.Unlock()
		return false
	}
	s.tx.start(0, s.now(), s.watcher)
	defer s.tx.Commit()
	ok, _ := s.tx.Fit() // which does not fail
	return ok && s.used() > m.Most
}
