// Replies: what becomes of them, by their shapes. They come from our own engine, and are read as if they did not.
package native

import (
	"bytes"

	"github.com/redbud-go/redbud/internal/graph"
)

// errReply ends a run whose command has replied something that is not of its shape.
func errReply() *failure { return fail(graph.ErrReply) }

// lineNumber reads the number of a line, from behind its first byte, and tells where the next begins.
func lineNumber(b []byte) (n int64, next int) {
	i, negative := 1, false
	if len(b) > 1 && b[1] == '-' {
		i, negative = 2, true
	}
	var u uint64
	for ; i < len(b) && b[i] != '\r'; i++ {
		d := b[i] - '0'
		if d > 9 {
			panic(errReply())
		}
		u = u*10 + uint64(d)
	}
	if i+2 > len(b) {
		panic(errReply())
	}
	if negative {
		u = -u
	}
	return int64(u), i + 2
}

func integerReply(b []byte) int64 {
	if b[0] != ':' {
		panic(errReply())
	}
	n, _ := lineNumber(b)
	return n
}

func boolReply(b []byte) bool {
	switch b[0] {
	case ':':
		n, _ := lineNumber(b)
		return n != 0
	case '$', '*':
		n, _ := lineNumber(b)
		return n >= 0
	}
	return true
}

func floatReply(b []byte) float64 {
	r := reader{b}
	if b[0] != '$' {
		panic(errReply())
	}
	return r.float()
}

// textReply is the string of a bulk or status; nil for null.
func (f *frame) textReply(b []byte) []byte {
	r := reader{b}
	if b[0] == '+' {
		return f.keep(r.status())
	}
	s, ok := r.bulk()
	if !ok {
		return nil
	}
	return f.keep(s)
}

// must is a string that is not null.
func must(s []byte) []byte {
	if s == nil {
		panic(errReply())
	}
	return s
}

// reader reads a reply from its beginning.
type reader struct{ rest []byte }

// kind is the first byte of what comes next.
func (r *reader) kind() byte {
	if len(r.rest) == 0 {
		panic(errReply())
	}
	return r.rest[0]
}

// number reads the number of a line that begins with a byte.
func (r *reader) number(kind byte) int64 {
	if r.kind() != kind {
		panic(errReply())
	}
	n, next := lineNumber(r.rest)
	r.rest = r.rest[next:]
	return n
}

func (r *reader) status() []byte {
	i := bytes.IndexByte(r.rest, '\r')
	if i < 0 || i+2 > len(r.rest) {
		panic(errReply())
	}
	s := r.rest[1:i]
	r.rest = r.rest[i+2:]
	return s
}

// bulk reads a bulk string, which is borrowed; ok is false for null.
func (r *reader) bulk() (s []byte, ok bool) {
	if r.kind() == '*' { // the null of an array is that of a string, too
		if r.number('*') >= 0 {
			panic(errReply())
		}
		return nil, false
	}
	n := r.number('$')
	if n < 0 {
		return nil, false
	}
	if n > int64(len(r.rest)-2) {
		panic(errReply())
	}
	s = r.rest[:n]
	r.rest = r.rest[n+2:]
	return s, true
}

// str reads a bulk string that is not null.
func (r *reader) str() []byte {
	s, ok := r.bulk()
	if !ok {
		panic(errReply())
	}
	return s
}

func (r *reader) float() float64 {
	x, ok := graph.ParseNumber(r.str())
	if !ok {
		panic(errReply())
	}
	return x
}

// array reads the head of an array; ok is false for null. Each element takes a byte at least.
func (r *reader) array() (n int, ok bool) {
	if r.kind() == '$' {
		if _, ok := r.bulk(); ok {
			panic(errReply())
		}
		return 0, false
	}
	m := r.number('*')
	if m > int64(len(r.rest)) {
		panic(errReply())
	}
	return int(m), m >= 0
}

// arrayOf reads an array, in which each element has so many parts.
func (r *reader) arrayOf(parts int) (n int) {
	n, ok := r.array()
	if !ok || n%parts != 0 {
		panic(errReply())
	}
	return n / parts
}

