package memstore

import (
	"bytes"
	"hash/maphash"
	"math"
	"math/rand/v2"
)

// table finds blocks by name. It is an extendible hash: the top bits of a name's hash choose a segment through the
// directory, its low 24 bits, the tag, a place in it, with linear probing from there. A segment grows by doubling until it
// has segmentSlots, then it is split in two, so that no insertion moves more than one segment, however large the table.
//
// A slot is the tag and the ref of a block: no pointers, and most wrong blocks are told apart without touching them.
//
// Because places are in the order of the hash, a position in the space of hashes stays meaningful while the table grows and
// shrinks. Such a position is the cursor of SCAN: what lies behind it has been visited.
type table struct {
	dir   []*segment // 1<<depth of them; a segment of lesser depth stands in it several times
	depth uint8
	n     int
	slots int // of all segments
}

type segment struct {
	slots []uint64 // tag << refBits | ref; 0 is empty
	n     int
	depth uint8 // bits of the hash that its blocks have in common
	shift uint8 // tag >> shift is the place where a block wants to be
}

const (
	segmentSlots = 1024
	minSlots     = 8
	tagBits      = 24
	tagMask      = 1<<tagBits - 1
	maxDepth     = 24
)

func newSegment(slots int, depth uint8) *segment {
	s := &segment{slots: make([]uint64, slots), depth: depth, shift: tagBits}
	for ; slots > 1; slots /= 2 {
		s.shift--
	}
	return s
}

// segment returns the segment for a hash.
func (t *table) segment(h uint64) *segment { return t.dir[h>>(64-t.depth)] }

// find returns the block with the name, or 0.
func (t *table) find(a *arena, h uint64, name []byte) ref {
	if t.n == 0 {
		return 0
	}
	s := t.segment(h)
	if i := s.find(a, h, name); i >= 0 {
		return ref(s.slots[i] & refMask)
	}
	return 0
}

// find returns the slot of the block with the name, or -1.
func (s *segment) find(a *arena, h uint64, name []byte) int {
	tag := h & tagMask
	mask := len(s.slots) - 1
	for i := int(tag >> s.shift); ; i = (i + 1) & mask {
		slot := s.slots[i&mask]
		if slot == 0 {
			return -1
		}
		if slot>>refBits == tag && bytes.Equal(nameOf(a.block(ref(slot&refMask))), name) {
			return i & mask
		}
	}
}

// insert adds a block whose name is not in the table.
func (t *table) insert(a *arena, seed maphash.Seed, h uint64, r ref) {
	if t.dir == nil {
		t.dir = []*segment{newSegment(minSlots, 0)}
		t.slots = minSlots
	}
	s := t.segment(h)
	for s.n >= len(s.slots)-len(s.slots)/8 {
		if len(s.slots) < segmentSlots || s.depth == maxDepth {
			t.slots += len(s.slots)
			s.resize(2 * len(s.slots))
		} else {
			t.split(a, seed, h, s)
			s = t.segment(h)
		}
	}
	s.add(h&tagMask<<refBits | uint64(r))
	t.n++
}

func (s *segment) add(slot uint64) {
	mask := len(s.slots) - 1
	i := int(slot>>refBits) >> s.shift
	for s.slots[i] != 0 {
		i = (i + 1) & mask
	}
	s.slots[i] = slot
	s.n++
}

// resize gives a segment another number of slots. The tags tell where everything goes.
func (s *segment) resize(slots int) {
	grown := newSegment(slots, s.depth)
	for _, slot := range s.slots {
		if slot != 0 {
			grown.add(slot)
		}
	}
	*s = *grown
}

// split replaces the segment of hash h by two that tell one bit more apart.
func (t *table) split(a *arena, seed maphash.Seed, h uint64, s *segment) {
	if s.depth == t.depth {
		dir := make([]*segment, 2*len(t.dir))
		for i, d := range t.dir {
			dir[2*i], dir[2*i+1] = d, d
		}
		t.dir = dir
		t.depth++
	}
	depth := s.depth + 1
	t.slots += 2*segmentSlots - len(s.slots)
	halves := [2]*segment{newSegment(segmentSlots, depth), newSegment(segmentSlots, depth)}
	for _, slot := range s.slots {
		if slot != 0 {
			name := nameOf(a.block(ref(slot & refMask)))
			halves[maphash.Bytes(seed, name)>>(64-depth)&1].add(slot)
		}
	}
	span := 1 << (t.depth - depth) // places in the directory of each half
	first := int(h>>(64-t.depth)) &^ (2*span - 1)
	for i := range 2 * span {
		t.dir[first+i] = halves[i/span]
	}
}

