package script_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/script"
)

// show builds a program without arguments, whose keys are named as in the program, runs it in memory and prints its result.
func show(build func(b *script.Builder), keys ...string) {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	b := script.New("example")
	build(b)
	p, err := b.Compile()
	if err != nil {
		log.Fatal(err)
	}
	names := script.KeyNames{}
	for _, k := range keys {
		names[k] = k
	}
	value, err := p.On(db).Do(ctx, names, nil).Value()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(value)
}

// Numbers go from one list to two others, the low ones to one and the high ones to the other, while nobody sees a state in between.
func Example() {
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
	b.Return(low.Len())
	partition, err := b.Compile()
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://") // or redis://…, redis+cluster://…, sqlite://…, postgres://…
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.RPush(ctx, "{n}in", 5, 2, 3, 7, 9)
	n, err := partition.On(db).Do(ctx,
		script.KeyNames{"in": "{n}in", "low": "{n}low", "high": "{n}high"},
		script.ArgValues{"pivot": 5}).Int()
	fmt.Println(n, err)
	fmt.Println(db.LRange(ctx, "{n}low", 0, -1).Val(), db.LRange(ctx, "{n}high", 0, -1).Val())
	// Output:
	// 2 <nil>
	// [3 2] [5 7 9]
}

func ExampleBuilder_Local() {
	show(func(b *script.Builder) {
		n := b.Local("n", 1) // an Int, as its value is
		n.Assign(n.Add(1))
		names := b.Local("names", []string{}) // a list of strings
		names.Append("ann")
		later := b.Declare("later", script.Float) // without a value yet
		later.Assign(2.5)
		maybe := b.LocalOf("maybe", script.String.OrNull(), nil)
		b.Return([]any{n, names, later, maybe})
	})
	// Output: [2 [ann] 2.5 <nil>]
}

func ExampleBuilder_If() {
	show(func(b *script.Builder) {
		grade := b.Declare("grade", script.String)
		points := b.Local("points", 71)
		b.If(points.Ge(90), func() {
			grade.Assign("A")
		}).ElseIf(points.Ge(70), func() {
			grade.Assign("B")
		}).Else(func() {
			grade.Assign("C")
		})
		b.Return(grade)
	})
	// Output: B
}

func ExampleBuilder_While() {
	show(func(b *script.Builder) {
		a, c := b.Local("a", 48), b.Local("c", 18)
		b.While(c.Ne(0), func() {
			rest := b.Local("rest", a.Mod(c))
			a.Assign(c)
			c.Assign(rest)
		})
		b.Return(a)
	})
	// Output: 6
}

func ExampleBuilder_Each() {
	show(func(b *script.Builder) {
		text := b.Local("text", "")
		b.Each([]string{"a", "b", "c"}, func(i, item *script.Local) {
			b.If(i.Eq(2), func() { b.Break() })
			text.Assign(script.Concat(text, i, item))
		})
		b.Return(text)
	})
	// Output: 0a1b
}

func ExampleBuilder_Pairs() {
	show(func(b *script.Builder) {
		text := b.Local("text", "")
		b.Pairs(map[string]int{"y": 2, "x": 1}, func(key, value *script.Local) {
			text.Assign(script.Concat(text, key, "=", value, " "))
		})
		b.Return(text)
	})
	// Output: x=1 y=2
}

func ExampleBuilder_Log() {
	show(func(b *script.Builder) { // the line goes to the engine's log
		b.Log(script.Debug, "so many:", 3)
		b.Return(nil)
	})
	// Output: <nil>
}

