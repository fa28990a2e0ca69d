package script_test

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

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
	"github.com/redbud-go/redbud/script"
)

// count counts the commands that a client sends, by name.
type count map[string]int

func (c count) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c count) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c[cmd.Name()]++
		return next(ctx, cmd)
	}
}

func (c count) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func counter(t *testing.T) *script.Program {
	return compile(t, func(b *script.Builder) { b.Return(b.Var("k").IncrBy(b.Arg("n", script.Int))) })
}

func TestAnEngineGetsAProgramOnceAndAgainAfterAFlush(t *testing.T) {
	p := counter(t)
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		sent := count{}
		db.AddHook(sent)
		run := p.On(db)
		next := int64(0)
		step := func() {
			t.Helper()
			next++
			if n, err := run.Do(ctx, script.KeyNames{"k": "k"}, script.ArgValues{"n": 1}).Int(); n != next || err != nil {
				t.Fatalf("it returns %d and %v, not %d", n, err, next)
			}
		}
		kind := "redbud.eval"
		step()
		if sent[kind] == 0 {
			kind = "eval"
		}
		for range 3 {
			step()
		}
		if sent["command"] != 1 || sent[kind] != 1 || sent[kind+"sha"] != 4 {
			t.Errorf("4 runs send %v", sent)
		}
		if err := db.ScriptFlush(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		step()
		step()
		if sent["command"] != 1 || sent[kind] != 2 || sent[kind+"sha"] != 6 {
			t.Errorf("4 runs, SCRIPT FLUSH and 2 runs send %v", sent)
		}
	})
}

func TestManyRunsAreEachForItself(t *testing.T) {
	p := counter(t)
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		run := p.On(db)
		if len(run.DoMany(ctx)) != 0 {
			t.Error("no runs have results")
		}
		if err := db.RPush(ctx, "list", 1).Err(); err != nil {
			t.Fatal(err)
		}
		sent := count{}
		db.AddHook(sent)
		runs := make([]script.Run, 50)
		for i := range runs {
			runs[i] = script.Run{Keys: script.KeyNames{"k": fmt.Sprint("k", i)}, Args: script.ArgValues{"n": i}}
		}
		runs[7].Keys = script.KeyNames{"k": "list"}
		runs[8].Args = nil
		step := func(times int) {
			t.Helper()
			for i, r := range run.DoMany(ctx, runs...) {
				n, err := r.Int()
				switch {
				case i == 7 && !errors.Is(err, script.ErrWrongType), i == 8 && !errors.Is(err, script.ErrInput):
					t.Errorf("run %d: %v", i, err)
				case i != 7 && i != 8 && (n != int64(i*times) || err != nil):
					t.Errorf("run %d returns %d and %v, not %d", i, n, err, i*times)
				}
			}
		}
		step(1)
		step(2)
		if err := db.ScriptFlush(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		step(3)
		if alone := sent["eval"] + sent["evalsha"] + sent["redbud.eval"] + sent["redbud.evalsha"]; alone != 0 {
			t.Errorf("%d runs are sent alone", alone)
		}
		if n, err := run.DoMany(ctx, runs[1])[0].Int(); n != 4 || err != nil {
			t.Errorf("a single run returns %d and %v", n, err)
		}
		ended, end := context.WithCancel(ctx)
		end()
		for i, r := range run.DoMany(ended, runs[:3]...) {
			if err := r.Err(); !errors.Is(err, context.Canceled) {
				t.Errorf("run %d of a context that has ended: %v", i, err)
			}
		}
	})
}

func TestAnEngineMayBecomeAnotherOne(t *testing.T) {
	p := counter(t)
	one := script.Run{Keys: script.KeyNames{"k": t.Name()}, Args: script.ArgValues{"n": 1}}
	embedded, server := kittest.Open(t, "memory://"), kittest.Open(t, testenv.SharedRedis(t).URL())
	for name, way := range map[string][]*redbud.DB{"a server": {embedded, server}, "an embedded one": {server, embedded}} {
		t.Run(name, func(t *testing.T) {
			for _, times := range []int{1, 3} {
				client := &struct{ redis.UniversalClient }{}
				run := p.On(client)
				for _, db := range way {
					if err := db.Del(t.Context(), one.Keys["k"].(string)).Err(); err != nil {
						t.Fatal(err)
					}
					client.UniversalClient = db
					for i, r := range run.DoMany(t.Context(), slices.Repeat([]script.Run{one}, times)...) {
						if n, err := r.Int(); n != int64(i+1) || err != nil {
							t.Errorf("run %d of %d returns %d and %v", i, times, n, err)
						}
					}
				}
			}
		})
	}
}

