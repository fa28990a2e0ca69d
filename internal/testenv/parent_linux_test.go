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

func TestServerDiesWithAPanickingTest(t *testing.T) {
	if os.Getenv(panicEnv) != "" {
		s, err := StartRedis()
		check(t, err)
		// Without the thread of its own that a server has, this goroutine's end could kill it.
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread()
			runtime.Goexit()
		}()
		<-done
		if err := s.expect("PING", "PONG"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(os.Getenv(panicEnv), []byte(strconv.Itoa(s.PID())+" "+s.dir), 0o600); err != nil {
			t.Fatal(err)
		}
		panic("as a broken test does")
	}
	needRedis(t)
	note := t.TempDir() + "/note"
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self, "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), panicEnv+"="+note)
	out, err := child.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "as a broken test does") {
		t.Fatalf("the child was to panic: %v\n%s", err, out)
	}
	b, err := os.ReadFile(note)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	number, dir, _ := strings.Cut(string(b), " ")
	defer os.RemoveAll(dir) // which nobody was left to do
	pid, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	// A zombie is as dead: in a container nobody may be there to collect it.
	for deadline := time.Now().Add(startLimit); alive(pid) && !zombie(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d outlives the panic", pid)
		}
	}
}

func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(b), ") Z ")
}