// shapes are those that make lists and maps, and what can be anything.
var shapes = [...]func(*frame, *reader) value{
	graph.ReplyAny:          func(f *frame, r *reader) value { return f.anything(r, 0) },
	graph.ReplyMaybeFloat:   (*frame).maybeFloat,
	graph.ReplyStrings:      func(f *frame, r *reader) value { return f.strings(r, r.arrayOf(1)) },
	graph.ReplyMaybeStrings: (*frame).maybeStrings,
	graph.ReplyEachMaybe:    (*frame).eachMaybe,
	graph.ReplyBools:        (*frame).bools,
	graph.ReplyMap:          func(f *frame, r *reader) value { return f.pairsOf(r, r.arrayOf(2)) },
	graph.ReplyScored:       (*frame).scored,
	graph.ReplyEntries:      func(f *frame, r *reader) value { return f.entries(r, r.arrayOf(1)) },
	graph.ReplyStream:       (*frame).stream,
}

// anything reads whatever comes.
func (f *frame) anything(r *reader, depth int) value {
	switch r.kind() {
	case ':':
		return ofInt(within(r.number(':')))
	case '+':
		return ofText(f.keep(r.status()))
	case '$':
		if s, ok := r.bulk(); ok {
			return ofText(f.keep(s))
		}
		return value{}
	}
	n, ok := r.array()
	switch {
	case !ok:
		return value{}
	case depth == graph.MaxNested:
		panic(errReply())
	}
	l := f.newList(n)
	for i := range l {
		l[i] = f.anything(r, depth+1)
	}
	return ofList(l)
}

func (f *frame) maybeFloat(r *reader) value {
	s, ok := r.bulk()
	if !ok {
		return value{}
	}
	x, ok := graph.ParseNumber(s)
	if !ok {
		panic(errReply())
	}
	return ofFloat(x)
}

func (f *frame) strings(r *reader, n int) value {
	l := f.newList(n)
	for i := range l {
		l[i] = ofText(f.keep(r.str()))
	}
	return ofList(l)
}

func (f *frame) maybeStrings(r *reader) value {
	n, ok := r.array()
	if !ok {
		return value{}
	}
	return f.strings(r, n)
}

func (f *frame) eachMaybe(r *reader) value {
	l := f.newList(r.arrayOf(1))
	for i := range l {
		if s, ok := r.bulk(); ok {
			l[i] = ofText(f.keep(s))
		}
	}
	return ofList(l)
}

func (f *frame) bools(r *reader) value {
	l := f.newList(r.arrayOf(1))
	for i := range l {
		l[i] = ofBool(r.number(':') != 0)
	}
	return ofList(l)
}

// pairsOf reads n keys and values.
func (f *frame) pairsOf(r *reader, n int) value {
	m := f.newDict(n)
	for range n {
		key := string(r.str())
		m[key] = ofText(f.keep(r.str()))
	}
	return ofDict(m)
}

func (f *frame) scored(r *reader) value {
	l := f.newList(r.arrayOf(2))
	for i := range l {
		pair := f.newList(2)
		pair[0] = ofText(f.keep(r.str()))
		pair[1] = ofFloat(r.float())
		l[i] = ofList(pair)
	}
	return ofList(l)
}

// entries reads n entries of a stream.
func (f *frame) entries(r *reader, n int) value {
	l := f.newList(n)
	for i := range l {
		if r.arrayOf(2) != 1 {
			panic(errReply())
		}
		entry := f.newDict(2)
		entry["id"] = ofText(f.keep(r.str()))
		entry["fields"] = value{}
		if n, ok := r.array(); ok {
			if n%2 != 0 {
				panic(errReply())
			}
			entry["fields"] = f.pairsOf(r, n/2)
		}
		l[i] = ofDict(entry)
	}
	return ofList(l)
}

// stream reads what XREAD says of one stream.
func (f *frame) stream(r *reader) value {
	n, ok := r.array()
	if !ok {
		return ofList(nil)
	}
	if n != 1 || r.arrayOf(2) != 1 {
		panic(errReply())
	}
	r.str()
	return f.entries(r, r.arrayOf(1))
}
