//go:build !race

// The server is asked some hundred thousand times: under the race detector the suite takes minutes and says nothing more.

package mysql

import (
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/keyspace/storetest"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestMySQLKeepsTheContractOfStorage(t *testing.T) {
	d := driverOf(t, testenv.SharedMariaDB(t).Fresh(t))
	storetest.Run(t, func(t *testing.T) keyspace.Store { return newStore(t, d) })
}
