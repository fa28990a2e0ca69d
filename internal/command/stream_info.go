// What XINFO tells of streams, groups and consumers.
package command

import (
	"github.com/redbud-go/redbud/internal/keyspace"
)

func xinfoHelp(c *Ctx) error {
	c.help("XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"CONSUMERS <key> <groupname>",
		"    Show consumers of <groupname>.",
		"GROUPS <key>",
		"    Show the stream consumer groups.",
		"STREAM <key> [FULL [COUNT <count>]",
		"    Show information about the stream.")
	return nil
}

// existingStream returns the stream at argument 2, which must be there.
func (c *Ctx) existingStream() (keyspace.StreamKey, keyspace.StreamInfo, error) {
	x, info, ok, err := c.streamOf(2)
	if err == nil && !ok {
		err = ErrNoKey
	}
	return x, info, err
}

func xinfoConsumers(c *Ctx) error {
	x, info, err := c.existingStream()
	if err != nil {
		return err
	}
	g, ok, err := c.group(x, info, c.Args[3])
	if err != nil || !ok {
		return noGroupFor(err, c.Args[2], c.Args[3])
	}
	c.W.Array(g.Consumers)
	return x.Consumers(c.Args[3], func(o *keyspace.StreamConsumer) {
		inactive := o.Active
		if inactive != keyspace.NeverActive {
			inactive = c.Now - o.Active
		}
		c.W.Map(4)
		c.W.BulkString("name")
		c.W.Bulk(o.Name)
		c.intField("pending", int64(o.Pending))
		c.intField("idle", max(c.Now-o.Seen, 0))
		c.intField("inactive", inactive)
	})
}

func xinfoGroups(c *Ctx) error {
	x, info, err := c.existingStream()
	if err != nil {
		return err
	}
	c.W.Array(info.Groups)
	return x.Groups(func(g *keyspace.StreamGroup) {
		c.W.Map(6)
		c.W.BulkString("name")
		c.W.Bulk(g.Name)
		c.intField("consumers", int64(g.Consumers))
		c.intField("pending", int64(g.Pending))
		c.idField("last-delivered-id", g.Last)
		c.readFields(&info, g)
	})
}

func (c *Ctx) intField(name string, n int64) {
	c.W.BulkString(name)
	c.W.Int(n)
}

func (c *Ctx) idField(name string, id streamID) {
	c.W.BulkString(name)
	c.writeID(id)
}

// readFields replies with how much a group has read and how much it has not.
func (c *Ctx) readFields(info *keyspace.StreamInfo, g *keyspace.StreamGroup) {
	field := func(name string, n int64, known bool) {
		c.W.BulkString(name)
		if known {
			c.W.Int(n)
		} else {
			c.W.Null()
		}
	}
	field("entries-read", g.Read, g.Read != keyspace.NotRead)
	read, known := int64(0), true
	switch {
	case info.Added == 0:
	case g.Read != keyspace.NotRead && !deletedBehind(info, g.Last):
		read = g.Read
	default:
		read = info.AddedUpTo(g.Last)
		known = read != keyspace.NotRead
	}
	field("lag", int64(info.Added)-read, known)
}

func xinfoStream(c *Ctx) error {
	x, info, err := c.existingStream()
	if err != nil {
		return err
	}
	n := len(c.Args)
	full := n > 3
	if full && (n != 4 && n != 6 || !c.is(3, "full") || n == 6 && !c.is(4, "count")) {
		return c.wrongWords()
	}
	count := int64(10)
	if n == 6 {
		if count, err = c.integer(5); err != nil {
			return err
		}
		if count < 0 {
			count = 10
		}
	}
	runs, nodes, err := x.Layout()
	if err != nil {
		return err
	}
	if full {
		c.W.Map(9)
	} else {
		c.W.Map(10)
	}
	c.intField("length", int64(info.Len))
	c.intField("radix-tree-keys", int64(runs))
	c.intField("radix-tree-nodes", int64(nodes))
	c.idField("last-generated-id", info.Last)
	c.idField("max-deleted-entry-id", info.MaxDeleted)
	c.intField("entries-added", int64(info.Added))
	c.idField("recorded-first-entry-id", info.First)
	if full {
		if count == 0 {
			count = -1
		}
		return c.fullStream(x, &info, int(count))
	}
	c.intField("groups", int64(info.Groups))
	if err := c.edgeEntry("first-entry", x, false); err != nil {
		return err
	}
	return c.edgeEntry("last-entry", x, true)
}

