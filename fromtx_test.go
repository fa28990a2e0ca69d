package redbud

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite" // the driver sqlite
	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	_ "github.com/redbud-go/redbud/engine/mysql"
	_ "github.com/redbud-go/redbud/engine/postgres"
	_ "github.com/redbud-go/redbud/engine/sqlite"
	"github.com/redbud-go/redbud/internal/testenv"
)

// app is a program with a database, and a way to have transactions on it.
type app struct {
	scheme, url string
	sql         *sql.DB
	begin       func(t *testing.T, options *sql.TxOptions) *transaction
}

// transaction is one of a program's own.
type transaction struct {
	tx               any
	exec             func(statement string) error
	commit, rollback func() error
}

// onSQL gives an app transactions by database/sql.
func onSQL(a *app) *app {
	a.begin = func(t *testing.T, options *sql.TxOptions) *transaction {
		t.Helper()
		tx, err := a.sql.BeginTx(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tx.Rollback() }) // most are over by then
		return &transaction{tx, func(statement string) error { _, err := tx.Exec(statement); return err }, tx.Commit, tx.Rollback}
	}
	return a
}

// onZombiezen gives an app transactions by a connection of zombiezen's.
func onZombiezen(a *app, path string) *app {
	a.begin = func(t *testing.T, _ *sql.TxOptions) *transaction {
		t.Helper()
		c, err := zombiezen.OpenConn(path, zombiezen.OpenReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		exec := func(statement string) error { return sqlitex.ExecuteTransient(c, statement, nil) }
		if err := exec("BEGIN"); err != nil {
			t.Fatal(err)
		}
		return &transaction{c, exec, func() error { return exec("COMMIT") }, func() error { return exec("ROLLBACK") }}
	}
	return a
}

// onPgx gives an app transactions by a connection of pgx's.
func onPgx(a *app) *app {
	a.begin = func(t *testing.T, options *sql.TxOptions) *transaction {
		t.Helper()
		ctx := context.Background()
		c, err := pgx.Connect(ctx, a.url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close(ctx) })
		o := pgx.TxOptions{}
		if options != nil && options.Isolation == sql.LevelRepeatableRead {
			o.IsoLevel = pgx.RepeatableRead
		}
		tx, err := c.BeginTx(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		return &transaction{tx, func(statement string) error { _, err := tx.Exec(ctx, statement); return err },
			func() error { return tx.Commit(ctx) }, func() error { return tx.Rollback(ctx) }}
	}
	return a
}

func newApp(t *testing.T, scheme, driver, url, dsn string) *app {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	a := &app{scheme: scheme, url: url, sql: db}
	if _, err := db.Exec(`CREATE TABLE orders (id INTEGER PRIMARY KEY, what VARCHAR(100))`); err != nil {
		t.Fatal(err)
	}
	return a
}

func sqliteApp(t *testing.T) (a *app, path string) {
	path = filepath.ToSlash(filepath.Join(t.TempDir(), "app.db"))
	return newApp(t, "sqlite", "sqlite", "sqlite:"+path, "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)"), path
}

func postgresApp(t *testing.T) *app {
	u := testenv.SharedPostgres(t).Fresh(t)
	return newApp(t, "postgres", "pgx", u, u)
}

func mariadbApp(t *testing.T) *app {
	rawURL := testenv.SharedMariaDB(t).Fresh(t)
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName, c.User = "tcp", u.Host, strings.TrimPrefix(u.Path, "/"), u.User.Username()
	c.Passwd, _ = u.User.Password()
	return newApp(t, "mysql", "mysql", rawURL, c.FormatDSN())
}

// apps are all ways to have a transaction.
var apps = []struct {
	name, scheme string
	make         func(t *testing.T) *app
}{
	{"SQLite by database sql", "sqlite", func(t *testing.T) *app { a, _ := sqliteApp(t); return onSQL(a) }},
	{"SQLite by zombiezen", "sqlite", func(t *testing.T) *app { a, path := sqliteApp(t); return onZombiezen(a, path) }},
	{"PostgreSQL by database sql", "postgres", func(t *testing.T) *app { return onSQL(postgresApp(t)) }},
	{"PostgreSQL by pgx", "postgres", func(t *testing.T) *app { return onPgx(postgresApp(t)) }},
	{"MariaDB by database sql", "mysql", func(t *testing.T) *app { return onSQL(mariadbApp(t)) }},
}

// inEachWay runs a test with an app of each kind, but for some schemes, and its keys outside of transactions.
func inEachWay(t *testing.T, f func(t *testing.T, a *app, keys *DB), without ...string) {
	for _, c := range apps {
		if slices.Contains(without, c.scheme) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			a := c.make(t)
			f(t, a, a.open(t))
		})
	}
}

