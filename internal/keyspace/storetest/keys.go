package storetest

import (
	"context"
	"slices"
	"sync"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var keyCases = []testCase{
	{"entries tell type and expiry, None if missing", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			names := fill(tx)
			must(tx.Expire([]byte("set"), s.now+5))
			got := must(tx.Entries(bs(append(names, "missing")...), nil))
			s.equal("entries", got, []keyspace.Entry{
				{Type: keyspace.String}, {Type: keyspace.List}, {Type: keyspace.Set, ExpireAt: s.now + 5},
				{Type: keyspace.SortedSet}, {Type: keyspace.Hash}, {},
			})
		})
	}},
	{"Delete and Touch count a key each time it is there", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			names := fill(tx)
			s.equal("touched", must(tx.Touch(bs("string", "string", "missing"))), 2)
			s.equal("deleted", must(tx.Delete(bs(append(names, "list", "missing")...))), 5)
			s.equal("left", sizes(tx), [2]int{})
		})
	}},
	{"collections refuse a key of another type", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for i, name := range fill(tx) {
				_, asList := tx.List([]byte(name))
				_, asSet := tx.Set([]byte(name))
				_, asSorted := tx.SortedSet([]byte(name))
				_, asHash := tx.Hash([]byte(name))
				for j, err := range []error{asList, asSet, asSorted, asHash} {
					want := keyspace.ErrWrongType
					if j+1 == i {
						want = nil
					}
					s.fails(name, err, want)
				}
			}
		})
	}},
	{"a collection vanishes with its last element and can come back", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for range 3 {
				fill(tx)
				check(must(tx.List([]byte("list"))).Pop(keyspace.Left, 5, func([]byte) {}))
				must(must(tx.Set([]byte("set"))).Remove(bs("a", "b")))
				must(must(tx.SortedSet([]byte("zset"))).Remove(bs("a")))
				must(must(tx.Hash([]byte("hash"))).Delete(bs("f")))
				s.equal("left", sizes(tx), [2]int{1, 0})
			}
		})
	}},
	{"asking a missing collection does not make it", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			l, h := must(tx.List([]byte("k"))), must(tx.Hash([]byte("k")))
			x, z := must(tx.Set([]byte("k"))), must(tx.SortedSet([]byte("k")))
			s.equal("lengths", []int{must(l.Len()), must(h.Len()), must(x.Len()), must(z.Len())}, []int{0, 0, 0, 0})
			s.equal("set", must(l.Set(0, []byte("v"))), false)
			s.equal("insert", must(l.Insert(true, []byte("p"), []byte("v"))), 0)
			check(l.Trim(0, 1))
			s.equal("delete", must(h.Delete(bs("f"))), 0)
			s.equal("pop", visitSet(func(f func([]byte)) error { return x.Pop(3, f) }), []string{})
			s.equal("range", must(z.RemoveRange(&keyspace.Range{Stop: -1})), 0)
			s.equal("keys", sizes(tx), [2]int{})
		})
	}},
	{"storing nothing does not make a collection", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			s.equal("push", must(must(tx.List([]byte("l"))).Push(keyspace.Left, nil)), 0)
			s.equal("add", must(must(tx.Set([]byte("s"))).Add(nil)), 0)
			s.equal("put", must(must(tx.SortedSet([]byte("z"))).Put(nil)), 0)
			s.equal("set", must(must(tx.Hash([]byte("h"))).Set(nil, keyspace.Never)), 0)
			s.equal("keys", sizes(tx), [2]int{})
		})
	}},
	{"Random gives every key in the end, and none of none", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			s.equal("of none", must(tx.Random()) == nil, true)
			names := numbered("k", 0, 50)
			for _, name := range names {
				put(tx, name, "")
			}
			seen := map[string]bool{}
			for i := 0; len(seen) < len(names) && i < 100_000; i++ {
				seen[string(must(tx.Random()))] = true
			}
			for _, name := range names {
				s.equal(name, seen[name], true)
			}
		})
	}},
	{"details are of a key that is there, and no access to it", func(s *subject) {
		s.do(func(tx keyspace.Tx) { fill(tx) })
		s.now += 60_000
		s.do(func(tx keyspace.Tx) {
			for range 2 {
				d, ok, err := tx.Details([]byte("list"))
				check(err)
				s.equal("ok", ok, true)
				if _, kept := tx.(keyspace.UseSetter); kept { // others know of no uses
					s.equal("idle", d.Idle >= 59_000, true)
				}
			}
			must(tx.Touch(bs("list")))
			d, _, err := tx.Details([]byte("list"))
			check(err)
			s.equal("idle once touched", d.Idle, 0)
			_, ok, err := tx.Details([]byte("missing"))
			check(err)
			s.equal("ok of a missing one", ok, false)
		})
	}},
}

