package storetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// listOf are the values of a list, read forwards and, to compare, backwards.
func listOf(l keyspace.ListKey) []string {
	all, back := []string{}, []string{}
	check(l.Range(0, -1, false, func(v []byte) bool { all = append(all, string(v)); return true }))
	check(l.Range(0, -1, true, func(v []byte) bool { back = append(back, string(v)); return true }))
	slices.Reverse(back)
	if !slices.Equal(all, back) {
		return append([]string{"backwards it is"}, back...)
	}
	return all
}

func rangeOf(l keyspace.ListKey, start, stop int, reverse bool) []string {
	all := []string{}
	check(l.Range(start, stop, reverse, func(v []byte) bool { all = append(all, string(v)); return true }))
	return all
}

func popOf(l keyspace.ListKey, end keyspace.End, n int) []string {
	all := []string{}
	check(l.Pop(end, n, func(v []byte) { all = append(all, string(v)) }))
	return all
}

var listCases = []testCase{
	{"both ends push and pop in order", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			l := must(tx.List([]byte("l")))
			s.equal("left", must(l.Push(keyspace.Left, bs("b", "a"))), 2)
			s.equal("right", must(l.Push(keyspace.Right, bs("c", "d"))), 4)
			s.equal("all", listOf(l), []string{"a", "b", "c", "d"})
			s.equal("pop left", popOf(l, keyspace.Left, 2), []string{"a", "b"})
			s.equal("pop none", popOf(l, keyspace.Left, 0), []string{})
			s.equal("pop right", popOf(l, keyspace.Right, 9), []string{"d", "c"})
			s.equal("gone", entry(tx, "l").Type, keyspace.None)
			must(l.Push(keyspace.Left, bs("x")))
			s.equal("back", listOf(must(tx.List([]byte("l")))), []string{"x"})
		})
	}},
	{"values of every length come back, from both ends", func(s *subject) {
		for _, end := range []keyspace.End{keyspace.Left, keyspace.Right} {
			for _, from := range []keyspace.End{keyspace.Left, keyspace.Right} {
				s.do(func(tx keyspace.Tx) {
					l := must(tx.List([]byte("l")))
					want := []string{}
					for _, n := range slices.Concat(boundaries, boundaries) {
						must(l.Push(end, bs(long(n, "v"))))
						want = append(want, long(n, "v"))
					}
					if end == keyspace.Left {
						slices.Reverse(want)
					}
					s.equal("all", listOf(l), want)
					if from == keyspace.Right {
						slices.Reverse(want)
					}
					s.equal("popped", popOf(l, from, len(want)), want)
				})
			}
		}
	}},
	{"ranges are clipped and can stop early", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			l := must(tx.List([]byte("l")))
			must(l.Push(keyspace.Right, bs("a", "b", "c", "d", "e")))
			for _, c := range []struct {
				start, stop int
				want        string
			}{
				{0, -1, "abcde"}, {1, 3, "bcd"}, {-2, -1, "de"}, {-100, 1, "ab"}, {3, 100, "de"}, {4, 2, ""}, {5, 9, ""},
				{math.MinInt, math.MaxInt, "abcde"}, {math.MaxInt, math.MaxInt, ""}, {0, math.MinInt, ""}, {-1, -2, ""},
			} {
				want := []string{}
				for _, r := range c.want {
					want = append(want, string(r))
				}
				s.equal(fmt.Sprint(c), rangeOf(l, c.start, c.stop, false), want)
				slices.Reverse(want)
				s.equal(fmt.Sprint("reverse ", c), rangeOf(l, c.start, c.stop, true), want)
			}
			visits := 0
			check(l.Range(0, -1, false, func([]byte) bool { visits++; return visits < 2 }))
			check(l.Range(0, -1, true, func([]byte) bool { visits++; return visits < 4 }))
			s.equal("visits", visits, 4)
		})
	}},
	{"Set replaces by index from both ends", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			l := must(tx.List([]byte("l")))
			want := numbered("v", 0, 2000)
			must(l.Push(keyspace.Right, bs(want...)))
			for i, n := range boundaries {
				want[i*90], want[2000-1-i*7] = long(n, "x"), long(n, "y")
				s.equal("set", must(l.Set(i*90, []byte(long(n, "x")))), true)
				s.equal("set", must(l.Set(-1-i*7, []byte(long(n, "y")))), true)
			}
			s.equal("all", listOf(l), want)
			for _, i := range []int{2000, -2001, math.MaxInt, math.MinInt} {
				s.equal(fmt.Sprint("set ", i), must(l.Set(i, []byte("z"))), false)
			}
		})
	}},
	{"Insert goes beside the first occurrence", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			l := must(tx.List([]byte("l")))
			must(l.Push(keyspace.Right, bs("a", "b", "a")))
			s.equal("before", must(l.Insert(false, []byte("a"), []byte("0"))), 4)
			s.equal("after", must(l.Insert(true, []byte("a"), []byte("1"))), 5)
			s.equal("not there", must(l.Insert(true, []byte("x"), []byte("1"))), -1)
			s.equal("all", listOf(l), []string{"0", "a", "1", "b", "a"})
		})
	}},
	{"Remove takes the first, the last or all", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for _, c := range []struct {
				n       int
				removed int
				want    string
			}{
				{1, 1, "bacada"}, {2, 2, "bcada"}, {-1, 1, "abacad"}, {-3, 3, "abcd"}, {0, 4, "bcd"}, {99, 4, "bcd"},
				{-99, 4, "bcd"}, {math.MaxInt, 4, "bcd"}, {math.MinInt, 4, "bcd"},
			} {
				must(tx.Delete(bs("l")))
				l := must(tx.List([]byte("l")))
				must(l.Push(keyspace.Right, bs("a", "b", "a", "c", "a", "d", "a")))
				s.equal(fmt.Sprint("removed ", c), must(l.Remove(c.n, []byte("a"))), c.removed)
				got := ""
				for _, v := range listOf(l) {
					got += v
				}
				s.equal(fmt.Sprint("left ", c), got, c.want)
			}
			l := must(tx.List([]byte("same")))
			must(l.Push(keyspace.Right, bs("a", "a", "a")))
			s.equal("all of them", must(l.Remove(0, []byte("a"))), 3)
			s.equal("gone", entry(tx, "same").Type, keyspace.None)
		})
	}},
	{"Remove reaches across a long list", func(s *subject) {
		for _, n := range []int{0, 700, -700} {
			s.do(func(tx keyspace.Tx) {
				l := must(tx.List([]byte("l")))
				all := []string{}
				for i := range 3000 {
					all = append(all, []string{"x", fmt.Sprint("value ", i), long(i%300, "y")}[i%3])
				}
				must(l.Push(keyspace.Right, bs(all...)))
				want := removeFrom(all, n, "x")
				s.equal("removed", must(l.Remove(n, []byte("x"))), len(all)-len(want))
				s.equal("left", listOf(l), want)
				must(tx.Delete(bs("l")))
			})
		}
	}},
	{"Trim keeps what is between, and nothing is no list", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			all := numbered("value ", 0, 5000)
			for _, c := range []struct{ start, stop, from, to int }{
				{0, -1, 0, 5000}, {1, -2, 1, 4999}, {-10, -1, 4990, 5000}, {2000, 2000, 2000, 2001}, {0, 0, 0, 1},
				{-9999, 9999, 0, 5000}, {4999, math.MaxInt, 4999, 5000}, {3, 2, 0, 0}, {5000, 6000, 0, 0},
			} {
				l := must(tx.List([]byte("l")))
				must(l.Push(keyspace.Right, bs(all...)))
				check(l.Trim(c.start, c.stop))
				s.equal(fmt.Sprint(c), listOf(must(tx.List([]byte("l")))), all[c.from:c.to])
				s.equal("there", entry(tx, "l").Type == keyspace.List, c.to > 0)
				must(tx.Delete(bs("l")))
			}
		})
	}},
	{"a list is a queue that stays in order", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			l := must(tx.List([]byte("l")))
			next, out := 0, 0
			for round := range 400 {
				must(l.Push(keyspace.Right, bs(numbered("job ", next, 20+round%7)...)))
				next += 20 + round%7
				want := numbered("job ", out, min(23, next-out))
				s.equal("popped", popOf(l, keyspace.Left, 23), want)
				out += len(want)
			}
			s.equal("length", must(l.Len()), next-out)
		})
	}},
}

// removeFrom is what ListKey.Remove leaves.
func removeFrom(all []string, n int, value string) []string {
	left := slices.Clone(all)
	if n < 0 {
		slices.Reverse(left)
	}
	most := n
	if n < 0 {
		most = -n
	}
	removed := 0
	left = slices.DeleteFunc(left, func(v string) bool {
		if v != value || n != 0 && removed == most {
			return false
		}
		removed++
		return true
	})
	if n < 0 {
		slices.Reverse(left)
	}
	return left
}
