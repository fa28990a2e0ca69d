package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/sqlstore"
)

func init() { engine.RegisterTx(openTx, "mysql", "mariadb") }

// openTx opens the engine inside a transaction of the program's own.
func openTx(ctx context.Context, tx any) (engine.Engine, error) {
	of, ok := tx.(*sql.Tx)
	switch {
	case !ok:
		return nil, fmt.Errorf("want a *sql.Tx, and not %T", tx)
	case of == nil:
		return nil, errors.New("the *sql.Tx is nil")
	}
	g := &guarded{runner: runner{sqlstore.RunnerOf(ctx, of)}}
	s, err := sqlstore.OpenIn(&sqlstore.Outer{Runner: g.runner, Dialect: sqlstore.MySQL, Lock: g.lock, Known: knownOfAny})
	if err != nil {
		return nil, err
	}
	return command.NewEngine(s, command.Options{NoWait: true}), nil
}

// runner is a transaction in whose statements numbers are as a DOUBLE may be.
type runner struct{ sqlstore.Runner }

// Run implements sqlstore.Runner.
func (r runner) Run(text string, args []sqlstore.Value, visit func(r sqlstore.Row) error) (changed int64, err error) {
	if slices.ContainsFunc(args, func(v sqlstore.Value) bool { return v.Kind == sqlstore.KindFloat }) {
		args = slices.Clone(args)
		for i := range args {
			args[i].Float = finite(args[i].Float)
		}
	}
	if visit == nil {
		changed, err := r.Runner.Run(text, args, nil)
		if err == nil && changed == 0 {
			return r.found(text, args)
		}
		return changed, err
	}
	return r.Runner.Run(text, args, func(r sqlstore.Row) error { return visit(finiteRow{r}) })
}

// update is a statement that changes rows of a table, if there are any.
var update = regexp.MustCompile(`^UPDATE ([a-z_]+) SET .* (WHERE .*)$`)

// found is how many rows an UPDATE has found that has changed none. The program's connection may count only those that are different now,
// and the store wants to know of all.
func (r runner) found(text string, args []sqlstore.Value) (n int64, err error) {
	part := update.FindStringSubmatch(text)
	if part == nil {
		return 0, nil
	}
	where := args[len(args)-strings.Count(part[2], "?"):]
	_, err = r.Runner.Run(`SELECT count(*) FROM `+part[1]+` `+part[2], where, func(r sqlstore.Row) error { n = r.Int(0); return nil })
	return n, err
}

// finiteRow is a row whose numbers were made finite.
type finiteRow struct{ sqlstore.Row }

// Float implements sqlstore.Row.
func (r finiteRow) Float(i int) float64 { return infinite(r.Row.Float(i)) }

// guarded is a transaction that looks whether it sees what is so.
type guarded struct {
	runner
	sure bool // it does, and nobody else writes any more
}

// errStale is what a transaction is told that would go by what was before.
var errStale = fmt.Errorf("%w: others have written keys since its first statement, and it does not see them at REPEATABLE READ", keyspace.ErrConflict)

// lock keeps others from writing, in the way of all who write, until the end of the transaction, whatever it rolls back. At REPEATABLE
// READ, which is the default, a SELECT sees what was there at the first one of the transaction, and what is then written would overwrite
// what others have done meanwhile. Two reads of one number tell: that of the row as it is, and that of the row as a SELECT sees it.
func (g *guarded) lock() error {
	if !g.sure {
		is, err := g.ask(countText + ` FOR UPDATE`)
		if err != nil {
			return err
		}
		seen, err := g.ask(countText)
		if err != nil {
			return err
		}
		if seen != is {
			return errStale
		}
		g.sure = true
	}
	_, err := g.Run(`UPDATE redbud_meta SET value = value + 1 WHERE name = 'commits'`, nil, nil) // which leaves LAST_INSERT_ID alone
	return err
}

// ask returns the number in the only row of a statement.
func (g *guarded) ask(text string) (n int64, err error) {
	_, err = g.Run(text, nil, func(r sqlstore.Row) error { n = r.Int(0); return nil })
	return n, err
}

// knownOfAny wraps an error of the driver in what it means to a store.
func knownOfAny(err error) error {
	meaning := meaningOf(err)
	switch {
	case meaning != nil:
	case errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, driver.ErrBadConn):
		meaning = keyspace.ErrLost
	case errors.Is(err, mysql.ErrPktTooLarge):
		meaning = keyspace.ErrTooLarge
	}
	return wrap(meaning, err)
}
