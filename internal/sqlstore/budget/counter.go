package budget

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redbud-go/redbud/internal/sqlstore"
)

// counter is a database that counts what is run in its transactions.
type counter struct {
	sqlstore.Driver
	mu  sync.Mutex // guards all
	all []*transaction
}

// transaction is what was run in one.
type transaction struct {
	write, undone    bool
	statements, runs int
}

func (d *counter) Open(ctx context.Context, write bool) (sqlstore.Conn, error) {
	c, err := d.Driver.Open(ctx, write)
	if err != nil {
		return nil, err
	}
	counted := &countedConn{Conn: c, d: d}
	if l, ok := c.(sqlstore.Locker); ok {
		return struct {
			*countedConn
			sqlstore.Locker
		}{counted, l}, nil
	}
	return counted, nil
}

func (d *counter) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = nil
}

// String is the transactions in the words of the table.
func (d *counter) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	for _, x := range d.all {
		text := "read"
		if x.write {
			text = "write"
		}
		text += fmt.Sprintf(" %d", x.statements)
		if x.runs != x.statements {
			text += fmt.Sprintf("/%d", x.runs)
		}
		if x.undone {
			text += " undone"
		}
		all = append(all, text)
	}
	if all == nil {
		return "none"
	}
	return strings.Join(all, " + ")
}

// countedConn counts for the transaction that it is in.
type countedConn struct {
	sqlstore.Conn
	d   *counter
	now *transaction
}

func (c *countedConn) Begin(write bool) error {
	c.d.mu.Lock()
	c.now = &transaction{write: write}
	c.d.all = append(c.d.all, c.now)
	c.d.mu.Unlock()
	return c.Conn.Begin(write)
}

func (c *countedConn) Rollback() error {
	c.d.mu.Lock()
	c.now.undone = true
	c.d.mu.Unlock()
	return c.Conn.Rollback()
}

func (c *countedConn) Run(q *sqlstore.Query, args []sqlstore.Value, visit func(run int, r sqlstore.Row) error) (int64, error) {
	c.count(q, args)
	return c.Conn.Run(q, args, visit)
}

func (c *countedConn) Later(q *sqlstore.Query, args []sqlstore.Value, visit func(run int, r sqlstore.Row) error) error {
	c.count(q, args)
	return c.Conn.Later(q, args, visit)
}

func (c *countedConn) count(q *sqlstore.Query, args []sqlstore.Value) {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.now.statements++
	if q.Params == 0 {
		c.now.runs++
	} else {
		c.now.runs += len(args) / q.Params
	}
}

// Wire counts the round trips of all connections that are dialed through it: how often something came after something had gone out.
type Wire struct{ trips atomic.Int64 }

// Dial is a net.Dialer's DialContext.
func (w *Wire) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &wireConn{Conn: c, w: w}, nil
}

func (w *Wire) count() int64 {
	if w == nil {
		return 0
	}
	return w.trips.Load()
}

type wireConn struct {
	net.Conn
	w   *Wire
	out atomic.Bool // something has gone out since something came
}

func (c *wireConn) Write(b []byte) (int, error) {
	c.out.Store(true)
	return c.Conn.Write(b)
}

func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.out.Swap(false) {
		c.w.trips.Add(1)
	}
	return n, err
}
