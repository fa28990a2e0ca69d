package memstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// treeUnderTest is a rankTree with a sorted slice of what it should hold.
type treeUnderTest struct {
	rankTree
	arena arena
	want  []ranked
}

func (x *treeUnderTest) item(name string, score float64) ranked {
	h := head{}
	r := x.arena.alloc(h.layout(len(name), 0))
	h.write(x.arena.block(r), []byte(name), nil)
	return ranked{score, r}
}

func (x *treeUnderTest) add(name string, score float64) {
	it := x.item(name, score)
	i := x.place(it)
	if i < len(x.want) && !x.arena.less(it, x.want[i]) {
		x.arena.release(it.ref)
		return // it is there
	}
	x.want = slices.Insert(x.want, i, it)
	x.insert(&x.arena, it)
}

func (x *treeUnderTest) place(it ranked) int {
	i, _ := slices.BinarySearchFunc(x.want, it, func(a, b ranked) int {
		switch {
		case x.arena.less(a, b):
			return -1
		case x.arena.less(b, a):
			return 1
		}
		return 0
	})
	return i
}

// drop removes the items from i to j. Their blocks are filled with rubbish: nothing may look at them again.
func (x *treeUnderTest) drop(i, j int) {
	for _, it := range x.want[i:j] {
		x.remove(&x.arena, it)
		nameOf(x.arena.block(it.ref))[0] = 0xff
	}
	x.want = slices.Delete(x.want, i, j)
}

func (x *treeUnderTest) check(t interface{ Fatalf(string, ...any) }) {
	if x.n != len(x.want) {
		t.Fatalf("the tree counts %d, want %d", x.n, len(x.want))
	}
	if x.root != nil {
		x.checkNode(t, x.root)
	}
	for i := 0; i < len(x.want); i += 1 + len(x.want)/50 {
		it := x.want[i]
		if got := x.rank(func(o ranked) bool { return x.arena.less(o, it) }); got != i {
			t.Fatalf("rank %d, want %d", got, i)
		}
	}
	x.checkVisit(t, 0, len(x.want)-1)
}

// checkNode asks an inner node for what must be true of it, and returns how many items are below.
func (x *treeUnderTest) checkNode(t interface{ Fatalf(string, ...any) }, n *rankNode) int {
	if n.kids == nil {
		if len(n.items) == 0 || len(n.items) > leafItems {
			t.Fatalf("a leaf of %d items", len(n.items))
		}
		return len(n.items)
	}
	if len(n.kids) > nodeKids || len(n.firsts) != len(n.kids) || len(n.counts) != len(n.kids) {
		t.Fatalf("an inner node of %d kids, %d firsts, %d counts", len(n.kids), len(n.firsts), len(n.counts))
	}
	sum := 0
	for i, k := range n.kids {
		if n.firsts[i] != k.first() {
			t.Fatalf("kid %d does not begin where its parent says", i)
		}
		if c := x.checkNode(t, k); n.counts[i] != c {
			t.Fatalf("kid %d has %d items, its parent says %d", i, c, n.counts[i])
		}
		sum += n.counts[i]
	}
	return sum
}

func (x *treeUnderTest) checkVisit(t interface{ Fatalf(string, ...any) }, from, to int) {
	var got, back []ranked
	x.visit(from, to, func(it ranked) bool { got = append(got, it); return true })
	x.visitBack(from, to, func(it ranked) bool { back = append(back, it); return true })
	slices.Reverse(back)
	var want []ranked
	if from <= to {
		want = x.want[from : to+1]
	}
	if !slices.Equal(got, want) || !slices.Equal(back, want) {
		t.Fatalf("ranks %d to %d: %d forwards, %d backwards, want %d", from, to, len(got), len(back), len(want))
	}
}

