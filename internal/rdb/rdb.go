// Package rdb reads and writes values in the serialization of Redis: what DUMP gives and RESTORE takes, and the files that
// SAVE writes (https://rdb.fnordig.de/file_format.html, and Redis itself for what came later). It reads what Redis 2.6 to 7.4
// writes, in every encoding, and trusts none of it: a payload or file may come from anybody. It writes what Redis 5 and
// newer ones read.
package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// newest is the version of the format that Redis 7.4 writes, the last that is read.
const newest = 12

// The versions that are written: that of Redis 5, and the first that has the kinds of values that Redis 5 has not.
const (
	versionPlain      = 9
	versionCounters   = 10
	versionHashExpiry = 12
)

// kind is how a value is written, by its number in the format.
type kind byte

// The kinds of values.
const (
	kindString          kind = 0
	kindList            kind = 1
	kindSet             kind = 2
	kindSortedSetText   kind = 3 // scores are text
	kindHash            kind = 4
	kindSortedSet       kind = 5
	kindModuleOld       kind = 6
	kindModule          kind = 7
	kindHashZipmap      kind = 9
	kindListZiplist     kind = 10
	kindSetIntegers     kind = 11
	kindSortedZiplist   kind = 12
	kindHashZiplist     kind = 13
	kindListZiplists    kind = 14
	kindStream          kind = 15
	kindHashListpack    kind = 16
	kindSortedListpack  kind = 17
	kindListListpacks   kind = 18
	kindStreamCounters  kind = 19 // with the counters of Redis 7.0
	kindSetListpack     kind = 20
	kindStreamActive    kind = 21 // and with when consumers were active, as of Redis 7.2
	kindHashExpiryEarly kind = 22 // of release candidates of Redis 7.4
	kindListpackEarly   kind = 23 // too
	kindHashExpiry      kind = 24
	kindListpackExpiry  kind = 25
)

// Value is what a key holds. Its bytes are borrowed from what it was read from.
type Value struct {
	Type    keyspace.Type
	Items   [][]byte          // of a string, its bytes alone; of a list, the elements; of a set, the members; of a hash, field and value in turn
	Members []keyspace.Scored // of a sorted set
	Expiry  []int64           // when each field of a hash expires, or keyspace.Never; nil: none does
	Stream  *Stream           // of a stream
}

// Stream is a stream. Entries are in the order of their ids, and so are the pending entries of each group.
type Stream struct {
	Info    keyspace.StreamInfo
	Entries []StreamEntry
	Groups  []Group
}

// StreamEntry is an entry of a stream: fields, name and value in turn.
type StreamEntry struct {
	ID     keyspace.StreamID
	Fields [][]byte
}

// Group is a group of consumers. Each pending entry names one of them.
type Group struct {
	Name      []byte
	Last      keyspace.StreamID
	Read      int64 // or keyspace.NotRead
	Consumers []keyspace.StreamConsumer
	Pending   []keyspace.Pending
}

// ErrVersion is the error of a payload that was damaged, or that a Redis newer than what we know wrote.
var ErrVersion = errors.New("payload version or checksum are wrong")

// CorruptError tells where bytes are not what they claim to be.
type CorruptError struct {
	Offset int64 // in the payload or file, of the first byte that was not read yet
	What   string
}

func (e *CorruptError) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset, e.What) }

// footer is how long the end of a payload is: the version, and a checksum of all that is before it.
const footer = 2 + 8

// jones is the table of the checksum, CRC-64 with the polynomial of David Jones.
var jones = crc64.MakeTable(0x95ac9329ac4bc9b5)

// sum adds bytes to a checksum, which begins with 0. Unlike Redis's, that of package crc64 begins and ends inverted.
func sum(crc uint64, b []byte) uint64 { return ^crc64.Update(^crc, jones, b) }

// Parse reads the payload of a DUMP. The error is ErrVersion, or a *CorruptError.
func Parse(payload []byte) (*Value, error) {
	body, err := checked(payload)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, ErrVersion
	}
	d := decoder{source: source{buf: body}}
	v := d.value(kind(d.byte()))
	if d.err == nil && v.Type == keyspace.None {
		d.fail("a collection without elements")
	}
	return v, d.err
}

// checked returns a payload without its end, which says that it is whole and of a version that is read.
func checked(payload []byte) (body []byte, err error) {
	n := len(payload) - footer
	if n < 0 {
		return nil, ErrVersion
	}
	end := payload[n:]
	if binary.LittleEndian.Uint16(end) > newest || binary.LittleEndian.Uint64(end[2:]) != sum(0, payload[:n+2]) {
		return nil, ErrVersion
	}
	return payload[:n], nil
}
