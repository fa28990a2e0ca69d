// Package storetest proves that a keyspace.Store keeps its contract. Run holds every store to the same cases, whose names
// say what they ask for, and then drives all primitives at random against a model made of maps and slices.
package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// Run runs the suite. open returns a new, empty store without a clock of its own; Run closes it.
func Run(t *testing.T, open func(t *testing.T) keyspace.Store) {
	groups := []struct {
		name  string
		cases []testCase
	}{
		{"strings", stringCases},
		{"keys", keyCases},
		{"expiry", expiryCases},
		{"databases", databaseCases},
		{"watch", watchCases},
		{"wait", waitCases},
		{"scan", scanCases},
		{"hash", hashCases},
		{"fields that expire", hashExpiryCases},
		{"list", listCases},
		{"set", setCases},
		{"sorted set", sortedSetCases},
		{"stream", streamCases},
		{"store", storeCases},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) {
					store := open(t)
					t.Cleanup(func() {
						if err := store.Close(); err != nil {
							t.Errorf("close: %v", err)
						}
					})
					c.run(&subject{t: t, store: store, now: start})
				})
			}
		})
	}
	t.Run("model", func(t *testing.T) { checkModel(t, open) })
	t.Run("model of a stream", func(t *testing.T) { checkStreamModel(t, open) })
}

type testCase struct {
	name string
	run  func(s *subject)
}

// start is the time at which every case begins, in milliseconds since 1970.
const start int64 = 1_700_000_000_000

// tb is what *testing.T and *rapid.T have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// subject is the store under test and the time it is told.
type subject struct {
	t     tb
	store keyspace.Store
	now   int64
}

// do runs f in a transaction on database 0 and commits it.
func (s *subject) do(f func(tx keyspace.Tx)) {
	s.t.Helper()
	tx, err := s.store.Begin(context.Background(), keyspace.Access{Now: s.now, Write: true, All: true})
	if err != nil {
		s.t.Fatalf("begin: %v", err)
	}
	open := true
	defer func() {
		if open { // f has failed: the store must not stay locked
			tx.Rollback()
		}
	}()
	f(tx)
	open = false
	if err := tx.Commit(); err != nil {
		s.t.Fatalf("commit: %v", err)
	}
}

// equal fails unless got prints as want does.
func (s *subject) equal(what string, got, want any) {
	s.t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		s.t.Fatalf("%s: got %s, want %s", what, short(g), short(w))
	}
}

// fails fails unless err is want.
func (s *subject) fails(what string, err, want error) {
	s.t.Helper()
	if err != want {
		s.t.Fatalf("%s: got error %v, want %v", what, err, want)
	}
}

func short(s string) string {
	if len(s) > 400 {
		return fmt.Sprintf("%s… (%d bytes)", s[:400], len(s))
	}
	return s
}

// must returns v. A store that fails where it has no reason to ends the suite.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// bs makes byte slices of strings.
func bs(texts ...string) [][]byte {
	out := make([][]byte, len(texts))
	for i, s := range texts {
		out[i] = []byte(s)
	}
	return out
}

// texts makes strings of byte slices; a nil one is "(nil)".
func texts(values [][]byte) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
		if v == nil {
			out[i] = "(nil)"
		}
	}
	return out
}

// numbered returns n texts: the prefix with a number from first on.
func numbered(prefix string, first, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(prefix, first+i)
	}
	return out
}

// get is the string at a key, "(nil)" if it is missing.
func get(tx keyspace.Tx, key string) string {
	return texts(must(tx.Get(bs(key), nil)))[0]
}

func put(tx keyspace.Tx, pairs ...string) { check(tx.Put(bs(pairs...), keyspace.Never)) }

func entry(tx keyspace.Tx, key string) keyspace.Entry {
	return must(tx.Entries(bs(key), nil))[0]
}

// sizes are how many keys databases 0 and 1 hold.
func sizes(tx keyspace.Tx) [2]int {
	var n [2]int
	for db := range n {
		check(tx.Select(db))
		n[db], _, _ = tx.Len()
	}
	check(tx.Select(0))
	return n
}

// fill makes one key of each type, named for it, and returns the names.
func fill(tx keyspace.Tx) []string {
	put(tx, "string", "v")
	must(must(tx.List([]byte("list"))).Push(keyspace.Right, bs("a", "b")))
	must(must(tx.Set([]byte("set"))).Add(bs("a", "b")))
	must(must(tx.SortedSet([]byte("zset"))).Put([]keyspace.Scored{{Member: []byte("a"), Score: 1}}))
	must(must(tx.Hash([]byte("hash"))).Set(bs("f", "v"), keyspace.Never))
	return []string{"string", "list", "set", "zset", "hash"}
}

// boundaries are lengths around which stores change how they keep a value.
var boundaries = []int{0, 1, 63, 64, 65, 126, 127, 128, 129, 255, 256, 257, 8183, 8184, 8192, 8193, 16384, 32768, 65535, 65536, 70000}

func long(n int, c string) string { return strings.Repeat(c, n) }
