// Package sqlite is the engine that keeps keys in an SQLite database. Importing it makes the scheme sqlite known:
//
//	sqlite:///path/app.db   a file, which is made if it is not there
//	sqlite:app.db           a file in the working directory
//	sqlite::memory:         a database of its own for each handle, gone when it is closed
//
// Parameters: synchronous=off, normal (the default), full or extra, as SQLite has them: with normal a loss of power may undo the last
// commits, a crash of the process does not. busy_timeout is how long to wait for other processes that write, 5s by default; readers is
// how many connections read at a time, 4 by default. max_size is how large the database may get, 100mb say, 0 for any by default. With
// mode=ro nothing is written, and there must be a database; mode=rw is the default. locking=exclusive keeps the file from all other
// processes, and does without the locks that they would need; locking=normal is the default.
//
// The database is in WAL mode. Applications may have tables of their own in it; see docs/sql.md.
package sqlite

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/sqlstore"
)

func init() { engine.Register(open, "sqlite") }

// Options of an engine made by New.
type Options struct {
	Synchronous string           // as SQLite has it: "off", "normal", "full" or "extra"; default "normal"
	BusyTimeout time.Duration    // how long to wait for other processes that write; default 5 s
	Readers     int              // connections that read at a time; default 4
	Exclusive   bool             // no other process has the file meanwhile: a third faster, but nothing is read beside a write; default false
	Now         func() time.Time // the clock; default time.Now
	Seed        uint64           // makes SPOP and its like repeatable; default 0: they are not
	MaxSize     int64            // bytes that the database may have, not counting the log beside it; default 0: any
	ReadOnly    bool             // nothing is written, and there must be a database; default false
}

// New returns an engine on the database in a file, which is made if it is not there. An empty path is a database in memory.
func New(ctx context.Context, path string, o Options) (*command.Engine, error) {
	if o.Synchronous == "" {
		o.Synchronous = "normal"
	}
	if o.BusyTimeout == 0 {
		o.BusyTimeout = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if path != "" { // a program may go elsewhere
		var err error
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
	}
	d := &driver{path: path, synchronous: o.Synchronous, busy: o.BusyTimeout, readOnly: o.ReadOnly, exclusive: o.Exclusive, mostBytes: o.MaxSize}
	store, err := sqlstore.Open(ctx, d, sqlstore.Options{
		Now: func() int64 { return o.Now().UnixMilli() }, Readers: o.Readers, Seed: o.Seed, ReadOnly: o.ReadOnly,
	})
	if err != nil {
		return nil, err
	}
	return command.NewEngine(store, command.Options{Now: o.Now}), nil
}

func open(ctx context.Context, u *url.URL) (engine.Engine, error) {
	path, o, err := parse(u)
	if err != nil {
		return nil, err
	}
	return New(ctx, path, o)
}

// parse returns the path and the options that a URL names.
func parse(u *url.URL) (path string, o Options, err error) {
	if path, err = pathOf(u); err != nil {
		return "", o, err
	}
	for name, values := range u.Query() {
		value := values[len(values)-1]
		switch name {
		case "synchronous":
			if o.Synchronous = strings.ToLower(value); !slices.Contains([]string{"off", "normal", "full", "extra"}, o.Synchronous) {
				err = fmt.Errorf("want off, normal, full or extra")
			}
		case "busy_timeout":
			if o.BusyTimeout, err = time.ParseDuration(value); err == nil && o.BusyTimeout <= 0 {
				err = fmt.Errorf("want a time above zero")
			}
		case "readers":
			if o.Readers, err = strconv.Atoi(value); err == nil && (o.Readers < 1 || o.Readers > 1000) {
				err = fmt.Errorf("want 1 to 1000")
			}
		case "locking":
			if o.Exclusive = value == "exclusive"; !o.Exclusive && value != "normal" {
				err = fmt.Errorf("want normal or exclusive")
			}
		case "max_size":
			var ok bool
			if o.MaxSize, ok = command.ParseMemory(value); !ok {
				err = fmt.Errorf("want a number of bytes, or of kb, mb or gb")
			}
		case "mode":
			if o.ReadOnly = value == "ro"; !o.ReadOnly && value != "rw" {
				err = fmt.Errorf("want ro or rw")
			} else if o.ReadOnly && path == "" {
				err = fmt.Errorf("nobody could have written a database in memory")
			}
		default:
			return "", o, fmt.Errorf("sqlite does not know the parameter %q; it knows synchronous, busy_timeout, readers, locking, max_size and mode", name)
		}
		if err != nil {
			return "", o, fmt.Errorf("parameter %s=%s: %w", name, value, err)
		}
	}
	return path, o, nil
}

// pathOf is the path that a URL names; empty: in memory.
func pathOf(u *url.URL) (string, error) {
	switch {
	case u.Host != "" || u.User != nil:
		return "", fmt.Errorf("sqlite takes a path: sqlite:///path/app.db, with three slashes, or sqlite:app.db")
	case u.Opaque == ":memory:":
		return "", nil
	case u.Opaque != "":
		return url.PathUnescape(u.Opaque)
	case u.Path == "" || u.Path == "/":
		return "", fmt.Errorf("sqlite takes the path of a file, as in sqlite:///path/app.db; sqlite::memory: is one without")
	case runtime.GOOS == "windows" && len(u.Path) > 2 && u.Path[2] == ':': // sqlite:///C:/path
		return u.Path[1:], nil
	}
	return u.Path, nil
}
