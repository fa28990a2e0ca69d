package memstore

import "encoding/binary"

// A block holds a name and a value: a key of the keyspace with its string or the handle of its collection, a field of
// a hash, a member of a set or sorted set.
//
//	byte 0     kind: the type of a key; 0 in a collection
//	byte 1     flags
//	bytes 2-3  length of the name, unless flagLong
//	bytes 4-7  length of the value
//	           flagAccess: 4 bytes, its use
//	           flagExpire: 8 bytes, milliseconds since 1970
//	           flagLong: 4 bytes, length of the name
//	           the name, the value
const (
	flagAccess = 1 << iota
	flagExpire
	flagLong
	flagRaw    // a string that was changed in place, which OBJECT ENCODING calls raw
	flagFields // a hash, fields of which expire

	headBytes = 8
	// maxShort is the longest name whose length fits the header.
	maxShort = 1<<16 - 1
)

// nameOffset is where the name starts, by flags.
var nameOffset = [8]uint8{8, 12, 16, 20, 12, 16, 20, 24}

var le = binary.LittleEndian

// head describes a block that is to be written.
type head struct {
	kind, flags uint8
	use         uint32
	expire      int64
}

// layout completes the flags and returns the size of the block.
func (h *head) layout(name, value int) int {
	h.flags &^= flagExpire | flagLong
	if h.expire != 0 {
		h.flags |= flagExpire
	}
	if name > maxShort {
		h.flags |= flagLong
	}
	return int(nameOffset[h.flags&7]) + name + value
}

// write fills a block. value may lie in the block already; name must not.
func (h *head) write(b, name, value []byte) {
	at := int(nameOffset[h.flags&7])
	copy(b[at+len(name):], value) // first: it may lie where the rest is going to be
	h.writeHead(b, name, len(value))
}

// writeHead fills all of a block but its value.
func (h *head) writeHead(b, name []byte, value int) {
	at := int(nameOffset[h.flags&7])
	copy(b[at:], name)
	b[0], b[1] = h.kind, h.flags
	le.PutUint32(b[4:], uint32(value))
	i := headBytes
	if h.flags&flagAccess != 0 {
		le.PutUint32(b[i:], h.use)
		i += 4
	}
	if h.flags&flagExpire != 0 {
		le.PutUint64(b[i:], uint64(h.expire))
		i += 8
	}
	if h.flags&flagLong != 0 {
		le.PutUint32(b[i:], uint32(len(name)))
	} else {
		le.PutUint16(b[2:], uint16(len(name)))
	}
}

// nameOf returns the name in a block.
func nameOf(b []byte) []byte {
	at := int(nameOffset[b[1]&7])
	n := int(le.Uint16(b[2:]))
	if b[1]&flagLong != 0 {
		n = int(le.Uint32(b[at-4:]))
	}
	return b[at : at+n : at+n]
}

// valueOf returns the value in a block.
func valueOf(b []byte) []byte {
	at := int(nameOffset[b[1]&7])
	n := int(le.Uint16(b[2:]))
	if b[1]&flagLong != 0 {
		n = int(le.Uint32(b[at-4:]))
	}
	at += n
	end := at + int(le.Uint32(b[4:]))
	return b[at:end:end]
}

// used is how many bytes of a block are in use.
func used(b []byte) int {
	n := int(le.Uint16(b[2:]))
	at := int(nameOffset[b[1]&7])
	if b[1]&flagLong != 0 {
		n = int(le.Uint32(b[at-4:]))
	}
	return at + n + int(le.Uint32(b[4:]))
}

// expireOf returns when a block expires, 0 for never.
func expireOf(b []byte) int64 {
	if b[1]&flagExpire == 0 {
		return 0
	}
	return int64(le.Uint64(b[nameOffset[b[1]&(flagAccess)]:]))
}

// headOf reads back what write was given.
func headOf(b []byte) head {
	h := head{kind: b[0], flags: b[1], expire: expireOf(b)}
	if h.flags&flagAccess != 0 {
		h.use = le.Uint32(b[headBytes:])
	}
	return h
}
