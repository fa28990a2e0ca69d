package once_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/script/once"
)

func Example() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	cell := once.New(db, "answer", once.Options{TTL: time.Hour})
	for range 2 {
		fmt.Println(cell.Get(ctx, func(context.Context) (string, error) {
			fmt.Println("computing")
			return "42", nil
		}))
	}
	// Output:
	// computing
	// 42 <nil>
	// 42 <nil>
}

func TestManyGetWhatOneComputes(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		var computed atomic.Int32
		start := make(chan struct{})
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				value, err := once.New(db, "c", once.Options{}).Get(t.Context(), func(context.Context) (string, error) {
					<-start
					return fmt.Sprint("value ", computed.Add(1)), nil
				})
				if value != "value 1" || err != nil {
					t.Errorf("the value is %q and %v", value, err)
				}
			})
		}
		close(start)
		group.Wait()
		if n := computed.Load(); n != 1 {
			t.Errorf("it was computed %d times", n)
		}
		if ttl := db.TTL(t.Context(), "c").Val(); ttl != -1 {
			t.Errorf("the value lives %v", ttl)
		}
	})
}

func TestAfterAFailureSomeoneElseComputes(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		failure := errors.New("no luck")
		waiting := make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() {
			_, err := once.New(db, "c", once.Options{Lease: time.Hour}).Get(t.Context(), func(context.Context) (string, error) {
				close(waiting)
				return "", failure
			})
			if !errors.Is(err, failure) {
				t.Error(err)
			}
		})
		<-waiting
		value, err := once.New(db, "c", once.Options{TTL: time.Hour}).Get(t.Context(), func(context.Context) (string, error) { return "", nil })
		if value != "" || err != nil {
			t.Errorf("the value is %q and %v", value, err)
		}
		group.Wait()
		if ttl := db.TTL(t.Context(), "c").Val(); ttl <= 0 || ttl > time.Hour {
			t.Errorf("the value lives %v", ttl)
		}
		value, err = once.New(db, "c", once.Options{}).Get(t.Context(), func(context.Context) (string, error) { return "again", nil })
		if value != "" || err != nil { // an empty value is one
			t.Errorf("the value is %q and %v", value, err)
		}
	})
}

func TestAComputationThatVanishedIsDoneAgain(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		db.HSet(ctx, "c", "owner", "gone")
		db.PExpire(ctx, "c", 50*time.Millisecond)
		value, err := once.New(db, "c", once.Options{}).Get(ctx, func(context.Context) (string, error) { return "v", nil })
		if value != "v" || err != nil {
			t.Errorf("the value is %q and %v", value, err)
		}
	})
}

func TestWhoLosesTheLeaseIsTold(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		cell := once.New(db, "c", once.Options{Lease: 30 * time.Millisecond})
		_, err := cell.Get(ctx, func(working context.Context) (string, error) {
			if err := cell.Clear(ctx); err != nil {
				t.Error(err)
			}
			<-working.Done()
			return "", working.Err()
		})
		if !errors.Is(err, once.ErrLost) {
			t.Errorf("the error is %v", err)
		}
		patient := once.New(db, "c", once.Options{}) // whose lease does not end meanwhile, however slow the machine
		value, err := patient.Get(ctx, func(context.Context) (string, error) {
			if err := db.HSet(ctx, "c", "owner", "other", "value", "theirs").Err(); err != nil {
				t.Error(err)
			}
			return "mine", nil
		})
		if value != "theirs" || err != nil {
			t.Errorf("the value is %q and %v", value, err)
		}
	})
}

func TestALongComputationKeepsItsLease(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		cell := once.New(db, "c", once.Options{Lease: 600 * time.Millisecond})
		var other sync.WaitGroup
		value, err := cell.Get(t.Context(), func(working context.Context) (string, error) {
			other.Go(func() {
				value, err := cell.Get(t.Context(), func(context.Context) (string, error) { return "second", nil })
				if value != "first" || err != nil {
					t.Errorf("who waited has %q and %v", value, err)
				}
			})
			select {
			case <-working.Done():
			case <-time.After(time.Second):
			}
			return "first", nil
		})
		if value != "first" || err != nil {
			t.Errorf("the value is %q and %v", value, err)
		}
		other.Wait()
	})
}

func TestEndsWithItsContext(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		db.HSet(t.Context(), "c", "owner", "somebody")
		db.Expire(t.Context(), "c", time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := once.New(db, "c", once.Options{}).Get(ctx, func(context.Context) (string, error) {
			t.Error("it computes")
			return "", nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
		for _, o := range []once.Options{{Lease: time.Millisecond}, {Lease: -1}, {TTL: -1}} {
			if _, err := once.New(db, "c", o).Get(t.Context(), nil); !errors.Is(err, once.ErrInput) {
				t.Errorf("%+v: %v", o, err)
			}
		}
	})
}
