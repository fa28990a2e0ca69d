// Package native runs portable scripts on embedded engines: it compiles a program that graph.Check returned into closures of Go, typed
// as the program is, and runs them. It knows no commands: what a script calls goes to its Host, as words in and a RESP2 reply out.
package native

import (
	"strings"
	"sync"

	"github.com/redbud-go/redbud/internal/graph"
	"github.com/redbud-go/redbud/internal/resp"
)

// Host is the server that a script runs in. It is used by one run at a time.
type Host interface {
	// Call runs the command of Program.Commands[i] and returns its reply in RESP2. The words, of which the first is the name, are borrowed
	// until it returns, the reply until the next Call. A refusal is an error reply ("-ERR …\r\n"), which ends the script.
	Call(i int, words [][]byte) []byte
	// Check is asked every thousand turns of loops or so. An error ends the script; its text, without the code ERR, is that of the error reply.
	Check() error
	// Log takes what the script logs, with a level from 0 (debug) to 3 (warning).
	Log(level int, text string)
	// Now is the engine's clock, in milliseconds since 1970.
	Now() int64
}

// Program is a compiled script. It is immutable; many may run it at once.
type Program struct {
	Commands []string // that it calls, each once, as they are spelled
	ReadOnly bool

	graph  *graph.Program
	body   step
	slots  slots // how many variables of each kind there are
	frames sync.Pool
}

// Run runs the script and writes its one reply. Keys and arguments are borrowed until it returns.
func (p *Program) Run(host Host, keys, args [][]byte, w *resp.Writer) {
	f, _ := p.frames.Get().(*frame)
	if f == nil {
		f = newFrame(p)
	}
	mark := w.Len()
	f.begin(host, keys)
	if err := f.run(args, w); err != nil {
		w.Truncate(mark)
		if p.graph.Traced {
			f.writeTrace(w, func() { w.Int(0); w.BulkString(err.text()) })
		} else {
			w.Error(err.reply)
		}
	}
	if f.end() {
		p.frames.Put(f)
	}
}

// run runs the script up to its reply, or to what it failed by.
func (f *frame) run(args [][]byte, w *resp.Writer) (err *failure) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *failure:
			err = r
		default: // of the host: whoever stands behind it knows what to do
			panic(r)
		}
	}()
	f.takeArgs(args)
	f.p.body(f)
	if f.p.graph.Traced {
		f.writeTrace(w, func() { w.Int(1); f.writeResult(w) })
	} else {
		f.writeResult(w)
	}
	return nil
}

// failure is what ends a run before its time; it is raised as a panic.
type failure struct {
	reply string // the error reply, code first
}

// text is that of the error: only replies need a code before those of the language.
func (f *failure) text() string {
	if text, ok := strings.CutPrefix(f.reply, "ERR script: "); ok {
		return "script: " + text
	}
	return f.reply
}

// fail is the failure by an error of the language.
func fail(text string) *failure { return &failure{"ERR " + text} }

func failf(format string, args ...any) *failure { return fail(graph.Text(format, args...)) }
