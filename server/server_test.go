package server

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// running is a server that a test talks to.
type running struct {
	testing.TB
	*Server
	network, address string
}

// start serves e, or an engine of its own, on a free port until the test ends.
func start(t testing.TB, e engine.Engine, o Options) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, l, e, o)
}

func startOn(t testing.TB, l net.Listener, e engine.Engine, o Options) *running {
	t.Helper()
	if e == nil {
		e = newMemory(t)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &running{t, New(e, o), l.Addr().Network(), l.Addr().String()}
	served := make(chan error, 1)
	go func() { served <- r.Serve(l) }()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return r
}

// wire is a client that speaks bytes.
type wire struct {
	testing.TB
	net.Conn
	in *bufio.Reader
}

func (r *running) dial() *wire {
	r.Helper()
	c, err := net.Dial(r.network, r.address)
	if err != nil {
		r.Fatal(err)
	}
	return newWire(r.TB, c)
}

func newWire(t testing.TB, c net.Conn) *wire {
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &wire{t, c, bufio.NewReader(c)}
}

func (w *wire) send(s string) {
	w.Helper()
	if _, err := io.WriteString(w.Conn, s); err != nil {
		w.Fatal(err)
	}
}

// expect reads exactly want.
func (w *wire) expect(want string) {
	w.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(w.in, got)
	if string(got[:n]) != want {
		w.Fatalf("got %q, want %q (%v)", got[:n], want, err)
	}
}

// do sends calls as pipeline has them and expects the replies, CR LF as spaces.
func (w *wire) do(lines, want string) {
	w.Helper()
	w.send(pipeline(lines))
	flat := ""
	for len(flat) <= len(want) {
		flat += strings.ReplaceAll(w.line(), "\r\n", " ")
	}
	if flat != want+" " {
		w.Errorf("%s\n got %s\nwant %s", lines, flat, want)
	}
}

// line reads up to a line's end.
func (w *wire) line() string {
	w.Helper()
	line, err := w.in.ReadString('\n')
	if err != nil {
		w.Fatalf("after %q: %v", line, err)
	}
	return line
}

// value reads one reply and returns its text.
func (w *wire) value() string {
	w.Helper()
	v, err := resp.ReadValue(w.in)
	if err != nil {
		w.Fatal(err)
	}
	return string(v.Str)
}

// ends waits until the other side has closed.
func (w *wire) ends() {
	w.Helper()
	rest, err := io.ReadAll(w.in)
	if len(rest) > 0 {
		w.Errorf("before the end came %q", rest)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		w.Errorf("the connection stays open")
	}
}

// eventually waits until a condition is true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func TestBrokenProtocolIsToldAndTheConnectionClosed(t *testing.T) {
	r := start(t, nil, Options{})
	other := r.dial()
	for in, want := range map[string]string{
		"*1\r\n$2147483648\r\n":                        "-ERR Protocol error: invalid bulk length\r\n",
		"*1\r\n$-5\r\n":                                "-ERR Protocol error: invalid bulk length\r\n",
		"*x\r\n":                                       "-ERR Protocol error: invalid multibulk length\r\n",
		"*3\r\n$3\r\nSET\r\nfoo":                       "-ERR Protocol error: expected '$', got 'f'\r\n",
		"\x00\xff\x16\x03\x01\x02\"\n":                 "-ERR Protocol error: unbalanced quotes in request\r\n",
		strings.Repeat("\xde\xad\xbe\xef", 20<<10):     "-ERR Protocol error: too big inline request\r\n",
		"PING\r\n*1\r\n$" + strings.Repeat("9", 70000): "+PONG\r\n-ERR Protocol error: too big bulk count string\r\n",
	} {
		w := r.dial()
		w.send(in)
		w.expect(want)
		w.ends()
		other.do("PING", "+PONG")
	}
}

func TestGarbageDisturbsNobody(t *testing.T) {
	r := start(t, nil, Options{})
	other := r.dial()
	random := make([]byte, 1<<20)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		w := r.dial()
		go io.Copy(io.Discard, w.Conn) // what it answers is of no interest here
		_, _ = w.Write(random)         // it may be cut off at any point
		_ = w.Close()
		other.do("SET k v; GET k", "+OK $1 v")
	}
	eventually(t, "only one client is left", func() bool { return r.hub.Len() == 1 })
}

