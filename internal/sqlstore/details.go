package sqlstore

import (
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

// SetLimits implements keyspace.Limited.
func (s *Store) SetLimits(l keyspace.Limits) { s.limits.Store(&l) }

var (
	hashLongest = query(`SELECT max(length(field)), max(length(value)), count(expire_at) FROM redbud_hash WHERE collection = ?`)
	zsetLongest = query(`SELECT max(length(member)) FROM redbud_zset WHERE collection = ?`)
	listBytes   = query(`SELECT sum(length(value)) FROM redbud_list WHERE collection = ?`)
)

// Details implements keyspace.Tx. There is one form for all collections; the encoding is the one that Redis would have chosen for such a
// key, had it not been another one before.
func (t *tx) Details(key []byte) (d keyspace.Details, ok bool, err error) {
	m, err := t.find(key)
	if err != nil {
		return d, false, err
	}
	if t.looks.Counts {
		t.s.hits.Add(int64(btoi(m.id != 0)))
		t.s.misses.Add(int64(btoi(m.id == 0)))
	}
	if m.id == 0 {
		return d, false, nil
	}
	switch m.typ {
	case keyspace.String:
		d.Encoding, err = t.stringEncoding(key)
	case keyspace.Hash:
		d.Encoding, err = t.hashEncoding(m)
	case keyspace.List:
		d.Encoding, err = t.listEncoding(m)
	case keyspace.Set:
		d.Encoding, err = t.setEncoding(m)
	case keyspace.SortedSet:
		d.Encoding = "skiplist"
		if l := t.s.limits.Load(); m.len <= int64(l.SortedSetEntries) {
			var longest int64
			if longest, err = t.one(zsetLongest, integer(m.collection)); longest <= int64(l.SortedSetValue) {
				d.Encoding = "listpack"
			}
		}
	default:
		d.Encoding = m.typ.String()
	}
	return d, err == nil, err
}

// embedded is the longest string that Redis keeps in one block with its object.
const embedded = 44

func (t *tx) stringEncoding(key []byte) (string, error) {
	v, err := t.str(key)
	switch {
	case err != nil:
		return "", err
	case len(v) > embedded:
		return "raw", nil
	}
	if _, number := resp.ParseInt(v); number {
		return "int", nil
	}
	return "embstr", nil
}

func (t *tx) hashEncoding(m *meta) (string, error) {
	l := t.s.limits.Load()
	if m.len > int64(l.HashEntries) {
		return "hashtable", nil
	}
	name := "listpack"
	t.args = append(t.args[:0], integer(m.collection))
	_, err := t.run(hashLongest, t.args, func(_ int, r Row) error {
		switch {
		case max(r.Int(0), r.Int(1)) > int64(l.HashValue):
			name = "hashtable"
		case r.Int(2) > 0:
			name = "listpackex"
		}
		return nil
	})
	return name, err
}

// A listpack has 7 bytes besides its values, and mostly 2 besides each of those.
func (t *tx) listEncoding(m *meta) (string, error) {
	size := t.s.limits.Load().ListSize
	bytes, values := int64(8<<10), int64(max(size, 1))
	if size < 0 {
		bytes, values = 4<<10<<min(-(size+1), 4), math.MaxInt64
	}
	if m.len > values || m.len > bytes {
		return "quicklist", nil
	}
	sum, err := t.one(listBytes, integer(m.collection))
	if 7+sum+2*m.len > bytes {
		return "quicklist", err
	}
	return "listpack", err
}

func (t *tx) setEncoding(m *meta) (string, error) {
	l := t.s.limits.Load()
	if m.len > int64(max(l.SetIntegers, l.SetEntries)) {
		return "hashtable", nil
	}
	numbers, longest := true, 0
	err := (&setKey{t, m}).Each(func(member []byte) {
		if _, ok := resp.ParseInt(member); !ok {
			numbers = false
		}
		longest = max(longest, len(member))
	})
	switch {
	case numbers && m.len <= int64(l.SetIntegers):
		return "intset", err
	case m.len <= int64(l.SetEntries) && longest <= l.SetValue:
		return "listpack", err
	}
	return "hashtable", err
}
