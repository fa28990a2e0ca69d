// Tags of a Func: values that are purged, or expired softly, together.
//
// The mechanism is that of tag.go. A value, or an error that is kept, has the ids that the tags of its key held after its key was claimed and before
// its load began. When it has been loaded, the tags are asked for again: should one have changed, nothing is stored, and if somebody may have joined
// meanwhile, it is loaded once more. Who comes from that question on is late for its answer.

package cache

import (
	"context"
	"slices"
	"time"
)

// PurgeTags makes all values and kept errors that have one of the tags gone, in all functions of the prefix, those too whose load has begun. Nobody
// who asks when it has returned gets one of them, or what began to be loaded before. Each tag is purged at once; if there is an error, some may be.
func (f *Func[K, V]) PurgeTags(ctx context.Context, tags ...string) error {
	return f.c.PurgeTags(ctx, tags...)
}

// ExpireTags makes all values that have one of the tags stale, and kept errors gone, in all functions of the prefix. The values are returned while new
// ones are loaded behind them if there is a Stale, or if the load fails and there is a StaleIfError, else loaded anew. Nobody who asks when it has
// returned gets what began to be loaded before as if it were fresh. Each tag is expired at once; if there is an error, some may be.
func (f *Func[K, V]) ExpireTags(ctx context.Context, tags ...string) error {
	return f.c.ExpireTags(ctx, tags...)
}

// tagsOf are the tags of a key, each once and in order.
func (f *Func[K, V]) tagsOf(key K) ([]string, error) {
	if f.o.Tags == nil {
		return nil, nil
	}
	names, _, err := f.c.tagsOfOne(f.o.Tags(key))
	return names, err
}

// hasTags tells whether what is stored, nil: nothing, has tags.
func hasTags(data []byte) bool {
	return len(data) >= headSize && data[0] == mark && kind(data[2]).tagged()
}

// tagsNow returns what the tags of stored values hold.
func (f *Func[K, V]) tagsNow(ctx context.Context, stored ...[]byte) (map[string]string, error) {
	var names []string
	for _, data := range stored {
		if hasTags(data) {
			if e, err := openEnvelope(data); err == nil {
				names = append(names, e.label.names...)
			}
		}
	}
	if names == nil {
		return nil, nil
	}
	slices.Sort(names)
	return call(f, "func tags", func() (map[string]string, error) { return f.c.held(ctx, slices.Compact(names)) })
}

// take returns what tags hold, has them stay for some time, and makes them where there are none.
func (f *Func[K, V]) take(ctx context.Context, names []string, stay time.Duration) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	slices.Sort(names)
	names = slices.Compact(names)
	l := Load[V]{c: f.c, names: names}
	for _, name := range names {
		l.keys = append(l.keys, f.c.tagKey(name))
	}
	held, err := call(f, "func tags", func() ([]string, error) { return l.take(ctx, f.c.client, stay).Value() })
	if err != nil {
		return nil, err
	}
	now := make(map[string]string, len(names))
	for i, name := range names {
		now[name] = held[i]
	}
	return now, nil
}

// namesOf are the tags of flights.
func namesOf[K, V any](fls []*flight[K, V]) (names []string) {
	for _, fl := range fls {
		names = append(names, fl.label.names...)
	}
	return names
}

// begin notes what the tags of flights hold before they are loaded, and returns those that are. If the engine does not say it, they are not kept.
func (f *Func[K, V]) begin(ctx context.Context, fls []*flight[K, V]) []*flight[K, V] {
	kept := slices.DeleteFunc(slices.Clone(fls), func(fl *flight[K, V]) bool { return fl.token == "" || len(fl.label.names) == 0 })
	now, err := f.take(ctx, namesOf(kept), tagStays)
	if err == nil {
		for _, fl := range kept {
			fl.label = fl.label.holding(now)
		}
		return fls
	}
	keys, tokens := make([]string, len(kept)), make([]string, len(kept))
	for i, fl := range kept {
		keys[i], tokens[i], fl.token = fl.at, fl.token, ""
	}
	f.release(ctx, keys, tokens)
	if f.mayLoad(err) {
		return fls
	}
	for _, fl := range kept {
		f.land(fl, *new(V), err)
	}
	return slices.DeleteFunc(fls, func(fl *flight[K, V]) bool { return slices.Contains(kept, fl) })
}

// holding is a label with what its tags hold now.
func (v labelled) holding(now map[string]string) labelled {
	if len(v.names) == 0 {
		return v
	}
	v.held = make([]string, len(v.names))
	for i, name := range v.names {
		v.held[i] = now[name]
	}
	return v
}

// outdated finds the outcomes one of whose tags has changed since their load began. They are not stored.
func (f *Func[K, V]) outdated(ctx context.Context, outcomes []outcome[K, V]) error {
	var names []string
	stay := time.Duration(0)
	for _, o := range outcomes {
		if o.ttl != release {
			names = append(names, o.fl.label.names...)
			stay = max(stay, time.Duration(o.ttl)*time.Millisecond)
		}
	}
	now, err := f.take(ctx, names, stay+tagStays)
	if err != nil {
		return err
	}
	for i, o := range outcomes {
		if o.ttl != release && !slices.Equal(o.fl.label.holding(now).held, o.fl.label.held) {
			outcomes[i].ttl, outcomes[i].outdated = release, true
		}
	}
	return nil
}
