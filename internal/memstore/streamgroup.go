package memstore

import (
	"bytes"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// streamGroup is a consumer group. Pending entries are kept twice: all of the group, and the ids of each consumer.
type streamGroup struct {
	name      []byte
	last      keyspace.StreamID
	read      int64
	pending   idList[delivery]
	consumers []*consumer // by name
	slots     []*consumer // by the number that deliveries name them by; nil is free
}

// delivery is a pending entry, without pointers.
type delivery struct {
	at, count int64
	consumer  uint32 // its slot
}

type consumer struct {
	name         []byte
	slot         uint32
	seen, active int64
	pending      idList[struct{}]
}

func (g *streamGroup) copy() *streamGroup {
	c := *g
	c.pending = g.pending.copy()
	c.consumers = make([]*consumer, len(g.consumers))
	c.slots = make([]*consumer, len(g.slots))
	for i, x := range g.consumers {
		own := *x
		own.pending = x.pending.copy()
		c.consumers[i] = &own
		c.slots[own.slot] = &own
	}
	return &c
}

// place is where a consumer stands, or would.
func (g *streamGroup) place(name []byte) (int, bool) {
	return slices.BinarySearchFunc(g.consumers, name, func(c *consumer, name []byte) int { return bytes.Compare(c.name, name) })
}

func (g *streamGroup) consumer(name []byte) *consumer {
	if i, ok := g.place(name); ok {
		return g.consumers[i]
	}
	return nil
}

// join adds a consumer at a place.
func (g *streamGroup) join(i int, name []byte) *consumer {
	c := &consumer{name: bytes.Clone(name), active: keyspace.NeverActive}
	slot := slices.Index(g.slots, nil)
	if slot < 0 {
		slot = len(g.slots)
		g.slots = append(g.slots, nil)
	}
	c.slot = uint32(slot)
	g.slots[slot] = c
	g.consumers = slices.Insert(g.consumers, i, c)
	return c
}

// assign makes an entry pending for a consumer.
func (g *streamGroup) assign(c *consumer, p *keyspace.Pending) {
	d := delivery{at: p.At, count: p.Count, consumer: c.slot}
	if was := g.pending.find(p.ID); was != nil {
		if was.consumer != c.slot {
			g.slots[was.consumer].pending.remove(p.ID)
			c.pending.put(p.ID, struct{}{})
		}
		*was = d
		return
	}
	g.pending.put(p.ID, d)
	c.pending.put(p.ID, struct{}{})
}

func (g *streamGroup) acknowledge(id keyspace.StreamID) bool {
	d := g.pending.find(id)
	if d == nil {
		return false
	}
	g.slots[d.consumer].pending.remove(id)
	return g.pending.remove(id)
}

func (g *streamGroup) info() keyspace.StreamGroup {
	info := keyspace.StreamGroup{Name: g.name, Last: g.last, Read: g.read, Pending: g.pending.n, Consumers: len(g.consumers)}
	if chunks := g.pending.chunks; info.Pending > 0 {
		last := chunks[len(chunks)-1]
		info.FirstPending, info.LastPending = chunks[0][0].id, last[len(last)-1].id
	}
	return info
}

func (c *consumer) info() keyspace.StreamConsumer {
	return keyspace.StreamConsumer{Name: c.name, Seen: c.seen, Active: c.active, Pending: c.pending.n}
}

func (st *stream) placeGroup(name []byte) (int, bool) {
	return slices.BinarySearchFunc(st.groups, name, func(g *streamGroup, name []byte) int { return bytes.Compare(g.name, name) })
}

// group returns a group, nil if there is none.
func (k *streamKey) group(name []byte) *streamGroup {
	if k.stream != nil {
		if i, ok := k.stream.placeGroup(name); ok {
			return k.stream.groups[i]
		}
	}
	return nil
}

// waits notes that so many entries more are pending, which is no write of the stream.
func (k *streamKey) waits(more int) {
	k.t.s.lift(k.stream)
	k.stream.pending += more
	k.t.s.putBack(k.stream)
}

func (k *streamKey) Groups(f func(g *keyspace.StreamGroup)) error {
	if k.stream != nil {
		for _, g := range k.stream.groups {
			info := g.info()
			f(&info)
		}
	}
	return nil
}

func (k *streamKey) Group(name []byte) (info keyspace.StreamGroup, ok bool, err error) {
	if g := k.group(name); g != nil {
		return g.info(), true, nil
	}
	return info, false, nil
}

func (k *streamKey) SetGroup(name []byte, last keyspace.StreamID, read int64) (created bool, err error) {
	g := k.group(name)
	if g == nil {
		k.create()
		g = &streamGroup{name: bytes.Clone(name)}
		i, _ := k.stream.placeGroup(name)
		k.t.s.lift(k.stream)
		k.stream.groups = slices.Insert(k.stream.groups, i, g)
		k.t.s.putBack(k.stream)
		created = true
	}
	g.last, g.read = last, read
	return created, nil
}

func (k *streamKey) DeleteGroup(name []byte) (bool, error) {
	if k.group(name) == nil {
		return false, nil
	}
	i, _ := k.stream.placeGroup(name)
	k.t.s.lift(k.stream)
	k.stream.pending -= k.stream.groups[i].pending.n
	k.stream.groups = slices.Delete(k.stream.groups, i, i+1)
	k.t.s.putBack(k.stream)
	k.wrote()
	return true, nil
}

func (k *streamKey) Consumers(group []byte, f func(c *keyspace.StreamConsumer)) error {
	for _, c := range k.group(group).consumers {
		info := c.info()
		f(&info)
	}
	return nil
}

func (k *streamKey) Consumer(group, name []byte) (info keyspace.StreamConsumer, ok bool, err error) {
	if c := k.group(group).consumer(name); c != nil {
		return c.info(), true, nil
	}
	return info, false, nil
}

func (k *streamKey) SetConsumer(group, name []byte, seen, active int64) (created bool, err error) {
	g := k.group(group)
	i, ok := g.place(name)
	var c *consumer
	if ok {
		c = g.consumers[i]
	} else {
		c = g.join(i, name)
	}
	c.seen = seen
	if active != keyspace.NeverActive {
		c.active = active
	}
	return !ok, nil
}

func (k *streamKey) DeleteConsumer(group, name []byte) (pending int, ok bool, err error) {
	g := k.group(group)
	i, ok := g.place(name)
	if !ok {
		return 0, false, nil
	}
	c := g.consumers[i]
	c.pending.from(keyspace.StreamID{}, func(id keyspace.StreamID, _ *struct{}) bool { return g.pending.remove(id) })
	g.consumers = slices.Delete(g.consumers, i, i+1)
	g.slots[c.slot] = nil
	k.waits(-c.pending.n)
	return c.pending.n, true, nil
}

func (k *streamKey) Pending(group []byte, r *keyspace.PendingRange, f func(p *keyspace.Pending) bool) error {
	g, t := k.group(group), k.t
	visit := func(id keyspace.StreamID, d *delivery) bool {
		if r.To.Less(id) {
			return false
		}
		if r.Until != 0 && d.at > r.Until {
			return true
		}
		t.pending = keyspace.Pending{ID: id, Consumer: g.slots[d.consumer].name, At: d.at, Count: d.count}
		return f(&t.pending)
	}
	if r.Consumer == nil {
		g.pending.from(r.From, visit)
		return nil
	}
	if c := g.consumer(r.Consumer); c != nil {
		c.pending.from(r.From, func(id keyspace.StreamID, _ *struct{}) bool { return visit(id, g.pending.find(id)) })
	}
	return nil
}

func (k *streamKey) PendingAt(group []byte, ids []keyspace.StreamID, dst []keyspace.Pending) ([]keyspace.Pending, error) {
	g := k.group(group)
	for _, id := range ids {
		p := keyspace.Pending{ID: id}
		if d := g.pending.find(id); d != nil {
			p.Consumer, p.At, p.Count = g.slots[d.consumer].name, d.at, d.count
		}
		dst = append(dst, p)
	}
	return dst, nil
}

func (k *streamKey) Assign(group, name []byte, entries []keyspace.Pending) error {
	g := k.group(group)
	c, was := g.consumer(name), g.pending.n
	for i := range entries {
		g.assign(c, &entries[i])
	}
	k.waits(g.pending.n - was)
	return nil
}

func (k *streamKey) Acknowledge(group []byte, ids []keyspace.StreamID, dst []bool) ([]bool, error) {
	g := k.group(group)
	was := g.pending.n
	for _, id := range ids {
		dst = append(dst, g.acknowledge(id))
	}
	k.waits(g.pending.n - was)
	return dst, nil
}