func TestPipelinesAndTransactions(t *testing.T) {
	p := counter(t)
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		run := p.On(db)
		want := int64(0)
		for name, do := range map[string]func(context.Context, func(redis.Pipeliner) error) ([]redis.Cmder, error){"pipeline": db.Pipelined, "transaction": db.TxPipelined} {
			db.ScriptFlush(ctx)
			var results []*script.Result
			var bad, wrong *script.Result
			_, err := do(ctx, func(pipe redis.Pipeliner) error {
				for range 3 {
					results = append(results, run.Queue(ctx, pipe, script.KeyNames{"k": "{t}k"}, script.ArgValues{"n": 2}))
				}
				bad = run.Queue(ctx, pipe, script.KeyNames{"k": "{t}k"}, nil)
				pipe.RPush(ctx, "{t}l", 1)
				wrong = run.Queue(ctx, pipe, script.KeyNames{"k": "{t}l"}, script.ArgValues{"n": 1})
				return nil
			})
			if !errors.As(err, new(redis.Error)) { // that of the run on a list
				t.Errorf("%s: %v", name, err)
			}
			for _, r := range results {
				want += 2
				if n, err := r.Int(); n != want || err != nil {
					t.Errorf("%s: a run returns %d and %v, not %d", name, n, err, want)
				}
			}
			if err := bad.Err(); !errors.Is(err, script.ErrInput) {
				t.Errorf("%s: a run without its argument: %v", name, err)
			}
			if err := wrong.Err(); !errors.Is(err, script.ErrWrongType) {
				t.Errorf("%s: a run on a list: %v", name, err)
			}
		}
	})
}

func TestKeysOfSeveralSlotsAreRefusedByACluster(t *testing.T) {
	p := compile(t, func(b *script.Builder) { b.Return(b.Var("a").SetGet(b.Var("b").Get().Or("x"))) })
	db := kittest.Open(t, testenv.SharedCluster(t).URL())
	var e *script.Error
	if err := p.On(db).Do(t.Context(), script.KeyNames{"a": "a", "b": "b"}, nil).Err(); !errors.As(err, &e) || e.Code != "CROSSSLOT" {
		t.Errorf("keys of two slots: %v", err)
	}
	for i := range 50 { // wherever the slot is
		if err := p.On(db).Do(t.Context(), script.KeyNames{"a": fmt.Sprintf("{%d}a", i), "b": fmt.Sprintf("{%d}b", i)}, nil).Err(); err != nil {
			t.Error(err)
		}
	}
}

