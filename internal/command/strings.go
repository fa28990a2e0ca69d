// Strings: a key with bytes, which may spell a number.
package command

import (
	"math"
	"math/big"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var stringCommands = []*Command{
	{Name: "append", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "string", Since: "2.0.0",
		Usage: "key value", Doc: "Appends a string to the value of a key. Creates the key if it doesn't exist.", Run: appendString},
	{Name: "decr", Arity: 2, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "string", Since: "1.0.0",
		Usage: "key", Doc: "Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
		Run: func(c *Ctx) error { return c.add(-1) }},
	{Name: "decrby", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "string", Since: "1.0.0",
		Usage: "key decrement", Doc: "Decrements a number from the integer value of a key. Uses 0 as initial value if the key doesn't exist.", Run: decrBy},
	{Name: "delex", Arity: -2, Flags: Write | Fast, Keys: oneKey, Group: "string", Since: "8.4.0",
		Usage: "key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]",
		Doc:   "Deletes a key, or only if its string or the digest of it is or is not a given one.", Run: delEx},
	{Name: "digest", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "string", Since: "8.4.0",
		Usage: "key", Doc: "Returns the XXH3 digest of a string in hexadecimal digits.", Run: digest},
	{Name: "get", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "string", Since: "1.0.0",
		Usage: "key", Doc: "Returns the string value of a key.", Run: getString},
	{Name: "getdel", Arity: 2, Flags: Write | Fast, Keys: oneKey, Group: "string", Since: "6.2.0",
		Usage: "key", Doc: "Returns the string value of a key after deleting the key.", Run: getDel},
	{Name: "getex", Arity: -2, Flags: Write | Fast, Keys: oneKey, Group: "string", Since: "6.2.0",
		Usage: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
		Doc:   "Returns the string value of a key after setting its expiration time.", Run: getEx},
	{Name: "getrange", Arity: 4, Flags: ReadOnly, Keys: oneKey, Group: "string", Since: "2.4.0",
		Usage: "key start end", Doc: "Returns a substring of the string stored at a key.", Run: getRange},
	{Name: "getset", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "string", Since: "1.0.0",
		Usage: "key value", Doc: "Returns the previous string value of a key after setting it to a new value.", Run: getSet},
	{Name: "incr", Arity: 2, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "string", Since: "1.0.0",
		Usage: "key", Doc: "Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
		Run: func(c *Ctx) error { return c.add(1) }},
	{Name: "incrby", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "string", Since: "1.0.0",
		Usage: "key increment", Doc: "Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't exist.", Run: incrBy},
	{Name: "incrbyfloat", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "string", Since: "2.6.0",
		Usage: "key increment", Doc: "Increments the floating point value of a key by a number. Uses 0 as initial value if the key doesn't exist.", Run: incrByFloat},
	{Name: "lcs", Arity: -3, Flags: ReadOnly, Keys: twoKeys, Group: "string", Since: "7.0.0",
		Usage: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]", Doc: "Finds the longest common subsequence of two strings.", Run: lcs},
	{Name: "mget", Arity: -2, Flags: ReadOnly | Fast, Keys: allKeys, Group: "string", Since: "1.0.0",
		Usage: "key [key ...]", Doc: "Atomically returns the string values of one or more keys.", Run: mget},
	{Name: "mset", Arity: -3, Flags: Write | DenyOOM, Keys: Keys{First: 1, Last: -1, Step: 2}, Group: "string", Since: "1.0.1",
		Usage: "key value [key value ...]", Doc: "Atomically creates or modifies the string values of one or more keys.", Run: mset},
	{Name: "msetex", Arity: -4, Flags: Write | DenyOOM, Keys: Keys{NumKeys: 1, Step: 2}, Group: "string", Since: "8.4.0",
		Usage: "numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
		Doc:   "Atomically sets strings that expire at the same time, or only if all or none of the keys exist.", Run: msetEx},
	{Name: "msetnx", Arity: -3, Flags: Write | DenyOOM, Keys: Keys{First: 1, Last: -1, Step: 2}, Group: "string", Since: "1.0.1",
		Usage: "key value [key value ...]", Doc: "Atomically modifies the string values of one or more keys only when all keys don't exist.", Run: msetNX},
	{Name: "psetex", Arity: 4, Flags: Write | DenyOOM, Keys: oneKey, Group: "string", Since: "2.6.0",
		Usage: "key milliseconds value", Doc: "Sets both string value and expiration time in milliseconds of a key. The key is created if it doesn't exist.",
		Run: func(c *Ctx) error { return c.setFor(1) }},
	{Name: "set", Arity: -3, Flags: Write | DenyOOM, Keys: oneKey, Group: "string", Since: "1.0.0",
		Usage: "key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
		Doc:   "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.", Run: setString},
	{Name: "setex", Arity: 4, Flags: Write | DenyOOM, Keys: oneKey, Group: "string", Since: "2.0.0",
		Usage: "key seconds value", Doc: "Sets the string value and expiration time of a key. Creates the key if it doesn't exist.",
		Run: func(c *Ctx) error { return c.setFor(1000) }},
	{Name: "setnx", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "string", Since: "1.0.0",
		Usage: "key value", Doc: "Set the string value of a key only when the key doesn't exist.", Run: setNX},
	{Name: "setrange", Arity: 4, Flags: Write | DenyOOM, Keys: oneKey, Group: "string", Since: "2.2.0",
		Usage: "key offset value", Doc: "Overwrites a part of a string value with another by an offset. Creates the key if it doesn't exist.", Run: setRange},
	{Name: "strlen", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "string", Since: "2.2.0",
		Usage: "key", Doc: "Returns the length of a string value.", Run: strLen},
	{Name: "substr", Arity: 4, Flags: ReadOnly, Keys: oneKey, Group: "string", Since: "1.0.0",
		Usage: "key start end", Doc: "Returns a substring from a string value.", Run: getRange},
}

// maxString is the longest string that a command may build, as proto-max-bulk-len is by default.
const maxString = 512 << 20

// tooLong reports whether a string would be longer than a command may build one.
func (c *Ctx) tooLong(bytes int64) bool {
	const least = 1 << 20 // that proto-max-bulk-len may be
	return bytes > least && (bytes > maxString || bytes > c.Engine.Settings.Int("proto-max-bulk-len"))
}

func getString(c *Ctx) error {
	v, err := c.get(c.Args[1])
	if err != nil {
		return err
	}
	c.W.BulkOrNull(v)
	return nil
}

func strLen(c *Ctx) error {
	v, err := c.get(c.Args[1])
	return c.count(len(v), err)
}

// setOptions are the options of SET, and of GETEX and MSETEX as far as they have them.
type setOptions struct {
	nx, xx, get bool
	keepTTL     bool
	persist     bool
	when        condition
	at          int64 // 0: no expiry was given

	// GETEX looks at the key before it looks at the time, so its setArgs leaves this for expireAt.
	amount   int // argument that holds the time; 0: none
	unit     int64
	absolute bool
}

// setter is a command that has some of these options.
type setter uint8

const (
	setterSet setter = iota
	setterGetEx
	setterMSetEx
)

// setArgs reads the options of SET, GETEX or MSETEX from argument i on.
func (c *Ctx) setArgs(i int, by setter) (o setOptions, err error) {
	timed, getex := false, by == setterGetEx
	for ; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		free := !timed && !o.keepTTL && !o.persist // no other word on expiry yet
		switch {
		case !getex && !o.xx && o.when.arg == 0 && c.is(i, "nx"):
			o.nx = true
		case !getex && !o.nx && o.when.arg == 0 && c.is(i, "xx"):
			o.xx = true
		case by == setterSet && c.is(i, "get"):
			o.get = true
		case !getex && !timed && c.is(i, "keepttl"):
			o.keepTTL = true
		case getex && !timed && c.is(i, "persist"):
			o.persist = true
		case more && free && (c.is(i, "ex") || c.is(i, "px") || c.is(i, "exat") || c.is(i, "pxat")):
			timed = true
			o.unit, o.absolute, o.amount = 1000, len(c.Args[i]) == 4, i+1
			if lower(c.Args[i][0]) == 'p' {
				o.unit = 1
			}
			i++
		default:
			when, ok := c.condition(i)
			if !ok || by != setterSet || !more || o.nx || o.xx || o.when.arg != 0 {
				return o, ErrSyntax
			}
			o.when = when
			i++
		}
	}
	if timed && !getex {
		o.at, err = c.expireAt(o.amount, o.unit, o.absolute)
	}
	return o, err
}

