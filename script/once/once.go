// Package once computes a value once for all processes that share an engine.
//
// The key is a hash. The field value is what was computed; until then owner is the token of who computes, whose lease is the key's
// time to live: if it stops renewing the lease, someone else computes. Who waits is told by a message on the channel that has the key's name.
package once

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/script"
)

// Options of a Cell.
type Options struct {
	Lease time.Duration // how long a computation is waited for that does not renew its lease, at least 10ms; default 10s
	TTL   time.Duration // how long a value is kept; default for ever
}

// Cell holds a value that is computed once. It is safe for concurrent use, by any number of processes.
type Cell struct {
	client  redis.UniversalClient
	key     string
	options Options

	claim, renew, finish, giveUp *script.Runner
}

// programs are compiled once.
var programs = struct{ claim, renew, finish, giveUp *script.Program }{
	// claim returns the value, or how many milliseconds it may take until it is there: 0 if the caller has to compute it.
	compile("once claim", func(b *script.Builder, cell script.Hash) {
		lease := b.Arg("lease", script.Int)
		value := b.Local("value", cell.Get("value"))
		b.If(value, func() { b.Return([]any{true, value}) })
		b.If(cell.SetNew("owner", b.Arg("token", script.String)), func() {
			b.Do(cell.Expire(lease))
			b.Return([]any{false, 0})
		})
		b.Return([]any{false, script.Max(cell.TTL(), 1)})
	}),
	// renew tells whether the computation is still the caller's.
	compile("once renew", func(b *script.Builder, cell script.Hash) {
		mine := mine(b, cell)
		b.If(mine, func() { b.Do(cell.Expire(b.Arg("lease", script.Int))) })
		b.Return(mine)
	}),
	// finish stores the value if the computation is still the caller's, and returns the one that counts; null if there is none.
	compile("once finish", func(b *script.Builder, cell script.Hash) {
		ttl, value := b.Arg("ttl", script.Int), b.Arg("value", script.String)
		b.If(script.Not(mine(b, cell)), func() { b.Return(cell.Get("value")) })
		b.Do(cell.Set("value", value))
		b.Do(cell.Delete("owner"))
		b.If(ttl.Gt(0), func() { b.Do(cell.Expire(ttl)) }).Else(func() { b.Do(cell.Persist()) })
		b.Do(b.CallKeyless("PUBLISH", cell, "done"))
		b.Return(value)
	}),
	// give up lets someone else compute.
	compile("once give up", func(b *script.Builder, cell script.Hash) {
		b.If(mine(b, cell), func() {
			b.Do(cell.Key.Delete())
			b.Do(b.CallKeyless("PUBLISH", cell, "failed"))
		})
		b.Return(nil)
	}),
}

func compile(name string, build func(b *script.Builder, cell script.Hash)) *script.Program {
	b := script.New(name)
	build(b, b.Hash("cell"))
	return b.MustCompile()
}

// mine is whether the argument token is that of who computes.
func mine(b *script.Builder, cell script.Hash) *script.Local {
	return b.Local("mine", cell.Get("owner").Eq(b.Arg("token", script.String)))
}

// New returns the cell at a key. Nothing is sent.
func New(client redis.UniversalClient, key string, o Options) *Cell {
	if o.Lease == 0 {
		o.Lease = 10 * time.Second
	}
	p := &programs
	return &Cell{client, key, o, p.claim.On(client), p.renew.On(client), p.finish.On(client), p.giveUp.On(client)}
}

// ErrInput is the error of options that make no sense.
var ErrInput = errors.New("once: bad input")

// ErrLost is the error of a computation whose lease ended before it did, while nobody else has a value yet: the engine could not be
// reached for that long, or the cell was cleared.
var ErrLost = errors.New("once: the lease has ended")

