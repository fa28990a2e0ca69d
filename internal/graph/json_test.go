package graph

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestNumbersHaveTheirTexts(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", math.Copysign(0, -1): "0", 2: "2", -1.5: "-1.5", 0.1: "0.1", 1e15: "1000000000000000", MaxExact: "9007199254740991", 1 << 53: "9007199254740992", 1e20: "1e+20",
		1e-7: "1e-07", 0.30000000000000004: "0.30000000000000004", math.Inf(1): "inf", math.Inf(-1): "-inf", 5e-324: "4.94065645841247e-324", 123456789.125: "123456789.125",
	} {
		if got := string(AppendNumber([]byte("x"), f)); got != "x"+want {
			t.Errorf("%v is %q, not x%s", f, got, want)
		}
	}
}

func TestJSONOfValuesReadsBack(t *testing.T) {
	for _, v := range []any{
		nil, true, false, int64(math.MinInt64), int64(math.MaxInt64), 1.5, 1e300, "", "\x00\x1f\"\\/\xff\u2028é", []any{}, map[string]any{},
		[]any{nil, []any{"a", int64(1)}, map[string]any{"": []any{}, "b": map[string]any{"c": 2.5}}},
	} {
		text, err := AppendJSON(nil, v)
		if err != nil {
			t.Fatalf("%v: %v", v, err)
		}
		if back, err := ParseJSON(text); err != nil || !reflect.DeepEqual(back, v) {
			t.Errorf("%#v comes back from %s as %#v, %v", v, text, back, err)
		}
	}
	if text, err := AppendJSON(nil, map[string]any{"b": 1.0, "a\n": "\b\f\r\t\x01"}); string(text) != `{"a\n":"\b\f\r\t\u0001","b":1}` || err != nil {
		t.Errorf("%s, %v", text, err)
	}
}

func TestJSONThatIsNoneNamesThePlace(t *testing.T) {
	for text, at := range map[string]int{
		"": 0, " ": 1, "tru": 3, "trux": 3, "[": 1, "[1": 2, "[1,": 3, "[1,]": 3, "{": 1, "{1": 1, `{"a"`: 4, `{"a":`: 5, `{"a":1,}`: 7, "1 2": 2, "01": 1, "-": 1, "-x": 1, "1.": 2, "1.x": 2,
		"1e": 2, "1e+": 3, ".5": 0, "+1": 0, `"a`: 2, `"\`: 2, `"\x"`: 2, `"\u12g4"`: 5, `"\ud800\u12"`: 11, "NaN": 0, "\xff": 0, "[1}": 2, "\x00": 0,
	} {
		_, err := ParseJSON([]byte(text))
		if want := Text(ErrJSON, at); err == nil || err.Error() != want {
			t.Errorf("%q: %v, not %s", text, err, want)
		}
	}
}

func TestJSONKnowsWhatItHolds(t *testing.T) {
	deep := strings.Repeat("[", MaxNested)
	for text, want := range map[string]any{
		"1.0": int64(1), "-0": int64(0), "-0.0": int64(0), "9223372036854775808": 9223372036854775808.0, "9007199254740992.0": 9007199254740992.0, "1e400": math.Inf(1), "-1e400": math.Inf(-1),
		`"\ud83d\ude00\ud83d\u0041\udc00\u00e9\/"`: "😀\uFFFDA\uFFFDé/", "\"\x01\n\xff\"": "\x01\n\xff", "\t\r\n 1 ": int64(1), `{"a":1,"a":2}`: map[string]any{"a": int64(2)},
		deep + "[": errors.New(ErrDepth), deep: errors.New(Text(ErrJSON, MaxNested)),
	} {
		got, err := ParseJSON([]byte(text))
		if err != nil {
			got = err
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%.40q is %#v, not %#v", text, got, want)
		}
	}
	if _, err := AppendJSON(nil, []any{math.Inf(1)}); err == nil || err.Error() != ErrInfinite {
		t.Errorf("an infinity: %v", err)
	}
	if _, err := AppendJSON(nil, 1); err == nil {
		t.Error("an int of Go passes")
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5,"\u00e9"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := ParseJSON(text)
		if err != nil {
			return
		}
		once, err := AppendJSON(nil, v)
		if err != nil && err.Error() != ErrInfinite {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		again, err := ParseJSON(once)
		if err != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("%q becomes %q, and %v, %v", text, once, again, err)
		}
		if twice, _ := AppendJSON(nil, again); !bytes.Equal(once, twice) {
			t.Fatalf("%q becomes %q and then %q", text, once, twice)
		}
	})
}
