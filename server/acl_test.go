package server

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redbud-go/redbud/internal/acl"
	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

const (
	noKey     = "-NOPERM this user has no permissions to access one of the keys used as arguments"
	noChannel = "-NOPERM this user has no permissions to access one of the channels used as arguments"
	noAuth    = "-NOAUTH Authentication required."
	wrongPass = "-WRONGPASS invalid username-password pair or user is disabled."
)

// noCommand is the refusal of a command.
func noCommand(name string) string {
	return "-NOPERM this user has no permissions to run the '" + name + "' command"
}

// pair is two sessions of one database.
func pair(t *testing.T) (root, user peer) {
	e, o := newMemory(t), Options{Hub: NewHub()}
	return newPeer(t, e, o), newPeer(t, e, o)
}

func TestWhoMayNotIsToldSoInItsPlaceOfAPipeline(t *testing.T) {
	root, user := pair(t)
	root.do("ACL SETUSER u on nopass +@all -@dangerous ~a*", "+OK")
	user.do("AUTH u x; SET a 1; SET b 1; INCR a; FLUSHALL; GET a; PUBLISH c m; ACL WHOAMI; GET b; NOSUCH; GET; INCR a",
		"+OK +OK "+noKey+" :2 "+noCommand("flushall")+" $1 2 "+noChannel+" $1 u "+noKey+
			" -ERR unknown command 'NOSUCH', with args beginning with:  -ERR wrong number of arguments for 'get' command :3")
	root.do("CONFIG SET compatible-with 7.2", "+OK")
	user.do("GET b; FLUSHALL; PUBLISH c m", "-NOPERM No permissions to access a key -NOPERM User u has no permissions to run the 'flushall' command -NOPERM No permissions to access a channel")
	root.do("ACL DRYRUN u GET b; ACL DRYRUN u PING x y", "$47 User u has no permissions to access the 'b' key +OK")
}

// counter counts the batches that reach an engine.
type counter struct {
	engine.Engine
	batches atomic.Int64
}

func (c *counter) Do(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	c.batches.Add(1)
	return c.Engine.Do(ctx, b, w)
}

func (c *counter) Embedded() *command.Engine { return embedded(c.Engine) }

func TestCallsOfRestrictedUsersGatherAsThoseOfOthersDo(t *testing.T) {
	e := &counter{Engine: newMemory(t)}
	p := newPeer(t, e, Options{})
	calls := strings.Repeat("INCR a;", 50)
	batches := func() int64 {
		before := e.batches.Load()
		p.raw(pipeline(calls))
		return e.batches.Load() - before
	}
	if !p.plain || p.checked {
		t.Error("who may do everything is checked")
	}
	p.raw(pipeline(calls))
	free := batches()
	p.do("ACL SETUSER u on nopass ~a +incr; AUTH u x", "+OK +OK")
	if p.plain || !p.checked {
		t.Error("who may not do everything is not checked")
	}
	if n := batches(); n != free {
		t.Errorf("%d batches, %d of who may do everything", n, free)
	}
}

func TestAChangeOfRightsIsSeenByOpenSessions(t *testing.T) {
	root, user := pair(t)
	root.do("ACL SETUSER root on nopass +@all ~* &*; AUTH root x", "+OK +OK")
	user.do("SET a 1", "+OK")
	root.do("ACL SETUSER default -set", "+OK")
	user.do("SET a 1; GET a", noCommand("set")+" $1 1")
	root.do("ACL SETUSER default +@all resetkeys ~b", "+OK")
	user.do("SET a 1; SET b 1", noKey+" +OK")
	root.do("ACL SETUSER default off", "+OK")
	user.do("SET b 2", "+OK") // who is in stays in
	user.do("RESET; GET b; AUTH default x", "+RESET "+noAuth+" "+wrongPass)
	root.do("ACL SETUSER default on allkeys", "+OK")
	user.do("GET b; SET a 1", "$1 2 +OK")
}

