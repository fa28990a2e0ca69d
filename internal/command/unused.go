package command

import (
	"errors"
	"math"
	"strings"
)

// unusedSettings are parameters that say how Redis deals with what an engine of ours has not: a cluster, replicas, child
// processes, an allocator of its own. They are checked, kept and told.
func unusedSettings() []Setting {
	const maxInt = math.MaxInt32
	settings := []Setting{
		{Name: "active-defrag-cycle-max", Kind: Int, Default: "25", Min: 1, Max: 99},
		{Name: "active-defrag-cycle-min", Kind: Int, Default: "1", Min: 1, Max: 99},
		{Name: "active-defrag-ignore-bytes", Kind: Memory, Default: "100mb", Min: 1, Max: math.MaxInt64},
		{Name: "active-defrag-max-scan-fields", Kind: Int, Default: "1000", Min: 1, Max: math.MaxInt64},
		{Name: "active-defrag-threshold-lower", Kind: Int, Default: "10", Max: 1000},
		{Name: "active-defrag-threshold-upper", Kind: Int, Default: "100", Max: 1000},
		{Name: "cluster-announce-bus-port", Kind: Int, Default: "0", Max: 65535},
		{Name: "cluster-announce-port", Kind: Int, Default: "0", Max: 65535},
		{Name: "cluster-announce-tls-port", Kind: Int, Default: "0", Max: 65535},
		{Name: "cluster-link-sendbuf-limit", Kind: Memory, Default: "0"},
		{Name: "cluster-migration-barrier", Kind: Int, Default: "1", Max: maxInt},
		{Name: "cluster-port", Kind: Int, Default: "0", Max: 65535, Immutable: true},
		{Name: "cluster-preferred-endpoint-type", Kind: Enum, Default: "ip", Words: []string{"ip", "hostname", "unknown-endpoint"}},
		{Name: "cluster-replica-validity-factor", Alias: "cluster-slave-validity-factor", Kind: Int, Default: "10", Max: maxInt},
		{Name: "key-load-delay", Kind: Int, Default: "0", Min: math.MinInt32, Max: maxInt, Hidden: true},
		{Name: "loading-process-events-interval-bytes", Kind: Int, Default: "2097152", Min: 1024, Max: maxInt, Hidden: true},
		{Name: "oom-score-adj", Kind: Enum, Default: "no", Words: []string{"no", "yes", "relative", "absolute"}},
		{Name: "oom-score-adj-values", Default: "0 200 800", Normal: normalScores},
		{Name: "propagation-error-behavior", Kind: Enum, Default: "ignore", Words: []string{"ignore", "panic", "panic-on-replicas"}},
		{Name: "rdb-key-save-delay", Kind: Int, Default: "0", Min: math.MinInt32, Max: maxInt, Hidden: true},
		{Name: "repl-diskless-sync-max-replicas", Kind: Int, Default: "0", Max: maxInt},
		{Name: "replica-announce-port", Alias: "slave-announce-port", Kind: Int, Default: "0", Max: 65535},
		{Name: "shutdown-on-sigint", Default: "default", Normal: normalEnd},
		{Name: "shutdown-on-sigterm", Default: "default", Normal: normalEnd},
		{Name: "socket-mark-id", Kind: Int, Default: "0", Max: math.MaxUint32},
		{Name: "syslog-facility", Kind: Enum, Default: "local0", Words: []string{"user", "local0", "local1", "local2", "local3", "local4",
			"local5", "local6", "local7"}, Immutable: true},
		{Name: "tls-auth-clients", Kind: Enum, Default: "yes", Words: []string{"no", "yes", "optional"}},
		{Name: "tls-session-cache-size", Kind: Int, Default: "20480", Max: maxInt},
		{Name: "tls-session-cache-timeout", Kind: Int, Default: "300", Max: maxInt},
	}
	for _, f := range strings.Fields(`aof-disable-auto-gc:no cluster-allow-pubsubshard-when-down:yes cluster-allow-reads-when-down:no
		cluster-allow-replica-migration:yes cluster-require-full-coverage:yes crash-memcheck-enabled:yes jemalloc-bg-thread:yes
		rdb-del-sync-files:no replica-announced:yes replica-ignore-disk-write-errors:no`) {
		name, value, _ := strings.Cut(f, ":")
		settings = append(settings, Setting{Name: name, Kind: Bool, Default: value})
	}
	settings = append(settings,
		Setting{Name: "cluster-replica-no-failover", Alias: "cluster-slave-no-failover", Kind: Bool, Default: "no"},
		Setting{Name: "io-threads-do-reads", Kind: Bool, Default: "no", Immutable: true})
	for _, name := range strings.Fields(`bind-source-addr cluster-announce-hostname cluster-announce-human-nodename cluster-announce-ip ignore-warnings tls-ca-cert-dir
		tls-ciphers tls-ciphersuites tls-client-cert-file tls-client-key-file tls-client-key-file-pass tls-dh-params-file tls-key-file-pass
		tls-protocols`) {
		settings = append(settings, Setting{Name: name})
	}
	for _, name := range strings.Fields("aof_rewrite_cpulist bgsave_cpulist bio_cpulist server_cpulist") {
		settings = append(settings, Setting{Name: name, Immutable: true})
	}
	return settings
}

// normalScores checks three numbers that do not fall.
func normalScores(_, value string) (string, error) {
	words := strings.Fields(value)
	last := int64(-2000)
	for _, w := range words {
		n, ok := parseInt([]byte(w))
		if !ok || n < -2000 || n > 2000 {
			return "", Refusal("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
		}
		if n < last {
			return "", Refusal("Wrong number of arguments in oom-score-adj-values configuration.")
		}
		last = n
	}
	if len(words) != 3 {
		return "", errors.New("wrong number of arguments")
	}
	return strings.Join(words, " "), nil
}

// normalEnd checks what a signal does to a server.
func normalEnd(_, value string) (string, error) {
	has := map[string]bool{}
	known := []string{"default", "save", "nosave", "now", "force"}
	for _, w := range strings.Fields(strings.ToLower(value)) {
		has[w] = true
	}
	var words []string
	for _, w := range known {
		if has[w] {
			words = append(words, w)
		}
	}
	if len(words) != len(has) || len(words) == 0 {
		return "", errors.New("argument(s) must be one of the following: " + strings.Join(known, ", "))
	}
	return strings.Join(words, " "), nil
}
