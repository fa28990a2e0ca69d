package graph

import "slices"

// Kind is what a Type is of.
type Kind uint8

// The kinds. Number is an Int or a Float, which is known only when the program runs; Any is anything, null included.
// Never is the element of an empty list, and of nothing else.
const (
	Any Kind = iota
	Null
	Bool
	Int
	Float
	Number
	String
	List
	Map
	Never
	kinds
)

var kindNames = [kinds]string{"Any", "Null", "Bool", "Int", "Float", "Number", "String", "List", "Map", "Never"}

// Type is a static type. The zero Type is Any. Types are never changed.
type Type struct {
	Kind Kind
	Opt  bool  // or null; not with Any and Null
	Elem *Type // of List and Map, which always have it; nil otherwise
}

// Of returns the type of a kind without elements.
func Of(k Kind) Type { return Type{Kind: k} }

// ListOf is the type of lists.
func ListOf(elem Type) Type { return Type{Kind: List, Elem: &elem} }

// MapOf is the type of maps.
func MapOf(elem Type) Type { return Type{Kind: Map, Elem: &elem} }

// Optional is the type or null.
func (t Type) Optional() Type {
	t.Opt = t.Opt || t.Kind != Any && t.Kind != Null
	return t
}

// Required is the type without null.
func (t Type) Required() Type {
	t.Opt = false
	return t
}

// Nullable reports whether null is of the type.
func (t Type) Nullable() bool { return t.Opt || t.Kind == Any || t.Kind == Null }

// Is reports whether t is the kind, or that or null.
func (t Type) Is(k ...Kind) bool { return slices.Contains(k, t.Kind) }

// Numeric reports whether t is a kind of number, or that or null.
func (t Type) Numeric() bool { return t.Is(Int, Float, Number) }

// Container reports whether a value of t may be a list or a map.
func (t Type) Container() bool { return t.Is(Any, List, Map) }

// Equal reports whether both are the same type.
func (t Type) Equal(u Type) bool {
	return t.Kind == u.Kind && t.Opt == u.Opt && (t.Elem == nil || t.Elem.Equal(*u.Elem))
}

// String is how people read it: "List(String) or null".
func (t Type) String() string {
	s := kindNames[t.Kind]
	if t.Elem != nil {
		s += "(" + t.Elem.String() + ")"
	}
	if t.Opt {
		s += " or null"
	}
	return s
}

// Covers reports whether each value of u is one of t, as it is.
func (t Type) Covers(u Type) bool {
	switch {
	case t.Kind == Any || u.Kind == Never:
		return true
	case u.Kind == Any:
		return false
	case u.Kind == Null:
		return t.Nullable()
	case u.Opt && !t.Opt:
		return false
	case t.Kind == Number:
		return u.Numeric()
	case t.Kind != u.Kind:
		return false
	}
	return t.Elem == nil || t.Elem.Covers(*u.Elem)
}

// Meets reports whether some value of u is one of t, or can become one where it stands: a check when the program runs decides.
func (t Type) Meets(u Type) bool {
	switch {
	case t.Kind == Any || u.Kind == Any || t.Covers(u) || t.Opt && u.Opt:
		return true
	case t.Kind == Null || u.Kind == Null:
		return t.Nullable() && u.Nullable()
	case t.Numeric() && u.Numeric():
		return t.Kind != Int || u.Kind != Float
	case t.Kind != u.Kind:
		return false
	}
	return t.Elem == nil || t.Elem.Meets(*u.Elem)
}

// Join is the smallest type that covers both.
func Join(t, u Type) Type {
	opt := t.Nullable() || u.Nullable()
	var j Type
	switch {
	case t.Kind == Any || u.Kind == Any:
		return Type{}
	case t.Kind == Never:
		return u
	case u.Kind == Never:
		return t
	case t.Kind == Null:
		return u.Optional()
	case u.Kind == Null:
		return t.Optional()
	case t.Kind == u.Kind && t.Elem == nil:
		j = Of(t.Kind)
	case t.Kind == u.Kind:
		elem := Join(*t.Elem, *u.Elem)
		j = Type{Kind: t.Kind, Elem: &elem}
	case t.Numeric() && u.Numeric():
		j = Of(Number)
	default:
		return Type{}
	}
	if opt {
		return j.Optional()
	}
	return j
}
