package script

import (
	"context"
	"fmt"
	"strings"

	"github.com/redbud-go/redbud/internal/graph"
)

// Step is one thing that a traced run did.
type Step struct {
	Place string // in the Go code, "file.go:12"
	What  string // "value =", "while", "do LPUSH", "return", …
	Value any    // as Result.Value has it
}

// String is a line for people.
func (s Step) String() string {
	text, err := graph.AppendJSON(nil, s.Value)
	if err != nil {
		text = []byte(err.Error())
	}
	return fmt.Sprintf("%s: %s %s", s.Place, s.What, text)
}

// Trace is Do, and tells what the run did, step by step: each value that a variable got, each condition, each Do, and the result. It
// has at most 10,000 steps, and those up to an error. The program is another one to the engine, which is larger and slower.
func (r *Runner) Trace(ctx context.Context, keys KeyNames, args ArgValues) ([]Step, *Result) {
	in, err := r.p.input(keys, args)
	if err != nil {
		return nil, &Result{p: r.p, err: err}
	}
	traced := r.p.tracing()
	run := traced.On(r.client).do(ctx, in)
	if run.err != nil {
		return nil, run
	}
	reply, err := run.cmd.Slice()
	if err != nil {
		return nil, &Result{p: r.p, err: r.p.failed(err)}
	}
	steps, ok := traced.steps(reply)
	if !ok {
		return nil, &Result{p: r.p, err: fmt.Errorf("script %s: %v is no reply of a traced program", r.p.Name(), reply)}
	}
	if reply[1] == int64(1) {
		return steps, &Result{p: r.p, reply: reply[2]}
	}
	text, _ := reply[2].(string)
	return steps, &Result{p: r.p, err: r.p.errorOf(text, nil)}
}

// steps reads the reply of a traced program. ok is false if it is none.
func (p *Program) steps(reply []any) (steps []Step, ok bool) {
	if len(reply) != 3 {
		return nil, false
	}
	text, _ := reply[0].(string)
	records, err := graph.ParseTrace([]byte(text))
	list, ok := records.([]any)
	if err != nil || !ok {
		return nil, false
	}
	for _, record := range list {
		pair, _ := record.([]any)
		if len(pair) != 2 {
			return nil, false
		}
		i, ok := pair[0].(int64)
		if !ok || i < 0 || i >= int64(len(p.checked.Traces)) {
			return nil, false
		}
		n := p.checked.Traces[i]
		steps = append(steps, Step{n.Place, p.what(n), pair[1]})
	}
	return steps, true
}

// what says what a statement does.
func (p *Program) what(n *graph.Node) string {
	switch n.Op {
	case graph.OpVarDef, graph.OpAssign:
		return p.checked.Vars[n.N].Name + " ="
	case graph.OpSetAt, graph.OpSetKey, graph.OpAppend, graph.OpRemove:
		return n.Op.String() + " " + p.checked.Vars[n.N].Name
	case graph.OpDo:
		return strings.TrimSpace("do " + n.Kids[0].Text)
	}
	return n.Op.String()
}
