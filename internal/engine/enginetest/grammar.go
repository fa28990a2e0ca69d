// Random calls: drawn from the table of commands, whose rows tell how their arguments go.
package enginetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/redbud-go/redbud/internal/command"
)

// node is a part of a Usage: "key [NX | XX] <LEFT | RIGHT> element [element ...]".
type node struct {
	word     string // a leaf: a literal in capitals, or the name of an argument
	choices  [][]node
	optional bool
	repeated bool // the one choice may come many times
}

// parseUsage reads the notation of redis.io.
func parseUsage(usage string) ([]node, error) {
	spaced := strings.NewReplacer("[", " [ ", "]", " ] ", "<", " < ", ">", " > ").Replace(usage)
	tokens := strings.Fields(spaced)
	nodes, rest, err := parseSequence(tokens)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%q is left over", rest)
	}
	return nodes, err
}

// parseSequence reads up to a token that does not belong to it.
func parseSequence(tokens []string) (nodes []node, rest []string, err error) {
	for len(tokens) > 0 {
		switch t := tokens[0]; t {
		case "|", "]", ">", "...":
			return nodes, tokens, nil
		case "[", "<":
			n := node{optional: t == "["}
			tokens = tokens[1:]
			for {
				var choice []node
				if choice, tokens, err = parseSequence(tokens); err != nil {
					return nil, nil, err
				}
				n.choices = append(n.choices, choice)
				if len(tokens) > 0 && tokens[0] == "..." {
					n.repeated = true
					tokens = tokens[1:]
				}
				if len(tokens) == 0 {
					return nil, nil, fmt.Errorf("%s is not closed", t)
				}
				end := tokens[0]
				tokens = tokens[1:]
				if end != "|" {
					break
				}
			}
			nodes = append(nodes, n)
		default:
			nodes = append(nodes, node{word: t})
			tokens = tokens[1:]
		}
	}
	return nodes, nil, nil
}

// grammar is a command of which calls can be drawn.
type grammar struct {
	row    *command.Command
	name   []string // the words of its name
	usage  []node
	weight int
}

// The groups of commands that are about data alone: what they answer follows from the calls before.
var drawn = []string{"string", "generic", "bitmap", "hyperloglog", "hash", "list", "set", "sorted-set", "stream", "geo"}

// The groups of those whose keys have members.
var collections = drawn[4:]

// tooNew is why a command is undrawn that the Redis at hand does not know.
const tooNew = "Redis 7.0 does not know it"

// undrawn are the commands of these groups that are left out, and why.
var undrawn = map[string]string{
	"wait": "it waits for replicas", "waitaof": tooNew,

	"delex": tooNew, "digest": tooNew, "msetex": tooNew,

	"xackdel": tooNew, "xdelex": tooNew,

	"hexpire": tooNew, "hexpireat": tooNew, "hexpiretime": tooNew, "hgetdel": tooNew, "hgetex": tooNew, "hpersist": tooNew, "hpexpire": tooNew,
	"hpexpireat": tooNew, "hpexpiretime": tooNew, "hpttl": tooNew, "hsetex": tooNew, "httl": tooNew,

	"xinfo|consumers": "it tells the clock",
	"pfselftest":      "it takes Redis a second",
	"randomkey":       "the answer is random",
	"dump":            "its bytes depend on the version of Redis; TestEveryValueGoesToRedisAndBack restores them",
	"restore":         "as dump",
	"sort":            "Redis takes what an earlier call left behind for a number out of range, now and then; and words that differ behind a zero byte for equal",
	"sort_ro":         "as sort",
	"migrate":         "it calls other servers",
	"object|idletime": "it tells the clock, and whether the policy is LFU",
	"object|freq":     "it is refused unless the policy is LFU",
	"object|refcount": "it tells how Redis keeps a value",
	"object|help":     "the text is Redis's own",
}

// alsoDrawn are commands of other groups.
var alsoDrawn = []string{"dbsize", "flushall", "flushdb", "swapdb"}

// whole are the commands that choose at random. They are asked for more than there is, so that they give all.
var whole = []string{"spop", "srandmember", "hrandfield", "zrandmember"}

