package script

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// above is the line before the one that it is called in, as problems name it.
func above() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file, line-1)
}

func TestMistakesNameTheLineThatBuiltThem(t *testing.T) {
	other := New("other")
	foreign := other.Arg("n", Int)
	cyclic := []any{nil}
	cyclic[0] = cyclic
	for name, c := range map[string]struct {
		build func(b *Builder) (at string)
		text  string
	}{
		"an undeclared key": {func(b *Builder) string {
			b.Return(b.Call("GET", "k"))
			return above()
		}, "GET has an undeclared key"},
		"a key of another program": {func(b *Builder) string {
			b.Return(b.Call("RENAME", b.Key("k"), other.Key("l")))
			return above()
		}, "what was built for program other"},
		"an expression of another program": {func(b *Builder) string {
			b.Return(b.Arg("n", Int).Add(foreign))
			return above()
		}, "what was built for program other"},
		"an unassigned variable": {func(b *Builder) string {
			x := b.Declare("x", Int)
			b.If(b.Arg("c", Bool), func() { x.Assign(1) })
			b.Return(x.Add(1))
			return above()
		}, "variable x may have no value yet"},
		"a variable outside of its block": {func(b *Builder) string {
			var x *Local
			b.If(b.Arg("c", Bool), func() { x = b.Local("x", 1) })
			b.Return(x.Add(1))
			return above()
		}, "variable x is not declared here"},
		"a variable of a loop outside of it": {func(b *Builder) string {
			var x *Local
			b.Each([]int{1}, func(_, item *Local) { x = item })
			b.Return(x.Text())
			return above()
		}, "variable item is not declared here"},
		"a string in a sum": {func(b *Builder) string {
			b.Return(b.Arg("n", Int).Add("1"))
			return above()
		}, "of add, argument 2 is String, where Number is wanted"},
		"a number assigned to a string": {func(b *Builder) string {
			x := b.Local("x", "")
			x.Assign(1)
			at := above()
			b.Return(x)
			return at
		}, "variable x is Int, where String is wanted"},
		"a fraction assigned to an integer": {func(b *Builder) string {
			x := b.Local("x", 1)
			x.Assign(2.5)
			at := above()
			b.Return(x)
			return at
		}, "variable x is Float, where Int is wanted"},
		"a list compared": {func(b *Builder) string {
			b.Return(Value([]int{1}).Lt(1))
			return above()
		}, "List(Int) has no order"},
		"a number compared with a string": {func(b *Builder) string {
			b.Return(b.Arg("n", Int).Lt("1"))
			return above()
		}, "Int is compared with String"},
		"a list as a word": {func(b *Builder) string {
			b.Return(b.Var("k").Set([]int{1}))
			return above()
		}, "List(Int) can't be a word of SET"},
		"a boolean as a word": {func(b *Builder) string {
			b.Return(b.Var("k").Set(true))
			return above()
		}, "Bool can't be a word of SET"},
		"a map walked as a list": {func(b *Builder) string {
			b.Each(map[string]int{}, func(_, _ *Local) {})
			at := above()
			b.Return(nil)
			return at
		}, "a list to walk is Map(Int)"},
		"an element of another type": {func(b *Builder) string {
			l := b.Local("l", []string{})
			l.Append(1)
			at := above()
			b.Return(l)
			return at
		}, "an element of l is Int, where String is wanted"},
		"Any changed in place": {func(b *Builder) string {
			l := b.Local("l", b.Arg("json", Any))
			l.Append(1)
			at := above()
			b.Return(l)
			return at
		}, "declare the variable with that type"},
		"no return": {func(b *Builder) string {
			b.Do(b.Var("k").Set(1))
			return above()
		}, "the program may end without Return"},
		"no return on one way": {func(b *Builder) string {
			b.If(b.Arg("c", Bool), func() { b.Return(1) })
			return above()
		}, "the program may end without Return"},
		"nothing behind a return": {func(b *Builder) string {
			b.Return(1)
			b.Log(Notice, "never")
			return above()
		}, "nothing gets here"},
		"a write in a read-only program": {func(b *Builder) string {
			b.ReadOnly()
			b.Return(b.List("l").LPop())
			return above()
		}, "LPOP may write, and the program is read-only"},
		"any command in a read-only program": {func(b *Builder) string {
			b.ReadOnly()
			b.Return(b.Call("OBJECT ENCODING", b.Key("k")))
			return above()
		}, "OBJECT may write, and the program is read-only"},
		"a command that never runs": {func(b *Builder) string {
			b.Var("k").Set(1)
			at := above()
			b.Return(nil)
			return at
		}, "SET is built and never runs"},
		"a command in two places": {func(b *Builder) string {
			x := b.List("l").LPop()
			at := above()
			b.Return(x.Or(x))
			return at
		}, "LPOP stands in two places"},
		"break outside of a loop": {func(b *Builder) string {
			b.Break()
			at := above()
			b.Return(nil)
			return at
		}, "Break stands in no loop"},
		"two Elses": {func(b *Builder) string {
			br := b.If(true, func() {})
			at := above()
			br.Else(func() {})
			br.Else(func() {})
			b.Return(nil)
			return at
		}, "the If has an Else already"},
		"a literal that contains itself": {func(b *Builder) string {
			b.Return(cyclic)
			return above()
		}, "contains itself"},
		"a literal of no type": {func(b *Builder) string {
			b.Return(struct{}{})
			return above()
		}, "struct {} can't be a literal"},
		"a large unsigned literal": {func(b *Builder) string {
			b.Return(uint64(1 << 63))
			return above()
		}, "beyond 64 bits"},
		"a literal that is not a number": {func(b *Builder) string {
			zero := 0.0
			b.Return(zero / zero)
			return above()
		}, "not a number"},
		"an expression that nothing built": {func(b *Builder) string {
			b.Return(Expr{})
			return above()
		}, "nothing has built"},
		"the length of a number": {func(b *Builder) string {
			b.Return(Value(1).Len())
			return above()
		}, "Int has no length"},
		"the text of a list": {func(b *Builder) string {
			b.Return(Concat("a", []int{}))
			return above()
		}, "has no text"},
		"a remainder of a fraction": {func(b *Builder) string {
			b.Return(Value(2.5).Mod(2))
			return above()
		}, "of mod, argument 1 is Float, where Int is wanted"},
		"depth": {func(b *Builder) string {
			x := b.Arg("n", Int)
			at := ""
			for range 100 {
				x = x.Add(1)
				at = above()
			}
			b.Return(x)
			return at
		}, "nested deeper than 64"},
	} {
		t.Run(name, func(t *testing.T) {
			b := New("p")
			at := c.build(b)
			p, err := b.Compile()
			var e *BuildError
			if !errors.As(err, &e) || p != nil {
				t.Fatalf("Compile returns %v and %v", p, err)
			}
			for _, problem := range e.Problems {
				if problem.Place == at && strings.Contains(problem.Text, c.text) {
					return
				}
			}
			t.Errorf("the problems are\n%v\nand not one at %s of %q", err, at, c.text)
		})
	}
}

