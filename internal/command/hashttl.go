// Fields that expire: the part of hashes that came with Redis 7.4, and the commands of 8.0 that read or write and expire at once.
package command

import (
	"bytes"
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var hashExpiryCommands = []*Command{
	{Name: "hexpire", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "hash", Since: "7.4.0",
		Usage: "key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
		Doc:   "Makes fields of a hash expire after a number of seconds.", Run: func(c *Ctx) error { return c.expireFields(1000, c.Now) }},
	{Name: "hexpireat", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "hash", Since: "7.4.0",
		Usage: "key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
		Doc:   "Makes fields of a hash expire at a Unix time in seconds.", Run: func(c *Ctx) error { return c.expireFields(1000, 0) }},
	{Name: "hexpiretime", Arity: -5, Flags: ReadOnly | Fast, Keys: oneKey, Group: "hash", Since: "7.4.0",
		Usage: "key FIELDS numfields field [field ...]",
		Doc:   "Tells the Unix times in seconds at which fields of a hash expire.", Run: func(c *Ctx) error { return c.fieldTTLs(1000, 0) }},
	{Name: "hgetdel", Arity: -5, Flags: Write | Fast, Keys: oneKey, Group: "hash", Since: "8.0.0",
		Usage: "key FIELDS numfields field [field ...]",
		Doc:   "Returns the values of fields of a hash and deletes them, and the hash with its last field.", Run: hgetDel},
	{Name: "hgetex", Arity: -5, Flags: Write | Fast, Keys: oneKey, Group: "hash", Since: "8.0.0",
		Usage: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] FIELDS numfields field [field ...]",
		Doc:   "Returns the values of fields of a hash and makes them expire, or not any more.", Run: hgetEx},
	{Name: "hpersist", Arity: -5, Flags: Write | Fast, Keys: oneKey, Group: "hash", Since: "7.4.0",
		Usage: "key FIELDS numfields field [field ...]",
		Doc:   "Makes fields of a hash stay that would have expired.", Run: hpersist},
	{Name: "hpexpire", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "hash", Since: "7.4.0",
		Usage: "key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
		Doc:   "Makes fields of a hash expire after a number of milliseconds.", Run: func(c *Ctx) error { return c.expireFields(1, c.Now) }},
	{Name: "hpexpireat", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "hash", Since: "7.4.0",
		Usage: "key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
		Doc:   "Makes fields of a hash expire at a Unix time in milliseconds.", Run: func(c *Ctx) error { return c.expireFields(1, 0) }},
	{Name: "hpexpiretime", Arity: -5, Flags: ReadOnly | Fast, Keys: oneKey, Group: "hash", Since: "7.4.0",
		Usage: "key FIELDS numfields field [field ...]",
		Doc:   "Tells the Unix times in milliseconds at which fields of a hash expire.", Run: func(c *Ctx) error { return c.fieldTTLs(1, 0) }},
	{Name: "hpttl", Arity: -5, Flags: ReadOnly | Fast, Keys: oneKey, Group: "hash", Since: "7.4.0",
		Usage: "key FIELDS numfields field [field ...]",
		Doc:   "Tells in how many milliseconds fields of a hash expire.", Run: func(c *Ctx) error { return c.fieldTTLs(1, c.Now) }},
	{Name: "hsetex", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "hash", Since: "8.0.0",
		Usage: "key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] " +
			"FIELDS numfields field value [field value ...]",
		Doc: "Sets fields of a hash if all of them exist, or none, and makes them expire.", Run: hsetEx},
	{Name: "httl", Arity: -5, Flags: ReadOnly | Fast, Keys: oneKey, Group: "hash", Since: "7.4.0",
		Usage: "key FIELDS numfields field [field ...]",
		Doc:   "Tells in how many seconds fields of a hash expire.", Run: func(c *Ctx) error { return c.fieldTTLs(1000, c.Now) }},
}

