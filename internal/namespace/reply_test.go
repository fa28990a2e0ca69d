package namespace

import (
	"testing"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/resp"
)

// FuzzCut holds cut against the reader of whole replies, and translates whatever comes.
func FuzzCut(f *testing.F) {
	for _, reply := range []string{"+OK\r\n", "$3\r\na:k\r\n+OK\r\n", "*2\r\n$3\r\na:k\r\n*1\r\n_\r\n", "%1\r\n$3\r\na:k\r\n:1\r\n", "*-1\r\n", "$-1\r\n",
		"|1\r\n+a\r\n+b\r\n:1\r\n", "$9223372036854775807\r\n", "*9223372036854775807\r\n", "=7\r\ntxt:a:k\r\n", "-NOGROUP No such key 'a:k'\r\n", "\r\n", "$3\r\na"} {
		f.Add([]byte(reply))
	}
	p := newPrefix([]byte("a:"))
	f.Fuzz(func(t *testing.T, b []byte) {
		reply, rest, err := cut(b)
		v, left, wrong := resp.DecodeValue(b)
		switch {
		case err != nil && wrong == nil:
			t.Fatalf("%q is not cut: %v", b, err)
		case wrong == nil && len(rest) != len(left):
			t.Fatalf("of %q is left %q, want %q", b, rest, left)
		case err != nil:
			return
		}
		for place := command.Nowhere; place <= command.Heads; place++ {
			w := resp.Writer{Proto: 3}
			if err := p.reply(&w, reply, &translation{names: &command.Names{Reply: place, Quotes: true}}); err != nil || wrong != nil {
				continue
			}
			u, rest, err := resp.DecodeValue(w.Buf)
			if err != nil || len(rest) > 0 || u.IsAggregate() != v.IsAggregate() {
				t.Fatalf("%q with names at %d becomes %q: %v", b, place, w.Buf, err)
			}
		}
	})
}
