// Turns: the calls of a batch are written anew, since they are borrowed. Of a word with a name the prefix and the name are
// put into a buffer, all other words stay where they are.
package namespace

import (
	"bytes"
	"context"
	"errors"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// turn runs one batch. It is reused.
type turn struct {
	*Engine
	db           int            // of the next call
	session      engine.Session // of the batch; nil: none
	batch        engine.Batch
	calls        []engine.Call
	translations []translation // of the replies, one a call
	translates   bool          // some reply does not stay as it is
	words        [][]byte      // of all calls
	buf          []byte        // the names among them; where it grows, earlier words keep the old array
	w            resp.Writer   // takes the replies that do not stay as they are
}

// keep is the size up to which a turn's buffers are kept for the next.
const keep = 64 << 10

// release drops what is borrowed.
func (t *turn) release() {
	t.batch, t.session = engine.Batch{}, nil
	t.clear()
	if cap(t.buf) > keep {
		t.buf = nil
	}
	if cap(t.words) > keep/24 {
		t.words, t.calls, t.translations = nil, nil, nil
	}
	if cap(t.w.Buf) > keep {
		t.w.Buf = nil
	}
}

// clear makes room for other calls.
func (t *turn) clear() {
	clear(t.calls)
	clear(t.translations)
	clear(t.words)
	t.calls, t.translations, t.words, t.buf = t.calls[:0], t.translations[:0], t.words[:0], t.buf[:0]
	t.translates = false
}

// run runs the calls of a batch that are not answered yet. What concerns a whole database is done step by step, unless the
// batch is a transaction of several calls.
func (t *turn) run(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	t.db, t.session = b.DB, b.Session
	if b.Done > 0 && b.Session != nil {
		t.db = b.Session.DB()
	}
	transaction := b.Guard != nil || b.Atomic && len(b.Calls) > 1
	for b.Done < len(b.Calls) {
		if err := t.gather(ctx, b.Calls[b.Done:], transaction); err != nil {
			return err
		}
		if len(t.calls) == 0 {
			if err := t.whole(ctx, b.Calls[b.Done], w); err != nil {
				return err
			}
			b.Done++
			continue
		}
		if err := t.send(ctx, b, w); err != nil {
			return err
		}
		if b.Session != nil {
			t.db = b.Session.DB() // a SELECT may have been among the calls
		}
	}
	return nil
}

// gather adds calls up to one that has to be done step by step.
func (t *turn) gather(ctx context.Context, calls []engine.Call, transaction bool) error {
	t.clear()
	for _, call := range calls {
		row, wrong := command.Commands.Find(call)
		switch {
		case whatOf(row) == command.OnlyNamed:
			t.add(row, wrong, call)
		case !transaction:
			return nil
		default:
			if err := t.wholeInTransaction(ctx, row.Names(), call); err != nil {
				return err
			}
		}
	}
	return nil
}

// whatOf is what a command does to all keys of a database.
func whatOf(row *command.Command) command.Whole {
	if row == nil || row.Names() == nil {
		return command.OnlyNamed
	}
	return row.Names().Whole
}

// add writes a call anew. wrong is why it has no row.
func (t *turn) add(row *command.Command, wrong error, call engine.Call) {
	switch {
	case wrong != nil && t.host != nil:
		t.push(call, translation{}) // the engine refuses it in its own words
	case wrong != nil:
		t.refuse(wrong.Error())
	case row.Flags&command.Session != 0:
		t.push(call, translation{}) // its names are the session's, which comes back with them
		if names := row.Names(); names != nil && names.Database > 0 && t.session != nil {
			if db, ok := resp.ParseInt(call[names.Database]); ok {
				t.db = int(db)
			}
		}
	case !row.NamesKnown():
		t.refuse("ERR '" + row.FullName() + "' concerns keys of others and cannot run in a namespace")
	default:
		t.rewrite(row, call)
	}
}

// push adds a call as it goes to the engine.
func (t *turn) push(call engine.Call, how translation) {
	t.calls = append(t.calls, call)
	t.translations = append(t.translations, how)
	t.translates = t.translates || !how.none()
}

// harmless is a call that has one reply. One that is refused runs as this, and so has its place in a transaction.
var harmless = engine.Call{[]byte("ECHO"), []byte("")}

// refuse adds a call that is refused.
func (t *turn) refuse(text string) { t.push(harmless, translation{answer: text}) }

// rewrite adds a call with the prefix before its names.
func (t *turn) rewrite(row *command.Command, call engine.Call) {
	from := len(t.words)
	t.words = append(t.words, call...)
	row.Keys.Each(call, func(i int) { t.words[from+i] = t.name(call[i]) })
	how := translation{names: row.Names()}
	if how.names != nil {
		if refusal := t.rewriteNames(&how, call, from); refusal != "" {
			t.refuse(refusal)
			return
		}
	}
	t.push(t.words[from:len(t.words):len(t.words)], how)
}

// rewriteNames rewrites the names of a call besides its keys, whose words begin at from.
func (t *turn) rewriteNames(how *translation, call engine.Call, from int) (refusal string) {
	n := how.names
	n.Words.Each(call, func(i int) {
		if !n.Channels {
			t.words[from+i] = t.name(call[i])
			return
		}
		t.words[from+i] = t.channelName(call[i])
		if c, _ := classOf(call[i]); c == keyevent && n.Message > 0 {
			t.words[from+n.Message] = t.name(call[n.Message]) // which is a key
		}
	})
	if n.Pattern > 0 {
		t.rewritePattern(how, call, from)
	}
	found := false
	at := n.EachGlob(call, func(i int) {
		found = true
		t.words[from+i] = t.globOf(call[i])
	})
	if at > 0 && !found {
		// Before the other options, and so it takes nothing from one that lacks its argument.
		t.words = append(t.words, nil, nil)
		copy(t.words[from+at+2:], t.words[from+at:])
		t.words[from+at], t.words[from+at+1] = []byte("MATCH"), t.globOf([]byte("*"))
	}
	n.EachTemplate(call, func(i int) {
		if bytes.IndexByte(t.text, '*') >= 0 {
			refusal = "ERR patterns of '" + string(call[0]) + "' cannot be used in a namespace with a star in its prefix"
		}
		t.words[from+i] = t.name(call[i])
	})
	return refusal
}

// rewritePattern rewrites the pattern of the names that are asked for. Those of channels may be more than ordinary ones: then
// all are asked for, and the reply is searched.
func (t *turn) rewritePattern(how *translation, call engine.Call, from int) {
	pattern := []byte("*")
	at := how.names.Pattern
	if len(call) > at {
		pattern = call[at]
	} else {
		t.words = append(t.words, nil)
	}
	if how.names.Channels && aboutKeys(pattern) {
		how.match = pattern
		t.words[from+at] = []byte("*")
		return
	}
	t.words[from+at] = t.globOf(pattern)
}

// since is what was added to the text.
func (t *turn) since(at int) []byte { return t.buf[at:len(t.buf):len(t.buf)] }

// name is a key with the prefix.
func (t *turn) name(key []byte) []byte {
	at := len(t.buf)
	t.buf = t.key(t.buf, key)
	return t.since(at)
}

// channelName is a channel as the engine knows it.
func (t *turn) channelName(channel []byte) []byte {
	at := len(t.buf)
	t.buf = t.channel(t.buf, channel)
	return t.since(at)
}

// globOf is a pattern of the namespace's names as one of the engine's.
func (t *turn) globOf(pattern []byte) []byte {
	at := len(t.buf)
	t.buf = append(append(t.buf, t.glob...), pattern...)
	return t.since(at)
}

// send runs the calls that were added.
func (t *turn) send(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	t.batch = engine.Batch{DB: b.DB, Calls: t.calls, Atomic: b.Atomic, Guard: b.Guard, Wait: b.Wait, Session: b.Session, NoTouch: b.NoTouch}
	if !b.Atomic && b.Guard == nil {
		t.batch.DB = t.db
	}
	if !t.translates {
		err := t.inner.Do(ctx, &t.batch, w)
		b.Done += t.batch.Done
		return err
	}
	t.w.Proto, t.w.Buf = w.Proto, t.w.Buf[:0]
	err := t.inner.Do(ctx, &t.batch, &t.w)
	b.Done += t.batch.Done
	if err != nil && !errors.Is(err, engine.ErrWouldWait) {
		return err
	}
	w.Proto = t.w.Proto // HELLO may have been among the calls
	rest := t.w.Buf
	for i := range t.batch.Done {
		reply, after, err := cut(rest)
		if err != nil {
			return err
		}
		if err := t.reply(w, reply, &t.translations[i]); err != nil {
			return err
		}
		rest = after
	}
	return err
}