func (a *app) open(t *testing.T) *DB {
	t.Helper()
	keys, err := Open(t.Context(), a.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	return keys
}

// in begins a transaction and opens the keys in it.
func (a *app) in(t *testing.T) (*transaction, *DB) {
	t.Helper()
	tx := a.begin(t, nil)
	return tx, a.keysIn(t, tx)
}

func (a *app) keysIn(t *testing.T, tx *transaction) *DB {
	t.Helper()
	db, err := FromTx(context.Background(), a.scheme, tx.tx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (a *app) orders(t *testing.T) (n int) {
	t.Helper()
	if err := a.sql.QueryRow(`SELECT count(*) FROM orders`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answer is what a command answers, as text, or its error.
func answer(db redis.UniversalClient, args ...any) string {
	v, err := db.Do(context.Background(), args...).Result()
	switch {
	case err == redis.Nil:
		return ""
	case err != nil:
		return err.Error()
	}
	return fmt.Sprint(v)
}

func TestARowAndAKeyChangeTogetherOrNotAtAll(t *testing.T) {
	inEachWay(t, func(t *testing.T, a *app, keys *DB) {
		for i, c := range []struct {
			commit bool
			key    string
			orders int
		}{{true, "1", 1}, {false, "1", 1}, {true, "2", 2}, {false, "2", 2}} {
			tx, db := a.in(t)
			must(t, tx.exec(`INSERT INTO orders (id, what) VALUES (`+strconv.Itoa(i)+`, 'tea')`))
			must(t, db.Incr(t.Context(), "orders").Err())
			if err := db.HSet(t.Context(), "order", i, "tea").Err(); err != nil {
				t.Fatal(err)
			}
			if got := answer(keys, "GET", "orders"); i == 0 && got != "" {
				t.Errorf("others see the key before the commit: %q", got)
			}
			end := tx.rollback
			if c.commit {
				end = tx.commit
			}
			must(t, end())
			if n := a.orders(t); n != c.orders {
				t.Errorf("transaction %d: %d rows, want %d", i, n, c.orders)
			}
			if got := answer(keys, "GET", "orders"); got != c.key {
				t.Errorf("transaction %d: the key is %q, want %q", i, got, c.key)
			}
			if n, err := keys.HLen(t.Context(), "order").Result(); int(n) != c.orders || err != nil {
				t.Errorf("transaction %d: %d fields, %v, want %d", i, n, err, c.orders)
			}
		}
	})
}

func TestAllFamiliesRunInATransaction(t *testing.T) {
	long := strings.Repeat("l", 1000) // longer than indexes take
	calls := []struct {
		call []any
		want string
	}{
		{[]any{"SET", "s", "a\x00\xff"}, "OK"},
		{[]any{"APPEND", "s", ""}, "3"},
		{[]any{"GET", "s"}, "a\x00\xff"},
		{[]any{"SET", long, ""}, "OK"},
		{[]any{"STRLEN", long}, "0"},
		{[]any{"RENAME", long, "t" + long}, "OK"},
		{[]any{"EXISTS", long, "t" + long}, "1"},
		{[]any{"HSET", "h", "f", "1", long, "2", "", ""}, "3"},
		{[]any{"HSET", "h", "f", "1", long, "2"}, "0"},
		{[]any{"HINCRBY", "h", long, "5"}, "7"},
		{[]any{"HEXISTS", "h", ""}, "1"},
		{[]any{"RPUSH", "l", "a", "b", "c"}, "3"},
		{[]any{"LINSERT", "l", "BEFORE", "b", "x"}, "4"},
		{[]any{"LINDEX", "l", "1"}, "x"},
		{[]any{"SADD", "set", "a", long, "\xff"}, "3"},
		{[]any{"SISMEMBER", "set", long}, "1"},
		{[]any{"SINTERSTORE", "set2", "set", "set"}, "3"},
		{[]any{"ZADD", "z", "1", "a", "+inf", "b", "-inf", "c", "2.5", long}, "4"},
		{[]any{"ZSCORE", "z", "b"}, "+Inf"},
		{[]any{"ZRANK", "z", long}, "2"},
		{[]any{"ZINCRBY", "z", "1", "a"}, "2"},
		{[]any{"XADD", "x", "1-1", "f", "v"}, "1-1"},
		{[]any{"XGROUP", "CREATE", "x", "g", "0"}, "OK"},
		{[]any{"XACK", "x", "g", "1-1"}, "0"},
		{[]any{"XLEN", "x"}, "1"},
		{[]any{"PFADD", "p", "a"}, "1"},
		{[]any{"SETBIT", "bits", "7", "1"}, "0"},
		{[]any{"GEOADD", "geo", "13.3", "52.5", "Berlin"}, "1"},
		{[]any{"EXPIRE", "s", "100"}, "1"},
		{[]any{"TTL", "s"}, "100"},
		{[]any{"EVAL", "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])", "1", "script", "v"}, "v"},
		{[]any{"LPOP", "none"}, ""},
		{[]any{"INCR", "h"}, "WRONGTYPE Operation against a key holding the wrong kind of value"},
		{[]any{"DEL", "h", "set"}, "2"},
		{[]any{"DBSIZE"}, "10"},
	}
	inEachWay(t, func(t *testing.T, a *app, keys *DB) {
		tx, db := a.in(t)
		for _, c := range calls {
			if got := answer(db, c.call...); got != c.want {
				t.Errorf("%q: %q, want %q", c.call, got, c.want)
			}
		}
		must(t, tx.commit())
		if n, err := keys.DBSize(t.Context()).Result(); n != 10 || err != nil {
			t.Errorf("after the commit there are %d keys, %v", n, err)
		}
		if got := answer(keys, "ZSCORE", "z", "c"); got != "-Inf" {
			t.Errorf("a score is %q", got)
		}
	})
}

func TestPipelinesAndTransactionsRunInATransaction(t *testing.T) {
	inEachWay(t, func(t *testing.T, a *app, keys *DB) {
		ctx := t.Context()
		tx, db := a.in(t)
		three := func(p redis.Pipeliner) error {
			p.Incr(ctx, "n")
			p.RPush(ctx, "n", "x")
			p.Incr(ctx, "n")
			return nil
		}
		for i, run := range []func(context.Context, func(redis.Pipeliner) error) ([]redis.Cmder, error){db.Pipelined, db.TxPipelined} {
			cmds, err := run(ctx, three)
			if len(cmds) != 3 || !redis.HasErrorPrefix(err, "WRONGTYPE") {
				t.Fatalf("%d: %v, %v", i, cmds, err)
			}
			if n := cmds[2].(*redis.IntCmd).Val(); n != int64(2*i+2) {
				t.Errorf("%d: INCR: %d", i, n)
			}
		}
		if err := db.Watch(ctx, func(c *redis.Tx) error {
			_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Incr(ctx, "n"); return nil })
			return err
		}, "n"); err != nil {
			t.Errorf("WATCH: %v", err)
		}
		must(t, tx.commit())
		if got := answer(keys, "GET", "n"); got != "5" {
			t.Errorf("after the commit: %q", got)
		}
	})
}

func TestNothingWaitsOrListensInATransaction(t *testing.T) {
	inEachWay(t, func(t *testing.T, a *app, _ *DB) {
		ctx := t.Context()
		tx, db := a.in(t)
		if err := db.BLPop(ctx, 0, "l").Err(); err != redis.Nil {
			t.Errorf("BLPOP: %v", err)
		}
		if err := db.XRead(ctx, &redis.XReadArgs{Streams: []string{"x", "$"}, Block: 0}).Err(); err != redis.Nil {
			t.Errorf("XREAD: %v", err)
		}
		s := db.Subscribe(ctx, "c")
		defer s.Close()
		if _, err := s.Receive(ctx); err == nil || err.Error() != "ERR nothing is heard inside an SQL transaction, so there is no subscribing" {
			t.Errorf("SUBSCRIBE: %v", err)
		}
		if got := answer(db, "PUBLISH", "c", "m"); got != "0" {
			t.Errorf("PUBLISH: %s", got)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if err := tx.exec(`INSERT INTO orders (id) VALUES (1)`); err != nil {
			t.Errorf("after Close: %v", err)
		}
		must(t, tx.commit())
	})
}

func TestAfterItsEndATransactionHasNoCommands(t *testing.T) {
	inEachWay(t, func(t *testing.T, a *app, keys *DB) {
		for _, commit := range []bool{true, false} {
			tx, db := a.in(t)
			must(t, db.Set(t.Context(), "k", "v", 0).Err())
			if end := tx.rollback; commit {
				must(t, tx.commit())
			} else {
				must(t, end())
			}
			for range 2 {
				for _, call := range [][]any{{"SET", "k", "w"}, {"GET", "k"}, {"EVAL", "return redis.call('INCR', 'n')", "0"}} {
					got := answer(db, call...)
					if over := strings.Contains(got, "transaction is over") || strings.Contains(got, "transaction has already been") || strings.Contains(got, "tx is closed"); !over {
						t.Errorf("%q: %q", call, got)
					}
				}
			}
			if _, err := FromTx(t.Context(), a.scheme, tx.tx); err == nil {
				t.Error("it can be opened again")
			}
		}
		if got := answer(keys, "GET", "k"); got != "v" {
			t.Errorf("outside: %q", got)
		}
	})
}

func TestOthersHearOfATransactionOnceItIsCommitted(t *testing.T) {
	inEachWay(t, func(t *testing.T, a *app, keys *DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		s := keys.Subscribe(ctx, "c")
		defer s.Close()
		if _, err := s.Receive(ctx); err != nil {
			t.Fatal(err)
		}
		popped := make(chan string, 1)
		go func() {
			all, err := keys.BLPop(ctx, 0, "l").Result()
			popped <- strings.Join(all, " ") + errorText(err)
		}()
		for !strings.Contains(keys.Info(ctx, "clients").Val(), "blocked_clients:1") && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		must(t, keys.Set(ctx, "watched", "0", 0).Err())
		changed := keys.Watch(ctx, func(c *redis.Tx) error {
			for _, commit := range []bool{false, true} {
				tx, db := a.in(t)
				word := "undone"
				if commit {
					word = "done"
				}
				must(t, db.RPush(ctx, "l", word).Err())
				must(t, db.Set(ctx, "watched", word, 0).Err())
				must(t, db.Publish(ctx, "c", word).Err())
				select {
				case got := <-popped:
					t.Errorf("BLPOP before the end: %q", got)
				default:
				}
				if commit {
					must(t, tx.commit())
				} else {
					must(t, tx.rollback())
				}
			}
			_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, "watched", "mine", 0); return nil })
			return err
		}, "watched")
		if !errors.Is(changed, redis.TxFailedErr) {
			t.Errorf("WATCH: %v", changed)
		}
		if got := <-popped; got != "l done" {
			t.Errorf("BLPOP: %q", got)
		}
		if m, err := s.ReceiveMessage(ctx); err != nil || m.Payload != "done" {
			t.Errorf("message: %v, %v", m, err)
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestASavepointOfTheProgramsOwnUndoesCommands(t *testing.T) {
	inEachWay(t, func(t *testing.T, a *app, keys *DB) {
		ctx := t.Context()
		tx, db := a.in(t)
		must(t, db.Set(ctx, "kept", "1", 0).Err())
		must(t, tx.exec(`SAVEPOINT mine`))
		must(t, db.Set(ctx, "undone", "1", 0).Err())
		must(t, db.Incr(ctx, "kept").Err())
		must(t, tx.exec(`ROLLBACK TO SAVEPOINT mine`))
		if got := db.MGet(ctx, "undone", "kept").Val(); !slices.Equal(got, []any{nil, "1"}) {
			t.Errorf("in it: %v", got)
		}
		must(t, db.HSet(ctx, "h", "f", "v").Err())
		must(t, tx.commit())
		must(t, keys.HSet(ctx, "other", "f", "w").Err()) // of a block of numbers after those that were undone
		if got := answer(keys, "HGET", "h", "f"); got != "v" {
			t.Errorf("after the commit: %q", got)
		}
		if got := answer(keys, "EXISTS", "undone"); got != "0" {
			t.Errorf("what was undone is there: %s", got)
		}
	})
}

func TestATransactionThatSeesWhatWasIsToldToBeginAgain(t *testing.T) {
	inEachWay(t, func(t *testing.T, a *app, keys *DB) {
		ctx := t.Context()
		must(t, keys.Set(ctx, "n", "1", 0).Err())
		tx := a.begin(t, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		db := a.keysIn(t, tx)
		if got := answer(db, "GET", "n"); got != "1" {
			t.Fatalf("GET: %q", got)
		}
		must(t, keys.Incr(ctx, "n").Err())
		if got := answer(db, "GET", "n"); got != "1" {
			t.Errorf("it sees what was committed since: %q", got)
		}
		if got := answer(db, "INCR", "n"); !strings.HasPrefix(got, "TRYAGAIN ") {
			t.Errorf("INCR: %q", got)
		}
		must(t, tx.rollback())
		if got := answer(keys, "INCR", "n"); got != "3" {
			t.Errorf("afterwards: %q", got)
		}
	})
}

// TestTransactionsCompete has programs count, in rows and in a key, while others count by themselves.
func TestTransactionsCompete(t *testing.T) {
	const programs, rounds = 4, 8
	inEachWay(t, func(t *testing.T, a *app, keys *DB) {
		ctx := t.Context()
		var all sync.WaitGroup
		for p := range programs {
			all.Go(func() {
				for i := range rounds {
					if err := a.count(t, p*rounds+i); err != nil {
						t.Error(err)
					}
					if err := keys.Incr(ctx, "n").Err(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if n, err := keys.Get(ctx, "n").Int(); n != 2*programs*rounds || err != nil {
			t.Errorf("the key is %d, %v, want %d", n, err, 2*programs*rounds)
		}
		if n := a.orders(t); n != programs*rounds {
			t.Errorf("%d rows, want %d", n, programs*rounds)
		}
	})
}

// count adds a row and one to a key, in a transaction that begins again as long as it is told to.
func (a *app) count(t *testing.T, id int) error {
	for range 10_000 {
		tx, err := a.tryToCount(t, id)
		if err == nil {
			return tx.commit()
		}
		_ = tx.rollback() // the first error says more
		if !strings.HasPrefix(err.Error(), "TRYAGAIN ") {
			return err
		}
	}
	return errors.New("no try went well")
}

func (a *app) tryToCount(t *testing.T, id int) (*transaction, error) {
	tx := a.begin(t, nil)
	db, err := FromTx(t.Context(), a.scheme, tx.tx)
	if err != nil {
		return tx, err
	}
	defer db.Close()
	if err := db.Incr(t.Context(), "n").Err(); err != nil {
		return tx, err
	}
	return tx, tx.exec(`INSERT INTO orders (id) VALUES (` + strconv.Itoa(id) + `)`)
}

func TestOnlyTransactionsAreOpened(t *testing.T) {
	inEachWay(t, func(t *testing.T, a *app, _ *DB) {
		var none *sql.Tx
		for _, tx := range []any{nil, none, 1, a.sql} {
			if _, err := FromTx(t.Context(), a.scheme, tx); err == nil || !strings.Contains(err.Error(), "*sql.Tx") {
				t.Errorf("%T: %v", tx, err)
			}
		}
	})
	if _, err := FromTx(t.Context(), "sqlite", (*zombiezen.Conn)(nil)); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("no connection: %v", err)
	}
	if _, err := FromTx(t.Context(), "memory", nil); err == nil || !strings.Contains(err.Error(), "known are mariadb, mysql, postgres, postgresql, sqlite") {
		t.Errorf("memory: %v", err)
	}
	c, err := zombiezen.OpenConn(":memory:")
	must(t, err)
	defer c.Close()
	if _, err := FromTx(t.Context(), "sqlite", c); err == nil || !strings.Contains(err.Error(), "the connection is in no transaction") {
		t.Errorf("a connection in no transaction: %v", err)
	}
}

func TestADatabaseWithoutTablesSaysSo(t *testing.T) {
	for _, c := range apps {
		t.Run(c.name, func(t *testing.T) {
			a := c.make(t)
			tx := a.begin(t, nil)
			if _, err := FromTx(t.Context(), a.scheme, tx.tx); err == nil || !strings.Contains(err.Error(), "no tables for keys yet") {
				t.Errorf("%v", err)
			}
			must(t, tx.exec(`INSERT INTO orders (id) VALUES (1)`))
			must(t, tx.commit())
			keys := a.open(t)
			must(t, keys.Set(t.Context(), "k", "v", 0).Err())
			if _, err := a.sql.Exec(`UPDATE redbud_meta SET value = 1000 WHERE name = 'version'`); err != nil {
				t.Fatal(err)
			}
			tx = a.begin(t, nil)
			if _, err := FromTx(t.Context(), a.scheme, tx.tx); err == nil || !strings.Contains(err.Error(), "schema version 1000") {
				t.Errorf("a newer schema: %v", err)
			}
		})
	}
}

// patience is how a transaction is told not to wait long for others.
var patience = map[string]string{
	"sqlite":   `PRAGMA busy_timeout = 50`,
	"postgres": `SET LOCAL lock_timeout = '50ms'`,
	"mysql":    `SET SESSION innodb_lock_wait_timeout = 1`,
}

func TestWhoeverWaitsTooLongIsToldAndGoesOn(t *testing.T) {
	inEachWay(t, func(t *testing.T, a *app, keys *DB) {
		ctx := t.Context()
		first, holder := a.in(t)
		second, db := a.in(t)
		must(t, holder.Set(ctx, "k", "first", 0).Err())
		must(t, second.exec(patience[a.scheme]))
		for range 2 {
			if got := answer(db, "SET", "k", "second"); !strings.HasPrefix(got, "TRYAGAIN the database is busy") {
				t.Errorf("SET: %q", got)
			}
			if got := answer(db, "GET", "k"); got != "" {
				t.Errorf("GET: %q", got)
			}
		}
		must(t, first.rollback())
		if got := answer(db, "SET", "k", "second"); got != "OK" {
			t.Errorf("SET, when nobody is in the way: %q", got)
		}
		must(t, second.exec(`INSERT INTO orders (id) VALUES (1)`))
		must(t, second.commit())
		if got := answer(keys, "GET", "k"); got != "second" {
			t.Errorf("after the commit: %q", got)
		}
	})
}

// TestAStatementThatFailsLeavesTheTransaction takes a table away for a while. On MySQL that would end the transaction.
func TestAStatementThatFailsLeavesTheTransaction(t *testing.T) {
	inEachWay(t, func(t *testing.T, a *app, keys *DB) {
		ctx := t.Context()
		tx, db := a.in(t)
		must(t, tx.exec(`INSERT INTO orders (id) VALUES (1)`))
		must(t, tx.exec(`ALTER TABLE redbud_list RENAME TO elsewhere`))
		_, err := db.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, "half", "done", 0)
			p.RPush(ctx, "l", "a")
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "redbud_list") {
			t.Errorf("RPUSH: %v", err)
		}
		must(t, tx.exec(`ALTER TABLE elsewhere RENAME TO redbud_list`))
		if got := answer(db, "RPUSH", "l", "a"); got != "1" {
			t.Errorf("RPUSH, when there is a table: %q", got)
		}
		must(t, tx.commit())
		if got := answer(keys, "EXISTS", "half", "l"); got != "1" || a.orders(t) != 1 {
			t.Errorf("%s keys and %d rows", got, a.orders(t))
		}
	}, "mysql")
}

// TestADeadlockIsTold has two transactions wait for each other, which on SQLite they cannot: who writes is alone there.
func TestADeadlockIsTold(t *testing.T) {
	inEachWay(t, func(t *testing.T, a *app, _ *DB) {
		must(t, justExec(a, `INSERT INTO orders (id) VALUES (1)`))
		first, keys := a.in(t)
		second, others := a.in(t)
		must(t, keys.Set(t.Context(), "k", "first", 0).Err())
		must(t, second.exec(`UPDATE orders SET what = 'second' WHERE id = 1`))
		ended := make(chan error, 1)
		go func() { ended <- first.exec(`UPDATE orders SET what = 'first' WHERE id = 1`) }()
		got := answer(others, "SET", "k", "second")
		if got != "OK" { // the row is given up
			must(t, second.rollback())
		}
		err := <-ended
		switch {
		case err == nil && strings.HasPrefix(got, "TRYAGAIN another transaction got in the way, this one has to begin again"):
			must(t, first.commit())
		case err != nil && got == "OK":
			_ = first.rollback() // it is over already on MySQL
			must(t, second.commit())
		default:
			t.Errorf("UPDATE: %v; SET: %q", err, got)
		}
	}, "sqlite")
}

func justExec(a *app, statement string) error {
	_, err := a.sql.Exec(statement)
	return err
}
