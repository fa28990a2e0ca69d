package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/cache/codec"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(memberEnv); url != "" {
		if err := beMember(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testenv.Main(m)
}

type user struct {
	Name string
	Age  int
	Tags []string
}

// open returns a cache of T on a client.
func open[T any](t *testing.T, client redis.UniversalClient, o cache.Options) *cache.Cache[T] {
	t.Helper()
	c, err := cache.New[T](client, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestValuesAreKeptForTheirTime(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[user](t, db, cache.Options{Prefix: "u:"})
		ann := user{"ann", 30, []string{"a", ""}}
		if _, err := c.Get(ctx, "ann"); !errors.Is(err, cache.ErrMiss) {
			t.Errorf("before Set: %v", err)
		}
		if err := c.Set(ctx, "ann", ann, time.Hour); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Get(ctx, "ann"); err != nil || got.Name != "ann" || got.Age != 30 || !slices.Equal(got.Tags, ann.Tags) {
			t.Errorf("after Set: %v and %v", got, err)
		}
		if ttl, err := c.TTL(ctx, "ann"); err != nil || ttl <= 0 || ttl > time.Hour {
			t.Errorf("it stays %v and %v", ttl, err)
		}
		if n := db.Exists(ctx, "u:ann").Val(); n != 1 {
			t.Error("the key has no prefix")
		}
		for condition, want := range map[cache.Condition]bool{cache.IfMissing: false, cache.IfExists: true, cache.Always: true} {
			if stored, err := c.SetIf(ctx, condition, "ann", ann, cache.Forever); stored != want || err != nil {
				t.Errorf("Set %s: %v and %v", condition, stored, err)
			}
		}
		if ttl, err := c.TTL(ctx, "ann"); err != nil || ttl != cache.Forever {
			t.Errorf("set again, it stays %v and %v", ttl, err)
		}
		if _, err := c.TTL(ctx, "nobody"); !errors.Is(err, cache.ErrMiss) {
			t.Errorf("TTL of nobody: %v", err)
		}
		tell := func(what string, want bool) func(bool, error) {
			return func(got bool, err error) {
				t.Helper()
				if got != want || err != nil {
					t.Errorf("%s: %v and %v", what, got, err)
				}
			}
		}
		tell("exists", true)(c.Exists(ctx, "ann"))
		tell("expire", true)(c.ExpireIn(ctx, "ann", time.Minute))
		tell("persist", true)(c.Persist(ctx, "ann"))
		tell("persist again", false)(c.Persist(ctx, "ann"))
		tell("expire for ever", true)(c.ExpireIn(ctx, "ann", cache.Forever))
		tell("expire nobody", false)(c.ExpireIn(ctx, "nobody", time.Minute))
		tell("expire nobody for ever", false)(c.ExpireIn(ctx, "nobody", cache.Forever))
		tell("expire at", true)(c.ExpireAt(ctx, "ann", time.Now().Add(time.Hour)))
		tell("expire in less than a millisecond", true)(c.ExpireIn(ctx, "ann", time.Nanosecond))
	})
}

func TestExpiringNowDeletes(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[int](t, db, cache.Options{})
		for name, expire := range map[string]func(key string) (bool, error){
			"in 0":        func(key string) (bool, error) { return c.ExpireIn(ctx, key, 0) },
			"in -1":       func(key string) (bool, error) { return c.ExpireIn(ctx, key, -1) },
			"at the past": func(key string) (bool, error) { return c.ExpireAt(ctx, key, time.Unix(1, 0)) },
			"delete":      func(key string) (bool, error) { return c.Delete(ctx, key) },
		} {
			if err := c.Set(ctx, "k", 1, cache.Forever); err != nil {
				t.Fatal(err)
			}
			existed, err := expire("k")
			gone, existsErr := c.Exists(ctx, "k")
			if !existed || gone || err != nil || existsErr != nil {
				t.Errorf("%s: %v, %v, %v, %v", name, existed, gone, err, existsErr)
			}
			if existed, err := expire("k"); existed || err != nil {
				t.Errorf("%s again: %v and %v", name, existed, err)
			}
		}
	})
}

