package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// newPipe is a pipe that the test's end closes.
func newPipe(t testing.TB, e engine.Engine, hub *Hub) *wire {
	if e == nil {
		e = newMemory(t)
	}
	w := newWire(t, Pipe(e, Options{Hub: hub, Logger: slog.New(slog.DiscardHandler)}))
	if err := w.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	return w
}

// newClient is a go-redis client on pipes to e.
func newClient(t testing.TB, e engine.Engine, hub *Hub) *redis.Client {
	c := redis.NewClient(&redis.Options{Dialer: func(context.Context, string, string) (net.Conn, error) {
		return Pipe(e, Options{Hub: hub}), nil
	}})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestWriteRunsAndReadTakes(t *testing.T) {
	w := newPipe(t, nil, nil)
	in := pipeline("SET k " + strings.Repeat("v", 1000) + "; GET k; NOSUCH; QUIT")
	for i := range in { // byte by byte
		w.send(in[i : i+1])
	}
	w.expect("+OK\r\n$1000\r\n" + strings.Repeat("v", 1000) + "\r\n-ERR unknown command 'NOSUCH', with args beginning with: \r\n+OK\r\n")
	w.ends()
	if _, err := w.Write([]byte("PING\r\n")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write after QUIT: %v", err)
	}
}

func TestReadWaitsForAWriteOfAnotherGoroutine(t *testing.T) {
	w := newPipe(t, nil, nil)
	got := make(chan string)
	go func() {
		line, err := w.in.ReadString('\n')
		if err != nil {
			line = err.Error()
		}
		got <- line
	}()
	w.send("PING\r\n")
	if line := <-got; line != "+PONG\r\n" {
		t.Errorf("Read: %q", line)
	}
}

func TestReadEndsByItsDeadline(t *testing.T) {
	w := newPipe(t, nil, nil)
	one := make([]byte, 1)
	for name, deadline := range map[string]time.Time{"past": past, "near": time.Now().Add(10 * time.Millisecond)} {
		if err := w.SetReadDeadline(deadline); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Read(one); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A deadline that comes while Read waits ends it, too.
	if err := w.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		_, err := w.Read(one)
		failed <- err
	}()
	if err := w.SetReadDeadline(past); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("set while it waits: %v", err)
	}
	if err := w.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	w.do("PING", "+PONG")
}

func TestWriteEndsByItsDeadline(t *testing.T) {
	w := newPipe(t, newGate(t), nil)
	if err := w.SetWriteDeadline(past); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("PING\r\n")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("before anything ran: %v", err)
	}
	if err := w.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("PING\r\n")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("while the engine works: %v", err)
	}
	if _, err := w.Write([]byte("PING\r\n")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("after a call was cut off: %v", err)
	}
}

func TestCloseEndsAReadAndAWrite(t *testing.T) {
	g, hub := newGate(t), NewHub()
	w := newPipe(t, g, hub)
	failed := make(chan error, 2)
	go func() {
		_, err := w.Read(make([]byte, 1))
		failed <- err
	}()
	go func() {
		_, _ = w.Write([]byte("PING\r\n")) // its call is cut off; it may have been written all the same
		failed <- nil
	}()
	<-g.entered
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-failed; err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read: %v", err)
		}
	}
	if n := hub.Len(); n != 0 {
		t.Errorf("the hub knows %d clients", n)
	}
	if err := w.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

func TestPipesAndSocketsOfOneDatabaseKnowEachOther(t *testing.T) {
	e, hub := newMemory(t), NewHub()
	r := start(t, e, Options{Hub: hub})
	socket, one, two := r.dial(), newPipe(t, e, hub), newPipe(t, e, hub)
	socket.do("PING", "+PONG")
	one.send(pipeline("CLIENT SETNAME one; CLIENT LIST"))
	one.expect("+OK\r\n")
	lines := strings.Split(strings.TrimSpace(one.value()), "\n")
	if len(lines) != 3 {
		t.Fatalf("the clients are %q", lines)
	}
	seen := map[string]bool{}
	for _, line := range lines {
		id, _, _ := strings.Cut(line, " ")
		if seen[id] {
			t.Errorf("two clients have %s", id)
		}
		seen[id] = true
	}
	socket.do("CLIENT KILL ADDR pipe SKIPME yes", ":2")
	two.ends()
	if _, err := two.Write([]byte("PING\r\n")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write of a killed client: %v", err)
	}
	if n := hub.Len(); n != 1 {
		t.Errorf("%d clients are left", n)
	}
}

