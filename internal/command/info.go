package command

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// RedisVersion is the version of Redis whose behaviour the commands have, as INFO and HELLO tell it.
const RedisVersion = "7.2.4"

// modulePath is where Version looks itself up.
const modulePath = "github.com/redbud-go/redbud"

// Version is the version of this module in the running program; "(devel)" where it was built from a work tree.
func Version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	if build.Main.Path == modulePath && build.Main.Version != "" {
		return build.Main.Version
	}
	for _, dep := range build.Deps {
		if dep.Path == modulePath {
			return dep.Version
		}
	}
	return "(devel)"
}

// Info is what INFO tells: sections of fields, which providers append. It is safe for concurrent use.
type Info struct {
	RunID string // 40 hexadecimal digits, new for every engine

	engine      *Engine
	started     int64 // milliseconds since 1970
	rows        []rowStats
	tracking    atomic.Bool            // histograms are kept
	replication atomic.Pointer[string] // an id like RunID
	refusals    atomic.Int64
	lazyFreed   atomic.Int64 // large keys that UNLINK left to the collection of garbage

	mu        sync.Mutex // guards what follows
	providers map[string][]*provider
	extra     []string         // sections that Redis does not have, in the order of their registration
	codes     map[string]int64 // refusals by error code
	onReset   []func()
	base      keyspace.Counts // what the store had counted at the last reset
	peak      int64           // highest used_memory that INFO saw
	lastCalls int64           // calls at the last INFO, for the rate
	lastAt    int64
	lastRate  int64
}

// infoSections are the sections of Redis in its order. Those with false are told only when asked for, or with "all".
var infoSections = []struct {
	name, title string
	usual       bool
}{
	{"server", "Server", true},
	{"clients", "Clients", true},
	{"memory", "Memory", true},
	{"persistence", "Persistence", true},
	{"stats", "Stats", true},
	{"replication", "Replication", true},
	{"cpu", "CPU", true},
	{"modules", "Modules", true},
	{"commandstats", "Commandstats", false},
	{"errorstats", "Errorstats", true},
	{"latencystats", "Latencystats", false},
	{"cluster", "Cluster", true},
	{"keyspace", "Keyspace", true},
}

func newInfo(e *Engine) *Info {
	i := &Info{
		RunID:     randomID(),
		engine:    e,
		started:   e.now().UnixMilli(),
		rows:      make([]rowStats, e.table.n),
		providers: map[string][]*provider{},
		codes:     map[string]int64{},
	}
	i.newReplicationID()
	i.Register("server", i.server)
	i.Register("clients", func(f *Fields) error { f.Int("blocked_clients", int64(e.Waiting())); return nil })
	i.Register("memory", i.memory)
	i.Register("persistence", infoPersistence)
	i.Register("stats", i.stats)
	i.Register("replication", infoReplication)
	i.Register("cpu", infoCPU)
	i.Register("modules", func(*Fields) error { return nil })
	i.Register("commandstats", i.commandStats)
	i.Register("errorstats", i.errorStats)
	i.Register("latencystats", i.latencyStats)
	i.Register("cluster", func(f *Fields) error { f.Int("cluster_enabled", 0); return nil })
	i.Register("keyspace", infoKeyspace)
	return i
}

// randomID is 40 hexadecimal digits.
func randomID() string {
	id := make([]byte, 20)
	_, _ = rand.Read(id) // crypto/rand.Read never fails
	return hex.EncodeToString(id)
}

func (i *Info) newReplicationID() {
	id := randomID()
	i.replication.Store(&id)
}

// provider appends fields to a section.
type provider struct{ provide func(*Fields) error }

// Register adds fields to a section, after those that are there, until remove is called. A section of an unknown name comes
// last. The provider runs inside a batch: it must not call the engine.
func (i *Info) Register(section string, provide func(*Fields) error) (remove func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	known := slices.Contains(i.extra, section)
	for _, s := range infoSections {
		known = known || s.name == section
	}
	if !known {
		i.extra = append(i.extra, section)
	}
	p := &provider{provide}
	i.providers[section] = append(i.providers[section], p)
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.providers[section] = slices.DeleteFunc(i.providers[section], func(other *provider) bool { return other == p })
	}
}

// OnReset adds what CONFIG RESETSTAT does.
func (i *Info) OnReset(f func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.onReset = append(i.onReset, f)
}

// maxErrorCodes bounds errorstats: codes may come from scripts.
const maxErrorCodes = 128

// reset is CONFIG RESETSTAT.
func (i *Info) reset(c *Ctx) {
	i.mu.Lock()
	for k := range i.rows {
		i.rows[k].reset()
	}
	i.refusals.Store(0)
	i.lazyFreed.Store(0)
	clear(i.codes)
	i.base = counts(c.Tx)
	i.peak, i.lastCalls = 0, 0
	hooks := slices.Clone(i.onReset)
	i.mu.Unlock()
	for _, f := range hooks {
		f()
	}
}

