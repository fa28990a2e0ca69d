package postgres

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// meanings are what error codes of PostgreSQL mean to a store, by the code or by its class, the first two characters: appendix A of
// PostgreSQL's manual.
var meanings = map[string]error{
	"40001": keyspace.ErrConflict, // serialization_failure
	"40P01": keyspace.ErrConflict, // deadlock_detected
	"25006": keyspace.ErrReadOnly, // read_only_sql_transaction
	"42501": keyspace.ErrReadOnly, // insufficient_privilege
	"53100": keyspace.ErrFull,     // disk_full
	"53":    keyspace.ErrBusy,     // insufficient_resources: memory, connections
	"55P03": keyspace.ErrBusy,     // lock_not_available
	"57014": keyspace.ErrBusy,     // query_canceled, by a timeout of the server's
	"54":    keyspace.ErrTooLarge, // program_limit_exceeded
	"XX001": keyspace.ErrDamaged,  // data_corrupted
	"XX002": keyspace.ErrDamaged,  // index_corrupted
	"57P01": keyspace.ErrLost,     // admin_shutdown
	"57P02": keyspace.ErrLost,     // crash_shutdown
	"57P03": keyspace.ErrLost,     // cannot_connect_now
	"57P05": keyspace.ErrLost,     // idle_session_timeout
	"25P03": keyspace.ErrLost,     // idle_in_transaction_session_timeout
	"08":    keyspace.ErrLost,     // connection_exception
}

// known wraps an error in what it means to a store.
func (c *conn) known(err error) error {
	if err == nil {
		return nil
	}
	if err = c.meaning(err); errors.Is(err, keyspace.ErrLost) && c.losses == c.d.losses.Load() {
		c.d.losses.Add(1)
	}
	return err
}

func (c *conn) meaning(err error) error {
	switch meaning := meaningOf(err); {
	case meaning != nil:
		return fmt.Errorf("%w: %w", meaning, err)
	case lost(err) || c.pg != nil && c.pg.IsClosed():
		return fmt.Errorf("%w: %w", keyspace.ErrLost, err)
	}
	return err
}

// meaningOf is what an error of the server means to a store, whichever driver it came by; nil: nothing more.
func meaningOf(err error) error {
	var of interface{ SQLState() string }
	if !errors.As(err, &of) || len(of.SQLState()) != 5 {
		return nil
	}
	if meaning := meanings[of.SQLState()]; meaning != nil {
		return meaning
	}
	return meanings[of.SQLState()[:2]]
}

// lost reports whether an error is of the connection, or of making one.
func lost(err error) bool {
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
