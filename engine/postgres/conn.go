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

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/sqlstore"
)

// conn implements sqlstore.Conn. What nobody waits for is sent with what somebody does: a transaction begins with its first statement
// and is committed with its last ones, in one round trip each. A connection that was lost while nobody used it is made anew.
type conn struct {
	d     *driver
	write bool

	pg       *pgconn.PgConn
	losses   int64                          // as the driver's, when it was made
	prepared []*pgconn.StatementDescription // by the ID of the query
	own      map[string]*pgconn.StatementDescription

	begins  []string         // statements that go before the next one
	open    bool             // the server is in a transaction, as far as we know
	changed bool             // by this transaction
	p       *pgconn.Pipeline // nil: nothing is under way
	owed    []visitor        // of the results that nobody has read yet

	values  [][]byte
	scratch []byte // that integers and numbers among the values stand in
}

// visitor is told of the rows of a result; nil: nobody wants to know.
type visitor func(run int, r sqlstore.Row) error

// Who writes keeps all others from writing until its transaction ends, in all processes: the number of the lock says redbud.
const (
	lock = `SELECT pg_advisory_xact_lock(125779801437540)`
	tell = `SELECT pg_notify('redbud', '')`
)

var (
	beginWrite = []string{`BEGIN ISOLATION LEVEL READ COMMITTED`, lock}
	beginRead  = []string{`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`}
	commit     = []string{`COMMIT`}
	commitTold = []string{tell, `COMMIT`}
	rollback   = []string{`ROLLBACK`}
)

