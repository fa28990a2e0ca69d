package luagen

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/graph"
)

var update = flag.Bool("update", false, "write testdata anew")

// partition moves the numbers of a list to one of two others.
func partition() *graph.Program {
	return program(graph.Program{
		Name: "partition", Keys: []graph.Key{{Name: "inp"}, {Name: "left"}, {Name: "right"}}, Args: []graph.Arg{{Name: "cmp", Type: intType}}, Vars: vars("value"),
	},
		let(0, cmd(graph.ReplyMaybeString, "LPOP", key(0))),
		while(fn("ne", ref(0), null()),
			when(fn("lt", fn("int", ref(0)), arg(0)),
				block(run(cmd(graph.ReplyInt, "LPUSH", key(1), ref(0)))),
				block(run(cmd(graph.ReplyInt, "RPUSH", key(2), ref(0))))),
			set(0, cmd(graph.ReplyMaybeString, "LPOP", key(0)))),
		when(fn("gt", cmd(graph.ReplyInt, "LLEN", key(1)), cmd(graph.ReplyInt, "LLEN", key(2))),
			block(run(cmd(graph.ReplyInt, "LPUSH", key(2), fn("or", cmd(graph.ReplyMaybeString, "RPOP", key(1)), str("")))))),
		ret(null()))
}

func oneGet() *graph.Program {
	return program(graph.Program{Name: "get", Keys: []graph.Key{{Name: "key"}}, ReadOnly: true}, ret(&node{Op: graph.OpCall, Shape: graph.ReplyMaybeString, Text: "GET", Kids: []*node{key(0)}}))
}

// goldens are programs whose Lua is in testdata.
func goldens() map[string]*graph.Program {
	all := map[string]*graph.Program{
		"partition": partition(),
		"get":       oneGet(),
		"arithmetic": program(graph.Program{Args: []graph.Arg{{Name: "a", Type: intType}, {Name: "b", Type: realType}}, Vars: vars("sum", "half", "i")},
			let(0, fn("add", arg(0), num(1))), let(1, fn("div", ref(0), num(2))), let(2, num(0)), set(2, fn("add", ref(2), num(1))), set(0, fn("sub", fn("mul", ref(0), num(3)), fn("mod", ref(2), num(2)))),
			ret(fn("add", fn("neg", ref(1)), fn("mul", arg(1), real(2.5))))),
		"branch": program(graph.Program{Args: []graph.Arg{{Name: "name", Type: strType}, {Name: "on", Type: graph.Of(graph.Bool)}}},
			when(fn("eq", arg(0), str("a")), block(ret(num(1))), block(when(fn("and", arg(1), fn("not", fn("eq", arg(0), str("b")))), block(ret(num(2))), block(ret(num(3))))))),
		"loops": program(graph.Program{Vars: vars("total", "i", "word", "key", "n", "end")},
			let(0, num(0)), each(1, 2, list(str("a"), str("bc")), set(0, fn("add", ref(0), fn("mul", ref(1), fn("len", ref(2)))))),
			pairs(3, 4, dict(str("x"), num(1), str("y"), num(2)), when(fn("eq", ref(3), str("y")), block(stop())), set(0, fn("add", ref(0), ref(4)))),
			let(5, num(0)), while(fn("lt", ref(5), num(10)), set(5, fn("add", ref(5), num(1)))), ret(ref(0))),
		"lists": program(graph.Program{Vars: []graph.Var{{Name: "numbers"}, typed("maybe", graph.ListOf(strType.Optional())), {Name: "copy"}}},
			let(0, list(num(1), num(2))), let(1, list()), stmt(graph.OpAppend, 0, num(3)), stmt(graph.OpSetAt, 0, num(0), num(5)), stmt(graph.OpAppend, 1, null()), let(2, ref(0)),
			ret(list(fn("at", ref(0), num(1)), fn("at", ref(1), num(0)), fn("len", ref(0)), ref(2)))),
		"maps": program(graph.Program{Vars: []graph.Var{{Name: "ages"}}},
			let(0, dict(str("ann"), num(30))), stmt(graph.OpSetKey, 0, str("bob"), num(31)), stmt(graph.OpRemove, 0, str("ann")), when(fn("has", ref(0), str("bob")), block(ret(fn("get", ref(0), str("bob"))))), ret(fn("len", ref(0)))),
		"strings": program(graph.Program{Args: []graph.Arg{{Name: "s", Type: strType}}},
			ret(list(fn("concat", arg(0), str(":"), num(1)), fn("slice", arg(0), num(1)), fn("text", fn("find", arg(0), str("x"))), fn("upper", arg(0)), fn("join", fn("split", arg(0), str(",")), str(";"))))),
		"json":  program(graph.Program{Args: []graph.Arg{{Name: "doc", Type: graph.MapOf(graph.ListOf(intType))}}}, ret(fn("to_json", fn("get", arg(0), str("list"))))),
		"large": program(graph.Program{Keys: []graph.Key{{Name: "n"}}}, ret(fn("eq", cmd(graph.ReplyCounter, "INCRBY", key(0), num(1<<60)), num(1<<60)))),
		"keys": program(graph.Program{Keys: []graph.Key{{Name: "first"}, {Name: "others", Many: true}}, Vars: vars("i", "n")}, let(0, num(0)), let(1, cmd(graph.ReplyInt, "STRLEN", key(0))),
			while(fn("lt", ref(0), keyCount(1)), set(1, fn("add", ref(1), cmd(graph.ReplyInt, "STRLEN", keyAt(1, ref(0))))), set(0, fn("add", ref(0), num(1)))), ret(ref(1))),
		"words": program(graph.Program{Args: []graph.Arg{{Name: "members", Type: graph.ListOf(strType)}}, Keys: []graph.Key{{Name: "set"}}}, logged(2, str("adding"), fn("len", arg(0))),
			run(cmd(graph.ReplyInt, "SADD", key(0), spread(arg(0)))), ret(cmd(graph.ReplyStrings, "SMEMBERS", key(0)))),
		"traced": program(graph.Program{Traced: true, Vars: []graph.Var{typed("n", intType)}}, let(0), set(0, num(1)), ret(fn("and", truth(true), fn("gt", ref(0), real(0.5))))),
		"names":  program(graph.Program{Name: "end\nredis.call('FLUSHALL')", Vars: vars("end", "text", "a b", "a_b", "größe")}, let(0, num(1)), let(1, num(2)), let(2, str("\x00\xff\"\\")), let(3, str("ü\n")), let(4, fn("text", fn("from_json", ref(3)))), ret(list(ref(0), ref(1), ref(2)))),
		"types":  program(graph.Program{Args: []graph.Arg{{Name: "x", Type: anyType}}, Vars: []graph.Var{typed("s", strType), typed("f", realType)}}, let(0, arg(0)), let(1, fn("int", ref(0))), ret(ref(1))),
	}
	for name, p := range all {
		if p.Name == "" {
			p.Name = name
		}
	}
	return all
}

