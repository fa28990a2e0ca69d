// Leases: who loads what, and whose load may still be kept.
//
// While a key is loaded, there is a token at a second key beside it. A load is kept only if the token that it began with is still there: Purge
// deletes it with the value, and so does every store. Missing or another's, it never lets anything in; so no clock and no crash can.
// With FuncOptions.Fleet the token is who loads: the others wait for a message on the channel that has the name of that key.

package cache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redbud-go/redbud/script"
)

// loadSuffix makes the key of the token out of that of the value. No key of a value ends so: they end with a brace.
const loadSuffix = ":load"

// valueAndLoad are the keys of the value and of the token at some place.
func valueAndLoad(keys script.Keys, place *script.Local) (value, load script.Var) {
	return keys.At(place.Mul(2)).Var(), keys.At(place.Mul(2).Add(1)).Var()
}

// claimAll returns, for each key, two texts: "value" and what is there, if that is not what the caller has seen; "load" and the token under which
// the caller loads; or "wait" and for how many milliseconds at most.
var claimAll = func() *script.Program {
	b := script.New("cache claim")
	keys := b.Keys("keys")
	token, lease, alone := b.Arg("token", script.String), b.Arg("lease", script.Int), b.Arg("alone", script.Bool)
	seen := b.Arg("seen", script.ListOf(script.String))
	texts := script.ListOf(script.String)
	out, values, holders := b.LocalOf("out", texts, []string{}), b.LocalOf("values", texts, []string{}), b.LocalOf("holders", texts, []string{})
	b.Each(seen, func(i, _ *script.Local) { // of all of them, first: what is no string ends the program, and nothing has been claimed
		value, load := valueAndLoad(keys, i)
		values.Append(value.Get().Or(""))
		holders.Append(load.Get().Or(""))
	})
	b.Each(seen, func(i, seen *script.Local) {
		_, load := valueAndLoad(keys, i)
		there := b.Local("there", values.At(i).Or(""))
		holder := b.Local("holder", holders.At(i).Or(""))
		b.If(there.SliceTo(0, headSize).Ne(seen).And(there.Ne("")), func() {
			out.Append("value")
			out.Append(there)
		}).ElseIf(holder.Eq(""), func() {
			b.Do(load.Set(token, script.TTL(lease)))
			out.Append("load")
			out.Append(token)
		}).ElseIf(alone.And(holder.Ne(token)), func() { // its own is there if the answer was lost and a client of go-redis has asked again
			out.Append("wait")
			out.Append(script.Max(load.TTL(), 1).Text())
		}).Else(func() {
			b.If(load.TTL().Lt(lease), func() { b.Do(load.Expire(lease)) })
			out.Append("load")
			out.Append(holder)
		})
	})
	b.Return(out)
	return b.MustCompile()
}()

// What becomes of a load, where settleAll wants a time to live.
const (
	drop    = -1 // what is there is deleted: it is not so any more
	release = -2 // what is there stays
)

// settleAll ends loads. Each is three texts: its token, the milliseconds that the data stays (0 for ever, drop, release), and the data. It returns
// "1" for those whose token was still there, else "0"; nothing happens for these.
var settleAll = func() *script.Program {
	b := script.New("cache settle")
	keys := b.Keys("keys")
	alone := b.Arg("alone", script.Bool)
	loads := b.Arg("loads", script.ListOf(script.String))
	out, i := b.LocalOf("out", script.ListOf(script.String), []string{}), b.Local("i", 0)
	b.While(i.Mul(3).Lt(loads.Len()), func() {
		value, load := valueAndLoad(keys, i)
		token, data := loads.At(i.Mul(3)), loads.At(i.Mul(3).Add(2))
		ttl := b.Local("ttl", loads.At(i.Mul(3).Add(1)).Int())
		b.If(load.Get().Or("").Ne(token), func() { out.Append("0") }).Else(func() {
			b.If(ttl.Gt(0), func() { b.Do(value.Set(data, script.TTL(ttl))) }).
				ElseIf(ttl.Eq(0), func() { b.Do(value.Set(data)) }).
				ElseIf(ttl.Eq(drop), func() { b.Do(value.Delete()) })
			b.If(alone.Or(ttl.Ge(0)), func() { b.Do(load.Delete()) })
			b.If(alone, func() { b.Do(b.CallKeyless("PUBLISH", load, "settled")) })
			out.Append("1")
		})
		i.Assign(i.Add(1))
	})
	b.Return(out)
	return b.MustCompile()
}()

