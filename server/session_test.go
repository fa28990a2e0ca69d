package server

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/engine/memory"
	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// peer talks to a session directly, as a transport would.
type peer struct {
	testing.TB
	*session
}

// newPeer connects to an engine of its own, or to e.
func newPeer(t testing.TB, e engine.Engine, o Options) peer {
	if e == nil {
		e = newMemory(t)
	}
	o.Logger = slog.New(slog.DiscardHandler)
	f := &front{}
	f.init(e, &o)
	if o.Password != "" {
		f.users.SetPassword(o.Password)
	}
	s := &session{}
	s.stop = func() {}
	s.init(t.Context(), f)
	t.Cleanup(s.end)
	return peer{t, s}
}

func newMemory(t testing.TB) engine.Engine {
	e := memory.New(memory.Options{})
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// raw feeds bytes and returns the replies.
func (p peer) raw(in string) string {
	p.Helper()
	if err := p.in.Feed([]byte(in)); err != nil {
		p.Fatal(err)
	}
	var out strings.Builder
	for more := true; more; {
		more = p.turn(p.hub.now())
		out.Write(p.out.Buf)
		p.taken()
	}
	return out.String()
}

// do sends calls, each a line of words, in one pipeline, and expects the replies, CR LF left out.
func (p peer) do(lines, want string) {
	p.Helper()
	got := p.raw(pipeline(lines))
	if got = strings.ReplaceAll(got, "\r\n", " "); strings.TrimSuffix(got, " ") != want {
		p.Errorf("%s\n got %s\nwant %s", lines, got, want)
	}
}

// pipeline writes calls, one in a line or between semicolons, as a client would.
func pipeline(lines string) string {
	var b strings.Builder
	for _, line := range strings.FieldsFunc(lines, func(r rune) bool { return r == ';' || r == '\n' }) {
		words, ok := resp.SplitWords([]byte(line))
		if !ok {
			panic("bad line " + line)
		}
		b.WriteString("*" + strconv.Itoa(len(words)) + "\r\n")
		for _, w := range words {
			b.WriteString("$" + strconv.Itoa(len(w)) + "\r\n" + string(w) + "\r\n")
		}
	}
	return b.String()
}

func TestEveryRowOfTheSessionHasAnAnswer(t *testing.T) {
	command.Commands.Each(func(row *command.Command) {
		if row.Flags&command.Session == 0 || row.Subs != nil {
			return
		}
		if _, ok := answers[row]; !ok {
			t.Errorf("%s has no answer", row.FullName())
		}
	})
}

func TestRepliesComeInOrderAcrossEngineAndSession(t *testing.T) {
	p := newPeer(t, nil, Options{})
	p.do("SET k 0; SELECT 1; GET k; SET k 1; SELECT 0; GET k; PING; CLIENT GETNAME; GET k",
		"+OK +OK $-1 +OK +OK $1 0 +PONG $-1 $1 0")
}

func TestTransactions(t *testing.T) {
	for name, c := range map[string]struct{ calls, want string }{
		"runs what was queued":           {"MULTI; SET a 1; INCR a; GET a; EXEC", "+OK +QUEUED +QUEUED +QUEUED *3 +OK :2 $1 2"},
		"may be empty":                   {"MULTI; EXEC; PING", "+OK *0 +PONG"},
		"is nested by nobody":            {"MULTI; MULTI; EXEC", "+OK -ERR MULTI calls can not be nested *0"},
		"is dropped by DISCARD":          {"MULTI; SET a 1; DISCARD; EXISTS a; EXEC", "+OK +QUEUED +OK :0 -ERR EXEC without MULTI"},
		"must be open for DISCARD":       {"DISCARD", "-ERR DISCARD without MULTI"},
		"must be open for EXEC":          {"EXEC", "-ERR EXEC without MULTI"},
		"watches nothing new":            {"MULTI; WATCH a; EXEC", "+OK -ERR WATCH inside MULTI is not allowed *0"},
		"aborts after an unknown call":   {"MULTI; NOSUCH; SET a 1; EXEC; EXISTS a", "+OK -ERR unknown command 'NOSUCH', with args beginning with:  +QUEUED -EXECABORT Transaction discarded because of previous errors. :0"},
		"aborts after a wrong arity":     {"MULTI; GET; PING; EXEC", "+OK -ERR wrong number of arguments for 'get' command +QUEUED -EXECABORT Transaction discarded because of previous errors."},
		"aborts after a wrong SELECT":    {"MULTI; SELECT; EXEC", "+OK -ERR wrong number of arguments for 'select' command -EXECABORT Transaction discarded because of previous errors."},
		"aborts after wrong subcommands": {"MULTI; CLIENT NOSUCH; EXEC", "+OK -ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP. -EXECABORT Transaction discarded because of previous errors."},
		"forgets an abort":               {"MULTI; GET; EXEC; MULTI; PING; EXEC", "+OK -ERR wrong number of arguments for 'get' command -EXECABORT Transaction discarded because of previous errors. +OK +QUEUED *1 +PONG"},
		"goes on after a refusal":        {"SET a x; MULTI; INCR a; SET b 1; EXEC", "+OK +OK +QUEUED +QUEUED *2 -ERR value is not an integer or out of range +OK"},
		"selects databases":              {"MULTI; SELECT 3; SET a 3; SELECT 0; GET a; SELECT 3; EXEC; GET a", "+OK +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED *5 +OK +OK +OK $-1 +OK $1 3"},
		"changes the protocol":           {"MULTI; GET a; HELLO 3 SETNAME me; GET a; CLIENT GETNAME; EXEC; GET a", "+OK +QUEUED +QUEUED +QUEUED +QUEUED *4 $-1 %7 $6 server $5 redis $7 version $5 7.2.4 $5 proto :3 $2 id :1 $4 mode $10 standalone $4 role $6 master $7 modules *0 _ $2 me _"},
		"is ended by RESET":              {"MULTI; SET a 1; RESET; EXEC; EXISTS a", "+OK +QUEUED +RESET -ERR EXEC without MULTI :0"},
		"is ended by QUIT":               {"MULTI; QUIT; PING", "+OK +OK"},
		"queues what fails when it runs": {"MULTI; AUTH nobody x; CLIENT KILL ID 0; EXEC", "+OK +QUEUED +QUEUED *2 -WRONGPASS invalid username-password pair or user is disabled. -ERR client-id should be greater than 0"},
		"closes after killing its own":   {"MULTI; CLIENT KILL SKIPME no; PING; EXEC; PING", "+OK +QUEUED +QUEUED *2 :1 +PONG"},
	} {
		t.Run(name, func(t *testing.T) { newPeer(t, nil, Options{}).do(c.calls, c.want) })
	}
}

func TestWatchedKeys(t *testing.T) {
	for name, c := range map[string]struct{ first, other, then, want string }{
		"unchanged":                  {"WATCH a", "SET b 1", "MULTI; SET a 2; EXEC", "+OK +QUEUED *1 +OK"},
		"changed":                    {"WATCH a", "SET a 1", "MULTI; SET a 2; EXEC; GET a", "+OK +QUEUED *-1 $1 1"},
		"changed, and nothing to do": {"WATCH a", "SET a 1", "MULTI; EXEC", "+OK *-1"},
		"forgotten by EXEC":          {"WATCH a", "SET a 1", "MULTI; EXEC; MULTI; PING; EXEC", "+OK *-1 +OK +QUEUED *1 +PONG"},
		"forgotten by UNWATCH":       {"WATCH a", "SET a 1", "UNWATCH; MULTI; PING; EXEC", "+OK +OK +QUEUED *1 +PONG"},
		"forgotten by DISCARD":       {"WATCH a", "SET a 1", "MULTI; DISCARD; MULTI; PING; EXEC", "+OK +OK +OK +QUEUED *1 +PONG"},
		"not by UNWATCH in MULTI":    {"WATCH a", "SET a 1", "MULTI; UNWATCH; EXEC", "+OK +QUEUED *-1"},
		"joined by others later":     {"WATCH a", "SET a 1", "WATCH b; MULTI; PING; EXEC", "+OK +OK +QUEUED *-1"},
		"of two calls, first":        {"WATCH a; WATCH b", "SET a 1", "MULTI; PING; EXEC", "+OK +QUEUED *-1"},
		"of two calls, second":       {"WATCH a; WATCH b", "SET b 1", "MULTI; PING; EXEC", "+OK +QUEUED *-1"},
		"of two calls, neither":      {"WATCH a; WATCH b", "SET c 1", "MULTI; PING; EXEC", "+OK +QUEUED *1 +PONG"},
		"of two databases, first":    {"WATCH a; SELECT 1; WATCH a", "SET a 1", "MULTI; PING; EXEC", "+OK +QUEUED *-1"},
		"of two databases, second":   {"WATCH a; SELECT 1; WATCH a", "SELECT 1; SET a 1", "MULTI; PING; EXEC", "+OK +QUEUED *-1"},
		"of two databases, neither":  {"WATCH a; SELECT 1; WATCH a", "SELECT 2; SET a 1", "MULTI; PING; EXEC", "+OK +QUEUED *1 +PONG"},
		"of another database":        {"WATCH a", "SELECT 1; SET a 1", "MULTI; PING; EXEC", "+OK +QUEUED *1 +PONG"},
		"changed by the same client": {"WATCH a; SET a 1", "PING", "MULTI; PING; EXEC", "+OK +QUEUED *-1"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newMemory(t)
			p, q := newPeer(t, e, Options{}), newPeer(t, e, Options{})
			p.raw(pipeline(c.first))
			q.raw(pipeline(c.other))
			p.do(c.then, c.want)
		})
	}
}

