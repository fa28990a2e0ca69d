package softwaretest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/testenv"
)

// python returns the path of a Python 3 that has redis-py and other modules, Debian's before others. Without one the test
// is skipped, or fails where testenv would.
func python(t *testing.T, modules ...string) string {
	t.Helper()
	modules = append([]string{"redis"}, modules...)
	for _, path := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(path, "-c", "import "+strings.Join(modules, ", ")).Run() == nil {
			return path
		}
	}
	missing(t, fmt.Sprintf("no python3 with %s, on Debian they are in the packages python3-%s (scripts/install-test-deps installs them)",
		strings.Join(modules, " and "), strings.Join(modules, " and python3-")))
	return ""
}

func TestAPythonProgramGetsTheSame(t *testing.T) {
	t.Parallel()
	path := python(t)
	programs := []struct {
		file  string
		other map[string]string // by front: a line that is another than of redis-server
	}{
		{"client.py", nil},
		{"streams.py", nil},
		// A Redis does not tell whose write it was, so NOLOOP leaves out none.
		{"channels.py", map[string]string{"proxy": "only of others"}},
	}
	for _, program := range programs {
		for _, front := range fronts {
			t.Run(program.file+"/"+front.name, func(t *testing.T) {
				t.Parallel()
				output := func(addr string) []string {
					host, port, err := net.SplitHostPort(addr)
					if err != nil {
						t.Fatal(err)
					}
					out, code := tool{path, []string{"testdata/" + program.file, host, port}, nil}.run(t)
					if code != 0 {
						t.Fatalf("the program ends with %d and\n%s", code, out)
					}
					return strings.Split(out, "\n")
				}
				got, want := output(front.serve(t).addr), output(testenv.Redis(t).Addr)
				if len(got) != len(want) {
					t.Errorf("it prints %d lines, and of redis-server %d", len(got), len(want))
				}
				other := program.other[front.name]
				for i := range min(len(got), len(want)) {
					if is := other != "" && strings.HasPrefix(want[i], other+" "); (got[i] == want[i]) == is {
						t.Errorf("it prints\n%s\nand of redis-server\n%s", got[i], want[i])
					}
				}
			})
		}
	}
}

func TestAPythonProgramMayWriteLongPipelinesBeforeItReads(t *testing.T) {
	t.Parallel()
	path := python(t)
	host, port, err := net.SplitHostPort(serveBare(t).addr)
	if err != nil {
		t.Fatal(err)
	}
	out, code := tool{path, []string{"testdata/long.py", host, port}, nil}.run(t)
	want := "read: 100000\nwritten: 300000\n"
	if code != 0 || out != want {
		t.Errorf("the program ends with %d and\n%s", code, out)
	}
}

func TestGoRedisWorksAsWithRedis(t *testing.T) {
	t.Parallel()
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprint("RESP", protocol), func(t *testing.T) {
			onEachFront(t, func(t *testing.T, addr string) {
				db := client(t, addr, protocol)
				t.Run("pipelines", func(t *testing.T) { pipelines(t, db) })
				t.Run("names", func(t *testing.T) { names(t, db) })
				t.Run("conflict", func(t *testing.T) { conflict(t, db) })
				t.Run("pool", func(t *testing.T) { pool(t, addr, protocol) })
			})
		})
	}
}

