package namespace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/redbud-go/redbud/engine/memory"
	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/engine/enginetest"
	"github.com/redbud-go/redbud/internal/namespace"
	"github.com/redbud-go/redbud/internal/resp"
)

// line splits a call written in a line.
func line(s string) []string { return strings.Fields(s) }

// ask runs lines and returns the replies as redis-cli prints them, on one line each.
func ask(t testing.TB, e engine.Engine, lines ...string) []string {
	t.Helper()
	var calls [][]string
	for _, l := range lines {
		calls = append(calls, line(l))
	}
	return shown(run(t, e, 0, calls...))
}

func shown(values []resp.Value) []string {
	var all []string
	for i := range values {
		text := string(resp.AppendCLI(nil, &values[i]))
		all = append(all, strings.Join(strings.Fields(text), " "))
	}
	return all
}

func expect(t testing.TB, e engine.Engine, lines, wants string) {
	t.Helper()
	calls, want := strings.Split(lines, "; "), strings.Split(wants, "; ")
	if got := ask(t, e, calls...); !slices.Equal(got, want) {
		t.Errorf("%s\nanswers %q\nwant    %q", lines, got, want)
	}
}

func newMemory(t testing.TB) engine.Engine {
	e := memory.New(memory.Options{})
	closing(t, e)
	return e
}

// foreign are keys that are not those of a namespace, though they look like some.
func foreign(prefix string) []string {
	keys := []string{"k", "s1", "a", "A:s1", "b:s1", "aab\\{\r\n:k", "axb-]\\{\r\n:k", prefix[:len(prefix)-1], "x" + prefix + "k"}
	slices.Sort(keys)
	return slices.DeleteFunc(slices.Compact(keys), func(k string) bool { return strings.HasPrefix(k, prefix) })
}

func TestANamespaceAnswersAsAKeyspaceOfItsOwnAndLeavesOthersAlone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		now := time.Now()
		o := memory.Options{Seed: 1, Now: func() time.Time { return now }}
		whole, bare := memory.New(o), memory.New(o)
		defer whole.Close()
		defer bare.Close()
		prefix := rapid.SampledFrom([]string{"a:", "s", strange, "*", "\\"}).Draw(rt, "prefix")
		var writes, reads [][]string
		for _, key := range foreign(prefix) {
			writes = append(writes, []string{"RPUSH", key, "x", "y"})
			reads = append(reads, []string{"LRANGE", key, "0", "-1"})
		}
		for db := range 2 {
			run(t, whole, db, writes...)
		}
		before := shown(slices.Concat(run(t, whole, 0, reads...), run(t, whole, 1, reads...)))

		at := rapid.IntRange(0, len(prefix)).Draw(rt, "at")
		space := namespace.New(namespace.New(whole, prefix[:at]), prefix[at:])
		without := []string{"swapdb", "flushall"}
		if strings.Contains(prefix, "*") {
			without = append(without, "sort", "sort_ro") // which know no escape
		}
		proof, err := enginetest.Compare(bare, space, rapid.Uint64().Draw(rt, "seed"), 1000, without...)
		if err != nil {
			rt.Fatal(err)
		}
		if proof != "" {
			rt.Fatalf("in the namespace %q it is otherwise:\n%s", prefix, proof)
		}
		after := shown(slices.Concat(run(t, whole, 0, reads...), run(t, whole, 1, reads...)))
		if !slices.Equal(before, after) {
			rt.Fatalf("keys of others were\n%q and are\n%q", before, after)
		}
		run(t, space, 0, []string{"FLUSHALL"})
		for db := range 2 {
			left := run(t, whole, db, []string{"DBSIZE"})[0].Int
			if left != int64(len(writes)) {
				rt.Fatalf("database %d has %d keys, want the %d of others", db, left, len(writes))
			}
		}
	})
}

