// Package memstore is the keyspace in memory: a Store whose entries are blocks without pointers in pages of its own,
// so that the garbage collector has next to nothing to look at, however many keys there are.
//
// From the bottom up: arena.go (blocks), table.go (finding blocks by key), block.go (what a block holds), packed.go and
// dict.go (small and large collections of fields), hash.go and hashttl.go, set.go, list.go, ranktree.go and zset.go, streamrun.go,
// idlist.go, stream.go and streamgroup.go; on top store.go and tx.go.
package memstore

import (
	"encoding/binary"
	"math/bits"
)

// ref names a block: page and offset in units of 8 bytes, 40 bits in all. 0 is no block.
type ref uint64

const (
	unit      = 8
	pageBytes = 32 << 10
	pageUnits = pageBytes / unit
	pageBits  = 12 // log2(pageUnits): the bits of a ref that are the offset
	refBits   = 40
	refMask   = 1<<refBits - 1

	// Up to fineBytes there is a size class every 8 bytes, from there to largeBytes eight to a doubling. What is
	// larger has a page of its own.
	fineBytes  = 256
	largeBytes = pageBytes / 4
	fineCount  = fineBytes / unit
	classCount = fineCount + 8*5 // 256 << 5 is largeBytes
	largeClass = classCount
)

// arena hands out blocks of bytes from pages, each page for blocks of one size class. A page that is empty goes back to the
// garbage collector, so that memory freed by small values can serve large ones.
type arena struct {
	pages   []page   // page 0 is never used, so that ref 0 is free to mean nothing
	idle    []uint32 // numbers of pages without memory
	partial [classCount]uint32
	bytes   int // in blocks handed out
}

type page struct {
	mem        []byte
	next, prev uint32 // in the list of pages of the class that have room
	live       uint16 // blocks handed out
	free       uint16 // first block of the chain of freed ones: its offset in units, plus 1
	fresh      uint16 // units handed out at least once
	class      uint8
	listed     bool // in the list
}

// sizeClass returns the class of blocks of n bytes and their size.
func sizeClass(n int) (class, size int) {
	switch {
	case n <= fineBytes:
		c := max((n+unit-1)/unit, 1)
		return c - 1, c * unit
	case n <= largeBytes:
		e := bits.Len(uint(n-1)) - 1 // 2^e < n <= 2^(e+1)
		step := 1 << (e - 3)
		k := (n - 1<<e + step - 1) / step // 1 to 8
		return fineCount + (e-8)*8 + k - 1, 1<<e + k*step
	}
	return largeClass, (n + unit - 1) / unit * unit
}

// alloc returns a block of at least n bytes, which hold rubbish.
func (a *arena) alloc(n int) ref {
	class, size := sizeClass(n)
	a.bytes += size
	if class == largeClass {
		p := a.newPage(size)
		a.pages[p].class = largeClass
		return ref(p) << pageBits
	}
	p := a.partial[class]
	if p == 0 {
		p = a.newPage(pageBytes)
		a.pages[p].class = uint8(class)
		a.list(p)
	}
	pg := &a.pages[p]
	units := uint16(size / unit)
	var at uint16
	if pg.free != 0 {
		at = pg.free - 1
		pg.free = binary.LittleEndian.Uint16(pg.mem[int(at)*unit:])
	} else {
		at = pg.fresh
		pg.fresh += units
	}
	pg.live++
	if pg.free == 0 && pg.fresh+units > pageUnits {
		a.unlist(p)
	}
	return ref(p)<<pageBits | ref(at)
}

// release takes a block back.
func (a *arena) release(r ref) {
	p := uint32(r >> pageBits)
	pg := &a.pages[p]
	a.bytes -= a.size(r)
	if pg.class == largeClass {
		a.dropPage(p)
		return
	}
	at := uint16(r & (pageUnits - 1))
	binary.LittleEndian.PutUint16(pg.mem[int(at)*unit:], pg.free)
	pg.free = at + 1
	pg.live--
	if !pg.listed {
		a.list(p)
	}
	// The last page of a class stays, else one key that comes and goes would cost a page each time.
	if pg.live == 0 && (pg.next != 0 || pg.prev != 0) {
		a.unlist(p)
		a.dropPage(p)
	}
}

// size is the number of bytes that a block has room for.
func (a *arena) size(r ref) int {
	pg := &a.pages[r>>pageBits]
	switch c := int(pg.class); {
	case c == largeClass:
		return len(pg.mem)
	case c < fineCount:
		return (c + 1) * unit
	default:
		c -= fineCount
		return 1<<(8+c/8) + (c%8+1)<<(5+c/8)
	}
}

// block is the memory of a block, and what lies behind it in its page.
func (a *arena) block(r ref) []byte {
	return a.pages[r>>pageBits].mem[(r&(pageUnits-1))*unit:]
}

func (a *arena) newPage(size int) uint32 {
	if len(a.pages) == 0 {
		a.pages = append(a.pages, page{})
	}
	mem := make([]byte, size)
	if n := len(a.idle); n > 0 {
		p := a.idle[n-1]
		a.idle = a.idle[:n-1]
		a.pages[p] = page{mem: mem}
		return p
	}
	a.pages = append(a.pages, page{mem: mem})
	return uint32(len(a.pages) - 1)
}

func (a *arena) dropPage(p uint32) {
	a.pages[p] = page{}
	a.idle = append(a.idle, p)
}

// list puts a page at the front of the list of its class.
func (a *arena) list(p uint32) {
	pg := &a.pages[p]
	pg.listed, pg.prev, pg.next = true, 0, a.partial[pg.class]
	if pg.next != 0 {
		a.pages[pg.next].prev = p
	}
	a.partial[pg.class] = p
}

func (a *arena) unlist(p uint32) {
	pg := &a.pages[p]
	if pg.prev != 0 {
		a.pages[pg.prev].next = pg.next
	} else {
		a.partial[pg.class] = pg.next
	}
	if pg.next != 0 {
		a.pages[pg.next].prev = pg.prev
	}
	pg.listed, pg.prev, pg.next = false, 0, 0
}