// scans give all at once when asked for enough; what they give otherwise is the engine's own affair.
var scans = []string{"scan", "hscan", "sscan", "zscan"}

// rare are the commands that would keep the keyspace empty, drawn once for so many draws of another.
var rare = map[string]int{"flushall": 40, "flushdb": 30, "swapdb": 4, "spop": 3, "del": 3, "unlink": 3, "move": 3, "ltrim": 2,
	"xgroup|destroy": 8, "xgroup|delconsumer": 4, "xgroup|help": 40, "xinfo|help": 40, "xtrim": 4, "xdel": 2}

const commonWeight = 40

// newer are the options that Redis 7.0 does not know.
var newer = []string{"WITHSCORE", "IFEQ", "IFNE", "IFDEQ", "IFDNE", "CLAIM"}

// clocked are the options that wait, or tell the clock.
var clocked = []string{"BLOCK", "FULL", "*"}

// rounded are the options whose effect may differ in the last digit: the sines of C are not always the nearest numbers.
var rounded = []string{"STOREDIST"}

// grammars are those of all commands drawn from.
func grammars() ([]*grammar, error) {
	var all []*grammar
	for _, row := range command.Commands.All() {
		rows, name := []*command.Command{row}, []string{}
		if row.Subs != nil {
			rows, name = row.Subs, []string{row.Name}
		}
		for _, r := range rows {
			full := r.FullName()
			if !slices.Contains(drawn, r.Group) && !slices.Contains(alsoDrawn, full) || undrawn[full] != "" || r.Flags&command.Session != 0 {
				continue
			}
			usage, err := parseUsage(r.Usage)
			if err != nil {
				return nil, fmt.Errorf("usage of %s: %w", full, err)
			}
			weight := commonWeight
			if n := rare[full]; n > 0 {
				weight /= n
			}
			all = append(all, &grammar{row: r, name: append(slices.Clone(name), r.Name), usage: usage, weight: weight})
		}
	}
	return all, nil
}

// drawer draws calls.
type drawer struct {
	*rand.Rand
	grammars []*grammar
	total    int   // of the weights
	entries  int   // the milliseconds of the last entry that was added to a stream
	ttls     int64 // how many relative expiries were drawn, so that no two are alike

	// Of the call being drawn.
	row     *command.Command
	mode    string // "BYSCORE", "BYLEX" or "" for ranks: what a range's bounds must look like
	numkeys int
	key     string // the last one drawn
	many    bool   // it has hundreds of members, so that they are kept in another way than a few
	trim    string // what a stream is trimmed by: "MAXLEN" or "MINID"
	unknown string // a name of an argument that we have nothing for
}

func newDrawer(seed uint64) (*drawer, error) {
	all, err := grammars()
	if err != nil {
		return nil, err
	}
	d := &drawer{Rand: rand.New(rand.NewPCG(seed, seed)), grammars: all}
	for _, g := range all {
		d.total += g.weight
	}
	return d, nil
}

// call draws a call.
func (d *drawer) call() ([]string, error) {
	n := d.IntN(d.total)
	for _, g := range d.grammars {
		if n -= g.weight; n < 0 {
			return d.callOf(g)
		}
	}
	panic("unreachable: the weights sum to the total")
}

