package namespace_test

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redbud-go/redbud/engine/memory"
	_ "github.com/redbud-go/redbud/engine/redis"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/engine/enginetest"
	"github.com/redbud-go/redbud/internal/namespace"
	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/testenv"
	"github.com/redbud-go/redbud/server"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// strange is a prefix with what means something in a pattern, in a tag and on the wire. It has no star, with which SORT's patterns
// are refused.
const strange = "a?[b-c]\\{\r\n:"

// clock stands still unless told otherwise.
type clock struct {
	mu sync.Mutex // guards at
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// run runs calls, given as words, and fails if the engine does.
func run(t testing.TB, e engine.Engine, db int, calls ...[]string) []resp.Value {
	t.Helper()
	b := engine.Batch{DB: db}
	for _, words := range calls {
		var call engine.Call
		for _, word := range words {
			call = append(call, []byte(word))
		}
		b.Calls = append(b.Calls, call)
	}
	w := resp.Writer{Proto: 3}
	if err := e.Do(context.Background(), &b, &w); err != nil {
		t.Fatal(err)
	}
	values := make([]resp.Value, len(calls))
	rest := w.Buf
	for i := range values {
		var err error
		if values[i], rest, err = resp.DecodeValue(rest); err != nil {
			t.Fatalf("%q: %v in %q", calls[i], err, w.Buf)
		}
	}
	if len(rest) > 0 {
		t.Fatalf("%q: replies too much: %q", calls, rest)
	}
	return values
}

// serve puts a server in front of an engine.
func serve(t testing.TB, e engine.Engine) enginetest.Front {
	o := server.Options{Logger: slog.New(slog.DiscardHandler), Hub: server.NewHub()}
	s := server.New(e, o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return enginetest.Front{
		TCP:  func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) },
		Pipe: func() (net.Conn, error) { return server.Pipe(e, o), nil },
	}
}

func closing(t testing.TB, e engine.Engine) {
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

var without = map[string]string{
	"connection/client-tracking.txt": "FLUSHALL deletes key by key, and so it never tells that all keys may have changed",
	"server/acl-script.txt":          "a script calls by names with the prefix, which the rights of a user outside do not have",
}

// undeclared is why no session runs inside scripts here.
const undeclared = "scripts call by the names that they are given: keys are in the namespace if they are declared"

func TestRecordedSessionsRunInANamespace(t *testing.T) {
	enginetest.Run(t, enginetest.Options{Name: "memory namespace", Without: without, Unscripted: undeclared, Serve: serve, Open: func(t testing.TB) enginetest.Instance {
		c := &clock{at: time.Now()}
		e := memory.New(memory.Options{Now: c.Now})
		closing(t, e)
		for db := range 3 {
			run(t, e, db, []string{"SET", "k", "not ours"}, []string{"RPUSH", "a", "not ours"}, []string{"SET", "aXb:k", "not ours"})
		}
		return enginetest.Instance{Engine: namespace.New(e, "a:"), Advance: c.Advance}
	}})
}

func TestRecordedSessionsRunInANamespaceOfARedis(t *testing.T) {
	url := testenv.Redis(t).URL()
	r, err := enginetest.NewRecorder(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	enginetest.Run(t, enginetest.Options{Name: "redis namespace", Without: without, Unscripted: undeclared, Serve: serve, Open: func(t testing.TB) enginetest.Instance {
		if err := r.Reset(); err != nil {
			t.Fatal(err)
		}
		e, err := engine.Open(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		closing(t, e)
		run(t, e, 0, []string{"SET", "k", "not ours"}, []string{"RPUSH", "a", "not ours"}, []string{"SET", "aXb:k", "not ours"})
		return enginetest.Instance{Engine: namespace.New(e, strange), Version: r.Version}
	}})
}
