// DUMP and RESTORE: a value as bytes that any Redis takes.
package command

import (
	"errors"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/rdb"
)

var dumpCommands = []*Command{
	{Name: "dump", Arity: 2, Flags: ReadOnly, Keys: oneKey, Group: "generic", Since: "2.6.0",
		Usage: "key", Doc: "Gives what a key holds as bytes for RESTORE.", Run: dump},
	{Name: "restore", Arity: -4, Flags: Write | DenyOOM | Dangerous, Keys: oneKey, Group: "generic", Since: "2.6.0",
		Usage: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
		Doc:   "Stores a value that DUMP gave.", Run: restore},
}

func dump(c *Ctx) error {
	key := c.Args[1]
	e, err := c.entry(key)
	if err != nil {
		return err
	}
	if e.Type == keyspace.None {
		c.W.Null()
		return nil
	}
	mark := c.W.Len()
	p := rdb.Payload{Buf: c.W.Buf}
	if err := c.dumpValue(&p, key, e.Type); err != nil {
		return err
	}
	p.End()
	c.W.Buf = append(p.Buf, '\r', '\n')
	c.W.Insert(mark, len(p.Buf)-mark, (*writer).BulkHead)
	return nil
}

// dumpValue writes what a key holds, save for the end.
func (c *Ctx) dumpValue(p *rdb.Payload, key []byte, t keyspace.Type) error {
	switch t {
	case keyspace.String:
		value, err := c.get(key)
		p.String(value)
		return err
	case keyspace.List:
		l, err := c.Tx.List(key)
		if err != nil {
			return err
		}
		p.Begin(t)
		return l.Range(0, -1, false, func(value []byte) bool {
			p.Item(value)
			return true
		})
	case keyspace.Set:
		s, err := c.Tx.Set(key)
		if err != nil {
			return err
		}
		p.Begin(t)
		return s.Each(p.Item)
	case keyspace.SortedSet:
		z, err := c.Tx.SortedSet(key)
		if err != nil {
			return err
		}
		p.Begin(t)
		return z.Range(&keyspace.Range{Stop: -1}, func(member []byte, score float64) bool {
			p.Member(member, score)
			return true
		})
	case keyspace.Hash:
		return c.dumpHash(p, key)
	}
	return c.dumpStream(p, key)
}

// dumpHash writes a hash, in a form that only Redis 7.4 and newer ones know where fields expire.
func (c *Ctx) dumpHash(p *rdb.Payload, key []byte) error {
	h, err := c.Tx.Hash(key)
	if err != nil {
		return err
	}
	first := keyspace.Never
	err = h.EachExpiry(func(_, _ []byte, at int64) {
		if at != keyspace.Never && (first == keyspace.Never || at < first) {
			first = at
		}
	})
	if err != nil {
		return err
	}
	if first == keyspace.Never {
		p.Begin(keyspace.Hash)
		return h.Each(p.Field)
	}
	p.BeginExpiring(first)
	return h.EachExpiry(p.ExpiringField)
}

func (c *Ctx) dumpStream(p *rdb.Payload, key []byte) error {
	x, err := c.Tx.Stream(key)
	if err != nil {
		return err
	}
	info, _, err := x.Info()
	if err != nil {
		return err
	}
	groups, err := dumpGroups(x)
	if err != nil {
		return err
	}
	p.BeginStream(info, groups)
	return x.Range(streamID{}, keyspace.LastStreamID, false, func(id streamID, fields [][]byte) bool {
		p.Entry(id, fields)
		return true
	})
}

// dumpGroups gathers the groups of a stream.
func dumpGroups(x keyspace.StreamKey) (groups []rdb.Group, err error) {
	var own copies
	err = x.Groups(func(g *keyspace.StreamGroup) {
		groups = append(groups, rdb.Group{Name: own.of(g.Name), Last: g.Last, Read: g.Read})
	})
	for i := 0; i < len(groups) && err == nil; i++ {
		g := &groups[i]
		consumers := map[string][]byte{}
		err = x.Consumers(g.Name, func(o *keyspace.StreamConsumer) {
			o2 := *o
			o2.Name = own.of(o.Name)
			consumers[string(o2.Name)] = o2.Name
			g.Consumers = append(g.Consumers, o2)
		})
		if err != nil {
			break
		}
		err = x.Pending(g.Name, &keyspace.PendingRange{To: keyspace.LastStreamID}, func(p *keyspace.Pending) bool {
			entry := *p
			entry.Consumer = consumers[string(p.Consumer)]
			g.Pending = append(g.Pending, entry)
			return true
		})
	}
	return groups, err
}

// restoreOptions are the options of RESTORE.
type restoreOptions struct {
	replace, absolute bool
	idle, freq        int64 // -1: not given
}

func (c *Ctx) restoreOptions() (o restoreOptions, err error) {
	o.idle, o.freq = -1, -1
	for i := 4; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch {
		case c.is(i, "replace"):
			o.replace = true
		case c.is(i, "absttl"):
			o.absolute = true
		case c.is(i, "idletime") && more && o.freq == -1:
			i++
			if o.idle, err = c.integer(i); err != nil {
				return o, err
			}
			if o.idle < 0 {
				return o, Refusal("ERR Invalid IDLETIME value, must be >= 0")
			}
		case c.is(i, "freq") && more && o.idle == -1:
			i++
			if o.freq, err = c.integer(i); err != nil {
				return o, err
			}
			if o.freq < 0 || o.freq > 255 {
				return o, Refusal("ERR Invalid FREQ value, must be >= 0 and <= 255")
			}
		default:
			return o, ErrSyntax
		}
	}
	return o, nil
}