func TestManyValues(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[string](t, db, cache.Options{Prefix: "m:"})
		values := map[string]string{"a": "1", "b": "", "c": "\x00\xff", "*": "star", "{x}": "tag"}
		for i := range 300 {
			values[fmt.Sprint("k", i)] = strings.Repeat("v", i)
		}
		if err := c.SetMany(ctx, values, time.Hour); err != nil {
			t.Fatal(err)
		}
		keys := append([]string{"nobody"}, slices.Sorted(maps.Keys(values))...)
		keys = append(keys, "a", "nobody")
		found, err := c.GetMany(ctx, keys...)
		if err != nil || len(found) != len(keys) {
			t.Fatal(len(found), err)
		}
		for i, f := range found {
			if want, ok := values[keys[i]]; f.OK != ok || f.Value != want {
				t.Errorf("%q: %v, not %q", keys[i], f, want)
			}
			if keys[i] == "nobody" {
				continue
			}
			if ttl, err := c.TTL(ctx, keys[i]); err != nil || ttl <= 0 || ttl > time.Hour {
				t.Errorf("%q stays %v and %v", keys[i], ttl, err)
			}
		}
		if err := c.SetMany(ctx, map[string]string{"a": "2"}, cache.Forever); err != nil {
			t.Error(err)
		}
		if ttl, err := c.TTL(ctx, "a"); err != nil || ttl != cache.Forever {
			t.Errorf("set again, it stays %v and %v", ttl, err)
		}
		if n, err := c.DeleteMany(ctx, "a", "b", "b", "nobody"); n != 2 || err != nil {
			t.Errorf("DeleteMany: %d and %v", n, err)
		}
		found, err = c.GetMany(ctx)
		n, deleteErr := c.DeleteMany(ctx)
		if len(found) != 0 || n != 0 || errors.Join(err, deleteErr, c.SetMany(ctx, nil, time.Hour)) != nil {
			t.Error("none at all:", found, n, err, deleteErr)
		}
	})
}

// old is a node that does not know a command, though others of its cluster do.
type old struct {
	command string
	asked   int // how often for the command
}

type unknownCommand struct{ error }

func (unknownCommand) RedisError() {}

func (o *old) DialHook(next redis.DialHook) redis.DialHook { return next }

func (o *old) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (o *old) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != o.command {
			return next(ctx, cmd)
		}
		o.asked++
		err := unknownCommand{fmt.Errorf("ERR unknown command '%s'", o.command)}
		cmd.SetErr(err)
		return err
	}
}

func TestManyValuesOfAClusterOfSeveralVersions(t *testing.T) {
	db := kittest.Open(t, "memory://")
	o := &old{command: "msetex"}
	db.AddHook(o)
	c := open[int](t, db, cache.Options{Prefix: "c:"})
	for i := range 3 {
		if err := c.SetMany(t.Context(), map[string]int{"a": i, "b": i}, time.Hour); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "b"} {
			value, err := c.Get(t.Context(), key)
			if ttl, ttlErr := c.TTL(t.Context(), key); value != i || ttl <= 0 || ttl > time.Hour || errors.Join(err, ttlErr) != nil {
				t.Errorf("%s: %d for %v, %v and %v", key, value, ttl, err, ttlErr)
			}
		}
	}
	if o.asked != 1 {
		t.Errorf("MSETEX was sent %d times", o.asked)
	}
}

func TestClearTakesOnlyItsOwn(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[int](t, db, cache.Options{Prefix: "a*[b]?\\:"})
		for i := range 2500 {
			if err := c.Set(ctx, fmt.Sprint(i), i, cache.Forever); err != nil {
				t.Fatal(err)
			}
		}
		for _, other := range []string{"axbx:1", "a*b?\\:", "other", "a*[b]?\\", "xa*[b]?\\:1"} {
			db.Set(ctx, other, 1, 0)
		}
		if n, err := c.Clear(ctx); n != 2500 || err != nil {
			t.Errorf("Clear: %d and %v", n, err)
		}
		for _, other := range []string{"axbx:1", "a*b?\\:", "other", "a*[b]?\\", "xa*[b]?\\:1"} {
			if db.Exists(ctx, other).Val() != 1 {
				t.Errorf("%q is gone", other)
			}
		}
		if n, err := c.Clear(ctx); n != 0 || err != nil {
			t.Errorf("Clear again: %d and %v", n, err)
		}
		if _, err := open[int](t, db, cache.Options{}).Clear(ctx); !errors.Is(err, cache.ErrOptions) {
			t.Errorf("without a prefix: %v", err)
		}
	})
}

