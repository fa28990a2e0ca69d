// Lists: values in order, quick to reach at both ends.
package command

import (
	"bytes"
	"math"
	"time"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var listCommands = []*Command{
	{Name: "blmove", Arity: 6, Flags: Write | DenyOOM | NoScript | Blocking, Keys: twoKeys, Group: "list", Since: "6.2.0",
		Usage: "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
		Doc:   "Moves an element from one list to another; waits for one where there is none.",
		Run:   func(c *Ctx) error { return c.ends((*Ctx).bmove) }},
	{Name: "blmpop", Arity: -5, Flags: Write | Blocking, Keys: Keys{NumKeys: 2}, Group: "list", Since: "7.0.0",
		Usage: "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
		Doc:   "Takes elements from the first list that has any; waits for one where none has.", Run: blmpop},
	{Name: "blpop", Arity: -3, Flags: Write | NoScript | Blocking, Keys: Keys{First: 1, Last: -2, Step: 1}, Group: "list", Since: "2.0.0",
		Usage: "key [key ...] timeout", Doc: "Takes the first element of the first list that has any; waits for one where none has.",
		Run: func(c *Ctx) error { return c.bpop(keyspace.Left) }},
	{Name: "brpop", Arity: -3, Flags: Write | NoScript | Blocking, Keys: Keys{First: 1, Last: -2, Step: 1}, Group: "list", Since: "2.0.0",
		Usage: "key [key ...] timeout", Doc: "Takes the last element of the first list that has any; waits for one where none has.",
		Run: func(c *Ctx) error { return c.bpop(keyspace.Right) }},
	{Name: "brpoplpush", Arity: 4, Flags: Write | DenyOOM | NoScript | Blocking, Keys: twoKeys, Group: "list", Since: "2.2.0",
		Usage: "source destination timeout",
		Doc:   "Moves the last element of a list to the head of another; waits for one where there is none.",
		Run:   func(c *Ctx) error { return c.bmove(keyspace.Right, keyspace.Left) }},
	{Name: "lindex", Arity: 3, Flags: ReadOnly, Keys: oneKey, Group: "list", Since: "1.0.0",
		Usage: "key index", Doc: "Returns the element of a list at an index.", Run: lindex},
	{Name: "linsert", Arity: 5, Flags: Write | DenyOOM, Keys: oneKey, Group: "list", Since: "2.2.0",
		Usage: "key <BEFORE | AFTER> pivot element", Doc: "Inserts an element before or after another one of a list.", Run: linsert},
	{Name: "llen", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "list", Since: "1.0.0",
		Usage: "key", Doc: "Returns the length of a list.", Run: llen},
	{Name: "lmove", Arity: 5, Flags: Write | DenyOOM, Keys: twoKeys, Group: "list", Since: "6.2.0",
		Usage: "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
		Doc:   "Moves an element from an end of one list to an end of another, or of the same one, and returns it.", Run: lmove},
	{Name: "lmpop", Arity: -4, Flags: Write, Keys: Keys{NumKeys: 1}, Group: "list", Since: "7.0.0",
		Usage: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
		Doc:   "Removes elements from an end of the first of several lists that is not empty, and returns them.", Run: lmpop},
	{Name: "lpop", Arity: -2, Flags: Write | Fast, Keys: oneKey, Group: "list", Since: "1.0.0",
		Usage: "key [count]", Doc: "Removes and returns the first elements of a list, and the list with its last element.",
		Run: func(c *Ctx) error { return c.pop(keyspace.Left) }},
	{Name: "lpos", Arity: -3, Flags: ReadOnly, Keys: oneKey, Group: "list", Since: "6.0.6",
		Usage: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
		Doc:   "Returns the indexes of matching elements of a list.", Run: lpos},
	{Name: "lpush", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "list", Since: "1.0.0",
		Usage: "key element [element ...]", Doc: "Puts elements before the first of a list, one after the other.",
		Run: func(c *Ctx) error { return c.push(keyspace.Left) }},
	{Name: "lpushx", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "list", Since: "2.2.0",
		Usage: "key element [element ...]", Doc: "Puts elements before the first of a list, only if the list exists.",
		Run: func(c *Ctx) error { return c.pushX(keyspace.Left) }},
	{Name: "lrange", Arity: 4, Flags: ReadOnly, Keys: oneKey, Group: "list", Since: "1.0.0",
		Usage: "key start stop", Doc: "Returns the elements of a list from one index to another.", Run: lrange},
	{Name: "lrem", Arity: 4, Flags: Write, Keys: oneKey, Group: "list", Since: "1.0.0",
		Usage: "key count element", Doc: "Removes elements equal to the given one from a list.", Run: lrem},
	{Name: "lset", Arity: 4, Flags: Write | DenyOOM, Keys: oneKey, Group: "list", Since: "1.0.0",
		Usage: "key index element", Doc: "Replaces the element of a list at an index.", Run: lset},
	{Name: "ltrim", Arity: 4, Flags: Write, Keys: oneKey, Group: "list", Since: "1.0.0",
		Usage: "key start stop", Doc: "Removes all elements of a list but those from one index to another.", Run: ltrim},
	{Name: "rpop", Arity: -2, Flags: Write | Fast, Keys: oneKey, Group: "list", Since: "1.0.0",
		Usage: "key [count]", Doc: "Removes and returns the last elements of a list, and the list with its last element.",
		Run: func(c *Ctx) error { return c.pop(keyspace.Right) }},
	{Name: "rpoplpush", Arity: 3, Flags: Write | DenyOOM, Keys: twoKeys, Group: "list", Since: "1.2.0",
		Usage: "source destination", Doc: "Moves the last element of a list to the front of another and returns it.",
		Run: func(c *Ctx) error { return c.moveElement(keyspace.Right, keyspace.Left) }},
	{Name: "rpush", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "list", Since: "1.0.0",
		Usage: "key element [element ...]", Doc: "Puts elements behind the last of a list, one after the other.",
		Run: func(c *Ctx) error { return c.push(keyspace.Right) }},
	{Name: "rpushx", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "list", Since: "2.2.0",
		Usage: "key element [element ...]", Doc: "Puts elements behind the last of a list, only if the list exists.",
		Run: func(c *Ctx) error { return c.pushX(keyspace.Right) }},
}

// pushEvent is the name of the event of a push at an end.
func pushEvent(end keyspace.End) string {
	if end == keyspace.Right {
		return "rpush"
	}
	return "lpush"
}

// popEvent is the name of the event of a pop from an end.
func popEvent(end keyspace.End) string {
	if end == keyspace.Right {
		return "rpop"
	}
	return "lpop"
}

// list returns the list at argument 1 and its length.
func (c *Ctx) list() (keyspace.ListKey, int, error) {
	l, err := c.Tx.List(c.Args[1])
	if err != nil {
		return nil, 0, err
	}
	n, err := l.Len()
	return l, n, err
}

// end reads argument i as an end of a list.
func (c *Ctx) end(i int) (keyspace.End, error) {
	switch {
	case c.is(i, "left"):
		return keyspace.Left, nil
	case c.is(i, "right"):
		return keyspace.Right, nil
	}
	return keyspace.Left, ErrSyntax
}

// push is LPUSH and RPUSH.
func (c *Ctx) push(end keyspace.End) error {
	l, err := c.Tx.List(c.Args[1])
	if err != nil {
		return err
	}
	return c.pushTo(l, end)
}

// pushX is LPUSHX and RPUSHX.
func (c *Ctx) pushX(end keyspace.End) error {
	l, n, err := c.list()
	if err != nil || n == 0 {
		return c.count(0, err)
	}
	return c.pushTo(l, end)
}

func (c *Ctx) pushTo(l keyspace.ListKey, end keyspace.End) error {
	n, err := l.Push(end, c.Args[2:])
	if err == nil {
		c.Event(EventList, pushEvent(end), c.Args[1])
	}
	return c.count(n, err)
}

// pop is LPOP and RPOP.
func (c *Ctx) pop(end keyspace.End) error {
	if len(c.Args) > 2 {
		return c.popMany(end)
	}
	l, err := c.Tx.List(c.Args[1])
	if err != nil {
		return err
	}
	c.told = 0
	if err := l.Pop(end, 1, c.bulk); err != nil {
		return err
	}
	if c.told == 0 {
		c.W.Null()
		return nil
	}
	return c.removed(EventList, popEvent(end), c.Args[1], l)
}

// popMany is LPOP and RPOP with a count.
func (c *Ctx) popMany(end keyspace.End) error {
	if len(c.Args) > 3 {
		return wrongArity(c.Row)
	}
	count, err := c.positive(2)
	if err != nil {
		return err
	}
	l, n, err := c.list()
	if err != nil {
		return err
	}
	switch {
	case n == 0:
		c.W.NullArray()
		return nil
	case count == 0:
		c.W.Array(0)
		return nil
	}
	return c.popArray(l, c.Args[1], end, min(count, n))
}

// popArray pops n values, which are there, and replies with an array of them.
func (c *Ctx) popArray(l keyspace.ListKey, key []byte, end keyspace.End, n int) error {
	c.W.Array(n)
	if err := l.Pop(end, n, c.bulk); err != nil {
		return err
	}
	return c.removed(EventList, popEvent(end), key, l)
}

// lmpop is LMPOP and, where it blocks, BLMPOP, whose number of keys is argument i.
func (c *Ctx) lmpop(i int, blocks bool) error {
	numKeys, err := c.atLeastOne(i, "numkeys")
	if err != nil {
		return err
	}
	if numKeys >= len(c.Args)-i-1 {
		return ErrSyntax
	}
	keys := c.Args[i+1 : i+1+numKeys]
	i += 1 + numKeys
	end, err := c.end(i)
	if err != nil {
		return err
	}
	count, counted := 1, false
	for i++; i < len(c.Args); i += 2 {
		if counted || i+1 == len(c.Args) || !c.is(i, "count") {
			return ErrSyntax
		}
		if count, err = c.atLeastOne(i+1, "count"); err != nil {
			return err
		}
		counted = true
	}
	timeout, err := c.timeoutOf(blocks)
	if err != nil {
		return err
	}
	if i, err = c.firstOf(keys, keyspace.List); err != nil {
		return err
	}
	if i < 0 {
		return c.nothing(keys, blocks, timeout)
	}
	l, err := c.Tx.List(keys[i])
	if err != nil {
		return err
	}
	n, err := l.Len()
	if err != nil {
		return err
	}
	c.W.Array(2)
	c.W.Bulk(keys[i])
	return c.popArray(l, keys[i], end, min(count, n))
}

// timeoutOf reads the timeout of a command that blocks, its first argument. It is read last, as in Redis.
func (c *Ctx) timeoutOf(blocks bool) (time.Duration, error) {
	if !blocks {
		return 0, nil
	}
	return c.seconds(1)
}

// nothing ends a command for which there is nothing at its keys: with a null array, or by waiting where it blocks.
func (c *Ctx) nothing(keys [][]byte, blocks bool, timeout time.Duration) error {
	if blocks {
		return c.wait(awaited{keys: keys, timeout: timeout})
	}
	c.W.NullArray()
	return nil
}

func lmpop(c *Ctx) error { return c.lmpop(1, false) }

func blmpop(c *Ctx) error { return c.lmpop(2, true) }

// bpop is BLPOP and BRPOP.
func (c *Ctx) bpop(end keyspace.End) error {
	last := len(c.Args) - 1
	timeout, err := c.seconds(last)
	if err != nil {
		return err
	}
	keys := c.Args[1:last]
	i, err := c.firstOf(keys, keyspace.List)
	if err != nil {
		return err
	}
	if i < 0 {
		return c.wait(awaited{keys: keys, timeout: timeout})
	}
	l, err := c.Tx.List(keys[i])
	if err != nil {
		return err
	}
	c.W.Array(2)
	c.W.Bulk(keys[i])
	if err := l.Pop(end, 1, c.bulk); err != nil {
		return err
	}
	return c.removed(EventList, popEvent(end), keys[i], l)
}

// bmove is BLMOVE and BRPOPLPUSH, whose timeout is the last argument.
func (c *Ctx) bmove(from, to keyspace.End) error {
	timeout, err := c.seconds(len(c.Args) - 1)
	if err != nil {
		return err
	}
	i, err := c.firstOf(c.Args[1:2], keyspace.List)
	if err != nil {
		return err
	}
	if i < 0 {
		return c.wait(awaited{keys: c.Args[1:2], timeout: timeout, denied: (*writer).Null})
	}
	return c.moveElement(from, to)
}

func llen(c *Ctx) error {
	_, n, err := c.list()
	return c.count(n, err)
}

func lindex(c *Ctx) error {
	l, n, err := c.list()
	if err != nil {
		return err
	}
	if n == 0 { // before a bad index is refused, as in Redis
		c.W.Null()
		return nil
	}
	i, err := c.integer(2)
	if err != nil {
		return err
	}
	if i < 0 {
		i += int64(n)
	}
	if i < 0 || i >= int64(n) {
		c.W.Null()
		return nil
	}
	return l.Range(int(i), int(i), false, c.bulkTrue)
}

func lset(c *Ctx) error {
	l, n, err := c.list()
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNoKey
	}
	i, err := c.integer(2)
	if err != nil {
		return err
	}
	if i < -int64(n) || i >= int64(n) {
		return ErrOutOfRange
	}
	if _, err := l.Set(int(i), c.Args[3]); err != nil {
		return err
	}
	c.Event(EventList, "lset", c.Args[1])
	c.W.OK()
	return nil
}

