// What 200 goroutines share, and what none of them may see (model_test.go).

package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
)

// How many of each kind are shared.
const (
	registers = 4 // that are set and read
	contests  = 5 // that are set if missing, once
	pooled    = 8 // that are set if missing, and deleted
	clubs     = 3 // of keys that are set and deleted together
	teams     = 2 // of fields likewise
	rows      = 2 // lists
	labels    = 2 // tags
	labelled  = 4 // values with these
	answers   = 3 // keys of each Func
)

// Who makes notes and is no walker.
const (
	loader    = 3
	tagLoader = 5
)

// How long what is shared stays, in hours.
const (
	sharedHours   = 2
	loadedHours   = 3
	notFoundHours = 4
)

// sighting is a shared key, and whose notes were seen there.
type sighting struct {
	key    string
	writer int
}

// anybody is the writer of a sighting of anything at all.
const anybody = -1

// memo is what a walker knows of one of its keys of a Func.
type memo struct {
	loads int
	there bool
}

// ground is what all walkers share.
type ground struct {
	db     *redbud.DB
	c      *cache.Cache[note]
	near   *cache.Near[note]
	funcs  map[string][]*cache.Func[string, note] // by prefix, each as two processes have it
	loaded sync.Map                               // by prefix and key of a Func: *atomic.Int64, how often it was loaded

	failed atomic.Bool
	notes  sync.Map // note: what somebody was about to put at a shared key

	wins   [contests]atomic.Int32
	winner [contests]atomic.Pointer[note]
	pool   atomic.Int64        // how many were stored, less those deleted
	fields [teams]atomic.Int64 // likewise
	pushed [2 * rows]atomic.Int64
	popped [2 * rows]atomic.Int64
	out    sync.Map // note: what was popped

	source  atomic.Int64                      // what a load of a shared key brings now
	purged  [labels]atomic.Int64              // what is older was purged
	expired [labels]atomic.Int64              // what is older was expired
	gone    map[string]*[answers]atomic.Int64 // what is older was purged, by the prefix of a Func
}

func newGround(t *testing.T, db *redbud.DB) *ground {
	t.Helper()
	g := &ground{db: db, c: open[note](t, db, cache.Options{Prefix: "m:"}), funcs: map[string][]*cache.Func[string, note]{}, gone: map[string]*[answers]atomic.Int64{}}
	var err error
	if g.near, err = g.c.Near(t.Context(), cache.NearOptions{MaxSilence: time.Minute}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.near.Close() })
	for _, prefix := range []string{"alone:", "fleet:"} {
		g.gone[prefix] = &[answers]atomic.Int64{}
		load := func(_ context.Context, key string) (note, error) { return g.compute(prefix, key) }
		for range 2 {
			g.funcs[prefix] = append(g.funcs[prefix], memoise(t, db, cache.FuncOptions[string, note]{
				Options: cache.Options{Prefix: prefix}, TTL: stay(loadedHours), NotFoundTTL: stay(notFoundHours), Fleet: prefix == "fleet:",
				Load: load,
				LoadMany: func(ctx context.Context, keys []string) ([]cache.Found[note], error) {
					all := make([]cache.Found[note], len(keys))
					for i, key := range keys {
						value, err := load(ctx, key)
						all[i] = cache.Found[note]{Value: value, OK: err == nil}
					}
					return all, nil
				},
			}))
		}
	}
	return g
}

// compute is the load of a Func.
func (g *ground) compute(prefix, key string) (note, error) {
	if strings.HasPrefix(key, "shared") {
		n := g.source.Load()
		runtime.Gosched()
		return noteOf(key, loader, int(n), loadedHours), nil
	}
	counter, _ := g.loaded.LoadOrStore(prefix+key, &atomic.Int64{})
	n := counter.(*atomic.Int64).Add(1)
	if strings.HasSuffix(key, "none") {
		return note{}, fmt.Errorf("%q: %w", key, cache.ErrNotFound)
	}
	return noteOf(key, loader, int(n), loadedHours), nil
}

