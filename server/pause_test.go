package server

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAPauseHoldsBackWhatMayWrite(t *testing.T) {
	for name, c := range map[string]struct{ before, begun, held, got string }{
		"a write":                  {"PING", "+PONG", "SET k v", "+OK"},
		"behind a read":            {"PING", "+PONG", "GET k; SET k v; GET k", "$-1 +OK $1 v"},
		"a count that is kept":     {"PING", "+PONG", "PFCOUNT k", ":0"},
		"a message":                {"PING", "+PONG", "PUBLISH ch hi", ":0"},
		"a call that would wait":   {"RPUSH m v", ":1", "BLPOP m 0", "*2 $1 m $1 v"},
		"a transaction":            {"MULTI; SET k v", "+OK +QUEUED", "EXEC; PING", "*1 +OK +PONG"},
		"what is queued":           {"MULTI", "+OK", "SET k v; EXEC", "+QUEUED *1 +OK"},
		"a reply that is skipped":  {"PING", "+PONG", "CLIENT REPLY SKIP; SET k v; GET k", "$1 v"},
		"a client that tracks":     {"CLIENT TRACKING ON", "+OK", "GET k; SET k v; GET k", "$-1 +OK $1 v"},
		"with a watched key":       {"WATCH k; MULTI; SET k v", "+OK +OK +QUEUED", "EXEC", "*1 +OK"},
		"a transaction that fails": {"MULTI; SET k v; NOSUCH", "+OK +QUEUED -ERR unknown command 'NOSUCH', with args beginning with: ", "EXEC", "-EXECABORT Transaction discarded because of previous errors."},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil, Options{})
			w, other := r.dial(), r.dial()
			w.do(c.before, c.begun)
			other.do("CLIENT PAUSE 100000 WRITE", "+OK")
			r.block(w, c.held)
			other.do("GET k; LLEN m; CLIENT UNPAUSE; CLIENT UNPAUSE", "$-1 :"+fmt.Sprint(strings.Count(c.before, "RPUSH"))+" +OK +OK")
			w.do("PING", c.got+" +PONG")
			eventually(t, "nobody waits", func() bool { return r.waiting() == 0 })
		})
	}
}

func TestAPauseLetsPassWhatOnlyReads(t *testing.T) {
	r := start(t, nil, Options{})
	w := r.dial()
	w.do("SET k v; CLIENT PAUSE 100000 WRITE; GET k; MULTI; GET k; PING; EXEC; WATCH k; SELECT 1; SUBSCRIBE ch; UNSUBSCRIBE; SET k; CLIENT UNPAUSE; SET k v",
		"+OK +OK $1 v +OK +QUEUED +QUEUED *2 $1 v +PONG +OK +OK *3 $9 subscribe $2 ch :1 *3 $11 unsubscribe $2 ch :0 "+
			"-ERR wrong number of arguments for 'set' command +OK +OK")
}

func TestAPauseHoldsBackScriptsThatDoNotSayThatTheyOnlyRead(t *testing.T) {
	const reads, library = `"#!lua flags=no-writes\nreturn 2"`, `"#!lua name=l\nredis.register_function{function_name='reads', callback=function() return 1 end, flags={'no-writes'}} redis.register_function('writes', function() return 2 end)"`
	r := start(t, nil, Options{})
	other := r.dial()
	other.do(`SCRIPT LOAD "return 1"; FUNCTION LOAD `+strings.ReplaceAll(library, ";", ","), "$40 e0e1f9fabfc9d4800c877a703b823ac0578ff8db $1 l")
	other.do("SCRIPT LOAD "+reads, "$40 ae33f9227913b24d053a555637f98260b23bd3a3")
	other.do("CLIENT PAUSE 100000 WRITE", "+OK")
	other.do("EVAL "+reads+" 0; EVALSHA ae33f9227913b24d053a555637f98260b23bd3a3 0; EVAL_RO 'return 3' 0; FCALL reads 0; FCALL_RO reads 0; MULTI; EVAL "+reads+" 0; EXEC",
		":2 :2 :3 :1 :1 +OK +QUEUED *1 :2")
	all := map[string]string{
		`EVAL "return 1" 0`:                                  ":1",
		`EVAL "#!lua\nreturn 1" 0`:                           ":1",
		"EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0": ":1",
		"EVALSHA ffffffffffffffffffffffffffffffffffffffff 0": "-NOSCRIPT No matching script. Please use EVAL.",
		"FCALL writes 0":                                     ":2",
		`MULTI; EVAL "return 1" 0; EXEC`:                     "+OK +QUEUED *1 :1",
	}
	held := map[string]*wire{}
	for call := range all {
		held[call] = r.dial()
		r.block(held[call], call)
	}
	other.do("CLIENT UNPAUSE", "+OK")
	for call, want := range all {
		held[call].do("PING", want+" +PONG")
	}
}

