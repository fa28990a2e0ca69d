package prometheus_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"testing"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/cache/prometheus"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func Example() {
	ctx := context.Background()
	metrics := prometheus.New(prometheus.Options{})
	registry := client.NewRegistry()
	registry.MustRegister(metrics)
	users, err := cache.Open[string](ctx, "memory://", cache.Options{Prefix: "users:", Stats: metrics.Cache("users")})
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close()

	_, err = users.Get(ctx, "ann")
	fmt.Println(err)
	families, err := registry.Gather()
	if err != nil {
		log.Fatal(err)
	}
	for _, family := range families {
		if strings.HasSuffix(family.GetName(), "misses_total") {
			fmt.Println(family.GetName(), family.GetMetric()[0].GetCounter().GetValue())
		}
	}
	// Output:
	// cache: miss
	// redbud_cache_misses_total 1
}

func TestWhatACacheDoesIsCounted(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		metrics := prometheus.New(prometheus.Options{Namespace: "app", Buckets: []float64{3600}})
		registry := client.NewPedanticRegistry()
		registry.MustRegister(metrics)
		open := func(name string) *cache.Cache[int] {
			c, err := cache.New[int](db, cache.Options{Prefix: name + ":", Stats: metrics.Cache(name)})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		a, b := open("a"), open("b")
		if err := errors.Join(a.Set(ctx, "k", 1, time.Hour), b.Set(ctx, "k", 1, time.Hour), db.Set(ctx, "a:bad", "\xc1", 0).Err(), db.RPush(ctx, "a:list", "x").Err()); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"k", "k", "missing", "bad", "list"} {
			_, _ = a.Get(ctx, key) // counted below
		}
		if _, err := a.GetMany(ctx, "k", "missing", "missing too"); err != nil {
			t.Error(err)
		}
		want := `
# HELP app_cache_bad_values_total Values that did not decode.
# TYPE app_cache_bad_values_total counter
app_cache_bad_values_total{cache="a"} 1
app_cache_bad_values_total{cache="b"} 0
# HELP app_cache_calls_total Calls of the engine.
# TYPE app_cache_calls_total counter
app_cache_calls_total{cache="a",method="get"} 5
app_cache_calls_total{cache="a",method="get many"} 1
app_cache_calls_total{cache="a",method="set"} 1
app_cache_calls_total{cache="b",method="set"} 1
# HELP app_cache_errors_total Calls of the engine that ended in an error.
# TYPE app_cache_errors_total counter
app_cache_errors_total{cache="a",method="get"} 2
app_cache_errors_total{cache="a",method="get many"} 0
app_cache_errors_total{cache="a",method="set"} 0
app_cache_errors_total{cache="b",method="set"} 0
# HELP app_cache_hits_total Values that were there.
# TYPE app_cache_hits_total counter
app_cache_hits_total{cache="a"} 3
app_cache_hits_total{cache="b"} 0
# HELP app_cache_misses_total Values that were not there, bad ones included.
# TYPE app_cache_misses_total counter
app_cache_misses_total{cache="a"} 4
app_cache_misses_total{cache="b"} 0
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "app_cache_hits_total", "app_cache_misses_total", "app_cache_bad_values_total", "app_cache_calls_total", "app_cache_errors_total"); err != nil {
			t.Error(err)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]uint64{}
		for _, family := range families {
			if family.GetName() != "app_cache_call_seconds" {
				continue
			}
			for _, m := range family.GetMetric() {
				h := m.GetHistogram()
				counts[m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue()] = h.GetSampleCount()
				if sum := h.GetSampleSum(); sum <= 0 || h.GetBucket()[0].GetCumulativeCount() != h.GetSampleCount() {
					t.Errorf("%v: %v seconds", m.GetLabel(), sum)
				}
			}
		}
		if counts["a get"] != 5 || counts["a get many"] != 1 || counts["b set"] != 1 || len(counts) != 4 {
			t.Errorf("the histogram has %v", counts)
		}
	})
}

func TestWhatNearCachesDoIsCounted(t *testing.T) {
	ctx := t.Context()
	metrics := prometheus.New(prometheus.Options{})
	registry := client.NewPedanticRegistry()
	registry.MustRegister(metrics)
	c, err := cache.Open[int](ctx, "memory://", cache.Options{Prefix: "n:"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Set(ctx, "k", 1, time.Hour); err != nil {
		t.Fatal(err)
	}
	var stops []func()
	for range 2 {
		near, err := c.Near(ctx, cache.NearOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		stops = append(stops, metrics.Near("n", near.Stats))
		for range 3 {
			if _, err := near.Get(ctx, "k"); err != nil {
				t.Fatal(err)
			}
		}
	}
	collect := func(name string) string {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == "redbud_cache_near_"+name {
				return fmt.Sprint(family.GetMetric())
			}
		}
		return ""
	}
	for name, want := range map[string]string{
		"feeds":      `[label:{name:"cache" value:"n"} gauge:{value:2}]`,
		"hits_total": `[label:{name:"cache" value:"n"} counter:{value:4`,
	} {
		if got := strings.Join(strings.Fields(collect(name)), " "); !strings.HasPrefix(got, want) {
			t.Errorf("%s is %s, not %s", name, got, want)
		}
	}
	stops[0]()
	if got := strings.Join(strings.Fields(collect("feeds")), " "); !strings.Contains(got, "gauge:{value:1}") {
		t.Errorf("one of them has stopped: %s", got)
	}
	stops[1]()
	if got := collect("feeds"); got != "" {
		t.Errorf("none is left: %s", got)
	}
}