func linsert(c *Ctx) error {
	after := c.is(2, "after")
	if !after && !c.is(2, "before") {
		return ErrSyntax
	}
	l, err := c.Tx.List(c.Args[1])
	if err != nil {
		return err
	}
	n, err := l.Insert(after, c.Args[3], c.Args[4])
	if err == nil && n > 0 {
		c.Event(EventList, "linsert", c.Args[1])
	}
	return c.count(n, err)
}

// window reads arguments 2 and 3 as start and stop, opens the list and clips them to it: 1 and 0 where nothing is
// left.
func (c *Ctx) window() (l keyspace.ListKey, start, stop int, err error) {
	from, err := c.integer(2)
	if err != nil {
		return nil, 0, 0, err
	}
	to, err := c.integer(3)
	if err != nil {
		return nil, 0, 0, err
	}
	l, n, err := c.list()
	size := int64(n)
	if from < 0 {
		from = max(from+size, 0)
	}
	if to < 0 {
		to += size
	}
	to = min(to, size-1)
	if from > to {
		from, to = 1, 0
	}
	return l, int(from), int(to), err
}

func lrange(c *Ctx) error {
	l, start, stop, err := c.window()
	if err != nil {
		return err
	}
	c.W.Array(stop - start + 1)
	if stop < start {
		return nil
	}
	return l.Range(start, stop, false, c.bulkTrue)
}

