package sqlstore

// Fields that expire. The row of a hash has the time before which none of its fields does (next_at), so that one without such fields
// costs nothing, and one with them no more until then. A transaction that writes removes what has expired when it looks the key up; one
// that reads counts it, and passes over it.

import (
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var (
	hashTimes   = query(`SELECT expire_at FROM redbud_hash WHERE collection = ? AND hash = ? AND {field} = {?}` + liveField)
	hashExpire  = query(`UPDATE redbud_hash SET expire_at = ? WHERE collection = ? AND hash = ? AND {field} = {?}`)
	hashExpired = query(`SELECT count(*) FROM redbud_hash WHERE collection = ? AND expire_at <= ?`)
	hashNext    = query(`SELECT min(expire_at) FROM redbud_hash WHERE collection = ? AND expire_at IS NOT NULL`)
	// The fields that expired first: the two must agree on which they are.
	hashDue   = query(`SELECT field FROM redbud_hash WHERE collection = ? AND expire_at <= ? ORDER BY expire_at, hash, {field} LIMIT ?`)
	hashPurge = query(`DELETE FROM redbud_hash WHERE (collection, hash, {field}) IN (SELECT collection, hash, {field} FROM redbud_hash WHERE collection = ? AND expire_at <= ? ORDER BY expire_at, hash, {field} LIMIT ?)`).
			onMySQL(`DELETE FROM redbud_hash WHERE collection = ? AND expire_at <= ? ORDER BY expire_at, hash, {field} LIMIT ?`)
)

// soon notes that fields are to expire at a time, or Never.
func (k *hashKey) soon(at int64) {
	if at != keyspace.Never && (k.m.next == keyspace.Never || at < k.m.next) {
		k.m.next = at
	}
}

func (k *hashKey) ExpireTimes(fields [][]byte, dst []int64) ([]int64, error) {
	from := len(dst)
	for range fields {
		dst = append(dst, keyspace.NoField)
	}
	if k.m.id == 0 || len(fields) == 0 {
		return dst, nil
	}
	_, err := k.t.run(hashTimes, k.live(fields), func(i int, r Row) error { dst[from+i] = timeOf(r, 0); return nil })
	return dst, err
}

func (k *hashKey) Expire(fields [][]byte, at int64, only keyspace.Condition, dst []keyspace.FieldChange) ([]keyspace.FieldChange, error) {
	times, err := k.ExpireTimes(fields, nil)
	if err != nil {
		return dst, err
	}
	become := map[string]int64{} // what the times of those are that change
	var written [][]byte
	past := at != keyspace.Never && at <= k.t.now
	for i, f := range fields {
		old := times[i]
		if changed, ok := become[string(f)]; ok {
			old = changed
		}
		switch {
		case old == keyspace.NoField:
			dst = append(dst, keyspace.FieldMissing)
			continue
		case at == keyspace.Never && old == keyspace.Never, !only.Holds(old, at):
			dst = append(dst, keyspace.FieldKept)
			continue
		case past:
			become[string(f)] = keyspace.NoField
			dst = append(dst, keyspace.FieldRemoved)
		default:
			become[string(f)] = at
			dst = append(dst, keyspace.FieldChanged)
		}
		written = append(written, f)
	}
	if len(written) == 0 {
		return dst, nil
	}
	if past {
		_, err := k.Delete(written)
		return dst, err
	}
	args := k.t.args[:0]
	for _, f := range written {
		args = append(args, expiry(at), integer(k.m.collection), integer(hashOf(f)), blob(f))
	}
	k.t.args = args
	if err := k.t.runLater(hashExpire, args); err != nil {
		return dst, err
	}
	k.soon(at)
	return dst, k.t.grow(k.m, 0)
}

// overdue reports whether fields of a key may have expired that are still there.
func (t *tx) overdue(m *meta) bool { return m.next != keyspace.Never && m.next <= t.now }

// remains is what is known of a key that is overdue, of which fields that have expired are removed, or hidden where they have to stay.
// It is missing without others.
func (t *tx) remains(m *meta) (*meta, error) {
	if t.write && !t.looks.Kept {
		_, err := t.purge(m, math.MaxInt64)
		return m, err
	}
	var err error
	if m.hidden, err = t.one(hashExpired, integer(m.collection), integer(t.now)); err != nil {
		return nil, err
	}
	if m.hidden == m.len {
		return &meta{watchKey: m.watchKey}, nil
	}
	return m, nil
}

// purge removes fields of a hash that have expired, so many at most, and the key if it has no others. It returns how many are gone.
func (t *tx) purge(m *meta, most int64) (n int64, err error) {
	m.hidden = 0
	n, err = t.one(hashExpired, integer(m.collection), integer(t.now))
	switch {
	case err != nil:
		return 0, err
	case n == m.len:
		if err := t.remove(m); err != nil {
			return 0, err
		}
		t.note(m, "hexpired")
		t.note(m, "del")
		return n, nil
	case n > 0:
		if err := t.tell(m, most); err != nil {
			return 0, err
		}
		if n, err = t.exec(hashPurge, integer(m.collection), integer(t.now), integer(most)); err != nil {
			return 0, err
		}
		if err := t.grow(m, -int(n)); err != nil {
			return 0, err
		}
		t.note(m, "hexpired")
	}
	t.mark(m, dirtyRow) // which is all that is to be written of a hash whose next field to expire was removed or given another time
	m.next, err = t.one(hashNext, integer(m.collection))
	return n, err
}

// tell tells the observer, if it wants to know, which fields purge is about to remove.
func (t *tx) tell(m *meta, most int64) (err error) {
	o, ok := t.observer.(keyspace.FieldObserver)
	if !ok {
		return nil
	}
	o.Fields(m.db, []byte(m.key), func() (fields [][]byte) {
		t.args = append(t.args[:0], integer(m.collection), integer(t.now), integer(most))
		_, err = t.run(hashDue, t.args, func(_ int, r Row) error {
			fields = append(fields, append([]byte{}, r.Bytes(0)...))
			return nil
		})
		return fields
	})
	return err
}

var dueHashes = query(`SELECT db, name FROM redbud_key WHERE next_at <= ? LIMIT 64`)

// sweepFields removes some of the fields that have expired. It reports whether there may be more.
func (t *tx) sweepFields() (more bool, err error) {
	due, err := t.due(dueHashes)
	if err != nil {
		return false, err
	}
	left := int64(1000)
	for _, k := range due {
		if left <= 0 {
			return true, nil
		}
		m, err := t.load(k.db, []byte(k.key))
		if err != nil {
			return false, err
		}
		if m.expired(t.now) { // as a whole
			if _, err := t.expire(m); err != nil {
				return false, err
			}
			continue
		}
		n, err := t.purge(m, left)
		if err != nil {
			return false, err
		}
		left -= n
	}
	return len(due) == sweepBatch || left <= 0, nil
}
