// Names: where calls and replies have names of keys and channels besides the places that Keys tells, for who translates
// names.
package command

import (
	"bytes"
	"slices"
	"strings"

	"github.com/redbud-go/redbud/internal/engine"
)

// Names says where a command has names that its Keys do not tell.
type Names struct {
	Words   Keys  // words that are names
	Message int   // the word that is published to the channel in Words; 0: none
	Pattern int   // the word that is a glob pattern of names, and may be missing; 0: none
	Reply   Place // where the reply has names
	Quotes  bool  // a refusal may quote a key, as QuotedKey tells
	Whole   Whole // what becomes of all keys of a database

	// All of these are names of channels. Otherwise they are keys, or sharded channels, of which it is the same.
	Channels bool

	// Database is the word that says which database the next calls concern; 0: none.
	Database int

	globs     *keyOptions // options that are followed by a glob pattern of keys
	templates *keyOptions // and by a word that names of keys are made of
}

// Place is where in a reply names stand.
type Place uint8

// The places.
const (
	Nowhere        Place = iota
	Elements             // each element
	First                // the first element
	SecondElements       // each element of the second element
	Alternate            // the first of each two elements; in a map the keys
	Heads                // the first element of each element; in a map the keys
)

// Whole is what a command does to all keys of a database.
type Whole uint8

// What can be done to them.
const (
	OnlyNamed  Whole = iota // nothing, or only to those that it names
	Counts                  // tells how many they are
	Picks                   // tells one of them
	Empties                 // deletes them
	EmptiesAll              // deletes those of all databases
)

var (
	scanGlobs     = &keyOptions{from: 2, words: []string{"match"}, skip: map[string]int{"count": 1, "type": 1}}
	sortTemplates = &keyOptions{from: 2, words: []string{"by", "get"}, skip: map[string]int{"limit": 2, "store": 1}}
	subWords      = Keys{First: 2, Last: -1, Step: 1}
)

// names has all commands with names that their Keys do not tell.
var names = namesOf(map[string]Names{
	"keys":      {Pattern: 1, Reply: Elements},
	"scan":      {globs: scanGlobs, Reply: SecondElements},
	"randomkey": {Whole: Picks},
	"dbsize":    {Whole: Counts},
	"flushdb":   {Whole: Empties},
	"flushall":  {Whole: EmptiesAll},
	"select":    {Database: 1},

	"sort sort_ro": {templates: sortTemplates},
	"blpop brpop bzpopmin bzpopmax lmpop blmpop zmpop bzmpop": {Reply: First},

	"xread":      {Reply: Heads},
	"xreadgroup": {Reply: Heads, Quotes: true},
	`xack xackdel xautoclaim xclaim xpending xgroup|create xgroup|createconsumer xgroup|delconsumer xgroup|destroy xgroup|setid
		xinfo|consumers xinfo|groups xinfo|stream`: {Quotes: true},

	"publish":              {Words: oneKey, Message: 2, Channels: true},
	"pubsub|channels":      {Pattern: 2, Reply: Elements, Channels: true},
	"pubsub|numsub":        {Words: subWords, Reply: Alternate, Channels: true},
	"pubsub|shardchannels": {Pattern: 2, Reply: Elements},
	"pubsub|shardnumsub":   {Words: subWords, Reply: Alternate},

	// They concern all that is there, but no key or channel.
	`info memory|doctor memory|stats role replicaof slaveof pubsub|numpat config|get config|set config|resetstat config|rewrite pfselftest slowlog|len
		slowlog|reset latency|doctor latency|graph latency|histogram latency|history latency|latest latency|reset bgrewriteaof lastsave
		cluster|addslots cluster|addslotsrange cluster|bumpepoch cluster|count-failure-reports cluster|delslots cluster|delslotsrange cluster|failover
		cluster|flushslots cluster|forget cluster|meet cluster|replicas cluster|replicate cluster|reset cluster|saveconfig cluster|set-config-epoch
		cluster|setslot cluster|slaves
		client|pause client|unpause function|delete function|flush function|load function|restore`: {},
})

func namesOf(lists map[string]Names) map[string]*Names {
	byName := map[string]*Names{}
	for list, n := range lists {
		for _, name := range strings.Fields(list) {
			byName[name] = &n
		}
	}
	return byName
}

// Names are the names that the command's Keys do not tell; nil: there are none.
func (c *Command) Names() *Names { return c.names }

// NamesKnown reports whether it is known of all names that a call concerns where they stand. It is not of a command that names no
// key and yet may concern some, unless Names says more of it.
func (c *Command) NamesKnown() bool {
	const mayConcern = AllKeys | PubSub | Write | Admin | Dangerous
	return c.names != nil || c.hasKeys() || c.Flags&mayConcern == 0
}

// Each visits the places of the keys of a call.
func (k Keys) Each(call engine.Call, f func(i int)) { k.each(call, f) }

// EachGlob visits the places of what follows options for a glob pattern of keys. at is where such an option may stand; 0: the
// command has none.
func (n *Names) EachGlob(call engine.Call, f func(i int)) (at int) {
	if n.globs == nil {
		return 0
	}
	n.globs.eachOccurrence(call, f)
	return n.globs.from
}

// EachTemplate visits the places of the words that names of keys are made of, which put something else for the first star.
// A word without a star names no key.
func (n *Names) EachTemplate(call engine.Call, f func(i int)) {
	if n.templates == nil {
		return
	}
	n.templates.eachOccurrence(call, func(i int) {
		if bytes.IndexByte(call[i], '*') >= 0 {
			f(i)
		}
	})
}

// eachOccurrence visits what follows the words, also where they are repeated.
func (o *keyOptions) eachOccurrence(call engine.Call, f func(i int)) {
	for i := o.from; i < len(call)-1; i++ {
		name := strings.ToLower(clip(call[i]))
		if n, ok := o.skip[name]; ok {
			i += n
		} else if slices.Contains(o.words, name) {
			i++
			f(i)
		}
	}
}

// QuotedKey finds the key that the text of a refusal quotes; at is negative if it quotes none.
func QuotedKey(refusal []byte) (at int) {
	for _, before := range []string{"NOGROUP No such key '", "' for key name '"} {
		if i := bytes.Index(refusal, []byte(before)); i >= 0 {
			return i + len(before)
		}
	}
	return -1
}
