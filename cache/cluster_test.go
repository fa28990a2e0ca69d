package cache_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestAClusterIsSeenThroughWhatIsAroundIt(t *testing.T) {
	url := testenv.SharedCluster(t).URL()
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	gathering := kittest.Open(t, url+separator+"autopipeline=true")
	plain := kittest.Open(t, url)
	for name, client := range map[string]redis.UniversalClient{
		"as it is":                          plain,
		"the client of go-redis":            plain.Unwrap(),
		"with autopipeline":                 gathering,
		"a namespace":                       plain.Namespace("app:"),
		"a namespace of one slot":           plain.Namespace("{app}:"),
		"a namespace that begins a tag":     plain.Namespace("app{"),
		"a namespace in one, autopipelined": gathering.Namespace("app:").Namespace("in:"),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			c := open[int](t, client, cache.Options{Prefix: "around:"})
			if _, err := c.Clear(ctx); err != nil {
				t.Fatal(err)
			}
			values, keys := map[string]int{}, []string{}
			for i := range 100 {
				key := fmt.Sprint(i, "}", i%7)
				values[key], keys = i, append(keys, key)
			}
			if err := c.SetMany(ctx, values, time.Hour); err != nil {
				t.Fatal(err)
			}
			pipe := client.Pipeline()
			queued := c.In(pipe).GetMany(ctx, keys...)
			if _, err := pipe.Exec(ctx); err != nil {
				t.Fatal(err)
			}
			for how, get := range map[string]func() ([]cache.Found[int], error){
				"GetMany":             func() ([]cache.Found[int], error) { return c.GetMany(ctx, keys...) },
				"GetMany in pipeline": queued.Value,
			} {
				found, err := get()
				if err != nil || len(found) != len(keys) {
					t.Fatalf("%s: %d and %v", how, len(found), err)
				}
				for i, f := range found {
					if want := (cache.Found[int]{Value: i, OK: true}); f != want {
						t.Errorf("%s: %q: %v, not %v", how, keys[i], f, want)
					}
				}
			}
			if u, err := c.Usage(ctx); u.Values != len(keys) || u.Forever != 0 || err != nil {
				t.Errorf("Usage: %v and %v", u, err)
			}
			if n, err := c.DeleteMany(ctx, keys[:50]...); n != 50 || err != nil {
				t.Errorf("DeleteMany: %d and %v", n, err)
			}
			if err := c.SetTagged(ctx, "tagged", 1, time.Hour, "a", "b", "c", "d"); err != nil {
				t.Fatal(err)
			}
			expect(t, c, "tagged", 1, nil)
			if err := c.ExpireTags(ctx, "a", "b"); err != nil {
				t.Error(err)
			}
			expect(t, c, "tagged", 1, cache.ErrStale)
			if err := c.PurgeTags(ctx, "c", "d"); err != nil {
				t.Error(err)
			}
			expect(t, c, "tagged", 0, cache.ErrMiss)
			if n, err := c.Clear(ctx); n != 50+1+2 || err != nil { // with the tags a and b
				t.Errorf("Clear: %d and %v", n, err)
			}
		})
	}
}

func TestAClusterThatIsHiddenIsNotClearedInPart(t *testing.T) {
	db := kittest.Open(t, testenv.SharedCluster(t).URL())
	gathering, err := db.Unwrap().AutoPipeline()
	if err != nil {
		t.Fatal(err)
	}
	defer gathering.Close()
	c := open[int](t, gathering, cache.Options{Prefix: "hidden:"})
	if err := c.Set(t.Context(), "k", 1, time.Hour); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Clear(t.Context()); n != 0 || !errors.Is(err, cache.ErrOptions) {
		t.Errorf("Clear: %d and %v", n, err)
	}
	if u, err := c.Usage(t.Context()); u.Values != 0 || !errors.Is(err, cache.ErrOptions) {
		t.Errorf("Usage: %v and %v", u, err)
	}
	expect(t, open[int](t, db, cache.Options{Prefix: "hidden:"}), "k", 1, nil)
}
