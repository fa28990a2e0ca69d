package command

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
)

// rowStats are what is counted of the calls of a row.
type rowStats struct {
	calls    atomic.Int64 // that ran
	failed   atomic.Int64 // of them, with an error for a reply
	rejected atomic.Int64 // refused before they ran
}

// called counts calls that were answered, by their rows. A row of its own each would cost a pipeline of equal calls an atomic
// addition a call.
func (i *Info) called(rows []*Command) {
	for len(rows) > 0 {
		row, n := rows[0], 1
		for n < len(rows) && rows[n] == row {
			n++
		}
		if row != nil {
			i.rows[row.index].calls.Add(int64(n))
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

// commandStats tells of the rows that were called. Nobody measures how long a call takes: that costs more than a call.
func (i *Info) commandStats(f *Fields) error {
	f.Ctx.Engine.table.Each(func(row *Command) {
		s := &i.rows[row.index]
		calls, failed, rejected := s.calls.Load(), s.failed.Load(), s.rejected.Load()
		if calls+failed+rejected > 0 {
			f.Text("cmdstat_"+row.FullName(),
				fmt.Sprintf("calls=%d,usec=0,usec_per_call=0.00,rejected_calls=%d,failed_calls=%d", calls, rejected, failed))
		}
	})
	return nil
}
