package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/server"
)

// doOptions are the flags of do.
type doOptions struct {
	json, raw, noRaw bool
	resp3            bool
	lastFromInput    bool
	load             string // a file; "": none
}

func doCommand(s streams) *cobra.Command {
	var o doOptions
	c := &cobra.Command{
		Use:   "do [flags] URL COMMAND [ARG...]",
		Short: "Run one command on an engine",
		Long: `Runs one command on the engine that URL names, and prints the reply as redis-cli does: for people on a terminal,
bare otherwise. The exit code is 1 if the reply is an error.

Flags come before URL; all that follows it is the command.

With --load there is no command: the keys of a dump.rdb, which SAVE and BGSAVE of Redis write, are stored in place of those of the
same names, each in its own database. A file is checked to its end before the first key is stored. What has expired, and what
only modules or functions understand, is left out.`,
		Example: `  redbud do redis://localhost:6379 SET greeting hello EX 60
  redbud do redis+cluster://h1:7000,h2:7000 GET greeting
  redbud do --json redis://localhost HGETALL user:1
  redbud do -x redis://localhost SET picture < picture.png
  redbud do --load dump.rdb redis://localhost
  redbud do memory:// COMMAND DOCS zadd`,
		Args: func(c *cobra.Command, args []string) error {
			if o.load != "" {
				return cobra.ExactArgs(1)(c, args)
			}
			return cobra.MinimumNArgs(2)(c, args)
		},
		ValidArgsFunction: completeCall,
		RunE: func(c *cobra.Command, args []string) error {
			if o.load != "" {
				return load(c.Context(), s, o.load, args[0])
			}
			return do(c.Context(), s, &o, args[0], args[1:])
		},
	}
	f := c.Flags()
	f.SetInterspersed(false)
	f.BoolVar(&o.json, "json", false, "print the reply as a line of JSON")
	f.BoolVar(&o.raw, "raw", false, "print the bytes alone, even on a terminal")
	f.BoolVar(&o.noRaw, "no-raw", false, "print for people, even into a file or pipe")
	f.BoolVarP(&o.resp3, "resp3", "3", false, "ask in RESP3, where replies know more types")
	f.BoolVarP(&o.lastFromInput, "stdin", "x", false, "read the last argument from standard input")
	f.StringVar(&o.load, "load", "", `store the keys of an RDB file; "-" reads it from standard input`)
	c.MarkFlagsMutuallyExclusive("json", "raw", "no-raw")
	c.MarkFlagsMutuallyExclusive("load", "stdin")
	return c
}

// do is redbud do.
func do(ctx context.Context, s streams, o *doOptions, url string, words []string) (err error) {
	call := make([][]byte, len(words))
	for i, w := range words {
		call[i] = []byte(w)
	}
	if o.lastFromInput {
		last, err := io.ReadAll(s.in)
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		call = append(call, last)
	}
	e, err := engine.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	reply, err := ask(e, o.resp3, call)
	if err != nil {
		return err
	}
	if _, err := s.out.Write(format(reply, o, isTerminal(s.out))); err != nil {
		return fmt.Errorf("print the reply: %w", err)
	}
	if reply.IsError() {
		return errRefused
	}
	return nil
}

// ask sends a call and reads its reply.
func ask(e engine.Engine, resp3 bool, call [][]byte) (*resp.Value, error) {
	conn := server.Pipe(e, server.Options{Logger: slog.New(slog.DiscardHandler)}) // a failure is the reply as well
	defer conn.Close()
	r := bufio.NewReader(conn)
	if resp3 {
		if hello, err := exchange(conn, r, [][]byte{[]byte("HELLO"), []byte("3")}); err != nil || hello.IsError() {
			return hello, err
		}
	}
	return exchange(conn, r, call)
}

func exchange(conn net.Conn, r *bufio.Reader, call [][]byte) (*resp.Value, error) {
	w := &resp.Writer{}
	w.Array(len(call))
	for _, arg := range call {
		w.Bulk(arg)
	}
	if _, err := conn.Write(w.Buf); err != nil {
		return nil, fmt.Errorf("send the command: %w", err)
	}
	v, err := resp.ReadValue(r)
	if err != nil {
		return nil, fmt.Errorf("read the reply: %w", err)
	}
	return &v, nil
}

// format is how a reply is printed.
func format(v *resp.Value, o *doOptions, terminal bool) []byte {
	switch {
	case o.json:
		return resp.AppendJSON(nil, v)
	case o.raw, !terminal && !o.noRaw:
		return resp.AppendRaw(nil, v)
	}
	return resp.AppendCLI(nil, v)
}