func (c *conn) connect(ctx context.Context) error {
	losses := c.d.losses.Load()
	pg, err := pgconn.ConnectConfig(ctx, c.d.config)
	if err != nil {
		return err
	}
	c.pg, c.own, c.open, c.p, c.owed = pg, map[string]*pgconn.StatementDescription{}, false, nil, nil
	c.losses = losses
	c.prepared = make([]*pgconn.StatementDescription, sqlstore.Queries())
	if c.write {
		c.d.writer.Store(pg.PID())
	}
	for i, text := range slices.Concat(beginWrite, beginRead, commitTold, rollback) {
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
	if !c.pg.IsClosed() && c.losses == c.d.losses.Load() {
		return nil
	}
	_ = c.d.leave(c.pg) // another one was lost: this one may be, too
	return c.known(c.connect(context.Background()))
}

// Commit does not wait for the end of a transaction that has only read.
func (c *conn) Commit() error {
	if c.begins != nil { // nothing was run
		c.begins = nil
		return nil
	}
	switch {
	case !c.write:
		c.send(commit)
		c.open = false
		return c.known(c.p.Sync())
	case c.changed:
		c.send(commitTold)
	default:
		c.send(commit)
	}
	tag, err := c.settle()
	if err = c.known(err); errors.Is(err, keyspace.ErrLost) && c.changed {
		return fmt.Errorf("%w: %w", keyspace.ErrInDoubt, err)
	}
	if err != nil {
		return err
	}
	c.open = false
	if tag.String() != "COMMIT" {
		return fmt.Errorf("PostgreSQL answered COMMIT by %s", tag)
	}
	return nil
}

func (c *conn) Rollback() error {
	c.begins = nil
	if !c.open || c.pg.IsClosed() {
		return c.drop()
	}
	if _, err := c.settle(); err != nil && c.pg.IsClosed() {
		return err // the server has rolled it back then
	}
	c.send(rollback)
	_, err := c.settle()
	c.open = false
	return err
}

// drop forgets what is under way on a connection that is closed.
func (c *conn) drop() error {
	if c.p == nil || !c.pg.IsClosed() {
		return nil
	}
	err := c.p.Close()
	c.p, c.owed = nil, c.owed[:0]
	return err
}

// send sends statements without arguments.
func (c *conn) send(texts []string) {
	c.start()
	for _, text := range texts {
		c.p.SendQueryStatement(c.own[text], nil, nil, nil)
		c.owed = append(c.owed, nil)
	}
}

// start makes sure that something is under way.
func (c *conn) start() {
	if c.p == nil {
		c.p = c.pg.StartPipeline(context.Background())
	}
}

// settle waits for all that is under way, and returns what became of the last statement.
func (c *conn) settle() (tag pgconn.CommandTag, err error) {
	if c.p == nil {
		return tag, nil
	}
	if err = c.p.Sync(); err == nil {
		tag, err = c.pay()
	}
	return tag, c.finish(err)
}

// finish ends what is under way.
func (c *conn) finish(err error) error {
	if e := c.p.Close(); err == nil {
		err = e
	}
	c.p = nil
	clear(c.owed)
	c.owed = c.owed[:0]
	return err
}

// pay reads the results that nobody has read yet.
func (c *conn) pay() (tag pgconn.CommandTag, err error) {
	for _, visit := range c.owed {
		if tag, err = read(c.p, 0, visit); err != nil {
			return tag, err
		}
	}
	c.owed = c.owed[:0]
	return tag, nil
}

// read reads a result.
func read(p *pgconn.Pipeline, run int, visit visitor) (tag pgconn.CommandTag, err error) {
	r, err := result(p)
	if err != nil {
		return tag, err
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
	return tag, err
}

// Settle implements sqlstore.Conn.
func (c *conn) Settle() error {
	if len(c.owed) == 0 {
		return nil
	}
	_, err := c.settle()
	return c.known(err)
}

// result is the next one.
func result(p *pgconn.Pipeline) (*pgconn.ResultReader, error) {
	for {
		r, err := p.GetResults()
		if err != nil {
			return nil, err
		}
		switch r := r.(type) {
		case *pgconn.ResultReader:
			return r, nil
		case *pgconn.PipelineSync: // between what was sent at two times
		default:
			return nil, fmt.Errorf("PostgreSQL sent %T where a result was expected", r)
		}
	}
}

// Version implements sqlstore.Conn: who is told of a commit looks in any case.
func (c *conn) Version() (int64, error) { return c.d.version.Add(1), nil }

func (c *conn) Close() error { return c.pg.Close(context.Background()) }

func (c *conn) Script(text string) error {
	c.begin()
	if _, err := c.settle(); err != nil {
		return err
	}
	_, err := c.pg.Exec(context.Background(), text).ReadAll()
	return err
}

// begin sends what begins the transaction, unless it was.
func (c *conn) begin() {
	if c.begins != nil {
		c.send(c.begins)
		c.begins, c.open = nil, true
	}
}

// statement is a query prepared.
func (c *conn) statement(q *sqlstore.Query) (*pgconn.StatementDescription, error) {
	if s := c.prepared[q.ID]; s != nil {
		return s, nil
	}
	if _, err := c.settle(); err != nil {
		return nil, err
	}
	text := sqlstore.PostgreSQL.Text(q)
	s, err := c.pg.Prepare(context.Background(), "redbud_"+strconv.Itoa(q.ID), text, nil)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", text, err)
	}
	c.prepared[q.ID] = s
	return s, nil
}

// How much is under way at a time.
const (
	mostOwed  = 512
	mostBytes = 1 << 20 // in names and values, about
)

// Run implements sqlstore.Conn.
func (c *conn) Run(q *sqlstore.Query, args []sqlstore.Value, visit func(run int, r sqlstore.Row) error) (changed int64, err error) {
	changed, err = c.run(q, args, visit)
	return changed, c.known(err)
}

func (c *conn) run(q *sqlstore.Query, args []sqlstore.Value, visit visitor) (changed int64, err error) {
	s, err := c.statement(q)
	if err != nil {
		return 0, err
	}
	c.begin()
	c.start()
	runs := 1
	if q.Params > 0 {
		runs = len(args) / q.Params
	}
	for from := 0; from < runs && err == nil; {
		to := c.sendSome(s, q.Params, args, from, runs)
		if err = c.p.Sync(); err == nil {
			_, err = c.pay()
		}
		for ; from < to && err == nil; from++ {
			var tag pgconn.CommandTag
			if tag, err = read(c.p, from, visit); visit == nil {
				changed += tag.RowsAffected()
			}
		}
	}
	c.changed = c.changed || visit == nil && changed > 0
	return changed, c.finish(err)
}

// sendSome sends runs of a statement, from one on, and returns the first that it did not.
func (c *conn) sendSome(s *pgconn.StatementDescription, params int, args []sqlstore.Value, from, runs int) int {
	size := 0
	for n := 0; from < runs && n < mostOwed && size < mostBytes; n++ {
		c.values, c.scratch = c.values[:0], c.scratch[:0]
		for j := range params {
			v := &args[from*params+j]
			c.values = append(c.values, c.encode(v, s.ParamOIDs[j]))
			size += len(v.Bytes)
		}
		c.p.SendQueryStatement(s, c.values, binaryFormat, binaryFormat)
		from++
	}
	clear(c.values)
	return from
}

// Later implements sqlstore.Conn.
func (c *conn) Later(q *sqlstore.Query, args []sqlstore.Value, visit func(run int, r sqlstore.Row) error) error {
	return c.known(c.later(q, args, visit))
}

func (c *conn) later(q *sqlstore.Query, args []sqlstore.Value, visit visitor) error {
	s, err := c.statement(q)
	if err != nil {
		return err
	}
	c.begin()
	c.start()
	c.changed = c.changed || visit == nil
	runs := 1
	if q.Params > 0 {
		runs = len(args) / q.Params
	}
	for from := 0; from < runs; {
		to := c.sendSome(s, q.Params, args, from, runs)
		for ; from < to; from++ {
			run := from
			if visit == nil {
				c.owed = append(c.owed, nil)
			} else {
				c.owed = append(c.owed, func(_ int, r sqlstore.Row) error { return visit(run, r) })
			}
		}
		if from == runs && len(c.owed) < mostOwed {
			break
		}
		if _, err := c.settle(); err != nil {
			return err
		}
		c.start()
	}
	return nil
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
