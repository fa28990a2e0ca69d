package server

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/redbud-go/redbud/internal/acl"
	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// ACL: who the sessions' users are, what they may do, and the commands that tell and change it.

// like70 reports whether the words are those of Redis 7.0 where 7.2 has others.
func (f *front) like70() bool { return f.settings == nil || f.settings.Int("compatible-with") == 1 }

// newUsersHear reports whether new users may listen to all channels.
func (f *front) newUsersHear() bool {
	return f.settings != nil && f.settings.String("acl-pubsub-default") == "allchannels"
}

// The contexts of what is refused, as ACL LOG has them.
const (
	topLevel = "toplevel"
	inMulti  = "multi"
	inScript = "lua"
)

// logContext is where the call comes from that the session answers.
func (s *session) logContext() string {
	if s.multi {
		return inMulti
	}
	return topLevel
}

// logRefusal notes a refusal.
func (s *session) logRefusal(reason acl.Reason, context, object, user string) {
	most := int64(128)
	if s.settings != nil {
		most = s.settings.Int("acllog-max-len")
	}
	line := strings.TrimSuffix(string(s.appendLine(nil, s.hub.now())), "\n")
	s.users.Log.Add(acl.Entry{Reason: reason, Context: context, Object: object, User: user, Client: line, At: time.Now()}, int(min(most, 1<<30)))
}

// authenticate makes the session that of a user, if the password is right. What it is asked for stands in the log otherwise.
func (s *session) authenticate(call engine.Call, name, password []byte) bool {
	user := s.users.Authenticate(name, password)
	if user == nil {
		s.logRefusal(acl.Login, s.logContext(), string(call[0]), string(name))
		return false
	}
	s.become(user)
	s.authenticated = true
	return true
}

// become makes the session that of a user.
func (s *session) become(user *acl.User) {
	s.user.Store(user)
	s.rights = user.Rights()
}

// begin makes the session that of the default user, who may have to prove it.
func (s *session) begin() {
	s.become(s.users.Default())
	s.authenticated = s.trusted || s.rights.Open()
}

// locked reports whether AUTH is still to come.
func (s *session) locked() bool { return !s.authenticated && !s.users.Default().Rights().Open() }

// object is what a denial is about.
func object(row *command.Command, call engine.Call, d acl.Denial) string {
	if d.Reason == acl.Command {
		return fullName(row, call)
	}
	return string(call[d.At])
}

// runsScripts are the rows whose calls run scripts.
var runsScripts = func() map[*command.Command]bool {
	rows := map[*command.Command]bool{}
	for _, row := range command.Commands.All() {
		rows[row] = row.Group == "scripting" && row.Keys.NumKeys > 0
	}
	return rows
}()

// judge tells whether the session's user may make a call. In a far engine nobody asks what a script calls, so scripts there are for
// those who may do everything.
func (s *session) judge(row *command.Command, call engine.Call) acl.Denial {
	if s.forwards && !s.rights.Everything() && runsScripts[row] {
		return acl.Denial{Reason: acl.Command}
	}
	return s.rights.Check(row, call)
}

// denied refuses a call that the session's user may not make, and reports whether it did.
func (s *session) denied(row *command.Command, call engine.Call) bool {
	d := s.judge(row, call)
	if d.Reason == acl.Allowed {
		if text := s.unreadable(row, call); text != "" && !s.multi {
			s.reject(text)
			return true
		}
		return false
	}
	s.logRefusal(d.Reason, s.logContext(), object(row, call, d), s.user.Load().Name())
	s.rejectNamed(call, "NOPERM "+s.denial(row, call, d))
	return true
}

