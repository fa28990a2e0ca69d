//go:build !race

// The suite waits for the server most of the time: under the race detector it takes minutes and says nothing more.

package postgres

import (
	"net/url"
	"path/filepath"
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/keyspace/storetest"
	"github.com/redbud-go/redbud/internal/sqlstore"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestPostgreSQLKeepsTheContractOfStorage(t *testing.T) {
	url := bySocket(t, testenv.SharedPostgres(t))
	storetest.Run(t, func(t *testing.T) keyspace.Store {
		d, err := newDriver(url)
		if err != nil {
			t.Fatal(err)
		}
		s, err := sqlstore.Open(t.Context(), d, sqlstore.Options{Seed: 1, Readers: 1})
		if err != nil {
			t.Fatal(err)
		}
		empty(t, s)
		return s
	})
}

// bySocket is the URL of a fresh database by the server's socket, where it asks for no password: hashing that some hundred times takes
// longer than the rest.
func bySocket(t *testing.T, db *testenv.Database) string {
	u, err := url.Parse(db.Fresh(t))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("host", filepath.Dir(db.Socket))
	q.Set("port", u.Port())
	u.Host, u.RawQuery = "", q.Encode()
	return u.String()
}

// empty removes what the test before has left.
func empty(t *testing.T, s keyspace.Store) {
	t.Helper()
	tx, err := s.Begin(t.Context(), keyspace.Access{Write: true})
	for db := 0; err == nil && db < keyspace.Databases; db++ {
		if err = tx.Select(db); err == nil {
			err = tx.Clear()
		}
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
}
