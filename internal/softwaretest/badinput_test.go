package softwaretest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/testenv"
)

// patience is how long anything may take before it counts as hanging. Nothing should come near it.
const patience = 30 * time.Second

// victim is a server that is treated badly.
type victim struct {
	*server
	t *testing.T
}

// underAttack starts a server, and runs an attack on it while a healthy client asks questions, every one of which must
// be answered. So many bytes more than before may be resident meanwhile, of which the runtime takes some.
func underAttack(t *testing.T, growth int, attack func(v *victim), args ...string) {
	t.Helper()
	t.Parallel()
	v := &victim{serveBare(t, args...), t}
	db := client(t, v.addr, 3)
	ask := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		_, err := db.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, "healthy", "yes", 0)
			p.Get(ctx, "healthy")
			return nil
		})
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	before := peak(t, v.pid)
	over := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		for {
			if err := ask(); err != nil {
				t.Errorf("the healthy client gets %v", err)
				return
			}
			select {
			case <-over:
				return
			default:
			}
		}
	})
	defer func() {
		close(over)
		asking.Wait()
		if grown := peak(t, v.pid) - before; grown > growth {
			t.Errorf("it grew by %d MiB, more than %d", grown>>20, growth>>20)
		}
	}()
	attack(v)
}

// connect opens a connection that reads and writes with patience.
func (v *victim) connect() *net.TCPConn {
	v.t.Helper()
	c, err := net.Dial("tcp", v.addr)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = c.Close() }) // it may be closed already
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		v.t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// send writes on a new connection.
func (v *victim) send(text string) *net.TCPConn {
	v.t.Helper()
	c := v.connect()
	if _, err := io.WriteString(c, text); err != nil {
		v.t.Fatal(err)
	}
	return c
}

// rest reads what comes until the server closes the connection. It says "reset" instead of what did not come then,
// which is as much of an end.
func rest(t *testing.T, c net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the connection stays open after %q", b)
		}
		return string(b) + "reset"
	}
	return string(b)
}

// served waits until the healthy client has been answered a few times more, with the bad client in whatever state it is.
func (v *victim) served() {
	v.t.Helper()
	c := v.send(strings.Repeat("PING\r\n", 100) + "QUIT\r\n")
	if got, want := rest(v.t, c), strings.Repeat("+PONG\r\n", 100)+"+OK\r\n"; got != want {
		v.t.Errorf("a second client gets %q", got)
	}
}

func TestBrokenProtocolIsToldAndEndsTheConnection(t *testing.T) {
	underAttack(t, 48<<20, func(v *victim) {
		for text, want := range map[string]string{
			"*1\r\n$2147483648\r\n":                        "invalid bulk length",
			"*1\r\n$536870913\r\n":                         "invalid bulk length",
			"*1\r\n$-1\r\n":                                "invalid bulk length",
			"*1\r\n$x\r\n":                                 "invalid bulk length",
			"*2147483648\r\n":                              "invalid multibulk length",
			"*99999999999999999999\r\n":                    "invalid multibulk length",
			"*x\r\n":                                       "invalid multibulk length",
			"*1\r\n:1\r\n":                                 "expected '$', got ':'",
			"*2\r\n$4\r\nPING\r\n\x00":                     "expected '$', got '\x00'",
			"SET k \"a\r\n":                                "unbalanced quotes in request",
			strings.Repeat("x", 65<<10):                    "too big inline request",
			"*" + strings.Repeat("1", 65<<10):              "too big mbulk count string",
			"*1\r\n$" + strings.Repeat("1", 65<<10):        "too big bulk count string",
			"\x80\x02\xff" + strings.Repeat("\x00", 1<<20): "too big inline request",
		} {
			c := v.connect()
			_, _ = io.WriteString(c, text) // it may be cut short
			got := rest(t, c)
			whole := "-ERR Protocol error: " + want + "\r\n"
			// A peer that goes on sending may be told so by a reset, which can overtake the error.
			begun, reset := strings.CutSuffix(got, "reset")
			if got != whole && !(reset && len(text) >= 64<<10 && strings.HasPrefix(whole, begun)) {
				t.Errorf("after %.40q comes %q, want %q", text, got, whole)
			}
		}
		v.served()
	})
}

