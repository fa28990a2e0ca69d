package server

import (
	"runtime"
	"slices"
	"testing"
)

func TestWhoWokeLastGoesFirst(t *testing.T) {
	var order turns
	for _, who := range []string{"third", "second", "first"} {
		order.join(who)
	}
	if order.first("second") || order.first("third") {
		t.Error("one goes before the first")
	}
	for _, who := range []string{"first", "second", "third"} {
		if !order.first(who) {
			t.Errorf("%s may not go", who)
		}
	}
	order.await("alone")
	if len(order.woken) != 0 {
		t.Errorf("%v still wait", order.woken)
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
