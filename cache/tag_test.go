package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log"
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

func ExampleCache_SetTagged() {
	ctx := context.Background()
	pages, err := cache.Open[string](ctx, "memory://", cache.Options{Prefix: "pages:"})
	if err != nil {
		log.Fatal(err)
	}
	defer pages.Close()

	err = pages.SetTagged(ctx, "/ann", "Ann, 30", time.Hour, "user:ann", "design")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pages.Get(ctx, "/ann"))
	fmt.Println(pages.ExpireTags(ctx, "design"))
	fmt.Println(pages.Get(ctx, "/ann"))
	fmt.Println(pages.PurgeTags(ctx, "user:ann"))
	_, err = pages.Get(ctx, "/ann")
	fmt.Println(err)
	// Output:
	// Ann, 30 <nil>
	// <nil>
	// Ann, 30 cache: stale
	// <nil>
	// cache: miss
}

func ExampleCache_Begin() {
	ctx := context.Background()
	pages, err := cache.Open[string](ctx, "memory://", cache.Options{Prefix: "pages:"})
	if err != nil {
		log.Fatal(err)
	}
	defer pages.Close()

	load, err := pages.Begin(ctx, "user:ann")
	if err != nil {
		log.Fatal(err)
	}
	page := "Ann, 30" // takes a while, in which Ann has her birthday
	fmt.Println(pages.PurgeTags(ctx, "user:ann"))
	fmt.Println(load.Set(ctx, "/ann", page, time.Hour))
	// Output:
	// <nil>
	// cache: a tag has changed since the load began
}

// expect gets a value and compares.
func expect[T comparable](t *testing.T, c *cache.Cache[T], key string, want T, wantErr error) {
	t.Helper()
	if got, err := c.Get(t.Context(), key); got != want || !errors.Is(err, wantErr) {
		t.Errorf("Get %q: %v and %v, not %v and %v", key, got, err, want, wantErr)
	}
	found, err := c.GetMany(t.Context(), key, "nobody")
	if want := (cache.Found[T]{Value: want, OK: !errors.Is(wantErr, cache.ErrMiss), Stale: errors.Is(wantErr, cache.ErrStale)}); err != nil || found[0] != want || found[1].OK {
		t.Errorf("GetMany %q: %v and %v, not %v", key, found, err, want)
	}
}

func TestTagsArePurgedAndExpired(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[string](t, db, cache.Options{Prefix: "p:"})
		set := func(key string, tags ...string) {
			t.Helper()
			if err := c.SetTagged(ctx, key, key, time.Hour, tags...); err != nil {
				t.Fatal(err)
			}
		}
		set("ab", "a", "b", "a")
		set("bc", "b", "c")
		set("none")
		expect(t, c, "ab", "ab", nil)
		expect(t, c, "none", "none", nil)
		if err := c.ExpireTags(ctx, "b", "nothing has this"); err != nil {
			t.Error(err)
		}
		expect(t, c, "ab", "ab", cache.ErrStale)
		expect(t, c, "bc", "bc", cache.ErrStale)
		set("bc", "b", "c")
		expect(t, c, "bc", "bc", nil)
		if err := c.PurgeTags(ctx, "a", "nothing has this"); err != nil {
			t.Error(err)
		}
		expect(t, c, "ab", "", cache.ErrMiss)
		expect(t, c, "bc", "bc", nil)
		set("ab", "a", "b")
		expect(t, c, "ab", "ab", nil)
		if err := errors.Join(c.PurgeTags(ctx), c.ExpireTags(ctx)); err != nil {
			t.Errorf("no tags: %v", err)
		}
		if n := db.Exists(ctx, "p:\xc1t:nothing has this").Val(); n != 0 {
			t.Error("a tag that nothing has is kept")
		}
		if n, err := c.Clear(ctx); n < 3 || err != nil {
			t.Errorf("Clear: %d and %v", n, err)
		}
		expect(t, c, "ab", "", cache.ErrMiss)
	})
}

func TestManyTaggedValuesAreReadAtOnce(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[int](t, db, cache.Options{})
		keys := make([]string, 40)
		for i := range keys {
			keys[i] = fmt.Sprint("k", i)
			if err := c.SetTagged(ctx, keys[i], i, time.Hour, "all", fmt.Sprint("tag", i%4)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(c.Set(ctx, keys[4], 4, time.Hour), c.PurgeTags(ctx, "tag0"), c.ExpireTags(ctx, "tag1")); err != nil {
			t.Fatal(err)
		}
		found, err := c.GetMany(ctx, keys...)
		if err != nil || len(found) != len(keys) {
			t.Fatal(found, err)
		}
		for i, f := range found {
			want := cache.Found[int]{Value: i, OK: true, Stale: i%4 == 1}
			if i%4 == 0 && i != 4 {
				want = cache.Found[int]{}
			}
			if f != want {
				t.Errorf("%d: %v, not %v", i, f, want)
			}
		}
	})
}

