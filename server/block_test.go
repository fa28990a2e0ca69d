package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
)

// block sends a pipeline of which one call waits, and returns once it does.
func (r *running) block(w *wire, lines string) {
	r.Helper()
	before := r.waiting()
	w.send(pipeline(lines))
	eventually(r, "a call waits", func() bool { return r.waiting() > before })
}

// waiting is how many calls wait.
func (r *running) waiting() int { return waiting(r.engine) }

func waiting(e engine.Engine) int {
	return e.(interface{ Waiting() int }).Waiting()
}

// secure serves TLS and returns how to connect to it.
func secure(t *testing.T) (r *running, dial func() *wire) {
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	if err != nil {
		t.Fatal(err)
	}
	r = startOn(t, l, nil, Options{})
	return r, func() *wire {
		c, err := tls.Dial("tcp", r.address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return newWire(t, c)
	}
}

func TestWhoWaitsIsServedInTheOrderOfArrival(t *testing.T) {
	r := start(t, nil, Options{})
	var all []*wire
	for range 3 {
		w := r.dial()
		r.block(w, "BLPOP l 0")
		all = append(all, w)
	}
	other := r.dial()
	for i := range all {
		other.do(fmt.Sprint("RPUSH l ", i), ":1")
	}
	for i, w := range all {
		w.do("PING", fmt.Sprint("*2 $1 l $1 ", i, " +PONG"))
	}
	other.do("LLEN l", ":0")
}

func TestAWriterServesWhoWaitsBeforeItsNextCall(t *testing.T) {
	for name, c := range map[string]struct{ waits, write, written, got string }{
		"a push and a pop":       {"BLPOP a 0", "LPUSH a 1; LPOP a", ":1 $-1", "*2 $1 a $1 1"},
		"several values":         {"BLPOP a 0", "RPUSH a 1 2 3; LRANGE a 0 -1", ":3 *2 $1 2 $1 3", "*2 $1 a $1 1"},
		"a transaction":          {"BLPOP a 0", "MULTI; RPUSH a 1; RPUSH a 2; LPOP a; EXEC; LLEN a", "+OK +QUEUED +QUEUED +QUEUED *3 :1 :2 $1 1 :0", "*2 $1 a $1 2"},
		"pushed and popped":      {"BLPOP a 0", "MULTI; RPUSH a 1; LPOP a; EXEC; RPUSH a 2", "+OK +QUEUED +QUEUED *2 :1 $1 1 :1", "*2 $1 a $1 2"},
		"another type first":     {"BLPOP a 0", "SET a x; DEL a; RPUSH a 1", "+OK :1 :1", "*2 $1 a $1 1"},
		"a rename":               {"BRPOP a 0", "RPUSH b 1 2; RENAME b a; LLEN a", ":2 +OK :1", "*2 $1 a $1 2"},
		"a copy":                 {"BLPOP a 0", "RPUSH b 1 2; COPY b a; LLEN a", ":2 :1 :1", "*2 $1 a $1 1"},
		"a sort":                 {"BLPOP a 0", "RPUSH b 2 1; SORT b STORE a; LLEN a", ":2 :2 :1", "*2 $1 a $1 1"},
		"a swap of databases":    {"BLPOP a 0", "SELECT 1; RPUSH a 1; SWAPDB 0 1; LLEN a", "+OK :1 +OK :0", "*2 $1 a $1 1"},
		"a move to the database": {"BLPOP a 0", "SELECT 1; RPUSH a 1; MOVE a 0", "+OK :1 :1", "*2 $1 a $1 1"},
		"the first key named":    {"BLPOP b a 0", "MULTI; RPUSH a 1; RPUSH b 2; EXEC; LLEN a", "+OK +QUEUED +QUEUED *2 :1 :1 :1", "*2 $1 b $1 2"},
		"a list that is moved":   {"BLMOVE a b LEFT RIGHT 0", "RPUSH a 1; LRANGE b 0 -1", ":1 *1 $1 1", "$1 1"},
		"the old way to move":    {"BRPOPLPUSH a b 0", "RPUSH a 1 2; LRANGE b 0 -1", ":2 *1 $1 2", "$1 2"},
		"onto itself":            {"BLMOVE a a LEFT RIGHT 0", "RPUSH a 1 2; LRANGE a 0 -1", ":2 *2 $1 2 $1 1", "$1 1"},
		"onto another type":      {"SET b x; BLMOVE a b LEFT RIGHT 0", "RPUSH a 1; LLEN a", ":1 :1", "+OK -WRONGTYPE Operation against a key holding the wrong kind of value"},
		"many at once":           {"BLMPOP 0 2 b a RIGHT COUNT 2", "RPUSH a 1 2 3; LLEN a", ":3 :1", "*2 $1 a *2 $1 3 $1 2"},
		"the least":              {"BZPOPMIN z 0", "ZADD z 2 b 1 a; ZCARD z", ":2 :1", "*3 $1 z $1 a $1 1"},
		"the greatest":           {"BZPOPMAX y z 0", "ZADD z 2 b 1 a; ZCARD z", ":2 :1", "*3 $1 z $1 b $1 2"},
		"the least of many":      {"BZMPOP 0 1 z MIN COUNT 3", "ZADD z 2 b 1 a; EXISTS z", ":2 :0", "*2 $1 z *2 *2 $1 a $1 1 *2 $1 b $1 2"},
		"a set of another kind":  {"BZPOPMIN z 0", "RPUSH z 1; DEL z; ZADD x 1 m; ZRANGESTORE z x 0 -1; EXISTS z", ":1 :1 :1 :1 :0", "*3 $1 z $1 m $1 1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil, Options{})
			w, other := r.dial(), r.dial()
			r.block(w, c.waits)
			other.do(c.write, c.written)
			w.do("PING", c.got+" +PONG")
		})
	}
}