// remove takes the block with the name out of the table and returns it, or 0.
func (t *table) remove(a *arena, h uint64, name []byte) ref {
	if t.n == 0 {
		return 0
	}
	s := t.segment(h)
	i := s.find(a, h, name)
	if i < 0 {
		return 0
	}
	r := ref(s.slots[i] & refMask)
	s.removeAt(i)
	if t.n--; t.n == 0 {
		*t = table{}
	} else if len(s.slots) > minSlots && s.n < len(s.slots)/8 {
		t.slots -= len(s.slots) / 2
		s.resize(len(s.slots) / 2)
	}
	return r
}

// removeAt empties a slot and moves up those behind it that want to be nearer to their place.
func (s *segment) removeAt(i int) {
	mask := len(s.slots) - 1
	for j := (i + 1) & mask; s.slots[j] != 0; j = (j + 1) & mask {
		home := int(s.slots[j]>>refBits) >> s.shift
		if (j-home)&mask >= (j-i)&mask {
			s.slots[i] = s.slots[j]
			i = j
		}
	}
	s.slots[i] = 0
	s.n--
}

// replace makes the name's slot name another block. It must be in the table, and its old block still whole.
func (t *table) replace(a *arena, h uint64, name []byte, r ref) {
	s := t.segment(h)
	s.slots[s.find(a, h, name)] = h&tagMask<<refBits | uint64(r)
}

// each visits all blocks. f must not write to the table.
func (t *table) each(f func(r ref)) {
	for i := 0; i < len(t.dir); i += 1 << (t.depth - t.dir[i].depth) {
		t.dir[i].each(f)
	}
}

func (s *segment) each(f func(r ref)) {
	for _, slot := range s.slots {
		if slot != 0 {
			f(ref(slot & refMask))
		}
	}
}

// scan visits blocks from a cursor on until it has seen about count, or ten times as many places, and returns the cursor to
// go on from, 0 at the end. The cursor's upper 24 bits are those of the hash that choose the segment, the lower 24 are the tag.
// f must not write to the table.
func (t *table) scan(cursor uint64, count int, f func(r ref)) uint64 {
	prefix, tag := cursor>>tagBits, cursor&tagMask
	budget := 10 * min(count, math.MaxInt/10)
	for prefix < 1<<maxDepth && len(t.dir) > 0 {
		s := t.dir[prefix>>(maxDepth-t.depth)]
		i := int(tag >> s.shift)
		if i == 0 && s.n < count { // all of it is asked for: no need to find out who wants to be where
			s.each(f)
			count -= s.n
			budget -= len(s.slots)
			i = len(s.slots)
		}
		for ; i < len(s.slots); i++ {
			if count <= 0 || budget <= 0 {
				return prefix<<tagBits | uint64(i)<<s.shift
			}
			budget--
			count -= s.visit(i, f)
		}
		tag = 0
		span := uint64(1) << (maxDepth - s.depth)
		prefix = prefix&^(span-1) + span
		if (count <= 0 || budget <= 0) && prefix < 1<<maxDepth {
			return prefix << tagBits
		}
	}
	return 0
}

// visit visits the blocks whose place is i, wherever probing has put them, and counts them.
func (s *segment) visit(i int, f func(r ref)) (n int) {
	mask := len(s.slots) - 1
	for j := i; s.slots[j] != 0; j = (j + 1) & mask {
		if int(s.slots[j]>>refBits)>>s.shift == i {
			f(ref(s.slots[j] & refMask))
			n++
		}
	}
	return n
}

// random returns some block, each with equal chance unless most of the table has gone; the table is not empty.
func (t *table) random(rng *rand.Rand) ref {
	for range 64 {
		i := rng.IntN(len(t.dir))
		s := t.dir[i]
		if i&(1<<(t.depth-s.depth)-1) != 0 {
			continue // of the places where a segment stands, the first counts
		}
		width := len(s.slots)
		if len(t.dir) > 1 {
			width = max(width, segmentSlots) // as if all were as large
		}
		if j := rng.IntN(width); j < len(s.slots) && s.slots[j] != 0 {
			return ref(s.slots[j] & refMask)
		}
	}
	// A table this sparse has lost most of its blocks: walk to the next one.
	first := rng.IntN(len(t.dir))
	for i := range t.dir {
		s := t.dir[(first+i)%len(t.dir)]
		from := rng.IntN(len(s.slots))
		for j := range s.slots {
			if slot := s.slots[(from+j)%len(s.slots)]; slot != 0 {
				return ref(slot & refMask)
			}
		}
	}
	return 0
}
