package redbud

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// openTest opens a URL for the length of a test.
func openTest(t testing.TB, url string) *DB {
	t.Helper()
	db, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

// passing is a hook that does nothing, and so turns the fast lane off.
type passing struct{ seen []string }

func (p *passing) DialHook(next redis.DialHook) redis.DialHook { return next }

func (p *passing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		p.seen = append(p.seen, cmd.Name())
		return next(ctx, cmd)
	}
}

func (p *passing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// marshaler is an argument that writes itself.
type marshaler string

func (m marshaler) MarshalBinary() ([]byte, error) {
	if m == "" {
		return nil, errors.New("nothing to marshal")
	}
	return []byte("<" + m + ">"), nil
}

// conversation is a list of commands that meets every type of reply and argument the lane knows, refusals and nulls.
func conversation(ctx context.Context, c redis.Cmdable) []redis.Cmder {
	now := time.Date(2024, 5, 6, 7, 8, 9, 10, time.UTC)
	n, s := 7, "pointed"
	var cmds []redis.Cmder
	add := func(all ...redis.Cmder) { cmds = append(cmds, all...) }
	add(
		c.Set(ctx, "s", "v", 0), c.Get(ctx, "s"), c.Get(ctx, "none"), c.Append(ctx, "s", "w"), c.StrLen(ctx, "s"),
		c.SetNX(ctx, "s", "x", 0), c.SetNX(ctx, "nx", "x", time.Hour), c.GetDel(ctx, "nx"), c.GetDel(ctx, "nx"),
		c.SetArgs(ctx, "s", "y", redis.SetArgs{Mode: "NX", Get: true}), c.MGet(ctx, "s", "none"), c.MSet(ctx, "a", 1, "b", 2.5),
		c.Incr(ctx, "a"), c.IncrBy(ctx, "s", 2), c.IncrByFloat(ctx, "b", 1.25), c.Exists(ctx, "a", "b", "c"), c.Type(ctx, "a"),
		c.Expire(ctx, "a", time.Hour), c.Persist(ctx, "a"), c.TTL(ctx, "a"), c.PTTL(ctx, "none"), c.ExpireTime(ctx, "a"),
		c.ExpireAt(ctx, "a", now.AddDate(100, 0, 0)), c.PExpireTime(ctx, "a"), c.ExpireTime(ctx, "a"),
		c.HSet(ctx, "h", "f", "v", "g", 2), c.HGetAll(ctx, "h"), c.HGet(ctx, "h", "no"), c.HMGet(ctx, "h", "f", "no"),
		c.HGetAll(ctx, "none"), c.HKeys(ctx, "none"), c.HExists(ctx, "h", "f"), c.HScan(ctx, "h", 0, "*", 10), c.HRandFieldWithValues(ctx, "none", 2),
		c.RPush(ctx, "l", 1, "two", []byte("three"), true, nil), c.LRange(ctx, "l", 0, -1), c.LPop(ctx, "none"), c.LPosCount(ctx, "l", "two", 0, redis.LPosArgs{}),
		c.LMPop(ctx, "LEFT", 2, "none", "l"), c.LMPop(ctx, "LEFT", 2, "none"), c.LIndex(ctx, "l", 0), c.LPush(ctx, "s", "wrong type"),
		c.SAdd(ctx, "set", "m"), c.SMembers(ctx, "set"), c.SMembersMap(ctx, "set"), c.SMIsMember(ctx, "set", "m", "n"), c.SIsMember(ctx, "set", "m"), c.SPop(ctx, "none"),
		c.ZAdd(ctx, "z", redis.Z{Score: 1.5, Member: "m"}, redis.Z{Score: math.Inf(1), Member: "i"}), c.ZScore(ctx, "z", "m"), c.ZScore(ctx, "z", "i"), c.ZScore(ctx, "z", "no"),
		c.ZRangeWithScores(ctx, "z", 0, -1), c.ZRangeWithScores(ctx, "none", 0, -1), c.ZMScore(ctx, "z", "m", "no"), c.ZRankWithScore(ctx, "z", "i"), c.ZRankWithScore(ctx, "z", "no"),
		c.ZPopMin(ctx, "z"), c.ZMPop(ctx, "max", 5, "z"), c.ZMPop(ctx, "max", 5, "none"), c.ZIncrBy(ctx, "z", -0.5, "m"), c.Scan(ctx, 0, "z*", 1000),
		c.RPush(ctx, "args", int8(-1), int16(2), int32(3), int64(4), uint(5), uint8(6), uint16(7), uint32(8), uint64(math.MaxUint64), uintptr(9)),
		c.RPush(ctx, "args", float32(0.5), 1e21, 1.0, false, now, time.Minute, &n, &s, (*string)(nil), (*int)(nil), (*bool)(nil), (*time.Time)(nil)),
		c.RPush(ctx, "args", marshaler("m"), net.IPv4(1, 2, 3, 4), "", []byte(nil), &now), c.LRange(ctx, "args", 0, -1),
		c.Set(ctx, strings.Repeat("k", 70_000), strings.Repeat("v", 100_000), 0), c.Get(ctx, strings.Repeat("k", 70_000)),
		c.Ping(ctx), c.Echo(ctx, "e"), c.DBSize(ctx), c.ObjectEncoding(ctx, "a"), c.Rename(ctx, "none", "x"),
	)
	return cmds
}

// outcome says what came of a command: all results of its Val, and the error with its type.
func outcome(cmd redis.Cmder) string {
	var values []any
	for _, v := range reflect.ValueOf(cmd).MethodByName("Val").Call(nil) {
		values = append(values, v.Interface())
	}
	return fmt.Sprintf("%s: %#.300v | %v (%T)", cmd.Name(), values, cmd.Err(), cmd.Err())
}

func TestLaneAnswersAsAConnectionDoes(t *testing.T) {
	fast, slow := openTest(t, "memory://"), openTest(t, "memory://")
	slow.AddHook(&passing{})
	ctx := t.Context()
	got, want := conversation(ctx, fast), conversation(ctx, slow)
	for i := range want {
		if g, w := outcome(got[i]), outcome(want[i]); g != w {
			t.Errorf("lane:       %s\nconnection: %s", g, w)
		}
	}
}

func TestPipelinesAnswerAsAConnectionDoes(t *testing.T) {
	fast, slow := openTest(t, "memory://"), openTest(t, "memory://")
	slow.AddHook(&passing{})
	for _, tx := range []bool{false, true} {
		run := func(db *DB) ([]redis.Cmder, error) {
			queue := func(p redis.Pipeliner) error {
				conversation(t.Context(), p)
				for i := range 3 * bound {
					p.RPush(t.Context(), "long", i)
				}
				return nil
			}
			if tx {
				return db.TxPipelined(t.Context(), queue)
			}
			return db.Pipelined(t.Context(), queue)
		}
		got, gotErr := run(fast)
		want, wantErr := run(slow)
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Errorf("tx %v: error %v, want %v", tx, gotErr, wantErr)
		}
		for i := range want {
			if g, w := outcome(got[i]), outcome(want[i]); g != w {
				t.Errorf("tx %v, lane: %s\nconnection:    %s", tx, g, w)
			}
		}
	}
}

