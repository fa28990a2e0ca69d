package enginetest

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/resp"
)

const example = `# What this is about.
> SET k "a b"
OK
# any order
# ±1
> KEYS *
1) "a"
2) "b"
@resp3
1~ "a"
2~ "b"

@client b
@wait 100ms
@wait 1s
# A comment between.
> GET k
(nil)
@client a
@needs 7.4
> HTTL h
# no reply
> CLIENT REPLY OFF
# The end.
`

func TestSessionIsReadAndWrittenBack(t *testing.T) {
	s, err := parse("x/example.txt", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(s.Format()); got != example {
		t.Errorf("written back:\n%s", got)
	}
	if len(s.Steps) != 5 {
		t.Fatalf("%d calls", len(s.Steps))
	}
	set, keys, get, httl, off := &s.Steps[0], &s.Steps[1], &s.Steps[2], &s.Steps[3], &s.Steps[4]
	if string(set.Call[2]) != "a b" || set.Line != 2 || set.Client != "a" || set.AnyOrder || !slices.Equal(set.Answer, []string{"OK"}) {
		t.Errorf("SET: %+v", set)
	}
	if !keys.AnyOrder || keys.Tolerance != 1 || len(keys.Answer) != 2 || len(keys.Answer3) != 2 {
		t.Errorf("KEYS: %+v", keys)
	}
	if get.Client != "b" || get.Wait != 1100*time.Millisecond || get.AnyOrder {
		t.Errorf("GET: %+v", get)
	}
	if _, recorded := httl.answer(2); recorded || httl.Client != "a" || httl.Needs != (Version{7, 4}) {
		t.Errorf("HTTL: %+v", httl)
	}
	if _, recorded := off.answer(2); !recorded || !off.NoReply || off.Needs != (Version{7, 4}) {
		t.Errorf("CLIENT REPLY OFF: %+v", off)
	}
}

func TestBrokenSessionSaysWhereItIsBroken(t *testing.T) {
	for text, want := range map[string]string{
		"OK\n":                        "x.txt:1: neither call nor answer: OK",
		"> GET k\n\nOK\n":             "x.txt:3: neither call nor answer: OK",
		"> GET \"k\n":                 "x.txt:1: no call",
		"@wait long\n> GET k\n":       "x.txt:1: time: invalid duration",
		"@sleep 1s\n> GET k\n":        "x.txt:1: unknown marker @sleep",
		"> GET k\n# any order\n":      "x.txt:2: a marker without a call",
		"@needs new\n> GET k\nOK\n":   "x.txt:1: \"new\" is no version",
		"# ±x\n> GET k\nOK\n":         "x.txt:1: strconv.ParseInt",
		"@resp3\n> GET k\nOK\n":       "x.txt:1: unknown marker @resp3",
		"> GET k\nOK\n\n@wait 10ms\n": "x.txt:4: a marker without a call",
	} {
		_, err := parse("x.txt", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestAnswersAreTheSameAsFarAsTheMarkersSay(t *testing.T) {
	lines := func(s string) []string { return strings.Split(s, "\n") }
	for _, c := range []struct {
		name      string
		step      Step
		one, two  string
		different bool
	}{
		{"equal", Step{}, "OK", "OK", false},
		{"different", Step{}, "OK", "(nil)", true},
		{"order counts", Step{}, "1) \"a\"\n2) \"b\"", "1) \"b\"\n2) \"a\"", true},
		{"order does not count", Step{AnyOrder: true}, "1) \"a\"\n2) \"b\"", "1) \"b\"\n2) \"a\"", false},
		{"a multiset counts twice", Step{AnyOrder: true}, "1) \"a\"\n2) \"b\"\n3) \"b\"", "1) \"b\"\n2) \"a\"\n3) \"a\"", true},
		{"sets", Step{AnyOrder: true}, "1~ \"a\"\n2~ \"b\"", "1~ \"b\"\n2~ \"a\"", false},
		{"a set is no array", Step{AnyOrder: true}, "1~ \"a\"\n2~ \"b\"", "1) \"b\"\n2) \"a\"", true},
		{"maps", Step{AnyOrder: true}, "1# \"a\" => \"1\"\n2# \"b\" => \"2\"", "1# \"b\" => \"2\"\n2# \"a\" => \"1\"", false},
		{"a map's values belong to their keys", Step{AnyOrder: true}, "1# \"a\" => \"1\"\n2# \"b\" => \"2\"", "1# \"a\" => \"2\"\n2# \"b\" => \"1\"", true},
		{"nested", Step{AnyOrder: true}, "1) \"0\"\n2) 1) \"a\"\n   2) \"b\"", "1) \"0\"\n2) 1) \"b\"\n   2) \"a\"", false},
		{"nested order alone", Step{AnyOrder: true}, "1) 1) \"a\"\n   2) \"b\"\n2) 1) \"c\"\n   2) \"d\"", "1) 1) \"a\"\n   2) \"c\"\n2) 1) \"b\"\n   2) \"d\"", true},
		{"no array", Step{AnyOrder: true}, "(empty array)", "(nil)", true},
		{"tolerance", Step{Tolerance: 1}, "(integer) 100", "(integer) 99", false},
		{"beyond tolerance", Step{Tolerance: 1}, "(integer) 100", "(integer) 98", true},
		{"tolerance in an array", Step{Tolerance: 1}, "1) (integer) 5\n2) \"a\"", "1) (integer) 6\n2) \"a\"", false},
		{"tolerance is for integers", Step{Tolerance: 1}, "\"5\"", "\"6\"", true},
		{"tolerance and order", Step{Tolerance: 5, AnyOrder: true}, "1) (integer) 10\n2) (integer) 90", "1) (integer) 91\n2) (integer) 12", false},
	} {
		if same(&c.step, lines(c.one), lines(c.two)) == c.different {
			t.Errorf("%s: different is %v", c.name, !c.different)
		}
	}
	var ten, rotated []string
	for i, l := range strings.Split("abcdefghijkl", "") {
		number := func(n int) string { return strings.Repeat(" ", 2-len(strconv.Itoa(n))) + strconv.Itoa(n) + ") " }
		ten = append(ten, number(i+1)+l)
		rotated = append(rotated, number(i+1)+string("bcdefghijkla"[i]))
	}
	if !same(&Step{AnyOrder: true}, ten, rotated) {
		t.Error("twelve elements in another order are not the same")
	}
}

func TestAnyValueShowsTheTypeAlone(t *testing.T) {
	for reply, want := range map[string]string{
		"+OK\r\n": "(status)", "-ERR\r\n": "(error)", ":1\r\n": "(integer)", "$1\r\na\r\n": "(string)", "=5\r\ntxt:a\r\n": "(string)",
		"$-1\r\n": "(nil)", "_\r\n": "(nil)", "*0\r\n": "(array)", "~0\r\n": "(set)", "%0\r\n": "(map)", ">0\r\n": "(push)", "#t\r\n": "(boolean)",
		",1\r\n": "(double)", "(1\r\n": "(big number)",
	} {
		v, _, err := resp.DecodeValue([]byte(reply))
		if err != nil {
			t.Fatal(err)
		}
		if got := show(&Step{AnyValue: true}, &v); !slices.Equal(got, []string{want}) {
			t.Errorf("%q: %q, want %s", reply, got, want)
		}
	}
}

func TestOrderAloneMayDeviate(t *testing.T) {
	s, err := parse("x/y.txt", []byte("> SMEMBERS a\n1) \"1\"\n2) \"2\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := parseDeviations("deviations/e.txt", "# Why.\n@session x/y.txt\n@any order\n> SMEMBERS a\n\n# Why.\n@session x/y.txt\n> GET b\n")
	if err != nil || len(all) != 2 || all[1].anyOrder {
		t.Fatalf("%d deviations and %v", len(all), err)
	}
	for _, c := range []struct {
		got      []string
		failures int
	}{
		{[]string{`1) "1"`, `2) "2"`}, 0},
		{[]string{`1) "2"`, `2) "1"`}, 0},
		{[]string{`1) "2"`, `2) "3"`}, 1},
		{[]string{`1) "1"`}, 1},
	} {
		r := newReport(way{name: "calls", proto: 2}, s, all[:1])
		r.compare(&s.Steps[0], s.Steps[0].Answer, c.got)
		if failures := r.finish(); len(failures) != c.failures {
			t.Errorf("%q: %d failures, want %d:\n%s", c.got, len(failures), c.failures, strings.Join(failures, "\n"))
		}
	}
}

func TestDeviationsAreStrictBothWays(t *testing.T) {
	s, err := parse("x/y.txt", []byte("> GET a\n(nil)\n> GET b\n(nil)\n"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := parseDeviations("deviations/e.txt", "# Why.\n@session x/y.txt\n@ways calls\n> GET a\n\"7\"\n@resp3\n\"8\"\n> GET b\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || !all[0].exists([]*Session{s}) || (&deviation{path: "x/y.txt", call: "GET c"}).exists([]*Session{s}) {
		t.Fatalf("%d deviations", len(all))
	}
	for _, c := range []struct {
		name, way string
		a, b      string // what the engine answers
		failures  int
	}{
		{"as listed", "calls", `"7"`, `"any"`, 0},
		{"another answer than listed", "calls", `"8"`, `"any"`, 2}, // wrong, and the listed one does not occur
		{"no deviation", "calls", "(nil)", "(nil)", 2},
		{"not listed for this way", "batch", `"7"`, "(nil)", 1},
		{"right in a way that is not listed", "batch", "(nil)", "(nil)", 0},
	} {
		r := newReport(way{name: c.way, proto: 2}, s, all)
		r.compare(&s.Steps[0], []string{"(nil)"}, []string{c.a})
		r.compare(&s.Steps[1], []string{"(nil)"}, []string{c.b})
		if failures := r.finish(); len(failures) != c.failures {
			t.Errorf("%s: %d failures, want %d:\n%s", c.name, len(failures), c.failures, strings.Join(failures, "\n"))
		}
	}
	for _, text := range []string{"> GET a\n", "@session x/y.txt\n> GET a\n", "# Why.\n> GET a\n", "# Why.\nOK\n", "# Why.\n@session x/y.txt\n@any order\n> GET a\nOK\n"} {
		if _, err := parseDeviations("d", text); err == nil {
			t.Errorf("no complaint about %q", text)
		}
	}
}