func TestNamesAreTranslated(t *testing.T) {
	e := newMemory(t)
	a, b := namespace.New(e, "a:"), namespace.New(e, "b:")
	expect(t, b, "SET k other; RPUSH l other; ZADD z 1 other; XADD s 1-1 f v; SET w_1 9; SET w_2 1",
		`OK; (integer) 1; (integer) 1; "1-1"; OK; OK`)
	expect(t, a, "MSET k v w_1 1 w_2 2 w_3 0; RPUSH l 3 1 2; ZADD z 1 m 2 n", "OK; (integer) 3; (integer) 2")
	for _, c := range []struct{ calls, want string }{
		{"GET k; MGET k none", `"v"; 1) "v" 2) (nil)`},
		{"DBSIZE; EXISTS k a:k b:k", "(integer) 6; (integer) 1"},
		{"KEYS k*; KEYS b:*; KEYS [kx]", `1) "k"; (empty array); 1) "k"`},
		{"SORT l BY w_*; SORT l BY nosort GET # GET w_*; SORT l BY w_* GET none", `1) "3" 2) "1" 3) "2"; 1) "3" 2) "0" 3) "1" 4) "1" 5) "2" 6) "2"; 1) (nil) 2) (nil) 3) (nil)`},
		{"SORT l STORE sorted; LRANGE sorted 0 -1; DEL sorted", `(integer) 3; 1) "1" 2) "2" 3) "3"; (integer) 1`},
		{"BLPOP none l 0; LMPOP 2 none l RIGHT; BZPOPMIN z 0; ZMPOP 1 z MIN", `1) "l" 2) "3"; 1) "l" 2) 1) "2"; 1) "z" 2) "m" 3) (double) 1; 1) "z" 2) 1) 1) "n" 2) (double) 2`},
		{"XADD s 1-1 f v; XREAD STREAMS none s 0 0", `"1-1"; 1# "s" => 1) 1) "1-1" 2) 1) "f" 2) "v"`},
		{"XREADGROUP GROUP g c STREAMS s >; XINFO CONSUMERS s g; XINFO STREAM none", "(error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option; (error) NOGROUP No such consumer group 'g' for key name 's'; (error) ERR no such key"},
		{"COMMAND GETKEYS SET k v; OBJECT ENCODING l", `1) "k"; "quicklist"`},
		{"PUBSUB CHANNELS; PUBSUB NUMSUB c; PUBLISH c m", "(empty array); 1) \"c\" 2) (integer) 0; (integer) 0"},
		{"SWAPDB 0 1; PING; NOSUCH a", "(error) ERR 'swapdb' concerns keys of others and cannot run in a namespace; PONG; (error) ERR unknown command 'NOSUCH', with args beginning with: 'a'"},
		{"COPY k c; RENAME c d; GET d; MOVE d 1; FLUSHDB x", `(integer) 1; OK; "v"; (integer) 1; (error) ERR syntax error`},
	} {
		expect(t, a, c.calls, c.want)
	}
	expect(t, e, "EXISTS a:k a:l a:s k", "(integer) 3")
	expect(t, a, "FLUSHDB ASYNC; DBSIZE; RANDOMKEY", "OK; (integer) 0; (nil)")
	if got := run(t, a, 1, line("EXISTS d"))[0].Int; got != 1 {
		t.Error("FLUSHDB deletes in other databases")
	}
	expect(t, a, "FLUSHALL", "OK")
	if got := run(t, a, 1, line("EXISTS d"))[0].Int; got != 0 {
		t.Error("FLUSHALL leaves other databases as they are")
	}
	expect(t, b, "GET k; DBSIZE", `"other"; (integer) 6`)
}

func TestWithoutAPrefixEverythingIsInTheNamespace(t *testing.T) {
	e := newMemory(t)
	expect(t, e, "MSET k 1 l 2; CONFIG SET notify-keyspace-events KA", "OK; OK")
	all := namespace.New(e, "")
	var heard ear
	l := all.Listen(heard.hear)
	defer l.Close()
	if err := l.Subscribe(t.Context(), engine.Pattern, names("*")...); err != nil {
		t.Fatal(err)
	}
	expect(t, all, "DBSIZE; GET k; SET k 2; FLUSHDB", `(integer) 2; "1"; OK; OK`)
	expect(t, e, "DBSIZE", "(integer) 0")
	want := []string{"pattern * __keyspace@0__:k del", "pattern * __keyspace@0__:k set", "pattern * __keyspace@0__:l del"}
	if got := heard.all(); !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
}

func TestAStarInThePrefixIsNoStarOfSort(t *testing.T) {
	e := namespace.New(newMemory(t), "*:")
	const refused = "(error) ERR patterns of 'SORT' cannot be used in a namespace with a star in its prefix"
	expect(t, e, "RPUSH l 2 1; SORT l; SORT l BY w_*; SORT l BY nosort; SORT l GET #; KEYS *", `(integer) 2; 1) "1" 2) "2"; `+refused+`; 1) "2" 2) "1"; 1) "1" 2) "2"; 1) "l"`)
}

