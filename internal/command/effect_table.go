package command

import (
	"strconv"
	"strings"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/rdb"
	"github.com/redbud-go/redbud/internal/resp"
)

// effectRule is how the calls of a row are told. Of one without a rule, those that changed something are told as they came.
type effectRule struct {
	within bool // what they change is told by what happens in them
	always bool // also when no key was written, but for refusals
	values bool // by what keys hold afterwards

	// tell tells what a call did that ran and was not refused; nil: as it came. It may look at the keys as they are now.
	tell func(c *Ctx, reply *resp.Value) error
}

// effectRules are those of rows, by their names.
var effectRules = map[string]effectRule{
	"expire": {tell: tellExpiry}, "expireat": {tell: tellExpiry}, "pexpire": {tell: tellExpiry}, "pexpireat": {tell: tellExpiry},
	"getex": {tell: tellExpiry}, "getdel": {tell: tellRemoval}, "delex": {tell: tellRemoval},
	"set": {tell: tellSet}, "getset": {tell: func(c *Ctx, _ *resp.Value) error { return c.tellString(c.Args[1], c.Args[2]) }},
	"setex": {tell: tellSetFor}, "psetex": {tell: tellSetFor}, "msetex": {tell: tellSetMany},
	"incrbyfloat": {tell: tellSum},
	"restore":     {tell: tellRestore}, "migrate": {values: true},

	"hincrbyfloat": {tell: func(c *Ctx, _ *resp.Value) error { return c.tellFields(c.Args[2:3], 1, true) }},
	"hexpire":      {tell: tellFieldList}, "hexpireat": {tell: tellFieldList}, "hpexpire": {tell: tellFieldList}, "hpexpireat": {tell: tellFieldList},
	"hpersist": {tell: tellFieldList}, "hgetex": {tell: tellFieldList}, "hgetdel": {tell: tellFieldList}, "hsetex": {tell: tellFieldList},

	"spop":  {tell: tellSPop},
	"blpop": {tell: tellPop("LPOP")}, "brpop": {tell: tellPop("RPOP")}, "bzpopmin": {tell: tellPop("ZPOPMIN")}, "bzpopmax": {tell: tellPop("ZPOPMAX")},
	"lmpop": {tell: tellPopMany(1)}, "blmpop": {tell: tellPopMany(2)}, "zmpop": {tell: tellPopMany(1)}, "bzmpop": {tell: tellPopMany(2)},
	"blmove": {tell: tellNow("LMOVE")}, "brpoplpush": {tell: tellNow("RPOPLPUSH")},

	"xadd": {tell: tellXAdd}, "xtrim": {tell: tellXTrim}, "xsetid": {always: true},
	"xack": {always: true, tell: tellCounted}, "xackdel": {always: true, values: true}, "xdelex": {values: true},
	"xgroup|create": {always: true}, "xgroup|setid": {always: true}, "xgroup|delconsumer": {always: true},
	"xgroup|destroy": {always: true, tell: tellCounted}, "xgroup|createconsumer": {always: true, tell: tellCounted},
	"xreadgroup": {always: true, tell: tellXReadGroup}, "xclaim": {always: true, tell: tellXClaim}, "xautoclaim": {always: true, tell: tellXAutoClaim},

	"publish": {always: true}, "spublish": {always: true},
	"flushall": {always: true}, "flushdb": {always: true},
	"function|load": {always: true}, "function|delete": {always: true}, "function|flush": {always: true}, "function|restore": {always: true},
	"eval": {within: true}, "eval_ro": {within: true}, "evalsha": {within: true}, "evalsha_ro": {within: true},
	"redbud.eval": {within: true}, "redbud.eval_ro": {within: true}, "redbud.evalsha": {within: true}, "redbud.evalsha_ro": {within: true},
	"fcall": {within: true}, "fcall_ro": {within: true},
	"debug": {tell: func(c *Ctx, _ *resp.Value) error { c.eff.lost = true; return nil }},
}

