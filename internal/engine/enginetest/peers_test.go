// Several processes on one database: engines that know nothing of each other, as if each were one.

package enginetest

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	zsqlite "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/redbud-go/redbud/engine/mysql"
	"github.com/redbud-go/redbud/engine/postgres"
	"github.com/redbud-go/redbud/engine/sqlite"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/testenv"
	"github.com/redbud-go/redbud/server"
)

// database is one that several processes have.
type database struct {
	url   string
	now   func(now func() time.Time) (engine.Engine, error) // opens it with a clock
	query func(statement string) (first int64, err error)   // of its only column; 0 if there is none
}

// databases make a new database of each kind.
var databases = map[string]func(t *testing.T) *database{
	"SQLite": func(t *testing.T) *database {
		path := filepath.Join(t.TempDir(), "app.db")
		return &database{
			url: "sqlite:" + url.PathEscape(path),
			now: func(now func() time.Time) (engine.Engine, error) {
				return sqlite.New(t.Context(), path, sqlite.Options{Synchronous: "off", Now: now})
			},
			query: func(statement string) (int64, error) { return querySQLite(path, statement) },
		}
	},
	"PostgreSQL": func(t *testing.T) *database {
		url := testenv.SharedPostgres(t).Fresh(t)
		return &database{
			url: url,
			now: func(now func() time.Time) (engine.Engine, error) {
				return postgres.New(t.Context(), url, postgres.Options{Now: now})
			},
			query: func(statement string) (int64, error) { return querySQL("pgx", url, statement) },
		}
	},
	"MariaDB": func(t *testing.T) *database {
		url := testenv.SharedMariaDB(t).Fresh(t)
		return &database{
			url: url,
			now: func(now func() time.Time) (engine.Engine, error) {
				return mysql.New(t.Context(), url, mysql.Options{Now: now})
			},
			query: func(statement string) (int64, error) { return querySQL("mysql", dsnOfMariaDB(t, url), statement) },
		}
	},
}

func querySQLite(path, statement string) (first int64, err error) {
	c, err := zsqlite.OpenConn(path, zsqlite.OpenReadWrite)
	if err != nil {
		return 0, err
	}
	c.SetBusyTimeout(10 * time.Second)
	err = sqlitex.ExecuteTransient(c, statement, &sqlitex.ExecOptions{ResultFunc: func(s *zsqlite.Stmt) error {
		first = s.ColumnInt64(0)
		return nil
	}})
	return first, errors.Join(err, c.Close())
}

// dsnOfMariaDB is a URL as the driver takes it.
func dsnOfMariaDB(t *testing.T, rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	c := driver.NewConfig()
	c.Net, c.Addr, c.DBName, c.User = "tcp", u.Host, strings.TrimPrefix(u.Path, "/"), u.User.Username()
	c.Passwd, _ = u.User.Password()
	return c.FormatDSN()
}

func querySQL(driver, url, statement string) (first int64, err error) {
	db, err := sql.Open(driver, url)
	if err != nil {
		return 0, err
	}
	if err = db.QueryRow(statement).Scan(&first); errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return first, errors.Join(err, db.Close())
}

// open opens the database with a clock that is so many seconds ahead.
func (d *database) open(t *testing.T, ahead *atomic.Int64) engine.Engine {
	t.Helper()
	e, err := d.now(func() time.Time { return time.Now().Add(time.Duration(ahead.Load()) * time.Second) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() }) // some are closed before
	return e
}

