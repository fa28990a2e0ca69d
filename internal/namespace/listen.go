// Listening: names get the prefix when they are subscribed to, and lose it when something is told.
package namespace

import (
	"context"
	"slices"
	"sync"

	"github.com/redbud-go/redbud/internal/engine"
)

// Listen implements engine.Engine.
func (e *Engine) Listen(f func(*engine.Message)) engine.Listener {
	l := &listener{prefix: &e.prefix, hear: f, asked: map[string][]told{}}
	l.inner = e.inner.Listen(l.tell)
	return l
}

// listener implements engine.Listener.
type listener struct {
	*prefix
	hear  func(*engine.Message)
	inner engine.Listener

	mu sync.RWMutex // guards asked; taken while locks of the engine are held, which are never taken under it

	// asked has, by pattern that the engine was asked for, those that this was for. One may stand for several, as what tells of
	// all keys does, and several for one.
	asked map[string][]told
}

// Subscribe implements engine.Listener.
func (l *listener) Subscribe(ctx context.Context, kind engine.Kind, names ...[]byte) error {
	if kind != engine.Pattern {
		return l.inner.Subscribe(ctx, kind, l.names(kind, names)...)
	}
	fresh := l.ask(names)
	if len(fresh) == 0 {
		return nil
	}
	err := l.inner.Subscribe(ctx, kind, fresh...)
	if err != nil {
		l.forget(names)
	}
	return err
}

// Unsubscribe implements engine.Listener.
func (l *listener) Unsubscribe(ctx context.Context, kind engine.Kind, names ...[]byte) error {
	if kind != engine.Pattern {
		return l.inner.Unsubscribe(ctx, kind, l.names(kind, names)...)
	}
	stale := l.forget(names)
	if len(stale) == 0 {
		return nil
	}
	return l.inner.Unsubscribe(ctx, kind, stale...)
}

// Close implements engine.Listener.
func (l *listener) Close() error { return l.inner.Close() }

// names are channels as the engine knows them.
func (l *listener) names(kind engine.Kind, names [][]byte) [][]byte {
	all := make([][]byte, len(names))
	for i, name := range names {
		if kind == engine.Shard {
			all[i] = l.key(nil, name)
		} else {
			all[i] = l.channel(nil, name)
		}
	}
	return all
}

// ask notes patterns and returns those that the engine has to be asked for now.
func (l *listener) ask(patterns [][]byte) (fresh [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, pattern := range patterns {
		for _, t := range l.patterns(pattern) {
			before, mine := l.asked[t.pattern], told{string(pattern), t.class}
			if slices.Contains(before, mine) {
				continue
			}
			if len(before) == 0 {
				fresh = append(fresh, []byte(t.pattern))
			}
			l.asked[t.pattern] = append(before, mine)
		}
	}
	return fresh
}

// forget drops patterns and returns those that the engine need not tell any more.
func (l *listener) forget(patterns [][]byte) (stale [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, pattern := range patterns {
		for _, t := range l.patterns(pattern) {
			before := l.asked[t.pattern]
			i := slices.Index(before, told{string(pattern), t.class})
			switch {
			case i < 0:
			case len(before) == 1:
				delete(l.asked, t.pattern)
				stale = append(stale, []byte(t.pattern))
			default:
				l.asked[t.pattern] = slices.Delete(before, i, i+1)
			}
		}
	}
	return stale
}

// tell passes on what the namespace is concerned with, in its own names.
func (l *listener) tell(m *engine.Message) {
	out := *m
	switch m.Kind {
	case engine.Changes:
		if m.Keys == nil {
			break
		}
		out.Keys = nil
		for _, key := range m.Keys {
			if own, ok := l.own(key); ok {
				out.Keys = append(out.Keys, own)
			}
		}
		if out.Keys == nil {
			return
		}
	case engine.Shard:
		own, ok := l.own(m.Channel)
		if !ok {
			return
		}
		out.Name, out.Channel = own, own
	case engine.Channel, engine.Pattern:
		own, c, ok := l.ownChannel(m.Channel)
		if ok && c == keyevent {
			out.Payload, ok = l.own(m.Payload)
		}
		if !ok {
			return
		}
		out.Name, out.Channel = own, own
		if m.Kind == engine.Pattern {
			l.tellPatterns(&out, m.Name, c)
			return
		}
	}
	l.hear(&out)
}

// tellPatterns passes a message on to those patterns which it fits, of those that the engine was asked for a pattern for.
func (l *listener) tellPatterns(m *engine.Message, pattern []byte, c class) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, mine := range l.asked[string(pattern)] {
		if mine.class != c {
			continue
		}
		if m.Name = []byte(mine.pattern); fits(m.Name, m.Channel) {
			l.hear(m)
		}
	}
}
