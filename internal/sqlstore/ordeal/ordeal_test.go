// Package ordeal has what every SQL engine must go through: kill -9 of the process and of the database's server under load, several
// processes on one database, and input of the worst kind. An engine is a database, as TestOrdealOfSQLite has it.
package ordeal

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"testing"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/testenv"
	"github.com/redbud-go/redbud/server"
)

var (
	long = flag.Bool("long", false, "kill 20 times and let processes compete for a minute, not 5 times and for 5 seconds")
	seed = flag.Uint64("seed", 0, "seed of the random choices; 0: another one each time")
)

// serveEnv makes this test's process one that serves the engine that it names.
const serveEnv = "REDBUD_ORDEAL_SERVE"

func TestMain(m *testing.M) {
	if url := os.Getenv(serveEnv); url != "" {
		if err := serve(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testenv.Main(m)
}

// serve serves an engine until standard input ends, as it does with the parent, and tells on standard output where.
func serve(url string) (err error) {
	e, err := engine.Open(context.Background(), url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := server.New(e, server.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	fmt.Println(l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is all there is to know
	err = s.Close()
	<-served
	return err
}

// database is what an engine keeps its keys in. Nobody else uses it.
type database struct {
	url   string                                     // of the engine, so that nothing that was acknowledged is ever lost
	fast  string                                     // of the engine, where that does not matter
	ask   func(t *testing.T, statement string) int64 // the first column of the one row that a statement has
	check func(t *testing.T)                         // lets the database look whether it is sound; nil: it has no way
	kill  func(t *testing.T)                         // ends its server at once and starts it again; nil: there is none
}

// run puts an engine through all of it. fresh makes an empty database.
func run(t *testing.T, fresh func(t *testing.T) *database) {
	t.Run("killed process", func(t *testing.T) { surviveKills(t, fresh(t), false) })
	if d := fresh(t); d.kill != nil { // or it has no server
		t.Run("killed server", func(t *testing.T) { surviveKills(t, d, true) })
	}
	t.Run("two processes", func(t *testing.T) { compete(t, fresh(t)) })
	t.Run("bad names and values", func(t *testing.T) { takeBadInput(t, fresh(t)) })
	t.Run("many calls", func(t *testing.T) { takeManyCalls(t, fresh(t)) })
	t.Run("ended contexts", func(t *testing.T) { heedContexts(t, fresh(t)) })
	t.Run("512 MiB", func(t *testing.T) { takeLargeValues(t, fresh(t)) })
}

// random returns a source of random choices, whose seed is printed.
func random(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = rand.Uint64N(1 << 32)
	}
	t.Logf("-seed %d", s)
	return rand.New(rand.NewPCG(s, 0))
}
