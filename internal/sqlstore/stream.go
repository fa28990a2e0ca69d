package sqlstore

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var (
	streamGet = query(`SELECT s.last_id, s.deleted_id, s.added, s.run, s.run_entries, s.run_bytes,
		(SELECT count(*) FROM redbud_group g WHERE g.collection = s.collection),
		(SELECT e.id FROM redbud_entry e WHERE e.collection = s.collection ORDER BY e.id LIMIT 1)
		FROM redbud_stream s WHERE s.collection = ?`)
	streamNew     = query(`INSERT INTO redbud_stream (collection, last_id, deleted_id, added, run, run_entries, run_bytes) VALUES (?, ?, ?, ?, 0, 0, 0)`)
	streamSet     = query(`UPDATE redbud_stream SET last_id = ?, deleted_id = ?, added = ? WHERE collection = ?`)
	streamGrow    = query(`UPDATE redbud_stream SET last_id = ?, added = ?, run = ?, run_entries = ?, run_bytes = ? WHERE collection = ?`)
	streamDeleted = query(`UPDATE redbud_stream SET deleted_id = ? WHERE collection = ? AND deleted_id < ?`)

	entryAdd    = query(`INSERT INTO redbud_entry (collection, id, run, fields) VALUES (?, ?, ?, ?)`)
	entryGet    = query(`SELECT id, fields FROM redbud_entry WHERE collection = ? AND id = ?`)
	entryUp     = query(`SELECT id, fields FROM redbud_entry WHERE collection = ? AND id BETWEEN ? AND ? ORDER BY id LIMIT ?`)
	entryDown   = query(`SELECT id, fields FROM redbud_entry WHERE collection = ? AND id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?`)
	entryHas    = query(`SELECT id FROM redbud_entry WHERE collection = ? AND id = ?`)
	entryRemove = query(`DELETE FROM redbud_entry WHERE collection = ? AND id = ?`)
	entryNth    = query(`SELECT id, run FROM redbud_entry WHERE collection = ? ORDER BY id LIMIT 1 OFFSET ?`)
	entryBefore = query(`SELECT count(*) FROM (SELECT 1 FROM redbud_entry WHERE collection = ? AND id < ? LIMIT ?) AS few`)
	entryTrim   = query(`DELETE FROM redbud_entry WHERE collection = ? AND id <= ? AND run < ?`)
	entryRun    = query(`SELECT run FROM redbud_entry WHERE collection = ? ORDER BY id LIMIT 1`)
)

// streamKey implements keyspace.StreamKey.
type streamKey struct {
	t      *tx
	m      *meta
	fields [][]byte // of the entry that is visited
}

// streamState is the row of a stream, and what of its other tables is asked for with it. A transaction reads it once, as meta.
type streamState struct {
	info                      keyspace.StreamInfo // without Len
	run, runEntries, runBytes int64               // the last run
}

// Stream implements keyspace.Tx.
func (t *tx) Stream(key []byte) (keyspace.StreamKey, error) {
	m, err := t.collection(key, keyspace.Stream)
	if err != nil {
		return nil, err
	}
	return &streamKey{t: t, m: m, fields: [][]byte{}}, nil
}

// idValue is an id as the tables have it: 16 bytes, whose order is that of the ids.
func idValue(id keyspace.StreamID) Value {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 16), id.Ms)
	return blob(binary.BigEndian.AppendUint64(b, id.Seq))
}

// idAt is the id in a column; 0-0 if that is NULL.
func idAt(r Row, column int) (id keyspace.StreamID) {
	if b := r.Bytes(column); len(b) == 16 {
		id.Ms, id.Seq = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	}
	return id
}

// create makes the stream, if it is missing, and reports whether it was; grow follows.
func (k *streamKey) create() (made bool, err error) {
	if k.m.id != 0 {
		return false, nil
	}
	if err := k.t.open(k.m, keyspace.Stream); err != nil {
		return false, err
	}
	k.m.stream = &streamState{}
	none := keyspace.StreamID{}
	err = k.t.later(streamNew, integer(k.m.collection), idValue(none), idValue(none), integer(0))
	return true, err
}

// load returns what is known of the stream, which exists.
func (k *streamKey) load() (*streamState, error) {
	if k.m.stream != nil {
		return k.m.stream, nil
	}
	k.t.args = append(k.t.args[:0], integer(k.m.collection))
	_, err := k.t.run(streamGet, k.t.args, func(_ int, r Row) error {
		k.m.stream = &streamState{
			info: keyspace.StreamInfo{
				Last: idAt(r, 0), MaxDeleted: idAt(r, 1), Added: uint64(r.Int(2)), Groups: int(r.Int(6)), First: idAt(r, 7),
			},
			run: r.Int(3), runEntries: r.Int(4), runBytes: r.Int(5),
		}
		return nil
	})
	if err == nil && k.m.stream == nil {
		err = fmt.Errorf("stream %d has no row in redbud_stream", k.m.collection)
	}
	return k.m.stream, err
}

