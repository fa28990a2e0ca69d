// Package heap looks at the memory that a script takes, whichever way it runs.
package heap

import (
	"runtime"
	"runtime/metrics"
)

// Size is how many bytes the objects of the process take, those included that nobody uses any more.
func Size() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// Gauge tells how much the heap has grown since it was first looked at by it. The zero Gauge has not been. It is for one goroutine at a time.
type Gauge struct {
	base int64
	seen bool
}

// Exceeds reports whether the heap will have grown by more than limit once added bytes more are allocated. It collects what nobody uses before it says so.
func (g *Gauge) Exceeds(limit, added int64) bool {
	now := Size()
	if !g.seen {
		g.base, g.seen = now, true
	}
	if now+added-g.base <= limit {
		return false
	}
	runtime.GC()
	return Size()+added-g.base > limit
}
