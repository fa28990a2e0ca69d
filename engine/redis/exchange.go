// Exchanges: calls that go out on one connection and the raw replies that come back.
package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// exchange is a pipeline of calls and its replies. It owns copies of the calls: when its caller stops waiting it may
// still be on the wire.
type exchange struct {
	cmds  []redis.Cmder
	sinks []sink
	buf   []byte // the replies one after the other
	args  []string
}

// sink takes the bytes of one reply.
type sink struct {
	x        *exchange
	from, to int  // in x.buf
	cluster  bool // go-redis follows MOVED and ASK
	inside   bool // the first line is there
}

// turn is an error reply that go-redis has to see although we pass replies on as they are: it may have to follow it
// to another node, or to give up the connection.
type turn string

func (t turn) Error() string { return string(t) }

// RedisError makes it an error of Redis for go-redis, after which the connection is still in step.
func (t turn) RedisError() {}

func newExchange(ctx context.Context, calls []engine.Call) *exchange {
	words, size := 0, 0
	for _, call := range calls {
		words += len(call)
		for _, a := range call {
			size += len(a)
		}
	}
	var all strings.Builder
	all.Grow(size)
	for _, call := range calls {
		for _, a := range call {
			all.Write(a)
		}
	}
	x := &exchange{
		cmds:  make([]redis.Cmder, len(calls)),
		sinks: make([]sink, len(calls)),
		args:  make([]string, 0, words),
	}
	rest, boxed := all.String(), make([]any, words)
	for i, call := range calls {
		first := len(x.args)
		for _, a := range call {
			x.args = append(x.args, rest[:len(a)])
			rest = rest[len(a):]
			boxed[len(x.args)-1] = &x.args[len(x.args)-1]
		}
		x.sinks[i].x = x
		x.cmds[i] = redis.NewRawWriteToCmd(ctx, &x.sinks[i], boxed[first:len(x.args):len(x.args)]...)
	}
	return x
}

// begin is called with the first line of a reply.
func (s *sink) begin(line []byte) error {
	s.from = len(s.x.buf)
	s.to = s.from
	if line[0] != '-' {
		s.inside = true
		return nil
	}
	text := string(line[1:])
	follow := s.cluster && (strings.HasPrefix(text, "MOVED ") || strings.HasPrefix(text, "ASK "))
	if !follow && !strings.HasPrefix(text, "READONLY ") {
		s.inside = true
		return nil
	}
	s.x.buf = append(append(s.x.buf, line...), "\r\n"...)
	s.to = len(s.x.buf)
	return turn(text)
}

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	if !s.inside {
		if err := s.begin(p); err != nil {
			return 0, err
		}
	}
	s.x.buf = append(s.x.buf, p...)
	s.to = len(s.x.buf)
	return len(p), nil
}

// ReadFrom implements io.ReaderFrom, by which a bulk string goes straight into the buffer.
func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	const step = 16 << 10 // grow as bytes arrive: the header may promise more than ever comes
	start := len(s.x.buf)
	room := step
	if l, ok := r.(*io.LimitedReader); ok {
		room = int(min(l.N, step))
	}
	for {
		if cap(s.x.buf)-len(s.x.buf) < room {
			s.x.buf = append(s.x.buf, make([]byte, max(room, len(s.x.buf)))...)[:len(s.x.buf)]
		}
		n, err := r.Read(s.x.buf[len(s.x.buf):cap(s.x.buf)])
		s.x.buf = s.x.buf[:len(s.x.buf)+n]
		s.to = len(s.x.buf)
		if err == io.EOF {
			return int64(s.to - start), nil
		}
		if err != nil {
			return int64(s.to - start), err
		}
	}
}

// reply is the raw reply of call i.
func (x *exchange) reply(i int) []byte { return x.buf[x.sinks[i].from:x.sinks[i].to] }

// err is the failure of the exchange, of which go-redis said what: anything that is not a reply.
func (x *exchange) err(said error) error {
	if said != nil && !errors.As(said, new(turn)) {
		return said
	}
	for i, cmd := range x.cmds {
		err := cmd.Err()
		if errors.As(err, new(turn)) {
			continue
		}
		if err == nil && len(x.reply(i)) == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pipeliner is a client or one connection of it.
type pipeliner interface{ Pipeline() redis.Pipeliner }

// on runs the exchange as one pipeline, which is on one connection.
func (x *exchange) on(ctx context.Context, c pipeliner) error {
	pipe := c.Pipeline()
	if err := pipe.BatchProcess(ctx, x.cmds...); err != nil {
		return err
	}
	_, err := pipe.Exec(ctx)
	return x.err(err)
}

// abandoned is the failure of an exchange that nobody waits for any more, because the context has ended.
type abandoned struct{ err error }

func (a abandoned) Error() string { return "run batch: " + a.err.Error() }
func (a abandoned) Unwrap() error { return a.err }

// await runs f and returns when it has ended or the context has, whichever is first. In the second case, which the error
// abandoned tells, f goes on in its goroutine until it ends by itself, and then cleanup runs, if there is one: go-redis
// does not stop waiting for a reply when a context is cancelled, and a connection can't be used again before its reply
// came. How long that takes is bounded by the read timeout. f must not touch what is borrowed from the engine's caller.
func (e *Engine) await(ctx context.Context, f func() error, cleanup func()) error {
	if cleanup == nil {
		cleanup = func() {}
	}
	if ctx.Err() != nil {
		cleanup()
		return abandoned{ctx.Err()}
	}
	if ctx.Done() == nil {
		return failure(f())
	}
	if !e.enter() {
		return engine.ErrClosed
	}
	var settled atomic.Bool // by whoever is first
	done := make(chan error, 1)
	go func() {
		defer e.running.Done()
		err := f()
		if settled.CompareAndSwap(false, true) {
			done <- err
			return
		}
		cleanup()
	}()
	select {
	case err := <-done:
		return failure(err)
	case <-ctx.Done():
		if settled.CompareAndSwap(false, true) {
			return abandoned{ctx.Err()}
		}
		return failure(<-done)
	}
}

// enter announces a goroutine that Close waits for.
func (e *Engine) enter() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.running.Add(1)
	}
	return !e.closed
}

// failure puts an error of go-redis into the engine's words.
func failure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("run batch: %w", err)
	case errors.Is(err, redis.ErrClosed), errors.Is(err, engine.ErrClosed):
		return engine.ErrClosed
	case errors.As(err, new(redis.Error)):
		return err // refused while the connection was made: a wrong password, too many clients
	}
	return &LostError{err}
}

// elements splits a raw array reply into its raw elements.
func elements(raw []byte) ([][]byte, error) {
	v, _, err := resp.DecodeValue(raw)
	if err != nil {
		return nil, err
	}
	if !v.IsAggregate() {
		return nil, fmt.Errorf("an array was expected, not %.40q", raw)
	}
	rest := raw[strings.Index(string(raw[:min(len(raw), 32)]), "\n")+1:]
	parts := make([][]byte, len(v.Elems))
	for i := range parts {
		_, after, err := resp.DecodeValue(rest)
		if err != nil {
			return nil, err
		}
		parts[i], rest = rest[:len(rest)-len(after)], after
	}
	return parts, nil
}
