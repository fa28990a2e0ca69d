// Effects: what a batch changed, as calls that make the same changes wherever and whenever they run again. They tell times that
// are absolute, and what chance or the clock decided stands in them. A follower that began with all keys as they were has them as
// they are when it has run what came since, in order.
package command

import (
	"errors"
	"slices"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

// effects are those of a batch.
type effects struct {
	on    bool     // somebody wants to know
	buf   []byte   // all of them, as they are sent
	items []effect // where they stand in buf
	unit  int      // that the next one belongs to
	dirty int64    // writes to keys, but for those that the store made of its own accord

	behind   []later  // what is told before the next effect that is no claim, or else behind the unit
	attended [][]byte // keys in which a group got a consumer by the call that runs
	lost     bool     // something happened that no call can tell
}

// effect is one of the calls. Those of a unit are seen together or not at all.
type effect struct {
	db, unit int
	end      int // where it ends in effects.buf; it begins where the one before does
}

// add adds a call.
func (e *effects) add(db int, words ...[]byte) {
	if len(e.behind) > 0 && string(words[0]) != claim {
		e.catchUp()
	}
	e.append(db, words)
}

// catchUp adds what was left for later.
func (e *effects) catchUp() {
	for i := range e.behind {
		e.append(e.behind[i].db, e.behind[i].words)
	}
	e.behind = e.behind[:0]
}

func (e *effects) append(db int, words [][]byte) {
	w := resp.Writer{Buf: e.buf}
	w.Array(len(words))
	for _, word := range words {
		w.Bulk(word)
	}
	e.buf = w.Buf
	e.items = append(e.items, effect{db, e.unit, len(e.buf)})
}

// later is an effect that nobody minds to see a little later than the others.
type later struct {
	db    int
	words [][]byte
}

// part ends a unit.
func (e *effects) part() {
	e.unit++
	if from := len(e.items); len(e.behind) > 0 {
		e.catchUp()
		e.loosen(from)
	}
}

// loosen makes the effects from one on units of their own.
func (e *effects) loosen(from int) {
	for i := from; i < len(e.items); i++ {
		e.items[i].unit = e.unit
		e.unit++
	}
}

func (e *effects) truncate(n int) {
	e.items = e.items[:n]
	e.buf = e.buf[:0]
	if n > 0 {
		e.buf = e.buf[:e.items[n-1].end]
	}
}

func (e *effects) empty() bool { return len(e.items) == 0 && !e.lost }

func (e *effects) reset() {
	if cap(e.buf) > 1<<16 {
		*e = effects{}
		return
	}
	*e = effects{buf: e.buf[:0], items: e.items[:0]}
}

// gone notes a key that the store removed of its own accord.
func (c *Ctx) gone(db int, key []byte, event string) {
	e := &c.news.effects
	if !e.on {
		return
	}
	switch event {
	case "expired":
		e.dirty--
		e.add(db, c.removal("lazyfree-lazy-expire"), key)
	case "evicted":
		e.dirty--
		e.part()
		e.add(db, c.removal("lazyfree-lazy-eviction"), key)
		e.part()
	case "hexpired":
		e.dirty--
	case "del": // with its last field
		e.add(db, []byte("DEL"), key)
	}
}

// Fields implements keyspace.FieldObserver. Who does not know that fields expire is told when they have.
func (c *Ctx) Fields(db int, key []byte, list func() [][]byte) {
	if e := &c.news.effects; e.on {
		e.add(db, append([][]byte{[]byte("HDEL"), key}, list()...)...)
	}
}

// removal is the name of the command that removes a key, where a setting says whether that may take its time.
func (c *Ctx) removal(setting string) []byte {
	if c.Engine.Settings.String(setting) == "yes" {
		return []byte("UNLINK")
	}
	return []byte("DEL")
}

// run runs the call of Args by its row. It has to be told whether somebody follows, or this is Row.Run.
func (c *Ctx) run() error {
	if !c.eff.on {
		return c.Row.Run(c)
	}
	return c.runTold()
}

// runTold is run for those who follow.
func (c *Ctx) runTold() error {
	e, mark := c.eff, c.W.Len()
	dirty, from := e.dirty, len(e.items)
	e.attended = e.attended[:0]
	err := c.Row.Run(c)
	if errors.Is(err, errBlocked) {
		c.tellAttended()
		return err
	}
	how := &effectsOf[c.Row.index]
	changed := e.dirty != dirty
	if how.within || !changed && (err != nil || !how.always) {
		c.loosen(from)
		return err
	}
	counts, unused := c.looks.Counts, c.looks.Unused
	c.looks.Counts, c.looks.Unused = false, true
	defer func() { c.looks.Counts, c.looks.Unused = counts, unused }()
	switch {
	case err != nil || how.tell == nil && how.values:
		return errors.Join(err, c.tellValues())
	case how.tell == nil:
		e.add(c.DB, c.Args...)
		return nil
	}
	reply, _, bad := resp.DecodeValue(c.W.Buf[mark:])
	if bad != nil {
		return c.tellValues()
	}
	return how.tell(c, &reply)
}

// loosen lets the keys that expired while a call read others be gone one by one, as in Redis.
func (c *Ctx) loosen(from int) {
	if c.Row.Flags&(ReadOnly|AllKeys) == ReadOnly|AllKeys && c.blockable && len(c.eff.items) > from {
		c.eff.loosen(from)
	}
}

// tellValues tells what the keys of the call hold now, which is always right and seldom short.
func (c *Ctx) tellValues() error {
	for _, key := range slices.Clone(c.Row.Keys.Append(nil, c.Args)) {
		if err := c.tellValue(key); err != nil {
			return err
		}
	}
	return nil
}

func (c *Ctx) tellValue(key []byte) error {
	e, err := c.entry(key)
	if err != nil {
		return err
	}
	if e.Type == keyspace.None {
		c.tell("DEL", key)
		return nil
	}
	p, err := c.payload(key, e.Type)
	if err != nil {
		return err
	}
	c.tell("RESTORE", key, digits(e.ExpireAt), p, []byte("REPLACE"), []byte("ABSTTL"))
	return nil
}

// tell adds an effect in the database of the call.
func (c *Ctx) tell(name string, words ...[]byte) {
	c.eff.add(c.DB, append([][]byte{[]byte(name)}, words...)...)
}

// host is the batch in whose transaction a call runs that has waited: its own at first, then that of who wrote what it waits for.
func (c *Ctx) host(tx keyspace.Tx) *Ctx {
	guest, ok := tx.(keyspace.Guest)
	if !ok {
		return c
	}
	switch o := guest.Observer().(type) {
	case *Ctx:
		return o
	case *onlooker:
		return o.Ctx
	}
	return c
}

// runFor is run for a call that has waited, as a unit of its own among the effects of the host.
func (c *Ctx) runFor(host *Ctx) error {
	c.eff = &host.news.effects
	if host == c {
		c.eff.on = c.Engine.followers.on.Load()
	}
	c.eff.part()
	err := c.run()
	c.eff.part()
	c.eff = &c.news.effects
	return err
}

// asCalled is a call as it came, with one word in place of another.
func asCalled(call engine.Call, i int, word []byte) [][]byte {
	words := slices.Clone(call)
	words[i] = word
	return words
}
