package memstore

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/redbud-go/redbud/internal/keyspace"
	"pgregory.net/rapid"
)

// notes are what an observer is told: how many events of each name, and how many writes.
type notes map[string]int

func (n notes) Note(_ int, _ []byte, event string) { n[event]++ }
func (n notes) Done(bool)                          {}

// timedField is a field of the model.
type timedField struct {
	value string
	at    int64
}

// timedModel drives one hash of a store, and a copy of it, beside maps.
type timedModel struct {
	s      *Store
	now    int64
	hashes map[string]map[string]timedField
}

func (m *timedModel) tx(t *rapid.T, f func(tx keyspace.Tx)) {
	tx, err := m.s.Begin(t.Context(), keyspace.Access{Now: m.now, Write: true, All: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	f(tx)
}

// live forgets what has expired and returns the fields of a hash.
func (m *timedModel) live(key string) map[string]timedField {
	maps.DeleteFunc(m.hashes[key], func(_ string, f timedField) bool { return f.at != 0 && f.at <= m.now })
	return m.hashes[key]
}

// check compares without asking for the key, so that nothing is removed for the asking, and looks whether what the store keeps
// of times fits together.
func (m *timedModel) check(t *rapid.T) {
	s := m.s
	expiring := 0
	for key, want := range m.hashes {
		sum := s.hash([]byte(key))
		r := s.dbs[0].keys.find(&s.arena, sum, []byte(key))
		if r == 0 {
			if live := m.live(key); len(live) > 0 {
				t.Fatalf("%s is gone with %d fields", key, len(live))
			}
			continue
		}
		b := s.arena.block(r)
		h := s.object(b).(*hash)
		got := map[string]timedField{}
		first, expire := int64(endless), 0
		h.eachExpiry(s, func(name, value []byte, at int64) {
			got[string(name)] = timedField{string(value), at}
			if at != 0 {
				first = min(first, at)
				expire++
			}
		})
		if h.count() != len(got) {
			t.Fatalf("%s counts %d fields, visits %d", key, h.count(), len(got))
		}
		expire += h.len() - h.count()
		maps.DeleteFunc(got, func(_ string, f timedField) bool { return f.at != 0 && f.at <= m.now })
		if live := m.live(key); !maps.Equal(got, live) {
			t.Fatalf("%s holds %v, want %v", key, got, want)
		}
		listed := s.dbs[0].fields.find(&s.arena, sum, []byte(key)) == r
		if flagged := b[1]&flagFields != 0; flagged != listed || expire > 0 && !flagged {
			t.Fatalf("%s: %d fields expire, flagged %v, listed %v", key, expire, flagged, listed)
		} else if flagged {
			expiring++
		}
		if h.times == nil {
			continue
		}
		if h.times.next > first {
			t.Fatalf("%s looks for expired fields at %d, the first expires at %d", key, h.times.next, first)
		}
		if h.dict != nil && h.times.order.n != expire {
			t.Fatalf("%s has %d times in order, of %d", key, h.times.order.n, expire)
		}
		if live := len(m.live(key)); h.spent(m.now) != (live == 0) {
			t.Fatalf("%s with %d fields: spent is %v", key, live, h.spent(m.now))
		}
	}
	if s.dbs[0].fields.n != expiring {
		t.Fatalf("%d hashes are listed, %d have fields that expire", s.dbs[0].fields.n, expiring)
	}
}

func TestFieldsExpireAsThoseOfAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(Options{Seed: 1})
		defer s.Close()
		limits := *keyspace.DefaultLimits()
		limits.HashEntries, limits.HashValue = 6, 8
		s.SetLimits(limits)
		m := &timedModel{s: s, now: 1000, hashes: map[string]map[string]timedField{"h": {}, "copy": {}}}
		s.now = func() int64 { return m.now }
		key := rapid.SampledFrom([]string{"h", "h", "copy"})
		name := rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprint(rapid.SampledFrom([]string{"", "", "", "a long name "}).Draw(t, "prefix"), rapid.IntRange(0, 9).Draw(t, "field"))
		})
		soon := func(t *rapid.T) int64 { return m.now + rapid.Int64Range(1, 20).Draw(t, "later") }
		set := func(t *rapid.T) {
			k, f := key.Draw(t, "key"), name.Draw(t, "name")
			v := strings.Repeat("v", rapid.SampledFrom([]int{0, 1, 7, 8, 8, 9, 200}).Draw(t, "length"))
			at := rapid.SampledFrom([]int64{keyspace.Never, keyspace.KeepTTL, soon(t)}).Draw(t, "at")
			old := m.live(k)[f]
			m.tx(t, func(tx keyspace.Tx) {
				h, _ := tx.Hash([]byte(k))
				_, _ = h.Set([][]byte{[]byte(f), []byte(v)}, at)
			})
			if at == keyspace.KeepTTL {
				at = old.at
			}
			m.hashes[k][f] = timedField{v, at}
		}
		expire := func(t *rapid.T) {
			k, f := key.Draw(t, "key"), name.Draw(t, "name")
			at := rapid.SampledFrom([]int64{keyspace.Never, m.now, soon(t)}).Draw(t, "at")
			m.tx(t, func(tx keyspace.Tx) {
				h, _ := tx.Hash([]byte(k))
				_, _ = h.Expire([][]byte{[]byte(f)}, at, keyspace.Always, nil)
			})
			if old, ok := m.live(k)[f]; ok {
				m.hashes[k][f] = timedField{old.value, at}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"":    m.check,
			"set": set, "set more": set, "set even more": set,
			"set many": func(t *rapid.T) {
				k, n, at := key.Draw(t, "key"), rapid.IntRange(1, 4*purgeMost).Draw(t, "fields"), soon(t)
				m.live(k)
				m.tx(t, func(tx keyspace.Tx) {
					h, _ := tx.Hash([]byte(k))
					for i := range n {
						_, _ = h.Set([][]byte{fmt.Append(nil, i), nil}, at)
						m.hashes[k][fmt.Sprint(i)] = timedField{"", at}
					}
				})
			},
			"expire": expire, "expire more": expire,
			"delete": func(t *rapid.T) {
				k, f := key.Draw(t, "key"), name.Draw(t, "name")
				m.tx(t, func(tx keyspace.Tx) {
					h, _ := tx.Hash([]byte(k))
					_, _ = h.Delete([][]byte{[]byte(f)})
				})
				delete(m.hashes[k], f)
			},
			"copy": func(t *rapid.T) {
				from, move := key.Draw(t, "key"), rapid.Bool().Draw(t, "move")
				to := map[string]string{"h": "copy", "copy": "h"}[from]
				live := m.live(from)
				m.tx(t, func(tx keyspace.Tx) {
					if move {
						_, _ = tx.Move([]byte(from), 0, []byte(to))
					} else {
						_, _ = tx.Copy([]byte(from), 0, []byte(to))
					}
				})
				if len(live) == 0 {
					return
				}
				if m.hashes[to] = maps.Clone(live); move {
					m.hashes[from] = map[string]timedField{}
				}
			},
			"replace": func(t *rapid.T) {
				k := key.Draw(t, "key")
				m.tx(t, func(tx keyspace.Tx) {
					_ = tx.Put([][]byte{[]byte(k), []byte("v")}, keyspace.Never)
					_, _ = tx.Delete([][]byte{[]byte(k)})
				})
				m.hashes[k] = map[string]timedField{}
			},
			"expire the key": func(t *rapid.T) {
				k := key.Draw(t, "key")
				at := rapid.SampledFrom([]int64{keyspace.Never, math.MaxInt64}).Draw(t, "at")
				m.tx(t, func(tx keyspace.Tx) { _, _ = tx.Expire([]byte(k), at) })
			},
			"wait":  func(t *rapid.T) { m.now += rapid.Int64Range(0, 10).Draw(t, "wait") },
			"sweep": func(t *rapid.T) { s.sweepFields(0) },
			"read": func(t *rapid.T) {
				k := key.Draw(t, "key")
				live := slices.Sorted(maps.Keys(m.live(k)))
				m.tx(t, func(tx keyspace.Tx) {
					h, _ := tx.Hash([]byte(k))
					n, _ := h.Len()
					var visited, scanned, drawn []string
					_ = h.Each(func(f, v []byte) {
						visited = append(visited, string(f))
						if m.hashes[k][string(f)].value != string(v) {
							t.Fatalf("value of %s is %q", f, v)
						}
					})
					_, _ = h.Scan(0, 10_000, func(f, _ []byte) { scanned = append(scanned, string(f)) })
					_ = h.Random(10_000, func(f, _ []byte) { drawn = append(drawn, string(f)) })
					for _, got := range [][]string{visited, scanned, drawn} {
						if slices.Sort(got); n != len(live) || !slices.Equal(got, live) {
							t.Fatalf("%d fields, %q, want %q", n, got, live)
						}
					}
				})
			},
		})
		m.now += 1000
		for range 20 {
			s.sweepFields(0)
		}
		m.check(t)
		m.tx(t, func(tx keyspace.Tx) { _ = tx.Clear() })
		if s.Bytes() != 0 {
			t.Fatalf("%d bytes are left", s.Bytes())
		}
	})
}

func TestFieldsThatNobodyAsksForAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Int64
		now.Store(1000)
		s := New(Options{Now: now.Load})
		defer s.Close()
		told := notes{}
		s.Observe(told)
		const hashes, fields = 300, 10_000
		inTx(t, s, func(tx keyspace.Tx) {
			_ = tx.Select(3)
			for i := range hashes {
				h, _ := tx.Hash(fmt.Append(nil, "small ", i))
				_, _ = h.Set([][]byte{[]byte("goes"), nil, []byte("too"), nil}, 2000)
			}
			h, _ := tx.Hash([]byte("large"))
			_, _ = h.Set([][]byte{[]byte("stays"), nil}, keyspace.Never)
			for i := range fields {
				_, _ = h.Set([][]byte{fmt.Append(nil, i), []byte("v")}, 2000+int64(i%100))
			}
		})
		full := s.Bytes()
		clear(told)
		time.Sleep(time.Second)
		if s.Bytes() != full {
			t.Error("fields are swept before their time")
		}
		now.Store(3000)
		time.Sleep(2 * time.Second)
		inTx(t, s, func(tx keyspace.Tx) {
			if keys := s.dbs[3].keys.n; keys != 1 {
				t.Errorf("%d keys are left", keys)
			}
			if n := s.dbs[3].fields.n; n != 0 {
				t.Errorf("%d hashes have fields that expire", n)
			}
			_ = tx.Select(3)
			h, _ := tx.Hash([]byte("large"))
			if n, _ := h.Len(); n != 1 {
				t.Errorf("%d fields are left", n)
			}
		})
		if told["del"] != hashes || told["hexpired"] != hashes+1 || told["expired"] != 0 {
			t.Errorf("told %v", told)
		}
	})
}

