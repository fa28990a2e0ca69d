package command_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/memstore"
)

func TestEventsOfKeysComeInRedisOrder(t *testing.T) {
	e, events := listening(t)
	for _, c := range []exchange{
		{"MSET a 1 b 2 c 3", "set a, set b, set c"},
		{"DEL missing", ""},
		{"DEL a missing b a", "del a, del b"},
		{"UNLINK c", "del c"},
		{"SET a 1", "set a"},
		{"EXPIRE missing 10", ""},
		{"EXPIRE a 10", "expire a"},
		{"EXPIRE a 10 NX", ""},
		{"PERSIST a", "persist a"},
		{"PERSIST a", ""},
		{"RENAME a b", "rename_from a, rename_to b"},
		{"RENAME b b", ""},
		{"RENAMENX b b", ""},
		{"RENAMENX b a", "rename_from b, rename_to a"},
		{"COPY a b", "copy_to b"},
		{"COPY a b", ""},
		{"COPY missing b REPLACE", ""},
		{"MOVE a 1", "move_from a, move_to a"},
		{"MOVE a 1", ""},
		{"TOUCH b", ""},
		{"PEXPIREAT b 1", "del b"},
		{"PEXPIREAT b 1", ""},
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

func TestEventInAnotherDatabaseNamesIt(t *testing.T) {
	var events []command.Event
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{
		OnEvent: func(v command.Event) { events = append(events, v) },
	})
	defer func() { _ = e.Close() }()
	converse(t, e, 2, []exchange{{"SET a 1", "+OK"}, {"COPY a b DB 3", ":1"}, {"MOVE a 2", ":1"}, {"SET a 1", "+OK"}})
	var got []int
	for _, v := range events {
		got = append(got, v.DB)
	}
	want := []int{0, 3, 0, 2, 0} // set, copy_to, move_from, move_to, set
	if len(got) != len(want) {
		t.Fatalf("events %v", events)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s is told of database %d, want %d", events[i].Name, got[i], want[i])
		}
	}
}

func TestExpiryIsCountedFromTheClockOfTheEngine(t *testing.T) {
	now := time.UnixMilli(1_000_000_000_500)
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{Now: func() time.Time { return now }})
	defer func() { _ = e.Close() }()
	converse(t, e, 2, []exchange{
		{"SET k v", "+OK"},
		{"PEXPIRE k 1500", ":1"},
		{"PTTL k", ":1500"},
		{"TTL k", ":2"}, // rounded to the nearest
		{"PEXPIRETIME k", ":1000000002000"},
		{"EXPIRETIME k", ":1000000002"},
		{"PEXPIRE k 1500 GT", ":0"},
		{"PEXPIRE k 1499 LT", ":1"},
		{"PEXPIREAT k 1000000000501", ":1"},
		{"TTL k", ":0"},
	})
	now = now.Add(time.Millisecond)
	converse(t, e, 2, []exchange{
		{"PTTL k", ":-2"},
		{"EXISTS k", ":0"},
		{"KEYS *", "*0"},
		{"SET k v", "+OK"},
		{"PEXPIREAT k 1000000000501", ":1"}, // now is no time in the future
		{"EXISTS k", ":0"},
	})
}

func TestPolicyDecidesWhatObjectTellsOfAccesses(t *testing.T) {
	e, _ := listening(t)
	const note = " Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
	converse(t, e, 2, []exchange{
		{"SET k v", "+OK"},
		{"OBJECT IDLETIME k", ":0"},
		{"OBJECT FREQ k", "-ERR An LFU maxmemory policy is not selected, access frequency not tracked." + note},
	})
	if err := e.Settings.Set("maxmemory-policy", "allkeys-lfu"); err != nil {
		t.Fatal(err)
	}
	converse(t, e, 2, []exchange{
		{"OBJECT IDLETIME k", "-ERR An LFU maxmemory policy is selected, idle time not tracked." + note},
		{"OBJECT FREQ missing", "$-1"},
	})
	if got, err := reply(t, e, words("OBJECT FREQ k"), nil); err != nil || !strings.HasPrefix(got, ":") {
		t.Errorf("OBJECT FREQ answers %q, %v", got, err)
	}
}
