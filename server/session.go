package server

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/redbud-go/redbud/internal/acl"
	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

const (
	maxCalls   = 128       // most calls in one batch: a batch holds a lock of the engine
	firstCalls = 16        // and in the first ones, while nobody knows how much they answer
	flushSize  = 64 << 10  // replies that are written out before more calls run
	keepSize   = 256 << 10 // a reply buffer that grew beyond this is given back
)

// session is a connection's state machine. It does not know its socket: a transport feeds in, calls turn, and
// takes the replies out of out. One goroutine at a time may use it; others see the client in it.
//
//	in → turn → batch → engine → out
//	          ↘ calls of the session: single
type session struct {
	*front
	client
	ctx context.Context // ends with the connection

	in    resp.Reader
	out   resp.Writer
	batch engine.Batch // the calls gathered since the last run; while waits, those from the one that waits on
	later engine.Call  // a call of the session that comes after them
	most  int          // of calls in a batch; follows the size of the replies
	row   *command.Command

	// plain means that calls may be gathered without a look at the state: no AUTH is missing, the user may do everything, no
	// MULTI is open, no reply is to be skipped.
	plain         bool
	checked       bool // the same, but for the user's rights, which each call has to be held against
	authenticated bool
	rights        *acl.Rights // of the user, as they were at version usersAt of users
	usersAt       uint64
	ended         bool // out holds the last replies; the connection closes after them
	mute          bool // CLIENT REPLY OFF
	skipThis      bool // CLIENT REPLY SKIP came before this call,
	skipNext      bool // or is this call
	dropped       error
	inTurn        func()        // returns when it may wait: who came before does already; nil: at once
	waits         bool          // the first call of batch would wait: the transport calls wait before the next turn
	hushed        bool          // and its reply is to be skipped
	doubted       []engine.Call // that were gathered behind one that waited, and may not be allowed any more
	held          bool          // a pause holds later back, and what waits is its end
	woke          bool          // what ran since the last replies were taken has ended the waiting of others
	caching       caching
	keys          [][]byte // scratch

	runs    *engine.Batch // the one that the engine runs, or has run last
	exposed int           // how many of its calls were shown to those who monitor
	script  engine.Call   // of them, the one that runs a script

	state
	ears      ears
	following following
	socketed  bool       // it is a connection's of its own
	hearing   sync.Mutex // guards the names in ears, which only the session changes
	queue     queue
	watches   []watch
	changed   bool // a watched key is known to have changed: EXEC will run nothing
}

// init makes s the session of a new connection. client's addresses and stop are set before.
func (s *session) init(ctx context.Context, f *front) {
	s.front, s.ctx = f, ctx
	s.most = firstCalls
	s.batch.Session = s
	s.speak(2, &s.out)
	s.client.hears = s.hears
	s.begin()
	s.settle()
	f.hub.join(&s.client)
}

// end gives back what the session holds. The transport calls it once, when no turn runs or will.
func (s *session) end() {
	s.unwatch()
	s.silence()
	s.untrack()
	s.unfollow()
	s.hub.monitor(&s.client, false)
	s.hub.leave(&s.client)
	s.box.close()
}

// over reports whether no further call may run.
func (s *session) over() bool { return s.ended || s.killed.Load() }

// turn runs the calls that are buffered and appends their replies to out. It returns true when it stopped because
// the replies have piled up, or because a call would wait: the transport writes them out, calls wait if waits says so, and
// calls it again. now is in the hub's time.
func (s *session) turn(now int64) (more bool) {
	s.box.begin()
	s.seen.Store(now)
	s.in.Limits = resp.Limits{Bulk: int(s.maxBulk.Load()), QueryBuffer: int(s.maxQuery.Load())}
	if s.over() {
		s.forget(len(s.batch.Calls))
	}
	if s.users.Version() != s.usersAt {
		s.doubt()
	}
	s.run() // what a call that waited has left behind
	var last command.Last
	for !s.waits && !s.over() {
		if len(s.batch.Calls) == 0 && s.users.Version() != s.usersAt {
			s.settle()
		}
		call, ok, err := s.next()
		if !ok {
			if s.run(); err != nil && !s.waits {
				s.fault(err)
			}
			break
		}
		row := last.Lookup(call[0])
		if row == nil && fromBrowser(call[0]) {
			if s.run(); s.waits {
				s.later = call
			} else {
				s.fault(errBrowser)
			}
			break
		}
		if (row == nil || row.Flags&command.Session == 0) && (s.plain || s.checked && s.allows(call)) {
			s.batch.Calls = append(s.batch.Calls, call)
			s.row = row
			if len(s.batch.Calls) < s.most {
				continue
			}
			s.run()
		} else if s.run(); s.waits {
			s.later = call
		} else {
			s.single(call)
		}
		if len(s.out.Buf) >= flushSize {
			more = true
			break
		}
	}
	s.publish()
	return more || s.waits
}

