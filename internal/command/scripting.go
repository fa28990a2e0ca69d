package command

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/lua"
	"github.com/redbud-go/redbud/internal/resp"
)

// scripting is the server that a script runs in: it runs what the script calls in the transaction of the script's own call.
type scripting struct {
	c   *Ctx
	run *running
	w   resp.Writer // the reply to what the script has called last
	err error       // a failure: the engine cannot say what happened

	refusal []byte // the last that the script got for a call

	program *program          // that runs; nil: a script in Lua does
	tx      keyspace.Releaser // of the calls; nil: it keeps nothing
	strict  bool              // each call of the program may be refused
	wrote   bool              // run.wrote
	called  []int64           // how often each of the program's commands was, and nobody counted it
	known   bool              // others know that it runs

	readOnly bool // it may call nothing that writes,
	short    bool // or that takes memory, unless it has written already
	db       int  // when it began
	own      engine.Call
}

var _ lua.Host = (*scripting)(nil)

const (
	errUnknownInScript = Refusal("ERR Unknown Redis command called from script")
	errArityInScript   = Refusal("ERR Wrong number of args calling Redis command from script")
	errNotInScript     = Refusal("ERR This Redis command is not allowed from script")
	errReadOnlyScript  = Refusal("ERR Write commands are not allowed from read-only scripts.")
	errKilled          = Refusal("Script killed by user with SCRIPT KILL...")
	errKilledFunction  = Refusal("Script killed by user with FUNCTION KILL...")
)

// scripting returns what a script runs in that has said so much of itself. lenient: it has said nothing.
func (c *Ctx) scripting(flags lua.Flags, lenient bool) (*scripting, error) {
	readOnly := c.readOnlyScripts()
	if !lenient {
		switch {
		case c.lonely && flags&lua.NoWrites == 0:
			return nil, errNoReplicas
		case c.short && flags&(lua.AllowOOM|lua.NoWrites) == 0:
			return nil, ErrOutOfMemory
		case readOnly && flags&lua.NoWrites == 0:
			return nil, Refusal("ERR Can not execute a script with write flag using *_ro command.")
		}
		readOnly = readOnly || flags&lua.NoWrites != 0
	}
	s := c.script
	if s == nil {
		s = &scripting{c: c}
		c.script = s
	}
	s.program, s.readOnly, s.short, s.err, s.refusal = nil, readOnly, c.short && flags&lua.AllowOOM == 0, nil, s.refusal[:0]
	return s, nil
}

// execute runs a script; function is its name, "" for one of EVAL.
func (s *scripting) execute(function string, run func()) error {
	mark := s.c.W.Len()
	s.begin(function)
	defer s.leave() // after a panic too: nobody must be told for ever that a script takes too long
	run()
	return s.end(mark)
}

// begin is called just before the script runs.
func (s *scripting) begin(function string) {
	if s.run == nil {
		s.run = &running{}
	}
	s.db, s.own, s.known = s.c.DB, s.c.Args, false
	s.run.function = function
	s.tx, _ = s.c.Tx.(keyspace.Releaser)
	s.run.wrote.Store(false)
	if s.c.Session != nil {
		s.c.Session.Scripted(s.c.Args, true)
	}
	if s.program == nil {
		s.announce()
	}
}

// announce lets others know that the script runs, and notes how long it does. Most programs end sooner than that takes, so they do it
// when they are asked whether to go on.
func (s *scripting) announce() {
	e := s.c.Engine
	s.known = true
	s.run.call, s.run.since = s.own, e.now()
	e.busy.begin(s.run, time.Duration(e.Settings.Int("busy-reply-threshold"))*time.Millisecond)
}

// end is called when the script has run, whose reply begins at mark.
func (s *scripting) end(mark int) error {
	s.countError(mark)
	if cap(s.w.Buf) > maxScratch {
		s.w.Buf = nil
	}
	if s.c.DB != s.db { // what a script selects concerns itself alone
		s.c.DB = s.db
		if err := s.c.Tx.Select(s.db); err != nil {
			return err
		}
	}
	return s.err
}

// leave notes that no script runs any more.
func (s *scripting) leave() {
	s.own, s.tx = nil, nil
	if !s.known {
		return
	}
	if !s.c.Engine.busy.end(s.run) {
		s.run = nil // its alarm may still come
	} else {
		s.run.call = nil
	}
}

// Call implements lua.Host.
func (s *scripting) Call(args [][]byte, proto int) []byte {
	return s.answer(Commands.Row(args), args, proto)
}

