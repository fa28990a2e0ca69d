package sqlstore

import (
	"sync"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// group is transactions that are committed together, since a commit takes longer than most of them: whoever is done leaves its
// transaction to the next one who waits for the turn, and the last one commits for all. Nobody waits for others to come. Each sees what
// those before it wrote, and none is told that it is committed before all are.
type group struct {
	members int
	begun   int64         // milliseconds since 1970
	done    chan struct{} // closed when it is committed, or has come to nothing; err is set before
	err     error
}

// A group grows no larger, and takes no new ones when it is older.
const (
	mostMembers = 128
	oldestGroup = 5 // milliseconds
)

// commit ends the transaction that writes. The turn is given back.
func (s *Store) commit() error {
	t, g := s.tx, s.group
	if !t.alone && s.queue.waiting() && (g == nil || g.members < mostMembers && t.now-g.begun < oldestGroup) {
		if g == nil {
			g = &group{begun: t.now, done: make(chan struct{})}
			s.group = g
		}
		g.members++
		s.pass(true)
		<-g.done
		return g.err
	}
	err := s.end()
	t.told(err == nil)
	t.end()
	return err
}

// pass leaves the transaction to the next one. kept says whether this one has written something.
func (s *Store) pass(kept bool) {
	s.tx.told(kept)
	s.tx.part()
	s.turn <- struct{}{}
	s.commitForOthers()
}

// end commits what there is, and tells those who wait for that. The turn is taken.
func (s *Store) end() error {
	t := s.tx
	if t.conn == nil {
		return nil
	}
	err := t.flush()
	if err == nil {
		err = t.conn.Commit()
	}
	if err != nil {
		s.undo(err)
		return err
	}
	s.over(nil)
	return nil
}

// undo rolls back all that is not committed; those who wait for it are told why.
func (s *Store) undo(why error) {
	_ = s.tx.conn.Rollback() // the connection may be gone, which the next one who uses it is told
	s.serial = serial{}      // a block may have been taken in it
	s.forsake()
	s.over(why)
}

// over tells those who wait for the transaction how it ended, and forgets it.
func (s *Store) over(err error) {
	s.release(err)
	if g := s.group; g != nil {
		g.err = err
		close(g.done)
		s.group = nil
	}
	if s.inner {
		s.serial = serial{}
	}
	clear(s.tx.metas)
	clear(s.tx.dirty)
	s.tx.dirty, s.tx.unwritten, s.tx.conn = s.tx.dirty[:0], 0, nil
}

// rollback ends the transaction that writes. Those who are in a group with it have to begin again, if it has written. The turn is given
// back.
func (s *Store) rollback() {
	t := s.tx
	if s.group != nil && !t.wrote {
		s.pass(false)
		return
	}
	if t.conn != nil { // or it has failed already
		s.undo(keyspace.ErrConflict)
	}
	t.told(false)
	t.end()
}

// commitForOthers commits for those who have left their transaction to one who then did not come. Whoever has the turn does it
// otherwise.
func (s *Store) commitForOthers() {
	if s.queue.waiting() {
		return
	}
	select {
	case <-s.turn:
		_ = s.end() // those who are in it are told
		s.turn <- struct{}{}
	default:
	}
}

// giveTurn gives back the turn, which was taken for something else than a transaction.
func (s *Store) giveTurn() {
	s.turn <- struct{}{}
	s.commitForOthers()
}

// queue is those who wait for the writer's turn.
type queue struct {
	mu   sync.Mutex // guards all
	list map[*queued]struct{}
}

// queued is one of them.
type queued struct {
	keys []watchKey // that it is going to touch, and that nobody has read the rows of for it
}

func (q *queue) join(keys []watchKey) *queued {
	w := &queued{keys}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.list == nil {
		q.list = map[*queued]struct{}{}
	}
	q.list[w] = struct{}{}
	return w
}

func (q *queue) leave(w *queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.list, w)
}

func (q *queue) waiting() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.list) > 0
}

// take returns keys and, if there are any, those of all who wait: they are likely to be in one transaction with whoever has these.
func (q *queue) take(keys []watchKey) []watchKey {
	if len(keys) == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := range q.list {
		keys = append(keys, w.keys...)
		w.keys = nil
	}
	return keys
}