func (k *streamKey) Info() (i keyspace.StreamInfo, ok bool, err error) {
	if k.m.id == 0 {
		return i, false, nil
	}
	s, err := k.load()
	if err != nil {
		return i, false, err
	}
	i = s.info
	i.Len = int(k.m.len)
	return i, true, nil
}

// Layout counts runs that are gone from the middle, too, and takes it that the ids of all of them part at one place of the tree.
func (k *streamKey) Layout() (runs, nodes int, err error) {
	switch {
	case k.m.id == 0:
		return 0, 0, nil
	case k.m.len == 0:
		return 0, 1, nil
	}
	s, err := k.load()
	if err != nil {
		return 0, 0, err
	}
	first, err := k.t.one(entryRun, integer(k.m.collection))
	if runs = int(s.run - first + 1); runs == 1 {
		return 1, 2, err
	}
	return runs, 2 + 2*runs, err
}

func (k *streamKey) SetInfo(last, maxDeleted keyspace.StreamID, added uint64) error {
	made, err := k.create()
	if err != nil {
		return err
	}
	k.m.stream = nil
	err = k.t.later(streamSet, idValue(last), idValue(maxDeleted), integer(int64(added)), integer(k.m.collection))
	if err == nil && made {
		err = k.t.grow(k.m, 0)
	}
	return err
}

func (k *streamKey) Append(id keyspace.StreamID, fields [][]byte, run keyspace.RunLimit) error {
	if _, err := k.create(); err != nil {
		return err
	}
	s, err := k.load()
	if err != nil {
		return err
	}
	var entry []byte
	for _, f := range fields {
		entry = append(binary.AppendUvarint(entry, uint64(len(f))), f...)
	}
	size := int64(len(entry))
	if k.m.len == 0 || run.Entries > 0 && s.runEntries >= int64(run.Entries) || run.Bytes > 0 && s.runBytes+size >= int64(run.Bytes) {
		s.run++
		s.runEntries, s.runBytes = 0, 0
	}
	s.runEntries++
	s.runBytes += size
	s.info.Last = id
	s.info.Added++
	if k.m.len == 0 {
		s.info.First = id
	}
	if err := k.t.later(entryAdd, integer(k.m.collection), idValue(id), integer(s.run), blob(entry)); err != nil {
		return err
	}
	if err := k.t.later(streamGrow, idValue(id), integer(int64(s.info.Added)), integer(s.run), integer(s.runEntries), integer(s.runBytes), integer(k.m.collection)); err != nil {
		return err
	}
	return k.t.grow(k.m, 1)
}

// decode returns the fields of the entry in columns 0 and 1. They are borrowed as the row is.
func (k *streamKey) decode(r Row) (keyspace.StreamID, [][]byte, error) {
	id, entry := idAt(r, 0), r.Bytes(1)
	k.fields = k.fields[:0]
	for len(entry) > 0 {
		size, n := binary.Uvarint(entry)
		if n <= 0 || size > uint64(len(entry)-n) {
			return id, nil, fmt.Errorf("entry %v of stream %d is damaged", id, k.m.collection)
		}
		end := n + int(size)
		k.fields = append(k.fields, entry[n:end:end])
		entry = entry[end:]
	}
	return id, k.fields, nil
}

// How many rows a page has: who reads a range mostly wants few of many, and a database may send all that is asked for.
const (
	firstPage = 64
	mostRows  = 4096
)

// pages runs a query for rows between two ids, page by page. What it is told besides stands in args. f returns the id of a row; its
// error may be errEnough.
func (k *streamKey) pages(q *Query, args []Value, from, to keyspace.StreamID, reverse bool, f func(r Row) (keyspace.StreamID, error)) error {
	for limit := int64(firstPage); ; limit = min(4*limit, mostRows) {
		n, last := int64(0), keyspace.StreamID{}
		k.t.args = append(append(k.t.args[:0], args...), idValue(from), idValue(to), integer(limit))
		_, err := k.t.run(q, k.t.args, func(_ int, r Row) (err error) {
			n++
			last, err = f(r)
			return err
		})
		if err == errEnough {
			return nil
		}
		more := n == limit
		if reverse && more {
			to, more = last.Prev()
		} else if more {
			from, more = last.Next()
		}
		if err != nil || !more {
			return err
		}
	}
}

