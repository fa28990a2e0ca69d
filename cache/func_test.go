package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/cache/codec"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

func ExampleNewFunc() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	square, err := cache.NewFunc(db, cache.FuncOptions[int, int]{
		Options: cache.Options{Prefix: "square:"},
		TTL:     time.Hour,
		Load: func(ctx context.Context, n int) (int, error) {
			fmt.Println("computing")
			return n * n, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer square.Close(ctx)
	for range 2 {
		fmt.Println(square.Get(ctx, 7))
	}
	fmt.Println(square.Purge(ctx, 7))
	// Output:
	// computing
	// 49 <nil>
	// 49 <nil>
	// true <nil>
}

func ExampleFunc_Set() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	square, err := cache.NewFunc(db, cache.FuncOptions[int, int]{
		Options: cache.Options{Prefix: "square:"},
		TTL:     time.Hour,
		Load: func(ctx context.Context, n int) (int, error) {
			fmt.Println("computing")
			return n * n, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer square.Close(ctx)
	fmt.Println(square.Set(ctx, 7, 49), square.Set(ctx, 8, 64))
	fmt.Println(square.Get(ctx, 7))
	fmt.Println(square.PurgeMany(ctx, 7, 9))
	fmt.Println(square.Clear(ctx))
	fmt.Println(square.Get(ctx, 8))
	// Output:
	// <nil> <nil>
	// 49 <nil>
	// 1 <nil>
	// 1 <nil>
	// computing
	// 64 <nil>
}

func ExampleFunc_GetMany() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	names := map[int]string{1: "ann", 2: "bob"}
	name, err := cache.NewFunc(db, cache.FuncOptions[int, string]{
		Options:     cache.Options{Prefix: "name:"},
		TTL:         time.Hour,
		NotFoundTTL: time.Minute,
		LoadMany: func(ctx context.Context, ids []int) ([]cache.Found[string], error) {
			fmt.Println("loading", ids)
			found := make([]cache.Found[string], len(ids))
			for i, id := range ids {
				found[i].Value, found[i].OK = names[id]
			}
			return found, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer name.Close(ctx)
	fmt.Println(name.GetMany(ctx, 1, 3))
	fmt.Println(name.GetMany(ctx, 1, 2, 3))
	// Output:
	// loading [1 3]
	// [{ann true false} { false false}] <nil>
	// loading [2]
	// [{ann true false} {bob true false} { false false}] <nil>
}

// memoise returns a Func that is closed with the test. What its options leave out: the prefix "f:" and a TTL of an hour.
func memoise[K, V any](t *testing.T, client redis.UniversalClient, o cache.FuncOptions[K, V]) *cache.Func[K, V] {
	t.Helper()
	if o.Prefix == "" {
		o.Prefix = "f:"
	}
	if o.TTL == 0 && o.TTLOf == nil {
		o.TTL = time.Hour
	}
	f, err := cache.NewFunc(client, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}

// clock is one that stands still until it is moved.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(time.Now().UnixMilli())
	return c
}

func (c *clock) now() time.Time       { return time.UnixMilli(c.ms.Load()) }
func (c *clock) move(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// returns checks what a call has returned.
func returns[V comparable](t *testing.T, what string, want V) func(V, error) {
	t.Helper()
	return func(got V, err error) {
		t.Helper()
		if got != want || err != nil {
			t.Errorf("%s: %v and %v, not %v", what, got, err, want)
		}
	}
}

// nothingIsLoaded checks that no token of a load is left.
func nothingIsLoaded(t *testing.T, db *redbud.DB, key string) {
	t.Helper()
	if n, err := db.Exists(t.Context(), key+":load").Result(); n != 0 || err != nil {
		t.Errorf("the token of a load is left, %v", err)
	}
}

func TestWhatIsLoadedIsKept(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		var loads atomic.Int32
		zero := memoise(t, db, cache.FuncOptions[string, *user]{Load: func(context.Context, string) (*user, error) {
			loads.Add(1)
			return nil, nil
		}})
		for _, key := range []string{"", "}", "k", "\x00", "k"} {
			for range 2 {
				returns[*user](t, key, nil)(zero.Get(ctx, key))
			}
		}
		if n := loads.Load(); n != 4 {
			t.Errorf("%d loads", n)
		}
		nothingIsLoaded(t, db, "f:{k}")
		if ttl := db.TTL(ctx, "f:{k}").Val(); ttl <= 0 || ttl > time.Hour {
			t.Errorf("it stays %v", ttl)
		}
		returns(t, "purge", true)(zero.Purge(ctx, "k"))
		returns(t, "purge again", false)(zero.Purge(ctx, "k"))
		returns[*user](t, "after the purge", nil)(zero.Get(ctx, "k"))
		if n := loads.Load(); n != 5 {
			t.Errorf("%d loads after the purge", n)
		}

		stats := &counts{}
		by := memoise(t, db, cache.FuncOptions[int, int]{
			Options: cache.Options{Prefix: "by:", Stats: stats},
			TTLOf:   func(key, value int) time.Duration { return time.Duration(value) * time.Minute },
			Exclude: func(key, value int) bool { return value == 13 },
			Load:    func(_ context.Context, key int) (int, error) { return key, nil },
		})
		for range 2 {
			returns(t, "13", 13)(by.Get(ctx, 13))
			returns(t, "7", 7)(by.Get(ctx, 7))
		}
		if _, err := by.Get(ctx, 0); !errors.Is(err, cache.ErrTTL) {
			t.Errorf("a TTL of 0: %v", err)
		}
		if ttl := db.TTL(ctx, "by:{7}").Val(); ttl <= 0 || ttl > 7*time.Minute {
			t.Errorf("7 stays %v", ttl)
		}
		if db.Exists(ctx, "by:{13}").Val() != 0 || db.Exists(ctx, "by:{0}").Val() != 0 {
			t.Error("what is excluded is there")
		}
		if stats.hits != 1 || stats.misses != 4 || stats.called["load"] != 4 {
			t.Errorf("the counts are %+v", stats)
		}
		for range 2 {
			_, _ = by.Purge(ctx, 13)
		}
		forever := memoise(t, db, cache.FuncOptions[string, int]{Options: cache.Options{Prefix: "ever:"}, TTL: cache.Forever, Stale: time.Hour, Jitter: 0.5,
			Load: func(context.Context, string) (int, error) { return 1, nil }})
		returns(t, "for ever", 1)(forever.Get(ctx, "k"))
		if ttl := db.TTL(ctx, "ever:{k}").Val(); ttl != -1 {
			t.Errorf("for ever is %v", ttl)
		}
	})
}

// many calls get in goroutines, as soon as all are there.
func many(n int, get func(i int)) {
	var ready, group sync.WaitGroup
	ready.Add(n)
	for i := range n {
		group.Go(func() {
			ready.Done()
			ready.Wait()
			get(i)
		})
	}
	group.Wait()
}

func TestOneLoadsForAll(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		for _, c := range []struct {
			fleet bool
			least int32
			most  int32
		}{{false, 1, 5}, {true, 1, 1}} {
			var loads atomic.Int32
			var fleet []*cache.Func[string, int]
			perProcess := make([]atomic.Int32, 5)
			for i := range 5 {
				fleet = append(fleet, memoise(t, db, cache.FuncOptions[string, int]{
					Options: cache.Options{Prefix: fmt.Sprint(c.fleet)}, Fleet: c.fleet, Lease: time.Hour, // who is not told, waits
					Load: func(context.Context, string) (int, error) {
						loads.Add(1)
						perProcess[i].Add(1)
						runtime.Gosched()
						return 42, nil
					},
				}))
			}
			many(200, func(i int) { returns(t, "Get", 42)(fleet[i%5].Get(t.Context(), "k")) })
			if n := loads.Load(); n < c.least || n > c.most {
				t.Errorf("fleet %v: %d loads", c.fleet, n)
			}
			for i := range perProcess {
				if n := perProcess[i].Load(); n > 1 {
					t.Errorf("fleet %v: %d loads in one process", c.fleet, n)
				}
			}
			nothingIsLoaded(t, db, fmt.Sprint(c.fleet)+"{k}")
		}
	})
}

func TestALoadThatBeganBeforeAPurgeIsNotKept(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		for _, fleet := range []bool{false, true} {
			for _, elsewhere := range []bool{false, true} {
				for how, purge := range map[string]func(f *cache.Func[string, int32]) error{
					"purge": func(f *cache.Func[string, int32]) error { _, err := f.Purge(t.Context(), "k"); return err },
					"purge quickly": func(f *cache.Func[string, int32]) error { // the load is found out meanwhile, else at its end
						_, err := f.PurgeMany(t.Context(), "other", "k")
						return err
					},
					"set":   func(f *cache.Func[string, int32]) error { return f.Set(t.Context(), "k", 2) },
					"clear": func(f *cache.Func[string, int32]) error { _, err := f.Clear(t.Context()); return err },
				} {
					lease := time.Hour
					if how == "purge quickly" {
						lease = 10 * time.Millisecond
					}
					ctx := t.Context()
					var source, loads atomic.Int32
					source.Store(1)
					began, goOn := make(chan struct{}), make(chan struct{})
					o := cache.FuncOptions[string, int32]{Options: cache.Options{Prefix: fmt.Sprint(fleet, elsewhere, how)}, Fleet: fleet, Lease: lease,
						Load: func(working context.Context, _ string) (int32, error) {
							value := source.Load()
							if loads.Add(1) == 1 {
								close(began)
								select {
								case <-goOn:
								case <-working.Done():
									return 0, working.Err()
								}
							}
							return value, nil
						}}
					f := memoise(t, db, o)
					purger := f
					if elsewhere {
						purger = memoise(t, db, o)
					}
					var first sync.WaitGroup
					first.Go(func() {
						if got, err := f.Get(ctx, "k"); got != 1 && got != 2 || err != nil {
							t.Errorf("who asked before has %d and %v", got, err)
						}
					})
					<-began
					source.Store(2)
					if err := purge(purger); err != nil {
						t.Fatal(err)
					}
					var later sync.WaitGroup
					later.Go(func() { returns[int32](t, "who asks after the purge", 2)(f.Get(ctx, "k")) })
					runtime.Gosched()
					if !elsewhere || lease == time.Hour { // else the load ends by its context
						close(goOn)
					}
					later.Wait()
					first.Wait()
					returns[int32](t, "what is kept", 2)(f.Get(ctx, "k"))
				}
			}
		}
	})
}

// claimed are Stats that tell of claims.
type claimed chan struct{}

func (claimed) Read(int, int, int) {}

func (c claimed) Called(method string, _ time.Duration, _ error) {
	if method == "func claim" {
		c <- struct{}{}
	}
}

func TestClearLeavesNothing(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		now := newClock()
		blocking := make(chan chan struct{}, 1)
		began := make(chan struct{})
		f := memoise(t, db, cache.FuncOptions[int, int]{Fleet: true, Lease: time.Hour, Now: now.now, Load: func(_ context.Context, key int) (int, error) {
			select {
			case goOn := <-blocking:
				began <- struct{}{}
				<-goOn
			default:
			}
			return key, nil
		}})
		keys := make([]int, 100)
		for i := range keys {
			keys[i] = i
		}
		if _, err := f.GetMany(ctx, keys...); err != nil {
			t.Fatal(err)
		}
		elsewhere := memoise(t, db, cache.FuncOptions[int, int]{Fleet: true, Lease: time.Hour, Load: func(_ context.Context, key int) (int, error) { return key, nil }})
		goOn := make(chan struct{})
		blocking <- goOn
		var group sync.WaitGroup
		group.Go(func() { returns(t, "who asked before", 1000)(f.Get(ctx, 1000)) })
		<-began
		group.Go(func() { returns(t, "who waits elsewhere", 1000)(elsewhere.Get(ctx, 1000)) })
		foreign := []string{"f", "g:{1}:load"}
		for _, key := range foreign {
			if err := db.Set(ctx, key, 1, 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		told := 0
		n, err := f.Clear(ctx, func(deleted int) { told = deleted })
		if n < 100 || n > 101 || told != n || err != nil { // 101 if somebody elsewhere was quick
			t.Errorf("Clear: %d and %v, told %d", n, err, told)
		}
		close(goOn)
		group.Wait()
		for _, key := range keys {
			if n := db.Exists(ctx, fmt.Sprintf("f:{%d}", key)).Val(); n != 0 {
				t.Errorf("%d is left", key)
			}
		}
		for _, key := range foreign {
			if n := db.Exists(ctx, key).Val(); n != 1 {
				t.Errorf("%q is gone", key)
			}
		}
		nothingIsLoaded(t, db, "f:{1000}")
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := f.Clear(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Clear when the context has ended: %v", err)
		}
	})
}

func TestALoadThatVanishedIsDoneAgain(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		f := memoise(t, db, cache.FuncOptions[string, int]{Fleet: true, Load: func(context.Context, string) (int, error) { return 1, nil }})
		db.Set(ctx, "f:{k}:load", "gone", 50*time.Millisecond)
		returns(t, "after a crash", 1)(f.Get(ctx, "k"))

		db.Set(ctx, "f:{l}:load", "somebody", time.Hour)
		waiting, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		if _, err := f.Get(waiting, "l"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while somebody loads: %v", err)
		}
		claims := make(claimed, 100)
		other := memoise(t, db, cache.FuncOptions[string, int]{Options: cache.Options{Stats: claims}, Fleet: true,
			Load: func(context.Context, string) (int, error) { return 1, nil }})
		var group sync.WaitGroup
		group.Go(func() { returns(t, "after a purge", 1)(other.Get(ctx, "l")) })
		for range 2 { // the second time, it listens
			<-claims
		}
		returns(t, "purge", false)(f.Purge(ctx, "l"))
		group.Wait()
	})
}

