// Sorted sets: members with scores, in two orders: by hash for one of them, by score and then by bytes for ranges and ranks.
//
// SQLite makes a zero of a negative one. Both are equal here, and commands store no negative ones.

package sqlstore

import (
	"fmt"
	"math"
	"strings"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var (
	zsetScore = query(`SELECT score FROM redbud_zset WHERE collection = ? AND hash = ? AND {member} = {?}`)
	zsetAdd   = query(`INSERT INTO redbud_zset (collection, hash, member, score) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`).
			onMySQL(`INSERT IGNORE INTO redbud_zset (collection, hash, member, member_short, score) VALUES (?1, ?2, ?3, {?3}, ?4)`)
	zsetChange = query(`INSERT INTO redbud_zset (collection, hash, member, score) VALUES (?, ?, ?, ?) ON CONFLICT (collection, hash, {member}) DO UPDATE SET score = excluded.score WHERE redbud_zset.score <> excluded.score`).
			onMySQL(`UPDATE redbud_zset SET score = ?4 WHERE collection = ?1 AND hash = ?2 AND {member} = {?3} AND score <> ?4`)
	zsetRemove = query(`DELETE FROM redbud_zset WHERE collection = ? AND hash = ? AND {member} = {?}`)
	zsetKind   = newKind(`member, score`, `redbud_zset`, `member`, ``)
)

// The orders of members.
const (
	upward   = ` ORDER BY score, [member]`
	downward = ` ORDER BY score DESC, [member DESC]`
)

const part = ` LIMIT ? OFFSET ?`

// reading is a statement that reads members with their scores. It is told how many, and after how many others.
type reading struct {
	*Query
	all  *Query // all of them, for zsetrough.go
	down bool   // which are in descending order
	back bool   // but come in the opposite one
}

// selection is the statements for the members under a condition.
type selection struct {
	read   [2]reading // upward, downward
	count  *Query
	remove *Query
}

// What MySQL reads where members are short, which an index has all of.
const (
	members      = `SELECT member, score`
	membersShort = `SELECT member_short, score`
)

// newSelection makes the statements for a condition. MySQL may want it written in another way, with numbers up to a last one.
func newSelection(condition, mysql string, last int) selection {
	build := func(what, whatShort, rest string) *Query {
		const from = ` FROM redbud_zset WHERE collection = ?`
		q := query(what + from + condition + rest)
		if mysql == `` {
			return q.onMySQL(whatShort + from + condition + rest)
		}
		rest = strings.Replace(rest, part, fmt.Sprintf(` LIMIT ?%d OFFSET ?%d`, last+1, last+2), 1)
		return q.onMySQL(whatShort + from + `1` + mysql + rest)
	}
	return selection{
		read: [2]reading{
			{Query: build(members, membersShort, upward+part), all: build(members, members, upward)},
			{Query: build(members, membersShort, downward+part), all: build(members, members, downward), down: true},
		},
		count:  build(`SELECT count(*)`, `SELECT count(*)`, ``),
		remove: build(`DELETE`, `DELETE`, ``),
	}
}

// zsetByScore is by whether the minimum and the maximum are open.
var zsetByScore = [2][2]selection{
	{newSelection(` AND score >= ? AND score <= ?`, ``, 0), newSelection(` AND score >= ? AND score < ?`, ``, 0)},
	{newSelection(` AND score > ? AND score <= ?`, ``, 0), newSelection(` AND score > ? AND score < ?`, ``, 0)},
}

// zsetByLex is by what bound the minimum and the maximum are: none, closed, open.
var zsetByLex = [3][3]selection{
	{newLexSelection(``, ``), newLexSelection(``, `<=`), newLexSelection(``, `<`)},
	{newLexSelection(`>=`, ``), newLexSelection(`>=`, `<=`), newLexSelection(`>=`, `<`)},
	{newLexSelection(`>`, ``), newLexSelection(`>`, `<=`), newLexSelection(`>`, `<`)},
}

// newLexSelection compares members with a minimum and a maximum; an empty operator: there is none. A bound is compared twice, once
// together with the score at that end: this says nothing new, but where all scores are equal it leads the index to the bound.
//
// MySQL finds no way through an index by a pair, and what it has of long members there is only as good as their beginning: a bound for
// that is never open, and an upper one has as many of the highest byte behind the beginning as may be.
func newLexSelection(low, high string) selection {
	condition, mysql, last := ``, ``, 1
	add := func(end, op, beyond, bound string) {
		if op == `` {
			return
		}
		score := `(SELECT ` + end + `(score) FROM redbud_zset WHERE collection = `
		condition += ` AND (score, [member]) ` + op + ` (` + score + `?), [?]) AND member ` + op + ` ?`
		collection, name := fmt.Sprint(`?`, last+1), fmt.Sprint(`?`, last+2)
		last += 3
		score += collection + `)`
		mysql += ` AND (score ` + beyond + ` ` + score + ` OR score = ` + score + ` AND member_short ` + beyond + `= ` + strings.ReplaceAll(bound, `name`, name) + `) AND member ` + op + ` ` + fmt.Sprint(`?`, last)
	}
	add(`min`, low, `>`, `left(name, 736)`)
	add(`max`, high, `<`, `if(length(name) < 736, name, concat(left(name, 736), repeat(x'ff', 32)))`)
	return newSelection(condition, mysql, last)
}

// ranking is the statements for ranks that are counted from one end. They are told how many members, and after how many others.
type ranking struct {
	read      reading // in the order from that end
	readBack  reading // in the opposite order
	remove    *Query  // none of them where the order is rough and there is a member that is unsure
	rank      *Query  // the score of a member, and how many are before it
	rankExact *Query  // of a member that is unsure
}

func newRanking(order, back, before string) ranking {
	const which = `collection, hash, {member}`
	from := ` FROM redbud_zset WHERE collection = ?` + order
	all, down := query(members+from), order == downward
	rank := `SELECT score, (SELECT count(*) FROM redbud_zset AS b WHERE b.collection = a.collection AND (b.score, [b.member]) ` + before + ` (a.score, [a.member])) ` +
		`FROM redbud_zset AS a WHERE collection = ? AND hash = ? AND {member} = {?}`
	// A row that is constant, and those before it in the index, to which MySQL finds no way by a pair.
	rankMySQL := func(member string) string {
		return `SELECT a.score, count(b.score) FROM redbud_zset AS a LEFT JOIN redbud_zset AS b ON b.collection = ?1 AND ` +
			`(b.score ` + before + ` a.score OR b.score = a.score AND b.` + member + ` ` + before + ` a.` + member + `) ` +
			`WHERE a.collection = ?1 AND a.hash = ?2 AND a.member_short = {?3} GROUP BY a.score`
	}
	return ranking{
		read: reading{Query: query(members + from + part).onMySQL(membersShort + from + part), all: all, down: down},
		readBack: reading{Query: query(members + ` FROM (` + members + from + part + `) AS part` + back).
			onMySQL(membersShort + ` FROM (` + membersShort + from + part + `) AS part` + back), all: all, down: down, back: true},
		remove: query(`DELETE FROM redbud_zset WHERE (` + which + `) IN (SELECT ` + which + from + part + `)`).
			onMySQL(`DELETE z FROM redbud_zset AS z JOIN (SELECT ` + which + `, max(length(member_short)) OVER () AS longest FROM (SELECT ` + which + from + part + `) AS part) AS gone ` +
				`ON longest < 736 AND z.collection = gone.collection AND z.hash = gone.hash AND z.member_short = gone.member_short`),
		rank:      query(rank).onMySQL(rankMySQL(`member_short`)),
		rankExact: query(rank).onMySQL(rankMySQL(`member`)),
	}
}

// zsetRanking is from the lowest member and from the highest.
var zsetRanking = [2]ranking{newRanking(upward, downward, `<`), newRanking(downward, upward, `>`)}

// zsetKey implements keyspace.SortedSetKey.
type zsetKey struct {
	t *tx
	m *meta
}

// SortedSet implements keyspace.Tx.
func (t *tx) SortedSet(key []byte) (keyspace.SortedSetKey, error) {
	m, err := t.collection(key, keyspace.SortedSet)
	if err != nil {
		return nil, err
	}
	return &zsetKey{t, m}, nil
}

func (k *zsetKey) Len() (int, error) { return int(k.m.len), nil }

func (k *zsetKey) Scores(members [][]byte, dst []float64) ([]float64, error) {
	from := len(dst)
	for range members {
		dst = append(dst, math.NaN())
	}
	if k.m.id == 0 || len(members) == 0 {
		return dst, nil
	}
	_, err := k.t.run(zsetScore, k.t.named(k.m, members), func(i int, r Row) error { dst[from+i] = r.Float(0); return nil })
	return dst, err
}

// Put adds first, as that tells how many are new; what was there, or comes twice, has its score changed by a second statement.
func (k *zsetKey) Put(members []keyspace.Scored) (int, error) {
	if len(members) == 0 {
		return 0, nil
	}
	if err := k.t.open(k.m, keyspace.SortedSet); err != nil {
		return 0, err
	}
	args := k.t.args[:0]
	for _, s := range members {
		args = append(args, integer(k.m.collection), integer(hashOf(s.Member)), blob(s.Member), number(s.Score))
	}
	k.t.args = args
	added, err := k.t.run(zsetAdd, args, nil)
	if err != nil {
		return 0, err
	}
	changed := int64(0)
	if added < int64(len(members)) {
		if changed, err = k.t.run(zsetChange, args, nil); err != nil {
			return 0, err
		}
	}
	if added+changed == 0 {
		return 0, nil
	}
	return int(added), k.t.grow(k.m, int(added))
}

func (k *zsetKey) Remove(members [][]byte) (int, error) {
	if k.m.id == 0 || len(members) == 0 {
		return 0, nil
	}
	n, err := k.t.run(zsetRemove, k.t.named(k.m, members), nil)
	return k.removed(n, err)
}

// removed ends a removal of n members.
func (k *zsetKey) removed(n int64, err error) (int, error) {
	if err != nil || n == 0 {
		return 0, err
	}
	return int(n), k.t.grow(k.m, -int(n))
}

// Rank counts from the end that the rank is asked from. Which one is nearer is not known before it is counted, but who asks for a rank
// from the highest mostly asks for a high one.
func (k *zsetKey) Rank(member []byte, reverse bool) (rank int, score float64, ok bool, err error) {
	if k.m.id == 0 {
		return 0, 0, false, nil
	}
	args := k.t.named(k.m, [][]byte{member})
	q := zsetRanking[btoi(reverse)].rank
	if k.unsure(member) {
		q = zsetRanking[btoi(reverse)].rankExact
	}
	_, err = k.t.run(q, args, func(_ int, r Row) error {
		score, rank, ok = r.Float(0), int(r.Int(1)), true
		return nil
	})
	return rank, score, ok, err
}

// clip makes ranks, from the end that they are counted from, of those that a range names; false if it is empty.
func (k *zsetKey) clip(r *keyspace.Range) (start, stop int64, ok bool) {
	from, to, ok := k.m.clip(r.Start, r.Stop)
	return int64(from), int64(to), ok
}

// bounded reports whether a range by score or by name has bounds that may leave out a member.
func bounded(r *keyspace.Range) bool {
	if r.By == keyspace.ByLex {
		return !r.MinFree || !r.MaxFree
	}
	return r.MinOpen || r.MaxOpen || !math.IsInf(r.Min, -1) || !math.IsInf(r.Max, 1)
}

// bound is the index in zsetByLex of a minimum or a maximum.
func bound(free, open bool) int {
	if free {
		return 0
	}
	return 1 + btoi(open)
}

// selected is the statements for a range by score or by name, and their arguments.
func (k *zsetKey) selected(r *keyspace.Range) (*selection, []Value) {
	collection := integer(k.m.collection)
	args := append(k.t.args[:0], collection)
	if r.By == keyspace.ByScore {
		return &zsetByScore[btoi(r.MinOpen)][btoi(r.MaxOpen)], append(args, number(r.Min), number(r.Max))
	}
	if !r.MinFree {
		args = append(args, collection, blob(r.MinLex), blob(r.MinLex))
	}
	if !r.MaxFree {
		args = append(args, collection, blob(r.MaxLex), blob(r.MaxLex))
	}
	return &zsetByLex[bound(r.MinFree, r.MinOpen)][bound(r.MaxFree, r.MaxOpen)], args
}

func (k *zsetKey) Range(r *keyspace.Range, f func(member []byte, score float64) bool) error {
	if k.m.id == 0 {
		return nil
	}
	if r.By == keyspace.ByRank {
		return k.rangeByRank(r, f)
	}
	n := k.m.len
	if r.Count >= 0 {
		n = min(n, int64(r.Count))
	}
	if n == 0 || int64(r.Offset) >= k.m.len {
		return nil
	}
	s, args := k.selected(r)
	return k.visit(&s.read[btoi(r.Reverse)], append(args, integer(n), integer(int64(r.Offset))), f)
}

// rangeByRank goes from the nearer end. What it then gets in the opposite order has to be sorted, so it counts twice.
func (k *zsetKey) rangeByRank(r *keyspace.Range, f func(member []byte, score float64) bool) error {
	start, stop, ok := k.clip(r)
	if !ok {
		return nil
	}
	n, behind := stop-start+1, k.m.len-1-stop
	q, skip := &zsetRanking[btoi(r.Reverse)].read, start
	if behind+n < start {
		q, skip = &zsetRanking[btoi(!r.Reverse)].readBack, behind
	}
	return k.visit(q, append(k.t.args[:0], integer(k.m.collection), integer(n), integer(skip)), f)
}

// visit runs a statement that reads members with their scores, until f has enough.
func (k *zsetKey) visit(q *reading, args []Value, f func(member []byte, score float64) bool) error {
	k.t.args = args
	n := int64(0)
	_, err := k.t.run(q.Query, args, func(_ int, r Row) error {
		if k.unsure(r.Bytes(0)) {
			return errUnsure
		}
		n++
		if !f(r.Bytes(0), r.Float(1)) {
			return errEnough
		}
		return nil
	})
	switch err {
	case errEnough:
		return nil
	case errUnsure:
		return k.visitExactly(q, args, n, f)
	}
	return err
}

func (k *zsetKey) Count(r *keyspace.Range) (int, error) {
	switch {
	case k.m.id == 0:
		return 0, nil
	case r.By == keyspace.ByRank:
		start, stop, ok := k.clip(r)
		if !ok {
			return 0, nil
		}
		return int(stop - start + 1), nil
	case !bounded(r):
		return int(k.m.len), nil
	}
	s, args := k.selected(r)
	n, err := k.t.one(s.count, args...)
	return int(n), err
}

func (k *zsetKey) RemoveRange(r *keyspace.Range) (int, error) {
	switch {
	case k.m.id == 0:
		return 0, nil
	case r.By == keyspace.ByRank:
		return k.removeByRank(r)
	case !bounded(r):
		return k.removeAll()
	}
	s, args := k.selected(r)
	n, err := k.t.exec(s.remove, args...)
	return k.removed(n, err)
}

func (k *zsetKey) removeByRank(r *keyspace.Range) (int, error) {
	start, stop, ok := k.clip(r)
	if !ok {
		return 0, nil
	}
	n, behind := stop-start+1, k.m.len-1-stop
	if n == k.m.len {
		return k.removeAll()
	}
	end, skip := r.Reverse, start
	if behind < start {
		end, skip = !r.Reverse, behind
	}
	gone, err := k.t.exec(zsetRanking[btoi(end)].remove, integer(k.m.collection), integer(n), integer(skip))
	if err == nil && gone == 0 {
		return k.removeExactly(&zsetRanking[btoi(end)].read, n, skip)
	}
	return k.removed(gone, err)
}

// removeAll removes the key: a large collection goes at once that way, and is swept later.
func (k *zsetKey) removeAll() (int, error) {
	n := int(k.m.len)
	return n, k.t.remove(k.m)
}

func (k *zsetKey) Scan(cursor uint64, count int, f func(member []byte, score float64)) (uint64, error) {
	if k.m.id == 0 {
		return 0, nil
	}
	return k.t.scan(&zsetKind, k.m.collection, cursor, count, func(r Row) { f(r.Bytes(1), r.Float(2)) })
}

func (k *zsetKey) Random(n int, f func(member []byte, score float64)) error {
	return sample(k.t, &zsetKind, k.m.collection, k.m.len, n, func(r Row) (string, keyspace.Scored) {
		member := append([]byte{}, r.Bytes(1)...)
		return string(member), keyspace.Scored{Member: member, Score: r.Float(2)}
	}, func(s keyspace.Scored) { f(s.Member, s.Score) })
}
