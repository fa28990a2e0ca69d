package command_test

import (
	"bufio"
	"context"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/engine/memory"
	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/testenv"
)

// asker sends a call and returns its reply.
type asker func(words ...string) resp.Value

// ours asks an engine of its own, in RESP3.
func ours(t *testing.T) asker {
	e := memory.New(memory.Options{})
	t.Cleanup(func() { _ = e.Close() })
	return asking(t, e)
}

// asking asks an engine in RESP3.
func asking(t *testing.T, e engine.Engine) asker {
	return func(words ...string) resp.Value {
		t.Helper()
		call := make(engine.Call, len(words))
		for i, w := range words {
			call[i] = []byte(w)
		}
		w := &resp.Writer{Proto: 3}
		if err := e.Do(context.Background(), &engine.Batch{Calls: []engine.Call{call}}, w); err != nil {
			t.Fatal(err)
		}
		v, rest, err := resp.DecodeValue(w.Buf)
		if err != nil || len(rest) > 0 {
			t.Fatalf("%q: %v, %d bytes too many in %q", words, err, len(rest), w.Buf)
		}
		return v
	}
}

// real asks a redis-server of its own, in RESP3.
func real(t *testing.T) asker { return askingAt(t, testenv.Redis(t).Addr) }

// askingAt asks a server in RESP3.
func askingAt(t *testing.T, addr string) asker {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r := bufio.NewReader(conn)
	ask := func(words ...string) resp.Value {
		t.Helper()
		w := &resp.Writer{}
		w.Array(len(words))
		for _, word := range words {
			w.BulkString(word)
		}
		if _, err := conn.Write(w.Buf); err != nil {
			t.Fatal(err)
		}
		v, err := resp.ReadValue(r)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if hello := ask("HELLO", "3"); hello.IsError() {
		t.Fatal(string(hello.Str))
	}
	return ask
}

// names are the full names of all rows.
func names() []string {
	var names []string
	command.Commands.Each(func(c *command.Command) { names = append(names, c.FullName()) })
	return names
}

// newerFacts are the fields of COMMAND INFO in which 7.2 and the installed 7.0 differ.
var newerFacts = map[string][]string{
	"command|getkeys":         {"arity"},
	"command|getkeysandflags": {"arity"},
	"client|setname":          {"tips"},
	"randomkey":               {"tips"},
	"scan":                    {"tips"},
	"zrank":                   {"arity"},
	"zrevrank":                {"arity"},
	// Ours have no notes.
	"bitfield": {"key specs"},
	"eval":     {"key specs"},
	"eval_ro":  {"key specs"},
	"fcall":    {"key specs"},
	"fcall_ro": {"key specs"},
	"getex":    {"key specs"},
	"pfcount":  {"key specs"},
	"set":      {"key specs"},
	"sort":     {"key specs"},
	"sort_ro":  {"key specs"},
	"xadd":     {"key specs"},
}

func TestCommandInfoIsThatOfARealServer(t *testing.T) {
	us, them := ours(t), real(t)
	fields := []string{"name", "arity", "flags", "first", "last", "step", "categories", "tips", "key specs"}
	for _, name := range names() {
		want := them("COMMAND", "INFO", name).Elems[0]
		if want.Null {
			continue // newer than the installed server
		}
		got := us("COMMAND", "INFO", name).Elems[0]
		for i, field := range fields {
			if slices.Contains(newerFacts[name], field) {
				continue
			}
			if g, w := text(&got.Elems[i]), text(&want.Elems[i]); g != w {
				t.Errorf("%s: %s\n got %s\nwant %s", name, field, g, w)
			}
		}
	}
}

func text(v *resp.Value) string {
	return strings.ReplaceAll(strings.TrimSpace(string(resp.AppendJSON(nil, v))), `"`, "")
}

func TestCommandCountIsTheLengthOfTheTable(t *testing.T) {
	ask := ours(t)
	count, all := ask("COMMAND", "COUNT"), ask("COMMAND")
	if int(count.Int) != len(command.Commands.All()) || len(all.Elems) != int(count.Int) {
		t.Fatalf("COUNT %d, COMMAND %d, table %d", count.Int, len(all.Elems), len(command.Commands.All()))
	}
}

func TestCommandListHasSubcommandsAndFilters(t *testing.T) {
	ask := ours(t)
	list := func(words ...string) []string {
		v := ask(append([]string{"COMMAND", "LIST"}, words...)...)
		if v.IsError() {
			t.Fatalf("%q: %s", words, v.Str)
		}
		var out []string
		for _, e := range v.Elems {
			out = append(out, string(e.Str))
		}
		return out
	}
	if got, want := list(), names(); !slices.Equal(got, want) {
		t.Errorf("list is %q\nwant %q", got, want)
	}
	if got := list("FILTERBY", "PATTERN", "CONFIG|*e*t"); !slices.Equal(got, []string{"config|get", "config|set", "config|resetstat"}) {
		t.Errorf("by pattern: %q", got)
	}
	if got := list("filterby", "module", "json"); len(got) != 0 {
		t.Errorf("by module: %q", got)
	}
	for _, name := range list("FILTERBY", "ACLCAT", "String") {
		if row := command.Commands.Named([]byte(name)); row.Group != "string" {
			t.Errorf("%s of group %s is in @string", name, row.Group)
		}
	}
}

func TestEveryCommandHasDocumentation(t *testing.T) {
	ask := ours(t)
	for _, name := range names() {
		docs := ask("COMMAND", "DOCS", name)
		if docs.Kind != '%' || len(docs.Elems) != 2 || string(docs.Elems[0].Str) != name {
			t.Fatalf("%s: %s", name, text(&docs))
		}
		fields := map[string]string{}
		for i := 0; i < len(docs.Elems[1].Elems); i += 2 {
			fields[string(docs.Elems[1].Elems[i].Str)] = string(docs.Elems[1].Elems[i+1].Str)
		}
		for _, field := range []string{"summary", "since", "group"} {
			if fields[field] == "" {
				t.Errorf("%s has no %s", name, field)
			}
		}
	}
	if all, none := ask("COMMAND", "DOCS"), ask("COMMAND", "DOCS", "nosuch"); len(all.Elems) != 2*len(command.Commands.All()) || len(none.Elems) != 0 {
		t.Errorf("%d names without arguments, %d for an unknown one", len(all.Elems)/2, len(none.Elems)/2)
	}
}

func TestKeysOfACallAreThoseThatARealServerFinds(t *testing.T) {
	us, them := ours(t), real(t)
	for _, line := range []string{
		"get k", "set k v", "set k v get", "set k v EX 10 Get", "mset a 1 b 2", "msetnx a 1 b", "del a b c", "get", "get a b", "nosuch a",
		"config get a", "config|get a", "object encoding k", "object nosuch k", "rename a b", "copy a b", "lmove a b left right",
		"zunionstore d 2 a b", "zunionstore d 2 a b weights 1 2", "zunionstore d 9 a b", "zunionstore d x a", "zunionstore d -1 a",
		"zunion 1 a", "zunion 2 a", "sintercard 2 a b limit 1", "lmpop 2 a b left", "zmpop 1 z min", "sinterstore d a b", "sdiff a b c",
		"zrangestore d s 0 1", "watch a b", "exists a", "ping x", "getex a persist", "command getkeys get a",
	} {
		for _, sub := range []string{"GETKEYS", "GETKEYSANDFLAGS"} {
			words := append([]string{"COMMAND", sub}, strings.Fields(line)...)
			if len(words) < 4 {
				continue // 7.0 wants a word more than 7.2 does
			}
			if command.Commands.Lookup([]byte(words[2])) == nil && words[2] != "nosuch" {
				continue
			}
			got, want := us(words...), them(words...)
			if text(&got) != text(&want) {
				t.Errorf("%s %s\n got %s\nwant %s", sub, line, text(&got), text(&want))
			}
		}
	}
}
