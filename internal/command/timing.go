package command

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
)

// Timing: how long calls take. Reading the clock takes a third as long as a short call, so it is not read around each. A row
// that is brief cannot be slow: of such calls about one in sampleEvery, or the batch that it is in, is timed for all, and those
// of a batch share what the others have left of its time. Any other call is timed on its own, and all are while what counts as
// slow is less than briefTime.

const (
	briefTime   = time.Millisecond
	sampleEvery = 64 // a power of two
)

// alsoBrief are the rows without the flag Fast that take about the same time for all keys.
var alsoBrief = map[string]bool{
	"set": true, "setex": true, "psetex": true, "setrange": true, "getrange": true, "substr": true, "mset": true, "msetnx": true,
	"ping": true, "multi": true, "exec": true, "time": true, "publish": true, "geoadd": true,
}

// stopwatch times the calls of a batch.
type stopwatch struct {
	at     time.Time     // when it was looked at last
	fresh  bool          // nothing has run since
	each   bool          // every call is timed on its own
	sample bool          // the brief calls of the batch are timed
	one    bool          // the batch has one call
	rest   time.Duration // what the calls took together that are not timed on their own
	shared int           // and how many they are
}

// watching says what the times of calls are compared with.
type watching struct {
	each  atomic.Bool  // every call is timed on its own
	least atomic.Int64 // nanoseconds: a call that takes less is of no interest
}

// start starts the watch for a batch.
func (s *stopwatch) start(e *Engine, at time.Time, rows []*Command) {
	s.at, s.fresh, s.each, s.sample, s.one, s.rest, s.shared = at, true, e.watching.each.Load(), false, len(rows) == 1, 0, 0
	if row := rows[0]; row != nil {
		s.sample = e.Info.rows[row.index].calls.Load()&(sampleEvery-1) < int64(len(rows))
	}
}

// alone reports whether a call is timed on its own.
func (s *stopwatch) alone(row *Command) bool {
	return s.each || s.one && s.sample || row != nil && !row.brief
}

// begin is called before a call that is timed on its own.
func (s *stopwatch) begin(e *Engine) {
	if !s.fresh {
		now := e.now()
		s.rest += now.Sub(s.at)
		s.at = now
	}
}

// end is called after it.
func (s *stopwatch) end(e *Engine) (took time.Duration) {
	now := e.now()
	took = now.Sub(s.at)
	s.at, s.fresh = now, true
	return took
}

// share is what each call took of those that were not timed on their own; ok is false if nobody knows.
func (s *stopwatch) share(e *Engine) (each time.Duration, ok bool) {
	if s.shared == 0 || !s.sample {
		return 0, false
	}
	if !s.fresh {
		s.rest += e.now().Sub(s.at)
	}
	return s.rest / time.Duration(s.shared), true
}

// waited forgets the time up to now: it was others' turn.
func (s *stopwatch) waited(e *Engine) { s.at, s.fresh = e.now(), true }

// took notes how long a call took, and when it ended.
func (e *Engine) took(session engine.Session, row *Command, call engine.Call, took time.Duration, end time.Time) {
	weight := int64(1)
	if row.brief && !e.watching.each.Load() {
		weight = sampleEvery
	}
	e.Info.took(row, took, weight)
	if int64(took) >= e.watching.least.Load() {
		e.slow(session, row, call, took, end.Unix())
	}
}

// watch makes the settings of slowness work.
func (e *Engine) watch() {
	slower, late := e.Settings.Int("slowlog-log-slower-than"), e.Settings.Int("latency-monitor-threshold")
	least := int64(math.MaxInt64)
	if slower >= 0 {
		least = min(slower, math.MaxInt64/int64(time.Microsecond)) * int64(time.Microsecond)
	}
	if late > 0 {
		least = min(least, min(late, math.MaxInt64/int64(time.Millisecond))*int64(time.Millisecond))
	}
	e.watching.least.Store(least)
	e.watching.each.Store(least < int64(briefTime))
	e.Info.tracking.Store(e.Settings.Bool("latency-tracking"))
}

// Begin is called before a connection answers a call without the engine, which End is called after. It is the zero time if the
// call is not timed. i may be nil.
func (i *Info) Begin(row *Command) time.Time {
	if i == nil || row.brief && !i.engine.watching.each.Load() && i.rows[row.index].calls.Load()&(sampleEvery-1) != 0 {
		return time.Time{}
	}
	return i.engine.now()
}

// End notes how long the call took.
func (i *Info) End(session engine.Session, row *Command, call engine.Call, began time.Time) {
	if !began.IsZero() {
		end := i.engine.now()
		i.engine.took(session, row, call, end.Sub(began), end)
	}
}