func TestALoadThatIsOvertakenStoresNothing(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[string](t, db, cache.Options{Prefix: "p:"})
		for name, change := range map[string]func() error{
			"purge":  func() error { return c.PurgeTags(ctx, "b") },
			"expire": func() error { return c.ExpireTags(ctx, "b") },
			"loss":   func() error { return db.Del(ctx, "p:\xc1t:b").Err() },
			"foreign bytes": func() error {
				return db.Set(ctx, "p:\xc1t:b", "foreign", time.Hour).Err()
			},
		} {
			load, err := c.Begin(ctx, "a", "b")
			if err != nil {
				t.Fatal(err)
			}
			if err := load.Set(ctx, name, "old", time.Hour); err != nil {
				t.Errorf("%s: before: %v", name, err)
			}
			if err := change(); err != nil {
				t.Fatal(err)
			}
			newer, err := c.Begin(ctx, "a", "b")
			if err != nil {
				t.Fatal(err)
			}
			if err := newer.Set(ctx, name, "new", time.Hour); err != nil {
				t.Errorf("%s: the newer load: %v", name, err)
			}
			if err := load.Set(ctx, name, "old", time.Hour); !errors.Is(err, cache.ErrOutdated) {
				t.Errorf("%s: the overtaken load: %v", name, err)
			}
			expect(t, c, name, "new", nil)
		}
	})
}

// The tag changes between the check of a load and what it stores, between the value and its tags when it is read.
func TestATagChangesWhileItsValuesAreWrittenAndRead(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		hooked := interfering{UniversalClient: db}
		c, direct := open[string](t, &hooked, cache.Options{}), open[string](t, db, cache.Options{})
		change := func(err func(context.Context, ...string) error) func() {
			return func() {
				if err := err(ctx, "tag"); err != nil {
					t.Error(err)
				}
			}
		}
		hooked.beforeSet = change(direct.PurgeTags)
		if err := c.SetTagged(ctx, "k", "old", time.Hour, "tag"); err != nil {
			t.Error(err)
		}
		expect(t, direct, "k", "", cache.ErrMiss)
		hooked.beforeSet = change(direct.ExpireTags)
		if err := c.SetTagged(ctx, "k", "old", time.Hour, "tag"); err != nil {
			t.Error(err)
		}
		expect(t, direct, "k", "old", cache.ErrStale)
		hooked.beforeSet = nil
		for _, x := range []struct {
			change func(context.Context, ...string) error
			want   string
			err    error
		}{{direct.ExpireTags, "v", cache.ErrStale}, {direct.PurgeTags, "", cache.ErrMiss}} {
			if err := c.SetTagged(ctx, "k", "v", time.Hour, "tag"); err != nil {
				t.Error(err)
			}
			hooked.beforeMGet = change(x.change)
			if got, err := c.Get(ctx, "k"); got != x.want || !errors.Is(err, x.err) {
				t.Errorf("%q and %v, not %v", got, err, x.err)
			}
			hooked.beforeMGet = nil
		}
	})
}

// interfering is a client on which something happens first.
type interfering struct {
	redis.UniversalClient
	beforeSet, beforeMGet func()
}

func (i *interfering) Unwrap() redis.UniversalClient {
	return i.UniversalClient.(*redbud.DB).Unwrap()
}

func (i *interfering) Set(ctx context.Context, key string, value any, ttl time.Duration) *redis.StatusCmd {
	if i.beforeSet != nil {
		i.beforeSet()
	}
	return i.UniversalClient.Set(ctx, key, value, ttl)
}

func (i *interfering) MGet(ctx context.Context, keys ...string) *redis.SliceCmd {
	if i.beforeMGet != nil {
		i.beforeMGet()
	}
	return i.UniversalClient.MGet(ctx, keys...)
}