// doubt lets calls that are gathered be judged once more, by the rights of now.
func (s *session) doubt() {
	if s.settle(); !s.plain {
		s.doubted = append(s.doubted, s.batch.Calls...)
		s.forget(len(s.batch.Calls))
	}
}

// next returns the next call that is buffered.
func (s *session) next() (call engine.Call, ok bool, err error) {
	if len(s.doubted) > 0 {
		call = s.doubted[0]
		if s.doubted = s.doubted[1:]; len(s.doubted) == 0 {
			s.doubted = nil
		}
		return call, true, nil
	}
	if s.later != nil {
		call, s.later = s.later, nil
		return call, true, nil
	}
	return s.in.Next()
}

// publish lets others see what the turn did, where that is something new: storing what is shared costs more than
// comparing it.
func (s *session) publish() {
	if s.last.Load() != s.row {
		s.last.Store(s.row)
	}
	if n := int64(s.in.Buffered()); s.input.Load() != n {
		s.input.Store(n)
	}
	if n := int64(s.in.Size()); s.inSize.Load() != n {
		s.inSize.Store(n)
	}
	if n := int64(cap(s.out.Buf)); s.outSize.Load() != n {
		s.outSize.Store(n)
	}
}

// run hands the gathered calls to the engine.
func (s *session) run() {
	n := len(s.batch.Calls)
	if n == 0 || s.waits {
		return
	}
	if s.inTurn != nil && s.row != nil && s.row.Flags&command.Blocking != 0 {
		s.inTurn()
	}
	if s.tracks != nil { // it hears of keys that give way before the replies
		s.full(s.ctx)
		s.box.catch(&s.out)
	}
	mark := s.out.Len()
	s.batch.DB, s.batch.NoTouch = s.db, s.noTouch
	s.track(s.batch.Calls...)
	s.runs, s.exposed = &s.batch, 0
	err := s.engine.Do(s.ctx, &s.batch, &s.out)
	s.woke = s.woke || s.batch.Woke
	if s.hub.Monitored() {
		s.exposeDone()
	}
	if errors.Is(err, engine.ErrWouldWait) {
		s.waits, n = true, s.batch.Done
	} else if err != nil {
		text := s.failure(err)
		for range n {
			s.out.Error(text)
		}
	}
	// Replies cannot be written out while a batch runs. So batches start small, and stay so for a client whose
	// replies are large.
	switch size := s.out.Len() - mark; {
	case size > 4*flushSize:
		s.most = max(s.most/4, 1)
	case size < flushSize && n == s.most && s.most < maxCalls:
		s.most *= 2
	}
	if s.mute {
		s.out.Truncate(mark)
	}
	s.forget(n)
}

// forget drops the first n gathered calls: they would pin the buffer that they were read into.
func (s *session) forget(n int) {
	left := copy(s.batch.Calls, s.batch.Calls[n:])
	clear(s.batch.Calls[left:])
	s.batch.Calls = s.batch.Calls[:left]
}

// wait runs the call that would wait, to its end or that of the context, which ends the session. The transport has
// written out what was there.
func (s *session) wait(life context.Context) {
	if s.outlast(life) {
		return
	}
	ctx, cancel := context.WithCancelCause(life)
	defer cancel(nil)
	s.blocked(cancel)
	defer s.blocked(nil)
	mark := s.out.Len()
	b := engine.Batch{DB: s.db, Calls: s.batch.Calls[:1], Wait: true, Session: s, NoTouch: s.noTouch}
	s.last.Store(command.Commands.Lookup(b.Calls[0][0]))
	s.expose(b.Calls...)
	s.runs, s.exposed = &b, 1
	switch err := s.engine.Do(ctx, &b, &s.out); {
	case err != nil && life.Err() != nil:
		s.ended = true // nobody is left to be told, and what is behind it must not run
	case err != nil:
		s.out.Error(s.failure(err))
	}
	if s.mute || s.hushed {
		s.out.Truncate(mark)
	}
	s.waits, s.hushed = false, false
	s.forget(1)
}

