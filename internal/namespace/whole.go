// What concerns all keys of a database: those of the namespace are looked for, step by step. Each step is a batch of its own, so
// that others have their turn in between, and as with SCAN what is written meanwhile may be met or not.
//
// Inside a transaction there are no steps. To count the keys, or to pick one, it lists them all. To delete them, it lists them
// before it begins, and deletes these and the keys that its earlier calls name.
package namespace

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

const (
	step  = "1000" // keys looked at in one
	tries = 32     // random keys looked at before all are

	// maxWords is how many words Redis takes in one call.
	maxWords = 1 << 20
)

// ask runs calls that have nothing to do with each other. A refusal of one of them is the error.
func (t *turn) ask(ctx context.Context, db int, calls ...engine.Call) ([]resp.Value, error) {
	var w resp.Writer
	if err := t.inner.Do(ctx, &engine.Batch{DB: db, Calls: calls, Session: t.session}, &w); err != nil {
		return nil, err
	}
	values := make([]resp.Value, len(calls))
	rest := w.Buf
	for i := range values {
		var err error
		if values[i], rest, err = resp.DecodeValue(rest); err != nil {
			return nil, err
		}
		if values[i].IsError() {
			return nil, command.Refusal(values[i].Str)
		}
	}
	return values, nil
}

func words(s ...string) engine.Call {
	call := make(engine.Call, len(s))
	for i := range s {
		call[i] = []byte(s[i])
	}
	return call
}

// all is the pattern of all keys of the namespace.
func (e *Engine) all() string { return string(e.glob) + "*" }

// each visits the namespace's keys in a database, as the engine knows them. A key may come twice.
func (t *turn) each(ctx context.Context, db int, f func(keys [][]byte) error) error {
	for cursor := "0"; ; {
		values, err := t.ask(ctx, db, words("SCAN", cursor, "MATCH", t.all(), "COUNT", step))
		if err != nil {
			return err
		}
		if len(values[0].Elems) != 2 {
			return errors.New("SCAN gave no cursor")
		}
		var keys [][]byte
		for _, key := range values[0].Elems[1].Elems {
			keys = append(keys, key.Str)
		}
		if len(keys) > 0 {
			if err := f(keys); err != nil {
				return err
			}
		}
		if cursor = string(values[0].Elems[0].Str); cursor == "0" {
			return nil
		}
	}
}

// whole answers a call that concerns all keys of a database, outside of a transaction.
func (t *turn) whole(ctx context.Context, call engine.Call, w *resp.Writer) (err error) {
	row, _ := command.Commands.Find(call)
	what := whatOf(row)
	switch what {
	case command.Counts:
		n := 0
		err = t.each(ctx, t.db, func(keys [][]byte) error {
			n += len(keys)
			return nil
		})
		if err == nil {
			w.Int(int64(n))
		}
	case command.Picks:
		var key []byte
		if key, err = t.pick(ctx, t.db); err == nil {
			w.BulkOrNull(key)
		}
	default:
		if err = t.empty(ctx, what, call); err == nil {
			w.OK()
		}
	}
	var refusal command.Refusal
	if errors.As(err, &refusal) {
		w.Error(string(refusal))
		return nil
	}
	return err
}

// pick is any key of the namespace; nil if there is none.
func (t *turn) pick(ctx context.Context, db int) (key []byte, err error) {
	values, err := t.ask(ctx, db, slices.Repeat([]engine.Call{words("RANDOMKEY")}, tries)...)
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if own, ok := t.own(v.Str); ok && !v.Null {
			return own, nil
		}
	}
	seen := 0
	err = t.each(ctx, db, func(keys [][]byte) error {
		for _, k := range keys {
			if seen++; rand.IntN(seen) == 0 {
				own, _ := t.own(k)
				key = append([]byte{}, own...)
			}
		}
		return nil
	})
	return key, err
}

// flushArgs refuses what FLUSHDB and FLUSHALL do not take.
func flushArgs(call engine.Call) error {
	if len(call) == 1 || len(call) == 2 && (bytes.EqualFold(call[1], []byte("sync")) || bytes.EqualFold(call[1], []byte("async"))) {
		return nil
	}
	return command.ErrSyntax
}

// empty deletes the namespace's keys.
func (t *turn) empty(ctx context.Context, what command.Whole, call engine.Call) error {
	if err := flushArgs(call); err != nil {
		return err
	}
	databases := []int{t.db}
	if what == command.EmptiesAll {
		var err error
		if databases, err = t.databases(ctx); err != nil {
			return err
		}
	}
	for _, db := range databases {
		err := t.each(ctx, db, func(keys [][]byte) error {
			// A call for each: on a cluster they are not in the same place.
			calls := make([]engine.Call, len(keys))
			for i, key := range keys {
				calls[i] = engine.Call{[]byte("UNLINK"), key}
			}
			_, err := t.ask(ctx, db, calls...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// databases are those that have keys, and the one at hand.
func (t *turn) databases(ctx context.Context) ([]int, error) {
	values, err := t.ask(ctx, t.db, words("INFO", "keyspace"))
	if err != nil {
		return nil, err
	}
	all := []int{t.db}
	for line := range strings.SplitSeq(string(values[0].Str), "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		number, ok := strings.CutPrefix(name, "db")
		if db, isNumber := resp.ParseInt([]byte(number)); ok && isNumber && int(db) != t.db {
			all = append(all, int(db))
		}
	}
	return all, nil
}

// wholeInTransaction adds a call that concerns all keys of a database.
func (t *turn) wholeInTransaction(ctx context.Context, names *command.Names, call engine.Call) error {
	switch names.Whole {
	case command.Counts, command.Picks:
		t.push(words("KEYS", t.all()), translation{names: names})
		return nil
	case command.EmptiesAll:
		t.refuse("ERR '" + strings.ToLower(string(call[0])) + "' of a namespace cannot be one of several calls in a transaction")
		return nil
	}
	if err := flushArgs(call); err != nil {
		t.refuse(err.Error())
		return nil
	}
	unlink := words("UNLINK")
	for _, earlier := range t.calls {
		if row, err := command.Commands.Find(earlier); err == nil && row.Flags&command.Session == 0 {
			unlink = row.Keys.Append(unlink, earlier)
		}
	}
	err := t.each(ctx, t.db, func(keys [][]byte) error {
		unlink = append(unlink, keys...)
		return nil
	})
	var refusal command.Refusal
	switch {
	case errors.As(err, &refusal):
		t.refuse(string(refusal))
	case err != nil:
		return err
	case len(unlink) > maxWords:
		t.refuse("ERR the namespace has too many keys to be emptied in a transaction")
	case len(unlink) == 1:
		t.push(harmless, translation{names: names})
	default:
		t.push(unlink, translation{names: names})
	}
	return nil
}
