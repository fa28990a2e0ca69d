package command_test

import (
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/rdb"
)

func TestEventsOfRestoreTellWhatBecameOfTheKey(t *testing.T) {
	e, events := listening(t)
	var p rdb.Payload
	p.String([]byte("v"))
	p.End()
	for _, c := range []struct{ call, want string }{
		{"RESTORE k 0 %", "restore k"},
		{"RESTORE k 0 %", ""},
		{"RESTORE k 0 % REPLACE", "restore k"},
		{"RESTORE k 1 % REPLACE ABSTTL", "del k"},
		{"RESTORE k 1 % REPLACE ABSTTL", ""},
		{"RESTORE k 0 damaged", ""},
	} {
		*events = nil
		call := words(c.call)
		call[3] = []byte(strings.ReplaceAll(string(call[3]), "%", string(p.Buf)))
		if _, err := reply(t, e, call, nil); err != nil {
			t.Fatalf("%s: %v", c.call, err)
		}
		if got := strings.Join(*events, ", "); got != c.want {
			t.Errorf("%s told %q, want %q", c.call, got, c.want)
		}
	}
}
