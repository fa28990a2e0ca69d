// HyperLogLog: how many different elements were added, told from 12 kB with an error of 0.81 %. sketch.go has the strings
// that they are kept in.
package command

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var hyperloglogCommands = []*Command{
	{Name: "pfadd", Arity: -2, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "hyperloglog", Since: "2.8.9",
		Usage: "key [element [element ...]]", Doc: "Adds elements to a HyperLogLog. Creates the key if it doesn't exist.", Run: pfAdd},
	{Name: "pfcount", Arity: -2, Flags: ReadOnly | MayReplicate, Keys: allKeys, Group: "hyperloglog", Since: "2.8.9",
		Usage: "key [key ...]", Doc: "Estimates how many different elements were added to one or more HyperLogLogs.", Run: pfCount},
	{Name: "pfdebug", Arity: 3, Flags: Write | DenyOOM | Admin, Keys: Keys{First: 2, Last: 2, Step: 1}, Group: "hyperloglog", Since: "2.8.9",
		Usage: "subcommand key", Doc: "Shows and converts the representation of a HyperLogLog.", Run: pfDebug},
	{Name: "pfmerge", Arity: -2, Flags: Write | DenyOOM, Keys: allKeys, Group: "hyperloglog", Since: "2.8.9",
		Usage: "destkey [sourcekey [sourcekey ...]]", Doc: "Merges HyperLogLogs into one.", Run: pfMerge},
	{Name: "pfselftest", Arity: 1, Flags: Admin, Group: "hyperloglog", Since: "2.8.9",
		Doc: "Tests the implementation of HyperLogLogs.", Run: pfSelfTest},
}

// sketch returns the sketch at a key, nil if it is missing.
func (c *Ctx) sketch(key []byte) ([]byte, error) {
	v, err := c.get(key)
	if err == nil && v != nil && !isSketch(v) {
		err = errNotSketch
	}
	return v, err
}

func pfAdd(c *Ctx) error {
	key := c.Args[1]
	v, err := c.sketch(key)
	if err != nil {
		return err
	}
	changed := v == nil
	s := c.editSketch(v)
	for _, element := range c.Args[2:] {
		raised, err := s.raise(registerOf(element))
		if err != nil {
			return err
		}
		changed = changed || raised
	}
	if changed {
		s.invalidate()
		if err := s.store(key); err != nil {
			return err
		}
		c.Event(EventString, "pfadd", key)
	}
	c.bool1(changed)
	return nil
}

func pfCount(c *Ctx) error {
	if len(c.Args) > 2 {
		return pfCountMany(c)
	}
	key := c.Args[1]
	v, err := c.sketch(key)
	if err != nil {
		return err
	}
	if v == nil {
		c.W.Int(0)
		return nil
	}
	n, ok := cachedEstimate(v)
	if !ok {
		var h histogram
		if !h.count(v) {
			return errSketchCorrupt
		}
		n = h.estimate()
		c.num = binary.LittleEndian.AppendUint64(c.num[:0], n)
		if _, err := c.Tx.SetRange(key, sketchEstimate, c.num); err != nil {
			return err
		}
	}
	c.W.Int(int64(n))
	return nil
}

func pfCountMany(c *Ctx) error {
	var r registers
	if _, err := c.mergeSketches(&r); err != nil {
		return err
	}
	var h histogram
	for _, value := range r {
		h[value]++
	}
	c.W.Int(int64(h.estimate()))
	return nil
}

// mergeSketches raises registers to those of all keys of the call and leaves the sketches in c.values. dense tells whether
// one of them is.
func (c *Ctx) mergeSketches(r *registers) (dense bool, err error) {
	keys := c.Args[1:]
	c.values, err = c.Tx.Get(keys, c.values[:0])
	wrongType := errors.Is(err, keyspace.ErrWrongType)
	if err != nil && !wrongType {
		return false, err
	}
	for i, v := range c.values {
		switch {
		case v == nil && wrongType: // this key or another one
			e, err := c.entry(keys[i])
			if err != nil {
				return false, err
			}
			if e.Type != keyspace.None {
				return false, ErrWrongType
			}
		case v == nil:
		case !isSketch(v):
			return false, errNotSketch
		case !r.raise(v):
			return false, errSketchCorrupt
		default:
			dense = dense || v[4] == sketchDense
		}
	}
	return dense, nil
}

