package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/hashslot"
	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.Wrap(m)) }

// open opens a URL for the length of a test.
func open(t *testing.T, url string) *Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e.(*Engine)
}

// batch makes calls of lines of words.
func batch(lines ...string) *engine.Batch {
	b := &engine.Batch{Wait: true}
	for _, l := range lines {
		b.Calls = append(b.Calls, words(strings.Fields(l)...))
	}
	return b
}

// do runs a batch and returns the raw replies.
func do(t *testing.T, e engine.Engine, proto int, b *engine.Batch) string {
	t.Helper()
	w := resp.Writer{Proto: proto}
	if err := e.Do(t.Context(), b, &w); err != nil {
		t.Fatalf("Do: %v", err)
	}
	return string(w.Buf)
}

// expect runs a batch in RESP2 and compares.
func expect(t *testing.T, e engine.Engine, b *engine.Batch, want string) {
	t.Helper()
	if got := do(t, e, 2, b); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// conn is a session that remembers its database.
type conn struct{ db int }

func (c *conn) DB() int { return c.db }
func (c *conn) Served() {}

func (c *conn) Scripted(engine.Call, bool) {}

func (c *conn) Refuses(engine.Call, bool) string { return "" }

func (c *conn) Run(call engine.Call, w *resp.Writer) {
	if strings.EqualFold(string(call[0]), "select") {
		_, _ = fmt.Sscan(string(call[1]), &c.db)
	}
	w.Status("SESSION")
}

func TestRepliesPassUnchangedInBothProtocols(t *testing.T) {
	e := open(t, testenv.SharedRedis(t).URL())
	do(t, e, 2, batch("FLUSHALL"))
	b := batch("SET k v", "GET k", "GET none", "HSET h a 1", "HGETALL h", "ZADD z 1.5 m", "ZSCORE z m", "LPUSH k x", "NOSUCH", "GET")
	refusals := "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n" +
		"-ERR unknown command 'NOSUCH', with args beginning with: \r\n" +
		"-ERR wrong number of arguments for 'get' command\r\n"
	expect(t, e, b, "+OK\r\n$1\r\nv\r\n$-1\r\n:1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n:1\r\n$3\r\n1.5\r\n"+refusals)
	do(t, e, 2, batch("DEL h z"))
	if got, want := do(t, e, 3, b), "+OK\r\n$1\r\nv\r\n_\r\n:1\r\n%1\r\n$1\r\na\r\n$1\r\n1\r\n:1\r\n,1.5\r\n"+refusals; got != want {
		t.Errorf("RESP3: got %q, want %q", got, want)
	}
}

func TestBatchRunsInItsDatabase(t *testing.T) {
	e := open(t, testenv.SharedRedis(t).URL())
	do(t, e, 2, batch("FLUSHALL", "SET k zero"))
	b := batch("SET k five", "GET k")
	b.DB = 5
	expect(t, e, b, "+OK\r\n$4\r\nfive\r\n")
	expect(t, e, batch("GET k"), "$4\r\nzero\r\n")
	b.DB = 99
	if err := e.Do(t.Context(), b, &resp.Writer{}); err == nil || !strings.Contains(err.Error(), "DB index is out of range") {
		t.Errorf("database 99: %v", err)
	}
}

func TestLargeValuesComeBackWhole(t *testing.T) {
	e := open(t, testenv.SharedRedis(t).URL())
	big := strings.Repeat("0123456789abcdef", 200_000)
	b := batch("SET big "+big, "GET big", "GET none")
	expect(t, e, b, fmt.Sprintf("+OK\r\n$%d\r\n%s\r\n$-1\r\n", len(big), big))
}

func TestTransactionRunsAsOne(t *testing.T) {
	e := open(t, testenv.SharedRedis(t).URL())
	do(t, e, 2, batch("FLUSHALL"))
	b := batch("SET k 1", "LPUSH k x", "INCR k", "HGETALL none")
	b.Atomic = true
	expect(t, e, b, "+OK\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n:2\r\n*0\r\n")
	b = batch("HGETALL none")
	b.Atomic = true
	if got := do(t, e, 3, b); got != "%0\r\n" {
		t.Errorf("RESP3: %q", got)
	}
	b = batch("INCR k", "NOSUCH x")
	b.Atomic = true
	expect(t, e, b, "-EXECABORT Transaction discarded because of previous errors.\r\n"+
		"-ERR unknown command 'NOSUCH', with args beginning with: 'x' \r\n")
	b.Session = &conn{}
	w := resp.Writer{}
	err := e.Do(t.Context(), b, &w)
	if !errors.Is(err, engine.ErrAborted) || !strings.Contains(err.Error(), "unknown command 'NOSUCH'") || w.Len() > 0 {
		t.Errorf("a call that can't be queued: %v, %q", err, w.Buf)
	}
	expect(t, e, batch("GET k"), "$1\r\n2\r\n")
}

func TestQueueAsksWithoutRunning(t *testing.T) {
	e := open(t, testenv.SharedRedis(t).URL())
	do(t, e, 2, batch("DEL pf"))
	for line, want := range map[string]string{
		"PFADD pf a":  "",
		"PFADD":       "ERR wrong number of arguments for 'pfadd' command",
		"NOSUCH x":    "ERR unknown command 'NOSUCH', with args beginning with: 'x' ",
		"SUBSCRIBE x": "ERR Command not allowed inside a transaction",
		"DISCARD":     "ERR Command not allowed inside a transaction",
	} {
		if got, err := e.Queue(t.Context(), 0, batch(line).Calls[0]); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", line, got, err, want)
		}
	}
	expect(t, e, batch("EXISTS pf"), ":0\r\n")
}

