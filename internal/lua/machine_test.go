package lua

import (
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/redbud-go/redbud/internal/resp"
)

// fake is a Host that answers from a table of replies.
type fake struct {
	replies map[string]string
	checks  int
	err     error
	logs    []string
}

func (f *fake) Call(args [][]byte, _ int) []byte {
	var words []string
	for _, a := range args {
		words = append(words, string(a))
	}
	if r, ok := f.replies[strings.Join(words, " ")]; ok {
		return []byte(r)
	}
	switch name := strings.ToLower(words[0]); {
	case name == "echo" && len(words) == 2:
		w := resp.Writer{}
		w.BulkString(words[1])
		return w.Buf
	case name == "set":
		return []byte("+OK\r\n")
	}
	return []byte("-ERR Unknown Redis command called from script\r\n")
}

func (f *fake) Check() error {
	f.checks++
	return f.err
}
func (f *fake) May([][]byte) (bool, error) { return true, nil }
func (f *fake) Log(_ int, text string)     { f.logs = append(f.logs, text) }

// eval runs a script and returns its reply.
func eval(t *testing.T, m *Machine, h Host, source string, words ...string) string {
	t.Helper()
	s, err := m.Compile([]byte(source))
	if err != nil {
		return "-" + err.Error()
	}
	w := &resp.Writer{Proto: 2}
	r := &Run{Host: h, W: w}
	for _, word := range words {
		r.Args = append(r.Args, []byte(word))
	}
	m.Eval(s, r)
	return strings.ReplaceAll(strings.TrimSuffix(string(w.Buf), "\r\n"), s.SHA, "SHA")
}

func TestScriptsReply(t *testing.T) {
	m := New(Options{})
	for _, c := range []struct{ source, want string }{
		{"return 1", ":1"},
		{"return redis.call('echo', 'x')", "$1\r\nx"},
		{"return 'a' .. 1e15 .. 0.1+0.2", "$9\r\na1e+150.3"},
		{"local x = nil; return x.y", "-ERR user_script:1: attempt to index local 'x' (a nil value) script: SHA, on @user_script:1."},
		{"return nope", "-ERR user_script:1: Script attempted to access nonexistent global variable 'nope' script: SHA, on @user_script:1."},
		{"x = 1", "-ERR user_script:1: Attempt to modify a readonly table script: SHA, on @user_script:1."},
		{"local n = 0; local function inc() n = n + 1 end; inc(); pcall(error, 'x'); inc(); return n", ":2"},
		{"local co = coroutine.wrap(function(a) local b = coroutine.yield(a + 1); return b * 2 end); return {co(1), co(21)}", "*2\r\n:2\r\n:42"},
		{"local f; pcall(function() local x = 7; f = function() return x end; error('x') end); return f()", ":7"},
		{"return redis.call()", "-ERR Please specify at least one argument for this redis lib call script: SHA, on @user_script:1."},
	} {
		if got := eval(t, m, &fake{}, c.source); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.source, got, c.want)
		}
	}
}

func TestScriptsAndFunctionsRunAtOnce(t *testing.T) {
	m := New(Options{})
	const source = "local n = 0 for i = 1, 200 do n = n + #redis.call('echo', KEYS[1] .. i) end return n"
	s, err := m.Compile([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	l, err := m.Load([]byte("#!lua name=l\nlocal n = 0\nredis.register_function('f', function() n = n + 1 return n end)"), &fake{})
	if err != nil {
		t.Fatal(err)
	}
	const workers, rounds = 6, 50
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				w := &resp.Writer{}
				m.Eval(s, &Run{Keys: [][]byte{[]byte("k")}, Host: &fake{}, W: w})
				if string(w.Buf) != ":692\r\n" {
					t.Errorf("%q", w.Buf)
				}
				m.Call(&l.Functions[0], &Run{Host: &fake{}, W: w})
			}
		})
	}
	wg.Wait()
	w := &resp.Writer{}
	m.Call(&l.Functions[0], &Run{Host: &fake{}, W: w})
	if string(w.Buf) != ":301\r\n" {
		t.Errorf("after %d calls: %q", workers*rounds, w.Buf)
	}
}

func TestRandomNumbersGoOn(t *testing.T) {
	m := New(Options{})
	first := eval(t, m, &fake{}, "return tostring(math.random())")
	if second := eval(t, m, &fake{}, "return tostring(math.random())"); first == second {
		t.Errorf("%q twice", first)
	}
	const seeded = "math.randomseed(7) return math.random(1000000)"
	if one, other := eval(t, m, &fake{}, seeded), eval(t, m, &fake{}, seeded); one != other {
		t.Errorf("%q and %q from one seed", one, other)
	}
}

func TestCoroutinesThatNeverStartAreNotKept(t *testing.T) {
	m := New(Options{})
	library, err := m.Load([]byte("#!lua name=l\nredis.register_function('f', function() for i = 1, 100 do coroutine.create(function() end) end return 1 end)"), &fake{})
	if err != nil {
		t.Fatal(err)
	}
	call := func(n int) {
		for range n {
			w := &resp.Writer{Proto: 2}
			m.Call(&library.Functions[0], &Run{Host: &fake{}, W: w})
			if got := string(w.Buf); got != ":1\r\n" {
				t.Fatalf("it replies %q", got)
			}
		}
	}
	heap := func() int64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	call(10)
	before := heap()
	call(200)
	if grown := heap() - before; grown > 10<<20 {
		t.Errorf("20000 of them take %d MiB", grown>>20)
	}
}
