package keyspace

import (
	"cmp"
	"math"
	"strconv"
)

// StreamID names an entry of a stream and gives its place: by milliseconds, then by number. 0-0 names none.
type StreamID struct{ Ms, Seq uint64 }

// LastStreamID is greater than or equal to every id.
var LastStreamID = StreamID{math.MaxUint64, math.MaxUint64}

// Compare returns -1, 0 or 1 as a is before, at or behind b.
func (a StreamID) Compare(b StreamID) int {
	if a.Ms != b.Ms {
		return cmp.Compare(a.Ms, b.Ms)
	}
	return cmp.Compare(a.Seq, b.Seq)
}

// Less reports whether a is before b.
func (a StreamID) Less(b StreamID) bool { return a.Ms < b.Ms || a.Ms == b.Ms && a.Seq < b.Seq }

// Next returns the id behind a; ok is false if a is the last one.
func (a StreamID) Next() (id StreamID, ok bool) {
	a.Seq++
	if a.Seq == 0 {
		a.Ms++
	}
	return a, a != StreamID{}
}

// Prev returns the id before a; ok is false if a is 0-0.
func (a StreamID) Prev() (id StreamID, ok bool) {
	if a.Seq == 0 {
		a.Ms--
	}
	a.Seq--
	return a, a != LastStreamID
}

// AppendTo appends the id as it is written: "1526919030474-55".
func (a StreamID) AppendTo(dst []byte) []byte {
	dst = strconv.AppendUint(dst, a.Ms, 10)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, a.Seq, 10)
}

func (a StreamID) String() string { return string(a.AppendTo(nil)) }

// StreamInfo is what is known of a stream without looking at its entries.
type StreamInfo struct {
	Len        int
	First      StreamID // of the first entry; 0-0 if there is none
	Last       StreamID // the greatest id that was ever given
	MaxDeleted StreamID // the greatest id that was deleted, trimming aside
	Added      uint64   // entries ever added
	Groups     int
}

// AddedUpTo is how many entries were added up to id, or NotRead where that cannot be told.
func (i *StreamInfo) AddedUpTo(id StreamID) int64 {
	switch {
	case i.Added == 0:
		return 0
	case i.Len == 0 && !i.Last.Less(id), id == i.Last:
		return int64(i.Added)
	case i.Last.Less(id):
		return NotRead
	case i.MaxDeleted != StreamID{} && !i.MaxDeleted.Less(i.First):
		return NotRead
	case id.Less(i.First):
		return int64(i.Added) - int64(i.Len)
	case id == i.First:
		return int64(i.Added) - int64(i.Len) + 1
	}
	return NotRead
}

// RunLimit says when Append starts a new run of entries. Runs are what approximate trimming removes whole.
type RunLimit struct {
	Entries int // deleted ones count; 0: no limit
	Bytes   int // 0: no limit but the store's own
}

// StreamTrim says which entries Trim removes: from the first on, while there are more than MaxLen, or while they
// are before MinID.
type StreamTrim struct {
	ByID        bool
	MaxLen      int64
	MinID       StreamID
	Approximate bool  // only whole runs
	Limit       int64 // remove at most so many; 0: no limit
}

// NotRead is the count of entries read by a group for which nobody knows it.
const NotRead int64 = -1

// StreamGroup is a consumer group.
type StreamGroup struct {
	Name      []byte
	Last      StreamID // the last entry that was delivered
	Read      int64    // how many entries were delivered before and with it, or NotRead
	Pending   int
	Consumers int

	FirstPending, LastPending StreamID // 0-0 if there are none
}

// NeverActive is when a consumer was active that has never been.
const NeverActive int64 = -1

// StreamConsumer is a consumer of a group.
type StreamConsumer struct {
	Name    []byte
	Seen    int64 // milliseconds since 1970: when it last asked
	Active  int64 // and when it last got something, or NeverActive
	Pending int
}

// Pending is an entry that a group has delivered to a consumer and that is not acknowledged.
type Pending struct {
	ID       StreamID
	Consumer []byte
	At       int64 // milliseconds since 1970: when it was delivered last
	Count    int64 // how often it was delivered
}

// PendingRange selects pending entries of a group.
type PendingRange struct {
	From, To StreamID // both included
	Consumer []byte   // only this one's; nil: everybody's
	Until    int64    // only those delivered until then; 0: all
}

// StreamKey is the stream at a key: entries in the order of their ids, and groups of consumers that share them. A
// stream stays when it is empty. Consumers and pending entries are not what those who Watch a key or Wait for it are
// told of; entries, and a group that is deleted, are.
type StreamKey interface {
	// Info tells about the stream; ok is false if it is missing.
	Info() (i StreamInfo, ok bool, err error)
	// Layout tells in how many runs the entries are kept, and how many nodes a radix tree of those would have.
	Layout() (runs, nodes int, err error)
	// SetInfo sets the last id, the greatest deleted id and the count of added entries; a missing stream is created.
	SetInfo(last, maxDeleted StreamID, added uint64) error

	// Append adds an entry with fields, name and value in turn, at an id greater than Last.
	Append(id StreamID, fields [][]byte, run RunLimit) error
	// Range visits the entries from from to to, both included; backwards where reverse is set. f returns false to stop
	// early and must not write.
	Range(from, to StreamID, reverse bool, f func(id StreamID, fields [][]byte) bool) error
	// Get visits the index of each id, in turn, with the fields of its entry, nil for a missing one. f must not write.
	Get(ids []StreamID, f func(i int, fields [][]byte)) error
	// Delete removes entries and appends whether each was there. MaxDeleted follows.
	Delete(ids []StreamID, dst []bool) ([]bool, error)
	// Trim removes entries from the beginning. MaxDeleted stays.
	Trim(t *StreamTrim) (removed int, err error)

	// Groups visits the groups in the order of their names. f must not write.
	Groups(f func(g *StreamGroup)) error
	Group(name []byte) (g StreamGroup, ok bool, err error)
	// SetGroup sets what a group was last delivered and how many it has read. A missing group is created, and the
	// stream too.
	SetGroup(name []byte, last StreamID, read int64) (created bool, err error)
	// DeleteGroup removes a group with its consumers and pending entries; false if it is missing.
	DeleteGroup(name []byte) (bool, error)

	// The rest is about a group that exists.

	// Consumers visits the consumers in the order of their names. f must not write.
	Consumers(group []byte, f func(c *StreamConsumer)) error
	Consumer(group, name []byte) (c StreamConsumer, ok bool, err error)
	// SetConsumer sets when a consumer was seen, and when it was active unless that is NeverActive. A missing one is
	// created.
	SetConsumer(group, name []byte, seen, active int64) (created bool, err error)
	// DeleteConsumer removes a consumer with its pending entries and returns how many those were; ok is false if it is
	// missing.
	DeleteConsumer(group, name []byte) (pending int, ok bool, err error)

	// Pending visits pending entries in the order of their ids. f returns false to stop early and must not write.
	Pending(group []byte, r *PendingRange, f func(p *Pending) bool) error
	// PendingAt appends the pending entry of each id; one without a Consumer for an id that is not pending.
	PendingAt(group []byte, ids []StreamID, dst []Pending) ([]Pending, error)
	// Assign makes entries pending for a consumer, which exists; their own Consumer is ignored. Entries that are
	// pending already are its from now on.
	Assign(group, consumer []byte, entries []Pending) error
	// Acknowledge makes entries no longer pending and appends whether each was.
	Acknowledge(group []byte, ids []StreamID, dst []bool) ([]bool, error)
}
