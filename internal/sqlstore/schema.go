package sqlstore

import (
	"fmt"
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
			onPostgres(`SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'redbud_meta' AND relkind = 'r' AND pg_catalog.pg_table_is_visible(oid)`)
	getVersion = query(`SELECT value FROM redbud_meta WHERE name = 'version'`)
	newMeta    = query(`INSERT INTO redbud_meta (name, value) VALUES ('version', ?), ('serial', 0)`)
	takeSerial = query(`UPDATE redbud_meta SET value = value + ? WHERE name = 'serial'`)
	getSerial  = query(`SELECT value FROM redbud_meta WHERE name = 'serial'`)
)

// migrate makes the tables, or those of an older version into these.
func migrate(c Conn, d *Dialect) error {
	if err := c.Begin(true); err != nil {
		return err
	}
	err := create(c, d)
	if err != nil {
		_ = c.Rollback() // the first error says more
		return err
	}
	return c.Commit()
}

func create(c Conn, d *Dialect) error {
	there := int64(0)
	if _, err := c.Run(tableMeta, nil, func(_ int, r Row) error { there = r.Int(0); return nil }); err != nil {
		return err
	}
	if there == 0 {
		if err := c.Script(d.schema); err != nil {
			return err
		}
		_, err := c.Run(newMeta, []Value{integer(version)}, nil)
		return err
	}
	is := int64(0)
	if _, err := c.Run(getVersion, nil, func(_ int, r Row) error { is = r.Int(0); return nil }); err != nil {
		return err
	}
	if is > version {
		return fmt.Errorf("the tables are of schema version %d, and this redbud knows none above %d: use a newer one", is, version)
	}
	return nil
}
