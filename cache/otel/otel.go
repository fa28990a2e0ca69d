// Package otel counts what caches do, for OpenTelemetry.
//
//	metrics, err := otel.New(provider.Meter("users"))
//	users, err := cache.New[User](client, cache.Options{Prefix: "users:", Stats: metrics.Cache("users")})
//
// The instruments, each with the attribute cache, and those of calls with the attribute method:
//
//	redbud.cache.hits            values that were there
//	redbud.cache.misses          values that were not, bad ones included
//	redbud.cache.bad_values      values that did not decode
//	redbud.cache.calls           calls of the engine
//	redbud.cache.errors          calls of the engine that ended in an error
//	redbud.cache.call.duration   how long calls of the engine took in seconds, a histogram
//
// Those of near caches, which Metrics.Near adds:
//
//	redbud.cache.near.hits          values that came from the process
//	redbud.cache.near.misses        values for which the engine was asked
//	redbud.cache.near.invalidated   values that were forgotten because they had changed, or might have
//	redbud.cache.near.evicted       values that were forgotten because there were too many
//	redbud.cache.near.entries       values that are kept
//	redbud.cache.near.bytes         what these take as the engine stores them, with their keys
//	redbud.cache.near.feeds         near caches that serve values from the process now
package otel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Metrics are the instruments of any number of caches. It is safe for concurrent use.
type Metrics struct {
	hits, misses, bad, calls, errors metric.Int64Counter
	took                             metric.Float64Histogram
	nears                            *nears
}

// buckets are the upper bounds of the histogram in seconds, unless a view says otherwise.
var buckets = []float64{50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 0.1, 0.2, 0.5, 1, 2, 5}

// New makes the instruments by a meter. Errors are the meter's.
func New(meter metric.Meter) (*Metrics, error) {
	m := &Metrics{}
	var errs error
	for _, c := range []struct {
		to               *metric.Int64Counter
		name, unit, help string
	}{
		{&m.hits, "hits", "{value}", "Values that were there."},
		{&m.misses, "misses", "{value}", "Values that were not there, bad ones included."},
		{&m.bad, "bad_values", "{value}", "Values that did not decode."},
		{&m.calls, "calls", "{call}", "Calls of the engine."},
		{&m.errors, "errors", "{call}", "Calls of the engine that ended in an error."},
	} {
		var err error
		*c.to, err = meter.Int64Counter("redbud.cache."+c.name, metric.WithUnit(c.unit), metric.WithDescription(c.help))
		errs = errors.Join(errs, err)
	}
	var err error
	m.took, err = meter.Float64Histogram("redbud.cache.call.duration", metric.WithUnit("s"), metric.WithDescription("How long calls of the engine took."), metric.WithExplicitBucketBoundaries(buckets...))
	errs = errors.Join(errs, err)
	if m.nears, err = newNears(meter); err != nil {
		errs = errors.Join(errs, err)
	}
	if errs != nil {
		return nil, fmt.Errorf("instruments of caches: %w", errs)
	}
	return m, nil
}

// Stats are the metrics of one cache, a cache.Stats. It is safe for concurrent use.
type Stats struct {
	m       *Metrics
	name    attribute.KeyValue
	cache   metric.MeasurementOption
	methods sync.Map // of metric.MeasurementOption, by method
}

// Cache returns the metrics of the cache with a name. Caches of one name are counted together.
func (m *Metrics) Cache(name string) *Stats {
	cache := attribute.String("cache", name)
	return &Stats{m: m, name: cache, cache: metric.WithAttributeSet(attribute.NewSet(cache))}
}

// Read implements cache.Stats.
func (s *Stats) Read(hits, misses, bad int) {
	ctx := context.Background()
	s.m.hits.Add(ctx, int64(hits), s.cache)
	s.m.misses.Add(ctx, int64(misses), s.cache)
	s.m.bad.Add(ctx, int64(bad), s.cache)
}

// Called implements cache.Stats.
func (s *Stats) Called(method string, took time.Duration, err error) {
	ctx, with := context.Background(), s.method(method)
	failures := int64(0)
	if err != nil {
		failures = 1
	}
	s.m.calls.Add(ctx, 1, with)
	s.m.errors.Add(ctx, failures, with) // which is there, at 0, before the first one
	s.m.took.Record(ctx, took.Seconds(), with)
}

// method are the attributes of a method, which are few.
func (s *Stats) method(name string) metric.MeasurementOption {
	with, ok := s.methods.Load(name)
	if !ok {
		with, _ = s.methods.LoadOrStore(name, metric.WithAttributeSet(attribute.NewSet(s.name, attribute.String("method", name))))
	}
	return with.(metric.MeasurementOption)
}
