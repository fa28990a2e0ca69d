package cache

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
)

// Open opens a cache by the URL of its engine, one that redbud.Open takes: memory://, redis://, rediss://, redis+unix://, redis+cluster:// and
// those of imported engines. dummy:// is an engine that keeps nothing, to run a program without a cache. Close it once.
func Open[T any](ctx context.Context, url string, o Options) (*Cache[T], error) {
	keepsNothing := strings.EqualFold(url, "dummy://")
	if keepsNothing {
		url = "memory://"
	}
	db, err := redbud.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	var client redis.UniversalClient = db
	closing := db.Close
	if keepsNothing {
		dummy := redis.NewClient(&redis.Options{Addr: "nowhere"})
		dummy.AddHook(forgetful{db})
		client, closing = dummy, func() error { return errors.Join(dummy.Close(), db.Close()) }
	}
	c, err := New[T](client, o)
	if err != nil {
		return nil, errors.Join(err, closing())
	}
	c.close, c.forgets = closing, keepsNothing
	return c, nil
}

// Close closes the engine of a cache that Open has opened. The client of New stays open.
func (c *Cache[T]) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
}

// forgetful has an engine run each command, and forget at once what it has stored.
type forgetful struct{ db *redbud.DB }

// DialHook implements redis.Hook.
func (f forgetful) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (f forgetful) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		pipe := f.db.TxPipeline()
		_ = pipe.Process(ctx, cmd)
		pipe.FlushDB(ctx)
		_, err := pipe.Exec(ctx)
		if cmd.Err() != nil {
			return cmd.Err()
		}
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (f forgetful) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		process := f.ProcessHook(nil)
		var first error
		for _, cmd := range cmds {
			if cmd.Name() == "multi" || cmd.Name() == "exec" { // nobody sees what is between them, nor what is not
				continue
			}
			if err := process(ctx, cmd); err != nil && first == nil {
				first = err
			}
		}
		return first
	}
}
