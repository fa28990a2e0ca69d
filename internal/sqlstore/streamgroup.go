package sqlstore

import (
	"bytes"
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

const (
	groupColumns = `SELECT g.name, g.last_id, g.entries_read, g.pending,
		(SELECT count(*) FROM redbud_consumer c WHERE c.collection = g.collection AND {c.group_name} = {g.name}),
		(SELECT p.id FROM redbud_pending p WHERE p.collection = g.collection AND {p.group_name} = {g.name} ORDER BY p.id LIMIT 1),
		(SELECT p.id FROM redbud_pending p WHERE p.collection = g.collection AND {p.group_name} = {g.name} ORDER BY p.id DESC LIMIT 1)
		FROM redbud_group g WHERE g.collection = ?`
	consumerColumns = `SELECT c.name, c.seen_at, c.active_at,
		(SELECT count(*) FROM redbud_pending p WHERE p.collection = c.collection AND {p.group_name} = {c.group_name} AND {p.consumer} = {c.name})
		FROM redbud_consumer c WHERE c.collection = ? AND {c.group_name} = {?}`
	pendingColumns = `SELECT id, consumer, delivered_at, deliveries FROM redbud_pending WHERE collection = ? AND {group_name} = {?}`
)

var (
	groupEach = query(groupColumns + ` ORDER BY {g.name}`)
	groupGet  = query(groupColumns + ` AND {g.name} = {?}`)
	groupSet  = query(`UPDATE redbud_group SET last_id = ?, entries_read = ? WHERE collection = ? AND {name} = {?}`)
	groupNew  = query(`INSERT INTO redbud_group (last_id, entries_read, collection, name, pending) VALUES (?, ?, ?, ?, 0)`).
			onMySQL(`INSERT INTO redbud_group (last_id, entries_read, collection, name, name_short, pending) VALUES (?1, ?2, ?3, ?4, {?4}, 0)`)
	groupPending = query(`UPDATE redbud_group SET pending = pending + ? WHERE collection = ? AND {name} = {?}`)
	groupRemove  = query(`DELETE FROM redbud_group WHERE collection = ? AND {name} = {?}`)
	groupLeave   = query(`DELETE FROM redbud_consumer WHERE collection = ? AND {group_name} = {?}`)
	groupForget  = query(`DELETE FROM redbud_pending WHERE collection = ? AND {group_name} = {?}`)

	consumerEach = query(consumerColumns + ` ORDER BY {c.name}`)
	consumerGet  = query(consumerColumns + ` AND {c.name} = {?}`)
	consumerSet  = query(`UPDATE redbud_consumer SET seen_at = ?, active_at = coalesce(?, active_at) WHERE collection = ? AND {group_name} = {?} AND {name} = {?}`)
	consumerNew  = query(`INSERT INTO redbud_consumer (seen_at, active_at, collection, group_name, name) VALUES (?, ?, ?, ?, ?)`).
			onMySQL(`INSERT INTO redbud_consumer (seen_at, active_at, collection, group_name, group_name_short, name, name_short) VALUES (?1, ?2, ?3, ?4, {?4}, ?5, {?5})`)
	consumerRemove = query(`DELETE FROM redbud_consumer WHERE collection = ? AND {group_name} = {?} AND {name} = {?}`)
	consumerForget = query(`DELETE FROM redbud_pending WHERE collection = ? AND {group_name} = {?} AND {consumer} = {?}`)

	pendingAll = query(pendingColumns + ` AND delivered_at <= ? AND id BETWEEN ? AND ? ORDER BY id LIMIT ?`)
	pendingOf  = query(pendingColumns + ` AND delivered_at <= ? AND {consumer} = {?} AND id BETWEEN ? AND ? ORDER BY id LIMIT ?`)
	pendingGet = query(pendingColumns + ` AND id = ?`)
	pendingHas = query(`SELECT id FROM redbud_pending WHERE collection = ? AND {group_name} = {?} AND id = ?`)
	pendingNew = query(`INSERT INTO redbud_pending (consumer, delivered_at, deliveries, collection, group_name, id) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`).
			onMySQL(`INSERT IGNORE INTO redbud_pending (consumer, consumer_short, delivered_at, deliveries, collection, group_name, group_name_short, id) VALUES (?1, {?1}, ?2, ?3, ?4, ?5, {?5}, ?6)`)
	pendingSet = query(`UPDATE redbud_pending SET consumer = ?, delivered_at = ?, deliveries = ? WHERE collection = ? AND {group_name} = {?} AND id = ?`).
			onMySQL(`UPDATE redbud_pending SET consumer = ?1, consumer_short = {?1}, delivered_at = ?2, deliveries = ?3 WHERE collection = ?4 AND {group_name} = {?5} AND id = ?6`)
	pendingRemove = query(`DELETE FROM redbud_pending WHERE collection = ? AND {group_name} = {?} AND id = ?`)
)

// nameAt is the name in a column: never nil, which would be none.
func nameAt(r Row, column int) []byte {
	if name := r.Bytes(column); name != nil {
		return name
	}
	return []byte{}
}

// groups visits the groups that a query of groupColumns selects.
func (k *streamKey) groups(q *Query, f func(g *keyspace.StreamGroup), name ...Value) error {
	if k.m.id == 0 {
		return nil
	}
	k.t.args = append(append(k.t.args[:0], integer(k.m.collection)), name...)
	_, err := k.t.run(q, k.t.args, func(_ int, r Row) error {
		g := keyspace.StreamGroup{
			Name: nameAt(r, 0), Last: idAt(r, 1), Read: keyspace.NotRead, Pending: int(r.Int(3)), Consumers: int(r.Int(4)),
			FirstPending: idAt(r, 5), LastPending: idAt(r, 6),
		}
		if !r.Null(2) {
			g.Read = r.Int(2)
		}
		f(&g)
		return nil
	})
	return err
}

func (k *streamKey) Groups(f func(g *keyspace.StreamGroup)) error { return k.groups(groupEach, f) }

func (k *streamKey) Group(name []byte) (g keyspace.StreamGroup, ok bool, err error) {
	err = k.groups(groupGet, func(found *keyspace.StreamGroup) {
		g, ok = *found, true
		g.Name = bytes.Clone(g.Name)
	}, blob(name))
	return g, ok, err
}

func (k *streamKey) SetGroup(name []byte, last keyspace.StreamID, read int64) (created bool, err error) {
	made, err := k.create()
	if err != nil {
		return false, err
	}
	if !made {
		n, err := k.t.exec(groupSet, idValue(last), nullable(read, read == keyspace.NotRead), integer(k.m.collection), blob(name))
		if err != nil || n > 0 {
			return false, err
		}
	}
	k.m.stream = nil
	err = k.t.later(groupNew, idValue(last), nullable(read, read == keyspace.NotRead), integer(k.m.collection), blob(name))
	if err == nil && made {
		err = k.t.grow(k.m, 0)
	}
	return true, err
}

func (k *streamKey) DeleteGroup(name []byte) (bool, error) {
	if k.m.id == 0 {
		return false, nil
	}
	n, err := k.t.exec(groupRemove, integer(k.m.collection), blob(name))
	if err != nil || n == 0 {
		return false, err
	}
	k.m.stream = nil
	for _, q := range []*Query{groupLeave, groupForget} {
		if err := k.t.later(q, integer(k.m.collection), blob(name)); err != nil {
			return false, err
		}
	}
	return true, k.t.grow(k.m, 0)
}

// waits notes that so many entries more are pending for a group, or fewer. That is no write of the stream.
func (k *streamKey) waits(group []byte, more int) error {
	if more == 0 {
		return nil
	}
	return k.t.later(groupPending, integer(int64(more)), integer(k.m.collection), blob(group))
}

// consumers visits the consumers of a group that a query of consumerColumns selects.
func (k *streamKey) consumers(q *Query, group []byte, f func(c *keyspace.StreamConsumer), name ...Value) error {
	k.t.args = append(append(k.t.args[:0], integer(k.m.collection), blob(group)), name...)
	_, err := k.t.run(q, k.t.args, func(_ int, r Row) error {
		c := keyspace.StreamConsumer{Name: nameAt(r, 0), Seen: r.Int(1), Active: keyspace.NeverActive, Pending: int(r.Int(3))}
		if !r.Null(2) {
			c.Active = r.Int(2)
		}
		f(&c)
		return nil
	})
	return err
}

func (k *streamKey) Consumers(group []byte, f func(c *keyspace.StreamConsumer)) error {
	return k.consumers(consumerEach, group, f)
}

func (k *streamKey) Consumer(group, name []byte) (c keyspace.StreamConsumer, ok bool, err error) {
	err = k.consumers(consumerGet, group, func(found *keyspace.StreamConsumer) {
		c, ok = *found, true
		c.Name = bytes.Clone(c.Name)
	}, blob(name))
	return c, ok, err
}

func (k *streamKey) SetConsumer(group, name []byte, seen, active int64) (created bool, err error) {
	args := []Value{integer(seen), nullable(active, active == keyspace.NeverActive), integer(k.m.collection), blob(group), blob(name)}
	n, err := k.t.run(consumerSet, args, nil)
	if err != nil || n > 0 {
		return false, err
	}
	return true, k.t.runLater(consumerNew, args)
}

func (k *streamKey) DeleteConsumer(group, name []byte) (pending int, ok bool, err error) {
	n, err := k.t.exec(consumerRemove, integer(k.m.collection), blob(group), blob(name))
	if err != nil || n == 0 {
		return 0, false, err
	}
	n, err = k.t.exec(consumerForget, integer(k.m.collection), blob(group), blob(name))
	if err != nil {
		return 0, false, err
	}
	return int(n), true, k.waits(group, -int(n))
}

func pendingAt(r Row) keyspace.Pending {
	return keyspace.Pending{ID: idAt(r, 0), Consumer: nameAt(r, 1), At: r.Int(2), Count: r.Int(3)}
}

func (k *streamKey) Pending(group []byte, r *keyspace.PendingRange, f func(p *keyspace.Pending) bool) error {
	until := r.Until
	if until == 0 {
		until = math.MaxInt64
	}
	q, args := pendingAll, []Value{integer(k.m.collection), blob(group), integer(until)}
	if r.Consumer != nil {
		q, args = pendingOf, append(args, blob(r.Consumer))
	}
	return k.pages(q, args, r.From, r.To, false, func(row Row) (keyspace.StreamID, error) {
		p := pendingAt(row)
		id := p.ID
		if !f(&p) {
			return id, errEnough
		}
		return id, nil
	})
}

func (k *streamKey) PendingAt(group []byte, ids []keyspace.StreamID, dst []keyspace.Pending) ([]keyspace.Pending, error) {
	from := len(dst)
	for _, id := range ids {
		dst = append(dst, keyspace.Pending{ID: id})
	}
	var name []byte // neighbours mostly have the same consumer
	_, err := k.t.run(pendingGet, k.named(ids, blob(group)), func(i int, r Row) error {
		p := pendingAt(r)
		if name == nil || !bytes.Equal(name, p.Consumer) {
			name = bytes.Clone(p.Consumer)
		}
		p.Consumer = name
		dst[from+i] = p
		return nil
	})
	return dst, err
}

func (k *streamKey) Assign(group, consumer []byte, entries []keyspace.Pending) error {
	if len(entries) == 0 {
		return nil
	}
	args := k.t.args[:0]
	for i := range entries {
		p := &entries[i]
		args = append(args, blob(consumer), integer(p.At), integer(p.Count), integer(k.m.collection), blob(group), idValue(p.ID))
	}
	k.t.args = args
	n, err := k.t.run(pendingNew, args, nil)
	if err == nil && n < int64(len(entries)) { // some were pending already
		err = k.t.runLater(pendingSet, args)
	}
	if err != nil {
		return err
	}
	return k.waits(group, int(n))
}

func (k *streamKey) Acknowledge(group []byte, ids []keyspace.StreamID, dst []bool) ([]bool, error) {
	dst, n, err := k.removeEach(pendingHas, pendingRemove, ids, dst, blob(group))
	if err != nil {
		return dst, err
	}
	return dst, k.waits(group, -n)
}
