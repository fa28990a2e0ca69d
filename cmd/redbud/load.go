package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/rdb"
	"github.com/redbud-go/redbud/internal/resp"
)

// load is redbud do --load. A file is checked to its end before anything is written, which cannot be done with standard
// input.
func load(ctx context.Context, s streams, name, url string) (err error) {
	in, size := s.in, int64(0)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		defer f.Close()
		if size, err = checkFile(ctx, f); err != nil {
			return fmt.Errorf("load %s: %w; nothing was loaded", name, err)
		}
		in = f
	}
	e, err := engine.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	l := &loader{engine: e, now: time.Now(), size: size, told: time.Now(), progress: s.err}
	if err := l.load(ctx, in); err != nil {
		return fmt.Errorf("load %s: %w; %d keys were loaded before", name, err, l.keys)
	}
	return l.report(s)
}

// checkFile reads a file to its end, returns its size and goes back to its beginning.
func checkFile(ctx context.Context, f *os.File) (size int64, err error) {
	r, err := rdb.NewFile(f)
	for err == nil {
		var k *rdb.Key
		if k, err = r.Next(); err == nil {
			err = errors.Join(ctx.Err(), checkDatabase(k.Database))
		}
	}
	if err != io.EOF {
		return 0, err
	}
	_, err = f.Seek(0, io.SeekStart)
	return r.Offset(), err
}

func checkDatabase(db int) error {
	if db >= keyspace.Databases {
		return fmt.Errorf("there is a key in database %d, and %d is the last one", db, keyspace.Databases-1)
	}
	return nil
}

// loader writes the keys of a file into an engine.
type loader struct {
	engine engine.Engine
	now    time.Time
	file   *rdb.File

	batch engine.Batch
	names [][]byte // the key of each call
	bytes int      // of the batch
	w     resp.Writer

	keys, expired int

	size     int64 // of the file; 0: unknown
	told     time.Time
	progress io.Writer
}

// A batch and a call end with so many calls, arguments, or bytes.
const (
	batchCalls    = 512
	callArguments = 1024
	batchBytes    = 1 << 20
)

// pace is how often progress is told.
const pace = 5 * time.Second

func (l *loader) load(ctx context.Context, in io.Reader) (err error) {
	if l.file, err = rdb.NewFile(in); err != nil {
		return err
	}
	pending := 0 // keys that are not written yet
	flush := func() error {
		err := l.flush(ctx)
		if err == nil {
			l.keys += pending
			pending = 0
		}
		return err
	}
	for {
		k, err := l.file.Next()
		if err == io.EOF {
			return flush()
		}
		if err != nil {
			return errors.Join(err, flush())
		}
		if err := checkDatabase(k.Database); err != nil {
			return errors.Join(err, flush())
		}
		if k.ExpireAt != keyspace.Never && k.ExpireAt <= l.now.UnixMilli() {
			l.expired++
			continue
		}
		if k.Database != l.batch.DB {
			if err := flush(); err != nil {
				return err
			}
			l.batch.DB = k.Database
		}
		if err := l.store(ctx, k); err != nil {
			return err
		}
		pending++
		if len(l.batch.Calls) >= batchCalls || l.bytes >= batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}

// store adds the calls that store a key in place of what is there. All but streams are stored by the commands that people
// use, which every engine has and which may be cut into pieces.
func (l *loader) store(ctx context.Context, k *rdb.Key) (err error) {
	v := k.Value
	if v.Type != keyspace.String && v.Type != keyspace.Stream {
		l.call(k.Name, "DEL", k.Name)
	}
	switch v.Type {
	case keyspace.String:
		l.call(k.Name, "SET", k.Name, v.Items[0])
	case keyspace.List:
		err = l.each(ctx, k.Name, "RPUSH", v.Items)
	case keyspace.Set:
		err = l.each(ctx, k.Name, "SADD", v.Items)
	case keyspace.SortedSet:
		items := make([][]byte, 0, 2*len(v.Members))
		for _, m := range v.Members {
			items = append(items, appendScore(nil, m.Score), m.Member)
		}
		err = l.each(ctx, k.Name, "ZADD", items)
	case keyspace.Hash:
		if err = l.each(ctx, k.Name, "HSET", v.Items); err == nil {
			err = l.expireFields(ctx, k)
		}
	case keyspace.Stream:
		l.call(k.Name, "RESTORE", k.Name, []byte("0"), streamPayload(v.Stream), []byte("REPLACE"))
	}
	if err == nil && k.ExpireAt != keyspace.Never {
		l.call(k.Name, "PEXPIREAT", k.Name, strconv.AppendInt(nil, k.ExpireAt, 10))
	}
	return err
}

func appendScore(dst []byte, f float64) []byte {
	if math.IsInf(f, 0) {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)[:4] // "+Inf" or "-Inf"
	}
	return strconv.AppendFloat(dst, f, 'g', 17, 64)
}

