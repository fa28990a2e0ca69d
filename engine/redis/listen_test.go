package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/testenv"
)

// ear is a listener that keeps what it hears.
type ear struct {
	testing.TB
	engine.Listener
	heard chan string
}

// listen makes an ear that the test's end closes.
func listen(t *testing.T, e engine.Engine) *ear {
	heard := make(chan string, 1000)
	l := e.Listen(func(m *engine.Message) {
		switch m.Kind {
		case engine.Lost:
			heard <- "lost"
		case engine.Changes:
			heard <- fmt.Sprintf("changed %s", m.Keys)
		default:
			heard <- fmt.Sprintf("%d %s %s %s", m.Kind, m.Name, m.Channel, m.Payload)
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return &ear{t, l, heard}
}

func (e *ear) subscribe(kind engine.Kind, names ...string) {
	e.Helper()
	if err := e.Subscribe(e.Context(), kind, words(names...)...); err != nil {
		e.Fatalf("subscribe to %s: %v", names, err)
	}
}

func (e *ear) expect(want string) {
	e.Helper()
	select {
	case got := <-e.heard:
		if got != want {
			e.Errorf("heard %q, want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		e.Fatalf("%q is never heard", want)
	}
}

func TestAListenerHearsWhatItSubscribedToUntilItIsLost(t *testing.T) {
	r := testenv.Redis(t)
	e := open(t, r.URL())
	l := listen(t, e)
	l.subscribe(engine.Channel, "a", "b")
	l.subscribe(engine.Pattern, "b*")
	l.subscribe(engine.Shard, "a")
	expect(t, e, batch("PUBLISH a 1"), ":1\r\n")
	l.expect("0 a a 1")
	expect(t, e, batch("PUBLISH b 2"), ":2\r\n")
	l.expect("0 b b 2")
	l.expect("1 b* b 2")
	expect(t, e, batch("SPUBLISH a 3"), ":1\r\n")
	l.expect("2 a a 3")
	if err := l.Unsubscribe(t.Context(), engine.Channel, words("a")...); err != nil {
		t.Fatal(err)
	}
	expect(t, e, batch("PUBLISH a 4", "PUBLISH b 5"), ":0\r\n:2\r\n")
	l.expect("0 b b 5")
	l.expect("1 b* b 5")

	// Two connections are cut, and each tells so.
	if n, err := e.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Int(); n != 2 || err != nil {
		t.Fatalf("CLIENT KILL: %d, %v", n, err)
	}
	l.expect("lost")
	l.expect("lost")
	eventually(t, "all is heard again", func() bool {
		return do(t, e, 2, batch("PUBSUB NUMSUB b", "PUBSUB NUMPAT", "PUBSUB SHARDNUMSUB a")) == "*2\r\n$1\r\nb\r\n:1\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n"
	})
	expect(t, e, batch("PUBLISH b 6"), ":2\r\n")
	for got := range l.heard { // a connection may have taken more than one try
		if got != "lost" {
			if got != "0 b b 6" {
				t.Errorf("heard %q", got)
			}
			break
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func TestAListenerHearsWhichKeysAreWritten(t *testing.T) {
	e := open(t, testenv.Redis(t).URL())
	l := listen(t, e)
	l.subscribe(engine.Changes)
	l.subscribe(engine.Changes) // once is enough
	expect(t, e, batch("SET k v"), "+OK\r\n")
	l.expect("changed [k]")
	expect(t, e, batch("FLUSHALL"), "+OK\r\n")
	l.expect("changed []")
	expect(t, e, batch("SET j v"), "+OK\r\n")
	l.expect("changed [j]")
	if err := l.Unsubscribe(t.Context(), engine.Changes); err != nil {
		t.Fatal(err)
	}
	l.subscribe(engine.Channel, "c")
	do(t, e, 2, batch("SET k v", "PUBLISH c 1"))
	l.expect("0 c c 1")
}

func TestSubscribingEndsWithItsContext(t *testing.T) {
	r := testenv.Redis(t)
	e := open(t, r.URL())
	l := listen(t, e)
	if err := e.Client().Do(t.Context(), "CLIENT", "PAUSE", 300, "ALL").Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := l.Subscribe(ctx, engine.Channel, []byte("c")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Subscribe: %v, want its deadline", err)
	}
}

func TestSubscriptionsOfAClosedEngineFail(t *testing.T) {
	e, err := engine.Open(t.Context(), testenv.Redis(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, e)
	l.subscribe(engine.Channel, "c")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Subscribe(t.Context(), engine.Channel, []byte("d")); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Subscribe: %v, want ErrClosed", err)
	}
}

func TestShardedChannelsOfAClusterAreHeardFromTheirNodes(t *testing.T) {
	e := open(t, testenv.Cluster(t).URL())
	l := listen(t, e)
	names := strings.Fields("a b c d e f g h")
	l.subscribe(engine.Shard, names...)
	l.subscribe(engine.Channel, "a")
	for _, name := range names {
		expect(t, e, batch("SPUBLISH "+name+" x"), ":1\r\n")
		l.expect("2 " + name + " " + name + " x")
	}
	if err := l.Unsubscribe(t.Context(), engine.Shard, words("a", "b")...); err != nil {
		t.Fatal(err)
	}
	expect(t, e, batch("SPUBLISH a x", "SPUBLISH c x"), ":0\r\n:1\r\n")
	l.expect("2 c c x")
	do(t, e, 2, batch("PUBLISH a everywhere"))
	l.expect("0 a a everywhere")
	if err := l.Subscribe(t.Context(), engine.Changes); err == nil {
		t.Error("changes of a cluster can be subscribed to, which is untested")
	}
}
