// Flights: of all who want a key in a process, one loads it.

package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// flight is a key on its way from a load, or from another process, to all who wait for it.
type flight[K, V any] struct {
	key   K
	at    string   // its key of the engine
	seen  string   // the head of what is there and not wanted
	spare bool     // what is there may still be returned if the load fails
	down  bool     // the engine does not answer
	idle  bool     // nobody waited when it began: if somebody else loads, there is nothing to wait for
	label labelled // its tags, and what they held before it was loaded
	token string   // under which it is loaded; "": the load is not kept

	waiting int  // who wants it; guarded by Func.mu
	ended   bool // nobody does, or it is done; guarded by Func.mu
	joined  bool // somebody came after the first; guarded by Func.mu
	group   *group

	asks   int  // how often the engine was asked for what it may land with; guarded by Func.mu
	asking bool // and has not answered, or with just that; guarded by Func.mu
	late   int  // how many came since; guarded by Func.mu

	done     chan struct{} // closed when there are
	value    V
	err      error
	answered int           // after which question it has landed with those late, who go on; 0: nobody does
	next     *flight[K, V] // where; nil: nowhere any more
}

// passenger is who wants a flight. What the engine was asked for before somebody came may have been purged since, and before that one asked: who is
// late for a question does not land with its answer.
type passenger[K, V any] struct {
	fl   *flight[K, V]
	late int // for which question; 0: for none
}

// group are flights that began together, and share a context that ends with the last of them.
type group struct {
	ctx context.Context
	end context.CancelFunc
	n   int // how many have not ended; guarded by Func.mu
}

// board joins the flights of keys that are on their way, and begins those of the others.
func (f *Func[K, V]) board(ctx context.Context, wanted ...*flight[K, V]) ([]passenger[K, V], error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	var begin []*flight[K, V]
	all := make([]passenger[K, V], len(wanted))
	for i, w := range wanted {
		all[i].fl = w
		if there := f.flights[w.at]; there != nil {
			all[i].fl, there.joined = there, true
			if there.asking {
				there.late++
				all[i].late = there.asks
			}
		} else {
			f.flights[w.at] = w
			begin = append(begin, w)
		}
		all[i].fl.waiting++
	}
	f.launch(ctx, begin, func() {})
	return all, nil
}

// refresh begins flights that nobody waits for, unless they are on their way, or too many are, or their keys rest.
func (f *Func[K, V]) refresh(ctx context.Context, wanted ...*flight[K, V]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.refreshing >= f.o.Refreshes {
		return
	}
	var begin []*flight[K, V]
	for _, w := range wanted {
		if f.flights[w.at] == nil && !f.rests(w.at) {
			w.waiting, w.idle = 1, true // the cache itself waits
			f.flights[w.at] = w
			begin = append(begin, w)
		}
	}
	if len(begin) == 0 {
		return
	}
	f.refreshing++
	f.launch(ctx, begin, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.refreshing--
	})
}

// launch begins flights. f.mu is held.
func (f *Func[K, V]) launch(ctx context.Context, fls []*flight[K, V], landed func()) {
	if len(fls) == 0 {
		return
	}
	g := &group{n: len(fls)}
	g.ctx, g.end = context.WithCancel(context.WithoutCancel(ctx))
	for _, fl := range fls {
		fl.group, fl.done = g, make(chan struct{})
	}
	f.groups[g] = true
	f.running.Go(func() {
		defer landed()
		defer func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			delete(f.groups, g)
		}()
		f.fly(g.ctx, fls)
	})
}

// wait waits for a flight until ctx ends. Who leaves last ends it.
func (f *Func[K, V]) wait(ctx context.Context, p passenger[K, V]) (none V, _ error) {
	for {
		select {
		case <-p.fl.done:
		default:
			select {
			case <-p.fl.done:
			case <-ctx.Done():
				f.leave(p)
				return none, ctx.Err()
			}
		}
		switch {
		case !p.goesOn():
			return p.fl.value, p.fl.err
		case p.fl.next == nil:
			return none, ErrClosed
		}
		p = passenger[K, V]{fl: p.fl.next}
	}
}

// goesOn is whether what the flight has landed with is none of the passenger's.
func (p passenger[K, V]) goesOn() bool { return p.late != 0 && p.late == p.fl.answered }

// leave is wait's end for one who does not wait any more.
func (f *Func[K, V]) leave(p passenger[K, V]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl := p.fl
	switch {
	case p.goesOn() && fl.next != nil: // it has landed just now
		fl = fl.next
	case fl.asking && p.late == fl.asks:
		fl.late--
	}
	if fl.waiting--; fl.waiting == 0 {
		f.end(fl)
	}
}

