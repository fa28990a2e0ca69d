// How often a function is called that many want the value of, in one process and in several.

package cache_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/internal/kittest"
)

const (
	members   = 5                     // of the fleet
	askers    = 200                   // in each of them
	memberEnv = "REDBUD_CACHE_MEMBER" // makes this test's process a member of a fleet, on the engine that it names
)

// missing are Stats that call all when so many values were missed.
type missing struct {
	left atomic.Int32
	all  func()
}

// missed are the Stats of n values.
func missed(n int, all func()) *missing {
	m := &missing{all: all}
	m.left.Store(int32(n))
	return m
}

func (m *missing) Read(_, misses, _ int) {
	if misses > 0 && m.left.Add(-int32(misses)) == 0 {
		m.all()
	}
}

func (m *missing) Called(string, time.Duration, error) {}

// counted is a function whose calls the engine counts. It returns which of them it is, when goOn is closed.
func counted(db *redbud.DB, o cache.FuncOptions[string, int64], began func(), goOn <-chan struct{}) cache.FuncOptions[string, int64] {
	o.TTL = time.Hour
	o.Load = func(ctx context.Context, _ string) (int64, error) {
		n, err := db.Incr(ctx, "loads of "+o.Prefix).Result()
		if err != nil {
			return 0, err
		}
		began()
		select {
		case <-goOn:
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return o
}

// loads looks how often it was called.
func loads(t *testing.T, db *redbud.DB, prefix string, want int) {
	t.Helper()
	if n, err := db.Get(t.Context(), "loads of "+prefix).Int(); n != want || err != nil {
		t.Errorf("%s %d loads and %v, not %d", prefix, n, err, want)
	}
	nothingIsLoaded(t, db, prefix+"{k}")
}

// expire has a value at a key whose time is over.
func expire(t *testing.T, db *redbud.DB, prefix string) {
	t.Helper()
	brief := memoise(t, db, cache.FuncOptions[string, int64]{Options: cache.Options{Prefix: prefix}, TTL: time.Millisecond,
		Load: func(context.Context, string) (int64, error) { return -1, nil }})
	returns[int64](t, "before it expires", -1)(brief.Get(t.Context(), "k"))
	eventually(t, "it expires", func() bool { return db.Exists(t.Context(), prefix+"{k}").Val() == 0 })
}

func TestAThousandWaitForOneLoad(t *testing.T) {
	const n = 1000
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		for _, fleet := range []bool{false, true} {
			prefix := fmt.Sprint(fleet, ":")
			expire(t, db, prefix)
			all := make(chan struct{})
			f := memoise(t, db, counted(db, cache.FuncOptions[string, int64]{
				Options: cache.Options{Prefix: prefix, Stats: missed(n, func() { close(all) })}, Fleet: fleet}, func() {}, all))
			many(n, func(int) { returns[int64](t, "Get", 1)(f.Get(t.Context(), "k")) })
			loads(t, db, prefix, 1)
		}
	})
}

// beMember does what standard input says until that ends, as it does with the parent, and tells on standard output what happens.
func beMember(url string) (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	db, err := redbud.Open(ctx, url)
	if err != nil {
		cancel()
		return err
	}
	var asking sync.WaitGroup
	defer func() {
		cancel()
		asking.Wait()
		err = errors.Join(err, db.Close())
	}()
	fmt.Println("ready")
	goOn := make(chan struct{})
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if in.Text() == "go" {
			close(goOn)
			goOn = make(chan struct{})
			continue
		}
		o := cache.FuncOptions[string, int64]{Options: cache.Options{Stats: missed(askers, func() { fmt.Println("missed") })}}
		var lease string
		_, err := fmt.Sscan(in.Text(), &o.Prefix, &o.Fleet, &lease)
		if err == nil {
			o.Lease, err = time.ParseDuration(lease)
		}
		if err != nil {
			return err
		}
		f, err := cache.NewFunc(db, counted(db, o, func() { fmt.Println("loading") }, goOn))
		if err != nil {
			return err
		}
		asking.Go(func() { askAll(ctx, f) })
	}
	return nil
}

// askAll has all who ask do so, and tells what they got.
func askAll(ctx context.Context, f *cache.Func[string, int64]) {
	var mu sync.Mutex // guards got
	got := map[string]int{}
	many(askers, func(int) {
		n, err := f.Get(ctx, "k")
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			got[err.Error()]++
		} else {
			got[fmt.Sprint(n)]++
		}
	})
	if err := f.Close(ctx); err != nil {
		got[err.Error()]++
	}
	fmt.Println("got", got)
	fmt.Println("done")
}