// function draws a Func.
func (w *walker) function() (f *cache.Func[string, note], prefix string) {
	prefix = []string{"alone:", "fleet:"}[w.rng.IntN(2)]
	return w.funcs[prefix][w.rng.IntN(2)], prefix
}

// memoName draws a key of a Func that is its own.
func (w *walker) memoName() string {
	return fmt.Sprint(w.id, []string{"a", "b", "none"}[w.rng.IntN(3)])
}

func (w *walker) remember(prefix, key string) *memo {
	if w.memos[prefix+key] == nil {
		w.memos[prefix+key] = &memo{}
	}
	return w.memos[prefix+key]
}

// memo is what a Func returns.
func (w *walker) memo(prefix, key string) (note, error) {
	m := w.remember(prefix, key)
	if !m.there {
		m.there, m.loads = true, m.loads+1
	}
	if strings.HasSuffix(key, "none") {
		return note{}, cache.ErrNotFound
	}
	return noteOf(key, loader, m.loads, loadedHours), nil
}

// raise makes a number at least so large.
func raise(least *atomic.Int64, n int64) {
	for was := least.Load(); was < n && !least.CompareAndSwap(was, n); was = least.Load() {
	}
}

// announce is a new note that is about to be put at a shared key.
func (w *walker) announce(key string, hours int) note {
	v := w.note(key, hours)
	w.notes.Store(v, true)
	return v
}

// genuine looks whether somebody has put a note there.
func (w *walker) genuine(key string, v note) {
	if _, ok := w.notes.Load(v); !ok || v.Key != key {
		w.fail("nobody has put %v at %s", v, key)
	}
}

// sees looks at a note that was read: those of one writer come in their order.
func (w *walker) sees(key string, v note) {
	w.genuine(key, v)
	if last := w.seen[sighting{key, v.Writer}]; v.N < last {
		w.fail("%s is %v, after the %d-th of that writer", key, v, last)
	}
	w.seen[sighting{key, v.Writer}], w.seen[sighting{key, anybody}] = v.N, 1
}

// misses looks whether nothing may be there.
func (w *walker) misses(key string) {
	if w.seen[sighting{key, anybody}] != 0 {
		w.fail("%s is gone", key)
	}
}

// puts is what follows from having set a register.
func (w *walker) puts(v note) {
	w.seen[sighting{v.Key, w.id}], w.seen[sighting{v.Key, anybody}] = v.N, 1
	w.wrote[v.Key] = v.N
}

// done looks at the error of a call.
func (w *walker) done(what string, err error) bool {
	w.tell("%s: %v", what, err)
	if err != nil {
		w.fail("%s: %v", what, err)
	}
	return err == nil
}

// numbered draws a key.
func (w *walker) numbered(name string, n int) (key string, i int) {
	i = w.rng.IntN(n)
	return fmt.Sprint(name, i), i
}

// allOf are keys that are numbered.
func allOf(name string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(name, i)
	}
	return all
}

// clubKeys are the keys of a club, which are in one slot.
func (w *walker) clubKeys() []string {
	club, _ := w.numbered("{club", clubs)
	return allOf(club+"}", 4)
}

// alike looks whether notes that are put together are there together.
func (w *walker) alike(what string, keys []string, found []cache.Found[note]) {
	for i, f := range found {
		if f.OK != found[0].OK || f.Value.Writer != found[0].Value.Writer || f.Value.N != found[0].Value.N {
			w.fail("%s is torn: %v", what, found)
			return
		}
		if f.OK {
			w.genuine(keys[i], f.Value)
		}
	}
}

// team are the fields that are set together.
var team = []string{"x", "y", "z"}

// rowNames are the lists: the first are pushed to at the end and popped from at the beginning, the others at both.
var rowNames = slices.Concat(allOf("line", rows), allOf("heap", rows))

// ordered looks whether notes of a writer are in their order.
func (w *walker) ordered(key string, values []note) {
	last := map[int]int{}
	for _, v := range values {
		w.genuine(key, v)
		if strings.HasPrefix(key, "line") && v.N <= last[v.Writer] {
			w.fail("in %s is %v behind the %d-th of that writer", key, v, last[v.Writer])
		}
		last[v.Writer] = v.N
	}
}

