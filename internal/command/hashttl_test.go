package command_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
	"pgregory.net/rapid"
)

func TestFieldsExpireOneByOne(t *testing.T) {
	now := int64(1_000_000_000_500)
	e := at(t, &now)
	converse(t, e, 2, []exchange{
		{"HSET h a 1 b 2 c 3", ":3"},
		{"HPEXPIRE h 1500 FIELDS 3 a missing b", "*3 :1 :-2 :1"},
		{"HPTTL h FIELDS 4 a b c missing", "*4 :1500 :1500 :-1 :-2"},
		{"HTTL h FIELDS 3 a c missing", "*3 :2 :-1 :-2"}, // rounded up
		{"HPEXPIRETIME h FIELDS 1 a", "*1 :1000000002000"},
		{"HEXPIRETIME h FIELDS 2 a c", "*2 :1000000002 :-1"},
		{"HEXPIRE h 10 FIELDS 1 b", "*1 :1"},
		{"HTTL h FIELDS 1 b", "*1 :10"},
	})
	now += 1499
	converse(t, e, 2, []exchange{
		{"HGET h a", "$1 1"},
		{"HTTL h FIELDS 1 a", "*1 :1"},
	})
	now++
	converse(t, e, 2, []exchange{
		{"HLEN h", ":2"},
		{"HGET h a", "$-1"},
		{"HEXISTS h a", ":0"},
		{"HSTRLEN h a", ":0"},
		{"HMGET h a b", "*2 $-1 $1 2"},
		{"HGETALL h", "*4 $1 b $1 2 $1 c $1 3"},
		{"HKEYS h", "*2 $1 b $1 c"},
		{"HVALS h", "*2 $1 2 $1 3"},
		{"HSCAN h 0", "*2 $1 0 *4 $1 b $1 2 $1 c $1 3"},
		{"HTTL h FIELDS 1 a", "*1 :-2"},
		{"HPERSIST h FIELDS 1 a", "*1 :-2"},
		{"HEXPIRE h 10 FIELDS 1 a", "*1 :-2"},
		{"HSETNX h a 9", ":1"},
		{"HTTL h FIELDS 1 a", "*1 :-1"},
		{"HDEL h a c", ":2"},
	})
	now += 10_000
	converse(t, e, 2, []exchange{
		{"SCAN 0", "*2 $1 0 *0"},
		{"EXISTS h", ":0"},
		{"DBSIZE", ":0"},
		{"HGETALL h", "*0"},
		{"HRANDFIELD h", "$-1"},
		{"HLEN h", ":0"},
		{"LPUSH h x", ":1"},
	})
}

func TestConditionsDecideFieldByField(t *testing.T) {
	now := int64(1_000_000)
	e := at(t, &now)
	converse(t, e, 2, []exchange{
		{"HSET h never 1 soon 2 late 3", ":3"},
		{"HEXPIRE h 10 FIELDS 1 soon", "*1 :1"},
		{"HEXPIRE h 30 FIELDS 1 late", "*1 :1"},
		{"HEXPIRE h 20 XX FIELDS 4 never soon late none", "*4 :0 :1 :1 :-2"},
		{"HEXPIRE h 10 FIELDS 1 soon", "*1 :1"},
		{"HEXPIRE h 30 FIELDS 1 late", "*1 :1"},
		{"HEXPIRE h 20 GT FIELDS 3 never soon late", "*3 :0 :1 :0"},
		{"HEXPIRE h 20 GT FIELDS 1 soon", "*1 :0"},
		{"HEXPIRE h 20 LT FIELDS 3 never soon late", "*3 :1 :0 :1"},
		{"HTTL h FIELDS 3 never soon late", "*3 :20 :20 :20"},
		{"HPERSIST h FIELDS 3 never soon none", "*3 :1 :1 :-2"},
		{"HPERSIST h FIELDS 1 never", "*1 :-1"},
		{"HEXPIRE h 5 NX FIELDS 3 never late never", "*3 :1 :0 :0"}, // by then it expires
		{"HEXPIRE h 0 NX FIELDS 1 late", "*1 :0"},
		{"HEXPIRE h 0 GT FIELDS 1 late", "*1 :0"},
		{"HEXPIRE h 0 FIELDS 3 late late none", "*3 :2 :-2 :-2"}, // by then it is gone
		{"HPEXPIREAT h 0 FIELDS 1 soon", "*1 :2"},
		{"HPEXPIREAT h 1000000 FIELDS 1 never", "*1 :2"},
		{"EXISTS h", ":0"},
	})
}

