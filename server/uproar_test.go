package server

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/resp"
)

// uproar are calls with one reply each that get in the way of others.
var uproar = []string{
	"EVAL 'return 1' 0", "EVAL 'return redis.call(\"INCR\",KEYS[1])' 1 n", "EVAL 'local x = 0; for i = 1, 200000 do x = x + i end; return x' 0",
	"EVAL 'error(\"no\")' 0", "EVAL 'return redis.call(\"LPUSH\", \"n\", 1)' 0", "EVAL 'return redis.call(\"BLPOP\", \"l\", 0)' 0",
	"EVAL 'redis.call(\"SELECT\", 3); redis.call(\"SET\", \"a\", 1); return redis.error_reply(\"MY mistake\")' 0",
	"EVAL 'while true do end' 0", "EVAL 'redis.setresp(3); return redis.call(\"HGETALL\", \"h\")' 0", "EVAL 'return {1,{2,{3,{4}}}}' 0",
	"EVAL 'for i = 1, 300 do redis.call(\"SET\", \"e\" .. i, i) end; return redis.call(\"DBSIZE\")' 0", "EVAL_RO 'return redis.call(\"GET\", \"n\")' 0",
	"EVAL_RO 'while true do redis.call(\"GET\", \"n\") end' 0", "EVAL_RO 'return redis.call(\"SET\", \"n\", 1)' 0", "EVAL 'return redis.call(\"PUBLISH\", \"c\", \"m\")' 0",
	"EVAL 'local t = {}; for i = 1, 20000 do t[i] = tostring(i) end; return #table.concat(t)' 0", "EVAL 'local function f() return f() + 1 end; return f()' 0",
	"EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0", "EVAL 'return #' 0",
	"FUNCTION LOAD REPLACE '#!lua name=l\nredis.register_function(\"f\", function(k, a) return redis.call(\"INCR\", \"n\") end) redis.register_function{function_name=\"g\", callback=function(k, a) return redis.call(\"GET\", \"n\") end, flags={\"no-writes\"}}'",
	"FUNCTION LOAD REPLACE '#!lua name=m\nredis.register_function{function_name=\"loop\", callback=function(k, a) while true do end end, flags={\"no-writes\"}}'",
	"FUNCTION LOAD '#!lua name=bad\nwhile true do end'", "FCALL f 0", "FCALL g 0", "FCALL_RO g 0", "FCALL loop 0", "FCALL_RO loop 0", "FUNCTION DELETE l", "FUNCTION FLUSH", "FUNCTION FLUSH ASYNC",
	"FUNCTION STATS", "FUNCTION LIST WITHCODE", "FUNCTION DUMP", "FUNCTION KILL", "SCRIPT FLUSH", "SCRIPT KILL", "SCRIPT KILL", "FUNCTION KILL", "SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "SCRIPT LOAD 'return 1'",
	"MULTI", "EXEC", "EXEC", "DISCARD", "WATCH n", "UNWATCH", "BLPOP l 0.01", "BLPOP l 1", "LPUSH l x", "RPOPLPUSH l m", "BLMOVE m l LEFT RIGHT 0.01", "XADD s * f v", "XREAD BLOCK 10 STREAMS s $", "BZPOPMIN z 0.01",
	"WAIT 1 1", "PUBLISH c m", "PUBSUB CHANNELS",
	"CLIENT PAUSE 20", "CLIENT PAUSE 20 WRITE", "CLIENT UNPAUSE", "CLIENT UNPAUSE", "CLIENT LIST", "CLIENT INFO", "CLIENT NO-EVICT ON", "CLIENT NO-TOUCH ON", "CLIENT KILL TYPE normal SKIPME no MAXAGE 100000", "CLIENT KILL USER u",
	"CLIENT TRACKING ON", "CLIENT TRACKING ON BCAST", "CLIENT TRACKING OFF", "CLIENT CACHING YES", "CLIENT UNBLOCK 5", "HELLO 3",
	"CONFIG SET busy-reply-threshold 1", "CONFIG SET busy-reply-threshold 100", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "CONFIG SET maxmemory 0", "CONFIG SET maxmemory-policy allkeys-lru", "CONFIG SET maxmemory-policy noeviction",
	"CONFIG SET notify-keyspace-events KEA", "CONFIG SET notify-keyspace-events ''", "CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "CONFIG SET min-replicas-to-write 0",
	"CONFIG SET slowlog-log-slower-than 0", "CONFIG SET latency-monitor-threshold 1", "CONFIG RESETSTAT", "CONFIG GET *", "INFO everything", "SLOWLOG GET", "SLOWLOG RESET", "LATENCY LATEST", "LATENCY RESET", "LATENCY HISTOGRAM", "MEMORY STATS", "MEMORY USAGE n",
	"ACL SETUSER u on nopass +@all -flushall ~n ~l", "ACL SETUSER u off", "ACL SETUSER u on -eval", "ACL SETUSER u +eval resetkeys %R~n", "ACL DELUSER u", "ACL SETUSER u on nopass allcommands allkeys allchannels", "AUTH u x", "AUTH default x", "ACL LOG", "ACL LOG RESET", "ACL LIST", "ACL WHOAMI",
	"DEBUG SLEEP 0.005", "DEBUG RELOAD", "DEBUG OBJECT n", "DEBUG DIGEST", "DEBUG SET-ACTIVE-EXPIRE 0", "DEBUG SET-ACTIVE-EXPIRE 1", "SAVE", "BGSAVE", "LASTSAVE", "BGREWRITEAOF",
	"SET n 1", "GET n", "INCR n", "SETEX a 1 b", "PEXPIRE n 1", "DEL n l m", "HSET h f v", "HGETALL h", "SADD t 1 2 3", "KEYS *", "SCAN 0", "FLUSHALL", "FLUSHDB ASYNC", "SWAPDB 0 1", "SELECT 1", "SELECT 0", "COPY n o", "RENAME n o", "MOVE n 1", "DUMP n", "RANDOMKEY", "DBSIZE", "SORT l BY n GET #",
	"ZADD z 1 a", "ZRANGE z 0 -1", "GEOADD g 1 1 a", "GEORADIUS g 1 1 10 km STORE z", "OBJECT FREQ n", "PING", "ECHO x", "COMMAND COUNT",
}

