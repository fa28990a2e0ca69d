// CLIENT PAUSE: calls that may write, or all of them, are held back until it is over. What is there stays as it is meanwhile: what
// expires is missing and not removed, and nothing gives way.
package command

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/lua"
)

// pause is one that goes on.
type pause struct {
	all   bool          // not only calls that may write are held back
	until int64         // milliseconds since 1970
	over  chan struct{} // closed at its end
}

// pauses knows whether an engine pauses. It begins inside a transaction, so that no batch writes once it has: each looks at it in a
// transaction of its own.
type pauses struct {
	now  atomic.Pointer[pause] // nil: there is none
	held atomic.Int64          // calls that wait for its end
	keep func(on bool)         // lets the store leave things as they are

	mu    sync.Mutex // guards what follows, and changes of now
	timer *time.Timer
}

// errHeld is what a batch ends with before a call that is held back.
var errHeld = fmt.Errorf("held back by a pause: %w", engine.ErrWouldWait)

// begin begins a pause, or makes the one that goes on longer and stricter.
func (p *pauses) begin(now, until int64, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := &pause{all: all, until: until}
	if old := p.now.Load(); old != nil {
		next.all, next.until, next.over = all || old.all, max(until, old.until), old.over
	} else if next.over = make(chan struct{}); until <= now {
		return
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	left := min(max(next.until-now, 0), math.MaxInt64/int64(time.Millisecond))
	p.now.Store(next)
	p.keep(true)
	p.timer = time.AfterFunc(time.Duration(left)*time.Millisecond, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.now.Load() == next {
			p.stop()
		}
	})
}

// end ends the pause, if there is one.
func (p *pauses) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now.Load() != nil {
		p.stop()
	}
}

// stop is end for who holds mu.
func (p *pauses) stop() {
	p.timer.Stop()
	p.keep(false)
	close(p.now.Load().over)
	p.now.Store(nil)
}

// holds reports whether a pause holds back a call that fits its row.
func (e *Engine) holds(p *pause, row *Command, call engine.Call) bool {
	return p.all || e.mayWrite(row, call)
}

// mayWrite reports whether a call that fits its row may write. Scripts may, unless they say that they don't.
func (e *Engine) mayWrite(row *Command, call engine.Call) bool {
	if row.Flags&(Write|MayReplicate) == 0 {
		return false
	}
	switch row.Name {
	case "eval", "redbud.eval":
		k, err := e.scripts.add(call[1], false)
		return err != nil || k.flags()&lua.NoWrites == 0
	case "evalsha", "redbud.evalsha":
		k := e.scripts.find(call[1])
		return k == nil || k.flags()&lua.NoWrites == 0
	case "fcall":
		f := e.scripts.libraries.function(call[1])
		return f == nil || f.Flags&lua.NoWrites == 0
	}
	return true
}

// holdsBack is holds for any call; what cannot run is not held back.
func (e *Engine) holdsBack(p *pause, row *Command, call engine.Call) bool {
	return row != nil && row.Fits(len(call)) && e.holds(p, row, call)
}

// holdsAny reports whether one of the calls is held back.
func (e *Engine) holdsAny(p *pause, rows []*Command, calls []engine.Call) bool {
	for i, row := range rows {
		if e.holdsBack(p, row, calls[i]) {
			return true
		}
	}
	return false
}

// Holds tells whether a pause holds back a call that fits its row: over is closed at the end of it. nil: none does.
func (e *Engine) Holds(row *Command, call engine.Call) (over <-chan struct{}) {
	if p := e.pauses.now.Load(); p != nil && e.holds(p, row, call) {
		return p.over
	}
	return nil
}

// Outlast waits for the end of a pause, as one of those that it holds back.
func (e *Engine) Outlast(ctx context.Context, over <-chan struct{}) error {
	e.pauses.held.Add(1)
	defer e.pauses.held.Add(-1)
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// outlast waits until the next call of a batch is no longer held back.
func (e *Engine) outlast(ctx context.Context, c *Ctx, b *engine.Batch) error {
	p := e.pauses.now.Load()
	if p == nil {
		return nil
	}
	err := e.Outlast(ctx, p.over)
	if errors.Is(err, engine.ErrTimeout) || errors.Is(err, engine.ErrUnblocked) {
		return e.refuse(c, c.rows[b.Done], c.W.Len(), errUnblocked, true)
	}
	return err
}

// keeper returns what lets a store leave things as they are.
func keeper(store keyspace.Store) func(on bool) {
	if s, ok := store.(keyspace.Keeper); ok {
		return s.Keep
	}
	return func(bool) {}
}

func clientPause(c *Ctx) error {
	all := len(c.Args) == 3 || len(c.Args) == 4 && c.is(3, "all")
	switch {
	case len(c.Args) > 4:
		return c.wrongWords()
	case !all && !c.is(3, "write"):
		return Refusal("ERR CLIENT PAUSE mode must be WRITE or ALL")
	}
	timeout, err := c.milliseconds(2)
	if err != nil {
		return err
	}
	c.Engine.pauses.begin(c.Now, c.Now+timeout.Milliseconds(), all)
	c.pausing()
	c.W.OK()
	return nil
}

func clientUnpause(c *Ctx) error {
	c.Engine.pauses.end()
	c.pausing()
	c.W.OK()
	return nil
}

// pausing notes whether there is a pause, for the calls of this transaction that follow. All calls of an atomic batch run, as
// they would have before.
func (c *Ctx) pausing() {
	if c.blockable {
		c.pause = c.Engine.pauses.now.Load()
		c.looks.Kept = c.pause != nil
	}
}
