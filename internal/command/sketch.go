// Sketches: the strings that PFADD makes, read and changed in their two encodings.
package command

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// A sketch is the string that PFADD makes: a HyperLogLog, byte for byte as Redis writes it, so that it can be read with GET
// and stored with SET.
//
//	bytes 0-3   "HYLL"
//	byte 4      encoding: 0 dense, 1 sparse
//	bytes 5-7   0
//	bytes 8-15  the last estimate, little endian; no longer valid if the highest bit is set
//	            dense: 16384 registers of 6 bits, the lowest bits first
//	            sparse: runs of registers, from the first on:
//	            00nnnnnn           n+1 registers that are 0
//	            01nnnnnn nnnnnnnn  n+1 registers that are 0
//	            1vvvvvnn           n+1 registers that are v+1
const (
	sketchMagic  = "HYLL"
	sketchDense  = 0
	sketchSparse = 1

	sketchEstimate  = 8 // where the estimate is
	sketchHead      = 16
	sketchIndexBits = 14
	sketchHashBits  = 64 - sketchIndexBits
	sketchRegisters = 1 << sketchIndexBits
	sketchDenseLen  = sketchHead + sketchRegisters*6/8
	sketchStale     = 0x80 // in byte 15

	runZeroMax   = 64
	runValueMax  = 4
	sparseMaxVal = 32
)

const (
	errNotSketch     = Refusal("WRONGTYPE Key is not a valid HyperLogLog string value.")
	errSketchCorrupt = Refusal("INVALIDOBJ Corrupted HLL object detected")
)

// registers of a sketch, one byte each.
type registers [sketchRegisters]byte

// emptySketch is a sketch without elements: one run of zeros.
const emptySketch = sketchMagic + "\x01\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x7f\xff"

// isSketch reports whether a string looks like a sketch from outside. A sparse one may still turn out corrupt.
func isSketch(v []byte) bool {
	return len(v) >= sketchHead && string(v[:4]) == sketchMagic && v[4] <= sketchSparse &&
		(v[4] != sketchDense || len(v) == sketchDenseLen)
}

// cachedEstimate returns the estimate that a sketch holds, unless it was changed since.
func cachedEstimate(v []byte) (n uint64, ok bool) {
	n = binary.LittleEndian.Uint64(v[sketchEstimate:])
	return n, n>>63 == 0
}

// registerOf returns the register that an element concerns, and what the register must be at least.
func registerOf(element []byte) (index int, value byte) {
	h := murmur64(element)
	return int(h & (sketchRegisters - 1)), byte(bits.TrailingZeros64(h>>sketchIndexBits|1<<sketchHashBits) + 1)
}

// murmur64 is MurmurHash64A by Austin Appleby, with the seed of Redis.
func murmur64(b []byte) uint64 {
	const seed, m, r = 0xadc83b19, 0xc6a4a7935bd1e995, 47
	h := uint64(seed) ^ uint64(len(b))*m
	for ; len(b) >= 8; b = b[8:] {
		k := binary.LittleEndian.Uint64(b) * m
		k = (k ^ k>>r) * m
		h = (h ^ k) * m
	}
	if len(b) > 0 {
		k := uint64(0)
		for i, c := range b {
			k |= uint64(c) << (8 * i)
		}
		h = (h ^ k) * m
	}
	h = (h ^ h>>r) * m
	return h ^ h>>r
}

// run is a run of equal registers of a sparse sketch.
type run struct {
	n     int // registers
	value byte
	size  int // bytes that it is written in
}

// runAt reads the run at a place of a sparse sketch. The second byte of one that is cut off counts as 0.
func runAt(v []byte, at int) run {
	b := v[at]
	switch {
	case b&0x80 != 0:
		return run{int(b&3) + 1, b>>2&0x1f + 1, 1}
	case b&0x40 == 0:
		return run{int(b) + 1, 0, 1}
	case at+1 == len(v):
		return run{int(b&0x3f)<<8 + 1, 0, 2}
	}
	return run{int(b&0x3f)<<8 + int(v[at+1]) + 1, 0, 2}
}

// appendRun writes a run of up to runValueMax registers, or of any number if they are 0.
func appendRun(dst []byte, n int, value byte) []byte {
	switch {
	case n == 0:
		return dst
	case value > 0:
		return append(dst, 0x80|(value-1)<<2|byte(n-1))
	case n <= runZeroMax:
		return append(dst, byte(n-1))
	}
	return append(dst, 0x40|byte((n-1)>>8), byte(n-1))
}

