// News: what a batch has to tell others, once it is committed and in the order in which it came about: messages that it
// published, what became of keys, which keys it wrote.
package command

import (
	"strconv"
	"strings"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
)

// Event is something that happened to a key, as keyspace notifications tell it.
type Event struct {
	DB    int
	Class EventClass
	Name  string // "set", "del", "expired" …
	Key   []byte // the listener may keep it
}

// EventClass is the letter that the setting notify-keyspace-events selects an event by.
type EventClass byte

// The classes of events.
const (
	EventGeneric EventClass = 'g'
	EventString  EventClass = '$'
	EventList    EventClass = 'l'
	EventSet     EventClass = 's'
	EventHash    EventClass = 'h'
	EventZSet    EventClass = 'z'
	EventStream  EventClass = 't'
	EventExpired EventClass = 'x'
	EventEvicted EventClass = 'e'
	EventMiss    EventClass = 'm'
	EventNew     EventClass = 'n'
)

// ownEvents are the classes of the events that a store brings about of its own accord.
var ownEvents = map[string]EventClass{"expired": EventExpired, "evicted": EventEvicted, "keymiss": EventMiss, "hexpired": EventHash, "del": EventGeneric, "new": EventNew}

// notifications are the letters of notify-keyspace-events. The place of a letter is that of its bit in Engine.notify.
const notifications = eventClasses + "nmKE"

// bit is the one of an event's class in Engine.notify.
func (class EventClass) bit() uint32 { return 1 << strings.IndexByte(notifications, byte(class)) }

// selectEvents makes the letters of notify-keyspace-events work.
func (e *Engine) selectEvents(letters string) {
	bits := uint32(0)
	for i := range len(letters) {
		if letters[i] == 'A' {
			bits |= 1<<len(eventClasses) - 1
			continue
		}
		bits |= EventClass(letters[i]).bit()
	}
	if bits&(EventClass('K').bit()|EventClass('E').bit()) == 0 {
		bits = 0 // there is no channel to tell them on
	}
	e.notify.Store(bits)
}

// told reports whether anybody may want to know of an event.
func (e *Engine) told() bool {
	return e.onEvent != nil || e.notify.Load() != 0 || e.elsewhere.Load()&wantEvents != 0
}

// selected reports whether notify-keyspace-events selects a class of events, here or in another process that hears of them.
func (e *Engine) selected(class EventClass) bool {
	bits := uint64(e.notify.Load()) | e.elsewhere.Load()&wantEvents
	return bits != 0 && bits&uint64(class.bit()) != 0
}

// news is what a batch has to tell.
type news struct {
	items   []item
	written [][]byte // keys, for those who hear of Changes
	flushed bool     // a whole database was written
	held    bool     // there is a ticket
	ticket  uint64   // of Engine.telling
	effects effects
}

// item is an event or, if its event has no name, a message.
type item struct {
	event            Event
	kind             engine.Kind
	channel, payload []byte // borrowed until the batch ends
}

type newsMark struct{ items, written, effects int }

func (n *news) mark() newsMark { return newsMark{len(n.items), len(n.written), len(n.effects.items)} }

// truncate forgets what came after a mark.
func (n *news) truncate(m newsMark) {
	n.items, n.written = n.items[:m.items], n.written[:m.written]
	n.effects.truncate(m.effects)
}

// forget forgets all of it: the transaction came to nothing.
func (n *news) forget() {
	n.truncate(newsMark{})
	n.flushed = false
}

func (n *news) empty() bool {
	return len(n.items)+len(n.written) == 0 && !n.flushed && n.effects.empty()
}

func (n *news) reset() {
	if cap(n.items)+cap(n.written) > 1<<12 {
		*n = news{}
		return
	}
	clear(n.items)
	clear(n.written)
	n.effects.reset()
	*n = news{items: n.items[:0], written: n.written[:0], effects: n.effects}
}

// Event notes what happened to a key. Listeners are told once the transaction is committed.
func (c *Ctx) Event(class EventClass, name string, key []byte) { c.event(c.DB, class, name, key) }

func (c *Ctx) event(db int, class EventClass, name string, key []byte) {
	if c.Engine.onEvent == nil && !c.Engine.selected(class) {
		return
	}
	c.news.items = append(c.news.items, item{event: Event{db, class, name, append([]byte{}, key...)}})
}

