// What 200 goroutines may do at once with caches and functions, and what has to come of it.
//
// Each of them has keys and tags that are its own, with a model that knows what each call on them returns and what is left at the end, to the byte
// and the hour. The others are shared by all: of these it is known what nobody may see (model_shared_test.go). At the end, each key of the engine is
// one that was promised, with the time to live that was promised.

package cache_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/internal/kittest"
)

var (
	seed  = flag.Uint64("seed", 0, "seed of the random choices; 0: another one each time")
	steps = flag.Int("steps", defaultSteps, "number of steps that each goroutine takes")
)

const (
	walkers      = 200
	defaultSteps = 12
)

// note is a value that says where it was put, by whom, and for how long.
type note struct {
	Key       string
	Writer, N int    // the N-th of the writer
	Hours     int    // how long it stays, 0: for ever
	Pad       string // follows from the others, so that half a note is none
}

func noteOf(key string, writer, n, hours int) note {
	return note{key, writer, n, hours, strings.Repeat(fmt.Sprint(n, "."), writer%7)}
}

// stay is a time to live of whole hours, 0 for ever. No test takes half an hour, so that what is left of one tells which it was.
func stay(hours int) time.Duration {
	if hours == 0 {
		return cache.Forever
	}
	return time.Duration(hours) * time.Hour
}

// hoursOf is stay, backwards.
func hoursOf(ttl time.Duration) int {
	if ttl == cache.Forever {
		return 0
	}
	return max(int(ttl.Round(time.Hour)/time.Hour), 1)
}

// version counts what has happened to a tag.
type version struct{ purged, expired int }

// tag is a tag of one walker.
type tag struct {
	version
	there bool // its key is
	hours int  // how long
}

// place is what is at a key of one walker.
type place struct {
	kind   string // "": nothing
	hours  int
	value  note
	tags   map[string]version // that the value has, as they were when its load began
	fields map[string]note
	list   []note
	behind bool // changed since the near cache was told
}

// walker is one of the goroutines.
type walker struct {
	*ground
	t   *testing.T
	ctx context.Context
	id  int
	rng *rand.Rand
	n   int // notes it has made

	places map[string]*place
	tags   map[string]*tag
	memos  map[string]*memo // by prefix and key of a Func
	load   cache.Load[note]
	loads  map[string]version // of the load; nil: there is none

	seen  map[sighting]int // the newest note of another at a shared key, by its number
	wrote map[string]int   // its own last note at a shared key

	queue *cache.Queue[note] // of what it calls; nil: each call is made at once
	due   []func()           // checks of what is queued
	story []string
	drawn map[string]int
}

// fail tells what went wrong, unless something has before.
func (w *walker) fail(format string, args ...any) {
	if w.failed.CompareAndSwap(false, true) {
		w.t.Errorf("walker %d: %s\nafter %s", w.id, fmt.Sprintf(format, args...), strings.Join(w.story[max(0, len(w.story)-30):], "\n      "))
	}
}

func (w *walker) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
}

// check makes a call at once or queues it, and has what it returns looked at.
func check[R any](w *walker, now func() (R, error), queued func(cache.Queue[note]) cache.Pending[R], look func(R, error)) {
	if w.queue == nil {
		look(now())
		return
	}
	pending := queued(*w.queue)
	w.due = append(w.due, func() { look(pending.Value()) })
}

// ask is check of what has to be returned.
func ask[R any](w *walker, what string, want R, wantErr error, now func() (R, error), queued func(cache.Queue[note]) cache.Pending[R]) {
	askLate(w, what, func() (R, error) { return want, wantErr }, now, queued)
}

// askLate is ask where the tags count that there are when a queued call has been made.
func askLate[R any](w *walker, what string, wanted func() (R, error), now func() (R, error), queued func(cache.Queue[note]) cache.Pending[R]) {
	w.tell("%s", what)
	check(w, now, queued, func(got R, err error) {
		if want, wantErr := wanted(); !reflect.DeepEqual(got, want) || !errors.Is(err, wantErr) {
			w.fail("%s is %v and %v, not %v and %v", what, got, err, want, wantErr)
		}
	})
}

