package softwaretest

import (
	"bufio"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/testenv"
)

// sample are inline commands that make a small database of every type.
func sample() string {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "SET string:%d \"%s\"\n", i, strings.Repeat("x", i))
		fmt.Fprintf(&b, "HSET hash:%d f%d 1 g 2\n", i%40, i)
		fmt.Fprintf(&b, "RPUSH list:%d %d\n", i%30, i)
		fmt.Fprintf(&b, "SADD set:%d m%d\n", i%20, i)
		fmt.Fprintf(&b, "ZADD zset:%d %d.5 m%d\n", i%10, i, i)
		fmt.Fprintf(&b, "XADD stream:%d %d-1 f %d\n", i%5, i, i)
	}
	b.WriteString("HSET h one 1 two 2 three 3\nZADD z 1 a 2.5 b 2.5 c inf d\nSET text \"a b\\r\\n\\x00\\xffü\"\nSADD s 1\nXGROUP CREATE stream:1 g 0\n")
	return b.String()
}

// load gives the sample to a server. It has lines, which --pipe takes as redis-server does.
func load(t *testing.T, addr string) {
	t.Helper()
	if out, code := (tool{"redis-cli", at(addr, "--pipe"), strings.NewReader(sample())}).run(t); code != 0 || !strings.Contains(out, "errors: 0,") {
		t.Fatalf("redis-cli --pipe ends with %d and %s", code, out)
	}
}

