// The parameters of Redis 7.2 that CONFIG knows. Most mean nothing to an engine of ours: they are kept and returned,
// since clients and tools ask for them. Who gives one a meaning registers it again, with hooks.
package command

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// knownSettings is the list. It is a function so that no two engines share a setting.
func knownSettings() []Setting {
	settings := []Setting{
		{Name: "compatible-with", Kind: Enum, Default: "7.0", Words: []string{"7.2", "7.0"}},
		{Name: "databases", Kind: Int, Default: strconv.Itoa(keyspace.Databases), Min: 1, Max: math.MaxInt32, Immutable: true},
		{Name: "maxmemory-policy", Kind: Enum, Default: "noeviction", Words: []string{"volatile-lru", "volatile-lfu",
			"volatile-random", "volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"}},
		{Name: "appendfsync", Kind: Enum, Default: "everysec", Words: []string{"everysec", "always", "no"}},
		{Name: "loglevel", Kind: Enum, Default: "notice", Words: []string{"debug", "verbose", "notice", "warning", "nothing"}},
		{Name: "supervised", Kind: Enum, Default: "no", Words: []string{"upstart", "systemd", "auto", "no"}, Immutable: true},
		{Name: "acl-pubsub-default", Kind: Enum, Default: "resetchannels", Words: []string{"allchannels", "resetchannels"}},
		{Name: "repl-diskless-load", Kind: Enum, Default: "disabled",
			Words: []string{"disabled", "on-empty-db", "swapdb"}},
		{Name: "sanitize-dump-payload", Kind: Enum, Default: "no", Words: []string{"no", "yes", "clients"}},
		{Name: "notify-keyspace-events", Normal: normalEvents},
		{Name: "save", Default: "3600 1 300 100 60 10000", Normal: normalSave},
		{Name: "client-output-buffer-limit", Default: "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
			Normal: normalBufferLimits},
		{Name: "latency-tracking-info-percentiles", Default: "50 99 99.9", Normal: normalPercentiles},
		{Name: "dir", Default: ".", Protected: true, Normal: normalDirectory},
		{Name: "dbfilename", Default: "dump.rdb", Protected: true, Normal: normalFileName},
	}
	for _, f := range strings.Fields(`
		activedefrag:no activerehashing:yes aof-load-truncated:yes aof-rewrite-incremental-fsync:yes
		aof-timestamp-enabled:no aof-use-rdb-preamble:yes appendonly:no crash-log-enabled:yes dynamic-hz:yes
		latency-tracking:yes lazyfree-lazy-eviction:no lazyfree-lazy-expire:no lazyfree-lazy-server-del:no
		lazyfree-lazy-user-del:no lazyfree-lazy-user-flush:no no-appendfsync-on-rewrite:no protected-mode:yes
		rdb-save-incremental-fsync:yes rdbcompression:yes repl-disable-tcp-nodelay:no repl-diskless-sync:yes
		stop-writes-on-bgsave-error:yes tls-cluster:no tls-prefer-server-ciphers:no tls-replication:no
		tls-session-caching:yes`) {
		name, value, _ := strings.Cut(f, ":")
		settings = append(settings, Setting{Name: name, Kind: Bool, Default: value})
	}
	for _, f := range strings.Fields(`
		always-show-logo:no cluster-enabled:no daemonize:no disable-thp:yes rdbchecksum:yes set-proc-title:yes syslog-enabled:no`) {
		name, value, _ := strings.Cut(f, ":")
		settings = append(settings, Setting{Name: name, Kind: Bool, Default: value, Immutable: true})
	}
	for _, name := range []string{"enable-debug-command", "enable-module-command", "enable-protected-configs"} {
		settings = append(settings, Setting{Name: name, Kind: Enum, Default: "no", Words: []string{"no", "yes", "local"}, Immutable: true})
	}
	for _, f := range strings.Fields("ignore-maxmemory:yes lazy-flush:no read-only:yes serve-stale-data:yes") {
		name, value, _ := strings.Cut(f, ":")
		settings = append(settings, Setting{Name: "replica-" + name, Alias: "slave-" + name, Kind: Bool, Default: value})
	}
	const maxInt = math.MaxInt32
	settings = append(settings, []Setting{
		{Name: "active-expire-effort", Kind: Int, Default: "1", Min: 1, Max: 10},
		{Name: "acllog-max-len", Kind: Int, Default: "128"},
		{Name: "auto-aof-rewrite-min-size", Kind: Memory, Default: "64mb"},
		{Name: "auto-aof-rewrite-percentage", Kind: Int, Default: "100", Max: maxInt},
		{Name: "busy-reply-threshold", Alias: "lua-time-limit", Kind: Int, Default: "5000"},
		{Name: "client-query-buffer-limit", Kind: Memory, Default: "1gb", Min: 1 << 20, Max: math.MaxInt64},
		{Name: "cluster-node-timeout", Kind: Int, Default: "15000"},
		{Name: "hash-max-listpack-entries", Alias: "hash-max-ziplist-entries", Kind: Int, Default: "512"},
		{Name: "hash-max-listpack-value", Alias: "hash-max-ziplist-value", Kind: Memory, Default: "64"},
		{Name: "hll-sparse-max-bytes", Kind: Memory, Default: "3000"},
		{Name: "hz", Kind: Int, Default: "10", Max: maxInt},
		{Name: "io-threads", Kind: Int, Default: "1", Min: 1, Max: 128, Immutable: true},
		{Name: "latency-monitor-threshold", Kind: Int, Default: "0"},
		{Name: "lfu-decay-time", Kind: Int, Default: "1", Max: maxInt},
		{Name: "lfu-log-factor", Kind: Int, Default: "10", Max: maxInt},
		{Name: "list-compress-depth", Kind: Int, Default: "0", Max: maxInt},
		{Name: "list-max-listpack-size", Alias: "list-max-ziplist-size", Kind: Int, Default: "-2", Min: math.MinInt32, Max: maxInt},
		{Name: "maxclients", Kind: Int, Default: "10000", Min: 1, Max: math.MaxUint32},
		{Name: "maxmemory", Kind: Memory, Default: "0"},
		{Name: "maxmemory-clients", Kind: Memory, Default: "0", Percent: true},
		{Name: "maxmemory-eviction-tenacity", Kind: Int, Default: "10", Max: 100},
		{Name: "maxmemory-samples", Kind: Int, Default: "5", Min: 1, Max: maxInt},
		{Name: "min-replicas-max-lag", Alias: "min-slaves-max-lag", Kind: Int, Default: "10", Max: maxInt},
		{Name: "min-replicas-to-write", Alias: "min-slaves-to-write", Kind: Int, Default: "0", Max: maxInt},
		{Name: "port", Kind: Int, Default: "0", Max: 65535, Immutable: true},
		{Name: "proto-max-bulk-len", Kind: Memory, Default: "512mb", Min: 1 << 20, Max: math.MaxInt64},
		{Name: "repl-backlog-size", Kind: Memory, Default: "1mb", Min: 1, Max: math.MaxInt64},
		{Name: "repl-backlog-ttl", Kind: Int, Default: "3600", Max: maxInt},
		{Name: "repl-diskless-sync-delay", Kind: Int, Default: "5", Max: maxInt},
		{Name: "repl-ping-replica-period", Alias: "repl-ping-slave-period", Kind: Int, Default: "10", Min: 1, Max: maxInt},
		{Name: "repl-timeout", Kind: Int, Default: "60", Min: 1, Max: maxInt},
		{Name: "replica-priority", Alias: "slave-priority", Kind: Int, Default: "100", Max: maxInt},
		{Name: "set-max-intset-entries", Kind: Int, Default: "512"},
		{Name: "set-max-listpack-entries", Kind: Int, Default: "128"},
		{Name: "set-max-listpack-value", Kind: Memory, Default: "64"},
		{Name: "shutdown-timeout", Kind: Int, Default: "10", Max: maxInt},
		{Name: "slowlog-log-slower-than", Kind: Int, Default: "10000", Min: -1, Max: math.MaxInt64},
		{Name: "slowlog-max-len", Kind: Int, Default: "128"},
		{Name: "stream-node-max-bytes", Kind: Memory, Default: "4096"},
		{Name: "stream-node-max-entries", Kind: Int, Default: "100"},
		{Name: "tcp-backlog", Kind: Int, Default: "511", Max: maxInt, Immutable: true},
		{Name: "tcp-keepalive", Kind: Int, Default: "300", Max: maxInt},
		{Name: "timeout", Kind: Int, Default: "0", Max: maxInt},
		{Name: "tls-port", Kind: Int, Default: "0", Max: 65535, Immutable: true},
		{Name: "tracking-table-max-keys", Kind: Int, Default: "1000000"},
		{Name: "zset-max-listpack-entries", Alias: "zset-max-ziplist-entries", Kind: Int, Default: "128"},
		{Name: "zset-max-listpack-value", Alias: "zset-max-ziplist-value", Kind: Memory, Default: "64"},
	}...)
	settings = append(settings, Setting{Name: "replicaof", Alias: "slaveof", Immutable: true},
		Setting{Name: "replica-announce-ip", Alias: "slave-announce-ip"})
	for _, f := range strings.Fields("masterauth masteruser proc-title-template requirepass") {
		settings = append(settings, Setting{Name: f})
	}
	for _, f := range strings.Fields(`aclfile appenddirname:appendonlydir appendfilename:appendonly.aof bind
		cluster-config-file:nodes.conf logfile pidfile syslog-ident:redis tls-ca-cert-file
		tls-cert-file tls-key-file unixsocket unixsocketperm:0`) {
		name, value, _ := strings.Cut(f, ":")
		settings = append(settings, Setting{Name: name, Default: value, Immutable: true})
	}
	return settings
}

