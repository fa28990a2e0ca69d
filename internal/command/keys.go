// Keys: what concerns a key whatever it holds.
package command

import (
	"math"
	"strings"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// subKey is where subcommands have their key.
var subKey = Keys{First: 2, Last: 2, Step: 1}

var keyCommands = []*Command{
	{Name: "copy", Arity: -3, Flags: Write | DenyOOM, Keys: twoKeys, Group: "generic", Since: "6.2.0",
		Usage: "source destination [DB destination-db] [REPLACE]",
		Doc:   "Gives a second key what a key holds, value and expiry.", Run: copyKey},
	{Name: "del", Arity: -2, Flags: Write, Keys: allKeys, Group: "generic", Since: "1.0.0",
		Usage: "key [key ...]", Doc: "Deletes keys.", Run: deleteKeys},
	{Name: "exists", Arity: -2, Flags: ReadOnly | Fast, Keys: allKeys, Group: "generic", Since: "1.0.0",
		Usage: "key [key ...]", Doc: "Counts how many of the given keys there are.", Run: exists},
	{Name: "keys", Arity: 2, Flags: ReadOnly | Dangerous | AllKeys, Group: "generic", Since: "1.0.0",
		Usage: "pattern", Doc: "Lists all keys whose names match a pattern.", Run: listKeys},
	{Name: "move", Arity: 3, Flags: Write | Fast, Keys: oneKey, Group: "generic", Since: "1.0.0",
		Usage: "key db", Doc: "Takes a key to another database, unless it is there already.", Run: moveKey},
	{Name: "object", Arity: -2, Group: "generic", Since: "2.2.3", Doc: "Tells how a key is stored.",
		Subs: []*Command{
			{Name: "encoding", Arity: 3, Flags: ReadOnly, Keys: subKey, Since: "2.2.3",
				Usage: "key", Doc: "Names the representation of a value.", Run: objectEncoding},
			{Name: "freq", Arity: 3, Flags: ReadOnly, Keys: subKey, Since: "4.0.0",
				Usage: "key", Doc: "Tells how often a key is used, as a logarithm.", Run: objectFreq},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "6.2.0",
				Doc: "Explains the subcommands.", Run: objectHelp},
			{Name: "idletime", Arity: 3, Flags: ReadOnly, Keys: subKey, Since: "2.2.3",
				Usage: "key", Doc: "Tells for how many seconds a key was not used.", Run: objectIdleTime},
			{Name: "refcount", Arity: 3, Flags: ReadOnly, Keys: subKey, Since: "2.2.3",
				Usage: "key", Doc: "Tells how many references there are to a value.", Run: objectRefCount},
		}},
	{Name: "randomkey", Arity: 1, Flags: ReadOnly | AllKeys, Group: "generic", Since: "1.0.0",
		Doc: "Picks a key at random.", Run: randomKey},
	{Name: "rename", Arity: 3, Flags: Write, Keys: twoKeys, Group: "generic", Since: "1.0.0",
		Usage: "key newkey", Doc: "Gives a key another name, in place of what has that name.",
		Run: func(c *Ctx) error { return c.rename(false) }},
	{Name: "renamenx", Arity: 3, Flags: Write | Fast, Keys: twoKeys, Group: "generic", Since: "1.0.0",
		Usage: "key newkey", Doc: "Gives a key another name, unless that is taken.",
		Run: func(c *Ctx) error { return c.rename(true) }},
	{Name: "scan", Arity: -2, Flags: ReadOnly | AllKeys, Group: "generic", Since: "2.8.0",
		Usage: "cursor [MATCH pattern] [COUNT count] [TYPE type]", Doc: "Walks over the keys a few at a time.", Run: scanKeys},
	{Name: "touch", Arity: -2, Flags: ReadOnly | Fast, Keys: allKeys, Group: "generic", Since: "3.2.1",
		Usage: "key [key ...]", Doc: "Counts as a use of the given keys, and counts how many there are.", Run: touch},
	{Name: "type", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "generic", Since: "1.0.0",
		Usage: "key", Doc: "Names the type of what a key holds.", Run: typeOf},
	{Name: "unlink", Arity: -2, Flags: Write | Fast, Keys: allKeys, Group: "generic", Since: "4.0.0",
		Usage: "key [key ...]", Doc: "Deletes keys and frees their memory later.", Run: unlink},
}

// lazyEffort is of how many pieces a value must be for UNLINK to leave it to others, as in Redis. Here the collection of garbage
// takes care of all of them; they are counted for INFO.
const lazyEffort = 64

func unlink(c *Ctx) error {
	large := int64(0)
	for _, key := range c.Args[1:] {
		pieces, err := c.pieces(key)
		if err != nil {
			return err
		}
		if pieces > lazyEffort {
			large++
		}
	}
	if err := deleteKeys(c); err != nil {
		return err
	}
	if large > 0 {
		c.Engine.Info.lazyFreed.Add(large)
	}
	return nil
}

