package redbud

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/redbud-go/redbud/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.Wrap(m)) }

// use does what a program would, on any engine.
func use(t *testing.T, db *DB) {
	t.Helper()
	ctx := t.Context()
	if err := db.Set(ctx, "greeting", "hello", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if v, err := db.Get(ctx, "greeting").Result(); v != "hello" || err != nil {
		t.Errorf("GET: %q, %v", v, err)
	}
	_, err := db.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, "{user}:1", "name", "Ada", "age", 36)
		p.HIncrBy(ctx, "{user}:1", "age", 1)
		return nil
	})
	if err != nil {
		t.Errorf("transaction: %v", err)
	}
	if h := db.HGetAll(ctx, "{user}:1").Val(); !reflect.DeepEqual(h, map[string]string{"name": "Ada", "age": "37"}) {
		t.Errorf("HGETALL: %v", h)
	}
	if err := db.Get(ctx, "none").Err(); err != redis.Nil {
		t.Errorf("a missing key: %v", err)
	}
	if n, err := db.Del(ctx, "greeting").Result(); n != 1 || err != nil {
		t.Errorf("DEL: %d, %v", n, err)
	}
	db.Del(ctx, "{user}:1")
}

func TestTheSameProgramRunsOnEveryEngine(t *testing.T) {
	for name, url := range map[string]func(*testing.T) string{
		"memory":       func(*testing.T) string { return "memory://" },
		"named memory": func(*testing.T) string { return "memory://same" },
		"redis":        func(t *testing.T) string { return testenv.SharedRedis(t).URL() },
		"socket":       func(t *testing.T) string { return testenv.SharedRedis(t).SocketURL() },
		"cluster":      func(t *testing.T) string { return testenv.Cluster(t).URL() },
		"sentinel":     func(t *testing.T) string { return testenv.Sentinel(t).URL() },
	} {
		t.Run(name, func(t *testing.T) { use(t, openTest(t, url(t))) })
	}
}

