// Bench compares redbud serve with redis-server, side by side in one run: throughput and latency by redis-benchmark, and
// memory per key. It prints Markdown; docs/benchmarks.md holds what it printed.
//
//	go run ./internal/bench [-rounds 5] [-pipeline 1,16,64] [-tests get,set] [-seconds 1] [-pin=false] [-memory=false] [-scenes=false]
//
// Both servers run all the time and are measured in turn, A B A B …; what counts is the median of the ratios.
package main

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redbud-go/redbud/internal/testenv"
)

// tests are the standard tests of redis-benchmark, and calls of ours that it repeats, each with about how many requests redis-server does per second with
// pipelines of 1, 16 and 64: from that follows how many to ask for.
var tests = []struct {
	name string
	rate [3]int
	call string // "": it is one of redis-benchmark's own
}{
	{"set", [3]int{100e3, 700e3, 1100e3}, ""},
	{"get", [3]int{100e3, 800e3, 1200e3}, ""},
	{"incr", [3]int{100e3, 800e3, 1200e3}, ""},
	{"lpush", [3]int{100e3, 700e3, 1000e3}, ""},
	{"rpush", [3]int{100e3, 700e3, 1000e3}, ""},
	{"lpop", [3]int{100e3, 700e3, 1000e3}, ""},
	{"rpop", [3]int{100e3, 700e3, 1000e3}, ""},
	{"sadd", [3]int{100e3, 700e3, 1000e3}, ""},
	{"hset", [3]int{100e3, 600e3, 900e3}, ""},
	{"spop", [3]int{100e3, 800e3, 1200e3}, ""},
	{"zadd", [3]int{100e3, 500e3, 600e3}, ""},
	{"lrange_100", [3]int{50e3, 90e3, 90e3}, ""},
	{"mset", [3]int{80e3, 150e3, 160e3}, ""},
	{"xadd", [3]int{100e3, 500e3, 600e3}, "XADD stream * field __rand_int__"},
	{"setbit", [3]int{100e3, 700e3, 1000e3}, "SETBIT bits:__rand_int__ 77 1"},
	{"pfadd", [3]int{100e3, 700e3, 1000e3}, "PFADD visitors __rand_int__"},
	{"geoadd", [3]int{100e3, 400e3, 500e3}, "GEOADD places 13.__rand_int__ 38.__rand_int__ place:__rand_int__"},
	{"geosearch", [3]int{50e3, 80e3, 80e3}, "GEOSEARCH places FROMLONLAT 13.05 38.05 BYRADIUS 500 m"},
	{"evalsha", [3]int{70e3, 500e3, 600e3}, "EVALSHA " + getScriptSHA + " 1 key:__rand_int__"},
}

// getScript is what the test evalsha runs.
const (
	getScript    = "return redis.call('GET',KEYS[1])"
	getScriptSHA = "620cd258c2c9c88c9d10db67812ccf663d96bdc6"
)

// server is one of the two that are compared.
type server struct {
	name string
	addr string
	pid  int
	stop func()
}

// sample is what one run of redis-benchmark said.
type sample struct{ rate, p99 float64 }

