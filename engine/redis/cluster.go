// Clusters: a call goes to the master of its keys, and what has no keys to one of them or to all.
package redis

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/hashslot"
	"github.com/redbud-go/redbud/internal/resp"
)

// everywhere are the calls that concern the whole cluster, with how one reply is made of those of all masters.
var everywhere = map[string]func(replies []*exchange, w *resp.Writer) error{
	"dbsize":           sum,
	"keys":             concat,
	"randomkey":        any1,
	"flushall":         agree,
	"flushdb":          agree,
	"config|set":       agree,
	"config|resetstat": agree,
	"config|rewrite":   agree,
	"client|pause":     agree,
	"client|unpause":   agree,
	"script|load":      agree,
	"script|flush":     agree,
	"function|load":    agree,
	"function|delete":  agree,
	"function|flush":   agree,
	"function|restore": agree,
}

// fullName is the name that everywhere goes by, "" for what has no subcommand and isn't in it.
func fullName(call engine.Call) string {
	name := strings.ToLower(string(call[0]))
	if _, ok := everywhere[name]; ok || len(call) == 1 {
		return name
	}
	return name + "|" + strings.ToLower(string(call[1]))
}

// keysOf are the keys of a call whose row is known; ok is false for the other calls.
func keysOf(call engine.Call) (keys [][]byte, ok bool) {
	row := command.Commands.Lookup(call[0])
	if row == nil {
		return nil, false
	}
	if row.Subs != nil {
		sub, err := command.Commands.Find(call)
		if err != nil {
			return nil, true // whichever node gets it will refuse it
		}
		row = sub
	}
	return row.Keys.Append(nil, call), true
}

// firstKey is the first key that any of the calls has, nil if there is none. Of a call that we don't know a node tells.
func (e *Engine) firstKey(ctx context.Context, calls []engine.Call) ([]byte, error) {
	for _, call := range calls {
		keys, known := keysOf(call)
		if !known {
			c, err := e.masterOf(ctx, 2, nil)
			if err != nil {
				return nil, err
			}
			x, err := e.exchange(ctx, c, []engine.Call{append(words("COMMAND", "GETKEYS"), call...)})
			if err != nil {
				return nil, err
			}
			// An error says that the call has no keys, or is wrong, which its node will say better.
			if v, _, err := resp.DecodeValue(x.buf); err == nil {
				for _, k := range v.Elems {
					keys = append(keys, k.Str)
				}
			}
		}
		if len(keys) > 0 {
			return keys[0], nil
		}
	}
	return nil, nil
}

// masterOf is the client of the master that has a key; for nil it is any master.
func (e *Engine) masterOf(ctx context.Context, proto int, key []byte) (*redis.Client, error) {
	c, err := e.cluster(proto)
	if err != nil {
		return nil, err
	}
	k := string(key)
	if key == nil {
		k = strconv.Itoa(rand.IntN(1 << 16))
	}
	var node *redis.Client
	err = e.await(ctx, func() (err error) { node, err = c.MasterForKey(ctx, k); return err }, nil)
	if err != nil {
		return nil, err
	}
	return node, nil
}

// masters are the clients of all masters in the order of their addresses.
func (e *Engine) masters(ctx context.Context, proto int) ([]*redis.Client, error) {
	c, err := e.cluster(proto)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex // guards all
	var all []*redis.Client
	err = e.await(ctx, func() error {
		return c.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, node)
			return nil
		})
	}, nil)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *redis.Client) int { return cmp.Compare(a.Options().Addr, b.Options().Addr) })
	return all, nil
}

// share is the part of a batch that one master runs.
type share struct {
	node  *redis.Client
	calls []engine.Call
	place []int // of each of its calls in the batch
	x     *exchange
	err   error
}

// spread runs calls on the masters that have their keys, at the same time. A call to the whole cluster waits for those
// before it, and those after it wait for it.
func (e *Engine) spread(ctx context.Context, db int, calls []engine.Call, w *resp.Writer) error {
	if db != 0 {
		for range calls {
			w.Error("ERR SELECT is not allowed in cluster mode")
		}
		return nil
	}
	var shares []*share
	n := 0
	flush := func() error {
		err := e.runShares(ctx, shares, n, w)
		shares, n = nil, 0
		return err
	}
	for _, call := range calls {
		if merge, ok := everywhere[fullName(call)]; ok || isScan(call) {
			if err := flush(); err != nil {
				return err
			}
			if err := e.whole(ctx, call, merge, w); err != nil {
				return err
			}
			continue
		}
		node, err := e.home(ctx, 0, proto(w), []engine.Call{call})
		if err != nil {
			return err
		}
		i := slices.IndexFunc(shares, func(s *share) bool { return s.node == node })
		if i < 0 {
			i = len(shares)
			shares = append(shares, &share{node: node})
		}
		shares[i].calls = append(shares[i].calls, call)
		shares[i].place = append(shares[i].place, n)
		n++
	}
	return flush()
}

// runShares runs the shares and writes their n replies in the order of the batch.
func (e *Engine) runShares(ctx context.Context, shares []*share, n int, w *resp.Writer) error {
	var all sync.WaitGroup
	for _, s := range shares[min(1, len(shares)):] {
		all.Go(func() { s.x, s.err = e.exchange(ctx, s.node, s.calls) })
	}
	if len(shares) > 0 {
		shares[0].x, shares[0].err = e.exchange(ctx, shares[0].node, shares[0].calls)
	}
	all.Wait()
	replies := make([][]byte, n)
	for _, s := range shares {
		if s.err != nil {
			return s.err
		}
		for i, at := range s.place {
			replies[at] = s.x.reply(i)
			if !redirects(replies[at]) {
				continue
			}
			var err error
			if replies[at], err = e.follow(ctx, s.calls[i], w); err != nil {
				return err
			}
		}
	}
	for _, r := range replies {
		w.Raw(r)
	}
	return nil
}