func TestWhatStandsBehindAWaitIsCheckedAgain(t *testing.T) {
	r := start(t, nil, Options{})
	root, user := r.dial(), r.dial()
	root.do("ACL SETUSER u on nopass +@all ~*", "+OK")
	user.do("AUTH u x", "+OK")
	r.block(user, "BLPOP l 0; SET a 1; GET a; CLIENT GETNAME; GET a")
	root.do("ACL SETUSER u -set; RPUSH l x", "+OK :1")
	user.do("", "*2 $1 l $1 x "+noCommand("set")+" $-1 $-1 $-1")
	r.block(user, "BLPOP l 0; SET a 1; BLPOP l 0; GET a; PING")
	root.do("ACL SETUSER u -get; RPUSH l x", "+OK :1")
	user.do("", "*2 $1 l $1 x "+noCommand("set"))
	root.do("RPUSH l y", ":1")
	user.do("", "*2 $1 l $1 y "+noCommand("get")+" +PONG")
}

func TestWhatWasQueuedIsCheckedAgain(t *testing.T) {
	root, user := pair(t)
	root.do("ACL SETUSER u on nopass +@all ~*", "+OK")
	user.do("AUTH u x; MULTI; SET a 1; INCR a; GET b; CLIENT GETNAME", "+OK +OK +QUEUED +QUEUED +QUEUED +QUEUED")
	root.do("ACL SETUSER u -incr -client resetkeys ~a", "+OK")
	const changed = "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: "
	user.do("EXEC; GET a", "*4 +OK "+changed+"no permission to execute the command or subcommand "+changed+"no permission to touch the specified keys "+changed+
		"no permission to execute the command or subcommand $1 1")
	user.do("MULTI; SET b 1; SET a 2; EXEC; GET a", "+OK "+noKey+" +QUEUED -EXECABORT Transaction discarded because of previous errors. $1 1")
	user.do("MULTI; SORT a BY x*; EXEC", "+OK +QUEUED *1 -ERR BY option of SORT denied due to insufficient ACL permissions.")
	reasons := ""
	for _, e := range root.users.Log.Newest(10) {
		reasons += e.Context + " " + e.Reason.String() + " " + e.Object + ";"
	}
	if reasons != "multi key b;multi command client|getname;multi command incr;" {
		t.Errorf("the log is %s", reasons)
	}
}

func TestRefusalsAndWrongLoginsAreLogged(t *testing.T) {
	root, user := pair(t)
	root.do("ACL SETUSER u on >secret ~a +get +publish +multi", "+OK")
	user.do("AUTH u wrong; AUTH u secret; GET b; SET a 1; CONFIG GET x; PUBLISH c m; MULTI; GET c; HELLO 3 AUTH nobody x; GET b",
		wrongPass+" +OK "+noKey+" "+noCommand("set")+" "+noCommand("config|get")+" "+noChannel+" +OK "+noKey+" +QUEUED "+noKey)
	var got []string
	for _, e := range root.users.Log.Newest(10) {
		got = append(got, e.Context+" "+e.Reason.String()+" "+e.Object+" "+e.User)
		if strings.Contains(e.Object+e.Client, "secret") || !strings.HasPrefix(e.Client, "id=2 ") || strings.HasSuffix(e.Client, "\n") {
			t.Errorf("an entry is %+v", e)
		}
	}
	want := "multi key b u;multi key c u;toplevel channel c u;toplevel command config|get u;toplevel command set u;toplevel key b u;toplevel auth AUTH u"
	if strings.Join(got, ";") != want {
		t.Errorf("the log is %q", got)
	}
	if reply := root.raw(pipeline("ACL LOG 1")); !strings.HasPrefix(reply, "*1\r\n*14\r\n$5\r\ncount\r\n:1\r\n$6\r\nreason\r\n$3\r\nkey\r\n$7\r\ncontext\r\n$5\r\nmulti\r\n$6\r\nobject\r\n$1\r\nb\r\n$8\r\nusername\r\n$1\r\nu\r\n$11\r\nage-seconds\r\n") {
		t.Errorf("the entry is %q", reply)
	}
	if log := &root.users.Log; log.Count(acl.Login) != 1 || log.Count(acl.Command) != 2 || log.Count(acl.Key) != 3 || log.Count(acl.Channel) != 1 {
		t.Errorf("refused were %d logins, %d commands, %d keys, %d channels", log.Count(acl.Login), log.Count(acl.Command), log.Count(acl.Key), log.Count(acl.Channel))
	}
	root.do("CONFIG SET acllog-max-len 2 compatible-with 7.2", "+OK")
	user.do("RESET; AUTH x y", "+RESET "+wrongPass)
	if reply := root.raw(pipeline("ACL LOG")); !strings.HasPrefix(reply, "*2\r\n*20\r\n") || !strings.Contains(reply, "$8\r\nentry-id\r\n:7\r\n") {
		t.Errorf("the entries are %q", reply)
	}
}

