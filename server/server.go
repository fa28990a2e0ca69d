package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
)

// Server answers RESP clients from an engine. It does not close the engine. All methods may be called by many
// goroutines at once.
type Server struct {
	front
	office     office
	arrivals   arrivals
	maxClients atomic.Int64
	timeout    atomic.Int64 // nanoseconds; 0: none
	keepAlive  atomic.Int64 // nanoseconds; not above 0: none
	protected  atomic.Bool

	accepted atomic.Int64
	refused  atomic.Int64

	handshakes   *handshakes
	turnedDownAt atomic.Int64 // when a failed handshake was last logged, in the hub's time
	untold       atomic.Int64 // that failed since, and were not

	ctx      context.Context // of all calls
	cancel   context.CancelFunc
	draining atomic.Bool
	conns    sync.WaitGroup // goroutines of connections; none is added once draining is set, under mu
	chores   sync.WaitGroup
	janitor  sync.Once
	untell   []func() // end what describe began: INFO no longer tells of the server

	mu        sync.Mutex // guards what follows
	open      map[*conn]struct{}
	listeners []net.Listener
}

// New returns a server that listens nowhere yet. An engine has one Server, which can have many listeners. An
// embedded engine's CONFIG and INFO tell of it from now on.
func New(e engine.Engine, o Options) *Server {
	s := &Server{open: map[*conn]struct{}{}, handshakes: newHandshakes(o.Handshakes, o.HandshakeTimeout)}
	s.turnedDownAt.Store(-int64(time.Hour))
	s.front.init(e, &o)
	if o.Password != "" {
		s.users.SetPassword(o.Password)
	}
	s.maxClients.Store(int64(o.MaxClients))
	if o.MaxClients == 0 {
		s.maxClients.Store(defaultMaxClients)
	}
	s.timeout.Store(int64(o.Timeout))
	s.keepAlive.Store(int64(o.KeepAlive))
	if o.KeepAlive == 0 {
		s.keepAlive.Store(int64(defaultKeepAlive))
	}
	s.protected.Store(!o.Unprotected)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.describe(e, o.Password)
	return s
}

// Serve accepts connections until Shutdown or Close, after which it returns nil. It closes the listener: TCP, unix,
// or one of TLS, such as TLS.Listener makes.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if !s.listen(l) {
		return nil
	}
	defer s.deaf(l)
	var pause time.Duration
	for {
		socket, err := l.Accept()
		if err == nil {
			pause = 0
			s.accepted.Add(1)
			if c, ok := socket.(*tls.Conn); ok {
				s.greet(l, c)
			} else {
				s.admit(l, socket)
			}
			continue
		}
		if s.draining.Load() {
			return nil
		}
		var refused syscall.Errno
		if !errors.As(err, &refused) {
			return err
		}
		// Most often there are no descriptors left. Connections that end give some back.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.log.Error("accept failed", "listener", l.Addr(), "error", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
		}
	}
}

// listen notes a listener; false if the server is closed.
func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.listeners = append(s.listeners, l)
	s.janitor.Do(func() { s.chores.Go(s.lookAfter) })
	return true
}

// deaf forgets a listener.
func (s *Server) deaf(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.listeners {
		if s.listeners[i] == l {
			s.listeners = append(s.listeners[:i], s.listeners[i+1:]...)
			return
		}
	}
}

const (
	tooMany = "-ERR max number of clients reached\r\n"

	denied = "-DENIED The server runs in protected mode: it has no password, so it serves only clients on its own " +
		"machine. To be served from elsewhere, set a password (requirepass), or turn protected-mode off if the network " +
		"is trusted.\r\n"
)

// admit starts to serve a connection, or tells it why not.
func (s *Server) admit(l net.Listener, socket net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining.Load():
		_ = socket.Close() // it was never served
	case s.protected.Load() && s.users.Default().Rights().NoPass() && !local(socket.RemoteAddr()):
		s.conns.Go(func() { s.refuse(socket, denied) })
	case int64(len(s.open)) >= s.maxClients.Load():
		s.conns.Go(func() { s.refuse(socket, tooMany) })
	default:
		c := s.newConn(l, socket)
		s.open[c] = struct{}{}
		s.conns.Go(c.serve)
	}
}

