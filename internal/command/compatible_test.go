package command_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
)

// compatible is an engine that answers like a version of Redis, and the waits that begin on it.
func compatible(t *testing.T, version string) (*command.Engine, <-chan struct{}) {
	t.Helper()
	store := observed{memstore.New(memstore.Options{}), make(chan struct{}, 16)}
	e := command.NewEngine(store, command.Options{Now: func() time.Time { return time.UnixMilli(1000) }})
	t.Cleanup(func() { _ = e.Close() })
	converse(t, e, 2, []exchange{{"CONFIG SET compatible-with " + version, "+OK"}})
	return e, store.waits
}

func TestEncodingsAreNamedAsInTheVersionThatIsAskedFor(t *testing.T) {
	for version, want := range map[string]struct{ list, set string }{
		"7.2": {"$8 listpack", "$8 listpack"},
		"7.0": {"$9 quicklist", "$9 hashtable"},
	} {
		e, _ := compatible(t, version)
		converse(t, e, 2, []exchange{
			{"RPUSH list a b", ":2"}, {"SADD set a b", ":2"}, {"SADD ints 1 2", ":2"}, {"HSET hash f v", ":1"}, {"ZADD zset 1 a", ":1"},
			{"OBJECT ENCODING list", want.list},
			{"OBJECT ENCODING set", want.set},
			{"OBJECT ENCODING ints", "$6 intset"},
			{"OBJECT ENCODING hash", "$8 listpack"},
			{"OBJECT ENCODING zset", "$8 listpack"},
			{"OBJECT ENCODING none", "$-1"},
		})
	}
}

func TestWhoWaitsForAGroupThatGoesIsToldInTheWordsOfTheVersion(t *testing.T) {
	const (
		later = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"
		gone  = "-UNBLOCKED the stream key no longer exists"
	)
	for _, c := range []struct{ version, call, reply, want string }{
		{"7.2", "DEL s", ":1", later},
		{"7.2", "SET s x", "+OK", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
		{"7.2", "XGROUP DESTROY s g", ":1", later},
		{"7.0", "DEL s", ":1", gone},
		{"7.0", "FLUSHDB", "+OK", gone},
		{"7.0", "SET s x", "+OK", gone},
		{"7.0", "XGROUP DESTROY s g", ":1", "-NOGROUP the consumer group this client was blocked on no longer exists"},
	} {
		e, waits := compatible(t, c.version)
		converse(t, e, 2, []exchange{{"XGROUP CREATE s g $ MKSTREAM", "+OK"}})
		answer := make(chan string, 1)
		go func() {
			w := &resp.Writer{}
			call := words("XREADGROUP GROUP g a BLOCK 0 STREAMS s >")
			if err := e.Do(context.Background(), &engine.Batch{Calls: []engine.Call{call}, Wait: true}, w); err != nil {
				w.Error(err.Error())
			}
			answer <- strings.TrimSpace(string(w.Buf))
		}()
		<-waits
		converse(t, e, 2, []exchange{{c.call, c.reply}})
		if got := <-answer; got != c.want {
			t.Errorf("like %s, %s answers %q to who waits, want %q", c.version, c.call, got, c.want)
		}
	}
}
