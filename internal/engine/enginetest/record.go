// The recorder: it asks a real Redis and writes its answers into the sessions.
package enginetest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// recordedBy is the file that names the version of the Redis that answered.
const recordedBy = "recorded-by"

// Recorder records from a real Redis, whose data and settings it takes for its own: they are lost.
type Recorder struct {
	Version Version

	full     string // version as the server spells it
	addr     string
	auth     engine.Call
	control  *wire
	settings map[string]string // as they were when we came
}

// NewRecorder connects to the Redis at a URL redis://[user:password@]host:port.
func NewRecorder(rawURL string) (*Recorder, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "redis" {
		return nil, fmt.Errorf("%q is not of the form redis://host:port", rawURL)
	}
	r := &Recorder{addr: u.Host}
	if password, ok := u.User.Password(); ok {
		r.auth = newStep("AUTH", password).Call
		if u.User.Username() != "" {
			r.auth = newStep("AUTH", u.User.Username(), password).Call
		}
	}
	r.control = r.dial(2)
	info, err := r.control.ask("INFO", "server")
	if err != nil {
		return nil, err
	}
	_, version, _ := strings.Cut(string(info.Str), "redis_version:")
	r.full, _, _ = strings.Cut(version, "\r")
	if r.Version, err = ParseVersion(r.full); err != nil {
		return nil, err
	}
	r.settings, err = r.config()
	return r, err
}

// Close closes the connections.
func (r *Recorder) Close() { r.control.close() }

func (r *Recorder) dial(proto int) *wire {
	return &wire{dial: tcp(r.addr), proto: proto, hello: r.auth}
}

func (r *Recorder) config() (map[string]string, error) {
	v, err := r.control.ask("CONFIG", "GET", "*")
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for i := 0; i+1 < len(v.Elems); i += 2 {
		all[string(v.Elems[i].Str)] = string(v.Elems[i+1].Str)
	}
	return all, nil
}

// Reset makes the server as it was when we came, and empty.
func (r *Recorder) Reset() error {
	for _, call := range []string{"CLIENT KILL TYPE normal SKIPME yes", "FLUSHALL", "SCRIPT FLUSH", "FUNCTION FLUSH", "CONFIG RESETSTAT", "SLOWLOG RESET"} {
		if _, err := r.control.ask(strings.Fields(call)...); err != nil {
			return err
		}
	}
	if err := r.resetUsers(); err != nil {
		return err
	}
	now, err := r.config()
	if err != nil {
		return err
	}
	for name, value := range r.settings {
		if now[name] == value {
			continue
		}
		if _, err := r.control.ask("CONFIG", "SET", name, value); err != nil {
			return err
		}
	}
	return nil
}

// resetUsers deletes all users but the first, and forgets what was refused.
func (r *Recorder) resetUsers() error {
	if _, err := r.control.ask("ACL", "LOG", "RESET"); err != nil {
		return err
	}
	users, err := r.control.ask("ACL", "USERS")
	if err != nil {
		return err
	}
	for _, user := range users.Elems {
		if name := string(user.Str); name != "default" {
			if _, err := r.control.ask("ACL", "DELUSER", name); err != nil {
				return err
			}
		}
	}
	return nil
}

// answers plays a session and returns what the server said to each step; nil for the steps that it is too old for.
func (r *Recorder) answers(s *Session, proto int) (map[*Step][]string, error) {
	if err := r.Reset(); err != nil {
		return nil, fmt.Errorf("reset: %w", err)
	}
	all := map[*Step][]string{}
	err := play(s, Instance{Version: r.Version}, false, func() talker { return r.dial(proto) }, func(step *Step, v *resp.Value) {
		all[step] = show(step, v)
	})
	if err != nil {
		return nil, fmt.Errorf("%s in RESP%d: %w", s.Path, proto, err)
	}
	return all, nil
}

// Record writes the server's answers into a session. An answer that counts as the same stays as it was recorded before,
// so that recording twice gives one text.
func (r *Recorder) Record(s *Session) error {
	two, err := r.answers(s, 2)
	if err != nil {
		return err
	}
	three, err := r.answers(s, 3)
	if err != nil {
		return err
	}
	for i := range s.Steps {
		step := &s.Steps[i]
		got, ok := two[step]
		if !ok {
			if step.NoReply {
				step.Answer, step.Answer3 = nil, nil
			}
			continue
		}
		if why := unwritable(slices.Concat(got, three[step])); why != "" {
			return fmt.Errorf("%s:%d: %s", s.Path, step.Line, why)
		}
		if len(step.Answer) == 0 || !same(step, step.Answer, got) {
			step.Answer = got
		}
		switch {
		case same(step, step.Answer, three[step]):
			step.Answer3 = nil
		case len(step.Answer3) == 0 || !same(step, step.Answer3, three[step]):
			step.Answer3 = three[step]
		}
	}
	return nil
}

// RecordAll records every session below dir, a testdata directory, and notes the server's version there.
func (r *Recorder) RecordAll(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.txt"))
	if err != nil {
		return err
	}
	for _, file := range files {
		path, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		if path = filepath.ToSlash(path); strings.HasPrefix(path, "deviations/") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		s, err := parse(path, text)
		if err != nil {
			return err
		}
		if err := r.Record(s); err != nil {
			return err
		}
		if err := os.WriteFile(file, s.Format(), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, recordedBy), []byte(r.full+"\n"), 0o644)
}
