package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// again is how long to wait before a connection that was lost is made anew.
const again = time.Second

// Listen implements sqlstore.Driver: who writes notifies.
func (d *driver) Listen() (commits <-chan struct{}, stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	told, over := make(chan struct{}, 1), make(chan struct{})
	tell := func() {
		select {
		case told <- struct{}{}:
		default: // it is going to look
		}
	}
	pg, err := d.listening(ctx, tell)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	go func() {
		defer close(over)
		var err error // of this goroutine
		for ctx.Err() == nil {
			if pg == nil {
				if pg, err = d.listening(ctx, tell); err == nil {
					tell() // of what it did not hear
				}
			}
			if err == nil {
				err = pg.WaitForNotification(ctx)
			}
			if err != nil && ctx.Err() == nil {
				_ = d.leave(pg) // it is of no use any more
				pg = nil
				select {
				case <-time.After(again):
				case <-ctx.Done():
				}
			}
		}
		_ = d.leave(pg)
	}()
	return told, func() { cancel(); <-over }, nil
}

// listening is a connection that is told of commits by others.
func (d *driver) listening(ctx context.Context, tell func()) (*pgconn.PgConn, error) {
	config := d.config.Copy()
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) {
		if n.PID != d.writer.Load() {
			tell()
		}
	}
	pg, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if _, err := pg.Exec(ctx, "LISTEN redbud").ReadAll(); err != nil {
		_ = d.leave(pg)
		return nil, err
	}
	return pg, nil
}

func (d *driver) leave(pg *pgconn.PgConn) error {
	if pg == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), again)
	defer cancel()
	return pg.Close(ctx)
}
