package server

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/redbud-go/redbud/internal/engine"
)

// tracker tells clients when keys that they may have a copy of are written: https://redis.io/docs/latest/develop/reference/client-side-caching/.
// It hears of writes from the engine, as long as a client tracks.
//
// A session notes the keys of a read before it reads, and what it is told comes behind the reply. So a write that falls between
// is told too often at worst, and never too early.
type tracker struct {
	starting sync.Mutex // held while listener is made or ended. Taken before the engine's locks, and those before mu
	listener engine.Listener

	mu       sync.Mutex                    // guards what follows
	clients  map[int64]*tracking           // those that track
	readers  map[string][]int64            // by key, in the default mode: who is told of the next write
	copies   int                           // sum over readers
	prefixes map[string]map[int64]struct{} // by prefix, in the mode BCAST
	most     func() int                    // tracking-table-max-keys; nil or 0: no limit
	find     func(id int64) *client        // of the hub
}

// tracking is how a client tracks. The first fields are as CLIENT TRACKING set them.
type tracking struct {
	bcast, optIn, optOut, noLoop bool
	redirect                     int64 // the client that is told; 0: itself
	prefixes                     []string

	client *client
	by     engine.Session // the client's batches have it

	// reread are the keys that the transaction which runs reads behind writing them itself: these writes leave its copies good. The
	// value says whether it has another copy, from before. Guarded by the tracker.
	reread map[string]bool
}

// invalidations is the channel that clients of the second protocol version are told on.
const invalidations = "__redis__:invalidate"

// limit sets how many keys are remembered.
func (t *tracker) limit(most func() int) {
	t.mu.Lock()
	t.most = most
	t.mu.Unlock()
}

