package memstore

import (
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// hash is the collection of a hash.
type hash struct {
	fields
	times *fieldTimes // nil until a field is to expire
}

func (h *hash) encoding() string {
	switch {
	case h.dict != nil:
		return "hashtable"
	case h.times != nil:
		return "listpackex"
	}
	return "listpack"
}

// hashKey is the hash at a key in a transaction. It implements keyspace.HashKey.
type hashKey struct {
	t    *tx
	key  []byte
	hash *hash // nil while the key is missing
}

// Hash implements keyspace.Tx.
func (t *tx) Hash(key []byte) (keyspace.HashKey, error) {
	o, err := t.collection(key, keyspace.Hash)
	if err != nil {
		return nil, err
	}
	k := t.hashes.next()
	*k = hashKey{t: t, key: key}
	k.hash, _ = o.(*hash)
	return k, nil
}

// collection returns the collection at a key, nil if it is missing.
func (t *tx) collection(key []byte, typ keyspace.Type) (object, error) {
	r := t.use(key)
	if r == 0 {
		return nil, nil
	}
	b := t.block(r)
	if keyspace.Type(b[0]) != typ {
		return nil, keyspace.ErrWrongType
	}
	return t.s.object(b), nil
}

// create stores a new collection at a key that is missing.
func (t *tx) create(key []byte, typ keyspace.Type, o object) {
	var handle [4]byte
	le.PutUint32(handle[:], t.s.keep(o))
	t.store(key, t.s.hash(key), 0, head{kind: uint8(typ)}, handle[:], 0)
}

// wrote notes that a collection was written, and removes its key when nothing is left; it reports whether it did.
func (t *tx) wrote(key []byte, left int) (gone bool) {
	if left == 0 {
		t.remove(key, t.s.hash(key))
		return true
	}
	t.s.changed(t.number, key)
	return false
}

func (k *hashKey) Len() (int, error) {
	if k.hash == nil {
		return 0, nil
	}
	return k.hash.count(), nil
}

func (k *hashKey) Get(names, dst [][]byte) ([][]byte, error) {
	for _, f := range names {
		var v []byte
		if k.hash != nil {
			v, _ = k.hash.value(k.t.s, f)
		}
		dst = append(dst, v)
	}
	return dst, nil
}

func (k *hashKey) Set(pairs [][]byte, at int64) (added int, err error) {
	if len(pairs) == 0 {
		return 0, nil
	}
	if k.hash == nil {
		k.hash = &hash{}
		k.t.create(k.key, keyspace.Hash, k.hash)
	}
	k.t.s.lift(k.hash)
	limits := k.t.s.limits.Load()
	if len(pairs)/2 > limits.HashEntries {
		k.hash.unpack(k.t.s) // at once, as it would come to that anyway
	}
	for i := 0; i < len(pairs); i += 2 {
		added += btoi(k.hash.put(k.t.s, pairs[i], pairs[i+1], at, limits))
	}
	k.t.s.putBack(k.hash)
	k.wrote()
	return added, nil
}

func (k *hashKey) Delete(names [][]byte) (removed int, err error) {
	if k.hash == nil {
		return 0, nil
	}
	k.t.s.lift(k.hash)
	for _, f := range names {
		removed += btoi(k.hash.delete(k.t.s, f))
	}
	k.t.s.putBack(k.hash)
	if removed > 0 {
		k.wrote()
	}
	return removed, nil
}

// wrote ends a change.
func (k *hashKey) wrote() {
	if k.hash.times != nil {
		k.t.mark(k.key, k.t.s.hash(k.key), k.hash)
	}
	if k.t.wrote(k.key, k.hash.count()) {
		k.hash = nil
	}
}

func (k *hashKey) Expire(names [][]byte, at int64, only keyspace.Condition, dst []keyspace.FieldChange) ([]keyspace.FieldChange, error) {
	if k.hash == nil {
		for range names {
			dst = append(dst, keyspace.FieldMissing)
		}
		return dst, nil
	}
	changed := false
	k.t.s.lift(k.hash)
	for _, f := range names {
		c := k.hash.expire(k.t.s, f, at, k.t.now, only)
		changed = changed || c == keyspace.FieldChanged || c == keyspace.FieldRemoved
		dst = append(dst, c)
	}
	k.t.s.putBack(k.hash)
	if changed {
		k.wrote()
	}
	return dst, nil
}

func (k *hashKey) ExpireTimes(names [][]byte, dst []int64) ([]int64, error) {
	for _, f := range names {
		at := keyspace.NoField
		if k.hash != nil {
			at = k.hash.expiry(k.t.s, f)
		}
		dst = append(dst, at)
	}
	return dst, nil
}

func (k *hashKey) EachExpiry(f func(field, value []byte, at int64)) error {
	if k.hash != nil {
		k.hash.eachExpiry(k.t.s, f)
	}
	return nil
}

func (k *hashKey) Each(f func(field, value []byte)) error {
	if k.hash != nil {
		k.hash.each(k.t.s, f)
	}
	return nil
}

func (k *hashKey) Scan(cursor uint64, count int, f func(field, value []byte)) (uint64, error) {
	if k.hash == nil {
		return 0, nil
	}
	return k.hash.scan(k.t.s, cursor, count, f), nil
}

func (k *hashKey) Random(n int, f func(field, value []byte)) error {
	if k.hash == nil {
		return nil
	}
	if k.hash.overdue() { // to draw with equal chance from the others
		k.t.s.lift(k.hash)
		k.hash.purge(k.t.s, math.MaxInt)
		k.t.s.putBack(k.hash)
		k.t.mark(k.key, k.t.s.hash(k.key), k.hash)
	}
	k.hash.random(k.t.s, n, k.hash.bare(f))
	return nil
}