// single answers one call, looking at all of the session's state.
func (s *session) single(call engine.Call) {
	mark := s.out.Len()
	s.skipThis, s.skipNext = s.skipNext, false
	s.answer(call)
	if s.held { // it comes again, as if for the first time
		s.skipThis, s.skipNext = false, s.skipThis
		return
	}
	if (s.mute || s.skipThis || s.skipNext) && !s.subscribes() {
		s.out.Truncate(mark)
		s.hushed = s.waits
	}
	s.box.catch(&s.out)
	if !s.multi && (s.row == nil || !strings.HasPrefix(s.row.FullName(), "client|")) {
		s.caching = unsaid
	}
	s.settle()
}

// subscribes reports whether the last call's replies are confirmations, which are messages: CLIENT REPLY does not concern them.
func (s *session) subscribes() bool {
	return s.row != nil && s.row.Flags&(command.Session|command.PubSub) == command.Session|command.PubSub
}

// settle draws the conclusions from a changed state.
func (s *session) settle() {
	s.usersAt = s.users.Version()
	user := s.user.Load()
	if s.rights = user.Rights(); user.Gone() {
		s.authenticated, s.ended = false, true
	}
	locked := s.locked()
	s.in.Unauthenticated = locked
	free := !locked && !s.multi && !s.skipNext && !s.subscribed.Load() && s.tracks == nil && !s.monitors && !s.follows.Load()
	s.plain, s.checked = free && s.rights.Everything(), free && !s.rights.Everything()
	s.queued, s.queuedSize = len(s.queue.calls), s.queue.size
	s.dirty, s.ending = s.changed, s.ended
	s.show(&s.state)
}

// answer makes the checks of Redis in its order, then answers the call, queues it or lets it run.
func (s *session) answer(call engine.Call) {
	row, err := command.Commands.Find(call)
	s.row = row
	s.last.Store(row) // CLIENT LIST shows its caller what it is doing
	unknown := err != nil && command.Commands.Lookup(call[0]) == nil
	if err != nil && (!unknown || !s.forwards) {
		s.rejectNamed(call, err.Error())
		return
	}
	switch {
	case s.locked() && (row == nil || row.Flags&command.NoAuth == 0):
		s.reject("NOAUTH Authentication required.")
	case s.multi && row != nil && row.Flags&command.NoMulti != 0:
		s.reject("ERR Command not allowed inside a transaction")
	case s.denied(row, call):
	case s.denies(row) != "":
		s.rejectNamed(call, s.denies(row))
	case s.hushes() && !amongMessages[row]:
		s.reject("ERR Can't execute '" + fullName(row, call) + "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context")
	case (s.monitors || s.follows.Load()) && row != nil && row.Flags&(command.Write|command.ReadOnly|command.MayReplicate) != 0:
		s.reject("ERR Replica can't interact with the keyspace")
	case s.multi && !answers[row].atOnce && s.full(s.ctx):
		s.reject(string(command.ErrOutOfMemory))
	case s.pausedFor(row, call) != nil:
		s.hold(call)
	case s.multi && row == nil:
		if text := s.refusal(call); text != "" {
			s.reject(text)
			return
		}
		s.enqueue(call)
	case s.multi && !answers[row].atOnce:
		s.enqueue(call)
	case row == pingRow && s.hushes():
		pong(call, &s.out)
		s.expose(call)
	case row != nil && row.Flags&command.Session != 0:
		mark, timed := s.out.Len(), s.info.Begin(row)
		s.Run(call, &s.out)
		s.known(mark)
		if !s.held {
			s.info.End(s, row, call, timed)
			s.count(row, mark, false)
			s.expose(call)
		}
	default:
		s.batch.Calls = append(s.batch.Calls, call)
		s.run()
	}
}

var (
	pingRow = command.Commands.Named([]byte("ping")) // has another reply between messages
	execRow = command.Commands.Named([]byte("exec"))
)

// fullName is the name of a call in an error; row is nil if it is not in the table.
func fullName(row *command.Command, call engine.Call) string {
	if row == nil {
		return string(call[0])
	}
	return row.FullName()
}

