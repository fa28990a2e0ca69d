// Package resp is the wire: it reads calls, writes replies, and decodes replies, in RESP2 and RESP3
// (https://redis.io/docs/latest/develop/reference/protocol-spec/). It knows no command and no storage.
package resp

import (
	"math"
	"strconv"
)

// Writer appends replies to Buf in the protocol version Proto. The zero value writes RESP2.
// It is not safe for concurrent use. Every method copies what it is given.
type Writer struct {
	Buf   []byte
	Proto int // 2 or 3; 0 means 2
}

// RESP3 reports whether replies may use the types that RESP3 added.
func (w *Writer) RESP3() bool { return w.Proto == 3 }

// Len is the number of bytes written so far; with Truncate it undoes a reply.
func (w *Writer) Len() int { return len(w.Buf) }

// Truncate drops everything written after the first n bytes.
func (w *Writer) Truncate(n int) { w.Buf = w.Buf[:n] }

// header appends a type byte, a number and the line end: the start of every counted reply.
func (w *Writer) header(kind byte, n int64) {
	if 0 <= n && n < 10 {
		w.Buf = append(w.Buf, kind, byte('0'+n), '\r', '\n')
		return
	}
	w.Buf = append(w.Buf, kind)
	w.Buf = strconv.AppendInt(w.Buf, n, 10)
	w.Buf = append(w.Buf, '\r', '\n')
}

// line appends a type byte and a text that holds no line end.
func (w *Writer) line(kind byte, s string) {
	w.Buf = append(w.Buf, kind)
	w.Buf = append(w.Buf, s...)
	w.Buf = append(w.Buf, '\r', '\n')
}

// OK is the status reply of a command that has nothing else to say.
func (w *Writer) OK() { w.Buf = append(w.Buf, "+OK\r\n"...) }

// Status appends a simple string, which must hold no CR or LF.
func (w *Writer) Status(s string) { w.line('+', s) }

// Error appends an error reply. s starts with its code ("ERR …", "WRONGTYPE …"). Line ends become
// spaces, as in Redis: an argument quoted in a message must not break the framing.
func (w *Writer) Error(s string) {
	w.Buf = append(w.Buf, '-')
	from := len(w.Buf)
	w.Buf = append(w.Buf, s...)
	for i := from; i < len(w.Buf); i++ {
		if w.Buf[i] == '\r' || w.Buf[i] == '\n' {
			w.Buf[i] = ' '
		}
	}
	w.Buf = append(w.Buf, '\r', '\n')
}

// Int appends an integer.
func (w *Writer) Int(n int64) { w.header(':', n) }

// Bulk appends b as a bulk string; nil is the empty string, not null.
func (w *Writer) Bulk(b []byte) {
	w.header('$', int64(len(b)))
	w.Buf = append(w.Buf, b...)
	w.Buf = append(w.Buf, '\r', '\n')
}

// BulkHead starts a bulk string of n bytes, which the caller appends next, and a line end behind them.
func (w *Writer) BulkHead(n int) { w.header('$', int64(n)) }

// BulkString is Bulk for a string.
func (w *Writer) BulkString(s string) {
	w.header('$', int64(len(s)))
	w.Buf = append(w.Buf, s...)
	w.Buf = append(w.Buf, '\r', '\n')
}

// BulkOrNull appends null for nil and a bulk string for everything else.
func (w *Writer) BulkOrNull(b []byte) {
	if b == nil {
		w.Null()
		return
	}
	w.Bulk(b)
}

// BulkInt appends n as a bulk string of decimal digits.
func (w *Writer) BulkInt(n int64) {
	var scratch [20]byte
	w.Bulk(strconv.AppendInt(scratch[:0], n, 10))
}

// Null appends the null of a single value: "$-1" in RESP2.
func (w *Writer) Null() {
	if w.Proto == 3 {
		w.Buf = append(w.Buf, "_\r\n"...)
		return
	}
	w.Buf = append(w.Buf, "$-1\r\n"...)
}

// NullArray appends the null that stands for a missing array: "*-1" in RESP2.
func (w *Writer) NullArray() {
	if w.Proto == 3 {
		w.Buf = append(w.Buf, "_\r\n"...)
		return
	}
	w.Buf = append(w.Buf, "*-1\r\n"...)
}

// Array starts an array of n replies, which the caller appends next.
func (w *Writer) Array(n int) { w.header('*', int64(n)) }