func TestErrorsAreThoseOfGoRedis(t *testing.T) {
	db := openTest(t, "memory://")
	ctx := t.Context()
	if err := db.Get(ctx, "none").Err(); err != redis.Nil {
		t.Errorf("a missing key: %v", err)
	}
	db.RPush(ctx, "l", 1)
	err := db.Get(ctx, "l").Err()
	if !errors.As(err, new(redis.Error)) || !redis.HasErrorPrefix(err, "WRONGTYPE") {
		t.Errorf("a wrong type: %T %v", err, err)
	}
	if err := db.Do(ctx, "nosuch", "x").Err(); !redis.HasErrorPrefix(err, "unknown command 'nosuch'") {
		t.Errorf("an unknown command: %v", err)
	}
	if err := db.Set(ctx, "k", struct{}{}, 0).Err(); err == nil || err.Error() != "redis: can't marshal struct {} (implement encoding.BinaryMarshaler)" {
		t.Errorf("an argument of no known type: %v", err)
	}
	if err := db.Set(ctx, "k", marshaler(""), 0).Err(); err == nil || err.Error() != "nothing to marshal" {
		t.Errorf("an argument that can't be written: %v", err)
	}
	_, err = db.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "k", struct{}{}, 0)
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "can't marshal struct {}") {
		t.Errorf("such an argument in a pipeline: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := db.Set(cancelled, "cancelled", 1, 0).Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	if n := db.Exists(ctx, "cancelled", "k").Val(); n != 0 {
		t.Errorf("%d of them were set", n)
	}
}

