package server

import (
	"strings"
	"testing"
)

func TestWhatAClientIsToldWhileAScriptTakesTooLong(t *testing.T) {
	e := newMemory(t)
	hub := NewHub()
	first, other := newPeer(t, e, Options{Hub: hub}), newPeer(t, e, Options{Hub: hub})
	other.do("CONFIG SET busy-reply-threshold 10", "+OK")
	other.do("MULTI\nINCR n", "+OK +QUEUED")
	script := make(chan string)
	go func() {
		script <- first.raw("EVAL 'while true do end' 0\r\n")
	}()
	for other.raw("PING\r\n") != "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n" {
		other.raw("DISCARD\r\nMULTI\r\nINCR n\r\n") // PING was queued
	}
	busy := "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
	other.do("INCR n", busy)
	other.do("EXEC", "-EXECABORT Transaction discarded because of: "+busy[1:])
	other.do("GET n", busy)
	other.do("WATCH n", busy)
	other.do("CLIENT ID", busy)
	other.do("MULTI\nDISCARD", "+OK +OK")
	other.do("SCRIPT KILL", "+OK")
	if got := <-script; !strings.HasPrefix(got, "-ERR ") || !strings.Contains(got, "Script killed by user") {
		t.Errorf("the script: %q", got)
	}
	other.do("GET n", "$-1")
}
