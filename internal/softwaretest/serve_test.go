package softwaretest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/testenv"
)

func TestMain(m *testing.M) {
	code := testenv.Wrap(m).Run()
	if err := program.remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// program is a package variable because what it stands for, the built binary, is one per process as well.
var program build

// build is redbud, compiled when it is first asked for.
type build struct {
	mu  sync.Mutex // guards all below
	dir string
}

// binary returns the path of redbud, with the race detector or without.
func (b *build) binary(race bool) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir == "" {
		dir, err := os.MkdirTemp("", "redbud-")
		if err != nil {
			return "", err
		}
		b.dir = dir
	}
	path := filepath.Join(b.dir, fmt.Sprintf("redbud-race-%t.exe", race))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := b.look(); err != nil {
		return "", err
	}
	args := []string{"build", "-buildvcs=false", "-o", path}
	cgo := "CGO_ENABLED=0" // as it is shipped
	if race {
		args, cgo = append(args, "-race", "-gcflags=modernc.org/...=-race=false"), "CGO_ENABLED=1" // as make test
	}
	c := exec.Command("go", append(args, "github.com/redbud-go/redbud/cmd/redbud")...)
	c.Env = append(os.Environ(), cgo)
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build redbud: %w\n%s", err, out)
	}
	return path, nil
}

// look looks at all files that the binary is made of. The go command remembers what a test looked at, and runs it again when
// one of them has changed.
func (b *build) look() error {
	return filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			_, err = os.Stat(path)
		}
		return err
	})
}

func (b *build) remove() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return os.RemoveAll(b.dir)
}

// server is a redbud serve that listens.
type server struct {
	addr string
	pid  int
}

// serve starts a redbud with the race detector, if the test has it. At the end of the test it must stop in order and
// have logged no error.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	return start(t, racing, args...)
}

// serveBare is serve without the race detector, which takes memory for itself.
func serveBare(t *testing.T, args ...string) *server {
	t.Helper()
	return start(t, false, args...)
}

func start(t *testing.T, race bool, args ...string) *server {
	t.Helper()
	path, err := program.binary(race)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, append([]string{"serve", "--listen", "127.0.0.1:0", "--log-format", "json"}, args...)...)
	c.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	errors, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	log := bufio.NewReader(errors)
	line, _ := log.ReadBytes('\n') // an early end shows in what it is
	first := struct{ Msg, Address string }{}
	if err := json.Unmarshal(line, &first); err != nil || first.Msg != "listening" {
		_ = c.Process.Kill()
		rest, _ := io.ReadAll(log)
		_ = c.Wait()
		t.Fatalf("redbud serve %q does not listen: %s%s", args, line, rest)
	}
	rest := make(chan []byte)
	go func() {
		text, _ := io.ReadAll(log) // until the process ends
		rest <- text
	}()
	t.Cleanup(func() {
		stop(t, c.Process)
		text := <-rest
		err := c.Wait()
		if err != nil && runtime.GOOS != "windows" || wrong.Match(text) {
			t.Errorf("redbud serve %q ends with %v, having logged\n%s", args, err, text[max(0, len(text)-8<<10):])
		}
	})
	return &server{addr: first.Address, pid: c.Process.Pid}
}

// wrong is what a log must not say.
var wrong = regexp.MustCompile(`DATA RACE|panic|fatal error|"level":"ERROR"`)

// stop asks a process to end, where the system can.
func stop(t *testing.T, p *os.Process) {
	err := p.Signal(syscall.SIGTERM)
	if runtime.GOOS == "windows" {
		err = p.Kill()
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("stop redbud: %v", err)
	}
}

// front is a way to serve.
type front struct {
	name  string
	serve func(t *testing.T) *server
}

var fronts = []front{
	{"memory", func(t *testing.T) *server { return serve(t) }},
	{"proxy", func(t *testing.T) *server { return serve(t, testenv.Redis(t).URL()) }},
}

// onEachFront runs a test on redbud's own memory and on a redbud in front of a Redis.
func onEachFront(t *testing.T, f func(t *testing.T, addr string)) {
	for _, front := range fronts {
		t.Run(front.name, func(t *testing.T) {
			t.Parallel()
			f(t, front.serve(t).addr)
		})
	}
}

// client is a go-redis client of an address.
func client(t *testing.T, addr string, protocol int) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, Protocol: protocol, ContextTimeoutEnabled: true, ReadTimeout: patience, WriteTimeout: patience})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// tool is a program of redis-tools or Python with what it is to read.
type tool struct {
	path  string
	args  []string
	input io.Reader
}

// run runs a tool to its end. It returns what it printed and its exit code.
func (tool tool) run(t *testing.T) (out string, code int) {
	t.Helper()
	c := exec.CommandContext(t.Context(), find(t, tool.path), tool.args...)
	c.Env = append(os.Environ(), "REDISCLI_HISTFILE=/dev/null", "PYTHONDONTWRITEBYTECODE=1")
	c.Stdin = tool.input
	var both bytes.Buffer
	c.Stdout, c.Stderr = &both, &both
	err := c.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatalf("%s %q: %v", tool.path, tool.args, err)
	}
	return both.String(), c.ProcessState.ExitCode()
}

// find returns the path of a program. Without it the test is skipped, or fails where testenv would.
func find(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, fmt.Sprintf("%v (scripts/install-test-deps installs it)", err))
	}
	return path
}

// missing ends a test for want of a program.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("REDBUD_REQUIRE_SERVERS") == "1" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// at are the arguments with which redis-cli and redis-benchmark reach an address.
func at(addr string, args ...string) []string {
	host, port, _ := strings.Cut(addr, ":")
	return append([]string{"-h", host, "-p", port}, args...)
}