func TestScriptsAreToldWhatTheUserMayNotDo(t *testing.T) {
	root, user := pair(t)
	root.do("ACL SETUSER u on nopass ~a +get +publish +sort", "+OK")
	user.do("AUTH u x", "+OK")
	words := func(line string) (call engine.Call) {
		for _, w := range strings.Fields(line) {
			call = append(call, []byte(w))
		}
		return call
	}
	for line, want := range map[string]string{
		"GET a": "", "NOSUCH": "", "GET": "", "PUBLISH": "", "CONFIG NOSUCH": "", "PING": "ERR The user executing the script can't run this command or subcommand",
		"GET b":       "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
		"PUBLISH c m": "ERR The user executing the script can't publish to the channel mentioned in the command",
		"SORT a BY *": "ERR BY option of SORT denied due to insufficient ACL permissions.",
	} {
		if got := user.Refuses(words(line), false); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if n := len(root.users.Log.Newest(10)); n != 0 {
		t.Errorf("questions have made %d entries in the log", n)
	}
	user.Refuses(words("GET b"), true)
	if list := root.users.Log.Newest(10); len(list) != 1 || list[0].Context != "lua" || list[0].Reason != acl.Key || list[0].Object != "b" || list[0].User != "u" {
		t.Errorf("the log is %+v", list)
	}
	if got := root.Refuses(words("FLUSHALL"), true); got != "" {
		t.Errorf("who may do everything is told %q", got)
	}
	root.do("CONFIG SET compatible-with 7.2", "+OK")
	if got := user.Refuses(words("PING"), false); got != "NOPERM ACL failure in script: User u has no permissions to run the 'ping' command" {
		t.Errorf("as in 7.2: %q", got)
	}
}

func TestTheClientsOfADeletedUserAreEnded(t *testing.T) {
	r := start(t, nil, Options{})
	root, first, second, me := r.dial(), r.dial(), r.dial(), r.dial()
	root.do("ACL SETUSER u on nopass +@all ~*; ACL SETUSER v on nopass +@all ~*", "+OK +OK")
	first.do("AUTH u x", "+OK")
	second.do("AUTH v x", "+OK")
	me.do("AUTH u x; CLIENT SETNAME me", "+OK +OK")
	me.send(pipeline("ACL DELUSER u; PING"))
	me.expect(":1\r\n") // and nothing else
	me.ends()
	first.ends()
	second.do("PING", "+PONG")
	root.do("CLIENT KILL USER u; CLIENT KILL USER v", "-ERR No such user 'u' :1")
	second.ends()
	root.do("AUTH u x", wrongPass)
}

func TestWhoListensToWhatItNoLongerMayIsEnded(t *testing.T) {
	r := start(t, nil, Options{})
	for name, c := range map[string]struct{ subscribe, confirmed, rules string }{
		"a channel":         {"SUBSCRIBE news", "*3 $9 subscribe $4 news :1", "resetchannels"},
		"a sharded channel": {"SSUBSCRIBE news", "*3 $10 ssubscribe $4 news :1", "resetchannels &x"},
		"a pattern":         {"PSUBSCRIBE n*", "*3 $10 psubscribe $2 n* :1", "resetchannels &n"},
	} {
		t.Run(name, func(t *testing.T) {
			root, listener, bystander := r.dial(), r.dial(), r.dial()
			root.do("ACL SETUSER u reset on nopass &news &n* &other allcommands", "+OK")
			listener.do("AUTH u x; CLIENT SETNAME deathrow", "+OK +OK")
			listener.do(c.subscribe, c.confirmed)
			bystander.do("AUTH u x", "+OK")
			bystander.do("SUBSCRIBE other", "*3 $9 subscribe $5 other :1")
			root.do("ACL SETUSER u allkeys &more; ACL SETUSER u allchannels; ACL SETUSER u resetchannels &n* &news &other", "+OK +OK +OK")
			listener.do("PING", "*2 $4 pong $0 ")
			root.do("ACL SETUSER u "+c.rules+" &other", "+OK")
			root.send(pipeline("CLIENT LIST"))
			if list := root.value(); strings.Contains(list, "deathrow") {
				t.Errorf("the client is still there: %s", list)
			}
			listener.ends()
			bystander.do("PING", "*2 $4 pong $0 ")
			_ = bystander.Close()
		})
	}
}

func TestLoadingUsersEndsTheClientsOfTheOldOnes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.acl")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("user alice on >secret ~* +@all\n")
	users := acl.New()
	if err := users.Open(path, false); err != nil {
		t.Fatal(err)
	}
	r := start(t, nil, Options{Users: users})
	root, alice := r.dial(), r.dial()
	alice.do("AUTH alice secret; PING", "+OK +PONG")
	root.do("ACL SETUSER bob on nopass +get; ACL SAVE", "+OK +OK")
	write("user alice on nopass -nosuch\n")
	root.do("ACL LOAD", "-ERR "+path+":1: Error in applying operation '-nosuch': Unknown command or category name in ACL. WARNING: ACL errors detected, no change to the previously active ACL rules was performed")
	alice.do("PING; ACL USERS", "+PONG *3 $5 alice $3 bob $7 default")
	write("user default on nopass ~* &* +@all -flushall\nuser alice on nopass ~a +get\n")
	root.do("ACL LOAD; ACL USERS; FLUSHALL", "+OK *2 $5 alice $7 default "+noCommand("flushall"))
	alice.ends()
	if r.hub.users == users {
		t.Error("the hub's users are those of the server")
	}
	path = filepath.Join(path, "below") // a file, so no folder
	if err := users.Open(path, false); err == nil {
		t.Error("what cannot be a file was opened")
	}
	root.do("ACL SAVE", "-ERR There was an error trying to save the ACLs. Please check the server logs for more information")
}

