package softwaretest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/testenv"
)

// listening is a redis-cli that goes on for ever.
type listening struct {
	lines *bufio.Scanner
	input io.Writer
}

// listen starts a redis-cli that prints what it hears. It ends with the test.
func listen(t *testing.T, args ...string) listening {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	c := exec.CommandContext(ctx, find(t, "redis-cli"), args...)
	input, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = c.Wait() // it was killed
	})
	return listening{bufio.NewScanner(out), input}
}

// line is the next line it prints.
func (l listening) line(t *testing.T) string {
	t.Helper()
	if !l.lines.Scan() {
		t.Fatal("redis-cli has ended, or prints no more")
	}
	return l.lines.Text()
}

// until are the lines it prints up to one that says something.
func (l listening) until(t *testing.T, what string) string {
	t.Helper()
	var b strings.Builder
	for {
		line := l.line(t)
		fmt.Fprintln(&b, line)
		if strings.Contains(line, what) {
			return b.String()
		}
	}
}

func TestRedisCLIPrintsWhatItHears(t *testing.T) {
	t.Parallel()
	cases := []struct {
		args  []string
		input string
		ready string // in the line behind which it hears all
	}{
		{args: []string{"SUBSCRIBE", "news", "other"}, ready: "2"},
		{args: []string{"-3", "SUBSCRIBE", "news"}, ready: "1"},
		{args: []string{"--csv", "SUBSCRIBE", "news"}, ready: ",1"},
		{args: []string{"--json", "-2", "SUBSCRIBE", "news"}, ready: "1]"},
		{args: []string{"--no-raw", "PSUBSCRIBE", "n?ws", "e*"}, ready: "(integer) 2"},
		{args: []string{"--no-raw", "-3", "PSUBSCRIBE", "*"}, ready: "(integer) 1"},
		{args: []string{"--no-raw", "-n", "2", "PSUBSCRIBE", "__key*__:k", "e*"}, ready: "(integer) 2"},
		{args: []string{"--no-raw", "-3"}, input: "GET nosuch\nSUBSCRIBE news end\n", ready: "(integer) 2"},
	}
	onEachFront(t, func(t *testing.T, addr string) {
		heard := func(addr string) (all []string) {
			db := client(t, addr, 3)
			if err := db.ConfigSet(t.Context(), "notify-keyspace-events", "KA").Err(); err != nil {
				t.Fatal(err)
			}
			var open []listening
			for _, c := range cases {
				l := listen(t, at(addr, c.args...)...)
				if _, err := io.WriteString(l.input, c.input); err != nil {
					t.Fatal(err)
				}
				open = append(open, l)
				all = append(all, l.until(t, c.ready))
			}
			_, err := db.Pipelined(t.Context(), func(p redis.Pipeliner) error {
				p.Publish(t.Context(), "news", "good")
				p.Publish(t.Context(), "news", "\"line\"\r\nand \x00\xff")
				p.Set(t.Context(), "k", "v", 0)
				p.Publish(t.Context(), "end", "END")
				p.Publish(t.Context(), "news", "END") // for those that don't hear of the other
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, l := range open {
				all[i] += l.until(t, "END")
			}
			return all
		}
		got, want := heard(addr), heard(testenv.Redis(t).Addr)
		for i, c := range cases {
			if got[i] != want[i] {
				t.Errorf("redis-cli %q prints\n%s\nand of redis-server\n%s", c.args, got[i], want[i])
			}
		}
	})
}

func TestRedisCLIMonitors(t *testing.T) {
	t.Parallel()
	origin := regexp.MustCompile(`^\d{10}\.\d{6} \[(\d+) (?:127\.0\.0\.1:\d+|unix:\S*)\] `)
	onEachFront(t, func(t *testing.T, addr string) {
		seen := func(addr string) string {
			l := listen(t, at(addr, "MONITOR")...)
			all := l.until(t, "OK") + "\n"
			for _, args := range [][]string{
				{"SET", "k", "a \"b\"\\\r\n\x01\xff"}, {"gEt", "k"}, {"-n", "7", "HSET", "h", "f", "1"}, {"NOSUCH", "a"}, {"GET"}, {"LPUSH", "k", "x"},
				{"CONFIG", "GET", "port"}, {"-3", "PING"}, {"-r", "3", "INCR", "n"}, {"XADD", "s", "1-1", "f", "v"}, {"SUBSCRIBE"}, {"ECHO", "END"},
			} {
				(tool{"redis-cli", at(addr, args...), nil}).run(t)
			}
			for {
				line := l.line(t)
				if !origin.MatchString(line) {
					t.Errorf("MONITOR prints %q", line)
				}
				all += origin.ReplaceAllString(line, "[$1] ") + "\n"
				if strings.HasSuffix(line, `"END"`) {
					return all
				}
			}
		}
		if got, want := seen(addr), seen(testenv.Redis(t).Addr); got != want {
			t.Errorf("redis-cli MONITOR prints\n%s\nand of redis-server\n%s", got, want)
		}
	})
}

// TestRedisCLIShowsInvalidations is about redbud's own memory alone: in front of a Redis they come when that tells.
func TestRedisCLIShowsInvalidations(t *testing.T) {
	t.Parallel()
	const session = "CLIENT TRACKING ON\nGET k\nSET k 1\nGET k\nMSET k 2 other 3\nCLIENT TRACKINGINFO\n" +
		"CLIENT TRACKING OFF\nCLIENT TRACKING ON BCAST PREFIX a PREFIX b NOLOOP\nSET a 1\nCLIENT TRACKINGINFO\n" +
		"MULTI\nGET k\nSET a 1\nEXEC\nCLIENT GETREDIR\nFLUSHALL\nPING\n"
	shown := func(addr string) string {
		out, code := tool{"redis-cli", at(addr, "--show-pushes", "yes", "-3", "--no-raw"), strings.NewReader(session)}.run(t)
		return fmt.Sprintf("%s(exit %d)", out, code)
	}
	got, want := shown(serve(t).addr), shown(testenv.Redis(t).Addr)
	if got != want || !strings.Contains(want, "-> invalidate: 'k'") {
		t.Errorf("redis-cli prints\n%s\nand of redis-server\n%s", got, want)
	}
}
