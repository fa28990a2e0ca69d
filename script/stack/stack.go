// Package stack is a stack of dictionaries in one key of any engine: what a frame does not have is looked up in those below it.
//
// The key is a list with the frames as JSON, the bottom first. A stack without one has an empty bottom frame.
package stack

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/script"
)

// Stack is a stack of dictionaries from strings to strings. It is safe for concurrent use, by any number of processes.
type Stack struct {
	key                                 string
	push, pop, set, get, lookup, merged *script.Runner
}

// programs are compiled once.
var programs = struct{ push, pop, set, get, lookup, merged *script.Program }{
	compile("stack push", func(b *script.Builder, frames script.List) {
		b.NoRetry()
		b.If(frames.Len().Eq(0), func() { b.Do(frames.RPush("{}")) })
		b.Return(frames.RPush("{}").Sub(1))
	}),
	compile("stack pop", func(b *script.Builder, frames script.List) {
		b.NoRetry()
		top := b.Local("top", frames.RPop())
		b.If(top, func() { b.Return(top.FromJSON()) })
		b.Return(nil)
	}),
	compile("stack set", func(b *script.Builder, frames script.List) {
		last := b.Local("last", frames.RPop())
		top := b.LocalOf("top", script.MapOf(script.String), last.Or("{}").FromJSON())
		b.Pairs(b.Arg("values", script.MapOf(script.String)), func(name, value *script.Local) { top.SetKey(name, value) })
		b.Do(frames.RPush(top.ToJSON()))
		b.Return(nil)
	}),
	compile("stack get", func(b *script.Builder, frames script.List) {
		b.ReadOnly()
		b.Return(value(b, frames.Index(-1)))
	}),
	compile("stack lookup", func(b *script.Builder, frames script.List) {
		b.ReadOnly()
		i := b.Local("i", frames.Len())
		b.While(i.Gt(0), func() {
			i.Assign(i.Sub(1))
			found := b.Local("found", value(b, frames.Index(i)))
			b.If(found, func() { b.Return(found) })
		})
		b.Return(nil)
	}),
	compile("stack merged", func(b *script.Builder, frames script.List) {
		b.ReadOnly()
		all := b.Local("all", map[string]string{})
		b.Each(frames.Range(0, -1), func(_, frame *script.Local) {
			b.Pairs(frame.FromJSON(), func(name, value *script.Local) { all.SetKey(name, value) })
		})
		b.Return(all)
	}),
}

func compile(name string, build func(b *script.Builder, frames script.List)) *script.Program {
	b := script.New(name)
	build(b, b.List("stack"))
	return b.MustCompile()
}

// value is what a frame, which may be missing, has of the argument name; null if it has nothing.
func value(b *script.Builder, frame script.Expr) script.Expr {
	dictionary := b.LocalOf("frame", script.MapOf(script.String), frame.Or("{}").FromJSON())
	return dictionary.Get(b.Arg("name", script.String))
}

// New returns the stack at a key. Nothing is sent.
func New(client redis.UniversalClient, key string) *Stack {
	p := &programs
	return &Stack{key, p.push.On(client), p.pop.On(client), p.set.On(client), p.get.On(client), p.lookup.On(client), p.merged.On(client)}
}

func (s *Stack) do(ctx context.Context, r *script.Runner, args script.ArgValues) *script.Result {
	return r.Do(ctx, script.KeyNames{"stack": s.key}, args)
}

// Push puts an empty frame on top and returns how many are below it.
func (s *Stack) Push(ctx context.Context) (below int, err error) {
	return below, s.do(ctx, s.push, nil).Scan(&below)
}

// Pop takes the top frame away and returns what was in it: an empty frame if the stack has none.
func (s *Stack) Pop(ctx context.Context) (map[string]string, error) {
	frame := map[string]string{}
	r := s.do(ctx, s.pop, nil)
	if r.IsNull() {
		return frame, nil
	}
	return frame, r.Scan(&frame)
}

// Set sets values in the top frame, all at once.
func (s *Stack) Set(ctx context.Context, values map[string]string) error {
	return s.do(ctx, s.set, script.ArgValues{"values": values}).Err()
}

// Get returns a value of the top frame alone; the error is redis.Nil if it is not there.
func (s *Stack) Get(ctx context.Context, name string) (string, error) {
	return s.do(ctx, s.get, script.ArgValues{"name": name}).Text()
}

// Lookup returns a value of the highest frame that has it; the error is redis.Nil if none has.
func (s *Stack) Lookup(ctx context.Context, name string) (string, error) {
	return s.do(ctx, s.lookup, script.ArgValues{"name": name}).Text()
}

// All returns all that Lookup finds.
func (s *Stack) All(ctx context.Context) (map[string]string, error) {
	all := map[string]string{}
	return all, s.do(ctx, s.merged, nil).Scan(&all)
}
