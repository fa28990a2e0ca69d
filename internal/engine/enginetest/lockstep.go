// Lockstep: random calls on an engine and on a real Redis must give the same replies and leave the same keys. When they do
// not, the calls are cut down to few that still show it.
package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

const (
	// roundCalls is how many calls run on one keyspace before it is emptied: enough for it to fill, few enough to
	// be run again many times when they have to be cut down.
	roundCalls = 1000
	batchCalls = 80

	lockstepDatabases = 2
)

// move is one random call, with the circumstances in which it was made.
type move struct {
	db, proto int
	atomic    bool
	words     []string
}

// side is one of the two that go in step.
type side interface {
	// run makes moves, which have their circumstances in common.
	run(moves []move) ([]resp.Value, error)
	close()
}

// Lockstep compares an engine, whose clock must go right, with the Redis at addr by so many random calls. The seed decides
// which. The data of both is lost.
func Lockstep(t *testing.T, e engine.Engine, addr string, seed uint64, calls int) {
	l := &lockstep{redis: &redisSide{addr: addr}, engine: &engineSide{e}}
	defer l.redis.close()
	done, short, err := l.search(seed, calls)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if short != "" {
		t.Fatalf("seed %d: after %d calls that agree, these do not:\n\n%s", seed, done, short)
	}
	t.Logf("seed %d: %d calls agree", seed, done)
}

// Compare makes so many random calls on two engines that are to answer alike, and returns a proof if they do not: few calls, as
// a session. The seed decides which, commands that are named are left out. The data of both is lost.
func Compare(wanted, got engine.Engine, seed uint64, calls int, without ...string) (proof string, err error) {
	l := &lockstep{redis: &engineSide{wanted}, engine: &engineSide{got}, without: without}
	_, proof, err = l.search(seed, calls)
	return proof, err
}

// search makes random calls until so many agree, or some do not: those it returns, few of them, as a session.
func (l *lockstep) search(seed uint64, calls int) (done int, short string, err error) {
	d, err := newDrawer(seed)
	if err != nil {
		return 0, "", err
	}
	d.leaveOut(l.without)
	for ; done < calls; done += roundCalls {
		moves, err := d.round()
		if err != nil {
			return done, "", err
		}
		found, err := l.play(moves)
		if err != nil {
			return done, "", err
		}
		if found != nil {
			return done, l.shrink(moves, found), nil
		}
	}
	return done, "", nil
}

// leaveOut draws no calls of some commands.
func (d *drawer) leaveOut(names []string) {
	d.grammars = slices.DeleteFunc(d.grammars, func(g *grammar) bool {
		out := slices.Contains(names, g.row.FullName())
		if out {
			d.total -= g.weight
		}
		return out
	})
}

// round draws the calls of one round, in batches.
func (d *drawer) round() ([]move, error) {
	var moves []move
	for len(moves) < roundCalls {
		m := move{db: d.IntN(4) / 3, proto: 2 + d.IntN(2), atomic: d.IntN(2) == 0}
		for range min(1+d.IntN(batchCalls), roundCalls-len(moves)) {
			var err error
			for m.words, err = d.call(); err == nil && !m.atomic && mayWait(m); { // where a call would wait, it is drawn again
				m.words, err = d.call()
			}
			if err != nil {
				return nil, err
			}
			moves = append(moves, m)
		}
	}
	return moves, nil
}

// mayWait reports whether a call waits where there is nothing for it, unless it stands in a transaction.
func mayWait(m move) bool {
	row := command.Commands.Lookup([]byte(m.words[0]))
	return row.Flags&command.Blocking != 0 && !strings.HasPrefix(row.Name, "x") // which wait where BLOCK stands, and that is not drawn
}

type lockstep struct {
	redis   side
	engine  side
	without []string // commands that are not drawn
}

// finding is where the two went apart.
type finding struct {
	at            int // index of the move; the number of moves where what is left at the end differs
	what          string
	redis, engine string
}

// play empties both, makes the moves on both and compares; nil if they agree.
func (l *lockstep) play(moves []move) (*finding, error) {
	empty := []move{{proto: 2, words: []string{"FLUSHALL"}}}
	for _, s := range []side{l.redis, l.engine} {
		if _, err := s.run(empty); err != nil {
			return nil, err
		}
	}
	for from := 0; from < len(moves); {
		to := from + 1
		for to < len(moves) && moves[to].db == moves[from].db && moves[to].proto == moves[from].proto && moves[to].atomic == moves[from].atomic {
			to++
		}
		wanted, err := l.redis.run(moves[from:to])
		if err != nil {
			return nil, err
		}
		got, err := l.engine.run(moves[from:to])
		if err != nil {
			return nil, err
		}
		for i := range got {
			if m := moves[from+i]; !agree(m.words, &wanted[i], &got[i]) {
				return &finding{from + i, display(m.words), string(resp.AppendCLI(nil, &wanted[i])), string(resp.AppendCLI(nil, &got[i]))}, nil
			}
		}
		from = to
	}
	return l.compareContents(len(moves))
}

