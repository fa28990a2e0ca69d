package namespace_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/engine/enginetest"
	"github.com/redbud-go/redbud/internal/namespace"
	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/testenv"
)

func openURL(t *testing.T, url string) engine.Engine {
	e, err := engine.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, e)
	return e
}

// loose makes no transactions, of which a Redis runs nothing if one call is wrong.
type loose struct{ engine.Engine }

func (l loose) Do(ctx context.Context, b *engine.Batch, w *resp.Writer) error {
	apart := *b
	apart.Atomic = false
	return l.Engine.Do(ctx, &apart, w)
}

func TestRandomCallsInANamespaceOfARedisAnswerAsOnMemory(t *testing.T) {
	e := openURL(t, testenv.Redis(t).URL())
	expect(t, e, "SET other v", "OK")
	seed := rand.Uint64N(1 << 32)
	proof, err := enginetest.Compare(loose{namespace.New(e, strange)}, newMemory(t), seed, 20_000, append(waiting(), "swapdb", "flushall", "sort", "sort_ro")...)
	if err != nil || proof != "" {
		t.Errorf("seed %d: %v\n%s", seed, err, proof)
	}
	expect(t, e, "GET other", `"v"`)
}

// waiting are the commands that wait, unless they are in a transaction.
func waiting() (names []string) {
	command.Commands.Each(func(row *command.Command) {
		if row.Flags&command.Blocking != 0 {
			names = append(names, row.FullName())
		}
	})
	return names
}

func TestATransactionOnARedisSeesTheNamespaceAlone(t *testing.T) {
	for name, url := range map[string]string{"redis": testenv.Redis(t).URL(), "cluster": testenv.Cluster(t).URL()} {
		t.Run(name, func(t *testing.T) {
			e := openURL(t, url)
			a := namespace.New(e, "a:{x}")
			ask(t, e, "SET other v", "SET a:{x}old v")
			got, err := transaction(t, a, "SET k v; DBSIZE; FLUSHDB; RANDOMKEY; SET k w; RANDOMKEY; SWAPDB 0 1; FLUSHDB x; EXISTS k")
			want := "+OK :2 +OK $-1 +OK $1 k -ERR 'swapdb' concerns keys of others and cannot run in a namespace -ERR syntax error :1"
			if err != nil || got != want {
				t.Errorf("got  %s, %v\nwant %s", got, err, want)
			}
			expect(t, e, "GET other", `"v"`)
			expect(t, a, "KEYS *", `1) "k"`)
		})
	}
}

func TestWhatARedisTellsIsHeardInTheNamespacesNames(t *testing.T) {
	e := openURL(t, testenv.Redis(t, "--notify-keyspace-events", "AKE").URL())
	a := namespace.New(e, strange)
	var heard ear
	l := a.Listen(heard.hear)
	defer l.Close()
	if err := l.Subscribe(t.Context(), engine.Pattern, names("__key*__:*")...); err != nil {
		t.Fatal(err)
	}
	if err := l.Subscribe(t.Context(), engine.Shard, names("part")...); err != nil {
		t.Fatal(err)
	}
	if err := l.Subscribe(t.Context(), engine.Changes); err != nil {
		t.Fatal(err)
	}
	ask(t, e, "SET other v", "SPUBLISH part x")
	ask(t, a, "SET k v", "SPUBLISH part y")
	want := []string{`changes ["k"]`, "pattern __key*__:* __keyevent@0__:set k", "pattern __key*__:* __keyspace@0__:k set", "shard part part y"}
	var got []string
	for end := time.Now().Add(10 * time.Second); len(got) < len(want) && time.Now().Before(end); time.Sleep(time.Millisecond) {
		got = append(got, heard.all()...)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("heard\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
