package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/sqlstore"
)

func init() { engine.RegisterTx(openTx, "sqlite") }

// openTx opens the engine inside a transaction of the program's own.
func openTx(ctx context.Context, tx any) (engine.Engine, error) {
	o := &sqlstore.Outer{Dialect: sqlstore.SQLite, Known: known}
	switch tx := tx.(type) {
	case *sql.Tx:
		if tx == nil {
			return nil, errors.New("the *sql.Tx is nil")
		}
		o.Runner, o.Known = sqlstore.RunnerOf(ctx, tx), knownOfAny
	case *sqlite.Conn:
		if tx == nil {
			return nil, errors.New("the *sqlite.Conn is nil")
		}
		if tx.AutocommitEnabled() {
			return nil, errors.New("the connection is in no transaction")
		}
		o.Runner = runner{tx}
	default:
		return nil, fmt.Errorf("want a *sql.Tx, or a *sqlite.Conn of zombiezen.com/go/sqlite in a transaction, and not %T", tx)
	}
	// Writes nothing, but takes the lock that those who write have.
	o.Lock = func() error {
		_, err := o.Run(`DELETE FROM redbud_meta WHERE name = 'none'`, nil, nil)
		return err
	}
	s, err := sqlstore.OpenIn(o)
	if err != nil {
		return nil, err
	}
	return command.NewEngine(s, command.Options{NoWait: true}), nil
}

// runner implements sqlstore.Runner.
type runner struct{ db *sqlite.Conn }

// errOver is what a connection says that is in no transaction any more.
var errOver = errors.New("the transaction is over")

func (r runner) Run(text string, args []sqlstore.Value, visit func(r sqlstore.Row) error) (changed int64, err error) {
	if r.db.AutocommitEnabled() {
		return 0, errOver
	}
	s, err := r.db.Prepare(text)
	if err != nil {
		return 0, fmt.Errorf("prepare %s: %w", text, err)
	}
	for i := range args {
		bind(s, i+1, &args[i])
	}
	c := conn{}
	for more := true; more && err == nil; {
		if more, err = s.Step(); more && err == nil && visit != nil {
			c.cells = c.cells[:0]
			err = visit(row{s, &c})
		}
	}
	if err == nil && visit == nil {
		changed = int64(r.db.Changes())
	}
	if e := s.Reset(); err == nil {
		err = e
	}
	return changed, err
}

// knownOfAny is known for errors of any driver, as far as they have SQLite's code.
func knownOfAny(err error) error {
	if coded := interface{ Code() int }(nil); errors.As(err, &coded) {
		return wrap(meaningOf(sqlite.ResultCode(coded.Code())), err)
	}
	return known(err)
}
