//go:build !race

// As with PostgreSQL.

package enginetest

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/engine/mysql"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/testenv"
)

// openMariaDB returns how the MariaDB engine is opened on one database, of which all tables are emptied each time: to make them would
// take longer than a session does. Its clock stands.
func openMariaDB(t *testing.T) func(t testing.TB) Instance {
	u := testenv.SharedMariaDB(t).Fresh(t)
	db, err := sql.Open("mysql", dsnOfMariaDB(t, u))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // the database goes anyway
	return func(t testing.TB) Instance {
		c := &clock{at: time.Now()}
		e, err := mysql.New(t.Context(), u, mysql.Options{Now: c.Now, Readers: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			for _, table := range strings.Fields("key orphan hash list set zset stream entry group consumer pending listener news") {
				if _, err := db.Exec("DELETE FROM redbud_" + table); err != nil {
					t.Error(err)
				}
			}
		})
		return Instance{Engine: e, Advance: c.Advance}
	}
}

// Its commands are those of memory, with the deviations of tables, and rows come in the order of hashes as on SQLite.
func TestMySQL(t *testing.T) {
	Run(t, Options{Name: "memory sql", Open: openMariaDB(t), Serve: serve})
}

// openMariaDBNow opens the MariaDB engine on an empty database, with a clock that goes.
func openMariaDBNow(t *testing.T) engine.Engine {
	e, err := mysql.New(t.Context(), testenv.SharedMariaDB(t).Fresh(t), mysql.Options{})
	return opened(t, e, err)
}

func TestRandomCallsOnMySQLAnswerAsOnRedis(t *testing.T) {
	Lockstep(t, openMariaDBNow(t), testenv.Redis(t).Addr, anySeed(), max(10_000, *calls/30))
}

func TestRandomScriptsOnMySQLAnswerAsOnRedis(t *testing.T) {
	LockstepInScripts(t, openMariaDBNow(t), testenv.Redis(t).Addr, anySeed(), max(1000, *calls/300))
}
