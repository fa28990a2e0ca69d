// Redbud serves an engine to Redis clients and runs single commands on any engine. It is the one program that has all
// engines.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	_ "github.com/redbud-go/redbud/engine/memory"
	_ "github.com/redbud-go/redbud/engine/mysql"
	_ "github.com/redbud-go/redbud/engine/postgres"
	_ "github.com/redbud-go/redbud/engine/redis"
	_ "github.com/redbud-go/redbud/engine/sqlite"
)

// streams are what a program talks to the world by.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// errRefused is the end of a command whose reply was an error, which has been printed: nothing is left to say.
var errRefused = errors.New("refused")

// run is the program, save for the process around it. It returns the exit code.
func run(ctx context.Context, args []string, s streams) int {
	root := rootCommand(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case !errors.Is(err, errRefused):
		fmt.Fprintln(s.err, "redbud:", err)
	}
	return 1
}

func rootCommand(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "redbud",
		Short: "Redis-like storage on any engine",
		Long: `Redbud serves Redis-like storage on any engine: a keyspace in the process, or a real Redis, Valkey or KeyDB.

An engine is named by a URL: memory://, redis://host:6379/0, rediss://…, redis+unix:///path,
redis+cluster://h1,h2, redis+sentinel://h1,h2/master. "redbud do -h" and "redbud serve -h" have examples.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.AddCommand(serveCommand(s), doCommand(s), cacheCommand(s), versionCommand(s))
	return root
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