func ltrim(c *Ctx) error {
	l, start, stop, err := c.window()
	if err != nil {
		return err
	}
	n, err := l.Len()
	if err != nil {
		return err
	}
	if n > 0 {
		if err := l.Trim(start, stop); err != nil {
			return err
		}
		if err := c.removed(EventList, "ltrim", c.Args[1], l); err != nil {
			return err
		}
	}
	c.W.OK()
	return nil
}

func lrem(c *Ctx) error {
	n, err := c.integer(2)
	if err != nil {
		return err
	}
	l, err := c.Tx.List(c.Args[1])
	if err != nil {
		return err
	}
	n = max(n, -math.MaxInt64) // so that a store may negate it
	removed, err := l.Remove(int(n), c.Args[3])
	if err == nil && removed > 0 {
		err = c.removed(EventList, "lrem", c.Args[1], l)
	}
	return c.count(removed, err)
}

// lposOptions are the options of LPOS.
type lposOptions struct {
	rank   int // which match is the first to tell, from 1; negative: from the end
	count  int // how many to tell, 0: all
	array  bool
	maxLen int // how many elements to look at, 0: all
}

func (c *Ctx) lposArgs() (o lposOptions, err error) {
	o.rank = 1
	for i := 3; i < len(c.Args); i += 2 {
		more := i+1 < len(c.Args)
		switch {
		case more && c.is(i, "rank"):
			if o.rank, err = c.signedCount(i + 1); err != nil {
				return o, err
			}
			if o.rank == 0 {
				return o, Refusal("ERR RANK can't be zero: use 1 to start from the first match, " +
					"2 from the second ... or use negative to start from the end of the list")
			}
		case more && c.is(i, "count"):
			o.array = true
			if o.count, err = c.notNegative(i+1, "COUNT"); err != nil {
				return o, err
			}
		case more && c.is(i, "maxlen"):
			if o.maxLen, err = c.notNegative(i+1, "MAXLEN"); err != nil {
				return o, err
			}
		default:
			return o, ErrSyntax
		}
	}
	return o, nil
}