// expireFields adds the calls that make fields expire. Those that have expired go by that.
func (l *loader) expireFields(ctx context.Context, k *rdb.Key) error {
	for i, at := range k.Value.Expiry {
		if at == keyspace.Never {
			continue
		}
		l.call(k.Name, "HPEXPIREAT", k.Name, strconv.AppendInt(nil, at, 10), []byte("FIELDS"), []byte("1"), k.Value.Items[2*i])
		if err := l.flushLarge(ctx); err != nil {
			return err
		}
	}
	return nil
}

func streamPayload(s *rdb.Stream) []byte {
	var p rdb.Payload
	p.BeginStream(s.Info, s.Groups)
	for i := range s.Entries {
		p.Entry(s.Entries[i].ID, s.Entries[i].Fields)
	}
	p.End()
	return p.Buf
}

// each adds calls of a command that between them have all items. An even number of items stays one.
func (l *loader) each(ctx context.Context, key []byte, command string, items [][]byte) error {
	for len(items) > 0 {
		n, size := 0, 0
		for n < len(items) && n < callArguments && (size < batchBytes || n%2 == 1) {
			size += len(items[n])
			n++
		}
		l.call(key, command, append([][]byte{key}, items[:n]...)...)
		items = items[n:]
		if err := l.flushLarge(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) call(key []byte, command string, args ...[]byte) {
	l.batch.Calls = append(l.batch.Calls, append(engine.Call{[]byte(command)}, args...))
	l.names = append(l.names, key)
	for _, a := range args {
		l.bytes += len(a)
	}
}

// flushLarge is flush in the midst of a key that is large.
func (l *loader) flushLarge(ctx context.Context) error {
	if len(l.batch.Calls) < batchCalls && l.bytes < batchBytes {
		return nil
	}
	return l.flush(ctx)
}

// flush runs the calls that were added.
func (l *loader) flush(ctx context.Context) error {
	if len(l.batch.Calls) == 0 {
		return nil
	}
	l.w.Truncate(0)
	if err := l.engine.Do(ctx, &l.batch, &l.w); err != nil {
		return err
	}
	rest := l.w.Buf
	for _, name := range l.names {
		v, more, err := resp.DecodeValue(rest)
		if err != nil {
			return fmt.Errorf("read a reply: %w", err)
		}
		if v.IsError() {
			return fmt.Errorf("key %q of database %d: %s", name, l.batch.DB, v.Str)
		}
		rest = more
	}
	clear(l.batch.Calls)
	clear(l.names)
	l.batch.Calls, l.names, l.bytes = l.batch.Calls[:0], l.names[:0], 0
	return l.tell()
}

// tell says how far the loading is, now and then.
func (l *loader) tell() (err error) {
	now := time.Now()
	if now.Sub(l.told) < pace {
		return nil
	}
	l.told = now
	if l.size > 0 {
		_, err = fmt.Fprintf(l.progress, "redbud: %d keys, %d%% of the file\n", l.keys, 100*l.file.Offset()/l.size)
	} else {
		_, err = fmt.Fprintf(l.progress, "redbud: %d keys, %d bytes\n", l.keys, l.file.Offset())
	}
	return err
}

// report says what was loaded, and what was not.
func (l *loader) report(s streams) error {
	for _, left := range []struct {
		n    int
		what string
	}{
		{l.file.ModuleKeys, "keys that hold data of modules"},
		{l.file.ModuleData, "pieces of data of modules"},
		{l.file.Functions, "libraries of functions"},
		{l.file.Empty, "empty keys"},
	} {
		if left.n > 0 {
			if _, err := fmt.Fprintf(s.err, "redbud: left out: %d %s\n", left.n, left.what); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(s.out, "%d keys loaded, %d had expired\n", l.keys, l.expired)
	return err
}