// member is one process of a fleet.
type member struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	log    bytes.Buffer
	killed bool
}

// kill ends the process at once.
func (m *member) kill(t *testing.T) {
	t.Helper()
	m.killed = true
	if err := m.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
}

// fleet is several processes.
type fleet struct {
	t       *testing.T
	members []*member
	lines   chan string    // what any of them says
	said    map[string]int // how often, less what was awaited
}

// startFleet starts processes, which end with the test.
func startFleet(t *testing.T, url string) *fleet {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, lines: make(chan string, 1000), said: map[string]int{}}
	for range members {
		m := &member{cmd: exec.Command(self)}
		m.cmd.Env = append(os.Environ(), memberEnv+"="+url, "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0") // what is left to tell at the end is told by then
		m.cmd.Stderr = &m.log
		out, err := m.cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if m.in, err = m.cmd.StdinPipe(); err != nil { // which ends when this process does
			t.Fatal(err)
		}
		if err := m.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for lines := bufio.NewScanner(out); lines.Scan(); {
				f.lines <- lines.Text()
			}
			f.lines <- "ended"
		}()
		t.Cleanup(func() {
			for _, m := range f.members {
				_ = m.in.Close() // fails only if it has ended
			}
			<-ended
			if err := m.cmd.Wait(); err != nil && !m.killed {
				t.Errorf("a process of the fleet: %v\n%s", err, &m.log)
			}
		})
		f.members = append(f.members, m)
	}
	f.await(map[string]int{"ready": members})
	return f
}

// tell tells processes something.
func (f *fleet) tell(to []*member, line string) {
	f.t.Helper()
	for _, m := range to {
		if _, err := fmt.Fprintln(m.in, line); err != nil {
			f.t.Fatal(err)
		}
	}
}

// await returns when all of that has been said so often.
func (f *fleet) await(wanted map[string]int) {
	f.t.Helper()
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for {
		missing := maps.Clone(wanted)
		maps.DeleteFunc(missing, func(line string, n int) bool { return f.said[line] >= n })
		if len(missing) == 0 {
			for line, n := range wanted {
				f.said[line] -= n
			}
			return
		}
		select {
		case line := <-f.lines:
			f.said[line]++
		case <-patience.C:
			f.t.Fatalf("the fleet has said %v, not %v", f.said, wanted)
		}
	}
}

// finish lets loads go on, and returns what processes got, by how many of them.
func (f *fleet) finish(all []*member) map[string]int {
	f.t.Helper()
	f.tell(all, "go")
	f.await(map[string]int{"done": len(all)})
	got := maps.Clone(f.said)
	maps.DeleteFunc(got, func(line string, _ int) bool { return !strings.HasPrefix(line, "got") })
	clear(f.said)
	return got
}

// ones is what so many processes tell who all got the value of the n-th load.
func ones(processes, n int) map[string]int {
	return map[string]int{fmt.Sprint("got ", map[int]int{n: askers}): processes}
}

func TestAFleetOfProcessesLoadsOnce(t *testing.T) {
	kittest.RunProcesses(t, func(t *testing.T, db *redbud.DB, url string) {
		f := startFleet(t, url)

		expire(t, db, "one:")
		f.tell(f.members, "one: true 1h")
		f.await(map[string]int{"missed": members, "loading": 1})
		if got := f.finish(f.members); !maps.Equal(got, ones(members, 1)) {
			t.Errorf("one loads for all, and they %v", got)
		}
		loads(t, db, "one:", 1)

		expire(t, db, "each:")
		f.tell(f.members, "each: false 1h")
		f.await(map[string]int{"missed": members, "loading": members})
		got := f.finish(f.members)
		if !slices.ContainsFunc([]int{1, 2, 3, 4, 5}, func(n int) bool { return maps.Equal(got, ones(members, n)) }) { // the first that was stored
			t.Errorf("each loads for itself, and they %v", got)
		}
		loads(t, db, "each:", members)

		expire(t, db, "lost:")
		doomed, others := f.members[:1], f.members[1:]
		f.tell(doomed, "lost: true 500ms")
		f.await(map[string]int{"missed": 1, "loading": 1})
		f.tell(others, "lost: true 1h")
		f.await(map[string]int{"missed": len(others)})
		doomed[0].kill(t)
		f.await(map[string]int{"loading": 1})
		if got := f.finish(others); !maps.Equal(got, ones(len(others), 2)) {
			t.Errorf("one loads in place of who was killed, and they %v", got)
		}
		loads(t, db, "lost:", 2)
	})
}