// denial says what is denied.
func (s *session) denial(row *command.Command, call engine.Call, d acl.Denial) string {
	switch like70 := s.like70(); {
	case d.Reason == acl.Command && like70:
		return "this user has no permissions to run the '" + fullName(row, call) + "' command"
	case d.Reason == acl.Command:
		return "User " + s.user.Load().Name() + " has no permissions to run the '" + fullName(row, call) + "' command"
	case d.Reason == acl.Key && like70:
		return "this user has no permissions to access one of the keys used as arguments"
	case d.Reason == acl.Key:
		return "No permissions to access a key"
	case like70:
		return "this user has no permissions to access one of the channels used as arguments"
	}
	return "No permissions to access a channel"
}

// unreadable is the refusal of a call that reads keys which it does not name, where not all may be read; "" is for none.
func (s *session) unreadable(row *command.Command, call engine.Call) string {
	if row == nil || s.rights.Everything() {
		return ""
	}
	if option := row.Templates(call); option != "" && !s.rights.ReadsAll(row, call) {
		return "ERR " + option + " option of SORT denied due to insufficient ACL permissions."
	}
	return ""
}

// allows reports whether nothing speaks against a call of a session whose user may not do everything.
func (s *session) allows(call engine.Call) bool {
	row, err := command.Commands.Find(call)
	return err == nil && row.Flags&command.Session == 0 && s.judge(row, call).Reason == acl.Allowed && s.unreadable(row, call) == ""
}

// Refuses implements engine.Session.
func (s *session) Refuses(call engine.Call, script bool) string {
	user := s.user.Load()
	rights := user.Rights()
	if rights.Everything() {
		return ""
	}
	row := command.Commands.Row(call)
	if row == nil {
		return ""
	}
	d := rights.Check(row, call)
	if d.Reason == acl.Allowed {
		if option := row.Templates(call); option != "" && !rights.ReadsAll(row, call) {
			return "ERR " + option + " option of SORT denied due to insufficient ACL permissions."
		}
		return ""
	}
	if script {
		s.logRefusal(d.Reason, inScript, object(row, call, d), user.Name())
	}
	switch like70 := s.like70(); {
	case !like70:
		return "NOPERM ACL failure in script: " + s.denial(row, call, d)
	case d.Reason == acl.Command:
		return "ERR The user executing the script can't run this command or subcommand"
	case d.Reason == acl.Key:
		return "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments"
	}
	return "ERR The user executing the script can't publish to the channel mentioned in the command"
}

// permitted are the queued calls of a transaction. What the user may no longer do is replaced by its refusal.
func (s *session) permitted(queued []engine.Call) []engine.Call {
	if s.rights = s.user.Load().Rights(); s.rights.Everything() {
		return queued
	}
	calls := queued
	for i, call := range queued {
		text := s.refusalNow(call)
		if text == "" {
			continue
		}
		if &calls[0] == &queued[0] {
			calls = append([]engine.Call(nil), queued...)
		}
		calls[i] = engine.Call{refusedCall, []byte(text)}
	}
	return calls
}

// refusedCall is the name of the calls that stand for those which permitted refuses: this very slice, which no client can send.
var refusedCall = []byte("auth")

// refusalOf is the refusal that a call of permitted is; ok is false for all other calls.
func refusalOf(call engine.Call) (text string, ok bool) {
	if len(call) == 2 && &call[0][0] == &refusedCall[0] {
		return string(call[1]), true
	}
	return "", false
}

// refusalNow is what EXEC answers to a queued call that is not allowed; "" is for one that is.
func (s *session) refusalNow(call engine.Call) string {
	row, err := command.Commands.Find(call)
	if err != nil {
		row = nil // a command that the engine alone knows
	}
	d := s.judge(row, call)
	why := ""
	switch d.Reason {
	case acl.Allowed:
		return s.unreadable(row, call)
	case acl.Command:
		why = "no permission to execute the command or subcommand"
	case acl.Key:
		why = "no permission to touch the specified keys"
	default:
		why = "no permission to access one of the channels used as arguments"
	}
	s.logRefusal(d.Reason, inMulti, object(row, call, d), s.user.Load().Name())
	return "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. " +
		"This command is no longer allowed for the following reason: " + why
}

