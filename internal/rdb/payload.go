package rdb

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

// Payload writes what DUMP gives: one of String, Begin, BeginExpiring and BeginStream, then the elements, then End. It is
// what Redis 5 reads, unless the value has something that Redis 5 would lose.
type Payload struct {
	Buf []byte // what is written goes behind what it holds

	from    int // where the payload begins
	version uint16
	count   int    // where the number of elements stands
	n       uint32 // which it is
	first   int64  // of BeginExpiring

	stream *streamWriter
}

func (p *Payload) begin(k kind, version uint16) {
	p.from, p.version, p.count = len(p.Buf), version, 0
	p.Buf = append(p.Buf, byte(k))
}

// reserve leaves room for a length that is not known yet.
func (p *Payload) reserve() (at int) {
	at = len(p.Buf)
	p.Buf = append(p.Buf, 0x80, 0, 0, 0, 0)
	return at
}

// settle writes a length where room was left for it.
func (p *Payload) settle(at int, n uint32) { binary.BigEndian.PutUint32(p.Buf[at+1:], n) }

// String writes a string.
func (p *Payload) String(value []byte) {
	p.begin(kindString, versionPlain)
	p.string(value)
}

// Begin starts a List, Set, SortedSet or Hash.
func (p *Payload) Begin(t keyspace.Type) {
	p.begin(map[keyspace.Type]kind{keyspace.List: kindList, keyspace.Set: kindSet, keyspace.SortedSet: kindSortedSet, keyspace.Hash: kindHash}[t], versionPlain)
	p.count, p.n = p.reserve(), 0
}

// BeginExpiring starts a hash whose fields expire, the first of them at a time.
func (p *Payload) BeginExpiring(first int64) {
	p.begin(kindHashExpiry, versionHashExpiry)
	p.Buf = binary.LittleEndian.AppendUint64(p.Buf, uint64(first))
	p.count, p.n, p.first = p.reserve(), 0, first
}

// Item adds an element of a list, or a member of a set.
func (p *Payload) Item(b []byte) {
	p.string(b)
	p.n++
}

// Member adds a member of a sorted set.
func (p *Payload) Member(member []byte, score float64) {
	p.Item(member)
	p.Buf = binary.LittleEndian.AppendUint64(p.Buf, math.Float64bits(score))
}

// Field adds a field of a hash.
func (p *Payload) Field(field, value []byte) {
	p.Item(field)
	p.string(value)
}

// ExpiringField adds a field after BeginExpiring, to expire at a time or keyspace.Never.
func (p *Payload) ExpiringField(field, value []byte, at int64) {
	if at != keyspace.Never {
		at -= p.first - 1
	}
	p.length(uint64(at))
	p.Field(field, value)
}

// End ends the payload.
func (p *Payload) End() {
	if p.stream != nil {
		p.endStream()
	}
	if p.count != 0 {
		p.settle(p.count, p.n)
	}
	p.Buf = binary.LittleEndian.AppendUint16(p.Buf, p.version)
	p.Buf = binary.LittleEndian.AppendUint64(p.Buf, sum(0, p.Buf[p.from:]))
}

func (p *Payload) length(n uint64) {
	switch {
	case n < 1<<6:
		p.Buf = append(p.Buf, byte(n))
	case n < 1<<14:
		p.Buf = append(p.Buf, byte(n>>8)|0x40, byte(n))
	case n <= math.MaxUint32:
		p.Buf = binary.BigEndian.AppendUint32(append(p.Buf, 0x80), uint32(n))
	default:
		p.Buf = binary.BigEndian.AppendUint64(append(p.Buf, 0x81), n)
	}
}

// string writes a string, as an integer where it spells one of up to 32 bits.
func (p *Payload) string(b []byte) {
	if len(b) <= 11 {
		if n, ok := resp.ParseInt(b); ok && n == int64(int32(n)) {
			p.integer(int32(n))
			return
		}
	}
	p.length(uint64(len(b)))
	p.Buf = append(p.Buf, b...)
}