func TestRepliesAreTurnedOffAndOn(t *testing.T) {
	for name, c := range map[string]struct{ calls, want string }{
		"off":                   {"PING; CLIENT REPLY OFF; PING; SELECT 1; NOSUCH; GET; ECHO x", "+PONG"},
		"off and on":            {"CLIENT REPLY OFF; SET a 1; CLIENT REPLY ON; GET a", "+OK $1 1"},
		"skip one":              {"CLIENT REPLY SKIP; ECHO 1; ECHO 2", "$1 2"},
		"skip a session's":      {"CLIENT REPLY SKIP; CLIENT ID; ECHO 2", "$1 2"},
		"skip a refusal":        {"CLIENT REPLY SKIP; NOSUCH; ECHO 2", "$1 2"},
		"skip, then on":         {"CLIENT REPLY SKIP; CLIENT REPLY ON; ECHO 2", "+OK $1 2"},
		"skip twice":            {"CLIENT REPLY SKIP; CLIENT REPLY SKIP; ECHO 1; ECHO 2", "$1 2"},
		"skip while off":        {"CLIENT REPLY OFF; CLIENT REPLY SKIP; CLIENT REPLY ON; ECHO 1", "+OK $1 1"},
		"neither":               {"CLIENT REPLY MAYBE; ECHO 1", "-ERR syntax error $1 1"},
		"off ends with RESET":   {"CLIENT REPLY OFF; PING; RESET; PING", "+RESET +PONG"},
		"off in a transaction":  {"CLIENT REPLY OFF; MULTI; SET a 1; EXEC; CLIENT REPLY ON; GET a", "+OK $1 1"},
		"off and then goodbye":  {"CLIENT REPLY OFF; QUIT", ""},
		"on when it was on":     {"CLIENT REPLY ON", "+OK"},
		"skip queues in MULTI":  {"MULTI; CLIENT REPLY SKIP; PING; DISCARD; PING", "+OK +QUEUED +QUEUED +OK +PONG"},
		"skip an engine's last": {"CLIENT REPLY SKIP; SET a 1; GET a", "$1 1"},
	} {
		t.Run(name, func(t *testing.T) { newPeer(t, nil, Options{}).do(c.calls, c.want) })
	}
}

