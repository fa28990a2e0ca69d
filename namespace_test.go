package redbud

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/testenv"
)

// spaces are engines to have namespaces on, some of them in a database that is not the first.
var spaces = map[string]func(t *testing.T) *DB{
	"memory": func(t *testing.T) *DB {
		db, err := New(Options{DB: 3})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	},
	"shared memory": func(t *testing.T) *DB { return openTest(t, "memory://spaces") },
	"redis":         func(t *testing.T) *DB { return openTest(t, testenv.Redis(t, "--databases", "32").URL()+"/20") },
	"cluster":       func(t *testing.T) *DB { return openTest(t, testenv.Cluster(t).URL()) },
}

func TestANamespaceIsAClientOfItsOwnKeysOnEveryEngine(t *testing.T) {
	for name, open := range spaces {
		t.Run(name, func(t *testing.T) {
			db, ctx := open(t), t.Context()
			for _, key := range []string{"app", "ap:k", "other"} {
				if err := db.Set(ctx, key, "other", 0).Err(); err != nil {
					t.Fatal(err)
				}
			}
			app := db.Namespace("app:{x}:")
			defer app.Close()
			if err := app.MSet(ctx, "k", 1, "l", 2).Err(); err != nil {
				t.Fatal(err)
			}
			if got := db.Get(ctx, "app:{x}:k").Val(); got != "1" {
				t.Errorf("app:{x}:k is %q", got)
			}
			keys := app.Keys(ctx, "*").Val()
			slices.Sort(keys)
			if !slices.Equal(keys, []string{"k", "l"}) {
				t.Errorf("KEYS * is %q", keys)
			}
			scanned := map[string]bool{}
			for it := app.Scan(ctx, 0, "", 0).Iterator(); it.Next(ctx); {
				scanned[it.Val()] = true
			}
			if len(scanned) != 2 || !scanned["k"] {
				t.Errorf("SCAN gives %v", scanned)
			}
			if n := app.DBSize(ctx).Val(); n != 2 {
				t.Errorf("DBSIZE is %d", n)
			}
			if key := app.RandomKey(ctx).Val(); key != "k" && key != "l" {
				t.Errorf("RANDOMKEY is %q", key)
			}
			err := app.Watch(ctx, func(tx *redis.Tx) error {
				_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
					p.Incr(ctx, "k")
					return p.RPush(ctx, "list", "e").Err()
				})
				return err
			}, "k")
			if err != nil || app.Get(ctx, "k").Val() != "2" {
				t.Errorf("after a transaction k is %q, %v", app.Get(ctx, "k").Val(), err)
			}
			if got, err := app.BLPop(ctx, time.Second, "list").Result(); err != nil || !slices.Equal(got, []string{"list", "e"}) {
				t.Errorf("BLPOP is %q, %v", got, err)
			}
			if err := app.Do(ctx, "SWAPDB", 0, 1).Err(); err == nil {
				t.Error("SWAPDB is not refused")
			}
			for _, flush := range []func(context.Context) *redis.StatusCmd{app.FlushDB, app.FlushAll, app.FlushDBAsync} {
				if err := app.MSet(ctx, "k", 1, "l", 2).Err(); err != nil {
					t.Fatal(err)
				}
				if err := flush(ctx).Err(); err != nil {
					t.Fatal(err)
				}
				if n := app.DBSize(ctx).Val(); n != 0 {
					t.Errorf("%d keys are left", n)
				}
			}
			if n := db.DBSize(ctx).Val(); n != 3 {
				t.Errorf("of others %d keys are left, want 3", n)
			}
		})
	}
}

func TestANamespaceHearsItsOwnChannelsOnEveryEngine(t *testing.T) {
	for name, open := range spaces {
		t.Run(name, func(t *testing.T) {
			db, ctx := open(t), t.Context()
			app := db.Namespace("app:")
			defer app.Close()
			sub := app.Subscribe(ctx, "news")
			defer sub.Close()
			if err := sub.PSubscribe(ctx, "ne*"); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := sub.Receive(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if got := app.PubSubNumSub(ctx, "news").Val()["news"]; got != 1 && name != "cluster" { // whose nodes count their own
				t.Errorf("%d listen to news", got)
			}
			for _, c := range []redis.UniversalClient{db, db.Namespace("other:"), app} {
				if err := c.Publish(ctx, "news", "hello").Err(); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for range 2 {
				m, err := sub.ReceiveMessage(ctx)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, m.Pattern+" "+m.Channel+" "+m.Payload)
			}
			slices.Sort(got)
			if want := []string{" news hello", "ne* news hello"}; !slices.Equal(got, want) {
				t.Errorf("heard %q, want %q", got, want)
			}
			if m, err := sub.ReceiveTimeout(ctx, 10*time.Millisecond); err == nil {
				t.Errorf("heard %v too", m)
			}
		})
	}
}

func TestNamespacesInANamespaceHaveBothPrefixes(t *testing.T) {
	db, ctx := openTest(t, "memory://"), t.Context()
	outer := db.Namespace("a:")
	inner := outer.Namespace("b:")
	inner.Set(ctx, "k", "v", 0)
	if got := outer.Get(ctx, "b:k").Val() + db.Get(ctx, "a:b:k").Val(); got != "vv" {
		t.Errorf("got %q", got)
	}
	if err := outer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := outer.Get(ctx, "b:k").Err(); !errors.Is(err, redis.ErrClosed) {
		t.Errorf("after Close the outer one answers %v", err)
	}
	if err := inner.Get(ctx, "k").Err(); err != nil {
		t.Errorf("after Close of the outer one the inner one answers %v", err)
	}
	if err := inner.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Get(ctx, "a:b:k").Err(); err != nil {
		t.Errorf("after Close of the namespaces the database answers %v", err)
	}
}

func TestANamespaceEndsWithItsDatabase(t *testing.T) {
	for name, open := range map[string]string{"memory": "memory://", "redis": testenv.SharedRedis(t).URL()} {
		t.Run(name, func(t *testing.T) {
			db, err := Open(t.Context(), open)
			if err != nil {
				t.Fatal(err)
			}
			app := db.Namespace("app:")
			if err := app.Ping(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if err := app.Get(t.Context(), "k").Err(); !errors.Is(err, redis.ErrClosed) {
				t.Errorf("it answers %v", err)
			}
			if err := app.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestANamespaceIsServed(t *testing.T) {
	db := openTest(t, "memory://")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- db.Namespace("app:").Serve(ctx, l) }()
	c := redis.NewClient(&redis.Options{Addr: l.Addr().String()})
	if err := c.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Error(err)
	}
	if got := db.Get(ctx, "app:k").Val(); got != "v" {
		t.Errorf("app:k is %q", got)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Without tags of its own a prefix leaves those of the keys as they are.
func TestAPrefixWithoutATagKeepsTheTagsOfKeys(t *testing.T) {
	db, ctx := openTest(t, testenv.Cluster(t).URL()), t.Context()
	app := db.Namespace("app:")
	defer app.Close()
	if err := app.MSet(ctx, "{user}:a", 1, "{user}:b", 2).Err(); err != nil {
		t.Errorf("keys with one tag: %v", err)
	}
	if err := app.MSet(ctx, "a", 1, "b", 2).Err(); err == nil {
		t.Error("keys without tags are in one slot")
	}
	if err := app.FlushDB(ctx).Err(); err != nil {
		t.Error(err)
	}
}
