package rate_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/script/rate"
)

func Example() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	logins, err := rate.New(db, "logins:", rate.Limit{N: 2, Per: time.Hour})
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		answer, err := logins.Allow(ctx, "ann", 1)
		fmt.Println(answer.Allowed, answer.Left, err)
	}
	// Output:
	// true 1 <nil>
	// true 0 <nil>
	// false 0 <nil>
}

func TestNoMoreThanTheLimit(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		l, err := rate.New(db, "l:", rate.Limit{N: 7, Per: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		var allowed atomic.Int32
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				answer, err := l.Allow(t.Context(), "x", 1)
				if err != nil {
					t.Error(err)
				}
				if answer.Allowed {
					allowed.Add(1)
				}
				if answer.Allowed != (answer.After == 0) {
					t.Errorf("%+v", answer)
				}
			})
		}
		group.Wait()
		if n := allowed.Load(); n != 7 {
			t.Errorf("%d were allowed", n)
		}
		if answer, err := l.Allow(t.Context(), "y", 5); !answer.Allowed || answer.Left != 2 || err != nil {
			t.Errorf("another name: %+v and %v", answer, err)
		}
		if answer, err := l.Allow(t.Context(), "y", 3); answer.Allowed || answer.Left != 2 || answer.After <= 0 || answer.After > time.Hour || err != nil {
			t.Errorf("too many at once: %+v and %v", answer, err)
		}
		if answer, err := l.Allow(t.Context(), "y", 2); !answer.Allowed || answer.Left != 0 || err != nil {
			t.Errorf("what was left: %+v and %v", answer, err)
		}
		if ttl := db.PTTL(t.Context(), "l:y").Val(); ttl <= 0 || ttl > time.Hour {
			t.Errorf("the key lives %v", ttl)
		}
	})
}

func TestTheLimitComesBack(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		l, err := rate.New(db, "", rate.Limit{N: 3, Per: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		// As if the last third had been used 19 minutes ago: nothing comes back by waiting in tests.
		now := db.Time(ctx).Val()
		db.Set(ctx, "x", strconv.FormatInt(now.Add(41*time.Minute).UnixMilli(), 10), 0)
		if answer, err := l.Allow(ctx, "x", 1); answer.Allowed || answer.Left != 0 || answer.After > time.Minute || err != nil {
			t.Errorf("a moment too early: %+v and %v", answer, err)
		}
		db.Set(ctx, "x", strconv.FormatInt(now.Add(39*time.Minute).UnixMilli(), 10), 0)
		if answer, err := l.Allow(ctx, "x", 1); !answer.Allowed || answer.Left != 0 || err != nil {
			t.Errorf("in time: %+v and %v", answer, err)
		}
		db.Set(ctx, "x", "12", 0) // long ago
		if answer, err := l.Allow(ctx, "x", 1); !answer.Allowed || answer.Left != 2 || err != nil {
			t.Errorf("after a pause: %+v and %v", answer, err)
		}
	})
}

func TestLimitsThatMakeNoSense(t *testing.T) {
	db := kittest.Open(t, "memory://")
	for _, limit := range []rate.Limit{{}, {N: -1, Per: time.Second}, {N: 1}, {N: 1, Per: time.Microsecond}} {
		if _, err := rate.New(db, "", limit); !errors.Is(err, rate.ErrInput) {
			t.Errorf("%+v: %v", limit, err)
		}
	}
	l, err := rate.New(db, "", rate.Limit{N: 2, Per: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{-1, 0, 3} {
		if _, err := l.Allow(t.Context(), "x", n); !errors.Is(err, rate.ErrInput) {
			t.Errorf("%d at once: %v", n, err)
		}
	}
}