func ExampleBuilder_Call() {
	show(func(b *script.Builder) {
		places := b.Key("places")
		b.Do(b.Call("GEOADD", places, 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"))
		b.Return(b.Read("GEODIST", places, "Palermo", "Catania", "km").Float().Floor())
	}, "places")
	// Output: 166
}

func ExampleBuilder_CallKeyless() {
	show(func(b *script.Builder) {
		b.Return(b.CallKeyless("PUBLISH", "news", "hello"))
	})
	// Output: 0
}

func ExampleSpread() {
	show(func(b *script.Builder) {
		list := b.List("list")
		b.Do(list.RPush(script.Spread([]string{"a", "b", "c"})))
		b.Return(list.Range(0, -1))
	}, "list")
	// Output: [a b c]
}

func ExampleExpr_arithmetic() {
	show(func(b *script.Builder) {
		x := b.Local("x", -7)
		b.Return([]any{
			x.Add(1), x.Sub(1), x.Mul(2), x.Div(2), x.IntDiv(2), x.Mod(2), x.Neg(), x.Abs(),
			script.Min(x, 3), script.Max(x, 3), x.Div(2).Floor(), x.Div(2).Ceil(),
		})
	})
	// Output: [-6 -8 -14 -3.5 -4 1 7 7 -7 3 -4 -3]
}

func ExampleExpr_comparison() {
	show(func(b *script.Builder) {
		x := b.Local("x", 2)
		b.Return([]any{
			x.Eq(2.0), x.Eq("2"), x.Ne(3), x.Lt(3), x.Le(2), x.Gt(3), x.Ge(3), script.Value("B").Lt("a"),
			script.Value([]int{1, 2}).Eq([]int{1, 2}),
		})
	})
	// Output: [true false true true true false false true true]
}

func ExampleExpr_logic() {
	show(func(b *script.Builder) {
		name := b.Var("name").Get() // null
		b.Return([]any{
			name.Or("nobody"), script.Value(0).And("0 is true"), script.Not(""), script.Value(nil).IsNull(), script.Value(1).NotNull(),
		})
	}, "name")
	// Output: [nobody 0 is true false true true]
}

func ExampleExpr_strings() {
	show(func(b *script.Builder) {
		s := b.Local("s", "Hello, World")
		b.Return([]any{
			s.Len(), s.Slice(7), s.SliceTo(0, 5), s.Find("o"), s.FindFrom("o", 5), s.Find("x"), s.HasPrefix("He"), s.HasSuffix("ld"),
			s.Upper(), s.Lower(), s.Split(", "), s.Replace("l", "L"), script.Value("ab").Repeat(2), script.Concat(1, "+", 2.5),
		})
	})
	// Output: [12 World Hello 4 8 <nil> true true HELLO, WORLD hello, world [Hello World] HeLLo, WorLd abab 1+2.5]
}

func ExampleExpr_conversion() {
	show(func(b *script.Builder) {
		b.Return([]any{
			script.Value("12").Int().Add(1), script.Value("1e3").Float(), script.Value("12x").ParseInt(), script.Value("x").ParseFloat(),
			script.Value(12).Text(), script.Value(2.50).Text(), script.Value([]int{}).Type(),
		})
	})
	// Output: [13 1000 <nil> <nil> 12 2.5 list]
}

func ExampleExpr_lists() {
	show(func(b *script.Builder) {
		l := b.Local("l", []int{3, 4})
		m := b.Local("m", l) // lists are values: m does not change with l
		l.SetAt(0, 5)
		l.Append(6)
		b.Return([]any{l, m, l.Len(), l.At(0), l.At(9), l.Sublist(1), l.SublistTo(0, 1), l.Join("-"), script.Value([]string{"b", "a"}).Sorted()})
	})
	// Output: [[5 4 6] [3 4] 3 5 <nil> [4 6] [5] 5-4-6 [a b]]
}

func ExampleExpr_maps() {
	show(func(b *script.Builder) {
		m := b.Local("m", map[string]int{"a": 1})
		m.SetKey("b", 2)
		m.Remove("a")
		b.Return([]any{m, m.Len(), m.Get("b"), m.Get("a"), m.Has("a"), m.Keys(), script.Zip([]string{"x", "y"}, []int{1, 2})})
	})
	// Output: [map[b:2] 1 2 <nil> false [b] map[x:1 y:2]]
}

func ExampleExpr_FromJSON() {
	show(func(b *script.Builder) {
		order := b.LocalOf("order", script.MapOf(script.Any), script.Value(`{"id": 9007199254740993, "items": []}`).FromJSON())
		order.SetKey("paid", true)
		b.Return(order.ToJSON())
	})
	// Output: {"id":9007199254740993,"items":[],"paid":true}
}

func ExampleBuilder_Now() {
	show(func(b *script.Builder) {
		b.Return(b.Now().Gt(1_700_000_000_000))
	})
	// Output: true
}

func ExampleKey() {
	show(func(b *script.Builder) {
		k := b.Key("k")
		b.Return([]any{
			k.Exists(), k.Type(), k.Var().Set("v"), k.Exists(), k.Type(), k.TTL(), k.Expire(60_000), k.TTL().Gt(0), k.Persist(),
			k.ExpireAt(1), k.Delete(), k.Name(),
		})
	}, "k")
	// Output: [false <nil> true true string -1 true true true true false k]
}

func ExampleVar() {
	show(func(b *script.Builder) {
		v := b.Var("v")
		b.Return([]any{
			v.Get(), v.Set("5", script.IfMissing), v.IncrBy(37), v.IncrByFloat(0.5), v.SetGet("abc", script.TTL(1000)), v.Append("def"),
			v.Len(), v.Range(1, 2), v.SetRange(0, "X"), v.SetBit(0, 1), v.Bit(0), v.BitCount(), v.GetDelete().Len(), v.Get(),
		})
	}, "v")
	// Output: [<nil> true 42 42.5 42.5 6 6 bc 6 false true 22 6 <nil>]
}

func ExampleList() {
	show(func(b *script.Builder) {
		l, other := b.List("l"), b.List("other")
		b.Return([]any{
			l.RPush("b", "c"), l.LPush("a"), l.Len(), l.Range(0, -1), l.Index(-1), l.Set(0, "A"), l.InsertBefore("b", "x"), l.InsertAfter("b", "x"),
			l.Remove(0, "x"), l.Move(other, script.Left, script.Right), l.Trim(0, 0), l.LPop(), l.LPop(), l.RPopN(2), other.RPop(),
		})
	}, "l", "other")
	// Output: [2 3 3 [a b c] c true 4 5 2 A true b <nil> <nil> A]
}

func ExampleHash() {
	show(func(b *script.Builder) {
		h := b.Hash("h")
		b.Return([]any{
			h.Set("a", 1, "b", 2), h.SetNew("a", 3), h.Get("a"), h.Get("c"), h.GetMany("a", "c"), h.Has("b"), h.IncrBy("a", 9), h.IncrByFloat("b", 0.5),
			h.All(), h.Keys().Sorted(), h.Values().Sorted(), h.Len(), h.Delete("a", "b"),
		})
	}, "h")
	// Output: [2 false 1 <nil> map[a:1 c:<nil>] true 10 2.5 map[a:10 b:2.5] [a b] [10 2.5] 2 2]
}

func ExampleSet() {
	show(func(b *script.Builder) {
		s, other := b.Set("s"), b.Set("other")
		b.Return([]any{
			s.Add("a", "b", "c"), s.Remove("c"), s.Has("a"), s.HasEach("a", "c"), s.Len(), s.Move(other, "b"), s.Members(), s.Random(),
			s.Union(other).Sorted(), s.Inter(other), s.Diff(other), s.Pop(), other.PopN(5),
		})
	}, "s", "other")
	// Output: [3 1 true [true false] 2 true [a] a [a b] [] [a] a [b]]
}

func ExampleSortedSet() {
	show(func(b *script.Builder) {
		z := b.SortedSet("z")
		b.Return([]any{
			z.Add(1, "a"), z.Add(2, "b"), z.Add(3.5, "c"), z.AddIf(script.Missing, 9, "a"), z.IncrBy(1, "a"), z.Score("c"), z.Score("x"), z.Rank("c"),
			z.Range(0, -1), z.RevRange(0, 0), z.RangeScored(-1, -1), z.ByScore(2, "(3.5"), z.ByScoreLimit("-inf", "+inf", 1, 1), z.Count(0, 2),
			z.RemoveByScore(3, 4), z.Len(), z.PopMin(1), z.PopMax(9), z.Remove("a"), z.ByLex("-", "+"), z.RemoveByRank(0, -1),
		})
	}, "z")
	// Output: [1 1 1 0 2 3.5 <nil> 2 [a b c] [c] [[c 3.5]] [a b] [b] 2 1 2 [[a 2]] [[b 2]] 0 [] 0]
}

func ExampleStream() {
	show(func(b *script.Builder) {
		s := b.Stream("s")
		b.Return([]any{
			s.CreateGroup("g", "0"), s.Add("1-1", "k", "v"), s.Add("1-2", "k", "w"), s.Len(), s.Range("-", "+", 1), s.RevRange("+", "-", 1),
			s.Read("1-1", 10), s.ReadGroup("g", "ann", 1, ">"), s.Pending("g").At(0), s.Claim("g", "bob", 0, "1-1").Len(), s.Ack("g", "1-1"),
			s.Delete("1-1"), s.Trim(0), s.DeleteGroup("g"),
		})
	}, "s")
	// Output: [true 1-1 1-2 2 [map[fields:map[k:v] id:1-1]] [map[fields:map[k:w] id:1-2]] [map[fields:map[k:w] id:1-2]] [map[fields:map[k:v] id:1-1]] 1 1 1 1 1 true]
}

// A program can take any number of keys. On a cluster they are in one slot, by a tag say.
func ExampleBuilder_Keys() {
	b := script.New("sum")
	keys := b.Keys("counters")
	sum, i := b.Local("sum", 0), b.Local("i", 0)
	b.While(i.Lt(keys.Len()), func() {
		sum.Assign(sum.Add(keys.At(i).Var().Get().Or("0").Int()))
		i.Assign(i.Add(1))
	})
	b.Return(sum)
	p := b.MustCompile()

	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.MSet(ctx, "a", 1, "b", 2)
	fmt.Println(p.On(db).Do(ctx, script.KeyNames{"counters": []string{"a", "b", "c"}}, nil).Int())
	// Output: 3 <nil>
}

func ExampleBuilder_ReadOnly() {
	b := script.New("peek")
	b.ReadOnly()
	b.Return(b.List("l").LPop())
	_, err := b.Compile()
	fmt.Println(strings.Contains(err.Error(), "example_test.go"), strings.HasSuffix(err.Error(), "LPOP may write, and the program is read-only"))
	// Output: true true
}

func ExampleBuilder_Arg() {
	b := script.New("total")
	prices := b.Arg("prices", script.MapOf(script.Float))
	wanted := b.Arg("wanted", script.ListOf(script.String))
	total := b.Local("total", 0.0)
	b.Each(wanted, func(_, name *script.Local) {
		total.Assign(total.Add(prices.Get(name).Or(0)))
	})
	b.Return(total)
	p := b.MustCompile()

	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	run := p.On(db)
	fmt.Println(run.Do(ctx, nil, script.ArgValues{
		"prices": map[string]float64{"tea": 2.5, "cake": 4},
		"wanted": []string{"tea", "tea", "cake", "coffee"},
	}).Float())
	fmt.Println(run.Do(ctx, nil, script.ArgValues{"prices": 3}).Err())
	// Output:
	// 9 <nil>
	// script total: the input does not fit the program: argument prices: a int where Map(Float) is wanted
}

// Programs run in pipelines and transactions, too.
func ExampleRunner_Queue() {
	b := script.New("add")
	b.Return(b.Var("k").IncrBy(b.Arg("n", script.Int)))
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	add := b.MustCompile().On(db)

	var one, two *script.Result
	_, err = db.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		one = add.Queue(ctx, pipe, script.KeyNames{"k": "k"}, script.ArgValues{"n": 1})
		two = add.Queue(ctx, pipe, script.KeyNames{"k": "k"}, script.ArgValues{"n": 2})
		return nil
	})
	fmt.Println(err)
	fmt.Println(one.Int())
	fmt.Println(two.Int())
	// Output:
	// <nil>
	// 1 <nil>
	// 3 <nil>
}

