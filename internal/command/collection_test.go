package command_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
)

// listening is an engine that appends its events to the list as "name key".
func listening(t *testing.T) (*command.Engine, *[]string) {
	var events []string
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{
		OnEvent: func(v command.Event) { events = append(events, v.Name+" "+string(v.Key)) },
	})
	t.Cleanup(func() { _ = e.Close() })
	return e, &events
}

// words splits a line into a call.
func words(line string) engine.Call {
	var call engine.Call
	for _, word := range strings.Fields(line) {
		call = append(call, []byte(word))
	}
	return call
}

// reply runs one call and returns its reply as it stands on the wire.
func reply(t *testing.T, e *command.Engine, call engine.Call, guard engine.Guard) (string, error) {
	t.Helper()
	w := &resp.Writer{}
	err := e.Do(context.Background(), &engine.Batch{Calls: []engine.Call{call}, Guard: guard}, w)
	return string(w.Buf), err
}

func TestEventsOfCollectionsComeInRedisOrder(t *testing.T) {
	e, events := listening(t)
	for _, c := range []struct{ call, want string }{
		{"HSET h a 1 b 2", "hset h"},
		{"HMSET h a 1", "hset h"},
		{"HSETNX h a 2", ""},
		{"HINCRBY h a 1", "hincrby h"},
		{"HINCRBYFLOAT h a 1", "hincrbyfloat h"},
		{"HDEL h missing", ""},
		{"HDEL h a", "hdel h"},
		{"HDEL h b", "hdel h, del h"},
		{"LPUSH l a b c", "lpush l"},
		{"RPUSHX none a", ""},
		{"LSET l 0 x", "lset l"},
		{"LINSERT l BEFORE x y", "linsert l"},
		{"LINSERT l BEFORE nothing y", ""},
		{"LTRIM l 0 1", "ltrim l"},
		{"LREM l 0 y", "lrem l"},
		{"LMOVE l m LEFT RIGHT", "rpush m, lpop l, del l"},
		{"LMOVE m m LEFT RIGHT", "rpush m, lpop m"},
		{"LPOP m 0", ""},
		{"LMPOP 2 l m RIGHT", "rpop m, del m"},
		{"SADD s a b", "sadd s"},
		{"SADD s a", ""},
		{"SMOVE s d a", "srem s, sadd d"},
		{"SADD d b", "sadd d"},
		{"SMOVE s d b", "srem s, del s"},
		{"SUNIONSTORE u d s", "sunionstore u"},
		{"SINTERSTORE u d s", "del u"},
		{"SINTERSTORE u d s", ""},
		{"SREM d a", "srem d"},
		{"SPOP d", "spop d, del d"},
	} {
		*events = nil
		if _, err := reply(t, e, words(c.call), nil); err != nil {
			t.Fatalf("%s: %v", c.call, err)
		}
		if got := strings.Join(*events, ", "); got != c.want {
			t.Errorf("%s told %q, want %q", c.call, got, c.want)
		}
	}
}

