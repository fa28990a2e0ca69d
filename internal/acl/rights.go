package acl

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
)

// Reason is why something is refused.
type Reason uint8

// The reasons. Of several selectors' reasons the highest is told.
const (
	Allowed Reason = iota
	Command        // the command
	Key            // a key that it names
	Login          // a password
	Channel        // a channel that it names
)

func (r Reason) String() string {
	return [...]string{"allowed", "command", "key", "auth", "channel"}[r]
}

// Denial is what a user may not do of a call: the command, or what the word at At is for it. The zero Denial is none.
type Denial struct {
	Reason Reason
	At     int
}

// Rights are what a user may do, and how one proves to be the user. They never change: a user gets others.
type Rights struct {
	on        bool
	noPass    bool
	sanitize  sanitize
	passwords []digest
	selectors []*selector // the first one is the user's own
	all       bool        // a selector allows everything
}

// sanitize is what was said of the payloads of RESTORE. They are always checked, so it is only remembered.
type sanitize uint8

const (
	sanitizeUnsaid sanitize = iota
	sanitizeNever
	sanitizeAlways
)

// digest is the SHA-256 of a password.
type digest [sha256.Size]byte

// rightsOfNobody are those of who is new, or deleted.
func rightsOfNobody(allChannels bool) *Rights {
	return &Rights{selectors: []*selector{newSelector(allChannels)}}
}

// Everything reports whether nothing is denied, whatever the call.
func (r *Rights) Everything() bool { return r.all }

// Check tells whether a call, which fits its row, is denied. row is nil for a command that is not in the table: only who may do
// everything may call it.
func (r *Rights) Check(row *command.Command, call engine.Call) Denial {
	if r.all {
		return Denial{}
	}
	told := Denial{Reason: Command}
	if row == nil {
		return told
	}
	for _, s := range r.selectors {
		d := s.denies(row, call)
		if d.Reason == Allowed {
			return d
		}
		if d.Reason > told.Reason || d.Reason == told.Reason && d.At > told.At {
			told = d
		}
	}
	return told
}

// ReadsAll reports whether the call may read keys that it does not name: a selector that allows it allows all keys to be read.
func (r *Rights) ReadsAll(row *command.Command, call engine.Call) bool {
	return r.all || slices.ContainsFunc(r.selectors, func(s *selector) bool {
		return s.readsAll() && s.denies(row, call).Reason == Allowed
	})
}

// Hears reports whether who listens to a channel, or a pattern, may go on.
func (r *Rights) Hears(channel []byte, pattern bool) bool {
	return slices.ContainsFunc(r.selectors, func(s *selector) bool { return s.allChannels || s.allowsChannel(channel, pattern) })
}

// keepsChannels reports whether all that who had the rights was may listen to is still allowed, as far as that can be told from
// the patterns alone.
func (r *Rights) keepsChannels(was *Rights) bool {
	has := map[string]bool{}
	for _, s := range r.selectors {
		if s.allChannels {
			return true
		}
		for _, c := range s.channels {
			has[string(c)] = true
		}
	}
	for _, s := range was.selectors {
		if s.allChannels || slices.ContainsFunc(s.channels, func(c []byte) bool { return !has[string(c)] }) {
			return false
		}
	}
	return true
}

// Enabled reports whether anybody can become the user.
func (r *Rights) Enabled() bool { return r.on }

// Open reports whether anybody is the user without being asked for a password.
func (r *Rights) Open() bool { return r.on && r.noPass }

// NoPass reports whether any password is right.
func (r *Rights) NoPass() bool { return r.noPass }

// Flags are the user's flags by the words that set them.
func (r *Rights) Flags() []string {
	flags := []string{"off"}
	if r.on {
		flags[0] = "on"
	}
	if r.noPass {
		flags = append(flags, "nopass")
	}
	switch r.sanitize {
	case sanitizeNever:
		flags = append(flags, "skip-sanitize-payload")
	case sanitizeAlways:
		flags = append(flags, "sanitize-payload")
	}
	return flags
}

// Passwords are the SHA-256 of the user's passwords, in hexadecimal.
func (r *Rights) Passwords() []string {
	list := make([]string, len(r.passwords))
	for i, p := range r.passwords {
		list[i] = hex.EncodeToString(p[:])
	}
	return list
}

// Selectors describe what the user may do; the first one is the user's own. terse leaves out rules that change nothing.
func (r *Rights) Selectors(terse bool) []Description {
	list := make([]Description, len(r.selectors))
	for i, s := range r.selectors {
		list[i] = s.describe(terse)
	}
	return list
}

// Line is the rules that make these rights of those of nobody.
func (r *Rights) Line(terse bool) string {
	words := r.Flags()
	for _, p := range r.Passwords() {
		words = append(words, "#"+p)
	}
	for i, s := range r.selectors {
		line := s.line(terse)
		if i > 0 {
			line = quoted(line)
		}
		words = append(words, line)
	}
	return strings.Join(words, " ")
}
