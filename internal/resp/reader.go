package resp

import (
	"bytes"
	"errors"
	"io"
	"math"
)

// Limits bounds what a peer may make a Reader hold. A zero field means the default.
type Limits struct {
	Bulk        int // longest argument in bytes; default 512 MiB (proto-max-bulk-len)
	QueryBuffer int // most bytes of calls not yet answered; default 1 GiB (client-query-buffer-limit)
}

const (
	defaultBulk        = 512 << 20
	defaultQueryBuffer = 1 << 30

	// maxLine bounds an inline call and every length line, as PROTO_INLINE_MAX_SIZE does in Redis.
	maxLine = 64 << 10
	// Peers that have not authenticated get these instead: enough for AUTH and HELLO.
	maxArgsUnauthenticated = 10
	maxBulkUnauthenticated = 16 << 10

	readSize = 16 << 10 // least free space offered to a read
	keepSize = 1 << 20  // a buffer that grew beyond this is given back once it is empty
	keepArgs = 64 << 10 // and so is a list of arguments

	// A buffer beyond wideSize is given back when that many reads in a row needed a quarter of it at most.
	wideSize  = 64 << 10
	wideReads = 50
)

// ProtocolError says how a peer broke the protocol, in Redis's words. The connection cannot go on after it.
type ProtocolError string

func (e ProtocolError) Error() string { return "Protocol error: " + string(e) }

// ErrQueryBuffer is returned when a peer sends more unanswered bytes than Limits.QueryBuffer.
var ErrQueryBuffer = errors.New("query buffer limit exceeded")

// Reader cuts a byte stream into calls without copying. Fill or Feed it, then call Next until it has no
// more. It is not safe for concurrent use.
type Reader struct {
	Limits Limits

	// Unauthenticated holds the peer to the small limits. Whoever sets it runs each call before asking for the
	// next, so that a call behind AUTH in one pipeline meets the large ones.
	Unauthenticated bool

	buf  []byte // buf[pos:end] is unread
	pos  int
	end  int
	idle int      // reads in a row that needed little of a wide buffer
	argv [][]byte // the arguments of all calls handed out since the last Fill, one after the other

	// A call whose last bytes have not come yet: Next goes on here, so that a million arguments
	// arriving in small pieces cost one pass, not one per piece.
	want  int // arguments still to come; 0: between calls
	first int // index in argv of the call's first argument
	bulk  int // length of the argument at pos, or -1 while its header is unread
}

// Buffered is the number of bytes received and not yet handed out.
func (r *Reader) Buffered() int { return r.end - r.pos }

// Begins reports whether b is the next byte that is not yet handed out.
func (r *Reader) Begins(b byte) bool { return r.pos < r.end && r.buf[r.pos] == b }

// Fill reads once from src. Calls handed out before are invalid after it.
func (r *Reader) Fill(src io.Reader) (int, error) {
	if err := r.reserve(readSize); err != nil {
		return 0, err
	}
	n, err := src.Read(r.buf[r.end:cap(r.buf)])
	r.end += n
	return n, err
}

// Feed appends p as if it had been read. Calls handed out before are invalid after it.
func (r *Reader) Feed(p []byte) error {
	if err := r.reserve(len(p)); err != nil {
		return err
	}
	r.end += copy(r.buf[r.end:cap(r.buf)], p)
	return nil
}