// Fields is a section under construction. Several servers may tell of one engine: a field of theirs comes once.
type Fields struct {
	Ctx  *Ctx // the INFO that asks
	list []infoField
	told []any
	buf  []byte // the sections before
}

// First reports whether the section has not yet asked about x: what several servers have in common is told once.
func (f *Fields) First(x any) bool {
	if slices.Contains(f.told, x) {
		return false
	}
	f.told = append(f.told, x)
	return true
}

type infoField struct {
	name, text string
	n          int64
	number     bool // n counts, not text
}

// Int appends a field with a number, unless there is one of the name.
func (f *Fields) Int(name string, n int64) { f.merge(name, n, func(was, _ int64) int64 { return was }) }

// Add is Int that adds to the number that is there.
func (f *Fields) Add(name string, n int64) {
	f.merge(name, n, func(was, n int64) int64 { return was + n })
}

// Max is Int that lets the larger number stand.
func (f *Fields) Max(name string, n int64) {
	f.merge(name, n, func(was, n int64) int64 { return max(was, n) })
}

func (f *Fields) merge(name string, n int64, both func(was, n int64) int64) {
	if i := slices.IndexFunc(f.list, func(x infoField) bool { return x.name == name }); i >= 0 {
		f.list[i].n = both(f.list[i].n, n)
		return
	}
	f.list = append(f.list, infoField{name: name, n: n, number: true})
}

// Text appends a field with a text, which must hold no line end.
func (f *Fields) Text(name, value string) {
	f.list = append(f.list, infoField{name: name, text: value})
}

// end ends a section.
func (f *Fields) end() {
	for _, x := range f.list {
		f.buf = append(append(f.buf, x.name...), ':')
		if x.number {
			f.buf = strconv.AppendInt(f.buf, x.n, 10)
		} else {
			f.buf = append(f.buf, x.text...)
		}
		f.buf = append(f.buf, '\r', '\n')
	}
	f.list, f.told = f.list[:0], nil
}

// Bytes appends a field with a size, and the same for people under the name with _human.
func (f *Fields) Bytes(name string, n int64) {
	f.Int(name, n)
	f.Text(name+"_human", humanBytes(n))
}

func humanBytes(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + "B"
	}
	size, unit := float64(n)/1024, 0
	for size >= 1024 && unit < 5 {
		size, unit = size/1024, unit+1
	}
	return strconv.FormatFloat(size, 'f', 2, 64) + string("KMGTPE"[unit])
}

// info is INFO [section …].
func info(c *Ctx) error {
	i := c.Engine.Info
	usual, all := len(c.Args) == 1, false
	named := map[string]bool{}
	for _, a := range c.Args[1:] {
		switch name := strings.ToLower(string(a)); name {
		case "default":
			usual = true
		case "all", "everything":
			all = true
		default:
			named[name] = true
		}
	}
	f := Fields{Ctx: c}
	for _, s := range infoSections {
		if all || s.usual && usual || named[s.name] {
			if err := i.section(&f, s.name, s.title); err != nil {
				return err
			}
		}
	}
	i.mu.Lock()
	extra := slices.Clone(i.extra)
	i.mu.Unlock()
	for _, name := range extra {
		if all || usual || named[name] {
			if err := i.section(&f, name, name); err != nil {
				return err
			}
		}
	}
	c.W.Verbatim("txt", string(f.buf))
	return nil
}

// section appends a section, if anybody provides it.
func (i *Info) section(f *Fields, name, title string) error {
	i.mu.Lock()
	providers := slices.Clone(i.providers[name])
	i.mu.Unlock()
	if len(providers) == 0 {
		return nil
	}
	if len(f.buf) > 0 {
		f.buf = append(f.buf, '\r', '\n')
	}
	f.buf = append(f.buf, "# "+title+"\r\n"...)
	for _, p := range providers {
		if err := p.provide(f); err != nil {
			return err
		}
	}
	f.end()
	return nil
}

