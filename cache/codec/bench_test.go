package codec_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// ten is a struct of ten fields as one caches them.
type ten struct {
	ID       int64
	Name     string
	Email    string
	Age      int
	Score    float64
	Active   bool
	Created  time.Time
	Tags     []string
	Owner    [16]byte
	Comments uint32
}

var aTen = ten{
	ID: 123456789, Name: "Ada Lovelace", Email: "ada@example.com", Age: 36, Score: 99.5, Active: true,
	Created: time.Date(2026, 5, 1, 12, 30, 15, 123456789, time.UTC), Tags: []string{"math", "poetry"}, Owner: [16]byte{1, 2, 3, 4, 15: 9}, Comments: 4711,
}

// documents is 10 KB of what JSON services answer with.
func documents() []any {
	var all []any
	size := 0
	for i := 0; size < 10_000; i++ {
		one := map[string]any{
			"id": float64(i), "name": fmt.Sprintf("item %d", i), "price": float64(i) * 1.25, "stock": i%3 == 0,
			"tags": []any{"red", "blue", fmt.Sprint("t", i%7)}, "of": map[string]any{"brand": "Acme", "country": "NL"},
		}
		text, err := json.Marshal(one)
		if err != nil {
			panic(err)
		}
		size += len(text)
		all = append(all, one)
	}
	return all
}

func BenchmarkCodecs(b *testing.B) {
	for _, url := range []string{
		"json://", "msgpack://", "msgpack://?structs=map", "gob://",
		"json+zstd://", "json+s2://", "json+zlib://", "msgpack+zstd://", "msgpack+s2://",
	} {
		c := open(b, url)
		b.Run("struct/"+url, func(b *testing.B) { benchmark(b, c, &aTen, new(ten)) })
		if url == "gob://" {
			continue // which would want the types registered
		}
		all := documents()
		b.Run("10KB/"+url, func(b *testing.B) { benchmark(b, c, &all, new([]any)) })
	}
}

type coder interface {
	Append(dst []byte, v any) ([]byte, error)
	Decode(data []byte, to any) error
}

func benchmark[T any](b *testing.B, c coder, v, to *T) {
	var from any = v
	if _, slice := from.(*[]any); slice {
		from = *from.(*[]any)
	}
	data, err := c.Append(nil, from)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		var buffer []byte
		for b.Loop() {
			if buffer, err = c.Append(buffer[:0], from); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(data)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := c.Decode(data, to); err != nil {
				b.Fatal(err)
			}
		}
	})
}
