// Functions whose results are kept.

package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/cache/codec"
	"github.com/redbud-go/redbud/internal/hashslot"
	"github.com/redbud-go/redbud/script"
)

// FuncOptions are what a Func is made of. Needed are a Prefix, a Load or a LoadMany, and a TTL or a TTLOf.
type FuncOptions[K, V any] struct {
	Options // the Prefix is the function's alone: no other cache has one that begins with it

	// Load computes the value at a key. It returns ErrNotFound, wrapped or not, if there is none. Its context has the values of that of the first who
	// asked, and ends when nobody waits for the value any more.
	Load func(ctx context.Context, key K) (V, error)
	// LoadMany computes the values at different keys, in their order; those that are not OK are not found. Who waits for one of them waits for all,
	// and an error or a panic is that of all. Default: GetMany calls Load for one key after another, each of which is there as soon as it is loaded,
	// and fails alone.
	LoadMany func(ctx context.Context, keys []K) ([]Found[V], error)
	// Key is the text of a key, a different one for each. Default: made of all that the key holds, as docs/cache.md says.
	Key func(K) string

	TTL         time.Duration            // how long values are fresh
	TTLOf       func(K, V) time.Duration // how long a value is fresh; default TTL
	Jitter      float64                  // by up to which part a time is shortened at random, below 1; default 0
	NotFoundTTL time.Duration            // how long it is kept that nothing was found; default 0: it is not
	ErrorTTL    time.Duration            // how long other errors are kept; default 0: they are not
	Sentinels   map[string]error         // what errors.Is finds in a kept error, by the name that is stored; default ErrNotFound only
	Exclude     func(K, V) bool          // which values are not kept; default none
	Tags        func(K) []string         // which tags what is kept at a key has, at most 64 of 1 to 1024 bytes each, with which it stays for 30 days at most; default none

	Stale        time.Duration // how long a value that is not fresh any more is returned while one is loaded behind it; default 0
	StaleIfError time.Duration // how long a value that is not fresh any more is returned if the load fails; default 0
	Early        float64       // how early values are loaded anew, at random, in times that the load takes; 1 is a good one; default 0: never
	RetryAfter   time.Duration // how long after a load that failed while there was a value to return this process begins no other one for it; default 1s
	Refreshes    int           // how many loads nobody waits for may run at once in this process; default 8

	// Fleet lets one process load a key at a time, while the others wait. Default false: each process loads for itself.
	Fleet bool
	// Lease is after how long a process that vanished during a load is not waited for any more, at least 10ms; default 10s.
	Lease time.Duration
	// FailOpen loads, and keeps nothing, when the engine does not answer. Default false: its error is returned, and nobody loads.
	FailOpen bool

	Now  func() time.Time // the clock that says what is fresh; default time.Now
	Rand func() float64   // chance, from 0 to below 1; default math/rand/v2.Float64
}

// Func is a function whose results are kept. It is safe for concurrent use, by any number of processes.
type Func[K, V any] struct {
	c         *Cache[V]
	o         FuncOptions[K, V]
	named     map[string]error // sentinels by their names
	sentinels []string         // the names, in order

	claimAll, settleAll, renewAll, put, purgeAll *script.Runner
	bells                                        bells // of loads elsewhere
	resting                                      rests // keys whose loads have failed a moment ago

	mu         sync.Mutex // guards what follows, and the fields of flights that say so
	flights    map[string]*flight[K, V]
	groups     map[*group]bool // of all flights that have not landed
	refreshing int             // how many loads nobody waits for are running
	closed     bool
	running    sync.WaitGroup // of flights
}

