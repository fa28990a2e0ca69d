package script_test

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/script"
)

// What redipy's own tests expect of its scripts; keys have a hash tag here, for clusters.

func TestSimple(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		x, y := b.Arg("a", script.Int), b.Arg("b", script.Int)
		c, d := b.Local("c", 5), b.Local("d", 0.0)
		b.If(x.Add(y).Ge(10), func() {
			c.Assign(x.Sub(y))
			d.Assign(2.5)
		}).Else(func() {
			d.Assign(7.5)
		})
		b.Return(c.Add(d))
	})
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		run := p.On(db)
		for in, want := range map[[2]int]float64{{2, 4}: 12.5, {3, 7}: -1.5, {13, 2}: 13.5} {
			got, err := run.Do(t.Context(), nil, script.ArgValues{"a": in[0], "b": in[1]}).Float()
			if got != want || err != nil {
				t.Errorf("of %v it returns %v and %v, not %v", in, got, err, want)
			}
		}
	})
}

func TestRunningMaximum(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		k, a := b.Var("k"), b.Arg("a", script.Int)
		b.If(k.Get().Or("0").Float().Le(a), func() { b.Do(k.Set(a)) })
		now := b.Local("now", k.Get())
		b.Return(now.And(now.Int()))
	})
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		db.Set(t.Context(), "{t}pos", "5", 0)
		run := p.On(db)
		for i, step := range []struct {
			key     string
			a, want int64 // want 0: see null
			null    bool
		}{
			{"foo", 1, 1, false}, {"foo", 3, 3, false}, {"foo", 2, 3, false}, {"bar", 5, 5, false}, {"bar", 2, 5, false},
			{"foo", 4, 4, false}, {"bar", 5, 5, false}, {"foo", 8, 8, false}, {"foo", 9, 9, false}, {"neg", -1, 0, true},
			{"neg", 0, 0, false}, {"neg", 1, 1, false}, {"neg", 0, 1, false}, {"bar", 2, 5, false}, {"pos", 3, 5, false},
			{"bar", 7, 7, false}, {"pos", 6, 6, false},
		} {
			r := run.Do(t.Context(), script.KeyNames{"k": "{t}" + step.key}, script.ArgValues{"a": step.a})
			got, err := r.Int()
			if step.null {
				if !r.IsNull() || !errors.Is(err, redis.Nil) {
					t.Errorf("step %d: it returns %v and %v, not null", i, got, err)
				}
			} else if got != step.want || err != nil {
				t.Errorf("step %d: it returns %v and %v, not %v", i, got, err, step.want)
			}
		}
	})
}

// partition is the program that README shows.
func partition() *script.Program {
	b := script.New("partition")
	in, low, high := b.List("in"), b.List("low"), b.List("high")
	pivot := b.Arg("pivot", script.Float)

	value := b.Local("value", in.LPop())
	b.While(value, func() {
		b.If(value.Float().Lt(pivot), func() {
			b.Do(low.LPush(value))
		}).Else(func() {
			b.Do(high.RPush(value))
		})
		value.Assign(in.LPop())
	})
	b.If(low.Len().Gt(high.Len()), func() {
		b.Do(high.LPush(low.RPop()))
	})
	b.Return(nil)
	return b.MustCompile()
}

func TestListPartition(t *testing.T) {
	p := partition()
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		db.RPush(ctx, "{t}a", 5, 2, 3, 7, 9, 8, 8, 1, 4)
		db.RPush(ctx, "{t}d", 1, 2, 3, 4, 5, 6, 7, 8, 9)
		run := p.On(db)
		for _, step := range []struct {
			in, low, high string
			pivot         int
			lows, highs   int64
		}{{"{t}a", "{t}b", "{t}c", 5, 4, 5}, {"{t}d", "{t}b", "{t}e", 7, 9, 4}, {"{t}b", "{t}a", "{t}d", 3, 3, 6}} {
			err := run.Do(ctx, script.KeyNames{"in": step.in, "low": step.low, "high": step.high}, script.ArgValues{"pivot": step.pivot}).Err()
			lows, highs := db.LLen(ctx, step.low).Val(), db.LLen(ctx, step.high).Val()
			if err != nil || lows != step.lows || highs != step.highs {
				t.Errorf("%v: %v, with %d low and %d high", step, err, lows, highs)
			}
		}
		for _, pop := range []struct {
			got  *redis.StringSliceCmd
			want []string
		}{
			{db.RPopCount(ctx, "{t}a", 3), []string{"2", "1", "1"}},
			{db.RPopCount(ctx, "{t}b", 1), nil},
			{db.LPopCount(ctx, "{t}c", 3), []string{"5", "7", "9"}},
			{db.LPopCount(ctx, "{t}c", 3), []string{"8", "8"}},
			{db.RPopCount(ctx, "{t}d", 7), []string{"3", "4", "3", "4", "5", "6"}},
			{db.LPopCount(ctx, "{t}e", 4), []string{"2", "7", "8", "9"}},
		} {
			if !slices.Equal(pop.got.Val(), pop.want) {
				t.Errorf("%v, not %v", pop.got, pop.want)
			}
		}
	})
}