// reserve makes room for n more bytes, moving what is unread to the front of the buffer, and keeps the
// arguments of the unfinished call pointing at their bytes.
func (r *Reader) reserve(n int) error {
	limit := r.Limits.QueryBuffer
	if limit == 0 {
		limit = defaultQueryBuffer
	}
	if r.first > 0 { // a call of a million arguments must not be moved for each piece that comes
		r.argv = append(r.argv[:0], r.argv[r.first:]...)
		r.first = 0
	}
	if len(r.argv) == 0 && cap(r.argv) > keepArgs {
		r.argv = nil
	}
	from := r.pos
	if len(r.argv) > 0 {
		from = cap(r.buf) - cap(r.argv[0]) // its offset: every argument is cut with the buffer's own capacity
	}
	used := r.end - from
	if used > limit {
		return ErrQueryBuffer
	}
	buf := r.buf[:cap(r.buf)]
	if r.end > cap(buf)/4 || cap(buf) <= wideSize {
		r.idle = 0
	} else {
		r.idle++
	}
	switch {
	case used == 0 && n <= keepSize && (cap(buf) > keepSize || r.idle >= wideReads):
		buf, r.idle = make([]byte, max(n, readSize)), 0
		clear(r.argv[:cap(r.argv)]) // old calls would pin the large buffer
	case used == 0 && cap(buf) >= n:
		r.pos, r.end = 0, 0
		return nil
	case cap(buf)-r.end >= n && from < cap(buf)/2:
		return nil // room enough where we are
	case cap(buf)-used < n:
		// The header of a large argument tells what will come; still, grow only as bytes arrive.
		buf = make([]byte, max(2*cap(buf), used+n, readSize))
	}
	copy(buf, r.buf[from:r.end])
	for i, a := range r.argv {
		at := cap(r.buf) - cap(a) - from
		r.argv[i] = buf[at : at+len(a)]
	}
	r.buf, r.pos, r.end = buf, r.pos-from, used
	return nil
}

// Next returns the next call, or ok false when more bytes are needed. The slices alias the Reader's buffer
// and are valid until the next Fill or Feed. A ProtocolError is final.
func (r *Reader) Next() (call [][]byte, ok bool, err error) {
	for r.want == 0 {
		if r.pos == r.end {
			return nil, false, nil
		}
		r.first = len(r.argv)
		if r.buf[r.pos] != '*' {
			done, err := r.inline()
			if !done || err != nil {
				return nil, false, err
			}
		} else {
			n, size, err := r.number("invalid multibulk length", "too big mbulk count string")
			if size == 0 || err != nil {
				return nil, false, err
			}
			if n > math.MaxInt32 {
				return nil, false, ProtocolError("invalid multibulk length")
			}
			if n > maxArgsUnauthenticated && r.Unauthenticated {
				return nil, false, ProtocolError("unauthenticated multibulk length")
			}
			r.pos += size
			if n <= 0 {
				continue // an empty call has no reply
			}
			r.want, r.bulk = int(n), -1
			break
		}
		if call := r.argv[r.first:len(r.argv):len(r.argv)]; len(call) > 0 {
			r.first = len(r.argv)
			return call, true, nil
		}
	}
	for r.want > 0 {
		if ok, err := r.argument(); !ok || err != nil {
			return nil, false, err
		}
	}
	call = r.argv[r.first:len(r.argv):len(r.argv)]
	r.first = len(r.argv)
	return call, true, nil
}

// argument takes one bulk string from the buffer.
func (r *Reader) argument() (ok bool, err error) {
	if r.bulk < 0 {
		if r.pos == r.end {
			return false, nil
		}
		if c := r.buf[r.pos]; c != '$' {
			return false, ProtocolError("expected '$', got '" + string([]byte{c}) + "'")
		}
		n, size, err := r.number("invalid bulk length", "too big bulk count string")
		if size == 0 || err != nil {
			return false, err
		}
		limit := r.Limits.Bulk
		if limit == 0 {
			limit = defaultBulk
		}
		if n < 0 || n > int64(limit) {
			return false, ProtocolError("invalid bulk length")
		}
		if n > maxBulkUnauthenticated && r.Unauthenticated {
			return false, ProtocolError("unauthenticated bulk length")
		}
		r.pos += size
		r.bulk = int(n)
	}
	if r.end-r.pos < r.bulk+2 {
		return false, nil
	}
	r.argv = append(r.argv, r.buf[r.pos:r.pos+r.bulk])
	r.pos += r.bulk + 2 // the line end is not looked at, as in Redis
	r.bulk = -1
	r.want--
	return true, nil
}

