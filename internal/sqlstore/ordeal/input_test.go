package ordeal

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/engine/memory"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// open opens an engine in this process.
func open(t *testing.T, url string) engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// pair is an engine and one in memory, which answers as it should.
type pair struct{ got, want engine.Engine }

func openPair(t *testing.T, d *database) pair {
	m := memory.New(memory.Options{})
	t.Cleanup(func() { _ = m.Close() })
	return pair{open(t, d.fast), m}
}

// same runs a batch on both and compares the replies, call by call.
func (p pair) same(t *testing.T, b engine.Batch) {
	t.Helper()
	var got, want resp.Writer
	one, two := b, b
	if err := p.got.Do(t.Context(), &one, &got); err != nil {
		t.Fatal(err)
	}
	if err := p.want.Do(t.Context(), &two, &want); err != nil {
		t.Fatal(err)
	}
	if string(got.Buf) == string(want.Buf) {
		return
	}
	for _, call := range b.Calls {
		_, restGot, err1 := resp.DecodeValue(got.Buf)
		_, restWant, err2 := resp.DecodeValue(want.Buf)
		if err1 != nil || err2 != nil {
			t.Fatalf("%.200q: a reply that cannot be read: %v, %v", call, err1, err2)
		}
		a, b := got.Buf[:len(got.Buf)-len(restGot)], want.Buf[:len(want.Buf)-len(restWant)]
		if string(a) != string(b) {
			t.Errorf("%.200q: %.200q, in memory %.200q", call, a, b)
		}
		got.Buf, want.Buf = restGot, restWant
	}
}

// calls are lines of words. A word that is a letter is what it stands for.
func calls(lines string, words map[string]string) (all []engine.Call) {
	for line := range strings.Lines(lines) {
		var c engine.Call
		for word := range strings.FieldsSeq(line) {
			if long, ok := words[word]; ok {
				word = long
			}
			c = append(c, []byte(word))
		}
		all = append(all, c)
	}
	return all
}

