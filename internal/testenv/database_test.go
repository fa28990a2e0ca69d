package testenv

import (
	"database/sql"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// databases are the servers that all of these tests are for.
var databases = map[string]struct {
	start   func(testing.TB, ...string) *Database
	try     func(...string) (*Database, error)
	shared  func(testing.TB) *Database
	show    string // a statement that tells a setting
	setting string // with which it tells 150
	denial  string // what somebody hears who has not the password
}{
	"postgres": {Postgres, StartPostgres, SharedPostgres, "SHOW max_connections", "max_connections=150", "authentication failed"},
	"mariadb":  {MariaDB, StartMariaDB, SharedMariaDB, "SELECT @@max_connections", "max_connections=150", "Access denied"},
}

func TestDatabaseEndsWithItsTest(t *testing.T) {
	for name, kind := range databases {
		t.Run(name, func(t *testing.T) {
			var d *Database
			var pid int
			t.Run("while it runs", func(t *testing.T) {
				d = kind.start(t)
				pid = d.PID()
				if got := ask(t, d.URL(), "SELECT 1"); got != "1" {
					t.Errorf("SELECT 1 gives %q", got)
				}
				if err := dial("unix", d.Socket); err != nil {
					t.Error(err)
				}
				if !strings.HasPrefix(d.Addr, "127.0.0.1:") {
					t.Errorf("Addr is %s", d.Addr)
				}
				if got := ask(t, d.URL(), kind.show); got != "200" {
					t.Errorf("%s gives %q", kind.show, got)
				}
			})
			mustBeGone(t, &d.daemon, pid)
		})
	}
}

func TestDatabaseWantsThePassword(t *testing.T) {
	for name, kind := range databases {
		t.Run(name, func(t *testing.T) {
			d := kind.shared(t)
			for _, user := range []*url.Userinfo{url.UserPassword(databaseUser, "wrong"), url.User("root"), url.User("postgres")} {
				u, err := url.Parse(d.URL())
				if err != nil {
					t.Fatal(err)
				}
				u.User = user
				db := open(t, u.String())
				if err := db.Ping(); err == nil || !strings.Contains(err.Error(), kind.denial) {
					t.Errorf("%s: error is %v, want %q", user, err, kind.denial)
				}
			}
		})
	}
}

func TestDatabaseSettingsWinOverOurs(t *testing.T) {
	for name, kind := range databases {
		t.Run(name, func(t *testing.T) {
			d := kind.start(t, kind.setting)
			if got := ask(t, d.URL(), kind.show); got != "150" {
				t.Errorf("%s gives %q with %s", kind.show, got, kind.setting)
			}
		})
	}
}

func TestBadDatabaseSettingSaysWhatTheServerSaid(t *testing.T) {
	for name, kind := range databases {
		t.Run(name, func(t *testing.T) {
			d, err := kind.try("no_such_setting=1")
			if errors.Is(err, exec.ErrNotFound) {
				check(t, err)
			}
			if err == nil {
				d.Stop()
				t.Fatal("the server starts")
			}
			if !strings.Contains(err.Error(), "no_such_setting") || !strings.Contains(err.Error(), "log ends with") {
				t.Errorf("error is %v, want the server's own words in it", err)
			}
		})
	}
}

func TestFreshDatabasesAreApartAndGoWithTheirTest(t *testing.T) {
	for name, kind := range databases {
		t.Run(name, func(t *testing.T) {
			d := kind.shared(t)
			var urls []string
			t.Run("while it runs", func(t *testing.T) {
				for _, value := range []string{"one", "two"} {
					u := d.Fresh(t)
					urls = append(urls, u)
					// Were it the same database, the second table could not be made.
					tell(t, u, "CREATE TABLE t (v VARCHAR(10))", "INSERT INTO t VALUES ('"+value+"')")
				}
				if one, two := ask(t, urls[0], "SELECT v FROM t"), ask(t, urls[1], "SELECT v FROM t"); one != "one" || two != "two" {
					t.Errorf("the databases have %q and %q", one, two)
				}
			})
			for _, u := range urls {
				db := open(t, u)
				if err := db.Ping(); err == nil {
					t.Errorf("%s is still there", u)
				}
			}
			if got := ask(t, d.URL(), "SELECT 1"); got != "1" {
				t.Errorf("SELECT 1 gives %q afterwards", got)
			}
		})
	}
}

func TestFreshDatabaseGoesThoughATransactionIsOpen(t *testing.T) {
	for name, kind := range databases {
		t.Run(name, func(t *testing.T) {
			d := kind.shared(t)
			var u string
			ok := t.Run("while it runs", func(inner *testing.T) {
				u = d.Fresh(inner)
				tell(inner, u, "CREATE TABLE t (v VARCHAR(10))")
				tx, err := open(t, u).Begin()
				if err != nil {
					inner.Fatal(err)
				}
				t.Cleanup(func() { _ = tx.Rollback() }) // of the outer test; by then it was cut off
				if _, err := tx.Exec("INSERT INTO t VALUES ('v')"); err != nil {
					inner.Fatal(err)
				}
			})
			if err := open(t, u).Ping(); !ok || err == nil {
				t.Errorf("%s is still there", u)
			}
		})
	}
}

func TestKilledDatabaseComesBackWithWhatWasCommitted(t *testing.T) {
	for name, kind := range databases {
		t.Run(name, func(t *testing.T) {
			d := kind.start(t)
			u := d.Fresh(t)
			tell(t, u, "CREATE TABLE t (v VARCHAR(10))", "INSERT INTO t VALUES ('kept')")
			tx, err := open(t, u).Begin()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback() }() // whose server is gone
			if _, err := tx.Exec("INSERT INTO t VALUES ('lost')"); err != nil {
				t.Fatal(err)
			}
			addr, pid := d.Addr, d.PID()
			d.Kill()
			if err := dial("tcp", d.Addr); err == nil {
				t.Error("the port is open after Kill")
			}
			if d.PID() != 0 || alive(pid) {
				t.Errorf("PID is %d after Kill", d.PID())
			}
			if err := d.Restart(); err != nil {
				t.Fatal(err)
			}
			if d.Addr != addr || d.PID() == pid || d.PID() == 0 {
				t.Errorf("from %s, process %d to %s, process %d", addr, pid, d.Addr, d.PID())
			}
			if got := ask(t, u, "SELECT v FROM t"); got != "kept" {
				t.Errorf("the table has %q", got)
			}
			// Without a Kill before it, and once more: what the first one left must not be in its way.
			for range 3 {
				if err := d.Restart(); err != nil {
					t.Fatal(err)
				}
			}
			if got := ask(t, u, "SELECT v FROM t"); got != "kept" {
				t.Errorf("the table has %q after a second restart", got)
			}
		})
	}
}

