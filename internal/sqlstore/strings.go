package sqlstore

import (
	"math"
	"strconv"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

var (
	stringGet  = query(`SELECT type, expire_at, value FROM redbud_key WHERE db = ? AND {name} = {?}`)
	stringPut  = query(`UPDATE redbud_key SET value = ?, version = ?, expire_at = ? WHERE db = ? AND {name} = {?} AND type = 1 AND (expire_at IS NULL OR expire_at > ?)`)
	stringKeep = query(`UPDATE redbud_key SET value = ?, version = ? WHERE db = ? AND {name} = {?} AND type = 1 AND (expire_at IS NULL OR expire_at > ?)`)
)

const (
	smallValue    = 8 << 10  // values up to this are kept once they are known, and read with the rows of their keys
	mostUnwritten = 16 << 20 // bytes of values that wait to be written
)

// mostValues is how many bytes are handed out of one piece of memory, about.
const mostValues = 1 << 16

// Get implements keyspace.Tx.
func (t *tx) Get(keys, dst [][]byte) (_ [][]byte, err error) {
	from := len(dst)
	for _, k := range keys {
		value, e := t.get(k)
		if e == keyspace.ErrWrongType {
			err = e
		} else if e != nil {
			return dst[:from], e
		}
		dst = append(dst, value)
	}
	return dst, err
}

// get returns the string at a key; nil if it is missing.
func (t *tx) get(key []byte) (value []byte, err error) {
	m := t.metas[watchKey{t.db, string(key)}]
	if m == nil {
		var ok bool
		if value, ok, err = t.read(key); ok || err != nil {
			return value, err
		}
	}
	if m, err = t.find(key); err != nil { // which removes what has expired
		return nil, err
	}
	t.count(t.db, key, m.id != 0)
	switch {
	case m.id == 0:
		return nil, nil
	case m.typ != keyspace.String:
		return nil, keyspace.ErrWrongType
	case m.valued:
		return m.value[:len(m.value):len(m.value)], nil
	}
	err = t.readValue(key, func(_ int, r Row) error { value = t.keep(r.Bytes(2)); return nil })
	return value, err
}

// read is get for a key of which nothing is known, unless more has to be known to tell.
func (t *tx) read(key []byte) (value []byte, ok bool, err error) {
	if t.visitGot == nil {
		t.visitGot = func(_ int, r Row) error { t.got.read(t, r); return nil }
	}
	t.got = got{}
	err = t.readValue(key, t.visitGot)
	if err != nil || t.got.due || t.got.typ == keyspace.Hash { // which may have no field left that has not expired
		return nil, false, err
	}
	t.count(t.db, key, t.got.typ != keyspace.None)
	if t.got.typ != keyspace.None && t.got.typ != keyspace.String {
		err = keyspace.ErrWrongType
	}
	return t.got.value, true, err
}

// got is the row that read has read. It is part of the transaction, since there is one for each GET.
type got struct {
	typ   keyspace.Type
	due   bool // it has expired
	value []byte
}

func (g *got) read(t *tx, r Row) {
	g.typ = keyspace.Type(r.Int(0))
	if g.due = !r.Null(1) && r.Int(1) <= t.now; !g.due && g.typ == keyspace.String {
		g.value = t.keep(r.Bytes(2))
	}
}

func (t *tx) readValue(key []byte, visit func(run int, r Row) error) error {
	t.args = append(t.args[:0], integer(int64(t.db)), blob(key))
	_, err := t.run(stringGet, t.args, visit)
	return err
}

// keep copies bytes that are handed out.
func (t *tx) keep(b []byte) []byte {
	if len(t.values) > mostValues {
		t.values = nil // what was handed out keeps it
	}
	from := len(t.values)
	t.values = append(t.values, b...)
	if len(b) == 0 {
		return []byte{}
	}
	return t.values[from:len(t.values):len(t.values)]
}

// Put implements keyspace.Tx.
func (t *tx) Put(pairs [][]byte, at int64) error {
	for i := 0; i < len(pairs); i += 2 {
		if err := t.put(pairs[i], pairs[i+1], at); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) put(key, value []byte, at int64) error {
	version, err := t.number()
	if err != nil {
		return err
	}
	m := t.metas[watchKey{t.db, string(key)}]
	if m == nil { // most are strings already
		var n int64
		if at == keyspace.KeepTTL {
			n, err = t.exec(stringKeep, blob(value), integer(version), integer(int64(t.db)), blob(key), integer(t.now))
		} else {
			t.expects(at)
			n, err = t.exec(stringPut, blob(value), integer(version), expiry(at), integer(int64(t.db)), blob(key), integer(t.now))
		}
		if err != nil {
			return err
		}
		if n > 0 {
			if t.observer != nil {
				t.observer.Note(t.db, key, "")
			}
			t.s.changedKey(t.db, key)
			return nil
		}
		if m, err = t.find(key); err != nil {
			return err
		}
	}
	if at == keyspace.KeepTTL {
		at = m.expire
	}
	isNew := m.id == 0
	if err := t.drop(m); err != nil {
		return err
	}
	*m = meta{watchKey: m.watchKey, id: version, row: m.row, typ: keyspace.String, version: version, expire: at, value: append(m.value[:0], value...), valued: true, dirty: m.dirty}
	if m.value == nil {
		m.value = []byte{} // not none
	}
	t.mark(m, dirtyAll)
	if isNew {
		t.note(m, "new")
	}
	t.tellWritten(m)
	if t.unwritten += len(value); t.unwritten > mostUnwritten {
		return t.flush()
	}
	return nil
}

// str returns the string at a key, which is missing if it is nil.
func (t *tx) str(key []byte) ([]byte, error) {
	counts := t.looks.Counts
	t.looks.Counts = false
	defer func() { t.looks.Counts = counts }()
	return t.get(key)
}

// Add implements keyspace.Tx.
func (t *tx) Add(key []byte, delta int64) (int64, error) {
	old, err := t.str(key)
	if err != nil {
		return 0, err
	}
	n := int64(0)
	if old != nil {
		var ok bool
		if n, ok = resp.ParseInt(old); !ok {
			return 0, keyspace.ErrNotInteger
		}
	}
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
		return 0, keyspace.ErrOverflow
	}
	n += delta
	var digits [20]byte
	return n, t.put(key, strconv.AppendInt(digits[:0], n, 10), keyspace.KeepTTL)
}

// Append implements keyspace.Tx.
func (t *tx) Append(key, value []byte) (int, error) {
	old, err := t.str(key)
	if err != nil {
		return 0, err
	}
	joined := append(old, value...)
	return len(joined), t.put(key, joined, keyspace.KeepTTL)
}

// SetRange implements keyspace.Tx.
func (t *tx) SetRange(key []byte, offset int, value []byte) (int, error) {
	old, err := t.str(key)
	if err != nil {
		return 0, err
	}
	n := max(len(old), offset+len(value))
	if old == nil && n == 0 {
		return 0, nil
	}
	whole := make([]byte, n)
	copy(whole, old)
	copy(whole[offset:], value)
	return n, t.put(key, whole, keyspace.KeepTTL)
}
