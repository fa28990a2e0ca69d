package redbud

import (
	"context"
	"fmt"

	"github.com/redbud-go/redbud/internal/engine"
)

// FromTx is the database inside an SQL transaction that the program has begun: what commands write is there when the program commits,
// with the rows that it has written, and never was if it rolls back. The scheme says which database it is, "sqlite", "postgres" or
// "mysql", and its package has to be imported, as for Open:
//
//	tx, err := app.BeginTx(ctx, nil)
//	db, err := redbud.FromTx(ctx, "postgres", tx)
//
// tx is a *sql.Tx of any driver for the database, or on PostgreSQL a pgx.Tx of github.com/jackc/pgx/v5, or on SQLite a *sqlite.Conn of
// zombiezen.com/go/sqlite that is in a transaction. Open has made the tables before. The context ends the statements of the DB, which
// has its use until the transaction ends: commands are errors from then on. Close leaves the transaction alone.
//
// A command that fails undoes what it did itself, and the transaction goes on; TRYAGAIN tells that it has to begin again. From the first
// command that writes to the end of the transaction nobody else writes keys: it should be short, and meanwhile the program must not wait
// for another DB on the same database. Commands that wait answer at once, as inside MULTI, and SUBSCRIBE is refused. What waits or
// listens elsewhere hears of the commit. The transaction is used by one goroutine at a time, and so is the DB.
func FromTx(ctx context.Context, scheme string, tx any) (*DB, error) {
	e, err := engine.OpenTx(ctx, scheme, tx)
	if err != nil {
		return nil, fmt.Errorf("open a transaction of %s: %w", scheme, err)
	}
	return newDB(e, 0), nil
}