func TestAMillionArgumentsAreRun(t *testing.T) {
	r := start(t, nil, Options{})
	w := r.dial()
	const n = 1_000_000
	w.send(fmt.Sprintf("*%d\r\n$6\r\nEXISTS\r\n", n+1) + strings.Repeat("$1\r\nk\r\n", n))
	w.expect(":0\r\n")
	w.do("PING", "+PONG")
}

func TestHalfACallWaitsAlone(t *testing.T) {
	r := start(t, nil, Options{})
	half, other := r.dial(), r.dial()
	half.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nva")
	other.do("SET k x; GET k", "+OK $1 x")
	half.send("lue\r\n")
	half.expect("+OK\r\n")
	other.do("GET k", "$5 value")
}

func TestAClientThatNeverReadsHoldsLittle(t *testing.T) {
	r := start(t, nil, Options{})
	other := r.dial()
	other.do("SET k "+strings.Repeat("x", 64<<10)+"; CONFIG SET client-query-buffer-limit 1mb", "+OK +OK")
	deaf := r.dial()
	call := []byte(strings.Repeat(pipeline("GET k"), 500))
	stuck := make(chan struct{})
	go func() { // sends until nobody takes it any more
		defer close(stuck)
		for {
			if _, err := deaf.Write(call); err != nil {
				return
			}
		}
	}()
	var c *client
	eventually(t, "the deaf client has replies waiting", func() bool {
		c = r.hub.find(2)
		return c != nil && c.pending.Load() > 0
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 200 {
		other.do("ECHO x; STRLEN k", "$1 x :65536")
	}
	runtime.ReadMemStats(&after)
	if n := c.memory() + c.pending.Load(); n > 4<<20 {
		t.Errorf("it holds %d bytes", n)
	}
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 32<<20 {
		t.Errorf("the heap grew by %d bytes meanwhile", grown)
	}
	other.do("CLIENT KILL ID 2", ":1")
	<-stuck
}

func TestClientsAreListedAndKilled(t *testing.T) {
	r := start(t, nil, Options{})
	for name, filter := range map[string]string{
		"by number":          "ID %d",
		"by address":         "ADDR %s",
		"by kind, not me":    "TYPE normal",
		"by user, not me":    "USER default SKIPME yes",
		"by several filters": "ID %d TYPE normal LADDR %s",
	} {
		t.Run(name, func(t *testing.T) {
			me, victim := r.dial(), r.dial()
			me.do("PING", "+PONG")
			victim.send(pipeline("CLIENT ID"))
			var id int
			if _, err := fmt.Sscanf(victim.line(), ":%d", &id); err != nil {
				t.Fatal(err)
			}
			me.send(pipeline(fmt.Sprintf("CLIENT LIST ID %d", id)))
			if line := me.value(); !strings.HasPrefix(line, fmt.Sprintf("id=%d addr=%s laddr=%s fd=", id, victim.LocalAddr(), r.address)) ||
				!strings.Contains(line, " cmd=client|id ") {
				t.Errorf("the victim's line is %s", line)
			}
			switch strings.Count(filter, "%") {
			case 2:
				filter = fmt.Sprintf(filter, id, r.address)
			case 1:
				if strings.Contains(filter, "%d") {
					filter = fmt.Sprintf(filter, id)
				} else {
					filter = fmt.Sprintf(filter, victim.LocalAddr())
				}
			}
			me.do("CLIENT KILL "+filter, ":1")
			victim.ends()
			me.do("CLIENT KILL ID "+fmt.Sprint(id)+"; PING", ":0 +PONG")
			_ = me.Close()
			eventually(t, "both are gone", func() bool { return r.hub.Len() == 0 })
		})
	}
}

func TestKillingOneselfStillReplies(t *testing.T) {
	r := start(t, nil, Options{})
	w := r.dial()
	w.send(pipeline("PING; CLIENT KILL SKIPME no; PING"))
	w.expect("+PONG\r\n:1\r\n")
	w.ends()
	w = r.dial()
	w.send(pipeline("CLIENT KILL "+w.LocalAddr().String()) + pipeline("PING"))
	w.expect("+OK\r\n")
	w.ends()
}

func TestTooManyClientsAreToldSo(t *testing.T) {
	r := start(t, nil, Options{MaxClients: 2})
	a, b := r.dial(), r.dial()
	a.do("PING", "+PONG")
	b.do("PING", "+PONG")
	c := r.dial()
	c.expect("-ERR max number of clients reached\r\n")
	c.ends()
	_ = b.Close()
	eventually(t, "a place is free", func() bool { return r.hub.Len() == 1 })
	r.dial().do("PING", "+PONG")
	a.do("CONFIG SET maxclients 1", "+OK")
	d := r.dial()
	d.expect("-ERR max number of clients reached\r\n")
}

// farListener pretends that its peers are on another machine.
type farListener struct{ net.Listener }

type farConn struct{ net.Conn }

func (l farListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return farConn{c}, nil
}

func (c farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4711} }

func TestProtectedModeServesOnlyThisMachine(t *testing.T) {
	for name, c := range map[string]struct {
		o      Options
		far    bool
		served bool
	}{
		"near":                  {Options{}, false, true},
		"far":                   {Options{}, true, false},
		"far with a password":   {Options{Password: "x"}, true, true},
		"far where it is off":   {Options{Unprotected: true}, true, true},
		"near, with a password": {Options{Password: "x"}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if c.far {
				l = farListener{l}
			}
			w := startOn(t, l, nil, c.o).dial()
			if !c.served {
				if line := w.line(); !strings.HasPrefix(line, "-DENIED ") {
					t.Errorf("told %q", line)
				}
				w.ends()
				return
			}
			w.send(pipeline("AUTH default x; PING"))
			w.expect("+OK\r\n+PONG\r\n")
		})
	}
}

