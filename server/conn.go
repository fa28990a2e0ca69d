package server

import (
	"context"
	"errors"
	"net"
	"os"
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
}

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
		if n := len(c.out.Buf); n > 0 {
			if n >= flushSize {
				c.pending.Store(int64(n))
			}
			_, err := c.socket.Write(c.out.Buf)
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
	}
}

// wake makes a receive that waits, or the next one, look around.
func (c *conn) wake() { _ = c.socket.SetReadDeadline(past) } // fails on a closed socket, which needs no waking

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
