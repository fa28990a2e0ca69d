package command

import (
	"bytes"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

// claim is how a delivery is told, also one by XREADGROUP. How many entries the group has read is told behind all claims of a
// transaction, as XGROUP SETID: Redis 7.0 does not tell it, and who expects its stream finds it there.
const claim = "XCLAIM"

// tellXAdd tells of an entry with the id that it got.
func tellXAdd(c *Ctx, reply *resp.Value) error {
	o, i, err := c.streamAdd(true)
	if err != nil {
		return err
	}
	if !o.trims || !c.stream.trim.Approximate {
		c.eff.add(c.DB, asCalled(c.Args, i, reply.Str)...)
		return nil
	}
	_, info, _, err := c.streamOf(1)
	if err != nil {
		return err
	}
	words := [][]byte{c.Args[1], []byte("MAXLEN"), []byte("="), digits(int64(info.Len)), reply.Str}
	c.tell("XADD", append(words, c.Args[i+1:]...)...)
	return nil
}

// tellXTrim tells how many entries trimming has left: where it stopped depends on how they are kept.
func tellXTrim(c *Ctx, _ *resp.Value) error {
	if _, _, err := c.streamAdd(false); err != nil {
		return err
	}
	if !c.stream.trim.Approximate {
		c.eff.add(c.DB, c.Args...)
		return nil
	}
	_, info, _, err := c.streamOf(1)
	c.tell("XTRIM", c.Args[1], []byte("MAXLEN"), []byte("="), digits(int64(info.Len)))
	return err
}

// delivery is what a group gave a consumer.
type delivery struct {
	key, group, consumer []byte
	ids                  []streamID
	read                 bool // what the group was given last may have changed
}

// tellDelivery tells what is pending for the consumer, and what of the ids is pending no more.
func (c *Ctx) tellDelivery(d *delivery) error {
	x, err := c.Tx.Stream(d.key)
	if err != nil {
		return err
	}
	info, _, err := x.Info()
	if err != nil {
		return err
	}
	g, ok, err := c.group(x, info, d.group)
	if err != nil || !ok {
		return err
	}
	pending, err := x.PendingAt(d.group, d.ids, nil)
	if err != nil {
		return err
	}
	last, claims := g.Last.AppendTo(nil), 0
	for i := range pending {
		p := &pending[i]
		id := d.ids[i].AppendTo(nil)
		switch {
		case p.Consumer == nil:
			if !d.read {
				c.tell("XACK", d.key, d.group, id)
			}
		case bytes.Equal(p.Consumer, d.consumer):
			claims++
			c.tell(claim, d.key, d.group, d.consumer, []byte("0"), id, []byte("TIME"), digits(p.At), []byte("RETRYCOUNT"), digits(p.Count),
				[]byte("FORCE"), []byte("JUSTID"), []byte("LASTID"), last)
		}
	}
	if claims == 0 && c.attends(d.key) {
		c.tell("XGROUP", []byte("CREATECONSUMER"), d.key, d.group, d.consumer)
	}
	if d.read && len(d.ids) > 0 {
		return c.tellLast(d.key, d.group)
	}
	return nil
}

// attends reports whether the group at a key has got the consumer by this call.
func (c *Ctx) attends(key []byte) bool {
	for _, k := range c.eff.attended {
		if bytes.Equal(k, key) {
			return true
		}
	}
	return false
}

// repliedIDs are those of entries in a reply, or ids alone. Entries that are deleted are left out.
func repliedIDs(list *resp.Value) (ids []streamID) {
	for i := range list.Elems {
		v := &list.Elems[i]
		if v.IsAggregate() {
			if len(v.Elems) < 2 || v.Elems[1].Null {
				continue
			}
			v = &v.Elems[0]
		}
		if id, _, err := parseStreamID(v.Str, 0); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func tellXReadGroup(c *Ctx, reply *resp.Value) error {
	r, err := c.reading(true)
	if err != nil {
		return err
	}
	served := map[string][]streamID{}
	if reply.IsAggregate() {
		elems := reply.Elems
		for i := range elems {
			switch {
			case reply.Kind != '%' && len(elems[i].Elems) == 2:
				key := string(elems[i].Elems[0].Str) // which may have been named twice
				served[key] = append(served[key], repliedIDs(&elems[i].Elems[1])...)
			case reply.Kind == '%' && i%2 == 1:
				key := string(elems[i-1].Str)
				served[key] = append(served[key], repliedIDs(&elems[i])...)
			}
		}
	}
	for i, key := range r.keys {
		d := delivery{key: key, group: r.group, consumer: r.consumer, ids: served[string(key)], read: string(r.ids[i]) == ">"}
		if err := c.tellDelivery(&d); err != nil {
			return err
		}
	}
	return nil
}

// tellAttended tells that groups got a consumer by an XREADGROUP that found nothing and waits.
func (c *Ctx) tellAttended() {
	if len(c.eff.attended) == 0 {
		return
	}
	r, err := c.reading(true)
	if err != nil {
		return
	}
	for _, key := range c.eff.attended {
		c.tell("XGROUP", []byte("CREATECONSUMER"), key, r.group, r.consumer)
	}
}

func tellXClaim(c *Ctx, _ *resp.Value) error {
	d := delivery{key: c.Args[1], group: c.Args[2], consumer: c.Args[3]}
	moved := false
	for _, word := range c.Args[5:] {
		id, auto, err := parseStreamID(word, 0)
		if err != nil || auto {
			break
		}
		d.ids = append(d.ids, id)
	}
	for _, word := range c.Args[5+len(d.ids):] {
		moved = moved || equalFold(word, "lastid")
	}
	if moved {
		if err := c.tellLast(d.key, d.group); err != nil {
			return err
		}
	}
	return c.tellDelivery(&d)
}

// tellLast tells what a group was given last.
func (c *Ctx) tellLast(key, group []byte) error {
	x, err := c.Tx.Stream(key)
	if err != nil {
		return err
	}
	g, ok, err := x.Group(group)
	if err != nil || !ok {
		return err
	}
	words := [][]byte{[]byte("XGROUP"), []byte("SETID"), bytes.Clone(key), bytes.Clone(group), g.Last.AppendTo(nil)}
	if g.Read != keyspace.NotRead {
		words = append(words, []byte("ENTRIESREAD"), digits(g.Read))
	}
	c.eff.behind = append(c.eff.behind, later{c.DB, words}) // XCLAIM has told the last entry, this adds the count
	return nil
}

func tellXAutoClaim(c *Ctx, reply *resp.Value) error {
	d := delivery{key: c.Args[1], group: c.Args[2], consumer: c.Args[3]}
	if len(reply.Elems) > 2 {
		d.ids = append(repliedIDs(&reply.Elems[1]), repliedIDs(&reply.Elems[2])...)
	}
	return c.tellDelivery(&d)
}