func TestNothingRunsBeforeAuthentication(t *testing.T) {
	const noAuth = "-NOAUTH Authentication required."
	const wrongPass = "-WRONGPASS invalid username-password pair or user is disabled."
	for name, c := range map[string]struct{ calls, want string }{
		"calls are refused":           {"GET k; PING; SELECT 1; CLIENT ID; MULTI", noAuth + " " + noAuth + " " + noAuth + " " + noAuth + " " + noAuth},
		"unknown and short ones too":  {"NOSUCH; GET", "-ERR unknown command 'NOSUCH', with args beginning with:  -ERR wrong number of arguments for 'get' command"},
		"AUTH opens":                  {"AUTH secret; PING", "+OK +PONG"},
		"AUTH with a name":            {"AUTH default secret; PING", "+OK +PONG"},
		"AUTH with another name":      {"AUTH root secret; PING", wrongPass + " " + noAuth},
		"AUTH with a wrong password":  {"AUTH Secret; AUTH secre; AUTH secret1; AUTH ''; PING", wrongPass + " " + wrongPass + " " + wrongPass + " " + wrongPass + " " + noAuth},
		"AUTH with too many words":    {"AUTH a b c", "-ERR syntax error"},
		"RESET closes again":          {"AUTH secret; RESET; PING", "+OK +RESET " + noAuth},
		"QUIT is heard":               {"QUIT", "+OK"},
		"HELLO with a wrong password": {"HELLO 3 AUTH default x; PING", wrongPass + " " + noAuth},
		"HELLO alone": {"HELLO 3", "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> " +
			"option can be used to authenticate the client and select the RESP protocol version at the same time"},
		"a call is too long":       {"ECHO 1 2 3 4 5 6 7 8 9 10", "-ERR Protocol error: unauthenticated multibulk length"},
		"an argument is too long":  {"ECHO " + strings.Repeat("x", 17000), "-ERR Protocol error: unauthenticated bulk length"},
		"long ones come after it":  {"AUTH secret; STRLEN " + strings.Repeat("x", 17000), "+OK :0"},
		"a wrong AUTH later keeps": {"AUTH secret; AUTH wrong; PING", "+OK " + wrongPass + " +PONG"},
	} {
		t.Run(name, func(t *testing.T) { newPeer(t, nil, Options{Password: "secret"}).do(c.calls, c.want) })
	}
}

