// Batches: which call goes where, and transactions.
package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// way is how a call is answered.
type way int

const (
	forwarded way = iota // in a pipeline with others
	alone                // on a connection of its own: it may block
	session              // by the connection that the batch came from
)

// ways are the calls that are not simply forwarded, whatever the table of commands says of them: on a shared connection
// they would concern whoever uses it next, or stop the traffic on it.
var ways = map[string]way{
	"blpop": alone, "brpop": alone, "brpoplpush": alone, "blmove": alone, "blmpop": alone,
	"bzpopmin": alone, "bzpopmax": alone, "bzmpop": alone, "wait": alone, "waitaof": alone,

	"auth": session, "hello": session, "select": session, "quit": session, "reset": session, "client": session,
	"multi": session, "exec": session, "discard": session, "watch": session, "unwatch": session,
	"subscribe": session, "psubscribe": session, "ssubscribe": session,
	"unsubscribe": session, "punsubscribe": session, "sunsubscribe": session,
	"monitor": session, "sync": session, "psync": session, "replconf": session,
	"asking": session, "readonly": session, "readwrite": session,
}

func wayOf(call engine.Call) way {
	name := strings.ToLower(string(call[0]))
	row, err := command.Commands.Find(call)
	if name == "client" && err == nil && row.Flags&command.Session == 0 {
		return forwarded // it concerns no connection
	}
	if w, ok := ways[name]; ok {
		return w
	}
	if err == nil && row.Flags&command.Session != 0 {
		return session
	}
	if name == "xread" || name == "xreadgroup" {
		for _, a := range call[1:] {
			if strings.EqualFold(string(a), "block") {
				return alone
			}
		}
	}
	return forwarded
}

// reads reports whether running the calls twice is the same as running them once.
func reads(calls []engine.Call) bool {
	for _, call := range calls {
		row := command.Commands.Lookup(call[0])
		if row == nil || row.Flags&command.ReadOnly == 0 || row.Flags&command.Write != 0 {
			return false
		}
	}
	return true
}

func proto(w *resp.Writer) int {
	if w.RESP3() {
		return 3
	}
	return 2
}

// pipeline runs a batch that is no transaction.
func (e *Engine) pipeline(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	db, from := b.DB, 0
	for i, call := range b.Calls {
		how := wayOf(call)
		if how == forwarded {
			continue
		}
		if err := e.forward(ctx, db, b.Calls[from:i], w); err != nil {
			return err
		}
		from = i + 1
		if how == alone {
			if !b.Wait {
				b.Done = i
				return engine.ErrWouldWait
			}
			if err := e.block(ctx, db, call, w); err != nil {
				return err
			}
			continue
		}
		answer(b.Session, call, w)
		if b.Session != nil {
			db = b.Session.DB()
		}
	}
	return e.forward(ctx, db, b.Calls[from:], w)
}

// answer lets the session answer a call.
func answer(s engine.Session, call engine.Call, w *resp.Writer) {
	if s == nil {
		w.Error("ERR '" + strings.ToLower(string(call[0])) + "' needs a connection")
		return
	}
	s.Run(call, w)
}

// forward runs calls that need nothing special.
func (e *Engine) forward(ctx context.Context, db int, calls []engine.Call, w *resp.Writer) error {
	if len(calls) == 0 {
		return nil
	}
	if e.options.IsClusterMode {
		return e.spread(ctx, db, calls, w)
	}
	c, err := e.node(pool{db, proto(w)})
	if err != nil {
		return err
	}
	x, err := e.exchange(ctx, c, calls)
	if err != nil {
		return err
	}
	w.Raw(x.buf)
	return nil
}

// exchange runs calls on any connection of a client.
func (e *Engine) exchange(ctx context.Context, c pipeliner, calls []engine.Call) (*exchange, error) {
	x := newExchange(ctx, calls)
	err := e.await(ctx, func() error { return x.on(ctx, c) }, nil)
	if errors.As(err, new(*LostError)) && reads(calls) {
		x = newExchange(ctx, calls)
		err = e.await(ctx, func() error { return x.on(ctx, c) }, nil)
	}
	return x, err
}