func (s *Server) newConn(l net.Listener, socket net.Conn) *conn {
	c := &conn{server: s, socket: hasten(socket, &s.arrivals)}
	ctx, cancel := context.WithCancel(s.ctx)
	c.cancel = cancel
	c.addr, c.laddr = socket.RemoteAddr().String(), socket.LocalAddr().String()
	if _, c.unix = l.Addr().(*net.UnixAddr); c.unix {
		c.laddr = l.Addr().String() + ":0"
		c.addr = c.laddr
	}
	c.fd = descriptor(socket)
	c.socketed = true
	if q, ok := c.socket.(interface{ whenFull(func()) }); ok {
		q.whenFull(c.alarm)
	} else {
		c.always = true
	}
	if q, ok := c.socket.(inLine); ok {
		c.passes = q.passes
		if !s.forwards { // another server has its own order, and whoever waits for it would hold up others
			c.inTurn = q.inTurn
		}
	}
	c.stop = func() {
		cancel()
		_ = socket.Close() // whoever serves it sees the error
	}
	if every := time.Duration(s.keepAlive.Load()); every > 0 {
		probe(socket, every)
	}
	c.box.send = c.enqueue
	c.session.init(ctx, &s.front)
	return c
}

// probe sets TCP keepalive as Redis does: after the silence three probes, a third of it apart.
func probe(socket net.Conn, silence time.Duration) {
	if t, ok := socket.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
		socket = t.NetConn()
	}
	if tcp, ok := socket.(*net.TCPConn); ok {
		// A connection that cannot be probed is served all the same.
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: silence, Interval: max(silence/3, time.Second), Count: 3})
	}
}

// local reports whether a peer is on this machine.
func local(peer net.Addr) bool {
	tcp, ok := peer.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

// refuse tells a peer why it is not served, and closes.
func (s *Server) refuse(socket net.Conn, why string) {
	s.refused.Add(1)
	_ = socket.SetDeadline(time.Now().Add(time.Second)) // a closed socket fails at Write, too
	_, _ = socket.Write([]byte(why))                    // the peer may be gone
	_ = socket.Close()
}

// leave forgets a connection that ended.
func (s *Server) leave(c *conn) {
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
}

// each calls f for the connections that are open now.
func (s *Server) each(f func(*conn)) {
	s.mu.Lock()
	list := make([]*conn, 0, len(s.open))
	for c := range s.open {
		list = append(list, c)
	}
	s.mu.Unlock()
	for _, c := range list {
		f(c)
	}
}

const (
	lookEvery  = time.Second
	silentFor  = 2 * time.Second // after which a connection has to give its buffers back
	silentKeep = 2 << 10         // bytes that it may keep
)

// lookAfter closes connections that are idle for too long and makes silent ones small, until the server is closed.
func (s *Server) lookAfter() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	ping := pinger{host: s.host}
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		s.hub.tracker.lookAfter()
		now, timeout := s.hub.now(), s.timeout.Load()
		ping.tick(now)
		s.each(func(c *conn) {
			idle := now - c.seen.Load()
			if c.pending.Load() > 0 {
				c.box.mu.Lock()
				c.cutOff()
				c.box.mu.Unlock()
			}
			switch {
			case c.waiting():
			case c.gone(now):
				c.log.Warn("replica dropped", "client", c.id, "address", c.addr, "error", "it has been silent for longer than repl-timeout")
				c.kill()
			case timeout > 0 && idle > timeout && !c.subscribed.Load() && !c.follows.Load(): // who listens has nothing to say
				c.kill()
			case idle > int64(silentFor) && c.memory() > silentKeep:
				c.rouse()
			}
		})
	}
}

// Shutdown accepts no more connections, closes the idle ones, and lets the others finish what they run and write
// their replies. When the context ends they are closed as they are, and its error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopAccepting()
	s.each((*conn).rouse)
	done := make(chan struct{})
	go func() {
		s.conns.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return errors.Join(err, s.Close())
}

// Close ends everything at once and waits until the last call has returned.
func (s *Server) Close() error {
	s.stopAccepting()
	s.cancel()
	s.each(func(c *conn) { c.kill() })
	s.conns.Wait()
	s.chores.Wait()
	for _, f := range s.untell {
		f()
	}
	return nil
}

// stopAccepting closes the listeners. From then on no connection is added.
func (s *Server) stopAccepting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining.Store(true)
	for _, l := range s.listeners {
		_ = l.Close() // closed before, or by Serve: all the same
	}
	s.handshakes.end()
}
