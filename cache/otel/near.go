package otel

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/internal/nearstats"
)

// nears are the instruments of near caches, which are asked when somebody observes them.
type nears struct {
	set         nearstats.Set
	instruments []metric.Int64Observable // of nearstats.Metrics
}

func newNears(meter metric.Meter) (*nears, error) {
	n := &nears{}
	var all []metric.Observable
	var errs error
	for _, m := range nearstats.Metrics {
		var made metric.Int64Observable
		var err error
		if name := "redbud.cache.near." + m.Name; m.Counter {
			made, err = meter.Int64ObservableCounter(name, metric.WithUnit(m.Unit), metric.WithDescription(m.Help))
		} else {
			made, err = meter.Int64ObservableUpDownCounter(name, metric.WithUnit(m.Unit), metric.WithDescription(m.Help))
		}
		n.instruments, all, errs = append(n.instruments, made), append(all, made), errors.Join(errs, err)
	}
	if errs != nil {
		return nil, errs
	}
	_, err := meter.RegisterCallback(n.observe, all...)
	return n, err
}

// Near adds a near cache, by its method Stats, to the metrics under a name, until it is told to stop. Those of one name are added up: one that stops takes
// what it has counted with it.
func (m *Metrics) Near(name string, stats func() cache.NearStats) (stop func()) {
	return m.nears.set.Add(name, stats)
}

// observe tells what the near caches of each name have done.
func (n *nears) observe(_ context.Context, to metric.Observer) error {
	for name, sums := range n.set.Sums() {
		with := metric.WithAttributeSet(attribute.NewSet(attribute.String("cache", name)))
		for i, instrument := range n.instruments {
			to.ObserveInt64(instrument, int64(sums[i]), with)
		}
	}
	return nil
}