// together makes the calls of do in a pipeline or transaction.
func (w *walker) together(transaction bool, do func()) {
	pipe := w.db.Pipeline()
	if transaction {
		pipe = w.db.TxPipeline()
	}
	q := w.c.In(pipe)
	w.queue = &q
	do()
	w.queue = nil
	if pipe.Len() > 0 {
		_, _ = pipe.Exec(w.ctx) // each call has its error
	}
	for _, look := range w.due {
		look()
	}
	w.due = nil
}

// stored is what Set of a queue returns.
func stored(err error) (bool, error) { return err == nil, err }

// note makes a new note.
func (w *walker) note(key string, hours int) note {
	w.n++
	return noteOf(key, w.id, w.n, hours)
}

// name draws a key of its own. Those of a pipeline are in one slot.
func (w *walker) name() string {
	format := "{%d}%c"
	if w.queue == nil && w.rng.IntN(2) == 0 {
		format = "%d:%c"
	}
	return fmt.Sprintf(format, w.id, 'a'+rune(w.rng.IntN(3)))
}

// names draws some keys, now and then one twice.
func (w *walker) names() []string {
	all := make([]string, 1+w.rng.IntN(4))
	for i := range all {
		all[i] = w.name()
	}
	return all
}

// at is what is at a key.
func (w *walker) at(key string) *place {
	if w.places[key] == nil {
		w.places[key] = &place{}
	}
	return w.places[key]
}

// put is what follows from storing something.
func (w *walker) put(key string, p place) {
	p.behind = true
	*w.at(key) = p
}

// drop is what follows from deleting what is at a key, and tells whether there was something.
func (w *walker) drop(key string) bool {
	was := w.at(key).kind != ""
	w.put(key, place{})
	return was
}

// hours draws a time to live.
func (w *walker) hours() int { return w.rng.IntN(6) }

// read is what Get returns of what is at a place.
func (w *walker) read(p place) (note, error) {
	switch p.kind {
	case "":
		return note{}, cache.ErrMiss
	case "hash", "list":
		return note{}, cache.ErrWrongType
	}
	var err error
	for name, v := range p.tags {
		switch now := w.tag(name).version; {
		case now.purged != v.purged:
			return note{}, cache.ErrMiss
		case now != v:
			err = cache.ErrStale
		}
	}
	return p.value, err
}

// getting is what Get of a key returns, once it is made.
func (w *walker) getting(key string) func() (note, error) {
	p := *w.at(key)
	return func() (note, error) { return w.read(p) }
}

// gettingMany is what GetMany returns, once it is made.
func (w *walker) gettingMany(keys []string) func() ([]cache.Found[note], error) {
	var reads []func() (note, error)
	for _, key := range keys {
		reads = append(reads, w.getting(key))
	}
	return func() ([]cache.Found[note], error) {
		all := make([]cache.Found[note], len(keys))
		for i, read := range reads {
			value, err := read()
			if err == nil || err == cache.ErrStale {
				all[i] = cache.Found[note]{Value: value, OK: true, Stale: err != nil}
			}
		}
		return all, nil
	}
}

func (w *walker) tag(name string) *tag {
	if w.tags[name] == nil {
		w.tags[name] = &tag{}
	}
	return w.tags[name]
}

// tagNames draws some tags of its own, which are in the slot of its keys.
func (w *walker) tagNames() []string {
	var all []string
	for i := range 2 {
		if w.rng.IntN(2) == 0 {
			all = append(all, fmt.Sprintf("{%d}%d", w.id, i))
		}
	}
	return all
}

// take is what follows from a load that begins, or ends, with tags that stay.
func (w *walker) take(tags []string, hours int) map[string]version {
	held := map[string]version{}
	for _, name := range tags {
		t := w.tag(name)
		if !t.there {
			t.there, t.hours = true, 0
		}
		t.hours = max(t.hours, hours)
		held[name] = t.version
	}
	return held
}