// reject refuses a call before it runs, which spoils the transaction that it is part of.
func (s *session) reject(text string) {
	s.queue.spoiled = s.queue.spoiled || s.multi
	mark := s.out.Len()
	s.out.Error(text)
	s.count(s.row, mark, true)
}

// rejectNamed is reject for a call that may be EXEC, which then ends the transaction all the same.
func (s *session) rejectNamed(call engine.Call, text string) {
	if row := command.Commands.Lookup(call[0]); row == execRow {
		s.discard()
		text = "EXECABORT Transaction discarded because of: " + strings.TrimPrefix(text, "ERR ")
	}
	s.reject(text)
}

// count adds a call that the engine did not see to its statistics. Its reply begins at mark.
func (s *session) count(row *command.Command, mark int, rejected bool) {
	if s.info != nil {
		s.info.Answered(row, s.out.Buf[mark:], rejected)
	}
}

// DB implements engine.Session.
func (s *session) DB() int { return s.db }

// Served implements engine.Session.
func (s *session) Served() { s.box.begin() }

// Scripted implements engine.Session.
func (s *session) Scripted(call engine.Call, begin bool) {
	if begin {
		s.script = call
	} else if s.tracks != nil {
		s.trackInScript(call)
	}
	if !s.hub.Monitored() {
		return
	}
	from := "lua"
	if begin { // the calls before it come first
		s.exposeDone()
		from = s.origin()
	}
	s.tellMonitors(from, call)
}

// Run implements engine.Session.
func (s *session) Run(call engine.Call, w *resp.Writer) {
	if text, ok := refusalOf(call); ok {
		w.Error(text)
		return
	}
	row, err := command.Commands.Find(call)
	if err != nil {
		w.Error(err.Error())
		return
	}
	a, ok := answers[row]
	if !ok {
		w.Error("ERR '" + row.FullName() + "' cannot be answered by a connection")
		return
	}
	a.run(s, call, w)
}

// known lets other processes know what the session listens to, before they and the client are told of anything else. The replies
// that say so begin at mark.
func (s *session) known(mark int) {
	if s.host == nil {
		return
	}
	err := s.host.Join(s.ctx)
	if err == nil {
		return
	}
	s.out.Truncate(mark)
	if refusal := engine.Discarded(""); errors.As(err, &refusal) {
		s.out.Error(string(refusal))
	} else {
		s.out.Error(s.failure(err))
	}
	s.ended = true // or it would believe that it hears everything
}

// errBrowser ends a session without a reply, as in Redis.
var errBrowser = errors.New("POST or Host: instead of a command: perhaps a web page that attacks servers on its reader's machine")

// fromBrowser reports whether a call is a line of an HTTP request. Any web page can make a browser POST to a server on
// the browser's own machine, and the lines of the body would run as calls.
func fromBrowser(name []byte) bool { return is(name, "post") || is(name, "host:") }

// fault ends the session of a peer that broke the protocol.
func (s *session) fault(err error) {
	s.ended = true
	s.dropped = err
	var broken resp.ProtocolError
	if errors.As(err, &broken) && !s.mute {
		s.out.Error("ERR " + broken.Error())
	}
	s.settle()
}

// failure is the reply to a call of which the engine cannot say what happened.
func (s *session) failure(err error) string {
	text := withoutSecrets(err.Error())
	reply := "ERR " + text
	if errors.As(err, new(*engine.Failure)) {
		reply = text
	}
	if s.ctx.Err() != nil {
		return reply // the connection ended the call, not the engine
	}
	now, before := s.hub.now(), s.failedAt.Load()
	if now-before >= int64(time.Second) && s.failedAt.CompareAndSwap(before, now) {
		s.log.Error("engine failed", "client", s.id, "error", text)
	}
	return reply
}

var userInfo = regexp.MustCompile(`://[^/\s]*@`)

// withoutSecrets hides the user names and passwords of URLs in a text.
func withoutSecrets(text string) string { return userInfo.ReplaceAllString(text, "://…@") }

// taken tells that the transport has written all of out.
func (s *session) taken() {
	if cap(s.out.Buf) > keepSize {
		s.out.Buf = nil
		return
	}
	s.out.Buf = s.out.Buf[:0]
}

// release gives the buffers of a silent connection back.
func (s *session) release() {
	s.in.Release()
	s.out.Buf = nil
	s.publish()
}
