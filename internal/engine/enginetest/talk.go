// How calls reach what is tested: over a connection, or straight into an engine.
package enginetest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// A talker sends the calls of one client of a session, all at once, and returns a reply for each of those that have
// one. Replies are closedReply from the call on at which the connection ended.
type talker interface {
	talk(steps []*Step) ([]*resp.Value, error)
	unread() []*resp.Value
	close()
}

// closedReply stands for the reply that did not come because the connection ended.
var closedReply = &resp.Value{Kind: '+', Str: []byte(closed)}

// patience is how long a reply may take before we take the server for dead.
const patience = 20 * time.Second

// wire is a connection to a server. When the server ends it, the next call opens it anew.
type wire struct {
	dial  func() (net.Conn, error)
	proto int
	exec  bool // each call inside a MULTI of its own
	hello [][]byte

	conn     net.Conn
	r        *bufio.Reader
	messages []*resp.Value // that came in RESP3 and were not asked for yet
}

func (w *wire) talk(steps []*Step) ([]*resp.Value, error) {
	if err := w.open(); err != nil {
		return nil, err
	}
	var calls []byte
	for _, s := range steps {
		if s.Call == nil {
			continue
		}
		if w.exec {
			calls = appendCall(calls, engine.Call{[]byte("MULTI")})
		}
		calls = appendCall(calls, s.Call)
		if w.exec {
			calls = appendCall(calls, engine.Call{[]byte("EXEC")})
		}
	}
	replies := make([]*resp.Value, len(steps))
	_, err := w.conn.Write(calls)
	for i, s := range steps {
		if s.NoReply {
			continue
		}
		var v *resp.Value
		switch {
		case err != nil:
		case s.Call == nil:
			v, err = w.message()
		default:
			v, err = w.reply()
		}
		switch {
		case err == nil:
			replies[i] = v
		case isClosed(err):
			w.close()
			replies[i] = closedReply
		default:
			return nil, fmt.Errorf("%s: %w", s.Text, err)
		}
	}
	return replies, nil
}

// reply reads the reply to one call.
func (w *wire) reply() (*resp.Value, error) {
	if !w.exec {
		return w.read()
	}
	if _, err := w.read(); err != nil { // of MULTI
		return nil, err
	}
	queued, err := w.read()
	if err != nil {
		return nil, err
	}
	v, err := w.read() // of EXEC
	if err != nil {
		return nil, err
	}
	switch {
	case queued.IsError():
		return queued, nil
	case v.Kind == '*' && len(v.Elems) == 1:
		return &v.Elems[0], nil
	}
	return v, nil
}

// read reads one reply and keeps the messages that come before it.
func (w *wire) read() (*resp.Value, error) {
	for {
		v, err := resp.ReadValue(w.r)
		if err != nil || v.Kind != '>' {
			return &v, err
		}
		w.messages = append(w.messages, &v)
	}
}

// message reads one message.
func (w *wire) message() (*resp.Value, error) {
	if len(w.messages) > 0 {
		v := w.messages[0]
		w.messages = w.messages[1:]
		return v, nil
	}
	v, err := resp.ReadValue(w.r)
	return &v, err
}

// unread are the messages that nobody has asked for.
func (w *wire) unread() []*resp.Value { return w.messages }

func (w *wire) open() error {
	if w.conn != nil {
		return w.conn.SetDeadline(time.Now().Add(patience))
	}
	conn, err := w.dial()
	if err != nil {
		return err
	}
	w.conn, w.r = conn, bufio.NewReader(conn)
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	var calls []byte
	n := 0
	if len(w.hello) > 0 {
		calls = appendCall(calls, w.hello)
		n++
	}
	if w.proto == 3 {
		calls = appendCall(calls, engine.Call{[]byte("HELLO"), []byte("3")})
		n++
	}
	if _, err := conn.Write(calls); err != nil {
		return err
	}
	for range n {
		v, err := w.read()
		if err != nil {
			return fmt.Errorf("greet: %w", err)
		}
		if v.IsError() {
			return fmt.Errorf("greet: %s", v.Str)
		}
	}
	return nil
}

