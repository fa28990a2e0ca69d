package command_test

import (
	"context"
	"fmt"
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
