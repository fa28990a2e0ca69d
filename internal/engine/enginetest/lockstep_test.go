package enginetest

import (
	"bytes"
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/engine/memory"
	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/testenv"
)

var (
	seed  = flag.Uint64("seed", 0, "seed of the random calls; 0: another one each time")
	calls = flag.Int("calls", 300_000, "number of random calls")
)

// anySeed is the seed that was asked for, or any.
func anySeed() uint64 {
	if *seed != 0 {
		return *seed
	}
	return rand.Uint64N(1 << 32)
}

func openMemoryNow(t *testing.T) engine.Engine {
	e := memory.New(memory.Options{})
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// someCalls is a tenth of all under the race detector, which sees one goroutine in lockstep; make test has all of them without it.
func someCalls() int {
	if testing.Short() || testenv.Racing {
		return *calls / 10
	}
	return *calls
}

func TestRandomCallsOnMemoryAnswerAsOnRedis(t *testing.T) {
	Lockstep(t, openMemoryNow(t), testenv.Redis(t).Addr, anySeed(), someCalls())
}

func TestRandomScriptsOnMemoryAnswerAsOnRedis(t *testing.T) {
	LockstepInScripts(t, openMemoryNow(t), testenv.Redis(t).Addr, anySeed(), someCalls()/10)
}

// liar is an engine that thinks that APPEND overwrites.
type liar struct{ engine.Engine }

func (l liar) Do(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	lie := *b
	lie.Calls = slices.Clone(b.Calls)
	for i, call := range lie.Calls {
		if bytes.EqualFold(call[0], []byte("append")) && len(call) == 3 {
			lie.Calls[i] = engine.Call{[]byte("SETRANGE"), call[1], []byte("0"), call[2]}
		}
	}
	return l.Engine.Do(ctx, &lie, w)
}

func TestWrongEngineIsFoundOutAndTheProofIsShort(t *testing.T) {
	l := &lockstep{redis: &redisSide{addr: testenv.Redis(t).Addr}, engine: &engineSide{liar{openMemoryNow(t)}}}
	defer l.redis.close()
	_, short, err := l.search(1, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(short, "\n> ") + 1; n > 4 || !strings.Contains(strings.ToLower(short), "> append") {
		t.Errorf("the proof that APPEND is wrong has %d calls:\n%s", n, short)
	}
}

func TestUsageOfEveryCommandIsUnderstood(t *testing.T) {
	for _, row := range command.Commands.All() {
		for _, r := range append([]*command.Command{row}, row.Subs...) {
			if _, err := parseUsage(r.Usage); err != nil {
				t.Errorf("%s: %s: %v", r.FullName(), r.Usage, err)
			}
		}
	}
	for _, wrong := range []string{"[key", "<A | B", "key ]", "a [b [c]", "x | y", "key ..."} {
		if nodes, err := parseUsage(wrong); err == nil {
			t.Errorf("%q is understood as %v", wrong, nodes)
		}
	}
}

// TestEveryDataCommandIsDrawn fails for a command that was added with arguments that the grammar has no values for.
func TestEveryDataCommandIsDrawn(t *testing.T) {
	d, err := newDrawer(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range d.grammars {
		fits := 0
		for range 200 {
			words, err := d.callOf(g)
			if err != nil {
				t.Fatal(err)
			}
			if g.row.Fits(len(words)) {
				fits++
			}
		}
		if fits < 150 {
			t.Errorf("%s: only %d of 200 calls have the right number of arguments", g.row.FullName(), fits)
		}
	}
}

func TestSameSeedDrawsTheSameCalls(t *testing.T) {
	var rounds [2][]move
	for i := range rounds {
		d, err := newDrawer(7)
		if err != nil {
			t.Fatal(err)
		}
		if rounds[i], err = d.round(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range rounds[0] {
		if !slices.Equal(rounds[0][i].words, rounds[1][i].words) {
			t.Fatalf("call %d: %q and %q", i, rounds[0][i].words, rounds[1][i].words)
		}
	}
}
