// Rests: after a load that failed while there was something to return instead, the next one waits a while.

package cache

import (
	"sync"
	"time"
)

// maxRests is how many keys rest at once. One more ends the rest of any other, which costs a load.
const maxRests = 1 << 12

// rests are keys whose load has failed.
type rests struct {
	mu sync.Mutex // guards what follows
	at map[string]time.Time
}

// begin lets a key rest from now on.
func (r *rests) begin(key string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.at[key]; !there && len(r.at) >= maxRests {
		for any := range r.at {
			delete(r.at, any)
			break
		}
	}
	if r.at == nil {
		r.at = map[string]time.Time{}
	}
	r.at[key] = now
}

// end lets a key be loaded again.
func (r *rests) end(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.at, key)
}

// now tells whether a key rests. One whose rest began in the future, by a clock that was turned back, does not.
func (r *rests) now(key string, now time.Time, long time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	began, there := r.at[key]
	if !there {
		return false
	}
	if since := now.Sub(began); since >= 0 && since < long {
		return true
	}
	delete(r.at, key)
	return false
}

// rests tells whether a key is not loaded now, since that has failed a moment ago.
func (f *Func[K, V]) rests(at string) bool { return f.resting.now(at, f.o.Now(), f.o.RetryAfter) }

// rested notes how a flight ended. What was not found is no failure, and neither is that nobody waited any more.
func (f *Func[K, V]) rested(fl *flight[K, V], err error) {
	switch {
	case failure(err) == nil:
		f.resting.end(fl.at)
	case fl.spare && fl.group.ctx.Err() == nil:
		f.resting.begin(fl.at, f.o.Now())
	}
}
