package script_test

import (
	"context"
	"testing"

	"github.com/redbud-go/redbud"
	_ "github.com/redbud-go/redbud/engine/sqlite"
	"github.com/redbud-go/redbud/internal/testenv"
	"github.com/redbud-go/redbud/script"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// onEachEngine runs a test on every kind of engine: with closures in memory and on SQLite, with Lua on a Redis and a cluster.
func onEachEngine(t *testing.T, test func(t *testing.T, db *redbud.DB)) {
	for name, url := range map[string]func(t *testing.T) string{
		"memory":  func(*testing.T) string { return "memory://" },
		"sqlite":  func(t *testing.T) string { return "sqlite://" + t.TempDir() + "/db" },
		"redis":   func(t *testing.T) string { return testenv.Redis(t).URL() },
		"cluster": func(t *testing.T) string { return testenv.Cluster(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, url(t)))
		})
	}
}

func open(t *testing.T, url string) *redbud.DB {
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

// compile compiles what build builds.
func compile(t *testing.T, build func(b *script.Builder)) *script.Program {
	t.Helper()
	b := script.New(t.Name())
	build(b)
	p, err := b.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// must ends the test on an error.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
