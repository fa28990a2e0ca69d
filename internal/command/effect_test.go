package command_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// stream is what a follower was told.
type stream struct {
	mu    sync.Mutex
	bytes []byte
	lost  bool
}

// follow lets somebody follow an engine.
func follow(t *testing.T, e *command.Engine) (*stream, *command.Follower) {
	t.Helper()
	s := &stream{}
	f, err := e.Follow(context.Background(), command.Ears{
		Hear: func(b []byte) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.bytes = append(s.bytes, b...)
		},
		Lost: func() { s.lost = true },
		Tell: func() (string, int) { return "192.0.2.1", 6379 },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return s, f
}

// take returns what was told since the last time, a call a word, without SELECT 0.
func (s *stream) take(t *testing.T) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []string
	for rest := s.bytes; len(rest) > 0; {
		v, more, err := resp.DecodeValue(rest)
		if err != nil {
			t.Fatalf("%v in %q", err, rest)
		}
		var words []string
		for i := range v.Elems {
			words = append(words, string(v.Elems[i].Str))
		}
		if call := strings.Join(words, " "); call != "SELECT 0" {
			calls = append(calls, call)
		}
		rest = more
	}
	s.bytes = nil
	return strings.Join(calls, "; ")
}

func TestEffectsAreCallsThatComeOutTheSame(t *testing.T) {
	e := newEngine(t)
	s, _ := follow(t, e)
	for _, c := range []struct{ call, told string }{
		{"SET k v", "SET k v"},
		{"SET k v NX", ""},
		{"SET k 5 KEEPTTL", "SET k 5 KEEPTTL"},
		{"SET k 5 EXAT 33177117420", "SET k 5 PXAT 33177117420000"},
		{"GETSET k 6", "SET k 6"},
		{"EXPIREAT k 33177117420", "PEXPIREAT k 33177117420000"},
		{"EXPIRE k -1", "DEL k"},
		{"EXPIRE k -1", ""},
		{"INCRBYFLOAT f 1.5", "SET f 1.5 KEEPTTL"},
		{"GETEX f", ""},
		{"GETEX f PXAT 33177117420000", "PEXPIREAT f 33177117420000"},
		{"GETEX f PERSIST", "PERSIST f"},
		{"GETDEL f", "DEL f"},
		{"MSETEX 2 a 1 b 2 PXAT 33177117420000", "MULTI; SET a 1 PXAT 33177117420000; SET b 2 PXAT 33177117420000; EXEC"},
		{"DELEX a IFEQ 1", "DEL a"},
		{"SADD s m", "SADD s m"},
		{"SADD s m", ""},
		{"SPOP s", "SREM s m"},
		{"SPOP s", ""},
		{"RPUSH l 1 2 3 4 5", "RPUSH l 1 2 3 4 5"},
		{"BLPOP l 0", "LPOP l"},
		{"BLMPOP 0 2 none l RIGHT COUNT 2", "RPOP l 2"},
		{"BLMOVE l l LEFT RIGHT 0", "LMOVE l l LEFT RIGHT"},
		{"ZADD z 1 a 2 b", "ZADD z 1 a 2 b"},
		{"BZPOPMIN z 0", "ZPOPMIN z"},
		{"ZMPOP 1 z MAX", "ZPOPMAX z 1"},
		{"HINCRBYFLOAT h f 2.5", "HSET h f 2.5"},
		{"HSETEX h PXAT 33177117420000 FIELDS 1 g v", "MULTI; HSET h g v; HPEXPIREAT h 33177117420000 FIELDS 1 g; EXEC"},
		{"HGETDEL h FIELDS 2 g none", "HDEL h g none"},
		{"XADD x 1-1 a b", "XADD x 1-1 a b"},
		{"XADD x MAXLEN ~ 1 1-2 a b", "XADD x MAXLEN = 2 1-2 a b"},
		{"XADD x 2-* a b", "XADD x 2-0 a b"},
		{"XGROUP CREATE x g 0", "XGROUP CREATE x g 0"},
		{"XREADGROUP GROUP g c COUNT 1 NOACK STREAMS x >", "XGROUP CREATECONSUMER x g c; XGROUP SETID x g 1-1 ENTRIESREAD 1"},
		{"XACK x g 1-1", ""},
		{"FLUSHDB", "FLUSHDB"},
		{"PUBLISH c m", "PUBLISH c m"},
		{"SCRIPT LOAD one", ""},
		{"EVAL redis.call('SET','a','1')redis.call('INCR','a')redis.call('GET','a') 0", "MULTI; SET a 1; INCR a; EXEC"},
		{"EVAL redis.call('SELECT','3')redis.call('SET','a','1') 0", "SELECT 3; SET a 1"},
		{"MOVE a 5", "MOVE a 5"},
		{"SWAPDB 1 2", "SWAPDB 1 2"},
		{"GET a", ""},
	} {
		ask(t, e, strings.Fields(c.call)...)
		if got := s.take(t); got != c.told {
			t.Errorf("%s\n told: %s\n want: %s", c.call, got, c.told)
		}
	}
}

