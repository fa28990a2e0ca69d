package command_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
)

// at returns an engine whose clock shows *ms.
func at(t *testing.T, ms *int64) *command.Engine {
	e := command.NewEngine(memstore.New(memstore.Options{Seed: 1}), command.Options{Now: func() time.Time { return time.UnixMilli(*ms) }})
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestReadingAGroupClaimsWhatIsIdleFirst(t *testing.T) {
	now := int64(1000)
	e := at(t, &now)
	converse(t, e, 2, []exchange{
		{"XADD s 1-1 f 1", "$3 1-1"}, {"XADD s 2-1 f 2", "$3 2-1"}, {"XADD s 3-1 f 3", "$3 3-1"}, {"XADD s 4-1 f 4", "$3 4-1"},
		{"XGROUP CREATE s g 0", "+OK"},
		{"XREADGROUP GROUP g a COUNT 2 STREAMS s >", "*1 *2 $1 s *2 *2 $3 1-1 *2 $1 f $1 1 *2 $3 2-1 *2 $1 f $1 2"},
		{"XCLAIM s g a 0 1-1 TIME 900 JUSTID", "*1 $3 1-1"},
		{"XCLAIM s g a 0 2-1 TIME 800 JUSTID", "*1 $3 2-1"},
	})
	now = 1050
	converse(t, e, 2, []exchange{
		{"XREADGROUP GROUP g b CLAIM 151 COUNT 2 STREAMS s >",
			"*1 *2 $1 s *2 *4 $3 2-1 *2 $1 f $1 2 :250 :1 *4 $3 3-1 *2 $1 f $1 3 :0 :0"},
		{"XREADGROUP GROUP g b CLAIM 100 NOACK STREAMS s >", "*1 *2 $1 s *2 *4 $3 1-1 *2 $1 f $1 1 :150 :1 *4 $3 4-1 *2 $1 f $1 4 :0 :0"},
		{"XREADGROUP GROUP g b CLAIM 100 STREAMS s >", "*-1"},
		{"XPENDING s g - + 9", "*3 *4 $3 1-1 $1 b :0 :2 *4 $3 2-1 $1 b :0 :2 *4 $3 3-1 $1 b :0 :1"},
		{"XREADGROUP GROUP g b CLAIM 100 STREAMS s 2-1", "*1 *2 $1 s *1 *2 $3 3-1 *2 $1 f $1 3"},
		{"XREADGROUP GROUP g b CLAIM -1 STREAMS s >", "-ERR min-idle-time must be a positive integer"},
		{"XREADGROUP GROUP g b CLAIM x STREAMS s >", "-ERR min-idle-time is not an integer"},
		{"XREAD CLAIM 1 STREAMS s 0", "-ERR syntax error"},
	})
}

func TestDeletingEntriesRegardsTheGroupsThatHaveThem(t *testing.T) {
	now := int64(1000)
	fill := []exchange{
		{"FLUSHALL", "+OK"},
		{"XADD s 1-1 f 1", "$3 1-1"}, {"XADD s 2-1 f 2", "$3 2-1"}, {"XADD s 3-1 f 3", "$3 3-1"},
		{"XGROUP CREATE s g 0", "+OK"}, {"XGROUP CREATE s h 0", "+OK"},
		{"XREADGROUP GROUP g a COUNT 2 STREAMS s >", "*1 *2 $1 s *2 *2 $3 1-1 *2 $1 f $1 1 *2 $3 2-1 *2 $1 f $1 2"},
		{"XREADGROUP GROUP h a COUNT 1 STREAMS s >", "*1 *2 $1 s *1 *2 $3 1-1 *2 $1 f $1 1"},
	}
	for name, script := range map[string][]exchange{
		"XDELEX keeps": {
			{"XDELEX s IDS 3 1-1 9-9 1-1", "*3 :1 :-1 :-1"},
			{"XPENDING s g - + 9", "*2 *4 $3 1-1 $1 a :0 :1 *4 $3 2-1 $1 a :0 :1"},
		},
		"XDELEX deletes": {
			{"XDELEX s DELREF IDS 2 1-1 9-9", "*2 :1 :-1"},
			{"XPENDING s g - + 9", "*1 *4 $3 2-1 $1 a :0 :1"},
			{"XPENDING s h - + 9", "*0"},
		},
		"XDELEX waits": {
			{"XDELEX s IDS 3 1-1 2-1 9-9 ACKED", "*3 :2 :2 :-1"},
			{"XACK s g 1-1 2-1", ":2"},
			{"XDELEX s ACKED IDS 1 1-1", "*1 :2"},
			{"XACK s h 1-1", ":1"},
			{"XDELEX s ACKED IDS 2 1-1 2-1", "*2 :1 :2"},
			{"XLEN s", ":2"},
		},
		"XACKDEL keeps": {
			{"XACKDEL s g IDS 3 1-1 3-1 2-1", "*3 :1 :-1 :1"},
			{"XPENDING s g - + 9", "*0"},
			{"XPENDING s h - + 9", "*1 *4 $3 1-1 $1 a :0 :1"},
			{"XLEN s", ":1"},
		},
		"XACKDEL deletes": {
			{"XACKDEL s g DELREF IDS 1 1-1", "*1 :1"},
			{"XPENDING s h - + 9", "*0"},
			{"XLEN s", ":2"},
		},
		"XACKDEL waits": {
			{"XACKDEL s g ACKED IDS 2 1-1 2-1", "*2 :2 :2"},
			{"XACKDEL s h ACKED IDS 1 1-1", "*1 :1"},
			{"XLEN s", ":2"},
		},
		"refusals": {
			{"XDELEX s IDS 0 1-1", "-ERR Number of IDs must be a positive integer"},
			{"XDELEX s IDS 2 1-1", "-ERR The `numids` parameter must match the number of arguments"},
			{"XDELEX s IDS 1 x", "-ERR Invalid stream ID specified as stream command argument"},
			{"XDELEX s ACKED IDS 1 1-1 2-1", "-ERR syntax error"},
			{"XDELEX s KEEPREF DELREF 1 1-1", "-ERR syntax error"},
			{"XDELEX missing IDS 2 1-1 2-1", "*2 :-1 :-1"},
			{"XACKDEL missing g IDS 1 1-1", "*1 :-1"},
			{"XACKDEL s none IDS 1 1-1", "*1 :-1"},
			{"XLEN s", ":3"},
		},
	} {
		t.Run(name, func(t *testing.T) { converse(t, at(t, &now), 2, slices.Concat(fill, script)) })
	}
}

func TestConsumersTellWhenTheyAskedAndWhenTheyGotSomething(t *testing.T) {
	now := int64(1000)
	e := at(t, &now)
	converse(t, e, 2, []exchange{
		{"XGROUP CREATE s g 0 MKSTREAM", "+OK"},
		{"XREADGROUP GROUP g a STREAMS s >", "*-1"},
		{"XINFO CONSUMERS s g", "*1 *8 $4 name $1 a $7 pending :0 $4 idle :0 $8 inactive :-1"},
		{"XADD s 1-1 f v", "$3 1-1"},
	})
	now = 1010
	converse(t, e, 3, []exchange{
		{"XREADGROUP GROUP g a STREAMS s >", "%1 $1 s *1 *2 $3 1-1 *2 $1 f $1 v"},
		{"XCLAIM s g b 500 1-1", "*0"},
	})
	now = 1050
	converse(t, e, 3, []exchange{
		{"XREADGROUP GROUP g a STREAMS s 5", "%1 $1 s *0"},
		{"XINFO CONSUMERS s g", "*2 %4 $4 name $1 a $7 pending :1 $4 idle :0 $8 inactive :40 %4 $4 name $1 b $7 pending :0 $4 idle :40 $8 inactive :-1"},
		{"XAUTOCLAIM s g b 0 0 JUSTID", "*3 $3 0-0 *1 $3 1-1 *0"},
		{"XINFO STREAM s FULL", "%9 $6 length :1 $15 radix-tree-keys :1 $16 radix-tree-nodes :2 $17 last-generated-id $3 1-1 " +
			"$20 max-deleted-entry-id $3 0-0 $13 entries-added :1 $23 recorded-first-entry-id $3 1-1 $7 entries *1 *2 $3 1-1 *2 $1 f $1 v " +
			"$6 groups *1 %7 $4 name $1 g $17 last-delivered-id $3 1-1 $12 entries-read :1 $3 lag :0 $9 pel-count :1 " +
			"$7 pending *1 *4 $3 1-1 $1 b :1050 :1 $9 consumers *2 " +
			"%5 $4 name $1 a $9 seen-time :1050 $11 active-time :1010 $9 pel-count :0 $7 pending *0 " +
			"%5 $4 name $1 b $9 seen-time :1050 $11 active-time :1050 $9 pel-count :1 $7 pending *1 *3 $3 1-1 :1050 :1"},
	})
}

func TestIDsOfAStreamOnlyGrow(t *testing.T) {
	now := int64(1000)
	e := at(t, &now)
	converse(t, e, 2, []exchange{
		{"XADD s * f v", "$6 1000-0"}, {"XADD s * f v", "$6 1000-1"},
		{"XADD s 1000-18446744073709551615 f v", "$25 1000-18446744073709551615"},
		{"XADD s 1000-* f v", "-ERR The ID specified in XADD is equal or smaller than the target stream top item"},
		{"XADD s * f v", "$6 1001-0"},
		{"XDEL s 1001-0", ":1"},
		{"XSETID s 1000-5", "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"},
	})
	now = 500
	converse(t, e, 2, []exchange{{"XADD s * f v", "$6 1001-1"}})
}

// observed is a store that tells when somebody begins to wait.
type observed struct {
	keyspace.Store
	waits chan struct{}
}

func (o observed) Wait(ctx context.Context, a keyspace.Access, try func(keyspace.Tx) (bool, error)) error {
	tried := false
	return o.Store.Wait(ctx, a, func(tx keyspace.Tx) (bool, error) {
		done, err := try(tx)
		if !tried {
			o.waits <- struct{}{}
		}
		tried = true
		return done, err
	})
}

func TestReadingWaitsForWhatComesAfterItBegan(t *testing.T) {
	store := observed{memstore.New(memstore.Options{}), make(chan struct{}, 16)}
	e := command.NewEngine(store, command.Options{Now: func() time.Time { return time.UnixMilli(1000) }})
	defer e.Close()
	// wait starts a call that waits and returns where its answer is going to be.
	wait := func(call string) <-chan string {
		answer := make(chan string, 1)
		go func() {
			w := &resp.Writer{}
			if err := e.Do(context.Background(), &engine.Batch{Calls: []engine.Call{words(call)}, Wait: true}, w); err != nil {
				w.Error(err.Error())
			}
			answer <- strings.TrimSuffix(strings.ReplaceAll(string(w.Buf), "\r\n", " "), " ")
		}()
		<-store.waits
		return answer
	}
	converse(t, e, 2, []exchange{{"XADD s 1-1 f 1", "$3 1-1"}, {"XGROUP CREATE s g $", "+OK"}})
	for _, c := range []struct {
		call     string
		meantime []exchange
		want     string
	}{
		{"XREAD BLOCK 0 STREAMS t s $ $", []exchange{{"XADD s 2-1 f 2", "$3 2-1"}}, "*1 *2 $1 s *1 *2 $3 2-1 *2 $1 f $1 2"},
		{"XREAD BLOCK 0 STREAMS s 5", []exchange{{"XADD s 3-1 f 3", "$3 3-1"}, {"DEL s", ":1"}, {"LPUSH s x", ":1"}, {"DEL s", ":1"},
			{"XGROUP CREATE s g 0 MKSTREAM", "+OK"}, {"XADD s 6-1 f 6", "$3 6-1"}}, "*1 *2 $1 s *1 *2 $3 6-1 *2 $1 f $1 6"},
	} {
		answer := wait(c.call)
		converse(t, e, 2, c.meantime)
		if got := <-answer; got != c.want {
			t.Errorf("%s answers %q, want %q", c.call, got, c.want)
		}
	}
	converse(t, e, 2, []exchange{{"XREADGROUP GROUP g a STREAMS s >", "*1 *2 $1 s *1 *2 $3 6-1 *2 $1 f $1 6"}})
	first, second := wait("XREADGROUP GROUP g a BLOCK 0 STREAMS s >"), wait("XREADGROUP GROUP g b BLOCK 0 STREAMS s >")
	converse(t, e, 2, []exchange{{"XADD s 7-1 f 7", "$3 7-1"}})
	if got, want := <-first, "*1 *2 $1 s *1 *2 $3 7-1 *2 $1 f $1 7"; got != want {
		t.Errorf("who came first gets %q, want %q", got, want)
	}
	converse(t, e, 2, []exchange{{"XGROUP DESTROY s g", ":1"}})
	if got, want := <-second, "-NOGROUP the consumer group this client was blocked on no longer exists"; got != want {
		t.Errorf("who waits for a group that is gone gets %q, want %q", got, want)
	}
}
