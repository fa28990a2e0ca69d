package memstore

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

// streamRun is a run of neighbouring entries of a stream in one piece of memory: the names of the fields of its first
// entry, then the entries, those that have the same fields without names. Ids are kept as differences to that of the
// first.
//
//	names:  count, then each name behind its length
//	entry:  1 byte of flags, length of the rest, difference of the milliseconds, difference of the number
//	        entrySame: the values, each behind its length
//	        otherwise: count of pairs, then names and values
type streamRun struct {
	first, last keyspace.StreamID // of all that were ever in it; first is what the ids differ from
	buf         []byte
	start       int // offset of the first entry
	live        int // offset of the first entry that is not deleted
	n           int // entries that are not deleted
	deleted     int // entries that are
	waste       int // bytes of those that still take room
	size        int // what Redis would need for it, which decides how much goes into a run
}

const (
	entryDeleted = 1 << iota
	entrySame
)

// runEntry is an entry of a run: the body, behind the id, is from body to next.
type runEntry struct {
	flags     byte
	id        keyspace.StreamID
	off, body int
	next      int
}

// at reads the entry at an offset.
func (r *streamRun) at(off int) (e runEntry) {
	e.off, e.flags = off, r.buf[off]
	n, i := r.uint(off + 1)
	e.next = i + int(n)
	ms, i := r.uint(i)
	seq, i := r.uint(i)
	e.id = keyspace.StreamID{Ms: r.first.Ms + ms, Seq: r.first.Seq + (seq>>1 ^ -(seq & 1))}
	e.body = i
	return e
}

// uint reads a number and returns the offset behind it.
func (r *streamRun) uint(off int) (uint64, int) {
	if c := r.buf[off]; c < 0x80 {
		return uint64(c), off + 1
	}
	u, n := binary.Uvarint(r.buf[off:])
	return u, off + n
}

func (r *streamRun) text(off int) ([]byte, int) {
	n, off := r.uint(off)
	end := off + int(n)
	return r.buf[off:end:end], end
}

// fields appends the fields of an entry, name and value in turn.
func (r *streamRun) fields(e *runEntry, dst [][]byte) [][]byte {
	off, names := e.body, 0
	var pairs uint64
	if e.flags&entrySame != 0 {
		pairs, names = r.uint(0)
	} else {
		pairs, off = r.uint(off)
	}
	for range pairs {
		var name, value []byte
		if e.flags&entrySame != 0 {
			name, names = r.text(names)
		} else {
			name, off = r.text(off)
		}
		value, off = r.text(off)
		dst = append(dst, name, value)
	}
	return dst
}

// hasNames reports whether fields have the names of the run's first entry.
func (r *streamRun) hasNames(fields [][]byte) bool {
	pairs, off := r.uint(0)
	if pairs != uint64(len(fields)/2) {
		return false
	}
	for i := 0; i < len(fields); i += 2 {
		var name []byte
		if name, off = r.text(off); !bytes.Equal(name, fields[i]) {
			return false
		}
	}
	return true
}

// begin makes an empty run for entries from an id on that are like the fields.
func (r *streamRun) begin(id keyspace.StreamID, fields [][]byte) {
	r.first = id
	r.buf = binary.AppendUvarint(r.buf[:0], uint64(len(fields)/2))
	r.size = listpackEmpty + 2*listpackInt(1) + listpackInt(int64(len(fields)/2)) + listpackInt(0)
	for i := 0; i < len(fields); i += 2 {
		r.buf = appendText(r.buf, fields[i])
		r.size += listpackText(fields[i])
	}
	r.start, r.live = len(r.buf), len(r.buf)
}

