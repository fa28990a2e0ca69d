// What a row says of a command, in the words of Redis: flags, ACL categories, key specifications, tips.
package command

import (
	"slices"
	"strings"

	"github.com/redbud-go/redbud/internal/engine"
)

// flagNames are the flags that COMMAND INFO tells, in its order.
var flagNames = []struct {
	flag Flags
	name string
}{
	{Write, "write"}, {ReadOnly, "readonly"}, {DenyOOM, "denyoom"}, {Admin, "admin"}, {PubSub, "pubsub"}, {NoScript, "noscript"},
	{Blocking, "blocking"}, {Loading, "loading"}, {Stale, "stale"}, {SkipMonitor, "skip_monitor"},
	{SkipSlowlog, "skip_slowlog"}, {Fast, "fast"}, {NoAuth, "no_auth"}, {NoMandatoryKeys, "no_mandatory_keys"}, {NoAsyncLoading, "no_async_loading"}, {NoMulti, "no_multi"},
}

// FlagNames are the command's flags by the names that COMMAND INFO has for them.
func (c *Command) FlagNames() []string {
	var names []string
	for _, f := range flagNames {
		if c.Flags&f.flag != 0 {
			names = append(names, f.name)
		}
	}
	if c.Keys.movable() {
		names = append(names, "movablekeys")
	}
	if c.Flags&AllowBusy != 0 {
		names = append(names, "allow_busy")
	}
	return names
}

// groupCategories are the ACL categories that follow from a group.
var groupCategories = map[string]string{
	"generic": "keyspace", "set": "set", "sorted-set": "sortedset", "list": "list", "hash": "hash", "string": "string",
	"bitmap": "bitmap", "hyperloglog": "hyperloglog", "geo": "geo", "stream": "stream", "pubsub": "pubsub",
	"connection": "connection", "transactions": "transaction", "scripting": "scripting",
}

// Categories are all ACL categories in the order of ACL CAT.
var Categories = []string{"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap",
	"hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection",
	"transaction", "scripting"}

// Categories are the ACL categories of the command, without the @ and in the order of ACL CAT.
func (c *Command) Categories() []string {
	has := map[string]bool{
		"write":     c.Flags&Write != 0,
		"read":      c.Flags&ReadOnly != 0 && c.Group != "scripting",
		"admin":     c.Flags&Admin != 0,
		"dangerous": c.Flags&(Admin|Dangerous) != 0,
		"fast":      c.Flags&Fast != 0,
		"slow":      c.Flags&Fast == 0,
		"blocking":  c.Flags&Blocking != 0,
	}
	for _, name := range strings.Fields(c.ACL) {
		has[name] = true
	}
	if c.ACL == "" && (c.Run != nil || c.Subs == nil) { // a container alone does nothing
		has[groupCategories[c.Group]] = true
	}
	var names []string
	for _, name := range Categories {
		if has[name] {
			names = append(names, name)
		}
	}
	return names
}

// byWord turns a list of words for each key into the key for each word.
func byWord(lists map[string]string) map[string]string {
	keys := map[string]string{}
	for key, list := range lists {
		for _, w := range strings.Fields(list) {
			keys[w] = key
		}
	}
	return keys
}

// accesses says what a command does with its keys, unless it just reads or updates them; those that follow the
// semicolon are for the keys after the first (https://redis.io/docs/latest/develop/reference/key-specs/).
var accesses = byWord(map[string]string{
	"RO": `exists hexists hlen hstrlen llen memory|usage object|encoding object|freq object|idletime object|refcount scard sismember
		strlen touch type watch xlen zcard`,
	"not_key":   "spublish ssubscribe sunsubscribe",
	"RW insert": "append hsetnx linsert lpush lpushx pfadd rpush rpushx sadd xgroup|create xgroup|createconsumer",
	"RW update": "expire expireat geoadd hexpire hexpireat hmset hpersist hpexpire hpexpireat hset hsetex " +
		"lset persist pexpire pexpireat setrange xack xadd xclaim xgroup|setid xsetid zadd",
	"RW access": "pfcount pfdebug",
	"RW delete": "delex hdel lrem ltrim srem xackdel xautoclaim xdel xdelex xgroup|delconsumer xgroup|destroy xtrim " +
		"zrem zremrangebylex zremrangebyrank zremrangebyscore",
	"RM delete": "del unlink",
	"OW update": "mset msetex psetex restore setex",
	"OW insert": "msetnx setnx",
	"RW access delete": `migrate blmpop blpop brpop bzmpop bzpopmax bzpopmin getdel hgetdel lmpop lpop rpop spop zmpop zpopmax
		zpopmin`,
	"RW access delete;RW insert":      "blmove brpoplpush lmove rpoplpush smove",
	"RW access insert;RO access":      "pfmerge",
	"RW access delete;OW update":      "rename",
	"RW access delete;OW insert":      "renamenx",
	"RO access;OW update":             "copy georadius georadiusbymember sort",
	"OW update;RO access":             `bitop geosearchstore sdiffstore sunionstore zdiffstore zinterstore zrangestore zunionstore`,
	"RW update;RO access":             "sinterstore",
	"RW access update variable_flags": "bitfield set",
	"RW access update":                "eval evalsha fcall redbud.eval redbud.evalsha",
})