// run runs a statement.
func (d *database) run(t *testing.T, statement string) (first int64) {
	t.Helper()
	first, err := d.query(statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return first
}

// do runs calls, each a line of words, as one batch.
func do(t *testing.T, e engine.Engine, lines ...string) string {
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
	return oneLine(w.Buf)
}

func oneLine(b []byte) string { return strings.TrimSpace(strings.ReplaceAll(string(b), "\r\n", " ")) }

// onEachDatabase runs a test with two engines on one database.
func onEachDatabase(t *testing.T, f func(t *testing.T, d *database, a, b engine.Engine)) {
	for name, fresh := range databases {
		t.Run(name, func(t *testing.T) {
			d := fresh(t)
			f(t, d, d.open(t, new(atomic.Int64)), d.open(t, new(atomic.Int64)))
		})
	}
}

// rows is how many there are in a table.
func (d *database) rows(t *testing.T, table string) int64 {
	return d.run(t, "SELECT count(*) FROM "+table)
}

// empties waits until nothing is left in a table.
func (d *database) empties(t *testing.T, table string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); d.rows(t, table) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s still has %d rows", table, d.rows(t, table))
		}
	}
}

// client is a connection to an engine in the third version of the protocol.
type client struct {
	t     *testing.T
	conn  net.Conn
	heard chan string
}

// dial connects to an engine. All connections to it share a hub.
func dial(t *testing.T, e engine.Engine, hub *server.Hub) *client {
	t.Helper()
	c := &client{t, server.Pipe(e, server.Options{Hub: hub, Logger: slog.New(slog.DiscardHandler)}), make(chan string, 10000)}
	t.Cleanup(func() { _ = c.conn.Close() })
	go c.read()
	if reply := c.ask("HELLO 3"); !strings.HasPrefix(reply, "%") {
		t.Fatalf("HELLO 3: %s", reply)
	}
	return c
}

// read passes on all replies and messages, each in a line, and closes heard when the connection ends.
func (c *client) read() {
	defer close(c.heard)
	var buf []byte
	part := make([]byte, 1<<16)
	for {
		n, err := c.conn.Read(part)
		if err != nil {
			return
		}
		buf = append(buf, part[:n]...)
		for len(buf) > 0 {
			_, rest, err := resp.DecodeValue(buf)
			if err != nil {
				break // not all of it is there
			}
			c.heard <- oneLine(buf[:len(buf)-len(rest)])
			buf = rest
		}
	}
}

// next is the next reply or message, or the end.
func (c *client) next() string {
	c.t.Helper()
	select {
	case line, ok := <-c.heard:
		if !ok {
			return "the end"
		}
		return line
	case <-time.After(20 * time.Second):
		c.t.Fatal("nothing came")
		return ""
	}
}

// ask makes a call and returns the next that comes.
func (c *client) ask(line string) string {
	c.t.Helper()
	if _, err := c.conn.Write([]byte(line + "\r\n")); err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	return c.next()
}

// expect compares what comes next.
func (c *client) expect(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if got := c.next(); got != w {
			c.t.Fatalf("got %s\nwant %s", got, w)
		}
	}
}

// push is a message as the third version of the protocol has it.
func push(words ...string) string {
	line := fmt.Sprintf(">%d", len(words))
	for _, word := range words {
		line += fmt.Sprintf(" $%d %s", len(word), word)
	}
	return line
}

// invalidation is what a client is told of a key that it has a copy of.
func invalidation(key string) string {
	return fmt.Sprintf(">2 $10 invalidate *1 $%d %s", len(key), key)
}

const invalidationOfAll = ">2 $10 invalidate _"

func TestMessagesReachOtherProcesses(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, _ *database, a, b engine.Engine) {
		s, p := dial(t, b, nil), dial(t, b, nil)
		s.ask("SUBSCRIBE news")
		s.ask("SSUBSCRIBE shard")
		p.ask("PSUBSCRIBE n*")
		if got := do(t, a, "PUBLISH news one", "SPUBLISH shard two", "PUBLISH unheard of", "PUBLISH shard wrong"); got != ":0 :0 :0 :0" {
			t.Errorf("the listeners of other processes do not count: %s", got)
		}
		s.expect(push("message", "news", "one"), push("smessage", "shard", "two"))
		p.expect(push("pmessage", "n*", "news", "one"))
		m := dial(t, a, nil)
		for _, line := range []string{"MULTI", "PUBLISH news three", "SET k v"} {
			m.ask(line)
		}
		if got := m.ask("EXEC"); got != "*2 :0 +OK" {
			t.Errorf("EXEC: %s", got)
		}
		if got := do(t, a, "EVAL \"return redis.call('PUBLISH','news','four')\" 0"); got != ":0" {
			t.Errorf("EVAL: %s", got)
		}
		s.expect(push("message", "news", "three"), push("message", "news", "four"))
		if got := do(t, b, "PUBLISH news five"); got != ":2" {
			t.Errorf("PUBLISH: %s", got)
		}
		s.expect(push("message", "news", "five"))
	})
}

