package server

import (
	"errors"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// queue holds the calls between MULTI and EXEC as copies: the bytes they came in are read over.
type queue struct {
	calls   []engine.Call
	words   [][]byte
	bytes   []byte
	size    int
	spoiled bool // a call was refused: EXEC aborts
}

// keepQueue bounds the memory that an empty queue holds on to.
const keepQueue = 64 << 10

// wordSize is about what a word takes besides its bytes.
const wordSize = 24

func (q *queue) add(call engine.Call) {
	from := len(q.words)
	for _, word := range call {
		at := len(q.bytes)
		q.bytes = append(q.bytes, word...) // where it grows, earlier words keep the old array
		q.words = append(q.words, q.bytes[at:len(q.bytes):len(q.bytes)])
		q.size += len(word) + wordSize
	}
	q.calls = append(q.calls, q.words[from:len(q.words):len(q.words)])
}

func (q *queue) reset() {
	if q.size > keepQueue {
		*q = queue{}
		return
	}
	clear(q.calls)
	clear(q.words)
	*q = queue{calls: q.calls[:0], words: q.words[:0], bytes: q.bytes[:0]}
}

// enqueue keeps a call for EXEC. A client that queues more than it may send unanswered is dropped.
func (s *session) enqueue(call engine.Call) {
	s.queue.add(call)
	limit := int(s.maxQuery.Load())
	if limit == 0 {
		limit = defaultQueue
	}
	if s.queue.size > limit {
		s.ended, s.dropped = true, resp.ErrQueryBuffer
	}
	s.out.Status("QUEUED")
}

// refusal asks the engine about a call that the table does not know. "" is for one that may be queued.
func (s *session) refusal(call engine.Call) string {
	q, ok := s.engine.(engine.Queuer)
	if !ok {
		return "" // on trust: EXEC will tell
	}
	text, err := q.Queue(s.ctx, s.db, call)
	if err != nil {
		return s.failure(err)
	}
	return text
}

// defaultQueue is the default of client-query-buffer-limit.
const defaultQueue = 1 << 30

func multi(s *session, _ engine.Call, w *resp.Writer) {
	if s.multi {
		w.Error("ERR MULTI calls can not be nested")
		return
	}
	s.multi = true
	w.OK()
}

func discard(s *session, _ engine.Call, w *resp.Writer) {
	if !s.multi {
		w.Error("ERR DISCARD without MULTI")
		return
	}
	s.discard()
	w.OK()
}

// discard ends the transaction, if there is one, and forgets the watched keys.
func (s *session) discard() {
	s.multi = false
	s.queue.reset()
	s.unwatch()
}

func exec(s *session, call engine.Call, w *resp.Writer) {
	if !s.multi {
		w.Error("ERR EXEC without MULTI")
		return
	}
	switch {
	case s.queue.spoiled:
		w.Error("EXECABORT Transaction discarded because of previous errors.")
	case s.changed:
		w.NullArray()
	default:
		if s.commit(w); s.waits {
			s.hold(call)
			return
		}
	}
	s.discard()
}

// commit runs the queued calls as one. Where a pause has just begun that holds them back, it sets waits instead.
func (s *session) commit(w *resp.Writer) {
	b := engine.Batch{DB: s.db, Calls: s.permitted(s.queue.calls), Atomic: true, Session: s, NoTouch: s.noTouch}
	// A batch carries one guard, and a guard is of one database. Guards of further databases are asked just before.
	held := true
	for i, watch := range s.watches {
		if i == len(s.watches)-1 && len(b.Calls) > 0 {
			b.Guard = watch.guard
			break
		}
		if held = held && s.holds(watch); !held {
			w.NullArray()
			return
		}
	}
	mark := w.Len()
	w.Array(len(b.Calls))
	if len(b.Calls) == 0 {
		return
	}
	defer s.trackTransaction(b.Calls)()
	s.runs, s.exposed = &b, 0
	defer s.exposeDone()
	if err := s.engine.Do(s.ctx, &b, w); err != nil {
		w.Truncate(mark)
		var discarded engine.Discarded
		switch {
		case errors.Is(err, engine.ErrChanged):
			w.NullArray()
		case errors.Is(err, engine.ErrWouldWait):
			s.waits = true
		case errors.As(err, &discarded):
			w.Error("EXECABORT Transaction discarded because of: " + discarded.Error())
		case errors.Is(err, engine.ErrAborted):
			w.Error("EXECABORT Transaction discarded because of previous errors.")
		default:
			w.Error(s.failure(err))
		}
	}
}

// watch is the keys of one database that a session watches.
type watch struct {
	db    int
	keys  [][]byte
	guard engine.Guard
}

func watchKeys(s *session, call engine.Call, w *resp.Writer) {
	switch {
	case s.multi:
		w.Error("ERR WATCH inside MULTI is not allowed")
		return
	case s.changed: // nothing more can come of watching
		w.OK()
		return
	}
	var discarded engine.Discarded
	switch err := s.watch(call[1:]); {
	case errors.As(err, &discarded):
		w.Error(discarded.Error())
		return
	case err != nil:
		w.Error(s.failure(err))
		return
	}
	w.OK()
}

// watch adds keys to those that are watched. A guard is of one moment, so keys that join others get a new guard with
// them; the old one, asked after that, tells whether nothing happened before.
func (s *session) watch(keys [][]byte) error {
	at := 0
	for at < len(s.watches) && s.watches[at].db != s.db {
		at++
	}
	next := watch{db: s.db}
	if at < len(s.watches) {
		next.keys = append(next.keys, s.watches[at].keys...)
	}
	for _, key := range keys {
		next.keys = append(next.keys, append([]byte{}, key...))
	}
	guard, err := s.engine.Watch(s.ctx, next.db, next.keys)
	if err != nil {
		return err
	}
	next.guard = guard
	if at == len(s.watches) {
		s.watches = append(s.watches, next)
		return nil
	}
	s.changed = !s.holds(s.watches[at])
	s.watches[at].guard.Release()
	s.watches[at] = next
	return nil
}

// holds reports whether the watched keys are as they were. If the engine cannot say, they are not.
func (s *session) holds(w watch) bool {
	var scratch resp.Writer
	b := engine.Batch{DB: w.db, Calls: []engine.Call{{[]byte("PING")}}, Atomic: true, Guard: w.guard}
	return s.engine.Do(s.ctx, &b, &scratch) == nil
}

// unwatch is UNWATCH. Inside a transaction, where EXEC forgets the keys anyway, it has nothing to do.
func unwatch(s *session, _ engine.Call, w *resp.Writer) {
	if !s.multi {
		s.unwatch()
	}
	w.OK()
}

// unwatch forgets the watched keys.
func (s *session) unwatch() {
	for _, w := range s.watches {
		w.guard.Release()
	}
	s.watches, s.changed = nil, false
}
