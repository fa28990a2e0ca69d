package redbud

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// waits returns once n calls on db's keyspace wait.
func waits(t *testing.T, db *DB, n int) {
	t.Helper()
	e := db.engine.(interface{ Waiting() int })
	for end := time.Now().Add(10 * time.Second); e.Waiting() != n; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d calls wait, not %d", e.Waiting(), n)
		}
	}
}

// waysToWait are ways on which a BLPOP comes to the engine.
var waysToWait = map[string]func(ctx context.Context, db *DB, timeout time.Duration) ([]string, error){
	"alone": func(ctx context.Context, db *DB, timeout time.Duration) ([]string, error) {
		return db.BLPop(ctx, timeout, "none", "l").Result()
	},
	"in a pipeline": func(ctx context.Context, db *DB, timeout time.Duration) ([]string, error) {
		var before, after *redis.StringCmd
		var pop *redis.StringSliceCmd
		_, err := db.Pipelined(ctx, func(p redis.Pipeliner) error {
			before = p.Echo(ctx, "before")
			pop = p.BLPop(ctx, timeout, "none", "l")
			after = p.Echo(ctx, "after")
			return nil
		})
		if pop.Err() == nil && (before.Val() != "before" || after.Val() != "after") {
			return nil, errors.New("the calls around it fail")
		}
		return pop.Val(), err
	},
	"on a Conn": func(ctx context.Context, db *DB, timeout time.Duration) ([]string, error) {
		conn := db.UniversalClient.(*redis.Client).Conn()
		defer conn.Close()
		return conn.BLPop(ctx, timeout, "none", "l").Result()
	},
}

// result is what a BLPOP in a goroutine of its own returned.
type result struct {
	values []string
	err    error
}

func TestACallWaitsUntilAnotherWrites(t *testing.T) {
	for name, wait := range waysToWait {
		t.Run(name, func(t *testing.T) {
			db := openTest(t, "memory://")
			ended := make(chan result, 1)
			go func() {
				values, err := wait(t.Context(), db, 0)
				ended <- result{values, err}
			}()
			waits(t, db, 1)
			if n, err := db.RPush(t.Context(), "l", "a", "b").Result(); n != 2 || err != nil {
				t.Errorf("RPUSH: %d, %v", n, err)
			}
			if r := <-ended; strings.Join(r.values, " ") != "l a" || r.err != nil {
				t.Errorf("BLPOP: %q, %v", r.values, r.err)
			}
			if left := db.LRange(t.Context(), "l", 0, -1).Val(); strings.Join(left, " ") != "b" {
				t.Errorf("left is %q", left)
			}
		})
	}
}

func TestAWaitThatIsOverIsNil(t *testing.T) {
	for name, wait := range waysToWait {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // a second is the least that go-redis asks for
			if values, err := wait(t.Context(), openTest(t, "memory://"), time.Second); err != redis.Nil {
				t.Errorf("BLPOP: %q, %v", values, err)
			}
		})
	}
}

func TestAContextEndsAWaitThatThenTakesNothing(t *testing.T) {
	for name, wait := range waysToWait {
		if name == "on a Conn" {
			continue // go-redis watches the context of a connection only for its deadline
		}
		for _, url := range []string{"memory://", "memory://waiting"} {
			t.Run(name+" of "+url, func(t *testing.T) {
				db := openTest(t, url)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan result, 1)
				go func() {
					values, err := wait(ctx, db, 0)
					ended <- result{values, err}
				}()
				waits(t, db, 1)
				cancel()
				if n, err := db.RPush(t.Context(), "l", "a").Result(); n != 1 || err != nil {
					t.Errorf("RPUSH: %d, %v", n, err)
				}
				if r := <-ended; !errors.Is(r.err, context.Canceled) {
					t.Errorf("BLPOP: %q, %v", r.values, r.err)
				}
				if n := db.LLen(t.Context(), "l").Val(); n != 1 {
					t.Errorf("%d elements are left", n)
				}
			})
		}
	}
}

func TestADeadlineEndsAWaitOnAConn(t *testing.T) {
	db := openTest(t, "memory://")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if values, err := waysToWait["on a Conn"](ctx, db, 0); err == nil || errors.Is(err, redis.Nil) {
		t.Errorf("BLPOP: %q, %v", values, err)
	}
	waits(t, db, 0)
	if n := db.RPush(t.Context(), "l", "a").Val(); n != 1 || db.LLen(t.Context(), "l").Val() != 1 {
		t.Error("an element is lost to who has gone")
	}
}

func TestCloseEndsWhoWaits(t *testing.T) {
	for name, wait := range waysToWait {
		for _, url := range []string{"memory://", "memory://waiting"} {
			t.Run(name+" of "+url, func(t *testing.T) {
				other := openTest(t, "memory://waiting") // goes on with the keyspace
				db, err := Open(t.Context(), url)
				if err != nil {
					t.Fatal(err)
				}
				ended := make(chan result, 1)
				go func() {
					values, err := wait(t.Context(), db, 0)
					ended <- result{values, err}
				}()
				waits(t, db, 1)
				if err := db.Close(); err != nil {
					t.Error(err)
				}
				if r := <-ended; r.err == nil || errors.Is(r.err, redis.Nil) || name != "on a Conn" && !errors.Is(r.err, redis.ErrClosed) {
					t.Errorf("BLPOP: %q, %v", r.values, r.err)
				}
				waits(t, other, 0)
			})
		}
	}
}
