package enginetest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/testenv"
	"github.com/redbud-go/redbud/server"
)

// source is an engine that real servers follow.
type source struct {
	*engineSide
	args []string // of a redis-server that follows it
}

func openSource(t *testing.T) *source {
	e := openMemoryNow(t)
	s := server.New(e, server.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	host, port, _ := net.SplitHostPort(l.Addr().String())
	return &source{&engineSide{e}, []string{"--replicaof", host, port}}
}

// follow starts a Redis that follows.
func (s *source) follow(t *testing.T) *redisSide {
	r := &redisSide{addr: testenv.Redis(t, s.args...).Addr}
	t.Cleanup(r.close)
	return r
}

// say makes one call on a side.
func say(t *testing.T, s side, db int, words ...string) resp.Value {
	t.Helper()
	replies, err := s.run([]move{{db: db, proto: 2, words: words}})
	if err != nil {
		t.Fatal(err)
	}
	return replies[0]
}

// play makes the calls of a round.
func (s *source) play(t *testing.T, moves []move) {
	t.Helper()
	for len(moves) > 0 {
		n := 1
		for n < len(moves) && moves[n].db == moves[0].db && moves[n].proto == moves[0].proto && moves[n].atomic == moves[0].atomic {
			n++
		}
		if _, err := s.run(moves[:n]); err != nil {
			t.Fatal(err)
		}
		moves = moves[n:]
	}
}

// has waits until the follower has what the source has.
func (s *source) has(t *testing.T, follower *redisSide) {
	t.Helper()
	for tries := 0; ; tries++ {
		e := s.engine.(*command.Engine)
		var w resp.Writer
		b := engine.Batch{Wait: true, Calls: []engine.Call{newStep("WAIT", "1", "2000").Call}}
		if err := e.Do(t.Context(), &b, &w); err != nil {
			t.Fatal(err)
		}
		l := &lockstep{redis: follower, engine: s}
		found, err := l.compareContents(0)
		if err == nil && found == nil {
			found, err = s.compareGroups(t, follower)
		}
		if err == nil && found == nil {
			return
		}
		if tries == 20 {
			if err != nil {
				t.Fatal(err)
			}
			t.Fatalf("%s\n the follower: %s\n the source: %s", found.what, found.redis, found.engine)
		}
		time.Sleep(100 * time.Millisecond) // keys may have expired in between
	}
}

// compareGroups compares the groups of all streams, and what they have pending.
func (s *source) compareGroups(t *testing.T, follower side) (*finding, error) {
	for db := range lockstepDatabases {
		all, err := contents(s, db)
		if err != nil {
			return nil, err
		}
		for key, c := range all {
			if !strings.HasPrefix(c.text, "stream\n") {
				continue
			}
			texts := [2]string{}
			for i, side := range []side{s, follower} {
				groups := say(t, side, db, "XINFO", "GROUPS", key)
				texts[i] = string(resp.AppendCLI(nil, &groups))
				for _, g := range groups.Elems {
					name := string(g.Elems[1].Str)
					pending := say(t, side, db, "XPENDING", key, name, "-", "+", "1000")
					for _, p := range pending.Elems {
						texts[i] += fmt.Sprintf("%s: %s of %s, %d times\n", name, p.Elems[0].Str, p.Elems[1].Str, p.Elems[3].Int)
					}
				}
			}
			if texts[0] != texts[1] {
				return &finding{0, fmt.Sprintf("groups of %s in database %d", key, db), texts[1], texts[0]}, nil
			}
		}
	}
	return nil, nil
}

// beyond are the commands whose outcome a Redis 7.0 cannot hold: fields that expire.
var beyond = []string{"hexpire", "hexpireat", "hpexpire", "hpexpireat", "hsetex", "hgetex", "restore"}

func newRounds(t *testing.T, seed uint64) *drawer {
	d, err := newDrawer(seed)
	if err != nil {
		t.Fatal(err)
	}
	d.leaveOut(beyond)
	return d
}

func someSeeds() []uint64 {
	if *seed != 0 {
		return []uint64{*seed}
	}
	return []uint64{rand.Uint64N(1 << 32), rand.Uint64N(1 << 32), rand.Uint64N(1 << 32)}
}

func TestARedisThatFollowsHasTheSameKeys(t *testing.T) {
	for _, seed := range someSeeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s, d := openSource(t), newRounds(t, seed)
			follower := s.follow(t)
			for range 8 {
				moves, err := d.round()
				if err != nil {
					t.Fatal(err)
				}
				s.play(t, moves)
				s.has(t, follower)
			}
		})
	}
}

func TestAFollowerMayComeAndGoWhileOthersWrite(t *testing.T) {
	s, d := openSource(t), newRounds(t, someSeeds()[0])
	var all [][]move
	for range 20 {
		moves, err := d.round()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, moves)
	}
	s.play(t, slices.Concat(all[:3]...))
	half, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i, moves := range all[3:] {
			if i == 8 {
				close(half)
			}
			s.play(t, moves)
		}
	}()
	one := s.follow(t)
	<-half
	say(t, one, 0, "CLIENT", "KILL", "TYPE", "master")
	two := s.follow(t)
	<-done
	s.has(t, one)
	s.has(t, two)
}
