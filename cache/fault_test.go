package cache_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

// dying is a client that sends a few commands and then no more, as if its process had been killed.
type dying struct{ left int }

var errDead = errors.New("the client is dead")

func (d *dying) DialHook(next redis.DialHook) redis.DialHook { return next }

func (d *dying) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if d.left--; d.left < 0 {
			cmd.SetErr(errDead)
			return errDead
		}
		return next(ctx, cmd)
	}
}

func (d *dying) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if d.left--; d.left < 0 {
			for _, cmd := range cmds {
				cmd.SetErr(errDead)
			}
			return errDead
		}
		return next(ctx, cmds)
	}
}

func TestAClientThatDiesLeavesNothingTorn(t *testing.T) {
	values := map[string]int{}
	for i := range 30 {
		values[fmt.Sprint("k", i)] = i
	}
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		d := &dying{left: 1 << 30}
		db.AddHook(d)
		for name, do := range map[string]func(c *cache.Cache[int]) error{
			"set":      func(c *cache.Cache[int]) error { return c.Set(ctx, "k0", 1, time.Hour) },
			"set many": func(c *cache.Cache[int]) error { return c.SetMany(ctx, values, time.Hour) },
			"hash":     func(c *cache.Cache[int]) error { _, err := c.Hash("h").Set(ctx, values, time.Hour); return err },
			"list":     func(c *cache.Cache[int]) error { _, err := c.List("l").PushBack(ctx, time.Hour, 1, 2, 3); return err },
		} {
			died := 0
			for commands := 0; ; commands++ {
				d.left = 1 << 30
				for _, key := range keysOf(t, db) {
					db.Del(ctx, key)
				}
				c := open[int](t, db, cache.Options{Prefix: "{c}"})
				d.left = commands
				err := do(c)
				d.left = 1 << 30
				stored := keysOf(t, db)
				for _, key := range stored {
					if ttl := db.TTL(ctx, key).Val(); ttl <= 0 {
						t.Errorf("%s, dead after %d commands: %s stays %v", name, commands, key, ttl)
					}
				}
				if name == "set many" && len(stored) != 0 && len(stored) != len(values) {
					t.Errorf("%s, dead after %d commands: %d of %d values are there", name, commands, len(stored), len(values))
				}
				if n := db.HLen(ctx, "{c}h").Val(); name == "hash" && n != 0 && n != int64(len(values)) {
					t.Errorf("%s, dead after %d commands: %d fields are there", name, commands, n)
				}
				if err == nil {
					break
				}
				if !errors.Is(err, errDead) {
					t.Fatalf("%s, dead after %d commands: %v", name, commands, err)
				}
				died++
			}
			if died == 0 {
				t.Errorf("%s never died", name)
			}
		}
	})
}

// keysOf are the keys of the test that are there.
func keysOf(t *testing.T, db *redbud.DB) (keys []string) {
	t.Helper()
	all := []string{"{c}h", "{c}l"}
	for i := range 30 {
		all = append(all, fmt.Sprint("{c}k", i))
	}
	for _, key := range all {
		n, err := db.Exists(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			keys = append(keys, key)
		}
	}
	return keys
}

func TestAServerThatStandsStillAndGoesOn(t *testing.T) {
	server := testenv.Redis(t)
	db := kittest.Open(t, server.URL())
	c := open[int](t, db, cache.Options{})
	if err := c.Set(t.Context(), "k", 1, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Get(ctx, "k"); err == nil || errors.Is(err, cache.ErrMiss) {
		t.Errorf("Get of a server that stands still: %v", err)
	}
	if err := c.Set(ctx, "k", 2, time.Hour); err == nil {
		t.Errorf("Set of a server that stands still: %v", err)
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), "k"); err != nil || got != 1 && got != 2 {
		t.Errorf("when it goes on: %d and %v", got, err)
	}
	server.Kill()
	if _, err := c.Get(t.Context(), "k"); err == nil || errors.Is(err, cache.ErrMiss) {
		t.Errorf("Get of a server that is gone: %v", err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 100 { // connections to the dead server are found out one by one
		if err = c.Set(t.Context(), "k", 3, time.Hour); err == nil {
			break
		}
	}
	if got, getErr := c.Get(t.Context(), "k"); got != 3 || err != nil || getErr != nil {
		t.Errorf("when it is back: %d, %v, %v", got, err, getErr)
	}
}
