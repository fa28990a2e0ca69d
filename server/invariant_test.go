package server

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// said are calls of all kinds: good, refused at every stage, waiting, of the session, of the engine, and unknown.
var said = []string{
	"PING", "ECHO x", "SET k v", "GET k", "GET", "GET k k", "INCR k", "NOSUCH a b", "LPUSH l 1 2", "LPOP l", "LPOP l -1", "LPUSH k 1", "MSET a", "MSET a 1 b",
	"SET k v EX", "SET k v EX 0", "ZADD z 1 a x b", "ZADD z NX XX 1 a", "HSET h f", "HSET h f v", "XADD s * f", "XADD s 0-0 f v", "SORT l BY", "GEOADD g 1 2 3 4", "BITOP NOT d a b",
	"BLPOP none 0.001", "BLPOP l none 0.001", "BLPOP l x", "BLMOVE none l LEFT RIGHT 0.001", "BZPOPMIN none 0.001", "XREAD BLOCK 1 STREAMS none $", "BLMPOP 0.001 2 none l LEFT",
	"XREADGROUP GROUP g c BLOCK 1 STREAMS none >", "CLIENT ID", "CLIENT NOSUCH", "CLIENT SETNAME 'a b'", "CLIENT TRACKING ON", "CLIENT TRACKING OFF", "CLIENT CACHING YES", "CLIENT REPLY",
	"CLIENT REPLY MAYBE", "CLIENT KILL ID 0", "CONFIG SET nosuch 1", "CONFIG GET x*", "SELECT 0", "SELECT 99", "PUBLISH c m", "PUBSUB NUMPAT", "OBJECT HELP", "WATCH k", "UNWATCH",
	"EXEC", "DISCARD", "COMMAND COUNT", "INFO nosuch", "WAIT 0 0", "AUTH a b c", "HELLO 9", "HELLO 3 SETNAME", "RANDOMKEY", "FLUSHALL", "DBSIZE x",
	"ACL SETUSER u on nopass +@all -get resetkeys ~l &*", "ACL SETUSER u -incr ~k", "ACL SETUSER u nosuch", "AUTH u x", "AUTH default x", "AUTH u", "ACL WHOAMI", "ACL LOG 1", "ACL CAT nosuch",
}

// utterance is what a client sends, and whether replies are on before it: the calls of one kind have none.
type utterance struct {
	line  string
	reply bool
}

// conversations draws what a client says, some of it with replies off, or in a transaction.
func conversations(t *rapid.T) (all []utterance) {
	say := func(line string, reply bool) { all = append(all, utterance{line, reply}) }
	for n := rapid.IntRange(1, 30).Draw(t, "turns"); n > 0; n-- {
		line := rapid.SampledFrom(said).Draw(t, "call")
		switch rapid.IntRange(0, 9).Draw(t, "how") {
		case 0:
			say("CLIENT REPLY SKIP", false)
			say(line, false)
		case 1:
			say("CLIENT REPLY OFF", false)
			for range rapid.IntRange(0, 3).Draw(t, "silent") {
				say(rapid.SampledFrom(said).Draw(t, "call"), false)
			}
			say("CLIENT REPLY ON", true)
		case 2:
			say("MULTI", true)
			for range rapid.IntRange(0, 4).Draw(t, "queued") {
				if line := rapid.SampledFrom(said).Draw(t, "call"); line != "EXEC" && line != "DISCARD" {
					say(line, true)
				}
			}
			say(rapid.SampledFrom([]string{"EXEC", "DISCARD", "EXEC x"}).Draw(t, "end"), true)
		case 3:
			say("SUBSCRIBE c", false) // its confirmation is a message
			say(line, true)
			say("UNSUBSCRIBE c", false)
		default:
			say(line, true)
		}
	}
	return all
}

// TestEveryCallHasExactlyOneReply talks in RESP3, where messages are told apart from replies, in pipelines and in pieces,
// while another client unblocks whoever waits.
func TestEveryCallHasExactlyOneReply(t *testing.T) {
	r := start(t, nil, Options{})
	e, hub := r.engine, r.hub
	for name, dial := range map[string]func() *wire{"socket": r.dial, "pipe": func() *wire { return newPipe(t, e, hub) }} {
		t.Run(name, func(t *testing.T) {
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					select {
					case <-stop:
						return
					default:
					}
					for _, c := range hub.all() {
						c.wake(engine.ErrUnblocked)
					}
				}
			}()
			defer func() {
				close(stop)
				<-stopped
			}()
			round := 0
			rapid.Check(t, func(rt *rapid.T) {
				round++
				w := dial()
				defer w.Close()
				var in strings.Builder
				in.WriteString(pipeline("HELLO 3"))
				replies := []string{"HELLO 3"}
				for _, u := range conversations(rt) {
					in.WriteString(pipeline(u.line))
					if u.reply {
						replies = append(replies, u.line)
					}
				}
				marker := fmt.Sprintf("the end of %d", round)
				in.WriteString(pipeline("ECHO '" + marker + "'"))
				text, piece := in.String(), rapid.IntRange(1, 4096).Draw(rt, "piece")
				go func() {
					for len(text) > 0 {
						n := min(piece, len(text))
						if _, err := io.WriteString(w.Conn, text[:n]); err != nil {
							return
						}
						text = text[n:]
					}
				}()
				for i := 0; ; {
					v, err := resp.ReadValue(w.in)
					switch {
					case err != nil:
						rt.Fatalf("after %d of %d replies: %v", i, len(replies), err)
					case v.Kind == '>':
						continue
					case i < len(replies) && string(v.Str) == marker:
						rt.Fatalf("there were %d replies to the %d calls %q", i, len(replies), replies)
					case i == len(replies):
						if string(v.Str) != marker {
							rt.Fatalf("the reply behind the last one is %v, to %q", v, replies)
						}
						return
					}
					i++
				}
			})
		})
	}
}