// tagged is how many hours a value with tags stays.
func tagged(hours int) int { return cmp.Or(hours, 30*24) }

// step is a kind of call on a walker's own keys.
type step struct {
	name  string
	joins bool // a pipeline
	do    func(w *walker)
}

// own are all of them. Each is called with the model's answer, which changes at once: what is queued is done in that order.
var own = []step{
	{"Set", true, func(w *walker) {
		key, hours := w.name(), w.hours()
		v := w.note(key, hours)
		ask(w, "Set "+key, true, nil, func() (bool, error) { return stored(w.c.Set(w.ctx, key, v, stay(hours))) },
			func(q cache.Queue[note]) cache.Pending[bool] { return q.Set(w.ctx, key, v, stay(hours)) })
		w.put(key, place{kind: "value", value: v, hours: hours})
	}},
	{"SetIf", true, func(w *walker) {
		key, hours := w.name(), w.hours()
		v := w.note(key, hours)
		condition := []cache.Condition{cache.IfMissing, cache.IfExists}[w.rng.IntN(2)]
		stores := (w.at(key).kind == "") == (condition == cache.IfMissing)
		ask(w, fmt.Sprint("SetIf ", condition, " ", key), stores, nil, func() (bool, error) { return w.c.SetIf(w.ctx, condition, key, v, stay(hours)) },
			func(q cache.Queue[note]) cache.Pending[bool] { return q.SetIf(w.ctx, condition, key, v, stay(hours)) })
		if stores {
			w.put(key, place{kind: "value", value: v, hours: hours})
		}
	}},
	{"SetMany", true, func(w *walker) {
		hours, values := w.hours(), map[string]note{}
		for _, key := range w.names() {
			values[key] = w.note(key, hours)
			w.put(key, place{kind: "value", value: values[key], hours: hours})
		}
		ask(w, fmt.Sprint("SetMany ", slices.Sorted(maps.Keys(values))), struct{}{}, nil,
			func() (struct{}, error) { return struct{}{}, w.c.SetMany(w.ctx, values, stay(hours)) },
			func(q cache.Queue[note]) cache.Pending[struct{}] { return q.SetMany(w.ctx, values, stay(hours)) })
	}},
	{"Get", true, func(w *walker) {
		key := w.name()
		askLate(w, "Get "+key, w.getting(key), func() (note, error) { return w.c.Get(w.ctx, key) },
			func(q cache.Queue[note]) cache.Pending[note] { return q.Get(w.ctx, key) })
	}},
	{"GetMany", true, func(w *walker) {
		keys := w.names()
		askLate(w, fmt.Sprint("GetMany ", keys), w.gettingMany(keys), func() ([]cache.Found[note], error) { return w.c.GetMany(w.ctx, keys...) },
			func(q cache.Queue[note]) cache.Pending[[]cache.Found[note]] { return q.GetMany(w.ctx, keys...) })
	}},
	{"Delete", true, func(w *walker) {
		key := w.name()
		ask(w, "Delete "+key, w.drop(key), nil, func() (bool, error) { return w.c.Delete(w.ctx, key) },
			func(q cache.Queue[note]) cache.Pending[bool] { return q.Delete(w.ctx, key) })
	}},
	{"DeleteMany", true, func(w *walker) {
		keys, deleted := w.names(), 0
		for _, key := range keys {
			if w.drop(key) {
				deleted++
			}
		}
		ask(w, fmt.Sprint("DeleteMany ", keys), deleted, nil, func() (int, error) { return w.c.DeleteMany(w.ctx, keys...) },
			func(q cache.Queue[note]) cache.Pending[int] { return q.DeleteMany(w.ctx, keys...) })
	}},
	{"Exists", true, func(w *walker) {
		key := w.name()
		ask(w, "Exists "+key, w.at(key).kind != "", nil, func() (bool, error) { return w.c.Exists(w.ctx, key) },
			func(q cache.Queue[note]) cache.Pending[bool] { return q.Exists(w.ctx, key) })
	}},
	{"TTL", true, func(w *walker) { w.askTTL(w.name()) }},
	{"ExpireIn", true, func(w *walker) {
		key, hours := w.name(), w.hours()
		ttl, p := stay(hours), w.at(key)
		existed := p.kind != ""
		if w.rng.IntN(4) == 0 {
			ttl = -ttl
			w.drop(key)
		}
		ask(w, fmt.Sprint("ExpireIn ", key, " ", ttl), existed, nil, func() (bool, error) { return w.c.ExpireIn(w.ctx, key, ttl) },
			func(q cache.Queue[note]) cache.Pending[bool] { return q.ExpireIn(w.ctx, key, ttl) })
		p.hours = hours
	}},
	{"ExpireAt", true, func(w *walker) {
		key, hours := w.name(), 1+w.rng.IntN(5)
		at, p := time.Now().Add(stay(hours)), w.at(key)
		existed := p.kind != ""
		if w.rng.IntN(4) == 0 {
			at = time.Now().Add(-time.Minute)
			w.drop(key)
		}
		ask(w, fmt.Sprint("ExpireAt ", key, " ", at), existed, nil, func() (bool, error) { return w.c.ExpireAt(w.ctx, key, at) },
			func(q cache.Queue[note]) cache.Pending[bool] { return q.ExpireAt(w.ctx, key, at) })
		p.hours = hours
	}},
	{"Persist", true, func(w *walker) {
		key := w.name()
		p := w.at(key)
		ask(w, "Persist "+key, p.kind != "" && p.hours > 0, nil, func() (bool, error) { return w.c.Persist(w.ctx, key) },
			func(q cache.Queue[note]) cache.Pending[bool] { return q.Persist(w.ctx, key) })
		p.hours = 0
	}},
	{"Hash.Set", true, func(w *walker) {
		key, hours := w.name(), w.hours()
		values := map[string]note{}
		for range 1 + w.rng.IntN(3) {
			values[w.field()] = w.note(key, hours)
		}
		added := 0
		p, wantErr := w.expect(key, "hash")
		if wantErr == nil {
			all := maps.Clone(p.fields)
			if all == nil {
				all = map[string]note{}
			}
			maps.Copy(all, values)
			added = len(all) - len(p.fields)
			w.put(key, place{kind: "hash", fields: all, hours: hours})
		}
		ask(w, fmt.Sprint("Hash.Set ", key, " ", slices.Sorted(maps.Keys(values))), added, wantErr, func() (int, error) { return w.c.Hash(key).Set(w.ctx, values, stay(hours)) },
			func(q cache.Queue[note]) cache.Pending[int] { return q.Hash(key).Set(w.ctx, values, stay(hours)) })
	}},
	{"Hash.Get", true, func(w *walker) {
		key, field := w.name(), w.field()
		p, wantErr := w.expect(key, "hash")
		want, ok := p.fields[field]
		if !ok && wantErr == nil {
			wantErr = cache.ErrMiss
		}
		ask(w, "Hash.Get "+key+" "+field, want, wantErr, func() (note, error) { return w.c.Hash(key).Get(w.ctx, field) },
			func(q cache.Queue[note]) cache.Pending[note] { return q.Hash(key).Get(w.ctx, field) })
	}},
	{"Hash.All", true, func(w *walker) { w.askAll(w.name()) }},
	{"Hash.Delete", true, func(w *walker) {
		key, fields := w.name(), []string{w.field(), w.field()}
		deleted := 0
		p, wantErr := w.expect(key, "hash")
		if wantErr == nil && p.kind == "hash" {
			left := maps.Clone(p.fields)
			maps.DeleteFunc(left, func(field string, _ note) bool { return slices.Contains(fields, field) })
			deleted = len(p.fields) - len(left)
			if len(left) == 0 {
				w.drop(key)
			} else {
				w.put(key, place{kind: "hash", fields: left, hours: p.hours})
			}
		}
		ask(w, fmt.Sprint("Hash.Delete ", key, " ", fields), deleted, wantErr, func() (int, error) { return w.c.Hash(key).Delete(w.ctx, fields...) },
			func(q cache.Queue[note]) cache.Pending[int] { return q.Hash(key).Delete(w.ctx, fields...) })
	}},
	{"Hash.Len", true, func(w *walker) {
		key := w.name()
		p, wantErr := w.expect(key, "hash")
		ask(w, "Hash.Len "+key, len(p.fields), wantErr, func() (int, error) { return w.c.Hash(key).Len(w.ctx) },
			func(q cache.Queue[note]) cache.Pending[int] { return q.Hash(key).Len(w.ctx) })
	}},
	{"List.PushFront", true, func(w *walker) {
		w.push(func(list, values []note) []note {
			values = slices.Clone(values)
			slices.Reverse(values)
			return append(values, list...)
		}, func(key string, ttl time.Duration, values []note) (int, error) {
			return w.c.List(key).PushFront(w.ctx, ttl, values...)
		}, func(l cache.QueuedList[note], ttl time.Duration, values []note) cache.Pending[int] {
			return l.PushFront(w.ctx, ttl, values...)
		})
	}},
	{"List.PushBack", true, func(w *walker) {
		w.push(func(list, values []note) []note { return append(slices.Clone(list), values...) }, func(key string, ttl time.Duration, values []note) (int, error) {
			return w.c.List(key).PushBack(w.ctx, ttl, values...)
		}, func(l cache.QueuedList[note], ttl time.Duration, values []note) cache.Pending[int] {
			return l.PushBack(w.ctx, ttl, values...)
		})
	}},
	{"List.PopFront", true, func(w *walker) {
		w.pop(func(list []note, n int) (popped, left []note) { return list[:n], list[n:] },
			func(key string, n int) ([]note, error) { return w.c.List(key).PopFront(w.ctx, n) },
			func(l cache.QueuedList[note], n int) cache.Pending[[]note] { return l.PopFront(w.ctx, n) })
	}},
	{"List.PopBack", true, func(w *walker) {
		w.pop(func(list []note, n int) (popped, left []note) {
			popped = slices.Clone(list[len(list)-n:])
			slices.Reverse(popped)
			return popped, list[:len(list)-n]
		}, func(key string, n int) ([]note, error) { return w.c.List(key).PopBack(w.ctx, n) },
			func(l cache.QueuedList[note], n int) cache.Pending[[]note] { return l.PopBack(w.ctx, n) })
	}},
	{"List.Range", true, func(w *walker) { w.askRange(w.name()) }},
	{"List.Len", true, func(w *walker) {
		key := w.name()
		p, wantErr := w.expect(key, "list")
		ask(w, "List.Len "+key, len(p.list), wantErr, func() (int, error) { return w.c.List(key).Len(w.ctx) },
			func(q cache.Queue[note]) cache.Pending[int] { return q.List(key).Len(w.ctx) })
	}},
	{"PurgeTags", true, (*walker).purgeTags},
	{"ExpireTags", false, (*walker).expireTags},
	{"SetTagged", false, func(w *walker) {
		key, hours, tags := w.name(), w.hours(), w.tagNames()
		v := w.note(key, tagged(hours))
		ask(w, fmt.Sprint("SetTagged ", key, " ", tags), true, nil, func() (bool, error) { return stored(w.c.SetTagged(w.ctx, key, v, stay(hours), tags...)) }, nil)
		w.put(key, place{kind: "value", value: v, hours: tagged(hours), tags: w.take(tags, tagged(hours)+1)})
	}},
	{"Begin", false, (*walker).begin},
	{"Load.Set", false, func(w *walker) {
		if w.loads == nil || w.rng.IntN(2) == 0 {
			w.begin()
		}
		switch w.rng.IntN(4) {
		case 0:
			w.purgeTags()
		case 1:
			w.expireTags()
		}
		key, hours := w.name(), w.hours()
		v := w.note(key, tagged(hours))
		var wantErr error
		if now := w.take(slices.Collect(maps.Keys(w.loads)), tagged(hours)+1); !maps.Equal(now, w.loads) {
			wantErr = cache.ErrOutdated
		} else {
			w.put(key, place{kind: "value", value: v, hours: tagged(hours), tags: now})
		}
		ask(w, "Load.Set "+key, wantErr == nil, wantErr, func() (bool, error) { return stored(w.load.Set(w.ctx, key, v, stay(hours))) }, nil)
	}},
	{"Near.Set", false, func(w *walker) {
		key, hours := w.name(), w.hours()
		v := w.note(key, hours)
		ask(w, "Near.Set "+key, true, nil, func() (bool, error) { return stored(w.near.Set(w.ctx, key, v, stay(hours))) }, nil)
		*w.at(key) = place{kind: "value", value: v, hours: hours}
		w.askNear(key)
	}},
	{"Near.Get", false, func(w *walker) {
		key := w.name()
		for range 2 { // the second time it is there, mostly
			w.askNear(key)
		}
	}},
	{"Near.GetMany", false, func(w *walker) {
		keys := w.names()
		for _, key := range keys {
			w.forget(key)
		}
		askLate(w, fmt.Sprint("Near.GetMany ", keys), w.gettingMany(keys), func() ([]cache.Found[note], error) { return w.near.GetMany(w.ctx, keys...) }, nil)
	}},
	{"Near.Delete", false, func(w *walker) {
		key := w.name()
		ask(w, "Near.Delete "+key, w.drop(key), nil, func() (bool, error) { return w.near.Delete(w.ctx, key) }, nil)
		w.at(key).behind = false
		w.askNear(key)
	}},
	{"a millisecond", false, func(w *walker) {
		key := fmt.Sprintf("{%d}brief", w.id)
		v := w.note(key, 0)
		w.tell("Set %s for a millisecond", key)
		if err := w.c.Set(w.ctx, key, v, time.Millisecond); err != nil {
			w.fail("Set for a millisecond: %v", err)
		}
		if got, err := w.c.Get(w.ctx, key); err == nil && got != v || err != nil && !errors.Is(err, cache.ErrMiss) {
			w.fail("what was set for a millisecond is %v and %v", got, err)
		}
	}},
	{"Func.Get", false, func(w *walker) {
		f, prefix := w.function()
		key := w.memoName()
		want, wantErr := w.memo(prefix, key)
		ask(w, "Func.Get "+prefix+key, want, wantErr, func() (note, error) { return f.Get(w.ctx, key) }, nil)
	}},
	{"Func.GetMany", false, func(w *walker) {
		f, prefix := w.function()
		keys := []string{w.memoName(), w.memoName()}
		var want []cache.Found[note]
		for _, key := range keys {
			value, err := w.memo(prefix, key)
			want = append(want, cache.Found[note]{Value: value, OK: err == nil})
		}
		ask(w, fmt.Sprint("Func.GetMany ", prefix, keys), want, nil, func() ([]cache.Found[note], error) { return f.GetMany(w.ctx, keys...) }, nil)
	}},
	{"Func.Purge", false, func(w *walker) {
		f, prefix := w.function()
		key := w.memoName()
		m := w.remember(prefix, key)
		ask(w, "Func.Purge "+prefix+key, m.there, nil, func() (bool, error) { return f.Purge(w.ctx, key) }, nil)
		m.there = false
	}},
}