func TestOneWhoIsServedServesTheNext(t *testing.T) {
	r := start(t, nil, Options{})
	last, second, first, other := r.dial(), r.dial(), r.dial(), r.dial()
	r.block(last, "BLPOP c 0")
	r.block(second, "BLMOVE b c LEFT LEFT 0")
	r.block(first, "BLMOVE a b LEFT LEFT 0")
	other.do("RPUSH a v; EXISTS a b c", ":1 :0")
	first.do("PING", "$1 v +PONG")
	second.do("PING", "$1 v +PONG")
	last.do("PING", "*2 $1 c $1 v +PONG")
}

func TestATransactionNeverWaits(t *testing.T) {
	r := start(t, nil, Options{})
	w := r.dial()
	w.do("MULTI; BLPOP l 0; BLMOVE l m LEFT LEFT 0; BLMPOP 0 1 l LEFT; BRPOPLPUSH l m 0; BZPOPMIN z 0; BZMPOP 0 1 z MIN; EXEC",
		"+OK +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED *6 *-1 $-1 *-1 $-1 *-1 *-1")
	w.do("HELLO 3; PING", strings.Join(strings.Fields("%7 $6 server $5 redis $7 version $5 7.2.4 $5 proto :3 $2 id :1 $4 mode $10 standalone $4 role $6 master $7 modules *0 +PONG"), " "))
	w.do("MULTI; BLPOP l 0; BLMOVE l m LEFT LEFT 0; EXEC", "+OK +QUEUED +QUEUED *2 _ _")
}

func TestAWaitEndsByItself(t *testing.T) {
	w := start(t, nil, Options{}).dial()
	w.do("BLPOP l 0.01; BLMOVE l m LEFT LEFT 0.01; BLMPOP 0.01 1 l LEFT; BZPOPMIN z 0.01; PING", "*-1 *-1 *-1 *-1 +PONG")
}

