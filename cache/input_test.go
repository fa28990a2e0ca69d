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
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/cache/codec"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

// call is one of the API at a key. If it stores something, that is the input.
type call struct {
	name string
	on   string // the type of what it works on, as the engine calls it; "any"; "many": what is no string is a miss
	does deed
	do   func(ctx context.Context, key, input string) error
	at   func(key string) string // the key of the engine
}

// deed is what a call does with values.
type deed int

const (
	touches deed = iota
	reads
	writes
	takes // reads, and what was read is gone
)

// rig is a cache with all that there is around it.
type rig struct {
	c     *cache.Cache[string]
	near  *cache.Near[string]
	f     *cache.Func[string, string]
	calls []call // of the cache and the near one
	funcs []call // of the Func, which has keys of its own
}

// wanted is what the Func of a rig loads, in the context.
type wanted struct{}

// newRig makes all that there is.
func newRig(t *testing.T, db *redbud.DB, o cache.Options) *rig {
	t.Helper()
	c := open[string](t, db, o)
	near, err := c.Near(t.Context(), cache.NearOptions{MaxSilence: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := near.Close(); err != nil {
			t.Error(err)
		}
	})
	of := o
	of.Prefix = "f:" + o.Prefix
	f := memoise(t, db, funcOptions{Options: of, Fleet: true, Lease: lease, Load: func(ctx context.Context, _ string) (string, error) {
		return fmt.Sprint(ctx.Value(wanted{})), nil
	}})
	r := &rig{c: c, near: near, f: f}
	add := func(name, on string, does deed, do func(ctx context.Context, key, input string) error) {
		r.calls = append(r.calls, call{name, on, does, do, func(key string) string { return o.Prefix + key }})
	}
	queue := func(name, on string, does deed, do func(ctx context.Context, q cache.Queue[string], key, input string) func() error) {
		add(name+" in a pipeline", on, does, func(ctx context.Context, key, input string) error {
			pipe := db.Pipeline()
			result := do(ctx, c.In(pipe), key, input)
			if pipe.Len() > 0 {
				_, _ = pipe.Exec(ctx) // the result has the error
			}
			return result()
		})
	}
	function := func(name, on string, does deed, do func(ctx context.Context, key string) error) {
		r.funcs = append(r.funcs, call{name, on, does, func(ctx context.Context, key, input string) error {
			return do(context.WithValue(ctx, wanted{}, input), key)
		}, func(key string) string { return of.Prefix + "{" + key + "}" }})
	}
	type (
		ctx = context.Context
		q   = cache.Queue[string]
	)
	add("get", "string", reads, func(ctx ctx, key, _ string) error { return only(c.Get(ctx, key)) })
	queue("get", "string", reads, func(ctx ctx, q q, key, _ string) func() error { return last(q.Get(ctx, key)) })
	add("get many", "many", reads, func(ctx ctx, key, _ string) error { return only(c.GetMany(ctx, key)) })
	queue("get many", "many", reads, func(ctx ctx, q q, key, _ string) func() error { return last(q.GetMany(ctx, key)) })
	add("set", "any", writes, func(ctx ctx, key, input string) error { return c.Set(ctx, key, input, time.Hour) })
	queue("set", "any", writes, func(ctx ctx, q q, key, input string) func() error { return last(q.Set(ctx, key, input, time.Hour)) })
	add("set if", "any", writes, func(ctx ctx, key, input string) error {
		return only(c.SetIf(ctx, cache.IfExists, key, input, time.Hour))
	})
	queue("set if", "any", writes, func(ctx ctx, q q, key, input string) func() error {
		return last(q.SetIf(ctx, cache.IfMissing, key, input, time.Hour))
	})
	add("set many", "any", writes, func(ctx ctx, key, input string) error {
		return c.SetMany(ctx, map[string]string{key: input}, time.Hour)
	})
	queue("set many", "any", writes, func(ctx ctx, q q, key, input string) func() error {
		return last(q.SetMany(ctx, map[string]string{key: input}, time.Hour))
	})
	add("delete", "any", touches, func(ctx ctx, key, _ string) error { return only(c.Delete(ctx, key)) })
	queue("delete", "any", touches, func(ctx ctx, q q, key, _ string) func() error { return last(q.Delete(ctx, key)) })
	add("delete many", "any", touches, func(ctx ctx, key, _ string) error { return only(c.DeleteMany(ctx, key, key)) })
	queue("delete many", "any", touches, func(ctx ctx, q q, key, _ string) func() error { return last(q.DeleteMany(ctx, key, key)) })
	add("exists", "any", touches, func(ctx ctx, key, _ string) error { return only(c.Exists(ctx, key)) })
	queue("exists", "any", touches, func(ctx ctx, q q, key, _ string) func() error { return last(q.Exists(ctx, key)) })
	for _, ttl := range []time.Duration{time.Hour, cache.Forever, -1} {
		add(fmt.Sprint("expire in ", ttl), "any", touches, func(ctx ctx, key, _ string) error { return only(c.ExpireIn(ctx, key, ttl)) })
		queue(fmt.Sprint("expire in ", ttl), "any", touches, func(ctx ctx, q q, key, _ string) func() error { return last(q.ExpireIn(ctx, key, ttl)) })
	}
	add("expire at", "any", touches, func(ctx ctx, key, _ string) error { return only(c.ExpireAt(ctx, key, time.Time{})) })
	queue("expire at", "any", touches, func(ctx ctx, q q, key, _ string) func() error { return last(q.ExpireAt(ctx, key, time.Time{})) })
	add("persist", "any", touches, func(ctx ctx, key, _ string) error { return only(c.Persist(ctx, key)) })
	queue("persist", "any", touches, func(ctx ctx, q q, key, _ string) func() error { return last(q.Persist(ctx, key)) })
	add("ttl", "any", touches, func(ctx ctx, key, _ string) error { return only(c.TTL(ctx, key)) })
	queue("ttl", "any", touches, func(ctx ctx, q q, key, _ string) func() error { return last(q.TTL(ctx, key)) })

	add("hash set", "hash", writes, func(ctx ctx, key, input string) error {
		return only(c.Hash(key).Set(ctx, map[string]string{"f": input}, time.Hour))
	})
	queue("hash set", "hash", writes, func(ctx ctx, q q, key, input string) func() error {
		return last(q.Hash(key).Set(ctx, map[string]string{"f": input}, time.Hour))
	})
	add("hash get", "hash", reads, func(ctx ctx, key, _ string) error { return only(c.Hash(key).Get(ctx, "f")) })
	queue("hash get", "hash", reads, func(ctx ctx, q q, key, _ string) func() error { return last(q.Hash(key).Get(ctx, "f")) })
	add("hash all", "hash", reads, func(ctx ctx, key, _ string) error { return only(c.Hash(key).All(ctx)) })
	queue("hash all", "hash", reads, func(ctx ctx, q q, key, _ string) func() error { return last(q.Hash(key).All(ctx)) })
	add("hash len", "hash", touches, func(ctx ctx, key, _ string) error { return only(c.Hash(key).Len(ctx)) })
	queue("hash len", "hash", touches, func(ctx ctx, q q, key, _ string) func() error { return last(q.Hash(key).Len(ctx)) })
	add("hash delete", "hash", touches, func(ctx ctx, key, _ string) error { return only(c.Hash(key).Delete(ctx, "f")) })
	queue("hash delete", "hash", touches, func(ctx ctx, q q, key, _ string) func() error { return last(q.Hash(key).Delete(ctx, "f")) })

	add("push front", "list", writes, func(ctx ctx, key, input string) error {
		return only(c.List(key).PushFront(ctx, time.Hour, "good", input))
	})
	queue("push front", "list", writes, func(ctx ctx, q q, key, input string) func() error {
		return last(q.List(key).PushFront(ctx, time.Hour, "good", input))
	})
	add("push back", "list", writes, func(ctx ctx, key, input string) error {
		return only(c.List(key).PushBack(ctx, time.Hour, "good", input))
	})
	queue("push back", "list", writes, func(ctx ctx, q q, key, input string) func() error {
		return last(q.List(key).PushBack(ctx, time.Hour, "good", input))
	})
	add("range", "list", reads, func(ctx ctx, key, _ string) error { return only(c.List(key).Range(ctx, math.MinInt, math.MaxInt)) })
	queue("range", "list", reads, func(ctx ctx, q q, key, _ string) func() error { return last(q.List(key).Range(ctx, 0, -1)) })
	add("list len", "list", touches, func(ctx ctx, key, _ string) error { return only(c.List(key).Len(ctx)) })
	queue("list len", "list", touches, func(ctx ctx, q q, key, _ string) func() error { return last(q.List(key).Len(ctx)) })
	add("pop front", "list", takes, func(ctx ctx, key, _ string) error { return only(c.List(key).PopFront(ctx, math.MaxInt)) })
	queue("pop front", "list", takes, func(ctx ctx, q q, key, _ string) func() error { return last(q.List(key).PopFront(ctx, 9)) })
	add("pop back", "list", takes, func(ctx ctx, key, _ string) error { return only(c.List(key).PopBack(ctx, math.MaxInt)) })
	queue("pop back", "list", takes, func(ctx ctx, q q, key, _ string) func() error { return last(q.List(key).PopBack(ctx, 9)) })

	add("set tagged", "any", writes, func(ctx ctx, key, input string) error { return c.SetTagged(ctx, key, input, time.Hour, "tag") })
	add("set what was loaded", "any", writes, func(ctx ctx, key, input string) error {
		load, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		return load.Set(ctx, key, input, time.Hour)
	})
	add("near get", "string", reads, func(ctx ctx, key, _ string) error { near.Forget(key); return only(near.Get(ctx, key)) })
	add("near get many", "many", reads, func(ctx ctx, key, _ string) error { near.Forget(key); return only(near.GetMany(ctx, key)) })
	add("near set", "any", writes, func(ctx ctx, key, input string) error { return near.Set(ctx, key, input, time.Hour) })
	add("near delete", "any", touches, func(ctx ctx, key, _ string) error { return only(near.Delete(ctx, key)) })

	function("func get", "string", reads, func(ctx ctx, key string) error { return only(f.Get(ctx, key)) })
	function("func get many", "string", reads, func(ctx ctx, key string) error { return only(f.GetMany(ctx, key)) })
	function("func purge", "any", touches, func(ctx ctx, key string) error { return only(f.Purge(ctx, key)) })
	return r
}