func (w *walker) purgeTags() {
	tags := w.tagNames()
	ask(w, fmt.Sprint("PurgeTags ", tags), true, nil, func() (bool, error) { return stored(w.c.PurgeTags(w.ctx, tags...)) },
		func(q cache.Queue[note]) cache.Pending[bool] { return q.PurgeTags(w.ctx, tags...) })
	for _, name := range tags {
		t := w.tag(name)
		t.there, t.purged = false, t.purged+1
	}
}

func (w *walker) expireTags() {
	tags := w.tagNames()
	ask(w, fmt.Sprint("ExpireTags ", tags), true, nil, func() (bool, error) { return stored(w.c.ExpireTags(w.ctx, tags...)) }, nil)
	for _, name := range tags {
		w.tag(name).expired++
	}
}

func (w *walker) begin() {
	tags := w.tagNames()
	var err error
	w.tell("Begin %v", tags)
	if w.load, err = w.c.Begin(w.ctx, tags...); err != nil {
		w.fail("Begin: %v", err)
	}
	w.loads = w.take(tags, 1)
}

// field draws the field of a hash.
func (w *walker) field() string { return string('f' + rune(w.rng.IntN(3))) }

// expect is what is at a key, and the error of calls that want a kind of it.
func (w *walker) expect(key, kind string) (p place, err error) {
	if p = *w.at(key); p.kind != "" && p.kind != kind {
		return place{}, cache.ErrWrongType
	}
	return p, nil
}

