// Package memory is the engine that keeps everything in the process. Importing it makes the scheme memory known:
//
//	memory://       a keyspace of its own for each handle
//	memory://name   one keyspace for all who open that name in the process, gone when the last one closes it
package memory

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
)

func init() { engine.Register(open, "memory") }

// Options of an engine made by New.
type Options struct {
	Now  func() time.Time // the clock; default time.Now
	Seed uint64           // makes SPOP and its like repeatable; default 0: they are not
}

// New returns an engine with an empty keyspace of its own.
func New(o Options) *command.Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	store := memstore.New(memstore.Options{Now: func() int64 { return o.Now().UnixMilli() }, Seed: o.Seed})
	return command.NewEngine(store, command.Options{Now: o.Now})
}

// named are the keyspaces that are shared by name.
var named struct {
	sync.Mutex // guards engines and the users of each
	engines    map[string]*shared
}

// shared is a keyspace that several handles use.
type shared struct {
	*command.Engine
	name  string
	users int
}

// handle is one user of a shared keyspace.
type handle struct {
	*shared
	closed atomic.Bool
	life   context.Context // ends when it is closed, before the keyspace may
	end    context.CancelFunc
}

// Do implements engine.Engine.
func (h *handle) Do(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	if h.closed.Load() {
		return engine.ErrClosed
	}
	if !b.Wait {
		return h.shared.Do(ctx, b, w)
	}
	// Few of those who may wait have to. Only they have to be told of a Close.
	mark := w.Len()
	b.Wait = false
	err := h.shared.Do(ctx, b, w)
	b.Wait = true
	if !errors.Is(err, engine.ErrWouldWait) {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(h.life, func() { cancel(engine.ErrClosed) })()
	rest := *b
	rest.Calls = b.Calls[b.Done:]
	err = h.shared.Do(ctx, &rest, w)
	b.Done += rest.Done
	switch {
	case err == nil:
		return nil
	case errors.Is(err, engine.ErrClosed):
		err = engine.ErrClosed
	}
	w.Truncate(mark)
	return err
}

// Watch implements engine.Engine.
func (h *handle) Watch(ctx context.Context, db int, keys [][]byte) (engine.Guard, error) {
	if h.closed.Load() {
		return nil, engine.ErrClosed
	}
	return h.shared.Watch(ctx, db, keys)
}

// Close gives the keyspace back. The last handle's Close ends it.
func (h *handle) Close() error {
	if h.closed.Swap(true) {
		return nil
	}
	h.end()
	named.Lock()
	defer named.Unlock()
	if h.users--; h.users > 0 {
		return nil
	}
	delete(named.engines, h.name)
	return h.Engine.Close()
}

func open(_ context.Context, u *url.URL) (engine.Engine, error) {
	if u.User != nil || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("memory takes a name and nothing else: memory://name")
	}
	for parameter := range u.Query() {
		return nil, fmt.Errorf("unknown parameter %q; memory has none", parameter)
	}
	if u.Host == "" {
		return New(Options{}), nil
	}
	named.Lock()
	defer named.Unlock()
	s := named.engines[u.Host]
	if s == nil {
		if named.engines == nil {
			named.engines = map[string]*shared{}
		}
		s = &shared{Engine: New(Options{}), name: u.Host}
		named.engines[u.Host] = s
	}
	s.users++
	h := &handle{shared: s}
	h.life, h.end = context.WithCancel(context.Background())
	return h, nil
}
