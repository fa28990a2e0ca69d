// Lists of typed values.

package cache

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/script"
)

// List is a list at a key of a cache.
type List[T any] struct{ q QueuedList[T] }

// QueuedList is a List in a pipeline or transaction of the caller: its calls are those of List, made when that is executed.
type QueuedList[T any] struct {
	c   *Cache[T]
	db  redis.Cmdable // the pipeline, or the client of the cache: then the calls are made at once
	key string
}

// List returns the list at a key. Nothing is sent.
func (c *Cache[T]) List(key string) List[T] { return List[T]{QueuedList[T]{c, c.client, key}} }

// List is Cache.List.
func (q Queue[T]) List(key string) QueuedList[T] { return QueuedList[T]{q.c, q.pipe, key} }

// push puts values at an end and sets the list's TTL, 0 for ever.
var push = func() *script.Program {
	b := script.New("cache push")
	b.NoRetry()
	l := b.List("list")
	ttl, left, values := b.Arg("ttl", script.Int), b.Arg("left", script.Bool), b.Arg("values", script.ListOf(script.String))
	length := b.Local("length", 0)
	b.Each(values, func(_, value *script.Local) {
		b.If(left, func() { length.Assign(l.LPush(value)) }).Else(func() { length.Assign(l.RPush(value)) })
	})
	b.If(ttl.Eq(0), func() { b.Do(l.Persist()) }).Else(func() { b.Do(l.Expire(ttl)) })
	b.Return(length)
	return b.MustCompile()
}()

// PushFront puts values before the first, one after the other, and sets how long the whole list stays. It returns the length.
func (l List[T]) PushFront(ctx context.Context, ttl time.Duration, values ...T) (length int, err error) {
	return told(l.q.c, "list push", func() Pending[int] { return l.q.PushFront(ctx, ttl, values...) })
}

// PushFront is List.PushFront.
func (l QueuedList[T]) PushFront(ctx context.Context, ttl time.Duration, values ...T) Pending[int] {
	return l.push(ctx, true, ttl, values)
}

// PushBack puts values behind the last and sets how long the whole list stays. It returns the length.
func (l List[T]) PushBack(ctx context.Context, ttl time.Duration, values ...T) (length int, err error) {
	return told(l.q.c, "list push", func() Pending[int] { return l.q.PushBack(ctx, ttl, values...) })
}

// PushBack is List.PushBack.
func (l QueuedList[T]) PushBack(ctx context.Context, ttl time.Duration, values ...T) Pending[int] {
	return l.push(ctx, false, ttl, values)
}

func (l QueuedList[T]) push(ctx context.Context, left bool, ttl time.Duration, values []T) Pending[int] {
	if len(values) == 0 {
		return l.Len(ctx)
	}
	full, err := l.c.key(l.key)
	if err != nil {
		return refused[int](err)
	}
	px, err := until(ttl)
	if err != nil {
		return refused[int](err)
	}
	encoded := newBatch(len(values))
	for _, value := range values {
		if err := l.c.add(encoded, value); err != nil {
			return refused[int](err)
		}
	}
	return returned(run(ctx, l.db, l.c.pushAll, script.KeyNames{"list": full}, script.ArgValues{"ttl": px, "left": left, "values": encoded.texts()}))
}

// PopFront takes up to n values from the beginning: none if there is no list. Those that were taken with a bad one come with its error.
func (l List[T]) PopFront(ctx context.Context, n int) ([]T, error) {
	return told(l.q.c, "list pop", func() Pending[[]T] { return l.q.PopFront(ctx, n) })
}

// PopFront is List.PopFront.
func (l QueuedList[T]) PopFront(ctx context.Context, n int) Pending[[]T] {
	return l.pop(ctx, "LPOP", n)
}

// PopBack takes up to n values from the end, the last one first: none if there is no list. Those that were taken with a bad one come with its error.
func (l List[T]) PopBack(ctx context.Context, n int) ([]T, error) {
	return told(l.q.c, "list pop", func() Pending[[]T] { return l.q.PopBack(ctx, n) })
}

// PopBack is List.PopBack.
func (l QueuedList[T]) PopBack(ctx context.Context, n int) Pending[[]T] {
	return l.pop(ctx, "RPOP", n)
}

func (l QueuedList[T]) pop(ctx context.Context, command string, n int) Pending[[]T] {
	return l.values(n, func(key string) *redis.StringSliceCmd {
		cmd := redis.NewStringSliceCmd(ctx, command, key, n)
		once(ctx, l.db, cmd)
		return cmd
	})
}

// Range returns the values from start to stop, inclusive; negative ones count from the end. The good ones come with the error of a bad one.
func (l List[T]) Range(ctx context.Context, start, stop int) ([]T, error) {
	return told(l.q.c, "list range", func() Pending[[]T] { return l.q.Range(ctx, start, stop) })
}

// Range is List.Range.
func (l QueuedList[T]) Range(ctx context.Context, start, stop int) Pending[[]T] {
	return l.values(1, func(key string) *redis.StringSliceCmd {
		return l.db.LRange(ctx, key, int64(start), int64(stop))
	})
}

// values decodes values, if n is positive. Bad ones that are misses by option are left out.
func (l QueuedList[T]) values(n int, ask func(key string) *redis.StringSliceCmd) Pending[[]T] {
	full, err := l.c.key(l.key)
	if err != nil || n <= 0 {
		return refused[[]T](err)
	}
	cmd := ask(full)
	return Pending[[]T]{func() ([]T, error) {
		words, err := cmd.Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, failed(err)
		}
		var bad error
		values := make([]T, 0, len(words))
		for _, data := range words {
			switch value, err := l.c.decode(l.key, bytesOf(data)); {
			case err == nil:
				values = append(values, value)
			case !errors.Is(err, ErrMiss):
				bad = errors.Join(bad, err)
			}
		}
		return values, bad
	}}
}

// Len returns how many values there are.
func (l List[T]) Len(ctx context.Context) (int, error) {
	return told(l.q.c, "list len", func() Pending[int] { return l.q.Len(ctx) })
}

// Len is List.Len.
func (l QueuedList[T]) Len(ctx context.Context) Pending[int] {
	full, err := l.c.key(l.key)
	if err != nil {
		return refused[int](err)
	}
	return count(l.db.LLen(ctx, full))
}
