// Deleting entries with regard to the groups that have them pending: XDELEX and XACKDEL.
package command

import (
	"github.com/redbud-go/redbud/internal/keyspace"
)

// references says what becomes of an entry's pending entries when it is to be deleted.
type references uint8

const (
	keepReferences   references = iota // they stay
	deleteReferences                   // they go
	awaitReferences                    // the entry stays until there are none and every group has read it
)

// What XDELEX and XACKDEL reply for each id.
const (
	deletedNone    = -1 // there is none
	deletedEntry   = 1
	deletedPending = 2 // kept, since some group is not done with it
)

// deletion reads the options of XDELEX and XACKDEL from argument i on.
func (c *Ctx) deletion(i int) (refs references, ids []streamID, err error) {
	var words [][]byte
	for ; i < len(c.Args); i++ {
		switch {
		case c.is(i, "keepref"):
			refs = keepReferences
		case c.is(i, "delref"):
			refs = deleteReferences
		case c.is(i, "acked"):
			refs = awaitReferences
		case c.is(i, "ids") && words == nil && i+1 < len(c.Args):
			n, ok := parseInt(c.Args[i+1])
			if !ok || n < 1 {
				return refs, nil, Refusal("ERR Number of IDs must be a positive integer")
			}
			i += 2
			if n > int64(len(c.Args)-i) {
				return refs, nil, Refusal("ERR The `numids` parameter must match the number of arguments")
			}
			words = c.Args[i : i+int(n)]
			i += int(n) - 1
		default:
			return refs, nil, ErrSyntax
		}
	}
	if words == nil {
		return refs, nil, ErrSyntax
	}
	ids, err = c.streamIDs(words)
	return refs, ids, err
}

func xdelEx(c *Ctx) error {
	refs, ids, err := c.deletion(2)
	if err != nil {
		return err
	}
	x, info, _, err := c.streamOf(1)
	if err != nil {
		return err
	}
	results := make([]int64, len(ids))
	if err := c.deleteEntries(x, info, refs, ids, results); err != nil {
		return err
	}
	c.writeInts(results)
	return nil
}

func xackDel(c *Ctx) error {
	refs, ids, err := c.deletion(3)
	if err != nil {
		return err
	}
	x, info, ok, err := c.groupOf()
	if err != nil {
		return err
	}
	results := make([]int64, len(ids))
	c.bools = c.bools[:0]
	if ok {
		if c.bools, err = x.Acknowledge(c.Args[2], ids, c.bools); err != nil {
			return err
		}
	}
	var acked []streamID
	for i := range ids {
		results[i] = deletedNone
		if ok && c.bools[i] {
			results[i] = deletedEntry
			acked = append(acked, ids[i])
		}
	}
	deleted := make([]int64, len(acked))
	if err := c.deleteEntries(x, info, refs, acked, deleted); err != nil {
		return err
	}
	for i := range results {
		if results[i] == deletedNone {
			continue
		}
		if deleted[0] == deletedPending { // an entry that was gone already counts as deleted
			results[i] = deletedPending
		}
		deleted = deleted[1:]
	}
	c.writeInts(results)
	return nil
}

func (c *Ctx) writeInts(all []int64) {
	c.W.Array(len(all))
	for _, n := range all {
		c.W.Int(n)
	}
}

// deleteEntries deletes entries, as far as their references allow, and stores for each what came of it.
func (c *Ctx) deleteEntries(x keyspace.StreamKey, info keyspace.StreamInfo, refs references, ids []streamID, results []int64) (err error) {
	if len(ids) == 0 {
		return nil
	}
	if refs != keepReferences && info.Groups > 0 {
		if err := c.dereference(x, refs, ids, results); err != nil {
			return err
		}
	}
	var free []streamID
	for i, id := range ids {
		if results[i] != deletedPending {
			free = append(free, id)
		}
	}
	if c.bools, err = x.Delete(free, c.bools[:0]); err != nil {
		return err
	}
	gone := c.bools
	for i := range ids {
		if results[i] == deletedPending {
			continue
		}
		results[i] = deletedNone
		if gone[0] {
			results[i] = deletedEntry
		}
		gone = gone[1:]
	}
	if countTrue(c.bools) > 0 {
		c.Event(EventStream, "xdel", c.Args[1])
	}
	return nil
}

// dereference removes the pending entries of ids from all groups, or notes which ids are not yet done with.
func (c *Ctx) dereference(x keyspace.StreamKey, refs references, ids []streamID, results []int64) (err error) {
	var names [][]byte
	var own copies
	var least streamID // what every group was delivered
	err = x.Groups(func(g *keyspace.StreamGroup) {
		if len(names) == 0 || g.Last.Less(least) {
			least = g.Last
		}
		names = append(names, own.of(g.Name))
	})
	if err != nil {
		return err
	}
	if refs == deleteReferences {
		for _, name := range names {
			if c.bools, err = x.Acknowledge(name, ids, c.bools[:0]); err != nil {
				return err
			}
		}
		return nil
	}
	needed := make([]bool, len(ids))
	for i, id := range ids {
		needed[i] = least.Less(id)
	}
	s := &c.stream
	for _, name := range names {
		if s.pending, err = x.PendingAt(name, ids, s.pending[:0]); err != nil {
			return err
		}
		for i := range ids {
			needed[i] = needed[i] || s.pending[i].Consumer != nil
		}
	}
	return x.Get(ids, func(i int, fields [][]byte) {
		if needed[i] && fields != nil {
			results[i] = deletedPending
		}
	})
}
