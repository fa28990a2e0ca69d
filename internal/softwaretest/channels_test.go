package softwaretest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/testenv"
)

// onEachFrontAndProtocol runs a test with go-redis, and on redis-server itself: what is expected holds there as well.
func onEachFrontAndProtocol(t *testing.T, f func(t *testing.T, addr string, protocol int)) {
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprint("RESP", protocol), func(t *testing.T) {
			run := func(t *testing.T, addr string) { f(t, addr, protocol) }
			onEachFront(t, run)
			t.Run("redis-server", func(t *testing.T) {
				t.Parallel()
				run(t, testenv.Redis(t).Addr)
			})
		})
	}
}

// receive receives what comes next: a *redis.Subscription, *redis.Message or *redis.Pong, in the words of go-redis.
func receive(t *testing.T, ps *redis.PubSub) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := ps.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(got)
}

// next takes the next message out of a channel.
func next[M any](t *testing.T, messages <-chan M) M {
	t.Helper()
	select {
	case m, ok := <-messages:
		if !ok {
			t.Fatal("the channel is closed")
		}
		return m
	case <-time.After(patience):
		t.Fatal("nothing comes")
	}
	return *new(M)
}

func TestGoRedisHearsWhatItSubscribedTo(t *testing.T) {
	t.Parallel()
	onEachFrontAndProtocol(t, func(t *testing.T, addr string, protocol int) {
		ctx, db := t.Context(), client(t, addr, protocol)
		ps := db.Subscribe(ctx, "news", "{s}weather")
		defer ps.Close()
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
		}
		hears := func(what ...string) {
			t.Helper()
			for _, want := range what {
				if got := receive(t, ps); got != want {
					t.Errorf("it hears %s, want %s", got, want)
				}
			}
		}
		hears("subscribe: news", "subscribe: {s}weather")
		check(ps.PSubscribe(ctx, "n*"))
		hears("psubscribe: n*")
		check(ps.SSubscribe(ctx, "{s}hard"))
		hears("ssubscribe: {s}hard")

		if n := db.Publish(ctx, "news", "one").Val() + db.Publish(ctx, "nobody", "two").Val(); n != 3 {
			t.Errorf("%d have heard, want 3", n)
		}
		hears("Message<news: one>", "Message<news: one>", "Message<nobody: two>")
		if n := db.SPublish(ctx, "{s}hard", "three").Val() + db.SPublish(ctx, "news", "unheard").Val(); n != 1 {
			t.Errorf("%d have heard, want 1", n)
		}
		hears("Message<{s}hard: three>")
		check(ps.Ping(ctx))
		check(ps.Ping(ctx, "still there?"))
		hears(map[int]string{2: "Pong", 3: "Pong<PONG>"}[protocol], "Pong<still there?>")
		channels := db.PubSubChannels(ctx, "*").Val()
		slices.Sort(channels)
		if got := fmt.Sprint(channels, db.PubSubNumPat(ctx).Val(), db.PubSubNumSub(ctx, "news", "nobody").Val(),
			db.PubSubShardChannels(ctx, "*").Val(), db.PubSubShardNumSub(ctx, "{s}hard").Val()); got != "[news {s}weather] 1 map[news:1 nobody:0] [{s}hard] map[{s}hard:1]" {
			t.Errorf("PUBSUB tells %s", got)
		}

		check(ps.Unsubscribe(ctx, "news"))
		hears("unsubscribe: news")
		check(ps.PUnsubscribe(ctx))
		hears("punsubscribe: n*")
		check(ps.SUnsubscribe(ctx, "{s}hard"))
		hears("sunsubscribe: {s}hard")
		_, err := db.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Publish(ctx, "news", "unheard")
			p.Publish(ctx, "{s}weather", "fine")
			return nil
		})
		check(err)
		hears("Message<{s}weather: fine>")
		check(ps.Close())
		for db.PubSubNumSub(ctx, "{s}weather").Val()["{s}weather"] != 0 { // until its connection has ended
			time.Sleep(time.Millisecond)
		}
	})
}

func TestGoRedisSubscribesAgainWhenItWasCutOff(t *testing.T) {
	t.Parallel()
	onEachFrontAndProtocol(t, func(t *testing.T, addr string, protocol int) {
		ctx, db := t.Context(), client(t, addr, protocol)
		ps := db.Subscribe(ctx, "news")
		defer ps.Close()
		if err := ps.PSubscribe(ctx, "p*"); err != nil {
			t.Fatal(err)
		}
		heard := ps.ChannelWithSubscriptions(redis.WithChannelHealthCheckInterval(10 * time.Millisecond))
		for round := range 3 {
			for confirmed := map[string]bool{}; len(confirmed) < 2; {
				if s, ok := next(t, heard).(*redis.Subscription); ok {
					confirmed[s.Channel] = true
				}
			}
			want := strconv.Itoa(round)
			if n := db.Publish(ctx, "news", want).Val() + db.Publish(ctx, "page", want).Val(); n != 2 {
				t.Errorf("round %d: %d have heard, want 2", round, n)
			}
			for _, channel := range []string{"news", "page"} {
				if m, ok := next(t, heard).(*redis.Message); !ok || m.Channel != channel || m.Payload != want {
					t.Errorf("round %d: it hears %v", round, m)
				}
			}
			if n, err := db.ClientKillByFilter(ctx, "TYPE", "pubsub").Result(); n != 1 || err != nil {
				t.Errorf("round %d: %d killed, %v", round, n, err)
			}
		}
	})
}

// TestGoRedisHearsAllInOrder has many hear what many publish. No message is lost or doubled, and each publisher's come in
// order.
func TestGoRedisHearsAllInOrder(t *testing.T) {
	t.Parallel()
	onEachFrontAndProtocol(t, func(t *testing.T, addr string, protocol int) {
		const subscribers, publishers, messages = 10, 4, 300
		ctx, db := t.Context(), client(t, addr, protocol)
		var all sync.WaitGroup
		for i := range subscribers {
			subscribe := db.Subscribe
			if i%2 == 1 {
				subscribe = db.PSubscribe
			}
			ps := subscribe(ctx, "all")
			defer ps.Close()
			if got := receive(t, ps); !strings.HasSuffix(got, "subscribe: all") {
				t.Fatalf("subscriber %d is confirmed by %s", i, got)
			}
			heard := ps.Channel(redis.WithChannelSize(publishers*messages), redis.WithChannelHealthCheckInterval(time.Millisecond))
			all.Go(func() {
				last := make([]int, publishers)
				for range publishers * messages {
					var m *redis.Message
					select {
					case m = <-heard:
					case <-time.After(patience):
						t.Errorf("subscriber %d hears no more after %v", i, last)
						return
					}
					publisher, n := 0, 0
					if _, err := fmt.Sscan(m.Payload, &publisher, &n); err != nil || n != last[publisher]+1 {
						t.Errorf("subscriber %d hears %.20s after %v (%v)", i, m.Payload, last, err)
						return
					}
					last[publisher] = n
				}
			})
		}
		for publisher := range publishers {
			all.Go(func() {
				payload := strings.Repeat("x", publisher*1000)
				for n := 1; n <= messages; {
					_, err := db.Pipelined(ctx, func(p redis.Pipeliner) error {
						for range 1 + n%7 {
							if n <= messages {
								p.Publish(ctx, "all", fmt.Sprintf("%d %d %s", publisher, n, payload))
								n++
							}
						}
						return nil
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	})
}