func TestScanGivesOwnKeysOnce(t *testing.T) {
	e := newMemory(t)
	a := namespace.New(e, "a:")
	var writes, others [][]string
	for i := range 300 {
		writes = append(writes, []string{"SET", fmt.Sprint("k", i), "v"})
		others = append(others, []string{"SET", fmt.Sprint("b:k", i), "v"})
	}
	run(t, a, 0, writes...)
	run(t, e, 0, others...)
	for _, options := range []string{"", "COUNT 7", "MATCH k*", "COUNT 50 MATCH nothing TYPE string MATCH k*"} {
		seen := map[string]bool{}
		for cursor := "0"; ; {
			v := run(t, a, 0, append([]string{"SCAN", cursor}, line(options)...))[0]
			for _, key := range v.Elems[1].Elems {
				if seen[string(key.Str)] {
					t.Errorf("%s comes twice", key.Str)
				}
				seen[string(key.Str)] = true
			}
			if cursor = string(v.Elems[0].Str); cursor == "0" {
				break
			}
		}
		if len(seen) != 300 || !seen["k0"] {
			t.Errorf("SCAN %s gives %d keys, want 300", options, len(seen))
		}
	}
	expect(t, a, "SCAN 0 COUNT; SCAN x", "(error) ERR syntax error; (error) ERR invalid cursor")
}

// transaction runs lines as one.
func transaction(t testing.TB, e engine.Engine, lines string) (string, error) {
	t.Helper()
	b := engine.Batch{Atomic: true}
	for l := range strings.SplitSeq(lines, "; ") {
		var call engine.Call
		for _, word := range line(l) {
			call = append(call, []byte(word))
		}
		b.Calls = append(b.Calls, call)
	}
	var w resp.Writer
	if err := e.Do(context.Background(), &b, &w); err != nil {
		return "", err
	}
	return strings.Join(strings.Fields(string(w.Buf)), " "), nil
}

func TestATransactionSeesTheNamespaceAlone(t *testing.T) {
	e := newMemory(t)
	a := namespace.New(e, "a:")
	expect(t, e, "SET other v; SET a:old v", "OK; OK")
	got, err := transaction(t, a, "SET k v; DBSIZE; KEYS *; FLUSHDB; DBSIZE; RANDOMKEY; SET k w; RANDOMKEY; FLUSHALL; SWAPDB 0 1; FLUSHDB x; EXISTS k")
	if err != nil {
		t.Fatal(err)
	}
	want := "+OK :2 *2 $3 old $1 k +OK :0 $-1 +OK $1 k -ERR 'flushall' of a namespace cannot be one of several calls in a transaction " +
		"-ERR 'swapdb' concerns keys of others and cannot run in a namespace -ERR syntax error :1"
	if got != want && got != strings.Replace(want, "$3 old $1 k +OK", "$1 k $3 old +OK", 1) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	expect(t, e, "MGET other a:old a:k", `1) "v" 2) (nil) 3) "w"`)
	if got, err := transaction(t, a, "FLUSHALL"); err != nil || got != "+OK" {
		t.Errorf("FLUSHALL alone: %s, %v", got, err)
	}
	if got, err := transaction(t, a, "FLUSHDB; DBSIZE"); err != nil || got != "+OK :0" {
		t.Errorf("FLUSHDB of nothing: %s, %v", got, err)
	}
}

func TestWatchIsOfOwnKeys(t *testing.T) {
	e := newMemory(t)
	a := namespace.New(e, "a:")
	for key, want := range map[string]error{"k": nil, "a:k": engine.ErrChanged} {
		guard, err := a.Watch(t.Context(), 0, [][]byte{[]byte("k")})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, e, "APPEND "+key+" x; DEL none", "(integer) 1; (integer) 0")
		b := engine.Batch{Atomic: true, Guard: guard, Calls: []engine.Call{{[]byte("GET"), []byte("k")}}}
		var w resp.Writer
		if err := a.Do(t.Context(), &b, &w); !errors.Is(err, want) {
			t.Errorf("after a change of %s: %v, want %v", key, err, want)
		}
		guard.Release()
	}
}

