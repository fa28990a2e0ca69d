package redbud

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/server"
)

// heard receives the next message, or fails.
func heard(t *testing.T, ps *redis.PubSub) *redis.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	m, err := ps.ReceiveMessage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMessagesAreHeardInTheProcess(t *testing.T) {
	db := openTest(t, "memory://")
	ctx := t.Context()
	ps := db.Subscribe(ctx, "news")
	defer ps.Close()
	if _, err := ps.Receive(ctx); err != nil { // the confirmation: from now on nothing is missed
		t.Fatal(err)
	}
	if err := ps.PSubscribe(ctx, "n*"); err != nil {
		t.Fatal(err)
	}
	if _, err := ps.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Publish(ctx, "news", "hello").Result(); n != 2 || err != nil {
		t.Errorf("PUBLISH: %d, %v", n, err)
	}
	if m := heard(t, ps); m.Channel != "news" || m.Payload != "hello" || m.Pattern != "" {
		t.Errorf("got %+v", m)
	}
	if m := heard(t, ps); m.Channel != "news" || m.Payload != "hello" || m.Pattern != "n*" {
		t.Errorf("got %+v", m)
	}
	// A transaction's messages come when it is done, and others' keys are there by then.
	_, err := db.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Publish(ctx, "nine", "1")
		p.Set(ctx, "k", "v", 0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if m := heard(t, ps); m.Payload != "1" || db.Get(ctx, "k").Val() != "v" {
		t.Errorf("got %+v", m)
	}
}

func TestReceivingEndsInTimeAndGoesOn(t *testing.T) {
	db := openTest(t, "memory://")
	ps := db.Subscribe(t.Context(), "c")
	defer ps.Close()
	if _, err := ps.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := ps.ReceiveTimeout(t.Context(), 10*time.Millisecond)
	if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("nothing was published, and got %v", err)
	}
	db.Publish(t.Context(), "c", "still there")
	if m := heard(t, ps); m.Payload != "still there" {
		t.Errorf("got %+v", m)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := ps.ReceiveMessage(ctx); err == nil {
		t.Error("a deadline does not end ReceiveMessage")
	}
}

func TestKeyEventsAreHeardInTheProcess(t *testing.T) {
	db := openTest(t, "memory://")
	ctx := t.Context()
	if err := db.ConfigSet(ctx, "notify-keyspace-events", "Ex$").Err(); err != nil {
		t.Fatal(err)
	}
	ps := db.PSubscribe(ctx, "__keyevent@0__:*")
	defer ps.Close()
	if _, err := ps.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	db.Set(ctx, "k", "v", time.Millisecond)
	for _, want := range []string{"__keyevent@0__:set", "__keyevent@0__:expired"} {
		if m := heard(t, ps); m.Channel != want || m.Payload != "k" {
			t.Errorf("got %+v, want %s", m, want)
		}
	}
}

func TestMonitorSeesTheFastLane(t *testing.T) {
	db := openTest(t, "memory://")
	ctx := t.Context()
	c := server.Pipe(db.engine, server.Options{Hub: db.hub})
	defer c.Close()
	in := bufio.NewReader(c)
	if _, err := io.WriteString(c, "MONITOR\r\n"); err != nil {
		t.Fatal(err)
	}
	line := func() string {
		l, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := line(); l != "+OK\r\n" {
		t.Fatalf("MONITOR: %s", l)
	}
	db.Set(ctx, "k", "v", 0)
	_, _ = db.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Get(ctx, "k")
		return nil
	})
	for _, want := range []string{`"set" "k" "v"`, `"get" "k"`} {
		l := line()
		for strings.Contains(l, `"hello"`) || strings.Contains(l, `"client"`) { // a new connection greets
			l = line()
		}
		if !strings.HasSuffix(l, want+"\r\n") {
			t.Errorf("got %s, want %s", l, want)
		}
	}
}
