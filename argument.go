// Arguments, as go-redis puts them on the wire.

package redbud

import (
	"encoding"
	"fmt"
	"net"
	"strconv"
	"time"
	"unsafe"
)

// arg appends one argument.
func (t *turn) arg(v any) error {
	switch v := v.(type) {
	case string:
		t.args = append(t.args, bytesOf(v))
	case []byte:
		t.bytes(v)
	case int:
		t.int(int64(v))
	case int64:
		t.int(v)
	case float64:
		t.float(v)
	case time.Duration:
		t.int(v.Nanoseconds())
	case bool:
		t.bool(v)
	case nil:
		t.bytes(nil)
	default:
		return t.rareArg(v)
	}
	return nil
}

// rareArg appends an argument of the types that are seen less. A nil pointer is what it would point to if it were zero.
func (t *turn) rareArg(v any) error {
	switch v := v.(type) {
	case int8:
		t.int(int64(v))
	case int16:
		t.int(int64(v))
	case int32:
		t.int(int64(v))
	case uint:
		t.uint(uint64(v))
	case uint8:
		t.uint(uint64(v))
	case uint16:
		t.uint(uint64(v))
	case uint32:
		t.uint(uint64(v))
	case uint64:
		t.uint(v)
	case uintptr:
		t.uint(uint64(v))
	case float32:
		t.float(float64(v))
	case time.Time:
		t.time(v)
	case *string:
		return t.arg(target(v))
	case *int:
		return t.arg(target(v))
	case *int8:
		return t.arg(target(v))
	case *int16:
		return t.arg(target(v))
	case *int32:
		return t.arg(target(v))
	case *int64:
		return t.arg(target(v))
	case *uint:
		return t.arg(target(v))
	case *uint8:
		return t.arg(target(v))
	case *uint16:
		return t.arg(target(v))
	case *uint32:
		return t.arg(target(v))
	case *uint64:
		return t.arg(target(v))
	case *uintptr:
		return t.arg(target(v))
	case *float32:
		return t.arg(target(v))
	case *float64:
		return t.arg(target(v))
	case *bool:
		return t.arg(target(v))
	case *time.Time:
		return t.arg(target(v))
	case *time.Duration:
		return t.arg(target(v))
	case encoding.BinaryMarshaler:
		b, err := v.MarshalBinary()
		if err != nil {
			return err
		}
		t.bytes(b)
	case net.IP:
		t.bytes(v)
	default:
		return fmt.Errorf("redis: can't marshal %T (implement encoding.BinaryMarshaler)", v)
	}
	return nil
}

func target[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// bytesOf is a string as bytes without a copy. An engine borrows arguments and never changes them.
func bytesOf(s string) []byte {
	if s == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// bytes appends an argument that is bytes already; nil is the empty string, as on the wire.
func (t *turn) bytes(b []byte) {
	if b == nil {
		b = []byte{}
	}
	t.args = append(t.args, b)
}

func (t *turn) int(n int64)     { t.spell(strconv.AppendInt(t.text, n, 10)) }
func (t *turn) uint(n uint64)   { t.spell(strconv.AppendUint(t.text, n, 10)) }
func (t *turn) float(f float64) { t.spell(strconv.AppendFloat(t.text, f, 'f', -1, 64)) }
func (t *turn) time(at time.Time) {
	t.spell(at.AppendFormat(t.text, time.RFC3339Nano))
}

func (t *turn) bool(b bool) {
	if b {
		t.int(1)
	} else {
		t.int(0)
	}
}

// spell appends what was added to text as an argument. When text had to grow, the arguments before keep the old array,
// which nobody writes to any more.
func (t *turn) spell(text []byte) {
	t.args = append(t.args, text[len(t.text):len(text):len(text)])
	t.text = text
}
