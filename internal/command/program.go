// Portable scripts: REDBUD.EVAL and its kin run programs of package graph, as EVAL and its kin run Lua. They are kept by the SHA1 of
// their wire form beside the scripts in Lua, by the same rules.
package command

import (
	"github.com/redbud-go/redbud/internal/graph"
	"github.com/redbud-go/redbud/internal/lua"
	"github.com/redbud-go/redbud/internal/native"
)

var programCommands = []*Command{
	{Name: "redbud.eval", Arity: -3, Flags: scriptFlags | MayReplicate, Keys: scriptKeys, Group: "scripting", Since: "1.0.0",
		Usage: "graph numkeys [key [key ...]] [arg [arg ...]]", Doc: "Executes a portable script.", Run: evalProgram},
	{Name: "redbud.eval_ro", Arity: -3, Flags: scriptFlags | ReadOnly, Keys: scriptKeys, Group: "scripting", Since: "1.0.0",
		Usage: "graph numkeys [key [key ...]] [arg [arg ...]]", Doc: "Executes a read-only portable script.", Run: evalProgram},
	{Name: "redbud.evalsha", Arity: -3, Flags: scriptFlags | MayReplicate, Keys: scriptKeys, Group: "scripting", Since: "1.0.0",
		Usage: "sha1 numkeys [key [key ...]] [arg [arg ...]]", Doc: "Executes a portable script by its SHA1 digest.", Run: evalProgramSHA},
	{Name: "redbud.evalsha_ro", Arity: -3, Flags: scriptFlags | ReadOnly, Keys: scriptKeys, Group: "scripting", Since: "1.0.0",
		Usage: "sha1 numkeys [key [key ...]] [arg [arg ...]]", Doc: "Executes a read-only portable script by its SHA1 digest.", Run: evalProgramSHA},
}

// program is a portable script that is ready to run.
type program struct {
	*native.Program
	rows  []*Command // of its commands; nil: there is none
	plain []bool     // whether scripts may call them, whatever the words are
	zeros []int64    // as many
}

// compileProgram makes a program of its wire form. Its commands stand in the table.
func compileProgram(wire []byte, table *Table) (*program, error) {
	g, err := graph.Decode(wire)
	if err != nil {
		return nil, Refusal("ERR " + err.Error())
	}
	checked, problems := graph.Check(g)
	if len(problems) > 0 {
		return nil, Refusal("ERR " + problems[0].Text)
	}
	p := &program{Program: native.Compile(checked)}
	for _, name := range p.Commands {
		row := table.Lookup([]byte(name))
		p.rows = append(p.rows, row)
		p.plain = append(p.plain, row != nil && row.Run != nil && row.Flags&(NoScript|Session) == 0)
		p.zeros = append(p.zeros, 0)
	}
	return p, nil
}

func evalProgram(c *Ctx) error {
	k, keys, args, err := c.brought(true)
	if err != nil {
		return err
	}
	return c.runProgram(k.program, keys, args)
}

func evalProgramSHA(c *Ctx) error {
	k, keys, args, err := c.known(true)
	if err != nil {
		return err
	}
	return c.runProgram(k.program, keys, args)
}

// flags are what a program says of itself, as scripts in Lua do.
func (p *program) flags() lua.Flags {
	if p.ReadOnly {
		return lua.NoWrites
	}
	return 0
}

func (c *Ctx) runProgram(p *program, keys, args [][]byte) error {
	s, err := c.scripting(p.flags(), !p.ReadOnly && !c.readOnlyScripts())
	if err != nil {
		return err
	}
	s.program = p
	return s.execute("", func() {
		w, row, blockable, counts := c.W, c.Row, c.blockable, c.looks.Counts
		s.beginCalls()
		p.Run((*programHost)(s), keys, args, w)
		s.endCalls()
		c.W, c.Args, c.Row, c.blockable, c.looks.Counts, c.inScript = w, s.own, row, blockable, counts, false
	})
}

// beginCalls finds out what is the same for all calls of a program.
func (s *scripting) beginCalls() {
	c := s.c
	c.W, c.blockable, c.inScript = &s.w, false, true
	s.w.Proto, s.wrote = 2, false
	s.strict = c.Session != nil || s.readOnly || s.short || c.lonely
	s.called = append(s.called[:0], s.program.zeros...)
}

// endCalls counts the calls that nobody has counted.
func (s *scripting) endCalls() {
	for i, n := range s.called {
		if n > 0 {
			s.c.Engine.Info.rows[s.program.rows[i].index].calls.Add(n)
		}
	}
}

// programHost is the server that a program runs in.
type programHost scripting

var _ native.Host = (*programHost)(nil)

// Call implements native.Host.
func (h *programHost) Call(i int, words [][]byte) []byte {
	s, row := (*scripting)(h), h.program.rows[i]
	if s.strict || !h.program.plain[i] || !row.Fits(len(words)) {
		return s.answer(row.of(words), words, 2)
	}
	// Nothing else can be in the way of it. A call of a script in a loop takes a tenth of a microsecond, so each look at something counts.
	c := s.c
	if !s.wrote && row.Flags&Write != 0 {
		s.wrote = true
		s.run.wrote.Store(true)
	}
	s.called[i]++
	s.w.Buf = s.w.Buf[:0]
	c.Args, c.Row, c.looks.Counts = words, row, row.reads
	if err := c.run(); err != nil {
		if s.err = c.Engine.refuse(c, row, 0, err, false); s.err != nil {
			s.w.Buf = s.w.Buf[:0]
			s.w.Error("ERR " + s.err.Error())
		}
	}
	if s.tx != nil {
		s.tx.Release()
	}
	if len(s.w.Buf) > 0 && s.w.Buf[0] == '-' {
		s.refused()
	}
	return s.w.Buf
}

// Check implements native.Host. A program that is asked for the first time has run for a while: from here on, others know of it.
func (h *programHost) Check() error {
	s := (*scripting)(h)
	if !s.known {
		s.announce()
	}
	return s.Check()
}

// Log implements native.Host.
func (h *programHost) Log(level int, text string) { (*scripting)(h).Log(level, text) }

// Now implements native.Host.
func (h *programHost) Now() int64 { return h.c.Now }
