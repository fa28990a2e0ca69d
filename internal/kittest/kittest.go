// Package kittest runs the tests of kits on every kind of engine.
package kittest

import (
	"context"
	"net"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
	_ "github.com/redbud-go/redbud/engine/mysql" // engines to test on
	_ "github.com/redbud-go/redbud/engine/postgres"
	_ "github.com/redbud-go/redbud/engine/sqlite"
	"github.com/redbud-go/redbud/internal/testenv"
)

// memory is the URL of an engine that is one process's alone.
const memory = "memory://"

// engines are the kinds of engines. Some are shared by all tests of the process: to make the tables of a database anew takes longer than most tests do.
var engines = []struct {
	name string
	url  func(t testing.TB) string
}{
	{"memory", func(testing.TB) string { return memory }},
	{"sqlite", func(t testing.TB) string { return "sqlite://" + t.TempDir() + "/db?synchronous=off" }},
	{"postgres", func(t testing.TB) string { return testenv.SharedPostgres(t).URL() }},
	{"mysql", func(t testing.TB) string { return testenv.SharedMariaDB(t).URL() }},
	{"redis", func(t testing.TB) string { return testenv.SharedRedis(t).URL() }},
	{"cluster", func(t testing.TB) string { return testenv.SharedCluster(t).URL() }},
}

// Run runs a test on memory, SQLite, PostgreSQL, MariaDB, a redis-server and a cluster of three masters, one after the other, each of them
// empty. The package's tests need
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
func Run(t *testing.T, test func(t *testing.T, db *redbud.DB)) {
	each(t, func(t *testing.T, db *redbud.DB, _ string) { test(t, db) })
}

// RunProcesses is Run for tests that start other processes: url is where these find the engine. That of memory is served by this process.
func RunProcesses(t *testing.T, test func(t *testing.T, db *redbud.DB, url string)) {
	each(t, func(t *testing.T, db *redbud.DB, url string) {
		if url == memory {
			url = serve(t, db)
		}
		test(t, db, url)
	})
}

func each(t *testing.T, test func(t *testing.T, db *redbud.DB, url string)) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			url := e.url(t)
			db := Open(t, url)
			empty(t, db)
			test(t, db, url)
		})
	}
}

// serve serves a database until the test ends, and returns where.
func serve(t *testing.T, db *redbud.DB) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- db.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "redis://" + l.Addr().String()
}

// Open opens a database that is closed with the test.
func Open(t testing.TB, url string) *redbud.DB {
	t.Helper()
	db, err := redbud.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// empty deletes what other tests left.
func empty(t testing.TB, db *redbud.DB) {
	t.Helper()
	flush := func(ctx context.Context, c *redis.Client) error { return c.FlushAll(ctx).Err() }
	var err error
	if c, ok := db.UniversalClient.(*redis.ClusterClient); ok {
		err = c.ForEachMaster(t.Context(), flush)
	} else {
		err = db.FlushAll(t.Context()).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
}