func TestProtocolErrorsEndTheSessionAfterWhatCameBefore(t *testing.T) {
	for in, want := range map[string]string{
		"*1\r\n$2147483648\r\n":                    "-ERR Protocol error: invalid bulk length\r\n",
		"*2147483648\r\n":                          "-ERR Protocol error: invalid multibulk length\r\n",
		"*1\r\n:1\r\n":                             "-ERR Protocol error: expected '$', got ':'\r\n",
		"*1\r\n$4\r\nPING\r\n*1\r\nx":              "+PONG\r\n-ERR Protocol error: expected '$', got 'x'\r\n",
		"PING\r\n\"unbalanced\r\n":                 "+PONG\r\n-ERR Protocol error: unbalanced quotes in request\r\n",
		strings.Repeat("x", 70000):                 "-ERR Protocol error: too big inline request\r\n",
		"*0\r\n*-1\r\n\r\nPING\r\n*1\r\n$4\r\nQUI": "+PONG\r\n",
	} {
		p := newPeer(t, nil, Options{})
		if got := p.raw(in); got != want {
			t.Errorf("%.60q: got %q, want %q", in, got, want)
		}
		if got, want := p.ended, strings.Contains(want, "Protocol"); got != want {
			t.Errorf("%.60q: ended is %v", in, got)
		}
	}
}

func TestABrowserRunsNoCommands(t *testing.T) {
	for request, want := range map[string]string{
		"POST / HTTP/1.1\r\n\r\nSET k v\r\n":                       "",
		"GET a\r\nHost: localhost\r\n\r\nSET k v\r\n":              "$-1\r\n",
		"MULTI\r\nGET a\r\nhOST: localhost\r\nSET k v\r\nEXEC\r\n": "+OK\r\n+QUEUED\r\n",
		"*1\r\n$4\r\npost\r\nSET k v\r\n":                          "",
	} {
		e := newMemory(t)
		p := newPeer(t, e, Options{})
		if got := p.raw(request); got != want || !p.over() || p.dropped == nil {
			t.Errorf("%q gets %q, want %q; over: %t, dropped for %v", request, got, want, p.over(), p.dropped)
		}
		newPeer(t, e, Options{}).do("EXISTS k", ":0")
	}
}

func TestAPipelineOfAllSessionCommandsGetsOneReplyEach(t *testing.T) {
	// QUIT comes last; CLIENT REPLY OFF and SKIP are tested on their own.
	lines := `AUTH default x; CLIENT GETNAME; CLIENT HELP; CLIENT ID; CLIENT INFO; CLIENT KILL 1.2.3.4:5; CLIENT KILL ID 99
		CLIENT LIST; CLIENT LIST TYPE normal; CLIENT LIST ID 1 2; CLIENT NO-EVICT on; CLIENT NO-TOUCH off; CLIENT REPLY ON
		CLIENT SETINFO LIB-NAME x; CLIENT SETNAME me; ECHO x; HELLO; HELLO 3; HELLO 2; HELLO 9; PING; PING x; PING x y
		SELECT 1; SELECT 99; WATCH a b; UNWATCH; MULTI; SET a 1; CLIENT LIST; EXEC; DISCARD; MULTI; DISCARD; EXEC; RESET
		CLIENT; CLIENT NOSUCH; AUTH; WATCH; NOSUCH; GET; QUIT; PING`
	in := pipeline(lines)
	calls := strings.Count(in, "*") - 1 // the PING after QUIT
	p := newPeer(t, nil, Options{})
	out := []byte(p.raw(in))
	n := 0
	for ; len(out) > 0; n++ {
		_, rest, err := resp.DecodeValue(out)
		if err != nil {
			t.Fatalf("reply %d: %q: %v", n, out, err)
		}
		out = rest
	}
	if n != calls {
		t.Errorf("%d replies to %d calls", n, calls)
	}
}

// failing is an engine that fails every batch.
type failing struct {
	engine.Engine
	err error
}

func (f failing) Do(context.Context, *engine.Batch, *resp.Writer) error { return f.err }

