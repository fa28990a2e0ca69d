package storetest

import (
	"math"
	"slices"
	"strconv"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// model is what a store should hold: the naive keyspace.
type model [2]map[string]*value

// value is what a key of the model holds; by its type, one of the fields below the first two.
type value struct {
	typ      keyspace.Type
	expireAt int64
	str      string
	list     []string
	set      map[string]bool
	hash     map[string]string
	times    map[string]int64 // of those fields of the hash that expire
	zset     map[string]float64
}

func newValue(typ keyspace.Type) *value {
	return &value{typ: typ, set: map[string]bool{}, hash: map[string]string{}, times: map[string]int64{}, zset: map[string]float64{}}
}

func (v *value) copy() *value {
	c := newValue(v.typ)
	c.expireAt, c.str, c.list = v.expireAt, v.str, slices.Clone(v.list)
	for m := range v.set {
		c.set[m] = true
	}
	for f, x := range v.hash {
		c.hash[f] = x
	}
	for f, at := range v.times {
		c.times[f] = at
	}
	for m, score := range v.zset {
		c.zset[m] = score
	}
	return c
}

// size is how many elements a collection has; 1 for a string.
func (v *value) size() int {
	if v.typ == keyspace.String {
		return 1
	}
	return len(v.list) + len(v.set) + len(v.hash) + len(v.zset)
}

// members of a set, hash or sorted set, in the order of bytes.
func (v *value) members() []string {
	all := []string{}
	for m := range v.set {
		all = append(all, m)
	}
	for m := range v.hash {
		all = append(all, m)
	}
	for m := range v.zset {
		all = append(all, m)
	}
	slices.Sort(all)
	return all
}

// pairs are the members of a sorted set in order.
func (v *value) pairs() []pair {
	all := []pair{}
	for m, score := range v.zset {
		all = append(all, pair{m, score})
	}
	sortPairs(all)
	return all
}

// add is Tx.Add on the string of the model, which may be nil.
func (v *value) add(delta int64) (int64, error) {
	n := int64(0)
	if v != nil {
		if v.typ != keyspace.String {
			return 0, keyspace.ErrWrongType
		}
		var err error
		n, err = strconv.ParseInt(v.str, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != v.str {
			return 0, keyspace.ErrNotInteger
		}
	}
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
		return 0, keyspace.ErrOverflow
	}
	return n + delta, nil
}

// putField stores a field of a hash, to expire at a time, Never or KeepTTL.
func (v *value) putField(field, text string, at int64) {
	v.hash[field] = text
	switch at {
	case keyspace.KeepTTL:
	case keyspace.Never:
		delete(v.times, field)
	default:
		v.times[field] = at
	}
}

// dropField removes a field of a hash.
func (v *value) dropField(field string) {
	delete(v.hash, field)
	delete(v.times, field)
}

// expireField is HashKey.Expire for one field.
func (v *value) expireField(field string, at, now int64, only keyspace.Condition) keyspace.FieldChange {
	text, ok := v.hash[field]
	old := v.times[field] // 0 is Never
	switch {
	case !ok:
		return keyspace.FieldMissing
	case at == keyspace.Never && old == keyspace.Never:
		return keyspace.FieldKept
	case only == keyspace.IfNever && old != keyspace.Never, only == keyspace.IfExpiring && old == keyspace.Never,
		only == keyspace.IfLater && (old == keyspace.Never || old >= at), only == keyspace.IfEarlier && old != keyspace.Never && old <= at:
		return keyspace.FieldKept
	case at != keyspace.Never && at <= now:
		v.dropField(field)
		return keyspace.FieldRemoved
	}
	v.putField(field, text, at)
	return keyspace.FieldChanged
}

// live returns the key of a database that is there at a time, or nil; an expired one goes, as does a field.
func (m *model) live(db int, key string, now int64) *value {
	v := m[db][key]
	if v != nil && v.expireAt != 0 && v.expireAt <= now {
		delete(m[db], key)
		return nil
	}
	if v != nil && v.typ == keyspace.Hash {
		for f, at := range v.times {
			if at <= now {
				v.dropField(f)
			}
		}
		if len(v.hash) == 0 {
			delete(m[db], key)
			return nil
		}
	}
	return v
}

// clipped is what of n elements lies from start to stop.
func clipped(start, stop, n int) (from, to int) {
	if start < 0 {
		start += n
	}
	if stop < 0 {
		stop += n
	}
	from, to = max(start, 0), min(stop+1, n)
	if from >= to {
		return 0, 0
	}
	return from, to
}
