package server

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redbud-go/redbud/internal/acl"
	"github.com/redbud-go/redbud/internal/command"
)

// Hub knows the clients of one database, whichever server or pipe they came through: CLIENT LIST shows them and
// CLIENT KILL ends them. Its numbers for clients are never used twice. It is safe for concurrent use.
type Hub struct {
	start time.Time
	ids   atomic.Int64

	users     *acl.Users // unless a server has others
	tracker   tracker
	monitored atomic.Bool // there are monitors

	mu       sync.Mutex // guards what follows
	clients  map[int64]*client
	monitors map[*client]struct{} // those that are shown all calls
}

// NewHub returns a hub without clients.
func NewHub() *Hub {
	h := &Hub{start: time.Now(), users: acl.New(), clients: map[int64]*client{}, monitors: map[*client]struct{}{}}
	h.tracker.find = h.find
	return h
}

// Len is the number of clients.
func (h *Hub) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}

// now is the time since the hub was made, in nanoseconds. It is the clock of ages and idle times; telling it
// costs half of what time.Now does.
func (h *Hub) now() int64 { return int64(time.Since(h.start)) }

func (h *Hub) join(c *client) {
	c.id = h.ids.Add(1)
	c.born = h.now()
	c.seen.Store(c.born)
	h.mu.Lock()
	h.clients[c.id] = c
	h.mu.Unlock()
}

func (h *Hub) leave(c *client) {
	h.mu.Lock()
	delete(h.clients, c.id)
	h.mu.Unlock()
}

// all are the clients in the order in which they came, without those that were killed and are about to go.
func (h *Hub) all() []*client {
	h.mu.Lock()
	list := make([]*client, 0, len(h.clients))
	for _, c := range h.clients {
		if !c.killed.Load() {
			list = append(list, c)
		}
	}
	h.mu.Unlock()
	slices.SortFunc(list, func(a, b *client) int { return int(a.id - b.id) })
	return list
}

// find is the client with a number; nil if there is none.
func (h *Hub) find(id int64) *client {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clients[id]
}

// client is what others may see of a session, and do to it.
type client struct {
	id    int64
	born  int64 // in the hub's time, as seen is
	addr  string
	laddr string
	unix  bool       // came through a unix socket
	fd    func() int // nil: there is none
	stop  func()     // ends the connection at once; any goroutine may call it

	seen    atomic.Int64                    // when a turn last began
	last    atomic.Pointer[command.Command] // the last command; nil: none, or an unknown one
	input   atomic.Int64                    // bytes received and not yet run
	inSize  atomic.Int64                    // bytes of its buffers, used or not
	outSize atomic.Int64
	pending atomic.Int64 // bytes of replies that the peer is slow to take; small ones do not count
	killed  atomic.Bool
	sleeps  atomic.Bool // until a pause is over

	user  atomic.Pointer[acl.User]
	hears func(*acl.Rights) bool // whether who has the rights may listen to all that it listens to; any goroutine may call it

	box        outbox
	subscribed atomic.Bool // to anything

	follows      atomic.Bool // it is a replica's,
	acknowledges atomic.Bool // which tells how far it is

	redirectLost atomic.Bool // the client that its tracking redirects to is gone

	mu      sync.Mutex // guards what follows
	shown   state
	unblock context.CancelCauseFunc // ends the wait of the call that waits; nil: none does
}

// state is what session commands change. The session owns its copy and shows another to the hub.
type state struct {
	name       string
	libName    string
	libVersion string
	db         int
	proto      int
	multi      bool
	queued     int // calls in MULTI
	queuedSize int // bytes of them
	dirty      bool
	noEvict    bool
	noTouch    bool
	subs       int // channels,
	psubs      int // patterns
	ssubs      int // and sharded channels that it listens to
	monitors   bool
	tracks     *tracking // what CLIENT TRACKING set; nil: off
	ending     bool      // closes when its replies are out
}

