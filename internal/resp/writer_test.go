package resp

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func TestWriterSpeaksBothProtocols(t *testing.T) {
	for _, c := range []struct {
		name         string
		write        func(w *Writer)
		resp2, resp3 string
	}{
		{"OK", func(w *Writer) { w.OK() }, "+OK\r\n", "+OK\r\n"},
		{"Status", func(w *Writer) { w.Status("PONG") }, "+PONG\r\n", "+PONG\r\n"},
		{"Error", func(w *Writer) { w.Error("ERR a\r\nb") }, "-ERR a  b\r\n", "-ERR a  b\r\n"},
		{"Int", func(w *Writer) { w.Int(7) }, ":7\r\n", ":7\r\n"},
		{"Int of many digits", func(w *Writer) { w.Int(math.MinInt64) }, ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"},
		{"Bulk", func(w *Writer) { w.Bulk([]byte("a\r\n")) }, "$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n"},
		{"Bulk of nil", func(w *Writer) { w.Bulk(nil) }, "$0\r\n\r\n", "$0\r\n\r\n"},
		{"BulkString", func(w *Writer) { w.BulkString("0123456789") }, "$10\r\n0123456789\r\n", "$10\r\n0123456789\r\n"},
		{"BulkOrNull", func(w *Writer) { w.BulkOrNull([]byte{}) }, "$0\r\n\r\n", "$0\r\n\r\n"},
		{"BulkOrNull of nil", func(w *Writer) { w.BulkOrNull(nil) }, "$-1\r\n", "_\r\n"},
		{"BulkInt", func(w *Writer) { w.BulkInt(-12) }, "$3\r\n-12\r\n", "$3\r\n-12\r\n"},
		{"Null", func(w *Writer) { w.Null() }, "$-1\r\n", "_\r\n"},
		{"NullArray", func(w *Writer) { w.NullArray() }, "*-1\r\n", "_\r\n"},
		{"Array", func(w *Writer) { w.Array(12) }, "*12\r\n", "*12\r\n"},
		{"Map", func(w *Writer) { w.Map(2) }, "*4\r\n", "%2\r\n"},
		{"Set", func(w *Writer) { w.Set(2) }, "*2\r\n", "~2\r\n"},
		{"Push", func(w *Writer) { w.Push(3) }, "*3\r\n", ">3\r\n"},
		{"true", func(w *Writer) { w.Bool(true) }, ":1\r\n", "#t\r\n"},
		{"false", func(w *Writer) { w.Bool(false) }, ":0\r\n", "#f\r\n"},
		{"Double", func(w *Writer) { w.Double(1.5) }, "$3\r\n1.5\r\n", ",1.5\r\n"},
		{"Double infinite", func(w *Writer) { w.Double(math.Inf(-1)) }, "$4\r\n-inf\r\n", ",-inf\r\n"},
		{"Verbatim", func(w *Writer) { w.Verbatim("txt", "hi") }, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"},
		{"Raw", func(w *Writer) { w.Raw([]byte(":1\r\n")) }, ":1\r\n", ":1\r\n"},
	} {
		for proto, want := range map[int]string{0: c.resp2, 2: c.resp2, 3: c.resp3} {
			w := Writer{Proto: proto}
			c.write(&w)
			if string(w.Buf) != want {
				t.Errorf("%s in RESP%d: %q, want %q", c.name, proto, w.Buf, want)
			}
		}
	}
}

func TestTruncateUndoesAReply(t *testing.T) {
	var w Writer
	w.OK()
	mark := w.Len()
	w.Array(2)
	w.Int(1)
	w.Truncate(mark)
	w.Null()
	if string(w.Buf) != "+OK\r\n$-1\r\n" {
		t.Errorf("%q", w.Buf)
	}
}

func TestInsertPutsAHeaderBeforeWhatIsThere(t *testing.T) {
	for _, n := range []int{0, 1, 9, 10, 1000} {
		var w Writer
		w.OK()
		mark := w.Len()
		for range n {
			w.BulkString("x")
		}
		w.Insert(mark, n, (*Writer).Array)
		want := "+OK\r\n*" + strconv.Itoa(n) + "\r\n" + strings.Repeat("$1\r\nx\r\n", n)
		if string(w.Buf) != want {
			t.Errorf("%d elements: %.40q, want %.40q", n, w.Buf, want)
		}
	}
	// The cursor of SCAN, at its longest, is longer than a header.
	var w Writer
	w.Array(0)
	w.Insert(0, 2, func(w *Writer, n int) {
		w.Array(n)
		w.BulkString("18446744073709551615")
	})
	if want := "*2\r\n$20\r\n18446744073709551615\r\n*0\r\n"; string(w.Buf) != want {
		t.Errorf("%q, want %q", w.Buf, want)
	}
}

func TestWritingRepliesAllocatesNothing(t *testing.T) {
	w := Writer{Buf: make([]byte, 0, 1<<10)}
	value := []byte("value")
	n := testing.AllocsPerRun(100, func() {
		w.Truncate(0)
		w.OK()
		w.Bulk(value)
		w.Int(123)
		w.BulkInt(1234567)
		w.Double(3.25)
		w.Double(1e-9)
		w.Error("ERR no")
		mark := w.Len()
		w.Int(1)
		w.Insert(mark, 1, (*Writer).Array)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The texts are those that Redis 7.2 gives, which prints doubles with fpconv_dtoa; 7.0 prints them with %.17g.
func TestDoublesPrintAsInRedis(t *testing.T) {
	for _, c := range []struct {
		f    float64
		want string
	}{
		{0, "0"},
		{math.Copysign(0, -1), "-0"},
		{1, "1"},
		{-17, "-17"},
		{3.0, "3"},
		{0.1, "0.1"},
		{-0.5, "-0.5"},
		{3.14, "3.14"},
		{1.0 / 3, "0.3333333333333333"},
		{0.000001, "0.000001"},
		{0.0000001, "1e-7"},
		{0.000123, "0.000123"},
		{0.0001234, "1.234e-4"},
		{0.00123456789, "0.00123456789"},
		{1.5e-9, "1.5e-9"},
		{-1.5e-300, "-1.5e-300"},
		{4503599627370495, "4503599627370495"},
		{9007199254740992, "9007199254740992"},
		{123456789012345680, "123456789012345680"},
		{1e15, "1000000000000000"},
		{1e16, "1e+16"},
		{1e21, "1e+21"},
		{1.5e300, "1.5e+300"},
		{-1e20, "-1e+20"},
		{12345678901234567890, "12345678901234567000"},
		{math.MaxFloat64, "1.7976931348623157e+308"},
		{math.SmallestNonzeroFloat64, "5e-324"},
		{math.Inf(1), "inf"},
		{math.Inf(-1), "-inf"},
		{math.NaN(), "nan"},
	} {
		if got := string(AppendDouble(nil, c.f)); got != c.want {
			t.Errorf("%g: %s, want %s", c.f, got, c.want)
		}
	}
}

func TestPrintedDoublesReadBack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		f := math.Float64frombits(random.Uint64())
		if math.IsNaN(f) {
			continue
		}
		text := string(AppendDouble([]byte{}, f))
		if back, err := strconv.ParseFloat(text, 64); err != nil || back != f {
			t.Fatalf("%x prints as %s, which reads as %x, %v", f, text, back, err)
		}
	}
}

func TestParseIntTakesWhatRedisTakes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "-1": -1, "10": 10, "9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64,
	} {
		if n, ok := ParseInt([]byte(text)); !ok || n != want {
			t.Errorf("%s: %d, %v", text, n, ok)
		}
	}
	for _, text := range []string{
		"", "-", "+1", "01", "-0", "00", " 1", "1 ", "1.0", "0x1", "9223372036854775808", "-9223372036854775809",
		"18446744073709551616", "99999999999999999999", "999999999999999999999", "1\x00", "abc",
	} {
		if n, ok := ParseInt([]byte(text)); ok {
			t.Errorf("%q is taken for %d", text, n)
		}
	}
}
