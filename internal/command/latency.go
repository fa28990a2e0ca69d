// LATENCY: what took longer than latency-monitor-threshold, by kinds of events, and how long the calls of each command take.
package command

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

var latencyCommands = []*Command{
	{Name: "latency", Arity: -2, Group: "server", Since: "2.8.13", Doc: "A container for latency diagnostics commands.",
		Subs: []*Command{
			{Name: "doctor", Arity: 2, Flags: Admin | NoScript | Loading | Stale, Since: "2.8.13",
				Doc: "Says what was slow and what may be done about it.", Run: latencyDoctor},
			{Name: "graph", Arity: 3, Flags: Admin | NoScript | Loading | Stale, Since: "2.8.13",
				Usage: "event", Doc: "Draws how long an event took.", Run: latencyGraph},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "2.8.13",
				Doc: "Explains the subcommands.", Run: latencyHelp},
			{Name: "histogram", Arity: -2, Flags: Admin | NoScript | Loading | Stale, Since: "7.0.0",
				Usage: "[command [command ...]]", Doc: "Tells how long the calls of commands take.", Run: latencyHistogram},
			{Name: "history", Arity: 3, Flags: Admin | NoScript | Loading | Stale, Since: "2.8.13",
				Usage: "event", Doc: "Tells when an event took long.", Run: latencyHistory},
			{Name: "latest", Arity: 2, Flags: Admin | NoScript | Loading | Stale, Since: "2.8.13",
				Doc: "Tells when each event last took long.", Run: latencyLatest},
			{Name: "reset", Arity: -2, Flags: Admin | NoScript | Loading | Stale, Since: "2.8.13",
				Usage: "[event [event ...]]", Doc: "Forgets what is known of events.", Run: latencyReset},
		}},
}

// latencySamples is how many samples are kept of an event.
const latencySamples = 160

// latencySample is the longest that an event took within a second.
type latencySample struct {
	at int64 // seconds since 1970
	ms int64
}

// latencyEvent is what is known of one kind of event.
type latencyEvent struct {
	name    string
	samples []latencySample // the oldest first
	longest int64           // ever, in milliseconds
}

// latencies are the events that took latency-monitor-threshold or longer. It is safe for concurrent use.
type latencies struct {
	mu     sync.Mutex      // guards what follows
	events []*latencyEvent // by name
}

// find returns the place of an event. mu is held.
func (l *latencies) find(name string) (at int, ok bool) {
	return slices.BinarySearchFunc(l.events, name, func(e *latencyEvent, name string) int { return strings.Compare(e.name, name) })
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
	at, ok := l.find(event)
	if !ok {
		l.events = slices.Insert(l.events, at, &latencyEvent{name: event})
	}
	l.events[at].add(latencySample{now, ms})
}

// add keeps a sample, one for each second.
func (e *latencyEvent) add(s latencySample) {
	e.longest = max(e.longest, s.ms)
	if n := len(e.samples); n > 0 && e.samples[n-1].at == s.at {
		e.samples[n-1].ms = max(e.samples[n-1].ms, s.ms)
		return
	}
	if len(e.samples) == latencySamples {
		e.samples = append(e.samples[:0:0], e.samples[1:]...)
	}
	e.samples = append(e.samples, s)
}

// all returns copies of what is known.
func (l *latencies) all() []latencyEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]latencyEvent, len(l.events))
	for i, e := range l.events {
		list[i] = *e
		list[i].samples = slices.Clone(e.samples)
	}
	return list
}

// of returns what is known of an event; nothing for one that there is not.
func (l *latencies) of(name string) latencyEvent {
	for _, e := range l.all() {
		if e.name == name {
			return e
		}
	}
	return latencyEvent{}
}

func latencyLatest(c *Ctx) error {
	events := c.Engine.latencies.all()
	c.W.Array(len(events))
	for _, e := range events {
		last := e.samples[len(e.samples)-1]
		c.W.Array(4)
		c.W.BulkString(e.name)
		c.W.Int(last.at)
		c.W.Int(last.ms)
		c.W.Int(e.longest)
	}
	return nil
}

