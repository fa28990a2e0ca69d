package script

import "github.com/redbud-go/redbud/internal/graph"

// Expr is an expression. Its methods make larger ones; their arguments may be other expressions, variables, and values of Go: nil,
// booleans, integers, floats, strings, []byte, and slices and maps of these. An expression is evaluated where it stands in a
// statement, each time that the statement runs.
type Expr struct {
	b *Builder // whose it is; nil: it is of literals alone
	n *graph.Node
}

// operand is what can stand in an expression.
type operand interface{ expr() Expr }

func (x Expr) expr() Expr { return x }

// Value is the expression of a value of Go; its methods can then be called.
func Value(v any) Expr {
	return literal(v, 0, caller())
}

func (b *Builder) expr(n *graph.Node) Expr { return Expr{b, n} }

// apply makes the expression of a function.
func (b *Builder) apply(name string, args ...any) Expr {
	n := &graph.Node{Op: graph.OpFunc, Text: name, Place: caller()}
	for _, a := range args {
		x := literal(a, 0, n.Place)
		b = owner(b, x)
		n.Kids = append(n.Kids, x.n)
	}
	return Expr{b, n}
}

// lift makes an operand of a statement.
func (b *Builder) lift(v any) *graph.Node {
	x := literal(v, 0, caller())
	owner(b, x)
	return x.n
}

// owner is whose an expression is of which x is a part, and so far b, nil: it is of literals alone.
func owner(b *Builder, x Expr) *Builder {
	switch {
	case x.b == nil:
	case b == nil:
		return x.b
	case b != x.b:
		foreign(b, x)
	}
	return b
}

// foreign complains of an expression that was built for another program.
func foreign(b *Builder, x Expr) {
	at := &graph.Node{Place: caller()}
	b.complain(at, "what was built for program %s stands in program %s", x.b.p.Name, b.p.Name)
	x.b.complain(at, "what was built for this program stands in program %s", b.p.Name)
}

// Add is x + y. Integers give an integer.
func (x Expr) Add(y any) Expr { return x.b.apply("add", x, y) }

// Sub is x - y. Integers give an integer.
func (x Expr) Sub(y any) Expr { return x.b.apply("sub", x, y) }

// Mul is x * y. Integers give an integer.
func (x Expr) Mul(y any) Expr { return x.b.apply("mul", x, y) }

// Div is x / y as a Float.
func (x Expr) Div(y any) Expr { return x.b.apply("div", x, y) }

// IntDiv is x / y of integers, rounded down.
func (x Expr) IntDiv(y any) Expr { return x.b.apply("intdiv", x, y) }

// Mod is what IntDiv leaves. It has the sign of y.
func (x Expr) Mod(y any) Expr { return x.b.apply("mod", x, y) }

// Neg is -x.
func (x Expr) Neg() Expr { return x.b.apply("neg", x) }

// Abs is x without its sign.
func (x Expr) Abs() Expr { return x.b.apply("abs", x) }

// Floor is the largest integer that is not above x.
func (x Expr) Floor() Expr { return x.b.apply("floor", x) }

// Ceil is the smallest integer that is not below x.
func (x Expr) Ceil() Expr { return x.b.apply("ceil", x) }

// Min is the smaller of two numbers.
func Min(x, y any) Expr { return Value(x).b.apply("min", x, y) }

// Max is the larger of two numbers.
func Max(x, y any) Expr { return Value(x).b.apply("max", x, y) }

// Eq tells whether both are the same: of the same kind, and lists and maps element by element.
func (x Expr) Eq(y any) Expr { return x.b.apply("eq", x, y) }

// Ne is not Eq.
func (x Expr) Ne(y any) Expr { return x.b.apply("ne", x, y) }

// Lt tells whether x is less than y: two numbers, or two strings, as bytes.
func (x Expr) Lt(y any) Expr { return x.b.apply("lt", x, y) }

// Le is Lt or Eq.
func (x Expr) Le(y any) Expr { return x.b.apply("le", x, y) }

// Gt tells whether x is greater than y.
func (x Expr) Gt(y any) Expr { return x.b.apply("gt", x, y) }

// Ge is Gt or Eq.
func (x Expr) Ge(y any) Expr { return x.b.apply("ge", x, y) }

// IsNull tells whether x is null.
func (x Expr) IsNull() Expr { return x.b.apply("eq", x, nil) }

// NotNull tells whether x is anything but null.
func (x Expr) NotNull() Expr { return x.b.apply("ne", x, nil) }

// And is x if that is false or null, else y, which is evaluated only then.
func (x Expr) And(y any) Expr { return x.b.apply("and", x, y) }

// Or is x, unless that is false or null: then y, which is evaluated only then. It is how null gets a default.
func (x Expr) Or(y any) Expr { return x.b.apply("or", x, y) }

// Not tells whether x is false or null.
func (x Expr) Not() Expr { return x.b.apply("not", x) }

// Not tells whether x is false or null.
func Not(x any) Expr { return Value(x).Not() }

// Text is a string as it is, a number's digits, and "true" or "false" of a boolean.
func (x Expr) Text() Expr { return x.b.apply("text", x) }

