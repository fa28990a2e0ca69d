package codec

// The layers that compress. What they store is the bare stream of their format, as any tool of the field reads it.
// A value below the threshold is stored as it is behind one zero byte: no zlib or zstd stream begins so, and the only s2 block
// that does is the empty one, which means the same. So every layer reads what it wrote under any threshold.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

const asItIs = 0 // the first byte of a value that is not compressed

// limits are what all layers have in common.
type limits struct {
	min int // shorter values, and those that do not shrink, are stored as they are; 0: every value is compressed
	max int // the largest value
}

// format is a way to compress.
type format interface {
	compress(dst, src []byte) ([]byte, error)
	decompress(dst, src []byte, max int) ([]byte, error) // ErrTooLarge if more than max bytes come out; src is never empty
}

// compressor is the layer of a format.
type compressor struct {
	limits
	format
	name string // with its options
}

func (c *compressor) String() string { return c.name }

func (c *compressor) Append(dst, src []byte) ([]byte, error) {
	if len(src) > c.max {
		return dst, fmt.Errorf("%w: %d bytes, and %d are allowed", ErrTooLarge, len(src), c.max)
	}
	if len(src) >= c.min {
		longer, err := c.compress(dst, src)
		if err != nil {
			return dst, err
		}
		if c.min == 0 || len(longer)-len(dst) <= len(src) {
			return longer, nil
		}
	}
	return append(append(dst, asItIs), src...), nil
}

func (c *compressor) Restore(dst, src []byte) ([]byte, error) {
	if len(src) == 0 {
		return dst, fmt.Errorf("%w: no data", ErrDecode)
	}
	if src[0] == asItIs {
		if len(src)-1 > c.max {
			return dst, tooLarge(c.max)
		}
		return append(dst, src[1:]...), nil
	}
	longer, err := c.decompress(dst, src, c.max)
	if err != nil {
		return dst, undecodable(err)
	}
	return longer, nil
}

func tooLarge(max int) error {
	return fmt.Errorf("%w: %w: more than %d bytes", ErrDecode, ErrTooLarge, max)
}

// zstdFormat is RFC 8878.
type zstdFormat struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

func newZstd(level, max int) (format, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithZeroFrames(true), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(max)), zstd.WithDecoderConcurrency(0))
	if err != nil {
		return nil, err
	}
	return zstdFormat{encoder, decoder}, nil
}

func (f zstdFormat) compress(dst, src []byte) ([]byte, error) {
	return f.encoder.EncodeAll(src, dst), nil
}

func (f zstdFormat) decompress(dst, src []byte, max int) ([]byte, error) {
	// The decoder allocates what the header promises, and a block of 128 KiB takes at least 4 bytes: more than that is a lie.
	var header zstd.Header
	if err := header.Decode(src); err != nil {
		return dst, err
	}
	if header.Skippable {
		return dst, errors.New("a frame without a value")
	}
	if header.HasFCS && header.FrameContentSize>>17 > uint64(len(src)/4) && header.FrameContentSize <= uint64(max) {
		return dst, fmt.Errorf("%d bytes cannot hold %d", len(src), header.FrameContentSize)
	}
	longer, err := f.decoder.DecodeAll(src, dst)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return dst, tooLarge(max)
	}
	return longer, err
}

// s2Format is one block of s2, which includes those of Snappy. It has no checksum.
type s2Format struct {
	encode func(dst, src []byte) []byte
}

var s2Levels = []func(dst, src []byte) []byte{s2.Encode, s2.EncodeBetter, s2.EncodeBest}

func newS2(level, _ int) (format, error) { return s2Format{s2Levels[level-1]}, nil }

func (f s2Format) compress(dst, src []byte) ([]byte, error) {
	n := s2.MaxEncodedLen(len(src))
	if n < 0 {
		return dst, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(src))
	}
	// The encoder writes to the front of the slice it is given, if that is long enough.
	dst = grow(dst, n)
	block := f.encode(dst[len(dst):len(dst)+n], src)
	return dst[:len(dst)+len(block)], nil
}

func (f s2Format) decompress(dst, src []byte, max int) ([]byte, error) {
	size, n := binary.Uvarint(src)
	if n <= 0 || size > math.MaxUint32 {
		return dst, s2.ErrCorrupt
	}
	if size > uint64(max) {
		return dst, tooLarge(max)
	}
	dst = grow(dst, int(size))
	if _, err := s2.Decode(dst[len(dst):len(dst)+int(size)], src); err != nil {
		return dst, err
	}
	return dst[:len(dst)+int(size)], nil
}

// grow makes room for n bytes behind dst.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return append(make([]byte, 0, len(dst)+n), dst...)
}

// zlibFormat is RFC 1950.
type zlibFormat struct {
	level            int
	writers, readers *sync.Pool
}

func newZlib(level, _ int) (format, error) {
	return zlibFormat{level, new(sync.Pool), new(sync.Pool)}, nil
}

func (f zlibFormat) compress(dst, src []byte) ([]byte, error) {
	b := bytes.NewBuffer(dst)
	w, ok := f.writers.Get().(*zlib.Writer)
	if ok {
		w.Reset(b)
	} else {
		var err error
		if w, err = zlib.NewWriterLevel(b, f.level); err != nil {
			return dst, err
		}
	}
	if _, err := w.Write(src); err != nil {
		return dst, err
	}
	if err := w.Close(); err != nil {
		return dst, err
	}
	longer := b.Bytes()
	w.Reset(io.Discard) // so that the pool does not hold the caller's bytes
	f.writers.Put(w)
	return longer, nil
}

func (f zlibFormat) decompress(dst, src []byte, max int) ([]byte, error) {
	data := bytes.NewReader(src)
	r, ok := f.readers.Get().(io.ReadCloser)
	if ok {
		if err := r.(zlib.Resetter).Reset(data, nil); err != nil {
			return dst, err
		}
	} else {
		var err error
		if r, err = zlib.NewReader(data); err != nil {
			return dst, err
		}
	}
	b := bytes.NewBuffer(dst)
	n, err := b.ReadFrom(io.LimitReader(r, int64(max)+1))
	switch {
	case n > int64(max):
		return dst, tooLarge(max)
	case err != nil:
		return dst, err
	case data.Len() > 0:
		return dst, fmt.Errorf("%d bytes follow the stream", data.Len())
	}
	data.Reset(nil) // so that the pool does not hold the caller's bytes
	f.readers.Put(r)
	return b.Bytes(), nil
}
