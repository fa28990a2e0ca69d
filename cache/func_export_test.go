package cache

import "runtime"

// AwaitWaiting returns when so many wait for one flight.
func AwaitWaiting[K, V any](f *Func[K, V], n int) {
	awaitWaiting(f, func(waiting int) bool { return waiting >= n })
}

// AwaitLeft returns when no more than so many wait for the one flight.
func AwaitLeft[K, V any](f *Func[K, V], n int) {
	awaitWaiting(f, func(waiting int) bool { return waiting <= n })
}

func awaitWaiting[K, V any](f *Func[K, V], enough func(waiting int) bool) {
	for over := false; !over; runtime.Gosched() {
		f.mu.Lock()
		waiting := 0
		for _, fl := range f.flights {
			waiting = fl.waiting
		}
		over = enough(waiting)
		f.mu.Unlock()
	}
}

// Resting is how many keys rest.
func Resting[K, V any](f *Func[K, V]) int { return len(f.resting.at) }

// AwaitLanded returns when no flight is on its way.
func AwaitLanded[K, V any](f *Func[K, V]) { f.running.Wait() }