// ask notes that the engine is asked for what flights may land with.
func (f *Func[K, V]) ask(fls ...*flight[K, V]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fl := range fls {
		fl.asks, fl.asking, fl.late = fl.asks+1, true, 0
	}
}

// flyOn notes that the answer is nothing to land with: nobody is late.
func (f *Func[K, V]) flyOn(fl *flight[K, V]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl.asking, fl.late = false, 0
}

// end takes a flight off the list, and ends its context if it was the last of its group. f.mu is held.
func (f *Func[K, V]) end(fl *flight[K, V]) {
	if f.flights[fl.at] == fl {
		delete(f.flights, fl.at)
	}
	if !fl.ended {
		fl.ended = true
		if fl.group.n--; fl.group.n == 0 {
			fl.group.end()
		}
	}
}

// endAll ends the contexts of all flights, those too that nobody can join any more.
func (f *Func[K, V]) endAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for g := range f.groups {
		g.end()
	}
}

// forget lets nobody join a flight any more, and tells whether one could.
func (f *Func[K, V]) forget(fl *flight[K, V]) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.flights[fl.at] != fl {
		return false
	}
	delete(f.flights, fl.at)
	return true
}

// abandon ends an idle flight that somebody else loads, unless somebody has joined it since: then it is idle no more.
func (f *Func[K, V]) abandon(fl *flight[K, V]) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !fl.idle || fl.waiting > 1 {
		fl.idle = false
		return false
	}
	f.end(fl)
	close(fl.done)
	return true
}

// again lets nobody join a flight any more, and tells whether somebody may have done so since it was asked for: then it is loaded again.
func (f *Func[K, V]) again(fl *flight[K, V]) bool {
	forgotten := f.forget(fl)
	f.mu.Lock()
	defer f.mu.Unlock()
	joined := fl.joined
	fl.joined = false
	return forgotten || joined
}

