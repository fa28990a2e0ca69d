// Bells: who waits for the load of another process is woken by a message. One connection hears those of all keys.

package cache

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// bells wakes those who wait for messages. While anybody waits there is one subscription, whatever the number of channels.
type bells struct {
	client redis.UniversalClient

	wire sync.Mutex    // held while sub changes, and before mu
	sub  *redis.PubSub // guarded by wire; nil: nobody waits

	mu      sync.Mutex // guards what follows
	waiting map[string]map[chan struct{}]bool
}

// wait returns what is sent to when there may be news on a channel: at the latest when messages are heard from then on, which is soon, and with each
// of them. Call leave when nobody waits for it any more, which is after an error too.
func (b *bells) wait(ctx context.Context, channel string) (woken <-chan struct{}, leave func(), err error) {
	bell := make(chan struct{}, 1)
	b.wire.Lock()
	defer b.wire.Unlock()
	b.mu.Lock()
	if b.waiting[channel] == nil {
		b.waiting[channel] = map[chan struct{}]bool{}
	}
	b.waiting[channel][bell] = true
	b.mu.Unlock()
	if b.sub == nil {
		b.sub = b.client.Subscribe(ctx)
		go b.listen(b.sub.ChannelWithSubscriptions())
	}
	err = b.sub.Subscribe(ctx, channel) // confirmed each time, though somebody may wait for it already
	return bell, func() { b.leave(channel, bell) }, err
}

// leave ends a wait, and with the last one the subscription.
func (b *bells) leave(channel string, bell chan struct{}) {
	b.wire.Lock()
	defer b.wire.Unlock()
	b.mu.Lock()
	delete(b.waiting[channel], bell)
	last := len(b.waiting[channel]) == 0
	if last {
		delete(b.waiting, channel)
	}
	nobody := len(b.waiting) == 0
	b.mu.Unlock()
	switch {
	case nobody:
		_ = b.sub.Close() // nothing is written, so nothing can be lost
		b.sub = nil
	case last:
		_ = b.sub.Unsubscribe(context.Background(), channel) // else its messages are for nobody
	}
}

// listen wakes those for whom there is a message, until the subscription is closed. A confirmation is like one: no message is missed after it, and
// before it, when a connection was lost, some may have been.
func (b *bells) listen(heard <-chan any) {
	for m := range heard {
		switch m := m.(type) {
		case *redis.Message:
			b.ring(m.Channel)
		case *redis.Subscription:
			if m.Kind == "subscribe" {
				b.ring(m.Channel)
			}
		}
	}
}

// ring wakes those who wait for a channel.
func (b *bells) ring(channel string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for bell := range b.waiting[channel] {
		select {
		case bell <- struct{}{}:
		default: // it rings already
		}
	}
}
