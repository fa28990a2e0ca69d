package command_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
)

// ticking returns an engine whose clock is a step further each time that it is read.
func ticking(t *testing.T, step *time.Duration) *command.Engine {
	now := time.Unix(1_000_000, 0)
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{Now: func() time.Time {
		now = now.Add(*step)
		return now
	}})
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// together runs calls, one in a line, in one batch.
func together(t *testing.T, e *command.Engine, session engine.Session, lines ...string) {
	t.Helper()
	b := engine.Batch{Session: session}
	for _, line := range lines {
		b.Calls = append(b.Calls, words(line))
	}
	if err := e.Do(t.Context(), &b, &resp.Writer{}); err != nil {
		t.Fatal(err)
	}
}

// slow is what SLOWLOG GET tells: of each call how long it took, and its words.
func slow(ask asker) (list []string) {
	for _, entry := range ask("SLOWLOG", "GET", "-1").Elems {
		var words []string
		for _, w := range entry.Elems[3].Elems {
			words = append(words, string(w.Str))
		}
		list = append(list, fmt.Sprintf("%d %s", entry.Elems[2].Int, strings.Join(words, " ")))
	}
	return list
}

func TestOnlyCallsThatMayBeSlowAreTimedOnTheirOwn(t *testing.T) {
	step := time.Duration(0)
	e := ticking(t, &step)
	ask := asking(t, e)
	ask("CONFIG", "SET", "slowlog-log-slower-than", "1000")
	step = time.Millisecond
	together(t, e, nil, "GET k", "KEYS *", "GET k", "GET k", "KEYS a", "SET k v", "GET")
	step = 0
	if got := fmt.Sprint(slow(ask)); got != "[1000 KEYS a 1000 KEYS *]" {
		t.Errorf("the slow log has %s", got)
	}
	ask("SLOWLOG", "RESET")
	ask("CONFIG", "SET", "slowlog-log-slower-than", "999")
	step = time.Millisecond
	together(t, e, nil, "GET k", "KEYS *", "SET k v", "GET", "NOSUCH")
	step = 0
	if got := fmt.Sprint(slow(ask)); got != "[1000 SET k v 1000 KEYS * 1000 GET k]" {
		t.Errorf("below a millisecond the slow log has %s", got)
	}
	ask("SLOWLOG", "RESET")
	ask("CONFIG", "SET", "slowlog-log-slower-than", "-1")
	step = time.Second
	together(t, e, nil, "KEYS *")
	step = 0
	if got := slow(ask); len(got) > 0 {
		t.Errorf("turned off, the slow log has %s", got)
	}
}

func TestTimesOfCommandsAddUp(t *testing.T) {
	step := time.Duration(0)
	e := ticking(t, &step)
	ask := asking(t, e)
	step = 8 * time.Microsecond
	together(t, e, nil, "KEYS *")
	together(t, e, nil, "SET k v", "KEYS *", "GET k", "KEYS *", "SET k w") // the clock is read at 0, 8, 16, 24, 32 and 40
	together(t, e, nil, "INCR n")
	step = 0
	values, _ := fields(t, ask, "commandstats", "latencystats")
	for name, want := range map[string]string{
		"cmdstat_keys":                  "calls=3,usec=24,usec_per_call=8.00,rejected_calls=0,failed_calls=0",
		"cmdstat_set":                   "calls=2,usec=16,usec_per_call=8.00,rejected_calls=0,failed_calls=0",
		"cmdstat_get":                   "calls=1,usec=8,usec_per_call=8.00,rejected_calls=0,failed_calls=0",
		"cmdstat_incr":                  "calls=1,usec=8,usec_per_call=8.00,rejected_calls=0,failed_calls=0",
		"latency_percentiles_usec_keys": "p50=8.063,p99=8.063,p99.9=8.063",
	} {
		if values[name] != want {
			t.Errorf("%s is %q, want %q", name, values[name], want)
		}
	}
	v := ask("LATENCY", "HISTOGRAM", "set", "nosuch", "keys")
	if got := text(&v); got != "{set:{calls:2,histogram_usec:{8:2}},keys:{calls:3,histogram_usec:{8:3}}}" {
		t.Errorf("LATENCY HISTOGRAM tells %s", got)
	}
	ask("CONFIG", "SET", "latency-tracking", "no")
	ask("CONFIG", "RESETSTAT")
	ask("KEYS", "*")
	if v = ask("LATENCY", "HISTOGRAM", "keys"); len(v.Elems) > 0 {
		t.Errorf("without latency-tracking LATENCY HISTOGRAM tells %s", text(&v))
	}
}

