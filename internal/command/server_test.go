package command_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/engine/memory"
	"github.com/redbud-go/redbud/internal/command"
)

// fields reads the answer of INFO.
func fields(t *testing.T, ask asker, sections ...string) (values map[string]string, titles []string) {
	t.Helper()
	v := ask(append([]string{"INFO"}, sections...)...)
	if v.Kind != '=' || string(v.Format[:]) != "txt" {
		t.Fatalf("INFO is of kind %q: %s", v.Kind, v.Str)
	}
	values = map[string]string{}
	for line := range strings.SplitSeq(string(v.Str), "\r\n") {
		if title, ok := strings.CutPrefix(line, "# "); ok {
			titles = append(titles, title)
		} else if name, value, ok := strings.Cut(line, ":"); ok {
			values[name] = value
		} else if line != "" {
			t.Errorf("line %q is neither title nor field", line)
		}
	}
	return values, titles
}

func TestInfoTellsTheSectionsAskedFor(t *testing.T) {
	ask := ours(t)
	for _, c := range []struct{ args, want string }{
		{"server", "Server"},
		{"KEYSPACE server nosuch", "Server Keyspace"},
		{"nosuch", ""},
		{"", "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace"},
		{"default", "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace"},
	} {
		if _, titles := fields(t, ask, strings.Fields(c.args)...); strings.Join(titles, " ") != c.want {
			t.Errorf("INFO %s: %q, want %q", c.args, titles, c.want)
		}
	}
}

func TestInfoCounts(t *testing.T) {
	ask := ours(t)
	ask("SET", "k", "v", "EX", "100")
	ask("SET", "l", "v")
	ask("LPUSH", "k", "v")
	ask("NOSUCH")
	values, _ := fields(t, ask)
	for name, want := range map[string]string{
		"redis_version": command.RedisVersion, "redbud_version": command.Version(), "redis_mode": "standalone", "role": "master",
		"cluster_enabled": "0", "total_commands_processed": "3", "total_error_replies": "2",
		"errorstat_WRONGTYPE": "count=1", "errorstat_ERR": "count=1", "db0": "keys=2,expires=1,avg_ttl=0", "maxmemory_human": "0B",
		"migrate_cached_sockets": "0",
	} {
		if values[name] != want {
			t.Errorf("%s is %q, want %q", name, values[name], want)
		}
	}
	if used, err := strconv.Atoi(values["used_memory"]); err != nil || used <= 0 {
		t.Errorf("used_memory is %q", values["used_memory"])
	}
	if id := values["run_id"]; len(id) != 40 {
		t.Errorf("run_id is %q", id)
	}
	ask("CONFIG", "RESETSTAT")
	values, _ = fields(t, ask, "stats", "errorstats")
	if values["total_error_replies"] != "0" || values["errorstat_ERR"] != "" || values["total_commands_processed"] != "1" {
		t.Errorf("after a reset: %q", values)
	}
}

func TestInfoHasTheFieldsOfItsProviders(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	e := memory.New(memory.Options{Now: func() time.Time { return now }})
	defer e.Close()
	reset := 0
	e.Info.OnReset(func() { reset++ })
	e.Info.Register("clients", func(f *command.Fields) error { f.Int("connected_clients", 3); return nil })
	e.Info.Register("garden", func(f *command.Fields) error { f.Bytes("seeds", 1536); return nil })
	ask := asking(t, e)
	now = now.Add(90 * time.Second)
	ask("SET", "k", "v", "PX", "1")
	now = now.Add(time.Millisecond)
	ask("GET", "k")
	values, titles := fields(t, ask, "everything")
	if !slices.Contains(titles, "Clients") || titles[len(titles)-1] != "garden" {
		t.Errorf("sections %q", titles)
	}
	if values["connected_clients"] != "3" || values["seeds"] != "1536" || values["seeds_human"] != "1.50K" || values["uptime_in_seconds"] != "90" || values["expired_keys"] != "1" {
		t.Errorf("fields %q", values)
	}
	ask("CONFIG", "RESETSTAT")
	if reset != 1 {
		t.Errorf("reset told %d times", reset)
	}
}

func TestTimeHasMicroseconds(t *testing.T) {
	now := time.UnixMicro(1_700_000_000_123_456)
	e := memory.New(memory.Options{Now: func() time.Time { return now }})
	defer e.Close()
	if v := asking(t, e)("TIME"); text(&v) != "[1700000000,123456]" {
		t.Errorf("TIME is %s", text(&v))
	}
}

