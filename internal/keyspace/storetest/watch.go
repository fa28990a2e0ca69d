package storetest

import (
	"context"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// watched is a case about a Watch on "k" and "other" of database 0: what happens meanwhile, and whether that is a change.
func watched(name string, before, meanwhile func(s *subject, tx keyspace.Tx), change bool) testCase {
	return testCase{name, func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			if before != nil {
				before(s, tx)
			}
		})
		w := must(s.store.Watch(context.Background(), 0, bs("k", "other", "k"), s.now))
		defer w.Release()
		s.do(func(tx keyspace.Tx) { meanwhile(s, tx) })
		s.do(func(tx keyspace.Tx) {
			check(tx.Select(2))
			s.equal("changed", must(w.Changed(tx)), change)
			put(tx, "here", "") // Changed leaves the database selected
			check(tx.Select(2))
			s.equal("selected", get(tx, "here"), "")
		})
	}}
}

func putK(_ *subject, tx keyspace.Tx) { put(tx, "k", "1") }
func putL(_ *subject, tx keyspace.Tx) {
	must(must(tx.List([]byte("k"))).Push(keyspace.Right, bs("a", "b")))
}
func expireK(s *subject, tx keyspace.Tx) { check(tx.Put(bs("k", "1"), s.now+10)) }
func nothing(*subject, keyspace.Tx)      {}

