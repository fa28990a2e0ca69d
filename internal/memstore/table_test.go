package memstore

import (
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// tableUnderTest is a table whose hashes the test chooses, with a map of what it should hold.
type tableUnderTest struct {
	table
	arena arena
	seed  maphash.Seed
	hash  func(name string) uint64
	want  map[string]ref
}

func newTableUnderTest(hash func(seed maphash.Seed, name string) uint64) *tableUnderTest {
	x := &tableUnderTest{seed: maphash.MakeSeed(), want: map[string]ref{}}
	x.hash = func(name string) uint64 { return hash(x.seed, name) }
	return x
}

func (x *tableUnderTest) block(name string) ref {
	h := head{}
	r := x.arena.alloc(h.layout(len(name), 0))
	h.write(x.arena.block(r), []byte(name), nil)
	return r
}

func (x *tableUnderTest) add(name string) {
	r, h := x.block(name), x.hash(name)
	if old, ok := x.want[name]; ok {
		x.replace(&x.arena, h, []byte(name), r)
		x.arena.release(old)
	} else {
		x.insert(&x.arena, x.seed, h, r)
	}
	x.want[name] = r
}

func (x *tableUnderTest) drop(t interface{ Fatalf(string, ...any) }, name string) {
	r := x.remove(&x.arena, x.hash(name), []byte(name))
	if r != x.want[name] {
		t.Fatalf("remove %q: got %x, want %x", name, r, x.want[name])
	}
	if r != 0 {
		x.arena.release(r)
		delete(x.want, name)
	}
}

func (x *tableUnderTest) check(t interface{ Fatalf(string, ...any) }) {
	if x.n != len(x.want) {
		t.Fatalf("the table counts %d, want %d", x.n, len(x.want))
	}
	for name, r := range x.want {
		if got := x.find(&x.arena, x.hash(name), []byte(name)); got != r {
			t.Fatalf("find %q: got %x, want %x", name, got, r)
		}
	}
	visited := map[ref]int{}
	x.each(func(r ref) { visited[r]++ })
	scanned := map[ref]bool{}
	for cursor := uint64(0); ; {
		if cursor = x.scan(cursor, 7, func(r ref) { scanned[r] = true }); cursor == 0 {
			break
		}
	}
	for name, r := range x.want {
		if visited[r] != 1 || !scanned[r] {
			t.Fatalf("%q is visited %d times, scanned: %v", name, visited[r], scanned[r])
		}
	}
	if len(visited) != x.n || len(scanned) != x.n {
		t.Fatalf("%d visited, %d scanned of %d", len(visited), len(scanned), x.n)
	}
}

// hashes are hash functions that agree with maphash in the bits by which segments are split, and collide elsewhere.
var hashes = map[string]func(seed maphash.Seed, name string) uint64{
	"as they are": func(seed maphash.Seed, name string) uint64 { return maphash.Bytes(seed, []byte(name)) },
	"few tags": func(seed maphash.Seed, name string) uint64 {
		return maphash.Bytes(seed, []byte(name)) &^ (tagMask >> 6)
	},
	"last places": func(seed maphash.Seed, name string) uint64 { return maphash.Bytes(seed, []byte(name)) | 3<<(tagBits-2) },
}

func TestTableHoldsWhatAMapHolds(t *testing.T) {
	for what, hash := range hashes {
		t.Run(what, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				x := newTableUnderTest(hash)
				names := func(t *rapid.T) []string {
					first, n := rapid.IntRange(0, 1500).Draw(t, "first"), rapid.IntRange(1, 300).Draw(t, "run")
					all := make([]string, n)
					for i := range all {
						all[i] = fmt.Sprint("name", first+i)
					}
					return all
				}
				t.Repeat(map[string]func(*rapid.T){
					"check": func(t *rapid.T) { x.check(t) }, // now and then: it takes long where hashes collide
					"add": func(t *rapid.T) {
						for _, name := range names(t) {
							x.add(name)
						}
					},
					"remove": func(t *rapid.T) {
						for _, name := range names(t) {
							x.drop(t, name)
						}
					},
				})
				x.check(t)
				for _, name := range slices.Collect(maps.Keys(x.want)) {
					x.drop(t, name)
				}
				if x.n != 0 || x.dir != nil || x.arena.bytes != 0 {
					t.Fatalf("an empty table keeps %d, %d segments, %d bytes", x.n, len(x.dir), x.arena.bytes)
				}
			})
		})
	}
}

func TestLargeTableGrowsAndShrinks(t *testing.T) {
	x := newTableUnderTest(hashes["as they are"])
	const n = 100_000
	for i := range n {
		x.add(fmt.Sprint(i))
	}
	x.check(t)
	for i := range n - 10 {
		x.drop(t, fmt.Sprint(i))
	}
	x.check(t)
	slots := 0
	for i := 0; i < len(x.dir); i += 1 << (x.depth - x.dir[i].depth) {
		slots += len(x.dir[i].slots)
	}
	if slots > n/50 {
		t.Errorf("10 of %d blocks left take %d slots", n, slots)
	}
}

func TestScanOfAWholeTableTakesAnyCount(t *testing.T) {
	x := newTableUnderTest(hashes["as they are"])
	for i := range 5000 {
		x.add(fmt.Sprint(i))
	}
	for _, count := range []int{5000, 1 << 40, math.MaxInt/10 + 1, math.MaxInt} {
		visits := 0
		if cursor := x.scan(0, count, func(ref) { visits++ }); count > 5000 && cursor != 0 || visits != 5000 {
			t.Errorf("count %d visits %d of 5000 and returns %d", count, visits, cursor)
		}
	}
}

func TestRandomDrawsEachBlockAboutAsOften(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	// 1790 has segments of different depth, 20000 cut down to 2000 has segments that have shrunk.
	for _, c := range []struct{ full, left int }{{3, 3}, {100, 100}, {1000, 1000}, {1790, 1790}, {2500, 2500}, {20_000, 2000}} {
		x := newTableUnderTest(hashes["as they are"])
		for i := range c.full {
			x.add(fmt.Sprint(i))
		}
		for i := range c.full - c.left {
			x.drop(t, fmt.Sprint(i))
		}
		const each = 400
		drawn := map[ref]int{}
		for range each * c.left {
			drawn[x.random(rng)]++
		}
		for name, r := range x.want {
			if n := drawn[r]; n < each*2/3 || n > each*3/2 {
				t.Errorf("%d of %d blocks: %s is drawn %d times, others %d", c.left, c.full, name, n, each)
				break
			}
		}
	}
}
