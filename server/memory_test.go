package server

import (
	"context"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/engine/memory"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

const oom = "OOM command not allowed when used memory > 'maxmemory'."

func TestNothingIsQueuedWhereMemoryIsShort(t *testing.T) {
	w := start(t, nil, Options{}).dial()
	w.do("SET k v; CONFIG SET maxmemory 1", "+OK +OK")
	w.do("MULTI; GET k; EXEC", "+OK -"+oom+" -EXECABORT Transaction discarded because of previous errors.")
	w.do("MULTI; SET k w; DISCARD; GET k", "+OK -"+oom+" +OK $1 v")
}

func TestATransactionIsRefusedAsAWhole(t *testing.T) {
	r := start(t, nil, Options{})
	w, other := r.dial(), r.dial()
	w.do("SET k v; MULTI; GET k; SET k w", "+OK +OK +QUEUED +QUEUED")
	other.do("CONFIG SET maxmemory 1", "+OK")
	w.do("EXEC; GET k", "-EXECABORT Transaction discarded because of: "+oom+" $1 v")
	other.do("CONFIG SET maxmemory 0", "+OK")
	w.do("MULTI; GET k", "+OK +QUEUED")
	other.do("CONFIG SET maxmemory 1", "+OK")
	w.do("EXEC", "*1 $1 v")
}

func TestAClientThatTouchesNothingDoesSoByTouchAlone(t *testing.T) {
	w := start(t, nil, Options{}).dial()
	w.do("CONFIG SET maxmemory-policy allkeys-lfu lfu-log-factor 0; SET k v; CLIENT NO-TOUCH ON", "+OK +OK +OK")
	w.do("GET k; STRLEN k; OBJECT FREQ k", "$1 v :1 :5")
	w.do("MULTI; GET k; EXEC; OBJECT FREQ k", "+OK +QUEUED *1 $1 v :5")
	w.do("TOUCH k; OBJECT FREQ k", ":1 :6")
	w.do("CLIENT NO-TOUCH OFF; GET k; OBJECT FREQ k", "+OK $1 v :7")
}

func TestServersOnOneEngineTellOfItOnce(t *testing.T) {
	e := memory.New(memory.Options{})
	t.Cleanup(func() { _ = e.Close() })
	one, two := start(t, e, Options{MaxClients: 10}), start(t, e, Options{MaxClients: 20})
	w, _ := one.dial(), one.dial()
	w.do("PING", "+PONG")
	two.dial().do("PING", "+PONG")
	go func() { // in the process, without a server
		b := &engine.Batch{Calls: []engine.Call{{[]byte("BLPOP"), []byte("l"), []byte("0")}}, Wait: true}
		_ = e.Do(context.Background(), b, &resp.Writer{})
	}()
	eventually(t, "a call waits", func() bool { return e.Waiting() == 1 })
	w.send(pipeline("INFO"))
	text := w.value()
	seen := map[string]string{}
	for line := range strings.SplitSeq(text, "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if _, again := seen[name]; ok && again {
			t.Errorf("%s is told twice", name)
		}
		seen[name] = value
	}
	for name, want := range map[string]string{"connected_clients": "3", "maxclients": "30", "blocked_clients": "1", "total_connections_received": "3"} {
		if seen[name] != want {
			t.Errorf("%s is %q, want %q", name, seen[name], want)
		}
	}
	w.do("LPUSH l x", ":1")
}

func TestAClosedServerIsNoLongerToldOf(t *testing.T) {
	e := memory.New(memory.Options{})
	t.Cleanup(func() { _ = e.Close() })
	closed := New(e, Options{MaxClients: 10})
	w := start(t, e, Options{MaxClients: 20}).dial()
	if err := closed.Close(); err != nil {
		t.Error(err)
	}
	w.send(pipeline("INFO clients"))
	if text := w.value(); !strings.Contains(text, "maxclients:20\r\n") {
		t.Errorf("INFO clients: %s", text)
	}
}