func (p *Payload) integer(n int32) {
	const encoded = 0xc0
	switch {
	case n == int32(int8(n)):
		p.Buf = append(p.Buf, encoded+encodedInt8, byte(n))
	case n == int32(int16(n)):
		p.Buf = binary.LittleEndian.AppendUint16(append(p.Buf, encoded+encodedInt16), uint16(n))
	default:
		p.Buf = binary.LittleEndian.AppendUint32(append(p.Buf, encoded+encodedInt32), uint32(n))
	}
}

func (p *Payload) uint64(n int64) { p.Buf = binary.LittleEndian.AppendUint64(p.Buf, uint64(n)) }

// streamWriter is a stream that is being written.
type streamWriter struct {
	info   keyspace.StreamInfo
	groups []Group
	kind   kind

	// The run that is open, unless master is nil.
	id       keyspace.StreamID
	master   [][]byte // the names of the fields of its first entry
	length   int      // where its length stands; its listpack begins behind it
	entries  int
	elements int
}

// A run ends with so many entries or bytes, as by the default settings of Redis.
const (
	runEntries = 100
	runBytes   = 4096
)

// BeginStream starts a stream. All but the entries of it must be known.
func (p *Payload) BeginStream(info keyspace.StreamInfo, groups []Group) {
	s := &streamWriter{info: info, groups: groups, kind: kindStream}
	version := uint16(versionPlain)
	if !derived(&info, groups) {
		s.kind, version = kindStreamCounters, versionCounters
	}
	p.begin(s.kind, version)
	p.count, p.n, p.stream = p.reserve(), 0, s
}

// derived reports whether a reader comes to all counters of a stream by itself.
func derived(info *keyspace.StreamInfo, groups []Group) bool {
	if info.Added != uint64(info.Len) || info.MaxDeleted != (keyspace.StreamID{}) {
		return false
	}
	for i := range groups {
		if g := &groups[i]; g.Read != info.AddedUpTo(g.Last) {
			return false
		}
	}
	return true
}

// Entry adds an entry of a stream.
func (p *Payload) Entry(id keyspace.StreamID, fields [][]byte) {
	s := p.stream
	if s.master != nil && (s.entries >= runEntries || len(p.Buf)-s.length >= runBytes) {
		p.endRun()
	}
	if s.master == nil {
		p.beginRun(id, fields)
	}
	s.entries++
	same := len(fields) == 2*len(s.master)
	for i := 0; same && i < len(s.master); i++ {
		same = bytes.Equal(fields[2*i], s.master[i])
	}
	flags := 0
	if same {
		flags = entrySameFields
	}
	begin := s.elements
	p.number(int64(flags))
	p.number(int64(id.Ms - s.id.Ms))
	p.number(int64(id.Seq - s.id.Seq))
	if !same {
		p.number(int64(len(fields) / 2))
	}
	for i, f := range fields {
		if !same || i%2 == 1 {
			p.element(f)
		}
	}
	p.number(int64(s.elements - begin))
}

// beginRun starts a listpack with the fields of its first entry.
func (p *Payload) beginRun(id keyspace.StreamID, fields [][]byte) {
	s := p.stream
	p.n++
	p.length(16)
	p.Buf = binary.BigEndian.AppendUint64(p.Buf, id.Ms)
	p.Buf = binary.BigEndian.AppendUint64(p.Buf, id.Seq)
	s.length = p.reserve()
	p.Buf = append(p.Buf, 0, 0, 0, 0, 0, 0) // bytes and elements of the listpack
	p.Buf = append(p.Buf, 0xf1, 0, 0, 3)    // entries, an integer of 16 bits
	s.id, s.entries, s.elements = id, 0, 1
	p.number(0) // deleted entries
	p.number(int64(len(fields) / 2))
	s.master = make([][]byte, 0, len(fields)/2)
	for i := 0; i < len(fields); i += 2 {
		s.master = append(s.master, bytes.Clone(fields[i]))
		p.element(fields[i])
	}
	p.number(0)
}

