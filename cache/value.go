// One value at a key.

package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/cache/codec"
	"github.com/redbud-go/redbud/script"
)

// Pending is what a call that was queued in a pipeline or transaction is going to return, once that has been executed.
type Pending[R any] struct{ resolve func() (R, error) }

// Value is what the call returns on its own.
func (p Pending[R]) Value() (R, error) { return p.resolve() }

// refused is the Pending of a call that is not made.
func refused[R any](err error) Pending[R] {
	return Pending[R]{func() (none R, _ error) { return none, err }}
}

// Queue is a cache in a pipeline or transaction of the caller: its calls are those of Cache, made when that is executed. Values are encoded at once.
type Queue[T any] struct {
	c    *Cache[T]
	pipe redis.Pipeliner
}

// run runs a program at once, or in a pipeline if db is one.
func run(ctx context.Context, db redis.Cmdable, r *script.Runner, keys script.KeyNames, args script.ArgValues) *script.Result {
	if pipe, ok := db.(redis.Pipeliner); ok {
		return r.Queue(ctx, pipe, keys, args)
	}
	return r.Do(ctx, keys, args)
}

// process makes a call at once, or in a pipeline if db is one. The command has the error.
func process(ctx context.Context, db redis.Cmdable, cmd redis.Cmder) {
	_ = db.(interface {
		Process(context.Context, redis.Cmder) error
	}).Process(ctx, cmd)
}

// unrepeated is a command that a client does not send again when its answer is lost.
type unrepeated struct{ redis.Cmder }

func (unrepeated) NoRetry() bool { return true }

// once is process for what is not to be done twice.
func once(ctx context.Context, db redis.Cmdable, cmd redis.Cmder) { process(ctx, db, unrepeated{cmd}) }

// In returns the cache in a pipeline or transaction.
func (c *Cache[T]) In(pipe redis.Pipeliner) Queue[T] { return Queue[T]{c, pipe} }

// key is the key of the engine for one of the cache.
func (c *Cache[T]) key(key string) (string, error) {
	if key == "" || len(key)+len(c.o.Prefix) > maxKey {
		return "", fmt.Errorf("%w: %d bytes", ErrKey, len(key))
	}
	if key[0] == mark {
		return "", fmt.Errorf("%w: those that begin with 0xC1 are the cache's own", ErrKey)
	}
	return c.o.Prefix + key, nil
}

// keys are the keys of the engine for some of the cache.
func (c *Cache[T]) keys(keys []string) ([]string, error) {
	full := make([]string, len(keys))
	for i, key := range keys {
		var err error
		if full[i], err = c.key(key); err != nil {
			return nil, err
		}
	}
	return full, nil
}

// until is a TTL in milliseconds, at least one; 0 is for ever.
func until(ttl time.Duration) (int64, error) {
	switch {
	case ttl == Forever:
		return 0, nil
	case ttl <= 0:
		return 0, fmt.Errorf("%w: %v", ErrTTL, ttl)
	}
	return max(ttl.Milliseconds(), 1), nil
}

// append appends what is stored of a value.
func (c *Cache[T]) append(dst []byte, value T) ([]byte, error) {
	from := len(dst)
	dst, err := c.o.Codec.Append(dst, value)
	if err != nil {
		return dst, fmt.Errorf("cache: encode: %w", err)
	}
	if n := len(dst) - from; n > c.o.MaxValue {
		return dst, fmt.Errorf("%w: %d bytes of %d", ErrTooLarge, n, c.o.MaxValue)
	}
	if len(dst) > from && dst[from] == mark { // raw bytes of the user's
		dst = append(dst[:from], seal(bare, dst[from:])...)
	}
	return dst, nil
}

// scratch is where values are encoded, whose size nobody knows before. What is large is left to the garbage collector.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

const maxScratch = 64 << 10

// encode is what is stored of a value.
func (c *Cache[T]) encode(value T) ([]byte, error) {
	buf := scratch.Get().(*[]byte)
	data, err := c.append((*buf)[:0], value)
	if err != nil || cap(data) > maxScratch {
		return data, err
	}
	*buf = data
	defer scratch.Put(buf)
	return bytes.Clone(data), nil
}