// NewFunc returns a function on a client. Nothing is sent. Close it.
func NewFunc[K, V any](client redis.UniversalClient, o FuncOptions[K, V]) (*Func[K, V], error) {
	c, err := New[V](client, o.Options)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	o.Options = c.o
	if o.Refreshes == 0 {
		o.Refreshes = 8
	}
	if o.RetryAfter == 0 {
		o.RetryAfter = time.Second
	}
	if o.Lease == 0 {
		o.Lease = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	f := &Func[K, V]{
		c: c, o: o, named: maps.Clone(o.Sentinels), flights: map[string]*flight[K, V]{}, groups: map[*group]bool{},
		bells:    bells{client: client, waiting: map[string]map[chan struct{}]bool{}},
		claimAll: claimAll.On(client), settleAll: settleAll.On(client), renewAll: renewAll.On(client),
		put: putOne.On(client), purgeAll: purgeAll.On(client),
	}
	if f.named == nil {
		f.named = map[string]error{}
	}
	f.named[notFoundName] = ErrNotFound
	f.sentinels = slices.Sorted(maps.Keys(f.named))
	if o.Key == nil {
		if _, err := f.keyText(*new(K)); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOptions, err)
		}
	}
	return f, nil
}

// check says what is wrong with the options.
func (o *FuncOptions[K, V]) check() error {
	key := o.Prefix + braced("k")
	for name, d := range map[string]time.Duration{"TTL": o.TTL, "NotFoundTTL": o.NotFoundTTL, "ErrorTTL": o.ErrorTTL, "Stale": o.Stale, "StaleIfError": o.StaleIfError,
		"RetryAfter": o.RetryAfter} {
		if d < 0 {
			return fmt.Errorf("%w: %s is %v", ErrTTL, name, d)
		}
	}
	for name, err := range o.Sentinels {
		if err == nil || name == "" {
			return fmt.Errorf("the sentinel %q is %v", name, err)
		}
	}
	switch {
	case o.Prefix == "":
		return errors.New("a function needs a prefix of its own")
	case hashslot.Of(key) != hashslot.Of(key+loadSuffix):
		return fmt.Errorf("the prefix %q has an empty hash tag", o.Prefix)
	case o.Load == nil && o.LoadMany == nil:
		return errors.New("neither Load nor LoadMany")
	case o.TTL == 0 && o.TTLOf == nil:
		return fmt.Errorf("%w: neither TTL nor TTLOf", ErrTTL)
	case !(o.Jitter >= 0 && o.Jitter < 1):
		return fmt.Errorf("a jitter of %v", o.Jitter)
	case !(o.Early >= 0):
		return fmt.Errorf("earlier by %v loads", o.Early)
	case o.Refreshes < 0:
		return fmt.Errorf("%d loads that nobody waits for", o.Refreshes)
	case o.Lease < 0 || o.Lease > 0 && o.Lease < 10*time.Millisecond:
		return fmt.Errorf("a lease of %v", o.Lease)
	}
	return nil
}

// at is the key of the engine for a key of the function.
func (f *Func[K, V]) at(key K) (string, error) {
	text, err := f.keyText(key)
	if err != nil {
		return "", err
	}
	return f.c.key(braced(text))
}

// call runs a call of the engine and tells Stats of it.
func call[K, V, R any](f *Func[K, V], method string, do func() (R, error)) (R, error) {
	return told(f.c, method, func() Pending[R] {
		r, err := do()
		return Pending[R]{func() (R, error) { return r, failed(err) }}
	})
}

// age is what may be done with what is stored.
type age int

const (
	gone  age = iota // nothing is there, or it is too old
	old              // it may be returned if the load fails
	stale            // it may be returned, and has to be loaded anew
	early            // it is fresh, and it is time to load it anew
	fresh
)

