package script

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/internal/graph"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

// hostile are texts that would be more than themselves if they got into Lua, a command or JSON as they are.
var hostile = []string{
	"", "a", "\x00", "\x000", "a\nb", "\r", "\"", "'", `\`, `\"`, `\065`, "a\\\nb", "]]", "[[x]]", "]==]", "--", "--[[", "--]]", `"..os.exit().."`, `' .. redis.call("FLUSHALL") .. '`,
	"\"); redis.call('FLUSHALL') --", "]] redis.call('FLUSHALL') --[[", "x\nredis.call('FLUSHALL')", "x\rredis.call('FLUSHALL')\r", "x\u2028redis.call('FLUSHALL')", "\nend end return 1 --",
	"*1\r\n$8\r\nFLUSHALL\r\n", "\",\"x\":\"", `\u0000`, "\xff\xfe", "a\x80\"", "\xed\xa0\x80", "ü日本", "\u0085", "\x1b[31m", "%s%d%n%", "$1", "{t}", "end", "nil", "redis", "KEYS", "ARGV", "_G", "1", "1e5", "-0", "inf",
	"null", "true", " ", strings.Repeat("]", 300), "script: type: text", "ERR x",
}

// numbers are integers and floats at the edges.
var (
	wholes = []int64{
		0, 1, -1, 1 << 31, -1 << 31, 1 << 32, 99999999999999, 100000000000000, -100000000000000, 1<<53 - 2, 1<<53 - 1, 1 << 53, 1<<53 + 1, 1<<53 + 2, -1<<53 + 1, -1 << 53, -1<<53 - 1, 1 << 62,
		math.MaxInt64 - 1, math.MaxInt64, math.MinInt64 + 1, math.MinInt64,
	}
	reals = []float64{
		0, math.Copysign(0, -1), 0.1, 0.1 + 0.2, -2.5, 1e15, 1e16, 1e17, 1e21, 1e300, -1e300, 5e-324, math.MaxFloat64, 1<<53 - 1, 1 << 53, 1<<53 + 2, 1 << 63, 2.0 / 3, 123456789012345.6, math.Inf(1), math.Inf(-1), 1e-7,
	}
)