// pieces is of about how many pieces of memory the value of a key is made in Redis.
func (c *Ctx) pieces(key []byte) (n int, err error) {
	d, ok, err := c.Tx.Details(key)
	if err != nil || !ok {
		return 0, err
	}
	switch d.Encoding {
	case "hashtable":
		e, err := c.entry(key)
		if err != nil {
			return 0, err
		}
		if e.Type == keyspace.Set {
			s, err := c.Tx.Set(key)
			if err != nil {
				return 0, err
			}
			return s.Len()
		}
		h, err := c.Tx.Hash(key)
		if err != nil {
			return 0, err
		}
		return h.Len()
	case "skiplist":
		z, err := c.Tx.SortedSet(key)
		if err != nil {
			return 0, err
		}
		return z.Len()
	case "quicklist":
		l, err := c.Tx.List(key)
		if err != nil {
			return 0, err
		}
		n, err := l.Len()
		return n / 100, err
	case "stream":
		x, err := c.Tx.Stream(key)
		if err != nil {
			return 0, err
		}
		info, _, err := x.Info()
		return int(int64(info.Len) / max(c.Engine.Settings.Int("stream-node-max-entries"), 1)), err
	}
	return 1, nil
}

func deleteKeys(c *Ctx) error {
	keys := c.Args[1:]
	if !c.Engine.told() {
		return c.count(c.Tx.Delete(keys))
	}
	var err error
	if c.entries, err = c.Tx.Entries(keys, c.entries[:0]); err != nil {
		return err
	}
	n, err := c.Tx.Delete(keys)
	if err != nil {
		return err
	}
	// A key that is named twice is deleted once.
	var told map[string]bool
	if found := countFound(c.entries); found != n {
		told = make(map[string]bool, n)
	}
	for i, e := range c.entries {
		if e.Type == keyspace.None || told[string(keys[i])] {
			continue
		}
		if told != nil {
			told[string(keys[i])] = true
		}
		c.Event(EventGeneric, "del", keys[i])
	}
	c.W.Int(int64(n))
	return nil
}

func countFound(entries []keyspace.Entry) int {
	n := 0
	for _, e := range entries {
		if e.Type != keyspace.None {
			n++
		}
	}
	return n
}

func exists(c *Ctx) error {
	var err error
	if c.entries, err = c.Tx.Entries(c.Args[1:], c.entries[:0]); err != nil {
		return err
	}
	c.W.Int(int64(countFound(c.entries)))
	return nil
}

func touch(c *Ctx) error { return c.count(c.Tx.Touch(c.Args[1:])) }

func typeOf(c *Ctx) error {
	e, err := c.entry(c.Args[1])
	if err != nil {
		return err
	}
	c.W.Status(e.Type.String())
	return nil
}

func randomKey(c *Ctx) error {
	key, err := c.Tx.Random()
	if err != nil {
		return err
	}
	c.W.BulkOrNull(key)
	return nil
}

// listKeys is KEYS.
func listKeys(c *Ctx) error {
	pattern := c.Args[1]
	if literal(pattern) {
		c.uncounted()
		e, err := c.entry(pattern)
		if err != nil {
			return err
		}
		if e.Type == keyspace.None {
			c.W.Array(0)
			return nil
		}
		c.W.Array(1)
		c.W.Bulk(pattern)
		return nil
	}
	mark := c.W.Len()
	c.told = 0
	everything := len(pattern) == 1 && pattern[0] == '*'
	tell := func(key []byte, _ keyspace.Entry) {
		if everything || Match(pattern, key) {
			c.bulk(key)
		}
	}
	// In steps, as a store may gather a step before it hands it out. Nothing is written meanwhile, so no key
	// comes twice.
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		var err error
		if cursor, err = c.Tx.Scan(cursor, 1000, tell); err != nil {
			return err
		}
	}
	c.W.Insert(mark, c.told, (*writer).Array)
	return nil
}

func (c *Ctx) rename(unlessTaken bool) error {
	from, to := c.Args[1], c.Args[2]
	var err error
	if c.entries, err = c.Tx.Entries(c.Args[1:], c.entries[:0]); err != nil {
		return err
	}
	if c.entries[0].Type == keyspace.None {
		return ErrNoKey
	}
	if unlessTaken && c.entries[1].Type != keyspace.None {
		c.W.Int(0)
		return nil
	}
	if string(from) != string(to) {
		if _, err := c.Tx.Move(from, c.DB, to); err != nil {
			return err
		}
		c.Event(EventGeneric, "rename_from", from)
		c.Event(EventGeneric, "rename_to", to)
	}
	if unlessTaken {
		c.W.Int(1)
	} else {
		c.W.OK()
	}
	return nil
}

const errSameKey = Refusal("ERR source and destination objects are the same")

// database reads argument i as the number of a database.
func (c *Ctx) database(i int) (int, error) {
	n, err := c.integer(i)
	switch {
	case err != nil:
		return 0, err
	case n != int64(int32(n)):
		return 0, Refusal("ERR value is out of range, value must between -2147483648 and 2147483647")
	case n < 0 || n >= keyspace.Databases:
		return 0, Refusal("ERR DB index is out of range")
	}
	return int(n), nil
}