// Note implements keyspace.Observer.
func (c *Ctx) Note(db int, key []byte, event string) {
	if event == "" {
		c.changes++
		c.news.effects.dirty++
	} else {
		c.gone(db, key, event)
	}
	switch {
	case event == "keymiss" && !c.Engine.selected(EventMiss): // of no interest to anybody else
	case event == "new" && !c.Engine.selected(EventNew):
	case event != "":
		c.event(db, ownEvents[event], event, key)
	case c.Engine.broker.trackers.Load() == 0 && c.Engine.elsewhere.Load()&wantChanges == 0:
	case key == nil:
		c.news.flushed = true
	default:
		c.news.written = append(c.news.written, append([]byte{}, key...))
	}
}

// Done implements keyspace.Observer.
func (c *Ctx) Done(kept bool) {
	if !kept {
		c.news.forget()
	}
	if !c.news.empty() && !c.news.held {
		c.news.ticket, c.news.held = c.Engine.telling.take(), true
	}
	if c.tells { // or nobody could tell anything while this call waits
		c.tellSoon()
	}
}

// tellSoon tells the news of a batch that goes on.
func (c *Ctx) tellSoon() {
	if c.news.held {
		c.tellNews()
		c.news.reset()
	}
}

// handOver leaves what there is to tell to the batch in whose transaction this call runs, if it is another's: its own news
// come first.
func (c *Ctx) handOver(tx keyspace.Tx) {
	if c.Session != nil {
		c.Session.Served()
	}
	if host := c.host(tx); host != c {
		host.woke = true
		host.news.items = append(host.news.items, c.news.items...)
		host.news.written = append(host.news.written, c.news.written...)
		c.news.reset()
	}
}

// tellNews tells the news, once the transaction is over.
func (c *Ctx) tellNews() {
	if !c.news.held {
		return
	}
	e, n := c.Engine, &c.news
	e.telling.enter(n.ticket)
	for i := range n.items {
		if it := &n.items[i]; it.event.Name != "" {
			e.announce(&it.event)
		} else {
			e.broker.publish(it.kind, it.channel, it.payload)
		}
	}
	if n.flushed {
		e.broker.changed(nil, c.Session)
	}
	if len(n.written) > 0 {
		e.broker.changed(n.written, c.Session)
	}
	if !n.effects.empty() {
		e.followers.tell(&n.effects)
	}
	n.held = false
	e.telling.leave()
}

// announce tells an event of this process.
func (e *Engine) announce(v *Event) {
	if e.onEvent != nil {
		e.onEvent(*v)
	}
	e.notifyOf(v)
}

// notifyOf tells an event as notify-keyspace-events wants it.
func (e *Engine) notifyOf(v *Event) {
	bits := e.notify.Load()
	if bits&v.Class.bit() == 0 {
		return
	}
	at := append(strconv.AppendInt([]byte("@"), int64(v.DB), 10), "__:"...)
	if bits&EventClass('K').bit() != 0 {
		e.broker.publish(engine.Channel, append(append([]byte("__keyspace"), at...), v.Key...), []byte(v.Name))
	}
	if bits&EventClass('E').bit() != 0 {
		e.broker.publish(engine.Channel, append(append([]byte("__keyevent"), at...), v.Name...), v.Key)
	}
}

// onlooker tells of transactions that are no batch's: what expires while nobody asks for it.
type onlooker struct{ *Ctx }

// Note implements keyspace.Observer.
func (o *onlooker) Note(db int, key []byte, event string) {
	e := &o.news.effects
	e.on = o.Engine.followers.on.Load()
	o.Ctx.Note(db, key, event)
	if event != "" && event != "hexpired" {
		e.part()
	}
}

// Fields implements keyspace.FieldObserver.
func (o *onlooker) Fields(db int, key []byte, list func() [][]byte) {
	o.news.effects.on = o.Engine.followers.on.Load()
	o.Ctx.Fields(db, key, list)
	o.news.effects.part()
}

// Done implements keyspace.Observer.
func (o *onlooker) Done(kept bool) {
	o.Ctx.Done(kept)
	o.tellNews()
	o.news.reset()
}

// Took implements keyspace.Timed.
func (o *onlooker) Took(event string, ms int64) {
	o.Engine.late(event, o.Engine.now().Unix(), time.Duration(ms)*time.Millisecond)
}
