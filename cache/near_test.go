package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

func ExampleCache_Near() {
	ctx := context.Background()
	users, err := Open[string](ctx, "memory://", Options{Prefix: "users:"})
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close()
	near, err := users.Near(ctx, NearOptions{MaxSilence: time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer near.Close()

	fmt.Println(near.Set(ctx, "ann", "Ann, 30", time.Hour))
	fmt.Println(near.Get(ctx, "ann")) // from the engine
	fmt.Println(near.Get(ctx, "ann")) // from this process
	fmt.Println(users.Set(ctx, "bob", "Bob, 40", time.Hour))
	found, err := near.GetMany(ctx, "ann", "bob", "eve")
	fmt.Println(found, err)
	// Output:
	// <nil>
	// Ann, 30 <nil>
	// Ann, 30 <nil>
	// <nil>
	// [{Ann, 30 true false} {Bob, 40 true false} { false false}] <nil>
}

// network is what clients of a database go through. It can fall silent, as if a cable were cut.
type network struct {
	mu     sync.Mutex // guards what follows
	feeds  []*cable
	silent bool
}

// cable is a connection.
type cable struct {
	net.Conn
	n    *network
	feed atomic.Bool
}

// Write implements net.Conn. A feed is known by what it asks for.
func (c *cable) Write(b []byte) (int, error) {
	if bytes.Contains(bytes.ToLower(b), []byte("tracking")) && !c.feed.Swap(true) {
		c.n.mu.Lock()
		c.n.feeds = append(c.n.feeds, c)
		c.n.mu.Unlock()
	}
	return c.Conn.Write(b)
}

// Read implements net.Conn. What comes by a silent feed is lost, and the next read with it.
func (c *cable) Read(b []byte) (int, error) {
	for {
		count, err := c.Conn.Read(b)
		c.n.mu.Lock()
		silent := c.n.silent && c.feed.Load()
		c.n.mu.Unlock()
		if err != nil || !silent {
			return count, err
		}
	}
}

func (n *network) fallSilent(silent bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent = silent
}

// cut closes all feeds.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.feeds {
		_ = c.Close()
	}
	n.feeds = nil
}

// through is a client of a database that goes through the network.
func (n *network) through(t *testing.T, db *redbud.DB) redis.UniversalClient {
	t.Helper()
	wire := func(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &cable{Conn: conn, n: n}, nil
		}
	}
	var client redis.UniversalClient
	switch c := db.Unwrap().(type) {
	case *redis.ClusterClient:
		o := *c.Options()
		o.Dialer = wire((&net.Dialer{}).DialContext)
		client = redis.NewClusterClient(&o)
	case *redis.Client:
		o := *c.Options()
		o.Dialer = wire(o.Dialer)
		client = redis.NewClient(&o)
	default:
		t.Fatalf("a %T", c)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// hands is a clock whose time goes on, and is set forward.
type hands struct {
	began time.Time
	ahead atomic.Int64
}

func (h *hands) now() int64 { return int64(time.Since(h.began)) + h.ahead.Load() }

// nearOn opens a cache and a near one. Nothing is known of its feed yet.
func nearOn[T any](t *testing.T, client redis.UniversalClient, o Options, near NearOptions) (*Cache[T], *Near[T], *hands) {
	t.Helper()
	c, err := New[T](client, o)
	if err != nil {
		t.Fatal(err)
	}
	h := &hands{began: time.Now()}
	n, err := c.near(t.Context(), near, h.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, n, h
}

// await waits until something is so.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen: " + what)
		}
	}
}

// serving waits until values are served from the process.
func (n *Near[T]) serving(t *testing.T) {
	t.Helper()
	await(t, "a feed", func() bool { return n.Stats().Feed })
}

// settled gets a value from the process, once it is kept there.
func settled(t *testing.T, n *Near[string], key, want string) {
	t.Helper()
	await(t, "a hit with "+want, func() bool {
		before := n.Stats().Hits
		got, err := n.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return n.Stats().Hits > before && got == want
	})
}