func (k *streamKey) Range(from, to keyspace.StreamID, reverse bool, f func(id keyspace.StreamID, fields [][]byte) bool) error {
	if k.m.len == 0 || to.Less(from) {
		return nil
	}
	q := entryUp
	if reverse {
		q = entryDown
	}
	return k.pages(q, []Value{integer(k.m.collection)}, from, to, reverse, func(r Row) (keyspace.StreamID, error) {
		id, fields, err := k.decode(r)
		if err == nil && !f(id, fields) {
			err = errEnough
		}
		return id, err
	})
}

func (k *streamKey) Get(ids []keyspace.StreamID, f func(i int, fields [][]byte)) error {
	if len(ids) == 0 {
		return nil
	}
	next := 0
	missing := func(until int) {
		for ; next < until; next++ {
			f(next, nil)
		}
	}
	if k.m.len > 0 {
		if _, err := k.t.run(entryGet, k.named(ids), func(i int, r Row) error {
			_, fields, err := k.decode(r)
			if err != nil {
				return err
			}
			missing(i)
			f(i, fields)
			next++
			return nil
		}); err != nil {
			return err
		}
	}
	missing(len(ids))
	return nil
}

// named is the collection's number, more arguments and an id for each of the ids, as statements about single rows have them.
func (k *streamKey) named(ids []keyspace.StreamID, more ...Value) []Value {
	args := k.t.args[:0]
	for _, id := range ids {
		args = append(append(append(args, integer(k.m.collection)), more...), idValue(id))
	}
	k.t.args = args
	return args
}

// removeEach removes the rows with the ids and appends whether each was there.
func (k *streamKey) removeEach(has, remove *Query, ids []keyspace.StreamID, dst []bool, more ...Value) (_ []bool, removed int, err error) {
	switch len(ids) {
	case 0:
		return dst, 0, nil
	case 1: // the count tells
		n, err := k.t.run(remove, k.named(ids, more...), nil)
		return append(dst, n > 0), int(n), err
	}
	there := map[keyspace.StreamID]bool{}
	if _, err := k.t.run(has, k.named(ids, more...), func(_ int, r Row) error { there[idAt(r, 0)] = true; return nil }); err != nil {
		return dst, 0, err
	}
	for _, id := range ids { // one that is named again is gone by then
		dst = append(dst, there[id])
		delete(there, id)
	}
	n, err := k.t.run(remove, k.named(ids, more...), nil)
	return dst, int(n), err
}

func (k *streamKey) Delete(ids []keyspace.StreamID, dst []bool) ([]bool, error) {
	if k.m.len == 0 {
		return append(dst, make([]bool, len(ids))...), nil
	}
	from := len(dst)
	dst, n, err := k.removeEach(entryHas, entryRemove, ids, dst)
	if err != nil || n == 0 {
		return dst, err
	}
	var most keyspace.StreamID
	for i, id := range ids {
		if dst[from+i] && most.Less(id) {
			most = id
		}
	}
	k.m.stream = nil
	if err := k.t.later(streamDeleted, idValue(most), integer(k.m.collection), idValue(most)); err != nil {
		return dst, err
	}
	return dst, k.t.grow(k.m, -n)
}

func (k *streamKey) Trim(t *keyspace.StreamTrim) (removed int, err error) {
	due, limit := k.m.len-t.MaxLen, t.Limit
	if limit <= 0 {
		limit = math.MaxInt64
	}
	if k.m.len > 0 && t.ByID {
		due, err = k.t.one(entryBefore, integer(k.m.collection), idValue(t.MinID), integer(limit))
	}
	if due = min(due, limit, k.m.len); err != nil || due <= 0 {
		return 0, err
	}
	upTo, below := keyspace.LastStreamID, int64(math.MaxInt64)
	if due < k.m.len {
		upTo = keyspace.StreamID{} // until the first entry that stays is known
		k.t.args = append(k.t.args[:0], integer(k.m.collection), integer(due))
		if _, err := k.t.run(entryNth, k.t.args, func(_ int, r Row) error {
			upTo, _ = idAt(r, 0).Prev()
			if t.Approximate {
				below = r.Int(1) // its whole run stays
			}
			return nil
		}); err != nil {
			return 0, err
		}
	}
	n, err := k.t.exec(entryTrim, integer(k.m.collection), idValue(upTo), integer(below))
	if err != nil || n == 0 {
		return 0, err
	}
	k.m.stream = nil
	return int(n), k.t.grow(k.m, -int(n))
}
