package command

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

var replicationCommands = []*Command{
	{Name: "psync", Arity: -3, Flags: Session | Admin | NoScript | NoMulti | NoAsyncLoading, Group: "server", Since: "2.8.0",
		Usage: "replicationid offset", Doc: "Makes the connection a replica's: it is sent all keys, and then what changes."},
	{Name: "replconf", Arity: -1, Flags: Session | Admin | NoScript | Loading | Stale | AllowBusy, Group: "server", Since: "3.0.0",
		Doc: "What a replica tells of itself."},
	{Name: "replicaof", Arity: 3, Flags: Admin | NoScript | Stale | NoAsyncLoading, Group: "server", Since: "5.0.0",
		Usage: "<host port | NO ONE>", Doc: "Makes the server a replica, which an engine of ours cannot be, or its own master, which it is.", Run: replicaOf},
	{Name: "slaveof", Arity: 3, Flags: Admin | NoScript | Stale | NoAsyncLoading, Group: "server", Since: "1.0.0",
		Usage: "<host port | NO ONE>", Doc: "REPLICAOF by its old name.", Run: replicaOf},
	{Name: "sync", Arity: 1, Flags: Session | Admin | NoScript | NoMulti | NoAsyncLoading, Group: "server", Since: "1.0.0",
		Doc: "PSYNC for replicas of long ago."},
}

// Follower is somebody who is told the effects of all batches.
type Follower struct {
	Image  []byte // all keys when it began, as an RDB file
	ID     string // of the stream
	Offset int64  // in the stream at which it began

	ears    Ears
	all     *followers
	acked   atomic.Int64 // how much it says that it has, of the stream
	ackedAt atomic.Int64 // when, in milliseconds since 1970; 0: never yet
}

// Ears are how a follower is told. None of them may wait, nor call the engine.
type Ears struct {
	Hear func(stream []byte)          // what comes next; borrowed until it returns
	Lost func()                       // something happened that the stream cannot tell: the follower has to begin anew
	Tell func() (ip string, port int) // where it says that it listens

	Patient bool // it never tells how far it is
	Part    Part // what of the image it wants
}

// Part is what an image has.
type Part uint8

// The parts.
const (
	Everything Part = iota
	Libraries       // of functions, and no keys
	Nothing
)

// followers are those of an engine. It is safe for concurrent use.
type followers struct {
	on atomic.Bool // there are any

	mu     sync.Mutex // guards what follows; taken under Engine.telling, and by whoever only asks
	list   []*Follower
	out    []byte
	db     int // that the next call of the stream would be in; -1: nobody has said
	offset int64
	waits  map[*ackWait]struct{}
}

// ackWait is somebody who waits until so many followers have come so far.
type ackWait struct {
	offset int64
	n      int
	done   func()
}

// Follow takes an image of all keys and begins to tell all that changes from then on. Close ends it.
func (e *Engine) Follow(ctx context.Context, ears Ears) (*Follower, error) {
	f := &Follower{ears: ears, all: &e.followers}
	all := &e.followers
	image, err := e.imageThen(ctx, ears.Part, func() {
		e.telling.enter(e.telling.take()) // what was committed before the image is told before this
		defer e.telling.leave()
		all.mu.Lock()
		defer all.mu.Unlock()
		all.list = append(all.list, f)
		all.on.Store(true)
		all.db = -1
		f.ID, f.Offset = *e.Info.replication.Load(), all.offset
	})
	if err != nil {
		f.Close()
		return nil, e.failure("take an image", err)
	}
	f.Image = image
	return f, nil
}

// Image returns all keys as they are, or a part of what there is, as an RDB file.
func (e *Engine) Image(ctx context.Context, part Part) ([]byte, error) {
	image, err := e.imageThen(ctx, part, func() {})
	if err != nil {
		return nil, e.failure("take an image", err)
	}
	return image, nil
}