func TestSharedDatabaseIsOneAndEndsWithMain(t *testing.T) {
	for name, kind := range databases {
		t.Run(name, func(t *testing.T) {
			if one, two := kind.shared(t), kind.shared(t); one != two {
				t.Error("two calls, two servers")
			}
			var l lazy
			var d *Database
			var pid int
			wrapped{runner(func() int {
				slot := &l.postgres
				if name == "mariadb" {
					slot = &l.mariadb
				}
				d = share(t, &l, slot, kind.try)
				pid = d.PID()
				return 0
			}), &l}.Run()
			mustBeGone(t, &d.daemon, pid)
		})
	}
}

func TestMissingDatabaseNamesThePackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := findInitdb(t.TempDir())
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "on Debian it is in the package postgresql (") {
		t.Errorf("PostgreSQL: %v", err)
	}
	_, _, err = findMariaDB(t.TempDir())
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "on Debian it is in the package mariadb-server (") {
		t.Errorf("MariaDB: %v", err)
	}
}

func TestNewestPostgresIsFound(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	versions := t.TempDir()
	for _, v := range []string{"9.6", "15", "9", "13"} {
		dir := filepath.Join(versions, v, "bin")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"initdb", "initdb.exe"} {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	path, err := findInitdb(versions)
	if err != nil || filepath.Base(filepath.Dir(filepath.Dir(path))) != "15" {
		t.Errorf("found %s, %v", path, err)
	}
}

// ask returns the only value of a query's only row.
func ask(t *testing.T, u, query string) string {
	t.Helper()
	rows, err := open(t, u).Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.Join(all, "\n")
}

func tell(t *testing.T, u string, statements ...string) {
	t.Helper()
	db := open(t, u)
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// open opens a database by its URL, until the test ends.
func open(t *testing.T, raw string) *sql.DB {
	t.Helper()
	open := func(u string) (*sql.DB, error) { return sql.Open("pgx", u) }
	if strings.HasPrefix(raw, "mysql:") {
		open = openMySQL
	}
	db, err := open(raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// openMySQL takes a URL, which the driver does not.
func openMySQL(raw string) (*sql.DB, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	c.Passwd, _ = u.User.Password()
	c.Logger = &mysql.NopLogger{} // what goes wrong is in the error as well
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}
