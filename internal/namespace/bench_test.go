package namespace_test

import (
	"context"
	"testing"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/namespace"
	"github.com/redbud-go/redbud/internal/resp"
)

func BenchmarkGet(b *testing.B) {
	e := newMemory(b)
	for name, of := range map[string]engine.Engine{"bare": e, "namespace": namespace.New(e, "app:")} {
		b.Run(name, func(b *testing.B) {
			run(b, of, 0, []string{"SET", "key", "value"})
			batch := engine.Batch{Wait: true, Calls: []engine.Call{{[]byte("GET"), []byte("key")}}}
			var w resp.Writer
			b.ReportAllocs()
			for b.Loop() {
				w.Buf = w.Buf[:0]
				if err := of.Do(context.Background(), &batch, &w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
