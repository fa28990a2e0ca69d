package sqlstore

import (
	"github.com/redbud-go/redbud/internal/keyspace"
)

// liveField is the condition that a field has not expired.
const liveField = ` AND (expire_at IS NULL OR expire_at > ?)`

var (
	hashGet = query(`SELECT value FROM redbud_hash WHERE collection = ? AND hash = ? AND {field} = {?}` + liveField)
	hashAdd = query(`INSERT INTO redbud_hash (value, expire_at, collection, hash, field) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`).
		onMySQL(`INSERT IGNORE INTO redbud_hash (value, expire_at, collection, hash, field, field_short) VALUES (?1, ?2, ?3, ?4, ?5, {?5})`)
	hashSet    = query(`UPDATE redbud_hash SET value = ?, expire_at = ? WHERE collection = ? AND hash = ? AND {field} = {?}`)
	hashKeep   = query(`UPDATE redbud_hash SET value = ?, expire_at = coalesce(?, expire_at) WHERE collection = ? AND hash = ? AND {field} = {?}`)
	hashRemove = query(`DELETE FROM redbud_hash WHERE collection = ? AND hash = ? AND {field} = {?}`)
	hashEach   = query(`SELECT field, value, expire_at FROM redbud_hash WHERE collection = ?` + liveField)
	hashKind   = newKind(`field, value`, `redbud_hash`, `field`, liveField)
)

// hashKey implements keyspace.HashKey. Where a transaction writes, fields that have expired are gone before there is one; see
// hashttl.go.
type hashKey struct {
	t *tx
	m *meta
}

// Hash implements keyspace.Tx.
func (t *tx) Hash(key []byte) (keyspace.HashKey, error) {
	m, err := t.collection(key, keyspace.Hash)
	if err != nil {
		return nil, err
	}
	return &hashKey{t, m}, nil
}

// count is how many fields there are that have not expired.
func (k *hashKey) count() int64 { return k.m.len - k.m.hidden }

func (k *hashKey) Len() (int, error) { return int(k.count()), nil }

// live is the arguments of a statement about fields that have not expired.
func (k *hashKey) live(fields [][]byte) []Value {
	args := k.t.args[:0]
	for _, f := range fields {
		args = append(args, integer(k.m.collection), integer(hashOf(f)), blob(f), integer(k.t.now))
	}
	k.t.args = args
	return args
}

func (k *hashKey) Get(fields, dst [][]byte) ([][]byte, error) {
	from := len(dst)
	for range fields {
		dst = append(dst, nil)
	}
	if k.m.id == 0 || len(fields) == 0 {
		return dst, nil
	}
	_, err := k.t.run(hashGet, k.live(fields), func(i int, r Row) error {
		dst[from+i] = append([]byte{}, r.Bytes(0)...)
		return nil
	})
	return dst, err
}

// Set writes fields that are there first, as most are, and then those that are not; once more where a new one is named twice, for
// the value that it is given last.
func (k *hashKey) Set(pairs [][]byte, at int64) (added int, err error) {
	if len(pairs) == 0 {
		return 0, nil
	}
	isNew := k.m.id == 0
	if err := k.t.open(k.m, keyspace.Hash); err != nil {
		return 0, err
	}
	replace := hashSet
	if at == keyspace.KeepTTL {
		replace, at = hashKeep, keyspace.Never
	}
	args := k.t.args[:0]
	for i := 0; i < len(pairs); i += 2 {
		args = append(args, blob(pairs[i+1]), expiry(at), integer(k.m.collection), integer(hashOf(pairs[i])), blob(pairs[i]))
	}
	k.t.args = args
	left := int64(len(pairs) / 2)
	if !isNew {
		n, err := k.t.run(replace, args, nil)
		if err != nil {
			return 0, err
		}
		left -= n
	}
	n := int64(0)
	if left > 0 {
		if n, err = k.t.run(hashAdd, args, nil); err != nil {
			return 0, err
		}
	}
	if n < left {
		if err := k.t.runLater(replace, args); err != nil {
			return 0, err
		}
	}
	k.soon(at)
	return int(n), k.t.grow(k.m, int(n))
}

func (k *hashKey) Delete(fields [][]byte) (int, error) {
	if k.m.id == 0 || len(fields) == 0 {
		return 0, nil
	}
	n, err := k.t.run(hashRemove, k.t.named(k.m, fields), nil)
	if err != nil || n == 0 {
		return 0, err
	}
	return int(n), k.t.grow(k.m, -int(n))
}

func (k *hashKey) Each(f func(field, value []byte)) error {
	return k.EachExpiry(func(field, value []byte, _ int64) { f(field, value) })
}

func (k *hashKey) EachExpiry(f func(field, value []byte, at int64)) error {
	if k.m.id == 0 {
		return nil
	}
	k.t.args = append(k.t.args[:0], integer(k.m.collection), integer(k.t.now))
	_, err := k.t.run(hashEach, k.t.args, func(_ int, r Row) error {
		f(r.Bytes(0), r.Bytes(1), timeOf(r, 2))
		return nil
	})
	return err
}

func (k *hashKey) Scan(cursor uint64, count int, f func(field, value []byte)) (uint64, error) {
	if k.m.id == 0 {
		return 0, nil
	}
	return k.t.scan(&hashKind, k.m.collection, cursor, count, func(r Row) { f(r.Bytes(1), r.Bytes(2)) })
}

func (k *hashKey) Random(n int, f func(field, value []byte)) error {
	type pair struct{ field, value []byte }
	return sample(k.t, &hashKind, k.m.collection, k.count(), n, func(r Row) (string, pair) {
		p := pair{append([]byte{}, r.Bytes(1)...), append([]byte{}, r.Bytes(2)...)}
		return string(p.field), p
	}, func(p pair) { f(p.field, p.value) })
}
