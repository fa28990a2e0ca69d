package acl

import (
	"bytes"
	"slices"
	"strings"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// selector is one set of permissions. Whoever has several may make a call that any of them allows as a whole.
type selector struct {
	commands bitset
	future   bool             // commands that are not known yet are allowed
	words    map[int][]string // by command: the first arguments with which it is allowed though its bit is not set
	rules    []string         // what was said of commands since +@all or -@all, in order: "+get", "-@string"

	allKeys     bool
	keys        []keyPattern
	allChannels bool
	channels    [][]byte
}

// keyPattern is a glob pattern with what may be done with the keys that match.
type keyPattern struct {
	pattern []byte
	access  command.Access
}

const fullAccess = command.Reads | command.Writes

// bitset is a set of rows, by their index.
type bitset []uint64

func newBitset() bitset { return make(bitset, (command.Commands.Rows()+63)/64) }

func (b bitset) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

func (b bitset) set(i int, on bool) {
	if on {
		b[i/64] |= 1 << (i % 64)
	} else {
		b[i/64] &^= 1 << (i % 64)
	}
}

// fill makes the set empty, or one of all rows.
func (b bitset) fill(on bool) {
	for i := range command.Commands.Rows() {
		b.set(i, on)
	}
}

// everyRow is the set of all rows.
var everyRow = func() bitset {
	b := newBitset()
	b.fill(true)
	return b
}()

// categories are the rows that a rule on a category concerns: those in it, and the subcommands of those.
var categories = func() map[string][]*command.Command {
	byName := map[string][]*command.Command{}
	for _, name := range command.Categories {
		byName[name] = nil
	}
	command.Commands.Each(func(row *command.Command) {
		for _, name := range row.Categories() {
			byName[name] = append(byName[name], withSubs(row)...)
		}
	})
	return byName
}()

// withSubs is a row and those of its subcommands.
func withSubs(row *command.Command) []*command.Command {
	return append([]*command.Command{row}, row.Subs...)
}

func newSelector(allChannels bool) *selector {
	return &selector{commands: newBitset(), allChannels: allChannels}
}

// everything reports whether the selector allows all there is and will be.
func (s *selector) everything() bool {
	return s.future && s.allKeys && s.allChannels && slices.Equal(s.commands, everyRow)
}

// denies tells what of a call the selector does not allow, and at which word.
func (s *selector) denies(row *command.Command, call engine.Call) Denial {
	if !s.commands.has(row.Index()) && row.Flags&command.NoAuth == 0 && !s.allowsWord(row, call) {
		return Denial{Reason: Command}
	}
	if !s.allKeys {
		at := -1
		row.EachKey(call, func(i int, a command.Access) {
			if at < 0 && !s.allowsKey(call[i], a) {
				at = i
			}
		})
		if at >= 0 {
			return Denial{Key, at}
		}
	}
	if first, last, patterns := row.Channels(); first > 0 && !s.allChannels {
		if last < 0 {
			last += len(call)
		}
		for i := first; i <= last && i < len(call); i++ {
			if !s.allowsChannel(call[i], patterns) {
				return Denial{Channel, i}
			}
		}
	}
	return Denial{}
}

// allowsWord reports whether a command is allowed with just this first argument.
func (s *selector) allowsWord(row *command.Command, call engine.Call) bool {
	words := s.words[row.Index()]
	return len(words) > 0 && len(call) > 1 && slices.Contains(words, lower(string(call[1])))
}

func (s *selector) allowsKey(key []byte, a command.Access) bool {
	for i := range s.keys {
		if p := &s.keys[i]; p.access&a == a && command.Match(p.pattern, key) {
			return true
		}
	}
	return false
}

// allowsChannel reports whether a channel matches. A pattern must be among the selector's own, since it stands for channels that
// nobody has named.
func (s *selector) allowsChannel(channel []byte, pattern bool) bool {
	for _, p := range s.channels {
		if pattern && bytes.Equal(channel, p) || !pattern && command.Match(p, channel) {
			return true
		}
	}
	return false
}

// readsAll reports whether all keys may be read.
func (s *selector) readsAll() bool {
	return s.allKeys || slices.ContainsFunc(s.keys, func(p keyPattern) bool {
		return string(p.pattern) == "*" && p.access&command.Reads != 0
	})
}

// Description of what a selector allows, in rules as ACL SETUSER takes them.
type Description struct{ Commands, Keys, Channels string }

// describe describes the selector. terse leaves out rules that change nothing, as Redis 7.0 does.
func (s *selector) describe(terse bool) Description {
	d := Description{Commands: "-@all", Keys: "~*", Channels: "&*"}
	if s.future {
		d.Commands = "+@all"
	}
	rules := s.rules
	if terse {
		rules = s.needed()
	}
	d.Commands = strings.Join(append([]string{d.Commands}, rules...), " ")
	if !s.allKeys {
		var keys []string
		for _, p := range s.keys {
			keys = append(keys, p.String())
		}
		d.Keys = strings.Join(keys, " ")
	}
	if !s.allChannels {
		var channels []string
		for _, c := range s.channels {
			channels = append(channels, "&"+string(c))
		}
		d.Channels = strings.Join(channels, " ")
	}
	return d
}

func (p keyPattern) String() string {
	switch {
	case p.access == command.Reads:
		return "%R~" + string(p.pattern)
	case p.access == command.Writes:
		return "%W~" + string(p.pattern)
	case string(p.pattern) == "*": // "~*" would drop the patterns before it, and allow none behind
		return "%RW~*"
	}
	return "~" + string(p.pattern)
}

// line is the selector as one text, in the order in which Redis has it.
func (s *selector) line(terse bool) string {
	d := s.describe(terse)
	if !s.allChannels {
		d.Channels = strings.TrimSuffix("resetchannels "+d.Channels, " ")
	}
	return strings.TrimPrefix(d.Keys+" "+d.Channels+" "+d.Commands, " ")
}

// quoted is a line between parentheses, where words are quoted that would otherwise be read as others.
func quoted(line string) string {
	words := strings.Split(line, " ")
	for i, w := range words {
		if strings.ContainsFunc(w, func(r rune) bool { return r < '!' || r > '~' || strings.ContainsRune(`"'()`, r) }) {
			words[i] = string(resp.AppendQuoted(nil, []byte(w)))
		}
	}
	return "(" + strings.Join(words, " ") + ")"
}

// needed are the rules without those whose rows are as they would be anyway: as they were before, or decided by a later rule.
func (s *selector) needed() []string {
	if len(s.rules) == 0 {
		return nil
	}
	last := make([]int, command.Commands.Rows()) // rule that speaks of a row last, from 1
	concerns := make([][]*command.Command, len(s.rules))
	for i, rule := range s.rules {
		if concerns[i] = rowsOf(rule[1:]); wordOf(rule[1:]) == "" {
			for _, row := range concerns[i] {
				last[row.Index()] = i + 1
			}
		}
	}
	var kept []string
	now := newBitset()
	now.fill(s.future)
	for i, rule := range s.rules {
		allow, word := rule[0] == '+', wordOf(rule[1:])
		if slices.ContainsFunc(concerns[i], func(row *command.Command) bool {
			at := row.Index()
			if word != "" {
				return last[at] <= i && !now.has(at)
			}
			return last[at] == i+1 && now.has(at) != allow
		}) {
			kept = append(kept, rule)
			for _, row := range concerns[i] {
				if word == "" {
					now.set(row.Index(), allow)
				}
			}
		}
	}
	return kept
}

// rowsOf are the rows that a rule concerns, which is known to be right.
func rowsOf(name string) []*command.Command {
	if category, ok := strings.CutPrefix(name, "@"); ok {
		return categories[category]
	}
	if row := command.Commands.Named([]byte(name)); row != nil {
		return withSubs(row)
	}
	name, _, _ = strings.Cut(name, "|")
	if row := command.Commands.Named([]byte(name)); row != nil {
		return []*command.Command{row}
	}
	return nil // of Redis's alone
}

// wordOf is the first argument that a rule on a command without subcommands has; "" if it has none.
func wordOf(name string) string {
	if command.Commands.Named([]byte(name)) != nil {
		return ""
	}
	_, word, _ := strings.Cut(name, "|")
	return word
}

// InCategory are the names of the commands in a category, which is given in any case; ok is false if there is none.
func InCategory(category string) (names []string, ok bool) {
	category = lower(category)
	if _, ok = categories[category]; !ok {
		return nil, false
	}
	command.Commands.Each(func(row *command.Command) {
		if slices.Contains(row.Categories(), category) {
			names = append(names, row.FullName())
		}
	})
	return names, true
}