func TestPrefixesOfASortedSet(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		z, prefix := b.SortedSet("z"), b.Arg("prefix", script.String)
		found := b.Local("found", []string{})
		b.Each(z.PopMin(5), func(_, pair *script.Local) {
			b.If(pair.At(0).HasPrefix(prefix), func() { found.Append(pair.At(0)) })
		})
		b.Return(found)
	})
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		for member, score := range map[string]float64{"a_x_0": 0, "a_p_1": 1, "a_s_2": 2, "a_d_3": 3, "a_f_4": 4, "b_v_0": .5, "b_t_1": 1,
			"b_q_2": 1.5, "b_u_3": 2, "c_e_0": 2, "c_a_1": 2.1, "c_i_2": 2.2, "c_k_3": 2.3, "c_l_4": 2.4, "c_b_5": 2.5} {
			db.ZAdd(ctx, "{t}a", redis.Z{Score: score, Member: member})
		}
		run := p.On(db)
		for _, step := range []struct {
			prefix string
			want   []string
		}{{"a_", []string{"a_x_0", "a_p_1"}}, {"b_", []string{"b_u_3"}}, {"c_", []string{"c_k_3", "c_l_4", "c_b_5"}}} {
			got, err := run.Do(ctx, script.KeyNames{"z": "{t}a"}, script.ArgValues{"prefix": step.prefix}).Strings()
			if err != nil || !slices.Equal(got, step.want) {
				t.Errorf("of %s it returns %v and %v, not %v", step.prefix, got, err, step.want)
			}
		}
		if db.ZCard(ctx, "{t}a").Val() != 0 || db.Exists(ctx, "{t}a").Val() != 0 {
			t.Error("the set is not gone")
		}
	})
}

func TestSetSwap(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		left, right := b.Set("left"), b.Set("right")
		moved := b.Local("moved", []string{})
		b.Each(b.Arg("names", script.ListOf(script.String)), func(_, name *script.Local) {
			inLeft, inRight := b.Local("in left", left.Has(name)), b.Local("in right", right.Has(name))
			b.If(inLeft.Ne(inRight), func() {
				b.If(inLeft, func() {
					b.Do(left.Remove(name))
					b.Do(right.Add(name))
				}).Else(func() {
					b.Do(right.Remove(name))
					b.Do(left.Add(name))
				})
				moved.Append(name)
			})
		})
		b.If(moved.Len().Eq(0), func() { b.Return(nil) })
		b.Return(moved)
	})
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		db.SAdd(ctx, "{t}l", "a", "b", "c", "d")
		db.SAdd(ctx, "{t}r", "b", "d", "e", "f")
		run := p.On(db)
		for _, step := range []struct{ names, want []string }{
			{[]string{"a", "b", "c"}, []string{"a", "c"}}, {[]string{"a", "d", "e", "f"}, []string{"a", "e", "f"}}, {[]string{"c"}, []string{"c"}}, {[]string{"d"}, nil},
		} {
			r := run.Do(ctx, script.KeyNames{"left": "{t}l", "right": "{t}r"}, script.ArgValues{"names": step.names})
			got, err := r.Strings()
			if step.want == nil && !r.IsNull() || step.want != nil && err != nil || !slices.Equal(got, step.want) {
				t.Errorf("of %v it returns %v and %v, not %v", step.names, got, err, step.want)
			}
		}
	})
}

