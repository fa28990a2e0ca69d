package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

// dying is a client that has a few commands answered and then no more, as if its process had been killed.
type dying struct {
	mu     sync.Mutex // guards what follows
	left   int        // how many commands are still answered
	late   bool       // the one after these arrives, and its answer is lost
	before func()     // what happens before that one instead, which is sent; nil: it dies
	died   bool
}

var errDead = errors.New("the client is dead")

// on is a client on a database, for now alive. Of a cluster it is one for each node, so that a pipeline dies in parts.
func (d *dying) on(t *testing.T, db *redbud.DB) *dying {
	t.Helper()
	d.live()
	cluster, ok := db.Unwrap().(*redis.ClusterClient)
	if !ok {
		db.AddHook(d)
		return d
	}
	cluster.OnNewNode(func(node *redis.Client) { node.AddHook(d) })
	if err := cluster.ForEachMaster(t.Context(), func(_ context.Context, node *redis.Client) error {
		node.AddHook(d)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return d
}

// die has it die after some commands.
func (d *dying) die(commands int, late bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left, d.late, d.before, d.died = commands, late, nil, false
}

// live has it live, and tells whether it was dead.
func (d *dying) live() (died bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	died = d.died
	d.left, d.before, d.died = math.MaxInt, nil, false
	return died
}

// counted is how many commands it has sent since it was live.
func (d *dying) counted() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return math.MaxInt - d.left
}

// stop has something happen before a command, and all go on then.
func (d *dying) stop(commands int, happen func()) {
	d.die(commands, false)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before = happen
}

// sends is what becomes of a command: whether it is sent, and whether its answer arrives.
func (d *dying) sends(name string) (sent, answered bool) {
	switch name {
	case "hello", "client", "cluster", "select": // of the connection
		return true, true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left--
	switch {
	case d.left == -1 && d.before != nil:
		d.before()
		return true, true
	case d.left >= 0 || d.before != nil:
		return true, true
	}
	d.died = true
	return d.late && d.left == -1, false
}

func (d *dying) DialHook(next redis.DialHook) redis.DialHook { return next }

func (d *dying) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		pipeline := d.ProcessPipelineHook(func(ctx context.Context, cmds []redis.Cmder) error { return next(ctx, cmds[0]) })
		return pipeline(ctx, []redis.Cmder{cmd})
	}
}

func (d *dying) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		sent, answered := d.sends(cmds[0].Name())
		if sent {
			if err := next(ctx, cmds); answered {
				return err
			}
		}
		for _, cmd := range cmds {
			cmd.SetErr(errDead)
		}
		return errDead
	}
}

// world is where an operation runs: keys of its own, and a clock.
type world struct {
	t      *testing.T
	db     *redbud.DB
	prefix string
	clock  *clock
	moved  bool // the clock is

	loading bool // the token of a load was there when somebody looked
}

func (w *world) cache() *cache.Cache[string] {
	return open[string](w.t, w.db, cache.Options{Prefix: w.prefix})
}

// process is who does an operation.
type process struct {
	do    func(ctx context.Context) (any, error)
	after func() // waits for what it does behind; nil: nothing
}

// run does the operation, and all that it does behind.
func (p process) run(ctx context.Context) (result string, err error) {
	value, err := p.do(ctx)
	if p.after != nil {
		p.after()
	}
	return fmt.Sprint(value, " ", err), err
}

// The ways in which an operation that has several keys changes them.
const (
	atOnce = iota
	bySlot // on a cluster, those of each slot at once
	inTurn
)

// operation is one that writes.
type operation struct {
	name    string
	keys    int  // atOnce, bySlot, inTurn
	forever bool // something stays for ever then
	quiet   bool // it returns something although the engine does not answer
	oneSlot bool
	before  func(ctx context.Context, w *world) error // nil: nothing is there
	open    func(w *world) process
}

// onCache is an operation of a cache.
func onCache(do func(ctx context.Context, c *cache.Cache[string]) (any, error)) func(w *world) process {
	return func(w *world) process {
		c := w.cache()
		return process{do: func(ctx context.Context) (any, error) { return do(ctx, c) }}
	}
}

// holding is what is there before.
func holding(store ...func(ctx context.Context, c *cache.Cache[string]) error) func(ctx context.Context, w *world) error {
	return func(ctx context.Context, w *world) error {
		c := w.cache()
		for _, s := range store {
			if err := s(ctx, c); err != nil {
				return err
			}
		}
		return nil
	}
}

// values stores values.
func values(keys ...string) func(ctx context.Context, c *cache.Cache[string]) error {
	return func(ctx context.Context, c *cache.Cache[string]) error {
		all := map[string]string{}
		for _, key := range keys {
			all[key] = "old"
		}
		return c.SetMany(ctx, all, 30*time.Hour)
	}
}

