package script

import "github.com/redbud-go/redbud/internal/graph"

// Var is the key of a string.
type Var struct{ Key }

// SetOption is an option of Set and SetGet.
type SetOption struct{ words []any }

// The options without a value.
var (
	IfMissing = SetOption{[]any{"NX"}}      // if there is nothing at the key
	IfExists  = SetOption{[]any{"XX"}}      // if there is something
	KeepTTL   = SetOption{[]any{"KEEPTTL"}} // the time to live stays what it is; otherwise it ends
)

// TTL sets after how many milliseconds (or which time.Duration) the key is gone.
func TTL(in any) SetOption { return SetOption{[]any{"PX", in}} }

// TTLAt sets at which millisecond since 1970 the key is gone.
func TTLAt(at any) SetOption { return SetOption{[]any{"PXAT", at}} }

func setWords(value any, options []SetOption, more ...any) []any {
	words := append([]any{value}, more...)
	for _, o := range options {
		words = append(words, o.words...)
	}
	return words
}

// Get is the string; null if there is none.
func (v Var) Get() Expr { return v.read("GET", graph.ReplyMaybeString) }

// Set sets the string, whatever was at the key, and tells whether it did.
func (v Var) Set(value any, options ...SetOption) Expr {
	return v.write("SET", graph.ReplyBool, setWords(value, options)...)
}

// SetGet is Set, but gives what the string was; null if there was none.
func (v Var) SetGet(value any, options ...SetOption) Expr {
	return v.write("SET", graph.ReplyMaybeString, setWords(value, options, "GET")...)
}

// GetDelete deletes the string and gives what it was; null if there was none.
func (v Var) GetDelete() Expr { return v.write("GETDEL", graph.ReplyMaybeString) }

// IncrBy adds to the integer that the string spells, 0 if there is none, and gives the sum, all in 64 bits.
func (v Var) IncrBy(n any) Expr { return v.write("INCRBY", graph.ReplyCounter, n) }

// IncrByFloat adds to the number that the string spells, 0 if there is none, and gives the sum.
func (v Var) IncrByFloat(n any) Expr { return v.write("INCRBYFLOAT", graph.ReplyFloat, n) }

// Append appends to the string and gives its length.
func (v Var) Append(value any) Expr { return v.write("APPEND", graph.ReplyInt, value) }

// Len is the length of the string in bytes.
func (v Var) Len() Expr { return v.read("STRLEN", graph.ReplyInt) }

// Range is the bytes from start to stop, inclusive; negative ones count from the end.
func (v Var) Range(start, stop any) Expr {
	return v.read("GETRANGE", graph.ReplyString, start, stop)
}

// SetRange overwrites from an offset on and gives the length.
func (v Var) SetRange(offset, value any) Expr {
	return v.write("SETRANGE", graph.ReplyInt, offset, value)
}

// Bit is the bit at an offset.
func (v Var) Bit(offset any) Expr { return v.read("GETBIT", graph.ReplyBool, offset) }

// SetBit sets the bit at an offset, to 0 or 1, and gives what it was.
func (v Var) SetBit(offset, bit any) Expr { return v.write("SETBIT", graph.ReplyBool, offset, bit) }

// BitCount is how many bits are set.
func (v Var) BitCount() Expr { return v.read("BITCOUNT", graph.ReplyInt) }
