package command_test

import (
	"context"
	"errors"
	"testing"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
)

// frail is a store that breaks when a transaction adds for the nth time.
type frail struct {
	keyspace.Store
	left int
	how  func() error
}

type frailTx struct {
	keyspace.Tx
	store *frail
}

func (f *frail) Begin(ctx context.Context, a keyspace.Access) (keyspace.Tx, error) {
	tx, err := f.Store.Begin(ctx, a)
	if err != nil {
		return nil, err
	}
	return &frailTx{tx, f}, nil
}

func (f *frailTx) Add(key []byte, delta int64) (int64, error) {
	if f.store.left--; f.store.left == 0 {
		return 0, f.store.how()
	}
	return f.Tx.Add(key, delta)
}

var errDisk = errors.New("the disk is on fire")

func TestAStoreThatFailsInAScriptFailsTheBatchAndIsFreeAfterwards(t *testing.T) {
	for how, fail := range map[string]func() error{
		"an error": func() error { return errDisk },
		"a panic":  func() error { panic(errDisk) },
	} {
		for name, script := range map[string]string{
			"call":          `local r for i = 1, 10 do r = redis.call('INCR', 'n') end return r`,
			"pcall":         `local r for i = 1, 10 do r = redis.pcall('INCR', 'n') end return r`,
			"the last call": `for i = 1, 4 do redis.call('INCR', 'n') end pcall(redis.call, 'INCR', 'n') return 'fine'`,
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				s := &frail{Store: memstore.New(memstore.Options{}), left: 5, how: fail}
				e := command.NewEngine(s, command.Options{})
				defer e.Close()
				w := &resp.Writer{Buf: []byte("+before\r\n"), Proto: 2}
				calls := []engine.Call{{[]byte("GET"), []byte("x")}, {[]byte("EVAL"), []byte(script), []byte("0")}, {[]byte("PING")}}
				var err error
				panicked := func() (panicked bool) {
					defer func() { panicked = recover() != nil }()
					err = e.Do(context.Background(), &engine.Batch{Calls: calls}, w)
					return false
				}()
				if panicked != (how == "a panic") {
					t.Fatalf("it panics: %v", panicked)
				}
				if !panicked && (!errors.Is(err, errDisk) || string(w.Buf) != "+before\r\n") {
					t.Errorf("the batch replies %q, %v", w.Buf, err)
				}
				for range 3 {
					if got := ask(t, e, "GET", "n"); got != "$1\r\n4" {
						t.Errorf("afterwards: %q", got)
					}
					if got := ask(t, e, "EVAL", "return redis.call('GET', 'n')", "0"); got != "$1\r\n4" {
						t.Errorf("a script afterwards: %q", got)
					}
				}
				if got := ask(t, e, "SCRIPT", "KILL"); got != "-NOTBUSY No scripts in execution right now." {
					t.Errorf("SCRIPT KILL afterwards: %q", got)
				}
			})
		}
	}
}
