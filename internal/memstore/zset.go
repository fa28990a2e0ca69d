package memstore

import (
	"bytes"
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// zset is the collection of a sorted set. While small it is packed in order, the score as the value of a member; once large
// the members are a table and their order a tree.
type zset struct {
	fields
	order rankTree
}

func scoreOf(value []byte) float64 { return math.Float64frombits(le.Uint64(value)) }

func (z *zset) encoding() string {
	if z.dict != nil {
		return "skiplist"
	}
	return "listpack"
}

func (z *zset) copy(s *Store) object {
	c := &zset{fields: z.fields.copy(s)}
	c.rank(s)
	return c
}

// enlarge makes a table and a tree of what is packed.
func (z *zset) enlarge(s *Store) {
	z.unpack(s)
	z.rank(s)
}

// rank builds the order of a table.
func (z *zset) rank(s *Store) {
	if z.dict == nil {
		return
	}
	z.order = rankTree{}
	z.dict.each(func(r ref) {
		z.order.insert(&s.arena, ranked{scoreOf(valueOf(s.arena.block(r))), r})
	})
}

func (z *zset) release(s *Store) {
	z.fields.release(s)
	z.order = rankTree{}
}

// score returns the score of a member, NaN if it is missing.
func (z *zset) score(s *Store, member []byte) float64 {
	v, ok := z.get(s, member)
	if !ok {
		return math.NaN()
	}
	return scoreOf(v)
}

// put stores a member and reports whether it is new.
func (z *zset) put(s *Store, member []byte, score float64) (added bool) {
	var bits [8]byte
	le.PutUint64(bits[:], math.Float64bits(score))
	if z.dict == nil {
		off, next, old := z.packed.find(member)
		if off >= 0 && scoreOf(old) == score { // 0 does not replace -0
			return false
		}
		if limits := s.limits.Load(); off >= 0 || z.packed.n < limits.SortedSetEntries && len(member) <= limits.SortedSetValue {
			if off >= 0 {
				z.packed.remove(off, next)
			}
			z.packed.insert(z.place(member, score), member, bits[:])
			return off < 0
		}
		z.enlarge(s)
	}
	h := s.hash(member)
	old := z.dict.find(&s.arena, h, member)
	if old != 0 {
		was := scoreOf(valueOf(s.arena.block(old)))
		if was == score {
			return false
		}
		z.order.remove(&s.arena, ranked{was, old})
	}
	r := z.store(s, member, h, old, bits[:], 0)
	z.order.insert(&s.arena, ranked{score, r})
	return old == 0
}

// place is the offset in the packed members where one with a score belongs.
func (z *zset) place(member []byte, score float64) int {
	for off := 0; off < len(z.packed.buf); {
		m, v, next := z.packed.at(off)
		if at := scoreOf(v); at > score || at == score && bytes.Compare(m, member) > 0 {
			return off
		}
		off = next
	}
	return len(z.packed.buf)
}

func (z *zset) delete(s *Store, member []byte) bool {
	if z.dict != nil {
		r := z.dict.find(&s.arena, s.hash(member), member)
		if r == 0 {
			return false
		}
		z.order.remove(&s.arena, ranked{scoreOf(valueOf(s.arena.block(r))), r})
	}
	return z.fields.delete(s, member)
}

// countBefore counts the members that come before a bound: those for which before is true, a prefix of the order.
func (z *zset) countBefore(s *Store, before func(member []byte, score float64) bool) (n int) {
	if z.dict != nil {
		return z.order.rank(func(it ranked) bool { return before(nameOf(s.arena.block(it.ref)), it.score) })
	}
	for off := 0; off < len(z.packed.buf); n++ {
		m, v, next := z.packed.at(off)
		if !before(m, scoreOf(v)) {
			return n
		}
		off = next
	}
	return n
}

// countBelow is countBefore by the scores alone, which needs no look at the members.
func (z *zset) countBelow(below func(score float64) bool) (n int) {
	if z.dict != nil {
		return z.order.rank(func(it ranked) bool { return below(it.score) })
	}
	for off := 0; off < len(z.packed.buf); n++ {
		_, v, next := z.packed.at(off)
		if !below(scoreOf(v)) {
			return n
		}
		off = next
	}
	return n
}

// span turns a range into ranks from the lowest member, both included; none are in it if from is greater than to.
func (z *zset) span(s *Store, r *keyspace.Range) (from, to int) {
	n := z.len()
	switch r.By {
	case keyspace.ByRank:
		from, to, empty := clip(r.Start, r.Stop, n)
		if empty {
			return 0, -1
		}
		if r.Reverse {
			from, to = n-1-to, n-1-from
		}
		return from, to
	case keyspace.ByScore:
		from = z.countBelow(func(score float64) bool { return score < r.Min || r.MinOpen && score == r.Min })
		to = z.countBelow(func(score float64) bool { return score < r.Max || !r.MaxOpen && score == r.Max })
	case keyspace.ByLex:
		if !r.MinFree {
			from = z.countBefore(s, func(member []byte, _ float64) bool {
				c := bytes.Compare(member, r.MinLex)
				return c < 0 || r.MinOpen && c == 0
			})
		}
		to = n
		if !r.MaxFree {
			to = z.countBefore(s, func(member []byte, _ float64) bool {
				c := bytes.Compare(member, r.MaxLex)
				return c < 0 || !r.MaxOpen && c == 0
			})
		}
	}
	return from, to - 1
}

// visit visits the members with ranks from from to to, both included.
func (z *zset) visit(s *Store, from, to int, reverse bool, f func(member []byte, score float64) bool) {
	if from > to {
		return
	}
	if z.dict != nil {
		visit := func(it ranked) bool { return f(nameOf(s.arena.block(it.ref)), it.score) }
		if reverse {
			z.order.visitBack(from, to, visit)
		} else {
			z.order.visit(from, to, visit)
		}
		return
	}
	var scratch [offsetsAtHand]int
	offsets := z.packed.offsets(scratch[:0])
	for i := from; i <= to; i++ {
		at := i
		if reverse {
			at = to - (i - from)
		}
		m, v, _ := z.packed.at(offsets[at])
		if !f(m, scoreOf(v)) {
			return
		}
	}
}

// zsetKey is the sorted set at a key in a transaction. It implements keyspace.SortedSetKey.
type zsetKey struct {
	t    *tx
	key  []byte
	zset *zset // nil while the key is missing
}

// SortedSet implements keyspace.Tx.
func (t *tx) SortedSet(key []byte) (keyspace.SortedSetKey, error) {
	o, err := t.collection(key, keyspace.SortedSet)
	if err != nil {
		return nil, err
	}
	k := t.zsets.next()
	*k = zsetKey{t: t, key: key}
	k.zset, _ = o.(*zset)
	return k, nil
}

func (k *zsetKey) Len() (int, error) {
	if k.zset == nil {
		return 0, nil
	}
	return k.zset.len(), nil
}

func (k *zsetKey) Scores(members [][]byte, dst []float64) ([]float64, error) {
	for _, m := range members {
		score := math.NaN()
		if k.zset != nil {
			score = k.zset.score(k.t.s, m)
		}
		dst = append(dst, score)
	}
	return dst, nil
}

func (k *zsetKey) Put(members []keyspace.Scored) (added int, err error) {
	if len(members) == 0 {
		return 0, nil
	}
	if k.zset == nil {
		k.zset = &zset{}
		k.t.create(k.key, keyspace.SortedSet, k.zset)
	}
	k.t.s.lift(k.zset)
	if z := k.zset; z.dict == nil && len(members) > k.t.s.limits.Load().SortedSetEntries {
		z.enlarge(k.t.s) // at once, as it would come to that anyway
	}
	for _, m := range members {
		added += btoi(k.zset.put(k.t.s, m.Member, m.Score))
	}
	k.t.s.putBack(k.zset)
	k.t.wrote(k.key, k.zset.len())
	return added, nil
}

func (k *zsetKey) Remove(members [][]byte) (removed int, err error) {
	if k.zset == nil {
		return 0, nil
	}
	k.t.s.lift(k.zset)
	for _, m := range members {
		removed += btoi(k.zset.delete(k.t.s, m))
	}
	k.t.s.putBack(k.zset)
	k.left(removed)
	return removed, nil
}

// left ends a removal.
func (k *zsetKey) left(removed int) {
	if removed > 0 && k.t.wrote(k.key, k.zset.len()) {
		k.zset = nil
	}
}

func (k *zsetKey) Rank(member []byte, reverse bool) (rank int, score float64, ok bool, err error) {
	if k.zset == nil {
		return 0, 0, false, nil
	}
	score = k.zset.score(k.t.s, member)
	if math.IsNaN(score) {
		return 0, 0, false, nil
	}
	rank = k.zset.countBefore(k.t.s, func(m []byte, at float64) bool {
		return at < score || at == score && bytes.Compare(m, member) < 0
	})
	if reverse {
		rank = k.zset.len() - 1 - rank
	}
	return rank, score, true, nil
}

func (k *zsetKey) Range(r *keyspace.Range, f func(member []byte, score float64) bool) error {
	if k.zset == nil {
		return nil
	}
	from, to := k.zset.span(k.t.s, r)
	if r.By != keyspace.ByRank {
		if r.Offset > to-from {
			return nil
		}
		if r.Reverse {
			to -= r.Offset
			if r.Count >= 0 {
				from = max(from, to-r.Count+1)
			}
		} else {
			from += r.Offset
			if r.Count >= 0 && r.Count <= to-from {
				to = from + r.Count - 1
			}
		}
	}
	k.zset.visit(k.t.s, from, to, r.Reverse, f)
	return nil
}

func (k *zsetKey) Count(r *keyspace.Range) (int, error) {
	if k.zset == nil {
		return 0, nil
	}
	from, to := k.zset.span(k.t.s, r)
	return max(to-from+1, 0), nil
}

func (k *zsetKey) RemoveRange(r *keyspace.Range) (removed int, err error) {
	if k.zset == nil {
		return 0, nil
	}
	from, to := k.zset.span(k.t.s, r)
	// Names first: removing moves what the visit walks over.
	var names []byte
	var ends []int
	k.zset.visit(k.t.s, from, to, false, func(member []byte, _ float64) bool {
		names = append(names, member...)
		ends = append(ends, len(names))
		return true
	})
	k.t.s.lift(k.zset)
	start := 0
	for _, end := range ends {
		k.zset.delete(k.t.s, names[start:end])
		start = end
	}
	k.t.s.putBack(k.zset)
	k.left(len(ends))
	return len(ends), nil
}

func (k *zsetKey) Scan(cursor uint64, count int, f func(member []byte, score float64)) (uint64, error) {
	if k.zset == nil {
		return 0, nil
	}
	return k.zset.scan(k.t.s, cursor, count, func(m, v []byte) { f(m, scoreOf(v)) }), nil
}

func (k *zsetKey) Random(n int, f func(member []byte, score float64)) error {
	if k.zset != nil {
		k.zset.random(k.t.s, n, func(m, v []byte) { f(m, scoreOf(v)) })
	}
	return nil
}
