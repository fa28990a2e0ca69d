package otel_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/cache/otel"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// numbers are what a reader reads: by the instrument's name, the cache and the method. A histogram's is how many values it has.
func numbers(ctx context.Context, reader sdk.Reader) (map[string]int64, error) {
	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		return nil, err
	}
	read := map[string]int64{}
	name := func(m metricdata.Metrics, of attribute.Set) string {
		cache, _ := of.Value("cache")
		name := m.Name + " " + cache.AsString()
		if method, ok := of.Value("method"); ok {
			name += " " + method.AsString()
		}
		return name
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					read[name(m, p.Attributes)] = p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					if p.Sum <= 0 {
						return nil, fmt.Errorf("%s took %v", name(m, p.Attributes), p.Sum)
					}
					read[name(m, p.Attributes)] = int64(p.Count)
				}
			default:
				return nil, fmt.Errorf("%s is a %T", m.Name, data)
			}
		}
	}
	return read, nil
}

func Example() {
	ctx := context.Background()
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	metrics, err := otel.New(provider.Meter("example"))
	if err != nil {
		log.Fatal(err)
	}
	users, err := cache.Open[string](ctx, "memory://", cache.Options{Prefix: "users:", Stats: metrics.Cache("users")})
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close()

	_, err = users.Get(ctx, "ann")
	fmt.Println(err)
	read, err := numbers(ctx, reader)
	fmt.Println(read["redbud.cache.misses users"], err)
	// Output:
	// cache: miss
	// 1 <nil>
}

func TestWhatACacheDoesIsCounted(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		reader := sdk.NewManualReader()
		metrics, err := otel.New(sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("test"))
		if err != nil {
			t.Fatal(err)
		}
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
		want := map[string]int64{
			"redbud.cache.hits a": 3, "redbud.cache.misses a": 4, "redbud.cache.bad_values a": 1,
			"redbud.cache.calls a get": 5, "redbud.cache.calls a get many": 1, "redbud.cache.calls a set": 1, "redbud.cache.calls b set": 1,
			"redbud.cache.errors a get": 2, "redbud.cache.errors a get many": 0, "redbud.cache.errors a set": 0, "redbud.cache.errors b set": 0,
			"redbud.cache.call.duration a get": 5, "redbud.cache.call.duration a get many": 1,
			"redbud.cache.call.duration a set": 1, "redbud.cache.call.duration b set": 1,
		}
		if got, err := numbers(ctx, reader); err != nil || !maps.Equal(got, want) {
			t.Errorf("%v and %v, not %v", got, err, want)
		}
	})
}

// broken is a meter that makes no histograms.
type broken struct{ noop.Meter }

var errBroken = errors.New("broken")

func (broken) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return nil, errBroken
}

func TestAMeterThatFailsIsTold(t *testing.T) {
	if m, err := otel.New(broken{}); m != nil || !errors.Is(err, errBroken) {
		t.Errorf("%v and %v", m, err)
	}
}

func TestWhatNearCachesDoIsCounted(t *testing.T) {
	ctx := t.Context()
	reader := sdk.NewManualReader()
	metrics, err := otel.New(sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("test"))
	if err != nil {
		t.Fatal(err)
	}
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
	collect := func() map[string]int64 {
		read, err := numbers(ctx, reader)
		if err != nil {
			t.Fatal(err)
		}
		return read
	}
	want := map[string]int64{
		"redbud.cache.near.hits n": 4, "redbud.cache.near.misses n": 2, "redbud.cache.near.invalidated n": 0, "redbud.cache.near.evicted n": 0,
		"redbud.cache.near.entries n": 2, "redbud.cache.near.bytes n": 4, "redbud.cache.near.feeds n": 2,
	}
	if got := collect(); !maps.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	stops[0]()
	if got := collect()["redbud.cache.near.feeds n"]; got != 1 {
		t.Errorf("one of them has stopped: %d", got)
	}
	stops[1]()
	if got := collect(); len(got) != 0 {
		t.Errorf("none is left: %v", got)
	}
}
