package memstore

import (
	"context"
	"sync/atomic"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// gate is a mutex whose waiters can give up: a transaction may hold it for as long as a script runs. Whoever comes when it is
// free gets it, except when one has waited in vain too often.
type gate struct {
	held    atomic.Bool
	waiting atomic.Int32  // callers of enter that sleep, or are about to
	hungry  atomic.Int32  // those of them that have woken in vain too often
	freed   chan struct{} // holds a token when the gate may be free
	handed  chan struct{} // from hand to hand, without being free in between
}

const (
	// spins is how often a caller of enter looks again before it sleeps: for about a microsecond.
	spins = 100
	// patience is how often it wakes in vain before the gate is handed to it.
	patience = 32
)

func newGate() gate { return gate{freed: make(chan struct{}, 1), handed: make(chan struct{})} }

// TryLock locks the gate if it is free.
func (g *gate) TryLock() bool { return g.held.CompareAndSwap(false, true) }

// Lock waits for as long as it takes.
func (g *gate) Lock() {
	if !g.TryLock() {
		_ = g.enter(context.Background(), nil) // which nothing ends
	}
}

// Unlock lets the next one in.
func (g *gate) Unlock() {
	if g.hungry.Load() > 0 && g.hand() {
		return
	}
	g.held.Store(false)
	if g.waiting.Load() > 0 { // who counts itself after this finds the gate free
		g.signal()
	}
}

// hand gives the gate to one who has waited for long, and reports whether there is one.
func (g *gate) hand() bool {
	select {
	case g.handed <- struct{}{}:
		return true
	default:
		return false
	}
}

func (g *gate) signal() {
	select {
	case g.freed <- struct{}{}:
	default:
	}
}

// enter waits until the gate is locked, the context ends or the channel that cut returns is closed. cut may be nil.
func (g *gate) enter(ctx context.Context, cut func() <-chan struct{}) error {
	for range spins { // most transactions are shorter than falling asleep
		if !g.held.Load() && g.TryLock() {
			return nil
		}
	}
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	var over <-chan struct{}
	if cut != nil {
		over = cut()
	}
	for vain := 0; !g.TryLock(); vain++ {
		if vain == patience {
			g.hungry.Add(1)
			defer g.hungry.Add(-1)
		}
		var handed <-chan struct{}
		if vain >= patience {
			handed = g.handed
		}
		select {
		case <-handed:
			return nil
		case <-g.freed:
		case <-over:
			return keyspace.ErrCut
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
