package memstore

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
)

func TestWhoWaitsForTheGateCanGiveUp(t *testing.T) {
	g := newGate()
	g.Lock()
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("enough")
	cancel(reason)
	if err := g.enter(ctx, nil); !errors.Is(err, reason) {
		t.Errorf("entering with an ended context: %v", err)
	}
	cut := make(chan struct{})
	close(cut)
	if err := g.enter(context.Background(), func() <-chan struct{} { return cut }); !errors.Is(err, keyspace.ErrCut) {
		t.Errorf("entering when cut: %v", err)
	}
	g.Unlock()
	if err := g.enter(ctx, nil); err != nil {
		t.Errorf("entering what is free: %v", err)
	}
	g.Unlock()
}

func TestTheGateLetsOneInAtATimeAndAllInTheEnd(t *testing.T) {
	g := newGate()
	n := 0
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 5000 {
				if i%7 == 0 {
					g.Lock()
				} else if err := g.enter(context.Background(), nil); err != nil {
					t.Error(err)
					return
				}
				n++
				g.Unlock()
			}
		})
	}
	all.Wait()
	if n != 8*5000 {
		t.Errorf("%d of %d", n, 8*5000)
	}
	if g.waiting.Load() != 0 {
		t.Errorf("%d still wait", g.waiting.Load())
	}
}

func BenchmarkGate(b *testing.B) {
	work := func() {
		x := 0
		for i := range 300 {
			x += i
		}
		sink += x
	}
	b.Run("gate", func(b *testing.B) {
		g := newGate()
		b.SetParallelism(25)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_ = g.enter(context.Background(), nil)
				work()
				g.Unlock()
			}
		})
	})
	b.Run("mutex", func(b *testing.B) {
		var g sync.Mutex
		b.SetParallelism(25)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				g.Lock()
				work()
				g.Unlock()
			}
		})
	})
}

var sink int