var expiryCases = []testCase{
	{"a key is there until its time and not from then on", func(s *subject) {
		end := s.now + 1000
		s.do(func(tx keyspace.Tx) {
			for _, name := range fill(tx) {
				s.equal(name, must(tx.Expire([]byte(name), end)), true)
			}
		})
		s.now = end - 1
		s.do(func(tx keyspace.Tx) { s.equal("value", get(tx, "string"), "v") })
		s.now = end
		s.do(func(tx keyspace.Tx) {
			s.equal("value", get(tx, "string"), "(nil)")
			s.equal("list", must(must(tx.List([]byte("list"))).Len()), 0)
			s.equal("set", must(must(tx.Set([]byte("set"))).Len()), 0)
			s.equal("sorted set", must(must(tx.SortedSet([]byte("zset"))).Len()), 0)
			s.equal("hash", must(must(tx.Hash([]byte("hash"))).Len()), 0)
			s.equal("deleted", must(tx.Delete(bs("string", "list"))), 0)
		})
	}},
	{"every call treats an expired key as missing", func(s *subject) {
		calls := map[string]func(tx keyspace.Tx, key []byte){
			"Expire":   func(tx keyspace.Tx, key []byte) { s.equal("Expire", must(tx.Expire(key, s.now+1)), false) },
			"Move":     func(tx keyspace.Tx, key []byte) { s.equal("Move", must(tx.Move(key, 1, key)), false) },
			"Copy":     func(tx keyspace.Tx, key []byte) { s.equal("Copy", must(tx.Copy(key, 1, key)), false) },
			"Touch":    func(tx keyspace.Tx, key []byte) { s.equal("Touch", must(tx.Touch([][]byte{key})), 0) },
			"Entries":  func(tx keyspace.Tx, key []byte) { s.equal("Entries", entry(tx, string(key)), keyspace.Entry{}) },
			"Random":   func(tx keyspace.Tx, key []byte) { s.equal("Random", must(tx.Random()) == nil, true) },
			"Scan":     func(tx keyspace.Tx, key []byte) { s.equal("Scan", len(scanAll(tx, 10)), 0) },
			"Append":   func(tx keyspace.Tx, key []byte) { s.equal("Append", must(tx.Append(key, []byte("x"))), 1) },
			"SetRange": func(tx keyspace.Tx, key []byte) { s.equal("SetRange", must(tx.SetRange(key, 0, []byte("x"))), 1) },
			"Add":      func(tx keyspace.Tx, key []byte) { s.equal("Add", must(tx.Add(key, 1)), 1) },
			"Details": func(tx keyspace.Tx, key []byte) {
				_, ok, err := tx.Details(key)
				check(err)
				s.equal("Details", ok, false)
			},
		}
		for name, call := range calls {
			s.do(func(tx keyspace.Tx) {
				check(tx.Clear())
				check(tx.Put(bs(name, "100"), s.now+10))
			})
			s.now += 10
			s.do(func(tx keyspace.Tx) {
				call(tx, []byte(name))
				s.equal("expiry of what "+name+" made", entry(tx, name).ExpireAt, 0)
			})
		}
	}},
	{"Put sets, keeps and removes the expiry", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			at := s.now + 1000
			check(tx.Put(bs("k", "1"), at))
			for _, v := range []string{"2", long(5000, "x"), ""} {
				check(tx.Put(bs("k", v), keyspace.KeepTTL))
				s.equal("kept", entry(tx, "k").ExpireAt, at)
			}
			must(tx.Add([]byte("n"), 1))
			check(tx.Put(bs("n", "1", "new", "1"), keyspace.KeepTTL))
			s.equal("none to keep", []int64{entry(tx, "n").ExpireAt, entry(tx, "new").ExpireAt}, []int64{0, 0})
			check(tx.Put(bs("k", "3"), at+1))
			s.equal("changed", entry(tx, "k").ExpireAt, at+1)
			check(tx.Put(bs("k", "3"), keyspace.Never))
			s.equal("removed", entry(tx, "k").ExpireAt, 0)
			_, expiring, err := tx.Len()
			check(err)
			s.equal("expiring", expiring, 0)
		})
	}},
	{"Put keeps the expiry of a collection it replaces if told to", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			fill(tx)
			must(tx.Expire([]byte("hash"), s.now+77))
			check(tx.Put(bs("hash", "v"), keyspace.KeepTTL))
			s.equal("expiry", entry(tx, "hash").ExpireAt, s.now+77)
		})
	}},
	{"Expire sets, changes and removes the expiry of a key of any type and length", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			names := fill(tx)
			for _, n := range boundaries {
				put(tx, long(n, "k"), long(n, "v"))
				names = append(names, long(n, "k"))
			}
			for i, at := range []int64{s.now + 10, s.now + 20, keyspace.Never, keyspace.Never, s.now + 30} {
				for _, name := range names {
					s.equal("there", must(tx.Expire([]byte(name), at)), true)
					s.equal("expiry", entry(tx, name).ExpireAt, at)
				}
				_, expiring, err := tx.Len()
				check(err)
				s.equal("expiring", expiring, []int{len(names), len(names), 0, 0, len(names)}[i])
			}
			for _, n := range boundaries {
				s.equal("value", get(tx, long(n, "k")), long(n, "v"))
			}
			s.equal("missing", must(tx.Expire([]byte("missing"), s.now+1)), false)
		})
	}},
	{"writes into a collection and a string keep the expiry", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			put(tx, "n", "1")
			names := append(fill(tx), "n")
			for _, name := range names {
				must(tx.Expire([]byte(name), s.now+9))
			}
			must(must(tx.List([]byte("list"))).Push(keyspace.Left, bs(numbered("v", 0, 300)...)))
			must(must(tx.Set([]byte("set"))).Add(bs(numbered("v", 0, 300)...)))
			must(must(tx.SortedSet([]byte("zset"))).Put(scored(numbered("v", 0, 300), 1)))
			must(must(tx.Hash([]byte("hash"))).Set(bs(numbered("v", 0, 300)...), keyspace.Never))
			must(tx.Append([]byte("string"), []byte("v")))
			must(tx.Add([]byte("n"), 123456789012))
			for _, name := range names {
				s.equal(name, entry(tx, name).ExpireAt, s.now+9)
			}
		})
	}},
}

