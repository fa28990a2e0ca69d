// Package redis is the engine that forwards calls to a Redis, Valkey or KeyDB: one server, a cluster, or the master that
// sentinels name. Importing it is all it takes to have its schemes, which ParseURL lists.
package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/hashslot"
	"github.com/redbud-go/redbud/internal/resp"
)

func init() {
	engine.Register(func(ctx context.Context, u *url.URL) (engine.Engine, error) {
		o, err := ParseURL(u)
		if err != nil {
			return nil, err
		}
		return Open(ctx, o)
	}, schemes()...)
}

// LostError is the failure of a batch whose connection broke, or could not be made, before its last reply: what ran of
// it is unknown. The next batch takes another connection.
type LostError struct{ Err error }

func (e *LostError) Error() string { return "connection lost: " + e.Err.Error() }

// Unwrap returns what go-redis or the network said.
func (e *LostError) Unwrap() error { return e.Err }

// Engine forwards batches and passes the raw replies on. It is safe for concurrent use.
//
// A batch is a pipeline on one connection; replies come in the protocol version that is asked for, because there are
// connections of both. Calls that only read are sent once more after a lost connection, others never are. A blocking call
// has a connection of its own, so that it can be interrupted.
//
// On a cluster each call goes to the master of its keys, and the calls of a batch that go to different masters run at
// the same time. DBSIZE, KEYS, RANDOMKEY and SCAN concern all masters; FLUSHALL, FLUSHDB, CONFIG SET and the loading of
// scripts and functions too. Other calls without keys go to any master.
type Engine struct {
	options *redis.UniversalOptions
	client  redis.UniversalClient
	beneath redis.UniversalClient // the same, but for what gathers calls
	life    context.Context       // ends with Close
	end     context.CancelFunc
	running sync.WaitGroup // exchanges that go on in a goroutine

	mu       sync.Mutex // guards all below
	closed   bool
	nodes    map[pool]*redis.Client
	clusters map[int]*redis.ClusterClient // by protocol version
}

// pool names the connections that agree in what a batch depends on.
type pool struct{ db, proto int }

// Open connects to what the options describe: a cluster if IsClusterMode is set, the master of sentinels if MasterName
// is, otherwise the server at the first address, which is a socket if it starts with a slash. It fails if nobody answers.
// A MaxRetries of 0 means none. The options are borrowed until Close.
func Open(ctx context.Context, o *redis.UniversalOptions) (*Engine, error) {
	e := &Engine{
		options:  withDefaults(o),
		nodes:    map[pool]*redis.Client{},
		clusters: map[int]*redis.ClusterClient{},
	}
	e.life, e.end = context.WithCancel(context.Background())
	var err error
	if e.client, e.beneath, err = connect(e.options); err != nil {
		return nil, err
	}
	err = e.await(ctx, func() error { return e.client.Ping(ctx).Err() }, nil)
	if err != nil {
		// The ping is more of interest than what closing says about it.
		_ = e.Close()
		return nil, err
	}
	return e, nil
}

// withDefaults copies the options and puts in what we decide otherwise than go-redis.
func withDefaults(o *redis.UniversalOptions) *redis.UniversalOptions {
	c := *o
	if c.MaxRetries == 0 {
		c.MaxRetries = -1
	}
	if c.MaintNotificationsConfig == nil {
		c.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	}
	c.Addrs = slices.Clone(o.Addrs)
	return &c
}

// connect makes the client that users hold, and the one beneath it, which is the same unless calls are gathered.
func connect(o *redis.UniversalOptions) (client, beneath redis.UniversalClient, err error) {
	beneath = dialAny(o)
	if o.AutoPipelineOptions == nil {
		return beneath, beneath, nil
	}
	client, err = beneath.AutoPipeline()
	return client, beneath, err
}

// dialAny makes a client of a cluster, or of one server.
func dialAny(o *redis.UniversalOptions) redis.UniversalClient {
	if o.IsClusterMode {
		return redis.NewClusterClient(o.Cluster())
	}
	return dial(o)
}

// dial makes a client of one server, or of whichever is the master.
func dial(o *redis.UniversalOptions) *redis.Client {
	if o.MasterName != "" {
		return redis.NewFailoverClient(o.Failover())
	}
	return redis.NewClient(o.Simple())
}

// Client is go-redis's own client of the same server. Close closes it.
func (e *Engine) Client() redis.UniversalClient { return e.client }

// Beneath is Client without what gathers calls: a *redis.Client or a *redis.ClusterClient.
func (e *Engine) Beneath() redis.UniversalClient { return e.beneath }

// KeySlot is the hash slot of a key, if this is a cluster.
func (e *Engine) KeySlot(key []byte) (slot int, ok bool) {
	return hashslot.Of(key), e.options.IsClusterMode
}

// Database is the database that the client is in.
func (e *Engine) Database() int { return e.options.DB }

// raw are the options of the connections that batches run on.
func (e *Engine) raw(p pool) *redis.UniversalOptions {
	o := *e.options
	o.DB, o.Protocol = p.db, p.proto
	o.MaxRetries = -1
	o.ContextTimeoutEnabled = true
	o.AutoPipelineOptions = nil
	o.PipelinePoolSize = -1 // all of it is pipelines: one pool is enough
	return &o
}

// node is the client whose connections are in a database and speak a protocol version.
func (e *Engine) node(p pool) (*redis.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, engine.ErrClosed
	}
	c := e.nodes[p]
	if c == nil {
		c = dial(e.raw(p))
		e.nodes[p] = c
	}
	return c, nil
}

// cluster is node for a cluster, which has one database.
func (e *Engine) cluster(proto int) (*redis.ClusterClient, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, engine.ErrClosed
	}
	c := e.clusters[proto]
	if c == nil {
		o := e.raw(pool{proto: proto}).Cluster()
		o.DisableRoutingPolicies = true // they would split and merge replies that we pass on as they are
		c = redis.NewClusterClient(o)
		e.clusters[proto] = c
	}
	return c, nil
}

// Do implements engine.Engine.
func (e *Engine) Do(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	mark := w.Len()
	run := e.pipeline
	if b.Atomic || b.Guard != nil {
		run = e.transaction
	}
	b.Done = 0
	err := run(ctx, b, w)
	switch {
	case err == nil:
		b.Done = len(b.Calls)
	case !errors.Is(err, engine.ErrWouldWait):
		w.Truncate(mark)
	}
	return err
}

// closeOnce closes a client, unless its user was first.
func closeOnce(c redis.UniversalClient) error {
	if err := c.Close(); !errors.Is(err, redis.ErrClosed) {
		return err
	}
	return nil
}

// Close closes the client and all connections, and waits for the exchanges that are under way to notice.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	nodes, clusters := slices.Collect(maps.Values(e.nodes)), slices.Collect(maps.Values(e.clusters))
	e.mu.Unlock()
	e.end()
	err := closeOnce(e.client)
	if e.beneath != e.client {
		err = errors.Join(err, closeOnce(e.beneath))
	}
	for _, c := range nodes {
		err = errors.Join(err, c.Close())
	}
	for _, c := range clusters {
		err = errors.Join(err, c.Close())
	}
	e.running.Wait()
	if err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}
