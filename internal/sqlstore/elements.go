package sqlstore

import (
	"math"

	"github.com/cespare/xxhash/v2"
)

// hashOf is the place of a field or member in its collection. The tables keep it, so it is the same for ever: XXH64 without a seed,
// of which the least value is not used, so that a cursor is never 0.
func hashOf(name []byte) int64 { return max(int64(xxhash.Sum64(name)), math.MinInt64+1) }

// kind says how the elements of hashes, sets or sorted sets are read. The columns of a row are the hash, the name, and what else there
// is.
type kind struct {
	scan *Query // those of a collection behind a hash, in order, as many as it is told
	rest *Query // those of a collection with a hash, behind a name
	nth  *Query // those of a collection from a hash on, as many as it is told after as many others
}

// newKind makes the statements of a table. live is a condition that elements are under, with a parameter for the time; empty: none.
func newKind(columns, table, name, live string) kind {
	from := `SELECT hash, ` + columns + ` FROM ` + table + ` WHERE collection = ?`
	return kind{
		scan: query(from + ` AND hash > ?` + live + ` ORDER BY hash, {` + name + `} LIMIT ?`),
		rest: query(from + ` AND hash = ? AND {` + name + `} > {?}` + live + ` ORDER BY {` + name + `}`),
		nth:  query(from + ` AND hash >= ?` + live + ` ORDER BY hash, {` + name + `} LIMIT ? OFFSET ?`),
	}
}

// now is the argument of a condition that has one.
func (k *kind) now(args []Value, t *tx) []Value {
	if k.rest.Params == 4 {
		args = append(args, integer(t.now))
	}
	return args
}

// scan visits elements of a collection behind a cursor, about count of them, and returns the next cursor: the hash of the last one,
// with the order of signed numbers turned into that of unsigned ones.
func (t *tx) scan(k *kind, collection int64, cursor uint64, count int, f func(r Row)) (uint64, error) {
	const sign = 1 << 63
	after := int64(cursor ^ sign) // 0 is before all of them
	var last int64
	var name []byte
	n := 0
	t.args = append(k.now(append(t.args[:0], integer(collection), integer(after)), t), integer(int64(max(count, 1))))
	if _, err := t.run(k.scan, t.args, func(_ int, r Row) error {
		n++
		last = r.Int(0)
		name = append(name[:0], r.Bytes(1)...)
		f(r)
		return nil
	}); err != nil || n < max(count, 1) {
		return 0, err
	}
	t.args = k.now(append(t.args[:0], integer(collection), integer(last), blob(name)), t)
	_, err := t.run(k.rest, t.args, func(_ int, r Row) error { f(r); return nil })
	return uint64(last) ^ sign, err
}

const (
	countable = 1000 // elements that are counted off to find one; in larger collections it is looked for behind a random hash,
	apart     = 64   // and up to so many further on, since hashes are not evenly apart
)

// some visits n random elements of a collection of size elements, which may repeat.
func (t *tx) some(k *kind, collection, size int64, n int, f func(r Row)) error {
	for n > 0 {
		t.args = t.args[:0]
		now := min(n, 1000)
		for range now {
			from, skip := int64(math.MinInt64), int64(0)
			if size <= countable {
				skip = t.random(size)
			} else {
				from, skip = int64(t.random(math.MaxInt64))<<1, t.random(apart)
			}
			t.args = append(k.now(append(t.args, integer(collection), integer(from)), t), integer(1), integer(skip))
		}
		got := make([]bool, now)
		visit := func(i int, r Row) error { got[i] = true; f(r); return nil }
		if _, err := t.run(k.nth, t.args, visit); err != nil {
			return err
		}
		behind := t.args[:0] // of those behind which there is nothing: from the beginning on
		for i, ok := range got {
			if !ok {
				behind = append(behind, t.args[i*k.nth.Params:][:k.nth.Params]...)
				behind[len(behind)-k.nth.Params+1] = integer(math.MinInt64)
			}
		}
		if len(behind) > 0 {
			if _, err := t.run(k.nth, behind, func(_ int, r Row) error { f(r); return nil }); err != nil {
				return err
			}
		}
		n -= now
	}
	return nil
}

// sample visits n different random elements of a collection of size elements in random order, or all there are; with n < 0, -n
// that may repeat. keep copies what f needs of a row.
func sample[E any](t *tx, k *kind, collection, size int64, n int, keep func(r Row) (name string, e E), f func(e E)) error {
	if size == 0 {
		return nil
	}
	repeat := n < 0
	n = max(n, -n)
	few := int64(n) < size/4 // few enough that most are new, and that it is quicker to look for each
	if repeat && few {
		return t.some(k, collection, size, n, func(r Row) { _, e := keep(r); f(e) })
	}
	var picked []E
	if few {
		seen := map[string]bool{}
		for len(picked) < n {
			if err := t.some(k, collection, size, n-len(picked), func(r Row) {
				if name, e := keep(r); !seen[name] {
					seen[name] = true
					picked = append(picked, e)
				}
			}); err != nil {
				return err
			}
		}
	} else {
		t.args = append(k.now(append(t.args[:0], integer(collection), integer(math.MinInt64)), t), integer(size), integer(0))
		if _, err := t.run(k.nth, t.args, func(_ int, r Row) error {
			_, e := keep(r)
			picked = append(picked, e)
			return nil
		}); err != nil {
			return err
		}
		if repeat {
			for range n {
				f(picked[t.random(int64(len(picked)))])
			}
			return nil
		}
		for i := range picked { // Fisher and Yates
			j := i + int(t.random(int64(len(picked)-i)))
			picked[i], picked[j] = picked[j], picked[i]
		}
	}
	for _, e := range picked[:min(n, len(picked))] {
		f(e)
	}
	return nil
}

// clip makes indexes of the elements of what a range names; false if that is empty.
func (m *meta) clip(start, stop int) (int, int, bool) {
	n := int(m.len)
	if start < 0 {
		start = max(start+n, 0)
	}
	if stop < 0 {
		stop += n
	}
	stop = min(stop, n-1)
	return start, stop, start <= stop
}