// labelsOf are the tags of a shared value.
func labelsOf(i int) []int { return [][]int{{0}, {1}, {0, 1}, {1, 0}}[i%4] }

func labelNames(all []int) []string {
	names := make([]string, len(all))
	for i, l := range all {
		names[i] = fmt.Sprint("label", l)
	}
	return names
}

// newest is the largest of numbers.
func newest(all *[labels]atomic.Int64, of []int) (n int64) {
	for _, i := range of {
		n = max(n, all[i].Load())
	}
	return n
}

// outdates ends what was loaded before, which nobody may see, or not untold, once end has returned.
func (w *walker) outdates(what string, least *atomic.Int64, end func() error) {
	n := w.source.Add(1)
	if w.done(what, end()) {
		raise(least, n)
	}
}

// looksAt checks a shared value with tags, when what is older was purged and expired before it was asked for.
func (w *walker) looksAt(key string, f cache.Found[note], purged, expired int64) {
	switch n := int64(f.Value.N); {
	case !f.OK:
	case f.Value != noteOf(key, tagLoader, f.Value.N, sharedHours):
		w.fail("nobody has loaded %v for %s", f.Value, key)
	case n < purged, n < expired && !f.Stale:
		w.fail("%s is %v; before %d all was purged, and before %d expired", key, f, purged, expired)
	}
}

// answered checks a shared value of a Func, when what is older was purged before it was asked for.
func (w *walker) answered(key string, v note, least int64) {
	if v != noteOf(key, loader, v.N, loadedHours) || int64(v.N) < least {
		w.fail("%s is %v, before %d all was purged", key, v, least)
	}
}

