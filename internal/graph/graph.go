// Package graph is the form that portable scripts have between the builder and the back ends: a tree of nodes with declared keys and
// typed arguments. Check gives it static types and refuses what cannot work; Encode and Decode are its wire form. docs/scripts.md says
// what a program means.
package graph

// Program is a script. One that Check returned is typed and must not be changed; many may run it at once.
type Program struct {
	Name     string
	Keys     []Key
	Args     []Arg
	Vars     []Var
	Body     *Node // a Block
	ReadOnly bool
	Traced   bool   // a run tells what it did: see Traces
	Steps    uint64 // turns of loops after which an embedded engine ends a run; 0: DefaultSteps

	// Result is the type of what it returns; set by Check. A result travels as a reply: Null as null, a Bool as the integer 1 or 0, an Int as
	// an integer or, beyond 2^53-1, as a bulk of its digits, a Float or Number as a bulk of its text, a String as a bulk, a list of Strings
	// or of Strings or null as an array of bulks and nulls. One of these types or null is a null or that. Everything else is a bulk of its JSON.
	Result Type

	// Traces are the statements that the OpTrace nodes are about, by their numbers; set by Check. The reply to a traced run is an array of the
	// trace, 1 or 0, and the result's reply or the text of the error. The trace is a bulk of JSON: [[N, value], …] of each OpTrace as it ran,
	// 10,000 at most; where a value has no JSON stands the text of that error.
	Traces []*Node
}

// DefaultSteps is the limit of programs that set none.
const DefaultSteps = 100_000_000

// Key is a key that a program declares.
type Key struct {
	Name string
	Many bool // any number of keys, those after all others in KEYS; the last one alone may be
}

// Arg is an argument. It travels as one word: a String as it is, an Int, Float or Number as its text, a Bool as 1 or 0; one of any other type,
// an optional one included, as JSON. Of a list of Strings that is the last argument each element is a word, see Rest.
type Arg struct {
	Name string
	Type Type
}

// Rest reports whether an argument is the last one and a list of Strings: its elements are the words behind those of the others.
func (p *Program) Rest(i int) bool {
	return i == len(p.Args)-1 && p.Args[i].Type.Equal(ListOf(str))
}

// Var is a variable.
type Var struct {
	Name  string
	Type  Type // Any and not Typed: that of what it is declared with
	Typed bool

	Changed bool // in place, by SetAt, Append, SetKey or Remove; set by Check
}

// Op says what a node is.
type Op uint8

// The expressions, then the statements. Kids come in the order in which they are evaluated.
const (
	opNone     Op = iota
	OpNull        //
	OpBool        // N is 0 or 1
	OpInt         // N
	OpFloat       // F; never NaN
	OpString      // Text
	OpList        // Kids are the elements; Type, if it is a List: that of the list
	OpMap         // Kids are a key, which is a String, its value, …; Type, if it is a Map: that of the map
	OpArg         // N is its number
	OpVar         // N is its number
	OpKey         // N is its number
	OpKeyAt       // Kids[0] is an index into the keys of N, which are Many. Outside of them there is an error of the kind index
	OpKeyCount    // how many keys N has, which are Many
	OpFunc        // Text is a name in Functions, Kids are its arguments
	OpCall        // a command: Text is its name, Kids are its words, Shape says what becomes of the reply, Write whether it may change keys
	OpSpread      // as a word of OpCall alone: Kids[0] is a list, each element of which is a word
	OpConv        // made by Check: Kids[0] as Type, or an error of the kind null, type or exact
	OpCopy        // made by Check: Kids[0], which nobody else has: a copy of its outermost list or map, if it is one
	OpInvalid     // a mistake of the builder, which Text tells
	OpTrace       // made by Check in a program that is Traced: Kids[0], which the trace tells. N counts them

	OpBlock  // Kids are statements; what is declared in it ends with it
	OpVarDef // declares variable N, with the value Kids[0] if there is one
	OpAssign // variable N becomes Kids[0]
	OpSetAt  // of the list in variable N, the element Kids[0] becomes Kids[1]
	OpAppend // the list in variable N gets Kids[0]
	OpSetKey // of the map in variable N, the key Kids[0] becomes Kids[1]
	OpRemove // the map in variable N loses the key Kids[0]
	OpDo     // Kids[0] is evaluated
	OpIf     // if Kids[0] is true Kids[1], a Block; else Kids[2], a Block if there is one
	OpWhile  // while Kids[0] is true Kids[1], a Block
	OpEach   // for each element of the list Kids[0], Kids[1], a Block: variable N is its index, M the element. -1: none
	OpPairs  // for each key of the map Kids[0], Kids[1], a Block: variable N is the key, M its value. -1: none
	OpBreak  // ends the innermost loop
	OpReturn // Kids[0] is the result
	OpLog    // Kids are words of the log; N is the level: 0 debug, 1 verbose, 2 notice, 3 warning
	ops
)

// Node is an expression or a statement. What Check takes may share expressions; what it returns is a tree.
type Node struct {
	Op    Op
	Type  Type // of an expression; set by Check
	Shape Shape
	Write bool
	N, M  int
	Int   int64
	F     float64
	Text  string
	Kids  []*Node

	Place string // where it was built, as "file.go:12"; "": nobody knows. It does not travel
}

// form is what is particular about an op: what it has besides kids, and how many of those; max -1: any number.
type form struct {
	name      string
	min, max  int
	statement bool
	n, m      bool // N, M
	integer   bool
	float     bool
	text      bool
	typed     bool // Type is given
	call      bool // Shape and Write
	inner     bool // made by Check: it does not travel
}

