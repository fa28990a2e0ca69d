package command_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
)

func TestEventsOfBitmapsAndSketchesTellWhatChanged(t *testing.T) {
	e, events := listening(t)
	for _, c := range []struct{ call, want string }{
		{"SETBIT b 1 1", "setbit b"},
		{"SETBIT b 1 1", ""},
		{"SETBIT b 8 0", "setbit b"},
		{"BITFIELD b GET u8 0", ""},
		{"BITFIELD b SET u8 0 64", ""},
		{"BITFIELD b SET u8 0 65 SET u8 0 66", "setbit b"},
		{"BITFIELD b OVERFLOW FAIL SET u8 0 300", ""},
		{"BITFIELD b OVERFLOW FAIL SET u8 30 300", ""},
		{"BITFIELD b SET u8 80 0", "setbit b"},
		{"BITOP NOT d b", "set d"},
		{"BITOP OR d missing", "del d"},
		{"BITOP OR d missing", ""},
		{"PFADD p a", "pfadd p"},
		{"PFADD p a", ""},
		{"PFADD q", "pfadd q"},
		{"PFCOUNT p", ""},
		{"PFMERGE q", "pfadd q"},
		{"PFDEBUG TODENSE q", ""},
	} {
		*events = nil
		if _, err := reply(t, e, words(c.call), nil); err != nil {
			t.Fatalf("%s: %v", c.call, err)
		}
		if got := strings.Join(*events, ", "); got != c.want {
			t.Errorf("%s told %q, want %q", c.call, got, c.want)
		}
	}
}

// bitsOf spells a string as zeros and ones.
func bitsOf(s []byte) string {
	var b strings.Builder
	for _, c := range s {
		fmt.Fprintf(&b, "%08b", c)
	}
	return b.String()
}

func TestBitsOfLongStringsAreCountedAndFoundAsOneByOne(t *testing.T) {
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
	defer func() { _ = e.Close() }()
	number := func(t *rapid.T, line string, set []byte) int {
		w := &resp.Writer{}
		call := words(line)
		b := &engine.Batch{Calls: []engine.Call{{[]byte("SET"), []byte("k"), set}, call}}
		if err := e.Do(context.Background(), b, w); err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(w.Buf), "+OK\r\n:")))
		if err != nil {
			t.Fatalf("%s answers %q", line, w.Buf)
		}
		return n
	}
	rapid.Check(t, func(t *rapid.T) {
		// Long runs of one byte, which are passed over by words, with others between.
		var s []byte
		for range rapid.IntRange(1, 5).Draw(t, "runs") {
			b := rapid.SampledFrom([]byte{0, 0xff, 1, 0x80, 0x5a}).Draw(t, "byte")
			s = append(s, slices.Repeat([]byte{b}, rapid.IntRange(0, 40).Draw(t, "length"))...)
		}
		s = append(s, rapid.Byte().Draw(t, "last"))
		n := len(s) * 8
		from := rapid.IntRange(0, n-1).Draw(t, "from")
		to := rapid.IntRange(from, n-1).Draw(t, "to")
		bits := bitsOf(s)[from : to+1]
		if got, want := number(t, fmt.Sprintf("BITCOUNT k %d %d BIT", from, to), s), strings.Count(bits, "1"); got != want {
			t.Errorf("%d bits of %s are counted as %d", want, bits, got)
		}
		for bit := range 2 {
			want := strings.Index(bits, strconv.Itoa(bit))
			if want >= 0 {
				want += from
			}
			if got := number(t, fmt.Sprintf("BITPOS k %d %d %d BIT", bit, from, to), s); got != want {
				t.Errorf("the first %d of %s from %d on is at %d, not %d", bit, bits, from, want, got)
			}
		}
	})
}

func TestLongStringsCombineAsByteByByte(t *testing.T) {
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
	defer func() { _ = e.Close() }()
	combine := map[string]func(a, b byte) byte{
		"AND": func(a, b byte) byte { return a & b },
		"OR":  func(a, b byte) byte { return a | b },
		"XOR": func(a, b byte) byte { return a ^ b },
	}
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.SampledFrom([]string{"AND", "OR", "XOR"}).Draw(t, "op")
		sources := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 70), 1, 4).Draw(t, "sources")
		longest := 0
		for _, s := range sources {
			longest = max(longest, len(s))
		}
		var want []byte
		for i := range longest {
			at := func(s []byte) byte {
				if i < len(s) {
					return s[i]
				}
				return 0
			}
			sum := at(sources[0])
			for _, s := range sources[1:] {
				sum = combine[op](sum, at(s))
			}
			want = append(want, sum)
		}
		b := &engine.Batch{}
		bitop := words("BITOP " + op + " dst")
		for i, s := range sources {
			key := []byte{'s', byte('0' + i)}
			b.Calls = append(b.Calls, engine.Call{[]byte("SET"), key, s})
			bitop = append(bitop, key)
		}
		b.Calls = append(b.Calls, bitop, words("GET dst"))
		w, wanted := &resp.Writer{}, &resp.Writer{}
		if err := e.Do(context.Background(), b, w); err != nil {
			t.Fatal(err)
		}
		wanted.Int(int64(longest))
		if longest == 0 {
			wanted.Null()
		} else {
			wanted.Bulk(want)
		}
		if !strings.HasSuffix(string(w.Buf), string(wanted.Buf)) {
			t.Errorf("%s of %x answers %q, want %q", op, sources, w.Buf, wanted.Buf)
		}
	})
}

func TestBitmapsAndSketchesDoNotAllocatePerCall(t *testing.T) {
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
	defer func() { _ = e.Close() }()
	for _, line := range []string{"SETRANGE b 1000 x", "SETRANGE f 100 x", "PFADD p a b c d e f", "PFADD q a z", "PFADD dense a", "PFDEBUG TODENSE dense"} {
		if _, err := reply(t, e, words(line), nil); err != nil {
			t.Fatal(err)
		}
	}
	const calls = 16
	for _, lines := range [][]string{
		{"SETBIT b 100 1", "SETBIT b 100 0"}, {"GETBIT b 100"}, {"BITCOUNT b"}, {"BITPOS b 1 3 900"}, {"BITOP XOR d b f"},
		{"BITFIELD f INCRBY u8 3 1 GET i60 9 SET i33 70 5"}, {"BITFIELD_RO f GET u8 0"},
		{"PFADD p a"}, {"PFADD dense a"}, {"SETRANGE p 15 \x80", "PFCOUNT p"}, {"PFCOUNT p q"}, {"PFMERGE p q"}, {"PFADD new x", "DEL new"},
	} {
		b := &engine.Batch{}
		for i := range calls {
			b.Calls = append(b.Calls, words(lines[i%len(lines)]))
		}
		w := &resp.Writer{Buf: make([]byte, 0, 1<<16)}
		allocs := testing.AllocsPerRun(20, func() {
			w.Truncate(0)
			if err := e.Do(context.Background(), b, w); err != nil {
				t.Fatal(err)
			}
		})
		// As for the collections: a batch may, a call may not.
		if allocs*float64(len(lines)) >= calls {
			t.Errorf("%d of %s allocate %v times", calls, strings.Join(lines, ", "), allocs)
		}
		if w.Buf[0] == '-' {
			t.Errorf("%s is refused: %s", lines, w.Buf)
		}
	}
}
