package memstore

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// inTx runs f in a transaction.
func inTx(t testing.TB, s *Store, f func(tx keyspace.Tx)) {
	t.Helper()
	tx, err := s.Begin(context.Background(), keyspace.Access{Now: 1000, Write: true, All: true})
	if err != nil {
		t.Fatal(err)
	}
	f(tx)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestAllocationsStayInTheirBudget(t *testing.T) {
	key, field := [][]byte{[]byte("key")}, [][]byte{[]byte("field 77")}
	dst := make([][]byte, 0, 1)
	scored := []keyspace.Scored{{Member: field[0]}}
	big := func(prefix string, n int, f func(name string)) {
		for i := range n {
			f(fmt.Sprint(prefix, i))
		}
	}
	hash := func(tx keyspace.Tx) keyspace.HashKey { h, _ := tx.Hash(key[0]); return h }
	list := func(tx keyspace.Tx) keyspace.ListKey { l, _ := tx.List(key[0]); return l }
	zset := func(tx keyspace.Tx) keyspace.SortedSetKey { z, _ := tx.SortedSet(key[0]); return z }
	turn := 0
	pair := [][]byte{field[0], []byte("value 1")}
	values := [][]byte{[]byte("value of a list")}
	kilobyte := [][]byte{[]byte(strings.Repeat("x", 1000))}
	pushPop := func(in, out keyspace.End, values [][]byte) func(tx keyspace.Tx) {
		return func(tx keyspace.Tx) {
			_, _ = list(tx).Push(in, values)
			_ = list(tx).Pop(out, 1, func([]byte) {})
		}
	}
	move := func(tx keyspace.Tx) {
		turn = (turn + 7919) % 100_000
		scored[0].Score = float64(turn)
		_, _ = zset(tx).Put(scored)
	}
	for _, c := range []struct {
		name   string
		budget float64
		setup  func(tx keyspace.Tx)
		run    func(tx keyspace.Tx)
	}{
		{"Get", 0, func(tx keyspace.Tx) { _ = tx.Put([][]byte{key[0], pair[1]}, 0) }, func(tx keyspace.Tx) { dst, _ = tx.Get(key, dst[:0]) }},
		{"Get of a missing key", 0, nil, func(tx keyspace.Tx) { dst, _ = tx.Get(key, dst[:0]) }},
		{"Put over a value", 0, nil, func(tx keyspace.Tx) { _ = tx.Put(pair, keyspace.Never) }},
		{"Put with and without expiry", 0, func(tx keyspace.Tx) { _ = tx.Put([][]byte{key[0], nil}, 9000) }, func(tx keyspace.Tx) {
			turn++
			_ = tx.Put(pair, int64(turn%2)*5000)
		}},
		{"Add", 0, nil, func(tx keyspace.Tx) { _, _ = tx.Add(key[0], 1) }},
		{"small hash", 0, func(tx keyspace.Tx) { _, _ = hash(tx).Set(pair, keyspace.Never) }, func(tx keyspace.Tx) { _, _ = hash(tx).Set(pair, keyspace.Never) }},
		{"large hash", 0, func(tx keyspace.Tx) {
			big("field ", 1000, func(name string) { _, _ = hash(tx).Set([][]byte{[]byte(name), []byte("value 0")}, keyspace.Never) })
		}, func(tx keyspace.Tx) {
			_, _ = hash(tx).Set(pair, keyspace.Never)
			dst, _ = hash(tx).Get(field, dst[:0])
		}},
		{"small sorted set, new score", 0, func(tx keyspace.Tx) { _, _ = zset(tx).Put(scored) }, move},
		{"large sorted set, new score", 0.05, func(tx keyspace.Tx) {
			big("field ", 1000, func(name string) {
				turn = (turn + 7919) % 100_000
				_, _ = zset(tx).Put([]keyspace.Scored{{Member: []byte(name), Score: float64(turn)}})
			})
		}, move},
		{"stack", 0.1, func(tx keyspace.Tx) { _, _ = list(tx).Push(keyspace.Left, values) }, pushPop(keyspace.Left, keyspace.Left, values)},
		{"queue", 0.1, func(tx keyspace.Tx) { _, _ = list(tx).Push(keyspace.Left, values) }, pushPop(keyspace.Left, keyspace.Right, values)},
		{"queue of kilobytes", 0.1, func(tx keyspace.Tx) { _, _ = list(tx).Push(keyspace.Left, kilobyte) }, pushPop(keyspace.Right, keyspace.Left, kilobyte)},
		{"long queue", 0.1, func(tx keyspace.Tx) {
			for range 10_000 {
				_, _ = list(tx).Push(keyspace.Left, values)
			}
		}, pushPop(keyspace.Right, keyspace.Left, values)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := New(Options{})
			defer s.Close()
			turn = 0
			inTx(t, s, func(tx keyspace.Tx) {
				if c.setup != nil {
					c.setup(tx)
				}
			})
			const calls = 10_000 // AllocsPerRun rounds down
			got := testing.AllocsPerRun(1, func() {
				for range calls {
					inTx(t, s, c.run)
				}
			}) / calls
			if got > c.budget {
				t.Errorf("%v allocations, at most %v are allowed", got, c.budget)
			}
		})
	}
}

func BenchmarkTx(b *testing.B) {
	s := New(Options{})
	defer s.Close()
	names := make([][]byte, 100_000)
	for i := range names {
		names[i] = fmt.Append(nil, "key:", i)
	}
	value := []byte("a value of thirty-two bytes, yes")
	dst := make([][]byte, 0, 1)
	b.Run("Put", func(b *testing.B) {
		pair := make([][]byte, 2)
		for i := 0; b.Loop(); i += 7919 {
			pair[0], pair[1] = names[i%len(names)], value
			inTx(b, s, func(tx keyspace.Tx) { _ = tx.Put(pair, keyspace.Never) })
		}
	})
	b.Run("Get", func(b *testing.B) {
		for i := 0; b.Loop(); i += 7919 {
			n := i % len(names)
			inTx(b, s, func(tx keyspace.Tx) { dst, _ = tx.Get(names[n:n+1], dst[:0]) })
		}
	})
	b.Run("set Pop and Add", func(b *testing.B) {
		inTx(b, s, func(tx keyspace.Tx) {
			x, _ := tx.Set([]byte("set"))
			_, _ = x.Add(names)
		})
		member := make([]byte, 0, 32)
		for b.Loop() {
			inTx(b, s, func(tx keyspace.Tx) {
				x, _ := tx.Set([]byte("set"))
				_ = x.Pop(1, func(m []byte) { member = append(member[:0], m...) })
				_, _ = x.Add([][]byte{member})
			})
		}
	})
}