func TestWritingAFieldEndsItsExpiryAndCountingDoesNot(t *testing.T) {
	for _, filler := range []int{0, 600} { // packed, and a table
		now := int64(1_000_000)
		e := at(t, &now)
		set := words("HSET h a 1 b 1.5 c 3 d 4")
		for i := range filler {
			set = append(set, fmt.Append(nil, "filler", i), []byte("x"))
		}
		if _, err := reply(t, e, set, nil); err != nil {
			t.Fatal(err)
		}
		converse(t, e, 2, []exchange{
			{"HEXPIRE h 10 FIELDS 4 a b c d", "*4 :1 :1 :1 :1"},
			{"HINCRBY h a 41", ":42"},
			{"HINCRBYFLOAT h b 1", "$3 2.5"},
			{"HSET h c 33", ":0"},
			{"HSETNX h d 44", ":0"},
			{"HTTL h FIELDS 4 a b c d", "*4 :10 :10 :-1 :10"},
			{"HMSET h d 44", "+OK"},
			{"HTTL h FIELDS 1 d", "*1 :-1"},
			{"HINCRBY h new 1", ":1"},
			{"HTTL h FIELDS 1 new", "*1 :-1"},
			{"HMGET h a b c d new", "*5 $2 42 $3 2.5 $2 33 $2 44 $1 1"},
		})
		now += 10_000
		converse(t, e, 2, []exchange{
			{"HMGET h a b c d new", "*5 $-1 $-1 $2 33 $2 44 $1 1"},
			{"HLEN h", fmt.Sprint(":", 3+filler)},
			{"HINCRBY h a 1", ":1"},
		})
	}
}

func TestHashesCarryTheTimesOfTheirFields(t *testing.T) {
	for _, filler := range []int{0, 600} {
		now := int64(1_000_000)
		e := at(t, &now)
		set := words("HSET h a 1 b 2")
		for i := range filler {
			set = append(set, fmt.Append(nil, "filler", i), []byte("x"))
		}
		if _, err := reply(t, e, set, nil); err != nil {
			t.Fatal(err)
		}
		converse(t, e, 2, []exchange{
			{"HEXPIRE h 10 FIELDS 1 a", "*1 :1"},
			{"COPY h copy", ":1"},
			{"RENAME h moved", "+OK"},
			{"MOVE moved 1", ":1"},
			{"COPY copy moved DB 1 REPLACE", ":1"},
			{"SWAPDB 0 1", "+OK"},
			{"EXPIRE moved 100", ":1"},
			{"HTTL moved FIELDS 2 a b", "*2 :10 :-1"},
			{"PERSIST moved", ":1"},
			{"HTTL moved FIELDS 2 a b", "*2 :10 :-1"},
			{"HEXPIRE moved 20 FIELDS 1 a", "*1 :1"},
			{"SWAPDB 0 1", "+OK"},
			{"HTTL copy FIELDS 2 a b", "*2 :10 :-1"},
		})
		now += 10_000
		converse(t, e, 2, []exchange{
			{"HMGET copy a b", "*2 $-1 $1 2"},
			{"SWAPDB 0 1", "+OK"},
			{"HMGET moved a b", "*2 $1 1 $1 2"},
			{"HTTL moved FIELDS 2 a b", "*2 :10 :-1"},
			{"SET moved x", "+OK"},
		})
		now += 10_000
		converse(t, e, 2, []exchange{{"GET moved", "$1 x"}, {"FLUSHALL", "+OK"}, {"DBSIZE", ":0"}})
	}
}

func TestEncodingTellsOfFieldsThatMayExpire(t *testing.T) {
	now := int64(1_000_000)
	e := at(t, &now)
	converse(t, e, 2, []exchange{
		{"HSET h a 1 b 2", ":2"},
		{"HPERSIST h FIELDS 1 a", "*1 :-1"},
		{"OBJECT ENCODING h", "$8 listpack"},
		{"HEXPIRE h 10 FIELDS 1 a", "*1 :1"},
		{"OBJECT ENCODING h", "$10 listpackex"},
		{"HPERSIST h FIELDS 1 a", "*1 :1"},
		{"OBJECT ENCODING h", "$10 listpackex"}, // for ever
		{"HSET h long " + strings.Repeat("x", 65), ":1"},
		{"OBJECT ENCODING h", "$9 hashtable"},
		{"HSET g a 1", ":1"},
		{"HEXPIRE g 10 FIELDS 1 none", "*1 :-2"},
		{"OBJECT ENCODING g", "$10 listpackex"},
		{"HSET g x " + strings.Repeat("x", 64), ":1"}, // the time does not count
		{"OBJECT ENCODING g", "$10 listpackex"},
	})
}