func restore(c *Ctx) error {
	key := c.Args[1]
	o, err := c.restoreOptions()
	if err != nil {
		return err
	}
	if !o.replace {
		e, err := c.entry(key)
		if err != nil {
			return err
		}
		if e.Type != keyspace.None {
			return Refusal("BUSYKEY Target key name already exists.")
		}
	}
	at, err := c.integer(2)
	switch {
	case err != nil:
		return err
	case at < 0:
		return Refusal("ERR Invalid TTL value, must be >= 0")
	}
	v, err := rdb.Parse(c.Args[3])
	switch {
	case errors.Is(err, rdb.ErrVersion):
		return Refusal("ERR DUMP payload version or checksum are wrong")
	case err != nil:
		return Refusal("ERR Bad data format")
	}
	old := 0
	if o.replace {
		if old, err = c.Tx.Delete(c.keys1(key)); err != nil {
			return err
		}
	}
	if at != keyspace.Never && !o.absolute {
		at += c.Now // which Redis lets overflow, into a time long ago
	}
	if at == keyspace.Never || at > c.Now {
		if err := c.store(key, v, at); err != nil {
			return err
		}
		if err := c.use(key, &o); err != nil {
			return err
		}
		c.Event(EventGeneric, "restore", key)
	} else if old > 0 {
		c.Event(EventGeneric, "del", key)
	}
	c.W.OK()
	return nil
}

// use sets how a restored key was used.
func (c *Ctx) use(key []byte, o *restoreOptions) error {
	if o.idle < 0 && o.freq < 0 {
		return nil
	}
	const longest = 1 << 40 // seconds: more would overflow as milliseconds
	idle := o.idle
	if idle > 0 {
		idle = min(idle, longest) * 1000
	}
	return keyspace.SetUse(c.Tx, key, idle, int(o.freq))
}

// store puts a value at a key that is missing.
func (c *Ctx) store(key []byte, v *rdb.Value, at int64) error {
	err := c.fill(key, v)
	if err == nil && at != keyspace.Never {
		_, err = c.Tx.Expire(key, at)
	}
	return err
}

func (c *Ctx) fill(key []byte, v *rdb.Value) error {
	switch v.Type {
	case keyspace.String:
		return c.put(key, v.Items[0], keyspace.Never)
	case keyspace.List:
		l, err := c.Tx.List(key)
		if err == nil {
			_, err = l.Push(keyspace.Right, v.Items)
		}
		return err
	case keyspace.Set:
		s, err := c.Tx.Set(key)
		if err == nil {
			_, err = s.Add(v.Items)
		}
		return err
	case keyspace.SortedSet:
		z, err := c.Tx.SortedSet(key)
		if err == nil {
			_, err = z.Put(v.Members)
		}
		return err
	case keyspace.Hash:
		return c.fillHash(key, v)
	}
	return c.fillStream(key, v.Stream)
}

// fillHash stores fields, those together that stand together and expire at the same time. What has expired is left out.
func (c *Ctx) fillHash(key []byte, v *rdb.Value) error {
	h, err := c.Tx.Hash(key)
	if err == nil && v.Expiry == nil {
		_, err = h.Set(v.Items, keyspace.Never)
	}
	for i := 0; i < len(v.Expiry) && err == nil; {
		from, at := i, v.Expiry[i]
		for i < len(v.Expiry) && v.Expiry[i] == at {
			i++
		}
		if at == keyspace.Never || at > c.Now {
			_, err = h.Set(v.Items[2*from:2*i], at)
		}
	}
	return err
}

func (c *Ctx) fillStream(key []byte, s *rdb.Stream) error {
	x, err := c.Tx.Stream(key)
	if err != nil {
		return err
	}
	limit := c.runLimit()
	for i := range s.Entries {
		if err := x.Append(s.Entries[i].ID, s.Entries[i].Fields, limit); err != nil {
			return err
		}
	}
	if err := x.SetInfo(s.Info.Last, s.Info.MaxDeleted, s.Info.Added); err != nil {
		return err
	}
	for i := range s.Groups {
		if err := fillGroup(x, &s.Groups[i]); err != nil {
			return err
		}
	}
	return nil
}

func fillGroup(x keyspace.StreamKey, g *rdb.Group) error {
	if _, err := x.SetGroup(g.Name, g.Last, g.Read); err != nil {
		return err
	}
	own := map[string][]keyspace.Pending{}
	for i := range g.Pending {
		name := string(g.Pending[i].Consumer)
		own[name] = append(own[name], g.Pending[i])
	}
	for i := range g.Consumers {
		o := &g.Consumers[i]
		if _, err := x.SetConsumer(g.Name, o.Name, o.Seen, o.Active); err != nil {
			return err
		}
		if entries := own[string(o.Name)]; entries != nil {
			if err := x.Assign(g.Name, o.Name, entries); err != nil {
				return err
			}
		}
	}
	return nil
}
