package storetest

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// scored gives members scores from first on, in steps of 1.
func scored(members []string, first float64) []keyspace.Scored {
	out := make([]keyspace.Scored, len(members))
	for i, m := range members {
		out[i] = keyspace.Scored{Member: []byte(m), Score: first + float64(i)}
	}
	return out
}

// pair is a member with its score, to compare.
type pair struct {
	member string
	score  float64
}

func pairsOf(z keyspace.SortedSetKey, r keyspace.Range) []pair {
	all := []pair{}
	check(z.Range(&r, func(m []byte, score float64) bool {
		all = append(all, pair{string(m), score})
		return true
	}))
	return all
}

func sortPairs(all []pair) {
	slices.SortFunc(all, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.member, b.member))
	})
}

func rankOf(z keyspace.SortedSetKey, member string) int {
	rank, _, ok, err := z.Rank([]byte(member), false)
	check(err)
	if !ok {
		return -1
	}
	return rank
}

// everything is the Range of all members.
var everything = keyspace.Range{Stop: -1}

var inf = math.Inf(1)

// selectPairs is what a Range selects of members in order, without Offset and Count.
func selectPairs(all []pair, r keyspace.Range) []pair {
	out := []pair{}
	n := len(all)
	start, stop := r.Start, r.Stop
	if start < 0 {
		start += n
	}
	if stop < 0 {
		stop += n
	}
	for i, p := range all {
		var in bool
		switch r.By {
		case keyspace.ByRank:
			rank := i
			if r.Reverse {
				rank = n - 1 - i
			}
			in = rank >= start && rank <= stop
		case keyspace.ByScore:
			in = (p.score > r.Min || p.score == r.Min && !r.MinOpen) && (p.score < r.Max || p.score == r.Max && !r.MaxOpen)
		case keyspace.ByLex:
			low, high := cmp.Compare(p.member, string(r.MinLex)), cmp.Compare(p.member, string(r.MaxLex))
			in = (r.MinFree || low > 0 || low == 0 && !r.MinOpen) && (r.MaxFree || high < 0 || high == 0 && !r.MaxOpen)
		}
		if in {
			out = append(out, p)
		}
	}
	return out
}

// visitPairs is what Range visits of members in order.
func visitPairs(all []pair, r keyspace.Range) []pair {
	out := selectPairs(all, r)
	if r.Reverse {
		slices.Reverse(out)
	}
	if r.By != keyspace.ByRank {
		out = out[min(r.Offset, len(out)):]
		if r.Count >= 0 {
			out = out[:min(r.Count, len(out))]
		}
	}
	return out
}

// ranges are ranges over members "m0" … with scores 0 ….
func ranges(n int) (all []keyspace.Range) {
	edges := []int{0, 1, n / 2, n - 2, n - 1, n, n + 5, -1, -2, -n, -n - 1, math.MaxInt, math.MinInt}
	for _, a := range edges {
		for _, b := range edges {
			for _, reverse := range []bool{false, true} {
				all = append(all, keyspace.Range{Start: a, Stop: b, Reverse: reverse, Offset: 1, Count: 1})
			}
		}
	}
	bounds := []float64{-inf, -1, 0, 0.5, 1, float64(n / 2), float64(n - 1), float64(n), inf}
	counts := []struct{ offset, count int }{{0, -1}, {0, 0}, {0, 3}, {2, 3}, {1, math.MaxInt}, {n, 1}, {math.MaxInt, -1}, {0, n}}
	for _, a := range bounds {
		for _, b := range bounds {
			for i, c := range counts {
				all = append(all, keyspace.Range{
					By: keyspace.ByScore, Min: a, Max: b, MinOpen: i%2 == 1, MaxOpen: i%4 > 1,
					Reverse: i%3 == 0, Offset: c.offset, Count: c.count,
				})
				all = append(all, keyspace.Range{
					By: keyspace.ByScore, Min: a, Max: b, Reverse: i%3 != 0, Offset: c.offset, Count: c.count,
				})
			}
		}
	}
	return all
}

