package server

import (
	"io"
	"strconv"
	"strings"
	"testing"
)

// sync makes a connection a replica's by a call, whose reply begins with head.
func (w *wire) sync(call, head string) {
	w.Helper()
	w.send(pipeline(call))
	if head != "" && !strings.HasPrefix(w.line(), head) {
		w.Fatal("another reply than " + head)
	}
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(w.line(), "$")))
	if err != nil {
		w.Fatal(err)
	}
	image := make([]byte, n)
	if _, err := io.ReadFull(w.in, image); err != nil || !strings.HasPrefix(string(image), "REDIS0010") {
		w.Fatalf("the image is %q, %v", image, err)
	}
}

func wireForm(calls string) string { return strings.ReplaceAll(calls, " ", "\r\n") + "\r\n" }

func TestAReplicaIsSentTheKeysAndThenWhatChanges(t *testing.T) {
	r := start(t, nil, Options{})
	a, replica := r.dial(), r.dial()
	a.do("SET before 1", "+OK")
	replica.do("REPLCONF listening-port 7000 capa eof capa psync2", "+OK")
	replica.sync("PSYNC ? -1", "+FULLRESYNC ")
	a.do("SET k v", "+OK")
	replica.expect(wireForm("*2 $6 SELECT $1 0 *3 $3 SET $1 k $1 v"))
	a.do("MULTI; SELECT 1; SET k 1; DEL none; INCR k; EXEC", "+OK +QUEUED +QUEUED +QUEUED +QUEUED *4 +OK +OK :0 :2")
	replica.expect(wireForm("*2 $6 SELECT $1 1 *1 $5 MULTI *3 $3 SET $1 k $1 1 *2 $4 INCR $1 k *1 $4 EXEC"))
	replica.send(pipeline("REPLCONF ACK 1"))
	eventually(t, "the replica is online", func() bool {
		a.send(pipeline("INFO replication"))
		return strings.Contains(a.value(), "connected_slaves:1\r\nslave0:ip=127.0.0.1,port=7000,state=online,offset=1,lag=0\r\n")
	})
	a.send(pipeline("CLIENT LIST TYPE replica"))
	if got := a.value(); !strings.Contains(got, " flags=S ") || strings.Count(got, "\n") != 1 {
		t.Errorf("CLIENT LIST: %s", got)
	}
	replica.do("GET k; RESET", "-ERR Replica can't interact with the keyspace -ERR can only reset normal connections")
	a.do("CLIENT KILL TYPE slave", ":1")
	replica.ends()
}

func TestAnImageAloneIsNoReplica(t *testing.T) {
	r := start(t, nil, Options{})
	w := r.dial()
	w.do("SET k v; REPLCONF rdb-only 1", "+OK +OK")
	w.sync("SYNC", "")
	w.do("SET k v; REPLCONF rdb-filter-only ''", "+OK +OK")
	w.send(pipeline("SYNC"))
	if got := w.line(); len(got) > len("$99\r\n") {
		t.Errorf("an image with nothing begins with %q", got)
	}
}

func TestWaitCountsReplicasThatHaveWhatWasWritten(t *testing.T) {
	r := start(t, nil, Options{})
	a, replica := r.dial(), r.dial()
	replica.sync("PSYNC ? -1", "+FULLRESYNC ")
	a.do("SET k v; WAIT 0 0; WAIT 1 1", "+OK :0 :0")
	replica.expect(wireForm("*2 $6 SELECT $1 0 *3 $3 SET $1 k $1 v *3 $8 REPLCONF $6 GETACK $1 *"))
	a.send(pipeline("WAIT 1 0"))
	replica.expect(wireForm("*3 $8 REPLCONF $6 GETACK $1 *"))
	replica.send(pipeline("REPLCONF ACK 1000"))
	a.expect(":1\r\n")
}

func TestAReplicaThatDoesNotReadIsCutOff(t *testing.T) {
	r := start(t, nil, Options{})
	a, slow := r.dial(), r.dial()
	a.do("CONFIG SET client-output-buffer-limit 'replica 1mb 0 0'", "+OK")
	slow.sync("SYNC", "")
	call := pipeline("SET k " + strings.Repeat("x", 64<<10))
	eventually(t, "a replica that does not read is cut off", func() bool {
		a.send(call)
		a.line()
		return r.hub.Len() == 1
	})
	a.send(pipeline("INFO replication"))
	if got := a.value(); !strings.Contains(got, "connected_slaves:0\r\n") {
		t.Errorf("INFO: %s", got)
	}
}

func TestFollowingIsRefusedWhereItCannotBe(t *testing.T) {
	newPipe(t, nil, nil).do("SYNC", "-"+errFollowPipe)
	far := start(t, &gate{Engine: newMemory(t)}, Options{}).dial()
	far.do("PSYNC ? -1", "-"+errNoFollowing)
	w := start(t, nil, Options{}).dial()
	w.do("MULTI; SYNC; EXEC", "+OK -ERR Command not allowed inside a transaction -EXECABORT Transaction discarded because of previous errors.")
	w.do("REPLCONF a; REPLCONF nonsense 1; REPLCONF", "-ERR syntax error -ERR Unrecognized REPLCONF option: nonsense +OK")
	w.do("REPLICAOF no one; PSYNC a 1 FAILOVER", "+OK -ERR PSYNC FAILOVER is not supported: an engine follows nobody")
}
