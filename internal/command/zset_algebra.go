// Unions, intersections and differences of sorted sets. Plain sets take part: their members have score 1.
package command

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// algebraOp is what a command makes of its sources.
type algebraOp uint8

const (
	opUnion algebraOp = iota
	opInter
	opDiff
)

// source is one input. Both sets are nil for a missing key.
type source struct {
	sorted keyspace.SortedSetKey
	set    keyspace.SetKey
	size   int
	weight float64
}

// aggregate is how the scores of one member become one.
type aggregate func(a, b float64) float64

func aggregateSum(a, b float64) float64 {
	if sum := a + b; !math.IsNaN(sum) {
		return sum
	}
	return 0 // inf-inf
}

// Not the builtins min and max: a weighted score may be NaN, 0*inf, and then the other one stays.

func aggregateMin(a, b float64) float64 {
	if b < a {
		return b
	}
	return a
}

func aggregateMax(a, b float64) float64 {
	if b > a {
		return b
	}
	return a
}

// algebra is a call of ZUNION or its kin.
type algebra struct {
	op         algebraOp
	sources    []source
	aggregate  aggregate
	withScores bool
	limit      int // ZINTERCARD; 0: none
}

// combineScored is ZUNION, ZINTER and ZDIFF.
func (c *Ctx) combineScored(op algebraOp) error {
	q, err := c.algebra(op, 1)
	if err != nil {
		return err
	}
	pairs, err := q.run()
	if err != nil {
		return err
	}
	slices.SortFunc(pairs, func(a, b keyspace.Scored) int {
		return cmp.Or(cmp.Compare(a.Score, b.Score), bytes.Compare(a.Member, b.Member))
	})
	mark := c.tellScored(q.withScores, q.withScores && c.W.RESP3())
	for _, p := range pairs {
		c.zset.tell(p.Member, p.Score)
	}
	c.toldScored(mark)
	return nil
}

// storeCombinedScored is ZUNIONSTORE, ZINTERSTORE and ZDIFFSTORE.
func (c *Ctx) storeCombinedScored(op algebraOp) error {
	q, err := c.algebra(op, 2)
	if err != nil {
		return err
	}
	pairs, err := q.run()
	if err != nil {
		return err
	}
	return c.storeScored(c.Args[1], pairs, c.Row.Name)
}

func zinterCard(c *Ctx) error {
	q, err := c.algebra(opInter, 1)
	if err != nil {
		return err
	}
	pairs, err := q.run()
	n := len(pairs)
	if q.limit > 0 {
		n = min(n, q.limit)
	}
	return c.count(n, err)
}

// algebra reads a call whose number of keys is argument i. As in Redis, a key of a wrong type is refused before
// the options are read.
func (c *Ctx) algebra(op algebraOp, i int) (*algebra, error) {
	numKeys, err := c.integer(i)
	switch {
	case err != nil:
		return nil, err
	case numKeys < 1:
		return nil, Refusal("ERR at least 1 input key is needed for '" + c.Row.FullName() + "' command")
	case numKeys > int64(len(c.Args)-i-1):
		return nil, ErrSyntax
	}
	i++
	q := &algebra{op: op, aggregate: aggregateSum}
	if err := c.openSources(q, c.Args[i:i+int(numKeys)]); err != nil {
		return nil, err
	}
	return q, c.algebraOptions(q, i+int(numKeys))
}

