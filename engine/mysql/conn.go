package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/sqlstore"
)

// session is what we use of the driver's connections.
type session interface {
	driver.Conn
	driver.ExecerContext
	driver.Validator
}

// conn implements sqlstore.Conn. The server begins a transaction with its first statement; a connection that was lost before is made
// anew then.
type conn struct {
	d     *database
	write bool

	my        session
	prepared  [len(runSizes)][]*statement // by how many runs they are, and the ID of the query
	lock      *statement                  // of lockText
	count     *statement                  // of countText
	mostBytes int64                       // of an argument
	migrating bool                        // others are kept off by Lock, since tables are what is made
	begun     bool                        // a transaction that writes
	number    int64                       // of its commit, among those of all
	fresh     bool                        // nothing was run in this transaction
	changed   bool                        // by this transaction
	values    []driver.Value
	row       row
}

// statement is one that is prepared.
type statement struct {
	driver.Stmt
	params  []sqlstore.Param
	columns int // of its rows; 0: not known yet
}

// noStatement is prepared where several runs of one cannot be one.
var noStatement = &statement{}

// runSizes are how many runs a statement is, at a time.
var runSizes = [...]int{1, 8, 64}

// What a transaction begins with that writes keeps all others from writing until it ends, in all processes, and counts it; the server
// sends the number along.
const (
	lockText  = `UPDATE redbud_meta SET value = LAST_INSERT_ID(value + 1) WHERE name = 'commits'`
	countText = `SELECT value FROM redbud_meta WHERE name = 'commits'`
)

func (c *conn) connect(ctx context.Context) error {
	dc, err := c.d.connector.Connect(ctx)
	if err != nil {
		return err
	}
	c.my = dc.(session)
	for i := range c.prepared {
		c.prepared[i] = make([]*statement, sqlstore.Queries())
	}
	c.lock, c.count = nil, nil
	level := `SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY`
	if c.write {
		level = `SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED`
	}
	if err := c.control(level); err != nil {
		return errors.Join(err, c.Close())
	}
	packet, err := c.ask(`SELECT @@max_allowed_packet`)
	if err != nil {
		return errors.Join(err, c.Close())
	}
	c.mostBytes = packet - packetHeader
	return nil
}

// packetHeader is what a statement has besides its arguments, or a row besides its values; more than enough.
const packetHeader = 4 << 10

func (c *conn) Begin(write bool) error {
	c.begun, c.fresh, c.changed = write, true, false
	if c.my.IsValid() {
		return nil
	}
	if err := c.reconnect(); err != nil || !write {
		return err
	}
	return fmt.Errorf("%w, and was found again", keyspace.ErrLost)
}

// Commit counts nothing where nothing was changed, so that those who wait and look are not told by each other's looks.
func (c *conn) Commit() error {
	write := c.begun
	c.begun = false
	switch {
	case c.fresh:
		return nil
	case write && !c.changed:
		return c.control(`ROLLBACK`)
	}
	err := c.control(`COMMIT`)
	if err == nil && write {
		c.d.own.Add(1)
	}
	if errors.Is(err, keyspace.ErrLost) && write {
		return fmt.Errorf("%w: %w", keyspace.ErrInDoubt, err)
	}
	return err
}

// Rollback makes a connection that was lost anew: the store expects to lose what it knew, and the next transaction need not.
func (c *conn) Rollback() error {
	nothing := c.fresh
	c.begun, c.fresh = false, true
	switch {
	case !c.my.IsValid():
		return c.reconnect()
	case nothing:
		return nil
	}
	return c.control(`ROLLBACK`)
}

// control runs a statement without parameters.
func (c *conn) control(text string) error {
	_, err := c.my.ExecContext(context.Background(), text, nil)
	return c.failed(err)
}

// own prepares a statement of ours in place, unless it is there.
func (c *conn) own(place **statement, text string) (err error) {
	if *place == nil {
		*place, err = c.prepare(text, nil)
	}
	return err
}

// ask returns the number in the only row of a statement; 0 if that is NULL.
func (c *conn) ask(text string) (n int64, err error) {
	s, err := c.prepare(text, nil)
	if err != nil {
		return 0, err
	}
	err = c.read(s, 0, nil, func(_ int, r sqlstore.Row) error { n = r.Int(0); return nil })
	return n, errors.Join(err, s.Close())
}

