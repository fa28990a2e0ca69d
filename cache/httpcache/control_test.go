package httpcache

import (
	"maps"
	"strings"
	"testing"
)

func TestCacheControlIsReadAsRFC9111Has(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   control
	}{
		{nil, control{}},
		{[]string{""}, control{}},
		{[]string{"no-store"}, control{"no-store": ""}},
		{[]string{"Max-Age=60, PUBLIC"}, control{"max-age": "60", "public": ""}},
		{[]string{" max-age = 60 ,, ,public"}, control{"max-age": "60", "public": ""}},
		{[]string{`max-age="60", private="a, b\"=c" , x`}, control{"max-age": "60", "private": `a, b"=c`, "x": ""}},
		{[]string{"max-age=1, max-age=2", "max-age=3, public"}, control{"max-age": "1", "public": ""}},
		{[]string{`x="never closed, no-store`, "public"}, control{"x": "never closed, no-store", "public": ""}},
		{[]string{`x="ends in \`}, control{"x": "ends in \\"}},
		{[]string{`x=""`, `y="a"b, z`}, control{"x": "", "y": "a", "z": ""}},
		{[]string{"=5, ;, no-store"}, control{"no-store": ""}},
		{[]string{"x=a=b"}, control{"x": "a=b"}},
	} {
		if got := parseControl(c.values); !maps.Equal(got, c.want) {
			t.Errorf("%q: %v, not %v", c.values, got, c.want)
		}
	}
	for text, want := range map[string]int64{
		"": 0, "0": 0, "60": 60, "060": 60, "-1": 0, "+1": 0, "1.5": 0, "1e3": 0, "x": 0, " 1": 0, "2147483648": maxAge, "2147483649": maxAge, "99999999999999999999999": maxAge,
	} {
		if got := seconds(text); got != want {
			t.Errorf("%q: %d seconds, not %d", text, got, want)
		}
	}
}

func TestEntityTagsAreComparedWeakly(t *testing.T) {
	for _, c := range []struct {
		values []string
		tag    string
		want   bool
	}{
		{[]string{`"a"`}, `"a"`, true},
		{[]string{`"a"`}, `W/"a"`, true},
		{[]string{`W/"a"`}, `"a"`, true},
		{[]string{`"b"`}, `"a"`, false},
		{[]string{`"b", W/"a"`}, `"a"`, true},
		{[]string{`"b"`, `"a"`}, `"a"`, true},
		{[]string{`"a,b",	"c"`}, `"c"`, true},
		{[]string{`"a,b"`}, `"b"`, false},
		{[]string{"*"}, "", true},
		{[]string{`a`}, "a", false},
		{[]string{`"a`}, `"a`, false},
		{[]string{`""`}, "", false},
		{[]string{"", " , "}, `"a"`, false},
	} {
		if got := matches(c.values, c.tag); got != c.want {
			t.Errorf("%q and %q: %v", c.values, c.tag, got)
		}
	}
}

// What is read of any header is what is read of it when it is written anew.
func FuzzCacheControl(f *testing.F) {
	for _, s := range []string{"", "no-store", "max-age=60, public", `private="a, b", x="\"`, `=,"`, "a=\"\\", "W/\"a\", *"} {
		f.Add(s, "max-age=5")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		c := parseControl([]string{a, b})
		var again []string
		for name, value := range c {
			if !isToken(name) || name != strings.ToLower(name) {
				t.Errorf("%q is no name of a directive", name)
			}
			if ms, ok := c.ms(name); !ok || ms < 0 || ms > maxAge*1000 {
				t.Errorf("%q is %d ms", value, ms)
			}
			again = append(again, name+`="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)+`"`)
		}
		if got := parseControl([]string{strings.Join(again, ", ")}); !maps.Equal(got, c) {
			t.Errorf("%q and %q: %v, and then %v", a, b, c, got)
		}
		if first := parseControl([]string{a}); !maps.Equal(first, control{}) {
			for name, value := range first {
				if c[name] != value {
					t.Errorf("the first %q does not count", name)
				}
			}
		}
		if tag := `"` + strings.ReplaceAll(b, `"`, "") + `"`; !matches([]string{tag}, tag) || !matches([]string{`"x", W/` + tag}, tag) {
			t.Errorf("%q does not match itself", tag)
		}
		matches([]string{a, b}, b)
	})
}
