// MIGRATE: keys are moved to another server by RESTORE, while everybody waits.
package command

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/rdb"
	"github.com/redbud-go/redbud/internal/resp"
)

var migrateCommands = []*Command{
	{Name: "migrate", Arity: -6, Flags: Write | Dangerous, Group: "generic", Since: "2.6.0",
		Keys: Keys{First: 3, Last: 3, Step: 1, blank: true, options: &keyOptions{from: 6, words: []string{"keys"}, rest: true,
			skip: map[string]int{"auth": 1, "auth2": 2}}},
		Usage: `host port key destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password] [KEYS key [key ...]]`,
		Doc:   "Moves keys to another server.", Run: migrate},
}

// migration is what a MIGRATE asks for.
type migration struct {
	copy, replace bool
	auth          [][]byte // the words of AUTH
	keys          [][]byte
	db            int64
	timeout       time.Duration // of each step
}

func (c *Ctx) migration() (m migration, err error) {
	m.keys = c.Args[3:4]
	for i := 6; i < len(c.Args); i++ {
		more := len(c.Args) - 1 - i
		switch {
		case c.is(i, "copy"):
			m.copy = true
		case c.is(i, "replace"):
			m.replace = true
		case c.is(i, "auth") && more >= 1:
			m.auth = c.Args[i+1 : i+2]
			i++
		case c.is(i, "auth2") && more >= 2:
			m.auth = c.Args[i+1 : i+3]
			i += 2
		case c.is(i, "keys") && len(c.Args[3]) > 0:
			return m, Refusal("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string")
		case c.is(i, "keys"):
			m.keys = c.Args[i+1:]
			i = len(c.Args)
		default:
			return m, ErrSyntax
		}
	}
	ms, err := c.integer(5)
	if err != nil {
		return m, err
	}
	if m.db, err = c.integer(4); err != nil {
		return m, err
	}
	if ms <= 0 {
		ms = 1000
	}
	m.timeout = time.Duration(min(ms, 1<<40)) * time.Millisecond
	return m, nil
}

// What a MIGRATE ends with if the other server does not answer.
const (
	errMigrateConnect = Refusal("IOERR error or timeout connecting to the client")
	errMigrateWrite   = Refusal("IOERR error or timeout writing to target instance")
	errMigrateRead    = Refusal("IOERR error or timeout reading from target instance")
)

func migrate(c *Ctx) error {
	m, err := c.migration()
	if err != nil {
		return err
	}
	calls, keys, err := c.restores(&m)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		c.W.Status("NOKEY")
		return nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, m.timeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(string(c.Args[1]), string(c.Args[2])))
	if err != nil {
		return notConnected(err)
	}
	defer conn.Close()
	defer context.AfterFunc(c.ctx, func() { _ = conn.Close() })() // whoever reads or writes sees the error
	step := func() error { return conn.SetDeadline(c.Engine.now().Add(m.timeout)) }
	if err := step(); err != nil {
		return errMigrateConnect
	}
	if _, err := conn.Write(calls); err != nil {
		return errMigrateWrite
	}
	return c.moved(&m, keys, bufio.NewReader(conn), step)
}

// notConnected is the refusal where there is no connection. Redis notices that nobody listens when it writes.
func notConnected(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return errMigrateWrite
	}
	return errMigrateConnect
}

// restores writes the calls that the other server gets, and names the keys that there are.
func (c *Ctx) restores(m *migration) (calls []byte, keys [][]byte, err error) {
	var w resp.Writer
	if m.auth != nil {
		w.Array(1 + len(m.auth))
		w.BulkString("AUTH")
		for _, word := range m.auth {
			w.Bulk(word)
		}
	}
	w.Array(2)
	w.BulkString("SELECT")
	w.BulkInt(m.db)
	var p rdb.Payload
	for _, key := range m.keys {
		e, err := c.entry(key)
		if err != nil {
			return nil, nil, err
		}
		if e.Type == keyspace.None {
			continue
		}
		p.Buf = p.Buf[:0]
		if err := c.dumpValue(&p, key, e.Type); err != nil {
			return nil, nil, err
		}
		p.End()
		ttl := int64(0)
		if e.ExpireAt != keyspace.Never {
			ttl = max(e.ExpireAt-c.Now, 1)
		}
		words := 4
		if m.replace {
			words++
		}
		w.Array(words)
		w.BulkString("RESTORE")
		w.Bulk(key)
		w.BulkString(strconv.FormatInt(ttl, 10))
		w.Bulk(p.Buf)
		if m.replace {
			w.BulkString("REPLACE")
		}
		keys = append(keys, key)
	}
	return w.Buf, keys, nil
}

// moved reads the replies and removes the keys that the other server has now. Some may be there and others not.
func (c *Ctx) moved(m *migration, keys [][]byte, r *bufio.Reader, step func() error) error {
	refused := func() (string, error) {
		if err := step(); err != nil {
			return "", err
		}
		v, err := resp.ReadValue(r)
		if err == nil && v.IsError() {
			return string(v.Str), nil
		}
		return "", err
	}
	before := 1 // SELECT
	if m.auth != nil {
		before++
	}
	var first string
	for range before {
		text, err := refused()
		switch {
		case err != nil:
			return errMigrateRead
		case text != "":
			return targetRefused(text)
		}
	}
	var failed error
	for _, key := range keys {
		text, err := refused()
		if err != nil {
			failed = errMigrateRead
			break
		}
		if text != "" {
			if first == "" {
				first = text
			}
			continue
		}
		if m.copy {
			continue
		}
		if _, err := c.Tx.Delete(c.keys1(key)); err != nil {
			return err
		}
		c.Event(EventGeneric, "del", key)
	}
	switch {
	case first != "":
		return targetRefused(first)
	case failed != nil:
		return failed
	}
	c.W.OK()
	return nil
}

// targetRefused is the refusal of a call that the other server refused.
func targetRefused(text string) error {
	return Refusal("ERR Target instance replied with error: " + text)
}
