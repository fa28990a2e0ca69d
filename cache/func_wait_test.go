package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

// subscribing counts the subscriptions of a client.
type subscribing struct {
	redis.UniversalClient
	n atomic.Int32
}

func (s *subscribing) Unwrap() redis.UniversalClient {
	return s.UniversalClient.(*redbud.DB).Unwrap()
}

func (s *subscribing) Subscribe(ctx context.Context, channels ...string) *redis.PubSub {
	s.n.Add(1)
	return s.UniversalClient.Subscribe(ctx, channels...)
}

// loadsKeys is a LoadMany that returns the keys, when it may.
func loadsKeys(began chan<- int, goOn <-chan struct{}) func(context.Context, []int) ([]cache.Found[int], error) {
	return func(_ context.Context, keys []int) ([]cache.Found[int], error) {
		began <- len(keys)
		<-goOn
		found := make([]cache.Found[int], len(keys))
		for i, key := range keys {
			found[i] = cache.Found[int]{Value: key, OK: true}
		}
		return found, nil
	}
}

func TestOneSubscriptionHearsOfAllThatIsWaitedFor(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		keys := make([]int, 50)
		for i := range keys {
			keys[i] = i
		}
		began, goOn := make(chan int, 1), make(chan struct{})
		load := loadsKeys(began, goOn)
		claims := make(claimed, 10*len(keys))
		waiting := &subscribing{UniversalClient: db}
		o := cache.Options{Prefix: "{f}:", Stats: make(claimed, 10*len(keys))} // one slot, so that there is one claim for all
		loader := memoise(t, db, cache.FuncOptions[int, int]{Options: o, Fleet: true, Lease: time.Hour, LoadMany: load})
		o.Stats = claims
		waiter := memoise(t, waiting, cache.FuncOptions[int, int]{Options: o, Fleet: true, Lease: time.Hour, LoadMany: load})
		var group sync.WaitGroup
		get := func(f *cache.Func[int, int]) {
			found, err := f.GetMany(ctx, keys...)
			if err != nil || len(found) != len(keys) {
				t.Errorf("%d values and %v", len(found), err)
			}
			for i, v := range found {
				if v.Value != keys[i] || !v.OK {
					t.Errorf("%d is %v", keys[i], v)
				}
			}
		}
		group.Go(func() { get(loader) })
		<-began
		group.Go(func() { get(waiter) })
		for range 2*len(keys) + 1 { // one for all, each on its own, and each when it listens
			<-claims
		}
		close(goOn)
		group.Wait()
		if n := waiting.n.Load(); n != 1 {
			t.Errorf("%d subscriptions", n)
		}
		if len(began) != 0 {
			t.Error("a second load")
		}
	})
}

func TestWhatIsLoadedElsewhereHoldsUpNothingElse(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		began, goOn := make(chan int, 1), make(chan struct{})
		first := memoise(t, db, cache.FuncOptions[int, int]{Fleet: true, LoadMany: loadsKeys(began, goOn)})
		both := memoise(t, db, cache.FuncOptions[int, int]{Fleet: true, LoadMany: loadsKeys(began, goOn)})
		var group sync.WaitGroup
		group.Go(func() { returns(t, "elsewhere", 3)(first.Get(ctx, 3)) })
		<-began
		group.Go(func() {
			if found, err := both.GetMany(ctx, 1, 2, 3, 4, 5); err != nil || len(found) != 5 || found[2].Value != 3 || found[4].Value != 5 {
				t.Errorf("%v and %v", found, err)
			}
		})
		if n := <-began; n != 4 { // while 3 is loaded elsewhere
			t.Errorf("%d are loaded", n)
		}
		close(goOn)
		group.Wait()
		if len(began) != 0 {
			t.Error("3 is loaded again")
		}
	})
}

func TestWhatIsLoadedElsewhereTakesNoPlaceOfOtherLoads(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		now := newClock()
		var loads atomic.Int32
		f := memoise(t, db, cache.FuncOptions[int, int]{Fleet: true, TTL: time.Second, Stale: time.Hour, Refreshes: 1, Now: now.now, Load: func(_ context.Context, key int) (int, error) {
			loads.Add(1)
			return key, nil
		}})
		for _, key := range []int{1, 2} {
			returns(t, "the first time", key)(f.Get(ctx, key))
		}
		now.move(2 * time.Second)
		if err := db.Set(ctx, "f:{1}:load", "somebody", time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		returns(t, "what is loaded elsewhere", 1)(f.Get(ctx, 1))
		cache.AwaitLanded(f) // though it is not loaded
		returns(t, "what is not", 2)(f.Get(ctx, 2))
		cache.AwaitLanded(f)
		if n := loads.Load(); n != 3 {
			t.Errorf("%d loads", n)
		}
	})
}

