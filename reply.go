// Replies, read into the commands of go-redis as its own reader does, from bytes that are all there.

package redbud

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/resp"
)

// reply reads RESP3 replies, and the RESP2 forms that commands keep.
type reply struct{ rest []byte }

// readable reports whether into knows the type of a command.
func readable(cmd redis.Cmder) bool {
	switch cmd := cmd.(type) {
	case *redis.StringCmd, *redis.StatusCmd, *redis.IntCmd, *redis.BoolCmd, *redis.FloatCmd, *redis.SliceCmd,
		*redis.StringSliceCmd, *redis.IntSliceCmd, *redis.FloatSliceCmd, *redis.BoolSliceCmd, *redis.MapStringStringCmd,
		*redis.StringStructMapCmd, *redis.ZSliceCmd, *redis.KeyValueSliceCmd, *redis.ScanCmd, *redis.KeyValuesCmd,
		*redis.ZSliceWithKeyCmd, *redis.RankWithScoreCmd, *redis.TimeCmd, *redis.Cmd,
		*redis.RawCmd:
		return true
	case *redis.DurationCmd:
		return precision(cmd) != 0
	}
	return false
}

// precision is the unit of a reply, which go-redis keeps to itself.
func precision(cmd *redis.DurationCmd) time.Duration {
	switch cmd.Name() {
	case "ttl", "expiretime":
		return time.Second
	case "pttl", "pexpiretime":
		return time.Millisecond
	}
	return 0
}

// into reads one reply into a command that is readable.
func (r *reply) into(cmd redis.Cmder) error {
	switch cmd := cmd.(type) {
	case *redis.StringCmd:
		return set(cmd.SetVal)(r.string())
	case *redis.StatusCmd:
		return set(cmd.SetVal)(r.string())
	case *redis.IntCmd:
		return set(cmd.SetVal)(r.int())
	case *redis.BoolCmd:
		v, err := r.bool()
		if err == redis.Nil { // SET NX that did not set
			err = nil
		}
		return set(cmd.SetVal)(v, err)
	case *redis.FloatCmd:
		return set(cmd.SetVal)(r.float())
	case *redis.DurationCmd:
		n, err := r.int()
		if n < 0 { // no key, or no expiry
			return set(cmd.SetVal)(time.Duration(n), err)
		}
		return set(cmd.SetVal)(time.Duration(n)*precision(cmd), err)
	case *redis.StringSliceCmd:
		return set(cmd.SetVal)(slice(r, r.string))
	case *redis.IntSliceCmd:
		return set(cmd.SetVal)(slice(r, r.int))
	case *redis.FloatSliceCmd:
		return set(cmd.SetVal)(slice(r, r.float))
	case *redis.BoolSliceCmd:
		return set(cmd.SetVal)(slice(r, r.bool))
	case *redis.MapStringStringCmd:
		return set(cmd.SetVal)(r.stringMap())
	case *redis.StringStructMapCmd:
		return set(cmd.SetVal)(r.stringSet())
	case *redis.ZSliceCmd:
		return set(cmd.SetVal)(pairs(r, r.z))
	case *redis.KeyValueSliceCmd:
		return set(cmd.SetVal)(pairs(r, r.keyValue))
	default:
		return r.intoRare(cmd)
	}
}

func (r *reply) intoRare(cmd redis.Cmder) error {
	switch cmd := cmd.(type) {
	case *redis.SliceCmd:
		v, err := r.any()
		if err != nil {
			return err
		}
		s, ok := v.([]any)
		if !ok {
			return fmt.Errorf("redis: can't parse array reply: %v", v)
		}
		cmd.SetVal(s)
		return nil
	case *redis.Cmd:
		return set(cmd.SetVal)(r.any())
	case *redis.RawCmd:
		_, rest, err := resp.DecodeValue(r.rest)
		if err == nil {
			cmd.SetVal(bytes.Clone(r.rest[:len(r.rest)-len(rest)]))
			r.rest = rest
		}
		return err
	case *redis.ScanCmd:
		if err := r.fixed(2); err != nil {
			return err
		}
		cursor, err := r.uint()
		if err != nil {
			return err
		}
		keys, err := slice(r, r.string)
		if err == nil {
			cmd.SetVal(keys, cursor)
		}
		return err
	case *redis.KeyValuesCmd:
		key, err := r.key()
		if err != nil {
			return err
		}
		values, err := slice(r, r.string)
		if err == nil {
			cmd.SetVal(key, values)
		}
		return err
	case *redis.ZSliceWithKeyCmd:
		key, err := r.key()
		if err != nil {
			return err
		}
		members, err := pairs(r, r.z)
		if err == nil {
			cmd.SetVal(key, members)
		}
		return err
	case *redis.RankWithScoreCmd:
		if err := r.fixed(2); err != nil {
			return err
		}
		rank, err := r.int()
		if err != nil {
			return err
		}
		score, err := r.float()
		return set(cmd.SetVal)(redis.RankScore{Rank: rank, Score: score}, err)
	case *redis.TimeCmd:
		if err := r.fixed(2); err != nil {
			return err
		}
		sec, err := r.int()
		if err != nil {
			return err
		}
		usec, err := r.int()
		return set(cmd.SetVal)(time.Unix(sec, usec*1000), err)
	}
	return fmt.Errorf("redis: can't parse the reply of a %T", cmd)
}

