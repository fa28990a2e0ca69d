// What permissions are about: which keys a call reads and writes, and which channels it concerns.
package command

import (
	"slices"

	"github.com/redbud-go/redbud/internal/engine"
)

// Access is what a call does with the value of a key. None of it is to tell whether the key is there, and of what kind and size.
type Access uint8

// The accesses.
const (
	Reads  Access = 1 << iota // tells what the value is
	Writes                    // changes it
)

// keyAccess is what a command does with the keys of one specification.
type keyAccess struct {
	keySpec
	access Access

	// With one of these words from a place on access is as above, without them it is otherwise.
	words     []string
	from      int
	otherwise Access
}

// accessWords are the words that access names by.
var accessWords = map[string]Access{"access": Reads, "insert": Writes, "update": Writes, "delete": Writes}

func accessOf(words []string) (a Access) {
	for _, w := range words {
		a |= accessWords[w]
	}
	return a
}

// keyAccesses has the accesses of every row, by its index.
var keyAccesses = func() [][]keyAccess {
	all := make([][]keyAccess, Commands.n)
	Commands.Each(func(c *Command) {
		for _, spec := range c.keySpecs() {
			if spec.options != nil && spec.keyword == "" || slices.Contains(spec.access, "not_key") {
				continue
			}
			a := keyAccess{keySpec: spec, access: accessOf(spec.access)}
			switch {
			case !slices.Contains(spec.access, "variable_flags"):
			case c.Name == "set": // which reads with some of its options
				a.words, a.from, a.otherwise = []string{"get", "ifeq", "ifne", "ifdeq", "ifdne"}, 3, Writes
			default: // BITFIELD, which may only read
				a.words, a.from, a.otherwise = []string{"set", "incrby"}, 2, Reads
			}
			all[c.index] = append(all[c.index], a)
		}
	})
	return all
}()

// of is what a call does with the keys.
func (a *keyAccess) of(call engine.Call) Access {
	if a.words == nil {
		return a.access
	}
	for _, word := range call[min(a.from, len(call)):] {
		for _, w := range a.words {
			if equalFold(word, w) {
				return a.access
			}
		}
	}
	return a.otherwise
}

// EachKey visits the places of the keys that a call names, and what is done with each. A call whose keys cannot be told, which
// is refused in any case, has none.
func (c *Command) EachKey(call engine.Call, f func(i int, a Access)) {
	if len(keyAccesses[c.index]) == 0 || !c.wellPlaced(call) {
		return
	}
	for i := range keyAccesses[c.index] {
		spec := &keyAccesses[c.index][i]
		a := spec.of(call)
		spec.each(call, func(i int) { f(i, a) })
	}
}

// Channels are the words of a call that are channels to be listened to or told something: from first on, the last one being last,
// or with a negative last all that follow. patterns says that they are glob patterns; first is 0 if there are none. Who ends
// listening needs no permission for it.
func (c *Command) Channels() (first, last int, patterns bool) {
	switch c.FullName() {
	case "publish", "spublish":
		return 1, 1, false
	case "subscribe", "ssubscribe":
		return 1, -1, false
	case "psubscribe":
		return 1, -1, true
	}
	return 0, 0, false
}

// Templates reports the first option of a call that names keys by what other keys hold: "BY" or "GET" of SORT. "" is for none.
func (c *Command) Templates(call engine.Call) (option string) {
	if c.names == nil || c.names.templates == nil {
		return ""
	}
	for i := c.names.templates.from; i < len(call)-1; i++ {
		switch word := call[i]; {
		case equalFold(word, "limit"):
			i += 2
		case equalFold(word, "store"):
			i++
		case equalFold(word, "get"):
			return "GET"
		case equalFold(word, "by"):
			if slices.Contains(call[i+1], '*') {
				return "BY"
			}
			i++
		}
	}
	return ""
}

// Index is the row's place among all rows, those of subcommands too.
func (c *Command) Index() int { return c.index }

// Parent is the container of a subcommand's row; nil if it is none.
func (c *Command) Parent() *Command { return c.parent }

// Rows is the number of rows, with those of subcommands.
func (t *Table) Rows() int { return t.n }
