package script

import (
	"strings"

	"github.com/redbud-go/redbud/internal/graph"
)

// Key is a key that a program declares. As an expression it is the key's name.
type Key struct {
	b *Builder
	n *graph.Node
}

func (k Key) expr() Expr { return Expr(k) }

// Name is the key's name as an expression.
func (k Key) Name() Expr { return k.expr() }

// Var is the key as that of a string.
func (k Key) Var() Var { return Var{k} }

// List is the key as that of a list.
func (k Key) List() List { return List{k} }

// Hash is the key as that of a hash.
func (k Key) Hash() Hash { return Hash{k} }

// Set is the key as that of a set.
func (k Key) Set() Set { return Set{k} }

// SortedSet is the key as that of a sorted set.
func (k Key) SortedSet() SortedSet { return SortedSet{k} }

// Stream is the key as that of a stream.
func (k Key) Stream() Stream { return Stream{k} }

// Keys are any number of keys that a program declares.
type Keys struct {
	b *Builder
	i int
}

// Len is how many there are.
func (k Keys) Len() Expr {
	return k.b.expr(&graph.Node{Op: graph.OpKeyCount, N: k.i, Place: caller()})
}

// At is the key at an index from 0. Outside there is an error of the kind KindIndex.
func (k Keys) At(i any) Key {
	return Key{k.b, &graph.Node{Op: graph.OpKeyAt, N: k.i, Kids: []*graph.Node{k.b.lift(i)}, Place: caller()}}
}

// spread is a list, each element of which is a word of a command.
type spread struct{ list any }

// Spread makes each element of a list a word of a command, where values of Go would be written down one by one.
func Spread(list any) any { return spread{list} }

// command makes the expression of a command.
func (b *Builder) command(name string, shape graph.Shape, write bool, words ...any) Expr {
	n := &graph.Node{Op: graph.OpCall, Text: name, Shape: shape, Write: write, Place: caller()}
	for _, w := range words {
		if s, ok := w.(spread); ok {
			n.Kids = append(n.Kids, &graph.Node{Op: graph.OpSpread, Kids: []*graph.Node{b.lift(s.list)}, Place: n.Place})
		} else {
			n.Kids = append(n.Kids, b.lift(w))
		}
	}
	b.calls = append(b.calls, n)
	return b.expr(n)
}

// read is a command of this key that writes nothing.
func (k Key) read(name string, shape graph.Shape, words ...any) Expr {
	return k.b.command(name, shape, false, append([]any{k}, words...)...)
}

// write is a command of this key that may write.
func (k Key) write(name string, shape graph.Shape, words ...any) Expr {
	return k.b.command(name, shape, true, append([]any{k}, words...)...)
}

// Exists tells whether there is something at the key.
func (k Key) Exists() Expr { return k.read("EXISTS", graph.ReplyBool) }

// Delete deletes what is at the key, and tells whether there was something.
func (k Key) Delete() Expr { return k.write("DEL", graph.ReplyBool) }

// Type is "string", "list", "hash", "set", "zset" or "stream"; null if there is nothing.
func (k Key) Type() Expr { return k.read("TYPE", graph.ReplyType) }

// Mode says when a time is set.
type Mode string

// The modes of Expire and ExpireAt, which Redis has since 7.0.
const (
	IfPersistent Mode = "NX" // if the key has no time to live
	IfExpires    Mode = "XX" // if it has one
	IfLater      Mode = "GT" // if it is later than the one that it has
	IfEarlier    Mode = "LT" // if it is earlier, or it has none
)

// Expire sets after how many milliseconds (or which time.Duration) the key is gone, and tells whether it did.
func (k Key) Expire(in any, mode ...Mode) Expr {
	return k.write("PEXPIRE", graph.ReplyBool, modes(in, mode)...)
}

// ExpireAt sets at which millisecond since 1970 the key is gone, and tells whether it did.
func (k Key) ExpireAt(at any, mode ...Mode) Expr {
	return k.write("PEXPIREAT", graph.ReplyBool, modes(at, mode)...)
}

func modes(first any, mode []Mode) []any {
	words := []any{first}
	for _, m := range mode {
		words = append(words, string(m))
	}
	return words
}

// Persist makes the key stay, and tells whether it had a time to live.
func (k Key) Persist() Expr { return k.write("PERSIST", graph.ReplyBool) }

// TTL is how many milliseconds are left of the key: -1 for ever, -2 if there is nothing.
func (k Key) TTL() Expr { return k.read("PTTL", graph.ReplyInt) }

// Call runs any command that may write, by its name; a container's command by both words, "XGROUP SETID". Among the words there must be
// a declared key, and all keys should be such. The value is null, an Int, a String or a list of these; its type is Any.
func (b *Builder) Call(name string, words ...any) Expr { return b.call(name, true, true, words) }

// Read is Call of a command that writes nothing.
func (b *Builder) Read(name string, words ...any) Expr { return b.call(name, false, true, words) }

// CallKeyless is Call of a command that takes no keys, PUBLISH say.
func (b *Builder) CallKeyless(name string, words ...any) Expr {
	return b.call(name, true, false, words)
}

// ReadKeyless is Read of a command that takes no keys.
func (b *Builder) ReadKeyless(name string, words ...any) Expr {
	return b.call(name, false, false, words)
}

func (b *Builder) call(name string, write, keyed bool, words []any) Expr {
	first, sub, container := strings.Cut(name, " ")
	if container {
		words = append([]any{sub}, words...)
	}
	x := b.command(first, graph.ReplyAny, write, words...)
	if keyed && !hasKey(x.n) {
		b.complain(x.n, "%s has an undeclared key: none of its words is a Key", name)
	}
	return x
}

// hasKey reports whether one of a command's words is a declared key.
func hasKey(n *graph.Node) bool {
	for _, kid := range n.Kids {
		if kid.Op == graph.OpKey || kid.Op == graph.OpKeyAt {
			return true
		}
	}
	return false
}