// common are the kinds of calls on what is shared.
var common = []step{
	{"set a register", false, func(w *walker) {
		key, _ := w.numbered("register", registers)
		hours := w.hours()
		v := w.announce(key, hours)
		if w.done(fmt.Sprint("Set ", v), w.c.Set(w.ctx, key, v, stay(hours))) {
			w.puts(v)
		}
	}},
	{"set registers", false, func(w *walker) {
		hours, values := w.hours(), map[string]note{}
		for range 2 {
			key, _ := w.numbered("register", registers)
			values[key] = w.announce(key, hours)
		}
		if w.done(fmt.Sprint("SetMany ", values), w.c.SetMany(w.ctx, values, stay(hours))) {
			for _, v := range values {
				w.puts(v)
			}
		}
	}},
	{"get a register", false, func(w *walker) {
		key, _ := w.numbered("register", registers)
		v, err := w.c.Get(w.ctx, key)
		if errors.Is(err, cache.ErrMiss) {
			w.misses(key)
		} else if w.done(fmt.Sprint("Get ", v), err) {
			w.sees(key, v)
		}
	}},
	{"get a register and its TTL", false, func(w *walker) {
		key, _ := w.numbered("register", registers)
		pipe := w.db.TxPipeline()
		q := w.c.In(pipe)
		get, ttl := q.Get(w.ctx, key), q.TTL(w.ctx, key)
		_, _ = pipe.Exec(w.ctx) // the calls have the errors
		v, err := get.Value()
		left, ttlErr := ttl.Value()
		if errors.Is(err, cache.ErrMiss) && errors.Is(ttlErr, cache.ErrMiss) {
			w.misses(key)
		} else if w.done(fmt.Sprint("Get ", v, " and TTL ", left), errors.Join(err, ttlErr)) {
			w.sees(key, v)
			if hoursOf(left) != v.Hours {
				w.fail("%v stays for %v", v, left)
			}
		}
	}},
	{"get all registers", false, func(w *walker) {
		keys := allOf("register", registers)
		found, err := w.c.GetMany(w.ctx, keys...)
		if !w.done(fmt.Sprint("GetMany ", found), err) {
			return
		}
		for i, f := range found {
			if f.OK {
				w.sees(keys[i], f.Value)
			} else {
				w.misses(keys[i])
			}
		}
	}},
	{"get a register nearby", false, func(w *walker) { // which may be a little behind
		key, _ := w.numbered("register", registers)
		if v, err := w.near.Get(w.ctx, key); !errors.Is(err, cache.ErrMiss) && w.done(fmt.Sprint("Near.Get ", v), err) {
			w.genuine(key, v)
		}
	}},
	{"contest", false, func(w *walker) {
		key, i := w.numbered("contest", contests)
		v := w.announce(key, sharedHours)
		won, err := w.c.SetIf(w.ctx, cache.IfMissing, key, v, stay(sharedHours))
		if !w.done(fmt.Sprint("SetIf ", v, " ", won), err) {
			return
		}
		if won {
			w.wins[i].Add(1)
		}
		got, err := w.c.Get(w.ctx, key)
		if !w.done(fmt.Sprint("Get ", got), err) {
			return
		}
		if w.winner[i].CompareAndSwap(nil, &got); *w.winner[i].Load() != got || won && got != v {
			w.fail("%v has won %s, and so has %v, of %v", *w.winner[i].Load(), key, got, v)
		}
	}},
	{"fill the pool", false, func(w *walker) {
		key, _ := w.numbered("pool", pooled)
		v := w.announce(key, sharedHours)
		if stored, err := w.c.SetIf(w.ctx, cache.IfMissing, key, v, stay(sharedHours)); w.done(fmt.Sprint("SetIf ", v, " ", stored), err) && stored {
			w.pool.Add(1)
		}
	}},
	{"empty the pool", false, func(w *walker) {
		keys := allOf("pool", pooled)
		w.rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		if n, err := w.c.DeleteMany(w.ctx, keys[:3]...); w.done(fmt.Sprint("DeleteMany ", keys[:3], " ", n), err) {
			w.pool.Add(-int64(n))
		}
	}},
	{"set a club", false, func(w *walker) {
		keys, hours := w.clubKeys(), w.hours()
		values := map[string]note{}
		for _, key := range keys {
			v := noteOf(key, w.id, w.n, hours)
			w.notes.Store(v, true)
			values[key] = v
		}
		w.n++
		var err error
		pipe := w.db.TxPipeline()
		switch w.rng.IntN(3) {
		case 0:
			err = w.c.SetMany(w.ctx, values, stay(hours))
		case 1:
			pending := w.c.In(pipe).SetMany(w.ctx, values, stay(hours))
			_, _ = pipe.Exec(w.ctx)
			_, err = pending.Value()
		case 2:
			for key, v := range values {
				w.c.In(pipe).Set(w.ctx, key, v, stay(hours))
			}
			_, err = pipe.Exec(w.ctx)
		}
		w.done(fmt.Sprint("set together ", values), err)
	}},
	{"get a club", false, func(w *walker) {
		keys := w.clubKeys()
		found, err := w.c.GetMany(w.ctx, keys...)
		if w.done(fmt.Sprint("GetMany ", found), err) {
			w.alike(keys[0], keys, found)
		}
	}},
	{"delete a club", false, func(w *walker) {
		keys := w.clubKeys()
		n, err := w.c.DeleteMany(w.ctx, keys...)
		if w.done(fmt.Sprint("DeleteMany ", keys[0], " ", n), err) && n != 0 && n != len(keys) {
			w.fail("of %v %d are deleted", keys, n)
		}
	}},
	{"set a team", false, func(w *walker) {
		key, i := w.numbered("team", teams)
		values := map[string]note{}
		for _, field := range team {
			values[field] = noteOf(key, w.id, w.n, sharedHours)
			w.notes.Store(values[field], true)
		}
		w.n++
		added, err := w.c.Hash(key).Set(w.ctx, values, stay(sharedHours))
		if w.done(fmt.Sprint("Hash.Set ", values, " ", added), err) {
			w.fields[i].Add(int64(added))
		}
	}},
	{"get a team", false, func(w *walker) {
		key, _ := w.numbered("team", teams)
		all, err := w.c.Hash(key).All(w.ctx)
		if !w.done(fmt.Sprint("Hash.All ", all), err) || len(all) == 0 {
			return
		}
		w.genuine(key, all["x"])
		if len(all) != len(team) || all["x"] != all["y"] || all["y"] != all["z"] {
			w.fail("%s is torn: %v", key, all)
		}
	}},
	{"delete a team", false, func(w *walker) {
		key, i := w.numbered("team", teams)
		n, err := w.c.Hash(key).Delete(w.ctx, team...)
		if w.done(fmt.Sprint("Hash.Delete ", key, " ", n), err) {
			w.fields[i].Add(-int64(n))
		}
	}},
	{"push", false, func(w *walker) {
		i := w.rng.IntN(len(rowNames))
		key := rowNames[i]
		values := []note{w.announce(key, sharedHours), w.announce(key, sharedHours)}
		push := w.c.List(key).PushBack
		if strings.HasPrefix(key, "heap") && w.rng.IntN(2) == 0 {
			push = w.c.List(key).PushFront
		}
		length, err := push(w.ctx, stay(sharedHours), values...)
		if w.done(fmt.Sprint("push ", values, " ", length), err) {
			w.pushed[i].Add(int64(len(values)))
		}
	}},
	{"pop", false, func(w *walker) {
		i := w.rng.IntN(len(rowNames))
		key := rowNames[i]
		pop := w.c.List(key).PopFront
		if strings.HasPrefix(key, "heap") && w.rng.IntN(2) == 0 {
			pop = w.c.List(key).PopBack
		}
		values, err := pop(w.ctx, 1+w.rng.IntN(3))
		if !w.done(fmt.Sprint("pop ", values), err) {
			return
		}
		w.ordered(key, values)
		w.popped[i].Add(int64(len(values)))
		for _, v := range values {
			if strings.HasPrefix(key, "line") {
				w.sees(key, v)
			}
			if _, twice := w.out.LoadOrStore(v, true); twice {
				w.fail("%v was popped twice", v)
			}
		}
	}},
	{"range", false, func(w *walker) {
		key := rowNames[w.rng.IntN(len(rowNames))]
		values, err := w.c.List(key).Range(w.ctx, 0, -1)
		if w.done("List.Range "+key, err) {
			w.ordered(key, values)
		}
	}},
	{"load with tags", false, func(w *walker) {
		key, i := w.numbered("labelled", labelled)
		load, err := w.c.Begin(w.ctx, labelNames(labelsOf(i))...)
		if !w.done("Begin "+key, err) {
			return
		}
		v := noteOf(key, tagLoader, int(w.source.Load()), sharedHours)
		if err := load.Set(w.ctx, key, v, stay(sharedHours)); !errors.Is(err, cache.ErrOutdated) {
			w.done(fmt.Sprint("Load.Set ", v), err)
		}
	}},
	{"get with tags", false, func(w *walker) {
		key, i := w.numbered("labelled", labelled)
		purged, expired := newest(&w.purged, labelsOf(i)), newest(&w.expired, labelsOf(i))
		get := w.c.Get
		if w.rng.IntN(2) == 0 {
			get = w.near.Get
		}
		v, err := get(w.ctx, key)
		stale := errors.Is(err, cache.ErrStale)
		if !errors.Is(err, cache.ErrMiss) && (stale || w.done(fmt.Sprint("Get ", v), err)) {
			w.looksAt(key, cache.Found[note]{Value: v, OK: true, Stale: stale}, purged, expired)
		}
	}},
	{"get all with tags", false, func(w *walker) {
		keys := allOf("labelled", labelled)
		var purged, expired [labelled]int64
		for i := range keys {
			purged[i], expired[i] = newest(&w.purged, labelsOf(i)), newest(&w.expired, labelsOf(i))
		}
		getMany := w.c.GetMany
		if w.rng.IntN(2) == 0 {
			getMany = w.near.GetMany
		}
		found, err := getMany(w.ctx, keys...)
		if w.done(fmt.Sprint("GetMany ", found), err) {
			for i, f := range found {
				w.looksAt(keys[i], f, purged[i], expired[i])
			}
		}
	}},
	{"purge a tag", false, func(w *walker) {
		name, i := w.numbered("label", labels)
		w.outdates("PurgeTags "+name, &w.purged[i], func() error { return w.c.PurgeTags(w.ctx, name) })
	}},
	{"expire a tag", false, func(w *walker) {
		name, i := w.numbered("label", labels)
		w.outdates("ExpireTags "+name, &w.expired[i], func() error { return w.c.ExpireTags(w.ctx, name) })
	}},
	{"ask a Func", false, func(w *walker) {
		f, prefix := w.function()
		key, i := w.numbered("shared", answers)
		least := w.gone[prefix][i].Load()
		if v, err := f.Get(w.ctx, key); w.done(fmt.Sprint("Func.Get ", prefix, v), err) {
			w.answered(key, v, least)
		}
	}},
	{"ask a Func for many", false, func(w *walker) {
		f, prefix := w.function()
		keys, own := allOf("shared", answers), w.memoName()
		var least [answers]int64
		for i := range least {
			least[i] = w.gone[prefix][i].Load()
		}
		found, err := f.GetMany(w.ctx, append(keys, own)...)
		if !w.done(fmt.Sprint("Func.GetMany ", prefix, own, " ", found), err) {
			return
		}
		for i, key := range keys {
			w.answered(key, found[i].Value, least[i])
		}
		want, wantErr := w.memo(prefix, own)
		if got := found[answers]; got.Value != want || got.OK != (wantErr == nil) {
			w.fail("%s%s is %v, not %v and %v", prefix, own, got, want, wantErr)
		}
	}},
	{"purge a Func", false, func(w *walker) {
		f, prefix := w.function()
		key, i := w.numbered("shared", answers)
		w.outdates("Func.Purge "+prefix+key, &w.gone[prefix][i], func() error {
			_, err := f.Purge(w.ctx, key)
			return err
		})
	}},
}

