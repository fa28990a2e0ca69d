package native

import (
	"slices"

	"github.com/redbud-go/redbud/internal/graph"
)

// word appends a word to the command that is being put together.
type word func(*frame)

func (c *compiler) call(n *graph.Node) expr {
	send := c.send(n)
	switch shape := n.Shape; shape {
	case graph.ReplyInt:
		return intExpr(func(f *frame) int64 { return within(integerReply(send(f))) })
	case graph.ReplyCounter:
		return intExpr(func(f *frame) int64 { return integerReply(send(f)) })
	case graph.ReplyBool:
		return boolExpr(func(f *frame) bool { return boolReply(send(f)) })
	case graph.ReplyFloat:
		return floatExpr(func(f *frame) float64 { return floatReply(send(f)) })
	case graph.ReplyString:
		return textExpr(func(f *frame) []byte { return must(f.textReply(send(f))) })
	case graph.ReplyMaybeString:
		return textExpr(func(f *frame) []byte { return f.textReply(send(f)) })
	case graph.ReplyType:
		return textExpr(func(f *frame) []byte {
			s := must(f.textReply(send(f)))
			if string(s) == "none" {
				return nil
			}
			return s
		})
	default:
		read := shapes[shape]
		return unboxed(func(f *frame) value {
			r := reader{send(f)}
			return read(f, &r)
		}, n.Type)
	}
}

// send compiles that a command is put together and run; what it gives is the reply.
func (c *compiler) send(n *graph.Node) of[[]byte] {
	i, ok := c.commands[n.Text]
	if !ok {
		i = len(c.out.Commands)
		c.commands[n.Text] = i
		c.out.Commands = append(c.out.Commands, n.Text)
	}
	name := []byte(n.Text)
	var words []word
	spread := false
	for _, kid := range n.Kids {
		words = append(words, c.word(kid))
		spread = spread || kid.Op == graph.OpSpread
	}
	spread = spread || len(words) >= graph.MaxWords
	return func(f *frame) []byte {
		mark, spelled := len(f.words), len(f.spelled)
		f.words = append(f.words, name)
		for _, w := range words {
			w(f)
		}
		call := f.words[mark:]
		if spread && len(call) > graph.MaxWords {
			panic(fail(graph.ErrWords))
		}
		reply := f.host.Call(i, call)
		f.words, f.spelled = f.words[:mark], f.spelled[:spelled]
		if len(reply) == 0 || reply[0] == '-' {
			panic(refused(reply))
		}
		return reply
	}
}

// refused is the failure by what a command was refused with.
func refused(reply []byte) *failure {
	if len(reply) < len("-\r\n") {
		return fail(graph.ErrReply)
	}
	return &failure{string(reply[1 : len(reply)-2])}
}

func (c *compiler) word(n *graph.Node) word {
	if n.Op == graph.OpSpread {
		v := c.expr(n.Kids[0]).boxed()
		return func(f *frame) {
			l := v(f).list()
			f.words = slices.Grow(f.words, min(len(l), graph.MaxWords))
			for i, e := range l {
				if i == graph.MaxWords {
					panic(fail(graph.ErrWords))
				}
				f.addWord(e)
			}
		}
	}
	e := c.expr(n)
	switch i := n.N; {
	case n.Op == graph.OpKey:
		return func(f *frame) { f.words = append(f.words, f.keys[i]) }
	case n.Op == graph.OpVar && e.rep == asText && !n.Type.Opt:
		i = c.vars[i].i
		return func(f *frame) { f.words = append(f.words, f.texts[i]) }
	case e.rep == asInt:
		return func(f *frame) {
			n := e.int(f)
			mark := len(f.spelled)
			f.spelled = appendInt(f.spelled, n)
			f.words = append(f.words, f.spelled[mark:])
		}
	case e.rep == asText && !n.Type.Opt:
		return func(f *frame) {
			s := e.text(f)
			f.words = append(f.words, s)
		}
	}
	v := e.boxed()
	return func(f *frame) { f.addWord(v(f)) }
}

// addWord adds a value as a word.
func (f *frame) addWord(v value) {
	switch v.kind {
	case text:
		f.words = append(f.words, v.s)
	case integer, real:
		mark := len(f.spelled)
		f.spelled = v.appendText(f.spelled, "")
		f.words = append(f.words, f.spelled[mark:])
	default:
		panic(unlike(v, "a word of a command"))
	}
}