func lpos(c *Ctx) error {
	o, err := c.lposArgs()
	if err != nil {
		return err
	}
	l, n, err := c.list()
	if err != nil {
		return err
	}
	mark, told := c.W.Len(), 0
	reverse, skip := o.rank < 0, max(o.rank, -o.rank)-1
	seen := 0
	if n > 0 {
		err = l.Range(0, n-1, reverse, func(value []byte) bool {
			index := seen
			seen++
			if bytes.Equal(value, c.Args[2]) {
				if reverse {
					index = n - 1 - index
				}
				if skip--; skip < 0 {
					c.W.Int(int64(index))
					told++
					if !o.array || told == o.count {
						return false
					}
				}
			}
			return seen != o.maxLen
		})
	}
	switch {
	case err != nil:
		return err
	case o.array:
		c.W.Insert(mark, told, (*writer).Array)
	case told == 0:
		c.W.Null()
	}
	return nil
}

func lmove(c *Ctx) error { return c.ends((*Ctx).moveElement) }

// ends reads the ends of LMOVE and BLMOVE.
func (c *Ctx) ends(move func(c *Ctx, from, to keyspace.End) error) error {
	from, err := c.end(3)
	if err != nil {
		return err
	}
	to, err := c.end(4)
	if err != nil {
		return err
	}
	return move(c, from, to)
}

