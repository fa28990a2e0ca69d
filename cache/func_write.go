// What is written of a Func without a load: values that are known, and purges.

package cache

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/script"
)

// putOne stores a value for some milliseconds (0 for ever, drop: there is to be none), and ends the load of its key.
var putOne = func() *script.Program {
	b := script.New("cache put")
	value, load := b.Var("value"), b.Var("load")
	ttl, data := b.Arg("ttl", script.Int), b.Arg("data", script.String)
	b.If(ttl.Gt(0), func() { b.Do(value.Set(data, script.TTL(ttl))) }).
		ElseIf(ttl.Eq(0), func() { b.Do(value.Set(data)) }).
		Else(func() { b.Do(value.Delete()) })
	b.If(load.Delete(), func() { b.Do(b.CallKeyless("PUBLISH", load, "put")) })
	b.Return(1)
	return b.MustCompile()
}()

// purgeAll deletes values and the tokens of their loads, and tells how many values there were.
var purgeAll = func() *script.Program {
	b := script.New("cache purge")
	keys := b.Keys("keys")
	existed, i := b.Local("existed", 0), b.Local("i", 0)
	b.While(i.Mul(2).Lt(keys.Len()), func() {
		value, load := valueAndLoad(keys, i)
		b.If(value.Delete(), func() { existed.Assign(existed.Add(1)) })
		b.If(load.Delete(), func() { b.Do(b.CallKeyless("PUBLISH", load, "purged")) })
		i.Assign(i.Add(1))
	})
	b.Return(existed)
	return b.MustCompile()
}()

// Set stores the value at a key as if it had been loaded now: for as long as TTL, TTLOf and Jitter say, and not if it is excluded; what is there is then
// deleted. It ends a load that has begun as Purge does: nobody who asks from then on gets what that brings, and it is not kept.
func (f *Func[K, V]) Set(ctx context.Context, key K, value V) error {
	at, err := f.at(key)
	if err != nil {
		return err
	}
	names, err := f.tagsOf(key)
	if err != nil {
		return err
	}
	now, err := f.take(ctx, names, tagStays)
	if err != nil {
		return err
	}
	w := &flight[K, V]{key: key, at: at, label: labelled{names: names}.holding(now)}
	o := f.judge(w, value, nil, 0)
	if o.err != nil {
		return o.err
	}
	all := []outcome[K, V]{o}
	if err := f.outdated(ctx, all); err != nil { // and so that its tags stay
		return err
	}
	if o = all[0]; o.outdated {
		o.ttl = drop // as if the tag had been purged a little later
	}
	_, err = call(f, "func set", func() (bool, error) {
		return true, f.put.Do(ctx, script.KeyNames{"value": at, "load": at + loadSuffix}, script.ArgValues{"ttl": o.ttl, "data": string(o.data)}).Err()
	})
	f.part(at)
	return err
}

// Purge deletes the value at a key, and tells whether there was one. Nobody who asks from then on gets what was loaded, or began to be, before, in
// this process or another; no such load is kept.
func (f *Func[K, V]) Purge(ctx context.Context, key K) (existed bool, err error) {
	n, err := f.PurgeMany(ctx, key)
	return n == 1, err
}

// PurgeMany is Purge of several keys, and tells how many values there were. Keys are purged at once, on a cluster those of each slot; if there is an
// error, some may be.
func (f *Func[K, V]) PurgeMany(ctx context.Context, keys ...K) (existed int, err error) {
	ats := make([]string, len(keys))
	for i, key := range keys {
		if ats[i], err = f.at(key); err != nil {
			return 0, err
		}
	}
	return call(f, "func purge", func() (int, error) {
		existed, err := f.purge(ctx, ats)
		f.part(ats...) // after an error, too
		return existed, err
	})
}

// purge purges keys of the engine.
func (f *Func[K, V]) purge(ctx context.Context, ats []string) (existed int, err error) {
	if len(ats) == 0 {
		return 0, nil
	}
	groups := f.c.groups(ats)
	runs := make([]script.Run, len(groups))
	for g, group := range groups {
		runs[g] = script.Run{Keys: script.KeyNames{"keys": withLoads(pick(ats, group))}}
	}
	for _, r := range f.purgeAll.DoMany(ctx, runs...) {
		n, failure := r.Int()
		existed, err = existed+int(n), errors.Join(err, failed(failure))
	}
	return existed, err
}

// Clear deletes all values of the function, and its tags, and returns how many values it has deleted. Nobody who asks when it has returned gets what was
// loaded, or began to be, before it was called, in this process or another; what is loaded meanwhile may stay or not. Functions that are given are told
// now and then how many it has deleted so far, one call at a time. If there is an error, some may be deleted.
func (f *Func[K, V]) Clear(ctx context.Context, progress ...func(deleted int)) (deleted int, err error) {
	return call(f, "func clear", func() (int, error) {
		deleted := 0
		more := func(n int) {
			deleted += n
			for _, tell := range progress {
				tell(deleted)
			}
		}
		// First the tokens, so that of all that began to be loaded before nothing is stored any more. Only then is what is there all there will be of it.
		err := f.c.each(ctx, func(ctx context.Context, keys []string) (func(), error) {
			var ats []string
			for _, key := range keys {
				if at, ok := strings.CutSuffix(key, loadSuffix); ok && !f.c.own(key) {
					ats = append(ats, at)
				}
			}
			n, err := f.purge(ctx, ats)
			return func() { more(n) }, err
		})
		if err == nil {
			err = f.c.each(ctx, func(ctx context.Context, keys []string) (func(), error) {
				pipe := f.c.client.Pipeline()
				var values []*redis.IntCmd
				for _, key := range keys {
					switch {
					case f.c.own(key):
						pipe.Unlink(ctx, key)
					case !strings.HasSuffix(key, loadSuffix): // a token would be of a load that has begun since
						values = append(values, pipe.Unlink(ctx, key))
					}
				}
				_, err := pipe.Exec(ctx)
				return func() {
					n := 0
					for _, cmd := range values {
						n += int(cmd.Val())
					}
					more(n)
				}, err
			})
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		clear(f.flights)
		return deleted, err
	})
}

// part lets nobody join the flights of keys any more: who waits for them asked before.
func (f *Func[K, V]) part(ats ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range ats {
		delete(f.flights, at)
		f.resting.end(at)
	}
}