// Version implements sqlstore.Conn: the commits by others. A transaction that writes has been told when it began.
func (c *conn) Version() (int64, error) {
	if c.begun {
		if err := c.start(); err != nil {
			return 0, c.recover(err)
		}
		return c.number - 1 - c.d.own.Load(), nil
	}
	n, err := c.commits()
	if err != nil {
		if err = c.recover(err); err == nil {
			n, err = c.commits()
		}
	}
	return n - c.d.own.Load(), err
}

// commits is how many there were by anybody.
func (c *conn) commits() (n int64, err error) {
	if err := c.own(&c.count, countText); err != nil {
		return 0, err
	}
	if err := c.read(c.count, 0, nil, func(_ int, r sqlstore.Row) error { n = r.Int(0); return nil }); err != nil {
		return 0, err
	}
	return n, c.control(`ROLLBACK`)
}

func (c *conn) Close() error { return c.my.Close() }

// Lock implements sqlstore.Locker.
func (c *conn) Lock() (unlock func(), err error) {
	const name = `concat('redbud ', md5(database()))` // such locks are the server's, not the database's
	got, err := c.ask(`SELECT get_lock(` + name + `, 60)`)
	if err != nil {
		return nil, err
	}
	if got != 1 {
		return nil, errors.New("another process has been making the tables for a minute")
	}
	c.migrating = true
	return func() {
		c.migrating = false
		_ = c.control(`DO release_lock(` + name + `)`) // fails if the connection is lost, and the lock with it
	}, nil
}