func TestGarbageIsRefused(t *testing.T) {
	underAttack(t, 48<<20, func(v *victim) {
		for seed := range uint64(50) {
			garbage := make([]byte, 64<<10)
			r := rand.NewChaCha8([32]byte{byte(seed)})
			_, _ = r.Read(garbage) // always fills it
			c := v.connect()
			_, _ = c.Write(garbage)
			_ = c.CloseWrite() // both fail if the server has had enough
			got := strings.TrimSuffix(rest(t, c), "reset")
			for line := range strings.Lines(got) {
				if line[0] != '-' {
					t.Errorf("garbage of seed %d is answered by %q", seed, line)
				}
			}
		}
		v.served()
	})
}

func TestOtherProtocolsFailClearly(t *testing.T) {
	underAttack(t, 48<<20, func(v *victim) {
		err := tls.Client(v.connect(), &tls.Config{InsecureSkipVerify: true}).HandshakeContext(t.Context())
		if _, told := errors.AsType[tls.RecordHeaderError](err); !told {
			t.Errorf("TLS fails with %v", err)
		}
		// A browser can be made to send these to a server on its own machine, so the commands in them must not run.
		web := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
		if _, err := web.Get("http://" + v.addr); err == nil {
			t.Error("HTTP succeeds")
		}
		if _, err := web.Post("http://"+v.addr, "text/plain", strings.NewReader("\r\nSET stolen 1\r\n")); err == nil {
			t.Error("HTTP succeeds")
		}
		for _, request := range []string{
			"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET stolen 1\r\n",
			"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nSET stolen 1\r\n",
			"PUT /\r\nhOST: localhost\r\nSET stolen 1\r\n",
		} {
			if got := rest(t, v.send(request)); strings.Contains(got, "+OK") {
				t.Errorf("%q is answered by %q", request, got)
			}
		}
		if got := rest(t, v.send("EXISTS stolen\r\nQUIT\r\n")); got != ":0\r\n+OK\r\n" {
			t.Errorf("a command in an HTTP request has run: %q", got)
		}
	})
}

func TestAnnouncedBytesTakeNoMemoryBeforeTheyCome(t *testing.T) {
	underAttack(t, 48<<20, func(v *victim) {
		for _, text := range []string{
			"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n",
			"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n" + strings.Repeat("v", 1<<20),
			"*2147483647\r\n$3\r\nDEL\r\n",
			"*2\r\n$3\r\nGET\r\n$1",
			"*2\r\n$3\r\nGET\r\n$3\r\nab",
			"*",
			"PIN",
		} {
			c := v.send(text)
			v.served()
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
			if got := rest(t, c); got != "" {
				t.Errorf("half a call is answered by %q", got)
			}
		}
	})
}

func TestACallMayHaveAMillionArguments(t *testing.T) {
	const n = 999_999
	underAttack(t, 512<<20, func(v *victim) {
		call := func(head ...string) string {
			b := fmt.Appendf(nil, "*%d\r\n", len(head)+n)
			for _, arg := range head {
				b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(arg), arg)
			}
			for i := range n {
				b = append(b, "$7\r\n"...)
				b = strconv.AppendInt(b, int64(1_000_000+i), 10)
				b = append(b, "\r\n"...)
			}
			return string(b)
		}
		for _, step := range []struct{ text, want string }{
			{call("SADD", "s"), fmt.Sprintf(":%d\r\n", n)},
			{call("SREM", "s", "nosuch"), fmt.Sprintf(":%d\r\n", n)},
			{call("DEL", "healthy2"), ":0\r\n"},
			{call("NOSUCH"), "-ERR unknown command 'NOSUCH', with args beginning with: "},
			{call("GET"), "-ERR wrong number of arguments for 'get' command\r\n"},
		} {
			c := v.send(step.text + "*1\r\n$4\r\nQUIT\r\n")
			got := rest(t, c)
			if !strings.HasPrefix(got, step.want) || !strings.HasSuffix(got, "\r\n+OK\r\n") || len(got) > 500 {
				t.Errorf("%.20q is answered by %.300q", step.text, got)
			}
		}
	})
}

func TestAClientThatNeverReadsKeepsItsRepliesToItself(t *testing.T) {
	t.Run("memory", func(t *testing.T) { underAttack(t, 64<<20, neverRead) })
	t.Run("proxy", func(t *testing.T) { underAttack(t, 64<<20, neverRead, testenv.Redis(t).URL()) })
}