func pipelines(t *testing.T, db *redis.Client) {
	ctx := t.Context()
	for name, run := range map[string]func(context.Context, func(redis.Pipeliner) error) ([]redis.Cmder, error){
		"pipeline": db.Pipelined, "transaction": db.TxPipelined,
	} {
		var wrong *redis.IntCmd
		var all *redis.MapStringStringCmd
		var scores *redis.ZSliceCmd
		var sum *redis.FloatCmd
		_, err := run(ctx, func(p redis.Pipeliner) error {
			p.Del(ctx, "s", "h", "z")
			p.Set(ctx, "s", "text", time.Minute)
			wrong = p.Incr(ctx, "s")
			p.HSet(ctx, "h", "f", 1, "g", "x")
			all = p.HGetAll(ctx, "h")
			p.ZAdd(ctx, "z", redis.Z{Score: 1.5, Member: "a"}, redis.Z{Score: -2, Member: "b"})
			scores = p.ZRangeWithScores(ctx, "z", 0, -1)
			sum = p.ZIncrBy(ctx, "z", 0.25, "a")
			return nil
		})
		if err == nil || err.Error() != "ERR value is not an integer or out of range" || wrong.Err() == nil {
			t.Errorf("%s: INCR of a text: %v, %v", name, err, wrong)
		}
		got := fmt.Sprint(all.Val(), scores.Val(), sum.Val())
		if want := "map[f:1 g:x] [{-2 b} {1.5 a}] 1.75"; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func names(t *testing.T, db *redis.Client) {
	ctx := t.Context()
	conn := db.Conn() // names belong to a connection
	defer conn.Close()
	if err := conn.ClientSetName(ctx, "gopher").Err(); err != nil {
		t.Error(err)
	}
	if name, err := conn.ClientGetName(ctx).Result(); name != "gopher" || err != nil {
		t.Errorf("CLIENT GETNAME: %q, %v", name, err)
	}
	list, err := conn.ClientList(ctx).Result()
	if err != nil || !strings.Contains(list, "name=gopher ") {
		t.Errorf("CLIENT LIST: %s, %v", list, err)
	}
}

// conflict makes a transaction fail by another's write.
func conflict(t *testing.T, db *redis.Client) {
	ctx := t.Context()
	add := func(tx *redis.Tx, between func()) error {
		n, err := tx.Get(ctx, "watched").Int()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		between()
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, "watched", n+1, 0)
			return nil
		})
		return err
	}
	err := db.Watch(ctx, func(tx *redis.Tx) error {
		return add(tx, func() { db.Set(ctx, "watched", 10, 0) })
	}, "watched")
	if !errors.Is(err, redis.TxFailedErr) {
		t.Errorf("a write between WATCH and EXEC: %v", err)
	}
	if err := db.Watch(ctx, func(tx *redis.Tx) error { return add(tx, func() {}) }, "watched"); err != nil {
		t.Errorf("undisturbed: %v", err)
	}
	if n := db.Get(ctx, "watched").Val(); n != "11" {
		t.Errorf("the key is %s, want 11", n)
	}
}

// pool has 50 goroutines use a pool at once, each its own keys and one counter together.
func pool(t *testing.T, addr string, protocol int) {
	const workers, rounds = 50, 20
	ctx := t.Context()
	db := redis.NewClient(&redis.Options{Addr: addr, Protocol: protocol, PoolSize: 20, ClientName: "pool", DB: 1})
	defer db.Close()
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range rounds {
				if err := mixed(ctx, db, w, i); err != nil {
					t.Errorf("worker %d, round %d: %v", w, i, err)
					return
				}
			}
		})
	}
	all.Wait()
	want := strconv.Itoa(workers * rounds)
	got := db.HGetAll(ctx, "shared").Val()
	if got["plain"] != want || got["transaction"] != want {
		t.Errorf("the counters are %v, want %s", got, want)
	}
	if n := db.DBSize(ctx).Val(); n != 1+3*workers {
		t.Errorf("%d keys", n)
	}
	if err := db.FlushDB(ctx).Err(); err != nil {
		t.Error(err)
	}
}

// mixed runs a few commands and checks what only this worker can have changed.
func mixed(ctx context.Context, db *redis.Client, worker, round int) error {
	key := func(kind string) string { return fmt.Sprint(kind, ":", worker) }
	value := strings.Repeat("v", round*100)
	if err := db.Set(ctx, key("s"), value, time.Hour).Err(); err != nil {
		return err
	}
	if got, err := db.Get(ctx, key("s")).Result(); err != nil || got != value {
		return fmt.Errorf("GET: %d bytes of %d, %w", len(got), len(value), err)
	}
	if n, err := db.RPush(ctx, key("l"), worker, round).Result(); err != nil || n != int64(2*round+2) {
		return fmt.Errorf("RPUSH: %d, %w", n, err)
	}
	var length *redis.IntCmd
	_, err := db.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HIncrBy(ctx, "shared", "transaction", 1)
		p.ZAdd(ctx, key("z"), redis.Z{Score: float64(round), Member: round})
		length = p.ZCard(ctx, key("z"))
		return nil
	})
	if err != nil || length.Val() != int64(round+1) {
		return fmt.Errorf("transaction: %d, %w", length.Val(), err)
	}
	_, err = db.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HIncrBy(ctx, "shared", "plain", 1)
		p.LRange(ctx, key("l"), 0, -1)
		p.Scan(ctx, 0, "s:*", 10)
		p.ClientSetInfo(ctx, redis.WithLibraryName("softwaretest"))
		p.Info(ctx, "clients")
		return nil
	})
	return err
}