func (w *walker) askTTL(key string) {
	p := *w.at(key)
	w.tell("TTL %s", key)
	check(w, func() (time.Duration, error) { return w.c.TTL(w.ctx, key) },
		func(q cache.Queue[note]) cache.Pending[time.Duration] { return q.TTL(w.ctx, key) }, func(ttl time.Duration, err error) {
			switch {
			case p.kind == "" && errors.Is(err, cache.ErrMiss):
			case p.kind == "" || err != nil || hoursOf(ttl) != p.hours:
				w.fail("%s stays for %v and %v, it was to be %d hours of a %q", key, ttl, err, p.hours, p.kind)
			}
		})
}

func (w *walker) askAll(key string) {
	p, wantErr := w.expect(key, "hash")
	want := p.fields
	if want == nil && wantErr == nil {
		want = map[string]note{}
	}
	ask(w, "Hash.All "+key, want, wantErr, func() (map[string]note, error) { return w.c.Hash(key).All(w.ctx) },
		func(q cache.Queue[note]) cache.Pending[map[string]note] { return q.Hash(key).All(w.ctx) })
}

func (w *walker) askRange(key string) {
	p, wantErr := w.expect(key, "list")
	want := p.list
	if want == nil && wantErr == nil {
		want = []note{}
	}
	ask(w, "List.Range "+key, want, wantErr, func() ([]note, error) { return w.c.List(key).Range(w.ctx, 0, -1) },
		func(q cache.Queue[note]) cache.Pending[[]note] { return q.List(key).Range(w.ctx, 0, -1) })
}

