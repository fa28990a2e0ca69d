package prometheus

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/internal/nearstats"
)

// nears are the metrics of near caches, which are asked for them when they are collected.
type nears struct {
	set   nearstats.Set
	descs []*prometheus.Desc // of nearstats.Metrics
}

func newNears(namespace string) *nears {
	n := &nears{}
	for _, m := range nearstats.Metrics {
		name := m.Name
		if m.Counter {
			name += "_total"
		}
		n.descs = append(n.descs, prometheus.NewDesc(prometheus.BuildFQName(namespace, "cache_near", name), m.Help, []string{"cache"}, nil))
	}
	return n
}

// Near adds a near cache, by its method Stats, to the metrics under a name, until it is told to stop. Those of one name are added up: one that stops takes
// what it has counted with it, which is to Prometheus as if it had been restarted.
func (m *Metrics) Near(name string, stats func() cache.NearStats) (stop func()) {
	return m.nears.set.Add(name, stats)
}

// Describe implements prometheus.Collector.
func (n *nears) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range n.descs {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (n *nears) Collect(to chan<- prometheus.Metric) {
	for name, sums := range n.set.Sums() {
		for i, m := range nearstats.Metrics {
			kind := prometheus.GaugeValue
			if m.Counter {
				kind = prometheus.CounterValue
			}
			to <- prometheus.MustNewConstMetric(n.descs[i], kind, sums[i], name)
		}
	}
}