func TestHSetExSetsAllOrNoneAndTheirExpiry(t *testing.T) {
	now := int64(1_000_000)
	e := at(t, &now)
	converse(t, e, 2, []exchange{
		{"HSETEX h FXX FIELDS 1 a 1", ":0"},
		{"EXISTS h", ":0"},
		{"HSETEX h FNX EX 10 FIELDS 2 a 1 b 2", ":1"},
		{"HTTL h FIELDS 2 a b", "*2 :10 :10"},
		{"HSETEX h FNX FIELDS 2 b 9 c 9", ":0"},
		{"HSETEX h FXX FIELDS 2 b 9 c 9", ":0"},
		{"HSETEX h KEEPTTL fxx fields 3 a 11 b 22 a 111", ":1"},
		{"HTTL h FIELDS 2 a b", "*2 :10 :10"},
		{"HMGET h a b c", "*3 $3 111 $2 22 $-1"},
		{"HSETEX h FIELDS 1 a 1", ":1"},
		{"HTTL h FIELDS 2 a b", "*2 :-1 :10"},
		{"HSETEX h PX 1500 FIELDS 1 a 1", ":1"},
		{"HPTTL h FIELDS 1 a", "*1 :1500"},
		{"HSETEX h EXAT 2000 FIELDS 1 a 1", ":1"},
		{"HPEXPIRETIME h FIELDS 1 a", "*1 :2000000"},
		{"HSETEX h FNX PXAT 2000001 FIELDS 1 c 1", ":1"},
		{"HPEXPIRETIME h FIELDS 1 c", "*1 :2000001"},
		{"HSETEX h EXAT 1 FIELDS 2 a 1 d 1", ":1"},
		{"HGETALL h", "*4 $1 b $2 22 $1 c $1 1"},
		{"HSETEX none PXAT 0 FIELDS 1 a 1", ":1"},
		{"EXISTS none", ":0"},
	})
}

func TestHGetExAndHGetDelAnswerBeforeTheyChange(t *testing.T) {
	now := int64(1_000_000)
	e := at(t, &now)
	converse(t, e, 2, []exchange{
		{"HSET h a 1 b 2 c 3", ":3"},
		{"HGETEX h FIELDS 2 a none", "*2 $1 1 $-1"},
		{"HTTL h FIELDS 1 a", "*1 :-1"},
		{"HGETEX h EX 10 FIELDS 3 a b none", "*3 $1 1 $1 2 $-1"},
		{"HTTL h FIELDS 3 a b c", "*3 :10 :10 :-1"},
		{"HGETEX h PERSIST FIELDS 2 a c", "*2 $1 1 $1 3"},
		{"HTTL h FIELDS 3 a b c", "*3 :-1 :10 :-1"},
		{"HGETEX h PX 1 FIELDS 2 a a", "*2 $1 1 $1 1"},
		{"HGETEX h PXAT 1 FIELDS 2 a a", "*2 $1 1 $-1"},
		{"HGETEX none EX 10 FIELDS 2 a b", "*2 $-1 $-1"},
		{"HGETDEL h FIELDS 4 b none b a", "*4 $1 2 $-1 $-1 $-1"},
		{"HGETDEL h FIELDS 1 c", "*1 $1 3"},
		{"EXISTS h", ":0"},
		{"HGETDEL h FIELDS 2 c c", "*2 $-1 $-1"},
	})
	set, del, want := words("HSET h"), words("HGETDEL h FIELDS 40"), "*40"
	for i := range 20 {
		set = append(set, fmt.Append(nil, "f", i), []byte("v"))
		del = append(del, fmt.Append(nil, "f", i))
		want += " $1 v"
	}
	del, want = append(del, del[4:]...), want+strings.Repeat(" $-1", 20)
	if _, err := reply(t, e, set, nil); err != nil {
		t.Fatal(err)
	}
	got, err := reply(t, e, del, nil)
	if err != nil || strings.TrimSpace(strings.ReplaceAll(got, "\r\n", " ")) != want {
		t.Errorf("fields named twice are %q, want %q (%v)", got, want, err)
	}
}