var watchCases = []testCase{
	watched("nothing is no change", putK, nothing, false),
	watched("a read is no change", putK, func(s *subject, tx keyspace.Tx) {
		get(tx, "k")
		must(tx.Touch(bs("k")))
		entry(tx, "k")
		scanAll(tx, 100)
	}, false),
	watched("another key is no change", putK, func(s *subject, tx keyspace.Tx) { put(tx, "x", "1") }, false),
	watched("the same name in another database is no change", putK, func(s *subject, tx keyspace.Tx) {
		check(tx.Select(1))
		put(tx, "k", "1")
	}, false),
	watched("a Put is a change, of the same value too", putK, putK, true),
	watched("a key that appears is a change", nil, putK, true),
	watched("a key that goes is a change", putK, func(s *subject, tx keyspace.Tx) { must(tx.Delete(bs("k"))) }, true),
	watched("a key deleted and put back is a change", putK, func(s *subject, tx keyspace.Tx) {
		must(tx.Delete(bs("k")))
		put(tx, "k", "1")
	}, true),
	watched("deleting a missing key is no change", nil, func(s *subject, tx keyspace.Tx) { must(tx.Delete(bs("k"))) }, false),
	watched("a new expiry is a change", putK, func(s *subject, tx keyspace.Tx) { must(tx.Expire([]byte("k"), s.now+1000)) }, true),
	watched("an Add is a change", putK, func(s *subject, tx keyspace.Tx) { must(tx.Add([]byte("k"), 1)) }, true),
	watched("an Append is a change", putK, func(s *subject, tx keyspace.Tx) { must(tx.Append([]byte("k"), []byte("1"))) }, true),
	watched("a SetRange is a change", putK, func(s *subject, tx keyspace.Tx) { must(tx.SetRange([]byte("k"), 0, []byte("2"))) }, true),
	watched("a Push is a change", putL, putL, true),
	watched("a Pop is a change", putL, func(s *subject, tx keyspace.Tx) {
		check(must(tx.List([]byte("k"))).Pop(keyspace.Left, 1, func([]byte) {}))
	}, true),
	watched("a list's Set is a change", putL, func(s *subject, tx keyspace.Tx) {
		must(must(tx.List([]byte("k"))).Set(0, []byte("a")))
	}, true),
	watched("a hash's Set is a change", nil, func(s *subject, tx keyspace.Tx) { must(must(tx.Hash([]byte("k"))).Set(bs("f", "v"), keyspace.Never)) }, true),
	watched("removing what is not in a hash is no change", func(s *subject, tx keyspace.Tx) {
		must(must(tx.Hash([]byte("k"))).Set(bs("f", "v"), keyspace.Never))
	}, func(s *subject, tx keyspace.Tx) { must(must(tx.Hash([]byte("k"))).Delete(bs("missing"))) }, false),
	watched("a set's Add is a change", nil, func(s *subject, tx keyspace.Tx) { must(must(tx.Set([]byte("k"))).Add(bs("m"))) }, true),
	watched("a sorted set's Put is a change", nil, func(s *subject, tx keyspace.Tx) {
		must(must(tx.SortedSet([]byte("k"))).Put(scored([]string{"m"}, 1)))
	}, true),
	watched("a Move away is a change", putK, func(s *subject, tx keyspace.Tx) { must(tx.Move([]byte("k"), 1, []byte("x"))) }, true),
	watched("a Move onto it is a change", nil, func(s *subject, tx keyspace.Tx) {
		put(tx, "x", "1")
		must(tx.Move([]byte("x"), 0, []byte("k")))
	}, true),
	watched("a Move from another database is a change", nil, func(s *subject, tx keyspace.Tx) {
		check(tx.Select(1))
		put(tx, "x", "1")
		must(tx.Move([]byte("x"), 0, []byte("k")))
	}, true),
	watched("a copy of it is no change", putK, func(s *subject, tx keyspace.Tx) { must(tx.Copy([]byte("k"), 0, []byte("x"))) }, false),
	watched("a Copy onto it is a change", putK, func(s *subject, tx keyspace.Tx) {
		put(tx, "x", "1")
		must(tx.Copy([]byte("x"), 0, []byte("k")))
	}, true),
	watched("Clear changes a key that was there", putK, func(s *subject, tx keyspace.Tx) { check(tx.Clear()) }, true),
	watched("Clear does not change a missing key", nil, func(s *subject, tx keyspace.Tx) {
		put(tx, "x", "1")
		check(tx.Clear())
	}, false),
	watched("Clear of another database is no change", putK, func(s *subject, tx keyspace.Tx) {
		check(tx.Select(1))
		put(tx, "k", "1")
		check(tx.Clear())
	}, false),
	watched("Swap changes a key that was there", putK, func(s *subject, tx keyspace.Tx) { check(tx.Swap(0, 1)) }, true),
	watched("Swap changes a key that comes", nil, func(s *subject, tx keyspace.Tx) {
		check(tx.Select(1))
		put(tx, "k", "1")
		check(tx.Swap(1, 0))
	}, true),
	watched("Swap does not change a key missing in both", nil, func(s *subject, tx keyspace.Tx) { check(tx.Swap(0, 1)) }, false),
	watched("Swap of other databases is no change", putK, func(s *subject, tx keyspace.Tx) { check(tx.Swap(1, 2)) }, false),
	watched("an expiry meanwhile is a change", expireK, func(s *subject, tx keyspace.Tx) { s.now += 10 }, true),
	watched("a key that had expired before is no change", func(s *subject, tx keyspace.Tx) {
		expireK(s, tx)
		s.now += 10
	}, nothing, false),
	{"two watches of a key see what came after each", func(s *subject) {
		first := must(s.store.Watch(context.Background(), 0, bs("k"), s.now))
		s.do(func(tx keyspace.Tx) { put(tx, "k", "1") })
		second := must(s.store.Watch(context.Background(), 0, bs("k"), s.now))
		s.do(func(tx keyspace.Tx) {
			s.equal("first", must(first.Changed(tx)), true)
			s.equal("second", must(second.Changed(tx)), false)
		})
		first.Release()
		s.do(func(tx keyspace.Tx) { put(tx, "k", "2") })
		s.do(func(tx keyspace.Tx) { s.equal("second", must(second.Changed(tx)), true) })
		second.Release()
	}},
	{"a Watch sees a change in a transaction that reads", func(s *subject) {
		w := must(s.store.Watch(context.Background(), 0, bs("k"), s.now))
		defer w.Release()
		s.do(func(tx keyspace.Tx) { put(tx, "k", "1") })
		tx := must(s.store.Begin(context.Background(), keyspace.Access{Now: s.now, Keys: bs("k")}))
		defer tx.Rollback()
		s.equal("changed", must(w.Changed(tx)), true)
	}},
	{"a Watch released twice and after Close is harmless", func(s *subject) {
		w := must(s.store.Watch(context.Background(), 0, bs("k"), s.now))
		x := must(s.store.Watch(context.Background(), 0, bs("k"), s.now))
		w.Release()
		w.Release()
		check(s.store.Close())
		x.Release()
	}},
}
