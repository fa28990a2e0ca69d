package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
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
	readOnly    bool
	exclusive   bool         // there is one connection, and no other process
	mostBytes   int64        // 0: any
	losses      atomic.Int64 // how many times the file was found to be another one
}

// conn is a connection with the statements that it has prepared.
type conn struct {
	*driver
	write    bool
	health   health
	db       *sqlite.Conn
	prepared []*sqlite.Stmt // by the ID of the query
	cells    []byte         // what Row.Bytes has handed out of a row

	beginWrite, beginRead, commit, rollback, version *sqlite.Stmt
}

// Shares implements sqlstore.Driver.
func (d *driver) Shares() bool { return d.path != "" && !d.exclusive }

// Dialect implements sqlstore.Driver.
func (d *driver) Dialect() *sqlstore.Dialect { return sqlstore.SQLite }

// Open implements sqlstore.Driver.
func (d *driver) Open(_ context.Context, write bool) (sqlstore.Conn, error) {
	k := &conn{driver: d, write: write}
	if err := k.open(!d.readOnly); err != nil {
		return nil, err
	}
	return k, nil
}

// open opens the file, which may have to be made.
func (c *conn) open(create bool) (err error) {
	name, flags := c.path, sqlite.OpenReadWrite
	switch {
	case c.path == "":
		name, flags = ":memory:", flags|sqlite.OpenCreate|sqlite.OpenMemory
	case create:
		flags |= sqlite.OpenCreate
	case c.readOnly:
		flags = sqlite.OpenReadOnly
	}
	db, err := sqlite.OpenConn(name, flags)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, known(err))
	}
	db.SetBusyTimeout(c.busy)
	for _, text := range c.settings() {
		if err == nil {
			err = sqlitex.ExecuteTransient(db, text, nil)
		}
	}
	if err == nil && c.write && c.mostBytes > 0 {
		err = c.limit(db)
	}
	for text, to := range map[string]**sqlite.Stmt{"BEGIN IMMEDIATE": &c.beginWrite, "BEGIN": &c.beginRead, "COMMIT": &c.commit, "ROLLBACK": &c.rollback, "PRAGMA data_version": &c.version} {
		if err == nil {
			*to, err = db.Prepare(text)
		}
	}
	if err == nil && c.path != "" {
		err = c.health.start(c.path, &c.losses)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", name, known(err)), db.Close())
	}
	c.db, c.prepared = db, nil
	return nil
}

// settings are what a connection begins with.
func (c *conn) settings() []string {
	if c.readOnly {
		return nil
	}
	all := []string{"PRAGMA synchronous = " + c.synchronous}
	if c.exclusive { // before there is a log: its index is in memory then
		all = append(all, "PRAGMA locking_mode = exclusive")
	}
	if c.path != "" {
		all = append(all, "PRAGMA journal_mode = wal")
	}
	if !c.write {
		all = append(all, "PRAGMA query_only = on")
	}
	return all
}

// limit makes SQLite keep to the size that the database may have.
func (c *conn) limit(db *sqlite.Conn) error {
	page := int64(0)
	if err := sqlitex.ExecuteTransient(db, "PRAGMA page_size", &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		page = s.ColumnInt64(0)
		return nil
	}}); err != nil {
		return err
	}
	return sqlitex.ExecuteTransient(db, fmt.Sprintf("PRAGMA max_page_count = %d", max(c.mostBytes/page, 1)), nil)
}

func run(s *sqlite.Stmt) error {
	_, err := s.Step()
	return known(errors.Join(err, s.Reset()))
}

// Begin implements sqlstore.Conn.
func (c *conn) Begin(write bool) error {
	if c.health.due(&c.losses) {
		if err := c.examine(); err != nil {
			return err
		}
	}
	if write {
		return run(c.beginWrite)
	}
	return run(c.beginRead)
}

// Commit implements sqlstore.Conn.
func (c *conn) Commit() error { return run(c.commit) }

// Rollback implements sqlstore.Conn.
func (c *conn) Rollback() error {
	if c.db.AutocommitEnabled() { // SQLite has done it by itself
		return nil
	}
	err := run(c.rollback)
	c.health.broken = err != nil
	return err
}

// Version implements sqlstore.Conn.
func (c *conn) Version() (n int64, err error) {
	if _, err = c.version.Step(); err == nil {
		n = c.version.ColumnInt64(0)
	}
	return n + c.health.opened<<32, known(errors.Join(err, c.version.Reset()))
}

// Close implements sqlstore.Conn.
func (c *conn) Close() error { return c.db.Close() }

// Script implements sqlstore.Conn.
func (c *conn) Script(text string) error { return known(sqlitex.ExecuteScript(c.db, text, nil)) }

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
		return nil, fmt.Errorf("prepare %s: %w", text, known(err))
	}
	c.prepared[q.ID] = s
	return s, nil
}

// mostCells is how many bytes of cells a connection keeps for the next rows.
const mostCells = 1 << 20

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
		if cap(c.cells) > mostCells {
			c.cells = nil // a giant value must not pin its scratch for ever
		}
		if err != nil {
			return changed, known(err)
		}
	}
	return changed, nil
}

// Later implements sqlstore.Conn. There is nobody far away to wait for.
func (c *conn) Later(q *sqlstore.Query, args []sqlstore.Value, visit func(run int, r sqlstore.Row) error) error {
	_, err := c.Run(q, args, visit)
	return err
}

// Settle implements sqlstore.Conn.
func (c *conn) Settle() error { return nil }

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
