package codec

// MessagePack: what is written, and the entry points. How a type is written is planned once per type (plan.go).

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/tinylib/msgp/msgp"
)

// Structs is how MessagePack writes structs. Both ways are always read.
type Structs int

const (
	// AsArrays writes values without names: the fingerprint of the names, then the values in the order of the names, without zero ones at the end.
	AsArrays Structs = iota
	// AsMaps writes names and values, for readers in other languages.
	AsMaps
)

// deepest is how many values may lie in each other: a list that bites its tail has to end somewhere.
const deepest = 1000

// MessagePack is https://github.com/msgpack/msgpack/blob/master/spec.md with Go's types kept apart.
//
// It keeps booleans, numbers but complex ones, strings, bytes, slices, arrays, maps, sets (map[T]struct{}), pointers, structs, any,
// and of types with methods for it what their MarshalBinary or else MarshalText says (math/big, netip.Addr, decimals), big.Float by its GobEncode.
// Nil stays nil and empty stays empty, NaN and infinities stay, a [16]byte such as a UUID is 16 bytes.
// A time keeps its nanoseconds and its offset from UTC, not the name of its zone and not its monotonic reading.
// Types based on booleans, numbers, strings and bytes are written as these, whatever their methods.
//
// Nothing is converted on reading: a number must fit the type asked for, integers and floats are not exchanged, nor are text and bytes.
// An any may hold nil, bool, integers (coming back as int64 or uint64), floats (as float64), string, []byte, time.Time, []any and
// map[string]any; other types would come back as something else and are ErrType.
//
// # Structs
//
// Exported fields are written under their name or that in the tag `msgpack:"name"`; those tagged "-" are left out. Embedded structs give their
// fields to the outer one. With [AsMaps], fields with the option omitzero are left out while zero; missing ones are read as zero, unknown ones ignored.
//
// With [AsArrays], fields may be reordered freely. A value that lacks fields, since they were added later, is read if its fingerprint is that
// of the present fields but for up to three (two in structs of more than 31 fields, one above 99). A value with fields that
// the struct does not know is ErrVersion: so that older values stay readable, leave a removed field's name as a blank field:
//
//	_ int `msgpack:"old_name,removed"`
//
// A field that changes its type is ErrType when read as the other.
func MessagePack(structs Structs) Codec {
	return &msgpackCodec{structs: structs}
}

type msgpackCodec struct {
	structs Structs
	plans   sync.Map   // reflect.Type to *plan, complete ones only
	mu      sync.Mutex // held while a type is planned
}

func (c *msgpackCodec) String() string {
	if c.structs == AsMaps {
		return "msgpack://?structs=map"
	}
	return "msgpack://"
}

func (c *msgpackCodec) Append(dst []byte, v any) ([]byte, error) {
	if v == nil {
		return msgp.AppendNil(dst), nil
	}
	r := reflect.ValueOf(v)
	p, err := c.plan(r.Type())
	if err != nil {
		return dst, err
	}
	if k := r.Kind(); k == reflect.Struct || k == reflect.Array {
		// Plans may take addresses. What lies in slices and behind pointers has one, this has not.
		at := reflect.New(r.Type()).Elem()
		at.Set(r)
		r = at
	}
	longer, err := p.append(dst, r, deepest)
	if err != nil {
		return dst, err
	}
	return longer, nil
}

func (c *msgpackCodec) Decode(data []byte, to any) error {
	return decodeInto(to, func(v reflect.Value) error {
		p, err := c.plan(v.Type())
		if err != nil {
			return err
		}
		d := decoder{rest: data, depth: deepest}
		if err := p.decode(&d, v); err != nil {
			return undecodable(typed(err))
		}
		if len(d.rest) > 0 {
			return fmt.Errorf("%w: %d bytes follow the value", ErrDecode, len(d.rest))
		}
		return nil
	})
}

// typed makes those errors of msgp ErrType that are about a value of another type.
func typed(err error) error {
	var (
		kind      msgp.TypeError
		signed    msgp.IntOverflow
		unsigned  msgp.UintOverflow
		negative  msgp.UintBelowZero
		extension msgp.ExtensionTypeError
	)
	if errors.As(err, &kind) || errors.As(err, &signed) || errors.As(err, &unsigned) || errors.As(err, &negative) || errors.As(err, &extension) {
		return fmt.Errorf("%w: %w", ErrType, err)
	}
	return err
}

// decoder is where reading stands.
type decoder struct {
	rest  []byte
	depth int // how much deeper values may lie

	// owed is how many of the rest's bytes belong to elements that headers before have promised. What a header promises must fit
	// into the others, so all that is allocated for elements together is no more than the data has bytes for.
	owed int
}

// claim checks that n elements of at least size bytes can follow. Of each, release is called before it is read.
func (d *decoder) claim(n uint32, size int) (int, error) {
	if d.depth--; d.depth < 0 {
		return 0, errTooDeep
	}
	if uint64(n)*uint64(size) > uint64(max(len(d.rest)-d.owed, 0)) {
		return 0, msgp.ErrShortBytes
	}
	d.owed += int(n) * size
	return int(n), nil
}

func (d *decoder) release(size int) { d.owed -= size }

// leave is called after the last of the elements.
func (d *decoder) leave() { d.depth++ }

var errTooDeep = fmt.Errorf("%w: more than %d values in each other", ErrType, deepest)

// isNil reads a nil if there is one.
func (d *decoder) isNil() bool {
	if !msgp.IsNil(d.rest) {
		return false
	}
	d.rest = d.rest[1:]
	return true
}

func (d *decoder) skip() (err error) {
	d.rest, err = msgp.Skip(d.rest)
	return err
}

func (d *decoder) array() (n uint32, err error) {
	n, d.rest, err = msgp.ReadArrayHeaderBytes(d.rest)
	return n, err
}

func (d *decoder) mapping() (n uint32, err error) {
	n, d.rest, err = msgp.ReadMapHeaderBytes(d.rest)
	return n, err
}

// bytes reads bytes and borrows them.
func (d *decoder) bytes() (b []byte, err error) {
	b, d.rest, err = msgp.ReadBytesZC(d.rest)
	return b, err
}
