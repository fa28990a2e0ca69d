// Many values at once.

package cache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/script"
)

// Found is the value at one of several keys.
type Found[T any] struct {
	Value T
	OK    bool // false: a miss
	Stale bool // one of the value's tags was expired
}

// GetMany returns the values at keys, in their order. No keys are no values.
func (c *Cache[T]) GetMany(ctx context.Context, keys ...string) ([]Found[T], error) {
	return told(c, "get many", func() Pending[[]Found[T]] { return c.getMany(ctx, c.client, keys) })
}

// GetMany is Cache.GetMany.
func (q Queue[T]) GetMany(ctx context.Context, keys ...string) Pending[[]Found[T]] {
	return q.c.getMany(ctx, q.pipe, keys)
}

func (c *Cache[T]) getMany(ctx context.Context, db redis.Cmdable, keys []string) Pending[[]Found[T]] {
	full, err := c.keys(keys)
	switch {
	case err != nil:
		return refused[[]Found[T]](err)
	case len(keys) == 0:
		return refused[[]Found[T]](nil)
	}
	all := c.mget(ctx, db, full)
	return Pending[[]Found[T]]{func() ([]Found[T], error) {
		values, err := all()
		if err != nil {
			return nil, err
		}
		return c.gotMany(ctx, keys, values)
	}}
}

// mget is MGET of keys of several slots.
func (c *Cache[T]) mget(ctx context.Context, db redis.Cmdable, keys []string) func() ([]any, error) {
	groups := c.groups(keys)
	to, exec := c.several(ctx, db, len(groups))
	cmds := make([]*redis.SliceCmd, len(groups))
	for g, group := range groups {
		cmds[g] = to.MGet(ctx, pick(keys, group)...)
	}
	exec()
	return func() ([]any, error) {
		if len(groups) == 1 && groups[0] == nil {
			values, err := cmds[0].Result()
			return values, failed(err)
		}
		values := make([]any, len(keys))
		for g, group := range groups {
			part, err := cmds[g].Result()
			if err != nil {
				return nil, failed(err)
			}
			put(values, group, part)
		}
		return values, nil
	}
}

// gotMany is the values that MGET has returned.
func (c *Cache[T]) gotMany(ctx context.Context, keys []string, values []any) ([]Found[T], error) {
	found := make([]Found[T], len(keys))
	misses := 0
	var labelled []at
	for i, v := range values {
		data, ok := v.(string)
		if !ok {
			misses++
			continue
		}
		stored := bytesOf(data)
		if k, body, err := unseal(stored); err == nil && k == tagged {
			v, err := label(body)
			labelled = append(labelled, at{i, v, err})
			continue
		}
		if err := found[i].fill(c.decode(keys[i], stored)); err != nil {
			return nil, err
		}
	}
	c.o.Stats.Read(0, misses, 0)
	if err := c.fillTagged(ctx, keys, found, labelled); err != nil {
		return nil, err
	}
	return found, nil
}

// fill takes what was read; an error but for a miss is returned.
func (f *Found[T]) fill(value T, err error) error {
	switch {
	case err == nil, errors.Is(err, ErrStale):
		*f = Found[T]{Value: value, OK: true, Stale: err != nil}
	case !errors.Is(err, ErrMiss):
		return err
	}
	return nil
}

// setMany is MSETEX for engines without: it stores values with a TTL in milliseconds, all of them, since nobody sees a state in between and nothing in
// it can fail.
var setMany = func() *script.Program {
	b := script.New("cache set many")
	keys := b.Keys("keys")
	px, values := b.Arg("px", script.String), b.Arg("values", script.ListOf(script.String))
	b.Each(values, func(i, value *script.Local) { b.Do(b.Call("PSETEX", keys.At(i), px, value)) })
	b.Return(1) // not nil, which Exec takes for an error
	return b.MustCompile()
}()

// SetMany stores values for some time: all or, if it fails, none. On a cluster that holds for each slot.
func (c *Cache[T]) SetMany(ctx context.Context, values map[string]T, ttl time.Duration) error {
	_, err := told(c, "set many", func() Pending[struct{}] {
		_, err := c.setMany(ctx, c.client, values, ttl).Value()
		if c.msetex.lost(err) { // a cluster of several versions
			return c.setMany(ctx, c.client, values, ttl)
		}
		return refused[struct{}](err)
	})
	return err
}

