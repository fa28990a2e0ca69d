// Package postgres is the engine that keeps keys in a PostgreSQL database, of version 12 or newer. Importing it makes the schemes
// postgres and postgresql known, with URLs as PostgreSQL's libpq has them:
//
//	postgres://user:password@host:5432/database?sslmode=verify-full
//
// Besides libpq's parameters and the settings of a session (search_path, synchronous_commit …) there is readers: how many connections
// read at a time, 4 by default. One more writes, and one listens while somebody waits.
//
// Applications may have tables of their own in the database; see docs/sql.md.
package postgres

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/sqlstore"
)

func init() { engine.Register(open, "postgres", "postgresql") }

// Options of an engine made by New.
type Options struct {
	Readers int              // connections that read at a time; default 4
	Now     func() time.Time // the clock; default time.Now
	Seed    uint64           // makes SPOP and its like repeatable; default 0: they are not
}

// New returns an engine on the database that a connection string names, as a URL or in words ("host=… dbname=…"). Its tables are made if
// they are not there.
func New(ctx context.Context, conn string, o Options) (*command.Engine, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	d, err := newDriver(conn)
	if err != nil {
		return nil, err
	}
	store, err := sqlstore.Open(ctx, d, sqlstore.Options{Now: func() int64 { return o.Now().UnixMilli() }, Readers: o.Readers, Seed: o.Seed})
	if err != nil {
		return nil, err
	}
	return command.NewEngine(store, command.Options{Now: o.Now}), nil
}

func open(ctx context.Context, u *url.URL) (engine.Engine, error) {
	conn, o, err := parse(u)
	if err != nil {
		return nil, err
	}
	return New(ctx, conn, o)
}

// parse takes what libpq does not know out of a URL.
func parse(u *url.URL) (conn string, o Options, err error) {
	rest := *u
	query := rest.Query()
	if text := query.Get("readers"); text != "" {
		if o.Readers, err = strconv.Atoi(text); err != nil || o.Readers < 1 || o.Readers > 1000 {
			return "", o, fmt.Errorf("parameter readers=%s: want 1 to 1000", text)
		}
	}
	query.Del("readers")
	rest.RawQuery = query.Encode()
	return rest.String(), o, nil
}

// driver implements sqlstore.Driver.
type driver struct {
	config  *pgconn.Config
	version atomic.Int64  // grows with each look
	losses  atomic.Int64  // grows with each connection that is found lost
	writer  atomic.Uint32 // the server's process for the connection that writes
}

// settings of a session. Statements are prepared once, and their plans are made once: with the indexes, though the tables may have been
// small then.
var settings = map[string]string{"application_name": "redbud", "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}

func newDriver(conn string) (*driver, error) {
	config, err := pgconn.ParseConfig(conn)
	if err != nil {
		return nil, err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	for name, value := range settings {
		if _, ok := config.RuntimeParams[name]; !ok {
			config.RuntimeParams[name] = value
		}
	}
	return &driver{config: config}, nil
}

// Dialect implements sqlstore.Driver.
func (d *driver) Dialect() *sqlstore.Dialect { return sqlstore.PostgreSQL }

// Shares implements sqlstore.Driver.
func (d *driver) Shares() bool { return true }

// Open implements sqlstore.Driver.
func (d *driver) Open(ctx context.Context, write bool) (sqlstore.Conn, error) {
	c := &conn{d: d, write: write}
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	return c, nil
}
