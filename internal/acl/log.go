package acl

import (
	"sync"
	"sync/atomic"
	"time"
)

// Log is what was refused of late, the newest first. The same refusal again within a minute counts as one. It is safe for
// concurrent use, and empty at first.
type Log struct {
	counts [Channel + 1]atomic.Int64

	mu      sync.Mutex // guards what follows
	entries []*Entry   // the newest last
	last    int64      // number of the last entry made
}

// Entry is a refusal, or some that are the same.
type Entry struct {
	Count   int64
	Reason  Reason
	Context string // "toplevel", "multi" or "lua"
	Object  string // the command, key or channel that was refused; of a login, the command
	User    string
	Client  string // the line of CLIENT LIST

	ID   int64
	Made time.Time // when the first one was refused,
	At   time.Time // and the last
}

const (
	groupWithin = time.Minute
	groupAmong  = 10 // of the newest entries
	mostObject  = 1024
)

// Add notes a refusal, and drops the oldest ones beyond most. Long objects and names are cut.
func (l *Log) Add(e Entry, most int) {
	l.counts[e.Reason].Add(1)
	e.Object, e.User = cut(e.Object), cut(e.User)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.entries) - 1; i >= max(len(l.entries)-groupAmong, 0); i-- {
		old := l.entries[i]
		if old.Reason == e.Reason && old.Context == e.Context && old.Object == e.Object && old.User == e.User && e.At.Sub(old.At) <= groupWithin {
			old.Count++
			old.At, old.Client = e.At, e.Client
			copy(l.entries[i:], l.entries[i+1:])
			l.entries[len(l.entries)-1] = old
			return
		}
	}
	e.Count, e.ID, e.Made = 1, l.last, e.At
	l.last++
	l.entries = append(l.entries, &e)
	if n := len(l.entries) - max(most, 0); n > 0 {
		left := copy(l.entries, l.entries[n:])
		clear(l.entries[left:])
		l.entries = l.entries[:left]
	}
}

func cut(s string) string {
	if len(s) <= mostObject {
		return s
	}
	return s[:mostObject] + "..."
}

// Newest are up to n entries, the newest first.
func (l *Log) Newest(n int64) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = min(max(n, 0), int64(len(l.entries)))
	list := make([]Entry, 0, n)
	for i := len(l.entries) - 1; int64(len(list)) < n; i-- {
		list = append(list, *l.entries[i])
	}
	return list
}

// Count is how much was refused for a reason, since ResetCounts.
func (l *Log) Count(r Reason) int64 { return l.counts[r].Load() }

// ResetCounts makes all counts 0.
func (l *Log) ResetCounts() {
	for i := range l.counts {
		l.counts[i].Store(0)
	}
}

// Reset forgets all entries.
func (l *Log) Reset() {
	l.mu.Lock()
	l.entries = nil
	l.mu.Unlock()
}