// alsoRead are the commands that write and whose lookups count all the same as hits and misses.
var alsoRead = wordSet(`bitop copy georadius georadiusbymember geosearchstore getdel getex getset pfmerge sdiffstore sinterstore sort
	sunionstore xack xautoclaim xclaim xreadgroup zdiffstore zinterstore zrangestore zunionstore`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// tips are hints for clients, of a cluster above all (https://redis.io/docs/latest/develop/reference/command-tips/).
var tips = byWord(map[string]string{
	"nondeterministic_output request_policy:all_nodes response_policy:special": `latency|doctor latency|graph latency|histogram latency|history
		latency|latest`,
	"nondeterministic_output": `cluster|bumpepoch cluster|count-failure-reports cluster|getkeysinslot cluster|info cluster|links cluster|nodes cluster|replicas cluster|shards cluster|slaves
		cluster|slots migrate client|info client|list dump lastsave hrandfield hscan object|encoding object|freq object|idletime
		object|refcount pttl spop srandmember sscan time ttl
		xadd xautoclaim xclaim xinfo|consumers xpending xtrim zrandmember zscan`,
	"nondeterministic_output_order": `command command|docs command|info command|list function|list hgetall hkeys hvals sdiff sinter
		smembers sunion`,
	"request_policy:all_nodes response_policy:all_succeeded":                    "config|set client|setinfo client|setname latency|reset slowlog|reset script|flush script|load",
	"request_policy:all_shards response_policy:one_succeeded":                   "script|kill function|kill",
	"request_policy:all_shards response_policy:agg_logical_and":                 "script|exists",
	"request_policy:all_nodes nondeterministic_output":                          "slowlog|get",
	"request_policy:all_nodes response_policy:agg_sum nondeterministic_output":  "slowlog|len",
	"request_policy:all_shards response_policy:agg_sum":                         "dbsize",
	"request_policy:all_shards response_policy:agg_min":                         "wait waitaof",
	"request_policy:all_shards response_policy:all_succeeded":                   "function|delete function|flush function|load function|restore flushall flushdb memory|purge ping",
	"request_policy:multi_shard response_policy:agg_sum":                        "del exists touch unlink",
	"request_policy:multi_shard response_policy:all_succeeded":                  "mset",
	"request_policy:multi_shard response_policy:agg_min":                        "msetnx",
	"request_policy:multi_shard":                                                "mget",
	"request_policy:all_shards nondeterministic_output_order":                   "keys",
	"request_policy:all_shards response_policy:special nondeterministic_output": "randomkey",
	"nondeterministic_output request_policy:special response_policy:special":    "scan",
	"nondeterministic_output request_policy:all_shards response_policy:special": "info memory|doctor memory|malloc-stats memory|stats function|stats",
})

// Tips are the hints that COMMAND INFO gives to clients.
func (c *Command) Tips() []string { return strings.Fields(tips[c.FullName()]) }

// keySpec is a key specification: where keys of one role stand, and what happens to them.
type keySpec struct {
	access  []string // "RW", "access", "update" …
	index   int      // word of the first key, or of the number of keys
	numKeys bool     // the word at index says how many keys follow
	last    int      // last key counted from index; negative from the end
	step    int

	blank   bool        // there may be an empty word at index, which is no key
	options *keyOptions // keys that follow a word, from index on
	keyword string      // the word, in capitals
	limit   int         // 2: only the first half of the words up to last are keys
}

// keySpecs are the key specifications of a command.
func (c *Command) keySpecs() []keySpec {
	access := accesses[c.FullName()]
	switch {
	case access != "":
	case c.Flags&Write != 0:
		access = "RW access update"
	default:
		access = "RO access"
	}
	first, others, two := strings.Cut(access, ";")
	if !two {
		others = first
	}
	k := c.Keys
	var specs []keySpec
	if k.First > 0 {
		last := k.Last
		if last > 0 {
			last -= k.First
		}
		spec := keySpec{access: strings.Fields(first), index: k.First, last: last, step: max(k.Step, 1), blank: k.blank}
		if two && last != 0 {
			spec.last = 0
			specs = append(specs, spec)
			spec.access, spec.index, spec.last = strings.Fields(others), k.First+1, min(last, 0)
		}
		specs = append(specs, spec)
	}
	if k.NumKeys > 0 {
		specs = append(specs, keySpec{access: strings.Fields(others), index: k.NumKeys, numKeys: true, step: max(k.Step, 1)})
	}
	return append(specs, k.options.specs()...)
}

// unknown reports whether the specification does not tell the places. Redis says so of all but the first key of a command
// that makes names of keys, whose options may stand anywhere.
func (s *keySpec) unknown() bool { return s.options != nil && s.options.patterns }

// specs are the key specifications of options.
func (o *keyOptions) specs() []keySpec {
	if o == nil {
		return nil
	}
	var specs []keySpec
	if o.patterns {
		specs = append(specs, keySpec{access: []string{"RO", "access"}, options: &keyOptions{patterns: true}})
	}
	for _, word := range o.words {
		if o.rest { // which begins to look for the word at the end
			specs = append(specs, keySpec{access: []string{"RW", "access", "delete", "incomplete"}, index: -2, options: o, keyword: strings.ToUpper(word), last: -1, step: 1})
			continue
		}
		if o.half {
			specs = append(specs, keySpec{access: []string{"RO", "access"}, index: o.from, options: o, keyword: strings.ToUpper(word), last: -1, step: 1, limit: 2})
			continue
		}
		specs = append(specs, keySpec{access: []string{"OW", "update"}, index: o.from, options: o, keyword: strings.ToUpper(word), step: 1})
	}
	return specs
}

// hasKeys reports whether a command can name keys.
func (c *Command) hasKeys() bool {
	return c.Keys.First > 0 || c.Keys.NumKeys > 0 || c.Keys.options != nil
}

// accessOf is what a call does with the keys of a specification.
func (s *keySpec) accessOf(call engine.Call) []string {
	n := len(s.access)
	if n == 0 || s.access[n-1] != "variable_flags" {
		return s.access
	}
	// SET and BITFIELD have such flags. SET reads only with some of its options, BITFIELD may do nothing else.
	from, words, otherwise := 3, []string{"get", "ifeq", "ifne", "ifdeq", "ifdne"}, []string{"OW", "update"}
	if equalFold(call[0], "bitfield") {
		from, words, otherwise = 2, []string{"set", "incrby"}, []string{"RO", "access"}
	}
	for _, word := range call[min(from, len(call)):] {
		if slices.ContainsFunc(words, func(w string) bool { return equalFold(word, w) }) {
			return s.access[:n-1]
		}
	}
	return otherwise
}

// each visits the places of the keys of a call that a specification covers.
func (s *keySpec) each(call engine.Call, f func(i int)) {
	k := Keys{First: s.index, Last: s.index + s.last, Step: s.step, blank: s.blank}
	switch {
	case s.options != nil:
		s.options.each(call, strings.ToLower(s.keyword), f)
		return
	case s.numKeys:
		k = Keys{NumKeys: s.index, Step: s.step}
	case s.last < 0:
		k.Last = s.last
	}
	k.each(call, f)
}

// wellPlaced reports whether the keys of a call can be told: the number of keys, where the call has one, must be a
// number and leave room.
func (c *Command) wellPlaced(call engine.Call) bool {
	at := c.Keys.NumKeys
	if at == 0 {
		return true
	}
	n, ok := parseInt(call[at])
	least := int64(1)
	if c.Group == "scripting" { // scripts need no keys
		least = 0
	}
	return ok && n >= least && n <= int64(len(call)-at-1)/int64(max(c.Keys.Step, 1))
}

// inCategory reports whether a command belongs to an ACL category, given without the @ and in any case.
func (c *Command) inCategory(name []byte) bool {
	return slices.Contains(c.Categories(), strings.ToLower(string(name)))
}
