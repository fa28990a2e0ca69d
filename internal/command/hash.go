// Hashes: a key with fields, each of which has a value.
package command

import (
	"math"
	"strconv"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var hashCommands = []*Command{
	{Name: "hdel", Arity: -3, Flags: Write | Fast, Keys: oneKey, Group: "hash", Since: "2.0.0",
		Usage: "key field [field ...]", Doc: "Deletes fields from a hash, and the hash with its last field.", Run: hdel},
	{Name: "hexists", Arity: 3, Flags: ReadOnly | Fast, Keys: oneKey, Group: "hash", Since: "2.0.0",
		Usage: "key field", Doc: "Tells whether a hash has a field.", Run: hexists},
	{Name: "hget", Arity: 3, Flags: ReadOnly | Fast, Keys: oneKey, Group: "hash", Since: "2.0.0",
		Usage: "key field", Doc: "Returns the value of a field of a hash.", Run: hget},
	{Name: "hgetall", Arity: 2, Flags: ReadOnly, Keys: oneKey, Group: "hash", Since: "2.0.0",
		Usage: "key", Doc: "Returns all fields and values of a hash.", Run: hgetAll},
	{Name: "hincrby", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "hash", Since: "2.0.0",
		Usage: "key field increment", Doc: "Adds a number to the integer in a field of a hash; a missing field counts as 0.", Run: hincrBy},
	{Name: "hincrbyfloat", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "hash", Since: "2.6.0",
		Usage: "key field increment", Doc: "Adds a number to the float in a field of a hash; a missing field counts as 0.", Run: hincrByFloat},
	{Name: "hkeys", Arity: 2, Flags: ReadOnly, Keys: oneKey, Group: "hash", Since: "2.0.0",
		Usage: "key", Doc: "Returns all fields of a hash.", Run: hkeys},
	{Name: "hlen", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "hash", Since: "2.0.0",
		Usage: "key", Doc: "Returns the number of fields of a hash.", Run: hlen},
	{Name: "hmget", Arity: -3, Flags: ReadOnly | Fast, Keys: oneKey, Group: "hash", Since: "2.0.0",
		Usage: "key field [field ...]", Doc: "Returns the values of several fields of a hash.", Run: hmget},
	{Name: "hmset", Arity: -4, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "hash", Since: "2.0.0",
		Usage: "key field value [field value ...]", Doc: "Sets several fields of a hash. HSET does the same and tells how many are new.", Run: hmset},
	{Name: "hrandfield", Arity: -2, Flags: ReadOnly, Keys: oneKey, Group: "hash", Since: "6.2.0",
		Usage: "key [count [WITHVALUES]]", Doc: "Returns one or more random fields of a hash.", Run: hrandField},
	{Name: "hscan", Arity: -3, Flags: ReadOnly, Keys: oneKey, Group: "hash", Since: "2.8.0",
		Usage: "key cursor [MATCH pattern] [COUNT count]", Doc: "Iterates over the fields and values of a hash.", Run: hscan},
	{Name: "hset", Arity: -4, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "hash", Since: "2.0.0",
		Usage: "key field value [field value ...]", Doc: "Sets fields of a hash and returns how many of them are new.", Run: hset},
	{Name: "hsetnx", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "hash", Since: "2.0.0",
		Usage: "key field value", Doc: "Sets a field of a hash only if it is missing.", Run: hsetNX},
	{Name: "hstrlen", Arity: 3, Flags: ReadOnly | Fast, Keys: oneKey, Group: "hash", Since: "3.2.0",
		Usage: "key field", Doc: "Returns the length of the value of a field of a hash.", Run: hstrLen},
	{Name: "hvals", Arity: 2, Flags: ReadOnly, Keys: oneKey, Group: "hash", Since: "2.0.0",
		Usage: "key", Doc: "Returns all values of a hash.", Run: hvals},
}

// putFields stores the fields and values from argument 2 on and returns how many fields are new.
func (c *Ctx) putFields() (int, error) {
	if len(c.Args)%2 != 0 {
		return 0, wrongArity(c.Row)
	}
	h, err := c.Tx.Hash(c.Args[1])
	if err != nil {
		return 0, err
	}
	n, err := h.Set(c.Args[2:], keyspace.Never)
	if err == nil {
		c.Event(EventHash, "hset", c.Args[1])
	}
	return n, err
}

func hset(c *Ctx) error {
	n, err := c.putFields()
	return c.count(n, err)
}

func hmset(c *Ctx) error {
	if _, err := c.putFields(); err != nil {
		return err
	}
	c.W.OK()
	return nil
}

func hsetNX(c *Ctx) error {
	h, old, err := c.field()
	if err != nil {
		return err
	}
	if old != nil {
		c.W.Int(0)
		return nil
	}
	if _, err := h.Set(c.Args[2:], keyspace.Never); err != nil {
		return err
	}
	c.Event(EventHash, "hset", c.Args[1])
	c.W.Int(1)
	return nil
}

// field returns the hash at argument 1 and the value of its field at argument 2, nil if there is none.
func (c *Ctx) field() (keyspace.HashKey, []byte, error) {
	h, err := c.Tx.Hash(c.Args[1])
	if err != nil {
		return nil, nil, err
	}
	c.values, err = h.Get(c.Args[2:3], c.values[:0])
	if err != nil {
		return nil, nil, err
	}
	return h, c.values[0], nil
}

func hget(c *Ctx) error {
	_, v, err := c.field()
	if err != nil {
		return err
	}
	c.W.BulkOrNull(v)
	return nil
}

func hexists(c *Ctx) error {
	_, v, err := c.field()
	if err != nil {
		return err
	}
	c.bool1(v != nil)
	return nil
}

func hstrLen(c *Ctx) error {
	_, v, err := c.field()
	return c.count(len(v), err)
}

func hmget(c *Ctx) error {
	h, err := c.Tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	if c.values, err = h.Get(c.Args[2:], c.values[:0]); err != nil {
		return err
	}
	c.W.Array(len(c.values))
	for _, v := range c.values {
		c.W.BulkOrNull(v)
	}
	return nil
}

func hlen(c *Ctx) error {
	_, n, err := c.hash()
	return c.count(n, err)
}

// hash returns the hash at argument 1 and its size.
func (c *Ctx) hash() (keyspace.HashKey, int, error) {
	h, err := c.Tx.Hash(c.Args[1])
	if err != nil {
		return nil, 0, err
	}
	n, err := h.Len()
	return h, n, err
}

func hgetAll(c *Ctx) error {
	h, n, err := c.hash()
	if err != nil {
		return err
	}
	c.W.Map(n)
	return h.Each(c.bulkPair)
}

func hkeys(c *Ctx) error {
	h, n, err := c.hash()
	if err != nil {
		return err
	}
	c.W.Array(n)
	return h.Each(func(field, _ []byte) { c.W.Bulk(field) })
}

func hvals(c *Ctx) error {
	h, n, err := c.hash()
	if err != nil {
		return err
	}
	c.W.Array(n)
	return h.Each(func(_, value []byte) { c.W.Bulk(value) })
}

func hdel(c *Ctx) error {
	h, err := c.Tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	n, err := h.Delete(c.Args[2:])
	if err == nil && n > 0 {
		err = c.removed(EventHash, "hdel", c.Args[1], h)
	}
	return c.count(n, err)
}

func hincrBy(c *Ctx) error {
	delta, err := c.integer(3)
	if err != nil {
		return err
	}
	h, old, err := c.field()
	if err != nil {
		return err
	}
	n := int64(0)
	if old != nil {
		var ok bool
		if n, ok = parseInt(old); !ok {
			return Refusal("ERR hash value is not an integer")
		}
	}
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
		return ErrOverflow
	}
	n += delta
	c.num = strconv.AppendInt(c.num[:0], n, 10)
	if _, err := h.Set(c.pair1(c.Args[2], c.num), keyspace.KeepTTL); err != nil {
		return err
	}
	c.Event(EventHash, "hincrby", c.Args[1])
	c.W.Int(n)
	return nil
}

