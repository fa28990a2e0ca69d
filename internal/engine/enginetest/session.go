// Package enginetest is the truth about engines: sessions of redis-cli, whose answers were recorded from a real Redis,
// and random calls that must give the same replies on an engine as on a real Redis.
//
// A session is a text file, testdata/<group>/<name>.txt:
//
//	# GETDEL gives the value once.
//	> SET k v
//	OK
//	> GETDEL k
//	"v"
//
// Lines that start with > are calls, as one types them into redis-cli; the lines after a call are its answer, as
// redis-cli --no-raw prints it, save that verbatim strings are quoted. Only the calls are written by hand: the answers are recorded (see Record). Where the
// answer in RESP3 looks different, it follows after a line "@resp3". Other lines that start with # are comments. An
// empty line ends an answer.
//
// A line "<" in place of a call stands for the next message on the connection: what it is told without a call, in RESP3 a
// push, and the confirmations of subscriptions, whose calls have no reply besides. Each message has to be read.
//
// Before a call there may be
//
//	# any order     the elements of the arrays in the answer may come in any order
//	# ±1            the integers in the answer may differ by one (or by any other number that stands there)
//	# any value     only the type of the answer counts, and the answer is written as that: (integer), (string) …
//	# no reply      the call has none: CLIENT REPLY OFF and what follows it
//	@client b       the calls from here on are another connection's; the first is a
//	@wait 100ms     so much time goes by
//	@needs 7.4      the rest of the file needs that version of Redis
package enginetest

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// Session is a parsed file.
type Session struct {
	Path  string // below testdata: "string/getdel.txt"
	Steps []Step
	tail  []string // lines behind the last answer
}

// Step is a call of a session with all that was said about it.
type Step struct {
	Line   int // of the call, from 1
	Text   string
	Call   engine.Call // nil: a message
	Client string
	Wait   time.Duration // before the call
	Needs  Version       // zero: any

	AnyOrder, AnyValue, NoReply bool
	Tolerance                   int64

	// Answer is the recorded answer, Answer3 that in RESP3 where it looks different. A step that was never recorded
	// has no Answer.
	Answer, Answer3 []string

	before []string // the lines before the call as they stand
}

// Version is a version of Redis, as far as it tells what commands there are.
type Version struct{ Major, Minor int }

// ParseVersion reads "7.4" or "7.4.1".
func ParseVersion(s string) (Version, error) {
	major, rest, _ := strings.Cut(s, ".")
	minor, _, _ := strings.Cut(rest, ".")
	m, err := strconv.Atoi(major)
	if err != nil {
		return Version{}, fmt.Errorf("%q is no version", s)
	}
	n, err := strconv.Atoi(minor)
	if err != nil {
		return Version{}, fmt.Errorf("%q is no version", s)
	}
	return Version{m, n}, nil
}

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Less reports whether v is older than u.
func (v Version) Less(u Version) bool {
	return v.Major < u.Major || v.Major == u.Major && v.Minor < u.Minor
}

// parse reads a session.
func parse(path string, text []byte) (*Session, error) {
	s := &Session{Path: path}
	state := parser{client: "a"}
	lines := strings.Split(string(bytes.TrimSuffix(text, []byte("\n"))), "\n")
	for i, line := range lines {
		if err := state.line(s, i+1, line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	if state.next.marked() || state.next.Wait > 0 {
		return nil, fmt.Errorf("%s:%d: a marker without a call behind it", path, len(lines))
	}
	s.tail = state.next.before
	return s, nil
}

// marked reports whether something was said about the step.
func (s *Step) marked() bool { return s.AnyOrder || s.AnyValue || s.NoReply || s.Tolerance != 0 }

type parser struct {
	client string
	needs  Version
	next   Step // what was said about the next call
	answer int  // 0: not in an answer, 2 and 3: in that of this protocol
}

func (p *parser) line(s *Session, number int, line string) error {
	switch {
	case line == message, strings.HasPrefix(line, "> "):
		step := p.next
		step.Line, step.Text, step.Client, step.Needs = number, line, p.client, p.needs
		if line != message {
			call, ok := resp.SplitWords([]byte(line[2:]))
			if !ok || len(call) == 0 {
				return fmt.Errorf("no call: %s", line)
			}
			step.Text, step.Call = line[2:], call
		}
		s.Steps = append(s.Steps, step)
		p.next, p.answer = Step{}, 2
		return nil
	case line == "@resp3" && p.answer == 2:
		p.answer = 3
		return nil
	case line == "" || line[0] == '#' || line[0] == '@':
		p.answer = 0
		p.next.before = append(p.next.before, line)
		return p.mark(line)
	}
	if p.answer == 0 {
		return fmt.Errorf("neither call nor answer: %s", line)
	}
	last := &s.Steps[len(s.Steps)-1]
	if p.answer == 2 {
		last.Answer = append(last.Answer, line)
	} else {
		last.Answer3 = append(last.Answer3, line)
	}
	return nil
}

// message is the line that stands for one.
const message = "<"

// mark reads a line that starts with # or @.
func (p *parser) mark(line string) (err error) {
	switch line {
	case "# any order":
		p.next.AnyOrder = true
		return nil
	case "# any value":
		p.next.AnyValue = true
		return nil
	case "# no reply":
		p.next.NoReply = true
		return nil
	}
	if n, ok := strings.CutPrefix(line, "# ±"); ok {
		p.next.Tolerance, err = strconv.ParseInt(n, 10, 64)
		return err
	}
	if !strings.HasPrefix(line, "@") {
		return nil
	}
	word, value, _ := strings.Cut(line, " ")
	switch word {
	case "@client":
		p.client = value
	case "@wait":
		var d time.Duration
		d, err = time.ParseDuration(value)
		p.next.Wait += d
	case "@needs":
		p.needs, err = ParseVersion(value)
	default:
		return fmt.Errorf("unknown marker %s", word)
	}
	return err
}

// Format is the text of the session: parse(Format()) is the session again.
func (s *Session) Format() []byte {
	var b bytes.Buffer
	write := func(lines []string) {
		for _, l := range lines {
			b.WriteString(l)
			b.WriteByte('\n')
		}
	}
	for _, step := range s.Steps {
		write(step.before)
		if step.Call == nil {
			write([]string{message})
		} else {
			write([]string{"> " + step.Text})
		}
		write(step.Answer)
		if len(step.Answer3) > 0 {
			write([]string{"@resp3"})
			write(step.Answer3)
		}
	}
	write(s.tail)
	return b.Bytes()
}

// answer is the recorded answer in a protocol version; ok is false if there is none.
func (s *Step) answer(proto int) (lines []string, ok bool) {
	if s.NoReply {
		return nil, true
	}
	if proto == 3 && len(s.Answer3) > 0 {
		return s.Answer3, true
	}
	return s.Answer, len(s.Answer) > 0
}

//go:embed testdata
var testdata embed.FS

// Sessions are all sessions, in the order of their paths.
func Sessions() ([]*Session, error) {
	var all []*Session
	err := fs.WalkDir(testdata, "testdata", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".txt") {
			return err
		}
		path = strings.TrimPrefix(path, "testdata/")
		if strings.HasPrefix(path, "deviations/") || !strings.Contains(path, "/") {
			return nil
		}
		text, err := testdata.ReadFile("testdata/" + path)
		if err != nil {
			return err
		}
		s, err := parse(path, text)
		all = append(all, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	return all, nil
}

// clients are the names of the connections in a session.
func (s *Session) clients() []string {
	var names []string
	for _, step := range s.Steps {
		if !slices.Contains(names, step.Client) {
			names = append(names, step.Client)
		}
	}
	return names
}
