package codec_test

import (
	"bytes"
	stdzlib "compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/redbud-go/redbud/cache/codec"
)

var layers = []string{"zstd", "s2", "zlib"}

func TestBytesComeBackThroughEveryLayer(t *testing.T) {
	for _, url := range []string{
		"raw+zstd://", "raw+zstd://?level=1", "raw+zstd://?level=22", "raw+zstd://?min=100", "raw+s2://", "raw+s2://?min=0", "raw+s2://?level=2&min=0", "raw+s2://?level=3",
		"raw+zlib://", "raw+zlib://?level=0", "raw+zlib://?level=9&min=64", "raw+zstd+s2+zlib://", "raw+zlib+zstd://?min=10",
	} {
		c := open(t, url)
		rapid.Check(t, func(t *rapid.T) {
			v := strings.Repeat(rapid.String().Draw(t, "text"), rapid.IntRange(0, 200).Draw(t, "times"))
			b, err := c.Append([]byte("before"), v)
			if err != nil || string(b[:6]) != "before" {
				t.Fatalf("%q and %v", b, err)
			}
			var got string
			again(t, c, v, &got)
			if got != v {
				t.Errorf("%q came back as %q", v, got)
			}
		})
	}
}

func TestSmallValuesAreStoredAsTheyAre(t *testing.T) {
	noise := make([]byte, 1000)
	rand.NewChaCha8([32]byte{}).Read(noise)
	for _, layer := range layers {
		c := open(t, "raw+"+layer+"://?min=100")
		for _, x := range []struct {
			v      []byte
			stored bool
		}{{nil, true}, {bytes.Repeat([]byte("a"), 99), true}, {bytes.Repeat([]byte("a"), 100), false}, {noise, true}} {
			b, err := c.Append(nil, x.v)
			if err != nil || (b[0] == 0) != x.stored || x.stored && !bytes.Equal(b[1:], x.v) || !x.stored && len(b) > 50 {
				t.Errorf("%s of %d bytes begins with %x and is %d bytes, %v", layer, len(x.v), b[0], len(b), err)
			}
		}
	}
}

// Whoever changes the threshold still reads what is there.
func TestEveryThresholdReadsTheOthers(t *testing.T) {
	for _, layer := range layers {
		for _, from := range []int{0, 10, 1000} {
			for _, v := range []string{"", "short", strings.Repeat("long", 100)} {
				b, err := open(t, fmt.Sprintf("raw+%s://?min=%d", layer, from)).Append(nil, v)
				if err != nil {
					t.Fatal(err)
				}
				for _, to := range []int{0, 10, 1000} {
					got := "left over"
					if err := open(t, fmt.Sprintf("raw+%s://?min=%d", layer, to)).Decode(b, &got); err != nil || got != v {
						t.Errorf("%s, min=%d then %d: %q came back as %q, %v", layer, from, to, v, got, err)
					}
				}
			}
		}
	}
}

