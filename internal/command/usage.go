// The arguments of a command as a tree, read from the Usage of its row: what COMMAND DOCS tells, and what completion
// and hints are made of.
package command

import (
	"slices"
	"strings"
)

// Argument is a node of the tree, in the terms of
// https://redis.io/docs/latest/develop/reference/command-arguments/.
type Argument struct {
	Name          string
	Type          string // "key", "string", "integer", "double", "pattern", "unix-time", "pure-token", "oneof", "block"
	Token         string // the word that comes before the value, or is all there is
	Optional      bool
	Multiple      bool       // may be repeated
	MultipleToken bool       // and each time with the token
	Args          []Argument // of a oneof or a block
}

// Arguments is the tree of the arguments of a command.
func (c *Command) Arguments() []Argument { return parseUsage(c.Usage) }

// parseUsage reads a usage in the notation of redis.io: lower case for values, upper case for tokens, [optional],
// <one | of | these>, "x [x ...]" for what may be repeated. What is not well formed is read as far as it goes.
func parseUsage(usage string) []Argument {
	p := usageParser{words: usageWords(usage)}
	return gather(p.sequence())
}

// usageWords splits a usage into words and brackets.
func usageWords(usage string) []string {
	for _, mark := range []string{"[", "]", "<", ">", "|"} {
		usage = strings.ReplaceAll(usage, mark, " "+mark+" ")
	}
	return strings.Fields(usage)
}

// usageNode is a word, or a group of alternatives, each a sequence of nodes.
type usageNode struct {
	word     string
	optional bool
	alts     [][]usageNode
}

// maxUsageDepth bounds how deep brackets may nest.
const maxUsageDepth = 16

type usageParser struct {
	words []string
	depth int
}

// sequence reads nodes up to the end of the sequence, which is left to the caller.
func (p *usageParser) sequence() []usageNode {
	var nodes []usageNode
	for len(p.words) > 0 {
		switch w := p.words[0]; w {
		case "]", ">", "|":
			return nodes
		case "[", "<":
			p.words = p.words[1:]
			nodes = append(nodes, p.group(w == "["))
		default:
			p.words = p.words[1:]
			nodes = append(nodes, usageNode{word: w})
		}
	}
	return nodes
}

// group reads what follows an opening bracket, and the closing one.
func (p *usageParser) group(optional bool) usageNode {
	n := usageNode{optional: optional}
	p.depth++
	defer func() { p.depth-- }()
	for {
		if p.depth > maxUsageDepth {
			p.words = nil
			return n
		}
		n.alts = append(n.alts, p.sequence())
		if len(p.words) == 0 {
			return n
		}
		end := p.words[0]
		p.words = p.words[1:]
		if end != "|" {
			return n
		}
	}
}

// repeats reports whether n is "[x y ...]" behind x y, and how many nodes it repeats.
func (n *usageNode) repeats(before []usageNode) (count int, ok bool) {
	if !n.optional || len(n.alts) != 1 {
		return 0, false
	}
	seq := n.alts[0]
	count = len(seq) - 1
	if count < 1 || seq[count].word != "..." || count > len(before) {
		return 0, false
	}
	return count, slices.EqualFunc(seq[:count], before[len(before)-count:], usageNode.equal)
}

func (n usageNode) equal(m usageNode) bool {
	return n.word == m.word && n.optional == m.optional && slices.EqualFunc(n.alts, m.alts,
		func(a, b []usageNode) bool { return slices.EqualFunc(a, b, usageNode.equal) })
}

// isToken reports whether a word is meant literally.
func (n *usageNode) isToken() bool {
	return n.word != "" && n.word != "..." && n.word == strings.ToUpper(n.word)
}

// isValue reports whether a token before n may belong to it.
func (n *usageNode) isValue() bool {
	return n.alts != nil && !n.optional || n.word != "" && !n.isToken() && n.word != "..."
}

