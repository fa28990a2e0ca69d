package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/engine"
)

// Listen implements engine.Engine. Each listener that subscribes has a connection of its own: the server counts it as one
// subscriber, and keeps its messages in order. When that is lost it is made again, and the listener told so.
//
// Changes are told by the server's client-side caching, to a further connection.
func (e *Engine) Listen(f func(*engine.Message)) engine.Listener {
	l := &listener{engine: e, hear: f}
	l.life, l.end = context.WithCancel(e.life)
	return l
}

// listener implements engine.Listener.
type listener struct {
	engine *Engine
	hear   func(*engine.Message)
	life   context.Context // ends with Close
	end    context.CancelFunc

	feeds  map[string]*feed // by what they are for, as feedFor says
	client *redis.Client    // of the feed of changes
}

// retryAfter is how long a lost connection rests before it is made again.
const retryAfter = 100 * time.Millisecond

// Subscribe implements engine.Listener.
func (l *listener) Subscribe(ctx context.Context, kind engine.Kind, names ...[]byte) error {
	if l.life.Err() != nil {
		return engine.ErrClosed
	}
	if kind == engine.Changes {
		return l.track(ctx)
	}
	for _, part := range l.parts(kind, names) {
		f := l.feeds[l.feedFor(kind, part)]
		if f == nil {
			f = l.open(l.feedFor(kind, part), kind, l.engine.client)
		}
		if err := f.subscribe(ctx, kind, part...); err != nil {
			return err
		}
	}
	return nil
}

// parts are the names that can share a connection: on a cluster each sharded channel has its own node.
func (l *listener) parts(kind engine.Kind, names [][]byte) [][][]byte {
	if kind != engine.Shard || !l.engine.options.IsClusterMode {
		return [][][]byte{names}
	}
	parts := make([][][]byte, len(names))
	for i := range names {
		parts[i] = names[i : i+1]
	}
	return parts
}

// feedFor names the feed of a part. Messages of go-redis don't tell whether a channel is sharded, so these have others.
func (l *listener) feedFor(kind engine.Kind, part [][]byte) string {
	switch {
	case kind == engine.Changes:
		return "changes"
	case kind != engine.Shard:
		return "channels"
	case l.engine.options.IsClusterMode:
		return "shard " + string(part[0])
	}
	return "shards"
}

