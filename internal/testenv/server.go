// One redis-server.

package testenv

import (
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Server is one running redis-server. Its methods may be called from several goroutines.
type Server struct {
	daemon
	Password string // what --requirepass says; empty without one
}

// StartRedis starts a redis-server for a program that is not a test, which then calls Stop. The args are as for Redis.
// Where the binary is missing, the error is an exec.ErrNotFound that says how to install it.
func StartRedis(args ...string) (*Server, error) {
	s, err := launch(1, func(dir string, ports []int) ([]string, error) {
		return append(options(dir, ports[0]), args...), nil
	})
	if err != nil {
		return nil, err
	}
	s.Password = option(args, "--requirepass")
	return s, nil
}

// options are those that every redis-server of ours has in common.
func options(dir string, port int) []string {
	return []string{
		"--bind", "127.0.0.1",
		"--port", strconv.Itoa(port),
		"--unixsocket", socketIn(dir),
		"--dir", dir,
		"--save", "",
		"--appendonly", "no",
		"--enable-debug-command", "yes",
		// A replica of ours is waiting already: gathering more of them would cost five seconds.
		"--repl-diskless-sync-delay", "0",
	}
}

// URL is what redbud.Open takes to reach the server by TCP.
func (s *Server) URL() string {
	return (&url.URL{Scheme: "redis", User: s.user(), Host: s.Addr}).String()
}

// SocketURL is what redbud.Open takes to reach the server by its unix socket.
func (s *Server) SocketURL() string {
	return (&url.URL{Scheme: "redis+unix", User: s.user(), Path: filepath.ToSlash(s.Socket)}).String()
}

func (s *Server) user() *url.Userinfo {
	if s.Password == "" {
		return nil
	}
	return url.UserPassword("", s.Password)
}

// launch starts a redis-server with so many free ports, the first of which is its address. Asked for each attempt anew,
// argv returns its arguments, and may write files into the directory.
func launch(ports int, argv func(dir string, ports []int) ([]string, error)) (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, missing("redis-server", "redis-server", err)
	}
	s := &Server{daemon: daemon{name: "redis-server", path: path, orphan: syscall.SIGKILL}}
	s.ready = s.ping
	err = s.launch(ports, func(dir string, ports []int) (err error) {
		s.Socket = socketIn(dir)
		s.argv, err = argv(dir, ports)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// missing says how to install what was not found.
func missing(what, debian string, err error) error {
	return fmt.Errorf("%s is not installed, on Debian it is in the package %s (scripts/install-test-deps installs it): %w", what, debian, err)
}

func (s *Server) ping() error {
	// By the socket, not by the port: if another process took the port first, it might answer there, whereas the
	// socket is ours, and redis-server opens it after its ports.
	_, err := s.ask("PING")
	if r, ok := errors.AsType[refusal](err); ok && strings.HasPrefix(string(r), "NOAUTH") {
		return nil // it wants a password, which is an answer too
	}
	return err
}

func socketIn(dir string) string { return filepath.Join(dir, "s") }

// option returns the value after the last name in args.
func option(args []string, name string) string {
	value := ""
	for i := range len(args) - 1 {
		if args[i] == name {
			value = args[i+1]
		}
	}
	return value
}
