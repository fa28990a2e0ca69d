package command_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
)

const oom = "-OOM command not allowed when used memory > 'maxmemory'."

func TestCallsThatTakeMemoryAreRefusedWhereThereIsNone(t *testing.T) {
	now := int64(1_000_000)
	converse(t, at(t, &now), 2, []exchange{
		{"SET k v", "+OK"},
		{"RPUSH l a b", ":2"},
		{"CONFIG SET maxmemory 1", "+OK"},
		{"SET k w", oom},
		{"INCR n", oom},
		{"GET k", "$1 v"},
		{"LPOP l", "$1 a"},
		{"EXPIRE k 100", ":1"},
		{"SET k", "-ERR wrong number of arguments for 'set' command"},
		{"DEL l", ":1"},
		{"CONFIG SET maxmemory 0", "+OK"},
		{"SET stays v", "+OK"},
		{"CONFIG SET maxmemory-policy volatile-ttl maxmemory 1", "+OK"},
		{"SET k w", oom}, // k, which expires, has given way, and was not enough
		{"EXISTS k stays", ":1"},
		{"CONFIG SET maxmemory-policy allkeys-lru", "+OK"},
		{"GET stays", "$-1"},
		{"SET k w", oom},
		{"CONFIG SET maxmemory 100mb", "+OK"},
		{"SET k w", "+OK"},
		{"DBSIZE", ":1"},
	})
}

// connection is the session of a batch.
type connection struct{ engine.Session }

func TestATransactionRunsAsAWholeOrIsAborted(t *testing.T) {
	now := int64(1_000_000)
	e := at(t, &now)
	converse(t, e, 2, []exchange{{"SET k v", "+OK"}})
	do := func(session engine.Session, calls ...string) (string, error) {
		b := &engine.Batch{Atomic: true, Session: session}
		for _, c := range calls {
			b.Calls = append(b.Calls, words(c))
		}
		w := &resp.Writer{}
		err := e.Do(context.Background(), b, w)
		return string(w.Buf), err
	}
	if e.Full(t.Context()) {
		t.Error("memory is short of itself")
	}
	// The bound counts when a transaction begins.
	if got, err := do(connection{}, "CONFIG SET maxmemory 1", "SET k w", "GET k"); got != "+OK\r\n+OK\r\n$1\r\nw\r\n" || err != nil {
		t.Errorf("a transaction that lowers maxmemory: %q, %v", got, err)
	}
	if !e.Full(t.Context()) {
		t.Error("memory is not short")
	}
	if got, err := do(connection{}, "GET k", "SET k x"); got != "" || !errors.Is(err, engine.Discarded(command.ErrOutOfMemory)) {
		t.Errorf("a transaction with SET: %q, %v", got, err)
	}
	if got, err := do(nil, "GET k", "SET k x"); got != oom+"\r\n"+oom+"\r\n" || err != nil {
		t.Errorf("a transaction with SET and without a session: %q, %v", got, err)
	}
	if got, err := do(connection{}, "GET k", "DEL k"); got != "$1\r\nw\r\n:1\r\n" || err != nil {
		t.Errorf("a transaction that takes no memory: %q, %v", got, err)
	}
}

func TestOfWhatGivesWayIsTold(t *testing.T) {
	now := int64(1_000_000)
	var told []string
	e := command.NewEngine(memstore.New(memstore.Options{Seed: 1}), command.Options{
		Now: func() time.Time { return time.UnixMilli(now) },
		OnEvent: func(v command.Event) {
			if v.Class == command.EventEvicted {
				told = append(told, fmt.Sprint(v.Name, " ", string(v.Key)))
			}
		},
	})
	defer e.Close()
	converse(t, e, 2, []exchange{{"SET a v EX 100", "+OK"}, {"SET b v", "+OK"}, {"SET c v EX 50", "+OK"},
		{"CONFIG SET maxmemory 1 maxmemory-policy volatile-ttl", "+OK"}, {"PING", "+PONG"}, {"KEYS *", "*1 $1 b"}})
	if want := []string{"evicted c", "evicted a"}; !slices.Equal(told, want) {
		t.Errorf("told of %q, want %q", told, want)
	}
	values, _ := fields(t, asking(t, e), "stats")
	if values["evicted_keys"] != "2" {
		t.Errorf("evicted_keys is %s", values["evicted_keys"])
	}
}

// times are the fields of commandstats that no two runs have in common.
var times = regexp.MustCompile("usec=[0-9]+,usec_per_call=[0-9.]+,")

func TestRowsCountTheirCalls(t *testing.T) {
	ask := ours(t)
	for _, call := range []string{"SET k v", "GET k", "GET k", "LPUSH k v", "GET", "NOSUCH", "OBJECT ENCODING k", "OBJECT FOO", "OBJECT FREQ k", "OBJECT",
		"CONFIG SET maxmemory 1", "SET k w", "CONFIG SET maxmemory 0"} {
		ask(strings.Fields(call)...)
	}
	values, _ := fields(t, ask, "commandstats", "stats", "errorstats")
	for name, want := range map[string]string{
		"cmdstat_get":             "calls=2,rejected_calls=1,failed_calls=0",
		"cmdstat_set":             "calls=1,rejected_calls=1,failed_calls=0",
		"cmdstat_lpush":           "calls=1,rejected_calls=0,failed_calls=1",
		"cmdstat_object|encoding": "calls=1,rejected_calls=0,failed_calls=0",
		"cmdstat_object|freq":     "calls=1,rejected_calls=0,failed_calls=1",
		"cmdstat_object":          "calls=0,rejected_calls=1,failed_calls=0",
		"cmdstat_config|set":      "calls=2,rejected_calls=0,failed_calls=0",
		"errorstat_OOM":           "count=1", "errorstat_ERR": "count=5", "errorstat_WRONGTYPE": "count=1",
		"total_commands_processed": "8", "total_error_replies": "7",
	} {
		if got := times.ReplaceAllString(values[name], ""); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	ask("CONFIG", "RESETSTAT")
	values, _ = fields(t, ask, "commandstats")
	if len(values) != 1 || !strings.HasPrefix(values["cmdstat_config|resetstat"], "calls=1,") {
		t.Errorf("after a reset: %q", values)
	}
}

func TestLookupsOfCallsThatReadAreHitsAndMisses(t *testing.T) {
	ask := ours(t)
	ask("SET", "k", "v")
	ask("CONFIG", "RESETSTAT")
	for _, call := range []string{"GET k", "GET missing", "MGET k missing k", "SET k v", "DEL missing", "STRLEN k", "HGET missing f", "EXISTS k missing", "OBJECT ENCODING k",
		"GETEX k", "GETDEL missing", "INCR n"} {
		ask(strings.Fields(call)...)
	}
	values, _ := fields(t, ask, "stats")
	if got := values["keyspace_hits"] + " hits " + values["keyspace_misses"] + " misses"; got != "7 hits 5 misses" {
		t.Error(got)
	}
}
