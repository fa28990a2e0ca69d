package server

import (
	"context"
	"errors"
	"net"
	"os"
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
	eager  int       // reads in a row that filled the buffer
}

const (
	maxEarly   = 64 << 10 // read ahead while a call waits; then the peer has to wait too
	eagerRead  = 16 << 10 // a read of this size is of a peer with much to say
	eagerReads = 8        // that fill the buffer, one after the other, are a peer that sends before it reads
)

// errDraining ends connections when the server shuts down.
var errDraining = errors.New("server shuts down")

// past is a deadline that makes a Read return at once.
var past = time.Unix(1, 0)

// serve runs the connection until either side ends it.
func (c *conn) serve() {
	for {
		n, err := c.receive()
		if n > 0 && !c.work() {
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
	if n >= eagerRead {
		c.eager++
	} else {
		c.eager = 0
	}
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
		if n := len(c.out.Buf); n > 0 {
			if n >= flushSize {
				c.pending.Store(int64(n))
			}
			err := c.write()
			if n >= flushSize {
				c.pending.Store(0)
			}
			c.taken()
			if err != nil {
				return false
			}
		}
		if !more {
			return !c.over()
		}
		if c.waits {
			c.await()
		}
	}
}

// write writes the replies out. A peer that sends a long pipeline and reads only then must not find us waiting for it to
// read while it waits for us: what it sends is read ahead, as far as it may send unanswered.
func (c *conn) write() error {
	if c.eager >= eagerReads || len(c.out.Buf) >= flushSize && c.eager > 0 {
		limit := int(c.maxQuery.Load())
		if limit == 0 {
			limit = defaultQueue
		}
		defer c.ahead(limit, func() {})()
	}
	_, err := c.socket.Write(c.out.Buf)
	return err
}

// await lets a call wait, and meanwhile watches the socket: a peer that is gone waits for nothing.
func (c *conn) await() {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	gone := false
	stop := c.ahead(maxEarly, func() {
		gone = true // read after stop
		cancel()
	})
	c.wait(ctx)
	stop()
	c.ended = c.ended || gone
}

// ahead reads what comes into early, up to a limit, until stop is called. gone is called when the peer is, or the server
// shuts down.
func (c *conn) ahead(limit int, gone func()) (stop func()) {
	done := make(chan struct{})
	var over atomic.Bool
	go func() {
		defer close(done)
		for len(c.early) < limit {
			n, err := c.socket.Read(c.few[:])
			c.early = append(c.early, c.few[:n]...)
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
	}()
	return func() {
		over.Store(true)
		_ = c.socket.SetReadDeadline(past)
		<-done
		_ = c.socket.SetReadDeadline(time.Time{})
	}
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