func TestInputThatDoesNotFitIsNotSent(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		k := b.Var("k")
		many := b.Keys("many")
		n, s, f := b.Arg("n", script.Int), b.Arg("s", script.String), b.Arg("f", script.Float)
		l, m := b.Arg("l", script.ListOf(script.Int)), b.Arg("m", script.MapOf(script.Bool.OrNull()))
		b.Do(k.Set(1))
		b.Return([]any{k, many.Len(), n, s, f, l, m, b.Arg("any", script.Any)})
	})
	keys := func() script.KeyNames { return script.KeyNames{"k": "{t}k", "many": []string{"{t}a", "{t}b"}} }
	args := func() script.ArgValues {
		return script.ArgValues{"n": 1, "s": "x", "f": 2, "l": []int{1}, "m": map[string]any{"a": true, "b": nil}}
	}
	cyclic := map[string]any{}
	cyclic["a"] = cyclic
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		run := p.On(db)
		want := []any{"{t}k", int64(2), int64(1), "x", int64(2), []any{int64(1)}, map[string]any{"a": true, "b": nil}, nil}
		if got, err := run.Do(ctx, keys(), args()).Value(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("what fits: %v and %v, not %v", got, err, want)
		}
		db.Del(ctx, "{t}k")
		for name, bad := range map[string]func(k script.KeyNames, a script.ArgValues){
			"a missing key":              func(k script.KeyNames, a script.ArgValues) { delete(k, "k") },
			"many keys missing":          func(k script.KeyNames, a script.ArgValues) { delete(k, "many") },
			"an unknown key":             func(k script.KeyNames, a script.ArgValues) { k["x"] = "x" },
			"a number as a key":          func(k script.KeyNames, a script.ArgValues) { k["k"] = 1 },
			"many keys for one":          func(k script.KeyNames, a script.ArgValues) { k["k"] = []string{"a"} },
			"one key for many":           func(k script.KeyNames, a script.ArgValues) { k["many"] = "a" },
			"a missing argument":         func(k script.KeyNames, a script.ArgValues) { delete(a, "n") },
			"an unknown argument":        func(k script.KeyNames, a script.ArgValues) { a["x"] = 1 },
			"nil":                        func(k script.KeyNames, a script.ArgValues) { a["n"] = nil },
			"a string for an Int":        func(k script.KeyNames, a script.ArgValues) { a["n"] = "1" },
			"a float for an Int":         func(k script.KeyNames, a script.ArgValues) { a["n"] = 1.0 },
			"too large":                  func(k script.KeyNames, a script.ArgValues) { a["n"] = uint64(1 << 63) },
			"not a number":               func(k script.KeyNames, a script.ArgValues) { a["f"] = math.NaN() },
			"an integer of 64 bits":      func(k script.KeyNames, a script.ArgValues) { a["f"] = int64(math.MaxInt64) },
			"a string in a list":         func(k script.KeyNames, a script.ArgValues) { a["l"] = []any{1, "2"} },
			"null in a list":             func(k script.KeyNames, a script.ArgValues) { a["l"] = []any{nil} },
			"a list for a map":           func(k script.KeyNames, a script.ArgValues) { a["m"] = []bool{true} },
			"a map of numbers":           func(k script.KeyNames, a script.ArgValues) { a["m"] = map[string]int{"a": 1} },
			"a map with numbers as keys": func(k script.KeyNames, a script.ArgValues) { a["m"] = map[int]bool{1: true} },
			"a map that contains itself": func(k script.KeyNames, a script.ArgValues) { a["any"] = cyclic },
			"a function":                 func(k script.KeyNames, a script.ArgValues) { a["any"] = func() {} },
			"an infinity in a list":      func(k script.KeyNames, a script.ArgValues) { a["any"] = []float64{math.Inf(1)} },
		} {
			k, a := keys(), args()
			bad(k, a)
			if err := run.Do(ctx, k, a).Err(); !errors.Is(err, script.ErrInput) {
				t.Errorf("%s: %v", name, err)
			}
			if _, r := run.Trace(ctx, k, a); !errors.Is(r.Err(), script.ErrInput) {
				t.Errorf("%s, traced: %v", name, r.Err())
			}
		}
		if db.Exists(ctx, "{t}k").Val() != 0 {
			t.Error("a program with bad input has run")
		}
	})
}

// Whatever goes in comes out: through arguments and results, through variables, lists and maps, and through keys.
func TestValuesComeOutAsTheyWentIn(t *testing.T) {
	types := map[string]struct {
		t      script.Type
		values []any
	}{
		"int":    {script.Int, []any{int64(0), int64(-1), int64(1<<53 - 1), int64(1 << 53), int64(1<<53 + 1), int64(-1<<53 - 1), int64(math.MaxInt64), int64(math.MinInt64)}},
		"float":  {script.Float, []any{0.0, 0.1, -2.5, 1.0, 1e300, 5e-324, math.MaxFloat64, math.Inf(1), math.Inf(-1), 0.1 + 0.2, 1e15, 9007199254740993.0}},
		"number": {script.Number, []any{int64(7), 7.5, int64(math.MaxInt64), math.Inf(-1)}},
		"string": {script.String, []any{"", "a", "\x00", "\"\\'\n\r\t", "]] --[[ ", "\xff\xfe", "ü\u2028", strings.Repeat("x", 1<<20)}},
		"bool":   {script.Bool, []any{true, false}},
		"null":   {script.Int.OrNull(), []any{nil, int64(math.MinInt64)}},
		"list": {script.ListOf(script.Any), []any{
			[]any{}, []any{nil, nil}, []any{[]any{}, map[string]any{}}, []any{int64(math.MaxInt64), 0.5, "\xff\x00", true, nil},
		}},
		"texts": {script.ListOf(script.String.OrNull()), []any{[]any{}, []any{nil, "", "\xff", nil}}},
		"map": {script.MapOf(script.Any), []any{
			map[string]any{}, map[string]any{"": nil, "\xff\x00": map[string]any{}, "list": []any{}, "n": int64(-1 << 62)},
		}},
		"floats": {script.MapOf(script.ListOf(script.Float)), []any{map[string]any{"a": []any{1.0, 2.5}, "b": []any{}}}},
	}
	for name, typ := range types {
		t.Run(name, func(t *testing.T) {
			p := compile(t, func(b *script.Builder) {
				x := b.Arg("x", typ.t)
				v := b.Local("v", x)
				in := b.Local("in", []any{v})
				inner := b.Local("inner", map[string]any{"v": in.At(0)})
				out := b.LocalOf("out", typ.t, inner.Get("v"))
				b.Return(out)
			})
			kittest.Run(t, func(t *testing.T, db *redbud.DB) {
				run := p.On(db)
				for _, v := range typ.values {
					got, err := run.Do(t.Context(), nil, script.ArgValues{"x": v}).Value()
					if err != nil || !reflect.DeepEqual(got, v) {
						t.Errorf("of %.50q it returns %.50q and %v", fmt.Sprintf("%#v", v), fmt.Sprintf("%#v", got), err)
					}
				}
			})
		})
	}
}

