package testenv

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// killAll ends the process and its children, and returns when nothing of them is left. It returns false if it can't know
// that, since the process had ended before.
func (p *process) killAll() bool {
	pid := p.cmd.Process.Pid
	// While it stands still it can't start another child behind our back.
	if pause(p.cmd.Process) != nil {
		p.kill()
		return false
	}
	for !p.ended() && stateOf(pid) != 'T' {
		time.Sleep(time.Millisecond)
	}
	if p.ended() {
		return false
	}
	children := childrenOf(pid)
	p.kill()
	for _, child := range children {
		_ = syscall.Kill(child, syscall.SIGKILL) // fails only if it has ended
	}
	for _, child := range children {
		// A zombie holds nothing any more, and in a container nobody may be there to collect it.
		for s := stateOf(child); s != 0 && s != 'Z' && s != 'X'; s = stateOf(child) {
			time.Sleep(time.Millisecond)
		}
	}
	return true
}

func childrenOf(pid int) (children []int) {
	names, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	for _, name := range names {
		if f := stat(name); len(f) > 1 && string(f[1]) == strconv.Itoa(pid) {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// stateOf is the letter of a process's state, 0 if there is no such process.
func stateOf(pid int) byte {
	if f := stat("/proc/" + strconv.Itoa(pid) + "/stat"); len(f) > 0 {
		return f[0][0]
	}
	return 0
}

// stat returns what stands behind a process's name, which may hold anything: its state, its parent and more (proc(5)).
func stat(name string) [][]byte {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
}

// removeSegment removes shared memory of System V, which outlives its processes.
func removeSegment(id int) {
	_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) // fails if it is gone already
}