// promise is a key of the engine, and how long it was to stay, in hours.
type promise struct {
	must  bool // be there
	hours []int
}

// compare looks at what is left, when nobody does anything any more.
func (g *ground) compare(t *testing.T, all []*walker) {
	promises := map[string]promise{}
	var brief []string
	for _, w := range all {
		for key, p := range w.places {
			if p.kind != "" {
				promises["m:"+key] = promise{true, []int{p.hours}}
			}
		}
		for name, tag := range w.tags {
			if tag.there {
				promises["m:\xc1t:"+name] = promise{true, []int{tag.hours}}
			}
		}
		for at, m := range w.memos {
			if m.there {
				prefix, key, _ := strings.Cut(at, ":")
				hours := loadedHours
				if strings.HasSuffix(key, "none") {
					hours = notFoundHours
				}
				promises[prefix+":{"+key+"}"] = promise{true, []int{hours}}
			}
		}
		brief = append(brief, fmt.Sprintf("{%d}brief", w.id))
	}
	for name := range labels {
		promises["m:\xc1t:"+labelNames([]int{name})[0]] = promise{false, []int{1, sharedHours + 1}}
	}
	for _, key := range allOf("labelled", labelled) {
		promises["m:"+key] = promise{false, []int{sharedHours}}
	}
	for prefix := range g.funcs {
		for _, key := range allOf("shared", answers) {
			promises[prefix+"{"+key+"}"] = promise{false, []int{loadedHours}}
		}
	}
	look := all[0] // to look with
	look.ctx = t.Context()
	shared := func(keys []string) []cache.Found[note] {
		found, err := g.c.GetMany(t.Context(), keys...)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range found {
			if f.OK {
				look.genuine(keys[i], f.Value)
				promises["m:"+keys[i]] = promise{true, []int{f.Value.Hours}}
			}
		}
		return found
	}
	g.compareRegisters(t, all, shared(allOf("register", registers)))
	for i, f := range shared(allOf("contest", contests)) {
		if winner := g.winner[i].Load(); winner == nil != !f.OK || f.OK && (f.Value != *winner || g.wins[i].Load() != 1) {
			t.Errorf("contest %d: %v is there, and %d have won it, %v by what they saw", i, f, g.wins[i].Load(), winner)
		}
	}
	left := 0
	for _, f := range shared(allOf("pool", pooled)) {
		if f.OK {
			left++
		}
	}
	if n := g.pool.Load(); int64(left) != n {
		t.Errorf("in the pool are %d, of those stored %d were not deleted", left, n)
	}
	for club := range clubs {
		keys := allOf(fmt.Sprintf("{club%d}", club), 4)
		look.alike(keys[0], keys, shared(keys))
	}
	for i, key := range allOf("team", teams) {
		n, err := g.c.Hash(key).Len(t.Context())
		if want := g.fields[i].Load(); err != nil || int64(n) != want {
			t.Errorf("%s has %d fields, %v; of those added %d were not deleted", key, n, err, want)
		}
		promises["m:"+key] = promise{n > 0, []int{sharedHours}}
	}
	for i, key := range rowNames {
		values, err := g.c.List(key).Range(t.Context(), 0, -1)
		if pushed, popped := g.pushed[i].Load(), g.popped[i].Load(); err != nil || int64(len(values)) != pushed-popped {
			t.Errorf("%s has %d, %v; %d were pushed and %d popped", key, len(values), err, pushed, popped)
		}
		look.ordered(key, values)
		for _, v := range values {
			if _, twice := g.out.LoadOrStore(v, true); twice {
				t.Errorf("%v is there twice, or was popped", v)
			}
		}
		promises["m:"+key] = promise{len(values) > 0, []int{sharedHours}}
	}
	eventually(t, "what was set for a millisecond is gone", func() bool {
		found, err := g.c.GetMany(t.Context(), brief...)
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(found, func(f cache.Found[note]) bool { return f.OK })
	})
	g.compareKeys(t, promises)
}