// withoutHelpers is the Lua of a program with the names of the helpers alone.
func withoutHelpers(source string) string {
	head, body, _ := strings.Cut(source, "-- program")
	var named []string
	for _, h := range helpers {
		if strings.Contains(head, h.text+"\n") {
			named = append(named, h.names...)
		}
	}
	return "-- helpers: " + strings.Join(named, ", ") + "\n-- program" + body
}

func TestLuaReadsAsIfWrittenByHand(t *testing.T) {
	for name, p := range goldens() {
		file := filepath.Join("testdata", name+".lua")
		got := Source(checked(t, p))
		if name != "loops" { // which has its helpers, too
			got = withoutHelpers(got)
		}
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs (-update writes it):\n%s", file, got)
		}
	}
	files, err := filepath.Glob("testdata/*.lua")
	if err != nil || len(files) != len(goldens()) {
		t.Errorf("%d files for %d programs: %v", len(files), len(goldens()), err)
	}
}

// What is there once must be there twice: in package graph and here.
func TestEverythingIsImplemented(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(graph.Functions)) {
		if (functions[name] == nil) == (helping[name] == "") {
			t.Errorf("function %s is written in no way, or in two", name)
		}
	}
	if len(functions)+len(helping) != len(graph.Functions) {
		t.Error("there are functions that the language does not have")
	}
	for name, helper := range helping {
		if _, ok := helperOf[helper]; !ok {
			t.Errorf("function %s: there is no helper %s", name, helper)
		}
	}
	for shape, helper := range readers {
		if _, ok := helperOf[helper]; !ok {
			t.Errorf("shape %d: there is no helper %q", shape, helper)
		}
	}
	p := program(graph.Program{Name: "shape"}, ret(cmd(graph.Shape(len(readers)), "PING")))
	if _, problems := graph.Check(p); len(problems) == 0 {
		t.Errorf("there are more shapes than the %d that have a reader", len(readers))
	}
	shown := map[graph.Op]bool{graph.OpInvalid: true}
	var show func(*node)
	show = func(n *node) {
		shown[n.Op] = true
		for _, kid := range n.Kids {
			show(kid)
		}
	}
	for _, p := range goldens() {
		show(checked(t, p).Body)
	}
	for op := graph.Op(1); op.String() != "unknown"; op++ {
		if !shown[op] {
			t.Errorf("no golden shows %s", op)
		}
	}
}

// A helper stands below what it uses, and says what it does not take from others.
func TestHelpersComeWithWhatTheyNeed(t *testing.T) {
	for _, h := range helpers {
		if strings.Contains(h.text, "$") && !strings.Contains(h.text, `$"`) {
			t.Errorf("%s has a constant left", h.names)
		}
		for _, id := range identifier.FindAllString(quotedOrNoted.ReplaceAllString(h.text, `""`), -1) {
			i, ok := helperOf[id]
			if field := id == "text" && slices.Contains(h.names, "large"); ok && !field && !slices.Contains(h.needs, i) && !slices.Contains(h.names, id) {
				t.Errorf("%s uses %s, which stands below it", h.names, id)
			}
		}
	}
	all := map[string]bool{}
	for name := range helperOf {
		all[name] = true
	}
	if got := len(withNeeds(all)); got != len(helpers) {
		t.Errorf("%d of %d helpers", got, len(helpers))
	}
}
