//go:build !race

// The server is asked some hundred thousand times: under the race detector its sessions take minutes and say nothing more.

package enginetest

import (
	"context"
	"testing"
	"time"

	"github.com/redbud-go/redbud/engine/postgres"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/testenv"
)

// Its commands are those of memory, with the deviations of tables.
func TestPostgreSQL(t *testing.T) {
	url := testenv.SharedPostgres(t).Fresh(t)
	Run(t, Options{Name: "memory sql", Serve: serve, Open: func(t testing.TB) Instance {
		c := &clock{at: time.Now()}
		e, err := postgres.New(t.Context(), url, postgres.Options{Now: c.Now, Readers: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		var w resp.Writer
		if err := e.Do(context.Background(), &engine.Batch{Calls: []engine.Call{{[]byte("FLUSHALL")}}}, &w); err != nil {
			t.Fatal(err) // what the session before has left
		}
		return Instance{Engine: e, Advance: c.Advance}
	}})
}

// openPostgresNow opens the PostgreSQL engine on an empty database, with a clock that goes.
func openPostgresNow(t *testing.T) engine.Engine {
	e, err := postgres.New(t.Context(), testenv.SharedPostgres(t).Fresh(t), postgres.Options{})
	return opened(t, e, err)
}

func TestRandomCallsOnPostgreSQLAnswerAsOnRedis(t *testing.T) {
	Lockstep(t, openPostgresNow(t), testenv.Redis(t).Addr, anySeed(), max(10_000, *calls/30))
}

func TestRandomScriptsOnPostgreSQLAnswerAsOnRedis(t *testing.T) {
	LockstepInScripts(t, openPostgresNow(t), testenv.Redis(t).Addr, anySeed(), max(1000, *calls/300))
}
