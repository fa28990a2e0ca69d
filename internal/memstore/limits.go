package memstore

import (
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

// defaultMemory is that of Redis 7.2.
func defaultMemory() keyspace.Memory { return keyspace.Memory{Samples: 5, LogFactor: 10, DecayTime: 1} }

// SetMemory implements keyspace.Bounded.
func (s *Store) SetMemory(m keyspace.Memory) { s.memory.Store(&m) }

// SetLimits implements keyspace.Limited.
func (s *Store) SetLimits(l keyspace.Limits) { s.limits.Store(&l) }

// listBounds says how many bytes and values a list has at most that Redis keeps as one listpack.
func listBounds(size int) (bytes, values int) {
	if size < 0 {
		return 4 << 10 << min(-(size+1), 4), math.MaxInt
	}
	return 8 << 10, max(size, 1)
}

// listpackHead is how many bytes a listpack takes before it has values, and listpackSize how many a value takes in it
// (https://github.com/antirez/listpack/blob/master/listpack.md).
const listpackHead = 7

func listpackSize(v []byte) int {
	size := len(v)
	if n, ok := resp.ParseInt(v); ok {
		size = listpackIntSize(n)
	} else {
		switch {
		case size < 1<<6:
			size++
		case size < 1<<12:
			size += 2
		default:
			size += 5
		}
	}
	// Behind each value stands its size, in groups of seven bits.
	for behind := size; ; behind >>= 7 {
		size++
		if behind < 1<<7 {
			return size
		}
	}
}

func listpackIntSize(n int64) int {
	switch {
	case 0 <= n && n < 1<<7:
		return 1
	case -1<<12 <= n && n < 1<<12:
		return 2
	case n == int64(int16(n)):
		return 3
	case -1<<23 <= n && n < 1<<23:
		return 4
	case n == int64(int32(n)):
		return 5
	}
	return 9
}
