package rdb

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// sealed adds version and checksum to a payload.
func sealed(body []byte) []byte {
	b := binary.LittleEndian.AppendUint16(bytes.Clone(body), newest)
	return binary.LittleEndian.AppendUint64(b, sum(0, b))
}

// unhex reads bytes, among which words in quotes stand for themselves.
func unhex(t testing.TB, s string) (b []byte) {
	t.Helper()
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			b = append(b, part...)
			continue
		}
		raw, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, raw...)
	}
	return b
}

// shown is a value as text.
func shown(v *Value) string {
	var b strings.Builder
	fmt.Fprint(&b, v.Type)
	for i, item := range v.Items {
		fmt.Fprintf(&b, " %s", item)
		if v.Expiry != nil && i%2 == 1 {
			fmt.Fprintf(&b, "@%d", v.Expiry[i/2])
		}
	}
	for _, m := range v.Members {
		fmt.Fprintf(&b, " %s=%v", m.Member, m.Score)
	}
	if v.Stream != nil {
		for _, e := range v.Stream.Entries {
			fmt.Fprintf(&b, " %v:%s", e.ID, bytes.Join(e.Fields, []byte(",")))
		}
		for _, g := range v.Stream.Groups {
			fmt.Fprintf(&b, " %s at %v read %d", g.Name, g.Last, g.Read)
			for _, c := range g.Consumers {
				fmt.Fprintf(&b, ", %s %d %d", c.Name, c.Seen, c.Active)
			}
			for _, p := range g.Pending {
				fmt.Fprintf(&b, ", %v %s %d %d", p.ID, p.Consumer, p.At, p.Count)
			}
		}
	}
	return b.String()
}

// samples are values in the layouts that the Redis here no longer writes, or not yet.
var samples = []struct{ name, body, want string }{
	{"a list in a ziplist", "0a 20 20000000 1b000000 0600 00 01'a' 03 c0 0001 04 f1 02 fe ff 03 f0 ffff7f 05 02'bc' ff", "list a 256 0 -1 8388607 bc"},
	{"integers of a ziplist", "0a 1d 1d000000 11000000 0200 00 d0 ffffff7f 06 e0 0000000001000000 ff", ""},
	{"a hash in a zipmap", "09 0d 02 01'a' 01 02'x' 0000 01'b' 00 00 ff", "hash a x b "},
	{"a hash in a ziplist", "0d 11 11000000 0d000000 0200 00 01'f' 03 01'v' ff", "hash f v"},
	{"a sorted set in a ziplist", "0c 13 13000000 0d000000 0200 00 01'm' 03 03'1.5' ff", "zset m=1.5"},
	{"a list in ziplists", "0e 02 0e 0e000000 0a000000 0100 00 01'a' ff 0e 0e000000 0a000000 0100 00 01'b' ff", "list a b"},
	{"a sorted set with scores as text", "03 03 01'a' fe 01'b' ff 01'c' 04'-2.5'", "zset a=+Inf b=-Inf c=-2.5"},
	{"a set in a listpack", "14 0c 0c000000 0200 81'a'02 0501 ff", "set a 5"},
	{"a hash whose fields expire", "18 e803000000000000 02 01 01'f' 01'v' 00 01'g' 01'w'", "hash f v@1000 g w@0"},
	{"one of a release candidate", "16 01 43e8 01'f' 01'v'", "hash f v@1000"},
	{"a small one", "19 e803000000000000 10 10000000 0300 81'f'02 81'v'02 c3e802 ff", "hash f v@1000"},
	{"a small one of a release candidate", "17 10 10000000 0300 81'f'02 81'v'02 c3e802 ff", "hash f v@1000"},
	{"a stream of Redis 7.2", "15 01 10 0000000000000001 0000000000000001" +
		" 1d 1d000000 0a00 0101 0001 0101 81'f'02 0001 0201 0001 0001 81'v'02 0401 ff" +
		" 01 01 01 01 01 00 00 01 01 01'g' 01 01 01 01 00000000000000010000000000000001 0500000000000000 02" +
		" 01 01'c' 0600000000000000 0700000000000000 01 00000000000000010000000000000001",
		"stream 1-1:f,v g at 1-1 read 1, c 6 7, 1-1 c 5 2"},
}

func TestLayoutsOfOtherVersionsAreRead(t *testing.T) {
	for _, c := range samples {
		v, err := Parse(sealed(unhex(t, c.body)))
		switch {
		case c.want == "" && err == nil:
			t.Errorf("%s: a wrong one is taken", c.name)
		case c.want == "":
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case shown(v) != c.want:
			t.Errorf("%s: %s, want %s", c.name, shown(v), c.want)
		}
	}
}

