package command

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/redbud-go/redbud/internal/engine"
)

// broker knows who listens to what. It is safe for concurrent use.
type broker struct {
	trackers atomic.Int32 // listeners to Changes

	mu     sync.RWMutex // guards what follows, and the seats of all listeners
	topics [engine.Names]map[string][]*listener
	all    []*listener // to Changes
}

// listener implements engine.Listener.
type listener struct {
	broker *broker
	hear   func(*engine.Message)
	seats  [engine.Names]map[string]int // its place in each of its topics
	tracks bool
}

// Listen implements engine.Engine.
func (e *Engine) Listen(f func(*engine.Message)) engine.Listener {
	return &listener{broker: &e.broker, hear: f}
}

// Subscribe implements engine.Listener.
func (l *listener) Subscribe(_ context.Context, kind engine.Kind, names ...[]byte) error {
	b := l.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if kind == engine.Changes {
		if !l.tracks {
			l.tracks = true
			b.all = append(b.all, l)
			b.trackers.Store(int32(len(b.all)))
		}
		return nil
	}
	if b.topics[kind] == nil {
		b.topics[kind] = map[string][]*listener{}
	}
	if l.seats[kind] == nil {
		l.seats[kind] = map[string]int{}
	}
	for _, name := range names {
		if _, ok := l.seats[kind][string(name)]; ok {
			continue
		}
		topic := b.topics[kind][string(name)]
		l.seats[kind][string(name)] = len(topic)
		b.topics[kind][string(name)] = append(topic, l)
	}
	return nil
}

// Unsubscribe implements engine.Listener.
func (l *listener) Unsubscribe(_ context.Context, kind engine.Kind, names ...[]byte) error {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	if kind == engine.Changes {
		l.lookAway()
		return nil
	}
	for _, name := range names {
		l.rise(kind, string(name))
	}
	return nil
}

// lookAway ends the hearing of Changes.
func (l *listener) lookAway() {
	if !l.tracks {
		return
	}
	l.tracks = false
	b := l.broker
	for i, other := range b.all {
		if other == l {
			b.all = append(b.all[:i:i], b.all[i+1:]...)
			break
		}
	}
	b.trackers.Store(int32(len(b.all)))
}

// rise leaves a topic. The last listener there takes the seat.
func (l *listener) rise(kind engine.Kind, name string) {
	seat, ok := l.seats[kind][name]
	if !ok {
		return
	}
	delete(l.seats[kind], name)
	topic := l.broker.topics[kind][name]
	end := len(topic) - 1
	if end == 0 {
		delete(l.broker.topics[kind], name)
		return
	}
	last := topic[end]
	topic[end] = nil
	if last != l {
		topic[seat] = last
		last.seats[kind][name] = seat
	}
	l.broker.topics[kind][name] = topic[:end]
}

// Close implements engine.Listener.
func (l *listener) Close() error {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	l.lookAway()
	for kind := range l.seats {
		for name := range l.seats[kind] {
			l.rise(engine.Kind(kind), name)
		}
	}
	return nil
}

// audience is how many would hear what is published to a channel.
func (b *broker) audience(kind engine.Kind, channel []byte) int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	n := len(b.topics[kind][string(channel)])
	if kind == engine.Channel {
		for pattern, topic := range b.topics[engine.Pattern] {
			if Match([]byte(pattern), channel) {
				n += len(topic)
			}
		}
	}
	return n
}

// publish tells those who listen to a channel, then those to whose patterns it fits.
func (b *broker) publish(kind engine.Kind, channel, payload []byte) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if topic := b.topics[kind][string(channel)]; len(topic) > 0 {
		m := engine.Message{Kind: kind, Name: channel, Channel: channel, Payload: payload}
		for _, l := range topic {
			l.hear(&m)
		}
	}
	if kind != engine.Channel {
		return
	}
	for pattern, topic := range b.topics[engine.Pattern] {
		if Match([]byte(pattern), channel) {
			m := engine.Message{Kind: engine.Pattern, Name: []byte(pattern), Channel: channel, Payload: payload}
			for _, l := range topic {
				l.hear(&m)
			}
		}
	}
}

// changed tells which keys were written, and by whom; nil: perhaps all.
func (b *broker) changed(keys [][]byte, by engine.Session) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	m := engine.Message{Kind: engine.Changes, Keys: keys, By: by}
	for _, l := range b.all {
		l.hear(&m)
	}
}

// lost tells all who listen that they may have missed something.
func (b *broker) lost() {
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := map[*listener]struct{}{}
	for _, l := range b.all {
		all[l] = struct{}{}
	}
	for _, topics := range b.topics {
		for _, topic := range topics {
			for _, l := range topic {
				all[l] = struct{}{}
			}
		}
	}
	for l := range all {
		l.hear(&engine.Message{Kind: engine.Lost})
	}
}

// names visits what is listened to.
func (b *broker) names(kind engine.Kind, f func(name string)) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for name := range b.topics[kind] {
		f(name)
	}
}

// count is how many names of a kind are listened to.
func (b *broker) count(kind engine.Kind) int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.topics[kind])
}

// listeners is how many listen to a name.
func (b *broker) listeners(kind engine.Kind, name []byte) int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.topics[kind][string(name)])
}