func TestMistakesOfTheProgramAsAWhole(t *testing.T) {
	for text, build := range map[string]func(b *Builder){
		`two arguments are named "a"`: func(b *Builder) { b.Arg("a", Int); b.Arg("a", Int) },
		`two keys are named "k"`:      func(b *Builder) { b.Var("k"); b.List("k") },
		`"" is no name of key`:        func(b *Builder) { b.Key("") },
		"which only the last":         func(b *Builder) { b.Keys("a"); b.Key("b") },
		"of which there may be 100": func(b *Builder) {
			for i := range 101 {
				b.Local(fmt.Sprint("v", i), 1)
			}
		},
		"inside of a block": func(b *Builder) {
			b.If(true, func() {
				if _, err := b.Compile(); err == nil || !strings.Contains(err.Error(), "inside of a block") {
					t.Errorf("Compile inside of a block returns %v", err)
				}
				b.Arg("x", Int)
				b.Arg("x", Int)
			})
			b.Key("inside of a block")
			b.Key("inside of a block")
		},
	} {
		b := New("p")
		build(b)
		b.Return(nil)
		if _, err := b.Compile(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("Compile returns %v, not %q", err, text)
		}
	}
}

func TestWhatIsThereIsKnownToBeThere(t *testing.T) {
	for name, build := range map[string]func(b *Builder, v *Local){
		"while":    func(b *Builder, v *Local) { b.While(v, func() { b.Do(v.Upper()); v.Assign(nil) }) },
		"not null": func(b *Builder, v *Local) { b.If(v.NotNull().And(b.Arg("c", Bool)), func() { b.Do(v.Upper()) }) },
		"else":     func(b *Builder, v *Local) { b.If(v.IsNull(), func() {}).Else(func() { b.Do(v.Upper()) }) },
		"returned": func(b *Builder, v *Local) { b.If(Not(v), func() { b.Return(nil) }); b.Do(v.Upper()) },
		"assigned": func(b *Builder, v *Local) { v.Assign("there"); b.Do(v.Upper()) },
		"both ways": func(b *Builder, v *Local) {
			b.If(true, func() { v.Assign("a") }).Else(func() { v.Assign("b") })
			b.Do(v.Upper())
		},
		"in And": func(b *Builder, v *Local) { b.Do(v.And(v.Upper())) },
		"in Or":  func(b *Builder, v *Local) { b.Do(v.IsNull().Or(v.Upper())) },
		"broken out": func(b *Builder, v *Local) {
			b.While(true, func() { b.If(v, func() { b.Break() }); v.Assign("x") })
			b.Do(v.Upper())
		},
	} {
		for _, there := range []bool{true, false} {
			b := New("p")
			v := b.Local("v", b.Var("k").Get())
			if there {
				build(b, v)
			} else {
				b.Do(v.Upper())
			}
			b.Return(nil)
			p, err := b.Compile()
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(p.Dot(), "convert"); got == there {
				t.Errorf("%s: there is a check when it runs: %v", name, got)
			}
		}
	}
}

func TestABuilderMayGoOn(t *testing.T) {
	b := New("p")
	n := b.Local("n", 1)
	b.If(n.Gt(0), func() { b.Return(n) })
	b.Return(0)
	p, err := b.Compile()
	if err != nil {
		t.Fatal(err)
	}
	lua := p.tracing().Lua()
	again, err := b.Compile()
	if err != nil || again.graph != p.graph {
		t.Errorf("compiled again, it is another program, or %v", err)
	}
	b.Return(2)
	if _, err := b.Compile(); err == nil || !strings.Contains(err.Error(), "nothing gets here") {
		t.Errorf("with one more statement: %v", err)
	}
	if again.tracing().Lua() != lua {
		t.Error("a program changes with its builder")
	}
}
