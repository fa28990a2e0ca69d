package server

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redbud-go/redbud/internal/resp"
)

// conn is a session on a socket: one goroutine reads what is there, runs it and writes the replies once.
type conn struct {
	session
	server *Server
	socket net.Conn
	cancel context.CancelFunc
	few    [512]byte // what a connection without buffers reads into
	early  []byte    // what was read ahead

	stuck     *time.Timer // runs overtake
	alarmed   bool        // by alarm; written by whoever writes, under overtaken
	always    bool        // the socket does not tell when a write has to wait
	overtaken sync.Mutex  // guards alarmed, relax and waited
	relax     func()      // stops reading ahead; nil: nobody does
	lookout   *time.Timer // runs watch
	waited    bool        // a call waits
	passes    func()      // lets connections go first to which something came later; nil: they do

	// What was told while nobody served, and replies that came behind it, goes out by the office, so that whoever
	// tells never waits for the peer.
	queue   []byte // queue[sent:] is to be written; guarded by box.mu as the next ones are
	sent    int
	direct  int64 // bytes of replies that the goroutine that serves writes; small ones do not count
	writing bool  // somebody writes: the goroutine that serves, or postman
	posting bool  // it is postman
	stalled bool  // whom the peer keeps waiting
	since   int64 // when queue got longer than the soft limit, in the hub's time; 0: it is not
	postmen sync.WaitGroup
}

const (
	stuckFor  = 5 * time.Millisecond // after which a write counts as one that the peer doesn't take
	earlyRead = 16 << 10             // room for a read ahead after the first
)

// errDraining ends connections when the server shuts down.
var errDraining = errors.New("server shuts down")

// past is a deadline that makes a Read return at once.
var past = time.Unix(1, 0)

// inLine is a socket that knows of others to which something came before or later.
type inLine interface {
	inTurn()
	passes()
}

// corked is a socket that can send its end with the last reply. A peer that sends something more to one that is not closed yet would
// find its connection reset, and perhaps lose the reply.
type corked interface {
	cork()
	CloseWrite() error
}

// serve runs the connection until either side ends it.
func (c *conn) serve() {
	for first := true; ; first = false {
		n, err := c.receive()
		if n > 0 && (first && c.speaksTLS() || !c.work()) {
			break
		}
		if err != nil {
			if c.dropped == nil && errors.Is(err, resp.ErrQueryBuffer) {
				c.dropped = err
			}
			break
		}
	}
	if c.dropped != nil {
		c.log.Warn("client dropped", "client", c.id, "address", c.addr, "error", c.dropped)
	}
	c.cancel()
	_ = c.socket.Close() // nothing is left to be lost
	c.end()
	c.postmen.Wait()
	c.server.leave(c)
}

// receive reads once. The read deadline is no deadline but the way to wake it: when the server shuts down, and when
// the connection is silent and its buffers are wanted back.
func (c *conn) receive() (n int, err error) {
	if c.server.draining.Load() { // ahead may have taken the deadline of Shutdown for its own
		return 0, errDraining
	}
	if len(c.early) > 0 {
		early := c.early
		c.early = nil
		return len(early), c.in.Feed(early)
	}
	n, err = c.in.Fill(c.socket)
	for err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		if err := c.socket.SetReadDeadline(time.Time{}); err != nil {
			return n, err
		}
		if c.server.draining.Load() { // looked at after the deadline is gone, or that of Shutdown could be lost
			return n, errDraining
		}
		c.release()
		n, err = c.socket.Read(c.few[:])
		if n > 0 {
			if err := c.in.Feed(c.few[:n]); err != nil {
				return n, err
			}
		}
	}
	return n, err
}

// work runs what was received and writes the replies; false when the connection is to be closed. A peer that does
// not read blocks it here, and only it.
func (c *conn) work() bool {
	for {
		more := c.turn(c.hub.now())
		if c.passes != nil && !c.waits { // until it stands in line with those who wait
			c.passes()
		}
		if c.woke { // they have waited for longer than this client
			c.woke = false
			runtime.Gosched()
		}
		if !more && c.over() {
			c.finish()
			return false
		}
		if err := c.deliver(); err != nil {
			return false
		}
		if !more {
			return true
		}
		if c.waits {
			c.await()
		}
	}
}

// finish delivers the last replies together with the end. The socket is closed next. Who was killed gets no more: not that its call was
// canceled, either.
func (c *conn) finish() {
	if c.killed.Load() {
		return
	}
	s, ok := c.socket.(corked)
	if ok {
		s.cork()
	}
	if c.deliver() == nil && ok {
		_ = s.CloseWrite()
	}
}