func TestTheDefaultUserIsAskedForItsPassword(t *testing.T) {
	root, user := pair(t)
	root.do("ACL SETUSER default >one", "+OK")
	user.do("PING", "+PONG") // it was let in before
	user.do("RESET; PING; AUTH two; AUTH one; PING", "+RESET "+noAuth+" "+wrongPass+" +OK +PONG")
	root.do("ACL SETUSER default nopass", "+OK")
	user.do("RESET; PING", "+RESET +PONG")
}

func TestAPipeIsInFromTheStart(t *testing.T) {
	e, hub := newMemory(t), NewHub()
	hub.users.SetPassword("secret")
	w := newPipe(t, e, hub)
	w.do("PING; ACL WHOAMI; RESET; PING", "+PONG $7 default +RESET +PONG")
	w.do("ACL SETUSER u on nopass +get ~a; AUTH u x; GET a; GET b; AUTH default wrong", "+OK +OK $-1 "+noKey+" "+wrongPass)
}

func TestMonitorShowsNoSecretsOfUsers(t *testing.T) {
	r := start(t, nil, Options{})
	root, user, watcher := r.dial(), r.dial(), r.dial()
	watcher.do("MONITOR", "+OK")
	root.do("ACL SETUSER u on >geheim +@all ~*; CONFIG SET requirepass geheim", "+OK +OK")
	user.do("AUTH u geheim; AUTH u geheim2; MULTI; AUTH u geheim; EXEC; SET k v", "+OK "+wrongPass+" +OK +QUEUED *1 +OK +OK")
	for shown := ""; !strings.Contains(shown, `"SET" "k" "v"`); {
		if shown = watcher.line(); strings.Contains(shown, "geheim") {
			t.Errorf("it shows %s", shown)
		}
	}
}

// foreign is an engine that may know commands which the table does not.
type foreign struct{ engine.Engine }

func TestWhatTheTableDoesNotKnowNeedsAllRights(t *testing.T) {
	p := newPeer(t, foreign{newMemory(t)}, Options{})
	const unknown = "-ERR unknown command 'NOSUCH', with args beginning with: 'k' "
	p.do("NOSUCH k; MULTI; NOSUCH k; EXEC", unknown+" +OK +QUEUED *1 "+unknown)
	p.do("ACL SETUSER u on nopass +@all ~a; AUTH u x; NOSUCH k; EVAL x 1 a; FCALL_RO x 0; SET a 1; SET k 1; MULTI; NOSUCH k; EXEC; MULTI; GET a; EXEC; ACL WHOAMI",
		"+OK +OK "+noCommand("NOSUCH")+" "+noCommand("eval")+" "+noCommand("fcall_ro")+" +OK "+noKey+" +OK "+noCommand("NOSUCH")+" -EXECABORT Transaction discarded because of previous errors. +OK +QUEUED *1 $1 1 $1 u")
	p.do("AUTH default x; SET k 1", "+OK +OK")
}