func TestAPauseOfAllHoldsBackEverythingButMistakes(t *testing.T) {
	r := start(t, nil, Options{})
	var all []*wire
	for range 4 {
		all = append(all, r.dial())
	}
	all[3].do("MULTI; CLIENT PAUSE 100 WRITE; EXEC", "+OK +QUEUED *1 +OK")
	all[3].do("CLIENT PAUSE 100; GET; NOSUCH", "+OK -ERR wrong number of arguments for 'get' command -ERR unknown command 'NOSUCH', with args beginning with: ")
	for i, call := range []string{"GET k", "MULTI; PING; EXEC", "CLIENT UNPAUSE; PING"} {
		r.block(all[i], call)
	}
	for i, want := range []string{"$-1", "+OK +QUEUED *1 +PONG", "+OK +PONG"} { // it ends by itself
		all[i].do("PING", want+" +PONG")
	}
}

func TestTheLongerAndStricterPauseCounts(t *testing.T) {
	r := start(t, nil, Options{})
	w, other := r.dial(), r.dial()
	other.do("CLIENT PAUSE 100000 WRITE; CLIENT PAUSE 1 WRITE", "+OK +OK")
	r.block(w, "SET k v")
	begun := r.hub.now()
	eventually(t, "the shorter one would be over", func() bool { return r.hub.now() > begun+int64(5*time.Millisecond) })
	if r.waiting() != 1 {
		t.Error("a shorter pause ends a longer one")
	}
	other.do("CLIENT UNPAUSE", "+OK")
	w.do("PING", "+OK +PONG")
	other.do("CLIENT PAUSE 500 WRITE; CLIENT PAUSE 1 ALL", "+OK +OK")
	r.block(other, "GET k")
	other.do("PING", "$1 v +PONG")
}

func TestAPauseInATransactionBeginsBehindIt(t *testing.T) {
	r := start(t, nil, Options{})
	w := r.dial()
	w.do("MULTI; SET a 1; CLIENT PAUSE 100000 WRITE; SET b 2; EXEC; MGET a b", "+OK +QUEUED +QUEUED +QUEUED *3 +OK +OK +OK *2 $1 1 $1 2")
	other := r.dial()
	r.block(other, "SET c 3")
	w.do("CLIENT UNPAUSE", "+OK")
	other.do("PING", "+OK +PONG")
}

func TestNothingGoesByItselfWhileAPauseGoesOn(t *testing.T) {
	r := start(t, nil, Options{})
	w := r.dial()
	w.do("MULTI; SET a 1 PX 10; SET b 1 PX 10; CLIENT PAUSE 100000 WRITE; EXEC", "+OK +QUEUED +QUEUED +QUEUED *3 +OK +OK +OK")
	count := func(word string) string {
		w.send(pipeline("INFO stats"))
		_, rest, _ := strings.Cut(w.value(), word+":")
		n, _, _ := strings.Cut(rest, "\r\n")
		return n
	}
	eventually(t, "the keys have expired", func() bool {
		w.send(pipeline("EXISTS a b"))
		return w.line() == ":0\r\n"
	})
	w.do("GET a; TTL a; TYPE a; RANDOMKEY; SCAN 0; DBSIZE", "$-1 :-2 +none $-1 *2 $1 0 *0 :2")
	w.do("CONFIG SET maxmemory 1 maxmemory-policy allkeys-lru; GET a; PING", "+OK $-1 +PONG")
	if n := count("expired_keys") + count("evicted_keys"); n != "00" {
		t.Errorf("keys that have gone while a pause went on: %s", n)
	}
	w.do("CONFIG SET maxmemory 0; CLIENT UNPAUSE; GET a; GET b", "+OK +OK $-1 $-1")
	if n := count("expired_keys"); n != "2" {
		t.Errorf("after it %s keys have expired", n)
	}
}

