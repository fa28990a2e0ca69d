// The fast lane: commands of a client run straight on the engine in the same process, without a connection.

package redbud

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/server"
)

// lane is the hook of a client that takes the commands it knows. All else goes on to the client's connections: types of
// replies it can't read, commands that concern the connection, arguments it can't turn into bytes in a pipeline; and everything
// while somebody monitors.
//
// go-redis asks a hook again for its functions whenever another hook is added, and for each Conn and Tx made of the client.
// Then the lane steps aside: the other hook has to see the command, and a Conn's may be in another database or carry WATCH.
type lane struct {
	engine engine.Engine
	hub    *server.Hub
	db     int
	closed atomic.Bool

	processes atomic.Int32 // how often each was asked for
	pipelines atomic.Int32
	turns     sync.Pool // of *turn
}

// DialHook implements redis.Hook.
func (l *lane) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (l *lane) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	if l.processes.Add(1) > 1 {
		return next
	}
	return func(ctx context.Context, cmd redis.Cmder) error { return l.process(ctx, cmd, next) }
}

// ProcessPipelineHook implements redis.Hook. A client asks for it twice: for pipelines and for transactions.
func (l *lane) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	if l.pipelines.Add(1) > 2 {
		return next
	}
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if n := len(cmds); n > 2 && isStatus(cmds[0], "multi") && isSlice(cmds[n-1], "exec") {
			return l.transaction(ctx, cmds, next)
		}
		return l.pipeline(ctx, cmds, next)
	}
}

func isStatus(cmd redis.Cmder, name string) bool {
	_, ok := cmd.(*redis.StatusCmd)
	return ok && cmd.Name() == name
}

func isSlice(cmd redis.Cmder, name string) bool {
	_, ok := cmd.(*redis.SliceCmd)
	return ok && cmd.Name() == name
}

// turn is one use of the engine with its buffers.
type turn struct {
	batch engine.Batch
	calls []engine.Call
	args  [][]byte // of all calls
	text  []byte   // the numbers among them
	w     resp.Writer

	scripts bool // some of the calls run scripts
	left    bool // a goroutine still uses it
}

// keep is the size up to which a turn's buffers are kept for the next, unless the garbage collector takes them first.
const keep = 1 << 20

func (l *lane) take() *turn {
	if t, ok := l.turns.Get().(*turn); ok {
		return t
	}
	return &turn{w: resp.Writer{Proto: 3}}
}

func (l *lane) give(t *turn) {
	if t.left || cap(t.w.Buf) > keep || cap(t.text) > keep || cap(t.args) > keep/24 {
		return
	}
	// They are the caller's.
	clear(t.args)
	clear(t.calls)
	t.calls, t.args, t.text, t.w.Buf, t.scripts = t.calls[:0], t.args[:0], t.text[:0], t.w.Buf[:0], false
	l.turns.Put(t)
}

// add appends a command as a call.
func (t *turn) add(cmd redis.Cmder) error {
	from := len(t.args)
	for _, a := range cmd.Args() {
		if err := t.arg(a); err != nil {
			return err
		}
	}
	t.calls = append(t.calls, t.args[from:len(t.args):len(t.args)])
	return nil
}

// fits reports whether the engine can run the last call that was added, and nothing but the engine is needed for it.
func (t *turn) fits() bool {
	row := command.Commands.Lookup(t.calls[len(t.calls)-1][0])
	t.scripts = t.scripts || row != nil && row.Group == "scripting"
	return row != nil && row.Subs == nil && row.Flags&command.Session == 0
}

// run runs the calls that were added.
func (l *lane) run(ctx context.Context, t *turn, atomic bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.closed.Load() {
		return redis.ErrClosed
	}
	t.batch = engine.Batch{DB: l.db, Calls: t.calls, Atomic: atomic, Wait: true}
	do := l.do
	if t.scripts && ctx.Done() != nil {
		do = l.doApart
	}
	err := do(ctx, t)
	if errors.Is(err, engine.ErrClosed) {
		return redis.ErrClosed
	}
	return err
}

