package sqlite

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// BenchmarkDo is single calls and pipelines on a file, as the engine runs them.
func BenchmarkDo(b *testing.B) { benchmark(b, Options{}) }

// BenchmarkDoExclusive is the same without the locks that other processes would need.
func BenchmarkDoExclusive(b *testing.B) { benchmark(b, Options{Exclusive: true}) }

func benchmark(b *testing.B, o Options) {
	e, err := New(b.Context(), filepath.Join(b.TempDir(), "bench.db"), o)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	var keys [10000][]byte
	for i := range keys {
		keys[i] = []byte("key:" + strconv.Itoa(i))
	}
	value := []byte("0123456789abcdef0123456789abcdef")
	for _, bench := range []struct {
		name string
		most int
		call func(key []byte) engine.Call
	}{
		{"SET", 1, func(key []byte) engine.Call { return engine.Call{[]byte("SET"), key, value} }},
		{"GET", 1, func(key []byte) engine.Call { return engine.Call{[]byte("GET"), key} }},
		{"SET, 100 at once", 100, func(key []byte) engine.Call { return engine.Call{[]byte("SET"), key, value} }},
		{"GET, 100 at once", 100, func(key []byte) engine.Call { return engine.Call{[]byte("GET"), key} }},
		{"INCR", 1, func(key []byte) engine.Call { return engine.Call{[]byte("INCR"), append([]byte("n"), key...)} }},
		{"HSET", 1, func(key []byte) engine.Call { return engine.Call{[]byte("HSET"), []byte("hash"), key, value} }},
	} {
		calls := make([]engine.Call, len(keys))
		for i, key := range keys {
			calls[i] = bench.call(key)
		}
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			var w resp.Writer
			batch := engine.Batch{Calls: calls} // the keys are there
			if err := e.Do(b.Context(), &batch, &w); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for i := 0; i < b.N; i += bench.most {
				at := i % (len(keys) - bench.most)
				batch.Calls = calls[at : at+bench.most]
				w.Truncate(0)
				if err := e.Do(b.Context(), &batch, &w); err != nil {
					b.Fatal(err)
				}
				if w.Buf[0] == '-' {
					b.Fatal(string(w.Buf))
				}
			}
		})
	}
}
