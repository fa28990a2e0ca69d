package command

import (
	"slices"
	"testing"

	"github.com/redbud-go/redbud/internal/engine"
)

func TestNamesAreOfCommandsThatExist(t *testing.T) {
	for name := range names {
		if Commands.Named([]byte(name)) == nil {
			t.Errorf("names has %s, the table has not", name)
		}
	}
}

func TestOnlyWhatConcernsForeignKeysSaysNothingOfNames(t *testing.T) {
	var unknown []string
	Commands.Each(func(c *Command) {
		if c.Flags&Session == 0 && !c.NamesKnown() {
			unknown = append(unknown, c.FullName())
		}
	})
	if want := []string{"swapdb", "slowlog|get", "save", "bgsave", "debug"}; !slices.Equal(unknown, want) {
		t.Errorf("of %v it is not known where names stand, want %v: names.go has to say it, or that there are none", unknown, want)
	}
}

func TestOptionsAreFoundWhereverTheyStand(t *testing.T) {
	row := func(name string) *Names { return Commands.Lookup([]byte(name)).Names() }
	for _, c := range []struct {
		call  []string
		globs []int
		made  []int
	}{
		{[]string{"scan", "0"}, nil, nil},
		{[]string{"SCAN", "0", "COUNT", "1", "Match", "a*", "TYPE", "match", "match", "b"}, []int{5, 9}, nil},
		{[]string{"scan", "0", "match"}, nil, nil},
		{[]string{"sort", "k", "BY", "w_*", "LIMIT", "0", "1", "GET", "#", "get", "o_*->f", "store", "by", "by", "nosort"}, nil, []int{3, 10}},
		{[]string{"sort_ro", "by", "by", "*", "get", "get", "get", "*"}, nil, []int{3, 7}},
		{[]string{"sort", "k", "get"}, nil, nil},
	} {
		var call engine.Call
		for _, word := range c.call {
			call = append(call, []byte(word))
		}
		var globs, made []int
		n := row(Commands.Lookup(call[0]).Name)
		n.EachGlob(call, func(i int) { globs = append(globs, i) })
		n.EachTemplate(call, func(i int) { made = append(made, i) })
		if !slices.Equal(globs, c.globs) || !slices.Equal(made, c.made) {
			t.Errorf("%q has globs at %v and templates at %v, want %v and %v", c.call, globs, made, c.globs, c.made)
		}
	}
}

func TestAQuotedKeyIsFound(t *testing.T) {
	for text, want := range map[string]string{
		"NOGROUP No such key 'k' or consumer group 'g'":       "k' or consumer group 'g'",
		"NOGROUP No such consumer group 'g' for key name 'k'": "k'",
		"ERR no such key": "",
	} {
		got := ""
		if at := QuotedKey([]byte(text)); at >= 0 {
			got = text[at:]
		}
		if got != want {
			t.Errorf("in %q the key begins at %q, want %q", text, got, want)
		}
	}
}