// push puts up to three notes to a list.
func (w *walker) push(model func(list, values []note) []note, now func(key string, ttl time.Duration, values []note) (int, error),
	queued func(l cache.QueuedList[note], ttl time.Duration, values []note) cache.Pending[int]) {
	key, hours := w.name(), w.hours()
	values := make([]note, 1+w.rng.IntN(3))
	for i := range values {
		values[i] = w.note(key, hours)
	}
	length := 0
	p, wantErr := w.expect(key, "list")
	if wantErr == nil {
		all := model(p.list, values)
		length = len(all)
		w.put(key, place{kind: "list", list: all, hours: hours})
	}
	ask(w, fmt.Sprint("push ", key, " ", len(values)), length, wantErr, func() (int, error) { return now(key, stay(hours), values) },
		func(q cache.Queue[note]) cache.Pending[int] { return queued(q.List(key), stay(hours), values) })
}

// pop takes up to two notes from a list.
func (w *walker) pop(model func(list []note, n int) (popped, left []note), now func(key string, n int) ([]note, error),
	queued func(l cache.QueuedList[note], n int) cache.Pending[[]note]) {
	key, n := w.name(), 1+w.rng.IntN(2)
	p, wantErr := w.expect(key, "list")
	var popped []note
	if wantErr == nil {
		var left []note
		popped, left = model(p.list, min(n, len(p.list)))
		popped = append([]note{}, popped...)
		switch {
		case len(left) > 0:
			w.put(key, place{kind: "list", list: left, hours: p.hours})
		case p.kind == "list":
			w.drop(key)
		}
	}
	ask(w, fmt.Sprint("pop ", key, " ", n), popped, wantErr, func() ([]note, error) { return now(key, n) },
		func(q cache.Queue[note]) cache.Pending[[]note] { return queued(q.List(key), n) })
}

