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
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/memstore"
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
	once sync.Once
}

// Close gives the keyspace back. The last handle's Close ends it.
func (h *handle) Close() (err error) {
	h.once.Do(func() {
		named.Lock()
		defer named.Unlock()
		if h.users--; h.users == 0 {
			delete(named.engines, h.name)
			err = h.Engine.Close()
		}
	})
	return err
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
