package rdb

import (
	"encoding/binary"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// The flags of an entry in a run.
const (
	entryDeleted    = 1
	entrySameFields = 2 // as the entry that the run begins with
)

// stream reads a stream: runs of entries, what is known of them, groups.
func (d *decoder) stream(k kind) *Stream {
	s := &Stream{}
	var fields [][]byte
	for n := d.length(); n > 0 && d.err == nil; n-- {
		fields = d.run(s, fields)
	}
	i := &s.Info
	i.Len = len(s.Entries)
	if n := d.length(); n != uint64(i.Len) {
		d.fail("a stream of %d entries has %d", n, i.Len)
	}
	id := func() keyspace.StreamID { return keyspace.StreamID{Ms: d.length(), Seq: d.length()} }
	i.Last, i.Added = id(), uint64(i.Len)
	if k != kindStream {
		id() // of the first entry, which we have
		i.MaxDeleted, i.Added = id(), d.length()
	}
	var last keyspace.StreamID
	if i.Len > 0 {
		i.First, last = s.Entries[0].ID, s.Entries[i.Len-1].ID
	}
	if i.Last.Less(last) || i.Last.Less(i.MaxDeleted) || i.Added < uint64(i.Len) || i.Added > 1<<63-1 {
		d.fail("a stream has entries that were never added")
	}
	n := d.length()
	for ; n > 0 && d.err == nil; n-- {
		s.Groups = append(s.Groups, d.group(i, k))
	}
	i.Groups = len(s.Groups)
	d.distinct(len(s.Groups), func(i int) []byte { return s.Groups[i].Name })
	return s
}

// run reads a listpack of entries. It begins with how many there are, how many are deleted, and the fields of the first; the
// ids of entries count from the one before the listpack.
func (d *decoder) run(s *Stream, fields [][]byte) [][]byte {
	key := d.string()
	if len(key) != 16 {
		d.fail("a run of a stream begins with no id")
		return fields
	}
	first := keyspace.StreamID{Ms: binary.BigEndian.Uint64(key), Seq: binary.BigEndian.Uint64(key[8:])}
	l := d.openListpack(d.string())
	count, deleted := d.number(&l), d.number(&l)
	from := len(fields)
	for n := d.number(&l); n > 0 && d.err == nil; n-- {
		fields = append(fields, d.text(d.next(&l)))
	}
	master := fields[from:]
	if d.number(&l) != 0 {
		d.fail("the first entry of a run has no end")
	}
	for d.more(&l) {
		begin := l.taken
		flags := d.number(&l)
		id := keyspace.StreamID{Ms: first.Ms + uint64(d.number(&l)), Seq: first.Seq + uint64(d.number(&l))}
		from := len(fields)
		if flags&entrySameFields != 0 {
			for _, f := range master {
				if d.err != nil {
					break
				}
				fields = append(fields, f, d.text(d.next(&l)))
			}
		} else {
			for n := d.number(&l); n > 0 && d.err == nil; n-- {
				fields = append(fields, d.text(d.next(&l)), d.text(d.next(&l)))
			}
		}
		if size := int64(l.taken - begin); d.number(&l) != size {
			d.fail("an entry of a stream has a wrong length")
		}
		if flags&entryDeleted != 0 {
			deleted--
			fields = fields[:from]
			continue
		}
		count--
		if n := len(s.Entries); n > 0 && !s.Entries[n-1].ID.Less(id) || id == (keyspace.StreamID{}) {
			d.fail("the entries of a stream are out of order")
		}
		if len(fields) == from {
			d.fail("an entry of a stream is empty")
		}
		s.Entries = append(s.Entries, StreamEntry{id, fields[from:len(fields):len(fields)]})
	}
	if count != 0 || deleted != 0 {
		d.fail("a run of a stream has a wrong number of entries")
	}
	return fields
}

// number takes an element that is an integer.
func (d *decoder) number(l *listpack) int64 {
	e := d.next(l)
	n, ok := e.integer()
	if !ok {
		d.fail("a number in a stream is none")
	}
	return n
}

// group reads a group of consumers: first all its pending entries, then the consumers with the ids of theirs.
func (d *decoder) group(i *keyspace.StreamInfo, k kind) (g Group) {
	g.Name = d.string()
	g.Last = keyspace.StreamID{Ms: d.length(), Seq: d.length()}
	if k == kindStream {
		g.Read = i.AddedUpTo(g.Last)
	} else if g.Read = int64(d.length()); g.Read < keyspace.NotRead {
		d.fail("a group has read less than nothing")
	}
	for n := d.length(); n > 0 && d.err == nil; n-- {
		p := keyspace.Pending{ID: d.streamID(), At: int64(d.uint64()), Count: int64(d.length())}
		if len(g.Pending) > 0 && !g.Pending[len(g.Pending)-1].ID.Less(p.ID) {
			d.fail("the pending entries of a group are out of order")
		}
		g.Pending = append(g.Pending, p)
	}
	taken := 0
	for n := d.length(); n > 0 && d.err == nil; n-- {
		c := keyspace.StreamConsumer{Name: d.string(), Seen: int64(d.uint64())}
		c.Active = c.Seen
		if k == kindStreamActive {
			c.Active = int64(d.uint64())
		}
		own := d.length()
		for ; own > 0 && d.err == nil; own-- {
			id := d.streamID()
			at, ok := slices.BinarySearchFunc(g.Pending, id, func(p keyspace.Pending, id keyspace.StreamID) int { return p.ID.Compare(id) })
			if !ok || g.Pending[at].Consumer != nil {
				d.fail("an entry is pending for two consumers, or not in its group")
				break
			}
			g.Pending[at].Consumer = c.Name
			c.Pending++
			taken++
		}
		g.Consumers = append(g.Consumers, c)
	}
	if taken != len(g.Pending) {
		d.fail("an entry is pending for nobody")
	}
	d.distinct(len(g.Consumers), func(i int) []byte { return g.Consumers[i].Name })
	return g
}
