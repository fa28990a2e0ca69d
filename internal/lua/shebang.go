// The first line of a script or library: #!lua flags=no-writes,allow-oom name=mylib.

package lua

import (
	"bytes"
	"strings"

	"github.com/redbud-go/redbud/internal/resp"
)

// readShebang reads the flags of a script off its first line and returns the length of what is not Lua.
func (s *Script) readShebang() (int, error) {
	if !bytes.HasPrefix(s.Source, []byte("#!")) {
		return 0, nil
	}
	n := bytes.IndexByte(s.Source, '\n')
	if n < 0 {
		return 0, replyError("ERR Invalid script shebang")
	}
	words, ok := resp.SplitWords(s.Source[:n])
	if !ok || len(words) == 0 {
		return 0, replyError("ERR Invalid engine in script shebang")
	}
	if string(words[0]) != "#!lua" {
		return 0, replyError("ERR Unexpected engine in script shebang: " + string(words[0]))
	}
	s.Shebang = true
	for _, word := range words[1:] {
		list, ok := strings.CutPrefix(string(word), "flags=")
		if !ok {
			return 0, replyError("ERR Unknown lua shebang option: " + string(word))
		}
		if list == "" {
			continue
		}
		for name := range strings.SplitSeq(list, ",") {
			f, ok := flagNamed(name)
			if !ok {
				return 0, replyError("ERR Unexpected flag in script shebang: " + name)
			}
			s.Flags |= f
		}
	}
	return n, nil
}
