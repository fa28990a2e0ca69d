package server

import (
	"strconv"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// MONITOR: a connection that is shown what all others call.

func monitor(s *session, _ engine.Call, w *resp.Writer) {
	if s.multi {
		w.Error("ERR MONITOR isn't allowed for DENY BLOCKING client")
		return
	}
	if !s.monitors {
		s.monitors = true
		s.hub.monitor(&s.client, true)
	}
	w.OK()
}

// monitor lets a client see all calls, or no more.
func (h *Hub) monitor(c *client, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if on {
		h.monitors[c] = struct{}{}
	} else {
		delete(h.monitors, c)
	}
	h.monitored.Store(len(h.monitors) > 0)
}

// Monitored reports whether a client wants to see all calls.
func (h *Hub) Monitored() bool { return h.monitored.Load() }

// hidden are the traits of calls that are not shown.
const hidden = command.SkipMonitor | command.Admin

// exposeDone shows the calls of the batch that runs, as far as they are answered and not shown yet.
func (s *session) exposeDone() {
	if s.runs.Done <= s.exposed { // a call that had to wait was shown before it was answered
		return
	}
	calls := s.runs.Calls[s.exposed:s.runs.Done]
	s.exposed = s.runs.Done
	s.expose(calls...)
}

// expose shows calls of the session to those who monitor. Scripts show themselves, and what they call.
func (s *session) expose(calls ...engine.Call) {
	if !s.hub.Monitored() {
		return
	}
	for _, call := range calls {
		if row, err := command.Commands.Find(call); err == nil && row.Flags&hidden == 0 {
			s.tellMonitors(s.origin(), call)
		}
	}
}

// origin is where MONITOR says that the session's calls come from.
func (s *session) origin() string {
	if s.unix {
		return "unix:" + s.laddr[:max(len(s.laddr)-2, 0)] // without its port
	}
	return s.addr
}

// tellMonitors shows a call to those who monitor.
func (s *session) tellMonitors(from string, call engine.Call) {
	line := s.describeCall(from, call)
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	for c := range s.hub.monitors {
		if w := c.box.open(); w != nil {
			w.Status(line)
		}
		c.box.shut()
	}
}

// describeCall is the line that MONITOR shows: when, in which database, from where, and the words.
func (s *session) describeCall(from string, call engine.Call) string {
	row := command.Commands.Lookup(call[0])
	now := time.Now()
	line := strconv.AppendInt(nil, now.Unix(), 10)
	line = append(line, '.')
	micro := strconv.Itoa(1_000_000 + now.Nanosecond()/1000)
	line = append(line, micro[1:]...)
	line = append(line, " ["...)
	line = strconv.AppendInt(line, int64(s.db), 10)
	line = append(line, ' ')
	line = append(line, from...)
	line = append(line, ']')
	for i, word := range call {
		line = append(line, ' ')
		if command.Secret(row, call, i) {
			word = []byte(command.Redacted)
		}
		line = resp.AppendQuoted(line, word)
	}
	return string(line)
}
