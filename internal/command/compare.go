// Comparing: SET and DELEX that depend on what a string is, or on its digest.
package command

import (
	"encoding/hex"

	"github.com/zeebo/xxh3"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// condition is what a string must be. The zero value is always met.
type condition struct {
	arg    int  // the argument that the string is compared with; 0: none
	differ bool // it must not be equal
	digest bool // the digests are compared
}

// conditions are the words for them.
var conditions = []struct {
	word string
	condition
}{
	{"ifeq", condition{}},
	{"ifne", condition{differ: true}},
	{"ifdeq", condition{digest: true}},
	{"ifdne", condition{differ: true, digest: true}},
}

// condition reads the condition whose word is argument i; ok is false if it is none.
func (c *Ctx) condition(i int) (when condition, ok bool) {
	for _, known := range conditions {
		if c.is(i, known.word) {
			when = known.condition
			when.arg = i + 1
			return when, true
		}
	}
	return when, false
}

// meets reports whether a string meets a condition; nil is a missing key, which is unlike any string.
func (c *Ctx) meets(v []byte, when condition) (bool, error) {
	switch {
	case when.arg == 0:
		return true, nil
	case v == nil:
		return when.differ, nil
	case !when.digest:
		return (string(v) == string(c.Args[when.arg])) != when.differ, nil
	}
	want := c.Args[when.arg]
	if len(want) != digestLen {
		return false, Refusal("ERR must be exactly 16 hexadecimal characters")
	}
	var got [digestLen]byte
	hexDigest(&got, v)
	equal := true
	for i := range got {
		equal = equal && got[i] == lower(want[i])
	}
	return equal != when.differ, nil
}

// digestLen is the length of a digest in hexadecimal digits.
const digestLen = 16

// hexDigest writes the XXH3 of v, of 64 bits and with seed 0, in hexadecimal digits.
func hexDigest(dst *[digestLen]byte, v []byte) {
	sum := xxh3.Hash(v)
	var raw [digestLen / 2]byte
	for i := range raw {
		raw[i] = byte(sum >> (56 - 8*i))
	}
	hex.Encode(dst[:], raw[:])
}

func digest(c *Ctx) error {
	v, err := c.get(c.Args[1])
	if err != nil {
		return err
	}
	if v == nil {
		c.W.Null()
		return nil
	}
	var sum [digestLen]byte
	hexDigest(&sum, v)
	c.num = append(c.num[:0], sum[:]...)
	c.W.Bulk(c.num)
	return nil
}

func delEx(c *Ctx) error {
	key := c.Args[1]
	if len(c.Args) != 2 && len(c.Args) != 4 {
		return wrongArity(c.Row)
	}
	e, err := c.entry(key)
	if err != nil {
		return err
	}
	met := e.Type != keyspace.None
	if met && len(c.Args) == 4 {
		if e.Type != keyspace.String {
			return Refusal("ERR Key should be of string type if conditions are specified")
		}
		when, ok := c.condition(2)
		if !ok {
			return Refusal("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
		}
		v, err := c.get(key)
		if err != nil {
			return err
		}
		if met, err = c.meets(v, when); err != nil {
			return err
		}
	}
	if met {
		if _, err := c.Tx.Delete(c.keys1(key)); err != nil {
			return err
		}
		c.Event(EventGeneric, "del", key)
	}
	c.bool1(met)
	return nil
}
