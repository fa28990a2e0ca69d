package memstore

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
	"pgregory.net/rapid"
)

func TestLimitsDecideTheFormOfWhatIsWritten(t *testing.T) {
	key, long := []byte("key"), bytes.Repeat([]byte("x"), 11)
	words := func(all ...string) (out [][]byte) {
		for _, w := range all {
			out = append(out, []byte(w))
		}
		return out
	}
	hash := func(pairs ...string) func(keyspace.Tx) error {
		return func(tx keyspace.Tx) error {
			h, _ := tx.Hash(key)
			_, err := h.Set(words(pairs...), keyspace.Never)
			return err
		}
	}
	set := func(members ...string) func(keyspace.Tx) error {
		return func(tx keyspace.Tx) error {
			x, _ := tx.Set(key)
			_, err := x.Add(words(members...))
			return err
		}
	}
	sorted := func(members ...string) func(keyspace.Tx) error {
		return func(tx keyspace.Tx) error {
			z, _ := tx.SortedSet(key)
			var scored []keyspace.Scored
			for _, m := range words(members...) {
				scored = append(scored, keyspace.Scored{Member: m})
			}
			_, err := z.Put(scored)
			return err
		}
	}
	list := func(values ...string) func(keyspace.Tx) error {
		return func(tx keyspace.Tx) error {
			l, _ := tx.List(key)
			_, err := l.Push(keyspace.Right, words(values...))
			return err
		}
	}
	small := keyspace.Limits{HashEntries: 2, HashValue: 10, SetIntegers: 3, SetEntries: 2, SetValue: 10, SortedSetEntries: 2, SortedSetValue: 10, ListSize: 3}
	no := keyspace.Limits{}
	for i, c := range []struct {
		limits keyspace.Limits
		writes []func(keyspace.Tx) error
		want   string
	}{
		{small, []func(keyspace.Tx) error{hash("a", "1"), hash("b", "2"), hash("a", "3")}, "listpack"},
		{small, []func(keyspace.Tx) error{hash("a", "1"), hash("b", "2"), hash("c", "3")}, "hashtable"},
		{small, []func(keyspace.Tx) error{hash("a", "1", "a", "2", "a", "3")}, "hashtable"},
		{small, []func(keyspace.Tx) error{hash("a", string(long))}, "hashtable"},
		{small, []func(keyspace.Tx) error{set("1", "2"), set("3")}, "intset"},
		{small, []func(keyspace.Tx) error{set("1", "2"), set("3"), set("4")}, "hashtable"},
		{small, []func(keyspace.Tx) error{set("1"), set("a")}, "listpack"},
		{small, []func(keyspace.Tx) error{set("1"), set("2"), set("a")}, "hashtable"},
		{small, []func(keyspace.Tx) error{set("1", "1", "1", "1")}, "hashtable"},
		{small, []func(keyspace.Tx) error{set("a", "b"), set("a")}, "listpack"},
		{small, []func(keyspace.Tx) error{set(string(long))}, "hashtable"},
		{keyspace.Limits{SetIntegers: 9, SetEntries: 9, SetValue: 2}, []func(keyspace.Tx) error{set("100"), set("a")}, "hashtable"},
		{keyspace.Limits{SetIntegers: 1, SetEntries: 9, SetValue: 2}, []func(keyspace.Tx) error{set("1", "2")}, "listpack"},
		{small, []func(keyspace.Tx) error{sorted("a"), sorted("b"), sorted("a")}, "listpack"},
		{small, []func(keyspace.Tx) error{sorted("a"), sorted("b"), sorted("c")}, "skiplist"},
		{small, []func(keyspace.Tx) error{sorted("a", "a", "a")}, "skiplist"},
		{small, []func(keyspace.Tx) error{sorted(string(long))}, "skiplist"},
		{small, []func(keyspace.Tx) error{list("a", "b"), list("c")}, "listpack"},
		{small, []func(keyspace.Tx) error{list("a", "b"), list("c"), list("d")}, "quicklist"},
		{no, []func(keyspace.Tx) error{hash("a", "1")}, "hashtable"},
		{no, []func(keyspace.Tx) error{set("1")}, "hashtable"},
		{no, []func(keyspace.Tx) error{sorted("a")}, "skiplist"},
		{no, []func(keyspace.Tx) error{list("a")}, "listpack"},
		{no, []func(keyspace.Tx) error{list("a"), list("b")}, "quicklist"},
	} {
		s := New(Options{})
		inTx(t, s, func(tx keyspace.Tx) {
			s.SetLimits(c.limits) // as CONFIG SET does it, in a transaction
			for _, write := range c.writes {
				if err := write(tx); err != nil {
					t.Fatal(err)
				}
			}
			if d, ok, err := tx.Details(key); d.Encoding != c.want || !ok || err != nil {
				t.Errorf("case %d: encoding %q, want %q", i, d.Encoding, c.want)
			}
		})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLargeListIsSmallAgainAtHalfItsLimit(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	key := []byte("key")
	inTx(t, s, func(tx keyspace.Tx) {
		l, _ := tx.List(key)
		value := bytes.Repeat([]byte("x"), 62) // 64 bytes in a listpack
		encoding := func(want string) {
			t.Helper()
			if d, _, _ := tx.Details(key); d.Encoding != want {
				n, _ := l.Len()
				t.Fatalf("%d values: encoding %q, want %q", n, d.Encoding, want)
			}
		}
		for range 127 {
			_, _ = l.Push(keyspace.Right, [][]byte{value})
		}
		encoding("listpack")
		_, _ = l.Push(keyspace.Right, [][]byte{value})
		encoding("quicklist")
		for n := 128; n > 64; n-- {
			encoding("quicklist")
			_ = l.Pop(keyspace.Left, 1, func([]byte) {})
		}
		encoding("quicklist") // 64 values and the head are more than half
		_ = l.Trim(0, -2)
		encoding("listpack")
	})
}

func TestListKnowsHowLongItsListpackWouldBe(t *testing.T) {
	values := rapid.OneOf(
		rapid.Map(rapid.Int64(), func(n int64) []byte { return fmt.Append(nil, n) }),
		rapid.SliceOfN(rapid.Byte(), 0, 200),
		rapid.SliceOfN(rapid.Byte(), 4090, 4100))
	rapid.Check(t, func(t *rapid.T) {
		var l list
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				for _, c := range l.used() {
					if want := c.measure(c.head, c.tail); c.packed != want {
						t.Fatalf("%d bytes noted, %d counted", c.packed, want)
					}
				}
			},
			"push": func(t *rapid.T) {
				l.push(keyspace.End(rapid.Bool().Draw(t, "end")), values.Draw(t, "value"))
			},
			"pop": func(t *rapid.T) {
				if l.n > 0 {
					l.pop(keyspace.End(rapid.Bool().Draw(t, "end")), func([]byte) {})
				}
			},
			"set": func(t *rapid.T) {
				if l.n > 0 {
					l.set(rapid.IntRange(0, l.n-1).Draw(t, "index"), values.Draw(t, "value"))
				}
			},
			"cut": func(t *rapid.T) {
				l.cut(keyspace.End(rapid.Bool().Draw(t, "end")), rapid.IntRange(0, l.n).Draw(t, "count"))
			},
			"insert and remove": func(t *rapid.T) {
				if l.n > 0 {
					v := values.Draw(t, "value")
					var first []byte
					l.visit(0, 0, func(at []byte) bool { first = bytes.Clone(at); return false })
					l.insert(rapid.Bool().Draw(t, "after"), first, v)
					l.remove(first, 1, rapid.Bool().Draw(t, "back"))
				}
			},
		})
	})
}
