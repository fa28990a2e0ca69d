package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

// Options of an Engine.
type Options struct {
	Now     func() time.Time // the clock; default time.Now
	Logger  *slog.Logger     // takes what scripts log; default slog.Default
	OnEvent func(Event)      // told of every key event after its transaction is committed; default nobody
	NoWait  bool             // calls that would wait answer as inside MULTI; default false
}

// Engine runs batches over a store. It is the only place that knows arity, transactions, retries, undoing a reply
// and events. It is safe for concurrent use.
type Engine struct {
	Settings *Settings // what CONFIG reads and writes
	Info     *Info     // what INFO tells

	store      keyspace.Store
	now        func() time.Time
	onEvent    func(Event)
	noWait     bool
	notify     atomic.Uint32 // what notify-keyspace-events selects, as bits
	broker     broker
	shared     keyspace.Shared // the store, if other processes may have it too; nil: none does
	elsewhere  atomic.Uint64   // what they want to hear of
	telling    turns           // a ticket is taken before a commit, and left when its news are told: they are told in the order of commits
	needKeys   bool
	blocked    atomic.Int64 // calls that wait
	busy       busy         // the scripts that run
	pauses     pauses       // CLIENT PAUSE
	bounded    atomic.Bool  // keys may take only so much memory
	followers  followers
	watching   watching
	slowlog    slowlog
	latencies  latencies
	saves      saves
	changes    atomic.Int64                 // keys written
	reloaded   atomic.Pointer[bytes.Buffer] // the image that DEBUG RELOAD wrote last
	allScripts atomic.Bool                  // scripts may call what they must not
	contexts   sync.Pool
	table      *Table // Commands, for commands about commands: they stand in it and cannot name it

	scripts scripts      // what EVALSHA and FCALL know
	wanted  atomic.Int64 // how many replicas there must be for calls that write
	log     *slog.Logger

	conflicts atomic.Int64
}

// maxRetries bounds how often a batch is run again after a conflict, before its client is told to try later.
const maxRetries = 100

// NewEngine returns an engine that owns the store: Close closes it.
func NewEngine(store keyspace.Store, o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	e := &Engine{store: store, now: o.Now, log: o.Logger, onEvent: o.OnEvent, noWait: o.NoWait, table: Commands}
	if s, ok := store.(keyspace.KeyNeeder); ok {
		e.needKeys = s.NeedKeys()
	}
	if s, ok := store.(keyspace.Observed); ok {
		s.Observe(&onlooker{newCtx(e)})
	}
	if s, ok := store.(keyspace.Cuttable); ok {
		s.CutBy(e.busy.Cut)
	}
	if s, ok := store.(keyspace.Shared); ok {
		e.shared = s
		s.Share(peer{e})
	}
	e.pauses.keep = keeper(store)
	e.scripts.table = Commands
	e.contexts.New = func() any { return newCtx(e) }
	e.Settings = newSettings()
	if s, ok := store.(keyspace.Limited); ok {
		e.Settings.limit(s)
	}
	if s, ok := store.(keyspace.Bounded); ok {
		e.bound(s)
	}
	e.wantFollowers()
	e.Settings.Register(Setting{Name: "notify-keyspace-events", Normal: normalEvents, Apply: func(letters string) error {
		e.selectEvents(letters)
		return nil
	}})
	e.Info = newInfo(e)
	e.Settings.then(func(string) error { e.watch(); return nil }, "slowlog-log-slower-than", "latency-monitor-threshold", "latency-tracking")
	e.watch()
	e.Info.Register("stats", e.infoChannels)
	e.Info.Register("memory", e.infoScripts)
	e.saves.last = e.Info.started / 1000
	return e
}

// guard is a Watch and the store that it is of.
type guard struct{ keyspace.Watch }

// Watch implements engine.Engine.
func (e *Engine) Watch(ctx context.Context, db int, keys [][]byte) (engine.Guard, error) {
	w, err := e.store.Watch(ctx, db, keys, e.now().UnixMilli())
	if errors.Is(err, keyspace.ErrCut) {
		return nil, engine.Discarded(e.busyRefusal())
	}
	if err != nil {
		return nil, e.failure("watch", err)
	}
	return guard{w}, nil
}

