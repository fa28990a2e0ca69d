// Many keys of a Func at once.

package cache

import (
	"context"
	"errors"
	"fmt"
)

// GetMany returns the values at keys, in their order; those that are not OK are not found. It reads all of them at once, loads those that are
// missing with one call of LoadMany, and stores them at once, each with its own time to live; on a cluster that holds for each slot. A key that is
// already being loaded is waited for. If the load of a key fails, or its error was kept, that is the error, and the others are there nevertheless.
func (f *Func[K, V]) GetMany(ctx context.Context, keys ...K) ([]Found[V], error) {
	if len(keys) == 0 {
		return nil, nil
	}
	ats := make([]string, len(keys))
	for i, key := range keys {
		var err error
		if ats[i], err = f.at(key); err != nil {
			return nil, err
		}
	}
	stored, err := call(f, "func get many", func() ([][]byte, error) { return f.fetch(ctx, ats) })
	down := err != nil
	if down && (ctx.Err() != nil || !f.mayLoad(err)) {
		return nil, err
	}
	var tags map[string]string
	if !down {
		if tags, err = f.tagsNow(ctx, stored...); err != nil {
			if ctx.Err() != nil || !f.mayLoad(err) {
				return nil, err
			}
			down = true
		}
	}
	found := make([]Found[V], len(keys))
	errs := make([]error, len(keys))
	there := make([]entry[V], len(keys))
	ages := make([]age, len(keys))
	var ripe, wanted []*flight[K, V]
	var places []int // of those that are wanted
	for i, key := range keys {
		var data []byte
		if !down {
			data = stored[i]
		}
		var bad bool
		there[i], ages[i], bad, errs[i] = f.look(ats[i], data, tags)
		f.reads(ages[i], bad)
		var names []string
		if errs[i] == nil && ages[i] != fresh {
			names, errs[i] = f.tagsOf(key)
		}
		w := &flight[K, V]{key: key, at: ats[i], label: labelled{names: names}, seen: headOf(data), spare: ages[i] != gone, down: down}
		switch {
		case errs[i] != nil:
		case ages[i] >= stale:
			found[i], errs[i] = Found[V]{Value: there[i].value, OK: there[i].err == nil}, there[i].err
			if ages[i] != fresh {
				ripe = append(ripe, w)
			}
		case ages[i] == old && f.rests(ats[i]):
			found[i] = Found[V]{Value: there[i].value, OK: true}
		default:
			wanted, places = append(wanted, w), append(places, i)
		}
	}
	f.refresh(ctx, ripe...)
	boarded, err := f.board(ctx, wanted...)
	if err != nil {
		return nil, err
	}
	for n, i := range places {
		value, err := f.wait(ctx, boarded[n])
		switch {
		case err == nil:
			found[i] = Found[V]{Value: value, OK: true}
		case f.forgives(ctx, ages[i], err):
			found[i] = Found[V]{Value: there[i].value, OK: true}
		default:
			errs[i] = err
		}
	}
	return found, f.together(ctx, ats, errs)
}

// together is one error of those at several keys.
func (f *Func[K, V]) together(ctx context.Context, ats []string, errs []error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var all []error
	said := map[string]bool{}
	for i, err := range errs {
		if failure(err) == nil || said[err.Error()] {
			continue
		}
		said[err.Error()] = true // a load of many that failed is one error
		all = append(all, fmt.Errorf("%q: %w", ats[i], err))
	}
	return errors.Join(all...)
}

// fetch is what is stored at keys of the engine, nil where there is nothing.
func (f *Func[K, V]) fetch(ctx context.Context, ats []string) ([][]byte, error) {
	values, err := f.c.mget(ctx, f.c.client, ats)()
	if err != nil {
		return nil, err
	}
	stored := make([][]byte, len(ats))
	for i, v := range values {
		if text, ok := v.(string); ok {
			stored[i] = bytesOf(text)
		}
	}
	return stored, nil
}
