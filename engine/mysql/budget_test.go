//go:build !race

// What is counted is the same under the race detector, which takes a while to say so.

package mysql

import (
	"net/url"
	"testing"

	"github.com/redbud-go/redbud/internal/sqlstore/budget"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestSQLBudget(t *testing.T) {
	u, err := url.Parse(testenv.SharedMariaDB(t).Fresh(t))
	if err != nil {
		t.Fatal(err)
	}
	config, _, err := parse(u)
	if err != nil {
		t.Fatal(err)
	}
	var wire budget.Wire
	config.DialFunc = wire.Dial
	d, err := newDriver(config)
	if err != nil {
		t.Fatal(err)
	}
	budget.Run(t, "MySQL", d, &wire)
}