// number reads a length line, type byte included: its number and its size in the buffer. Size 0 means that
// the line is not there yet.
func (r *Reader) number(invalid, tooLong string) (n int64, size int, err error) {
	b := r.buf[r.pos+1 : r.end]
	// The common line is one to three digits and CR LF.
	for i, c := range b {
		if '0' <= c && c <= '9' && i < 18 {
			n = n*10 + int64(c-'0')
			continue
		}
		if c == '\r' && i > 0 && (i == 1 || b[0] != '0') {
			if i+1 == len(b) {
				return 0, 0, nil
			}
			return n, i + 3, nil
		}
		break
	}
	cr := bytes.IndexByte(b, '\r')
	if cr < 0 {
		if len(b) > maxLine {
			return 0, 0, ProtocolError(tooLong)
		}
		return 0, 0, nil
	}
	if cr+1 == len(b) {
		return 0, 0, nil
	}
	n, ok := ParseInt(b[:cr])
	if !ok {
		return 0, 0, ProtocolError(invalid)
	}
	return n, cr + 3, nil
}

// inline takes a call typed as a line of words, as telnet users do.
func (r *Reader) inline() (done bool, err error) {
	b := r.buf[r.pos:r.end]
	nl := bytes.IndexByte(b, '\n')
	if nl < 0 {
		if len(b) > maxLine {
			return false, ProtocolError("too big inline request")
		}
		return false, nil
	}
	line := bytes.TrimSuffix(b[:nl], []byte{'\r'})
	if bytes.IndexByte(line, '"') < 0 && bytes.IndexByte(line, '\'') < 0 {
		r.plainWords(line)
	} else {
		words, ok := SplitWords(line)
		if !ok {
			return false, ProtocolError("unbalanced quotes in request")
		}
		r.argv = append(r.argv, words...)
	}
	r.pos += nl + 1
	return true, nil
}

// plainWords is SplitWords for a line without quotes, and copies nothing.
func (r *Reader) plainWords(line []byte) {
	for {
		for len(line) > 0 && isSpace(line[0]) {
			line = line[1:]
		}
		if len(line) == 0 {
			return
		}
		n := 0
		for n < len(line) && !endsWord(line[n]) {
			n++
		}
		r.argv = append(r.argv, line[:n])
		line = line[n:]
	}
}

// SplitWords cuts a line into words as redis-cli and inline calls do: separated by white space, "…" with
// \n \r \t \b \a \xHH and \" escapes, '…' with only \'. ok is false for unbalanced quotes. The words are copies.
func SplitWords(line []byte) (words [][]byte, ok bool) {
	i := 0
	for {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return words, true
		}
		word := []byte{}
		for i < len(line) && !endsWord(line[i]) {
			switch line[i] {
			case '"', '\'':
				quote := line[i]
				n, closed := 0, false
				word, n, closed = unquote(word, line[i+1:], quote)
				i += 1 + n
				if !closed || i < len(line) && !isSpace(line[i]) {
					return nil, false
				}
			default:
				word = append(word, line[i])
				i++
			}
		}
		words = append(words, word)
	}
}

// unquote appends the text up to the closing quote and tells how many bytes it took, the quote included.
func unquote(word, s []byte, quote byte) (_ []byte, n int, closed bool) {
	for n < len(s) {
		c := s[n]
		n++
		switch {
		case c == quote:
			return word, n, true
		case c == '\\' && quote == '\'' && n < len(s) && s[n] == '\'':
			word = append(word, '\'')
			n++
		case c == '\\' && quote == '"' && n < len(s):
			if s[n] == 'x' && n+2 < len(s) && hex(s[n+1]) >= 0 && hex(s[n+2]) >= 0 {
				word = append(word, byte(hex(s[n+1])<<4|hex(s[n+2])))
				n += 3
				continue
			}
			word = append(word, unescape(s[n]))
			n++
		default:
			word = append(word, c)
		}
	}
	return word, n, false
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' || c == 0 }

// endsWord is isSpace without the vertical tab and the form feed, which Redis skips before a word and takes as part of
// it once it has begun.
func endsWord(c byte) bool { return isSpace(c) && c != '\v' && c != '\f' }

// Size is the number of bytes of the Reader's buffer, used or not.
func (r *Reader) Size() int { return cap(r.buf) }

// Release gives the buffer back, for a connection that falls silent. It does nothing while a call is half read.
// Calls handed out before are invalid after it.
func (r *Reader) Release() {
	if r.pos == r.end && r.want == 0 {
		r.buf, r.argv = nil, nil
		r.pos, r.end, r.first = 0, 0, 0
	}
}
