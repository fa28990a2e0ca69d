package luagen

import (
	"context"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/redbud-go/redbud/internal/graph"
)

// hostile are names and strings that would be something else than themselves if they got into Lua as they are.
var hostile = []string{
	"", "a", "\x00", "a\nb", "a\rb", "\r\n", "\"", "'", "\\", "\\\"", "\\n", "]]", "[[x]]", "--", "--[[", "--]]", "]=]", "\" .. redis.call('FLUSHALL') .. \"", "\"); redis.call('FLUSHALL') --",
	"x\nredis.call('FLUSHALL')", "x\rredis.call('FLUSHALL')\r", "x\u2028redis.call('FLUSHALL')", "\xff\xfe", "a\x80\"", "ü", "日本語", "\u0085", "\x7f", "\x1b[31m", "%s%d%n", "$ErrExact", "\\065", "a\\\nb", "0\x001",
	"end", "nil", "local", "goto", "redis", "KEYS", "ARGV", "_", "1", "1x", "a b", "a.b", "a-b", "a_b", "null", "Map", "text", "part", "v", "h", "for", "cjson", "ipairs", "unpack", "_G", "setmetatable", "string", "\xed\xa0\x80", "\uFFFD", "\ufeff",
}

// everywhere is a program that has a string wherever there may be one, and returns it from each place where it is a value.
func everywhere(s string) *graph.Program {
	name := s
	if name == "" || len(name) > 100 || !utf8.ValidString(name) {
		name = "name"
	}
	p := graph.Program{
		Name: name, Keys: []graph.Key{{Name: name}, {Name: name + "_", Many: true}}, Args: []graph.Arg{{Name: name, Type: strType}, {Name: name + "2", Type: graph.ListOf(strType)}},
		Vars: vars(s, s, s+"_2", "v", "v.x", s),
	}
	if len(name) > 99 {
		p.Keys, p.Args[1].Name = p.Keys[:1], "other"
	}
	return program(p,
		let(0, str(s)), let(1, dict(str(s), str(s))), let(2, list(str(s))), let(3, str("other")), let(4, str("another")),
		run(cmd(graph.ReplyBool, "SET", key(0), str(s))),
		each(-1, 5, ref(2), set(0, fn("concat", ref(5)))),
		ret(list(ref(0), fn("or", fn("get", ref(1), str(s)), str("missing")), fn("join", ref(2), str("")), cmd(graph.ReplyString, "GET", key(0)), key(0), arg(0), fn("join", arg(1), str("")),
			fn("join", fn("keys", ref(1)), str("")), fn("text", fn("from_json", fn("to_json", str(s)))), fn("concat", str(s), str("")), cmd(graph.ReplyString, "ECHO", str(s)))))
}

// mustBeItself runs a program that has the string everywhere, on a Redis where a key tells that nothing else ran.
func mustBeItself(t *testing.T, eval func(source string, keys []string, args ...any) any, s string) {
	t.Helper()
	p := everywhere(s)
	source := Source(checked(t, p))
	got := eval(source, []string{s}, s, s)
	want := make([]any, 11)
	for i := range want {
		want[i] = s
	}
	if !reflect.DeepEqual(got, any(want)) {
		t.Errorf("%q: %q, by\n%s", s, got, source)
	}
}

func TestStringsAreNothingButThemselves(t *testing.T) {
	c := server(t)
	ctx := context.Background()
	c.Set(ctx, "canary", "alive", 0)
	for _, s := range hostile {
		mustBeItself(t, func(source string, keys []string, args ...any) any { return evalSource(c, source, keys, args...) }, s)
	}
	if got := c.Get(ctx, "canary").Val(); got != "alive" {
		t.Errorf("something ran that should not: %q", got)
	}
}

func FuzzStringsAreNothingButThemselves(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	c := server(f)
	f.Fuzz(func(t *testing.T, s string) {
		c.Set(context.Background(), "canary", "alive", 0)
		mustBeItself(t, func(source string, keys []string, args ...any) any { return evalSource(c, source, keys, args...) }, s)
		if got := c.Get(context.Background(), "canary").Val(); got != "alive" && s != "canary" {
			t.Errorf("something ran that should not: %q", got)
		}
	})
}

func TestNumbersAreThemselves(t *testing.T) {
	c := server(t)
	for _, i := range []int64{0, 1, -1, 9, 1 << 31, -1 << 31, 1<<46 - 1, 1 << 46, 1 << 47, 99999999999999, 100000000000000, -100000000000000, edge - 1, edge, edge + 1, edge + 2, -edge, -edge - 1, -edge - 2, math.MaxInt64 - 1, math.MaxInt64, math.MinInt64 + 1, math.MinInt64} {
		want := string(mustJSON(t, i))
		p := program(graph.Program{Name: "number", Keys: []graph.Key{{Name: "k"}}}, run(cmd(graph.ReplyBool, "SET", key(0), num(i))),
			ret(list(fn("text", num(i)), fn("concat", num(i), str("")), fn("to_json", list(num(i))), cmd(graph.ReplyString, "GET", key(0)), fn("text", fn("int", fn("text", num(i)))), fn("text", fn("eq", num(i), fn("from_json", fn("text", num(i))))))))
		if got := eval(t, c, p, []string{"k"}); !reflect.DeepEqual(got, any([]any{want, want, "[" + want + "]", want, want, "true"})) {
			t.Errorf("%d: %v", i, got)
		}
	}
	for _, x := range []float64{0.1, -0.1, 1e-7, 123456.789, 1e15, 1e16, 1e17, 1 << 53, 1<<53 + 2, -1 << 53, 1.5e300, math.MaxFloat64, math.SmallestNonzeroFloat64, 0x1p-1022, math.Pi, 2.0 / 3, 1e21, 1e100, 5e-324, 4503599627370497.5, 9007199254740991, 0.30000000000000004} {
		want := string(graph.AppendNumber(nil, x))
		p := program(graph.Program{Name: "number", Keys: []graph.Key{{Name: "k"}}}, run(cmd(graph.ReplyBool, "SET", key(0), real(x))),
			ret(list(fn("text", real(x)), fn("concat", real(x), str("")), fn("to_json", list(real(x))), cmd(graph.ReplyString, "GET", key(0)), fn("text", fn("float", fn("text", real(x)))))))
		if got := eval(t, c, p, []string{"k"}); !reflect.DeepEqual(got, any([]any{want, want, "[" + want + "]", want, want})) {
			t.Errorf("%g: %v, want %s", x, got, want)
		}
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := graph.AppendJSON(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Names of one program stay different, and none is Lua's or a helper's.
func TestNamesAreTakenOnce(t *testing.T) {
	taken := names{"text": true}
	seen := map[string]bool{"text": true}
	for _, name := range append(hostile, "a", "a_2", "a_2", "ä", "ö", "text", "text_2", strings.Repeat("x", 100), strings.Repeat("x", 101)) {
		got := taken.take(name)
		if seen[got] || got == "" || strings.ContainsFunc(got, func(r rune) bool {
			return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) || got[0] >= '0' && got[0] <= '9' {
			t.Errorf("%q became %q", name, got)
		}
		seen[got] = true
	}
	if got := (names{}).take("inp_Left2"); got != "inp_Left2" {
		t.Errorf("a good name became %q", got)
	}
}