// batch is what is stored of some values, in one piece of memory.
type batch struct {
	data []byte
	ends []int // of each
}

// newBatch makes a batch of so many values.
func newBatch(n int) *batch { return &batch{ends: make([]int, 0, n)} }

// maxGuess is how many bytes a batch makes room for before it knows that it needs them.
const maxGuess = 1 << 20

// add adds what is stored of a value.
func (c *Cache[T]) add(b *batch, value T) (err error) {
	b.data, err = c.append(b.data, value)
	b.ends = append(b.ends, len(b.data))
	if n := len(b.data); len(b.ends) == 1 && n <= maxGuess { // the others may be about as long
		b.data = slices.Grow(b.data, min((cap(b.ends)-1)*(n+n/8), maxGuess))
	}
	return err
}

// texts are what was added. Nothing is added from then on.
func (b *batch) texts() []string {
	all, from := unsafe.String(unsafe.SliceData(b.data), len(b.data)), 0
	texts := make([]string, len(b.ends))
	for i, end := range b.ends {
		texts[i], from = all[from:end], end
	}
	return texts
}

// decode is the value of what is stored at a key, without tags. A bad one is an error, or a miss by option.
func (c *Cache[T]) decode(key string, data []byte) (value T, err error) {
	k, data, err := unseal(data)
	if err == nil && k != bare {
		err = fmt.Errorf("%w: an envelope of the kind %q", codec.ErrDecode, byte(k))
	}
	if err == nil {
		err = c.o.Codec.Decode(data, &value)
	}
	if err == nil {
		c.o.Stats.Read(1, 0, 0)
		return value, nil
	}
	var none T
	return none, c.bad(key, err)
}

// bytesOf is a text as bytes without a copy, for those who do not change them, such as codecs. It is not nil.
func bytesOf(s string) []byte {
	if s == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// bad is the error of a value that does not decode.
func (c *Cache[T]) bad(key string, err error) error {
	c.o.Stats.Read(0, 1, 1)
	if c.o.BadValues {
		return ErrMiss
	}
	return fmt.Errorf("cache: the value at %q: %w", key, err)
}

// failed is the error of a call of the engine in the words of this package.
func failed(err error) error {
	if redis.HasErrorPrefix(err, "WRONGTYPE") {
		return fmt.Errorf("%w: %w", ErrWrongType, err)
	}
	return err
}

// told runs a call and tells Stats of it.
func told[T, R any](c *Cache[T], method string, call func() Pending[R]) (R, error) {
	began := c.begins()
	value, err := call().Value()
	c.ended(method, began, err)
	return value, err
}

// begins is when a call begins, if anybody is told: to look at the clock twice takes as long as a fifth of a hit in memory.
func (c *Cache[T]) begins() (began time.Time) {
	if !c.silent {
		began = time.Now()
	}
	return began
}

// ended tells Stats of a call that has ended.
func (c *Cache[T]) ended(method string, began time.Time, err error) {
	if c.silent {
		return
	}
	if errors.Is(err, ErrMiss) || errors.Is(err, ErrStale) || errors.Is(err, ErrOutdated) {
		err = nil
	}
	c.o.Stats.Called(method, time.Since(began), err)
}

// Get returns the value at a key, or ErrMiss. A value one of whose tags was expired comes with ErrStale.
func (c *Cache[T]) Get(ctx context.Context, key string) (value T, err error) {
	began := c.begins()
	full, err := c.key(key)
	if err == nil {
		value, err = c.got(ctx, key, c.client.Get(ctx, full))
	}
	c.ended("get", began, err)
	return value, err
}

// Get is Cache.Get.
func (q Queue[T]) Get(ctx context.Context, key string) Pending[T] {
	full, err := q.c.key(key)
	if err != nil {
		return refused[T](err)
	}
	cmd := q.pipe.Get(ctx, full)
	return Pending[T]{func() (T, error) { return q.c.got(ctx, key, cmd) }}
}

// got is the value that GET has returned.
func (c *Cache[T]) got(ctx context.Context, key string, cmd *redis.StringCmd) (value T, err error) {
	data, err := cmd.Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		c.o.Stats.Read(0, 1, 0)
		return value, ErrMiss
	case err != nil:
		return value, failed(err)
	}
	if k, body, err := unseal(data); err == nil && k == tagged {
		return c.getTagged(ctx, key, body)
	}
	return c.decode(key, data)
}

