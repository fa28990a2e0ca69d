package server

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
)

// PipeConn is a connection to an engine in the same process: no socket and no goroutine. Write runs the calls that it
// completes before it returns, in the caller's goroutine; Read takes the replies. Reads and writes may come from
// different goroutines, as with any net.Conn.
type PipeConn struct {
	front   front
	session session
	ctx     turnContext     // of the calls of one Write
	life    context.Context // of calls that wait, which no Write waits for; ends with the connection
	end     context.CancelFunc

	turns sync.Mutex // held by a Write: one runs at a time. Taken before mu
	gone  bool       // guarded by turns: the session has ended

	mu       sync.Mutex // guards what follows
	arrived  sync.Cond  // replies came, the deadline changed or the connection ended
	replies  []byte     // replies[taken:] is unread
	taken    int
	deadline time.Time // of Read
	ended    bool      // no more replies will come
	closed   bool      // by Close

	stopped atomic.Bool // closed, or killed by another client
}

// Pipe connects to an engine. Nobody has to authenticate. Connections to one database share o.Hub.
func Pipe(e engine.Engine, o Options) *PipeConn {
	p := &PipeConn{}
	p.arrived.L = &p.mu
	p.life, p.end = context.WithCancel(context.Background())
	p.front.init(e, &o)
	p.front.trusted = true
	p.session.stop = p.stop
	p.session.box.send = p.append
	p.session.addr, p.session.laddr = "pipe", "pipe"
	p.session.init(&p.ctx, &p.front)
	return p
}

// Write runs the calls that b completes. The write deadline is that of the calls: if it ends them, nobody knows which of
// them ran, and the connection with them.
func (p *PipeConn) Write(b []byte) (int, error) {
	p.turns.Lock()
	err := p.run(b)
	if p.session.waits && err == nil {
		go p.goOn() // which lets others write when it is done
		return len(b), nil
	}
	p.turns.Unlock()
	p.leave()
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// run feeds the session and hands its replies to Read.
func (p *PipeConn) run(b []byte) error {
	s := &p.session
	switch {
	case p.stopped.Load():
		return io.ErrClosedPipe
	case p.ctx.late():
		return os.ErrDeadlineExceeded
	}
	if err := s.in.Feed(b); err != nil {
		s.fault(err)
	}
	for more := true; more && !s.waits; {
		more = s.turn(s.hub.now())
		p.hand()
	}
	if s.ended {
		p.stopped.Store(true)
	}
	if p.ctx.end() {
		p.stop()
		return os.ErrDeadlineExceeded
	}
	return nil
}

// goOn runs what a Write has left: the call that waits, and those behind it.
func (p *PipeConn) goOn() {
	s := &p.session
	s.ctx = p.life
	for more := true; more; {
		if s.waits {
			s.wait(p.life)
		}
		more = s.turn(s.hub.now())
		p.hand()
	}
	s.ctx = &p.ctx
	if s.ended {
		p.stopped.Store(true)
	}
	p.turns.Unlock()
	p.leave()
}

// hand ends a turn: it gives the replies to Read, and what was told meanwhile.
func (p *PipeConn) hand() {
	s := &p.session
	s.box.end(&s.out)
	p.mu.Lock()
	if p.taken == len(p.replies) {
		p.replies, s.out.Buf = s.out.Buf, p.replies // nothing is unread: the buffers change places
		p.taken = 0
	} else {
		p.replies = append(p.replies, s.out.Buf...)
	}
	p.ended = p.ended || s.ended
	p.mu.Unlock()
	s.box.mu.Unlock()
	s.taken()
	p.arrived.Broadcast()
}

// append gives Read what was told while no turn ran. Who does not read it in time is cut off.
func (p *PipeConn) append(b []byte) {
	p.mu.Lock()
	if p.taken > len(p.replies)/2 {
		p.replies, p.taken = p.replies[:copy(p.replies, p.replies[p.taken:])], 0
	}
	p.replies = append(p.replies, b...)
	n := int64(len(p.replies) - p.taken)
	p.mu.Unlock()
	p.arrived.Broadcast()
	limit := p.front.bufferLimit(p.session.kind())
	if p.session.pending.Store(n); limit.hard > 0 && n > limit.hard {
		p.front.log.Warn("client dropped", "client", p.session.id, "address", p.session.addr, "error", errTooSlow)
		go p.session.client.kill() // it takes locks that whoever tells may hold
	}
}

// Read takes replies. It waits until there are some.
func (p *PipeConn) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.taken == len(p.replies) {
		switch {
		case p.closed:
			return 0, net.ErrClosed
		case p.ended:
			return 0, io.EOF
		case len(b) == 0:
			return 0, nil
		}
		if err := p.wait(); err != nil {
			return 0, err
		}
	}
	if p.closed {
		return 0, net.ErrClosed
	}
	n := copy(b, p.replies[p.taken:])
	p.taken += n
	if p.taken == len(p.replies) && cap(p.replies) > keepSize {
		p.replies, p.taken = nil, 0
	}
	return n, nil
}

