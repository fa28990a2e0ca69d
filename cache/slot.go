// Hash slots: which keys a cluster can take at once.

package cache

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/hashslot"
)

// behind is the client of go-redis in one that wraps it, such as a redbud.DB.
func behind(client redis.UniversalClient) redis.UniversalClient {
	if w, ok := client.(interface{ Unwrap() redis.UniversalClient }); ok {
		return w.Unwrap()
	}
	return client
}

// slotsOf is how keys of a client get their slots; nil: it has no cluster behind it.
func slotsOf(client redis.UniversalClient) func(key string) int {
	if db, ok := client.(interface{ KeySlot(string) (int, bool) }); ok { // a redbud.DB, which may be a namespace
		if _, ok := db.KeySlot(""); !ok {
			return nil
		}
		return func(key string) int {
			slot, _ := db.KeySlot(key)
			return slot
		}
	}
	if _, ok := behind(client).(*redis.ClusterClient); ok {
		return hashslot.Of[string]
	}
	return nil
}

// groups are the places of keys in lists that an engine can take at once: by slot on a cluster, else all of them, which is nil.
func (c *Cache[T]) groups(keys []string) [][]int {
	if c.slots == nil {
		return [][]int{nil}
	}
	bySlot := map[int][]int{}
	var slots []int
	for i, key := range keys {
		s := c.slots(key)
		if bySlot[s] == nil {
			slots = append(slots, s)
		}
		bySlot[s] = append(bySlot[s], i)
	}
	slices.Sort(slots) // the order of calls is not left to chance
	groups := make([][]int, len(slots))
	for i, s := range slots {
		groups[i] = bySlot[s]
	}
	return groups
}

// pick is the elements at some places, nil: all.
func pick[E any](list []E, places []int) []E {
	if places == nil {
		return list
	}
	picked := make([]E, len(places))
	for i, at := range places {
		picked[i] = list[at]
	}
	return picked
}

// put puts elements at some places of a list, nil: all.
func put[E any](list []E, places []int, elements []E) {
	if places == nil {
		copy(list, elements)
		return
	}
	for i, at := range places {
		list[at] = elements[i]
	}
}

// several is where n calls are made: in db, or if that is no pipeline and there is more than one, in a pipeline of their own, which exec executes. The
// calls have the errors.
func (c *Cache[T]) several(ctx context.Context, db redis.Cmdable, n int) (to redis.Cmdable, exec func()) {
	if _, is := db.(redis.Pipeliner); is || n < 2 {
		return db, func() {}
	}
	pipe := c.client.Pipeline()
	return pipe, func() { _, _ = pipe.Exec(ctx) }
}