func (c *conn) Script(text string) error {
	c.fresh = false
	for statement := range strings.SplitSeq(text, ";\n") {
		if err := c.control(statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// prepare prepares a statement for the session.
func (c *conn) prepare(text string, params []sqlstore.Param) (*statement, error) {
	s, err := c.my.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", text, c.failed(err))
	}
	return &statement{Stmt: s, params: params}, nil
}

// statement is a query prepared for as many runs as runSizes has; noStatement if it cannot be.
func (c *conn) statement(q *sqlstore.Query, size int) (*statement, error) {
	place := &c.prepared[size][q.ID]
	if *place != nil {
		return *place, nil
	}
	text, params := sqlstore.MySQL.Text(q), sqlstore.MySQL.Params(q)
	if size > 0 {
		if text, params = sqlstore.MySQL.Bulk(q, runSizes[size]); text == "" {
			*place = noStatement
			return noStatement, nil
		}
	}
	s, err := c.prepare(text, params)
	*place = s
	return s, err
}

// Run implements sqlstore.Conn.
func (c *conn) Run(q *sqlstore.Query, args []sqlstore.Value, visit func(run int, r sqlstore.Row) error) (changed int64, err error) {
	if err := c.fits(args, q.Params); err != nil {
		return 0, err
	}
	first, seen := c.fresh, false
	told := visit
	if first && visit != nil {
		told = func(run int, r sqlstore.Row) error { seen = true; return visit(run, r) }
	}
	changed, err = c.run(q, args, told)
	if err != nil && first && !seen {
		if err = c.recover(err); err == nil {
			changed, err = c.run(q, args, told)
		}
	}
	if visit == nil && changed > 0 {
		c.changed = true
	}
	return changed, err
}

// Later implements sqlstore.Conn. The protocol has nothing for what nobody waits for.
func (c *conn) Later(q *sqlstore.Query, args []sqlstore.Value, visit func(run int, r sqlstore.Row) error) error {
	_, err := c.Run(q, args, visit)
	return err
}

// Settle implements sqlstore.Conn.
func (c *conn) Settle() error { return nil }

func (c *conn) run(q *sqlstore.Query, args []sqlstore.Value, visit func(run int, r sqlstore.Row) error) (changed int64, err error) {
	if err := c.start(); err != nil {
		return 0, err
	}
	runs := 1
	if q.Params > 0 {
		runs = len(args) / q.Params
	}
	for i := 0; i < runs; {
		s, n, err := c.next(q, args[i*q.Params:], runs-i)
		if err != nil {
			return changed, err
		}
		c.encode(s.params, args[i*q.Params:])
		told := visit
		if visit != nil && n > 1 {
			told = func(_ int, r sqlstore.Row) error { return visit(i+int(r.Int(0)), r.(row)[1:]) }
		}
		more, err := c.once(s, i, c.values, told)
		changed += more
		if err != nil {
			return changed, err
		}
		i += n
	}
	clear(c.values) // they name memory of the caller
	return changed, nil
}

// next is the statement that is run next, and how many of the runs that are left it is.
func (c *conn) next(q *sqlstore.Query, args []sqlstore.Value, left int) (*statement, int, error) {
	for size := len(runSizes) - 1; size > 0; size-- {
		n := runSizes[size]
		if n > left || !c.small(args[:n*q.Params]) {
			continue
		}
		if s, err := c.statement(q, size); err != nil || s != noStatement {
			return s, n, err
		}
	}
	s, err := c.statement(q, 0)
	return s, 1, err
}

// start begins the transaction, if the next statement is its first.
func (c *conn) start() (err error) {
	if !c.fresh || !c.begun || c.migrating {
		c.fresh = false
		return nil
	}
	if err := c.own(&c.lock, lockText); err != nil {
		return err
	}
	c.fresh = false
	r, err := c.lock.Exec(nil)
	if err != nil {
		return c.failed(err)
	}
	c.number, err = r.LastInsertId()
	return err
}

// once runs a statement once.
func (c *conn) once(s *statement, run int, values []driver.Value, visit func(run int, r sqlstore.Row) error) (changed int64, err error) {
	if visit != nil {
		return 0, c.read(s, run, values, visit)
	}
	r, err := s.Exec(values)
	if err != nil {
		return 0, c.failed(err)
	}
	return r.RowsAffected()
}

// read visits the rows of a statement.
func (c *conn) read(s *statement, run int, values []driver.Value, visit func(run int, r sqlstore.Row) error) error {
	rows, err := s.Query(values)
	if err != nil {
		return c.failed(err)
	}
	if s.columns == 0 {
		s.columns = len(rows.Columns())
	}
	if cap(c.row) < s.columns {
		c.row = make(row, s.columns)
	}
	r := c.row[:s.columns]
	for {
		if err = rows.Next(r); err != nil {
			break
		}
		if err := visit(run, r); err != nil {
			_ = rows.Close() // what is wrong with the connection shows with the next statement
			return err
		}
	}
	if err == io.EOF {
		err = rows.Close()
	}
	return c.failed(err)
}

// encode puts arguments in the order in which a statement takes them.
func (c *conn) encode(params []sqlstore.Param, args []sqlstore.Value) {
	c.values = c.values[:0]
	for _, p := range params {
		v := &args[p.Arg]
		switch {
		case v.Kind == sqlstore.KindNull:
			c.values = append(c.values, nil)
		case v.Kind == sqlstore.KindInt:
			c.values = append(c.values, v.Int)
		case v.Kind == sqlstore.KindFloat:
			c.values = append(c.values, finite(v.Float))
		case v.Bytes == nil:
			c.values = append(c.values, []byte{})
		case p.Short:
			c.values = append(c.values, sqlstore.Short(v.Bytes))
		default:
			c.values = append(c.values, v.Bytes)
		}
	}
}

// size is the bytes of arguments, about.
func size(args []sqlstore.Value) (n int64) {
	for i := range args {
		n += int64(len(args[i].Bytes))
	}
	return n
}

// small reports whether arguments are few enough to go with those of other runs.
func (c *conn) small(args []sqlstore.Value) bool { return size(args) <= min(c.mostBytes/4, 1<<20) }

// fits refuses arguments of a run for which the server would end the connection.
func (c *conn) fits(args []sqlstore.Value, params int) error {
	for i := 0; i < len(args); i += params {
		if n := size(args[i : i+params]); n > c.mostBytes {
			return fmt.Errorf("%w: %d bytes, where max_allowed_packet is %d", keyspace.ErrTooLarge, n, c.mostBytes+packetHeader)
		}
	}
	return nil
}

// finite is a number as a DOUBLE may be: the largest stand for infinity, and are the next smaller ones themselves.
func finite(f float64) float64 {
	switch {
	case math.IsInf(f, 0):
		return math.Copysign(math.MaxFloat64, f)
	case math.Abs(f) == math.MaxFloat64:
		return math.Nextafter(f, 0)
	}
	return f
}

// infinite is the number that finite has made finite.
func infinite(f float64) float64 {
	if math.Abs(f) == math.MaxFloat64 {
		return math.Inf(int(math.Copysign(1, f)))
	}
	return f
}

// row implements sqlstore.Row.
type row []driver.Value

func (r row) Null(i int) bool { return r[i] == nil }

func (r row) Bytes(i int) []byte {
	b, _ := r[i].([]byte)
	return b
}

func (r row) Float(i int) float64 {
	f, _ := r[i].(float64)
	return infinite(f)
}

// Int takes a sum for what it is: a DECIMAL, in digits.
func (r row) Int(i int) int64 {
	switch v := r[i].(type) {
	case int64:
		return v
	case []byte:
		n, _ := strconv.ParseInt(string(v), 10, 64)
		return n
	}
	return 0 // NULL
}
