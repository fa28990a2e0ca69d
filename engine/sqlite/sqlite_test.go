package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

func TestURLsNameADatabase(t *testing.T) {
	for text, want := range map[string]string{
		"sqlite:///var/app.db":                  "/var/app.db {  0s 0 0 rw}",
		"sqlite:app.db":                         "app.db {  0s 0 0 rw}",
		"sqlite:dir/a%20b.db?synchronous=FULL":  "dir/a b.db { full 0s 0 0 rw}",
		"sqlite::memory:":                       " {  0s 0 0 rw}",
		"sqlite::memory:?readers=2":             " {  0s 2 0 rw}",
		"sqlite:///a.db?busy_timeout=1m":        "/a.db {  1m0s 0 0 rw}",
		"sqlite:///a.db?max_size=10mb":          "/a.db {  0s 0 10485760 rw}",
		"sqlite:///a.db?mode=ro":                "/a.db {  0s 0 0 ro}",
		"sqlite:///a.db?mode=rw":                "/a.db {  0s 0 0 rw}",
		"sqlite:///a.db?locking=shared":         "error: normal or exclusive",
		"sqlite:///a.db?max_size=large":         "error: number of bytes",
		"sqlite:///a.db?mode=memory":            "error: ro or rw",
		"sqlite::memory:?mode=ro":               "error: in memory",
		"sqlite://app.db":                       "error: three slashes",
		"sqlite://user@/app.db":                 "error: three slashes",
		"sqlite:///":                            "error: path of a file",
		"sqlite:":                               "error: path of a file",
		"sqlite:///a.db?synchronous=mostly":     "error: off, normal, full or extra",
		"sqlite:///a.db?busy_timeout=soon":      "error: busy_timeout=soon",
		"sqlite:///a.db?busy_timeout=-1s":       "error: above zero",
		"sqlite:///a.db?readers=0":              "error: 1 to 1000",
		"sqlite:///a.db?cache=shared&readers=3": "error: does not know the parameter \"cache\"",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		path, o, err := parse(u)
		mode := map[bool]string{true: "ro", false: "rw"}[o.ReadOnly]
		got := fmt.Sprintf("%s { %s %v %d %d %s}", path, o.Synchronous, o.BusyTimeout, o.Readers, o.MaxSize, mode)
		if err != nil {
			got = "error: " + err.Error()
		}
		if part, refused := strings.CutPrefix(want, "error: "); refused != (err != nil) || refused && !strings.Contains(got, part) || !refused && got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// open1 opens an engine on a file; it ends with the test.
func open1(t *testing.T, path string) engine.Engine {
	t.Helper()
	e, err := New(t.Context(), path, Options{Synchronous: "off"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// ask runs calls, each a line of words, as one batch.
func ask(t *testing.T, e engine.Engine, lines ...string) string {
	t.Helper()
	var w resp.Writer
	b := engine.Batch{}
	for _, line := range lines {
		words, _ := resp.SplitWords([]byte(line))
		b.Calls = append(b.Calls, words)
	}
	if err := e.Do(context.Background(), &b, &w); err != nil {
		return "error: " + err.Error()
	}
	return strings.TrimSpace(strings.ReplaceAll(string(w.Buf), "\r\n", " "))
}

func TestKeysOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	e := open1(t, path)
	ask(t, e, "SET s v", "RPUSH l a b", "SADD t x", "ZADD z 1.5 m", "HSET h f v", "XADD x 1-1 f v", "PEXPIRE h 100000", "SELECT 3")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open1(t, path)
	got := ask(t, e, "GET s", "LRANGE l 0 -1", "SMEMBERS t", "ZSCORE z m", "HGET h f", "XRANGE x - +", "DBSIZE")
	if want := "$1 v *2 $1 a $1 b *1 $1 x $3 1.5 $1 v *1 *2 $3 1-1 *2 $1 f $1 v :6"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if ttl := ask(t, e, "PTTL h"); ttl == ":-1" || ttl == ":-2" {
		t.Errorf("the expiry is gone: %s", ttl)
	}
}

// TestTwoProcessesShareAFile has two engines, which know nothing of each other, on one file.
func TestTwoProcessesShareAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	engines := []engine.Engine{open1(t, path), open1(t, path)}
	const each = 200
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range each {
				e := engines[i%2]
				if got := ask(t, e, "INCR n", fmt.Sprintf("SADD s %d-%d", i, n), "HINCRBY h f 1"); strings.Contains(got, "error") || strings.Contains(got, "-ERR") {
					t.Errorf("%s", got)
					return
				}
			}
		})
	}
	all.Wait()
	for _, e := range engines {
		if got, want := ask(t, e, "GET n", "SCARD s", "HGET h f"), "$3 800 :800 $3 800"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAKeyThatAnotherProcessWroteHasChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	a, b := open1(t, path), open1(t, path)
	ask(t, a, "SET k 1", "RPUSH l x")
	for _, c := range []struct {
		key, call string
		changed   bool
	}{
		{"k", "SET k 2", true}, {"k", "PEXPIRE k 100000", true}, {"k", "GET k", false}, {"k", "SET other 1", false},
		{"l", "RPUSH l y", true}, {"l", "RENAME l m", true}, {"missing", "SADD missing a", true}, {"k", "FLUSHALL", true},
	} {
		g, err := a.Watch(t.Context(), 0, [][]byte{[]byte(c.key)})
		if err != nil {
			t.Fatal(err)
		}
		ask(t, b, c.call)
		var w resp.Writer
		err = a.Do(t.Context(), &engine.Batch{Atomic: true, Guard: g, Calls: []engine.Call{{[]byte("PING")}}}, &w)
		if changed := err == engine.ErrChanged; changed != c.changed || err != nil && !changed {
			t.Errorf("%s, after %s: %v", c.key, c.call, err)
		}
		g.Release()
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	if err := open1(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	c, err := sqlite.OpenConn(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlitex.ExecuteTransient(c, "UPDATE redbud_meta SET value = 99 WHERE name = 'version'", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("it opens: %v", err)
	}
}

func TestADatabaseThatCannotBeOpenedIsAnError(t *testing.T) {
	if _, err := New(t.Context(), filepath.Join(t.TempDir(), "missing", "app.db"), Options{}); err == nil || !strings.Contains(err.Error(), "app.db") {
		t.Errorf("a directory that is not there: %v", err)
	}
}

func TestWhatExpiredAndWhatNobodyNamesIsSwept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	e := open1(t, path)
	for i := range 30 {
		call := fmt.Sprintf("SADD big%d", i%3)
		for n := range 100 {
			call += fmt.Sprintf(" %d-%d", i, n)
		}
		ask(t, e, call)
	}
	ask(t, e, "SET k v PX 1", "DEL big0", "SET big1 v", "PEXPIRE big2 1")
	c, err := sqlite.OpenConn(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rows := func() (n int64) {
		for _, table := range []string{"redbud_set", "redbud_orphan", "redbud_key"} {
			if err := sqlitex.ExecuteTransient(c, "SELECT count(*) FROM "+table, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
				n += s.ColumnInt64(0)
				return nil
			}}); err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	for end := time.Now().Add(20 * time.Second); rows() > 1; time.Sleep(10 * time.Millisecond) { // big1 is left
		if time.Now().After(end) {
			t.Fatalf("%d rows are left", rows())
		}
	}
}

func TestAProcessHearsWhatAnotherOnePushes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	a, b := open1(t, path), open1(t, path)
	for round := range 3 {
		got := make(chan string)
		go func() {
			var w resp.Writer
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			batch := engine.Batch{Wait: true, Calls: []engine.Call{{[]byte("BLPOP"), []byte("l"), []byte("0")}}}
			if err := a.Do(ctx, &batch, &w); err != nil {
				got <- err.Error()
				return
			}
			got <- strings.ReplaceAll(string(w.Buf), "\r\n", " ")
		}()
		for a.(interface{ Waiting() int }).Waiting() == 0 {
			time.Sleep(time.Millisecond)
		}
		ask(t, b, fmt.Sprintf("RPUSH l %d", round))
		if got, want := <-got, fmt.Sprintf("*2 $1 l $1 %d ", round); got != want {
			t.Errorf("round %d: %q, want %q", round, got, want)
		}
	}
	if got := ask(t, b, "EXISTS l"); got != ":0" {
		t.Errorf("what was taken is still there: %s", got)
	}
}

func TestAnExclusiveFileIsOneProcessesOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	e, err := New(t.Context(), path, Options{Synchronous: "off", Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				ask(t, e, "INCR n", "HINCRBY h f 1")
				ask(t, e, "GET n", "HGETALL h")
			}
		})
	}
	all.Wait()
	if got, want := ask(t, e, "GET n", "HGET h f"), "$3 400 $3 400"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if other, err := New(t.Context(), path, Options{BusyTimeout: 10 * time.Millisecond}); !errors.Is(err, keyspace.ErrBusy) {
		t.Errorf("another one opens it: %v", err)
		_ = other.Close()
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, open1(t, path), "GET n"); got != "$3 400" {
		t.Errorf("what was written is %s", got)
	}
}
