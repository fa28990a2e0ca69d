package enginetest

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/testenv"
	"github.com/redbud-go/redbud/server"
)

// dumped are calls that make a key of every type and size.
func dumped() (calls [][]string) {
	add := func(line string) { calls = append(calls, strings.Fields(line)) }
	long := strings.Repeat("the same again and ", 40)
	calls = append(calls, []string{"SET", "text", "any text"}, []string{"SET", "empty", ""}, []string{"SET", "long", long}, []string{"SET", "bytes", "\x00\r\n\xff"})
	for i, n := range []string{"0", "-1", "127", "-128", "128", "-32768", "32768", "2147483647", "-2147483648", "2147483648", "9223372036854775807", "007"} {
		add(fmt.Sprintf("SET number%d %s", i, n))
		add("RPUSH numbers " + n)
		add("SADD mixed " + n)
		add("HSET fields " + n + " " + n)
		add(fmt.Sprintf("ZADD scores %s member%s", n, n))
		add(fmt.Sprintf("XADD entries %d-1 field %s other %s", i+1, n, n))
	}
	add("SADD small 1 2 3 -5")
	add("SADD middling 1 2 70000")
	add("SADD large 1 2 5000000000")
	add("SET expiring v PXAT 33177117420000")
	add("ZADD scores inf a -inf b 1.5 c 0.1 d 1e300 e -0.0 f")
	calls = append(calls, []string{"RPUSH", "numbers", "", long, strings.Repeat("x", 70000)}, []string{"HSET", "fields", "", long, "f", ""},
		[]string{"SADD", "mixed", "", long}, []string{"ZADD", "scores", "3", long})
	for i := range 700 {
		add(fmt.Sprintf("RPUSH manyelements %d element%d", i*i, i))
		add(fmt.Sprintf("SADD manymembers m%d", i))
		add(fmt.Sprintf("SADD manyintegers %d", i*7))
		add(fmt.Sprintf("HSET manyfields f%d %d", i, i))
		add(fmt.Sprintf("ZADD manyscores %d.25 m%d", i%50, i))
		add(fmt.Sprintf("XADD manyentries %d-%d same %d", 5+i/3, i, -i))
	}
	add("XADD entries 100-0 field 1 another 2")
	add("XADD entries 200-0 a 1")
	add("XGROUP CREATE entries readers 3-1")
	add("XADD plain 5-5 f v")
	add("XGROUP CREATE plain behind 0")
	add("XGROUP CREATE plain ahead $")
	add("XREADGROUP GROUP readers alice COUNT 3 STREAMS entries >")
	add("XREADGROUP GROUP readers bob COUNT 2 STREAMS entries >")
	add("XGROUP CREATECONSUMER entries readers idle")
	add("XACK entries readers 4-1")
	add("XDEL entries 5-1 200-0")
	add("XDEL manyentries 6-4 10-15")
	add("XTRIM manyentries MAXLEN 650")
	add("XADD gone 1-1 f v")
	add("XDEL gone 1-1")
	return calls
}

func ask(t *testing.T, w *wire, words ...string) *resp.Value {
	t.Helper()
	v, err := w.ask(words...)
	if err != nil {
		t.Fatalf("%s: %v", words[0], err)
	}
	if v.IsError() {
		t.Fatalf("%.200q: %s", words, v.Str)
	}
	return v
}

// held tells what a key holds.
func held(t *testing.T, w *wire, key string) string {
	t.Helper()
	what := string(ask(t, w, "TYPE", key).Str) + " " + string(resp.AppendCLI(nil, ask(t, w, "PEXPIRETIME", key)))
	switch kind, _, _ := strings.Cut(what, " "); kind {
	case "stream":
		what += string(resp.AppendCLI(nil, ask(t, w, "XRANGE", key, "-", "+")))
		info := ask(t, w, "XINFO", "STREAM", key, "FULL", "COUNT", "0")
		for i := 0; i < len(info.Elems); i += 2 {
			// Runs may be cut otherwise.
			if !strings.HasPrefix(string(info.Elems[i].Str), "radix") {
				what += string(resp.AppendCLI(nil, withoutActive(&info.Elems[i+1])))
			}
		}
	case "list":
		what += string(resp.AppendCLI(nil, ask(t, w, "LRANGE", key, "0", "-1")))
	default:
		what += string(ask(t, w, "DEBUG", "DIGEST-VALUE", key).Elems[0].Str)
	}
	return what
}

// withoutActive leaves out when a consumer was active, which only Redis 7.2 and newer ones know.
func withoutActive(v *resp.Value) *resp.Value {
	for i := range v.Elems {
		if string(v.Elems[i].Str) == "active-time" {
			v.Elems = slices.Delete(v.Elems, i, i+2)
			break
		}
	}
	for i := range v.Elems {
		withoutActive(&v.Elems[i])
	}
	return v
}

func TestEveryValueGoesToRedisAndBack(t *testing.T) {
	front := server.Pipe(openMemoryNow(t), server.Options{})
	ours := &wire{dial: func() (net.Conn, error) { return front, nil }, proto: 2}
	theirs := &wire{dial: tcp(testenv.Redis(t).Addr), proto: 2}
	defer ours.close()
	defer theirs.close()
	// So that Redis keeps, and gives, all in all the ways it can.
	limits := []string{"list-max-listpack-size", "hash-max-listpack-entries", "zset-max-listpack-entries", "set-max-intset-entries", "stream-node-max-entries", "rdbcompression"}
	for _, limit := range []string{"1 0 0 0 1 no", "128 128 128 512 100 yes", "-5 100000 100000 100000 100000 yes", "-1 3 3 3 7 no"} {
		t.Run(limit, func(t *testing.T) {
			for i, value := range strings.Fields(limit) {
				ask(t, theirs, "CONFIG", "SET", limits[i], value)
			}
			ask(t, theirs, "FLUSHALL")
			ask(t, ours, "FLUSHALL")
			for _, call := range dumped() {
				ask(t, theirs, call...)
			}
			for _, key := range ask(t, theirs, "KEYS", "*").Elems {
				name := string(key.Str)
				at := string(resp.AppendRaw(nil, ask(t, theirs, "PEXPIRETIME", name)))
				at = strings.Replace(strings.TrimSpace(at), "-1", "0", 1)
				want := held(t, theirs, name)
				payload := ask(t, theirs, "DUMP", name).Str
				ask(t, ours, "RESTORE", name, at, string(payload), "ABSTTL")
				if got := held(t, ours, name); got != want {
					t.Errorf("%s from Redis: %.2000s\nwant %.2000s", name, got, want)
				}
				payload = ask(t, ours, "DUMP", name).Str
				ask(t, theirs, "RESTORE", name, at, string(payload), "ABSTTL", "REPLACE")
				if got := held(t, theirs, name); got != want {
					t.Errorf("%s to Redis: %.2000s\nwant %.2000s", name, got, want)
				}
			}
		})
	}
}
