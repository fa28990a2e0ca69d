package sqlstore

import (
	"context"
	"time"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// lookEvery is how often those who wait have their turn though no commit was heard of: a file system may not tell of all of them.
const lookEvery = time.Second

// lookAgain is how long after a commit was heard of its transaction is over in any case: it is told as soon as something is written.
const lookAgain = 5 * time.Millisecond

// listen gives those who wait their turn when another process has written, until the store is closed. While nobody waits it listens to
// nothing.
func (s *Store) listen(d Driver) {
	version := int64(-1)
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
		version = s.look(version) // at what was written before it listened
		var again <-chan time.Time
		for tick := time.NewTicker(lookEvery); tick != nil; {
			select {
			case <-s.stop:
				tick.Stop()
				stop()
				return
			case <-commits:
				version, again = s.look(version), time.After(lookAgain)
			case <-again:
				version = s.look(version)
			case <-tick.C:
				if version = s.look(version); !s.awaited() {
					tick.Stop()
					tick = nil
				}
			}
		}
		stop()
		if s.awaited() { // since it was last looked
			select {
			case s.waits <- struct{}{}:
			default:
			}
		}
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
	if err != nil || version == since || !s.awaited() {
		return version
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