// land ends a flight with its result. Those who are late go on, all with the same flight.
func (f *Func[K, V]) land(fl *flight[K, V], value V, err error) {
	if err != nil {
		value = *new(V)
	}
	fl.value, fl.err = value, err
	f.rested(fl, err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end(fl)
	if fl.asking && fl.late > 0 {
		fl.answered = fl.asks
		if !f.closed {
			fl.next = &flight[K, V]{key: fl.key, at: fl.at, label: labelled{names: fl.label.names}, waiting: fl.late}
			if f.flights[fl.at] == nil {
				f.flights[fl.at] = fl.next
			}
			f.launch(fl.group.ctx, []*flight[K, V]{fl.next}, func() {})
		}
	}
	close(fl.done)
}

// fly lands flights: all that it can together, each of the others on its own, as soon as that is known.
func (f *Func[K, V]) fly(ctx context.Context, fls []*flight[K, V]) {
	if len(fls) == 1 {
		for again := true; again; {
			again = false
			f.trip(ctx, fls, func(*flight[K, V]) { again = true })
		}
		return
	}
	var each sync.WaitGroup
	f.trip(ctx, fls, func(fl *flight[K, V]) { each.Go(func() { f.fly(ctx, []*flight[K, V]{fl}) }) })
	each.Wait()
}

// trip claims flights, loads those that nobody else loads, and lands them. Left, and another's from then on, are those of several that somebody else
// loads and anybody wants, or one of which has something foreign at its key, those that were purged meanwhile although somebody may have joined since,
// and those that found something new which is not fresh either.
func (f *Func[K, V]) trip(ctx context.Context, fls []*flight[K, V], left func(*flight[K, V])) {
	claims := f.claimFlights(ctx, fls)
	found := make([][]byte, len(claims))
	for i, c := range claims {
		found[i] = c.data
	}
	tags, lost := f.tagsNow(ctx, found...)
	var loading []*flight[K, V]
	for i, c := range claims {
		fl := fls[i]
		if lost != nil && hasTags(c.data) {
			c.err = lost
		} else if c.data != nil {
			e, a, _, err := f.look(fl.at, c.data, tags)
			if err != nil || a >= early {
				f.land(fl, e.value, errors.Join(err, e.err))
				continue
			}
			fl.seen, fl.spare = headOf(c.data), a != gone
		}
		f.flyOn(fl)
		switch {
		case errors.Is(c.err, ErrWrongType) && len(fls) > 1: // nobody knows at which key
			left(fl)
		case c.err != nil && !f.mayLoad(c.err):
			f.land(fl, *new(V), c.err)
		case c.err != nil || c.token != "" || fl.down:
			fl.token = c.token
			loading = append(loading, fl)
		case c.data == nil && f.abandon(fl):
		default:
			left(fl)
		}
	}
	if len(loading) == 0 {
		return
	}
	if loading = f.begin(ctx, loading); len(loading) > 0 {
		f.load(ctx, loading, left)
	}
}

// claimFlights claims flights. One that is alone waits while somebody else loads it: of several it would hold up the others.
func (f *Func[K, V]) claimFlights(ctx context.Context, fls []*flight[K, V]) []claim {
	switch {
	case fls[0].down:
		return make([]claim, len(fls))
	case len(fls) == 1 && !fls[0].idle:
		return []claim{f.await(ctx, fls[0])}
	}
	keys, seen := make([]string, len(fls)), make([]string, len(fls))
	for i, fl := range fls {
		keys[i], seen[i] = fl.at, fl.seen
	}
	f.ask(fls...)
	return f.claims(ctx, keys, seen)
}

// outcome is what a load brought, and what becomes of it.
type outcome[K, V any] struct {
	fl    *flight[K, V]
	value V
	err   error
	ttl   int64 // milliseconds, 0 for ever, drop or release
	data  []byte

	outdated bool // one of its tags has changed since the load began
}

// settleFlights lands flights that were loaded. Left are those that have to be loaded again. If the engine has not said whether they are outdated, nothing
// is stored.
func (f *Func[K, V]) settleFlights(ctx context.Context, outcomes []outcome[K, V], left func(*flight[K, V])) {
	var asked []outcome[K, V]
	var keys []string
	for _, o := range outcomes {
		switch {
		case errors.Is(context.Cause(ctx), errPurged): // the load was ended, since it would not be kept
			left(o.fl)
		case o.fl.token == "" || o.ttl == release && !f.o.Fleet:
			f.land(o.fl, o.value, o.err)
		default:
			asked, keys = append(asked, o), append(keys, o.fl.at)
		}
	}
	if len(asked) == 0 {
		return
	}
	for _, o := range asked { // for their tags first
		f.ask(o.fl)
	}
	ctx = context.WithoutCancel(ctx)
	lost := f.outdated(ctx, asked)
	loads := make([]landing, len(asked))
	for i, o := range asked {
		loads[i] = landing{o.fl.token, o.ttl, o.data}
	}
	landed := make([]settlement, len(asked))
	if lost == nil {
		landed = f.settle(ctx, keys, loads)
	}
	var unsure, tokens []string
	for i, o := range asked {
		counted, err := landed[i].counted, errors.Join(lost, landed[i].err)
		if err != nil { // it is not known what the engine has
			unsure, tokens = append(unsure, keys[i]), append(tokens, o.fl.token)
			f.flyOn(o.fl)
		}
		switch {
		case err != nil && !f.mayLoad(err) && o.err == nil:
			f.land(o.fl, o.value, err)
		case err == nil && (o.outdated || !counted && o.ttl != release) && f.again(o.fl):
			f.flyOn(o.fl)
			left(o.fl)
		default:
			f.land(o.fl, o.value, o.err)
		}
	}
	f.release(ctx, unsure, tokens)
}

// load loads flights, renews their leases meanwhile, and lands them: those of one call of LoadMany together, others one after another as they come,
// while the next ones are loaded.
func (f *Func[K, V]) load(ctx context.Context, fls []*flight[K, V], left func(*flight[K, V])) {
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	parts := [][]*flight[K, V]{fls}
	if f.o.LoadMany == nil {
		parts = slices.Collect(slices.Chunk(fls, 1))
	}
	kept, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	loads, tokens := tokensOf(fls)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		f.keep(kept, loads, tokens, func() {
			if len(fls) == 1 && f.forget(fls[0]) { // one that somebody may have joined since is loaded again
				lost(errPurged)
			}
		})
	})
	loaded := make(chan []outcome[K, V], len(parts))
	go func() {
		for _, part := range parts {
			loaded <- f.outcomes(ctx, part)
		}
	}()
	for n := 0; n < len(parts); {
		outcomes := <-loaded
		for n++; len(loaded) > 0; n++ { // what has come in the meantime is stored at once
			outcomes = append(outcomes, <-loaded...)
		}
		if n == len(parts) {
			stop()
			keeping.Wait() // whether they are kept is now up to who stores them
		}
		f.settleFlights(ctx, outcomes, left)
	}
}

