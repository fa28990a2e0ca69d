// Publish and subscribe. The session subscribes, since messages come to a connection; the engine publishes.
package command

import (
	"slices"

	"github.com/redbud-go/redbud/internal/engine"
)

var pubsubCommands = []*Command{
	{Name: "psubscribe", Arity: -2, Flags: Session | PubSub | NoScript | Loading | Stale, Group: "pubsub", Since: "2.0.0",
		Usage: "pattern [pattern ...]", Doc: "Listens to channels that match glob patterns."},
	{Name: "publish", Arity: 3, Flags: PubSub | Loading | Stale | Fast | MayReplicate, Group: "pubsub", Since: "2.0.0", ACL: "pubsub",
		Usage: "channel message", Doc: "Sends a message to all who listen to a channel, and counts them.", Run: publish},
	{Name: "pubsub", Arity: -2, Group: "pubsub", Since: "2.8.0", Doc: "A container for what there is to know of channels.",
		Subs: []*Command{
			{Name: "channels", Arity: -2, Flags: PubSub | Loading | Stale, Since: "2.8.0",
				Usage: "[pattern]", Doc: "Lists the channels that somebody listens to.", Run: pubsubChannels},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "6.2.0", ACL: "slow",
				Doc: "Returns helpful text about the different subcommands.", Run: containerHelp},
			{Name: "numpat", Arity: 2, Flags: PubSub | Loading | Stale, Since: "2.8.0",
				Doc: "Counts the patterns that somebody listens to.", Run: pubsubNumPat},
			{Name: "numsub", Arity: -2, Flags: PubSub | Loading | Stale, Since: "2.8.0",
				Usage: "[channel [channel ...]]", Doc: "Counts those who listen to channels.", Run: pubsubNumSub},
			{Name: "shardchannels", Arity: -2, Flags: PubSub | Loading | Stale, Since: "7.0.0",
				Usage: "[pattern]", Doc: "Lists the sharded channels that somebody listens to.", Run: pubsubChannels},
			{Name: "shardnumsub", Arity: -2, Flags: PubSub | Loading | Stale, Since: "7.0.0",
				Usage: "[shardchannel [shardchannel ...]]", Doc: "Counts those who listen to sharded channels.", Run: pubsubNumSub},
		}},
	{Name: "punsubscribe", Arity: -1, Flags: Session | PubSub | NoScript | Loading | Stale, Group: "pubsub", Since: "2.0.0",
		Usage: "[pattern [pattern ...]]", Doc: "Ends the listening to patterns."},
	{Name: "spublish", Arity: 3, Flags: PubSub | Loading | Stale | Fast | MayReplicate, Keys: oneKey, Group: "pubsub", Since: "7.0.0",
		Usage: "shardchannel message", Doc: "Sends a message to all who listen to a sharded channel, and counts them.", Run: publish},
	{Name: "ssubscribe", Arity: -2, Flags: Session | PubSub | NoScript | Loading | Stale, Keys: allKeys, Group: "pubsub", Since: "7.0.0",
		Usage: "shardchannel [shardchannel ...]", Doc: "Listens to sharded channels."},
	{Name: "subscribe", Arity: -2, Flags: Session | PubSub | NoScript | Loading | Stale, Group: "pubsub", Since: "2.0.0",
		Usage: "channel [channel ...]", Doc: "Listens to channels."},
	{Name: "sunsubscribe", Arity: -1, Flags: Session | PubSub | NoScript | Loading | Stale, Keys: allKeys, Group: "pubsub", Since: "7.0.0",
		Usage: "[shardchannel [shardchannel ...]]", Doc: "Ends the listening to sharded channels."},
	{Name: "unsubscribe", Arity: -1, Flags: Session | PubSub | NoScript | Loading | Stale, Group: "pubsub", Since: "2.0.0",
		Usage: "[channel [channel ...]]", Doc: "Ends the listening to channels."},
}

// publish sends when the batch is committed, to whoever listens then. Those who do so in other processes do not count.
func publish(c *Ctx) error {
	kind := engine.Channel
	if c.Row.Keys.First > 0 {
		kind = engine.Shard
	}
	n := c.Engine.broker.audience(kind, c.Args[1])
	if n > 0 || c.Engine.elsewhere.Load()&wantMessages != 0 {
		c.news.items = append(c.news.items, item{kind: kind, channel: c.Args[1], payload: c.Args[2]})
	}
	c.W.Int(int64(n))
	return nil
}

// infoChannels is what INFO tells of channels.
func (e *Engine) infoChannels(f *Fields) error {
	for kind, name := range [engine.Names]string{engine.Channel: "pubsub_channels", engine.Pattern: "pubsub_patterns", engine.Shard: "pubsubshard_channels"} {
		f.Int(name, int64(e.broker.count(engine.Kind(kind))))
	}
	return nil
}

// channelKind is the kind of channels that a subcommand of PUBSUB is about.
func (c *Ctx) channelKind() engine.Kind {
	if c.Row.Name[0] == 's' {
		return engine.Shard
	}
	return engine.Channel
}

func pubsubChannels(c *Ctx) error {
	if len(c.Args) > 3 {
		return c.wrongWords()
	}
	var names []string
	c.Engine.broker.names(c.channelKind(), func(name string) {
		if len(c.Args) == 2 || Match(c.Args[2], []byte(name)) {
			names = append(names, name)
		}
	})
	slices.Sort(names)
	c.W.Array(len(names))
	for _, name := range names {
		c.W.BulkString(name)
	}
	return nil
}

func pubsubNumPat(c *Ctx) error {
	c.W.Int(int64(c.Engine.broker.count(engine.Pattern)))
	return nil
}

func pubsubNumSub(c *Ctx) error {
	channels := c.Args[2:]
	c.W.Array(2 * len(channels)) // in RESP3 too
	for _, channel := range channels {
		c.W.Bulk(channel)
		c.W.Int(int64(c.Engine.broker.listeners(c.channelKind(), channel)))
	}
	return nil
}