// openSources opens the keys of a call.
func (c *Ctx) openSources(q *algebra, keys [][]byte) error {
	var err error
	if c.entries, err = c.Tx.Entries(keys, c.entries[:0]); err != nil {
		return err
	}
	c.uncounted()
	q.sources = make([]source, len(keys))
	for i, key := range keys {
		s := &q.sources[i]
		s.weight = 1
		switch c.entries[i].Type {
		case keyspace.None:
		case keyspace.SortedSet:
			if s.sorted, err = c.Tx.SortedSet(key); err == nil {
				s.size, err = s.sorted.Len()
			}
		case keyspace.Set:
			if s.set, err = c.Tx.Set(key); err == nil {
				s.size, err = s.set.Len()
			}
		default:
			return ErrWrongType
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// algebraOptions reads the words from argument i on.
func (c *Ctx) algebraOptions(q *algebra, i int) error {
	card, store := c.Row.Name == "zintercard", c.Row.Flags&Write != 0
	scored := q.op != opDiff && !card
	for ; i < len(c.Args); i++ {
		left := len(c.Args) - i - 1
		switch {
		case scored && left >= len(q.sources) && c.is(i, "weights"):
			for j := range q.sources {
				i++
				var ok bool
				if q.sources[j].weight, ok = parseFloat(c.Args[i]); !ok {
					return Refusal("ERR weight value is not a float")
				}
			}
		case scored && left >= 1 && c.is(i, "aggregate"):
			i++
			switch {
			case c.is(i, "sum"):
				q.aggregate = aggregateSum
			case c.is(i, "min"):
				q.aggregate = aggregateMin
			case c.is(i, "max"):
				q.aggregate = aggregateMax
			default:
				return ErrSyntax
			}
		case !card && !store && c.is(i, "withscores"):
			q.withScores = true
		case card && left >= 1 && c.is(i, "limit"):
			i++
			n, ok := parseInt(c.Args[i])
			if !ok || n < 0 {
				return Refusal("ERR LIMIT can't be negative")
			}
			q.limit = int(n)
		default:
			return ErrSyntax
		}
	}
	return nil
}

// run returns copies of the members of the result, in no order.
func (q *algebra) run() ([]keyspace.Scored, error) {
	if q.op != opDiff {
		// The smallest comes first: it bounds an intersection. The order also shows in sums, which Redis adds up
		// in this one.
		slices.SortStableFunc(q.sources, func(a, b source) int { return cmp.Compare(a.size, b.size) })
	}
	switch q.op {
	case opUnion:
		return q.union()
	case opInter:
		return q.inter()
	}
	return q.diff()
}

func (q *algebra) union() ([]keyspace.Scored, error) {
	size := q.sources[len(q.sources)-1].size
	pairs := make([]keyspace.Scored, 0, size)
	place := make(map[string]int, size) // of a member in pairs
	var own copies
	for i := range q.sources {
		s := &q.sources[i]
		err := s.each(func(member []byte, score float64) {
			score = s.weighted(score)
			if at, ok := place[string(member)]; ok {
				pairs[at].Score = q.aggregate(pairs[at].Score, score)
				return
			}
			place[string(member)] = len(pairs)
			pairs = append(pairs, keyspace.Scored{Member: own.of(member), Score: score})
		})
		if err != nil {
			return nil, err
		}
	}
	return pairs, nil
}

func (q *algebra) inter() ([]keyspace.Scored, error) {
	first := &q.sources[0]
	pairs, err := first.all()
	for i := range pairs {
		pairs[i].Score = first.weighted(pairs[i].Score)
	}
	for i := range q.sources[1:] {
		s := &q.sources[1+i]
		if err == nil {
			pairs, err = s.filter(pairs, func(p *keyspace.Scored, score float64) bool {
				if math.IsNaN(score) {
					return false
				}
				p.Score = q.aggregate(p.Score, score*s.weight)
				return true
			})
		}
	}
	return pairs, err
}

func (q *algebra) diff() ([]keyspace.Scored, error) {
	pairs, err := q.sources[0].all()
	for i := range q.sources[1:] {
		if err == nil {
			pairs, err = q.sources[1+i].filter(pairs, func(_ *keyspace.Scored, score float64) bool {
				return math.IsNaN(score)
			})
		}
	}
	return pairs, err
}

// weighted is a score of the source times its weight.
func (s *source) weighted(score float64) float64 {
	if score *= s.weight; math.IsNaN(score) {
		return 0 // 0*inf
	}
	return score
}

// each visits the members.
func (s *source) each(f func(member []byte, score float64)) error {
	switch {
	case s.sorted != nil:
		everything := keyspace.Range{Stop: -1, Count: -1}
		return s.sorted.Range(&everything, func(member []byte, score float64) bool {
			f(member, score)
			return true
		})
	case s.set != nil:
		return s.set.Each(func(member []byte) { f(member, 1) })
	}
	return nil
}

// all returns copies of the members.
func (s *source) all() ([]keyspace.Scored, error) {
	var own copies
	pairs := make([]keyspace.Scored, 0, s.size)
	err := s.each(func(member []byte, score float64) {
		pairs = append(pairs, keyspace.Scored{Member: own.of(member), Score: score})
	})
	return pairs, err
}

// filter keeps, in place, the pairs for which keep returns true, given the score that the member has in the source,
// NaN if it is not there.
func (s *source) filter(pairs []keyspace.Scored, keep func(p *keyspace.Scored, score float64) bool) ([]keyspace.Scored, error) {
	if len(pairs) == 0 {
		return pairs, nil
	}
	scores, err := s.scores(pairs)
	if err != nil {
		return nil, err
	}
	kept := pairs[:0]
	for i := range pairs {
		if keep(&pairs[i], scores[i]) {
			kept = append(kept, pairs[i])
		}
	}
	return kept, nil
}

// scores returns the score of each member in the source, NaN for one that is not there.
func (s *source) scores(pairs []keyspace.Scored) ([]float64, error) {
	members := make([][]byte, len(pairs))
	for i, p := range pairs {
		members[i] = p.Member
	}
	scores := make([]float64, 0, len(pairs))
	switch {
	case s.sorted != nil:
		return s.sorted.Scores(members, scores)
	case s.set == nil:
		for range members {
			scores = append(scores, math.NaN())
		}
		return scores, nil
	}
	found, err := s.set.Contains(members, make([]bool, 0, len(members)))
	for _, ok := range found {
		if ok {
			scores = append(scores, 1)
		} else {
			scores = append(scores, math.NaN())
		}
	}
	return scores, err
}