// Int is an integer, or what a string of digits spells. Anything else is an error of the kind KindNumber.
func (x Expr) Int() Expr { return x.b.apply("int", x) }

// Float is a number, or what a string spells: decimal, inf or -inf. Anything else is an error of the kind KindNumber.
func (x Expr) Float() Expr { return x.b.apply("float", x) }

// ParseInt is Int of a string, but null for what is none.
func (x Expr) ParseInt() Expr { return x.b.apply("parse_int", x) }

// ParseFloat is Float of a string, but null for what is none.
func (x Expr) ParseFloat() Expr { return x.b.apply("parse_float", x) }

// Type is "null", "bool", "number", "string", "list" or "map".
func (x Expr) Type() Expr { return x.b.apply("type", x) }

// Len is the length of a string in bytes, or how many elements a list or map has.
func (x Expr) Len() Expr { return x.b.apply("len", x) }

// At is the element of a list at an index from 0; null outside of it.
func (x Expr) At(i any) Expr { return x.b.apply("at", x, i) }

// Get is the element of a map at a key; null if there is none.
func (x Expr) Get(key any) Expr { return x.b.apply("get", x, key) }

// Has tells whether a map has a key.
func (x Expr) Has(key any) Expr { return x.b.apply("has", x, key) }

// Keys are the keys of a map in their order.
func (x Expr) Keys() Expr { return x.b.apply("keys", x) }

// Sorted is a list of strings in the order of their bytes.
func (x Expr) Sorted() Expr { return x.b.apply("sorted", x) }

// Sublist is the elements of a list from index from on.
func (x Expr) Sublist(from any) Expr { return x.b.apply("sublist", x, from) }

// SublistTo is the elements of a list from index from to before index to.
func (x Expr) SublistTo(from, to any) Expr { return x.b.apply("sublist", x, from, to) }

// Zip is a map of a list of keys and as many values.
func Zip(keys, values any) Expr { return Value(keys).b.apply("zip", keys, values) }

// Concat is the texts of all, one behind the other.
func Concat(parts ...any) Expr {
	var b *Builder
	return b.apply("concat", parts...)
}

// Slice is a string from the byte from on.
func (x Expr) Slice(from any) Expr { return x.b.apply("slice", x, from) }

// SliceTo is a string from the byte from to before the byte to.
func (x Expr) SliceTo(from, to any) Expr { return x.b.apply("slice", x, from, to) }

// Find is where in a string another begins, from 0; null if it is not in it.
func (x Expr) Find(needle any) Expr { return x.b.apply("find", x, needle) }

// FindFrom is Find that looks from the byte from on.
func (x Expr) FindFrom(needle, from any) Expr { return x.b.apply("find", x, needle, from) }

// HasPrefix tells whether a string begins with another.
func (x Expr) HasPrefix(prefix any) Expr { return x.b.apply("prefix", x, prefix) }

// HasSuffix tells whether a string ends with another.
func (x Expr) HasSuffix(suffix any) Expr { return x.b.apply("suffix", x, suffix) }

// Upper is a string in upper case; bytes beyond ASCII stay.
func (x Expr) Upper() Expr { return x.b.apply("upper", x) }

// Lower is a string in lower case; bytes beyond ASCII stay.
func (x Expr) Lower() Expr { return x.b.apply("lower", x) }

// Split is the parts of a string between separators.
func (x Expr) Split(separator any) Expr { return x.b.apply("split", x, separator) }

// Join is the texts of the elements of a list with separators in between.
func (x Expr) Join(separator any) Expr { return x.b.apply("join", x, separator) }

// Replace is a string in which all of another are replaced.
func (x Expr) Replace(old, with any) Expr { return x.b.apply("replace", x, old, with) }

// Repeat is a string n times.
func (x Expr) Repeat(n any) Expr { return x.b.apply("repeat", x, n) }

// ToJSON is a value as JSON.
func (x Expr) ToJSON() Expr { return x.b.apply("to_json", x) }

// FromJSON is the value of JSON; its type is Any.
func (x Expr) FromJSON() Expr { return x.b.apply("from_json", x) }

// Now is the time of the engine's clock in milliseconds since 1970.
func (b *Builder) Now() Expr { return b.apply("now") }

// Local is a variable of a program. Besides being an expression it can be changed, by statements.
type Local struct{ Expr }

// Assign gives the variable another value, of its type.
func (l *Local) Assign(value any) { l.change(graph.OpAssign, value) }

// SetAt changes the element of the variable's list at an index, or appends one at the index behind the last.
func (l *Local) SetAt(i, value any) { l.change(graph.OpSetAt, i, value) }

// Append appends to the variable's list.
func (l *Local) Append(value any) { l.change(graph.OpAppend, value) }

// SetKey sets a key of the variable's map.
func (l *Local) SetKey(key, value any) { l.change(graph.OpSetKey, key, value) }

// Remove removes a key from the variable's map, if it is there.
func (l *Local) Remove(key any) { l.change(graph.OpRemove, key) }

func (l *Local) change(op graph.Op, kids ...any) {
	l.b.statement(op, kids...).N = l.n.N
}