var databaseCases = []testCase{
	{"the same name in two databases is two keys", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			put(tx, "k", "0")
			check(tx.Select(1))
			s.equal("before", get(tx, "k"), "(nil)")
			put(tx, "k", "1")
			check(tx.Select(0))
			s.equal("after", get(tx, "k"), "0")
		})
	}},
	{"Move takes value and expiry along, over what is there", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for _, db := range []int{0, 1} {
				for _, name := range fill(tx) {
					must(tx.Expire([]byte(name), s.now+50))
					dst := []byte("moved")
					s.equal(name, must(tx.Move([]byte(name), db, dst)), true)
					s.equal("source", entry(tx, name), keyspace.Entry{})
					check(tx.Select(db))
					s.equal("expiry", entry(tx, "moved").ExpireAt, s.now+50)
					s.equal("type", entry(tx, "moved").Type.String(), name)
					check(tx.Select(0))
				}
			}
			s.equal("sizes", sizes(tx), [2]int{1, 1})
			s.equal("missing", must(tx.Move([]byte("missing"), 1, []byte("moved"))), false)
		})
	}},
	{"Move onto itself changes nothing", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for _, name := range fill(tx) {
				s.equal(name, must(tx.Move([]byte(name), 0, []byte(name))), true)
			}
			s.equal("keys", sizes(tx), [2]int{5, 0})
			s.equal("list", listOf(must(tx.List([]byte("list")))), []string{"a", "b"})
		})
	}},
	{"a copy is of its own, small or large", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for _, n := range []int{3, 1000} {
				check(tx.Clear())
				names := numbered("m", 0, n)
				must(must(tx.List([]byte("list"))).Push(keyspace.Right, bs(names...)))
				must(must(tx.Set([]byte("set"))).Add(bs(names...)))
				must(must(tx.Set([]byte("numbers"))).Add(bs(numbered("", 0, n/2)...)))
				must(must(tx.SortedSet([]byte("zset"))).Put(scored(names, 1)))
				must(must(tx.Hash([]byte("hash"))).Set(bs(slices.Concat(names, names)...), keyspace.Never))
				for _, name := range []string{"list", "set", "numbers", "zset", "hash"} {
					must(tx.Expire([]byte(name), s.now+5))
					s.equal(name, must(tx.Copy([]byte(name), 1, []byte(name))), true)
					must(tx.Delete(bs(name)))
				}
				check(tx.Select(1))
				s.equal("list", listOf(must(tx.List([]byte("list")))), names)
				s.equal("set", must(must(tx.Set([]byte("set"))).Len()), n)
				s.equal("numbers", must(must(tx.Set([]byte("numbers"))).Len()), n/2)
				s.equal("zset", rankOf(must(tx.SortedSet([]byte("zset"))), names[n-1]), n-1)
				s.equal("hash", texts(must(must(tx.Hash([]byte("hash"))).Get(bs(names[0]), nil))), names[1:2])
				s.equal("expiry", entry(tx, "hash").ExpireAt, s.now+5)
				check(tx.Clear())
				check(tx.Select(0))
			}
		})
	}},
	{"a copy goes over what is there and leaves the source", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			fill(tx)
			s.equal("copy", must(tx.Copy([]byte("list"), 0, []byte("hash"))), true)
			must(must(tx.List([]byte("hash"))).Push(keyspace.Right, bs("c")))
			s.equal("source", listOf(must(tx.List([]byte("list")))), []string{"a", "b"})
			s.equal("copy", listOf(must(tx.List([]byte("hash")))), []string{"a", "b", "c"})
			s.equal("missing", must(tx.Copy([]byte("missing"), 0, []byte("list"))), false)
			s.equal("kept", entry(tx, "list").Type, keyspace.List)
		})
	}},
	{"Clear empties one database and leaves the others", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			fill(tx)
			check(tx.Select(1))
			fill(tx)
			check(tx.Clear())
			s.equal("sizes", sizes(tx), [2]int{5, 0})
			s.equal("value", get(tx, "string"), "v")
			check(tx.Clear())
			s.equal("sizes", sizes(tx), [2]int{})
			fill(tx)
			s.equal("filled again", listOf(must(tx.List([]byte("list")))), []string{"a", "b"})
		})
	}},
	{"Swap exchanges two databases, the selected one too", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			put(tx, "k", "0")
			check(tx.Select(1))
			check(tx.Put(bs("k", "1", "l", "1"), s.now+1))
			check(tx.Select(0))
			check(tx.Swap(0, 1))
			s.equal("0", get(tx, "k"), "1")
			s.equal("sizes", sizes(tx), [2]int{2, 1})
			check(tx.Swap(1, 1))
			s.equal("sizes", sizes(tx), [2]int{2, 1})
		})
		s.now++
		s.do(func(tx keyspace.Tx) {
			s.equal("expired in 0", get(tx, "k"), "(nil)")
			check(tx.Select(1))
			s.equal("stays in 1", get(tx, "k"), "0")
		})
	}},
}

