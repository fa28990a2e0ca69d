package server

import (
	"io"
	"strings"
	"testing"
)

func TestRepliesBeyondTheLimitAreNotSent(t *testing.T) {
	for name, c := range map[string]struct{ limit, call string }{
		"of one call":          {"normal 100000 0 0", "GET big"},
		"of a transaction":     {"normal 100000 0 0", "MULTI; SET a 1; GET big; SET b 2; EXEC"},
		"of a call that waits": {"normal 100000 0 0", "MGET big big"},
	} {
		t.Run(name, func(t *testing.T) {
			log := &journal{}
			r := start(t, nil, Options{Logger: log.logger()})
			w, other := r.dial(), r.dial()
			other.do("SET big "+strings.Repeat("x", 150_000)+"; CONFIG SET client-output-buffer-limit \""+c.limit+"\"", "+OK +OK")
			w.send(pipeline(c.call))
			rest, err := io.ReadAll(w.in)
			if len(rest) > 100 || err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("%d bytes came, %v", len(rest), err)
			}
			if strings.HasPrefix(c.call, "MULTI") {
				other.do("MGET a b", "*2 $1 1 $1 2")
			}
			other.do("PING", "+PONG")
			if !strings.Contains(log.String(), errTooSlow.Error()) {
				t.Errorf("the log has %s", log)
			}
			other.do("CONFIG SET client-output-buffer-limit \"normal 0 0 0\"", "+OK")
			next := r.dial()
			next.do("STRLEN big", ":150000")
			next.send(pipeline("GET big"))
			if got := next.value(); len(got) != 150_000 {
				t.Errorf("without a limit %d bytes come", len(got))
			}
		})
	}
}

func TestAClientThatReadsMayBeSentMuchForLong(t *testing.T) {
	r := start(t, nil, Options{})
	w := r.dial()
	w.do("SET big "+strings.Repeat("x", 150_000)+"; CONFIG SET client-output-buffer-limit \"normal 0 100000 0\"", "+OK +OK")
	for range 3 { // the soft limit is of what stays
		w.send(pipeline("GET big"))
		if got := w.value(); len(got) != 150_000 {
			t.Fatalf("%d bytes come", len(got))
		}
	}
}

func TestAClientThatNeverReadsIsCutOffInTime(t *testing.T) {
	r := start(t, nil, Options{})
	w, other := r.dial(), r.dial()
	other.do("SET big "+strings.Repeat("x", 1<<20)+"; CONFIG SET client-output-buffer-limit \"normal 0 100000 1\"", "+OK +OK")
	w.send(strings.Repeat(pipeline("GET big"), 100))
	eventually(t, "it is gone", func() bool { return r.hub.Len() == 1 })
	other.do("PING", "+PONG")
}

func TestWhoIsRefusedIsCounted(t *testing.T) {
	r := start(t, nil, Options{MaxClients: 1})
	w := r.dial()
	w.do("PING", "+PONG")
	r.dial().expect(tooMany)
	w.send(pipeline("INFO stats"))
	if info := w.value(); !strings.Contains(info, "rejected_connections:1\r\n") || !strings.Contains(info, "total_connections_received:2\r\n") {
		t.Errorf("INFO has %s", info)
	}
	w.do("CONFIG SET maxclients 2", "+OK")
	r.dial().do("PING", "+PONG")
}

func TestNumbersOfBytesThatAreTooLargeAreRefused(t *testing.T) {
	r := start(t, nil, Options{})
	w := r.dial()
	w.do("CONFIG SET proto-max-bulk-len 2000000", "+OK")
	w.send("*2\r\n$4\r\nECHO\r\n$2000001\r\n")
	w.expect("-ERR Protocol error: invalid bulk length\r\n")
	w.ends()
	w = r.dial()
	w.do("SETRANGE k 1999999 xx; CONFIG SET client-query-buffer-limit 1mb; CONFIG SET proto-max-bulk-len 512mb",
		"-ERR string exceeds maximum allowed size (proto-max-bulk-len) +OK +OK")
	w.send("*2\r\n$4\r\nECHO\r\n$3000000\r\n" + strings.Repeat("x", 1_100_000))
	for range 30 {
		if _, err := io.WriteString(w.Conn, strings.Repeat("x", 50_000)); err != nil {
			break
		}
	}
	w.ends()
	r.dial().do("PING", "+PONG")
}
