// Reading streams: XREAD, which gives what is behind an id, and XREADGROUP, which gives each entry to one consumer.
package command

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// reading is what XREAD or XREADGROUP asks for.
type reading struct {
	group, consumer []byte // nil: XREAD
	keys, ids       [][]byte
	count           int // of entries from each stream; negative: all
	waits           bool
	timeout         time.Duration
	noAck           bool
	claim           int64 // take what is pending for so many milliseconds, too; negative: no
}

func xread(c *Ctx) error { return c.read(false) }

func xreadGroup(c *Ctx) error { return c.read(true) }

func (c *Ctx) read(grouped bool) error {
	r, err := c.reading(grouped)
	if err != nil {
		return err
	}
	from, err := c.readFrom(&r)
	if err != nil {
		return err
	}
	mark, served := c.W.Len(), 0
	for i := range r.keys {
		ok, err := c.readOne(&r, r.keys[i], from[i])
		if err != nil {
			return err
		}
		if ok {
			served++
		}
	}
	switch {
	case served > 0 && c.W.RESP3():
		c.W.Insert(mark, served, (*writer).Map)
	case served > 0:
		c.W.Insert(mark, served, (*writer).Array)
	case r.waits:
		return c.wait(awaited{keys: r.keys, timeout: r.timeout, gone: grouped, state: slices.Clone(from)})
	default:
		c.W.NullArray()
	}
	return nil
}

