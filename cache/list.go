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
type List[T any] struct {
	c   *Cache[T]
	key string
}

// List returns the list at a key. Nothing is sent.
func (c *Cache[T]) List(key string) List[T] { return List[T]{c, key} }

// push puts values at an end and sets the list's TTL, 0 for ever.
var push = func() *script.Program {
	b := script.New("cache push")
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
	return l.push(ctx, true, ttl, values)
}

// PushBack puts values behind the last and sets how long the whole list stays. It returns the length.
func (l List[T]) PushBack(ctx context.Context, ttl time.Duration, values ...T) (length int, err error) {
	return l.push(ctx, false, ttl, values)
}

func (l List[T]) push(ctx context.Context, left bool, ttl time.Duration, values []T) (length int, err error) {
	if len(values) == 0 {
		return l.Len(ctx)
	}
	return told(l.c, "list push", func() Pending[int] {
		full, err := l.c.key(l.key)
		if err != nil {
			return refused[int](err)
		}
		px, err := until(ttl)
		if err != nil {
			return refused[int](err)
		}
		words := make([]string, len(values))
		for i, value := range values {
			data, err := l.c.encode(value)
			if err != nil {
				return refused[int](err)
			}
			words[i] = string(data)
		}
		r := l.c.pushAll.Do(ctx, script.KeyNames{"list": full}, script.ArgValues{"ttl": px, "left": left, "values": words})
		return Pending[int]{func() (n int, err error) { return n, failed(r.Scan(&n)) }}
	})
}

// PopFront takes up to n values from the beginning: none if there is no list.
func (l List[T]) PopFront(ctx context.Context, n int) ([]T, error) {
	return l.take(n, "list pop", func(key string) *redis.StringSliceCmd { return l.c.client.LPopCount(ctx, key, n) })
}

// PopBack takes up to n values from the end, the last one first: none if there is no list.
func (l List[T]) PopBack(ctx context.Context, n int) ([]T, error) {
	return l.take(n, "list pop", func(key string) *redis.StringSliceCmd { return l.c.client.RPopCount(ctx, key, n) })
}

// Range returns the values from start to stop, inclusive; negative ones count from the end.
func (l List[T]) Range(ctx context.Context, start, stop int) ([]T, error) {
	return l.take(1, "list range", func(key string) *redis.StringSliceCmd {
		return l.c.client.LRange(ctx, key, int64(start), int64(stop))
	})
}

// take decodes values. Bad ones that are misses by option are left out.
func (l List[T]) take(n int, method string, ask func(key string) *redis.StringSliceCmd) ([]T, error) {
	return told(l.c, method, func() Pending[[]T] {
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
			values := make([]T, 0, len(words))
			for _, data := range words {
				switch value, err := l.c.decode(l.key, []byte(data)); {
				case err == nil:
					values = append(values, value)
				case !errors.Is(err, ErrMiss):
					return nil, err
				}
			}
			return values, nil
		}}
	})
}

// Len returns how many values there are.
func (l List[T]) Len(ctx context.Context) (int, error) {
	return told(l.c, "list len", func() Pending[int] {
		full, err := l.c.key(l.key)
		if err != nil {
			return refused[int](err)
		}
		return count(l.c.client.LLen(ctx, full))
	})
}