// imageThen takes an image and calls then in the same transaction.
func (e *Engine) imageThen(ctx context.Context, part Part, then func()) ([]byte, error) {
	var image bytes.Buffer
	c := newCtx(e)
	err := e.inTransaction(ctx, c, keyspace.Access{Write: true, Alone: true}, func() error {
		c.looks.Kept = true // what has expired is told to be gone when it is, to all who follow
		var err error
		if part != Everything {
			err = e.partialImage(&image, part == Libraries)
		} else {
			err = c.image(func() (io.Writer, error) {
				image.Reset()
				return &image, nil
			})
		}
		if err == nil {
			then()
		}
		return err
	})
	return image.Bytes(), err
}

// Close ends it: nothing more is told.
func (f *Follower) Close() {
	all := f.all
	all.mu.Lock()
	defer all.mu.Unlock()
	all.list = slices.DeleteFunc(all.list, func(other *Follower) bool { return other == f })
	all.on.Store(len(all.list) > 0)
}

// Ack notes how much of the stream it has.
func (f *Follower) Ack(offset int64, now time.Time) {
	if offset > f.acked.Load() {
		f.acked.Store(offset)
	}
	f.ackedAt.Store(max(now.UnixMilli(), 1))
	f.all.mu.Lock()
	defer f.all.mu.Unlock()
	for w := range f.all.waits {
		if f.all.have(w.offset) >= w.n {
			delete(f.all.waits, w)
			w.done()
		}
	}
}

// have is how many have the stream up to an offset. mu is held.
func (fs *followers) have(offset int64) (n int) {
	for _, f := range fs.list {
		if f.ackedAt.Load() > 0 && f.acked.Load() >= offset {
			n++
		}
	}
	return n
}

// tell tells the effects of a batch. Engine.telling is held.
func (fs *followers) tell(n *effects) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if n.lost {
		for _, f := range fs.list {
			f.ears.Lost()
		}
		fs.list = nil
		fs.on.Store(false)
		return
	}
	w := resp.Writer{Buf: fs.out[:0]}
	from := 0
	for i := 0; i < len(n.items); {
		end := i + 1
		for end < len(n.items) && n.items[end].unit == n.items[i].unit {
			end++
		}
		fs.enter(&w, n.items[i].db)
		several := end-i > 1
		if several {
			w.Raw([]byte("*1\r\n$5\r\nMULTI\r\n"))
		}
		for ; i < end; i++ {
			fs.enter(&w, n.items[i].db)
			w.Raw(n.buf[from:n.items[i].end])
			from = n.items[i].end
		}
		if several {
			w.Raw([]byte("*1\r\n$4\r\nEXEC\r\n"))
		}
	}
	fs.send(w.Buf)
	fs.out = w.Buf[:0]
	if cap(fs.out) > 1<<20 {
		fs.out = nil
	}
}

// enter makes the next call of the stream one in a database.
func (fs *followers) enter(w *resp.Writer, db int) {
	if fs.db == db {
		return
	}
	fs.db = db
	w.Array(2)
	w.BulkString("SELECT")
	w.BulkInt(int64(db))
}

// send adds to the stream. mu is held.
func (fs *followers) send(b []byte) {
	fs.offset += int64(len(b))
	for _, f := range fs.list {
		f.ears.Hear(b)
	}
}

// Ping adds a PING to the stream, so that followers know that nothing was said.
func (e *Engine) Ping() { e.followers.say("*1\r\n$4\r\nPING\r\n") }

// say adds something to the stream that is no effect.
func (fs *followers) say(call string) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if len(fs.list) > 0 {
		fs.send([]byte(call))
	}
}

// Followers is how many have told lately how far they are, as min-replicas-to-write wants it.
func (e *Engine) Followers() (n int) {
	if !e.followers.on.Load() {
		return 0
	}
	lag := 1000 * e.Settings.Int("min-replicas-max-lag")
	now := e.now().UnixMilli()
	e.followers.each(func(f *Follower) {
		if at := f.ackedAt.Load(); at > 0 && (lag == 0 || now-at <= lag) {
			n++
		}
	})
	return n
}

func (fs *followers) each(visit func(*Follower)) (offset int64) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.list {
		visit(f)
	}
	return fs.offset
}

// online reports whether it has loaded its image, as far as it tells.
func (f *Follower) online() bool { return f.ears.Patient || f.ackedAt.Load() > 0 }