// block runs a call that may wait for long. Its client has this connection alone, so that closing it interrupts the call
// without letting it take an element that nobody would see.
func (e *Engine) block(ctx context.Context, db int, call engine.Call, w *resp.Writer) error {
	calls := []engine.Call{call}
	c, err := e.home(ctx, db, proto(w), calls)
	if err != nil {
		return err
	}
	o := *c.Options()
	o.PoolSize, o.MinIdleConns, o.MaxIdleConns, o.MaxActiveConns = 1, 0, 0, 0
	o.ReadTimeout, o.MaxRetries, o.PipelinePoolSize = -1, -1, -1
	own := redis.NewClient(&o)
	defer own.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(e.life, stop)()
	defer context.AfterFunc(ctx, func() { _ = own.Close() })()
	x := newExchange(ctx, calls)
	err = e.await(ctx, func() error { return x.on(ctx, own) }, nil)
	switch {
	case e.life.Err() != nil:
		return engine.ErrClosed
	case err != nil && errors.Is(context.Cause(ctx), engine.ErrTimeout):
		w.NullArray()
		return nil
	case err != nil && errors.Is(context.Cause(ctx), engine.ErrUnblocked):
		w.Error("UNBLOCKED client unblocked via CLIENT UNBLOCK")
		return nil
	case err != nil && ctx.Err() != nil:
		return abandoned{ctx.Err()} // rather than what its connection says about being closed
	case err != nil:
		return err
	}
	w.Raw(x.buf)
	return nil
}

// home is the client of the server that has the keys of the calls.
func (e *Engine) home(ctx context.Context, db, proto int, calls []engine.Call) (*redis.Client, error) {
	if !e.options.IsClusterMode {
		return e.node(pool{db, proto})
	}
	key, err := e.firstKey(ctx, calls)
	if err != nil {
		return nil, err
	}
	return e.masterOf(ctx, proto, key)
}

// guard is a connection that watches keys.
type guard struct {
	e  *Engine
	db int

	mu   sync.Mutex // guards all below
	conn *redis.Conn
	done bool // nothing is watched any more
}

// guardProto is the protocol version of the connections that guards hold.
const guardProto = 2

// Watch implements engine.Engine. The guard holds a connection until its Release.
func (e *Engine) Watch(ctx context.Context, db int, keys [][]byte) (engine.Guard, error) {
	call := append(engine.Call{[]byte("WATCH")}, keys...)
	c, err := e.home(ctx, db, guardProto, []engine.Call{call})
	if err != nil {
		return nil, err
	}
	conn := c.Conn()
	x := newExchange(ctx, []engine.Call{call})
	err = e.await(ctx, func() error { return x.on(ctx, conn) }, func() { _ = conn.Close() })
	if err == nil && x.reply(0)[0] == '-' {
		err = refusalOf(x.reply(0))
	}
	if err != nil {
		if !errors.As(err, new(abandoned)) {
			_ = conn.Close()
		}
		return nil, err
	}
	return &guard{e: e, db: db, conn: conn}, nil
}

// refusalOf is an error reply as an error.
func refusalOf(raw []byte) error { return turn(strings.TrimSuffix(string(raw[1:]), "\r\n")) }

// take gives the connection away; nobody else has it then.
func (g *guard) take() (c *redis.Conn, done bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, g.conn = g.conn, nil
	return c, g.done
}

func (g *guard) put(c *redis.Conn, done bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conn, g.done = c, done
}

// Release gives the connection back, which watches nothing any more.
func (g *guard) Release() {
	c, done := g.take()
	if c == nil {
		return
	}
	if !done {
		// When it fails the connection is bad, and Close drops it.
		_ = newExchange(context.Background(), []engine.Call{words("UNWATCH")}).on(context.Background(), c)
	}
	_ = c.Close()
}

func words(s ...string) engine.Call {
	call := make(engine.Call, len(s))
	for i := range s {
		call[i] = []byte(s[i])
	}
	return call
}

// plan is what a transaction sends, and where the replies are.
type plan struct {
	calls []engine.Call
	multi int   // index of MULTI in calls; those of the batch follow it
	exec  int   // index of EXEC
	place []int // for each call of the batch its place after MULTI, or -1: the session answers
}

// plan lays a batch out. What the connection was before, it is afterwards: its database and its protocol version.
func (b *transaction) plan() plan {
	var p plan
	if b.conn != nil {
		if b.proto != guardProto {
			p.calls = append(p.calls, words("HELLO", strconv.Itoa(b.proto)))
		}
		if b.DB != b.home {
			p.calls = append(p.calls, words("SELECT", strconv.Itoa(b.DB)))
		}
	}
	p.multi = len(p.calls)
	p.calls = append(p.calls, words("MULTI"))
	moved := b.DB != b.home
	for _, call := range b.Calls {
		// SELECT is the session's, but Redis has to know it too.
		selects := strings.EqualFold(string(call[0]), "select")
		if wayOf(call) == session && !(selects && b.Session != nil) {
			p.place = append(p.place, -1)
			continue
		}
		moved = moved || selects
		p.place = append(p.place, len(p.calls)-p.multi-1)
		p.calls = append(p.calls, call)
	}
	p.exec = len(p.calls)
	p.calls = append(p.calls, words("EXEC"))
	if moved {
		p.calls = append(p.calls, words("SELECT", strconv.Itoa(b.home)))
	}
	if b.conn != nil && b.proto != guardProto {
		p.calls = append(p.calls, words("HELLO", strconv.Itoa(guardProto)))
	}
	return p
}

