// Envelopes: values with something to know about them before they count.

package cache

import (
	"encoding/binary"
	"fmt"

	"github.com/redbud-go/redbud/cache/codec"
)

// mark is the first byte of envelopes, and of keys that are not a user's. No JSON, no MessagePack and no text begins with it.
const mark = 0xC1

// envelopeVersion is the second byte of envelopes.
const envelopeVersion = 1

// kind is the third byte of an envelope: what comes next.
type kind byte

const (
	bare   kind = 'b' // no envelope at all, or the value of a codec that begins with the mark
	tagged kind = 't' // the tags and their ids, and then what the codec made
)

// seal puts data, of which only the body is written, into an envelope.
func seal(k kind, body []byte) []byte { return append([]byte{mark, envelopeVersion, byte(k)}, body...) }

// unseal is the kind of what is stored, and what comes after that.
func unseal(data []byte) (k kind, body []byte, err error) {
	switch {
	case len(data) == 0 || data[0] != mark:
		return bare, data, nil
	case len(data) < 3 || data[1] != envelopeVersion:
		return bare, nil, fmt.Errorf("%w: an envelope that this version does not know", codec.ErrDecode)
	}
	return kind(data[2]), data[3:], nil
}

// text reads a text after its length.
func text(data []byte) (s string, rest []byte, ok bool) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n > uint64(len(data)-size) {
		return "", nil, false
	}
	return string(data[size : size+int(n)]), data[size+int(n):], true
}
