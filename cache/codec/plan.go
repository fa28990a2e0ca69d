package codec

// A plan is how values of one type are written as MessagePack and read again.

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"time"

	"github.com/tinylib/msgp/msgp"
)

type plan struct {
	// append writes v, which has an address if it is a struct or an array, and holds values at most depth deep.
	append func(dst []byte, v reflect.Value, depth int) ([]byte, error)
	// decode reads into v, which is zero and can be set.
	decode func(d *decoder, v reflect.Value) error
	// isZero reports whether v can be left out. reflect's own says so of a negative zero too.
	isZero func(v reflect.Value) bool

	least     int         // how many bytes a value takes at least
	mayBeNil  bool        // whether a value may be written as nil
	structure *structPlan // of a struct, or of a pointer to one
}

// planner plans a type and those within it, which may be within each other.
type planner struct {
	structs Structs
	known   func(reflect.Type) (*plan, bool)
	new     map[reflect.Type]*plan
}

func (c *msgpackCodec) known(t reflect.Type) (*plan, bool) {
	p, ok := c.plans.Load(t)
	if !ok {
		return nil, false
	}
	return p.(*plan), true
}

func (c *msgpackCodec) plan(t reflect.Type) (*plan, error) {
	if p, ok := c.known(t); ok {
		return p, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all := planner{c.structs, c.known, map[reflect.Type]*plan{}}
	p, err := all.plan(t)
	if err != nil {
		return nil, fmt.Errorf("%w: MessagePack of %s: %w", ErrType, t, err)
	}
	// Only now that all are complete may others see them.
	for t, p := range all.new {
		c.plans.Store(t, p)
	}
	return p, nil
}

func (a *planner) plan(t reflect.Type) (*plan, error) {
	if p, ok := a.known(t); ok {
		return p, nil
	}
	if p, ok := a.new[t]; ok {
		return p, nil // perhaps not complete yet: types that contain themselves use it when it is
	}
	p := &plan{isZero: reflect.Value.IsZero, least: 1}
	a.new[t] = p
	return p, a.fill(p, t)
}

var scalars = map[reflect.Kind]plan{
	reflect.Bool:    {append: appendBool, decode: decodeBool},
	reflect.Int:     {append: appendInt, decode: decodeInt},
	reflect.Int8:    {append: appendInt, decode: decodeInt},
	reflect.Int16:   {append: appendInt, decode: decodeInt},
	reflect.Int32:   {append: appendInt, decode: decodeInt},
	reflect.Int64:   {append: appendInt, decode: decodeInt},
	reflect.Uint:    {append: appendUint, decode: decodeUint},
	reflect.Uint8:   {append: appendUint, decode: decodeUint},
	reflect.Uint16:  {append: appendUint, decode: decodeUint},
	reflect.Uint32:  {append: appendUint, decode: decodeUint},
	reflect.Uint64:  {append: appendUint, decode: decodeUint},
	reflect.Float32: {append: appendFloat32, decode: decodeFloat, isZero: floatIsZero, least: 5},
	reflect.Float64: {append: appendFloat64, decode: decodeFloat, isZero: floatIsZero, least: 5},
	reflect.String:  {append: appendString, decode: decodeString},
}

// fill makes p the plan of t.
func (a *planner) fill(p *plan, t reflect.Type) error {
	if s, ok := scalars[t.Kind()]; ok {
		p.append, p.decode, p.least = s.append, s.decode, max(s.least, 1)
		if s.isZero != nil {
			p.isZero = s.isZero
		}
		return nil
	}
	isBytes := (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t.Elem().Kind() == reflect.Uint8
	if !isBytes && t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface {
		if done, err := ownForm(p, t); done || err != nil {
			return err
		}
	}
	switch t.Kind() {
	case reflect.Slice:
		if isBytes {
			p.append, p.decode, p.mayBeNil = appendBytes, decodeBytes, true
			return nil
		}
		return a.slice(p, t)
	case reflect.Array:
		if isBytes {
			p.append, p.decode, p.least = appendByteArray, decodeByteArray, 2+t.Len()
			return nil
		}
		return a.array(p, t)
	case reflect.Map:
		return a.mapping(p, t)
	case reflect.Pointer:
		return a.pointer(p, t)
	case reflect.Struct:
		return a.structure(p, t)
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Errorf("nobody can tell which type is in a %s", t)
		}
		p.append, p.decode, p.mayBeNil = appendInterface, decodeInterface, true
		return nil
	}
	return fmt.Errorf("%s has no form", t)
}

func appendBool(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return msgp.AppendBool(dst, v.Bool()), nil
}

func decodeBool(d *decoder, v reflect.Value) error {
	b, rest, err := msgp.ReadBoolBytes(d.rest)
	d.rest = rest
	v.SetBool(b)
	return err
}

func appendInt(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return msgp.AppendInt64(dst, v.Int()), nil
}

func decodeInt(d *decoder, v reflect.Value) error {
	n, rest, err := msgp.ReadInt64Bytes(d.rest)
	if err != nil {
		return err
	}
	if v.OverflowInt(n) {
		return fmt.Errorf("%w: %d does not fit %s", ErrType, n, v.Type())
	}
	d.rest = rest
	v.SetInt(n)
	return nil
}

func appendUint(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return msgp.AppendUint64(dst, v.Uint()), nil
}

func decodeUint(d *decoder, v reflect.Value) error {
	n, rest, err := msgp.ReadUint64Bytes(d.rest)
	if err != nil {
		return err
	}
	if v.OverflowUint(n) {
		return fmt.Errorf("%w: %d does not fit %s", ErrType, n, v.Type())
	}
	d.rest = rest
	v.SetUint(n)
	return nil
}

func appendFloat32(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return msgp.AppendFloat32(dst, float32(v.Float())), nil
}

func appendFloat64(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return msgp.AppendFloat64(dst, v.Float()), nil
}

func decodeFloat(d *decoder, v reflect.Value) error {
	// msgp asks for enough bytes before it looks at what they are.
	if kind := nextType(d.rest); kind != msgp.Float64Type && kind != msgp.Float32Type && kind != msgp.InvalidType {
		return fmt.Errorf("%w: %s for a %s", ErrType, kind, v.Type())
	}
	f, rest, err := msgp.ReadFloat64Bytes(d.rest)
	if err != nil {
		return err
	}
	if v.Kind() == reflect.Float32 && float64(float32(f)) != f && f == f {
		return fmt.Errorf("%w: %v does not fit %s", ErrType, f, v.Type())
	}
	d.rest = rest
	v.SetFloat(f)
	return nil
}

func floatIsZero(v reflect.Value) bool { return math.Float64bits(v.Float()) == 0 }

func appendString(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	if !fits(v.Len()) {
		return dst, errTooLong
	}
	return msgp.AppendString(dst, v.String()), nil
}

func decodeString(d *decoder, v reflect.Value) error {
	s, rest, err := msgp.ReadStringBytes(d.rest)
	d.rest = rest
	v.SetString(s)
	return err
}

func appendBytes(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	if v.IsNil() {
		return msgp.AppendNil(dst), nil
	}
	if !fits(v.Len()) {
		return dst, errTooLong
	}
	return msgp.AppendBytes(dst, v.Bytes()), nil
}

func decodeBytes(d *decoder, v reflect.Value) error {
	if d.isNil() {
		return nil
	}
	b, err := d.bytes()
	if err == nil {
		v.SetBytes(append(make([]byte, 0, len(b)), b...))
	}
	return err
}

func appendByteArray(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return msgp.AppendBytes(dst, v.Bytes()), nil
}

func decodeByteArray(d *decoder, v reflect.Value) error {
	b, err := d.bytes()
	if err != nil {
		return err
	}
	if len(b) != v.Len() {
		return fmt.Errorf("%w: %d bytes for %s", ErrType, len(b), v.Type())
	}
	copy(v.Bytes(), b)
	return nil
}

// form is how a type with methods of its own is written: as the bytes or the text that they make.
type form[M, U any] struct {
	marshal   func(M) ([]byte, error)
	unmarshal func(U, []byte) error
	text      bool
}

// forms in the order in which they are looked for. Binary comes first as text may leave something out, such as the zeros of a decimal.
var forms = []func(p *plan, t reflect.Type) bool{
	form[encoding.BinaryMarshaler, encoding.BinaryUnmarshaler]{
		encoding.BinaryMarshaler.MarshalBinary, encoding.BinaryUnmarshaler.UnmarshalBinary, false}.take,
	form[encoding.TextMarshaler, encoding.TextUnmarshaler]{
		encoding.TextMarshaler.MarshalText, encoding.TextUnmarshaler.UnmarshalText, true}.take,
}

// The text of a big.Float has not its precision.
var takeGob = form[gob.GobEncoder, gob.GobDecoder]{gob.GobEncoder.GobEncode, gob.GobDecoder.GobDecode, false}.take

// The text of a big.Rat is a quotient. It reads others too, of which some bytes with an exponent become a megabyte.
var takeRat = form[encoding.TextMarshaler, encoding.TextUnmarshaler]{
	encoding.TextMarshaler.MarshalText,
	func(to encoding.TextUnmarshaler, text []byte) error {
		if bytes.ContainsAny(text, "eEpP") {
			return fmt.Errorf("%w: an exponent in %.20q", ErrType, text)
		}
		return to.UnmarshalText(text)
	},
	true,
}.take

// ownForm plans a type that has a form of its own.
func ownForm(p *plan, t reflect.Type) (bool, error) {
	switch t {
	case reflect.TypeFor[time.Time]():
		p.append, p.decode = appendTime, decodeTime
		return true, nil
	case reflect.TypeFor[big.Float]():
		return takeGob(p, t), nil
	case reflect.TypeFor[big.Rat]():
		return takeRat(p, t), nil
	}
	for _, take := range forms {
		if !take(p, t) {
			continue
		}
		if lender := lender(t, take); lender != nil {
			return false, fmt.Errorf("%s may be written by the methods of its embedded %s alone: give that field a name", t, lender)
		}
		return true, nil
	}
	return false, nil
}

// lender returns the embedded type whose methods t may have: they know nothing of the fields beside it.
func lender(t reflect.Type, take func(*plan, reflect.Type) bool) reflect.Type {
	if t.Kind() != reflect.Struct || t.NumField() == 1 {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if f.Anonymous && take(new(plan), inner) {
			return f.Type
		}
	}
	return nil
}

// take plans a type if it has both methods.
func (f form[M, U]) take(p *plan, t reflect.Type) bool {
	at := reflect.PointerTo(t)
	if !at.Implements(reflect.TypeFor[M]()) || !at.Implements(reflect.TypeFor[U]()) {
		return false
	}
	p.append = func(dst []byte, v reflect.Value, _ int) ([]byte, error) {
		b, err := f.marshal(address(v).(M))
		if err != nil {
			return dst, fmt.Errorf("%w: %s: %w", ErrType, t, err)
		}
		if !fits(len(b)) {
			return dst, errTooLong
		}
		if f.text {
			return msgp.AppendStringFromBytes(dst, b), nil
		}
		return msgp.AppendBytes(dst, b), nil
	}
	read := msgp.ReadBytesZC
	if f.text {
		read = msgp.ReadStringZC
	}
	p.decode = func(d *decoder, v reflect.Value) error {
		b, rest, err := read(d.rest)
		if err != nil {
			return err
		}
		d.rest = rest
		if err := f.unmarshal(v.Addr().Interface().(U), b); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
		return nil
	}
	return true
}

// address returns a pointer to v, or to a copy of it.
func address(v reflect.Value) any {
	if !v.CanAddr() {
		at := reflect.New(v.Type()).Elem()
		at.Set(v)
		v = at
	}
	return v.Addr().Interface()
}

// nextType is what follows; InvalidType if nothing does.
func nextType(b []byte) msgp.Type {
	if len(b) == 0 {
		return msgp.InvalidType
	}
	return msgp.NextType(b)
}

// fits reports whether a length fits a header.
func fits(n int) bool { return uint64(n) <= math.MaxUint32 }

var errTooLong = fmt.Errorf("%w: a length above 4294967295", ErrTooLarge)
