package lua

import (
	"testing"

	"github.com/redbud-go/redbud/internal/resp"
)

// constant is a Host that always answers the same.
type constant struct{ reply []byte }

func (c constant) Call([][]byte, int) []byte  { return c.reply }
func (c constant) Check() error               { return nil }
func (c constant) May([][]byte) (bool, error) { return true, nil }
func (c constant) Log(int, string)            {}

func benchmarkScript(b *testing.B, source string, reply string) {
	m := New(Options{})
	s, err := m.Compile([]byte(source))
	if err != nil {
		b.Fatal(err)
	}
	w := &resp.Writer{Proto: 2}
	r := &Run{Keys: [][]byte{[]byte("key:1")}, Host: constant{[]byte(reply)}, W: w}
	b.ReportAllocs()
	for b.Loop() {
		w.Truncate(0)
		m.Eval(s, r)
	}
	if w.Len() == 0 || w.Buf[0] == '-' {
		b.Fatalf("%q", w.Buf)
	}
}

func BenchmarkGet(b *testing.B) {
	benchmarkScript(b, "return redis.call('GET',KEYS[1])", "$5\r\nvalue\r\n")
}

func BenchmarkNothing(b *testing.B) { benchmarkScript(b, "return 1", "") }

func BenchmarkThousandCalls(b *testing.B) {
	benchmarkScript(b, "for i = 1, 1000 do redis.call('SET', KEYS[1], i) end return 1", "+OK\r\n")
}

func BenchmarkMillionAdditions(b *testing.B) {
	benchmarkScript(b, "local s = 0 for i = 1, 1000000 do s = s + i end return s", "")
}

func BenchmarkConcatenation(b *testing.B) {
	benchmarkScript(b, "local t = {} for i = 1, 1000 do t[i] = 'key:' .. i .. ':x' end return #t", "")
}

func BenchmarkCompile(b *testing.B) {
	m := New(Options{})
	for b.Loop() {
		if _, err := m.Compile([]byte("local v = redis.call('GET', KEYS[1]) if v == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end")); err != nil {
			b.Fatal(err)
		}
	}
}
