//go:build !race

// SQLite is C turned into Go: under the race detector the suite takes half an hour and says nothing more.

package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/keyspace/storetest"
	"github.com/redbud-go/redbud/internal/sqlstore"
)

func newStore(t *testing.T, path string) keyspace.Store {
	c := &driver{path: path, synchronous: "off"}
	s, err := sqlstore.Open(t.Context(), c, sqlstore.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSQLiteKeepsTheContractOfStorage(t *testing.T) {
	storetest.Run(t, func(t *testing.T) keyspace.Store { return newStore(t, filepath.Join(t.TempDir(), "test.db")) })
}

func TestSQLiteInMemoryKeepsTheContractOfStorage(t *testing.T) {
	storetest.Run(t, func(t *testing.T) keyspace.Store { return newStore(t, "") })
}