func TestSessionAnswersItsCallsInPlace(t *testing.T) {
	e := open(t, testenv.SharedRedis(t).URL())
	do(t, e, 2, batch("FLUSHALL"))
	s := &conn{}
	b := batch("SET k v", "CLIENT ID", "SELECT 3", "SET k three", "SELECT 999", "GET k")
	b.Atomic, b.Session = true, s
	expect(t, e, b, "+OK\r\n+SESSION\r\n+SESSION\r\n+OK\r\n-ERR DB index is out of range\r\n$5\r\nthree\r\n")
	if s.db != 3 {
		t.Errorf("the session is in database %d", s.db)
	}
	// The connection is back in its own database.
	expect(t, e, batch("GET k"), "$1\r\nv\r\n")

	b = batch("SELECT 3", "GET k", "CLIENT ID")
	b.Session = &conn{}
	expect(t, e, b, "+SESSION\r\n$5\r\nthree\r\n+SESSION\r\n")
	expect(t, e, batch("SUBSCRIBE x", "GET k"), "-ERR 'subscribe' needs a connection\r\n$1\r\nv\r\n")
}

func TestGuardHoldsUntilAKeyChanges(t *testing.T) {
	e := open(t, testenv.SharedRedis(t).URL())
	for _, proto := range []int{2, 3} {
		do(t, e, 2, batch("FLUSHALL", "SET k 1"))
		guarded := func(meanwhile ...string) (string, error) {
			g, err := e.Watch(t.Context(), 0, [][]byte{[]byte("k"), []byte("other")})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Release()
			if len(meanwhile) > 0 {
				do(t, e, 2, batch(meanwhile...))
			}
			b := batch("INCR k", "HGETALL none")
			b.Atomic, b.Guard = true, g
			w := resp.Writer{Proto: proto}
			err = e.Do(t.Context(), b, &w)
			return string(w.Buf), err
		}
		want := map[int]string{2: ":2\r\n*0\r\n", 3: ":2\r\n%0\r\n"}[proto]
		if got, err := guarded(); got != want || err != nil {
			t.Errorf("unchanged: %q, %v", got, err)
		}
		if got, err := guarded("SET k 5"); !errors.Is(err, engine.ErrChanged) || got != "" {
			t.Errorf("changed: %q, %v", got, err)
		}
		expect(t, e, batch("GET k"), "$1\r\n5\r\n")
	}
}