// expireAt reads argument i as the expiry that SET and its kin take: milliseconds since 1970 and always positive.
func (c *Ctx) expireAt(i int, unit int64, absolute bool) (int64, error) {
	n, err := c.integer(i)
	if err != nil {
		return 0, err
	}
	if n <= 0 || unit == 1000 && n > math.MaxInt64/1000 {
		return 0, invalidExpire(c)
	}
	n *= unit
	if absolute {
		return n, nil
	}
	if n > math.MaxInt64-c.Now {
		return 0, invalidExpire(c)
	}
	return n + c.Now, nil
}

func invalidExpire(c *Ctx) error {
	return Refusal("ERR invalid expire time in '" + c.Row.FullName() + "' command")
}

func setString(c *Ctx) error {
	key, value := c.Args[1], c.Args[2]
	if len(c.Args) == 3 {
		if err := c.put(key, value, keyspace.Never); err != nil {
			return err
		}
		c.Event(EventString, "set", key)
		c.W.OK()
		return nil
	}
	o, err := c.setArgs(3, setterSet)
	if err != nil {
		return err
	}
	exists, met := false, true
	if o.get || o.when.arg > 0 {
		c.looks.Counts = o.get
		old, err := c.get(key)
		c.uncounted()
		if err != nil {
			return err
		}
		if o.get {
			c.W.BulkOrNull(old)
		}
		exists = old != nil
		if met, err = c.meets(old, o.when); err != nil {
			return err
		}
	} else if o.nx || o.xx {
		e, err := c.entry(key)
		if err != nil {
			return err
		}
		exists = e.Type != keyspace.None
	}
	if o.nx && exists || o.xx && !exists || !met {
		if !o.get {
			c.W.Null()
		}
		return nil
	}
	at := o.at
	if o.keepTTL {
		at = keyspace.KeepTTL
	}
	if err := c.putUntil(key, value, at); err != nil {
		return err
	}
	c.Event(EventString, "set", key)
	if o.at != 0 {
		c.Event(EventGeneric, "expire", key)
	}
	if !o.get {
		c.W.OK()
	}
	return nil
}