// only is the error of what a call returns, unless that is a miss.
func only[R any](_ R, err error) error { return err }

// size is how many keys there are.
func size(t *testing.T, db *redbud.DB) int64 {
	t.Helper()
	n, err := db.DBSize(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBadInputIsNotSent(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		r := newRig(t, db, cache.Options{Prefix: "p:", MaxValue: 100})
		d := new(dying).on(t, db)
		all := append(slices.Clone(r.calls), r.funcs...)
		long := strings.Repeat("x", 200)
		for _, call := range r.calls {
			for _, key := range []string{"", "\xc1", "\xc1t:tag"} {
				if err := call.do(ctx, key, "v"); !errors.Is(err, cache.ErrKey) {
					t.Errorf("%s at %q: %v", call.name, key, err)
				}
			}
			if err := call.do(ctx, "k", long); call.does == writes && !errors.Is(err, cache.ErrTooLarge) {
				t.Errorf("%s of 200 bytes: %v", call.name, err)
			}
		}
		if err := r.funcs[0].do(ctx, "k", long); !errors.Is(err, cache.ErrTooLarge) {
			t.Errorf("func get of 200 bytes: %v", err)
		}
		if err := r.funcs[1].do(ctx, "k", long); !errors.Is(err, cache.ErrTooLarge) {
			t.Errorf("func get many of 200 bytes: %v", err)
		}

		c, h, l, values := r.c, r.c.Hash("k"), r.c.List("k"), map[string]string{"k": "v"}
		load, err := c.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		d.live()
		for _, ttl := range []time.Duration{0, -1, -time.Hour, math.MinInt64} {
			q := c.In(db.Pipeline())
			for i, err := range []error{
				c.Set(ctx, "k", "v", ttl), only(c.SetIf(ctx, cache.Always, "k", "v", ttl)), c.SetMany(ctx, values, ttl), only(h.Set(ctx, values, ttl)),
				only(l.PushBack(ctx, ttl, "v")), only(l.PushFront(ctx, ttl, "v")), c.SetTagged(ctx, "k", "v", ttl, "tag"), load.Set(ctx, "k", "v", ttl), r.near.Set(ctx, "k", "v", ttl),
				only(q.Set(ctx, "k", "v", ttl).Value()), only(q.SetMany(ctx, values, ttl).Value()), only(q.Hash("k").Set(ctx, values, ttl).Value()), only(q.List("k").PushBack(ctx, ttl, "v").Value()),
			} {
				if !errors.Is(err, cache.ErrTTL) {
					t.Errorf("a TTL of %v, call %d: %v", ttl, i, err)
				}
			}
		}
		for i, err := range []error{
			only(c.GetMany(ctx, "a", "")), only(c.DeleteMany(ctx, "a", "")), c.SetMany(ctx, map[string]string{"k": "v", "": "v"}, time.Hour), only(r.near.GetMany(ctx, "a", "")),
		} {
			if !errors.Is(err, cache.ErrKey) {
				t.Errorf("an empty key among others, call %d: %v", i, err)
			}
		}
		for i, err := range []error{
			c.SetMany(ctx, map[string]string{"k": "v", "l": long}, time.Hour), only(h.Set(ctx, map[string]string{"f": "v", "g": long}, time.Hour)), only(l.PushBack(ctx, time.Hour, "v", long)),
		} {
			if !errors.Is(err, cache.ErrTooLarge) {
				t.Errorf("200 bytes among others, call %d: %v", i, err)
			}
		}
		q := c.In(db.Pipeline())
		for i, err := range []error{
			c.SetMany(ctx, nil, time.Hour), only(c.GetMany(ctx)), only(c.DeleteMany(ctx)), only(h.Set(ctx, nil, time.Hour)), only(h.Delete(ctx)), only(l.PopFront(ctx, 0)), only(l.PopBack(ctx, -1)),
			c.PurgeTags(ctx), c.ExpireTags(ctx), only(c.Begin(ctx)), only(r.near.GetMany(ctx)), only(r.f.GetMany(ctx)),
			only(q.SetMany(ctx, nil, time.Hour).Value()), only(q.GetMany(ctx).Value()), only(q.DeleteMany(ctx).Value()), only(q.Hash("k").Set(ctx, nil, time.Hour).Value()), only(q.PurgeTags(ctx).Value()),
		} {
			if err != nil {
				t.Errorf("of nothing, call %d: %v", i, err)
			}
		}
		r.near.Forget()
		if n := d.counted(); n != 0 {
			t.Errorf("%d commands were sent", n)
		}

		ended, cancel := context.WithCancel(ctx)
		cancel()
		late, cancel := context.WithDeadline(ctx, time.Unix(1, 0))
		defer cancel()
		all = append(all, call{name: "clear", do: func(ctx context.Context, _, _ string) error { return only(c.Clear(ctx)) }},
			call{name: "usage", do: func(ctx context.Context, _, _ string) error { return only(c.Usage(ctx)) }},
			call{name: "purge tags", do: func(ctx context.Context, _, _ string) error { return c.PurgeTags(ctx, "a", "b") }},
			call{name: "expire tags", do: func(ctx context.Context, _, _ string) error { return c.ExpireTags(ctx, "a", "b") }},
			call{name: "begin", do: func(ctx context.Context, _, _ string) error { return only(c.Begin(ctx, "a", "b")) }})
		for _, call := range all {
			if err := call.do(ended, "k", "v"); !errors.Is(err, context.Canceled) {
				t.Errorf("%s with a context that was cancelled: %v", call.name, err)
			}
			if err := call.do(late, "k", "v"); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s with a context whose time is over: %v", call.name, err)
			}
		}
		if n := size(t, db); n != 0 {
			t.Errorf("%d keys were stored", n)
		}
		for _, call := range all[:len(r.calls)+len(r.funcs)] {
			if err := call.do(ctx, call.on, "v"); err != nil && !errors.Is(err, cache.ErrMiss) && !errors.Is(err, cache.ErrWrongType) {
				t.Errorf("%s afterwards: %v", call.name, err)
			}
		}
	})
}

