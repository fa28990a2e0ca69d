package cache

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/redbud-go/redbud/internal/hashslot"
)

// textOf is the text of any key; "" if it has none.
func textOf(key any) string {
	text, _ := appendKey(nil, reflect.ValueOf(&key).Elem(), 0)
	return string(text)
}

type pairKey struct {
	A, B string
	c    int
}

type otherKey pairKey

func TestDifferentKeysHaveDifferentTexts(t *testing.T) {
	one, two := 1, 2
	keys := []any{
		pairKey{"a:", "b", 0}, pairKey{"a", ":b", 0}, pairKey{"a", "b", 1}, pairKey{"", "", 0}, otherKey{"", "", 0},
		1, "1", int8(1), uint(1), 1.0, float32(1), true, "true", nil, "nil", "n", "<nil>", "", 0, false, complex(1, 0), complex(0, 1),
		[]string{"a", "b"}, []string{"ab"}, []string{"a,b"}, []string{}, []string(nil), []any{"a", "b"}, [2]string{"a", "b"},
		[]byte("ab"), []byte(nil), []byte{}, [][]string{{"a"}, {"b"}}, [][]string{{"a", "b"}}, [][]string{{"a", "b"}, {}}, [][]string{{}, {"a", "b"}},
		map[string]int{"a": 1}, map[string]int{"a": 2}, map[string]int{"b": 1}, map[string]int{}, map[string]int(nil), map[string]int{"a": 1, "b": 2},
		map[string]string{"a": "1"}, map[int]any{1: "1"}, map[int]any{1: 1}, map[int]any{1: nil},
		&one, &two, (*int)(nil), []*int{&one}, []*int{nil}, []any{nil}, []any{"n"}, []any{1}, []any{"1"}, []any{int64(1)},
		time.Unix(1, 0).UTC(), time.Unix(1, 1).UTC(), time.Unix(1, 0).In(time.FixedZone("x", 3600)), time.Second, math.NaN(), math.Inf(1),
	}
	for i, a := range keys {
		if textOf(a) == "" {
			t.Errorf("%#v has no text", a)
		}
		for _, b := range keys[i+1:] {
			if x, y := textOf(a), textOf(b); strings.HasPrefix(x, y) || strings.HasPrefix(y, x) {
				t.Errorf("%#v is %q, %#v is %q", a, x, b, y)
			}
		}
	}
	again := 1
	for _, same := range [][2]any{
		{0.0, math.Copysign(0, -1)}, {math.NaN(), math.Float64frombits(math.Float64bits(math.NaN()) ^ 1)}, {&one, &again},
		{map[string]int{"a": 1, "b": 2, "c": 3}, map[string]int{"c": 3, "b": 2, "a": 1}},
	} {
		if x, y := textOf(same[0]), textOf(same[1]); x != y {
			t.Errorf("%#v is %q, and %q", same[0], x, y)
		}
	}
	type ring struct{ Next *ring }
	r := &ring{}
	r.Next = r
	for _, none := range []any{make(chan int), func() {}, r, struct{ at time.Time }{}} {
		if _, err := appendKey(nil, reflect.ValueOf(none), 0); err == nil {
			t.Errorf("a %T has a text", none)
		}
	}
}

func TestTextsOfKeysBeginNoOthers(t *testing.T) {
	type key struct {
		S []string
		B []byte
		M map[string]string
		I any
		P *int
	}
	draw := func(t *rapid.T) key {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("a1:n")), 0, 3, -1)
		k := key{
			S: rapid.OneOf(rapid.Just([]string(nil)), rapid.SliceOfN(text, 0, 2)).Draw(t, "S"),
			B: rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 2)).Draw(t, "B"),
			M: rapid.OneOf(rapid.Just(map[string]string(nil)), rapid.MapOfN(text, text, 0, 2)).Draw(t, "M"),
			I: rapid.SampledFrom([]any{nil, "n", "1", 1, uint8(1), []string{"1"}}).Draw(t, "I"),
		}
		if rapid.Bool().Draw(t, "P") {
			p := rapid.IntRange(0, 11).Draw(t, "*P")
			k.P = &p
		}
		return k
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t), draw(t)
		x, y := textOf(a), textOf(b)
		if reflect.DeepEqual(a, b) != (x == y) || x != y && (strings.HasPrefix(x, y) || strings.HasPrefix(y, x)) {
			t.Fatalf("%#v is %q, %#v is %q", a, x, b, y)
		}
	})
}

func TestBracesStayAHashTag(t *testing.T) {
	texts := []string{"", "a", "}", "}a", "\x00", "\x00}", "\x00\x00", "{", "{}", "{a}", "a}", "a}b", "\x00a"}
	seen := map[string]string{}
	for _, text := range texts {
		for _, prefix := range []string{"p:", "{tag}:", "p{", "p}", "p{x"} {
			key := prefix + braced(text)
			if hashslot.Of(key) != hashslot.Of(key+loadSuffix) {
				t.Errorf("the value and the load of %q behind %q are apart", text, prefix)
			}
		}
		if other, ok := seen[braced(text)]; ok {
			t.Errorf("%q and %q are one key", text, other)
		}
		seen[braced(text)] = text
	}
}

func TestEnvelopesThatAreDamagedAreNone(t *testing.T) {
	good := (&envelope{kind: loaded, made: 1, took: 2000, fresh: 3}).head(nil)
	if e, err := openEnvelope(append(good, "body"...)); err != nil || e.made != 1 || e.took != 2000 || e.fresh != 3 || string(e.body) != "body" {
		t.Errorf("it is %+v and %v", e, err)
	}
	for n := range good {
		if _, err := openEnvelope(good[:n]); err == nil {
			t.Errorf("%d bytes are one", n)
		}
	}
	for i := range 3 {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x80
		if _, err := openEnvelope(bad); err == nil {
			t.Errorf("% x is one", bad)
		}
	}
	tagged := (&envelope{kind: broken, label: labelled{names: []string{"a", "bc"}, held: []string{"0123456789abcdef", "fedcba9876543210"}}}).head(nil)
	if e, err := openEnvelope(append(tagged, "body"...)); err != nil || e.kind != broken || len(e.label.names) != 2 || e.label.names[1] != "bc" || e.label.held[1] != "fedcba9876543210" || string(e.body) != "body" {
		t.Errorf("with tags it is %+v and %v", e, err)
	}
	for n := range tagged {
		if _, err := openEnvelope(tagged[:n]); err == nil {
			t.Errorf("%d bytes with tags are one", n)
		}
	}
	f := &Func[string, string]{}
	for _, body := range []string{"", "\xff", "\x05name"} {
		if _, err := f.read(append((&envelope{kind: broken}).head(nil), body...)); err == nil {
			t.Errorf("an error of %q is one", body)
		}
	}
}