func TestALongLoadKeepsItsLease(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		var loads atomic.Int32
		o := cache.FuncOptions[string, int]{Fleet: true, Lease: 150 * time.Millisecond, Load: func(working context.Context, _ string) (int, error) {
			loads.Add(1)
			select {
			case <-working.Done():
			case <-time.After(400 * time.Millisecond):
			}
			return 1, working.Err()
		}}
		a, b := memoise(t, db, o), memoise(t, db, o)
		many(2, func(i int) { returns(t, "Get", 1)([]*cache.Func[string, int]{a, b}[i].Get(t.Context(), "k")) })
		if n := loads.Load(); n != 1 {
			t.Errorf("%d loads", n)
		}
	})
}

func TestStaleValues(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		now := newClock()
		var source atomic.Int32
		var failing atomic.Bool
		loaded := make(chan struct{}, 10)
		failure := errors.New("no luck")
		o := cache.FuncOptions[string, int32]{
			TTL: time.Minute, Stale: time.Minute, StaleIfError: time.Hour, ErrorTTL: time.Minute, Now: now.now,
			Load: func(context.Context, string) (int32, error) {
				defer func() { loaded <- struct{}{} }()
				if failing.Load() {
					return 0, failure
				}
				return source.Add(1), nil
			},
		}
		f := memoise(t, db, o)
		returns[int32](t, "at first", 1)(f.Get(ctx, "k"))
		<-loaded
		if ttl := db.TTL(ctx, "f:{k}").Val(); ttl <= time.Hour || ttl > time.Hour+time.Minute {
			t.Errorf("it stays %v", ttl)
		}
		now.move(time.Minute - time.Millisecond)
		returns[int32](t, "fresh", 1)(f.Get(ctx, "k"))
		now.move(time.Millisecond)
		returns[int32](t, "stale", 1)(f.Get(ctx, "k"))
		<-loaded
		if err := f.Close(ctx); err != nil { // the load is kept
			t.Fatal(err)
		}
		if _, err := f.Get(ctx, "other"); !errors.Is(err, cache.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		returns[int32](t, "what is there after Close", 2)(f.Get(ctx, "k"))
		if found, err := f.GetMany(ctx, "k"); err != nil || !found[0].OK {
			t.Errorf("what is there among many after Close: %v and %v", found, err)
		}
		f = memoise(t, db, o)
		returns[int32](t, "refreshed", 2)(f.Get(ctx, "k"))

		now.move(2 * time.Minute)
		failing.Store(true)
		returns[int32](t, "the load fails", 2)(f.Get(ctx, "k"))
		<-loaded
		now.move(time.Second)
		returns[int32](t, "the load fails again", 2)(f.Get(ctx, "k"))
		<-loaded
		now.move(time.Second)
		if found, err := f.GetMany(ctx, "k"); err != nil || found[0] != (cache.Found[int32]{Value: 2, OK: true}) {
			t.Errorf("GetMany: %v and %v", found, err)
		}
		<-loaded
		now.move(time.Hour)
		if _, err := f.Get(ctx, "k"); !errors.Is(err, failure) {
			t.Errorf("too old: %v", err)
		}
		<-loaded
	})
}

