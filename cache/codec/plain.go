package codec

// The codecs that the standard library has ready: JSON, gob, and bytes as they are.

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// JSON is encoding/json with its rules and tags: a number in an any comes back as float64, []byte is base64, fields that are
// missing or null are zero and unknown ones ignored, text that is not UTF-8 is repaired. NaN and infinities are ErrType. Characters of HTML are not escaped.
func JSON() Codec { return jsonCodec{} }

type jsonCodec struct{}

func (jsonCodec) String() string { return "json://" }

func (jsonCodec) Append(dst []byte, v any) ([]byte, error) {
	b := bytes.NewBuffer(dst)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return dst, fmt.Errorf("%w: %w", ErrType, err)
	}
	longer := b.Bytes()
	return longer[:len(longer)-1], nil // without the encoder's newline
}

func (jsonCodec) Decode(data []byte, to any) error {
	return decodeInto(to, func(v reflect.Value) error {
		// encoding/json lets a null pass as no change, which would be a zero that nobody stored.
		if _, own := to.(json.Unmarshaler); !own && !mayBeNil(v.Kind()) && bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
			return fmt.Errorf("%w: %w: null for a %s", ErrDecode, ErrType, v.Type())
		}
		err := json.Unmarshal(data, to)
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			err = fmt.Errorf("%w: %w", ErrType, err)
		}
		return undecodable(err)
	})
}

func mayBeNil(k reflect.Kind) bool {
	return k == reflect.Pointer || k == reflect.Interface || k == reflect.Map || k == reflect.Slice
}

// Gob is encoding/gob with its rules: every value brings the description of its type along, fields may come and go, an empty slice or map
// in a struct comes back nil, a pointer to zero too, and the types of interface values have to be registered.
// It is for values that nobody else can write: gob is not made for hostile data.
func Gob() Codec { return gobCodec{} }

type gobCodec struct{}

func (gobCodec) String() string { return "gob://" }

func (gobCodec) Append(dst []byte, v any) (longer []byte, err error) {
	// gob panics on nil pointers, and passes on the panics of a type's own methods.
	defer func() {
		if p := recover(); p != nil {
			longer, err = dst, fmt.Errorf("%w: %v", ErrType, p)
		}
	}()
	b := bytes.NewBuffer(dst)
	if err := gob.NewEncoder(b).Encode(v); err != nil {
		return dst, fmt.Errorf("%w: %w", ErrType, err)
	}
	return b.Bytes(), nil
}

func (gobCodec) Decode(data []byte, to any) error {
	return decodeInto(to, func(v reflect.Value) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%w: %v", ErrDecode, p)
			}
		}()
		r := bytes.NewReader(data)
		if err := gob.NewDecoder(r).DecodeValue(v.Addr()); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF // a value is more than nothing
			}
			return undecodable(err)
		}
		if r.Len() > 0 {
			return fmt.Errorf("%w: %d bytes follow the value", ErrDecode, r.Len())
		}
		return nil
	})
}

// Raw stores text and bytes as they are: string, []byte, and types of these kinds. A nil []byte comes back empty.
func Raw() Codec { return rawCodec{} }

type rawCodec struct{}

func (rawCodec) String() string { return "raw://" }

func (rawCodec) Append(dst []byte, v any) ([]byte, error) {
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Pointer && !r.IsNil() {
		r = r.Elem()
	}
	switch {
	case r.Kind() == reflect.String:
		return append(dst, r.String()...), nil
	case hasBytes(r):
		return append(dst, r.Bytes()...), nil
	}
	return dst, fmt.Errorf("%w: raw bytes of a %T: only string and []byte have them", ErrType, v)
}

func (rawCodec) Decode(data []byte, to any) error {
	return decodeInto(to, func(v reflect.Value) error {
		if v.Kind() == reflect.Pointer && v.Type().Elem().Kind() != reflect.Pointer {
			v.Set(reflect.New(v.Type().Elem()))
			v = v.Elem()
		}
		switch {
		case v.Kind() == reflect.String:
			v.SetString(string(data))
		case hasBytes(v):
			v.SetBytes(append(make([]byte, 0, len(data)), data...))
		default:
			return fmt.Errorf("%w: raw bytes into a %T: only string and []byte hold them", ErrType, to)
		}
		return nil
	})
}

func hasBytes(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8
}
