package lua

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/testenv"
)

// scriptFiles hold scripts and what a redis-server replies to EVAL of them: in RESP2, and in RESP3 where that differs.
// A line starts with > and the script, or a Go string of one.
var scriptFiles = []string{"testdata/errors.txt", "testdata/conversions.txt", "testdata/sandbox.txt", "testdata/base.txt", "testdata/strings.txt", "testdata/tables.txt", "testdata/syntax.txt"}

// asked is a script and its replies.
type asked struct {
	before  string // comments and empty lines
	source  string // as it stands in the file
	replies [2]string
}

func (a *asked) script(t *testing.T) string {
	if !strings.HasPrefix(a.source, `"`) {
		return a.source
	}
	s, err := strconv.Unquote(a.source)
	if err != nil {
		t.Fatalf("%s: %v", a.source, err)
	}
	return s
}

func readAsked(t *testing.T, path string) (all []*asked) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before := ""
	for line := range strings.Lines(string(b)) {
		text := strings.TrimRight(line, "\n")
		if source, ok := strings.CutPrefix(text, "> "); ok {
			all = append(all, &asked{before: before, source: source})
			before = ""
			continue
		}
		if len(all) > 0 && strings.HasPrefix(text, `"`) || strings.HasPrefix(text, `3 "`) {
			last := all[len(all)-1]
			if s, ok := strings.CutPrefix(text, "3 "); ok {
				last.replies[1] = unquoted(t, s)
			} else {
				last.replies = [2]string{unquoted(t, text), unquoted(t, text)}
			}
			continue
		}
		before += line
	}
	return all
}

func unquoted(t *testing.T, s string) string {
	u, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return u
}

