// Waiting: what BLPOP and its like have in common. Such a command runs as any other. When there is nothing for it, it
// says by c.wait what it waits for; the engine then runs it again whenever one of those keys was written.
package command

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
)

// errBlocked is what Run returns for a call that is to wait. It has written nothing, neither keys nor reply.
var errBlocked = fmt.Errorf("nothing there yet: %w", engine.ErrWouldWait)

// awaited is what a call waits for.
type awaited struct {
	keys    [][]byte      // any of which may bring it
	timeout time.Duration // 0: for ever
	nothing func(*writer) // the reply when the time is over; nil: a null array
	denied  func(*writer) // the reply where calls must not wait; nil: the same
	gone    bool          // it wants to run also when a key was removed
	again   bool          // this is not the first run
	state   any           // what the first run found out, for the others

	// early, unless it is nil, begins when the wait does. done ends the wait as if its time were over.
	early func(done func()) (stop func())
}

const (
	errTimeout         = Refusal("ERR timeout is not a float or out of range")
	errTimeoutNegative = Refusal("ERR timeout is negative")
	errTimeoutRange    = Refusal("ERR timeout is out of range")
	errTimeoutInteger  = Refusal("ERR timeout is not an integer or out of range")
	errUnblocked       = Refusal("UNBLOCKED client unblocked via CLIENT UNBLOCK")
)

// seconds reads argument i as a timeout in seconds, with a fraction; 0 is for ever.
func (c *Ctx) seconds(i int) (time.Duration, error) {
	f, ok := parseFloat(c.Args[i])
	if !ok {
		return 0, errTimeout
	}
	ms := math.Ceil(f * 1000)
	if ms > math.MaxInt64 || ms < math.MinInt64 {
		return 0, errTimeoutRange
	}
	return c.waitFor(ms)
}

// milliseconds reads argument i as a timeout in whole milliseconds; 0 is for ever.
func (c *Ctx) milliseconds(i int) (time.Duration, error) {
	n, ok := parseInt(c.Args[i])
	if !ok {
		return 0, errTimeoutInteger
	}
	return c.waitFor(float64(n))
}

func (c *Ctx) waitFor(ms float64) (time.Duration, error) {
	switch {
	case ms < 0:
		return 0, errTimeoutNegative
	case ms > float64(math.MaxInt64-c.Now):
		return 0, errTimeoutRange
	}
	// A Duration ends after 292 years, which is as good as any later time.
	return time.Duration(min(ms, math.MaxInt64/float64(time.Millisecond))) * time.Millisecond, nil
}

// wait ends a Run that found nothing: the call runs again when one of the keys was written, until its time is over. In a
// transaction, which must not wait, it gets its reply at once.
func (c *Ctx) wait(a awaited) error {
	if a.nothing == nil {
		a.nothing = (*writer).NullArray
	}
	if a.denied == nil {
		a.denied = a.nothing
	}
	if !c.blockable {
		a.denied(c.W)
		return nil
	}
	c.awaits = a
	return errBlocked
}

// firstOf returns the index of the first key that there is, or -1. A key of another type is refused, unless the call has
// waited: then it is not concerned with what else a key became meanwhile.
func (c *Ctx) firstOf(keys [][]byte, typ keyspace.Type) (int, error) {
	var err error
	if c.entries, err = c.Tx.Entries(keys, c.entries[:0]); err != nil {
		return -1, err
	}
	for i, e := range c.entries {
		switch {
		case e.Type == typ:
			return i, nil
		case e.Type != keyspace.None && !c.awaits.again:
			return -1, ErrWrongType
		}
	}
	return -1, nil
}

// wait lets the next call of a batch wait until it is answered.
func (e *Engine) wait(ctx context.Context, c *Ctx, b *engine.Batch, a keyspace.Access) error {
	row, call, mark := c.rows[b.Done], b.Calls[b.Done], c.W.Len()
	again := c.awaits
	if again.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, again.timeout, engine.ErrTimeout)
		defer cancel()
	}
	if again.early != nil {
		inner, done := context.WithCancelCause(ctx)
		ctx = inner
		stop := again.early(func() { done(engine.ErrTimeout) })
		defer done(nil)
		defer stop()
	}
	c.tells = true
	defer func() { c.tells = false }()
	waits := false
	defer func() {
		if waits {
			e.blocked.Add(-1)
		}
	}()
	a.DB, a.Now, a.Write, a.Keys, a.Gone = c.DB, e.now().UnixMilli(), true, again.keys, again.gone
	err := e.store.Wait(ctx, a, func(tx keyspace.Tx) (bool, error) {
		c.watch.waited(e)
		if !waits && e.Holds(row, call) != nil { // since it was decided that it waits
			return false, errHeld
		}
		c.W.Truncate(mark) // what it answered before may have come to nothing
		c.Tx, c.Now, c.Args, c.Row = tx, c.watch.at.UnixMilli(), call, row
		c.awaits = awaited{again: true, state: again.state}
		host := c.host(tx)
		err := c.runFor(host)
		if errors.Is(err, errBlocked) {
			if !waits { // counted inside the transaction: who sees it and then writes is seen
				waits = true
				e.blocked.Add(1)
			}
			return false, nil
		}
		if err = e.refuse(c, row, mark, err, false); err == nil {
			took := c.watch.end(e)
			e.took(c.Session, row, call, took, c.watch.at)
			c.handOver(tx)
		}
		return err == nil, err
	})
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	c.awaits = awaited{}
	switch {
	case errors.Is(err, engine.ErrTimeout):
		again.nothing(c.W)
	case errors.Is(err, engine.ErrUnblocked):
		e.Info.refused(row, string(errUnblocked), false)
		c.W.Error(string(errUnblocked))
	case err != nil:
		return err
	}
	b.Done++
	c.watch.waited(e)
	if err != nil {
		e.took(c.Session, row, call, 0, c.watch.at) // it has waited, and nothing else
	}
	return nil
}
