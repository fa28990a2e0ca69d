// What all kinds of servers have in common: a process, its address, its directory.

package testenv

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// startTries is how often a server is started on new ports. A port is free when we choose it and may be taken when
	// the server binds it, so losing once is ordinary and losing always means something else.
	startTries = 4

	// startLimit is generous: a machine that runs many packages' tests at once can keep a server waiting for seconds.
	startLimit = 30 * time.Second
)

// daemon is a server that is started by launch. Its methods may be called from several goroutines.
type daemon struct {
	Addr   string // 127.0.0.1:port
	Socket string // path of the unix socket

	name    string         // for errors
	dir     string         // where all its files are
	path    string         // of the binary
	argv    []string       // its arguments
	account *account       // as whom it runs; nil is as we do
	ready   func() error   // asks it once
	orphan  syscall.Signal // what ends it when we are gone
	swept   func()         // what to do when it and its children were killed; nil for a server that has no children

	mu   sync.Mutex // guards all below
	proc *process   // nil while killed
	gone bool       // Stop has been here
}

// PID is the process id, 0 while no process runs.
func (d *daemon) PID() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.proc == nil || d.proc.ended() {
		return 0
	}
	return d.proc.cmd.Process.Pid
}

// Kill ends the server at once, as a crash would, and waits until it is gone. Address and directory stay, so that
// Restart can bring the server back.
func (d *daemon) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kill()
}

// Stop ends the server for good and removes its directory. A second call does nothing.
func (d *daemon) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kill()
	d.gone = true
	// What can't be removed (a file that a virus scanner holds open) lies in the system's temporary directory and is no
	// reason to fail a test.
	_ = os.RemoveAll(d.dir)
}

// Restart kills the server if it runs and starts it again on the same address and in the same directory. A database has
// what was committed; what a Redis held is lost unless it was started with options that persist.
func (d *daemon) Restart() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone {
		return fmt.Errorf("restart %s: it was stopped for good", d.Addr)
	}
	d.kill()
	// While the server is down its port is anybody's. Those who borrow one (a connection's own end) give it back soon.
	return await(5*time.Second, nil, d.start)
}

// Pause freezes the process: connections stay open and nothing answers. It works on unix systems only. Of a PostgreSQL
// only the process that takes new connections is frozen.
func (d *daemon) Pause() error { return d.signal("pause", pause) }

// Resume undoes Pause.
func (d *daemon) Resume() error { return d.signal("resume", resume) }

func (d *daemon) signal(name string, send func(*os.Process) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.proc == nil {
		return fmt.Errorf("%s %s: it does not run", name, d.Addr)
	}
	if err := send(d.proc.cmd.Process); err != nil {
		return fmt.Errorf("%s %s: %w", name, d.Addr, err)
	}
	return nil
}

// launch starts the server in a new directory, with so many free ports, the first of which is its address. Asked for
// each attempt anew, prepare fills the directory and sets the socket and the arguments.
func (d *daemon) launch(ports int, prepare func(dir string, ports []int) error) error {
	for try := 1; ; try++ {
		err := d.attempt(ports, prepare)
		if err == nil || try == startTries {
			return err
		}
	}
}

func (d *daemon) attempt(n int, prepare func(dir string, ports []int) error) (err error) {
	// Not t.TempDir: its path holds the test's name, and the path of a unix socket may have 103 bytes only.
	if d.dir, err = os.MkdirTemp("", "redbud-"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(d.dir)
		}
	}()
	ports, err := freePorts(n)
	if err != nil {
		return err
	}
	if err := prepare(d.dir, ports); err != nil {
		return err
	}
	d.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	return d.start()
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
func (d *daemon) start() error {
	proc, err := startProcess(d.dir, d.attr(), d.path, d.argv...)
	if err != nil {
		return fmt.Errorf("start %s: %w", d.name, err)
	}
	d.proc = proc
	if err := await(startLimit, proc.done, d.ready); err != nil {
		d.kill()
		return fmt.Errorf("start %s on %s: %w; its log ends with:\n%s", d.name, d.Addr, err, d.logTail())
	}
	return nil
}

// attr ties a child's life to ours and gives it the account.
func (d *daemon) attr() *syscall.SysProcAttr { return d.account.become(dieWithParent(d.orphan)) }

func (d *daemon) kill() {
	switch {
	case d.proc == nil:
		return
	case d.swept == nil:
		d.proc.kill()
	case d.proc.killAll():
		d.swept()
	}
	d.proc = nil
}

// logTail returns the last lines of the server's log.
func (d *daemon) logTail() string {
	const lines = 20
	b, err := os.ReadFile(filepath.Join(d.dir, logName))
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

// lastWords says which server it is, and what it logged last.
func (d *daemon) lastWords() string {
	return fmt.Sprintf("the log of %s ends with:\n%s", d.Addr, d.logTail())
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