func ExampleRunner_DoMany() {
	b := script.New("add")
	b.Return(b.Var("k").IncrBy(b.Arg("n", script.Int)))
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	add := b.MustCompile().On(db)

	for _, r := range add.DoMany(ctx,
		script.Run{Keys: script.KeyNames{"k": "apples"}, Args: script.ArgValues{"n": 3}},
		script.Run{Keys: script.KeyNames{"k": "pears"}, Args: script.ArgValues{"n": "many"}},
		script.Run{Keys: script.KeyNames{"k": "apples"}, Args: script.ArgValues{"n": 4}},
	) {
		fmt.Println(r.Int())
	}
	// Output:
	// 3 <nil>
	// 0 script add: the input does not fit the program: argument n: a string where Int is wanted
	// 7 <nil>
}

func ExampleRunner_Trace() {
	b := script.New("countdown")
	n := b.Local("n", b.Arg("n", script.Int))
	b.While(n.Gt(0), func() {
		n.Assign(n.Sub(1))
	})
	b.Return("lift-off")
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	steps, result := b.MustCompile().On(db).Trace(ctx, nil, script.ArgValues{"n": 1})
	for _, s := range steps {
		fmt.Println(s.What, s.Value) // and s.Place is the line above
	}
	fmt.Println(result.Text())
	// Output:
	// n = 1
	// while true
	// n = 0
	// while false
	// return lift-off
	// lift-off <nil>
}

