// MEMORY: what keys take, and what the runtime takes for them. An engine whose store does not know answers for the runtime alone.
package command

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var memoryCommands = []*Command{
	{Name: "memory", Arity: -2, Group: "server", Since: "4.0.0", Doc: "A container for memory diagnostics commands.",
		Subs: []*Command{
			{Name: "doctor", Arity: 2, Flags: AllKeys, Since: "4.0.0",
				Doc: "Says what is unusual about the memory that the server takes.", Run: memoryDoctor},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "4.0.0",
				Doc: "Explains the subcommands.", Run: memoryHelp},
			{Name: "malloc-stats", Arity: 2, Since: "4.0.0",
				Doc: "Tells what the runtime counts of its memory.", Run: memoryMallocStats},
			{Name: "purge", Arity: 2, Since: "4.0.0",
				Doc: "Collects garbage and gives memory back to the system.", Run: memoryPurge},
			{Name: "stats", Arity: 2, Flags: AllKeys, Since: "4.0.0",
				Doc: "Tells what memory is taken for.", Run: memoryStats},
			{Name: "usage", Arity: -3, Flags: ReadOnly, Keys: subKey, Since: "4.0.0",
				Usage: "key [SAMPLES count]", Doc: "Estimates how many bytes a key takes.", Run: memoryUsage},
		}},
}

// defaultSamples is how many elements MEMORY USAGE looks at.
const defaultSamples = 5

func memoryUsage(c *Ctx) error {
	samples := int64(defaultSamples)
	for i := 3; i < len(c.Args); i += 2 {
		if !c.is(i, "samples") || i+1 == len(c.Args) {
			return ErrSyntax
		}
		var err error
		if samples, err = c.integer(i + 1); err != nil {
			return err
		}
		if samples < 0 {
			return ErrSyntax
		}
	}
	m, ok := c.Tx.(keyspace.Sizer)
	if !ok {
		return Refusal("ERR this engine does not know what a key takes")
	}
	bytes, ok, err := m.Size(c.Args[2], int(samples))
	if err != nil {
		return err
	}
	if !ok {
		c.W.Null()
		return nil
	}
	c.W.Int(bytes)
	return nil
}

// memoryUse is what is known of memory, in bytes.
type memoryUse struct {
	used, peak int64 // by keys
	overhead   int64 // of it, what finds them
	heap       int64 // by objects of the runtime, garbage among them
	active     int64 // and what the heap has for them
	resident   int64 // taken from the system
	keys       int64
	tables     [keyspace.Databases]struct{ keys, expiring int64 }
	limit      int64
}

// memoryUse looks at all databases.
func (c *Ctx) memoryUse() (u memoryUse, err error) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples) // which does not stop the world
	value := func(i int) int64 { return int64(samples[i].Value.Uint64()) }
	u.heap, u.active, u.resident = value(0), value(0)+value(1), value(2)-value(3)
	u.used = u.heap
	m, ok := c.Tx.(keyspace.Meter)
	if ok {
		u.used = m.Used()
	}
	for db := range keyspace.Databases {
		if err := c.Tx.Select(db); err != nil {
			return u, err
		}
		keys, _, err := c.Tx.Len()
		if err != nil {
			return u, err
		}
		if u.keys += int64(keys); ok && keys > 0 {
			t := &u.tables[db]
			t.keys, t.expiring = m.Tables()
			u.overhead += t.keys + t.expiring
		}
	}
	u.peak, u.limit = c.Engine.Info.highest(u.used), c.Engine.Settings.Int("maxmemory")
	return u, c.Tx.Select(c.DB)
}