// encode is calls on the wire.
func encode(lines ...string) string {
	var w resp.Writer
	for _, line := range lines {
		words, ok := resp.SplitWords([]byte(line))
		if !ok {
			panic("bad line " + line)
		}
		w.Array(len(words))
		for _, word := range words {
			w.Bulk(word)
		}
	}
	return string(w.Buf)
}

// replies sends calls and returns their replies, without the messages between them; nil: the connection has ended.
func (w *wire) replies(lines ...string) (values []resp.Value) {
	err := w.SetDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = io.WriteString(w.Conn, encode(lines...))
	}
	for err == nil && len(values) < len(lines) {
		var v resp.Value
		if v, err = resp.ReadValue(w.in); err == nil && v.Kind != '>' {
			values = append(values, v)
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.Errorf("after %d replies to %q none comes", len(values), lines)
	}
	if err != nil {
		return nil
	}
	return values
}

// TestClientsInUproarAreAnsweredCallByCall lets clients do at random what gets in the way of others, while one of them ends what does
// not end by itself.
func TestClientsInUproarAreAnsweredCallByCall(t *testing.T) {
	t.Chdir(t.TempDir()) // where SAVE writes to
	seed := rand.Uint64()
	r := start(t, nil, Options{Hub: NewHub()})
	var clients, nurse sync.WaitGroup
	watch := r.dial()
	watch.do("CONFIG SET busy-reply-threshold 100", "+OK") // an endless script is ended only after that time
	watch.do("MONITOR", "+OK")
	nurse.Go(func() { _, _ = io.Copy(io.Discard, watch.Conn) })
	over := make(chan struct{})
	dial := func() *wire {
		c, err := net.Dial(r.network, r.address)
		if err != nil {
			t.Error(err)
			return nil
		}
		return newWire(t, c)
	}
	nurse.Go(func() {
		var w *wire
		for {
			select {
			case <-over:
				return
			default:
			}
			if w == nil {
				w = dial()
			}
			if w == nil || w.replies("SCRIPT KILL", "FUNCTION KILL", "CLIENT UNPAUSE", "CONFIG SET min-replicas-to-write 0 maxmemory 0") == nil {
				w = nil
			}
		}
	})
	for i := range 20 {
		clients.Go(func() {
			d := rand.New(rand.NewPCG(seed, uint64(i)))
			var w *wire
			for turn := range 40 {
				if w == nil {
					if w = dial(); w == nil {
						return
					}
					if hello := w.replies("HELLO 3"); hello == nil || hello[0].IsError() { // a script takes too long
						w = nil
						continue
					}
				}
				var calls []string
				for range 1 + d.IntN(6) {
					calls = append(calls, uproar[d.IntN(len(uproar))])
				}
				marker := "turn " + strconv.Itoa(turn)
				calls = append(calls, "DISCARD", "ECHO '"+marker+"'")
				values := w.replies(calls...)
				if values == nil {
					w = nil
					continue
				}
				if last := values[len(values)-1]; !last.IsError() && string(last.Str) != marker {
					t.Errorf("seed %d: the last reply to %q is %v", seed, calls, last)
				}
			}
		})
	}
	clients.Wait()
	close(over)
	watch.Close()
	nurse.Wait()
	last := dial()
	for last != nil {
		values := last.replies("SCRIPT KILL", "FUNCTION KILL", "PING")
		if values == nil {
			t.Fatal("in the end nobody answers")
		}
		if strings.HasPrefix(string(values[2].Str), "BUSY") {
			continue
		}
		if string(values[2].Str) != "PONG" {
			t.Errorf("seed %d: in the end PING is answered by %v", seed, values[2])
		}
		break
	}
}
