package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/sqlstore"
)

// told is what an observer is told of keys, and of fields.
type told struct {
	events map[string]int
	fields []string
}

func (o *told) Note(_ int, _ []byte, event string) { o.events[event]++ }
func (o *told) Done(bool)                          {}
func (o *told) Fields(_ int, _ []byte, list func() [][]byte) {
	for _, f := range list() {
		o.fields = append(o.fields, string(f))
	}
}

// timed is a store whose transactions are at a time, and tell an observer.
type timed struct {
	*testing.T
	keyspace.Store
	now  int64
	told *told
}

func openTimed(t *testing.T, now func() int64) *timed {
	s, err := sqlstore.Open(t.Context(), &driver{path: filepath.Join(t.TempDir(), "test.db"), synchronous: "off", busy: time.Second}, sqlstore.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	o := &told{events: map[string]int{}}
	s.Observe(o)
	return &timed{t, s, 1000, o}
}

func (s *timed) tx(write, kept bool, f func(tx keyspace.Tx)) {
	s.Helper()
	tx, err := s.Begin(context.Background(), keyspace.Access{Now: s.now, Write: write, All: true, Lookup: &keyspace.Lookup{Kept: kept}})
	if err != nil {
		s.Fatal(err)
	}
	f(tx)
	if err := tx.Commit(); err != nil {
		s.Fatal(err)
	}
}

// set stores fields named for numbers that are to expire at a time.
func (s *timed) set(key string, from, n int, at int64) {
	s.tx(true, false, func(tx keyspace.Tx) {
		h, err := tx.Hash([]byte(key))
		if err != nil {
			s.Fatal(err)
		}
		var pairs [][]byte
		for i := range n {
			pairs = append(pairs, fmt.Append(nil, from+i), []byte("v"))
		}
		if _, err := h.Set(pairs, at); err != nil {
			s.Fatal(err)
		}
	})
}

// names are the fields of a hash as each of the ways to visit them has them, which have to agree, and whether there is such a key.
func (s *timed) names(tx keyspace.Tx, key string) ([]string, bool) {
	s.Helper()
	h, err := tx.Hash([]byte(key))
	if err != nil {
		s.Fatal(err)
	}
	var each, scanned, drawn []string
	_ = h.Each(func(f, _ []byte) { each = append(each, string(f)) })
	_, _ = h.Scan(0, 1<<20, func(f, _ []byte) { scanned = append(scanned, string(f)) })
	_ = h.Random(1<<20, func(f, _ []byte) { drawn = append(drawn, string(f)) })
	for _, names := range [][]string{each, scanned, drawn} {
		slices.Sort(names)
	}
	n, _ := h.Len()
	if n != len(each) || !slices.Equal(each, scanned) || !slices.Equal(each, drawn) {
		s.Fatalf("%d fields, visits %q, scans %q, draws %q", n, each, scanned, drawn)
	}
	e, _ := tx.Entries([][]byte{[]byte(key)}, nil)
	there := e[0].Type != keyspace.None
	found := false
	_, _ = tx.Scan(0, 1000, func(k []byte, _ keyspace.Entry) { found = found || string(k) == key })
	some, _ := tx.Random()
	if found != there || there != (some != nil) || there != (n > 0) {
		s.Fatalf("%d fields, is there: %v, is scanned: %v, is drawn: %q", n, there, found, some)
	}
	if v, err := tx.Get([][]byte{[]byte(key)}, nil); v[0] != nil || (err == keyspace.ErrWrongType) != there {
		s.Fatalf("as a string it is %q, %v", v, err)
	}
	return each, there
}

func TestWhoReadsPassesOverFieldsThatHaveExpired(t *testing.T) {
	s := openTimed(t, nil)
	s.set("h", 0, 2, 2000)
	s.set("h", 2, 1, 3000)
	clear(s.told.events)
	for _, c := range []struct {
		now  int64
		want []string
	}{{1999, []string{"0", "1", "2"}}, {2000, []string{"2"}}, {3000, nil}} {
		s.now = c.now
		for _, write := range []bool{false, true} { // who writes has to keep them
			s.tx(write, true, func(tx keyspace.Tx) {
				if got, _ := s.names(tx, "h"); !slices.Equal(got, c.want) {
					t.Errorf("at %d: %q", c.now, got)
				}
			})
		}
	}
	if len(s.told.events) > 0 {
		t.Errorf("told %v", s.told.events)
	}
	s.now = 1999
	s.tx(false, false, func(tx keyspace.Tx) {
		if got, _ := s.names(tx, "h"); len(got) != 3 {
			t.Errorf("left: %q", got)
		}
	})
}

func TestWhoWritesRemovesFieldsThatHaveExpired(t *testing.T) {
	s := openTimed(t, nil)
	s.set("h", 0, 2, 2000)
	s.set("h", 2, 1, 3000)
	clear(s.told.events)
	s.now = 2000
	s.tx(true, true, func(tx keyspace.Tx) { // once it may
		e, err := tx.Hash([]byte("h"))
		if n, _ := e.Len(); n != 1 || err != nil {
			t.Errorf("%d fields, %v", n, err)
		}
	})
	s.tx(true, false, func(tx keyspace.Tx) { s.names(tx, "h") })
	slices.Sort(s.told.fields)
	if fmt.Sprint(s.told.events) != "map[:1 hexpired:1]" || fmt.Sprint(s.told.fields) != "[0 1]" {
		t.Errorf("told %v, fields %q", s.told.events, s.told.fields)
	}
	s.now = 3000
	s.tx(true, false, func(tx keyspace.Tx) { s.names(tx, "h") })
	if fmt.Sprint(s.told.events) != "map[:2 del:1 hexpired:2]" || len(s.told.fields) != 2 {
		t.Errorf("told %v, fields %q", s.told.events, s.told.fields)
	}
	s.now = 1000
	s.tx(true, false, func(tx keyspace.Tx) {
		if n, _, _ := tx.Len(); n != 0 {
			t.Errorf("%d keys are left", n)
		}
	})
}

func TestWhatHasExpiredIsAChangeToWhoReadsToo(t *testing.T) {
	s := openTimed(t, nil)
	s.set("h", 0, 1, 2000)
	s.set("h", 1, 1, 3000)
	s.set("h", 2, 1, keyspace.Never)
	changed := func(later int64) (changed bool) {
		w, err := s.Watch(t.Context(), 0, [][]byte{[]byte("h")}, s.now)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Release()
		s.now += later
		s.tx(false, false, func(tx keyspace.Tx) { changed, _ = w.Changed(tx) })
		return changed
	}
	for i, want := range []bool{false, true, false, true} {
		if got := changed(500); got != want { // up to 1500, 2000, 2500, 3000
			t.Errorf("%d: changed is %v", i, got)
		}
	}
}

func TestAStoppedExpiryIsNoneLater(t *testing.T) {
	s := openTimed(t, nil)
	s.set("h", 0, 3, 2000)
	s.tx(true, false, func(tx keyspace.Tx) {
		h, _ := tx.Hash([]byte("h"))
		_, _ = h.Expire([][]byte{[]byte("0"), []byte("1")}, keyspace.Never, keyspace.Always, nil)
		_, _ = h.Expire([][]byte{[]byte("1"), []byte("2")}, 4000, keyspace.Always, nil)
	})
	clear(s.told.events)
	for now, want := range map[int64]int{2000: 3, 4000: 1} {
		s.now = now
		s.tx(false, false, func(tx keyspace.Tx) {
			if got, _ := s.names(tx, "h"); len(got) != want {
				t.Errorf("at %d: %q", now, got)
			}
		})
	}
	s.now = 2000
	s.tx(true, false, func(tx keyspace.Tx) { s.names(tx, "h") })
	if len(s.told.events) > 0 {
		t.Errorf("told %v", s.told.events)
	}
}

func TestAHashTakesTheTimesOfItsFieldsAlong(t *testing.T) {
	s := openTimed(t, nil)
	all := [][]byte{[]byte("onto a string"), []byte("onto a hash"), []byte("new"), []byte("string"), []byte("moved")}
	s.set("onto a hash", 7, 1, 1500)
	s.set("string", 7, 1, 1500)
	s.tx(true, false, func(tx keyspace.Tx) {
		_ = tx.Put([][]byte{[]byte("onto a string"), []byte("v"), []byte("s"), []byte("v")}, keyspace.Never)
		h, _ := tx.Hash([]byte("h"))
		_, _ = h.Set([][]byte{[]byte("f"), []byte("v")}, 2000)
		for _, k := range all[:3] {
			_, _ = tx.Copy([]byte("h"), 0, k)
		}
		_, _ = tx.Copy([]byte("s"), 0, []byte("string"))
		_, _ = tx.Move([]byte("h"), 0, []byte("moved"))
	})
	for now, want := range map[int64]string{1999: "[hash hash hash string hash]", 2000: "[none none none string none]"} {
		s.now = now
		s.tx(false, false, func(tx keyspace.Tx) {
			e, _ := tx.Entries(all, nil)
			var types []keyspace.Type
			for _, e := range e {
				types = append(types, e.Type)
			}
			if fmt.Sprint(types) != want {
				t.Errorf("at %d: %v", now, types)
			}
		})
	}
}

func TestFieldsThatNobodyAsksForAreSwept(t *testing.T) {
	var clock atomic.Int64
	clock.Store(1000)
	s := openTimed(t, clock.Load)
	const hashes, fields = 100, 3500
	for i := range hashes {
		s.set(fmt.Sprint("small ", i), 0, 2, 2000)
	}
	s.set("large", 0, fields, 2000)
	s.set("large", fields, 1, keyspace.Never)
	clear(s.told.events)
	clock.Store(3000)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left := 0
		s.tx(false, false, func(tx keyspace.Tx) { // at a time when nothing has expired
			h, _ := tx.Hash([]byte("large"))
			left, _ = h.Len()
			n, _, _ := tx.Len()
			left += n
		})
		if left == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d keys and fields are left", left)
		}
	}
	s.tx(true, false, func(keyspace.Tx) {
		if s.told.events["del"] != hashes || s.told.events["hexpired"] != hashes+4 || s.told.events["expired"] != 0 {
			t.Errorf("told %v", s.told.events)
		}
		if slices.Sort(s.told.fields); len(slices.Compact(s.told.fields)) != fields {
			t.Errorf("told of %d fields", len(s.told.fields))
		}
	})
}
