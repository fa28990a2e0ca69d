package redbud

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/redbud-go/redbud"

// allowed is the map of imports: what each package may use of ours besides itself. Imports point downwards only.
// A package that is not here has no place yet: give it one.
var allowed = map[string][]string{
	".":                           {"server", "engine/memory", "engine/redis", "internal/engine", "internal/namespace", "internal/resp", "internal/command"},
	"server":                      {"internal/engine", "internal/resp", "internal/command", "internal/acl"},
	"engine/memory":               {"internal/memstore", "internal/command", "internal/engine", "internal/keyspace", "internal/resp"},
	"engine/redis":                {"internal/engine", "internal/resp", "internal/command", "internal/hashslot"},
	"engine/mysql":                {"internal/sqlstore", "internal/command", "internal/engine", "internal/keyspace", "internal/resp"},
	"engine/postgres":             {"internal/sqlstore", "internal/command", "internal/engine", "internal/keyspace", "internal/resp"},
	"engine/sqlite":               {"internal/sqlstore", "internal/command", "internal/engine", "internal/keyspace", "internal/resp"},
	"internal/memstore":           {"internal/keyspace", "internal/resp"}, // resp: how Redis spells numbers
	"internal/sqlstore":           {"internal/keyspace", "internal/resp"},
	"internal/sqlstore/budget":    {"internal/sqlstore", "internal/command", "internal/engine", "internal/resp"},
	"internal/sqlstore/ordeal":    {"internal/engine", "internal/resp"},
	"internal/command":            {"internal/engine", "internal/keyspace", "internal/resp", "internal/rdb", "internal/lua", "internal/graph", "internal/native"},
	"internal/acl":                {"internal/engine", "internal/resp", "internal/command"},
	"internal/lua":                {"internal/heap", "internal/resp"},
	"internal/heap":               {},
	"internal/hashslot":           {},
	"internal/rdb":                {"internal/keyspace", "internal/resp"},
	"cache/codec":                 {},
	"cache":                       {".", "cache/codec", "script", "internal/hashslot"}, // the root: Open
	"cache/prometheus":            {"cache", "internal/nearstats"},
	"cache/httpcache":             {"cache", "cache/codec"}, // codec: tests
	"cache/otel":                  {"cache", "internal/nearstats"},
	"internal/nearstats":          {"cache"},
	"script":                      {"internal/graph", "internal/luagen"},
	"script/stack":                {"script"},
	"script/once":                 {"script"},
	"script/rate":                 {"script"},
	"script/queue":                {"script"},
	"internal/kittest":            {".", "engine/sqlite", "engine/postgres", "engine/mysql", "internal/testenv"},
	"internal/graph":              {},
	"internal/luagen":             {"internal/graph"},
	"internal/native":             {"internal/graph", "internal/heap", "internal/resp"},
	"internal/namespace":          {"internal/engine", "internal/resp", "internal/command"},
	"internal/engine":             {"internal/resp"},
	"internal/engine/enginetest":  {"internal/command", "internal/engine", "internal/resp"},
	"internal/keyspace":           {},
	"internal/keyspace/storetest": {"internal/keyspace"},
	"internal/resp":               {},
	"internal/testenv":            {},
	"internal/bench":              {"internal/resp", "internal/testenv"},
	"internal/softwaretest":       {},
	"internal/docgen":             {"internal/command"},
}

// allowedInTests is what the tests of any package may use besides.
var allowedInTests = []string{".", "script", "internal/kittest", "server", "internal/testenv", "internal/memstore", "internal/engine/enginetest", "internal/keyspace/storetest", "internal/sqlstore/budget", "engine/memory", "engine/redis", "engine/sqlite", "engine/postgres", "engine/mysql"}

// forbidden are the names that say nothing about what is in a package.
var forbidden = []string{"util", "utils", "common", "types", "core", "pkg", "helpers"}

// clockless packages get the time from outside, but for the one default of the clock.
var clockless = map[string]string{
	"internal/command":  "internal/command/engine.go",
	"internal/memstore": "",
	"internal/sqlstore": "",
}

func TestImportsPointDownwards(t *testing.T) {
	for _, f := range sources(t) {
		for _, complaint := range checkFile(f) {
			t.Error(complaint)
		}
	}
}

