// Ids of streams: how arguments spell them.
package command

import (
	"bytes"
	"math"
	"strings"

	"github.com/redbud-go/redbud/internal/keyspace"
)

type streamID = keyspace.StreamID

const (
	errStreamID   = Refusal("ERR Invalid stream ID specified as stream command argument")
	errStartRange = Refusal("ERR invalid start ID for the interval")
	errEndRange   = Refusal("ERR invalid end ID for the interval")
)

// parseStreamID reads "ms-seq", or "ms" alone, whose number is then seq, or "ms-*", for which auto is true.
func parseStreamID(b []byte, seq uint64) (id streamID, auto bool, err error) {
	if i := bytes.IndexByte(b, 0); i >= 0 { // to Redis the end
		b = b[:i]
	}
	if len(b) > 127 {
		return id, false, errStreamID
	}
	ms, rest, two := bytes.Cut(b, []byte{'-'})
	n, ok := parseUint(ms)
	if ok && two {
		if auto = len(rest) == 1 && rest[0] == '*'; auto {
			seq = 0
		} else {
			seq, ok = parseUint(rest)
		}
	}
	if !ok {
		return id, false, errStreamID
	}
	return streamID{Ms: n, Seq: seq}, auto, nil
}

// parseUint reads an unsigned integer as Redis's string2ull does: what is no plain integer is left to strtoull, which takes
// white space, signs and zeros in front.
func parseUint(b []byte) (uint64, bool) {
	if n, ok := parseInt(b); ok {
		return uint64(n), n >= 0
	}
	s := strings.TrimLeft(string(b), " \t\n\v\f\r")
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	var n uint64
	for i := range len(s) {
		d := uint64(s[i]) - '0'
		if d > 9 || n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	if negative {
		n = -n
	}
	return n, s != ""
}

// streamID reads argument i as an id; one without a number has 0.
func (c *Ctx) streamID(i int) (streamID, error) {
	id, auto, err := parseStreamID(c.Args[i], 0)
	if auto {
		return id, errStreamID
	}
	return id, err
}

// streamIDs reads arguments as ids.
func (c *Ctx) streamIDs(args [][]byte) ([]streamID, error) {
	ids := c.stream.ids[:0]
	for _, a := range args {
		id, auto, err := parseStreamID(a, 0)
		if err != nil || auto {
			return nil, errStreamID
		}
		ids = append(ids, id)
	}
	c.stream.ids = ids
	return ids, nil
}

// laxStreamID reads an id, or "-" and "+" for the smallest and the greatest.
func laxStreamID(b []byte, seq uint64) (streamID, error) {
	switch string(b) {
	case "-":
		return streamID{}, nil
	case "+":
		return keyspace.LastStreamID, nil
	}
	id, auto, err := parseStreamID(b, seq)
	if auto {
		return id, errStreamID
	}
	return id, err
}

// startID reads argument i as where an interval begins: "(" takes the id itself out.
func (c *Ctx) startID(i int) (id streamID, err error) {
	b := c.Args[i]
	if len(b) < 2 || b[0] != '(' {
		return laxStreamID(b, 0)
	}
	ok := true
	if id, _, err = parseStreamID(b[1:], 0); err == nil {
		if id, ok = id.Next(); !ok {
			err = errStartRange
		}
	}
	return id, err
}

// endID reads argument i as where an interval ends.
func (c *Ctx) endID(i int) (id streamID, err error) {
	b := c.Args[i]
	if len(b) < 2 || b[0] != '(' {
		return laxStreamID(b, math.MaxUint64)
	}
	ok := true
	if id, _, err = parseStreamID(b[1:], math.MaxUint64); err == nil {
		if id, ok = id.Prev(); !ok {
			err = errEndRange
		}
	}
	return id, err
}

// writeID replies with an id.
func (c *Ctx) writeID(id streamID) {
	c.num = id.AppendTo(c.num[:0])
	c.W.Bulk(c.num)
}