// gather makes arguments of a sequence.
func gather(nodes []usageNode) []Argument {
	var args []Argument
	for i := 0; i < len(nodes); {
		if nodes[i].word == "..." {
			i++
			continue
		}
		from := i
		arg := single(nodes, &i)
		// How many nodes does a repetition behind span? Those of arg, or several arguments from further on.
		if count, ok := repetition(nodes, from, i); ok {
			seq := nodes[from : from+count]
			i = from + count + 1
			if from+count > from+spanOf(nodes, from) {
				arg = block(gather(seq))
			}
			arg.Multiple = true
			arg.MultipleToken = arg.Token != "" && seq[0].isToken()
		} else if i < len(nodes) {
			if _, ok := nodes[i].repeats(nodes[from:i]); ok { // the value is repeated without its token
				arg.Multiple = true
				i++
			}
		}
		args = append(args, arg)
	}
	return args
}

// repetition looks for "[… ...]" that repeats exactly the nodes from a place on, of which the first argument ends at
// end.
func repetition(nodes []usageNode, from, end int) (count int, ok bool) {
	for at := end; at < len(nodes); at++ {
		if count, ok := nodes[at].repeats(nodes[from:at]); ok && count == at-from {
			return count, true
		}
	}
	return 0, false
}

// spanOf is how many nodes the argument at a place takes.
func spanOf(nodes []usageNode, from int) int {
	i := from
	single(nodes, &i)
	return i - from
}

// single reads one argument, a token with its value or anything alone, and moves i behind it.
func single(nodes []usageNode, i *int) Argument {
	n := &nodes[*i]
	*i++
	switch {
	case n.alts != nil:
		return choice(n)
	case !n.isToken():
		return value(n.word)
	}
	token := Argument{Name: strings.ToLower(n.word), Type: "pure-token", Token: n.word}
	if *i == len(nodes) || !nodes[*i].isValue() {
		return token
	}
	arg := single(nodes, i)
	if arg.Token != "" {
		// A choice among tokens behind a token of its own: nothing to merge it with.
		return Argument{Name: arg.Name, Type: "block", Token: n.word, Args: []Argument{arg}}
	}
	arg.Token = n.word
	return arg
}

// choice makes an argument of a group in brackets.
func choice(n *usageNode) Argument {
	var arg Argument
	if len(n.alts) == 1 {
		arg = block(alternative(n.alts[0]))
	} else {
		arg = Argument{Name: "choice", Type: "oneof"}
		for _, alt := range n.alts {
			arg.Args = append(arg.Args, block(alternative(alt)))
		}
	}
	if last := n.alts[len(n.alts)-1]; len(n.alts) > 1 && len(last) > 0 && last[len(last)-1].word == "..." {
		arg.Multiple = true
	}
	arg.Optional = arg.Optional || n.optional
	return arg
}

// alternative is gather for the inside of brackets, where a token before several values concerns them all.
func alternative(nodes []usageNode) []Argument {
	if len(nodes) < 3 || !nodes[0].isToken() {
		return gather(nodes)
	}
	for i := range nodes[1:] {
		if nodes[i+1].alts != nil || !nodes[i+1].isValue() {
			return gather(nodes)
		}
	}
	return []Argument{{Name: strings.ToLower(nodes[0].word), Type: "block", Token: nodes[0].word, Args: gather(nodes[1:])}}
}

// block makes one argument of several.
func block(args []Argument) Argument {
	switch len(args) {
	case 0:
		return Argument{Name: "none", Type: "block"}
	case 1:
		return args[0]
	}
	return Argument{Name: args[0].Name, Type: "block", Args: args}
}

// value makes an argument of a word in lower case, whose type follows from its name.
func value(word string) Argument {
	typ := valueTypes[word]
	if typ == "" {
		typ = "string"
	}
	return Argument{Name: word, Type: typ}
}

var valueTypes = func() map[string]string {
	types := map[string]string{}
	for typ, words := range map[string]string{
		"key":       "key newkey source destination key1 key2 destkey sourcekey",
		"pattern":   "pattern",
		"unix-time": "unix-time-seconds unix-time-milliseconds",
		"double":    "score weight timeout",
		"integer": `seconds milliseconds count index start stop end offset db destination-db decrement numkeys cursor len
			num-matches rank protover client-id index1 index2 bit numreplicas min-match-len`,
	} {
		for _, w := range strings.Fields(words) {
			types[w] = typ
		}
	}
	return types
}()
