package server

import (
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/resp"
)

func TestShutdownIsRefusedWhereTheProgramEndsByItself(t *testing.T) {
	p := newPeer(t, nil, Options{})
	p.do("SHUTDOWN", "-ERR SHUTDOWN is not allowed: this engine is part of a program, which ends by itself")
	p.do("SHUTDOWN SAVE NOSAVE; SHUTDOWN ABORT NOW; MULTI; SHUTDOWN; DISCARD",
		"-ERR syntax error -ERR syntax error +OK -ERR Command not allowed inside a transaction +OK")
}

func TestWhoShutsDownGetsNoReplyAndNobodyAfterIt(t *testing.T) {
	var asked []bool
	p := newPeer(t, nil, Options{Shutdown: func(now bool) { asked = append(asked, now) }})
	p.do("SET k v; SHUTDOWN NOSAVE NOW; SET k w", "+OK")
	if len(asked) != 1 || !asked[0] || !p.ended {
		t.Errorf("asked %v, ended %v", asked, p.ended)
	}
}

func TestCallsOfTheSessionAreInTheSlowLogToo(t *testing.T) {
	p := newPeer(t, nil, Options{})
	p.addr = "127.0.0.1:5"
	p.do("CONFIG SET slowlog-log-slower-than 0; SLOWLOG RESET; CLIENT SETNAME bob; AUTH user secret; MULTI; GET k; EXEC", "+OK +OK +OK "+
		"-WRONGPASS invalid username-password pair or user is disabled. +OK +QUEUED *1 $-1")
	v, _, err := resp.DecodeValue([]byte(p.raw(pipeline("SLOWLOG GET"))))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range v.Elems {
		var words []string
		for _, w := range entry.Elems[3].Elems {
			words = append(words, string(w.Str))
		}
		got = append(got, strings.Join(words, " ")+" of "+string(entry.Elems[5].Str))
	}
	want := "GET k of bob,MULTI of bob,AUTH (redacted) (redacted) of bob,CLIENT SETNAME bob of bob,SLOWLOG RESET of "
	if strings.Join(got, ",") != want {
		t.Errorf("the slow log has %q", got)
	}
	p.do("CONFIG RESETSTAT", "+OK")
	p.raw(pipeline("CLIENT ID"))
	if text := p.raw(pipeline("LATENCY HISTOGRAM client|id")); !strings.Contains(text, "$5\r\ncalls\r\n:1\r\n") {
		t.Errorf("the histogram is %q", text)
	}
}
