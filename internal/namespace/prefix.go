// What names become: every key and channel has the prefix before it, save the channels that tell what becomes of keys.
package namespace

import (
	"bytes"
	"slices"

	"github.com/redbud-go/redbud/internal/command"
)

// prefix is what the names of a namespace begin with.
type prefix struct {
	text   []byte
	glob   []byte // the same as a glob pattern that it alone fits
	quoted []byte // the same in an error reply
}

func newPrefix(text []byte) prefix {
	p := prefix{text: slices.Clone(text)}
	for _, c := range text {
		if bytes.IndexByte([]byte(`*?[]\`), c) >= 0 {
			p.glob = append(p.glob, '\\')
		}
		p.glob = append(p.glob, c)
		if c == '\r' || c == '\n' {
			c = ' '
		}
		p.quoted = append(p.quoted, c)
	}
	return p
}

// class is what a channel is for, which decides where the prefix stands.
type class uint8

const (
	ordinary class = iota // before the channel
	keyspace              // before the key in it: __keyspace@0__:key
	keyevent              // before the key in its messages: __keyevent@0__:del
)

// heads are how the channels begin that tell what becomes of keys.
var heads = [...]string{keyspace: "__keyspace@", keyevent: "__keyevent@"}

// classOf tells the class of a channel and where the part begins that is no number of a database.
func classOf(channel []byte) (c class, from int) {
	for c := keyspace; int(c) < len(heads); c++ {
		if from := eventsFrom(channel, heads[c]); from > 0 {
			return c, from
		}
	}
	return ordinary, 0
}

// eventsFrom is where in "__keyspace@0__:key" the key begins, if the channel begins with that head; otherwise 0.
func eventsFrom(channel []byte, head string) int {
	if !bytes.HasPrefix(channel, []byte(head)) {
		return 0
	}
	i := len(head)
	for i < len(channel) && '0' <= channel[i] && channel[i] <= '9' {
		i++
	}
	if i == len(head) || !bytes.HasPrefix(channel[i:], []byte("__:")) {
		return 0
	}
	return i + len("__:")
}

// key appends a key as the engine knows it.
func (p *prefix) key(dst, key []byte) []byte { return append(append(dst, p.text...), key...) }

// own takes the prefix from a key; ok is false for a key that is none of the namespace's.
func (p *prefix) own(key []byte) (own []byte, ok bool) { return bytes.CutPrefix(key, p.text) }

// channel appends a channel as the engine knows it.
func (p *prefix) channel(dst, channel []byte) []byte {
	switch c, from := classOf(channel); c {
	case keyspace:
		return p.key(append(dst, channel[:from]...), channel[from:])
	case keyevent:
		return append(dst, channel...)
	}
	return p.key(dst, channel)
}

// ownChannel tells a channel as the namespace knows it; ok is false for one that is none of its own. Of a keyevent channel the
// messages tell.
func (p *prefix) ownChannel(channel []byte) (own []byte, c class, ok bool) {
	c, from := classOf(channel)
	switch c {
	case keyevent:
		return channel, c, true
	case keyspace:
		key, ok := p.own(channel[from:])
		if !ok {
			return nil, c, false
		}
		return slices.Concat(channel[:from], key), c, true
	}
	own, ok = p.own(channel)
	return own, c, ok
}

// told is a pattern for the engine, with the class of those channels which are meant by it.
type told struct {
	pattern string
	class   class
}

// patterns are what to listen to for a pattern of channels. Together they fit more channels than are meant: what is heard has
// to fit the pattern itself, too.
func (p *prefix) patterns(pattern []byte) []told {
	switch c, from := classOf(pattern); c {
	case keyspace:
		return []told{{string(pattern[:from]) + string(p.glob) + string(pattern[from:]), keyspace}}
	case keyevent:
		return []told{{string(pattern), keyevent}}
	}
	all := []told{{string(p.glob) + string(pattern), ordinary}}
	if mayBegin(pattern, heads[keyspace]) {
		all = append(all, told{heads[keyspace] + "*__:" + string(p.glob) + "*", keyspace})
	}
	if mayBegin(pattern, heads[keyevent]) {
		all = append(all, told{heads[keyevent] + "*__:*", keyevent})
	}
	return all
}

// mayBegin reports whether something that begins with head may fit a pattern.
func mayBegin(pattern []byte, head string) bool {
	if i := bytes.IndexAny(pattern, `*?[\`); i >= 0 {
		n := min(i, len(head))
		return string(pattern[:n]) == head[:n]
	}
	return bytes.HasPrefix(pattern, []byte(head))
}

// aboutKeys reports whether a pattern may fit channels that tell what becomes of keys.
func aboutKeys(pattern []byte) bool {
	return mayBegin(pattern, heads[keyspace]) || mayBegin(pattern, heads[keyevent])
}

// fits reports whether a name fits a pattern; nil fits all.
func fits(pattern, name []byte) bool { return pattern == nil || command.Match(pattern, name) }