// someone is a session that says who it is.
type someone struct{ engine.Session }

func (someone) Client() (addr, name string) { return "127.0.0.1:5", "bob" }

func (someone) DB() int { return 0 }

func TestSlowCallsAreKeptWithoutSecretsAndClipped(t *testing.T) {
	step := time.Duration(0)
	e := ticking(t, &step)
	ask := asking(t, e)
	ask("CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "2")
	many := "SADD s" + strings.Repeat(" m", 40)
	together(t, e, someone{}, "PING", many, "CONFIG SET masterauth secret appendfsync no")
	ask("CONFIG", "SET", "slowlog-log-slower-than", "-1")
	v := ask("SLOWLOG", "GET")
	want := "[[3,1000000,0,[CONFIG,SET,masterauth,(redacted),appendfsync,no],127.0.0.1:5,bob]," +
		"[2,1000000,0,[SADD,s" + strings.Repeat(",m", 29) + ",... (11 more arguments)],127.0.0.1:5,bob]]"
	if got := text(&v); got != want {
		t.Errorf("SLOWLOG GET\n got %s\nwant %s", got, want)
	}
	ask("SLOWLOG", "RESET")
	ask("CONFIG", "SET", "slowlog-log-slower-than", "0")
	ask("GET", strings.Repeat("k", 130))
	v = ask("SLOWLOG", "GET", "1")
	if got := string(v.Elems[0].Elems[3].Elems[1].Str); got != strings.Repeat("k", 128)+"... (2 more bytes)" {
		t.Errorf("a long word is kept as %q", got)
	}
	for _, count := range []string{"-2", "x"} {
		if v := ask("SLOWLOG", "GET", count); text(&v) != "{error:ERR count should be greater than or equal to -1}" {
			t.Errorf("SLOWLOG GET %s: %s", count, text(&v))
		}
	}
}

func TestEventsThatTakeLongAreRemembered(t *testing.T) {
	step := time.Duration(0)
	e := ticking(t, &step)
	ask := asking(t, e)
	ask("CONFIG", "SET", "latency-monitor-threshold", "10")
	for _, ms := range []time.Duration{20, 9, 400} {
		step = ms * time.Millisecond
		together(t, e, nil, "KEYS *")
		step = 0
	}
	v := ask("LATENCY", "HISTORY", "command")
	if got := text(&v); got != "[[1000000,400]]" {
		t.Errorf("HISTORY within a second: %s", got)
	}
	step = 2 * time.Second
	together(t, e, nil, "KEYS *")
	step = 0
	if v = ask("LATENCY", "LATEST"); text(&v) != "[[command,1000004,2000,2000]]" {
		t.Errorf("LATEST: %s", text(&v))
	}
	v = ask("LATENCY", "GRAPH", "command")
	if got := string(v.Str); !strings.HasPrefix(got, "command - high 2000 ms, low 400 ms (all time high 2000 ms)\n") || !strings.Contains(got, " #\n") {
		t.Errorf("GRAPH: %s", got)
	}
	v = ask("LATENCY", "DOCTOR")
	if got := string(v.Str); !strings.Contains(got, "- command: 2 times within 4 seconds, 1200 ms on average (mean deviation 800 ms), 2000 ms at the worst.") {
		t.Errorf("DOCTOR: %s", got)
	}
	if v = ask("LATENCY", "RESET", "nosuch", "command"); v.Int != 1 {
		t.Errorf("RESET removed %s", text(&v))
	}
	if v = ask("LATENCY", "GRAPH", "command"); text(&v) != "{error:ERR No samples available for event 'command'}" {
		t.Errorf("GRAPH of nothing: %s", text(&v))
	}
}

func TestWhoWaitedIsLoggedWithItsOwnWorkAlone(t *testing.T) {
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
	defer e.Close()
	ask := asking(t, e)
	ask("CONFIG", "SET", "slowlog-log-slower-than", "0")
	done := make(chan error, 1)
	go func() {
		done <- e.Do(t.Context(), &engine.Batch{Calls: []engine.Call{words("BLPOP l 0")}, Wait: true}, &resp.Writer{})
	}()
	for e.Waiting() == 0 {
		ask("PING")
	}
	ask("SLOWLOG", "RESET")
	ask("RPUSH", "l", "v")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ask("CONFIG", "SET", "slowlog-log-slower-than", "-1")
	if got := strings.Join(slow(ask), ";"); !strings.Contains(got, "BLPOP l 0") || strings.Count(got, "BLPOP") != 1 {
		t.Errorf("the slow log has %s", got)
	}
}