// set passes a value on unless there is an error.
func set[T any](to func(T)) func(T, error) error {
	return func(v T, err error) error {
		if err == nil {
			to(v)
		}
		return err
	}
}

// refused is an error reply as go-redis has it: redis.Nil's type.
func refused(text string) error { return like(redis.Nil, text) }

func like[E ~string](_ E, text string) E { return E(text) }

// line takes a line. Null and error replies are errors.
func (r *reply) line() (kind byte, text []byte, err error) {
	end := bytes.IndexByte(r.rest, '\r')
	if end < 1 || end+1 >= len(r.rest) {
		return 0, nil, io.ErrUnexpectedEOF
	}
	kind, text = r.rest[0], r.rest[1:end]
	r.rest = r.rest[end+2:]
	switch kind {
	case '-':
		return 0, nil, refused(string(text))
	case '_':
		return 0, nil, redis.Nil
	case '$', '*':
		if len(text) == 2 && text[0] == '-' && text[1] == '1' {
			return 0, nil, redis.Nil
		}
	case '!':
		s, err := r.bulk(text)
		if err != nil {
			return 0, nil, err
		}
		return 0, nil, refused(string(s))
	}
	return kind, text, nil
}

// length reads the number in a header.
func length(text []byte) (int, error) {
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' || n > math.MaxInt32 {
			return 0, fmt.Errorf("redis: invalid reply: %.100q", text)
		}
		n = n*10 + int(c-'0')
	}
	return n, nil
}

// bulk takes the bytes that a header announced.
func (r *reply) bulk(header []byte) ([]byte, error) {
	n, err := length(header)
	if err != nil {
		return nil, err
	}
	if len(r.rest) < n+2 {
		return nil, io.ErrUnexpectedEOF
	}
	b := r.rest[:n]
	r.rest = r.rest[n+2:]
	return b, nil
}

func (r *reply) string() (string, error) {
	kind, text, err := r.line()
	if err != nil {
		return "", err
	}
	switch kind {
	case '$':
		b, err := r.bulk(text)
		return string(b), err
	case '+', ':', ',', '(':
		return string(text), nil
	case '#':
		return strconv.FormatBool(string(text) == "t"), nil
	case '=':
		b, err := r.bulk(text)
		if err != nil || len(b) < 4 {
			return "", err
		}
		return string(b[4:]), nil
	}
	return "", fmt.Errorf("redis: can't parse reply=%.100q reading string", text)
}

func (r *reply) int() (int64, error) {
	s, err := r.digits()
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(s), 10, 64)
}

func (r *reply) uint() (uint64, error) {
	s, err := r.digits()
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(s), 10, 64)
}

func (r *reply) digits() ([]byte, error) {
	kind, text, err := r.line()
	if err != nil {
		return nil, err
	}
	switch kind {
	case ':', '+', '(':
		return text, nil
	case '$':
		return r.bulk(text)
	}
	return nil, fmt.Errorf("redis: can't parse int reply: %.100q", text)
}

func (r *reply) float() (float64, error) {
	kind, text, err := r.line()
	if err != nil {
		return 0, err
	}
	switch kind {
	case ',', '+':
		return strconv.ParseFloat(string(text), 64)
	case '$':
		b, err := r.bulk(text)
		if err != nil {
			return 0, err
		}
		return strconv.ParseFloat(string(b), 64)
	}
	return 0, fmt.Errorf("redis: can't parse float reply: %.100q", text)
}

func (r *reply) bool() (bool, error) {
	s, err := r.string()
	return s == "OK" || s == "1" || s == "true", err
}

// array takes the header of an array, a set or a push message.
func (r *reply) array() (int, error) {
	kind, text, err := r.line()
	if err != nil {
		return 0, err
	}
	if kind != '*' && kind != '~' && kind != '>' {
		return 0, fmt.Errorf("redis: can't parse array/set/push reply: %.100q", text)
	}
	return length(text)
}

