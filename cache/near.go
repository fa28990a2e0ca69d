// Near caches: values that are kept in the process, and forgotten when the engine says that they have changed.

package cache

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// NearOptions of a Near.
type NearOptions struct {
	Entries    int           // values that are kept at most; default 10,000
	Bytes      int           // what these take at most as the engine stores them, with their keys, default 64 MiB; one of more than a sixteenth of it is not kept
	MaxAge     time.Duration // how long a value is kept before the engine is asked again; default a minute
	MaxSilence time.Duration // how long values are served after the last sign of life of the feed, at least 10ms; default 5s
}

// nearShards are how many parts a Near has, each with a lock of its own.
const nearShards = 16

// Near is a cache in front of a cache. It is safe for concurrent use.
type Near[T any] struct {
	c     *Cache[T]
	o     NearOptions
	clock func() int64 // nanoseconds that only go up

	seed   maphash.Seed
	shards []nearShard[T]
	until  atomic.Int64 // of the clock: till then values are served
	feed   *feed        // nil: there is none, and nothing is kept
}

// nearShard is a part of a Near.
type nearShard[T any] struct {
	entries, bytes int // at most

	mu   sync.RWMutex             // guards what follows
	all  map[string]*nearEntry[T] // by the cache's keys
	size int                      // in bytes, of all

	hits, misses, invalidated, evicted atomic.Uint64

	_ [64]byte // the counters of two shards are on different cache lines
}

// nearEntry is a value that is kept. Only visited changes once it is loaded.
type nearEntry[T any] struct {
	loaded  bool // false: somebody is about to load it
	value   T
	size    int
	until   int64 // of the clock
	visited atomic.Bool
}

// Near returns a cache whose hits come from this process: what it has read is kept until the engine's CLIENT TRACKING says that it has changed, for
// NearOptions.MaxAge at most, and never beyond its TTL. It takes a connection of its own to each node for that; ctx is for the first of them, without which it
// fails. Close it before the client.
//
// The values of hits are those that were decoded once: callers share what they point to, and do not change it.
func (c *Cache[T]) Near(ctx context.Context, o NearOptions) (*Near[T], error) {
	began := time.Now()
	return c.near(ctx, o, func() int64 { return int64(time.Since(began)) })
}

func (c *Cache[T]) near(ctx context.Context, o NearOptions, clock func() int64) (*Near[T], error) {
	o.Entries, o.Bytes = or(o.Entries, 10_000), or(o.Bytes, 64<<20)
	o.MaxAge, o.MaxSilence = or(o.MaxAge, time.Minute), or(o.MaxSilence, 5*time.Second)
	if o.Entries < 1 || o.Bytes < 1 || o.MaxAge < 0 || o.MaxSilence < 10*time.Millisecond {
		return nil, fmt.Errorf("%w: %d entries of %d bytes, kept for %v, served for %v without a feed", ErrOptions, o.Entries, o.Bytes, o.MaxAge, o.MaxSilence)
	}
	n := &Near[T]{c: c, o: o, clock: clock, seed: maphash.MakeSeed(), shards: make([]nearShard[T], min(nearShards, o.Entries))}
	for i := range n.shards {
		s := &n.shards[i]
		s.all, s.entries, s.bytes = map[string]*nearEntry[T]{}, o.Entries/len(n.shards), o.Bytes/nearShards
		if i < o.Entries%len(n.shards) {
			s.entries++
		}
	}
	if c.forgets {
		return n, nil
	}
	n.feed = &feed{
		client: c.client, prefix: c.o.Prefix, silence: o.MaxSilence, clock: clock, until: &n.until,
		changed: func(key string) { n.drop(key[len(c.o.Prefix):], true) }, lost: n.flush,
	}
	if err := n.feed.start(ctx); err != nil {
		return nil, fmt.Errorf("cache: the feed of what has changed: %w", err)
	}
	return n, nil
}

// or is a value, or its default.
func or[V comparable](v, standard V) V {
	var zero V
	if v == zero {
		return standard
	}
	return v
}

// Close gives the connections back, and forgets everything. The cache behind stays open, and Get goes on by asking it.
func (n *Near[T]) Close() error {
	if n.feed != nil {
		n.feed.stop()
	}
	n.flush()
	return nil
}