func TestWrongValuesAreRefused(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"02 00", "without elements"},
		{"02 02 01'a' 01'a'", "twice"},
		{"04 02 01'a' 01'x' 01'a' 01'y'", "twice"},
		{"05 01 01'a' 000000000000f87f", "not a number"},
		{"03 01 01'a' fd", "not a number"},
		{"03 01 01'a' 03'1x5'", "not a number"},
		{"02 81 7fffffffffffffff 01'a'", "should follow"},
		{"04 81 ffffffffffffffff 01'a'", "should follow"},
		{"00 81 7fffffffffffffff", "a string of"},
		{"00 80 1fffffff 'a'", "should follow"},
		{"00 c3 04 80 1fffffff 00000000", "damaged"},
		{"00 c3 03 05 e0ff00", "damaged"},
		{"00 c4", "unknown encoding"},
		{"00 82", "a length begins"},
		{"02 c0 01", "an encoding in place"},
		{"0b 0c 02000000 02000000 0200 0100", "out of order"},
		{"0b 0a 02000000 02000000 0200", "bytes"},
		{"0b 08 03000000 00000000", "bytes"},
		{"14 0b 0c000000 0200 81'a'02 05 ff", "wrong length"},
		{"14 0c 0c000000 0300 81'a'02 0501 ff", "of 3 elements has 2"},
		{"14 0c 0c000000 0200 81'a'03 0501 ff", "wrong length"},
		{"14 08 08000000 0100 85 ff", "wrong length"},
		{"14 08 08000000 0100 f5 ff", "begins with"},
		{"14 0c 0c000000 0200 81'a'02 81'a'02", "a listpack"},
		{"10 0a 0a000000 0100 81'a'02 ff", "without a value"},
		{"11 0a 0a000000 0100 81'a'02 ff", "without a score"},
		{"0d 11 11000000 0d000000 0200 00 01'f' 04 01'v' ff", "follows one of 3 bytes"},
		{"0d 11 11000000 0c000000 0200 00 01'f' 03 01'v' ff", "the last at"},
		{"09 05 01 01'a' 01 ff", "zipmap"},
		{"12 01 03 01'a'", "unknown form"},
		{"07 00", "module"},
		{"08", "unknown type"},
		{"19 0000000000000000 10 10000000 0300 81'f'02 81'v'02 81'x'02 ff", "no time"},
		{"0f 01 10 0000000000000001 0000000000000001" +
			" 1d 1d000000 0a00 0101 0001 0101 81'f'02 0001 0201 0001 0001 81'v'02 0501 ff 01 01 01 00", "wrong length"},
		{"0f 01 10 0000000000000001 0000000000000001" +
			" 1d 1d000000 0a00 0201 0001 0101 81'f'02 0001 0201 0001 0001 81'v'02 0401 ff 01 01 01 00", "wrong number"},
		{"0f 01 10 0000000000000001 0000000000000001" +
			" 1d 1d000000 0a00 0101 0001 0101 81'f'02 0001 0201 0001 0001 81'v'02 0401 ff 02 01 01 00", "of 2 entries"},
		{"0f 00 00 00 00 01 01'g' 00 00 01 00000000000000010000000000000001 0500000000000000 02 00", "for nobody"},
		{"0f 00 00 00 00 01 01'g' 00 00 00 01 01'c' 0600000000000000 01 00000000000000010000000000000001", "not in its group"},
		{"0f 00 00 00 00 02 01'g' 00 00 00 00 01'g' 00 00 00 00", "twice"},
	} {
		v, err := Parse(sealed(unhex(t, c.body)))
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q (%v)", c.body, err, c.want, v)
		}
	}
}

func TestEveryFlippedBitOfAPayloadIsFoundByItsChecksum(t *testing.T) {
	payload := sealed(unhex(t, "02 02 01'a' 01'b'"))
	if _, err := Parse(payload); err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(payload) {
		bad := bytes.Clone(payload)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := Parse(bad); !errors.Is(err, ErrVersion) {
			t.Errorf("bit %d: %v", i, err)
		}
	}
}

