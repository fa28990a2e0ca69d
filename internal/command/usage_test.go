package command

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// show writes a tree of arguments in one line: type:name, TOKEN= before it, ? * ** behind it.
func show(args []Argument) string {
	var out []string
	for _, a := range args {
		s := a.Type + ":" + a.Name
		if a.Token != "" {
			s = a.Token + "=" + s
		}
		if a.Args != nil {
			s += "(" + show(a.Args) + ")"
		}
		for _, flag := range a.flags() {
			s += map[string]string{"optional": "?", "multiple": "*", "multiple_token": "*"}[flag]
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestUsageIsReadAsATreeOfArguments(t *testing.T) {
	for usage, want := range map[string]string{
		"":                                       "",
		"key":                                    "key:key",
		"key [key ...]":                          "key:key*",
		"[section [section ...]]":                "string:section?*",
		"key value [key value ...]":              "block:key(key:key string:value)*",
		"key [NX | XX]":                          "key:key oneof:choice(NX=pure-token:nx XX=pure-token:xx)?",
		"[ASYNC | SYNC]":                         "oneof:choice(ASYNC=pure-token:async SYNC=pure-token:sync)?",
		"key [EX seconds | PERSIST]":             "key:key oneof:choice(EX=integer:seconds PERSIST=pure-token:persist)?",
		"key <BEFORE | AFTER> pivot":             "key:key oneof:choice(BEFORE=pure-token:before AFTER=pure-token:after) string:pivot",
		"[LIMIT offset count]":                   "LIMIT=block:limit(integer:offset integer:count)?",
		"[COUNT count [ANY]]":                    "block:count(COUNT=integer:count ANY=pure-token:any?)?",
		"[GET pattern [GET pattern ...]]":        "GET=pattern:pattern?**",
		"[WEIGHTS weight [weight ...]]":          "WEIGHTS=double:weight?*",
		"[AGGREGATE <SUM | MIN>]":                "AGGREGATE=oneof:choice(SUM=pure-token:sum MIN=pure-token:min)?",
		"[INCR] score member [score member ...]": "INCR=pure-token:incr? block:score(double:score string:member)*",
		"[protover [AUTH username password] [SETNAME clientname]]": "block:protover(integer:protover " +
			"AUTH=block:auth(string:username string:password)? SETNAME=string:clientname?)?",
		"[FILTERBY <MODULE module-name | PATTERN pattern>]": "FILTERBY=oneof:choice(MODULE=string:module-name PATTERN=pattern:pattern)?",
	} {
		if got := show(parseUsage(usage)); got != want {
			t.Errorf("%q\n got %s\nwant %s", usage, got, want)
		}
	}
}

func TestEveryRowsUsageIsWellFormed(t *testing.T) {
	Commands.Each(func(c *Command) {
		words := usageWords(c.Usage)
		depth := 0
		for _, w := range words {
			switch w {
			case "[", "<":
				depth++
			case "]", ">":
				depth--
			}
		}
		if depth != 0 {
			t.Errorf("%s: brackets of %q do not match", c.FullName(), c.Usage)
		}
		if tree := show(c.Arguments()); strings.Contains(tree, "none") || strings.Contains(tree, "...") {
			t.Errorf("%s: %q is read as %s", c.FullName(), c.Usage, tree)
		}
	})
}

func TestNoUsageMakesTheParserPanic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.SampledFrom([]string{"[", "]", "<", ">", "|", "...", "key", "value", "TOKEN", "é", "\x00"})).Draw(t, "words")
		if args := parseUsage(strings.Join(words, " ")); len(args) > len(words) {
			t.Fatalf("%d arguments of %d words", len(args), len(words))
		}
	})
	if args := parseUsage(strings.Repeat("[", 100000)); len(args) > 1 {
		t.Fatal("brackets alone are arguments")
	}
}
