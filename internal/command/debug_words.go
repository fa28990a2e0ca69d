package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/rdb"
)

// debugOK takes a call without doing anything.
func debugOK(c *Ctx) error {
	c.W.OK()
	return nil
}

// debugSwitch is a word that is followed by 0 or 1.
func debugSwitch(turn func(c *Ctx, on bool) error) func(*Ctx) error {
	return func(c *Ctx) error {
		n, _, _ := strtod(c.Args[2]) // what is no number is 0, as in Redis
		if turn != nil {
			if err := turn(c, n != 0); err != nil {
				return err
			}
		}
		return debugOK(c)
	}
}

// underDebug reports whether scripts may call a row that they must not call: DEBUG allows them more, but no scripts.
func (c *Command) underDebug(e *Engine) bool { return e.allScripts.Load() && c.Group != "scripting" }

// sweeping turns on and off that the store removes expired keys that nobody asks for.
func (c *Ctx) sweeping(on bool) error {
	if s, ok := c.Tx.(keyspace.Sweeper); ok {
		s.Sweep(on)
	}
	return nil
}

// debugSleep keeps everybody waiting, as whoever has the keyspace does.
func debugSleep(c *Ctx) error {
	seconds, _, _ := strtod(c.Args[2])
	if seconds > 0 {
		timer := time.NewTimer(time.Duration(min(seconds*float64(time.Second), math.MaxInt64/2)))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.ctx.Done():
		}
	}
	return debugOK(c)
}

func debugError(c *Ctx) error {
	c.W.Error(strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' {
			return ' '
		}
		return r
	}, string(c.Args[2])))
	return nil
}

func debugLog(c *Ctx) error {
	if o, ok := c.Session.(Operated); ok {
		o.Log(string(c.Args[2]))
	}
	return debugOK(c)
}

func debugChangeID(c *Ctx) error {
	c.Engine.Info.newReplicationID()
	return debugOK(c)
}

func debugMatch(c *Ctx) error {
	c.bool1(Match(c.Args[2], c.Args[3]))
	return nil
}

func debugPackedThreshold(c *Ctx) error {
	if n, ok := ParseMemory(string(c.Args[2])); !ok || n > 1<<32 {
		return Refusal("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
	}
	return debugOK(c)
}

// debugReplyBuffer is REPLYBUFFER, which changes nothing: reply buffers shrink when a client is silent.
func debugReplyBuffer(c *Ctx) error {
	switch {
	case c.is(2, "peak-reset-time") && (c.is(3, "never") || c.is(3, "reset")), c.is(2, "resizing"):
	case c.is(2, "peak-reset-time"):
		if _, err := c.integer(3); err != nil {
			return err
		}
	default:
		return c.wrongWords()
	}
	return debugOK(c)
}

// debugObject tells about a key. There are no addresses to tell: they stay the same.
func debugObject(c *Ctx) error {
	key := c.Args[2]
	d, ok, err := c.Tx.Details(key)
	if err != nil {
		return err
	}
	if !ok {
		return ErrNoKey
	}
	c.looks.Unused = true
	e, err := c.entry(key)
	if err != nil {
		return err
	}
	var p rdb.Payload
	if err := c.dumpValue(&p, key, e.Type); err != nil {
		return err
	}
	size := len(p.Buf) - 1 // without the type
	text := fmt.Sprintf("Value at:0x7f0000000000 refcount:1 encoding:%s serializedlength:%d lru:%d lru_seconds_idle:%d", d.Encoding, size,
		(c.Now-d.Idle)/1000&(1<<24-1), d.Idle/1000)
	if d.Encoding == "quicklist" {
		l, err := c.Tx.List(key)
		if err != nil {
			return err
		}
		n, err := l.Len()
		if err != nil {
			return err
		}
		nodes := size/(8<<10) + 1 // about as many as Redis would have
		text += fmt.Sprintf(" ql_nodes:%d ql_avg_node:%.2f ql_listpack_max:%d ql_compressed:0 ql_uncompressed_size:%d", nodes, float64(n)/float64(nodes),
			c.Engine.Settings.Int("list-max-listpack-size"), size)
	}
	c.W.Status(text)
	return nil
}

func debugStringLength(c *Ctx) error {
	e, err := c.entry(c.Args[2])
	switch {
	case err != nil:
		return err
	case e.Type == keyspace.None:
		return ErrNoKey
	case e.Type != keyspace.String:
		return Refusal("ERR Not an sds encoded string.")
	}
	v, err := c.get(c.Args[2])
	if err != nil {
		return err
	}
	key := len(c.Args[2])
	c.W.Status(fmt.Sprintf("key_sds_len:%d, key_sds_avail:0, key_zmalloc: %d, val_sds_len:%d, val_sds_avail:0, val_zmalloc: %d", key, key, len(v), len(v)))
	return nil
}

// maxPopulate bounds what DEBUG POPULATE writes of one value.
const maxPopulate = 512 << 20

func debugPopulate(c *Ctx) error {
	count, err := c.positive(2)
	if err != nil {
		return err
	}
	prefix, size := []byte("key"), 0
	if len(c.Args) > 3 {
		prefix = c.Args[3]
	}
	if len(c.Args) > 4 {
		if size, err = c.positive(4); err != nil {
			return err
		}
	}
	if size > maxPopulate {
		return ErrTooLong
	}
	var key, value []byte
	for i := range count {
		if i%1024 == 0 && c.ctx.Err() != nil {
			return c.ctx.Err()
		}
		key = strconv.AppendInt(append(append(key[:0], prefix...), ':'), int64(i), 10)
		e, err := c.entry(key)
		if err != nil {
			return err
		}
		if e.Type != keyspace.None {
			continue
		}
		value = strconv.AppendInt(append(value[:0], "value:"...), int64(i), 10)
		if size > 0 {
			if len(value) < size {
				value = append(value, make([]byte, size-len(value))...)
			}
			value = value[:size]
		}
		if err := c.put(key, value, keyspace.Never); err != nil {
			return err
		}
	}
	return debugOK(c)
}

const errReload = Refusal("ERR Error trying to load the RDB dump, check server logs.")

// debugReload writes all keys and loads them again, and so proves that a file has all there is.
func debugReload(c *Ctx) error {
	var how loading
	saves := true
	for i := 2; i < len(c.Args); i++ {
		switch {
		case c.is(i, "merge"):
			how.merge = true
		case c.is(i, "noflush"):
			how.keep = true
		case c.is(i, "nosave"):
			saves = false
		default:
			return Refusal("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
		}
	}
	e := c.Engine
	if saves {
		var b bytes.Buffer
		err := c.image(func() (io.Writer, error) {
			b.Reset()
			return &b, nil
		})
		if err != nil {
			return err
		}
		e.reloaded.Store(&b)
	}
	image := e.reloaded.Load()
	if image == nil {
		file, err := os.ReadFile(e.savePath())
		if err != nil {
			return errReload
		}
		image = bytes.NewBuffer(file)
	}
	err := c.load(bytes.NewReader(image.Bytes()), how)
	var corrupt *rdb.CorruptError
	switch {
	case errors.Is(err, errConflict), errors.Is(err, errDatabase), errors.Is(err, errLibrary), errors.As(err, &corrupt):
		if err := c.Tx.Select(c.DB); err != nil {
			return err
		}
		return errReload
	case err != nil:
		return err
	}
	return debugOK(c)
}
