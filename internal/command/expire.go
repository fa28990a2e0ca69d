// Expiry: when a key ends by itself. Stores keep it as milliseconds since 1970, whatever the unit of the command.
package command

import (
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var expireCommands = []*Command{
	{Name: "expire", Arity: -3, Flags: Write | Fast, Keys: oneKey, Group: "generic", Since: "1.0.0",
		Usage: "key seconds [NX | XX | GT | LT]", Doc: "Makes a key expire after a number of seconds.",
		Run: func(c *Ctx) error { return c.expire(1000, c.Now) }},
	{Name: "expireat", Arity: -3, Flags: Write | Fast, Keys: oneKey, Group: "generic", Since: "1.2.0",
		Usage: "key unix-time-seconds [NX | XX | GT | LT]", Doc: "Makes a key expire at a Unix time in seconds.",
		Run: func(c *Ctx) error { return c.expire(1000, 0) }},
	{Name: "expiretime", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "generic", Since: "7.0.0",
		Usage: "key", Doc: "Tells the Unix time in seconds at which a key expires.",
		Run: func(c *Ctx) error { return c.ttl(1000, 0) }},
	{Name: "persist", Arity: 2, Flags: Write | Fast, Keys: oneKey, Group: "generic", Since: "2.2.0",
		Usage: "key", Doc: "Makes a key stay that would have expired.", Run: persist},
	{Name: "pexpire", Arity: -3, Flags: Write | Fast, Keys: oneKey, Group: "generic", Since: "2.6.0",
		Usage: "key milliseconds [NX | XX | GT | LT]", Doc: "Makes a key expire after a number of milliseconds.",
		Run: func(c *Ctx) error { return c.expire(1, c.Now) }},
	{Name: "pexpireat", Arity: -3, Flags: Write | Fast, Keys: oneKey, Group: "generic", Since: "2.6.0",
		Usage: "key unix-time-milliseconds [NX | XX | GT | LT]", Doc: "Makes a key expire at a Unix time in milliseconds.",
		Run: func(c *Ctx) error { return c.expire(1, 0) }},
	{Name: "pexpiretime", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "generic", Since: "7.0.0",
		Usage: "key", Doc: "Tells the Unix time in milliseconds at which a key expires.",
		Run: func(c *Ctx) error { return c.ttl(1, 0) }},
	{Name: "pttl", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "generic", Since: "2.6.0",
		Usage: "key", Doc: "Tells in how many milliseconds a key expires.",
		Run: func(c *Ctx) error { return c.ttl(1, c.Now) }},
	{Name: "ttl", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "generic", Since: "1.0.0",
		Usage: "key", Doc: "Tells in how many seconds a key expires.",
		Run: func(c *Ctx) error { return c.ttl(1000, c.Now) }},
}

// expireIf are the conditions of EXPIRE and its kin.
type expireIf struct {
	nx, xx, gt, lt bool
}

// expireConditions reads the words behind the time.
func (c *Ctx) expireConditions() (o expireIf, err error) {
	for i := 3; i < len(c.Args); i++ {
		switch {
		case c.is(i, "nx"):
			o.nx = true
		case c.is(i, "xx"):
			o.xx = true
		case c.is(i, "gt"):
			o.gt = true
		case c.is(i, "lt"):
			o.lt = true
		default:
			return o, Refusal("ERR Unsupported option " + string(c.Args[i]))
		}
	}
	switch {
	case o.nx && (o.xx || o.gt || o.lt):
		return o, Refusal("ERR NX and XX, GT or LT options at the same time are not compatible")
	case o.gt && o.lt:
		return o, Refusal("ERR GT and LT options at the same time are not compatible")
	}
	return o, nil
}

// allow reports whether a key that is there may get the expiry at. A key without one counts as expiring at the end
// of time: GT never holds, LT always.
func (o expireIf) allow(e keyspace.Entry, at int64) bool {
	expires := e.ExpireAt != keyspace.Never
	switch {
	case o.nx && expires, o.xx && !expires:
		return false
	case o.gt && (!expires || at <= e.ExpireAt):
		return false
	case o.lt && expires && at >= e.ExpireAt:
		return false
	}
	return true
}

// expire is EXPIRE, PEXPIRE, EXPIREAT and PEXPIREAT. A time that has passed deletes the key.
func (c *Ctx) expire(unit, base int64) error {
	key := c.Args[1]
	o, err := c.expireConditions()
	if err != nil {
		return err
	}
	at, err := c.integer(2)
	if err != nil {
		return err
	}
	if at > math.MaxInt64/unit || at < math.MinInt64/unit || at*unit > math.MaxInt64-base {
		return invalidExpire(c)
	}
	at = at*unit + base
	if o != (expireIf{}) {
		e, err := c.entry(key)
		if err != nil {
			return err
		}
		if e.Type == keyspace.None || !o.allow(e, at) {
			c.W.Int(0)
			return nil
		}
	}
	if at <= c.Now {
		n, err := c.Tx.Delete(c.keys1(key))
		if n > 0 {
			c.Event(EventGeneric, "del", key)
		}
		return c.count(n, err)
	}
	ok, err := c.Tx.Expire(key, at)
	if err != nil {
		return err
	}
	if ok {
		c.Event(EventGeneric, "expire", key)
	}
	c.bool1(ok)
	return nil
}

// ttl is TTL, PTTL, EXPIRETIME and PEXPIRETIME: the expiry counted from base, -1 for a key that has none, -2 for one
// that is missing.
func (c *Ctx) ttl(unit, base int64) error {
	e, err := c.entry(c.Args[1])
	if err != nil {
		return err
	}
	switch {
	case e.Type == keyspace.None:
		c.W.Int(-2)
	case e.ExpireAt == keyspace.Never:
		c.W.Int(-1)
	default:
		left := e.ExpireAt - base
		n := left / unit
		if left%unit > (unit-1)/2 { // to the nearest, without a sum that may overflow
			n++
		}
		c.W.Int(n)
	}
	return nil
}

func persist(c *Ctx) error {
	key := c.Args[1]
	e, err := c.entry(key)
	if err != nil {
		return err
	}
	expires := e.ExpireAt != keyspace.Never
	if expires {
		if _, err := c.Tx.Expire(key, keyspace.Never); err != nil {
			return err
		}
		c.Event(EventGeneric, "persist", key)
	}
	c.bool1(expires)
	return nil
}
