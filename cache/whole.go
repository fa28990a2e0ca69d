// All values of a cache.

package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// sweepBatch is how many keys are asked for at once.
const sweepBatch = 1000

// glob makes a pattern that fits a text only.
var glob = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// Clear deletes all values of the cache, those at keys with its prefix, and returns how many it has deleted. Values that are set meanwhile may stay.
// Functions that are given are told now and then how many it has deleted so far, one call at a time.
func (c *Cache[T]) Clear(ctx context.Context, progress ...func(deleted int)) (deleted int, err error) {
	return told(c, "clear", func() Pending[int] {
		err := c.each(ctx, func(ctx context.Context, keys []string) (func(), error) {
			pipe := c.client.Pipeline()
			cmds := make([]*redis.IntCmd, len(keys)) // one by one: on a cluster they are of several slots
			for i, key := range keys {
				cmds[i] = pipe.Unlink(ctx, key)
			}
			_, err := pipe.Exec(ctx)
			return func() {
				for _, cmd := range cmds {
					deleted += int(cmd.Val())
				}
				for _, tell := range progress {
					tell(deleted)
				}
			}, err
		})
		return Pending[int]{func() (int, error) { return deleted, err }}
	})
}

// Usage is what the values of a cache take.
type Usage struct {
	Values  int   // keys with the prefix of the cache
	Forever int   // how many of them have no time to live
	Bytes   int64 // that the engine says they take, keys included
}

// Usage looks at all values of the cache, a few at a time. Functions that are given are told now and then what it has seen so far, one call at a
// time. Of values that come and go meanwhile some are counted.
func (c *Cache[T]) Usage(ctx context.Context, progress ...func(Usage)) (Usage, error) {
	return told(c, "usage", func() Pending[Usage] {
		var u Usage
		err := c.each(ctx, func(ctx context.Context, keys []string) (func(), error) {
			pipe := c.client.Pipeline()
			sizes, ttls := make([]*redis.IntCmd, len(keys)), make([]*redis.DurationCmd, len(keys))
			for i, key := range keys {
				sizes[i], ttls[i] = pipe.MemoryUsage(ctx, key), pipe.PTTL(ctx, key)
			}
			cmds, _ := pipe.Exec(ctx) // the commands have the errors
			var err error
			for _, cmd := range cmds {
				if failure := cmd.Err(); failure != nil && !errors.Is(failure, redis.Nil) { // nil: it is gone
					err = failure
					break
				}
			}
			return func() {
				for i, key := range keys {
					switch ttl := ttls[i].Val(); {
					case ttl == -2, c.own(key): // gone, or of a tag
						continue
					case ttl == -1:
						u.Forever++
					}
					u.Values++
					u.Bytes += sizes[i].Val()
				}
				for _, tell := range progress {
					tell(u)
				}
			}, err
		})
		return Pending[Usage]{func() (Usage, error) { return u, err }}
	})
}

// each visits the keys of the cache, a few at a time, and of a cluster all nodes at once. What visit returns is called by one at a time, an
// error or not. A key may come twice.
func (c *Cache[T]) each(ctx context.Context, visit func(ctx context.Context, keys []string) (func(), error)) error {
	if c.o.Prefix == "" {
		return fmt.Errorf("%w: a cache without a prefix has no keys of its own, it would be everything", ErrOptions)
	}
	var mu sync.Mutex // held while what visit has returned is called
	sweep := func(ctx context.Context, node redis.Cmdable) error {
		pattern := glob.Replace(c.o.Prefix) + "*"
		for cursor := uint64(0); ; {
			keys, next, err := node.Scan(ctx, cursor, pattern, sweepBatch).Result()
			if err != nil {
				return err
			}
			done, err := visit(ctx, keys) // no keys too, so that progress is told while only those of others come by
			mu.Lock()
			done()
			mu.Unlock()
			if err != nil {
				return err
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	}
	if cluster, ok := behind(c.client).(*redis.ClusterClient); ok {
		return failed(cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return sweep(ctx, node) }))
	}
	if err := c.whole(ctx); err != nil {
		return err
	}
	return failed(sweep(ctx, c.client))
}

// whole is an error if the client is one of a cluster and does not show that: then a SCAN by it is one of a single node.
func (c *Cache[T]) whole(ctx context.Context) error {
	if c.slots != nil {
		return nil
	}
	info, err := c.client.Info(ctx, "cluster").Result()
	switch {
	case err != nil && !errors.As(err, new(redis.Error)): // who may not ask is no worse off than before
		return err
	case strings.Contains(info, "cluster_enabled:1"):
		return fmt.Errorf("%w: there is a cluster behind a %T, whose nodes cannot be reached through it", ErrOptions, c.client)
	}
	return nil
}