func TestWhatIsThereAndIsNoValue(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		stats := &counts{}
		strict := open[user](t, db, cache.Options{})
		lenient := open[user](t, db, cache.Options{BadValues: true, Stats: stats})
		db.Set(ctx, "{t}bad", "\xc1 no value", 0)
		if _, err := strict.Get(ctx, "{t}bad"); !errors.Is(err, codec.ErrDecode) {
			t.Errorf("a bad value: %v", err)
		}
		if _, err := strict.GetMany(ctx, "{t}a", "{t}bad"); !errors.Is(err, codec.ErrDecode) {
			t.Errorf("a bad value among many: %v", err)
		}
		if _, err := lenient.Get(ctx, "{t}bad"); !errors.Is(err, cache.ErrMiss) {
			t.Errorf("a bad value that is a miss: %v", err)
		}
		if found, err := lenient.GetMany(ctx, "{t}a", "{t}bad"); err != nil || found[0].OK || found[1].OK {
			t.Errorf("a bad value among many that is a miss: %v and %v", found, err)
		}
		if stats.hits != 0 || stats.misses != 3 || stats.bad != 2 {
			t.Errorf("the counts are %+v", stats)
		}
	})
}

// counts are Stats of one goroutine.
type counts struct {
	hits, misses, bad int
	called            map[string]int
}

func (c *counts) Read(hits, misses, bad int) {
	c.hits, c.misses, c.bad = c.hits+hits, c.misses+misses, c.bad+bad
}

func (c *counts) Called(method string, took time.Duration, err error) {
	if c.called == nil {
		c.called = map[string]int{}
	}
	if err != nil {
		method += " failed"
	}
	c.called[method]++
}

func TestCallsJoinAPipeline(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[int](t, db, cache.Options{Prefix: "{p}"})
		for name, do := range map[string]func(context.Context, func(redis.Pipeliner) error) ([]redis.Cmder, error){"pipeline": db.Pipelined, "transaction": db.TxPipelined} {
			var got cache.Pending[int]
			var stored, refused, existed, missing, there cache.Pending[bool]
			var found cache.Pending[[]cache.Found[int]]
			var ttl cache.Pending[time.Duration]
			var fields, length, deleted cache.Pending[int]
			var all cache.Pending[map[string]int]
			var list cache.Pending[[]int]
			var set cache.Pending[struct{}]
			_, err := do(ctx, func(pipe redis.Pipeliner) error {
				q := c.In(pipe)
				stored = q.Set(ctx, "a", 7, time.Hour)
				refused = q.SetIf(ctx, cache.IfMissing, "a", 8, time.Hour)
				got = q.Get(ctx, "a")
				found = q.GetMany(ctx, "b", "a")
				ttl = q.TTL(ctx, "a")
				there = q.Exists(ctx, "a")
				missing = q.ExpireIn(ctx, "b", time.Hour)
				existed = q.Delete(ctx, "a")
				set = q.SetMany(ctx, map[string]int{"x": 1, "y": 2}, time.Hour)
				deleted = q.DeleteMany(ctx, "x", "y", "z")
				fields = q.Hash("h").Set(ctx, map[string]int{"f": 1, "g": 2}, time.Hour)
				all = q.Hash("h").All(ctx)
				length = q.List("l").PushBack(ctx, time.Hour, 1, 2, 3)
				list = q.List("l").PopFront(ctx, 2)
				q.DeleteMany(ctx, "h", "l")
				if _, err := q.Set(ctx, "a", 1, 0).Value(); !errors.Is(err, cache.ErrTTL) {
					t.Errorf("%s: a TTL of 0: %v", name, err)
				}
				return nil
			})
			if err != nil && !errors.Is(err, redis.Nil) {
				t.Fatal(err)
			}
			for what, c := range map[string]struct {
				p    cache.Pending[bool]
				want bool
			}{"set": {stored, true}, "set if missing": {refused, false}, "exists": {there, true}, "expire": {missing, false}, "delete": {existed, true}} {
				if got, err := c.p.Value(); got != c.want || err != nil {
					t.Errorf("%s: %s is %v and %v", name, what, got, err)
				}
			}
			if v, err := got.Value(); v != 7 || err != nil {
				t.Errorf("%s: get is %v and %v", name, v, err)
			}
			if f, err := found.Value(); err != nil || !slices.Equal(f, []cache.Found[int]{{}, {Value: 7, OK: true}}) {
				t.Errorf("%s: get many is %v and %v", name, f, err)
			}
			for what, c := range map[string]struct {
				p    cache.Pending[int]
				want int
			}{"delete many": {deleted, 2}, "hash": {fields, 2}, "list": {length, 3}} {
				if got, err := c.p.Value(); got != c.want || err != nil {
					t.Errorf("%s: %s is %v and %v", name, what, got, err)
				}
			}
			if m, err := all.Value(); err != nil || !maps.Equal(m, map[string]int{"f": 1, "g": 2}) {
				t.Errorf("%s: the hash is %v and %v", name, m, err)
			}
			if l, err := list.Value(); err != nil || !slices.Equal(l, []int{1, 2}) {
				t.Errorf("%s: the list is %v and %v", name, l, err)
			}
			if _, err := set.Value(); err != nil {
				t.Errorf("%s: set many: %v", name, err)
			}
			if d, err := ttl.Value(); err != nil || d <= 0 || d > time.Hour {
				t.Errorf("%s: TTL is %v and %v", name, d, err)
			}
		}
	})
}