// TestWhatRunsWithoutTheRaceDetectorRuns fails for a test that make test leaves out both times: it is not compiled with the detector, and
// its name is not among those that run without it.
func TestWhatRunsWithoutTheRaceDetectorRuns(t *testing.T) {
	recipe, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^\tgo test -run '(.*)' \./\.\.\.$`).FindSubmatch(recipe)
	if m == nil {
		t.Fatal("the Makefile has no line that runs tests without the race detector")
	}
	chosen, found := regexp.MustCompile(string(m[1])), 0
	for _, f := range sources(t) {
		if !strings.HasSuffix(f.name, "_test.go") || !withoutRace(f.tree) {
			continue
		}
		for _, d := range f.tree.Decls {
			test, ok := d.(*ast.FuncDecl)
			if !ok || test.Recv != nil || !strings.HasPrefix(test.Name.Name, "Test") || test.Name.Name == "TestMain" {
				continue
			}
			found++
			if !chosen.MatchString(test.Name.Name) {
				t.Errorf("%s: nobody runs %s: its name does not match %s of the Makefile", f.name, test.Name.Name, chosen)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d tests were found", found)
	}
}

// withoutRace reports whether a file is left out when the race detector is in.
func withoutRace(tree *ast.File) bool {
	for _, group := range tree.Comments {
		for _, c := range group.List {
			if e, err := constraint.Parse(c.Text); err == nil && group.Pos() < tree.Package {
				other := func(tag string) bool { return tag != "race" }
				return !e.Eval(func(string) bool { return true }) && e.Eval(other)
			}
		}
	}
	return false
}

// source is a parsed file.
type source struct {
	name string // relative to the root, with slashes
	tree *ast.File
}

// sources parses every Go file of the module: those of other systems too, but not of modules within.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if name == "." {
				return nil
			}
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			if base := d.Name(); err == nil || base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
				return filepath.SkipDir
			}
		case strings.HasSuffix(name, ".go"):
			tree, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution|parser.ParseComments)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			all = append(all, source{filepath.ToSlash(name), tree})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d files were found", len(all))
	}
	return all
}

// checkFile returns what is wrong with a file.
func checkFile(f source) (complaints []string) {
	pkg := path.Dir(f.name)
	test := strings.HasSuffix(f.name, "_test.go")
	complain := func(format string, args ...any) {
		complaints = append(complaints, f.name+": "+fmt.Sprintf(format, args...))
	}
	for part := range strings.SplitSeq(pkg, "/") {
		if slices.Contains(forbidden, part) {
			complain("%q is no name for a package: say what is in it", part)
		}
	}
	if slices.Contains(forbidden, strings.TrimSuffix(f.tree.Name.Name, "_test")) {
		complain("%q is no name for a package: say what is in it", f.tree.Name.Name)
	}
	may, placed := allowed[pkg]
	if !placed && !strings.HasPrefix(pkg, "cmd/") {
		complain("package %s has no place in the map of imports", pkg)
	}
	for _, spec := range f.tree.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			complain("%v", err)
			continue
		}
		to, ours := strings.CutPrefix(p, module)
		if !ours || to != "" && to[0] != '/' {
			continue
		}
		if to = strings.TrimPrefix(to, "/"); to == "" {
			to = "."
		}
		if to == pkg || strings.HasPrefix(pkg, "cmd/") || slices.Contains(may, to) || test && slices.Contains(allowedInTests, to) {
			continue
		}
		complain("%s must not import %s", pkg, to)
	}
	if except, ok := clockless[pkg]; ok && !test && f.name != except && readsClock(f.tree) {
		complain("%s must not read the clock: the time comes in from outside", pkg)
	}
	return complaints
}

// readsClock reports whether a file mentions time.Now, Since or Until.
func readsClock(tree *ast.File) (reads bool) {
	ast.Inspect(tree, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name) {
			reads = true
		}
		return true
	})
	return reads
}

func TestTheMapHasNoCircle(t *testing.T) {
	const busy, done = 1, 2
	state := map[string]int{}
	var visit func(pkg string)
	visit = func(pkg string) {
		switch state[pkg] {
		case busy:
			t.Errorf("%s can import itself through others", pkg)
			return
		case done:
			return
		}
		state[pkg] = busy
		for _, to := range allowed[pkg] {
			visit(to)
		}
		state[pkg] = done
	}
	for pkg := range allowed {
		visit(pkg)
	}
}

func TestWrongFilesAreSeen(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"internal/resp/x.go", `package resp; import _ "` + module + `/internal/engine"`, "internal/resp must not import internal/engine"},
		{"internal/command/x.go", `package command; import _ "` + module + `"`, "internal/command must not import ."},
		{"server/x.go", `package server; import _ "` + module + `/engine/redis"`, "server must not import engine/redis"},
		{"server/x_test.go", `package server; import _ "` + module + `/engine/redis"`, ""},
		{"server/x_test.go", `package server; import _ "` + module + `/cmd/redbud"`, "server must not import cmd/redbud"},
		{"server/x.go", `package server; import _ "` + module + `-else/engine/redis"`, ""},
		{"cmd/redbud/x.go", `package main; import _ "` + module + `/engine/redis"`, ""},
		{"new/x.go", `package new`, "has no place"},
		{"internal/resp/util/x.go", `package util`, "no name for a package"},
		{"internal/command/x.go", `package helpers`, "no name for a package"},
		{"internal/command/x.go", `package command; import "time"; var now = time.Now`, "must not read the clock"},
		{"internal/memstore/x.go", `package memstore; import "time"; func f() { _ = time.Since(time.Time{}) }`, "must not read the clock"},
		{"internal/command/engine.go", `package command; import "time"; var now = time.Now`, ""},
		{"internal/command/x_test.go", `package command; import "time"; var now = time.Now`, ""},
	} {
		tree, err := parser.ParseFile(token.NewFileSet(), c.name, c.text, 0)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(checkFile(source{c.name, tree}), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s\ncomplaint: %q, want %q", c.name, c.text, got, c.want)
		}
	}
}
