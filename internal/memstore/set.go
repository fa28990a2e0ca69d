package memstore

import (
	"slices"
	"strconv"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

// set is the collection of a set: sorted numbers while its members are few and all integers, fields otherwise.
type set struct {
	numbers []int64 // not empty only while fields is
	fields
}

func (x *set) copy(s *Store) object {
	return &set{numbers: slices.Clone(x.numbers), fields: x.fields.copy(s)}
}

func (x *set) encoding() string {
	switch {
	case x.dict != nil:
		return "hashtable"
	case x.packed.n > 0:
		return "listpack"
	}
	return "intset"
}

func (x *set) len() int { return len(x.numbers) + x.fields.len() }

func (x *set) has(s *Store, member []byte) bool {
	if len(x.numbers) > 0 {
		n, ok := resp.ParseInt(member)
		if ok {
			_, ok = slices.BinarySearch(x.numbers, n)
		}
		return ok
	}
	_, ok := x.get(s, member)
	return ok
}

// add adds a member. If the set is empty yet, numbers tells whether integers are to be kept as numbers.
func (x *set) add(s *Store, member []byte, numbers bool) (added bool) {
	limits := s.limits.Load()
	if x.dict == nil && x.packed.n == 0 && (numbers || len(x.numbers) > 0) {
		n, ok := resp.ParseInt(member)
		i, found := slices.BinarySearch(x.numbers, n)
		switch {
		case ok && found:
			return false
		case ok && len(x.numbers) < limits.SetIntegers:
			x.numbers = slices.Insert(x.numbers, i, n)
			return true
		case len(x.numbers) == 0:
		case ok || len(x.numbers) >= limits.SetEntries || longest(x.numbers) > limits.SetValue:
			x.unpack(s)
		}
		x.spell(s)
	}
	if x.dict == nil {
		if off, _, _ := x.packed.find(member); off >= 0 {
			return false
		}
	}
	return x.set(s, member, nil, limits.SetEntries, limits.SetValue)
}

// outgrown reports whether so many members are added that the set becomes a table whatever they are: as in Redis, equal
// ones count.
func (x *set) outgrown(members [][]byte, limits *keyspace.Limits) bool {
	_, number := resp.ParseInt(members[0])
	switch n := len(members); {
	case x.dict != nil:
		return false
	case len(x.numbers) > 0:
		return n > limits.SetIntegers
	case x.packed.n > 0:
		return n > limits.SetEntries
	default:
		return n > limits.SetEntries && !(number && n <= limits.SetIntegers)
	}
}

// enlarge makes a table of the set.
func (x *set) enlarge(s *Store) {
	x.unpack(s)
	x.spell(s)
}

// spell turns the numbers into members.
func (x *set) spell(s *Store) {
	var digits [20]byte
	for _, n := range x.numbers {
		x.set(s, strconv.AppendInt(digits[:0], n, 10), nil, len(x.numbers), len(digits))
	}
	x.numbers = nil
}

// longest is how many bytes the longest of sorted numbers takes as a member.
func longest(numbers []int64) int {
	if len(numbers) == 0 {
		return 0
	}
	var digits [20]byte
	low := strconv.AppendInt(digits[:0], numbers[0], 10)
	return max(len(low), len(strconv.AppendInt(digits[:0], numbers[len(numbers)-1], 10)))
}

func (x *set) delete(s *Store, member []byte) bool {
	if len(x.numbers) == 0 {
		return x.fields.delete(s, member)
	}
	n, ok := resp.ParseInt(member)
	i, found := slices.BinarySearch(x.numbers, n)
	if !ok || !found {
		return false
	}
	x.numbers = slices.Delete(x.numbers, i, i+1)
	return true
}

func (x *set) release(s *Store) {
	x.numbers = nil
	x.fields.release(s)
}

// setKey is the set at a key in a transaction. It implements keyspace.SetKey.
type setKey struct {
	t      *tx
	key    []byte
	set    *set // nil while the key is missing
	digits [20]byte
}

// Set implements keyspace.Tx.
func (t *tx) Set(key []byte) (keyspace.SetKey, error) {
	o, err := t.collection(key, keyspace.Set)
	if err != nil {
		return nil, err
	}
	k := t.sets.next()
	*k = setKey{t: t, key: key}
	k.set, _ = o.(*set)
	return k, nil
}

func (k *setKey) Len() (int, error) {
	if k.set == nil {
		return 0, nil
	}
	return k.set.len(), nil
}

func (k *setKey) Contains(members [][]byte, dst []bool) ([]bool, error) {
	for _, m := range members {
		dst = append(dst, k.set != nil && k.set.has(k.t.s, m))
	}
	return dst, nil
}

func (k *setKey) Add(members [][]byte) (added int, err error) {
	if len(members) == 0 {
		return 0, nil
	}
	if k.set == nil {
		k.set = &set{}
		k.t.create(k.key, keyspace.Set, k.set)
	}
	k.t.s.lift(k.set)
	limits := k.t.s.limits.Load()
	if k.set.outgrown(members, limits) {
		k.set.enlarge(k.t.s) // at once, as it would come to that anyway
	}
	for _, m := range members {
		added += btoi(k.set.add(k.t.s, m, len(members) <= limits.SetIntegers))
	}
	k.t.s.putBack(k.set)
	if added > 0 {
		k.t.wrote(k.key, k.set.len())
	}
	return added, nil
}

func (k *setKey) Remove(members [][]byte) (removed int, err error) {
	if k.set == nil {
		return 0, nil
	}
	k.t.s.lift(k.set)
	for _, m := range members {
		removed += btoi(k.set.delete(k.t.s, m))
	}
	k.t.s.putBack(k.set)
	k.left(removed)
	return removed, nil
}

// left ends a removal.
func (k *setKey) left(removed int) {
	if removed > 0 && k.t.wrote(k.key, k.set.len()) {
		k.set = nil
	}
}

// spelled is a number of the set as a member.
func (k *setKey) spelled(i int) []byte {
	return strconv.AppendInt(k.digits[:0], k.set.numbers[i], 10)
}

func (k *setKey) Each(f func(member []byte)) error {
	if k.set == nil {
		return nil
	}
	for i := range k.set.numbers {
		f(k.spelled(i))
	}
	k.set.each(k.t.s, func(member, _ []byte) { f(member) })
	return nil
}

func (k *setKey) Scan(cursor uint64, count int, f func(member []byte)) (uint64, error) {
	if k.set == nil || len(k.set.numbers) > 0 {
		return 0, k.Each(f)
	}
	return k.set.scan(k.t.s, cursor, count, func(member, _ []byte) { f(member) }), nil
}

func (k *setKey) Random(n int, f func(member []byte)) error {
	if k.set == nil {
		return nil
	}
	size := len(k.set.numbers)
	switch {
	case size == 0:
		k.set.random(k.t.s, n, func(member, _ []byte) { f(member) })
	case n < 0:
		for ; n < 0; n++ {
			f(k.spelled(k.t.s.rng.IntN(size)))
		}
	default:
		for _, i := range k.t.s.rng.Perm(size)[:min(n, size)] {
			f(k.spelled(i))
		}
	}
	return nil
}

func (k *setKey) Pop(n int, f func(member []byte)) error {
	if k.set == nil {
		return nil
	}
	k.t.s.lift(k.set)
	popped := 0
	for ; popped < n && k.set.len() > 0; popped++ {
		if size := len(k.set.numbers); size > 0 {
			i := k.t.s.rng.IntN(size)
			f(k.spelled(i))
			k.set.numbers = slices.Delete(k.set.numbers, i, i+1)
			continue
		}
		member, _ := k.set.one(k.t.s)
		f(member)
		k.set.fields.delete(k.t.s, member)
	}
	k.t.s.putBack(k.set)
	k.left(popped)
	return nil
}