// The things that are there before.
func aHash(ctx context.Context, c *cache.Cache[string]) error {
	_, err := c.Hash("h").Set(ctx, map[string]string{"f": "old", "g": "old"}, 30*time.Hour)
	return err
}

func aList(ctx context.Context, c *cache.Cache[string]) error {
	_, err := c.List("l").PushBack(ctx, 30*time.Hour, "1", "2", "3", "4", "5", "6")
	return err
}

func taggedValues(ctx context.Context, c *cache.Cache[string]) error {
	return errors.Join(c.SetTagged(ctx, "t", "old", 30*time.Hour, "a"), c.SetTagged(ctx, "u", "old", 30*time.Hour, "b", "c"))
}

// lease is that of the Funcs.
const lease = 10 * time.Second

// memoised is an operation of a Func. old are the keys that are there before, loaded a while ago.
func memoised(name string, keys int, change func(w *world, o *funcOptions), old []string, ago time.Duration, do func(ctx context.Context, f *cache.Func[string, string]) (any, error)) operation {
	function := func(w *world) *cache.Func[string, string] {
		o := funcOptions{Options: cache.Options{Prefix: w.prefix}, TTL: time.Hour, Lease: lease, Now: w.clock.now}
		o.Load = func(_ context.Context, key string) (string, error) {
			if w.moved {
				return "newer " + key, nil
			}
			return "old " + key, nil
		}
		o.LoadMany = func(ctx context.Context, keys []string) ([]cache.Found[string], error) {
			found := make([]cache.Found[string], len(keys))
			for i, key := range keys {
				found[i].Value, _ = o.Load(ctx, key)
				found[i].OK = true
			}
			return found, nil
		}
		if change != nil {
			change(w, &o)
		}
		return memoise(w.t, w.db, o)
	}
	return operation{
		name: name, keys: keys,
		before: func(ctx context.Context, w *world) error {
			_, err := function(w).GetMany(ctx, old...)
			w.clock.move(ago)
			w.moved = true
			return err
		},
		open: func(w *world) process {
			f := function(w)
			return process{func(ctx context.Context) (any, error) { return do(ctx, f) }, func() { cache.AwaitLanded(f) }}
		},
	}
}

type funcOptions = cache.FuncOptions[string, string]

// The options of Funcs.
func inFleet(_ *world, o *funcOptions)  { o.Fleet = true }
func failOpen(_ *world, o *funcOptions) { o.FailOpen = true }
func staying(_ *world, o *funcOptions)  { o.Stale = time.Hour }
func withTags(_ *world, o *funcOptions) { o.Tags = func(string) []string { return []string{"a", "b"} } }

// failing has the load fail once there is something old.
func failing(w *world, o *funcOptions, failure error) {
	load := o.Load
	o.Load = func(ctx context.Context, key string) (string, error) {
		if w.moved {
			return "", failure
		}
		return load(ctx, key)
	}
}

var errNoLuck = errors.New("no luck")

