// SORT: the elements of a list, a set or a sorted set in order, that of their own values or of what other keys say of them.
package command

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// sortSkip are the options of SORT whose arguments are no options.
var sortSkip = map[string]int{"limit": 2, "get": 1, "by": 1}

const sortUsage = "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]"

var sortCommands = []*Command{
	{Name: "sort", Arity: -2, Flags: Write | DenyOOM | Dangerous | AllKeys, ACL: "set sortedset list", Group: "generic", Since: "1.0.0",
		Keys:  Keys{First: 1, Last: 1, Step: 1, options: &keyOptions{from: 2, words: []string{"store"}, skip: sortSkip, patterns: true}},
		Usage: sortUsage + " [STORE destination]", Doc: "Sorts a list, a set or a sorted set, and may store the result.", Run: sortKey},
	{Name: "sort_ro", Arity: -2, Flags: ReadOnly | Dangerous | AllKeys, ACL: "set sortedset list", Group: "generic", Since: "7.0.0",
		Keys:  Keys{First: 1, Last: 1, Step: 1, options: &keyOptions{patterns: true}},
		Usage: sortUsage, Doc: "Sorts a list, a set or a sorted set.", Run: sortKey},
}

const errNotScore = Refusal("ERR One or more scores can't be converted into double")

// sorting is a call of SORT.
type sorting struct {
	by            []byte // pattern of the keys that tell the order; nil: the elements do
	unsorted      bool   // there was a pattern without a star: the order is that of the collection
	alpha         bool   // compare bytes, not numbers
	descending    bool
	offset, count int64 // of the result; a negative count is all
	get           [][]byte
	dst           []byte // key to store at; nil: reply

	typ      keyspace.Type
	elements []sortable
}

// sortable is an element with what it is sorted by.
type sortable struct {
	value []byte
	score float64
	word  []byte // with alpha; nil: there is no such key
}

func sortKey(c *Ctx) error {
	s := sorting{count: -1}
	if err := c.sortOptions(&s); err != nil {
		return err
	}
	e, err := c.entry(c.Args[1])
	if err != nil {
		return err
	}
	switch s.typ = e.Type; s.typ {
	case keyspace.None, keyspace.List, keyspace.SortedSet:
	case keyspace.Set:
		// What is stored must not depend on how a set is kept.
		if s.unsorted && (s.dst != nil || c.inScript) {
			s.unsorted, s.alpha, s.by = false, true, nil
		}
	default:
		return ErrWrongType
	}
	counts := c.looks.Counts
	c.uncounted()
	err = c.sortRead(&s)
	c.looks.Counts = counts // for what BY and GET name
	if err != nil {
		return err
	}
	if !s.unsorted {
		if err := c.sortWeigh(&s); err != nil {
			return err
		}
	}
	s.cut()
	if s.dst != nil {
		return c.sortStore(&s)
	}
	c.W.Array(len(s.elements) * max(len(s.get), 1))
	return c.sortEach(&s, c.W.BulkOrNull)
}

// sortOptions reads the options.
func (c *Ctx) sortOptions(s *sorting) (err error) {
	for i := 2; i < len(c.Args); i++ {
		left := len(c.Args) - 1 - i
		switch {
		case c.is(i, "asc"):
			s.descending = false
		case c.is(i, "desc"):
			s.descending = true
		case c.is(i, "alpha"):
			s.alpha = true
		case left >= 2 && c.is(i, "limit"):
			if s.offset, err = c.integer(i + 1); err != nil {
				return err
			}
			if s.count, err = c.integer(i + 2); err != nil {
				return err
			}
			i += 2
		case left >= 1 && c.is(i, "store") && c.Row.Flags&Write != 0:
			i++
			s.dst = c.Args[i]
		case left >= 1 && c.is(i, "by"):
			i++
			s.by = c.Args[i]
			s.unsorted = s.unsorted || bytes.IndexByte(s.by, '*') < 0
		case left >= 1 && c.is(i, "get"):
			i++
			s.get = append(s.get, c.Args[i])
		default:
			return ErrSyntax
		}
	}
	return nil
}

// sortRead gathers the elements. They are copies, since other keys are read later.
func (c *Ctx) sortRead(s *sorting) error {
	var own copies
	add := func(value []byte) { s.elements = append(s.elements, sortable{value: own.of(value)}) }
	backwards := s.unsorted && s.descending
	switch s.typ {
	case keyspace.List:
		list, err := c.Tx.List(c.Args[1])
		if err != nil {
			return err
		}
		return list.Range(0, -1, backwards, func(value []byte) bool {
			add(value)
			return true
		})
	case keyspace.Set:
		set, err := c.Tx.Set(c.Args[1])
		if err != nil {
			return err
		}
		return set.Each(add)
	case keyspace.SortedSet:
		set, err := c.Tx.SortedSet(c.Args[1])
		if err != nil {
			return err
		}
		c.zset.span = keyspace.Range{Stop: -1, Count: -1, Reverse: backwards}
		return set.Range(&c.zset.span, func(member []byte, _ float64) bool {
			add(member)
			return true
		})
	}
	return nil
}

// sortWeigh finds out what each element is sorted by.
func (c *Ctx) sortWeigh(s *sorting) error {
	if s.by == nil {
		for i := range s.elements {
			if e := &s.elements[i]; !s.alpha && !e.weigh(e.value) {
				return errNotScore
			}
		}
		return nil
	}
	by := sortPatternOf(s.by)
	for at := 0; at < len(s.elements); at += sortPiece {
		piece := s.elements[at:min(at+sortPiece, len(s.elements))]
		words, err := c.sortLookup(&by, piece)
		if err != nil {
			return err
		}
		for i, word := range words {
			if s.alpha {
				piece[i].word = word
			} else if word != nil && !piece[i].weigh(word) {
				return errNotScore
			}
		}
	}
	return nil
}

