package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// The tests of this package share a server and leave no goroutine behind, which is Wrap's promise put to the test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(Wrap(m)) }

func TestRedisEndsWithItsTest(t *testing.T) {
	var s *Server
	var pid int
	t.Run("while it runs", func(t *testing.T) {
		s = Redis(t)
		pid = s.PID()
		mustPing(t, s.URL())
		if err := dial("unix", s.Socket); err != nil {
			t.Error(err)
		}
		if want := "redis://" + s.Addr; s.URL() != want {
			t.Errorf("URL is %s, want %s", s.URL(), want)
		}
		if want := "redis+unix://" + filepath.ToSlash(s.Socket); s.SocketURL() != want {
			t.Errorf("SocketURL is %s, want %s", s.SocketURL(), want)
		}
	})
	mustBeGone(t, &s.daemon, pid)
}

func TestRedisListensOnLoopbackOnly(t *testing.T) {
	s := Redis(t)
	if err := s.expect("CONFIG GET bind", "127.0.0.1"); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(s.Addr, "127.0.0.1:") {
		t.Errorf("Addr is %s", s.Addr)
	}
}

func TestRedisPersistsNothingAndAllowsDebug(t *testing.T) {
	s := Redis(t)
	for line, want := range map[string]string{
		"CONFIG GET save":       "save\n",
		"CONFIG GET appendonly": "appendonly\nno",
		"DEBUG SLEEP 0":         "OK",
	} {
		if got, err := s.ask(line); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", line, got, err, want)
		}
	}
}

func TestPasswordIsInTheURL(t *testing.T) {
	s := Redis(t, "--requirepass", "p@ss/word")
	mustPing(t, s.URL())
	opt, err := redis.ParseURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if opt.Password != "p@ss/word" || s.Password != "p@ss/word" {
		t.Errorf("passwords are %q in the URL and %q in the field", opt.Password, s.Password)
	}
	u, err := url.Parse(s.SocketURL())
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := u.User.Password(); p != "p@ss/word" || u.Path != s.Socket {
		t.Errorf("SocketURL is %s", s.SocketURL())
	}
	if _, err := s.ask("DBSIZE"); err == nil {
		t.Error("the server answers without the password")
	}
}

func TestArgsWinOverOurs(t *testing.T) {
	s := Redis(t, "--appendonly", "yes")
	if err := s.expect("CONFIG GET appendonly", "yes"); err != nil {
		t.Error(err)
	}
}

func TestBadArgSaysWhatRedisSaid(t *testing.T) {
	_, err := StartRedis("--no-such-option", "1")
	if err == nil || !strings.Contains(err.Error(), "Bad directive") {
		t.Errorf("error is %v, want redis-server's own words in it", err)
	}
}

func TestRestartKeepsAddressAndForgets(t *testing.T) {
	s := Redis(t)
	addr, pid := s.Addr, s.PID()
	if err := s.expect("SET k v", "OK"); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if s.Addr != addr || s.PID() == pid {
		t.Errorf("from %s, process %d to %s, process %d", addr, pid, s.Addr, s.PID())
	}
	mustPing(t, s.URL())
	if n, err := s.ask("DBSIZE"); n != "0" {
		t.Errorf("DBSIZE is %q, %v", n, err)
	}
}

func TestRestartKeepsWhatWasPersisted(t *testing.T) {
	s := Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	if err := s.expect("SET k v", "OK"); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if v, err := s.ask("GET k"); v != "v" {
		t.Errorf("GET gives %q, %v", v, err)
	}
}

