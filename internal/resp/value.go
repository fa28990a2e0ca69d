package resp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
)

// Value is a reply as a tree: for programs that look at replies, or print them, rather than pass them on.
//
// Kind is the type byte it came with and tells which fields count:
//
//	'+' '-' '$' '!'  Str: status, error, bulk string, long error
//	'='              Str, and in Format the three letters before it: verbatim text
//	':'              Int
//	'#'              Bool
//	','              Float, and in Str its digits as sent
//	'('              Str: the digits of a big number
//	'_'              nothing, and Null is set
//	'*' '~' '>'      Elems: array, set, push message
//	'%'              Elems: each key followed by its value
//
// RESP2 has nulls of the kinds '$' and '*' too; Null is what tells them.
type Value struct {
	Kind   byte
	Null   bool
	Bool   bool
	Format [3]byte
	Int    int64
	Float  float64
	Str    []byte
	Elems  []Value
}

// IsError reports whether v is an error reply, whose text is Str.
func (v *Value) IsError() bool { return v.Kind == '-' || v.Kind == '!' }

// IsAggregate reports whether v consists of Elems.
func (v *Value) IsAggregate() bool {
	switch v.Kind {
	case '*', '~', '>', '%':
		return !v.Null
	}
	return false
}

// Equal reports whether two replies are the same bytes on the wire, save that a NaN equals a NaN however spelled.
func (v *Value) Equal(u *Value) bool {
	if v.Kind != u.Kind || v.Null != u.Null || len(v.Elems) != len(u.Elems) {
		return false
	}
	switch v.Kind {
	case ':':
		return v.Int == u.Int
	case '#':
		return v.Bool == u.Bool
	case ',':
		return bytes.Equal(v.Str, u.Str) || math.IsNaN(v.Float) && math.IsNaN(u.Float)
	case '=':
		return v.Format == u.Format && bytes.Equal(v.Str, u.Str)
	}
	for i := range v.Elems {
		if !v.Elems[i].Equal(&u.Elems[i]) {
			return false
		}
	}
	return bytes.Equal(v.Str, u.Str)
}

const (
	maxDepth = 128     // how deep replies may nest; Redis's own stay below ten
	maxReply = 1 << 30 // longest string or line and largest count in a reply: what is larger is not RESP

	// A peer that announces much and sends little must not make us allocate: so much is believed at once.
	trustElems = 64
	trustBytes = 64 << 10
)

// DecodeValue takes one reply from the front of b. The value's strings alias b. An incomplete reply is
// io.ErrUnexpectedEOF; anything that is no RESP is a ProtocolError. Attributes before a reply are dropped.
func DecodeValue(b []byte) (v Value, rest []byte, err error) {
	s := sliceSource(b)
	v, err = decode(&s, 0)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return v, s, err
}

// ReadValue reads one reply. The value owns its strings, and memory is taken only as bytes arrive. A stream that ends
// between two replies is io.EOF, one that ends within a reply is io.ErrUnexpectedEOF; after these and after a
// ProtocolError the stream is of no more use. Attributes before a reply are dropped.
func ReadValue(r *bufio.Reader) (Value, error) {
	if _, err := r.Peek(1); err != nil {
		return Value{}, err
	}
	v, err := decode(streamSource{r}, 0)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return v, err
}

// source is where decode takes bytes from. What its methods return stays as it is.
type source interface {
	line() ([]byte, error) // up to the next CR LF, which is dropped
	bulk(n int) ([]byte, error)
}

type sliceSource []byte

func (s *sliceSource) line() ([]byte, error) {
	i := bytes.Index(*s, []byte("\r\n"))
	if i < 0 {
		return nil, io.EOF
	}
	line := (*s)[:i:i]
	*s = (*s)[i+2:]
	return line, nil
}

func (s *sliceSource) bulk(n int) ([]byte, error) {
	if len(*s) < n+2 {
		return nil, io.EOF
	}
	b, end := (*s)[:n:n], (*s)[n:n+2]
	*s = (*s)[n+2:]
	return b, lineEnd(end)
}

type streamSource struct{ r *bufio.Reader }

func (s streamSource) line() ([]byte, error) {
	var line []byte
	for {
		part, err := s.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > maxReply:
			return nil, ProtocolError("too long a line in a reply")
		case err == nil && bytes.HasSuffix(line, []byte("\r\n")):
			return line[:len(line)-2], nil
		}
	}
}

func (s streamSource) bulk(n int) ([]byte, error) {
	b := make([]byte, 0, min(n+2, trustBytes))
	for len(b) < n+2 {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		part := b[len(b):min(cap(b), n+2)]
		if _, err := io.ReadFull(s.r, part); err != nil {
			return nil, err
		}
		b = b[:len(b)+len(part)]
	}
	return b[:n:n], lineEnd(b[n:])
}

