package mysql

import (
	"net/url"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/keyspace/storetest"
	"github.com/redbud-go/redbud/internal/sqlstore"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// driverOf returns a driver for the database that a URL names.
func driverOf(t *testing.T, rawURL string) *database {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	config, _, err := parse(u)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDriver(config)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// newStore opens a store on a database of which all tables are emptied: to make them for each test would take minutes.
func newStore(t *testing.T, d *database) keyspace.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), d, sqlstore.Options{Seed: 1, Readers: 2})
	if err != nil {
		t.Fatal(err)
	}
	c := &conn{d: d, write: true}
	if err := c.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var deletes []string
	for _, table := range strings.Fields("key orphan hash list set zset stream entry group consumer pending listener news") {
		deletes = append(deletes, "DELETE FROM redbud_"+table)
	}
	if err := c.Script(strings.Join(append(deletes, "COMMIT"), ";\n")); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMariaDBKeepsTheContractOfStorage(t *testing.T) {
	d := driverOf(t, testenv.SharedMariaDB(t).Fresh(t))
	storetest.Run(t, func(t *testing.T) keyspace.Store { return newStore(t, d) })
}
