//go:build !race

// As with PostgreSQL.

package ordeal

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	_ "github.com/redbud-go/redbud/engine/mysql"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestOrdealOfMariaDB(t *testing.T) {
	// As with PostgreSQL: each commit goes to the system, none waits for the disk. The doublewrite buffer stays, since a kill may tear a page.
	server := testenv.MariaDB(t, "innodb_flush_log_at_trx_commit=2", "innodb_flush_method=nosync",
		"innodb_log_file_size=1G", "innodb_buffer_pool_size=1G", "innodb_max_dirty_pages_pct=99")
	run(t, func(t *testing.T) *database { return freshMariaDB(t, server) })
}

func freshMariaDB(t *testing.T, server *testenv.Database) *database {
	u, err := url.Parse(server.Fresh(t))
	if err != nil {
		t.Fatal(err)
	}
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	c.Passwd, _ = u.User.Password()
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	return &database{
		url:  u.String(),
		fast: u.String(),
		ask: func(t *testing.T, statement string) (n int64) {
			t.Helper()
			db := sql.OpenDB(connector)
			defer db.Close()
			if err := db.QueryRow(statement).Scan(&n); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
			return n
		},
		kill: func(t *testing.T) { restart(t, server) },
	}
}
