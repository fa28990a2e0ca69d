package memstore

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestBlocksNeverOverlapAndAllMemoryComesBack(t *testing.T) {
	sizes := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 300), rapid.IntRange(0, 10_000), rapid.IntRange(8_000, 70_000))
	rapid.Check(t, func(t *rapid.T) {
		type held struct {
			ref  ref
			size int
			fill byte
		}
		var a arena
		var blocks []held
		bytesHeld := 0
		take := func(b held) {
			for i, c := range a.block(b.ref)[:b.size] {
				if c != b.fill {
					t.Fatalf("byte %d of a block of %d is %d, want %d: another block lies over it", i, b.size, c, b.fill)
				}
			}
			bytesHeld -= a.size(b.ref)
			a.release(b.ref)
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if a.bytes != bytesHeld {
					t.Fatalf("the arena counts %d bytes, %d are held", a.bytes, bytesHeld)
				}
			},
			"alloc": func(t *rapid.T) {
				n := sizes.Draw(t, "size")
				for range rapid.IntRange(1, 50).Draw(t, "count") {
					b := held{a.alloc(n), n, byte(len(blocks))}
					if b.ref == 0 || b.ref > refMask {
						t.Fatalf("ref %x", b.ref)
					}
					if got := a.size(b.ref); got < n || got > max(n+n/8+unit, unit) {
						t.Fatalf("a block of %d has room for %d", n, got)
					}
					// All that the block has room for is its own.
					b.size = a.size(b.ref)
					copy(a.block(b.ref), bytes.Repeat([]byte{b.fill}, b.size))
					blocks = append(blocks, b)
					bytesHeld += b.size
				}
			},
			"release": func(t *rapid.T) {
				for range rapid.IntRange(1, 60).Draw(t, "count") {
					if len(blocks) == 0 {
						return
					}
					i := rapid.IntRange(0, len(blocks)-1).Draw(t, "which")
					take(blocks[i])
					blocks[i] = blocks[len(blocks)-1]
					blocks = blocks[:len(blocks)-1]
				}
			},
		})
		for _, b := range blocks {
			take(b)
		}
		if a.bytes != 0 {
			t.Fatalf("%d bytes are left when all is released", a.bytes)
		}
		checkIdle(t, &a)
	})
}

// checkIdle asks an arena without blocks to hold no more than a page for each class.
func checkIdle(t interface{ Fatalf(string, ...any) }, a *arena) {
	classes := map[uint8]int{}
	for _, pg := range a.pages {
		if pg.mem != nil {
			classes[pg.class]++
			if pg.live != 0 || !pg.listed {
				t.Fatalf("a page of class %d holds %d blocks, listed: %v", pg.class, pg.live, pg.listed)
			}
		}
	}
	for class, n := range classes {
		if n > 1 || class == largeClass {
			t.Fatalf("%d pages of class %d are left", n, class)
		}
	}
}

func TestSizeClassesAgreeWithTheSizeOfTheirBlocks(t *testing.T) {
	var a arena
	last := 0
	for n := 1; n <= largeBytes+100; n++ {
		class, size := sizeClass(n)
		if size < n || size < last || size%unit != 0 || class > largeClass {
			t.Fatalf("size class of %d: %d, %d bytes", n, class, size)
		}
		last = size
		r := a.alloc(n)
		if got := a.size(r); got != size {
			t.Fatalf("a block of %d has room for %d, its class says %d", n, got, size)
		}
		a.release(r)
	}
}

func TestReleasedPagesAreReusedAndDropped(t *testing.T) {
	var a arena
	rng := rand.New(rand.NewPCG(1, 1))
	pages := 0
	for round := range 3 {
		var refs []ref
		for i := range 100_000 {
			refs = append(refs, a.alloc(i%500))
		}
		if round == 0 {
			pages = len(a.pages)
		} else if len(a.pages) > pages {
			t.Fatalf("round %d takes %d pages, the first took %d", round, len(a.pages), pages)
		}
		rng.Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
		for _, r := range refs {
			a.release(r)
		}
		checkIdle(t, &a)
	}
}
