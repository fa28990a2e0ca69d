package command

import (
	"slices"

	"github.com/redbud-go/redbud/internal/engine"
)

// Redacted is what is shown in place of a secret word of a call.
const Redacted = "(redacted)"

// secretSettings are the parameters whose values nobody is shown.
var secretSettings = []string{"masterauth", "masteruser", "requirepass", "tls-key-file-pass", "tls-client-key-file-pass"}

// secrets are the rows with words that nobody is shown, in the slow log and by MONITOR: names of users, and what they log in
// with.
var secrets = map[string]func(call engine.Call, i int) bool{
	"auth":        func(_ engine.Call, i int) bool { return i > 0 },
	"acl|deluser": func(_ engine.Call, i int) bool { return i > 1 },
	"acl|getuser": func(_ engine.Call, i int) bool { return i > 1 },
	"acl|setuser": func(_ engine.Call, i int) bool { return i > 1 },
	"hello":       func(call engine.Call, i int) bool { return follows(call, i, 2, 2, "auth") },
	"migrate": func(call engine.Call, i int) bool {
		return follows(call, i, 6, 1, "auth") || follows(call, i, 6, 2, "auth2")
	},
	"config|set": func(call engine.Call, i int) bool {
		return i > 2 && i%2 == 1 && slices.ContainsFunc(secretSettings, func(name string) bool { return equalFold(call[i-1], name) })
	},
}

// follows reports whether word i is one of the n that follow an option, which stands at from or later.
func follows(call engine.Call, i, from, n int, option string) bool {
	for k := 1; k <= n && i-k >= from; k++ {
		if equalFold(call[i-k], option) {
			return true
		}
	}
	return false
}

// Secret reports whether word i of a call is not to be shown.
func Secret(row *Command, call engine.Call, i int) bool {
	return row.secret != nil && row.secret(call, i)
}