var sortedSetCases = []testCase{
	{"Put stores, counts what is new and moves what has another score", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			z := must(tx.SortedSet([]byte("z")))
			s.equal("first", must(z.Put([]keyspace.Scored{{Member: []byte("a"), Score: 2}, {Member: []byte("b"), Score: 1}, {Member: []byte("a"), Score: 3}})), 2)
			s.equal("all", pairsOf(z, everything), []pair{{"b", 1}, {"a", 3}})
			s.equal("second", must(z.Put([]keyspace.Scored{{Member: []byte("a"), Score: 0}, {Member: []byte("c"), Score: -inf}})), 1)
			s.equal("all", pairsOf(z, everything), []pair{{"c", -inf}, {"a", 0}, {"b", 1}})
			s.equal("scores", must(z.Scores(bs("b", "x", "c"), []float64{7})), []float64{7, 1, math.NaN(), -inf})
			s.equal("removed", must(z.Remove(bs("a", "a", "x"))), 1)
			s.equal("length", must(z.Len()), 2)
		})
	}},
	{"equal scores are in the order of bytes", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			z := must(tx.SortedSet([]byte("z")))
			for _, m := range []string{"b", "", "a\x00", "a", "\xff", "aa", "B"} {
				must(z.Put([]keyspace.Scored{{Member: []byte(m)}}))
			}
			s.equal("all", pairsOf(z, everything), []pair{{"", 0}, {"B", 0}, {"a", 0}, {"a\x00", 0}, {"aa", 0}, {"b", 0}, {"\xff", 0}})
		})
	}},
	{"ranges by rank and score select, count and remove the same members", func(s *subject) {
		for _, n := range []int{1, 5, 128, 129, 1000} {
			s.do(func(tx keyspace.Tx) {
				z := must(tx.SortedSet([]byte("z")))
				must(z.Put(scored(numbered("m", 0, n), 0)))
				all := pairsOf(z, everything)
				s.equal("length", len(all), n)
				for i, r := range ranges(n) {
					what := fmt.Sprintf("%d members, %+v", n, r)
					s.equal(what, pairsOf(z, r), visitPairs(all, r))
					in := r
					if r.By != keyspace.ByRank {
						in.Reverse = false
					}
					s.equal("count of "+what, must(z.Count(&r)), len(selectPairs(all, in)))
					if i%7 == 0 {
						gone := selectPairs(all, in)
						s.equal("removed by "+what, must(z.RemoveRange(&r)), len(gone))
						s.equal("left by "+what, must(must(tx.SortedSet([]byte("z"))).Len()), n-len(gone))
						z = must(tx.SortedSet([]byte("z")))
						var back []keyspace.Scored
						for _, p := range gone {
							s.equal("rank", rankOf(z, p.member), -1)
							back = append(back, keyspace.Scored{Member: []byte(p.member), Score: p.score})
						}
						must(z.Put(back))
					}
				}
				must(tx.Delete(bs("z")))
			})
		}
	}},
	{"ranges by name have closed, open and free bounds", func(s *subject) {
		for _, n := range []int{3, 500} {
			s.do(func(tx keyspace.Tx) {
				z := must(tx.SortedSet([]byte("z")))
				for _, m := range numbered("", 100, n) {
					must(z.Put([]keyspace.Scored{{Member: []byte(m)}}))
				}
				all := pairsOf(z, everything)
				names := []string{"", "100", "101", "1010", "102", "350", "9"}
				for _, a := range names {
					for _, b := range names {
						for bits := range 32 {
							r := keyspace.Range{
								By: keyspace.ByLex, MinLex: []byte(a), MaxLex: []byte(b), Count: -1,
								MinOpen: bits&1 > 0, MaxOpen: bits&2 > 0, MinFree: bits&4 > 0, MaxFree: bits&8 > 0, Reverse: bits&16 > 0,
							}
							s.equal(fmt.Sprintf("%+v", r), pairsOf(z, r), visitPairs(all, r))
							s.equal(fmt.Sprintf("count %+v", r), must(z.Count(&r)), len(selectPairs(all, r)))
						}
					}
				}
				must(tx.Delete(bs("z")))
			})
		}
	}},
	{"ranks count from both ends", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for _, n := range collectionSizes {
				z := must(tx.SortedSet([]byte("z")))
				names := numbered("m", 0, n)
				must(z.Put(scored(names, -5)))
				for i := range names {
					rank, score, ok, err := z.Rank([]byte(names[i]), false)
					check(err)
					back, _, _, err := z.Rank([]byte(names[i]), true)
					check(err)
					s.equal(names[i], fmt.Sprint(rank, back, score, ok), fmt.Sprint(i, n-1-i, i-5, true))
				}
				_, _, ok, err := z.Rank([]byte("x"), false)
				check(err)
				s.equal("missing", ok, false)
				must(tx.Delete(bs("z")))
			}
		})
	}},
	{"members of every length come back", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			z := must(tx.SortedSet([]byte("z")))
			for i, n := range boundaries {
				must(z.Put([]keyspace.Scored{{Member: []byte(long(n, "m")), Score: float64(-i)}}))
			}
			i := len(boundaries)
			for _, p := range pairsOf(z, everything) {
				i--
				s.equal("member", p, pair{long(boundaries[i], "m"), float64(-i)})
			}
		})
	}},
	{"a range can stop early", func(s *subject) {
		for _, n := range []int{10, 1000} {
			s.do(func(tx keyspace.Tx) {
				z := must(tx.SortedSet([]byte("z")))
				must(z.Put(scored(numbered("m", 0, n), 0)))
				for _, reverse := range []bool{false, true} {
					visits := 0
					r := keyspace.Range{Stop: -1, Reverse: reverse}
					check(z.Range(&r, func([]byte, float64) bool { visits++; return visits < 7 }))
					s.equal("visits", visits, 7)
				}
				must(tx.Delete(bs("z")))
			})
		}
	}},
	{"Random visits different members, or repeats where it is asked to", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for _, n := range collectionSizes {
				z := must(tx.SortedSet([]byte("z")))
				names := numbered("m", 0, n)
				must(z.Put(scored(names, 0)))
				randomContract(s, names, func(k int, f func(string)) {
					check(z.Random(k, func(m []byte, score float64) {
						s.equal("score", fmt.Sprint("m", score), string(m))
						f(string(m))
					}))
				})
				must(tx.Delete(bs("z")))
			}
		})
	}},
}
