// LCS: the longest common subsequence of two strings.
package command

import (
	"errors"
	"math/bits"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// lcsOptions are the options of LCS.
type lcsOptions struct {
	length, index, matchLen bool
	minMatch                int64
}

func (c *Ctx) lcsArgs() (o lcsOptions, err error) {
	for i := 3; i < len(c.Args); i++ {
		switch {
		case c.is(i, "len"):
			o.length = true
		case c.is(i, "idx"):
			o.index = true
		case c.is(i, "withmatchlen"):
			o.matchLen = true
		case c.is(i, "minmatchlen") && i+1 < len(c.Args):
			i++
			if o.minMatch, err = c.integer(i); err != nil {
				return o, err
			}
		default:
			return o, ErrSyntax
		}
	}
	if o.index && o.length {
		return o, Refusal("ERR If you want both the length and indexes, please just use IDX.")
	}
	return o, nil
}

func lcs(c *Ctx) error {
	var err error
	c.values, err = c.Tx.Get(c.Args[1:3], c.values[:0])
	if errors.Is(err, keyspace.ErrWrongType) {
		return Refusal("ERR The specified keys must contain string values")
	}
	if err != nil {
		return err
	}
	o, err := c.lcsArgs()
	if err != nil {
		return err
	}
	a, b := c.values[0], c.values[1]
	// Redis has a table of four bytes for every pair of places. Ours is smaller, and is refused where that is.
	if (uint64(len(a))+1)*(uint64(len(b))+1)*4 > maxString {
		return Refusal("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
	}
	t := newLCSTable(a, b, !o.length)
	switch {
	case o.length:
		c.W.Int(int64(t.length))
	case o.index:
		c.W.Map(2)
		c.W.BulkString("matches")
		mark, n := c.W.Len(), 0
		t.each(func(m match) {
			if int64(m.n) < o.minMatch {
				return
			}
			n++
			c.writeMatch(m, o.matchLen)
		})
		c.W.Insert(mark, n, (*writer).Array)
		c.W.BulkString("len")
		c.W.Int(int64(t.length))
	default:
		common := make([]byte, t.length)
		at := t.length
		t.each(func(m match) {
			at -= m.n
			copy(common[at:], a[m.a:m.a+m.n])
		})
		c.W.Bulk(common)
	}
	return nil
}

// match is a run of bytes that two strings have in common.
type match struct {
	a, b int // where it starts
	n    int
}

func (c *Ctx) writeMatch(m match, withLength bool) {
	words := 2
	if withLength {
		words = 3
	}
	c.W.Array(words)
	for _, from := range [2]int{m.a, m.b} {
		c.W.Array(2)
		c.W.Int(int64(from))
		c.W.Int(int64(from + m.n - 1))
	}
	if withLength {
		c.W.Int(int64(m.n))
	}
}

// lcsTable is the table of the classic algorithm, where row i and column j hold the length of what the first i bytes of a
// and the first j bytes of b have in common. From one column to the next that length grows by one or not at all, so a row
// is kept as bits, clear where it grows, and computed 64 columns at a time (H. Hyyrö, "Bit-parallel LCS-length
// computation revisited", 2004).
type lcsTable struct {
	a, b   []byte
	length int
	words  int      // of a row
	rows   []uint64 // all rows from the second on, or the last one only
}

func newLCSTable(a, b []byte, all bool) *lcsTable {
	t := &lcsTable{a: a, b: b, words: (len(b) + 63) / 64}
	// Where in b each byte of a occurs.
	var places [256][]uint64
	for _, ch := range a {
		if places[ch] == nil {
			places[ch] = make([]uint64, t.words)
		}
	}
	for j, ch := range b {
		if p := places[ch]; p != nil {
			p[j/64] |= 1 << (j % 64)
		}
	}
	kept := 1
	if all {
		kept = max(len(a), 1)
	}
	t.rows = make([]uint64, kept*t.words)
	last := t.rows[:t.words]
	for j := range last {
		last[j] = ^uint64(0)
	}
	for i, ch := range a {
		row := last
		if all {
			row = t.row(i)
		}
		carry := uint64(0)
		for w, same := range places[ch] {
			v := last[w]
			u := v & same
			var sum uint64
			sum, carry = bits.Add64(v, u, carry)
			row[w] = sum | (v &^ u)
		}
		last = row
	}
	for j, v := range last {
		if rest := len(b) - 64*j; rest < 64 {
			v |= ^uint64(0) << rest
		}
		t.length += 64 - bits.OnesCount64(v)
	}
	return t
}

// row is the row of the first i+1 bytes of a.
func (t *lcsTable) row(i int) []uint64 { return t.rows[i*t.words : (i+1)*t.words] }

// grows reports whether the length grows with byte j of b, compared with byte i of a.
func (t *lcsTable) grows(i, j int) bool { return t.row(i)[j/64]>>(j%64)&1 == 0 }

// each visits the runs in common, the last first, each as far as both strings go on together. Where there are several
// ways, it goes the one that Redis goes.
func (t *lcsTable) each(f func(match)) {
	i, j := len(t.a), len(t.b)
	run := 0
	emit := func() {
		if run > 0 {
			f(match{i, j, run})
		}
		run = 0
	}
	for i > 0 && j > 0 {
		if t.a[i-1] == t.b[j-1] {
			i, j, run = i-1, j-1, run+1
			continue
		}
		emit()
		if t.grows(i-1, j-1) {
			i--
		} else {
			j--
		}
	}
	emit()
}
