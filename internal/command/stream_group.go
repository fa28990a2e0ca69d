// Groups of consumers: each entry of a stream goes to one of them, and is pending until that one acknowledges it.
package command

import (
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// group returns a group of a stream, which may be missing.
func (c *Ctx) group(x keyspace.StreamKey, info keyspace.StreamInfo, name []byte) (g keyspace.StreamGroup, ok bool, err error) {
	if info.Groups == 0 {
		return g, false, nil
	}
	return x.Group(name)
}

// groupOf returns the stream at argument 1 and its group at argument 2; ok is false if either is missing.
func (c *Ctx) groupOf() (x keyspace.StreamKey, info keyspace.StreamInfo, ok bool, err error) {
	x, info, _, err = c.streamOf(1)
	if err == nil {
		_, ok, err = c.group(x, info, c.Args[2])
	}
	return x, info, ok, err
}

// noGroup is the refusal for a key without the group, unless there is another error already.
func noGroup(err error, key, group []byte, where string) error {
	if err != nil {
		return err
	}
	return Refusal("NOGROUP No such key '" + string(key) + "' or consumer group '" + string(group) + "'" + where)
}

// noGroupFor is noGroup in the words of XGROUP and XINFO.
func noGroupFor(err error, key, group []byte) error {
	if err != nil {
		return err
	}
	return Refusal("NOGROUP No such consumer group '" + string(group) + "' for key name '" + string(key) + "'")
}

const errGroupKey = Refusal("ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM " +
	"option to create an empty stream automatically.")

// groupOptions reads what follows the id of XGROUP CREATE and SETID.
func (c *Ctx) groupOptions(creates bool) (make bool, read int64, err error) {
	read = keyspace.NotRead
	for i := 5; i < len(c.Args); i++ {
		switch {
		case creates && c.is(i, "mkstream"):
			make = true
		case c.is(i, "entriesread") && i+1 < len(c.Args):
			i++
			if read, err = c.integer(i); err != nil {
				return make, read, err
			}
			if read < 0 && read != keyspace.NotRead {
				return make, read, Refusal("ERR value for ENTRIESREAD must be positive or -1")
			}
		default:
			return make, read, c.wrongWords()
		}
	}
	return make, read, nil
}

func xgroupCreate(c *Ctx) error {
	key, name := c.Args[2], c.Args[3]
	mkStream, read, err := c.groupOptions(true)
	if err != nil {
		return err
	}
	x, info, ok, err := c.streamOf(2)
	switch {
	case err != nil:
		return err
	case !ok && !mkStream:
		return errGroupKey
	case len(c.Args) > 8:
		return c.wrongWords()
	}
	id := info.Last
	if string(c.Args[4]) != "$" {
		if id, err = c.streamID(4); err != nil {
			return err
		}
	}
	if _, taken, err := c.group(x, info, name); err != nil || taken {
		if err == nil {
			err = Refusal("BUSYGROUP Consumer Group name already exists")
		}
		return err
	}
	if _, err := x.SetGroup(name, id, read); err != nil {
		return err
	}
	c.Event(EventStream, "xgroup-create", key)
	c.W.OK()
	return nil
}

// existingGroup returns the stream at argument 2 and its group at argument 3, both of which must be there.
func (c *Ctx) existingGroup() (x keyspace.StreamKey, info keyspace.StreamInfo, err error) {
	x, info, ok, err := c.streamOf(2)
	switch {
	case err != nil:
		return nil, info, err
	case !ok:
		return nil, info, errGroupKey
	}
	if _, ok, err = c.group(x, info, c.Args[3]); err != nil || !ok {
		return nil, info, noGroupFor(err, c.Args[2], c.Args[3])
	}
	return x, info, nil
}

func xgroupSetID(c *Ctx) error {
	_, read, err := c.groupOptions(false)
	if err != nil {
		return err
	}
	x, info, err := c.existingGroup()
	switch {
	case err != nil:
		return err
	case len(c.Args) > 7:
		return c.wrongWords()
	}
	id := info.Last
	if string(c.Args[4]) != "$" {
		if id, err = laxStreamID(c.Args[4], 0); err != nil {
			return err
		}
	}
	if _, err := x.SetGroup(c.Args[3], id, read); err != nil {
		return err
	}
	c.Event(EventStream, "xgroup-setid", c.Args[2])
	c.W.OK()
	return nil
}

func xgroupDestroy(c *Ctx) error {
	x, _, ok, err := c.streamOf(2)
	switch {
	case err != nil:
		return err
	case !ok:
		return errGroupKey
	}
	if ok, err = x.DeleteGroup(c.Args[3]); err != nil {
		return err
	}
	if ok {
		c.Event(EventStream, "xgroup-destroy", c.Args[2])
	}
	c.bool1(ok)
	return nil
}

func xgroupCreateConsumer(c *Ctx) error {
	x, _, err := c.existingGroup()
	if err != nil {
		return err
	}
	_, ok, err := x.Consumer(c.Args[3], c.Args[4])
	if err == nil && !ok {
		err = c.attend(x, c.Args[3], c.Args[4], c.Args[2], false)
	}
	c.bool1(!ok)
	return err
}

func xgroupDelConsumer(c *Ctx) error {
	x, _, err := c.existingGroup()
	if err != nil {
		return err
	}
	n, ok, err := x.DeleteConsumer(c.Args[3], c.Args[4])
	if ok {
		c.Event(EventStream, "xgroup-delconsumer", c.Args[2])
	}
	return c.count(n, err)
}

func xgroupHelp(c *Ctx) error {
	c.help("XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"CREATE <key> <groupname> <id|$> [option]",
		"    Create a new consumer group. Options are:",
		"    * MKSTREAM",
		"      Create the empty stream if it does not exist.",
		"    * ENTRIESREAD entries_read",
		"      Set the group's entries_read counter (internal use).",
		"CREATECONSUMER <key> <groupname> <consumer>",
		"    Create a new consumer in the specified group.",
		"DELCONSUMER <key> <groupname> <consumer>",
		"    Remove the specified consumer.",
		"DESTROY <key> <groupname>",
		"    Remove the specified group.",
		"SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
		"    Set the current group ID and entries_read counter.")
	return nil
}

func xack(c *Ctx) error {
	x, _, ok, err := c.groupOf()
	if err != nil || !ok {
		return c.count(0, err)
	}
	ids, err := c.streamIDs(c.Args[3:])
	if err != nil {
		return err
	}
	c.bools, err = x.Acknowledge(c.Args[2], ids, c.bools[:0])
	return c.count(countTrue(c.bools), err)
}

func xpending(c *Ctx) error {
	n := len(c.Args)
	if n == 3 {
		return c.pendingSummary()
	}
	if n < 6 || n > 9 {
		return ErrSyntax
	}
	s, i := &c.stream, 3
	s.span = keyspace.PendingRange{}
	if c.is(3, "idle") {
		idle, err := c.integer(4)
		if err != nil {
			return err
		}
		if n < 8 {
			return ErrSyntax
		}
		i += 2
		if idle != 0 {
			s.span.Until = max(saturatedSub(c.Now, idle), 1)
		}
	}
	count, err := c.integer(i + 2)
	if err != nil {
		return err
	}
	if s.span.From, err = c.startID(i); err != nil {
		return err
	}
	if s.span.To, err = c.endID(i + 1); err != nil {
		return err
	}
	if i+3 < n {
		s.span.Consumer = c.Args[i+3]
	}
	x, _, ok, err := c.groupOf()
	if err != nil || !ok {
		return noGroup(err, c.Args[1], c.Args[2], "")
	}
	if count <= 0 {
		c.W.Array(0)
		return nil
	}
	mark, told := c.W.Len(), int64(0)
	err = x.Pending(c.Args[2], &s.span, func(p *keyspace.Pending) bool {
		c.W.Array(4)
		c.writeID(p.ID)
		c.W.Bulk(p.Consumer)
		c.W.Int(max(c.Now-p.At, 0))
		c.W.Int(p.Count)
		told++
		return told != count
	})
	c.W.Insert(mark, int(told), (*writer).Array)
	return err
}

// saturatedSub is a minus b, or the integer nearest to it.
func saturatedSub(a, b int64) int64 {
	switch d := a - b; {
	case b > 0 && d > a:
		return math.MinInt64
	case b < 0 && d < a:
		return math.MaxInt64
	default:
		return d
	}
}

// pendingSummary is XPENDING of a group alone.
func (c *Ctx) pendingSummary() error {
	x, info, _, err := c.streamOf(1)
	if err != nil {
		return err
	}
	name := c.Args[2]
	g, ok, err := c.group(x, info, name)
	if err != nil || !ok {
		return noGroup(err, c.Args[1], name, "")
	}
	c.W.Array(4)
	c.W.Int(int64(g.Pending))
	if g.Pending == 0 {
		c.W.Null()
		c.W.Null()
		c.W.NullArray()
		return nil
	}
	c.writeID(g.FirstPending)
	c.writeID(g.LastPending)
	mark, told := c.W.Len(), 0
	err = x.Consumers(name, func(o *keyspace.StreamConsumer) {
		if o.Pending > 0 {
			c.W.Array(2)
			c.W.Bulk(o.Name)
			c.W.BulkInt(int64(o.Pending))
			told++
		}
	})
	c.W.Insert(mark, told, (*writer).Array)
	return err
}
