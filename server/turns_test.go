package server

import (
	"runtime"
	"slices"
	"sync"
	"testing"
)

func TestWhoWokeLastGoesFirst(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // or they would not wake one after the other
	var order turns
	var mu sync.Mutex
	var woke, went []int
	note := func(list *[]int, i int) {
		mu.Lock()
		defer mu.Unlock()
		*list = append(*list, i)
	}
	var all sync.WaitGroup
	for i := range 5 {
		all.Go(func() {
			note(&woke, i)
			order.await(i)
			note(&went, i)
		})
	}
	all.Wait()
	slices.Reverse(went)
	if len(woke) != 5 || !slices.Equal(woke, went) {
		t.Errorf("woke %v, and the other way round they went %v", woke, went)
	}
	if len(order.woken) != 0 {
		t.Errorf("%d still wait", len(order.woken))
	}
}

func TestNobodyWaitsForOneWhoTakesLong(t *testing.T) {
	var order turns
	done := make(chan struct{})
	order.mu.Lock()
	go func() {
		order.await("first")
		close(done)
	}()
	order.mu.Unlock()
	for over := false; !over; { // others keep on coming above it, and never go
		order.mu.Lock()
		if len(order.woken) > 0 && order.woken[0] == "first" {
			order.woken = append(order.woken, "stuck")
		}
		order.mu.Unlock()
		select {
		case <-done:
			over = true
		default:
			runtime.Gosched()
		}
	}
	if slices.Contains(order.woken, any("first")) {
		t.Errorf("left behind: %v", order.woken)
	}
}