// putUntil stores a string that expires at a time, which may have passed already: then the key is gone.
func (c *Ctx) putUntil(key, value []byte, at int64) error {
	if at > 0 && at <= c.Now {
		_, err := c.Tx.Delete(c.keys1(key))
		return err
	}
	return c.put(key, value, at)
}

// setFor is SETEX and PSETEX.
func (c *Ctx) setFor(unit int64) error {
	at, err := c.expireAt(2, unit, false)
	if err != nil {
		return err
	}
	if err := c.put(c.Args[1], c.Args[3], at); err != nil {
		return err
	}
	c.Event(EventString, "set", c.Args[1])
	c.Event(EventGeneric, "expire", c.Args[1])
	c.W.OK()
	return nil
}

func setNX(c *Ctx) error {
	e, err := c.entry(c.Args[1])
	if err != nil {
		return err
	}
	if e.Type == keyspace.None {
		if err := c.put(c.Args[1], c.Args[2], keyspace.Never); err != nil {
			return err
		}
		c.Event(EventString, "set", c.Args[1])
	}
	c.bool1(e.Type == keyspace.None)
	return nil
}

func getSet(c *Ctx) error {
	old, err := c.get(c.Args[1])
	if err != nil {
		return err
	}
	c.W.BulkOrNull(old)
	if err := c.put(c.Args[1], c.Args[2], keyspace.Never); err != nil {
		return err
	}
	c.Event(EventString, "set", c.Args[1])
	return nil
}

func getDel(c *Ctx) error {
	old, err := c.get(c.Args[1])
	if err != nil {
		return err
	}
	c.W.BulkOrNull(old)
	if old == nil {
		return nil
	}
	c.Event(EventGeneric, "del", c.Args[1])
	_, err = c.Tx.Delete(c.keys1(c.Args[1]))
	return err
}

