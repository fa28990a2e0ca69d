package server

import (
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// arrivals lets connections have their turn in the order in which their bytes came. Go wakes the goroutines of sockets that became
// readable together last first, and on several processors; the kernel knows the order, and tells it to whoever has an epoll instance of
// their own. The first that wakes asks for it and lines them all up. See epoll(7).
type arrivals struct {
	mu      sync.Mutex // guards what follows
	epoll   *os.File   // nil: none yet, or the kernel has none to give
	sockets map[int32]*quick
	line    []*quick // who has woken or is about to, and is not done with what came, in the order of arrival
	events  [64]syscall.EpollEvent
}

const (
	maxYields = 8                // how often a connection lets others go first: they may be in the middle of something long
	maxWait   = time.Millisecond // how long one does so whose call may wait: its place among those that wait depends on it
)

// edge is EPOLLET, which package syscall has with the wrong sign.
const edge = 1 << 31

// add has the order of a socket known.
func (a *arrivals) add(q *quick) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.epoll == nil {
		fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
		if err != nil {
			return
		}
		a.epoll, a.sockets = os.NewFile(uintptr(fd), "arrivals"), map[int32]*quick{}
	}
	_ = q.raw.Control(func(fd uintptr) { // a socket that is closed has no order, nor one that the kernel refuses to watch
		event := syscall.EpollEvent{Events: syscall.EPOLLIN | edge, Fd: int32(fd)}
		if syscall.EpollCtl(int(a.epoll.Fd()), syscall.EPOLL_CTL_ADD, int(fd), &event) == nil {
			q.fd = event.Fd
			a.sockets[q.fd] = q
		}
	})
}

// remove forgets a socket that is about to be closed.
func (a *arrivals) remove(q *quick) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leave(q)
	if a.sockets[q.fd] == q { // not another one that got its number
		delete(a.sockets, q.fd)
	}
}

// wake lines up a socket that has slept and is about to read, and those that became readable before it.
func (a *arrivals) wake(q *quick) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q.asleep.Store(false)
	for !q.lined.Load() && a.ask(q) {
	}
	if !q.lined.Load() {
		a.join(q)
	}
}

// ask lines up those that became readable since it was last asked, as many as there is room for; false if there are none.
func (a *arrivals) ask(q *quick) bool {
	if a.epoll == nil {
		return false
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, a.epoll.Fd(), uintptr(unsafe.Pointer(&a.events)), uintptr(len(a.events)), 0, 0, 0)
	if errno != 0 || n == 0 {
		return false
	}
	for _, event := range a.events[:n] {
		if other := a.sockets[event.Fd]; other != nil && !other.lined.Load() && (other == q || other.asleep.Load()) {
			a.join(other)
		}
	}
	return true
}

func (a *arrivals) join(q *quick) {
	a.line = append(a.line, q)
	q.lined.Store(true)
}

// leave lets those behind a socket go on.
func (a *arrivals) leave(q *quick) {
	if q.lined.CompareAndSwap(true, false) {
		at := slices.Index(a.line, q)
		a.line = slices.Delete(a.line, at, at+1)
	}
}

// done lets those behind a socket go on: it is done with what came, or waits for something else.
func (a *arrivals) done(q *quick) {
	if q.lined.Load() {
		a.mu.Lock()
		a.leave(q)
		a.mu.Unlock()
	}
}

// first reports whether it is the turn of a socket.
func (a *arrivals) first(q *quick) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !q.lined.Load() || a.line[0] == q
}

// await returns when it is the turn of a socket, or it has let others go first for long enough.
func (a *arrivals) await(q *quick) {
	for range maxYields {
		if a.first(q) {
			return
		}
		runtime.Gosched()
	}
}

// insist is await with more patience. Who has not been done by then is waited for no more.
func (a *arrivals) insist(q *quick) {
	for start := time.Now(); !a.first(q); runtime.Gosched() {
		if time.Since(start) > maxWait {
			a.overtake(q)
			return
		}
	}
}

// overtake puts a socket before all others.
func (a *arrivals) overtake(q *quick) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.line) > 0 && a.line[0] != q {
		a.leave(a.line[0])
	}
}