// redirects reports whether a reply says that a slot is, or is about to be, elsewhere.
func redirects(raw []byte) bool {
	s := string(raw[:min(len(raw), 7)])
	return strings.HasPrefix(s, "-MOVED ") || strings.HasPrefix(s, "-ASK ")
}

// follow lets go-redis's cluster client run one call, which asks where its slot has gone.
func (e *Engine) follow(ctx context.Context, call engine.Call, w *resp.Writer) ([]byte, error) {
	c, err := e.cluster(proto(w))
	if err != nil {
		return nil, err
	}
	x := newExchange(ctx, []engine.Call{call})
	x.sinks[0].cluster = true
	if keys, known := keysOf(call); known && len(keys) > 0 {
		at := slices.IndexFunc(call, func(a []byte) bool { return len(a) == len(keys[0]) && string(a) == string(keys[0]) })
		x.cmds[0].SetFirstKeyPos(int8(min(max(at, 1), 127)))
	}
	err = e.await(ctx, func() error { return x.err(c.Process(ctx, x.cmds[0])) }, nil)
	if err != nil {
		return nil, err
	}
	return x.reply(0), nil
}

// whole runs a call that concerns all masters.
func (e *Engine) whole(ctx context.Context, call engine.Call, merge func([]*exchange, *resp.Writer) error, w *resp.Writer) error {
	masters, err := e.masters(ctx, proto(w))
	if err != nil {
		return err
	}
	if len(masters) == 0 {
		return &LostError{errors.New("the cluster has no masters")}
	}
	if merge == nil {
		return e.scan(ctx, masters, call, w)
	}
	replies := make([]*exchange, len(masters))
	for i, m := range masters {
		if replies[i], err = e.exchange(ctx, m, []engine.Call{call}); err != nil {
			return err
		}
		if replies[i].buf[0] == '-' {
			w.Raw(replies[i].buf)
			return nil
		}
	}
	return merge(replies, w)
}

func agree(replies []*exchange, w *resp.Writer) error {
	w.Raw(replies[0].buf)
	return nil
}

func any1(replies []*exchange, w *resp.Writer) error {
	// Begin anywhere: each master is as good as the next.
	first := rand.IntN(len(replies))
	for i := range replies {
		r := replies[(first+i)%len(replies)]
		if r.buf[0] == '$' && r.buf[1] != '-' {
			w.Raw(r.buf)
			return nil
		}
	}
	w.Null()
	return nil
}

func sum(replies []*exchange, w *resp.Writer) error {
	total := int64(0)
	for _, r := range replies {
		v, _, err := resp.DecodeValue(r.buf)
		if err != nil {
			return err
		}
		total += v.Int
	}
	w.Int(total)
	return nil
}

func concat(replies []*exchange, w *resp.Writer) error {
	var all [][]byte
	for _, r := range replies {
		parts, err := elements(r.buf)
		if err != nil {
			return err
		}
		all = append(all, parts...)
	}
	w.Array(len(all))
	for _, part := range all {
		w.Raw(part)
	}
	return nil
}

// The cursor of a cluster's SCAN is that of the node at hand and, in its lowest bits, which node that is.
const nodeBits = 10

func isScan(call engine.Call) bool {
	return len(call) > 1 && strings.EqualFold(string(call[0]), "scan")
}

// scan runs SCAN on one master after the other, in the order of their addresses. Redis's guarantee holds as long as no
// slot moves meanwhile.
func (e *Engine) scan(ctx context.Context, masters []*redis.Client, call engine.Call, w *resp.Writer) error {
	cursor, err := strconv.ParseUint(string(call[1]), 10, 64)
	node := int(cursor & (1<<nodeBits - 1))
	if err != nil || node >= len(masters) {
		w.Error("ERR invalid cursor")
		return nil
	}
	call = slices.Clone(call)
	call[1] = strconv.AppendUint(nil, cursor>>nodeBits, 10)
	x, err := e.exchange(ctx, masters[node], []engine.Call{call})
	if err != nil {
		return err
	}
	if x.buf[0] == '-' {
		w.Raw(x.buf)
		return nil
	}
	parts, err := elements(x.buf)
	if err != nil {
		return err
	}
	v, _, err := resp.DecodeValue(parts[0])
	if err != nil {
		return err
	}
	next, err := strconv.ParseUint(string(v.Str), 10, 64)
	if err != nil {
		return err
	}
	switch {
	case next != 0:
		next = next<<nodeBits | uint64(node)
	case node+1 < len(masters):
		next = uint64(node + 1)
	}
	w.Array(2)
	w.BulkString(strconv.FormatUint(next, 10))
	w.Raw(parts[1])
	return nil
}

// crossesSlots reports whether the known keys of calls are in more than one slot.
func crossesSlots(calls []engine.Call) bool {
	slot := -1
	for _, call := range calls {
		keys, _ := keysOf(call)
		for _, k := range keys {
			s := hashslot.Of(k)
			if slot >= 0 && s != slot {
				return true
			}
			slot = s
		}
	}
	return false
}