// Without a threshold, what is stored is what other programs write and read.
func TestLayersSpeakTheFormatsOfOthers(t *testing.T) {
	text := strings.Repeat("hello ", 50)
	for _, x := range []struct {
		url     string
		restore func([]byte) ([]byte, error)
	}{
		{"raw+zlib://", func(b []byte) ([]byte, error) {
			r, err := stdzlib.NewReader(bytes.NewReader(b))
			if err != nil {
				return nil, err
			}
			return io.ReadAll(r)
		}},
		{"raw+zstd://", func(b []byte) ([]byte, error) {
			r, err := zstd.NewReader(bytes.NewReader(b))
			if err != nil {
				return nil, err
			}
			defer r.Close()
			return io.ReadAll(r)
		}},
		{"raw+s2://?min=0", func(b []byte) ([]byte, error) { return s2.Decode(nil, b) }},
	} {
		for _, v := range []string{"", "x", text} {
			b, err := open(t, x.url).Append(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := x.restore(b); err != nil || string(got) != v {
				t.Errorf("%s: %q is read as %q, %v", x.url, v, got, err)
			}
		}
	}
}

// The bytes that cachetory stores: those of Python's json and zlib, and of the zstd tool.
func TestValuesOfCachetoryAreRead(t *testing.T) {
	for _, x := range []struct{ url, stored, want string }{
		{"json://", hex.EncodeToString([]byte(`"hello"`)), "hello"},
		{"json+zlib://", "789c53ca48cdc9c957020009520259", "hello"},
		{"json+zlib://", "78da53ca48cdc9c957020009520259", "hello"},
		{"json+zstandard://?compression-level=3", "28b52ffd04583900002268656c6c6f22eb8dce20", "hello"},
	} {
		data, err := hex.DecodeString(x.stored)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := open(t, x.url).Decode(data, &got); err != nil || got != x.want {
			t.Errorf("%s of %s is %q, %v", x.url, x.stored, got, err)
		}
	}
	for v, want := range map[any]string{42: "42", "hello": `"hello"`, "<é>": `"<é>"`} {
		if b, err := open(t, "json://").Append(nil, v); err != nil || string(b) != want {
			t.Errorf("%v is %q, %v", v, b, err)
		}
	}
}

func TestBombsAreStopped(t *testing.T) {
	zeros := make([]byte, 8<<20)
	for _, layer := range layers {
		bomb, err := open(t, "raw+"+layer+"://").Append(nil, zeros)
		if err != nil {
			t.Fatal(err)
		}
		small := open(t, "raw+"+layer+"://?max=65536")
		var got []byte
		used := allocated(func() { err = small.Decode(bomb, &got) })
		if !errors.Is(err, codec.ErrTooLarge) || !errors.Is(err, codec.ErrDecode) || got != nil {
			t.Errorf("%s: %d bytes and %v", layer, len(got), err)
		}
		if used > 2<<20 {
			t.Errorf("%s: %d bytes were allocated to refuse", layer, used)
		}
		// What could not be read is not written either; the largest value is.
		if b, err := small.Append([]byte("kept"), zeros[:65537]); !errors.Is(err, codec.ErrTooLarge) || errors.Is(err, codec.ErrDecode) || string(b) != "kept" {
			t.Errorf("%s: a value too large becomes %d bytes and %v", layer, len(b), err)
		}
		again(t, small, zeros[:65536], &got)
		if len(got) != 65536 {
			t.Errorf("%s: the largest value has %d bytes", layer, len(got))
		}
		if err := small.Decode(make([]byte, 65538), &got); !errors.Is(err, codec.ErrTooLarge) {
			t.Errorf("%s: stored as it is: %v", layer, err)
		}
	}
}

// A frame that zstd skips holds nothing, which is not the same as an empty value.
func TestAFrameToSkipIsNoValue(t *testing.T) {
	got := "left over"
	if err := open(t, "raw+zstd://").Decode([]byte{0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0}, &got); !errors.Is(err, codec.ErrDecode) || got != "" {
		t.Errorf("%q, %v", got, err)
	}
}

// Headers that promise much cost nothing.
func TestLyingHeadersAreCheap(t *testing.T) {
	frame := append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0}, binary.LittleEndian.AppendUint32(nil, 400<<20)...) // a single segment with a size of 4 bytes
	for url, data := range map[string][]byte{
		"raw+zstd://": append(frame, 1, 0, 0),
		"raw+s2://":   append(binary.AppendUvarint(nil, 1<<40), 0),
		"msgpack://":  {0xdd, 0xff, 0xff, 0xff, 0xff, 1, 1, 1},
		"gob://":      {0xfc, 0x30, 0, 0, 0, 1, 1, 1},
	} {
		var err error
		var list []string
		var text string
		var to any = &text
		if url == "msgpack://" || url == "gob://" {
			to = &list
		}
		if used := allocated(func() { err = open(t, url).Decode(data, to) }); used > 16<<20 || !errors.Is(err, codec.ErrDecode) {
			t.Errorf("%s: %d bytes for %v", url, used, err)
		}
	}
}

// Data of n bytes costs memory in proportion to n, however deep it promises how much.
func TestPromisesShareTheirBytes(t *testing.T) {
	type list []list
	c := open(t, "msgpack://")
	for _, to := range []any{new(any), new(list), new([][][]int)} {
		data := bytes.Repeat([]byte{0xdc, 0xf0, 0x00}, 100_000) // arrays of 61440 elements in each other
		var err error
		if used := allocated(func() { err = c.Decode(data, to) }); used > 64*uint64(len(data)) || !errors.Is(err, codec.ErrDecode) {
			t.Errorf("%T: %d bytes for %v", to, used, err)
		}
	}
}