const (
	errFieldsPlace    = Refusal("ERR Mandatory argument FIELDS is missing or not at the right position")
	errFieldsNumber   = Refusal("ERR Number of fields must be a positive integer")
	errFieldsCount    = Refusal("ERR Parameter `numFields` should be greater than 0")
	errFieldsMatch    = Refusal("ERR The `numfields` parameter must match the number of arguments")
	errFieldsInvalid  = Refusal("ERR invalid number of fields")
	errFieldTime      = Refusal("ERR invalid expire time, must be >= 0")
	errFieldCondition = Refusal("ERR Only one of FXX or FNX arguments can be specified")
	errFieldExpiry    = Refusal("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified")
)

// latestField is the last time, in milliseconds, at which a field may expire: Redis keeps 46 bits.
const latestField = 1<<46 - 1

// What HEXPIRE and HTTL answer for a field, and HPERSIST for one that it leaves alone.
const (
	fieldMissing = -2
	fieldStays   = -1
)

// fieldScratch is what the primitives for fields append to.
type fieldScratch struct {
	names   [][]byte
	times   []int64
	changes []keyspace.FieldChange
}

// release drops what must not outlive the batch.
func (s *fieldScratch) release() {
	clear(s.names)
	s.names = s.names[:0]
	if cap(s.names)+cap(s.times)+cap(s.changes) > 1<<16 {
		*s = fieldScratch{}
	}
}

// fieldList reads FIELDS, which is word i, the number behind it and the fields, which end the call. invalid is the refusal of a
// number that is not positive.
func (c *Ctx) fieldList(i int, invalid Refusal) ([][]byte, error) {
	if !c.is(i, "fields") {
		return nil, errFieldsPlace
	}
	n, ok := parseInt(c.Args[i+1])
	switch {
	case !ok || n < 1:
		return nil, invalid
	case n != int64(len(c.Args)-i-2):
		return nil, errFieldsMatch
	}
	return c.Args[i+2:], nil
}

// fieldTime reads argument i as the time at which a field is to expire, in milliseconds since 1970.
func (c *Ctx) fieldTime(i int, unit, base int64) (int64, error) {
	n, err := c.integer(i)
	switch {
	case err != nil:
		return 0, err
	case n < 0:
		return 0, errFieldTime
	case n > latestField/unit || n*unit > latestField-base:
		return 0, invalidExpire(c)
	}
	return max(n*unit+base, 1), nil // 0 is as long past, but would be never
}

// fieldTimeWord returns the unit and the base of the time that follows EX, PX, EXAT or PXAT; ok is false for another word.
func (c *Ctx) fieldTimeWord(i int) (unit, base int64, ok bool) {
	switch {
	case c.is(i, "ex"):
		return 1000, c.Now, true
	case c.is(i, "px"):
		return 1, c.Now, true
	case c.is(i, "exat"):
		return 1000, 0, true
	case c.is(i, "pxat"):
		return 1, 0, true
	}
	return 0, 0, false
}

// expireFields is HEXPIRE, HPEXPIRE, HEXPIREAT and HPEXPIREAT.
func (c *Ctx) expireFields(unit, base int64) error {
	h, err := c.Tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	at, err := c.fieldTime(2, unit, base)
	if err != nil {
		return err
	}
	only, i := keyspace.Always, 4
	switch {
	case c.is(3, "nx"):
		only = keyspace.IfNever
	case c.is(3, "xx"):
		only = keyspace.IfExpiring
	case c.is(3, "gt"):
		only = keyspace.IfLater
	case c.is(3, "lt"):
		only = keyspace.IfEarlier
	default:
		i = 3
	}
	names, err := c.fieldList(i, errFieldsCount)
	if err != nil {
		return err
	}
	changed, removed, err := c.changeFields(h, names, at, only)
	if err != nil {
		return err
	}
	c.W.Array(len(names))
	for _, change := range c.fields.changes {
		c.W.Int([...]int64{keyspace.FieldMissing: fieldMissing, keyspace.FieldKept: 0, keyspace.FieldChanged: 1, keyspace.FieldRemoved: 2}[change])
	}
	return c.expiryEvents(h, "hexpire", changed, removed)
}

