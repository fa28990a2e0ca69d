// Package mysql is the engine that keeps keys in a database of MySQL, of version 8.0 or newer, or MariaDB, of version 10.11 or newer.
// Importing it makes the schemes mysql and mariadb known, which mean the same:
//
//	mysql://user:password@host:3306/database
//	mysql://user@/database?socket=/run/mysqld/mysqld.sock
//
// Parameters:
//
//	readers          how many connections read at a time; default 4. One more writes, and one listens while somebody waits
//	tls              true, false, preferred (without, if the server has none) or skip-verify (whoever it is); default false
//	ca_file          certificates of the authorities that tls=true trusts, in PEM; default those of the system
//	connect_timeout  how long to wait for a connection; default 10s
//
// Applications may have tables of their own in the database; see docs/sql.md.
package mysql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/sqlstore"
)

func init() { engine.Register(open, "mysql", "mariadb") }

// Options of an engine made by New.
type Options struct {
	Readers int              // connections that read at a time; default 4, or what the URL says
	Now     func() time.Time // the clock; default time.Now
	Seed    uint64           // makes SPOP and its like repeatable; default 0: they are not
}

// New returns an engine on the database that a URL names. Its tables are made if they are not there.
func New(ctx context.Context, rawURL string, o Options) (*command.Engine, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	config, readers, err := parse(u)
	if err != nil {
		return nil, err
	}
	if o.Readers == 0 {
		o.Readers = readers
	}
	return newEngine(ctx, config, o)
}

func open(ctx context.Context, u *url.URL) (engine.Engine, error) {
	config, readers, err := parse(u)
	if err != nil {
		return nil, err
	}
	return newEngine(ctx, config, Options{Readers: readers})
}

func newEngine(ctx context.Context, config *mysql.Config, o Options) (*command.Engine, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	d, err := newDriver(config)
	if err != nil {
		return nil, err
	}
	store, err := sqlstore.Open(ctx, d, sqlstore.Options{Now: func() int64 { return o.Now().UnixMilli() }, Readers: o.Readers, Seed: o.Seed})
	if err != nil {
		return nil, err
	}
	return command.NewEngine(store, command.Options{Now: o.Now}), nil
}

const defaultPort = "3306"

// parse returns what a URL says.
func parse(u *url.URL) (config *mysql.Config, readers int, err error) {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", net.JoinHostPort(u.Hostname(), defaultPort)
	switch {
	case u.Port() != "":
		c.Addr = u.Host
	case u.Hostname() == "":
		c.Addr = net.JoinHostPort("localhost", defaultPort)
	}
	if c.DBName = strings.TrimPrefix(u.Path, "/"); c.DBName == "" || strings.Contains(c.DBName, "/") || u.Opaque != "" {
		return nil, 0, errors.New("want the name of a database, as in mysql://user@host/database")
	}
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Timeout = 10 * time.Second
	c.TLSConfig = "false"
	caFile := ""
	for name, values := range u.Query() {
		value := values[len(values)-1]
		switch name {
		case "readers":
			if readers, err = strconv.Atoi(value); err == nil && (readers < 1 || readers > 1000) {
				err = errors.New("want 1 to 1000")
			}
		case "socket":
			if c.Net, c.Addr = "unix", value; u.Host != "" {
				err = errors.New("a host is named, too")
			}
		case "tls":
			if c.TLSConfig = value; value != "true" && value != "false" && value != "preferred" && value != "skip-verify" {
				err = errors.New("want true, false, preferred or skip-verify")
			}
		case "ca_file":
			caFile = value
		case "connect_timeout":
			if c.Timeout, err = time.ParseDuration(value); err == nil && c.Timeout <= 0 {
				err = errors.New("want a time above zero")
			}
		default:
			return nil, 0, fmt.Errorf("mysql does not know the parameter %q; it knows ca_file, connect_timeout, readers, socket and tls", name)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("parameter %s=%s: %w", name, value, err)
		}
	}
	if caFile != "" {
		if c.TLSConfig != "true" {
			return nil, 0, errors.New("ca_file is of use with tls=true only")
		}
		if c.TLS, err = trusting(caFile, u.Hostname()); err != nil {
			return nil, 0, err
		}
	}
	return c, readers, nil
}

// trusting is TLS with a host whose certificate an authority in a file has signed.
func trusting(file, host string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", file)
	}
	return &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}, nil
}

// database implements sqlstore.Driver.
type database struct {
	connector driver.Connector
	own       atomic.Int64 // commits by this one
}

// settings of a session. A server whose client is gone without a word keeps its locks no longer than wait_timeout; a connection that
// is lost that way is made anew when it is needed.
var settings = map[string]string{
	"autocommit":   "0",
	"sql_mode":     "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
	"wait_timeout": "600",
}

func newDriver(config *mysql.Config) (*database, error) {
	c := config.Clone()
	c.Collation = "binary"
	c.ClientFoundRows = true
	c.MaxAllowedPacket = 0 // as the server has it
	c.CheckConnLiveness = false
	c.Logger = &mysql.NopLogger{} // what goes wrong is in the error as well
	c.Params = settings
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return &database{connector: connector}, nil
}

// Dialect implements sqlstore.Driver.
func (d *database) Dialect() *sqlstore.Dialect { return sqlstore.MySQL }

// Shares implements sqlstore.Driver.
func (d *database) Shares() bool { return true }

// Open implements sqlstore.Driver.
func (d *database) Open(ctx context.Context, write bool) (sqlstore.Conn, error) {
	c := &conn{d: d, write: write}
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	return c, nil
}
