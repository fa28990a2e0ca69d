package codec_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/cache/codec"
)

// FuzzDecode hands any bytes to every codec: there is a value or ErrDecode, within a bound of memory.
func FuzzDecode(f *testing.F) {
	for _, url := range everyCodec {
		c := open(f, url)
		for _, v := range []any{aTen, "text", []int{1, 2}, all{Map: map[string]int{"a": 1}, Any: "x"}, map[string]string{"a": "b"}} {
			if b, err := c.Append(nil, v); err == nil {
				f.Add(b)
			}
		}
	}
	var codecs []codec.Codec
	for _, url := range everyCodec {
		if strings.Contains(url, "+") {
			url += map[bool]string{true: "&", false: "?"}[strings.Contains(url, "?")] + "max=65536"
		}
		codecs = append(codecs, open(f, url))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, c := range codecs {
			used := allocated(func() {
				for _, to := range []any{new(any), new(ten), new(all), new([]all), new(map[id]tree), new(string)} {
					err := c.Decode(data, to)
					if err != nil && !errors.Is(err, codec.ErrDecode) {
						t.Errorf("%s into %T: %v", c, to, err)
					}
					if err != nil && !reflect.ValueOf(to).Elem().IsZero() {
						t.Errorf("%s into %T: a value and %v", c, to, err)
					}
				}
			})
			// Behind a layer there may be 64 KiB, each byte of which may be one of the structs above. gob reads in pieces of 10 MB.
			bound := 8<<20 + 6*1000*uint64(len(data))
			if strings.Contains(c.String(), "+") {
				bound += 6 * 1000 * 65536
			}
			if strings.HasPrefix(c.String(), "gob") {
				bound += 6 * 24 << 20
			}
			if used > bound {
				t.Errorf("%s: %d bytes of data allocate %d", c, len(data), used)
			}
		}
	})
}

// FuzzMessagePackAgain checks that what is read from any bytes is written and read again as the same.
func FuzzMessagePackAgain(f *testing.F) {
	c := open(f, "msgpack://")
	for _, v := range []any{1, "x", []any{1.5, nil}, map[string]any{"a": uint(1)}, aTen} {
		b, err := c.Append(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, to := range []any{new(any), new(tree), new(map[string]int)} {
			if c.Decode(data, to) != nil {
				continue
			}
			v := reflect.ValueOf(to).Elem()
			if v.Kind() == reflect.Interface && v.IsNil() {
				continue
			}
			b, err := c.Append(nil, v.Interface())
			if err != nil {
				t.Fatalf("%T %v: %v", to, v, err)
			}
			got := reflect.New(v.Type())
			if err := c.Decode(b, got.Interface()); err != nil {
				t.Fatalf("%T %v: %v", to, v, err)
			}
			more, err := c.Append(nil, got.Elem().Interface())
			if err != nil || len(more) != len(b) { // the order of a map may be another
				t.Errorf("%T %v came out as %v, %v", to, v, got.Elem(), err)
			}
		}
	})
}
