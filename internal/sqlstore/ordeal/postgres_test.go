//go:build !race

// What runs here are other processes, and a few large values: the race detector would have little to see.

package ordeal

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	_ "github.com/redbud-go/redbud/engine/postgres"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestOrdealOfPostgreSQL(t *testing.T) {
	// The server is killed, not the machine: what it has given to the system stays. WAL has room for large values.
	server := testenv.Postgres(t, "fsync=off", "max_wal_size=4GB")
	run(t, func(t *testing.T) *database { return freshPostgreSQL(t, server) })
}

func freshPostgreSQL(t *testing.T, server *testenv.Database) *database {
	url := server.Fresh(t)
	return &database{
		url:  url,
		fast: url + "&synchronous_commit=off",
		ask: func(t *testing.T, statement string) (n int64) {
			t.Helper()
			c, err := pgx.Connect(context.Background(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(context.Background())
			if err := c.QueryRow(context.Background(), statement).Scan(&n); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
			return n
		},
		kill: func(t *testing.T) { restart(t, server) },
	}
}

// restart kills a server and starts it again.
func restart(t *testing.T, server *testenv.Database) {
	t.Helper()
	server.Kill()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
}
