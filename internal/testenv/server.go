// One server: its process, its address, its directory.

package testenv

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// startTries is how often a server is started on new ports. A port is free when we choose it and may be taken when
	// the server binds it, so losing once is ordinary and losing always means something else.
	startTries = 4

	// startLimit is generous: a machine that runs many packages' tests at once can keep a server waiting for seconds.
	startLimit = 30 * time.Second
)

// Server is one running redis-server. Its methods may be called from several goroutines.
type Server struct {
	Addr     string // 127.0.0.1:port
	Socket   string // path of the unix socket
	Password string // what --requirepass says; empty without one

	dir  string
	path string   // of the binary
	argv []string // its arguments

	mu   sync.Mutex // guards all below
	proc *process   // nil while killed
	gone bool       // Stop has been here
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

// PID is the process id, 0 while no process runs.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil || s.proc.ended() {
		return 0
	}
	return s.proc.cmd.Process.Pid
}

// Kill ends the process at once, as a crash would, and waits until it is gone. Address and directory stay, so that
// Restart can bring the server back.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
}

// Stop ends the server for good and removes its directory. A second call does nothing.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
	s.gone = true
	// What can't be removed (a file that a virus scanner holds open) lies in the system's temporary directory and is no
	// reason to fail a test.
	_ = os.RemoveAll(s.dir)
}

// Restart kills the server if it runs and starts it again on the same address and in the same directory. What it held
// is lost unless it was started with options that persist.
func (s *Server) Restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return fmt.Errorf("restart %s: it was stopped for good", s.Addr)
	}
	s.kill()
	// While the server is down its port is anybody's. Those who borrow one (a connection's own end) give it back soon.
	return await(5*time.Second, nil, s.start)
}

// Pause freezes the process: connections stay open and nothing answers. It works on unix systems only.
func (s *Server) Pause() error { return s.signal("pause", pause) }

// Resume undoes Pause.
func (s *Server) Resume() error { return s.signal("resume", resume) }

func (s *Server) signal(name string, send func(*os.Process) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return fmt.Errorf("%s %s: it does not run", name, s.Addr)
	}
	if err := send(s.proc.cmd.Process); err != nil {
		return fmt.Errorf("%s %s: %w", name, s.Addr, err)
	}
	return nil
}

// launch starts a redis-server with so many free ports, the first of which is its address. Asked for each attempt anew,
// argv returns its arguments, and may write files into the directory.
func launch(ports int, argv func(dir string, ports []int) ([]string, error)) (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server is not installed, on Debian it is in the package redis-server "+
			"(scripts/install-test-deps installs it): %w", err)
	}
	for try := 1; ; try++ {
		s, err := attempt(path, ports, argv)
		if err == nil || try == startTries {
			return s, err
		}
	}
}

func attempt(path string, n int, argv func(dir string, ports []int) ([]string, error)) (s *Server, err error) {
	// Not t.TempDir: its path holds the test's name, and the path of a unix socket may have 103 bytes only.
	dir, err := os.MkdirTemp("", "redbud-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	ports, err := freePorts(n)
	if err != nil {
		return nil, err
	}
	args, err := argv(dir, ports)
	if err != nil {
		return nil, err
	}
	s = &Server{
		Addr:   net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])),
		Socket: socketIn(dir),
		dir:    dir,
		path:   path,
		argv:   args,
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, nil
}

// freePorts returns n different ports that nobody listens on at the moment.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // at the end, so that no port is found twice
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// start runs the process and returns when it answers.
func (s *Server) start() error {
	proc, err := startProcess(s.dir, s.path, s.argv...)
	if err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	s.proc = proc
	err = await(startLimit, proc.done, func() error {
		// By the socket, not by the port: if another process took the port first, it might answer there, whereas the
		// socket is ours, and redis-server opens it after its ports.
		_, err := s.ask("PING")
		if r, ok := errors.AsType[refusal](err); ok && strings.HasPrefix(string(r), "NOAUTH") {
			return nil // it wants a password, which is an answer too
		}
		return err
	})
	if err != nil {
		s.kill()
		return fmt.Errorf("start redis-server on %s: %w; its log ends with:\n%s", s.Addr, err, s.logTail())
	}
	return nil
}

func (s *Server) kill() {
	if s.proc != nil {
		s.proc.kill()
		s.proc = nil
	}
}

// logTail returns the last lines of the server's log.
func (s *Server) logTail() string {
	const lines = 20
	b, err := os.ReadFile(filepath.Join(s.dir, logName))
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

// await calls ready until it returns nil. It gives up after the limit, with ready's last error, and when gone closes; a
// nil gone never does.
func await(limit time.Duration, gone <-chan struct{}, ready func() error) error {
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := ready()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready after %v: %w", limit, err)
		}
		select {
		case <-gone:
			return errors.New("the process has ended")
		case <-time.After(pause):
		}
	}
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
