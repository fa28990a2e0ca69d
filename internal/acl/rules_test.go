package acl

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
)

// call splits a line into words.
func call(line string) engine.Call {
	var c engine.Call
	for _, w := range strings.Fields(line) {
		c = append(c, []byte(w))
	}
	return c
}

// check is what a user of the rules is told of a call: "" or the reason and the word.
func check(t testing.TB, r *Rights, line string) string {
	t.Helper()
	c := call(line)
	row, err := command.Commands.Find(c)
	if err != nil {
		t.Fatal(err)
	}
	d := r.Check(row, c)
	switch d.Reason {
	case Allowed:
		return ""
	case Command:
		return "command"
	}
	return d.Reason.String() + " " + string(c[d.At])
}

// build applies rules to nobody's rights.
func build(t testing.TB, rules ...string) *Rights {
	t.Helper()
	r, err := changed(rightsOfNobody(false), rules, false)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRulesSayWhatMayBeCalled(t *testing.T) {
	for rules, calls := range map[string]map[string]string{
		"":                                 {"GET k": "command", "PING": "command", "AUTH x": "", "HELLO": "", "QUIT": "", "RESET": ""},
		"allcommands":                      {"GET k": "key k", "PING": "", "PUBLISH c m": "channel c", "FLUSHALL": ""},
		"+@all ~*":                         {"GET k": "", "SUBSCRIBE c": "channel c"},
		"+@all ~* &*":                      {"GET k": "", "PSUBSCRIBE c*": ""},
		"+@all -get":                       {"GET k": "command", "EXISTS k": "key k"},
		"+get ~*":                          {"GET k": "", "SET k v": "command"},
		"+config":                          {"CONFIG GET x": "", "CONFIG SET a b": ""},
		"+config|get":                      {"CONFIG GET x": "", "CONFIG SET a b": "command"},
		"+@read ~*":                        {"GET k": "", "SET k v": "command", "ZRANGE z 0 1": ""},
		"+select|0":                        {"SELECT 0": "", "SELECT 1": "command"},
		"+@all -@read":                     {"GET k": "command", "SET k v": "key k"},
		"+select|0 -select":                {"SELECT 0": "command"},
		"+select|a":                        {"SELECT A": ""},
		"+@all -config|set":                {"CONFIG GET x": "", "CONFIG SET a b": "command"},
		"+@all ~a* ~b":                     {"GET a": "", "GET abc": "", "MGET a b": "", "MGET a bc c": "key bc"},
		"+@all %R~r* %W~w*":                {"GET r": "", "GET w": "key w", "COPY r w": "", "COPY w r": "key w", "EXISTS w": "", "EXISTS x": "key x", "GETSET r v": "key r", "LPUSH w x": ""},
		"+@all %R~k %W~k":                  {"GETSET k v": ""},
		"+@all &news.*":                    {"PUBLISH news.1 m": "", "PUBLISH x m": "channel x", "SUBSCRIBE news.1 x": "channel x", "PSUBSCRIBE news.*": "", "PSUBSCRIBE news.1": "channel news.1", "UNSUBSCRIBE x": "", "SPUBLISH x m": "channel x"},
		"(+get ~a) (+set ~b)":              {"GET a": "", "SET b v": "", "GET b": "key b", "SET a v": "key a", "PING": "command"},
		"+mget ~a (+mget ~a ~b)":           {"MGET a b": "", "MGET b c": "key c", "MGET c b": "key c", "MGET a c": "key c"},
		"+@all ~* clearselectors":          {"GET a": ""},
		"+set ~k (+get ~k) clearselectors": {"SET k v": "", "GET k": "command"},
		"on nopass +@all ~* &* reset":      {"GET k": "command"},
		"+@all ~k resetkeys":               {"GET k": "key k"},
		"+@all allkeys resetkeys ~a":       {"GET a": "", "GET b": "key b"},
		"+@all &c resetchannels":           {"PUBLISH c m": "channel c"},
		"+@all ~a -psync +failover|x":      {"GET a": ""},
		"+@all %W~k":                       {"SET k v": "", "SET k v GET": "key k", "BITFIELD k GET u8 0": "key k"},
		"+@all %R~k":                       {"SET k v": "key k", "BITFIELD k GET u8 0": "", "BITFIELD k SET u8 0 1": "key k", "SORT k STORE k": "key k"},
		"+ZUNIONSTORE %R~r %W~w":           {"ZUNIONSTORE w 1 r": "", "ZUNIONSTORE w 1 w": "key w", "ZUNIONSTORE w 9 w": ""},
		"+@all ~\\[k\\] ~[ab]? &?":         {"GET [k]": "", "GET ac": "", "GET cc": "key cc", "PUBLISH x m": "", "PUBLISH xx m": "channel xx"},
	} {
		r := build(t, strings.Fields(rules)...)
		for line, want := range calls {
			if got := check(t, r, line); got != want {
				t.Errorf("%q: %s is told %q, want %q", rules, line, got, want)
			}
		}
	}
}

func TestOnlyWhoMayDoEverythingMayCallWhatTheTableDoesNotKnow(t *testing.T) {
	for rules, want := range map[string]bool{"+@all ~* &*": true, "+@all ~*": false, "+@all -get ~* &*": false, "+@all -get +get ~* &*": true, "(+@all ~* &*)": true} {
		r := build(t, strings.Fields(rules)...)
		if got := r.Check(nil, call("NOSUCH k")).Reason == Allowed; got != want || r.Everything() != want {
			t.Errorf("%q: allowed is %v, everything %v", rules, got, r.Everything())
		}
	}
}

func TestRulesAreDescribedAsRedisDoes(t *testing.T) {
	for rules, want := range map[string][2]string{ // all of them, and those that change something
		"":                            {"off resetchannels -@all", "off resetchannels -@all"},
		"on nopass +@all ~* &*":       {"on nopass ~* &* +@all", "on nopass ~* &* +@all"},
		"+get +set +mget":             {"off resetchannels -@all +get +set +mget", "off resetchannels -@all +get +set +mget"},
		"+@read -get +@string":        {"off resetchannels -@all +@read -get +@string", "off resetchannels -@all +@read +@string"},
		"-get":                        {"off resetchannels -@all -get", "off resetchannels -@all"},
		"+get -GET +get":              {"off resetchannels -@all +get", "off resetchannels -@all +get"},
		"+@all +client|id":            {"off resetchannels +@all +client|id", "off resetchannels +@all"},
		"+memory|doctor +memory":      {"off resetchannels -@all +memory", "off resetchannels -@all +memory"},
		"+@all -client +client|id":    {"off resetchannels +@all -client +client|id", "off resetchannels +@all -client +client|id"},
		"+select|0 +select":           {"off resetchannels -@all +select", "off resetchannels -@all +select"},
		"+select +select|0":           {"off resetchannels -@all +select +select|0", "off resetchannels -@all +select"},
		"+select|0 +select|1":         {"off resetchannels -@all +select|0 +select|1", "off resetchannels -@all +select|0 +select|1"},
		"+select|0 -@connection":      {"off resetchannels -@all +select|0 -@connection", "off resetchannels -@all"},
		"~a %R~b %RW~c %W~d %R~d ~a":  {"off ~a %R~b ~c ~d resetchannels -@all", "off ~a %R~b ~c ~d resetchannels -@all"},
		"~a %RW~* ~b":                 {"off ~a %RW~* ~b resetchannels -@all", "off ~a %RW~* ~b resetchannels -@all"},
		"&a &b &a":                    {"off resetchannels &a &b -@all", "off resetchannels &a &b -@all"},
		"reset (+get ~a) (&*)":        {"off sanitize-payload resetchannels -@all (~a resetchannels -@all +get) (&* -@all)", "off sanitize-payload resetchannels -@all (~a resetchannels -@all +get) (&* -@all)"},
		">a <a":                       {"off resetchannels -@all", "off resetchannels -@all"},
		"skip-sanitize-payload (+get": {"Unmatched parenthesis in acl selector starting at '(+get'.", ""},
	} {
		r, err := changed(rightsOfNobody(false), strings.Fields(rules), false)
		if err != nil {
			if err.Error() != want[0] {
				t.Errorf("%q: %v", rules, err)
			}
			continue
		}
		if got := [2]string{r.Line(false), r.Line(true)}; got != want {
			t.Errorf("%q is described as\n%q, want\n%q", rules, got, want)
		}
	}
}

// drawRule draws a rule; many of them speak of the same.
func drawRule(t *rapid.T) string {
	command := rapid.SampledFrom([]string{"get", "set", "config", "config|get", "config|set", "client", "client|id", "select", "del", "@read", "@write", "@string", "@all", "@dangerous", "@connection"})
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return "+" + command.Draw(t, "command")
	case 1:
		return "-" + command.Draw(t, "command")
	case 2:
		return rapid.SampledFrom([]string{"+select|0", "+select|1", "+get|x", "resetkeys", "resetchannels", "allkeys", "allchannels"}).Draw(t, "word")
	case 3:
		return rapid.SampledFrom([]string{"~", "%R~", "%W~", "%RW~", "%r~"}).Draw(t, "sign") + rapid.SampledFrom([]string{"a", "a*", "b", "*", "[ab]", `\*`, "", `a"b`, `"`, "'", "a)", "(", "\xff\x01"}).Draw(t, "pattern")
	case 4:
		return "&" + rapid.SampledFrom([]string{"a", "a*", "*", "", `"b`, ")", `\"`}).Draw(t, "channel")
	}
	return rapid.SampledFrom([]string{"on", "off", "nopass", "resetpass", ">p", ">q", "<p", "reset", "clearselectors", "sanitize-payload"}).Draw(t, "flag")
}