// sortLines is for output whose order means nothing.
func sortLines(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var (
	progress = regexp.MustCompile(`(?m)^\[.*\n`)
	biggest  = regexp.MustCompile(`found '".*"'`) // among equals it is the first that SCAN gave
	sizes    = regexp.MustCompile(`\d+ bytes|avg size \d+\.\d+`)
)

func summaryOnly(text string) string {
	return biggest.ReplaceAllString(progress.ReplaceAllString(text, ""), "found")
}

// countsOnly is for what tells how much memory things take, which is another matter in another program.
func countsOnly(text string) string { return sizes.ReplaceAllString(summaryOnly(text), "SIZE") }

func TestRedisCLIPrintsTheSame(t *testing.T) {
	t.Parallel()
	cases := []struct {
		args      []string
		input     string
		normalize func(string) string
	}{
		{args: []string{"--scan"}, normalize: sortLines},
		{args: []string{"--scan", "--pattern", "*:1?"}, normalize: sortLines},
		{args: []string{"--scan", "--pattern", "nosuch*"}},
		{args: []string{"--quoted-pattern", `"*\x3a1?"`, "--scan"}, normalize: sortLines},
		{args: []string{"--bigkeys"}, normalize: summaryOnly},
		{args: []string{"--bigkeys", "-i", "0.001", "-3"}, normalize: summaryOnly},
		{args: []string{"--memkeys"}, normalize: countsOnly},
		{args: []string{"--memkeys-samples", "0"}, normalize: countsOnly},
		{args: []string{"MEMORY", "USAGE", "nosuch"}},
		{args: []string{"--hotkeys"}},
		{args: []string{"CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "lfu-decay-time", "0"}},
		{args: []string{"-n", "4", "MSET", "hot", "a", "hotter", "b"}}, // not numbers: those are one object to redis-server
		{args: []string{"-n", "4", "--hotkeys"}, normalize: func(text string) string { return sortLines(summaryOnly(text)) }},
		{args: []string{"CONFIG", "SET", "maxmemory-policy", "noeviction", "lfu-decay-time", "1"}},
		{args: []string{"-3", "HGETALL", "h"}},
		{args: []string{"-3", "ZRANGE", "z", "0", "-1", "WITHSCORES"}},
		{args: []string{"-3", "--no-raw", "ZRANGE", "z", "0", "-1", "WITHSCORES"}},
		{args: []string{"-3", "--no-raw", "SMEMBERS", "s"}},
		{args: []string{"-3", "--no-raw", "CONFIG", "GET", "appendonly"}},
		{args: []string{"--no-raw", "GET", "text"}},
		{args: []string{"GET", "text"}},
		{args: []string{"--csv", "ZRANGE", "z", "0", "-1", "WITHSCORES"}},
		{args: []string{"--csv", "GET", "nosuch"}},
		{args: []string{"--json", "HGETALL", "h"}},
		{args: []string{"--json", "XINFO", "GROUPS", "stream:1"}},
		{args: []string{"-3", "--no-raw", "XREADGROUP", "GROUP", "g", "c", "COUNT", "2", "STREAMS", "stream:1", ">"}},
		{args: []string{"--csv", "XREAD", "COUNT", "2", "STREAMS", "stream:1", "stream:2", "0", "0"}},
		{args: []string{"XPENDING", "stream:1", "g"}},
		{args: []string{"--json", "GET", "text"}},
		{args: []string{"--quoted-json", "GET", "text"}},
		{args: []string{"-2", "--json", "ZRANGE", "z", "0", "-1", "WITHSCORES"}},
		{args: []string{"-d", ";", "LRANGE", "list:3", "0", "-1"}},
		{args: []string{"-x", "SET", "input"}, input: "a\r\nb\x00c\n"},
		{args: []string{"-X", "tag", "MSET", "input2", "tag", "input3", "v"}, input: "a\x00b"},
		{args: []string{"GET", "input"}},
		{args: []string{"-r", "5", "INCR", "counter"}},
		{args: []string{"-r", "3", "-i", "0.001", "--csv", "INCR", "counter"}},
		{args: []string{"-n", "3", "SET", "elsewhere", "1"}},
		{args: []string{"-n", "3", "DBSIZE"}},
		{args: []string{"-n", "99", "PING"}},
		{args: []string{"-a", "wrong", "--no-auth-warning", "PING"}},
		{args: []string{"--user", "default", "--pass", "any", "--no-auth-warning", "PING"}},
		{args: []string{"--quoted-input", "SET", `"\x00k"`, "v"}},
		{args: []string{"--show-pushes", "no", "-3", "PING"}},
		{args: []string{"-e", "HGET", "h"}},
		{args: []string{"-e", "LPUSH", "h", "v"}},
		{args: []string{"--no-raw"}, input: "PING\nSELECT 3\nGET elsewhere\nSELECT 0\nMULTI\nINCR counter\nHGET counter f\nEXEC\nGET\n" +
			"2 PING\nSET k \"a\\nb\"\nGET k\nMULTI\nNOSUCH\nEXEC\n\n  \nECHO 'it'\nGET \"unbalanced\n" +
			"OBJECT HELP\nRESET\nTYPE z\nDEL h\nQUIT\n"},
		{args: []string{"DBSIZE"}},
	}
	onEachFront(t, func(t *testing.T, addr string) {
		real := testenv.Redis(t).Addr
		load(t, addr)
		load(t, real)
		for _, c := range cases {
			print := func(addr string) string {
				out, code := tool{"redis-cli", at(addr, c.args...), strings.NewReader(c.input)}.run(t)
				if c.normalize != nil {
					out = c.normalize(out)
				}
				out = strings.ReplaceAll(out, addr, "ADDRESS")
				return fmt.Sprintf("%s(exit %d)", out, code)
			}
			if got, want := print(addr), print(real); got != want {
				t.Errorf("redis-cli %q prints\n%s\nand of redis-server\n%s", c.args, got, want)
			}
		}
	})
}

func TestRedisCLIMeasuresLatency(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^\d+ \d+ \d+\.\d\d \d+\n$`) // least, most, mean, samples
	onEachFront(t, func(t *testing.T, addr string) {
		if out, code := (tool{"redis-cli", at(addr, "--latency", "-i", "0.1"), nil}).run(t); code != 0 || !shape.MatchString(out) {
			t.Errorf("redis-cli --latency ends with %d and %q", code, out)
		}
	})
}

func TestRedisCLIShowsStatistics(t *testing.T) {
	t.Parallel()
	const keys = 300 + 40 + 30 + 20 + 10 + 5 + 4
	shape := regexp.MustCompile(fmt.Sprintf(`^%d +\d+\.\d\d[KMG] +[1-9]\d* +0 +[1-9]\d* \(\+\d+\) +[1-9]\d* *$`, keys))
	onEachFront(t, func(t *testing.T, addr string) {
		load(t, addr)
		c := exec.CommandContext(t.Context(), find(t, "redis-cli"), at(addr, "--stat", "-i", "0.001")...)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for i := range 12 {
			if !lines.Scan() {
				t.Errorf("redis-cli --stat ends after %d lines", i)
				break
			}
			if line := lines.Text(); i >= 2 && !shape.MatchString(line) {
				t.Errorf("redis-cli --stat prints %q", line)
			}
		}
		_ = c.Process.Kill() // it goes on for ever
		_ = c.Wait()
	})
}

func TestRedisBenchmarkRunsAllItsTests(t *testing.T) {
	t.Parallel()
	// A test that takes no whole millisecond has done infinitely many.
	result := regexp.MustCompile(`(?m)^(.+): (?:[1-9]\d*\.\d\d|inf) requests per second`)
	names := func(t *testing.T, addr string, args ...string) []string {
		out, code := tool{"redis-benchmark", at(addr, append([]string{"-q"}, args...)...), nil}.run(t)
		out = strings.ReplaceAll(out, "\r", "\n")
		var names []string
		for _, m := range result.FindAllStringSubmatch(out, -1) {
			names = append(names, m[1])
		}
		if low := strings.ToLower(out); code != 0 || strings.Contains(low, "err") || strings.Contains(low, "warn") {
			t.Errorf("redis-benchmark %q ends with %d and\n%s", args, code, out)
		}
		return names
	}
	onEachFront(t, func(t *testing.T, addr string) {
		real := testenv.Redis(t).Addr
		n := " -n 1000 "
		if racing {
			n = " -n 200 " // it is many times slower
		}
		for args, tests := range map[string]int{
			n + "-P 1":                     20,
			n + "-P 16":                    20,
			n + "-P 16 -3":                 20,
			n + "-r 1000 -c 10 --dbnum 2":  20,
			n + "-t set,lpush --threads 2": 2, // with threads a test takes a quarter of a second
			n + "-r 1000 hset h:__rand_int__ f:__rand_int__ v": 1,
		} {
			want, got := names(t, real, strings.Fields(args)...), names(t, addr, strings.Fields(args)...)
			if len(want) != tests || !slices.Equal(got, want) {
				t.Errorf("redis-benchmark %s measures %q, and of redis-server %q", args, got, want)
			}
		}
	})
}