func latencyHistory(c *Ctx) error {
	e := c.Engine.latencies.of(string(c.Args[2]))
	c.W.Array(len(e.samples))
	for _, s := range e.samples {
		c.W.Array(2)
		c.W.Int(s.at)
		c.W.Int(s.ms)
	}
	return nil
}

func latencyReset(c *Ctx) error {
	l := &c.Engine.latencies
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.events)
	if len(c.Args) == 2 {
		l.events = nil
	}
	for _, name := range c.Args[2:] {
		if at, ok := l.find(string(name)); ok {
			l.events = slices.Delete(l.events, at, at+1)
		}
	}
	c.W.Int(int64(before - len(l.events)))
	return nil
}

// The size of a graph.
const (
	graphWidth = 80
	graphRows  = 4
)

func latencyGraph(c *Ctx) error {
	e := c.Engine.latencies.of(string(c.Args[2]))
	if len(e.samples) == 0 {
		return Refusal("ERR No samples available for event '" + string(c.Args[2]) + "'")
	}
	c.W.Verbatim("txt", e.graph(c.Now/1000))
	return nil
}

// graph draws the newest samples as columns, each above how long ago it was.
func (e *latencyEvent) graph(now int64) string {
	samples := e.samples[max(len(e.samples)-graphWidth, 0):]
	low, high := samples[0].ms, samples[0].ms
	var ages []string
	deepest := 0
	for _, s := range samples {
		low, high = min(low, s.ms), max(high, s.ms)
		ages = append(ages, age(now-s.at))
		deepest = max(deepest, len(ages[len(ages)-1]))
	}
	out := fmt.Appendf(nil, "%s - high %d ms, low %d ms (all time high %d ms)\n%s\n", e.name, high, low, e.longest, strings.Repeat("-", graphWidth))
	const heights = "_o#" // of a column within a row
	for row := graphRows - 1; row >= 0; row-- {
		for _, s := range samples {
			height := len(heights) - 1 // of all, where all are equal
			if high > low {
				height = int((s.ms - low) * int64(graphRows*len(heights)-1) / (high - low))
			}
			switch in := height - row*len(heights); {
			case in < 0:
				out = append(out, ' ')
			case in >= len(heights):
				out = append(out, '|')
			default:
				out = append(out, heights[in])
			}
		}
		out = append(out, '\n')
	}
	out = append(out, '\n')
	for i := range deepest {
		for _, a := range ages {
			if i < len(a) {
				out = append(out, a[i])
			} else {
				out = append(out, ' ')
			}
		}
		out = append(out, '\n')
	}
	return string(out)
}

// age is a time in seconds, in the largest unit that it fills.
func age(seconds int64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm", seconds/60)
	case seconds < 86400:
		return fmt.Sprintf("%dh", seconds/3600)
	}
	return fmt.Sprintf("%dd", seconds/86400)
}

// advice is what may be done about an event.
var advice = map[string]string{
	"command":        "SLOWLOG GET tells which calls these were. All wait for the one that runs: fetch large collections by parts, with HSCAN, SSCAN, ZSCAN or ranges.",
	"fast-command":   "Such calls never take long by themselves: something else had the processor, most often other programs or the collection of garbage. GOMEMLIMIT and GOGC control the latter.",
	"expire-cycle":   "Many keys expired at about the same time. Spread when they do.",
	"eviction-cycle": "Keys had to give way, as maxmemory is reached. Allow more memory, or write less at a time.",
}

func latencyDoctor(c *Ctx) error {
	events := c.Engine.latencies.all()
	var report string
	switch {
	case len(events) > 0:
		report = latencyReport(events)
	case c.Engine.Settings.Int("latency-monitor-threshold") == 0:
		report = "Nobody watches for what takes long. CONFIG SET latency-monitor-threshold <milliseconds> says what is long.\n"
	default:
		report = "Nothing took long since the last LATENCY RESET.\n"
	}
	c.W.Verbatim("txt", report)
	return nil
}