func TestAfterALoadThatFailedTheNextOneWaits(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		now := newClock()
		var loads atomic.Int32
		var failing, gone atomic.Bool
		f := memoise(t, db, cache.FuncOptions[string, int32]{TTL: time.Minute, Stale: time.Minute, StaleIfError: time.Hour, ErrorTTL: time.Minute, Early: 1e12,
			RetryAfter: 10 * time.Second, Now: now.now, Rand: func() float64 { return 0.5 },
			Load: func(context.Context, string) (int32, error) {
				n := loads.Add(1)
				if gone.Load() {
					return 0, cache.ErrNotFound
				}
				if failing.Load() {
					return 0, errors.New("no luck")
				}
				return n, nil
			}})
		returns[int32](t, "at first", 1)(f.Get(ctx, "k"))
		failing.Store(true)
		least := int32(1)
		for _, age := range []time.Duration{0, time.Minute, 10 * time.Minute} { // it is early, stale, old
			now.move(age)
			for range 3 {
				least++
				for range 20 {
					returns[int32](t, "while loads fail", 1)(f.Get(ctx, "k"))
					cache.AwaitLanded(f)
					if found, err := f.GetMany(ctx, "k"); err != nil || found[0] != (cache.Found[int32]{Value: 1, OK: true}) {
						t.Errorf("GetMany while loads fail: %v and %v", found, err)
					}
					cache.AwaitLanded(f)
				}
				if n := loads.Load(); n != least {
					t.Errorf("after %v there are %d loads, not %d", age, n, least)
				}
				now.move(10 * time.Second)
			}
		}
		failing.Store(false)
		returns(t, "when it works again", least+1)(f.Get(ctx, "k"))
		gone.Store(true)
		now.move(10 * time.Minute)
		if _, err := f.Get(ctx, "k"); !errors.Is(err, cache.ErrNotFound) { // that it worked has ended the rest
			t.Errorf("when there is none any more: %v", err)
		}
	})
}

