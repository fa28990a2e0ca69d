// Names and literals: whatever a program calls itself and its parts, or spells out, is nothing but that in Lua.

package luagen

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reserved are the words of Lua, and what programs use of what Redis gives them.
var reserved = strings.Fields(`and break do else elseif end false for function goto if in local nil not or repeat return then true until while
	ARGV KEYS ipairs math redis setmetatable string`)

// names gives what a program names a name of its own each.
type names map[string]bool

// maxName is how much of a name is kept.
const maxName = 60

// take returns a name that nothing else has, as close to the one that is wanted as Lua allows.
func (taken names) take(want string) string {
	name := strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '_'
	}, want)
	if name == "" || name[0] >= '0' && name[0] <= '9' || name == "_" {
		name = "_" + name
	}
	if len(name) > maxName {
		name = name[:maxName]
	}
	free := name
	for i := 2; taken[free]; i++ {
		free = fmt.Sprintf("%s_%d", name, i)
	}
	taken[free] = true
	return free
}

// comment is a text that stays within its line, behind what begins a comment.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != utf8.RuneError {
			return r
		}
		return '?'
	}, s)
}

// quote is the literal of a string of any bytes. What people can read stays as it is.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(s[0])
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsPrint(r) && (r != utf8.RuneError || size > 1):
			b.WriteString(s[:size])
		default:
			for i := range size {
				fmt.Fprintf(&b, `\%03d`, s[i])
			}
		}
		s = s[size:]
	}
	b.WriteByte('"')
	return b.String()
}
