// Package testenv starts private real servers for tests and stops them again: a Redis, a cluster of three masters, a
// master with its sentinels.
//
// Every server listens on free ports of the loopback interface only and on a unix socket, keeps its files in a temporary
// directory of its own, and persists nothing unless asked to. A server bound to a test ends with that test. Where the
// test process dies without cleaning up (a panic, a timeout, a kill), Linux takes the servers with it; elsewhere they
// are left behind.
//
// Redis 7.0 or newer is needed. Where the binary is missing the test is skipped, saying which package has it; with
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

// SharedRedis returns the redis-server that all tests of this process share; the first call starts it. The tests keep
// out of each other's way by key or by database number, and leave the server running. The package's tests need
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
// which stops it after the last test; without that, SharedRedis fails the test.
func SharedRedis(t testing.TB) *Server {
	t.Helper()
	return shared.redis(t)
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

// lazy is a server that starts when first asked for.
type lazy struct {
	mu     sync.Mutex // guards all below
	armed  bool       // somebody is going to call stop
	server *Server
}

func (l *lazy) arm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = true
}

func (l *lazy) redis(t testing.TB) *Server {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.armed {
		t.Fatal("testenv.SharedRedis needs this in the package's tests: func TestMain(m *testing.M) { testenv.Main(m) }")
	}
	if l.server == nil {
		s, err := StartRedis()
		check(t, err)
		l.server = s
	}
	return l.server
}

func (l *lazy) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
	if l.server != nil {
		l.server.Stop()
		l.server = nil
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
func endWith(t testing.TB, servers ...*Server) {
	t.Cleanup(func() {
		for _, s := range servers {
			if t.Failed() {
				t.Logf("the log of %s ends with:\n%s", s.Addr, s.logTail())
			}
			s.Stop()
		}
	})
}