func TestADescriptionMakesTheSamePermissions(t *testing.T) {
	var calls []engine.Call
	var rows []*command.Command
	for _, line := range []string{"GET a", "GET x", "SET a v", "SET ab v GET", "DEL b", "COPY a b", "EXISTS a", "CONFIG GET x", "CONFIG SET x y", "CLIENT ID",
		"CLIENT LIST", "SELECT 0", "SELECT 1", "SELECT 2", `GET a"b`, `SET " v`, "GET a)", "GET (", "GET \xff\x01", `PUBLISH "b m`, "PUBLISH a m", "PUBLISH b m", "PSUBSCRIBE a*", "SUBSCRIBE ab", "HGET a f", "PING", "FLUSHALL", "SORT a BY x*"} {
		c := call(line)
		row, err := command.Commands.Find(c)
		if err != nil {
			t.Fatal(err)
		}
		calls, rows = append(calls, c), append(rows, row)
	}
	rapid.Check(t, func(t *rapid.T) {
		var rules []string
		for range rapid.IntRange(0, 12).Draw(t, "rules") {
			rule := drawRule(t)
			if rapid.IntRange(0, 4).Draw(t, "selector") == 0 {
				rule = quoted(drawRule(t) + " " + drawRule(t))
			}
			rules = append(rules, rule)
		}
		d := rightsOfNobody(rapid.Bool().Draw(t, "hears")).draft(false)
		for _, rule := range rules {
			_ = d.apply(rule) // what is wrong changes nothing
		}
		r := d.done()
		for _, terse := range []bool{false, true} {
			again, err := changed(rightsOfNobody(false), strings.Split(r.Line(terse), " "), false)
			if err != nil {
				t.Fatalf("%q: %v", r.Line(terse), err)
			}
			if !terse && again.Line(false) != r.Line(false) {
				t.Fatalf("%q was read and is %q", r.Line(false), again.Line(false))
			}
			for i, c := range calls {
				if got, want := again.Check(rows[i], c), r.Check(rows[i], c); got != want {
					t.Fatalf("%q: %s is told %v, and after %q %v", rules, c, want, r.Line(terse), got)
				}
				if got, want := again.ReadsAll(rows[i], c), r.ReadsAll(rows[i], c); got != want {
					t.Fatalf("%q: all may be read is %v, and after %q %v", rules, want, r.Line(terse), got)
				}
			}
			if !slices.Equal(again.Flags(), r.Flags()) || !slices.Equal(again.Passwords(), r.Passwords()) || again.Everything() != r.Everything() {
				t.Fatalf("%q became %q", r.Line(terse), again.Line(terse))
			}
		}
	})
}