// reading reads the arguments.
func (c *Ctx) reading(grouped bool) (r reading, err error) {
	r.count, r.claim = -1, -1
	for i := 1; i < len(c.Args); i++ {
		more := len(c.Args) - 1 - i
		switch {
		case more > 0 && c.is(i, "block"):
			i++
			r.waits = true
			if c.inScript {
				return r, Refusal("ERR " + clip(c.Args[0]) + " command is not allowed with BLOCK option from scripts")
			}
			r.timeout, err = c.milliseconds(i)
		case more > 0 && c.is(i, "count"):
			i++
			var n int64
			if n, err = c.integer(i); n > 0 {
				r.count = int(n)
			} else {
				r.count = -1
			}
		case more > 0 && c.is(i, "streams"):
			return r, c.readStreams(&r, grouped, c.Args[i+1:])
		case more > 1 && c.is(i, "group"):
			if !grouped {
				return r, Refusal("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
			}
			r.group, r.consumer = c.Args[i+1], c.Args[i+2]
			i += 2
		case c.is(i, "noack"):
			if !grouped {
				return r, Refusal("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
			}
			r.noAck = true
		case more > 0 && grouped && c.is(i, "claim"):
			i++
			r.claim, err = c.integer(i)
			if err != nil {
				err = Refusal("ERR min-idle-time is not an integer")
			} else if r.claim < 0 {
				err = Refusal("ERR min-idle-time must be a positive integer")
			}
		default:
			err = ErrSyntax
		}
		if err != nil {
			return r, err
		}
	}
	return r, ErrSyntax
}

// readStreams splits what follows STREAMS into keys and ids.
func (c *Ctx) readStreams(r *reading, grouped bool, words [][]byte) error {
	symbol := "$"
	if grouped {
		symbol = ">"
	}
	n := len(words) / 2
	switch {
	case len(words)%2 != 0:
		return Refusal("ERR Unbalanced '" + c.Row.Name + "' list of streams: for each stream key an ID or '" + symbol + "' must be specified.")
	case grouped && r.group == nil:
		return Refusal("ERR Missing GROUP option for XREADGROUP")
	}
	r.keys, r.ids = words[:n], words[n:]
	return nil
}

// readFrom tells behind which ids to read; keyspace.LastStreamID stands for new entries of a group. What "$" means is found
// out once: a call that waits has it from its first run.
func (c *Ctx) readFrom(r *reading) ([]streamID, error) {
	was, _ := c.awaits.state.([]streamID)
	from := c.stream.from[:0]
	for i, key := range r.keys {
		x, info, err := c.readable(r, key)
		switch {
		case r.group != nil && errors.Is(err, keyspace.ErrWrongType):
			return nil, c.goneFrom(key, err)
		case err != nil:
			return nil, err
		case r.group != nil:
			if _, ok, err := c.group(x, info, r.group); err != nil {
				return nil, err
			} else if !ok {
				return nil, c.goneFrom(key, noGroup(nil, key, r.group, " in XREADGROUP with GROUP option"))
			}
		}
		id := info.Last
		switch word := r.ids[i]; {
		case string(word) == "$" && r.group != nil:
			return nil, Refusal("ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by " +
				"specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.")
		case string(word) == ">" && r.group == nil:
			return nil, Refusal("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
		case string(word) == ">":
			id = keyspace.LastStreamID
		case was != nil:
			id = was[i]
		case string(word) != "$":
			var auto bool
			if id, auto, err = parseStreamID(word, 0); err != nil || auto {
				return nil, errStreamID
			}
		}
		from = append(from, id)
	}
	c.stream.from = from
	return from, nil
}

// readable opens a stream. One that XREAD waits for may have become something else: that is as good as missing.
func (c *Ctx) readable(r *reading, key []byte) (x keyspace.StreamKey, info keyspace.StreamInfo, err error) {
	x, err = c.Tx.Stream(key)
	if c.awaits.again && r.group == nil && errors.Is(err, keyspace.ErrWrongType) {
		return nil, info, nil
	}
	if err == nil {
		info, _, err = x.Info()
	}
	return x, info, err
}

// readOne replies with what one stream has behind an id; ok is false if that is nothing, and then there is no reply.
func (c *Ctx) readOne(r *reading, key []byte, from streamID) (ok bool, err error) {
	x, info, err := c.readable(r, key)
	if err != nil || x == nil {
		return false, err
	}
	mark := c.W.Len()
	if !c.W.RESP3() {
		c.W.Array(2)
	}
	c.W.Bulk(key)
	switch {
	case r.group == nil:
		var n int
		if next, more := from.Next(); more {
			n, err = c.tellEntries(x, next, keyspace.LastStreamID, false, r.count)
		}
		ok = n > 0
	case from != keyspace.LastStreamID:
		if err = c.attend(x, r.group, r.consumer, key, false); err == nil {
			ok, err = true, c.readHistory(r, x, from)
		}
	default:
		ok, err = c.deliver(r, x, info, key)
	}
	if !ok {
		c.W.Truncate(mark)
	}
	return ok, err
}

// readHistory replies with entries that are pending for the consumer, behind an id, and delivers them again.
func (c *Ctx) readHistory(r *reading, x keyspace.StreamKey, from streamID) error {
	s := &c.stream
	s.pending, s.ids = s.pending[:0], s.ids[:0]
	next, _ := from.Next()
	s.span = keyspace.PendingRange{From: next, To: keyspace.LastStreamID, Consumer: r.consumer}
	left := r.count
	err := x.Pending(r.group, &s.span, func(p *keyspace.Pending) bool {
		s.pending = append(s.pending, keyspace.Pending{ID: p.ID, At: p.At, Count: p.Count})
		s.ids = append(s.ids, p.ID)
		left--
		return left != 0
	})
	if err != nil {
		return err
	}
	c.W.Array(len(s.ids))
	again := s.pending[:0]
	err = x.Get(s.ids, func(i int, fields [][]byte) {
		if fields == nil { // deleted since
			c.W.Array(2)
			c.writeID(s.ids[i])
			c.W.NullArray()
			return
		}
		c.writeEntry(s.ids[i], fields, false)
		again = append(again, keyspace.Pending{ID: s.ids[i], At: c.Now, Count: s.pending[i].Count + 1})
	})
	if err != nil {
		return err
	}
	return x.Assign(r.group, r.consumer, again)
}

// deliver replies with entries that the group has not delivered yet, and makes them pending for the consumer.
func (c *Ctx) deliver(r *reading, x keyspace.StreamKey, info keyspace.StreamInfo, key []byte) (ok bool, err error) {
	s := &c.stream
	g, _, err := x.Group(r.group)
	if err != nil {
		return false, err
	}
	mark, count, claimed := c.W.Len(), r.count, 0
	s.pending = s.pending[:0]
	if r.claim >= 0 {
		if claimed, err = c.claimIdle(r, x); err != nil {
			return false, err
		}
		if count > 0 {
			count -= claimed
		}
	}
	c.told = 0
	if next, more := g.Last.Next(); more && count != 0 {
		s.note, s.counts, s.left = true, r.claim >= 0, count
		err = x.Range(next, keyspace.LastStreamID, false, s.tell)
		s.note, s.counts = false, false
		if err != nil {
			return false, err
		}
	}
	c.W.Insert(mark, claimed+c.told, (*writer).Array)
	assigned := s.pending
	if r.noAck {
		assigned = assigned[:claimed]
	}
	if ok = claimed+c.told > 0; !ok && c.awaits.again {
		return false, nil // a run that found nothing again writes nothing
	}
	if err := c.attend(x, r.group, r.consumer, key, len(assigned) > 0); err != nil || !ok {
		return false, err
	}
	if c.told > 0 {
		for i := range s.pending[claimed:] {
			g.Last = s.pending[claimed+i].ID
			g.Read = readWith(&info, g.Read, g.Last)
		}
		if _, err := x.SetGroup(r.group, g.Last, g.Read); err != nil {
			return false, err
		}
	}
	return true, x.Assign(r.group, r.consumer, assigned)
}

// claimIdle replies with entries that have been pending for long, the longest first, and notes them as delivered again.
func (c *Ctx) claimIdle(r *reading, x keyspace.StreamKey) (n int, err error) {
	s := &c.stream
	s.span = keyspace.PendingRange{To: keyspace.LastStreamID, Until: max(c.Now-r.claim, 1)}
	var idle []keyspace.Pending
	err = x.Pending(r.group, &s.span, func(p *keyspace.Pending) bool {
		idle = append(idle, keyspace.Pending{ID: p.ID, At: p.At, Count: p.Count})
		return true
	})
	if err != nil {
		return 0, err
	}
	slices.SortStableFunc(idle, func(a, b keyspace.Pending) int { return cmp.Compare(a.At, b.At) })
	s.ids = s.ids[:0]
	for _, p := range idle {
		s.ids = append(s.ids, p.ID)
	}
	for from := 0; from < len(idle) && n != r.count; {
		to := len(idle)
		if r.count > 0 {
			to = min(to, from+r.count-n)
		}
		err := x.Get(s.ids[from:to], func(i int, fields [][]byte) {
			if fields == nil {
				return
			}
			p := idle[from+i]
			c.writeEntry(p.ID, fields, true)
			c.W.Int(c.Now - p.At)
			c.W.Int(p.Count)
			s.pending = append(s.pending, keyspace.Pending{ID: p.ID, At: c.Now, Count: p.Count + 1})
			n++
		})
		if err != nil {
			return n, err
		}
		from = to
	}
	return n, nil
}

// attend notes that a consumer asked, and that it got something where active is set. A new one is created.
func (c *Ctx) attend(x keyspace.StreamKey, group, consumer, key []byte, active bool) error {
	at := keyspace.NeverActive
	if active {
		at = c.Now
	}
	created, err := x.SetConsumer(group, consumer, c.Now, at)
	if created {
		if c.eff.on {
			c.eff.attended = append(c.eff.attended, bytes.Clone(key))
		}
		c.Event(EventStream, "xgroup-createconsumer", key)
	}
	return err
}

// readWith is how many entries a group has read that had read so many and is given the entry id next.
func readWith(info *keyspace.StreamInfo, read int64, id streamID) int64 {
	switch {
	case read != keyspace.NotRead && !deletedBehind(info, id):
		return read + 1
	case info.Added > 0:
		return info.AddedUpTo(id)
	}
	return read
}

// deletedBehind reports whether an entry from id on may have been deleted.
func deletedBehind(info *keyspace.StreamInfo, id streamID) bool {
	return info.Len > 0 && info.MaxDeleted != streamID{} && !info.MaxDeleted.Less(info.First) && !info.MaxDeleted.Less(id)
}