// wires is a way to a server that loses answers.
type wires struct {
	mu   sync.Mutex // guards what follows
	deaf bool       // connections on which somebody subscribes hear nothing
	lost []byte     // the answer to the next command with this is lost, and its connection; nil: none is
}

// wired is a connection.
type wired struct {
	net.Conn
	w         *wires
	mute, end atomic.Bool
}

func (c *wired) Write(b []byte) (int, error) {
	c.w.mu.Lock()
	lower := bytes.ToLower(b)
	if c.w.deaf && bytes.Contains(lower, []byte("subscribe")) {
		c.mute.Store(true)
	}
	if c.w.lost != nil && bytes.Contains(lower, c.w.lost) {
		c.w.lost = nil
		c.end.Store(true)
	}
	c.w.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *wired) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		switch {
		case err != nil:
			return n, err
		case c.end.Load():
			_ = c.Close()
			return 0, io.EOF
		case !c.mute.Load():
			return n, nil
		}
	}
}

// client is one of go-redis with its own defaults, which sends again what was not answered.
func (w *wires) client(t *testing.T, server *redbud.DB) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Addr: server.Unwrap().(*redis.Client).Options().Addr,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &wired{Conn: conn, w: w}, err
		},
	})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// lose loses the answer to the next command with a word.
func (w *wires) lose(word string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = []byte(word)
}

func TestASubscriptionThatIsNotAnsweredDelaysNobody(t *testing.T) {
	db := kittest.Open(t, testenv.SharedRedis(t).URL())
	w := &wires{deaf: true}
	f := memoise(t, w.client(t, db), cache.FuncOptions[string, int]{Options: cache.Options{Prefix: "deaf:"}, Fleet: true,
		Load: func(context.Context, string) (int, error) { return 1, nil }})
	if err := db.Set(t.Context(), "deaf:{k}:load", "gone", 50*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // it would be for ever
	defer cancel()
	returns(t, "after the lease", 1)(f.Get(ctx, "k"))
}

func TestAClaimWhoseAnswerIsLostIsMadeAgain(t *testing.T) {
	db := kittest.Open(t, testenv.SharedRedis(t).URL())
	w := &wires{}
	f := memoise(t, w.client(t, db), cache.FuncOptions[string, int]{Options: cache.Options{Prefix: "lost:"}, Fleet: true, Lease: time.Hour,
		Load: func(context.Context, string) (int, error) { return 1, nil }})
	returns(t, "while all is well", 1)(f.Get(t.Context(), "first")) // the engine has the programs
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // it would wait for its own lease
	defer cancel()
	w.lose("evalsha")
	returns(t, "when an answer is lost", 1)(f.Get(ctx, "k"))
}

// losing loses what the next program is sent with, or its answer.
type losing struct{ call, answer atomic.Bool }

func (*losing) DialHook(next redis.DialHook) redis.DialHook { return next }

func (l *losing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		program := strings.Contains(strings.ToLower(cmd.Name()), "eval")
		if program && l.call.CompareAndSwap(true, false) {
			cmd.SetErr(io.EOF)
			return io.EOF
		}
		err := next(ctx, cmd)
		if program && l.answer.CompareAndSwap(true, false) {
			err = io.EOF
			cmd.SetErr(err)
		}
		return err
	}
}

func (*losing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestTokensOfCallsThatAreLostAreReleased(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		l := &losing{}
		db.AddHook(l)
		duringLoad := func() {}
		f := memoise(t, db, cache.FuncOptions[string, int]{Options: cache.Options{Prefix: "{f}:"}, Fleet: true, Lease: time.Hour,
			Load: func(context.Context, string) (int, error) {
				duringLoad()
				return 1, nil
			}})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // it would wait for its own lease
		defer cancel()
		returns(t, "while all is well", 1)(f.Get(ctx, "first")) // the engine has the programs
		l.answer.Store(true)
		if _, err := f.Get(ctx, "k"); !errors.Is(err, io.EOF) {
			t.Errorf("a claim whose answer is lost: %v", err)
		}
		returns(t, "after a claim whose answer was lost", 1)(f.Get(ctx, "k"))
		l.answer.Store(true)
		if _, err := f.GetMany(ctx, "l", "m"); !errors.Is(err, io.EOF) {
			t.Errorf("claims whose answer is lost: %v", err)
		}
		returns(t, "after claims whose answer was lost", 1)(f.Get(ctx, "m"))
		duringLoad = func() {
			l.call.Store(true)
			duringLoad = func() {}
		}
		if _, err := f.Get(ctx, "n"); !errors.Is(err, io.EOF) {
			t.Errorf("a load whose end is lost: %v", err)
		}
		returns(t, "after a load whose end was lost", 1)(f.Get(ctx, "n"))
		cache.AwaitLanded(f)
		nothingIsLoaded(t, db, "{f}:{l}")
	})
}

