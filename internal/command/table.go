// Package command is the table of commands and the meaning of each, written once over the storage contract of
// package keyspace, a file per family. Engine runs batches of them.
package command

import (
	"bytes"
	"slices"
	"strings"

	"github.com/redbud-go/redbud/internal/engine"
)

// Command is a row of the table. Everything that is known about a command follows from its row: COMMAND's answers,
// key positions, what MULTI, ACL and migration make of it, the documentation.
type Command struct {
	Name  string // lower case; a subcommand's is its own word alone
	Arity int    // number of words, the name included; negative: at least that many
	Flags Flags
	Keys  Keys
	Group string // Redis's own word: "string", "sorted-set", "connection" …
	Since string // version of Redis that brought it
	Usage string // arguments in the notation of redis.io, without the name: "key [NX | XX]"
	Doc   string // one sentence
	ACL   string // the ACL categories besides those of Flags; default that of Group

	Run  func(*Ctx) error // nil for a container and for what only a session can answer
	Subs []*Command       // rows of a container: CLIENT, CONFIG, OBJECT …

	parent *Command
	names  *Names
	index  int                                // among all rows
	reads  bool                               // what it looks up counts as a hit or a miss
	writes bool                               // it may change keys
	long   bool                               // it may take so long that nobody should have to wait for it without need
	brief  bool                               // it is never slow
	secret func(call engine.Call, i int) bool // whether a word is one; nil: none
}

// FullName is the name that COMMAND and error messages use: "get", "client|id".
func (c *Command) FullName() string {
	if c.parent != nil {
		return c.parent.Name + "|" + c.Name
	}
	return c.Name
}

// Fits reports whether a call of n words, the names included, has the right length.
func (c *Command) Fits(n int) bool {
	if c.Arity >= 0 {
		return n == c.Arity
	}
	return n >= -c.Arity
}

// Flags are the traits of a command. Those that Redis has too stand in COMMAND INFO by the same names.
type Flags uint32

// The flags.
const (
	Write           Flags = 1 << iota // may change keys
	ReadOnly                          // only reads keys
	DenyOOM                           // refused when memory is short
	Admin                             // for operators
	Dangerous                         // ACL category of what can hurt
	Fast                              // constant or logarithmic time
	Loading                           // allowed while data is loaded
	Stale                             // allowed on a replica that lost its master
	NoAuth                            // allowed before authentication
	NoScript                          // not in scripts
	NoMulti                           // not between MULTI and EXEC
	SkipMonitor                       // not shown by MONITOR
	SkipSlowlog                       // not in the slow log
	Blocking                          // may wait
	MayReplicate                      // may have effects without Write
	AllKeys                           // concerns keys that it does not name: SCAN, FLUSHALL
	Session                           // answered by the connection, not by the engine
	PubSub                            // concerns channels
	AllowBusy                         // runs while a script takes too long
	NoAsyncLoading                    // not while a replica loads data that is not its own yet
	NoMandatoryKeys                   // takes keys, but needs none
)

// Keys says where in a call its keys stand, counted in words from the name, which is 0.
type Keys struct {
	First, Last, Step int // Last negative: counted from the end, -1 the last word; First 0: none
	NumKeys           int // word that tells how many keys follow it, one every Step words; 0: none

	options *keyOptions // more keys, which follow words; nil: none
	blank   bool        // the word at First may be empty, and is no key then
}

// keyOptions are the options of a command that are followed by a key, as SORT's STORE is.
type keyOptions struct {
	from  int            // the word from which on options stand
	words []string       // in lower case; each is followed by one key
	skip  map[string]int // other options by how many words of theirs follow, none of which is an option

	// The words end the options. The first half of what follows them are keys, of which there may be many.
	half bool

	// The words end the options, and all that follows them are keys.
	rest bool

	// The command also reads keys whose names it makes of a pattern and of what other keys hold: they stand nowhere.
	patterns bool
}

