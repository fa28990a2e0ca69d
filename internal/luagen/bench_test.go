package luagen

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
)

// What people write who do not check anything.
const partitionByHand = `local inp, left, right, cmp = KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[1])
local value = redis.call("LPOP", inp)
while value do
	if tonumber(value) < cmp then
		redis.call("LPUSH", left, value)
	else
		redis.call("RPUSH", right, value)
	end
	value = redis.call("LPOP", inp)
end
if redis.call("LLEN", left) > redis.call("LLEN", right) then
	redis.call("LPUSH", right, redis.call("RPOP", left))
end`

// BenchmarkLua compares what we make with what people write: the time of a run of 1,000 items, and of one GET.
func BenchmarkLua(b *testing.B) {
	c := server(b)
	ctx := context.Background()
	items := make([]any, 1000)
	for i := range items {
		items[i] = fmt.Sprint((i * 7919) % 1000)
	}
	refill := func() {
		c.Del(ctx, "inp", "left", "right")
		c.RPush(ctx, "inp", items...)
	}
	keys := []string{"inp", "left", "right"}
	for _, bench := range []struct {
		name, source string
		before       func()
		keys         []string
		args         []any
	}{
		{"partition/made", Source(checked(b, partition())), refill, keys, []any{500}},
		{"partition/by hand", partitionByHand, refill, keys, []any{500}},
		{"get/made", Source(checked(b, oneGet())), nil, []string{"k"}, nil},
		{"get/by hand", `return redis.call("GET", KEYS[1])`, nil, []string{"k"}, nil},
	} {
		b.Run(bench.name, func(b *testing.B) {
			script := redis.NewScript(bench.source)
			if err := script.Load(ctx, c).Err(); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if bench.before != nil {
					b.StopTimer()
					bench.before()
					b.StartTimer()
				}
				if err := script.EvalSha(ctx, c, bench.keys, bench.args...).Err(); err != nil && err != redis.Nil {
					b.Fatal(err)
				}
			}
		})
	}
}
