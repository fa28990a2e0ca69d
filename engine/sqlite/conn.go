package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/redbud-go/redbud/internal/sqlstore"
)

// driver implements sqlstore.Driver.
type driver struct {
	path        string // empty: in memory
	synchronous string
	busy        time.Duration
}

// conn is a connection with the statements that it has prepared.
type conn struct {
	db       *sqlite.Conn
	prepared []*sqlite.Stmt // by the ID of the query
	cells    []byte         // what Row.Bytes has handed out of a row

	beginWrite, beginRead, commit, rollback, version *sqlite.Stmt
}

// Shares implements sqlstore.Driver.
func (d *driver) Shares() bool { return d.path != "" }

// Dialect implements sqlstore.Driver.
func (d *driver) Dialect() *sqlstore.Dialect { return sqlstore.SQLite }

// Open implements sqlstore.Driver.
func (d *driver) Open(_ context.Context, write bool) (sqlstore.Conn, error) {
	flags := sqlite.OpenReadWrite | sqlite.OpenCreate
	name := d.path
	if name == "" {
		name, flags = ":memory:", flags|sqlite.OpenMemory
	}
	db, err := sqlite.OpenConn(name, flags)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	k := &conn{db: db}
	db.SetBlockOnBusy()
	db.SetBusyTimeout(d.busy)
	setup := []string{"PRAGMA synchronous = " + d.synchronous}
	if d.path != "" {
		setup = append(setup, "PRAGMA journal_mode = wal")
	}
	if !write {
		setup = append(setup, "PRAGMA query_only = on")
	}
	for _, text := range setup {
		if err == nil {
			err = sqlitex.ExecuteTransient(db, text, nil)
		}
	}
	for text, to := range map[string]**sqlite.Stmt{"BEGIN IMMEDIATE": &k.beginWrite, "BEGIN": &k.beginRead, "COMMIT": &k.commit, "ROLLBACK": &k.rollback, "PRAGMA data_version": &k.version} {
		if err == nil {
			*to, err = db.Prepare(text)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", name, err), db.Close())
	}
	return k, nil
}

func run(s *sqlite.Stmt) error {
	_, err := s.Step()
	return errors.Join(err, s.Reset())
}

func (c *conn) Begin(write bool) error {
	if write {
		return run(c.beginWrite)
	}
	return run(c.beginRead)
}

func (c *conn) Commit() error { return run(c.commit) }
func (c *conn) Rollback() error {
	if c.db.AutocommitEnabled() { // SQLite has done it by itself
		return nil
	}
	return run(c.rollback)
}

// Version implements sqlstore.Conn.
func (c *conn) Version() (n int64, err error) {
	if _, err = c.version.Step(); err == nil {
		n = c.version.ColumnInt64(0)
	}
	return n, errors.Join(err, c.version.Reset())
}

func (c *conn) Close() error { return c.db.Close() }

func (c *conn) Script(text string) error { return sqlitex.ExecuteScript(c.db, text, nil) }

// statement is a query prepared.
func (c *conn) statement(q *sqlstore.Query) (*sqlite.Stmt, error) {
	if c.prepared == nil {
		c.prepared = make([]*sqlite.Stmt, sqlstore.Queries())
	}
	if s := c.prepared[q.ID]; s != nil {
		return s, nil
	}
	text := sqlstore.SQLite.Text(q)
	s, err := c.db.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", text, err)
	}
	c.prepared[q.ID] = s
	return s, nil
}

// Run implements sqlstore.Conn.
func (c *conn) Run(q *sqlstore.Query, args []sqlstore.Value, visit func(run int, r sqlstore.Row) error) (changed int64, err error) {
	s, err := c.statement(q)
	if err != nil {
		return 0, err
	}
	runs := 1
	if q.Params > 0 {
		runs = len(args) / q.Params
	}
	for i := range runs {
		for j := range q.Params {
			bind(s, j+1, &args[i*q.Params+j])
		}
		for more := true; more && err == nil; {
			if more, err = s.Step(); more && err == nil && visit != nil {
				c.cells = c.cells[:0]
				err = visit(i, row{s, c})
			}
		}
		if err == nil && visit == nil {
			changed += int64(c.db.Changes())
		}
		if e := s.Reset(); err == nil {
			err = e
		}
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// Later implements sqlstore.Conn. There is nobody far away to wait for.
func (c *conn) Later(q *sqlstore.Query, args []sqlstore.Value) error {
	_, err := c.Run(q, args, nil)
	return err
}

func bind(s *sqlite.Stmt, i int, v *sqlstore.Value) {
	switch v.Kind {
	case sqlstore.KindInt:
		s.BindInt64(i, v.Int)
	case sqlstore.KindFloat:
		s.BindFloat(i, v.Float)
	case sqlstore.KindBytes:
		s.BindBytes(i, v.Bytes)
	default:
		s.BindNull(i)
	}
}

// row implements sqlstore.Row.
type row struct {
	*sqlite.Stmt
	c *conn
}

func (r row) Null(i int) bool     { return r.ColumnType(i) == sqlite.TypeNull }
func (r row) Int(i int) int64     { return r.ColumnInt64(i) }
func (r row) Float(i int) float64 { return r.ColumnFloat(i) }

func (r row) Bytes(i int) []byte {
	cells, from := &r.c.cells, len(r.c.cells)
	*cells = slices.Grow(*cells, r.ColumnLen(i))
	n := r.ColumnBytes(i, (*cells)[from:cap(*cells)])
	*cells = (*cells)[:from+n]
	return (*cells)[from : from+n : from+n]
}