// changeFields is HashKey.Expire, the changes of which are left in the scratch. It counts them.
func (c *Ctx) changeFields(h keyspace.HashKey, names [][]byte, at int64, only keyspace.Condition) (changed, removed int, err error) {
	c.fields.changes, err = h.Expire(names, at, only, c.fields.changes[:0])
	for _, change := range c.fields.changes {
		switch change {
		case keyspace.FieldChanged:
			changed++
		case keyspace.FieldRemoved:
			removed++
		}
	}
	return changed, removed, err
}

// expiryEvents tells what changeFields did to the hash at argument 1.
func (c *Ctx) expiryEvents(h keyspace.HashKey, name string, changed, removed int) error {
	switch {
	case removed > 0:
		return c.removed(EventHash, "hdel", c.Args[1], h)
	case changed > 0:
		c.Event(EventHash, name, c.Args[1])
	}
	return nil
}

// fieldTTLs is HTTL, HPTTL, HEXPIRETIME and HPEXPIRETIME: when fields expire, counted from base and rounded up.
func (c *Ctx) fieldTTLs(unit, base int64) error {
	h, err := c.Tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	names, err := c.fieldList(2, errFieldsNumber)
	if err != nil {
		return err
	}
	if c.fields.times, err = h.ExpireTimes(names, c.fields.times[:0]); err != nil {
		return err
	}
	c.W.Array(len(names))
	for _, at := range c.fields.times {
		switch at {
		case keyspace.NoField:
			c.W.Int(fieldMissing)
		case keyspace.Never:
			c.W.Int(fieldStays)
		default:
			c.W.Int((at - base + unit - 1) / unit)
		}
	}
	return nil
}

func hpersist(c *Ctx) error {
	h, err := c.Tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	names, err := c.fieldList(2, errFieldsNumber)
	if err != nil {
		return err
	}
	changed, _, err := c.changeFields(h, names, keyspace.Never, keyspace.Always)
	if err != nil {
		return err
	}
	c.W.Array(len(names))
	for _, change := range c.fields.changes {
		c.W.Int([...]int64{keyspace.FieldMissing: fieldMissing, keyspace.FieldKept: fieldStays, keyspace.FieldChanged: 1}[change])
	}
	return c.expiryEvents(h, "hpersist", changed, 0)
}

// fieldValues replies with the values of fields. Where they are about to go, once is set: a field that is named again is missing by
// then. It returns how many there are.
func (c *Ctx) fieldValues(h keyspace.HashKey, names [][]byte, once bool) (n int, err error) {
	if c.values, err = h.Get(names, c.values[:0]); err != nil {
		return 0, err
	}
	if once {
		c.bools = repeated(names, c.bools[:0])
	}
	c.W.Array(len(names))
	for i, v := range c.values {
		if once && c.bools[i] {
			v = nil
		}
		if v != nil {
			n++
		}
		c.W.BulkOrNull(v)
	}
	return n, nil
}

// repeated appends whether each word stands among those before it.
func repeated(words [][]byte, dst []bool) []bool {
	const few = 16
	if len(words) <= few {
		for i, w := range words {
			again := false
			for _, earlier := range words[:i] {
				again = again || bytes.Equal(earlier, w)
			}
			dst = append(dst, again)
		}
		return dst
	}
	seen := make(map[string]bool, len(words))
	for _, w := range words {
		dst = append(dst, seen[string(w)])
		seen[string(w)] = true
	}
	return dst
}

func hgetDel(c *Ctx) error {
	h, err := c.Tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	names, err := c.fieldList(2, errFieldsNumber)
	if err != nil {
		return err
	}
	n, err := c.fieldValues(h, names, true)
	if err != nil || n == 0 {
		return err
	}
	if _, err := h.Delete(names); err != nil {
		return err
	}
	return c.removed(EventHash, "hdel", c.Args[1], h)
}

