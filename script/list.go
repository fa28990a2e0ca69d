package script

import "github.com/redbud-go/redbud/internal/graph"

// List is the key of a list.
type List struct{ Key }

// LPush puts values before the first, one after the other, and gives the length.
func (l List) LPush(values ...any) Expr { return l.write("LPUSH", graph.ReplyInt, values...) }

// RPush puts values behind the last and gives the length.
func (l List) RPush(values ...any) Expr { return l.write("RPUSH", graph.ReplyInt, values...) }

// LPop takes the first away and gives it; null if there is none.
func (l List) LPop() Expr { return l.write("LPOP", graph.ReplyMaybeString) }

// RPop takes the last away and gives it; null if there is none.
func (l List) RPop() Expr { return l.write("RPOP", graph.ReplyMaybeString) }

// LPopN takes up to n from the beginning and gives them; null if there is no list.
func (l List) LPopN(n any) Expr { return l.write("LPOP", graph.ReplyMaybeStrings, n) }

// RPopN takes up to n from the end, the last one first, and gives them; null if there is no list.
func (l List) RPopN(n any) Expr { return l.write("RPOP", graph.ReplyMaybeStrings, n) }

// Range is the elements from start to stop, inclusive; negative ones count from the end.
func (l List) Range(start, stop any) Expr { return l.read("LRANGE", graph.ReplyStrings, start, stop) }

// Len is how many elements there are.
func (l List) Len() Expr { return l.read("LLEN", graph.ReplyInt) }

// Index is the element at an index, from the end if it is negative; null outside.
func (l List) Index(i any) Expr { return l.read("LINDEX", graph.ReplyMaybeString, i) }

// Set changes the element at an index. Outside, Redis refuses it.
func (l List) Set(i, value any) Expr { return l.write("LSET", graph.ReplyBool, i, value) }

// InsertBefore puts a value before the first element that is pivot, and gives the length: -1 if there is none, 0 if there is no list.
func (l List) InsertBefore(pivot, value any) Expr {
	return l.write("LINSERT", graph.ReplyInt, "BEFORE", pivot, value)
}

// InsertAfter puts a value behind the first element that is pivot, and gives the length: -1 if there is none, 0 if there is no list.
func (l List) InsertAfter(pivot, value any) Expr {
	return l.write("LINSERT", graph.ReplyInt, "AFTER", pivot, value)
}

// Remove takes away the first count elements that are value, from the end if it is negative, all if it is 0; and gives how many.
func (l List) Remove(count, value any) Expr { return l.write("LREM", graph.ReplyInt, count, value) }

// Trim keeps the elements from start to stop, inclusive.
func (l List) Trim(start, stop any) Expr { return l.write("LTRIM", graph.ReplyBool, start, stop) }

// End is an end of a list.
type End string

// The ends.
const (
	Left  End = "LEFT"
	Right End = "RIGHT"
)

// Move takes an element from an end and puts it to an end of another list. It gives the element; null if there is none.
func (l List) Move(to List, from, where End) Expr {
	return l.write("LMOVE", graph.ReplyMaybeString, to, string(from), string(where))
}