// names are what users may call things, and more.
var names = []string{
	"", "\x00", "a\x00b", "a\x00", "a", "A", "\xff\xfe\x80", "é", "e\u0301", " ", "'; DROP TABLE redbud_key; --", `%_\`, "NULL", "0", "-1.5e3",
	strings.Repeat("n", 100<<10), strings.Repeat("n", 100<<10) + "x",
}

// takeBadInput has names of all kinds stand for keys, fields, members and values.
func takeBadInput(t *testing.T, d *database) {
	p := openPair(t, d)
	for i, key := range names {
		for j, value := range names {
			p.same(t, engine.Batch{Atomic: j%2 == 0, Calls: calls(`SET k v
GET k
STRLEN k
SET k 12
APPEND k v
GETRANGE k 0 -1
INCR k
SETRANGE k 3 v
GETEX k PERSIST
TYPE k
EXISTS k v
COPY k other
RENAME k v
EXISTS k
GET v
MSET k v other v
MGET k v other
MSETNX k 1 new 1
DEL k v other
HSET k v v
HGET k v
HMGET k v v missing
HGETALL k
HSTRLEN k v
HEXISTS k v
HINCRBY k v 1
HPEXPIRE k 100000 FIELDS 1 v
HSCAN k 0
HDEL k v
RPUSH k v x v
LPOS k v RANK 2
LINSERT k BEFORE x v
LREM k 1 v
LRANGE k 0 -1
LSET k 0 v
LMOVE k v LEFT RIGHT
DEL k v
SADD k v v
SISMEMBER k v
SMEMBERS k
SINTERSTORE v k
SCARD v
SREM k v
ZADD k 1 v
ZSCORE k v
ZINCRBY k 2 v
ZRANGE k 0 -1 WITHSCORES
ZRANGEBYLEX k - +
ZRANK k v
ZREM k v
DEL k v
XADD k 1-1 v v
XADD k 1-2 f v v f
XRANGE k - +
XGROUP CREATE k v 0
XGROUP CREATECONSUMER k v v
XREADGROUP GROUP v v COUNT 1 STREAMS k >
XREADGROUP GROUP v v STREAMS k 0
XPENDING k v
XACK k v 1-1
XINFO GROUPS k
XGROUP DELCONSUMER k v v
XGROUP DESTROY k v
XDEL k 1-1
XLEN k
DEL k
PFADD k v
PFCOUNT k
DEL k
GEOADD k 13.3 38.1 v
GEOPOS k v
OBJECT ENCODING k
EVAL return{redis.call('SET',KEYS[1],ARGV[1]),redis.call('GET',KEYS[1])} 1 k v
SORT k
SETBIT k 9 1
KEYS *
SCAN 0
DBSIZE
MOVE k 1
RANDOMKEY
FLUSHALL`, map[string]string{"k": key, "v": value})})
			if t.Failed() {
				t.Fatalf("with %.40q (%d) and %.40q (%d)", key, i, value, j)
			}
		}
	}
	var all engine.Batch // all names side by side: none is taken for another
	for i, name := range names {
		all.Calls = append(all.Calls, calls(fmt.Sprintf("SET k %d\nHSET k: k %d\nSADD set k\nZADD zset %d k\nHSET hash k %d", i, i, i, i), map[string]string{"k": name, "k:": name + ":"})...)
	}
	for _, name := range names {
		all.Calls = append(all.Calls, calls("GET k\nHGET k: k\nSISMEMBER set k\nZRANK zset k\nHGET hash k", map[string]string{"k": name, "k:": name + ":"})...)
	}
	all.Calls = append(all.Calls, calls("DBSIZE\nSCARD set\nHLEN hash\nZRANGE zset 0 -1", nil)...)
	p.same(t, all)
}

// takeManyCalls has one call with 10,000 keys, and 100,000 calls at once.
func takeManyCalls(t *testing.T, d *database) {
	p := openPair(t, d)
	set, get, del := engine.Call{[]byte("MSET")}, engine.Call{[]byte("MGET")}, engine.Call{[]byte("DEL")}
	for i := range 10_000 {
		key := fmt.Appendf(nil, "key:%d", i)
		set, get, del = append(set, key, fmt.Append(nil, i)), append(get, key), append(del, key)
	}
	p.same(t, engine.Batch{Calls: []engine.Call{set, get, {[]byte("DBSIZE")}, del, {[]byte("DBSIZE")}}})
	for _, atomic := range []bool{false, true} {
		b := engine.Batch{Atomic: atomic}
		for i := range 20_000 {
			b.Calls = append(b.Calls, calls(fmt.Sprintf("SET k%d %d\nINCR n\nRPUSH l %d\nLPOP l%d\nGET k%d", i%1000, i, i, i%2, i%777), nil)...)
		}
		p.same(t, b)
	}
}

// inside is a connection that does something when its call runs, in the middle of a transaction.
type inside func()

func (f inside) Run(_ engine.Call, w *resp.Writer) {
	f()
	w.OK()
}

func (inside) Scripted(engine.Call, bool)                 {}
func (inside) DB() int                                    { return 0 }
func (inside) Served()                                    {}
func (inside) Refuses(engine.Call, bool) (refusal string) { return "" }

// heedContexts ends contexts before a batch, while it waits for its turn, while it runs, and while a call waits for a key.
func heedContexts(t *testing.T, d *database) {
	p := openPair(t, d)
	for name, e := range map[string]engine.Engine{"memory": p.want, "database": p.got} {
		t.Run(name, func(t *testing.T) {
			errLeft := errors.New("the caller has left")
			ask := func(ctx context.Context, s engine.Session, lines string) (string, error) {
				var w resp.Writer
				err := e.Do(ctx, &engine.Batch{Atomic: s != nil, Wait: true, Session: s, Calls: calls(lines, nil)}, &w)
				return strings.TrimSpace(strings.ReplaceAll(string(w.Buf), "\r\n", " ")), err
			}
			expect := func(want, lines string) {
				t.Helper()
				if got, err := ask(t.Context(), nil, lines); got != want || err != nil {
					t.Errorf("%q: %s, %v, want %s", lines, got, err, want)
				}
			}

			before, leave := context.WithCancelCause(t.Context())
			leave(errLeft)
			for _, lines := range []string{"SET a 1", "GET a", "BLPOP a 0"} {
				if got, err := ask(before, nil, lines); !errors.Is(err, errLeft) || got != "" {
					t.Errorf("%s, before: %s, %v", lines, got, err)
				}
			}
			expect(":0", "EXISTS a")

			waiting, leave := context.WithCancelCause(t.Context())
			got, err := ask(t.Context(), inside(func() { // while this one has its turn
				ended := make(chan error)
				go func() {
					_, err := ask(waiting, nil, "SET b 7")
					ended <- err
				}()
				time.Sleep(5 * time.Millisecond) // mostly it waits by then
				leave(errLeft)
				select {
				case err := <-ended:
					if !errors.Is(err, errLeft) {
						t.Errorf("it waited for its turn: %v", err)
					}
				case <-time.After(20 * time.Second):
					t.Error("it goes on waiting for its turn")
				}
			}), "SET b 1\nSELECT 0\nINCR b")
			if got != "+OK +OK :2" || err != nil {
				t.Errorf("whose turn it was: %s, %v", got, err)
			}
			expect("$1 2", "GET b")

			running, leave := context.WithCancelCause(t.Context())
			got, err = ask(running, inside(func() { leave(errLeft) }), "SET c 1\nSELECT 0\nSET d 1")
			left := ":0"
			if err == nil { // it may be done all the same
				left = ":2"
			}
			if err == nil && got != "+OK +OK +OK" || err != nil && !errors.Is(err, errLeft) {
				t.Errorf("in the middle: %s, %v", got, err)
			}
			expect(left, "EXISTS c d")

			blocked, leave := context.WithCancelCause(t.Context())
			ended := make(chan error)
			go func() {
				_, err := ask(blocked, nil, "BLPOP l 0")
				ended <- err
			}()
			for e.(interface{ Waiting() int }).Waiting() == 0 {
				time.Sleep(time.Millisecond)
			}
			leave(errLeft)
			if err := <-ended; !errors.Is(err, errLeft) {
				t.Errorf("it waited for a key: %v", err)
			}
			expect(":1 :1", "RPUSH l x\nLLEN l")
		})
	}
}

// takeLargeValues has the largest string there may be. One engine after the other, since each takes it several times over.
func takeLargeValues(t *testing.T, d *database) {
	defer debug.FreeOSMemory()
	large := make([]byte, 512<<20)
	for i := range 1000 {
		large[i] = byte(i * 31 >> 3)
	}
	for n := 1000; n < len(large); n *= 2 {
		copy(large[n:], large[:n])
	}
	batches := [][]engine.Call{calls("SET big v\nSTRLEN big\nGETRANGE big 536870900 -1", nil)}
	batches[0][0][2] = large
	for _, line := range []string{
		"APPEND big x", "SETRANGE big 536870912 x", "SETBIT big 4294967296 1", "STRLEN big", "GETRANGE big 268435456 268435466",
		"SETRANGE big 536870911 x", "GETRANGE big -3 -1", "GET big", "DEL big", "EXISTS big", "SET big small", "GET big",
	} {
		batches = append(batches, calls(line, nil))
	}
	seed := maphash.MakeSeed()
	replies := func(e engine.Engine) (all []string) {
		defer e.Close()
		for _, b := range batches {
			var w resp.Writer
			if err := e.Do(t.Context(), &engine.Batch{Calls: b}, &w); err != nil {
				t.Fatalf("%.40q: %v", b, err)
			}
			all = append(all, fmt.Sprintf("%.40q: %.100q, %d bytes, %x", b, w.Buf[:min(len(w.Buf), 100)], len(w.Buf), maphash.Bytes(seed, w.Buf)))
		}
		return all
	}
	want := replies(memory.New(memory.Options{}))
	debug.FreeOSMemory()
	got := replies(open(t, d.fast))
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s\nin memory %s", got[i], want[i])
		}
	}
}