// operations are all that write, with everything that may be there before.
func operations() []operation {
	get := func(ctx context.Context, f *cache.Func[string, string]) (any, error) { return f.Get(ctx, "k") }
	getMany := func(ctx context.Context, f *cache.Func[string, string]) (any, error) {
		return f.GetMany(ctx, "k", "l", "m")
	}
	quiet := func(o operation) operation { o.quiet = true; return o }
	type c = cache.Cache[string]
	all := []operation{
		{name: "set", open: onCache(func(ctx context.Context, c *c) (any, error) { return nil, c.Set(ctx, "k", "new", time.Hour) })},
		{name: "set over a hash", before: holding(aHash), open: onCache(func(ctx context.Context, c *c) (any, error) { return nil, c.Set(ctx, "h", "new", time.Hour) })},
		{name: "set for ever", forever: true, before: holding(values("k")), open: onCache(func(ctx context.Context, c *c) (any, error) { return nil, c.Set(ctx, "k", "new", cache.Forever) })},
		{name: "set if missing", open: onCache(func(ctx context.Context, c *c) (any, error) {
			return c.SetIf(ctx, cache.IfMissing, "k", "new", time.Hour)
		})},
		{name: "set if exists", before: holding(values("k")), open: onCache(func(ctx context.Context, c *c) (any, error) {
			return c.SetIf(ctx, cache.IfExists, "k", "new", time.Hour)
		})},
		{name: "set many", keys: bySlot, before: holding(values("a", "b")), open: onCache(func(ctx context.Context, c *c) (any, error) {
			return nil, c.SetMany(ctx, map[string]string{"a": "new", "b": "new", "c": "new", "d": "new", "e": "new"}, time.Hour)
		})},
		{name: "delete", before: holding(values("k")), open: onCache(func(ctx context.Context, c *c) (any, error) { return c.Delete(ctx, "k") })},
		{name: "delete many", keys: bySlot, before: holding(values("a", "b", "c", "d"), aHash), open: onCache(func(ctx context.Context, c *c) (any, error) { return c.DeleteMany(ctx, "a", "b", "c", "h") })},
		{name: "clear", keys: inTurn, before: holding(values("a", "b", "c", "d"), aHash, taggedValues), open: onCache(func(ctx context.Context, c *c) (any, error) { return c.Clear(ctx) })},
		{name: "expire in", before: holding(values("k")), open: onCache(func(ctx context.Context, c *c) (any, error) { return c.ExpireIn(ctx, "k", time.Hour) })},
		{name: "expire now", before: holding(values("k")), open: onCache(func(ctx context.Context, c *c) (any, error) { return c.ExpireIn(ctx, "k", 0) })},
		{name: "expire never", forever: true, before: holding(values("k")), open: onCache(func(ctx context.Context, c *c) (any, error) { return c.ExpireIn(ctx, "k", cache.Forever) })},
		{name: "expire at", before: holding(values("k")), open: onCache(func(ctx context.Context, c *c) (any, error) { return c.ExpireAt(ctx, "k", time.Now().Add(time.Hour)) })},
		{name: "persist", forever: true, before: holding(values("k")), open: onCache(func(ctx context.Context, c *c) (any, error) { return c.Persist(ctx, "k") })},
		{name: "hash set", before: holding(aHash), open: onCache(func(ctx context.Context, c *c) (any, error) {
			return c.Hash("h").Set(ctx, map[string]string{"g": "new", "i": "new", "j": "new"}, time.Hour)
		})},
		{name: "hash delete", before: holding(aHash), open: onCache(func(ctx context.Context, c *c) (any, error) { return c.Hash("h").Delete(ctx, "f", "i") })},
		{name: "push front", before: holding(aList), open: onCache(func(ctx context.Context, c *c) (any, error) { return c.List("l").PushFront(ctx, time.Hour, "0", "-1") })},
		{name: "push back", open: onCache(func(ctx context.Context, c *c) (any, error) { return c.List("l").PushBack(ctx, time.Hour, "1", "2") })},
		{name: "pop front", before: holding(aList), open: onCache(func(ctx context.Context, c *c) (any, error) { return c.List("l").PopFront(ctx, 2) })},
		{name: "pop back", before: holding(aList), open: onCache(func(ctx context.Context, c *c) (any, error) { return c.List("l").PopBack(ctx, 2) })},
		{name: "set tagged", keys: inTurn, before: holding(taggedValues), open: onCache(func(ctx context.Context, c *c) (any, error) {
			return nil, c.SetTagged(ctx, "t", "new", 40*time.Hour, "a", "b", "new")
		})},
		{name: "begin", keys: bySlot, open: onCache(func(ctx context.Context, c *c) (any, error) { _, err := c.Begin(ctx, "a", "b"); return nil, err })},
		{name: "set what was loaded", keys: inTurn, before: holding(func(ctx context.Context, c *c) error { _, err := c.Begin(ctx, "a", "b"); return err }), open: onCache(func(ctx context.Context, c *c) (any, error) {
			load, err := c.Begin(ctx, "a", "b")
			if err != nil {
				return nil, err
			}
			return nil, load.Set(ctx, "t", "new", time.Minute)
		})},
		{name: "purge tags", keys: inTurn, before: holding(taggedValues), open: onCache(func(ctx context.Context, c *c) (any, error) { return nil, c.PurgeTags(ctx, "a", "b") })},
		{name: "expire tags", keys: bySlot, before: holding(taggedValues), open: onCache(func(ctx context.Context, c *c) (any, error) { return nil, c.ExpireTags(ctx, "a", "b") })},
		{name: "near", before: holding(values("k", "l")), keys: inTurn, open: func(w *world) process {
			n, err := w.cache().Near(w.t.Context(), cache.NearOptions{})
			if err != nil {
				w.t.Fatal(err)
			}
			w.t.Cleanup(func() {
				if err := n.Close(); err != nil {
					w.t.Error(err)
				}
			})
			return process{do: func(ctx context.Context) (any, error) {
				for _, key := range []string{"k", "l"} {
					if _, err := n.Get(ctx, key); err != nil && !errors.Is(err, cache.ErrMiss) {
						return nil, err
					}
				}
				if err := n.Set(ctx, "k", "new", time.Hour); err != nil {
					return nil, err
				}
				_, err := n.Delete(ctx, "l")
				if err != nil {
					return nil, err
				}
				got, err := n.Get(ctx, "k")
				if err != nil {
					return nil, err
				}
				_, err = n.Get(ctx, "l")
				if errors.Is(err, cache.ErrMiss) {
					return got, nil
				}
				return got, fmt.Errorf("what was deleted: %w", err)
			}}
		}},
		{name: "pipeline", keys: inTurn, before: holding(values("k", "l", "m"), aHash, taggedValues), open: queued(redis.UniversalClient.Pipelined)},
		{name: "transaction", oneSlot: true, before: holding(values("k", "l", "m"), aHash, taggedValues), open: queued(redis.UniversalClient.TxPipelined)},

		memoised("func get", atOnce, nil, nil, 0, get),
		memoised("func get in a fleet", atOnce, inFleet, nil, 0, get),
		quiet(memoised("func get that fails open", atOnce, failOpen, nil, 0, get)),
		memoised("func get of what is too old", atOnce, nil, []string{"k"}, 2*time.Hour, get),
		quiet(memoised("func get of what is stale", atOnce, staying, []string{"k"}, time.Hour, get)),
		quiet(memoised("func get of what is stale, in a fleet", atOnce, func(w *world, o *funcOptions) { staying(w, o); inFleet(w, o) }, []string{"k"}, time.Hour, get)),
		quiet(memoised("func get of an error that is kept", atOnce, func(w *world, o *funcOptions) { o.ErrorTTL = 30 * time.Hour; failing(w, o, errNoLuck) }, nil, 0, get)),
		quiet(memoised("func get of nothing, which is kept", atOnce, func(w *world, o *funcOptions) { o.NotFoundTTL = 30 * time.Hour; failing(w, o, cache.ErrNotFound) }, nil, 0, get)),
		quiet(memoised("func get of nothing any more", atOnce, func(w *world, o *funcOptions) { o.StaleIfError = 30 * time.Hour; failing(w, o, cache.ErrNotFound) }, []string{"k"}, 2*time.Hour, get)),
		memoised("func get of what is not kept any more", atOnce, func(w *world, o *funcOptions) { o.Exclude = func(string, string) bool { return w.moved } }, []string{"k"}, 2*time.Hour, get),
		memoised("func get many", bySlot, nil, []string{"k"}, time.Minute, getMany),
		memoised("func get many in a fleet", bySlot, inFleet, []string{"k"}, 2*time.Hour, getMany),
		quiet(memoised("func get many that are stale", bySlot, staying, []string{"k", "l", "m"}, time.Hour, getMany)),
		memoised("func get with tags", atOnce, withTags, []string{"l"}, 0, get),
		memoised("func get with tags in a fleet", atOnce, func(w *world, o *funcOptions) { withTags(w, o); inFleet(w, o) }, []string{"l"}, 0, get),
		memoised("func set with tags", atOnce, withTags, []string{"k", "l"}, time.Minute, func(ctx context.Context, f *cache.Func[string, string]) (any, error) {
			return nil, f.Set(ctx, "k", "new")
		}),
		memoised("func purge tags", inTurn, withTags, []string{"k", "l"}, time.Minute, func(ctx context.Context, f *cache.Func[string, string]) (any, error) {
			return nil, f.PurgeTags(ctx, "a", "b")
		}),
		memoised("func purge", atOnce, nil, []string{"k", "l"}, time.Minute, func(ctx context.Context, f *cache.Func[string, string]) (any, error) { return f.Purge(ctx, "k") }),
	}
	return all
}

