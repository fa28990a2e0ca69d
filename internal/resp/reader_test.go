package resp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// readAll feeds the input in pieces that end at the given offsets and returns a copy of every call, and the error that
// ended it, nil if the input just ran out.
func readAll(r *Reader, input string, cuts ...int) (calls [][]string, err error) {
	from := 0
	for _, to := range append(cuts, len(input)) {
		if err := r.Feed([]byte(input[from:to])); err != nil {
			return calls, err
		}
		from = to
		for {
			call, ok, err := r.Next()
			if err != nil {
				return calls, err
			}
			if !ok {
				break
			}
			var words []string
			for _, w := range call {
				words = append(words, string(w))
			}
			calls = append(calls, words)
		}
	}
	return calls, nil
}

func equalCalls(a, b [][]string) bool { return slices.EqualFunc(a, b, slices.Equal) }

func words(calls ...string) (out [][]string) {
	for _, c := range calls {
		out = append(out, strings.Split(c, ","))
	}
	return out
}

var readerCases = []struct {
	name  string
	input string
	calls [][]string
	err   string
}{
	{"nothing", "", nil, ""},
	{"one call", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", words("GET,k"), ""},
	{"an empty argument", "*2\r\n$3\r\nGET\r\n$0\r\n\r\n", words("GET,"), ""},
	{"a pipeline", "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$2\r\n\r\n\r\n*1\r\n$1\r\nX\r\n", words("PING", "ECHO,\r\n", "X"), ""},
	{"half a call", "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$12\r\nabc", words("PING"), ""},
	{"eleven arguments", "*11\r\n" + strings.Repeat("$1\r\na\r\n", 11), words("a,a,a,a,a,a,a,a,a,a,a"), ""},
	{"empty and null arrays are no calls", "*0\r\n*-1\r\n*-7\r\n*1\r\n$1\r\na\r\n", words("a"), ""},
	{"the end of an argument is not looked at", "*1\r\n$1\r\naXY*1\r\n$1\r\nb\r\n", words("a", "b"), ""},
	{"a line end may be CR and anything", "*1\rx$1\ryabc", words("a"), ""},

	{"inline", "PING\r\nSET  k\tv \nGET k\r\n", words("PING", "SET,k,v", "GET,k"), ""},
	{"empty inline lines", "\r\n\n   \r\nPING\r\n", words("PING"), ""},
	{"inline between arrays", "PING\r\n*1\r\n$1\r\na\r\nECHO b\r\n", words("PING", "a", "ECHO,b"), ""},
	{"inline double quotes", `SET k "a b\n\t\x41\"\\\q"` + "\r\n", words("SET,k,a b\n\tA\"\\q"), ""},
	{"inline single quotes", `SET 'a"b' 'it\'s\n'` + "\r\n", words(`SET,a"b,it's\n`), ""},
	{"inline empty quotes", "SET k \"\" ''\r\n", words("SET,k,,"), ""},
	{"inline quotes within a word", `a"b c"` + "\r\n", words("ab c"), ""},
	{"inline unfinished escape", `"\x4"` + "\r\n", words("x4"), ""},
	{"a vertical tab belongs to a begun word", "\va\vb 'c'\r\n", words("a\vb,c"), ""},
	{"a vertical tab belongs to a begun plain word", "\va\vb c\r\n", words("a\vb,c"), ""},
	{"inline without line end", "PING", nil, ""},

	{"unclosed double quote", "SET \"a\r\n", nil, "Protocol error: unbalanced quotes in request"},
	{"unclosed single quote", "SET 'a\r\n", nil, "Protocol error: unbalanced quotes in request"},
	{"a letter after a quote", "SET \"a\"b\r\n", nil, "Protocol error: unbalanced quotes in request"},
	{"a backslash at the end", `SET "a\` + "\r\n", nil, "Protocol error: unbalanced quotes in request"},
	{"a too long inline line", "PING " + strings.Repeat("a", maxLine), nil, "Protocol error: too big inline request"},

	{"a word for a count", "*abc\r\n", nil, "Protocol error: invalid multibulk length"},
	{"no count", "*\r\n", nil, "Protocol error: invalid multibulk length"},
	{"a count with a plus", "*+1\r\n", nil, "Protocol error: invalid multibulk length"},
	{"a count with a leading zero", "*01\r\n", nil, "Protocol error: invalid multibulk length"},
	{"a count beyond 32 bits", "*2147483648\r\n", nil, "Protocol error: invalid multibulk length"},
	{"a count beyond 64 bits", "*99999999999999999999\r\n", nil, "Protocol error: invalid multibulk length"},
	{"a count that never ends", "*" + strings.Repeat("1", maxLine+1), nil, "Protocol error: too big mbulk count string"},
	{"an integer for an argument", "*1\r\n:1\r\n", nil, "Protocol error: expected '$', got ':'"},
	{"an unprintable byte for an argument", "*1\r\n\xff\r\n", nil, "Protocol error: expected '$', got '\xff'"},
	{"a word for a length", "*1\r\n$x\r\n", nil, "Protocol error: invalid bulk length"},
	{"a negative length", "*1\r\n$-1\r\n", nil, "Protocol error: invalid bulk length"},
	{"a length beyond the limit", "*1\r\n$536870913\r\n", nil, "Protocol error: invalid bulk length"},
	{"a length beyond 64 bits", "*1\r\n$99999999999999999999\r\n", nil, "Protocol error: invalid bulk length"},
	{"a length that never ends", "*1\r\n$" + strings.Repeat("1", maxLine+1), nil, "Protocol error: too big bulk count string"},
	{"an error after good calls", "*1\r\n$1\r\na\r\n*1\r\n!\r\n", words("a"), "Protocol error: expected '$', got '!'"},
}

func TestReaderCutsCalls(t *testing.T) {
	for _, c := range readerCases {
		t.Run(c.name, func(t *testing.T) {
			calls, err := readAll(new(Reader), c.input)
			if !equalCalls(calls, c.calls) || errText(err) != c.err {
				t.Errorf("calls %q, error %q; want %q, %q", calls, errText(err), c.calls, c.err)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestReaderGivesTheSameCallsHoweverTheBytesArrive(t *testing.T) {
	for _, c := range readerCases {
		if len(c.input) > 1000 {
			continue
		}
		check := func(cuts ...int) {
			calls, err := readAll(new(Reader), c.input, cuts...)
			if !equalCalls(calls, c.calls) || errText(err) != c.err {
				t.Errorf("%s, cut at %v: calls %q, error %q; want %q, %q", c.name, cuts, calls, errText(err), c.calls, c.err)
			}
		}
		var every []int
		for i := range len(c.input) {
			check(i)
			every = append(every, i)
		}
		check(every...)
	}
}

func TestUnauthenticatedPeerGetsSmallLimits(t *testing.T) {
	for input, want := range map[string]string{
		"*10\r\n":            "",
		"*11\r\n":            "Protocol error: unauthenticated multibulk length",
		"*1\r\n$16384\r\n":   "",
		"*1\r\n$16385\r\n":   "Protocol error: unauthenticated bulk length",
		"*1\r\n$99999999999": "",
	} {
		_, err := readAll(&Reader{Unauthenticated: true}, input)
		if errText(err) != want {
			t.Errorf("%q: error %q, want %q", input, errText(err), want)
		}
	}
}

func TestConfiguredBulkLimitHolds(t *testing.T) {
	r := &Reader{Limits: Limits{Bulk: 5}}
	calls, err := readAll(r, "*1\r\n$5\r\nabcde\r\n*1\r\n$6\r\n")
	if !equalCalls(calls, words("abcde")) || errText(err) != "Protocol error: invalid bulk length" {
		t.Errorf("calls %q, error %v", calls, err)
	}
}

func TestQueryBufferLimitEndsAPeerThatSendsTooMuch(t *testing.T) {
	r := &Reader{Limits: Limits{QueryBuffer: 100}}
	input := "*2\r\n$3\r\nSET\r\n$1000\r\n" + strings.Repeat("x", 1000)
	var cuts []int
	for i := 10; i < len(input); i += 10 {
		cuts = append(cuts, i)
	}
	if _, err := readAll(r, input, cuts...); !errors.Is(err, ErrQueryBuffer) {
		t.Errorf("error %v, want ErrQueryBuffer", err)
	}
	// Calls that are handed out do not count.
	r = &Reader{Limits: Limits{QueryBuffer: 100}}
	for range 100 {
		if _, err := readAll(r, "*1\r\n$4\r\nPING\r\n"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnnouncedBytesAreNotAllocatedBeforeTheyCome(t *testing.T) {
	r := new(Reader)
	if _, err := readAll(r, "*1000000\r\n$536870912\r\nabc"); err != nil {
		t.Fatal(err)
	}
	if cap(r.buf) > 2*readSize || cap(r.argv) > 64 {
		t.Errorf("the buffer has %d bytes and room for %d arguments", cap(r.buf), cap(r.argv))
	}
}

func TestLargeCallsPassAndTheirBufferIsGivenBack(t *testing.T) {
	r := new(Reader)
	large := strings.Repeat("v", 5<<20)
	stream := strings.NewReader(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n*1\r\n$4\r\nPING\r\n", len(large), large))
	var calls [][]string
	most := 0
	for {
		_, err := r.Fill(stream)
		most = max(most, cap(r.buf))
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(r, "")
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, got...)
	}
	if !equalCalls(calls, [][]string{{"SET", "k", large}, {"PING"}}) {
		t.Fatalf("%d calls, not the two that were sent", len(calls))
	}
	if r.Buffered() != 0 {
		t.Errorf("%d bytes are left over", r.Buffered())
	}
	if most < len(large) || most > 4*len(large) {
		t.Errorf("a call of %d bytes was read into a buffer of %d", len(large), most)
	}
	// A piece larger than a fresh buffer comes right after.
	next := "*1\r\n$100000\r\n" + large[:100000] + "\r\n"
	if calls, err := readAll(r, next); err != nil || !equalCalls(calls, [][]string{{large[:100000]}}) {
		t.Errorf("after a large call: %d calls, error %v", len(calls), err)
	}
	if cap(r.buf) > keepSize {
		t.Errorf("the buffer keeps %d bytes once it is empty", cap(r.buf))
	}
}

func TestABufferThatIsTooWideForLongIsGivenBack(t *testing.T) {
	r := new(Reader)
	call := func(size int) {
		t.Helper()
		word := strings.Repeat("v", size)
		for piece := range slices.Chunk(fmt.Appendf(nil, "*1\r\n$%d\r\n%s\r\n", size, word), readSize) {
			if err := r.Feed(piece); err != nil {
				t.Fatal(err)
			}
			for {
				got, ok, err := r.Next()
				if err != nil || ok && string(got[0]) != word {
					t.Fatalf("a call of %d bytes is not read: %v", size, err)
				}
				if !ok {
					break
				}
			}
		}
	}
	call(400 << 10)
	wide := r.Size()
	if wide > keepSize {
		t.Fatalf("the buffer has %d bytes, too many for this test", wide)
	}
	for range wideReads - 1 {
		call(100)
	}
	if r.Size() != wide {
		t.Errorf("after few small calls the buffer has %d bytes, want still %d", r.Size(), wide)
	}
	call(300 << 10)
	for range wideReads - 1 {
		call(100)
	}
	if r.Size() != wide {
		t.Errorf("a large call among small ones leaves a buffer of %d bytes, want %d", r.Size(), wide)
	}
	for range 2 {
		call(100)
	}
	if r.Size() == 0 || r.Size() > wideSize {
		t.Errorf("after many small calls the buffer has %d bytes", r.Size())
	}
}

func TestManyArgumentsInSmallPiecesKeepTheirBytes(t *testing.T) {
	var input strings.Builder
	const n = 20000
	fmt.Fprintf(&input, "*%d\r\n", n)
	for i := range n {
		fmt.Fprintf(&input, "$%d\r\n%d\r\n", len(fmt.Sprint(i)), i)
	}
	var cuts []int
	for i := 7; i < input.Len(); i += 7 {
		cuts = append(cuts, i)
	}
	calls, err := readAll(new(Reader), input.String(), cuts...)
	if err != nil || len(calls) != 1 || len(calls[0]) != n {
		t.Fatalf("%d calls, error %v", len(calls), err)
	}
	for i, w := range calls[0] {
		if w != fmt.Sprint(i) {
			t.Fatalf("argument %d is %q", i, w)
		}
	}
}

func TestReadingCallsAllocatesNothing(t *testing.T) {
	pipeline := []byte(strings.Repeat("*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$5\r\nvalue\r\n", 50) + strings.Repeat("PING\r\n", 50))
	r := new(Reader)
	src := bytes.NewReader(pipeline)
	read := func() {
		src.Reset(pipeline)
		if _, err := r.Fill(src); err != nil {
			t.Fatal(err)
		}
		for n := 0; ; n++ {
			_, ok, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				if n != 100 {
					t.Fatalf("%d calls", n)
				}
				return
			}
		}
	}
	read()
	if n := testing.AllocsPerRun(100, read); n != 0 {
		t.Errorf("%v allocations for 100 calls", n)
	}
}

// FuzzReader holds the Reader to one meaning of a byte stream: cutting it differently changes nothing.
func FuzzReader(f *testing.F) {
	for _, c := range readerCases {
		if len(c.input) < 1000 {
			f.Add([]byte(c.input), []byte{1})
			f.Add([]byte(c.input), []byte{3, 1, 40})
		}
	}
	f.Fuzz(func(t *testing.T, data, pieces []byte) {
		if len(data) > maxLine/2 {
			t.Skip("whether a line is too long may depend on how it comes")
		}
		input := string(data)
		whole, wholeErr := readAll(new(Reader), input)
		var cuts []int
		for at, i := 0, 0; len(pieces) > 0 && at < len(input); i++ {
			at += int(pieces[i%len(pieces)])
			if pieces[i%len(pieces)] == 0 {
				at++
			}
			if at < len(input) {
				cuts = append(cuts, at)
			}
		}
		r := new(Reader)
		cut, cutErr := readAll(r, input, cuts...)
		if !equalCalls(whole, cut) || errText(wholeErr) != errText(cutErr) {
			t.Errorf("whole: %q, %v\ncut at %v: %q, %v", whole, wholeErr, cuts, cut, cutErr)
		}
		if cap(r.buf) > 4*(len(input)+readSize) {
			t.Errorf("%d bytes of input made a buffer of %d", len(input), cap(r.buf))
		}
		for _, call := range whole {
			if len(call) == 0 {
				t.Errorf("an empty call")
			}
		}
	})
}

func TestReleaseGivesTheBufferBackBetweenCallsOnly(t *testing.T) {
	r := new(Reader)
	if _, err := readAll(r, "*2\r\n$1\r\na\r\n"); err != nil {
		t.Fatal(err)
	}
	r.Release()
	if r.Size() == 0 {
		t.Error("the buffer is gone in the middle of a call")
	}
	calls, err := readAll(r, "$1\r\nb\r\n")
	if err != nil || !equalCalls(calls, words("a,b")) {
		t.Errorf("calls %q, error %v", calls, err)
	}
	r.Release()
	if r.Size() != 0 {
		t.Errorf("%d bytes are kept between calls", r.Size())
	}
	if calls, err := readAll(r, "PING\r\n"); err != nil || !equalCalls(calls, words("PING")) {
		t.Errorf("after Release: calls %q, error %v", calls, err)
	}
}
