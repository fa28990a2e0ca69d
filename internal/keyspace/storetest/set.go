package storetest

import (
	"fmt"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// visitSet returns, in order, what visit visits.
func visitSet(visit func(f func(member []byte)) error) []string {
	all := []string{}
	check(visit(func(m []byte) { all = append(all, string(m)) }))
	slices.Sort(all)
	return all
}

func setOf(x keyspace.SetKey) []string { return visitSet(x.Each) }

// memberKinds are kinds of members that stores may keep in different ways.
var memberKinds = map[string]string{"integers": "", "negative integers": "-1", "texts": "m", "long texts": long(100, "m")}

var setCases = []testCase{
	{"Add and Remove count what changes", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			x := must(tx.Set([]byte("s")))
			s.equal("added", must(x.Add(bs("a", "b", "a", "1"))), 3)
			s.equal("added again", must(x.Add(bs("a", "c"))), 1)
			s.equal("contains", must(x.Contains(bs("a", "x", "1", "01"), []bool{true})), []bool{true, true, false, true, false})
			s.equal("removed", must(x.Remove(bs("a", "a", "x"))), 1)
			s.equal("all", setOf(x), []string{"1", "b", "c"})
		})
	}},
	{"members that look like integers stay as they were spelled", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			members := []string{"0", "-0", "00", "1", "+1", "01", " 1", "1.0", "", "9223372036854775807", "9223372036854775808",
				"-9223372036854775808", "-9223372036854775809"}
			for i := range members {
				x := must(tx.Set([]byte("s")))
				order := slices.Concat(members[i:], members[:i])
				for _, m := range order {
					s.equal("added "+m, must(x.Add(bs(m))), 1)
				}
				slices.Sort(order)
				s.equal("all", setOf(x), order)
				must(tx.Delete(bs("s")))
			}
		})
	}},
	{"a set of any size and kind holds its members while it grows and shrinks", func(s *subject) {
		for kind, prefix := range memberKinds {
			for _, n := range collectionSizes {
				s.do(func(tx keyspace.Tx) {
					x := must(tx.Set([]byte("s")))
					names := numbered(prefix, 0, n)
					for _, m := range names {
						s.equal("added", must(x.Add(bs(m))), 1)
					}
					want := slices.Sorted(slices.Values(names))
					s.equal(kind, setOf(x), want)
					must(x.Add(bs("odd one")))
					s.equal(kind+" and another", must(x.Len()), n+1)
					s.equal("removed", must(x.Remove(bs(append(names, "none")...))), n)
					s.equal("left", setOf(x), []string{"odd one"})
					must(x.Remove(bs("odd one")))
					s.equal("gone", entry(tx, "s").Type, keyspace.None)
				})
			}
		}
	}},
	{"Random visits different members, or repeats where it is asked to", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for _, prefix := range memberKinds {
				for _, n := range collectionSizes {
					x := must(tx.Set([]byte("s")))
					names := numbered(prefix, 0, n)
					must(x.Add(bs(names...)))
					randomContract(s, names, func(k int, f func(string)) {
						check(x.Random(k, func(m []byte) { f(string(m)) }))
					})
					must(tx.Delete(bs("s")))
				}
			}
		})
	}},
	{"Pop takes different members until none is left", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for kind, prefix := range memberKinds {
				for _, n := range collectionSizes {
					x := must(tx.Set([]byte("s")))
					left := numbered(prefix, 0, n)
					must(x.Add(bs(left...)))
					slices.Sort(left)
					s.equal("of none", visitSet(func(f func([]byte)) error { return x.Pop(0, f) }), []string{})
					for k := 1; len(left) > 0; k += 1 + n/9 {
						popped := visitSet(func(f func([]byte)) error { return x.Pop(k, f) })
						s.equal(fmt.Sprint("popped ", kind), len(popped), min(k, len(left)))
						before := len(left)
						left = slices.DeleteFunc(left, func(m string) bool { _, ok := slices.BinarySearch(popped, m); return ok })
						s.equal("different ones", before-len(left), len(popped))
						s.equal("left", setOf(must(tx.Set([]byte("s")))), left)
					}
					s.equal("gone", entry(tx, "s").Type, keyspace.None)
				}
			}
		})
	}},
}
