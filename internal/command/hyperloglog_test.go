package command_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
)

// elementFor returns an element that raises a register to a value: MurmurHash64A of eight bytes, run backwards.
func elementFor(register, value int, rest uint64) string {
	const seed, m, unM = 0xadc83b19, 0xc6a4a7935bd1e995, 0x5f7a0ea7e59b19bd // m * unM is 1
	h := rest<<(14+value) | 1<<(14+value-1) | uint64(register)
	length := uint64(8)
	start := seed ^ length*m
	h = (h ^ h>>47) * unM
	h = (h ^ h>>47) * unM
	k := (h ^ start) * unM
	k = (k ^ k>>47) * unM
	return string(binary.LittleEndian.AppendUint64(nil, k))
}

func TestSketchesAreThoseOfARealServerByteForByte(t *testing.T) {
	us, them := ours(t), real(t)
	both := func(words ...string) string {
		t.Helper()
		got, want := us(words...), them(words...)
		g, w := string(resp.AppendCLI(nil, &got)), string(resp.AppendCLI(nil, &want))
		if g != w {
			t.Fatalf("%.60q\n got %s\nwant %s", words, g, w)
		}
		return g
	}
	rng := rand.New(rand.NewPCG(1, 2))
	// Registers drawn from few, and few values, so that there are runs to split and to merge; now and then a value that a
	// sparse sketch cannot hold.
	draw := func(registers, values int) string {
		value := 1 + rng.IntN(values)
		if rng.IntN(2000) == 0 {
			value = 30 + rng.IntN(20)
		}
		return elementFor(rng.IntN(registers), value, rng.Uint64())
	}
	both("PFADD", "one", elementFor(5, 3, 12345))
	if runs := both("PFDEBUG", "DECODE", "one"); runs != `"z:5 v:3,1 Z:16378"`+"\n" && runs != `"z:5 v:3,1 Z:16378"` {
		t.Fatalf("the element for register 5 and value 3 makes %s", runs)
	}
	dense := 0
	for round, limit := range []int{0, 30, 200, 1000, 3000, 3000, 16000} {
		both("CONFIG", "SET", "hll-sparse-max-bytes", strconv.Itoa(limit))
		for _, shape := range []struct{ registers, values, each int }{{100, 2, 3}, {2000, 3, 20}, {16384, 4, 50}, {16384, 1, 300}} {
			both("DEL", "k", "other")
			for range 60 {
				for _, key := range []string{"k", "other"} {
					call := []string{"PFADD", key}
					for range shape.each {
						call = append(call, draw(shape.registers, shape.values))
					}
					both(call...)
					both("GET", key)
				}
				if rng.IntN(20) == 0 {
					both("PFCOUNT", "k", "other")
					both("PFCOUNT", "k")
					both("PFMERGE", "merged", "k", "other")
					both("GET", "merged")
					both("PFCOUNT", "merged")
					both("DEL", "merged")
				}
			}
			if both("PFDEBUG", "ENCODING", "k") == "dense\n" {
				dense++
			}
		}
		if round == 0 && dense == 0 {
			t.Error("no sketch became dense")
		}
	}
}

func TestEstimatesOfManyElementsAreThoseOfARealServer(t *testing.T) {
	us, them := ours(t), real(t)
	next := 0
	for _, n := range []int{1, 10, 100, 1000, 5000, 20000, 100000} {
		for next < n {
			call := []string{"PFADD", "k"}
			for ; next < n && len(call) < 1000; next++ {
				call = append(call, "element "+strconv.Itoa(next))
			}
			us(call...)
			them(call...)
		}
		got, want := us("PFCOUNT", "k"), them("PFCOUNT", "k")
		if got.Int != want.Int {
			t.Errorf("of %d elements %d are counted, a real server counts %d", n, got.Int, want.Int)
		}
		if off := got.Int - int64(n); off*off*25 > int64(n)*int64(n)/16+25 {
			t.Errorf("%d elements are counted as %d", n, got.Int)
		}
	}
}

// FuzzSketches feeds strings that only look like sketches. Each call must leave one reply, and a refused one the string as
// it was.
func FuzzSketches(f *testing.F) {
	f.Add(byte(1), []byte{0x7f, 0xff}, []byte("a"))
	f.Add(byte(1), []byte{0x7f, 0xfe, 0x40}, []byte("b"))
	f.Add(byte(1), []byte{0x80, 0x81, 0x3f, 0xfd, 0x40, 0x00, 0x7f}, []byte("c"))
	f.Add(byte(0), make([]byte, 12288), []byte("d"))
	f.Add(byte(2), []byte{}, []byte("e"))
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
	f.Cleanup(func() { _ = e.Close() })
	f.Fuzz(func(t *testing.T, encoding byte, body, element []byte) {
		sketch := append([]byte("HYLL"), encoding, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80)
		sketch = append(sketch, body...)
		key, other := []byte("k"), []byte("other")
		for _, call := range []engine.Call{
			{[]byte("PFADD"), key, element, []byte("x"), element[:len(element)/2]},
			{[]byte("PFCOUNT"), key},
			{[]byte("PFCOUNT"), other, key},
			{[]byte("PFMERGE"), key, other},
			{[]byte("PFMERGE"), other, key},
			{[]byte("PFDEBUG"), []byte("DECODE"), key},
			{[]byte("PFDEBUG"), []byte("TODENSE"), key},
			{[]byte("PFDEBUG"), []byte("GETREG"), key},
		} {
			w := &resp.Writer{}
			b := &engine.Batch{Calls: []engine.Call{{[]byte("SET"), key, sketch}, call, {[]byte("GET"), key}}}
			if err := e.Do(context.Background(), b, w); err != nil {
				t.Fatal(err)
			}
			var replies []resp.Value
			for rest := w.Buf; len(rest) > 0; {
				v, more, err := resp.DecodeValue(rest)
				if err != nil {
					t.Fatal(err)
				}
				replies, rest = append(replies, v), more
			}
			if len(replies) != len(b.Calls) {
				t.Fatalf("%q of %x leaves %d replies", call, sketch, len(replies))
			}
			if replies[1].IsError() && string(replies[2].Str) != string(sketch) {
				t.Errorf("%q is refused and makes %x of %x", call, replies[2].Str, sketch)
			}
		}
	})
}