// What is written is never too deep to be read.
func TestOnlySoMuchLiesInEachOther(t *testing.T) {
	c := open(t, "msgpack://")
	for v, n := any(1), 1; n < 1100; n++ {
		v = []any{v}
		b, err := c.Append(nil, v)
		if n > 999 {
			if !errors.Is(err, codec.ErrType) {
				t.Fatalf("%d lists in each other: %v", n, err)
			}
			continue
		}
		var got any
		if err == nil {
			err = c.Decode(b, &got)
		}
		if err != nil {
			t.Fatalf("%d lists in each other: %v", n, err)
		}
	}
	for n := 1; n < 1100; n += 100 {
		chain := &tree{}
		for range n {
			chain = &tree{Left: chain}
		}
		b, err := c.Append(nil, chain)
		if n > 1000 {
			if !errors.Is(err, codec.ErrType) {
				t.Fatalf("%d pointers: %v", n, err)
			}
			continue
		}
		var got *tree
		if err == nil {
			err = c.Decode(b, &got)
		}
		if err != nil {
			t.Fatalf("%d pointers: %v", n, err)
		}
	}
}

// allocated is how many bytes f allocates, whatever is freed meanwhile.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

var everyCodec = []string{
	"json://", "msgpack://", "msgpack://?structs=map", "gob://", "json+zstd://", "msgpack+zstd://?min=64", "msgpack+s2://?min=0", "gob+s2://", "json+zlib://", "msgpack+s2+zlib://",
}

func TestCutValuesAreErrors(t *testing.T) {
	for _, url := range everyCodec {
		c := open(t, url)
		b, err := c.Append(nil, aTen)
		if err != nil {
			t.Fatal(err)
		}
		for n := range b {
			var got ten
			if err := c.Decode(b[:n:n], &got); !errors.Is(err, codec.ErrDecode) || got.Name != "" {
				t.Errorf("%s: the first %d of %d bytes are %+v and %v", url, n, len(b), got, err)
			}
		}
		for _, more := range []string{"\x00", "x", string(b)} {
			var got ten
			if err := c.Decode(append(b[:len(b):len(b)], more...), &got); !errors.Is(err, codec.ErrDecode) && !strings.Contains(url, "zstd") {
				t.Errorf("%s with %d bytes behind: %v", url, len(more), err)
			}
		}
	}
}

// A flipped bit is an error or another value, never a panic, and behind a checksum always an error.
func TestFlippedBitsAreSeenByChecksums(t *testing.T) {
	for _, url := range everyCodec {
		c := open(t, url)
		v := aTen
		v.Name = strings.Repeat(v.Name, 20)
		b, err := c.Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 * len(b) {
			flipped := bytes.Clone(b)
			flipped[i/8] ^= 1 << (i % 8)
			var got ten
			err := c.Decode(flipped, &got)
			if err != nil && (!errors.Is(err, codec.ErrDecode) || got.Name != "") {
				t.Errorf("%s, bit %d: %+v and %v", url, i, got, err)
			}
			same := err == nil && got.Name == v.Name && got.ID == v.ID && got.Created.Equal(v.Created)
			if err == nil && !same && (strings.Contains(url, "zstd") || strings.Contains(url, "zlib")) {
				t.Errorf("%s, bit %d: another value came out: %+v", url, i, got)
			}
		}
	}
}

func TestManyUseOneCodec(t *testing.T) {
	for _, url := range everyCodec {
		c := open(t, url)
		var group sync.WaitGroup
		for n := range 16 {
			group.Go(func() {
				for i := range 50 {
					v := aTen
					v.ID, v.Tags = int64(n*1000+i), []string{strings.Repeat(fmt.Sprint(n), i*10)}
					b, err := c.Append(nil, &v)
					var got ten
					if err == nil {
						err = c.Decode(b, &got)
					}
					if err != nil || got.ID != v.ID || got.Tags[0] != v.Tags[0] {
						t.Errorf("%s: %d came out as %d, %v", url, v.ID, got.ID, err)
						return
					}
				}
			})
		}
		group.Wait()
	}
}
