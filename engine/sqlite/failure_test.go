package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/engine/enginetest"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/sqlstore"
)

// openWith opens an engine on a file; it ends with the test.
func openWith(t *testing.T, path string, o Options) engine.Engine {
	t.Helper()
	e, err := New(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// expect runs calls as one batch and compares the replies; of an error, its beginning is enough.
func expect(t *testing.T, e engine.Engine, want string, lines ...string) {
	t.Helper()
	got := enginetest.Ask(e, lines...)
	if got != want && !(strings.HasPrefix(want, "error: ") && strings.HasPrefix(got, want)) {
		t.Errorf("%.80q: %.300s, want %s", lines, got, want)
	}
}

// failureOf runs calls that are to fail as one batch.
func failureOf(t *testing.T, e engine.Engine, words ...string) error {
	t.Helper()
	var w resp.Writer
	call := engine.Call{}
	for _, word := range words {
		call = append(call, []byte(word))
	}
	err := e.Do(t.Context(), &engine.Batch{Calls: []engine.Call{call}}, &w)
	if err == nil {
		t.Errorf("%.80q: %.80q, want a failure", words, w.Buf)
	}
	return err
}

func other(t *testing.T, path string) *sqlite.Conn {
	t.Helper()
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func execute(t *testing.T, c *sqlite.Conn, text string) (n int64) {
	t.Helper()
	if err := sqlitex.ExecuteTransient(c, text, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		n = s.ColumnInt64(0)
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestABatchThatFindsTheDatabaseFullDoesNothing(t *testing.T) {
	e := openWith(t, filepath.Join(t.TempDir(), "app.db"), Options{MaxSize: 512 << 10})
	expect(t, e, "+OK", "CONFIG SET notify-keyspace-events KEA")
	var told []string
	l := e.Listen(func(m *engine.Message) { told = append(told, string(m.Payload)) })
	if err := l.Subscribe(t.Context(), engine.Pattern, []byte("__keyspace@*")); err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("x", 600<<10)
	expect(t, e, "error: MISCONF the database is full", "SET a 1", "RPUSH l x y", "HSET h f v", "SET big "+large, "INCR n")
	expect(t, e, "error: MISCONF the database is full", "APPEND big "+large)
	if err := failureOf(t, e, "SET", "big", large); !errors.Is(err, keyspace.ErrFull) {
		t.Errorf("it is no ErrFull: %v", err)
	}
	if err := l.Close(); err != nil || len(told) > 0 {
		t.Errorf("others are told of what was undone: %q, %v", told, err)
	}
	expect(t, e, ":0", "EXISTS a l h big n")
	expect(t, e, "+OK $1 1 :2", "SET a 1", "GET a", "RPUSH l x y")

	n := 0 // until nothing more fits
	for ; strings.HasPrefix(enginetest.Ask(e, fmt.Sprintf("SET k%d %s", n, large[:10<<10])), "+OK"); n++ {
	}
	expect(t, e, fmt.Sprintf(":%d", n), "EXISTS"+keys(n))
	expect(t, e, "$1 1", "GET a")
	expect(t, e, fmt.Sprintf(":%d +OK", n), "DEL"+keys(n), "SET k "+large[:10<<10])
}

// keys are n names with a space before each.
func keys(n int) (all string) {
	for i := range n {
		all += fmt.Sprintf(" k%d", i)
	}
	return all
}

func TestWhoWaitsTooLongForAnotherProcessIsToldToTryAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	e := openWith(t, path, Options{BusyTimeout: 20 * time.Millisecond})
	expect(t, e, "+OK", "SET k 1")
	c := other(t, path)
	execute(t, c, "BEGIN IMMEDIATE")
	expect(t, e, "error: TRYAGAIN the database is busy", "INCR k", "INCR k")
	if err := failureOf(t, e, "SET", "k", "2"); !errors.Is(err, keyspace.ErrBusy) {
		t.Errorf("it is no ErrBusy: %v", err)
	}
	expect(t, e, "$1 1", "GET k") // who reads does not wait
	if _, err := New(t.Context(), path, Options{BusyTimeout: time.Millisecond}); err != nil {
		t.Errorf("it cannot be opened meanwhile: %v", err)
	}
	execute(t, c, "ROLLBACK")
	expect(t, e, ":2 :3", "INCR k", "INCR k")
}

func TestADatabaseThatIsOnlyReadRefusesWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	if _, err := New(t.Context(), path, Options{ReadOnly: true}); err == nil {
		t.Error("a database that is not there opens")
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
	writer := openWith(t, path, Options{})
	expect(t, writer, "+OK :1", "SET k 1", "RPUSH l x")
	reader := openWith(t, path, Options{ReadOnly: true})
	for _, calls := range [][]string{{"SET k 2"}, {"GET k", "INCR k"}, {"BLPOP l 0"}, {"EVAL return(1) 0"}} {
		expect(t, reader, "error: READONLY the database can only be read", calls...)
		expect(t, reader, "$1 1 :1", "GET k", "LLEN l")
	}
	if err := failureOf(t, reader, "SET", "k", "2"); !errors.Is(err, keyspace.ErrReadOnly) {
		t.Errorf("it is no ErrReadOnly: %v", err)
	}
	expect(t, writer, "+OK", "SET k 3")
	expect(t, reader, "$1 3", "GET k")
}

func TestADatabaseWithoutTablesIsNotMadeByWhoOnlyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	c, err := sqlite.OpenConn(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	execute(t, c, "CREATE TABLE users (name TEXT)")
	if _, err := New(t.Context(), path, Options{ReadOnly: true}); !errors.Is(err, keyspace.ErrReadOnly) {
		t.Errorf("it opens: %v", err)
	}
	if n := execute(t, c, "SELECT count(*) FROM sqlite_master"); n != 1 {
		t.Errorf("there are %d tables", n)
	}
}

func TestAFileThatIsNoDatabaseIsLeftAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	text := bytes.Repeat([]byte("no database\n"), 1000)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), path, Options{}); !errors.Is(err, keyspace.ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("it opens: %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, text) {
		t.Errorf("it was changed: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect(t, openWith(t, path, Options{}), "+OK", "SET k 1")
}

func TestADamagedPageFailsWhatNeedsItAndNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	e := openWith(t, path, Options{})
	expect(t, e, "+OK :2 :1", "SET s v", "HSET h f v g w", "RPUSH l x")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	page := execute(t, c, "SELECT rootpage FROM sqlite_master WHERE name = 'redbud_hash'")
	size := execute(t, c, "PRAGMA page_size")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(whole)
	for i := range size {
		bad[(page-1)*size+i] = 0xa5
	}
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	e = openWith(t, path, Options{})
	for range 2 {
		expect(t, e, "error: ERR the database is damaged", "HGET h f")
		expect(t, e, "error: ERR the database is damaged", "SET s w", "RPUSH l y", "HSET h f x", "SET t 1")
		expect(t, e, "$1 v *1 $1 x :0", "GET s", "LRANGE l 0 -1", "EXISTS t")
	}
	expect(t, e, "+OK", "SET s w")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	now, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(now[(page-1)*size:page*size], whole[(page-1)*size:])
	if err := os.WriteFile(path, now, 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, openWith(t, path, Options{}), "$1 v :0 $1 w", "HGET h f", "HSET h f x", "GET s")
}

func TestAFileThatIsRemovedIsMissedAndFoundAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	e := openWith(t, path, Options{})
	expect(t, e, "+OK :1 :1", "SET k backup", "RPUSH l 0", "SADD s 0")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	backup, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e = openWith(t, path, Options{})
	expect(t, e, "+OK :1", "SET k later", "RPUSH newer 0")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, filepath.Join(dir, "away"+suffix)); err != nil {
			t.Skipf("a file that is open cannot be taken away here: %v", err)
		}
	}
	for _, call := range []string{"SET k lost", "GET k"} {
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			if got := enginetest.Ask(e, call); strings.HasPrefix(got, "error: MASTERDOWN the database was lost") {
				break
			} else if time.Now().After(end) {
				t.Fatalf("%s goes on without a file: %s", call, got)
			}
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty one was made in its place: %v", err)
	}
	if err := os.WriteFile(path, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, e, "$6 backup +OK", "GET k", "SET k now")
	for i := range 20 { // which of the connections reads is a matter of chance
		expect(t, e, "$3 now", "GET k")
		expect(t, e, fmt.Sprintf(":%d :1 :1", i+2), "RPUSH l x", fmt.Sprintf("SADD set%d m", i), fmt.Sprintf("HSET h f%d v", i))
	}
	expect(t, e, ":21 :1 :20 :0", "LLEN l", "SCARD s", "HLEN h", "EXISTS newer")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	c := other(t, path)
	if n := execute(t, c, "SELECT count(*) FROM redbud_list"); n != 21 {
		t.Errorf("%d elements are in the new file, want 21", n)
	}
}