func (l *lane) do(ctx context.Context, t *turn) error { return l.engine.Do(ctx, &t.batch, &t.w) }

// doApart is do for scripts, in a goroutine: a script that has written runs to its end, its caller leaves when the context ends.
func (l *lane) doApart(ctx context.Context, t *turn) error {
	calls := make([]engine.Call, len(t.calls))
	for i, call := range t.calls { // the bytes are the caller's
		calls[i] = make(engine.Call, len(call))
		for j, word := range call {
			calls[i][j] = bytes.Clone(word)
		}
	}
	t.batch.Calls = calls
	done := make(chan error, 1)
	go func() { done <- l.do(ctx, t) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		t.left = true
		return context.Cause(ctx)
	}
}

func (l *lane) process(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
	if len(cmd.Args()) == 0 || !readable(cmd) || l.hub.Monitored() {
		return next(ctx, cmd)
	}
	t := l.take()
	defer l.give(t)
	if err := t.add(cmd); err != nil {
		return err
	}
	if !t.fits() {
		return next(ctx, cmd)
	}
	if err := l.run(ctx, t, false); err != nil {
		return err
	}
	r := reply{rest: t.w.Buf}
	return r.into(cmd)
}

// bound is how many calls of a pipeline run at once: other callers have their turn in between.
const bound = 256

func (l *lane) pipeline(ctx context.Context, cmds []redis.Cmder, next redis.ProcessPipelineHook) error {
	t := l.take()
	defer l.give(t)
	if l.hub.Monitored() || !t.addAll(cmds, (*turn).fits) {
		return next(ctx, cmds)
	}
	calls := t.calls
	for from := 0; from < len(cmds); from += bound {
		to := min(from+bound, len(cmds))
		t.calls, t.w.Buf = calls[from:to], t.w.Buf[:0]
		err := l.run(ctx, t, false)
		if err == nil {
			err = t.read(cmds[from:to])
		}
		if err != nil {
			fail(cmds[from:], err)
			break
		}
	}
	t.calls = calls
	return first(cmds)
}

func (l *lane) transaction(ctx context.Context, cmds []redis.Cmder, next redis.ProcessPipelineHook) error {
	t := l.take()
	defer l.give(t)
	inner := cmds[1 : len(cmds)-1]
	// Redis aborts a transaction with a call that it can't queue; the connection knows how.
	queues := func(t *turn) bool {
		row, err := command.Commands.Find(t.calls[len(t.calls)-1])
		return err == nil && row.Flags&command.NoMulti == 0 && t.fits()
	}
	if l.hub.Monitored() || !t.addAll(inner, queues) {
		return next(ctx, cmds)
	}
	err := l.run(ctx, t, true)
	if err == nil {
		err = t.read(inner)
	}
	if err != nil {
		fail(cmds, err)
	}
	return first(cmds)
}

// addAll adds commands, and reports whether each of them is one for the engine.
func (t *turn) addAll(cmds []redis.Cmder, good func(*turn) bool) bool {
	for _, cmd := range cmds {
		if len(cmd.Args()) == 0 || !readable(cmd) || t.add(cmd) != nil || !good(t) {
			return false
		}
	}
	return true
}

// read gives the commands their replies. An error means that what follows can't be read either.
func (t *turn) read(cmds []redis.Cmder) error {
	r := reply{rest: t.w.Buf}
	for _, cmd := range cmds {
		err := r.into(cmd)
		cmd.SetErr(err)
		if err != nil && !errors.As(err, new(redis.Error)) {
			return err
		}
	}
	return nil
}

// fail gives the error to the commands that have none.
func fail(cmds []redis.Cmder, err error) {
	for _, cmd := range cmds {
		if cmd.Err() == nil {
			cmd.SetErr(err)
		}
	}
}

func first(cmds []redis.Cmder) error {
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return err
		}
	}
	return nil
}
