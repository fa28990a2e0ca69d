package rdb

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"slices"
	"strconv"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

// longest is the most bytes that a string may have: Redis takes no more from a client.
const longest = 512 << 20

// decoder reads values. What it allocates follows what was read, not what is announced.
type decoder struct {
	source
	digits []byte // of integers
}

// value reads a value. A collection without elements, which Redis never holds but some versions have written, has no Type.
func (d *decoder) value(k kind) *Value {
	v := &Value{}
	switch k {
	case kindString:
		v.Type, v.Items = keyspace.String, [][]byte{d.string()}
		return v
	case kindStream, kindStreamCounters, kindStreamActive:
		v.Type, v.Stream = keyspace.Stream, d.stream(k)
		return v
	case kindList, kindListZiplist, kindListZiplists, kindListListpacks:
		v.Type = keyspace.List
		d.list(v, k)
	case kindSet, kindSetIntegers, kindSetListpack:
		v.Type = keyspace.Set
		d.set(v, k)
	case kindSortedSetText, kindSortedSet, kindSortedZiplist, kindSortedListpack:
		v.Type = keyspace.SortedSet
		d.sortedSet(v, k)
	case kindHash, kindHashZipmap, kindHashZiplist, kindHashListpack,
		kindHashExpiryEarly, kindListpackEarly, kindHashExpiry, kindListpackExpiry:
		v.Type = keyspace.Hash
		d.hash(v, k)
	case kindModuleOld, kindModule:
		d.fail("a value of a module")
	default:
		d.fail("a value of the unknown type %d", k)
	}
	if len(v.Items)+len(v.Members) == 0 {
		v.Type = keyspace.None
	}
	return v
}

// string reads a string in any encoding. It is never nil.
func (d *decoder) string() []byte {
	n, encoded := d.lengthOrEncoding()
	switch {
	case !encoded:
		return d.bytes(n)
	case n <= encodedInt32:
		return d.text(element{n: signed(d.take(1 << n))})
	case n == encodedLZF:
		packed, size := d.length(), d.length()
		b := d.bytes(packed)
		if d.err != nil {
			return b
		}
		if size > longest {
			d.fail("a string of %d bytes", size)
			return b
		}
		s, ok := decompress(b, size)
		if !ok {
			d.fail("a compressed string is damaged")
		}
		return s
	}
	d.fail("a string of the unknown encoding %d", n)
	return []byte{}
}

// bytes takes a string of n bytes.
func (d *decoder) bytes(n uint64) []byte {
	if n > longest {
		d.fail("a string of %d bytes", n)
	}
	if b := d.take(n); b != nil {
		return b
	}
	return []byte{}
}

// strings appends n strings.
func (d *decoder) strings(n uint64, dst [][]byte) [][]byte {
	dst = slices.Grow(dst, d.room(n))
	for ; n > 0 && d.err == nil; n-- {
		dst = append(dst, d.string())
	}
	return dst
}

// room is for how many of n elements memory is taken before they are there: no more than what is there justifies.
func (d *decoder) room(n uint64) int { return int(min(n, uint64(len(d.buf)-d.pos)/16)) }

func (d *decoder) list(v *Value, k kind) {
	switch k {
	case kindList:
		v.Items = d.strings(d.length(), nil)
		return
	case kindListZiplist:
		v.Items = d.ziplist(d.string(), nil)
		return
	}
	for n := d.length(); n > 0 && d.err == nil; n-- {
		const plain, packed = 1, 2
		form := uint64(packed)
		if k == kindListListpacks {
			form = d.length()
		}
		b := d.string()
		switch {
		case d.err != nil:
		case k == kindListZiplists:
			v.Items = d.ziplist(b, v.Items)
		case form == packed:
			v.Items = d.listpack(b, v.Items)
		case form == plain:
			v.Items = append(v.Items, b)
		default:
			d.fail("a part of a list is of the unknown form %d", form)
		}
	}
}

func (d *decoder) set(v *Value, k kind) {
	switch k {
	case kindSet:
		v.Items = d.strings(d.length(), nil)
	case kindSetIntegers:
		v.Items = d.integers(d.string(), nil)
		return
	default:
		v.Items = d.listpack(d.string(), nil)
	}
	d.distinct(len(v.Items), func(i int) []byte { return v.Items[i] })
}

func (d *decoder) hash(v *Value, k kind) {
	switch k {
	case kindHash:
		n := d.length()
		v.Items = d.strings(2*min(n, math.MaxInt64), nil)
	case kindHashZipmap:
		v.Items = d.zipmap(d.string(), nil)
	case kindHashZiplist:
		v.Items = d.ziplist(d.string(), nil)
	case kindHashListpack:
		v.Items = d.listpack(d.string(), nil)
	case kindHashExpiry, kindHashExpiryEarly:
		d.expiringHash(v, k)
	default:
		d.expiringListpack(v, k)
	}
	if len(v.Items)%2 != 0 {
		d.fail("a hash has a field without a value")
	}
	d.distinct(len(v.Items)/2, func(i int) []byte { return v.Items[2*i] })
}