// ratio is a part of a whole, 0 of nothing.
func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func memoryStats(c *Ctx) error {
	u, err := c.memoryUse()
	if err != nil {
		return err
	}
	mark, n := c.W.Len(), 0
	count := func(name string, value int64) {
		c.W.BulkString(name)
		c.W.Int(value)
		n++
	}
	share := func(name string, value float64) {
		c.W.BulkString(name)
		c.W.Double(value)
		n++
	}
	count("peak.allocated", u.peak)
	count("total.allocated", u.used)
	for _, name := range strings.Fields(`startup.allocated replication.backlog clients.slaves clients.normal cluster.links aof.buffer
		lua.caches functions.caches`) {
		count(name, 0)
	}
	for db, t := range u.tables {
		if t.keys == 0 {
			continue
		}
		c.W.BulkString("db." + strconv.Itoa(db))
		c.W.Map(3)
		c.W.BulkString("overhead.hashtable.main")
		c.W.Int(t.keys)
		c.W.BulkString("overhead.hashtable.expires")
		c.W.Int(t.expiring)
		c.W.BulkString("overhead.hashtable.slot-to-keys")
		c.W.Int(0)
		n++
	}
	data := u.used - u.overhead
	count("overhead.total", u.overhead)
	count("keys.count", u.keys)
	count("keys.bytes-per-key", u.used/max(u.keys, 1))
	count("dataset.bytes", data)
	share("dataset.percentage", 100*ratio(data, u.used))
	share("peak.percentage", 100*ratio(u.used, u.peak))
	count("allocator.allocated", u.heap)
	count("allocator.active", u.active)
	count("allocator.resident", u.resident)
	share("allocator-fragmentation.ratio", ratio(u.active, u.heap))
	count("allocator-fragmentation.bytes", u.active-u.heap)
	share("allocator-rss.ratio", ratio(u.resident, u.active))
	count("allocator-rss.bytes", u.resident-u.active)
	share("rss-overhead.ratio", 1)
	count("rss-overhead.bytes", 0)
	share("fragmentation", ratio(u.resident, u.used))
	count("fragmentation.bytes", u.resident-u.used)
	c.W.Insert(mark, n, (*writer).Map)
	return nil
}

// littleMemory is what a doctor has nothing to say about.
const littleMemory = 5 << 20

func memoryDoctor(c *Ctx) error {
	u, err := c.memoryUse()
	if err != nil {
		return err
	}
	var found []string
	if u.peak > u.used/2*3 {
		found = append(found, fmt.Sprintf("Keys took %s at their peak and take %s now. The runtime gives what it no longer needs back to the system"+
			" by and by; MEMORY PURGE does it at once.", humanBytes(u.peak), humanBytes(u.used)))
	}
	if u.resident > 3*u.used {
		found = append(found, fmt.Sprintf("The process has %s of the system, more than three times what keys take (%s): garbage that is not collected"+
			" yet, buffers of clients, or a program around this engine. GOGC and GOMEMLIMIT bound it.", humanBytes(u.resident), humanBytes(u.used)))
	}
	if u.limit > 0 && u.used > u.limit/10*9 {
		found = append(found, fmt.Sprintf("Keys take %s of the %s that maxmemory allows them.", humanBytes(u.used), humanBytes(u.limit)))
	}
	report := "Nothing is unusual about the memory of this server."
	switch {
	case u.used < littleMemory && u.limit == 0:
		report = "Keys take " + humanBytes(u.used) + ": too little to say anything about."
	case len(found) > 0:
		report = "- " + strings.Join(found, "\n- ")
	}
	c.W.Verbatim("txt", report+"\n")
	return nil
}

// memoryMallocStats tells all that the runtime counts in bytes.
func memoryMallocStats(c *Ctx) error {
	var samples []metrics.Sample
	for _, d := range metrics.All() {
		if d.Kind == metrics.KindUint64 && (strings.HasPrefix(d.Name, "/memory/") || strings.HasPrefix(d.Name, "/gc/")) {
			samples = append(samples, metrics.Sample{Name: d.Name})
		}
	}
	metrics.Read(samples)
	report := []byte("runtime " + runtime.Version() + "\n")
	for _, s := range samples {
		report = fmt.Appendf(report, "%-48s %16d\n", s.Name, s.Value.Uint64())
	}
	c.W.Verbatim("txt", string(report))
	return nil
}

func memoryPurge(c *Ctx) error {
	debug.FreeOSMemory()
	c.W.OK()
	return nil
}

func memoryHelp(c *Ctx) error {
	c.help("MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"DOCTOR",
		"    Return memory problems reports.",
		"MALLOC-STATS",
		"    Return internal statistics report from the memory allocator.",
		"PURGE",
		"    Attempt to purge dirty pages for reclamation by the allocator.",
		"STATS",
		"    Return information about the memory usage of the server.",
		"USAGE <key> [SAMPLES <count>]",
		"    Return memory in bytes used by <key> and its value. Nested values are",
		"    sampled up to <count> times (default: 5, 0 means sample all).")
	return nil
}