type options struct {
	rounds    int
	pipelines []int
	tests     []string
	seconds   float64
	pin       bool
	scenes    bool
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each test runs on each server")
	pipelines := flag.String("pipeline", "1,16,64", "pipeline depths")
	names := flag.String("tests", "", "names of tests; default all")
	flag.Float64Var(&o.seconds, "seconds", 1, "about how long redis-server takes for one test")
	flag.BoolVar(&o.pin, "pin", true, "servers on core 0, redis-benchmark on core 1 (Linux)")
	memory := flag.Bool("memory", true, "measure memory per key too")
	flag.BoolVar(&o.scenes, "scenes", true, "measure what takes several connections too")
	flag.Parse()
	for p := range strings.SplitSeq(*pipelines, ",") {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 {
			return fmt.Errorf("-pipeline %q: a list of numbers from 1 on", *pipelines)
		}
		o.pipelines = append(o.pipelines, n)
	}
	for _, t := range tests {
		if *names == "" || slices.Contains(strings.Split(*names, ","), t.name) {
			o.tests = append(o.tests, t.name)
		}
	}
	if len(o.tests) == 0 {
		return fmt.Errorf("-tests %q: no such test", *names)
	}

	dir, err := os.MkdirTemp("", "redbud-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "redbud")
	if out, err := exec.Command("go", "build", "-o", binary, "./cmd/redbud").CombinedOutput(); err != nil {
		return fmt.Errorf("build redbud: %w\n%s", err, out)
	}
	fmt.Printf("%s, %d cores, %s; redis-benchmark -c 50 -r 100000, medians of %d rounds", runtime.GOOS, runtime.NumCPU(), runtime.Version(), o.rounds)
	if o.pin {
		fmt.Print(", servers pinned to one core and redis-benchmark to another")
	}
	fmt.Print("\n\n")
	if *memory {
		if err := compareMemory(binary, o); err != nil {
			return err
		}
	}
	return compareSpeed(binary, o)
}

// start starts both servers: redbud first, then the one that it is compared with.
func start(binary string, o options) (both [2]*server, err error) {
	redis, err := testenv.StartRedis()
	if err != nil {
		return both, err
	}
	both[1] = &server{name: "redis-server", addr: redis.Addr, pid: redis.PID(), stop: redis.Stop}
	if o.pin {
		if out, err := exec.Command("taskset", "-acp", "0", strconv.Itoa(redis.PID())).CombinedOutput(); err != nil {
			redis.Stop()
			return both, fmt.Errorf("pin redis-server: %w: %s", err, out)
		}
	}
	both[0], err = startRedbud(binary, o)
	if err != nil {
		redis.Stop()
	}
	return both, err
}

func startRedbud(binary string, o options) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	cmd := pinned(o, 0, binary, "serve", "--listen", addr)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start redbud: %w", err)
	}
	s := &server{name: "redbud", addr: addr, pid: cmd.Process.Pid, stop: func() {
		cmd.Process.Kill()
		cmd.Wait()
	}}
	for range 500 {
		if c, err := net.Dial("tcp", addr); err == nil {
			return s, c.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("redbud does not listen on %s", addr)
}

// pinned is a command on one core, where servers are to be pinned.
func pinned(o options, core int, name string, args ...string) *exec.Cmd {
	if o.pin {
		args = append([]string{"-c", strconv.Itoa(core), name}, args...)
		name = "taskset"
	}
	return exec.Command(name, args...)
}

func compareSpeed(binary string, o options) error {
	both, err := start(binary, o)
	if err != nil {
		return err
	}
	defer both[0].stop()
	defer both[1].stop()
	for _, s := range both {
		if err := s.load(getScript); err != nil {
			return err
		}
	}
	fmt.Print("## Throughput and latency, redbud relative to redis-server\n\n")
	for _, p := range o.pipelines {
		fmt.Printf("### -P %d\n\n| test | redis-server, requests/s | redbud, requests/s | ratio | spread | p99 ratio |\n|---|---|---|---|---|---|\n", p)
		var all, late []float64
		for _, name := range o.tests {
			ratios, p99s, rates, err := compareTest(both, name, p, o)
			if err != nil {
				return err
			}
			fmt.Printf("| %s | %.0f | %.0f | %.2f | %.2f to %.2f | %.2f |\n", name, median(rates[1]), median(rates[0]),
				median(ratios), slices.Min(ratios), slices.Max(ratios), median(p99s))
			all = append(all, median(ratios))
			late = append(late, median(p99s))
		}
		fmt.Printf("| **geometric mean** | | | **%.2f** | least %.2f | **%.2f**, most %.2f |\n\n", geomean(all), slices.Min(all), geomean(late), slices.Max(late))
	}
	if o.scenes {
		return compareScenes(both, o)
	}
	return nil
}

// compareScenes plays each scene on both servers in turn. This process is the client.
func compareScenes(both [2]*server, o options) error {
	if o.pin {
		if out, err := exec.Command("taskset", "-acp", "1", strconv.Itoa(os.Getpid())).CombinedOutput(); err != nil {
			return fmt.Errorf("pin the client: %w: %s", err, out)
		}
	}
	fmt.Print("### Several connections\n\n| scene | redis-server, a second | redbud, a second | ratio | spread |\n|---|---|---|---|---|\n")
	for _, scene := range scenes {
		var ratios []float64
		var rates [2][]float64
		for range o.rounds {
			for i, s := range both {
				rate, err := scene.play(s.addr, o.seconds)
				if err != nil {
					return fmt.Errorf("%s on %s: %w", scene.name, s.name, err)
				}
				rates[i] = append(rates[i], rate)
			}
			n := len(rates[0]) - 1
			ratios = append(ratios, rates[0][n]/rates[1][n])
		}
		fmt.Printf("| %s | %.0f | %.0f | %.2f | %.2f to %.2f |\n", scene.name, median(rates[1]), median(rates[0]), median(ratios), slices.Min(ratios), slices.Max(ratios))
	}
	fmt.Println()
	return nil
}

// compareTest runs one test on both servers in turn.
func compareTest(both [2]*server, name string, pipeline int, o options) (ratios, p99s []float64, rates [2][]float64, err error) {
	n := requests(name, pipeline, o.seconds)
	for range o.rounds {
		var got [2]sample
		for i, s := range both {
			if got[i], err = s.benchmark(name, pipeline, n, o); err != nil {
				return nil, nil, rates, err
			}
			rates[i] = append(rates[i], got[i].rate)
		}
		ratios = append(ratios, got[0].rate/got[1].rate)
		p99s = append(p99s, got[0].p99/got[1].p99)
	}
	return ratios, p99s, rates, nil
}

func requests(name string, pipeline int, seconds float64) int {
	for _, t := range tests {
		if t.name == name {
			rate := t.rate[0]
			if pipeline >= 64 {
				rate = t.rate[2]
			} else if pipeline > 1 {
				rate = t.rate[1]
			}
			return int(float64(rate) * seconds)
		}
	}
	return 100000
}

// load makes a script known.
func (s *server) load(script string) error {
	p, err := dialPeer(s.addr)
	if err != nil {
		return err
	}
	defer p.Close()
	_, err = p.ask("SCRIPT", "LOAD", script)
	return err
}

// benchmark runs redis-benchmark and reads its last line.
func (s *server) benchmark(name string, pipeline, n int, o options) (sample, error) {
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return sample{}, err
	}
	cmd := pinned(o, 1, "redis-benchmark", "-h", host, "-p", port, "-c", "50", "-r", "100000", "-n", strconv.Itoa(n),
		"-P", strconv.Itoa(pipeline), "--csv")
	for _, t := range tests {
		if t.name == name && t.call != "" {
			cmd.Args = append(cmd.Args, strings.Fields(t.call)...)
		} else if t.name == name {
			cmd.Args = append(cmd.Args, "-t", name)
		}
	}
	out, err := cmd.Output()
	if err != nil {
		return sample{}, fmt.Errorf("redis-benchmark -t %s on %s: %w", name, s.name, err)
	}
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil || len(rows) < 2 {
		return sample{}, fmt.Errorf("redis-benchmark -t %s on %s printed %q", name, s.name, out)
	}
	row := rows[len(rows)-1]
	rate, err1 := strconv.ParseFloat(row[1], 64)
	p99, err2 := strconv.ParseFloat(row[6], 64)
	if err1 != nil || err2 != nil {
		return sample{}, fmt.Errorf("redis-benchmark -t %s on %s printed %q", name, s.name, row)
	}
	return sample{rate, p99}, nil
}

