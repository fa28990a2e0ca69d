package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/script"
	"github.com/redbud-go/redbud/script/queue"
)

func Example() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	pages := queue.New(db, "pages")
	fmt.Println(pages.Push(ctx, "/", "/about", "/"))
	fmt.Println(pages.Pop(ctx, 10))
	// Output:
	// 2 <nil>
	// [/ /about] <nil>
}

func TestEachItemIsInTheQueueOnce(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		q := queue.New(db, "q")
		check := func(what string, got int, err error, want int) {
			t.Helper()
			if got != want || err != nil {
				t.Errorf("%s returns %d and %v, not %d", what, got, err, want)
			}
		}
		n, err := q.Push(ctx, "b", "c", "b", "")
		check("Push", n, err, 3)
		n, err = q.Push(ctx, "c", "d")
		check("Push", n, err, 1)
		n, err = q.PushFront(ctx, "a", "d", "\x00\xff")
		check("PushFront", n, err, 2)
		n, err = q.Push(ctx)
		check("Push of nothing", n, err, 0)
		n, err = q.Len(ctx)
		check("Len", n, err, 6)
		n, err = q.Remove(ctx, "c", "nosuch")
		check("Remove", n, err, 1)
		for item, want := range map[string]bool{"b": true, "c": false} {
			if has, err := q.Has(ctx, item); has != want || err != nil {
				t.Errorf("Has %s is %v and %v", item, has, err)
			}
		}
		for n, want := range [][]string{nil, {"\x00\xff"}, {"a", "b"}, {"", "d"}, {}} {
			if got, err := q.Pop(ctx, n); !slices.Equal(got, want) || err != nil {
				t.Errorf("Pop %d returns %q and %v, not %q", n, got, err, want)
			}
		}
		n, err = q.Push(ctx, "b")
		check("Push of what was popped", n, err, 1)

		db.Set(ctx, "text", "x", 0)
		if _, err := queue.New(db, "text").Push(ctx, "a"); !errors.Is(err, script.ErrWrongType) {
			t.Errorf("Push to a string: %v", err)
		}
	})
}

func TestManyPushAndPop(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		const workers, items = 8, 25
		var mu sync.Mutex
		popped := map[string]int{}
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				q := queue.New(db, "q")
				for i := range items {
					if _, err := q.Push(t.Context(), strconv.Itoa(i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		for range workers {
			group.Go(func() {
				q := queue.New(db, "q")
				for {
					got, err := q.Pop(t.Context(), 3)
					if err != nil {
						t.Error(err)
					}
					if len(got) == 0 {
						return
					}
					mu.Lock()
					for _, item := range got {
						popped[item]++
					}
					mu.Unlock()
				}
			})
		}
		group.Wait()
		for i := range items {
			if n := popped[strconv.Itoa(i)]; n != 1 {
				t.Errorf("item %d was popped %d times", i, n)
			}
		}
	})
}