func TestNearHitsComeFromTheProcess(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c, n, _ := nearOn[string](t, db, Options{Prefix: "p:"}, NearOptions{})
		n.serving(t)
		if _, err := n.Get(ctx, "k"); !errors.Is(err, ErrMiss) {
			t.Errorf("a value that is not there: %v", err)
		}
		set := func(key, value string) {
			t.Helper()
			if err := c.Set(ctx, key, value, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		set("k", "1")
		settled(t, n, "k", "1")
		set("k", "2") // by the cache behind
		settled(t, n, "k", "2")
		if err := db.Do(ctx, "SETRANGE", "p:k", 1, "3").Err(); err != nil { // MessagePack: a text of one byte
			t.Fatal(err)
		}
		settled(t, n, "k", "3")
		set("l", "1")
		settled(t, n, "l", "1")
		for range 2 {
			found, err := n.GetMany(ctx, "l", "nobody", "k", "m")
			if err != nil || len(found) != 4 || found[0].Value != "1" || found[1].OK || found[2].Value != "3" || found[3].OK {
				t.Errorf("GetMany: %v and %v", found, err)
			}
		}
		set("m", "1")
		await(t, "GetMany keeps", func() bool {
			before := n.Stats().Misses
			found, err := n.GetMany(ctx, "l", "k", "m")
			if err != nil || !found[0].OK || !found[1].OK || found[2].Value != "1" {
				t.Fatal(found, err)
			}
			return n.Stats().Misses == before
		})
		if err := n.Set(ctx, "k", "4", time.Hour); err != nil {
			t.Error(err)
		}
		if got, err := n.Get(ctx, "k"); got != "4" || err != nil {
			t.Errorf("after Set: %q and %v", got, err)
		}
		settled(t, n, "k", "4")
		existed, err := n.Delete(ctx, "k")
		if _, getErr := n.Get(ctx, "k"); !existed || err != nil || !errors.Is(getErr, ErrMiss) {
			t.Errorf("after Delete: %v, %v, %v", existed, err, getErr)
		}
		if _, err := c.Clear(ctx); err != nil {
			t.Error(err)
		}
		gone := func() bool {
			_, err := n.Get(ctx, "l")
			return errors.Is(err, ErrMiss)
		}
		await(t, "Clear is heard", gone)
		set("l", "1")
		settled(t, n, "l", "1")
		flush := func(ctx context.Context, node *redis.Client) error { return node.FlushAll(ctx).Err() }
		if cluster, ok := behind(c.client).(*redis.ClusterClient); ok {
			err = cluster.ForEachMaster(ctx, flush)
		} else {
			err = db.FlushAll(ctx).Err()
		}
		if err != nil {
			t.Error(err)
		}
		await(t, "FLUSHALL is heard", gone)
	})
}

func TestNothingIsServedOnceTheFeedIsSilent(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		var wires network
		_, n, clock := nearOn[string](t, wires.through(t, db), Options{Prefix: "p:"}, NearOptions{MaxSilence: 10 * time.Second})
		writer, err := New[string](db, Options{Prefix: "p:"})
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Set(ctx, "k", "old", time.Hour); err != nil {
			t.Fatal(err)
		}
		n.serving(t)
		settled(t, n, "k", "old")
		wires.fallSilent(true)
		if err := writer.Set(ctx, "k", "new", time.Hour); err != nil {
			t.Fatal(err)
		}
		clock.ahead.Add(int64(10 * time.Second)) // and what was on the way when it fell silent
		for range 100 {
			if got, err := n.Get(ctx, "k"); got != "new" || err != nil {
				t.Fatalf("after the promised time: %q and %v", got, err)
			}
		}
		wires.fallSilent(false)
		wires.cut()
		settled(t, n, "k", "new")
		if err := writer.Set(ctx, "k", "newer", time.Hour); err != nil {
			t.Fatal(err)
		}
		settled(t, n, "k", "newer")
	})
}