// blocked notes how the call that waits can be ended; nil: none waits any more.
func (c *client) blocked(unblock context.CancelCauseFunc) {
	c.mu.Lock()
	c.unblock = unblock
	c.mu.Unlock()
}

// waiting reports whether a call waits.
func (c *client) waiting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unblock != nil || c.sleeps.Load()
}

// wake ends the wait of a call for a reason; false if none waits.
func (c *client) wake(why error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unblock == nil {
		return false
	}
	c.unblock(why)
	c.unblock = nil
	return true
}

// show lets others see a new state.
func (c *client) show(st *state) {
	c.mu.Lock()
	c.shown = *st
	c.mu.Unlock()
}

// kill ends the connection of a client that is not the caller's own.
func (c *client) kill() {
	c.killed.Store(true)
	c.stop()
}

// memory is the size of the client's buffers.
func (c *client) memory() int64 { return c.inSize.Load() + c.outSize.Load() }

// flags are the letters that CLIENT LIST has for what a connection is.
func (c *client) flags(st *state) string {
	var f []byte
	for _, flag := range [...]struct {
		letter byte
		on     bool
	}{{'O', st.monitors}, {'S', c.follows.Load()}, {'P', c.subscribed.Load()}, {'x', st.multi}, {'b', c.waiting()}, {'t', st.tracks != nil},
		{'R', c.redirectLost.Load()}, {'B', st.tracks != nil && st.tracks.bcast}, {'d', st.dirty}, {'c', st.ending}, {'A', c.killed.Load()}, {'U', c.unix}, {'e', st.noEvict}, {'T', st.noTouch}} {
		if flag.on {
			f = append(f, flag.letter)
		}
	}
	if len(f) == 0 {
		return "N"
	}
	return string(f)
}

// baseMemory is about what a session and its goroutine take besides its buffers.
const baseMemory = 6 << 10

// replyBuffer is the size of a reply buffer as CLIENT LIST tells it: Redis's is from one to sixteen KiB large, and what is more
// is in a list.
func replyBuffer(size int64) int64 { return min(max(size, 1<<10), 16<<10) }

// appendLine appends the client's line of CLIENT LIST, with the fields of Redis 7.2.
func (c *client) appendLine(dst []byte, now int64) []byte {
	c.mu.Lock()
	st := c.shown
	c.mu.Unlock()
	fd, queued, cmd := -1, -1, "NULL"
	if c.fd != nil {
		fd = c.fd()
	}
	if st.multi {
		queued = st.queued
	}
	redirect := int64(-1)
	if st.tracks != nil {
		redirect = st.tracks.redirect
	}
	if row := c.last.Load(); row != nil {
		cmd = row.FullName()
	}
	input, inSize, outSize, pending := c.input.Load(), c.inSize.Load(), c.outSize.Load(), c.pending.Load()
	events := "r"
	if pending > 0 {
		events = "rw"
	}
	dst = fmt.Appendf(dst, "id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s db=%d sub=%d psub=%d ssub=%d multi=%d",
		c.id, c.addr, c.laddr, fd, st.name, (now-c.born)/int64(time.Second), (now-c.seen.Load())/int64(time.Second), c.flags(&st), st.db, st.subs, st.psubs, st.ssubs, queued)
	return fmt.Appendf(dst, " qbuf=%d qbuf-free=%d argv-mem=0 multi-mem=%d rbs=%d rbp=%d obl=0 oll=0 omem=%d tot-mem=%d"+
		" events=%s cmd=%s user=%s redir=%d resp=%d lib-name=%s lib-ver=%s\n",
		input, max(inSize-input, 0), st.queuedSize, replyBuffer(outSize), replyBuffer(outSize), pending,
		baseMemory+c.memory()+int64(st.queuedSize), events, cmd, c.user.Load().Name(), redirect, st.proto, st.libName, st.libVersion)
}