func TestKeysAndPrefixesAreAnyBytes(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		neighbours := []string{"p", "q:k", "\xc1[x", "x"}
		for _, n := range neighbours {
			db.Set(ctx, n, "neighbour", 0)
		}
		for prefix, keys := range map[string][]string{
			"p:":           {"*", "..", "a\x00b", "\xff\xfe\xc1", "{}", "}{", strings.Repeat("k", 1<<20)},
			"\xc1[x]*\x00": {"?[a-z]\\", "../../x", "\x00", "\r\n"},
			"{\xff}..\\":   {" ", "é"},
		} {
			r := newRig(t, db, cache.Options{Prefix: prefix})
			for _, key := range keys {
				for _, call := range append(slices.Clone(r.calls), r.funcs...) {
					if len(key) == 1<<20 {
						continue // that is a test of its own, where it takes no time
					}
					if call.on != "any" {
						db.Del(ctx, call.at(key))
					}
					if err := call.do(ctx, key, "v"); err != nil && !errors.Is(err, cache.ErrMiss) {
						t.Errorf("%s at %.20q behind %q: %v", call.name, key, prefix, err)
					}
				}
				db.Del(ctx, prefix+key)
				v := "v " + key[:min(len(key), 100)]
				tag := key[:min(len(key), 1024)]
				if err := errors.Join(r.c.Set(ctx, "other", "other", time.Hour), r.c.SetTagged(ctx, key, v, time.Hour, tag)); err != nil {
					t.Errorf("%.20q behind %q: %v", key, prefix, err)
				}
				found, err := r.c.GetMany(ctx, "other", key, key+"x")
				if want := []cache.Found[string]{{Value: "other", OK: true}, {Value: v, OK: true}, {}}; err != nil || !slices.Equal(found, want) {
					t.Errorf("%.20q behind %q: %.100v and %v", key, prefix, found, err)
				}
				if err := r.c.PurgeTags(ctx, tag); err != nil {
					t.Error(err)
				}
				expect(t, r.c, key, "", cache.ErrMiss)
				if err := r.near.Set(ctx, key, v, time.Hour); err != nil {
					t.Error(err)
				}
				for range 2 {
					returns(t, "near "+key[:1], v)(r.near.Get(ctx, key))
				}
				if existed, err := r.c.Delete(ctx, key); !existed || err != nil {
					t.Errorf("%.20q behind %q: %v and %v", key, prefix, existed, err)
				}
				h, l := r.c.Hash(key), r.c.List(key+"l")
				fields := map[string]string{key: "1", "": key, "other": "\x00"}
				_, hashErr := h.Set(ctx, fields, time.Hour)
				_, listErr := l.PushBack(ctx, time.Hour, v, "", "\x00")
				all, allErr := h.All(ctx)
				list, rangeErr := l.Range(ctx, 0, -1)
				if err := errors.Join(hashErr, listErr, allErr, rangeErr); err != nil || !maps.Equal(all, fields) || !slices.Equal(list, []string{v, "", "\x00"}) {
					t.Errorf("%.20q behind %q: %.100v, %.100v and %v", key, prefix, all, list, err)
				}
				for range 2 {
					returns(t, "func", v)(r.f.Get(context.WithValue(ctx, wanted{}, v), key))
				}
				if existed, err := r.f.Purge(ctx, key); !existed || err != nil {
					t.Errorf("purge of %.20q: %v and %v", key, existed, err)
				}
			}
			if n, err := r.c.Clear(ctx); n < 2 || err != nil {
				t.Errorf("Clear of %q: %d and %v", prefix, n, err)
			}
		}
		if n := size(t, db); n != int64(len(neighbours)) {
			t.Errorf("there are %d keys, not the %d neighbours", n, len(neighbours))
		}
	})
}

