// Busy: what others are told while a script takes too long, and how it is killed. A script has the keyspace to itself, so who
// comes meanwhile waits; once it is overdue they are refused, but for the few calls that can end it.
package command

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
)

const (
	errBusyScript   = Refusal("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
	errBusyFunction = Refusal("BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.")
	errNotBusy      = Refusal("NOTBUSY No scripts in execution right now.")
	errUnkillable   = Refusal("UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait " +
		"the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.")
)

// running is a script that runs.
type running struct {
	function string // its name; "": a script of EVAL
	call     engine.Call
	since    time.Time
	killed   atomic.Bool
	wrote    atomic.Bool // it has called a command that writes: killing it would leave half of what it does

	late  func()
	alarm *time.Timer // calls late

	overdue bool // guarded by busy.mu
}

// refusal is what others are told while the script is overdue.
func (r *running) refusal() Refusal {
	if r.function == "" {
		return errBusyScript
	}
	return errBusyFunction
}

// busy knows the scripts that run on an engine.
type busy struct {
	overdue atomic.Pointer[running] // one that is; nil: none

	mu      sync.Mutex // guards what follows
	running []*running
	cut     chan struct{} // closed while a script is overdue
	closed  bool          // scripts end at once
}

// begin notes that a script runs, which is overdue when it still does after a while; 0: never.
func (b *busy) begin(r *running, after time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.killed.Store(b.closed)
	b.running = append(b.running, r)
	switch {
	case after <= 0:
	case r.alarm == nil:
		r.late = func() { b.late(r) }
		r.alarm = time.AfterFunc(after, r.late)
	default:
		r.alarm.Reset(after)
	}
}

// end notes that a script is over. It reports whether r can be used for the next one.
func (b *busy) end(r *running) (again bool) {
	again = r.alarm == nil || r.alarm.Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running = slices.DeleteFunc(b.running, func(other *running) bool { return other == r })
	if !r.overdue {
		return again
	}
	r.overdue = false
	b.overdue.Store(nil)
	for _, other := range b.running {
		if other.overdue {
			b.overdue.Store(other)
			return false
		}
	}
	b.cut = nil
	return false
}

// late notes that a script is overdue: who waits for its end is told now.
func (b *busy) late(r *running) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.running, r) {
		return
	}
	r.overdue = true
	if b.overdue.Swap(r) == nil {
		close(b.wake())
	}
}

// wake returns the channel whose closing tells that a script is overdue. mu is held.
func (b *busy) wake() chan struct{} {
	if b.cut == nil {
		b.cut = make(chan struct{})
	}
	return b.cut
}

// Cut is what keyspace.Cuttable wants.
func (b *busy) Cut() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wake()
}

// first returns the script that has run for longest; nil: none runs. It is told to f, while it cannot end.
func (b *busy) first(f func(*running) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.running) == 0 {
		return f(nil)
	}
	return f(b.running[0])
}

// kill ends the script that runs: SCRIPT KILL one of EVAL, FUNCTION KILL a function.
func (b *busy) kill(function bool) error {
	return b.first(func(r *running) error {
		switch {
		case r == nil:
			return errNotBusy
		case r.wrote.Load():
			return errUnkillable
		case function != (r.function != ""):
			return r.refusal()
		}
		r.killed.Store(true)
		return nil
	})
}

// close ends all scripts, now and later, whatever they have written.
func (b *busy) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, r := range b.running {
		r.killed.Store(true)
	}
}

// Denies is the refusal of a call that cannot run now, "" if it can: a script is overdue, or replicas are missing. row is nil for a call
// that is in no table.
func (e *Engine) Denies(row *Command) string {
	if r := e.busy.overdue.Load(); r != nil && (row == nil || row.Flags&AllowBusy == 0) {
		return string(r.refusal())
	}
	if row != nil && row.Flags&Write != 0 && e.lonely() {
		return string(errNoReplicas)
	}
	return ""
}

// busyRefusal is what those are told who have waited for a script in vain, which may be over by now.
func (e *Engine) busyRefusal() Refusal {
	if r := e.busy.overdue.Load(); r != nil {
		return r.refusal()
	}
	return errBusyScript
}

// doBusy answers what is left of a batch while a script is overdue.
func (e *Engine) doBusy(c *Ctx, b *engine.Batch) error {
	refusal := e.busyRefusal()
	if b.Atomic && b.Session != nil {
		return engine.Discarded(refusal)
	}
	for ; b.Done < len(b.Calls); b.Done++ {
		row, call, mark := c.rows[b.Done], b.Calls[b.Done], c.W.Len()
		var err error = refusal
		if row != nil && row.Flags&AllowBusy != 0 && row.Run != nil && row.Fits(len(call)) {
			c.Args, c.Row = call, row
			err = row.Run(c)
		}
		if err = e.refuse(c, row, mark, err, errors.Is(err, refusal)); err != nil {
			return err
		}
	}
	return nil
}
