package testenv

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// panicEnv makes this test's process the one that panics.
const panicEnv = "REDBUD_TESTENV_PANIC"

func TestServersDieWithAPanickingTest(t *testing.T) {
	for name, start := range map[string]func(*testing.T) *daemon{
		"redis":    func(t *testing.T) *daemon { return &Redis(t).daemon },
		"postgres": func(t *testing.T) *daemon { return &Postgres(t).daemon },
		"mariadb":  func(t *testing.T) *daemon { return &MariaDB(t).daemon },
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t) // is it installed?
			if os.Getenv(panicEnv) != "" {
				leaveByPanic(t, d)
			}
			d.Stop()
			mustDieWithItsTest(t)
		})
	}
}

// leaveByPanic ends the process without a chance for the test's cleanup.
func leaveByPanic(t *testing.T, d *daemon) {
	// Without the thread of its own that a server has, this goroutine's end could kill it.
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		runtime.Goexit()
	}()
	<-done
	if err := d.ready(); err != nil {
		t.Fatal(err)
	}
	var note []string
	for _, pid := range append(childrenOf(d.PID()), d.PID()) {
		note = append(note, strconv.Itoa(pid))
	}
	if err := os.WriteFile(os.Getenv(panicEnv), []byte(d.dir+"\n"+strings.Join(note, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	go panic("as a broken test does") // in a test's own goroutine it would run the cleanup first
	select {}
}

// mustDieWithItsTest runs the test again in a process that panics, and looks whether its server is gone then.
func mustDieWithItsTest(t *testing.T) {
	note := t.TempDir() + "/note"
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self, "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	child.Env = append(os.Environ(), panicEnv+"="+note)
	out, err := child.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "as a broken test does") {
		t.Fatalf("the child was to panic: %v\n%s", err, out)
	}
	b, err := os.ReadFile(note)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(string(b), "\n")
	defer os.RemoveAll(lines[0]) // which nobody was left to do
	for _, line := range lines[1:] {
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		// A zombie is as dead: in a container nobody may be there to collect it.
		for deadline := time.Now().Add(startLimit); alive(pid) && stateOf(pid) != 'Z'; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d outlives the panic", pid)
			}
		}
	}
}