func TestMessagesOfAPublisherKeepTheirOrder(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, _ *database, a, b engine.Engine) {
		s := dial(t, b, nil)
		s.ask("SUBSCRIBE x")
		s.ask("SUBSCRIBE y")
		done := make(chan struct{})
		go func() { // which disturbs
			defer close(done)
			for range 300 {
				do(t, b, "INCR n")
			}
		}()
		for i := range 300 {
			do(t, a, fmt.Sprintf("PUBLISH x %d", i), fmt.Sprintf("PUBLISH y %d", i))
		}
		<-done
		for i := range 300 {
			s.expect(push("message", "x", fmt.Sprint(i)), push("message", "y", fmt.Sprint(i)))
		}
	})
}

func TestKeyEventsReachOtherProcesses(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, _ *database, a, b engine.Engine) {
		s := dial(t, b, nil)
		s.ask("PSUBSCRIBE __keyevent@*__:*")
		do(t, a, "SET unheard v")
		if got := do(t, b, "CONFIG SET notify-keyspace-events Eg$lx"); got != "+OK" { // of which the subscriber's row tells by now
			t.Fatal(got)
		}
		w := dial(t, a, nil)
		for _, line := range []string{"SET k v", "SELECT 1", "RPUSH l x", "SADD s x", "DEL l", "PSETEX p 1 v"} {
			w.ask(line)
		}
		event := func(db int, name, key string) string {
			return push("pmessage", "__keyevent@*__:*", fmt.Sprintf("__keyevent@%d__:%s", db, name), key)
		}
		s.expect(event(0, "set", "k"), event(1, "rpush", "l"), event(1, "del", "l"), event(1, "set", "p"), event(1, "expire", "p"), event(1, "expired", "p"))
		do(t, b, "CONFIG SET notify-keyspace-events E$")
		do(t, a, "RPUSH l x", "SET k v")
		s.expect(event(0, "set", "k"))
	})
}

func TestClientsThatTrackHearOfOtherProcesses(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, _ *database, a, b engine.Engine) {
		hub := server.NewHub()
		c, all := dial(t, b, hub), dial(t, b, hub)
		c.ask("CLIENT TRACKING ON NOLOOP")
		all.ask("CLIENT TRACKING ON BCAST PREFIX user:")
		for _, round := range []struct{ read, write, told string }{
			{"GET k", "SET k 1", invalidation("k")},
			{"GET k", "INCR k", invalidation("k")},
			{"LRANGE l 0 -1", "RPUSH l a b", invalidation("l")},
			{"GET k", "FLUSHALL", invalidationOfAll},
		} {
			c.ask(round.read)
			do(t, a, "SET other v", round.write)
			c.expect(round.told)
		}
		all.expect(invalidationOfAll)
		do(t, a, "MSET user:1 x y z user:2 x")
		all.expect(">2 $10 invalidate *2 $6 user:1 $6 user:2")
	})
}