// renewAll keeps the tokens of loads, and returns "1" for those that may still be kept, else "0".
var renewAll = func() *script.Program {
	b := script.New("cache renew")
	loads := b.Keys("loads")
	lease := b.Arg("lease", script.Int)
	out := b.LocalOf("out", script.ListOf(script.String), []string{})
	b.Each(b.Arg("tokens", script.ListOf(script.String)), func(i, token *script.Local) {
		load := loads.At(i).Var()
		b.If(load.Get().Or("").Ne(token), func() { out.Append("0") }).Else(func() {
			b.Do(load.Expire(lease))
			out.Append("1")
		})
	})
	b.Return(out)
	return b.MustCompile()
}()

// claim is what a key was claimed with: what is there, the token of a load, a time to wait, or why there is nothing.
type claim struct {
	data  []byte // nil: nothing that was not seen
	token string // "": somebody else loads
	wait  time.Duration
	err   error
}

// said is what a program says of a key.
type said struct {
	words []string
	err   error
}

// words runs a program on keys, at once on those of each slot, all in one round trip. For the keys at some places, nil: all, run is what it gets. It says
// n words of each.
func (f *Func[K, V]) words(ctx context.Context, r *script.Runner, n int, keys []string, run func(places []int) script.Run) []said {
	groups := f.c.groups(keys)
	runs := make([]script.Run, len(groups))
	for g, group := range groups {
		runs[g] = run(group)
	}
	all := make([]said, len(keys))
	for g, result := range r.DoMany(ctx, runs...) {
		some := pick(all, groups[g])
		words, err := result.Strings()
		if err == nil && len(words) != n*len(some) {
			err = fmt.Errorf("cache: of %d keys %d words were said", len(some), len(words))
		}
		for i := range some {
			if some[i].err = failed(err); err == nil {
				some[i].words = words[n*i : n*i+n]
			}
		}
		put(all, groups[g], some)
	}
	return all
}

// claims claims keys. seen are the heads of what the caller knows to be there.
func (f *Func[K, V]) claims(ctx context.Context, keys, seen []string) []claim {
	token := rand.Text()
	all := make([]claim, len(keys))
	var lost []string
	_, _ = call(f, "func claim", func() (none struct{}, err error) {
		heard := f.words(ctx, f.claimAll, 2, keys, func(places []int) script.Run {
			return script.Run{Keys: script.KeyNames{"keys": withLoads(pick(keys, places))},
				Args: script.ArgValues{"token": token, "lease": f.o.Lease.Milliseconds(), "alone": f.o.Fleet, "seen": pick(seen, places)}}
		})
		for i, s := range heard {
			if all[i] = claimOf(s); all[i].err != nil {
				err = all[i].err
				lost = append(lost, keys[i])
			}
		}
		return none, err
	})
	f.release(ctx, lost, slices.Repeat([]string{token}, len(lost)))
	return all
}

// claimOf is what claimAll says of a key.
func claimOf(s said) claim {
	if s.err != nil {
		return claim{err: s.err}
	}
	switch text := s.words[1]; s.words[0] {
	case "value":
		return claim{data: bytesOf(text)}
	case "load":
		return claim{token: text}
	default:
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return claim{err: fmt.Errorf("cache: claim: %w", err)}
		}
		return claim{wait: time.Duration(ms) * time.Millisecond}
	}
}

// releaseTime is how long an engine may take to release tokens.
const releaseTime = time.Second

// release deletes, in the background and if the engine can be asked, tokens of keys that may be there although nobody loads them: the
// answer to a claim or to the end of a load was lost. Others would wait for their lease; without FuncOptions.Fleet nobody does.
func (f *Func[K, V]) release(ctx context.Context, keys, tokens []string) {
	if !f.o.Fleet || len(keys) == 0 {
		return
	}
	f.running.Go(func() {
		ctx, end := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
		defer end()
		loads := make([]landing, len(tokens))
		for i, token := range tokens {
			loads[i] = landing{token: token, ttl: release}
		}
		f.settle(ctx, keys, loads) // or the lease ends
	})
}

