package script

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/graph"
)

// Client is what programs run on: any client of go-redis, a *redbud.DB, a connection or transaction of one.
type Client interface {
	Process(ctx context.Context, cmd redis.Cmder) error
}

// Runner runs one program on one client. It is safe for concurrent use.
type Runner struct {
	p      *Program
	client Client
	way    atomic.Int32 // how the program gets there
}

// The ways in which programs get to an engine.
const (
	unknown  int32 = iota // it was not asked yet
	asGraph               // to an embedded engine
	asLua                 // to a Redis
	asOldLua              // to a Redis before 7.0, which has no EVALSHA_RO
)

// On returns what runs the program on a client. Keep it: its first run asks the engine what it takes.
func (p *Program) On(client Client) *Runner { return &Runner{p: p, client: client} }

// What a run gets.
type (
	// KeyNames are the keys of a run by the names in the program: a string or []byte, or for Keys a slice of strings.
	KeyNames map[string]any
	// ArgValues are the arguments of a run by their names in the program: values of Go that fit the types.
	ArgValues map[string]any
)

// Do runs the program once. An engine that does not know it yet gets it.
func (r *Runner) Do(ctx context.Context, keys KeyNames, args ArgValues) *Result {
	in, err := r.p.input(keys, args)
	if err != nil {
		return &Result{p: r.p, err: err}
	}
	return r.do(ctx, in)
}

func (r *Runner) do(ctx context.Context, in *input) *Result {
	for again := false; ; again = true {
		way, err := r.findOut(ctx)
		if err != nil {
			return &Result{p: r.p, err: err}
		}
		cmd := r.command(ctx, way, false, in)
		err = r.client.Process(ctx, r.sent(cmd))
		if replies(err, "NOSCRIPT") {
			cmd = r.command(ctx, way, true, in)
			err = r.client.Process(ctx, r.sent(cmd))
		}
		if !replies(err, unknownCommand) || again {
			return &Result{p: r.p, cmd: cmd}
		}
		r.way.Store(unknown) // the engine is another one now
	}
}

// Run is what one run of a program gets.
type Run struct {
	Keys KeyNames
	Args ArgValues
}

// DoMany is Do for several runs, each of them for itself, in one round trip. On a cluster the keys of a run are in one slot, as ever, and different runs
// have any. Engines that do not know the program yet get it, in a round trip more for each of them.
func (r *Runner) DoMany(ctx context.Context, runs ...Run) []*Result {
	results := make([]*Result, len(runs))
	client, ok := r.client.(interface{ Pipeline() redis.Pipeliner })
	if len(runs) < 2 || !ok {
		for i, run := range runs {
			results[i] = r.Do(ctx, run.Keys, run.Args)
		}
		return results
	}
	way, err := r.findOut(ctx)
	ins := make([]*input, len(runs))
	var left []int // to be sent
	for i, run := range runs {
		if results[i] = (&Result{p: r.p, err: err}); err == nil {
			ins[i], results[i].err = r.p.input(run.Keys, run.Args)
		}
		if results[i].err == nil {
			left = append(left, i)
		}
	}
	for whole := false; len(left) > 0; whole = true {
		pipe := client.Pipeline()
		for n, i := range left {
			results[i].cmd = r.command(ctx, way, whole && n == 0, ins[i]) // those after it find the program there
			results[i].err = pipe.Process(ctx, r.sent(results[i].cmd))
		}
		_, _ = pipe.Exec(ctx) // the commands have the errors
		left = slices.DeleteFunc(left, func(i int) bool { return !replies(results[i].cmd.Err(), "NOSCRIPT") })
	}
	for i, result := range results {
		if result.err == nil && replies(result.cmd.Err(), unknownCommand) {
			results[i] = r.do(ctx, ins[i])
		}
	}
	return results
}

// unknownCommand is how a reply begins when the engine is another one than it was.
const unknownCommand = "ERR unknown command"

// replies reports whether an error is a reply that begins so.
func replies(err error, prefix string) bool {
	var r redis.Error
	return errors.As(err, &r) && strings.HasPrefix(r.Error(), prefix)
}

// findOut returns how the program gets to the engine, which it asks unless that is known.
func (r *Runner) findOut(ctx context.Context) (way int32, err error) {
	if way = r.way.Load(); way != unknown {
		return way, nil
	}
	cmd := redis.NewSliceCmd(ctx, "COMMAND", "INFO", graphCommand, "EVALSHA_RO")
	if err := r.client.Process(ctx, cmd); err != nil && !errors.As(err, new(redis.Error)) {
		return unknown, err
	}
	way = asLua
	if infos := cmd.Val(); len(infos) == 2 {
		switch {
		case infos[0] != nil:
			way = asGraph
		case infos[1] == nil:
			way = asOldLua
		}
	}
	r.way.Store(way)
	return way, nil
}

