package storetest

import (
	"fmt"
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// scanAll returns how often a scan from start to end visits each key.
func scanAll(tx keyspace.Tx, count int) map[string]int {
	seen := map[string]int{}
	for cursor := uint64(0); ; {
		cursor = must(tx.Scan(cursor, count, func(key []byte, e keyspace.Entry) { seen[string(key)]++ }))
		if cursor == 0 {
			return seen
		}
	}
}

// scanned is something that can be filled, emptied and scanned: the keys of a database, or a collection.
type scanned struct {
	name   string
	add    func(tx keyspace.Tx, names []string)
	remove func(tx keyspace.Tx, names []string)
	scan   func(tx keyspace.Tx, cursor uint64, count int, f func(name string)) (uint64, error)
}

var (
	kept       = []byte("collection")
	allScanned = []scanned{
		{
			"keys",
			func(tx keyspace.Tx, names []string) {
				for _, name := range names {
					put(tx, name, name)
				}
			},
			func(tx keyspace.Tx, names []string) { must(tx.Delete(bs(names...))) },
			func(tx keyspace.Tx, cursor uint64, count int, f func(string)) (uint64, error) {
				return tx.Scan(cursor, count, func(key []byte, _ keyspace.Entry) { f(string(key)) })
			},
		},
		{
			"hash",
			func(tx keyspace.Tx, names []string) {
				for _, name := range names {
					must(must(tx.Hash(kept)).Set(bs(name, name), keyspace.Never))
				}
			},
			func(tx keyspace.Tx, names []string) { must(must(tx.Hash(kept)).Delete(bs(names...))) },
			func(tx keyspace.Tx, cursor uint64, count int, f func(string)) (uint64, error) {
				return must(tx.Hash(kept)).Scan(cursor, count, func(field, _ []byte) { f(string(field)) })
			},
		},
		{
			"set",
			func(tx keyspace.Tx, names []string) { must(must(tx.Set(kept)).Add(bs(names...))) },
			func(tx keyspace.Tx, names []string) { must(must(tx.Set(kept)).Remove(bs(names...))) },
			func(tx keyspace.Tx, cursor uint64, count int, f func(string)) (uint64, error) {
				return must(tx.Set(kept)).Scan(cursor, count, func(m []byte) { f(string(m)) })
			},
		},
		{
			"sorted set",
			func(tx keyspace.Tx, names []string) { must(must(tx.SortedSet(kept)).Put(scored(names, 1))) },
			func(tx keyspace.Tx, names []string) { must(must(tx.SortedSet(kept)).Remove(bs(names...))) },
			func(tx keyspace.Tx, cursor uint64, count int, f func(string)) (uint64, error) {
				return must(tx.SortedSet(kept)).Scan(cursor, count, func(m []byte, _ float64) { f(string(m)) })
			},
		},
	}
)

// guarantee scans while names come and go between the calls, and asks for every name that stayed.
func guarantee(s *subject, x scanned, staying, count int, meanwhile func(tx keyspace.Tx, call int)) {
	stay := numbered("stay", 0, staying)
	s.do(func(tx keyspace.Tx) { x.add(tx, stay) })
	seen := map[string]bool{}
	cursor := uint64(0)
	for call := 0; ; call++ {
		if call > 200_000 {
			s.t.Fatalf("scan of %s does not end", x.name)
		}
		s.do(func(tx keyspace.Tx) {
			cursor = must(x.scan(tx, cursor, count, func(name string) { seen[name] = true }))
			meanwhile(tx, call)
		})
		if cursor == 0 {
			break
		}
	}
	for _, name := range stay {
		if !seen[name] {
			s.t.Fatalf("scan of %s with count %d never visited %s of %d", x.name, count, name, staying)
		}
	}
}

// scanGroup makes a case for each thing that can be scanned.
func scanGroup(name string, run func(s *subject, x scanned)) (cases []testCase) {
	for _, x := range allScanned {
		cases = append(cases, testCase{x.name + ": " + name, func(s *subject) { run(s, x) }})
	}
	return cases
}

var scanCases = concat(
	scanGroup("a quiet scan visits all, whatever the count", func(s *subject, x scanned) {
		for _, n := range []int{1, 100, 5000} {
			for _, count := range []int{1, 10, 1000, 1_000_000, math.MaxInt} {
				if n == 5000 && count == 1 {
					continue
				}
				guarantee(s, x, n, count, func(keyspace.Tx, int) {})
			}
			s.do(func(tx keyspace.Tx) { check(tx.Clear()) })
		}
	}),
	scanGroup("what stays is visited while others come", func(s *subject, x scanned) {
		guarantee(s, x, 300, 3, func(tx keyspace.Tx, call int) {
			if call < 100 {
				x.add(tx, numbered("come", 100*call, 100))
			}
		})
	}),
	scanGroup("what stays is visited while others go", func(s *subject, x scanned) {
		const others = 10_000
		s.do(func(tx keyspace.Tx) { x.add(tx, numbered("go", 0, others)) })
		guarantee(s, x, 300, 10, func(tx keyspace.Tx, call int) {
			if 100*call < others {
				x.remove(tx, numbered("go", 100*call, 100))
			}
		})
	}),
	scanGroup("what stays is visited while others come and go in waves", func(s *subject, x scanned) {
		guarantee(s, x, 500, 7, func(tx keyspace.Tx, call int) {
			switch call % 20 {
			case 5:
				x.add(tx, numbered("wave", 0, 3000))
			case 15:
				x.remove(tx, numbered("wave", 0, 3000))
			}
		})
	}),
	scanGroup("any number is a cursor that does no harm", func(s *subject, x scanned) {
		s.do(func(tx keyspace.Tx) {
			x.add(tx, numbered("m", 0, 2000))
			for _, cursor := range []uint64{1, 12345, 1 << 24, 1<<48 - 1, 1 << 48, 1 << 63, math.MaxUint64} {
				must(x.scan(tx, cursor, 10, func(string) {}))
			}
		})
	}),
	[]testCase{
		{"a scan of keys tells type and expiry and leaves out what has expired", func(s *subject) {
			s.do(func(tx keyspace.Tx) {
				fill(tx)
				must(tx.Expire([]byte("list"), s.now+100))
				must(tx.Expire([]byte("set"), s.now+10))
			})
			s.now += 10
			s.do(func(tx keyspace.Tx) {
				got := map[string]keyspace.Entry{}
				s.equal("cursor", must(tx.Scan(0, 1000, func(key []byte, e keyspace.Entry) { got[string(key)] = e })), 0)
				s.equal("entries", got, map[string]keyspace.Entry{
					"string": {Type: keyspace.String}, "list": {Type: keyspace.List, ExpireAt: s.now + 90},
					"zset": {Type: keyspace.SortedSet}, "hash": {Type: keyspace.Hash},
				})
			})
		}},
		{"a quiet scan of keys visits each about once", func(s *subject) {
			s.do(func(tx keyspace.Tx) {
				for i := range 3000 {
					put(tx, fmt.Sprint("k", i), "")
				}
				for key, n := range scanAll(tx, 10) {
					s.equal(key, n, 1)
				}
			})
		}},
	},
)

func concat(groups ...[]testCase) (all []testCase) {
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}
