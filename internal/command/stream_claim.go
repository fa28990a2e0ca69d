// Claiming: entries that are pending for one consumer become another's.
package command

import (
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// claiming is what XCLAIM or XAUTOCLAIM asks for.
type claiming struct {
	group, consumer []byte
	minIdle         int64
	at              int64 // when the entries count as delivered
	count           int64 // how often; negative: once more than before
	force, justID   bool
	gone            []streamID // pending entries that are no longer in the stream
}

// minIdle reads argument 4 of the two.
func (c *Ctx) minIdle(command string) (int64, error) {
	n, ok := parseInt(c.Args[4])
	if !ok {
		return 0, Refusal("ERR Invalid min-idle-time argument for " + command)
	}
	return max(n, 0), nil
}

func xclaim(c *Ctx) error {
	x, info, ok, err := c.groupOf()
	if err != nil || !ok {
		return noGroup(err, c.Args[1], c.Args[2], "")
	}
	o := claiming{group: c.Args[2], consumer: c.Args[3]}
	if o.minIdle, err = c.minIdle("XCLAIM"); err != nil {
		return err
	}
	options := 5
	for options < len(c.Args) {
		if _, err := c.streamID(options); err != nil {
			break
		}
		options++
	}
	last, err := c.claimOptions(&o, options)
	if err != nil {
		return err
	}
	g, _, err := c.group(x, info, o.group)
	if err != nil {
		return err
	}
	if g.Last.Less(last) {
		if _, err := x.SetGroup(o.group, last, g.Read); err != nil {
			return err
		}
	}
	ids, err := c.streamIDs(c.Args[5:options])
	if err != nil {
		return err
	}
	if err := c.attend(x, o.group, o.consumer, c.Args[1], false); err != nil {
		return err
	}
	mark := c.W.Len()
	c.told = 0
	for len(ids) > 0 {
		// An id that is named again finds what the first time left.
		n := 1
		for n < len(ids) && ids[n-1].Less(ids[n]) {
			n++
		}
		if c.stream.pending, err = x.PendingAt(o.group, ids[:n], c.stream.pending[:0]); err != nil {
			return err
		}
		if err := c.claim(x, &o, ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	c.W.Insert(mark, c.told, (*writer).Array)
	return nil
}

// claimOptions reads the options of XCLAIM, which begin at argument i, and returns what LASTID says.
func (c *Ctx) claimOptions(o *claiming, i int) (last streamID, err error) {
	o.at, o.count = -1, -1
	number := func(i int, option string) (int64, error) {
		n, ok := parseInt(c.Args[i])
		if !ok {
			return 0, Refusal("ERR Invalid " + option + " option argument for XCLAIM")
		}
		return n, nil
	}
	for ; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch {
		case c.is(i, "force"):
			o.force = true
		case c.is(i, "justid"):
			o.justID = true
		case more && c.is(i, "idle"):
			i++
			if o.at, err = number(i, "IDLE"); err == nil {
				o.at = c.Now - o.at
			}
		case more && c.is(i, "time"):
			i++
			o.at, err = number(i, "TIME")
		case more && c.is(i, "retrycount"):
			i++
			o.count, err = number(i, "RETRYCOUNT")
		case more && c.is(i, "lastid"):
			i++
			last, err = c.streamID(i)
		default:
			err = Refusal("ERR Unrecognized XCLAIM option '" + string(c.Args[i]) + "'")
		}
		if err != nil {
			return last, err
		}
	}
	if o.at < 0 || o.at > c.Now { // the client's clock may go wrong
		o.at = c.Now
	}
	return last, nil
}

// claim gives the consumer those of the ids that may be claimed, replies with them and counts them in told. What is pending
// of each id stands in the scratch. Those that the stream no longer has stop being pending.
func (c *Ctx) claim(x keyspace.StreamKey, o *claiming, ids []streamID) error {
	s := &c.stream
	claimed := s.pending[:0] // no longer than what has been looked at
	gone := len(o.gone)
	err := x.Get(ids, func(i int, fields [][]byte) {
		p := s.pending[i]
		pending := p.Consumer != nil
		switch {
		case fields == nil:
			if pending {
				o.gone = append(o.gone, p.ID)
			}
			return
		case !pending && !o.force, pending && o.minIdle > 0 && c.Now-p.At < o.minIdle:
			return
		case !pending:
			p.Count = 1
		}
		p.At = o.at
		if o.count >= 0 {
			p.Count = o.count
		} else if !o.justID {
			p.Count++
		}
		if o.justID {
			c.writeID(p.ID)
		} else {
			c.writeEntry(p.ID, fields, false)
		}
		claimed = append(claimed, p)
	})
	if err != nil {
		return err
	}
	if c.bools, err = x.Acknowledge(o.group, o.gone[gone:], c.bools[:0]); err != nil || len(claimed) == 0 {
		return err
	}
	c.told += len(claimed)
	if err := x.Assign(o.group, o.consumer, claimed); err != nil {
		return err
	}
	_, err = x.SetConsumer(o.group, o.consumer, c.Now, c.Now)
	return err
}

func xautoClaim(c *Ctx) error {
	o := claiming{group: c.Args[2], consumer: c.Args[3], at: c.Now, count: -1}
	var err error
	if o.minIdle, err = c.minIdle("XAUTOCLAIM"); err != nil {
		return err
	}
	start, err := c.startID(5)
	if err != nil {
		return err
	}
	const scanned = 10 // pending entries that are looked at for each that may be claimed
	count := int64(100)
	for i := 6; i < len(c.Args); i++ {
		switch {
		case c.is(i, "count") && i+1 < len(c.Args):
			i++
			var ok bool
			if count, ok = parseInt(c.Args[i]); !ok || count < 1 || count > math.MaxInt64/16 {
				return Refusal("ERR COUNT must be > 0")
			}
		case c.is(i, "justid"):
			o.justID = true
		default:
			return ErrSyntax
		}
	}
	x, _, ok, err := c.groupOf()
	if err != nil || !ok {
		return noGroup(err, c.Args[1], c.Args[2], "")
	}
	if err := c.attend(x, o.group, o.consumer, c.Args[1], false); err != nil {
		return err
	}
	c.W.Array(3)
	mark := c.W.Len()
	c.told = 0
	next, more := start, true
	for left := count * scanned; more && left > 0; {
		room := count - int64(c.told+len(o.gone))
		if room == 0 {
			break
		}
		if err := c.nextPending(x, &o, next, min(room, left, 256)); err != nil {
			return err
		}
		n := len(c.stream.pending)
		if more = n > 0; !more {
			break
		}
		left -= int64(n)
		next, more = c.stream.pending[n-1].ID.Next()
		if err := c.claim(x, &o, c.stream.ids); err != nil {
			return err
		}
	}
	c.W.Insert(mark, c.told, (*writer).Array)
	cursor := streamID{}
	if more {
		if err := c.nextPending(x, &o, next, 1); err != nil {
			return err
		}
		if len(c.stream.ids) > 0 {
			cursor = c.stream.ids[0]
		}
	}
	c.W.Insert(mark, 0, func(*writer, int) { c.writeID(cursor) })
	c.W.Array(len(o.gone))
	for _, id := range o.gone {
		c.writeID(id)
	}
	return nil
}

// nextPending puts up to n pending entries of the group from an id on into the scratch.
func (c *Ctx) nextPending(x keyspace.StreamKey, o *claiming, from streamID, n int64) error {
	s := &c.stream
	s.span = keyspace.PendingRange{From: from, To: keyspace.LastStreamID}
	s.pending, s.ids = s.pending[:0], s.ids[:0]
	return x.Pending(o.group, &s.span, func(p *keyspace.Pending) bool {
		s.pending = append(s.pending, *p)
		s.ids = append(s.ids, p.ID)
		n--
		return n > 0
	})
}
