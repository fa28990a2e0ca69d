// Ranges of sorted sets: by rank, by score, and by the bytes of members of equal score.
package command

import (
	"github.com/redbud-go/redbud/internal/keyspace"
)

// span reads two arguments as the bounds of a range, into the scratch.
func (c *Ctx) span(by keyspace.By, low, high int) error {
	span := &c.zset.span
	*span = keyspace.Range{By: by, Count: -1}
	lo, hi := c.Args[low], c.Args[high]
	switch by {
	case keyspace.ByScore:
		okMin, okMax := false, false
		span.Min, span.MinOpen, okMin = scoreBound(lo)
		span.Max, span.MaxOpen, okMax = scoreBound(hi)
		if !okMin || !okMax {
			return Refusal("ERR min or max is not a float")
		}
	case keyspace.ByLex:
		if !lexBounds(span, lo, hi) {
			return Refusal("ERR min or max not valid string range item")
		}
	default:
		start, ok := parseInt(lo)
		stop, okStop := parseInt(hi)
		if !ok || !okStop {
			return ErrNotInteger
		}
		span.Start, span.Stop = int(start), int(stop)
	}
	return nil
}

// scoreBound reads "1.5" or "(1.5". It takes what strtod takes, which is more than a score may be: no digits at all
// are 0, white space may lead, what is too large is infinite.
func scoreBound(b []byte) (f float64, open, ok bool) {
	if len(b) > 0 && b[0] == '(' {
		open, b = true, b[1:]
	}
	if len(b) == 0 {
		return 0, open, true
	}
	for len(b) > 1 && (b[0] == ' ' || '\t' <= b[0] && b[0] <= '\r') {
		b = b[1:]
	}
	f, _, ok = strtod(b)
	return f, open, ok
}

// lexBounds reads "[a", "(a", "-" and "+".
func lexBounds(span *keyspace.Range, lo, hi []byte) bool {
	lowest, okMin := lexBound(lo)
	highest, okMax := lexBound(hi)
	if !okMin || !okMax {
		return false
	}
	if lo[0] == '+' || hi[0] == '-' {
		// Nothing is above the highest or below the lowest, as nothing is below the empty member.
		span.MinOpen, span.MaxOpen = true, true
		return true
	}
	span.MinLex, span.MinOpen, span.MinFree = lowest, lo[0] == '(', lo[0] == '-'
	span.MaxLex, span.MaxOpen, span.MaxFree = highest, hi[0] == '(', hi[0] == '+'
	return true
}

// lexBound returns the bytes that a bound names.
func lexBound(b []byte) (_ []byte, ok bool) {
	switch {
	case len(b) == 0:
		return nil, false
	case b[0] == '[' || b[0] == '(':
		return b[1:], true
	}
	return nil, len(b) == 1 && (b[0] == '-' || b[0] == '+')
}

func (c *Ctx) countRange(by keyspace.By) error {
	if err := c.span(by, 2, 3); err != nil {
		return err
	}
	set, err := c.Tx.SortedSet(c.Args[1])
	if err != nil {
		return err
	}
	return c.count(set.Count(&c.zset.span))
}

func (c *Ctx) removeRange(by keyspace.By, event string) error {
	if err := c.span(by, 2, 3); err != nil {
		return err
	}
	set, err := c.Tx.SortedSet(c.Args[1])
	if err != nil {
		return err
	}
	n, err := set.RemoveRange(&c.zset.span)
	if err != nil {
		return err
	}
	c.W.Int(int64(n))
	if n == 0 {
		return nil
	}
	return c.removed(EventZSet, event, c.Args[1], set)
}

// rangeKind is what the name of a command settles of its range. A fixed one takes no BYSCORE, BYLEX and REV.
type rangeKind struct {
	by             keyspace.By
	reverse, fixed bool
}

// zrange is the ZRANGE family. src is the argument with the key; ZRANGESTORE has its destination before it.
func (c *Ctx) zrange(src int, kind rangeKind) error {
	store := src == 2
	withScores, err := c.rangeArgs(src, kind)
	if err != nil {
		return err
	}
	set, err := c.Tx.SortedSet(c.Args[src])
	if err != nil {
		return err
	}
	z := &c.zset
	if store {
		var pairs []keyspace.Scored
		var own copies
		err := set.Range(&z.span, func(member []byte, score float64) bool {
			pairs = append(pairs, keyspace.Scored{Member: own.of(member), Score: score})
			return true
		})
		if err != nil {
			return err
		}
		return c.storeScored(c.Args[1], pairs, "zrangestore")
	}
	mark := c.tellScored(withScores, withScores && c.W.RESP3())
	if err := set.Range(&z.span, z.tell); err != nil {
		return err
	}
	c.toldScored(mark)
	return nil
}

// rangeArgs reads the bounds and the options of the ZRANGE family into the scratch.
func (c *Ctx) rangeArgs(src int, kind rangeKind) (withScores bool, err error) {
	store := src == 2
	typed := kind.fixed
	offset, limit := int64(0), int64(-1)
	for i := src + 3; i < len(c.Args); i++ {
		switch {
		case !store && c.is(i, "withscores"):
			withScores = true
		case i+2 < len(c.Args) && c.is(i, "limit"):
			if offset, err = c.integer(i + 1); err != nil {
				return false, err
			}
			if limit, err = c.integer(i + 2); err != nil {
				return false, err
			}
			i += 2
		case !kind.fixed && c.is(i, "rev") && !kind.reverse:
			kind.reverse = true
		case !typed && c.is(i, "bylex"):
			kind.by, typed = keyspace.ByLex, true
		case !typed && c.is(i, "byscore"):
			kind.by, typed = keyspace.ByScore, true
		default:
			return false, ErrSyntax
		}
	}
	switch {
	case limit != -1 && kind.by == keyspace.ByRank:
		return false, Refusal("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
	case withScores && kind.by == keyspace.ByLex:
		return false, Refusal("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
	}
	low, high := src+1, src+2
	if kind.reverse && kind.by != keyspace.ByRank {
		low, high = high, low
	}
	if err := c.span(kind.by, low, high); err != nil {
		return false, err
	}
	if offset < 0 {
		offset, limit = 0, 0 // nothing, as in Redis
	}
	span := &c.zset.span
	span.Reverse = kind.reverse
	if kind.by != keyspace.ByRank {
		span.Offset, span.Count = int(offset), int(limit)
	}
	return withScores, nil
}

// storeScored puts a sorted set in place of whatever is at a key, or deletes that where it would be empty, and
// replies with its size. The members must not be the store's.
func (c *Ctx) storeScored(dst []byte, pairs []keyspace.Scored, event string) error {
	c.uncounted()
	c.W.Int(int64(len(pairs)))
	if len(pairs) == 0 {
		return c.drop(dst)
	}
	if _, err := c.Tx.Delete(c.keys1(dst)); err != nil {
		return err
	}
	set, err := c.Tx.SortedSet(dst)
	if err != nil {
		return err
	}
	if err := putScored(set, pairs); err != nil {
		return err
	}
	c.Event(EventZSet, event, dst)
	return nil
}
