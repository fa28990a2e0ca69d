package sqlite

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/engine/enginetest"
	"github.com/redbud-go/redbud/internal/resp"
)

// BenchmarkDo is single calls and pipelines on a file.
func BenchmarkDo(b *testing.B) { benchmark(b, Options{}) }

// BenchmarkDoExclusive is the same without the locks that other processes would need.
func BenchmarkDoExclusive(b *testing.B) { benchmark(b, Options{Exclusive: true}) }

func benchmark(b *testing.B, o Options) {
	e, err := New(b.Context(), filepath.Join(b.TempDir(), "bench.db"), o)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	enginetest.Bench(b, e)
}

// BenchmarkGrowth is what finds its way into collections of growing size, and DEL of a whole one.
func BenchmarkGrowth(b *testing.B) {
	e, err := New(b.Context(), filepath.Join(b.TempDir(), "bench.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	var w resp.Writer
	do := func(words ...string) {
		call := make(engine.Call, len(words))
		for i, word := range words {
			call[i] = []byte(word)
		}
		w.Truncate(0)
		if err := e.Do(b.Context(), &engine.Batch{Calls: []engine.Call{call}}, &w); err != nil {
			b.Fatal(err)
		}
		if w.Buf[0] == '-' {
			b.Fatal(string(w.Buf))
		}
	}
	for _, size := range []int{1_000, 10_000, 100_000, 1_000_000} {
		fill := func(first func(i int) []string, key string, command string) {
			for i := 0; i < size; i += 1000 {
				words := []string{command, key}
				for j := i; j < i+1000; j++ {
					words = append(words, first(j)...)
				}
				do(words...)
			}
		}
		do("FLUSHALL")
		member := func(i int) string { return "m" + strconv.Itoa(i) }
		fill(func(i int) []string { return []string{strconv.Itoa(i * 7919 % size), member(i)} }, "z", "ZADD")
		fill(func(i int) []string { return []string{member(i)} }, "l", "RPUSH")
		fill(func(i int) []string { return []string{member(i), "v"} }, "h", "HSET")
		for _, bench := range []struct {
			name string
			call func(i int) []string
		}{
			{"ZSCORE", func(i int) []string { return []string{"ZSCORE", "z", member(i * 7919 % size)} }},
			{"ZRANK", func(i int) []string { return []string{"ZRANK", "z", member(i * 7919 % size)} }},
			{"ZRANGE by rank in the middle", func(int) []string { return []string{"ZRANGE", "z", strconv.Itoa(size / 2), strconv.Itoa(size/2 + 9)} }},
			{"ZRANGE by score", func(int) []string {
				return []string{"ZRANGE", "z", strconv.Itoa(size / 2), strconv.Itoa(size/2 + 9), "BYSCORE"}
			}},
			{"LINDEX", func(i int) []string { return []string{"LINDEX", "l", strconv.Itoa(i * 7919 % size)} }},
			{"HSCAN from the middle", func(int) []string { return []string{"HSCAN", "h", "9223372036854775808", "COUNT", "10"} }},
		} {
			b.Run(bench.name+"/"+strconv.Itoa(size), func(b *testing.B) {
				for i := range b.N {
					do(bench.call(i)...)
				}
			})
		}
		took := time.Duration(0) // of the only one that there is
		b.Run("DEL/"+strconv.Itoa(size), func(b *testing.B) {
			if took == 0 {
				start := time.Now()
				do("DEL", "h")
				took = time.Since(start)
			}
			b.ReportMetric(float64(took.Microseconds()), "µs")
		})
	}
	do("FLUSHALL")
	for i := 0; i < 1_000_000; i += 1000 {
		words := []string{"MSET"}
		for j := i; j < i+1000; j++ {
			words = append(words, "k"+strconv.Itoa(j), "v")
		}
		do(words...)
	}
	b.Run("SCAN of 1000000 keys, a step", func(b *testing.B) {
		for range b.N {
			do("SCAN", "500000", "COUNT", "10")
		}
	})
}
