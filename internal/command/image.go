package command

import (
	"errors"
	"io"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/lua"
	"github.com/redbud-go/redbud/internal/rdb"
)

// An image is all databases as an RDB file.

// imageChunk is how many keys of a database are looked up at a time.
const imageChunk = 512

// beginImage begins an image, with who wrote it and the libraries of functions.
func (e *Engine) beginImage(w io.Writer, version int) *rdb.Writer {
	f := rdb.NewWriter(w, version, "redis-ver", RedisVersion, "redis-bits", "64", "redbud-ver", Version())
	for _, lib := range e.scripts.libraries.all() {
		f.Library(lib.Source)
	}
	return f
}

// partialImage writes an image that leaves out keys, and libraries of functions as well or not.
func (e *Engine) partialImage(w io.Writer, libraries bool) error {
	if libraries {
		return e.beginImage(w, rdb.FileVersion).End()
	}
	return rdb.NewWriter(w, rdb.FileVersion).End()
}

// image writes all databases as they are in this transaction. begin is called with an empty file, twice if the first turned out
// to be of a version that is too old for what there is.
func (c *Ctx) image(begin func() (io.Writer, error)) error {
	err := rdb.ErrNewer
	for _, version := range []int{rdb.FileVersion, rdb.FileVersionExpiry} {
		if !errors.Is(err, rdb.ErrNewer) {
			break
		}
		var w io.Writer
		if w, err = begin(); err == nil {
			err = c.writeImage(c.Engine.beginImage(w, version))
		}
	}
	return errors.Join(err, c.Tx.Select(c.DB))
}

func (c *Ctx) writeImage(f *rdb.Writer) error {
	var p rdb.Payload
	for db := range keyspace.Databases {
		if err := c.Tx.Select(db); err != nil {
			return err
		}
		keys, expiring, err := c.Tx.Len()
		if err != nil {
			return err
		}
		if keys == 0 {
			continue
		}
		f.Database(db, keys, expiring)
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			if cursor, err = c.imagePart(f, &p, cursor, nil); err != nil {
				return err
			}
		}
	}
	return f.End()
}

// imagePart adds keys from a cursor on, but for those that seen has, if it is not nil, and returns the cursor to go on from.
func (c *Ctx) imagePart(f *rdb.Writer, p *rdb.Payload, cursor uint64, seen map[string]struct{}) (next uint64, err error) {
	var names copies
	var keys [][]byte
	next, err = c.Tx.Scan(cursor, imageChunk, func(key []byte, _ keyspace.Entry) { keys = append(keys, names.of(key)) })
	for i := 0; i < len(keys) && err == nil; i++ {
		if seen != nil {
			if _, ok := seen[string(keys[i])]; ok {
				continue
			}
			seen[string(keys[i])] = struct{}{}
		}
		err = c.imageKey(f, p, keys[i])
	}
	return next, err
}

func (c *Ctx) imageKey(f *rdb.Writer, p *rdb.Payload, key []byte) error {
	unused := c.looks.Unused
	c.looks.Unused = true
	defer func() { c.looks.Unused = unused }()
	e, err := c.entry(key)
	if err != nil || e.Type == keyspace.None {
		return err
	}
	p.Buf = p.Buf[:0]
	if err := c.dumpValue(p, key, e.Type); err != nil {
		return err
	}
	p.End()
	return f.Key(key, e.ExpireAt, p.Buf)
}

// loading says what becomes of the keys that there are when an image is loaded.
type loading struct {
	keep  bool // they stay
	merge bool // and those of the image take the place of others; otherwise it is an error
}

// What is wrong with an image that was read.
var (
	errConflict = errors.New("a key of the file exists already")
	errDatabase = errors.New("the file has a database that there is not")
	errLibrary  = errors.New("a library of functions cannot be loaded")
)

// load reads an image. Nothing is changed where it is damaged.
func (c *Ctx) load(r io.Reader, how loading) error {
	file, err := rdb.NewFile(r)
	if err != nil {
		return err
	}
	var keys []*rdb.Key
	var libraries []*lua.Library
	broken := false
	file.Libraries = func(code []byte) {
		lib, err := c.compile(code)
		libraries, broken = append(libraries, lib), broken || err != nil
	}
	for err == nil {
		var k *rdb.Key
		k, err = file.Next()
		switch {
		case err != nil:
		case k.Database >= keyspace.Databases:
			return errDatabase
		case k.ExpireAt == keyspace.Never || k.ExpireAt > c.Now:
			keys = append(keys, k)
		}
	}
	if err != io.EOF {
		return err
	}
	if broken {
		return errLibrary
	}
	if err := c.conflicts(keys, how); err != nil {
		return err
	}
	if err := c.Engine.scripts.libraries.add(libraries, how.merge, !how.keep); err != nil {
		return errConflict
	}
	if err := c.replace(keys, how); err != nil {
		return err
	}
	return c.Tx.Select(c.DB)
}

// conflicts is errConflict if there is a key of an image that must not be replaced.
func (c *Ctx) conflicts(keys []*rdb.Key, how loading) error {
	if !how.keep || how.merge {
		return nil
	}
	for _, k := range keys {
		if err := c.Tx.Select(k.Database); err != nil {
			return err
		}
		e, err := c.entry(k.Name)
		switch {
		case err != nil:
			return err
		case e.Type != keyspace.None:
			return errConflict
		}
	}
	return nil
}

// replace stores the keys of an image.
func (c *Ctx) replace(keys []*rdb.Key, how loading) error {
	if !how.keep {
		if err := c.clearAll(); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if err := c.Tx.Select(k.Database); err != nil {
			return err
		}
		if _, err := c.Tx.Delete(c.keys1(k.Name)); err != nil {
			return err
		}
		if err := c.store(k.Name, k.Value, k.ExpireAt); err != nil {
			return err
		}
	}
	return nil
}

// clearAll empties all databases. It leaves the last one selected.
func (c *Ctx) clearAll() error {
	for db := range keyspace.Databases {
		if err := c.Tx.Select(db); err != nil {
			return err
		}
		if err := c.Tx.Clear(); err != nil {
			return err
		}
	}
	return nil
}