func TestWhoWaitsIsSeenAndUnblocked(t *testing.T) {
	r := start(t, nil, Options{})
	w, other := r.dial(), r.dial()
	w.send(pipeline("CLIENT ID"))
	id := strings.Trim(w.line(), ":\r\n")
	unblock := "CLIENT UNBLOCK " + id
	other.do(unblock+"; CLIENT UNBLOCK 9999; CLIENT UNBLOCK x; "+unblock+" NOW",
		":0 :0 -ERR value is not an integer or out of range -ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
	for how, want := range map[string]string{
		"": "*-1", " TIMEOUT": "*-1", " ERROR": "-UNBLOCKED client unblocked via CLIENT UNBLOCK",
	} {
		r.block(w, "BLPOP l 0; ECHO next")
		other.send(pipeline("CLIENT LIST ID " + id))
		if line := other.value(); !strings.Contains(line, " flags=b ") || !strings.Contains(line, " cmd=blpop ") {
			t.Errorf("the line of one who waits is %s", line)
		}
		other.send(pipeline("INFO clients"))
		if info := other.value(); !strings.Contains(info, "blocked_clients:1\r\n") {
			t.Errorf("INFO while one waits: %s", info)
		}
		other.do(unblock+how, ":1")
		w.do("PING", want+" $4 next +PONG")
	}
	other.do(unblock+"; RPUSH l v; LLEN l", ":0 :1 :1")
	other.send(pipeline("INFO clients"))
	if info := other.value(); !strings.Contains(info, "blocked_clients:0\r\n") {
		t.Errorf("INFO when nobody waits: %s", info)
	}
}

func TestWhoIsGoneTakesNothing(t *testing.T) {
	for name, leave := range map[string]func(w, other *wire){
		"closed":      func(w, _ *wire) { _ = w.Close() },
		"half closed": func(w, _ *wire) { _ = w.Conn.(*net.TCPConn).CloseWrite() },
		"reset":       func(w, _ *wire) { _ = w.Conn.(*net.TCPConn).SetLinger(0); _ = w.Close() },
		"killed":      func(w, other *wire) { other.do("CLIENT KILL ADDR "+w.LocalAddr().String(), ":1") },
		"closed behind much that it sent": func(w, _ *wire) {
			w.send(strings.Repeat(pipeline("RPUSH must-not-run x"), 10_000))
			_ = w.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil, Options{})
			w, other := r.dial(), r.dial()
			other.do("PING", "+PONG")
			r.block(w, "BLPOP l 0; RPUSH must-not-run x")
			leave(w, other)
			eventually(t, "it is forgotten", func() bool { return r.hub.Len() == 1 })
			other.do("RPUSH l v; LLEN l; EXISTS must-not-run", ":1 :1 :0")
		})
	}
}

func TestWhatIsPushedRightAfterAKillStays(t *testing.T) {
	r := start(t, nil, Options{})
	other := r.dial()
	for range 20 {
		w := r.dial()
		r.block(w, "BLPOP l 0")
		other.do("CLIENT KILL ADDR "+w.LocalAddr().String()+"; RPUSH l v; LPOP l", ":1 :1 $1 v")
		w.ends()
		eventually(t, "it is forgotten", func() bool { return r.hub.Len() == 1 })
	}
}

func TestRepliesComeBeforeAndAfterAWait(t *testing.T) {
	r := start(t, nil, Options{})
	w, other := r.dial(), r.dial()
	r.block(w, "SET k 1; GET k; BLPOP l 0; INCR k; BLPOP l 0; GET k; CLIENT GETNAME; SELECT 3; GET k")
	w.expect("+OK\r\n$1\r\n1\r\n")
	other.do("GET k; SET k 5; RPUSH l a", "$1 1 +OK :1")
	w.expect("*2\r\n$1\r\nl\r\n$1\r\na\r\n:6\r\n")
	eventually(t, "the second call waits", func() bool { return r.waiting() == 1 })
	other.do("RPUSH l b", ":1")
	w.do("PING", "*2 $1 l $1 b $1 6 $-1 +OK $-1 +PONG")
}

func TestEachOfManyWaitsInAPipelineGetsOneReply(t *testing.T) {
	r := start(t, nil, Options{})
	w, other := r.dial(), r.dial()
	const n = 100
	other.do("PING", "+PONG")
	w.send(strings.Repeat(pipeline("BLPOP l 0; ECHO between"), n))
	var values strings.Builder
	for i := range n {
		fmt.Fprintf(&values, "RPUSH l v%d;", i)
	}
	pushed := make(chan struct{})
	go func() {
		defer close(pushed)
		for line := range strings.SplitSeq(strings.TrimSuffix(values.String(), ";"), ";") {
			_, _ = io.WriteString(other.Conn, pipeline(line)) // a failure shows in what w gets
		}
	}()
	for i := range n {
		v := fmt.Sprint("v", i)
		w.expect(fmt.Sprintf("*2\r\n$1\r\nl\r\n$%d\r\n%s\r\n$7\r\nbetween\r\n", len(v), v))
	}
	<-pushed
	w.do("PING; LLEN l", "+PONG :0")
}