// neverRead asks for ten gigabytes of replies and leaves them where they are.
func neverRead(v *victim) {
	const size = 100 << 10
	value := strings.Repeat("v", size)
	if got := rest(v.t, v.send(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\nQUIT\r\n", size, value))); got != "+OK\r\n+OK\r\n" {
		v.t.Fatalf("SET: %q", got)
	}
	c := v.connect()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = io.WriteString(c, strings.Repeat("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", 100_000)) // it is not taken whole
	}()
	first := make([]byte, 1)
	if _, err := io.ReadFull(c, first); err != nil { // replies have begun to come
		v.t.Fatal(err)
	}
	for range 20 {
		v.served()
	}
	if err := c.Close(); err != nil {
		v.t.Error(err)
	}
	<-written
	v.served()
}

func TestASlowClientGetsAllReplies(t *testing.T) {
	underAttack(t, 64<<20, func(v *victim) {
		const n, size = 2000, 100 << 10
		value := strings.Repeat("v", size)
		c := v.send(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n", size, value) + strings.Repeat("GET k\r\n", n) + "QUIT\r\n")
		r := bufio.NewReader(c)
		want := fmt.Appendf(nil, "+OK\r\n$%d\r\n%s\r\n", size, value)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("the first replies are %.30q, %v", got, err)
		}
		v.served() // while the other replies wait
		left, err := io.Copy(io.Discard, r)
		if each := len(want) - len("+OK\r\n"); err != nil || left != int64((n-1)*each+len("+OK\r\n")) {
			t.Errorf("%d more bytes came, then %v", left, err)
		}
	})
}

func TestConnectionsThatComeAndGoLeaveNothing(t *testing.T) {
	underAttack(t, 64<<20, func(v *victim) {
		var all sync.WaitGroup
		for w := range 20 {
			all.Go(func() {
				for i := range 100 {
					c, err := net.Dial("tcp", v.addr)
					if err != nil {
						t.Error(err)
						return
					}
					switch (w + i) % 4 {
					case 0:
						_, err = io.WriteString(c, "*2\r\n$3\r\nGET\r\n$10")
					case 1:
						_, err = io.WriteString(c, "MULTI\r\nWATCH k\r\nSET k v\r\nSUBSCRIBE c\r\n")
					case 2:
						err = c.(*net.TCPConn).SetLinger(0) // it ends with a reset
					}
					if err := errors.Join(err, c.Close()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		db := client(t, v.addr, 2)
		for deadline := time.Now().Add(patience); ; {
			clients, err := db.InfoMap(t.Context(), "clients", "stats").Result()
			if err != nil {
				t.Fatal(err)
			}
			if n := clients["Clients"]["connected_clients"]; n == "2" { // the healthy one and this one
				break
			} else if time.Now().After(deadline) {
				t.Fatalf("%s clients are left", n)
			}
		}
	})
}

func TestAFloodOfConnectionsIsTurnedAway(t *testing.T) {
	const most = 20
	underAttack(t, 48<<20, func(v *victim) {
		const refused = "-ERR max number of clients reached\r\n"
		var open []*net.TCPConn
		for range most - 1 { // one is the healthy client's
			c := v.connect()
			if got := ping(c); got != "+PONG\r\n" {
				t.Fatalf("one of the first %d gets %q", most, got)
			}
			open = append(open, c)
		}
		for range 500 {
			if got := rest(t, v.connect()); got != refused {
				t.Fatalf("one too many gets %q", got)
			}
		}
		for _, c := range open {
			if got := ping(c); got != "+PONG\r\n" {
				t.Errorf("one of those who came first gets %q", got)
			}
		}
		if err := open[0].Close(); err != nil {
			t.Error(err)
		}
		for deadline := time.Now().Add(patience); ; { // the server has yet to notice
			if got := ping(v.connect()); got == "+PONG\r\n" {
				break
			} else if time.Now().After(deadline) {
				t.Fatalf("where one has gone, the next gets %q", got)
			}
		}
	}, "--maxclients", strconv.Itoa(most))
}

// ping asks and returns the line that comes; empty if none does.
func ping(c net.Conn) string {
	_, _ = io.WriteString(c, "PING\r\n") // it may be closed already
	line, _ := bufio.NewReader(c).ReadString('\n')
	return line
}
