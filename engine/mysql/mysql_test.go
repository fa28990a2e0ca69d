package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redbud-go/redbud/engine/memory"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/engine/enginetest"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/sqlstore"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// driverOf returns a driver for the database that a URL names.
func driverOf(t *testing.T, rawURL string) *database {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	config, _, err := parse(u)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDriver(config)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// newStore opens a store on a database of which all tables are emptied: to make them for each test would take minutes.
func newStore(t *testing.T, d *database) keyspace.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), d, sqlstore.Options{Seed: 1, Readers: 2})
	if err != nil {
		t.Fatal(err)
	}
	c := &conn{d: d, write: true}
	if err := c.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var deletes []string
	for _, table := range strings.Fields("key orphan hash list set zset stream entry group consumer pending listener news") {
		deletes = append(deletes, "DELETE FROM redbud_"+table)
	}
	if err := c.Script(strings.Join(append(deletes, "COMMIT"), ";\n")); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestURLsNameADatabase(t *testing.T) {
	for text, want := range map[string]string{
		"mysql://host/db":                                  "tcp host:3306 db :  false 10s 0",
		"mysql://u:p%40w@host:3307/db":                     "tcp host:3307 db u: p@w false 10s 0",
		"mariadb://[::1]/db":                               "tcp [::1]:3306 db :  false 10s 0",
		"mysql:///db":                                      "tcp localhost:3306 db :  false 10s 0",
		"mysql://u@/db?socket=/run/my.sock":                "unix /run/my.sock db u:  false 10s 0",
		"mysql://h/db?tls=true":                            "tcp h:3306 db :  true 10s 0",
		"mysql://h/db?tls=skip-verify&readers=9":           "tcp h:3306 db :  skip-verify 10s 9",
		"mysql://h/db?connect_timeout=1500ms":              "tcp h:3306 db :  false 1.5s 0",
		"mysql://h":                                        "error: name of a database",
		"mysql://h/":                                       "error: name of a database",
		"mysql://h/a/b":                                    "error: name of a database",
		"mysql:db":                                         "error: name of a database",
		"mysql://h/db?socket=/run/my.sock":                 "error: a host is named, too",
		"mysql://h/db?tls=maybe":                           "error: true, false, preferred or skip-verify",
		"mysql://h/db?readers=0":                           "error: 1 to 1000",
		"mysql://h/db?readers=many":                        "error: readers=many",
		"mysql://h/db?connect_timeout=0s":                  "error: above zero",
		"mysql://h/db?ca_file=/etc/ca.pem":                 "error: tls=true only",
		"mysql://h/db?tls=true&ca_file=/missing/ca.pem":    "error: /missing/ca.pem",
		"mysql://h/db?charset=utf8mb4&readers=3":           "error: does not know the parameter \"charset\"; it knows ca_file, connect_timeout, readers, socket and tls",
		"mysql://h/db?allowAllFiles=true&multiStatements=": "error: does not know the parameter",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		c, readers, err := parse(u)
		got := ""
		if err != nil {
			got = "error: " + err.Error()
		} else {
			got = fmt.Sprintf("%s %s %s %s: %s %s %v %d", c.Net, c.Addr, c.DBName, c.User, c.Passwd, c.TLSConfig, c.Timeout, readers)
		}
		if part, refused := strings.CutPrefix(want, "error: "); refused != (err != nil) || refused && !strings.Contains(got, part) || !refused && got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// open1 opens an engine on a database; it ends with the test.
func open1(t *testing.T, u string) engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// do runs one call.
func do(t *testing.T, e engine.Engine, words ...string) string {
	t.Helper()
	call := engine.Call{}
	for _, word := range words {
		call = append(call, []byte(word))
	}
	var w resp.Writer
	if err := e.Do(context.Background(), &engine.Batch{Calls: []engine.Call{call}}, &w); err != nil {
		return "error: " + err.Error()
	}
	return string(w.Buf)
}

func TestEveryStatementIsOneToMariaDB(t *testing.T) {
	d := driverOf(t, testenv.SharedMariaDB(t).Fresh(t))
	newStore(t, d)
	c := &conn{d: d, write: true}
	if err := c.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, q := range sqlstore.All() {
		for size, n := range runSizes {
			s, err := c.statement(q, size)
			if err != nil {
				t.Error(err)
				continue
			}
			if s == noStatement {
				continue
			}
			text, _ := d.Dialect().Bulk(q, n)
			if inputs := s.NumInput(); inputs != len(s.params) {
				t.Errorf("%s%s: %d parameters, of which %d are known", d.Dialect().Text(q), text, inputs, len(s.params))
			}
			for _, p := range s.params {
				if p.Arg >= n*q.Params {
					t.Errorf("%s%s: argument %d of %d", d.Dialect().Text(q), text, p.Arg+1, n*q.Params)
				}
			}
		}
	}
}

func TestProcessesShareADatabase(t *testing.T) {
	enginetest.Processes(t, func(t *testing.T) func() (engine.Engine, error) {
		u := testenv.SharedMariaDB(t).Fresh(t)
		return func() (engine.Engine, error) { return engine.Open(t.Context(), u) }
	})
}

// run runs statements on a database, as an application does.
func run(t *testing.T, u string, statements ...string) {
	t.Helper()
	c := &conn{d: driverOf(t, u), write: true}
	if err := c.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Script(strings.Join(append(statements, "COMMIT"), ";\n")); err != nil {
		t.Fatal(err)
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	u := testenv.SharedMariaDB(t).Fresh(t)
	if err := open1(t, u).Close(); err != nil {
		t.Fatal(err)
	}
	run(t, u, "UPDATE redbud_meta SET value = 99 WHERE name = 'version'")
	if _, err := New(t.Context(), u, Options{}); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("it opens: %v", err)
	}
}

func TestTablesAreMadeOnceByManyAndAfterACut(t *testing.T) {
	u := testenv.SharedMariaDB(t).Fresh(t)
	// Somebody was cut off while it made tables, and again before the last rows.
	run(t, u, "CREATE TABLE redbud_orphan (collection BIGINT PRIMARY KEY, type SMALLINT NOT NULL)",
		"CREATE TABLE redbud_meta (name VARBINARY(32) PRIMARY KEY, value BIGINT NOT NULL)")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			e, err := New(context.Background(), u, Options{Readers: 1})
			if err != nil {
				t.Error(err)
				return
			}
			if got := enginetest.Ask(e, "INCR n"); got[0] != ':' {
				t.Errorf("INCR: %s", got)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := enginetest.Ask(open1(t, u), "GET n", "DBSIZE"); got != "$1 4 :1" {
		t.Errorf("GET n, DBSIZE: %s", got)
	}
}

func TestADatabaseThatCannotBeOpenedIsAnError(t *testing.T) {
	u, err := url.Parse(testenv.SharedMariaDB(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/missing"
	if _, err := New(t.Context(), u.String(), Options{}); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a database that is not there: %v", err)
	}
}

func TestTheNextCommandAfterARestartWorks(t *testing.T) {
	d := testenv.MariaDB(t)
	e := open1(t, d.URL())
	enginetest.Ask(e, "SET k v", "INCR n")
	if err := d.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := enginetest.Ask(e, "GET k"); got != "$1 v" {
		t.Errorf("a read: %s", got)
	}
	if err := d.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := enginetest.Ask(e, "INCR n", "RPUSH l a"); got != ":2 :1" {
		t.Errorf("a write: %s", got)
	}
	d.Kill()
	for _, call := range []string{"GET k", "INCR n"} {
		if got := enginetest.Ask(e, call); !strings.HasPrefix(got, "error: ") && !strings.HasPrefix(got, "-") {
			t.Errorf("%s without a server: %s", call, got)
		}
	}
	if err := d.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := enginetest.Ask(e, "INCR n", "GET k", "LRANGE l 0 -1"); got != ":3 $1 v *1 $1 a" {
		t.Errorf("after it was down: %s", got)
	}
}

// TestAKilledConnectionLetsOthersWrite has a writer stop in the middle, as one does whose machine is lost.
func TestAKilledConnectionLetsOthersWrite(t *testing.T) {
	u := testenv.SharedMariaDB(t).Fresh(t)
	e := open1(t, u)
	enginetest.Ask(e, "SET k v")
	d := driverOf(t, u)
	c := &conn{d: d, write: true}
	if err := c.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	id, err := c.ask("SELECT connection_id()")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Begin(true); err != nil {
		t.Fatal(err)
	}
	if err := c.start(); err != nil { // it has the lock
		t.Fatal(err)
	}
	if err := c.control("UPDATE redbud_key SET value = 'half'"); err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() { got <- enginetest.Ask(e, "APPEND k w", "GET k") }()
	select {
	case early := <-got:
		t.Fatalf("two write at a time: %s", early)
	case <-time.After(50 * time.Millisecond):
	}
	run(t, u, fmt.Sprintf("KILL %d", id))
	if got := <-got; got != ":2 $2 vw" {
		t.Errorf("after it was killed: %s", got)
	}
	if err := c.control("COMMIT"); err == nil {
		t.Error("it commits though it was killed")
	}
	if err := c.Begin(true); !errors.Is(err, keyspace.ErrLost) {
		t.Errorf("its next transaction: %v", err)
	}
	if err := c.Begin(true); err != nil {
		t.Fatal(err)
	}
	if err := c.start(); err != nil {
		t.Errorf("the one after that: %v", err)
	}
	if err := c.Commit(); err != nil {
		t.Error(err)
	}
}

// names are such as text is not, and such as indexes do not take.
func names() []string {
	long := strings.Repeat("n", 767)
	return []string{"", "a\x00b", "a\x00", "\xff\xfe", "Ä", "ä", "a ", "a", "A", "\\'\"", long, long + "1", long + "2", long[:735], long[:736], strings.Repeat("k", 100<<10), strings.Repeat("k", 100<<10) + "\x00"}
}

func TestAllNamesAreApart(t *testing.T) {
	e := open1(t, testenv.SharedMariaDB(t).Fresh(t))
	all := names()
	for i, name := range all {
		value := fmt.Sprint(i)
		for _, call := range [][]string{
			{"SET", "s" + name, value}, {"RPUSH", "l" + name, name, value}, {"SADD", "set", name}, {"HSET", "hash", name, value}, {"ZADD", "zset", "0", name},
			{"XGROUP", "CREATE", "stream", name, "$", "MKSTREAM"}, {"XGROUP", "CREATECONSUMER", "stream", name, name}, {"RENAME", "s" + name, "r" + name},
		} {
			if got := do(t, e, call...); got[0] == '-' || strings.HasPrefix(got, "error") {
				t.Fatalf("%.20q: %.200s", call, got)
			}
		}
	}
	for i, name := range all {
		value := fmt.Sprintf("$%d\r\n%d\r\n", len(fmt.Sprint(i)), i)
		bulk := fmt.Sprintf("$%d\r\n%s\r\n", len(name), name)
		for _, c := range []struct {
			want string
			call []string
		}{
			{value, []string{"GET", "r" + name}}, {":0\r\n", []string{"EXISTS", "s" + name}}, {bulk, []string{"LINDEX", "l" + name, "0"}}, {":1\r\n", []string{"SISMEMBER", "set", name}},
			{value, []string{"HGET", "hash", name}}, {"$1\r\n0\r\n", []string{"ZSCORE", "zset", name}}, {":0\r\n", []string{"SADD", "set", name}}, {":0\r\n", []string{"HSET", "hash", name, fmt.Sprint(i)}},
			{":0\r\n", []string{"XGROUP", "CREATECONSUMER", "stream", name, name}},
		} {
			if got := do(t, e, c.call...); got != c.want {
				t.Errorf("%.20q: %.50q, want %.50q", c.call, got, c.want)
			}
		}
	}
	if got, n := enginetest.Ask(e, "SCARD set", "HLEN hash", "ZCARD zset", "DBSIZE"), len(all); got != fmt.Sprintf(":%d :%d :%d :%d", n, n, n, 2*n+4) {
		t.Errorf("SCARD, HLEN, ZCARD, DBSIZE: %s", got)
	}
}

// TestMembersAreInTheOrderOfTheirBytes compares with the memory engine where indexes have but the beginning of names.
func TestMembersAreInTheOrderOfTheirBytes(t *testing.T) {
	e := open1(t, testenv.SharedMariaDB(t).Fresh(t))
	m := memory.New(memory.Options{})
	defer m.Close()
	start := strings.Repeat("m", 736)
	both := func(words ...string) {
		t.Helper()
		if got, want := do(t, e, words...), do(t, m, words...); got != want {
			t.Errorf("%.30q: %.100q…, want %.100q…", words, got, want)
		}
	}
	fill := func() {
		both("DEL", "z", "lex")
		for i, end := range []string{"", "x", strings.Repeat("a", 30), strings.Repeat("a", 31), strings.Repeat("a", 32), strings.Repeat("z", 31), "b" + strings.Repeat("a", 40), "c" + strings.Repeat("a", 40), strings.Repeat("\xff", 50), "a\x00", "a"} {
			both("ZADD", "z", "1", start+end, fmt.Sprint(i), fmt.Sprint("short ", i), "1", end)
			both("ZADD", "lex", "0", start+end, "0", end, "0", start[:i*70])
		}
	}
	fill()
	for _, key := range []string{"z", "lex"} {
		for from := range 30 {
			both("ZRANGE", key, fmt.Sprint(from), "40", "WITHSCORES")
			both("ZRANGE", key, fmt.Sprint(from), fmt.Sprint(from+1))
			both("ZRANGE", key, fmt.Sprint(from), fmt.Sprint(from+3), "REV")
			both("ZRANGE", key, "-inf", "+inf", "BYSCORE", "LIMIT", fmt.Sprint(from), "3")
			both("ZRANGE", key, "1", "(0", "BYSCORE", "REV", "LIMIT", fmt.Sprint(from), "3")
		}
	}
	for _, end := range []string{"", "a", "aaaa", strings.Repeat("a", 31), "b", strings.Repeat("a", 32), "b" + strings.Repeat("a", 40), "z", strings.Repeat("\xff", 50), "missing"} {
		for _, name := range []string{start + end, end, start[:700] + end} {
			both("ZRANK", "z", name, "WITHSCORE")
			both("ZREVRANK", "lex", name)
			for _, open := range []string{"[", "("} {
				both("ZRANGEBYLEX", "lex", open+name, "+")
				both("ZRANGEBYLEX", "lex", "-", open+name)
				both("ZREVRANGEBYLEX", "lex", open+name, "-", "LIMIT", "1", "4")
				both("ZLEXCOUNT", "lex", open+name, "["+start+"b")
			}
		}
	}
	for from := range 12 {
		both("ZREMRANGEBYRANK", "z", fmt.Sprint(from), fmt.Sprint(from+1))
		both("ZREMRANGEBYRANK", "lex", fmt.Sprint(-2-from), fmt.Sprint(-1-from))
		both("ZRANGE", "z", "0", "-1")
		both("ZRANGE", "lex", "0", "-1")
	}
	fill()
	both("ZREMRANGEBYLEX", "lex", "("+start+"aaaa", "["+start+"c")
	both("ZPOPMIN", "lex", "5")
	both("ZPOPMAX", "lex", "5")
	both("ZRANGE", "lex", "0", "-1")
}

func TestScoresMayBeInfinite(t *testing.T) {
	e := open1(t, testenv.SharedMariaDB(t).Fresh(t))
	enginetest.Ask(e, "ZADD z inf up -inf down 1.7976931348623157e308 most -1.7976931348623157e308 least 0.1 some 4.9e-324 tiny")
	for call, want := range map[string]string{
		"ZRANGE z 0 -1":           "*6 $4 down $5 least $4 tiny $4 some $4 most $2 up",
		"ZSCORE z up":             "$3 inf",
		"ZSCORE z down":           "$4 -inf",
		"ZSCORE z some":           "$3 0.1",
		"ZSCORE z most":           "$23 1.7976931348623155e+308", // the next smaller one: the largest of a DOUBLE stands for infinity
		"ZCOUNT z -inf +inf":      ":6",
		"ZCOUNT z (-inf (inf":     ":4",
		"ZRANGEBYSCORE z inf inf": "*1 $2 up",
		"ZCOUNT z 0 1e-300":       ":1",
	} {
		if got := enginetest.Ask(e, call); got != want {
			t.Errorf("%s: %s, want %s", call, got, want)
		}
	}
}

func TestLargeValuesComeBack(t *testing.T) {
	e := open1(t, testenv.SharedMariaDB(t).Fresh(t))
	value := bytes.Repeat([]byte("0123456\x00\xff"), 64<<20/9)
	for _, call := range [][]string{{"SET", "k", string(value)}, {"HSET", "h", "f", string(value)}} {
		if got := do(t, e, call...); got[0] != '+' && got[0] != ':' {
			t.Fatalf("%s: %.200s", call[0], got)
		}
	}
	for _, call := range [][]string{{"GET", "k"}, {"HGET", "h", "f"}} {
		if got := do(t, e, call...); got != fmt.Sprintf("$%d\r\n%s\r\n", len(value), value) {
			t.Errorf("%s: %d bytes, %.50q…", call[0], len(got), got)
		}
	}
}

func TestAValueThatIsTooLargeIsRefused(t *testing.T) {
	d := testenv.MariaDB(t, "max-allowed-packet=1M")
	e := open1(t, d.URL())
	enginetest.Ask(e, "SET k v")
	var w resp.Writer
	err := e.Do(context.Background(), &engine.Batch{Calls: []engine.Call{{[]byte("SET"), []byte("other"), []byte("v")}, {[]byte("SET"), []byte("k"), make([]byte, 1<<20)}}}, &w)
	if want := "ERR too large for the database: 1048576 bytes, where max_allowed_packet is 1048576"; !strings.Contains(fmt.Sprint(err, string(w.Buf)), want) {
		t.Errorf("a value of a MiB: %v, %.200q", err, w.Buf)
	}
	if got := enginetest.Ask(e, "GET k", "EXISTS other", "INCR n"); got != "$1 v :0 :1" {
		t.Errorf("after it: %s", got)
	}
	large := strings.Repeat("x", 1<<20-packetHeader)
	if got := do(t, e, "SET", "k", large); got != "+OK\r\n" {
		t.Errorf("one that just fits: %.200s", got)
	}
	if got := do(t, e, "GET", "k"); len(got) < len(large) {
		t.Errorf("one that just fits comes back: %.200s", got)
	}
	many := []string{"RPUSH", "l"}
	for range 100 { // together they are more than a packet
		many = append(many, large[:100_000])
	}
	if got := do(t, e, many...); got != ":100\r\n" {
		t.Errorf("RPUSH: %.200s", got)
	}
}