func TestFewKeysRest(t *testing.T) {
	db := kittest.Open(t, "memory://")
	now := newClock()
	failing := false
	f := memoise(t, db, cache.FuncOptions[int, int]{StaleIfError: time.Hour, RetryAfter: time.Hour, Now: now.now, Load: func(_ context.Context, key int) (int, error) {
		if failing {
			return 0, errors.New("no luck")
		}
		return key, nil
	}})
	keys := make([]int, 5000)
	for i := range keys {
		keys[i] = i
	}
	for range 2 {
		found, err := f.GetMany(t.Context(), keys...)
		if err != nil || slices.ContainsFunc(found, func(f cache.Found[int]) bool { return !f.OK }) {
			t.Fatal(err)
		}
		now.move(time.Hour)
		failing = true
	}
	if n := cache.Resting(f); n != 4096 {
		t.Errorf("%d keys rest", n)
	}
}

func TestWhatIsGoneIsNotStale(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		now := newClock()
		loads := 0
		f := memoise(t, db, cache.FuncOptions[string, int]{StaleIfError: 24 * time.Hour, Now: now.now, Load: func(context.Context, string) (int, error) {
			if loads++; loads > 1 {
				return 0, fmt.Errorf("k: %w", cache.ErrNotFound)
			}
			return 1, nil
		}})
		returns(t, "at first", 1)(f.Get(ctx, "k"))
		now.move(2 * time.Hour)
		if _, err := f.Get(ctx, "k"); !errors.Is(err, cache.ErrNotFound) || db.Exists(ctx, "f:{k}").Val() != 0 {
			t.Errorf("later: %v, and it is there", err)
		}
	})
}

func TestEarlyLoads(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		var chance, loads atomic.Int32
		loaded := make(chan struct{}, 10)
		f := memoise(t, db, cache.FuncOptions[string, int32]{Early: 1e12, Now: newClock().now,
			Rand: func() float64 { return float64(chance.Load()) / 2 },
			Load: func(context.Context, string) (int32, error) {
				defer func() { loaded <- struct{}{} }()
				return loads.Add(1), nil
			}})
		for range 3 {
			returns[int32](t, "no chance", 1)(f.Get(ctx, "k"))
		}
		<-loaded
		chance.Store(1)
		returns[int32](t, "the dice fell", 1)(f.Get(ctx, "k"))
		<-loaded
		if err := f.Close(ctx); err != nil || loads.Load() != 2 {
			t.Errorf("%d loads, %v", loads.Load(), err)
		}
	})
}

func TestLoadsThatNobodyWaitsForAreFew(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		now := newClock()
		var blocking atomic.Bool
		var loads atomic.Int32
		began, goOn := make(chan struct{}, 10), make(chan struct{})
		f := memoise(t, db, cache.FuncOptions[int, int]{Stale: time.Hour, Refreshes: 3, Now: now.now, Load: func(_ context.Context, key int) (int, error) {
			if blocking.Load() {
				loads.Add(1)
				began <- struct{}{}
				<-goOn
			}
			return key, nil
		}})
		for i := range 10 {
			returns(t, "at first", i)(f.Get(ctx, i))
		}
		blocking.Store(true)
		now.move(time.Hour)
		for i := range 10 {
			returns(t, "stale", i)(f.Get(ctx, i))
			returns(t, "stale again", i)(f.Get(ctx, i))
		}
		for range 3 {
			<-began
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := f.Close(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Close while they load: %v", err)
		}
		close(goOn)
		if err := f.Close(ctx); err != nil {
			t.Error(err)
		}
		if n := loads.Load(); n != 3 {
			t.Errorf("%d loads", n)
		}
	})
}

