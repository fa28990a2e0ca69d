// Package redbud opens Redis-like storage by URL and gives a go-redis client of it, whatever stands behind: the process's
// own memory, or a Redis, Valkey or KeyDB server, cluster or set of sentinels.
//
//	db, err := redbud.Open(ctx, "memory://")
//
// A *DB embeds redis.UniversalClient of github.com/redis/go-redis/v9: pipelines, transactions, scripts, pub/sub and every
// library that takes such a client work on it. Serve puts the same storage behind a port that speaks RESP, for clients of
// any language.
//
// The URLs:
//
//	memory://                      in this process, private to the DB
//	memory://name                  in this process, shared by all who open the name; gone with the last of them
//	redis://user:pw@host:6379/0    a server; rediss:// with TLS
//	redis+unix:///path?db=0        a server by its socket; also unix://
//	redis+cluster://h1:1,h2:2      a cluster; rediss+cluster:// with TLS
//	redis+sentinel://h1,h2/master  the master that sentinels name; rediss+sentinel:// with TLS
//
// valkey and keydb stand for redis in each of them. Package engine/redis has their parameters.
package redbud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	_ "github.com/redbud-go/redbud/engine/memory" // registers memory
	_ "github.com/redbud-go/redbud/engine/redis"  // registers redis, valkey, keydb
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/server"
)

// DB is an open database: a go-redis client and what stands behind it. It is safe for concurrent use. Close it once.
//
// On an engine in this process the frequent commands run without a connection. Adding a hook turns that short cut off,
// so that the hook sees every command.
type DB struct {
	redis.UniversalClient

	engine engine.Engine
	hub    *server.Hub // knows all clients of the engine, whichever way they came
	lane   *lane       // nil where the engine has a client of its own
}

// Open opens what a URL names. It fails if nobody answers there, if no imported package knows the scheme, or if a
// parameter is unknown; passwords are in no error.
func Open(ctx context.Context, url string) (*DB, error) {
	e, err := engine.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	return newDB(e, 0), nil
}

// hasClient is an engine that has a go-redis client of its own.
type hasClient interface{ Client() redis.UniversalClient }

// newDB makes the client of an engine. db is its database where the engine has not chosen it.
func newDB(e engine.Engine, db int) *DB {
	hub := server.NewHub()
	if c, ok := e.(hasClient); ok {
		return &DB{UniversalClient: c.Client(), engine: e, hub: hub}
	}
	return inProcess(e, db, hub)
}

// inProcess makes a client that runs its commands on an engine without a network in between.
func inProcess(e engine.Engine, db int, hub *server.Hub) *DB {
	o := server.Options{Hub: hub, Databases: max(16, db+1)} // as many as a Redis has, unless it is known to have more
	c := redis.NewClient(&redis.Options{
		Addr:     "in process",
		DB:       db,
		Protocol: 3,
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			return server.Pipe(e, o), nil
		},

		// A connection costs little and can't be lost; nothing is gained by waiting for one, nor by trying again.
		PoolSize:         1 << 10,
		MaxIdleConns:     16,
		PipelinePoolSize: -1,
		MaxRetries:       -1,
		ReadTimeout:      -1,
		DisableIdentity:  true,

		ContextTimeoutEnabled:    true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	l := &lane{engine: e, hub: hub, db: db}
	c.AddHook(l)
	return &DB{UniversalClient: c, engine: e, hub: hub, lane: l}
}

// Unwrap returns the client of go-redis behind the DB: a *redis.ClusterClient for a cluster, else a *redis.Client. Calls of it are not gathered into
// pipelines, whatever Options.AutoPipeline says.
func (db *DB) Unwrap() redis.UniversalClient {
	if e, ok := db.engine.(interface{ Beneath() redis.UniversalClient }); ok {
		return e.Beneath()
	}
	return db.UniversalClient
}

// KeySlot returns the hash slot of a key, in a namespace that of the key with the prefix. ok is false where there is no cluster.
func (db *DB) KeySlot(key string) (slot int, ok bool) {
	if e, is := db.engine.(interface{ KeySlot([]byte) (int, bool) }); is {
		return e.KeySlot([]byte(key))
	}
	return 0, false
}

// Close closes the client and gives the engine back. On memory it drops the data, unless others share it by name.
func (db *DB) Close() error {
	if db.lane == nil {
		return db.engine.Close() // which closes its client
	}
	db.lane.closed.Store(true)
	return errors.Join(db.UniversalClient.Close(), db.engine.Close())
}

// drain is how long Serve lets clients finish what they have begun.
const drain = 10 * time.Second

// Serve answers RESP clients that connect to l. When the context ends it closes l, lets the clients finish what they
// have begun, and returns nil; any other end is an error. Nothing is asked of the clients, not even the password of a
// Redis behind the DB: who can reach l has what the DB has. Peers on other machines are refused therefore.
func (db *DB) Serve(ctx context.Context, l net.Listener) error {
	s := server.New(db.engine, server.Options{Hub: db.hub})
	ended := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		ended <- s.Shutdown(limit)
	})
	err := s.Serve(l)
	if stop() { // it was not the context
		return errors.Join(err, s.Close())
	}
	return <-ended
}

// ListenAndServe is Serve on a TCP address such as "127.0.0.1:6379".
func (db *DB) ListenAndServe(ctx context.Context, addr string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return db.Serve(ctx, l)
}