// compareContents compares all keys of the databases in use.
func (l *lockstep) compareContents(end int) (*finding, error) {
	for db := range lockstepDatabases {
		wanted, err := contents(l.redis, db)
		if err != nil {
			return nil, err
		}
		got, err := contents(l.engine, db)
		if err != nil {
			return nil, err
		}
		keys := slices.Sorted(keysOf(wanted, got))
		for _, key := range keys {
			one, two := wanted[key], got[key]
			if one.text != two.text || !closeTo(one.expires, two.expires, clockSlack*1000) {
				return &finding{end, fmt.Sprintf("database %d, key %s at the end", db, key), one.String(), two.String()}, nil
			}
		}
	}
	return nil, nil
}

func keysOf(maps ...map[string]content) func(func(string) bool) {
	return func(yield func(string) bool) {
		seen := map[string]bool{}
		for _, m := range maps {
			for key := range m {
				if !seen[key] && !yield(key) {
					return
				}
				seen[key] = true
			}
		}
	}
}

// content is what a key holds.
type content struct {
	text    string
	expires int64
}

func (c content) String() string { return fmt.Sprintf("%s(expires at %d)\n", c.text, c.expires) }

// readers tell how the value of each type is read whole.
var readers = map[string][]string{
	"string": {"GET", "key"},
	"list":   {"LRANGE", "key", "0", "-1"},
	"hash":   {"HGETALL", "key"},
	"set":    {"SMEMBERS", "key"},
	"zset":   {"ZRANGE", "key", "0", "-1", "WITHSCORES"},
	"stream": {"XRANGE", "key", "-", "+"},
}

// contents reads a database.
func contents(s side, db int) (map[string]content, error) {
	ask := func(calls ...[]string) ([]resp.Value, error) {
		var moves []move
		for _, words := range calls {
			moves = append(moves, move{db: db, proto: 3, words: words})
		}
		if len(moves) == 0 {
			return nil, nil
		}
		return s.run(moves)
	}
	listed, err := ask([]string{"KEYS", "*"})
	if err != nil {
		return nil, err
	}
	var types, values [][]string
	for _, key := range listed[0].Elems {
		types = append(types, []string{"TYPE", string(key.Str)}, []string{"PEXPIRETIME", string(key.Str)})
	}
	known, err := ask(types...)
	if err != nil {
		return nil, err
	}
	for i, key := range listed[0].Elems {
		read := slices.Clone(readers[string(known[2*i].Str)])
		if read == nil {
			return nil, fmt.Errorf("key %q has the type %q", key.Str, known[2*i].Str)
		}
		read[1] = string(key.Str)
		values = append(values, read)
	}
	read, err := ask(values...)
	if err != nil {
		return nil, err
	}
	all := map[string]content{}
	for i, key := range listed[0].Elems {
		all[string(key.Str)] = content{string(known[2*i].Str) + "\n" + canonical(values[i], &read[i]), known[2*i+1].Int}
	}
	return all, nil
}

// clockSlack is how many seconds the two may disagree about when a key expires: the time between a call on one and on
// the other.
const clockSlack = 60

func closeTo(a, b, slack int64) bool { return max(a-b, b-a) <= slack }

// unordered are the commands whose replies have no order that Redis promises.
var unordered = []string{"keys", "scan", "hscan", "sscan", "zscan", "smembers", "sinter", "sunion", "sdiff", "spop", "srandmember",
	"hgetall", "hkeys", "hvals", "hrandfield", "zrandmember"}

// agree reports whether two replies to one call mean the same.
func agree(words []string, redis, engine *resp.Value) bool {
	name := strings.ToLower(words[0])
	slack := map[string]int64{"ttl": clockSlack, "expiretime": clockSlack, "pttl": 1000 * clockSlack, "pexpiretime": 1000 * clockSlack}[name]
	if slack > 0 && redis.Kind == ':' && engine.Kind == ':' && redis.Int > 0 && engine.Int > 0 {
		return closeTo(redis.Int, engine.Int, slack)
	}
	if canonical(words, redis) == canonical(words, engine) {
		return true
	}
	for _, k := range known {
		if k.applies(words, redis, engine) {
			return true
		}
	}
	return false
}

// canonical is a text that two replies to a call have in common when they mean the same: elements that come in no order
// are sorted, and floats of sorted sets are by value, since Redis 7.0 prints them in another way than 7.2.
func canonical(words []string, v *resp.Value) string {
	name := strings.ToLower(words[0])
	row := command.Commands.Lookup([]byte(name))
	c := canon{sort: slices.Contains(unordered, name), floats: row != nil && row.Group == "sorted-set"}
	return c.text(v)
}