func TestRepliesOfWaitsAreSkipped(t *testing.T) {
	r := start(t, nil, Options{})
	w, other := r.dial(), r.dial()
	r.block(w, "CLIENT REPLY SKIP; BLPOP l 0; ECHO x")
	other.do("RPUSH l a", ":1")
	w.do("PING", "$1 x +PONG")
	r.block(w, "CLIENT REPLY OFF; BLPOP l 0; ECHO x; CLIENT REPLY ON; ECHO y")
	other.do("RPUSH l b", ":1")
	w.do("PING", "+OK $1 y +PONG")
	other.do("LLEN l", ":0")
	// SKIP is of the one call, also where a call that waits comes before.
	r.block(w, "BLPOP l 0; CLIENT REPLY SKIP; ECHO no; ECHO yes")
	other.do("RPUSH l c", ":1")
	w.do("PING", "*2 $1 l $1 c $3 yes +PONG")
}

func TestASessionCallBehindAWaitRunsAfterIt(t *testing.T) {
	for behind, want := range map[string]string{
		"SELECT 3; RPUSH in3 x; SELECT 0; EXISTS in3": "+OK :1 +OK :0",
		"CLIENT ID": ":1",
		"MULTI; RPUSH l x; BLPOP none 0; LLEN l; EXEC": "+OK +QUEUED +QUEUED +QUEUED *3 :1 *-1 :1",
		"NOSUCH":      "-ERR unknown command 'NOSUCH', with args beginning with: ",
		"BLPOP l":     "-ERR wrong number of arguments for 'blpop' command",
		"RESET; PING": "+RESET +PONG",
	} {
		t.Run(behind, func(t *testing.T) {
			r := start(t, nil, Options{})
			w := r.dial()
			r.block(w, "BLPOP l 0; "+behind)
			r.dial().do("RPUSH l a", ":1")
			w.do("PING", "*2 $1 l $1 a "+want+" +PONG")
		})
	}
}

func TestWhatEndsTheConnectionBehindAWaitEndsItAfterwards(t *testing.T) {
	for behind, want := range map[string]string{
		"*1\r\n$x\r\n": "-ERR Protocol error: invalid bulk length\r\n",
		"QUIT\r\n":     "+OK\r\n",
		"POST /\r\n":   "",
	} {
		for _, at := range []string{"together", "later"} {
			r := start(t, nil, Options{})
			w, other := r.dial(), r.dial()
			if at == "together" {
				w.send(pipeline("BLPOP l 0; ECHO x") + behind)
			} else {
				r.block(w, "BLPOP l 0; ECHO x")
				w.send(behind)
			}
			eventually(t, "it waits", func() bool { return r.waiting() == 1 })
			other.do("RPUSH l a; LLEN l", ":1 :0")
			w.expect("*2\r\n$1\r\nl\r\n$1\r\na\r\n$1\r\nx\r\n" + want)
			w.ends()
		}
	}
}