func TestIntegersOf64BitsPassThroughCommands(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		k, h, n := b.Var("k"), b.Hash("h"), b.Arg("n", script.Int)
		b.Do(k.Set(n))
		b.Do(h.Set("f", n, n, 1))
		b.Return([]any{k.Get().Int(), k.IncrBy(-1), h.IncrBy("f", -1), h.IncrBy(n, n.Text().Int()).Eq(0), k.Get()})
	})
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		run := p.On(db)
		for _, n := range []int64{math.MaxInt64 - 1, math.MinInt64 + 1, 1<<53 + 1, 1 << 53, -1 << 53, 12} {
			db.Del(t.Context(), "{t}k", "{t}h")
			got, err := run.Do(t.Context(), script.KeyNames{"k": "{t}k", "h": "{t}h"}, script.ArgValues{"n": n}).Value()
			if want := []any{n, n - 1, n - 1, false, fmt.Sprint(n - 1)}; err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("of %d it returns %v and %v", n, got, err)
			}
		}
	})
}

func TestArithmeticIsExactOrAnError(t *testing.T) {
	const edge = 1<<53 - 1
	p := compile(t, func(b *script.Builder) {
		x, y, op := b.Arg("x", script.Int), b.Arg("y", script.Int), b.Arg("op", script.String)
		for name, result := range map[string]script.Expr{"add": x.Add(y), "sub": x.Sub(y), "mul": x.Mul(y), "intdiv": x.IntDiv(y), "mod": x.Mod(y)} {
			b.If(op.Eq(name), func() { b.Return(result) })
		}
		b.Return(nil)
	})
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		run := p.On(db)
		for _, c := range []struct {
			op         string
			x, y, want int64
			kind       script.Kind
		}{
			{"add", edge - 1, 1, edge, ""}, {"add", edge, 1, 0, script.KindExact}, {"add", 1 << 53, -1, 0, script.KindExact}, {"sub", -edge, 1, 0, script.KindExact},
			{"sub", -edge + 1, 1, -edge, ""}, {"mul", 94906265, 94906265, 9007199136250225, ""}, {"mul", 94906267, 94906267, 0, script.KindExact}, {"mul", math.MaxInt64, 0, 0, script.KindExact},
			{"intdiv", -7, 2, -4, ""}, {"intdiv", edge, 3, 3002399751580330, ""}, {"intdiv", edge, -2, -4503599627370496, ""}, {"intdiv", 1, 0, 0, script.KindZero},
			{"mod", -7, 2, 1, ""}, {"mod", 7, -2, -1, ""}, {"mod", edge, 10, 1, ""}, {"mod", -edge, edge - 1, edge - 2, ""}, {"mod", 1, 0, 0, script.KindZero},
		} {
			got, err := run.Do(t.Context(), nil, script.ArgValues{"x": c.x, "y": c.y, "op": c.op}).Int()
			if c.kind != "" && !errors.Is(err, c.kind) || c.kind == "" && (err != nil || got != c.want) {
				t.Errorf("%s of %d and %d is %d and %v, not %d or an error of the kind %q", c.op, c.x, c.y, got, err, c.want, c.kind)
			}
		}
	})
}

