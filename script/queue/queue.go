// Package queue is a queue that holds each item once, in one key of any engine.
//
// The key is a sorted set: the items with the numbers of their places.
package queue

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/script"
)

// Queue is a queue of strings, none of which is in it twice. It is safe for concurrent use, by any number of processes.
type Queue struct {
	client redis.UniversalClient
	key    string

	push, pop *script.Runner
}

var pushProgram, popProgram = programs()

func programs() (push, pop *script.Program) {
	b := script.New("queue push")
	q := b.SortedSet("queue")
	items, front := b.Arg("items", script.ListOf(script.String)), b.Arg("front", script.Bool)
	added := b.Local("added", 0)
	step, end := b.Local("step", 1), b.Local("end", q.RangeScored(-1, -1))
	b.If(front, func() {
		step.Assign(-1)
		end.Assign(q.RangeScored(0, 0))
	})
	place := b.Local("place", 0)
	b.If(end.Len().Gt(0), func() { place.Assign(end.At(0).At(1).Add(step)) })
	b.Each(items, func(_, item *script.Local) {
		b.If(q.AddIf(script.Missing, place, item).Eq(1), func() {
			added.Assign(added.Add(1))
			place.Assign(place.Add(step))
		})
	})
	b.Return(added)
	push = b.MustCompile()

	b = script.New("queue pop")
	b.NoRetry()
	q = b.SortedSet("queue")
	popped := b.Local("popped", []string{})
	b.Each(q.PopMin(b.Arg("n", script.Int)), func(_, pair *script.Local) { popped.Append(pair.At(0)) })
	b.Return(popped)
	return push, b.MustCompile()
}

// New returns the queue at a key. Nothing is sent.
func New(client redis.UniversalClient, key string) *Queue {
	return &Queue{client, key, pushProgram.On(client), popProgram.On(client)}
}

func (q *Queue) keys() script.KeyNames { return script.KeyNames{"queue": q.key} }

// Push appends the items that are not in the queue, all at once, and returns how many they were.
func (q *Queue) Push(ctx context.Context, items ...string) (added int, err error) {
	return q.pushTo(ctx, false, items)
}

// PushFront puts the items that are not in the queue before the first, one after the other: the last one is popped next.
func (q *Queue) PushFront(ctx context.Context, items ...string) (added int, err error) {
	return q.pushTo(ctx, true, items)
}

func (q *Queue) pushTo(ctx context.Context, front bool, items []string) (added int, err error) {
	if len(items) == 0 {
		return 0, nil
	}
	return added, q.push.Do(ctx, q.keys(), script.ArgValues{"items": items, "front": front}).Scan(&added)
}

// Pop takes up to n items from the front and returns them; none if the queue is empty or n is not positive. They may be pushed again.
func (q *Queue) Pop(ctx context.Context, n int) ([]string, error) {
	if n <= 0 {
		return nil, nil
	}
	return q.pop.Do(ctx, q.keys(), script.ArgValues{"n": n}).Strings()
}

// Remove removes items, and returns how many of them were in the queue.
func (q *Queue) Remove(ctx context.Context, items ...string) (int, error) {
	if len(items) == 0 {
		return 0, nil
	}
	members := make([]any, len(items))
	for i, item := range items {
		members[i] = item
	}
	n, err := q.client.ZRem(ctx, q.key, members...).Result()
	return int(n), err
}

// Has tells whether an item is in the queue.
func (q *Queue) Has(ctx context.Context, item string) (bool, error) {
	err := q.client.ZScore(ctx, q.key, item).Err()
	if err == redis.Nil {
		return false, nil
	}
	return err == nil, err
}

// Len is how many items are in the queue.
func (q *Queue) Len(ctx context.Context) (int, error) {
	n, err := q.client.ZCard(ctx, q.key).Result()
	return int(n), err
}
