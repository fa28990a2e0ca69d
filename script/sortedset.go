package script

import "github.com/redbud-go/redbud/internal/graph"

// SortedSet is the key of a sorted set.
type SortedSet struct{ Key }

// Add gives a member a score, and gives 1 if the member is new, else 0.
func (z SortedSet) Add(score, member any) Expr {
	return z.write("ZADD", graph.ReplyInt, score, member)
}

// AddIf is Add under a condition, and gives how many members were added or changed.
func (z SortedSet) AddIf(condition AddCondition, score, member any) Expr {
	return z.write("ZADD", graph.ReplyInt, string(condition), "CH", score, member)
}

// AddCondition says when AddIf sets a score.
type AddCondition string

// The conditions.
const (
	Missing AddCondition = "NX" // if the member is not there
	Present AddCondition = "XX" // if it is there
	Greater AddCondition = "GT" // if the score is greater than the one that it has, or it has none
	Less    AddCondition = "LT" // if the score is less than the one that it has, or it has none
)

// IncrBy adds to the score of a member, 0 if it is not there, and gives the sum.
func (z SortedSet) IncrBy(n, member any) Expr {
	return z.write("ZINCRBY", graph.ReplyFloat, n, member)
}

// Score is the score of a member; null if it is not there.
func (z SortedSet) Score(member any) Expr { return z.read("ZSCORE", graph.ReplyMaybeFloat, member) }

// Rank is how many members come before a member; null if it is not there. Its type is Any.
func (z SortedSet) Rank(member any) Expr { return z.read("ZRANK", graph.ReplyAny, member) }

// Remove removes members and gives how many there were.
func (z SortedSet) Remove(members ...any) Expr { return z.write("ZREM", graph.ReplyInt, members...) }

// PopMin takes up to n members with the lowest scores away: a list of lists of member and score.
func (z SortedSet) PopMin(n any) Expr { return z.write("ZPOPMIN", graph.ReplyScored, n) }

// PopMax takes up to n members with the highest scores away: a list of lists of member and score.
func (z SortedSet) PopMax(n any) Expr { return z.write("ZPOPMAX", graph.ReplyScored, n) }

// Range is the members from one rank to another, inclusive; negative ones count from the end.
func (z SortedSet) Range(start, stop any) Expr {
	return z.read("ZRANGE", graph.ReplyStrings, start, stop)
}

// RevRange is Range from the highest score to the lowest.
func (z SortedSet) RevRange(start, stop any) Expr {
	return z.read("ZREVRANGE", graph.ReplyStrings, start, stop)
}

// RangeScored is Range, as a list of lists of member and score.
func (z SortedSet) RangeScored(start, stop any) Expr {
	return z.read("ZRANGE", graph.ReplyScored, start, stop, "WITHSCORES")
}

// ByScore is the members whose scores are from min to max, as Redis writes them: 5, "(5" without it, "-inf", "+inf".
func (z SortedSet) ByScore(min, max any) Expr {
	return z.read("ZRANGEBYSCORE", graph.ReplyStrings, min, max)
}

// ByScoreLimit is ByScore without the first offset members, and of the others count.
func (z SortedSet) ByScoreLimit(min, max, offset, count any) Expr {
	return z.read("ZRANGEBYSCORE", graph.ReplyStrings, min, max, "LIMIT", offset, count)
}

// ByLex is the members from min to max where all scores are the same, as Redis writes them: "[a" with it, "(a" without it, "-", "+".
func (z SortedSet) ByLex(min, max any) Expr {
	return z.read("ZRANGEBYLEX", graph.ReplyStrings, min, max)
}

// Count is how many members have scores from min to max.
func (z SortedSet) Count(min, max any) Expr { return z.read("ZCOUNT", graph.ReplyInt, min, max) }

// Len is how many members there are.
func (z SortedSet) Len() Expr { return z.read("ZCARD", graph.ReplyInt) }

// RemoveByScore removes the members whose scores are from min to max and gives how many there were.
func (z SortedSet) RemoveByScore(min, max any) Expr {
	return z.write("ZREMRANGEBYSCORE", graph.ReplyInt, min, max)
}

// RemoveByRank removes the members from one rank to another, inclusive, and gives how many there were.
func (z SortedSet) RemoveByRank(start, stop any) Expr {
	return z.write("ZREMRANGEBYRANK", graph.ReplyInt, start, stop)
}
