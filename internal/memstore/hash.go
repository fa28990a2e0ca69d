package memstore

import "github.com/redbud-go/redbud/internal/keyspace"

// hash is the collection of a hash.
type hash struct{ fields }

func (h *hash) copy(s *Store) object { return &hash{h.fields.copy(s)} }

func (h *hash) encoding() string {
	if h.dict != nil {
		return "hashtable"
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
	return k.hash.len(), nil
}

func (k *hashKey) Get(names, dst [][]byte) ([][]byte, error) {
	for _, f := range names {
		var v []byte
		if k.hash != nil {
			v, _ = k.hash.get(k.t.s, f)
		}
		dst = append(dst, v)
	}
	return dst, nil
}

func (k *hashKey) Set(pairs [][]byte) (added int, err error) {
	if len(pairs) == 0 {
		return 0, nil
	}
	if k.hash == nil {
		k.hash = &hash{}
		k.t.create(k.key, keyspace.Hash, k.hash)
	}
	limits := k.t.s.limits.Load()
	if len(pairs)/2 > limits.HashEntries {
		k.hash.unpack(k.t.s) // at once, as it would come to that anyway
	}
	for i := 0; i < len(pairs); i += 2 {
		added += btoi(k.hash.set(k.t.s, pairs[i], pairs[i+1], limits.HashEntries, limits.HashValue))
	}
	k.t.wrote(k.key, k.hash.len())
	return added, nil
}

func (k *hashKey) Delete(names [][]byte) (removed int, err error) {
	if k.hash == nil {
		return 0, nil
	}
	for _, f := range names {
		removed += btoi(k.hash.delete(k.t.s, f))
	}
	if removed > 0 && k.t.wrote(k.key, k.hash.len()) {
		k.hash = nil
	}
	return removed, nil
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
	if k.hash != nil {
		k.hash.random(k.t.s, n, f)
	}
	return nil
}
