package command_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/graph"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
)

type node = graph.Node

func block(kids ...*node) *node { return &node{Op: graph.OpBlock, Kids: kids} }
func key(i int) *node           { return &node{Op: graph.OpKey, N: i} }
func arg(i int) *node           { return &node{Op: graph.OpArg, N: i} }
func variable(i int) *node      { return &node{Op: graph.OpVar, N: i} }
func fn(name string, kids ...*node) *node {
	return &node{Op: graph.OpFunc, Text: name, Kids: kids}
}
func asks(name string, shape graph.Shape, kids ...*node) *node {
	return &node{Op: graph.OpCall, Text: name, Shape: shape, Kids: kids}
}
func writes(name string, shape graph.Shape, kids ...*node) *node {
	return &node{Op: graph.OpCall, Text: name, Shape: shape, Write: true, Kids: kids}
}
func does(kid *node) *node           { return &node{Op: graph.OpDo, Kids: []*node{kid}} }
func returns(kid *node) *node        { return &node{Op: graph.OpReturn, Kids: []*node{kid}} }
func defines(i int, kid *node) *node { return &node{Op: graph.OpVarDef, N: i, Kids: []*node{kid}} }
func assigns(i int, kid *node) *node { return &node{Op: graph.OpAssign, N: i, Kids: []*node{kid}} }
func decides(kids ...*node) *node    { return &node{Op: graph.OpIf, Kids: kids} }
func while(kids ...*node) *node      { return &node{Op: graph.OpWhile, Kids: kids} }
func nothing() *node                 { return &node{Op: graph.OpNull} }

// getProgram returns what a key holds.
func getProgram() *graph.Program {
	return &graph.Program{
		Name: "get", ReadOnly: true, Keys: []graph.Key{{Name: "key"}},
		Body: block(returns(asks("GET", graph.ReplyMaybeString, key(0)))),
	}
}

// partitionProgram divides a list at a number.
func partitionProgram() *graph.Program {
	pop := func() *node { return writes("LPOP", graph.ReplyMaybeString, key(0)) }
	return &graph.Program{
		Name: "partition", Keys: []graph.Key{{Name: "inp"}, {Name: "left"}, {Name: "right"}},
		Args: []graph.Arg{{Name: "cmp", Type: graph.Of(graph.Float)}},
		Vars: []graph.Var{{Name: "cur"}},
		Body: block(
			defines(0, pop()),
			while(variable(0), block(
				decides(fn("lt", fn("float", variable(0)), arg(0)),
					block(does(writes("LPUSH", graph.ReplyInt, key(1), variable(0)))),
					block(does(writes("RPUSH", graph.ReplyInt, key(2), variable(0))))),
				assigns(0, pop()))),
			decides(fn("gt", asks("LLEN", graph.ReplyInt, key(1)), asks("LLEN", graph.ReplyInt, key(2))),
				block(does(writes("LPUSH", graph.ReplyInt, key(2), fn("or", writes("RPOP", graph.ReplyMaybeString, key(1)), &node{Op: graph.OpString}))))),
			returns(nothing())),
	}
}

func batchOf(args ...string) *engine.Batch {
	var c engine.Call
	for _, a := range args {
		c = append(c, []byte(a))
	}
	return &engine.Batch{Calls: []engine.Call{c}}
}

func BenchmarkOneGet(b *testing.B) {
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
	defer e.Close()
	w := &resp.Writer{}
	run := func(batch *engine.Batch) {
		w.Truncate(0)
		if err := e.Do(context.Background(), batch, w); err != nil || w.Buf[0] == '-' {
			b.Fatalf("%v %q", err, w.Buf)
		}
	}
	run(batchOf("SET", "key", "value"))
	run(batchOf("SCRIPT", "LOAD", string(graph.Encode(getProgram()))))
	for name, batch := range map[string]*engine.Batch{
		"native": batchOf("REDBUD.EVALSHA", string(w.Buf[5:45]), "1", "key"),
		"get":    batchOf("GET", "key"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run(batch)
			}
		})
	}
}

