package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// meanings are what result codes of SQLite mean to a store, by the code itself or by the one of its family.
var meanings = map[sqlite.ResultCode]error{
	sqlite.ResultBusy:         keyspace.ErrBusy,
	sqlite.ResultBusySnapshot: keyspace.ErrConflict, // what was read is old: nobody else is in the way of another try
	sqlite.ResultLocked:       keyspace.ErrBusy,
	sqlite.ResultReadOnly:     keyspace.ErrReadOnly,
	sqlite.ResultFull:         keyspace.ErrFull,
	sqlite.ResultTooBig:       keyspace.ErrTooLarge,
	sqlite.ResultCorrupt:      keyspace.ErrDamaged,
	sqlite.ResultNotADB:       keyspace.ErrDamaged,

	sqlite.ResultIOErrShortRead:  keyspace.ErrDamaged, // the file is shorter than it says
	sqlite.ResultReadOnlyDBMoved: keyspace.ErrLost,
}

// known wraps an error of SQLite in what it means to a store.
func known(err error) error {
	if err == nil {
		return nil
	}
	return wrap(meaningOf(sqlite.ErrCode(err)), err)
}

// meaningOf is what a result code means to a store; nil: nothing more.
func meaningOf(code sqlite.ResultCode) error {
	if meaning := meanings[code]; meaning != nil {
		return meaning
	}
	return meanings[code.ToPrimary()]
}

// wrap wraps an error in what it means.
func wrap(meaning, err error) error {
	if meaning == nil {
		return err
	}
	return fmt.Errorf("%w: %w", meaning, err)
}

// examineEvery is how often a connection looks whether its file is still there.
const examineEvery = 100 * time.Millisecond

// health is what a connection knows of its file. SQLite goes on with one that was removed or replaced: what it writes nobody finds.
type health struct {
	file   fs.FileInfo // nil: there is none, the database is in memory
	at     time.Time   // when it was last looked at
	broken bool        // a transaction could not be ended
	losses int64       // as the driver's, when it was opened
	opened int64       // how many times it was opened anew
}

// start begins with the file as it is now.
func (h *health) start(path string, losses *atomic.Int64) (err error) {
	h.losses, h.at = losses.Load(), time.Now()
	h.file, err = os.Stat(path)
	return err
}

// due reports whether it is time to look at the file: at once when another connection has found it lost.
func (h *health) due(losses *atomic.Int64) bool {
	return h.file != nil && (h.broken || h.losses != losses.Load() || time.Since(h.at) >= examineEvery)
}

// examine looks at the file, and opens it anew if it is another one or the connection is of no use any more. That is an error to a
// connection that writes: what its store knew may be so no more.
func (c *conn) examine() error {
	now, err := os.Stat(c.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", keyspace.ErrLost, err)
	case !c.health.broken && (err != nil || os.SameFile(now, c.health.file)): // what SQLite may do with it, it says itself
		c.health.at, c.health.losses = time.Now(), c.losses.Load()
		return nil
	case !c.health.broken && c.health.losses == c.losses.Load():
		c.losses.Add(1)
	}
	fresh := &conn{driver: c.driver, write: c.write}
	if err := fresh.open(false); err != nil {
		return fmt.Errorf("%w: %w", keyspace.ErrLost, err)
	}
	fresh.health.opened = c.health.opened + 1
	_ = c.db.Close() // it has been of no use
	*c = *fresh
	if c.write {
		return fmt.Errorf("%w: %s was replaced", keyspace.ErrLost, c.path)
	}
	return nil
}