func TestExpiredFieldsAreMissingAtOnceAndRemovedInSmallSteps(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	s.now = func() int64 { return 3000 }
	told := notes{}
	s.Observe(told)
	const fields = 20 * purgeMost
	h := &hash{}
	inTx(t, s, func(tx keyspace.Tx) {
		k, _ := tx.Hash([]byte("h"))
		_, _ = k.Set([][]byte{[]byte("stays"), []byte("v")}, keyspace.Never)
		for i := range fields {
			_, _ = k.Set([][]byte{fmt.Append(nil, i), nil}, 2000)
		}
		h = k.(*hashKey).hash
	})
	at3000 := func(f func(tx keyspace.Tx, k keyspace.HashKey)) {
		tx, err := s.Begin(t.Context(), keyspace.Access{Now: 3000, Write: true})
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		k, err := tx.Hash([]byte("h"))
		if err != nil {
			t.Fatal(err)
		}
		f(tx, k)
	}
	gone := []byte(fmt.Sprint(fields - 1))
	left := fields + 1
	clear(told)
	for range 5 {
		s.sweepFields(0)
		at3000(func(tx keyspace.Tx, k keyspace.HashKey) {
			if n, _ := k.Len(); n != 1 {
				t.Fatalf("%d fields count", n)
			}
			if v, _ := k.Get([][]byte{gone, []byte("stays")}, nil); v[0] != nil || v[1] == nil {
				t.Fatalf("values are %q", v)
			}
			if at, _ := k.ExpireTimes([][]byte{gone}, nil); at[0] != keyspace.NoField {
				t.Fatalf("a missing field expires at %d", at[0])
			}
			_ = k.Each(func(name, _ []byte) {
				if string(name) != "stays" {
					t.Fatalf("%s is visited", name)
				}
			})
			_, _ = k.Scan(0, 1<<20, func(name, _ []byte) {
				if string(name) != "stays" {
					t.Fatalf("%s is visited", name)
				}
			})
		})
		n := h.len()
		if left-n != 2*purgeMost {
			t.Fatalf("the sweeper and a call remove %d fields", left-n)
		}
		left = n
	}
	if told["hexpired"] != 1 || told[""] != 1 {
		t.Errorf("told %v", told)
	}
	at3000(func(_ keyspace.Tx, k keyspace.HashKey) {
		if n, _ := k.Set([][]byte{gone, []byte("back")}, keyspace.KeepTTL); n != 1 {
			t.Errorf("a missing field is not new")
		}
		if at, _ := k.ExpireTimes([][]byte{gone}, nil); at[0] != keyspace.Never {
			t.Errorf("a new field expires at %d", at[0])
		}
		if n, _ := k.Delete([][]byte{[]byte("4000"), []byte("4001"), gone}); n != 1 {
			t.Errorf("%d fields are deleted", n)
		}
		_ = k.Random(-10, func(name, _ []byte) {
			if string(name) != "stays" {
				t.Errorf("%s is drawn", name)
			}
		})
	})
	if h.len() != 1 || s.dbs[0].fields.n != 0 {
		t.Errorf("%d fields are left, %d hashes with times", h.len(), s.dbs[0].fields.n)
	}
	inTx(t, s, func(tx keyspace.Tx) { // the clock may be set back
		k, _ := tx.Hash([]byte("h"))
		for i := range fields {
			_, _ = k.Set([][]byte{fmt.Append(nil, i), nil}, 2000)
		}
		if n, _ := k.Len(); n != fields+1 {
			t.Errorf("%d fields are there", n)
		}
	})
	at3000(func(tx keyspace.Tx, k keyspace.HashKey) {
		_, _ = k.Delete([][]byte{[]byte("stays")})
		if e, _ := tx.Entries([][]byte{[]byte("h")}, nil); e[0].Type != keyspace.None {
			t.Error("a hash of missing fields is a key")
		}
	})
	if s.Bytes() != 0 {
		t.Errorf("%d bytes are left", s.Bytes())
	}
}

func TestHashesWithoutTimesAreAsSmallAsEver(t *testing.T) {
	if n := unsafe.Sizeof(hash{}); n > 48 { // the size that Go rounds up to anyway
		t.Errorf("a hash takes %d bytes", n)
	}
	sizes := map[bool]int{}
	for _, used := range []bool{false, true} {
		s := New(Options{})
		defer s.Close()
		inTx(t, s, func(tx keyspace.Tx) {
			h, _ := tx.Hash([]byte("h"))
			for i := range 1000 {
				_, _ = h.Set([][]byte{fmt.Append(nil, i), []byte("v")}, keyspace.Never)
			}
			if used {
				_, _ = h.Expire([][]byte{[]byte("0")}, 2000, keyspace.Always, nil)
			}
		})
		sizes[used] = s.Bytes()
	}
	if more := sizes[true] - sizes[false]; more != timeBytes {
		t.Errorf("a field that expires makes a table of others %d bytes larger", more)
	}
}
