package graph

import "fmt"

// The kinds of errors that the language itself has. Both back ends say the same: "script: KIND: TEXT".
const (
	KindNull   = "null"   // null where a value is wanted
	KindType   = "type"   // a value of another kind than is wanted
	KindNumber = "number" // a string that spells no number
	KindExact  = "exact"  // an integer beyond 2^53-1 where only exact ones are taken
	KindZero   = "zero"   // a division by zero
	KindNaN    = "nan"    // a result that is no number
	KindIndex  = "index"  // an index outside of what there is
	KindJSON   = "json"   // what is not JSON
	KindDepth  = "depth"  // JSON that is nested too deep
	KindSize   = "size"   // what is too long, or must not be empty
	KindReply  = "reply"  // a command replied what its shape does not know
	KindSteps  = "steps"  // more turns of loops than the limit; on embedded engines alone
	KindMemory = "memory" // more memory than the limit; on embedded engines alone
	KindCall   = "call"   // not as many keys or arguments as the program declares
)

// The errors as error messages. Those with a verb take what stands in the comment.
const (
	ErrNull      = "script: null: null where %s is wanted"       // what is wanted: a type, "a word of a command", "a text"
	ErrType      = "script: type: a %s where %s is wanted"       // the kind of value, as function type tells it; what is wanted
	ErrCompared  = "script: type: a %s compared with a %s"       // the kinds of values; null is one, too
	ErrInteger   = "script: number: not an integer"              // int of a string, or of a number with a fraction
	ErrNumber    = "script: number: not a number"                // float of a string
	ErrExact     = "script: exact: an integer beyond 2^53-1"     //
	ErrZero      = "script: zero: division by zero"              //
	ErrNaN       = "script: nan: the result is not a number"     //
	ErrInfinite  = "script: nan: JSON has no infinities"         //
	ErrIndex     = "script: index: outside of the list"          //
	ErrKeyIndex  = "script: index: there is no such key"         //
	ErrZip       = "script: index: not as many values as keys"   //
	ErrJSON      = "script: json: not JSON at byte %d"           // the offset, from 0
	ErrDepth     = "script: depth: nested deeper than 100"       //
	ErrSeparator = "script: size: an empty separator"            // split, replace
	ErrLong      = "script: size: longer than 512 MiB"           // repeat, and what else makes strings
	ErrWords     = "script: size: more than 7000 words"          //
	ErrReply     = "script: reply: not what the command is for"  //
	ErrSteps     = "script: steps: more than %d turns of loops"  // the limit
	ErrMemory    = "script: memory: more than a script may have" //
	ErrKeys      = "script: call: %d keys instead of %d"         // how many there are; how many are declared
	ErrManyKeys  = "script: call: %d keys instead of %d or more" // the same
	ErrArgs      = "script: call: %d arguments instead of %d"    // the same
)

// The limits of values.
const (
	MaxExact  = 1<<53 - 1 // the largest integer that arithmetic takes and gives; its negative is the smallest
	MaxNested = 100       // lists and maps in one another, in JSON
	MaxString = 512 << 20 // bytes
)

// Text is one of the errors with what it takes.
func Text(format string, args ...any) string { return fmt.Sprintf(format, args...) }