func TestEachCallTakesAKeyOfAMebibyte(t *testing.T) {
	for name, url := range map[string]string{"memory": "memory://", "redis": testenv.SharedRedis(t).URL()} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			db := kittest.Open(t, url)
			r := newRig(t, db, cache.Options{Prefix: "mebibyte:"})
			key := strings.Repeat("k", 1<<20)
			for _, call := range append(slices.Clone(r.calls), r.funcs...) {
				if call.on != "any" {
					db.Del(ctx, call.at(key))
				}
				if err := call.do(ctx, key, "v"); err != nil && !errors.Is(err, cache.ErrMiss) {
					t.Errorf("%s: %v", call.name, err)
				}
				if n := db.Exists(ctx, call.at(key)).Val(); call.does == writes && n != 1 {
					t.Errorf("%s: nothing is there", call.name)
				}
			}
		})
	}
}

// put has something foreign be at a key, and returns how it looks.
func put(t *testing.T, db *redbud.DB, kind, key string, data ...any) func() string {
	t.Helper()
	ctx := t.Context()
	db.Del(ctx, key)
	var err error
	switch kind {
	case "string":
		err = db.Set(ctx, key, data[0], 0).Err()
	case "hash":
		err = db.HSet(ctx, key, "f", data[0]).Err()
	case "list":
		err = db.RPush(ctx, key, data...).Err()
	case "set":
		err = db.SAdd(ctx, key, data...).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() string {
		var what any
		switch kind {
		case "string":
			what = db.Get(ctx, key)
		case "hash":
			what = db.HGetAll(ctx, key)
		case "list":
			what = db.LRange(ctx, key, 0, -1)
		case "set":
			what = db.SMembers(ctx, key)
		}
		return fmt.Sprint(what, db.PTTL(ctx, key))
	}
}

func TestWhatIsThereAndIsForeign(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		strict, lenient := newRig(t, db, cache.Options{Prefix: "p:"}), newRig(t, db, cache.Options{Prefix: "p:", BadValues: true})
		loose := append(slices.Clone(lenient.calls), lenient.funcs...)
		for i, call := range append(slices.Clone(strict.calls), strict.funcs...) {
			for _, kind := range []string{"string", "hash", "list", "set"} {
				if kind == call.on || kind == "string" && call.on == "many" {
					continue
				}
				look := put(t, db, kind, call.at("k"), "data")
				before := look()
				switch err := call.do(ctx, "k", "v"); {
				case call.on == "any" || call.on == "many":
					if err != nil && !errors.Is(err, cache.ErrMiss) {
						t.Errorf("%s at a %s: %v", call.name, kind, err)
					}
				case !errors.Is(err, cache.ErrWrongType) || look() != before:
					t.Errorf("%s at a %s: %v, and it is %s, not %s", call.name, kind, err, look(), before)
				}
			}
			if call.does != reads && call.does != takes {
				continue
			}
			kind := call.on
			if kind == "many" {
				kind = "string"
			}
			for _, bad := range []string{"", "\x05", "\xc1", "\xc1\x02b", "\xc1\x01?v", "\xc1\x01t\x00\x05", "\xc1\x01f" + strings.Repeat("\x7f", 20) + "\x05"} {
				look := put(t, db, kind, call.at("k"), bad, "\xa4good")
				before := look()
				if err := call.do(ctx, "k", ""); !errors.Is(err, codec.ErrDecode) {
					t.Errorf("%s of %q: %v", call.name, bad, err)
				}
				if now := look(); call.does == reads && now != before {
					t.Errorf("%s of %q leaves %s, not %s", call.name, bad, now, before)
				}
				put(t, db, kind, call.at("k"), bad, "\xa4good")
				if err := loose[i].do(ctx, "k", ""); err != nil && !errors.Is(err, cache.ErrMiss) {
					t.Errorf("%s of %q, which is a miss: %v", call.name, bad, err)
				}
			}
		}
		put(t, db, "list", "p:l", "\x05", "\xa4good", "\xc1")
		list, err := lenient.c.List("l").Range(ctx, 0, -1)
		if err != nil || !slices.Equal(list, []string{"good"}) {
			t.Errorf("good ones among bad ones: %q and %v", list, err)
		}
		list, err = strict.c.List("l").PopFront(ctx, 3)
		if !errors.Is(err, codec.ErrDecode) || !slices.Equal(list, []string{"good"}) {
			t.Errorf("good ones that were taken with bad ones: %q and %v", list, err)
		}
	})
}