func TestALostTagIsAPurgedOne(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[string](t, db, cache.Options{Prefix: "p:"})
		const tag = "p:\xc1t:tag"
		for name, lose := range map[string]func() error{
			"deleted":   func() error { return db.Del(ctx, tag).Err() },
			"expired":   func() error { return db.PExpireAt(ctx, tag, time.Unix(1, 0)).Err() },
			"empty":     func() error { return db.Set(ctx, tag, "", time.Hour).Err() },
			"short":     func() error { return db.Set(ctx, tag, "15 bytes of text", time.Hour).Err() },
			"long":      func() error { return db.Append(ctx, tag, "x").Err() },
			"otherwise": func() error { return db.SetRange(ctx, tag, 3, "xyz").Err() },
			"a list": func() error {
				return errors.Join(db.Del(ctx, tag).Err(), db.RPush(ctx, tag, "x").Err())
			},
		} {
			if err := c.SetTagged(ctx, "k", "v", time.Hour, "tag"); err != nil {
				t.Fatal(name, err)
			}
			expect(t, c, "k", "v", nil)
			if err := lose(); err != nil {
				t.Fatal(name, err)
			}
			expect(t, c, "k", "", cache.ErrMiss)
			expired := c.ExpireTags(ctx, "tag")
			other := c.SetTagged(ctx, "other", "v", time.Hour, "tag")
			if name == "a list" {
				if !errors.Is(expired, cache.ErrWrongType) || !errors.Is(other, cache.ErrWrongType) {
					t.Errorf("%s: %v and %v", name, expired, other)
				}
			} else if err := errors.Join(expired, other); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			expect(t, c, "k", "", cache.ErrMiss) // though the tag is there again
			if err := c.PurgeTags(ctx, "tag"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestTagsStayAsLongAsTheirValues(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[string](t, db, cache.Options{})
		const month = 30 * 24 * time.Hour
		for _, ttl := range []time.Duration{time.Minute, cache.Forever, time.Millisecond, 365 * 24 * time.Hour, time.Hour} {
			if err := c.SetTagged(ctx, "k", "v", ttl, "tag"); err != nil {
				t.Fatal(err)
			}
			value, tag := db.PTTL(ctx, "k").Val(), db.PTTL(ctx, "\xc1t:tag").Val()
			if value > min(ttl, month) || tag <= value || tag > month+time.Hour || ttl > time.Minute && value <= 0 {
				t.Errorf("%v: the value stays %v, the tag %v", ttl, value, tag)
			}
		}
		if tag := db.PTTL(ctx, "\xc1t:tag").Val(); tag < month {
			t.Errorf("a later value with a shorter TTL has made it %v", tag)
		}
		load, err := c.Begin(ctx, "new")
		if err != nil {
			t.Fatal(err)
		}
		if tag := db.PTTL(ctx, "\xc1t:new").Val(); tag <= 0 || tag > time.Hour {
			t.Errorf("with the load, the tag stays %v", tag)
		}
		if err := load.Set(ctx, "k", "v", 2*time.Hour); err != nil {
			t.Error(err)
		}
		if tag := db.PTTL(ctx, "\xc1t:new").Val(); tag <= 2*time.Hour {
			t.Errorf("with the value, the tag stays %v", tag)
		}
		if err := c.ExpireTags(ctx, "new"); err != nil {
			t.Error(err)
		}
		if tag := db.PTTL(ctx, "\xc1t:new").Val(); tag <= 2*time.Hour {
			t.Errorf("expired, the tag stays %v", tag)
		}
	})
}

func TestNobodyGetsAPurgedValue(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[int64](t, db, cache.Options{})
		var source, purged atomic.Int64 // the newest value, and the oldest that a reader may get
		var purging sync.Mutex
		var group sync.WaitGroup
		for g := range 50 {
			group.Go(func() {
				for i := range 10 {
					key, oldest := fmt.Sprint("k", i%3), purged.Load()
					switch g % 5 {
					case 0: // what is older than this is purged
						purging.Lock()
						next := source.Add(1)
						if err := c.PurgeTags(ctx, "tag", fmt.Sprint("tag", i%3)); err != nil {
							t.Error(err)
						}
						purged.Store(next)
						purging.Unlock()
					case 1:
						load, err := c.Begin(ctx, "tag", fmt.Sprint("tag", i%3))
						if err == nil {
							err = load.Set(ctx, key, source.Load(), time.Hour)
						}
						if err != nil && !errors.Is(err, cache.ErrOutdated) {
							t.Error(err)
						}
					case 2:
						found, err := c.GetMany(ctx, "k0", "k1", "k2")
						if err != nil {
							t.Error(err)
						}
						for _, f := range found {
							if f.OK && f.Value < oldest {
								t.Errorf("GetMany has %d, though %d and before are purged", f.Value, oldest-1)
							}
						}
					default:
						value, err := c.Get(ctx, key)
						switch {
						case err == nil && value < oldest:
							t.Errorf("Get has %d, though %d and before are purged", value, oldest-1)
						case err != nil && !errors.Is(err, cache.ErrMiss):
							t.Error(err)
						}
					}
				}
			})
		}
		group.Wait()
		if err := c.SetTagged(ctx, "k0", -1, time.Hour, "tag"); err != nil {
			t.Fatal(err)
		}
		expect(t, c, "k0", -1, nil)
	})
}