func hincrByFloat(c *Ctx) error {
	// Unlike INCRBYFLOAT, the increment is looked at before the key.
	if delta, ok := longDouble(c.Args[3]); !ok {
		return ErrNotFloat
	} else if delta.IsInf() {
		return Refusal("ERR value is NaN or Infinity")
	}
	h, old, err := c.field()
	if err != nil {
		return err
	}
	if old == nil {
		old = []byte("0")
	}
	c.num, err = appendSum(c.num[:0], old, c.Args[3], Refusal("ERR hash value is not a float"))
	if err != nil {
		return err
	}
	if _, err := h.Set(c.pair1(c.Args[2], c.num), keyspace.KeepTTL); err != nil {
		return err
	}
	c.Event(EventHash, "hincrbyfloat", c.Args[1])
	c.W.Bulk(c.num)
	return nil
}

func hrandField(c *Ctx) error {
	count, withValues := 1, false
	if len(c.Args) > 2 {
		var err error
		if count, err = c.signedCount(2); err != nil {
			return err
		}
		withValues = len(c.Args) > 3
		switch {
		case len(c.Args) > 4 || withValues && !c.is(3, "withvalues"):
			return ErrSyntax
		case withValues && (count < -math.MaxInt/2 || count > math.MaxInt/2):
			return Refusal("ERR value is out of range")
		}
	}
	h, n, err := c.hash()
	if err != nil {
		return err
	}
	if len(c.Args) == 2 {
		if n == 0 {
			c.W.Null()
			return nil
		}
		return h.Random(1, func(field, _ []byte) { c.W.Bulk(field) })
	}
	if n = drawn(count, n); n == 0 {
		c.W.Array(0)
		return nil
	}
	if !withValues {
		c.W.Array(n)
		return h.Random(count, func(field, _ []byte) { c.W.Bulk(field) })
	}
	if !c.W.RESP3() {
		c.W.Array(2 * n)
		return h.Random(count, c.bulkPair)
	}
	c.W.Array(n)
	return h.Random(count, func(field, value []byte) {
		c.W.Array(2)
		c.bulkPair(field, value)
	})
}

func hscan(c *Ctx) error {
	o, argsErr := c.scanArgs(2)
	h, err := c.Tx.Hash(c.Args[1])
	if done, err := c.scanOpen(argsErr, h, err); done || err != nil {
		return err
	}
	return c.scanReply(&o, func(n *int) (uint64, error) {
		return h.Scan(o.cursor, o.count, func(field, value []byte) {
			if o.wants(field) {
				c.bulkPair(field, value)
				*n += 2
			}
		})
	})
}