func TestUnixSocketsAndTLSAreServedBesideTCP(t *testing.T) {
	r := start(t, nil, Options{})
	path := filepath.Join(t.TempDir(), "s")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secure := tls.NewListener(plain, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	for _, l := range []net.Listener{unix, secure} {
		served := make(chan error, 1)
		go func() { served <- r.Serve(l) }()
		t.Cleanup(func() {
			_ = r.Close()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
	r.dial().do("SET k v", "+OK")
	u, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	uw := newWire(t, u)
	uw.do("GET k", "$1 v")
	uw.send(pipeline("CLIENT INFO"))
	if line := uw.value(); !strings.Contains(line, " addr="+path+":0 laddr="+path+":0 fd=") || !strings.Contains(line, " flags=U ") {
		t.Errorf("the unix client is %s", line)
	}
	s, err := tls.Dial("tcp", plain.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	newWire(t, s).do("GET k", "$1 v")
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestIdleClientsAreClosed(t *testing.T) {
	r := start(t, nil, Options{Timeout: time.Nanosecond}) // idle at the first look
	w := r.dial()
	w.do("PING", "+PONG")
	w.ends()
}

func TestSilentConnectionsGiveTheirBuffersBackAndGoOn(t *testing.T) {
	r := start(t, nil, Options{})
	w := r.dial()
	w.do("SET k "+strings.Repeat("x", 100<<10), "+OK")
	c := r.hub.find(1)
	r.each((*conn).rouse) // as the janitor does after a while
	eventually(t, "the buffers are gone", func() bool { return c.memory() == 0 })
	w.do("STRLEN k", ":102400")
	w.send("*2\r\n$6\r\nSTR")
	eventually(t, "half a call has come", func() bool { return c.input.Load() > 0 })
	r.each((*conn).rouse)
	w.send("LEN\r\n$1\r\nk\r\n")
	w.expect(":102400\r\n")
}

// gate is an engine that stops in Do until the test lets it go on.
type gate struct {
	engine.Engine
	entered chan struct{}
	leave   chan struct{}
}

func newGate(t testing.TB) *gate {
	return &gate{newMemory(t), make(chan struct{}, 100), make(chan struct{})}
}

func (g *gate) Do(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	g.entered <- struct{}{}
	select {
	case <-g.leave:
		return g.Engine.Do(ctx, b, w)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestShutdownLetsRunningCallsFinish(t *testing.T) {
	g := newGate(t)
	r := start(t, g, Options{})
	idle, busy := r.dial(), r.dial()
	idle.do("CLIENT SETNAME idle", "+OK")
	busy.send(pipeline("PING; PING"))
	<-g.entered
	done := make(chan error, 1)
	go func() { done <- r.Shutdown(t.Context()) }()
	idle.ends()
	if _, err := net.Dial("tcp", r.address); err == nil {
		t.Error("a new connection is accepted")
	}
	close(g.leave)
	busy.expect("+PONG\r\n+PONG\r\n")
	busy.ends()
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestShutdownEndsTheRestWithItsContext(t *testing.T) {
	g := newGate(t)
	r := start(t, g, Options{})
	busy := r.dial()
	busy.send(pipeline("PING"))
	<-g.entered
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Shutdown(ctx) }()
	eventually(t, "it drains", r.draining.Load)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	rest, _ := io.ReadAll(busy.in) // the refusal, if it was quicker than the end
	if len(rest) > 0 && !strings.HasPrefix(string(rest), "-ERR ") {
		t.Errorf("the call that was cut off is answered with %q", rest)
	}
}

func TestServeAfterCloseReturns(t *testing.T) {
	r := start(t, nil, Options{})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Serve(l); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is left open: %v", err)
	}
}

func TestAKilledClientsCallIsCanceled(t *testing.T) {
	g := newGate(t)
	r := start(t, g, Options{})
	busy, other := r.dial(), r.dial()
	busy.send(pipeline("GET k"))
	<-g.entered
	other.do("CLIENT KILL TYPE normal", ":1")
	busy.ends()
	eventually(t, "its session has ended", func() bool { return r.hub.Len() == 1 })
}

func TestConfigAndInfoTellOfTheServer(t *testing.T) {
	r := start(t, nil, Options{Password: "secret", MaxClients: 50, Timeout: time.Minute})
	w := r.dial()
	w.do("AUTH secret", "+OK")
	_, port, err := net.SplitHostPort(r.address)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"maxclients": "50", "timeout": "60", "requirepass": "secret", "port": port, "bind": "127.0.0.1", "protected-mode": "yes",
		"tcp-keepalive": "300", "proto-max-bulk-len": "536870912", "client-query-buffer-limit": "1073741824",
	} {
		w.do("CONFIG GET "+name, fmt.Sprintf("*2 $%d %s $%d %s", len(name), name, len(want), want))
	}
	w.send(pipeline("INFO clients"))
	if text := w.value(); !strings.Contains(text, "connected_clients:1\r\n") || !strings.Contains(text, "maxclients:50\r\n") {
		t.Errorf("INFO clients: %s", text)
	}
	w.do("CONFIG SET requirepass other proto-max-bulk-len 1mb", "+OK")
	fresh := r.dial()
	fresh.do("PING; AUTH secret; AUTH other", "-NOAUTH Authentication required. -WRONGPASS invalid username-password pair or user is disabled. +OK")
	w.send("*1\r\n$1048577\r\n")
	w.expect("-ERR Protocol error: invalid bulk length\r\n")
}

func TestManyClientsAtOnce(t *testing.T) {
	r := start(t, nil, Options{})
	var all sync.WaitGroup
	for i := range 20 {
		w := r.dial()
		all.Go(func() {
			for range 50 {
				w.send(pipeline(fmt.Sprintf("SET k%d x; GET k%d; MULTI; INCR n; EXEC; CLIENT LIST; CLIENT SETNAME c%d; INFO clients", i, i, i)))
				w.expect("+OK\r\n$1\r\nx\r\n+OK\r\n+QUEUED\r\n")
				for range 4 {
					w.value()
				}
			}
		})
	}
	all.Wait()
	r.dial().do("GET n", "$4 1000")
}
