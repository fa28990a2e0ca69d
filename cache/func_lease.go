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

// claim is what a key was claimed with: what is there, the token of a load, or a time to wait.
type claim struct {
	data  []byte // nil: nothing that was not seen
	token string // "": somebody else loads
	wait  time.Duration
}

// claims claims keys of one slot. seen are the heads of what the caller knows to be there.
func (f *Func[K, V]) claims(ctx context.Context, keys, seen []string) ([]claim, error) {
	token := rand.Text()
	all, err := call(f, "func claim", func() ([]claim, error) {
		texts, err := f.claimAll.Do(ctx, script.KeyNames{"keys": withLoads(keys)},
			script.ArgValues{"token": token, "lease": f.o.Lease.Milliseconds(), "alone": f.o.Fleet, "seen": seen}).Strings()
		if err != nil {
			return nil, err
		}
		if len(texts) != 2*len(keys) {
			return nil, fmt.Errorf("cache: %d claims answered with %d words", len(keys), len(texts))
		}
		all := make([]claim, len(keys))
		for i := range all {
			switch text := texts[2*i+1]; texts[2*i] {
			case "value":
				all[i].data = bytesOf(text)
			case "load":
				all[i].token = text
			default:
				ms, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					return nil, fmt.Errorf("cache: claim: %w", err)
				}
				all[i].wait = time.Duration(ms) * time.Millisecond
			}
		}
		return all, nil
	})
	if err != nil {
		tokens := make([]string, len(keys))
		for i := range tokens {
			tokens[i] = token
		}
		f.release(ctx, keys, tokens)
	}
	return all, err
}

// releaseTime is how long an engine may take to release tokens.
const releaseTime = time.Second

// release deletes, in the background and if the engine can be asked, tokens of keys of one slot that may be there although nobody loads them: the
// answer to a claim or to the end of a load was lost. Others would wait for their lease; without FuncOptions.Fleet nobody does.
func (f *Func[K, V]) release(ctx context.Context, keys, tokens []string) {
	if !f.o.Fleet {
		return
	}
	f.running.Go(func() {
		ctx, end := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
		defer end()
		loads := make([]landing, len(tokens))
		for i, token := range tokens {
			loads[i] = landing{token: token, ttl: release}
		}
		_, _ = f.settle(ctx, keys, loads) // else the lease ends
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

// settle ends loads of keys of one slot, and tells whose token was still there.
func (f *Func[K, V]) settle(ctx context.Context, keys []string, loads []landing) ([]bool, error) {
	return call(f, "func settle", func() ([]bool, error) {
		words := make([]string, 0, 3*len(loads))
		for _, l := range loads {
			words = append(words, l.token, strconv.FormatInt(l.ttl, 10), string(l.data))
		}
		texts, err := f.settleAll.Do(ctx, script.KeyNames{"keys": withLoads(keys)}, script.ArgValues{"alone": f.o.Fleet, "loads": words}).Strings()
		if err != nil {
			return nil, err
		}
		if len(texts) != len(keys) {
			return nil, fmt.Errorf("cache: %d loads ended with %d words", len(keys), len(texts))
		}
		counted := make([]bool, len(texts))
		for i, text := range texts {
			counted[i] = text == "1"
		}
		return counted, nil
	})
}

// await claims a key until there is a value or the caller has to load it. With each message, each new connection and at the end of each lease it tries
// again.
func (f *Func[K, V]) await(ctx context.Context, fl *flight[K, V]) (claim, error) {
	one := func() (claim, error) {
		f.ask(fl)
		all, err := f.claims(ctx, []string{fl.at}, []string{fl.seen})
		if err != nil {
			return claim{}, err
		}
		if all[0].data == nil {
			f.flyOn(fl)
		}
		return all[0], nil
	}
	c, err := one()
	if err != nil || c.wait == 0 {
		return c, err
	}
	woken, leave, err := f.bells.wait(ctx, fl.at+loadSuffix)
	defer leave()
	if err != nil {
		return c, err
	}
	for {
		alarm := time.NewTimer(c.wait)
		select {
		case <-ctx.Done():
			alarm.Stop()
			return c, ctx.Err()
		case <-woken:
			alarm.Stop()
		case <-alarm.C:
		}
		if c, err = one(); err != nil || c.wait == 0 {
			return c, err
		}
	}
}

// errPurged ends the context of a load that will not be kept.
var errPurged = errors.New("cache: purged during its load")

// lease is the token of a load at its key.
type lease struct{ load, token string }

// keep renews the tokens of loads until ctx ends. If that of a single one will not be kept and somebody may have joined it since, its load ends
// with errPurged. An engine that does not answer ends nothing: the load is worth something to who waits for it.
func (f *Func[K, V]) keep(ctx context.Context, fls []*flight[K, V], slots [][]lease, lost context.CancelCauseFunc) {
	tick := time.NewTicker(f.o.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if len(slots) > 0 && !f.renew(ctx, slots) && len(fls) == 1 && f.forget(fls[0]) {
			lost(errPurged)
		}
	}
}

// renew renews the tokens of loads, at once however many there are, and tells whether none is known to be lost.
func (f *Func[K, V]) renew(ctx context.Context, slots [][]lease) bool {
	pipe := f.c.client.Pipeline()
	results := make([]*script.Result, len(slots))
	for s, leases := range slots {
		loads, tokens := make([]string, len(leases)), make([]string, len(leases))
		for i, l := range leases {
			loads[i], tokens[i] = l.load, l.token
		}
		results[s] = f.renewAll.Queue(ctx, pipe, script.KeyNames{"loads": loads}, script.ArgValues{"lease": f.o.Lease.Milliseconds(), "tokens": tokens})
	}
	_, _ = pipe.Exec(ctx) // the results have the errors
	all := true
	for _, r := range results {
		texts, err := r.Strings()
		all = all && (err != nil || !slices.Contains(texts, "0"))
	}
	return all
}
