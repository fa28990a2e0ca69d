package ordeal

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// process is another process that serves an engine.
type process struct {
	addr string
	cmd  *exec.Cmd
	end  sync.Once
}

// start starts a process, which ends with the test.
func start(t *testing.T, url string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), serveEnv+"="+url)
	if _, err := p.cmd.StdinPipe(); err != nil { // which ends when this process does
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	p.cmd.Stderr = &log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.kill()
		t.Fatalf("the process serves nothing: %v\n%s", err, &log)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() && log.Len() > 0 {
			t.Logf("the process said:\n%s", &log)
		}
	})
	p.addr = strings.TrimSpace(line)
	return p
}

// kill ends the process at once.
func (p *process) kill() {
	p.end.Do(func() {
		_ = p.cmd.Process.Kill() // fails only if it has ended
		_ = p.cmd.Wait()         // that it was killed is no news
	})
}

// client returns a client that asks once and then says what came of it.
func (p *process) client(t *testing.T) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: p.addr, MaxRetries: -1, DialerRetries: 1, PoolSize: 1, DisableIdentity: true, ReadTimeout: -1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}
