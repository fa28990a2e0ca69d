package cache

import "runtime"

// AwaitWaiting returns when so many wait for one flight.
func AwaitWaiting[K, V any](f *Func[K, V], n int) {
	for waiting := 0; waiting < n; runtime.Gosched() {
		f.mu.Lock()
		for _, fl := range f.flights {
			waiting = fl.waiting
		}
		f.mu.Unlock()
	}
}

// AwaitLanded returns when no flight is on its way.
func AwaitLanded[K, V any](f *Func[K, V]) { f.running.Wait() }
