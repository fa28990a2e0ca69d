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

// expose shows calls of the session to those who monitor.
func (s *session) expose(calls ...engine.Call) {
	if !s.hub.Monitored() {
		return
	}
	for _, call := range calls {
		row, err := command.Commands.Find(call)
		if err != nil || row.Flags&hidden != 0 {
			continue
		}
		line := s.describeCall(row, call)
		s.hub.mu.Lock()
		for c := range s.hub.monitors {
			if w := c.box.open(); w != nil {
				w.Status(line)
			}
			c.box.shut()
		}
		s.hub.mu.Unlock()
	}
}

// describeCall is the line that MONITOR shows: when, in which database, from where, and the words.
func (s *session) describeCall(row *command.Command, call engine.Call) string {
	now := time.Now()
	line := strconv.AppendInt(nil, now.Unix(), 10)
	line = append(line, '.')
	micro := strconv.Itoa(1_000_000 + now.Nanosecond()/1000)
	line = append(line, micro[1:]...)
	line = append(line, " ["...)
	line = strconv.AppendInt(line, int64(s.db), 10)
	line = append(line, ' ')
	if s.unix {
		line = append(line, "unix:"...)
		line = append(line, s.laddr[:max(len(s.laddr)-2, 0)]...) // without its port
	} else {
		line = append(line, s.addr...)
	}
	line = append(line, ']')
	for i, word := range call {
		line = append(line, ' ')
		if secretAt(row, call, i) {
			line = append(line, `"(redacted)"`...)
			continue
		}
		line = resp.AppendQuoted(line, word)
	}
	return string(line)
}

// secretAt reports whether a word of a call is a user's name or password.
func secretAt(row *command.Command, call engine.Call, i int) bool {
	switch row.Name {
	case "auth":
		return i > 0
	case "hello":
		return i > 3 && is(call[i-1], "auth") || i > 4 && is(call[i-2], "auth")
	}
	return false
}