func TestCommandsOfFieldsRefuseInTheWordsOfRedis(t *testing.T) {
	now := int64(1_000_000)
	e := at(t, &now)
	const (
		place    = "-ERR Mandatory argument FIELDS is missing or not at the right position"
		match    = "-ERR The `numfields` parameter must match the number of arguments"
		positive = "-ERR Number of fields must be a positive integer"
		greater  = "-ERR Parameter `numFields` should be greater than 0"
		integer  = "-ERR value is not an integer or out of range"
		wrong    = "-WRONGTYPE Operation against a key holding the wrong kind of value"
		either   = "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
	)
	converse(t, e, 2, []exchange{
		{"SET s x", "+OK"},
		{"HSET h a 1", ":1"},
		{"HEXPIRE s x x x", "-ERR wrong number of arguments for 'hexpire' command"},
		{"HEXPIRE s x x x x x", wrong},
		{"HTTL s x x x", wrong},
		{"HPERSIST s x x x", wrong},
		{"HGETDEL s x x x", wrong},
		{"HGETEX s x x x", wrong},
		{"HSETEX s x x x", "-ERR wrong number of arguments for 'hsetex' command"},
		{"HSETEX s x x x x x", "-ERR unknown argument: x"},
		{"HSETEX s FIELDS 1 a 1 x", "-ERR wrong number of arguments for 'hsetex' command"},
		{"HSETEX s FNX FIELDS 1 a 1", wrong},

		{"HEXPIRE h x FIELDS 1", "-ERR wrong number of arguments for 'hexpire' command"},
		{"HEXPIRE h x FIELDS 0 a x", integer},
		{"HEXPIRE h -1 FIELDS 0 a x", "-ERR invalid expire time, must be >= 0"},
		{"HEXPIRE h 70368744178 FIELDS 0 a x", "-ERR invalid expire time in 'hexpire' command"},
		{"HEXPIREAT h 70368744177 FIELDS 0 a x", greater},
		{"HPEXPIREAT h 70368744177664 FIELDS 0 a x", "-ERR invalid expire time in 'hpexpireat' command"},
		{"HPEXPIRE h 70368743177664 FIELDS 0 a x", "-ERR invalid expire time in 'hpexpire' command"},
		{"HPEXPIRE h 70368743177663 FIELDS 0 a x", greater},
		{"HPEXPIRE h 1 FOO FIELDS 1 a", place},
		{"HPEXPIRE h 1 NX 1 a b", place},
		{"HPEXPIRE h 1 NX XX FIELDS 1 a", place},
		{"HPEXPIRE h 1 NX FIELDS x a", greater},
		{"HPEXPIRE h 1 NX FIELDS 1", match},
		{"HPEXPIRE h 1 FIELDS 1 a b", match},
		{"HPEXPIRE h 1 FIELDS 3 a b", match},
		{"HTTL h FIELD 1 a", place},
		{"HTTL h FIELDS 0 a", positive},
		{"HTTL h FIELDS 2 a", match},
		{"HPERSIST h FIELDS -1 a", positive},
		{"HGETDEL h FIELDS 9223372036854775808 a", positive},
		{"HGETDEL h 1 FIELDS a", place},

		{"HGETEX h EX 0x FIELDS 1 a", integer},
		{"HGETEX h EX -1 FIELDS 1 a", "-ERR invalid expire time, must be >= 0"},
		{"HGETEX h PX 70368744177664 FIELDS 1 a", "-ERR invalid expire time in 'hgetex' command"},
		{"HGETEX h EX 1 FIELDS", "-ERR wrong number of arguments for 'hgetex' command"},
		{"HGETEX h EX 1 a b", place},
		{"HGETEX h PERSIST EX 1 FIELDS 1 a", place},
		{"HGETEX h PERSIST FIELDS 0 a", positive},
		{"HGETEX h KEEPTTL FIELDS 1 a", place},

		{"HSETEX h EX 1 PX 1 FIELDS 1 a 1", either},
		{"HSETEX h KEEPTTL KEEPTTL FIELDS 1 a 1", either},
		{"HSETEX h FNX FXX FIELDS 1 a 1", "-ERR Only one of FXX or FNX arguments can be specified"},
		{"HSETEX h FNX KEEPTTL FNX FIELDS 1 a 1", "-ERR Only one of FXX or FNX arguments can be specified"},
		{"HSETEX h EX x FIELDS 1 a 1", integer},
		{"HSETEX h EXAT 70368744178 FIELDS 1 a 1", "-ERR invalid expire time in 'hsetex' command"},
		{"HSETEX h FXX KEEPTTL FNX EX", "-ERR Only one of FXX or FNX arguments can be specified"},
		{"HSETEX h FXX EX 1 EX", either},
		{"HSETEX h FXX EX 1 FXX", "-ERR Only one of FXX or FNX arguments can be specified"},
		{"HSETEX h EX 1 FXX FOO", "-ERR unknown argument: FOO"},
		{"HSETEX h FXX EX 1 x y", "-ERR unknown argument: x"},
		{"HSETEX h FXX EX 1 FIELDS", "-ERR wrong number of arguments for 'hsetex' command"},
		{"HSETEX h FXX FIELDS 1 a", "-ERR wrong number of arguments for 'hsetex' command"},
		{"HSETEX h FIELDS 0 a 1", "-ERR invalid number of fields"},
		{"HSETEX h FIELDS 2 a 1", "-ERR wrong number of arguments for 'hsetex' command"},
		{"HSETEX h FIELDS 1 a 1 EX 10", "-ERR wrong number of arguments for 'hsetex' command"},
		{"HSETEX h FXX EX 1 KEEPTTL", either},
		{"HSETEX h EX 1 FXX EX", either},
		{"HSETEX h PERSIST FIELDS 1 a 1", "-ERR unknown argument: PERSIST"},
		{"HGETALL h", "*2 $1 a $1 1"},
		{"HTTL h FIELDS 1 a", "*1 :-1"},
	})
}

