package sqlstore

import (
	"context"
	"time"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// lookEvery is how often those who wait have their turn though no commit was heard of: a file system may not tell of all of them.
const lookEvery = time.Second

// A commit is heard of as soon as it begins to be written. So its effects are looked for again after lookAgain, then after twice
// that, and so on up to lookLast: what takes longer is a disk that hangs.
const (
	lookAgain = 5 * time.Millisecond
	lookLast  = 80 * time.Millisecond
)

// listen looks after what other processes have written, until the store is closed: for those who wait, and for the news. While
// nobody wants to know it listens to nothing.
func (s *Store) listen(d Driver) {
	o := others{s: s, version: -1}
	for {
		select {
		case <-s.stop:
			return
		case <-s.waits:
		}
		commits, stop, err := d.Listen()
		if err != nil { // they are looked after once a second
			stop = func() {}
		}
		o.follow(commits)
		stop()
		if s.curious() { // since it was last looked
			s.attend()
		}
	}
}

// attend has listen look after others.
func (s *Store) attend() {
	select {
	case s.waits <- struct{}{}:
	default: // it is known already
	}
}

// curious reports whether anybody wants to know what others write.
func (s *Store) curious() bool { return s.awaited() || s.exchange.known.Load() != 0 }

// others is what Store.listen knows of other processes.
type others struct {
	s       *Store
	version int64 // of the database when those who wait last had their turn
}

// follow looks when commits are heard of, until nobody wants to know of them.
func (o *others) follow(commits <-chan struct{}) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	o.look() // at what was written before it listened
	var again <-chan time.Time
	pause := lookAgain
	for {
		select {
		case <-o.s.stop:
			return
		case <-commits:
			if again != nil && pause == lookAgain { // it has just looked, and is going to
				continue
			}
			o.look()
			pause = lookAgain
			again = time.After(pause)
		case <-again:
			o.look()
			again = nil
			if pause *= 2; pause <= lookLast {
				again = time.After(pause)
			}
		case <-tick.C:
			o.look()
			if o.s.renew(); !o.s.curious() {
				return
			}
		}
	}
}

// look tells what there is to hear, and gives those who wait their turn.
func (o *others) look() {
	o.s.hear()
	if o.s.awaited() {
		o.version = o.s.look(o.version)
	}
}

// awaited reports whether anybody waits.
func (s *Store) awaited() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) > 0
}

// look gives all who wait their turn if another process has written since the database had a version. It returns the one that it has
// now. A failure is left to whoever uses the database next.
func (s *Store) look(since int64) (version int64) {
	select {
	case <-s.turn:
	case <-s.stop:
		return since
	}
	version, err := s.writer.Version()
	s.giveTurn()
	if err != nil || version == since {
		return since
	}
	t, err := s.Begin(context.Background(), keyspace.Access{Now: s.now(), Write: true})
	if err != nil {
		return since
	}
	s.mu.Lock()
	for _, l := range s.waiting {
		s.enlist(l)
	}
	s.mu.Unlock()
	if t.Commit() != nil {
		return since
	}
	return version
}
