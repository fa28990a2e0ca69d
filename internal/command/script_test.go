package command_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/lua"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
)

// call makes one call, with words that may hold spaces.
func call(ctx context.Context, e *command.Engine, args ...string) (string, error) {
	var c engine.Call
	for _, a := range args {
		c = append(c, []byte(a))
	}
	w := &resp.Writer{}
	err := e.Do(ctx, &engine.Batch{Calls: []engine.Call{c}}, w)
	return strings.TrimSuffix(string(w.Buf), "\r\n"), err
}

// ask is call that must not fail.
func ask(t *testing.T, e *command.Engine, args ...string) string {
	t.Helper()
	reply, err := call(context.Background(), e, args...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return reply
}

// outcome is what a call in a goroutine of its own came to.
type outcome struct {
	reply string
	err   error
}

// start makes a call in a goroutine.
func start(ctx context.Context, e *command.Engine, args ...string) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		reply, err := call(ctx, e, args...)
		done <- outcome{reply, err}
	}()
	return done
}

// untilBusy returns once a script is overdue.
func untilBusy(t *testing.T, e *command.Engine) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); e.Denies(nil) == ""; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("no script is overdue")
		}
	}
}

const (
	busyScript   = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
	busyFunction = "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
)

func TestAScriptThatNeverEndsIsKilledAndHarmsNobody(t *testing.T) {
	e := newEngine(t)
	ask(t, e, "CONFIG", "SET", "busy-reply-threshold", "10")
	for _, script := range []string{
		"while true do end",
		"while true do pcall(function() while true do end end) end",
		"while true do redis.call('GET', 'k') end",
		"local function f() return f() end return f()",
		"return string.find(string.rep('a', 100000), string.rep('.-', 30) .. 'b')",
	} {
		waiter := start(context.Background(), e, "GET", "before")
		if got := <-waiter; got.err != nil || got.reply != "$-1" {
			t.Fatalf("before: %+v", got)
		}
		done := start(context.Background(), e, "EVAL", script, "0")
		untilBusy(t, e)
		early := start(context.Background(), e, "GET", "k")
		if got := (<-early).reply; got != busyScript {
			t.Errorf("a call meanwhile: %q", got)
		}
		if got := ask(t, e, "FUNCTION", "KILL"); got != busyScript {
			t.Errorf("FUNCTION KILL of a script: %q", got)
		}
		w := &resp.Writer{}
		session := connection{}
		err := e.Do(context.Background(), &engine.Batch{Atomic: true, Session: session, Calls: []engine.Call{words("GET k")}}, w)
		if !errors.Is(err, engine.Discarded(busyScript[1:])) {
			t.Errorf("a transaction meanwhile: %v", err)
		}
		if got := ask(t, e, "SCRIPT", "KILL"); got != "+OK" {
			t.Fatalf("SCRIPT KILL: %q", got)
		}
		if got := <-done; !strings.Contains(got.reply, "Script killed by user with SCRIPT KILL") {
			t.Errorf("%s: %+v", script, got)
		}
		if got := ask(t, e, "PING"); got != "+PONG" {
			t.Errorf("after: %q", got)
		}
		if got := ask(t, e, "SCRIPT", "KILL"); !strings.HasPrefix(got, "-NOTBUSY") {
			t.Errorf("SCRIPT KILL of nothing: %q", got)
		}
	}
}

func TestWhoWaitsForALongScriptIsToldWhenItIsOverdue(t *testing.T) {
	e := newEngine(t)
	ask(t, e, "CONFIG", "SET", "busy-reply-threshold", "300")
	done := start(context.Background(), e, "EVAL", "while true do end", "0")
	for strings.HasPrefix(ask(t, e, "SCRIPT", "KILL"), "-NOTBUSY") { // which waits too, once the script runs
	}
	if got := <-done; !strings.Contains(got.reply, "Script killed by user") {
		t.Errorf("%+v", got)
	}
}

func TestAScriptThatHasWrittenIsNotKilled(t *testing.T) {
	e := newEngine(t)
	ask(t, e, "CONFIG", "SET", "busy-reply-threshold", "500") // until then it has written
	ctx, cancel := context.WithCancel(context.Background())
	done := start(ctx, e, "EVAL", "redis.call('SET', 'k', 'v') while true do end", "0")
	untilBusy(t, e)
	if got := ask(t, e, "SCRIPT", "KILL"); !strings.HasPrefix(got, "-UNKILLABLE") {
		t.Errorf("SCRIPT KILL: %q", got)
	}
	cancel() // its caller cannot end it either
	if got := ask(t, e, "GET", "k"); got != busyScript {
		t.Errorf("a call: %q", got)
	}
	select {
	case got := <-done:
		t.Errorf("it has ended: %+v", got)
	default:
	}
	if err := e.Close(); err != nil { // but the end of the engine does
		t.Error(err)
	}
	<-done
}

