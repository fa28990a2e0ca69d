package softwaretest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// settleWithin is how long an invalidation may be under way before a value counts as stale for good.
const settleWithin = 5 * time.Second

// TestClientSideCachingKeepsNoStaleValue reads by clients that cache while others write. Each key holds a number that
// grows with every write. No reader ever sees a number go down, and once nobody writes any more all see the last ones.
func TestClientSideCachingKeepsNoStaleValue(t *testing.T) {
	t.Parallel()
	onEachFront(t, func(t *testing.T, addr string) {
		const keys, writers, readers, rounds, writes = 200, 4, 3, 10, 100_000
		plain := client(t, addr, 3)
		cached := make([]*redis.Client, readers)
		for i := range cached {
			cached[i] = redis.NewClient(&redis.Options{Addr: addr, Protocol: 3, ClientSideCacheConfig: &redis.ClientSideCacheConfig{MaxEntries: 10_000}})
			defer cached[i].Close()
		}
		var last [keys]atomic.Int64 // that a writer knows to be written
		var locks [keys]sync.Mutex
		for round := range rounds {
			var writing, reading sync.WaitGroup
			stop := make(chan struct{})
			for w := range writers {
				writing.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(round), uint64(w)))
					for n := 0; n < writes/rounds/writers; {
						n += write(t, plain, rng, &locks, &last)
					}
				})
			}
			for r, c := range cached {
				reading.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(round), uint64(100+r)))
					var seen [keys]int64
					for {
						select {
						case <-stop:
							return
						default:
						}
						k := rng.IntN(keys)
						n, err := c.Get(t.Context(), name(k)).Int64()
						if err != nil && err != redis.Nil {
							t.Error(err)
							return
						}
						if n < seen[k] {
							t.Errorf("%s went from %d back to %d", name(k), seen[k], n)
							return
						}
						seen[k] = n
					}
				})
			}
			writing.Wait()
			close(stop)
			reading.Wait()
			for r, c := range cached {
				for k := range keys {
					if agree(t, c, k, last[k].Load(), fmt.Sprintf("reader %d, round %d", r, round)); t.Failed() {
						return
					}
				}
			}
		}
		for _, c := range cached {
			if s := c.CSCStats(); s.Hits == 0 {
				t.Errorf("nothing was served from the cache: %+v", s)
			}
		}
	})
}

func name(k int) string { return "key:" + strconv.Itoa(k) }

// write writes a key in one of several ways and returns how many writes it was.
func write(t *testing.T, c *redis.Client, rng *rand.Rand, locks *[200]sync.Mutex, last *[200]atomic.Int64) int {
	ctx, k := t.Context(), rng.IntN(len(locks))
	locks[k].Lock()
	defer locks[k].Unlock()
	next := last[k].Load() + 1
	var err error
	n := 1
	switch rng.IntN(5) {
	case 0:
		err = c.Set(ctx, name(k), next, 0).Err()
	case 1:
		err = c.MSet(ctx, name(k), next, "other", next).Err()
	case 2:
		err = c.Incr(ctx, name(k)).Err()
	case 3:
		_, err = c.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Incr(ctx, name(k))
			p.Incr(ctx, name(k))
			return nil
		})
		next++
		n = 2
	case 4:
		_, err = c.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, "new:"+name(k), next, 0)
			p.Rename(ctx, "new:"+name(k), name(k))
			return nil
		})
		n = 2
	}
	if err != nil {
		t.Error(err)
		return 1 << 20 // and no more of it
	}
	last[k].Store(next)
	return n
}

// agree waits until a client reads what was written last.
func agree(t *testing.T, c *redis.Client, k int, want int64, who string) {
	var got int64
	for start := time.Now(); time.Since(start) < settleWithin; time.Sleep(time.Millisecond) {
		var err error
		if got, err = c.Get(t.Context(), name(k)).Int64(); err == nil && got == want || err == redis.Nil && want == 0 {
			return
		}
	}
	t.Errorf("%s keeps %d for %s, of which %d was written", who, got, name(k), want)
}