// raise raises registers to those of a sketch where they are lower; false if the sketch is corrupt.
func (r *registers) raise(v []byte) bool {
	if v[4] == sketchDense {
		v = v[sketchHead:]
		for i := 0; i < sketchRegisters; i, v = i+4, v[3:] {
			four := uint32(v[0]) | uint32(v[1])<<8 | uint32(v[2])<<16
			r[i] = max(r[i], byte(four&63))
			r[i+1] = max(r[i+1], byte(four>>6&63))
			r[i+2] = max(r[i+2], byte(four>>12&63))
			r[i+3] = max(r[i+3], byte(four>>18))
		}
		return true
	}
	i := 0
	for at := sketchHead; at < len(v); {
		next := runAt(v, at)
		if i+next.n > sketchRegisters {
			return false
		}
		if next.value > 0 {
			for j := i; j < i+next.n; j++ {
				r[j] = max(r[j], next.value)
			}
		}
		i += next.n
		at += next.size
	}
	return i == sketchRegisters
}

// writeDense fills dst, of sketchDenseLen bytes, with a dense sketch of the registers and the head of another sketch.
func (r *registers) writeDense(dst, head []byte) {
	copy(dst, head[:sketchHead])
	dst[4] = sketchDense
	dst = dst[sketchHead:]
	for i := 0; i < sketchRegisters; i, dst = i+4, dst[3:] {
		four := uint32(r[i]) | uint32(r[i+1])<<6 | uint32(r[i+2])<<12 | uint32(r[i+3])<<18
		dst[0], dst[1], dst[2] = byte(four), byte(four>>8), byte(four>>16)
	}
}

// denseAt returns a register of a dense sketch.
func denseAt(v []byte, index int) byte {
	at, shift := sketchHead+index*6/8, index*6%8
	two := uint16(v[at])
	if shift > 2 {
		two |= uint16(v[at+1]) << 8
	}
	return byte(two>>shift) & 63
}

// histogram counts the registers by what they hold. The registers cannot hold more than 63.
type histogram [64]int

func (h *histogram) count(v []byte) bool {
	if v[4] == sketchDense {
		for v = v[sketchHead:]; len(v) > 0; v = v[3:] {
			four := uint32(v[0]) | uint32(v[1])<<8 | uint32(v[2])<<16
			h[four&63]++
			h[four>>6&63]++
			h[four>>12&63]++
			h[four>>18&63]++
		}
		return true
	}
	n := 0
	for at := sketchHead; at < len(v); {
		next := runAt(v, at)
		h[next.value] += next.n
		n += next.n
		at += next.size
	}
	return n == sketchRegisters
}

// estimate is the number of elements that the registers speak for, by the improved estimator of Otmar Ertl, "New
// cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284. The conversions keep products from being
// fused with sums, which on some processors would give other last bits.
func (h *histogram) estimate() uint64 {
	const alpha = 0.721347520444481703680 // 1 / (2 ln 2)
	const m = float64(sketchRegisters)
	z := m * ertlTau((m-float64(h[sketchHashBits+1]))/m)
	for i := sketchHashBits; i >= 1; i-- {
		z += float64(h[i])
		z *= 0.5
	}
	z += float64(m * ertlSigma(float64(h[0])/m))
	n := math.Round(alpha * m * m / z)
	if n >= 1<<63 { // every register holds more than any element can bring about
		return 1 << 63
	}
	return uint64(n)
}

func ertlSigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for before := math.NaN(); before != z; {
		before = z
		x *= x
		z += float64(x * y)
		y += y
	}
	return z
}

func ertlTau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for before := math.NaN(); before != z; {
		before = z
		x = math.Sqrt(x)
		y *= 0.5
		z -= float64((1 - x) * (1 - x) * y)
	}
	return z / 3
}

// sketchEdit changes a sketch. It starts with a borrowed string and copies it when there is something to change.
type sketchEdit struct {
	c     *Ctx
	v     []byte
	was   int  // length of the string before, 0 if there was none
	owned bool // v is scratch of c
	stale bool // the estimate was valid and is no longer

	low, high int // the bytes that were changed, besides the estimate; none if high is 0

	// Where the search of a sparse sketch may start if it is for no register before first: at is the place of the run that
	// begins with it, before that of the run before, or 0.
	at, first, before int
}

// editSketch returns an edit of a string, or of a new sketch if it is nil.
func (c *Ctx) editSketch(v []byte) sketchEdit {
	s := sketchEdit{c: c, v: v, was: len(v), at: sketchHead}
	if v == nil {
		s.v = c.buffer(len(emptySketch))
		copy(s.v, emptySketch)
		s.owned = true
	}
	return s
}

// own makes v ours, with room for n more bytes.
func (s *sketchEdit) own(n int) {
	if s.owned {
		s.v = slices.Grow(s.v, n)
		return
	}
	dst := s.c.buffer(len(s.v) + n)
	s.v = dst[:copy(dst, s.v)]
	s.owned = true
}

// touched notes that bytes were changed.
func (s *sketchEdit) touched(low, high int) {
	if s.high == 0 {
		s.low = low
	}
	s.low, s.high = min(s.low, low), max(s.high, high)
}

// raise raises a register to a value, if it is lower.
func (s *sketchEdit) raise(index int, value byte) (changed bool, err error) {
	if s.v[4] == sketchDense {
		return s.raiseDense(index, value), nil
	}
	return s.raiseSparse(index, value)
}