// Embedded returns e. An engine that wraps one by embedding it is known by this method: its front may tell CONFIG and
// INFO of itself.
func (e *Engine) Embedded() *Engine { return e }

// Waiting is how many calls wait, for keys or for the end of a pause.
func (e *Engine) Waiting() int { return int(e.blocked.Load() + e.pauses.held.Load()) }

// Close implements engine.Engine. It ends the scripts that run.
func (e *Engine) Close() error {
	e.busy.close()
	e.pauses.end()
	e.saves.end()
	return e.store.Close()
}

// Do implements engine.Engine.
func (e *Engine) Do(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	c := e.contexts.Get().(*Ctx)
	mark := w.Len()
	access := e.prepare(c, b)
	e.equip(ctx, c, b, w)
	err := keyspace.ErrCut
	if e.busy.overdue.Load() == nil {
		err = e.segment(ctx, c, b, access)
	}
	for errors.Is(err, engine.ErrWouldWait) && b.Wait {
		err = e.goOn(ctx, c, b, access, err)
	}
	if errors.Is(err, keyspace.ErrCut) {
		err = e.doBusy(c, b)
	}
	if err != nil && !errors.Is(err, engine.ErrWouldWait) {
		w.Truncate(mark)
		err = e.failure("run batch", err)
	} else {
		e.Info.called(c.rows[:b.Done], &c.watch)
	}
	b.Woke = c.woke
	e.countChanges(c)
	c.tellNews()
	joins := c.joins
	c.release()
	e.contexts.Put(c)
	if joins {
		_ = e.Join(ctx) // or the store does it soon: who listens is known already
	}
	return err
}

// equip gives c what the calls of the batch need.
func (e *Engine) equip(ctx context.Context, c *Ctx, b *engine.Batch, w *resp.Writer) {
	b.Done = 0
	c.ctx, c.W, c.Session, c.looks.Unused = ctx, w, b.Session, b.NoTouch
	c.bounded, c.short, c.lonely, c.blockable = e.bounded.Load(), false, e.lonely(), !b.Atomic && !e.noWait
}

// countChanges counts the keys that the batch has written.
func (e *Engine) countChanges(c *Ctx) {
	if c.changes > 0 {
		e.changes.Add(c.changes)
		c.changes = 0
	}
}

// goOn waits for what the batch has stopped before, and runs what is left of it. why is what segment returned.
func (e *Engine) goOn(ctx context.Context, c *Ctx, b *engine.Batch, a keyspace.Access, why error) (err error) {
	c.tellSoon() // or nobody could tell anything before this has waited
	if errors.Is(why, errHeld) {
		err = e.outlast(ctx, c, b)
	} else {
		err = e.wait(ctx, c, b, a)
	}
	if err != nil || b.Done == len(b.Calls) {
		return err
	}
	a.Now = e.now().UnixMilli()
	return e.segment(ctx, c, b, a)
}

// segment runs calls in a transaction, from the first that is not answered to the end or to one that would wait, which it
// tells by ErrWouldWait.
func (e *Engine) segment(ctx context.Context, c *Ctx, b *engine.Batch, a keyspace.Access) error {
	mark, done, news := c.W.Len(), b.Done, c.news.mark()
	err := e.run(ctx, c, b, a)
	for try := 1; err != nil && worthARetry(err, try); try++ {
		e.conflicts.Add(1)
		c.W.Truncate(mark)
		b.Done = done
		c.news.truncate(news)
		err = e.run(ctx, c, b, a)
	}
	return err
}

// worthARetry reports whether a batch, of which nothing is left after so many tries, may fare better if it is run again.
func worthARetry(err error, tries int) bool {
	return errors.Is(err, keyspace.ErrConflict) && tries < maxRetries ||
		errors.Is(err, keyspace.ErrLost) && tries == 1 // the store has a new connection then, or none is to be had
}

