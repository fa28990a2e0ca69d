package sqlstore

import (
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// rowBytes is what a row takes besides its names and values, about.
const rowBytes = 32

var (
	keySize = query(`SELECT length(name) + coalesce(length(value), 0) FROM redbud_key WHERE id = ?`)

	// sizes are, by type, how many elements of a collection are looked at and what their names and values take, together.
	sizes = map[keyspace.Type]*Query{
		keyspace.Hash:      query(`SELECT count(*), sum(size) FROM (SELECT length(field) + length(value) AS size FROM redbud_hash WHERE collection = ? LIMIT ?) AS few`),
		keyspace.List:      query(`SELECT count(*), sum(size) FROM (SELECT length(value) AS size FROM redbud_list WHERE collection = ? LIMIT ?) AS few`),
		keyspace.Set:       query(`SELECT count(*), sum(size) FROM (SELECT length(member) AS size FROM redbud_set WHERE collection = ? LIMIT ?) AS few`),
		keyspace.SortedSet: query(`SELECT count(*), sum(size) FROM (SELECT length(member) + 8 AS size FROM redbud_zset WHERE collection = ? LIMIT ?) AS few`),
		keyspace.Stream:    query(`SELECT count(*), sum(size) FROM (SELECT length(fields) + 16 AS size FROM redbud_entry WHERE collection = ? LIMIT ?) AS few`),
	}
)

// Size implements keyspace.Sizer: the bytes of names and values, and about as many more as the rows take. Groups of a stream do not
// count.
func (t *tx) Size(key []byte, samples int) (bytes int64, ok bool, err error) {
	m, err := t.find(key)
	if err != nil || m.id == 0 {
		return 0, false, err
	}
	if err := t.flush(); err != nil {
		return 0, false, err
	}
	if bytes, err = t.one(keySize, integer(m.row)); err != nil {
		return 0, false, err
	}
	bytes += rowBytes
	if m.typ == keyspace.String {
		return bytes, true, nil
	}
	limit := int64(samples)
	if samples == 0 {
		limit = math.MaxInt64
	}
	looked, sum := int64(0), int64(0)
	t.args = append(t.args[:0], integer(m.collection), integer(limit))
	if _, err := t.run(sizes[m.typ], t.args, func(_ int, r Row) error { looked, sum = r.Int(0), r.Int(1); return nil }); err != nil {
		return 0, false, err
	}
	if looked > 0 {
		bytes += m.len * (sum/looked + rowBytes)
	}
	return bytes, true, nil
}
