//go:build !race

// What is counted is the same under the race detector, which takes a while to say so.

package postgres

import (
	"testing"

	"github.com/redbud-go/redbud/internal/sqlstore/budget"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestSQLBudget(t *testing.T) {
	d, err := newDriver(testenv.SharedPostgres(t).Fresh(t))
	if err != nil {
		t.Fatal(err)
	}
	var wire budget.Wire
	d.config.DialFunc = wire.Dial
	budget.Run(t, "PostgreSQL", d, &wire)
}
