package sqlite

import (
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
	"github.com/redbud-go/redbud/internal/engine/enginetest"
	"github.com/redbud-go/redbud/internal/keyspace"
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

func TestProcessesShareAFile(t *testing.T) {
	enginetest.Processes(t, func(t *testing.T) func() (engine.Engine, error) {
		path := filepath.Join(t.TempDir(), "app.db")
		return func() (engine.Engine, error) { return New(t.Context(), path, Options{Synchronous: "off"}) }
	})
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
		enginetest.Ask(e, call)
	}
	enginetest.Ask(e, "SET k v PX 1", "DEL big0", "SET big1 v", "PEXPIRE big2 1")
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
				enginetest.Ask(e, "INCR n", "HINCRBY h f 1")
				enginetest.Ask(e, "GET n", "HGETALL h")
			}
		})
	}
	all.Wait()
	if got, want := enginetest.Ask(e, "GET n", "HGET h f"), "$3 400 $3 400"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if other, err := New(t.Context(), path, Options{BusyTimeout: 10 * time.Millisecond}); !errors.Is(err, keyspace.ErrBusy) {
		t.Errorf("another one opens it: %v", err)
		_ = other.Close()
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if got := enginetest.Ask(open1(t, path), "GET n"); got != "$3 400" {
		t.Errorf("what was written is %s", got)
	}
}