// withLoads are keys, each followed by that of its load.
func withLoads(keys []string) []string {
	both := make([]string, 0, 2*len(keys))
	for _, key := range keys {
		both = append(both, key, key+loadSuffix)
	}
	return both
}

// landing is how a load ends at the engine.
type landing struct {
	token string
	ttl   int64 // milliseconds, 0 for ever, drop or release
	data  []byte
}

// settle ends loads, and tells of each whether its token was still there.
func (f *Func[K, V]) settle(ctx context.Context, keys []string, loads []landing) []settlement {
	all := make([]settlement, len(keys))
	_, _ = call(f, "func settle", func() (none struct{}, err error) {
		heard := f.words(ctx, f.settleAll, 1, keys, func(places []int) script.Run {
			part := pick(loads, places)
			words := make([]string, 0, 3*len(part))
			for _, l := range part {
				words = append(words, l.token, strconv.FormatInt(l.ttl, 10), string(l.data))
			}
			return script.Run{Keys: script.KeyNames{"keys": withLoads(pick(keys, places))}, Args: script.ArgValues{"alone": f.o.Fleet, "loads": words}}
		})
		for i, s := range heard {
			if all[i].err = s.err; s.err != nil {
				err = s.err
				continue
			}
			all[i].counted = s.words[0] == "1"
		}
		return none, err
	})
	return all
}

// settlement is what became of a load at the engine: whether its token was still there.
type settlement struct {
	counted bool
	err     error
}

// await claims a key until there is a value or the caller has to load it. With each message, each new connection and at the end of each lease it tries
// again.
func (f *Func[K, V]) await(ctx context.Context, fl *flight[K, V]) claim {
	one := func() claim {
		f.ask(fl)
		c := f.claims(ctx, []string{fl.at}, []string{fl.seen})[0]
		if c.data == nil {
			f.flyOn(fl)
		}
		return c
	}
	c := one()
	if c.wait == 0 {
		return c
	}
	woken, leave, err := f.bells.wait(ctx, fl.at+loadSuffix)
	defer leave()
	if err != nil {
		return claim{err: err}
	}
	for c.wait > 0 {
		alarm := time.NewTimer(c.wait)
		select {
		case <-ctx.Done():
			alarm.Stop()
			return claim{err: ctx.Err()}
		case <-woken:
			alarm.Stop()
		case <-alarm.C:
		}
		c = one()
	}
	return c
}

// errPurged ends the context of a load that will not be kept.
var errPurged = errors.New("cache: purged during its load")

// tokensOf are the tokens of flights that have one, and their keys.
func tokensOf[K, V any](fls []*flight[K, V]) (loads, tokens []string) {
	for _, fl := range fls {
		if fl.token != "" {
			loads, tokens = append(loads, fl.at+loadSuffix), append(tokens, fl.token)
		}
	}
	return loads, tokens
}

// keep renews tokens until ctx ends, and calls lost if one of them is known to be lost. An engine that does not answer ends nothing: a load is worth
// something to who waits for it.
func (f *Func[K, V]) keep(ctx context.Context, loads, tokens []string, lost func()) {
	if len(loads) == 0 {
		return
	}
	tick := time.NewTicker(f.o.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !f.renew(ctx, loads, tokens) {
			lost()
		}
	}
}

// renew renews the tokens of loads, and tells whether none is known to be lost.
func (f *Func[K, V]) renew(ctx context.Context, loads, tokens []string) bool {
	all := f.words(ctx, f.renewAll, 1, loads, func(places []int) script.Run {
		return script.Run{Keys: script.KeyNames{"loads": pick(loads, places)},
			Args: script.ArgValues{"lease": f.o.Lease.Milliseconds(), "tokens": pick(tokens, places)}}
	})
	return !slices.ContainsFunc(all, func(s said) bool { return s.err == nil && s.words[0] == "0" })
}