func TestBadTagsAreNotSent(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[string](t, db, cache.Options{Prefix: "p:", MaxValue: 100})
		many := make([]string, 65)
		for i := range many {
			many[i] = fmt.Sprint(i)
		}
		for _, tags := range [][]string{{""}, {"a", ""}, {strings.Repeat("x", 1<<20)}, {strings.Repeat("x", 1025)}} {
			_, begin := c.Begin(ctx, tags...)
			for i, err := range []error{begin, c.SetTagged(ctx, "k", "v", time.Hour, tags...), c.PurgeTags(ctx, tags...), c.ExpireTags(ctx, tags...)} {
				if !errors.Is(err, cache.ErrTag) {
					t.Errorf("%d tags of %d bytes, call %d: %v", len(tags), len(tags[0]), i, err)
				}
			}
		}
		if err := c.SetTagged(ctx, "k", "v", time.Hour, many...); !errors.Is(err, cache.ErrTag) {
			t.Errorf("65 tags: %v", err)
		}
		load, err := c.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for err, want := range map[error]error{
			c.SetTagged(ctx, "", "v", time.Hour, "t"):                       cache.ErrKey,
			c.SetTagged(ctx, "\xc1t:t", "v", time.Hour, "t"):                cache.ErrKey,
			c.Set(ctx, "\xc1", "v", time.Hour):                              cache.ErrKey,
			c.SetTagged(ctx, "k", "v", 0, "t"):                              cache.ErrTTL,
			load.Set(ctx, "k", "v", -1):                                     cache.ErrTTL,
			c.SetTagged(ctx, "k", strings.Repeat("v", 200), time.Hour, "t"): cache.ErrTooLarge,
		} {
			if !errors.Is(err, want) {
				t.Errorf("%v, not %v", err, want)
			}
		}
		if n, err := c.Clear(ctx); n != 0 || err != nil {
			t.Errorf("%d keys were stored, %v", n, err)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		for _, err := range []error{c.SetTagged(ended, "k", "v", time.Hour, "t"), c.PurgeTags(ended, "t"), c.ExpireTags(ended, "t")} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("with a context that has ended: %v", err)
			}
		}
		for _, tag := range []string{"\x00", "a\x00b", "{", "{}", "{a}b", "}{", "*", "[?]", "..", "\xff", "\xc1t:", strings.Repeat("x", 1024)} {
			key := "of " + tag
			err := errors.Join(c.SetTagged(ctx, key, "v", time.Hour, tag, "other"), c.SetTagged(ctx, "k", "v", time.Hour, "other"))
			if err != nil {
				t.Errorf("%.20q: %v", tag, err)
			}
			expect(t, c, key, "v", nil)
			if err := c.PurgeTags(ctx, tag); err != nil {
				t.Errorf("%.20q: %v", tag, err)
			}
			expect(t, c, key, "", cache.ErrMiss)
			expect(t, c, "k", "v", nil)
		}
	})
}

func TestBytesThatBeginLikeAnEnvelope(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		raw := open[string](t, db, cache.Options{Codec: codec.Raw()})
		for _, value := range []string{"\xc1", "\xc1\x01", "\xc1\x01t", "\xc1\x01b", "\xc1\x01t\x00", "\xc1\x01b\xc1\x01b", "\xc2", ""} {
			if err := errors.Join(raw.Set(ctx, "k", value, time.Hour), raw.SetTagged(ctx, "t", value, time.Hour, "tag")); err != nil {
				t.Fatal(err)
			}
			expect(t, raw, "k", value, nil)
			expect(t, raw, "t", value, nil)
		}
		for _, foreign := range []string{"\xc1", "\xc1\x01", "\xc1\x02t\x00v", "\xc1\x01t", "\xc1\x01t\x01", "\xc1\x01t\xff\xff\xff\xff\x0f", "\xc1\x01t\x01\x01a", "\xc1\x01t\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "\xc1\x01t\x01\x01a123456789012345", "\xc1\x01?v"} {
			db.Set(ctx, "k", foreign, 0)
			if _, err := raw.Get(ctx, "k"); !errors.Is(err, codec.ErrDecode) {
				t.Errorf("Get of %q: %v", foreign, err)
			}
			if _, err := raw.GetMany(ctx, "k"); !errors.Is(err, codec.ErrDecode) {
				t.Errorf("GetMany of %q: %v", foreign, err)
			}
		}
	})
}