func TestGuardOfOneDatabaseServesABatchInAnother(t *testing.T) {
	e := open(t, testenv.SharedRedis(t).URL())
	do(t, e, 2, batch("FLUSHALL"))
	g, err := e.Watch(t.Context(), 0, [][]byte{[]byte("k")})
	if err != nil {
		t.Fatal(err)
	}
	b := batch("SET k four")
	b.DB, b.Atomic, b.Guard = 4, true, g
	expect(t, e, b, "+OK\r\n")
	g.Release()
	expect(t, e, batch("GET k"), "$-1\r\n")
}

func TestReleasedGuardsLeaveNoConnections(t *testing.T) {
	srv := testenv.Redis(t)
	e := open(t, srv.URL())
	for range 50 {
		g, err := e.Watch(t.Context(), 0, [][]byte{[]byte("k")})
		if err != nil {
			t.Fatal(err)
		}
		g.Release()
		g.Release()
	}
	list := do(t, e, 2, batch("SET k v"))
	clients, err := e.Client().ClientList(t.Context()).Result()
	if err != nil || list != "+OK\r\n" {
		t.Fatal(err, list)
	}
	if n := strings.Count(clients, "\n"); n > 3 {
		t.Errorf("%d connections are open:\n%s", n, clients)
	}
}

func TestCancelledBatchReturnsWhileTheServerIsSilent(t *testing.T) {
	srv := testenv.Redis(t)
	e := open(t, srv.URL()+"?read_timeout=60s")
	do(t, e, 2, batch("SET k v"))
	if err := srv.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	w := resp.Writer{Buf: []byte("before")}
	go func() { failed <- e.Do(ctx, batch("GET k"), &w) }()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) || string(w.Buf) != "before" {
		t.Errorf("%v, %q", err, w.Buf)
	}
	if err := srv.Resume(); err != nil {
		t.Fatal(err)
	}
	expect(t, e, batch("GET k"), "$1\r\nv\r\n")
}