// answer runs a call by its row and returns its reply.
func (s *scripting) answer(row *Command, args [][]byte, proto int) []byte {
	c := s.c
	s.w.Buf, s.w.Proto = s.w.Buf[:0], proto
	outer, call, own, blockable, counts := c.W, c.Args, c.Row, c.blockable, c.looks.Counts
	c.W, c.blockable, c.inScript = &s.w, false, true
	if s.err == nil { // a script that has caught a failure must do no more
		s.err = s.call(row, args)
	}
	if s.err != nil {
		s.w.Buf = s.w.Buf[:0]
		s.w.Error("ERR " + s.err.Error())
	}
	c.W, c.Args, c.Row, c.blockable, c.looks.Counts, c.inScript = outer, call, own, blockable, counts, false
	return s.w.Buf
}

// call runs a call and leaves its reply in w. An error is a failure.
func (s *scripting) call(row *Command, call engine.Call) error {
	c := s.c
	if err := s.allows(row, call); err != nil {
		c.Engine.Info.refused(row, err.Error(), true)
		s.w.Error(err.Error())
		s.refused()
		return nil
	}
	if row.Flags&Write != 0 && !s.run.wrote.Load() {
		s.run.wrote.Store(true)
	}
	if c.Session != nil {
		c.Session.Scripted(call, false)
	}
	var err error
	if row.Flags&Session != 0 {
		err = s.selectDB(call)
	} else {
		c.Args, c.Row, c.looks.Counts = call, row, row.reads
		err = c.run()
		if s.tx != nil {
			s.tx.Release()
		}
	}
	c.Engine.Info.rows[row.index].calls.Add(1)
	err = c.Engine.refuse(c, row, 0, err, false)
	s.refused()
	return err
}

// refused notes the reply to a call if it is a refusal.
func (s *scripting) refused() {
	if len(s.w.Buf) > 0 && s.w.Buf[0] == '-' {
		s.refusal = append(s.refusal[:0], bytes.TrimSuffix(s.w.Buf, []byte("\r\n"))...)
	}
}

// countError counts the reply of the script if it is an error: that of a call, which it passes on, has been counted already.
func (s *scripting) countError(mark int) {
	text, ok := errorReply(s.c.W.Buf[mark:])
	if !ok {
		return
	}
	info := s.c.Engine.Info
	if len(s.refusal) > 0 && strings.HasPrefix(text, string(s.refusal[1:])) {
		info.rows[s.c.Row.index].failed.Add(1)
		return
	}
	info.refused(s.c.Row, text, false)
}

// allows refuses what a script must not call, in the order of Redis's checks.
func (s *scripting) allows(row *Command, call engine.Call) error {
	switch {
	case row == nil:
		return errUnknownInScript
	case !row.Fits(len(call)) || row.Subs != nil:
		return errArityInScript
	case row.Flags&NoScript != 0 && !row.underDebug(s.c.Engine) || row.Flags&Session != 0 && row.Name != "select":
		return errNotInScript
	}
	if s.c.Session != nil {
		if text := s.c.Session.Refuses(call, true); text != "" {
			return Refusal(text)
		}
	}
	switch {
	case s.readOnly && row.Flags&(Write|MayReplicate) != 0:
		return errReadOnlyScript
	case s.c.lonely && row.Flags&Write != 0 && !s.run.wrote.Load():
		return errNoReplicas
	case s.short && row.Flags&DenyOOM != 0 && !s.run.wrote.Load():
		return ErrOutOfMemory
	}
	return nil
}

// selectDB is SELECT for the rest of the script.
func (s *scripting) selectDB(call engine.Call) error {
	n, ok := parseInt(call[1])
	switch {
	case !ok:
		return ErrNotInteger
	case n < 0 || n >= keyspace.Databases:
		return Refusal("ERR DB index is out of range")
	}
	s.c.DB = int(n)
	s.c.W.OK()
	return s.c.Tx.Select(s.c.DB)
}

// Check implements lua.Host.
func (s *scripting) Check() error {
	switch {
	case s.err != nil:
		return s.err
	case s.run.killed.Load() && s.run.function != "":
		return errKilledFunction
	case s.run.killed.Load():
		return errKilled
	case s.c.ctx.Err() != nil && !s.run.wrote.Load(): // half of what it does must not stay
		s.err = context.Cause(s.c.ctx)
		return s.err
	}
	return nil
}

// May implements lua.Host.
func (s *scripting) May(args [][]byte) (bool, error) {
	row := Commands.Row(args)
	if row == nil {
		return false, Refusal("ERR Invalid command passed to redis.acl_check_cmd()")
	}
	if !row.Fits(len(args)) { // nobody asks how long it is
		return true, nil
	}
	return s.c.Session == nil || s.c.Session.Refuses(args, false) == "", nil
}

// levels are those of redis.log.
var levels = []slog.Level{slog.LevelDebug, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn}

// Log implements lua.Host.
func (s *scripting) Log(level int, text string) { s.c.Engine.logScript(level, text) }

func (e *Engine) logScript(level int, text string) {
	e.log.Log(context.Background(), levels[min(max(level, 0), len(levels)-1)], text)
}