// graphCommand runs a program on an embedded engine, by its digest.
const graphCommand = "REDBUD.EVALSHA"

// command makes the command that runs the program. whole: the program goes with it, instead of its digest.
func (r *Runner) command(ctx context.Context, way int32, whole bool, in *input) *redis.Cmd {
	name, c := "EVALSHA", &r.p.lua
	if way == asGraph {
		name, c = graphCommand, &r.p.graph
	}
	text := c.sha
	if whole {
		name, text = strings.TrimSuffix(name, "SHA"), c.text
	}
	if r.p.ReadOnly() && way != asOldLua {
		name += "_RO"
	}
	words := make([]any, 0, 3+len(in.keys)+len(in.args))
	words = append(words, name, text, len(in.keys))
	for _, k := range in.keys {
		words = append(words, k)
	}
	for _, a := range in.args {
		words = append(words, a)
	}
	cmd := redis.NewCmd(ctx, words...)
	if len(in.keys) > 0 {
		cmd.SetFirstKeyPos(3)
	}
	return cmd
}

// noRetry is a command that a client does not send again.
type noRetry struct{ redis.Cmder }

func (noRetry) NoRetry() bool { return true }

// sent is a command as the client gets it.
func (r *Runner) sent(cmd *redis.Cmd) redis.Cmder {
	if r.p.noRetry {
		return noRetry{cmd}
	}
	return cmd
}

// Queue adds a run to a pipeline or transaction, whose Exec gives the Result its value. The program itself travels with it, so that
// no engine can miss it. Input that does not fit is the Result's error, and nothing is added.
func (r *Runner) Queue(ctx context.Context, pipe redis.Pipeliner, keys KeyNames, args ArgValues) *Result {
	in, err := r.p.input(keys, args)
	if err != nil {
		return &Result{p: r.p, err: err}
	}
	way, err := r.findOut(ctx)
	if err != nil {
		return &Result{p: r.p, err: err}
	}
	cmd := r.command(ctx, way, true, in)
	if err := pipe.Process(ctx, r.sent(cmd)); err != nil {
		return &Result{p: r.p, err: err}
	}
	return &Result{p: r.p, cmd: cmd}
}

// ErrInput is the error of keys and arguments that the program does not have, of those that are missing, and of values that do not fit.
var ErrInput = errors.New("the input does not fit the program")

// input is what a run gets, in the order of the program.
type input struct{ keys, args []string }

func (p *Program) input(keys KeyNames, args ArgValues) (*input, error) {
	in := &input{}
	for _, k := range p.checked.Keys {
		names, err := keyNames(keys[k.Name], k.Many)
		if err != nil {
			return nil, p.misfit("key %s: %w", k.Name, err)
		}
		in.keys = append(in.keys, names...)
	}
	for i, a := range p.checked.Args {
		v, ok := args[a.Name]
		if !ok && !a.Type.Nullable() {
			return nil, p.misfit("argument %s is missing", a.Name)
		}
		words, err := encode(v, a.Type, p.checked.Rest(i))
		if err != nil {
			return nil, p.misfit("argument %s: %w", a.Name, err)
		}
		in.args = append(in.args, words...)
	}
	for name := range keys {
		if !has(p.checked.Keys, name, func(k graph.Key) string { return k.Name }) {
			return nil, p.misfit("there is no key %q", name)
		}
	}
	for name := range args {
		if !has(p.checked.Args, name, func(a graph.Arg) string { return a.Name }) {
			return nil, p.misfit("there is no argument %q", name)
		}
	}
	return in, nil
}

func has[T any](list []T, name string, of func(T) string) bool {
	for _, x := range list {
		if of(x) == name {
			return true
		}
	}
	return false
}

func (p *Program) misfit(format string, args ...any) error {
	return fmt.Errorf("script %s: %w: %w", p.Name(), ErrInput, fmt.Errorf(format, args...))
}

// keyNames are the names that a value of KeyNames stands for.
func keyNames(v any, many bool) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, errors.New("it is missing")
	case string:
		if !many {
			return []string{v}, nil
		}
	case []byte:
		if !many {
			return []string{string(v)}, nil
		}
	case []string:
		if many {
			return v, nil
		}
	}
	if many {
		return nil, fmt.Errorf("a %T where a []string is wanted", v)
	}
	return nil, fmt.Errorf("a %T where a string is wanted", v)
}