// Unsubscribe implements engine.Listener.
func (l *listener) Unsubscribe(ctx context.Context, kind engine.Kind, names ...[]byte) error {
	if kind == engine.Changes {
		return l.untrack()
	}
	for _, part := range l.parts(kind, names) {
		if f := l.feeds[l.feedFor(kind, part)]; f != nil {
			if err := f.unsubscribe(ctx, kind, part...); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close implements engine.Listener.
func (l *listener) Close() error {
	l.end()
	err := l.untrack()
	for name := range l.feeds {
		l.close(name)
	}
	return err
}

// track makes the server tell of every write, to a connection that redirects what it tracks to itself.
func (l *listener) track(ctx context.Context) error {
	if l.client != nil {
		return nil
	}
	if l.engine.options.IsClusterMode {
		return errors.New("tracking needs a single server behind it, not a cluster")
	}
	o := l.engine.raw(pool{proto: 2})
	o.OnConnect = func(ctx context.Context, c *redis.Conn) error {
		id, err := c.ClientID(ctx).Result()
		if err != nil {
			return err
		}
		return c.Do(ctx, "CLIENT", "TRACKING", "ON", "REDIRECT", id, "BCAST").Err()
	}
	l.client = dial(o)
	f := l.open(l.feedFor(engine.Changes, nil), engine.Changes, l.client)
	if err := f.subscribe(ctx, engine.Channel, []byte(invalidations)); err != nil {
		return errors.Join(err, l.untrack())
	}
	return nil
}

// untrack ends what track began.
func (l *listener) untrack() error {
	if l.client == nil {
		return nil
	}
	l.close(l.feedFor(engine.Changes, nil))
	err := l.client.Close()
	l.client = nil
	return err
}

// invalidations is the channel on which Redis tells connections of the second protocol version which keys were written.
const invalidations = "__redis__:invalidate"

// open makes a feed, which connects when it is first used. kind is that of messages that came by no pattern.
func (l *listener) open(name string, kind engine.Kind, c redis.UniversalClient) *feed {
	f := &feed{hear: l.hear, life: l.life, kind: kind, awaited: map[confirmation][]chan error{}}
	if kind == engine.Pattern {
		f.kind = engine.Channel
	}
	if kind == engine.Shard {
		f.ps = c.SSubscribe(l.life)
	} else {
		f.ps = c.Subscribe(l.life)
	}
	if l.feeds == nil {
		l.feeds = map[string]*feed{}
	}
	l.feeds[name] = f
	return f
}

// close ends a feed and waits until nothing more is heard of it.
func (l *listener) close(name string) {
	f := l.feeds[name]
	delete(l.feeds, name)
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	_ = f.ps.Close() // what is left of a connection that nobody wants
	f.running.Wait()
}

// feed is one connection that receives messages.
type feed struct {
	ps      *redis.PubSub
	hear    func(*engine.Message)
	life    context.Context
	kind    engine.Kind
	running sync.WaitGroup // receive
	start   sync.Once

	mu      sync.Mutex // guards what follows
	awaited map[confirmation][]chan error
	closed  bool
}

// confirmation is what the server answers to a subscription, or its end.
type confirmation struct{ kind, name string }

// verbs are the words for the kinds of subscriptions, behind an optional "un".
var verbs = [engine.Names]string{engine.Channel: "subscribe", engine.Pattern: "psubscribe", engine.Shard: "ssubscribe"}

// unverbs are those for their ends.
var unverbs = [engine.Names]string{engine.Channel: "unsubscribe", engine.Pattern: "punsubscribe", engine.Shard: "sunsubscribe"}

func (f *feed) subscribe(ctx context.Context, kind engine.Kind, names ...[]byte) error {
	send := [engine.Names]func(context.Context, ...string) error{f.ps.Subscribe, f.ps.PSubscribe, f.ps.SSubscribe}[kind]
	return f.ask(ctx, verbs[kind], names, send)
}

func (f *feed) unsubscribe(ctx context.Context, kind engine.Kind, names ...[]byte) error {
	send := [engine.Names]func(context.Context, ...string) error{f.ps.Unsubscribe, f.ps.PUnsubscribe, f.ps.SUnsubscribe}[kind]
	return f.ask(ctx, unverbs[kind], names, send)
}

// ask sends a command and waits until the server has confirmed it for each name.
func (f *feed) ask(ctx context.Context, verb string, names [][]byte, send func(context.Context, ...string) error) error {
	words := make([]string, len(names))
	confirmed := make(chan error, len(names))
	f.mu.Lock()
	for i, name := range names {
		words[i] = string(name)
		c := confirmation{verb, words[i]}
		f.awaited[c] = append(f.awaited[c], confirmed)
	}
	f.mu.Unlock()
	if err := send(ctx, words...); err != nil && isRefusal(err) {
		return err
	} // otherwise the names are sent again with the next connection
	f.start.Do(func() { f.running.Go(f.receive) })
	for range names {
		select {
		case err := <-confirmed:
			if err != nil {
				return fmt.Errorf("%s: %w", verb, err)
			}
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", verb, context.Cause(ctx))
		case <-f.life.Done():
			return engine.ErrClosed
		}
	}
	return nil
}

// isRefusal reports whether the server itself said no.
func isRefusal(err error) bool {
	var refused redis.Error
	return errors.As(err, &refused)
}

// isNetwork reports whether the connection is broken.
func isNetwork(err error) bool {
	var broken net.Error
	return errors.As(err, &broken) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, redis.ErrClosed)
}

// settle ends the waiting for a confirmation, or with an error for all.
func (f *feed) settle(c confirmation, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		if waiting := f.awaited[c]; len(waiting) > 0 {
			waiting[0] <- nil
			f.awaited[c] = waiting[1:]
			if len(waiting) == 1 {
				delete(f.awaited, c)
			}
		}
		return
	}
	for c, waiting := range f.awaited {
		for _, w := range waiting {
			w <- err
		}
		delete(f.awaited, c)
	}
}

// receive passes messages on until the feed is closed.
func (f *feed) receive() {
	for {
		m, err := f.ps.Receive(f.life)
		switch {
		case f.over():
			return
		case err != nil && isRefusal(err):
			f.settle(confirmation{}, err)
		case err != nil && f.kind == engine.Changes && m == nil && !isNetwork(err):
			f.hear(&engine.Message{Kind: engine.Changes}) // FLUSHALL: go-redis cannot read a null for the keys
		case err != nil:
			f.hear(&engine.Message{Kind: engine.Lost})
			select {
			case <-time.After(retryAfter):
			case <-f.life.Done():
				return
			}
		}
		switch m := m.(type) {
		case *redis.Subscription:
			f.settle(confirmation{m.Kind, m.Channel}, nil)
		case *redis.Message:
			f.pass(m)
		}
	}
}

func (f *feed) over() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed || f.life.Err() != nil
}

// pass puts a message into the engine's words.
func (f *feed) pass(m *redis.Message) {
	channel := []byte(m.Channel)
	out := engine.Message{Kind: f.kind, Name: channel, Channel: channel, Payload: []byte(m.Payload)}
	switch {
	case f.kind == engine.Changes:
		out = engine.Message{Kind: engine.Changes}
		for _, key := range m.PayloadSlice {
			out.Keys = append(out.Keys, []byte(key))
		}
	case m.Pattern != "":
		out.Kind, out.Name = engine.Pattern, []byte(m.Pattern)
	}
	f.hear(&out)
}