// everywhere is a program with a text and two numbers wherever there may be such, which returns them from there.
func everywhere(t *testing.T, s string, n int64, x float64) *Program {
	name := s
	if name == "" || len(name) > 90 || !utf8.ValidString(name) {
		name = "name"
	}
	b := New(name)
	k, hash, numbers := b.Var(name), b.Hash("hash "+name), b.Hash("numbers")
	many := b.Keys("many " + name)
	text, whole, real := b.Arg(name, String), b.Arg("int "+name, Int), b.Arg("float "+name, Float)
	maybe, list := b.Arg("maybe "+name, String.OrNull()), b.Arg("list "+name, ListOf(Any))

	v, n2, x2 := b.Local(s, s), b.Local(s, n), b.Local(s, x)
	m := b.LocalOf(s, MapOf(String), map[string]string{s: s})
	l := b.LocalOf(s, ListOf(Any), []any{})
	m.SetKey(s, v)
	b.Pairs(m, func(key, value *Local) { l.Append(key); l.Append(value) })
	b.Each([]string{s}, func(_, item *Local) { l.Append(item) })
	b.Do(k.Set(s))
	b.Do(hash.Set(s, s))
	b.Do(numbers.Set("int", n, "float", x))
	b.Log(Debug, s, n, x)
	echo := func(word any) Expr { return b.ReadKeyless("ECHO", word) }
	texts := []any{
		s, text, v, m.Get(s), m.Keys().At(0), m.Has(s).And(s), maybe, list.At(0), k.Name(), many.At(0).Name(), k.Get(), hash.Get(s), hash.GetMany(s).Get(s), hash.All().Get(s), echo(s), echo(text),
		Value(s).ToJSON().FromJSON(), Concat(s, ""), Value([]string{s, s}).Join("").SliceTo(0, len(s)), Value(s).Split(s + "|").At(0), Value("x").Replace("x", s),
	}
	ints := []any{
		n, whole, n2, list.At(1), Value(n).Text().Int(), whole.Text().Int(), Value([]int64{n}).ToJSON().FromJSON().At(0), numbers.Get("int").Int(), echo(n).Int(), echo(whole).Int(), Value(n).Eq(whole).And(n),
	}
	floats := []any{
		Value(x).Text(), real.Text(), x2.Text(), Value(x).Text().Float().Text(), real.Text().Float().Text(), numbers.Get("float"), echo(x), echo(real), Value(x).Eq(real).And(x).Text(),
	}
	if !math.IsInf(x, 0) { // which JSON has not
		floats = append(floats, Value(x).ToJSON(), real.ToJSON().FromJSON().Text())
	}
	b.Return([]any{texts, ints, floats, l})
	p, err := b.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// same is a list of so many.
func same(v any, n int) (list []any) {
	for range n {
		list = append(list, v)
	}
	return list
}

// mustBeThemselves runs programs with a text and numbers on memory and on a Redis.
func mustBeThemselves(t *testing.T, dbs []*redbud.DB, s string, n int64, x float64) {
	ctx := context.Background()
	spelled, floats := string(graph.AppendNumber(nil, x)), 11
	if math.IsInf(x, 0) {
		floats = 9
	}
	want := any([]any{same(s, 21), same(n, 11), same(spelled, floats), same(s, 3)})
	p := everywhere(t, s, n, x)
	b := New("unknown")
	b.Return(b.CallKeyless("no"+s, s))
	unknown, err := b.Compile()
	if err != nil {
		t.Fatal(err)
	}
	names := p.checked
	keys := KeyNames{names.Keys[0].Name: s, names.Keys[1].Name: "hash" + s, names.Keys[2].Name: "numbers" + s, names.Keys[3].Name: []string{s}}
	args := ArgValues{names.Args[0].Name: s, names.Args[1].Name: n, names.Args[2].Name: x, names.Args[3].Name: s, names.Args[4].Name: []any{s, n}}
	for _, db := range dbs {
		if err := errors.Join(db.FlushAll(ctx).Err(), db.ScriptFlush(ctx).Err(), db.Set(ctx, "the canary", "alive", 0).Err()); err != nil {
			t.Fatal(err)
		}
		got, err := p.On(db).Do(ctx, keys, args).Value()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("of %q, %d and %g it returns\n%q and %v, not\n%q\n%s", s, n, x, got, err, want, p.Lua())
		}
		if got, err := unknown.On(db).Do(ctx, nil, nil).Value(); !errors.Is(err, KindRedis) {
			t.Errorf("a command called %q returns %q and %v", "no"+s, got, err)
		}
		if db.Get(ctx, "the canary").Val() != "alive" && s != "the canary" {
			t.Errorf("of %q something has run that should not:\n%s%s", s, p.Lua(), unknown.Lua())
		}
	}
}

func openBoth(t testing.TB) []*redbud.DB {
	quiet(t)
	return []*redbud.DB{kittest.Open(t, "memory://"), kittest.Open(t, testenv.Redis(t).URL())}
}

func TestTextsAndNumbersAreThemselves(t *testing.T) {
	dbs := openBoth(t)
	for i := range max(len(hostile), len(wholes), len(reals)) {
		mustBeThemselves(t, dbs, hostile[i%len(hostile)], wholes[i%len(wholes)], reals[i%len(reals)])
	}
}

func FuzzTextsAndNumbersAreThemselves(f *testing.F) {
	for i, s := range hostile {
		f.Add(s, wholes[i%len(wholes)], reals[i%len(reals)])
	}
	dbs := openBoth(f)
	f.Fuzz(func(t *testing.T, s string, n int64, x float64) {
		if x != x { // which is no literal
			x = 0
		}
		mustBeThemselves(t, dbs, s, n, x)
	})
}