// entryIn is entry for a key of another database.
func (c *Ctx) entryIn(db int, key []byte) (e keyspace.Entry, err error) {
	if err = c.Tx.Select(db); err != nil {
		return e, err
	}
	if e, err = c.entry(key); err != nil {
		return e, err
	}
	return e, c.Tx.Select(c.DB)
}

// eventIn is Event for a key of another database.
func (c *Ctx) eventIn(db int, name string, key []byte) {
	home := c.DB
	c.DB = db
	c.Event(EventGeneric, name, key)
	c.DB = home
}

func moveKey(c *Ctx) error {
	key := c.Args[1]
	db, err := c.database(2)
	if err != nil {
		return err
	}
	if db == c.DB {
		return errSameKey
	}
	taken, err := c.entryIn(db, key)
	if err != nil {
		return err
	}
	moved := false
	if taken.Type == keyspace.None {
		if moved, err = c.Tx.Move(key, db, key); err != nil {
			return err
		}
	}
	if moved {
		c.Event(EventGeneric, "move_from", key)
		c.eventIn(db, "move_to", key)
	}
	c.bool1(moved)
	return nil
}

func copyKey(c *Ctx) error {
	from, to := c.Args[1], c.Args[2]
	db, replace := c.DB, false
	for i := 3; i < len(c.Args); i++ {
		var err error
		switch {
		case c.is(i, "replace"):
			replace = true
		case c.is(i, "db") && i+1 < len(c.Args):
			i++
			if db, err = c.database(i); err != nil {
				return err
			}
		default:
			return ErrSyntax
		}
	}
	if db == c.DB && string(from) == string(to) {
		return errSameKey
	}
	if _, err := c.Tx.Touch(c.keys1(from)); err != nil {
		return err
	}
	c.uncounted()
	if !replace {
		taken, err := c.entryIn(db, to)
		if err != nil {
			return err
		}
		if taken.Type != keyspace.None {
			c.W.Int(0)
			return nil
		}
	}
	copied, err := c.Tx.Copy(from, db, to)
	if err != nil {
		return err
	}
	if copied {
		c.eventIn(db, "copy_to", to)
	}
	c.bool1(copied)
	return nil
}

// details opens the subcommands of OBJECT. done means that the key is missing and the reply written.
func (c *Ctx) details() (d keyspace.Details, done bool, err error) {
	d, ok, err := c.Tx.Details(c.Args[2])
	if err != nil {
		return d, false, err
	}
	if !ok {
		c.W.Null()
	}
	return d, !ok, nil
}

func objectEncoding(c *Ctx) error {
	d, done, err := c.details()
	if done || err != nil {
		return err
	}
	name, err := c.encodingOf(c.Args[2], d.Encoding)
	if err != nil {
		return err
	}
	c.W.BulkString(name)
	return nil
}

// lfu reports whether the policy of eviction counts accesses, in place of telling how long ago the last one was.
func (c *Ctx) lfu() bool {
	return strings.HasSuffix(c.Engine.Settings.String("maxmemory-policy"), "-lfu")
}

const policyNote = " Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."

func objectFreq(c *Ctx) error {
	d, done, err := c.details()
	if done || err != nil {
		return err
	}
	if !c.lfu() {
		return Refusal("ERR An LFU maxmemory policy is not selected, access frequency not tracked." + policyNote)
	}
	c.W.Int(int64(d.Freq))
	return nil
}

func objectIdleTime(c *Ctx) error {
	d, done, err := c.details()
	if done || err != nil {
		return err
	}
	if c.lfu() {
		return Refusal("ERR An LFU maxmemory policy is selected, idle time not tracked." + policyNote)
	}
	c.W.Int(d.Idle / 1000)
	return nil
}

// objectRefCount tells one reference for every value but the small integers, which Redis shares.
func objectRefCount(c *Ctx) error {
	d, done, err := c.details()
	if done || err != nil {
		return err
	}
	count := int64(1)
	if d.Encoding == "int" {
		c.uncounted()
		v, err := c.peek(c.Args[2])
		if err != nil {
			return err
		}
		if n, _ := parseInt(v); 0 <= n && n < 10000 {
			count = math.MaxInt32
		}
	}
	c.W.Int(count)
	return nil
}

func objectHelp(c *Ctx) error {
	c.help("OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"ENCODING <key>",
		"    Return the kind of internal representation used in order to store the value",
		"    associated with a <key>.",
		"FREQ <key>",
		"    Return the access frequency index of the <key>. The returned integer is",
		"    proportional to the logarithm of the recent access frequency of the key.",
		"IDLETIME <key>",
		"    Return the idle time of the <key>, that is the approximated number of",
		"    seconds elapsed since the last access to the key.",
		"REFCOUNT <key>",
		"    Return the number of references of the value associated with the specified",
		"    <key>.")
	return nil
}
