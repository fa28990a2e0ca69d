package command

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// rowStats are what is counted of the calls of a row.
type rowStats struct {
	calls    atomic.Int64 // that ran
	failed   atomic.Int64 // of them, with an error for a reply
	rejected atomic.Int64 // refused before they ran

	timed atomic.Int64 // calls whose time is known, or taken for that of another
	nanos atomic.Int64 // that they took
	times atomic.Pointer[durations]
}

// took notes that each of n calls of a row took so long.
func (i *Info) took(row *Command, took time.Duration, n int64) {
	s := &i.rows[row.index]
	s.timed.Add(n)
	s.nanos.Add(int64(took) * n)
	if !i.tracking.Load() {
		return
	}
	h := s.times.Load()
	if h == nil {
		s.times.CompareAndSwap(nil, new(durations))
		if h = s.times.Load(); h == nil { // CONFIG RESETSTAT just now
			return
		}
	}
	h[bucketOf(int64(took))].Add(n)
}

// nanoseconds is what all calls took, those whose time is not known for as long as the others.
func (s *rowStats) nanoseconds() float64 {
	if timed := s.timed.Load(); timed > 0 {
		return float64(s.nanos.Load()) / float64(timed) * float64(s.calls.Load())
	}
	return 0
}

func (s *rowStats) reset() {
	for _, n := range []*atomic.Int64{&s.calls, &s.failed, &s.rejected, &s.timed, &s.nanos} {
		n.Store(0)
	}
	s.times.Store(nil)
}

// called counts calls that were answered, by their rows. A row of its own each would cost a pipeline of equal calls an atomic
// addition a call.
func (i *Info) called(rows []*Command, watch *stopwatch) {
	share, known := watch.share(i.engine)
	weight := int64(max(sampleEvery/max(len(rows), 1), 1))
	for len(rows) > 0 {
		row, n := rows[0], 1
		for n < len(rows) && rows[n] == row {
			n++
		}
		if row != nil {
			i.rows[row.index].calls.Add(int64(n))
			if known && row.brief && !watch.each {
				i.took(row, share, weight*int64(n))
			}
		}
		rows = rows[n:]
	}
}

// Answered counts a call that a connection answered without the engine, or rejected: then it did not run. row is nil for a call
// that is in no table.
func (i *Info) Answered(row *Command, reply []byte, rejected bool) {
	if row != nil && !rejected {
		i.rows[row.index].calls.Add(1)
	}
	if text, ok := errorReply(reply); ok {
		i.refused(row, text, rejected)
	}
}

// errorReply is the text of a reply that is an error.
func errorReply(reply []byte) (text string, ok bool) {
	if len(reply) == 0 || reply[0] != '-' {
		return "", false
	}
	line, _, _ := bytes.Cut(reply[1:], []byte("\r\n"))
	return string(line), true
}

// refused counts an error reply to a call, also by the code that its text starts with.
func (i *Info) refused(row *Command, text string, rejected bool) {
	i.refusals.Add(1)
	switch {
	case row == nil:
	case rejected:
		i.rows[row.index].rejected.Add(1)
	default:
		i.rows[row.index].failed.Add(1)
	}
	code, _, _ := strings.Cut(text, " ")
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, known := i.codes[code]; known || len(i.codes) < maxErrorCodes {
		i.codes[code]++
	}
}

// processed is how many calls ran.
func (i *Info) processed() (n int64) {
	for k := range i.rows {
		n += i.rows[k].calls.Load()
	}
	return n
}

// commandStats tells of the rows that were called.
func (i *Info) commandStats(f *Fields) error {
	f.Ctx.Engine.table.Each(func(row *Command) {
		s := &i.rows[row.index]
		calls, failed, rejected := s.calls.Load(), s.failed.Load(), s.rejected.Load()
		if calls+failed+rejected > 0 {
			micros := s.nanoseconds() / 1000
			f.Text("cmdstat_"+row.FullName(), fmt.Sprintf("calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d",
				calls, int64(micros), ratio(int64(micros), calls), rejected, failed))
		}
	})
	return nil
}