func TestLoadsThatPanic(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		how := func() { panic("oh no") }
		f := memoise(t, db, cache.FuncOptions[string, int]{Fleet: true, ErrorTTL: time.Hour, Load: func(context.Context, string) (int, error) {
			how()
			return 1, nil
		}})
		if _, err := f.Get(ctx, "k"); !errors.Is(err, cache.ErrPanic) || !strings.Contains(err.Error(), "oh no") {
			t.Errorf("after a panic: %v", err)
		}
		how = runtime.Goexit
		if _, err := f.Get(ctx, "k"); !errors.Is(err, cache.ErrPanic) {
			t.Errorf("after Goexit: %v", err)
		}
		how = func() {}
		returns(t, "then", 1)(f.Get(ctx, "k"))
		nothingIsLoaded(t, db, "f:{k}")
	})
}

func TestWhoLeavesLeavesAlone(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		type word string
		began, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
		f := memoise(t, db, cache.FuncOptions[string, string]{Load: func(working context.Context, key string) (string, error) {
			began <- struct{}{}
			select {
			case <-goOn:
				return fmt.Sprint(working.Value(word("w"))), nil
			case <-working.Done():
				close(ended)
				return "", working.Err()
			}
		}})
		first, leave := context.WithCancel(context.WithValue(t.Context(), word("w"), "of the first"))
		var group, left sync.WaitGroup
		left.Go(func() {
			if _, err := f.Get(first, "k"); !errors.Is(err, context.Canceled) {
				t.Errorf("who left: %v", err)
			}
		})
		<-began
		second := make(chan struct{})
		group.Go(func() {
			close(second)
			returns(t, "who stayed", "of the first")(f.Get(t.Context(), "k"))
		})
		<-second
		cache.AwaitWaiting(f, 2)
		leave()
		left.Wait()
		close(goOn)
		group.Wait()

		goOn = nil
		alone, leave := context.WithCancel(t.Context())
		left.Go(func() {
			if _, err := f.Get(alone, "l"); !errors.Is(err, context.Canceled) {
				t.Errorf("who left alone: %v", err)
			}
		})
		<-began
		leave()
		left.Wait()
		<-ended // the load
	})
}

func TestErrorsAreKept(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		broke, odd := errors.New("broke"), errors.New("odd")
		var failure error
		loads := 0
		o := cache.FuncOptions[string, int]{ErrorTTL: time.Minute, NotFoundTTL: time.Hour, Sentinels: map[string]error{"broke": broke},
			Load: func(context.Context, string) (int, error) {
				loads++
				return 5, failure
			}}
		f, other := memoise(t, db, o), memoise(t, db, cache.FuncOptions[string, int]{Load: o.Load})
		for _, c := range []struct {
			key  string
			err  error
			is   error
			kept time.Duration
		}{
			{"broke", fmt.Errorf("ann is %w", broke), broke, time.Minute},
			{"odd", odd, nil, time.Minute},
			{"nobody", fmt.Errorf("nobody: %w", cache.ErrNotFound), cache.ErrNotFound, time.Hour},
			{"late", context.DeadlineExceeded, nil, 0},
		} {
			failure, loads = c.err, 0
			if got, err := f.Get(ctx, c.key); err != c.err || got != 0 {
				t.Errorf("%s at first: %d and %v", c.key, got, err)
			}
			got, err := f.Get(ctx, c.key)
			if c.kept == 0 {
				if err != c.err || loads != 2 || db.Exists(ctx, "f:{"+c.key+"}").Val() != 0 {
					t.Errorf("%s was kept: %v", c.key, err)
				}
				continue
			}
			var kept *cache.CachedError
			if !errors.As(err, &kept) || got != 0 || loads != 1 || err.Error() != c.err.Error() || kept.Made.IsZero() || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%s later: %d and %#v after %d loads", c.key, got, err, loads)
			}
			if ttl := db.TTL(ctx, "f:{"+c.key+"}").Val(); ttl <= c.kept-time.Minute || ttl > c.kept {
				t.Errorf("%s stays %v", c.key, ttl)
			}
			if _, err := other.Get(ctx, c.key); errors.Is(err, broke) || err.Error() != c.err.Error() || loads != 1 {
				t.Errorf("%s where nobody knows the sentinel: %v", c.key, err)
			}
		}
		found, err := f.GetMany(ctx, "nobody", "broke")
		if !errors.Is(err, broke) || errors.Is(err, cache.ErrNotFound) || slices.ContainsFunc(found, func(f cache.Found[int]) bool { return f.OK }) {
			t.Errorf("GetMany: %v and %v", found, err)
		}
		failure, loads = odd, 0
		for range 2 {
			if _, err := other.Get(ctx, "plain"); err != odd {
				t.Errorf("by default: %v", err)
			}
		}
		if loads != 2 {
			t.Errorf("by default there are %d loads", loads)
		}
	})
}

