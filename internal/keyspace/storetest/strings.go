package storetest

import (
	"fmt"
	"math"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var stringCases = []testCase{
	{"a missing key is nil and an empty string is not", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			put(tx, "empty", "")
			got := must(tx.Get(bs("missing", "empty"), nil))
			s.equal("missing is nil", got[0] == nil, true)
			s.equal("empty is nil", got[1] == nil, false)
		})
	}},
	{"Get appends to what it is given", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			put(tx, "a", "1", "b", "2")
			s.equal("values", texts(must(tx.Get(bs("a", "b", "a"), bs("first")))), []string{"first", "1", "2", "1"})
		})
	}},
	{"Get of another type is nil with ErrWrongType once all are appended", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			fill(tx)
			got, err := tx.Get(bs("string", "list", "string"), nil)
			s.fails("Get", err, keyspace.ErrWrongType)
			s.equal("values", texts(got), []string{"v", "(nil)", "v"})
		})
	}},
	{"Put replaces a key of any type", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for _, key := range fill(tx) {
				put(tx, key, "new")
				s.equal(key, get(tx, key), "new")
				s.equal(key, entry(tx, key).Type, keyspace.String)
			}
		})
	}},
	{"the last of equal keys of a Put wins", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			put(tx, "k", "1", "k", "22222222222", "k", "3")
			s.equal("k", get(tx, "k"), "3")
		})
	}},
	{"keys and values of every length come back", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for _, key := range boundaries {
				for _, value := range boundaries {
					put(tx, long(key, "k"), long(value, "v"))
					s.equal(fmt.Sprint("value of ", value, " bytes"), get(tx, long(key, "k")), long(value, "v"))
				}
			}
			for _, key := range boundaries {
				s.equal(fmt.Sprint("key of ", key, " bytes"), get(tx, long(key, "k")), long(70000, "v"))
			}
		})
	}},
	{"what is stored does not share memory with what was given", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			key, value := []byte("key"), []byte("value")
			check(tx.Put([][]byte{key, value}, keyspace.Never))
			copy(key, "xxx")
			copy(value, "yyyyy")
			s.equal("key", get(tx, "key"), "value")
		})
	}},
	{"borrowed values stay whole while others are read", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			names := numbered("k", 0, 300)
			for _, name := range names {
				put(tx, name, "value of "+name)
			}
			fill(tx)
			got := must(tx.Get(bs(names...), nil))
			must(tx.Entries(bs(names...), nil))
			must(tx.Touch(bs(names...)))
			for i, name := range names {
				s.equal(name, string(got[i]), "value of "+name)
			}
		})
	}},
	{"Add counts from 0 and to both ends of 64 bits", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			s.equal("first", must(tx.Add([]byte("k"), -5)), -5)
			s.equal("second", must(tx.Add([]byte("k"), 7)), 2)
			put(tx, "max", fmt.Sprint(int64(math.MaxInt64-1)), "min", fmt.Sprint(int64(math.MinInt64+1)))
			s.equal("max", must(tx.Add([]byte("max"), 1)), int64(math.MaxInt64))
			s.equal("min", must(tx.Add([]byte("min"), -1)), int64(math.MinInt64))
			_, err := tx.Add([]byte("max"), 1)
			s.fails("over", err, keyspace.ErrOverflow)
			_, err = tx.Add([]byte("min"), -1)
			s.fails("under", err, keyspace.ErrOverflow)
			_, err = tx.Add([]byte("min"), math.MinInt64)
			s.fails("far under", err, keyspace.ErrOverflow)
			s.equal("unchanged", get(tx, "max"), int64(math.MaxInt64))
		})
	}},
	{"Add refuses what is not an integer and changes nothing", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			for _, v := range []string{"", "x", " 1", "1 ", "+1", "01", "-0", "1.0", "9223372036854775808"} {
				put(tx, "k", v)
				_, err := tx.Add([]byte("k"), 1)
				s.fails(v, err, keyspace.ErrNotInteger)
				s.equal("unchanged", get(tx, "k"), v)
			}
			fill(tx)
			_, err := tx.Add([]byte("list"), 1)
			s.fails("list", err, keyspace.ErrWrongType)
		})
	}},
	{"Append and SetRange keep the expiry and refuse other types", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			check(tx.Put(bs("k", "abc"), s.now+1000))
			s.equal("append", must(tx.Append([]byte("k"), []byte("def"))), 6)
			s.equal("range", must(tx.SetRange([]byte("k"), 8, []byte("x"))), 9)
			s.equal("value", get(tx, "k"), "abcdef\x00\x00x")
			s.equal("expiry", entry(tx, "k").ExpireAt, s.now+1000)
			fill(tx)
			_, err := tx.Append([]byte("set"), []byte("x"))
			s.fails("append", err, keyspace.ErrWrongType)
			_, err = tx.SetRange([]byte("set"), 0, []byte("x"))
			s.fails("range", err, keyspace.ErrWrongType)
		})
	}},
	{"a string grows byte by byte and by leaps", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			want := ""
			for i := range 2000 {
				c := string(rune('a' + i%26))
				want += c
				s.equal("length", must(tx.Append([]byte("k"), []byte(c))), len(want))
			}
			s.equal("value", get(tx, "k"), want)
			must(tx.SetRange([]byte("k"), 100_000, []byte("end")))
			s.equal("padded", get(tx, "k"), want+long(98_000, "\x00")+"end")
			must(tx.SetRange([]byte("k"), 1, []byte("---")))
			s.equal("start", get(tx, "k")[:6], "a---ef")
		})
	}},
	{"padding is zero where a longer value has been", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			put(tx, "k", long(100, "x"))
			put(tx, "k", "x")
			must(tx.SetRange([]byte("k"), 90, []byte("y")))
			s.equal("value", get(tx, "k"), "x"+long(89, "\x00")+"y")
		})
	}},
	{"nothing appended to a missing key makes an empty string", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			s.equal("length", must(tx.Append([]byte("k"), nil)), 0)
			s.equal("type", entry(tx, "k").Type, keyspace.String)
			s.equal("value", get(tx, "k"), "")
		})
	}},
	{"nothing written into a missing string leaves it missing", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			s.equal("length", must(tx.SetRange([]byte("k"), 0, nil)), 0)
			s.equal("type", entry(tx, "k").Type, keyspace.None)
		})
	}},
}