func TestChecksumIsThatOfRedis(t *testing.T) {
	if got := sum(0, []byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Errorf("%x", got)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 80), rapid.Map(rapid.Int64(), func(n int64) []byte { return fmt.Append(nil, n) })), 2, 300).Draw(t, "words")
		var s Stream
		p := &Payload{Buf: []byte("before")}
		for i := 0; i+1 < len(words); i++ {
			n := 2 * rapid.IntRange(1, 2).Draw(t, "fields")
			fields := make([][]byte, n)
			for j := range fields {
				fields[j] = words[(i+j)%len(words)]
				if j%2 == 0 && i%3 > 0 {
					fields[j] = []byte("name")
				}
			}
			s.Info.Last.Seq += rapid.Uint64Range(1, 1<<40).Draw(t, "step")
			s.Entries = append(s.Entries, StreamEntry{s.Info.Last, fields})
		}
		s.Info.Len, s.Info.First, s.Info.Groups = len(s.Entries), s.Entries[0].ID, 1
		s.Info.Added = uint64(s.Info.Len + rapid.IntRange(0, 1).Draw(t, "deleted"))
		s.Groups = []Group{{Name: words[0], Last: s.Info.Last, Read: int64(s.Info.Added), Consumers: []keyspace.StreamConsumer{{Name: []byte("c"), Seen: 5, Active: 5, Pending: 1}},
			Pending: []keyspace.Pending{{ID: s.Info.First, Consumer: []byte("c"), At: math.MaxInt64, Count: 3}}}}
		p.BeginStream(s.Info, s.Groups)
		for _, e := range s.Entries {
			p.Entry(e.ID, e.Fields)
		}
		p.End()
		v, err := Parse(p.Buf[len("before"):])
		if err != nil {
			t.Fatal(err)
		}
		if got, want := shown(v), shown(&Value{Type: keyspace.Stream, Stream: &s}); got != want || v.Stream.Info != s.Info {
			t.Fatalf("%s\nwant %s", got, want)
		}
	})
}

// fileOf is a file with all samples and all that may stand between keys.
func fileOf(t testing.TB) (file []byte, keys int) {
	file = unhex(t, "'REDIS0012' fa 05'redis' 03'7.4' f7 01 02 02 02 01 05 01'x' 03 00000000 04 0000000000000000 00"+
		"f5 04'code' fe 03 fb 02 01 f4 01 02 03 fd 01000000 f8 05 00 01's' 01'v' fc 0000000000010000 f9 07 00 01't' 01'v'"+
		"07 01'm' 81 0102030405060708 02 05 05 01'x' 00 02 01'e' 00")
	for _, c := range samples {
		if c.want != "" {
			body := unhex(t, c.body)
			file = append(append(file, body[0], 1, 'k'), body[1:]...)
			keys++
		}
	}
	file = append(file, markEnd)
	return binary.LittleEndian.AppendUint64(file, sum(0, file)), keys + 2
}

// oneByOne gives a byte at a time.
type oneByOne struct{ io.Reader }

func (r oneByOne) Read(p []byte) (int, error) { return r.Reader.Read(p[:1]) }

func TestFileIsReadToItsEndAndNoShorterOneIs(t *testing.T) {
	whole, keys := fileOf(t)
	count := func(b []byte) (n int, f *File, err error) {
		f, err = NewFile(oneByOne{bytes.NewReader(b)})
		for err == nil {
			var k *Key
			if k, err = f.Next(); err == nil {
				n++
				if k.Database != 3 || n == 1 && k.ExpireAt != 1000 || n == 2 && k.ExpireAt != 1<<40 || n > 2 && k.ExpireAt != keyspace.Never {
					t.Errorf("key %d: %+v", n, k)
				}
			}
		}
		return n, f, err
	}
	n, f, err := count(whole)
	if n != keys || err != io.EOF || f.Functions != 1 || f.ModuleKeys != 1 || f.ModuleData != 1 || f.Empty != 1 || f.Offset() != int64(len(whole)) {
		t.Errorf("%d of %d keys, then %v: %+v", n, keys, err, f)
	}
	for i := range whole {
		var corrupt *CorruptError
		if _, _, err := count(whole[:i]); !errors.As(err, &corrupt) || corrupt.Offset > int64(i) {
			t.Errorf("cut off at %d: %v", i, err)
		}
	}
}

func TestStringsOfAFileStayAsTheyAre(t *testing.T) {
	file := []byte("REDIS0009")
	for i := range 200 {
		file = append(file, byte(kindString), 1, byte(i), 0x80, 0, 0, 0x40, 0)
		file = append(file, bytes.Repeat([]byte{byte(i)}, 0x4000)...)
	}
	file = append(file, markEnd, 0, 0, 0, 0, 0, 0, 0, 0)
	f, err := NewFile(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var all []*Key
	for range 200 {
		k, err := f.Next()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, k)
	}
	for i, k := range all {
		if k.Name[0] != byte(i) || !bytes.Equal(k.Value.Items[0], bytes.Repeat([]byte{byte(i)}, 0x4000)) {
			t.Fatalf("key %d is another", i)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range samples {
		f.Add(unhex(f, c.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if v, err := Parse(sealed(body)); err == nil && v.Type == keyspace.None {
			t.Error("nothing is taken for a value")
		}
	})
}

func FuzzFile(f *testing.F) {
	whole, _ := fileOf(f)
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := NewFile(bytes.NewReader(b))
		for err == nil {
			_, err = file.Next()
		}
		if file != nil && file.Offset() > int64(len(b)) {
			t.Errorf("%d bytes of %d were read", file.Offset(), len(b))
		}
	})
}
