package server

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/resp"
)

// publishUntil publishes large messages until a condition holds. quick, if there is one, reads each of them.
func publishUntil(t *testing.T, w, quick *wire, what string, done func() bool) {
	t.Helper()
	call := pipeline("PUBLISH c " + strings.Repeat("x", 64<<10))
	for start := time.Now(); !done(); { // what the kernel keeps does not count, so nobody knows how many it takes
		if time.Since(start) > patience {
			t.Fatal("never: " + what)
		}
		w.send(call)
		w.line()
		if quick != nil {
			quick.value()
		}
	}
}

func TestASubscriberThatDoesNotReadIsCutOffAlone(t *testing.T) {
	for _, limit := range []string{"pubsub 1mb 0 0", "pubsub 0 1mb 1"} {
		t.Run(limit, func(t *testing.T) {
			r := start(t, nil, Options{})
			b := r.dial()
			b.do("CONFIG SET client-output-buffer-limit '"+limit+"'", "+OK")
			slow, quick := r.dial(), r.dial()
			slow.do("SUBSCRIBE c", "*3 $9 subscribe $1 c :1")
			quick.do("SUBSCRIBE c", "*3 $9 subscribe $1 c :1")
			publishUntil(t, b, quick, "a subscriber that does not read is cut off", func() bool { return r.hub.Len() == 2 })
			b.do("PUBSUB NUMSUB c", "*2 $1 c :1")
			b.do("PUBLISH c bye", ":1")
			quick.expect(strings.ReplaceAll("*3 $7 message $1 c $3 bye ", " ", "\r\n"))
		})
	}
}

// quickClient is the client that is subscribed.
func quickClient(r *running) *client {
	for _, c := range r.hub.all() {
		if c.subscribed.Load() {
			return c
		}
	}
	r.Fatal("nobody is subscribed")
	return nil
}

func TestASubscriberThatIsLeftWithTooMuchIsCutOffInTime(t *testing.T) {
	r := start(t, nil, Options{})
	b, slow := r.dial(), r.dial()
	slow.do("SUBSCRIBE c", "*3 $9 subscribe $1 c :1")
	publishUntil(t, b, nil, "more is left than the kernel could take", func() bool { return quickClient(r).pending.Load() > 16<<20 })
	b.do("CONFIG SET client-output-buffer-limit 'pubsub 0 1mb 1'", "+OK")
	// Nobody publishes any more.
	eventually(t, "a subscriber that does not read is cut off", func() bool { return r.hub.Len() == 1 })
}

func TestASubscriberInTheProcessThatDoesNotReadIsCutOff(t *testing.T) {
	e, hub := newMemory(t), NewHub()
	w, b := newPipe(t, e, hub), newPipe(t, e, hub)
	b.do("CONFIG SET client-output-buffer-limit 'pubsub 1mb 0 0'", "+OK")
	w.do("SUBSCRIBE c", "*3 $9 subscribe $1 c :1")
	publishUntil(t, b, nil, "a subscriber that does not read is cut off", func() bool { return hub.Len() == 1 })
	b.do("PUBLISH c bye", ":0")
}