// wait sleeps until something happened or the read deadline is over, which is an error.
func (p *PipeConn) wait() error {
	if p.deadline.IsZero() {
		p.arrived.Wait()
		return nil
	}
	left := time.Until(p.deadline)
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}
	alarm := time.AfterFunc(left, func() {
		p.mu.Lock() // or the alarm could come just before Wait
		defer p.mu.Unlock()
		p.arrived.Broadcast()
	})
	p.arrived.Wait()
	alarm.Stop()
	return nil
}

// Close ends the connection. A Write that runs is told so through the context of its calls.
func (p *PipeConn) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	return nil
}

// stop lets no further call run, and Read end once it has taken what is there. Any goroutine may call it.
func (p *PipeConn) stop() {
	p.stopped.Store(true)
	p.ctx.cancel()
	p.end()
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.arrived.Broadcast()
	p.leave()
}

// leave ends the session of a stopped connection, unless a Write runs, which then does.
func (p *PipeConn) leave() {
	if !p.stopped.Load() || !p.turns.TryLock() {
		return
	}
	if !p.gone {
		p.gone = true
		p.session.end()
	}
	p.turns.Unlock()
}

// SetDeadline implements net.Conn.
func (p *PipeConn) SetDeadline(t time.Time) error {
	_ = p.SetReadDeadline(t) // neither fails
	return p.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (p *PipeConn) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	p.deadline = t
	p.mu.Unlock()
	p.arrived.Broadcast()
	return nil
}

// SetWriteDeadline implements net.Conn.
func (p *PipeConn) SetWriteDeadline(t time.Time) error {
	p.ctx.setDeadline(t)
	return nil
}

// LocalAddr implements net.Conn.
func (p *PipeConn) LocalAddr() net.Addr { return pipeAddr{} }

// RemoteAddr implements net.Conn.
func (p *PipeConn) RemoteAddr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// turnContext is the context of the calls that one Write runs. Most engines never wait on it, so its channel and
// timer come to life only when one does.
type turnContext struct {
	mu       sync.Mutex // guards what follows
	deadline time.Time
	done     chan struct{} // nil: nobody asked
	timer    *time.Timer
	err      error // why the context has ended
}

// setDeadline sets the deadline, also for calls that run.
func (c *turnContext) setDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	if c.done != nil && c.err == nil {
		c.arm()
	}
}

// arm sets the timer for the deadline.
func (c *turnContext) arm() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if c.deadline.IsZero() {
		return
	}
	done := c.done
	c.timer = time.AfterFunc(time.Until(c.deadline), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.done == done && c.err == nil && !time.Now().Before(c.deadline) {
			c.err = context.DeadlineExceeded
			close(done)
		}
	})
}

// late reports whether the deadline is over before anything ran.
func (c *turnContext) late() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.deadline.IsZero() && time.Until(c.deadline) <= 0
}

// end is called when the calls have returned, and reports whether the deadline was over before. Then the context stays
// as it is.
func (c *turnContext) end() (late bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if c.err == nil {
		c.done = nil
	}
	return c.err == context.DeadlineExceeded
}

// cancel ends the calls that run and all later ones.
func (c *turnContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = context.Canceled
		if c.done != nil {
			close(c.done)
		}
	}
}

// Deadline implements context.Context.
func (c *turnContext) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deadline, !c.deadline.IsZero()
}

// Done implements context.Context.
func (c *turnContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		} else {
			c.arm()
		}
	}
	return c.done
}

// Err implements context.Context.
func (c *turnContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Value implements context.Context.
func (c *turnContext) Value(any) any { return nil }
