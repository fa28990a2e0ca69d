package enginetest

import (
	"context"
	"flag"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redbud-go/redbud/engine/memory"
	_ "github.com/redbud-go/redbud/engine/redis"
	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/testenv"
	"github.com/redbud-go/redbud/server"
)

var record = flag.String("record", "", `record the answers of all sessions from the Redis at this URL, which loses its data; "auto" starts one`)

func TestMain(m *testing.M) { testenv.Main(m) }

// clock stands still unless told otherwise.
type clock struct {
	mu sync.Mutex // guards at
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// openMemory opens the memory engine with a clock that stands.
func openMemory(t testing.TB) Instance {
	c := &clock{at: time.Now()}
	e := memory.New(memory.Options{Now: c.Now})
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return Instance{Engine: e, Advance: c.Advance}
}

func TestMemory(t *testing.T) {
	Run(t, Options{Name: "memory", Open: openMemory, Serve: serve})
}

// opened is an engine that was opened; it ends with the test.
func opened(t testing.TB, e engine.Engine, err error) engine.Engine {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// serve puts a server in front of an engine.
func serve(t testing.TB, e engine.Engine) Front {
	o := server.Options{Logger: slog.New(slog.DiscardHandler), Hub: server.NewHub()}
	s := server.New(e, o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return Front{
		TCP:  tcp(l.Addr().String()),
		Pipe: func() (net.Conn, error) { return server.Pipe(e, o), nil },
	}
}

func TestRedis(t *testing.T) {
	url := testenv.Redis(t).URL()
	r := newRecorder(t, url)
	Run(t, Options{Name: "redis", Without: map[string]string{
		"server/acl-script.txt": "nobody asks what a script calls there, so scripts are for users who may do everything",
	}, Open: func(t testing.TB) Instance {
		if err := r.Reset(); err != nil {
			t.Fatal(err)
		}
		e, err := engine.Open(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		return Instance{Engine: e, Version: r.Version}
	}, Serve: serve})
}

// TestRecord writes files only where it is told to.
func TestRecord(t *testing.T) {
	url := *record
	switch url {
	case "":
		t.Skip("nothing to record from; -record says what")
	case "auto":
		url = testenv.Redis(t).URL()
	}
	r := newRecorder(t, url)
	if err := r.RecordAll("testdata"); err != nil {
		t.Fatal(err)
	}
}

func newRecorder(t *testing.T, url string) *Recorder {
	r, err := NewRecorder(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// TestAnswersAreThoseOfARealRedis fails when a session was edited and not recorded again, or an answer by hand.
func TestAnswersAreThoseOfARealRedis(t *testing.T) {
	if *record != "" {
		t.Skip("they are being recorded")
	}
	r := newRecorder(t, testenv.Redis(t).URL())
	by, err := os.ReadFile("testdata/" + recordedBy)
	if err != nil {
		t.Fatal(err)
	}
	version, err := ParseVersion(strings.TrimSpace(string(by)))
	if err != nil {
		t.Fatal(err)
	}
	if version != r.Version {
		t.Skipf("the answers are those of Redis %s, this is %s", version, r.Version)
	}
	sessions, err := Sessions()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		was := string(s.Format())
		if err := r.Record(s); err != nil {
			t.Fatal(err)
		}
		if now := string(s.Format()); now != was {
			t.Errorf("%s: Redis %s answers otherwise than recorded:\n%s", s.Path, r.full, diff(was, now))
		}
	}
}

// diff shows the lines in which two texts differ, from the first to the last of them.
func diff(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for len(as) > 0 && len(bs) > 0 && as[0] == bs[0] {
		as, bs = as[1:], bs[1:]
	}
	for len(as) > 0 && len(bs) > 0 && as[len(as)-1] == bs[len(bs)-1] {
		as, bs = as[:len(as)-1], bs[:len(bs)-1]
	}
	return "- " + strings.Join(as, "\n- ") + "\n+ " + strings.Join(bs, "\n+ ")
}

// withoutSession are the commands that no session calls, and why.
var withoutSession = map[string]string{
	"save": "it writes a file", "bgrewriteaof": "it writes files",
	"redbud.eval": "no Redis has it", "redbud.eval_ro": "as redbud.eval", "redbud.evalsha": "as redbud.eval", "redbud.evalsha_ro": "as redbud.eval",
	"asking": "it concerns a connection of a cluster", "readonly": "as asking", "readwrite": "as asking",
}

func TestEveryCommandHasASession(t *testing.T) {
	sessions, err := Sessions()
	if err != nil {
		t.Fatal(err)
	}
	called := map[*command.Command]bool{}
	for _, s := range sessions {
		for _, step := range s.Steps {
			if step.Call == nil {
				continue
			}
			if row, err := command.Commands.Find(step.Call); err == nil {
				called[row] = true
			}
		}
	}
	var missing []string
	for _, row := range command.Commands.All() {
		rows := []*command.Command{row}
		if row.Subs != nil {
			rows = row.Subs
		}
		for _, r := range rows {
			if !called[r] && withoutSession[r.FullName()] == "" {
				missing = append(missing, r.FullName())
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("no session calls %s", strings.Join(missing, ", "))
	}
}