func TestMoreThanOneCommandTakes(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		n, some := 100_000, 2_000
		switch path.Base(t.Name()) {
		case "sqlite", "postgres", "mysql": // each row takes its time
			n, some = 8_000, 300 // a command of a script has at most 7,000 words
		case "cluster": // each slot does
			n, some = 3_000, 300
		}
		c := open[int](t, db, cache.Options{Prefix: "p:"})
		f := memoise(t, db, cache.FuncOptions[int, int]{Options: cache.Options{Prefix: "f:"}, LoadMany: func(_ context.Context, keys []int) ([]cache.Found[int], error) {
			found := make([]cache.Found[int], len(keys))
			for i, key := range keys {
				found[i] = cache.Found[int]{Value: key, OK: true}
			}
			return found, nil
		}})
		values, keys, list := make(map[string]int, n), make([]string, n), make([]int, n)
		for i := range n {
			keys[i], list[i] = fmt.Sprint("k", i), i
			values[keys[i]] = i
		}
		if err := c.SetMany(ctx, values, time.Hour); err != nil {
			t.Fatal(err)
		}
		right := func(n int, found []cache.Found[int], err error) {
			t.Helper()
			if err != nil || len(found) != n {
				t.Fatal(len(found), err)
			}
			for i, f := range found {
				if !f.OK || f.Value != i {
					t.Fatalf("%d is %v", i, f)
				}
			}
		}
		found, err := c.GetMany(ctx, keys...)
		right(n, found, err)
		returns(t, "delete many", n)(c.DeleteMany(ctx, keys...))
		h := c.Hash("h")
		returns(t, "hash set", n)(h.Set(ctx, values, time.Hour))
		if all, err := h.All(ctx); err != nil || !maps.Equal(all, values) {
			t.Errorf("a hash of %d: %d and %v", n, len(all), err)
		}
		returns(t, "hash delete", n)(h.Delete(ctx, keys...))
		l := c.List("l")
		returns(t, "push", n)(l.PushBack(ctx, time.Hour, list...))
		if all, err := l.PopFront(ctx, n+1); err != nil || !slices.Equal(all, list) {
			t.Errorf("a list of %d: %d and %v", n, len(all), err)
		}
		for range 2 {
			found, err := f.GetMany(ctx, list[:some]...)
			right(some, found, err)
		}
		if n := size(t, db); n != int64(some) {
			t.Errorf("there are %d keys, not what the Func has kept", n)
		}
	})
}