func TestFlushAllEmptiesEveryDatabaseAndSwapDBExchangesTwo(t *testing.T) {
	ask := ours(t)
	ask("SET", "k", "v")
	if v := ask("SWAPDB", "0", "15"); string(v.Str) != "OK" {
		t.Fatal(string(v.Str))
	}
	values, _ := fields(t, ask, "keyspace")
	if n := ask("DBSIZE"); n.Int != 0 || values["db15"] != "keys=1,expires=0,avg_ttl=0" {
		t.Errorf("%d keys in 0 after the swap, %q", n.Int, values)
	}
	ask("FLUSHALL", "ASYNC")
	if values, _ := fields(t, ask, "keyspace"); len(values) != 0 {
		t.Errorf("left after FLUSHALL: %q", values)
	}
}

// serverRefusals are calls that a real server refuses in the same words.
var serverRefusals = []string{
	"FLUSHALL x", "FLUSHDB ASYNC SYNC", "SWAPDB a 1", "SWAPDB 0 b", "SWAPDB 0 16", "SWAPDB -1 3", "SWAPDB 99999999999 0", "DBSIZE x",
	"TIME x", "ROLE x", "CONFIG", "CONFIG GET", "CONFIG SET", "CONFIG SET a", "CONFIG SET a b", "CONFIG SET a b c", "CONFIG NOSUCH",
	"CONFIG RESETSTAT x", "CONFIG REWRITE", "CONFIG SET port 1 maxmemory", "CONFIG SET maxmemory x", "CONFIG SET hash-max-listpack-value -5",
	"CONFIG SET appendfsync loud", "CONFIG SET maxmemory-samples 0", "CONFIG SET slowlog-log-slower-than -7", "CONFIG SET lfu-log-factor abc",
	"CONFIG SET proto-max-bulk-len 5", "CONFIG SET maxclients 0", "CONFIG SET list-max-listpack-size 70000000000",
	"COMMAND NOSUCH", "COMMAND COUNT x", "COMMAND LIST x", "COMMAND LIST FILTERBY x y", "COMMAND HELP x", "COMMAND GETKEYS",
}

func TestServerCommandsRefuseAsARealServerDoes(t *testing.T) {
	us, them := ours(t), real(t)
	for _, line := range serverRefusals {
		got, want := us(strings.Fields(line)...), them(strings.Fields(line)...)
		if !want.IsError() || text(&got) != text(&want) {
			t.Errorf("%s\n got %s\nwant %s", line, text(&got), text(&want))
		}
	}
}

func TestParametersAndDefaultsAreThoseOfARealServer(t *testing.T) {
	us, them := ours(t), real(t)
	want := map[string]string{}
	v := them("CONFIG", "GET", "*")
	for i := 0; i < len(v.Elems); i += 2 {
		want[string(v.Elems[i].Str)] = string(v.Elems[i+1].Str)
	}
	// What testenv sets, or a server finds on its machine, what 7.2 added, and what is our own.
	differ := strings.Fields("bind port dir unixsocket save enable-debug-command repl-diskless-sync-delay set-max-listpack-entries " +
		"set-max-listpack-value proc-title-template replicaof tls-auth-clients compatible-with cluster-announce-human-nodename")
	v = us("CONFIG", "GET", "*")
	if len(v.Elems) < 2*100 {
		t.Errorf("only %d parameters", len(v.Elems)/2)
	}
	for i := 0; i < len(v.Elems); i += 2 {
		name, value := string(v.Elems[i].Str), string(v.Elems[i+1].Str)
		if w, ok := want[name]; !slices.Contains(differ, name) && (!ok || w != value) {
			t.Errorf("%s is %q, want %q", name, value, w)
		}
	}
}

func TestHelpOfAContainerNamesItsSubcommands(t *testing.T) {
	ask := ours(t)
	v := ask("COMMAND", "HELP")
	var lines []string
	for _, e := range v.Elems {
		lines = append(lines, string(e.Str))
	}
	if lines[0] != "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:" || lines[1] != "(no subcommand)" {
		t.Errorf("HELP starts with %q", lines[:2])
	}
	for _, sub := range command.Commands.Lookup([]byte("command")).Subs {
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, strings.ToUpper(sub.Name)) }) {
			t.Errorf("HELP does not tell of %s", sub.Name)
		}
	}
}