func getEx(c *Ctx) error {
	key := c.Args[1]
	o, err := c.setArgs(2, setterGetEx)
	if err != nil {
		return err
	}
	v, err := c.get(key)
	if err != nil {
		return err
	}
	if v != nil && o.amount > 0 {
		if o.at, err = c.expireAt(o.amount, o.unit, o.absolute); err != nil {
			return err
		}
	}
	c.W.BulkOrNull(v)
	switch {
	case v == nil:
		return nil
	case o.persist:
		e, err := c.entry(key)
		if err != nil || e.ExpireAt == keyspace.Never {
			return err
		}
		c.Event(EventGeneric, "persist", key)
		_, err = c.Tx.Expire(key, keyspace.Never)
		return err
	case o.at > 0 && o.at <= c.Now:
		c.Event(EventGeneric, "del", key)
		_, err = c.Tx.Delete(c.keys1(key))
	case o.at > 0:
		c.Event(EventGeneric, "expire", key)
		_, err = c.Tx.Expire(key, o.at)
	}
	return err
}

func getRange(c *Ctx) error {
	start, err := c.integer(2)
	if err != nil {
		return err
	}
	end, err := c.integer(3)
	if err != nil {
		return err
	}
	v, err := c.get(c.Args[1])
	if err != nil {
		return err
	}
	n := int64(len(v))
	if start < 0 && end < 0 && start > end {
		c.W.BulkString("")
		return nil
	}
	if start < 0 {
		start = max(start+n, 0)
	}
	if end < 0 {
		end = max(end+n, 0)
	}
	end = min(end, n-1)
	if start > end || n == 0 {
		c.W.BulkString("")
		return nil
	}
	c.W.Bulk(v[start : end+1])
	return nil
}

func setRange(c *Ctx) error {
	key, value := c.Args[1], c.Args[3]
	offset, err := c.integer(2)
	if err != nil {
		return err
	}
	if offset < 0 {
		return Refusal("ERR offset is out of range")
	}
	if len(value) == 0 {
		return strLen(c)
	}
	if offset > maxString || c.tooLong(offset+int64(len(value))) {
		// The type is looked at first, as in Redis.
		if _, err := c.peek(key); err != nil {
			return err
		}
		return ErrTooLong
	}
	n, err := c.Tx.SetRange(key, int(offset), value)
	if err != nil {
		return err
	}
	c.Event(EventString, "setrange", key)
	c.W.Int(int64(n))
	return nil
}

func appendString(c *Ctx) error {
	if old, err := c.peek(c.Args[1]); err != nil {
		return err
	} else if c.tooLong(int64(len(old) + len(c.Args[2]))) {
		return ErrTooLong
	}
	n, err := c.Tx.Append(c.Args[1], c.Args[2])
	if err != nil {
		return err
	}
	c.Event(EventString, "append", c.Args[1])
	c.W.Int(int64(n))
	return nil
}

func (c *Ctx) add(delta int64) error {
	n, err := c.Tx.Add(c.Args[1], delta)
	if err != nil {
		return err
	}
	c.Event(EventString, "incrby", c.Args[1])
	c.W.Int(n)
	return nil
}

func incrBy(c *Ctx) error {
	n, err := c.integer(2)
	if err != nil {
		return err
	}
	return c.add(n)
}

func decrBy(c *Ctx) error {
	n, err := c.integer(2)
	if err != nil {
		return err
	}
	if n == math.MinInt64 {
		return Refusal("ERR decrement would overflow")
	}
	return c.add(-n)
}

func incrByFloat(c *Ctx) error {
	key := c.Args[1]
	old, err := c.peek(key)
	if err != nil {
		return err
	}
	if old == nil {
		old = []byte("0")
	}
	c.num, err = appendSum(c.num[:0], old, c.Args[2], ErrNotFloat)
	if err != nil {
		return err
	}
	if err := c.put(key, c.num, keyspace.KeepTTL); err != nil {
		return err
	}
	c.Event(EventString, "incrbyfloat", key)
	c.W.Bulk(c.num)
	return nil
}

// appendSum appends a+b as INCRBYFLOAT and HINCRBYFLOAT compute and print it: in the 80-bit floats of x86's long
// double, with 17 digits behind the point and no trailing zeros. notFloat is the refusal for an a that is no number.
func appendSum(dst, a, b []byte, notFloat Refusal) ([]byte, error) {
	x, ok := longDouble(a)
	if !ok {
		return dst, notFloat
	}
	y, ok := longDouble(b)
	if !ok {
		return dst, ErrNotFloat
	}
	if x.IsInf() || y.IsInf() {
		return dst, ErrNaN
	}
	x.Add(x, y)
	if x.MantExp(nil) > maxExponent {
		return dst, ErrNaN
	}
	if x.Sign() == 0 {
		return append(dst, '0'), nil // no "-0"
	}
	from := len(dst)
	dst = x.Append(dst, 'f', 17)
	end := len(dst)
	for dst[end-1] == '0' {
		end--
	}
	if dst[end-1] == '.' {
		end--
	}
	if string(dst[from:end]) == "-0" {
		return append(dst[:from], '0'), nil
	}
	return dst[:end], nil
}

