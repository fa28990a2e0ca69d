package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/internal/kittest"
)

func ExampleFunc_PurgeTags() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	type page struct {
		User int
		Path string
	}
	render, err := cache.NewFunc(db, cache.FuncOptions[page, string]{
		Options: cache.Options{Prefix: "page:"},
		TTL:     time.Hour,
		Tags:    func(p page) []string { return []string{fmt.Sprint("user:", p.User)} },
		Load: func(ctx context.Context, p page) (string, error) {
			fmt.Println("rendering")
			return fmt.Sprint(p.Path, " of ", p.User), nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer render.Close(ctx)
	for range 2 {
		fmt.Println(render.GetMany(ctx, page{7, "/"}, page{7, "/photos"}))
	}
	fmt.Println(render.PurgeTags(ctx, "user:7"))
	fmt.Println(render.Get(ctx, page{7, "/"}))
	// Output:
	// rendering
	// rendering
	// [{/ of 7 true false} {/photos of 7 true false}] <nil>
	// [{/ of 7 true false} {/photos of 7 true false}] <nil>
	// <nil>
	// rendering
	// / of 7 <nil>
}

func TestTagsOfAFunc(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		now := newClock()
		var loads atomic.Int32
		var failure atomic.Value
		failure.Store("")
		o := cache.FuncOptions[string, int32]{TTL: cache.Forever, ErrorTTL: time.Hour, RetryAfter: time.Nanosecond, Now: now.now,
			Tags: func(key string) []string { return []string{"all", key, "all"} },
			Load: func(context.Context, string) (int32, error) {
				n := loads.Add(1)
				if text := failure.Load().(string); text != "" {
					return 0, errors.New(text)
				}
				return n, nil
			}}
		plain := o
		plain.Tags = nil
		untagged := memoise(t, db, plain)
		f := memoise(t, db, o)
		o.Options.Prefix = "stale:"
		o.Stale = time.Hour
		stale := memoise(t, db, o)
		o.Options.Prefix, o.Stale, o.StaleIfError = "old:", 0, time.Hour
		old := memoise(t, db, o)
		many := func(what string, want ...int32) {
			t.Helper()
			found, err := f.GetMany(ctx, "k", "l", "m")
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			for i, v := range want {
				if found[i] != (cache.Found[int32]{Value: v, OK: true}) {
					t.Errorf("%s: %v", what, found)
				}
			}
		}
		do := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		returns[int32](t, "without tags", 1)(untagged.Get(ctx, "k"))
		for range 2 {
			many("what had none before", 1, 2, 3)
		}
		do(f.PurgeTags(ctx, "all"))
		for range 2 {
			many("what has none is not purged", 1, 4, 5)
		}
		returns[int32](t, "who makes no tags", 4)(untagged.Get(ctx, "l"))
		if ttl := db.TTL(ctx, "f:{l}").Val(); ttl <= 29*24*time.Hour || ttl > 30*24*time.Hour {
			t.Errorf("a value with tags stays %v", ttl)
		}
		if ttl := db.TTL(ctx, "f:\xc1t:l").Val(); ttl <= 30*24*time.Hour || ttl > 30*24*time.Hour+time.Hour {
			t.Errorf("a tag stays %v", ttl)
		}
		do(f.PurgeTags(ctx, "m", "nobody"))
		many("one was purged", 1, 4, 6)
		do(f.ExpireTags(ctx, "l"))
		many("one was expired, and there is no Stale", 1, 7, 6)
		do(f.Set(ctx, "l", 100))
		many("what was set", 1, 100, 6)
		do(f.PurgeTags(ctx, "l"))
		failure.Store("no luck")
		for range 2 {
			if _, err := f.Get(ctx, "l"); err == nil || err.Error() != "no luck" || loads.Load() != 8 {
				t.Errorf("an error: %v after %d loads", err, loads.Load())
			}
		}
		failure.Store("")
		do(f.ExpireTags(ctx, "l"))
		returns[int32](t, "when the error is expired", 9)(f.Get(ctx, "l"))
		db.Del(ctx, "f:\xc1t:l")
		returns[int32](t, "when the tag is lost", 10)(f.Get(ctx, "l"))

		returns[int32](t, "with Stale", 11)(stale.Get(ctx, "k"))
		do(stale.ExpireTags(ctx, "k"))
		returns[int32](t, "stale", 11)(stale.Get(ctx, "k"))
		cache.AwaitLanded(stale)
		returns[int32](t, "refreshed", 12)(stale.Get(ctx, "k"))
		do(stale.PurgeTags(ctx, "k"))
		returns[int32](t, "purged, and not stale", 13)(stale.Get(ctx, "k"))

		returns[int32](t, "with StaleIfError", 14)(old.Get(ctx, "k"))
		do(old.ExpireTags(ctx, "k"))
		failure.Store("no luck")
		returns[int32](t, "old", 14)(old.Get(ctx, "k"))
		do(old.PurgeTags(ctx, "k"))
		if _, err := old.Get(ctx, "k"); err == nil {
			t.Error("what was purged is returned if the load fails")
		}

		bad := memoise(t, db, cache.FuncOptions[string, int]{Load: func(context.Context, string) (int, error) { return 1, nil },
			Tags: func(key string) []string { return strings.Split(key, ",") }})
		for _, key := range []string{"a,,b", strings.Repeat("x", 1025)} {
			if _, err := bad.Get(ctx, key); !errors.Is(err, cache.ErrTag) {
				t.Errorf("Get: %v", err)
			}
			if _, err := bad.GetMany(ctx, "good", key); !errors.Is(err, cache.ErrTag) {
				t.Errorf("GetMany: %v", err)
			}
			if err := bad.Set(ctx, key, 1); !errors.Is(err, cache.ErrTag) {
				t.Errorf("Set: %v", err)
			}
		}
		returns(t, "a good key", 1)(bad.Get(ctx, "good"))
	})
}

