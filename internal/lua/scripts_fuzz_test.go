package lua

import (
	"bytes"
	"testing"

	"github.com/redbud-go/redbud/internal/resp"
)

// FuzzScripts runs anything as a script and as a library. Whatever it is, there is one whole reply, and the Machine goes on.
func FuzzScripts(f *testing.F) {
	for _, path := range scriptFiles {
		t := &testing.T{}
		for _, a := range readAsked(t, path) {
			f.Add([]byte(a.script(t)))
		}
	}
	m := New(Options{Memory: 64 << 20})
	well, err := m.Compile([]byte("return 'well'"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		for _, proto := range []int{2, 3} {
			w := &resp.Writer{Proto: proto}
			s, err := m.Compile(source)
			if err != nil {
				continue
			}
			m.Eval(s, &Run{Keys: [][]byte{[]byte("k")}, Host: &ending{after: 30}, W: w})
			// A big number is written as the script spells it, which need not be a number.
			if _, rest, err := resp.DecodeValue(w.Buf); (err != nil || len(rest) > 0) &&
				!bytes.ContainsRune(w.Buf, '(') && bytes.Count(w.Buf, []byte("*")) < 30 {
				t.Fatalf("%q: %v, %q behind it", w.Buf, err, rest)
			}
			if bytes.Contains(w.Buf, []byte("runtime error: ")) && !bytes.Contains(source, []byte("runtime")) {
				t.Fatalf("%q", w.Buf)
			}
			w.Buf = w.Buf[:0]
			m.Eval(well, &Run{Host: &ending{after: 30}, W: w})
			if string(w.Buf) != "$4\r\nwell\r\n" {
				t.Fatalf("after it: %q", w.Buf)
			}
		}
		if l, err := m.Load(append([]byte("#!lua name=l\n"), source...), &ending{after: 30}); err == nil {
			w := &resp.Writer{}
			m.Call(&l.Functions[0], &Run{Host: &ending{after: 30}, W: w})
		}
	})
}
