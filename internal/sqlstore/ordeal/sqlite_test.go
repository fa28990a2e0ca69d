//go:build !race

// SQLite is C turned into Go: under the race detector it takes long and says nothing more.

package ordeal

import (
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	_ "github.com/redbud-go/redbud/engine/sqlite"
)

func TestOrdealOfSQLite(t *testing.T) { run(t, freshSQLite) }

func freshSQLite(t *testing.T) *database {
	path := filepath.ToSlash(filepath.Join(t.TempDir(), "ordeal.db"))
	url := "sqlite:///" + strings.TrimPrefix(path, "/") + "?busy_timeout=1m"
	row := func(t *testing.T, statement string, visit func(s *sqlite.Stmt)) {
		t.Helper()
		c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		rows := 0
		if err := sqlitex.ExecuteTransient(c, statement, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
			rows++
			visit(s)
			return nil
		}}); err != nil || rows != 1 {
			t.Fatalf("%s: %d rows, %v", statement, rows, err)
		}
	}
	return &database{
		url:  url + "&synchronous=full",
		fast: url + "&synchronous=off",
		ask: func(t *testing.T, statement string) (n int64) {
			t.Helper()
			row(t, statement, func(s *sqlite.Stmt) { n = s.ColumnInt64(0) })
			return n
		},
		check: func(t *testing.T) {
			t.Helper()
			row(t, "PRAGMA integrity_check", func(s *sqlite.Stmt) {
				if text := s.ColumnText(0); text != "ok" {
					t.Errorf("the file is not sound: %s", text)
				}
			})
		},
	}
}