const (
	memoryKeys  = 1_000_000
	memoryValue = 32
)

// compareMemory fills both servers with the same keys and compares by how much their resident memory grew.
func compareMemory(binary string, o options) error {
	var ratios []float64
	var perKey [2][]float64
	for range min(o.rounds, 3) {
		both, err := start(binary, o)
		if err != nil {
			return err
		}
		var grown [2]float64
		for i, s := range both {
			if grown[i], err = s.fill(); err != nil {
				break
			}
			perKey[i] = append(perKey[i], grown[i]/memoryKeys)
		}
		both[0].stop()
		both[1].stop()
		if err != nil {
			return err
		}
		ratios = append(ratios, grown[0]/grown[1])
	}
	fmt.Printf("## Memory\n\n%d keys of 16 bytes with values of %d bytes, growth of resident memory: redis-server %.0f bytes a key, redbud %.0f, ratio %.2f (%.2f to %.2f)\n\n",
		memoryKeys, memoryValue, median(perKey[1]), median(perKey[0]), median(ratios), slices.Min(ratios), slices.Max(ratios))
	return nil
}

// fill stores the keys and returns by how many bytes the server has grown.
func (s *server) fill() (float64, error) {
	before, err := resident(s.pid)
	if err != nil {
		return 0, err
	}
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	sent := make(chan error, 1)
	go func() {
		value := strings.Repeat("v", memoryValue)
		var buf bytes.Buffer
		for i := range memoryKeys {
			fmt.Fprintf(&buf, "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%s\r\n", i, memoryValue, value)
			if buf.Len() > 16<<10 || i == memoryKeys-1 {
				if _, err := conn.Write(buf.Bytes()); err != nil {
					sent <- err
					return
				}
				buf.Reset()
			}
		}
		sent <- nil
	}()
	if _, err := io.CopyN(io.Discard, conn, memoryKeys*int64(len("+OK\r\n"))); err != nil {
		return 0, fmt.Errorf("fill %s: %w", s.name, err)
	}
	if err := <-sent; err != nil {
		return 0, fmt.Errorf("fill %s: %w", s.name, err)
	}
	after, err := resident(s.pid)
	return float64(after - before), err
}

// resident is the resident memory of a process in bytes (Linux).
func resident(pid int) (int, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, fmt.Errorf("resident memory: %w", err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	return pages * os.Getpagesize(), err
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	if n := len(x); n%2 == 0 {
		return (x[n/2-1] + x[n/2]) / 2
	}
	return x[len(x)/2]
}

func geomean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += math.Log(v)
	}
	return math.Exp(sum / float64(len(x)))
}