var forms = [ops]form{
	OpNull:     {name: "null"},
	OpBool:     {name: "bool", n: true},
	OpInt:      {name: "int", integer: true},
	OpFloat:    {name: "float", float: true},
	OpString:   {name: "string", text: true},
	OpList:     {name: "list", max: -1, typed: true},
	OpMap:      {name: "map", max: -1, typed: true},
	OpArg:      {name: "arg", n: true},
	OpVar:      {name: "var", n: true},
	OpKey:      {name: "key", n: true},
	OpKeyAt:    {name: "key at", n: true, min: 1, max: 1},
	OpKeyCount: {name: "key count", n: true},
	OpFunc:     {name: "function", text: true, max: -1},
	OpCall:     {name: "call", text: true, max: -1, call: true},
	OpSpread:   {name: "spread", min: 1, max: 1},
	OpConv:     {name: "convert", min: 1, max: 1, inner: true},
	OpCopy:     {name: "copy", min: 1, max: 1, inner: true},
	OpInvalid:  {name: "mistake", inner: true},
	OpTrace:    {name: "trace", n: true, min: 1, max: 1, inner: true},

	OpBlock:  {name: "block", statement: true, max: -1},
	OpVarDef: {name: "declare", statement: true, n: true, max: 1},
	OpAssign: {name: "assign", statement: true, n: true, min: 1, max: 1},
	OpSetAt:  {name: "set at", statement: true, n: true, min: 2, max: 2},
	OpAppend: {name: "append", statement: true, n: true, min: 1, max: 1},
	OpSetKey: {name: "set key", statement: true, n: true, min: 2, max: 2},
	OpRemove: {name: "remove", statement: true, n: true, min: 1, max: 1},
	OpDo:     {name: "do", statement: true, min: 1, max: 1},
	OpIf:     {name: "if", statement: true, min: 2, max: 3},
	OpWhile:  {name: "while", statement: true, min: 2, max: 2},
	OpEach:   {name: "each", statement: true, n: true, m: true, min: 2, max: 2},
	OpPairs:  {name: "pairs", statement: true, n: true, m: true, min: 2, max: 2},
	OpBreak:  {name: "break", statement: true},
	OpReturn: {name: "return", statement: true, min: 1, max: 1},
	OpLog:    {name: "log", statement: true, n: true, min: 1, max: -1},
}

// String is the op's name.
func (o Op) String() string {
	if o > opNone && o < ops {
		return forms[o].name
	}
	return "unknown"
}

// The limits of programs. Lua's compiler has such limits too, and a program must not fail on one back end alone.
const (
	MaxDepth = 64     // of nodes in nodes
	MaxNodes = 10_000 // of a program, shared ones counted as often as they stand in it: no loop of Lua is longer than 2^17 instructions
	MaxNames = 100    // keys, arguments and variables, together
	MaxWords = 7_000  // of one command with its name, when it runs
)

// Shape says which value becomes of the reply to a command, as RESP2 has it. An error reply ends the program.
type Shape uint8

// The shapes.
const (
	ReplyAny          Shape = iota // as it is: null, Int, String (of bulk and status) or a list of these. An integer beyond 2^53-1 is an error of the kind exact
	ReplyInt                       // an integer, which is never large
	ReplyCounter                   // an integer of 64 bits: of INCR, INCRBY, DECR, DECRBY and HINCRBY alone, since Lua has to read it back
	ReplyBool                      // false: null and 0; true: every other reply
	ReplyString                    // a bulk or status
	ReplyMaybeString               // or null
	ReplyFloat                     // a bulk that spells a number
	ReplyMaybeFloat                // or null
	ReplyStrings                   // an array of bulks
	ReplyMaybeStrings              // or null
	ReplyEachMaybe                 // an array of bulks and nulls
	ReplyBools                     // an array of integers
	ReplyMap                       // an array of keys and values
	ReplyScored                    // an array of members and scores: [[member, score], …]
	ReplyEntries                   // of a stream: [{"id": id, "fields": {…}}, …]; the fields of a deleted entry are null
	ReplyStream                    // of XREAD and XREADGROUP of one stream: its entries, none for null
	ReplyType                      // of TYPE: null for none
	shapes
)

var str = Of(String)

// shapeTypes are the types of the values.
var shapeTypes = [shapes]Type{
	ReplyAny:          {},
	ReplyInt:          Of(Int),
	ReplyCounter:      Of(Int),
	ReplyBool:         Of(Bool),
	ReplyString:       str,
	ReplyMaybeString:  str.Optional(),
	ReplyFloat:        Of(Float),
	ReplyMaybeFloat:   Of(Float).Optional(),
	ReplyStrings:      ListOf(str),
	ReplyMaybeStrings: ListOf(str).Optional(),
	ReplyEachMaybe:    ListOf(str.Optional()),
	ReplyBools:        ListOf(Of(Bool)),
	ReplyMap:          MapOf(str),
	ReplyScored:       ListOf(ListOf(Type{})),
	ReplyEntries:      ListOf(MapOf(Type{})),
	ReplyStream:       ListOf(MapOf(Type{})),
	ReplyType:         str.Optional(),
}

// Type is the type of the values of a shape.
func (s Shape) Type() Type { return shapeTypes[s] }

// Counters are the commands that ReplyCounter is for, by the command that reads the number again; its words are those of
// the counter without the last.
var Counters = map[string]string{"INCR": "GET", "DECR": "GET", "INCRBY": "GET", "DECRBY": "GET", "HINCRBY": "HGET"}