func ExampleProgram_Lua() {
	b := script.New("add")
	b.Return(b.Var("counter").IncrBy(b.Arg("n", script.Int)))
	fmt.Println(strings.Contains(b.MustCompile().Lua(), `"INCRBY"`))
	// Output: true
}

func ExampleProgram_Dot() {
	b := script.New("one")
	b.Return(1)
	fmt.Print(b.MustCompile().Dot())
	// Output:
	// digraph "one" {
	// 	node [fontname="monospace"];
	// 	n0 [shape=box, label="block"];
	// 	n1 [shape=box, label="return"];
	// 	n2 [shape=ellipse, label="1\nInt"];
	// 	n1 -> n2 [label="0"];
	// 	n0 -> n1 [label="0"];
	// }
}

func ExampleResult_Scan() {
	b := script.New("order")
	b.Return(map[string]any{"tea": []int{1, 2}, "cake": []int{}})
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	var order map[string][]int
	err = b.MustCompile().On(db).Do(ctx, nil, nil).Scan(&order)
	fmt.Println(order, err)
	// Output: map[cake:[] tea:[1 2]] <nil>
}

func ExampleError() {
	b := script.New("divide")
	b.Return(b.Arg("x", script.Float).Div(b.Arg("y", script.Float)))
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	err = b.MustCompile().On(db).Do(ctx, nil, script.ArgValues{"x": 1, "y": 0}).Err()
	fmt.Println(err, errors.Is(err, script.KindZero))
	// Output: script divide: zero: division by zero true
}
