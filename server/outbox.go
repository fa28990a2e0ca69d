package server

import (
	"sync"

	"github.com/redbud-go/redbud/internal/resp"
)

// outbox joins a session's replies and what others tell it into one stream: nothing comes between the replies of a turn
// and the calls that they answer. Any goroutine may tell.
type outbox struct {
	mu      sync.Mutex // guards what follows, and what send works on
	told    resp.Writer
	turning bool // a turn runs: what is told waits for its replies
	closed  bool

	send func(b []byte) // hands to the transport what was told while no turn runs; called under mu
}

// begin holds back what is told until the turn is over.
func (o *outbox) begin() {
	o.mu.Lock()
	o.turning = true
	o.mu.Unlock()
}

// catch moves what was told so far behind the replies in w.
func (o *outbox) catch(w *resp.Writer) {
	o.mu.Lock()
	o.join(w)
	o.mu.Unlock()
}

func (o *outbox) join(w *resp.Writer) {
	if len(o.told.Buf) > 0 {
		w.Raw(o.told.Buf)
		o.clear()
	}
}

// end ends a turn with the replies in w, and leaves the box locked for the transport to take them.
func (o *outbox) end(w *resp.Writer) {
	o.mu.Lock()
	o.join(w)
	o.turning = false
}

func (o *outbox) clear() {
	if cap(o.told.Buf) > keepSize {
		o.told.Buf = nil
		return
	}
	o.told.Buf = o.told.Buf[:0]
}

// open locks the box and gives what to write into; nil when nobody reads it any more. shut follows in any case.
func (o *outbox) open() *resp.Writer {
	o.mu.Lock()
	if o.closed {
		return nil
	}
	return &o.told
}

// shut unlocks the box and sends what was written, unless it has to wait.
func (o *outbox) shut() {
	if !o.turning && len(o.told.Buf) > 0 {
		o.send(o.told.Buf)
		o.clear()
	}
	o.mu.Unlock()
}

// speak sets the version of the protocol in which things are told.
func (o *outbox) speak(proto int) {
	o.mu.Lock()
	o.told.Proto = proto
	o.mu.Unlock()
}

// close drops what is told from now on.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.told.Buf = nil
	o.mu.Unlock()
}
