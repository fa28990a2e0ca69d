package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/internal/testenv"
)

// deaf is a connection that loses an answer and breaks, if it is told to.
type deaf struct {
	net.Conn
	lose *atomic.Bool
}

func (d deaf) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if n > 0 && d.lose.CompareAndSwap(true, false) {
		_ = d.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func TestWhatIsNotToBeDoneTwiceIsNotSentAgain(t *testing.T) {
	ctx := t.Context()
	var lose atomic.Bool
	o, err := redis.ParseURL(testenv.SharedRedis(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return deaf{conn, &lose}, err
	}
	o.DisableIdentity = true
	client := redis.NewClient(o) // which sends everything up to three times again
	defer client.Close()
	c := open[string](t, client, cache.Options{Prefix: "twice:"})
	if _, err := c.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	l := c.List("l")
	if _, err := l.PushBack(ctx, time.Hour, "a", "b", "c", "d"); err != nil {
		t.Fatal(err)
	}
	got := func() string {
		t.Helper()
		values, err := l.Range(ctx, 0, -1)
		set, setErr := client.Exists(ctx, "twice:new").Result()
		if err := errors.Join(err, setErr); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(values, set)
	}
	for _, step := range []struct {
		name string
		call func() error
		want string // afterwards
	}{
		{"PopFront", func() error { _, err := l.PopFront(ctx, 1); return err }, "[b c d] 0"},
		{"PopBack", func() error { _, err := l.PopBack(ctx, 1); return err }, "[b c] 0"},
		{"PushBack", func() error { _, err := l.PushBack(ctx, time.Hour, "e"); return err }, "[b c e] 0"},
		{"PushFront", func() error { _, err := l.PushFront(ctx, time.Hour, "f"); return err }, "[f b c e] 0"},
		{"a pipeline", func() error {
			_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
				c.In(pipe).List("l").PushBack(ctx, time.Hour, "g")
				return nil
			})
			return err
		}, "[f b c e g] 0"},
		{"SetIf", func() error { _, err := c.SetIf(ctx, cache.IfMissing, "new", "v", time.Hour); return err }, "[f b c e g] 1"},
	} {
		// The connections of pipelines are others. What is lost is not to be the answer to their first words.
		if _, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error { return pipe.Ping(ctx).Err() }); err != nil {
			t.Fatal(err)
		}
		lose.Store(true)
		if err := step.call(); err == nil {
			t.Errorf("%s: the lost answer is no error", step.name)
		}
		if now := got(); now != step.want {
			t.Errorf("%s: then there is %s, not %s", step.name, now, step.want)
		}
	}
	lose.Store(true)
	if err := c.Set(ctx, "k", "v", time.Hour); err != nil { // which may be sent again
		t.Error("Set:", err)
	}
	if lose.Load() {
		t.Error("no answer was lost")
	}
}
