package codec

// What is of no type until it is read, and times, as MessagePack.

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/tinylib/msgp/msgp"
)

func appendInterface(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	return appendAny(dst, v.Interface(), depth)
}

func decodeInterface(d *decoder, v reflect.Value) error {
	x, err := d.any()
	if err == nil && x != nil {
		v.Set(reflect.ValueOf(x))
	}
	return err
}

// appendAny appends a value of one of the types that come back without being asked for.
func appendAny(dst []byte, v any, depth int) (_ []byte, err error) {
	if depth == 0 {
		return dst, errTooDeep
	}
	switch v := v.(type) {
	case nil:
		return msgp.AppendNil(dst), nil
	case bool:
		return msgp.AppendBool(dst, v), nil
	case int, int8, int16, int32, int64:
		return msgp.AppendInt64(dst, reflect.ValueOf(v).Int()), nil
	case uint, uint8, uint16, uint32, uint64:
		n := reflect.ValueOf(v).Uint()
		if n <= math.MaxInt8 {
			return append(dst, uint8Mark, byte(n)), nil // the shortest form says nothing of signs
		}
		return msgp.AppendUint64(dst, n), nil
	case float32:
		return msgp.AppendFloat32(dst, v), nil
	case float64:
		return msgp.AppendFloat64(dst, v), nil
	case string:
		if !fits(len(v)) {
			return dst, errTooLong
		}
		return msgp.AppendString(dst, v), nil
	case []byte:
		return appendBytes(dst, reflect.ValueOf(v), depth)
	case time.Time:
		return appendInstant(dst, v)
	case []any:
		switch {
		case v == nil:
			return msgp.AppendNil(dst), nil
		case !fits(len(v)):
			return dst, errTooLong
		}
		dst = msgp.AppendArrayHeader(dst, uint32(len(v)))
		for _, e := range v {
			if dst, err = appendAny(dst, e, depth-1); err != nil {
				return dst, err
			}
		}
		return dst, nil
	case map[string]any:
		switch {
		case v == nil:
			return msgp.AppendNil(dst), nil
		case !fits(len(v)):
			return dst, errTooLong
		}
		dst = msgp.AppendMapHeader(dst, uint32(len(v)))
		for k, e := range v {
			dst = msgp.AppendString(dst, k)
			if dst, err = appendAny(dst, e, depth-1); err != nil {
				return dst, fmt.Errorf("%s: %w", k, err)
			}
		}
		return dst, nil
	}
	return dst, fmt.Errorf("%w: a %T in an any would not come back as one: give it a type, or make it []any or map[string]any", ErrType, v)
}

const uint8Mark = 0xcc