func TestAnyWordsAreAnsweredByCommandsOfFields(t *testing.T) {
	now := int64(1_000_000)
	e := at(t, &now)
	rows := []string{"HEXPIRE", "HPEXPIREAT", "HTTL", "HPERSIST", "HGETDEL", "HGETEX", "HSETEX"}
	vocabulary := []string{"FIELDS", "FIELDS", "0", "1", "2", "1", "10", "a", "b", "EX", "PX", "EXAT", "PXAT", "PERSIST", "KEEPTTL", "FNX", "FXX", "NX", "GT", "-1",
		"70368744177663", "9223372036854775807", ""}
	rapid.Check(t, func(t *rapid.T) {
		call := engine.Call{[]byte(rapid.SampledFrom(rows).Draw(t, "name")), []byte("h")}
		for _, w := range rapid.SliceOfN(rapid.SampledFrom(vocabulary), 0, 9).Draw(t, "words") {
			call = append(call, []byte(w))
		}
		w := &resp.Writer{}
		if err := e.Do(context.Background(), &engine.Batch{Calls: []engine.Call{call}}, w); err != nil {
			t.Fatal(err)
		}
		if _, rest, err := resp.DecodeValue(w.Buf); err != nil || len(rest) > 0 {
			t.Fatalf("%q is answered %q: %v", call, w.Buf, err)
		}
	})
}

