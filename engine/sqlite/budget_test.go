//go:build !race

// What is counted is the same under the race detector, which takes a while to say so.

package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/sqlstore/budget"
)

func TestSQLBudget(t *testing.T) {
	d := &driver{path: filepath.Join(t.TempDir(), "app.db"), synchronous: "off", busy: time.Second}
	budget.Run(t, "SQLite", d, nil)
}