func (f failing) Watch(context.Context, int, [][]byte) (engine.Guard, error) { return nil, f.err }

func TestAFailureOfTheEngineIsAReplyToEachCall(t *testing.T) {
	p := newPeer(t, failing{err: errors.New("dial redis://user:pa:ss@host/0:\nrefused")}, Options{})
	const failed = "-ERR dial redis://…@host/0: refused"
	p.do("GET a; GET b; SELECT 1; WATCH a; MULTI; GET a; EXEC; GET c",
		failed+" "+failed+" +OK "+failed+" +OK +QUEUED "+failed+" "+failed)
	p = newPeer(t, failing{err: &engine.Failure{Code: "TRYAGAIN", Err: errors.New("the database is busy")}}, Options{})
	const busy = "-TRYAGAIN the database is busy"
	p.do("GET a; WATCH a; MULTI; GET a; EXEC", busy+" "+busy+" +OK +QUEUED "+busy)
}

func TestUnknownCommandsAreQueuedForAnEngineThatForwards(t *testing.T) {
	newPeer(t, failing{err: engine.ErrChanged}, Options{}).do("MULTI; JSON.GET a; EXEC", "+OK +QUEUED *-1")
	newPeer(t, failing{err: engine.ErrChanged}, Options{Password: "x"}).do("JSON.GET a", "-NOAUTH Authentication required.")
}

func TestAQueueThatGrowsBeyondTheLimitEndsTheSession(t *testing.T) {
	p := newPeer(t, nil, Options{Limits: resp.Limits{QueryBuffer: 1 << 20}})
	p.raw(pipeline("MULTI"))
	call := pipeline("ECHO " + strings.Repeat("x", 100<<10))
	for i := 0; !p.over(); i++ {
		if i > 12 {
			t.Fatal("more is queued than the limit allows")
		}
		p.raw(call)
	}
	if !errors.Is(p.dropped, resp.ErrQueryBuffer) {
		t.Errorf("dropped for %v", p.dropped)
	}
}

func TestLargeRepliesMakeSmallBatches(t *testing.T) {
	p := newPeer(t, nil, Options{})
	p.raw(pipeline("SET k " + strings.Repeat("x", 1<<20)))
	if err := p.in.Feed([]byte(strings.Repeat(pipeline("GET k"), 200))); err != nil {
		t.Fatal(err)
	}
	turns, most, total := 0, 0, 0
	for more := true; more; turns++ {
		more = p.turn(p.hub.now())
		if turns > 4 {
			most = max(most, p.out.Len())
		}
		total += p.out.Len()
		p.taken()
	}
	if most > 2<<20 {
		t.Errorf("%d bytes are held for a client whose replies are known to be large", most)
	}
	if want := 200 * (1<<20 + len("$1048576\r\n\r\n")); total != want {
		t.Errorf("%d bytes of replies, want %d", total, want)
	}
}

func TestPipelinesRunWithoutAllocating(t *testing.T) {
	if racing {
		t.Skip("allocations are not counted under the race detector")
	}
	p := newPeer(t, nil, Options{})
	in := []byte(strings.Repeat(pipeline("SET key value; GET key; GET missing; INCR n"), 40))
	turn := func() {
		if err := p.in.Feed(in); err != nil {
			t.Fatal(err)
		}
		for more := true; more; {
			more = p.turn(p.hub.now())
			p.taken()
		}
	}
	turn()
	if n := testing.AllocsPerRun(200, turn); n != 0 {
		t.Errorf("%v allocations in a pipeline of 160 calls", n)
	}
}

func BenchmarkPipeline(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			p := newPeer(b, nil, Options{})
			in := []byte(strings.Repeat(pipeline("GET key:000000012345"), n))
			b.ReportAllocs()
			for b.Loop() {
				if err := p.in.Feed(in); err != nil {
					b.Fatal(err)
				}
				p.turn(p.hub.now())
				p.taken()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/call")
		})
	}
}

func TestCallsThatMayWaitComeInTurn(t *testing.T) {
	p := newPeer(t, nil, Options{})
	turns := 0
	p.inTurn = func() { turns++ }
	p.do("GET k; LPUSH l a", "$-1 :1")
	if turns != 0 {
		t.Errorf("%d times something else has let others go first", turns)
	}
	p.do("BLPOP l 0", "*2 $1 l $1 a")
	if turns != 1 {
		t.Errorf("BLPOP has let others go first %d times, not once", turns)
	}
	p.do("MULTI; BLPOP l 0; EXEC", "+OK +QUEUED *1 *-1")
}
