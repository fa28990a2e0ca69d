// Patterns of Lua 5.1. They may take for ever, so every step counts as an instruction.

package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

const (
	maxCaptures = 32
	// maxPatternDepth bounds the Go stack: an item of a pattern may take a call.
	maxPatternDepth = 100000

	captureOpen     = -1
	capturePosition = -2
)

// matcher matches one subject against one pattern.
type matcher struct {
	state    *state
	L        *lua.LState
	s, p     string
	level    int
	depth    int
	captures [maxCaptures]struct{ start, len int }
}

// fail raises an error.
func (m *matcher) fail(text string) { raise(m.L, text) }

// classEnd returns the index behind the single-character class at p.
func (m *matcher) classEnd(p int) int {
	c := m.p[p]
	p++
	switch c {
	case '%':
		if p >= len(m.p) {
			m.fail("malformed pattern (ends with '%')")
		}
		return p + 1
	case '[':
		if p < len(m.p) && m.p[p] == '^' {
			p++
		}
		for first := true; first || p >= len(m.p) || m.p[p] != ']'; first = false {
			if p >= len(m.p) {
				m.fail("malformed pattern (missing ']')")
			}
			c := m.p[p]
			p++
			if c == '%' && p < len(m.p) {
				p++
			}
		}
		return p + 1
	}
	return p
}

