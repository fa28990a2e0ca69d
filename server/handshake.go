package server

import (
	"container/list"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Handshakes of TLS come before a connection is a client. Only so many go on at a time, each for only so long: who opens
// connections and says nothing takes little, and no place from clients.

const (
	defaultHandshakes       = 1024
	defaultHandshakeTimeout = 10 * time.Second

	// grace is how long a handshake may take that others wait for.
	grace = time.Second
)

// handshakes are those that go on.
type handshakes struct {
	slots chan struct{} // as many as may go on
	most  time.Duration // that each may take

	mu   sync.Mutex // guards what follows
	open *list.List // of *handshake, the oldest first
}

// handshake is one that goes on.
type handshake struct {
	socket net.Conn // without TLS
	begun  time.Time
}

func newHandshakes(n int, most time.Duration) *handshakes {
	if n == 0 {
		n = defaultHandshakes
	}
	if most == 0 {
		most = defaultHandshakeTimeout
	}
	return &handshakes{slots: make(chan struct{}, n), most: most, open: list.New()}
}

// enter waits for a slot; false if the server ends first. Where all are taken the oldest handshake has to give way once it has had
// its time.
func (h *handshakes) enter(end <-chan struct{}) bool {
	for {
		select {
		case h.slots <- struct{}{}:
			return true
		default:
		}
		timer := time.NewTimer(h.hurry())
		select {
		case h.slots <- struct{}{}:
			timer.Stop()
			return true
		case <-timer.C:
		case <-end:
			timer.Stop()
			return false
		}
	}
}

// hurry ends the oldest handshake if it has had its time, and returns how long the next one has.
func (h *handshakes) hurry() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := h.open.Front()
	if first == nil {
		return time.Millisecond // it is about to leave
	}
	oldest := first.Value.(*handshake)
	left := grace - time.Since(oldest.begun)
	if left > 0 {
		return left
	}
	h.open.Remove(first)
	_ = oldest.socket.Close() // its goroutine finds out, and leaves
	return time.Millisecond
}

// end ends all handshakes.
func (h *handshakes) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for at := h.open.Front(); at != nil; at = at.Next() {
		_ = at.Value.(*handshake).socket.Close() // as in hurry
	}
}

// leave gives the slot back.
func (h *handshakes) leave() { <-h.slots }

// run shakes hands with a client. The caller has entered.
func (h *handshakes) run(c *tls.Conn) error {
	this := &handshake{c.NetConn(), time.Now()}
	h.mu.Lock()
	at := h.open.PushBack(this)
	h.mu.Unlock()
	_ = c.SetDeadline(this.begun.Add(h.most)) // fails on a closed socket, as the handshake does
	err := c.Handshake()
	_ = c.SetDeadline(time.Time{})
	h.mu.Lock()
	h.open.Remove(at) // nothing to do if hurry did
	h.mu.Unlock()
	return err
}

// greet shakes hands with a client and then admits it.
func (s *Server) greet(l net.Listener, c *tls.Conn) {
	if !s.handshakes.enter(s.ctx.Done()) {
		_ = c.NetConn().Close() // it was never served
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		s.handshakes.leave()
		_ = c.NetConn().Close()
		return
	}
	s.conns.Go(func() {
		err := s.handshakes.run(c)
		if err != nil && !s.draining.Load() {
			s.turnDown(c, err)
		}
		s.handshakes.leave()
		if err != nil {
			_ = c.NetConn().Close()
			return
		}
		s.admit(l, c)
	})
}

const (
	plainToTLS = "-ERR This port speaks TLS: connect with TLS (rediss://, redis-cli --tls)\r\n"
	tlsToPlain = "-ERR This port does not speak TLS: connect without (redis://)\r\n"
)

// How long a client may take to read why it was turned down, and how much it may send meanwhile.
const (
	lingering  = time.Second
	lingerMost = 64 << 10
)

// turnDown ends a handshake that failed, and logs why. crypto/tls has told the client.
func (s *Server) turnDown(c *tls.Conn, err error) {
	why := err.Error()
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &header) && header.Conn != nil:
		why = "the client does not speak TLS, which this listener does"
		_ = header.Conn.SetDeadline(time.Now().Add(lingering))
		_, _ = io.WriteString(header.Conn, plainToTLS) // it may be gone
	case errors.Is(err, os.ErrDeadlineExceeded):
		why = fmt.Sprint("it took longer than ", s.handshakes.most)
	case errors.Is(err, net.ErrClosed):
		why = "it took too long while others waited"
	}
	if socket, ok := c.NetConn().(*net.TCPConn); ok && socket.CloseWrite() == nil { // or what it still sends would take the alert with it
		_ = socket.SetReadDeadline(time.Now().Add(lingering))
		_, _ = io.CopyN(io.Discard, socket, lingerMost)
	}
	if errors.Is(err, io.EOF) { // who looks whether the port is open does that
		s.log.Debug("TLS handshake failed", "address", c.RemoteAddr(), "error", "the client hung up")
		return
	}
	now, before := s.hub.now(), s.turnedDownAt.Load()
	if now-before < int64(time.Second) || !s.turnedDownAt.CompareAndSwap(before, now) {
		s.untold.Add(1) // whoever opens thousands must not fill the log
		return
	}
	s.log.Warn("TLS handshake failed", "address", c.RemoteAddr(), "error", why, "others", s.untold.Swap(0))
}

// tlsRecord is the first byte of a TLS handshake.
const tlsRecord = 0x16

// speaksTLS answers a client whose first bytes are of a TLS handshake, on a listener that does not speak it; false if they
// are not.
func (c *conn) speaksTLS() bool {
	if _, secure := c.socket.(*tls.Conn); secure || !c.in.Begins(tlsRecord) {
		return false
	}
	c.log.Warn("client dropped", "client", c.id, "address", c.addr, "error", "the client speaks TLS, which this listener does not")
	_ = c.socket.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(c.socket, tlsToPlain) // it may be gone
	return true
}
