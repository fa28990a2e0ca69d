package enginetest

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// LockstepInScripts is Lockstep, but that the calls which are made in RESP2 are made by scripts, as far as scripts may make them: those
// that stand together are one script.
func LockstepInScripts(t *testing.T, e engine.Engine, addr string, seed uint64, calls int) {
	l := &lockstep{redis: scriptSide{&redisSide{addr: addr}}, engine: scriptSide{&engineSide{e}}}
	defer l.redis.close()
	done, short, err := l.search(seed, calls)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if short != "" {
		t.Fatalf("seed %d: after %d calls that agree, these do not when a script makes them:\n\n%s", seed, done, short)
	}
	t.Logf("seed %d: %d calls agree", seed, done)
}

// scriptSide has another side make calls by scripts.
type scriptSide struct{ side }

// manyCalls is a script that makes the calls it is given, each as its number of words and the words, and returns all of their replies. Every
// other one it calls so that a refusal is raised as an error.
const manyCalls = `local replies, at = {}, 1
while at <= #ARGV do
  local n, reply = tonumber(ARGV[at]), nil
  if #replies % 2 == 0 then
    reply = redis.pcall(unpack(ARGV, at + 1, at + n))
  else
    local ok
    ok, reply = pcall(redis.call, unpack(ARGV, at + 1, at + n))
    if not ok and type(reply) == 'string' then reply = {err = reply} end
  end
  replies[#replies + 1], at = reply, at + n + 1
end
return replies`

// scriptable reports whether a call is made by a script: in RESP3 the maps of Lua would lose their order.
func scriptable(m move) bool {
	row, err := command.Commands.Find(newStep(m.words...).Call)
	return m.proto == 2 && err == nil && row.Flags&(command.NoScript|command.Session) == 0
}

func (s scriptSide) run(moves []move) ([]resp.Value, error) {
	var made []move
	var sizes []int // of the moves that each of made stands for; 0: it is itself
	for i, m := range moves {
		switch {
		case !scriptable(m):
			made, sizes = append(made, m), append(sizes, 0)
			continue
		case i == 0 || sizes[len(sizes)-1] == 0:
			script := m
			script.words = []string{"EVAL", manyCalls, "0"}
			made, sizes = append(made, script), append(sizes, 0)
		}
		last := &made[len(made)-1]
		last.words = append(append(last.words, strconv.Itoa(len(m.words))), m.words...)
		sizes[len(sizes)-1]++
	}
	replies, err := s.side.run(made)
	if err != nil {
		return nil, err
	}
	var values []resp.Value
	for i := range replies {
		switch v := &replies[i]; {
		case sizes[i] == 0:
			values = append(values, *v)
		case len(v.Elems) != sizes[i]:
			return nil, fmt.Errorf("a script of %d calls replies %s: %s", sizes[i], resp.AppendCLI(nil, v), display(made[i].words[3:]))
		default:
			values = append(values, v.Elems...)
		}
	}
	return values, nil
}