// info is what INFO tells of those who follow.
func (fs *followers) info(f *Fields, now int64) (offset int64) {
	var lines []string
	offset = fs.each(func(o *Follower) {
		ip, port := o.ears.Tell()
		state, lag := "online", (now-o.ackedAt.Load())/1000
		if !o.online() {
			state = "send_bulk"
		}
		if o.ackedAt.Load() == 0 {
			lag = 0
		}
		lines = append(lines, "ip="+ip+",port="+strconv.Itoa(port)+",state="+state+",offset="+strconv.FormatInt(o.acked.Load(), 10)+",lag="+strconv.FormatInt(max(lag, 0), 10))
	})
	f.Int("connected_slaves", int64(len(lines)))
	for i, line := range lines {
		f.Text("slave"+strconv.Itoa(i), line)
	}
	return offset
}

// infoReplication is the section of INFO on those who follow. An engine follows nobody.
func infoReplication(f *Fields) error {
	e := f.Ctx.Engine
	f.Text("role", "master")
	offset := e.followers.info(f, f.Ctx.Now)
	f.Text("master_failover_state", "no-failover")
	f.Text("master_replid", *e.Info.replication.Load())
	f.Text("master_replid2", strings.Repeat("0", 40))
	f.Int("master_repl_offset", offset)
	f.Int("second_repl_offset", -1)
	f.Int("repl_backlog_active", 0)
	f.Int("repl_backlog_size", e.Settings.Int("repl-backlog-size"))
	f.Int("repl_backlog_first_byte_offset", 0)
	f.Int("repl_backlog_histlen", 0)
	return nil
}

func replicaOf(c *Ctx) error {
	if !c.is(1, "no") || !c.is(2, "one") {
		return Refusal("ERR REPLICAOF is not supported: an embedded engine is followed, and follows nobody")
	}
	c.W.OK()
	return nil
}

func role(c *Ctx) error {
	c.W.Array(3)
	c.W.BulkString("master")
	mark, n := c.W.Len(), 0
	offset := c.Engine.followers.each(func(f *Follower) {
		if !f.online() {
			return
		}
		n++
		ip, port := f.ears.Tell()
		c.W.Array(3)
		c.W.BulkString(ip)
		c.W.BulkInt(int64(port))
		c.W.BulkInt(f.acked.Load())
	})
	c.W.Insert(mark, n, (*writer).Array)
	c.W.Insert(mark, 0, func(w *writer, _ int) { w.Int(offset) })
	return nil
}

// waitReplicas is WAIT.
func waitReplicas(c *Ctx) error {
	replicas, err := c.integer(1)
	if err != nil {
		return err
	}
	timeout, err := c.milliseconds(2)
	if err != nil {
		return err
	}
	fs := &c.Engine.followers
	fs.mu.Lock()
	offset := fs.offset
	if was, ok := c.awaits.state.(*int64); ok {
		offset = *was
	}
	have := fs.have(offset)
	fs.mu.Unlock()
	untold := !c.news.effects.empty() // what this batch wrote
	if replicas <= 0 || int64(have) >= replicas && !untold {
		c.W.Int(int64(have))
		return nil
	}
	tell := func(w *writer) {
		fs.mu.Lock()
		n := fs.have(offset)
		fs.mu.Unlock()
		w.Int(int64(n))
	}
	return c.wait(awaited{timeout: timeout, nothing: tell, state: &offset, early: func(done func()) (stop func()) {
		if untold { // by now it is told
			fs.mu.Lock()
			offset = fs.offset
			fs.mu.Unlock()
		}
		w := &ackWait{offset, int(min(replicas, 1<<30)), done}
		fs.say("*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n")
		return fs.await(w)
	}})
}

// await calls w.done when it is time, unless stop is called before.
func (fs *followers) await(w *ackWait) (stop func()) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.have(w.offset) >= w.n {
		w.done()
		return func() {}
	}
	if fs.waits == nil {
		fs.waits = map[*ackWait]struct{}{}
	}
	fs.waits[w] = struct{}{}
	return func() {
		fs.mu.Lock()
		delete(fs.waits, w)
		fs.mu.Unlock()
	}
}