func TestHashesAndLists(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[int](t, db, cache.Options{Prefix: "p:"})
		h, l := c.Hash("h"), c.List("l")
		added, err := h.Set(ctx, map[string]int{"a": 1, "b": 2}, time.Hour)
		if added != 2 || err != nil {
			t.Errorf("hash: Set is %d and %v", added, err)
		}
		if added, err := h.Set(ctx, map[string]int{"b": 3, "c": 4}, cache.Forever); added != 1 || err != nil {
			t.Errorf("hash: Set again is %d and %v", added, err)
		}
		if ttl := db.TTL(ctx, "p:h").Val(); ttl != -1 {
			t.Errorf("hash: it stays %v", ttl)
		}
		if v, err := h.Get(ctx, "b"); v != 3 || err != nil {
			t.Errorf("hash: Get is %d and %v", v, err)
		}
		if _, err := h.Get(ctx, "x"); !errors.Is(err, cache.ErrMiss) {
			t.Errorf("hash: Get of a missing field: %v", err)
		}
		if all, err := h.All(ctx); err != nil || !maps.Equal(all, map[string]int{"a": 1, "b": 3, "c": 4}) {
			t.Errorf("hash: All is %v and %v", all, err)
		}
		if n, err := h.Delete(ctx, "a", "x"); n != 1 || err != nil {
			t.Errorf("hash: Delete is %d and %v", n, err)
		}
		if n, err := h.Len(ctx); n != 2 || err != nil {
			t.Errorf("hash: Len is %d and %v", n, err)
		}

		for _, push := range []func() (int, error){
			func() (int, error) { return l.PushBack(ctx, time.Hour, 1, 2, 3) },
			func() (int, error) { return l.PushFront(ctx, time.Hour, 0, -1) },
			func() (int, error) { return l.PushBack(ctx, time.Hour) },
		} {
			if n, err := push(); n < 3 || err != nil {
				t.Errorf("list: Push is %d and %v", n, err)
			}
		}
		if ttl := db.TTL(ctx, "p:l").Val(); ttl <= 0 || ttl > time.Hour {
			t.Errorf("list: it stays %v", ttl)
		}
		for _, c := range []struct {
			what string
			get  func() ([]int, error)
			want []int
		}{
			{"Range", func() ([]int, error) { return l.Range(ctx, 0, -1) }, []int{-1, 0, 1, 2, 3}},
			{"PopFront 2", func() ([]int, error) { return l.PopFront(ctx, 2) }, []int{-1, 0}},
			{"PopBack 9", func() ([]int, error) { return l.PopBack(ctx, 9) }, []int{3, 2, 1}},
			{"PopBack of nothing", func() ([]int, error) { return l.PopBack(ctx, 9) }, nil},
			{"PopFront 0", func() ([]int, error) { return l.PopFront(ctx, 0) }, nil},
		} {
			if got, err := c.get(); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("list: %s is %v and %v", c.what, got, err)
			}
		}
	})
}

