package rdb

import (
	"encoding/binary"
	"fmt"
	"io"
)

// chunk is how much of a file is read at once.
const chunk = 256 << 10

// source is where bytes come from: a payload, or a file. Once it has failed there are no more: what is taken is empty.
type source struct {
	buf []byte // a payload, or a part of a file; what was taken is never written to again
	pos int    // how much of buf is taken
	err error

	r    io.Reader // nil: buf is all
	base int64     // offset in the file of buf
	sum  uint64    // of what is before buf[summed]

	summed int
}

// offset is how many bytes were taken.
func (s *source) offset() int64 { return s.base + int64(s.pos) }

// fail notes what is wrong, unless something is already.
func (s *source) fail(format string, args ...any) {
	if s.err == nil {
		s.stop(&CorruptError{s.offset(), fmt.Sprintf(format, args...)})
	}
}

func (s *source) stop(err error) {
	s.base, s.err = s.offset(), err
	s.buf, s.pos, s.summed = nil, 0, 0
}

// take returns the next n bytes, nil after a failure.
func (s *source) take(n uint64) []byte {
	if n > uint64(len(s.buf)-s.pos) && !s.fill(n) {
		return nil
	}
	from := s.pos
	s.pos += int(n)
	return s.buf[from:s.pos:s.pos]
}

// fill reads until there are n bytes to take. It allocates no more than twice what there is.
func (s *source) fill(n uint64) bool {
	if s.err != nil {
		return false
	}
	if s.r == nil {
		s.fail("%d bytes should follow, %d are there", n, len(s.buf)-s.pos)
		return false
	}
	for have := len(s.buf) - s.pos; uint64(have) < n; have = len(s.buf) - s.pos {
		if len(s.buf) == cap(s.buf) {
			next := make([]byte, have, max(chunk, min(n, 2*uint64(have))))
			copy(next, s.buf[s.pos:])
			s.addSum()
			s.base += int64(s.pos)
			s.buf, s.pos, s.summed = next, 0, 0
		}
		free := s.buf[len(s.buf):cap(s.buf)]
		more, err := io.ReadAtLeast(s.r, free, int(min(n-uint64(have), uint64(len(free)))))
		s.buf = s.buf[:len(s.buf)+more]
		switch {
		case err == io.EOF, err == io.ErrUnexpectedEOF:
			s.fail("%d bytes should follow, %d are there", n, len(s.buf)-s.pos)
			return false
		case err != nil:
			s.stop(err)
			return false
		}
	}
	return true
}

// addSum adds to the checksum what was taken since.
func (s *source) addSum() {
	s.sum = sum(s.sum, s.buf[s.summed:s.pos])
	s.summed = s.pos
}

func (s *source) byte() byte {
	if s.pos < len(s.buf) {
		s.pos++
		return s.buf[s.pos-1]
	}
	if b := s.take(1); b != nil {
		return b[0]
	}
	return 0
}

// uint32 and uint64 read little-endian integers.
func (s *source) uint32() uint32 {
	if b := s.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (s *source) uint64() uint64 {
	if b := s.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// The special encodings of strings, which stand in place of a length.
const (
	encodedInt8 = iota
	encodedInt16
	encodedInt32
	encodedLZF
)

// lengthOrEncoding reads a length, or the encoding of a string.
func (s *source) lengthOrEncoding() (n uint64, encoded bool) {
	b := s.byte()
	switch b >> 6 {
	case 0:
		return uint64(b), false
	case 1:
		return uint64(b&0x3f)<<8 | uint64(s.byte()), false
	case 3:
		return uint64(b & 0x3f), true
	}
	switch b {
	case 0x80:
		if b := s.take(4); b != nil {
			return uint64(binary.BigEndian.Uint32(b)), false
		}
		return 0, false
	case 0x81:
		if b := s.take(8); b != nil {
			return binary.BigEndian.Uint64(b), false
		}
		return 0, false
	}
	s.fail("a length begins with %#x", b)
	return 0, false
}

// length reads a length.
func (s *source) length() uint64 {
	n, encoded := s.lengthOrEncoding()
	if encoded {
		s.fail("an encoding in place of a length")
		return 0
	}
	return n
}
