package enginetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// Ask runs calls, each a line of words, as one batch, and returns the replies with spaces for the ends of their lines, or "error: " and
// what it says.
func Ask(e engine.Engine, lines ...string) string {
	b := engine.Batch{}
	for _, line := range lines {
		words, _ := resp.SplitWords([]byte(line))
		b.Calls = append(b.Calls, words)
	}
	return Do(e, &b)
}

// Do is Ask for a batch.
func Do(e engine.Engine, b *engine.Batch) string {
	var w resp.Writer
	if err := e.Do(context.Background(), b, &w); err != nil {
		return "error: " + err.Error()
	}
	return strings.TrimSpace(strings.ReplaceAll(string(w.Buf), "\r\n", " "))
}

// Processes tests engines on one database that know nothing of each other, as if each were another process. fresh returns a function
// that opens one engine more on an empty database.
func Processes(t *testing.T, fresh func(t *testing.T) (open func() (engine.Engine, error))) {
	for name, test := range map[string]func(t *testing.T, open func() engine.Engine){
		"keys outlive the process":      keysOutlive,
		"each command is undivided":     undivided,
		"who watches sees the others":   watchOthers,
		"who waits hears of the others": hearPushes,
	} {
		t.Run(name, func(t *testing.T) {
			open := fresh(t)
			test(t, func() engine.Engine {
				t.Helper()
				e, err := open()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = e.Close() }) // some tests do
				return e
			})
		})
	}
}

func keysOutlive(t *testing.T, open func() engine.Engine) {
	e := open()
	Ask(e, "SET s v", "RPUSH l a b", "SADD t x", "ZADD z 1.5 m", "HSET h f v", "XADD x 1-1 f v", "PEXPIRE h 100000", "SELECT 3")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open()
	got := Ask(e, "GET s", "LRANGE l 0 -1", "SMEMBERS t", "ZSCORE z m", "HGET h f", "XRANGE x - +", "DBSIZE")
	if want := "$1 v *2 $1 a $1 b *1 $1 x $3 1.5 $1 v *1 *2 $3 1-1 *2 $1 f $1 v :6"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if ttl := Ask(e, "PTTL h"); ttl == ":-1" || ttl == ":-2" {
		t.Errorf("the expiry is gone: %s", ttl)
	}
}

func undivided(t *testing.T, open func() engine.Engine) {
	engines := []engine.Engine{open(), open()}
	const each = 100
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range each {
				got := Ask(engines[i%2], "INCR n", fmt.Sprintf("SADD s %d-%d", i, n), "HINCRBY h f 1")
				if strings.Contains(got, "error") || strings.Contains(got, "-ERR") {
					t.Errorf("%s", got)
					return
				}
			}
		})
	}
	all.Wait()
	for _, e := range engines {
		if got, want := Ask(e, "GET n", "SCARD s", "HGET h f"), "$3 800 :800 $3 800"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func watchOthers(t *testing.T, open func() engine.Engine) {
	a, b := open(), open()
	Ask(a, "SET k 1", "RPUSH l x", "ZADD z 1 m")
	for _, c := range []struct {
		key, call string
		changed   bool
	}{
		{"k", "SET k 2", true}, {"k", "PEXPIRE k 100000", true}, {"k", "GET k", false}, {"k", "SET other 1", false}, {"z", "ZADD z 1 m", false}, {"z", "ZADD z 2 m", true},
		{"l", "RPUSH l y", true}, {"l", "RENAME l m", true}, {"missing", "SADD missing a", true}, {"k", "FLUSHALL", true},
	} {
		g, err := a.Watch(t.Context(), 0, [][]byte{[]byte(c.key)})
		if err != nil {
			t.Fatal(err)
		}
		Ask(b, c.call)
		var w resp.Writer
		err = a.Do(t.Context(), &engine.Batch{Atomic: true, Guard: g, Calls: []engine.Call{{[]byte("PING")}}}, &w)
		if changed := errors.Is(err, engine.ErrChanged); changed != c.changed || err != nil && !changed {
			t.Errorf("%s, after %s: %v", c.key, c.call, err)
		}
		g.Release()
	}
}

func hearPushes(t *testing.T, open func() engine.Engine) {
	a, b := open(), open()
	for round := range 3 {
		got := make(chan string)
		go func() {
			got <- Do(a, &engine.Batch{Wait: true, Calls: []engine.Call{{[]byte("BLPOP"), []byte("l"), []byte("20")}}})
		}()
		for a.(interface{ Waiting() int }).Waiting() == 0 {
			time.Sleep(time.Millisecond)
		}
		Ask(b, fmt.Sprintf("RPUSH l %d", round))
		if got, want := <-got, fmt.Sprintf("*2 $1 l $1 %d", round); got != want {
			t.Errorf("round %d: %q, want %q", round, got, want)
		}
	}
	if got := Ask(b, "EXISTS l"); got != ":0" {
		t.Errorf("what was taken is still there: %s", got)
	}
}
