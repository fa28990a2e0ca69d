// SLOWLOG: the calls that took longer than slowlog-log-slower-than, in the engine's memory.
package command

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
)

var slowlogCommands = []*Command{
	{Name: "slowlog", Arity: -2, Group: "server", Since: "2.2.12", Doc: "A container for slow log commands.",
		Subs: []*Command{
			{Name: "get", Arity: -2, Flags: Admin | Loading | Stale, Since: "2.2.12",
				Usage: "[count]", Doc: "Returns the slow log's entries.", Run: slowlogGet},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "6.2.0",
				Doc: "Explains the subcommands.", Run: slowlogHelp},
			{Name: "len", Arity: 2, Flags: Admin | Loading | Stale, Since: "2.2.12",
				Doc: "Returns the number of entries in the slow log.", Run: slowlogLen},
			{Name: "reset", Arity: 2, Flags: Admin | Loading | Stale, Since: "2.2.12",
				Doc: "Clears all entries from the slow log.", Run: slowlogReset},
		}},
}

// Of a call the slow log keeps so many words, the last of which tells how many there are more, and so many bytes of each.
const (
	slowlogWords = 32
	slowlogBytes = 128
)

// slowCall is an entry of the slow log.
type slowCall struct {
	id         int64
	at         int64 // seconds since 1970
	took       time.Duration
	words      []string
	addr, name string // of the client
}

// slowlog is safe for concurrent use.
type slowlog struct {
	mu      sync.Mutex // guards what follows
	entries []slowCall // the oldest first
	next    int64      // id
}

// Client is a Session that can say whose it is.
type Client interface {
	// Client is the client's address and the name that it has given itself.
	Client() (addr, name string)
}

// slow notes a call that took long enough for somebody to be interested.
func (e *Engine) slow(session engine.Session, row *Command, call engine.Call, took time.Duration, now int64) {
	if after := e.Settings.Int("slowlog-log-slower-than"); after >= 0 && took.Microseconds() >= after && row.Flags&SkipSlowlog == 0 {
		entry := slowCall{at: now, took: took, words: slowWords(row, call)}
		if o, ok := session.(Client); ok {
			entry.addr, entry.name = o.Client()
		}
		e.slowlog.add(entry, e.Settings.Int("slowlog-max-len"))
	}
	event := "command"
	if row.Flags&Fast != 0 {
		event = "fast-command"
	}
	e.late(event, now, took)
}

func (l *slowlog) add(entry slowCall, most int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry.id = l.next
	l.next++
	l.entries = append(l.entries, entry)
	if over := int64(len(l.entries)) - most; over > 0 {
		l.entries = append(l.entries[:0:0], l.entries[over:]...)
	}
}

// slowWords is what the slow log keeps of a call.
func slowWords(row *Command, call engine.Call) []string {
	words := make([]string, min(len(call), slowlogWords))
	for i := range words {
		switch word := call[i]; {
		case i == slowlogWords-1 && len(call) > slowlogWords:
			words[i] = fmt.Sprintf("... (%d more arguments)", len(call)-slowlogWords+1)
		case Secret(row, call, i):
			words[i] = Redacted
		case len(word) > slowlogBytes:
			words[i] = fmt.Sprintf("%s... (%d more bytes)", word[:slowlogBytes], len(word)-slowlogBytes)
		default:
			words[i] = string(word)
		}
	}
	return words
}

// newest returns up to n entries, the newest first.
func (l *slowlog) newest(n int64) []slowCall {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]slowCall, min(n, int64(len(l.entries))))
	for i := range list {
		list[i] = l.entries[len(l.entries)-1-i]
	}
	return list
}

func slowlogGet(c *Ctx) error {
	if len(c.Args) > 3 {
		return c.wrongWords()
	}
	n := int64(10)
	if len(c.Args) == 3 {
		var ok bool
		if n, ok = parseInt(c.Args[2]); !ok || n < -1 {
			return Refusal("ERR count should be greater than or equal to -1")
		}
		if n == -1 {
			n = math.MaxInt64
		}
	}
	entries := c.Engine.slowlog.newest(n)
	c.W.Array(len(entries))
	for _, s := range entries {
		c.W.Array(6)
		c.W.Int(s.id)
		c.W.Int(s.at)
		c.W.Int(s.took.Microseconds())
		c.W.Array(len(s.words))
		for _, word := range s.words {
			c.W.BulkString(word)
		}
		c.W.BulkString(s.addr)
		c.W.BulkString(s.name)
	}
	return nil
}

func slowlogLen(c *Ctx) error {
	l := &c.Engine.slowlog
	l.mu.Lock()
	defer l.mu.Unlock()
	c.W.Int(int64(len(l.entries)))
	return nil
}

func slowlogReset(c *Ctx) error {
	l := &c.Engine.slowlog
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = nil
	c.W.OK()
	return nil
}

func slowlogHelp(c *Ctx) error {
	c.help("SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"GET [<count>]",
		"    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
		"    Entries are made of:",
		"    id, timestamp, time in microseconds, arguments array, client IP and port,",
		"    client name",
		"LEN",
		"    Return the length of the slowlog.",
		"RESET",
		"    Reset the slowlog.")
	return nil
}
