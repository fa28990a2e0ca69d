// A PostgreSQL of the tests' own.

package testenv

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// postgresInHaste are the settings of a server whose data need not survive the machine.
var postgresInHaste = []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off"}

// StartPostgres starts a PostgreSQL for a program that is not a test, which then calls Stop. The settings are as for
// Postgres. Where the binaries are missing, the error is an exec.ErrNotFound that says how to install them. As root
// refuses to be its master, root starts it as the user postgres, or else nobody.
func StartPostgres(settings ...string) (*Database, error) {
	initdb, err := findInitdb("/usr/lib/postgresql")
	if err != nil {
		return nil, err
	}
	account, err := unprivileged("postgres")
	if err != nil {
		return nil, err
	}
	d := &Database{
		daemon: daemon{
			name:    "postgres",
			path:    filepath.Join(filepath.Dir(initdb), "postgres"),
			account: account,
			orphan:  syscall.SIGQUIT, // on which it ends at once, but leaves no shared memory behind
		},
		product: product{
			scheme: "postgres",
			query:  "sslmode=disable",
			open:   openPostgres,
			drop:   dropPostgres,
		},
	}
	d.swept = d.forgetCrash
	return startDatabase(d, initdb, func(dir string, port int) (init, server []string) {
		d.Socket = filepath.Join(dir, ".s.PGSQL."+strconv.Itoa(port)) // PostgreSQL chooses the name
		init = []string{
			"-D", dataIn(dir), "-U", databaseUser, "--encoding", "UTF8", "--locale", "C", "--no-sync",
			// Only we get into the directory with the socket, so who comes that way needs no password.
			"--auth-local", "trust", "--auth-host", "scram-sha-256",
		}
		server = []string{
			"-D", dataIn(dir), "-p", strconv.Itoa(port), "-h", "127.0.0.1", "-k", dir,
			"-c", "max_connections=200",
			"-c", "jit=off",
			// In files, which go away with the directory.
			"-c", "dynamic_shared_memory_type=mmap",
		}
		for _, s := range settings {
			server = append(server, "-c", s)
		}
		return init, server
	},
		"ALTER USER "+databaseUser+" PASSWORD '"+databasePassword+"'",
		"CREATE DATABASE "+databaseUser,
	)
}

// findInitdb finds the program next to which the server is. Debian has a directory for each version and none of them in
// the PATH.
func findInitdb(versions string) (string, error) {
	dirs, err := filepath.Glob(filepath.Join(versions, "*", "bin"))
	if err != nil {
		return "", err
	}
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir))) // 0 for what came before 10, which was 9.6
		return n
	}
	slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	path, err := find("initdb", dirs...)
	if err != nil {
		return "", missing("PostgreSQL's initdb", "postgresql", err)
	}
	// Through the link that another system may have in its PATH, to where the server is.
	return filepath.EvalSymlinks(path)
}

func openPostgres(d *Database, database string) (*sql.DB, error) {
	if database == "" {
		database = "postgres"
	}
	_, port, err := net.SplitHostPort(d.Addr)
	if err != nil {
		return nil, err
	}
	query := url.Values{"host": {d.dir}, "port": {port}, "sslmode": {"disable"}}
	return sql.Open("pgx", fmt.Sprintf("postgres://%s@/%s?%s", databaseUser, database, query.Encode()))
}

func dropPostgres(ctx context.Context, db *sql.DB, database string) error {
	_, err := db.ExecContext(ctx, "DROP DATABASE "+database+" WITH (FORCE)")
	return err
}

// forgetCrash removes what a killed server leaves of itself: the note of its process id, which another process may have
// by now, and the shared memory by which it tells that nobody else uses its files. Its format is of miscadmin.h: the
// seventh line has the key and the id of that memory.
func (d *Database) forgetCrash() {
	note := filepath.Join(dataIn(d.dir), "postmaster.pid")
	b, err := os.ReadFile(note)
	if err != nil {
		return // it had not come that far
	}
	if lines := bytes.Split(b, []byte("\n")); len(lines) > 6 {
		if f := bytes.Fields(lines[6]); len(f) == 2 {
			if id, err := strconv.Atoi(string(f[1])); err == nil {
				removeSegment(id)
			}
		}
	}
	_ = os.Remove(note) // if it can't be, the server says so when it starts
}