// deliver ends a turn: it writes the replies out, and what was told meanwhile. If something is on its way already, they
// follow it.
func (c *conn) deliver() error {
	c.box.end(&c.out)
	n := len(c.out.Buf)
	if n == 0 || c.writing {
		c.enqueue(c.out.Buf)
		c.box.mu.Unlock()
		c.taken()
		return nil
	}
	if n > smallReplies {
		c.direct = int64(n)
		if c.cutOff() {
			c.box.mu.Unlock()
			return errTooSlow
		}
	}
	c.writing = true
	c.box.mu.Unlock()
	if n >= flushSize {
		c.pending.Store(int64(n))
	}
	err := c.write(c.out.Buf)
	if n >= flushSize {
		c.pending.Store(0)
	}
	c.taken()
	c.box.mu.Lock()
	c.writing, c.direct = false, 0
	if c.sent == len(c.queue) {
		c.since = 0
	}
	if len(c.queue) > 0 && err == nil {
		c.post()
	}
	c.box.mu.Unlock()
	return err
}

// enqueue puts bytes into the queue and sees that somebody writes it, if the peer has not let too much pile up. box.mu is held.
func (c *conn) enqueue(b []byte) {
	if len(b) == 0 {
		return
	}
	c.queue = append(c.queue, b...)
	c.pending.Store(int64(len(c.queue) - c.sent))
	if !c.cutOff() && !c.writing {
		c.post()
	}
}

// smallReplies is how many bytes of replies never count, as in Redis.
const smallReplies = 16 << 10

// errTooSlow ends connections that leave too much of what they asked for or subscribed to.
var errTooSlow = errors.New("more to be sent than client-output-buffer-limit allows")

// cutOff ends the connection if the peer leaves too much of what is for it, or asks for too much at once. box.mu is held.
func (c *conn) cutOff() bool {
	if !c.overdue() {
		return false
	}
	c.log.Warn("client dropped", "client", c.id, "address", c.addr, "error", errTooSlow)
	c.kill()
	return true
}

// overdue reports whether more is for the peer than may be. box.mu is held.
func (c *conn) overdue() bool {
	limit := c.bufferLimit(c.kind())
	n := int64(len(c.queue)-c.sent) + c.direct
	if limit.hard > 0 && n > limit.hard {
		return true
	}
	if limit.soft == 0 || n <= limit.soft {
		c.since = 0
		return false
	}
	now := c.hub.now()
	if c.since == 0 {
		c.since = now
	}
	return now-c.since > limit.seconds*int64(time.Second)
}

// post lets the queue be written. box.mu is held.
func (c *conn) post() {
	c.writing = true
	c.postmen.Add(1)
	if c.always {
		go c.postman() // nobody would tell the office of a peer that keeps it waiting
		return
	}
	c.server.office.post(c)
}

const postSize = 64 << 10 // written at once of a queue: what is on its way still counts as in the queue

// postman writes the queue until it is empty. stuck reports that the peer has kept it waiting.
func (c *conn) postman() (stuck bool) {
	defer c.postmen.Done()
	c.box.mu.Lock()
	defer c.box.mu.Unlock()
	c.posting, c.stalled = true, false
	for len(c.queue) > 0 {
		b := c.queue[c.sent:min(len(c.queue), c.sent+postSize)] // which nobody changes: others append
		c.box.mu.Unlock()
		_, err := c.socket.Write(b)
		c.box.mu.Lock()
		if err != nil {
			c.queue, c.sent = nil, 0 // who reads finds out, too
			break
		}
		switch c.sent += len(b); {
		case c.sent == len(c.queue):
			c.queue, c.sent = c.queue[:0], 0
			if cap(c.queue) > keepSize {
				c.queue = nil
			}
		case c.sent > len(c.queue)/2:
			c.queue, c.sent = c.queue[:copy(c.queue, c.queue[c.sent:])], 0
		}
		c.pending.Store(int64(len(c.queue) - c.sent))
	}
	c.posting, c.writing = false, false
	return c.stalled
}

// write writes replies out. A peer that sends a long pipeline and reads only then must not find us waiting for it to
// read while it waits for us: when it takes nothing for a while, what it sends is read ahead, as far as it may send
// unanswered.
func (c *conn) write(b []byte) error {
	if c.always {
		c.alarm()
	}
	_, err := c.socket.Write(b)
	if c.alarmed {
		c.calm()
	}
	return err
}

