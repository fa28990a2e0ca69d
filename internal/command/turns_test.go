package command

import (
	"slices"
	"sync"
	"testing"
)

func TestTurnsFollowTheTickets(t *testing.T) {
	var q turns
	const n = 100
	tickets := make([]uint64, n)
	for i := range tickets {
		tickets[i] = q.take()
	}
	var order []uint64 // guarded by the turns
	var all sync.WaitGroup
	for _, ticket := range slices.Backward(tickets) {
		all.Go(func() {
			q.enter(ticket)
			order = append(order, ticket)
			q.leave()
		})
	}
	all.Wait()
	if !slices.Equal(order, tickets) {
		t.Errorf("they entered in the order %v", order)
	}
	if len(q.waiter) != 0 {
		t.Errorf("%d are still waited for", len(q.waiter))
	}
}
