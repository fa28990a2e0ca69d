package lua

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/testenv"
	"github.com/redis/go-redis/v9"
	lua "github.com/yuin/gopher-lua"
)

var record = flag.Bool("record", false, "make the generated expressions of testdata/libraries anew and record all answers of testdata from a redis-server")

// show is a script that calls ask and returns what it gave, a line for each value: tables with their keys sorted,
// strings with what is not plain text as \xHH.
const show = `
local function quote(s)
  local parts = {}
  for i = 1, #s do
    local c = string.byte(s, i)
    local plain = c >= 32 and c < 127 and c ~= 34 and c ~= 92
    parts[i] = plain and string.sub(s, i, i) or string.format('\\x%02x', c)
  end
  return '"' .. table.concat(parts) .. '"'
end
local show
show = function(v)
  local t = type(v)
  if t == 'string' then return quote(v) end
  if t == 'number' then return v ~= v and tostring(v) or string.format('%.17g', v) end
  if t == 'nil' or t == 'boolean' then return tostring(v) end
  if t ~= 'table' then return v == cjson.null and 'null' or t end
  local keys, parts = {}, {}
  for k in pairs(v) do keys[#keys + 1] = {show(k), k} end
  table.sort(keys, function(a, b) return a[1] < b[1] end)
  for i, k in ipairs(keys) do parts[i] = '[' .. k[1] .. ']=' .. show(v[k[2]]) end
  return '{' .. table.concat(parts, ' ') .. '}'
end
local function lines(ok, ...)
  if not ok then return {'error ' .. show((...))} end
  local t = {}
  for i = 1, select('#', ...) do t[i] = show((select(i, ...))) end
  return t
end
return lines(pcall(ask))`

// script is what is run for a line: an expression, or a function's body if it returns something.
func script(line string) string {
	if !strings.Contains(line, "return") {
		line = "return " + line
	}
	return "local ask = function() " + line + " end" + show
}

// golden is a line of testdata and what a redis-server answers to it.
type golden struct {
	ask    string
	answer []string
}

// readGolden returns a file's lines and, to write them back, what stands before each of them.
func readGolden(t testing.TB, path string) (all []golden, comments []string) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	comment := ""
	for line := range strings.Lines(string(b)) {
		switch {
		case strings.HasPrefix(line, "> "):
			all = append(all, golden{ask: strings.TrimSpace(line[2:])})
			comments = append(comments, comment)
			comment = ""
		case strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "":
			comment += line
		case len(all) == 0:
			t.Fatalf("%s: an answer before any question: %s", path, line)
		default:
			g := &all[len(all)-1]
			g.answer = append(g.answer, strings.TrimSuffix(line, "\n"))
		}
	}
	return all, comments
}

