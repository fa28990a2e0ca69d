package script

import "github.com/redbud-go/redbud/internal/graph"

// Hash is the key of a hash.
type Hash struct{ Key }

// Set sets fields, each followed by its value, and gives how many are new.
func (h Hash) Set(pairs ...any) Expr { return h.write("HSET", graph.ReplyInt, pairs...) }

// SetNew sets a field if it is not there, and tells whether it did.
func (h Hash) SetNew(field, value any) Expr {
	return h.write("HSETNX", graph.ReplyBool, field, value)
}

// Get is the value of a field; null if there is none.
func (h Hash) Get(field any) Expr { return h.read("HGET", graph.ReplyMaybeString, field) }

// GetMany is a map of fields to their values, null for those that are not there. A field is a value of Go or a variable: it
// is evaluated twice.
func (h Hash) GetMany(fields ...any) Expr {
	return Zip(append([]any{}, fields...), h.read("HMGET", graph.ReplyEachMaybe, fields...))
}

// Delete deletes fields and gives how many there were.
func (h Hash) Delete(fields ...any) Expr { return h.write("HDEL", graph.ReplyInt, fields...) }

// Has tells whether there is a field.
func (h Hash) Has(field any) Expr { return h.read("HEXISTS", graph.ReplyBool, field) }

// IncrBy adds to the integer that a field spells, 0 if there is none, and gives the sum, all in 64 bits.
func (h Hash) IncrBy(field, n any) Expr { return h.write("HINCRBY", graph.ReplyCounter, field, n) }

// IncrByFloat adds to the number that a field spells, 0 if there is none, and gives the sum.
func (h Hash) IncrByFloat(field, n any) Expr {
	return h.write("HINCRBYFLOAT", graph.ReplyFloat, field, n)
}

// Keys are the fields, in any order.
func (h Hash) Keys() Expr { return h.read("HKEYS", graph.ReplyStrings) }

// Values are the values, in any order.
func (h Hash) Values() Expr { return h.read("HVALS", graph.ReplyStrings) }

// All is a map of all fields and their values.
func (h Hash) All() Expr { return h.read("HGETALL", graph.ReplyMap) }

// Len is how many fields there are.
func (h Hash) Len() Expr { return h.read("HLEN", graph.ReplyInt) }
