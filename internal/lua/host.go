// Calls of the host. gopher-lua makes an error that scripts can catch of any panic, which would hide one of the host's: so that one ends
// the script, and is raised again when the script has ended.

package lua

import (
	"errors"
	"fmt"
	"runtime/debug"
)

var errPanic = errors.New("panic")

// hostPanic is what a host panicked with, and where.
type hostPanic struct {
	value any
	stack []byte
}

func (p *hostPanic) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

// Unwrap returns the value if it is an error.
func (p *hostPanic) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

// keepPanic is deferred around each call of the host.
func (s *state) keepPanic() {
	if value := recover(); value != nil {
		s.meter.panic = &hostPanic{value, debug.Stack()}
		s.meter.end(errPanic)
	}
}

func (s *state) callHost(words [][]byte) []byte {
	defer s.keepPanic()
	return s.run.Host.Call(words, s.proto)
}

func (s *state) checkHost() error {
	defer s.keepPanic()
	return s.run.Host.Check()
}

func (s *state) askHost(words [][]byte) (may bool, err error) {
	defer s.keepPanic()
	return s.run.Host.May(words)
}

func (s *state) logToHost(level int, text string) {
	defer s.keepPanic()
	s.run.Host.Log(level, text)
}
