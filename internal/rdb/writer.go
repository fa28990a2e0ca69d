package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// The versions of files that are written. Redis 7.0 and newer ones read the first; fields of hashes that expire need the other.
const (
	FileVersion       = 10
	FileVersionExpiry = versionHashExpiry
)

// ErrNewer is the error of a value that the version of the file cannot hold.
var ErrNewer = errors.New("the value needs a newer version of the format")

// Writer writes a file as SAVE does. An error stays: End tells it.
type Writer struct {
	w       io.Writer
	version int
	p       Payload // what is not yet written
	sum     uint64
	err     error
}

// writeSize is how much is gathered before it is written.
const writeSize = 64 << 10

// NewWriter begins a file. facts are names and values in turn, which readers may show and pass over.
func NewWriter(w io.Writer, version int, facts ...string) *Writer {
	f := &Writer{w: w, version: version}
	f.p.Buf = fmt.Appendf(f.p.Buf, "REDIS%04d", version)
	for i, fact := range facts {
		if i%2 == 0 {
			f.p.Buf = append(f.p.Buf, markAux)
		}
		f.p.string([]byte(fact))
	}
	return f
}

// Library adds a library of functions. They come before all keys.
func (f *Writer) Library(code []byte) {
	f.p.Library(code)
	f.flush(writeSize)
}

// Database begins a database. It is about to get so many keys, of which some expire.
func (f *Writer) Database(db, keys, expiring int) {
	f.p.Buf = append(f.p.Buf, markDatabase)
	f.p.length(uint64(db))
	f.p.Buf = append(f.p.Buf, markSize)
	f.p.length(uint64(keys))
	f.p.length(uint64(expiring))
}

// Key adds a key, with its value as a payload of DUMP.
func (f *Writer) Key(name []byte, expireAt int64, payload []byte) error {
	n := len(payload) - footer
	if int(binary.LittleEndian.Uint16(payload[n:])) > f.version {
		return ErrNewer
	}
	if expireAt != keyspace.Never {
		f.p.Buf = append(f.p.Buf, markExpiry)
		f.p.uint64(expireAt)
	}
	f.p.Buf = append(f.p.Buf, payload[0])
	f.p.string(name)
	f.p.Buf = append(f.p.Buf, payload[1:n]...)
	f.flush(writeSize)
	return f.err
}

// End ends the file.
func (f *Writer) End() error {
	f.p.Buf = append(f.p.Buf, markEnd)
	f.flush(0)
	f.p.Buf = binary.LittleEndian.AppendUint64(f.p.Buf, f.sum)
	f.flush(0)
	return f.err
}

// flush writes what was gathered, if it is so much.
func (f *Writer) flush(least int) {
	if len(f.p.Buf) < least {
		return
	}
	f.sum = sum(f.sum, f.p.Buf)
	if f.err == nil {
		_, f.err = f.w.Write(f.p.Buf)
	}
	f.p.Buf = f.p.Buf[:0]
}
