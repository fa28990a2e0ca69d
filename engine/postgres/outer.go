package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/sqlstore"
)

func init() { engine.RegisterTx(openTx, "postgres", "postgresql") }

// openTx opens the engine inside a transaction of the program's own.
func openTx(ctx context.Context, tx any) (engine.Engine, error) {
	o := &sqlstore.Outer{Dialect: sqlstore.PostgreSQL, Tell: tell, Fragile: true, Known: knownOfAny}
	switch tx := tx.(type) {
	case *sql.Tx:
		if tx == nil {
			return nil, errors.New("the *sql.Tx is nil")
		}
		o.Runner = sqlstore.RunnerOf(ctx, tx)
	case pgx.Tx:
		o.Runner = runner{ctx, tx}
	default:
		return nil, fmt.Errorf("want a *sql.Tx, or a pgx.Tx of github.com/jackc/pgx/v5, and not %T", tx)
	}
	o.Lock = func() error {
		_, err := o.Run(lock, nil, nil)
		return err
	}
	s, err := sqlstore.OpenIn(o)
	if err != nil {
		return nil, err
	}
	return command.NewEngine(s, command.Options{NoWait: true}), nil
}

// runner implements sqlstore.Runner.
type runner struct {
	ctx context.Context
	tx  pgx.Tx
}

func (r runner) Run(text string, args []sqlstore.Value, visit func(r sqlstore.Row) error) (changed int64, err error) {
	if visit == nil {
		tag, err := r.tx.Exec(r.ctx, text, sqlstore.Arguments(args)...)
		return tag.RowsAffected(), err
	}
	rows, err := r.tx.Query(r.ctx, text, sqlstore.Arguments(args)...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		columns, err := rows.Values()
		if err != nil {
			return 0, err
		}
		if err := visit(sqlstore.Columns(columns)); err != nil {
			return 0, err
		}
	}
	return 0, rows.Err()
}

// knownOfAny wraps an error of any driver in what it means to a store. In a transaction that does not see what others commit, a row that
// one of them has made may be in the way.
func knownOfAny(err error) error {
	meaning := meaningOf(err)
	var of interface{ SQLState() string }
	switch {
	case errors.As(err, &of) && of.SQLState() == "23505": // unique_violation
		meaning = keyspace.ErrConflict
	case meaning == nil && lost(err):
		meaning = keyspace.ErrLost
	}
	if meaning == nil {
		return err
	}
	return fmt.Errorf("%w: %w", meaning, err)
}