func TestRepliesComeUpToACallThatWouldWait(t *testing.T) {
	a := namespace.New(newMemory(t), "a:")
	var w resp.Writer
	b := engine.Batch{}
	for _, l := range []string{"RPUSH l x", "DBSIZE", "BLPOP l 0", "SET k v", "KEYS *", "BLPOP l 0", "SET k w"} {
		var call engine.Call
		for _, word := range line(l) {
			call = append(call, []byte(word))
		}
		b.Calls = append(b.Calls, call)
	}
	if err := a.Do(t.Context(), &b, &w); !errors.Is(err, engine.ErrWouldWait) || b.Done != 5 {
		t.Fatalf("%v after %d calls, want ErrWouldWait after 5", err, b.Done)
	}
	if got, want := strings.Join(strings.Fields(string(w.Buf)), " "), ":1 :1 *2 $1 l $1 x +OK *1 $1 k"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCloseEndsTheNamespaceAndWhoWaitsInItButNotTheEngine(t *testing.T) {
	e := memory.New(memory.Options{})
	closing(t, e)
	a := namespace.New(e, "a:")
	inner := namespace.New(a, "b:")
	ended := make(chan error)
	go func() {
		var w resp.Writer
		b := engine.Batch{Wait: true, Calls: []engine.Call{{[]byte("BLPOP"), []byte("l"), []byte("0")}}}
		ended <- a.Do(context.Background(), &b, &w)
	}()
	for e.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, engine.ErrClosed) {
		t.Errorf("who waits is told %v, want ErrClosed", err)
	}
	if err := a.Do(t.Context(), &engine.Batch{Calls: []engine.Call{{[]byte("PING")}}}, &resp.Writer{}); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
	if _, err := a.Watch(t.Context(), 0, nil); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Watch after Close: %v, want ErrClosed", err)
	}
	expect(t, inner, "SET k v", "OK")
	expect(t, e, "GET a:b:k", `"v"`)
}

func TestEveryCommandEitherSaysWhereItsNamesAreOrIsRefused(t *testing.T) {
	a := namespace.New(newMemory(t), "a:")
	var refused []string
	command.Commands.Each(func(row *command.Command) {
		if row.Run == nil || row.Flags&command.NoMulti != 0 || row.FullName() == "client|pause" { // which holds the others back
			return
		}
		words := strings.Split(row.FullName(), "|")
		for !row.Fits(len(words)) {
			words = append(words, "1")
		}
		var call engine.Call
		for _, w := range words {
			call = append(call, []byte(w))
		}
		var w resp.Writer
		if err := a.Do(t.Context(), &engine.Batch{Calls: []engine.Call{call}, Atomic: true}, &w); err != nil { // where no call waits
			t.Errorf("%s: %v", row.FullName(), err)
		}
		if bytes.Contains(w.Buf, []byte("cannot run in a namespace")) {
			refused = append(refused, row.FullName())
		}
	})
	if want := []string{"swapdb", "slowlog|get", "bgsave", "debug"}; !slices.Equal(refused, want) {
		t.Errorf("refused are %v, want %v", refused, want)
	}
}

func TestCallsAreNeitherChangedNorCopiedOnTheHeap(t *testing.T) {
	e := newMemory(t)
	a := namespace.New(e, "a:")
	b := engine.Batch{Wait: true, Calls: []engine.Call{
		{[]byte("SET"), []byte("key"), []byte("value")}, {[]byte("GET"), []byte("key")}, {[]byte("HGET"), []byte("hash"), []byte("f")},
	}}
	w := resp.Writer{Proto: 3}
	allocated := func(e engine.Engine) float64 {
		return testing.AllocsPerRun(1000, func() {
			w.Buf = w.Buf[:0]
			if err := e.Do(context.Background(), &b, &w); err != nil {
				t.Fatal(err)
			}
		})
	}
	if bare, within := allocated(e), allocated(a); within > bare && !racing {
		t.Errorf("%v allocations in a namespace, %v without", within, bare)
	}
	if got := fmt.Sprintf("%q", b.Calls); got != `[["SET" "key" "value"] ["GET" "key"] ["HGET" "hash" "f"]]` {
		t.Errorf("the calls have become %s", got)
	}
}

// getScript is the portable script that returns what a key holds, in its wire form.
const getScript = "RBG\x01\x01\x00\x03get\x01\x03key\x00\x00\x00\x14\x01!\x01\x0e\x03GET\x05\x00\x01\n\x00"

func TestPortableScriptsOfANamespaceHaveItsKeys(t *testing.T) {
	e := newMemory(t)
	a := namespace.New(e, "a:")
	replies := run(t, a, 0, []string{"SET", "k", "v"}, []string{"REDBUD.EVAL", getScript, "1", "k"}, []string{"REDBUD.EVAL_RO", getScript, "1", "x"})
	if got, want := shown(replies), []string{"OK", `"v"`, "(nil)"}; !slices.Equal(got, want) {
		t.Errorf("inside: %q, not %q", got, want)
	}
	if got := shown(run(t, e, 0, []string{"REDBUD.EVAL", getScript, "1", "k"}, []string{"REDBUD.EVAL", getScript, "1", "a:k"})); !slices.Equal(got, []string{"(nil)", `"v"`}) {
		t.Errorf("outside: %q", got)
	}
}