// The exponents of x86's long double, for mantissas from 0.5 up to 1.
const (
	maxExponent = 16384
	minExponent = -16444
)

// maxLongDouble is how long the text of a long double may be: MAX_LONG_DOUBLE_CHARS of Redis.
const maxLongDouble = 5 << 10

// longDouble reads a number with the 64-bit mantissa of x86's long double, and within its range.
func longDouble(b []byte) (*big.Float, bool) {
	f, inRange, ok := strtod(b)
	switch {
	case !ok || len(b) >= maxLongDouble:
		return nil, false
	case inRange && math.IsInf(f, 0):
		return new(big.Float).SetInf(f < 0), true
	}
	// What is out of the range of a double need not be out of this one.
	x, _, err := big.ParseFloat(string(b), 0, 64, big.ToNearestEven)
	if err != nil {
		return nil, false
	}
	exponent := x.MantExp(nil) // 0 for zero and infinity
	return x, exponent <= maxExponent && exponent >= minExponent
}

func mget(c *Ctx) error {
	var err error
	c.values, err = c.Tx.Get(c.Args[1:], c.values[:0])
	if err != nil && err != keyspace.ErrWrongType { // to MGET a key of another type is a missing string
		return err
	}
	c.W.Array(len(c.values))
	for _, v := range c.values {
		c.W.BulkOrNull(v)
	}
	return nil
}

func mset(c *Ctx) error {
	if len(c.Args)%2 == 0 {
		return wrongArity(c.Row)
	}
	if err := c.Tx.Put(c.Args[1:], keyspace.Never); err != nil {
		return err
	}
	for i := 1; i < len(c.Args); i += 2 {
		c.Event(EventString, "set", c.Args[i])
	}
	c.W.OK()
	return nil
}

func msetEx(c *Ctx) error {
	n, ok := parseInt(c.Args[1])
	if !ok || n < 1 || n > math.MaxInt32 {
		return Refusal("ERR invalid numkeys value")
	}
	if n > int64(len(c.Args)-2)/2 {
		return Refusal("ERR wrong number of key-value pairs")
	}
	end := 2 + 2*int(n)
	o, err := c.setArgs(end, setterMSetEx)
	if err != nil {
		return err
	}
	if o.nx || o.xx {
		some, all, err := c.exist(c.Row.Keys.Append(c.values[:0], c.Args))
		if err != nil {
			return err
		}
		if o.nx && some || o.xx && !all {
			c.W.Int(0)
			return nil
		}
	}
	at := o.at
	if o.keepTTL {
		at = keyspace.KeepTTL
	}
	for i := 2; i < end; i += 2 {
		if err := c.putUntil(c.Args[i], c.Args[i+1], at); err != nil {
			return err
		}
		c.Event(EventString, "set", c.Args[i])
		if o.at != 0 {
			c.Event(EventGeneric, "expire", c.Args[i])
		}
	}
	c.W.Int(1)
	return nil
}

// exist reports whether some and whether all of the keys exist. They lie in c.values.
func (c *Ctx) exist(keys [][]byte) (some, all bool, err error) {
	c.values = keys
	if c.entries, err = c.Tx.Entries(keys, c.entries[:0]); err != nil {
		return false, false, err
	}
	all = true
	for _, e := range c.entries {
		some = some || e.Type != keyspace.None
		all = all && e.Type != keyspace.None
	}
	return some, all, nil
}

func msetNX(c *Ctx) error {
	if len(c.Args)%2 == 0 {
		return wrongArity(c.Row)
	}
	some, _, err := c.exist(c.Row.Keys.Append(c.values[:0], c.Args))
	if err != nil {
		return err
	}
	if some {
		c.W.Int(0)
		return nil
	}
	if err := mset(c); err != nil {
		return err
	}
	c.W.Truncate(c.W.Len() - len("+OK\r\n"))
	c.W.Int(1)
	return nil
}