func TestRankTreeHoldsWhatASortedSliceHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := &treeUnderTest{}
		at := func(t *rapid.T, name string) int { return rapid.IntRange(0, max(len(x.want)-1, 0)).Draw(t, name) }
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) { x.check(t) },
			"add at random": func(t *rapid.T) {
				seed := rapid.Uint64().Draw(t, "seed")
				rng := rand.New(rand.NewPCG(seed, seed))
				for range rapid.IntRange(1, 1000).Draw(t, "n") {
					x.add(fmt.Sprint("m", rng.IntN(100_000)), float64(rng.IntN(100)))
				}
			},
			"append": func(t *rapid.T) {
				first := rapid.IntRange(0, 10).Draw(t, "first")
				for i := range rapid.IntRange(1, 1000).Draw(t, "n") {
					x.add("m", float64(1000*first+i))
				}
			},
			"remove at random": func(t *rapid.T) {
				seed := rapid.Uint64().Draw(t, "seed")
				rng := rand.New(rand.NewPCG(seed, seed))
				for range rapid.IntRange(0, len(x.want)).Draw(t, "n") {
					i := rng.IntN(len(x.want))
					x.drop(i, i+1)
				}
			},
			"remove a run": func(t *rapid.T) {
				if i, j := at(t, "from"), at(t, "to"); i < j {
					x.drop(i, j)
				}
			},
			"visit": func(t *rapid.T) {
				if len(x.want) > 0 {
					x.checkVisit(t, at(t, "from"), at(t, "to"))
				}
			},
			"visit a few": func(t *rapid.T) {
				most := rapid.IntRange(1, 5).Draw(t, "most")
				n, back := 0, 0
				x.visit(0, len(x.want)-1, func(ranked) bool { n++; return n < most })
				x.visitBack(0, len(x.want)-1, func(ranked) bool { back++; return back < most })
				if n != min(most, len(x.want)) || back != n {
					t.Fatalf("%d and %d visited, want at most %d of %d", n, back, most, len(x.want))
				}
			},
		})
	})
}

// shape returns how many leaves a tree has, how many items they have room for and how deep it is.
func shape(n *rankNode) (leaves, room, depth int) {
	if n.kids == nil {
		return 1, cap(n.items), 1
	}
	for _, k := range n.kids {
		l, r, d := shape(k)
		leaves, room, depth = leaves+l, room+r, max(depth, d+1)
	}
	return leaves, room, depth
}

func TestAMillionAppendsFillTheirLeaves(t *testing.T) {
	x := &treeUnderTest{}
	it := x.item("m", 0)
	const n = 1_000_000
	for i := range n {
		it.score = float64(i)
		x.insert(&x.arena, it)
	}
	leaves, room, depth := shape(x.root)
	if leaves > n/leafItems+1 || room > n+n/10 || depth > 6 {
		t.Errorf("%d items in %d leaves with room for %d, %d deep", n, leaves, room, depth)
	}
	for _, want := range []int{0, 1, 63, 64, 500_000, n - 1} {
		if got := x.rank(func(o ranked) bool { return o.score < float64(want) }); got != want {
			t.Errorf("rank %d, want %d", got, want)
		}
	}
}

func TestQueueOfScoresStaysShallow(t *testing.T) {
	x := &treeUnderTest{}
	it := x.item("m", 0)
	const held = 10_000
	for i := range 1_000_000 {
		it.score = float64(i)
		x.insert(&x.arena, it)
		if i >= held {
			it.score = float64(i - held)
			x.remove(&x.arena, it)
		}
	}
	leaves, _, depth := shape(x.root)
	if x.n != held || leaves > held/leafItems+2 || depth > 5 {
		t.Errorf("%d items in %d leaves, %d deep", x.n, leaves, depth)
	}
}

func TestTreeThatLosesMostItemsLosesItsRoom(t *testing.T) {
	x := &treeUnderTest{}
	it := x.item("m", 0)
	const n = 200_000
	for i := range n {
		it.score = float64(i)
		x.insert(&x.arena, it)
	}
	left := 0
	for i := range n {
		if i%100 == 0 {
			left++
			continue
		}
		it.score = float64(i)
		x.remove(&x.arena, it)
	}
	if leaves, room, _ := shape(x.root); leaves > left/4 || room > 16*left {
		t.Errorf("%d of %d items take %d leaves with room for %d", left, n, leaves, room)
	}
}