type canon struct{ sort, floats bool }

func (c canon) text(v *resp.Value) string {
	if v.IsAggregate() {
		var parts []string
		step := 1
		if v.Kind == '%' {
			step = 2
		}
		for i := 0; i+step <= len(v.Elems); i += step {
			part := c.text(&v.Elems[i])
			if step == 2 {
				part += " => " + c.text(&v.Elems[i+1])
			}
			parts = append(parts, part)
		}
		if c.sort {
			slices.Sort(parts)
		}
		return string(v.Kind) + "(" + strings.Join(parts, "\n") + ")"
	}
	if c.floats && !v.Null && (v.Kind == ',' || v.Kind == '$') {
		if f, err := strconv.ParseFloat(string(v.Str), 64); err == nil {
			f += 0 // a negative zero is a zero: whether Redis keeps its sign depends on how it keeps the set
			return string(v.Kind) + string(resp.AppendDouble(nil, f))
		}
	}
	return string(resp.AppendCLI(nil, v))
}

// shrink cuts the moves down while the two still go apart, and prints what is left as a session.
func (l *lockstep) shrink(moves []move, found *finding) string {
	moves = slices.Clone(moves[:min(found.at+1, len(moves))])
	for chunk := max(1, len(moves)/2); ; chunk /= 2 {
		for at := 0; at < len(moves); {
			fewer := slices.Delete(slices.Clone(moves), at, min(at+chunk, len(moves)))
			again, err := l.play(fewer)
			if err != nil || again == nil {
				at += chunk
				continue
			}
			moves, found = fewer[:min(again.at+1, len(fewer))], again
		}
		if chunk <= 1 {
			break
		}
	}
	var b bytes.Buffer
	db := 0
	for _, m := range moves {
		if m.db != db {
			db = m.db
			fmt.Fprintf(&b, "> SELECT %d\n", db)
		}
		fmt.Fprintf(&b, "> %s\n", display(m.words))
	}
	fmt.Fprintf(&b, "\n%s (RESP%d)\nRedis:\n%sthe engine:\n%s", found.what, moves[len(moves)-1].proto, found.redis, found.engine)
	return b.String()
}

// display is a call as it stands in a session.
func display(words []string) string {
	var out []string
	for _, w := range words {
		quoted := string(resp.AppendQuoted(nil, []byte(w)))
		if w != "" && quoted == `"`+w+`"` && !strings.ContainsAny(w, " '") {
			quoted = w
		}
		out = append(out, quoted)
	}
	return strings.Join(out, " ")
}

// redisSide talks to the real one.
type redisSide struct {
	addr  string
	wires [4]*wire // by protocol version
}

func (r *redisSide) run(moves []move) ([]resp.Value, error) {
	first := moves[0]
	w := r.wires[first.proto]
	if w == nil {
		w = &wire{dial: tcp(r.addr), proto: first.proto}
		r.wires[first.proto] = w
	}
	w.exec = slices.ContainsFunc(moves, mayWait) // each call in a transaction: nobody else is there to see the difference
	steps := []*Step{newStep("SELECT", strconv.Itoa(first.db))}
	for _, m := range moves {
		steps = append(steps, newStep(m.words...))
	}
	replies, err := w.talk(steps)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	values := make([]resp.Value, len(moves))
	for i := range moves {
		values[i] = *replies[i+1]
		if replies[i+1] == closedReply {
			return nil, fmt.Errorf("redis closed the connection at %s", display(moves[i].words))
		}
	}
	return values, nil
}

func (r *redisSide) close() {
	for _, w := range r.wires {
		if w != nil {
			w.close()
		}
	}
}

// engineSide calls the engine under test.
type engineSide struct{ engine engine.Engine }

func (e *engineSide) close() {} // it is not ours

func (e *engineSide) run(moves []move) ([]resp.Value, error) {
	b := engine.Batch{DB: moves[0].db, Atomic: moves[0].atomic}
	for _, m := range moves {
		b.Calls = append(b.Calls, newStep(m.words...).Call)
	}
	w := resp.Writer{Proto: moves[0].proto}
	if err := e.engine.Do(context.Background(), &b, &w); err != nil {
		return nil, fmt.Errorf("the engine: %w", err)
	}
	values := make([]resp.Value, len(moves))
	rest := w.Buf
	for i, m := range moves {
		var err error
		if values[i], rest, err = resp.DecodeValue(rest); err != nil {
			return nil, fmt.Errorf("the engine's reply to %s: %w", display(m.words), err)
		}
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("the engine replied too much: %q", rest)
	}
	return values, nil
}