// latest is the last time at which a field of a hash may expire.
const latest = 1<<46 - 1

// expiringHash reads fields and values, each with when it expires: 0 for never, or a time that counts from the first of them.
func (d *decoder) expiringHash(v *Value, k kind) {
	var first uint64
	if k == kindHashExpiry {
		first = d.uint64()
	}
	n := d.length()
	v.Items = make([][]byte, 0, d.room(2*min(n, math.MaxInt64)))
	for ; n > 0 && d.err == nil; n-- {
		at := d.length()
		if at > latest || first > latest {
			d.fail("a field expires at no time that there is")
			return
		}
		if at != 0 && k == kindHashExpiry {
			at += first - 1
		}
		v.Items = append(v.Items, d.string(), d.string())
		v.Expiry = append(v.Expiry, int64(at))
	}
}

// expiringListpack reads a listpack of fields, values and when they expire.
func (d *decoder) expiringListpack(v *Value, k kind) {
	if k == kindListpackExpiry {
		d.uint64() // when the first of them expires
	}
	l := d.openListpack(d.string())
	for d.more(&l) {
		v.Items = append(v.Items, d.text(d.next(&l)), d.text(d.next(&l)))
		e := d.next(&l)
		at, ok := e.integer()
		if !ok || at < 0 || at > latest {
			d.fail("a field expires at no time that there is")
		}
		v.Expiry = append(v.Expiry, at)
	}
}

func (d *decoder) sortedSet(v *Value, k kind) {
	switch k {
	case kindSortedSet, kindSortedSetText:
		n := d.length()
		v.Members = make([]keyspace.Scored, 0, d.room(n))
		for ; n > 0 && d.err == nil; n-- {
			m := keyspace.Scored{Member: d.string()}
			if k == kindSortedSet {
				m.Score = math.Float64frombits(d.uint64())
			} else {
				m.Score = d.textScore()
			}
			v.Members = append(v.Members, m)
		}
	default:
		d.packedSortedSet(v, k)
	}
	for _, m := range v.Members {
		if math.IsNaN(m.Score) {
			d.fail("a score is not a number")
		}
	}
	d.distinct(len(v.Members), func(i int) []byte { return v.Members[i].Member })
}

// packedSortedSet reads members and scores in turn.
func (d *decoder) packedSortedSet(v *Value, k kind) {
	var items [][]byte
	if k == kindSortedZiplist {
		items = d.ziplist(d.string(), nil)
	} else {
		items = d.listpack(d.string(), nil)
	}
	if len(items)%2 != 0 {
		d.fail("a sorted set has a member without a score")
		return
	}
	v.Members = make([]keyspace.Scored, len(items)/2)
	for i := range v.Members {
		v.Members[i] = keyspace.Scored{Member: items[2*i], Score: d.score(items[2*i+1])}
	}
}

// score reads a score that is spelt out.
func (d *decoder) score(b []byte) float64 {
	if n, ok := resp.ParseInt(b); ok {
		return float64(n)
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		d.fail("a score is not a number")
	}
	return f
}

// textScore reads a score with its length in front, or a byte that stands for one that no digits spell.
func (d *decoder) textScore() float64 {
	switch n := d.byte(); n {
	case 253:
		return math.NaN()
	case 254:
		return math.Inf(1)
	case 255:
		return math.Inf(-1)
	default:
		return d.score(d.bytes(uint64(n)))
	}
}

// distinct fails unless all of n names are different.
func (d *decoder) distinct(n int, name func(i int) []byte) {
	if d.err != nil || n < 2 {
		return
	}
	size := 4
	for size < 2*n {
		size *= 2
	}
	seed := maphash.MakeSeed()
	slots := make([]int, size) // one more than the number of a name, by its hash
	for i := range n {
		b := name(i)
		h := int(maphash.Bytes(seed, b)) & (size - 1)
		for ; slots[h] != 0; h = (h + 1) & (size - 1) {
			if string(name(slots[h]-1)) == string(b) {
				d.fail("%q is there twice", b[:min(len(b), 64)])
				return
			}
		}
		slots[h] = i + 1
	}
}

// streamID reads the sixteen bytes of an id.
func (d *decoder) streamID() (id keyspace.StreamID) {
	if b := d.take(16); b != nil {
		id.Ms, id.Seq = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	}
	return id
}