// look reads what is stored at a key; nil: nothing. Tags hold this now. What does not decode is an error, or gone and bad.
func (f *Func[K, V]) look(at string, data []byte, tags map[string]string) (e entry[V], a age, bad bool, err error) {
	if data == nil {
		return e, gone, false, nil
	}
	if e, err = f.read(data); err != nil {
		if f.o.BadValues {
			return entry[V]{}, gone, true, nil
		}
		return entry[V]{}, gone, true, fmt.Errorf("cache: the value at %q: %w", at, err)
	}
	now := f.o.Now().UnixMilli()
	since := now - e.fresh // how long it has not been fresh
	switch validity := e.label.validity(tags); {
	case errors.Is(validity, ErrMiss):
		return entry[V]{}, gone, false, nil
	case validity != nil: // it is not fresh, whatever the clock says
		since = max(since, 0)
		if e.fresh == math.MaxInt64 {
			e.fresh = now
		}
	}
	switch {
	case e.fresh == math.MaxInt64, since < 0 && e.kind == broken:
		return e, fresh, false, nil
	case since < 0:
		ahead := float64(e.took) / float64(time.Millisecond) * f.o.Early * -math.Log(1-f.o.Rand()) // XFetch: https://doi.org/10.14778/2757807.2757813
		if float64(since)+ahead >= 0 && f.o.Early > 0 {
			return e, early, false, nil
		}
		return e, fresh, false, nil
	case e.kind == broken:
		return e, gone, false, nil
	case since < f.o.Stale.Milliseconds():
		return e, stale, false, nil
	case since < f.o.StaleIfError.Milliseconds():
		return e, old, false, nil
	}
	return e, gone, false, nil
}

// reads tells Stats what was found.
func (f *Func[K, V]) reads(a age, bad bool) {
	switch {
	case bad:
		f.o.Stats.Read(0, 1, 1)
	case a >= stale:
		f.o.Stats.Read(1, 0, 0)
	default:
		f.o.Stats.Read(0, 1, 0)
	}
}

// mayLoad is whether an error of the engine lets one load nevertheless.
func (f *Func[K, V]) mayLoad(err error) bool {
	return f.o.FailOpen && !errors.Is(err, ErrWrongType) && !errors.Is(err, script.ErrInput) && !errors.Is(err, codec.ErrDecode)
}

// Get returns the value at a key, from the cache or of a load, for which it waits until ctx ends; the load goes on for others who wait. The error of
// a load is returned as it is, or later, if it is kept, as a *CachedError; a load that panics gives ErrPanic.
func (f *Func[K, V]) Get(ctx context.Context, key K) (none V, _ error) {
	at, err := f.at(key)
	if err != nil {
		return none, err
	}
	data, err := call(f, "func get", func() ([]byte, error) {
		text, err := f.c.client.Get(ctx, at).Result()
		if errors.Is(err, redis.Nil) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return bytesOf(text), nil
	})
	down := err != nil
	if down && (ctx.Err() != nil || !f.mayLoad(err)) {
		return none, err
	}
	tags, err := f.tagsNow(ctx, data)
	if err != nil {
		if ctx.Err() != nil || !f.mayLoad(err) {
			return none, err
		}
		down, data = true, nil
	}
	e, a, bad, err := f.look(at, data, tags)
	f.reads(a, bad)
	if err != nil {
		return none, err
	}
	switch {
	case a == fresh:
		return e.value, e.err
	case a == old && f.rests(at):
		return e.value, nil
	}
	names, err := f.tagsOf(key)
	if err != nil {
		return none, err
	}
	w := &flight[K, V]{key: key, at: at, label: labelled{names: names}, seen: headOf(data), spare: a != gone, down: down}
	if a == early || a == stale {
		f.refresh(ctx, w)
		return e.value, nil
	}
	got, err := f.board(ctx, w)
	if err != nil {
		return none, err
	}
	value, err := f.wait(ctx, got[0])
	if err != nil && f.forgives(ctx, a, err) {
		return e.value, nil
	}
	return value, err
}

// forgives is whether a value of an age is returned in place of the error of a load.
func (f *Func[K, V]) forgives(ctx context.Context, a age, err error) bool {
	return a == old && ctx.Err() == nil && !errors.Is(err, ErrNotFound)
}

// Close lets nobody load any more, and waits for the loads that are running. When ctx ends first, it ends theirs and returns its error. The client
// stays open.
func (f *Func[K, V]) Close(ctx context.Context) error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	done := make(chan struct{})
	go func() {
		f.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	f.endAll()
	return ctx.Err()
}