// Condition says when Set stores.
type Condition string

// The conditions.
const (
	Always    Condition = ""
	IfMissing Condition = "NX" // if there is no value at the key
	IfExists  Condition = "XX" // if there is one
)

// Set stores a value for some time, whatever was at the key.
func (c *Cache[T]) Set(ctx context.Context, key string, value T, ttl time.Duration) error {
	_, err := c.SetIf(ctx, Always, key, value, ttl)
	return err
}

// SetIf is Set under a condition, and tells whether it has stored the value.
func (c *Cache[T]) SetIf(ctx context.Context, condition Condition, key string, value T, ttl time.Duration) (stored bool, err error) {
	return told(c, "set", func() Pending[bool] { return c.set(ctx, c.client, condition, key, value, ttl) })
}

// Set is Cache.Set.
func (q Queue[T]) Set(ctx context.Context, key string, value T, ttl time.Duration) Pending[bool] {
	return q.c.set(ctx, q.pipe, Always, key, value, ttl)
}

// SetIf is Cache.SetIf.
func (q Queue[T]) SetIf(ctx context.Context, condition Condition, key string, value T, ttl time.Duration) Pending[bool] {
	return q.c.set(ctx, q.pipe, condition, key, value, ttl)
}

func (c *Cache[T]) set(ctx context.Context, db redis.Cmdable, condition Condition, key string, value T, ttl time.Duration) Pending[bool] {
	full, err := c.key(key)
	if err != nil {
		return refused[bool](err)
	}
	px, err := until(ttl)
	if err != nil {
		return refused[bool](err)
	}
	data, err := c.encode(value)
	if err != nil {
		return refused[bool](err)
	}
	words := make([]any, 3, 6)
	words[0], words[1], words[2] = "SET", full, data
	if px > 0 {
		words = append(words, "PX", px)
	}
	if condition != Always {
		words = append(words, string(condition))
	}
	cmd := redis.NewStatusCmd(ctx, words...)
	if condition == IfMissing { // sent again, it would find what it has stored
		once(ctx, db, cmd)
	} else {
		process(ctx, db, cmd)
	}
	return Pending[bool]{func() (bool, error) {
		err := cmd.Err()
		if errors.Is(err, redis.Nil) {
			return false, nil
		}
		return err == nil, failed(err)
	}}
}

// Delete deletes the value at a key, and tells whether there was one.
func (c *Cache[T]) Delete(ctx context.Context, key string) (existed bool, err error) {
	return told(c, "delete", func() Pending[bool] { return c.del(ctx, c.client, key) })
}

// Delete is Cache.Delete.
func (q Queue[T]) Delete(ctx context.Context, key string) Pending[bool] {
	return q.c.del(ctx, q.pipe, key)
}

func (c *Cache[T]) del(ctx context.Context, db redis.Cmdable, key string) Pending[bool] {
	full, err := c.key(key)
	if err != nil {
		return refused[bool](err)
	}
	return positive(db.Del(ctx, full))
}

// positive is whether a count is not 0.
func positive(cmd *redis.IntCmd) Pending[bool] {
	return Pending[bool]{func() (bool, error) {
		n, err := cmd.Result()
		return n > 0, failed(err)
	}}
}

// Exists tells whether there is something at a key.
func (c *Cache[T]) Exists(ctx context.Context, key string) (bool, error) {
	return told(c, "exists", func() Pending[bool] { return c.exists(ctx, c.client, key) })
}

// Exists is Cache.Exists.
func (q Queue[T]) Exists(ctx context.Context, key string) Pending[bool] {
	return q.c.exists(ctx, q.pipe, key)
}

func (c *Cache[T]) exists(ctx context.Context, db redis.Cmdable, key string) Pending[bool] {
	full, err := c.key(key)
	if err != nil {
		return refused[bool](err)
	}
	return positive(db.Exists(ctx, full))
}