// release drops what must not outlive the batch.
func (c *Ctx) release() {
	c.Args, c.Row, c.Tx, c.W, c.Session, c.ctx = nil, nil, nil, nil, nil, nil
	c.one[0], c.pair[0], c.pair[1] = nil, nil, nil
	clear(c.values)
	c.values = c.values[:0]
	c.news.reset()
	c.rows = c.rows[:0]
	c.awaits, c.woke, c.pause, c.looks.Kept, c.joins = awaited{}, false, nil, false, false
	c.zset.release()
	c.stream.release()
	c.fields.release()
	if cap(c.values) > 1<<16 { // a giant MGET must not pin its scratch for ever
		c.values, c.entries, c.bools, c.floats, c.num = nil, nil, nil, nil, nil
	}
}

// manyCalls is from how many calls on a batch is one that others need not wait for.
const manyCalls = 1000

// prepare looks the rows up and sums what the batch may touch. The row of an unknown call is nil.
func (e *Engine) prepare(c *Ctx, b *engine.Batch) keyspace.Access {
	now := e.now()
	a := keyspace.Access{DB: b.DB, Now: now.UnixMilli(), Alone: len(b.Calls) >= manyCalls, Observer: c, Lookup: &c.looks}
	var last Last
	for _, call := range b.Calls {
		row := last.Lookup(call[0]).of(call)
		c.rows = append(c.rows, row)
		if row == nil {
			continue
		}
		a.Write = a.Write || row.writes
		a.All = a.All || row.Flags&AllKeys != 0
		a.Alone = a.Alone || row.long
		if e.needKeys {
			a.Keys = row.Keys.Append(a.Keys, call)
		}
	}
	c.watch.start(e, now, c.rows)
	return a
}

// run is one try of a batch in a transaction of its own. What is answered before a call that would wait is committed.
func (e *Engine) run(ctx context.Context, c *Ctx, b *engine.Batch, a keyspace.Access) error {
	tx, err := e.store.Begin(ctx, a)
	if err != nil {
		return err
	}
	committed := false
	defer func() { // after a panic too: whoever recovers must not find the keyspace locked
		if !committed {
			tx.Rollback()
		}
	}()
	c.Tx, c.DB, c.Now = tx, b.DB, a.Now
	e.lookAround(c)
	if b.Atomic || b.Guard != nil {
		if err := e.admit(c, b); err != nil {
			return err
		}
	}
	stopped := e.calls(c, b)
	if stopped != nil && !errors.Is(stopped, engine.ErrWouldWait) {
		c.news.forget()
		return stopped
	}
	c.eff.part() // what it brings others is none of it
	committed = true
	if err := tx.Commit(); err != nil {
		c.news.forget()
		c.tellSoon() // nothing, but others may wait for its turn to be over
		return err
	}
	return stopped
}

// lookAround notes what is so for as long as the transaction lasts.
func (e *Engine) lookAround(c *Ctx) {
	c.eff.on = e.followers.on.Load()
	if c.looks.Waited {
		c.looks.Waited = false
		c.watch.waited(e)
	}
	c.pause = e.pauses.now.Load()
	c.looks.Kept = c.pause != nil
}

// admit looks at what stops an atomic batch as a whole: a pause, a key that has changed since it was watched, a store that is full
// or replicas that are missing. Without a session each call is told why it cannot run.
func (e *Engine) admit(c *Ctx, b *engine.Batch) error {
	if b.Atomic && c.pause != nil && e.holdsAny(c.pause, c.rows, b.Calls) {
		return errHeld
	}
	if b.Guard != nil {
		changed, err := b.Guard.(guard).Changed(c.Tx)
		if err != nil {
			return err
		}
		if changed {
			return engine.ErrChanged
		}
	}
	if !b.Atomic || !c.bounded && !c.lonely {
		return nil
	}
	refusal, err := c.refusesAll()
	switch {
	case err != nil:
		return err
	case refusal == "":
		return nil
	case b.Session != nil:
		return engine.Discarded(refusal)
	}
	for ; b.Done < len(b.Calls); b.Done++ {
		if err := e.refuse(c, c.rows[b.Done], c.W.Len(), refusal, true); err != nil {
			return err
		}
	}
	return nil
}