// transaction is a batch between MULTI and EXEC.
type transaction struct {
	*engine.Batch
	proto int
	home  int         // the database that the connection is in
	conn  *redis.Conn // the guard's; nil without a guard
}

// transaction runs an atomic batch.
func (e *Engine) transaction(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	if e.options.IsClusterMode && crossesSlots(b.Calls) {
		for range b.Calls {
			w.Error("CROSSSLOT Keys in request don't hash to the same slot")
		}
		return nil
	}
	t := transaction{Batch: b, proto: proto(w), home: b.DB}
	g, _ := b.Guard.(*guard)
	var on pipeliner
	if g != nil {
		if t.conn, _ = g.take(); t.conn == nil {
			return errors.New("a guard serves one transaction")
		}
		t.home, on = g.db, t.conn
	} else {
		c, err := e.home(ctx, b.DB, t.proto, b.Calls)
		if err != nil {
			return err
		}
		on = c
	}
	p := t.plan()
	x := newExchange(ctx, p.calls)
	err := e.await(ctx, func() error { return x.on(ctx, on) }, func() {
		if t.conn != nil {
			_ = t.conn.Close()
		}
	})
	if g != nil && !errors.As(err, new(abandoned)) {
		g.put(t.conn, err == nil && x.reply(p.exec)[0] != '-')
	}
	if err != nil {
		return err
	}
	return t.merge(p, x, w)
}

// Queue implements engine.Queuer: Redis itself is asked, in a transaction that is given up.
func (e *Engine) Queue(ctx context.Context, db int, call engine.Call) (refusal string, err error) {
	if wayOf(call) == session {
		return "ERR Command not allowed inside a transaction", nil
	}
	c, err := e.home(ctx, db, guardProto, []engine.Call{call})
	if err != nil {
		return "", err
	}
	x := newExchange(ctx, []engine.Call{words("MULTI"), call, words("DISCARD")})
	if err := e.await(ctx, func() error { return x.on(ctx, c) }, nil); err != nil {
		return "", err
	}
	if x.reply(1)[0] == '-' {
		refusal = refusalOf(x.reply(1)).Error()
	}
	return refusal, nil
}

// merge writes a reply for each call of the batch, the session's in their places.
func (t *transaction) merge(p plan, x *exchange, w *resp.Writer) error {
	exec := x.reply(p.exec)
	switch {
	case exec[0] == '_' || strings.HasPrefix(string(exec), "*-1"):
		return engine.ErrChanged
	case exec[0] == '-':
		return t.aborted(p, x, w)
	}
	replies, err := elements(exec)
	if err != nil {
		return fmt.Errorf("read the reply of EXEC: %w", err)
	}
	if len(replies) != p.exec-p.multi-1 {
		return fmt.Errorf("EXEC gave %d replies for %d calls", len(replies), p.exec-p.multi-1)
	}
	for i, call := range t.Calls {
		switch at := p.place[i]; {
		case at < 0:
			answer(t.Session, call, w)
		case strings.EqualFold(string(call[0]), "select") && replies[at][0] == '+':
			t.Session.Run(call, w)
		default:
			w.Raw(replies[at])
		}
	}
	return nil
}

// aborted tells why nothing ran: Redis refused MULTI, or it could not queue some of the calls.
func (t *transaction) aborted(p plan, x *exchange, w *resp.Writer) error {
	why, multi := x.reply(p.exec), x.reply(p.multi)
	if multi[0] == '-' {
		why = multi
	}
	for _, at := range p.place {
		reply := why
		if queued := p.multi + 1 + at; at >= 0 && x.reply(queued)[0] == '-' {
			reply = x.reply(queued)
		}
		if t.Session != nil && multi[0] != '-' && string(reply) != string(why) {
			return fmt.Errorf("%w: %w", engine.ErrAborted, refusalOf(reply))
		}
		w.Raw(reply)
	}
	return nil
}