// SetMany is Cache.SetMany.
func (q Queue[T]) SetMany(ctx context.Context, values map[string]T, ttl time.Duration) Pending[struct{}] {
	return q.c.setMany(ctx, q.pipe, values, ttl)
}

func (c *Cache[T]) setMany(ctx context.Context, db redis.Cmdable, values map[string]T, ttl time.Duration) Pending[struct{}] {
	px, err := until(ttl)
	if err != nil {
		return refused[struct{}](err)
	}
	encoded := newBatch(len(values))
	keys := make([]string, 0, len(values))
	for key, value := range values {
		full, err := c.key(key)
		if err != nil {
			return refused[struct{}](err)
		}
		if err := c.add(encoded, value); err != nil {
			return refused[struct{}](fmt.Errorf("%q: %w", key, err))
		}
		keys = append(keys, full)
	}
	if len(keys) == 0 {
		return refused[struct{}](nil)
	}
	msetex := false
	if px > 0 {
		if msetex, err = c.msetex.ask(ctx, c.client, "MSETEX"); err != nil {
			return refused[struct{}](err)
		}
	}
	data, groups := encoded.texts(), c.groups(keys)
	to, exec := c.several(ctx, db, len(groups))
	errs := make([]func() error, len(groups))
	for g, group := range groups {
		errs[g] = c.setGroup(ctx, to, pick(keys, group), pick(data, group), px, msetex)
	}
	exec()
	return Pending[struct{}]{func() (none struct{}, err error) {
		for _, of := range errs {
			err = errors.Join(err, failed(of()))
		}
		return none, err
	}}
}

// setGroup stores values at once, px 0 for ever, and returns what is the error when it is done.
func (c *Cache[T]) setGroup(ctx context.Context, db redis.Cmdable, keys, values []string, px int64, msetex bool) func() error {
	if len(keys) == 1 {
		return db.Set(ctx, keys[0], values[0], time.Duration(px)*time.Millisecond).Err
	}
	if px > 0 && !msetex {
		args := script.ArgValues{"px": strconv.FormatInt(px, 10), "values": values}
		return run(ctx, db, c.setAll, script.KeyNames{"keys": keys}, args).Err
	}
	pairs := make([]any, 0, 2*len(keys))
	for i, key := range keys {
		pairs = append(pairs, key, values[i])
	}
	if px == 0 {
		return db.MSet(ctx, pairs...).Err
	}
	return db.MSetEX(ctx, redis.MSetEXArgs{Expiration: &redis.ExpirationOption{Mode: redis.PX, Value: px}}, pairs...).Err
}

// DeleteMany deletes the values at keys, and returns how many there were.
func (c *Cache[T]) DeleteMany(ctx context.Context, keys ...string) (deleted int, err error) {
	return told(c, "delete many", func() Pending[int] { return c.deleteMany(ctx, c.client, keys) })
}

// DeleteMany is Cache.DeleteMany.
func (q Queue[T]) DeleteMany(ctx context.Context, keys ...string) Pending[int] {
	return q.c.deleteMany(ctx, q.pipe, keys)
}

func (c *Cache[T]) deleteMany(ctx context.Context, db redis.Cmdable, keys []string) Pending[int] {
	full, err := c.keys(keys)
	switch {
	case err != nil:
		return refused[int](err)
	case len(keys) == 0:
		return refused[int](nil)
	}
	groups := c.groups(full)
	to, exec := c.several(ctx, db, len(groups))
	cmds := make([]*redis.IntCmd, len(groups))
	for g, group := range groups {
		cmds[g] = to.Del(ctx, pick(full, group)...)
	}
	exec()
	return Pending[int]{func() (deleted int, err error) {
		for _, cmd := range cmds {
			deleted += int(cmd.Val())
			err = errors.Join(err, failed(cmd.Err()))
		}
		return deleted, err
	}}
}
