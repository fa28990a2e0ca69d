package codec_test

import (
	"testing"

	"github.com/redbud-go/redbud/cache/codec"
)

func open(t testing.TB, url string) codec.Codec {
	t.Helper()
	c, err := codec.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// again writes v and reads it back.
func again(t interface {
	Helper()
	Fatalf(string, ...any)
}, c codec.Codec, v, to any) {
	t.Helper()
	b, err := c.Append(nil, v)
	if err != nil {
		t.Fatalf("%s of %T: %v", c, v, err)
	}
	err = c.Decode(b, to)
	for i := range b {
		b[i] = 0xc1 // nothing that was read may lie in there
	}
	if err != nil {
		t.Fatalf("%s into %T: %v", c, to, err)
	}
}