func BenchmarkPartition(b *testing.B) {
	store := memstore.New(memstore.Options{})
	e := command.NewEngine(store, command.Options{})
	defer e.Close()
	w := &resp.Writer{}
	run := func(batch *engine.Batch) {
		w.Truncate(0)
		if err := e.Do(context.Background(), batch, w); err != nil || w.Buf[0] == '-' {
			b.Fatalf("%v %q", err, w.Buf)
		}
	}
	run(batchOf("SCRIPT", "LOAD", string(graph.Encode(partitionProgram()))))
	partition := batchOf("REDBUD.EVALSHA", string(w.Buf[5:45]), "3", "inp", "left", "right", "500")
	push := []string{"RPUSH", "inp"}
	for i := range 1000 {
		push = append(push, fmt.Sprint(i*7919%1000))
	}
	fill, empty := batchOf(push...), batchOf("DEL", "inp", "left", "right")
	for name, do := range map[string]func(){
		"native": func() { run(partition) },
		"store":  func() { partitionByHand(b, store) },
	} {
		b.Run(name, func(b *testing.B) {
			var took time.Duration
			for b.Loop() { // the timer of b looks at the memory whenever it stops, which costs more than a run
				run(empty)
				run(fill)
				began := time.Now()
				do()
				took += time.Since(began)
			}
			b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ns/run")
		})
	}
}