// Get returns the value, and computes it if nobody has: of all callers everywhere one does, the others wait for it until ctx ends. If
// compute fails its caller gets the error, and one of those who wait computes. compute's context ends when the lease is lost.
func (c *Cell) Get(ctx context.Context, compute func(context.Context) (string, error)) (string, error) {
	if c.options.Lease < 10*time.Millisecond || c.options.TTL < 0 {
		return "", fmt.Errorf("%w: a lease of %v, a TTL of %v", ErrInput, c.options.Lease, c.options.TTL)
	}
	token := rand.Text()
	value, wait, err := c.try(ctx, token)
	if err != nil || wait < 0 {
		return value, err
	}
	if wait > 0 {
		if value, wait, err = c.await(ctx, token); err != nil || wait < 0 {
			return value, err
		}
	}
	return c.compute(ctx, token, compute)
}

// Clear forgets the value. A computation that is under way is lost.
func (c *Cell) Clear(ctx context.Context) error { return c.client.Del(ctx, c.key).Err() }

func (c *Cell) do(ctx context.Context, r *script.Runner, args script.ArgValues) *script.Result {
	return r.Do(ctx, script.KeyNames{"cell": c.key}, args)
}

// try claims the cell. wait is negative if there is a value, 0 if the caller has to compute it, else how long to wait at most.
func (c *Cell) try(ctx context.Context, token string) (value string, wait time.Duration, err error) {
	var reply []any
	if err := c.do(ctx, c.claim, script.ArgValues{"token": token, "lease": c.options.Lease.Milliseconds()}).Scan(&reply); err != nil {
		return "", 0, err
	}
	if reply[0] == true {
		return reply[1].(string), -1, nil
	}
	return "", time.Duration(reply[1].(int64)) * time.Millisecond, nil
}

// await is try until there is a value or the caller has to compute it.
func (c *Cell) await(ctx context.Context, token string) (value string, wait time.Duration, err error) {
	sub := c.client.Subscribe(ctx, c.key)
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil { // the confirmation: no message is missed from here on
		return "", 0, err
	}
	messages := sub.Channel()
	for {
		if value, wait, err = c.try(ctx, token); err != nil || wait <= 0 {
			return value, wait, err
		}
		alarm := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			alarm.Stop()
			return "", 0, ctx.Err()
		case <-messages:
			alarm.Stop()
		case <-alarm.C:
		}
	}
}

// compute computes the value and stores it. The lease is renewed meanwhile.
func (c *Cell) compute(ctx context.Context, token string, compute func(context.Context) (string, error)) (string, error) {
	computed := false
	defer func() { // after a panic too: nobody has to wait for the lease to end
		if !computed {
			_ = c.do(context.WithoutCancel(ctx), c.giveUp, script.ArgValues{"token": token}).Err() // else the lease ends by itself
		}
	}()
	working, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		c.keep(working, token, lost)
	}()
	value, err := compute(working)
	if cause := context.Cause(working); err != nil && errors.Is(cause, ErrLost) {
		err = cause
	}
	lost(nil)
	<-stopped
	if err != nil {
		return "", err
	}
	r := c.do(ctx, c.finish, script.ArgValues{"token": token, "value": value, "ttl": c.options.TTL.Milliseconds()})
	value, err = r.Text()
	if errors.Is(err, redis.Nil) {
		err = ErrLost
	}
	computed = err == nil
	return value, err
}

// keep renews the lease until ctx ends, and ends it if the lease is lost.
func (c *Cell) keep(ctx context.Context, token string, lost context.CancelCauseFunc) {
	renewed := time.Now()
	tick := time.NewTicker(c.options.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked := time.Now()
		mine, err := c.do(ctx, c.renew, script.ArgValues{"token": token, "lease": c.options.Lease.Milliseconds()}).Bool()
		switch {
		case err == nil && !mine, err != nil && time.Since(renewed) > c.options.Lease:
			lost(ErrLost)
			return
		case err == nil:
			renewed = asked
		}
	}
}
