package postgres

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/engine/enginetest"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestURLsAreThoseOfLibpq(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://u:p@h:1/db?sslmode=disable&readers=9": "h 1 db u 9",
		"postgresql://h/db":                      "h 5432 db - 0",
		"postgres://u@h/db?readers=0":            "error: 1 to 1000",
		"postgres://u@h/db?readers=many":         "error: 1 to 1000",
		"postgres://u@h:port/db":                 "error: invalid port",
		"postgres://u@h/db?sslmode=whatever":     "error: sslmode",
		"postgres://u@h/db?connect_timeout=x":    "error: timeout",
		"postgres://u@h/db?search_path=mine":     "h 5432 db u 0",
		"postgres://u@h/db?sslrootcert=/no/such": "error: CA",
	} {
		u, err := url.Parse(text)
		var got string
		if err == nil {
			var conn string
			var o Options
			if conn, o, err = parse(u); err == nil {
				var d *driver
				if d, err = newDriver(conn); err == nil {
					user := d.config.User
					if u.User == nil {
						user = "-"
					}
					got = fmt.Sprint(d.config.Host, " ", d.config.Port, " ", d.config.Database, " ", user, " ", o.Readers)
				}
			}
		}
		if err != nil {
			got = "error: " + err.Error()
		}
		part, refused := strings.CutPrefix(want, "error: ")
		if refused && (err == nil || !strings.Contains(got, part)) || !refused && got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// open1 opens an engine on a database; it ends with the test.
func open1(t *testing.T, url string) *command.Engine {
	t.Helper()
	e, err := New(t.Context(), url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func TestProcessesShareADatabase(t *testing.T) {
	enginetest.Processes(t, func(t *testing.T) func() (engine.Engine, error) {
		url := testenv.SharedPostgres(t).Fresh(t)
		return func() (engine.Engine, error) { return engine.Open(t.Context(), url) }
	})
}

func TestANewerSchemaIsRefused(t *testing.T) {
	url := testenv.SharedPostgres(t).Fresh(t)
	if err := open1(t, url).Close(); err != nil {
		t.Fatal(err)
	}
	run(t, url, "UPDATE redbud_meta SET value = 99 WHERE name = 'version'")
	if _, err := New(t.Context(), url, Options{}); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("it opens: %v", err)
	}
}

// run executes SQL in a database.
func run(t *testing.T, url, text string) {
	t.Helper()
	c, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Exec(t.Context(), text).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

func TestSeveralProcessesMakeTheTablesAtOnce(t *testing.T) {
	url := testenv.SharedPostgres(t).Fresh(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			e, err := New(t.Context(), url, Options{Readers: 1})
			if err != nil {
				t.Error(err)
				return
			}
			if got := enginetest.Ask(e, "INCR n"); strings.HasPrefix(got, "-") {
				t.Error(got)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := enginetest.Ask(open1(t, url), "GET n"); got != "$1 4" {
		t.Errorf("got %s", got)
	}
}

func TestAfterARestartOfTheServerTheNextCallWorks(t *testing.T) {
	db := testenv.Postgres(t, "fsync=off")
	e := open1(t, db.URL())
	enginetest.Ask(e, "SET k v", "RPUSH l a")
	db.Kill()
	if got := enginetest.Ask(e, "SET k w"); !strings.HasPrefix(got, "error: ") {
		t.Errorf("without a server SET answers %s", got)
	}
	if err := db.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := enginetest.Ask(e, "GET k", "LRANGE l 0 -1"); got != "$1 v *1 $1 a" {
		t.Errorf("got %s", got)
	}
	if err := db.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := enginetest.Ask(e, "SET k x", "RPUSH l b"); got != "+OK :2" {
		t.Errorf("got %s", got)
	}
}

func TestNamesMayBeLongerThanIndexesTake(t *testing.T) {
	e := open1(t, testenv.SharedPostgres(t).Fresh(t))
	for _, n := range []int{1, 736, 767, 768, 769, 3000, 100 << 10} {
		name := bytes.Repeat([]byte{0xff, 0, '\'', '\\'}, n/4+1)[:n]
		other := append(bytes.Clone(name[:n-1]), 'z')
		for _, c := range [][]string{
			{"+OK", "SET", "%", "v"}, {"$1 v", "GET", "%"}, {"$-1", "GET", "$"}, {":1", "DEL", "%"},
			{":2", "HSET", "h", "%", "1", "$", "2"}, {"$1 1", "HGET", "h", "%"}, {"$1 2", "HGET", "h", "$"}, {":2", "HDEL", "h", "%", "$"},
			{":2", "SADD", "s", "%", "$"}, {":0", "SADD", "s", "$"}, {":1", "SISMEMBER", "s", "%"}, {":1", "SREM", "s", "%"}, {":1", "SREM", "s", "$"},
			{":2", "ZADD", "z", "1", "%", "1", "$"}, {"$1 1", "ZSCORE", "z", "%"}, {":1", "ZREM", "z", "$"}, {":0", "ZRANK", "z", "%"}, {":1", "DEL", "z"},
			{"+OK", "XGROUP", "CREATE", "x", "%", "0", "MKSTREAM"}, {":1", "XGROUP", "CREATECONSUMER", "x", "%", "$"}, {":1", "XGROUP", "DESTROY", "x", "%"}, {":1", "DEL", "x"},
		} {
			var call engine.Call
			for _, word := range c[1:] {
				switch word {
				case "%":
					call = append(call, name)
				case "$":
					call = append(call, other)
				default:
					call = append(call, []byte(word))
				}
			}
			if got := enginetest.Do(e, &engine.Batch{Calls: []engine.Call{call}}); got != c[0] {
				t.Errorf("name of %d bytes: %v: %.80s, want %s", n, c[1:], got, c[0])
			}
		}
	}
}