func latencyReport(events []latencyEvent) string {
	var out strings.Builder
	for _, e := range events {
		sum := int64(0)
		for _, s := range e.samples {
			sum += s.ms
		}
		mean := sum / int64(len(e.samples))
		off := int64(0)
		for _, s := range e.samples {
			off += max(s.ms-mean, mean-s.ms)
		}
		span := e.samples[len(e.samples)-1].at - e.samples[0].at
		fmt.Fprintf(&out, "- %s: %d times within %d seconds, %d ms on average (mean deviation %d ms), %d ms at the worst.\n", e.name, len(e.samples),
			span, mean, off/int64(len(e.samples)), e.longest)
		if text := advice[e.name]; text != "" {
			fmt.Fprintf(&out, "  %s\n", text)
		}
	}
	return out.String()
}

// distribution is how long the calls of a row took; ok is false if nobody knows.
func (i *Info) distribution(row *Command) (d distribution, ok bool) {
	s := &i.rows[row.index]
	h, calls := s.times.Load(), s.calls.Load()
	if h == nil || calls == 0 {
		return d, false
	}
	d = h.distribution(calls)
	return d, d.total > 0
}

func latencyHistogram(c *Ctx) error {
	mark, n := c.W.Len(), 0
	tell := func(row *Command) {
		d, ok := c.Engine.Info.distribution(row)
		if !ok {
			return
		}
		c.W.BulkString(row.FullName())
		c.W.Map(2)
		c.W.BulkString("calls")
		c.W.Int(d.calls)
		c.W.BulkString("histogram_usec")
		levels, mark := 0, c.W.Len()
		d.levels(func(ns, calls int64) {
			c.W.Int(ns / 1000)
			c.W.Int(calls)
			levels++
		})
		c.W.Insert(mark, levels, (*writer).Map)
		n++
	}
	if len(c.Args) == 2 {
		c.Engine.table.Each(tell)
	}
	for _, name := range c.Args[2:] {
		row := c.Engine.table.Named(name)
		if row == nil {
			continue
		}
		tell(row)
		for _, sub := range row.Subs {
			tell(sub)
		}
	}
	c.W.Insert(mark, n, (*writer).Map)
	return nil
}

func latencyHelp(c *Ctx) error {
	c.help("LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"DOCTOR",
		"    Return a human readable latency analysis report.",
		"GRAPH <event>",
		"    Return an ASCII latency graph for the <event> class.",
		"HISTORY <event>",
		"    Return time-latency samples for the <event> class.",
		"LATEST",
		"    Return the latest latency samples for all events.",
		"RESET [<event> ...]",
		"    Reset latency data of one or more <event> classes.",
		"    (default: reset all data for all event classes)",
		"HISTOGRAM [COMMAND ...]",
		"    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
		"    If no commands are specified then all histograms are replied.")
	return nil
}

// latencyStats is the section latencystats of INFO.
func (i *Info) latencyStats(f *Fields) error {
	var percentiles []float64
	for _, word := range strings.Fields(f.Ctx.Engine.Settings.String("latency-tracking-info-percentiles")) {
		p, _ := parseFloat([]byte(word)) // CONFIG has checked it
		percentiles = append(percentiles, p)
	}
	f.Ctx.Engine.table.Each(func(row *Command) {
		d, ok := i.distribution(row)
		if !ok {
			return
		}
		var parts []string
		for _, p := range percentiles {
			parts = append(parts, fmt.Sprintf("p%g=%.3f", p, float64(d.percentile(p))/1000))
		}
		f.Text("latency_percentiles_usec_"+row.FullName(), strings.Join(parts, ","))
	})
	return nil
}
