package engine

import "context"

// Kind says what a Message tells.
type Kind uint8

// The kinds of messages. The first three are what a Listener subscribes to by names.
const (
	Channel Kind = iota // something was published to a channel
	Pattern             // the same, for those who asked by a pattern that the channel fits
	Shard               // something was published to a sharded channel
	Changes             // keys were written
	Lost                // messages may have been missed; what was subscribed is heard again from now on
)

// Names is how many kinds have names.
const Names = 3

// Message is what an engine tells of its own accord. It is borrowed: who hears it keeps nothing of it.
type Message struct {
	Kind    Kind
	Name    []byte // what was subscribed to: the channel, or the pattern
	Channel []byte
	Payload []byte

	// Wire is for those who hear it: what one of them has made of the message for a version of the protocol serves the others.
	Wire [4][]byte

	Keys [][]byte // of Changes: the keys that were written, of any database; nil: all may have been
	By   Session  // of Changes: whose batch wrote them; nil: unknown, or nobody's
}

// Listener is one who hears what an engine tells. Its methods are called by one goroutine at a time.
type Listener interface {
	// Subscribe adds names. What is told after it has returned is heard, from other processes on the same database once
	// command.Engine.Join has returned. Of Changes there are no names.
	Subscribe(ctx context.Context, kind Kind, names ...[]byte) error
	// Unsubscribe takes names away. Nothing is heard of them once it has returned.
	Unsubscribe(ctx context.Context, kind Kind, names ...[]byte) error
	// Close ends all. Nothing is heard once it has returned.
	Close() error
}