// any reads whatever follows.
func (d *decoder) any() (v any, err error) {
	if len(d.rest) == 0 {
		return nil, msgp.ErrShortBytes
	}
	switch kind := msgp.NextType(d.rest); kind {
	case msgp.NilType:
		d.rest = d.rest[1:]
	case msgp.BoolType:
		v, d.rest, err = msgp.ReadBoolBytes(d.rest)
	case msgp.IntType:
		v, d.rest, err = msgp.ReadInt64Bytes(d.rest)
	case msgp.UintType:
		v, d.rest, err = msgp.ReadUint64Bytes(d.rest)
	case msgp.Float32Type, msgp.Float64Type:
		v, d.rest, err = msgp.ReadFloat64Bytes(d.rest)
	case msgp.StrType:
		v, d.rest, err = msgp.ReadStringBytes(d.rest)
	case msgp.BinType:
		var b []byte
		if b, err = d.bytes(); err == nil {
			v = append(make([]byte, 0, len(b)), b...)
		}
	case msgp.ArrayType:
		return d.anyArray()
	case msgp.MapType:
		return d.anyMap()
	case msgp.InvalidType:
		err = fmt.Errorf("0x%02x begins nothing", d.rest[0])
	default:
		v, err = d.time() // the only extensions
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (d *decoder) anyArray() (any, error) {
	promised, err := d.array()
	if err != nil {
		return nil, err
	}
	n, err := d.claim(promised, 1)
	if err != nil {
		return nil, err
	}
	all := make([]any, n)
	for i := range all {
		d.release(1)
		if all[i], err = d.any(); err != nil {
			return nil, err
		}
	}
	d.leave()
	return all, nil
}

func (d *decoder) anyMap() (any, error) {
	promised, err := d.mapping()
	if err != nil {
		return nil, err
	}
	n, err := d.claim(promised, 2)
	if err != nil {
		return nil, err
	}
	all := make(map[string]any, n)
	for range n {
		d.release(2)
		var key string
		if key, d.rest, err = msgp.ReadStringBytes(d.rest); err != nil {
			return nil, err
		}
		if all[key], err = d.any(); err != nil {
			return nil, err
		}
	}
	if len(all) != n {
		return nil, errTwice
	}
	d.leave()
	return all, nil
}

// A time in UTC is the timestamp of the specification, extension -1, in the shortest of its three forms.
// One with an offset is our extension 16: 8 bytes of seconds since 1970, 4 of nanoseconds, 4 of seconds east of UTC, all big endian.
const (
	timestamp  = 0xff // -1
	zonedTime  = 16
	fixext4    = 0xd6
	fixext8    = 0xd7
	fixext16   = 0xd8
	ext8       = 0xc7
	nanosecond = 1_000_000_000
)

func appendTime(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return appendInstant(dst, *address(v).(*time.Time))
}

func appendInstant(dst []byte, t time.Time) ([]byte, error) {
	s, ns := t.Unix(), uint32(t.Nanosecond())
	if t.Location() == time.UTC {
		switch {
		case ns == 0 && uint64(s)>>32 == 0:
			return binary.BigEndian.AppendUint32(append(dst, fixext4, timestamp), uint32(s)), nil
		case uint64(s)>>34 == 0:
			return binary.BigEndian.AppendUint64(append(dst, fixext8, timestamp), uint64(ns)<<34|uint64(s)), nil
		}
		dst = binary.BigEndian.AppendUint32(append(dst, ext8, 12, timestamp), ns)
		return binary.BigEndian.AppendUint64(dst, uint64(s)), nil
	}
	_, offset := t.Zone()
	if int(int32(offset)) != offset {
		return dst, fmt.Errorf("%w: a time %d seconds east of UTC", ErrType, offset)
	}
	dst = binary.BigEndian.AppendUint64(append(dst, fixext16, zonedTime), uint64(s))
	dst = binary.BigEndian.AppendUint32(dst, ns)
	return binary.BigEndian.AppendUint32(dst, uint32(int32(offset))), nil
}

func decodeTime(d *decoder, v reflect.Value) error {
	t, err := d.time()
	if err == nil {
		*v.Addr().Interface().(*time.Time) = t
	}
	return err
}

func (d *decoder) time() (time.Time, error) {
	mark, data, rest, err := extension(d.rest)
	if err != nil {
		return time.Time{}, err
	}
	var (
		s  int64
		ns uint32
		at = time.UTC
	)
	switch {
	case mark == timestamp && len(data) == 4:
		s = int64(binary.BigEndian.Uint32(data))
	case mark == timestamp && len(data) == 8:
		both := binary.BigEndian.Uint64(data)
		s, ns = int64(both&(1<<34-1)), uint32(both>>34)
	case mark == timestamp && len(data) == 12:
		s, ns = int64(binary.BigEndian.Uint64(data[4:])), binary.BigEndian.Uint32(data)
	case mark == zonedTime && len(data) == 16:
		s, ns = int64(binary.BigEndian.Uint64(data)), binary.BigEndian.Uint32(data[8:])
		at = time.FixedZone("", int(int32(binary.BigEndian.Uint32(data[12:]))))
	default:
		return time.Time{}, fmt.Errorf("%w: extension %d of %d bytes is no time", ErrType, int8(mark), len(data))
	}
	if ns >= nanosecond {
		return time.Time{}, fmt.Errorf("%d nanoseconds", ns)
	}
	d.rest = rest
	return time.Unix(s, int64(ns)).In(at), nil
}

// extension splits off the type and the data of an extension.
func extension(b []byte) (mark byte, data, rest []byte, err error) {
	if len(b) == 0 {
		return 0, nil, nil, msgp.ErrShortBytes
	}
	at, n := 1, 0
	switch lead := b[0]; {
	case lead >= 0xd4 && lead <= fixext16:
		n = 1 << (lead - 0xd4)
	case lead == ext8 && len(b) > 1:
		at, n = 2, int(b[1])
	case lead == ext8:
		return 0, nil, nil, msgp.ErrShortBytes
	default:
		return 0, nil, nil, fmt.Errorf("%w: 0x%02x begins no time", ErrType, lead)
	}
	if len(b) < at+1+n {
		return 0, nil, nil, msgp.ErrShortBytes
	}
	return b[at], b[at+1 : at+1+n], b[at+1+n:], nil
}