// ExpireIn sets how long the value at a key stays from now on, and tells whether there is one. Zero and less delete it; Forever is Persist, but
// tells the same.
func (c *Cache[T]) ExpireIn(ctx context.Context, key string, ttl time.Duration) (existed bool, err error) {
	return told(c, "expire", func() Pending[bool] { return c.expire(ctx, c.client, key, ttl) })
}

// ExpireIn is Cache.ExpireIn.
func (q Queue[T]) ExpireIn(ctx context.Context, key string, ttl time.Duration) Pending[bool] {
	return q.c.expire(ctx, q.pipe, key, ttl)
}

func (c *Cache[T]) expire(ctx context.Context, db redis.Cmdable, key string, ttl time.Duration) Pending[bool] {
	full, err := c.key(key)
	switch {
	case err != nil:
		return refused[bool](err)
	case ttl == Forever:
		persisted, there := db.Persist(ctx, full), positive(db.Exists(ctx, full))
		return Pending[bool]{func() (bool, error) {
			if err := persisted.Err(); err != nil {
				return false, failed(err)
			}
			return there.Value()
		}}
	case ttl <= 0:
		return positive(db.Del(ctx, full))
	}
	return changed(db.PExpire(ctx, full, max(ttl, time.Millisecond)))
}

// changed is what a command answers that tells whether it did something.
func changed(cmd *redis.BoolCmd) Pending[bool] {
	return Pending[bool]{func() (bool, error) {
		ok, err := cmd.Result()
		return ok, failed(err)
	}}
}

// ExpireAt sets until when the value at a key stays, and tells whether there is one. A time that is over deletes it.
func (c *Cache[T]) ExpireAt(ctx context.Context, key string, at time.Time) (existed bool, err error) {
	return told(c, "expire", func() Pending[bool] { return c.expireAt(ctx, c.client, key, at) })
}

// ExpireAt is Cache.ExpireAt.
func (q Queue[T]) ExpireAt(ctx context.Context, key string, at time.Time) Pending[bool] {
	return q.c.expireAt(ctx, q.pipe, key, at)
}

func (c *Cache[T]) expireAt(ctx context.Context, db redis.Cmdable, key string, at time.Time) Pending[bool] {
	full, err := c.key(key)
	if err != nil {
		return refused[bool](err)
	}
	return changed(db.PExpireAt(ctx, full, at))
}

// Persist makes the value at a key stay, and tells whether it had a time to live.
func (c *Cache[T]) Persist(ctx context.Context, key string) (had bool, err error) {
	return told(c, "persist", func() Pending[bool] { return c.persist(ctx, c.client, key) })
}

// Persist is Cache.Persist.
func (q Queue[T]) Persist(ctx context.Context, key string) Pending[bool] {
	return q.c.persist(ctx, q.pipe, key)
}

func (c *Cache[T]) persist(ctx context.Context, db redis.Cmdable, key string) Pending[bool] {
	full, err := c.key(key)
	if err != nil {
		return refused[bool](err)
	}
	return changed(db.Persist(ctx, full))
}

// TTL returns how long the value at a key stays, Forever if until it is deleted, or ErrMiss.
func (c *Cache[T]) TTL(ctx context.Context, key string) (time.Duration, error) {
	return told(c, "ttl", func() Pending[time.Duration] { return c.ttl(ctx, c.client, key) })
}

// TTL is Cache.TTL.
func (q Queue[T]) TTL(ctx context.Context, key string) Pending[time.Duration] {
	return q.c.ttl(ctx, q.pipe, key)
}

func (c *Cache[T]) ttl(ctx context.Context, db redis.Cmdable, key string) Pending[time.Duration] {
	full, err := c.key(key)
	if err != nil {
		return refused[time.Duration](err)
	}
	cmd := db.PTTL(ctx, full)
	return Pending[time.Duration]{func() (time.Duration, error) {
		switch left, err := cmd.Result(); {
		case err != nil:
			return 0, failed(err)
		case left == -2:
			return 0, ErrMiss
		case left == -1:
			return Forever, nil
		default:
			return left, nil
		}
	}}
}
