//go:build !race

// SQLite is C turned into Go: under the race detector its sessions take minutes and say nothing more.

package enginetest

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/redbud-go/redbud/engine/sqlite"
)

// openSQLite opens the SQLite engine on a file, with a clock that stands.
func openSQLite(t testing.TB) Instance {
	c := &clock{at: time.Now()}
	e, err := sqlite.New(t.Context(), filepath.Join(t.TempDir(), "test.db"), sqlite.Options{Now: c.Now, Synchronous: "off", Readers: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return Instance{Engine: e, Advance: c.Advance}
}

// Its commands are those of memory, with their deviations.
func TestSQLite(t *testing.T) {
	Run(t, Options{Name: "memory sql", Open: openSQLite, Serve: serve})
}