func TestWhatChangesWhileTheFeedIsCutIsNotServed(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		var wires network
		_, n, _ := nearOn[string](t, wires.through(t, db), Options{Prefix: "p:"}, NearOptions{MaxAge: time.Hour})
		writer, err := New[string](db, Options{Prefix: "p:"})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			value := fmt.Sprint(i)
			if err := writer.Set(ctx, "k", value, time.Hour); err != nil {
				t.Fatal(err)
			}
			settled(t, n, "k", value)
			wires.cut()
		}
		settled(t, n, "k", "2")
	})
}

func TestValuesAreKeptForTheirTimeOnly(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c, n, clock := nearOn[string](t, db, Options{Prefix: "p:"}, NearOptions{MaxAge: time.Hour, MaxSilence: 200 * time.Millisecond})
		n.serving(t)
		for key, ttl := range map[string]time.Duration{"minute": time.Minute, "day": 24 * time.Hour, "ever": Forever} {
			if err := c.Set(ctx, key, key, ttl); err != nil {
				t.Fatal(err)
			}
		}
		ask := func(key string, hit uint64) {
			t.Helper()
			await(t, fmt.Sprint(key, " is a hit: ", hit), func() bool { // a feed that is silent for a moment makes it no hit
				n.serving(t)
				before := n.Stats()
				got, err := n.Get(ctx, key)
				if got != key || err != nil {
					t.Fatal(got, err)
				}
				after := n.Stats()
				if hit == 0 && after.Hits > before.Hits {
					t.Fatalf("%s is still served", key)
				}
				return after.Hits-before.Hits == hit
			})
		}
		for _, key := range []string{"minute", "day", "ever"} {
			settled(t, n, key, key)
		}
		clock.ahead.Add(int64(2 * time.Minute))
		ask("minute", 0)
		ask("day", 1)
		ask("ever", 1)
		clock.ahead.Add(int64(time.Hour))
		ask("day", 0)
		ask("ever", 0)
	})
}

// slow is a client on which something happens between the reply to a pipeline and its end.
type slow struct {
	redis.UniversalClient
	after func()
}

func (s *slow) Unwrap() redis.UniversalClient {
	return s.UniversalClient.(*redbud.DB).Unwrap()
}

func (s *slow) Pipeline() redis.Pipeliner {
	return slowPipeline{s.UniversalClient.Pipeline(), s}
}

type slowPipeline struct {
	redis.Pipeliner
	s *slow
}

func (p slowPipeline) Exec(ctx context.Context) ([]redis.Cmder, error) {
	cmds, err := p.Pipeliner.Exec(ctx)
	if after := p.s.after; after != nil {
		p.s.after = nil
		after()
	}
	return cmds, err
}

func TestWhatChangesWhileItIsLoadedIsNotKept(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		client := &slow{UniversalClient: db}
		_, n, _ := nearOn[string](t, client, Options{Prefix: "p:"}, NearOptions{})
		writer, err := New[string](db, Options{Prefix: "p:"})
		if err != nil {
			t.Fatal(err)
		}
		set := func(value string) {
			if err := writer.Set(ctx, "k", value, time.Hour); err != nil {
				t.Error(err)
			}
		}
		for name, get := range map[string]func() (string, error){
			"Get": func() (string, error) { return n.Get(ctx, "k") },
			"GetMany": func() (string, error) {
				found, err := n.GetMany(ctx, "k")
				if err != nil {
					return "", err
				}
				return found[0].Value, nil
			},
		} {
			set("old")
			settled(t, n, "k", "old")
			n.Forget("k")
			n.serving(t)
			client.after = func() {
				before := n.Stats().Invalidated
				set("new")
				await(t, "the write is heard", func() bool { return n.Stats().Invalidated > before })
			}
			if got, err := get(); got != "old" || err != nil {
				t.Errorf("%s: %q and %v, not what was there when it was asked", name, got, err)
			}
			if got, err := get(); got != "new" || err != nil {
				t.Errorf("%s again: %q and %v", name, got, err)
			}
		}
	})
}

