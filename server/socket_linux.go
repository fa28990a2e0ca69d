package server

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// quick is a TCP or unix socket whose reads and writes do without the runtime's bookkeeping for system calls that may
// take long. These can't: the descriptor does not block. On one busy processor that bookkeeping hands it to another
// thread now and then, and whoever is served next waits for the kernel to switch back.
type quick struct {
	net.Conn
	raw syscall.RawConn

	read, write transfer // one goroutine at a time reads, and one writes

	arrivals *arrivals
	fd       int32       // its number there
	asleep   atomic.Bool // a read waits
	lined    atomic.Bool // it is in line
}

// transfer is a read or write in progress.
type transfer struct {
	call  uintptr
	buf   []byte
	n     int
	errno syscall.Errno
	try   func(fd uintptr) (done bool)
	slept bool   // it had to wait
	full  func() // called when it has to wait for the other side; nil: nobody is interested
	wake  func() // called when it has waited, before it tries again; nil: nobody is interested
}

// hasten makes the reads and writes of a socket cheaper where that is possible.
func hasten(c net.Conn, order *arrivals) net.Conn {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return c
	}
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return c
	}
	q := &quick{Conn: c, raw: raw, arrivals: order}
	q.read.init(syscall.SYS_READ)
	q.write.init(syscall.SYS_WRITE)
	q.read.full = func() { q.asleep.Store(true); order.done(q) }
	q.read.wake = func() { order.wake(q) }
	order.add(q)
	return q
}

func (t *transfer) init(call uintptr) {
	t.call = call
	t.try = t.once // a method value made anew for each call would be an allocation
}

// once tries the system call; false when it has to wait for the other side.
func (t *transfer) once(fd uintptr) (done bool) {
	if t.slept && t.wake != nil {
		t.wake()
	}
	for {
		n, _, errno := syscall.RawSyscall(t.call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(t.buf))), uintptr(len(t.buf)))
		switch errno {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			t.slept = true
			if t.full != nil {
				t.full()
			}
			return false
		}
		t.n, t.errno = int(n), errno
		return true
	}
}

// end returns what the transfer came to, given the error of waiting for it.
func (t *transfer) end(err error) (int, error) {
	t.buf = nil
	switch {
	case err != nil:
		return 0, err
	case t.errno != 0:
		return 0, t.errno
	}
	return t.n, nil
}

// whenFull has f called, by the goroutine that writes, whenever a write has to wait for the other side to read.
func (q *quick) whenFull(f func()) { q.write.full = f }

// Read implements net.Conn.
func (q *quick) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	q.arrivals.done(q)
	q.read.buf, q.read.slept = b, false
	n, err := q.read.end(q.raw.Read(q.read.try))
	q.asleep.Store(false)
	if q.read.slept {
		q.arrivals.await(q)
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write implements net.Conn.
func (q *quick) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		q.write.buf = b[done:]
		n, err := q.write.end(q.raw.Write(q.write.try))
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// cork holds back what is written from now on until the writing side is closed, so that the end comes with it. See tcp(7); other
// sockets have no such thing.
func (q *quick) cork() {
	_ = q.raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, 1) })
}

// CloseWrite tells the peer that nothing more comes.
func (q *quick) CloseWrite() error { return q.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// Close implements net.Conn.
func (q *quick) Close() error {
	q.arrivals.remove(q)
	return q.Conn.Close()
}

// inTurn returns when those to which something came before are done with it.
func (q *quick) inTurn() { q.arrivals.insist(q) }

// passes lets those to which something came later go first.
func (q *quick) passes() { q.arrivals.done(q) }

// SyscallConn implements syscall.Conn.
func (q *quick) SyscallConn() (syscall.RawConn, error) { return q.raw, nil }
