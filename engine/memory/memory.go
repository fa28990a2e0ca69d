// Package memory is the engine that keeps everything in the process. Importing it makes the scheme memory known:
//
//	memory://       a keyspace of its own for each handle
//	memory://name   one keyspace for all who open that name in the process, gone when the last one closes it
package memory

import (
	"context"
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
}

// Do implements engine.Engine.
func (h *handle) Do(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	if h.closed.Load() {
		return engine.ErrClosed
	}
	return h.shared.Do(ctx, b, w)
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
	return &handle{shared: s}, nil
}
