package postgres

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
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

// ask runs calls, each a line of words, as one batch.
func ask(t *testing.T, e engine.Engine, lines ...string) string {
	t.Helper()
	b := engine.Batch{}
	for _, line := range lines {
		words, _ := resp.SplitWords([]byte(line))
		b.Calls = append(b.Calls, words)
	}
	return do(e, &b)
}

func do(e engine.Engine, b *engine.Batch) string {
	var w resp.Writer
	if err := e.Do(context.Background(), b, &w); err != nil {
		return "error: " + err.Error()
	}
	return strings.TrimSpace(strings.ReplaceAll(string(w.Buf), "\r\n", " "))
}

func TestKeysOutliveTheProcess(t *testing.T) {
	url := testenv.SharedPostgres(t).Fresh(t)
	e := open1(t, url)
	ask(t, e, "SET s v", "RPUSH l a b", "SADD t x", "ZADD z 1.5 m", "HSET h f v", "XADD x 1-1 f v", "PEXPIRE h 100000")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open1(t, url)
	got := ask(t, e, "GET s", "LRANGE l 0 -1", "SMEMBERS t", "ZSCORE z m", "HGET h f", "XRANGE x - +", "DBSIZE")
	if want := "$1 v *2 $1 a $1 b *1 $1 x $3 1.5 $1 v *1 *2 $3 1-1 *2 $1 f $1 v :6"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestTwoProcessesShareADatabase has two engines, which know nothing of each other, on one database.
func TestTwoProcessesShareADatabase(t *testing.T) {
	url := testenv.SharedPostgres(t).Fresh(t)
	engines := []engine.Engine{open1(t, url), open1(t, url)}
	const each = 100
	var all sync.WaitGroup
	for i := range 8 {
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

func TestAProcessHearsWhatAnotherOnePushes(t *testing.T) {
	url := testenv.SharedPostgres(t).Fresh(t)
	a, b := open1(t, url), open1(t, url)
	for round := range 3 {
		got := make(chan string)
		go func() {
			batch := engine.Batch{Wait: true, Calls: []engine.Call{{[]byte("BLPOP"), []byte("l"), []byte("20")}}}
			got <- do(a, &batch)
		}()
		for a.Waiting() == 0 {
			time.Sleep(time.Millisecond)
		}
		ask(t, b, fmt.Sprintf("RPUSH l %d", round))
		if got, want := <-got, fmt.Sprintf("*2 $1 l $1 %d", round); got != want {
			t.Errorf("round %d: %q, want %q", round, got, want)
		}
	}
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
			if got := ask(t, e, "INCR n"); strings.HasPrefix(got, "-") {
				t.Error(got)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := ask(t, open1(t, url), "GET n"); got != "$1 4" {
		t.Errorf("got %s", got)
	}
}

func TestAfterARestartOfTheServerTheNextCallWorks(t *testing.T) {
	db := testenv.Postgres(t, "fsync=off")
	e := open1(t, db.URL())
	ask(t, e, "SET k v", "RPUSH l a")
	db.Kill()
	if got := ask(t, e, "SET k w"); !strings.HasPrefix(got, "error: ") {
		t.Errorf("without a server SET answers %s", got)
	}
	if err := db.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, e, "GET k", "LRANGE l 0 -1"); got != "$1 v *1 $1 a" {
		t.Errorf("got %s", got)
	}
	if err := db.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, e, "SET k x", "RPUSH l b"); got != "+OK :2" {
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
			if got := do(e, &engine.Batch{Calls: []engine.Call{call}}); got != c[0] {
				t.Errorf("name of %d bytes: %v: %.80s, want %s", n, c[1:], got, c[0])
			}
		}
	}
}
