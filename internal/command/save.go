// SAVE and BGSAVE: the keys as a file of Redis's.
package command

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/rdb"
)

var saveCommands = []*Command{
	{Name: "save", Arity: 1, Flags: Admin | NoScript | NoMulti | NoAsyncLoading | AllKeys, Group: "server", Since: "1.0.0",
		Doc: "Writes all keys to a file, while others wait.", Run: save},
	{Name: "bgsave", Arity: -1, Flags: Admin | NoScript | NoAsyncLoading | AllKeys, Group: "server", Since: "1.0.0",
		Usage: "[SCHEDULE]", Doc: "Writes all keys to a file in the background.", Run: bgsave},
	{Name: "bgrewriteaof", Arity: 1, Flags: Admin | NoScript | NoAsyncLoading, Group: "server", Since: "1.0.0",
		Doc: "Rewrites the append-only file, of which there is none.", Run: bgrewriteaof},
	{Name: "lastsave", Arity: 1, Flags: Loading | Stale | Fast | Dangerous, Group: "server", ACL: "admin", Since: "1.0.0",
		Doc: "Tells when the keys were last written to a file.", Run: lastSave},
	{Name: "shutdown", Arity: -1, Flags: Session | Admin | NoScript | Loading | Stale | NoMulti | AllowBusy, Group: "server", Since: "1.0.0",
		Usage: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]", Doc: "Ends the server."},
}

// saves is what is known of files that were written. It is safe for concurrent use.
type saves struct {
	mu      sync.Mutex // guards what follows
	last    int64      // seconds since 1970; at first, when the engine began
	changes int64      // writes up to then
	running bool       // BGSAVE
	began   int64      // seconds since 1970: that one
	took    int64      // seconds that the last one did
	failed  bool       // and whether it did
	wrote   int64      // files so far
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// savePath is the file that the settings name.
func (e *Engine) savePath() string {
	return filepath.Join(e.Settings.String("dir"), e.Settings.String("dbfilename"))
}

// writeFile writes a file in one piece: who reads it finds the old one or the whole new one. write may begin several times.
func writeFile(path string, write func(begin func() (io.Writer, error)) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "temp-*.rdb")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name()) // the first error is the one to tell
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	err = write(func() (io.Writer, error) {
		if err := f.Truncate(0); err != nil {
			return nil, err
		}
		_, err := f.Seek(0, io.SeekStart)
		w.Reset(f)
		return w, err
	})
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

const errSaving = Refusal("ERR Background save already in progress")

func save(c *Ctx) error {
	s := &c.Engine.saves
	s.mu.Lock()
	running := s.running
	s.mu.Unlock()
	if running {
		return errSaving
	}
	if err := c.save(); err != nil {
		return notSaved(err)
	}
	c.W.OK()
	return nil
}

// notSaved is the refusal of a SAVE. Others than the server's operator may read it, so it names no path.
func notSaved(err error) error {
	var path *os.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return Refusal("ERR the keys were not saved: " + err.Error())
}

// save writes all keys as they are in this transaction.
func (c *Ctx) save() error {
	e := c.Engine
	err := writeFile(e.savePath(), c.image)
	e.saves.mu.Lock()
	defer e.saves.mu.Unlock()
	e.saves.failed = err != nil
	if err == nil {
		e.saves.wrote++
		e.saves.last, e.saves.changes = c.Now/1000, e.changes.Load()+c.changes
	}
	return err
}

func bgsave(c *Ctx) error {
	if len(c.Args) > 2 || len(c.Args) == 2 && !c.is(1, "schedule") {
		return ErrSyntax
	}
	e := c.Engine
	s := &e.saves
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		return errSaving
	}
	ctx, stop := context.WithCancel(context.Background())
	s.running, s.began, s.stop = true, c.Now/1000, stop
	changes := e.changes.Load() + c.changes
	s.done.Go(func() {
		defer stop()
		err := writeFile(e.savePath(), func(begin func() (io.Writer, error)) error { return e.gradualImage(ctx, begin) })
		now := e.now().Unix()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running, s.failed, s.took = false, err != nil, now-s.began
		if err == nil {
			s.wrote++
			s.last, s.changes = now, changes
		}
	})
	c.W.Status("Background saving started")
	return nil
}

// gradualImage is Ctx.image in many short transactions: nobody waits for long, and each key is as it was at some time
// meanwhile.
func (e *Engine) gradualImage(ctx context.Context, begin func() (io.Writer, error)) (err error) {
	err = rdb.ErrNewer
	for _, version := range []int{rdb.FileVersion, rdb.FileVersionExpiry} {
		if !errors.Is(err, rdb.ErrNewer) {
			break
		}
		var w io.Writer
		if w, err = begin(); err == nil {
			err = e.writeGradually(ctx, w, version)
		}
	}
	return err
}

// writeGradually writes to w between the transactions: a disk may be slow.
func (e *Engine) writeGradually(ctx context.Context, w io.Writer, version int) error {
	var held bytes.Buffer
	f := e.beginImage(&held, version)
	c := newCtx(e)
	var p rdb.Payload
	for db := range keyspace.Databases {
		seen := map[string]struct{}{} // a scan visits keys twice where the table grows meanwhile, and a file must not
		cursor := uint64(0)
		for first, more := true, true; more; first, more = false, cursor != 0 {
			err := e.inTransaction(ctx, c, keyspace.Access{DB: db}, func() error {
				keys, expiring, err := c.Tx.Len()
				if first && err == nil && keys > 0 {
					f.Database(db, keys, expiring)
				}
				if err == nil {
					cursor, err = c.imagePart(f, &p, cursor, seen)
				}
				return err
			})
			if err == nil {
				_, err = held.WriteTo(w)
			}
			if err != nil {
				return err
			}
		}
	}
	if err := f.End(); err != nil {
		return err
	}
	_, err := held.WriteTo(w)
	return err
}

// inTransaction runs f in a transaction of its own, with a context that nobody else has.
func (e *Engine) inTransaction(ctx context.Context, c *Ctx, a keyspace.Access, f func() error) error {
	a.Now, a.All, a.Observer, a.Lookup = e.now().UnixMilli(), true, c, &c.looks
	tx, err := e.store.Begin(ctx, a)
	if err != nil {
		return err
	}
	defer func() {
		c.tellNews()
		c.release()
	}()
	c.Tx, c.Now, c.DB = tx, a.Now, a.DB
	c.eff.on = e.followers.on.Load()
	if err := f(); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

// bgrewriteaof has nothing to do, and says what those expect who do not know that.
func bgrewriteaof(c *Ctx) error {
	c.W.Status("Background append only file rewriting started")
	return nil
}

func lastSave(c *Ctx) error {
	s := &c.Engine.saves
	s.mu.Lock()
	defer s.mu.Unlock()
	c.W.Int(s.last)
	return nil
}

// end ends a BGSAVE that runs.
func (s *saves) end() {
	s.mu.Lock()
	if s.stop != nil {
		s.stop()
	}
	s.mu.Unlock()
	s.done.Wait()
}
