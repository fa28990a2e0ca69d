package budget

import (
	"fmt"
	"strings"
	"time"
)

// testCase is calls whose cost stands in the table.
type testCase struct {
	name   string
	before []string      // calls that make the keys
	calls  []string      // one batch: a pipeline
	atomic bool          // between MULTI and EXEC
	watch  string        // a key that is watched before; the calls stand between MULTI and EXEC then
	wait   bool          // the call may wait
	later  time.Duration // how much later the calls are than those before
}

// many is a text for each number from 0 on, after a beginning.
func many(beginning, format string, n int) string {
	var b strings.Builder
	b.WriteString(beginning)
	for i := range n {
		b.WriteString(" " + strings.ReplaceAll(format, "#", fmt.Sprint(i)))
	}
	return b.String()
}

// each is a line for each number from 0 on.
func each(format string, n int) (lines []string) {
	for i := range n {
		lines = append(lines, strings.ReplaceAll(format, "#", fmt.Sprint(i)))
	}
	return lines
}

// Keys that cases begin with.
var (
	str      = []string{"SET k v"}
	strings3 = many("MSET", "k# v", 3)
	strs100  = []string{many("MSET", "k# v", 100)}
	hash     = []string{"HSET h a 1 b 2 c 3"}
	hash1000 = []string{many("HSET h", "f# v", 1000)}
	list     = []string{"RPUSH l a b c"}
	list1000 = []string{many("RPUSH l", "#", 1000)}
	set      = []string{"SADD s a b c"}
	set1000  = []string{many("SADD s", "m#", 1000)}
	zset     = []string{"ZADD z 1 a 2 b 3 c"}
	zset1000 = []string{many("ZADD z", "# m#", 1000)}
	stream   = each("XADD x 1-# f v", 3+1)[1:]
	group    = append(stream[:len(stream):len(stream)], "XGROUP CREATE x g 0", "XGROUP CREATECONSUMER x g c")
	pending  = append(group[:len(group):len(group)], "XREADGROUP GROUP g c STREAMS x >")
)

const script = `EVAL "for i = 1, 10 do redis.call('%s') end" 1 k`