func TestInterruptedBlockingCallTakesNoElement(t *testing.T) {
	srv := testenv.Redis(t)
	e := open(t, srv.URL())
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() { failed <- e.Do(ctx, batch("BLPOP list 0"), &resp.Writer{}) }()
	waitFor(t, e, "blocked_clients:1")
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	waitFor(t, e, "blocked_clients:0")
	expect(t, e, batch("RPUSH list a", "LLEN list", "BLPOP list 0", "LLEN list"), ":1\r\n:1\r\n*2\r\n$4\r\nlist\r\n$1\r\na\r\n:0\r\n")

	go func() { failed <- e.Do(context.Background(), batch("BLPOP list 0"), &resp.Writer{}) }()
	waitFor(t, e, "blocked_clients:1")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, engine.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// waitFor asks INFO until it says something.
func waitFor(t *testing.T, e engine.Engine, what string) {
	t.Helper()
	for !strings.Contains(do(t, e, 2, batch("INFO clients")), what+"\r\n") {
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
	}
}

func TestLostConnectionIsTypedAndTheNextCallWorks(t *testing.T) {
	srv := testenv.Redis(t)
	e := open(t, srv.URL())
	do(t, e, 2, batch("SET k v"))
	srv.Kill()
	err := e.Do(t.Context(), batch("SET k w"), &resp.Writer{})
	if !errors.As(err, new(*LostError)) {
		t.Errorf("while it is down: %v", err)
	}
	if err := srv.Restart(); err != nil {
		t.Fatal(err)
	}
	expect(t, e, batch("GET k"), "$-1\r\n")
}

// flaky is a server that hangs up on every INCR and on the first GET of each connection.
func flaky(t *testing.T, incrs, gets *atomic.Int32) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	serve := func(c net.Conn) {
		defer c.Close()
		r := resp.Reader{}
		for {
			if _, err := r.Fill(c); err != nil {
				return
			}
			for call, ok, _ := r.Next(); ok; call, ok, _ = r.Next() {
				reply := "+OK\r\n"
				switch strings.ToUpper(string(call[0])) {
				case "HELLO":
					reply = "-ERR unknown command\r\n"
				case "GET":
					if gets.Add(1) == 1 {
						return
					}
					reply = "$1\r\nv\r\n"
				case "INCR":
					incrs.Add(1)
					return
				}
				if _, err := c.Write([]byte(reply)); err != nil {
					return
				}
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return "redis://" + l.Addr().String()
}

func TestOnlyReadsAreSentAgain(t *testing.T) {
	var incrs, gets atomic.Int32
	e := open(t, flaky(t, &incrs, &gets))
	expect(t, e, batch("GET k"), "$1\r\nv\r\n")
	if n := gets.Load(); n != 2 {
		t.Errorf("GET was sent %d times", n)
	}
	if err := e.Do(t.Context(), batch("INCR k"), &resp.Writer{}); !errors.As(err, new(*LostError)) {
		t.Errorf("INCR: %v", err)
	}
	if err := e.Client().Incr(t.Context(), "k").Err(); err == nil {
		t.Error("INCR by the client succeeded")
	}
	if n := incrs.Load(); n != 2 {
		t.Errorf("INCR was sent %d times for two", n)
	}
}

func TestOpenFailsAtOnceAndHidesThePassword(t *testing.T) {
	srv := testenv.Redis(t, "--requirepass", "right")
	open(t, srv.URL())
	for _, url := range []string{
		strings.Replace(srv.URL(), "right", "hunter2", 1),
		"redis://:hunter2@127.0.0.1:1?dialer_retries=1",
		"redis://:hunter2@127.0.0.1:1?pool=1",
	} {
		e, err := engine.Open(t.Context(), url)
		if err == nil {
			t.Errorf("%s opened", url)
			_ = e.Close()
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in %q", err)
		}
	}
}

func TestClosedEngineSaysSo(t *testing.T) {
	e := open(t, testenv.SharedRedis(t).URL())
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Fatal(err)
	}
	if err := e.Do(t.Context(), batch("PING"), &resp.Writer{}); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Do: %v", err)
	}
	if _, err := e.Watch(t.Context(), 0, [][]byte{[]byte("k")}); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Watch: %v", err)
	}
}

func TestSocketAndClient(t *testing.T) {
	e := open(t, testenv.SharedRedis(t).SocketURL()+"?db=3&client_name=socket")
	name, err := e.Client().ClientGetName(t.Context()).Result()
	if err != nil || name != "socket" {
		t.Errorf("the client's name is %q, %v", name, err)
	}
	b := batch("SET k v")
	b.DB = 3
	expect(t, e, b, "+OK\r\n")
	if v, err := e.Client().Get(t.Context(), "k").Result(); v != "v" || err != nil {
		t.Errorf("the client reads %q, %v", v, err)
	}
}