// each visits the places of the keys that follow a word, given in lower case, or any word where that is empty. Of a word that
// is repeated, the last one counts.
func (o *keyOptions) each(call engine.Call, word string, f func(i int)) {
	for _, w := range o.words {
		if word != "" && word != w {
			continue
		}
		switch at := o.find(call, w); {
		case at == 0:
		case o.half:
			o.eachOfHalf(call, at, f)
		case o.rest:
			for i := at; i < len(call); i++ {
				f(i)
			}
		default:
			f(at)
		}
	}
}

// find returns the place behind the last occurrence of a word or, where the words end the options, behind the first; 0 if there
// is none.
func (o *keyOptions) find(call engine.Call, word string) (at int) {
	for i := o.from; i < len(call)-1; i++ {
		name := strings.ToLower(clip(call[i]))
		if n, ok := o.skip[name]; ok {
			i += n
			continue
		}
		if !slices.Contains(o.words, name) {
			continue
		}
		i++
		if name == word {
			at = i
		}
		if o.half || o.rest {
			break
		}
	}
	return at
}

// eachOfHalf visits the first half of what a call has from a word on, unless it cannot be halved.
func (o *keyOptions) eachOfHalf(call engine.Call, from int, f func(i int)) {
	n := len(call) - from
	for i := range n / 2 * (1 - n%2) {
		f(from + i)
	}
}

// movable reports whether First, Last and Step do not tell all.
func (k Keys) movable() bool { return k.NumKeys != 0 || k.options != nil }

// The usual places of keys.
var (
	oneKey  = Keys{First: 1, Last: 1, Step: 1}
	twoKeys = Keys{First: 1, Last: 2, Step: 1}
	allKeys = Keys{First: 1, Last: -1, Step: 1}
)

// Append appends the keys of a call to dst. A call too short for its keys has those that are there.
func (k Keys) Append(dst [][]byte, call engine.Call) [][]byte {
	k.each(call, func(i int) { dst = append(dst, call[i]) })
	return dst
}

// each visits the places of the keys of a call.
func (k Keys) each(call engine.Call, f func(i int)) {
	if k.First > 0 {
		last := k.Last
		if last < 0 {
			last += len(call)
		}
		for i := k.First; i <= last && i < len(call); i += k.Step {
			if !k.blank || len(call[i]) > 0 {
				f(i)
			}
		}
	}
	if k.NumKeys > 0 && k.NumKeys < len(call) {
		n, ok := parseInt(call[k.NumKeys])
		for i := k.NumKeys + 1; ok && n > 0 && i < len(call); i += max(k.Step, 1) {
			f(i)
			n--
		}
	}
	if k.options != nil {
		k.options.each(call, "", f)
	}
}

// Table holds rows by name. It is immutable and safe for concurrent use.
type Table struct {
	rows  []*Command
	n     int        // of rows, with those of subcommands
	slots []*Command // open addressing by hashName; a power of two, at most half full
}

// Commands is the table of all commands, in the order of their families.
var Commands = newTable(
	stringCommands,
	bitmapCommands,
	hyperloglogCommands,
	keyCommands,
	waitCommands,
	dumpCommands,
	migrateCommands,
	sortCommands,
	expireCommands,
	hashCommands,
	hashExpiryCommands,
	listCommands,
	setCommands,
	zsetCommands,
	geoCommands,
	streamCommands,
	pubsubCommands,
	scriptCommands,
	functionCommands,
	programCommands,
	connectionCommands,
	transactionCommands,
	serverCommands,
	aclCommands,
	memoryCommands,
	slowlogCommands,
	latencyCommands,
	saveCommands,
	replicationCommands,
	clusterCommands,
	lolwutCommands,
	debugCommands,
	commandCommands,
)

