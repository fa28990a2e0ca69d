package lua

import (
	"errors"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/resp"
)

var errBroken = errors.New("index out of range")

// broken is a Host that panics.
type broken struct {
	fake
	check bool // in Check only
}

func (b *broken) Call(args [][]byte, proto int) []byte {
	if b.check {
		return b.fake.Call(args, proto)
	}
	panic(errBroken)
}

func (b *broken) Check() error {
	if b.check {
		panic(errBroken)
	}
	return nil
}

func (b *broken) May([][]byte) (bool, error) { panic(errBroken) }
func (b *broken) Log(int, string)            { panic(errBroken) }

// panicOf is what a function panics with.
func panicOf(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

func isBroken(t *testing.T, value any, source string) {
	t.Helper()
	err, ok := value.(error)
	if !ok || !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "host_test.go") {
		t.Errorf("%s: got %v, want %v and where it came from", source, value, errBroken)
	}
}

func TestPanicOfTheHostGoesThroughScripts(t *testing.T) {
	m := New(Options{})
	for _, source := range []string{
		"redis.call('ping')",
		"return redis.pcall('ping')",
		"pcall(redis.call, 'ping') return 1",
		"xpcall(function() redis.call('ping') end, function() return 1 end) return 1",
		"local co = coroutine.create(function() redis.call('ping') end) coroutine.resume(co) return 1",
		"pcall(coroutine.wrap(function() redis.call('ping') end)) return 1",
		"pcall(redis.acl_check_cmd, 'ping') return 1",
		"pcall(redis.log, 1, 'x') return 1",
	} {
		isBroken(t, panicOf(func() { eval(t, m, &broken{}, source) }), source)
		if got := eval(t, m, &fake{}, "return 1"); got != ":1" {
			t.Errorf("after %s: got %q, want :1", source, got)
		}
	}
	source := "pcall(function() while true do end end) return 1"
	isBroken(t, panicOf(func() { eval(t, m, &broken{check: true}, source) }), source)
}

func TestPanicOfTheHostGoesThroughFunctions(t *testing.T) {
	m := New(Options{})
	source := "#!lua name=l\nredis.register_function('f', function() return redis.pcall('ping') end)"
	library, err := m.Load([]byte(source), &fake{})
	if err != nil {
		t.Fatal(err)
	}
	run := func(h Host) string {
		w := &resp.Writer{Proto: 2}
		m.Call(&library.Functions[0], &Run{Host: h, W: w})
		return string(w.Buf)
	}
	isBroken(t, panicOf(func() { run(&broken{}) }), source)
	if got := run(&fake{}); !strings.HasPrefix(got, "-ERR Unknown Redis command") {
		t.Errorf("the function after that: got %q, want the host's reply", got)
	}

	source = "#!lua name=m\nredis.log(redis.LOG_WARNING, 'x')"
	isBroken(t, panicOf(func() { m.Load([]byte(source), &broken{}) }), source)
}