func hgetEx(c *Ctx) error {
	h, err := c.Tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	i, at, event := 2, keyspace.KeepTTL, "hexpire"
	if unit, base, ok := c.fieldTimeWord(2); ok {
		if at, err = c.fieldTime(3, unit, base); err != nil {
			return err
		}
		i = 4
	} else if c.is(2, "persist") {
		i, at, event = 3, keyspace.Never, "hpersist"
	}
	if c.is(i, "fields") && i+1 == len(c.Args) {
		return wrongArity(c.Row)
	}
	names, err := c.fieldList(i, errFieldsNumber)
	if err != nil {
		return err
	}
	n, err := c.fieldValues(h, names, at > 0 && at <= c.Now)
	if err != nil || n == 0 || at == keyspace.KeepTTL {
		return err
	}
	changed, removed, err := c.changeFields(h, names, at, keyspace.Always)
	if err != nil {
		return err
	}
	return c.expiryEvents(h, event, changed, removed)
}

// setExOptions are the options of HSETEX, all of which stand before the fields.
type setExOptions struct {
	none, all bool  // FNX, FXX
	expires   bool  // there is an option that says when
	at        int64 // keyspace.Never without
	fields    int   // where the first field stands
}

func (c *Ctx) setExOptions() (o setExOptions, err error) {
	// A call has six words at least, which is one more than the options have: FIELDS comes, or something is refused.
	for i := 2; ; i++ {
		unit, base, timed := c.fieldTimeWord(i)
		switch {
		case c.is(i, "fields"):
			o.fields = i + 2
			return o, c.fieldPairs(i)
		case (timed || c.is(i, "keepttl")) && o.expires:
			return o, errFieldExpiry
		case timed:
			i++
			if o.at, err = c.fieldTime(i, unit, base); err != nil {
				return o, err
			}
			o.expires = true
		case c.is(i, "keepttl"):
			o.expires, o.at = true, keyspace.KeepTTL
		case (c.is(i, "fxx") || c.is(i, "fnx")) && (o.all || o.none):
			return o, errFieldCondition
		case c.is(i, "fxx"):
			o.all = true
		case c.is(i, "fnx"):
			o.none = true
		default:
			return o, Refusal("ERR unknown argument: " + string(c.Args[i]))
		}
	}
}

// fieldPairs checks FIELDS, which is word i, the number behind it and the fields with their values, which end the call.
func (c *Ctx) fieldPairs(i int) error {
	words := len(c.Args) - i - 2
	if words < 2 {
		return wrongArity(c.Row)
	}
	n, ok := parseInt(c.Args[i+1])
	switch {
	case !ok || n < 1 || n > math.MaxInt32:
		return errFieldsInvalid
	case words%2 != 0 || n != int64(words/2):
		return wrongArity(c.Row)
	}
	return nil
}

func hsetEx(c *Ctx) error {
	o, err := c.setExOptions()
	if err != nil {
		return err
	}
	h, err := c.Tx.Hash(c.Args[1])
	if err != nil {
		return err
	}
	pairs := c.Args[o.fields:]
	c.fields.names = c.fields.names[:0]
	for i := 0; i < len(pairs); i += 2 {
		c.fields.names = append(c.fields.names, pairs[i])
	}
	if o.none || o.all {
		if c.values, err = h.Get(c.fields.names, c.values[:0]); err != nil {
			return err
		}
		for _, v := range c.values {
			if o.all && v == nil || o.none && v != nil {
				c.W.Int(0)
				return nil
			}
		}
	}
	c.W.Int(1)
	c.Event(EventHash, "hset", c.Args[1])
	if o.at > 0 && o.at <= c.Now { // they would be set, to expire at once
		if _, err := h.Delete(c.fields.names); err != nil {
			return err
		}
		return c.removed(EventHash, "hdel", c.Args[1], h)
	}
	if _, err := h.Set(pairs, o.at); err != nil {
		return err
	}
	if o.at > 0 {
		c.Event(EventHash, "hexpire", c.Args[1])
	}
	return nil
}
