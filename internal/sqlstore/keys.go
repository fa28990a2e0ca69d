package sqlstore

import (
	"math/rand/v2"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// Entries implements keyspace.Tx.
func (t *tx) Entries(keys [][]byte, dst []keyspace.Entry) ([]keyspace.Entry, error) {
	for _, k := range keys {
		m, err := t.seen(k)
		if err != nil {
			return dst, err
		}
		dst = append(dst, keyspace.Entry{Type: m.typ, ExpireAt: m.expire})
	}
	return dst, nil
}

// Touch implements keyspace.Tx. Uses are not kept.
func (t *tx) Touch(keys [][]byte) (n int, err error) {
	for _, k := range keys {
		m, err := t.seen(k)
		if err != nil {
			return n, err
		}
		n += btoi(m.id != 0)
	}
	return n, nil
}

// Delete implements keyspace.Tx.
func (t *tx) Delete(keys [][]byte) (n int, err error) {
	for _, k := range keys {
		m, err := t.find(k)
		if err != nil {
			return n, err
		}
		if m.id == 0 {
			continue
		}
		if err := t.remove(m); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Expire implements keyspace.Tx.
func (t *tx) Expire(key []byte, at int64) (bool, error) {
	m, err := t.find(key)
	if err != nil || m.id == 0 {
		return false, err
	}
	if m.expire == at && at == keyspace.Never {
		return true, nil
	}
	if m.version, err = t.number(); err != nil {
		return false, err
	}
	m.expire = at
	t.mark(m, dirtyRow)
	t.tellWritten(m)
	return true, nil
}

var (
	keyTake = query(`UPDATE redbud_key SET type = ?, collection = ?, len = ?, version = ?, expire_at = ?, next_at = ?, value = (SELECT value FROM redbud_key WHERE id = ?) WHERE id = ?`).
		onMySQL(`UPDATE redbud_key AS k JOIN redbud_key AS other ON other.id = ?7 SET k.type = ?1, k.collection = ?2, k.len = ?3, k.version = ?4, k.expire_at = ?5, k.next_at = ?6, k.value = other.value WHERE k.id = ?8`)
	keyName = query(`UPDATE redbud_key SET db = ?, name = ?, version = ? WHERE id = ?`).
		onMySQL(`UPDATE redbud_key SET db = ?1, name = ?2, name_short = {?2}, version = ?3 WHERE id = ?4`)
	keyCopy = query(`INSERT INTO redbud_key (id, db, name, type, collection, len, version, expire_at, next_at, value) SELECT ?, ?, ?, type, ?, len, ?, expire_at, next_at, value FROM redbud_key WHERE id = ?`).
		onMySQL(`INSERT INTO redbud_key (id, db, name, name_short, type, collection, len, version, expire_at, next_at, value) SELECT ?1, ?2, ?3, {?3}, type, ?4, len, ?5, expire_at, next_at, value FROM redbud_key WHERE id = ?6`)
)

// at is find in a database.
func (t *tx) at(db int, key []byte) (*meta, error) {
	selected := t.db
	defer func() { t.db = selected }()
	t.db = db
	return t.find(key)
}

// pair is what is known of the keys of Move and Copy, whose rows are as this says, and a version for the second.
func (t *tx) pair(src []byte, db int, dst []byte) (m, other *meta, version int64, err error) {
	if m, err = t.find(src); err != nil || m.id == 0 {
		return m, nil, 0, err
	}
	if other, err = t.at(db, dst); err != nil {
		return nil, nil, 0, err
	}
	if version, err = t.number(); err != nil {
		return nil, nil, 0, err
	}
	return m, other, version, t.flush()
}

// Move implements keyspace.Tx. A row that dst has stays: who scans must not miss it.
func (t *tx) Move(src []byte, db int, dst []byte) (bool, error) {
	m, other, version, err := t.pair(src, db, dst)
	if err != nil || m.id == 0 {
		return false, err
	}
	if m == other {
		return true, nil
	}
	if other.id == 0 {
		err = t.later(keyName, integer(int64(db)), blob(dst), integer(version), integer(m.row))
	} else if err = t.take(other, m, m.collection, version); err == nil {
		err = t.later(keyDelete, integer(m.row))
	}
	if err != nil {
		return false, err
	}
	if other.id == 0 {
		other.row = m.row
	}
	t.replace(other, m, m.collection, version)
	*m = meta{watchKey: m.watchKey}
	t.tellWritten(m)
	t.tellWritten(other)
	return true, nil
}

// take writes what another key holds into the row of a key.
func (t *tx) take(m, from *meta, collection, version int64) error {
	if err := t.drop(m); err != nil {
		return err
	}
	return t.later(keyTake, integer(int64(from.typ)), integer(collection), integer(from.len), integer(version), expiry(from.expire), expiry(from.next), integer(from.row), integer(m.row))
}

// replace notes that the row of a key is that of another one now, but for its collection and version.
func (t *tx) replace(m, from *meta, collection, version int64) {
	*m = meta{watchKey: m.watchKey, id: m.row, row: m.row, typ: from.typ, collection: collection, len: from.len, version: version, expire: from.expire, next: from.next}
	t.note(m, "new") // as anything that is put in place of another key
}

// Copy implements keyspace.Tx.
func (t *tx) Copy(src []byte, db int, dst []byte) (bool, error) {
	m, other, version, err := t.pair(src, db, dst)
	if err != nil || m.id == 0 {
		return false, err
	}
	for _, q := range tables[m.typ].copy { // a string has none
		if err := t.later(q, integer(version), integer(m.collection)); err != nil {
			return false, err
		}
	}
	if other.id == 0 {
		other.row = version
		err = t.later(keyCopy, integer(version), integer(int64(db)), blob(dst), integer(version), integer(version), integer(m.row))
	} else {
		err = t.take(other, m, version, version)
	}
	if err != nil {
		return false, err
	}
	t.replace(other, m, version, version)
	t.tellWritten(other)
	return true, nil
}

// liveKey is the condition that neither a key has expired nor all fields of its hash.
const liveKey = ` AND (expire_at IS NULL OR expire_at > ?) AND (next_at IS NULL OR next_at > ? OR EXISTS (SELECT 1 FROM redbud_hash AS h
	WHERE h.collection = redbud_key.collection AND (h.expire_at IS NULL OR h.expire_at > ?)))`

var (
	keyScan  = query(`SELECT id, name, type, expire_at, next_at FROM redbud_key WHERE id > ? AND db = ? ORDER BY id LIMIT ?`)
	keyCount = query(`SELECT count(*), count(expire_at) FROM redbud_key WHERE db = ?`)
	keyNth   = query(`SELECT name FROM redbud_key WHERE db = ?` + liveKey + ` ORDER BY {name} LIMIT 1 OFFSET ?`)
	keyAlive = query(`SELECT count(*) FROM redbud_key WHERE db = ?` + liveKey)
)

// Scan implements keyspace.Tx. The cursor is the id of the last row.
func (t *tx) Scan(cursor uint64, count int, f func(key []byte, e keyspace.Entry)) (uint64, error) {
	if err := t.flush(); err != nil {
		return 0, err
	}
	type hash struct {
		key []byte
		e   keyspace.Entry
	}
	var due []hash // fields of which may have expired
	n, last := 0, uint64(0)
	t.args = append(t.args[:0], integer(int64(cursor)), integer(int64(t.db)), integer(int64(count)))
	_, err := t.run(keyScan, t.args, func(_ int, r Row) error {
		n++
		last = uint64(r.Int(0))
		e := keyspace.Entry{Type: keyspace.Type(r.Int(2)), ExpireAt: timeOf(r, 3)}
		switch next := timeOf(r, 4); {
		case e.ExpireAt != keyspace.Never && e.ExpireAt <= t.now: // until it is swept
		case next != keyspace.Never && next <= t.now:
			due = append(due, hash{append([]byte{}, r.Bytes(1)...), e})
		default:
			f(r.Bytes(1), e)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, h := range due {
		m, err := t.find(h.key)
		if err != nil {
			return 0, err
		}
		if m.id != 0 {
			f(h.key, h.e)
		}
	}
	if n < count {
		last = 0
	}
	return last, nil
}

// one is the only number in the only row of a statement.
func (t *tx) one(q *Query, args ...Value) (n int64, err error) {
	t.args = append(t.args[:0], args...)
	_, err = t.run(q, t.args, func(_ int, r Row) error { n = r.Int(0); return nil })
	return n, err
}

// Random implements keyspace.Tx.
func (t *tx) Random() (key []byte, err error) {
	if err := t.flush(); err != nil {
		return nil, err
	}
	n, err := t.one(keyAlive, integer(int64(t.db)), integer(t.now), integer(t.now), integer(t.now))
	if err != nil || n == 0 {
		return nil, err
	}
	t.args = append(t.args[:0], integer(int64(t.db)), integer(t.now), integer(t.now), integer(t.now), integer(t.random(n)))
	_, err = t.run(keyNth, t.args, func(_ int, r Row) error { key = append([]byte{}, r.Bytes(0)...); return nil })
	return key, err
}

// random is a number from 0 to n-1.
func (t *tx) random(n int64) int64 {
	if t.write {
		return t.s.rng.Int64N(n)
	}
	return rand.Int64N(n)
}

// Len implements keyspace.Tx.
func (t *tx) Len() (keys, expiring int, err error) {
	if err := t.flush(); err != nil {
		return 0, 0, err
	}
	t.args = append(t.args[:0], integer(int64(t.db)))
	_, err = t.run(keyCount, t.args, func(_ int, r Row) error {
		keys, expiring = int(r.Int(0)), int(r.Int(1))
		return nil
	})
	return keys, expiring, err
}

var (
	clearOrphans = query(`INSERT INTO redbud_orphan (collection, type) SELECT collection, type FROM redbud_key WHERE db = ? AND type <> 1`)
	clearKeys    = query(`DELETE FROM redbud_key WHERE db = ?`)
	swapKeys     = query(`UPDATE redbud_key SET db = ? WHERE db = ?`)
)

// Clear implements keyspace.Tx.
func (t *tx) Clear() error {
	if err := t.forget(); err != nil {
		return err
	}
	t.s.expects(t.now) // to be swept
	if err := t.later(clearOrphans, integer(int64(t.db))); err != nil {
		return err
	}
	if err := t.later(clearKeys, integer(int64(t.db))); err != nil {
		return err
	}
	t.wroteAll(t.db)
	return nil
}

// Swap implements keyspace.Tx.
func (t *tx) Swap(a, b int) error {
	if a == b {
		return nil
	}
	if err := t.forget(); err != nil {
		return err
	}
	const aside = -1
	for _, pair := range [][2]int{{aside, a}, {a, b}, {b, aside}} {
		if err := t.later(swapKeys, integer(int64(pair[0])), integer(int64(pair[1]))); err != nil {
			return err
		}
	}
	t.wroteAll(a, b)
	return nil
}

// forget drops what is known of keys: whole databases are about to change.
func (t *tx) forget() error {
	if err := t.flush(); err != nil {
		return err
	}
	clear(t.metas)
	return nil
}

// wroteAll notes that whole databases were written.
func (t *tx) wroteAll(dbs ...int) {
	for _, db := range dbs {
		if t.observer != nil {
			t.observer.Note(db, nil, "")
		}
		t.s.changedAll(db)
	}
}

// Counts implements keyspace.Counter.
func (t *tx) Counts() keyspace.Counts {
	return keyspace.Counts{Hits: t.s.hits.Load(), Misses: t.s.misses.Load(), Expired: t.s.expired.Load()}
}

// Sweep implements keyspace.Sweeper.
func (t *tx) Sweep(on bool) { t.s.unswept.Store(!on) }
