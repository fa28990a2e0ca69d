package command

import "sync"

// turns has those who took a ticket enter in the order of their tickets. Unlike with a mutex a ticket can be taken by one who has
// to wait for others before it enters.
type turns struct {
	mu     sync.Mutex // guards what follows
	taken  uint64     // tickets
	turn   uint64     // how many have left
	waiter map[uint64]chan struct{}
}

// take takes a ticket, which enter and leave have to follow.
func (q *turns) take() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken++
	return q.taken - 1
}

// enter waits until all who have earlier tickets have left.
func (q *turns) enter(ticket uint64) {
	q.mu.Lock()
	if q.turn == ticket {
		q.mu.Unlock()
		return
	}
	if q.waiter == nil {
		q.waiter = map[uint64]chan struct{}{}
	}
	c := make(chan struct{})
	q.waiter[ticket] = c
	q.mu.Unlock()
	<-c
}

// leave gives the next one its turn.
func (q *turns) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.turn++
	if c := q.waiter[q.turn]; c != nil {
		delete(q.waiter, q.turn)
		close(c)
	}
}