func TestWrongRulesAreRefusedInTheWordsOfRedis(t *testing.T) {
	for rule, want := range map[string]error{
		"+nosuch": errUnknown, "-nosuch": errUnknown, "+@nosuch": errUnknown, "-get|x": errUnknown, "+config|nosuch": errUnknown,
		"+get|": errSyntax, "+config|": errSyntax, "nosuch": errSyntax, ")": errSyntax, "(on)": errSyntax, "%~a": errSyntax, "%": errSyntax, "%RR~a": errSyntax,
		"~a\tb": errSyntax, "&a b": errSyntax, "<x": errNoSuch, "#" + strings.Repeat("A", 64): errHash, "!" + strings.Repeat("g", 64): errHash, "#": errHash,
		"+config|get|x": errFirstArg, "(~* ~a)": errAllKeys, "(&* &a)": errAllNames, "": nil, "~": nil, "+PsYnC|x": nil,
	} {
		d := rightsOfNobody(false).draft(false)
		if err := d.apply(rule); err != want {
			t.Errorf("%q: %v, want %v", rule, err, want)
		}
	}
}

func TestManyRulesTakeNoLongerThanEachOfThem(t *testing.T) {
	d := rightsOfNobody(false).draft(false)
	const n = 20000
	for i := range n {
		for _, rule := range []string{"+select|", "~k", "&c", ">p"} {
			if err := d.apply(rule + strings.Repeat("x", 1+i%3) + string(rune('a'+i%26)) + strings.Repeat("y", i/1000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := d.done()
	for range 3 {
		r = r.draft(false).done()
	}
	if len(r.selectors[0].keys) != len(r.selectors[0].channels) || len(r.passwords) != len(r.selectors[0].keys) || len(r.selectors[0].rules) != len(r.passwords) {
		t.Errorf("%d keys, %d channels, %d passwords, %d rules", len(r.selectors[0].keys), len(r.selectors[0].channels), len(r.passwords), len(r.selectors[0].rules))
	}
}

func TestRestrictedUsersAreCheckedWithoutAllocation(t *testing.T) {
	r := build(t, "+@all", "-flushall", "~a*", "%R~r*", "&c*", "(+get ~z)")
	for _, line := range []string{"GET a1", "SET a1 v", "SET a1 v GET", "MSET a1 v a2 v", "ZUNIONSTORE a1 2 r1 r2", "PUBLISH c1 m", "GET z", "GET other"} {
		c := call(line)
		row, err := command.Commands.Find(c)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { r.Check(row, c) }); n != 0 {
			t.Errorf("%s: %v allocations", line, n)
		}
	}
}