func (n *Near[T]) shard(key string) *nearShard[T] {
	return &n.shards[maphash.String(n.seed, key)%uint64(len(n.shards))]
}

// kept is a value of this process.
func (n *Near[T]) kept(key string) (value T, ok bool) {
	now := n.clock()
	s := n.shard(key)
	if now < n.until.Load() {
		s.mu.RLock()
		e := s.all[key]
		if e != nil && e.loaded && now < e.until {
			value, ok = e.value, true
			if !e.visited.Load() {
				e.visited.Store(true)
			}
		}
		s.mu.RUnlock()
	}
	if ok {
		s.hits.Add(1)
	} else {
		s.misses.Add(1)
	}
	return value, ok
}

// reserve is the place of a value that the caller is about to load; nil: it is not kept.
func (n *Near[T]) reserve(key string) *nearEntry[T] {
	if n.clock() >= n.until.Load() {
		return nil
	}
	s := n.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.all[key]
	if old != nil && !old.loaded {
		return nil
	}
	s.remove(key, old)
	e := &nearEntry[T]{}
	s.all[key] = e
	s.shrink(key)
	return e
}

// keep puts a loaded value, stored in size bytes with its key, to its place, unless it has changed since it was reserved. Without ok it gives the place back.
func (n *Near[T]) keep(key string, place *nearEntry[T], value T, size int, until int64, ok bool) {
	s := n.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[key] != place {
		return
	}
	if !ok || size > s.bytes {
		delete(s.all, key)
		return
	}
	place.value, place.size, place.until, place.loaded = value, size, until, true
	s.size += size
	s.shrink(key)
}

// remove forgets an entry. mu is held.
func (s *nearShard[T]) remove(key string, e *nearEntry[T]) {
	if e != nil {
		s.size -= e.size
		delete(s.all, key)
	}
}

// shrink forgets values, any that nobody has got since it came by last, until what is left fits. mu is held.
func (s *nearShard[T]) shrink(except string) {
	for len(s.all) > s.entries || s.size > s.bytes {
		for key, e := range s.all { // from a random one on
			if key == except && len(s.all) > 1 || e.visited.Swap(false) {
				continue
			}
			s.remove(key, e)
			s.evicted.Add(1)
			break
		}
	}
}

// drop forgets the value at a key.
func (n *Near[T]) drop(key string, changed bool) {
	s := n.shard(key)
	s.mu.Lock()
	e := s.all[key]
	s.remove(key, e)
	s.mu.Unlock()
	if e != nil && changed {
		s.invalidated.Add(1)
	}
}

// flush forgets everything.
func (n *Near[T]) flush() {
	for i := range n.shards {
		s := &n.shards[i]
		s.mu.Lock()
		s.invalidated.Add(uint64(len(s.all)))
		clear(s.all)
		s.size = 0
		s.mu.Unlock()
	}
}

// Get is Cache.Get. Values with tags are not kept.
func (n *Near[T]) Get(ctx context.Context, key string) (T, error) {
	if value, ok := n.kept(key); ok {
		n.c.o.Stats.Read(1, 0, 0)
		return value, nil
	}
	place := n.reserve(key)
	if place == nil {
		return n.c.Get(ctx, key)
	}
	return told(n.c, "get", func() Pending[T] {
		value, err := n.load(ctx, key, place)
		return Pending[T]{func() (T, error) { return value, err }}
	})
}

func (n *Near[T]) load(ctx context.Context, key string, place *nearEntry[T]) (value T, err error) {
	var size int
	var until int64
	keep := false
	defer func() { n.keep(key, place, value, size, until, keep) }()
	full, err := n.c.key(key)
	if err != nil {
		return value, err
	}
	asked := n.clock()
	pipe := n.c.client.Pipeline()
	get, ttl := pipe.Get(ctx, full), pipe.PTTL(ctx, full)
	_, _ = pipe.Exec(ctx) // the commands have the errors
	if value, err = n.c.got(ctx, key, get); err != nil {
		return value, err
	}
	size = len(key) + len(get.Val())
	until, keep = n.term(get.Val(), ttl, asked)
	return value, nil
}

// term is until when a value is kept that was asked for at a time, and whether it is.
func (n *Near[T]) term(data string, ttl *redis.DurationCmd, asked int64) (until int64, keep bool) {
	left, err := ttl.Result()
	if left == -1 {
		left = Forever
	}
	prefix := data[:min(len(data), 3)]
	k, _, unsealErr := unseal([]byte(prefix))
	return asked + int64(min(left, n.o.MaxAge)), errors.Join(err, unsealErr) == nil && k == bare && left > 0
}

