package postgres

import (
	"testing"

	"github.com/redbud-go/redbud/internal/engine/enginetest"
	"github.com/redbud-go/redbud/internal/testenv"
)

// BenchmarkDo is single calls and pipelines on a server of this machine.
func BenchmarkDo(b *testing.B) {
	e, err := New(b.Context(), testenv.SharedPostgres(b).Fresh(b), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	enginetest.Bench(b, e)
}