// inClass reports whether a byte is in a class like %a.
func inClass(c, class byte) bool {
	var in bool
	switch class | 0x20 {
	case 'a':
		in = isAlpha(c)
	case 'c':
		in = c < 32 || c == 127
	case 'd':
		in = '0' <= c && c <= '9'
	case 'l':
		in = 'a' <= c && c <= 'z'
	case 'p':
		in = 32 < c && c < 127 && !isAlpha(c) && !('0' <= c && c <= '9')
	case 's':
		in = c == ' ' || '\t' <= c && c <= '\r'
	case 'u':
		in = 'A' <= c && c <= 'Z'
	case 'w':
		in = isAlpha(c) || '0' <= c && c <= '9'
	case 'x':
		in = '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
	case 'z':
		in = c == 0
	default:
		return class == c
	}
	if !isAlpha(class) {
		return class == c
	}
	return in != ('A' <= class && class <= 'Z')
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// inSet reports whether a byte is in the set m.p[p:end], brackets included.
func (m *matcher) inSet(c byte, p, end int) bool {
	in := true
	p++
	if m.p[p] == '^' {
		in = false
		p++
	}
	for last := end - 1; p < last; p++ {
		switch {
		case m.p[p] == '%':
			p++
			if inClass(c, m.p[p]) {
				return in
			}
		case p+2 < last && m.p[p+1] == '-':
			if m.p[p] <= c && c <= m.p[p+2] {
				return in
			}
			p += 2
		case m.p[p] == c:
			return in
		}
	}
	return !in
}

// single reports whether the byte at s is in the class m.p[p:end].
func (m *matcher) single(s, p, end int) bool {
	c := m.s[s]
	switch m.p[p] {
	case '.':
		return true
	case '%':
		return inClass(c, m.p[p+1])
	case '[':
		return m.inSet(c, p, end)
	}
	return m.p[p] == c
}

// match matches the rest of the pattern from p at s and returns where the match ends, or -1.
func (m *matcher) match(s, p int) int {
	if m.depth++; m.depth > maxPatternDepth {
		m.fail("pattern too complex")
	}
	end := m.matchHere(s, p)
	m.depth--
	return end
}

func (m *matcher) matchHere(s, p int) int {
	for {
		m.state.meter.spend(1)
		if p == len(m.p) {
			return s
		}
		switch m.p[p] {
		case '(':
			if p+1 < len(m.p) && m.p[p+1] == ')' {
				return m.open(s, p+2, capturePosition)
			}
			return m.open(s, p+1, captureOpen)
		case ')':
			return m.close(s, p+1)
		case '$':
			if p+1 == len(m.p) {
				if s == len(m.s) {
					return s
				}
				return -1
			}
		case '%':
			if p+1 < len(m.p) {
				next, done, ok := m.special(s, p)
				if !ok {
					return -1
				}
				if done {
					s, p = next, p+2
					if m.p[p-1] == 'b' {
						p += 2
					} else if m.p[p-1] == 'f' {
						p = m.classEnd(p)
					}
					continue
				}
			}
		}
		end := m.classEnd(p)
		suffix := byte(0)
		if end < len(m.p) {
			suffix = m.p[end]
		}
		switch suffix {
		case '?':
			if s < len(m.s) && m.single(s, p, end) {
				if e := m.match(s+1, end+1); e >= 0 {
					return e
				}
			}
			p = end + 1
		case '*':
			return m.most(s, p, end, 0)
		case '+':
			return m.most(s, p, end, 1)
		case '-':
			return m.least(s, p, end)
		default:
			if s >= len(m.s) || !m.single(s, p, end) {
				return -1
			}
			s, p = s+1, end
		}
	}
}

// special matches %b, %f and %1 at p. done is false if p is none of them, ok if nothing matches.
func (m *matcher) special(s, p int) (next int, done, ok bool) {
	switch c := m.p[p+1]; {
	case c == 'b':
		next = m.balanced(s, p+2)
		return next, true, next >= 0
	case c == 'f':
		p += 2
		if p >= len(m.p) || m.p[p] != '[' {
			m.fail("missing '[' after '%f' in pattern")
		}
		end := m.classEnd(p)
		var before, here byte
		if s > 0 {
			before = m.s[s-1]
		}
		if s < len(m.s) {
			here = m.s[s]
		}
		return s, true, !m.inSet(before, p, end) && m.inSet(here, p, end)
	case '0' <= c && c <= '9':
		next = m.back(s, c)
		return next, true, next >= 0
	}
	return 0, false, true
}

// balanced matches %bxy, whose x is at p.
func (m *matcher) balanced(s, p int) int {
	if p+1 >= len(m.p) {
		m.fail("unbalanced pattern")
	}
	if s >= len(m.s) || m.s[s] != m.p[p] {
		return -1
	}
	open, shut, depth := m.p[p], m.p[p+1], 1
	for i := s + 1; i < len(m.s); i++ {
		switch c := m.s[i]; {
		case c == shut:
			if depth--; depth == 0 {
				m.state.meter.spend((i - s) / 16)
				return i + 1
			}
		case c == open:
			depth++
		}
	}
	m.state.meter.spend((len(m.s) - s) / 16)
	return -1
}

// back matches what an earlier capture has matched.
func (m *matcher) back(s int, digit byte) int {
	i := int(digit) - '1'
	if i < 0 || i >= m.level || m.captures[i].len == captureOpen {
		m.fail("invalid capture index")
	}
	c := m.captures[i]
	if c.len < 0 {
		return -1
	}
	text := m.s[c.start : c.start+c.len]
	if !strings.HasPrefix(m.s[s:], text) {
		return -1
	}
	return s + len(text)
}

// most matches as many as it can of a class, and at least some.
func (m *matcher) most(s, p, end, some int) int {
	n := 0
	for s+n < len(m.s) && m.single(s+n, p, end) {
		n++
	}
	m.state.meter.spend(n / 4)
	for ; n >= some; n-- {
		if e := m.match(s+n, end+1); e >= 0 {
			return e
		}
	}
	return -1
}

// least matches as few as it can of a class.
func (m *matcher) least(s, p, end int) int {
	for {
		if e := m.match(s, end+1); e >= 0 {
			return e
		}
		if s >= len(m.s) || !m.single(s, p, end) {
			return -1
		}
		s++
	}
}

// open starts a capture.
func (m *matcher) open(s, p, kind int) int {
	if m.level >= maxCaptures {
		m.fail("too many captures")
	}
	m.captures[m.level].start, m.captures[m.level].len = s, kind
	m.level++
	e := m.match(s, p)
	if e < 0 {
		m.level--
	}
	return e
}

// close ends the innermost open capture.
func (m *matcher) close(s, p int) int {
	i := m.level - 1
	for i >= 0 && m.captures[i].len != captureOpen {
		i--
	}
	if i < 0 {
		m.fail("invalid pattern capture")
	}
	m.captures[i].len = s - m.captures[i].start
	e := m.match(s, p)
	if e < 0 {
		m.captures[i].len = captureOpen
	}
	return e
}

// capture returns what capture i holds; the whole match from s to e, if the pattern has none.
func (m *matcher) capture(i, s, e int) lua.LValue {
	if i >= m.level {
		if i != 0 {
			m.fail("invalid capture index")
		}
		return lua.LString(m.s[s:e])
	}
	c := m.captures[i]
	switch c.len {
	case captureOpen:
		m.fail("unfinished capture")
	case capturePosition:
		return lua.LNumber(c.start + 1)
	}
	return lua.LString(m.s[c.start : c.start+c.len])
}

// push pushes all captures, or the whole match if there are none and whole is set.
func (m *matcher) push(s, e int, whole bool) int {
	n := m.level
	if n == 0 && whole {
		n = 1
	}
	for i := range n {
		m.L.Push(m.capture(i, s, e))
	}
	return n
}

// find is string.find and string.match.
func (s *state) find(L *lua.LState, find bool) int {
	subject, pattern := stringArg(L, 1), stringArg(L, 2)
	start := optInteger(L, 3, 1)
	if start < 0 {
		if start += len(subject) + 1; start < 0 {
			start = 0
		}
	}
	start--
	if start < 0 {
		start = 0
	} else if start > len(subject) {
		start = len(subject)
	}
	if find && (lua.LVAsBool(L.Get(4)) || !strings.ContainsAny(pattern, "^$*+?.([%-")) {
		s.meter.spend((len(subject) - start) / 64)
		i := strings.Index(subject[start:], pattern)
		if i < 0 {
			L.Push(lua.LNil)
			return 1
		}
		L.Push(lua.LNumber(start + i + 1))
		L.Push(lua.LNumber(start + i + len(pattern)))
		return 2
	}
	m := &matcher{state: s, L: L, s: subject, p: pattern}
	p := 0
	if strings.HasPrefix(pattern, "^") {
		p = 1
	}
	for at := start; ; at++ {
		m.level = 0
		if e := m.match(at, p); e >= 0 {
			if !find {
				return m.push(at, e, true)
			}
			L.Push(lua.LNumber(at + 1))
			L.Push(lua.LNumber(e))
			return 2 + m.push(at, e, false)
		}
		if at >= len(subject) || p == 1 {
			break
		}
	}
	L.Push(lua.LNil)
	return 1
}

// gmatch returns an iterator over the matches.
func (s *state) gmatch(L *lua.LState) int {
	subject, pattern := stringArg(L, 1), stringArg(L, 2)
	at := 0
	L.Push(L.NewFunction(func(L *lua.LState) int {
		m := &matcher{state: s, L: L, s: subject, p: pattern}
		for ; at <= len(subject); at++ {
			m.level = 0
			e := m.match(at, 0)
			if e < 0 {
				continue
			}
			from := at
			if at = e; e == from {
				at++
			}
			return m.push(from, e, true)
		}
		return 0
	}))
	return 1
}

// gsub replaces matches.
func (s *state) gsub(L *lua.LState) int {
	subject, pattern := stringArg(L, 1), stringArg(L, 2)
	replacement := L.Get(3)
	switch replacement.Type() {
	case lua.LTString, lua.LTNumber, lua.LTTable, lua.LTFunction:
	default:
		argError(L, 3, "string/function/table expected")
	}
	most := optInt(L, 4, len(subject)+1)
	p := 0
	if strings.HasPrefix(pattern, "^") {
		p = 1
	}
	m := &matcher{state: s, L: L, s: subject, p: pattern}
	var b strings.Builder
	n, at := 0, 0
	for n < most {
		m.level = 0
		e := m.match(at, p)
		if e >= 0 {
			n++
			before := b.Len()
			m.replace(&b, replacement, at, e)
			s.grow(L, b.Len(), b.Len()-before)
		}
		switch {
		case e > at:
			at = e
		case at < len(subject):
			b.WriteByte(subject[at])
			at++
		default:
			at = len(subject) + 1
		}
		if at > len(subject) || p == 1 {
			break
		}
	}
	if at < len(subject) {
		b.WriteString(subject[at:])
	}
	L.Push(lua.LString(b.String()))
	L.Push(lua.LNumber(n))
	return 2
}

// replace appends what stands for the match from s to e.
func (m *matcher) replace(b *strings.Builder, replacement lua.LValue, s, e int) {
	var v lua.LValue
	switch r := replacement.(type) {
	case *lua.LTable:
		v = m.L.GetTable(r, m.capture(0, s, e))
	case *lua.LFunction:
		m.L.Push(r)
		level, captures := m.level, m.captures
		m.L.Call(m.push(s, e, true), 1)
		m.level, m.captures = level, captures
		v = m.L.Get(-1)
		m.L.Pop(1)
	default:
		m.expand(b, m.state.toString(r), s, e)
		return
	}
	switch {
	case lua.LVIsFalse(v):
		b.WriteString(m.s[s:e])
	case isStringOrNumber(v):
		b.WriteString(m.state.toString(v))
	default:
		m.fail("invalid replacement value (a " + v.Type().String() + ")")
	}
}

// expand appends a replacement text, with its %1 filled in.
func (m *matcher) expand(b *strings.Builder, text string, s, e int) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '%' {
			b.WriteByte(c)
			continue
		}
		i++
		if i >= len(text) {
			b.WriteByte(0)
			return
		}
		switch c = text[i]; {
		case c < '0' || c > '9':
			b.WriteByte(c)
		case c == '0':
			b.WriteString(m.s[s:e])
		default:
			v := m.capture(int(c-'1'), s, e)
			m.state.grow(m.L, b.Len()+e-s, 0)
			b.WriteString(m.state.toString(v))
		}
	}
}
