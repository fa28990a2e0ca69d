package mysql

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// meanings are what the server's errors mean to a store, by their numbers, which MySQL and MariaDB have in common but for a few.
var meanings = map[uint16]error{
	1213: keyspace.ErrConflict, // deadlock
	1020: keyspace.ErrConflict, // MariaDB: a row was changed since it was read

	1205: keyspace.ErrBusy, // innodb_lock_wait_timeout
	1040: keyspace.ErrBusy, // max_connections
	1203: keyspace.ErrBusy, // max_user_connections

	1290: keyspace.ErrReadOnly, // read_only
	1792: keyspace.ErrReadOnly,
	1836: keyspace.ErrReadOnly,

	1021: keyspace.ErrFull, // the disk
	1114: keyspace.ErrFull, // a table

	1153: keyspace.ErrTooLarge, // max_allowed_packet
	1301: keyspace.ErrTooLarge,

	145:  keyspace.ErrDamaged,
	1034: keyspace.ErrDamaged,
	1194: keyspace.ErrDamaged,
	1712: keyspace.ErrDamaged,

	1053: keyspace.ErrLost, // the server shuts down
	1927: keyspace.ErrLost, // MariaDB: KILL
	3169: keyspace.ErrLost, // MySQL: KILL
	4031: keyspace.ErrLost, // MySQL: wait_timeout
}

// failed is an error of the connection in the words of a store. A connection that is lost is closed then.
func (c *conn) failed(err error) error {
	if err == nil {
		return nil
	}
	meaning := meaningOf(err)
	switch {
	case meaning == keyspace.ErrLost:
		_ = c.my.Close() // it is on the other side
	case meaning == nil && !c.my.IsValid():
		meaning = keyspace.ErrLost
	}
	return wrap(meaning, err)
}

// meaningOf is what an error of the server means to a store; nil: nothing more.
func meaningOf(err error) error {
	if my := (*mysql.MySQLError)(nil); errors.As(err, &my) {
		return meanings[my.Number]
	}
	return nil
}

// wrap wraps an error in what it means.
func wrap(meaning, err error) error {
	if meaning == nil || errors.Is(err, meaning) {
		return err
	}
	return fmt.Errorf("%w: %w", meaning, err)
}

// reconnect makes a connection anew that is lost.
func (c *conn) reconnect() error {
	err := c.connect(context.Background())
	if err == nil {
		return nil
	}
	meaning := meaningOf(err)
	if meaning == nil && !errors.As(err, new(*mysql.MySQLError)) {
		meaning = keyspace.ErrLost // nobody answers
	}
	return wrap(meaning, err)
}

// recover is for an error of the first statement of a transaction: if the connection was lost while nobody used it, it is made anew, and
// what the statement did is undone. Who reads may go on then, and nil is returned; the store of who writes may have to forget what it
// knew.
func (c *conn) recover(err error) error {
	if !errors.Is(err, keyspace.ErrLost) || c.migrating {
		return err
	}
	if e := c.reconnect(); e != nil {
		return e
	}
	if c.begun {
		return err
	}
	c.fresh = true
	return nil
}
