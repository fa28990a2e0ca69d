package storetest

import (
	"context"
	"fmt"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// expiriesOf are the times of those fields of a hash that expire.
func expiriesOf(h keyspace.HashKey) map[string]int64 {
	all := map[string]int64{}
	check(h.EachExpiry(func(f, _ []byte, at int64) {
		if at != keyspace.Never {
			all[string(f)] = at
		}
	}))
	return all
}

// fillers are names of fields that make a hash small or large.
func fillers() [][]string { return [][]string{nil, numbered("filler", 0, 600)} }

// hashWith makes the hash h of fields, whose values are their names.
func hashWith(tx keyspace.Tx, fields ...string) keyspace.HashKey {
	must(tx.Delete(bs("h")))
	h := must(tx.Hash([]byte("h")))
	for _, f := range fields {
		must(h.Set(bs(f, f), keyspace.Never))
	}
	return h
}

var hashExpiryCases = []testCase{
	{"a field that has expired is missing, and the hash with its last", func(s *subject) {
		for _, more := range fillers() {
			var size int
			s.do(func(tx keyspace.Tx) {
				h := hashWith(tx, append(more, "a", "b", "c")...)
				size = must(h.Len())
				must(h.Expire(bs("a"), s.now+10, keyspace.Always, nil))
				must(h.Expire(bs(append(more, "b", "c")...), s.now+20, keyspace.Always, nil))
			})
			s.now += 9
			s.do(func(tx keyspace.Tx) { s.equal("all there", must(must(tx.Hash([]byte("h"))).Len()), size) })
			s.now++
			s.do(func(tx keyspace.Tx) {
				h := must(tx.Hash([]byte("h")))
				s.equal("values", texts(must(h.Get(bs("a", "b"), nil))), []string{"(nil)", "b"})
				s.equal("length", must(h.Len()), size-1)
				s.equal("visited", len(hashOf(h)), size-1)
				s.equal("times", must(h.ExpireTimes(bs("a", "b"), nil)), []int64{keyspace.NoField, s.now + 10})
				s.equal("removed", must(h.Delete(bs("a"))), 0)
				visits := 0
				check(h.Random(2*size, func(f, _ []byte) { visits++ }))
				s.equal("drawn", visits, size-1)
				visits = 0
				must(h.Scan(0, 10*size, func(f, _ []byte) { visits++ }))
				s.equal("scanned", visits, size-1)
			})
			s.now += 10
			s.do(func(tx keyspace.Tx) {
				s.equal("keys", len(scanAll(tx, 10)), 0)
				s.equal("entry", entry(tx, "h"), keyspace.Entry{})
				s.equal("random", must(tx.Random()) == nil, true)
				s.equal("left", len(hashOf(must(tx.Hash([]byte("h"))))), 0)
			})
		}
	}},
	{"a hash all of whose fields have expired is no key to scan", func(s *subject) {
		for _, more := range fillers() {
			s.do(func(tx keyspace.Tx) {
				names := append(more, "a")
				h := hashWith(tx, names...)
				must(h.Expire(bs(names...), s.now+10, keyspace.Always, nil))
				must(h.Set(bs("b", "b"), s.now+11))
			})
			s.now += 10
			s.do(func(tx keyspace.Tx) { s.equal("one field left", len(scanAll(tx, 10)), 1) })
			s.now++
			s.do(func(tx keyspace.Tx) { s.equal("none left", len(scanAll(tx, 10)), 0) })
		}
	}},
	{"conditions look at each field", func(s *subject) {
		const missing, kept, changed, removed = keyspace.FieldMissing, keyspace.FieldKept, keyspace.FieldChanged, keyspace.FieldRemoved
		for _, more := range fillers() {
			for _, c := range []struct {
				only keyspace.Condition
				at   int64
				want []keyspace.FieldChange // of one that never expires, in 10, in 20, in 30, none
			}{
				{keyspace.Always, s.now + 20, []keyspace.FieldChange{changed, changed, changed, changed, missing}},
				{keyspace.IfNever, s.now + 20, []keyspace.FieldChange{changed, kept, kept, kept, missing}},
				{keyspace.IfExpiring, s.now + 20, []keyspace.FieldChange{kept, changed, changed, changed, missing}},
				{keyspace.IfLater, s.now + 20, []keyspace.FieldChange{kept, changed, kept, kept, missing}},
				{keyspace.IfEarlier, s.now + 20, []keyspace.FieldChange{changed, kept, kept, changed, missing}},
				{keyspace.Always, s.now, []keyspace.FieldChange{removed, removed, removed, removed, missing}},
				{keyspace.IfNever, 1, []keyspace.FieldChange{removed, kept, kept, kept, missing}},
				{keyspace.IfExpiring, 1, []keyspace.FieldChange{kept, removed, removed, removed, missing}},
				{keyspace.IfLater, 1, []keyspace.FieldChange{kept, kept, kept, kept, missing}},
				{keyspace.IfEarlier, 1, []keyspace.FieldChange{removed, removed, removed, removed, missing}},
				{keyspace.Always, keyspace.Never, []keyspace.FieldChange{kept, changed, changed, changed, missing}},
			} {
				s.do(func(tx keyspace.Tx) {
					h := hashWith(tx, append(more, "never", "10", "20", "30")...)
					want := map[string]int64{}
					for i, f := range []string{"10", "20", "30"} {
						want[f] = s.now + int64(i+1)*10
						must(h.Expire(bs(f), want[f], keyspace.Always, nil))
					}
					names := []string{"never", "10", "20", "30", "none"}
					s.equal(fmt.Sprint("condition ", c.only, " at ", c.at), must(h.Expire(bs(names...), c.at, c.only, nil)), c.want)
					for i, f := range names {
						switch {
						case c.want[i] == changed && c.at != keyspace.Never:
							want[f] = c.at
						case c.want[i] == changed, c.want[i] == removed:
							delete(want, f)
						}
					}
					s.equal("times", expiriesOf(h), want)
				})
			}
		}
	}},
	{"fields named twice are dealt with one after the other", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			h := hashWith(tx, "a", "b")
			s.equal("at a time", must(h.Expire(bs("a", "a"), s.now+1, keyspace.IfNever, nil)), []keyspace.FieldChange{keyspace.FieldChanged, keyspace.FieldKept})
			s.equal("at once", must(h.Expire(bs("a", "b", "a"), s.now, keyspace.Always, nil)),
				[]keyspace.FieldChange{keyspace.FieldRemoved, keyspace.FieldRemoved, keyspace.FieldMissing})
			s.equal("gone", entry(tx, "h").Type, keyspace.None)
			must(h.Set(bs("a", "1"), keyspace.Never))
			s.equal("back", hashOf(must(tx.Hash([]byte("h")))), map[string]string{"a": "1"})
		})
	}},
	{"Set ends the expiry of a field, keeps it or brings one", func(s *subject) {
		for _, more := range fillers() {
			s.do(func(tx keyspace.Tx) {
				h := hashWith(tx, append(more, "a", "b", "c", "d")...)
				must(h.Expire(bs("a", "b", "c"), s.now+10, keyspace.Always, nil))
				s.equal("ends", must(h.Set(bs("a", "longer than it was"), keyspace.Never)), 0)
				s.equal("keeps", must(h.Set(bs("b", long(60, "b"), "d", "4", "e", "5"), keyspace.KeepTTL)), 1)
				s.equal("brings", must(h.Set(bs("c", "3", "f", "6"), s.now+20)), 1)
				s.equal("times", expiriesOf(h), map[string]int64{"b": s.now + 10, "c": s.now + 20, "f": s.now + 20})
				s.equal("times", must(h.ExpireTimes(bs("a", "b", "none"), nil)), []int64{keyspace.Never, s.now + 10, keyspace.NoField})
				must(h.Set(bs("c", "3"), keyspace.Never))
				must(h.Delete(bs("b", "f")))
				s.equal("times", expiriesOf(h), map[string]int64{})
				s.equal("values", texts(must(h.Get(bs("a", "b", "c", "d", "e"), nil))), []string{"longer than it was", "(nil)", "3", "4", "5"})
			})
		}
	}},
	{"a missing hash has no fields that could expire", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			h := must(tx.Hash([]byte("h")))
			s.equal("Expire", must(h.Expire(bs("a", "b"), s.now+1, keyspace.Always, nil)), []keyspace.FieldChange{keyspace.FieldMissing, keyspace.FieldMissing})
			s.equal("ExpireTimes", must(h.ExpireTimes(bs("a"), nil)), []int64{keyspace.NoField})
			s.equal("EachExpiry", expiriesOf(h), map[string]int64{})
			s.equal("entry", entry(tx, "h").Type, keyspace.None)
			s.equal("Set", must(h.Set(bs("a", "1"), s.now+1)), 1)
			s.equal("times", expiriesOf(h), map[string]int64{"a": s.now + 1})
		})
	}},
	{"copied and moved hashes have the times of their fields", func(s *subject) {
		for _, more := range fillers() {
			s.do(func(tx keyspace.Tx) {
				h := hashWith(tx, append(more, "a", "b")...)
				must(h.Expire(bs("a"), s.now+10, keyspace.Always, nil))
				must(tx.Copy([]byte("h"), 1, []byte("copy")))
				must(tx.Move([]byte("h"), 1, []byte("moved")))
				check(tx.Select(1))
				for _, key := range []string{"copy", "moved"} {
					must(tx.Expire([]byte(key), s.now+1000))
					s.equal(key, expiriesOf(must(tx.Hash([]byte(key)))), map[string]int64{"a": s.now + 10})
					must(tx.Expire([]byte(key), keyspace.Never))
					s.equal(key, expiriesOf(must(tx.Hash([]byte(key)))), map[string]int64{"a": s.now + 10})
				}
				must(must(tx.Hash([]byte("copy"))).Expire(bs("a"), s.now+20, keyspace.Always, nil))
			})
			s.now += 10
			s.do(func(tx keyspace.Tx) {
				check(tx.Select(1))
				s.equal("the copy's own", expiriesOf(must(tx.Hash([]byte("copy")))), map[string]int64{"a": s.now + 10})
				s.equal("moved", texts(must(must(tx.Hash([]byte("moved"))).Get(bs("a", "b"), nil))), []string{"(nil)", "b"})
				check(tx.Clear())
			})
		}
	}},
	{"a field that expires is a change of the key", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			must(hashWith(tx, "a", "b").Expire(bs("a"), s.now+10, keyspace.Always, nil))
		})
		changed := func(later int64) (changed bool) {
			w := must(s.store.Watch(context.Background(), 0, bs("h"), s.now))
			defer w.Release()
			s.now += later
			s.do(func(tx keyspace.Tx) { changed = must(w.Changed(tx)) })
			return changed
		}
		s.equal("before", changed(9), false)
		s.equal("when it expires", changed(1), true)
		s.equal("afterwards", changed(10), false)
	}},
}
