// Commands, and what becomes of their replies.

package luagen

import (
	"strconv"
	"strings"

	"github.com/redbud-go/redbud/internal/graph"
)

// readers are the helpers that make values of replies, by shapes.
var readers = [...]string{
	graph.ReplyAny: "reply_any", graph.ReplyInt: "reply_int", graph.ReplyCounter: "reply_counter", graph.ReplyBool: "reply_bool",
	graph.ReplyString: "reply_string", graph.ReplyMaybeString: "reply_maybe_string",
	graph.ReplyFloat: "reply_float", graph.ReplyMaybeFloat: "reply_maybe_float",
	graph.ReplyStrings: "reply_strings", graph.ReplyMaybeStrings: "reply_maybe_strings", graph.ReplyEachMaybe: "reply_each_maybe",
	graph.ReplyBools: "reply_bools", graph.ReplyMap: "reply_map", graph.ReplyScored: "reply_scored",
	graph.ReplyEntries: "reply_entries", graph.ReplyStream: "reply_stream", graph.ReplyType: "reply_type",
}

// What is known of the replies to commands, so that Lua need not look at them.
const (
	gives  = 1 + iota // an integer that is never large
	status            // a status, a bulk or null
	maybe             // a bulk or null; with one word more it may be an array
	bulks             // an array of bulks
)

var replies = byName(map[int]string{
	gives: `APPEND BITCOUNT DBSIZE DEL EXISTS EXPIRE EXPIREAT HDEL HEXISTS HLEN HSET HSETNX HSTRLEN LLEN LPUSH LPUSHX LREM PERSIST
		PEXPIRE PEXPIREAT PFADD PFCOUNT PTTL PUBLISH RPUSH RPUSHX SADD SCARD SDIFFSTORE SETBIT SETNX SETRANGE SINTERSTORE SISMEMBER SMOVE SREM
		STRLEN SUNIONSTORE TOUCH TTL UNLINK XACK XDEL XLEN ZCARD ZCOUNT ZLEXCOUNT ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE`,
	status: "SET",
	maybe:  "GET GETDEL GETSET HGET LINDEX LPOP RPOP RPOPLPUSH",
	bulks:  "HKEYS HVALS KEYS LRANGE SDIFF SINTER SMEMBERS SUNION",
})

// byName is what is known by the names of commands.
func byName(commands map[int]string) map[string]int {
	known := map[string]int{}
	for kind, names := range commands {
		for _, name := range strings.Fields(names) {
			known[name] = kind
		}
	}
	return known
}

// pops are the commands that reply with an array to one word more.
var pops = map[string]bool{"LPOP": true, "RPOP": true}

// known is what is known of the reply to a command; 0: nothing.
func known(n *graph.Node) int {
	name := strings.ToUpper(n.Text)
	if pops[name] && (len(n.Kids) != 1 || n.Kids[0].Op == graph.OpSpread) {
		return 0
	}
	return replies[name]
}

// unread reports whether nothing need be done with a reply that nobody wants: it fits the shape.
func unread(n *graph.Node) bool {
	k := known(n)
	switch n.Shape {
	case graph.ReplyBool:
		return true
	case graph.ReplyAny:
		return k != 0
	case graph.ReplyInt:
		return k == gives
	case graph.ReplyMaybeString:
		return k == maybe || k == status
	case graph.ReplyStrings:
		return k == bulks
	}
	return false
}

// reply is a command with what becomes of its reply.
func (g *generator) reply(n *graph.Node) code {
	k := known(n)
	switch {
	case n.Shape == graph.ReplyCounter:
		name := strings.ToUpper(n.Text)
		return g.helped("reply_counter", append([]string{quote(graph.Counters[name]), quote(n.Text)}, g.words(n.Kids)...)...)
	case n.Shape == graph.ReplyInt && k == gives, n.Shape == graph.ReplyStrings && k == bulks:
		return code{g.command(n), prefix}
	case n.Shape == graph.ReplyBool && k == gives:
		return code{g.command(n) + " ~= 0", comparison}
	case n.Shape == graph.ReplyBool && k != 0:
		return code{g.command(n) + " ~= false", comparison}
	case n.Shape == graph.ReplyMaybeString && k == maybe:
		return code{"(" + g.command(n) + " or nil)", prefix}
	}
	return g.helped(readers[n.Shape], g.command(n))
}

// command is the call of a command.
func (g *generator) command(n *graph.Node) string {
	words := append([]string{quote(n.Text)}, g.words(n.Kids)...)
	return "redis.call(" + strings.Join(words, ", ") + ")"
}

// maxArguments is how many words a call has one by one: Lua holds all of them at once.
const maxArguments = 40

// words are those of a command. Where lists are spread, or there are many, they are put together when it runs.
func (g *generator) words(kids []*graph.Node) (words []string) {
	plainly := len(kids) <= maxArguments
	for _, kid := range kids {
		plainly = plainly && kid.Op != graph.OpSpread
	}
	if plainly {
		for _, kid := range kids {
			words = append(words, g.word(kid))
		}
		return words
	}
	var lists, run []string
	end := func() {
		if len(run) > 0 {
			lists, run = append(lists, "{"+strings.Join(run, ", ")+"}"), nil
		}
	}
	for i, kid := range kids {
		if kid.Op == graph.OpSpread {
			end()
			lists = append(lists, g.spread(kid, i == len(kids)-1))
		} else {
			run = append(run, g.word(kid))
		}
	}
	end()
	return []string{g.call("words", lists...)}
}

// spread is a list of words. Where others follow, what is no word is an error before they are computed.
func (g *generator) spread(n *graph.Node, last bool) string {
	list := n.Kids[0]
	if last || g.spelled[list] || !list.Type.Elem.Nullable() {
		return g.text(list)
	}
	return "{" + g.call("words", g.text(list)) + "}"
}

// word is one word of a command, which Redis takes as it is if it is a string or an integer.
func (g *generator) word(n *graph.Node) string {
	if g.spelled[n] || !n.Type.Nullable() && (n.Type.Kind == graph.String || g.size(n) <= exactBits) {
		return g.text(n)
	}
	if n.Op == graph.OpInt {
		return quote(strconv.FormatInt(n.Int, 10))
	}
	return g.call("word", g.text(n))
}