func (d *drawer) callOf(g *grammar) ([]string, error) {
	d.row, d.numkeys, d.key, d.unknown = g.row, 0, "", ""
	d.many = d.IntN(500) == 0 && slices.Contains(collections, g.row.Group)
	d.many = d.many || g.row.Name == "pfadd" && d.IntN(5) == 0
	d.mode = []string{"", "BYSCORE", "BYLEX"}[d.IntN(3)]
	if g.row.Name == "xread" || g.row.Name == "xreadgroup" {
		d.numkeys = 1 + d.IntN(2)
	}
	switch name := g.row.Name; {
	case strings.Contains(name, "lex"):
		d.mode = "BYLEX"
	case strings.HasSuffix(name, "byscore") || name == "zcount":
		d.mode = "BYSCORE"
	case name != "zrange" && name != "zrangestore":
		d.mode = ""
	}
	words := slices.Clone(g.name)
	if d.IntN(4) == 0 {
		words[0] = strings.ToUpper(words[0])
	}
	words = d.sequence(words, g.usage)
	if d.unknown != "" {
		return nil, fmt.Errorf("no idea what to draw for the argument %q of %s", d.unknown, g.row.FullName())
	}
	// A wrong call may ask a random choice for less than all, and give a score to where all must be 0. Of a timeout that is out of
	// range Redis 7.0 says that it is negative.
	spoilable := !slices.Contains(whole, g.row.Name) && !slices.Contains(scans, g.row.Name) && !strings.HasPrefix(d.key, "y") && g.row.Name != "xsetid" && g.row.Flags&command.Blocking == 0
	if spoilable && d.IntN(25) == 0 {
		words = d.spoil(words, len(g.name))
	}
	return words, nil
}

// sequence draws the nodes one after the other; options that stand side by side come in any order.
func (d *drawer) sequence(words []string, nodes []node) []string {
	for i := 0; i < len(nodes); {
		end := i
		for end < len(nodes) && nodes[end].optional && !nodes[end].repeated {
			end++
		}
		if end == i {
			words = d.node(words, &nodes[i])
			i++
			continue
		}
		for _, j := range d.Perm(end - i) {
			words = d.node(words, &nodes[i+j])
		}
		i = end
	}
	return words
}

func (d *drawer) node(words []string, n *node) []string {
	switch {
	case n.choices == nil && strings.ToUpper(n.word) == n.word:
		if d.IntN(4) == 0 {
			return append(words, strings.ToLower(n.word))
		}
		return append(words, n.word)
	case n.choices == nil:
		return append(words, d.argument(n.word))
	case n.repeated:
		times := d.IntN(3)
		switch {
		case d.numkeys > 0:
			times = d.numkeys - 1
		case d.many && (d.row.Name == "zadd" || d.row.Name == "geoadd"):
			// Since 7.2 more pairs than a small sorted set may have make a large one, however many are of one member: not just as many.
			times = []int{100 + d.IntN(25), 200 + d.IntN(100)}[d.IntN(2)]
		case d.many:
			times = 100 + d.IntN(200)
		}
		for range times {
			words = d.sequence(words, n.choices[d.IntN(len(n.choices))])
		}
		return words
	}
	if len(n.choices) == 2 && n.choices[1][0].word == "BYLEX" {
		if d.mode == "" {
			return words
		}
		return append(words, d.mode)
	}
	choices := slices.DeleteFunc(slices.Clone(n.choices), func(c []node) bool {
		return slices.Contains(newer, c[0].word) || slices.Contains(clocked, c[0].word) || slices.Contains(rounded, c[0].word)
	})
	if len(choices) == 0 {
		return words
	}
	all := slices.Contains(whole, d.row.Name) && n.choices[0][0].word == "count" || slices.Contains(scans, d.row.Name) && n.choices[0][0].word == "COUNT"
	if n.optional && !all && d.IntN(3) > 0 {
		return words
	}
	choice := choices[d.IntN(len(choices))]
	if word := choice[0].word; word == "MAXLEN" || word == "MINID" {
		d.trim = word
	}
	return d.sequence(words, choice)
}

// spoil makes a call wrong in some way: an argument more or less, or one that makes no sense.
func (d *drawer) spoil(words []string, name int) []string {
	if len(words) == name {
		return append(words, "x")
	}
	i := name + d.IntN(len(words)-name)
	switch d.IntN(4) {
	case 0:
		return slices.Delete(words, i, i+1)
	case 1:
		return slices.Insert(words, i, words[i])
	}
	// No small positive number: as a time to live it would run out while we look.
	words[i] = d.one("", "abc", "-1", "0", "1.5x", "nan", "inf", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "(", "[", "NX", "LIMIT",
		"1e400", "1e-400", "-1e-400", "0x10", "0x", "+5", "+inf", "infinity", "-Infinity", "1_0", " 1", "1 ", "1e", ".5", "5.", "-0", "-0.0", "00", "1e5000", "1e-5000")
	return words
}