// endAll ends the clients that are of a user, but the session's own only after its reply.
func (s *session) endAll(of func(c *client) bool) {
	for _, c := range s.hub.all() {
		if !of(c) {
			continue
		}
		if c == &s.client {
			s.ended, s.authenticated = true, false
		} else {
			c.kill()
		}
	}
}

// aclBad refuses an ACL call with too many words, as Redis does.
func aclBad(call engine.Call, w *resp.Writer) {
	w.Error("ERR unknown subcommand or wrong number of arguments for '" + string(call[1][:min(len(call[1]), 128)]) + "'. Try ACL HELP.")
}

func aclCat(_ *session, call engine.Call, w *resp.Writer) {
	if len(call) > 3 {
		aclBad(call, w)
		return
	}
	if len(call) == 2 {
		w.Array(len(command.Categories))
		for _, name := range command.Categories {
			w.BulkString(name)
		}
		return
	}
	names, ok := acl.InCategory(string(call[2]))
	if !ok {
		w.Error("ERR Unknown category '" + string(call[2]) + "'")
		return
	}
	w.Array(len(names))
	for _, name := range names {
		w.BulkString(name)
	}
}

func aclSetUser(s *session, call engine.Call, w *resp.Writer) {
	rules := make([]string, len(call)-3)
	for i, word := range call[3:] {
		rules[i] = string(word)
	}
	user, deaf, err := s.users.Set(string(call[2]), rules, s.newUsersHear())
	if err != nil {
		w.Error("ERR " + err.Error())
		return
	}
	if deaf {
		s.endAll(func(c *client) bool { return c.user.Load() == user && !c.hears(user.Rights()) })
	}
	w.OK()
}

func aclDelUser(s *session, call engine.Call, w *resp.Writer) {
	n := 0
	if slices.ContainsFunc(call[2:], func(name []byte) bool { return string(name) == acl.DefaultName }) {
		w.Error("ERR The 'default' user cannot be removed")
		return
	}
	for _, name := range call[2:] {
		if user := s.users.Delete(string(name)); user != nil {
			s.endAll(func(c *client) bool { return c.user.Load() == user })
			n++
		}
	}
	w.Int(int64(n))
}

func aclGetUser(s *session, call engine.Call, w *resp.Writer) {
	user := s.users.Find(string(call[2]))
	if user == nil {
		w.Null()
		return
	}
	rights := user.Rights()
	w.Map(6)
	w.BulkString("flags")
	flags := rights.Flags()
	w.Set(len(flags))
	for _, f := range flags {
		w.BulkString(f)
	}
	w.BulkString("passwords")
	passwords := rights.Passwords()
	w.Array(len(passwords))
	for _, p := range passwords {
		w.BulkString(p)
	}
	selectors := rights.Selectors(s.like70())
	writeSelector(w, selectors[0])
	w.BulkString("selectors")
	w.Array(len(selectors) - 1)
	for _, d := range selectors[1:] {
		w.Map(3)
		writeSelector(w, d)
	}
}

// writeSelector appends the three fields of a selector.
func writeSelector(w *resp.Writer, d acl.Description) {
	for _, text := range [...]string{"commands", d.Commands, "keys", d.Keys, "channels", d.Channels} {
		w.BulkString(text)
	}
}

func aclList(s *session, _ engine.Call, w *resp.Writer) {
	users := s.users.All()
	w.Array(len(users))
	for _, user := range users {
		w.BulkString("user " + user.Name() + " " + user.Rights().Line(s.like70()))
	}
}

func aclUsers(s *session, _ engine.Call, w *resp.Writer) {
	users := s.users.All()
	w.Array(len(users))
	for _, user := range users {
		w.BulkString(user.Name())
	}
}

func aclWhoAmI(s *session, _ engine.Call, w *resp.Writer) { w.BulkString(s.user.Load().Name()) }

