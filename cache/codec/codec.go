// Package codec turns values into bytes and back: JSON, MessagePack, gob or raw bytes, behind them as many layers of compression as wanted.
//
// A codec is opened by a URL whose scheme names its parts in the order in which they encode, and whose query holds their options:
//
//	codec.Open("msgpack+zstd://?level=3&min=512")
//
// What goes in comes out as the same type, or there is an error: nothing is rounded, cut or left zero because it did not fit.
// How far each format keeps that promise is said at [MessagePack], [JSON], [Gob] and [Raw].
package codec

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// A Codec turns values into bytes and back. It is safe for concurrent use.
type Codec interface {
	// Append appends v as bytes to dst and returns the longer slice; after an error, dst as it was.
	// Neither dst nor v is kept.
	Append(dst []byte, v any) ([]byte, error)

	// Decode sets what the pointer to points at, to what the data says; nothing of its former value is left.
	// After an error it is zero. The type has to be the one of the value that was appended.
	// The data is neither kept nor changed: what to gets are copies.
	//
	// An error about the data is ErrDecode, and may be ErrType, ErrVersion or ErrTooLarge besides.
	Decode(data []byte, to any) error

	// String is a URL that opens the same codec.
	String() string
}

// A Layer turns bytes into other bytes and back, such as compression. It is safe for concurrent use and keeps no slice it is given.
type Layer interface {
	// Append appends the bytes that stand for src to dst. The two never overlap.
	Append(dst, src []byte) ([]byte, error)

	// Restore appends the bytes that src stands for to dst. The two never overlap.
	Restore(dst, src []byte) ([]byte, error)

	// String is the layer as a part of a URL: the name, and the options as a query ("zstd?level=3").
	String() string
}

var (
	// ErrDecode is every error about data: cut off, damaged, or not what the codec writes.
	ErrDecode = errors.New("value cannot be decoded")
	// ErrType is a value of a type that the codec cannot keep, or data that is of another type than asked for.
	ErrType = errors.New("wrong type")
	// ErrVersion is a struct that was written with fields that its type does not have now.
	ErrVersion = errors.New("written by another version of the type")
	// ErrTooLarge is a value above the limit of a layer, in either direction.
	ErrTooLarge = errors.New("value too large")
	// ErrOptions is a URL that names no codec.
	ErrOptions = errors.New("bad codec URL")
)

// Chain returns a codec that sends what c encodes through the layers, in their order.
func Chain(c Codec, layers ...Layer) Codec {
	for _, layer := range layers {
		c = &chained{inner: c, layer: layer}
	}
	return c
}

// chained is a codec with one layer behind it.
type chained struct {
	inner   Codec
	layer   Layer
	scratch sync.Pool // of *[]byte: what is between the two
}

// keepAtMost is how large a scratch buffer may be to be used again: one huge value should not hold its memory for ever.
const keepAtMost = 1 << 20

func (c *chained) borrow() *[]byte {
	if b, ok := c.scratch.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

// giveBack takes the buffer that grew out of a borrowed one.
func (c *chained) giveBack(b *[]byte, grown []byte) {
	if cap(grown) <= keepAtMost {
		*b = grown[:0]
		c.scratch.Put(b)
	}
}

func (c *chained) Append(dst []byte, v any) ([]byte, error) {
	b := c.borrow()
	plain, err := c.inner.Append((*b)[:0], v)
	if err != nil {
		return dst, err
	}
	longer, err := c.layer.Append(dst, plain)
	c.giveBack(b, plain)
	if err != nil {
		return dst, err
	}
	return longer, nil
}

func (c *chained) Decode(data []byte, to any) error {
	b := c.borrow()
	plain, err := c.layer.Restore((*b)[:0], data)
	if err != nil {
		clear(to)
		return undecodable(err)
	}
	err = c.inner.Decode(plain, to)
	c.giveBack(b, plain)
	return err
}

func (c *chained) String() string {
	scheme, query, _ := strings.Cut(c.inner.String(), "://")
	query = strings.TrimPrefix(query, "?")
	name, options, _ := strings.Cut(c.layer.String(), "?")
	for option := range strings.SplitSeq(options, "&") {
		if option == "" {
			continue
		}
		if query != "" {
			query += "&"
		}
		query += name + "." + option
	}
	if query != "" {
		query = "?" + query
	}
	return scheme + "+" + name + "://" + query
}

// undecodable makes an error one about data.
func undecodable(err error) error {
	if err == nil || errors.Is(err, ErrDecode) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDecode, err)
}

// clear sets what to points at to zero.
func clear(to any) {
	if v := reflect.ValueOf(to); v.Kind() == reflect.Pointer && !v.IsNil() {
		v.Elem().SetZero()
	}
}

// decodeInto runs decode on what to points at, which is zero before and, after an error, again.
func decodeInto(to any, decode func(v reflect.Value) error) error {
	p := reflect.ValueOf(to)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("%w: decode into a %T, not a pointer to somewhere", ErrType, to)
	}
	v := p.Elem()
	v.SetZero()
	err := decode(v)
	if err != nil {
		v.SetZero()
	}
	return err
}