func TestShutdownDoesNotWaitForWhoWaits(t *testing.T) {
	for name, behind := range map[string]string{"alone": "", "with more behind it": strings.Repeat("; RPUSH must-not-run x", 10_000)} {
		t.Run(name, func(t *testing.T) {
			e := newMemory(t)
			var log strings.Builder
			r := start(t, e, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			w := r.dial()
			r.block(w, "BLPOP l 0"+behind)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := r.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			w.ends()
			newPipe(t, e, nil).do("RPUSH l v; LLEN l; EXISTS must-not-run", ":1 :1 :0")
			if log.Len() > 0 {
				t.Errorf("it logs %s", &log)
			}
		})
	}
}

func TestWhoWaitsIsNotIdle(t *testing.T) {
	r := start(t, nil, Options{Timeout: time.Nanosecond})
	w, idle := r.dial(), r.dial()
	r.block(w, "BLPOP l 0")
	idle.ends() // the same look at all clients has passed over the other
	r.hub.find(1).blocked(nil)
	w.ends()
}

// flood is a pipeline of which the replies take more room than all the buffers on the way have.
func flood(w *wire, calls, size int) {
	w.Helper()
	value := strings.Repeat("v", size)
	w.do("SET k "+value, "+OK")
	if err := w.SetDeadline(time.Now().Add(6 * patience)); err != nil {
		w.Fatal(err)
	}
	w.send(strings.Repeat(pipeline("GET k"), calls))
	want := fmt.Sprintf("$%d\r\n%s\r\n", size, value)
	for range calls {
		w.expect(want)
	}
	w.do("PING", "+PONG")
}

func TestALongPipelineIsTakenBeforeItsRepliesAreRead(t *testing.T) {
	const calls, size = 200_000, 1000
	t.Run("plain", func(t *testing.T) { flood(start(t, nil, Options{}).dial(), calls, size) })
	t.Run("TLS", func(t *testing.T) {
		_, dial := secure(t)
		flood(dial(), calls, size)
	})
}

func TestAWaitOnTLSCanBeFollowed(t *testing.T) {
	r, dial := secure(t)
	w, other := dial(), dial()
	for range 3 {
		r.block(w, "BLPOP l 0")
		other.do("RPUSH l a", ":1")
		w.do("PING", "*2 $1 l $1 a +PONG")
	}
	r.block(w, "BLPOP l 0")
	_ = w.Close()
	eventually(t, "it is forgotten", func() bool { return r.hub.Len() == 1 })
	other.do("RPUSH l v; LLEN l", ":1 :1")
}

func TestAPipeWaits(t *testing.T) {
	e, hub := newMemory(t), NewHub()
	w, other := newPipe(t, e, hub), newPipe(t, e, hub)
	waits := func() bool { return waiting(e) == 1 }
	for range 100 {
		w.send(pipeline("SET k 1; BLPOP l 0; GET k; CLIENT ID; BLPOP l 0; ECHO x"))
		w.expect("+OK\r\n")
		eventually(t, "it waits", waits)
		other.do("SET k 2; RPUSH l a", "+OK :1")
		w.expect("*2\r\n$1\r\nl\r\n$1\r\na\r\n$1\r\n2\r\n:1\r\n")
		other.do("RPUSH l b", ":1")
		w.expect("*2\r\n$1\r\nl\r\n$1\r\nb\r\n$1\r\nx\r\n")
	}
	w.send(pipeline("BLPOP l 0; RPUSH must-not-run x"))
	eventually(t, "it waits", waits)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is forgotten", func() bool { return hub.Len() == 1 })
	other.do("RPUSH l v; LLEN l; EXISTS must-not-run", ":1 :1 :0")
}

func TestAPipeThatWaitsIsKilled(t *testing.T) {
	e, hub := newMemory(t), NewHub()
	w, other := newPipe(t, e, hub), newPipe(t, e, hub)
	w.send(pipeline("ECHO x; BLPOP l 0; RPUSH must-not-run x"))
	eventually(t, "it waits", func() bool { return waiting(e) == 1 })
	other.do("CLIENT KILL ID 1; RPUSH l v; EXISTS must-not-run", ":1 :1 :0")
	w.expect("$1\r\nx\r\n")
	w.ends()
	eventually(t, "it is forgotten", func() bool { return hub.Len() == 1 })
	other.do("LLEN l; EXISTS must-not-run", ":1 :0")
}

func TestAPipeWhoseEngineIsClosedWhileItWaitsIsToldSo(t *testing.T) {
	e, hub := newMemory(t), NewHub()
	w := newPipe(t, e, hub)
	w.send(pipeline("BLPOP l 0"))
	eventually(t, "it waits", func() bool { return waiting(e) == 1 })
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	w.expect("-ERR " + engine.ErrClosed.Error() + "\r\n")
}
