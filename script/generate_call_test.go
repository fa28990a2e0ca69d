// Random commands, and the keys that they are for.
package script

import (
	"fmt"
	"slices"

	"github.com/redbud-go/redbud/internal/graph"
)

// kinds are the kinds of keys that anything is done with. Besides, there is "one", a set with at most one member, which gets no other,
// and "lex", a sorted set with one score.
var kinds = []string{"string", "list", "hash", "set", "zset", "stream"}

// keysOfKind is how many keys of each kind there are.
const keysOfKind = 2

// keyEnd is what the names of keys end in.
const keyEnd = "\x00\xff{t}"

// fills draw the command that fills a key.
var fills = map[string]func(g *gen, key string) []any{
	"string": func(g *gen, key string) []any {
		return []any{"SET", key, pick(g, "7", "-3", "2.5", "", "abc", "5", "100", "0", "a\x00b", `{"a":[1,2]}`, "\xff", "9007199254740991", "9223372036854775806", "-9223372036854775808", "9007199254740994", "1e17")}
	},
	"list":   func(g *gen, key string) []any { return g.filled("RPUSH", key, g.member) },
	"set":    func(g *gen, key string) []any { return g.filled("SADD", key, g.member) },
	"hash":   func(g *gen, key string) []any { return g.filled("HSET", key, g.member, g.stored) },
	"zset":   func(g *gen, key string) []any { return g.filled("ZADD", key, g.scoreText, g.member) },
	"stream": func(g *gen, key string) []any { return []any{"XADD", key, "5-1", g.member(), g.stored()} },
	"one":    func(g *gen, key string) []any { return []any{"SADD", key, g.member()} },
	"lex":    func(g *gen, key string) []any { return g.filled("ZADD", key, func() string { return "0" }, g.member) },
}

func (g *gen) filled(name, key string, words ...func() string) []any {
	all := []any{name, key}
	for range 1 + g.n(4) {
		for _, w := range words {
			all = append(all, w())
		}
	}
	return all
}

// member is what members, fields and elements are mostly: one of few.
func (g *gen) member() string { return pick(g, "a", "b", "c", "10", "", "\x00\xff", "]]") }

// stored is what strings and fields hold: numbers, some of them.
func (g *gen) stored() string {
	return pick(g, "1", "-5", "2.5", "12", "0", "abc", "", "9007199254740993", "9223372036854775800")
}

func (g *gen) scoreText() string {
	return pick(g, "1", "2", "2", "-1.5", "0.1", "inf", "-inf", "1e300")
}

// keyed is a key of a kind, which something may be at, and rarely something else.
func (g *gen) keyed(kind string) Key {
	if g.many != nil && kind == "string" && g.odds(2) {
		i := g.n(3)
		if g.odds(8) {
			return g.many.At(g.expr(integer, 1))
		}
		return g.many.At(i)
	}
	fill := kind
	if g.odds(100) && slices.Contains(kinds, kind) {
		fill = pick(g, kinds...)
	}
	return g.keyOf(fmt.Sprint(fill, g.n(keysOfKind)), fill)
}

// keyOf declares a key where it is not declared yet.
func (g *gen) keyOf(name, kind string) Key {
	if k, ok := g.keys[name]; ok || g.many != nil {
		if !ok {
			panic("script: key " + name + " is not declared")
		}
		return k
	}
	if g.keys == nil {
		g.keys = map[string]Key{}
	}
	key := name + keyEnd
	g.keys[name] = g.b.Key(name)
	g.out.keys[name] = key
	if g.n(4) > 0 {
		g.out.fill = append(g.out.fill, fills[kind](g, key))
		if kind == "stream" && g.n(4) > 0 {
			g.out.fill = append(g.out.fill, []any{"XADD", key, "5-2", "a", "b", "a", "c"}, []any{"XGROUP", "CREATE", key, "g", "0"})
		}
		if g.odds(8) {
			g.out.fill = append(g.out.fill, []any{"PEXPIREAT", key, someTime})
		}
	}
	return g.keys[name]
}

// declareMany declares any number of keys, which are of strings.
func (g *gen) declareMany() {
	many := g.b.Keys("many")
	g.many = &many
	names := []string{}
	for i := range 1 + g.n(4) {
		names = append(names, fmt.Sprint("many", i))
	}
	g.out.keys["many"] = names
	g.out.fill = append(g.out.fill, fills["string"](g, names[0]))
}

// someTime is one that is not soon, in milliseconds.
const someTime = 4_000_000_000_000

