package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/redbud-go/redbud/internal/sqlstore"
)

// conn implements sqlstore.Conn. A transaction begins with its first statement, in the same round trip; a connection that was lost
// before is made anew then.
type conn struct {
	d     *driver
	write bool

	pg       *pgconn.PgConn
	prepared []*pgconn.StatementDescription // by the ID of the query
	own      map[string]*pgconn.StatementDescription

	begins  []string // statements that go before the next one
	open    bool     // the server is in a transaction
	changed bool     // by this transaction

	values  [][]byte
	scratch []byte // that integers and numbers among the values stand in
}

// Who writes keeps all others from writing until its transaction ends, in all processes: the number of the lock says redbud.
var (
	beginWrite = []string{`BEGIN ISOLATION LEVEL READ COMMITTED`, `SELECT pg_advisory_xact_lock(125779801437540)`}
	beginRead  = []string{`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`}
	ends       = []string{`COMMIT`}
	endsTold   = []string{`SELECT pg_notify('redbud', '')`, `COMMIT`}
	undoes     = []string{`ROLLBACK`}
)

func (c *conn) connect(ctx context.Context) error {
	pg, err := pgconn.ConnectConfig(ctx, c.d.config)
	if err != nil {
		return err
	}
	c.pg, c.own, c.open = pg, map[string]*pgconn.StatementDescription{}, false
	c.prepared = make([]*pgconn.StatementDescription, sqlstore.Queries())
	if c.write {
		c.d.writer.Store(pg.PID())
	}
	for i, text := range slices.Concat(beginWrite, beginRead, endsTold, undoes) {
		if c.own[text], err = pg.Prepare(ctx, "redbud_own_"+strconv.Itoa(i), text, nil); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	return nil
}

func (c *conn) Begin(write bool) error {
	c.begins, c.changed = beginRead, false
	if write {
		c.begins = beginWrite
	}
	if c.pg.IsClosed() {
		return c.connect(context.Background())
	}
	return nil
}

func (c *conn) Commit() error {
	if c.begins != nil { // nothing was run
		c.begins = nil
		return nil
	}
	c.open = false
	if c.write && c.changed {
		return c.control(endsTold)
	}
	return c.control(ends)
}

func (c *conn) Rollback() error {
	c.begins = nil
	if !c.open || c.pg.IsClosed() {
		return nil
	}
	c.open = false
	return c.control(undoes)
}

// control runs statements without arguments.
func (c *conn) control(texts []string) error {
	p := c.pg.StartPipeline(context.Background())
	c.send(p, texts)
	err := p.Sync()
	for range texts {
		if err == nil {
			err = finish(p)
		}
	}
	return errors.Join(err, p.Close())
}

// send sends statements without arguments.
func (c *conn) send(p *pgconn.Pipeline, texts []string) {
	for _, text := range texts {
		p.SendQueryStatement(c.own[text], nil, nil, nil)
	}
}

// finish reads a result to its end.
func finish(p *pgconn.Pipeline) error {
	r, err := result(p)
	if err != nil {
		return err
	}
	_, err = r.Close()
	return err
}

// result is the next one.
func result(p *pgconn.Pipeline) (*pgconn.ResultReader, error) {
	r, err := p.GetResults()
	if err != nil {
		return nil, err
	}
	if r, ok := r.(*pgconn.ResultReader); ok {
		return r, nil
	}
	return nil, fmt.Errorf("PostgreSQL sent %T where a result was expected", r)
}

// Version implements sqlstore.Conn: who is told of a commit looks in any case.
func (c *conn) Version() (int64, error) { return c.d.version.Add(1), nil }

func (c *conn) Close() error { return c.pg.Close(context.Background()) }

func (c *conn) Script(text string) error {
	if c.begins != nil {
		if err := c.control(c.begins); err != nil {
			return err
		}
		c.begins, c.open = nil, true
	}
	_, err := c.pg.Exec(context.Background(), text).ReadAll()
	return err
}

// statement is a query prepared.
func (c *conn) statement(q *sqlstore.Query) (*pgconn.StatementDescription, error) {
	if s := c.prepared[q.ID]; s != nil {
		return s, nil
	}
	text := sqlstore.PostgreSQL.Text(q)
	s, err := c.pg.Prepare(context.Background(), "redbud_"+strconv.Itoa(q.ID), text, nil)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", text, err)
	}
	c.prepared[q.ID] = s
	return s, nil
}

// chunk is how many runs of a statement are under way at a time.
const chunk = 512