// queued is an operation of several in a pipeline or transaction.
func queued(how func(redis.UniversalClient, context.Context, func(redis.Pipeliner) error) ([]redis.Cmder, error)) func(w *world) process {
	return func(w *world) process {
		c := w.cache()
		return process{do: func(ctx context.Context) (any, error) {
			var pending []func() error
			_, err := how(w.db, ctx, func(pipe redis.Pipeliner) error {
				q := c.In(pipe)
				pending = []func() error{
					last(q.Set(ctx, "k", "new", time.Hour)), last(q.SetIf(ctx, cache.IfMissing, "n", "new", time.Hour)),
					last(q.SetMany(ctx, map[string]string{"x": "new", "y": "new", "z": "new"}, time.Hour)),
					last(q.Delete(ctx, "l")), last(q.DeleteMany(ctx, "l", "o")), last(q.ExpireIn(ctx, "m", 2*time.Hour)),
					last(q.Hash("h").Set(ctx, map[string]string{"g": "new", "i": "new"}, time.Hour)), last(q.Hash("h").Delete(ctx, "f")),
					last(q.List("l").PushBack(ctx, time.Hour, "1", "2", "3")), last(q.List("l").PopFront(ctx, 1)),
					last(q.PurgeTags(ctx, "a", "b")),
				}
				return nil
			})
			if errors.Is(err, redis.Nil) { // SetIf
				err = nil
			}
			for _, p := range pending {
				err = errors.Join(err, p())
			}
			return nil, err
		}}
	}
}