func lineEnd(b []byte) error {
	if string(b) != "\r\n" {
		return ProtocolError("a string in a reply does not end where it said")
	}
	return nil
}

func decode(s source, depth int) (Value, error) {
	if depth > maxDepth {
		return Value{}, ProtocolError("too deeply nested a reply")
	}
	for {
		line, err := s.line()
		if err != nil {
			return Value{}, err
		}
		if len(line) == 0 {
			return Value{}, ProtocolError("empty line where a reply should start")
		}
		v := Value{Kind: line[0]}
		text := line[1:]
		switch v.Kind {
		case '|': // pairs that describe the reply after them
			n, err := count(text, 2)
			if err != nil {
				return Value{}, err
			}
			for range n {
				if _, err := decode(s, depth+1); err != nil {
					return Value{}, err
				}
			}
			continue
		case '$', '!', '=':
			err = v.decodeBulk(s, text)
		case '*', '~', '>', '%':
			err = v.decodeElems(s, text, depth)
		default:
			err = v.decodeLine(text)
		}
		return v, err
	}
}

// decodeLine reads the kinds that are one line.
func (v *Value) decodeLine(text []byte) (err error) {
	ok := true
	switch v.Kind {
	case '+', '-':
		v.Str = text
	case ':':
		v.Int, ok = ParseInt(text)
	case '_':
		v.Null, ok = true, len(text) == 0
	case '#':
		v.Bool = string(text) == "t"
		ok = v.Bool || string(text) == "f"
	case ',':
		v.Str = text
		v.Float, err = strconv.ParseFloat(string(text), 64)
		ok = err == nil || errors.Is(err, strconv.ErrRange)
	case '(':
		v.Str, ok = text, isInteger(text)
	default:
		return ProtocolError("unknown reply type " + strconv.QuoteRune(rune(v.Kind)))
	}
	if !ok {
		return ProtocolError("bad reply line " + strconv.Quote(string(v.Kind)+clipLine(text)))
	}
	return nil
}

func clipLine(b []byte) string { return string(b[:min(len(b), 32)]) }

func isInteger(b []byte) bool {
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		b = b[1:]
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// count reads the number of an aggregate or string, times each; -1 is null.
func count(text []byte, each int) (int, error) {
	n, ok := ParseInt(text)
	if !ok || n < -1 || n > maxReply {
		return 0, ProtocolError("bad length in a reply: " + strconv.Quote(clipLine(text)))
	}
	if n < 0 {
		return -1, nil
	}
	return int(n) * each, nil
}

func (v *Value) decodeBulk(s source, text []byte) error {
	n, err := count(text, 1)
	if err != nil {
		return err
	}
	if n < 0 {
		v.Null = true
		return nil
	}
	if v.Str, err = s.bulk(n); err != nil || v.Kind != '=' {
		return err
	}
	if len(v.Str) < 4 || v.Str[3] != ':' {
		return ProtocolError("a verbatim string without its format")
	}
	v.Format, v.Str = [3]byte(v.Str), v.Str[4:]
	return nil
}

func (v *Value) decodeElems(s source, text []byte, depth int) error {
	each := 1
	if v.Kind == '%' {
		each = 2
	}
	n, err := count(text, each)
	if err != nil {
		return err
	}
	if n < 0 {
		v.Null = true
		return nil
	}
	v.Elems = make([]Value, 0, min(n, trustElems))
	for range n {
		e, err := decode(s, depth+1)
		if err != nil {
			return err
		}
		v.Elems = append(v.Elems, e)
	}
	return nil
}

// Value appends a decoded reply. In RESP2 the kinds that it lacks become those that Redis sends in their place.
func (w *Writer) Value(v *Value) {
	if v.Null {
		if v.Kind == '*' {
			w.NullArray()
		} else {
			w.Null()
		}
		return
	}
	switch v.Kind {
	case '+', '-':
		w.line(v.Kind, string(v.Str))
	case ':':
		w.Int(v.Int)
	case '#':
		w.Bool(v.Bool)
	case ',', '(':
		if w.RESP3() {
			w.line(v.Kind, string(v.Str))
		} else {
			w.Bulk(v.Str)
		}
	case '!':
		if w.RESP3() {
			w.header('!', int64(len(v.Str)))
			w.Buf = append(w.Buf, v.Str...)
			w.Buf = append(w.Buf, '\r', '\n')
		} else {
			w.Error(string(v.Str))
		}
	case '=':
		w.Verbatim(string(v.Format[:]), string(v.Str))
	case '$':
		w.Bulk(v.Str)
	default:
		switch v.Kind {
		case '%':
			w.Map(len(v.Elems) / 2)
		case '~':
			w.Set(len(v.Elems))
		case '>':
			w.Push(len(v.Elems))
		default:
			w.Array(len(v.Elems))
		}
		for i := range v.Elems {
			w.Value(&v.Elems[i])
		}
	}
}