func aclLoad(s *session, _ engine.Call, w *resp.Writer) {
	gone, err := s.users.Load(s.newUsersHear())
	if err != nil {
		w.Error("ERR " + err.Error())
		return
	}
	left := make(map[*acl.User]bool, len(gone))
	for _, user := range gone {
		left[user] = true
	}
	s.endAll(func(c *client) bool { return left[c.user.Load()] })
	w.OK()
}

func aclSave(s *session, _ engine.Call, w *resp.Writer) {
	switch err := s.users.Save(); {
	case err == nil:
		w.OK()
	case err == acl.ErrNoFile:
		w.Error("ERR " + err.Error())
	default:
		s.log.Error("ACL file not saved", "client", s.id, "error", err)
		w.Error("ERR There was an error trying to save the ACLs. Please check the server logs for more information")
	}
}

func aclGenPass(_ *session, call engine.Call, w *resp.Writer) {
	const most = 4096
	bits := int64(256)
	if len(call) > 3 {
		aclBad(call, w)
		return
	}
	if len(call) == 3 {
		var ok bool
		if bits, ok = resp.ParseInt(call[2]); !ok {
			w.Error("ERR value is not an integer or out of range")
			return
		}
	}
	if bits < 1 || bits > most {
		w.Error("ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096")
		return
	}
	var random [most / 8]byte
	_, _ = rand.Read(random[:]) // never fails
	w.BulkString(hex.EncodeToString(random[:])[:(bits+3)/4])
}

func aclDryRun(s *session, call engine.Call, w *resp.Writer) {
	user, inner := s.users.Find(string(call[2])), call[3:]
	if user == nil {
		w.Error("ERR User '" + string(call[2]) + "' not found")
		return
	}
	row := command.Commands.Row(inner)
	if row == nil {
		w.Error("ERR Command '" + string(inner[0]) + "' not found")
		return
	}
	if !row.Fits(len(inner)) {
		w.Error("ERR wrong number of arguments for '" + row.FullName() + "' command")
		return
	}
	d := user.Rights().Check(row, inner)
	if d.Reason == acl.Allowed {
		w.OK()
		return
	}
	who := "This user"
	if !s.like70() {
		who = "User " + user.Name()
	}
	what := "access the '" + object(row, inner, d) + "' " + d.Reason.String()
	if d.Reason == acl.Command {
		what = "run the '" + row.FullName() + "' command"
	}
	w.BulkString(who + " has no permissions to " + what)
}

func aclLog(s *session, call engine.Call, w *resp.Writer) {
	n := int64(10)
	switch {
	case len(call) > 3:
		aclBad(call, w)
		return
	case len(call) == 3 && is(call[2], "reset"):
		s.users.Log.Reset()
		w.OK()
		return
	case len(call) == 3:
		var ok bool
		if n, ok = resp.ParseInt(call[2]); !ok {
			w.Error("ERR value is not an integer or out of range")
			return
		}
	}
	entries := s.users.Log.Newest(n)
	w.Array(len(entries))
	like70, now := s.like70(), time.Now()
	for i := range entries {
		writeRefusal(w, &entries[i], like70, now)
	}
}

// writeRefusal appends an entry of ACL LOG.
func writeRefusal(w *resp.Writer, e *acl.Entry, like70 bool, now time.Time) {
	fields := 7
	if !like70 {
		fields = 10
	}
	w.Map(fields)
	w.BulkString("count")
	w.Int(e.Count)
	for _, text := range [...]string{"reason", e.Reason.String(), "context", e.Context, "object", e.Object, "username", e.User, "age-seconds"} {
		w.BulkString(text)
	}
	w.Double(float64(now.Sub(e.At).Milliseconds()) / 1000)
	w.BulkString("client-info")
	w.BulkString(e.Client)
	if like70 {
		return
	}
	w.BulkString("entry-id")
	w.Int(e.ID)
	w.BulkString("timestamp-created")
	w.Int(e.Made.UnixMilli())
	w.BulkString("timestamp-last-updated")
	w.Int(e.At.UnixMilli())
}
