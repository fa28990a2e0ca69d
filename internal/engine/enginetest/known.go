package enginetest

import "github.com/redbud-go/redbud/internal/resp"

// known70 are the replies in which Redis 7.0, which the tests have at hand, differs from 7.2, which our engines are like.
// Where such a difference would go on to change what is stored, the grammar does not draw the call.
var known70 = []struct {
	why     string
	applies func(words []string, redis, engine *resp.Value) bool
}{}
