// Package testenv starts private real servers for tests and stops them again: a Redis, a cluster of three masters, a
// master with its sentinels, a PostgreSQL, a MariaDB.
//
// Every server listens on free ports of the loopback interface only and on a unix socket, and keeps its files in a temporary
// directory of its own. A Redis persists nothing unless asked to. A server bound to a test ends with that test. Where the
// test process dies without cleaning up (a panic, a timeout, a kill), Linux takes the servers with it; elsewhere they
// are left behind.
//
// Redis 7.0, PostgreSQL 13 and MariaDB 10.11 or newer are needed. Where a binary is missing the test is skipped, saying which package has it; with
// REDBUD_REQUIRE_SERVERS=1 in the environment the test fails instead, so that CI can't turn green by testing nothing.
package testenv

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// Goroutine is the function in which one goroutine per running server waits for its process. A leak check that runs
// while servers do says goleak.IgnoreAnyFunction(testenv.Goroutine).
const Goroutine = "github.com/redbud-go/redbud/internal/testenv.(*process).run"

// Redis starts a redis-server that ends with the test. The args are options as redis-server takes them on its command
// line, such as "--requirepass", "secret", and win over those that testenv gives.
func Redis(t testing.TB, args ...string) *Server {
	t.Helper()
	s, err := StartRedis(args...)
	check(t, err)
	endWith(t, s)
	return s
}

// Cluster starts a cluster of three masters that together own all slots. It ends with the test. Forming it takes two to
// four seconds, since a master waits two seconds before it calls a cluster well.
func Cluster(t testing.TB) *ClusterSet {
	t.Helper()
	c, err := startCluster()
	check(t, err)
	endWith(t, c.Nodes...)
	return c
}

// Sentinel starts a master, its replica and three sentinels that watch them and know each other; two must agree to
// fail over. They end with the test. It takes two to four seconds, since sentinels greet each other every two.
func Sentinel(t testing.TB) *SentinelSet {
	t.Helper()
	s, err := startSentinel()
	check(t, err)
	endWith(t, s.servers()...)
	return s
}

// Postgres starts a PostgreSQL that ends with the test. The settings are as in postgresql.conf, such as "fsync=off", and
// win over those that testenv gives.
func Postgres(t testing.TB, settings ...string) *Database {
	t.Helper()
	d, err := StartPostgres(settings...)
	check(t, err)
	endWith(t, d)
	return d
}

// MariaDB starts a MariaDB that ends with the test. The settings are as in its configuration file, such as
// "innodb_flush_log_at_trx_commit=0", and win over those that testenv gives.
func MariaDB(t testing.TB, settings ...string) *Database {
	t.Helper()
	d, err := StartMariaDB(settings...)
	check(t, err)
	endWith(t, d)
	return d
}

// SharedRedis returns the redis-server that all tests of this process share; the first call starts it. The tests keep
// out of each other's way by key or by database number, and leave the server running. The package's tests need
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
// which stops it after the last test; without that, SharedRedis fails the test.
func SharedRedis(t testing.TB) *Server {
	t.Helper()
	return share(t, &shared, &shared.server, StartRedis)
}

// SharedCluster returns the cluster that all tests of this process share; the tests keep out of each other's way by key. TestMain
// is as for SharedRedis.
func SharedCluster(t testing.TB) *ClusterSet {
	t.Helper()
	return share(t, &shared, &shared.cluster, func(...string) (*ClusterSet, error) { return startCluster() })
}

// SharedPostgres returns the PostgreSQL that all tests of this process share, each with a database of its own from Fresh. It
// does not survive a loss of power. TestMain is as for SharedRedis.
func SharedPostgres(t testing.TB) *Database {
	t.Helper()
	return share(t, &shared, &shared.postgres, StartPostgres, postgresInHaste...)
}

// SharedMariaDB returns the MariaDB that all tests of this process share, each with a database of its own from Fresh. It
// may lose commits if it is killed, and all if the power is lost. TestMain is as for SharedRedis.
func SharedMariaDB(t testing.TB) *Database {
	t.Helper()
	return share(t, &shared, &shared.mariadb, StartMariaDB, mariadbInHaste...)
}

// Main runs the tests of a package, stops what they shared, and exits. It is the body of TestMain.
func Main(m Runner) { os.Exit(Wrap(m).Run()) }

// Wrap returns an m whose Run stops what the tests shared before it returns, for a TestMain with more to do:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.Wrap(m)) }
func Wrap(m Runner) Runner { return wrapped{m, &shared} }

// Runner is the part of *testing.M that Main and Wrap need.
type Runner interface{ Run() int }

type wrapped struct {
	m Runner
	l *lazy
}

func (w wrapped) Run() int {
	w.l.arm()
	defer w.l.stop()
	return w.m.Run()
}

// shared is a package variable because what it stands for is one per process as well: TestMain has no other way to hand
// something to the tests.
var shared lazy

// lazy are servers that start when first asked for.
type lazy struct {
	mu                sync.Mutex // guards all below
	armed             bool       // somebody is going to call stop
	server            *Server
	cluster           *ClusterSet
	postgres, mariadb *Database
}

func (l *lazy) arm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = true
}

// share returns the server in the slot, which belongs to l, and starts it if it is the first to ask.
func share[S any](t testing.TB, l *lazy, slot **S, start func(...string) (*S, error), args ...string) *S {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.armed {
		t.Fatal("a shared server of testenv needs this in the package's tests: func TestMain(m *testing.M) { testenv.Main(m) }")
	}
	if *slot == nil {
		s, err := start(args...)
		check(t, err)
		*slot = s
	}
	return *slot
}

func (l *lazy) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
	if l.server != nil {
		l.server.Stop()
		l.server = nil
	}
	if l.cluster != nil {
		l.cluster.Stop()
		l.cluster = nil
	}
	for _, slot := range []**Database{&l.postgres, &l.mariadb} {
		if *slot != nil {
			(*slot).Stop()
			*slot = nil
		}
	}
}

// check ends the test unless err is nil: a missing binary skips it where that is allowed.
func check(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, exec.ErrNotFound) && os.Getenv("REDBUD_REQUIRE_SERVERS") != "1":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// endWith stops the servers when the test ends. After a failed test it shows the end of their logs first, because the
// directory they stand in goes away.
func endWith[S interface {
	Stop()
	lastWords() string
}](t testing.TB, servers ...S) {
	t.Cleanup(func() {
		for _, s := range servers {
			if t.Failed() {
				t.Log(s.lastWords())
			}
			s.Stop()
		}
	})
}