// TestOnlyWhatSomebodyElseWantsIsWritten looks at the tables: a process does not write down what it tells itself.
func TestOnlyWhatSomebodyElseWantsIsWritten(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, d *database, a, b engine.Engine) {
		write := func(e engine.Engine) {
			t.Helper()
			do(t, e, "PUBLISH c 1", "SET k v", "CONFIG SET notify-keyspace-events KEA", "DEL k")
		}
		for _, e := range []engine.Engine{a, b, a} {
			write(e)
		}
		if news, listeners := d.rows(t, "redbud_news"), d.rows(t, "redbud_listener"); news != 0 || listeners != 0 {
			t.Errorf("nobody listens: %d news, %d listeners", news, listeners)
		}
		s := dial(t, b, nil)
		s.ask("SSUBSCRIBE shard")
		do(t, a, "SET k v", "DEL k")
		if news := d.rows(t, "redbud_news"); news != 0 {
			t.Errorf("nobody listens to keys: %d news", news)
		}
		write(b) // which looks who listens, since another has written
		if news, listeners := d.rows(t, "redbud_news"), d.rows(t, "redbud_listener"); news != 0 || listeners != 1 {
			t.Errorf("only the process that writes listens: %d news, %d listeners", news, listeners)
		}
		do(t, a, "SPUBLISH shard hello", "SET k v")
		s.expect(push("smessage", "shard", "hello"))
		if news := d.rows(t, "redbud_news"); news != 1 {
			t.Errorf("a batch with a message: %d news", news)
		}
	})
}

func TestWhoDoesNotListenAnyMoreHasNoRow(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, d *database, a, b engine.Engine) {
		s := dial(t, b, nil)
		for range 2 {
			s.ask("SUBSCRIBE c")
			if n := d.rows(t, "redbud_listener"); n != 1 {
				t.Fatalf("%d rows", n)
			}
			s.ask("UNSUBSCRIBE c")
			d.empties(t, "redbud_listener")
			do(t, a, "PUBLISH c 1")
		}
		s.ask("SUBSCRIBE c")
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if n := d.rows(t, "redbud_listener"); n != 0 {
			t.Errorf("the engine is closed: %d rows", n)
		}
		do(t, a, "PUBLISH c 1")
		if n := d.rows(t, "redbud_news"); n != 0 {
			t.Errorf("nobody listens: %d news", n)
		}
	})
}

// A transaction that fails half-way tells nobody what it had to tell.
func TestWhatIsRolledBackIsNotTold(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, d *database, a, b engine.Engine) {
		clients := []*client{dial(t, a, nil), dial(t, b, nil)}
		for i, c := range clients {
			do(t, []engine.Engine{a, b}[i], "CONFIG SET notify-keyspace-events KEA")
			c.ask("CLIENT TRACKING ON")
			c.ask("GET k")
			c.ask("SUBSCRIBE c")
			c.ask("PSUBSCRIBE __key*")
		}
		d.run(t, "ALTER TABLE redbud_hash RENAME TO elsewhere")
		m := dial(t, a, nil)
		for _, line := range []string{"MULTI", "PUBLISH c lost", "SET k v", "HSET h f v"} {
			m.ask(line)
		}
		if got := m.ask("EXEC"); !strings.HasPrefix(got, "-") {
			t.Errorf("EXEC: %s", got)
		}
		d.run(t, "ALTER TABLE elsewhere RENAME TO redbud_hash")
		do(t, a, "PUBLISH c kept")
		for _, c := range clients {
			c.expect(push("message", "c", "kept"))
		}
		if got := do(t, b, "EXISTS k h"); got != ":0" {
			t.Errorf("half of it is there: %s", got)
		}
	})
}

// A process that was away for longer than its row is good cannot know what it has missed.
func TestWhoWasAwayTooLongTakesAllForChanged(t *testing.T) {
	for name, fresh := range databases {
		t.Run(name, func(t *testing.T) {
			d := fresh(t)
			var ahead atomic.Int64
			a, b := d.open(t, new(atomic.Int64)), d.open(t, &ahead)
			hub := server.NewHub()
			c, s := dial(t, b, hub), dial(t, b, hub)
			c.ask("CLIENT TRACKING ON")
			c.ask("GET k")
			s.ask("SUBSCRIBE c")
			ahead.Store(60)
			c.expect(invalidationOfAll)
			s.expect("the end")
			c.ask("GET k")
			do(t, a, "SET k v")
			c.expect(invalidation("k"))
		})
	}
}