func TestWhoIsHeldBackIsSeenNotUnblockedAndKilled(t *testing.T) {
	r := start(t, nil, Options{})
	for _, call := range []string{"SET k v", "MULTI; SET k v; EXEC"} {
		w, other := r.dial(), r.dial()
		w.send(pipeline("CLIENT ID"))
		id := strings.Trim(w.line(), ":\r\n")
		other.do("CLIENT PAUSE 100000 WRITE", "+OK")
		r.block(w, call)
		other.send(pipeline("CLIENT LIST ID " + id))
		if line := other.value(); !strings.Contains(line, "b") || !strings.Contains(line, " cmd=set ") {
			t.Errorf("the line of one who is held back is %s", line)
		}
		other.do("CLIENT UNBLOCK "+id+"; CLIENT UNBLOCK "+id+" ERROR; CLIENT KILL ID "+id, ":0 :0 :1")
		eventually(t, "nobody waits", func() bool { return r.waiting() == 0 })
		other.do("CLIENT UNPAUSE; GET k", "+OK $-1")
	}
}

func TestAPauseEndsWithTheServerThatIsShutDown(t *testing.T) {
	e := newMemory(t)
	r := start(t, e, Options{})
	w := r.dial()
	w.do("CLIENT PAUSE 100000", "+OK")
	r.block(w, "SET k v")
	if err := r.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n := waiting(e); n != 0 {
		t.Errorf("%d calls wait for a pause that nobody is left to end", n)
	}
}

func TestAPipeIsHeldBackToo(t *testing.T) {
	e := newMemory(t)
	w, other := newPipe(t, e, NewHub()), newPipe(t, e, NewHub())
	other.do("CLIENT PAUSE 100000 WRITE", "+OK")
	w.send(pipeline("GET k; SET k v"))
	w.expect("$-1\r\n")
	eventually(t, "a call waits", func() bool { return waiting(e) == 1 })
	other.do("CLIENT UNPAUSE", "+OK")
	w.do("GET k", "+OK $1 v")
}

func TestWhatCannotBeAPauseIsRefused(t *testing.T) {
	newPeer(t, nil, Options{}).do("CLIENT PAUSE x; CLIENT PAUSE -1; CLIENT PAUSE 1 foo; CLIENT PAUSE x foo; CLIENT PAUSE 1 WRITE x; CLIENT PAUSE; CLIENT PAUSE 0 WRITE; SET k v",
		"-ERR timeout is not an integer or out of range -ERR timeout is negative -ERR CLIENT PAUSE mode must be WRITE or ALL "+
			"-ERR CLIENT PAUSE mode must be WRITE or ALL -ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP. "+
			"-ERR wrong number of arguments for 'client|pause' command +OK +OK")
}

func TestAScriptWhosePauseEndsBeforeItWaitsIsShownToWhoMonitors(t *testing.T) {
	root, user := pair(t)
	r := start(t, root.engine, Options{Hub: root.hub})
	watcher := r.dial()
	watcher.do("MONITOR", "+OK")
	root.do("CLIENT PAUSE 100000 WRITE", "+OK")
	if err := user.in.Feed([]byte(pipeline(`EVAL "return redis.call('INCR', 'n')" 0`))); err != nil || !user.turn(user.hub.now()) || !user.waits {
		t.Fatalf("it does not wait: %v", err)
	}
	root.do("CLIENT UNPAUSE", "+OK")
	user.wait(t.Context())
	user.do("PING", ":1 +PONG")
	for _, call := range []string{`"EVAL" "return redis.call('INCR', 'n')" "0"`, `lua] "INCR" "n"`, `"PING"`} {
		if line := watcher.line(); !strings.Contains(line, call) {
			t.Errorf("who monitors sees %q instead of %s", line, call)
		}
	}
}