// last is the error of what was queued, once that is known.
func last[R any](p cache.Pending[R]) func() error {
	return func() error {
		_, err := p.Value()
		return err
	}
}

// state is what is there: a text for each key.
type state map[string]string

// look is what is there now, and to be seen. It checks that nothing but that is there, and that the token of a load goes with its lease.
func (w *world) look() state {
	w.t.Helper()
	ctx, c, s := w.t.Context(), w.cache(), state{}
	keys := w.keys()
	w.loading = false
	kinds, ttls := make([]*redis.StatusCmd, len(keys)), make([]*redis.DurationCmd, len(keys))
	if _, err := w.db.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, key := range keys {
			kinds[i], ttls[i] = pipe.Type(ctx, key), pipe.PTTL(ctx, key)
		}
		return nil
	}); err != nil && len(keys) > 0 {
		w.t.Fatal(err)
	}
	whats := make([]func() (string, error), len(keys))
	_, _ = w.db.Pipelined(ctx, func(pipe redis.Pipeliner) error { // whats have the errors
		for i, key := range keys {
			name := strings.TrimPrefix(key, w.prefix)
			switch kind := kinds[i].Val(); {
			case strings.HasSuffix(key, ":load"):
				continue
			case kind == "hash":
				whats[i] = text(c.In(pipe).Hash(name).All(ctx).Value)
			case kind == "list":
				whats[i] = text(c.In(pipe).List(name).Range(ctx, 0, -1).Value)
			case strings.HasPrefix(name, "\xc1"): // the ids of a tag are random
				whats[i] = text(pipe.StrLen(ctx, key).Result)
			case strings.HasPrefix(name, "{"): // of a Func, with times in it
				data := pipe.Get(ctx, key)
				whats[i] = func() (string, error) {
					text, err := data.Result()
					return fmt.Sprintf("%q and %d bytes", text[:min(3, len(text))], len(text)), err
				}
			default:
				whats[i] = text(c.In(pipe).Get(ctx, name).Value)
			}
		}
		return nil
	})
	for i, key := range keys {
		ttl := ttls[i].Val()
		if whats[i] == nil {
			w.loading = true
			if ttl > lease || ttl == -1 {
				w.t.Errorf("the token of a load stays %v", ttl)
			}
			continue
		}
		what, err := whats[i]()
		switch {
		case errors.Is(err, cache.ErrMiss): // its tag was purged
			if ttl == -1 {
				w.t.Errorf("%q is no value any more, and stays for ever", key)
			}
			continue
		case errors.Is(err, cache.ErrStale):
			what += ", stale,"
		case err != nil:
			w.t.Errorf("%q: %v", key, err)
		}
		stays := "ever"
		if ttl >= 0 {
			stays = fmt.Sprint(math.Ceil(ttl.Hours()), " hours")
		}
		s[strings.TrimPrefix(key, w.prefix)] = what + " for " + stays
	}
	return s
}