// edgeEntry replies with the first entry, or the last.
func (c *Ctx) edgeEntry(name string, x keyspace.StreamKey, last bool) error {
	c.W.BulkString(name)
	c.told, c.stream.left = 0, 1
	err := x.Range(streamID{}, keyspace.LastStreamID, last, c.stream.tell)
	if err == nil && c.told == 0 {
		c.W.Null()
	}
	return err
}

// fullStream replies with the entries and groups of XINFO STREAM FULL, up to count of each kind.
func (c *Ctx) fullStream(x keyspace.StreamKey, info *keyspace.StreamInfo, count int) error {
	c.W.BulkString("entries")
	if _, err := c.tellEntries(x, streamID{}, keyspace.LastStreamID, false, count); err != nil {
		return err
	}
	c.W.BulkString("groups")
	c.W.Array(info.Groups)
	var groups []keyspace.StreamGroup
	var own copies
	err := x.Groups(func(g *keyspace.StreamGroup) {
		groups = append(groups, *g)
		groups[len(groups)-1].Name = own.of(g.Name)
	})
	for i := 0; i < len(groups) && err == nil; i++ {
		err = c.fullGroup(x, info, &groups[i], count)
	}
	return err
}

func (c *Ctx) fullGroup(x keyspace.StreamKey, info *keyspace.StreamInfo, g *keyspace.StreamGroup, count int) error {
	c.W.Map(7)
	c.W.BulkString("name")
	c.W.Bulk(g.Name)
	c.idField("last-delivered-id", g.Last)
	c.readFields(info, g)
	c.intField("pel-count", int64(g.Pending))
	if err := c.fullPending(x, g.Name, nil, count); err != nil {
		return err
	}
	c.W.BulkString("consumers")
	c.W.Array(g.Consumers)
	var consumers []keyspace.StreamConsumer
	var own copies
	err := x.Consumers(g.Name, func(o *keyspace.StreamConsumer) {
		consumers = append(consumers, *o)
		consumers[len(consumers)-1].Name = own.of(o.Name)
	})
	for i := 0; i < len(consumers) && err == nil; i++ {
		o := &consumers[i]
		c.W.Map(5)
		c.W.BulkString("name")
		c.W.Bulk(o.Name)
		c.intField("seen-time", o.Seen)
		c.intField("active-time", o.Active)
		c.intField("pel-count", int64(o.Pending))
		err = c.fullPending(x, g.Name, o.Name, count)
	}
	return err
}

// fullPending replies with pending entries of a group, or of a consumer, whose name is then left out.
func (c *Ctx) fullPending(x keyspace.StreamKey, group, consumer []byte, count int) error {
	c.W.BulkString("pending")
	mark, told := c.W.Len(), 0
	s := &c.stream
	s.span = keyspace.PendingRange{To: keyspace.LastStreamID, Consumer: consumer}
	err := x.Pending(group, &s.span, func(p *keyspace.Pending) bool {
		if consumer == nil {
			c.W.Array(4)
			c.writeID(p.ID)
			c.W.Bulk(p.Consumer)
		} else {
			c.W.Array(3)
			c.writeID(p.ID)
		}
		c.W.Int(p.At)
		c.W.Int(p.Count)
		told++
		return told != count
	})
	c.W.Insert(mark, told, (*writer).Array)
	return err
}