// calls runs the calls that are not answered. It stops before one that would wait, which it tells by ErrWouldWait.
func (e *Engine) calls(c *Ctx, b *engine.Batch) error {
	for ; b.Done < len(b.Calls); b.Done++ {
		row, call := c.rows[b.Done], b.Calls[b.Done]
		if c.pause != nil && !b.Atomic && e.holdsBack(c.pause, row, call) {
			return errHeld
		}
		if err := e.timed(c, row, call); err != nil {
			return err
		}
		if b.Atomic {
			continue
		}
		c.eff.part()
		if err := c.Tx.Settle(); err != nil {
			return err
		}
	}
	return nil
}

// timed is call, and notes how long it took.
func (e *Engine) timed(c *Ctx, row *Command, call engine.Call) error {
	if !c.watch.alone(row) {
		if err := e.call(c, row, call); err != nil {
			return err
		}
		c.watch.shared++
		c.watch.fresh = false
		return nil
	}
	c.watch.begin(e)
	c.rejected = false
	if err := e.call(c, row, call); err != nil {
		return err
	}
	if took := c.watch.end(e); !c.rejected {
		e.took(c.Session, row, call, took, c.watch.at)
	}
	return nil
}

// call runs one call and leaves exactly one reply. An error is a failure of the store.
func (e *Engine) call(c *Ctx, row *Command, call engine.Call) error {
	mark := c.W.Len()
	var err error
	switch {
	case row == nil || row.Run == nil || !row.Fits(len(call)):
		if err = e.other(c, call); err != nil {
			return e.refuse(c, row, mark, err, true)
		}
	case (c.bounded || c.lonely) && c.blockable:
		refusal, err := c.refuses(row)
		if refusal != "" {
			err = refusal
		}
		if err != nil {
			return e.refuse(c, row, mark, err, true)
		}
		fallthrough
	default:
		c.Args, c.Row, c.looks.Counts = call, row, row.reads
		err = c.run()
	}
	if err == nil {
		return nil
	}
	return e.refuse(c, row, mark, err, false)
}

// refuse makes the reply, which begins at mark, of a refusal. Any other error it returns. A call that is rejected did not run.
func (e *Engine) refuse(c *Ctx, row *Command, mark int, err error, rejected bool) error {
	if err == nil {
		return nil
	}
	c.W.Truncate(mark)
	r, ok := refusal(err)
	if !ok {
		return err
	}
	e.Info.refused(row, string(r), rejected)
	c.rejected = rejected
	if rejected && row != nil {
		e.Info.rows[row.index].calls.Add(-1) // it is going to be counted with its batch
	}
	c.W.Error(string(r))
	return nil
}

// other answers the calls that no Run does: unknown ones, wrong ones, and those of the session.
func (e *Engine) other(c *Ctx, call engine.Call) error {
	row, err := Commands.Find(call)
	if err != nil {
		return err
	}
	if c.Session == nil {
		return Refusal("ERR '" + row.FullName() + "' needs a connection")
	}
	mark := c.W.Len()
	c.Session.Run(call, c.W)
	if text, ok := errorReply(c.W.Buf[mark:]); ok {
		e.Info.refused(row, text, false)
	}
	if db := c.Session.DB(); db != c.DB {
		c.DB = db
		return c.Tx.Select(db)
	}
	return nil
}

// codes are what clients tell failures of a store by, the first that fits. Redis has them for what comes nearest, and clients know
// them: READONLY, MASTERDOWN and TRYAGAIN ask for another try.
var codes = []struct {
	err  error
	code string
}{
	{keyspace.ErrInDoubt, "ERR"}, // another try might do it twice
	{keyspace.ErrLost, "MASTERDOWN"},
	{keyspace.ErrBusy, "TRYAGAIN"},
	{keyspace.ErrConflict, "TRYAGAIN"},
	{keyspace.ErrBeginAgain, "TRYAGAIN"},
	{keyspace.ErrReadOnly, "READONLY"},
	{keyspace.ErrFull, "MISCONF"}, // as when the append-only file cannot be written
	{keyspace.ErrTooLarge, "ERR"},
	{keyspace.ErrDamaged, "ERR"},
}

// failure puts a store's error into the engine's words.
func (e *Engine) failure(what string, err error) error {
	switch {
	case errors.Is(err, keyspace.ErrClosed):
		return engine.ErrClosed
	case errors.Is(err, engine.ErrChanged), errors.As(err, new(engine.Discarded)):
		return err
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return &engine.Failure{Code: c.code, Err: err}
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}
