// Envelopes: what a Func stores, a value or an error with what has to be known of it.
//
//	0   the mark, the version and the kind, as of all envelopes
//	3   8 bytes: when it was made, milliseconds since 1970
//	11  4 bytes: how long the load took, microseconds; more than an hour or so is as much as fits
//	15  8 bytes: until when it is fresh, milliseconds since 1970; the largest is for ever
//	23  of kinds with tags: their number, and for each its length, its name and 16 bytes, as of all values with tags
//	..  the value as the codec makes it; or the length of the sentinel's name as a uvarint, the name, and the text of the error
//
// Numbers are big-endian.

package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/redbud-go/redbud/cache/codec"
)

const headSize = 23

// The kinds of envelopes of a Func.
const (
	loaded kind = 'f' // a value
	broken kind = 'e' // an error

	// What has tags is of the kind in capitals.
	small        kind = 'f' ^ 'F'
	loadedTagged      = loaded &^ small
	brokenTagged      = broken &^ small
)

// tagged tells whether a kind is one of a Func with tags.
func (k kind) tagged() bool { return k == loadedTagged || k == brokenTagged }

// envelope is the head of what is stored, and what follows it.
type envelope struct {
	kind  kind          // loaded or broken
	label labelled      // its tags, if it has some
	made  int64         // milliseconds since 1970
	took  time.Duration // of the load
	fresh int64         // until when, in milliseconds since 1970; math.MaxInt64: for ever
	body  []byte
}

// head appends all but the body.
func (e *envelope) head(dst []byte) []byte {
	k := e.kind
	if len(e.label.names) > 0 {
		k &^= small
	}
	dst = append(dst, mark, envelopeVersion, byte(k))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.made))
	dst = binary.BigEndian.AppendUint32(dst, uint32(min(max(e.took.Microseconds(), 0), math.MaxUint32)))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.fresh))
	if len(e.label.names) > 0 {
		dst = e.label.append(dst)
	}
	return dst
}

// openEnvelope reads what is stored. The body is a part of it.
func openEnvelope(data []byte) (e envelope, err error) {
	k, _, err := unseal(data)
	switch {
	case err != nil:
		return e, err
	case len(data) < headSize || k != loaded && k != broken && !k.tagged():
		return e, fmt.Errorf("%w: it is none of a Func", codec.ErrDecode)
	}
	e = envelope{
		kind:  k,
		made:  int64(binary.BigEndian.Uint64(data[3:])),
		took:  time.Duration(binary.BigEndian.Uint32(data[11:])) * time.Microsecond,
		fresh: int64(binary.BigEndian.Uint64(data[15:])),
		body:  data[headSize:],
	}
	if e.fresh != math.MaxInt64 && (e.fresh > maxTime || e.fresh < -maxTime) {
		return e, fmt.Errorf("%w: it is fresh until %d", codec.ErrDecode, e.fresh)
	}
	if k.tagged() {
		e.kind = k | small
		if e.label, err = label(e.body); err != nil {
			return e, err
		}
		e.body = e.label.data
	}
	return e, nil
}

// maxTime is more than any clock says, in milliseconds, and leaves room for differences.
const maxTime = math.MaxInt64 / 4

// headOf is what one envelope is told from another by.
func headOf(data []byte) string { return string(data[:min(len(data), headSize)]) }

var (
	// ErrNotFound is what a Load returns, wrapped or not, if there is nothing at a key.
	ErrNotFound = errors.New("cache: not found")
	// ErrPanic is the error of a Load that panicked, or ended its goroutine.
	ErrPanic = errors.New("cache: the load panicked")
	// ErrClosed is the error of a Func that is closed.
	ErrClosed = errors.New("cache: closed")
)

// CachedError is an error of a load that was kept, and now comes from the cache.
type CachedError struct {
	Name string    // under which FuncOptions.Sentinels has what it is; "" if it is none of them
	Text string    // of the error that the load returned
	Made time.Time // when it did

	sentinel error
}

// Error is the text of the error that the load returned.
func (e *CachedError) Error() string { return e.Text }

// Unwrap is the sentinel: ErrNotFound, or the one of FuncOptions.Sentinels; nil if there is none of the name any more.
func (e *CachedError) Unwrap() error { return e.sentinel }

// notFoundName is the name of ErrNotFound, which every Func knows.
const notFoundName = "cache: not found"

// errorBody is what follows the head for an error.
func (f *Func[K, V]) errorBody(dst []byte, err error) []byte {
	name := ""
	for _, s := range f.sentinels {
		if errors.Is(err, f.named[s]) {
			name = s
			break
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	return append(append(dst, name...), err.Error()...)
}

// entry is what is stored at a key: a value, or an error.
type entry[V any] struct {
	envelope
	value V
	err   error
}

// read is the entry that is stored.
func (f *Func[K, V]) read(data []byte) (e entry[V], err error) {
	if e.envelope, err = openEnvelope(data); err != nil {
		return e, err
	}
	if e.kind == loaded {
		return e, f.c.o.Codec.Decode(e.body, &e.value)
	}
	name, said, ok := text(e.body)
	if !ok {
		return e, fmt.Errorf("%w: an error without its name", codec.ErrDecode)
	}
	e.err = &CachedError{Name: name, Text: string(said), Made: time.UnixMilli(e.made), sentinel: f.named[name]}
	return e, nil
}

// fresher is until when what is made now is fresh, in milliseconds since 1970.
func fresher(now time.Time, ttl time.Duration) int64 {
	if ttl == Forever {
		return math.MaxInt64
	}
	return now.UnixMilli() + max(ttl.Milliseconds(), 1)
}

// longer is a sum, or Forever.
func longer(ttl, more time.Duration) time.Duration {
	if ttl > Forever-more {
		return Forever
	}
	return ttl + more
}
