package memstore

import (
	"fmt"
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// addOne appends an entry at a millisecond.
func addOne(x keyspace.StreamKey, ms int, fields [][]byte) {
	_ = x.Append(keyspace.StreamID{Ms: uint64(ms)}, fields, keyspace.RunLimit{Entries: 100, Bytes: 4096})
}

func TestStreamsAllocateNextToNothing(t *testing.T) {
	fields := [][]byte{[]byte("field"), []byte("a value")}
	key, group, consumer := []byte("x"), []byte("g"), []byte("c")
	pending := make([]keyspace.Pending, 1)
	ids, acked := make([]keyspace.StreamID, 1), make([]bool, 0, 1)
	trim := &keyspace.StreamTrim{MaxLen: 1000}
	for _, c := range []struct {
		name   string
		budget float64
		run    func(x keyspace.StreamKey, turn int)
	}{
		{"append", 0.05, func(keyspace.StreamKey, int) {}},
		{"append and trim", 0.1, func(x keyspace.StreamKey, _ int) { _, _ = x.Trim(trim) }},
		{"deliver and acknowledge", 0.05, func(x keyspace.StreamKey, turn int) {
			ids[0] = keyspace.StreamID{Ms: uint64(turn)}
			pending[0] = keyspace.Pending{ID: ids[0], At: 5, Count: 1}
			_ = x.Assign(group, consumer, pending)
			acked, _ = x.Acknowledge(group, ids, acked[:0])
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := New(Options{})
			defer s.Close()
			inTx(t, s, func(tx keyspace.Tx) {
				x, _ := tx.Stream(key)
				_, _ = x.SetGroup(group, keyspace.StreamID{}, 0)
				_, _ = x.SetConsumer(group, consumer, 0, 0)
			})
			turn := 0
			step := func(tx keyspace.Tx) {
				x, _ := tx.Stream(key)
				addOne(x, turn, fields)
				c.run(x, turn)
			}
			const calls = 10_000
			got := testing.AllocsPerRun(1, func() {
				for range calls {
					turn++
					inTx(t, s, step)
				}
			}) / calls
			if got > c.budget {
				t.Errorf("%v allocations, at most %v are allowed", got, c.budget)
			}
		})
	}
}

func TestEntriesOfAStreamShareTheirNames(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	inTx(t, s, func(tx keyspace.Tx) {
		x, _ := tx.Stream([]byte("x"))
		for i := range 10_000 {
			addOne(x, i+1, [][]byte{[]byte("a long name of a field"), fmt.Append(nil, i), []byte("another"), []byte("v")})
		}
		bytes := 0
		for _, r := range x.(*streamKey).stream.runs {
			bytes += cap(r.buf)
		}
		if bytes > 15*10_000 {
			t.Errorf("%d bytes for an entry", bytes/10_000)
		}
	})
}

func BenchmarkStream(b *testing.B) {
	fields := [][]byte{[]byte("field"), []byte("a value of some length")}
	b.Run("Append", func(b *testing.B) {
		s := New(Options{})
		defer s.Close()
		key, turn := []byte("x"), 0
		step := func(tx keyspace.Tx) {
			x, _ := tx.Stream(key)
			addOne(x, turn, fields)
		}
		b.ReportAllocs()
		for b.Loop() {
			turn++
			inTx(b, s, step)
		}
	})
}
