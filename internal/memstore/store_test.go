package memstore

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redbud-go/redbud/internal/keyspace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// heap is how much memory is reachable.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// fillings fill a store with much of one kind.
var fillings = map[string]func(t testing.TB, s *Store){
	"strings": func(t testing.TB, s *Store) {
		inTx(t, s, func(tx keyspace.Tx) {
			for i := range 50_000 {
				_ = tx.Put([][]byte{fmt.Append(nil, "key:", i), []byte("a value of thirty-two bytes, yes")}, keyspace.Never)
			}
		})
	},
	"expiring strings of many lengths": func(t testing.TB, s *Store) {
		inTx(t, s, func(tx keyspace.Tx) {
			for i := range 50_000 {
				_ = tx.Put([][]byte{fmt.Append(nil, "key:", i), make([]byte, i%1000)}, 5000)
			}
		})
	},
	"small collections": func(t testing.TB, s *Store) {
		inTx(t, s, func(tx keyspace.Tx) {
			for i := range 50_000 {
				h, _ := tx.Hash(fmt.Append(nil, "key:", i))
				_, _ = h.Set([][]byte{[]byte("field"), []byte("value")}, keyspace.Never)
			}
		})
	},
	"large collections": func(t testing.TB, s *Store) {
		inTx(t, s, func(tx keyspace.Tx) {
			h, _ := tx.Hash([]byte("key:0"))
			l, _ := tx.List([]byte("key:1"))
			x, _ := tx.Set([]byte("key:2"))
			z, _ := tx.SortedSet([]byte("key:3"))
			for i := range 50_000 {
				m := fmt.Append(nil, "member ", i)
				_, _ = h.Set([][]byte{m, m}, keyspace.Never)
				_, _ = l.Push(keyspace.Right, [][]byte{m})
				_, _ = x.Add([][]byte{m})
				_, _ = z.Put([]keyspace.Scored{{Member: m, Score: float64(i % 1000)}})
			}
		})
	},
}

// emptyings take away what fillings filled.
var emptyings = map[string]func(t testing.TB, s *Store){
	"deleted": func(t testing.TB, s *Store) {
		inTx(t, s, func(tx keyspace.Tx) {
			for i := range 50_000 {
				_, _ = tx.Delete([][]byte{fmt.Append(nil, "key:", i)})
			}
		})
	},
	"cleared": func(t testing.TB, s *Store) { inTx(t, s, func(tx keyspace.Tx) { _ = tx.Clear() }) },
	"cleared beside another database": func(t testing.TB, s *Store) {
		inTx(t, s, func(tx keyspace.Tx) {
			_ = tx.Select(1)
			_ = tx.Put([][]byte{[]byte("k"), []byte("v")}, keyspace.Never)
			_ = tx.Select(0)
			_ = tx.Clear()
			_ = tx.Select(1)
			_, _ = tx.Delete([][]byte{[]byte("k")})
		})
	},
	"moved and replaced": func(t testing.TB, s *Store) {
		inTx(t, s, func(tx keyspace.Tx) {
			for i := range 50_000 {
				_, _ = tx.Move(fmt.Append(nil, "key:", i), i%16, []byte("one"))
			}
			for db := range keyspace.Databases {
				_ = tx.Select(db)
				_ = tx.Put([][]byte{[]byte("one"), []byte("v")}, keyspace.Never)
				_, _ = tx.Delete([][]byte{[]byte("one")})
			}
		})
	},
}

func TestAnEmptiedStoreGivesItsMemoryBack(t *testing.T) {
	for filled, fill := range fillings {
		for emptied, empty := range emptyings {
			t.Run(filled+", "+emptied, func(t *testing.T) {
				s := New(Options{})
				defer s.Close()
				before := heap()
				fill(t, s)
				full := heap() - before
				empty(t, s)
				left := heap() - before
				if s.Bytes() != 0 {
					t.Errorf("%d bytes of blocks are left", s.Bytes())
				}
				// A page for each of some size classes, and the directories.
				if left > full/20+300_000 {
					t.Errorf("%d of %d bytes are left", left, full)
				}
				checkIdle(t, &s.arena)
				runtime.KeepAlive(s)
			})
		}
	}
}

func TestKeysThatNobodyAsksForAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Int64
		now.Store(1000)
		s := New(Options{Now: now.Load})
		defer s.Close()
		const keys = 20_000
		inTx(t, s, func(tx keyspace.Tx) {
			for db := range 3 {
				_ = tx.Select(db)
				for i := range keys {
					_ = tx.Put([][]byte{fmt.Append(nil, "goes ", i), nil}, 2000+int64(i%10))
					_ = tx.Put([][]byte{fmt.Append(nil, "stays ", i), nil}, 9000)
				}
				_ = tx.Put([][]byte{[]byte("for ever"), nil}, keyspace.Never)
			}
		})
		time.Sleep(time.Second)
		if n := s.Expired(); n != 0 {
			t.Errorf("%d keys are swept before their time", n)
		}
		now.Store(3000)
		time.Sleep(2 * time.Second)
		if n := s.Expired(); n < 3*keys*2/3 {
			t.Errorf("%d of %d expired keys are swept", n, 3*keys)
		}
		now.Store(9000)
		time.Sleep(10 * time.Second)
		inTx(t, s, func(tx keyspace.Tx) {
			for db := range 3 {
				_ = tx.Select(db)
				if n, expiring, _ := tx.Len(); n != 1 || expiring != 0 {
					t.Errorf("database %d keeps %d keys, %d expiring", db, n, expiring)
				}
			}
		})
	})
}

func TestCloseEndsTheSweeperWhileItWorks(t *testing.T) {
	swept := make(chan struct{})
	var calls atomic.Int64
	s := New(Options{Now: func() int64 {
		if calls.Add(1) == 1 {
			close(swept)
		}
		return 5000
	}})
	inTx(t, s, func(tx keyspace.Tx) {
		for i := range 100_000 {
			_ = tx.Put([][]byte{fmt.Append(nil, i), nil}, 5000)
		}
	})
	<-swept
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	after := calls.Load()
	if _, err := s.Begin(context.Background(), keyspace.Access{}); err != keyspace.ErrClosed {
		t.Errorf("Begin after Close: %v", err)
	}
	if err := s.Close(); err != nil || calls.Load() != after {
		t.Errorf("second Close: %v, the sweeper looked %d times more", err, calls.Load()-after)
	}
}

func TestEncodingsAreThoseOfRedis(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	long := bytes.Repeat([]byte("x"), 65)
	key := []byte("key")
	numbers := func(n int) (all [][]byte) {
		for i := range n {
			all = append(all, fmt.Append(nil, i))
		}
		return all
	}
	for _, c := range []struct {
		want string
		make func(tx keyspace.Tx)
	}{
		{"int", func(tx keyspace.Tx) { _ = tx.Put([][]byte{key, []byte("123")}, 0) }},
		{"embstr", func(tx keyspace.Tx) { _ = tx.Put([][]byte{key, long[:44]}, 0) }},
		{"raw", func(tx keyspace.Tx) { _ = tx.Put([][]byte{key, long[:45]}, 0) }},
		{"raw", func(tx keyspace.Tx) { _, _ = tx.SetRange(key, 0, []byte("1")) }},
		{"int", func(tx keyspace.Tx) { _, _ = tx.Add(key, 1) }},
		{"intset", func(tx keyspace.Tx) { x, _ := tx.Set(key); _, _ = x.Add(numbers(512)) }},
		{"hashtable", func(tx keyspace.Tx) { x, _ := tx.Set(key); _, _ = x.Add(numbers(513)) }},
		{"listpack", func(tx keyspace.Tx) { x, _ := tx.Set(key); _, _ = x.Add(append(numbers(127), long[:64])) }},
		{"hashtable", func(tx keyspace.Tx) { x, _ := tx.Set(key); _, _ = x.Add(append(numbers(128), long[:64])) }},
		{"hashtable", func(tx keyspace.Tx) { x, _ := tx.Set(key); _, _ = x.Add(append(numbers(3), long)) }},
		{"listpack", func(tx keyspace.Tx) { h, _ := tx.Hash(key); _, _ = h.Set(numbers(1024), keyspace.Never) }},
		{"hashtable", func(tx keyspace.Tx) { h, _ := tx.Hash(key); _, _ = h.Set(numbers(1026), keyspace.Never) }},
		{"hashtable", func(tx keyspace.Tx) { h, _ := tx.Hash(key); _, _ = h.Set([][]byte{key, long}, keyspace.Never) }},
		{"listpack", func(tx keyspace.Tx) { l, _ := tx.List(key); _, _ = l.Push(keyspace.Left, numbers(1000)) }},
		{"quicklist", func(tx keyspace.Tx) { l, _ := tx.List(key); _, _ = l.Push(keyspace.Left, numbers(5000)) }},
		{"listpack", func(tx keyspace.Tx) {
			z, _ := tx.SortedSet(key)
			for _, m := range numbers(128) {
				_, _ = z.Put([]keyspace.Scored{{Member: m}})
			}
		}},
		{"skiplist", func(tx keyspace.Tx) {
			z, _ := tx.SortedSet(key)
			for _, m := range numbers(129) {
				_, _ = z.Put([]keyspace.Scored{{Member: m}})
			}
		}},
	} {
		inTx(t, s, func(tx keyspace.Tx) {
			_, _ = tx.Delete([][]byte{key})
			c.make(tx)
			if d, ok, err := tx.Details(key); d.Encoding != c.want || !ok || err != nil {
				t.Errorf("encoding %q, want %q", d.Encoding, c.want)
			}
		})
	}
}
