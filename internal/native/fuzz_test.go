package native

import (
	"testing"

	"github.com/redbud-go/redbud/internal/graph"
	"github.com/redbud-go/redbud/internal/resp"
)

// FuzzProgram runs whatever passes for a program. It may fail, and must neither panic nor go on for ever, and reply once.
func FuzzProgram(f *testing.F) {
	for _, cases := range functionCases {
		for _, c := range cases {
			f.Add(graph.Encode(&graph.Program{Body: block(returns(c.e))}), ":1\r\n", "1")
		}
	}
	for _, shape := range []graph.Shape{graph.ReplyAny, graph.ReplyEntries, graph.ReplyScored} {
		f.Add(graph.Encode(&graph.Program{
			Keys: []graph.Key{{Name: "k"}}, Args: []graph.Arg{{Name: "a", Type: graph.ListOf(graph.Of(graph.Int))}}, Vars: []graph.Var{{Name: "l"}, {Name: "e"}}, Traced: true,
			Body: block(on(graph.OpVarDef, 0, arg(0)), each(-1, 1, variable(0), block(on(graph.OpAppend, 0, variable(1)))), returns(call("X", shape, key(0), variable(1)))),
		}), shapeCases[shape][0][0], "[1,2]")
	}
	f.Fuzz(func(t *testing.T, wire []byte, reply, argument string) {
		g, err := graph.Decode(wire)
		if err != nil {
			return
		}
		g.Steps = 100
		checked, problems := graph.Check(g)
		if len(problems) > 0 {
			return
		}
		p := Compile(checked)
		h := &fake{p: p, replies: map[string]string{}, ends: 100}
		for _, name := range p.Commands {
			h.replies[name] = reply
		}
		keys, args := make([][]byte, len(g.Keys)), make([][]byte, len(g.Args))
		for i := range args {
			args[i] = []byte(argument)
		}
		w := &resp.Writer{}
		p.Run(h, keys, args, w)
		if _, rest, err := resp.DecodeValue(w.Buf); err != nil || len(rest) > 0 {
			t.Errorf("the reply is %q: %v", w.Buf, err)
		}
	})
}
