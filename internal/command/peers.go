// Peers: engines of other processes on the same store. What a transaction has to tell goes to them as a record: calls, each a word for
// what it is about and what there is to say of it.
package command

import (
	"bytes"
	"context"
	"errors"
	"strconv"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

// What engines want to hear of each other: the classes of events, by the bits of Engine.notify, and this.
const (
	wantEvents   uint64 = 1<<32 - 1
	wantMessages uint64 = 1 << 32
	wantChanges  uint64 = 1 << 33 // of keys
)

// peer is the engine as other processes see it. It implements keyspace.Peer.
type peer struct{ *Engine }

// Wants implements keyspace.Peer.
func (p peer) Wants() (what uint64) {
	b := &p.broker
	b.mu.RLock()
	defer b.mu.RUnlock()
	channels := len(b.topics[engine.Channel])+len(b.topics[engine.Pattern]) > 0
	if channels || len(b.topics[engine.Shard]) > 0 {
		what |= wantMessages
	}
	if channels {
		what |= uint64(p.notify.Load() &^ (EventClass('K').bit() | EventClass('E').bit()))
	}
	if len(b.all) > 0 {
		what |= wantChanges
	}
	return what
}

// Wanted implements keyspace.Peer.
func (p peer) Wanted(what uint64) { p.elsewhere.Store(what) }

// Hear implements keyspace.Peer.
func (p peer) Hear(record []byte) {
	p.telling.enter(p.telling.take())
	defer p.telling.leave()
	if record == nil {
		p.broker.lost()
	}
	for len(record) > 0 {
		v, rest, err := resp.DecodeValue(record)
		if err != nil || len(v.Elems) == 0 {
			p.broker.lost() // it cannot be read: that is no better than not to have heard it
			return
		}
		if r, ok := records[string(v.Elems[0].Str)]; ok && (len(v.Elems) == r.words || r.words == 0) {
			r.hear(p.Engine, v.Elems)
		}
		record = rest
	}
}

// Join lets other processes on the same database know what is listened to here: what they commit once it has returned is heard. It
// must not be called while a batch runs that the caller waits for. Do does it where a batch has changed what is told of keys.
func (e *Engine) Join(ctx context.Context) error {
	if e.shared == nil {
		return nil
	}
	err := e.shared.Join(ctx)
	switch {
	case errors.Is(err, keyspace.ErrCut):
		return engine.Discarded(e.busyRefusal())
	case errors.Is(err, keyspace.ErrDeaf):
		return engine.Discarded("ERR " + err.Error())
	case err != nil:
		return e.failure("tell other processes what is listened to", err)
	}
	return nil
}

// Record implements keyspace.Recorder.
func (c *Ctx) Record() []byte {
	var w resp.Writer
	n, wanted := &c.news, c.Engine.elsewhere.Load()
	for i := range n.items {
		switch it := &n.items[i]; {
		case it.event.Name == "":
			if wanted&wantMessages != 0 {
				w.Array(4)
				w.BulkString("message")
				w.BulkInt(int64(it.kind))
				w.Bulk(it.channel)
				w.Bulk(it.payload)
			}
		case wanted&uint64(it.event.Class.bit()) != 0:
			w.Array(5)
			w.BulkString("event")
			w.BulkInt(int64(it.event.DB))
			w.BulkString(string(rune(it.event.Class)))
			w.BulkString(it.event.Name)
			w.Bulk(it.event.Key)
		}
	}
	if wanted&wantChanges == 0 {
		return w.Buf
	}
	if n.flushed {
		w.Array(1)
		w.BulkString("flushed")
	}
	if len(n.written) > 0 {
		w.Array(1 + len(n.written))
		w.BulkString("written")
		for _, key := range n.written {
			w.Bulk(key)
		}
	}
	return w.Buf
}

// records are what Record writes, by its word. What is not here was written by a newer version.
var records = map[string]struct {
	words int // in all; 0: any number
	hear  func(e *Engine, words []resp.Value)
}{
	"message": {4, func(e *Engine, words []resp.Value) {
		if kind, err := strconv.Atoi(string(words[1].Str)); err == nil && kind >= 0 && kind < engine.Names {
			e.broker.publish(engine.Kind(kind), words[2].Str, words[3].Str)
		}
	}},
	"event": {5, func(e *Engine, words []resp.Value) {
		db, err := strconv.Atoi(string(words[1].Str))
		if err == nil && len(words[2].Str) == 1 && bytes.Contains([]byte(notifications), words[2].Str) {
			e.notifyOf(&Event{db, EventClass(words[2].Str[0]), string(words[3].Str), words[4].Str})
		}
	}},
	"flushed": {1, func(e *Engine, _ []resp.Value) { e.broker.changed(nil, nil) }},
	"written": {0, func(e *Engine, words []resp.Value) {
		keys := make([][]byte, 0, len(words)-1)
		for i := range words[1:] {
			keys = append(keys, words[1+i].Str)
		}
		e.broker.changed(keys, nil)
	}},
}