// start makes a client track, in addition to what it tracks already.
func (t *tracker) start(ctx context.Context, e engine.Engine, how tracking) error {
	t.starting.Lock()
	defer t.starting.Unlock()
	if t.listener == nil {
		l := e.Listen(t.hear)
		if err := l.Subscribe(ctx, engine.Changes); err != nil {
			_ = l.Close() // the first error says more
			return err
		}
		t.listener = l
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	id := how.client.id
	if old := t.clients[id]; old != nil {
		how.prefixes = append(old.prefixes, how.prefixes...)
	}
	if t.clients == nil {
		t.clients, t.readers, t.prefixes = map[int64]*tracking{}, map[string][]int64{}, map[string]map[int64]struct{}{}
	}
	how.client.redirectLost.Store(false)
	t.clients[id] = &how
	for _, p := range how.prefixes {
		if t.prefixes[p] == nil {
			t.prefixes[p] = map[int64]struct{}{}
		}
		t.prefixes[p][id] = struct{}{}
	}
	return nil
}

// stop ends a client's tracking. Its places in readers are left to the next writes.
func (t *tracker) stop(id int64) {
	t.starting.Lock()
	defer t.starting.Unlock()
	t.mu.Lock()
	how := t.clients[id]
	if how == nil {
		t.mu.Unlock()
		return
	}
	for _, p := range how.prefixes {
		delete(t.prefixes[p], id)
		if len(t.prefixes[p]) == 0 {
			delete(t.prefixes, p)
		}
	}
	delete(t.clients, id)
	last := len(t.clients) == 0
	if last {
		clear(t.readers)
		t.copies = 0
	}
	t.mu.Unlock()
	if last {
		_ = t.listener.Close() // there is nobody left to be told
		t.listener = nil
	}
}

// remember notes that a client is about to read keys.
func (t *tracker) remember(id int64, keys [][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.clients[id] == nil {
		return
	}
	for _, key := range keys {
		t.add(id, string(key))
	}
	t.trim()
}

// add notes that a client reads a key, and reports whether that is new. mu is held.
func (t *tracker) add(id int64, key string) bool {
	readers := t.readers[key]
	if slices.Contains(readers, id) {
		return false
	}
	t.readers[key] = append(readers, id)
	t.copies++
	return true
}

// reread notes which keys a transaction is about to read behind writing them; nil: it is over.
func (t *tracker) reread(id int64, keys map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	how := t.clients[id]
	if how == nil {
		return
	}
	for key := range keys {
		keys[key] = !t.add(id, key)
	}
	how.reread = keys
}

// trim forgets keys where there are too many. Whoever has a copy of one has to believe that it was written. mu is held.
func (t *tracker) trim() {
	most := 0
	if t.most != nil {
		most = t.most()
	}
	for most > 0 && len(t.readers) > most {
		for key := range t.readers {
			t.invalidate([]byte(key), nil)
			break
		}
	}
}

// lookAfter heeds a limit that was lowered.
func (t *tracker) lookAfter() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim()
}

// hear is told of writes by the engine.
func (t *tracker) hear(m *engine.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.Kind == engine.Lost || m.Keys == nil {
		for _, how := range t.clients {
			t.tell(how, nil)
		}
		clear(t.readers)
		t.copies = 0
	}
	for _, key := range m.Keys {
		t.invalidate(key, m.By)
	}
	if by, ok := m.By.(*session); ok && t.clients[by.id] != nil {
		for key := range t.clients[by.id].reread {
			t.add(by.id, key)
		}
	}
	t.broadcast(m.Keys, m.By)
}

// invalidate tells those who have read a key, once.
func (t *tracker) invalidate(key []byte, by engine.Session) {
	readers := t.readers[string(key)]
	if readers == nil {
		return
	}
	delete(t.readers, string(key))
	t.copies -= len(readers)
	for _, id := range readers {
		how := t.clients[id]
		if how == nil || how.bcast || how.own(by) {
			continue
		}
		if other, again := how.reread[string(key)]; again && !other && by == how.by {
			continue
		}
		t.tell(how, [][]byte{key})
	}
}

// broadcast tells those who want to hear of all keys with a prefix: of each once, in one message for a prefix.
func (t *tracker) broadcast(keys [][]byte, by engine.Session) {
	if len(t.prefixes) == 0 {
		return
	}
	keys = slices.Clone(keys)
	slices.SortFunc(keys, bytes.Compare)
	keys = slices.CompactFunc(keys, bytes.Equal)
	for _, prefix := range slices.Sorted(maps.Keys(t.prefixes)) {
		var hit [][]byte
		for _, key := range keys {
			if bytes.HasPrefix(key, []byte(prefix)) {
				hit = append(hit, key)
			}
		}
		if hit == nil {
			continue
		}
		for id := range t.prefixes[prefix] {
			if how := t.clients[id]; !how.own(by) {
				t.tell(how, hit)
			}
		}
	}
}

// own reports whether a write was the client's own, of which it does not want to hear.
func (how *tracking) own(by engine.Session) bool { return how.noLoop && by != nil && how.by == by }

// tell sends a client, or the one it redirects to, the keys of which a copy is no longer good; nil: all.
func (t *tracker) tell(how *tracking, keys [][]byte) {
	to := how.client
	if how.redirect != 0 {
		if to = t.find(how.redirect); to == nil {
			how.client.redirectLost.Store(true)
			w := how.client.box.open()
			if w != nil && w.RESP3() {
				w.Push(2)
				w.BulkString("tracking-redir-broken")
				w.Int(how.redirect)
			}
			how.client.box.shut()
			return
		}
	}
	w := to.box.open()
	defer to.box.shut()
	switch {
	case w == nil:
		return
	case w.RESP3():
		w.Push(2)
		w.BulkString("invalidate")
	case how.redirect != 0 && to.subscribed.Load():
		w.Array(3)
		w.BulkString("message")
		w.BulkString(invalidations)
	default:
		return
	}
	if keys == nil {
		w.Null()
		return
	}
	w.Array(len(keys))
	for _, key := range keys {
		w.Bulk(key)
	}
}

// of returns how a client tracks; nil: not at all. It is a copy.
func (t *tracker) of(id int64) *tracking {
	t.mu.Lock()
	defer t.mu.Unlock()
	how := t.clients[id]
	if how == nil {
		return nil
	}
	copied := *how
	copied.prefixes = slices.Clone(how.prefixes)
	return &copied
}

// sizes are what INFO tells: clients, keys that somebody may have a copy of, copies, prefixes.
func (t *tracker) sizes() (clients, keys, copies, prefixes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.clients), len(t.readers), t.copies, len(t.prefixes)
}
