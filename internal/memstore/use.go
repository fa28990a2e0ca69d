package memstore

import "github.com/redbud-go/redbud/internal/keyspace"

// The use of a key is a word of its block: 24 bits, the second of the last use, and 8 bits, the counter of uses. Seconds wrap
// after 194 days, as those of Redis do.
const (
	countBits   = 8
	countMask   = 1<<countBits - 1
	secondsMask = 1<<24 - 1
	newCount    = 5 // of a new key, lest it be the first to give way
	clockSlip   = 24 * 60 * 60
)

// idle is how many seconds have passed since a use. A clock that was set back by less than a day does not make it 194 days.
func (t *tx) idle(use uint32) int64 {
	n := (int64(t.second) - int64(use>>countBits)) & secondsMask
	if n > secondsMask-clockSlip {
		return 0
	}
	return n
}

// count is the counter of uses as time has left it.
func (t *tx) count(use uint32) int {
	n := int(use & countMask)
	if t.memory.DecayTime == 0 {
		return n
	}
	now := t.now / 1000
	minutes := now/60 - (now-t.idle(use))/60
	return int(max(int64(n)-minutes/int64(t.memory.DecayTime), 0))
}

// grown is the counter after one more use: the larger it is, the less likely it grows.
func (t *tx) grown(n int) int {
	if n < countMask && t.s.rng.Float64()*(float64(max(n-newCount, 0)*t.memory.LogFactor)+1) < 1 {
		n++
	}
	return n
}

// used is the word for a key that is used now and had the word use before.
func (t *tx) used(use uint32) uint32 {
	if t.memory.Victims == keyspace.LeastFrequent {
		return t.second<<countBits | uint32(t.grown(t.count(use)))
	}
	return t.second<<countBits | use&countMask
}

// touch counts as a use of the key whose block is b.
func (t *tx) touch(b []byte) {
	use := le.Uint32(b[headBytes:])
	if use>>countBits != t.second || t.memory.Victims == keyspace.LeastFrequent {
		le.PutUint32(b[headBytes:], t.used(use))
	}
}

// SetUse implements keyspace.UseSetter.
func (t *tx) SetUse(key []byte, idle int64, freq int) (bool, error) {
	r := t.lookup(key)
	if r == 0 {
		return false, nil
	}
	b := t.block(r)
	use := le.Uint32(b[headBytes:])
	if idle >= 0 {
		use = uint32((t.now-min(idle, t.now))/1000&secondsMask)<<countBits | use&countMask
	}
	if freq >= 0 {
		use = use&^countMask | uint32(min(freq, countMask))
	}
	le.PutUint32(b[headBytes:], use)
	return true, nil
}
