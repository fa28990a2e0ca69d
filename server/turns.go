package server

import (
	"runtime"
	"sync"
)

// turns lets connections have their turn in the order in which their bytes came. Go wakes those that became readable together last
// first; whoever wakes joins a stack, lets the others of its kind wake, and goes on when it is on top.
type turns struct {
	mu    sync.Mutex // guards woken
	woken []any
}

// maxYields bounds how long a connection lets others go first: they may be in the middle of something long.
const maxYields = 8

// await returns when it is the turn of a connection that has just woken.
func (t *turns) await(q any) {
	t.mu.Lock()
	t.woken = append(t.woken, q)
	t.mu.Unlock()
	for n := 1; ; n++ {
		runtime.Gosched()
		t.mu.Lock()
		if last := len(t.woken) - 1; t.woken[last] == q {
			t.woken = t.woken[:last]
			t.mu.Unlock()
			return
		}
		if n == maxYields {
			for i, other := range t.woken {
				if other == q {
					t.woken = append(t.woken[:i], t.woken[i+1:]...)
					break
				}
			}
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
	}
}