// call makes the expression of a command. An order that is the engine's does not get out.
type call struct {
	name string // of the method that builds it
	t    graph.Type
	make func(g *gen) Expr
}

func (g *gen) call(c *call) Expr {
	g.out.calls[c.name] = true
	return c.make(g)
}

// Keys.

func (g *gen) anyKey() Key           { return g.keyed(pick(g, kinds...)) }
func (g *gen) aString() Var          { return g.keyed("string").Var() }
func (g *gen) aList() List           { return g.keyed("list").List() }
func (g *gen) aHash() Hash           { return g.keyed("hash").Hash() }
func (g *gen) aSet() Set             { return g.keyed("set").Set() }
func (g *gen) single() Set           { return g.keyed("one").Set() }
func (g *gen) aSortedSet() SortedSet { return g.keyed("zset").SortedSet() }
func (g *gen) level() SortedSet      { return g.keyed("lex").SortedSet() }
func (g *gen) aStream() Stream       { return g.keyed("stream").Stream() }
func (g *gen) otherSets() (s []Set) {
	for range g.n(3) {
		s = append(s, pick(g, g.aSet, g.single)())
	}
	return s
}

// Words.

// wordDepth is how deep their expressions are. In loops they do not grow.
func (g *gen) wordDepth() int {
	if g.loops > 0 {
		return 0
	}
	return g.n(3)
}

// word is any word.
func (g *gen) word() any {
	switch g.n(4) {
	case 0:
		return g.member()
	case 1:
		return g.whole()
	case 2:
		return g.expr(pick(g, number, float), g.wordDepth())
	}
	x := g.expr(str, g.wordDepth())
	if g.loops > 0 {
		return x.SliceTo(0, 60)
	}
	return x
}

// known is a member, field or element that may be there.
func (g *gen) known() any {
	if g.odds(3) {
		return g.word()
	}
	return g.member()
}

// several are members, fields or elements, spread at times.
func (g *gen) several() (all []any) {
	for range 1 + g.few() {
		all = append(all, g.known())
	}
	if g.odds(4) && g.loops == 0 {
		all = append(all, Spread(g.expr(graph.ListOf(pick(g, str, integer, maybeStr)), 2)))
		if g.odds(2) {
			all = append(all, g.word())
		}
	}
	return all
}

// whole is an integer.
func (g *gen) whole() any {
	if g.odds(3) {
		return g.expr(integer, g.wordDepth())
	}
	return g.integer()
}

// small is a number of elements.
func (g *gen) small() any {
	if g.wild && g.odds(6) {
		return g.whole()
	}
	return g.n(5)
}

// score is one, or an end of a range of scores.
func (g *gen) score() any {
	switch g.n(4) {
	case 0:
		return g.scoreText()
	case 1:
		return g.expr(float, g.wordDepth())
	}
	return g.whole()
}

func (g *gen) scoreEnd() any {
	return pick(g, g.score, func() any { return pick(g, "-inf", "+inf", "(1", "(2.5", "1") })()
}

func (g *gen) lexEnd() any { return pick(g, "-", "+", "[a", "(a", "[b", "(c", "[") }

func (g *gen) id() any {
	if g.wild && g.odds(8) {
		return g.word()
	}
	return pick(g, "5-1", "5-2", "6-1", "0", "7", "9-3", "18446744073709551615-1")
}

// from is where a range of entries begins.
func (g *gen) from() any {
	if g.odds(2) {
		return g.id()
	}
	return "-"
}

// newID is of an entry that is added.
func (g *gen) newID() any {
	return pick[any](g, "9-*", "9-*", "9-*", "10-*", "10-*", "12-1", "12345678901234567-*", "5-1", "0-0")
}

func (g *gen) group() any { return pick(g, "g", "g", "g", "h") }

func (g *gen) options() (all []SetOption) {
	if g.odds(3) {
		all = append(all, pick(g, IfMissing, IfExists))
	}
	if g.odds(3) {
		all = append(all, pick(g, KeepTTL, TTL(1_000_000_000), TTLAt(someTime)))
	}
	return all
}

