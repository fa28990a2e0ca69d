//go:build !race

package enginetest

import (
	"path/filepath"
	"testing"

	"github.com/redbud-go/redbud/engine/sqlite"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/testenv"
)

// openSQLiteNow opens the SQLite engine on a file, with a clock that goes.
func openSQLiteNow(t *testing.T) engine.Engine {
	e, err := sqlite.New(t.Context(), filepath.Join(t.TempDir(), "test.db"), sqlite.Options{Synchronous: "off"})
	return opened(t, e, err)
}

func TestRandomCallsOnSQLiteAnswerAsOnRedis(t *testing.T) {
	Lockstep(t, openSQLiteNow(t), testenv.Redis(t).Addr, anySeed(), max(10_000, *calls/30))
}

func TestRandomScriptsOnSQLiteAnswerAsOnRedis(t *testing.T) {
	LockstepInScripts(t, openSQLiteNow(t), testenv.Redis(t).Addr, anySeed(), max(1000, *calls/300))
}
