package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/internal/kittest"
)

// Nobody who asks after a purge gets what was loaded before, while several processes load, purge and ask.
func TestNobodyGetsWhatWasPurged(t *testing.T) {
	nobodyGetsWhatWasPurged(t, nil, func(ctx context.Context, f *cache.Func[string, int64]) error {
		_, err := f.Purge(ctx, "k")
		return err
	})
}

// Nor does who asks after the purge, or the expiry, of a tag.
func TestNobodyGetsWhatHadATagThatWasPurged(t *testing.T) {
	n := 0
	nobodyGetsWhatWasPurged(t, tagsOf(true), func(ctx context.Context, f *cache.Func[string, int64]) error {
		if n++; n%2 == 0 {
			return f.ExpireTags(ctx, "k")
		}
		return f.PurgeTags(ctx, "all", "none")
	})
}

// tagsOf are the Tags of a Func whose keys have some, or none.
func tagsOf(tagged bool) func(string) []string {
	if !tagged {
		return nil
	}
	return func(key string) []string { return []string{"all", key} }
}

func nobodyGetsWhatWasPurged(t *testing.T, tags func(string) []string, purge func(context.Context, *cache.Func[string, int64]) error) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		for _, fleet := range []bool{false, true} {
			prefix := map[bool]string{false: "alone:", true: "fleet:"}[fleet]
			var source, purged atomic.Int64
			var fs []*cache.Func[string, int64]
			for range 3 {
				fs = append(fs, memoise(t, db, cache.FuncOptions[string, int64]{Options: cache.Options{Prefix: prefix}, Tags: tags, Fleet: fleet, Lease: 30 * time.Millisecond,
					Load: func(context.Context, string) (int64, error) {
						value := source.Load()
						for range 10 {
							runtime.Gosched()
						}
						return value, nil
					}}))
			}
			var writing, reading sync.WaitGroup
			var done atomic.Bool
			for i := range 6 {
				f := fs[i%3]
				reading.Go(func() {
					for !done.Load() {
						least := purged.Load()
						if i%2 == 0 {
							if got, err := f.Get(t.Context(), "k"); got < least || err != nil {
								t.Errorf("fleet %v: Get is %d and %v after the purge of %d", fleet, got, err, least)
								return
							}
						} else if found, err := f.GetMany(t.Context(), "{l}", "k", "m"); err != nil || found[1].Value < least {
							t.Errorf("fleet %v: GetMany is %v and %v after the purge of %d", fleet, found, err, least)
							return
						}
					}
				})
			}
			var mu sync.Mutex
			for i := range 2 {
				writing.Go(func() {
					for range 15 {
						mu.Lock()
						value := source.Add(1)
						if err := purge(t.Context(), fs[i]); err != nil {
							t.Error(err)
						} else {
							purged.Store(value)
						}
						mu.Unlock()
						runtime.Gosched()
					}
				})
			}
			writing.Wait()
			done.Store(true)
			reading.Wait()
			returns(t, "at last", source.Load())(fs[2].Get(t.Context(), "k"))
		}
	})
}

// kept is what the model knows of a key.
type kept struct {
	value int
	err   error
	fresh time.Time

	purged, expired bool // by a tag
}

