// Package prometheus counts what caches do, for Prometheus.
//
//	metrics := prometheus.New(prometheus.Options{})
//	registry.MustRegister(metrics)
//	users, err := cache.New[User](client, cache.Options{Prefix: "users:", Stats: metrics.Cache("users")})
//
// The metrics, each with the label cache, and those of calls with the label method:
//
//	redbud_cache_hits_total         values that were there
//	redbud_cache_misses_total       values that were not, bad ones included
//	redbud_cache_bad_values_total   values that did not decode
//	redbud_cache_calls_total        calls of the engine
//	redbud_cache_errors_total       calls of the engine that ended in an error
//	redbud_cache_call_seconds       how long calls of the engine took, a histogram
//
// Those of near caches, which Metrics.Near adds:
//
//	redbud_cache_near_hits_total          values that came from the process
//	redbud_cache_near_misses_total        values for which the engine was asked
//	redbud_cache_near_invalidated_total   values that were forgotten because they had changed, or might have
//	redbud_cache_near_evicted_total       values that were forgotten because there were too many
//	redbud_cache_near_entries             values that are kept
//	redbud_cache_near_bytes               what these take as the engine stores them, with their keys
//	redbud_cache_near_feeds               near caches that serve values from the process now
package prometheus

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options of Metrics.
type Options struct {
	Namespace string    // what the names of the metrics begin with; default redbud
	Buckets   []float64 // upper bounds of the histogram in seconds; default from 50 microseconds to 6.5 seconds, each twice the one before
}

// Metrics are a prometheus.Collector of any number of caches. It is safe for concurrent use.
type Metrics struct {
	hits, misses, bad, calls, errors *prometheus.CounterVec
	took                             *prometheus.HistogramVec
	nears                            *nears
}

// New returns metrics that are registered nowhere yet.
func New(o Options) *Metrics {
	if o.Namespace == "" {
		o.Namespace = "redbud"
	}
	if o.Buckets == nil {
		o.Buckets = prometheus.ExponentialBuckets(50e-6, 2, 18)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: o.Namespace, Subsystem: "cache", Name: name, Help: help}, labels)
	}
	return &Metrics{
		hits:   counter("hits_total", "Values that were there.", "cache"),
		misses: counter("misses_total", "Values that were not there, bad ones included.", "cache"),
		bad:    counter("bad_values_total", "Values that did not decode.", "cache"),
		calls:  counter("calls_total", "Calls of the engine.", "cache", "method"),
		errors: counter("errors_total", "Calls of the engine that ended in an error.", "cache", "method"),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: o.Namespace, Subsystem: "cache", Name: "call_seconds", Help: "How long calls of the engine took.", Buckets: o.Buckets,
		}, []string{"cache", "method"}),
		nears: newNears(o.Namespace),
	}
}

func (m *Metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.hits, m.misses, m.bad, m.calls, m.errors, m.took, m.nears}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(to)
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(to)
	}
}

// Stats are the metrics of one cache, a cache.Stats. It is safe for concurrent use.
type Stats struct {
	hits, misses, bad prometheus.Counter
	calls, errors     *prometheus.CounterVec
	took              prometheus.ObserverVec
}

// Cache returns the metrics of the cache with a name. Caches of one name are counted together.
func (m *Metrics) Cache(name string) *Stats {
	cache := prometheus.Labels{"cache": name}
	return &Stats{
		hits: m.hits.With(cache), misses: m.misses.With(cache), bad: m.bad.With(cache),
		calls: m.calls.MustCurryWith(cache), errors: m.errors.MustCurryWith(cache), took: m.took.MustCurryWith(cache),
	}
}

// Read implements cache.Stats.
func (s *Stats) Read(hits, misses, bad int) {
	s.hits.Add(float64(hits))
	s.misses.Add(float64(misses))
	s.bad.Add(float64(bad))
}

// Called implements cache.Stats.
func (s *Stats) Called(method string, took time.Duration, err error) {
	s.calls.WithLabelValues(method).Inc()
	s.took.WithLabelValues(method).Observe(took.Seconds())
	failures := s.errors.WithLabelValues(method) // which is there, at 0, before the first one
	if err != nil {
		failures.Inc()
	}
}
