package cache_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/cache/codec"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

// account is a value as caches have them.
type account struct {
	ID               uint64
	Name, Mail, City string
	Age, Points      int
	Active           bool
	Score            float64
	Tags             []string
	Created          time.Time
}

func newAccount(id int) account {
	return account{
		ID: uint64(id), Name: "Ann", Mail: "ann@example.org", City: "Paris", Age: 30, Points: id, Active: true, Score: 2.5,
		Tags: []string{"a", "b"}, Created: time.Unix(1700000000, 123456789),
	}
}

// BenchmarkCaches compares calls of a cache with what they cannot do without: the codec, and the commands of go-redis.
func BenchmarkCaches(b *testing.B) {
	ctx := context.Background()
	many, keys := map[string]account{}, []string{}
	for i := range 1000 {
		key := fmt.Sprint("account ", i)
		many[key], keys = newAccount(i), append(keys, key)
	}
	one := newAccount(1)
	format := codec.MessagePack(codec.AsArrays)
	encode := func(a account) []byte {
		data, err := format.Append(nil, a)
		if err != nil {
			b.Fatal(err)
		}
		return data
	}
	decode := func(data []byte) error {
		var a account
		return format.Decode(data, &a)
	}
	for _, engine := range []struct{ name, url string }{{"memory", "memory://"}, {"redis", testenv.SharedRedis(b).URL()}} {
		db := kittest.Open(b, engine.url)
		c, err := cache.New[account](db, cache.Options{Prefix: "bench:", Codec: format})
		if err != nil {
			b.Fatal(err)
		}
		if err := c.SetMany(ctx, many, time.Hour); err != nil {
			b.Fatal(err)
		}
		for _, call := range []struct {
			name string
			do   func() error
		}{
			{"Set", func() error { return c.Set(ctx, keys[1], one, time.Hour) }},
			{"Set/by hand", func() error { return db.Set(ctx, "bench:"+keys[1], encode(one), time.Hour).Err() }},
			{"SetMany", func() error { return c.SetMany(ctx, many, time.Hour) }},
			{"SetMany/MSET by hand", func() error {
				pairs := make([]any, 0, 2*len(many))
				for key, a := range many {
					pairs = append(pairs, "bench:"+key, encode(a))
				}
				return db.MSet(ctx, pairs...).Err()
			}},
			{"SetMany/pipeline by hand", func() error {
				_, err := db.Pipelined(ctx, func(pipe redis.Pipeliner) error {
					for key, a := range many {
						pipe.Set(ctx, "bench:"+key, encode(a), time.Hour)
					}
					return nil
				})
				return err
			}},
			{"Get", func() error {
				_, err := c.Get(ctx, keys[1])
				return err
			}},
			{"Get/by hand", func() error {
				data, err := db.Get(ctx, "bench:"+keys[1]).Bytes()
				if err != nil {
					return err
				}
				return decode(data)
			}},
			{"GetMany", func() error {
				_, err := c.GetMany(ctx, keys...)
				return err
			}},
			{"GetMany/by hand", func() error {
				full := make([]string, len(keys))
				for i, key := range keys {
					full[i] = "bench:" + key
				}
				all, err := db.MGet(ctx, full...).Result()
				if err != nil {
					return err
				}
				for _, data := range all {
					if err := decode([]byte(data.(string))); err != nil {
						return err
					}
				}
				return nil
			}},
		} {
			b.Run(engine.name+"/"+call.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := call.do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkFuncGetMany loads and purges 1,000 keys, which a single server has together and a cluster in a thousand slots.
func BenchmarkFuncGetMany(b *testing.B) {
	ctx := context.Background()
	keys := make([]int, 1000)
	for i := range keys {
		keys[i] = i
	}
	for _, engine := range []struct{ name, url string }{
		{"memory", "memory://"}, {"redis", testenv.SharedRedis(b).URL()}, {"cluster", testenv.SharedCluster(b).URL()},
	} {
		f, err := cache.NewFunc(kittest.Open(b, engine.url), cache.FuncOptions[int, account]{
			Options: cache.Options{Prefix: "bench:"}, TTL: time.Hour,
			LoadMany: func(_ context.Context, keys []int) ([]cache.Found[account], error) {
				found := make([]cache.Found[account], len(keys))
				for i, key := range keys {
					found[i] = cache.Found[account]{Value: newAccount(key), OK: true}
				}
				return found, nil
			},
		})
		if err != nil {
			b.Fatal(err)
		}
		for _, call := range []struct {
			name  string
			purge bool
		}{{"missing", true}, {"there", false}} {
			b.Run(engine.name+"/"+call.name, func(b *testing.B) {
				for b.Loop() {
					if call.purge {
						if _, err := f.PurgeMany(ctx, keys...); err != nil {
							b.Fatal(err)
						}
					}
					if found, err := f.GetMany(ctx, keys...); err != nil || !found[999].OK {
						b.Fatal(err)
					}
				}
			})
		}
		if err := f.Close(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