func TestAKilledPipeThatRunsNothingLeavesNoGuard(t *testing.T) {
	e, hub := newMemory(t), NewHub()
	one, two := newPipe(t, e, hub), newPipe(t, e, hub)
	one.do("WATCH k", "+OK")
	two.do("CLIENT KILL SKIPME yes TYPE normal", ":1")
	eventually(t, "the killed one has left", func() bool { return hub.Len() == 1 })
}

func TestGoRedisOnPipes(t *testing.T) {
	ctx, hub := t.Context(), NewHub()
	c := newClient(t, newMemory(t), hub)
	if err := c.Set(ctx, "k", "v", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Get(ctx, "k").Result(); v != "v" || err != nil {
		t.Errorf("Get: %q, %v", v, err)
	}
	if err := c.Get(ctx, "missing").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("Get of a missing key: %v", err)
	}
	if info, err := c.ClientInfo(ctx).Result(); err != nil || !strings.Contains(info.LibName, "go-redis") || info.LibVer == "" {
		t.Errorf("ClientInfo: %+v, %v", info, err)
	}
	cmds, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range 1000 {
			p.HSet(ctx, "h", fmt.Sprint(i), i)
		}
		p.HGetAll(ctx, "h")
		return nil
	})
	if err != nil || len(cmds) != 1001 || len(cmds[1000].(*redis.MapStringStringCmd).Val()) != 1000 {
		t.Errorf("Pipelined: %d, %v", len(cmds), err)
	}
	if cmds, err = c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Incr(ctx, "n")
		p.Incr(ctx, "n")
		return nil
	}); err != nil || cmds[1].(*redis.IntCmd).Val() != 2 {
		t.Errorf("TxPipelined: %v, %v", cmds, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if n := hub.Len(); n != 0 {
		t.Errorf("%d clients are left", n)
	}
}

func TestGoRedisCountsByWatchingOnPipes(t *testing.T) {
	ctx := t.Context()
	c := newClient(t, newMemory(t), NewHub())
	const workers, each = 8, 25
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for done := 0; done < each; {
				err := c.Watch(ctx, func(tx *redis.Tx) error {
					n, err := tx.Get(ctx, "n").Int()
					if err != nil && !errors.Is(err, redis.Nil) {
						return err
					}
					_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, "n", n+1, 0).Err() })
					return err
				}, "n")
				switch {
				case err == nil:
					done++
				case !errors.Is(err, redis.TxFailedErr):
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if n, err := c.Get(ctx, "n").Int(); n != workers*each || err != nil {
		t.Errorf("%d, want %d (%v)", n, workers*each, err)
	}
}

// patient is an engine that waits through a context derived from that of the call.
type patient struct{ engine.Engine }

func (p patient) Do(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	child, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	if is(b.Calls[0][0], "wait") {
		<-child.Done()
		return child.Err()
	}
	return p.Engine.Do(child, b, w)
}

func TestContextsDerivedFromAPipesCallsEnd(t *testing.T) {
	w := newPipe(t, patient{newMemory(t)}, nil)
	for range 100 {
		if err := w.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		w.do("PING; ECHO x", "+PONG $1 x")
	}
	if err := w.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("WAIT\r\n")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write: %v", err)
	}
}

func TestAPipeRunsWithoutAllocating(t *testing.T) {
	if racing {
		t.Skip("allocations are not counted under the race detector")
	}
	w := newPipe(t, nil, nil)
	in, out := []byte(pipeline("SET k v; GET k")), make([]byte, 100)
	turn := func() {
		if err := w.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(in); err != nil {
			t.Fatal(err)
		}
		if n, err := w.Read(out); n != len("+OK\r\n$1\r\nv\r\n") || err != nil {
			t.Fatal(n, err)
		}
	}
	turn()
	if n := testing.AllocsPerRun(200, turn); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPipe(b *testing.B) {
	w := newPipe(b, nil, nil)
	in, out := []byte(pipeline("GET k")), make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = w.Write(in)
		_, _ = w.Read(out)
	}
}

func BenchmarkGoRedisOnPipe(b *testing.B) {
	c := newClient(b, newMemory(b), NewHub())
	ctx := b.Context()
	c.Set(ctx, "k", "v", 0)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Get(ctx, "k").Err(); err != nil {
			b.Fatal(err)
		}
	}
}