// faulty is a database whose connections fail when fault says so.
type faulty struct {
	sqlstore.Driver
	mu    sync.Mutex // guards fault
	fault func(what string) error
}

func (f *faulty) Open(ctx context.Context, write bool) (sqlstore.Conn, error) {
	c, err := f.Driver.Open(ctx, write)
	return &faultyConn{c, f}, err
}

func (f *faulty) at(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault == nil {
		return nil
	}
	return f.fault(what)
}

func (f *faulty) set(fault func(what string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

type faultyConn struct {
	sqlstore.Conn
	f *faulty
}

func (c *faultyConn) Begin(write bool) error {
	if err := c.f.at("begin"); err != nil {
		return err
	}
	return c.Conn.Begin(write)
}

func (c *faultyConn) Commit() error {
	if err := c.f.at("commit"); err != nil {
		return err
	}
	return c.Conn.Commit()
}

func (c *faultyConn) Run(q *sqlstore.Query, args []sqlstore.Value, visit func(run int, r sqlstore.Row) error) (int64, error) {
	if err := c.f.at("run"); err != nil {
		return 0, err
	}
	return c.Conn.Run(q, args, visit)
}

func (c *faultyConn) Later(q *sqlstore.Query, args []sqlstore.Value, visit func(run int, r sqlstore.Row) error) error {
	if err := c.f.at("later"); err != nil {
		return err
	}
	return c.Conn.Later(q, args, visit)
}

// openFaulty opens an engine on a database that may fail.
func openFaulty(t *testing.T) (engine.Engine, *faulty) {
	f := &faulty{Driver: &driver{path: filepath.Join(t.TempDir(), "app.db"), synchronous: "off", busy: time.Second}}
	s, err := sqlstore.Open(t.Context(), f, sqlstore.Options{}) // nothing is swept meanwhile
	if err != nil {
		t.Fatal(err)
	}
	e := command.NewEngine(s, command.Options{})
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, f
}

// TestWhatAFailureLeaves lets each step of a batch fail in turn.
func TestWhatAFailureLeaves(t *testing.T) {
	batch := []string{"INCR n", "INCR m", "HSET h f v", "SET k v", "SORT l ALPHA"}
	const done = ":1 :1 :1 +OK *2 $1 a $1 b"
	for _, c := range []struct {
		err   error
		times int
		want  string
	}{
		{keyspace.ErrConflict, 1, done},
		{keyspace.ErrConflict, 99, done},
		{keyspace.ErrConflict, 100, "error: TRYAGAIN at "},
		{keyspace.ErrLost, 1, done},
		{keyspace.ErrLost, 2, "error: MASTERDOWN at "},
		{keyspace.ErrFull, 1, "error: MISCONF at "},
		{keyspace.ErrReadOnly, 1, "error: READONLY at "},
		{keyspace.ErrBusy, 1, "error: TRYAGAIN at "},
		{keyspace.ErrTooLarge, 1, "error: ERR at "},
		{keyspace.ErrDamaged, 1, "error: ERR at "},
		{keyspace.ErrInDoubt, 1, "error: ERR at "},
		{errors.New("else"), 1, "error: run batch: at "},
	} {
		t.Run(fmt.Sprint(c.err, " ", c.times), func(t *testing.T) {
			e, f := openFaulty(t)
			expect(t, e, ":2", "RPUSH l a b")
			step, left := 0, 0
			for ; left == 0; step++ {
				at := 0
				left = c.times
				f.set(func(what string) error {
					if at++; at <= step || left == 0 {
						return nil
					}
					left, at = left-1, 0
					return fmt.Errorf("at %s: %w", what, c.err)
				})
				got, want := enginetest.Ask(e, batch...), c.want
				f.set(nil)
				if left == c.times { // the batch has no more steps
					want = done
				}
				if !strings.HasPrefix(got, want) {
					t.Fatalf("step %d: %s, want %s", step, got, want)
				}
				if got == done {
					expect(t, e, ":4", "DEL n m h k")
				}
				expect(t, e, ":0 :1", "EXISTS n m h k", "EXISTS l")
				expect(t, e, done, batch...)
				expect(t, e, ":4", "DEL n m h k")
			}
			if left != c.times || step < 8 {
				t.Errorf("only %d steps were looked at, and %d faults are left", step, left)
			}
		})
	}
}

// TestOnlyWhatWasAnsweredIsDoneWhenManyWriteAndSomeFail has many write at once, so that they are committed together.
func TestOnlyWhatWasAnsweredIsDoneWhenManyWriteAndSomeFail(t *testing.T) {
	const writers, each = 8, 80
	e, f := openFaulty(t)
	rng := rand.New(rand.NewPCG(1, 1))
	faults := []error{keyspace.ErrConflict, keyspace.ErrLost, keyspace.ErrFull, keyspace.ErrBusy}
	f.set(func(what string) error { // one at a time
		if rng.IntN(40) > 0 {
			return nil
		}
		return fmt.Errorf("at %s: %w", what, faults[rng.IntN(len(faults))])
	})
	var done, failed [writers]int
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for range each {
				got := enginetest.Ask(e, fmt.Sprintf("INCR n%d", i), fmt.Sprintf("RPUSH l%d x", i), "INCR total", fmt.Sprintf("HINCRBY h %d 1", i))
				if strings.HasPrefix(got, "error: ") {
					failed[i]++
				} else if done[i]++; !strings.HasPrefix(got, fmt.Sprintf(":%d :%d ", done[i], done[i])) {
					t.Errorf("writer %d: %s, the %d. that is done", i, got, done[i])
					return
				}
			}
		})
	}
	all.Wait()
	f.set(nil)
	total, failures := 0, 0
	for i := range writers {
		expect(t, e, fmt.Sprintf("%s :%d %s", bulk(done[i]), done[i], bulk(done[i])), fmt.Sprintf("GET n%d", i), fmt.Sprintf("LLEN l%d", i), fmt.Sprintf("HGET h %d", i))
		total, failures = total+done[i], failures+failed[i]
	}
	expect(t, e, bulk(total), "GET total")
	if failures == 0 || total < failures {
		t.Errorf("%d failed of %d", failures, writers*each)
	}
}

// bulk is a number as ask shows it.
func bulk(n int) string { return fmt.Sprintf("$%d %d", len(fmt.Sprint(n)), n) }

func TestAValueThatIsTooLargeIsRefused(t *testing.T) {
	d := &driver{path: filepath.Join(t.TempDir(), "app.db"), synchronous: "off"}
	s, err := sqlstore.Open(t.Context(), &small{d}, sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e := command.NewEngine(s, command.Options{})
	defer e.Close()
	large := strings.Repeat("x", 200<<10)
	expect(t, e, "error: ERR too large for the database", "SET a 1", "MSET b 1 c "+large+" d 1", "SET e 1")
	expect(t, e, ":0 +OK", "EXISTS a b c d e", "SET a 1")
}

// small is a database in which nothing is longer than 100,000 bytes.
type small struct{ sqlstore.Driver }

func (d *small) Open(ctx context.Context, write bool) (sqlstore.Conn, error) {
	c, err := d.Driver.Open(ctx, write)
	if err == nil {
		c.(*conn).db.Limit(sqlite.LimitLength, 100_000)
	}
	return c, err
}