// forget has the near cache forget what the cache behind it has changed.
func (w *walker) forget(key string) {
	if p := w.at(key); p.behind {
		w.near.Forget(key)
		p.behind = false
	}
}

func (w *walker) askNear(key string) {
	w.forget(key)
	askLate(w, "Near.Get "+key, w.getting(key), func() (note, error) { return w.near.Get(w.ctx, key) }, nil)
}

// walk takes the steps of one goroutine.
func (w *walker) walk() {
	joining := slices.DeleteFunc(slices.Clone(own), func(s step) bool { return !s.joins })
	draw := func(from []step) {
		s := from[w.rng.IntN(len(from))]
		w.drawn[s.name]++
		s.do(w)
	}
	for range *steps {
		if w.failed.Load() {
			return
		}
		switch kind := w.rng.IntN(10); {
		case kind < 4:
			draw(own)
		case kind < 6:
			transaction := w.rng.IntN(2) == 0
			w.tell("a pipeline, MULTI %v", transaction)
			w.together(transaction, func() {
				for range 2 + w.rng.IntN(5) {
					draw(joining)
				}
			})
		default:
			draw(common)
		}
	}
	w.tell("the end")
	w.together(false, w.askWhatIsLeft)
}

// askWhatIsLeft compares all of its own keys with the model.
func (w *walker) askWhatIsLeft() {
	for _, key := range slices.Sorted(maps.Keys(w.places)) {
		w.askTTL(key)
		switch w.places[key].kind {
		case "hash":
			w.askAll(key)
		case "list":
			w.askRange(key)
		default:
			askLate(w, "Get "+key, w.getting(key), nil, func(q cache.Queue[note]) cache.Pending[note] { return q.Get(w.ctx, key) })
		}
	}
}