// pass lets the time pass that leases last: who loads now is dead.
func (w *world) pass() {
	w.t.Helper()
	for _, key := range w.keys() {
		if strings.HasSuffix(key, ":load") {
			if err := w.db.Del(w.t.Context(), key).Err(); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// text is the text of what a call returns.
func text[R any](call func() (R, error)) func() (string, error) {
	return func() (string, error) {
		r, err := call()
		return fmt.Sprint(r), err
	}
}

// keys are the keys with the prefix.
func (w *world) keys() (keys []string) {
	w.t.Helper()
	var mu sync.Mutex // guards keys
	scan := func(ctx context.Context, node redis.UniversalClient) error {
		for cursor := uint64(0); ; {
			some, next, err := node.Scan(ctx, cursor, w.prefix+"*", 1000).Result()
			if err != nil {
				return err
			}
			mu.Lock()
			keys = append(keys, some...)
			mu.Unlock()
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	}
	var err error
	if cluster, ok := w.db.Unwrap().(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(w.t.Context(), func(ctx context.Context, node *redis.Client) error { return scan(ctx, node) })
	} else {
		err = scan(w.t.Context(), w.db)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return keys
}

// between is whether each key is as it was in one of two states.
func (s state) between(one, other state) bool {
	for _, of := range []state{s, one, other} {
		for key := range of {
			if s[key] != one[key] && s[key] != other[key] {
				return false
			}
		}
	}
	return true
}

// course is what an operation does: what is there before, after it was done, and after it was done again; and what it returned.
type course struct {
	before, once, twice state
	first, second       string
	commands            int
}

// begin makes a world for an operation.
func (o *operation) begin(t *testing.T, db *redbud.DB, what string) *world {
	t.Helper()
	w := &world{t: t, db: db, prefix: o.name + " " + what + ":", clock: newClock()}
	if o.oneSlot {
		w.prefix = "{" + w.prefix + "}"
	}
	if o.before != nil {
		if err := o.before(t.Context(), w); err != nil {
			t.Fatal(o.name, err)
		}
	}
	return w
}

// course finds out what the operation does when nobody dies.
func (o *operation) course(t *testing.T, db *redbud.DB, d *dying) (c course) {
	t.Helper()
	w := o.begin(t, db, "in peace")
	c.before = w.look()
	p := o.open(w)
	d.live()
	c.first, _ = p.run(t.Context())
	c.commands = d.counted()
	c.once = w.look()
	c.second, _ = o.open(w).run(t.Context())
	c.twice = w.look()
	if maps.Equal(c.before, c.once) {
		t.Errorf("%s: it writes nothing: %v", o.name, c.before)
	}
	for key, what := range c.once {
		if strings.HasSuffix(what, "ever") && !o.forever {
			t.Errorf("%s: %q stays: %s", o.name, key, what)
		}
	}
	return c
}

// left checks what an operation that was not finished has left.
func (o *operation) left(t *testing.T, db *redbud.DB, c *course, what string, now state) {
	t.Helper()
	_, cluster := db.Unwrap().(*redis.ClusterClient)
	parts := o.keys == inTurn || o.keys == bySlot && cluster
	switch {
	case !parts && !maps.Equal(now, c.before) && !maps.Equal(now, c.once):
		t.Errorf("%s leaves %v, neither %v nor %v", what, now, c.before, c.once)
	case !now.between(c.before, c.once):
		t.Errorf("%s leaves %v, something between %v and %v", what, now, c.before, c.once)
	}
}

func TestAClientThatDiesLeavesNothingTorn(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		d := new(dying).on(t, db)
		for _, o := range operations() {
			c := o.course(t, db, d)
			var w *world
			for i := 0; ; i++ {
				commands, late := i/2, i%2 == 1
				what := fmt.Sprintf("%s, dead after %d commands, late %v", o.name, commands, late)
				if err := db.ScriptFlush(ctx).Err(); err != nil {
					t.Fatal(err)
				}
				if w == nil {
					w = o.begin(t, db, fmt.Sprint(i))
				}
				p := o.open(w)
				d.die(commands, late)
				result, err := p.run(ctx)
				died := d.live()
				now := w.look()
				if !died {
					if result != c.first || !maps.Equal(now, c.once) || i < 2 {
						t.Errorf("%s: it did not die: %s, not %s, and %v, not %v", what, result, c.first, now, c.once)
					}
					break
				}
				if !o.quiet && !errors.Is(err, errDead) {
					t.Errorf("%s: it returns %s", what, result)
				}
				o.left(t, db, &c, what, now)
				if maps.Equal(now, c.before) && !w.loading {
					continue // nothing has happened, and all is ready for the next one
				}
				w.pass()
				again, _ := o.open(w).run(ctx)
				then := w.look()
				first := again == c.first && maps.Equal(then, c.once) && !maps.Equal(now, c.once)
				second := again == c.second && maps.Equal(then, c.twice) && !maps.Equal(now, c.before)
				part := !maps.Equal(now, c.before) && !maps.Equal(now, c.once) && maps.Equal(then, c.once)
				if !first && !second && !part {
					t.Errorf("%s leaves %v: done again it returns %s and leaves %v; %s and %v, or %s and %v", what, now, again, then, c.first, c.once, c.second, c.twice)
				}
				if result, err := p.run(ctx); errors.Is(err, errDead) {
					t.Errorf("%s: when the engine is back it returns %s", what, result)
				}
				w = nil
			}
		}
	})
}

func TestClearDiesInItsMiddle(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		d := new(dying).on(t, db)
		w := &world{t: t, db: db, prefix: "{p}:"}
		all := map[string]string{}
		for i := range 2100 {
			all[fmt.Sprint(i)] = "v"
		}
		c := w.cache()
		if err := errors.Join(c.SetMany(ctx, all, time.Hour), db.Set(ctx, "{p}", "other", 0).Err()); err != nil {
			t.Fatal(err)
		}
		for i := 0; i == 0 || len(w.keys()) == len(all); i++ { // a cluster has nodes without any
			d.die(3*i, true)
			if n, err := c.Clear(ctx); !errors.Is(err, errDead) || n < 0 || n >= len(all) {
				t.Errorf("Clear that dies: %d and %v", n, err)
			}
			d.live()
		}
		left := len(w.keys())
		if n, err := c.Clear(ctx); n != left || n == 0 || err != nil {
			t.Errorf("of %d values %d were left, and Clear has deleted %d: %v", len(all), left, n, err)
		}
		if n := db.Exists(ctx, "{p}").Val(); n != 1 || len(w.keys()) != 0 {
			t.Errorf("what is not the cache's is gone, or there are %d values", len(w.keys()))
		}
	})
}

func TestAServerThatStandsStillAndGoesOn(t *testing.T) {
	server := testenv.Redis(t)
	db := kittest.Open(t, server.URL())
	ctx := t.Context()
	d := new(dying).on(t, db)
	for _, o := range operations() {
		c := o.course(t, db, d)
		w := o.begin(t, db, "still")
		p := o.open(w)
		short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
		d.stop(c.commands/2, func() {
			if err := server.Pause(); err != nil {
				t.Error(err)
			}
		})
		_, err := p.do(short)
		cancel()
		if (err == nil || errors.Is(err, cache.ErrMiss)) && !o.quiet || err != nil && short.Err() == nil {
			t.Errorf("%s: of a server that stands still: %v", o.name, err)
		}
		d.live() // first: what goes on behind the call may still have stopped it
		if err := server.Resume(); err != nil {
			t.Fatal(err)
		}
		if p.after != nil {
			p.after()
		}
		if err := db.Ping(ctx).Err(); err != nil { // what it was sent before is done then
			t.Fatal(err)
		}
		o.left(t, db, &c, o.name+", while the server stands still,", w.look())
		again, _ := o.open(w).run(ctx)
		if then := w.look(); !maps.Equal(then, c.once) && !maps.Equal(then, c.twice) || again != c.first && again != c.second {
			t.Errorf("%s: when the server goes on it returns %s and leaves %v; %s and %v, or %s and %v", o.name, again, then, c.first, c.once, c.second, c.twice)
		}
	}

	w := &world{t: t, db: db, prefix: "p:"}
	all := map[string]string{"more": "v"}
	for i := range 4999 {
		all[fmt.Sprint(i)] = "v"
	}
	cached := w.cache()
	if err := cached.SetMany(ctx, all, time.Hour); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	deleted, err := cached.Clear(short, func(int) {
		if err := server.Pause(); err != nil {
			t.Error(err)
		}
	})
	if deleted == 0 || deleted == len(all) || !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Clear, of which the server does a part: %d and %v", deleted, err)
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	n, err := cached.Clear(ctx)
	if n == 0 || n+deleted > len(all) || err != nil || len(w.keys()) != 0 {
		t.Errorf("Clear again: %d after %d, %v, and %d are there", n, deleted, err, len(w.keys()))
	}
}

// cut is a network whose connections end after some bytes from the server, or to it.
type cut struct {
	net.Conn
	after    int // bytes; negative: never
	outwards bool
}

func (c *cut) pass(b []byte, outwards bool, do func([]byte) (int, error)) (n int, err error) {
	if c.after < 0 || c.outwards != outwards {
		return do(b)
	}
	if c.after == 0 {
		_ = c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	n, err = do(b[:min(len(b), c.after)])
	c.after -= n
	if err == nil && n < len(b) && outwards {
		_ = c.Close()
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Read implements net.Conn.
func (c *cut) Read(b []byte) (int, error) { return c.pass(b, false, c.Conn.Read) }

// Write implements net.Conn.
func (c *cut) Write(b []byte) (int, error) { return c.pass(b, true, c.Conn.Write) }

func TestAConnectionThatIsCutInTheMiddleOfAReplyOrOfACall(t *testing.T) {
	memory := kittest.Open(t, "memory://")
	ours := serve(t, memory, "127.0.0.1:0")
	for name, addr := range map[string]string{"redis": strings.TrimPrefix(testenv.SharedRedis(t).URL(), "redis://"), "ours": ours.addr} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			var dials, after int
			var outwards bool
			dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
				if dials++; dials > 1 {
					return conn, err
				}
				return &cut{conn, after, outwards}, err
			}
			client := func(retries int) *redis.Client {
				c := redis.NewClient(&redis.Options{Addr: addr, Dialer: dial, MaxRetries: retries, PipelinePoolSize: -1, DisableIdentity: true,
					MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
				t.Cleanup(func() { _ = c.Close() })
				return c
			}
			whole := redis.NewClient(&redis.Options{Addr: addr})
			defer whole.Close()
			big := strings.Repeat("big value ", 200)
			values := map[string]string{}
			var list []string
			for i := range 100 {
				values[fmt.Sprint("k", i)] = big
				list = append(list, big)
			}
			c := open[string](t, whole, cache.Options{Prefix: "cut:"})
			_, hashErr := c.Hash("hash").Set(ctx, values, time.Hour)
			_, listErr := c.List("list").PushBack(ctx, time.Hour, list...)
			if err := errors.Join(c.SetMany(ctx, values, time.Hour), hashErr, listErr, c.Set(ctx, "k", strings.Repeat(big, 100), time.Hour)); err != nil {
				t.Fatal(err)
			}
			for what, call := range map[string]struct {
				do    func(c *cache.Cache[string]) (any, error)
				wrote func() (n int) // how many values it has written; nil: it reads
				all   int
				once  bool // it is not tried again
			}{
				"get":      {do: func(c *cache.Cache[string]) (any, error) { return c.Get(ctx, "k") }},
				"get many": {do: func(c *cache.Cache[string]) (any, error) { return c.GetMany(ctx, slices.Sorted(maps.Keys(values))...) }},
				"hash":     {do: func(c *cache.Cache[string]) (any, error) { return c.Hash("hash").All(ctx) }},
				"list":     {do: func(c *cache.Cache[string]) (any, error) { return c.List("list").Range(ctx, 0, -1) }},
				"set many": {func(c *cache.Cache[string]) (any, error) {
					all := map[string]string{}
					for key := range values {
						all["new "+key] = big
					}
					return nil, c.SetMany(ctx, all, time.Hour)
				}, func() (n int) {
					for key := range values {
						n += int(whole.Del(ctx, "cut:new "+key).Val())
					}
					return n
				}, len(values), false},
				"hash set": {func(c *cache.Cache[string]) (any, error) { return c.Hash("new").Set(ctx, values, time.Hour) }, func() int {
					n := whole.HLen(ctx, "cut:new").Val()
					whole.Del(ctx, "cut:new")
					return int(n)
				}, len(values), false},
				"push": {func(c *cache.Cache[string]) (any, error) { return c.List("new").PushBack(ctx, time.Hour, list...) }, func() int {
					n := whole.LLen(ctx, "cut:new").Val()
					whole.Del(ctx, "cut:new")
					return int(n)
				}, len(list), true},
			} {
				want, err := call.do(c)
				if err != nil {
					t.Fatal(what, err)
				}
				if call.wrote != nil {
					call.wrote()
				}
				outwards = call.wrote != nil
				for _, after = range []int{0, 1000, 150_000} {
					dials = 0
					strict := client(-1)
					got, err := call.do(open[string](t, strict, cache.Options{Prefix: "cut:"}))
					var failure net.Error
					if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !errors.As(err, &failure) {
						t.Errorf("%s, cut after %d bytes: %v and %v", what, after, got, err)
					}
					if call.wrote != nil {
						if n := call.wrote(); n != 0 {
							t.Errorf("%s, cut after %d bytes of the call: %d values", what, after, n)
						}
					}
					if got, err := call.do(open[string](t, strict, cache.Options{Prefix: "cut:"})); err != nil || !reflect.DeepEqual(got, want) {
						t.Errorf("%s, after a connection that was cut after %d bytes: %v and %v", what, after, got, err)
					}
					if call.wrote != nil {
						if n := call.wrote(); n != call.all {
							t.Errorf("%s, after a connection that was cut after %d bytes: %d values", what, after, n)
						}
					}
					dials = 0
					got, err = call.do(open[string](t, client(3), cache.Options{Prefix: "cut:"}))
					if call.once && after > 0 { // else it is the question before it, which is asked again
						if n := call.wrote(); n != 0 || err == nil {
							t.Errorf("%s, cut after %d bytes, which is not tried again: %v, %v and %d values", what, after, got, err, n)
						}
						continue
					}
					if err != nil || !reflect.DeepEqual(got, want) {
						t.Errorf("%s, cut after %d bytes and tried again: %v and %v", what, after, got, err)
					}
					if call.wrote != nil {
						call.wrote()
					}
				}
			}
		})
	}
}

// served is a server of ours.
type served struct {
	addr string
	stop func()
}

// serve serves a database at an address until the test ends, or it is stopped.
func serve(t *testing.T, db *redbud.DB, addr string) served {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	life, end := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- db.Serve(life, l) }()
	stop := sync.OnceFunc(func() {
		end()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return served{l.Addr().String(), stop}
}
