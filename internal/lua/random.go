// The random numbers of scripts: the generator of drand48 (48 bits, multiplier 0x5DEECE66D, increment 11), the same everywhere. A
// script goes on where the last one stopped.

package lua

// firstRandom is the generator before anybody has seeded it.
const firstRandom rand48 = 0x1234ABCD330E

// rand48 is a generator. Its zero value must be seeded.
type rand48 uint64

func (r *rand48) seed(n int32) { *r = rand48(uint64(uint32(n))<<16 | 0x330E) }

// next returns the next 31 bits.
func (r *rand48) next() int32 {
	*r = (*r*0x5DEECE66D + 11) & (1<<48 - 1)
	return int32(*r >> 17)
}