func TestOwnWritesAreSeenAtOnce(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		_, n, _ := nearOn[int64](t, db, Options{Prefix: "p:"}, NearOptions{Entries: 3})
		n.serving(t)
		var written [5]struct {
			sync.Mutex
			newest atomic.Int64
		}
		var group sync.WaitGroup
		for g := range 50 {
			group.Go(func() {
				for i := range 20 {
					w, key := &written[i%5], fmt.Sprint(i%5)
					if g%5 == 0 {
						w.Lock()
						next := w.newest.Load() + 1
						if err := n.Set(ctx, key, next, time.Hour); err != nil {
							t.Error(err)
						}
						w.newest.Store(next)
						w.Unlock()
						continue
					}
					before := w.newest.Load()
					got, err := n.Get(ctx, key)
					if g%5 == 1 {
						var found []Found[int64]
						if found, err = n.GetMany(ctx, key); err == nil {
							got = found[0].Value
						}
					}
					if err != nil && !errors.Is(err, ErrMiss) {
						t.Error(err)
					}
					if got < before {
						t.Errorf("%q is %d, though %d was written before", key, got, before)
					}
				}
			})
		}
		group.Wait()
		if s := n.Stats(); s.Entries > 3 {
			t.Errorf("%+v", s)
		}
	})
}

func TestNearIsBounded(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		values := map[string]string{}
		for i := range 200 {
			values[fmt.Sprint(i)] = strings.Repeat("x", i*6)
		}
		for _, most := range []NearOptions{{Entries: 20}, {Bytes: 16 * 1000}} {
			c, n, _ := nearOn[string](t, db, Options{Prefix: "p:"}, most)
			n.serving(t)
			if err := c.SetMany(ctx, values, time.Hour); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				for key, want := range values {
					if got, err := n.Get(ctx, key); got != want || err != nil {
						t.Fatal(key, len(got), err)
					}
					if s := n.Stats(); s.Entries > or(most.Entries, 200) || s.Bytes > or(most.Bytes, 1<<20) {
						t.Fatalf("%+v: %+v", most, s)
					}
				}
			}
			if s := n.Stats(); s.Evicted == 0 || s.Entries == 0 || s.Bytes == 0 {
				t.Errorf("%+v: %+v", most, s)
			}
			long := strings.Repeat("k", 500)
			if err := c.Set(ctx, long, "", time.Hour); err != nil {
				t.Fatal(err)
			}
			for what, get := range map[string]func() error{
				"Get":     func() error { _, err := n.Get(ctx, long); return err },
				"GetMany": func() error { _, err := n.GetMany(ctx, long); return err },
			} {
				await(t, what+" of a long key counts its bytes", func() bool { // once the changes from before have been told
					n.flush()
					if err := get(); err != nil {
						t.Fatal(what, err)
					}
					return n.Stats().Bytes >= len(long)
				})
			}
			n.flush()
			if s := n.Stats(); s.Entries != 0 || s.Bytes != 0 {
				t.Errorf("%+v: %+v", most, s)
			}
		}
	})
}

