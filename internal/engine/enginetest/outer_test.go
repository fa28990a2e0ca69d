//go:build !race

// As with the engines themselves.

package enginetest

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/testenv"
)

// openIn returns how an engine is opened inside a transaction, which is rolled back when the session is over: so each finds nothing.
func openIn(t *testing.T, scheme, url, driver, dsn string) func(t testing.TB) Instance {
	e, err := engine.Open(t.Context(), url) // makes the tables
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // the database goes anyway
	return func(t testing.TB) Instance {
		tx, err := db.BeginTx(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		e, err := engine.OpenTx(context.Background(), scheme, tx)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
		})
		return Instance{Engine: e}
	}
}

func TestInATransactionOfSQLite(t *testing.T) {
	path := filepath.ToSlash(filepath.Join(t.TempDir(), "app.db"))
	Run(t, Options{Name: "memory sql", Open: openIn(t, "sqlite", "sqlite:"+path, "sqlite", "file:"+path)})
}

func TestInATransactionOfPostgreSQL(t *testing.T) {
	url := testenv.SharedPostgres(t).Fresh(t)
	Run(t, Options{Name: "memory sql", Open: openIn(t, "postgres", url, "pgx", url)})
}

func TestInATransactionOfMySQL(t *testing.T) {
	url := testenv.SharedMariaDB(t).Fresh(t)
	Run(t, Options{Name: "memory sql", Open: openIn(t, "mysql", url, "mysql", dsnOfMariaDB(t, url))})
}