func TestAnErrorKeepsWhatWasWritten(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		k := b.Var("k")
		b.Do(k.Set("written"))
		b.Do(b.Var("l").Key.List().LPush("x"))
		b.Do(k.Set("never"))
		b.Return(nil)
	})
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		db.Set(t.Context(), "{t}l", "text", 0)
		err := p.On(db).Do(t.Context(), script.KeyNames{"k": "{t}k", "l": "{t}l"}, nil).Err()
		if got := db.Get(t.Context(), "{t}k").Val(); !errors.Is(err, script.ErrWrongType) || got != "written" {
			t.Errorf("the error is %v, and the key is %q", err, got)
		}
	})
}

func TestWordsAreMadeInTheirOrder(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		k := b.Var("k")
		b.Return(b.List("l").RPush(script.Spread(b.Arg("words", script.ListOf(script.Any))), k.IncrBy(1)))
	})
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		run := p.On(db)
		keys := script.KeyNames{"k": "{t}k", "l": "{t}l"}
		if err := run.Do(t.Context(), keys, script.ArgValues{"words": []any{"a", nil}}).Err(); !errors.Is(err, script.KindNull) {
			t.Errorf("null as a word: %v", err)
		}
		if n := db.Exists(t.Context(), "{t}k", "{t}l").Val(); n != 0 {
			t.Error("what stands behind the null has run")
		}
		if n, err := run.Do(t.Context(), keys, script.ArgValues{"words": []any{"a", 2.5}}).Int(); n != 3 || err != nil {
			t.Errorf("it returns %d and %v", n, err)
		}
	})
}

func TestReadOnlyPrograms(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		b.ReadOnly()
		b.Return(b.Read("INCR", b.Key("k"))) // which is a lie
	})
	honest := compile(t, func(b *script.Builder) {
		b.ReadOnly()
		b.Return(b.Var("k").Get())
	})
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		db.Set(t.Context(), "k", 1, 0)
		if err := p.On(db).Do(t.Context(), script.KeyNames{"k": "k"}, nil).Err(); !errors.Is(err, script.KindRedis) || !strings.Contains(err.Error(), "rite commands are not allowed from read-only scripts") {
			t.Errorf("a write in a read-only program: %v", err)
		}
		if got, err := honest.On(db).Do(t.Context(), script.KeyNames{"k": "k"}, nil).Text(); got != "1" || err != nil {
			t.Errorf("it returns %q and %v", got, err)
		}
	})
}

func TestTracesAreTheSameEverywhere(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		l := b.List("l")
		seen := b.Local("seen", []string{})
		value := b.Local("value", l.LPop())
		b.While(value, func() {
			seen.Append(value)
			b.If(value.Eq("b"), func() { b.Do(l.LPush(b.Arg("n", script.Int).IntDiv(0))) })
			value.Assign(l.LPop())
		})
		b.Return(seen)
	})
	whats := []string{"seen =", "value =", "while", "append seen", "if", "value =", "while", "append seen", "if"}
	values := []any{[]any{}, "a", "a", "a", false, "b", "b", "b", true}
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		run := p.On(db)
		db.RPush(t.Context(), "l", "a", "b")
		steps, result := run.Trace(t.Context(), script.KeyNames{"l": "l"}, script.ArgValues{"n": 1})
		if err := result.Err(); !errors.Is(err, script.KindZero) {
			t.Errorf("the result is %v", err)
		}
		if len(steps) != len(whats) {
			t.Fatalf("the steps are %v", steps)
		}
		for i, s := range steps {
			if s.What != whats[i] || !reflect.DeepEqual(s.Value, values[i]) || !strings.Contains(s.Place, "run_test.go:") {
				t.Errorf("step %d is %v", i, s)
			}
		}
		db.Del(t.Context(), "l")
		db.RPush(t.Context(), "l", "c")
		steps, result = run.Trace(t.Context(), script.KeyNames{"l": "l"}, script.ArgValues{"n": 1})
		if got, err := result.Strings(); err != nil || !slices.Equal(got, []string{"c"}) || len(steps) != 8 || steps[7].What != "return" {
			t.Errorf("it returns %v and %v, after %v", got, err, steps)
		}
	})
}