func TestAutoPipelineIsAParameter(t *testing.T) {
	e := open(t, testenv.SharedRedis(t).URL()+"?autopipeline=true")
	if _, ok := e.Client().(*redis.AutoPipeliner); !ok {
		t.Fatalf("the client is a %T", e.Client())
	}
	if err := e.Client().Set(t.Context(), "auto", "v", 0).Err(); err != nil {
		t.Error(err)
	}
	if _, ok := e.Beneath().(*redis.Client); !ok {
		t.Errorf("the client beneath is a %T", e.Beneath())
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := e.Beneath().Ping(t.Context()).Err(); !errors.Is(err, redis.ErrClosed) {
		t.Errorf("the client beneath is still open: %v", err)
	}
}

func TestSentinelLeadsToTheMaster(t *testing.T) {
	e := open(t, testenv.Sentinel(t).URL())
	expect(t, e, batch("SET k v", "GET k"), "+OK\r\n$1\r\nv\r\n")
	if role := do(t, e, 2, batch("ROLE")); !strings.Contains(role, "master") {
		t.Errorf("it is a %q", role)
	}
	if v, err := e.Client().Get(t.Context(), "k").Result(); v != "v" || err != nil {
		t.Errorf("the client reads %q, %v", v, err)
	}
}

func TestCluster(t *testing.T) {
	c := testenv.Cluster(t)
	e := open(t, c.URL())
	var sets, gets []string
	want := ""
	for i := range 60 {
		sets = append(sets, fmt.Sprintf("SET key:%d %d", i, i))
		gets = append(gets, fmt.Sprintf("GET key:%d", i))
		want += fmt.Sprintf("$%d\r\n%d\r\n", len(fmt.Sprint(i)), i)
	}
	expect(t, e, batch(sets...), strings.Repeat("+OK\r\n", 60))
	expect(t, e, batch(gets...), want)

	t.Run("has the slots that we think", func(t *testing.T) {
		for _, key := range []string{"k", "foo{bar}baz", "foo{}bar", "{a}{b}", "}{x}", "{", "\x00\xff"} {
			b := &engine.Batch{Calls: []engine.Call{words("CLUSTER", "KEYSLOT", key)}}
			expect(t, e, b, fmt.Sprintf(":%d\r\n", hashslot.Of(key)))
		}
	})
	t.Run("counts all masters", func(t *testing.T) {
		expect(t, e, batch("SET one 1", "DBSIZE", "DEL one", "DBSIZE"), "+OK\r\n:61\r\n:1\r\n:60\r\n")
	})
	t.Run("scans all masters", func(t *testing.T) {
		seen := map[string]bool{}
		cursor := "0"
		for {
			v, _, err := resp.DecodeValue([]byte(do(t, e, 2, batch("SCAN "+cursor+" COUNT 7"))))
			if err != nil || v.IsError() {
				t.Fatal(err, string(v.Str))
			}
			for _, k := range v.Elems[1].Elems {
				seen[string(k.Str)] = true
			}
			if cursor = string(v.Elems[0].Str); cursor == "0" {
				break
			}
		}
		if len(seen) != 60 {
			t.Errorf("SCAN saw %d of 60 keys", len(seen))
		}
		expect(t, e, batch("SCAN 1023"), "-ERR invalid cursor\r\n")
	})
	t.Run("gathers KEYS", func(t *testing.T) {
		v, _, err := resp.DecodeValue([]byte(do(t, e, 3, batch("KEYS key:1?"))))
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, k := range v.Elems {
			keys = append(keys, string(k.Str))
		}
		sort.Strings(keys)
		if len(keys) != 10 || keys[0] != "key:10" {
			t.Errorf("KEYS gave %v", keys)
		}
	})
	t.Run("finds the keys of calls it does not know", func(t *testing.T) {
		expect(t, e, batch("PFADD key:pf a", "PFCOUNT key:pf", "PING", "EVAL return(KEYS[1]) 1 key:5"), ":1\r\n:1\r\n+PONG\r\n$5\r\nkey:5\r\n")
	})
	t.Run("runs transactions in one slot", func(t *testing.T) {
		b := batch("SET {a}1 x", "GET {a}1")
		b.Atomic = true
		expect(t, e, b, "+OK\r\n$1\r\nx\r\n")
		g, err := e.Watch(t.Context(), 0, [][]byte{[]byte("{a}1")})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Release()
		expect(t, e, batch("SET {a}1 y"), "+OK\r\n")
		b.Guard = g
		if err := e.Do(t.Context(), b, &resp.Writer{}); !errors.Is(err, engine.ErrChanged) {
			t.Errorf("changed: %v", err)
		}
		b = batch("SET a 1", "SET b 1")
		b.Atomic = true
		expect(t, e, b, strings.Repeat("-CROSSSLOT Keys in request don't hash to the same slot\r\n", 2))
		expect(t, e, batch("MGET a b"), "-CROSSSLOT Keys in request don't hash to the same slot\r\n")
	})
	t.Run("has one database", func(t *testing.T) {
		b := batch("PING")
		b.DB = 1
		expect(t, e, b, "-ERR SELECT is not allowed in cluster mode\r\n")
	})
	t.Run("blocks", func(t *testing.T) {
		expect(t, e, batch("RPUSH bl a", "BLPOP bl 0"), ":1\r\n*2\r\n$2\r\nbl\r\n$1\r\na\r\n")
	})
	t.Run("follows a slot that moves", func(t *testing.T) { moveSlot(t, c, e) })
	t.Run("empties all masters", func(t *testing.T) {
		expect(t, e, batch("FLUSHALL", "DBSIZE", "RANDOMKEY"), "+OK\r\n:0\r\n$-1\r\n")
		expect(t, e, batch("SET one 1", "RANDOMKEY"), "+OK\r\n$3\r\none\r\n")
	})
}

// moveSlot gives the slot of a key to another node behind the engine's back.
func moveSlot(t *testing.T, c *testenv.ClusterSet, e *Engine) {
	key := []byte("{moving}k")
	slot := hashslot.Of(key)
	ctx := t.Context()
	clients := make([]*redis.Client, len(c.Addrs))
	ids := make([]string, len(c.Addrs))
	owner := -1
	for i, addr := range c.Addrs {
		clients[i] = redis.NewClient(&redis.Options{Addr: addr})
		defer clients[i].Close()
		ids[i] = clients[i].Do(ctx, "cluster", "myid").Val().(string)
		if clients[i].Set(ctx, string(key), "v", 0).Err() == nil {
			owner = i
		}
	}
	to := (owner + 1) % len(clients)
	steps := []struct {
		on   int
		args []any
	}{
		{to, []any{"cluster", "setslot", slot, "importing", ids[owner]}},
		{owner, []any{"cluster", "setslot", slot, "migrating", ids[to]}},
	}
	for _, s := range steps {
		if err := clients[s.on].Do(ctx, s.args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	// A key that is missing at the old node is asked for at the new one.
	expect(t, e, batch("SET {moving}new x", "GET {moving}k", "GET {moving}new"), "+OK\r\n$1\r\nv\r\n$1\r\nx\r\n")
	host, port, _ := strings.Cut(c.Addrs[to], ":")
	if err := clients[owner].Migrate(ctx, host, port, string(key), 0, 5e9).Err(); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{to, owner} {
		if err := clients[i].Do(ctx, "cluster", "setslot", slot, "node", ids[to]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, e, batch("GET {moving}k", "GET {moving}new"), "$1\r\nv\r\n$1\r\nx\r\n")
}

func TestElementsAreSplit(t *testing.T) {
	parts, err := elements([]byte("*3\r\n:1\r\n$2\r\n\r\n\r\n%1\r\n+a\r\n_\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{":1\r\n", "$2\r\n\r\n\r\n", "%1\r\n+a\r\n_\r\n"}
	if !slices.EqualFunc(parts, want, func(p []byte, w string) bool { return string(p) == w }) {
		t.Errorf("got %q", parts)
	}
	if _, err := elements([]byte(":1\r\n")); err == nil {
		t.Error("a number was split")
	}
}

func TestPortableScriptsAreUnknownToRedis(t *testing.T) {
	e := open(t, testenv.SharedRedis(t).URL())
	for _, name := range []string{"REDBUD.EVAL", "REDBUD.EVAL_RO", "REDBUD.EVALSHA", "REDBUD.EVALSHA_RO"} {
		expect(t, e, batch(name+" x 0"), "-ERR unknown command '"+name+"', with args beginning with: 'x' '0' \r\n")
	}
}