// Run implements sqlstore.Conn.
func (c *conn) Run(q *sqlstore.Query, args []sqlstore.Value, visit func(run int, r sqlstore.Row) error) (changed int64, err error) {
	runs := 1
	if q.Params > 0 {
		runs = len(args) / q.Params
	}
	for from := 0; from < runs; from += chunk {
		to := min(from+chunk, runs)
		begins, seen := c.begins, false
		some := args[from*q.Params : to*q.Params]
		told := visit
		if visit != nil {
			told = func(run int, r sqlstore.Row) error { seen = true; return visit(from+run, r) }
		}
		n, err := c.some(q, some, to-from, told)
		if err != nil && begins != nil && !seen && c.pg.IsClosed() {
			// The connection was lost while nobody used it: nothing has happened yet.
			if err = c.connect(context.Background()); err == nil {
				c.begins = begins
				n, err = c.some(q, some, to-from, told)
			}
		}
		changed += n
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

func (c *conn) some(q *sqlstore.Query, args []sqlstore.Value, runs int, visit func(run int, r sqlstore.Row) error) (changed int64, err error) {
	s, err := c.statement(q)
	if err != nil {
		return 0, err
	}
	p := c.pg.StartPipeline(context.Background())
	begins := c.begins
	c.send(p, begins)
	c.begins, c.open = nil, true
	c.scratch = c.scratch[:0]
	for i := range runs {
		c.values = c.values[:0]
		for j := range q.Params {
			c.values = append(c.values, c.encode(&args[i*q.Params+j], s.ParamOIDs[j]))
		}
		p.SendQueryStatement(s, c.values, binaryFormat, binaryFormat)
	}
	clear(c.values)
	err = p.Sync()
	for range begins {
		if err == nil {
			err = finish(p)
		}
	}
	for i := range runs {
		if err != nil {
			break
		}
		var n int64
		n, err = read(p, i, visit)
		changed += n
	}
	if visit == nil && changed > 0 {
		c.changed = true
	}
	if e := p.Close(); err == nil {
		err = e
	}
	return changed, err
}

// read reads a result and returns how many rows were written.
func read(p *pgconn.Pipeline, run int, visit func(run int, r sqlstore.Row) error) (changed int64, err error) {
	r, err := result(p)
	if err != nil {
		return 0, err
	}
	for r.NextRow() {
		if visit != nil && err == nil {
			err = visit(run, row(r.Values()))
		}
	}
	tag, e := r.Close()
	if err == nil {
		err = e
	}
	if visit == nil {
		changed = tag.RowsAffected()
	}
	return changed, err
}

// binaryFormat says that all values are in their binary format.
var binaryFormat = []int16{1}

// The types of parameters, as pg_type has them.
const (
	oidInt2   = 21
	oidInt4   = 23
	oidInt8   = 20
	oidFloat8 = 701
)

// encode is a value in the binary format of a type; nil: NULL.
func (c *conn) encode(v *sqlstore.Value, oid uint32) []byte {
	from := len(c.scratch)
	switch {
	case v.Kind == sqlstore.KindNull:
		return nil
	case v.Kind == sqlstore.KindBytes:
		if v.Bytes == nil {
			return []byte{}
		}
		return v.Bytes
	case oid == oidFloat8:
		f := v.Float
		if v.Kind == sqlstore.KindInt {
			f = float64(v.Int)
		}
		c.scratch = binary.BigEndian.AppendUint64(c.scratch, math.Float64bits(f))
	case oid == oidInt4:
		c.scratch = binary.BigEndian.AppendUint32(c.scratch, uint32(v.Int))
	case oid == oidInt2:
		c.scratch = binary.BigEndian.AppendUint16(c.scratch, uint16(v.Int))
	default:
		c.scratch = binary.BigEndian.AppendUint64(c.scratch, uint64(v.Int))
	}
	return c.scratch[from:len(c.scratch):len(c.scratch)]
}

// row implements sqlstore.Row: the values of a row in their binary format.
type row [][]byte

func (r row) Null(i int) bool    { return r[i] == nil }
func (r row) Bytes(i int) []byte { return r[i] }
func (r row) Float(i int) float64 {
	if len(r[i]) != 8 {
		return 0
	}
	return math.Float64frombits(binary.BigEndian.Uint64(r[i]))
}

func (r row) Int(i int) int64 {
	switch b := r[i]; len(b) {
	case 8:
		return int64(binary.BigEndian.Uint64(b))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b)))
	case 2:
		return int64(int16(binary.BigEndian.Uint16(b)))
	case 1:
		return int64(b[0]) // a truth value
	}
	return 0 // NULL
}