func TestWhatIsThereAndIsNoEnvelope(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		stats := &counts{}
		o := cache.FuncOptions[string, int]{Load: func(context.Context, string) (int, error) { return 1, nil }}
		strict := memoise(t, db, o)
		o.Options = cache.Options{BadValues: true, Stats: stats}
		lenient := memoise(t, db, o)
		good := "\xc1\x01f" + strings.Repeat("\x00", 13) + "\x0f" + strings.Repeat("\xff", 6)
		never, late := "\xc1\x01f"+strings.Repeat("\x00", 12)+"\x80"+strings.Repeat("\x00", 7)+"\x02", "\xc1\x01f"+strings.Repeat("\x7f", 20)+"\x02"
		bad := []string{"", "x", "\xc1", "\xc1\x02f" + strings.Repeat("\x7f", 30), good + "no number", good, never, late}
		db.Set(ctx, "f:{k}", good+"\x02", 0)
		returns(t, "a good one", 2)(strict.Get(ctx, "k"))
		for _, data := range bad {
			db.Set(ctx, "f:{k}", data, 0)
			if _, err := strict.Get(ctx, "k"); !errors.Is(err, codec.ErrDecode) {
				t.Errorf("%q: %v", data, err)
			}
			if _, err := strict.GetMany(ctx, "k"); !errors.Is(err, codec.ErrDecode) {
				t.Errorf("%q among many: %v", data, err)
			}
			returns(t, "a bad value that is a miss", 1)(lenient.Get(ctx, "k"))
			returns(t, "is loaded anew", 1)(strict.Get(ctx, "k"))
		}
		if stats.bad != len(bad) || stats.misses != len(bad) || stats.hits != 0 {
			t.Errorf("the counts are %+v", stats)
		}
		db.RPush(ctx, "f:{list}", "x")
		if _, err := strict.Get(ctx, "list"); !errors.Is(err, cache.ErrWrongType) {
			t.Errorf("Get of a list: %v", err)
		}
		if _, err := strict.GetMany(ctx, "list"); !errors.Is(err, cache.ErrWrongType) {
			t.Errorf("GetMany of a list: %v", err)
		}
		small := memoise(t, db, cache.FuncOptions[string, string]{Options: cache.Options{Prefix: "small:", MaxValue: 10},
			Load: func(_ context.Context, key string) (string, error) { return key, nil }})
		if _, err := small.Get(ctx, strings.Repeat("x", 100)); !errors.Is(err, cache.ErrTooLarge) {
			t.Errorf("100 bytes: %v", err)
		}
	})
}

func TestManyKeys(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		var calls [][]int
		goOn := make(chan struct{})
		close(goOn)
		began := make(chan struct{}, 10)
		o := cache.FuncOptions[int, int]{NotFoundTTL: time.Hour,
			TTLOf: func(key, value int) time.Duration { return time.Duration(key+1) * time.Minute },
			LoadMany: func(_ context.Context, keys []int) ([]cache.Found[int], error) {
				calls = append(calls, slices.Clone(keys))
				began <- struct{}{}
				<-goOn
				found := make([]cache.Found[int], len(keys))
				for i, key := range keys {
					if key >= 0 {
						found[i] = cache.Found[int]{Value: key * key, OK: true}
					}
				}
				return found, nil
			}}
		f := memoise(t, db, o)
		check := func(what string, wanted []int) {
			t.Helper()
			found, err := f.GetMany(ctx, wanted...)
			if err != nil || len(found) != len(wanted) {
				t.Fatalf("%s: %v and %v", what, found, err)
			}
			for i, key := range wanted {
				if want := (cache.Found[int]{Value: key * key, OK: true}); key >= 0 && found[i] != want || key < 0 && found[i] != (cache.Found[int]{}) {
					t.Errorf("%s: %d is %v", what, key, found[i])
				}
			}
		}
		check("none", nil)
		check("at first", []int{5, 3, -1, 3})
		check("more", []int{5, 4, 3, -1, -2, 6})
		if want := [][]int{{5, 3, -1}, {4, -2, 6}}; !slices.EqualFunc(calls, want, slices.Equal) {
			t.Errorf("the calls are %v", calls)
		}
		for key := 3; key <= 6; key++ {
			ttl, most := db.TTL(ctx, fmt.Sprintf("f:{%d}", key)).Val(), time.Duration(key+1)*time.Minute
			if ttl <= most-time.Minute || ttl > most {
				t.Errorf("%d stays %v", key, ttl)
			}
			nothingIsLoaded(t, db, fmt.Sprintf("f:{%d}", key))
		}
		returns(t, "Get of one", 49)(f.Get(ctx, 7))
		if _, err := f.Get(ctx, -1); !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("Get of none: %v", err)
		}
		for len(began) > 0 {
			<-began
		}

		calls, goOn = nil, make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() { check("who loads", []int{20, 21}) })
		<-began
		if _, err := f.Purge(ctx, 20); err != nil {
			t.Error(err)
		}
		elsewhere := memoise(t, db, o)
		if _, err := elsewhere.Purge(ctx, 21); err != nil {
			t.Error(err)
		}
		close(goOn)
		group.Wait()
		if want := [][]int{{20, 21}, {21}}; !slices.EqualFunc(calls, want, slices.Equal) || db.Exists(ctx, "f:{20}").Val() != 0 || db.Exists(ctx, "f:{21}").Val() != 1 {
			t.Errorf("after purges the calls are %v", calls)
		}

		failure := errors.New("no luck")
		failing := memoise(t, db, cache.FuncOptions[int, int]{Options: cache.Options{Prefix: "failing:"},
			Load:     func(_ context.Context, key int) (int, error) { return key, nil },
			LoadMany: func(context.Context, []int) ([]cache.Found[int], error) { return nil, failure }})
		returns(t, "one", 1)(failing.Get(ctx, 1))
		if found, err := failing.GetMany(ctx, 1, 2, 3); !errors.Is(err, failure) || strings.Count(err.Error(), "no luck") != 1 || !found[0].OK || found[1].OK {
			t.Errorf("a load of many that fails: %v and %v", found, err)
		}
	})
}