func TestAProgramThatNeverEndsIsEnded(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		b.Limit(1000)
		k := b.Var("k")
		b.Do(k.Set("begun"))
		b.While(true, func() { b.Do(k.Append("x")) })
	})
	for _, url := range []string{"memory://", "sqlite://" + t.TempDir() + "/db"} {
		db := kittest.Open(t, url)
		if err := p.On(db).Do(t.Context(), script.KeyNames{"k": "k"}, nil).Err(); !errors.Is(err, script.KindSteps) {
			t.Errorf("%s: %v", url, err)
		}
		if n := db.StrLen(t.Context(), "k").Val(); n < 1000 || n > 1010 {
			t.Errorf("%s: %d bytes were written", url, n)
		}
	}
	endless := compile(t, func(b *script.Builder) {
		i := b.Local("i", 0)
		b.While(true, func() { i.Assign(i.Add(1).Mod(1000)) })
	})
	db := kittest.Open(t, "memory://")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := endless.On(db).Do(ctx, nil, nil).Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("when its context ends: %v", err)
	}
	server := testenv.Redis(t, "--busy-reply-threshold", "10")
	slow := redis.NewClient(&redis.Options{Addr: server.Addr, ReadTimeout: time.Minute})
	defer slow.Close()
	done := make(chan error, 1)
	go func() { done <- endless.On(slow).Do(t.Context(), nil, nil).Err() }()
	killer := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer killer.Close()
	for killer.ScriptKill(t.Context()).Err() != nil {
		time.Sleep(time.Millisecond)
	}
	if err := <-done; !errors.Is(err, script.KindRedis) || !strings.Contains(err.Error(), "killed") {
		t.Errorf("after SCRIPT KILL: %v", err)
	}
}

// A server of ours takes graphs from any client; one in front of a Redis passes on that Redis does not.
func TestServersAreAskedWhatTheyTake(t *testing.T) {
	p := counter(t)
	for name, c := range map[string]struct {
		url  string
		kind string
	}{"memory": {"memory://", "redbud.evalsha"}, "proxy": {testenv.SharedRedis(t).URL(), "evalsha"}} {
		t.Run(name, func(t *testing.T) {
			db := kittest.Open(t, c.url)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- db.Serve(ctx, l) }()
			client := redis.NewClient(&redis.Options{Addr: l.Addr().String()})
			sent := count{}
			client.AddHook(sent)
			db.Del(ctx, "counted")
			run := p.On(client)
			var queued *script.Result
			_, err = client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
				queued = run.Queue(ctx, pipe, script.KeyNames{"k": "counted"}, script.ArgValues{"n": 1})
				return nil
			})
			if n, resultErr := queued.Int(); n != 1 || err != nil || resultErr != nil {
				t.Errorf("queued, it returns %d, %v and %v", n, err, resultErr)
			}
			for want := range int64(2) {
				if n, err := run.Do(ctx, script.KeyNames{"k": "counted"}, script.ArgValues{"n": 1}).Int(); n != want+2 || err != nil {
					t.Errorf("it returns %d and %v, not %d", n, err, want+2)
				}
			}
			if sent[c.kind] != 2 {
				t.Errorf("it sends %v", sent)
			}
			if err := errors.Join(client.Close()); err != nil {
				t.Error(err)
			}
			stop()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

// old is a Redis before 7.0, as far as a Runner can tell: it has no EVALSHA_RO.
type old struct{ sent []string }

func (o *old) Process(_ context.Context, cmd redis.Cmder) error {
	o.sent = append(o.sent, strings.ToUpper(cmd.Name()))
	switch cmd := cmd.(type) {
	case *redis.SliceCmd:
		cmd.SetVal([]any{nil, nil})
	case *redis.Cmd:
		cmd.SetVal("value")
	}
	return nil
}

func TestAnOldRedisRunsReadOnlyPrograms(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		b.ReadOnly()
		b.Return(b.Var("k").Get())
	})
	o := &old{}
	run := p.On(o)
	for range 2 {
		if got, err := run.Do(t.Context(), script.KeyNames{"k": "k"}, nil).Text(); got != "value" || err != nil {
			t.Errorf("it returns %q and %v", got, err)
		}
	}
	pipe := redis.NewClient(&redis.Options{Addr: "nowhere"}).Pipeline()
	run.Queue(t.Context(), pipe, script.KeyNames{"k": "k"}, nil)
	if cmds := pipe.Cmds(); len(cmds) != 1 || cmds[0].Name() != "eval" {
		t.Errorf("it queues %v", cmds)
	}
	if want := []string{"COMMAND", "EVALSHA", "EVALSHA"}; !slices.Equal(o.sent, want) {
		t.Errorf("it sends %v, not %v", o.sent, want)
	}
}

