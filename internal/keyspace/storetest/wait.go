package storetest

import (
	"context"
	"errors"
	"sync"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// waiter is a call of Store.Wait in a goroutine of its own.
type waiter struct {
	ended chan error // what Wait returned
	tries chan bool  // for each try, whether it was done
}

// patient is how many tries of a waiter may be left unread.
const patient = 64

// wait starts a Wait in database 0 and returns once it was tried in vain.
func (s *subject) wait(ctx context.Context, a keyspace.Access, try func(keyspace.Tx) (bool, error)) *waiter {
	s.t.Helper()
	a.Now, a.Write = s.now, true
	w := &waiter{make(chan error, 1), make(chan bool, patient)}
	go func() {
		w.ended <- s.store.Wait(ctx, a, func(tx keyspace.Tx) (bool, error) {
			done, err := try(tx)
			w.tries <- done || err != nil
			return done, err
		})
	}()
	s.equal("it has what it waits for", <-w.tries, false)
	return w
}

// over waits for the end of a Wait.
func (s *subject) over(w *waiter, want error) {
	s.t.Helper()
	if err := <-w.ended; !errors.Is(err, want) {
		s.t.Fatalf("Wait: got error %v, want %v", err, want)
	}
}

// log is what several waiters got, in the order in which they did.
type log struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (l *log) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// pop is a try that takes the first value of any of the lists.
func pop(got *log, name string, keys ...string) func(keyspace.Tx) (bool, error) {
	return func(tx keyspace.Tx) (done bool, err error) {
		for _, key := range keys {
			if entry(tx, key).Type != keyspace.List {
				continue
			}
			err = must(tx.List([]byte(key))).Pop(keyspace.Left, 1, func(v []byte) {
				got.add(name + " takes " + string(v) + " from " + key)
			})
			return true, err
		}
		return false, nil
	}
}

func push(tx keyspace.Tx, key string, values ...string) {
	must(must(tx.List([]byte(key))).Push(keyspace.Right, bs(values...)))
}

// brought is a case in which a list gets to the key k, for which somebody waits, by other ways than a push.
func brought(name string, how func(tx keyspace.Tx)) testCase {
	return testCase{name, func(s *subject) {
		var got log
		w := s.wait(context.Background(), keyspace.Access{Keys: bs("k")}, pop(&got, "w", "k"))
		s.do(how)
		s.over(w, nil)
		s.equal("got", got.lines, []string{"w takes v from k"})
	}}
}

var waitCases = []testCase{
	{"Wait is done at once where it can be", func(s *subject) {
		var got log
		s.do(func(tx keyspace.Tx) { push(tx, "k", "a", "b") })
		err := s.store.Wait(context.Background(), keyspace.Access{Now: s.now, Write: true, Keys: bs("k")}, pop(&got, "w", "k"))
		s.fails("Wait", err, nil)
		s.equal("got", got.lines, []string{"w takes a from k"})
		s.do(func(tx keyspace.Tx) { s.equal("left", listOf(must(tx.List([]byte("k")))), []string{"b"}) })
	}},
	{"Wait returns the error of its first try", func(s *subject) {
		wrong := errors.New("wrong")
		err := s.store.Wait(context.Background(), keyspace.Access{Now: s.now, Write: true, Keys: bs("k")},
			func(keyspace.Tx) (bool, error) { return false, wrong })
		s.fails("Wait", err, wrong)
		s.do(func(tx keyspace.Tx) { push(tx, "k", "a") }) // nobody waits any more
	}},
	{"Wait returns the error of a later try and has no further", func(s *subject) {
		wrong, tries := errors.New("wrong"), 0
		w := s.wait(context.Background(), keyspace.Access{Keys: bs("k")}, func(tx keyspace.Tx) (bool, error) {
			if tries++; tries == 2 {
				return false, wrong
			}
			return false, nil
		})
		s.do(func(tx keyspace.Tx) { push(tx, "k", "a") })
		s.over(w, wrong)
		s.do(func(tx keyspace.Tx) { push(tx, "k", "b") })
		s.equal("tries", tries, 2)
	}},
	{"who waits is served in the order of arrival", func(s *subject) {
		var got log
		var all []*waiter
		for _, name := range []string{"first", "second", "third"} {
			all = append(all, s.wait(context.Background(), keyspace.Access{Keys: bs("k")}, pop(&got, name, "k")))
		}
		s.do(func(tx keyspace.Tx) { push(tx, "k", "1") })
		s.over(all[0], nil)
		s.do(func(tx keyspace.Tx) { push(tx, "k", "2", "3", "4") })
		s.over(all[1], nil)
		s.over(all[2], nil)
		s.equal("got", got.lines, []string{"first takes 1 from k", "second takes 2 from k", "third takes 3 from k"})
		s.do(func(tx keyspace.Tx) { s.equal("left", listOf(must(tx.List([]byte("k")))), []string{"4"}) })
	}},
	{"who is not content lets the next have it", func(s *subject) {
		var got log
		picky := s.wait(context.Background(), keyspace.Access{Keys: bs("k")}, func(tx keyspace.Tx) (bool, error) {
			return entry(tx, "k").Type == keyspace.Set, nil
		})
		w := s.wait(context.Background(), keyspace.Access{Keys: bs("k")}, pop(&got, "w", "k"))
		s.do(func(tx keyspace.Tx) { push(tx, "k", "1") })
		s.over(w, nil)
		s.do(func(tx keyspace.Tx) { must(must(tx.Set([]byte("k"))).Add(bs("m"))) })
		s.over(picky, nil)
		s.equal("got", got.lines, []string{"w takes 1 from k"})
	}},
	{"nobody comes between a writer and who waits", func(s *subject) {
		var got log
		w := s.wait(context.Background(), keyspace.Access{Keys: bs("k")}, pop(&got, "w", "k"))
		s.do(func(tx keyspace.Tx) { push(tx, "k", "a") })
		s.do(func(tx keyspace.Tx) { s.equal("the next finds", entry(tx, "k").Type, keyspace.None) })
		s.over(w, nil)
	}},
	{"Settle gives those who wait their turn", func(s *subject) {
		var got log
		w := s.wait(context.Background(), keyspace.Access{Keys: bs("k")}, pop(&got, "w", "k"))
		s.do(func(tx keyspace.Tx) {
			check(tx.Select(1))
			check(tx.Select(0))
			push(tx, "k", "a", "b")
			s.equal("before", listOf(must(tx.List([]byte("k")))), []string{"a", "b"})
			check(tx.Settle())
			s.equal("after", listOf(must(tx.List([]byte("k")))), []string{"b"})
		})
		s.over(w, nil)
	}},
	{"Settle leaves the database selected", func(s *subject) {
		var got log
		w := s.wait(context.Background(), keyspace.Access{DB: 2, Keys: bs("k")}, pop(&got, "w", "k"))
		s.do(func(tx keyspace.Tx) {
			check(tx.Select(2))
			push(tx, "k", "a")
			check(tx.Select(1))
			check(tx.Settle())
			put(tx, "here", "1")
			check(tx.Select(2))
			s.equal("in 2", get(tx, "here"), "(nil)")
		})
		s.over(w, nil)
	}},
	{"a write in another database wakes nobody", func(s *subject) {
		var got log
		w := s.wait(context.Background(), keyspace.Access{Keys: bs("k")}, pop(&got, "w", "k"))
		s.do(func(tx keyspace.Tx) {
			check(tx.Select(1))
			push(tx, "k", "other")
		})
		s.equal("tries", len(w.tries), 0)
		s.do(func(tx keyspace.Tx) { push(tx, "k", "own") })
		s.over(w, nil)
		s.equal("got", got.lines, []string{"w takes own from k"})
	}},
	{"who waits for several keys is served once", func(s *subject) {
		var got log
		a := keyspace.Access{Keys: bs("a", "b", "a", "c")}
		w := s.wait(context.Background(), a, pop(&got, "w", "a", "b", "a", "c"))
		s.do(func(tx keyspace.Tx) {
			push(tx, "c", "3")
			push(tx, "b", "2")
			push(tx, "a", "1")
		})
		s.over(w, nil)
		s.equal("got", got.lines, []string{"w takes 1 from a"})
		s.do(func(tx keyspace.Tx) {
			push(tx, "a", "4")
			s.equal("tries", len(w.tries), 1)
			for key, want := range map[string][]string{"a": {"4"}, "b": {"2"}, "c": {"3"}} {
				s.equal(key, listOf(must(tx.List([]byte(key)))), want)
			}
		})
	}},
	{"one may wait for very many keys", func(s *subject) {
		var got log
		keys := numbered("k", 0, 50_000)
		ctx, cancel := context.WithCancel(context.Background())
		idle := s.wait(ctx, keyspace.Access{Keys: bs(keys...)}, func(keyspace.Tx) (bool, error) { return false, nil })
		w := s.wait(context.Background(), keyspace.Access{Keys: bs(keys...)}, pop(&got, "w", "k49999"))
		s.do(func(tx keyspace.Tx) { push(tx, "k49999", "v") })
		s.over(w, nil)
		cancel()
		s.over(idle, context.Canceled)
	}},
	{"a context that ends has its cause returned, and nothing is lost", func(s *subject) {
		var got log
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		first := s.wait(ctx, keyspace.Access{Keys: bs("k", "l")}, pop(&got, "first", "k", "l"))
		second := s.wait(context.Background(), keyspace.Access{Keys: bs("k")}, pop(&got, "second", "k"))
		cancel(cause)
		s.over(first, cause)
		s.do(func(tx keyspace.Tx) { push(tx, "k", "1", "2") })
		s.over(second, nil)
		s.do(func(tx keyspace.Tx) { push(tx, "l", "3") })
		s.do(func(tx keyspace.Tx) {
			s.equal("k", listOf(must(tx.List([]byte("k")))), []string{"2"})
			s.equal("l", listOf(must(tx.List([]byte("l")))), []string{"3"})
		})
		s.equal("got", got.lines, []string{"second takes 1 from k"})
	}},
	{"who has given up takes nothing, though its Wait has not returned", func(s *subject) {
		for range 200 {
			var got log
			ctx, cancel := context.WithCancel(context.Background())
			w := s.wait(ctx, keyspace.Access{Keys: bs("k")}, pop(&got, "w", "k"))
			cancel()
			s.do(func(tx keyspace.Tx) { push(tx, "k", "v") })
			s.over(w, context.Canceled)
			s.do(func(tx keyspace.Tx) { s.equal("left", must(tx.Delete(bs("k"))), 1) })
		}
	}},
	{"each value goes to one who waits or stays, whenever contexts end", func(s *subject) {
		for range 200 {
			var got log
			ctx, cancel := context.WithCancel(context.Background())
			w := s.wait(ctx, keyspace.Access{Keys: bs("k")}, pop(&got, "w", "k"))
			go cancel()
			s.do(func(tx keyspace.Tx) { push(tx, "k", "v") })
			err := <-w.ended
			s.do(func(tx keyspace.Tx) {
				n := must(tx.Delete(bs("k")))
				s.equal("taken, left, told so", []any{len(got.lines), n, err == nil}, []any{1 - n, n, n == 0})
			})
		}
	}},
	{"Close wakes who waits", func(s *subject) {
		var got log
		a := s.wait(context.Background(), keyspace.Access{Keys: bs("k", "l")}, pop(&got, "a", "k", "l"))
		b := s.wait(context.Background(), keyspace.Access{Keys: bs("k"), Gone: true}, pop(&got, "b", "k"))
		check(s.store.Close())
		s.over(a, keyspace.ErrClosed)
		s.over(b, keyspace.ErrClosed)
		err := s.store.Wait(context.Background(), keyspace.Access{Now: s.now, Keys: bs("k")}, pop(&got, "c", "k"))
		s.fails("Wait", err, keyspace.ErrClosed)
	}},
	brought("a Move onto the key wakes", func(tx keyspace.Tx) {
		push(tx, "x", "v")
		must(tx.Move([]byte("x"), 0, []byte("k")))
	}),
	brought("a Move from another database wakes", func(tx keyspace.Tx) {
		check(tx.Select(3))
		push(tx, "x", "v")
		must(tx.Move([]byte("x"), 0, []byte("k")))
	}),
	brought("a Copy onto the key wakes", func(tx keyspace.Tx) {
		push(tx, "x", "v")
		must(tx.Copy([]byte("x"), 0, []byte("k")))
	}),
	brought("a Swap wakes", func(tx keyspace.Tx) {
		check(tx.Select(1))
		push(tx, "k", "v")
		check(tx.Swap(1, 0))
	}),
	{"what one who is served writes serves others", func(s *subject) {
		var got log
		last := s.wait(context.Background(), keyspace.Access{Keys: bs("c")}, pop(&got, "last", "c"))
		pass := func(from, to string) *waiter {
			return s.wait(context.Background(), keyspace.Access{Keys: bs(from)}, func(tx keyspace.Tx) (bool, error) {
				if entry(tx, from).Type == keyspace.None {
					return false, nil
				}
				got.add(from + " to " + to)
				return must(tx.Move([]byte(from), 0, []byte(to))), nil
			})
		}
		second, first := pass("b", "c"), pass("a", "b")
		s.do(func(tx keyspace.Tx) { push(tx, "a", "v") })
		for _, w := range []*waiter{first, second, last} {
			s.over(w, nil)
		}
		s.equal("got", got.lines, []string{"a to b", "b to c", "last takes v from c"})
	}},
	{"who is served at once serves others", func(s *subject) {
		var got log
		w := s.wait(context.Background(), keyspace.Access{Keys: bs("b")}, pop(&got, "w", "b"))
		s.do(func(tx keyspace.Tx) { push(tx, "a", "v") })
		err := s.store.Wait(context.Background(), keyspace.Access{Now: s.now, Write: true, Keys: bs("a", "b")}, func(tx keyspace.Tx) (bool, error) {
			return tx.Move([]byte("a"), 0, []byte("b"))
		})
		s.fails("Wait", err, nil)
		s.over(w, nil)
	}},
	{"a key that has gone is a reason to try only for who asked so", func(s *subject) {
		s.do(func(tx keyspace.Tx) { push(tx, "k", "v") })
		there := func(tx keyspace.Tx) (bool, error) { return entry(tx, "k").Type == keyspace.None, nil }
		ctx, cancel := context.WithCancel(context.Background())
		here := s.wait(ctx, keyspace.Access{Keys: bs("k")}, there)
		gone := s.wait(context.Background(), keyspace.Access{Keys: bs("k"), Gone: true}, there)
		s.do(func(tx keyspace.Tx) { must(tx.Delete(bs("k"))) })
		s.over(gone, nil)
		cancel()
		s.over(here, context.Canceled)
		s.equal("tries", len(here.tries), 0)
	}},
	{"a key that expires counts as gone", func(s *subject) {
		s.do(func(tx keyspace.Tx) { check(tx.Put(bs("k", "v"), s.now+10)) })
		gone := s.wait(context.Background(), keyspace.Access{Keys: bs("k"), Gone: true}, func(tx keyspace.Tx) (bool, error) {
			return entry(tx, "k").Type == keyspace.None, nil
		})
		s.now += 10
		s.do(func(tx keyspace.Tx) { s.equal("k", get(tx, "k"), "(nil)") })
		s.over(gone, nil)
	}},
	{"who waits sees the time of the writer", func(s *subject) {
		s.do(func(tx keyspace.Tx) { check(tx.Put(bs("old", "v"), s.now+10)) })
		saw := ""
		w := s.wait(context.Background(), keyspace.Access{Keys: bs("k")}, func(tx keyspace.Tx) (bool, error) {
			saw = get(tx, "old")
			return entry(tx, "k").Type != keyspace.None, nil
		})
		s.now += 10
		s.do(func(tx keyspace.Tx) { put(tx, "k", "v") })
		s.over(w, nil)
		s.equal("the expired key", saw, "(nil)")
	}},
}
