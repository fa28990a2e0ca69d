package memstore

import (
	"context"
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// seen is a store whose clock a test moves, in transactions that count lookups as it says.
type seen struct {
	*testing.T
	s     *Store
	now   int64 // milliseconds
	looks keyspace.Lookup
}

func newSeen(t *testing.T, m keyspace.Memory) *seen {
	s := New(Options{Seed: 1})
	t.Cleanup(func() { _ = s.Close() })
	s.SetMemory(m)
	return &seen{T: t, s: s, now: 1_700_000_000_000}
}

func (x *seen) do(f func(tx keyspace.Tx)) {
	x.Helper()
	tx, err := x.s.Begin(context.Background(), keyspace.Access{Now: x.now, Write: true, All: true, Lookup: &x.looks})
	if err != nil {
		x.Fatal(err)
	}
	f(tx)
	if err := tx.Commit(); err != nil {
		x.Fatal(err)
	}
}

// details fails unless the key was used as told.
func (x *seen) details(key string, idle int64, freq int) {
	x.Helper()
	x.do(func(tx keyspace.Tx) {
		d, ok, err := tx.Details([]byte(key))
		if !ok || err != nil || d.Idle != idle*1000 || d.Freq != freq {
			x.Errorf("%s: idle %d ms, counter %d; want %d s and %d (%v, %v)", key, d.Idle, d.Freq, idle, freq, ok, err)
		}
	})
}

func key1(key string) [][]byte { return [][]byte{[]byte(key)} }

func put1(key, value string) func(tx keyspace.Tx) {
	return func(tx keyspace.Tx) { _ = tx.Put([][]byte{[]byte(key), []byte(value)}, keyspace.Never) }
}

func TestWritingAndReadingCountAsUses(t *testing.T) {
	for name, use := range map[string]func(tx keyspace.Tx){
		"Get":      func(tx keyspace.Tx) { _, _ = tx.Get(key1("k"), nil) },
		"Put":      put1("k", "7"),
		"Add":      func(tx keyspace.Tx) { _, _ = tx.Add([]byte("k"), 1) },
		"Append":   func(tx keyspace.Tx) { _, _ = tx.Append([]byte("k"), []byte("7")) },
		"SetRange": func(tx keyspace.Tx) { _, _ = tx.SetRange([]byte("k"), 0, []byte("7")) },
		"Expire":   func(tx keyspace.Tx) { _, _ = tx.Expire([]byte("k"), 1<<50) },
		"Touch":    func(tx keyspace.Tx) { _, _ = tx.Touch(key1("k")) },
		"Move": func(tx keyspace.Tx) {
			_, _ = tx.Move([]byte("k"), 0, []byte("other"))
			_, _ = tx.Move([]byte("other"), 0, []byte("k"))
		},
		"Hash": func(tx keyspace.Tx) { _, _ = tx.Hash([]byte("k")) },
	} {
		x := newSeen(t, defaultMemory())
		x.do(put1("k", "5"))
		x.now += 100_000
		x.details("k", 100, newCount-2) // time takes from a counter that nobody adds to
		x.do(func(tx keyspace.Tx) { _, _ = tx.Entries(key1("k"), nil) })
		x.details("k", 100, newCount-2)
		x.do(use)
		if x.details("k", 0, newCount); t.Failed() {
			t.Fatalf("%s is no use of a key", name)
		}
	}
}

func TestTheCounterOfUsesIsALogarithm(t *testing.T) {
	m := defaultMemory()
	m.Victims = keyspace.LeastFrequent
	x := newSeen(t, m)
	x.do(put1("k", "v"))
	x.details("k", 0, newCount)
	counted := map[int]int{}
	for n := 1; n <= 100_000; n++ {
		x.do(func(tx keyspace.Tx) { _, _ = tx.Get(key1("k"), nil) })
		x.do(func(tx keyspace.Tx) {
			d, _, _ := tx.Details([]byte("k"))
			counted[n] = d.Freq
		})
	}
	// redis.conf has the table: for a factor of 10, 10 after 100 uses, 18 after 1000, 142 after 100,000.
	for n, want := range map[int]int{100: 10, 1000: 18, 100_000: 142} {
		if got := counted[n]; got < want-want/4-1 || got > want+want/4+1 {
			t.Errorf("after %d uses the counter is %d, about %d is expected", n, got, want)
		}
	}
	at := counted[100_000]
	x.now += 2 * 60_000
	x.details("k", 120, at-2)
	x.now += 1000 * 60_000
	x.details("k", 60_120, 0)
	x.do(func(tx keyspace.Tx) { _, _ = tx.Get(key1("k"), nil) })
	x.details("k", 0, 1) // below the start each use counts
	m.DecayTime = 0
	x.s.SetMemory(m)
	x.now += 1000 * 60_000
	x.details("k", 60_000, 1)
}

func TestUsesAreSet(t *testing.T) {
	x := newSeen(t, defaultMemory())
	x.do(put1("k", "v"))
	x.do(func(tx keyspace.Tx) {
		if err := keyspace.SetUse(tx, []byte("k"), 5_000_000, 77); err != nil {
			t.Error(err)
		}
		if ok, err := tx.(keyspace.UseSetter).SetUse([]byte("missing"), 1, 1); ok || err != nil {
			t.Errorf("a missing key is used: %v, %v", ok, err)
		}
	})
	x.details("k", 5000, 0)
	x.do(func(tx keyspace.Tx) { _ = keyspace.SetUse(tx, []byte("k"), 7000, 300) })
	x.details("k", 7, 255)
	x.do(func(tx keyspace.Tx) { _ = keyspace.SetUse(tx, []byte("k"), -1, 12) })
	x.details("k", 7, 12)
	x.now -= 60_000 // a clock that was set back
	x.details("k", 0, 12)
}

func TestALookupCountsAsItIsTold(t *testing.T) {
	x := newSeen(t, defaultMemory())
	x.do(put1("k", "v"))
	x.now += 9000
	lookUp := func(tx keyspace.Tx) {
		_, _ = tx.Get([][]byte{[]byte("k"), []byte("missing")}, nil)
		_, _ = tx.Entries([][]byte{[]byte("k"), []byte("missing")}, nil)
		_, _ = tx.Set([]byte("missing"))
		_, _, _ = tx.Details([]byte("missing"))
	}
	count := func() (n keyspace.Counts) {
		x.do(func(tx keyspace.Tx) { n = tx.(keyspace.Counter).Counts() })
		return n
	}
	x.looks = keyspace.Lookup{Unused: true}
	x.do(lookUp)
	if got := count(); got != (keyspace.Counts{}) {
		t.Errorf("what is not to count does: %+v", got)
	}
	x.details("k", 9, newCount)
	x.looks = keyspace.Lookup{Counts: true}
	x.do(lookUp)
	if got := count(); got != (keyspace.Counts{Hits: 2, Misses: 4}) {
		t.Errorf("counted %+v", got)
	}
}
