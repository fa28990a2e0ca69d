package memstore

import (
	"fmt"
	"math"
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// evictions are what an observer was told of its store's own doing.
type evictions struct{ evicted []string }

func (n *evictions) Note(db int, key []byte, event string) {
	if event == "evicted" {
		n.evicted = append(n.evicted, fmt.Sprint(db, ":", string(key)))
	}
}

func (*evictions) Done(bool) {}

// crowd is a store with a thousand keys in two databases, of which memory allows no more than there are.
func crowd(t *testing.T, m keyspace.Memory) *seen {
	x := newSeen(t, m)
	x.do(func(tx keyspace.Tx) {
		for i := range 1000 {
			_ = tx.Select(i % 2)
			at := keyspace.Never
			if i%4 < 2 {
				at = x.now + int64(1000-i)*1000
			}
			_ = tx.Put([][]byte{fmt.Append(nil, "key ", i), []byte("a value of some bytes")}, at)
		}
	})
	x.do(func(tx keyspace.Tx) { m.Most = tx.(keyspace.Meter).Used() })
	x.s.SetMemory(m)
	return x
}

func number(note string) (n int) {
	_, _ = fmt.Sscanf(note[2:], "key %d", &n)
	return n
}

func TestKeysGiveWayByTheirPolicy(t *testing.T) {
	for _, c := range []struct {
		name   string
		memory keyspace.Memory
		better func(i int) float64 // from 0 to 1: how much sooner the key should go than others
	}{
		{"allkeys-lru", keyspace.Memory{Victims: keyspace.LeastRecent}, func(i int) float64 { return 1 - float64(i)/1000 }},
		{"volatile-lru", keyspace.Memory{Victims: keyspace.LeastRecent, Volatile: true}, func(i int) float64 { return 1 - float64(i)/1000 }},
		{"allkeys-lfu", keyspace.Memory{Victims: keyspace.LeastFrequent, LogFactor: 1}, func(i int) float64 { return 1 - float64(i%10)/10 }},
		{"volatile-lfu", keyspace.Memory{Victims: keyspace.LeastFrequent, LogFactor: 1, Volatile: true}, func(i int) float64 { return 1 - float64(i%10)/10 }},
		{"volatile-ttl", keyspace.Memory{Victims: keyspace.NextToExpire, Volatile: true}, func(i int) float64 { return float64(i) / 1000 }},
		{"allkeys-random", keyspace.Memory{Victims: keyspace.AnyVictims}, nil},
		{"volatile-random", keyspace.Memory{Victims: keyspace.AnyVictims, Volatile: true}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.memory.Samples = 10
			x := crowd(t, c.memory)
			for i := range 1000 {
				x.now += 10
				x.do(func(tx keyspace.Tx) {
					_ = tx.Select(i % 2)
					for range 1 + 8*(i%10) {
						_, _ = tx.Get(key1(fmt.Sprint("key ", i)), nil)
					}
				})
			}
			var told evictions
			x.s.Observe(&told)
			for i := range 200 {
				x.do(func(tx keyspace.Tx) {
					_ = tx.Put([][]byte{fmt.Append(nil, "new ", i), []byte("a value of some bytes")}, keyspace.Never)
					if ok, err := tx.(keyspace.Meter).Fit(); !ok || err != nil {
						t.Fatal(ok, err)
					}
					if used := tx.(keyspace.Meter).Used(); used > x.s.memory.Load().Most {
						t.Fatalf("%d bytes are in use", used)
					}
				})
			}
			var n keyspace.Counts
			x.do(func(tx keyspace.Tx) { n = tx.(keyspace.Counter).Counts() })
			if len(told.evicted) < 150 || n.Evicted != int64(len(told.evicted)) {
				t.Fatalf("%d keys gave way, %d were told", n.Evicted, len(told.evicted))
			}
			sum, old := 0.0, 0
			for _, note := range told.evicted {
				if note[2] != 'k' { // a new one: they may go at random
					continue
				}
				i := number(note)
				if old++; c.memory.Volatile && i%4 >= 2 {
					t.Errorf("%s does not expire", note)
				}
				if c.better != nil {
					sum += c.better(i)
				}
			}
			if average := sum / float64(old); c.better != nil && average < 0.75 {
				t.Errorf("of a rank from 0 to 1, those that gave way have %.2f on average", average)
			}
			checkScale(t, x.s)
		})
	}
}