func (i *Info) server(f *Fields) error {
	now := f.Ctx.Now
	up := max(now-i.started, 0) / 1000
	f.Text("redis_version", RedisVersion)
	f.Text("redis_git_sha1", "00000000")
	f.Text("redis_git_dirty", "0")
	f.Text("redis_build_id", "0")
	f.Text("redbud_version", Version())
	f.Text("redis_mode", "standalone")
	f.Text("os", runtime.GOOS+" "+runtime.GOARCH)
	f.Int("arch_bits", strconv.IntSize)
	f.Text("monotonic_clock", "POSIX clock_gettime")
	f.Text("multiplexing_api", "go")
	f.Text("atomicvar_api", "go")
	f.Text("gcc_version", "0.0.0")
	f.Text("go_version", runtime.Version())
	f.Int("process_id", int64(os.Getpid()))
	f.Text("process_supervised", "no")
	f.Text("run_id", i.RunID)
	f.Int("server_time_usec", now*1000)
	f.Int("uptime_in_seconds", up)
	f.Int("uptime_in_days", up/86400)
	f.Int("hz", f.Ctx.Engine.Settings.Int("hz"))
	f.Int("configured_hz", f.Ctx.Engine.Settings.Int("hz"))
	f.Int("lru_clock", now/1000&(1<<24-1))
	f.Text("executable", os.Args[0])
	f.Text("config_file", "")
	f.Int("io_threads_active", 0)
	return nil
}

// systemMemory is how much memory the machine has; 0 if it does not say.
var systemMemory = sync.OnceValue(func() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "MemTotal:" {
			n, _ := strconv.ParseInt(words[1], 10, 64)
			return n << 10
		}
	}
	return 0
})

// highest notes how much memory is in use, and returns the most that was ever noted.
func (i *Info) highest(used int64) int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.peak = max(i.peak, used)
	return i.peak
}

// memory tells what keys take as used_memory: that is what maxmemory bounds. What the runtime takes for them are the fields of the
// allocator.
func (i *Info) memory(f *Fields) error {
	u, err := f.Ctx.memoryUse()
	if err != nil {
		return err
	}
	data := u.used - u.overhead
	f.Bytes("used_memory", u.used)
	f.Bytes("used_memory_rss", u.resident)
	f.Bytes("used_memory_peak", u.peak)
	f.Text("used_memory_peak_perc", fmt.Sprintf("%.2f%%", 100*ratio(u.used, u.peak)))
	f.Int("used_memory_overhead", u.overhead)
	f.Int("used_memory_startup", 0)
	f.Int("used_memory_dataset", data)
	f.Text("used_memory_dataset_perc", fmt.Sprintf("%.2f%%", 100*ratio(data, u.used)))
	f.Int("allocator_allocated", u.heap)
	f.Int("allocator_active", u.active)
	f.Int("allocator_resident", u.resident)
	if n := systemMemory(); n > 0 {
		f.Bytes("total_system_memory", n)
	}
	f.Bytes("maxmemory", u.limit)
	f.Text("maxmemory_policy", f.Ctx.Engine.Settings.String("maxmemory-policy"))
	f.Text("allocator_frag_ratio", fmt.Sprintf("%.2f", ratio(u.active, u.heap)))
	f.Int("allocator_frag_bytes", u.active-u.heap)
	f.Text("allocator_rss_ratio", fmt.Sprintf("%.2f", ratio(u.resident, u.active)))
	f.Int("allocator_rss_bytes", u.resident-u.active)
	f.Text("rss_overhead_ratio", "1.00")
	f.Int("rss_overhead_bytes", 0)
	f.Text("mem_fragmentation_ratio", fmt.Sprintf("%.2f", ratio(u.resident, u.used)))
	f.Int("mem_fragmentation_bytes", u.resident-u.used)
	for _, name := range strings.Fields(`mem_not_counted_for_evict mem_replication_backlog mem_total_replication_buffers mem_clients_slaves
		mem_clients_normal mem_cluster_links mem_aof_buffer`) {
		f.Int(name, 0)
	}
	f.Text("mem_allocator", "go")
	f.Int("active_defrag_running", 0)
	f.Int("lazyfree_pending_objects", 0)
	f.Int("lazyfreed_objects", i.lazyFreed.Load())
	return nil
}