func TestOptionsOfSet(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		k := b.Var("k")
		b.Return([]any{
			k.Set("a"), k.Set("b", script.IfMissing), k.SetGet("c", script.TTL(100*time.Millisecond)),
			k.Set("d", script.IfMissing, script.KeepTTL), k.Set("e", script.IfExists, script.KeepTTL), k.Get(), k.TTL().Gt(0),
		})
	})
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		got, err := p.On(db).Do(t.Context(), script.KeyNames{"k": "k"}, nil).Value()
		if want := []any{true, false, "a", false, true, "e", true}; err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("it returns %v and %v, not %v", got, err, want)
		}
	})
}

func TestPipelineOfCommands(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		var got []any
		value := func(c redis.Cmder) any {
			switch c := c.(type) {
			case *redis.StringCmd:
				if c.Err() == nil {
					return c.Val()
				}
			case *redis.StatusCmd:
				if c.Name() == "set" && !slices.Contains(c.Args(), any("get")) {
					return c.Err() == nil
				}
				if c.Err() == nil {
					return c.Val()
				}
			}
			return nil
		}
		cmds, err := db.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Get(ctx, "baz")
			p.SetArgs(ctx, "baz", "-", redis.SetArgs{Mode: "XX"})
			p.Get(ctx, "baz")
			p.Set(ctx, "baz", "a", 0)
			p.Get(ctx, "baz")
			p.SetArgs(ctx, "baz", "b", redis.SetArgs{Mode: "XX"})
			p.Get(ctx, "baz")
			p.SetArgs(ctx, "baz", "c", redis.SetArgs{Mode: "NX"})
			p.Get(ctx, "baz")
			p.SetArgs(ctx, "baz", "d", redis.SetArgs{Get: true, TTL: 100 * time.Millisecond})
			p.Get(ctx, "baz")
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
		for _, c := range cmds {
			got = append(got, value(c))
		}
		if want := []any{nil, false, nil, true, "a", true, "b", false, "b", "b", "d"}; !reflect.DeepEqual(got, want) {
			t.Errorf("the replies are %v, not %v", got, want)
		}
	})
}

func TestReadsOfTheWrongType(t *testing.T) {
	types := []struct {
		name string
		fill func(db *redbud.DB, t *testing.T, key string)
		read func(k script.Key) script.Expr
	}{
		{"string", func(db *redbud.DB, t *testing.T, key string) { db.Set(t.Context(), key, "v", 0) }, func(k script.Key) script.Expr { return k.Var().Get() }},
		{"list", func(db *redbud.DB, t *testing.T, key string) { db.RPush(t.Context(), key, "v") }, func(k script.Key) script.Expr { return k.List().Range(0, -1) }},
		{"hash", func(db *redbud.DB, t *testing.T, key string) { db.HSet(t.Context(), key, "f", "v") }, func(k script.Key) script.Expr { return k.Hash().Get("f") }},
		{"set", func(db *redbud.DB, t *testing.T, key string) { db.SAdd(t.Context(), key, "v") }, func(k script.Key) script.Expr { return k.Set().Has("v") }},
		{"zset", func(db *redbud.DB, t *testing.T, key string) { db.ZAdd(t.Context(), key, redis.Z{Member: "v"}) }, func(k script.Key) script.Expr { return k.SortedSet().Score("v") }},
	}
	programs := make([]*script.Program, len(types))
	for i, typ := range types {
		programs[i] = compile(t, func(b *script.Builder) { b.Return(typ.read(b.Key("k"))) })
	}
	message := regexp.MustCompile(`key.*(ha|i)s a`)
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		if keys, cursor, err := db.Scan(t.Context(), 0, "", 0).Result(); len(keys) > 0 || cursor != 0 || err != nil {
			t.Errorf("SCAN of an empty database is %v, %d, %v", keys, cursor, err)
		}
		for i, typ := range types {
			for j, other := range types {
				other.fill(db, t, "{t}"+other.name)
				err := programs[i].On(db).Do(t.Context(), script.KeyNames{"k": "{t}" + other.name}, nil).Err()
				if i == j {
					if err != nil {
						t.Errorf("a read of a %s: %v", typ.name, err)
					}
				} else if !errors.Is(err, script.ErrWrongType) || !errors.Is(err, script.KindRedis) || !message.MatchString(script.ErrWrongType.Error()) {
					t.Errorf("a read of a %s as a %s: %v", other.name, typ.name, err)
				}
			}
		}
	})
}