func TestEventsOfFieldsComeInRedisOrder(t *testing.T) {
	now := int64(1_000_000)
	var events []string
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{
		Now:     func() time.Time { return time.UnixMilli(now) },
		OnEvent: func(v command.Event) { events = append(events, v.Name+" "+string(v.Key)) },
	})
	defer func() { _ = e.Close() }()
	for _, c := range []struct {
		call, want string
		later      int64
	}{
		{call: "HSET h a 1 b 2", want: "hset h"},
		{call: "HEXPIRE h 10 FIELDS 2 a none", want: "hexpire h"},
		{call: "HEXPIRE h 10 NX FIELDS 1 a", want: ""},
		{call: "HPERSIST h FIELDS 2 a b", want: "hpersist h"},
		{call: "HPERSIST h FIELDS 2 a b", want: ""},
		{call: "HEXPIRE h 0 FIELDS 1 a", want: "hdel h"},
		{call: "HEXPIRE h 0 FIELDS 1 b", want: "hdel h, del h"},
		{call: "HSETEX h FIELDS 1 a 1", want: "hset h"},
		{call: "HSETEX h EX 10 FIELDS 2 a 1 b 2", want: "hset h, hexpire h"},
		{call: "HSETEX h FNX EX 10 FIELDS 1 a 1", want: ""},
		{call: "HSETEX h KEEPTTL FIELDS 1 a 1", want: "hset h"},
		{call: "HSETEX h PXAT 1 FIELDS 1 a 1", want: "hset h, hdel h"},
		{call: "HSETEX h PXAT 1 FIELDS 1 b 1", want: "hset h, hdel h, del h"},
		{call: "HSETEX h PXAT 1 FIELDS 1 b 1", want: "hset h, hdel h, del h"},
		{call: "HSET h a 1 b 2 c 3", want: "hset h"},
		{call: "HGETEX h FIELDS 1 a", want: ""},
		{call: "HGETEX h PERSIST FIELDS 1 a", want: ""},
		{call: "HGETEX h PX 10 FIELDS 2 a b", want: "hexpire h"},
		{call: "HGETEX h PERSIST FIELDS 1 a", want: "hpersist h"},
		{call: "HGETEX h PXAT 10 FIELDS 1 a", want: "hdel h"},
		{call: "HGETDEL h FIELDS 1 none", want: ""},
		{call: "HGETDEL h FIELDS 1 b", want: "hdel h"},
		{call: "HGETDEL h FIELDS 1 c", want: "hdel h, del h"},
		{call: "HSET h a 1 b 2", want: "hset h"},
		{call: "HPEXPIRE h 10 FIELDS 1 a", want: "hexpire h"},
		{call: "HPEXPIRE h 20 FIELDS 1 b", want: "hexpire h"},
		{later: 10, call: "EXISTS h", want: "hexpired h"},
		{later: 10, call: "HINCRBY h b 1", want: "hexpired h, del h, hincrby h"},
	} {
		events = nil
		now += c.later
		if _, err := reply(t, e, words(c.call), nil); err != nil {
			t.Fatalf("%s: %v", c.call, err)
		}
		if got := strings.Join(events, ", "); got != c.want {
			t.Errorf("%s told %q, want %q", c.call, got, c.want)
		}
	}
}

func TestFieldThatExpiresIsSeenByWatchers(t *testing.T) {
	now := int64(1_000_000)
	e := at(t, &now)
	converse(t, e, 2, []exchange{{"HSET h a 1 b 2", ":2"}, {"HPEXPIRE h 10 FIELDS 1 a", "*1 :1"}})
	for _, c := range []struct {
		later   int64
		changed bool
	}{{9, false}, {1, true}, {0, false}} {
		g, err := e.Watch(context.Background(), 0, [][]byte{[]byte("h")})
		if err != nil {
			t.Fatal(err)
		}
		now += c.later
		_, err = reply(t, e, words("HLEN h"), g)
		g.Release()
		if (err == engine.ErrChanged) != c.changed {
			t.Errorf("after %d ms: %v", c.later, err)
		}
	}
}

func TestExpiringFieldsDoesNotAllocatePerCall(t *testing.T) {
	now := int64(1_000_000)
	e := at(t, &now)
	converse(t, e, 2, []exchange{{"HSET h a 1 b 2", ":2"}, {"HEXPIRE h 10 FIELDS 1 a", "*1 :1"}})
	const calls = 100
	for _, line := range []string{"HEXPIRE h 10 FIELDS 2 a b", "HTTL h FIELDS 2 a b", "HPERSIST h FIELDS 1 a", "HGETEX h EX 10 FIELDS 2 a b",
		"HSETEX h FXX EX 10 FIELDS 2 a 1 b 2", "HGET h a", "HSET h a 1", "HINCRBY h b 1"} {
		b := &engine.Batch{Calls: slices.Repeat([]engine.Call{words(line)}, calls)}
		w := &resp.Writer{Buf: make([]byte, 0, 1<<16)}
		allocs := testing.AllocsPerRun(20, func() {
			w.Truncate(0)
			if err := e.Do(context.Background(), b, w); err != nil {
				t.Fatal(err)
			}
		})
		if allocs >= calls { // a batch may allocate now and then
			t.Errorf("%d of %s allocate %v times", calls, line, allocs)
		}
		if w.Buf[0] == '-' {
			t.Errorf("%s is refused: %s", line, w.Buf)
		}
	}
}
