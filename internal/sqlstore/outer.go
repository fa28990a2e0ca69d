// Keys inside a transaction that a program has begun and is going to end: each transaction of the store is a savepoint in it.

package sqlstore

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// Outer is a transaction of a program's own, as a store needs it.
type Outer struct {
	Runner
	Dialect *Dialect
	// Lock keeps all others from writing until the transaction ends. It is run each time the store begins to write: a savepoint of
	// the program's may have let go of the lock.
	Lock func() error
	// Tell is a statement that tells those who listen of the commit; empty: they hear of it anyway.
	Tell string
	// Fragile says that a statement which fails is the end of the transaction, unless there is a savepoint.
	Fragile bool
	// Known wraps an error in what it means to a store.
	Known func(error) error
}

// Runner runs statements in a transaction.
type Runner interface {
	// Run runs a statement. visit is told of each row; it is nil where there are none, and changed is how many were written then.
	Run(text string, args []Value, visit func(r Row) error) (changed int64, err error)
}

// Numbers that are taken inside a transaction are gone if the program rolls back, to a savepoint of its own perhaps. So what is left of
// a block is forgotten with each transaction of the store, and a block is small.
const innerBlock = 16

// OpenIn opens the keyspace inside a transaction. The tables have to be there. Nothing is swept, nothing is listened to, and Close does
// nothing to the transaction.
func OpenIn(o *Outer) (*Store, error) {
	c := &inner{Outer: o}
	s := newStore(o.Dialect, Options{})
	s.inner, s.block = true, innerBlock
	s.exchange.process = newProcess()
	s.writer, s.readers = c, make(chan Conn, 1)
	s.readers <- c
	switch is, err := within(c, false, func() (int64, error) { return schemaOf(c) }); {
	case err != nil:
		return nil, err
	case is != version:
		return nil, errors.New("the database has no tables for keys yet: redbud.Open makes them")
	}
	s.turn <- struct{}{}
	return s, nil
}

// newProcess is a number for a process, another one though the seed is the same.
func newProcess() int64 { return 1 + rand.Int64N(math.MaxInt64) }

// inner implements Conn, for the one who writes and for the one who reads: they take turns.
type inner struct {
	*Outer
	mu      sync.Mutex // held from Begin to Commit or Rollback; guards what follows
	saved   bool       // there is a savepoint
	changed bool       // by this transaction
	locks   int64      // how often Lock was run
	over    error      // why nothing more can be run; nil: it can
	texts   []innerText
	values  []Value
}

// innerText is a statement as it is run.
type innerText struct {
	text   string
	params []Param // of a dialect whose connections put arguments in place
}

// The savepoint, whose name programs are not likely to have for one of their own.
const (
	save    = `SAVEPOINT redbud_command`
	release = `RELEASE SAVEPOINT redbud_command`
	revert  = `ROLLBACK TO SAVEPOINT redbud_command`
)

// Begin implements Conn.
func (c *inner) Begin(write bool) error {
	c.mu.Lock()
	err := c.begin(write)
	if err != nil {
		c.mu.Unlock()
	}
	return err
}

func (c *inner) begin(write bool) error {
	if c.over != nil {
		return c.over
	}
	c.saved, c.changed = false, false
	if !write && !c.Fragile {
		return nil
	}
	if err := c.control(save); err != nil {
		return err
	}
	c.saved = true
	if !write {
		return nil
	}
	c.locks++
	if err := c.Lock(); err != nil {
		_ = c.undo() // the first error says more
		return c.known(err)
	}
	return nil
}

// Commit implements Conn. What was done stays if the program commits.
func (c *inner) Commit() error {
	if c.changed && c.Tell != "" {
		if err := c.control(c.Tell); err != nil {
			return err
		}
	}
	if c.saved {
		if err := c.control(release); err != nil {
			return err
		}
	}
	c.mu.Unlock()
	return nil
}

// Rollback implements Conn.
func (c *inner) Rollback() error {
	defer c.mu.Unlock()
	return c.undo()
}

// undo undoes what was done since Begin. If it cannot, nothing more is run: it might be half of something, or in no transaction at all.
func (c *inner) undo() error {
	if !c.saved {
		return nil
	}
	err := c.control(revert)
	if err == nil {
		err = c.control(release)
	}
	if err != nil {
		c.over = fmt.Errorf("the transaction cannot go on: %w", err)
	}
	return err
}

// control runs a statement without parameters.
func (c *inner) control(text string) error {
	_, err := c.Outer.Run(text, nil, nil)
	return c.known(err)
}

// known is what an error means here. To try again in the same transaction is in vain.
func (c *inner) known(err error) error {
	if err == nil {
		return nil
	}
	if err = c.Known(err); errors.Is(err, keyspace.ErrConflict) {
		return fmt.Errorf("%w: %v", keyspace.ErrBeginAgain, err)
	}
	return err
}

// Run implements Conn.
func (c *inner) Run(q *Query, args []Value, visit func(run int, r Row) error) (changed int64, err error) {
	s, runs := c.statement(q), 1
	if q.Params > 0 {
		runs = len(args) / q.Params
	}
	for i := range runs {
		var told func(r Row) error
		var failed error // of visit
		if visit != nil {
			told = func(r Row) error { failed = visit(i, r); return failed }
		}
		n, err := c.Outer.Run(s.text, c.place(s, args[i*q.Params:(i+1)*q.Params]), told)
		switch {
		case failed != nil:
			return changed, failed
		case err != nil:
			return changed, c.known(err)
		}
		changed += n
	}
	c.changed = c.changed || visit == nil && changed > 0
	return changed, nil
}

// statement is a query as it is run.
func (c *inner) statement(q *Query) *innerText {
	if c.texts == nil {
		c.texts = make([]innerText, Queries())
	}
	s := &c.texts[q.ID]
	if s.text == "" {
		s.text = c.Dialect.Text(q)
		if c.Dialect.placed {
			s.params = c.Dialect.Params(q)
		}
	}
	return s
}

// place puts arguments in the order in which a statement takes them.
func (c *inner) place(s *innerText, args []Value) []Value {
	if !c.Dialect.placed {
		return args
	}
	c.values = c.values[:0]
	for _, p := range s.params {
		v := args[p.Arg]
		if p.Short && v.Kind == KindBytes {
			v.Bytes = Short(v.Bytes)
		}
		c.values = append(c.values, v)
	}
	return c.values
}

// Later implements Conn.
func (c *inner) Later(q *Query, args []Value, visit func(run int, r Row) error) error {
	_, err := c.Run(q, args, visit)
	return err
}

// Settle implements Conn.
func (c *inner) Settle() error { return nil }

// Version implements Conn: whoever took the lock knows nothing of what was before.
func (c *inner) Version() (int64, error) { return c.locks, nil }

// Script implements Conn.
func (c *inner) Script(string) error { return errors.New("no tables are made inside a transaction") }

// Close implements Conn. The connection is somebody else's.
func (c *inner) Close() error { return nil }