func TestTransactionsAreToldAsSuch(t *testing.T) {
	e := newEngine(t)
	s, _ := follow(t, e)
	for _, c := range []struct {
		calls []string
		told  string
	}{
		{[]string{"SET a 1"}, "SET a 1"},
		{[]string{"GET a", "DEL none"}, ""},
		{[]string{"SET a 1", "GET a", "SET b 2"}, "MULTI; SET a 1; SET b 2; EXEC"},
	} {
		var b engine.Batch
		var w resp.Writer
		b.Atomic = true
		for _, text := range c.calls {
			var call engine.Call
			for _, word := range strings.Fields(text) {
				call = append(call, []byte(word))
			}
			b.Calls = append(b.Calls, call)
		}
		if err := e.Do(t.Context(), &b, &w); err != nil {
			t.Fatal(err)
		}
		if got := s.take(t); got != c.told {
			t.Errorf("%v\n told: %s\n want: %s", c.calls, got, c.told)
		}
	}
}

func TestAnImageAndWhatFollowsItAreEverything(t *testing.T) {
	e := newEngine(t)
	ask(t, e, "SET", "before", "1")
	s, f := follow(t, e)
	ask(t, e, "SET", "after", "1")
	if got := s.take(t); got != "SET after 1" {
		t.Errorf("told: %s", got)
	}
	if !bytes.Contains(f.Image, []byte("before")) || bytes.Contains(f.Image, []byte("after")) {
		t.Errorf("the image: %q", f.Image)
	}
}

func TestWhatNoCallCanTellEndsFollowing(t *testing.T) {
	e := newEngine(t)
	if err := e.Settings.Begin("enable-debug-command", "yes"); err != nil {
		t.Fatal(err)
	}
	s, _ := follow(t, e)
	ask(t, e, "DEBUG", "POPULATE", "3")
	if !s.lost || e.Followers() != 0 {
		t.Errorf("lost: %v", s.lost)
	}
}

func TestKeysAndFieldsThatGoByThemselvesAreTold(t *testing.T) {
	now := int64(1_000_000)
	e := at(t, &now)
	s, _ := follow(t, e)
	tell := func(call, told string) {
		t.Helper()
		ask(t, e, strings.Fields(call)...)
		if got := s.take(t); got != told {
			t.Errorf("%s\n told: %s\n want: %s", call, got, told)
		}
	}
	tell("SET a 1 PX 10", "SET a 1 PXAT 1000010")
	tell("SET b 1 PX 10", "SET b 1 PXAT 1000010")
	now += 20
	tell("GET a", "DEL a")
	tell("INCR b", "MULTI; DEL b; INCR b; EXEC")
	tell("DEL b", "DEL b")
	tell("CONFIG SET lazyfree-lazy-expire yes", "")
	tell("SET a 1 PX 10", "SET a 1 PXAT 1000030")
	now += 20
	tell("GET a", "UNLINK a")
	tell("HSET h f 1 g 2 k 3", "HSET h f 1 g 2 k 3")
	tell("HPEXPIRE h 10 FIELDS 1 f", "HPEXPIREAT h 1000050 FIELDS 1 f")
	now += 20
	tell("HGET h f", "HDEL h f")
	tell("HPEXPIRE h 10 FIELDS 2 g k", "MULTI; HPEXPIREAT h 1000070 FIELDS 1 g; HPEXPIREAT h 1000070 FIELDS 1 k; EXEC")
	now += 20
	tell("HGET h g", "DEL h")
	many := "HSET h"
	for i := range 600 {
		many += " " + strings.Repeat("f", i+1) + " 1"
	}
	tell(many, many)
	tell("HPEXPIRE h 10 FIELDS 1 fff", "HPEXPIREAT h 1000090 FIELDS 1 fff")
	now += 20
	tell("HLEN h", "HDEL h fff")
	tell("DEL h", "DEL h")
	tell("SET a 1", "SET a 1")
	tell("CONFIG SET maxmemory-policy allkeys-lru maxmemory 1", "")
	tell("GET a", "DEL a")
}

func TestWhatIsTakenByOneWhoWaitedIsToldBehindWhatGaveIt(t *testing.T) {
	e := newEngine(t)
	s, _ := follow(t, e)
	done := make(chan error, 1)
	go func() {
		b := engine.Batch{Wait: true, Calls: []engine.Call{words("BLMPOP 0 2 none l LEFT COUNT 2")}}
		done <- e.Do(context.Background(), &b, &resp.Writer{})
	}()
	for e.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	ask(t, e, "RPUSH", "l", "a", "b", "c")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := s.take(t); got != "RPUSH l a b c; LPOP l 2" {
		t.Errorf("told: %s", got)
	}
}