func TestMessagesNeverComeBetweenOtherReplies(t *testing.T) {
	r := start(t, nil, Options{})
	e, hub := r.engine, r.hub
	for name, dial := range map[string]func() *wire{"socket": r.dial, "pipe": func() *wire { return newPipe(t, e, hub) }} {
		t.Run(name, func(t *testing.T) {
			w := dial()
			w.send(pipeline("HELLO 3"))
			w.value()
			w.send(pipeline("SUBSCRIBE c; CLIENT TRACKING ON"))
			w.value()
			w.value()
			stop := make(chan struct{})
			var others sync.WaitGroup
			for range 2 {
				b := r.dial()
				others.Go(func() {
					for i := 0; ; i++ {
						select {
						case <-stop:
							return
						default:
						}
						for _, call := range []string{"PUBLISH c ", "SET k "} {
							if _, err := io.WriteString(b.Conn, pipeline(call+strconv.Itoa(i))); err != nil {
								return
							}
							if _, err := b.in.ReadString('\n'); err != nil {
								return
							}
						}
					}
				})
			}
			const rounds, depth = 200, 50
			messages := 0
			for i := range rounds {
				var calls strings.Builder
				for j := range depth {
					fmt.Fprintf(&calls, "ECHO %d; GET k; MULTI; GET k; ECHO %d; EXEC; ", i*depth+j, j)
				}
				go io.WriteString(w.Conn, pipeline(strings.TrimSuffix(calls.String(), "; ")))
				for j := range depth {
					want := []string{strconv.Itoa(i*depth + j), "", "OK", "QUEUED", "QUEUED", ""}
					for n := 0; n < len(want); {
						v, err := resp.ReadValue(w.in)
						switch {
						case err != nil:
							t.Fatal(err)
						case v.Kind == '>':
							messages++
							continue
						case n == 5 && (len(v.Elems) != 2 || string(v.Elems[1].Str) != strconv.Itoa(j)), want[n] != "" && string(v.Str) != want[n]:
							t.Fatalf("round %d: reply %d is %v", i, n, v)
						}
						n++
					}
				}
			}
			close(stop)
			others.Wait()
			if messages == 0 {
				t.Error("no message came")
			}
			_ = w.Close()
		})
	}
}

func TestSubscriptionsEndWithTheConnection(t *testing.T) {
	r := start(t, nil, Options{})
	b := r.dial()
	for _, end := range []func(w *wire){
		func(w *wire) { _ = w.Close() },
		func(w *wire) { w.send(pipeline("QUIT")) },
		func(w *wire) { w.do("RESET", "+RESET") },
		func(*wire) { b.do("CLIENT KILL TYPE pubsub", ":1") },
	} {
		w := r.dial()
		w.do("SUBSCRIBE c", "*3 $9 subscribe $1 c :1")
		w.do("PSUBSCRIBE c*", "*3 $10 psubscribe $2 c* :2")
		w.do("SSUBSCRIBE c", "*3 $10 ssubscribe $1 c :1")
		b.do("PUBSUB NUMSUB c", "*2 $1 c :1")
		end(w)
		eventually(t, "nobody listens", func() bool {
			b.send(pipeline("PUBLISH c x; SPUBLISH c x; PUBSUB NUMPAT"))
			return b.line()+b.line()+b.line() == ":0\r\n:0\r\n:0\r\n"
		})
	}
}

func TestWhatAWriterIsToldComesBehindItsReply(t *testing.T) {
	r := start(t, nil, Options{})
	w := r.dial()
	w.send(pipeline("HELLO 3; SUBSCRIBE c; CLIENT TRACKING ON; GET k"))
	for range 4 {
		w.value()
	}
	w.do("SET k 1", "+OK >2 $10 invalidate *1 $1 k")
	w.do("PUBLISH c m; ECHO x", ":1 >3 $7 message $1 c $1 m $1 x")
	w.do("MULTI; GET k; PUBLISH c m; SET k 2; EXEC", "+OK +QUEUED +QUEUED +QUEUED *3 $1 1 :1 +OK >3 $7 message $1 c $1 m >2 $10 invalidate *1 $1 k")
}

