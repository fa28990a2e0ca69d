package memory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func batch(line string) *engine.Batch {
	var call engine.Call
	for word := range strings.FieldsSeq(line) {
		call = append(call, []byte(word))
	}
	return &engine.Batch{Calls: []engine.Call{call}}
}

func do(t testing.TB, e engine.Engine, line string) string {
	t.Helper()
	var w resp.Writer
	if err := e.Do(context.Background(), batch(line), &w); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return string(w.Buf)
}

func openURL(t *testing.T, url string) engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestKeyspacesAreSharedByNameAndOtherwisePrivate(t *testing.T) {
	a, b := openURL(t, "memory://shared"), openURL(t, "memory://shared")
	other, own, own2 := openURL(t, "memory://other"), openURL(t, "memory://"), openURL(t, "memory://")
	do(t, a, "SET k v")
	do(t, own, "SET k v")
	for _, x := range []struct {
		what string
		e    engine.Engine
		want string
	}{{"same name", b, "$1\r\nv\r\n"}, {"other name", other, "$-1\r\n"}, {"no name", own2, "$-1\r\n"}} {
		if got := do(t, x.e, "GET k"); got != x.want {
			t.Errorf("%s: GET k is %q, want %q", x.what, got, x.want)
		}
	}
}

func TestTheLastToCloseANameEndsItsKeyspace(t *testing.T) {
	a, b := openURL(t, "memory://name"), openURL(t, "memory://name")
	do(t, a, "SET k v")
	for range 2 { // closing twice counts once
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Do(t.Context(), batch("GET k"), &resp.Writer{}); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("the one that has closed: %v, want %v", err, engine.ErrClosed)
	}
	if got := do(t, b, "GET k"); got != "$1\r\nv\r\n" {
		t.Errorf("after one of two has closed: GET k is %q", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Do(t.Context(), batch("GET k"), &resp.Writer{}); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("after both have closed: %v, want %v", err, engine.ErrClosed)
	}
	if got := do(t, openURL(t, "memory://name"), "GET k"); got != "$-1\r\n" {
		t.Errorf("opened anew: GET k is %q", got)
	}
}

func TestURLsWithMoreThanANameAreRefused(t *testing.T) {
	for _, url := range []string{"memory://name/0", "memory://user@name", "memory://name?x=1", "memory://?size=1"} {
		if e, err := engine.Open(t.Context(), url); err == nil {
			e.Close()
			t.Errorf("%s is opened", url)
		}
	}
}

func TestGetAllocatesNothing(t *testing.T) {
	e := New(Options{})
	defer e.Close()
	do(t, e, "SET key value")
	get := batch("GET key")
	var w resp.Writer
	n := testing.AllocsPerRun(1000, func() {
		w.Truncate(0)
		if err := e.Do(context.Background(), get, &w); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 && !racing || string(w.Buf) != "$5\r\nvalue\r\n" {
		t.Errorf("%v allocations for the reply %q", n, w.Buf)
	}
}

func BenchmarkDo(b *testing.B) {
	for _, line := range []string{"GET key:000000050000", "SET key:000000050000 value", "INCR counter"} {
		b.Run(line[:strings.IndexByte(line, ' ')], func(b *testing.B) {
			e := New(Options{})
			defer e.Close()
			for i := range 100_000 {
				do(b, e, fmt.Sprintf("SET key:%012d value", i))
			}
			call := batch(line)
			var w resp.Writer
			b.ReportAllocs()
			for b.Loop() {
				w.Truncate(0)
				if err := e.Do(context.Background(), call, &w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