func writeAsked(t *testing.T, path string, all []*asked) {
	var b strings.Builder
	for _, a := range all {
		fmt.Fprintf(&b, "%s> %s\n%q\n", a.before, a.source, a.replies[0])
		if a.replies[1] != a.replies[0] {
			fmt.Fprintf(&b, "3 %q\n", a.replies[1])
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestScriptsReplyAsInRedis(t *testing.T) {
	for _, path := range scriptFiles {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(path, "testdata/"), ".txt"), func(t *testing.T) {
			all := readAsked(t, path)
			if *record {
				recordScripts(t, all, false)
				writeAsked(t, path, all)
			}
			m := New(Options{Version: "7.0.15"})
			for _, a := range all {
				source := a.script(t)
				for i, proto := range []int{2, 3} {
					if got := evalProto(m, &server{data: map[string]string{"k": "v"}}, source, proto); got != a.replies[i] {
						t.Errorf("%s (RESP%d)\n got %q\nwant %q", a.source, proto, got, a.replies[i])
						break
					}
				}
			}
		})
	}
}

func TestFunctionsReplyAsInRedis(t *testing.T) {
	const path = "testdata/functions.txt"
	all := readAsked(t, path)
	if *record {
		recordScripts(t, all, true)
		writeAsked(t, path, all)
	}
	for _, a := range all {
		source := a.script(t)
		m := New(Options{Version: "7.0.15"})
		for i, proto := range []int{2, 3} {
			if got := loadAndCall(m, &server{data: map[string]string{"k": "v"}}, source, proto); got != a.replies[i] {
				t.Errorf("%s (RESP%d)\n got %q\nwant %q", a.source, proto, got, a.replies[i])
				break
			}
		}
	}
}

// loadAndCall loads a library and calls its function f twice.
func loadAndCall(m *Machine, h Host, source string, proto int) string {
	w := &resp.Writer{Proto: proto}
	l, err := m.Load([]byte(source), h)
	if err != nil {
		w.Error(err.Error())
	} else {
		w.BulkString(l.Name)
	}
	for range 2 {
		if l == nil || l.Functions[0].Name != "f" {
			w.Error("ERR Function not found")
			continue
		}
		m.Call(&l.Functions[0], &Run{Keys: [][]byte{[]byte("k")}, Args: [][]byte{[]byte("a1"), []byte("12")}, Host: h, W: w})
	}
	return string(w.Buf)
}

// evalProto evaluates with two keys and two arguments.
func evalProto(m *Machine, h Host, source string, proto int) string {
	w := &resp.Writer{Proto: proto}
	s, err := m.Compile([]byte(source))
	if err != nil {
		w.Error(err.Error())
		return string(w.Buf)
	}
	m.Eval(s, &Run{Keys: [][]byte{[]byte("k"), []byte("k2")}, Args: [][]byte{[]byte("a1"), []byte("12")}, Host: h, W: w})
	return string(w.Buf)
}

// recordScripts asks a redis-server.
func recordScripts(t *testing.T, all []*asked, functions bool) {
	r := testenv.Redis(t, "--enable-debug-command", "yes")
	conn, err := net.Dial("unix", r.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	ask := func(words ...string) string {
		t.Helper()
		var b bytes.Buffer
		fmt.Fprintf(&b, "*%d\r\n", len(words))
		for _, w := range words {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
		}
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(b.Bytes()); err != nil {
			t.Fatal(err)
		}
		var reply bytes.Buffer
		if err := copyReply(&reply, in); err != nil {
			t.Fatalf("%q: %v", words, err)
		}
		return reply.String()
	}
	ask("DEBUG", "SET-DISABLE-DENY-SCRIPTS", "1")
	if functions {
		for i, proto := range []string{"2", "3"} {
			ask("HELLO", proto)
			for _, a := range all {
				ask("FLUSHALL")
				ask("FUNCTION", "FLUSH")
				ask("SET", "k", "v")
				a.replies[i] = ask("FUNCTION", "LOAD", a.script(t))
				for range 2 {
					a.replies[i] += ask("FCALL", "f", "1", "k", "a1", "12")
				}
			}
		}
		return
	}
	for i, proto := range []string{"2", "3"} {
		ask("HELLO", proto)
		for _, a := range all {
			ask("FLUSHALL")
			ask("SET", "k", "v")
			a.replies[i] = ask("EVAL", a.script(t), "2", "k", "k2", "a1", "12")
		}
	}
}

// copyReply copies one whole reply.
func copyReply(w *bytes.Buffer, r *bufio.Reader) error {
	line, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	w.WriteString(line)
	n, _ := strconv.Atoi(strings.TrimRight(line[1:], "\r\n"))
	switch line[0] {
	case '$', '=', '!':
		if n >= 0 {
			_, err = io.CopyN(w, r, int64(n)+2)
		}
		return err
	case '%', '|':
		n *= 2
	case '*', '~', '>':
	default:
		return nil
	}
	for range n {
		if err := copyReply(w, r); err != nil {
			return err
		}
	}
	if line[0] == '|' {
		return copyReply(w, r)
	}
	return nil
}

// server is a Host with the few commands that the scripts of testdata call.
type server struct {
	data map[string]string
}

func (s *server) Call(args [][]byte, proto int) []byte {
	w := &resp.Writer{Proto: proto}
	word := func(i int) string {
		if i < len(args) {
			return string(args[i])
		}
		return ""
	}
	switch name := strings.ToLower(word(0)); {
	case name == "ping" && len(args) == 1:
		w.Status("PONG")
	case name == "echo" && len(args) == 2:
		w.Bulk(args[1])
	case name == "set" && len(args) == 3:
		s.data[word(1)] = word(2)
		w.OK()
	case name == "get" && len(args) == 2:
		if v, ok := s.data[word(1)]; ok {
			w.BulkString(v)
		} else {
			w.Null()
		}
	case name == "incr" && len(args) == 2:
		n, err := strconv.Atoi("0" + s.data[word(1)])
		if err != nil {
			w.Error("ERR value is not an integer or out of range")
			break
		}
		s.data[word(1)] = strconv.Itoa(n + 1)
		w.Int(int64(n + 1))
	case name == "lpush":
		w.Error("WRONGTYPE Operation against a key holding the wrong kind of value")
	case name == "mget":
		w.Array(len(args) - 1)
		for i := 1; i < len(args); i++ {
			if v, ok := s.data[word(i)]; ok {
				w.BulkString(v)
			} else {
				w.Null()
			}
		}
	case name == "debug" && word(1) == "protocol":
		s.protocol(w, word(2))
	case name == "get" || name == "set" || name == "echo" || name == "incr":
		w.Error("ERR Wrong number of args calling Redis command from script")
	default:
		w.Error("ERR Unknown Redis command called from script")
	}
	return w.Buf
}

// protocol is DEBUG PROTOCOL: a reply of each type.
func (s *server) protocol(w *resp.Writer, kind string) {
	switch kind {
	case "string":
		w.BulkString("Hello World")
	case "integer":
		w.Int(12345)
	case "double":
		w.Double(3.141)
	case "null":
		w.Null()
	case "array":
		w.Array(3)
		for i := range 3 {
			w.Int(int64(i))
		}
	case "set":
		w.Set(3)
		for i := range 3 {
			w.Int(int64(i))
		}
	case "map":
		w.Map(3)
		for i := range 3 {
			w.Int(int64(i))
			w.Bool(i == 1)
		}
	case "attrib":
		if w.RESP3() {
			w.Buf = append(w.Buf, "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"...)
		}
		w.BulkString("Some real reply following the attribute")
	case "verbatim":
		w.Verbatim("txt", "This is a verbatim\nstring")
	case "true":
		w.Bool(true)
	case "false":
		w.Bool(false)
	case "bignum":
		if w.RESP3() {
			w.Buf = append(w.Buf, "(1234567999999999999999999999999999999\r\n"...)
		} else {
			w.BulkString("1234567999999999999999999999999999999")
		}
	}
}

func (s *server) Check() error               { return nil }
func (s *server) May([][]byte) (bool, error) { return true, nil }
func (s *server) Log(int, string)            {}
