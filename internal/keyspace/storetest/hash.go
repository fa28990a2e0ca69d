package storetest

import (
	"fmt"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// collectionSizes are numbers of elements on both sides of where stores change how they keep a collection.
var collectionSizes = []int{1, 2, 127, 128, 129, 511, 512, 513, 3000}

func hashOf(h keyspace.HashKey) map[string]string {
	all := map[string]string{}
	check(h.Each(func(f, v []byte) { all[string(f)] = string(v) }))
	return all
}

var hashCases = []testCase{
	{"Set stores, counts what is new and replaces the rest", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			h := must(tx.Hash([]byte("h")))
			s.equal("first", must(h.Set(bs("a", "1", "b", "2", "a", "333"), keyspace.Never)), 2)
			s.equal("second", must(h.Set(bs("a", "4", "c", ""), keyspace.Never)), 1)
			s.equal("values", texts(must(h.Get(bs("a", "b", "c", "d", "a"), nil))), []string{"4", "2", "", "(nil)", "4"})
			s.equal("empty is nil", must(h.Get(bs("c"), nil))[0] == nil, false)
			s.equal("length", must(h.Len()), 3)
			s.equal("deleted", must(h.Delete(bs("a", "a", "d"))), 1)
			s.equal("left", hashOf(h), map[string]string{"b": "2", "c": ""})
		})
	}},
	{"fields and values of every length come back", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for _, n := range boundaries {
				h := must(tx.Hash([]byte(fmt.Sprint("h", n))))
				must(h.Set(bs("before", "1", long(n, "f"), "short", "after", "2"), keyspace.Never))
				for _, m := range boundaries {
					must(h.Set(bs(long(n, "f"), long(m, "v")), keyspace.Never))
					s.equal("values", texts(must(h.Get(bs(long(n, "f"), "before", "after"), nil))), []string{long(m, "v"), "1", "2"})
				}
			}
		})
	}},
	{"a hash of any size holds its fields while it grows and shrinks", func(s *subject) {
		for _, n := range collectionSizes {
			s.do(func(tx keyspace.Tx) {
				h := must(tx.Hash([]byte("h")))
				want := map[string]string{}
				for i, f := range numbered("f", 0, n) {
					must(h.Set(bs(f, fmt.Sprint(i)), keyspace.Never))
					want[f] = fmt.Sprint(i)
				}
				s.equal("all", hashOf(h), want)
				for _, f := range numbered("f", 0, n-1) {
					s.equal("deleted", must(h.Delete(bs(f))), 1)
					delete(want, f)
				}
				s.equal("left", hashOf(h), want)
				must(tx.Delete(bs("h")))
			})
		}
	}},
	{"a hash emptied through its handle can be filled through it", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for _, n := range collectionSizes {
				h := must(tx.Hash([]byte("h")))
				must(h.Set(bs(numbered("", 0, 2*n)...), keyspace.Never))
				must(h.Delete(bs(numbered("", 0, 2*n)...)))
				s.equal("gone", entry(tx, "h").Type, keyspace.None)
				h = must(tx.Hash([]byte("h")))
				must(h.Set(bs("f", "v"), keyspace.Never))
				must(h.Delete(bs("f")))
				must(h.Set(bs("f", "w"), keyspace.Never))
				s.equal("back", hashOf(must(tx.Hash([]byte("h")))), map[string]string{"f": "w"})
				must(tx.Delete(bs("h")))
			}
		})
	}},
	{"Random visits different fields, or repeats where it is asked to", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for _, n := range collectionSizes {
				h := must(tx.Hash([]byte("h")))
				names := numbered("f", 0, n)
				for _, f := range names {
					must(h.Set(bs(f, "v"+f), keyspace.Never))
				}
				randomContract(s, names, func(k int, f func(string)) {
					check(h.Random(k, func(field, v []byte) {
						s.equal("value", string(v), "v"+string(field))
						f(string(field))
					}))
				})
				must(tx.Delete(bs("h")))
			}
		})
	}},
}

// randomContract asks random, which draws from names, for what Random promises.
func randomContract(s *subject, names []string, random func(n int, f func(name string))) {
	size := len(names)
	in := map[string]bool{}
	for _, name := range names {
		in[name] = true
	}
	for _, n := range []int{0, 1, 2, size / 4, size - 1, size, size + 1, 10 * size} {
		seen := map[string]bool{}
		visits := 0
		random(n, func(name string) {
			visits++
			seen[name] = true
			s.equal(name+" is in", in[name], true)
		})
		s.equal(fmt.Sprint("visits of ", n, " of ", size), visits, min(n, size))
		s.equal(fmt.Sprint("different ones of ", n, " of ", size), len(seen), min(n, size))
	}
	for _, n := range []int{-1, -3, -2 * size} {
		visits := 0
		random(n, func(name string) {
			visits++
			s.equal(name+" is in", in[name], true)
		})
		s.equal(fmt.Sprint("visits of ", n, " of ", size), visits, -n)
	}
	if size > 600 {
		return
	}
	seen := map[string]bool{}
	for i := 0; len(seen) < size && i < 1000; i++ {
		random(-size, func(name string) { seen[name] = true })
	}
	s.equal("ever drawn", len(seen), size)
	if size < 4 {
		return
	}
	orders := map[string]bool{} // 20 draws of 4 or more in random order are hardly ever the same
	for range 20 {
		var order []string
		random(4, func(name string) { order = append(order, name) })
		orders[fmt.Sprint(order)] = true
	}
	s.equal("order varies", len(orders) > 1, true)
}