func (d *drawer) one(words ...string) string { return words[d.IntN(len(words))] }

// between draws an integer from low to high.
func (d *drawer) between(low, high int) string { return strconv.Itoa(low + d.IntN(high-low+1)) }

// prefixes of the names of keys, by the group whose commands fill them. A key that starts with y is a sorted set in which
// all scores are 0, since only there ranges by member mean something.
var prefixes = map[string]string{"string": "s", "bitmap": "b", "hyperloglog": "p", "hash": "h", "list": "l", "set": "e", "sorted-set": "z", "stream": "x", "geo": "g"}

// anyKey draws the name of a key, mostly one that holds what the command wants.
func (d *drawer) anyKey(source bool) string {
	prefix := prefixes[d.row.Group]
	switch {
	case strings.HasPrefix(d.row.Name, "sort") && source:
		return d.sortedKey()
	case d.mode == "BYLEX" && source:
		return d.one("y1", "y2")
	case prefix == "" && source:
		prefix = d.one("s", "x", "b", "p", "h", "l", "e", "z", "g", "y")
	case prefix == "":
		prefix = d.one("s", "x", "b", "p", "h", "l", "e", "z", "g")
	case d.row.Name == "zadd" && d.IntN(4) == 0:
		return d.one("y1", "y2")
	case prefix == "z" && d.numkeys > 0 && d.IntN(6) == 0:
		prefix = "e" // sets count as sorted sets with scores of 1
	case prefix == "b" && d.IntN(4) == 0:
		prefix = "s" // a bitmap is just a string
	case d.IntN(30) == 0:
		prefix = d.one("s", "x", "b", "p", "h", "l", "e", "z", "g")
	}
	if prefix == "x" {
		return prefix + d.between(1, 2)
	}
	return prefix + d.between(1, 3)
}

// long is a value that collections keep in another way than short ones.
const long = "a value that is longer than the sixty-four bytes up to which the small layouts go"

