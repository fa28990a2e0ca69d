// Sets: members, each once, in no order.
package command

import (
	"bytes"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var setCommands = []*Command{
	{Name: "sadd", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "set", Since: "1.0.0",
		Usage: "key member [member ...]", Doc: "Adds members to a set and returns how many of them are new.", Run: sadd},
	{Name: "scard", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "set", Since: "1.0.0",
		Usage: "key", Doc: "Returns the number of members of a set.", Run: scard},
	{Name: "sdiff", Arity: -2, Flags: ReadOnly, Keys: allKeys, Group: "set", Since: "1.0.0",
		Usage: "key [key ...]", Doc: "Returns the members of the first set that are in none of the others.",
		Run: func(c *Ctx) error { return c.combined(difference) }},
	{Name: "sdiffstore", Arity: -3, Flags: Write | DenyOOM, Keys: allKeys, Group: "set", Since: "1.0.0",
		Usage: "destination key [key ...]", Doc: "Stores the members of the first set that are in none of the others at a key.",
		Run: func(c *Ctx) error { return c.storeCombined(difference, "sdiffstore") }},
	{Name: "sinter", Arity: -2, Flags: ReadOnly, Keys: allKeys, Group: "set", Since: "1.0.0",
		Usage: "key [key ...]", Doc: "Returns the members that all of several sets have.",
		Run: func(c *Ctx) error { return c.combined(intersection) }},
	{Name: "sintercard", Arity: -3, Flags: ReadOnly, Keys: Keys{NumKeys: 1}, Group: "set", Since: "7.0.0",
		Usage: "numkeys key [key ...] [LIMIT limit]", Doc: "Returns the number of members that all of several sets have.", Run: sinterCard},
	{Name: "sinterstore", Arity: -3, Flags: Write | DenyOOM, Keys: allKeys, Group: "set", Since: "1.0.0",
		Usage: "destination key [key ...]", Doc: "Stores the members that all of several sets have at a key.",
		Run: func(c *Ctx) error { return c.storeCombined(intersection, "sinterstore") }},
	{Name: "sismember", Arity: 3, Flags: ReadOnly | Fast, Keys: oneKey, Group: "set", Since: "1.0.0",
		Usage: "key member", Doc: "Tells whether a set has a member.", Run: sisMember},
	{Name: "smembers", Arity: 2, Flags: ReadOnly, Keys: oneKey, Group: "set", Since: "1.0.0",
		Usage: "key", Doc: "Returns all members of a set.", Run: smembers},
	{Name: "smismember", Arity: -3, Flags: ReadOnly | Fast, Keys: oneKey, Group: "set", Since: "6.2.0",
		Usage: "key member [member ...]", Doc: "Tells of each of several members whether a set has it.", Run: smisMember},
	{Name: "smove", Arity: 4, Flags: Write | Fast, Keys: twoKeys, Group: "set", Since: "1.0.0",
		Usage: "source destination member", Doc: "Moves a member from one set to another.", Run: smove},
	{Name: "spop", Arity: -2, Flags: Write | Fast, Keys: oneKey, Group: "set", Since: "1.0.0",
		Usage: "key [count]", Doc: "Removes and returns random members of a set, and the set with its last member.", Run: spop},
	{Name: "srandmember", Arity: -2, Flags: ReadOnly, Keys: oneKey, Group: "set", Since: "1.0.0",
		Usage: "key [count]", Doc: "Returns one or more random members of a set.", Run: srandMember},
	{Name: "srem", Arity: -3, Flags: Write | Fast, Keys: oneKey, Group: "set", Since: "1.0.0",
		Usage: "key member [member ...]", Doc: "Removes members from a set, and the set with its last member.", Run: srem},
	{Name: "sscan", Arity: -3, Flags: ReadOnly, Keys: oneKey, Group: "set", Since: "2.8.0",
		Usage: "key cursor [MATCH pattern] [COUNT count]", Doc: "Iterates over the members of a set.", Run: sscan},
	{Name: "sunion", Arity: -2, Flags: ReadOnly, Keys: allKeys, Group: "set", Since: "1.0.0",
		Usage: "key [key ...]", Doc: "Returns the members that any of several sets has.",
		Run: func(c *Ctx) error { return c.combined(union) }},
	{Name: "sunionstore", Arity: -3, Flags: Write | DenyOOM, Keys: allKeys, Group: "set", Since: "1.0.0",
		Usage: "destination key [key ...]", Doc: "Stores the members that any of several sets has at a key.",
		Run: func(c *Ctx) error { return c.storeCombined(union, "sunionstore") }},
}

// set returns the set at argument 1 and its size.
func (c *Ctx) set() (keyspace.SetKey, int, error) {
	s, err := c.Tx.Set(c.Args[1])
	if err != nil {
		return nil, 0, err
	}
	n, err := s.Len()
	return s, n, err
}

func sadd(c *Ctx) error {
	s, err := c.Tx.Set(c.Args[1])
	if err != nil {
		return err
	}
	n, err := s.Add(c.Args[2:])
	if err == nil && n > 0 {
		c.Event(EventSet, "sadd", c.Args[1])
	}
	return c.count(n, err)
}

func srem(c *Ctx) error {
	s, err := c.Tx.Set(c.Args[1])
	if err != nil {
		return err
	}
	n, err := s.Remove(c.Args[2:])
	if err == nil && n > 0 {
		err = c.removed(EventSet, "srem", c.Args[1], s)
	}
	return c.count(n, err)
}

func scard(c *Ctx) error {
	_, n, err := c.set()
	return c.count(n, err)
}

// contains sets c.bools to whether the members from argument 2 on are in the set at argument 1.
func (c *Ctx) contains() error {
	s, err := c.Tx.Set(c.Args[1])
	if err != nil {
		return err
	}
	c.bools, err = s.Contains(c.Args[2:], c.bools[:0])
	return err
}

func sisMember(c *Ctx) error {
	if err := c.contains(); err != nil {
		return err
	}
	c.bool1(c.bools[0])
	return nil
}

func smisMember(c *Ctx) error {
	if err := c.contains(); err != nil {
		return err
	}
	c.W.Array(len(c.bools))
	for _, in := range c.bools {
		c.bool1(in)
	}
	return nil
}

func smembers(c *Ctx) error {
	s, n, err := c.set()
	if err != nil {
		return err
	}
	c.W.Set(n)
	return s.Each(c.bulk)
}

func smove(c *Ctx) error {
	src, n, err := c.set()
	if err != nil || n == 0 { // before the destination is looked at, as in Redis
		return c.count(0, err)
	}
	dst, err := c.Tx.Set(c.Args[2])
	if err != nil {
		return err
	}
	member := c.Args[3:4]
	if bytes.Equal(c.Args[1], c.Args[2]) {
		if c.bools, err = src.Contains(member, c.bools[:0]); err != nil {
			return err
		}
		c.bool1(c.bools[0])
		return nil
	}
	removed, err := src.Remove(member)
	if err != nil || removed == 0 {
		return c.count(0, err)
	}
	if err := c.removed(EventSet, "srem", c.Args[1], src); err != nil {
		return err
	}
	added, err := dst.Add(member)
	if err == nil && added > 0 {
		c.Event(EventSet, "sadd", c.Args[2])
	}
	return c.count(1, err)
}

func spop(c *Ctx) error {
	if len(c.Args) > 2 {
		return spopMany(c)
	}
	s, err := c.Tx.Set(c.Args[1])
	if err != nil {
		return err
	}
	c.told = 0
	if err := s.Pop(1, c.bulk); err != nil {
		return err
	}
	if c.told == 0 {
		c.W.Null()
		return nil
	}
	return c.removed(EventSet, "spop", c.Args[1], s)
}

func spopMany(c *Ctx) error {
	if len(c.Args) > 3 {
		return ErrSyntax
	}
	count, err := c.positive(2)
	if err != nil {
		return err
	}
	s, n, err := c.set()
	if err != nil {
		return err
	}
	n = min(count, n)
	c.W.Set(n)
	if n == 0 {
		return nil
	}
	if err := s.Pop(n, c.bulk); err != nil {
		return err
	}
	return c.removed(EventSet, "spop", c.Args[1], s)
}

func srandMember(c *Ctx) error {
	if len(c.Args) == 2 {
		s, n, err := c.set()
		if err != nil {
			return err
		}
		if n == 0 {
			c.W.Null()
			return nil
		}
		return s.Random(1, c.bulk)
	}
	if len(c.Args) > 3 {
		return ErrSyntax
	}
	count, err := c.signedCount(2)
	if err != nil {
		return err
	}
	s, n, err := c.set()
	if err != nil {
		return err
	}
	n = drawn(count, n)
	c.W.Array(n)
	if n == 0 {
		return nil
	}
	return s.Random(count, c.bulk)
}

func sscan(c *Ctx) error {
	o, argsErr := c.scanArgs(2)
	s, err := c.Tx.Set(c.Args[1])
	if done, err := c.scanOpen(argsErr, s, err); done || err != nil {
		return err
	}
	return c.scanReply(&o, func(n *int) (uint64, error) {
		return s.Scan(o.cursor, o.count, func(member []byte) {
			if o.wants(member) {
				c.W.Bulk(member)
				*n++
			}
		})
	})
}

// combination appends the members that several sets make together to c.values. They are copies: the destination of a
// STORE may be one of the sets.
type combination func(c *Ctx, sets []keyspace.SetKey) error

// combined is SINTER, SUNION and SDIFF.
func (c *Ctx) combined(combine combination) error {
	if err := c.combineKeys(combine, c.Args[1:]); err != nil {
		return err
	}
	c.W.Set(len(c.values))
	for _, member := range c.values {
		c.W.Bulk(member)
	}
	return nil
}

// storeCombined is SINTERSTORE, SUNIONSTORE and SDIFFSTORE.
func (c *Ctx) storeCombined(combine combination, event string) error {
	if err := c.combineKeys(combine, c.Args[2:]); err != nil {
		return err
	}
	c.uncounted()
	dst, n := c.Args[1], len(c.values)
	if n == 0 {
		return c.count(0, c.drop(dst))
	}
	if _, err := c.Tx.Delete(c.keys1(dst)); err != nil {
		return err
	}
	s, err := c.Tx.Set(dst)
	if err != nil {
		return err
	}
	if _, err := s.Add(c.values); err != nil {
		return err
	}
	c.Event(EventSet, event, dst)
	c.W.Int(int64(n))
	return nil
}

// combineKeys leaves the combination of the sets at keys in c.values. A key of another type is refused wherever it
// stands.
func (c *Ctx) combineKeys(combine combination, keys [][]byte) error {
	sets, err := c.sets(keys)
	if err != nil {
		return err
	}
	c.values = c.values[:0]
	return combine(c, sets)
}

// sets opens the sets at keys.
func (c *Ctx) sets(keys [][]byte) ([]keyspace.SetKey, error) {
	sets := make([]keyspace.SetKey, len(keys))
	for i, key := range keys {
		var err error
		if sets[i], err = c.Tx.Set(key); err != nil {
			return nil, err
		}
	}
	return sets, nil
}

// collect appends copies of all members of a set to c.values.
func (c *Ctx) collect(s keyspace.SetKey) error {
	var own copies
	return s.Each(func(member []byte) { c.values = append(c.values, own.of(member)) })
}

// keep filters members in place: it keeps those that s contains, or does not where wanted is false.
func (c *Ctx) keep(members [][]byte, s keyspace.SetKey, wanted bool) ([][]byte, error) {
	var err error
	if c.bools, err = s.Contains(members, c.bools[:0]); err != nil {
		return nil, err
	}
	kept := members[:0]
	for i, in := range c.bools {
		if in == wanted {
			kept = append(kept, members[i])
		}
	}
	return kept, nil
}

func union(c *Ctx, sets []keyspace.SetKey) error {
	var own copies
	seen := map[string]struct{}{}
	for _, s := range sets {
		err := s.Each(func(member []byte) {
			if _, ok := seen[string(member)]; !ok {
				seen[string(member)] = struct{}{}
				c.values = append(c.values, own.of(member))
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func difference(c *Ctx, sets []keyspace.SetKey) error {
	err := c.collect(sets[0])
	for _, s := range sets[1:] {
		if err != nil || len(c.values) == 0 {
			return err
		}
		c.values, err = c.keep(c.values, s, false)
	}
	return err
}

func intersection(c *Ctx, sets []keyspace.SetKey) error {
	return c.intersect(sets, 0)
}

// intersect appends to c.values the members that all sets have: all, or where limit is not 0 at least that many if
// there are. The smallest set is visited, the others are only asked.
func (c *Ctx) intersect(sets []keyspace.SetKey, limit int) error {
	if empty, err := smallestFirst(sets); empty || err != nil {
		return err
	}
	if err := c.collect(sets[0]); err != nil {
		return err
	}
	// Piece by piece, so that a low limit spares asking for the rest.
	const piece = 1024
	common := c.values[:0]
	for rest := c.values; len(rest) > 0 && (limit == 0 || len(common) < limit); {
		members := rest[:min(piece, len(rest))]
		rest = rest[len(members):]
		for _, s := range sets[1:] {
			var err error
			if members, err = c.keep(members, s, true); err != nil {
				return err
			}
			if len(members) == 0 {
				break
			}
		}
		common = append(common, members...)
	}
	c.values = common
	return nil
}

// smallestFirst sorts sets by size and reports whether one is empty.
func smallestFirst(sets []keyspace.SetKey) (empty bool, err error) {
	type sized struct {
		set  keyspace.SetKey
		size int
	}
	all := make([]sized, len(sets))
	for i, s := range sets {
		n, err := s.Len()
		if err != nil {
			return false, err
		}
		all[i] = sized{s, n}
	}
	slices.SortStableFunc(all, func(a, b sized) int { return a.size - b.size })
	for i, s := range all {
		sets[i] = s.set
	}
	return all[0].size == 0, nil
}

func sinterCard(c *Ctx) error {
	numKeys, err := c.atLeastOne(1, "numkeys")
	if err != nil {
		return err
	}
	if numKeys > len(c.Args)-2 {
		return Refusal("ERR Number of keys can't be greater than number of args")
	}
	limit := 0
	for i := 2 + numKeys; i < len(c.Args); i += 2 {
		if i+1 == len(c.Args) || !c.is(i, "limit") {
			return ErrSyntax
		}
		if limit, err = c.notNegative(i+1, "LIMIT"); err != nil {
			return err
		}
	}
	sets, err := c.sets(c.Args[2 : 2+numKeys])
	if err != nil {
		return err
	}
	c.values = c.values[:0]
	if err := c.intersect(sets, limit); err != nil {
		return err
	}
	n := len(c.values)
	if limit > 0 {
		n = min(n, limit)
	}
	c.W.Int(int64(n))
	return nil
}
