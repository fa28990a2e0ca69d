package command

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// subBuckets is how many buckets a power of two is divided into: a time is known to a thirty-second part of it.
const subBuckets = 32

// maxTime is the longest time that a histogram tells from longer ones.
const maxTime = int64(1) << 30 // nanoseconds

// durations counts times by their length in nanoseconds.
type durations [subBuckets * (31 - 5 + 1)]atomic.Int64

// bucketOf is the place of a time: that of its highest bits.
func bucketOf(ns int64) int {
	ns = min(max(ns, 0), maxTime)
	shift := max(bits.Len64(uint64(ns))-6, 0)
	return subBuckets*shift + int(ns>>shift)
}

// highest is the longest time of a bucket.
func highest(bucket int) int64 {
	if bucket < 2*subBuckets {
		return int64(bucket)
	}
	shift := bucket/subBuckets - 1
	return (int64(bucket%subBuckets+subBuckets)+1)<<shift - 1
}

// distribution is a histogram at rest, scaled to a number of calls.
type distribution struct {
	counts []int64
	total  int64 // of counts
	calls  int64
}

func (h *durations) distribution(calls int64) distribution {
	d := distribution{counts: make([]int64, len(h)), calls: calls}
	for i := range h {
		d.counts[i] = h[i].Load()
		d.total += d.counts[i]
	}
	return d
}

// percentile is the time that so many in a hundred calls do not exceed.
func (d *distribution) percentile(p float64) time.Duration {
	wanted := max(int64(p/100*float64(d.total)+0.5), 1)
	seen := int64(0)
	for i, n := range d.counts {
		if seen += n; seen >= wanted {
			return time.Duration(highest(i))
		}
	}
	return 0
}

// firstLevel is the first power of two, in nanoseconds, that levels tells of.
const firstLevel = 1 << 10

// levels visits powers of two, each with how many calls took less; powers that add none are left out. Nanoseconds are told a
// little above the power, as a histogram of two digits has it.
func (d *distribution) levels(f func(ns, calls int64)) {
	seen, told, i := int64(0), int64(0), 0
	for level := int64(firstLevel); told < d.total; level *= 2 {
		for ; i < len(d.counts) && (highest(i) < level || level > maxTime); i++ {
			seen += d.counts[i]
		}
		if seen > told {
			told = seen
			f(level+level/128-1, int64(float64(seen)/float64(d.total)*float64(d.calls)+0.5))
		}
	}
}
