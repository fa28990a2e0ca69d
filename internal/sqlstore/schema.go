package sqlstore

import (
	"fmt"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// The tables, which stand in schema, a file for each database. All of them begin with redbud_, so that they can live beside an application's own.
//
// redbud_key has one row for each key. len is how many elements its collection has, which are in the table of its type under the
// number that collection names: whoever replaces a key gives it another number, and the old elements are swept later
// (redbud_orphan). version is another one after each write, unlike all that any key has had; id stays while there is a key of that
// name, and is what SCAN goes by.
//
// Fields and members are in the order of a hash of theirs, as in Redis: SCAN goes by it, and who wants any of them looks behind any
// hash. The elements of a list have places without gaps between them. Fields expire by themselves: next_at is the time before which
// none of a hash does, though that may be later still; NULL: none will.
//
// A stream has a row in redbud_stream, also while it is empty, and one in redbud_entry for each entry. An id is 16 bytes: the
// milliseconds, then the number, each with its highest byte first. So they are in the order of bytes, which a pair of signed numbers
// would be only with their signs turned over, and a range needs one column. fields is, for each name and value in turn, its length as
// a varint (7 bits in each byte, the lowest first, the highest bit set in all but the last), then its bytes. added is an unsigned
// number, of which this is the signed one with the same bits. Approximate trimming removes whole runs, which are no more than a number
// that neighbouring entries share; the stream knows how much has gone into the last one.
//
// redbud_group, redbud_consumer and redbud_pending are what groups have delivered. entries_read is NULL where nobody knows it,
// active_at for a consumer that never got anything. pending is how many rows a group has in redbud_pending, since each call asks.
//
// redbud_listener has a row for each process that wants to hear of what others do, with what that is, in bits, and until when the row
// is good; redbud_news is what they are to hear, in the order of commits, for a minute. A process is a random number.
//
// Times are in milliseconds since 1970. Names and values are bytes.

// version is of the schemas.
const version = 1

var (
	tableMeta = query(`SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'redbud_meta'`).
			onPostgres(`SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'redbud_meta' AND relkind = 'r' AND pg_catalog.pg_table_is_visible(oid)`).
			onMySQL(`SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'redbud_meta'`)
	getVersion = query(`SELECT value FROM redbud_meta WHERE name = 'version'`)
	newMeta    = query(`INSERT INTO redbud_meta (name, value) VALUES ('version', ?), ('serial', 0)`).
			onMySQL(`INSERT INTO redbud_meta (name, value) VALUES ('version', ?), ('serial', 0), ('commits', 0)`)
	takeSerial = query(`UPDATE redbud_meta SET value = value + ? WHERE name = 'serial'`)
	getSerial  = query(`SELECT value FROM redbud_meta WHERE name = 'serial'`)
)

// migrate makes the tables, or those of an older version into these. It writes only if it must.
func migrate(c Conn, d *Dialect, readOnly bool) error {
	is, err := within(c, false, func() (int64, error) { return schemaOf(c) })
	switch {
	case err != nil || is == version:
		return err
	case readOnly:
		return fmt.Errorf("%w, and has no tables yet", keyspace.ErrReadOnly)
	}
	if l, ok := c.(Locker); ok {
		unlock, err := l.Lock()
		if err != nil {
			return err
		}
		defer unlock()
	}
	_, err = within(c, true, func() (int64, error) { return version, create(c, d) })
	return err
}

// within runs f in a transaction.
func within(c Conn, write bool, f func() (int64, error)) (int64, error) {
	if err := c.Begin(write); err != nil {
		return 0, err
	}
	n, err := f()
	if err != nil {
		_ = c.Rollback() // the first error says more
		return 0, err
	}
	return n, c.Commit()
}

func create(c Conn, d *Dialect) error {
	is, err := schemaOf(c)
	if err != nil || is == version { // another process was first
		return err
	}
	if err := c.Script(d.schema); err != nil {
		return err
	}
	_, err = c.Run(newMeta, []Value{integer(version)}, nil)
	return err
}

// schemaOf is the version of the tables that are there; 0: none are.
func schemaOf(c Conn) (is int64, err error) {
	read := func(_ int, r Row) error {
		is = r.Int(0)
		return nil
	}
	if _, err := c.Run(tableMeta, nil, read); err != nil || is == 0 {
		return 0, err
	}
	is = 0 // and stays so where a Locker was cut off while it made them
	if _, err := c.Run(getVersion, nil, read); err != nil {
		return 0, err
	}
	if is > version {
		return 0, fmt.Errorf("the tables are of schema version %d, and this redbud knows none above %d: use a newer one", is, version)
	}
	return is, nil
}