func (r *reply) fixed(want int) error {
	n, err := r.array()
	if err == nil && n != want {
		err = fmt.Errorf("redis: got %d elements in the array, wanted %d", n, want)
	}
	return err
}

// key takes the first of two elements.
func (r *reply) key() (string, error) {
	if err := r.fixed(2); err != nil {
		return "", err
	}
	return r.string()
}

// slice reads an array; null among its elements is zero.
func slice[T any](r *reply, element func() (T, error)) ([]T, error) {
	n, err := r.array()
	if err != nil {
		return nil, err
	}
	all := make([]T, n)
	for i := range all {
		if all[i], err = element(); err != nil && err != redis.Nil {
			return nil, err
		}
	}
	return all, nil
}

// pairs reads an array of pairs, or the flat array that RESP2 makes of them.
func pairs[T any](r *reply, pair func() (T, error)) ([]T, error) {
	n, err := r.array()
	if err != nil || n == 0 {
		return []T{}, err
	}
	nested := len(r.rest) > 0 && r.rest[0] == '*'
	if !nested {
		if n%2 != 0 {
			return nil, fmt.Errorf("redis: got %d elements in the array of pairs, wanted a multiple of 2", n)
		}
		n /= 2
	}
	all := make([]T, n)
	for i := range all {
		if nested {
			if err := r.fixed(2); err != nil {
				return nil, err
			}
		}
		if all[i], err = pair(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (r *reply) z() (z redis.Z, err error) {
	var member string
	if member, err = r.string(); err != nil {
		return z, err
	}
	z.Member = member
	z.Score, err = r.float()
	return z, err
}

func (r *reply) keyValue() (kv redis.KeyValue, err error) {
	if kv.Key, err = r.string(); err != nil {
		return kv, err
	}
	kv.Value, err = r.string()
	return kv, err
}

func (r *reply) stringMap() (map[string]string, error) {
	kind, text, err := r.line()
	if err != nil {
		return nil, err
	}
	n, err := length(text)
	switch {
	case err != nil:
		return nil, err
	case kind == '*' && n%2 == 0:
		n /= 2
	case kind != '%':
		return nil, fmt.Errorf("redis: can't parse map reply: %.100q", text)
	}
	all := make(map[string]string, n)
	for range n {
		kv, err := r.keyValue()
		if err != nil {
			return nil, err
		}
		all[kv.Key] = kv.Value
	}
	return all, nil
}

func (r *reply) stringSet() (map[string]struct{}, error) {
	members, err := slice(r, r.string)
	if err != nil {
		return nil, err
	}
	all := make(map[string]struct{}, len(members))
	for _, m := range members {
		all[m] = struct{}{}
	}
	return all, nil
}

// any reads a reply of any kind into the types that go-redis's Do gives.
func (r *reply) any() (any, error) {
	if len(r.rest) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	switch r.rest[0] {
	case ':':
		return nilable(r.int())
	case ',':
		return nilable(r.float())
	case '*', '~', '>':
		return r.list()
	case '%':
		return r.dictionary()
	case '#':
		return nilable(r.bool())
	case '(':
		s, err := r.string()
		if err != nil {
			return nil, err
		}
		n, ok := new(big.Int).SetString(s, 10)
		if !ok {
			return nil, fmt.Errorf("redis: can't parse bigInt reply: %.100q", s)
		}
		return n, nil
	}
	return nilable(r.string())
}

// nilable keeps a zero out of an interface that should be nil.
func nilable[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (r *reply) list() (any, error) {
	n, err := r.array()
	if err != nil {
		return nil, err
	}
	all := make([]any, n)
	for i := range all {
		if all[i], err = r.element(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (r *reply) dictionary() (any, error) {
	_, text, err := r.line()
	if err != nil {
		return nil, err
	}
	n, err := length(text)
	if err != nil {
		return nil, err
	}
	all := make(map[any]any, n)
	for range n {
		k, err := r.any()
		if err != nil {
			return nil, err
		}
		switch k.(type) {
		case []any, map[any]any:
			return nil, fmt.Errorf("redis: RESP3 map key must be a scalar type, got %T", k)
		}
		if all[k], err = r.element(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// element reads a part of a larger reply: there null is nil, and an error reply is a value.
func (r *reply) element() (any, error) {
	v, err := r.any()
	if err == redis.Nil {
		return nil, nil
	}
	if refusal, ok := err.(redis.Error); ok {
		return refusal, nil
	}
	return v, err
}