func TestOptionsOpenWhatURLsDo(t *testing.T) {
	srv := testenv.Redis(t, "--requirepass", "secret")
	host, port, err := net.SplitHostPort(srv.Addr)
	if err != nil {
		t.Fatal(err)
	}
	p, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"nothing":        {},
		"memory":         {Engine: "memory", DB: 3},
		"host and port":  {Engine: "redis", Hosts: []string{host}, Port: p, Password: "secret", DB: 2},
		"one host":       {Engine: "valkey", Hosts: []string{srv.Addr}, Password: "secret"},
		"socket":         {Engine: "keydb", Socket: srv.Socket, Password: "secret", PoolSize: 3},
		"auto pipelines": {Engine: "redis", Hosts: []string{srv.Addr}, Password: "secret", AutoPipeline: true},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			use(t, db)
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for want, o := range map[string]Options{
		"unknown engine":         {Engine: "abacus"},
		"several Hosts":          {Engine: "redis", Hosts: []string{"a", "b"}},
		"Cluster and Sentinel":   {Engine: "redis", Cluster: true, Sentinel: "m"},
		"database 0 alone":       {Engine: "redis", Cluster: true, DB: 1},
		"a Socket is one server": {Engine: "redis", Socket: "/s", Hosts: []string{"a"}},
		"WRONGPASS":              {Engine: "redis", Hosts: []string{srv.Addr}, Password: "hunter2"},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

func TestOptionsArriveAtGoRedis(t *testing.T) {
	u, err := Options{
		Hosts: []string{"a", "b:7", "[::1]"}, Sentinel: "m", Username: "u", Password: "p", SentinelPassword: "q", DB: 4,
		TLS: &tls.Config{ServerName: "s"}, Timeouts: Timeouts{Dial: 1, Read: 2, Write: 3, Pool: 4}, Retries: 5, IdleTime: 6, PoolSize: 7,
	}.universal()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a:26379", "b:7", "[::1]:26379"}; !slices.Equal(u.Addrs, want) {
		t.Errorf("addresses %v, want %v", u.Addrs, want)
	}
	if u.MasterName != "m" || u.Username != "u" || u.Password != "p" || u.SentinelPassword != "q" || u.DB != 4 || u.TLSConfig.ServerName != "s" ||
		u.DialTimeout != 1 || u.ReadTimeout != 2 || u.WriteTimeout != 3 || u.PoolTimeout != 4 || u.MaxRetries != 5 || u.ConnMaxIdleTime != 6 || u.PoolSize != 7 {
		t.Errorf("got %+v", u)
	}
}

func TestBadURLsListWhatIsKnown(t *testing.T) {
	for url, want := range map[string]string{
		"abacus://u:hunter2@h":                           "known are keydb, keydb+cluster",
		"redis://u:hunter2@h?pool=1":                     `unknown parameter "pool"; known are autopipeline`,
		"memory://name?size=1":                           `unknown parameter "size"`,
		"u:hunter2@h":                                    "open …@h: unknown scheme",
		"redis://u:hunter2@127.0.0.1:1?dialer_retries=1": "connection refused",
	} {
		if _, err := Open(t.Context(), url); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

func TestMemoryIsPrivateUnlessNamed(t *testing.T) {
	ctx := t.Context()
	a, b := openTest(t, "memory://"), openTest(t, "memory://")
	a.Set(ctx, "k", 1, 0)
	if n := b.Exists(ctx, "k").Val(); n != 0 {
		t.Error("two private databases share a key")
	}
	c, d := openTest(t, "memory://shared"), openTest(t, "memory://shared")
	c.Set(ctx, "k", 1, 0)
	if n := d.Exists(ctx, "k").Val(); n != 1 {
		t.Error("two handles of one name do not share a key")
	}
}

func TestClosedDBSaysSo(t *testing.T) {
	ctx := t.Context()
	for name, url := range map[string]string{"private": "memory://", "named": "memory://closing", "redis": testenv.SharedRedis(t).URL()} {
		other := openTest(t, "memory://closing") // which keeps the keyspace open
		db, err := Open(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		db.Set(ctx, "k", 1, 0)
		if err := db.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := db.Get(ctx, "k").Err(); !errors.Is(err, redis.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
		_, err = db.Pipelined(ctx, func(p redis.Pipeliner) error { return p.Get(ctx, "k").Err() })
		if !errors.Is(err, redis.ErrClosed) {
			t.Errorf("%s, in a pipeline: %v", name, err)
		}
		if err := other.Ping(ctx).Err(); err != nil {
			t.Errorf("%s: the other handle: %v", name, err)
		}
	}
}

func TestServedDatabaseIsTheSame(t *testing.T) {
	for name, url := range map[string]string{"memory": "memory://", "redis": testenv.SharedRedis(t).URL()} {
		t.Run(name, func(t *testing.T) {
			db := openTest(t, url)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- db.Serve(ctx, l) }()
			c := redis.NewClient(&redis.Options{Addr: l.Addr().String()})
			defer c.Close()
			if err := c.Set(ctx, "served", "v", 0).Err(); err != nil {
				t.Error(err)
			}
			if v := db.Get(ctx, "served").Val(); v != "v" {
				t.Errorf("the database has %q", v)
			}
			for _, meddle := range []bool{true, false} {
				err := c.Watch(ctx, func(tx *redis.Tx) error {
					if meddle {
						db.Append(ctx, "served", "w")
					}
					_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
						p.Select(ctx, 1)
						p.Set(ctx, "elsewhere", 1, 0)
						return nil
					})
					return err
				}, "served")
				if meddle != errors.Is(err, redis.TxFailedErr) || !meddle && err != nil {
					t.Errorf("transaction, key changed %v: %v", meddle, err)
				}
			}
			if n := db.Exists(ctx, "elsewhere").Val(); n != 0 {
				t.Error("the transaction wrote into the wrong database")
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Serve: %v", err)
			}
			if err := c.Get(t.Context(), "served").Err(); err == nil {
				t.Error("it still answers")
			}
		})
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = openTest(t, "memory://").ListenAndServe(t.Context(), l.Addr().String())
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("got %v", err)
	}
}
