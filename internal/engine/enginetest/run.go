// The runner: every session in every way that it can be run.
package enginetest

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// Options say what Run tests.
type Options struct {
	// Name of the engine: testdata/deviations/<Name>.txt holds what it does differently, and why. An engine over another
	// one has two names, with a space between them.
	Name string

	// Without are sessions that are left out, by path, and why.
	Without map[string]string

	// Unscripted is why sessions are not run inside scripts; default: they are.
	Unscripted string

	// Open returns an engine that is empty and has its default settings. The engine ends with the test.
	Open func(t testing.TB) Instance

	// Serve puts a server in front of an engine. It ends with the test. Default: the ways that need one are left out.
	Serve func(t testing.TB, e engine.Engine) Front

	// Client gives a client of an engine: a function that makes a call and returns the reply as RESP3. It ends with the
	// test. With it the sessions run through the client alone.
	Client func(t testing.TB, e engine.Engine) func(call [][]byte) ([]byte, error)
}

// Front is how one connects to a server.
type Front struct {
	TCP  func() (net.Conn, error)
	Pipe func() (net.Conn, error) // within the process
}

// Instance is an open engine.
type Instance struct {
	Engine engine.Engine

	// Advance lets time go by for the engine. Default: we sleep.
	Advance func(d time.Duration)

	// Version of Redis whose commands it has. Default: Embedded.
	Version Version
}

// Embedded is the version of Redis whose commands our own engines have. They are like 7.2 where versions differ.
var Embedded = Version{8, 4}

// way is a way to run a session.
type way struct {
	name   string
	proto  int
	wire   bool // through a server; otherwise straight into the engine
	pipe   bool // through a connection within the process; otherwise TCP
	client bool // through a client, that chooses its way itself
	exec   bool // each call a transaction of its own
	batch  bool // all that one client says in a row at once; otherwise call by call
	script bool // each call from inside a script
}

var ways = []way{
	{name: "calls", proto: 2},
	{name: "batch", proto: 2, batch: true},
	{name: "multi", proto: 2, exec: true},
	{name: "eval", proto: 2, script: true},
	{name: "resp2", proto: 2, wire: true},
	{name: "resp3", proto: 3, wire: true},
	{name: "pipeline", proto: 2, wire: true, batch: true},
	{name: "exec", proto: 2, wire: true, exec: true},
	{name: "pipe", proto: 3, wire: true, pipe: true},
	{name: "client", proto: 3, client: true},
}

// fits is the table of what runs in which way: a session whose calls concern the connection needs one, cannot be put
// into transactions, and may end its connection, after which the rest of a pipeline is lost.
func (w way) fits(s *Session) bool {
	aboutData := true
	for _, step := range s.Steps {
		aboutData = aboutData && step.Call != nil && !concernsConnection(step.Call) && !step.NoReply
	}
	return aboutData || w.wire && !w.exec && !w.batch
}

// concernsConnection reports whether a session of the server answers the call, not the engine.
func concernsConnection(call engine.Call) bool {
	row := command.Commands.Lookup(call[0])
	if row == nil {
		return false
	}
	if row.Subs != nil && len(call) > 1 {
		if sub, err := command.Commands.Find(call); err == nil {
			row = sub
		}
	}
	return row.Flags&(command.Session|command.NoMulti) != 0
}

// Run runs all sessions on an engine, in all ways, and compares the answers with the recorded ones.
func Run(t *testing.T, o Options) {
	sessions, err := Sessions()
	if err != nil {
		t.Fatal(err)
	}
	deviations, err := readDeviations(o.Name, sessions)
	if err != nil {
		t.Fatal(err)
	}
	first := firsts{}
	for _, w := range ways {
		if w.wire && o.Serve == nil || w.client != (o.Client != nil) || w.script && o.Unscripted != "" {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			ran, unrecorded, tooNew := 0, 0, 0
			for _, s := range sessions {
				if !w.fits(s) || o.Without[s.Path] != "" {
					continue
				}
				ran++
				t.Run(s.Path, func(t *testing.T) {
					n, m := runSession(t, o, w, s, deviations[s.Path], first)
					unrecorded += n
					tooNew += m
				})
			}
			t.Logf("%d sessions; calls without a recorded answer, compared with the way before: %d; calls of a newer Redis, left out: %d", ran, unrecorded, tooNew)
		})
	}
}

// firsts are the answers to calls that no Redis has answered, in the first way that they were made: all ways must agree.
type firsts map[firstKey][]string

type firstKey struct {
	step  *Step
	proto int
}

// answer is the first answer to a step, which got is if there was none before.
func (f firsts) answer(step *Step, proto int, got []string) []string {
	key := firstKey{step, proto}
	if f[key] == nil {
		f[key] = got
	}
	return f[key]
}

