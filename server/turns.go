package server

import (
	"runtime"
	"slices"
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
func (t *turns) await(who any) {
	t.join(who)
	for range maxYields {
		runtime.Gosched()
		if t.first(who) {
			return
		}
	}
	t.leave(who)
}

func (t *turns) join(who any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.woken = append(t.woken, who)
}

// first takes who is on top off the stack, if it is this one.
func (t *turns) first(who any) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := len(t.woken) - 1
	if t.woken[last] != who {
		return false
	}
	t.woken[last] = nil
	t.woken = t.woken[:last]
	return true
}

func (t *turns) leave(who any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.woken = slices.DeleteFunc(t.woken, func(other any) bool { return other == who })
}
