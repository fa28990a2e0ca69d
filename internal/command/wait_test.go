package command_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

func TestNobodyHasWhatWasWritten(t *testing.T) {
	now := int64(1000)
	converse(t, at(t, &now), 2, []exchange{
		{"WAIT 0 0", ":0"},
		{"WAITAOF 0 0 0", "*2 :0 :0"},
		{"WAITAOF 1 0 0", "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."},
		{"WAITAOF 2 0 0", "-ERR value is out of range, value must between 0 and 1"},
		{"WAITAOF -1 0 0", "-ERR value is out of range, value must between 0 and 1"},
		{"WAITAOF x 0 0", "-ERR value is not an integer or out of range"},
		{"WAITAOF 0 -1 0", "-ERR value is out of range, must be positive"},
		{"WAITAOF 0 x 0", "-ERR value is out of range, must be positive"},
		{"WAITAOF 0 0 -1", "-ERR timeout is negative"},
		{"WAITAOF 1 0 x", "-ERR timeout is not an integer or out of range"},
		{"WAITAOF 0 0", "-ERR wrong number of arguments for 'waitaof' command"},
	})
}

func TestWhoWaitsForReplicasWaitsToTheEnd(t *testing.T) {
	for _, c := range []struct {
		call  string
		cause error
		want  string
	}{
		{"WAIT 1 5", nil, ":0\r\n"},
		{"WAITAOF 0 1 5", nil, "*2\r\n:0\r\n:0\r\n"},
		{"WAIT 1 0", engine.ErrTimeout, ":0\r\n"},
		{"WAITAOF 0 1 0", engine.ErrTimeout, "*2\r\n:0\r\n:0\r\n"},
		{"WAIT 1 0", engine.ErrUnblocked, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"},
		{"WAITAOF 0 1 0", engine.ErrUnblocked, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"},
	} {
		now := int64(1000)
		e := at(t, &now)
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		if c.cause != nil {
			go func() {
				for e.Waiting() == 0 && ctx.Err() == nil {
					runtime.Gosched()
				}
				cancel(c.cause)
			}()
		}
		w := &resp.Writer{}
		b := &engine.Batch{Calls: []engine.Call{words(c.call)}}
		if err := e.Do(ctx, b, w); !errors.Is(err, engine.ErrWouldWait) || w.Len() > 0 {
			t.Errorf("%s does not wait: %q, %v", c.call, w.Buf, err)
		}
		b.Wait = true
		if err := e.Do(ctx, b, w); err != nil || string(w.Buf) != c.want {
			t.Errorf("%s ended by %v answers %q, %v", c.call, c.cause, w.Buf, err)
		}
	}
}

func TestCloseEndsTheWaitForReplicas(t *testing.T) {
	now := int64(1000)
	e := at(t, &now)
	go func() {
		for e.Waiting() == 0 {
			runtime.Gosched()
		}
		_ = e.Close()
	}()
	b := &engine.Batch{Calls: []engine.Call{words("WAIT 1 0")}, Wait: true}
	if err := e.Do(context.Background(), b, &resp.Writer{}); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("WAIT ends with %v", err)
	}
}