func TestAnEngineThatIsGone(t *testing.T) {
	server := testenv.Redis(t)
	db := kittest.Open(t, server.URL())
	ctx := t.Context()
	var loads atomic.Int32
	o := cache.FuncOptions[string, int32]{Load: func(context.Context, string) (int32, error) { return loads.Add(1), nil }}
	closed := memoise(t, db, o)
	o.FailOpen = true
	open := memoise(t, db, o)
	returns[int32](t, "at first", 1)(closed.Get(ctx, "k"))
	server.Kill()
	if got, err := closed.Get(ctx, "k"); err == nil || got != 0 || errors.Is(err, cache.ErrMiss) {
		t.Errorf("closed, without the engine: %d and %v", got, err)
	}
	if got, err := closed.GetMany(ctx, "k"); err == nil {
		t.Errorf("closed, many without the engine: %v and %v", got, err)
	}
	if _, err := open.Purge(ctx, "k"); err == nil {
		t.Error("a purge without the engine is no error")
	}
	if n := loads.Load(); n != 1 {
		t.Errorf("closed there were %d loads", n)
	}
	returns[int32](t, "open, without the engine", 2)(open.Get(ctx, "k"))
	if found, err := open.GetMany(ctx, "k", "l"); err != nil || !found[0].OK || !found[1].OK {
		t.Errorf("open, many without the engine: %v and %v", found, err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	returns[int32](t, "back, and empty", 5)(open.Get(ctx, "k"))
	returns[int32](t, "kept again", 5)(closed.Get(ctx, "k"))

	goes := memoise(t, db, cache.FuncOptions[string, int32]{Options: cache.Options{Prefix: "goes:"}, Load: func(context.Context, string) (int32, error) {
		server.Kill()
		return 1, nil
	}})
	if got, err := goes.Get(ctx, "k"); err == nil || got != 0 {
		t.Errorf("closed, the engine goes during the load: %d and %v", got, err)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		load := func(context.Context, string) (int, error) { return 0, nil }
		good := cache.FuncOptions[string, int]{Options: cache.Options{Prefix: "p"}, TTL: time.Hour, Load: load}
		if _, err := cache.NewFunc(db, good); err != nil {
			t.Errorf("good ones: %v", err)
		}
		for name, change := range map[string]func(*cache.FuncOptions[string, int]){
			"no prefix":        func(o *cache.FuncOptions[string, int]) { o.Prefix = "" },
			"empty tag":        func(o *cache.FuncOptions[string, int]) { o.Prefix = "a{}" },
			"no load":          func(o *cache.FuncOptions[string, int]) { o.Load = nil },
			"no TTL":           func(o *cache.FuncOptions[string, int]) { o.TTL = 0 },
			"TTL":              func(o *cache.FuncOptions[string, int]) { o.TTL = -1 },
			"stale":            func(o *cache.FuncOptions[string, int]) { o.Stale = -1 },
			"jitter":           func(o *cache.FuncOptions[string, int]) { o.Jitter = 1 },
			"jitter NaN":       func(o *cache.FuncOptions[string, int]) { o.Jitter = math.NaN() },
			"early":            func(o *cache.FuncOptions[string, int]) { o.Early = -1 },
			"retries":          func(o *cache.FuncOptions[string, int]) { o.RetryAfter = -1 },
			"refreshes":        func(o *cache.FuncOptions[string, int]) { o.Refreshes = -1 },
			"lease":            func(o *cache.FuncOptions[string, int]) { o.Lease = time.Millisecond },
			"sentinel":         func(o *cache.FuncOptions[string, int]) { o.Sentinels = map[string]error{"x": nil} },
			"sentinel of \"\"": func(o *cache.FuncOptions[string, int]) { o.Sentinels = map[string]error{"": cache.ErrMiss} },
		} {
			o := good
			change(&o)
			if _, err := cache.NewFunc(db, o); !errors.Is(err, cache.ErrOptions) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := cache.NewFunc[string, int](nil, good); !errors.Is(err, cache.ErrOptions) {
			t.Errorf("no client: %v", err)
		}
		if _, err := cache.NewFunc(db, cache.FuncOptions[chan int, int]{Options: cache.Options{Prefix: "p"}, TTL: time.Hour,
			Load: func(context.Context, chan int) (int, error) { return 0, nil }}); !errors.Is(err, cache.ErrOptions) {
			t.Errorf("channels as keys: %v", err)
		}
		dynamic := memoise(t, db, cache.FuncOptions[any, int]{Load: func(context.Context, any) (int, error) { return 1, nil }})
		if _, err := dynamic.Get(t.Context(), func() {}); !errors.Is(err, cache.ErrKey) {
			t.Errorf("a function as a key: %v", err)
		}
		returns(t, "a struct as a key", 1)(dynamic.Get(t.Context(), user{Name: "x"}))
	})
}

func TestAForeignKeyFailsAlone(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		for _, fleet := range []bool{false, true} {
			prefix := fmt.Sprint("{", fleet, "}")
			f := memoise(t, db, cache.FuncOptions[string, int]{Options: cache.Options{Prefix: prefix}, Fleet: fleet, Lease: time.Hour, // who is not told, waits
				Load: func(_ context.Context, key string) (int, error) { return len(key), nil }})
			db.RPush(ctx, prefix+"{list}", "x")
			found, err := f.GetMany(ctx, "a", "list", "aa")
			if want := []cache.Found[int]{{Value: 1, OK: true}, {}, {Value: 2, OK: true}}; !errors.Is(err, cache.ErrWrongType) || !slices.Equal(found, want) {
				t.Errorf("fleet %v: %v and %v", fleet, found, err)
			}
			nothingIsLoaded(t, db, prefix+"{a}")
			if n := db.LLen(ctx, prefix+"{list}").Val(); n != 1 {
				t.Errorf("the list has %d values", n)
			}
		}
	})
}

// What was published while there was no connection is lost; so it is no message that wakes who waits.
func TestAWaiterThatIsCutOffMissesNothing(t *testing.T) {
	server := testenv.Redis(t)
	db := kittest.Open(t, server.URL())
	ctx := t.Context()
	claims := make(claimed, 100)
	f := memoise(t, db, cache.FuncOptions[string, int]{Options: cache.Options{Stats: claims}, Fleet: true,
		Load: func(context.Context, string) (int, error) { return 1, nil }})
	db.Set(ctx, "f:{k}:load", "somebody", time.Hour)
	var group sync.WaitGroup
	group.Go(func() { returns(t, "who waited", 1)(f.Get(ctx, "k")) })
	for range 2 { // the second time, it listens
		<-claims
	}
	if _, err := db.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.ClientKillByFilter(ctx, "TYPE", "pubsub")
		pipe.Del(ctx, "f:{k}:load")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	group.Wait()
}

