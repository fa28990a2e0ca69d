package server

import (
	"context"
	"slices"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
)

// CLIENT PAUSE, as far as a session has to do with it: the engine holds back what it runs, the session what it answers or
// queues itself. A real Redis behind us holds back what it gets.

// pausedFor tells whether a pause holds a call back: over is closed at the end of it. nil: none does.
func (s *session) pausedFor(row *command.Command, call engine.Call) (over <-chan struct{}) {
	switch {
	case s.paused == nil || row == nil:
		return nil
	case row == execRow && s.multi:
		for _, queued := range s.queue.calls {
			if q, err := command.Commands.Find(queued); err == nil && over == nil {
				over = s.paused(q, queued)
			}
		}
		if over != nil {
			return over
		}
	}
	return s.paused(row, call)
}

// hold keeps a call until the pause is over. It is the next one then.
func (s *session) hold(call engine.Call) {
	s.held, s.waits = true, true
	if len(s.doubted) > 0 {
		s.doubted = slices.Insert(s.doubted, 0, call)
		return
	}
	s.later = call
}

// outlast waits for the end of a pause that holds back what comes next, or for that of the context, which ends the session.
// False if what comes next is still to wait.
func (s *session) outlast(life context.Context) bool {
	call := s.later
	switch {
	case !s.held:
		call = s.batch.Calls[0]
	case call == nil:
		call = s.doubted[0]
	}
	row, err := command.Commands.Find(call)
	if err != nil {
		row = nil
	}
	over := s.pausedFor(row, call)
	if over == nil && !s.held {
		return false
	}
	s.last.Store(row)
	s.held = false
	if over != nil { // or it is over by now
		s.sleeps.Store(true)
		s.ended = s.outlive(life, over) != nil
		s.sleeps.Store(false)
	}
	s.waits = s.hushed && !s.ended // what has its reply skipped must not run among others
	return !s.waits
}
