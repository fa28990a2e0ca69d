package redbud_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // a driver

	"github.com/redbud-go/redbud"
	_ "github.com/redbud-go/redbud/engine/sqlite"
)

// order writes an order, and what is to be done about it, or neither.
func order(ctx context.Context, app *sql.DB, id int, what string) error {
	tx, err := app.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	keys, err := redbud.FromTx(ctx, "sqlite", tx)
	if err != nil {
		return err
	}
	defer keys.Close()
	if err := keys.RPush(ctx, "outbox", what).Err(); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO orders (id, what) VALUES (?, ?)", id, what); err != nil {
		return err
	}
	return tx.Commit()
}

func ExampleFromTx() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "redbud")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.ToSlash(filepath.Join(dir, "app.db"))
	db, err := redbud.Open(ctx, "sqlite:"+path) // makes the tables
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	app, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		log.Fatal(err)
	}
	defer app.Close()
	if _, err := app.Exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT)"); err != nil {
		log.Fatal(err)
	}

	fmt.Println(order(ctx, app, 1, "tea"))
	fmt.Println(order(ctx, app, 1, "coffee") != nil) // there is an order of that number: nothing is left of this one
	fmt.Println(db.LRange(ctx, "outbox", 0, -1).Val())
	// Output:
	// <nil>
	// true
	// [tea]
}