// cases are all of them, in the order of the table.
func cases() []*testCase {
	return []*testCase{
		{name: "GET", before: str, calls: []string{"GET k"}},
		{name: "GET, missing", calls: []string{"GET k"}},
		{name: "GET, expired", before: []string{"SET k v PX 1"}, later: time.Second, calls: []string{"GET k"}},
		{name: "GET, 100 in a pipeline", before: strs100, calls: each("GET k#", 100)},
		{name: "MGET of 100", before: strs100, calls: []string{many("MGET", "k#", 100)}},
		{name: "STRLEN", before: str, calls: []string{"STRLEN k"}},
		{name: "SET, new", calls: []string{"SET k v"}},
		{name: "SET, overwritten", before: str, calls: []string{"SET k w"}},
		{name: "SET with EX", before: str, calls: []string{"SET k w EX 100"}},
		{name: "SET over a list", before: []string{"RPUSH k a b c"}, calls: []string{"SET k v"}},
		{name: "SET NX, there", before: str, calls: []string{"SET k w NX"}},
		{name: "SET with GET", before: str, calls: []string{"SET k w GET"}},
		{name: "SET, 100 in a pipeline, new", calls: each("SET k# v", 100)},
		{name: "SET, 100 in a pipeline, overwritten", before: strs100, calls: each("SET k# w", 100)},
		{name: "MSET of 100, new", calls: []string{many("MSET", "k# v", 100)}},
		{name: "MSET of 100, overwritten", before: strs100, calls: []string{many("MSET", "k# w", 100)}},
		{name: "GETDEL", before: str, calls: []string{"GETDEL k"}},
		{name: "INCR, new", calls: []string{"INCR n"}},
		{name: "INCR", before: []string{"SET n 1"}, calls: []string{"INCR n"}},
		{name: "INCR, 100 in a pipeline, one key", before: []string{"SET n 1"}, calls: each("INCR n", 100)},
		{name: "APPEND", before: str, calls: []string{"APPEND k w"}},
		{name: "SETRANGE", before: str, calls: []string{"SETRANGE k 3 w"}},
		{name: "SETBIT", before: str, calls: []string{"SETBIT k 7 1"}},
		{name: "PFADD", before: []string{"PFADD k a"}, calls: []string{"PFADD k b"}},

		{name: "EXISTS", before: str, calls: []string{"EXISTS k"}},
		{name: "TTL", before: str, calls: []string{"TTL k"}},
		{name: "EXPIRE", before: str, calls: []string{"EXPIRE k 100"}},
		{name: "EXPIRE, missing", calls: []string{"EXPIRE k 100"}},
		{name: "PERSIST", before: []string{"SET k v EX 100"}, calls: []string{"PERSIST k"}},
		{name: "DEL of a string", before: str, calls: []string{"DEL k"}},
		{name: "DEL, missing", calls: []string{"DEL k"}},
		{name: "DEL of 100 strings", before: strs100, calls: []string{many("DEL", "k#", 100)}},
		{name: "DEL of a hash", before: hash, calls: []string{"DEL h"}},
		{name: "DEL of a hash of 1000", before: hash1000, calls: []string{"DEL h"}},
		{name: "DEL of a list", before: list, calls: []string{"DEL l"}},
		{name: "DEL of a set", before: set, calls: []string{"DEL s"}},
		{name: "DEL of a sorted set", before: zset, calls: []string{"DEL z"}},
		{name: "DEL of a stream", before: stream, calls: []string{"DEL x"}},
		{name: "RENAME", before: list, calls: []string{"RENAME l m"}},
		{name: "RENAME onto another key", before: []string{"SET k v", "SET m w"}, calls: []string{"RENAME k m"}},
		{name: "COPY of a list", before: list, calls: []string{"COPY l m"}},
		{name: "SCAN", before: []string{strings3}, calls: []string{"SCAN 0"}},
		{name: "DBSIZE", before: str, calls: []string{"DBSIZE"}},
		{name: "RANDOMKEY", before: str, calls: []string{"RANDOMKEY"}},
		{name: "OBJECT ENCODING", before: str, calls: []string{"OBJECT ENCODING k"}},
		{name: "DUMP of a hash", before: hash, calls: []string{"DUMP h"}},
		{name: "SORT of a list", before: []string{"RPUSH l 3 1 2"}, calls: []string{"SORT l"}},
		{name: "FLUSHDB", before: str, calls: []string{"FLUSHDB"}},

		{name: "HGET", before: hash, calls: []string{"HGET h a"}},
		{name: "HGET, missing key", calls: []string{"HGET h a"}},
		{name: "HGET, a field has expired", before: append(hash[:1:1], "HPEXPIRE h 1 FIELDS 1 b"), later: time.Second, calls: []string{"HGET h a"}},
		{name: "HMGET of 10", before: hash1000, calls: []string{many("HMGET h", "f#", 10)}},
		{name: "HGETALL", before: hash, calls: []string{"HGETALL h"}},
		{name: "HGETALL of 1000", before: hash1000, calls: []string{"HGETALL h"}},
		{name: "HLEN", before: hash, calls: []string{"HLEN h"}},
		{name: "HSET, new key", calls: []string{"HSET h a 1"}},
		{name: "HSET, new field", before: hash, calls: []string{"HSET h d 1"}},
		{name: "HSET, overwritten", before: hash, calls: []string{"HSET h a 2"}},
		{name: "HSET of 100, new key", calls: []string{many("HSET h", "f# v", 100)}},
		{name: "HSET, 100 in a pipeline, new fields", before: hash, calls: each("HSET h f# v", 100)},
		{name: "HSETNX, there", before: hash, calls: []string{"HSETNX h a 2"}},
		{name: "HINCRBY", before: hash, calls: []string{"HINCRBY h a 1"}},
		{name: "HDEL", before: hash, calls: []string{"HDEL h a"}},
		{name: "HEXPIRE", before: hash, calls: []string{"HEXPIRE h 100 FIELDS 1 a"}},
		{name: "HRANDFIELD", before: hash1000, calls: []string{"HRANDFIELD h"}},
		{name: "HSCAN of 1000", before: hash1000, calls: []string{"HSCAN h 0"}},

		{name: "RPUSH, new", calls: []string{"RPUSH l a"}},
		{name: "RPUSH", before: list, calls: []string{"RPUSH l d"}},
		{name: "RPUSH of 100", before: list, calls: []string{many("RPUSH l", "#", 100)}},
		{name: "RPUSH, 100 in a pipeline", before: list, calls: each("RPUSH l #", 100)},
		{name: "LPOP", before: list, calls: []string{"LPOP l"}},
		{name: "LPOP of the last", before: []string{"RPUSH l a"}, calls: []string{"LPOP l"}},
		{name: "LLEN", before: list, calls: []string{"LLEN l"}},
		{name: "LINDEX", before: list1000, calls: []string{"LINDEX l 500"}},
		{name: "LRANGE", before: list, calls: []string{"LRANGE l 0 -1"}},
		{name: "LRANGE of 1000", before: list1000, calls: []string{"LRANGE l 0 -1"}},
		{name: "LSET", before: list, calls: []string{"LSET l 1 x"}},
		{name: "LINSERT", before: list1000, calls: []string{"LINSERT l BEFORE 300 x"}},
		{name: "LREM of one", before: list, calls: []string{"LREM l 1 b"}},
		{name: "LREM of 100", before: []string{many("RPUSH l", "x #", 100)}, calls: []string{"LREM l 0 x"}},
		{name: "LTRIM", before: list1000, calls: []string{"LTRIM l 10 -10"}},
		{name: "LMOVE", before: append(list[:1:1], "RPUSH m a"), calls: []string{"LMOVE l m LEFT RIGHT"}},
		{name: "BLPOP that finds something", before: list, wait: true, calls: []string{"BLPOP l 0"}},

		{name: "SADD, new key", calls: []string{"SADD s a"}},
		{name: "SADD, new member", before: set, calls: []string{"SADD s d"}},
		{name: "SADD, there", before: set, calls: []string{"SADD s a"}},
		{name: "SISMEMBER", before: set, calls: []string{"SISMEMBER s a"}},
		{name: "SMEMBERS", before: set, calls: []string{"SMEMBERS s"}},
		{name: "SREM", before: set, calls: []string{"SREM s a"}},
		{name: "SPOP of 1000", before: set1000, calls: []string{"SPOP s"}},
		{name: "SRANDMEMBER of 1000", before: set1000, calls: []string{"SRANDMEMBER s"}},
		{name: "SINTER of two", before: append(set[:1:1], "SADD t b c d"), calls: []string{"SINTER s t"}},
		{name: "SUNIONSTORE of two", before: append(set[:1:1], "SADD t b c d"), calls: []string{"SUNIONSTORE u s t"}},
		{name: "SMOVE", before: append(set[:1:1], "SADD t b c d"), calls: []string{"SMOVE s t a"}},

		{name: "ZADD, new key", calls: []string{"ZADD z 1 a"}},
		{name: "ZADD, new member", before: zset, calls: []string{"ZADD z 4 d"}},
		{name: "ZADD, another score", before: zset, calls: []string{"ZADD z 4 a"}},
		{name: "ZADD of 100", before: zset, calls: []string{many("ZADD z", "# m#", 100)}},
		{name: "ZINCRBY", before: zset, calls: []string{"ZINCRBY z 1 a"}},
		{name: "ZSCORE", before: zset, calls: []string{"ZSCORE z a"}},
		{name: "ZCARD", before: zset, calls: []string{"ZCARD z"}},
		{name: "ZRANK of 1000", before: zset1000, calls: []string{"ZRANK z m500"}},
		{name: "ZRANGE of 1000", before: zset1000, calls: []string{"ZRANGE z 500 509 WITHSCORES"}},
		{name: "ZRANGE BYSCORE of 1000", before: zset1000, calls: []string{"ZRANGE z 500 509 BYSCORE"}},
		{name: "ZCOUNT", before: zset1000, calls: []string{"ZCOUNT z 10 20"}},
		{name: "ZREM", before: zset, calls: []string{"ZREM z a"}},
		{name: "ZPOPMIN", before: zset, calls: []string{"ZPOPMIN z"}},
		{name: "ZREMRANGEBYRANK", before: zset1000, calls: []string{"ZREMRANGEBYRANK z 0 99"}},
		{name: "ZUNIONSTORE of two", before: append(zset[:1:1], "ZADD y 1 b 2 c 3 d"), calls: []string{"ZUNIONSTORE u 2 y z"}},
		{name: "GEOSEARCH", before: []string{"GEOADD g 13.36 38.11 a 15.08 37.5 b"}, calls: []string{"GEOSEARCH g FROMMEMBER a BYRADIUS 200 km"}},

		{name: "XADD, new", calls: []string{"XADD x 1-1 f v"}},
		{name: "XADD", before: stream, calls: []string{"XADD x 2-1 f v"}},
		{name: "XADD, 100 in a pipeline", before: stream, calls: each("XADD x 2-* f #", 100)},
		{name: "XADD MAXLEN", before: stream, calls: []string{"XADD x MAXLEN = 3 2-1 f v"}},
		{name: "XLEN", before: stream, calls: []string{"XLEN x"}},
		{name: "XRANGE", before: stream, calls: []string{"XRANGE x - +"}},
		{name: "XREAD", before: stream, calls: []string{"XREAD STREAMS x 1-1"}},
		{name: "XDEL", before: stream, calls: []string{"XDEL x 1-2"}},
		{name: "XGROUP CREATE", before: stream, calls: []string{"XGROUP CREATE x g 0"}},
		{name: "XREADGROUP, new entries", before: group, calls: []string{"XREADGROUP GROUP g c STREAMS x >"}},
		{name: "XREADGROUP, nothing new", before: pending, calls: []string{"XREADGROUP GROUP g c STREAMS x >"}},
		{name: "XACK of one", before: pending, calls: []string{"XACK x g 1-1"}},
		{name: "XACK of three", before: pending, calls: []string{"XACK x g 1-1 1-2 1-3"}},
		{name: "XPENDING", before: pending, calls: []string{"XPENDING x g"}},
		{name: "XCLAIM", before: pending, calls: []string{"XCLAIM x g d 0 1-1"}},
		{name: "XAUTOCLAIM", before: pending, calls: []string{"XAUTOCLAIM x g d 0 0"}},

		{name: "MULTI, 10 SET, EXEC", before: strs100, atomic: true, calls: each("SET k# w", 10)},
		{name: "WATCH, MULTI, SET, EXEC", before: str, watch: "k", calls: []string{"SET k w"}},
		{name: "EVAL, 10 GET", before: str, calls: []string{fmt.Sprintf(script, "GET','k")}},
		{name: "EVAL, 10 INCR", before: []string{"SET k 1"}, calls: []string{fmt.Sprintf(script, "INCR','k")}},
		{name: "PUBLISH, nobody listens", calls: []string{"PUBLISH c m"}},
		{name: "PING", calls: []string{"PING"}},
	}
}