func TestAServerThatGoesAwayAndComesBack(t *testing.T) {
	p := counter(t)
	server := testenv.Redis(t)
	db := kittest.Open(t, server.URL())
	run := p.On(db)
	do := func() error { return run.Do(t.Context(), script.KeyNames{"k": "k"}, script.ArgValues{"n": 1}).Err() }
	if err := do(); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if err := do(); err == nil || errors.As(err, new(*script.Error)) {
		t.Errorf("without a server: %v", err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 100 { // connections of the dead server are found out one by one
		if err = do(); err == nil {
			break
		}
	}
	if err != nil {
		t.Errorf("after a restart: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run.Do(ctx, script.KeyNames{"k": "k"}, script.ArgValues{"n": 1}).Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	if err := counter(t).On(db).Do(ctx, script.KeyNames{"k": "k"}, script.ArgValues{"n": 1}).Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("the first run, with a context that has ended: %v", err)
	}
}

func TestResultsThatDoNotFit(t *testing.T) {
	db := kittest.Open(t, "memory://")
	result := func(v any) *script.Result {
		return compile(t, func(b *script.Builder) { b.Return(v) }).On(db).Do(t.Context(), nil, nil)
	}
	var small int8
	var unsigned uint
	var list []string
	var named map[string]int
	var pointer *int
	for name, err := range map[string]error{
		"a string as a number":      result("1").Scan(&small),
		"300 in 8 bits":             result(300).Scan(&small),
		"-1 as unsigned":            result(-1).Scan(&unsigned),
		"a fraction as an integer":  result(1.5).Scan(&small),
		"a number as a list":        result(1).Scan(&list),
		"numbers as strings":        result([]int{1}).Scan(&list),
		"strings as numbers":        result(map[string]string{"a": "b"}).Scan(&named),
		"a boolean as a string":     result(true).Scan(new(string)),
		"nothing to scan into":      result(1).Scan(nil),
		"no pointer to scan into":   result(1).Scan(small),
		"a nil pointer":             result(1).Scan((*int)(nil)),
		"a large number as a float": result(int64(math.MaxInt64)).Scan(new(float64)),
	} {
		if err == nil || errors.Is(err, redis.Nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := result(nil).Scan(&small); !errors.Is(err, redis.Nil) {
		t.Errorf("null as a number: %v", err)
	}
	if err := result(nil).Scan(&pointer); err != nil || pointer != nil {
		t.Errorf("null as a pointer: %v", err)
	}
	if err := result(7).Scan(&pointer); err != nil || pointer == nil || *pointer != 7 {
		t.Errorf("7 as a pointer: %v", err)
	}
	var bytes []byte
	if err := result("\xff").Scan(&bytes); err != nil || string(bytes) != "\xff" {
		t.Errorf("a string as bytes: %q and %v", bytes, err)
	}
	if err := result(map[string]any{"a": 1, "b": 2.0}).Scan(&named); err != nil || named["b"] != 2 {
		t.Errorf("a map of integers: %v and %v", named, err)
	}
}

func TestTraceTellsWhatIsNestedAsDeepAsItMayBe(t *testing.T) {
	p := compile(t, func(b *script.Builder) {
		x := b.Local("x", b.Arg("x", script.Any))
		b.Return(x)
	})
	var deep any = []any{}
	for range 99 {
		deep = []any{deep}
	}
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		steps, result := p.On(db).Trace(t.Context(), nil, script.ArgValues{"x": deep})
		if got, err := result.Value(); err != nil || !reflect.DeepEqual(got, deep) || len(steps) != 2 || !reflect.DeepEqual(steps[0].Value, deep) {
			t.Errorf("the trace of what is nested 100 deep is %v, with %v", steps, err)
		}
	})
}