func pfMerge(c *Ctx) error {
	var r registers
	dense, err := c.mergeSketches(&r)
	if err != nil {
		return err
	}
	s := c.editSketch(c.values[0])
	if dense {
		s.setDense(&r)
	} else {
		for i, value := range r {
			if value == 0 {
				continue
			}
			if _, err := s.raise(i, value); err != nil {
				return err
			}
		}
	}
	s.invalidate()
	if err := s.store(c.Args[1]); err != nil {
		return err
	}
	c.Event(EventString, "pfadd", c.Args[1])
	c.W.OK()
	return nil
}

func pfDebug(c *Ctx) error {
	key := c.Args[2]
	v, err := c.sketch(key)
	if err != nil {
		return err
	}
	if v == nil {
		return Refusal("ERR The specified key does not exist")
	}
	sparse := v[4] == sketchSparse
	var r registers
	switch {
	case c.is(1, "decode"):
		if !sparse {
			return Refusal("ERR HLL encoding is not sparse")
		}
		c.W.BulkString(runsText(v))
		return nil
	case c.is(1, "encoding"):
		if sparse {
			c.W.Status("sparse")
		} else {
			c.W.Status("dense")
		}
		return nil
	case c.is(1, "getreg"), c.is(1, "todense"):
		if !r.raise(v) {
			return errSketchCorrupt
		}
		if sparse {
			s := c.editSketch(v)
			s.setDense(&r)
			if err := s.store(key); err != nil {
				return err
			}
		}
	default:
		return Refusal("ERR Unknown PFDEBUG subcommand '" + clip(c.Args[1]) + "'")
	}
	if c.is(1, "todense") {
		c.bool1(sparse)
		return nil
	}
	c.W.Array(len(r))
	for _, value := range r {
		c.W.Int(int64(value))
	}
	return nil
}

// runsText spells the runs of a sparse sketch: "Z:1000 v:1,2 z:40", where Z is one of two bytes.
func runsText(v []byte) string {
	var text []byte
	for at := sketchHead; at < len(v); {
		r := runAt(v, at)
		switch {
		case r.value > 0:
			text = append(text, "v:"...)
			text = strconv.AppendInt(text, int64(r.value), 10)
			text = append(text, ',')
		case r.size == 2:
			text = append(text, "Z:"...)
		default:
			text = append(text, "z:"...)
		}
		text = strconv.AppendInt(text, int64(r.n), 10)
		text = append(text, ' ')
		at += r.size
	}
	return string(text[:max(len(text)-1, 0)])
}

// pfSelfTest adds numbers to two sketches, one of which is dense from the start, and wants them to agree with each other
// and, within six times the standard error, with the truth.
func pfSelfTest(c *Ctx) error {
	const most = 100_000
	var r registers
	sparse, dense := c.editSketch(nil), c.editSketch(nil)
	// Each has memory of its own, of which the scratch has but one.
	sparse.v, dense.v = []byte(emptySketch), make([]byte, sketchDenseLen)
	r.writeDense(dense.v, []byte(emptySketch))
	element := make([]byte, 8)
	for n, check := uint64(1), uint64(1); n <= most; n++ {
		binary.LittleEndian.PutUint64(element, n)
		index, value := registerOf(element)
		one, err := sparse.raise(index, value)
		if err != nil {
			return err
		}
		if two, _ := dense.raise(index, value); one != two {
			return Refusal("ERR TESTFAILED dense/sparse disagree")
		}
		if n != check {
			continue
		}
		check *= 10
		var h, other histogram
		if !h.count(dense.v) || !other.count(sparse.v) || h != other {
			return Refusal("ERR TESTFAILED dense/sparse disagree")
		}
		off := math.Abs(float64(h.estimate()) - float64(n))
		if off > math.Ceil(6*1.04/math.Sqrt(sketchRegisters)*float64(n)) {
			return Refusal("ERR TESTFAILED Too big error. card:" + strconv.FormatUint(n, 10) + " abserr:" + strconv.FormatFloat(off, 'f', 0, 64))
		}
	}
	c.W.OK()
	return nil
}