// compareRegisters looks whether each register has the last note of its writer, from nearby too.
func (g *ground) compareRegisters(t *testing.T, all []*walker, found []cache.Found[note]) {
	for i, f := range found {
		key := fmt.Sprint("register", i)
		if !f.OK {
			if slices.ContainsFunc(all, func(w *walker) bool { return w.wrote[key] > 0 }) {
				t.Errorf("%s is gone", key)
			}
			continue
		}
		if last := all[f.Value.Writer].wrote[key]; f.Value.N != last {
			t.Errorf("%s is %v, the last of that writer was the %d-th", key, f.Value, last)
		}
		eventually(t, "what has changed is told", func() bool {
			v, err := g.near.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			return v == f.Value
		})
	}
}

// eventually returns when something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for patience := time.Now().Add(time.Minute); !is(); runtime.Gosched() {
		if time.Now().After(patience) {
			t.Fatalf("it never happens that %s", what)
		}
	}
}

// compareKeys looks whether all keys of the engine are those that were promised.
func (g *ground) compareKeys(t *testing.T, promises map[string]promise) {
	keys := everyKey(t, g.db)
	pipe := g.db.Pipeline()
	for _, key := range keys {
		pipe.PTTL(t.Context(), key)
	}
	ttls, err := pipe.Exec(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ours := 0
	for i, key := range keys {
		if strings.HasPrefix(key, "m:") {
			ours++
		}
		ttl := ttls[i].(interface{ Val() time.Duration }).Val()
		if ttl == -1 {
			ttl = cache.Forever
		}
		if p, ok := promises[key]; !ok {
			t.Errorf("%q is there for %v, which nobody has put there", key, ttl)
		} else if !slices.Contains(p.hours, hoursOf(ttl)) {
			t.Errorf("%q stays for %v; it was to be %d hours", key, ttl, p.hours)
		}
		delete(promises, key)
	}
	for key, p := range promises {
		if p.must {
			t.Errorf("%q is gone", key)
		}
	}
	if n, err := g.c.Clear(t.Context()); n != ours || err != nil {
		t.Errorf("of %d keys %d are cleared, %v", ours, n, err)
	}
	for _, key := range everyKey(t, g.db) {
		if strings.HasPrefix(key, "m:") {
			t.Errorf("%q is not cleared", key)
		}
	}
}
