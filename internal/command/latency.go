package command

import (
	"sync"
	"time"
)

// latencySamples is how many samples are kept of an event.
const latencySamples = 160

// latencySample is the longest that an event took within a second.
type latencySample struct {
	at int64 // seconds since 1970
	ms int64
}

// latencyEvent is what is known of one kind of event.
type latencyEvent struct {
	samples []latencySample // the oldest first
	longest int64           // ever, in milliseconds
}

// latencies are the events that took latency-monitor-threshold or longer. It is safe for concurrent use.
type latencies struct {
	mu     sync.Mutex // guards what follows
	events map[string]*latencyEvent
}

// late notes an event, if it took long enough.
func (e *Engine) late(event string, now int64, took time.Duration) {
	ms := took.Milliseconds()
	if least := e.Settings.Int("latency-monitor-threshold"); least == 0 || ms < least {
		return
	}
	l := &e.latencies
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.events == nil {
		l.events = map[string]*latencyEvent{}
	}
	of := l.events[event]
	if of == nil {
		of = &latencyEvent{}
		l.events[event] = of
	}
	of.longest = max(of.longest, ms)
	if n := len(of.samples); n > 0 && of.samples[n-1].at == now {
		of.samples[n-1].ms = max(of.samples[n-1].ms, ms)
		return
	}
	if len(of.samples) == latencySamples {
		of.samples = append(of.samples[:0:0], of.samples[1:]...)
	}
	of.samples = append(of.samples, latencySample{now, ms})
}