func TestAFuncDoesAsItsModelSays(t *testing.T) {
	db := kittest.Open(t, "memory://")
	failure := errors.New("no luck")
	rapid.Check(t, func(rt *rapid.T) {
		db.FlushAll(t.Context())
		now := newClock()
		source, loads, failing := 0, 0, error(nil)
		const ttl, stale, ifError, errorTTL, notFoundTTL = 10 * time.Second, 5 * time.Second, 20 * time.Second, 3 * time.Second, 4 * time.Second
		const retryAfter = 6 * time.Second
		f := memoise(t, db, cache.FuncOptions[string, int]{TTL: ttl, Stale: stale, StaleIfError: ifError, ErrorTTL: errorTTL, NotFoundTTL: notFoundTTL, RetryAfter: retryAfter,
			Exclude: func(_ string, value int) bool { return value%7 == 0 }, Tags: tagsOf(true), Now: now.now,
			Load: func(context.Context, string) (int, error) {
				loads++
				return source, failing
			}})
		model := map[string]*kept{}
		failed := map[string]time.Time{} // when a load has failed behind a value
		loaded := 0
		load := func(key string, spare bool) (int, error) { // what a load brings, and leaves
			loaded++
			if failing == nil || errors.Is(failing, cache.ErrNotFound) {
				delete(failed, key)
			} else if spare {
				failed[key] = now.now()
			}
			switch {
			case failing == nil && source%7 == 0:
				delete(model, key)
			case failing == nil:
				model[key] = &kept{value: source, fresh: now.now().Add(ttl)}
			case errors.Is(failing, cache.ErrNotFound):
				model[key] = &kept{err: failing, fresh: now.now().Add(notFoundTTL)}
			case !spare:
				model[key] = &kept{err: failing, fresh: now.now().Add(errorTTL)}
			}
			if failing != nil {
				return 0, failing
			}
			return source, nil
		}
		want := func(key string) (int, error) {
			k := model[key]
			if k == nil || k.purged {
				return load(key, false)
			}
			over := now.now().Sub(k.fresh)
			if k.expired {
				over = max(over, 0)
			}
			last, resting := failed[key]
			resting = resting && now.now().Sub(last) < retryAfter
			switch {
			case over < 0:
				return k.value, k.err
			case k.err == nil && over < ifError && resting:
				return k.value, nil
			case k.err == nil && over < stale:
				value := k.value
				_, _ = load(key, true)
				return value, nil
			case k.err == nil && over < ifError:
				value, err := load(key, true)
				if err != nil && !errors.Is(err, cache.ErrNotFound) {
					return k.value, nil
				}
				return value, err
			}
			return load(key, false)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"get": func(rt *rapid.T) {
				key := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "key")
				value, err := want(key)
				got, gotErr := f.Get(t.Context(), key)
				cache.AwaitLanded(f)
				same := err == nil && gotErr == nil || err != nil && gotErr != nil && gotErr.Error() == err.Error() && errors.Is(gotErr, cache.ErrNotFound) == errors.Is(err, cache.ErrNotFound)
				if got != value || !same || loads != loaded {
					rt.Fatalf("%s is %d and %v after %d loads; the model says %d and %v after %d", key, got, gotErr, loads, value, err, loaded)
				}
			},
			"purge": func(rt *rapid.T) {
				key := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "key")
				existed, err := f.Purge(t.Context(), key)
				if existed != (model[key] != nil) || err != nil {
					rt.Fatalf("purge of %s: %v and %v", key, existed, err)
				}
				delete(model, key)
			},
			"tag": func(rt *rapid.T) {
				tag, soft := rapid.SampledFrom([]string{"all", "a", "b"}).Draw(rt, "tag"), rapid.Bool().Draw(rt, "soft")
				end := f.PurgeTags
				if soft {
					end = f.ExpireTags
				}
				if err := end(t.Context(), tag); err != nil {
					rt.Fatal(err)
				}
				for key, k := range model {
					if tag == "all" || tag == key {
						k.purged, k.expired = k.purged || !soft, k.expired || soft
					}
				}
			},
			"wait": func(rt *rapid.T) {
				now.move(time.Duration(rapid.IntRange(0, 12000).Draw(rt, "ms")) * time.Millisecond)
			},
			"source": func(rt *rapid.T) { source++ },
			"luck": func(rt *rapid.T) {
				failing = rapid.SampledFrom([]error{nil, nil, failure, cache.ErrNotFound}).Draw(rt, "failing")
			},
		})
	})
}

// pausing are Stats that stop after one call of some methods until they are told to go on.
type pausing map[string]*pause

type pause struct {
	calls      atomic.Int32
	at         int32 // which call; 0: the first
	came, goOn chan struct{}
}

func newPausing(methods ...string) pausing {
	p := pausing{}
	for _, m := range methods {
		p[m] = &pause{came: make(chan struct{}), goOn: make(chan struct{})}
	}
	return p
}

func (pausing) Read(int, int, int) {}

func (p pausing) Called(method string, _ time.Duration, _ error) {
	if stop := p[method]; stop != nil && stop.calls.Add(1) == stop.at+1 {
		close(stop.came)
		<-stop.goOn
	}
}