// Map starts a map of n pairs; in RESP2 it is an array of 2n.
func (w *Writer) Map(n int) {
	if w.Proto == 3 {
		w.header('%', int64(n))
		return
	}
	w.header('*', int64(2*n))
}

// Set starts a set of n members; in RESP2 it is an array.
func (w *Writer) Set(n int) {
	if w.Proto == 3 {
		w.header('~', int64(n))
		return
	}
	w.header('*', int64(n))
}

// Push starts an out-of-band message of n elements; in RESP2 it is an array.
func (w *Writer) Push(n int) {
	if w.Proto == 3 {
		w.header('>', int64(n))
		return
	}
	w.header('*', int64(n))
}

// Bool appends a boolean; in RESP2 it is 1 or 0.
func (w *Writer) Bool(b bool) {
	switch {
	case w.Proto != 3 && b:
		w.Int(1)
	case w.Proto != 3:
		w.Int(0)
	case b:
		w.Buf = append(w.Buf, "#t\r\n"...)
	default:
		w.Buf = append(w.Buf, "#f\r\n"...)
	}
}

// Double appends a float; in RESP2 it is a bulk string of the same digits.
func (w *Writer) Double(f float64) {
	if w.Proto == 3 {
		w.Buf = append(w.Buf, ',')
		w.Buf = AppendDouble(w.Buf, f)
		w.Buf = append(w.Buf, '\r', '\n')
		return
	}
	var scratch [32]byte
	w.Bulk(AppendDouble(scratch[:0], f))
}

// Verbatim appends a text with a three-letter format ("txt", "mkd"); in RESP2 it is a bulk string.
func (w *Writer) Verbatim(format, s string) {
	if w.Proto != 3 {
		w.BulkString(s)
		return
	}
	w.header('=', int64(len(s)+4))
	w.Buf = append(w.Buf, format[:3]...)
	w.Buf = append(w.Buf, ':')
	w.Buf = append(w.Buf, s...)
	w.Buf = append(w.Buf, '\r', '\n')
}

// Raw appends bytes that are whole replies already, in this Writer's protocol version.
func (w *Writer) Raw(b []byte) { w.Buf = append(w.Buf, b...) }

// Insert puts a header before what was written since mark: for replies whose length is known
// only at their end. start is one of Array, Map, Set, or a function that appends more before the first element; mark is
// an earlier Len.
//
//	mark := w.Len()
//	n := 0
//	… append n replies …
//	w.Insert(mark, n, (*resp.Writer).Array)
func (w *Writer) Insert(mark, n int, start func(*Writer, int)) {
	end := len(w.Buf)
	start(w, n)
	var scratch [64]byte
	head := append(scratch[:0], w.Buf[end:]...)
	copy(w.Buf[mark+len(head):], w.Buf[mark:end])
	copy(w.Buf[mark:], head)
}

// AppendDouble appends f as Redis 7.2 prints doubles in replies: the shortest digits that read back as f, with an
// exponent where plain digits would need many zeros (1e+21, 1e-7, but 0.000001); inf, -inf and nan for what has no
// digits.
func AppendDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case f == 0 && math.Signbit(f):
		return append(dst, "-0"...)
	case f == math.Trunc(f) && math.Abs(f) < 1<<52:
		return strconv.AppendInt(dst, int64(f), 10)
	}
	// The choice between plain and exponent is that of fpconv_dtoa, which Redis uses: by the place of the last digit.
	var scratch [32]byte
	e := strconv.AppendFloat(scratch[:0], f, 'e', -1, 64)
	mant, exp := splitExponent(e)
	digits := len(mant)
	if mant[0] == '-' {
		digits--
	}
	if digits > 1 {
		digits-- // the point
	}
	last := exp - digits + 1 // the place of the last digit
	abs := exp
	if abs < 0 {
		abs = -abs
	}
	switch {
	case last >= 0 && abs < digits+7:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	case last < 0 && (last > -7 || abs < 4):
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = append(dst, mant...)
	dst = append(dst, 'e')
	if exp < 0 {
		dst = append(dst, '-')
	} else {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(abs), 10)
}

func splitExponent(e []byte) (mantissa []byte, exponent int) {
	for i := len(e) - 1; i >= 0; i-- {
		if e[i] == 'e' {
			exponent, _ = strconv.Atoi(string(e[i+1:])) // written by AppendFloat: always a number
			return e[:i], exponent
		}
	}
	return e, 0
}
