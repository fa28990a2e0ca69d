package memstore

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// gate is a mutex whose waiters can give up: a transaction may hold it for as long as a script runs.
type gate struct {
	mu      sync.Mutex
	waiting atomic.Int32  // callers of enter that sleep, or are about to
	freed   chan struct{} // holds a token when the gate may be free
}

// spins is how often a caller of enter looks again before it sleeps: for about a microsecond.
const spins = 100

func newGate() gate { return gate{freed: make(chan struct{}, 1)} }

// Lock waits for as long as it takes.
func (g *gate) Lock() { g.mu.Lock() }

// TryLock reports whether the gate was free and is locked now.
func (g *gate) TryLock() bool { return g.mu.TryLock() }

// Unlock lets the next one in.
func (g *gate) Unlock() {
	g.mu.Unlock()
	if g.waiting.Load() > 0 { // who counts itself after this finds the gate free
		select {
		case g.freed <- struct{}{}:
		default:
		}
	}
}

// enter waits until the gate is locked, the context ends or the channel that cut returns is closed. cut may be nil.
func (g *gate) enter(ctx context.Context, cut func() <-chan struct{}) error {
	if g.mu.TryLock() {
		return nil
	}
	for range spins { // most transactions are shorter than falling asleep
		if g.mu.TryLock() {
			return nil
		}
	}
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	var over <-chan struct{}
	if cut != nil {
		over = cut()
	}
	for !g.mu.TryLock() {
		select {
		case <-g.freed:
		case <-over:
			return keyspace.ErrCut
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