func TestAFuncOfAServerThatStandsStill(t *testing.T) {
	server := testenv.Redis(t)
	db := kittest.Open(t, server.URL())
	now := newClock()
	began, goOn := make(chan struct{}), make(chan struct{})
	f := memoise(t, db, cache.FuncOptions[string, int]{Now: now.now, Load: func(context.Context, string) (int, error) {
		close(began)
		<-goOn
		return 1, nil
	}})
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := f.Get(ctx, "k"); !errors.Is(err, context.Canceled) {
			t.Errorf("Get that began before: %v", err)
		}
	})
	<-began
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	short, cancelShort := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancelShort()
	_, getErr := f.Get(short, "k")
	_, manyErr := f.GetMany(short, "k", "l")
	_, purgeErr := f.Purge(short, "k")
	for _, err := range []error{getErr, manyErr, purgeErr} {
		if err == nil {
			t.Error("a server that stands still answers")
		}
	}
	cancel()
	group.Wait()
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatIsSetIsKeptAsIfItHadBeenLoaded(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		now := newClock()
		f := memoise(t, db, cache.FuncOptions[string, int]{StaleIfError: time.Minute, Jitter: 0.5, Rand: func() float64 { return 0.5 }, Now: now.now,
			Options: cache.Options{MaxValue: 5},
			TTLOf:   func(_ string, value int) time.Duration { return time.Duration(value) * time.Hour },
			Exclude: func(_ string, value int) bool { return value == 13 },
			Load:    func(context.Context, string) (int, error) { return 0, cache.ErrNotFound }})
		if err := f.Set(ctx, "k", 4); err != nil {
			t.Fatal(err)
		}
		if ttl := db.TTL(ctx, "f:{k}").Val(); ttl <= 3*time.Hour || ttl > 3*time.Hour+time.Minute {
			t.Errorf("it stays %v", ttl)
		}
		now.move(3*time.Hour - time.Millisecond)
		returns(t, "what was set", 4)(f.Get(ctx, "k"))
		now.move(time.Millisecond)
		if _, err := f.Get(ctx, "k"); !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("when it is not fresh any more: %v", err)
		}
		for _, c := range []struct {
			value int
			err   error
			there int64
		}{{5, nil, 1}, {0, cache.ErrTTL, 1}, {1 << 40, cache.ErrTooLarge, 1}, {13, nil, 0}} {
			if err := f.Set(ctx, "k", c.value); !errors.Is(err, c.err) {
				t.Errorf("Set of %d: %v", c.value, err)
			}
			if n := db.Exists(ctx, "f:{k}").Val(); n != c.there {
				t.Errorf("after Set of %d %d values are there", c.value, n)
			}
		}
	})
}

func TestKeysThatAreLoadedOneByOneDoNotWaitForEachOther(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		began, goOn := make(chan struct{}), make(chan struct{})
		failure := errors.New("no luck")
		loads := map[string]int{} // by one after another
		f := memoise(t, db, cache.FuncOptions[string, string]{Fleet: true, Load: func(_ context.Context, key string) (string, error) {
			loads[key]++
			switch key {
			case "slow":
				close(began)
				<-goOn
			case "panics":
				panic("oh no")
			case "ends":
				runtime.Goexit()
			case "fails":
				return "", failure
			}
			return key, nil
		}})
		keys := []string{"quick", "panics", "ends", "fails", "slow", "last"}
		var group sync.WaitGroup
		group.Go(func() {
			found, err := f.GetMany(ctx, keys...)
			if !errors.Is(err, failure) || !errors.Is(err, cache.ErrPanic) || len(found) != len(keys) {
				t.Errorf("%v and %v", found, err)
				return
			}
			for i, key := range keys {
				want := cache.Found[string]{Value: key, OK: true}
				if i >= 1 && i <= 3 {
					want = cache.Found[string]{}
				}
				if found[i] != want {
					t.Errorf("%s is %v", key, found[i])
				}
			}
		})
		<-began
		returns(t, "what is loaded", "quick")(f.Get(ctx, "quick")) // while another one is
		close(goOn)
		group.Wait()
		for _, key := range keys {
			if loads[key] != 1 {
				t.Errorf("%s was loaded %d times", key, loads[key])
			}
			nothingIsLoaded(t, db, "f:{"+key+"}")
		}
	})
}

func TestManyMoreKeys(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		loads := 0
		f := memoise(t, db, cache.FuncOptions[string, string]{Jitter: 0.4, Rand: func() float64 { return 0.5 }, Load: func(_ context.Context, key string) (string, error) {
			loads++
			return strings.Repeat(key, 10), nil
		}})
		keys := make([]string, 500)
		for i := range keys {
			keys[i] = fmt.Sprint("key ", i, "\xff")
		}
		for range 2 {
			found, err := f.GetMany(ctx, keys...)
			if err != nil || len(found) != len(keys) {
				t.Fatal(len(found), err)
			}
			for i, got := range found {
				if !got.OK || got.Value != strings.Repeat(keys[i], 10) {
					t.Errorf("%q is %v", keys[i], got)
				}
			}
		}
		if loads != len(keys) {
			t.Errorf("%d loads", loads)
		}
		if ttl := db.TTL(ctx, "f:{"+keys[0]+"}").Val(); ttl <= 47*time.Minute || ttl > 48*time.Minute {
			t.Errorf("an hour less a fifth is %v", ttl)
		}
	})
}