// alarm lets overtake run unless calm is called soon. It is called by whoever writes.
func (c *conn) alarm() {
	if c.posting { // who serves is reading
		if !c.stalled {
			c.stalled = true
			c.server.office.stuck()
		}
		return
	}
	if c.alarmed {
		return
	}
	c.overtaken.Lock()
	c.alarmed = true
	c.overtaken.Unlock()
	if c.stuck == nil {
		c.stuck = time.AfterFunc(stuckFor, c.overtake)
	} else {
		c.stuck.Reset(stuckFor)
	}
}

// overtake reads ahead until the write that is stuck returns.
func (c *conn) overtake() {
	c.overtaken.Lock()
	defer c.overtaken.Unlock()
	if c.alarmed && c.relax == nil {
		c.relax = c.ahead(c.mostAhead(), func() {})
	}
}

// calm takes alarm back: the write has returned.
func (c *conn) calm() {
	c.stuck.Stop()
	c.overtaken.Lock()
	relax := c.relax
	c.alarmed, c.relax = false, nil
	c.overtaken.Unlock()
	if relax != nil {
		relax()
	}
}

// await lets a call wait. After a while it watches the socket too: a peer that is gone waits for nothing.
func (c *conn) await() {
	if c.lookout == nil {
		c.lookout = time.AfterFunc(stuckFor, c.watch)
	} else {
		c.lookout.Reset(stuckFor)
	}
	c.overtaken.Lock()
	c.waited = true
	c.overtaken.Unlock()
	if c.passes != nil {
		c.passes()
	}
	c.wait(c.ctx)
	c.lookout.Stop()
	c.overtaken.Lock()
	relax := c.relax
	c.waited, c.relax = false, nil
	c.overtaken.Unlock()
	if relax != nil {
		relax()
	}
}

// watch reads ahead while a call waits, which it ends when the peer is gone.
func (c *conn) watch() {
	c.overtaken.Lock()
	defer c.overtaken.Unlock()
	switch {
	case !c.waited || c.relax != nil:
	case c.server.draining.Load(): // write may have taken the deadline of Shutdown for its own
		c.cancel()
	default:
		c.relax = c.ahead(c.mostAhead(), c.cancel)
	}
}

// mostAhead is how much a peer may send that is not run yet.
func (c *conn) mostAhead() int {
	if limit := int(c.maxQuery.Load()); limit > 0 {
		return limit
	}
	return defaultQueue
}

// ahead reads what comes into early, up to a limit, until stop is called. gone is called when the peer is, the server
// shuts down, or the limit is reached.
func (c *conn) ahead(limit int, gone func()) (stop func()) {
	done := make(chan struct{})
	var over atomic.Bool
	go func() {
		defer close(done)
		for len(c.early) < limit {
			err := c.readEarly()
			switch {
			case err == nil:
			case errors.Is(err, os.ErrDeadlineExceeded) && over.Load():
				return
			case errors.Is(err, os.ErrDeadlineExceeded) && !c.server.draining.Load():
				_ = c.socket.SetReadDeadline(time.Time{}) // fails on a closed socket, as the next Read does
				if over.Load() {
					return
				}
			default:
				gone()
				return
			}
		}
		gone() // as a peer that sends more than it may
	}()
	return func() {
		over.Store(true)
		_ = c.socket.SetReadDeadline(past)
		<-done
		_ = c.socket.SetReadDeadline(time.Time{})
	}
}

// readEarly reads once into early.
func (c *conn) readEarly() error {
	if len(c.early) == 0 {
		n, err := c.socket.Read(c.few[:])
		c.early = append(c.early, c.few[:n]...)
		return err
	}
	c.early = slices.Grow(c.early, earlyRead)
	n, err := c.socket.Read(c.early[len(c.early):cap(c.early)])
	c.early = c.early[:len(c.early)+n]
	c.inSize.Store(int64(c.in.Size() + cap(c.early)))
	return err
}

// rouse makes a receive that waits, or the next one, look around.
func (c *conn) rouse() { _ = c.socket.SetReadDeadline(past) } // fails on a closed socket, which needs no waking

// descriptor returns what tells the file descriptor of a socket; -1 where it has none.
func descriptor(socket net.Conn) func() int {
	return func() int {
		socket := socket
		if t, ok := socket.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
			socket = t.NetConn()
		}
		fd := -1
		if sys, ok := socket.(syscall.Conn); ok {
			if raw, err := sys.SyscallConn(); err == nil {
				_ = raw.Control(func(n uintptr) { fd = int(n) }) // fails when it is closed: -1
			}
		}
		return fd
	}
}
