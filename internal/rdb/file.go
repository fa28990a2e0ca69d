package rdb

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// The marks in a file that stand where the kind of a value would.
const (
	markSlot         = 244
	markFunction     = 245
	markFunctionOld  = 246
	markModule       = 247
	markIdle         = 248
	markFreq         = 249
	markAux          = 250
	markSize         = 251
	markExpiry       = 252
	markExpirySecond = 253
	markDatabase     = 254
	markEnd          = 255
)

// Key is a key of a file. Its bytes stay as they are.
type Key struct {
	Database int
	Name     []byte
	ExpireAt int64 // milliseconds since 1970, or keyspace.Never
	Value    *Value
}

// File reads a file that SAVE wrote, key by key.
type File struct {
	// Libraries, unless it is nil, is given the code of each library of functions.
	Libraries func(code []byte)

	// What was passed over so far: libraries of functions, what modules stored with keys or beside them, and empty keys.
	Functions, ModuleKeys, ModuleData, Empty int

	d        decoder
	version  int
	database int
}

// oldestChecked is the first version that ends with a checksum.
const oldestChecked = 5

// NewFile begins to read a file.
func NewFile(r io.Reader) (*File, error) {
	f := &File{d: decoder{source: source{r: r}}}
	head := f.d.take(9)
	if f.d.err != nil || string(head[:5]) != "REDIS" {
		if _, corrupt := f.d.err.(*CorruptError); f.d.err != nil && !corrupt {
			return nil, f.d.err
		}
		return nil, &CorruptError{0, "this is no RDB file"}
	}
	version, err := strconv.Atoi(string(head[5:]))
	if err != nil || version < 1 || version > newest {
		return nil, &CorruptError{5, fmt.Sprintf("version %q of the format: 1 to %d are known", head[5:], newest)}
	}
	f.version = version
	return f, nil
}

// Offset is how many bytes were read.
func (f *File) Offset() int64 { return f.d.offset() }

// Next returns the next key. The error is io.EOF behind the last one, a *CorruptError, or what the reader said.
func (f *File) Next() (*Key, error) {
	d := &f.d
	k := &Key{ExpireAt: keyspace.Never}
	for d.err == nil {
		b := d.byte()
		if d.err != nil {
			break
		}
		if b < markSlot {
			k.Database, k.Name = f.database, d.string()
			if kind(b) == kindModule {
				d.skipModule()
				f.ModuleKeys++
			} else if k.Value = d.value(kind(b)); k.Value.Type == keyspace.None {
				f.Empty++
			} else if d.err == nil {
				return k, nil
			}
			k.ExpireAt = keyspace.Never
			continue
		}
		if b == markEnd {
			return nil, f.end()
		}
		f.mark(b, k)
	}
	return nil, d.err
}

// mark reads what follows a mark.
func (f *File) mark(b byte, k *Key) {
	d := &f.d
	switch b {
	case markSlot:
		d.length()
		d.length()
		d.length()
	case markFunction:
		if code := d.string(); f.Libraries != nil && d.err == nil {
			f.Libraries(code)
		} else {
			f.Functions++
		}
	case markModule:
		d.skipModule()
		f.ModuleData++
	case markIdle:
		d.length()
	case markFreq:
		d.byte()
	case markAux:
		d.string()
		d.string()
	case markSize:
		d.length()
		d.length()
	case markExpiry:
		k.ExpireAt = expiry(int64(d.uint64()))
	case markExpirySecond:
		k.ExpireAt = expiry(int64(int32(d.uint32())) * 1000)
	case markDatabase:
		n := d.length()
		if n > math.MaxInt32 {
			d.fail("a database with the number %d", n)
		}
		f.database = int(n)
	default:
		d.fail("the unknown mark %d", b)
	}
}

// expiry is a time at which a key expires. There have been keys that did before 1970, which is not Never.
func expiry(at int64) int64 { return max(at, 1) }

// end checks what the file ends with.
func (f *File) end() error {
	d := &f.d
	if f.version < oldestChecked {
		return io.EOF
	}
	d.addSum()
	want := d.sum
	got := d.uint64()
	switch {
	case d.err != nil:
		return d.err
	case got != 0 && got != want: // 0 says that there is no checksum
		d.fail("the checksum is wrong")
		return d.err
	}
	return io.EOF
}

// What a module's data consists of.
const (
	moduleEnd = iota
	moduleSigned
	moduleUnsigned
	moduleFloat
	moduleDouble
	moduleString
)

// skipModule passes over what a module stored.
func (d *decoder) skipModule() {
	d.length() // the module and its version
	for d.err == nil {
		switch part := d.length(); part {
		case moduleEnd:
			return
		case moduleSigned, moduleUnsigned:
			d.length()
		case moduleFloat:
			d.take(4)
		case moduleDouble:
			d.take(8)
		case moduleString:
			d.string()
		default:
			d.fail("data of a module is of the unknown kind %d", part)
		}
	}
}
