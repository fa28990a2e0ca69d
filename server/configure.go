package server

import (
	"errors"
	"fmt"
	"strings"
)

// elsewhere are the parameters that say what the listeners are, which whoever makes them decides.
var elsewhere = map[string]bool{"bind": true, "port": true, "tls-port": true, "unixsocket": true, "unixsocketperm": true}

// Configure sets a parameter of CONFIG before the server begins, also one that CONFIG SET refuses. Its errors are of one line.
func (s *Server) Configure(name, value string) error {
	switch {
	case s.front.settings == nil:
		return errors.New("the engine has no parameters of its own; those of a real Redis are set there")
	case elsewhere[strings.ToLower(name)]:
		return fmt.Errorf("%s follows from what the server listens on", name)
	}
	err := s.front.settings.Begin(name, value)
	if err == nil {
		return nil
	}
	if _, why, ok := strings.Cut(err.Error(), "') - "); ok {
		return errors.New(why) // the rest is CONFIG SET's way to say which parameter it was
	}
	return errors.New("there is no such parameter")
}
