package server

import (
	"bytes"
	"maps"
	"slices"

	"github.com/redbud-go/redbud/internal/acl"
	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// ears is what a session listens to.
type ears struct {
	listener engine.Listener                   // nil: it never did
	names    [engine.Names]map[string]struct{} // by kind
	ordered  [engine.Names][]string            // the same names in the order in which they came; some may be gone
}

// count is the number that a confirmation tells: sharded channels count apart.
func (e *ears) count(kind engine.Kind) int {
	if kind == engine.Shard {
		return len(e.names[engine.Shard])
	}
	return len(e.names[engine.Channel]) + len(e.names[engine.Pattern])
}

// open reports whether the session listens to anything.
func (e *ears) open() bool { return e.count(engine.Channel)+e.count(engine.Shard) > 0 }

// all are the names of a kind in the order in which they came.
func (e *ears) all(kind engine.Kind) [][]byte {
	var names [][]byte
	for _, name := range e.ordered[kind] {
		if _, ok := e.names[kind][name]; ok {
			names = append(names, []byte(name))
		}
	}
	return names
}

// add notes a name.
func (e *ears) add(kind engine.Kind, name string) {
	if e.names[kind] == nil {
		e.names[kind] = map[string]struct{}{}
	}
	if _, ok := e.names[kind][name]; ok {
		return
	}
	e.names[kind][name] = struct{}{}
	e.ordered[kind] = append(e.ordered[kind], name)
}

// remove forgets a name; false if it was not there.
func (e *ears) remove(kind engine.Kind, name string) bool {
	if _, ok := e.names[kind][name]; !ok {
		return false
	}
	delete(e.names[kind], name)
	if len(e.ordered[kind]) > 2*len(e.names[kind])+16 { // most are gone
		e.ordered[kind] = slices.DeleteFunc(e.ordered[kind], func(n string) bool {
			_, ok := e.names[kind][n]
			return !ok
		})
	}
	if len(e.names[kind]) == 0 {
		e.ordered[kind] = nil
	}
	return true
}

// subscriber answers the commands that subscribe to names of a kind.
func subscriber(kind engine.Kind, word string) answer {
	return answer{run: func(s *session, call engine.Call, w *resp.Writer) { s.subscribe(kind, word, call[1:], w) }}
}

// unsubscriber answers those that end it.
func unsubscriber(kind engine.Kind, word string) answer {
	return answer{run: func(s *session, call engine.Call, w *resp.Writer) { s.unsubscribe(kind, word, call[1:], w) }}
}

// subscribe confirms each name. What is told from the moment of subscribing on comes behind the confirmations, since a turn
// runs.
func (s *session) subscribe(kind engine.Kind, word string, names [][]byte, w *resp.Writer) {
	if s.ears.listener == nil {
		s.ears.listener = s.engine.Listen(s.hear)
	}
	if err := s.ears.listener.Subscribe(s.ctx, kind, names...); err != nil {
		w.Error(s.failure(err))
		return
	}
	for _, name := range names {
		s.hearing.Lock()
		s.ears.add(kind, string(name))
		s.hearing.Unlock()
		s.confirm(kind, word, name, w)
	}
	s.listens()
	if s.users.Version() != s.usersAt && !s.hears(s.user.Load().Rights()) { // who forbade it meanwhile may not have seen the names
		s.ended = true
	}
}

// hears reports whether who has the rights may listen to all that the session listens to. Any goroutine may call it.
func (s *session) hears(r *acl.Rights) bool {
	s.hearing.Lock()
	defer s.hearing.Unlock()
	for _, kind := range [...]engine.Kind{engine.Channel, engine.Pattern, engine.Shard} {
		for name := range s.ears.names[kind] {
			if !r.Hears([]byte(name), kind == engine.Pattern) {
				return false
			}
		}
	}
	return true
}

// unsubscribe confirms each name, all there are if none is given. It needs no names to have been subscribed to.
func (s *session) unsubscribe(kind engine.Kind, word string, names [][]byte, w *resp.Writer) {
	if len(names) == 0 {
		if names = s.ears.all(kind); len(names) == 0 {
			s.confirm(kind, word, nil, w)
			return
		}
	}
	var left [][]byte
	for _, name := range names {
		s.hearing.Lock()
		removed := s.ears.remove(kind, string(name))
		s.hearing.Unlock()
		if removed {
			left = append(left, name)
		}
		s.confirm(kind, word, name, w)
	}
	if len(left) > 0 {
		if err := s.ears.listener.Unsubscribe(s.ctx, kind, left...); err != nil {
			s.ended = true // what still comes would belong to nothing
			s.failure(err)
		}
	}
	s.listens()
}

// confirm tells that a subscription has begun or ended, and how many are left.
func (s *session) confirm(kind engine.Kind, word string, name []byte, w *resp.Writer) {
	w.Push(3)
	w.BulkString(word)
	w.BulkOrNull(name)
	w.Int(int64(s.ears.count(kind)))
}

// listens tells the hub what the session listens to.
func (s *session) listens() {
	s.subs, s.psubs, s.ssubs = len(s.ears.names[engine.Channel]), len(s.ears.names[engine.Pattern]), len(s.ears.names[engine.Shard])
	s.subscribed.Store(s.ears.open())
}

// silence ends all subscriptions.
func (s *session) silence() {
	if s.ears.listener == nil {
		return
	}
	_ = s.ears.listener.Close() // only what was lent by a far server could fail
	s.hearing.Lock()
	s.ears = ears{}
	s.hearing.Unlock()
	s.listens()
}

// hear writes down what the engine tells.
func (s *session) hear(m *engine.Message) {
	if m.Kind == engine.Lost {
		// Nobody could tell the client what it missed; a lost connection does.
		go s.client.kill() // which waits for the listener to end
		return
	}
	w := s.box.open()
	defer s.box.shut()
	if w == nil {
		return
	}
	if wire := m.Wire[w.Proto]; wire != nil {
		w.Raw(wire)
		return
	}
	mark := w.Len()
	switch m.Kind {
	case engine.Pattern:
		w.Push(4)
		w.BulkString("pmessage")
		w.Bulk(m.Name)
	case engine.Shard:
		w.Push(3)
		w.BulkString("smessage")
	default:
		w.Push(3)
		w.BulkString("message")
	}
	w.Bulk(m.Channel)
	w.Bulk(m.Payload)
	m.Wire[w.Proto] = bytes.Clone(w.Buf[mark:])
}

// amongMessages are the commands that a subscribed connection of the second protocol version may send: it could not tell
// other replies from messages.
var amongMessages = func() map[*command.Command]bool {
	rows := map[*command.Command]bool{}
	for row := range maps.Keys(answers) {
		if row.Flags&command.PubSub != 0 {
			rows[row] = true
		}
	}
	for _, name := range []string{"ping", "quit", "reset"} {
		rows[command.Commands.Named([]byte(name))] = true
	}
	return rows
}()

// hushes reports whether replies to anything but subscriptions are out of place.
func (s *session) hushes() bool { return s.proto == 2 && s.ears.open() }

// pong answers PING between messages, in the form of one.
func pong(call engine.Call, w *resp.Writer) {
	if len(call) > 2 {
		w.Error("ERR wrong number of arguments for 'ping' command")
		return
	}
	w.Array(2)
	w.BulkString("pong")
	if len(call) > 1 {
		w.Bulk(call[1])
	} else {
		w.BulkString("")
	}
}
