// Hashes of typed values.

package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/script"
)

// Hash is a hash at a key of a cache: values by their fields, which live and die together.
type Hash[T any] struct{ q QueuedHash[T] }

// QueuedHash is a Hash in a pipeline or transaction of the caller: its calls are those of Hash, made when that is executed.
type QueuedHash[T any] struct {
	c   *Cache[T]
	db  redis.Cmdable // the pipeline, or the client of the cache: then the calls are made at once
	key string
}

// Hash returns the hash at a key. Nothing is sent.
func (c *Cache[T]) Hash(key string) Hash[T] { return Hash[T]{QueuedHash[T]{c, c.client, key}} }

// Hash is Cache.Hash.
func (q Queue[T]) Hash(key string) QueuedHash[T] { return QueuedHash[T]{q.c, q.pipe, key} }

// setFields sets fields and the hash's TTL, 0 for ever.
var setFields = func() *script.Program {
	b := script.New("cache set fields")
	h := b.Hash("hash")
	ttl, pairs := b.Arg("ttl", script.Int), b.Arg("pairs", script.ListOf(script.String))
	added, i := b.Local("added", 0), b.Local("i", 0)
	b.While(i.Lt(pairs.Len()), func() {
		added.Assign(added.Add(h.Set(pairs.At(i), pairs.At(i.Add(1)))))
		i.Assign(i.Add(2))
	})
	b.If(ttl.Eq(0), func() { b.Do(h.Persist()) }).Else(func() { b.Do(h.Expire(ttl)) })
	b.Return(added)
	return b.MustCompile()
}()

// Set sets fields, all at once, and how long the whole hash stays. It returns how many fields are new.
func (h Hash[T]) Set(ctx context.Context, values map[string]T, ttl time.Duration) (added int, err error) {
	return told(h.q.c, "hash set", func() Pending[int] { return h.q.Set(ctx, values, ttl) })
}

// Set is Hash.Set.
func (h QueuedHash[T]) Set(ctx context.Context, values map[string]T, ttl time.Duration) Pending[int] {
	full, err := h.c.key(h.key)
	if err != nil {
		return refused[int](err)
	}
	px, err := until(ttl)
	if err != nil {
		return refused[int](err)
	}
	encoded := newBatch(len(values))
	fields := make([]string, 0, len(values))
	for field, value := range values {
		if err := h.c.add(encoded, value); err != nil {
			return refused[int](fmt.Errorf("%q: %w", field, err))
		}
		fields = append(fields, field)
	}
	if len(fields) == 0 {
		return refused[int](nil)
	}
	pairs := make([]string, 0, 2*len(fields))
	for i, data := range encoded.texts() {
		pairs = append(pairs, fields[i], data)
	}
	return returned(run(ctx, h.db, h.c.setFields, script.KeyNames{"hash": full}, script.ArgValues{"ttl": px, "pairs": pairs}))
}

// returned is the number that a program returns.
func returned(r *script.Result) Pending[int] {
	return Pending[int]{func() (n int, err error) { return n, failed(r.Scan(&n)) }}
}

// Get returns the value of a field, or ErrMiss.
func (h Hash[T]) Get(ctx context.Context, field string) (T, error) {
	return told(h.q.c, "hash get", func() Pending[T] { return h.q.Get(ctx, field) })
}

// Get is Hash.Get.
func (h QueuedHash[T]) Get(ctx context.Context, field string) Pending[T] {
	full, err := h.c.key(h.key)
	if err != nil {
		return refused[T](err)
	}
	cmd := h.db.HGet(ctx, full, field)
	return Pending[T]{func() (T, error) { return h.c.got(ctx, h.key, cmd) }}
}

// All returns all fields with their values: none if there is no hash. Bad values that are misses by option are left out.
func (h Hash[T]) All(ctx context.Context) (map[string]T, error) {
	return told(h.q.c, "hash all", func() Pending[map[string]T] { return h.q.All(ctx) })
}

// All is Hash.All.
func (h QueuedHash[T]) All(ctx context.Context) Pending[map[string]T] {
	full, err := h.c.key(h.key)
	if err != nil {
		return refused[map[string]T](err)
	}
	cmd := h.db.HGetAll(ctx, full)
	return Pending[map[string]T]{func() (map[string]T, error) {
		fields, err := cmd.Result()
		if err != nil {
			return nil, failed(err)
		}
		values := make(map[string]T, len(fields))
		for field, data := range fields {
			switch value, err := h.c.decode(h.key, bytesOf(data)); {
			case err == nil:
				values[field] = value
			case !errors.Is(err, ErrMiss):
				return nil, err
			}
		}
		return values, nil
	}}
}

// Delete deletes fields, and returns how many there were. Without its last field the hash is gone.
func (h Hash[T]) Delete(ctx context.Context, fields ...string) (deleted int, err error) {
	return told(h.q.c, "hash delete", func() Pending[int] { return h.q.Delete(ctx, fields...) })
}

// Delete is Hash.Delete.
func (h QueuedHash[T]) Delete(ctx context.Context, fields ...string) Pending[int] {
	full, err := h.c.key(h.key)
	if err != nil || len(fields) == 0 {
		return refused[int](err)
	}
	return count(h.db.HDel(ctx, full, fields...))
}

// Len returns how many fields there are.
func (h Hash[T]) Len(ctx context.Context) (int, error) {
	return told(h.q.c, "hash len", func() Pending[int] { return h.q.Len(ctx) })
}

// Len is Hash.Len.
func (h QueuedHash[T]) Len(ctx context.Context) Pending[int] {
	full, err := h.c.key(h.key)
	if err != nil {
		return refused[int](err)
	}
	return count(h.db.HLen(ctx, full))
}

// count is a count.
func count(cmd *redis.IntCmd) Pending[int] {
	return Pending[int]{func() (int, error) {
		n, err := cmd.Result()
		return int(n), failed(err)
	}}
}