func TestHooksSeeEveryCommand(t *testing.T) {
	db := openTest(t, "memory://")
	p := &passing{}
	db.AddHook(p)
	db.Set(t.Context(), "k", "v", 0)
	db.Ping(t.Context())
	if !slices.Contains(p.seen, "set") || !slices.Contains(p.seen, "ping") {
		t.Errorf("the hook saw %q", p.seen)
	}
}

func TestConnectionInAnotherDatabaseStaysThere(t *testing.T) {
	db := openTest(t, "memory://")
	ctx := t.Context()
	conn := db.UniversalClient.(*redis.Client).Conn()
	defer conn.Close()
	conn.Select(ctx, 3)
	conn.Set(ctx, "k", "three", 0)
	if err := db.Get(ctx, "k").Err(); err != redis.Nil {
		t.Errorf("database 0 has the key of database 3: %v", err)
	}
	if v := conn.Get(ctx, "k").Val(); v != "three" {
		t.Errorf("the connection reads %q", v)
	}
}

func TestWatchedTransactionFailsAfterAChange(t *testing.T) {
	db := openTest(t, "memory://")
	ctx := t.Context()
	db.Set(ctx, "k", 1, 0)
	transact := func(meanwhile func()) error {
		return db.Watch(ctx, func(tx *redis.Tx) error {
			n, err := tx.Get(ctx, "k").Int()
			if err != nil {
				return err
			}
			meanwhile()
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, "k", n+1, 0)
				return nil
			})
			return err
		}, "k")
	}
	if err := transact(func() {}); err != nil {
		t.Errorf("nothing changed: %v", err)
	}
	if err := transact(func() { db.Set(ctx, "k", 10, 0) }); !errors.Is(err, redis.TxFailedErr) {
		t.Errorf("the key changed: %v", err)
	}
	if v := db.Get(ctx, "k").Val(); v != "10" {
		t.Errorf("k is %s", v)
	}
}

func TestTransactionWithABadCallRunsNothing(t *testing.T) {
	db := openTest(t, "memory://")
	ctx := t.Context()
	_, err := db.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "k", 1, 0)
		p.Do(ctx, "get")
		return nil
	})
	if !redis.IsExecAbortError(err) && !redis.HasErrorPrefix(err, "wrong number") {
		t.Errorf("error %v", err)
	}
	if n := db.Exists(ctx, "k").Val(); n != 0 {
		t.Error("the other call ran")
	}
}

func TestGetAllocatesLittle(t *testing.T) {
	if racing {
		t.Skip("allocations are counted without the race detector")
	}
	db := openTest(t, "memory://")
	ctx := context.Background()
	db.Set(ctx, "key", "value", 0)
	// go-redis's own three (arguments, boxed key, command), and the value.
	if n := testing.AllocsPerRun(1000, func() { db.Get(ctx, "key") }); n > 4 {
		t.Errorf("GET allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() { db.Incr(ctx, "n") }); n > 3 {
		t.Errorf("INCR allocates %v times", n)
	}
}

func BenchmarkGet(b *testing.B) {
	for name, hooked := range map[string]bool{"lane": false, "pipe": true} {
		b.Run(name, func(b *testing.B) {
			db := openTest(b, "memory://")
			if hooked {
				db.AddHook(quiet{})
			}
			ctx := b.Context()
			if err := db.Set(ctx, "key:000000001", strings.Repeat("v", 32), 0).Err(); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := db.Get(ctx, "key:000000001").Err(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// quiet is a hook that remembers nothing.
type quiet struct{}

func (quiet) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (quiet) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (quiet) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