// moveElement is LMOVE and RPOPLPUSH: from an end of the list at argument 1 to an end of the one at argument 2.
func (c *Ctx) moveElement(from, to keyspace.End) error {
	l, n, err := c.list()
	if err != nil {
		return err
	}
	if n == 0 { // before the destination is looked at, as in Redis
		c.W.Null()
		return nil
	}
	dst := l
	same := bytes.Equal(c.Args[1], c.Args[2])
	if !same {
		if dst, err = c.Tx.List(c.Args[2]); err != nil {
			return err
		}
	}
	mark := c.W.Len()
	if same && n == 1 {
		// Popping the only element would drop the key, and its expiry with it. It is written all the same: who
		// watches the key is to see that.
		if err := l.Range(0, 0, false, c.bulkTrue); err != nil {
			return err
		}
		_, err = l.Set(0, bulkOf(c.W.Buf[mark:]))
	} else {
		if err := l.Pop(from, 1, c.bulk); err != nil {
			return err
		}
		_, err = dst.Push(to, c.keys1(bulkOf(c.W.Buf[mark:])))
	}
	if err != nil {
		return err
	}
	c.Event(EventList, pushEvent(to), c.Args[2])
	return c.removed(EventList, popEvent(from), c.Args[1], l)
}

// bulkOf is the content of a reply that is one bulk string. It lets a value that the store handed out live on in the
// reply that was made of it.
func bulkOf(reply []byte) []byte {
	return reply[bytes.IndexByte(reply, '\n')+1 : len(reply)-len("\r\n")]
}
