// A child process that does not outlive its parent, as far as the system can promise that.

package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// logName is the file in the process's directory that takes what it prints.
const logName = "log"

type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended and was waited for
}

func startProcess(dir string, attr *syscall.SysProcAttr, path string, args ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own copy
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	// Files, not pipes: os/exec would copy a pipe in a goroutine that lasts as long as any child of the child.
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attr
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// run starts the process and waits for it, both on one thread that lasts as long: Linux takes the thread that started a
// child for its parent, and could kill a server because some other goroutine took its thread along (go.dev/issue/27505).
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = p.cmd.Wait() // how it ended is in its log, and usually our doing
	close(p.done)
}

// kill ends the process, paused or not, and returns when nothing of it is left.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only if the process has ended
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