func TestADummyKeepsNothing(t *testing.T) {
	c, err := cache.Open[int](t.Context(), "dummy://", cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := errors.Join(c.Set(t.Context(), "a", 1, time.Hour), c.SetMany(t.Context(), map[string]int{"a": 1, "b": 2}, time.Hour)); err != nil {
		t.Error(err)
	}
	if _, err := c.Get(t.Context(), "a"); !errors.Is(err, cache.ErrMiss) {
		t.Errorf("Get: %v", err)
	}
	if stored, err := c.SetIf(t.Context(), cache.IfMissing, "a", 1, time.Hour); !stored || err != nil {
		t.Errorf("Set if missing: %v and %v", stored, err)
	}
	if existed, err := c.Delete(t.Context(), "a"); existed || err != nil {
		t.Errorf("Delete: %v and %v", existed, err)
	}
	load, err := c.Begin(t.Context(), "tag")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(load.Set(t.Context(), "a", 1, time.Hour), c.SetTagged(t.Context(), "a", 1, time.Hour, "tag")); err != nil {
		t.Errorf("with tags: %v", err)
	}
}

func TestARingIsRefused(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "a:1", "b": "b:1"}})
	defer ring.Close()
	if _, err := cache.New[int](ring, cache.Options{}); !errors.Is(err, cache.ErrOptions) {
		t.Errorf("a Ring: %v", err)
	}
}

// midway is a connection that is lost while a pipeline is answered, whose first key is gone.
type midway struct{}

func (midway) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (midway) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (midway) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		for i, cmd := range cmds {
			if cmd.SetErr(redis.Nil); i > 0 {
				cmd.SetErr(io.ErrUnexpectedEOF)
			}
		}
		return redis.Nil
	}
}

func TestUsageOfAnEngineThatFailsIsAnError(t *testing.T) {
	db := kittest.Open(t, "memory://")
	c := open[string](t, db, cache.Options{Prefix: "u:"})
	if err := c.Set(t.Context(), "a", "value", time.Hour); err != nil {
		t.Fatal(err)
	}
	db.AddHook(midway{})
	if u, err := c.Usage(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%+v and %v", u, err)
	}
}

func TestProgressIsToldWhileTheKeysOfOthersComeBy(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		others := map[string]string{}
		for i := range 3000 {
			others[fmt.Sprint(i)] = "value"
		}
		if err := open[string](t, db, cache.Options{Prefix: "other:"}).SetMany(ctx, others, time.Hour); err != nil {
			t.Fatal(err)
		}
		c := open[string](t, db, cache.Options{Prefix: "none:"})
		usages, clears := 0, 0
		u, usageErr := c.Usage(ctx, func(cache.Usage) { usages++ })
		n, clearErr := c.Clear(ctx, func(int) { clears++ })
		if u != (cache.Usage{}) || usageErr != nil || n != 0 || clearErr != nil || usages < 2 || clears < 2 {
			t.Errorf("%+v, %v, told %d times; %d, %v, told %d times", u, usageErr, usages, n, clearErr, clears)
		}
	})
}

func TestUsageLooksAtItsOwn(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[string](t, db, cache.Options{Prefix: "u:"})
		values := map[string]string{}
		for i := range 1500 {
			values[fmt.Sprint(i)] = "value"
		}
		if err := errors.Join(c.SetMany(ctx, values, time.Hour), c.Set(ctx, "stays", "value", cache.Forever), c.SetTagged(ctx, "0", "value", time.Hour, "tag"), db.Set(ctx, "other", 1, 0).Err()); err != nil {
			t.Fatal(err)
		}
		var last cache.Usage
		told := 0
		u, err := c.Usage(ctx, func(u cache.Usage) { last, told = u, told+1 })
		if err != nil || u.Values != 1501 || u.Forever != 1 || u.Bytes < 1501*int64(len("u:1value")) || u != last || told < 2 {
			t.Errorf("the usage is %+v and %v, told %d times, at last %+v", u, err, told, last)
		}
		if _, err := open[string](t, db, cache.Options{}).Usage(ctx); !errors.Is(err, cache.ErrOptions) {
			t.Errorf("without a prefix: %v", err)
		}
	})
}
