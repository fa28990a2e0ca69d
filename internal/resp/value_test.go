package resp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// replies are one of each kind, and what is awkward to print.
var replies = []string{
	"+OK\r\n",
	"+\r\n",
	"-ERR no\r\n",
	"!11\r\nERR a long \r\n",
	":12345\r\n",
	":-9223372036854775808\r\n",
	"$0\r\n\r\n",
	"$12\r\na\"b\\c\r\n\t\x07\x08\x00\xff\r\n",
	"$11\r\n\xc5\xbelu\xc5\xa5 \x1b\x7f\v\f\r\n",
	"$-1\r\n",
	"*-1\r\n",
	"_\r\n",
	"#t\r\n",
	"#f\r\n",
	",3.25\r\n",
	",10\r\n",
	"=10\r\ntxt:line\n2\r\n",
	"*0\r\n",
	"%0\r\n",
	"~0\r\n",
	"*1\r\n*0\r\n",
	"*3\r\n$1\r\na\r\n*2\r\n:1\r\n*2\r\n$-1\r\n+x\r\n$1\r\nz\r\n",
	"*11\r\n" + strings.Repeat("$1\r\nx\r\n", 9) + "*2\r\n:1\r\n:2\r\n*-1\r\n",
	"~2\r\n$1\r\na\r\n~1\r\n:1\r\n",
	"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n%1\r\n+c\r\n*2\r\n:1\r\n:2\r\n",
	"%1\r\n:5\r\n$-1\r\n",
	"*2\r\n%1\r\n$1\r\nk\r\n~2\r\n:1\r\n:2\r\n%1\r\n$1\r\nk\r\n*0\r\n",
	"%10\r\n" + strings.Repeat("$1\r\nk\r\n*2\r\n:1\r\n:2\r\n", 10),
	"*2\r\n-ERR inside\r\n,1.5\r\n",
}

func mustDecode(t *testing.T, reply string) Value {
	t.Helper()
	v, rest, err := DecodeValue([]byte(reply))
	if err != nil || len(rest) > 0 {
		t.Fatalf("%q: %v, %d bytes left", reply, err, len(rest))
	}
	return v
}

