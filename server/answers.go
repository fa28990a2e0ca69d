package server

import (
	"math"

	"github.com/redbud-go/redbud/internal/acl"
	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// answer is how a session answers a call of one row.
type answer struct {
	run    func(s *session, call engine.Call, w *resp.Writer) // appends one reply
	atOnce bool                                               // inside MULTI too
}

// answers has all rows with the flag Session.
var answers = byRow(map[string]answer{
	"acl|cat":             {run: aclCat},
	"acl|deluser":         {run: aclDelUser},
	"acl|dryrun":          {run: aclDryRun},
	"acl|genpass":         {run: aclGenPass},
	"acl|getuser":         {run: aclGetUser},
	"acl|list":            {run: aclList},
	"acl|load":            {run: aclLoad},
	"acl|log":             {run: aclLog},
	"acl|save":            {run: aclSave},
	"acl|setuser":         {run: aclSetUser},
	"acl|users":           {run: aclUsers},
	"acl|whoami":          {run: aclWhoAmI},
	"auth":                {run: auth},
	"client|caching":      {run: clientCaching},
	"client|getredir":     {run: clientGetRedir},
	"client|tracking":     {run: clientTracking},
	"client|trackinginfo": {run: clientTrackingInfo},
	"monitor":             {run: monitor},
	"psync":               {run: follow},
	"replconf":            {run: replConf},
	"sync":                {run: follow},
	"psubscribe":          subscriber(engine.Pattern, "psubscribe"),
	"punsubscribe":        unsubscriber(engine.Pattern, "punsubscribe"),
	"ssubscribe":          subscriber(engine.Shard, "ssubscribe"),
	"subscribe":           subscriber(engine.Channel, "subscribe"),
	"sunsubscribe":        unsubscriber(engine.Shard, "sunsubscribe"),
	"unsubscribe":         unsubscriber(engine.Channel, "unsubscribe"),
	"client|getname":      {run: clientGetName},
	"client|id":           {run: clientID},
	"client|info":         {run: clientInfo},
	"client|kill":         {run: clientKill},
	"client|list":         {run: clientList},
	"client|no-evict":     {run: clientNoEvict},
	"client|no-touch":     {run: clientNoTouch},
	"client|reply":        {run: clientReply},
	"client|setinfo":      {run: clientSetInfo},
	"client|setname":      {run: clientSetName},
	"client|unblock":      {run: clientUnblock},
	"discard":             {run: discard, atOnce: true},
	"exec":                {run: exec, atOnce: true},
	"hello":               {run: hello},
	"multi":               {run: multi, atOnce: true},
	"quit":                {run: quit, atOnce: true},
	"reset":               {run: reset, atOnce: true},
	"select":              {run: selectDB},
	"shutdown":            {run: shutdown},
	"unwatch":             {run: unwatch},
	"watch":               {run: watchKeys, atOnce: true},
})

func byRow(byName map[string]answer) map[*command.Command]answer {
	rows := make(map[*command.Command]answer, len(byName))
	for name, a := range byName {
		row := command.Commands.Named([]byte(name))
		if row == nil {
			panic("server: no row for " + name)
		}
		rows[row] = a
	}
	return rows
}

const (
	errSyntax    = "ERR syntax error"
	errWrongPass = "WRONGPASS invalid username-password pair or user is disabled."
)

func auth(s *session, call engine.Call, w *resp.Writer) {
	user, password := []byte(acl.DefaultName), call[len(call)-1]
	switch {
	case len(call) > 3:
		w.Error(errSyntax)
		return
	case len(call) == 3:
		user = call[1]
	case s.users.Default().Rights().NoPass():
		w.Error("ERR AUTH <password> called without any password configured for the default user. " +
			"Are you sure your configuration is correct?")
		return
	}
	if !s.authenticate(call, user, password) {
		w.Error(errWrongPass)
		return
	}
	w.OK()
}

func hello(s *session, call engine.Call, w *resp.Writer) {
	proto := int64(s.proto)
	if len(call) > 1 {
		var ok bool
		if proto, ok = resp.ParseInt(call[1]); !ok {
			w.Error("ERR Protocol version is not an integer or out of range")
			return
		}
		if proto != 2 && proto != 3 {
			w.Error("NOPROTO unsupported protocol version")
			return
		}
	}
	var user, password, name []byte
	for i := 2; i < len(call); i++ {
		more := len(call) - 1 - i
		switch {
		case is(call[i], "auth") && more >= 2:
			user, password = call[i+1], call[i+2]
			i += 2
		case is(call[i], "setname") && more >= 1:
			if name = call[i+1]; !printable(name) {
				w.Error(errClientName)
				return
			}
			i++
		default:
			w.Error("ERR Syntax error in HELLO option '" + string(call[i]) + "'")
			return
		}
	}
	if user != nil && !s.authenticate(call, user, password) {
		w.Error(errWrongPass)
		return
	}
	if s.locked() {
		w.Error("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH " +
			"<user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
		return
	}
	if name != nil {
		s.name = string(name)
	}
	s.speak(int(proto), w)
	w.Map(7)
	w.BulkString("server")
	w.BulkString("redis")
	w.BulkString("version")
	w.BulkString(s.version)
	w.BulkString("proto")
	w.Int(proto)
	w.BulkString("id")
	w.Int(s.id)
	w.BulkString("mode")
	w.BulkString("standalone")
	w.BulkString("role")
	w.BulkString("master")
	w.BulkString("modules")
	w.Array(0)
}

func selectDB(s *session, call engine.Call, w *resp.Writer) {
	n, ok := resp.ParseInt(call[1])
	switch {
	case !ok:
		w.Error("ERR value is not an integer or out of range")
	case n < math.MinInt32 || n > math.MaxInt32:
		w.Error("ERR value is out of range, value must between -2147483648 and 2147483647")
	case n < 0 || n >= int64(s.databases):
		w.Error("ERR DB index is out of range")
	default:
		s.db = int(n)
		w.OK()
	}
}

func quit(s *session, _ engine.Call, w *resp.Writer) {
	s.ended = true
	w.OK()
}

// reset makes the connection what it was when it came. What the client library said of itself stays, as in Redis.
func reset(s *session, _ engine.Call, w *resp.Writer) {
	if s.follows.Load() {
		w.Error("ERR can only reset normal connections")
		return
	}
	s.discard()
	s.silence()
	s.untrack()
	s.hub.monitor(&s.client, false)
	s.state = state{proto: 2, libName: s.libName, libVersion: s.libVersion}
	s.speak(2, w)
	s.mute, s.skipThis = false, false
	s.begin()
	w.Status("RESET")
}

// speak changes the version of the protocol.
func (s *session) speak(proto int, w *resp.Writer) {
	s.proto, w.Proto = proto, proto
	s.box.speak(proto)
}

// is reports whether b is word without regard to the case of ASCII letters; word is in lower case.
func is(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