func TestNobodyGivesWay(t *testing.T) {
	for name, m := range map[string]keyspace.Memory{
		"noeviction":                     {},
		"volatile-lru and nothing of it": {Victims: keyspace.LeastRecent, Volatile: true},
		"volatile-random":                {Victims: keyspace.AnyVictims, Volatile: true},
	} {
		m.Samples = 5
		x := newSeen(t, m)
		x.do(put1("k", "v"))
		m.Most = 1
		x.s.SetMemory(m)
		x.do(func(tx keyspace.Tx) {
			if ok, err := tx.(keyspace.Meter).Fit(); ok || err != nil {
				t.Errorf("%s: room was made: %v, %v", name, ok, err)
			}
			if keys, _, _ := tx.Len(); keys != 1 {
				t.Errorf("%s: %d keys are left", name, keys)
			}
		})
	}
}

func TestALowBoundIsReachedInSteps(t *testing.T) {
	x := crowd(t, keyspace.Memory{Victims: keyspace.LeastRecent, Samples: 5})
	x.s.SetMemory(keyspace.Memory{Victims: keyspace.LeastRecent, Samples: 5, Most: 1})
	steps := 0
	for ok := true; ok; steps++ {
		x.do(func(tx keyspace.Tx) { ok, _ = tx.(keyspace.Meter).Fit() })
	}
	x.do(func(tx keyspace.Tx) {
		if n := sizesOf(tx); steps < 1000/evictMost || n != 0 {
			t.Errorf("after %d steps %d keys are left", steps, n)
		}
	})
}

func sizesOf(tx keyspace.Tx) (n int) {
	for db := range keyspace.Databases {
		_ = tx.Select(db)
		keys, _, _ := tx.Len()
		n += keys
	}
	return n
}

func TestTheSizeOfAKeyIsThatOfItsPieces(t *testing.T) {
	x := newSeen(t, defaultMemory())
	size := func(key string, samples int) (n int64) {
		x.do(func(tx keyspace.Tx) {
			var ok bool
			var err error
			if n, ok, err = tx.(keyspace.Meter).Size([]byte(key), samples); !ok || err != nil {
				t.Error(key, ok, err)
			}
		})
		return n
	}
	used := func() (n int64) {
		x.do(func(tx keyspace.Tx) { n = tx.(keyspace.Meter).Used() })
		return n
	}
	x.do(put1("anchor", "v")) // so that what comes first for all keys is there
	for name, fill := range map[string]func(tx keyspace.Tx){
		"string": put1("string", "a value that takes a hundred bytes or so, which is more than the header that every block begins with"),
		"hash": func(tx keyspace.Tx) {
			h, _ := tx.Hash([]byte("hash"))
			for i := range 3000 {
				_, _ = h.Set([][]byte{fmt.Append(nil, "field ", i), []byte("value")}, keyspace.Never)
			}
		},
		"small hash": func(tx keyspace.Tx) {
			h, _ := tx.Hash([]byte("small hash"))
			_, _ = h.Set([][]byte{[]byte("field"), []byte("value")}, keyspace.Never)
		},
		"set": func(tx keyspace.Tx) {
			x, _ := tx.Set([]byte("set"))
			for i := range 3000 {
				_, _ = x.Add([][]byte{fmt.Append(nil, "member ", i)})
			}
		},
		"zset": func(tx keyspace.Tx) {
			z, _ := tx.SortedSet([]byte("zset"))
			for i := range 3000 {
				_, _ = z.Put([]keyspace.Scored{{Member: fmt.Append(nil, "member ", i), Score: float64(i)}})
			}
		},
		"list": func(tx keyspace.Tx) {
			l, _ := tx.List([]byte("list"))
			for i := range 3000 {
				_, _ = l.Push(keyspace.Left, [][]byte{fmt.Append(nil, "element ", i)})
			}
		},
		"stream": func(tx keyspace.Tx) {
			st, _ := tx.Stream([]byte("stream"))
			for i := range 3000 {
				_ = st.Append(keyspace.StreamID{Ms: uint64(i + 1)}, [][]byte{[]byte("field"), []byte("value")}, keyspace.RunLimit{Bytes: 4096, Entries: 100})
			}
		},
	} {
		before := used()
		x.do(fill)
		grown := used() - before
		for _, samples := range []int{0, 5, math.MaxInt} {
			if n := size(name, samples); math.Abs(float64(n-grown)) > 64+float64(grown)/20 {
				t.Errorf("%s is said to take %d bytes by %d samples, it took %d", name, n, samples, grown)
			}
		}
		x.do(func(tx keyspace.Tx) { _, _ = tx.Delete(key1(name)) })
		if left := used() - before; left != 0 {
			t.Errorf("%s leaves %d bytes behind", name, left)
		}
	}
	x.do(func(tx keyspace.Tx) {
		if _, ok, err := tx.(keyspace.Meter).Size([]byte("missing"), 5); ok || err != nil {
			t.Error("a missing key has a size", err)
		}
	})
}