func TestAScriptEndsWithTheContextOfItsCaller(t *testing.T) {
	e := newEngine(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	done := start(ctx, e, "EVAL", "while true do redis.call('GET', 'k') end", "0")
	reason := errors.New("the caller has gone")
	cancel(reason)
	if got := <-done; !errors.Is(got.err, reason) {
		t.Errorf("%+v", got)
	}
	if got := ask(t, e, "PING"); got != "+PONG" {
		t.Errorf("after: %q", got)
	}
}

func TestAFunctionThatNeverEndsIsKilled(t *testing.T) {
	e := newEngine(t)
	ask(t, e, "CONFIG", "SET", "busy-reply-threshold", "10")
	ask(t, e, "FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('loop', function() while true do end end)")
	done := start(context.Background(), e, "FCALL", "loop", "0", "arg")
	untilBusy(t, e)
	if got := ask(t, e, "SCRIPT", "KILL"); got != busyFunction {
		t.Errorf("SCRIPT KILL of a function: %q", got)
	}
	stats := ask(t, e, "FUNCTION", "STATS")
	for _, want := range []string{"$4\r\nloop", "$5\r\nFCALL", "$3\r\narg", "duration_ms"} {
		if !strings.Contains(stats, want) {
			t.Errorf("FUNCTION STATS lacks %q: %q", want, stats)
		}
	}
	if got := ask(t, e, "FUNCTION", "KILL"); got != "+OK" {
		t.Errorf("FUNCTION KILL: %q", got)
	}
	if got := <-done; !strings.Contains(got.reply, "Script killed by user with FUNCTION KILL") {
		t.Errorf("%+v", got)
	}
}

func TestALibraryWhoseCodeNeverEndsIsRefused(t *testing.T) {
	e := newEngine(t)
	if got := ask(t, e, "FUNCTION", "LOAD", "#!lua name=lib\nwhile true do end"); !strings.Contains(got, "timeout") {
		t.Errorf("%q", got)
	}
	if got := ask(t, e, "FUNCTION", "LIST"); got != "*0" {
		t.Errorf("%q", got)
	}
}

func TestScriptsThatComeByEvalAreKeptInPart(t *testing.T) {
	e := newEngine(t)
	source := func(i int) string { return fmt.Sprintf("return %d", i) }
	ask(t, e, "SCRIPT", "LOAD", source(-1))
	for i := range 1000 {
		if got := ask(t, e, "EVAL", source(i), "0"); got != fmt.Sprintf(":%d", i) {
			t.Fatalf("script %d: %q", i, got)
		}
		ask(t, e, "EVALSHA", lua.SHA([]byte(source(0))), "0") // what is used stays
	}
	known := 0
	for i := -1; i < 1000; i++ {
		if ask(t, e, "SCRIPT", "EXISTS", lua.SHA([]byte(source(i)))) == "*1\r\n:1" {
			known++
		}
	}
	if known != 501 {
		t.Errorf("%d scripts are known", known)
	}
	for _, i := range []int{-1, 0, 999} {
		if got := ask(t, e, "EVALSHA", lua.SHA([]byte(source(i))), "0"); got != fmt.Sprintf(":%d", i) {
			t.Errorf("script %d: %q", i, got)
		}
	}
}

func TestWhatAScriptMayDoWhenMemoryIsShort(t *testing.T) {
	e := newEngine(t)
	ask(t, e, "SET", "k", "v")
	ask(t, e, "CONFIG", "SET", "maxmemory", "1")
	for _, c := range []struct{ script, want string }{
		{"return redis.call('GET', 'k')", "$1\r\nv"},
		{"return redis.pcall('SET', 'k', 'w')['err']", "$" + fmt.Sprint(len(oom)-1) + "\r\n" + oom[1:]},
		{"redis.call('DEL', 'none') return redis.call('SET', 'k', 'w')", "+OK"}, // it has written: it must end what it began
		{"#!lua\nreturn 1", oom},
		{"#!lua flags=allow-oom\nreturn redis.call('SET', 'k', 'x')", "+OK"},
		{"#!lua flags=no-writes\nreturn redis.call('GET', 'k')", "$1\r\nx"},
	} {
		if got := ask(t, e, "EVAL", c.script, "0"); got != c.want {
			t.Errorf("%s\n%q, not %q", c.script, got, c.want)
		}
	}
}

func TestScriptsThatTakeTooMuchAreEnded(t *testing.T) {
	e := newEngine(t)
	for script, want := range map[string]string{
		"return string.rep('xxxxxxxxxx', 1024 * 1024 * 1024)":                                    "resulting string too large",
		"local s = 'x' for i = 1, 40 do s = s .. s end return #s":                                "",
		"local t = {} for i = 1, 40 do t[i] = string.rep('x', 2^28) end return #table.concat(t)": "",
		"local function f(n) return 1 + f(n + 1) end return f(1)":                                "stack overflow",
	} {
		got := ask(t, e, "EVAL", script, "0")
		if !strings.HasPrefix(got, "-ERR") || !strings.Contains(got, want) {
			t.Errorf("%s\n%.200q", script, got)
		}
		if got := ask(t, e, "EVAL", "return #string.rep('x', 1000)", "0"); got != ":1000" {
			t.Errorf("the next script: %q", got)
		}
	}
}

func TestEventsOfAScriptAreToldInItsOrder(t *testing.T) {
	e := newEngine(t)
	ask(t, e, "CONFIG", "SET", "notify-keyspace-events", "KEA")
	var heard []string
	l := e.Listen(func(m *engine.Message) { heard = append(heard, string(m.Channel)+" "+string(m.Payload)) })
	defer l.Close()
	if err := l.Subscribe(t.Context(), engine.Pattern, []byte("__keyevent@*")); err != nil {
		t.Fatal(err)
	}
	if err := l.Subscribe(t.Context(), engine.Channel, []byte("news")); err != nil {
		t.Fatal(err)
	}
	ask(t, e, "EVAL", "redis.call('SET','a',1) redis.call('PUBLISH','news','x') redis.call('SELECT',3) redis.call('SET','b',1) redis.call('DEL','b')", "0")
	want := []string{"__keyevent@0__:set a", "news x", "__keyevent@3__:set b", "__keyevent@3__:del b"}
	if strings.Join(heard, "; ") != strings.Join(want, "; ") {
		t.Errorf("heard %q", heard)
	}
}

func TestAScriptServesWhoWaits(t *testing.T) {
	e := newEngine(t)
	done := make(chan outcome, 1)
	go func() {
		w := &resp.Writer{}
		err := e.Do(context.Background(), &engine.Batch{Wait: true, Calls: []engine.Call{words("BLPOP l 0")}}, w)
		done <- outcome{string(w.Buf), err}
	}()
	for e.Waiting() == 0 {
		runtime.Gosched()
	}
	// It is served when the script is over, and gets what is there then.
	if got := ask(t, e, "EVAL", "redis.call('RPUSH','l','a') redis.call('LPOP','l') redis.call('RPUSH','l','b') return redis.call('LLEN','l')", "0"); got != ":1" {
		t.Errorf("the script: %q", got)
	}
	if got := <-done; got.err != nil || !strings.Contains(got.reply, "b\r\n") {
		t.Errorf("who waited: %+v", got)
	}
}

// unwritable is a log that cannot be written.
type unwritable struct{ slog.Handler }

func (unwritable) Enabled(context.Context, slog.Level) bool  { return true }
func (unwritable) Handle(context.Context, slog.Record) error { panic("no more ink") }

func TestAPanicInAScriptIsNotHiddenAndLeavesNothingRunning(t *testing.T) {
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{Logger: slog.New(unwritable{slog.DiscardHandler})})
	defer e.Close()
	func() {
		defer func() {
			if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "no more ink") {
				t.Errorf("the panic: got %v, want the log's", err)
			}
		}()
		ask(t, e, "EVAL", "pcall(redis.log, redis.LOG_WARNING, 'x') return 1", "0")
	}()
	if got := ask(t, e, "SCRIPT", "KILL"); !strings.HasPrefix(got, "-NOTBUSY") {
		t.Errorf("SCRIPT KILL: got %q, want NOTBUSY", got)
	}
	if got := ask(t, e, "EVAL", "return 1", "0"); got != ":1" {
		t.Errorf("the next script: got %q, want :1", got)
	}
}
