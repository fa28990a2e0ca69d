package server

import (
	"runtime"
	"sync"
)

// office writes what was told to connections whose own goroutine waits for calls. A message to very many costs a place in
// its queue for each, and no goroutine: a few go through the queue. One that a peer keeps waiting goes on alone, and
// another takes its place.
type office struct {
	mu      sync.Mutex // guards what follows
	waiting []*conn    // each has something in its queue, and stands here once
	workers int        // that go through waiting
}

// post sees that the queue of a connection is written soon.
func (o *office) post(c *conn) {
	o.mu.Lock()
	o.waiting = append(o.waiting, c)
	o.hire()
	o.mu.Unlock()
}

// hire lets one more work, if there is work and a processor for it. mu is held.
func (o *office) hire() {
	if len(o.waiting) > 0 && o.workers < runtime.GOMAXPROCS(0) {
		o.workers++
		go o.work()
	}
}

func (o *office) work() {
	for n := 1; ; n++ {
		o.mu.Lock()
		if len(o.waiting) == 0 {
			o.waiting = nil
			o.workers--
			o.mu.Unlock()
			return
		}
		c := o.waiting[0]
		o.waiting[0] = nil
		o.waiting = o.waiting[1:]
		o.mu.Unlock()
		if c.postman() {
			return // stuck has counted it out
		}
		if n%16 == 0 {
			runtime.Gosched() // or thousands of messages would hold up the calls of others
		}
	}
}

// stuck counts one out whom a peer keeps waiting.
func (o *office) stuck() {
	o.mu.Lock()
	o.workers--
	o.hire()
	o.mu.Unlock()
}
