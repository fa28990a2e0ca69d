package sqlstore

import (
	"github.com/redbud-go/redbud/internal/keyspace"
)

var (
	setHas = query(`SELECT 1 FROM redbud_set WHERE collection = ? AND hash = ? AND {member} = {?}`)
	setAdd = query(`INSERT INTO redbud_set (collection, hash, member) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`).
		onMySQL(`INSERT IGNORE INTO redbud_set (collection, hash, member, member_short) VALUES (?1, ?2, ?3, {?3})`)
	setRemove = query(`DELETE FROM redbud_set WHERE collection = ? AND hash = ? AND {member} = {?}`)
	setEach   = query(`SELECT member FROM redbud_set WHERE collection = ?`)
	setKind   = newKind(`member`, `redbud_set`, `member`, ``)
)

// setKey implements keyspace.SetKey.
type setKey struct {
	t *tx
	m *meta
}

// Set implements keyspace.Tx.
func (t *tx) Set(key []byte) (keyspace.SetKey, error) {
	m, err := t.collection(key, keyspace.Set)
	if err != nil {
		return nil, err
	}
	return &setKey{t, m}, nil
}

// named is a collection's number, hash and name for each of the names, as statements about elements have them.
func (t *tx) named(m *meta, names [][]byte) []Value {
	t.args = t.args[:0]
	for _, name := range names {
		t.args = append(t.args, integer(m.collection), integer(hashOf(name)), blob(name))
	}
	return t.args
}

func (k *setKey) Len() (int, error) { return int(k.m.len), nil }

func (k *setKey) Contains(members [][]byte, dst []bool) ([]bool, error) {
	from := len(dst)
	for range members {
		dst = append(dst, false)
	}
	if k.m.id == 0 || len(members) == 0 {
		return dst, nil
	}
	_, err := k.t.run(setHas, k.t.named(k.m, members), func(i int, _ Row) error { dst[from+i] = true; return nil })
	return dst, err
}

func (k *setKey) Add(members [][]byte) (int, error) {
	if len(members) == 0 {
		return 0, nil
	}
	if err := k.t.open(k.m, keyspace.Set); err != nil {
		return 0, err
	}
	n, err := k.t.run(setAdd, k.t.named(k.m, members), nil)
	if err != nil || n == 0 {
		return 0, err
	}
	return int(n), k.t.grow(k.m, int(n))
}

func (k *setKey) Remove(members [][]byte) (int, error) {
	if k.m.id == 0 || len(members) == 0 {
		return 0, nil
	}
	n, err := k.t.run(setRemove, k.t.named(k.m, members), nil)
	if err != nil || n == 0 {
		return 0, err
	}
	return int(n), k.t.grow(k.m, -int(n))
}

func (k *setKey) Each(f func(member []byte)) error {
	if k.m.id == 0 {
		return nil
	}
	k.t.args = append(k.t.args[:0], integer(k.m.collection))
	_, err := k.t.run(setEach, k.t.args, func(_ int, r Row) error { f(r.Bytes(0)); return nil })
	return err
}

func (k *setKey) Scan(cursor uint64, count int, f func(member []byte)) (uint64, error) {
	if k.m.id == 0 {
		return 0, nil
	}
	return k.t.scan(&setKind, k.m.collection, cursor, count, func(r Row) { f(r.Bytes(1)) })
}

func (k *setKey) Random(n int, f func(member []byte)) error {
	return sample(k.t, &setKind, k.m.collection, k.m.len, n, func(r Row) (string, []byte) {
		member := append([]byte{}, r.Bytes(1)...)
		return string(member), member
	}, f)
}

func (k *setKey) Pop(n int, f func(member []byte)) error {
	var members [][]byte
	if err := k.Random(n, func(member []byte) { members = append(members, member) }); err != nil {
		return err
	}
	if _, err := k.Remove(members); err != nil {
		return err
	}
	for _, member := range members {
		f(member)
	}
	return nil
}