// outcomes are those of flights that are loaded together, in a goroutine of its own whose panic or end is an error.
func (f *Func[K, V]) outcomes(ctx context.Context, fls []*flight[K, V]) (outcomes []outcome[K, V]) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if outcomes == nil {
				err := fmt.Errorf("%w: %v\n%s", ErrPanic, recover(), debug.Stack())
				f.o.Stats.Called("load", 0, err)
				for _, fl := range fls {
					outcomes = append(outcomes, outcome[K, V]{fl: fl, err: err, ttl: release})
				}
			}
		}()
		outcomes = f.compute(ctx, fls)
	}()
	<-done
	return outcomes
}

// compute calls the functions of the options.
func (f *Func[K, V]) compute(ctx context.Context, fls []*flight[K, V]) []outcome[K, V] {
	if f.o.LoadMany != nil && (len(fls) > 1 || f.o.Load == nil) {
		return f.computeMany(ctx, fls)
	}
	began := time.Now()
	value, err := f.o.Load(ctx, fls[0].key)
	took := time.Since(began)
	f.o.Stats.Called("load", took, failure(err))
	return []outcome[K, V]{f.judge(fls[0], value, err, took)}
}

// computeMany calls LoadMany.
func (f *Func[K, V]) computeMany(ctx context.Context, fls []*flight[K, V]) []outcome[K, V] {
	keys := make([]K, len(fls))
	for i, fl := range fls {
		keys[i] = fl.key
	}
	began := time.Now()
	found, err := f.o.LoadMany(ctx, keys)
	took := time.Since(began)
	if err == nil && len(found) != len(keys) {
		err = fmt.Errorf("cache: LoadMany returned %d values for %d keys", len(found), len(keys))
	}
	f.o.Stats.Called("load", took, failure(err))
	outcomes := make([]outcome[K, V], len(fls))
	for i, fl := range fls {
		switch {
		case err != nil:
			outcomes[i] = f.judge(fl, *new(V), err, took)
		case !found[i].OK:
			outcomes[i] = f.judge(fl, *new(V), ErrNotFound, took)
		default:
			outcomes[i] = f.judge(fl, found[i].Value, nil, took)
		}
	}
	return outcomes
}

// failure is an error unless it says that nothing was found.
func failure(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// judge decides what becomes of what a load brought.
func (f *Func[K, V]) judge(fl *flight[K, V], value V, err error, took time.Duration) outcome[K, V] {
	o := outcome[K, V]{fl: fl, value: value, err: err, ttl: release}
	now := f.o.Now()
	e := envelope{kind: loaded, made: now.UnixMilli(), took: max(took, time.Microsecond)}
	ttl := f.o.TTL
	switch {
	case err == nil && f.o.Exclude != nil && f.o.Exclude(fl.key, value):
		o.ttl = drop
		return o
	case err == nil:
		if f.o.TTLOf != nil {
			ttl = f.o.TTLOf(fl.key, value)
		}
	case errors.Is(err, ErrNotFound):
		if ttl = f.o.NotFoundTTL; ttl == 0 {
			o.ttl = drop
			return o
		}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), f.o.ErrorTTL == 0, fl.spare:
		return o
	default:
		ttl = f.o.ErrorTTL
	}
	if fl.label.held != nil {
		e.label = fl.label
	}
	refuse := func(err error) outcome[K, V] { return outcome[K, V]{fl: fl, err: err, ttl: release} }
	if ttl > 0 && ttl != Forever {
		ttl = max(ttl-time.Duration(float64(ttl)*f.o.Jitter*f.o.Rand()), time.Millisecond)
	}
	e.fresh = fresher(now, ttl)
	var data []byte
	if err != nil {
		e.kind = broken
	}
	head := e.head(nil)
	if err != nil {
		data = f.errorBody(head, err)
	} else {
		if data, err = f.o.Codec.Append(head, value); err != nil {
			return refuse(fmt.Errorf("cache: encode: %w", err))
		}
		if ttl > 0 {
			ttl = longer(ttl, max(f.o.Stale, f.o.StaleIfError))
		}
	}
	if n := len(data) - len(head); n > f.o.MaxValue {
		return refuse(fmt.Errorf("%w: %d bytes of %d", ErrTooLarge, n, f.o.MaxValue))
	}
	px, err := until(ttl)
	if err != nil {
		return refuse(err)
	}
	if most := maxTagged.Milliseconds(); len(e.label.names) > 0 && (px == 0 || px > most) {
		px = most
	}
	o.ttl, o.data = px, data
	return o
}
