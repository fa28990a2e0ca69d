// Sorted sets: members with scores, looked up by member and walked in the order of scores.
package command

import (
	"bytes"
	"math"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

// storeKeys is where ZUNIONSTORE and its kin have their keys: the destination, then as many as they say.
var storeKeys = Keys{First: 1, Last: 1, Step: 1, NumKeys: 2}

var zsetCommands = []*Command{
	{Name: "bzmpop", Arity: -5, Flags: Write | Blocking, Keys: Keys{NumKeys: 2}, Group: "sorted-set", Since: "7.0.0",
		Usage: "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
		Doc:   "Takes members from the first sorted set that has any; waits for one where none has.", Run: bzmpop},
	{Name: "bzpopmax", Arity: -3, Flags: Write | NoScript | Blocking | Fast, Keys: Keys{First: 1, Last: -2, Step: 1}, Group: "sorted-set", Since: "5.0.0",
		Usage: "key [key ...] timeout",
		Doc:   "Takes the member of highest score from the first sorted set that has any; waits for one where none has.",
		Run:   func(c *Ctx) error { return c.bzpop(true) }},
	{Name: "bzpopmin", Arity: -3, Flags: Write | NoScript | Blocking | Fast, Keys: Keys{First: 1, Last: -2, Step: 1}, Group: "sorted-set", Since: "5.0.0",
		Usage: "key [key ...] timeout",
		Doc:   "Takes the member of lowest score from the first sorted set that has any; waits for one where none has.",
		Run:   func(c *Ctx) error { return c.bzpop(false) }},
	{Name: "zadd", Arity: -4, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "sorted-set", Since: "1.2.0",
		Usage: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
		Doc:   "Adds members with their scores, or gives new scores to members that are there.",
		Run:   func(c *Ctx) error { return c.addScored(false) }},
	{Name: "zcard", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "sorted-set", Since: "1.2.0",
		Usage: "key", Doc: "Counts the members of a sorted set.", Run: zcard},
	{Name: "zcount", Arity: 4, Flags: ReadOnly | Fast, Keys: oneKey, Group: "sorted-set", Since: "2.0.0",
		Usage: "key min max", Doc: "Counts the members whose scores are in a range.",
		Run: func(c *Ctx) error { return c.countRange(keyspace.ByScore) }},
	{Name: "zdiff", Arity: -3, Flags: ReadOnly, Keys: Keys{NumKeys: 1}, Group: "sorted-set", Since: "6.2.0",
		Usage: "numkeys key [key ...] [WITHSCORES]", Doc: "Returns the members of the first sorted set that no other has.",
		Run: func(c *Ctx) error { return c.combineScored(opDiff) }},
	{Name: "zdiffstore", Arity: -4, Flags: Write | DenyOOM, Keys: storeKeys, Group: "sorted-set", Since: "6.2.0",
		Usage: "destination numkeys key [key ...]", Doc: "Stores the members of the first sorted set that no other has.",
		Run: func(c *Ctx) error { return c.storeCombinedScored(opDiff) }},
	{Name: "zincrby", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "sorted-set", Since: "1.2.0",
		Usage: "key increment member", Doc: "Adds to the score of a member, which is 0 for one that is missing.",
		Run: func(c *Ctx) error { return c.addScored(true) }},
	{Name: "zinter", Arity: -3, Flags: ReadOnly, Keys: Keys{NumKeys: 1}, Group: "sorted-set", Since: "6.2.0",
		Usage: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
		Doc:   "Returns the members that all sorted sets have.",
		Run:   func(c *Ctx) error { return c.combineScored(opInter) }},
	{Name: "zintercard", Arity: -3, Flags: ReadOnly, Keys: Keys{NumKeys: 1}, Group: "sorted-set", Since: "7.0.0",
		Usage: "numkeys key [key ...] [LIMIT limit]", Doc: "Counts the members that all sorted sets have.", Run: zinterCard},
	{Name: "zinterstore", Arity: -4, Flags: Write | DenyOOM, Keys: storeKeys, Group: "sorted-set", Since: "2.0.0",
		Usage: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
		Doc:   "Stores the members that all sorted sets have.",
		Run:   func(c *Ctx) error { return c.storeCombinedScored(opInter) }},
	{Name: "zlexcount", Arity: 4, Flags: ReadOnly | Fast, Keys: oneKey, Group: "sorted-set", Since: "2.8.9",
		Usage: "key min max", Doc: "Counts the members in a range by their bytes.",
		Run: func(c *Ctx) error { return c.countRange(keyspace.ByLex) }},
	{Name: "zmpop", Arity: -4, Flags: Write, Keys: Keys{NumKeys: 1}, Group: "sorted-set", Since: "7.0.0",
		Usage: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
		Doc:   "Takes the members of lowest or highest score from the first sorted set that has any.", Run: zmpop},
	{Name: "zmscore", Arity: -3, Flags: ReadOnly | Fast, Keys: oneKey, Group: "sorted-set", Since: "6.2.0",
		Usage: "key member [member ...]", Doc: "Returns the scores of members.", Run: zmscore},
	{Name: "zpopmax", Arity: -2, Flags: Write | Fast, Keys: oneKey, Group: "sorted-set", Since: "5.0.0",
		Usage: "key [count]", Doc: "Takes the members of highest score from a sorted set.",
		Run: func(c *Ctx) error { return c.zpop(true) }},
	{Name: "zpopmin", Arity: -2, Flags: Write | Fast, Keys: oneKey, Group: "sorted-set", Since: "5.0.0",
		Usage: "key [count]", Doc: "Takes the members of lowest score from a sorted set.",
		Run: func(c *Ctx) error { return c.zpop(false) }},
	{Name: "zrandmember", Arity: -2, Flags: ReadOnly, Keys: oneKey, Group: "sorted-set", Since: "6.2.0",
		Usage: "key [count [WITHSCORES]]", Doc: "Picks members of a sorted set at random.", Run: zrandMember},
	{Name: "zrange", Arity: -4, Flags: ReadOnly, Keys: oneKey, Group: "sorted-set", Since: "1.2.0",
		Usage: "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
		Doc:   "Returns the members in a range of ranks, scores or bytes.",
		Run:   func(c *Ctx) error { return c.zrange(1, rangeKind{}) }},
	{Name: "zrangebylex", Arity: -4, Flags: ReadOnly, Keys: oneKey, Group: "sorted-set", Since: "2.8.9",
		Usage: "key min max [LIMIT offset count]", Doc: "Returns the members in a range by their bytes.",
		Run: func(c *Ctx) error { return c.zrange(1, rangeKind{by: keyspace.ByLex, fixed: true}) }},
	{Name: "zrangebyscore", Arity: -4, Flags: ReadOnly, Keys: oneKey, Group: "sorted-set", Since: "1.0.5",
		Usage: "key min max [WITHSCORES] [LIMIT offset count]", Doc: "Returns the members whose scores are in a range.",
		Run: func(c *Ctx) error { return c.zrange(1, rangeKind{by: keyspace.ByScore, fixed: true}) }},
	{Name: "zrangestore", Arity: -5, Flags: Write | DenyOOM, Keys: twoKeys, Group: "sorted-set", Since: "6.2.0",
		Usage: "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
		Doc:   "Stores the members in a range of ranks, scores or bytes.",
		Run:   func(c *Ctx) error { return c.zrange(2, rangeKind{}) }},
	{Name: "zrank", Arity: -3, Flags: ReadOnly | Fast, Keys: oneKey, Group: "sorted-set", Since: "2.0.0",
		Usage: "key member [WITHSCORE]", Doc: "Tells the place of a member, counted from the lowest score.",
		Run: func(c *Ctx) error { return c.zrank(false) }},
	{Name: "zrem", Arity: -3, Flags: Write | Fast, Keys: oneKey, Group: "sorted-set", Since: "1.2.0",
		Usage: "key member [member ...]", Doc: "Removes members from a sorted set.", Run: zrem},
	{Name: "zremrangebylex", Arity: 4, Flags: Write, Keys: oneKey, Group: "sorted-set", Since: "2.8.9",
		Usage: "key min max", Doc: "Removes the members in a range by their bytes.",
		Run: func(c *Ctx) error { return c.removeRange(keyspace.ByLex, "zremrangebylex") }},
	{Name: "zremrangebyrank", Arity: 4, Flags: Write, Keys: oneKey, Group: "sorted-set", Since: "2.0.0",
		Usage: "key start stop", Doc: "Removes the members in a range of ranks.",
		Run: func(c *Ctx) error { return c.removeRange(keyspace.ByRank, "zremrangebyrank") }},
	{Name: "zremrangebyscore", Arity: 4, Flags: Write, Keys: oneKey, Group: "sorted-set", Since: "1.2.0",
		Usage: "key min max", Doc: "Removes the members whose scores are in a range.",
		Run: func(c *Ctx) error { return c.removeRange(keyspace.ByScore, "zremrangebyscore") }},
	{Name: "zrevrange", Arity: -4, Flags: ReadOnly, Keys: oneKey, Group: "sorted-set", Since: "1.2.0",
		Usage: "key start stop [WITHSCORES]", Doc: "Returns the members in a range of ranks, counted from the highest score.",
		Run: func(c *Ctx) error { return c.zrange(1, rangeKind{reverse: true, fixed: true}) }},
	{Name: "zrevrangebylex", Arity: -4, Flags: ReadOnly, Keys: oneKey, Group: "sorted-set", Since: "2.8.9",
		Usage: "key max min [LIMIT offset count]", Doc: "Returns the members in a range by their bytes, the last first.",
		Run: func(c *Ctx) error { return c.zrange(1, rangeKind{by: keyspace.ByLex, reverse: true, fixed: true}) }},
	{Name: "zrevrangebyscore", Arity: -4, Flags: ReadOnly, Keys: oneKey, Group: "sorted-set", Since: "2.2.0",
		Usage: "key max min [WITHSCORES] [LIMIT offset count]",
		Doc:   "Returns the members whose scores are in a range, the highest first.",
		Run:   func(c *Ctx) error { return c.zrange(1, rangeKind{by: keyspace.ByScore, reverse: true, fixed: true}) }},
	{Name: "zrevrank", Arity: -3, Flags: ReadOnly | Fast, Keys: oneKey, Group: "sorted-set", Since: "2.0.0",
		Usage: "key member [WITHSCORE]", Doc: "Tells the place of a member, counted from the highest score.",
		Run: func(c *Ctx) error { return c.zrank(true) }},
	{Name: "zscan", Arity: -3, Flags: ReadOnly, Keys: oneKey, Group: "sorted-set", Since: "2.8.0",
		Usage: "key cursor [MATCH pattern] [COUNT count]", Doc: "Walks over the members of a sorted set a few at a time.", Run: zscan},
	{Name: "zscore", Arity: 3, Flags: ReadOnly | Fast, Keys: oneKey, Group: "sorted-set", Since: "1.2.0",
		Usage: "key member", Doc: "Returns the score of a member.", Run: zscore},
	{Name: "zunion", Arity: -3, Flags: ReadOnly, Keys: Keys{NumKeys: 1}, Group: "sorted-set", Since: "6.2.0",
		Usage: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
		Doc:   "Returns the members that any of the sorted sets has.",
		Run:   func(c *Ctx) error { return c.combineScored(opUnion) }},
	{Name: "zunionstore", Arity: -4, Flags: Write | DenyOOM, Keys: storeKeys, Group: "sorted-set", Since: "2.0.0",
		Usage: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
		Doc:   "Stores the members that any of the sorted sets has.",
		Run:   func(c *Ctx) error { return c.storeCombinedScored(opUnion) }},
}

// zsetScratch is what the commands on sorted sets reuse from call to call. A Range and a visitor that were made in a
// command would be allocations, since they are given to a store.
type zsetScratch struct {
	span  keyspace.Range
	pairs []keyspace.Scored // what ZADD puts

	tell       func(member []byte, score float64) bool // replies with the member and counts it in Ctx.told
	tellRandom func(member []byte, score float64)
	withScores bool // tell adds the score
	nested     bool // tell makes each member with its score an array
}

func (z *zsetScratch) init(c *Ctx) {
	z.tell = func(member []byte, score float64) bool {
		if z.nested {
			c.W.Array(2)
		}
		c.W.Bulk(member)
		if z.withScores {
			c.W.Double(score)
		}
		c.told++
		return true
	}
	z.tellRandom = func(member []byte, score float64) { z.tell(member, score) }
}

// release drops what must not outlive a batch.
func (z *zsetScratch) release() {
	z.span.MinLex, z.span.MaxLex = nil, nil
	clear(z.pairs)
	z.pairs = z.pairs[:0]
	if cap(z.pairs) > 1<<12 {
		z.pairs = nil
	}
}

// tellScored makes ready to reply with members: nested is whether each stands in an array with its score, which
// RESP3 has for all replies with scores. It returns where the reply begins.
func (c *Ctx) tellScored(withScores, nested bool) (mark int) {
	c.zset.withScores, c.zset.nested = withScores, nested
	c.told = 0
	return c.W.Len()
}

// toldScored ends what tellScored began.
func (c *Ctx) toldScored(mark int) {
	n := c.told
	if c.zset.withScores && !c.zset.nested {
		n *= 2
	}
	c.W.Insert(mark, n, (*writer).Array)
}

// addOptions are the options of ZADD.
type addOptions struct {
	nx, xx, gt, lt, ch, incr bool
}

// addOptions reads the words before the scores and tells where those begin.
func (c *Ctx) addOptions(incr bool) (o addOptions, i int, err error) {
	o.incr = incr
	i = 2
words:
	for ; i < len(c.Args); i++ {
		switch {
		case c.is(i, "nx"):
			o.nx = true
		case c.is(i, "xx"):
			o.xx = true
		case c.is(i, "gt"):
			o.gt = true
		case c.is(i, "lt"):
			o.lt = true
		case c.is(i, "ch"):
			o.ch = true
		case c.is(i, "incr"):
			o.incr = true
		default:
			break words
		}
	}
	n := len(c.Args) - i
	switch {
	case n == 0 || n%2 != 0:
		err = ErrSyntax
	case o.nx && o.xx:
		err = Refusal("ERR XX and NX options at the same time are not compatible")
	case o.gt && o.nx || o.lt && o.nx || o.gt && o.lt:
		err = Refusal("ERR GT, LT, and/or NX options at the same time are not compatible")
	case o.incr && n > 2:
		err = Refusal("ERR INCR option supports a single increment-element pair")
	}
	return o, i, err
}

// bars reports whether the options forbid to make score of the score old, which is NaN for a member that is missing.
func (o *addOptions) bars(old, score float64) bool {
	if math.IsNaN(old) {
		return o.xx
	}
	return o.nx || o.gt && score <= old || o.lt && score >= old
}

// addScored is ZADD, and ZINCRBY where incr is set.
func (c *Ctx) addScored(incr bool) error {
	z := &c.zset
	o, i, err := c.addOptions(incr)
	if err != nil {
		return err
	}
	z.pairs = z.pairs[:0]
	for ; i < len(c.Args); i += 2 {
		score, err := c.float(i)
		if err != nil {
			return err
		}
		z.pairs = append(z.pairs, keyspace.Scored{Member: c.Args[i+1], Score: score})
	}
	return c.addPairs(c.Args[1], o)
}

// addPairs puts the pairs in c.zset into the sorted set at a key, as far as the options let it, and replies.
func (c *Ctx) addPairs(key []byte, o addOptions) error {
	z := &c.zset
	if len(z.pairs) > 1 {
		// A member may be named again, and then builds on what it was before in the same call. In this order it
		// stands behind itself.
		slices.SortStableFunc(z.pairs, func(a, b keyspace.Scored) int { return bytes.Compare(a.Member, b.Member) })
	}
	c.values = c.values[:0]
	for _, p := range z.pairs {
		c.values = append(c.values, p.Member)
	}
	set, err := c.Tx.SortedSet(key)
	if err != nil {
		return err
	}
	if c.floats, err = set.Scores(c.values, c.floats[:0]); err != nil {
		return err
	}

	added, updated, barred := 0, 0, 0
	changed := z.pairs[:0]
	var old, score float64
	for i, p := range z.pairs {
		if i == 0 || !bytes.Equal(c.values[i], c.values[i-1]) {
			old = c.floats[i]
		}
		score = p.Score
		if o.incr && !math.IsNaN(old) {
			if score += old; math.IsNaN(score) {
				return Refusal("ERR resulting score is not a number (NaN)")
			}
		}
		switch {
		case o.bars(old, score):
			barred++
			continue
		case math.IsNaN(old):
			added++
		case score == old:
			continue
		default:
			updated++
		}
		old = score
		changed = append(changed, keyspace.Scored{Member: p.Member, Score: score})
	}
	if len(changed) > 0 {
		if err := putScored(set, changed); err != nil {
			return err
		}
		if o.incr {
			c.Event(EventZSet, "zincr", key)
		} else {
			c.Event(EventZSet, "zadd", key)
		}
	}
	switch {
	case o.incr && barred > 0:
		c.W.Null()
	case o.incr:
		c.W.Double(score)
	case o.ch:
		c.W.Int(int64(added + updated))
	default:
		c.W.Int(int64(added))
	}
	return nil
}

// putScored stores members. A negative zero becomes a zero, as in Redis's small sorted sets.
func putScored(set keyspace.SortedSetKey, pairs []keyspace.Scored) error {
	for i := range pairs {
		if pairs[i].Score == 0 {
			pairs[i].Score = 0
		}
	}
	_, err := set.Put(pairs)
	return err
}

func zrem(c *Ctx) error {
	set, err := c.Tx.SortedSet(c.Args[1])
	if err != nil {
		return err
	}
	n, err := set.Remove(c.Args[2:])
	if err != nil {
		return err
	}
	c.W.Int(int64(n))
	if n == 0 {
		return nil
	}
	return c.removed(EventZSet, "zrem", c.Args[1], set)
}

func zcard(c *Ctx) error {
	set, err := c.Tx.SortedSet(c.Args[1])
	if err != nil {
		return err
	}
	return c.count(set.Len())
}

// scores asks for the scores of the members from argument 2 on.
func (c *Ctx) scores() error {
	set, err := c.Tx.SortedSet(c.Args[1])
	if err != nil {
		return err
	}
	c.floats, err = set.Scores(c.Args[2:], c.floats[:0])
	return err
}

// scoreOrNull replies with a score that Scores returned.
func (c *Ctx) scoreOrNull(score float64) {
	if math.IsNaN(score) {
		c.W.Null()
	} else {
		c.W.Double(score)
	}
}

func zscore(c *Ctx) error {
	if err := c.scores(); err != nil {
		return err
	}
	c.scoreOrNull(c.floats[0])
	return nil
}

func zmscore(c *Ctx) error {
	if err := c.scores(); err != nil {
		return err
	}
	c.W.Array(len(c.floats))
	for _, score := range c.floats {
		c.scoreOrNull(score)
	}
	return nil
}

func (c *Ctx) zrank(reverse bool) error {
	withScore := false
	switch {
	case len(c.Args) > 4:
		return wrongArity(c.Row)
	case len(c.Args) == 4 && !c.is(3, "withscore"):
		return ErrSyntax
	case len(c.Args) == 4:
		withScore = true
	}
	set, err := c.Tx.SortedSet(c.Args[1])
	if err != nil {
		return err
	}
	rank, score, ok, err := set.Rank(c.Args[2], reverse)
	switch {
	case err != nil:
		return err
	case !ok && withScore:
		c.W.NullArray()
	case !ok:
		c.W.Null()
	case withScore:
		c.W.Array(2)
		c.W.Int(int64(rank))
		c.W.Double(score)
	default:
		c.W.Int(int64(rank))
	}
	return nil
}

// popScored replies with up to n members from one end of a sorted set, and removes them.
func (c *Ctx) popScored(key []byte, set keyspace.SortedSetKey, n int, highest, nested bool) error {
	span := &c.zset.span
	mark := c.tellScored(true, nested)
	if n > 0 {
		*span = keyspace.Range{Stop: n - 1, Reverse: highest, Count: -1}
		if err := set.Range(span, c.zset.tell); err != nil {
			return err
		}
	}
	n = c.told
	c.toldScored(mark)
	if n == 0 {
		return nil
	}
	event := "zpopmin"
	*span = keyspace.Range{Stop: n - 1, Count: -1}
	if highest {
		event = "zpopmax"
		*span = keyspace.Range{Start: -n, Stop: -1, Count: -1}
	}
	if _, err := set.RemoveRange(span); err != nil {
		return err
	}
	return c.removed(EventZSet, event, key, set)
}

func (c *Ctx) zpop(highest bool) error {
	if len(c.Args) > 3 {
		return ErrSyntax
	}
	n, nested := 1, false
	if len(c.Args) == 3 {
		var err error
		if n, err = c.positive(2); err != nil {
			return err
		}
		nested = c.W.RESP3()
	}
	set, err := c.Tx.SortedSet(c.Args[1])
	if err != nil {
		return err
	}
	return c.popScored(c.Args[1], set, n, highest, nested)
}

// zmpop is ZMPOP and, where it blocks, BZMPOP, whose number of keys is argument i.
func (c *Ctx) zmpop(i int, blocks bool) error {
	numKeys, err := c.atLeastOne(i, "numkeys")
	if err != nil {
		return err
	}
	if numKeys > len(c.Args)-i-2 { // a word has to follow the keys
		return ErrSyntax
	}
	keys := c.Args[i+1 : i+1+numKeys]
	i += 1 + numKeys
	highest := c.is(i, "max")
	if !highest && !c.is(i, "min") {
		return ErrSyntax
	}
	n := 1
	if i++; i < len(c.Args) {
		if !c.is(i, "count") || i+1 == len(c.Args) {
			return ErrSyntax
		}
		if n, err = c.atLeastOne(i+1, "count"); err != nil {
			return err
		}
		if i+2 < len(c.Args) {
			return ErrSyntax
		}
	}
	timeout, err := c.timeoutOf(blocks)
	if err != nil {
		return err
	}
	if i, err = c.firstOf(keys, keyspace.SortedSet); err != nil {
		return err
	}
	if i < 0 {
		return c.nothing(keys, blocks, timeout)
	}
	set, err := c.Tx.SortedSet(keys[i])
	if err != nil {
		return err
	}
	c.W.Array(2)
	c.W.Bulk(keys[i])
	return c.popScored(keys[i], set, n, highest, true)
}

func zmpop(c *Ctx) error { return c.zmpop(1, false) }

func bzmpop(c *Ctx) error { return c.zmpop(2, true) }

// bzpop is BZPOPMIN and BZPOPMAX.
func (c *Ctx) bzpop(highest bool) error {
	last := len(c.Args) - 1
	timeout, err := c.seconds(last)
	if err != nil {
		return err
	}
	keys := c.Args[1:last]
	i, err := c.firstOf(keys, keyspace.SortedSet)
	if err != nil {
		return err
	}
	if i < 0 {
		return c.wait(awaited{keys: keys, timeout: timeout})
	}
	set, err := c.Tx.SortedSet(keys[i])
	if err != nil {
		return err
	}
	// The key, the member and its score in one array: that of the member alone makes room for the key.
	mark := c.W.Len()
	if err := c.popScored(keys[i], set, 1, highest, false); err != nil {
		return err
	}
	pair := append([]byte(nil), c.W.Buf[mark+len("*2\r\n"):]...)
	c.W.Truncate(mark)
	c.W.Array(3)
	c.W.Bulk(keys[i])
	c.W.Raw(pair)
	return nil
}

func zrandMember(c *Ctx) error {
	n, withScores := 1, len(c.Args) == 4
	if len(c.Args) > 2 {
		var err error
		if n, err = c.signedCount(2); err != nil {
			return err
		}
		switch {
		case len(c.Args) > 4 || withScores && !c.is(3, "withscores"):
			return ErrSyntax
		case withScores && (n < -math.MaxInt/2 || n > math.MaxInt/2):
			return Refusal("ERR value is out of range")
		}
	}
	set, err := c.Tx.SortedSet(c.Args[1])
	if err != nil {
		return err
	}
	mark := c.tellScored(withScores, withScores && c.W.RESP3())
	if n != 0 {
		if err := set.Random(n, c.zset.tellRandom); err != nil {
			return err
		}
	}
	switch {
	case len(c.Args) > 2:
		c.toldScored(mark)
	case c.told == 0:
		c.W.Null()
	}
	return nil
}

func zscan(c *Ctx) error {
	o, argsErr := c.scanArgs(2)
	if argsErr == errCursor {
		return argsErr
	}
	set, err := c.Tx.SortedSet(c.Args[1])
	if done, err := c.scanOpen(argsErr, set, err); done || err != nil {
		return err
	}
	return c.scanReply(&o, func(n *int) (uint64, error) {
		return set.Scan(o.cursor, o.count, func(member []byte, score float64) {
			if !o.wants(member) {
				return
			}
			// Text in RESP3 too.
			c.num = resp.AppendDouble(c.num[:0], score)
			c.W.Bulk(member)
			c.W.Bulk(c.num)
			*n += 2
		})
	})
}