func TestManyGoroutinesEndAsTheirModelsSay(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		s := *seed
		for s == 0 {
			s = rand.Uint64()
		}
		t.Logf("-seed %d", s)
		g := newGround(t, db)
		all := make([]*walker, walkers)
		for i := range all {
			all[i] = &walker{ground: g, t: t, ctx: t.Context(), id: i, rng: rand.New(rand.NewPCG(s, uint64(i))),
				places: map[string]*place{}, tags: map[string]*tag{}, memos: map[string]*memo{}, seen: map[sighting]int{}, wrote: map[string]int{}, drawn: map[string]int{}}
		}
		many(walkers, func(i int) { all[i].walk() })
		if t.Failed() {
			return
		}
		g.compare(t, all)
		if *steps < defaultSteps { // too few to have drawn everything
			return
		}
		drawn := map[string]int{}
		for _, w := range all {
			for name, n := range w.drawn {
				drawn[name] += n
			}
		}
		for _, s := range slices.Concat(own, common) {
			if drawn[s.name] == 0 {
				t.Errorf("nobody has called %s", s.name)
			}
		}
		if g.near.Stats().Hits == 0 {
			t.Error("nothing came from the near cache")
		}
	})
}

// everyKey is all keys of an engine.
func everyKey(t *testing.T, db *redbud.DB) (keys []string) {
	t.Helper()
	var mu sync.Mutex // guards keys
	scan := func(ctx context.Context, node *redis.Client) error {
		it := node.Scan(ctx, 0, "*", 1000).Iterator()
		for it.Next(ctx) {
			mu.Lock()
			keys = append(keys, it.Val())
			mu.Unlock()
		}
		return it.Err()
	}
	var err error
	if c, ok := db.UniversalClient.(*redis.ClusterClient); ok {
		err = c.ForEachMaster(t.Context(), scan)
	} else {
		err = scan(t.Context(), db.UniversalClient.(*redis.Client))
	}
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
