// Collections: what hashes, lists, sets and sorted sets have in common.
package command

import "math"

// collection is any of the store's collections.
type collection interface{ Len() (int, error) }

// removed notes that something was taken out of the collection at a key, and that the key is gone where that was the
// last of it.
func (c *Ctx) removed(class EventClass, name string, key []byte, coll collection) error {
	if !c.Engine.told() {
		return nil
	}
	c.Event(class, name, key)
	n, err := coll.Len()
	if err == nil && n == 0 {
		c.Event(EventGeneric, "del", key)
	}
	return err
}

// drop deletes a key, of any type, that a command was to store an empty result at.
func (c *Ctx) drop(key []byte) error {
	n, err := c.Tx.Delete(c.keys1(key))
	if n > 0 {
		c.Event(EventGeneric, "del", key)
	}
	return err
}

// copies keeps copies of small values in few blocks. The zero value is ready. A store may use the memory of a value that
// it hands to a visitor again for the next one, so a command that gathers values gathers copies.
type copies struct {
	free []byte // the rest of the current block
	size int    // of the current block; the next is twice as large, within reason
}

// of returns a copy of v.
func (s *copies) of(v []byte) []byte {
	if s.free == nil || len(v) > len(s.free) {
		s.free = make([]byte, max(len(v), min(2*s.size, 64<<10), 64))
		s.size = len(s.free)
	}
	n := copy(s.free, v)
	own := s.free[:n:n]
	s.free = s.free[n:]
	return own
}

// scanOpen settles what HSCAN, SSCAN and ZSCAN do before they scan, given what scanArgs and opening the collection
// returned. Redis reads the cursor, then the key, then the options: a missing key is an empty scan whatever the
// options say. done means that the reply is written.
func (c *Ctx) scanOpen(argsErr error, coll collection, openErr error) (done bool, err error) {
	if argsErr == errCursor {
		return false, argsErr
	}
	if openErr != nil {
		return false, openErr
	}
	n, err := coll.Len()
	if err != nil {
		return false, err
	}
	if n == 0 {
		c.W.Array(2)
		c.W.BulkString("0")
		c.W.Array(0)
		return true, nil
	}
	return false, argsErr
}

// signedCount reads argument i as the count of SRANDMEMBER and its kin: negative where elements may repeat. The
// smallest integer is out, since it has no positive counterpart.
func (c *Ctx) signedCount(i int) (int, error) {
	n, err := c.integer(i)
	if err != nil {
		return 0, err
	}
	if n == math.MinInt64 {
		return 0, errCountRange
	}
	return int(n), nil
}

const errCountRange = Refusal("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")

// atLeastOne reads argument i as a count above zero, which its refusal calls what.
func (c *Ctx) atLeastOne(i int, what string) (int, error) {
	n, ok := parseInt(c.Args[i])
	if !ok || n < 1 {
		return 0, Refusal("ERR " + what + " should be greater than 0")
	}
	return int(n), nil
}

// drawn is how many elements a random draw of count, as signedCount reads it, gets from a collection of n.
func drawn(count, n int) int {
	switch {
	case n == 0:
		return 0
	case count < 0:
		return -count
	}
	return min(count, n)
}

// notNegative reads argument i as the number of an option, which its refusal names.
func (c *Ctx) notNegative(i int, option string) (int, error) {
	n, ok := parseInt(c.Args[i])
	if !ok || n < 0 {
		return 0, Refusal("ERR " + option + " can't be negative")
	}
	return int(n), nil
}