func TestTrackingLeavesOutWhatTheClientWroteItself(t *testing.T) {
	r := start(t, nil, Options{})
	w, b := r.dial(), r.dial()
	w.send(pipeline("HELLO 3; CLIENT TRACKING ON NOLOOP; GET k"))
	w.value()
	w.value()
	w.value()
	w.do("SET k 1; GET k", "+OK $1 1")
	b.do("SET k 2", "+OK")
	w.expect(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n")
	w.do("CLIENT TRACKING OFF; CLIENT TRACKING ON BCAST NOLOOP; SET k 3", "+OK +OK +OK")
	b.do("MULTI; SET k 4; SET j 5; SET k 6; EXEC", "+OK +QUEUED +QUEUED +QUEUED *3 +OK +OK +OK")
	w.expect(">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\nj\r\n$1\r\nk\r\n")
}

func TestTrackingKnowsWhatATransactionReadsBehindItsOwnWrites(t *testing.T) {
	r := start(t, nil, Options{})
	w, b := r.dial(), r.dial()
	w.send(pipeline("HELLO 3; CLIENT TRACKING ON"))
	w.value()
	w.value()
	told := ">2 $10 invalidate *1 $1 k"
	pushed := ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"
	w.do("MULTI; SET k 1; GET k; EXEC; ECHO x", "+OK +QUEUED +QUEUED *2 +OK $1 1 $1 x")
	b.do("SET k 2", "+OK")
	w.expect(pushed)
	w.do("GET k; MULTI; SET k 3; GET k; EXEC", "$1 2 +OK +QUEUED +QUEUED *2 +OK $1 3 "+told) // of the copy from before
	b.do("SET k 4", "+OK")
	w.expect(pushed)
	w.do("MULTI; GET k; SET k 5; EXEC", "+OK +QUEUED +QUEUED *2 $1 4 +OK "+told)
	b.do("SET k 6", "+OK")
	w.do("MULTI; GET k; SET k 7; GET k; EXEC", "+OK +QUEUED +QUEUED +QUEUED *3 $1 6 +OK $1 7 "+told)
	b.do("SET k 8", "+OK")
	w.expect(pushed)
	w.do("MULTI; FLUSHALL; SET k 1; GET k; EXEC", "+OK +QUEUED +QUEUED +QUEUED *3 +OK +OK $1 1 >2 $10 invalidate _")
	b.do("SET k 9", "+OK")
	w.expect(pushed)
}

func TestTrackingMayTellAnotherClient(t *testing.T) {
	r := start(t, nil, Options{})
	w, to, b := r.dial(), r.dial(), r.dial()
	w.send(pipeline("HELLO 3"))
	w.value()
	to.send(pipeline("CLIENT ID"))
	id := strings.Trim(to.line(), ":\r\n")
	w.do("CLIENT TRACKING ON REDIRECT "+id+"; GET k; CLIENT GETREDIR", "+OK _ :"+id)
	b.do("SET k 1", "+OK") // of which nobody hears: the other one does not listen
	to.do("SUBSCRIBE __redis__:invalidate", "*3 $9 subscribe $20 __redis__:invalidate :1")
	w.do("GET k", "$1 1")
	b.do("SET k 2", "+OK")
	to.expect("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n")
	b.do("FLUSHALL", "+OK")
	to.expect("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n")
	_ = to.Close()
	eventually(t, "the other one is gone", func() bool { return r.hub.Len() == 2 })
	w.do("GET k", "_")
	b.do("SET k 3", "+OK")
	w.expect(">2\r\n$21\r\ntracking-redir-broken\r\n:" + id + "\r\n")
}

func TestWhatGivesWayToOthersIsToldBeforeTheNextReply(t *testing.T) {
	r := start(t, nil, Options{})
	w, b := r.dial(), r.dial()
	w.send(pipeline("HELLO 3"))
	w.value()
	w.do("CLIENT TRACKING ON; SET k 1 EX 1000; GET k", "+OK +OK $1 1")
	b.do("CONFIG SET maxmemory-policy volatile-random maxmemory 1", "+OK")
	w.do("GET other", ">2 $10 invalidate *1 $1 k _")
}

func TestTrackingForgetsWhatIsTooMuch(t *testing.T) {
	r := start(t, nil, Options{})
	w, b := r.dial(), r.dial()
	b.do("CONFIG SET tracking-table-max-keys 10", "+OK")
	w.send(pipeline("HELLO 3; CLIENT TRACKING ON"))
	w.value()
	w.value()
	told := 0
	for i := range 30 {
		w.send(pipeline(fmt.Sprintf("GET k%d", i)))
		for {
			v, err := resp.ReadValue(w.in)
			if err != nil {
				t.Fatal(err)
			}
			if v.Kind != '>' {
				break
			}
			told++
		}
	}
	w.send(pipeline("PING"))
	for v, err := resp.ReadValue(w.in); err == nil && v.Kind == '>'; v, err = resp.ReadValue(w.in) {
		told++
	}
	if told != 20 {
		t.Errorf("of 30 keys %d were told to be forgotten, want 20", told)
	}
	if _, keys, copies, _ := r.hub.tracker.sizes(); keys != 10 || copies != 10 {
		t.Errorf("%d keys and %d copies are remembered, want 10", keys, copies)
	}
}

func TestExpiryIsAWriteThatIsTold(t *testing.T) {
	r := start(t, nil, Options{})
	w, b := r.dial(), r.dial()
	b.do("CONFIG SET notify-keyspace-events Ex; SET k v PX 1", "+OK +OK")
	time.Sleep(5 * time.Millisecond)
	w.send(pipeline("HELLO 3; SUBSCRIBE __keyevent@0__:expired; CLIENT TRACKING ON BCAST"))
	w.value()
	w.value()
	w.value()
	// Nobody asks for the key: whether the sweeper came before or comes now, what it told is whole.
	b.do("SET j v PX 1", "+OK")
	seen := map[string]bool{}
	for !seen["invalidate j"] || !seen["event j"] {
		v, err := resp.ReadValue(w.in)
		if err != nil {
			t.Fatal(err, seen)
		}
		if string(v.Elems[0].Str) == "message" {
			seen["event "+string(v.Elems[2].Str)] = true
		} else {
			seen["invalidate "+string(v.Elems[1].Elems[0].Str)] = true
		}
	}
}

func TestMonitorShowsCallsAndHidesPasswords(t *testing.T) {
	r := start(t, nil, Options{})
	m, b := r.dial(), r.dial()
	m.do("MONITOR", "+OK")
	b.do("AUTH default secret; SET k 'a\"b'; MULTI; GET k; EXEC; CONFIG GET nothing; NOSUCH; GET; SELECT 3; BLPOP l 0.001",
		"+OK +OK +OK +QUEUED *1 $3 a\"b *0 -ERR unknown command 'NOSUCH', with args beginning with:  "+
			"-ERR wrong number of arguments for 'get' command +OK *-1")
	for _, want := range []string{`[0 A] "AUTH" "(redacted)" "(redacted)"`, `[0 A] "SET" "k" "a\"b"`, `[0 A] "MULTI"`, `[0 A] "GET" "k"`, `[0 A] "EXEC"`,
		`[3 A] "SELECT" "3"`, `[3 A] "BLPOP" "l" "0.001"`} {
		line := strings.ReplaceAll(m.line(), b.LocalAddr().String(), "A")
		if _, got, _ := strings.Cut(line, " "); got != want+"\r\n" {
			t.Errorf("got %q, want %s", line, want)
		}
	}
	m.do("GET k; RESET; PING", "-ERR Replica can't interact with the keyspace +RESET +PONG")
	if r.hub.Monitored() {
		t.Error("somebody is thought to monitor still")
	}
}

func TestWhatAWaiterWritesIsToldBehindItsReply(t *testing.T) {
	r := start(t, nil, Options{})
	e, hub := r.engine, r.hub
	for name, dial := range map[string]func() *wire{"socket": r.dial, "pipe": func() *wire { return newPipe(t, e, hub) }} {
		t.Run(name, func(t *testing.T) {
			w, b := dial(), r.dial()
			w.send(pipeline("HELLO 3; CLIENT TRACKING ON; LRANGE to 0 -1"))
			for range 3 {
				w.value()
			}
			for range 100 {
				r.block(w, "BLMOVE from to LEFT LEFT 0")
				b.do("RPUSH from x", ":1")
				w.expect("$1\r\nx\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$2\r\nto\r\n")
				w.do("DEL to; LRANGE to 0 -1", ":1 *0")
			}
		})
	}
}

func TestALowerLimitOfTrackedKeysIsHeeded(t *testing.T) {
	r := start(t, nil, Options{})
	w, b := r.dial(), r.dial()
	w.send(pipeline("HELLO 3; CLIENT TRACKING ON; MGET a b"))
	for range 3 {
		w.value()
	}
	b.do("CONFIG SET tracking-table-max-keys 1", "+OK")
	v, err := resp.ReadValue(w.in)
	if err != nil || string(v.Elems[0].Str) != "invalidate" {
		t.Errorf("told %v, %v", v, err)
	}
}