func TestOldNewsAreSwept(t *testing.T) {
	for name, fresh := range databases {
		t.Run(name, func(t *testing.T) {
			d := fresh(t)
			var ahead atomic.Int64
			a, b := d.open(t, new(atomic.Int64)), d.open(t, &ahead)
			s := dial(t, a, nil)
			s.ask("SUBSCRIBE c")
			for i := range 1000 {
				do(t, b, fmt.Sprintf("PUBLISH c %d", i))
			}
			if n := d.rows(t, "redbud_news"); n != 1000 {
				t.Errorf("%d news", n)
			}
			ahead.Store(120)
			d.empties(t, "redbud_news")
		})
	}
}

// What is listened to inside a transaction is known to others when it is answered.
func TestATransactionMaySubscribe(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, _ *database, a, b engine.Engine) {
		hub := server.NewHub()
		c, other := dial(t, b, hub), dial(t, b, hub)
		for _, line := range []string{"MULTI", "SET k v", "SUBSCRIBE c", "CLIENT TRACKING ON", "GET k"} {
			c.ask(line)
		}
		other.ask("CLIENT TRACKING ON")
		c.ask("EXEC")
		do(t, a, "PUBLISH c 1")
		for got := ""; got != push("message", "c", "1"); {
			if got = c.next(); got == "the end" {
				t.Fatal("the connection has ended")
			}
		}
	})
}

// listenUntilKilled is the environment variable that makes a test listen to a channel of a database until it is killed.
const listenUntilKilled = "REDBUD_TEST_LISTEN"

// TestAListenerThatWasKilledIsForgotten starts itself as the other process.
func TestAListenerThatWasKilledIsForgotten(t *testing.T) {
	if url := os.Getenv(listenUntilKilled); url != "" {
		e, err := engine.Open(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		dial(t, e, nil).ask("SUBSCRIBE c")
		fmt.Println("listens")
		select {}
	}
	for name, fresh := range databases {
		t.Run(name, func(t *testing.T) {
			d := fresh(t)
			var ahead atomic.Int64
			e := d.open(t, &ahead)
			child := exec.Command(os.Args[0], "-test.run", "^TestAListenerThatWasKilledIsForgotten$")
			child.Env = append(os.Environ(), listenUntilKilled+"="+d.url)
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = child.Wait() // it was killed
			if err != nil || line != "listens\n" {
				t.Fatalf("the other process says %q: %v", line, err)
			}
			if n := d.rows(t, "redbud_listener"); n != 1 {
				t.Fatalf("%d rows", n)
			}
			do(t, e, "PUBLISH c 1")
			if n := d.rows(t, "redbud_news"); n != 1 {
				t.Errorf("nobody knows yet that it is gone: %d news", n)
			}
			ahead.Store(30)
			do(t, e, "PUBLISH c 2")
			if n := d.rows(t, "redbud_news"); n != 1 {
				t.Errorf("it is gone: %d news", n)
			}
			d.empties(t, "redbud_listener")
		})
	}
}

// What expires is told by the sweeper, while the transactions of many are committed together: neither may wait for the other, or this
// test never ends.
func TestManyWriteWhileKeysExpire(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, _ *database, a, b engine.Engine) {
		engines := []engine.Engine{a, b}
		for _, e := range engines {
			do(t, e, "CONFIG SET notify-keyspace-events Ex")
			dial(t, e, nil).ask("SUBSCRIBE __keyevent@0__:expired")
		}
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				for n := range 500 {
					if got := do(t, engines[i%2], fmt.Sprintf("SET k%d v PX 1", n%50), "PUBLISH c x"); got != "+OK :0" {
						t.Errorf("got %s", got)
					}
				}
			})
		}
		all.Wait()
	})
}

// Reading has something to tell as well: that a key was looked for which is not there.
func TestMissesAreTold(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, _ *database, e, _ engine.Engine) {
		do(t, e, "CONFIG SET notify-keyspace-events Em")
		s := dial(t, e, nil)
		s.ask("SUBSCRIBE __keyevent@0__:keymiss")
		do(t, e, "GET nosuch")
		s.expect(push("message", "__keyevent@0__:keymiss", "nosuch"))
	})
}