func (p *Payload) endRun() {
	s := p.stream
	p.Buf = append(p.Buf, 0xff)
	list := p.Buf[s.length+5:]
	binary.LittleEndian.PutUint32(list, uint32(len(list)))
	binary.LittleEndian.PutUint16(list[4:], uint16(min(s.elements, manyElements)))
	binary.LittleEndian.PutUint16(list[7:], uint16(s.entries))
	p.settle(s.length, uint32(len(list)))
	s.master = nil
}

// endStream writes what follows the entries.
func (p *Payload) endStream() {
	s := p.stream
	if s.master != nil {
		p.endRun()
	}
	p.stream = nil
	p.length(uint64(s.info.Len))
	p.id(s.info.Last)
	if s.kind == kindStreamCounters {
		p.id(s.info.First)
		p.id(s.info.MaxDeleted)
		p.length(s.info.Added)
	}
	p.length(uint64(len(s.groups)))
	for i := range s.groups {
		p.group(&s.groups[i], s.kind)
	}
}

func (p *Payload) group(g *Group, k kind) {
	p.string(g.Name)
	p.id(g.Last)
	if k == kindStreamCounters {
		p.length(uint64(g.Read))
	}
	p.length(uint64(len(g.Pending)))
	for i := range g.Pending {
		e := &g.Pending[i]
		p.fullID(e.ID)
		p.uint64(e.At)
		p.length(uint64(e.Count))
	}
	own := map[string][]keyspace.StreamID{}
	for i := range g.Pending {
		e := &g.Pending[i]
		own[string(e.Consumer)] = append(own[string(e.Consumer)], e.ID)
	}
	p.length(uint64(len(g.Consumers)))
	for i := range g.Consumers {
		c := &g.Consumers[i]
		p.string(c.Name)
		p.uint64(c.Seen)
		ids := own[string(c.Name)]
		p.length(uint64(len(ids)))
		for _, id := range ids {
			p.fullID(id)
		}
	}
}

func (p *Payload) id(id keyspace.StreamID) {
	p.length(id.Ms)
	p.length(id.Seq)
}

func (p *Payload) fullID(id keyspace.StreamID) {
	p.Buf = binary.BigEndian.AppendUint64(p.Buf, id.Ms)
	p.Buf = binary.BigEndian.AppendUint64(p.Buf, id.Seq)
}

// element adds bytes to the listpack of a run, as an integer where they spell one.
func (p *Payload) element(b []byte) {
	if n, ok := resp.ParseInt(b); ok {
		p.number(n)
		return
	}
	from := len(p.Buf)
	switch n := len(b); {
	case n < 1<<6:
		p.Buf = append(p.Buf, 0x80|byte(n))
	case n < 1<<12:
		p.Buf = append(p.Buf, 0xe0|byte(n>>8), byte(n))
	default:
		p.Buf = binary.LittleEndian.AppendUint32(append(p.Buf, 0xf0), uint32(n))
	}
	p.Buf = append(p.Buf, b...)
	p.endElement(from)
}

// number adds an integer to the listpack of a run.
func (p *Payload) number(n int64) {
	from := len(p.Buf)
	switch {
	case 0 <= n && n < 1<<7:
		p.Buf = append(p.Buf, byte(n))
	case -1<<12 <= n && n < 1<<12:
		p.Buf = append(p.Buf, 0xc0|byte(n>>8)&0x1f, byte(n))
	case n == int64(int16(n)):
		p.Buf = append(p.Buf, 0xf1, byte(n), byte(n>>8))
	case n == n<<40>>40:
		p.Buf = append(p.Buf, 0xf2, byte(n), byte(n>>8), byte(n>>16))
	case n == int64(int32(n)):
		p.Buf = binary.LittleEndian.AppendUint32(append(p.Buf, 0xf3), uint32(n))
	default:
		p.Buf = binary.LittleEndian.AppendUint64(append(p.Buf, 0xf4), uint64(n))
	}
	p.endElement(from)
}

func (p *Payload) endElement(from int) {
	p.Buf = appendBackLength(p.Buf, uint64(len(p.Buf)-from))
	p.stream.elements++
}
