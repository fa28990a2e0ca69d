// Replies: the prefix is taken from the names in them. They are walked as bytes, and what has no names is copied as it is.
package namespace

import (
	"bytes"
	"math/rand/v2"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/resp"
)

const errCut = resp.ProtocolError("a reply ends too early")

// header reads the first line of a reply: its type, and the number in it, which is 0 where none is. body is what follows.
func header(b []byte) (kind byte, n int, body []byte, err error) {
	end := bytes.Index(b, []byte("\r\n"))
	if end < 1 {
		return 0, 0, nil, errCut
	}
	if v, ok := resp.ParseInt(b[1:end]); ok {
		n = int(v)
	}
	return b[0], n, b[end+2:], nil
}

// cut splits the first reply off.
func cut(b []byte) (reply, rest []byte, err error) {
	rest = b
	for left := 1; left > 0; left-- {
		kind, n, body, err := header(rest)
		if err != nil {
			return nil, nil, err
		}
		rest = body
		switch kind {
		case '$', '!', '=':
			if n < 0 {
				continue
			}
			if len(rest)-2 < n {
				return nil, nil, errCut
			}
			rest = rest[n+2:]
		case '*', '~', '>':
			left += max(n, 0)
		case '%':
			left += 2 * n
		case '|': // attributes stand before a reply
			left += 2*n + 1
		}
	}
	return b[:len(b)-len(rest)], rest, nil
}

// text is the string that a reply is; ok is false for any other.
func text(reply []byte) (s []byte, ok bool) {
	kind, n, body, err := header(reply)
	if err != nil || kind != '$' || n < 0 || len(body) < n {
		return nil, false
	}
	return body[:n], true
}

// translation is how one reply is translated.
type translation struct {
	names  *command.Names // nil: it has none
	match  []byte         // pattern that the names in it must fit; nil: all are wanted
	answer string         // an error that replaces the reply; "": it is not replaced
}

// What is within another reply.
var (
	onlyFirst    = &translation{names: &command.Names{Reply: command.First}}
	onlyElements = &translation{names: &command.Names{Reply: command.Elements}}
)

// none reports whether a reply stays as it is.
func (t *translation) none() bool {
	return t.answer == "" && (t.names == nil || t.names.Reply == command.Nowhere && !t.names.Quotes && t.names.Whole == command.OnlyNamed)
}

// reply appends a reply as it is in the namespace.
func (p *prefix) reply(w *resp.Writer, reply []byte, t *translation) error {
	switch {
	case t.answer != "":
		w.Error(t.answer)
		return nil
	case t.none():
		w.Raw(reply)
		return nil
	}
	kind, n, body, err := header(reply)
	if err != nil {
		return err
	}
	head := reply[:len(reply)-len(body)]
	switch kind {
	case '-':
		p.refusal(w, reply, t.names)
		return nil
	case '%':
		n *= 2
	case '*', '~', '>':
	default:
		n = -1
	}
	switch {
	case t.names.Whole == command.Empties: // from UNLINK, or from ECHO if there was nothing
		w.OK()
		return nil
	case n < 0:
		w.Raw(reply)
		return nil
	}
	switch t.names.Whole {
	case command.Counts: // from KEYS
		w.Int(int64(n))
		return nil
	case command.Picks: // from KEYS
		if n == 0 {
			w.Null()
			return nil
		}
		picked := rand.IntN(n)
		return each(body, n, func(i int, e []byte) error {
			if i == picked {
				p.name(w, e, t)
			}
			return nil
		})
	}
	switch t.names.Reply {
	case command.Elements:
		return p.elements(w, body, n, t)
	case command.First, command.Alternate:
		w.Raw(head)
		return each(body, n, func(i int, e []byte) error {
			if i == 0 || i%2 == 0 && t.names.Reply == command.Alternate {
				p.name(w, e, t)
			} else {
				w.Raw(e)
			}
			return nil
		})
	case command.Heads:
		w.Raw(head)
		return each(body, n, func(i int, e []byte) error {
			switch {
			case kind != '%':
				return p.reply(w, e, onlyFirst)
			case i%2 == 0:
				p.name(w, e, t)
			default:
				w.Raw(e)
			}
			return nil
		})
	case command.SecondElements:
		w.Raw(head)
		return each(body, n, func(i int, e []byte) error {
			if i != 1 {
				w.Raw(e)
				return nil
			}
			return p.reply(w, e, onlyElements)
		})
	default:
		w.Raw(reply)
		return nil
	}
}

// each visits the n replies at the front of b.
func each(b []byte, n int, f func(i int, element []byte) error) error {
	for i := range n {
		element, rest, err := cut(b)
		if err != nil {
			return err
		}
		if err := f(i, element); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// elements appends an array of those names among n replies that are the namespace's and wanted.
func (p *prefix) elements(w *resp.Writer, body []byte, n int, t *translation) error {
	mark, kept := w.Len(), 0
	err := each(body, n, func(_ int, e []byte) error {
		if own, ok := p.ownName(e, t); ok && fits(t.match, own) {
			w.Bulk(own)
			kept++
		}
		return nil
	})
	w.Insert(mark, kept, (*resp.Writer).Array)
	return err
}

// ownName is the name that a reply is, without the prefix; ok is false if it is none of the namespace's.
func (p *prefix) ownName(reply []byte, t *translation) (own []byte, ok bool) {
	name, ok := text(reply)
	switch {
	case !ok:
		return nil, false
	case t.names.Channels:
		own, _, ok = p.ownChannel(name)
		return own, ok
	}
	return p.own(name)
}

// name appends a reply that is a name, or whatever else it is.
func (p *prefix) name(w *resp.Writer, reply []byte, t *translation) {
	if own, ok := p.ownName(reply, t); ok {
		w.Bulk(own)
		return
	}
	w.Raw(reply)
}

// refusal appends an error, which may quote a key.
func (p *prefix) refusal(w *resp.Writer, reply []byte, names *command.Names) {
	if names.Quotes {
		if at := command.QuotedKey(reply); at >= 0 && bytes.HasPrefix(reply[at:], p.quoted) {
			w.Raw(reply[:at])
			reply = reply[at+len(p.quoted):]
		}
	}
	w.Raw(reply)
}
