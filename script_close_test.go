package redbud

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestManyScriptsAtOnceEndWithTheirContextsOrTheDatabase has scripts of all kinds run while their callers leave and the database is
// closed.
func TestManyScriptsAtOnceEndWithTheirContextsOrTheDatabase(t *testing.T) {
	db, err := Open(t.Context(), "memory://")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.FunctionLoad(t.Context(), "#!lua name=l\nredis.register_function('f', function(KEYS, ARGV) return redis.call('INCR', KEYS[1]) end)").Err(); err != nil {
		t.Fatal(err)
	}
	scripts := []string{
		"return redis.call('INCR', KEYS[1])", "while true do redis.call('GET', KEYS[1]) end", "redis.call('SET', KEYS[1], 1) while true do end", "error('no')",
		"for i = 1, 1000 do redis.call('RPUSH', 'l', i) end return redis.call('LRANGE', 'l', 0, -1)",
	}
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			d := rand.New(rand.NewPCG(1, uint64(i)))
			h := db
			if i%3 == 0 {
				h = db.Namespace("n:")
			}
			for n := 0; n < 1000; n++ {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+d.IntN(20))*time.Millisecond)
				var err error
				switch script := scripts[d.IntN(len(scripts))]; d.IntN(4) {
				case 0:
					err = h.FCall(ctx, "f", []string{"k"}).Err()
				case 1:
					_, err = h.TxPipelined(ctx, func(p redis.Pipeliner) error {
						p.Eval(ctx, script, []string{"k"})
						return nil
					})
				default:
					err = h.Eval(ctx, script, []string{"k"}).Err()
				}
				cancel()
				if errors.Is(err, redis.ErrClosed) {
					return
				}
				if err != nil && !errors.Is(err, context.DeadlineExceeded) && !strings.HasPrefix(err.Error(), "ERR user_script:1: no") &&
					!strings.HasPrefix(err.Error(), "ERR Script killed") {
					t.Errorf("a script ends with %v", err)
				}
			}
			t.Error("the database was not closed")
		})
	}
	time.Sleep(300 * time.Millisecond) // some run by then; if none does, all the better
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
}