func writeGolden(t testing.TB, path string, all []golden, comments []string) {
	var b strings.Builder
	for i, g := range all {
		b.WriteString(comments[i])
		b.WriteString("> " + g.ask + "\n")
		for _, line := range g.answer {
			b.WriteString(line + "\n")
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func goldenFiles(t testing.TB) []string {
	paths, err := filepath.Glob("testdata/libraries/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 6 {
		t.Fatalf("testdata/libraries has only %q", paths)
	}
	return paths
}

// newLibraries makes a state that has the libraries of this package, and else what gopher-lua has.
func newLibraries(t testing.TB) *lua.LState {
	L := lua.NewState(lua.Options{RegistrySize: 16 << 10, RegistryMaxSize: 64 << 10})
	t.Cleanup(L.Close)
	L.SetGlobal("cjson", openCjson(L))
	L.SetGlobal("cmsgpack", openCmsgpack(L))
	L.SetGlobal("struct", openStruct(L))
	L.SetGlobal("bit", openBit(L))
	L.SetGlobal("tostring", L.NewFunction(baseTostring))
	L.SetGlobal("tonumber", L.NewFunction(baseTonumber))
	library, ok := L.GetGlobal("string").(*lua.LTable)
	if !ok {
		t.Fatal("there is no string library")
	}
	library.RawSetString("format", L.NewFunction(stringFormat))
	return L
}

// askState runs a script and returns the lines it gives.
func askState(t testing.TB, L *lua.LState, text string) []string {
	f, err := L.Load(strings.NewReader(text), "user_script")
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	L.Push(f)
	if err := L.PCall(0, 1, nil); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	defer L.Pop(1)
	r, ok := L.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("%v instead of a table from:\n%s", L.Get(-1), text)
	}
	lines := []string{}
	for i := range r.Len() {
		lines = append(lines, r.RawGetInt(i+1).String())
	}
	return lines
}

func TestLibrariesAnswerAsInRedis(t *testing.T) {
	if *record {
		recordGolden(t)
	}
	for _, path := range goldenFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			L := newLibraries(t)
			all, _ := readGolden(t, path)
			for _, g := range all {
				if got := askState(t, L, script(g.ask)); strings.Join(got, "\n") != strings.Join(g.answer, "\n") {
					t.Errorf("%s\n got: %s\nwant: %s", g.ask, strings.Join(got, "\n      "), strings.Join(g.answer, "\n      "))
				}
			}
		})
	}
}

// Scripts find the libraries in the sandbox, and what the lines are written with besides. A setting ends with its script.
func TestSandboxAnswersAsInRedis(t *testing.T) {
	m := New(Options{})
	for _, path := range goldenFiles(t) {
		if filepath.Base(path) == "cjson_settings.txt" {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			all, _ := readGolden(t, path)
			for _, g := range all {
				want := fmt.Sprintf("*%d", len(g.answer))
				for _, line := range g.answer {
					want += fmt.Sprintf("\r\n$%d\r\n%s", len(line), line)
				}
				if got := eval(t, m, &fake{}, script(g.ask)); got != want {
					t.Errorf("%s\n got: %q\nwant: %q", g.ask, got, want)
				}
			}
		})
	}
}

func TestSettingsOfCjsonEndWithTheScript(t *testing.T) {
	m := New(Options{})
	change := "cjson.encode_max_depth(1); cjson.encode_invalid_numbers(true); cjson.encode_sparse_array(true)"
	look := "return {cjson.encode_max_depth(), tostring(cjson.encode_invalid_numbers()), tostring((cjson.encode_sparse_array()))}"
	if got, want := eval(t, m, &fake{}, change+look), "*3\r\n:1\r\n$4\r\ntrue\r\n$4\r\ntrue"; got != want {
		t.Errorf("in the script: %q", got)
	}
	if got, want := eval(t, m, &fake{}, look), "*3\r\n:1000\r\n$5\r\nfalse\r\n$5\r\nfalse"; got != want {
		t.Errorf("in the next: %q", got)
	}
}

// recordGolden asks a redis-server all of testdata. Each file finds a state that nobody has set anything in.
func recordGolden(t *testing.T) {
	server := testenv.Redis(t)
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: server.Socket, MaxRetries: -1})
	defer client.Close()
	for name, lines := range generated() {
		var all []golden
		for _, line := range lines {
			all = append(all, golden{ask: line})
		}
		comments := make([]string, len(all))
		comments[0] = "# Generated: go test -run TestLibrariesAnswerAsInRedis -record\n"
		writeGolden(t, filepath.Join("testdata", "libraries", "random_"+name+".txt"), all, comments)
	}
	for _, path := range goldenFiles(t) {
		if err := client.ScriptFlush(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		all, comments := readGolden(t, path)
		for i := range all {
			r, err := client.Eval(context.Background(), script(all[i].ask), nil).StringSlice()
			if err != nil {
				t.Fatalf("%s: %v", all[i].ask, err)
			}
			all[i].answer = r
		}
		writeGolden(t, path, all, comments)
	}
}
