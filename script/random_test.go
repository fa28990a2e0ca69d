package script

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/internal/graph"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

var programs = flag.Int("programs", 10_000, "number of random programs")

// side is one of the two engines that run the same programs.
type side struct {
	db  *redbud.DB
	way int32
}

// outcome is what can be told of a run.
type outcome struct {
	value  any
	err    string // the kind and text of its error
	steps  []Step
	digest string // of all keys
	left   []string
}

func (o *outcome) String() string {
	return fmt.Sprintf("%s %#v\nkeys %s %q\n%v", o.err, o.value, o.digest, o.left, o.steps)
}

// run runs a sample on keys that nothing else is at.
func (s *side) run(ctx context.Context, c *sample) (*outcome, error) {
	o := &outcome{}
	r := c.program.On(s.db)
	r.way.Store(s.way)
	pipe := s.db.Pipeline()
	filled := []*redis.Cmd{pipe.Do(ctx, "FLUSHALL")}
	for _, words := range c.fill {
		filled = append(filled, pipe.Do(ctx, words...))
	}
	var result *Result
	if c.traced {
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, err
		}
		o.steps, result = r.Trace(ctx, c.keys, c.args)
	} else if result = r.Queue(ctx, pipe, c.keys, c.args); result.cmd == nil {
		return nil, result.err
	}
	digest := pipe.Do(ctx, "DEBUG", "DIGEST")
	var left []*redis.Cmd
	for _, key := range c.names() {
		left = append(left, pipe.Do(ctx, "PEXPIRETIME", key))
		if strings.HasPrefix(key, "stream") {
			left = append(left, pipe.Do(ctx, "XPENDING", key, "g"))
		}
	}
	_, err := pipe.Exec(ctx)
	for _, cmd := range append(filled, digest) {
		if cmd.Err() != nil {
			return nil, errors.Join(err, cmd.Err())
		}
	}
	o.digest = digest.String()
	for _, cmd := range left {
		o.left = append(o.left, seconds(cmd))
	}
	o.value, err = result.Value()
	o.err, err = told(err)
	return o, err
}

// bare drops from a text what the names of keys end in: Redis ends some texts at NUL.
func bare(text string) string {
	return strings.ReplaceAll(text, keyEnd, "")
}

// seconds is a reply; a time that something is gone at without what depends on when the run was.
func seconds(cmd *redis.Cmd) string {
	if at, ok := cmd.Val().(int64); ok && at > 0 && at < someTime-1 {
		return strconv.FormatInt((at-time.Now().UnixMilli()+30_000)/60_000, 10) + " min"
	}
	return bare(fmt.Sprint(cmd.Val(), cmd.Err()))
}

// told is what an error of a run tells.
func told(err error) (string, error) {
	var e *Error
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &e):
		return string(e.Kind) + ": " + bare(e.Text), nil
	}
	return "", err
}

// names are the keys of the sample.
func (s *sample) names() (all []string) {
	for _, k := range s.program.checked.Keys {
		names, _ := keyNames(s.keys[k.Name], k.Many)
		all = append(all, names...)
	}
	return all
}

// compare runs a sample on both sides and returns how they differ; "" if they do not.
func compare(ctx context.Context, memory, server *side, c *sample) (difference string, got *outcome, err error) {
	type end struct {
		o   *outcome
		err error
	}
	ended := make(chan end, 1)
	go func() {
		o, err := server.run(ctx, c)
		ended <- end{o, err}
	}()
	got, err = memory.run(ctx, c)
	wanted := <-ended
	if err = errors.Join(err, wanted.err); err != nil {
		return "", nil, err
	}
	if !reflect.DeepEqual(got, wanted.o) {
		return fmt.Sprintf("redis-server:\n%s\n\nmemory:\n%s", wanted.o, got), got, nil
	}
	return "", got, nil
}

func TestRandomProgramsDoTheSameOnMemoryAndOnRedis(t *testing.T) {
	ctx := context.Background()
	quiet(t)
	memory := &side{kittest.Open(t, "memory://"), asGraph}
	server := &side{kittest.Open(t, testenv.Redis(t, "--loglevel", "warning").URL()), asLua}
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	defer checks.Value.Set(before)
	n := *programs
	if testenv.Racing { // it sees little, as the engines take turns; make test has all of them without it
		n /= 10
	}
	checks.Value.Set(strconv.Itoa(n))

	drawn, runs, failed := map[string]int{}, 0, map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		c := samples.Draw(rt, "sample")
		if runs++; runs%1000 == 0 { // both keep every program
			if err := errors.Join(memory.db.ScriptFlush(ctx).Err(), server.db.ScriptFlush(ctx).Err()); err != nil {
				rt.Fatal(err)
			}
		}
		difference, got, err := compare(ctx, memory, server, c)
		if err != nil {
			rt.Fatal(err)
		}
		if difference != "" {
			rt.Fatalf("%s", difference)
		}
		if kind, _, ok := strings.Cut(got.err, ":"); ok {
			failed[kind]++
		}
		count(c.program.checked.Body, drawn)
		for name := range c.calls {
			drawn["call "+name]++
		}
		if c.traced {
			drawn["trace"]++
		}
		if c.program.ReadOnly() {
			drawn["read-only"]++
		}
	})
	t.Log(runs, failed)
	if runs < 2000 { // too few to have everything
		return
	}
	share := 0
	for _, n := range failed {
		share += n
	}
	if share < runs/10 || share > runs/3 {
		t.Errorf("of %d runs %d failed", runs, share)
	}
	for _, name := range all() {
		if drawn[name] == 0 {
			t.Errorf("no program has %s", name)
		}
	}
}

// quiet keeps what programs log out of the test's log.
func quiet(t testing.TB) {
	logger, w, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		slog.SetDefault(logger)
		log.SetOutput(w)
		log.SetFlags(flags)
	})
}

// count counts what a program has.
func count(n *graph.Node, drawn map[string]int) {
	drawn["op "+n.Op.String()]++
	switch n.Op {
	case graph.OpFunc:
		drawn["function "+n.Text]++
	case graph.OpCall:
		drawn["shape "+strconv.Itoa(int(n.Shape))]++
	}
	for _, kid := range n.Kids {
		count(kid, drawn)
	}
}

// all is what programs are made of.
func all() (names []string) {
	for op := graph.Op(1); op.String() != "unknown"; op++ {
		if op != graph.OpInvalid && op != graph.OpTrace {
			names = append(names, "op "+op.String())
		}
	}
	for name := range graph.Functions {
		names = append(names, "function "+name)
	}
	for shape := range graph.ReplyType + 1 {
		names = append(names, "shape "+strconv.Itoa(int(shape)))
	}
	for _, c := range commands {
		names = append(names, "call "+c.name)
	}
	return append(names, "trace", "read-only")
}

func TestEveryCommandOfAKeyIsDrawn(t *testing.T) {
	known := map[string]bool{"Key.Name": true} // is no command
	for _, c := range commands {
		known[c.name] = true
	}
	ofKey := map[string]bool{}
	for _, k := range []any{Key{}, Var{}, List{}, Hash{}, Set{}, SortedSet{}, Stream{}} {
		typ := reflect.TypeOf(k)
		for m := range typ.Methods() {
			name := typ.Name() + "." + m.Name
			if !ofKey[m.Name] && !known[name] && m.Type.Out(0) == reflect.TypeFor[Expr]() {
				t.Errorf("no program has %s", name)
			}
			if typ == reflect.TypeFor[Key]() {
				ofKey[m.Name] = true
			}
		}
	}
}