// runSession runs one session in one way.
func runSession(t *testing.T, o Options, w way, s *Session, deviations []*deviation, first firsts) (unrecorded, tooNew int) {
	in := o.Open(t)
	if in.Version == (Version{}) {
		in.Version = Embedded
	}
	dial := func() talker { return &direct{engine: in.Engine, atomic: w.exec, script: w.script} }
	if w.wire {
		front := o.Serve(t, in.Engine)
		connect := front.TCP
		if w.pipe {
			connect = front.Pipe
		}
		dial = func() talker { return &wire{dial: connect, proto: w.proto, exec: w.exec} }
	}
	if w.client {
		dial = func() talker { return caller(o.Client(t, in.Engine)) }
	}
	report := newReport(w, s, deviations)
	err := play(s, in, w.batch, dial, func(step *Step, v *resp.Value) {
		got := show(step, v)
		recorded, ok := step.answer(w.proto)
		if !ok {
			unrecorded++
			recorded = first.answer(step, w.proto, got)
		}
		if w.script {
			recorded = throughLua(recorded)
		}
		report.compare(step, recorded, got)
	})
	if err != nil {
		t.Errorf("%s [%s]: %v", s.Path, w.name, err)
	}
	for _, f := range report.finish() {
		t.Error(f)
	}
	for _, step := range s.Steps {
		if in.Version.Less(step.Needs) {
			tooNew++
		}
	}
	return unrecorded, tooNew
}

// play runs the steps of a session and hands each reply to f.
func play(s *Session, in Instance, batch bool, dial func() talker, f func(*Step, *resp.Value)) error {
	talkers := map[string]talker{}
	for _, name := range s.clients() {
		talkers[name] = dial()
	}
	defer func() {
		for _, c := range talkers {
			c.close()
		}
	}()
	var turn []*Step // what one client says at once
	flush := func() error {
		if len(turn) == 0 {
			return nil
		}
		replies, err := talkers[turn[0].Client].talk(turn)
		if err != nil {
			return err
		}
		for i, step := range turn {
			if !step.NoReply {
				f(step, replies[i])
			}
		}
		turn = turn[:0]
		return nil
	}
	for i := range s.Steps {
		step := &s.Steps[i]
		if in.Version.Less(step.Needs) {
			continue
		}
		if !batch || step.Wait > 0 || len(turn) > 0 && turn[0].Client != step.Client {
			if err := flush(); err != nil {
				return err
			}
		}
		if step.Wait > 0 {
			if in.Advance != nil {
				in.Advance(step.Wait)
			} else {
				time.Sleep(step.Wait)
			}
		}
		turn = append(turn, step)
	}
	if err := flush(); err != nil {
		return err
	}
	for name, c := range talkers {
		if n := len(c.unread()); n > 0 {
			return fmt.Errorf("client %s was told %d messages that are not in the session, the first being %q", name, n, resp.AppendCLI(nil, c.unread()[0]))
		}
	}
	return nil
}

// report gathers what a run of a session showed.
type report struct {
	way        way
	session    *Session
	deviations []*deviation
	seen       map[*deviation]bool // those that did deviate
	failures   []string
}

func newReport(w way, s *Session, all []*deviation) *report {
	r := &report{way: w, session: s, seen: map[*deviation]bool{}}
	for _, d := range all {
		if len(d.ways) == 0 || slices.Contains(d.ways, w.name) {
			r.deviations = append(r.deviations, d)
		}
	}
	return r
}

func (r *report) compare(step *Step, recorded, got []string) {
	if same(step, recorded, got) {
		return
	}
	for _, d := range r.deviations {
		if d.call != step.Text {
			continue
		}
		if d.anyOrder {
			step := *step
			step.AnyOrder = true
			if same(&step, recorded, got) {
				return
			}
			continue
		}
		wanted := d.answer
		if r.way.proto == 3 && len(d.answer3) > 0 {
			wanted = d.answer3
		}
		if len(wanted) == 0 || same(step, wanted, got) {
			r.seen[d] = true
			return
		}
		recorded = append([]string{"(a deviation is known, but not this one; wanted is)"}, wanted...)
	}
	const most = 5
	if len(r.failures) < most {
		r.failures = append(r.failures, fmt.Sprintf("%s:%d [%s]\n> %s\nrecorded\n%s\ngot\n%s", r.session.Path, step.Line, r.way.name,
			step.Text, indent(recorded), indent(got)))
	}
}

// finish returns all failures: wrong answers, and deviations that were none.
func (r *report) finish() []string {
	for _, d := range r.deviations {
		if !r.seen[d] && !d.anyOrder {
			r.failures = append(r.failures, fmt.Sprintf("%s [%s]: %s does not deviate in\n> %s", r.session.Path, r.way.name, d.where, d.call))
		}
	}
	return r.failures
}

func indent(lines []string) string { return "    " + strings.Join(lines, "\n    ") }