// eventClasses are the letters of notify-keyspace-events that A stands for, in the order in which they are printed.
const eventClasses = "g$lshzxetd"

// What these refuse with is the end of a message of CONFIG SET, in the words of Redis.

// normalEvents puts the letters of notify-keyspace-events into Redis's order.
func normalEvents(_, value string) (string, error) {
	var on [128]bool
	for _, c := range value {
		if c == 'A' {
			for _, class := range eventClasses {
				on[class] = true
			}
			continue
		}
		if !strings.ContainsRune(eventClasses+"nmKE", c) {
			return "", Refusal("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
		}
		on[c] = true
	}
	all := true
	for _, class := range eventClasses {
		all = all && on[class]
	}
	letters, out := eventClasses+"nKEm", ""
	if all {
		letters, out = "KEmn", "A"
	}
	for _, c := range letters {
		if on[c] {
			out += string(c)
		}
	}
	return out, nil
}

// normalPercentiles checks numbers from 0 to 100.
func normalPercentiles(_, value string) (string, error) {
	words := strings.Fields(value)
	for i, w := range words {
		p, ok := parseFloat([]byte(w))
		switch {
		case !ok:
			return "", Refusal("Invalid latency-tracking-info-percentiles parameters")
		case p < 0 || p > 100:
			return "", Refusal("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
		}
		words[i] = strconv.FormatFloat(p, 'g', -1, 64)
	}
	return strings.Join(words, " "), nil
}

// normalDirectory makes a directory absolute, which must exist unless it is the default.
func normalDirectory(old, value string) (string, error) {
	path, err := filepath.Abs(value)
	switch {
	case err != nil && old == "":
		return value, nil
	case err != nil || old == "":
		return path, err
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return "", Refusal("No such file or directory")
	case !info.IsDir():
		return "", Refusal("Not a directory")
	}
	return path, nil
}

// normalFileName refuses what is more than the name of a file.
func normalFileName(_, value string) (string, error) {
	if value == "" || value != filepath.Base(value) {
		return "", Refusal("dbfilename can't be a path, just a filename")
	}
	return value, nil
}

// normalSave checks pairs of seconds and changes.
func normalSave(_, value string) (string, error) {
	words := strings.Fields(value)
	for i, w := range words {
		if n, err := strconv.ParseInt(w, 10, 32); err != nil || len(words)%2 != 0 || n < 0 || n == 0 && i%2 == 0 {
			return "", Refusal("Invalid save parameters")
		}
	}
	return strings.Join(words, " "), nil
}

// normalBufferLimits merges "class hard soft seconds" into what the other classes have.
func normalBufferLimits(old, value string) (string, error) {
	words := strings.Fields(value)
	if len(words)%4 != 0 {
		return "", Refusal("Wrong number of arguments in buffer limit configuration.")
	}
	limits := strings.Fields(old)
	if len(limits) == 0 {
		return value, nil // the default
	}
	for ; len(words) > 0; words = words[4:] {
		at := -1
		switch strings.ToLower(words[0]) {
		case "normal":
			at = 0
		case "slave", "replica":
			at = 4
		case "pubsub":
			at = 8
		default:
			return "", Refusal("Invalid client class specified in buffer limit configuration.")
		}
		hard, ok1 := ParseMemory(words[1])
		soft, ok2 := ParseMemory(words[2])
		seconds, err := strconv.ParseInt(words[3], 10, 32)
		if !ok1 || !ok2 || err != nil || seconds < 0 {
			return "", Refusal("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
		}
		limits[at+1] = strconv.FormatInt(hard, 10)
		limits[at+2] = strconv.FormatInt(soft, 10)
		limits[at+3] = strconv.FormatInt(seconds, 10)
	}
	return strings.Join(limits, " "), nil
}