// Who joins a flight when the engine has just said what it lands with does not get that: it may have been purged in between, by another process.
func TestWhoAsksAfterAPurgeGetsNothingThatJustLands(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		for _, fleet := range []bool{false, true} {
			for _, c := range []struct {
				landing string // after which call it lands
				at      int32
				found   bool // with what another has loaded
				tags    bool // of which one is purged
			}{
				{landing: "func settle"},
				{landing: "func claim", found: true},
				{landing: "func settle", tags: true},
				{landing: "func tags", at: 1, tags: true}, // before it is stored
				{landing: "func tags", found: true, tags: true},
			} {
				ctx := t.Context()
				what := fmt.Sprint(fleet, c)
				var source, loads atomic.Int64
				source.Store(1)
				stops := newPausing("func get", c.landing)
				stops[c.landing].at = c.at
				o := cache.FuncOptions[string, int64]{Options: cache.Options{Prefix: what}, Fleet: fleet, Tags: tagsOf(c.tags), Load: func(context.Context, string) (int64, error) {
					loads.Add(1)
					return source.Load(), nil
				}}
				other := memoise(t, db, o)
				o.Stats = stops
				f := memoise(t, db, o)
				var group sync.WaitGroup
				group.Go(func() { returns[int64](t, what+": who asked before", 1)(f.Get(ctx, "k")) })
				<-stops["func get"].came
				if c.found { // since
					returns[int64](t, "another process", 1)(other.Get(ctx, "k"))
				}
				close(stops["func get"].goOn)
				<-stops[c.landing].came
				source.Store(2)
				if !c.tags {
					returns(t, "purge", true)(other.Purge(ctx, "k"))
				} else if err := other.PurgeTags(ctx, "k"); err != nil {
					t.Error(err)
				}
				for range 3 {
					group.Go(func() { returns[int64](t, what+": who asks after the purge", 2)(f.Get(ctx, "k")) })
				}
				leaving, leave := context.WithCancel(ctx)
				group.Go(func() {
					if _, err := f.Get(leaving, "k"); !errors.Is(err, context.Canceled) {
						t.Errorf("who leaves: %v", err)
					}
				})
				cache.AwaitWaiting(f, 5)
				leave()
				cache.AwaitLeft(f, 4)
				close(stops[c.landing].goOn)
				group.Wait()
				if n := loads.Load(); n != 2 {
					t.Errorf("%s: %d loads", what, n)
				}
				if c.tags { // what was loaded for those who came late has them, too
					source.Store(3)
					if err := other.PurgeTags(ctx, "k"); err != nil {
						t.Error(err)
					}
					returns[int64](t, what+": after another purge", 3)(f.Get(ctx, "k"))
				}
			}
		}
	})
}

// A second purge, in the process that loads, does not hide from it that somebody has asked after the first.
func TestWhoAsksBetweenTwoPurgesGetsNothingOlder(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		for i := range 4 {
			fleet, tagged := i%2 == 1, i >= 2
			ctx := t.Context()
			var source, loads atomic.Int64
			source.Store(1)
			began, goOn := make(chan struct{}), make(chan struct{})
			o := cache.FuncOptions[string, int64]{Options: cache.Options{Prefix: fmt.Sprint(fleet, tagged)}, Fleet: fleet, Tags: tagsOf(tagged), Load: func(context.Context, string) (int64, error) {
				value := source.Load()
				if loads.Add(1) == 1 {
					close(began)
					<-goOn
				}
				return value, nil
			}}
			f, other := memoise(t, db, o), memoise(t, db, o)
			var group sync.WaitGroup
			group.Go(func() {
				if got, err := f.Get(ctx, "k"); got != 1 && got != 2 || err != nil {
					t.Errorf("who asked before has %d and %v", got, err)
				}
			})
			<-began
			source.Store(2)
			if !tagged {
				returns(t, "purge by another process", false)(other.Purge(ctx, "k"))
			} else if err := other.PurgeTags(ctx, "k"); err != nil {
				t.Error(err)
			}
			group.Go(func() { returns[int64](t, "who asks between", 2)(f.Get(ctx, "k")) })
			cache.AwaitWaiting(f, 2)
			returns(t, "purge", false)(f.Purge(ctx, "k"))
			close(goOn)
			group.Wait()
			if n := loads.Load(); n != 2 {
				t.Errorf("%d loads", n)
			}
		}
	})
}
