package script_test

import (
	"context"
	"regexp"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
	"github.com/redbud-go/redbud/script"
)

// What somebody would write by hand for Redis.
const (
	handPartition = `
local value = redis.call('LPOP', KEYS[1])
local pivot = tonumber(ARGV[1])
while value do
	if tonumber(value) < pivot then
		redis.call('LPUSH', KEYS[2], value)
	else
		redis.call('RPUSH', KEYS[3], value)
	end
	value = redis.call('LPOP', KEYS[1])
end
if redis.call('LLEN', KEYS[2]) > redis.call('LLEN', KEYS[3]) then
	redis.call('LPUSH', KEYS[3], redis.call('RPOP', KEYS[2]))
end
return false`
	handGet = `return redis.call('GET', KEYS[1])`
)

func getProgram() *script.Program {
	b := script.New("get")
	b.Return(b.Var("k").Get())
	return b.MustCompile()
}

// BenchmarkScripts runs a program natively, and on a redis-server as generated Lua and as Lua written by hand. server-ns/op is what the server
// says that the script took, without the network.
func BenchmarkScripts(b *testing.B) {
	ctx := context.Background()
	keys := script.KeyNames{"in": "in", "low": "low", "high": "high"}
	args := script.ArgValues{"pivot": 500}
	numbers := make([]any, 1000)
	for i := range numbers {
		numbers[i] = i * 7919 % 1000
	}
	memory := kittest.Open(b, "memory://")
	server := kittest.Open(b, testenv.SharedRedis(b).URL())

	partition, get := partition(), getProgram()
	for _, p := range []struct {
		name string
		db   *redbud.DB
		run  func() error
		fill bool
	}{
		{"partition/native", memory, runner(partition.On(memory), keys, args), true},
		{"partition/generated", server, runner(partition.On(server), keys, args), true},
		{"partition/handwritten", server, runLua(ctx, server, handPartition, []string{"in", "low", "high"}, 500), true},
		{"get/native", memory, runner(get.On(memory), script.KeyNames{"k": "k"}, nil), false},
		{"get/generated", server, runner(get.On(server), script.KeyNames{"k": "k"}, nil), false},
		{"get/handwritten", server, runLua(ctx, server, handGet, []string{"k"}), false},
	} {
		b.Run(p.name, func(b *testing.B) {
			p.db.Set(ctx, "k", "value", 0)
			p.db.ConfigResetStat(ctx)
			for b.Loop() {
				if p.fill {
					b.StopTimer()
					p.db.Del(ctx, "in", "low", "high")
					p.db.RPush(ctx, "in", numbers...)
					b.StartTimer()
				}
				if err := p.run(); err != nil {
					b.Fatal(err)
				}
			}
			if p.db == server {
				b.ReportMetric(serverTime(ctx, b, server), "server-ns/op")
			}
			if n := p.db.LLen(ctx, "low").Val(); p.fill && n != 500 {
				b.Errorf("%d are low", n)
			}
		})
	}
}

func runner(r *script.Runner, keys script.KeyNames, args script.ArgValues) func() error {
	return func() error { return r.Do(context.Background(), keys, args).Err() }
}

func runLua(ctx context.Context, db *redbud.DB, source string, keys []string, args ...any) func() error {
	s := redis.NewScript(source)
	return func() error {
		err := s.Run(ctx, db, keys, args...).Err()
		if err == redis.Nil {
			return nil
		}
		return err
	}
}

var statistic = regexp.MustCompile(`cmdstat_evalsha:.*usec_per_call=([0-9.]+)`)

// serverTime is how many nanoseconds a call of EVALSHA took, by INFO.
func serverTime(ctx context.Context, b *testing.B, db *redbud.DB) float64 {
	m := statistic.FindStringSubmatch(db.Info(ctx, "commandstats").Val())
	if m == nil {
		b.Fatal("INFO has no times of EVALSHA")
	}
	us, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		b.Fatal(err)
	}
	return 1000 * us
}
