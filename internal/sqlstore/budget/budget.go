// Package budget holds what calls cost on SQL engines: statements, and round trips to a server. A table in testdata says so for each
// database, and docs/sql.md shows it; an engine's test counts, and Run compares. To write the columns of an engine anew:
//
//	go test ./engine/sqlite -run TestSQLBudget -update
package budget

import (
	"bytes"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/sqlstore"
)

var update = flag.Bool("update", false, "write what calls cost on this engine into the table of budgets and docs/sql.md")

// Run compares what the calls of the table cost on a database with its column. wire has all that goes to the database and comes from
// there; nil: there is no server.
func Run(t *testing.T, column string, d sqlstore.Driver, wire *Wire) {
	table, err := readTable()
	if err != nil {
		t.Fatal(err)
	}
	costs := map[string]string{}
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			got := measure(t, d, wire, c)
			if want := table.cost(c.name, column); got != want && !*update {
				t.Errorf("it costs %s, and the table says %s; -update writes it anew", got, want)
			}
			costs[c.name] = got
		})
	}
	if *update && !t.Failed() {
		if err := table.with(column, costs).write(); err != nil {
			t.Fatal(err)
		}
	}
}

// measure is what a case costs, in the words of the table. Its calls run twice, each time on the same keys, and the second time counts:
// statements are prepared by then, and a block of numbers is there.
func measure(t *testing.T, d sqlstore.Driver, wire *Wire, c *testCase) string {
	counter := &counter{Driver: d}
	clock := start
	open := make(chan struct{})
	s, err := sqlstore.Open(t.Context(), counter, sqlstore.Options{Readers: 1, Seed: 1, Now: func() int64 {
		<-open // the sweeper asks first, and is not what is to be measured
		return start.UnixMilli()
	}})
	if err != nil {
		t.Fatal(err)
	}
	e := command.NewEngine(s, command.Options{Now: func() time.Time { return clock }})
	defer func() {
		close(open)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	cost := ""
	for range 2 {
		clock = start
		do(t, e, engine.Batch{}, "FLUSHDB", "SET other v")
		for _, line := range c.before {
			do(t, e, engine.Batch{}, line)
		}
		clock = clock.Add(c.later)
		counter.reset()
		trips := wire.count()
		c.run(t, e)
		cost = counter.String()
		if wire != nil {
			cost += fmt.Sprintf(" in %d", wire.count()-trips)
		}
	}
	return cost
}

// start is when all cases begin.
var start = time.UnixMilli(1_700_000_000_000)

// run does the calls of a case.
func (c *testCase) run(t *testing.T, e engine.Engine) {
	b := engine.Batch{Atomic: c.atomic || c.watch != "", Wait: c.wait}
	if c.watch != "" {
		var err error
		if b.Guard, err = e.Watch(t.Context(), 0, [][]byte{[]byte(c.watch)}); err != nil {
			t.Fatal(err)
		}
		defer b.Guard.Release()
	}
	do(t, e, b, c.calls...)
}

// do runs calls, each a line of words, as a batch. None may be refused.
func do(t *testing.T, e engine.Engine, b engine.Batch, lines ...string) {
	t.Helper()
	for _, line := range lines {
		words, ok := resp.SplitWords([]byte(line))
		if !ok {
			t.Fatalf("%.80s: no words", line)
		}
		b.Calls = append(b.Calls, words)
	}
	var w resp.Writer
	if err := e.Do(t.Context(), &b, &w); err != nil {
		t.Fatalf("%.80s: %v", lines[0], err)
	}
	if bytes.HasPrefix(w.Buf, []byte("-")) || bytes.Contains(w.Buf, []byte("\r\n-")) {
		t.Fatalf("%.80s: %.200s", lines[0], strings.ReplaceAll(string(w.Buf), "\r\n", " "))
	}
}
