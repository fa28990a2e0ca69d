package enginetest

import (
	"strconv"
	"testing"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// Bench runs single calls and pipelines on an engine that is empty, over 10,000 keys that are there. Values are other ones each time:
// databases write nothing if a row stays as it is.
func Bench(b *testing.B, e engine.Engine) {
	var keys, values [10000][]byte
	for i := range keys {
		keys[i] = []byte("key:" + strconv.Itoa(i))
		values[i] = []byte("0123456789abcdef01234567" + strconv.Itoa(10_000_000+i))
	}
	for _, bench := range []struct {
		name string
		most int
		call func(key, value []byte) engine.Call
	}{
		{"SET", 1, func(key, value []byte) engine.Call { return engine.Call{[]byte("SET"), key, value} }},
		{"GET", 1, func(key, _ []byte) engine.Call { return engine.Call{[]byte("GET"), key} }},
		{"SET, 100 at once", 100, func(key, value []byte) engine.Call { return engine.Call{[]byte("SET"), key, value} }},
		{"GET, 100 at once", 100, func(key, _ []byte) engine.Call { return engine.Call{[]byte("GET"), key} }},
		{"INCR", 1, func(key, _ []byte) engine.Call { return engine.Call{[]byte("INCR"), append([]byte("n"), key...)} }},
		{"HSET", 1, func(key, value []byte) engine.Call { return engine.Call{[]byte("HSET"), []byte("hash"), key, value} }},
		{"ZADD", 1, func(key, value []byte) engine.Call {
			return engine.Call{[]byte("ZADD"), []byte("zset"), value[24:], key}
		}},
	} {
		calls := make([]engine.Call, len(keys))
		other := func(round int) { // another value for each key
			for i, key := range keys {
				calls[i] = bench.call(key, values[(i+round)%len(values)])
			}
		}
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			var w resp.Writer
			run := func(some []engine.Call) {
				w.Truncate(0)
				if err := e.Do(b.Context(), &engine.Batch{Calls: some}, &w); err != nil {
					b.Fatal(err)
				}
				if w.Buf[0] == '-' {
					b.Fatal(string(w.Buf))
				}
			}
			other(0)
			run(calls) // the keys are there
			b.ResetTimer()
			for i := 0; i < b.N; i += bench.most {
				at := i % len(calls)
				if at == 0 {
					b.StopTimer()
					other(1 + i/len(calls))
					b.StartTimer()
				}
				run(calls[at : at+bench.most])
			}
		})
	}
}