func TestTagsArePurgedInATransaction(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[string](t, db, cache.Options{Prefix: "{p}"})
		if err := c.SetTagged(ctx, "k", "v", time.Hour, "tag"); err != nil {
			t.Fatal(err)
		}
		var purged, refused cache.Pending[bool]
		_, err := db.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			c.In(pipe).Set(ctx, "other", "v", time.Hour)
			purged = c.In(pipe).PurgeTags(ctx, "tag")
			refused = c.In(pipe).PurgeTags(ctx, "")
			return nil
		})
		if ok, purgeErr := purged.Value(); !ok || errors.Join(err, purgeErr) != nil {
			t.Errorf("%v, %v, %v", ok, err, purgeErr)
		}
		if _, err := refused.Value(); !errors.Is(err, cache.ErrTag) {
			t.Errorf("an empty tag: %v", err)
		}
		expect(t, c, "k", "", cache.ErrMiss)
	})
}

func TestTaggedValuesJoinATransaction(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c := open[string](t, db, cache.Options{Prefix: "{p}"})
		if err := c.SetTagged(ctx, "old", "v", time.Hour, "old"); err != nil {
			t.Fatal(err)
		}
		before, err := c.Begin(ctx, "old")
		if err != nil {
			t.Fatal(err)
		}
		var loading cache.Pending[cache.Load[string]]
		var results []cache.Pending[bool]
		_, err = db.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			q := c.In(pipe)
			results = append(results,
				q.SetTagged(ctx, "overtaken", "v", time.Hour, "old"), // the next call changes its tag
				q.ExpireTags(ctx, "old", "nobody's"),
				q.SetTagged(ctx, "new", "v", time.Hour, "new", "newer"),
				q.SetLoaded(ctx, before, "loaded", "v", time.Hour), // likewise
			)
			loading = q.Begin(ctx, "new")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if ok, err := r.Value(); !ok || err != nil {
				t.Errorf("call %d: %v, %v", i, ok, err)
			}
		}
		for key, want := range map[string]error{"old": cache.ErrStale, "overtaken": cache.ErrStale, "loaded": cache.ErrStale, "new": nil} {
			expect(t, c, key, "v", want)
		}
		load, err := loading.Value()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.PurgeTags(ctx, "new"); err != nil {
			t.Fatal(err)
		}
		expect(t, c, "new", "", cache.ErrMiss)

		// What cannot be stored any more, or is no good, adds nothing.
		pipe := db.TxPipeline()
		q := c.In(pipe)
		for name, of := range map[string]struct {
			call cache.Pending[bool]
			want error
		}{
			"a load that was overtaken": {q.SetLoaded(ctx, load, "k", "v", time.Hour), cache.ErrOutdated},
			"no TTL":                    {q.SetTagged(ctx, "k", "v", 0, "tag"), cache.ErrTTL},
			"an empty tag to set":       {q.SetTagged(ctx, "k", "v", time.Hour, ""), cache.ErrTag},
			"an empty tag to expire":    {q.ExpireTags(ctx, ""), cache.ErrTag},
		} {
			if ok, err := of.call.Value(); ok || !errors.Is(err, of.want) {
				t.Errorf("%s: %v, %v", name, ok, err)
			}
		}
		if _, err := q.Begin(ctx, "").Value(); !errors.Is(err, cache.ErrTag) {
			t.Errorf("an empty tag to begin with: %v", err)
		}
		if n := pipe.Len(); n != 0 {
			t.Errorf("%d commands were added", n)
		}
	})
}

func TestAPausedServerFailsTagsUntilItIsBack(t *testing.T) {
	server := testenv.Redis(t)
	db := kittest.Open(t, server.URL())
	c := open[string](t, db, cache.Options{})
	ctx := t.Context()
	if err := c.SetTagged(ctx, "k", "v", time.Hour, "tag"); err != nil {
		t.Fatal(err)
	}
	load, err := c.Begin(ctx, "tag")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, getErr := c.Get(short, "k")
	for i, err := range []error{getErr, c.PurgeTags(short, "tag"), c.ExpireTags(short, "tag"), load.Set(short, "k", "w", time.Hour)} {
		if err == nil || errors.Is(err, cache.ErrMiss) {
			t.Errorf("paused, call %d: %v", i, err)
		}
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := c.PurgeTags(ctx, "tag"); err != nil {
		t.Error(err)
	}
	expect(t, c, "k", "", cache.ErrMiss)
	if err := load.Set(ctx, "k", "w", time.Hour); !errors.Is(err, cache.ErrOutdated) {
		t.Errorf("the load that had begun: %v", err)
	}
}
