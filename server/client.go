package server

import (
	"math"
	"slices"
	"strconv"

	"github.com/redbud-go/redbud/internal/acl"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// CLIENT: what connections tell of themselves, and how one ends another.

const errClientName = "ERR Client names cannot contain spaces, newlines or special characters."

// printable reports whether a name fits into a line of CLIENT LIST.
func printable(name []byte) bool {
	for _, c := range name {
		if c < '!' || c > '~' {
			return false
		}
	}
	return true
}

func clientID(s *session, _ engine.Call, w *resp.Writer) { w.Int(s.id) }

func clientGetName(s *session, _ engine.Call, w *resp.Writer) {
	if s.name == "" {
		w.Null()
		return
	}
	w.BulkString(s.name)
}

func clientSetName(s *session, call engine.Call, w *resp.Writer) {
	if !printable(call[2]) {
		w.Error(errClientName)
		return
	}
	s.name = string(call[2])
	w.OK()
}

func clientSetInfo(s *session, call engine.Call, w *resp.Writer) {
	var field *string
	switch option := call[2]; {
	case is(option, "lib-name"):
		field = &s.libName
	case is(option, "lib-ver"):
		field = &s.libVersion
	default:
		w.Error("ERR Unrecognized option '" + string(option) + "'")
		return
	}
	if !printable(call[3]) {
		w.Error("ERR " + string(call[2]) + " cannot contain spaces, newlines or special characters.")
		return
	}
	*field = string(call[3])
	w.OK()
}

func clientInfo(s *session, call engine.Call, w *resp.Writer) {
	s.publishIn(call)
	w.Verbatim("txt", string(s.appendLine(nil, s.hub.now())))
}

// publishIn lets a call see its own session as it is, with the call in its query buffer.
func (s *session) publishIn(call engine.Call) {
	s.publish()
	s.show(&s.state)
	size := len(strconv.Itoa(len(call))) + len("*\r\n")
	for _, word := range call {
		size += len(strconv.Itoa(len(word))) + len(word) + len("$\r\n\r\n")
	}
	s.input.Add(int64(size))
}

// clientTypes are the words for kinds of connections.
var clientTypes = [...]string{"normal", "slave", "replica", "pubsub", "master"}

// The kinds that our connections are of.
const (
	normalType = "normal"
	pubsubType = "pubsub"
	followType = "slave"
)

// kind is the word for what the client is.
func (c *client) kind() string {
	if c.follows.Load() {
		return followType
	}
	if c.subscribed.Load() {
		return pubsubType
	}
	return normalType
}

// clientType reads the word for a kind of connection; ok is false if there is no such kind.
func clientType(word []byte) (kind string, ok bool) {
	for _, t := range clientTypes {
		if is(word, t) && t == "replica" {
			return followType, true
		}
		if is(word, t) {
			return t, true
		}
	}
	return "", false
}

func clientList(s *session, call engine.Call, w *resp.Writer) {
	var list []*client
	switch {
	case len(call) == 2:
		list = s.hub.all()
	case len(call) == 4 && is(call[2], "type"):
		kind, ok := clientType(call[3])
		if !ok {
			w.Error("ERR Unknown client type '" + string(call[3]) + "'")
			return
		}
		list = slices.DeleteFunc(s.hub.all(), func(c *client) bool { return c.kind() != kind })
	case len(call) > 3 && is(call[2], "id"):
		for _, word := range call[3:] {
			id, ok := resp.ParseInt(word)
			if !ok {
				w.Error("ERR Invalid client ID")
				return
			}
			if c := s.hub.find(id); c != nil {
				list = append(list, c)
			}
		}
	default:
		w.Error(errSyntax)
		return
	}
	s.publishIn(call)
	now := s.hub.now()
	var text []byte
	for _, c := range list {
		text = c.appendLine(text, now)
	}
	w.Verbatim("txt", string(text))
}

// killFilter says whom CLIENT KILL means: those that all of its fields fit.
type killFilter struct {
	id          int64     // 0: any
	addr, laddr string    // "": any
	kind        string    // "": any
	user        *acl.User // nil: any
	skipMe      bool
	age         int64 // at least so many seconds old
}

func clientUnblock(s *session, call engine.Call, w *resp.Writer) {
	why := engine.ErrTimeout
	switch {
	case len(call) == 3, len(call) == 4 && is(call[3], "timeout"):
	case len(call) == 4 && is(call[3], "error"):
		why = engine.ErrUnblocked
	case len(call) == 4:
		w.Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
		return
	default:
		w.Error("ERR unknown subcommand or wrong number of arguments for '" + string(call[1]) + "'. Try CLIENT HELP.")
		return
	}
	id, ok := resp.ParseInt(call[2])
	if !ok {
		w.Error("ERR value is not an integer or out of range")
		return
	}
	if c := s.hub.find(id); c != nil && c.wake(why) {
		w.Int(1)
		return
	}
	w.Int(0)
}

func clientKill(s *session, call engine.Call, w *resp.Writer) {
	if len(call) == 3 {
		if s.killAll(killFilter{addr: string(call[2])}) == 0 {
			w.Error("ERR No such client")
			return
		}
		w.OK()
		return
	}
	filter, refusal := s.parseKill(call)
	if refusal != "" {
		w.Error(refusal)
		return
	}
	w.Int(int64(s.killAll(filter)))
}

// parseKill reads the options of CLIENT KILL; refusal is what is wrong with them.
func (s *session) parseKill(call engine.Call) (f killFilter, refusal string) {
	f.skipMe = true
	for i := 2; i < len(call); i += 2 {
		if i+1 == len(call) {
			return f, errSyntax
		}
		value := call[i+1]
		switch option := call[i]; {
		case is(option, "id"):
			id, ok := resp.ParseInt(value)
			if !ok || id < 1 {
				return f, "ERR client-id should be greater than 0"
			}
			f.id = id
		case is(option, "type"):
			var ok bool
			if f.kind, ok = clientType(value); !ok {
				return f, "ERR Unknown client type '" + string(value) + "'"
			}
		case is(option, "addr"):
			f.addr = string(value)
		case is(option, "laddr"):
			f.laddr = string(value)
		case is(option, "user"):
			if f.user = s.users.Find(string(value)); f.user == nil {
				return f, "ERR No such user '" + string(value) + "'"
			}
		case is(option, "skipme") && is(value, "yes"):
			f.skipMe = true
		case is(option, "skipme") && is(value, "no"):
			f.skipMe = false
		case is(option, "maxage"):
			age, ok := resp.ParseInt(value)
			if !ok {
				return f, "ERR maxage is not an integer or out of range"
			}
			if age < 1 {
				return f, "ERR maxage should be greater than 0"
			}
			f.age = age
		default:
			return f, errSyntax
		}
	}
	return f, ""
}

// killAll ends the clients that the filter means and returns how many they were. The session's own closes after the
// reply.
func (s *session) killAll(f killFilter) (killed int) {
	now := s.hub.now()
	for _, c := range s.hub.all() {
		me := c == &s.client
		age := float64(now-c.born) / 1e9
		switch {
		case f.id != 0 && c.id != f.id,
			f.addr != "" && c.addr != f.addr,
			f.laddr != "" && c.laddr != f.laddr,
			f.kind != "" && f.kind != c.kind(),
			f.user != nil && f.user != c.user.Load(),
			f.skipMe && me,
			f.age != 0 && math.Floor(age) < float64(f.age):
			continue
		case me:
			s.ended = true
		default:
			c.kill()
		}
		killed++
	}
	return killed
}

func clientNoEvict(s *session, call engine.Call, w *resp.Writer) { setFlag(&s.noEvict, call[2], w) }

func clientNoTouch(s *session, call engine.Call, w *resp.Writer) { setFlag(&s.noTouch, call[2], w) }

// setFlag turns a flag on or off, as the word says.
func setFlag(flag *bool, word []byte, w *resp.Writer) {
	switch {
	case is(word, "on"):
		*flag = true
	case is(word, "off"):
		*flag = false
	default:
		w.Error(errSyntax)
		return
	}
	w.OK()
}

// clientReply turns replies off and on. single drops the OK of OFF and SKIP, which have no reply.
func clientReply(s *session, call engine.Call, w *resp.Writer) {
	switch mode := call[2]; {
	case is(mode, "on"):
		s.mute, s.skipThis = false, false
	case is(mode, "off"):
		s.mute = true
	case is(mode, "skip"):
		s.skipNext = !s.mute
	default:
		w.Error(errSyntax)
		return
	}
	w.OK()
}
