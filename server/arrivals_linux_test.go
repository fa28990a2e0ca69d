package server

import (
	"net"
	"slices"
	"testing"
)

// lineUp is sockets that sleep, each with its peer.
func lineUp(t *testing.T, order *arrivals, n int) (sockets []*quick, peers []net.Conn) {
	t.Helper()
	for range n {
		q, peer := quickPair(t, order)
		for q.read.buf = make([]byte, 16); !q.asleep.Load(); {
			if err := q.raw.Control(func(fd uintptr) { q.read.once(fd) }); err != nil {
				t.Fatal(err)
			}
		}
		sockets, peers = append(sockets, q), append(peers, peer)
	}
	return sockets, peers
}

func TestSocketsLineUpAsBytesCome(t *testing.T) {
	order := &arrivals{}
	sockets, peers := lineUp(t, order, 100) // more than are asked for at once
	for i := range peers {
		if _, err := peers[len(peers)-1-i].Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	slices.Reverse(sockets)
	order.wake(sockets[99])
	if !slices.Equal(order.line, sockets) {
		t.Fatalf("%d in line, or in another order", len(order.line))
	}
	if order.first(sockets[1]) || order.first(sockets[99]) || !order.first(sockets[0]) {
		t.Error("one who is not the first may go")
	}
	order.await(sockets[1]) // returns, though nobody else goes on
	order.done(sockets[0])
	if !order.first(sockets[1]) {
		t.Error("the next one may not go")
	}
	if err := sockets[1].Close(); err != nil {
		t.Fatal(err)
	}
	order.insist(sockets[3]) // in vain
	if !slices.Equal(order.line, sockets[3:]) {
		t.Errorf("%d are left in line", len(order.line))
	}
	if !order.first(sockets[2]) || order.first(sockets[4]) {
		t.Error("who took too long is waited for still, or the order is lost")
	}
}

func TestSocketsThatDoNotSleepAreNotWaitedFor(t *testing.T) {
	order := &arrivals{}
	sockets, peers := lineUp(t, order, 2)
	sockets[0].asleep.Store(false)
	for _, peer := range peers {
		if _, err := peer.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	order.wake(sockets[1])
	if !slices.Equal(order.line, sockets[1:]) {
		t.Errorf("%d in line", len(order.line))
	}
	buf := make([]byte, 16)
	if n, err := sockets[1].Read(buf); n != 1 || err != nil || len(order.line) != 0 {
		t.Errorf("Read: %d, %v; %d in line", n, err, len(order.line))
	}
	var none arrivals // as where the kernel has no epoll instance to give
	none.wake(sockets[0])
	if !none.first(sockets[0]) {
		t.Error("without an order the only one may not go")
	}
}