// number is 1 or 0.
func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func infoPersistence(f *Fields) error {
	f.Int("loading", 0)
	f.Int("async_loading", 0)
	e := f.Ctx.Engine
	s := &e.saves
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Int("current_cow_peak", 0)
	f.Int("current_cow_size", 0)
	f.Int("current_cow_size_age", 0)
	f.Text("current_fork_perc", "0.00")
	f.Int("current_save_keys_processed", 0)
	f.Int("current_save_keys_total", 0)
	f.Int("rdb_changes_since_last_save", e.changes.Load()-s.changes)
	now, status := int64(-1), "ok"
	if s.running {
		now = f.Ctx.Now/1000 - s.began
	}
	if s.failed {
		status = "err"
	}
	f.Int("rdb_bgsave_in_progress", number(s.running))
	f.Int("rdb_last_save_time", s.last)
	f.Text("rdb_last_bgsave_status", status)
	f.Int("rdb_last_bgsave_time_sec", s.took)
	f.Int("rdb_current_bgsave_time_sec", now)
	f.Int("rdb_saves", s.wrote)
	f.Int("rdb_last_cow_size", 0)
	f.Int("rdb_last_load_keys_expired", 0)
	f.Int("rdb_last_load_keys_loaded", 0)
	f.Int("aof_enabled", 0)
	f.Int("aof_rewrite_in_progress", 0)
	f.Int("aof_rewrite_scheduled", 0)
	f.Int("aof_last_rewrite_time_sec", -1)
	f.Int("aof_current_rewrite_time_sec", -1)
	f.Text("aof_last_bgrewrite_status", "ok")
	f.Int("aof_rewrites", 0)
	f.Int("aof_rewrites_consecutive_failures", 0)
	f.Text("aof_last_write_status", "ok")
	f.Int("aof_last_cow_size", 0)
	f.Int("module_fork_in_progress", 0)
	f.Int("module_fork_last_cow_size", 0)
	return nil
}

// counts is what the store has counted; zeros if it does not count.
func counts(tx keyspace.Tx) keyspace.Counts {
	if t, ok := tx.(keyspace.Counter); ok {
		return t.Counts()
	}
	return keyspace.Counts{}
}

// rate is the calls per second between this INFO and the one before. Two within a tenth of a second share a rate.
func (i *Info) rate(now, calls int64) int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	if since := now - i.lastAt; since >= 100 {
		if i.lastAt > 0 {
			i.lastRate = (calls - i.lastCalls) * 1000 / since
		}
		i.lastAt, i.lastCalls = now, calls
	}
	return i.lastRate
}

func (i *Info) stats(f *Fields) error {
	n := counts(f.Ctx.Tx)
	i.mu.Lock()
	base := i.base
	i.mu.Unlock()
	calls := i.processed()
	f.Int("total_commands_processed", calls)
	f.Int("instantaneous_ops_per_sec", i.rate(f.Ctx.Now, calls))
	f.Int("expired_keys", n.Expired-base.Expired)
	f.Int("evicted_keys", n.Evicted-base.Evicted)
	f.Text("expired_stale_perc", "0.00")
	f.Int("expired_time_cap_reached_count", 0)
	f.Int("expire_cycle_cpu_milliseconds", 0)
	f.Int("evicted_clients", 0)
	f.Int("total_eviction_exceeded_time", 0)
	f.Int("current_eviction_exceeded_time", 0)
	f.Int("keyspace_hits", n.Hits-base.Hits)
	f.Int("keyspace_misses", n.Misses-base.Misses)
	for _, name := range strings.Fields(`sync_full sync_partial_ok sync_partial_err latest_fork_usec total_forks migrate_cached_sockets
		slave_expires_tracked_keys active_defrag_hits active_defrag_misses active_defrag_key_hits active_defrag_key_misses
		total_active_defrag_time current_active_defrag_time unexpected_error_replies dump_payload_sanitizations
		io_threaded_reads_processed io_threaded_writes_processed`) {
		f.Int(name, 0)
	}
	f.Int("total_error_replies", i.refusals.Load())
	f.Int("transaction_conflicts", f.Ctx.Engine.conflicts.Load())
	return nil
}

// infoCPU tells the runtime's own estimate, which does not part user from system time.
func infoCPU(f *Fields) error {
	s := []metrics.Sample{{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"}}
	metrics.Read(s)
	busy := math.Max(s[0].Value.Float64()-s[1].Value.Float64(), 0)
	f.Text("used_cpu_sys", "0.000000")
	user := strconv.FormatFloat(busy, 'f', 6, 64)
	f.Text("used_cpu_user", user)
	f.Text("used_cpu_sys_children", "0.000000")
	f.Text("used_cpu_user_children", "0.000000")
	f.Text("used_cpu_sys_main_thread", "0.000000")
	f.Text("used_cpu_user_main_thread", user)
	return nil
}

func (i *Info) errorStats(f *Fields) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	codes := make([]string, 0, len(i.codes))
	for code := range i.codes {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	for _, code := range codes {
		f.Text("errorstat_"+code, "count="+strconv.FormatInt(i.codes[code], 10))
	}
	return nil
}

func infoKeyspace(f *Fields) error {
	for db := range keyspace.Databases {
		if err := f.Ctx.Tx.Select(db); err != nil {
			return err
		}
		keys, expiring, err := f.Ctx.Tx.Len()
		if err != nil {
			return err
		}
		if keys > 0 {
			f.Text("db"+strconv.Itoa(db), fmt.Sprintf("keys=%d,expires=%d,avg_ttl=0", keys, expiring))
		}
	}
	return f.Ctx.Tx.Select(f.Ctx.DB)
}