func newTable(families ...[]*Command) *Table {
	t := &Table{rows: slices.Concat(families...)}
	size := 2
	for size < 4*len(t.rows) {
		size *= 2
	}
	t.slots = make([]*Command, size)
	for _, c := range t.rows {
		if t.Lookup([]byte(c.Name)) != nil {
			panic("command: two rows for " + c.Name)
		}
		i := hashName([]byte(c.Name)) & uint32(size-1)
		for t.slots[i] != nil {
			i = (i + 1) & uint32(size-1)
		}
		t.slots[i] = c
		for _, sub := range c.Subs {
			sub.parent = c
			if sub.Group == "" {
				sub.Group = c.Group
			}
		}
	}
	t.Each(func(c *Command) {
		c.names = names[c.FullName()]
		c.reads = c.Flags&ReadOnly != 0 || alsoRead[c.FullName()]
		c.writes = c.Flags&(Write|MayReplicate) != 0 || c.Name == "debug"
		c.long = c.Flags&AllKeys != 0 || c.Group == "scripting" || c.Name == "debug"
		c.secret = secrets[c.FullName()]
		c.brief = c.Flags&Fast != 0 || alsoBrief[c.FullName()]
		c.index = t.n
		t.n++
	})
	return t
}

// All is every row in the order of the families, containers without their subcommands.
func (t *Table) All() []*Command { return t.rows }

// Lookup finds a row by name, without regard to case; nil if there is none.
func (t *Table) Lookup(name []byte) *Command {
	mask := uint32(len(t.slots) - 1)
	for i := hashName(name) & mask; t.slots[i] != nil; i = (i + 1) & mask {
		if equalFold(name, t.slots[i].Name) {
			return t.slots[i]
		}
	}
	return nil
}

// Last looks up the names of calls that come one after the other, of which many repeat the one before. It holds that name, so it
// must not outlive the calls.
type Last struct {
	name []byte
	row  *Command
}

// Lookup is Table.Lookup in Commands.
func (l *Last) Lookup(name []byte) *Command {
	if l.row == nil || !bytes.Equal(name, l.name) {
		l.row = Commands.Lookup(name)
	}
	l.name = name
	return l.row
}

// Row is the row of a call, a subcommand's where there is one, whatever the call's length; nil if there is none.
func (t *Table) Row(call engine.Call) *Command { return t.Lookup(call[0]).of(call) }

// of is the row of a call whose name is the row's; nil for none.
func (c *Command) of(call engine.Call) *Command {
	if c != nil && c.Subs != nil && len(call) > 1 {
		return c.sub(call[1])
	}
	return c
}

// Find finds the row that answers a call, a subcommand's where there is one. Otherwise it returns the refusal
// that Redis gives: unknown command or subcommand, wrong number of arguments.
func (t *Table) Find(call engine.Call) (*Command, error) {
	c := t.Lookup(call[0])
	if c == nil {
		return nil, unknownCommand(call)
	}
	if c.Subs != nil && len(call) > 1 {
		sub := c.sub(call[1])
		if sub == nil {
			return nil, unknownSubcommand(call)
		}
		c = sub
	}
	if !c.Fits(len(call)) {
		return nil, wrongArity(c)
	}
	return c, nil
}

func (c *Command) sub(name []byte) *Command {
	for _, s := range c.Subs {
		if equalFold(name, s.Name) {
			return s
		}
	}
	return nil
}

// hashName is FNV-1a over the name in lower case.
func hashName(name []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range name {
		h = (h ^ uint32(lower(c))) * 16777619
	}
	return h ^ h>>15
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// equalFold reports whether b is word without regard to the case of ASCII letters; word is in lower case.
func equalFold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if lower(c) != word[i] {
			return false
		}
	}
	return true
}

func unknownCommand(call engine.Call) error {
	var args strings.Builder
	for _, a := range call[1:] {
		if args.Len() >= 128 {
			break
		}
		args.WriteString("'" + string(a[:min(len(a), 128-args.Len())]) + "' ")
	}
	return Refusal("ERR unknown command '" + clip(call[0]) + "', with args beginning with: " + args.String())
}

func unknownSubcommand(call engine.Call) error {
	return Refusal("ERR unknown subcommand '" + clip(call[1]) + "'. Try " + strings.ToUpper(string(call[0])) + " HELP.")
}

func wrongArity(c *Command) error {
	return Refusal("ERR wrong number of arguments for '" + c.FullName() + "' command")
}

// clip keeps what an error message quotes of an argument.
func clip(b []byte) string { return string(b[:min(len(b), 128)]) }