// tcp dials an address.
func tcp(addr string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.Dial("tcp", addr) }
}

func (w *wire) close() {
	if w.conn != nil {
		w.conn.Close()
		w.conn, w.messages = nil, nil
	}
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.ErrClosedPipe) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func appendCall(dst []byte, call engine.Call) []byte {
	w := resp.Writer{Buf: dst}
	w.Array(len(call))
	for _, a := range call {
		w.Bulk(a)
	}
	return w.Buf
}

// ask sends one call and returns its reply, which must be no error.
func (w *wire) ask(words ...string) (*resp.Value, error) {
	replies, err := w.talk([]*Step{newStep(words...)})
	if err != nil {
		return nil, err
	}
	if v := replies[0]; !v.IsError() && v != closedReply {
		return v, nil
	}
	return nil, fmt.Errorf("%s: %s", strings.Join(words, " "), replies[0].Str)
}

// newStep makes a step of a call.
func newStep(words ...string) *Step {
	s := &Step{Text: strings.Join(words, " ")}
	for _, w := range words {
		s.Call = append(s.Call, []byte(w))
	}
	return s
}

// caller calls by a client.
type caller func(call [][]byte) ([]byte, error)

func (c caller) talk(steps []*Step) ([]*resp.Value, error) {
	replies := make([]*resp.Value, len(steps))
	for i, s := range steps {
		raw, err := c(s.Call)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Text, err)
		}
		v, rest, err := resp.DecodeValue(raw)
		if err != nil || len(rest) > 0 {
			return nil, fmt.Errorf("%s: no single reply: %q: %w", s.Text, raw, err)
		}
		replies[i] = &v
	}
	return replies, nil
}

func (c caller) unread() []*resp.Value { return nil }

func (c caller) close() {}

// direct calls an engine's Do.
type direct struct {
	engine engine.Engine
	atomic bool
	script bool // from inside a script, what scripts may call
}

// inScript is the call that makes another one from a script.
func inScript(call engine.Call) engine.Call {
	row, err := command.Commands.Find(call)
	if err != nil || row.Flags&(command.NoScript|command.Session) != 0 {
		return call
	}
	if row.Group == "stream" && row.Flags&command.Blocking != 0 && slices.ContainsFunc(call, func(word []byte) bool { return strings.EqualFold(string(word), "block") }) {
		return call // XREAD is the one that does not just go without waiting
	}
	return append(engine.Call{[]byte("EVAL"), []byte("return redis.pcall(unpack(ARGV))"), []byte("0")}, call...)
}

func (d *direct) talk(steps []*Step) ([]*resp.Value, error) {
	b := engine.Batch{Atomic: d.atomic, Wait: true}
	for _, s := range steps {
		call := s.Call
		if d.script {
			call = inScript(call)
		}
		b.Calls = append(b.Calls, call)
	}
	// An engine appends: what stands there already must survive.
	const before = "+before\r\n"
	w := resp.Writer{Buf: []byte(before)}
	if err := d.engine.Do(context.Background(), &b, &w); err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(w.Buf, []byte(before))
	if !ok {
		return nil, fmt.Errorf("the engine overwrote what the writer held: %q", w.Buf)
	}
	replies := make([]*resp.Value, len(steps))
	for i, s := range steps {
		var v resp.Value
		var err error
		if v, rest, err = resp.DecodeValue(rest); err != nil {
			return nil, fmt.Errorf("%s: reply %d of %d: %w", s.Text, i+1, len(steps), err)
		}
		replies[i] = &v
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%s: %d bytes behind the last reply: %q", steps[0].Text, len(rest), rest)
	}
	return replies, nil
}

func (d *direct) unread() []*resp.Value { return nil }

func (d *direct) close() {}