// TestPrintingIsThatOfRedisCLI lets redis-cli ask a server that answers with the replies.
func TestPrintingIsThatOfRedisCLI(t *testing.T) {
	cli, err := exec.LookPath("redis-cli")
	if err != nil {
		if os.Getenv("REDBUD_REQUIRE_SERVERS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	valid := slices.DeleteFunc(slices.Clone(replies), func(r string) bool { return strings.Contains(r, "-ERR") || r[0] == '!' || strings.Contains(r, "\xff") })
	for _, c := range []struct {
		flag    string
		replies []string
		print   func([]byte, *Value) []byte
	}{
		{"--no-raw", replies, AppendCLI},
		{"--raw", replies, AppendRaw},
		{"--json", valid, AppendJSON}, // where redis-cli's is JSON
	} {
		t.Run(c.flag, func(t *testing.T) {
			// redis-cli 7.0 does not know the long error of RESP3.
			answers := slices.DeleteFunc(slices.Clone(c.replies), func(r string) bool { return r[0] == '!' })
			host, port := canned(t, answers)
			out, err := exec.Command(cli, "-h", host, "-p", port, "-3", c.flag, "-r", strconv.Itoa(len(answers)), "NEXT").CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			rest := string(out)
			for _, reply := range answers {
				v := mustDecode(t, reply)
				want := string(c.print(nil, &v))
				var ok bool
				if rest, ok = strings.CutPrefix(rest, want); !ok {
					t.Fatalf("%q prints as\n%sbut redis-cli goes on with\n%.200s", reply, want, rest)
				}
			}
			if rest != "" {
				t.Errorf("redis-cli printed more: %s", rest)
			}
		})
	}
}

// canned serves one connection: it greets and then gives one reply for each call.
func canned(t *testing.T, replies []string) (host, port string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var r Reader
		for len(replies) > 0 {
			if _, err := r.Fill(conn); err != nil {
				return
			}
			for {
				call, ok, err := r.Next()
				if err != nil || !ok {
					break
				}
				answer := "%0\r\n"
				if string(call[0]) == "NEXT" {
					answer, replies = replies[0], replies[1:]
				}
				if _, err := io.WriteString(conn, answer); err != nil {
					return
				}
			}
		}
	}()
	host, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

func TestWhatRedisCLIDoesNotPrintPrintsAsDocumented(t *testing.T) {
	for _, c := range []struct{ reply, cli, json string }{
		{"(123456789012345678901234567890\r\n", "(big number) 123456789012345678901234567890", "123456789012345678901234567890"},
		{"(+5\r\n", "(big number) +5", `"+5"`},
		{">2\r\n$7\r\nmessage\r\n$1\r\nx\r\n", "1) \"message\"\n2) \"x\"", `["message","x"]`},
		{">0\r\n", "(empty push)", "[]"},
		{"-ERR \"no\"\r\n", `(error) ERR "no"`, `{"error":"ERR \"no\""}`},
		{"!6\r\nERR no\r\n", "(error) ERR no", `{"error":"ERR no"}`},
		{"$3\r\na\xffb\r\n", `"a\xffb"`, `"a\\xffb"`},
		{",inf\r\n", "(double) inf", `"inf"`},
		{",nan\r\n", "(double) nan", `"nan"`},
		{",.5\r\n", "(double) .5", "0.5"},
		{"%1\r\n_\r\n:1\r\n", "1# (nil) => (integer) 1", `{"null":1}`},
		{"|1\r\n+ttl\r\n:3\r\n:7\r\n", "(integer) 7", "7"},
		{"*1\r\n|1\r\n+ttl\r\n:3\r\n:7\r\n", "1) (integer) 7", "[7]"},
	} {
		v := mustDecode(t, c.reply)
		if got := string(AppendCLI(nil, &v)); got != c.cli+"\n" {
			t.Errorf("%q on a terminal: %s, want %s", c.reply, got, c.cli)
		}
		if got := string(AppendJSON(nil, &v)); got != c.json+"\n" {
			t.Errorf("%q as JSON: %s, want %s", c.reply, got, c.json)
		}
	}
}

func TestQuotedBytesReadBack(t *testing.T) {
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
	}
	words, ok := SplitWords(AppendQuoted(nil, all))
	if !ok || len(words) != 1 || !bytes.Equal(words[0], all) {
		t.Errorf("%q, %v", words, ok)
	}
}

func TestValuesReadTheSameFromSliceAndStream(t *testing.T) {
	stream := bufio.NewReaderSize(iotest.OneByteReader(strings.NewReader(strings.Join(replies, ""))), 16)
	for _, reply := range replies {
		want := mustDecode(t, reply)
		got, err := ReadValue(stream)
		if err != nil || !got.Equal(&want) {
			t.Fatalf("%q: %+v from a stream, %+v from a slice, error %v", reply, got, want, err)
		}
		w := Writer{Proto: 3}
		w.Value(&want)
		// The nulls of RESP2 become the one of RESP3.
		if sent := strings.NewReplacer("$-1\r\n", "_\r\n", "*-1\r\n", "_\r\n").Replace(reply); string(w.Buf) != sent {
			t.Errorf("%q is written as %q", sent, w.Buf)
		}
	}
	if _, err := ReadValue(stream); err != io.EOF {
		t.Errorf("at the end: %v, want io.EOF", err)
	}
}

func TestIncompleteReplyIsUnexpectedEOF(t *testing.T) {
	for _, reply := range replies {
		for n := range len(reply) {
			if _, _, err := DecodeValue([]byte(reply[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%q from a slice: %v", reply[:n], err)
			}
			_, err := ReadValue(bufio.NewReader(strings.NewReader(reply[:n])))
			want := io.ErrUnexpectedEOF
			if n == 0 {
				want = io.EOF
			}
			if !errors.Is(err, want) {
				t.Errorf("%q from a stream: %v", reply[:n], err)
			}
		}
	}
}

func TestWhatIsNoReplyIsAProtocolError(t *testing.T) {
	for _, reply := range []string{
		"\r\n", "x\r\n", "OK\r\n", ":\r\n", ":1.5\r\n", ":+1\r\n", "$x\r\n", "$-2\r\n", "$1\r\nab\r\n", "*-2\r\n", "*x\r\n",
		"_x\r\n", "#x\r\n", ",x\r\n", ",\r\n", "(1.5\r\n", "(\r\n", "=3\r\nabc\r\n", "=5\r\nabcde\r\n", "$9999999999\r\n",
		"*9999999999\r\n", "$?\r\n", "*?\r\n", strings.Repeat("*1\r\n", 200) + ":1\r\n", strings.Repeat("|0\r\n", 3) + "?\r\n",
	} {
		var protocol ProtocolError
		if _, _, err := DecodeValue([]byte(reply)); !errors.As(err, &protocol) {
			t.Errorf("%.40q from a slice: %v", reply, err)
		}
		if _, err := ReadValue(bufio.NewReader(strings.NewReader(reply))); !errors.As(err, &protocol) {
			t.Errorf("%.40q from a stream: %v", reply, err)
		}
	}
}

func TestHostileServerCannotMakeUsAllocate(t *testing.T) {
	for _, reply := range []string{"*1073741824\r\n", "%500000000\r\n", "$1073741824\r\nabc", strings.Repeat("*1073741824\r\n", 128)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ReadValue(bufio.NewReader(strings.NewReader(reply)))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%.20q: %v", reply, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
			t.Errorf("%.20q: %d bytes allocated", reply, n)
		}
	}
}

func TestRESP3ValuesBecomeRESP2(t *testing.T) {
	for resp3, resp2 := range map[string]string{
		"%1\r\n+a\r\n:1\r\n": "*2\r\n+a\r\n:1\r\n",
		"~1\r\n_\r\n":        "*1\r\n$-1\r\n",
		"*-1\r\n":            "*-1\r\n",
		"#t\r\n":             ":1\r\n",
		",1.5\r\n":           "$3\r\n1.5\r\n",
		"(12\r\n":            "$2\r\n12\r\n",
		"=5\r\ntxt:a\r\n":    "$1\r\na\r\n",
		"!5\r\nERR a\r\n":    "-ERR a\r\n",
		">1\r\n:1\r\n":       "*1\r\n:1\r\n",
	} {
		v := mustDecode(t, resp3)
		var w Writer
		w.Value(&v)
		if string(w.Buf) != resp2 {
			t.Errorf("%q in RESP2: %q, want %q", resp3, w.Buf, resp2)
		}
	}
}

func TestDifferentValuesAreNotEqual(t *testing.T) {
	for i, a := range replies {
		for j, b := range replies {
			v, u := mustDecode(t, a), mustDecode(t, b)
			if v.Equal(&u) != (i == j) {
				t.Errorf("%q and %q: %v", a, b, v.Equal(&u))
			}
		}
	}
	v, u := mustDecode(t, ",nan\r\n"), mustDecode(t, ",NaN\r\n")
	if !v.Equal(&u) {
		t.Error("a NaN is not equal to a NaN")
	}
}

// FuzzValue: whatever decodes can be written, decodes to the same again, from a stream too, and prints as valid JSON.
func FuzzValue(f *testing.F) {
	for _, r := range replies {
		f.Add([]byte(r))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, rest, err := DecodeValue(data)
		streamed, streamErr := ReadValue(bufio.NewReaderSize(bytes.NewReader(data), 16))
		if len(data) > 0 && errText(err) != errText(streamErr) {
			t.Fatalf("from a slice: %v, from a stream: %v", err, streamErr)
		}
		if err != nil {
			return
		}
		if len(rest) >= len(data) {
			t.Fatal("a value of no bytes")
		}
		if !v.Equal(&streamed) {
			t.Fatalf("%+v from a slice, %+v from a stream", v, streamed)
		}
		w := Writer{Proto: 3}
		w.Value(&v)
		back, rest, err := DecodeValue(w.Buf)
		if err != nil || len(rest) > 0 {
			t.Fatalf("%q is written as %q: %v", data, w.Buf, err)
		}
		again := Writer{Proto: 3}
		again.Value(&back)
		if !bytes.Equal(w.Buf, again.Buf) {
			t.Fatalf("%q, decoded and written again: %q", w.Buf, again.Buf)
		}
		if text := AppendJSON(nil, &v); !json.Valid(text) {
			t.Fatalf("no JSON: %q", text)
		}
		AppendCLI(nil, &v)
		AppendRaw(nil, &v)
	})
}