func TestWhatIsNotKeptNear(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		c, n, _ := nearOn[string](t, db, Options{Prefix: "p:"}, NearOptions{})
		n.serving(t)
		if err := c.SetTagged(ctx, "k", "v", time.Hour, "tag"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if got, err := n.Get(ctx, "k"); got != "v" || err != nil {
				t.Errorf("%q and %v", got, err)
			}
			if found, err := n.GetMany(ctx, "k"); err != nil || found[0].Value != "v" {
				t.Errorf("%v and %v", found, err)
			}
		}
		if err := c.PurgeTags(ctx, "tag"); err != nil {
			t.Error(err)
		}
		if got, err := n.Get(ctx, "k"); !errors.Is(err, ErrMiss) {
			t.Errorf("purged: %q and %v", got, err)
		}
		db.RPush(ctx, "p:list", "x")
		if _, err := n.Get(ctx, "list"); !errors.Is(err, ErrWrongType) {
			t.Errorf("a list: %v", err)
		}
		if found, err := n.GetMany(ctx, "list"); err != nil || found[0].OK {
			t.Errorf("a list among many: %v and %v", found, err)
		}
		if _, err := n.Get(ctx, ""); !errors.Is(err, ErrKey) {
			t.Errorf("an empty key: %v", err)
		}
		if _, err := n.GetMany(ctx, "a", ""); !errors.Is(err, ErrKey) {
			t.Errorf("an empty key among many: %v", err)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := n.Get(ended, "k"); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
		if _, err := n.GetMany(ended, "k"); !errors.Is(err, context.Canceled) {
			t.Errorf("many, with a context that has ended: %v", err)
		}
		if _, err := c.Near(ended, NearOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Near with a context that has ended: %v", err)
		}
		await(t, "no place is taken", func() bool { return n.Stats().Entries == 0 })
		for _, bad := range []NearOptions{{Entries: -1}, {Bytes: -1}, {MaxAge: -1}, {MaxSilence: -1}, {MaxSilence: time.Millisecond}} {
			if _, err := c.Near(ctx, bad); !errors.Is(err, ErrOptions) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if err := n.Set(ctx, "k", "after", time.Hour); err != nil {
			t.Error(err)
		}
		if got, err := n.Get(ctx, "k"); got != "after" || err != nil || n.Stats().Feed || n.Stats().Entries != 0 {
			t.Errorf("closed: %q, %v, %+v", got, err, n.Stats())
		}
	})
}

func TestNearWithoutAFeed(t *testing.T) {
	gone := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer gone.Close()
	c, err := New[string](struct{ redis.UniversalClient }{gone}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Near(t.Context(), NearOptions{}); !errors.Is(err, ErrOptions) {
		t.Errorf("on a client of another type: %v", err)
	}
	if c, err = New[string](gone, Options{}); err != nil {
		t.Fatal(err)
	}
	var failure *net.OpError
	if _, err := c.Near(t.Context(), NearOptions{}); !errors.As(err, &failure) {
		t.Errorf("with nobody there: %v", err)
	}
	dummy, err := Open[string](t.Context(), "dummy://", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer dummy.Close()
	n, err := dummy.Near(t.Context(), NearOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Set(t.Context(), "k", "v", time.Hour); err != nil {
		t.Error(err)
	}
	if _, err := n.Get(t.Context(), "k"); !errors.Is(err, ErrMiss) {
		t.Errorf("a dummy: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func TestAPausedServerIsNotServedFor(t *testing.T) {
	server := testenv.Redis(t)
	db := kittest.Open(t, server.URL())
	c, n, clock := nearOn[string](t, db, Options{}, NearOptions{MaxSilence: 10 * time.Second})
	ctx := t.Context()
	if err := c.Set(ctx, "k", "v", time.Hour); err != nil {
		t.Fatal(err)
	}
	settled(t, n, "k", "v")
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	clock.ahead.Add(int64(10 * time.Second))
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if got, err := n.Get(short, "k"); err == nil {
		t.Errorf("paused, after the promised time: %q", got)
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	settled(t, n, "k", "v")
}

func TestNearHitsAllocateNothing(t *testing.T) {
	n := near1(t)
	if allocs := testing.AllocsPerRun(1000, func() {
		if _, err := n.Get(context.Background(), "k"); err != nil {
			t.Error(err)
		}
	}); allocs != 0 {
		t.Errorf("%v", allocs)
	}
}

// near1 is a near cache that has a value.
func near1(t testing.TB) *Near[string] {
	c, err := Open[string](context.Background(), "memory://", Options{Prefix: "p:"})
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.Near(context.Background(), NearOptions{})
	t.Cleanup(func() {
		if err := errors.Join(n.Close(), c.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(err, n.Set(context.Background(), "k", "v", time.Hour)); err != nil {
		t.Fatal(err)
	}
	for n.Stats().Hits == 0 {
		if _, err := n.Get(context.Background(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func BenchmarkNearHit(b *testing.B) {
	n := near1(b)
	for b.Loop() {
		if _, err := n.Get(context.Background(), "k"); err != nil {
			b.Fatal(err)
		}
	}
}
