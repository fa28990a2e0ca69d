// Random calls on streams, and what of their answers depends on the clock.
package enginetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redbud-go/redbud/internal/resp"
)

// streamArgument draws a value for an argument of a command on streams; ok is false if it has none of its own.
func (d *drawer) streamArgument(name string) (word string, ok bool) {
	switch name {
	case "id":
		return d.idFor(), true
	case "threshold":
		if d.trim == "MINID" {
			return d.oldID(), true
		}
		return d.between(0, 60), true
	case "start", "end":
		return d.one("-", "+", d.oldID(), d.oldID(), "("+d.oldID()), true
	case "last-id":
		d.entries += d.IntN(3) // Redis 7.0 would take one that is too small
		return fmt.Sprint(d.entries, "-3"), true
	case "lastid", "max-deleted-id":
		return d.oldID(), true
	case "group":
		return d.one("g1", "g1", "g2"), true
	case "consumer":
		return d.one("c1", "c2", "c3", ""), true
	case "min-idle-time": // nothing is drawn that time could decide
		return d.one("0", "0", "-1", "1000000000"), true
	case "ms":
		return d.one("0", "5000", "-7", "2000000000"), true
	case "unix-time-milliseconds":
		return d.one("0", "1", "33177117420000"), true
	case "entries-read":
		return d.between(-1, 40), true
	case "entries-added":
		return d.between(0, 2000), true
	}
	return "", false
}

// idFor draws an id that means something to the command.
func (d *drawer) idFor() string {
	switch d.row.Name {
	case "xadd":
		if d.IntN(12) == 0 {
			return d.oldID()
		}
		if d.IntN(4) == 0 {
			return fmt.Sprint(d.entries, "-*")
		}
		d.entries++
		return fmt.Sprint(d.entries, d.one("", "-0", "-0", "-1"))
	case "xread":
		return d.one("$", "0", d.oldID(), d.oldID())
	case "xreadgroup":
		return d.one(">", ">", ">", "0", d.oldID())
	case "create", "setid":
		return d.one("0", d.oldID(), d.oldID())
	}
	return d.oldID()
}

// oldID draws an id near those that were added last.
func (d *drawer) oldID() string {
	ms := max(d.entries-d.IntN(2)*d.IntN(15), 0)
	return fmt.Sprint(ms, d.one("", "-0", "-0", "-1"))
}

// timeless is a reply about streams without what the clock and the version of Redis decide: idle times, and how many
// consumers there are, since 7.2 counts one as soon as it asks. Nor has it the sizes of the radix tree, in which Redis keeps
// some nodes that are empty.
func timeless(words []string, v *resp.Value) *resp.Value {
	c := *v
	c.Elems = slices.Clone(v.Elems)
	if len(words) > 1 && strings.EqualFold(words[1], "stream") && len(c.Elems) > 5 {
		c.Elems[3].Int, c.Elems[5].Int = 0, 0
	}
	for i := range c.Elems {
		e := &c.Elems[i]
		switch {
		case strings.EqualFold(words[0], "xpending") && len(words) > 3 && len(e.Elems) == 4:
			e.Elems = slices.Clone(e.Elems)
			e.Elems[2].Int = 0
		case len(words) > 1 && strings.EqualFold(words[1], "groups") && len(e.Elems) > 4:
			e.Elems = slices.Clone(e.Elems)
			e.Elems[3].Int = 0
		}
	}
	return &c
}
