// The tokens of Lua 5.1. gopher-lua reads more than that (goto, labels, operators on bits) and says what is wrong in other words.

package lua

import (
	"strconv"
	"strings"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenString
	tokenNumber
	tokenWord   // a reserved word
	tokenSymbol // anything else
)

// token is one, with its text: the value of a string, the digits of a number.
type token struct {
	kind   tokenKind
	text   string
	number float64
	raw    string // as an error quotes it
}

// is reports whether a token is a reserved word or a symbol.
func (t token) is(text string) bool {
	return (t.kind == tokenWord || t.kind == tokenSymbol) && t.text == text
}

func isReserved(name string) bool {
	switch name {
	case "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil", "not", "or", "repeat",
		"return", "then", "true", "until", "while":
		return true
	}
	return false
}

// lexer reads source. Its errors are panics with a syntaxError, which compile recovers.
type lexer struct {
	name string
	s    string
	pos  int
	line int
}

// fail ends with an error near a text; without one, if near is empty.
func (x *lexer) fail(text, near string) {
	text = x.name + ":" + strconv.Itoa(x.line) + ": " + text
	if near != "" {
		text += " near '" + cString(near) + "'"
	}
	panic(syntaxError(text))
}

// endOfFile is how errors quote the end.
const endOfFile = "<eof>"

func (x *lexer) peek(i int) byte {
	if x.pos+i < len(x.s) {
		return x.s[x.pos+i]
	}
	return 0
}

// newline skips a line end: \n, \r, or both in any order.
func (x *lexer) newline() {
	c := x.s[x.pos]
	x.pos++
	if d := x.peek(0); (d == '\n' || d == '\r') && d != c {
		x.pos++
	}
	x.line++
}

// next returns the next token.
func (x *lexer) next() token {
	for x.pos < len(x.s) {
		switch c := x.s[x.pos]; {
		case c == '\n' || c == '\r':
			x.newline()
		case c == ' ' || '\t' <= c && c <= '\r':
			x.pos++
		case c == '-' && x.peek(1) == '-':
			x.comment()
		default:
			return x.token(c)
		}
	}
	return token{kind: tokenEnd, raw: endOfFile}
}

func (x *lexer) comment() {
	x.pos += 2
	if x.peek(0) == '[' {
		if n, ok := x.bracket(); ok {
			x.long(n, "unfinished long comment")
			return
		}
	}
	for x.pos < len(x.s) && x.s[x.pos] != '\n' && x.s[x.pos] != '\r' {
		x.pos++
	}
}

// bracket reports whether a long bracket opens here, and its level.
func (x *lexer) bracket() (level int, ok bool) {
	for x.peek(1+level) == '=' {
		level++
	}
	return level, x.peek(1+level) == '['
}

// long reads a long string or comment of a level.
func (x *lexer) long(level int, unfinished string) string {
	x.pos += level + 2
	if c := x.peek(0); x.pos < len(x.s) && (c == '\n' || c == '\r') {
		x.newline()
	}
	var b strings.Builder
	for {
		if x.pos >= len(x.s) {
			x.fail(unfinished, endOfFile)
		}
		switch c := x.s[x.pos]; c {
		case ']':
			n := 0
			for x.peek(1+n) == '=' {
				n++
			}
			if n == level && x.peek(1+n) == ']' {
				x.pos += n + 2
				return b.String()
			}
			b.WriteByte(c)
			x.pos++
		case '[':
			if level == 0 && x.peek(1) == '[' {
				x.fail("nesting of [[...]] is deprecated", "[")
			}
			b.WriteByte(c)
			x.pos++
		case '\n', '\r':
			x.newline()
			b.WriteByte('\n')
		default:
			b.WriteByte(c)
			x.pos++
		}
	}
}

func (x *lexer) token(c byte) token {
	switch {
	case c == '_' || isAlpha(c):
		start := x.pos
		for c := c; c == '_' || isAlpha(c) || isDigit(c); c = x.peek(0) {
			x.pos++
		}
		text := x.s[start:x.pos]
		if isReserved(text) {
			return token{kind: tokenWord, text: text, raw: text}
		}
		return token{kind: tokenName, text: text, raw: text}
	case isDigit(c) || c == '.' && isDigit(x.peek(1)):
		return x.number()
	case c == '"' || c == '\'':
		return x.quoted(c)
	case c == '[':
		level, ok := x.bracket()
		if ok {
			start := x.pos
			text := x.long(level, "unfinished long string")
			return token{kind: tokenString, text: text, raw: x.s[start:x.pos]}
		}
		if level > 0 {
			x.fail("invalid long string delimiter", x.s[x.pos:x.pos+1+level])
		}
	}
	for _, symbol := range []string{"...", "..", "==", "~=", "<=", ">="} {
		if strings.HasPrefix(x.s[x.pos:], symbol) {
			x.pos += len(symbol)
			return token{kind: tokenSymbol, text: symbol, raw: symbol}
		}
	}
	x.pos++
	text := string(c)
	if c < 32 {
		text = "char(" + strconv.Itoa(int(c)) + ")"
	} else if c >= 127 {
		text = x.s[x.pos-1 : x.pos]
	}
	return token{kind: tokenSymbol, text: text, raw: text}
}

func (x *lexer) number() token {
	start := x.pos
	for isDigit(x.peek(0)) || x.peek(0) == '.' {
		x.pos++
	}
	if x.peek(0)|0x20 == 'e' {
		x.pos++
		if x.peek(0) == '+' || x.peek(0) == '-' {
			x.pos++
		}
	}
	for c := x.peek(0); c == '_' || isAlpha(c) || isDigit(c); c = x.peek(0) {
		x.pos++
	}
	text := x.s[start:x.pos]
	f, ok := readNumber(text)
	if !ok {
		x.fail("malformed number", text)
	}
	return token{kind: tokenNumber, text: text, number: f, raw: text}
}

func (x *lexer) quoted(quote byte) token {
	start := x.pos
	x.pos++
	var b strings.Builder
	for {
		if x.pos >= len(x.s) {
			x.fail("unfinished string", endOfFile)
		}
		c := x.s[x.pos]
		switch {
		case c == quote:
			x.pos++
			return token{kind: tokenString, text: b.String(), raw: x.s[start:x.pos]}
		case c == '\n' || c == '\r':
			x.fail("unfinished string", string(quote)+b.String())
		case c == '\\':
			x.pos++
			x.escape(&b, quote)
		default:
			b.WriteByte(c)
			x.pos++
		}
	}
}

// escape reads what follows a backslash.
func (x *lexer) escape(b *strings.Builder, quote byte) {
	if x.pos >= len(x.s) {
		return
	}
	c := x.s[x.pos]
	if i := strings.IndexByte("abfnrtv", c); i >= 0 {
		b.WriteByte("\a\b\f\n\r\t\v"[i])
		x.pos++
		return
	}
	if c == '\n' || c == '\r' {
		x.newline()
		b.WriteByte('\n')
		return
	}
	if !isDigit(c) {
		b.WriteByte(c)
		x.pos++
		return
	}
	n := 0
	for i := 0; i < 3 && isDigit(x.peek(0)); i++ {
		n = n*10 + int(x.s[x.pos]-'0')
		x.pos++
	}
	if n > 255 {
		x.fail("escape sequence too large", string(quote)+b.String())
	}
	b.WriteByte(byte(n))
}
