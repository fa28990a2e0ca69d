package ordeal

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// writers is how many write at a time.
const writers = 4

// surviveKills kills, again and again, a process that has much to write, or the server of its database. What was acknowledged must be
// there afterwards, and nothing half.
func surviveKills(t *testing.T, d *database, server bool) {
	rng := random(t)
	rounds := 5
	if *long {
		rounds = 20
	}
	var acknowledged [writers]int64
	p := start(t, d.url)
	for round := range rounds {
		enough, over := int64(20+rng.IntN(400)), make(chan struct{})
		var written atomic.Int64
		var stop atomic.Bool
		var all sync.WaitGroup
		for i := range writers {
			c := p.client(t)
			all.Go(func() {
				for n := acknowledged[i] + 1; !stop.Load() && write(c, i, n) == nil; n++ {
					acknowledged[i] = n
					if written.Add(1) == enough {
						close(over)
					}
				}
			})
		}
		stopped := make(chan struct{})
		go func() {
			all.Wait()
			close(stopped)
		}()
		select {
		case <-over:
		case <-stopped:
			t.Fatalf("round %d: nobody can write any more, after %d steps", round, written.Load())
		}
		if server {
			d.kill(t)
		} else {
			p.kill()
		}
		stop.Store(true) // who was not hit would go on
		<-stopped
		if !server { // or the process finds the server again
			p = start(t, d.url)
		}
		inspect(t, d, p, &acknowledged)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d steps were acknowledged", sum(acknowledged))
}

// sizeOfDoomed is how many members a set has that is removed in each step: too many to be removed at once.
const sizeOfDoomed = 100

// write is the n-th step of a writer: a transaction on keys of all types, then single calls.
func write(c *redis.Client, i int, n int64) error {
	ctx := context.Background()
	name := func(kind string) string { return fmt.Sprintf("%s:%d", kind, i) }
	text := strconv.FormatInt(n, 10)
	_, err := c.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.Set(ctx, name("string"), text, 0)
		tx.RPush(ctx, name("list"), text)
		tx.HSet(ctx, name("hash"), text, text)
		tx.SAdd(ctx, name("set"), text)
		tx.ZAdd(ctx, name("zset"), redis.Z{Score: float64(n), Member: text})
		tx.XAdd(ctx, &redis.XAddArgs{Stream: name("stream"), ID: text + "-1", Values: []string{"n", text}})
		tx.Incr(ctx, "total")
		return nil
	})
	if err != nil {
		return err
	}
	doomed := make([]any, sizeOfDoomed)
	for j := range doomed {
		doomed[j] = j
	}
	for _, cmd := range []redis.Cmder{c.SAdd(ctx, name("doomed"), doomed...), c.Del(ctx, name("doomed")), c.Set(ctx, name("last"), text, 0)} {
		if cmd.Err() != nil {
			return cmd.Err()
		}
	}
	return nil
}

// inspect looks whether all that was acknowledged is there, at most one step more of each writer, and of no step a part.
func inspect(t *testing.T, d *database, p *process, acknowledged *[writers]int64) {
	t.Helper()
	ctx, c := context.Background(), p.client(t)
	ask := func(words ...any) int64 {
		t.Helper()
		n, err := c.Do(ctx, words...).Int64()
		if err != nil && err != redis.Nil {
			t.Errorf("%v: %v", words, err)
		}
		return n
	}
	for i, least := range acknowledged {
		name := func(kind string) string { return fmt.Sprintf("%s:%d", kind, i) }
		n := ask("GET", name("string"))
		if n < least || n > least+1 {
			t.Errorf("writer %d: step %d was acknowledged, %d is there", i, least, n)
		}
		for _, call := range [][]any{
			{"LLEN", name("list")}, {"HLEN", name("hash")}, {"SCARD", name("set")}, {"ZCARD", name("zset")}, {"XLEN", name("stream")},
		} {
			if got := ask(call...); got != n {
				t.Errorf("writer %d: %v is %d, but the string %d", i, call, got, n)
			}
		}
		if last := ask("GET", name("last")); last < least || last > n {
			t.Errorf("writer %d: step %d was acknowledged, %d was the last, %d is there", i, least, last, n)
		}
		if size := ask("SCARD", name("doomed")); size != 0 && (size != sizeOfDoomed || n == least) {
			t.Errorf("writer %d: of what is put in at once %d members are there", i, size)
		}
		if n > least { // it was cut off in the middle: it is done again from there
			if err := c.Del(ctx, name("doomed")).Err(); err != nil {
				t.Error(err)
			}
			acknowledged[i] = n
		}
	}
	if total, want := ask("GET", "total"), sum(*acknowledged); total != want {
		t.Errorf("%d steps are counted, and %d are there", total, want)
	}
	lookBehind(t, d)
}

func sum(all [writers]int64) (n int64) {
	for _, one := range all {
		n += one
	}
	return n
}

// lookBehind asks the tables themselves whether they are of one mind.
func lookBehind(t *testing.T, d *database) {
	t.Helper()
	for typ, table := range map[int]string{2: "redbud_list", 3: "redbud_set", 4: "redbud_zset", 5: "redbud_hash", 6: "redbud_entry"} {
		for _, statement := range []string{
			"SELECT count(*) FROM redbud_key k WHERE k.type = %[1]d AND k.len <> (SELECT count(*) FROM %[2]s e WHERE e.collection = k.collection)",
			"SELECT count(*) FROM %[2]s e WHERE NOT EXISTS (SELECT 1 FROM redbud_key k WHERE k.collection = e.collection AND k.type = %[1]d)" +
				" AND NOT EXISTS (SELECT 1 FROM redbud_orphan o WHERE o.collection = e.collection AND o.type = %[1]d)",
			"SELECT count(*) FROM redbud_key k JOIN redbud_orphan o ON o.collection = k.collection WHERE k.type = %[1]d",
		} {
			statement = fmt.Sprintf(statement, typ, table)
			if n := d.ask(t, statement); n != 0 {
				t.Errorf("%s: %d, want none", statement, n)
			}
		}
	}
	if d.ask(t, "SELECT count(*) FROM redbud_key") == 0 {
		t.Error("there are no keys to look at")
	}
	if d.check != nil {
		d.check(t)
	}
}