// partitionByHand is what the program does, without commands.
func partitionByHand(b *testing.B, store keyspace.Store) {
	tx, err := store.Begin(context.Background(), keyspace.Access{Write: true, All: true, Lookup: &keyspace.Lookup{}})
	if err != nil {
		b.Fatal(err)
	}
	defer tx.Rollback()
	release := tx.(keyspace.Releaser)
	var value [1][]byte
	took := false
	take := func(v []byte) { took, value[0] = true, append(value[0][:0], v...) }
	pop := func(key string, end keyspace.End) bool {
		took = false
		l, err := tx.List([]byte(key))
		if err != nil {
			b.Fatal(err)
		}
		if err = l.Pop(end, 1, take); err != nil {
			b.Fatal(err)
		}
		return took
	}
	lens := map[string]int{}
	push := func(key string, end keyspace.End) {
		l, err := tx.List([]byte(key))
		if err != nil {
			b.Fatal(err)
		}
		if lens[key], err = l.Push(end, value[:]); err != nil {
			b.Fatal(err)
		}
		release.Release()
	}
	for pop("inp", keyspace.Left) {
		if n, _ := resp.ParseInt(value[0]); n < 500 {
			push("left", keyspace.Left)
		} else {
			push("right", keyspace.Right)
		}
	}
	if lens["left"] > lens["right"] && pop("left", keyspace.Right) {
		push("right", keyspace.Left)
	}
}
func TestAPortableScriptOfOneGetAllocatesNothing(t *testing.T) {
	e := newEngine(t)
	ask(t, e, "SET", "key", "value")
	sha := ask(t, e, "SCRIPT", "LOAD", string(graph.Encode(getProgram())))[len("$40\r\n"):]
	batch, w := batchOf("REDBUD.EVALSHA", sha, "1", "key"), &resp.Writer{}
	n := testing.AllocsPerRun(1000, func() {
		w.Truncate(0)
		if err := e.Do(context.Background(), batch, w); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 && !racing || string(w.Buf) != "$5\r\nvalue\r\n" {
		t.Errorf("%v allocations for the reply %q", n, w.Buf)
	}
}

// wire is the wire form of a program.
func wire(p *graph.Program) string { return string(graph.Encode(p)) }

// setProgram writes a key, whatever else it does.
func setProgram(rest ...*node) *graph.Program {
	set := does(writes("SET", graph.ReplyBool, key(0), &node{Op: graph.OpString, Text: "v"}))
	return &graph.Program{Keys: []graph.Key{{Name: "key"}}, Body: block(append([]*node{set}, rest...)...)}
}

func truth() *node { return &node{Op: graph.OpBool, N: 1} }

const noScript = "-NOSCRIPT No matching script. Please use EVAL."

func TestProgramsAreKeptBesideScripts(t *testing.T) {
	e := newEngine(t)
	get, lua := wire(getProgram()), "return 1"
	sha := ask(t, e, "SCRIPT", "LOAD", get)[5:]
	if want := sha1.Sum([]byte(get)); sha != hex.EncodeToString(want[:]) {
		t.Errorf("it is kept as %q", sha)
	}
	ask(t, e, "SET", "k", "v")
	for _, c := range []struct {
		want string
		call []string
	}{
		{"$1\r\nv", []string{"REDBUD.EVALSHA", sha, "1", "k"}},
		{"$1\r\nv", []string{"redbud.evalsha_ro", strings.ToUpper(sha), "1", "k"}},
		{"$-1", []string{"REDBUD.EVAL", get, "1", "x"}},
		{"$-1", []string{"REDBUD.EVAL_RO", get, "1", "x"}},
		{"*2\r\n:1\r\n:0", []string{"SCRIPT", "EXISTS", sha, strings.Repeat("0", 40)}},
		{noScript, []string{"EVALSHA", sha, "1", "k"}},
		{"-ERR a portable script is no script in Lua: REDBUD.EVAL runs it", []string{"EVAL", get, "1", "k"}},
		{":1", []string{"EVAL", lua, "0"}},
		{noScript, []string{"REDBUD.EVALSHA", fmt.Sprintf("%x", sha1.Sum([]byte(lua))), "0"}},
		{noScript, []string{"REDBUD.EVALSHA", "short", "0"}},
		{"-ERR not the wire form of a program", []string{"REDBUD.EVAL", lua, "0"}},
		{"-ERR not the wire form of a program", []string{"SCRIPT", "LOAD", get[:len(get)-1]}},
		{"-ERR an undeclared key, 0", []string{"REDBUD.EVAL", wire(&graph.Program{Body: block(returns(key(0)))}), "0"}},
		{"-ERR script: call: 0 keys instead of 1", []string{"REDBUD.EVALSHA", sha, "0"}},
		{"-ERR Number of keys can't be greater than number of args", []string{"REDBUD.EVALSHA", sha, "2", "k"}},
		{"+OK", []string{"SCRIPT", "FLUSH"}},
		{noScript, []string{"REDBUD.EVALSHA", sha, "1", "k"}},
		{"*1\r\n:0", []string{"SCRIPT", "EXISTS", sha}},
	} {
		if got := ask(t, e, c.call...); got != c.want {
			t.Errorf("%.60q: %q, not %q", c.call, got, c.want)
		}
	}
}

func TestOnlySoManyEvaluatedProgramsAreKept(t *testing.T) {
	e := newEngine(t)
	shas := []string{}
	for i := range 600 {
		source := wire(&graph.Program{Body: block(returns(&node{Op: graph.OpInt, Int: int64(i)}))})
		ask(t, e, "REDBUD.EVAL", source, "0")
		shas = append(shas, fmt.Sprintf("%x", sha1.Sum([]byte(source))))
	}
	if first, last := ask(t, e, "REDBUD.EVALSHA", shas[0], "0"), ask(t, e, "REDBUD.EVALSHA", shas[599], "0"); first != noScript || last != ":599" {
		t.Errorf("the first answers %q and the last %q", first, last)
	}
}

func TestAProgramDividesAList(t *testing.T) {
	e := newEngine(t)
	ask(t, e, "RPUSH", "a", "5", "2", "3", "7", "9", "8", "8", "1", "4")
	if got := ask(t, e, "REDBUD.EVAL", wire(partitionProgram()), "3", "a", "b", "c", "5"); got != "$-1" {
		t.Errorf("it returns %q", got)
	}
	if got := ask(t, e, "LRANGE", "b", "0", "-1") + ask(t, e, "LRANGE", "c", "0", "-1"); strings.Count(got, "$") != 9 || ask(t, e, "LLEN", "b") != ":4" {
		t.Errorf("it leaves %q", got)
	}
	stats := ask(t, e, "INFO", "commandstats")
	for _, want := range []string{"cmdstat_lpop:calls=10,", "cmdstat_redbud.eval:calls=1,"} {
		if !strings.Contains(stats, want) {
			t.Errorf("INFO lacks %q: %q", want, stats)
		}
	}
}

func TestAnErrorEndsAProgramAndKeepsWhatItWrote(t *testing.T) {
	e := newEngine(t)
	p := setProgram(does(writes("LPUSH", graph.ReplyInt, key(0), truthText())), returns(nothing()))
	if got := ask(t, e, "REDBUD.EVAL", wire(p), "1", "k"); got != wrongType {
		t.Errorf("it replies %q", got)
	}
	if got := ask(t, e, "GET", "k"); got != "$1\r\nv" {
		t.Errorf("it leaves %q", got)
	}
	for _, c := range []struct {
		call *node
		want string
	}{
		{asks("NOSUCH", graph.ReplyAny), "-ERR Unknown Redis command called from script"},
		{asks("GET", graph.ReplyAny), "-ERR Wrong number of args calling Redis command from script"},
		{asks("SUBSCRIBE", graph.ReplyAny, truthText()), "-ERR This Redis command is not allowed from script"},
		{asks("EVAL", graph.ReplyAny, truthText(), truthText()), "-ERR This Redis command is not allowed from script"},
		{asks("REDBUD.EVAL", graph.ReplyAny, truthText(), truthText()), "-ERR This Redis command is not allowed from script"},
		{asks("OBJECT", graph.ReplyMaybeString, &node{Op: graph.OpString, Text: "ENCODING"}, truthText()), "$-1"},
		{asks("BLPOP", graph.ReplyMaybeStrings, truthText(), &node{Op: graph.OpInt}), "-ERR This Redis command is not allowed from script"},
	} {
		if got := ask(t, e, "REDBUD.EVAL", wire(&graph.Program{Body: block(returns(c.call))}), "0"); got != c.want {
			t.Errorf("%s: %q, not %q", c.call.Text, got, c.want)
		}
	}
}

func truthText() *node { return &node{Op: graph.OpString, Text: "true"} }

func TestReadOnlyProgramsWriteNothing(t *testing.T) {
	e := newEngine(t)
	liar := setProgram(returns(nothing()))
	liar.ReadOnly = true
	liar.Body.Kids[0].Kids[0].Write = false
	const refused = "-ERR Write commands are not allowed from read-only scripts."
	for _, c := range [][3]string{
		{"REDBUD.EVAL_RO", wire(setProgram(returns(nothing()))), "-ERR Can not execute a script with write flag using *_ro command."},
		{"REDBUD.EVAL_RO", wire(liar), refused}, {"REDBUD.EVAL", wire(liar), refused},
	} {
		if got := ask(t, e, c[0], c[1], "1", "k"); got != c[2] {
			t.Errorf("%s: %q, not %q", c[0], got, c[2])
		}
	}
	if got := ask(t, e, "EXISTS", "k"); got != ":0" {
		t.Errorf("they have written: %q", got)
	}
}

func TestProgramsAreKilled(t *testing.T) {
	e := newEngine(t)
	ask(t, e, "CONFIG", "SET", "busy-reply-threshold", "10")
	forever := while(truth(), block())
	done := start(context.Background(), e, "REDBUD.EVAL", wire(&graph.Program{Steps: 1 << 60, Body: block(forever)}), "0")
	untilBusy(t, e)
	if got := ask(t, e, "GET", "k"); got != busyScript {
		t.Errorf("a call meanwhile: %q", got)
	}
	if got := ask(t, e, "SCRIPT", "KILL"); got != "+OK" {
		t.Errorf("SCRIPT KILL: %q", got)
	}
	if got := <-done; got.reply != "-ERR Script killed by user with SCRIPT KILL..." {
		t.Errorf("it ends with %+v", got)
	}
	done = start(context.Background(), e, "REDBUD.EVAL", wire(&graph.Program{Keys: setProgram().Keys, Steps: 1 << 60, Body: block(append(setProgram().Body.Kids, forever)...)}), "1", "k")
	untilBusy(t, e)
	if got := ask(t, e, "SCRIPT", "KILL"); !strings.HasPrefix(got, "-UNKILLABLE") {
		t.Errorf("SCRIPT KILL of one that has written: %q", got)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if got := <-done; !strings.Contains(got.reply, "Script killed") {
		t.Errorf("the end of the engine ends it with %+v", got)
	}
}

func TestTheEndOfItsContextEndsAProgram(t *testing.T) {
	e := newEngine(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	cancel(why)
	if got, err := call(ctx, e, "REDBUD.EVAL", wire(&graph.Program{Steps: 1 << 60, Body: block(while(truth(), block()))}), "0"); !errors.Is(err, why) {
		t.Errorf("it replies %q, %v", got, err)
	}
	if got := ask(t, e, "REDBUD.EVAL", wire(&graph.Program{Steps: 5000, Body: block(while(truth(), block()))}), "0"); got != "-ERR script: steps: more than 5000 turns of loops" {
		t.Errorf("one with fewer turns replies %q", got)
	}
}

// refusing is a connection whose user may not make calls of one key.
type refusing struct {
	engine.Session
	told []string
}

func (r *refusing) Scripted(call engine.Call, begin bool) {
	r.told = append(r.told, fmt.Sprint(begin, " ", string(call[0])))
}

func (r *refusing) Refuses(call engine.Call, script bool) string {
	if script && string(call[1]) == "secret" {
		return "NOPERM this key is not for you"
	}
	return ""
}

func TestAProgramMayDoWhatItsUserMay(t *testing.T) {
	e := newEngine(t)
	r := &refusing{}
	for key, want := range map[string]string{"open": "$-1\r\n", "secret": "-NOPERM this key is not for you\r\n"} {
		b, w := batchOf("REDBUD.EVAL", wire(getProgram()), "1", key), &resp.Writer{}
		b.Session = r
		if err := e.Do(context.Background(), b, w); err != nil || string(w.Buf) != want {
			t.Errorf("%s: %q, %v", key, w.Buf, err)
		}
	}
	if got := strings.Join(r.told, ", "); strings.Count(got, "true REDBUD.EVAL") != 2 || strings.Count(got, "false GET") != 1 {
		t.Errorf("the connection is told of %s", got)
	}
}

func TestProgramsRunInTransactionsAndSeeTheirDatabase(t *testing.T) {
	e := newEngine(t)
	b, w := batchOf("REDBUD.EVAL", wire(setProgram(returns(truth()))), "1", "k"), &resp.Writer{}
	b.Calls = append(b.Calls, words("GET k"), batchOf("REDBUD.EVAL", wire(getProgram()), "1", "k").Calls[0])
	b.Atomic, b.DB = true, 3
	if err := e.Do(context.Background(), b, w); err != nil || string(w.Buf) != ":1\r\n$1\r\nv\r\n$1\r\nv\r\n" {
		t.Errorf("%q, %v", w.Buf, err)
	}
	if got := ask(t, e, "GET", "k"); got != "$-1" {
		t.Errorf("database 0 has %q", got)
	}
}

func TestProgramsNeedMemoryAsTheirCommandsDo(t *testing.T) {
	e := newEngine(t)
	ask(t, e, "SET", "k", "v")
	ask(t, e, "CONFIG", "SET", "maxmemory", "1")
	if got := ask(t, e, "REDBUD.EVAL", wire(setProgram(returns(truth()))), "1", "k"); got != oom {
		t.Errorf("one that writes: %q", got)
	}
	if got := ask(t, e, "REDBUD.EVAL", wire(getProgram()), "1", "k"); got != "$1\r\nv" {
		t.Errorf("one that reads: %q", got)
	}
}

func TestWhatProgramsChangeIsToldAsTheirCallsAre(t *testing.T) {
	e := newEngine(t)
	s, _ := follow(t, e)
	ask(t, e, "REDBUD.EVAL", wire(setProgram(does(writes("SADD", graph.ReplyInt, key(0), truthText())), returns(nothing()))), "1", "k")
	ask(t, e, "REDBUD.EVAL", wire(getProgram()), "1", "k")
	if got := s.take(t); got != "SET k v" {
		t.Errorf("followers are told %q", got)
	}
}