func TestKilledServerComesBackByRestart(t *testing.T) {
	s := Redis(t)
	s.Kill()
	if err := dial("tcp", s.Addr); err == nil {
		t.Error("the port is open after Kill")
	}
	if s.PID() != 0 {
		t.Errorf("PID is %d after Kill", s.PID())
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	mustPing(t, s.URL())
}

func TestStoppedServerStaysStopped(t *testing.T) {
	s := Redis(t)
	pid := s.PID()
	s.Stop()
	s.Stop()
	mustBeGone(t, &s.daemon, pid)
	if s.Restart() == nil {
		t.Error("Restart brought a stopped server back")
	}
	if s.Pause() == nil {
		t.Error("Pause of a stopped server says nothing")
	}
}

func TestPausedServerKeepsSilentUntilResumed(t *testing.T) {
	s := Redis(t)
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := s.Pause(); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("processes can't be paused on this system: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, len("+PONG\r\n"))
	_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := conn.Read(reply); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a paused server says %q, %v", reply[:n], err)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(startLimit))
	if _, err := conn.Read(reply); err != nil || string(reply) != "+PONG\r\n" {
		t.Errorf("a resumed server says %q, %v", reply, err)
	}
}

func TestPausedServerStops(t *testing.T) {
	s := Redis(t)
	pid := s.PID()
	if err := s.Pause(); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("processes can't be paused on this system: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	mustBeGone(t, &s.daemon, pid)
}

func TestServerWithATakenPortStartsOnAnother(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	needRedis(t)
	tries := 0
	s, err := launch(1, func(dir string, ports []int) ([]string, error) {
		if tries++; tries < 3 {
			ports[0] = taken.Addr().(*net.TCPAddr).Port // as if it had been taken after we saw it free
		}
		return options(dir, ports[0]), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if tries != 3 || s.Addr == taken.Addr().String() {
		t.Errorf("started on %s in attempt %d", s.Addr, tries)
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	needRedis(t)
	var dirs []string
	_, err := launch(1, func(dir string, ports []int) ([]string, error) {
		dirs = append(dirs, dir)
		return []string{"--no-such-option", "1"}, nil
	})
	if err == nil || len(dirs) != startTries {
		t.Errorf("%d attempts, error %v", len(dirs), err)
	}
	for _, dir := range dirs {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
}

func TestSharedRedisIsOne(t *testing.T) {
	one, two := SharedRedis(t), SharedRedis(t)
	if one != two {
		t.Error("two calls, two servers")
	}
	mustPing(t, one.URL())
}

func TestSharedRedisEndsWithMain(t *testing.T) {
	var l lazy
	var s *Server
	var pid int
	code := wrapped{runner(func() int {
		s = share(t, &l, &l.server, StartRedis)
		pid = s.PID()
		return 7
	}), &l}.Run()
	if code != 7 {
		t.Errorf("Run gives %d, want what the tests gave, 7", code)
	}
	mustBeGone(t, &s.daemon, pid)
}

func TestSharedRedisNeedsMain(t *testing.T) {
	var l lazy
	r := record(func(t testing.TB) { share(t, &l, &l.server, StartRedis) })
	if r.verdict != "fatal" || !strings.Contains(r.said, "testenv.Main(m)") {
		t.Errorf("%s: %s", r.verdict, r.said)
	}
}

func TestMissingBinarySkipsAndNamesThePackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("REDBUD_REQUIRE_SERVERS", "")
	for name, start := range starters {
		r := record(start)
		if r.verdict != "skip" || !strings.Contains(r.said, "on Debian it is in the package redis-server") {
			t.Errorf("%s: %s: %s", name, r.verdict, r.said)
		}
	}
}

func TestMissingBinaryFailsWhereServersAreRequired(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("REDBUD_REQUIRE_SERVERS", "1")
	for name, start := range starters {
		r := record(start)
		if r.verdict != "fatal" || !strings.Contains(r.said, "on Debian it is in the package redis-server") {
			t.Errorf("%s: %s: %s", name, r.verdict, r.said)
		}
	}
	if _, err := StartRedis(); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("StartRedis: %v", err)
	}
}

// starters are all ways for a test to get a server.
var starters = map[string]func(testing.TB){
	"Redis":    func(t testing.TB) { Redis(t) },
	"Cluster":  func(t testing.TB) { Cluster(t) },
	"Sentinel": func(t testing.TB) { Sentinel(t) },
	"SharedRedis": func(t testing.TB) {
		l := lazy{armed: true}
		share(t, &l, &l.server, StartRedis)
	},
}

// recorder is a test whose verdict is looked at instead of reported.
type recorder struct {
	testing.TB
	verdict, said string
}

func record(f func(testing.TB)) *recorder {
	r := &recorder{verdict: "pass"}
	done := make(chan struct{})
	go func() { // because Fatal and Skip end the goroutine
		defer close(done)
		f(r)
	}()
	<-done
	return r
}

func (r *recorder) Helper()           {}
func (r *recorder) Skip(args ...any)  { r.end("skip", args...) }
func (r *recorder) Fatal(args ...any) { r.end("fatal", args...) }

func (r *recorder) end(verdict string, args ...any) {
	r.verdict, r.said = verdict, fmt.Sprint(args...)
	runtime.Goexit()
}

type runner func() int

func (r runner) Run() int { return r() }

// needRedis skips or fails a test that calls what is below Redis.
func needRedis(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("redis-server")
	check(t, err)
}

func mustPing(t *testing.T, url string) {
	t.Helper()
	opt, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opt)
	defer c.Close()
	if pong, err := c.Ping(t.Context()).Result(); err != nil || pong != "PONG" {
		t.Errorf("PING %s: %q, %v", url, pong, err)
	}
}

func mustBeGone(t *testing.T, s *daemon, pid int) {
	t.Helper()
	if err := dial("tcp", s.Addr); err == nil {
		t.Errorf("%s is still open", s.Addr)
	}
	if alive(pid) {
		t.Errorf("process %d still runs", pid)
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", s.dir, err)
	}
}

func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && p.Signal(syscall.Signal(0)) == nil
}

func dial(network, addr string) error {
	conn, err := net.DialTimeout(network, addr, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

func TestReadTextOfEachKind(t *testing.T) {
	for in, want := range map[string]string{
		"+OK\r\n":                       "OK",
		":12\r\n":                       "12",
		"$3\r\na\nb\r\n":                "a\nb",
		"$-1\r\n":                       "",
		"*2\r\n$1\r\na\r\n*1\r\n:1\r\n": "a\n1",
	} {
		if got, err := readText(bufio.NewReader(strings.NewReader(in))); err != nil || got != want {
			t.Errorf("%q reads as %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "\r\n", "$x\r\n", "$5\r\nab", "*2\r\n+a\r\n", "?1\r\n", "-ERR no\r\n"} {
		if got, err := readText(bufio.NewReader(strings.NewReader(in))); err == nil {
			t.Errorf("%q reads as %q", in, got)
		}
	}
}