// weigh reads a score as strtod of C does, which stops at a zero byte, takes nothing for 0, and has something against
// numbers too small to have all their digits.
func (e *sortable) weigh(word []byte) bool {
	const normal = 0x1p-1022
	if end := bytes.IndexByte(word, 0); end >= 0 {
		word = word[:end]
	}
	if len(word) == 0 {
		return true
	}
	f, ok := parseFloat(bytes.TrimLeft(word, " \t\n\v\f\r"))
	e.score = f
	return ok && (f == 0 || math.Abs(f) >= normal)
}

// compare orders elements. Numbers that are equal are ordered by the bytes of the elements, so that the result is always
// the same. Words are compared by their bytes, too: there is no locale.
func (s *sorting) compare(a, b sortable) int {
	var order int
	switch {
	case !s.alpha:
		order = cmp.Or(cmp.Compare(a.score, b.score), bytes.Compare(a.value, b.value))
	case s.by == nil:
		order = bytes.Compare(a.value, b.value)
	case a.word == nil || b.word == nil:
		order = boolInt(a.word != nil) - boolInt(b.word != nil)
	default:
		order = bytes.Compare(a.word, b.word)
	}
	if s.descending {
		return -order
	}
	return order
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// cut sorts the elements and leaves those that LIMIT asks for.
func (s *sorting) cut() {
	n := int64(len(s.elements))
	from := min(max(s.offset, 0), n)
	to := n
	if s.count >= 0 {
		to = from + min(s.count, n-from)
	}
	if !s.unsorted {
		sortPart(s.elements, int(from), int(to), s.compare)
	}
	s.elements = s.elements[from:to]
}

// sortStore stores the result as a list, or deletes the key where that would be empty. What GET does not find is stored
// as an empty string.
func (c *Ctx) sortStore(s *sorting) error {
	var own copies
	values := make([][]byte, 0, len(s.elements)*max(len(s.get), 1))
	if err := c.sortEach(s, func(value []byte) { values = append(values, own.of(value)) }); err != nil {
		return err
	}
	c.uncounted()
	c.W.Int(int64(len(values)))
	if len(values) == 0 {
		return c.drop(s.dst)
	}
	if _, err := c.Tx.Delete(c.keys1(s.dst)); err != nil {
		return err
	}
	list, err := c.Tx.List(s.dst)
	if err != nil {
		return err
	}
	if _, err := list.Push(keyspace.Right, values); err != nil {
		return err
	}
	c.Event(EventList, "sortstore", s.dst)
	return nil
}

// sortPiece is for how many elements keys are looked up at a time.
const sortPiece = 1024

// sortEach visits the result: the elements, or for each of them what the GET patterns find, nil where they find nothing.
func (c *Ctx) sortEach(s *sorting, f func(value []byte)) error {
	if len(s.get) == 0 {
		for i := range s.elements {
			f(s.elements[i].value)
		}
		return nil
	}
	patterns := make([]sortPattern, len(s.get))
	for i, p := range s.get {
		patterns[i] = sortPatternOf(p)
	}
	columns := make([][][]byte, len(patterns))
	for at := 0; at < len(s.elements); at += sortPiece {
		piece := s.elements[at:min(at+sortPiece, len(s.elements))]
		for i := range patterns {
			var err error
			if columns[i], err = c.sortLookup(&patterns[i], piece); err != nil {
				return err
			}
		}
		for row := range piece {
			for _, column := range columns {
				f(column[row])
			}
		}
	}
	return nil
}

// sortPattern makes names of keys: an element takes the place of the star. What it leads to is a string or, with a field
// behind an arrow, a field of a hash.
type sortPattern struct {
	element       bool // "#": the element itself
	before, after []byte
	field         []byte // nil: none
	nothing       bool   // no star: it leads nowhere
}

func sortPatternOf(pattern []byte) sortPattern {
	if string(pattern) == "#" {
		return sortPattern{element: true}
	}
	before, after, ok := bytes.Cut(pattern, []byte("*"))
	if !ok {
		return sortPattern{nothing: true}
	}
	if key, field, _ := bytes.Cut(after, []byte("->")); len(field) > 0 {
		return sortPattern{before: before, after: key, field: field}
	}
	return sortPattern{before: before, after: after}
}

// sortLookup returns what a pattern leads to for each element, nil where there is nothing or something of another type.
func (c *Ctx) sortLookup(p *sortPattern, elements []sortable) ([][]byte, error) {
	found := make([][]byte, 0, len(elements))
	switch {
	case p.nothing:
		return found[:len(elements)], nil
	case p.element:
		for i := range elements {
			found = append(found, elements[i].value)
		}
		return found, nil
	}
	keys := make([][]byte, len(elements))
	for i := range elements {
		keys[i] = slices.Concat(p.before, elements[i].value, p.after)
	}
	if p.field == nil {
		found, err := c.Tx.Get(keys, found)
		if errors.Is(err, keyspace.ErrWrongType) {
			err = nil
		}
		return found, err
	}
	for _, key := range keys {
		hash, err := c.Tx.Hash(key)
		switch {
		case errors.Is(err, keyspace.ErrWrongType):
			found = append(found, nil)
			continue
		case err == nil:
			found, err = hash.Get(c.keys1(p.field), found)
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
