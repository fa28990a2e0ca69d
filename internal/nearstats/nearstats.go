// Package nearstats is what the metrics of near caches have in common, whatever they are exported by.
package nearstats

import (
	"sync"

	"github.com/redbud-go/redbud/cache"
)

// Metric is one metric of near caches.
type Metric struct {
	Name, Unit, Help string                          // the unit as OpenTelemetry spells it: https://ucum.org
	Counter          bool                            // whether it only grows, as long as no near cache is removed
	Of               func(s cache.NearStats) float64 // of one of them
}

// Metrics are all of them.
var Metrics = []Metric{
	{"hits", "{value}", "Values that came from the process.", true, func(s cache.NearStats) float64 { return float64(s.Hits) }},
	{"misses", "{value}", "Values for which the engine was asked.", true, func(s cache.NearStats) float64 { return float64(s.Misses) }},
	{"invalidated", "{value}", "Values that were forgotten because they had changed, or might have.", true, func(s cache.NearStats) float64 { return float64(s.Invalidated) }},
	{"evicted", "{value}", "Values that were forgotten because there were too many.", true, func(s cache.NearStats) float64 { return float64(s.Evicted) }},
	{"entries", "{value}", "Values that are kept.", false, func(s cache.NearStats) float64 { return float64(s.Entries) }},
	{"bytes", "By", "What the values that are kept take as the engine stores them, with their keys.", false, func(s cache.NearStats) float64 { return float64(s.Bytes) }},
	{"feeds", "{cache}", "Near caches that serve values from the process now.", false, func(s cache.NearStats) float64 {
		if s.Feed {
			return 1
		}
		return 0
	}},
}

// Set is a set of near caches under names. The zero Set is empty. It is safe for concurrent use.
type Set struct {
	mu   sync.Mutex
	last int // of the ids
	all  map[int]member
}

type member struct {
	name  string
	stats func() cache.NearStats
}

// Add adds a near cache under a name that others may have too, and returns what removes it.
func (s *Set) Add(name string, stats func() cache.NearStats) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[int]member{}
	}
	s.last++
	id := s.last
	s.all[id] = member{name, stats}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, id)
	}
}

// Sums returns the sums of Metrics, in their order, by the names of near caches.
func (s *Set) Sums() map[string][]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	sums := map[string][]float64{}
	for _, one := range s.all {
		sum := sums[one.name]
		if sum == nil {
			sum = make([]float64, len(Metrics))
			sums[one.name] = sum
		}
		stats := one.stats()
		for i, m := range Metrics {
			sum[i] += m.Of(stats)
		}
	}
	return sums
}
