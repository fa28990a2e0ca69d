// Package rate limits how often something happens, for all processes that share an engine.
//
// It is the generic cell rate algorithm (ITU-T I.371): a key holds the time at which all that was allowed would have been
// spread evenly, in milliseconds since 1970 of the engine's clock. A key that limits nothing any more is gone.
package rate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/script"
)

// Limit is so many per period, all of which may come at once after a pause.
type Limit struct {
	N   int           // at least 1
	Per time.Duration // at least a millisecond
}

// Limiter limits what happens under names. It is safe for concurrent use, by any number of processes with the same limit.
type Limiter struct {
	prefix string
	limit  Limit
	allow  *script.Runner
}

var allow = func() *script.Program {
	b := script.New("rate allow")
	k := b.Var("key")
	n, burst, per := b.Arg("n", script.Int), b.Arg("burst", script.Int), b.Arg("per", script.Int)
	now := b.Local("now", b.Now())
	each := b.Local("each", per.Div(burst))
	spread := b.Local("spread", script.Max(k.Get().Or("0").Float(), now.Float()).Add(each.Mul(n)))
	early := b.Local("early", spread.Sub(per).Sub(now))
	b.If(early.Gt(tolerance), func() {
		before := spread.Sub(each.Mul(n))
		b.Return([]any{false, wholes(per.Sub(before.Sub(now)), each.Expr), early.Ceil()})
	})
	b.Do(k.Set(spread, script.TTL(script.Max(spread.Sub(now).Ceil(), 1))))
	b.Return([]any{true, wholes(early.Neg(), each.Expr), 0})
	return b.MustCompile()
}()

// tolerance is by how many milliseconds rounding may be wrong: times of today have steps of a quarter of a microsecond.
const tolerance = 0.001

// wholes is how many whole ones of a length there are in a time.
func wholes(time, each script.Expr) script.Expr {
	return script.Max(time.Add(tolerance).Div(each).Floor(), 0)
}

// ErrInput is the error of a limit that limits nothing or everything, and of asking for less than one.
var ErrInput = errors.New("rate: bad input")

// New returns a limiter whose keys begin with prefix. Nothing is sent.
func New(client redis.UniversalClient, prefix string, limit Limit) (*Limiter, error) {
	if limit.N < 1 || limit.Per < time.Millisecond {
		return nil, fmt.Errorf("%w: a limit of %d per %v", ErrInput, limit.N, limit.Per)
	}
	return &Limiter{prefix, limit, allow.On(client)}, nil
}

// Answer is what Allow says.
type Answer struct {
	Allowed bool
	Left    int           // how many more would be allowed now
	After   time.Duration // when to try again, from now on; 0 if it is allowed
}

// Allow asks for n at once, all or none. More than the limit are never allowed: that is ErrInput.
func (l *Limiter) Allow(ctx context.Context, name string, n int) (Answer, error) {
	if n < 1 || n > l.limit.N {
		return Answer{}, fmt.Errorf("%w: %d of %d", ErrInput, n, l.limit.N)
	}
	var reply []any
	err := l.allow.Do(ctx, script.KeyNames{"key": l.prefix + name}, script.ArgValues{"n": n, "burst": l.limit.N, "per": l.limit.Per.Milliseconds()}).Scan(&reply)
	if err != nil {
		return Answer{}, err
	}
	return Answer{reply[0] == true, int(reply[1].(int64)), time.Duration(reply[2].(int64)) * time.Millisecond}, nil
}
