package script

import "github.com/redbud-go/redbud/internal/graph"

// Set is the key of a set.
type Set struct{ Key }

// Add adds members and gives how many are new.
func (s Set) Add(members ...any) Expr { return s.write("SADD", graph.ReplyInt, members...) }

// Remove removes members and gives how many there were.
func (s Set) Remove(members ...any) Expr { return s.write("SREM", graph.ReplyInt, members...) }

// Has tells whether there is a member.
func (s Set) Has(member any) Expr { return s.read("SISMEMBER", graph.ReplyBool, member) }

// HasEach tells of each whether it is a member: a list of booleans. Redis has it since 6.2.
func (s Set) HasEach(members ...any) Expr { return s.read("SMISMEMBER", graph.ReplyBools, members...) }

// Members are the members, in any order.
func (s Set) Members() Expr { return s.read("SMEMBERS", graph.ReplyStrings) }

// Len is how many members there are.
func (s Set) Len() Expr { return s.read("SCARD", graph.ReplyInt) }

// Pop takes any member away and gives it; null if there is none.
func (s Set) Pop() Expr { return s.write("SPOP", graph.ReplyMaybeString) }

// PopN takes up to n members away and gives them.
func (s Set) PopN(n any) Expr { return s.write("SPOP", graph.ReplyStrings, n) }

// Random is any member; null if there is none.
func (s Set) Random() Expr { return s.read("SRANDMEMBER", graph.ReplyMaybeString) }

// Move moves a member to another set, and tells whether it was there.
func (s Set) Move(to Set, member any) Expr { return s.write("SMOVE", graph.ReplyBool, to, member) }

// Union is the members of this set and of others, in any order.
func (s Set) Union(others ...Set) Expr { return s.read("SUNION", graph.ReplyStrings, words(others)...) }

// Inter is the members that this set and all others have, in any order.
func (s Set) Inter(others ...Set) Expr { return s.read("SINTER", graph.ReplyStrings, words(others)...) }

// Diff is the members that none of the others have, in any order.
func (s Set) Diff(others ...Set) Expr { return s.read("SDIFF", graph.ReplyStrings, words(others)...) }

// words are values of any type as words.
func words[T any](values []T) []any {
	w := make([]any, len(values))
	for i, v := range values {
		w[i] = v
	}
	return w
}