func TestHotCollectionCommandsDoNotAllocatePerCall(t *testing.T) {
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
	defer func() { _ = e.Close() }()
	const calls = 100
	const runs = 20
	for i := range 2 * calls * runs {
		for _, line := range []string{"SADD popped m%d", "RPUSH left m%d", "RPUSH right m%d"} {
			if _, err := reply(t, e, words(fmt.Sprintf(line, i)), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, line := range []string{
		"LPUSH l x", "RPUSH l x", "LPOP left", "RPOP right", "LRANGE right 0 9", "LMOVE right right LEFT RIGHT",
		"SADD s x", "SISMEMBER s x", "SPOP popped", "HSET h f v", "HGET h f", "HGETALL h",
	} {
		b := &engine.Batch{Calls: slices.Repeat([]engine.Call{words(line)}, calls)}
		w := &resp.Writer{Buf: make([]byte, 0, 1<<16)}
		allocs := testing.AllocsPerRun(runs, func() {
			w.Truncate(0)
			if err := e.Do(context.Background(), b, w); err != nil {
				t.Fatal(err)
			}
		})
		// A batch may allocate now and then, the store to grow and the engine for a context that the race detector
		// took out of its pool; a call may not.
		if allocs >= calls {
			t.Errorf("%d of %s allocate %v times", calls, line, allocs)
		}
		if w.Buf[0] == '-' {
			t.Errorf("%s is refused: %s", line, w.Buf)
		}
	}
}

func TestIntersectionOfLargeSetsIsExactAndStopsAtItsLimit(t *testing.T) {
	e, _ := listening(t)
	two, three := words("SADD two"), words("SADD three")
	for i := range 6000 {
		two = append(two, fmt.Appendf(nil, "m%d", 2*i))
		three = append(three, fmt.Appendf(nil, "m%d", 3*i))
	}
	for _, c := range []struct {
		call engine.Call
		want string
	}{
		{two, ":6000\r\n"},
		{three, ":6000\r\n"},
		{words("SINTERCARD 2 two three"), ":2000\r\n"}, // the multiples of 6 below 12000
		{words("SINTERCARD 2 two three LIMIT 1500"), ":1500\r\n"},
		{words("SINTERCARD 2 two three LIMIT 2001"), ":2000\r\n"},
		{words("SINTERSTORE six two three"), ":2000\r\n"},
		{words("SMISMEMBER six m6 m4 m3 m11994 m12000"), "*5\r\n:1\r\n:0\r\n:0\r\n:1\r\n:0\r\n"},
		{words("SDIFFSTORE rest two three"), ":4000\r\n"},
		{words("SUNIONSTORE all two three six"), ":10000\r\n"},
		{words("SUNIONSTORE two six rest"), ":6000\r\n"},
		{words("SDIFFSTORE two two all"), ":0\r\n"},
		{words("EXISTS two"), ":0\r\n"},
	} {
		got, err := reply(t, e, c.call, nil)
		if err != nil || got != c.want {
			t.Errorf("%s answers %q, want %q (%v)", c.call[0], got, c.want, err)
		}
	}
}

func TestCombinedNumbersKeepApart(t *testing.T) {
	// A store may spell the numbers of a compact set into one buffer.
	e, _ := listening(t)
	for _, c := range []struct{ call, want string }{
		{"SADD a 1 2 3", ":3\r\n"},
		{"SADD b 3 4", ":2\r\n"},
		{"SUNIONSTORE u a b", ":4\r\n"},
		{"SMISMEMBER u 1 2 3 4", "*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n"},
		{"SDIFFSTORE u a b", ":2\r\n"},
		{"SMISMEMBER u 1 2 3", "*3\r\n:1\r\n:1\r\n:0\r\n"},
	} {
		got, err := reply(t, e, words(c.call), nil)
		if err != nil || got != c.want {
			t.Errorf("%s answers %q, want %q (%v)", c.call, got, c.want, err)
		}
	}
}

func TestSmallestIntegerIsNoRankButARemovalOfAll(t *testing.T) {
	e, _ := listening(t)
	for _, c := range []struct{ call, want string }{
		{"RPUSH l a b a", ":3\r\n"},
		{"LPOS l a RANK -9223372036854775808", "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n"},
		{"LPOS l a RANK -9223372036854775807", "$-1\r\n"},
		{"LREM l -9223372036854775808 a", ":2\r\n"},
	} {
		got, err := reply(t, e, words(c.call), nil)
		if err != nil || got != c.want {
			t.Errorf("%s answers %q, want %q (%v)", c.call, got, c.want, err)
		}
	}
}

func TestRotatingAListOfOneIsSeenByWatchers(t *testing.T) {
	e, _ := listening(t)
	if _, err := reply(t, e, words("RPUSH l a"), nil); err != nil {
		t.Fatal(err)
	}
	guard, err := e.Watch(context.Background(), 0, [][]byte{[]byte("l")})
	if err != nil {
		t.Fatal(err)
	}
	defer guard.Release()
	if got, err := reply(t, e, words("RPOPLPUSH l l"), nil); err != nil || got != "$1\r\na\r\n" {
		t.Fatalf("RPOPLPUSH answers %q (%v)", got, err)
	}
	if _, err := reply(t, e, words("LLEN l"), guard); !errors.Is(err, engine.ErrChanged) {
		t.Errorf("a watcher is told %v, want %v", err, engine.ErrChanged)
	}
}