func (s *sketchEdit) raiseDense(index int, value byte) bool {
	if denseAt(s.v, index) >= value {
		return false
	}
	s.own(0)
	at, shift := sketchHead+index*6/8, index*6%8
	s.v[at] = s.v[at]&^byte(63<<shift) | value<<shift
	end := at + 1
	if shift > 2 {
		s.v[end] = s.v[end]&^byte(63>>(8-shift)) | value>>(8-shift)
		end++
	}
	s.touched(at, end)
	return true
}

// raiseSparse changes the runs exactly as Redis does, which is not always to the shortest form: the run that has the
// register is split in up to three, and then up to five runs from the one before on are looked at for neighbours that
// fit in one.
func (s *sketchEdit) raiseSparse(index int, value byte) (changed bool, err error) {
	if value > sparseMaxVal {
		return s.promote(index, value)
	}
	at, first, before := sketchHead, 0, 0
	if index >= s.first {
		at, first, before = s.at, s.first, s.before
	}
	resumed := at
	beforeFirst, second := 0, 0 // of the run before: its first register, and the run before it
	v, n := s.v, 0
	for {
		if at >= len(v) {
			return false, errSketchCorrupt
		}
		// As runAt, but quick: most calls end with nothing to do.
		b := v[at]
		size := 1
		n = int(b&(0x3f>>(b>>7<<2))) + 1
		if b&0xc0 == 0x40 {
			if size = 2; at+1 == len(v) {
				return false, errSketchCorrupt
			}
			n = int(b&0x3f)<<8 + int(v[at+1]) + 1
		}
		if index < first+n {
			break
		}
		second, before, beforeFirst = before, at, first
		at += size
		first += n
	}
	old := runAt(v, at)
	if old.value >= value {
		return false, nil
	}
	var parts [5]byte
	seq := appendRun(parts[:0], index-first, old.value)
	seq = appendRun(seq, 1, value)
	seq = appendRun(seq, first+n-1-index, old.value)
	delta := len(seq) - old.size
	if delta > 0 && int64(len(v)+delta) > s.c.Engine.Settings.Int("hll-sparse-max-bytes") {
		return s.promote(index, value)
	}
	s.own(max(delta, 0))
	s.v = slices.Replace(s.v, at, at+old.size, seq...)
	from := at
	if before > 0 {
		from = before
	}
	merged := s.mergeRuns(from)
	if delta == 0 && !merged {
		s.touched(at, at+len(seq))
	} else {
		s.touched(from, len(s.v))
	}
	// All up to the run before is as it was, so a search for a later register may start there.
	s.at, s.first, s.before = sketchHead, 0, 0
	if before > 0 && at != resumed {
		s.at, s.first, s.before = before, beforeFirst, second
	}
	return true, nil
}

// mergeRuns looks at up to five runs from a place on for neighbours of one value that fit in one run.
func (s *sketchEdit) mergeRuns(at int) (merged bool) {
	for looks := 5; looks > 0 && at < len(s.v); looks-- {
		r := runAt(s.v, at)
		if r.value > 0 && at+1 < len(s.v) {
			next := runAt(s.v, at+1)
			if next.value == r.value && r.n+next.n <= runValueMax {
				appendRun(s.v[:at], r.n+next.n, r.value)
				s.v = slices.Delete(s.v, at+1, at+2)
				merged = true
				continue
			}
		}
		at += r.size
	}
	return merged
}

// promote makes a sparse sketch dense and raises a register.
func (s *sketchEdit) promote(index int, value byte) (changed bool, err error) {
	var r registers
	if !r.raise(s.v) {
		return false, errSketchCorrupt
	}
	s.setDense(&r)
	return s.raiseDense(index, value), nil
}

// setDense makes a dense sketch of the registers, with the head that there is.
func (s *sketchEdit) setDense(r *registers) {
	var head [sketchHead]byte
	copy(head[:], s.v)
	s.v, s.owned = s.c.buffer(sketchDenseLen), true
	r.writeDense(s.v, head[:])
	s.touched(0, sketchDenseLen)
}

// invalidate notes in the sketch that its estimate is out of date.
func (s *sketchEdit) invalidate() {
	if s.v[sketchHead-1]&sketchStale == 0 {
		s.own(0)
		s.v[sketchHead-1] |= sketchStale
		s.stale = true
	}
}

// store writes what was changed. A string that stays as long as it was is not written whole.
func (s *sketchEdit) store(key []byte) error {
	switch {
	case s.was == 0:
		return s.c.put(key, s.v, keyspace.Never)
	case len(s.v) != s.was:
		return s.c.put(key, s.v, keyspace.KeepTTL)
	}
	if s.stale {
		if _, err := s.c.Tx.SetRange(key, sketchHead-1, s.v[sketchHead-1:sketchHead]); err != nil {
			return err
		}
	}
	if s.high > 0 {
		if _, err := s.c.Tx.SetRange(key, s.low, s.v[s.low:min(s.high, len(s.v))]); err != nil {
			return err
		}
	}
	return nil
}