func TestAServerThatGoesAndComesBack(t *testing.T) {
	redisServer := testenv.Redis(t)
	memory := kittest.Open(t, "memory://")
	ours := serve(t, memory, "127.0.0.1:0")
	for name, server := range map[string]struct {
		url      string
		leave    func()
		comeBack func() error
	}{
		"redis": {redisServer.URL(), redisServer.Kill, redisServer.Restart},
		"ours":  {"redis://" + ours.addr, ours.stop, func() error { serve(t, memory, ours.addr); return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			db := kittest.Open(t, server.url)
			r := newRig(t, db, cache.Options{Prefix: "p:"})
			all := append(slices.Clone(r.calls), r.funcs...)
			at := func(call call) string { return "at a " + call.on } // so that none finds something foreign
			for _, call := range all {
				if err := call.do(ctx, at(call), "v"); err != nil && !errors.Is(err, cache.ErrMiss) {
					t.Errorf("%s before: %v", call.name, err)
				}
			}
			server.leave()
			many(len(all), func(i int) { // each tries to connect for a while
				var failure net.Error
				err := all[i].do(ctx, at(all[i]), "lost")
				if !errors.As(err, &failure) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, cache.ErrMiss) {
					t.Errorf("%s, of a server that is gone: %v", all[i].name, err)
				}
			})
			if err := server.comeBack(); err != nil {
				t.Fatal(err)
			}
			for db.Ping(ctx).Err() != nil { // connections to the dead server are found out one by one
				if ctx.Err() != nil {
					t.Fatal("it does not come back")
				}
			}
			for _, call := range all {
				if err := call.do(ctx, at(call), "v"); err != nil && !errors.Is(err, cache.ErrMiss) {
					t.Errorf("%s, when it is back: %v", call.name, err)
				}
			}
			if err := r.c.Set(ctx, "k", "v", time.Hour); err != nil {
				t.Error(err)
			}
			for r.near.Stats().Hits == 0 { // once there is a feed again
				returns(t, "near", "v")(r.near.Get(ctx, "k"))
				if t.Failed() {
					break
				}
			}
		})
	}
}

func TestOpenRefusesWhatItDoesNotKnow(t *testing.T) {
	ctx := t.Context()
	for _, url := range []string{"", "\x00", "nowhere", "nope://", "memory://?x=1", "dummy://?x=1", "redis://127.0.0.1:1", "redis://127.0.0.1/x", "redis+cluster://", "\xff://"} {
		if c, err := cache.Open[int](ctx, url, cache.Options{}); c != nil || err == nil {
			t.Errorf("%q: %v and %v", url, c, err)
		}
	}
	for _, url := range []string{"memory://", "dummy://"} {
		for _, max := range []int{-1, math.MaxInt} {
			if c, err := cache.Open[int](ctx, url, cache.Options{MaxValue: max}); c != nil || !errors.Is(err, cache.ErrOptions) {
				t.Errorf("%s with values of %d bytes: %v and %v", url, max, c, err)
			}
		}
	}
	if c, err := cache.New[int](nil, cache.Options{}); c != nil || !errors.Is(err, cache.ErrOptions) {
		t.Errorf("no client: %v and %v", c, err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if c, err := cache.Open[int](ended, testenv.SharedRedis(t).URL(), cache.Options{}); c != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v and %v", c, err)
	}
}