var storeCases = []testCase{
	{"a transaction sees what was committed before", func(s *subject) {
		s.do(func(tx keyspace.Tx) { fill(tx) })
		s.do(func(tx keyspace.Tx) {
			s.equal("string", get(tx, "string"), "v")
			s.equal("list", listOf(must(tx.List([]byte("list")))), []string{"a", "b"})
		})
	}},
	{"a transaction begins in the database it was asked for", func(s *subject) {
		tx := must(s.store.Begin(context.Background(), keyspace.Access{DB: 3, Now: s.now, Write: true, All: true}))
		put(tx, "k", "3")
		check(tx.Commit())
		s.do(func(tx keyspace.Tx) {
			s.equal("in 0", get(tx, "k"), "(nil)")
			check(tx.Select(3))
			s.equal("in 3", get(tx, "k"), "3")
		})
	}},
	{"a context that is done begins nothing", func(s *subject) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := s.store.Begin(ctx, keyspace.Access{Now: s.now, All: true})
		s.fails("Begin", err, context.Canceled)
		s.do(func(tx keyspace.Tx) { put(tx, "k", "v") })
	}},
	{"transactions of many goroutines lose nothing", func(s *subject) {
		const workers, each = 8, 50
		var group sync.WaitGroup
		errs := make(chan error, workers)
		for range workers {
			group.Go(func() {
				for done := 0; done < each; {
					err := addOne(s)
					if err == nil {
						done++
					} else if err != keyspace.ErrConflict {
						errs <- err
						return
					}
				}
			})
		}
		group.Wait()
		close(errs)
		for err := range errs {
			s.fails("Add", err, nil)
		}
		s.do(func(tx keyspace.Tx) { s.equal("sum", get(tx, "k"), workers*each) })
	}},
	{"a closed store refuses and closes again", func(s *subject) {
		check(s.store.Close())
		_, err := s.store.Begin(context.Background(), keyspace.Access{Now: s.now, All: true})
		s.fails("Begin", err, keyspace.ErrClosed)
		_, err = s.store.Watch(context.Background(), 0, bs("k"), s.now)
		s.fails("Watch", err, keyspace.ErrClosed)
	}},
	{"a store closes once what runs is finished", func(s *subject) {
		tx := must(s.store.Begin(context.Background(), keyspace.Access{Now: s.now, Write: true, All: true}))
		closed := make(chan error)
		go func() { closed <- s.store.Close() }()
		put(tx, "k", "v")
		s.equal("value", get(tx, "k"), "v")
		check(tx.Commit())
		s.fails("Close", <-closed, nil)
	}},
}

// addOne adds 1 to a key in a transaction of its own.
func addOne(s *subject) error {
	tx, err := s.store.Begin(context.Background(), keyspace.Access{Now: s.now, Write: true, Keys: bs("k")})
	if err != nil {
		return err
	}
	if _, err := tx.Add([]byte("k"), 1); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}