// GetMany is Cache.GetMany, which is asked for those alone that are not in the process.
func (n *Near[T]) GetMany(ctx context.Context, keys ...string) ([]Found[T], error) {
	found := make([]Found[T], len(keys))
	var missing []int
	for i, key := range keys {
		if found[i].Value, found[i].OK = n.kept(key); !found[i].OK {
			missing = append(missing, i)
		}
	}
	if hits := len(keys) - len(missing); hits > 0 {
		n.c.o.Stats.Read(hits, 0, 0)
	}
	if len(missing) == 0 {
		return found, nil
	}
	loaded, err := told(n.c, "get many", func() Pending[[]Found[T]] {
		loaded, err := n.loadMany(ctx, pick(keys, missing))
		return Pending[[]Found[T]]{func() ([]Found[T], error) { return loaded, err }}
	})
	if err != nil {
		return nil, err
	}
	for i, at := range missing {
		found[at] = loaded[i]
	}
	return found, nil
}

func (n *Near[T]) loadMany(ctx context.Context, keys []string) (found []Found[T], err error) {
	full, err := n.c.keys(keys)
	if err != nil {
		return nil, err
	}
	asked := n.clock()
	places, values := make([]*nearEntry[T], len(keys)), make([]any, len(keys))
	gets, ttls := make([]*redis.SliceCmd, len(keys)), make([]*redis.DurationCmd, len(keys))
	pipe := n.c.client.Pipeline()
	for i, key := range keys {
		places[i] = n.reserve(key)
		gets[i] = pipe.MGet(ctx, full[i]) // what is no string is a miss among many
		if places[i] != nil {
			ttls[i] = pipe.PTTL(ctx, full[i])
		}
	}
	defer func() {
		for i, place := range places {
			if place == nil {
				continue
			}
			var value T
			data, until, keep := "", int64(0), err == nil && found[i].OK
			if keep {
				data, value = values[i].(string), found[i].Value
				until, keep = n.term(data, ttls[i], asked)
			}
			n.keep(keys[i], place, value, len(keys[i])+len(data), until, keep)
		}
	}()
	_, _ = pipe.Exec(ctx) // the commands have the errors
	for i, get := range gets {
		got, err := get.Result()
		if err != nil {
			return nil, failed(err)
		}
		values[i] = got[0]
	}
	return n.c.gotMany(ctx, keys, values)
}

// Set is Cache.Set. Once it has returned, Get of this process does not return what was there.
func (n *Near[T]) Set(ctx context.Context, key string, value T, ttl time.Duration) error {
	defer n.drop(key, false)
	return n.c.Set(ctx, key, value, ttl)
}

// Delete is Cache.Delete. Once it has returned, Get of this process does not return what was there.
func (n *Near[T]) Delete(ctx context.Context, key string) (existed bool, err error) {
	defer n.drop(key, false)
	return n.c.Delete(ctx, key)
}

// Forget forgets what the process has of keys, after a write of another kind say: of a write by the cache behind it is told a little later.
func (n *Near[T]) Forget(keys ...string) {
	for _, key := range keys {
		n.drop(key, false)
	}
}

// NearStats are what a Near has done since it began.
type NearStats struct {
	Hits, Misses uint64 // values from the process, and those for which the engine was asked
	Invalidated  uint64 // values that were forgotten because they had changed, or might have
	Evicted      uint64 // values that were forgotten because there were too many
	Entries      int    // values that are kept now
	Bytes        int    // what these take as the engine stores them, with their keys
	Feed         bool   // whether values are served from the process now
}

// Stats returns what the near cache has done.
func (n *Near[T]) Stats() NearStats {
	all := NearStats{Feed: n.clock() < n.until.Load()}
	for i := range n.shards {
		s := &n.shards[i]
		all.Hits += s.hits.Load()
		all.Misses += s.misses.Load()
		all.Invalidated += s.invalidated.Load()
		all.Evicted += s.evicted.Load()
		s.mu.RLock()
		all.Entries += len(s.all)
		all.Bytes += s.size
		s.mu.RUnlock()
	}
	return all
}