// commands are all methods that build commands, and some other commands.
var commands = []*call{
	{"Key.Exists", boolean, func(g *gen) Expr { return g.anyKey().Exists() }},
	{"Key.Delete", boolean, func(g *gen) Expr { return g.anyKey().Delete() }},
	{"Key.Type", maybeStr, func(g *gen) Expr { return g.anyKey().Type() }},
	{"Key.Expire", boolean, func(g *gen) Expr {
		k, in := g.anyKey(), pick[any](g, 1_000_000_000, 2_000_000_000, 0, -1, "x")
		if g.odds(2) {
			return k.Expire(in, pick(g, IfPersistent, IfExpires))
		}
		return k.Expire(in)
	}},
	{"Key.ExpireAt", boolean, func(g *gen) Expr {
		k, at := g.anyKey(), pick[any](g, someTime, someTime+1, someTime-1, 1)
		if g.odds(2) {
			return k.ExpireAt(at, pick(g, IfPersistent, IfExpires, IfLater, IfEarlier))
		}
		return k.ExpireAt(at)
	}},
	{"Key.Persist", boolean, func(g *gen) Expr { return g.anyKey().Persist() }},
	{"Key.TTL", integer, func(g *gen) Expr { return Min(g.anyKey().TTL(), 1000) }},

	{"Var.Get", maybeStr, func(g *gen) Expr { return g.aString().Get() }},
	{"Var.Set", boolean, func(g *gen) Expr { return g.aString().Set(g.word(), g.options()...) }},
	{"Var.SetGet", maybeStr, func(g *gen) Expr { return g.aString().SetGet(g.word(), g.options()...) }},
	{"Var.GetDelete", maybeStr, func(g *gen) Expr { return g.aString().GetDelete() }},
	{"Var.IncrBy", integer, func(g *gen) Expr { return g.aString().IncrBy(g.whole()) }},
	{"Var.IncrByFloat", float, func(g *gen) Expr { return g.aString().IncrByFloat(g.score()) }},
	{"Var.Append", integer, func(g *gen) Expr { return g.aString().Append(g.word()) }},
	{"Var.Len", integer, func(g *gen) Expr { return g.aString().Len() }},
	{"Var.Range", str, func(g *gen) Expr { return g.aString().Range(g.whole(), g.whole()) }},
	{"Var.SetRange", integer, func(g *gen) Expr { return g.aString().SetRange(g.small(), g.known()) }},
	{"Var.Bit", boolean, func(g *gen) Expr { return g.aString().Bit(g.small()) }},
	{"Var.SetBit", boolean, func(g *gen) Expr { return g.aString().SetBit(g.n(20), pick[any](g, 0, 1, "1", 1.0)) }},
	{"Var.BitCount", integer, func(g *gen) Expr { return g.aString().BitCount() }},

	{"List.LPush", integer, func(g *gen) Expr { return g.aList().LPush(g.several()...) }},
	{"List.RPush", integer, func(g *gen) Expr { return g.aList().RPush(g.several()...) }},
	{"List.LPop", maybeStr, func(g *gen) Expr { return g.aList().LPop() }},
	{"List.RPop", maybeStr, func(g *gen) Expr { return g.aList().RPop() }},
	{"List.LPopN", maybeStrs, func(g *gen) Expr { return g.aList().LPopN(g.small()) }},
	{"List.RPopN", maybeStrs, func(g *gen) Expr { return g.aList().RPopN(g.small()) }},
	{"List.Range", strs, func(g *gen) Expr { return g.aList().Range(g.whole(), g.whole()) }},
	{"List.Len", integer, func(g *gen) Expr { return g.aList().Len() }},
	{"List.Index", maybeStr, func(g *gen) Expr { return g.aList().Index(g.whole()) }},
	{"List.Set", boolean, func(g *gen) Expr { return g.aList().Set(pick[any](g, 0, -1, g.n(4)), g.known()) }},
	{"List.InsertBefore", integer, func(g *gen) Expr { return g.aList().InsertBefore(g.known(), g.known()) }},
	{"List.InsertAfter", integer, func(g *gen) Expr { return g.aList().InsertAfter(g.known(), g.known()) }},
	{"List.Remove", integer, func(g *gen) Expr { return g.aList().Remove(g.whole(), g.known()) }},
	{"List.Trim", boolean, func(g *gen) Expr { return g.aList().Trim(g.n(2), g.whole()) }},
	{"List.Move", maybeStr, func(g *gen) Expr {
		return g.aList().Move(g.aList(), pick(g, Left, Right), pick(g, Left, Right))
	}},

	{"Hash.Set", integer, func(g *gen) Expr { return g.aHash().Set(g.known(), g.word(), g.known(), g.stored()) }},
	{"Hash.SetNew", boolean, func(g *gen) Expr { return g.aHash().SetNew(g.known(), g.word()) }},
	{"Hash.Get", maybeStr, func(g *gen) Expr { return g.aHash().Get(g.known()) }},
	{"Hash.Delete", integer, func(g *gen) Expr { return g.aHash().Delete(g.several()...) }},
	{"Hash.Has", boolean, func(g *gen) Expr { return g.aHash().Has(g.known()) }},
	{"Hash.IncrBy", integer, func(g *gen) Expr { return g.aHash().IncrBy(g.known(), g.whole()) }},
	{"Hash.IncrByFloat", float, func(g *gen) Expr { return g.aHash().IncrByFloat(g.known(), g.score()) }},
	{"Hash.Keys", strs, func(g *gen) Expr { return g.aHash().Keys().Sorted() }},
	{"Hash.Values", strs, func(g *gen) Expr { return g.aHash().Values().Sorted() }},
	{"Hash.All", graph.MapOf(str), func(g *gen) Expr { return g.aHash().All() }},
	{"Hash.Len", integer, func(g *gen) Expr { return g.aHash().Len() }},
	{"Hash.GetMany", graph.MapOf(maybeStr), func(g *gen) Expr { return g.aHash().GetMany(g.member(), g.leaf(str)) }},
	{"HMGET", graph.ListOf(maybeStr), func(g *gen) Expr { return g.aHash().read("HMGET", graph.ReplyEachMaybe, g.several()...) }},

	{"Set.Add", integer, func(g *gen) Expr { return g.aSet().Add(g.several()...) }},
	{"Set.Remove", integer, func(g *gen) Expr { return pick(g, g.aSet, g.single)().Remove(g.several()...) }},
	{"Set.Has", boolean, func(g *gen) Expr { return g.aSet().Has(g.known()) }},
	{"Set.HasEach", graph.ListOf(boolean), func(g *gen) Expr { return g.aSet().HasEach(g.several()...) }},
	{"Set.Members", strs, func(g *gen) Expr { return g.aSet().Members().Sorted() }},
	{"Set.Len", integer, func(g *gen) Expr { return g.aSet().Len() }},
	{"Set.Pop", maybeStr, func(g *gen) Expr { return g.single().Pop() }},
	{"Set.PopN", strs, func(g *gen) Expr { return pick(g, g.single, g.aSet)().PopN(pick(g, 1000, 0, -1)).Sorted() }},
	{"Set.Random", maybeStr, func(g *gen) Expr { return g.single().Random() }},
	{"Set.Move", boolean, func(g *gen) Expr { return pick(g, g.aSet, g.single)().Move(g.aSet(), g.known()) }},
	{"Set.Union", strs, func(g *gen) Expr { return g.aSet().Union(g.otherSets()...).Sorted() }},
	{"Set.Inter", strs, func(g *gen) Expr { return g.aSet().Inter(g.otherSets()...).Sorted() }},
	{"Set.Diff", strs, func(g *gen) Expr { return g.aSet().Diff(g.otherSets()...).Sorted() }},

	{"SortedSet.Add", integer, func(g *gen) Expr { return g.aSortedSet().Add(g.score(), g.known()) }},
	{"SortedSet.AddIf", integer, func(g *gen) Expr {
		return g.aSortedSet().AddIf(pick(g, Missing, Present, Greater, Less), g.score(), g.known())
	}},
	{"SortedSet.IncrBy", float, func(g *gen) Expr { return g.aSortedSet().IncrBy(g.score(), g.known()) }},
	{"SortedSet.Score", maybeFloat, func(g *gen) Expr { return g.aSortedSet().Score(g.known()) }},
	{"SortedSet.Rank", anything, func(g *gen) Expr { return g.aSortedSet().Rank(g.known()) }},
	{"SortedSet.Remove", integer, func(g *gen) Expr { return pick(g, g.aSortedSet, g.level)().Remove(g.several()...) }},
	{"SortedSet.PopMin", scored, func(g *gen) Expr { return g.aSortedSet().PopMin(g.small()) }},
	{"SortedSet.PopMax", scored, func(g *gen) Expr { return g.aSortedSet().PopMax(g.small()) }},
	{"SortedSet.Range", strs, func(g *gen) Expr { return g.aSortedSet().Range(g.whole(), g.whole()) }},
	{"SortedSet.RevRange", strs, func(g *gen) Expr { return g.aSortedSet().RevRange(g.whole(), g.whole()) }},
	{"SortedSet.RangeScored", scored, func(g *gen) Expr { return g.aSortedSet().RangeScored(g.whole(), g.whole()) }},
	{"SortedSet.ByScore", strs, func(g *gen) Expr { return g.aSortedSet().ByScore(g.scoreEnd(), g.scoreEnd()) }},
	{"SortedSet.ByScoreLimit", strs, func(g *gen) Expr {
		return g.aSortedSet().ByScoreLimit(g.scoreEnd(), g.scoreEnd(), g.small(), g.whole())
	}},
	{"SortedSet.ByLex", strs, func(g *gen) Expr { return g.level().ByLex(g.lexEnd(), g.lexEnd()) }},
	{"SortedSet.Count", integer, func(g *gen) Expr { return g.aSortedSet().Count(g.scoreEnd(), g.scoreEnd()) }},
	{"SortedSet.Len", integer, func(g *gen) Expr { return g.aSortedSet().Len() }},
	{"SortedSet.RemoveByScore", integer, func(g *gen) Expr { return g.aSortedSet().RemoveByScore(g.scoreEnd(), g.scoreEnd()) }},
	{"SortedSet.RemoveByRank", integer, func(g *gen) Expr { return g.aSortedSet().RemoveByRank(g.whole(), g.whole()) }},

	{"Stream.Add", str, func(g *gen) Expr { return g.aStream().Add(g.newID(), g.known(), g.word()) }},
	{"Stream.Len", integer, func(g *gen) Expr { return g.aStream().Len() }},
	{"Stream.Range", entries, func(g *gen) Expr { return g.aStream().Range(g.from(), "+", g.small()) }},
	{"Stream.RevRange", entries, func(g *gen) Expr { return g.aStream().RevRange("+", g.from(), 5) }},
	{"Stream.Read", entries, func(g *gen) Expr { return g.aStream().Read(g.id(), g.small()) }},
	{"Stream.Delete", integer, func(g *gen) Expr { return g.aStream().Delete(g.id()) }},
	{"Stream.Trim", integer, func(g *gen) Expr { return g.aStream().Trim(g.small()) }},
	{"Stream.CreateGroup", boolean, func(g *gen) Expr { return g.aStream().CreateGroup(g.group(), pick(g, "0", "$", "5-1")) }},
	{"Stream.DeleteGroup", boolean, func(g *gen) Expr { return g.aStream().DeleteGroup(g.group()) }},
	{"Stream.ReadGroup", entries, func(g *gen) Expr {
		return g.aStream().ReadGroup(g.group(), pick(g, "x", "y"), g.n(4), pick(g, ">", ">", "0", "5-1"))
	}},
	{"Stream.Ack", integer, func(g *gen) Expr { return g.aStream().Ack(g.group(), g.id(), "5-1") }},
	{"Stream.Claim", entries, func(g *gen) Expr { return g.aStream().Claim(g.group(), "z", 0, "5-1", "5-2") }},
	{"Stream.Pending", anything, func(g *gen) Expr { return g.aStream().Pending(g.group()) }},

	{"Builder.Call", anything, func(g *gen) Expr {
		switch g.n(6) {
		case 0:
			return g.b.Call("GETSET", g.aString(), g.word())
		case 1:
			return g.b.Call("MSET", g.aString(), g.word(), g.aString(), g.word())
		case 2:
			return g.b.Call("INCRBY", g.aString(), g.whole())
		case 3:
			kind := pick(g, kinds...)
			return g.b.Call("RENAME", g.keyed(kind), g.keyed(kind))
		case 4:
			return g.b.Call("XGROUP SETID", g.aStream(), g.group(), "5-1")
		}
		return g.b.Call("LPOS", g.aList(), g.known(), "COUNT", g.small())
	}},
	{"Builder.Read", anything, func(g *gen) Expr {
		switch g.n(6) {
		case 0:
			return g.b.Read("LRANGE", g.aList(), g.whole(), g.whole())
		case 1:
			return g.b.Read("HMGET", g.aHash(), g.known(), g.known())
		case 2:
			return g.b.Read("ZRANGE", g.aSortedSet(), 0, -1, "REV")
		case 3:
			return g.b.Read("PEXPIRETIME", g.single())
		case 4:
			return g.b.Read("XRANGE", g.aStream(), "-", "+")
		}
		return g.b.Read(pick(g, "TYPE", "EXISTS", "PEXPIRETIME"), g.keyed("lex"))
	}},
	{"Builder.CallKeyless", anything, func(g *gen) Expr { return g.b.CallKeyless("PUBLISH", g.known(), g.word()) }},
	{"Builder.ReadKeyless", anything, func(g *gen) Expr {
		return g.b.ReadKeyless("ECHO", g.word())
	}},
}
