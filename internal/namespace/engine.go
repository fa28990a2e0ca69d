// Package namespace shows a part of an engine as if it were the whole: the keys and channels that begin with a prefix,
// without the prefix.
//
// Where the names in a call and in its reply stand, the table of commands tells. A command that is not in the table is refused
// as unknown, whatever the engine knows; one that would touch the keys of others is refused too. What concerns all keys of a
// database (FLUSHDB, DBSIZE, RANDOMKEY) is done by looking for those that are the namespace's own.
package namespace

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// Engine is an engine over another one. It is safe for concurrent use.
type Engine struct {
	prefix
	inner  engine.Engine
	host   *command.Engine // what the inner one wraps, or is; nil: it forwards
	turns  sync.Pool       // of *turn
	closed atomic.Bool
	life   context.Context // ends with Close
	end    context.CancelFunc
}

// embedded is an Engine whose front may tell CONFIG and INFO of itself.
type embedded struct{ *Engine }

// Embedded returns the engine that keeps the data.
func (e embedded) Embedded() *command.Engine { return e.host }

// Part tells a front that the host has more than the engine shows.
func (e embedded) Part() {}

// KeySlot is the hash slot of a key of the namespace, if the engine is a cluster.
func (e *Engine) KeySlot(key []byte) (slot int, ok bool) {
	if inner, is := e.inner.(interface{ KeySlot([]byte) (int, bool) }); is {
		return inner.KeySlot(e.prefix.key(nil, key))
	}
	return 0, false
}

// base returns e.
func (e *Engine) base() *Engine { return e }

// New returns an engine of those names of inner that begin with a prefix. Closing it ends only what goes through it; inner stays
// open. A namespace in a namespace has both prefixes, the outer one's first, and does not end with it.
func New(inner engine.Engine, prefix string) engine.Engine {
	if outer, ok := inner.(interface{ base() *Engine }); ok {
		base := outer.base()
		inner, prefix = base.inner, string(base.text)+prefix
	}
	e := &Engine{prefix: newPrefix([]byte(prefix)), inner: inner}
	e.turns.New = func() any { return &turn{Engine: e} }
	e.life, e.end = context.WithCancel(context.Background())
	if host, ok := inner.(interface{ Embedded() *command.Engine }); ok {
		e.host = host.Embedded()
		return embedded{e}
	}
	return e
}

// Close ends the calls that wait, and refuses all later ones. What the engine keeps stays there.
func (e *Engine) Close() error {
	e.closed.Store(true)
	e.end()
	return nil
}

// Do implements engine.Engine.
func (e *Engine) Do(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	if e.closed.Load() {
		return engine.ErrClosed
	}
	b.Done = 0
	if !b.Wait {
		return e.run(ctx, b, w)
	}
	// Few of those who may wait have to. Only they have to be told of a Close.
	mark := w.Len()
	b.Wait = false
	err := e.run(ctx, b, w)
	b.Wait = true
	if !errors.Is(err, engine.ErrWouldWait) {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.life, func() { cancel(engine.ErrClosed) })()
	err = e.run(ctx, b, w)
	if err == nil {
		return nil
	}
	w.Truncate(mark)
	if e.closed.Load() {
		return engine.ErrClosed
	}
	return err
}

// run runs the calls that are not answered yet.
func (e *Engine) run(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	mark := w.Len()
	t := e.turns.Get().(*turn)
	err := t.run(ctx, b, w)
	if err != nil && !errors.Is(err, engine.ErrWouldWait) {
		w.Truncate(mark)
	}
	t.release()
	e.turns.Put(t)
	return err
}

// Watch implements engine.Engine.
func (e *Engine) Watch(ctx context.Context, db int, keys [][]byte) (engine.Guard, error) {
	if e.closed.Load() {
		return nil, engine.ErrClosed
	}
	own := make([][]byte, len(keys))
	for i, key := range keys {
		own[i] = e.key(nil, key)
	}
	return e.inner.Watch(ctx, db, own)
}

// Queue implements engine.Queuer. It is asked about commands that are not in the table.
func (e *Engine) Queue(_ context.Context, _ int, call engine.Call) (refusal string, err error) {
	if _, wrong := command.Commands.Find(call); wrong != nil {
		return wrong.Error(), nil
	}
	return "", nil
}
