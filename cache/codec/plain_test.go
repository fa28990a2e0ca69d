package codec_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/redbud-go/redbud/cache/codec"
)

func TestJSONAndGobKeepStructs(t *testing.T) {
	for _, url := range []string{"json://", "gob://", "json+zlib://", "gob+zstd://"} {
		c := open(t, url)
		got := ten{Name: "left over", Age: 1, Tags: []string{"x", "y", "z"}}
		again(t, c, aTen, &got)
		if !reflect.DeepEqual(got, aTen) {
			t.Errorf("%s: %+v", url, got)
		}
		got = aTen
		again(t, c, ten{Name: "b", Created: time.Unix(0, 0).UTC()}, &got) // fields that are left out are zero, not left over
		if got.Age != 0 || got.Name != "b" || got.Tags != nil {
			t.Errorf("%s: %+v", url, got)
		}
	}
}

func TestWrongJSONIsAnError(t *testing.T) {
	c := open(t, "json://")
	for _, x := range []struct {
		data  string
		to    any
		typed bool
	}{
		{"", new(int), false}, {"{", new(ten), false}, {"1 2", new(int), false}, {`"x"`, new(int), true}, {"1.5", new(int), true}, {"300", new(int8), true},
		{"null", new(int), true}, {" null ", new(ten), true}, {`{"ID":"x"}`, new(ten), true}, {"[1]", new(string), true}, {"NaN", new(float64), false},
	} {
		if err := c.Decode([]byte(x.data), x.to); !errors.Is(err, codec.ErrDecode) || errors.Is(err, codec.ErrType) != x.typed || !reflect.ValueOf(x.to).Elem().IsZero() {
			t.Errorf("%q into %T: %v", x.data, x.to, err)
		}
	}
	for _, to := range []any{new(any), new(*int), new([]int), new(map[string]int)} {
		if err := c.Decode([]byte("null"), to); err != nil || !reflect.ValueOf(to).Elem().IsNil() {
			t.Errorf("null into %T: %v", to, err)
		}
	}
}

func TestPlainCodecsRefuseWhatTheyCannotKeep(t *testing.T) {
	for url, values := range map[string][]any{
		"json://": {math.NaN(), math.Inf(1), make(chan int), func() {}},
		"gob://":  {nil, (*int)(nil), make(chan int), func() {}, struct{ a int }{1}},
		"raw://":  {nil, 1, 1.5, []int{1}, [2]byte{1, 2}, map[string]string{}, struct{}{}, (*string)(nil)},
	} {
		for _, v := range values {
			if b, err := open(t, url).Append([]byte("kept"), v); !errors.Is(err, codec.ErrType) || string(b) != "kept" {
				t.Errorf("%s of %T: %q and %v", url, v, b, err)
			}
		}
	}
}

func TestRawBytesAreStoredAsTheyAre(t *testing.T) {
	c := open(t, "raw://")
	text, blob := "a\x00b", []byte("c\xffd")
	for _, x := range []struct{ in, to, out any }{
		{text, new(string), text}, {blob, new([]byte), blob}, {text, new([]byte), []byte(text)}, {userID("u"), new(userID), userID("u")}, {secret("s"), new(secret), secret("s")},
		{&text, new(*string), &text}, {&blob, new(*[]byte), &blob}, {[]byte(nil), new([]byte), []byte{}}, {"", new(string), ""}, {[]color{1}, new([]color), []color{1}},
	} {
		again(t, c, x.in, x.to)
		if got := reflect.ValueOf(x.to).Elem().Interface(); !reflect.DeepEqual(got, x.out) {
			t.Errorf("%#v came out as %#v", x.in, got)
		}
	}
	if b, err := c.Append([]byte("+"), blob); err != nil || !bytes.Equal(b, append([]byte("+"), blob...)) {
		t.Errorf("%q, %v", b, err)
	}
	for _, to := range []any{new(int), new(any), new([4]byte), new(**string)} {
		if err := c.Decode([]byte("x"), to); !errors.Is(err, codec.ErrType) {
			t.Errorf("into %T: %v", to, err)
		}
	}
}

// A layer of one's own stands behind any codec.
func TestLayersOfOnesOwn(t *testing.T) {
	c := codec.Chain(open(t, "msgpack+zstd://?level=1"), mask(0x55), mask(0x0f))
	if c.String() != "msgpack+zstd+mask+mask://?zstd.level=1&mask.by=55&mask.by=0f" {
		t.Errorf("it is called %s", c)
	}
	var got ten
	again(t, c, aTen, &got)
	if !reflect.DeepEqual(got, aTen) {
		t.Errorf("%+v", got)
	}
	if _, err := codec.Chain(open(t, "raw://"), refusing{}).Append(nil, "x"); !errors.Is(err, errRefused) {
		t.Errorf("Append: %v", err)
	}
	to := "left over"
	if err := codec.Chain(open(t, "raw://"), refusing{}).Decode([]byte("x"), &to); !errors.Is(err, errRefused) || !errors.Is(err, codec.ErrDecode) || to != "" {
		t.Errorf("Decode: %q, %v", to, err)
	}
}

type mask byte

func (m mask) Append(dst, src []byte) ([]byte, error) {
	for _, b := range src {
		dst = append(dst, b^byte(m))
	}
	return dst, nil
}
func (m mask) Restore(dst, src []byte) ([]byte, error) { return m.Append(dst, src) }
func (m mask) String() string {
	const digits = "0123456789abcdef"
	return "mask?by=" + string(digits[m>>4]) + string(digits[m&15])
}

var errRefused = errors.New("refused")

type refusing struct{}

func (refusing) Append(dst, _ []byte) ([]byte, error)  { return dst, errRefused }
func (refusing) Restore(dst, _ []byte) ([]byte, error) { return dst, errRefused }
func (refusing) String() string                        { return "refusing" }