func appendText(dst, text []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// append adds an entry behind all others.
func (r *streamRun) append(id keyspace.StreamID, fields [][]byte) {
	var flags byte
	body, step := 0, 1
	if r.hasNames(fields) {
		flags, step = entrySame, 2
	} else {
		body = uvarintLen(uint64(len(fields) / 2))
		r.size += listpackInt(int64(len(fields) / 2))
	}
	for i := step - 1; i < len(fields); i += step {
		body += uvarintLen(uint64(len(fields[i]))) + len(fields[i])
		r.size += listpackText(fields[i])
	}
	ms, seq := id.Ms-r.first.Ms, id.Seq-r.first.Seq
	r.size += 2*listpackInt(int64(flags)) + listpackInt(int64(ms)) + listpackInt(int64(seq)) // flags and the count of elements
	seq = seq<<1 ^ uint64(int64(seq)>>63)
	r.buf = append(r.buf, flags)
	r.buf = binary.AppendUvarint(r.buf, uint64(body+uvarintLen(ms)+uvarintLen(seq)))
	r.buf = binary.AppendUvarint(r.buf, ms)
	r.buf = binary.AppendUvarint(r.buf, seq)
	if flags == 0 {
		r.buf = binary.AppendUvarint(r.buf, uint64(len(fields)/2))
	}
	for i := step - 1; i < len(fields); i += step {
		r.buf = appendText(r.buf, fields[i])
	}
	r.last = id
	r.n++
}

func uvarintLen(u uint64) int {
	n := 1
	for ; u >= 0x80; u >>= 7 {
		n++
	}
	return n
}

// full reports whether an entry with so many bytes of fields has to go into the next run.
func (r *streamRun) full(added int, limit keyspace.RunLimit) bool {
	most := limit.Bytes
	if most <= 0 || most > listpackMost {
		most = listpackMost
	}
	return r.size+added >= most || limit.Entries > 0 && r.n+r.deleted >= limit.Entries
}

// find returns the entry with an id; ok is false if it is missing or deleted.
func (r *streamRun) find(id keyspace.StreamID) (e runEntry, ok bool) {
	for off := r.live; off < len(r.buf); off = e.next {
		if e = r.at(off); !e.id.Less(id) {
			return e, e.id == id && e.flags&entryDeleted == 0
		}
	}
	return e, false
}

// delete marks an entry, which is not the only one left.
func (r *streamRun) delete(e *runEntry) {
	r.buf[e.off] |= entryDeleted
	r.n--
	r.deleted++
	r.waste += e.next - e.off
	if e.off == r.live {
		for r.live < len(r.buf) && r.buf[r.live]&entryDeleted != 0 {
			r.live = r.at(r.live).next
		}
	}
}

// tidy gives the room of deleted entries back once they are most of the run.
func (r *streamRun) tidy() {
	if r.waste <= len(r.buf)/2 || r.n == 0 {
		return
	}
	buf := append(make([]byte, 0, len(r.buf)-r.waste), r.buf[:r.start]...)
	for off := r.live; off < len(r.buf); {
		e := r.at(off)
		if e.flags&entryDeleted == 0 {
			buf = append(buf, r.buf[off:e.next]...)
		}
		off = e.next
	}
	r.buf, r.live, r.waste = buf, r.start, 0
}

// What a listpack takes, in which Redis keeps a run (https://github.com/antirez/listpack/blob/master/listpack.md).
const (
	listpackEmpty = 7
	listpackMost  = 1 << 30
)

// listpackInt is what an integer takes in a listpack.
func listpackInt(n int64) int {
	switch {
	case 0 <= n && n <= 127:
		return 2
	case -1<<12 <= n && n < 1<<12:
		return 3
	case math.MinInt16 <= n && n <= math.MaxInt16:
		return 4
	case -1<<23 <= n && n < 1<<23:
		return 5
	case math.MinInt32 <= n && n <= math.MaxInt32:
		return 6
	}
	return 10
}

// listpackText is what a string takes in a listpack.
func listpackText(b []byte) int {
	if n, ok := resp.ParseInt(b); ok {
		return listpackInt(n)
	}
	n := len(b)
	switch {
	case n < 1<<6:
		n++
	case n < 1<<12:
		n += 2
	default:
		n += 5
	}
	switch { // its length once more, for walking backwards
	case n < 1<<7:
		return n + 1
	case n < 1<<14-1:
		return n + 2
	case n < 1<<21-1:
		return n + 3
	case n < 1<<28-1:
		return n + 4
	}
	return n + 5
}