// hearing are Stats that do something after each call of a method.
type hearing map[string]func()

func (hearing) Read(int, int, int) {}

func (h hearing) Called(method string, _ time.Duration, _ error) {
	if do := h[method]; do != nil {
		do()
	}
}

func TestWhatTagsAreNotKnownOfIsNotKept(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // it would wait for its own lease
		defer cancel()
		l, d := &losing{}, new(dying).on(t, db)
		db.AddHook(l)
		for _, failOpen := range []bool{false, true} {
			var atClaim, atLoad atomic.Bool
			var loads atomic.Int32
			o := cache.FuncOptions[string, int32]{Fleet: true, Lease: time.Hour, FailOpen: failOpen, Tags: tagsOf(true), Load: func(context.Context, string) (int32, error) {
				if atLoad.CompareAndSwap(true, false) {
					l.call.Store(true)
				}
				return loads.Add(1), nil
			}}
			o.Prefix = fmt.Sprintf("{%v}:", failOpen)
			o.Stats = hearing{"func claim": func() {
				if atClaim.CompareAndSwap(true, false) {
					l.call.Store(true)
				}
			}}
			f := memoise(t, db, o)
			fails := func(what string, failure error, want int32, got int32, err error) {
				t.Helper()
				if failOpen && (got != want || err != nil) || !failOpen && !errors.Is(err, failure) {
					t.Errorf("fail open %v, %s: %d and %v", failOpen, what, got, err)
				}
			}
			returns[int32](t, "while all is well", 1)(f.Get(ctx, "k")) // the engine has the programs

			atClaim.Store(true)
			got, err := f.Get(ctx, "l")
			fails("before the load", io.EOF, 2, got, err)
			n := loads.Load()
			returns(t, "after that", n+1)(f.Get(ctx, "l"))
			returns(t, "what is kept", n+1)(f.Get(ctx, "l"))

			atLoad.Store(true)
			got, err = f.Get(ctx, "m")
			fails("after the load", io.EOF, n+2, got, err)
			returns(t, "after that", n+3)(f.Get(ctx, "m"))
			returns(t, "what is kept", n+3)(f.Get(ctx, "m"))

			d.die(1, false)
			got, err = f.Get(ctx, "m")
			fails("Get", errDead, n+4, got, err)
			cache.AwaitLanded(f)
			d.die(1, false)
			found, err := f.GetMany(ctx, "m")
			if len(found) == 1 {
				got = found[0].Value
			}
			fails("GetMany", errDead, n+5, got, err)
			cache.AwaitLanded(f)
			if !d.live() {
				t.Error("nothing was asked for")
			}
			returns(t, "what is kept", n+3)(f.Get(ctx, "m"))
			cache.AwaitLanded(f)
			for _, key := range []string{"k", "l", "m"} {
				nothingIsLoaded(t, db, o.Prefix+"{"+key+"}")
			}
		}
	})
}