// effectsOf has the rule of every row, by its index. It is made when all rows are.
var effectsOf []effectRule

func init() {
	effectsOf = make([]effectRule, Commands.n)
	Commands.Each(func(row *Command) { effectsOf[row.index] = effectRules[row.FullName()] })
}

// digits is a number as a word.
func digits(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// tellExpiry tells when the key of the call expires now, if at all, or that it is gone.
func tellExpiry(c *Ctx, _ *resp.Value) error {
	key := c.Args[1]
	e, err := c.entry(key)
	switch {
	case err != nil:
		return err
	case e.Type == keyspace.None:
		c.tell(string(c.removal("lazyfree-lazy-expire")), key)
	case e.ExpireAt == keyspace.Never:
		c.tell("PERSIST", key)
	default:
		c.tell("PEXPIREAT", key, digits(e.ExpireAt))
	}
	return nil
}

func tellRemoval(c *Ctx, _ *resp.Value) error {
	c.tell("DEL", c.Args[1])
	return nil
}

// tellString tells that a key got a string, and when it expires.
func (c *Ctx) tellString(key, value []byte) error {
	e, err := c.entry(key)
	switch {
	case err != nil:
		return err
	case e.Type == keyspace.None: // it had expired by then
		c.tell("DEL", key)
	case e.ExpireAt == keyspace.Never:
		c.tell("SET", key, value)
	default:
		c.tell("SET", key, value, []byte("PXAT"), digits(e.ExpireAt))
	}
	return nil
}

func tellSet(c *Ctx, _ *resp.Value) error {
	if len(c.Args) == 3 {
		c.eff.add(c.DB, c.Args...)
		return nil
	}
	if o, err := c.setArgs(3, setterSet); err != nil || o.keepTTL {
		c.tell("SET", c.Args[1], c.Args[2], []byte("KEEPTTL"))
		return err
	}
	return c.tellString(c.Args[1], c.Args[2])
}

func tellSetFor(c *Ctx, _ *resp.Value) error { return c.tellString(c.Args[1], c.Args[3]) }

// tellSetMany tells what MSETEX did. Of a key that is named twice, the last value counts.
func tellSetMany(c *Ctx, _ *resp.Value) error {
	n, _ := parseInt(c.Args[1])
	for i := 2; i < 2+2*int(n); i += 2 {
		if err := c.tellString(c.Args[i], c.Args[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func tellSum(c *Ctx, _ *resp.Value) error {
	v, err := c.get(c.Args[1])
	if err == nil {
		c.tell("SET", c.Args[1], v, []byte("KEEPTTL"))
	}
	return err
}

// tellRestore tells a time to live as the time at which it ends.
func tellRestore(c *Ctx, _ *resp.Value) error {
	e, err := c.entry(c.Args[1])
	o, wrong := c.restoreOptions()
	switch {
	case err != nil || wrong != nil:
		return err
	case e.Type == keyspace.None:
		c.tell("DEL", c.Args[1])
	case e.ExpireAt == keyspace.Never || o.absolute:
		c.eff.add(c.DB, c.Args...)
	default:
		c.eff.add(c.DB, append(asCalled(c.Args, 2, digits(e.ExpireAt)), []byte("ABSTTL"))...)
	}
	return nil
}

// payload is what DUMP replies.
func (c *Ctx) payload(key []byte, t keyspace.Type) ([]byte, error) {
	var p rdb.Payload
	err := c.dumpValue(&p, key, t)
	p.End()
	return p.Buf, err
}

// tellFieldList tells what became of the fields that follow the word FIELDS. HSETEX has their values there, too.
func tellFieldList(c *Ctx, _ *resp.Value) error {
	sets := c.Row.Name == "hsetex"
	for i := 2; i+1 < len(c.Args); i++ {
		if !c.is(i, "fields") {
			continue
		}
		n, _ := parseInt(c.Args[i+1])
		if sets {
			return c.tellFields(c.Args[i+2:i+2+2*int(n)], 2, true)
		}
		return c.tellFields(c.Args[i+2:i+2+int(n)], 1, false)
	}
	return c.tellValues()
}

// tellFields tells what became of fields, one of which stands every so many words: when each expires, or that it is gone; and its
// value, where that may be new. Only the times are beyond Redis 7.2.
func (c *Ctx) tellFields(words [][]byte, step int, values bool) error {
	var names, set, gone [][]byte
	key := c.Args[1]
	for i := 0; i < len(words); i += step {
		names = append(names, words[i])
	}
	e, err := c.entry(key)
	if err != nil {
		return err
	}
	if e.Type == keyspace.None {
		c.tell("DEL", key)
		return nil
	}
	h, err := c.Tx.Hash(key)
	if err != nil {
		return err
	}
	now, err := h.Get(names, nil)
	if err != nil {
		return err
	}
	for i, v := range now {
		if v == nil {
			gone = append(gone, names[i])
		} else {
			set = append(set, names[i], v)
		}
	}
	if len(gone) > 0 {
		c.tell("HDEL", append([][]byte{key}, gone...)...)
	}
	if values && len(set) > 0 {
		c.tell("HSET", append([][]byte{key}, set...)...)
	}
	times, err := h.ExpireTimes(names, nil)
	for i, at := range times {
		switch {
		case at == keyspace.NoField, at == keyspace.Never && (values || !strings.HasPrefix(c.Row.Name, "hpersist") && c.Row.Name != "hgetex"):
		case at == keyspace.Never:
			c.tell("HPERSIST", key, []byte("FIELDS"), []byte("1"), names[i])
		default:
			c.tell("HPEXPIREAT", key, digits(at), []byte("FIELDS"), []byte("1"), names[i])
		}
	}
	return err
}

// tellSPop tells which members chance has chosen.
func tellSPop(c *Ctx, reply *resp.Value) error {
	if !reply.IsAggregate() {
		c.tell("SREM", c.Args[1], reply.Str)
		return nil
	}
	e, err := c.entry(c.Args[1])
	if err != nil || e.Type == keyspace.None {
		c.tell("DEL", c.Args[1])
		return err
	}
	words := [][]byte{c.Args[1]}
	for i := range reply.Elems {
		words = append(words, reply.Elems[i].Str)
	}
	c.tell("SREM", words...)
	return nil
}

// tellPop tells of a call that may wait by the command that does not, with the key that there was something at.
func tellPop(name string) func(*Ctx, *resp.Value) error {
	return func(c *Ctx, reply *resp.Value) error {
		if !reply.IsAggregate() || len(reply.Elems) == 0 {
			return c.tellValues()
		}
		c.tell(name, reply.Elems[0].Str)
		return nil
	}
}

// tellPopMany is tellPop for a call that takes several elements from one of several keys, whose number stands at argument i.
func tellPopMany(i int) func(*Ctx, *resp.Value) error {
	return func(c *Ctx, reply *resp.Value) error {
		if !reply.IsAggregate() || len(reply.Elems) < 2 {
			return c.tellValues()
		}
		n, _ := parseInt(c.Args[i])
		name := map[string]string{"left": "LPOP", "right": "RPOP", "min": "ZPOPMIN", "max": "ZPOPMAX"}[strings.ToLower(string(c.Args[i+1+int(n)]))]
		c.tell(name, reply.Elems[0].Str, digits(int64(len(reply.Elems[1].Elems))))
		return nil
	}
}

// tellNow tells of a call that may wait by the command that does not, without the last word.
func tellNow(name string) func(*Ctx, *resp.Value) error {
	return func(c *Ctx, _ *resp.Value) error {
		c.tell(name, c.Args[1:len(c.Args)-1]...)
		return nil
	}
}

// tellCounted tells of a call as it came, if it replied that there was something to do.
func tellCounted(c *Ctx, reply *resp.Value) error {
	if reply.Int > 0 {
		c.eff.add(c.DB, c.Args...)
	}
	return nil
}