// rounds tells of each round trip of programs how many keys it is about.
type rounds struct{ keys chan int }

func (*rounds) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *rounds) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		r.tell(cmd)
		return err
	}
}

func (r *rounds) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		r.tell(cmds...)
		return err
	}
}

// tell tells of a round trip, if it is of programs and somebody listens.
func (r *rounds) tell(cmds ...redis.Cmder) {
	keys := 0
	for _, cmd := range cmds {
		if strings.Contains(strings.ToLower(cmd.Name()), "eval") {
			keys += cmd.Args()[2].(int)
		}
	}
	if keys > 0 {
		select {
		case r.keys <- keys:
		default:
		}
	}
}

func TestTheTokensOfManyLoadsAreRenewedAtOnce(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		r := &rounds{make(chan int)}
		db.AddHook(r)
		began, goOn := make(chan int, 2), make(chan struct{})
		f := memoise(t, db, cache.FuncOptions[int, int]{Lease: 900 * time.Millisecond, LoadMany: loadsKeys(began, goOn)})
		keys := make([]int, 30)
		for i := range keys {
			keys[i] = i
		}
		var group sync.WaitGroup
		group.Go(func() {
			if found, err := f.GetMany(ctx, keys...); len(found) != len(keys) || err != nil {
				t.Errorf("%d values and %v", len(found), err)
			}
		})
		<-began
		for range 4 { // until all masters of a cluster know the program
			<-r.keys
		}
		for range 4 { // for more than a lease
			if n := <-r.keys; n != len(keys) {
				t.Errorf("%d tokens are renewed at once", n)
			}
		}
		for _, key := range keys {
			if n, err := db.Exists(ctx, fmt.Sprintf("f:{%d}:load", key)).Result(); n != 1 || err != nil {
				t.Errorf("the token of %d: %d and %v", key, n, err)
			}
		}
		close(goOn)
		group.Wait()
		if len(began) != 0 {
			t.Error("a second load")
		}
	})
}

func TestManyKeysOfAFuncTakeFewRoundTrips(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		f := memoise(t, db, cache.FuncOptions[int, int]{LoadMany: func(_ context.Context, keys []int) ([]cache.Found[int], error) {
			found := make([]cache.Found[int], len(keys))
			for i, key := range keys {
				found[i] = cache.Found[int]{Value: key, OK: true}
			}
			return found, nil
		}})
		keys := make([]int, 200)
		for i := range keys {
			keys[i] = i
		}
		all := func() {
			t.Helper()
			if found, err := f.GetMany(ctx, keys...); err != nil || len(found) != len(keys) || found[199].Value != 199 {
				t.Fatalf("%d values and %v", len(found), err)
			}
			if n, err := f.PurgeMany(ctx, keys...); n != len(keys) || err != nil {
				t.Fatalf("%d purged and %v", n, err)
			}
		}
		all() // all masters of a cluster know the programs
		r := &rounds{make(chan int, 100)}
		db.AddHook(r)
		all()
		close(r.keys)
		var trips []int
		for n := range r.keys {
			trips = append(trips, n)
		}
		if want := []int{400, 400, 400}; !slices.Equal(trips, want) { // to claim, to settle and to purge, each with the keys of the tokens
			t.Errorf("round trips about %d keys", trips)
		}
	})
}

func TestCloseEndsALoadThatWasPurged(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		began := make(chan struct{}, 2)
		f, err := cache.NewFunc(db, cache.FuncOptions[string, int]{Options: cache.Options{Prefix: "f:"}, TTL: time.Hour, Load: func(ctx context.Context, _ string) (int, error) {
			began <- struct{}{}
			<-ctx.Done()
			return 0, ctx.Err()
		}})
		if err != nil {
			t.Fatal(err)
		}
		var errs []error
		var group sync.WaitGroup
		group.Go(func() {
			_, err := f.Get(t.Context(), "k")
			errs = append(errs, err)
		})
		<-began
		if _, err := f.Purge(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.Close(ended); err != context.Canceled {
			t.Errorf("Close: %v", err)
		}
		group.Wait() // the load is over, or this is for ever
		if !slices.Equal(errs, []error{context.Canceled}) {
			t.Errorf("Get: %v", errs)
		}
	})
}
