package redbud

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// waysToScript are ways on which scripts come to the engine.
var waysToScript = map[string]func(ctx context.Context, db *DB, script string, keys []string, args ...any) (any, error){
	"EVAL": func(ctx context.Context, db *DB, script string, keys []string, args ...any) (any, error) {
		return db.Eval(ctx, script, keys, args...).Result()
	},
	"EVALSHA, loaded again where it is missing": func(ctx context.Context, db *DB, script string, keys []string, args ...any) (any, error) {
		return redis.NewScript(script).Run(ctx, db, keys, args...).Result()
	},
	"in a pipeline": func(ctx context.Context, db *DB, script string, keys []string, args ...any) (any, error) {
		var cmd *redis.Cmd
		_, err := db.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.Ping(ctx)
			cmd = p.Eval(ctx, script, keys, args...)
			return nil
		})
		return cmd.Val(), err
	},
	"in a transaction": func(ctx context.Context, db *DB, script string, keys []string, args ...any) (any, error) {
		var cmd *redis.Cmd
		_, err := db.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Ping(ctx)
			cmd = p.Eval(ctx, script, keys, args...)
			return nil
		})
		return cmd.Val(), err
	},
	"a function": func(ctx context.Context, db *DB, script string, keys []string, args ...any) (any, error) {
		library := "#!lua name=lib\nredis.register_function('f', function(KEYS, ARGV) " + script + " end)"
		if err := db.FunctionLoadReplace(ctx, library).Err(); err != nil {
			return nil, err
		}
		return db.FCall(ctx, "f", keys, args...).Result()
	},
}

func TestScriptsRunThroughTheClient(t *testing.T) {
	for name, run := range waysToScript {
		t.Run(name, func(t *testing.T) {
			db := openTest(t, "memory://")
			ctx := t.Context()
			got, err := run(ctx, db, "redis.call('SET', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), 7}", []string{"k"}, "v")
			list, ok := got.([]any)
			if err != nil || !ok || len(list) != 2 || list[0] != "v" || list[1] != int64(7) {
				t.Errorf("%v, %v", got, err)
			}
			if v := db.Get(ctx, "k").Val(); v != "v" {
				t.Errorf("k is %q", v)
			}
			if _, err = run(ctx, db, "return redis.call('LPUSH', KEYS[1], 'x')", []string{"k"}); err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE ") {
				t.Errorf("an error in the script: %v", err)
			}
			if db.FlushDB(ctx).Err() != nil || db.ScriptFlush(ctx).Err() != nil {
				t.Error("no flush")
			}
			if got, err := run(ctx, db, "return redis.call('GET', KEYS[1])", []string{"k"}); err != redis.Nil {
				t.Errorf("a missing key: %v, %v", got, err)
			}
		})
	}
}

func TestWhoCallsAScriptLeavesWithinATenthOfASecond(t *testing.T) {
	for name, script := range map[string]string{
		"it reads":  "while true do redis.call('GET', 'k') end",
		"it writes": "redis.call('SET', 'k', 'v') while true do end",
	} {
		for way, run := range waysToScript {
			t.Run(name+", "+way, func(t *testing.T) {
				db := openTest(t, "memory://")
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() {
					_, err := run(ctx, db, script, nil)
					done <- err
				}()
				time.Sleep(20 * time.Millisecond) // it may run by now; if it does not yet, all the better
				cancel()
				select {
				case err := <-done:
					if !errors.Is(err, context.Canceled) {
						t.Errorf("it ends with %v", err)
					}
				case <-time.After(10 * time.Second):
					t.Error("it does not end")
				}
			})
		}
	}
}

func TestACallThatWaitsForAScriptEndsWithItsContext(t *testing.T) {
	db := openTest(t, "memory://")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go db.Eval(ctx, "redis.call('SET', 'k', 'v') while true do end", nil)
	for {
		short, end := context.WithTimeout(ctx, 50*time.Millisecond)
		err := db.Get(short, "k").Err()
		end()
		if errors.Is(err, context.DeadlineExceeded) {
			return
		}
		if err != nil && err != redis.Nil {
			t.Fatal(err)
		}
	}
}
