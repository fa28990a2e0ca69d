// SQL databases: a server, and in it as many empty databases as tests want.

package testenv

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// Who the tests are in every database server. The account may do everything.
const (
	databaseUser     = "redbud"
	databasePassword = "secret"
)

// Database is one running SQL server. Its methods may be called from several goroutines.
type Database struct {
	daemon
	product
	fresh atomic.Int64 // how many Fresh has made
}

// product is how PostgreSQL and MariaDB differ.
type product struct {
	scheme string // of a URL
	query  string // of a URL
	// open returns a handle for one of the server's databases, none if the name is empty, through its unix socket.
	open func(d *Database, database string) (*sql.DB, error)
	// drop drops a database which may still be used.
	drop func(ctx context.Context, db *sql.DB, database string) error
}

// URL is what redbud.Open takes to reach the server's database "redbud", which is empty at the start.
func (d *Database) URL() string { return d.url(databaseUser) }

func (d *Database) url(database string) string {
	return (&url.URL{
		Scheme:   d.scheme,
		User:     url.UserPassword(databaseUser, databasePassword),
		Host:     d.Addr,
		Path:     "/" + database,
		RawQuery: d.query,
	}).String()
}

// Fresh makes an empty database and returns its URL. When the test ends the database is dropped, with those who still use
// it cut off, unless the server is down by then.
func (d *Database) Fresh(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("fresh_%d", d.fresh.Add(1))
	if err := d.exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.PID() == 0 {
			return
		}
		if err := d.dropDatabase(name); err != nil {
			t.Errorf("drop %s: %v", name, err)
		}
	})
	return d.url(name)
}

func (d *Database) dropDatabase(name string) error {
	return d.use(func(ctx context.Context, db *sql.DB) error { return d.drop(ctx, db, name) })
}

// exec executes statements as the one who may do everything, in no database in particular.
func (d *Database) exec(statements ...string) error {
	return d.use(func(ctx context.Context, db *sql.DB) error {
		for _, s := range statements {
			if _, err := db.ExecContext(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	})
}

func (d *Database) use(f func(ctx context.Context, db *sql.DB) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	db, err := d.open(d, "")
	if err != nil {
		return err
	}
	defer db.Close()
	return f(ctx, db)
}

// startDatabase prepares the server's directory by running init in it, then starts the server and sets it up. argv are
// the arguments of both.
func startDatabase(d *Database, init string, argv func(dir string, port int) (init, server []string), setup ...string) (*Database, error) {
	// By the socket, not by the port, where somebody else might answer.
	d.ready = func() error { return d.exec("SELECT 1") }
	err := d.launch(1, func(dir string, ports []int) error {
		if err := d.account.own(dir); err != nil {
			return err
		}
		var args []string
		args, d.argv = argv(dir, ports[0])
		if err := d.runOnce(init, args...); err != nil {
			return fmt.Errorf("%w; its log ends with:\n%s", err, d.logTail())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := d.exec(setup...); err != nil {
		d.Stop()
		return nil, fmt.Errorf("set %s up: %w", d.name, err)
	}
	return d, nil
}

// runOnce runs a program in the server's directory to its end.
func (d *daemon) runOnce(path string, args ...string) error {
	p, err := startProcess(d.dir, d.attr(), path, args...)
	if err != nil {
		return fmt.Errorf("run %s: %w", filepath.Base(path), err)
	}
	select {
	case <-p.done:
	case <-time.After(startLimit):
		p.kill()
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("run %s: %v", filepath.Base(path), p.cmd.ProcessState)
	}
	return nil
}

func dataIn(dir string) string { return filepath.Join(dir, "data") }

// find looks for a program in the PATH and then in the directories.
func find(name string, dirs ...string) (string, error) {
	path, err := exec.LookPath(name)
	for _, dir := range dirs {
		if err == nil {
			break
		}
		// What is missing there is reported as if it were missing in the PATH, which is what one can change.
		if there, e := exec.LookPath(filepath.Join(dir, name)); e == nil {
			path, err = there, nil
		}
	}
	return path, err
}