// argument draws a value for an argument by its name.
func (d *drawer) argument(name string) string {
	if d.row.Group == "stream" {
		if word, ok := d.streamArgument(name); ok {
			return word
		}
	}
	if word, ok := d.geoArgument(name); ok {
		return word
	}
	switch name {
	case "key", "key1", "key2", "source", "sourcekey", "src":
		d.key = d.anyKey(true)
		return d.key
	case "destination", "destkey", "newkey", "dst":
		return d.anyKey(false)
	case "numkeys":
		d.numkeys = 1 + d.IntN(3)
		return strconv.Itoa(d.numkeys)
	case "value", "element", "pivot":
		switch {
		case d.row.Name == "setbit":
			return d.one("0", "1")
		case d.row.Name == "bitfield":
			return d.integer64()
		case d.row.Group == "hyperloglog":
			return "element" + d.between(1, 3000)
		}
		return d.one("a", "b", "c", "d", "", "1", "2", "10", "-7", "3.5", "1e3", long)
	case "field":
		if d.many {
			return "f" + d.between(1, 400)
		}
		return d.one("f1", "f2", "f3", "f4", "f5", "", "\x00\xff")
	case "member":
		switch {
		case d.many && d.IntN(300) > 0:
			return d.one("", "m") + d.between(1, 300)
		case d.IntN(60) == 0:
			return long
		case d.row.Group == "set":
			return d.one("1", "2", "3", "4", "5", "-9", "m1", "m2", "300", "70000", "5000000000")
		}
		return d.one("m1", "m2", "m3", "m4", "m5", "m6", "", "m\xff", "mm")
	case "score":
		if strings.HasPrefix(d.key, "y") {
			return "0"
		}
		return d.one("0", "1", "2", "3", "-1", "-2", "1.5", "0.1", "1e3", "inf", "-inf", "+2", "1e-9", "17179869184", "3.0")
	case "increment", "decrement":
		if d.row.Name == "incrbyfloat" || d.row.Name == "hincrbyfloat" || d.row.Name == "zincrby" {
			return d.one("1", "-1", "0.5", "2.25", "1e2", "-3.125", "10", "0.1", "5e-3")
		}
		if d.row.Name == "bitfield" {
			return d.integer64()
		}
		return d.one("1", "-1", "5", "0", "-12", "100", "9223372036854775800")
	case "weight":
		return d.one("1", "2", "0", "-1", "0.5", "inf")
	case "timeout":
		return d.one("0", "0.01", "1", "1e3", "-1", "x")
	case "seconds", "milliseconds":
		// No two are alike and all are long: both clocks may tick between two calls, and must not decide anything.
		d.ttls++
		n := 200000 + 100*((d.ttls*7919)%100003)
		if name == "milliseconds" {
			n *= 1000
		}
		if d.IntN(8) == 0 {
			n = -n * int64(d.IntN(2))
		}
		return strconv.FormatInt(n, 10)
	case "unix-time-seconds", "unix-time-milliseconds":
		if d.row.Name != "set" && d.IntN(3) == 0 { // of a key that SET makes expired, Redis knows until it looks for it
			return d.one("1", "0", "-1")
		}
		at := d.one("33177117420", "33177117421", "33177117500", "33187117420")
		if name == "unix-time-milliseconds" {
			at += d.one("000", "001", "500")
		}
		return at
	case "offset":
		switch {
		case d.row.Name == "setrange":
			return d.between(0, 12)
		case d.row.Name == "bitfield" && d.IntN(3) == 0:
			return "#" + d.between(0, 6)
		case d.row.Group == "bitmap":
			return d.between(0, d.bits())
		}
		return d.between(-1, 3)
	case "count":
		if slices.Contains(whole, d.row.Name) || slices.Contains(scans, d.row.Name) {
			return "1000"
		}
		return d.between(-2, 5)
	case "bit":
		return d.one("0", "1")
	case "encoding":
		return d.one("i", "u") + d.one("1", "2", "5", "7", "8", "9", "16", "31", "32", "33", "57", "62", "63", "64")
	case "subcommand":
		return d.one("GETREG", "DECODE", "ENCODING", "TODENSE", "decode", "nothing")
	case "limit", "num-matches", "min-match-len", "len":
		return d.between(0, 4)
	case "rank":
		return d.one("1", "2", "-1", "-2", "3", "0")
	case "index", "end":
		if d.row.Group == "bitmap" {
			return d.between(-d.bits(), d.bits())
		}
		return d.between(-6, 6)
	case "min", "max", "start", "stop":
		if d.row.Group == "bitmap" {
			return d.between(-d.bits(), d.bits())
		}
		return d.bound()
	case "db", "destination-db", "index1", "index2":
		return d.one("0", "1")
	case "cursor":
		return "0"
	case "pattern":
		if strings.HasPrefix(d.row.Name, "sort") {
			return d.one("s*", "s*", "h*->f1", "h*->none", "*", "#", "nosort", "l*")
		}
		return d.one("*", "s*", "?1", "[e-l]*", "*2", "m[12]", "[^m]*", "f?", "\\s1", "nothing")
	case "type":
		return d.one("string", "list", "hash", "set", "zset", "stream", "none", "ZSET")
	}
	d.unknown = name
	return ""
}

// bits draws how many bits of a string are in question.
func (d *drawer) bits() int { return []int{12, 40, 150, 150, 1000}[d.IntN(5)] }

// integer64 draws an integer, often one at the end of what some number of bits holds.
func (d *drawer) integer64() string {
	n := int64(1) << d.IntN(64)
	return strconv.FormatInt(n*int64(1-2*d.IntN(2))+int64(d.IntN(3)-1), 10)
}

// bound draws a bound of a range.
func (d *drawer) bound() string {
	switch d.mode {
	case "BYSCORE":
		return d.one("-inf", "+inf", "0", "1", "(1", "2", "(2", "-1", "(-2", "1.5", "(inf", "3", "1000")
	case "BYLEX":
		return d.one("-", "+", "[m1", "(m1", "[m2", "(m3", "[m4", "[m5", "(", "[", "[z", "(mm")
	}
	return d.between(-6, 6)
}
